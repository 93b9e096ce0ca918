/*
 * glm_model.h: a prepared linear or logistic model: what oracle_glm.c and pool.c
 * have in common.  Nobody else includes it.
 */
#ifndef XS_GLM_MODEL_H
#define XS_GLM_MODEL_H

#include "pool.h"

typedef struct XsGlmModel
{
	int32_t		dim;
	int32_t		link;
	const XsPool *pool;			/* NULL: the product stands alone */
	double		noise;			/* variance of an observation: 1, or sigma^2 of the linear model */
	double		values[];
} XsGlmModel;

/*
 * In values: the belief (packed.h), from the next multiple of 64 bytes on, where loads
 * of whole registers are fastest; the mean alone; what pool.c keeps.  Until the
 * belief is made, the packed precision and then its inverse Cholesky factor T are in its place.
 */
#define XS_GLM_BELIEF(glm) ((double *) (((uintptr_t) (glm)->values + 63) / 64 * 64))
#define XS_GLM_FACTOR(glm) XS_GLM_BELIEF(glm)
#define XS_GLM_MEAN(glm) (XS_GLM_BELIEF(glm) + XS_BELIEF_SIZE((glm)->dim))
#define XS_GLM_POOLED(glm) (XS_GLM_MEAN(glm) + (glm)->dim)
#define XS_GLM_VALUES(dim) (7 + XS_BELIEF_SIZE(dim) + (dim))

/* oracle_glm.c: turns information into the mean (over shift) and the inverse factor T (over precision). */
extern XsStatus xs_glm_solve(int dim, double *shift, double *precision);

/* oracle_glm.c: a column's prior precision */
extern double xs_glm_prior_precision(const XsPrior *prior, int dim, int column);

/* pool.c: doubles that a model keeps for its pool */
extern size_t xs_pool_model_size(const XsPool *pool);

/* pool.c: the prior precision of what is a product's own; XS_DIMENSION or XS_RANGE if it is no member */
extern XsStatus xs_pool_own_precision(const XsPool *pool, int dim, const XsPrior *prior, double *precision);

/*
 * pool.c: what a model tells of its group, from its mean and factor given h = 0;
 * deviation: the mean less the prior's. scratch: one double per pooled column.
 */
extern void xs_pool_prepare(XsGlmModel *glm, const double *deviation, double *scratch);

/* pool.c: the group's part of the variance of x . w, in units of the noise */
extern double xs_pool_variance(const XsGlmModel *glm, const float *x);

#endif
