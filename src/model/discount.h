/*
 * discount.h: evidence that counts for less, as its age demands.
 *
 * Every sum becomes rint(gamma * sum), ties to even, computed exactly whatever
 * the size of the sum.  That is evidence of the same observations with gamma
 * times their weight, up to the rounding; so n and all that counts observations
 * whatever their weight stay as they are.
 *
 * Rounding is monotone, so successes still do not exceed trials and a diagonal
 * stays above 0.  No element of a precision is off by more than half a unit
 * (2^-25), so no eigenvalue by more than dim/2 units: at most 1.6e-5.
 *
 * A discounted state is there to be read, not to be stored or subtracted from.
 *
 * Both return XS_RANGE, and change nothing, unless 0 <= gamma <= 1.
 */
#ifndef XS_DISCOUNT_H
#define XS_DISCOUNT_H

#include "evidence.h"

extern XsStatus xs_beta_scale(XsBeta *state, double gamma);
extern XsStatus xs_glm_scale(XsGlm *state, double gamma);

#endif
