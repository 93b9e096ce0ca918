/*
 * digest.c: prints hashes of a fixed computation, stage by stage.  Every compiler
 * and every optimisation level must print the same, and the same as digest.expected
 * (decisions of one machine must replay on another; the hash sees bytes, so this
 * file is for little-endian ones).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../../src/model/explore.h"
#include "../../src/model/forecast.h"
#include "../../src/model/pool.h"
#include "../../src/model/ramp.h"
#include "../../src/model/schedule.h"

enum
{
	DIM = 33, ROWS = 400, ARMS = 23
};

static double numbers[20000];
static int	n_numbers = 0;
static double scratch[XS_GLM_SUMS(DIM) + XS_EXPLORE_SCRATCH(ARMS)];

static void
note(double x)
{
	/* NaN has many forms */
	numbers[n_numbers++] = x == x ? x : 12345.0;
}

static void
print(const char *stage)
{
	printf("%-10s %016" PRIx64 "\n", stage, xs_hash64(numbers, sizeof(double) * (size_t) n_numbers, 0));
	n_numbers = 0;
}

static double
uniform(void)
{
	static uint64_t counter = 0;

	return xs_uniform(3, counter++, 1);
}

static void
functions(void)
{
	int			i;

	for (i = 0; i < 500; i++)
	{
		double		x = 40.0 * (uniform() - 0.5);
		double		p = uniform();
		double		a = xs_exp(x * 0.3);

		note(xs_exp(30.0 * x));
		note(xs_log(a));
		note(xs_log1p(p - 0.5));
		note(xs_expit(x));
		note(xs_logit(p));
		note(xs_norm_cdf(x));
		note(xs_norm_quantile(p));
		note(xs_lgamma(a));
		note(xs_digamma(a));
		note(xs_trigamma(a));
		note(xs_beta_cdf(a, 3.0 * p + 0.1, p));
		note(xs_beta_quantile(a + 0.01, 2.0, p));
	}
	print("functions");
}

static void
learn(XsGlm *glm, XsBeta *beta, XsLink link)
{
	float		x[DIM];
	int			i,
				j;

	memset(glm, 0, XS_GLM_SIZE(DIM));
	glm->dim = DIM;
	glm->link = link;
	for (i = 0; i < ROWS; i++)
	{
		double		reward = uniform() < 0.1;
		double		predictor = 4.0 * uniform() - 4.0;
		double		weight = 1.0 + uniform();

		x[0] = 1.0f;
		for (j = 1; j < DIM; j++)
			x[j] = (float) (4.0 * uniform() - 2.0);
		xs_glm_observe(glm, x, reward, predictor, weight, 1);
		xs_beta_observe(beta, reward, weight, 1);
	}
	for (i = 0; i < XS_GLM_SUMS(DIM); i++)
		note((double) glm->sums[i]);
	note((double) beta->successes);
	print("evidence");
}

static void
predict(const char *name, const XsEvidence *evidence, XsArm *arms)
{
	const XsOracle *oracle = xs_oracle(name);
	XsPrior		prior = {0.05, 10.0, 5.0, 1.0, 4.0, 1, 1, 1.0, NULL};
	void	   *model = malloc(oracle->model_size(DIM, 0, NULL));
	float		x[DIM];
	int			i,
				j;

	oracle->prepare(model, DIM, evidence, &prior, scratch);
	for (i = 0; i < ARMS; i++)
	{
		double		s = uniform();
		XsInput		in = {x, s, -1};

		for (j = 0; j < DIM; j++)
			x[j] = (float) (0.4 * uniform() - 0.2);
		x[DIM - 1] = (float) xs_propensity_feature(s);
		oracle->predict(model, &in, &arms[i].prediction);
		note(arms[i].prediction.mean);
		note(arms[i].prediction.variance);
		note(arms[i].prediction.rate);
	}
	print(name);
	free(model);
}

