/*
 * normal.c: the normal distribution.
 *
 * Distribution function: W. J. Cody (1969), Rational Chebyshev approximations
 * for the error function, as arranged in his ANORM (algorithm 715, 1993).
 * Quantile: M. J. Wichura (1988), algorithm AS 241.
 */
#include "special.h"

#define SQRT_2PI_INVERSE 0.398942280401432677939946
#define CENTRAL 0.67448975		/* where Cody changes from the centre to the tail */

/* c[0] x^(n-1) + ... + c[n-1] */
static double
polynomial(const double *c, int n, double x)
{
	double		sum = c[0];
	int			i;

	for (i = 1; i < n; i++)
		sum = sum * x + c[i];
	return sum;
}

/* Phi(x) - 1/2 for |x| <= CENTRAL */
static double
central(double x)
{
	static const double a[] = {
		.065682337918207449113, 2.2352520354606839287, 161.02823106855587881,
		1067.6894854603709582, 18154.981253343561249
	};
	static const double b[] = {
		1.0, 47.20258190468824187, 976.09855173777669322,
		10260.932208618978205, 45507.789335026729956
	};

	return x * polynomial(a, 5, x * x) / polynomial(b, 5, x * x);
}

/* (1 - Phi(x)) exp(x^2/2) for x >= CENTRAL */
static double
scaled_tail(double x)
{
	static const double c[] = {
		1.0765576773720192317e-8, .39894151208813466764, 8.8831497943883759412,
		93.506656132177855979, 597.27027639480026226, 2494.5375852903726711,
		6848.1904505362823326, 11602.651437647350124, 9842.7148383839780218
	};
	static const double d[] = {
		1.0, 22.266688044328115691, 235.38790178262499861, 1519.377599407554805,
		6485.558298266760755, 18615.571640885098091, 34900.952721145977266,
		38912.003286093271411, 19685.429676859990727
	};
	static const double p[] = {
		.02307344176494017303, .21589853405795699, .1274011611602473639,
		.022235277870649807, .001421619193227893466, 2.9112874951168792e-5
	};
	static const double q[] = {
		1.0, 1.28426009614491121, .468238212480865118, .0659881378689285515,
		.00378239633202758244, 7.29751555083966205e-5
	};
	double		z;

	if (x <= 5.656854249492380195206754896838)
		return polynomial(c, 9, x) / polynomial(d, 9, x);
	z = 1.0 / (x * x);
	return (SQRT_2PI_INVERSE - z * polynomial(p, 6, z) / polynomial(q, 6, z)) / x;
}

/* 1 - Phi(x) for x >= CENTRAL */
static double
tail(double x)
{
	double		coarse;

	if (x > 40.0)
		return 0.0;
	/* the square of few bits is exact, so that exp does not magnify its rounding */
	coarse = (double) (int) (x * 16.0) / 16.0;
	return xs_exp(-0.5 * coarse * coarse) *
		xs_exp(-0.5 * (x - coarse) * (x + coarse)) * scaled_tail(x);
}

double
xs_norm_cdf(double x)
{
	if (x != x)
		return x;
	if (x > CENTRAL)
		return 1.0 - tail(x);
	if (x < -CENTRAL)
		return tail(-x);
	return 0.5 + central(x);
}

static double
quantile_of_tail(double p)
{
	static const double c[] = {
		7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
		1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
		4.63033784615654529590e0, 1.42343711074968357734e0
	};
	static const double d[] = {
		1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
		1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
		2.05319162663775882187e0, 1.0
	};
	static const double e[] = {
		2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
		2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
		5.46378491116411436990e0, 6.65790464350110377720e0
	};
	static const double f[] = {
		2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
		7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
		5.99832206555887937690e-1, 1.0
	};
	double		r = __builtin_sqrt(-xs_log(p));

	if (r <= 5.0)
		return polynomial(c, 8, r - 1.6) / polynomial(d, 8, r - 1.6);
	return polynomial(e, 8, r - 5.0) / polynomial(f, 8, r - 5.0);
}

double
xs_norm_quantile(double p)
{
	static const double a[] = {
		2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
		4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
		1.3314166789178437745e+2, 3.3871328727963666080e0
	};
	static const double b[] = {
		5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4,
		2.1213794301586595867e+4, 5.3941960214247511077e+3, 6.8718700749205790830e+2,
		4.2313330701600911252e+1, 1.0
	};
	double		q = p - 0.5;
	double		r;

	if (!(p >= 0.0 && p <= 1.0))
		return XS_NAN;
	if (p == 0.0 || p == 1.0)
		return p == 0.0 ? -XS_INFINITY : XS_INFINITY;
	if (q >= -0.425 && q <= 0.425)
	{
		r = 0.180625 - q * q;
		return q * polynomial(a, 8, r) / polynomial(b, 8, r);
	}
	return q < 0.0 ? -quantile_of_tail(p) : quantile_of_tail(1.0 - p);
}
