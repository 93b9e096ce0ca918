/*
 * test_score.c: scores of forecasts are what their formulas say, exact whatever
 * the order, and missing forecasts are counted as such.
 */
#include "../../src/math/random.h"
#include "../../src/model/forecast.h"
#include "unit.h"

enum
{
	ROWS = 600, SUMS = sizeof(XsScore) / sizeof(int64_t)
};

typedef struct Row
{
	float		forecasts[XS_FORECASTERS];
	int			n;				/* of them */
	double		reward;
	double		weight;
} Row;

static Row	rows[ROWS];
static const XsScore empty;

static double
between(double low, double high)
{
	static uint64_t counter = 0;

	return low + (high - low) * xs_uniform(2, counter++, 0);
}

/* Forecasts from tiny to nearly 1, some missing, some arrays short; rewards 0, 1 and between. */
static void
fill_rows(void)
{
	int			i,
				j;

	for (i = 0; i < ROWS; i++)
	{
		rows[i].n = i % 5 == 0 ? i / 5 % (XS_FORECASTERS + 1) : XS_FORECASTERS;
		for (j = 0; j < XS_FORECASTERS; j++)
		{
			double		p = exp(between(-18.0, 0.0));

			rows[i].forecasts[j] = (i + j) % 7 == 0 ? NAN : (float) (i % 2 ? p : 1.0 - p);
		}
		rows[i].reward = i % 3 == 0 ? between(0.0, 1.0) : i % 3 - 1;
		rows[i].weight = i % 4 == 0 ? 1.0 : exp(between(-6.0, 6.9));
	}
}

static XsStatus
observe(XsScore *state, const Row *row, int sign)
{
	return xs_score_observe(state, row->forecasts, row->n, row->reward, row->weight, sign);
}

static int
equal(const XsScore *a, const XsScore *b)
{
	return memcmp(a, b, sizeof(XsScore)) == 0;
}

/* The n-th sum, in whatever order the struct has them. */
static int64_t
get(const XsScore *state, int n)
{
	int64_t		sum;

	memcpy(&sum, (const char *) state + n * sizeof(sum), sizeof(sum));
	return sum;
}

static void
set(XsScore *state, int n, int64_t sum)
{
	memcpy((char *) state + n * sizeof(sum), &sum, sizeof(sum));
}

/* Distance from the rounded term, in units of 2^-24: at most half, and what double loses. */
static double
rounding(int64_t sum, long double term)
{
	return (double) fabsl((long double) sum - 0x1p24L * term);
}

static long double
loss_of(long double p, long double r)
{
	p = p < 1e-6L ? 1e-6L : (p > 1 - 1e-6L ? 1 - 1e-6L : p);
	return -(r * logl(p) + (1 - r) * log1pl(-p));
}

/* Every row by itself against the formulas in long double, by libm. */
static void
test_formulas(void)
{
	Worst		w = {0};
	int			good = 1;
	int			i,
				j;

	for (i = 0; i < ROWS; i++)
	{
		const Row  *row = &rows[i];
		XsScore		state = empty;
		XsBeta		beta = {0};

		good &= observe(&state, row, 1) == XS_OK;
		good &= xs_beta_observe(&beta, row->reward, row->weight, 1) == XS_OK;
		good &= memcmp(&state.outcomes, &beta, sizeof(beta)) == 0;
		for (j = 0; j < XS_FORECASTERS; j++)
		{
			const XsForecaster *f = &state.forecasters[j];
			long double p = row->forecasts[j];
			long double r = row->reward;
			long double u = row->weight;

			if (j >= row->n || isnan(row->forecasts[j]))
			{
				XsForecaster none = {.missing = j < row->n};

				good &= memcmp(f, &none, sizeof(none)) == 0;
				continue;
			}
			p = p < 1e-6L ? 1e-6L : (p > 1 - 1e-6L ? 1 - 1e-6L : p);
			good &= memcmp(&f->outcomes, &beta, sizeof(beta)) == 0 && f->missing == 0;
			worst(&w, rounding(f->forecasts, u * p), "forecast, row %d", i);
			worst(&w, rounding(f->log_loss, u * loss_of(p, r)), "log loss, row %d", i);
			worst(&w, rounding(f->brier, u * (p - r) * (p - r)), "brier, row %d", i);
			if (row->n > XS_FORECAST_GLOBAL && !isnan(row->forecasts[XS_FORECAST_GLOBAL]))
				worst(&w, rounding(f->gain, u * (loss_of(row->forecasts[XS_FORECAST_GLOBAL], r) - loss_of(p, r))),
					  "gain, row %d", i);
			else
				good &= f->gain == 0;
		}
	}
	CHECK(good, "outcomes are those of xs_beta_observe; missing and absent forecasts leave no more than a count");
	CHECK_WORST(w, 0.501, "each sum is its formula, rounded once");
}