/* A product with evidence and one without, which share every step-th column. */
static void
pool(const char *name, const XsEvidence *evidence, int step)
{
	const XsOracle *oracle = xs_oracle(name);
	const XsEvidence nothing = {NULL, NULL, 0, NULL};
	XsPrior		prior = {0.05, 10.0, 5.0, 1.0, 4.0, 1, 1, 1.0, NULL};
	double		share[DIM] = {0.0};
	float		x[DIM];
	XsInput		in = {x, 0.1, -1};
	XsPrediction out;
	XsPool	   *group;
	void	   *models[2];
	int			i,
				j;

	for (i = 0; i < DIM; i += step)
		share[i] = 0.8;
	prior.pool = group = malloc(xs_pool_size(DIM, share));
	xs_pool_init(group, DIM, &prior, share);
	for (i = 0; i < 2; i++)
	{
		models[i] = malloc(oracle->model_size(DIM, 0, group));
		oracle->prepare(models[i], DIM, i == 0 ? evidence : &nothing, &prior, scratch);
	}
	xs_pool_solve(group, models, 2);
	for (i = 0; i < 2; i++)
	{
		xs_pool_adopt(models[i]);
		for (j = 0; j < DIM; j++)
			x[j] = (float) (0.4 * uniform() - 0.2);
		oracle->predict(models[i], &in, &out);
		note(out.mean);
		note(out.variance);
		free(models[i]);
	}
	free(group);
	print(name);
}

static void
explore(XsArm *arms, int unequal)
{
	static const char *const names[] = {"epsilon_greedy", "ucb", "thompson", "uniform"};
	XsExploration how = {.epsilon = 0.1,.width = 1.0,.scale = 1.0};
	double		q[ARMS];
	int			i,
				k;

	for (k = 0; k < ARMS; k++)
	{
		arms[k].value = unequal ? 1.0 + uniform() : 1.0;
		arms[k].cost = unequal ? 0.1 * uniform() : 0.0;
	}
	for (i = 0; i < 4; i++)
	{
		xs_explore(xs_strategy(names[i]), &how, arms, ARMS, q, scratch);
		for (k = 0; k < ARMS; k++)
			note(q[k]);
	}
	print(unequal ? "unequal" : "equal");
}

/* What depends on expected objectives alone, limits and schedules. */
static void
shares(const XsArm *arms)
{
	static const char *const names[] = {"greedy", "epsilon_greedy", "softmax", "squarecb"};
	XsSchedule	schedule = {.kind = XS_TIME,.start = 0.2,.end = 0.001,.half = 30.0};
	XsExploration how = {.different = 1,.temperature = 0.05,.floor = 0.02};
	double		limit[ARMS];
	double		q[ARMS];
	int			i,
				k;

	for (i = 0; i < 100; i++)
	{
		how.epsilon = xs_scheduled(&schedule, 300.0 * uniform());
		how.gamma = xs_squarecb_gamma(10.0, 1e5 * uniform(), 0.05);
		for (k = 0; k < ARMS; k++)
			limit[k] = xs_ramp_limit(0.05, 1000.0 * uniform(), 500.0);
		xs_explore(xs_strategy(names[i % 4]), &how, arms, ARMS, q, scratch);
		for (k = 0; k < ARMS; k++)
			note(q[k]);
		xs_limit_shares(q, limit, ARMS, how.floor / ARMS);
		for (k = 0; k < ARMS; k++)
			note(q[k]);
	}
	print("shares");
}

static void
forecasts(void)
{
	XsScore		score = {0};
	float		p[XS_FORECASTERS];
	int			i,
				j;

	for (i = 0; i < ROWS; i++)
	{
		double		reward = uniform();
		double		weight = 1.0 + uniform();

		for (j = 0; j < XS_FORECASTERS; j++)
			p[j] = (float) xs_expit(20.0 * (uniform() - 0.5));
		xs_score_observe(&score, p, XS_FORECASTERS, reward, weight, 1);
	}
	for (j = 0; j < XS_FORECASTERS; j++)
	{
		note((double) score.forecasters[j].forecasts);
		note((double) score.forecasters[j].log_loss);
		note((double) score.forecasters[j].brier);
	}
	print("forecasts");
}

int
main(void)
{
	XsGlm	   *glm = malloc(XS_GLM_SIZE(DIM));
	XsBeta		beta = {0};
	XsEvidence	evidence = {&beta, glm, 0, NULL};
	static XsArm arms[ARMS];

	functions();
	learn(glm, &beta, XS_LOGIT);
	predict("beta", &evidence, arms);
	predict("logistic", &evidence, arms);
	explore(arms, 0);
	explore(arms, 1);
	learn(glm, &beta, XS_IDENTITY);
	predict("linear", &evidence, arms);
	explore(arms, 1);
	pool("linear", &evidence, DIM - 1);
	pool("linear", &evidence, 1);
	shares(arms);
	forecasts();
	free(glm);
	return 0;
}
