/*
 * floor_kernels.h: what arithmetic.c compares with; for lanes_each.h.
 */
#include "../src/math/vector_special.h"

/* n times 64 multiplications and additions that do not wait for one another */
TARGET static double
NAME(multiply_add)(int n)
{
	Eight		sum[WIDTH];
	double		lane[8];
	double		c = 1.0;
	int			i;
	int			k;

	UNROLL
	for (k = 0; k < WIDTH; k++)
		sum[k] = NAME(zero8)();
	for (i = 0; i < n; i++)
	{
		c *= 0.999;
		for (int again = 0; again < 8 / WIDTH; again++)
		{
			UNROLL
			for (k = 0; k < WIDTH; k++)
				sum[k] = NAME(add8)(sum[k], NAME(scale8)(sum[k], c));
		}
	}
	UNROLL
	for (k = 1; k < WIDTH; k++)
		sum[0] = NAME(add8)(sum[0], sum[k]);
	NAME(store8)(lane, sum[0]);
	return lane[0];
}

/* Reads n doubles, n a multiple of 32. */
TARGET static double
NAME(stream)(const double *a, int n)
{
	Eight		sum[4] = {NAME(zero8)(), NAME(zero8)(), NAME(zero8)(), NAME(zero8)()};
	double		lane[8];
	int			i;
	int			k;

	for (i = 0; i + 32 <= n; i += 32)
	{
		UNROLL
		for (k = 0; k < 4; k++)
			sum[k] = NAME(add8)(sum[k], NAME(load8)(a + i + 8 * k));
	}
	NAME(store8)(lane, NAME(add8)(NAME(add8)(sum[0], sum[1]), NAME(add8)(sum[2], sum[3])));
	return lane[0];
}

/* Phi and phi/Phi of n numbers, n a multiple of 8 */
TARGET static double
NAME(norm_cdfs)(const double *t, int n)
{
	Vector		sum = {0};
	int			i;

	for (i = 0; i < n; i += WIDTH)
	{
		Vector		ratio;

		sum += NAME(norm_cdf)(NAME(load)(t + i), &ratio);
		sum += ratio;
	}
	return sum[0];
}
