/*
 * arithmetic.c: the bare arithmetic of decisions, without a server.
 *
 *   arithmetic decision   microseconds of one decision: 20 arms, 32 features,
 *                         Thompson probabilities, the draw; one number
 *   arithmetic [width]    a table for 8, 32, 128 features and 5, 20, 100 arms;
 *                         width: of vectors, at most, 2, 4 or 8 numbers
 *
 * In brackets the floors, from rates measured in vectors of that width, in loops that
 * do nothing else:
 *
 *   prepare    d^3/3 multiply-adds (Cholesky and the inverse factor) and d square roots and
 *              divisions, of which each waits for the one before
 *   score      (d^2 + 3d)/2 multiply-adds per arm, or reading the arms' models,
 *              whichever takes longer
 *   Thompson   Phi and phi/Phi of every arm at the nodes of one panel, the fewest
 *              that are taken
 *   decision   the last two
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/math/lanes.h"
#include "../src/math/random.h"
#include "../src/math/special.h"
#include "../src/model/explore.h"

#define KERNELS "../../bench/floor_kernels.h"
#include "../src/math/lanes_each.h"

enum
{
	MOST_DIM = 128, MOST_ARMS = 100, NODES = 40, CUSTOMERS = 16
};

typedef struct Bench
{
	int			dim;
	int			narms;
	XsGlm	   *glm;
	char	   *models;
	size_t		model_size;
	float		x[CUSTOMERS][MOST_DIM];
	XsArm		arms[CUSTOMERS][MOST_ARMS];
	XsArm		mixed[CUSTOMERS][MOST_ARMS];
	double		q[MOST_ARMS];
	double		scratch[XS_GLM_SUMS(MOST_DIM) + XS_EXPLORE_SCRATCH(MOST_ARMS)];
} Bench;

static volatile double sink;
static const XsOracle *oracle;
static const XsStrategy *strategy;
static const XsExploration how = {.scale = 0.5,.floor = 0.02};

static double
uniform(void)
{
	static uint64_t counter = 0;

	return xs_uniform(5, counter++, 0);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Microseconds of one call, the best of many short runs: others use the machine too. */
static double
microseconds(void (*call) (Bench *b, int i), Bench *b)
{
	double		best = 1e9;
	int			calls = 1;
	int			run;
	int			i;

	for (run = 0; run < 40; run++)
	{
		double		start = seconds();
		double		took;

		for (i = 0; i < calls; i++)
			call(b, i % CUSTOMERS);
		took = seconds() - start;
		if (took < 1e-3 && calls < 1 << 20)
		{
			calls *= 2;
			run = -1;
			continue;
		}
		if (took / calls < best)
			best = took / calls;
	}
	return best * 1e6;
}

static void
prepare(Bench *b, int i)
{
	XsPrior		prior = {.neutral_rate = 0.05,.strength = 20,.precision = 5,
	.intercept_precision = 1,.slope_precision = 1,.trust = 1};
	XsEvidence	evidence = {.glm = b->glm};

	if (oracle->prepare(b->models + (size_t) i * b->model_size, b->dim, &evidence, &prior, b->scratch) != XS_OK)
		exit(1);
}

/* As in a decision all but the last columns are the customer's. */
static void
score(Bench *b, int i)
{
	float	   *x = b->x[i];
	int			k;

	for (k = 0; k < b->narms; k++)
	{
		XsInput		in = {x, 0.05, -1};

		x[b->dim - 1] = (float) k / MOST_ARMS;
		oracle->predict(b->models + (size_t) k * b->model_size, &in, &b->arms[i][k].prediction);
	}
}

static void
thompson(Bench *b, int i)
{
	xs_explore(strategy, &how, b->arms[i], b->narms, b->q, b->scratch);
}

/* Unequal values, widths 100 times apart */
static void
thompson_mixed(Bench *b, int i)
{
	xs_explore(strategy, &how, b->mixed[i], b->narms, b->q, b->scratch);
}

static void
decide(Bench *b, int i)
{
	score(b, i);
	thompson(b, i);
	sink = xs_draw(b->q, b->narms, xs_uniform(1, (uint64_t) i, 0));
}

static void
multiply_adds(Bench *b, int i)
{
	(void) b;
	(void) i;
	sink = XS_WIDEST(multiply_add)(1000);
}

static void
pivots(Bench *b, int i)
{
	double		pivot = 2.0;

	(void) b;
	for (int k = 0; k < 1000; k++)
		pivot = 3.0 - 1.0 / __builtin_sqrt(pivot + i);
	sink = pivot;
}

