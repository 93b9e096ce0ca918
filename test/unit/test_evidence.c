/*
 * test_evidence.c: evidence is exact, whatever the order, and says when it cannot be.
 */
#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../../src/model/evidence.h"
#include "unit.h"

enum
{
	DIM = 7, ROWS = 500
};

typedef struct Row
{
	float		x[DIM];
	double		reward;
	double		predictor;
	double		weight;
} Row;

static Row	rows[ROWS];

static double
between(double low, double high)
{
	static uint64_t counter = 0;

	return low + (high - low) * xs_uniform(1, counter++, 0);
}

static void
fill_rows(void)
{
	int			i,
				j;

	for (i = 0; i < ROWS; i++)
	{
		rows[i].x[0] = 1.0f;
		for (j = 1; j < DIM; j++)
			rows[i].x[j] = (float) between(-8.0, 8.0);
		rows[i].reward = between(0.0, 1.0);
		rows[i].predictor = between(-20.0, 20.0);
		rows[i].weight = between(0.01, 1000.0);
	}
}

static XsGlm *
new_glm(int dim, XsLink link)
{
	XsGlm	   *glm = calloc(1, XS_GLM_SIZE(dim));

	glm->dim = dim;
	glm->link = link;
	return glm;
}

static XsStatus
observe(XsGlm *glm, const Row *row, int sign)
{
	return xs_glm_observe(glm, row->x, row->reward, row->predictor, row->weight, sign);
}

static int
equal(const XsGlm *a, const XsGlm *b)
{
	return memcmp(a, b, XS_GLM_SIZE(a->dim)) == 0;
}

static void
test_fixed(void)
{
	int64_t		f;
	int64_t		sum;

	CHECK(xs_fixed(1.0, &f) == XS_OK && f == 1 << 24, "1");
	CHECK(xs_fixed(0.5 * 0x1p-24, &f) == XS_OK && f == 0 && xs_fixed(1.5 * 0x1p-24, &f) == XS_OK &&
		  f == 2 && xs_fixed(-2.5 * 0x1p-24, &f) == XS_OK && f == -2, "ties to even");
	CHECK(xs_fixed((0x1p51 + 0.5) * 0x1p-24, &f) == XS_OK && f == INT64_C(1) << 51, "ties of large numbers");
	CHECK(xs_fixed(0x1p39 - 0x1p-14, &f) == XS_OK && f == INT64_MAX - 1023 &&
		  xs_fixed(-0x1p39, &f) == XS_OK && f == INT64_MIN, "the ends of the range");
	CHECK(xs_fixed(0x1p39, &f) == XS_RANGE && xs_fixed(-0x1.0000001p39, &f) == XS_RANGE &&
		  xs_fixed(NAN, &f) == XS_RANGE && xs_fixed(INFINITY, &f) == XS_RANGE &&
		  xs_fixed(-INFINITY, &f) == XS_RANGE, "beyond them");
	CHECK(xs_unfixed(-(INT64_C(3) << 23)) == -1.5, "and back");
	sum = INT64_MAX - 1;
	CHECK(xs_accumulate(&sum, 1, 1) == XS_OK && xs_accumulate(&sum, 1, 1) == XS_OVERFLOW &&
		  sum == INT64_MAX, "overflow leaves the sum alone");
	sum = 0;
	CHECK(xs_accumulate(&sum, INT64_MIN, -1) == XS_OVERFLOW && sum == 0 &&
		  xs_accumulate(&sum, INT64_MIN, 1) == XS_OK && sum == INT64_MIN &&
		  xs_accumulate(&sum, INT64_MIN, -1) == XS_OK && sum == 0, "the most negative term");
}

/* The documented formulas, entry by entry. */
static void
test_formula(XsLink link)
{
	XsGlm	   *glm = new_glm(DIM, link);
	const Row  *row = &rows[3];
	double		p = xs_expit(row->predictor);
	double		w = link == XS_LOGIT ? row->weight * (p * xs_expit(-row->predictor)) : row->weight;
	double		shift = link == XS_LOGIT ? w * row->predictor + row->weight * (row->reward - p) :
		row->weight * row->reward;
	int			good = observe(glm, row, 1) == XS_OK;
	int			i,
				j;

	for (i = 0; i < DIM; i++)
	{
		good &= glm->sums[i] == (int64_t) rint(0x1p24 * (row->x[i] * shift));
		for (j = 0; j <= i; j++)
			good &= glm->sums[DIM + XS_PACKED_INDEX(i, j)] ==
				(int64_t) rint(0x1p24 * (w * ((double) row->x[i] * row->x[j])));
	}
	CHECK(good, link == XS_LOGIT ? "formula, logit" : "formula, identity");
	CHECK(glm->n == 1 && glm->trials == (int64_t) rint(0x1p24 * row->weight) &&
		  glm->successes == (int64_t) rint(0x1p24 * (row->weight * row->reward)), "n, trials, successes");
	free(glm);
}