/* By hand: 2^24 ln 2 = 11629079.97, 2^24 ln 4/3 = 4826504.27, 2^24 ln 10^6 = 231785804.78 */
static void
test_values(void)
{
	const float forecasts[] = {0.5f, 0.25f, 0.0f, 1.0f};
	XsScore		state = empty;

	CHECK(xs_score_observe(&state, forecasts, 4, 0.0, 1.0, 1) == XS_OK &&
		  state.forecasters[0].log_loss == 11629080 && state.forecasters[0].brier == 1 << 22 &&
		  state.forecasters[1].log_loss == 4826504 && state.forecasters[1].brier == 1 << 20 &&
		  state.forecasters[1].forecasts == 1 << 22, "one half and one quarter, no conversion");
	CHECK(state.forecasters[0].gain == 4826504 - 11629080 && state.forecasters[1].gain == 0 &&
		  state.forecasters[2].gain == 4826504 - 17 && state.forecasters[3].gain == 4826504 - 231785805,
		  "gains are against the second");
	CHECK(state.forecasters[2].log_loss == 17 && state.forecasters[2].forecasts == 17 &&
		  state.forecasters[2].brier == 0 && state.forecasters[3].log_loss == 231785805 &&
		  state.forecasters[3].forecasts == (1 << 24) - 17, "never and always are a millionth away");
	state = empty;
	CHECK(xs_score_observe(&state, forecasts + 2, 1, 1.0, 1024.0, 1) == XS_OK &&
		  state.forecasters[0].log_loss == INT64_C(237348664096), "the most surprising conversion, 1024 times");
	state = empty;
	CHECK(xs_score_observe(&state, forecasts + 3, 1, 0.0, 1024.0, 1) == XS_OK &&
		  state.forecasters[0].log_loss == INT64_C(237348664096), "is as surprising as its opposite");
}

/* In another order, in shards, with noise added and taken away, and corrected. */
static void
test_orders(void)
{
	XsScore		forward = empty;
	XsScore		other = empty;
	XsScore		shard[2] = {empty, empty};
	int			status = 0;
	int			i;

	for (i = 0; i < ROWS; i++)
	{
		status |= observe(&forward, &rows[i], 1);
		status |= observe(&shard[(i * 7 + i / 3) % 2], &rows[i], 1);
		status |= observe(&other, &rows[i * 7 % ROWS], 1);
	}
	CHECK(status == XS_OK && !equal(&forward, &empty) && equal(&forward, &other), "a permutation");
	status |= xs_score_merge(&shard[0], &shard[1], 1);
	CHECK(status == XS_OK && equal(&forward, &shard[0]), "two shards merged");
	status |= xs_score_merge(&shard[0], &shard[1], -1);
	CHECK(status == XS_OK && !equal(&forward, &shard[0]), "a shard removed");
	status |= xs_score_merge(&shard[0], &shard[1], 1);
	CHECK(status == XS_OK && equal(&forward, &shard[0]), "and merged again");

	/* a late conversion: the zero is replaced */
	rows[1].reward = 1.0;
	status |= observe(&other, &rows[1], 1);
	rows[1].reward = 0.0;
	status |= observe(&other, &rows[1], -1);
	CHECK(status == XS_OK && !equal(&forward, &other), "a zero replaced by a conversion is another state");
	status |= observe(&other, &rows[1], 1);
	rows[1].reward = 1.0;
	status |= observe(&other, &rows[1], -1);
	rows[1].reward = 0.0;
	CHECK(status == XS_OK && equal(&forward, &other), "and back");
	for (i = 0; i < ROWS; i++)
		status |= observe(&other, &rows[i], -1);
	CHECK(status == XS_OK && equal(&other, &empty), "all removed: nothing left");
}

