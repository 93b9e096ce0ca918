/*
 * test_pool.c: pooled products against the joint normal distribution of all
 * their coefficients, written down densely and solved in long double.
 *
 * The joint unknowns are h and the coefficients w_k themselves, in the units of
 * the rewards: another parametrisation than pool.c's.
 */
#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../../src/model/pool.h"
#include "unit.h"

enum
{
	ARMS = 5, NONE = 2,			/* the arm without evidence */
	DIM = 7, WIDE = 40,
	UNKNOWNS = WIDE * (ARMS + 1)
};

static double
uniform(void)
{
	static uint64_t counter = 0;

	return xs_uniform(11, counter++, 0);
}

/* A group of products in one case of the tests. */
typedef struct Group
{
	const XsOracle *oracle;
	int			dim;
	XsPrior		prior[ARMS];
	XsGlm	   *glm[ARMS];
	XsBeta		beta[ARMS];
	double		share[XS_MAX_DIM];
	XsPool	   *pool;			/* the ones below are made by solve() */
	void	   *model[ARMS];
	double	   *scratch;
} Group;

static void
random_x(float *x, int dim)
{
	int			i;

	x[0] = 1.0f;
	for (i = 1; i < dim; i++)
		x[i] = (float) (3.0 * uniform() - 1.5);
}

/* More rewards in a product with a higher number: unlike noises. */
static void
observe(Group *g, int k, int rows)
{
	float		x[XS_MAX_DIM];
	int			i;

	for (i = 0; i < rows; i++)
	{
		double		reward = uniform() < 0.05 + 0.1 * k;

		random_x(x, g->dim);
		xs_glm_observe(g->glm[k], x, reward, 3.0 * uniform() - 3.0, 1.0, 1);
		xs_beta_observe(&g->beta[k], reward, 1.0, 1);
	}
}

static Group *
new_group(const char *oracle, int dim)
{
	Group	   *g = calloc(1, sizeof(Group));
	int			k;

	g->oracle = xs_oracle(oracle);
	g->dim = dim;
	g->scratch = malloc(sizeof(double) * XS_GLM_SUMS(dim));
	for (k = 0; k < ARMS; k++)
	{
		XsPrior		prior = {.neutral_rate = 0.05 + 0.02 * k,.strength = 20,.precision = 5,
		.intercept_precision = 1,.slope_precision = 2,.has_propensity = 1,.uses_propensity = k % 2};

		g->prior[k] = prior;
		g->glm[k] = calloc(1, XS_GLM_SIZE(dim));
		g->glm[k]->dim = dim;
		g->glm[k]->link = strcmp(oracle, "linear") == 0 ? XS_IDENTITY : XS_LOGIT;
		if (k != NONE)
			observe(g, k, 10 + 40 * k);
	}
	return g;
}

static void
free_solution(Group *g)
{
	int			k;

	free(g->pool);
	g->pool = NULL;
	for (k = 0; k < ARMS; k++)
	{
		free(g->model[k]);
		g->model[k] = NULL;
	}
}

static void
free_group(Group *g)
{
	int			k;

	free_solution(g);
	for (k = 0; k < ARMS; k++)
		free(g->glm[k]);
	free(g->scratch);
	free(g);
}

static XsStatus
prepare(Group *g, int k)
{
	XsEvidence	evidence = {&g->beta[k], k == NONE ? NULL : g->glm[k], 0, NULL};

	g->prior[k].pool = g->pool;
	if (!g->model[k])
		g->model[k] = malloc(g->oracle->model_size(g->dim, 0, g->pool));
	return g->oracle->prepare(g->model[k], g->dim, &evidence, &g->prior[k], g->scratch);
}

static int
solve_and_adopt(Group *g)
{
	int			good = xs_pool_solve(g->pool, g->model, ARMS) == XS_OK;
	int			k;

	for (k = 0; k < ARMS; k++)
		xs_pool_adopt(g->model[k]);
	return good;
}

/* From scratch, with g->share. */
static int
solve(Group *g)
{
	int			good;
	int			k;

	free_solution(g);
	g->pool = malloc(xs_pool_size(g->dim, g->share));
	good = xs_pool_init(g->pool, g->dim, &g->prior[0], g->share) == XS_OK;
	for (k = 0; k < ARMS; k++)
		good &= prepare(g, k) == XS_OK;
	return good && solve_and_adopt(g);
}

