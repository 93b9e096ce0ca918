/*
 * agent.c: an agent without a server: evidence by product and week, prepared
 * models, probabilities, the draw.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../../src/model/choice.h"
#include "../../src/model/discount.h"
#include "../../src/model/explore.h"
#include "../../src/model/pool.h"
#include "../../src/model/schedule.h"
#include "agent.h"

enum
{
	MAX_SEGMENTS = 8
};

/* What decisions of a product taught. */
typedef struct Sums
{
	XsBeta		beta;
	XsBeta		segments[MAX_SEGMENTS];
	XsGlm	   *glm;			/* NULL: the oracle needs no features */
} Sums;

typedef struct Product
{
	Sums		all;			/* discounted as of this week */
	Sums	   *weeks;			/* with a half-life */
	XsScore    *scores;			/* by week */
	XsScore		score;			/* of all weeks */
	bool		changed;		/* since it was prepared; what follows is as prepared */
	int			forecaster;
	XsBeta		beta;
	void	   *models[XS_FORECASTERS];
} Product;

struct Agent
{
	const Settings *settings;
	const World *world;
	const XsStrategy *strategy;
	bool		is_auto;
	const XsOracle *oracles[XS_FORECASTERS];	/* NULL: not in use */
	XsLink		link;			/* of evidence */
	XsScheduleKind schedule;
	bool		judges;			/* forecasts */
	int			nweeks;
	int			week;
	Product		products[MAX_PRODUCTS];
	XsPool	   *pools[MAX_PRODUCTS];	/* by group */
	double	   *scratch;
};

static void
check(XsStatus status)
{
	if (status != XS_OK)
		die("status %d", (int) status);
}

static int
week_of(const Agent *agent, int round)
{
	return round / (int) agent->settings->week;
}

/* ---- creation ---- */

static XsScheduleKind
schedule_named(const char *name)
{
	if (strcmp(name, "constant") == 0)
		return XS_CONSTANT;
	if (strcmp(name, "count") == 0)
		return XS_COUNT;
	if (strcmp(name, "evidence") == 0)
		return XS_EVIDENCE;
	die("schedule %s is not simulated", name);
}

static XsPrior
prior_of(const Agent *agent, int product)
{
	const Settings *s = agent->settings;

	return (XsPrior)
	{
		.neutral_rate = s->neutral_rate,.strength = s->prior_strength,.precision = s->prior_precision,
			.intercept_precision = 1,.slope_precision = 1,.has_propensity = agent->world->has_propensity,
			.uses_propensity = agent->world->uses_propensity[product],.trust = xs_trust(&agent->products[product].score),
			.pool = agent->world->group[product] < 0 ? NULL : agent->pools[agent->world->group[product]]
	};
}

static void
choose_oracles(Agent *agent)
{
	const char *name = agent->settings->oracle;

	agent->is_auto = strcmp(name, "auto") == 0;
	agent->link = strcmp(name, "linear") == 0 ? XS_IDENTITY : XS_LOGIT;
	agent->judges = agent->is_auto || agent->world->has_propensity;
	agent->oracles[XS_FORECAST_GLOBAL] = xs_oracle("beta");
	if (agent->world->nsegments > 0 && (agent->is_auto || strcmp(name, "segment") == 0))
		agent->oracles[XS_FORECAST_SEGMENT] = xs_oracle("segment");
	if (agent->is_auto || strcmp(name, "linear") == 0 || strcmp(name, "logistic") == 0)
		agent->oracles[XS_FORECAST_CONTEXTUAL] = xs_oracle(agent->is_auto ? "logistic" : name);
	if (agent->oracles[XS_FORECAST_CONTEXTUAL] == NULL && strcmp(name, "beta") != 0 && strcmp(name, "segment") != 0)
		die("there is no oracle %s", name);
	if (agent->world->nsegments > MAX_SEGMENTS)
		die("more than %d segments", MAX_SEGMENTS);
	if (agent->oracles[XS_FORECAST_SEGMENT] != NULL && agent->settings->half_life > 0)
		die("a half-life with segments is not simulated");
}

