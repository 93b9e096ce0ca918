/*
 * gamma.c: logarithm of the gamma function and its derivatives, for x > 0.
 *
 * Stirling's asymptotic series (Abramowitz and Stegun 6.1.41, 6.3.18, 6.4.12)
 * from SHIFT on, the recurrence below it.
 */
#include <float.h>

#include "special.h"

#define SHIFT 10.0
#define HALF_LOG_2PI 0.918938533204672741780330

/* sum of c[i] z^i */
static double
series(const double *c, int n, double z)
{
	double		sum = c[n - 1];
	int			i;

	for (i = n - 2; i >= 0; i--)
		sum = sum * z + c[i];
	return sum;
}

/* B_2k / (2k (2k-1)), for x >= SHIFT */
static double
stirling_series(double x)
{
	static const double c[] = {
		1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0,
		-691.0 / 360360.0, 1.0 / 156.0, -3617.0 / 122400.0
	};

	return series(c, 8, 1.0 / (x * x)) / x;
}

/* Is x outside (0, infinity)?  Then *result is what every function here shares. */
static int
outside(double x, double at_zero, double at_infinity, double *result)
{
	if (x > 0.0 && x <= DBL_MAX)
		return 0;
	*result = x == 0.0 ? at_zero : x > 0.0 ? at_infinity : XS_NAN;
	return 1;
}

double
xs_stirling_error(double x)
{
	double		sum = 0.0;
	double		result;

	if (outside(x, XS_INFINITY, 0.0, &result))
		return result;
	/* every step's difference is small, so that little rounding gathers */
	while (x < SHIFT)
	{
		sum += (x + 0.5) * xs_log1p(1.0 / x) - 1.0;
		x += 1.0;
	}
	return sum + stirling_series(x);
}

double
xs_lgamma(double x)
{
	double		result;

	if (outside(x, XS_INFINITY, XS_INFINITY, &result))
		return result;
	if (x < 1e-17)
		return -xs_log(x);
	/* (x - 1/2) log x and x are large and of opposite sign: together first */
	return (x - 0.5) * (xs_log(x) - 1.0) - 0.5 + HALF_LOG_2PI + xs_stirling_error(x);
}

double
xs_digamma(double x)
{
	/* B_2k / (2k) */
	static const double c[] = {
		1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0,
		-691.0 / 32760.0, 1.0 / 12.0, -3617.0 / 8160.0
	};
	double		sum = 0.0;
	double		result;
	double		z;

	if (outside(x, -XS_INFINITY, XS_INFINITY, &result))
		return result;
	while (x < SHIFT)
	{
		sum += 1.0 / x;
		x += 1.0;
	}
	z = 1.0 / (x * x);
	return xs_log(x) - 0.5 / x - z * series(c, 8, z) - sum;
}

double
xs_trigamma(double x)
{
	/* B_2k */
	static const double c[] = {
		1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0,
		-691.0 / 2730.0, 7.0 / 6.0, -3617.0 / 510.0
	};
	double		sum = 0.0;
	double		result;
	double		z;

	if (outside(x, XS_INFINITY, 0.0, &result))
		return result;
	while (x < SHIFT)
	{
		sum += 1.0 / (x * x);
		x += 1.0;
	}
	z = 1.0 / (x * x);
	return sum + (1.0 / x + 0.5 * z + z * series(c, 8, z) / x);
}
