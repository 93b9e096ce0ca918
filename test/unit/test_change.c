/*
 * test_change.c: the Bayes factor of a change, and how often it cries wolf.
 */
#include "../../src/math/random.h"
#include "../../src/model/change.h"
#include "unit.h"

static long double
log_marginal(double s, double e)
{
	return lgammal(0.5L + s) - lgammal(0.5L) + 0.5L * logl(0.5L) - (0.5L + s) * logl(0.5L + e);
}

static void
test_two_periods(void)
{
	XsPeriod	periods[2] = {{40.0, 50.0}, {5.0, 45.5}};
	long double apart = log_marginal(40.0, 50.0) + log_marginal(5.0, 45.5) - log_marginal(45.0, 95.5);
	XsChange	change;

	xs_change(periods, 2, &change);
	CHECK_CLOSE(change.factor, (double) (expl(apart) / 3.0L + 2.0L / 3.0L), 1e-9 * change.factor, "closed form of two periods");
	CHECK(change.since == 1 && change.before.outcomes == 40.0 && change.after.forecasts == 45.5, "it says since when");
	xs_change(periods, 1, &change);
	CHECK(change.factor == 1.0 && change.since == -1, "one period tells nothing");
	xs_change(periods, 0, &change);
	CHECK(change.factor == 1.0, "nor does none");
}

/* Bernoulli outcomes of size customers per period at rate p, forecast at 5 %. */
static XsPeriod
period(uint64_t seed, int t, int size, double p)
{
	XsPeriod	result = {0.0, size * 0.05};
	int			i;

	for (i = 0; i < size; i++)
		result.outcomes += xs_uniform(seed, (uint64_t) (t * size + i), 0) < p;
	return result;
}

/* The first period at whose end the factor is at least 100, or -1. */
static int
alarm_at(uint64_t seed, int from, double p)
{
	XsPeriod	periods[52];
	int			t;

	for (t = 0; t < 52; t++)
	{
		XsChange	change;

		periods[t] = period(seed, t, 400, t < from ? 0.05 : p);
		xs_change(periods, t + 1, &change);
		if (change.factor >= 100.0)
			return t;
	}
	return -1;
}

static void
test_alarms(void)
{
	int			false_alarms = 0;
	int			late = 0;
	int			early = 0;
	int			i;

	for (i = 0; i < 400; i++)
		false_alarms += alarm_at((uint64_t) (1000 + i), 52, 0.05) >= 0;
	/* at most 1 % by Ville's inequality; 3 sd above that of 400 trials */
	CHECK(false_alarms <= 9, "looking every week for a year, at most 1 % false alarms");
	for (i = 0; i < 50; i++)
	{
		int			t = alarm_at((uint64_t) (5000 + i), 20, 0.02);

		early += t >= 0 && t < 20;
		late += t < 0 || t > 26;
	}
	CHECK(early <= 2, "no alarm before the change");
	CHECK(late <= 2, "a fall from 5 to 2 % is found within six weeks of 400 offers");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_two_periods();
	test_alarms();
	return done();
}