static XsGlm *
new_glm(const Agent *agent)
{
	XsGlm	   *glm = allocate(XS_GLM_SIZE(agent->world->dim));

	glm->dim = agent->world->dim;
	glm->link = agent->link;
	return glm;
}

static void
make_pools(Agent *agent)
{
	int			dim = agent->world->dim;
	XsPrior		prior = prior_of(agent, 0);
	double		share[XS_MAX_DIM];

	for (int i = 0; i < dim; i++)
		share[i] = agent->settings->pooling;
	for (int k = 0; k < agent->world->nproducts; k++)
	{
		int			g = agent->world->group[k];

		if (g < 0 || agent->pools[g] != NULL)
			continue;
		agent->pools[g] = allocate(xs_pool_size(dim, share));
		check(xs_pool_init(agent->pools[g], dim, &prior, share));
	}
}

static void
make_product(Agent *agent, int k)
{
	Product    *product = &agent->products[k];
	XsPrior		prior = prior_of(agent, k);
	bool		needs_features = agent->oracles[XS_FORECAST_CONTEXTUAL] != NULL;

	product->changed = true;
	if (needs_features)
		product->all.glm = new_glm(agent);
	for (int f = 0; f < XS_FORECASTERS; f++)
		if (agent->oracles[f] != NULL)
		{
			product->forecaster = f;
			product->models[f] = allocate(agent->oracles[f]->model_size(agent->world->dim, agent->world->nsegments, prior.pool));
		}
	if (agent->judges)
		product->scores = allocate(sizeof(XsScore) * (size_t) agent->nweeks);
	if (agent->settings->half_life <= 0)
		return;
	product->weeks = allocate(sizeof(Sums) * (size_t) agent->nweeks);
	for (int w = 0; w < agent->nweeks && needs_features; w++)
		product->weeks[w].glm = new_glm(agent);
}

Agent *
agent_create(const Settings *settings, const World *world)
{
	Agent	   *agent = allocate(sizeof(Agent));

	agent->settings = settings;
	agent->world = world;
	agent->strategy = xs_strategy(settings->strategy);
	if (agent->strategy == NULL)
		die("there is no strategy %s", settings->strategy);
	agent->schedule = schedule_named(settings->schedule);
	agent->nweeks = week_of(agent, world->rounds) + 1;
	choose_oracles(agent);
	if (settings->pooling >= 0 && agent->oracles[XS_FORECAST_CONTEXTUAL] != NULL)
		make_pools(agent);
	for (int k = 0; k < world->nproducts; k++)
		make_product(agent, k);
	agent->scratch = allocate(sizeof(double) * (XS_GLM_SUMS((size_t) world->dim) + XS_EXPLORE_SCRATCH(MAX_PRODUCTS)));
	return agent;
}

void
agent_free(Agent *agent)
{
	for (int k = 0; k < agent->world->nproducts; k++)
	{
		Product    *product = &agent->products[k];

		for (int f = 0; f < XS_FORECASTERS; f++)
			free(product->models[f]);
		for (int w = 0; w < agent->nweeks && product->weeks != NULL; w++)
			free(product->weeks[w].glm);
		free(product->weeks);
		free(product->scores);
		free(product->all.glm);
		free(agent->pools[k]);
	}
	free(agent->scratch);
	free(agent);
}

/* ---- evidence ---- */

static void
observe(const Agent *agent, Sums *sums, const Decision *d, double reward, int sign)
{
	check(xs_beta_observe(&sums->beta, reward, 1, sign));
	if (agent->oracles[XS_FORECAST_SEGMENT] != NULL)
		check(xs_beta_observe(&sums->segments[d->segment], reward, 1, sign));
	if (sums->glm != NULL)
		check(xs_glm_observe(sums->glm, d->x, reward, d->predictor, 1, sign));
}

