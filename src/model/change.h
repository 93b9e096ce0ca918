/*
 * change.h: has a product's rate of outcomes changed against what was forecast?
 *
 * Period t had forecasts that sum to E_t, made before the outcomes were known,
 * and outcomes that sum to S_t.  Two explanations: one ratio of outcomes to
 * forecasts throughout, or another one from some period on, each ratio with the
 * prior Gamma(1/2, 1/2) and counts Poisson given forecasts (Bernoulli counts vary
 * less).  factor is the Bayes factor of the second, with weight 2/((s+1)(s+2)) on
 * a change after period s >= 1 and the rest on none so far:
 *
 *   factor_T = sum over s < T of w_s m(1..s) m(s+1..T) / m(1..T)  +  rest
 *
 * Without a change it is a martingale that starts at 1, however often one looks:
 * it ever reaches A with probability 1/A at most (Ville 1939; see A. Ramdas,
 * P. Grunwald, V. Vovk, G. Shafer, Statistical Science 38, 2023).
 */
#ifndef XS_CHANGE_H
#define XS_CHANGE_H

typedef struct XsPeriod
{
	double		outcomes;		/* >= 0 */
	double		forecasts;		/* >= 0 */
} XsPeriod;

typedef struct XsChange
{
	double		factor;			/* >= 0; 1 if there are no periods */
	int			since;			/* the likeliest first period after the change, from 0; -1 if n < 2 */
	XsPeriod	before;			/* sums before it, and from it on */
	XsPeriod	after;
} XsChange;

extern void xs_change(const XsPeriod *periods, int n, XsChange *result);

#endif
