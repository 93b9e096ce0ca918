/*
 * special.h: the special functions of the scoring path.
 *
 * Own implementations, because a decision must replay bit for bit on another
 * machine: only IEEE +, -, *, /, sqrt, rint and integer operations, in a fixed
 * order, never libm.  Compile with -ffp-contract=off.
 *
 * Outside a function's domain the result is NaN, at its edges the limit; NaN in,
 * NaN out.  The gamma functions are for x > 0, the beta functions for a and b
 * in [1e-100, 1e100], meant for [1e-3, 1e6].
 */
#ifndef XS_SPECIAL_H
#define XS_SPECIAL_H

#define XS_INFINITY ((double) __builtin_inf())
#define XS_NAN ((double) __builtin_nan(""))
#define XS_PI_OVER_8 0.392699081698724154807830

/* special.c: relative error below 4e-16 */
extern double xs_exp(double x);
extern double xs_log(double x);
extern double xs_log1p(double x);
extern double xs_expit(double x);
extern double xs_logit(double p);

/* normal.c: relative error below 1e-14, far tails included */
extern double xs_norm_cdf(double x);
extern double xs_norm_quantile(double p);

/* gamma.c: relative error below 1e-13, near the zeros absolute */
extern double xs_lgamma(double x);
extern double xs_digamma(double x);
extern double xs_trigamma(double x);
/* lgamma(x) minus Stirling's (x - 1/2) log x - x + log(2 pi)/2 */
extern double xs_stirling_error(double x);

/* beta_function.c: relative error below 1e-12; quantiles (1e-10) below 1e-300 are 0 */
extern double xs_beta_cdf(double a, double b, double x);
extern double xs_beta_quantile(double a, double b, double p);

#endif