static void
share_columns(Group *g, int first, int step, double share)
{
	int			i;

	memset(g->share, 0, sizeof(g->share));
	for (i = first; i < g->dim; i += step)
		g->share[i] = share;
}

/* The joint distribution: h at 0, product k's coefficients at (k + 1) * dim. */
typedef struct Joint
{
	int			n;
	long double mean[UNKNOWNS];
	long double factor[UNKNOWNS][UNKNOWNS]; /* Cholesky, lower */
} Joint;

static void
cholesky(long double a[UNKNOWNS][UNKNOWNS], int n)
{
	int			i,
				j,
				k;

	for (i = 0; i < n; i++)
		for (j = 0; j <= i; j++)
		{
			long double sum = a[i][j];

			for (k = 0; k < j; k++)
				sum -= a[i][k] * a[j][k];
			a[i][j] = i == j ? sqrtl(sum) : sum / a[j][j];
		}
}

static void
forward(const Joint *joint, long double *x)
{
	int			i,
				j;

	for (i = 0; i < joint->n; i++)
	{
		for (j = 0; j < i; j++)
			x[i] -= joint->factor[i][j] * x[j];
		x[i] /= joint->factor[i][i];
	}
}

static void
backward(const Joint *joint, long double *x)
{
	int			i,
				j;

	for (i = joint->n - 1; i >= 0; i--)
	{
		for (j = i + 1; j < joint->n; j++)
			x[i] -= joint->factor[j][i] * x[j];
		x[i] /= joint->factor[i][i];
	}
}

static long double
prior_mean(const Group *g, int k, int column)
{
	long double rate = g->prior[k].neutral_rate;
	int			identity = g->glm[k]->link == XS_IDENTITY;
	long double logit = logl(rate / (1 - rate));
	long double slope = !g->prior[k].uses_propensity ? 0 : identity ? rate * (1 - rate) : 1;

	if (column == g->dim - 1)
		return slope;
	if (column > 0)
		return 0;
	return (identity ? rate : logit) - slope * (logit - logl(0.05L / 0.95L));
}

static long double
prior_precision(const Group *g, int column)
{
	return column == 0 ? 1 : column == g->dim - 1 ? 2 : 5;
}

static long double
noise(const Group *g, int k)
{
	long double rate = g->prior[k].neutral_rate;

	if (g->glm[k]->link == XS_LOGIT)
		return 1;
	rate = (ldexpl(g->beta[k].successes, -24) + 20 * rate) / (ldexpl(g->beta[k].trials, -24) + 20);
	return rate * (1 - rate);
}

/* With an own part of precision D and noise s^2: w | h ~ N(mu + s h, s^2 / D), h ~ N(0, share / precision). */
static void
add_prior(Joint *joint, const Group *g, long double *shift)
{
	int			i,
				k;

	for (i = 0; i < g->dim; i++)
	{
		long double precision = prior_precision(g, i);
		long double own = precision / (1.0L - g->share[i]);

		/* a column that is not pooled has an h that touches nothing */
		joint->factor[i][i] += g->share[i] > 0 ? precision / g->share[i] : 1.0L;
		for (k = 0; k < ARMS; k++)
		{
			int			at = (k + 1) * g->dim + i;
			long double s = sqrtl(noise(g, k));
			long double mean = prior_mean(g, k, i);

			joint->factor[at][at] += own / (s * s);
			shift[at] += own / (s * s) * mean;
			if (g->share[i] > 0)
			{
				joint->factor[i][i] += own;
				joint->factor[at][i] -= own / s;
				shift[i] -= own / s * mean;
			}
		}
	}
}

static void
add_evidence(Joint *joint, const Group *g, long double *shift)
{
	int			i,
				j,
				k;

	for (k = 0; k < ARMS; k++)
		for (i = 0; i < g->dim; i++)
		{
			int			at = (k + 1) * g->dim;

			shift[at + i] += ldexpl(g->glm[k]->sums[i], -24) / noise(g, k);
			for (j = 0; j <= i; j++)
				joint->factor[at + i][at + j] +=
					ldexpl(g->glm[k]->sums[g->dim + XS_PACKED_INDEX(i, j)], -24) / noise(g, k);
		}
}

