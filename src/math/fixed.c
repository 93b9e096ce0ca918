/*
 * fixed.c: fixed-point sums.
 */
#include "fixed.h"

XsStatus
xs_fixed(double q, int64_t *out)
{
	double		scaled = q * XS_FIXED_ONE;

	/* written so that NaN fails; 2^63 itself does not fit */
	if (!(scaled >= -0x1p63 && scaled < 0x1p63))
		return XS_RANGE;
	/* adding 2^52 rounds to an integer, ties to even; beyond, every double is one */
	if (scaled >= 0.0 && scaled < 0x1p52)
		scaled = (scaled + 0x1p52) - 0x1p52;
	else if (scaled < 0.0 && scaled > -0x1p52)
		scaled = (scaled - 0x1p52) + 0x1p52;
	*out = (int64_t) scaled;
	return XS_OK;
}

XsStatus
xs_accumulate(int64_t *sum, int64_t term, int sign)
{
	int64_t		result;

	if (sign >= 0 ? __builtin_add_overflow(*sum, term, &result)
		: __builtin_sub_overflow(*sum, term, &result))
		return XS_OVERFLOW;
	*sum = result;
	return XS_OK;
}
