/*
 * packed.h: symmetric and triangular matrices in packed form.
 *
 * A lower triangle is stored by rows: element (i, j), i >= j, at index
 * i*(i+1)/2 + j.  All loops have a fixed order of operations.
 */
#ifndef XS_PACKED_H
#define XS_PACKED_H

#include "fixed.h"

#define XS_PACKED_SIZE(d) ((d) * ((d) + 1) / 2)
#define XS_PACKED_INDEX(i, j) ((i) * ((i) + 1) / 2 + (j))

/* A = L L'; overwrites the packed lower triangle a with L.  XS_NOT_POSITIVE if it cannot. */
extern XsStatus xs_cholesky(double *a, int d);

/* Overwrites L with its inverse (lower triangular too). */
extern void xs_invert_lower(double *l, int d);

/* y = T x and y = T' x for a packed lower triangle T; y may be x. */
extern void xs_lower_multiply(const double *t, int d, const double *x, double *y);
extern void xs_lower_transposed_multiply(const double *t, int d, const double *x, double *y);

#define XS_PACKED_MAX 512

/* ||T x||^2 for a packed lower triangle T and float4 x; d <= XS_PACKED_MAX. */
extern double xs_lower_norm2(const double *t, int d, const float *x);

/* Sum of a[i] * x[i], in index order. */
extern double xs_dot(const double *a, const float *x, int d);

#endif
