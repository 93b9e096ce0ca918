/*
 * test_ramp.c: limited shares against hand-computed ones, and against the
 * definition min(limit, lambda * q) with lambda by bisection.
 */
#include "../../src/math/random.h"
#include "../../src/model/ramp.h"
#include "unit.h"

enum
{
	MOST = 300
};

static double q[MOST];
static double before[MOST];
static double limit[MOST];
static double cap[MOST];

static double
between(double low, double high)
{
	static uint64_t counter = 0;

	return low + (high - low) * xs_uniform(17, counter++, 0);
}

static void
test_ramp(void)
{
	CHECK(xs_ramp_limit(0.1, 0.0, 500.0) == 0.1, "a new arm: its share");
	CHECK_CLOSE(xs_ramp_limit(0.1, 250.0, 500.0), 0.55, 1e-16, "half way");
	CHECK(xs_ramp_limit(0.1, 500.0, 500.0) == 1.0 && xs_ramp_limit(0.1, 1e9, 500.0) == 1.0, "learned: no limit");
	CHECK(xs_ramp_limit(0.0, 0.0, 500.0) == 0.0 && xs_ramp_limit(1.0, 0.0, 500.0) == 1.0, "share 0 and 1");
	CHECK(xs_ramp_limit(0.1, 0.0, 0.0) == 1.0 && xs_ramp_limit(0.1, 5.0, NAN) == 1.0, "no ramp: no limit");
	CHECK(xs_ramp_limit(0.1, NAN, 500.0) == 0.1 && xs_ramp_limit(0.1, -3.0, 500.0) == 0.1 &&
		  xs_ramp_limit(NAN, 0.0, 500.0) == 0.0, "NaN and negative: 0");
}

static void
limited(const double *shares, const double *limits, int n, double least)
{
	memcpy(q, shares, sizeof(double) * (size_t) n);
	xs_limit_shares(q, limits, n, least);
}

static void
test_by_hand(void)
{
	/* 0.4 are over; 3 : 1 of the rest */
	limited((double[]) {0.6, 0.3, 0.1}, (double[]) {0.2, 1.0, 1.0}, 3, 0.0);
	CHECK(q[0] == 0.2, "the limited arm is at its limit");
	CHECK_CLOSE(q[1], 0.6, 2e-16, "the others share the excess");
	CHECK_CLOSE(q[2], 0.2, 2e-16, "in proportion");
	/* the excess lifts the second above its limit, the third takes all */
	limited((double[]) {0.6, 0.3, 0.1}, (double[]) {0.2, 0.4, 1.0}, 3, 0.0);
	CHECK(q[0] == 0.2 && q[1] == 0.4, "a limit reached by the excess holds too");
	CHECK_CLOSE(q[2], 0.4, 2e-16, "the last takes what is over");
	limited((double[]) {0.6, 0.3, 0.1}, (double[]) {0.6, 1.0, 2.0}, 3, 0.0);
	CHECK(q[0] == 0.6 && q[1] == 0.3 && q[2] == 0.1, "no limit exceeded: not a bit changes");
	limited((double[]) {0.9, 0.05, 0.05}, (double[]) {0.01, 1.0, 1.0}, 3, 0.05);
	CHECK(q[0] == 0.05, "no limit is below the least");
	/* no room: 0.3 in all */
	limited((double[]) {0.6, 0.3, 0.1}, (double[]) {0.1, 0.05, 0.15}, 3, 0.0);
	CHECK_CLOSE(q[0], 1.0 / 3.0, 1e-16, "no room: limits scaled up, the first");
	CHECK_CLOSE(q[1], 1.0 / 6.0, 1e-16, "the second");
	CHECK_CLOSE(q[2], 0.5, 2e-16, "the third");
	limited((double[]) {1.0, 0.0, 0.0}, (double[]) {0.2, 1.0, 1.0}, 3, 0.0);
	CHECK(q[0] == 0.2 && q[1] == 0.4 && q[2] == 0.4, "no proportions: equally");
	limited((double[]) {1.0, 0.0, 0.0}, (double[]) {0.2, 0.1, 1.0}, 3, 0.0);
	CHECK(q[0] == 0.2 && q[1] == 0.1 && fabs(q[2] - 0.7) < 1e-15, "equally within limits");
	limited((double[]) {0.7, 0.3}, (double[]) {0.0, 0.0}, 2, 0.0);
	CHECK(q[0] == 0.5 && q[1] == 0.5, "limits of 0 for all: alike");
	limited((double[]) {0.7, 0.3}, (double[]) {NAN, 1.0}, 2, 0.1);
	CHECK(q[0] == 0.1 && fabs(q[1] - 0.9) < 1e-15, "a limit that is not a number: the least");
	limited((double[]) {1.0}, (double[]) {0.1}, 1, 0.0);
	CHECK(q[0] == 1.0, "an arm alone");
	limited((double[]) {1.0 - 1e-310, 1e-310, 0.0}, (double[]) {0.5, 1.0, 1.0}, 3, 0.0);
	CHECK(q[0] == 0.5 && q[1] == 0.25 && q[2] == 0.25, "next to nothing is nothing");
	/* ((1 - 0.34) - 0.56) - 0.1 is below 0 */
	limited((double[]) {0.34 + 1e-16, 0.56, 0.1, 0.0}, (double[]) {0.34, 0.56, 0.1, 1.0}, 4, 0.0);
	CHECK(q[3] == 0.0 && !signbit(q[3]), "no rounding makes a share negative");
}

