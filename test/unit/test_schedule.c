/*
 * test_schedule.c: schedules against their table and against long double.
 */
#include "../../src/math/random.h"
#include "../../src/model/schedule.h"
#include "unit.h"

static double
between(double low, double high)
{
	static uint64_t counter = 0;

	return low + (high - low) * xs_uniform(13, counter++, 0);
}

/* 0.2 decaying to 0.05 and staying there */
static void
test_table(void)
{
	static const XsScheduleKind kinds[] = {XS_TIME, XS_COUNT, XS_EVIDENCE};
	static const double rows[][2] = {
		{0.0, 0.2}, {30.0, 0.1}, {60.0, 0.05}, {3000.0, 0.05}, {60.000001, 0.05}, {INFINITY, 0.05},
		{1e300, 0.05}, {-1.0, 0.2}, {-INFINITY, 0.2}, {NAN, 0.2}
	};
	XsSchedule	schedule = {.start = 0.2,.end = 0.05,.half = 30.0};
	int			good = 1;
	int			i,
				j;

	for (i = 0; i < 3; i++)
	{
		schedule.kind = kinds[i];
		for (j = 0; j < (int) (sizeof(rows) / sizeof(rows[0])); j++)
			if (xs_scheduled(&schedule, rows[j][0]) != rows[j][1])
			{
				good = 0;
				printf("# kind %d at %g: %.17g, expected %.17g\n", (int) kinds[i], rows[j][0],
					   xs_scheduled(&schedule, rows[j][0]), rows[j][1]);
			}
	}
	CHECK(good, "0.2 to 0.05: exact at 0, half, 2 half, 100 half and beyond; before the start it is 0.2");
	CHECK_CLOSE(xs_scheduled(&schedule, 15.0), 0.2 / sqrt(2.0), 1e-16, "after half a halving");
	CHECK(xs_scheduled(&schedule, 59.999) > 0.05, "shortly before the end it is not there");
	schedule.kind = XS_CONSTANT;
	CHECK(xs_scheduled(&schedule, 3000.0) == 0.2, "constant: the start");
}

static void
test_odd_schedules(void)
{
	XsSchedule	schedule = {.kind = XS_COUNT,.start = 0.3,.end = 0.3,.half = 10.0};
	int			exact = 1;
	int			i;

	CHECK(xs_scheduled(&schedule, 0.0) == 0.3 && xs_scheduled(&schedule, 1e9) == 0.3, "end = start: no change");
	schedule.end = 0.0;
	CHECK(xs_scheduled(&schedule, 10.0) == 0.15 && xs_scheduled(&schedule, 1e9) == 0.0, "to 0");
	for (i = 0; i < 1000; i++)
		exact &= xs_scheduled(&schedule, 10.0 * i) == ldexp(0.3, -i);
	CHECK(exact, "exact after any number of halvings");
	schedule.end = 0.5;
	CHECK(xs_scheduled(&schedule, 0.0) == 0.5, "never below the end");
	schedule.end = 0.1;
	schedule.half = 0.0;
	CHECK(xs_scheduled(&schedule, 0.0) == 0.3 && xs_scheduled(&schedule, 1.0) == 0.1, "half 0: at once");
	schedule.half = NAN;
	CHECK(xs_scheduled(&schedule, 5.0) == 0.3, "half NaN: never");
	schedule.half = 1.0;
	schedule.start = INFINITY;
	schedule.end = -1.0;
	CHECK(xs_scheduled(&schedule, INFINITY) == -1.0 && xs_scheduled(&schedule, 1.0) == INFINITY, "and it ends");
}

static void
test_random_schedules(void)
{
	Worst		w = {0};
	Worst		rise = {0};
	int			i;

	for (i = 0; i < 20000; i++)
	{
		XsSchedule	schedule = {.kind = XS_TIME};
		double		elapsed = exp(between(-5.0, 10.0));
		double		later = elapsed * between(1.0, 1.1);
		long double expected;
		double		value,
					value_later;

		schedule.start = exp(between(-4.0, 4.0));
		schedule.end = i % 3 ? schedule.start * between(0.0, 1.0) : 0.0;
		schedule.half = exp(between(-3.0, 8.0));
		expected = schedule.start * exp2l(-((long double) elapsed / schedule.half));
		if (expected < schedule.end)
			expected = schedule.end;
		value = xs_scheduled(&schedule, elapsed);
		value_later = xs_scheduled(&schedule, later);
		if (expected > 1e-280L)
			/* the rounding of elapsed/half counts as often as it halves */
			worst(&w, (double) (fabsl(value - expected) / expected / (1.0L + elapsed / schedule.half)),
				  "%g to %g, half %g, after %g: %g", schedule.start, schedule.end, schedule.half, elapsed, value);
		worst(&rise, value_later - value, "%g to %g, half %g, after %g and %g", schedule.start, schedule.end,
			  schedule.half, elapsed, later);
	}
	CHECK_WORST(w, 4e-16, "by the definition, relative to the number of halvings");
	CHECK_WORST(rise, 0.0, "never rises");
}

static void
test_squarecb_gamma(void)
{
	CHECK(xs_squarecb_gamma(10.0, 400.0, 0.05) == 10.0 * 20.0 / 0.05, "c sqrt(n) / mean");
	CHECK_CLOSE(xs_squarecb_gamma(30.0, 2.0, 3.0), 14.142135623730951, 1e-14, "10 sqrt 2");
	CHECK(xs_squarecb_gamma(10.0, 0.0, 0.05) == 0.0 && xs_squarecb_gamma(10.0, -1.0, 0.05) == 0.0 &&
		  xs_squarecb_gamma(10.0, NAN, 0.05) == 0.0, "nothing learned: 0");
	CHECK(xs_squarecb_gamma(10.0, 100.0, 0.0) == 0.0 && xs_squarecb_gamma(10.0, 100.0, -0.1) == 0.0 &&
		  xs_squarecb_gamma(10.0, 100.0, NAN) == 0.0, "no gain so far: 0");
	CHECK(xs_squarecb_gamma(0.0, 100.0, 0.1) == 0.0 && xs_squarecb_gamma(NAN, 100.0, 0.1) == 0.0, "c of 0: 0");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_table();
	test_odd_schedules();
	test_random_schedules();
	test_squarecb_gamma();
	return done();
}
