/*
 * beta_function.c: the Beta distribution.
 *
 * Density in the saddle-point form of C. Loader (2000), "Fast and accurate
 * computation of binomial probabilities", which has no large terms that cancel;
 * distribution function by the continued fraction of A. DiDonato and A. Morris
 * (1992), algorithm 708.
 */
#include <float.h>

#include "special.h"

#define LOG_2PI 1.83787706640934548356066
#define MAX_TERMS 200000

/* log(1 + r) - r, without cancellation around 0 */
static double
log1p_minus(double r)
{
	double		f = r / (2.0 + r);
	double		f2 = f * f;
	double		sum = 0.0;
	int			k;

	if (r < -0.5 || r > 1.0)
		return xs_log1p(r) - r;
	/* log(1 + r) = 2 (f + f^3/3 + ...) and r = 2 f / (1 - f), f^2 <= 1/9 */
	for (k = 35; k >= 3; k -= 2)
		sum = sum * f2 + 1.0 / k;
	return 2.0 * f * f2 * sum - r * f;
}

/* The upper half of x's bits, so that products of halves are exact (Veltkamp). */
static double
upper_half(double x)
{
	double		c = 134217729.0 * x;

	return c - (c - x);
}

/* a - (a + b) x in twice the precision: its rounding would be magnified by a + b */
static double
excess(double a, double b, double x)
{
	double		n = a + b;
	double		n_lost = a > b ? b - (n - a) : a - (n - b);
	double		nx = n * x;
	double		nh = upper_half(n);
	double		xh = upper_half(x);
	double		nx_lost = ((nh * xh - nx) + nh * (x - xh) + (n - nh) * xh) +
		(n - nh) * (x - xh);

	return (a - nx) - nx_lost - n_lost * x;
}

/* a (log(m/a) - (m/a - 1)) where m = a + d */
static double
deviance(double a, double m, double d)
{
	double		r = d / a;

	if (r >= -0.5 && r <= 1.0)
		return a * log1p_minus(r);
	return a * xs_log(m / a) - d;
}

/* log(x^a y^b / B(a,b)), y = 1 - x, d = a - (a+b) x */
static double
log_kernel(double a, double b, double x, double y, double d)
{
	double		n = a + b;

	return deviance(a, n * x, -d) + deviance(b, n * y, d) +
		0.5 * (xs_log(a) + xs_log(b / n) - LOG_2PI) -
		(xs_stirling_error(a) + xs_stirling_error(b) - xs_stirling_error(n));
}

/*
 * r with I_x(a,b) = kernel * r, for d = a - (a+b) x > -1 or so: BFRAC of algorithm 708.
 * It takes d and y from outside because neither survives a computation from x.
 */
static double
fraction(double a, double b, double x, double y, double d)
{
	double		c = 1.0 + d;
	double		c1 = 1.0 + 1.0 / a;
	double		p = 1.0;
	double		s = a + 1.0;
	double		numerator[2] = {0.0, 1.0};	/* of the last convergents but one, and last */
	double		denominator[2] = {1.0, c / c1};
	double		r = c1 / c;
	int			n;

	for (n = 1; n <= MAX_TERMS; n++)
	{
		double		t = n / a;
		double		w = n * (b - n) * x;
		double		e = a / s;
		double		alpha = p * (p + b / a) * e * e * (w * x);
		double		beta;
		double		before = r;
		double		next;

		e = (1.0 + t) / (c1 + t + t);
		beta = n + w / s + e * (c + n * (1.0 + y));
		p = 1.0 + t;
		s += 2.0;

		next = alpha * denominator[0] + beta * denominator[1];
		r = (alpha * numerator[0] + beta * numerator[1]) / next;
		/* the convergents' common factor is free: it keeps them near 1 */
		numerator[0] = numerator[1] / next;
		denominator[0] = denominator[1] / next;
		numerator[1] = r;
		denominator[1] = 1.0;
		/* exactly equal: where convergence is slow, steps are far smaller than the error */
		if (r == before)
			break;
	}
	return r;
}

/* Does power_series converge within a few terms? */
static int
near_zero(double b, double x)
{
	return x <= 0.5 && b * x <= 1.0;
}

