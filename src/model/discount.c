/*
 * discount.c: evidence times a factor, in integers.
 */
#include <string.h>

#include "discount.h"

/* A factor in [0,1] as it is stored: mantissa / 2^shift. */
typedef struct Factor
{
	uint64_t	mantissa;		/* below 2^53 */
	int			shift;			/* 52 (for 1 alone) .. 1075 */
} Factor;

/* False if gamma is outside [0,1], or NaN. */
static bool
factor(double gamma, Factor *out)
{
	uint64_t	bits;

	if (!(gamma >= 0.0 && gamma <= 1.0))
		return false;
	memcpy(&bits, &gamma, sizeof(bits));
	/* 0 and what is too small to have its leading bit: so large a shift leaves nothing anyhow */
	out->mantissa = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
	out->shift = 1075 - (int) (bits >> 52 & 0x7ff);
	return true;
}

/*
 * rint(magnitude * factor), ties to even, for magnitude <= 2^63 and a factor below
 * 1.  Of the exact product, high and low, doubled is the whole part with one more
 * bit, the half; rest is not 0 if anything is left below that.
 */
static uint64_t
scale_magnitude(uint64_t magnitude, Factor f)
{
	uint64_t	m0 = f.mantissa & UINT32_MAX;
	uint64_t	m1 = f.mantissa >> 32;
	uint64_t	a0 = magnitude & UINT32_MAX;
	uint64_t	a1 = magnitude >> 32;
	uint64_t	high = a1 * m1 + ((a1 * m0 + a0 * m1 + (a0 * m0 >> 32)) >> 32);
	uint64_t	low = magnitude * f.mantissa;
	int			drop = f.shift - 1; /* keeps one bit after the point */
	uint64_t	doubled;
	uint64_t	rest;
	uint64_t	whole;

	if (drop >= 128)
		return 0;
	if (drop >= 64)
	{
		doubled = high >> (drop - 64);
		rest = low | (high ^ doubled << (drop - 64));
	}
	else
	{
		doubled = high << (64 - drop) | low >> drop;
		rest = low << (64 - drop);
	}
	whole = doubled >> 1;
	return whole + (doubled & (rest != 0 || (whole & 1)));
}

static void
scale(int64_t *sum, Factor f)
{
	uint64_t	magnitude = *sum < 0 ? -(uint64_t) *sum : (uint64_t) *sum;

	if (f.shift == 52)			/* times 1 */
		return;
	magnitude = scale_magnitude(magnitude, f);
	*sum = *sum < 0 ? -(int64_t) magnitude : (int64_t) magnitude;
}

XsStatus
xs_beta_scale(XsBeta *state, double gamma)
{
	Factor		f;

	if (!factor(gamma, &f))
		return XS_RANGE;
	scale(&state->trials, f);
	scale(&state->successes, f);
	return XS_OK;
}

XsStatus
xs_glm_scale(XsGlm *state, double gamma)
{
	Factor		f;
	int			i;

	if (!factor(gamma, &f))
		return XS_RANGE;
	scale(&state->trials, f);
	scale(&state->successes, f);
	for (i = 0; i < XS_GLM_SUMS(state->dim); i++)
		scale(&state->sums[i], f);
	return XS_OK;
}