/* Forward, backward, strided, in two shards, with noise added and taken away. */
static void
test_orders(XsLink link)
{
	XsGlm	   *forward = new_glm(DIM, link);
	XsGlm	   *other = new_glm(DIM, link);
	XsGlm	   *shard[2] = {new_glm(DIM, link), new_glm(DIM, link)};
	XsGlm	   *empty = new_glm(DIM, link);
	int			status = 0;
	int			i;

	for (i = 0; i < ROWS; i++)
	{
		status |= observe(forward, &rows[i], 1);
		status |= observe(shard[(i * 7 + i / 3) % 2], &rows[i], 1);
	}
	for (i = 0; i < ROWS; i++)
		status |= observe(other, &rows[i * 201 % ROWS], 1);
	CHECK(status == XS_OK && equal(forward, other), "a permutation");
	status |= xs_glm_merge(shard[0], shard[1], 1);
	CHECK(status == XS_OK && equal(forward, shard[0]), "two shards merged");
	status |= xs_glm_merge(shard[0], shard[1], -1);
	status |= xs_glm_merge(shard[0], shard[1], 1);
	CHECK(status == XS_OK && equal(forward, shard[0]), "a shard removed and merged again");
	for (i = 0; i < ROWS; i++)
		status |= observe(other, &rows[i], -1);
	CHECK(status == XS_OK && equal(other, empty), "all removed: nothing left");

	/* a late conversion: the zero is replaced, the precision stays */
	rows[0].reward = 0.0;
	status |= observe(other, &rows[0], 1);
	status |= observe(other, &rows[0], -1);
	rows[0].reward = 1.0;
	status |= observe(other, &rows[0], 1);
	status |= observe(empty, &rows[0], 1);
	CHECK(status == XS_OK && equal(other, empty), "a zero replaced by a conversion");
	free(forward);
	free(other);
	free(shard[0]);
	free(shard[1]);
	free(empty);
}

static void
test_bad_rows(XsLink link)
{
	static const double odd[] = {-8.001, 8.001, NAN, INFINITY, -INFINITY};
	XsGlm	   *glm = new_glm(DIM, link);
	XsGlm	   *empty = new_glm(DIM, link);
	int			good = 1;
	int			i;

	for (i = 0; i < 5; i++)
	{
		Row			row = rows[1];

		row.x[DIM - 1] = (float) odd[i];
		good &= observe(glm, &row, 1) == XS_RANGE;
		row = rows[1];
		row.reward = i < 2 ? odd[i] * 1000.0 : odd[i];
		good &= observe(glm, &row, 1) == XS_RANGE;
		row = rows[1];
		row.predictor = i < 2 ? odd[i] * 1000.0 : odd[i];
		good &= observe(glm, &row, 1) == XS_RANGE;
		row = rows[1];
		row.weight = i == 1 ? 1024.5 : odd[i];
		good &= observe(glm, &row, 1) == XS_RANGE;
		row.weight = 0.0;
		good &= observe(glm, &row, 1) == XS_RANGE;
	}
	CHECK(good && equal(glm, empty), "values out of range are refused, and nothing is learned");
	free(glm);
	free(empty);
}

