/*
 * packed.c: linear algebra on packed triangles.
 *
 * Sums run in four lanes: lane l adds the elements with index = l (mod 4), then
 * (l0 + l1) + (l2 + l3).  The lanes are GCC vectors (also in clang), whose
 * arithmetic is defined element by element: whatever registers the machine
 * has, the result is the same.
 */
#include "packed.h"

#define LANES 4

/* Two lanes; two pairs make the four.  aligned(8): rows of a triangle start anywhere. */
typedef double Pair __attribute__((vector_size(16), aligned(8), may_alias));

#define PAIR_AT(p) (*(const Pair *) (p))
#define SUM_OF_LANES(l01, l23) (((l01)[0] + (l01)[1]) + ((l23)[0] + (l23)[1]))

/* a . b: the lanes, then the rest in index order */
static double
dot(const double *a, const double *b, int n)
{
	Pair		l01 = {0.0, 0.0};
	Pair		l23 = {0.0, 0.0};
	double		sum;
	int			i;

	for (i = 0; i + LANES <= n; i += LANES)
	{
		l01 += PAIR_AT(a + i) * PAIR_AT(b + i);
		l23 += PAIR_AT(a + i + 2) * PAIR_AT(b + i + 2);
	}
	sum = SUM_OF_LANES(l01, l23);
	for (; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* y += c * x */
static void
add_multiple(double *y, double c, const double *x, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		y[i] += c * x[i];
}

XsStatus
xs_cholesky(double *a, int d)
{
	int			i,
				j;

	for (i = 0; i < d; i++)
	{
		double	   *row = a + XS_PACKED_INDEX(i, 0);
		double		pivot;

		for (j = 0; j < i; j++)
		{
			const double *above = a + XS_PACKED_INDEX(j, 0);

			row[j] = (row[j] - dot(row, above, j)) / above[j];
		}
		pivot = row[i] - dot(row, row, i);
		/* written so that NaN and infinity fail too */
		if (!(pivot > 0.0 && pivot <= 1e300))
			return XS_NOT_POSITIVE;
		row[i] = __builtin_sqrt(pivot);
	}
	return XS_OK;
}

/*
 * Row i of the inverse is (e_i - sum over k < i of L_ik * row k) / L_ii.  L_ik
 * is read just before its place is first written, so this works in place.
 */
void
xs_invert_lower(double *l, int d)
{
	int			i,
				j,
				k;

	for (i = 0; i < d; i++)
	{
		double	   *row = l + XS_PACKED_INDEX(i, 0);
		double		inverse = 1.0 / row[i];

		for (k = 0; k < i; k++)
		{
			const double *above = l + XS_PACKED_INDEX(k, 0);
			double		c = row[k];

			row[k] = c * above[k];
			add_multiple(row, c, above, k);
		}
		for (j = 0; j < i; j++)
			row[j] *= -inverse;
		row[i] = inverse;
	}
}

/* From the last row up, so that y may be x. */
void
xs_lower_multiply(const double *t, int d, const double *x, double *y)
{
	int			i;

	for (i = d - 1; i >= 0; i--)
		y[i] = dot(t + XS_PACKED_INDEX(i, 0), x, i + 1);
}

/* From the first row down, so that y may be x. */
void
xs_lower_transposed_multiply(const double *t, int d, const double *x, double *y)
{
	int			i;

	for (i = 0; i < d; i++)
	{
		const double *row = t + XS_PACKED_INDEX(i, 0);
		double		c = x[i];

		y[i] = c * row[i];
		add_multiple(y, c, row, i);
	}
}

/* Of four rows, i a multiple of 4: T x, by the same sums as dot, but side by side. */
static inline void
four_rows(const double *t, int i, const double *x, double y[LANES])
{
	const double *r0 = t + XS_PACKED_INDEX(i, 0);
	const double *r1 = r0 + i + 1;
	const double *r2 = r1 + i + 2;
	const double *r3 = r2 + i + 3;
	Pair		zero = {0.0, 0.0};
	Pair		a0 = zero,		/* lanes 0 and 1 of each row */
				a1 = zero,
				a2 = zero,
				a3 = zero;
	Pair		b0 = zero,		/* lanes 2 and 3 */
				b1 = zero,
				b2 = zero,
				b3 = zero;
	int			j;

	for (j = 0; j < i; j += LANES)
	{
		Pair		u = PAIR_AT(x + j);
		Pair		v = PAIR_AT(x + j + 2);

		a0 += PAIR_AT(r0 + j) * u;
		a1 += PAIR_AT(r1 + j) * u;
		a2 += PAIR_AT(r2 + j) * u;
		a3 += PAIR_AT(r3 + j) * u;
		b0 += PAIR_AT(r0 + j + 2) * v;
		b1 += PAIR_AT(r1 + j + 2) * v;
		b2 += PAIR_AT(r2 + j + 2) * v;
		b3 += PAIR_AT(r3 + j + 2) * v;
	}
	y[0] = SUM_OF_LANES(a0, b0) + r0[i] * x[i];
	y[1] = SUM_OF_LANES(a1, b1) + r1[i] * x[i] + r1[i + 1] * x[i + 1];
	y[2] = SUM_OF_LANES(a2, b2) + r2[i] * x[i] + r2[i + 1] * x[i + 1] + r2[i + 2] * x[i + 2];
	/* a row of four whole lanes: dot has no rest here */
	y[3] = ((a3[0] + r3[i] * x[i]) + (a3[1] + r3[i + 1] * x[i + 1])) +
		((b3[0] + r3[i + 2] * x[i + 2]) + (b3[1] + r3[i + 3] * x[i + 3]));
}

double
xs_lower_norm2(const double *t, int d, const float *x)
{
	double		wide[XS_PACKED_MAX];
	double		square[LANES] = {0.0, 0.0, 0.0, 0.0};
	double		y[LANES];
	int			i,
				r;

	for (i = 0; i < d; i++)
		wide[i] = x[i];
	for (i = 0; i + LANES <= d; i += LANES)
	{
		four_rows(t, i, wide, y);
		for (r = 0; r < LANES; r++)
			square[r] += y[r] * y[r];
	}
	for (r = 0; i < d; i++, r++)
	{
		y[0] = dot(t + XS_PACKED_INDEX(i, 0), wide, i + 1);
		square[r] += y[0] * y[0];
	}
	return (square[0] + square[1]) + (square[2] + square[3]);
}

double
xs_dot(const double *a, const float *x, int d)
{
	double		sum = 0.0;
	int			i;

	for (i = 0; i < d; i++)
		sum += a[i] * x[i];
	return sum;
}