static void
stream(Bench *b, int i)
{
	(void) i;
	sink = XS_WIDEST(stream)((double *) b->models, (int) (b->model_size / sizeof(double)) * b->narms);
}

static void
norm_cdfs(Bench *b, int i)
{
	static double t[CUSTOMERS][1000];

	(void) b;
	if (t[i][0] == 0.0)
		for (int k = 0; k < 1000; k++)
			t[i][k] = 8.0 * uniform() - 3.0;
	sink = XS_WIDEST(norm_cdfs)(t[i], 1000);
}

static void
fill(Bench *b, int dim)
{
	float		row[MOST_DIM];
	int			i;
	int			k;

	b->dim = dim;
	b->narms = MOST_ARMS;
	b->glm = calloc(1, XS_GLM_SIZE(dim));
	b->glm->dim = dim;
	b->glm->link = XS_LOGIT;
	for (k = 0; k < 4 * dim; k++)
	{
		for (i = 0; i < dim; i++)
			row[i] = i == 0 ? 1.0f : (float) (4.0 * uniform() - 2.0);
		xs_glm_observe(b->glm, row, uniform() < 0.1, -2.5, 1.0, 1);
	}
	b->model_size = (oracle->model_size(dim, 0, NULL) + 7) / 8 * 8;
	b->models = malloc(b->model_size * MOST_ARMS);
	for (k = 0; k < MOST_ARMS; k++)
		prepare(b, k);
	for (i = 0; i < CUSTOMERS; i++)
	{
		for (k = 0; k < dim; k++)
			b->x[i][k] = k == 0 ? 1.0f : (float) (2.0 * uniform() - 1.0);
		score(b, i);
		for (k = 0; k < MOST_ARMS; k++)
		{
			double		sd = k % 2 ? 0.01 : 1.0;

			b->arms[i][k].value = 1.0;
			b->mixed[i][k] = (XsArm) {{2.0 * uniform() - 4.0, sd * sd, 0.05}, 5.0 + 45.0 * uniform(), 0.1 * uniform()};
			/* arms that differ, as they do after a while */
			b->arms[i][k].prediction.mean += uniform() - 0.5;
		}
	}
}

static void
show(double took, double least)
{
	printf(" %8.2f (%6.2f)", took, least);
}

/* One row of the table; times in microseconds of a multiply-add, a pivot, a Phi */
static void
row(Bench *b, int narms, double multiply_add, double pivot, double norm_cdf)
{
	double		d = b->dim;
	double		prepare_floor = d * d * d / 3 * multiply_add + d * pivot;
	double		score_floor = narms * d * (d + 3) / 2 * multiply_add;
	double		thompson_floor = narms * NODES * norm_cdf;
	double		reading;

	b->narms = narms;
	reading = microseconds(stream, b);
	if (reading > score_floor)
		score_floor = reading;
	printf("%8d %4d", b->dim, narms);
	show(microseconds(prepare, b), prepare_floor);
	show(microseconds(score, b), score_floor);
	show(microseconds(thompson, b), thompson_floor);
	show(microseconds(thompson_mixed, b), thompson_floor);
	show(microseconds(decide, b), score_floor + thompson_floor);
	printf("\n");
}

int
main(int argc, char **argv)
{
	static const int dims[] = {8, 32, 128};
	static const int numbers[] = {5, 20, 100};
	static Bench b;
	double		multiply_add;
	double		norm_cdf;
	double		pivot;

	oracle = xs_oracle("logistic");
	strategy = xs_strategy("thompson");
	if (argc > 1 && strcmp(argv[1], "decision") == 0)
	{
		fill(&b, 32);
		b.narms = 20;
		printf("%.3f\n", microseconds(decide, &b));
		return 0;
	}
	if (argc > 1)
		xs_lanes_limit(atoi(argv[1]));
	multiply_add = microseconds(multiply_adds, NULL) / 64000;
	norm_cdf = microseconds(norm_cdfs, NULL) / 1000;
	pivot = microseconds(pivots, NULL) / 1000;
	printf("microseconds (floor)\nvectors of %d; a nanosecond has %.1f multiply-adds, %.2f Phi\n", xs_lanes(),
		   1e-3 / multiply_add, 1e-3 / norm_cdf);
	printf("%8s %4s %17s %17s %17s %17s %17s\n", "features", "arms", "prepare one arm", "score all", "Thompson",
		   "uneven Thompson", "decision");
	for (int i = 0; i < 3; i++)
	{
		fill(&b, dims[i]);
		for (int j = 0; j < 3; j++)
			row(&b, numbers[j], multiply_add, pivot, norm_cdf);
		free(b.glm);
		free(b.models);
	}
	return 0;
}