/* r with I_x(a,b) = kernel * r, times y^b: power series in x (ibidem, BPSER) */
static double
power_series(double a, double b, double x)
{
	double		term = 1.0;
	double		sum = 0.0;
	int			n;

	for (n = 1; n <= 200; n++)
	{
		double		before = sum;

		term *= (1.0 - b / n) * x;
		sum += term / (a + n);
		if (sum == before)
			break;
	}
	return 1.0 / a + sum;
}

/*
 * Compute the lower tail, not one minus the upper?  The mean divides them, but
 * for b < 1 the lower tail's fraction converges slowly as x approaches it.
 */
static int
take_lower(double a, double b, double x, double d)
{
	if (near_zero(b, x) || b >= 1.0)
		return near_zero(b, x) || d >= 0.0;
	return d >= (a < 0.2 ? 0.5 * a : 0.1);
}

/* log of I_x(a,b) from the lower tail */
static double
log_lower(double a, double b, double x, double y, double d, double kernel)
{
	if (near_zero(b, x))
		return kernel - b * xs_log1p(-x) + xs_log(power_series(a, b, x));
	return kernel + xs_log(fraction(a, b, x, y, d));
}

/* log I_x(a,b), 0 < x < 1, y = 1 - x; *log_density is log(x^a y^b / B(a,b)) */
static double
log_cdf(double a, double b, double x, double y, double *log_density)
{
	/* the smaller of x and y is the exact one */
	double		d = x <= y ? excess(a, b, x) : -excess(b, a, y);
	double		kernel = log_kernel(a, b, x, y, d);
	double		upper;

	*log_density = kernel;
	if (take_lower(a, b, x, d))
		return log_lower(a, b, x, y, d, kernel);
	upper = xs_exp(log_lower(b, a, y, x, -d, kernel));
	return upper < 1.0 ? xs_log1p(-upper) : -XS_INFINITY;
}

static int
good_shape(double a, double b)
{
	return a >= 1e-100 && b >= 1e-100 && a <= 1e100 && b <= 1e100;
}

double
xs_beta_cdf(double a, double b, double x)
{
	double		y = 1.0 - x;
	double		d,
				kernel,
				result;

	if (!good_shape(a, b) || x != x)
		return XS_NAN;
	if (x <= 0.0 || x >= 1.0)
		return x <= 0.0 ? 0.0 : 1.0;
	d = x <= y ? excess(a, b, x) : -excess(b, a, y);
	kernel = log_kernel(a, b, x, y, d);
	if (take_lower(a, b, x, d))
		result = xs_exp(log_lower(a, b, x, y, d, kernel));
	else
		result = 1.0 - xs_exp(log_lower(b, a, y, x, -d, kernel));
	if (result > 1.0)
		return 1.0;
	return result > 0.0 ? result : 0.0;
}

/*
 * The x <= 1/2 with log I_x(a,b) = target, by Newton's method on log x, where
 * log I is close to linear (slope a) at the left and nearly concave; bracketed.
 */
static double
lower_quantile(double a, double b, double target)
{
	double		left = -708.0;
	double		right = -0.69314718055994530942;
	double		w,
				log_density,
				f,
				step;
	int			i;

	if (log_cdf(a, b, xs_exp(left), 1.0, &log_density) >= target)
		return 0.0;
	/* start from I ~ x^a / (a B(a,b)) */
	w = (target + xs_log(a) + (xs_lgamma(a) + xs_lgamma(b) - xs_lgamma(a + b))) / a;
	for (i = 0; i < 300; i++)
	{
		double		x;

		if (!(w > left && w < right))
			w = 0.5 * (left + right);
		x = xs_exp(w);
		f = log_cdf(a, b, x, 1.0 - x, &log_density);
		if (f < target)
			left = w;
		else
			right = w;
		/* d log I / d log x = (x^a y^b / B) / (y I) */
		step = (target - f) * (1.0 - x) / xs_exp(log_density - f);
		if (right - left < 1e-15 || (step < 1e-14 && step > -1e-14))
			break;
		w += step;
	}
	return xs_exp(w);
}

double
xs_beta_quantile(double a, double b, double p)
{
	double		unused;

	if (!good_shape(a, b) || !(p >= 0.0 && p <= 1.0))
		return XS_NAN;
	if (p == 0.0 || p == 1.0)
		return p;
	if (log_cdf(a, b, 0.5, 0.5, &unused) >= xs_log(p))
		return lower_quantile(a, b, xs_log(p));
	return 1.0 - lower_quantile(b, a, xs_log1p(-p));
}
