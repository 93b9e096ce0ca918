/*
 * test_lanes.c: what is computed in vectors, against plain C to the bit for every
 * width of vectors, and against accurate functions.
 */
#include "../../src/math/lanes.h"
#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../../src/model/explore.h"
#include "unit.h"

#define KERNELS "../../test/unit/lanes_kernels.h"
#include "../../src/math/lanes_each.h"

enum
{
	N = 64000, MOST = 130
};

static double x[N],
			value[N],
			hazard[N];

static double
between(double low, double high)
{
	static uint64_t counter = 0;

	return low + (high - low) * xs_uniform(17, counter++, 0);
}

/* The order of operations of vector_special.h, in plain C. */

static double
plain_log(double v)
{
	int			k;
	double		m = frexp(v, &k);
	double		s,
				z,
				w,
				r;

	/* m in [sqrt(1/2), sqrt(2)) as xs_log's bits cut it */
	if (m < 0x1.6a09e667f3bcdp-1)
	{
		m *= 2.0;
		k--;
	}
	s = (m - 1.0) / (m + 1.0);
	z = s * s;
	w = z * z;
	r = ((6.666666666666735130e-01 + 3.999999999940941908e-01 * z) +
		 (2.857142874366239149e-01 + 2.222219843214978396e-01 * z) * w) +
		((1.818357216161805012e-01 + 1.531383769920937332e-01 * z) + 1.479819860510158591e-01 * w) * (w * w);
	return k * 6.93147180369123816490e-01 +
		((s + s) + ((s * z) * r + k * 1.90821492927058770002e-10));
}

static double
plain_norm_cdf(double t, double *ratio)
{
	double		u = fabs(t) < 20.0 ? fabs(t) : 20.0;
	double		u2 = u * u;
	double		u4 = u2 * u2;
	double		n = ((0x1.40d931ff622a2p+0 + 0x1.26f360c7cc910p+0 * u) +
					 (0x1.0d7332fce5a9ep-1 + 0x1.18e8dc4db8c38p-3 * u) * u2) +
		(0x1.4b2ae2cc17e42p-6 + 0x1.61dfdcc2df975p-10 * u) * u4;
	double		d = ((1.0 + 0x1.b7985570699a0p+0 * u) +
					 (0x1.4a3db8e83924dp+0 + 0x1.17996245f30bap-1 * u) * u2) +
		((0x1.1bbd3bfeca72cp-3 + 0x1.4b241c98c82e0p-6 * u) + 0x1.61e270d109c06p-10 * u2) * u4;
	double		k = rint(u2 * -0.72134752044448170368);
	double		r = u2 * -0.5 - k * 0.69314718055994530942;
	double		r2 = r * r;
	double		r4 = r2 * r2;
	double		density = (((0x1.9884533d436acp-2 + 0x1.9884533d4334ep-2 * r) +
							(0x1.9884533d305e7p-3 + 0x1.1058377e7e628p-4 * r) * r2) +
						   ((0x1.105837a64c2e4p-6 + 0x1.b3c057a7df205p-9 * r) +
							(0x1.227fc535460e8p-11 + 0x1.4c01a9ca7aa08p-14 * r) * r2) * r4) +
		(0x1.4d1abcf261b29p-17 + 0x1.264eb42494295p-20 * r) * (r4 * r4);
	double		rest,
				common;

	density = ldexp(density, (int) k);
	rest = t < 0.0 ? n : d - density * n;
	common = 1.0 / (d * rest);
	*ratio = (t < 0.0 ? 1.0 : density) * ((common * d) * d);
	return (t < 0.0 ? density : 1.0) * ((common * rest) * rest);
}

static void
compare(Worst *w, const double *a, const double *b, const char *what, int width)
{
	int			i;

	for (i = 0; i < N; i++)
		worst(w, memcmp(&a[i], &b[i], sizeof(double)) != 0, "%s, width %d: %a at %a, expected %a", what, width, a[i],
			  x[i], b[i]);
}

static void
test_exp_and_log(void)
{
	static double expected[N];
	Worst		bits = {0};
	Worst		error = {0};
	int			width,
				i;

	for (width = 2; width <= 8; width *= 2)
	{
		xs_lanes_limit(width);
		for (i = 0; i < N; i++)
		{
			x[i] = i % 3 ? between(-700.0, 700.0) : between(-1.0, 1.0);
			expected[i] = xs_exp(x[i]);
		}
		XS_WIDEST(exp_each)(x, N, value);
		compare(&bits, value, expected, "exp", width);
		for (i = 0; i < N; i++)
		{
			x[i] = i % 3 ? ldexp(between(1.0, 2.0), (int) between(-1022.0, 1023.0)) : between(0.5, 2.0);
			expected[i] = plain_log(x[i]);
		}
		XS_WIDEST(log_each)(x, N, value);
		compare(&bits, value, expected, "log", width);
		for (i = 0; i < N; i++)
			worst(&error, relative(value[i], xs_log(x[i])), "log(%a)", x[i]);
	}
	CHECK_WORST(bits, 0.0, "exp and log: the bits of the scalar functions");
	CHECK_WORST(error, 6e-16, "log");
}

