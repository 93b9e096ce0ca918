/*
 * evidence.c: exact additive statistics of outcomes.
 */
#include <string.h>

#include "evidence.h"
#include "../math/special.h"

/*
 * rint(scaled) for |scaled| < 2^51: adding 1.5 * 2^52 leaves the rounded
 * integer in the low bits.  The bounds of evidence.h keep every term below
 * 2^24 * 8 * XS_MAX_WEIGHT * (XS_MAX_PREDICTOR + 1) < 2^48.
 */
static inline int64_t
to_integer(double scaled)
{
	double		shifted = scaled + 0x1.8p52;
	int64_t		bits;

	memcpy(&bits, &shifted, sizeof(bits));
	return bits - INT64_C(0x4338000000000000);
}

/* *sum += term without branches; the sign bit of the result tells an overflow. */
static inline uint64_t
add(int64_t *sum, int64_t term)
{
	uint64_t	a = (uint64_t) *sum;
	uint64_t	b = (uint64_t) term;
	uint64_t	result = a + b;

	*sum = (int64_t) result;
	return (a ^ result) & (b ^ result);
}

/* n, trials and successes, which both states keep */
static XsStatus
count(int64_t *n, int64_t *trials, int64_t *successes, double reward, double weight, int sign)
{
	XsStatus	status = xs_accumulate(n, 1, sign);

	if (status == XS_OK)
		status = xs_accumulate(trials, to_integer(XS_FIXED_ONE * weight), sign);
	if (status == XS_OK)
		status = xs_accumulate(successes, to_integer(XS_FIXED_ONE * (weight * reward)), sign);
	return status;
}

/* All comparisons are written so that NaN is outside. */
static int
within(double x, double low, double high)
{
	return x >= low && x <= high;
}

static int
good_weight(double weight)
{
	return weight > 0.0 && weight <= XS_MAX_WEIGHT;
}

XsStatus
xs_beta_observe(XsBeta *state, double reward, double weight, int sign)
{
	if (!within(reward, 0.0, 1.0) || !good_weight(weight))
		return XS_RANGE;
	return count(&state->n, &state->trials, &state->successes, reward, weight, sign);
}

XsStatus
xs_beta_merge(XsBeta *state, const XsBeta *other, int sign)
{
	XsStatus	status = xs_accumulate(&state->n, other->n, sign);

	if (status == XS_OK)
		status = xs_accumulate(&state->trials, other->trials, sign);
	if (status == XS_OK)
		status = xs_accumulate(&state->successes, other->successes, sign);
	return status;
}

static int
good_observation(const XsGlm *state, const float *x, double reward, double predictor,
				 double weight)
{
	double		lowest = state->link == XS_LOGIT ? 0.0 : -XS_MAX_PREDICTOR;
	double		highest = state->link == XS_LOGIT ? 1.0 : XS_MAX_PREDICTOR;
	int			good = 1;
	int			i;

	for (i = 0; i < state->dim; i++)
		good &= within(x[i], -XS_MAX_FEATURE, XS_MAX_FEATURE);
	return good && within(reward, lowest, highest) && good_weight(weight) &&
		within(predictor, -XS_MAX_PREDICTOR, XS_MAX_PREDICTOR);
}

/* w and w m + u (r - p) of evidence.h */
static void
newton_step(const XsGlm *state, double reward, double predictor, double weight,
			double *curvature, double *shift)
{
	double		p;

	*curvature = weight;
	*shift = weight * reward;
	if (state->link == XS_LOGIT)
	{
		p = xs_expit(predictor);
		/* 1 - p by its own exponential: p (1-p) is the same for m and -m */
		*curvature = weight * (p * xs_expit(-predictor));
		*shift = *curvature * predictor + weight * (reward - p);
	}
}

XsStatus
xs_glm_observe(XsGlm *state, const float *x, double reward,
			   double predictor, double weight, int sign)
{
	int64_t    *eta = state->sums;
	int64_t    *lambda = state->sums + state->dim;
	uint64_t	overflow = 0;
	double		curvature;
	double		shift;
	int			i,
				j;

	if (state->dim < 1 || state->dim > XS_MAX_DIM)
		return XS_DIMENSION;
	if (!good_observation(state, x, reward, predictor, weight))
		return XS_RANGE;
	newton_step(state, reward, predictor, weight, &curvature, &shift);
	/* exact, and rounding is symmetric: what -1 subtracts is what +1 added */
	curvature *= sign >= 0 ? XS_FIXED_ONE : -XS_FIXED_ONE;
	shift *= sign >= 0 ? XS_FIXED_ONE : -XS_FIXED_ONE;
	for (i = 0; i < state->dim; i++)
	{
		double		xi = x[i];

		overflow |= add(&eta[i], to_integer(xi * shift));
		for (j = 0; j <= i; j++)
			overflow |= add(&lambda[j], to_integer(curvature * (xi * x[j])));
		lambda += i + 1;
	}
	if (overflow >> 63)
		return XS_OVERFLOW;
	return count(&state->n, &state->trials, &state->successes, reward, weight, sign);
}

XsStatus
xs_glm_merge(XsGlm *state, const XsGlm *other, int sign)
{
	XsStatus	status;
	int			i;

	if (state->dim != other->dim || state->link != other->link)
		return XS_DIMENSION;
	status = xs_accumulate(&state->n, other->n, sign);
	if (status == XS_OK)
		status = xs_accumulate(&state->trials, other->trials, sign);
	if (status == XS_OK)
		status = xs_accumulate(&state->successes, other->successes, sign);
	for (i = 0; i < XS_GLM_SUMS(state->dim) && status == XS_OK; i++)
		status = xs_accumulate(&state->sums[i], other->sums[i], sign);
	return status;
}

double
xs_glm_variance(const XsGlm *state, int column)
{
	const int64_t *lambda = state->sums + state->dim;
	double		weight = xs_unfixed(lambda[0]);
	double		mean;
	double		variance;

	if (!(weight > 0.0))
		return 0.0;
	mean = xs_unfixed(lambda[XS_PACKED_INDEX(column, 0)]) / weight;
	variance = xs_unfixed(lambda[XS_PACKED_INDEX(column, column)]) / weight - mean * mean;
	return variance > 0.0 ? variance : 0.0;
}