static Joint *
joint_of(const Group *g)
{
	Joint	   *joint = calloc(1, sizeof(Joint));

	joint->n = (ARMS + 1) * g->dim;
	add_prior(joint, g, joint->mean);
	add_evidence(joint, g, joint->mean);
	cholesky(joint->factor, joint->n);
	forward(joint, joint->mean);
	backward(joint, joint->mean);
	return joint;
}

/* Mean and variance of x . w_k. */
static void
joint_predict(const Joint *joint, const Group *g, int k, const float *x, double *mean, double *variance)
{
	long double y[UNKNOWNS] = {0};
	long double sum = 0.0L;
	int			i;

	for (i = 0; i < g->dim; i++)
	{
		y[(k + 1) * g->dim + i] = x[i];
		sum += x[i] * joint->mean[(k + 1) * g->dim + i];
	}
	*mean = (double) sum;
	forward(joint, y);
	sum = 0.0L;
	for (i = 0; i < joint->n; i++)
		sum += y[i] * y[i];
	*variance = (double) sum;
}

/* A linear model's rate, as its prediction gives it on the logit scale. */
static void
to_logit(double *mean, double *variance)
{
	double		rate = *mean;
	double		sd = sqrt(*variance);
	double		towards = rate < 0.5 ? rate + sd : rate - sd;

	*mean = log(fmin(fmax(rate, 1e-4), 1 - 1e-4)) - log1p(-fmin(fmax(rate, 1e-4), 1 - 1e-4));
	sd = log(fmin(fmax(towards, 1e-4), 1 - 1e-4)) - log1p(-fmin(fmax(towards, 1e-4), 1 - 1e-4)) - *mean;
	*variance = sd * sd;
}

/* Predictions of every product, and what its contributions sum to. */
static void
compare(const Group *g, const Joint *joint, const char *what, Worst *w)
{
	int			k,
				t,
				i;

	for (k = 0; k < ARMS; k++)
		for (t = 0; t < 20; t++)
		{
			float		x[XS_MAX_DIM];
			double		addend[XS_MAX_DIM];
			double		sum = 0.0;
			double		mean,
						variance;
			XsInput		in = {x, NAN, -1};
			XsPrediction out;

			random_x(x, g->dim);
			g->oracle->predict(g->model[k], &in, &out);
			g->oracle->contributions(g->model[k], &in, addend);
			joint_predict(joint, g, k, x, &mean, &variance);
			for (i = 0; i < g->dim; i++)
				sum += addend[i];
			worst(w, fabs(sum - mean), "%s, arm %d: contributions", what, k);
			if (g->glm[k]->link == XS_IDENTITY)
				to_logit(&mean, &variance);
			worst(w, fabs(out.mean - mean), "%s, arm %d: mean", what, k);
			worst(w, fabs(out.variance - variance), "%s, arm %d: variance", what, k);
		}
}

/* Each coefficient's mean and standard deviation. */
static void
compare_coefficients(const Group *g, const Joint *joint, const char *what, Worst *w)
{
	int			k,
				i;

	for (k = 0; k < ARMS; k++)
	{
		double		mean[XS_MAX_DIM];
		double		sd[XS_MAX_DIM];

		g->oracle->coefficients(g->model[k], mean, sd);
		for (i = 0; i < g->dim; i++)
		{
			float		x[XS_MAX_DIM] = {0};
			double		joint_mean,
						variance;

			x[i] = 1.0f;
			joint_predict(joint, g, k, x, &joint_mean, &variance);
			worst(w, fabs(mean[i] - joint_mean), "%s, arm %d: coefficient %d", what, k, i);
			worst(w, fabs(sd[i] - sqrt(variance)), "%s, arm %d: sd %d", what, k, i);
		}
	}
}

/* Which columns are pooled: every one from the first on, in steps. */
static const struct
{
	const char *name;
	int			first,
				step;
}			layouts[] = {
	{"all columns", 0, 1}, {"all but two", 2, 1}, {"every second", 1, 2}, {"intercept and last", 0, -1}
};

#define LAYOUTS 4

/* step -1: the two ends */
static void
share_layout(Group *g, int layout, double share)
{
	int			step = layouts[layout].step;

	share_columns(g, layouts[layout].first, step > 0 ? step : g->dim - 1, share);
}

