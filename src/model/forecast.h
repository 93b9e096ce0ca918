/*
 * forecast.h: how well forecasts of rewards, made before the outcome was known,
 * have predicted them.
 *
 * Every decision logs what its forecasters expected; its reward then scores each
 * of them on data it had not seen (prequential, Dawid, JRSS A 147, 1984).  Both
 * scores are proper: no forecaster gains by saying other than it believes
 * (Gneiting and Raftery, JASA 102, 2007).  Sums are exact, as in evidence.h: any
 * order, subtracted, corrected.
 */
#ifndef XS_FORECAST_H
#define XS_FORECAST_H

#include "evidence.h"

/* Forecasts are clamped to [XS_MIN_FORECAST, 1 - XS_MIN_FORECAST]: no log loss above 13.82. */
#define XS_MIN_FORECAST 1e-6

enum
{
	XS_FORECAST_PRIOR,			/* the bank's propensity, or the neutral rate */
	XS_FORECAST_GLOBAL,
	XS_FORECAST_SEGMENT,
	XS_FORECAST_CONTEXTUAL,
	XS_FORECASTERS
};

extern const char *const xs_forecaster_names[XS_FORECASTERS];

/* The sums of one forecaster: over the observations for which it had a forecast. */
typedef struct XsForecaster
{
	XsBeta		outcomes;
	int64_t		missing;		/* observations for which it had none */
	int64_t		forecasts;		/* sum of u * p, fixed point, as are the losses */
	int64_t		log_loss;		/* sum of u * (-r ln p - (1-r) ln(1-p)) */
	int64_t		brier;			/* sum of u * (p - r)^2 */
	int64_t		gain;			/* sum of u * log loss saved against the product's rate (global), where
								 * that had a forecast, too */
} XsForecaster;

typedef struct XsScore
{
	XsBeta		outcomes;		/* of all observations */
	XsForecaster forecasters[XS_FORECASTERS];
} XsScore;

/*
 * One observation: nforecasts <= XS_FORECASTERS forecasts in [0,1] by number, NaN
 * where one is missing, reward r in [0,1], weight u in (0, XS_MAX_WEIGHT].
 * Forecasters beyond nforecasts count neither a forecast nor a missing one.
 * sign +1 adds, -1 removes.  XS_OVERFLOW may leave part of the observation in the
 * state: discard it.
 */
extern XsStatus xs_score_observe(XsScore *state, const float *forecasts, int nforecasts,
								 double reward, double weight, int sign);
extern XsStatus xs_score_merge(XsScore *state, const XsScore *other, int sign);

#endif
