/*
 * lanes_kernels.h: the functions of vector_special.h, for n numbers, n a multiple of 8;
 * for test_lanes.c.
 */
#include "../../src/math/vector_special.h"

TARGET static void
NAME(exp_each)(const double *x, int n, double *result)
{
	for (int i = 0; i < n; i += WIDTH)
		NAME(store)(result + i, NAME(exp)(NAME(load)(x + i)));
}

TARGET static void
NAME(log_each)(const double *x, int n, double *result)
{
	for (int i = 0; i < n; i += WIDTH)
		NAME(store)(result + i, NAME(log)(NAME(load)(x + i)));
}

TARGET static void
NAME(norm_cdf_each)(const double *t, int n, double *cdf, double *hazard)
{
	for (int i = 0; i < n; i += WIDTH)
	{
		Vector		ratio;

		NAME(store)(cdf + i, NAME(norm_cdf)(NAME(load)(t + i), &ratio));
		NAME(store)(hazard + i, ratio);
	}
}
