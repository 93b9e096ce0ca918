/*
 * evidence.h: what outcomes leave behind: exact additive sufficient statistics.
 *
 * XsBeta counts a product's rewards without looking at features; XsGlm is one
 * Newton step of the log posterior per decision in information form, taken at
 * the linear predictor that the decision logged.  Both are pure functions of a
 * logged decision and its reward, so they can be summed in any order,
 * subtracted, and corrected.
 */
#ifndef XS_EVIDENCE_H
#define XS_EVIDENCE_H

#include "../math/fixed.h"
#include "../math/packed.h"

#define XS_MAX_DIM 512			/* features of an encoded row, intercept included */
#define XS_MAX_FEATURE 8.0		/* |x| after clipping */
#define XS_MAX_PREDICTOR 1000.0 /* |m|, far outside what a posterior can reach */
#define XS_MAX_WEIGHT 1024.0	/* u of one observation */

typedef struct XsBeta
{
	int64_t		n;				/* observations */
	int64_t		trials;			/* sum of u, fixed point */
	int64_t		successes;		/* sum of u * r, fixed point */
} XsBeta;

typedef enum XsLink
{
	XS_IDENTITY = 0,
	XS_LOGIT = 1
} XsLink;

/*
 * sums[] holds the shift vector eta (dim entries), then the packed lower
 * triangle of the precision Lambda (dim*(dim+1)/2 entries), all fixed point.
 */
typedef struct XsGlm
{
	int32_t		dim;
	int32_t		link;			/* XsLink */
	int64_t		n;
	int64_t		trials;			/* sum of u */
	int64_t		successes;		/* sum of u * r */
	int64_t		sums[];
} XsGlm;

#define XS_GLM_SUMS(d) ((d) + XS_PACKED_SIZE(d))
#define XS_GLM_SIZE(d) (sizeof(XsGlm) + sizeof(int64_t) * XS_GLM_SUMS(d))

/* One observation: reward r in [0,1], weight u in (0, XS_MAX_WEIGHT]. sign +1 adds, -1 removes. */
extern XsStatus xs_beta_observe(XsBeta *state, double reward, double weight, int sign);
extern XsStatus xs_beta_merge(XsBeta *state, const XsBeta *other, int sign);

/*
 * One observation: features x (|x_i| <= XS_MAX_FEATURE), linear predictor m at
 * decision time, reward r, weight u.  Logit: r in [0,1]; identity: r finite, |r| <= XS_MAX_PREDICTOR.
 *
 *   p = link^-1(m);  w = u p (1-p) for logit, u for identity
 *   Lambda_ij += rint(2^24 * w x_i x_j)
 *   eta_i     += rint(2^24 * x_i (w m + u (r - p)))      (identity: u r x_i)
 *
 * On any status but XS_OK the state may hold part of the observation: discard it.
 */
extern XsStatus xs_glm_observe(XsGlm *state, const float *x, double reward,
							   double predictor, double weight, int sign);
extern XsStatus xs_glm_merge(XsGlm *state, const XsGlm *other, int sign);

/*
 * The variance of a column among the observations, each weighted as it counts in
 * the precision, whose moments with column 0, the intercept, give it; 0 without any.
 */
extern double xs_glm_variance(const XsGlm *state, int column);

#endif
