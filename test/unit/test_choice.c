/*
 * test_choice.c: the ladder of oracles and the trust in propensities.
 */
#include "../../src/math/random.h"
#include "../../src/model/choice.h"
#include "unit.h"

enum
{
	PERIODS = 30, SIZE = 200
};

static XsScore periods[PERIODS];

/* Outcomes of two kinds of customers (2 % and 10 %, half each), forecast by four. */
static void
fill(uint64_t seed, float prior_a, float prior_b, float context_a, float context_b)
{
	int			t,
				i;

	memset(periods, 0, sizeof(periods));
	for (t = 0; t < PERIODS; t++)
		for (i = 0; i < SIZE; i++)
		{
			uint64_t	n = (uint64_t) (t * SIZE + i);
			int			kind = xs_uniform(seed, n, 1) < 0.5;
			float		forecasts[XS_FORECASTERS] = {
				kind ? prior_b : prior_a, 0.06f, 0.06f, kind ? context_b : context_a
			};
			double		reward = xs_uniform(seed, n, 0) < (kind ? 0.10 : 0.02);

			if (xs_score_observe(&periods[t], forecasts, XS_FORECASTERS, reward, 1.0, +1) != XS_OK)
				abort();
		}
}

static XsScore
total(void)
{
	XsScore		all;
	int			t;

	memset(&all, 0, sizeof(all));
	for (t = 0; t < PERIODS; t++)
		(void) xs_score_merge(&all, &periods[t], +1);
	return all;
}

static void
test_ladder(void)
{
	double		gain[XS_FORECASTERS];
	int			t,
				changes = 0,
				step = XS_FORECAST_GLOBAL;

	CHECK(xs_ladder(periods, 0, gain) == XS_FORECAST_GLOBAL, "without evidence the simplest model");
	fill(1, 0.06f, 0.06f, 0.02f, 0.10f);
	CHECK(xs_ladder(periods, PERIODS, gain) == XS_FORECAST_CONTEXTUAL, "a model that sees more takes over");
	for (t = 1; t <= PERIODS; t++)
	{
		int			now = xs_ladder(periods, t, gain);

		changes += now != step;
		step = now;
	}
	CHECK(changes == 1, "once, and stays");
	fill(2, 0.06f, 0.06f, 0.10f, 0.02f);
	CHECK(xs_ladder(periods, PERIODS, gain) == XS_FORECAST_GLOBAL, "one that is wrong does not");
	CHECK(gain[XS_FORECAST_CONTEXTUAL] < -XS_LADDER_GAIN && gain[XS_FORECAST_GLOBAL] == 0.0, "its gain is its loss");
	fill(3, 0.06f, 0.06f, 0.0601f, 0.0599f);
	CHECK(xs_ladder(periods, PERIODS, gain) == XS_FORECAST_GLOBAL, "nor one that is no better");
}

/* A model that was right and became wrong is left again. */
static void
test_back(void)
{
	static XsScore first[PERIODS];
	double		gain[XS_FORECASTERS];
	int			t;

	fill(4, 0.06f, 0.06f, 0.02f, 0.10f);
	memcpy(first, periods, sizeof(first));
	fill(5, 0.06f, 0.06f, 0.10f, 0.02f);
	for (t = 0; t < PERIODS / 2; t++)
		periods[t] = first[t];
	CHECK(xs_ladder(periods, PERIODS / 2, gain) == XS_FORECAST_CONTEXTUAL &&
		  xs_ladder(periods, PERIODS, gain) == XS_FORECAST_GLOBAL, "down again, when it predicts worse");
}

static void
test_trust(void)
{
	XsScore		none;
	XsScore		all;
	const XsForecaster *p;
	const XsForecaster *g;
	double		gain;

	memset(&none, 0, sizeof(none));
	CHECK_CLOSE(xs_trust(&none), 0.9, 1e-12, "trust before evidence is its prior odds");
	fill(6, 0.02f, 0.10f, 0.06f, 0.06f);
	all = total();
	CHECK(xs_trust(&all) > 0.999, "a good score is trusted");
	fill(7, 0.10f, 0.02f, 0.06f, 0.06f);
	all = total();
	CHECK(xs_trust(&all) < 1e-6, "a reversed one is not");
	p = &all.forecasters[XS_FORECAST_PRIOR];
	g = &all.forecasters[XS_FORECAST_GLOBAL];
	gain = (double) (g->log_loss - p->log_loss) / 16777216.0;
	CHECK_CLOSE(xs_forecast_gain(&all, XS_FORECAST_PRIOR, XS_FORECAST_GLOBAL), gain, PERIODS * SIZE / 16777216.0,
				"on the same decisions the gain is the difference of the losses");
	CHECK_CLOSE(xs_trust(&all), 9.0 / (9.0 + exp(-gain)), 1e-12, "Bayes' rule");
	fill(8, NAN, NAN, 0.06f, 0.06f);
	all = total();
	CHECK_CLOSE(xs_trust(&all), 0.9, 1e-12, "missing forecasts tell nothing");
}

/*
 * Scores that only the frequent kind of customers has, and that are right of them,
 * forecast better than the rate of all; their mean loss is greater, since frequent
 * conversions are harder to tell.
 */
static void
test_partly_missing(void)
{
	XsScore		all;
	const XsForecaster *p;
	const XsForecaster *g;

	fill(9, NAN, 0.10f, 0.02f, 0.10f);
	all = total();
	p = &all.forecasters[XS_FORECAST_PRIOR];
	g = &all.forecasters[XS_FORECAST_GLOBAL];
	CHECK(p->missing > 0 && (double) p->log_loss / p->outcomes.trials > (double) g->log_loss / g->outcomes.trials &&
		  xs_forecast_gain(&all, XS_FORECAST_PRIOR, XS_FORECAST_GLOBAL) > 10.0 && xs_trust(&all) > 0.999,
		  "forecasts are compared on the same decisions");
	CHECK_CLOSE(xs_forecast_gain(&all, XS_FORECAST_CONTEXTUAL, XS_FORECAST_PRIOR),
				xs_forecast_gain(&all, XS_FORECAST_CONTEXTUAL, XS_FORECAST_GLOBAL) -
				xs_forecast_gain(&all, XS_FORECAST_PRIOR, XS_FORECAST_GLOBAL), 1e-12, "and with each other by that");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_ladder();
	test_back();
	test_trust();
	test_partly_missing();
	return done();
}
