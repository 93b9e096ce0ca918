/*
 * test_packed.c: packed linear algebra against plain loops.
 */
#include "../../src/math/packed.h"
#include "../../src/math/random.h"
#include "unit.h"

enum
{
	LARGEST = 41
};

static double
noise(void)
{
	static uint64_t counter = 0;

	return 2.0 * xs_uniform(9, counter++, 0) - 1.0;
}

/* A = B B' + I */
static void
make_positive(double *a, int d)
{
	static double b[LARGEST][LARGEST];
	int			i,
				j,
				k;

	for (i = 0; i < d; i++)
		for (j = 0; j < d; j++)
			b[i][j] = noise();
	for (i = 0; i < d; i++)
		for (j = 0; j <= i; j++)
		{
			double	   *element = &a[XS_PACKED_INDEX(i, j)];

			*element = i == j;
			for (k = 0; k < d; k++)
				*element += b[i][k] * b[j][k];
		}
}

static void
test_factor(int d, Worst *factor, Worst *inverse)
{
	double	   *a = malloc(sizeof(double) * XS_PACKED_SIZE(d));
	double	   *l = malloc(sizeof(double) * XS_PACKED_SIZE(d));
	double	   *t = malloc(sizeof(double) * XS_PACKED_SIZE(d));
	int			i,
				j,
				k;

	make_positive(a, d);
	memcpy(l, a, sizeof(double) * XS_PACKED_SIZE(d));
	if (xs_cholesky(l, d) != XS_OK)
		worst(factor, HUGE_VAL, "d = %d", d);
	memcpy(t, l, sizeof(double) * XS_PACKED_SIZE(d));
	xs_invert_lower(t, d);
	for (i = 0; i < d; i++)
		for (j = 0; j <= i; j++)
		{
			double		ll = 0.0;
			double		tl = 0.0;

			for (k = 0; k <= j; k++)
				ll += l[XS_PACKED_INDEX(i, k)] * l[XS_PACKED_INDEX(j, k)];
			for (k = j; k <= i; k++)
				tl += t[XS_PACKED_INDEX(i, k)] * l[XS_PACKED_INDEX(k, j)];
			worst(factor, fabs(ll - a[XS_PACKED_INDEX(i, j)]), "d = %d, (%d,%d)", d, i, j);
			worst(inverse, fabs(tl - (i == j)), "d = %d, (%d,%d)", d, i, j);
		}
	free(a);
	free(l);
	free(t);
}

static void
test_products(int d, Worst *products)
{
	double	   *t = malloc(sizeof(double) * XS_PACKED_SIZE(d));
	float	   *x = malloc(sizeof(float) * d);
	double	   *wide = malloc(sizeof(double) * d);
	double	   *y = malloc(sizeof(double) * d);
	double		norm2 = 0.0;
	double		sum;
	int			i,
				j;

	for (i = 0; i < XS_PACKED_SIZE(d); i++)
		t[i] = noise();
	for (i = 0; i < d; i++)
		wide[i] = x[i] = (float) noise();
	xs_lower_multiply(t, d, wide, y);
	for (i = 0; i < d; i++)
	{
		sum = 0.0;
		for (j = 0; j <= i; j++)
			sum += t[XS_PACKED_INDEX(i, j)] * x[j];
		worst(products, fabs(sum - y[i]), "d = %d, T x", d);
		norm2 += sum * sum;
	}
	worst(products, relative(xs_lower_norm2(t, d, x), norm2), "d = %d, norm", d);
	memcpy(y, wide, sizeof(double) * d);
	xs_lower_transposed_multiply(t, d, y, y);
	for (j = 0; j < d; j++)
	{
		sum = 0.0;
		for (i = j; i < d; i++)
			sum += t[XS_PACKED_INDEX(i, j)] * x[i];
		worst(products, fabs(sum - y[j]), "d = %d, T' x in place", d);
	}
	memcpy(y, wide, sizeof(double) * d);
	xs_lower_multiply(t, d, y, y);
	sum = 0.0;
	for (i = 0; i < d; i++)
		sum += y[i] * y[i];
	worst(products, relative(sum, norm2), "d = %d, T x in place", d);
	sum = 0.0;
	for (i = 0; i < d; i++)
		sum += t[i] * x[i];
	worst(products, xs_dot(t, x, d) == sum ? 0.0 : 1.0, "d = %d, dot", d);
	free(t);
	free(x);
	free(wide);
	free(y);
}

int
main(int argc, char **argv)
{
	double		indefinite[] = {1.0, 2.0, 1.0};
	double		odd[] = {1.0, NAN, 1.0};
	double		infinite[] = {1.0, 0.0, INFINITY};
	double		zero[] = {0.0};
	Worst		factor = {0};
	Worst		inverse = {0};
	Worst		products = {0};
	int			d;

	begin(argc, argv);
	for (d = 1; d <= LARGEST; d++)
	{
		test_factor(d, &factor, &inverse);
		test_products(d, &products);
	}
	test_products(XS_PACKED_MAX, &products);
	CHECK_WORST(factor, 1e-13, "L L' = A");
	CHECK_WORST(inverse, 1e-13, "T L = I");
	CHECK_WORST(products, 1e-12, "products");
	CHECK(xs_cholesky(indefinite, 2) == XS_NOT_POSITIVE && xs_cholesky(odd, 2) == XS_NOT_POSITIVE &&
		  xs_cholesky(infinite, 2) == XS_NOT_POSITIVE && xs_cholesky(zero, 1) == XS_NOT_POSITIVE,
		  "not positive definite");
	return done();
}
