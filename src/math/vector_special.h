/*
 * vector_special.h: special functions of vectors, for files of kernels.
 */

#define TO_INTEGER 0x1.8p52		/* adding it rounds to an integer, which the low bits then are */
#define FAR_SCORE 20.0

INLINE Vector
NAME(pick)(Bits mask, Vector if_set, Vector if_not)
{
	return (Vector) (((Bits) if_set & mask) | ((Bits) if_not & ~mask));
}

/* v * 2^k, k given as k + TO_INTEGER; neither v nor the result subnormal */
INLINE Vector
NAME(times_power)(Vector v, Vector k)
{
	return (Vector) ((Bits) v + ((Bits) k << 52));
}

/* xs_exp to the bit, for |x| <= 700 */
INLINE Vector
NAME(exp)(Vector x)
{
	Vector		shifted = x * 1.44269504088896338700e+00 + TO_INTEGER;
	Vector		k = shifted - TO_INTEGER;
	Vector		high = x - k * 6.93147180369123816490e-01;
	Vector		low = k * 1.90821492927058770002e-10;
	Vector		r = high - low;
	Vector		t = r * r;
	Vector		c = r - t * (1.66666666666666019037e-01 + t * (-2.77777777770155933842e-03 +
			t * (6.61375632143793436117e-05 + t * (-1.65339022054652515390e-06 +
			t * 4.13813679705723846039e-08))));

	return NAME(times_power)(1.0 - ((low - (r * c) / (2.0 - c)) - high), shifted);
}

/* log x for normal positive x, by the argument reduction and coefficients of xs_log. */
INLINE Vector
NAME(log)(Vector x)
{
	Bits		bits = (Bits) x + (0x3ff0000000000000ULL - 0x3fe6a09e667f3bcdULL);
	Vector		k = (Vector) ((bits >> 52) | 0x4330000000000000ULL) - (0x1p52 + 1023.0);
	Vector		m = (Vector) ((bits & 0x000fffffffffffffULL) + 0x3fe6a09e667f3bcdULL);
	Vector		s = (m - 1.0) / (m + 1.0);	/* log m = 2 artanh s */
	Vector		z = s * s;
	Vector		w = z * z;
	Vector		r = ((6.666666666666735130e-01 + 3.999999999940941908e-01 * z) +
					 (2.857142874366239149e-01 + 2.222219843214978396e-01 * z) * w) +
		((1.818357216161805012e-01 + 1.531383769920937332e-01 * z) + 1.479819860510158591e-01 * w) * (w * w);

	return k * 6.93147180369123816490e-01 +
		((s + s) + ((s * z) * r + k * 1.90821492927058770002e-10));
}

/*
 * Phi(t), and *hazard = phi(t)/Phi(t).  With u = |t| and Mills' ratio n(u)/d(u),
 *
 *   Phi = phi n / d, hazard = d / n   below 0,
 *   Phi = (d - phi n) / d, hazard = phi d / (d - phi n)   above,
 *
 * which share one division.  Coefficients are those of vector_special_fit.py: Mills'
 * ratio within 2e-13 times min(10^4, exp(u^2/2)) of itself for u <= 8.5 (beyond within
 * 1e-5), phi within 2e-14: so Phi within 2e-13, absolute, and in its lower tail within
 * 3e-9 of itself.  |t| counts as FAR_SCORE at most, so that no product becomes subnormal.
 */
INLINE Vector
NAME(norm_cdf)(Vector t, Vector *hazard)
{
	Bits		negative = (Bits) (t < 0.0);
	Vector		u = (Vector) ((Bits) t & 0x7fffffffffffffffULL);
	Vector		u2,
				u4,
				shifted,
				r,
				r2,
				r4,
				density,
				n,
				d,
				rest,
				one = {0},
				common;
	Bits		flip;

	u = NAME(pick)((Bits) (u < FAR_SCORE), u, one + FAR_SCORE);
	one += 1.0;
	u2 = u * u;
	u4 = u2 * u2;
	n = ((0x1.40d931ff622a2p+0 + 0x1.26f360c7cc910p+0 * u) +
		 (0x1.0d7332fce5a9ep-1 + 0x1.18e8dc4db8c38p-3 * u) * u2) +
		(0x1.4b2ae2cc17e42p-6 + 0x1.61dfdcc2df975p-10 * u) * u4;
	d = ((1.0 + 0x1.b7985570699a0p+0 * u) + (0x1.4a3db8e83924dp+0 + 0x1.17996245f30bap-1 * u) * u2) +
		((0x1.1bbd3bfeca72cp-3 + 0x1.4b241c98c82e0p-6 * u) + 0x1.61e270d109c06p-10 * u2) * u4;

	/* exp(-u^2/2) / sqrt(2 pi) = 2^k exp(r) / sqrt(2 pi) */
	shifted = u2 * -0.72134752044448170368 + TO_INTEGER;
	r = u2 * -0.5 - (shifted - TO_INTEGER) * 0.69314718055994530942;
	r2 = r * r;
	r4 = r2 * r2;
	density = (((0x1.9884533d436acp-2 + 0x1.9884533d4334ep-2 * r) +
				(0x1.9884533d305e7p-3 + 0x1.1058377e7e628p-4 * r) * r2) +
			   ((0x1.105837a64c2e4p-6 + 0x1.b3c057a7df205p-9 * r) +
				(0x1.227fc535460e8p-11 + 0x1.4c01a9ca7aa08p-14 * r) * r2) * r4) +
		(0x1.4d1abcf261b29p-17 + 0x1.264eb42494295p-20 * r) * (r4 * r4);
	density = NAME(times_power)(density, shifted);

	/* rest: n or d - phi n; then Phi = (phi or 1) rest / d, hazard = (1 or phi) d / rest */
	rest = d - density * n;
	rest = NAME(pick)(negative, n, rest);
	flip = ((Bits) density ^ (Bits) one) & negative;
	common = 1.0 / (d * rest);
	*hazard = (Vector) ((Bits) density ^ flip) * ((common * d) * d);
	return (Vector) ((Bits) one ^ flip) * ((common * rest) * rest);
}
