/*
 * test_discount.c: discounted sums against division with remainder, and what must
 * stay true of them.
 */
#include "../../src/math/random.h"
#include "../../src/model/discount.h"
#include "unit.h"

enum
{
	DIM = 12
};

static uint64_t counter = 0;

static double
between(double low, double high)
{
	return low + (high - low) * xs_uniform(7, counter++, 0);
}

/* A sum of any size and sign. */
static int64_t
any_sum(void)
{
	double		size = between(0.0, 63.0);
	int64_t		magnitude = (int64_t) (exp2(size) * 0.999);

	/* the low bits too, which a double cannot tell in large numbers */
	magnitude ^= (int64_t) (between(0.0, 1024.0)) & (magnitude - 1 > 1024 ? 1023 : 0);
	return between(0.0, 1.0) < 0.5 ? -magnitude : magnitude;
}

static int64_t
scaled(int64_t sum, double gamma)
{
	XsBeta		state = {.n = 1,.trials = sum,.successes = 0};

	return xs_beta_scale(&state, gamma) == XS_OK ? state.trials : INT64_MIN;
}

/* rint(sum * m / 2^shift) by division with remainder */
__extension__ typedef unsigned __int128 Wide;

static int64_t
reference(int64_t sum, double gamma)
{
	int			exponent;
	double		fraction = frexp(gamma, &exponent);
	uint64_t	mantissa = (uint64_t) ldexp(fraction, 53);
	Wide		divisor = (Wide) 1 << (53 - exponent);
	Wide		product = (Wide) (sum < 0 ? -(uint64_t) sum : (uint64_t) sum) * mantissa;
	Wide		quotient = product / divisor;
	Wide		twice = 2 * (product % divisor);

	if (twice > divisor || (twice == divisor && quotient % 2 == 1))
		quotient++;
	return sum < 0 ? -(int64_t) quotient : (int64_t) quotient;
}

static void
test_rounding(void)
{
	int			good = 1;
	int			i;

	for (i = 0; i < 200000; i++)
	{
		int64_t		sum = any_sum();
		double		gamma = i % 2 ? between(0.0, 1.0) : exp2(-between(0.0, 70.0));

		good &= scaled(sum, gamma) == reference(sum, gamma);
	}
	CHECK(good, "sums of any size times any factor");
	CHECK(scaled(1, 0.5) == 0 && scaled(3, 0.5) == 2 && scaled(5, 0.5) == 2 && scaled(-1, 0.5) == 0 &&
		  scaled(-3, 0.5) == -2 && scaled(-5, 0.5) == -2, "ties to even");
	CHECK(scaled((INT64_C(1) << 60) + 1, 0.5) == INT64_C(1) << 59 &&
		  scaled((INT64_C(1) << 60) + 3, 0.5) == (INT64_C(1) << 59) + 2, "ties beyond 2^53");
	CHECK(scaled(INT64_MAX, 1.0) == INT64_MAX && scaled(INT64_MIN, 1.0) == INT64_MIN, "times 1");
	CHECK(scaled(INT64_MIN, 0.5) == INT64_MIN / 2 && scaled(INT64_MAX, 0.5) == INT64_C(1) << 62 &&
		  scaled(INT64_MAX, 1.0 - 0x1p-53) == INT64_MAX - 1024, "the largest sums");
	CHECK(scaled(INT64_MAX, 0.0) == 0 && scaled(INT64_MIN, -0.0) == 0 && scaled(INT64_MIN, 0x1p-1074) == 0 &&
		  scaled(INT64_MIN, 0x1p-1022) == 0, "times next to nothing");
	/* the bit after the point is the product's 63rd, 64th, 65th ... */
	good = 1;
	for (i = 1; i <= 75; i++)
		good &= scaled(INT64_MAX, exp2(-i)) == reference(INT64_MAX, exp2(-i)) &&
			scaled(INT64_MIN, 1.5 * exp2(-i)) == reference(INT64_MIN, 1.5 * exp2(-i)) &&
			scaled(INT64_C(1) << 62, 1.5 * exp2(-i)) == reference(INT64_C(1) << 62, 1.5 * exp2(-i));
	CHECK(good, "powers of two");
}

static void
test_refusal(void)
{
	const double bad[] = {-0x1p-1074, 1.0 + 0x1p-52, NAN, INFINITY, -INFINITY};
	XsBeta		beta = {.n = 3,.trials = 2,.successes = 1};
	XsBeta		same = beta;
	XsGlm	   *glm = calloc(1, XS_GLM_SIZE(1));
	int			good = 1;
	int			i;

	glm->dim = 1;
	for (i = 0; i < 5; i++)
		good &= xs_beta_scale(&beta, bad[i]) == XS_RANGE && xs_glm_scale(glm, bad[i]) == XS_RANGE;
	CHECK(good && memcmp(&beta, &same, sizeof(beta)) == 0, "factors outside [0,1]");
	free(glm);
}

/* Small sums, where rounding is coarse. */
static void
test_monotone(void)
{
	int			good = 1;
	int			i;

	for (i = 0; i < 100000; i++)
	{
		double		gamma = between(0.0, 1.0);
		int64_t		a = (int64_t) between(0.0, 50.0);
		int64_t		b = a + (int64_t) between(0.0, 3.0);

		good &= scaled(a, gamma) <= scaled(b, gamma) && scaled(a, gamma) >= 0;
	}
	CHECK(good, "what was not larger is not larger after");
}

static void
observe(XsGlm *glm)
{
	float		x[DIM];
	int			i;

	x[0] = 1.0f;
	for (i = 1; i < DIM; i++)
		x[i] = (float) between(-8.0, 8.0);
	/* nearly the same column twice */
	x[DIM - 1] = x[DIM - 2];
	xs_glm_observe(glm, x, between(0.0, 1.0) < 0.1, between(-4.0, 1.0), 1.0, 1);
}

static void
test_glm(void)
{
	XsGlm	   *glm = calloc(1, XS_GLM_SIZE(DIM));
	XsGlm	   *less = malloc(XS_GLM_SIZE(DIM));
	double		precision[XS_PACKED_SIZE(DIM)];
	int			every = 1;
	int			positive = 1;
	int			i,
				k;

	glm->dim = DIM;
	glm->link = XS_LOGIT;
	for (i = 0; i < 40; i++)
		observe(glm);
	for (k = 0; k < 200; k++)
	{
		double		gamma = between(0.0, k % 2 ? 1.0 : 1e-6);

		memcpy(less, glm, XS_GLM_SIZE(DIM));
		every &= xs_glm_scale(less, gamma) == XS_OK && less->n == glm->n && less->dim == DIM &&
			less->link == XS_LOGIT && less->trials == reference(glm->trials, gamma) &&
			less->successes == reference(glm->successes, gamma);
		for (i = 0; i < XS_GLM_SUMS(DIM); i++)
			every &= less->sums[i] == reference(glm->sums[i], gamma);

		/* the bound of discount.h, and DIM/2 units for the rounding of the observations */
		for (i = 0; i < XS_PACKED_SIZE(DIM); i++)
			precision[i] = (double) less->sums[DIM + i];
		for (i = 0; i < DIM; i++)
			precision[XS_PACKED_INDEX(i, i)] += DIM / 2.0 + 40.0 * DIM / 2.0 * gamma + 1e-3;
		positive &= xs_cholesky(precision, DIM) == XS_OK;
	}
	CHECK(every, "every sum of a glm, and n as it was");
	CHECK(positive, "no eigenvalue below the bound");
	free(glm);
	free(less);
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_rounding();
	test_refusal();
	test_monotone();
	test_glm();
	return done();
}
