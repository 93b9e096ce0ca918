/*
 * pool.h: products of a group share part of their prior.
 *
 * Product k's coefficients are w_k = mu_k + s_k (P h + d_k): its prior mean, what the
 * group has in common (h; P puts the pooled columns in their places) and what is
 * its own.  A share r_c of the prior variance 1/lambda_c of column c is common,
 *
 *   h_c ~ N(0, r_c / lambda_c)      d_kc ~ N(0, (1 - r_c) / lambda_c)
 *
 * so a product alone has the same prior as without a group.  s_k is 1 for the
 * logistic model, the standard deviation of the noise for the linear one.
 *
 * The posterior is exact, as far as evidence is Gaussian, and a change costs
 * little:
 *
 *   xs_pool_init     a group, once: which columns, how much of them
 *   oracle->prepare  each product whose evidence changed, with prior.pool set
 *   xs_pool_solve    the group: what its products say of h
 *   xs_pool_adopt    each product of the group: its mean
 *   oracle->predict  as ever
 *
 * The result is a function of the products' evidence and of their order alone.  A
 * product without evidence predicts what its group has in common.
 */
#ifndef XS_POOL_H
#define XS_POOL_H

#include "oracle.h"

typedef struct XsPool XsPool;

#define XS_MAX_SHARE 0.999		/* nearer to 1, products' own parts lose their digits */

/* Bytes of a group (8-aligned). share: by column, each in [0, XS_MAX_SHARE]; 0: not pooled. */
extern size_t xs_pool_size(int dim, const double *share);

/*
 * A group whose products have no evidence yet.  Of the prior only the precisions
 * count; those of its products must be the same.  A group that shares nothing
 * predicts as if there were none, bit for bit.
 */
extern XsStatus xs_pool_init(XsPool *pool, int dim, const XsPrior *prior, const double *share);

/*
 * The group's posterior from all its products (prepared with this pool), always
 * in the same order.  After a status other than XS_OK the pool is of no use until
 * it is solved again.
 */
extern XsStatus xs_pool_solve(XsPool *pool, void *const *models, int n);

/*
 * A product's mean given the evidence of the whole group; for every product after
 * every xs_pool_solve.  The group's variance is read from the pool at each
 * prediction.
 */
extern void xs_pool_adopt(void *model);

#endif
