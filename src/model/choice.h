/*
 * choice.h: which forecaster to believe, by how well each has predicted.
 *
 * Both choices are functions of the exact sums of forecast.h alone, so they are
 * replayed with the evidence they were made from.
 */
#ifndef XS_CHOICE_H
#define XS_CHOICE_H

#include "forecast.h"

/*
 * A forecaster takes over from another once it has predicted better by this much
 * log loss in all since the last change: a Bayes factor of 20.
 */
#define XS_LADDER_GAIN 2.995732273553991	/* ln 20 */

/*
 * The step of the ladder global - segment - contextual that the evidence
 * supports.  It begins at global, and each period (a week) in order adds to what
 * the others have gained on the step at hand; the best that has gained
 * XS_LADDER_GAIN takes over, and the count starts anew.  So steps change with
 * hysteresis, up and down.  gain[]: what each has gained on the result since the
 * last change, in nats.
 *
 * Each is compared with global on the decisions for which both had a forecast, and
 * with the others by that.
 */
extern int	xs_ladder(const XsScore *periods, int n, double gain[XS_FORECASTERS]);

/*
 * The trust in a propensity feed, from 0 to 1: the posterior probability that it
 * forecasts better than the product's plain rate, if before any evidence that
 * had odds of XS_TRUST_ODDS to 1 (Bayesian model averaging; R. Kass and A.
 * Raftery, JASA 90, 1995).
 */
#define XS_TRUST_ODDS 9.0
extern double xs_trust(const XsScore *score);

/* By how much log loss in all a has forecast better than b, in nats. */
extern double xs_forecast_gain(const XsScore *score, int a, int b);

#endif
