/*
 * forecast.c: exact sums of the scores of forecasts.
 */
#include "forecast.h"
#include "../math/special.h"

const char *const xs_forecaster_names[XS_FORECASTERS] = {
	[XS_FORECAST_PRIOR] = "prior",
	[XS_FORECAST_GLOBAL] = "global",
	[XS_FORECAST_SEGMENT] = "segment",
	[XS_FORECAST_CONTEXTUAL] = "contextual",
};

/* NaN is a missing forecast, anything else outside [0,1] none at all */
static int
good_forecasts(const float *forecasts, int n)
{
	int			good = 1;
	int			i;

	for (i = 0; i < n; i++)
		good &= forecasts[i] != forecasts[i] || (forecasts[i] >= 0.0f && forecasts[i] <= 1.0f);
	return good;
}

static XsStatus
accumulate(int64_t *sum, double term, int sign)
{
	int64_t		fixed;
	XsStatus	status = xs_fixed(term, &fixed);

	return status == XS_OK ? xs_accumulate(sum, fixed, sign) : status;
}

static double
clamp(double p)
{
	if (p < XS_MIN_FORECAST)
		return XS_MIN_FORECAST;
	return p > 1.0 - XS_MIN_FORECAST ? 1.0 - XS_MIN_FORECAST : p;
}

/* NaN for a missing forecast. */
static double
log_loss(double forecast, double reward)
{
	double		p = clamp(forecast);
	double		q = clamp(1.0 - forecast);	/* not 1 - p, which is not exact */

	return forecast == forecast ? -(reward * xs_log(p) + (1.0 - reward) * xs_log(q)) : forecast;
}

/* One forecaster's part of an observation, on which the product's rate lost `reference`. */
static XsStatus
score(XsForecaster *state, double forecast, double reference, double reward, double weight, int sign)
{
	double		p = clamp(forecast);
	double		loss = log_loss(forecast, reward);
	XsStatus	status;

	if (forecast != forecast)
		return xs_accumulate(&state->missing, 1, sign);
	status = xs_beta_observe(&state->outcomes, reward, weight, sign);
	if (status == XS_OK)
		status = accumulate(&state->forecasts, weight * p, sign);
	if (status == XS_OK)
		status = accumulate(&state->log_loss, weight * loss, sign);
	if (status == XS_OK)
		status = accumulate(&state->brier, weight * ((p - reward) * (p - reward)), sign);
	if (status == XS_OK && reference == reference)
		status = accumulate(&state->gain, weight * (reference - loss), sign);
	return status;
}

XsStatus
xs_score_observe(XsScore *state, const float *forecasts, int nforecasts,
				 double reward, double weight, int sign)
{
	double		reference;
	XsStatus	status;
	int			j;

	if (nforecasts < 0 || nforecasts > XS_FORECASTERS)
		return XS_DIMENSION;
	if (!good_forecasts(forecasts, nforecasts))
		return XS_RANGE;
	status = xs_beta_observe(&state->outcomes, reward, weight, sign);
	reference = nforecasts > XS_FORECAST_GLOBAL ? log_loss(forecasts[XS_FORECAST_GLOBAL], reward) : XS_NAN;
	for (j = 0; j < nforecasts && status == XS_OK; j++)
		status = score(&state->forecasters[j], forecasts[j], reference, reward, weight, sign);
	return status;
}

static XsStatus
merge(XsForecaster *state, const XsForecaster *other, int sign)
{
	XsStatus	status = xs_beta_merge(&state->outcomes, &other->outcomes, sign);

	if (status == XS_OK)
		status = xs_accumulate(&state->missing, other->missing, sign);
	if (status == XS_OK)
		status = xs_accumulate(&state->forecasts, other->forecasts, sign);
	if (status == XS_OK)
		status = xs_accumulate(&state->log_loss, other->log_loss, sign);
	if (status == XS_OK)
		status = xs_accumulate(&state->brier, other->brier, sign);
	if (status == XS_OK)
		status = xs_accumulate(&state->gain, other->gain, sign);
	return status;
}

XsStatus
xs_score_merge(XsScore *state, const XsScore *other, int sign)
{
	XsStatus	status = xs_beta_merge(&state->outcomes, &other->outcomes, sign);
	int			j;

	for (j = 0; j < XS_FORECASTERS && status == XS_OK; j++)
		status = merge(&state->forecasters[j], &other->forecasters[j], sign);
	return status;
}