/* Sum of min(cap, lambda * before) */
static long double
filled(int n, long double lambda)
{
	long double sum = 0.0L;
	int			k;

	for (k = 0; k < n; k++)
		sum += lambda * before[k] < cap[k] ? lambda * before[k] : (long double) cap[k];
	return sum;
}

/* lambda with filled = 1; the caps have room */
static long double
level(int n)
{
	long double low = 0.0L;
	long double high = 1e200L;
	int			i;

	for (i = 0; i < 300; i++)
	{
		long double middle = i < 100 ? sqrtl(low * high + 1e-10L) : 0.5L * (low + high);

		if (filled(n, middle) < 1.0L)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* Shares above a floor, steep or flat, and limits for some of them. */
static double
make_case(int n, int i)
{
	double		floor = i % 2 ? between(0.0, 0.3) : 0.0;
	double		steepness = between(0.1, i % 7 ? 20.0 : 200.0);
	double		sum = 0.0;
	int			k;

	for (k = 0; k < n; k++)
		sum += before[k] = exp(-steepness * between(0.0, 1.0));
	for (k = 0; k < n; k++)
	{
		before[k] = (1.0 - floor) * before[k] / sum + floor / n;
		if (before[k] < floor / n)
			before[k] = floor / n;
		limit[k] = between(0.0, 1.0) < 0.5 ? 1.0 : i % 3 ? between(0.0, 1.0) : between(0.0, 3.0 / n);
		/* equal limits are frequent: products of one age */
		if (i % 5 == 0 && limit[k] < 1.0)
			limit[k] = 0.05;
		/* and an excess of one unit is not 0 */
		if (i % 5 == 1 && limit[k] < 1.0)
			limit[k] = nextafter(before[k], 0.0);
		cap[k] = fmin(1.0, fmax(limit[k], floor / n));
	}
	return floor / n;
}

static void
test_properties(void)
{
	Worst		sum = {0};
	Worst		above = {0};
	Worst		below = {0};
	Worst		order = {0};
	Worst		difference = {0};
	int			i,
				j,
				k,
				tight = 0;

	for (i = 0; i < 6000; i++)
	{
		int			n = 1 + i % (i % 100 ? 12 : MOST);
		double		least = make_case(n, i);
		double		caps = 0.0;
		double		s = 0.0;
		long double lambda;

		for (k = 0; k < n; k++)
			caps += cap[k];
		tight += caps < 1.0;
		limited(before, limit, n, least);
		lambda = caps > 1.0 + 1e-12 ? level(n) : 0.0L;
		for (k = 0; k < n; k++)
		{
			s += q[k];
			worst(&below, q[k] < least || !(q[k] >= 0.0), "n %d, arm %d: %g", n, k, q[k]);
			if (caps >= 1.0)
				worst(&above, q[k] - cap[k], "n %d, arm %d: %g, cap %g", n, k, q[k], cap[k]);
			if (lambda > 0.0L)
				worst(&difference, (double) fabsl(q[k] - fminl(cap[k], lambda * before[k])),
					  "n %d, arm %d: %g, was %g, cap %g", n, k, q[k], before[k], cap[k]);
			else if (caps < 1.0)
				worst(&difference, fabs(q[k] - cap[k] / caps), "n %d, arm %d, no room: %g", n, k, q[k]);
			for (j = 0; j < n && n <= 12; j++)
				worst(&order, before[j] <= before[k] && cap[j] <= cap[k] && caps >= 1.0 && q[j] > q[k],
					  "n %d, arms %d and %d: %g and %g", n, j, k, q[j], q[k]);
		}
		worst(&sum, fabs(s - 1.0), "n %d", n);
	}
	printf("# %d of %d without room\n", tight, i);
	CHECK(tight > 100, "some have no room");
	CHECK_WORST(sum, 2e-14, "limited shares sum to 1");
	CHECK_WORST(above, 0.0, "none is above its limit where there is room");
	CHECK_WORST(below, 0.0, "none is below the least");
	CHECK_WORST(order, 0.0, "who had more and may have more has more");
	CHECK_WORST(difference, 2e-14, "they are min(limit, lambda q), or the limits scaled up");
}

/* Every round caps one more arm: the deepest cascade. */
static void
test_cascade(void)
{
	double		sum = 0.0;
	int			k;

	for (k = 0; k < MOST; k++)
		sum += before[k] = pow(0.9, k);
	for (k = 0; k < MOST; k++)
	{
		before[k] /= sum;
		limit[k] = k < MOST - 1 ? 0.5 * pow(0.5, k) : 1.0;
	}
	limited(before, limit, MOST, 0.0);
	sum = 0.0;
	for (k = 0; k < MOST; k++)
		sum += q[k];
	CHECK_CLOSE(sum, 1.0, 1e-13, "a cascade of limits ends and sums to 1");
	CHECK(q[0] <= limit[0] && q[1] <= limit[1] && q[100] <= limit[100], "within its limits");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_ramp();
	test_by_hand();
	test_properties();
	test_cascade();
	return done();
}