static void
test_joint(const char *oracle, int dim)
{
	static const double shares[] = {0.0, 0.25, 0.5, 0.8, 0.95};
	Group	   *g = new_group(oracle, dim);
	Worst		predictions = {0};
	Worst		coefficients = {0};
	int			good = 1;
	int			layout,
				i;

	for (layout = 0; layout < LAYOUTS; layout++)
	{
		for (i = 0; i < 5; i++)
		{
			Joint	   *joint;

			share_layout(g, layout, shares[i]);
			if (i == 3)
				g->share[0] *= 0.5;	/* not the same for all */
			good &= solve(g);
			joint = joint_of(g);
			compare(g, joint, layouts[layout].name, &predictions);
			compare_coefficients(g, joint, layouts[layout].name, &coefficients);
			free(joint);
		}
	}
	printf("# %s, %d columns\n", oracle, dim);
	CHECK(good, "pooled products have a posterior");
	CHECK_WORST(predictions, 1e-11, "predictions: the joint posterior's");
	CHECK_WORST(coefficients, 1e-12, "coefficients: the joint posterior's");
	free_group(g);
}

static int
same_prediction(const Group *a, const Group *b, int k)
{
	float		x[XS_MAX_DIM];
	XsInput		in = {x, NAN, -1};
	XsPrediction p,
				q;

	random_x(x, a->dim);
	a->oracle->predict(a->model[k], &in, &p);
	b->oracle->predict(b->model[k], &in, &q);
	return memcmp(&p, &q, sizeof(p)) == 0;
}

/* A group that shares nothing: bit for bit the products by themselves. */
static void
test_nothing_shared(const char *oracle)
{
	Group	   *g = new_group(oracle, DIM);
	Group		alone = *g;
	int			good = 1;
	int			k;

	share_columns(g, 0, 1, 0.0);
	good &= solve(g);
	alone.pool = NULL;
	memset(alone.model, 0, sizeof(alone.model));
	for (k = 0; k < ARMS; k++)
	{
		good &= prepare(&alone, k) == XS_OK;
		xs_pool_adopt(alone.model[k]);	/* which then does nothing */
		good &= same_prediction(g, &alone, k);
	}
	CHECK(good, "share 0: as without a group, bit for bit");
	CHECK(g->oracle->model_size(DIM, 0, g->pool) == g->oracle->model_size(DIM, 0, NULL),
		  "share 0: no memory more than without a group");
	free_solution(&alone);
	free_group(g);
}

/* Only the product with new evidence is prepared again. */
static void
test_incremental(const char *oracle, int layout)
{
	Group	   *g = new_group(oracle, DIM);
	Group		again;
	int			good = 1;
	int			k,
				t;

	share_layout(g, layout, 0.6);
	good &= solve(g);
	for (t = 0; t < 3; t++)
	{
		observe(g, 1 + 2 * (t % 2), 7);
		good &= prepare(g, 1 + 2 * (t % 2)) == XS_OK;
		good &= solve_and_adopt(g);
	}
	again = *g;
	again.pool = NULL;
	memset(again.model, 0, sizeof(again.model));
	good &= solve(&again);
	for (k = 0; k < ARMS; k++)
		for (t = 0; t < 5; t++)
			good &= same_prediction(g, &again, k);
	CHECK(good, "one product after the other: as from scratch, bit for bit");
	free_solution(&again);
	free_group(g);
}

/* The prior of a single product is what it is without a group. */
static void
test_alone(int dim, double share)
{
	const XsOracle *oracle = xs_oracle("logistic");
	Group	   *g = new_group("logistic", dim);
	XsEvidence	evidence = {&g->beta[1], g->glm[1], 0, NULL};
	XsPrior		prior = g->prior[1];
	void	   *plain = malloc(oracle->model_size(dim, 0, NULL));
	float		x[XS_MAX_DIM];
	XsInput		in = {x, NAN, -1};
	XsPrediction p,
				q;
	Worst		w = {0};
	int			good;
	int			t;

	share_columns(g, 0, 1, share);
	g->pool = malloc(xs_pool_size(dim, g->share));
	good = xs_pool_init(g->pool, dim, &prior, g->share) == XS_OK;
	good &= oracle->prepare(plain, dim, &evidence, &prior, g->scratch) == XS_OK;
	good &= prepare(g, 1) == XS_OK && xs_pool_solve(g->pool, &g->model[1], 1) == XS_OK;
	xs_pool_adopt(g->model[1]);
	for (t = 0; t < 20; t++)
	{
		random_x(x, dim);
		oracle->predict(plain, &in, &p);
		oracle->predict(g->model[1], &in, &q);
		worst(&w, fabs(p.mean - q.mean), "mean");
		worst(&w, relative(q.variance, p.variance), "variance");
	}
	CHECK(good, "a group of one");
	CHECK_WORST(w, 1e-10, "a group of one: as without a group");
	free(plain);
	free_group(g);
}

