/*
 * packed.c: linear algebra on packed triangles and panels.
 *
 * What takes time is in packed_kernels.h; what a block of eight rows costs only
 * once is here, in plain C.
 */
#include <string.h>

#include "packed.h"
#include "lanes.h"

/* Written so that NaN and infinity fail too. */
static int
is_pivot(double pivot)
{
	return pivot > 0.0 && pivot <= 1e300;
}

/* The first d rows of L; inverse: of its diagonal. */
static XsStatus
cholesky_by_rows(double *a, int d, double *inverse)
{
	int			i,
				j,
				k;

	for (i = 0; i < d; i++)
	{
		double	   *row = a + XS_PACKED_INDEX(i, 0);

		for (j = 0; j <= i; j++)
		{
			const double *above = a + XS_PACKED_INDEX(j, 0);

			for (k = 0; k < j; k++)
				row[j] -= row[k] * above[k];
			if (j < i)
				row[j] *= inverse[j];
		}
		if (!is_pivot(row[i]))
			return XS_NOT_POSITIVE;
		row[i] = __builtin_sqrt(row[i]);
		inverse[i] = 1.0 / row[i];
	}
	return XS_OK;
}

/* Rows and columns i to i + n - 1 of T.  Column by column in place: what is read again lies to the right. */
static void
invert_block(double *l, int i, int n)
{
	int			c,
				k,
				r;

	for (r = i; r < i + n; r++)
	{
		double	   *row = l + XS_PACKED_INDEX(r, 0);
		double		inverse = 1.0 / row[r];

		for (c = i; c < r; c++)
		{
			double		sum = 0.0;

			for (k = c; k < r; k++)
				sum += row[k] * l[XS_PACKED_INDEX(k, c)];
			row[c] = sum * -inverse;
		}
		row[r] = inverse;
	}
}

/* Column j of the eight packed rows from i on; 0 for those that do not reach it. */
static void
column_to_panel(const double *a, int i, int j, double *panel)
{
	int			r;

	for (r = 0; r < 8; r++)
		panel[8 * j + r] = j <= i + r ? a[XS_PACKED_INDEX(i + r, j)] : 0.0;
}

static void
column_from_panel(double *a, int i, int j, const double *panel)
{
	int			r;

	for (r = j > i ? j - i : 0; r < 8; r++)
		a[XS_PACKED_INDEX(i + r, j)] = panel[8 * j + r];
}

/* Where the panel begins whose last row is the belief's row rows - 1. */
static int
panel_at(int d, int rows)
{
	int			before = (rows + 7) / 8 - 1;

	return 8 * before * (4 * before + 4 - XS_BELIEF_MISSING(d));
}

/* The first panel, of the first rows (T's, or if it is the only one T's and mu). */
static void
head_to_panel(double *t, int rows, int d)
{
	double		panel[8 * 8] = {0.0};
	int			i,
				j;

	for (i = 0; i < rows; i++)
		for (j = 0; j <= i && j < d; j++)
			panel[8 * j + 8 - rows + i] = t[XS_PACKED_INDEX(i, j)];
	memcpy(t, panel, sizeof(double) * 8 * (size_t) (rows <= d ? rows : d));
}

#define KERNELS "packed_kernels.h"
#include "lanes_each.h"

XsStatus
xs_cholesky(double *a, int d)
{
	return XS_WIDEST(cholesky)(a, d);
}

void
xs_invert_lower(double *l, int d)
{
	XS_WIDEST(invert_lower)(l, d);
}

double
xs_dot(const double *a, const float *x, int d)
{
	double		even = 0.0;
	double		odd = 0.0;
	int			i;

	for (i = 0; i + 2 <= d; i += 2)
	{
		even += a[i] * x[i];
		odd += a[i + 1] * x[i + 1];
	}
	if (i < d)
		even += a[i] * x[i];
	return even + odd;
}

/* From the last row up, so that y may be x. */
void
xs_lower_multiply(const double *t, int d, const double *x, double *y)
{
	int			i,
				j;

	for (i = d - 1; i >= 0; i--)
	{
		const double *row = t + XS_PACKED_INDEX(i, 0);
		double		even = 0.0;
		double		odd = 0.0;

		for (j = 0; j < i; j += 2)
		{
			even += row[j] * x[j];
			odd += row[j + 1] * x[j + 1];
		}
		if (j == i)
			even += row[i] * x[i];
		y[i] = even + odd;
	}
}

void
xs_lower_transposed_multiply(const double *t, int d, const double *x, double *y)
{
	XS_WIDEST(lower_transposed_multiply)(t, d, x, y);
}

void
xs_belief(double *t, int d, const double *mu)
{
	memcpy(t + XS_PACKED_SIZE(d), mu, sizeof(double) * (size_t) d);
	XS_WIDEST(belief)(t, d);
}

void
xs_belief_set_mean(double *belief, int d, const double *mu)
{
	double	   *last = belief + panel_at(d, d + 1);
	int			j;

	for (j = 0; j < d; j++)
		last[8 * j + 7] = mu[j];
}

double
xs_belief_predict(const double *belief, int d, const float *x, double *variance)
{
	return XS_WIDEST(belief_predict)(belief, d, x, variance);
}

void
xs_belief_multiply(const double *belief, int d, const double *x, double *y)
{
	XS_WIDEST(belief_multiply)(belief, d, x, y);
}

void
xs_belief_transposed_multiply(const double *belief, int d, const double *x, double *y)
{
	XS_WIDEST(belief_transposed_multiply)(belief, d, x, y);
}