/* All weeks' evidence at its present weight. */
static void
discount(const Agent *agent, Product *product)
{
	XsGlm	   *all = product->all.glm;
	XsGlm	   *scaled = all == NULL ? NULL : new_glm(agent);

	memset(&product->all.beta, 0, sizeof(XsBeta));
	if (all != NULL)
		memcpy(all, scaled, XS_GLM_SIZE(all->dim));
	for (int w = 0; w <= agent->week; w++)
	{
		double		gamma = xs_exp(-0.6931471805599453 * ((agent->week - w) / agent->settings->half_life));
		XsBeta		beta = product->weeks[w].beta;

		check(xs_beta_scale(&beta, gamma));
		check(xs_beta_merge(&product->all.beta, &beta, +1));
		if (all == NULL)
			continue;
		memcpy(scaled, product->weeks[w].glm, XS_GLM_SIZE(all->dim));
		check(xs_glm_scale(scaled, gamma));
		check(xs_glm_merge(all, scaled, +1));
	}
	free(scaled);
}

void
agent_learn(Agent *agent, const Decision *d, double reward, int sign)
{
	Product    *product = &agent->products[d->product];
	int			week = week_of(agent, d->round);

	if (agent->judges)
	{
		check(xs_score_observe(&product->scores[week], d->forecasts, XS_FORECASTERS, reward, 1, sign));
		check(xs_score_observe(&product->score, d->forecasts, XS_FORECASTERS, reward, 1, sign));
	}
	if (product->weeks != NULL)
		observe(agent, &product->weeks[week], d, reward, sign);
	if (product->weeks == NULL || week == agent->week)
		observe(agent, &product->all, d, reward, sign);
	else
		discount(agent, product);
	product->changed = true;
}

static void
begin_week(Agent *agent, int week)
{
	agent->week = week;
	for (int k = 0; k < agent->world->nproducts && agent->settings->half_life > 0; k++)
	{
		discount(agent, &agent->products[k]);
		agent->products[k].changed = true;
	}
}

/* ---- models ---- */

static void
prepare_product(Agent *agent, int k)
{
	Product    *product = &agent->products[k];
	XsPrior		prior = prior_of(agent, k);
	XsEvidence	evidence = {
		.beta = &product->all.beta,.glm = product->all.glm,
		.nsegments = agent->world->nsegments,.segments = product->all.segments
	};

	for (int f = 0; f < XS_FORECASTERS; f++)
		if (agent->oracles[f] != NULL)
			check(agent->oracles[f]->prepare(product->models[f], agent->world->dim, &evidence, &prior, agent->scratch));
	product->beta = product->all.beta;
	product->changed = false;
}

static void
solve_group(Agent *agent, int group)
{
	void	   *models[MAX_PRODUCTS];
	int			n = 0;

	for (int k = 0; k < agent->world->nproducts; k++)
		if (agent->world->group[k] == group)
			models[n++] = agent->products[k].models[XS_FORECAST_CONTEXTUAL];
	check(xs_pool_solve(agent->pools[group], models, n));
	for (int i = 0; i < n; i++)
		xs_pool_adopt(models[i]);
}

/* auto: the step of the ladder that the scores of all products support */
static void
choose_oracle(Agent *agent)
{
	XsScore    *weeks = allocate(sizeof(XsScore) * (size_t) (agent->week + 1));
	double		gain[XS_FORECASTERS];
	int			step;

	for (int w = 0; w <= agent->week; w++)
		for (int k = 0; k < agent->world->nproducts; k++)
			check(xs_score_merge(&weeks[w], &agent->products[k].scores[w], 1));
	step = xs_ladder(weeks, agent->week + 1, gain);
	for (int k = 0; k < agent->world->nproducts; k++)
		agent->products[k].forecaster = step;
	free(weeks);
}

static void
prepare(Agent *agent)
{
	bool		solve[MAX_PRODUCTS] = {false};

	for (int k = 0; k < agent->world->nproducts; k++)
		if (agent->products[k].changed)
		{
			prepare_product(agent, k);
			if (agent->world->group[k] >= 0)
				solve[agent->world->group[k]] = agent->pools[agent->world->group[k]] != NULL;
		}
	for (int g = 0; g < agent->world->nproducts; g++)
		if (solve[g])
			solve_group(agent, g);
	if (agent->is_auto)
		choose_oracle(agent);
}

/* ---- deciding ---- */

/* Decisions learned of these products, or (NULL) of all. */
static double
learned(const Agent *agent, const int *products, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) agent->products[products == NULL ? i : products[i]].beta.n;
	return sum;
}