static void
test_missing(void)
{
	const float forecasts[] = {NAN, 0.1f, -NAN, 0.2f};
	XsScore		state = empty;

	CHECK(xs_score_observe(&state, forecasts, 3, 1.0, 1.0, 1) == XS_OK && state.outcomes.n == 1 &&
		  state.forecasters[0].missing == 1 && state.forecasters[0].outcomes.n == 0 &&
		  state.forecasters[1].missing == 0 && state.forecasters[1].outcomes.n == 1 &&
		  state.forecasters[2].missing == 1 && state.forecasters[3].missing == 0 &&
		  state.forecasters[3].outcomes.n == 0, "NaN is missing, whatever its sign; beyond the end is neither");
	CHECK(xs_score_observe(&state, forecasts, 3, 1.0, 1.0, -1) == XS_OK && equal(&state, &empty), "and removed");
	CHECK(xs_score_observe(&state, NULL, 0, 1.0, 1.0, 1) == XS_OK && state.outcomes.n == 1, "no forecast at all");
}

static void
test_bad_rows(void)
{
	static const float odd[] = {-0.0001f, 1.0001f, INFINITY, -INFINITY};
	float		forecasts[XS_FORECASTERS + 1] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f};
	XsScore		state = empty;
	int			good = 1;
	int			i,
				j;

	for (i = 0; i < 4; i++)
		for (j = 0; j < XS_FORECASTERS; j++)
		{
			float		kept = forecasts[j];

			forecasts[j] = odd[i];
			good &= xs_score_observe(&state, forecasts, 4, 1.0, 1.0, 1) == XS_RANGE;
			forecasts[j] = kept;
		}
	CHECK(good && equal(&state, &empty), "forecasts outside [0,1] are refused");
	CHECK(xs_score_observe(&state, forecasts, 4, 1.0001, 1.0, 1) == XS_RANGE &&
		  xs_score_observe(&state, forecasts, 4, -0.1, 1.0, 1) == XS_RANGE &&
		  xs_score_observe(&state, forecasts, 4, NAN, 1.0, 1) == XS_RANGE &&
		  xs_score_observe(&state, forecasts, 4, 1.0, 0.0, 1) == XS_RANGE &&
		  xs_score_observe(&state, forecasts, 4, 1.0, 1024.5, 1) == XS_RANGE &&
		  xs_score_observe(&state, forecasts, 4, 1.0, NAN, 1) == XS_RANGE, "as are rewards and weights");
	CHECK(xs_score_observe(&state, forecasts, 5, 1.0, 1.0, 1) == XS_DIMENSION &&
		  xs_score_observe(&state, forecasts, -1, 1.0, 1.0, 1) == XS_DIMENSION && equal(&state, &empty),
		  "and more forecasts than forecasters");
}

/* Each sum in turn at the end of its range. */
static void
test_overflow(void)
{
	const float present[] = {0.3f, 0.2f, 0.3f, 0.4f};	/* all gain, but the one they are compared with */
	const float missing[] = {NAN, NAN, NAN, NAN};
	XsScore		one = empty;
	int			good = 1;
	int			noticed = 0;
	int			always_0 = (int) (((char *) &one.forecasters[XS_FORECAST_GLOBAL].gain - (char *) &one) / sizeof(int64_t));
	int			i;

	good &= xs_score_observe(&one, present, 4, 0.5, 1.0, 1) == XS_OK;
	good &= xs_score_observe(&one, missing, 4, 0.5, 1.0, 1) == XS_OK;
	for (i = 0; i < SUMS; i++)
	{
		XsScore		state = empty;

		if (i == always_0)
			continue;
		set(&state, i, INT64_MAX);
		noticed += xs_score_observe(&state, present, 4, 0.5, 1.0, 1) == XS_OVERFLOW;
		state = empty;
		set(&state, i, INT64_MAX);
		noticed += xs_score_observe(&state, missing, 4, 0.5, 1.0, 1) == XS_OVERFLOW;
		state = empty;
		set(&state, i, INT64_MAX);
		good &= get(&one, i) > 0 && xs_score_merge(&state, &one, 1) == XS_OVERFLOW;
		state = empty;
		set(&state, i, INT64_MIN);
		good &= xs_score_merge(&state, &one, -1) == XS_OVERFLOW;
	}
	/* the 3 sums of all observations by both, the other 31 by one of the two */
	CHECK(good && SUMS == 35 && noticed == SUMS - 1 + 3, "overflow of any sum is noticed");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	fill_rows();
	test_formulas();
	test_values();
	test_orders();
	test_missing();
	test_bad_rows();
	test_overflow();
	return done();
}