/* Before evidence; and what a product without any learns from the others. */
static void
test_new_product(void)
{
	Group	   *g = new_group("logistic", DIM);
	float		x[DIM] = {1.0f};
	XsInput		in = {x, NAN, -1};
	XsPrediction before,
				after;
	int			k;

	share_columns(g, 0, 1, 0.8);
	g->pool = malloc(xs_pool_size(DIM, g->share));
	CHECK(xs_pool_init(g->pool, DIM, &g->prior[0], g->share) == XS_OK && prepare(g, NONE) == XS_OK,
		  "a group without evidence");
	g->oracle->predict(g->model[NONE], &in, &before);
	CHECK_CLOSE(before.mean, xs_logit(0.09), 1e-14, "its products have their prior means");
	CHECK_CLOSE(before.variance, 1.0, 1e-14, "and prior variances");
	for (k = 0; k < ARMS; k++)
		prepare(g, k);
	CHECK(solve_and_adopt(g), "others have evidence");
	g->oracle->predict(g->model[NONE], &in, &after);
	CHECK(after.mean != before.mean && after.variance < before.variance && after.variance > 0.2,
		  "a new product is surer, by no more than what is shared");
	free_group(g);
}

static void
test_refusals(void)
{
	Group	   *g = new_group("logistic", DIM);
	Group	   *other = new_group("logistic", DIM);
	double		bad[DIM] = {0};
	XsPrior		prior = g->prior[0];

	share_columns(g, 0, 1, 0.5);
	share_columns(other, 0, 1, 0.5);
	solve(g);
	solve(other);
	CHECK(xs_pool_solve(g->pool, other->model, ARMS) == XS_DIMENSION, "models of another group");
	g->prior[1].precision = 6.0;
	CHECK(prepare(g, 1) == XS_RANGE, "a product of another prior");
	g->prior[1].precision = 5.0;
	g->prior[1].neutral_rate = 0.5;
	CHECK(prepare(g, 1) == XS_OK, "but its rate is its own");
	g->dim--;
	CHECK(prepare(g, 1) == XS_DIMENSION, "a product of other columns");
	g->dim++;
	bad[3] = 1.0;
	CHECK(xs_pool_init(other->pool, DIM, &prior, bad) == XS_RANGE, "nothing its own");
	bad[3] = -0.1;
	CHECK(xs_pool_init(other->pool, DIM, &prior, bad) == XS_RANGE, "a negative share");
	bad[3] = NAN;
	CHECK(xs_pool_init(other->pool, DIM, &prior, bad) == XS_RANGE, "no number");
	bad[3] = 0.5;
	CHECK(xs_pool_init(other->pool, 0, &prior, bad) == XS_DIMENSION, "no columns");
	CHECK(xs_pool_init(other->pool, 1, &prior, bad) == XS_DIMENSION, "no place for the propensity");
	prior.precision = 0.0;
	CHECK(xs_pool_init(other->pool, DIM, &prior, bad) == XS_RANGE, "no prior precision");
	free_group(g);
	free_group(other);
}

int
main(int argc, char **argv)
{
	int			layout;

	begin(argc, argv);
	test_joint("logistic", DIM);
	test_joint("linear", DIM);
	test_joint("logistic", 2);
	test_joint("logistic", WIDE);
	test_nothing_shared("logistic");
	test_nothing_shared("linear");
	for (layout = 0; layout < LAYOUTS; layout++)
		test_incremental(layout % 2 ? "linear" : "logistic", layout);
	test_alone(2, 0.5);
	test_alone(DIM, XS_MAX_SHARE);
	test_alone(XS_MAX_DIM, 0.5);
	test_new_product();
	test_refusals();
	return done();
}