static void
test_bad_states(void)
{
	XsGlm	   *glm = new_glm(DIM, XS_LOGIT);
	XsGlm	   *smaller = new_glm(DIM - 1, XS_LOGIT);
	XsGlm	   *identity = new_glm(DIM, XS_IDENTITY);
	int			i;
	int			good = 1;

	rows[2].predictor = 0.0;	/* so that no term is 0 */
	CHECK(xs_glm_merge(glm, smaller, 1) == XS_DIMENSION && xs_glm_merge(glm, identity, 1) == XS_DIMENSION,
		  "other dimension, other link");
	for (i = 0; i < XS_GLM_SUMS(DIM); i++)
	{
		memset(glm->sums, 0, sizeof(int64_t) * XS_GLM_SUMS(DIM));
		glm->sums[i] = INT64_MAX;
		if (observe(glm, &rows[2], 1) == XS_OVERFLOW)
			continue;
		/* the term was negative: it must be its removal that does not fit */
		glm->sums[i] = INT64_MAX;
		good &= observe(glm, &rows[2], -1) == XS_OVERFLOW;
	}
	CHECK(good, "overflow of any sum is noticed");
	memset(glm->sums, 0, sizeof(int64_t) * XS_GLM_SUMS(DIM));
	glm->n = INT64_MAX;
	CHECK(observe(glm, &rows[2], 1) == XS_OVERFLOW, "overflow of the count");
	glm->n = 0;
	glm->dim = 0;
	CHECK(observe(glm, &rows[2], 1) == XS_DIMENSION, "no dimension");
	glm->dim = DIM;
	smaller->sums[5] = INT64_MAX;
	identity->dim = DIM - 1;
	identity->link = XS_LOGIT;
	identity->sums[5] = 1;
	CHECK(xs_glm_merge(smaller, identity, 1) == XS_OVERFLOW, "overflow of a merge");
	free(glm);
	free(smaller);
	free(identity);
}

/* The largest terms that the bounds allow: the fast rounding must hold them. */
static void
test_largest(void)
{
	float		x[1] = {8.0f};
	XsGlm	   *glm = new_glm(1, XS_IDENTITY);

	CHECK(xs_glm_observe(glm, x, -1000.0, 1000.0, 1024.0, 1) == XS_OK &&
		  glm->sums[0] == -(INT64_C(8192000) << 24) && glm->sums[1] == INT64_C(65536) << 24,
		  "the largest observation");
	glm->link = XS_LOGIT;
	memset(glm->sums, 0, 2 * sizeof(int64_t));
	CHECK(xs_glm_observe(glm, x, 1.0, -1000.0, 1024.0, 1) == XS_OK &&
		  glm->sums[0] == INT64_C(8192) << 24 && glm->sums[1] == 0, "the most surprising conversion");
	free(glm);
}

static void
test_beta(void)
{
	XsBeta		a = {0};
	XsBeta		b = {0};
	XsBeta		empty = {0};
	int			status = 0;
	int			i;

	for (i = 0; i < ROWS; i++)
	{
		status |= xs_beta_observe(i % 3 ? &a : &b, rows[i].reward, rows[i].weight, 1);
		status |= xs_beta_observe(&empty, rows[ROWS - 1 - i].reward, rows[ROWS - 1 - i].weight, 1);
	}
	status |= xs_beta_merge(&a, &b, 1);
	CHECK(status == XS_OK && memcmp(&a, &empty, sizeof(a)) == 0, "beta: order and shards");
	for (i = 0; i < ROWS; i++)
		status |= xs_beta_observe(&a, rows[i].reward, rows[i].weight, -1);
	CHECK(status == XS_OK && a.n == 0 && a.trials == 0 && a.successes == 0, "beta: all removed");
	CHECK(xs_beta_observe(&a, 1.0001, 1.0, 1) == XS_RANGE && xs_beta_observe(&a, -0.1, 1.0, 1) == XS_RANGE &&
		  xs_beta_observe(&a, NAN, 1.0, 1) == XS_RANGE && xs_beta_observe(&a, 0.5, 0.0, 1) == XS_RANGE &&
		  xs_beta_observe(&a, 0.5, 1025.0, 1) == XS_RANGE && xs_beta_observe(&a, 0.5, NAN, 1) == XS_RANGE &&
		  a.n == 0, "beta: out of range");
	a.trials = INT64_MAX;
	CHECK(xs_beta_observe(&a, 0.5, 1.0, 1) == XS_OVERFLOW, "beta: overflow");
}

int
main(int argc, char **argv)
{
	int			link;

	begin(argc, argv);
	fill_rows();
	test_fixed();
	for (link = XS_IDENTITY; link <= XS_LOGIT; link++)
	{
		test_formula(link);
		test_orders(link);
		test_bad_rows(link);
	}
	test_bad_states();
	test_largest();
	test_beta();
	return done();
}
