/*
 * ramp.h: limits on the shares of arms that are still new.
 */
#ifndef XS_RAMP_H
#define XS_RAMP_H

/*
 * The largest share of an arm that has been learned from n times: from `share`
 * at 0 in a straight line to 1 at `until`, where the limit ends.
 */
extern double xs_ramp_limit(double share, double n, double until);

/*
 * Caps q[k] at max(limit[k], least), a limit of 1 or more being none, and gives
 * the excess to the arms below their limits in proportion to their q (equally,
 * if those are all 0).  q sums to 1 before and after.  Where the limits sum to
 * less than 1 they are scaled up alike, and q becomes them.
 *
 * Applied after strategy and floor; with least = floor/n no arm falls below the
 * floor.
 */
extern void xs_limit_shares(double *q, const double *limit, int n, double least);

#endif
