/*
 * packed.h: symmetric and triangular matrices, the sums of products around them,
 * and beliefs: prepared models of linear predictors.
 *
 * A packed triangle is stored by rows: element (i, j), i >= j, at index
 * i*(i+1)/2 + j.
 *
 * Every sum has a fixed order, stated with its function; products are rounded before
 * they are added.  So a result is the same for every compiler and processor.
 */
#ifndef XS_PACKED_H
#define XS_PACKED_H

#include "fixed.h"

#define XS_PACKED_MAX 512		/* largest d of a triangle or belief */

#define XS_PACKED_SIZE(d) ((d) * ((d) + 1) / 2)
#define XS_PACKED_INDEX(i, j) ((i) * ((i) + 1) / 2 + (j))

/*
 * A = L L'; overwrites the packed lower triangle a with L.  XS_NOT_POSITIVE if it
 * cannot.  Element (i, j) is a_ij less l_ik * l_jk for k = 0 to j - 1, in that order,
 * then times 1 / l_jj; on the diagonal its root.
 */
extern XsStatus xs_cholesky(double *a, int d);

/*
 * Overwrites L with its inverse T (lower triangular too).  Element (i, j) is the sum
 * of l_ik * t_kj for k = j to i - 1, in that order, times -(1 / l_ii); on the diagonal
 * 1 / l_ii.
 */
extern void xs_invert_lower(double *l, int d);

/* Sum of a[i] * x[i]: that over even i, in order, plus that over odd i. */
extern double xs_dot(const double *a, const float *x, int d);

/*
 * y = T x (sums as xs_dot) and y = T' x (sums by rows of T, the diagonal first) for a
 * packed lower triangle T; y may be x.
 */
extern void xs_lower_multiply(const double *t, int d, const double *x, double *y);
extern void xs_lower_transposed_multiply(const double *t, int d, const double *x, double *y);

/*
 * A belief: d coefficients w are N(mu, T'T).  It is the triangle T with mu as one more
 * row, in panels: its rows in groups of eight, counted from the last one up, so
 * that the first group may lack rows; of each panel column by column the eight
 * elements of its rows, 0 where a row lacks or does not reach.
 */
#define XS_BELIEF_PANELS(d) (((d) + 8) / 8)
#define XS_BELIEF_MISSING(d) (8 * XS_BELIEF_PANELS(d) - (d) - 1)
#define XS_BELIEF_SIZE(d) \
	(8 * XS_BELIEF_PANELS(d) * (4 * XS_BELIEF_PANELS(d) + 4 - XS_BELIEF_MISSING(d)) - 8)

/*
 * Turns the packed triangle of T into a belief, in place: there must be room for
 * XS_BELIEF_SIZE(d).  Predictions are fastest at multiples of 64 bytes.
 */
extern void xs_belief(double *t, int d, const double *mu);

extern void xs_belief_set_mean(double *belief, int d, const double *mu);

/*
 * The mean of x . w, summed as by xs_dot; *variance = ||T x||^2, elements of T x summed
 * as by xs_dot, and their squares in eight lanes: lane l adds those of the rows i with
 * d - i = 8 - l (mod 8), in order; then ((l0 + l1) + (l2 + l3)) + ((l4 + l5) + (l6 + l7)).
 * mu and x: finite.
 */
extern double xs_belief_predict(const double *belief, int d, const float *x, double *variance);

/*
 * y = T x (sums as xs_dot) and y = T' x (sums in lanes by rows, as of squares above);
 * y may be x.
 */
extern void xs_belief_multiply(const double *belief, int d, const double *x, double *y);
extern void xs_belief_transposed_multiply(const double *belief, int d, const double *x, double *y);

#endif
