/*
 * fixed.h: fixed-point sums, the reason why evidence is exact.
 *
 * A real quantity q is stored as rint(q * 2^24) in an int64; sums of such
 * integers do not depend on their order, and what was added can be subtracted.
 */
#ifndef XS_FIXED_H
#define XS_FIXED_H

#include <stdbool.h>
#include <stdint.h>

#define XS_FIXED_BITS 24
#define XS_FIXED_ONE ((double) (1 << XS_FIXED_BITS))

typedef enum XsStatus
{
	XS_OK = 0,
	XS_OVERFLOW,				/* a sum left the range of int64 */
	XS_RANGE,					/* an input is not finite or outside its declared range */
	XS_DIMENSION,				/* states of different dimension or link */
	XS_NOT_POSITIVE				/* a precision matrix is not positive definite */
} XsStatus;

/* rint(q * 2^24); XS_RANGE if q is not finite or the result does not fit. */
extern XsStatus xs_fixed(double q, int64_t *out);

static inline double
xs_unfixed(int64_t f)
{
	return (double) f / XS_FIXED_ONE;
}

/* *sum += sign * term, sign being +1 or -1; XS_OVERFLOW leaves *sum unchanged. */
extern XsStatus xs_accumulate(int64_t *sum, int64_t term, int sign);

#endif
