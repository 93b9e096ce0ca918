/*
 * arithmetic.c: the bare arithmetic of a decision, without a server.
 *
 *   arithmetic decision   microseconds of one decision: 20 arms, 32 features,
 *                         Thompson probabilities, the draw; one number
 *   arithmetic            a table for 8, 32, 128 features and 5, 20, 100 arms
 *
 * The floor of a column is a plain loop of as many multiplications and additions
 * over as many doubles: d^3/3 to prepare an arm (Cholesky and the inverse factor),
 * d^2/2 + d to score it; for Thompson log Phi of every arm at
 * 48 nodes, the fewest that are taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/math/random.h"
#include "../src/math/special.h"
#include "../src/model/explore.h"

enum
{
	MOST_DIM = 128, MOST_ARMS = 100
};

static const XsPrior prior = {.neutral_rate = 0.05,.strength = 20,.precision = 5,
.intercept_precision = 1,.slope_precision = 1,.trust = 1};
static const XsExploration how = {.scale = 0.25,.floor = 0.02};

static double scratch[XS_GLM_SUMS(MOST_DIM) + XS_EXPLORE_SCRATCH(MOST_ARMS)];
static void *models[MOST_ARMS];
static XsArm arms[MOST_ARMS];
static double q[MOST_ARMS];
static volatile double sink;

static double
now(void)
{
	return (double) clock() / CLOCKS_PER_SEC * 1e6;
}

static void
features(float *x, int dim, int round)
{
	for (int i = 0; i < dim; i++)
		x[i] = (float) ((round * 7 + i * 13) % 17) / 8 - 1;
	x[0] = 1;
}

/* Evidence of 500 decisions, with some conversions. */
static XsGlm *
evidence_of(int dim)
{
	XsGlm	   *glm = calloc(1, XS_GLM_SIZE(dim));
	float		x[MOST_DIM];

	glm->dim = dim;
	glm->link = XS_LOGIT;
	for (int i = 0; i < 500; i++)
	{
		features(x, dim, i);
		if (xs_glm_observe(glm, x, i % 19 == 0, -3.0, 1, 1) != XS_OK)
			exit(1);
	}
	return glm;
}

static double
prepare_all(const XsGlm *glm, int dim, int n, int times)
{
	const XsOracle *oracle = xs_oracle("logistic");
	XsEvidence	evidence = {.glm = glm};
	double		start = now();

	for (int t = 0; t < times; t++)
		for (int k = 0; k < n; k++)
			if (oracle->prepare(models[k], dim, &evidence, &prior, scratch) != XS_OK)
				exit(1);
	return (now() - start) / times / n;
}

static double
score(int dim, int n, int times)
{
	const XsOracle *oracle = xs_oracle("logistic");
	float		x[MOST_DIM];
	double		start = now();

	for (int t = 0; t < times; t++)
	{
		features(x, dim, t);
		for (int k = 0; k < n; k++)
		{
			x[1] = (float) k / (float) n;	/* arms differ in a column */
			oracle->predict(models[k], &(XsInput) {.x = x,.propensity = 0.05,.segment = -1}, &arms[k].prediction);
			arms[k].value = 1;
			arms[k].cost = 0;
		}
	}
	return (now() - start) / times;
}

static double
explore(int n, int times)
{
	double		start = now();

	for (int t = 0; t < times; t++)
	{
		xs_explore(xs_strategy("thompson"), &how, arms, n, q, scratch);
		sink = (double) xs_draw(q, n, xs_uniform(1, (uint64_t) t, 0));
	}
	return (now() - start) / times;
}

/* Microseconds of a plain loop of so many multiplications and additions. */
static double
plain(double operations)
{
	static double a[4096];
	static double b[4096];
	int			times = (int) (2e7 / 4096);
	double		start;

	for (int i = 0; i < 4096; i++)
		a[i] = b[i] = sink + i;	/* unknown to the compiler */
	start = now();
	for (int t = 0; t < times; t++)
	{
		double		sum[4] = {0, 0, 0, 0};

		a[t % 4096] += 1;
		for (int i = 0; i < 4096; i += 4)
			for (int l = 0; l < 4; l++)
				sum[l] += a[i + l] * b[i + l];
		sink = sum[0] + sum[1] + sum[2] + sum[3];
	}
	return (now() - start) / times / 4096 * operations;
}

/* Microseconds of log Phi of n scores at 48 nodes. */
static double
log_cdfs(int n)
{
	static double t[MOST_ARMS];
	static double hazard[MOST_ARMS];
	int			times = 200000 / n;
	double		start = now();

	for (int i = 0; i < times; i++)
		for (int node = 0; node < 48; node++)
		{
			for (int k = 0; k < n; k++)
				t[k] = node * 0.2 - 4 + k * 0.01;
			sink = xs_log_norm_cdf_sum(t, n, hazard);
		}
	return (now() - start) / times;
}

int
main(int argc, char **argv)
{
	static const int dims[] = {8, 32, 128};
	static const int counts[] = {5, 20, 100};

	for (int k = 0; k < MOST_ARMS; k++)
		models[k] = malloc(xs_oracle("logistic")->model_size(MOST_DIM, 0, NULL));
	if (argc > 1 && strcmp(argv[1], "decision") == 0)
	{
		prepare_all(NULL, 32, 20, 1);
		printf("%.3f\n", score(32, 20, 20000) + explore(20, 20000));
		return 0;
	}
	printf("microseconds (floor)\n%9s %5s %18s %18s %18s\n", "features", "arms", "prepare one arm", "score all", "Thompson, draw");
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
		{
			int			d = dims[i];
			int			n = counts[j];
			XsGlm	   *glm = evidence_of(d);
			double		p = prepare_all(glm, d, n, 200000 / (d * d * n) + 1);
			double		s = score(d, n, 20000000 / (d * d * n) + 1);
			double		e = explore(n, 20000 / n);

			printf("%9d %5d %9.2f (%6.2f) %9.2f (%6.2f) %9.2f (%6.2f)\n", d, n, p, plain(d * (double) d * d / 3),
				   s, plain(n * (d * (double) d / 2 + d)), e, log_cdfs(n));
			free(glm);
		}
	return 0;
}