static void
test_norm_cdf(void)
{
	static const double odd[] = {
		0.0, -0.0, 5e-324, -5e-324, 1e-300, 20.0, -20.0, 37.0, -1e300, 1e300, INFINITY, -INFINITY, NAN
	};
	static double expected[N],
				expected_hazard[N];
	Worst		bits = {0};
	Worst		error = {0};
	Worst		tail = {0};
	Worst		density = {0};
	Worst		far = {0};
	int			n_odd = sizeof(odd) / sizeof(odd[0]);
	int			width,
				i;

	for (i = 0; i < N; i++)
	{
		x[i] = i < n_odd ? odd[i] : between(-25.0, 25.0) * (i % 2 ? 1.0 : 0.3);
		expected[i] = plain_norm_cdf(x[i], &expected_hazard[i]);
	}
	for (width = 2; width <= 8; width *= 2)
	{
		xs_lanes_limit(width);
		XS_WIDEST(norm_cdf_each)(x, N, value, hazard);
		compare(&bits, value, expected, "norm_cdf", width);
		compare(&bits, hazard, expected_hazard, "hazard", width);
	}
	CHECK_WORST(bits, 0.0, "the normal distribution: the bits of plain C");
	for (i = n_odd; i < N; i++)
	{
		double		cdf = xs_norm_cdf(x[i]);
		double		ratio = exp(-0.5 * x[i] * x[i]) / sqrt(2.0 * M_PI) / cdf;

		worst(&error, fabs(value[i] - cdf), "Phi(%g)", x[i]);
		if (x[i] > -8.5)
			worst(&tail, relative(value[i], cdf), "Phi(%g)", x[i]);
		if (x[i] > -4.2 && x[i] < 20.0)
			worst(&density, relative(hazard[i], ratio), "hazard(%g)", x[i]);
		if (x[i] > 20.0 || x[i] < -20.0)
			worst(&far, x[i] > 0.0 ? hazard[i] : value[i], "at %g", x[i]);
	}
	CHECK_WORST(error, 2e-13, "Phi");
	CHECK_WORST(tail, 3e-9, "Phi in its lower tail, of itself");
	CHECK_WORST(density, 2e-9, "phi/Phi, of itself");
	CHECK_WORST(far, 1e-87, "nothing is left of the far tails");
}

static void
random_arms(XsArm *arms, int n, int kind)
{
	static const double odd[] = {0.0, 1e-300, 1e-9, 1e9, 1e150, -1e150, 1e300, INFINITY, -INFINITY, NAN};
	int			j,
				k;

	for (k = 0; k < n; k++)
	{
		double		sd = kind % 2 ? exp(between(-5.0, 1.0)) : between(0.3, 0.7);
		double	   *fields[] = {
			&arms[k].prediction.mean, &arms[k].prediction.variance, &arms[k].value, &arms[k].cost
		};

		arms[k].prediction.mean = between(-5.0, -2.0);
		arms[k].prediction.variance = sd * sd;
		arms[k].prediction.rate = 0.1;
		arms[k].value = kind / 2 % 2 ? between(1.0, 50.0) : 1.0;
		arms[k].cost = kind / 2 % 2 ? between(-0.1, 0.1) : 0.0;
		for (j = 0; j < 4 && kind >= 4; j++)
			if (between(0.0, 1.0) < 0.15)
				*fields[j] = odd[(int) between(0.0, 10.0)];
	}
}

static void
test_thompson(void)
{
	static double scratch[XS_EXPLORE_SCRATCH(MOST)];
	static double q[9][MOST];
	static XsArm arms[MOST];
	XsExploration how = {.scale = 0.5};
	Worst		bits = {0};
	int			n,
				kind,
				width;

	for (n = 1; n <= MOST; n++)
		for (kind = 0; kind < 6; kind++)
		{
			random_arms(arms, n, kind);
			for (width = 2; width <= 8; width *= 2)
			{
				xs_lanes_limit(width);
				memset(scratch, 255, sizeof(scratch));
				xs_strategy("thompson")->probabilities(&how, arms, n, q[width], scratch);
				worst(&bits, memcmp(q[width], q[2], sizeof(double) * (size_t) n) != 0, "n = %d, kind %d, width %d", n,
					  kind, width);
			}
			xs_lanes_limit(8);
		}
	CHECK_WORST(bits, 0.0, "Thompson sampling: the same bits from every width of vectors");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_exp_and_log();
	test_norm_cdf();
	test_thompson();
	printf("# the widest vectors of this machine: %d doubles\n", xs_lanes());
	return done();
}