static XsExploration
exploration_of(const Agent *agent, const int *allowed, int n)
{
	const Settings *s = agent->settings;
	double		successes = 0;
	double		trials = 0;
	double		value = 0;
	double		all = learned(agent, NULL, agent->world->nproducts);
	double		elapsed = agent->schedule == XS_EVIDENCE ? learned(agent, allowed, n) / n : all;
	XsSchedule	epsilon = {agent->schedule, s->epsilon, s->epsilon_end, s->schedule_half};
	XsSchedule	floor = {agent->schedule, s->floor, s->floor_end, s->schedule_half};

	for (int k = 0; k < agent->world->nproducts; k++)
	{
		successes += xs_unfixed(agent->products[k].beta.successes);
		trials += xs_unfixed(agent->products[k].beta.trials);
	}
	for (int i = 0; i < n; i++)
		value += agent->world->value[allowed[i]];
	return (XsExploration)
	{
		.epsilon = xs_scheduled(&epsilon, elapsed),
			.width = s->ucb_width,.scale = s->posterior_scale,.temperature = s->softmax_temperature,
			.gamma = xs_squarecb_gamma(s->squarecb_gamma, all, trials > 0 ? successes / trials * (value / n) : 0),
			.floor = xs_scheduled(&floor, elapsed)
	};
}

/* The product's features; the propensity's column is 0 for products without one. */
static XsInput
input_of(const Agent *agent, const Customer *customer, int k, float *x)
{
	const World *world = agent->world;
	double		s = customer->propensity[k];

	memcpy(x, customer->x, sizeof(float) * (size_t) world->dim);
	if (world->has_propensity)
		x[world->dim - 1] = world->uses_propensity[k]
			? (float) xs_propensity_feature(s == s ? s : agent->settings->neutral_rate) : 0;
	return (XsInput) {.x = x,.propensity = s,.segment = customer->segment};
}

static void
note_forecasts(const Agent *agent, const XsInput *in, Decision *d)
{
	XsPrediction prediction;

	d->forecasts[XS_FORECAST_PRIOR] = (float) (agent->world->uses_propensity[d->product] ? in->propensity
											   : agent->settings->neutral_rate);
	for (int f = XS_FORECAST_GLOBAL; f < XS_FORECASTERS; f++)
	{
		d->forecasts[f] = (float) XS_NAN;
		if (agent->oracles[f] == NULL)
			continue;
		agent->oracles[f]->predict(agent->products[d->product].models[f], in, &prediction);
		d->forecasts[f] = (float) prediction.rate;
	}
}

void
agent_decide(Agent *agent, uint64_t seed, int round, const Customer *customer, double *q, Decision *d)
{
	const World *world = agent->world;
	int			allowed[MAX_PRODUCTS];
	XsArm		arms[MAX_PRODUCTS];
	double		p[MAX_PRODUCTS];
	XsExploration how;
	XsInput		in;
	int			n = 0;
	int			drawn;

	if (week_of(agent, round) != agent->week)
		begin_week(agent, week_of(agent, round));
	if (round % (int) agent->settings->learn_every == 0)
		prepare(agent);
	for (int k = 0; k < world->nproducts; k++)
	{
		const Product *product = &agent->products[k];

		q[k] = 0;
		if (round < world->arrives[k])
			continue;
		in = input_of(agent, customer, k, d->x);
		agent->oracles[product->forecaster]->predict(product->models[product->forecaster], &in, &arms[n].prediction);
		arms[n].value = world->value[k];
		arms[n].cost = 0;
		allowed[n++] = k;
	}
	how = exploration_of(agent, allowed, n);
	xs_explore(agent->strategy, &how, arms, n, p, agent->scratch);
	drawn = xs_draw(p, n, xs_uniform(seed, (uint64_t) round, STREAM_DRAW));
	for (int i = 0; i < n; i++)
		q[allowed[i]] = p[i];
	d->round = round;
	d->product = allowed[drawn];
	d->segment = customer->segment;
	d->predictor = arms[drawn].prediction.mean;
	in = input_of(agent, customer, d->product, d->x);
	if (agent->judges)
		note_forecasts(agent, &in, d);
}
