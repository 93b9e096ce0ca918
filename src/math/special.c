/*
 * special.c: exponential, logarithm and their relatives.
 *
 * Argument reductions and coefficients of exp and log are those of fdlibm
 * (Sun Microsystems, 1993: e_exp.c, e_log.c), error below one unit in the last place.
 */
#include <float.h>
#include <stdint.h>
#include <string.h>

#include "special.h"

#if FLT_EVAL_METHOD != 0
#error "xsell needs arithmetic in the precision of the operands (on x86: SSE2)"
#endif

#define LN2_HIGH 6.93147180369123816490e-01 /* times any exponent: exact */
#define LN2_LOW 1.90821492927058770002e-10
#define INVERSE_LN2 1.44269504088896338700e+00
#define TO_INTEGER 0x1.8p52		/* adding it rounds to an integer, ties to even */

/* 2^k for -1022 <= k <= 1023 */
static double
power_of_two(int k)
{
	uint64_t	bits = (uint64_t) (k + 1023) << 52;
	double		result;

	memcpy(&result, &bits, sizeof(result));
	return result;
}

double
xs_exp(double x)
{
	double		k,
				high,
				low,
				r,
				t,
				c;
	int			half;

	if (x != x)
		return x;
	if (x > 709.782712893383973096)
		return XS_INFINITY;
	if (x < -745.13321910194110842)
		return 0.0;

	/* x = k ln 2 + r, exp(r) by a rational approximation */
	k = (x * INVERSE_LN2 + TO_INTEGER) - TO_INTEGER;
	high = x - k * LN2_HIGH;
	low = k * LN2_LOW;
	r = high - low;
	t = r * r;
	c = r - t * (1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03 +
			t * (6.61375632143793436117e-05 + t * (-1.65339022054652515390e-06 +
			t * 4.13813679705723846039e-08))));
	t = 1.0 - ((low - (r * c) / (2.0 - c)) - high);

	/* in two factors, so that neither leaves the range of normal numbers */
	half = (int) k / 2;
	return t * power_of_two(half) * power_of_two((int) k - half);
}

double
xs_log(double x)
{
	uint64_t	bits;
	int			k = 0;
	double		f,
				s,
				z,
				w,
				half_square,
				r;

	if (!(x > 0.0))
		return x == 0.0 ? -XS_INFINITY : XS_NAN;
	if (x > DBL_MAX)
		return x;
	if (x < DBL_MIN)
	{
		k = -54;
		x *= 0x1p54;
	}

	/* x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2) */
	memcpy(&bits, &x, sizeof(bits));
	bits += UINT64_C(0x3ff0000000000000) - UINT64_C(0x3fe6a09e667f3bcd);
	k += (int) (bits >> 52) - 1023;
	bits = (bits & UINT64_C(0x000fffffffffffff)) + UINT64_C(0x3fe6a09e667f3bcd);
	memcpy(&x, &bits, sizeof(x));
	f = x - 1.0;

	s = f / (2.0 + f);
	z = s * s;
	w = z * z;
	r = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 +
			w * 1.531383769920937332e-01));
	r += z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 +
			w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
	half_square = 0.5 * f * f;
	return k * LN2_HIGH - ((half_square - (s * (half_square + r) + k * LN2_LOW)) - f);
}

double
xs_log1p(double x)
{
	double		u = 1.0 + x;
	double		lost;			/* what rounding took from 1 + x */

	if (!(x > -1.0) || x > DBL_MAX)
		return x > DBL_MAX ? x : xs_log(u);
	lost = x >= 1.0 ? 1.0 - (u - x) : x - (u - 1.0);
	return xs_log(u) + lost / u;
}

double
xs_expit(double x)
{
	double		e;

	if (x >= 0.0)
		return 1.0 / (1.0 + xs_exp(-x));
	e = xs_exp(x);
	return e / (1.0 + e);
}

double
xs_logit(double p)
{
	/* around 1/2 the quotient's logarithm would lose what is left of it */
	if (p > 0.3 && p < 0.7)
		return xs_log1p((2.0 * p - 1.0) / (1.0 - p));
	if (!(p <= 1.0))
		return XS_NAN;
	return xs_log(p) - xs_log1p(-p);
}
