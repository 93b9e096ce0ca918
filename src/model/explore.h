/*
 * explore.h: strategies.  Each maps the predictions of the allowed arms to
 * action probabilities; one uniform number then draws an arm.
 *
 * The objective of an arm is u(z) = value * expit(z) - cost, z its linear
 * predictor.  The rest of xsell knows strategies only through XsStrategy.
 */
#ifndef XS_EXPLORE_H
#define XS_EXPLORE_H

#include "oracle.h"

typedef struct XsArm
{
	XsPrediction prediction;
	double		value;			/* worth of a conversion, finite, >= 0 */
	double		cost;			/* of making the offer, finite */
} XsArm;

/*
 * What strategies read, as it holds for one decision: what changes with time or
 * evidence (schedule.h) has its value of the moment.  A parameter that is out of
 * its range acts as the nearest that is not, NaN as the lowest.
 */
typedef struct XsExploration
{
	double		epsilon;		/* epsilon-greedy: share that is spread equally, [0,1] */
	int			different;		/* epsilon-greedy: over all arms but the best; 0: over all */
	double		width;			/* UCB: posterior standard deviations, >= 0 */
	double		scale;			/* Thompson: factor on the posterior standard deviation, > 0 */
	double		temperature;	/* softmax: in the unit of the objective, > 0 */
	double		gamma;			/* SquareCB: per unit of the objective, >= 0; 0: uniform */
	double		floor;			/* [0,1): share spread uniformly over the allowed arms, after the strategy */
} XsExploration;

typedef struct XsStrategy
{
	const char *name;
	/* q[0..n-1] from arms[0..n-1], n >= 1; sums to 1; deterministic. scratch: XS_EXPLORE_SCRATCH(n) doubles. */
	void		(*probabilities) (const XsExploration *how, const XsArm *arms, int n,
								  double *q, double *scratch);
} XsStrategy;

#define XS_THOMPSON_SCRATCH(n) (35 * ((n) + 7))
#define XS_EXPLORE_SCRATCH(n) (XS_THOMPSON_SCRATCH(n) + (int) (sizeof(XsArm) / sizeof(double)) * (n))

/* In thompson.c; use it by name. */
extern void xs_thompson(const XsExploration *how, const XsArm *arms, int n,
						double *q, double *scratch);

/*
 * NULL if there is no strategy of this name: "greedy", "epsilon_greedy", "ucb",
 * "thompson", "softmax", "squarecb", "uniform".
 */
extern const XsStrategy *xs_strategy(const char *name);

/* The strategy's probabilities with the floor mixed in: q <- (1-floor) q + floor/n, renormalised in index order. */
extern void xs_explore(const XsStrategy *strategy, const XsExploration *how,
					   const XsArm *arms, int n, double *q, double *scratch);

/*
 * The arm that the uniform number u in (0,1) draws; never one with q = 0 (-1 if
 * all are).  The chance of each, over the 2^52 values of u, is its q to within
 * (n + 1) 2^-52; so with a floor the weight 1/q is right to within n/floor of that.
 */
extern int	xs_draw(const double *q, int n, double u);

/* value * expit(z) - cost; -infinity if that is not a number, so that such an arm never wins */
extern double xs_objective(const XsArm *arm, double z);

/* The arm with the largest expected objective value*rate - cost (ties: the lowest index). */
extern int	xs_best(const XsArm *arms, int n);

#endif
