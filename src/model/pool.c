/*
 * pool.c: the posterior of products that share part of their prior.
 *
 * A two-level normal model (D. Lindley and A. Smith, "Bayes estimates for the
 * linear model", J. R. Stat. Soc. B 34, 1972) in information form.  In units
 * of its noise a product's evidence about w - mu is a precision L and a shift e;
 * D is the prior precision of its own part, A = L + D.  Then, with h integrated
 * out last,
 *
 *   w - mu given h   has mean A^-1 e + B h, covariance A^-1, B = A^-1 D P
 *   evidence of h    has precision S = P'(D - D A^-1 D) P, shift s = B'e = P'D A^-1 e
 *   log p(evidence | h) = constant + s.h - h'S h / 2
 *
 * Sums of S and s over the products, and the prior of h, give h its posterior
 * N(g, V).  So w - mu has mean A^-1 e + B g and covariance A^-1 + B V B', all in the
 * same units.
 *
 * B is kept if few columns are pooled; else, T'T being A^-1, B'x = P'D T'(T x) is
 * computed at each prediction, which needs no memory.
 */
#include <string.h>

#include "glm_model.h"
#include "../math/special.h"

struct XsPool
{
	int32_t		dim;
	int32_t		n;				/* pooled columns */
	int32_t		column[XS_MAX_DIM]; /* which, ascending */
	double		values[];
};

/*
 * In values, by column: the prior precision, and that of a product's own part; by
 * pooled column: the prior precision of h, its mean, its inverse factor (packed).
 */
#define PRIOR(pool) ((pool)->values)
#define OWN(pool) ((pool)->values + (pool)->dim)
#define COMMON(pool) ((pool)->values + 2 * (pool)->dim)
#define COMMON_MEAN(pool) (COMMON(pool) + (pool)->n)
#define COMMON_FACTOR(pool) (COMMON(pool) + 2 * (pool)->n)

/* What a model keeps: its mean given h = 0, s, S (packed), and perhaps B, by pooled column. */
#define ALONE(glm) XS_GLM_POOLED(glm)
#define SHIFT(glm) (ALONE(glm) + (glm)->dim)
#define PRECISION(glm) (SHIFT(glm) + (glm)->pool->n)
#define COUPLING(glm) (PRECISION(glm) + XS_PACKED_SIZE((glm)->pool->n))

static int
keeps_coupling(const XsPool *pool)
{
	return 2 * pool->n <= pool->dim;
}

size_t
xs_pool_size(int dim, const double *share)
{
	int			n = 0;
	int			i;

	for (i = 0; i < dim; i++)
		n += share[i] > 0.0;
	return sizeof(XsPool) + sizeof(double) * (size_t) (2 * dim + 2 * n + XS_PACKED_SIZE(n));
}

size_t
xs_pool_model_size(const XsPool *pool)
{
	if (pool->n == 0)
		return 0;
	return (size_t) (pool->dim + pool->n + XS_PACKED_SIZE(pool->n) +
					 (keeps_coupling(pool) ? pool->n * pool->dim : 0));
}

XsStatus
xs_pool_init(XsPool *pool, int dim, const XsPrior *prior, const double *share)
{
	int			i;

	if (dim < 1 || dim > XS_MAX_DIM || (prior->has_propensity && dim < 2))
		return XS_DIMENSION;
	pool->dim = dim;
	pool->n = 0;
	for (i = 0; i < dim; i++)
	{
		PRIOR(pool)[i] = xs_glm_prior_precision(prior, dim, i);
		if (!(share[i] >= 0.0 && share[i] <= XS_MAX_SHARE) ||
			!(PRIOR(pool)[i] > 0.0 && PRIOR(pool)[i] <= 1e12))
			return XS_RANGE;
		OWN(pool)[i] = PRIOR(pool)[i] / (1.0 - share[i]);
		if (share[i] > 0.0)
		{
			COMMON(pool)[pool->n] = PRIOR(pool)[i] / share[i];
			pool->column[pool->n++] = i;
		}
	}
	return xs_pool_solve(pool, NULL, 0);
}

XsStatus
xs_pool_own_precision(const XsPool *pool, int dim, const XsPrior *prior, double *precision)
{
	int			i;

	if (dim != pool->dim)
		return XS_DIMENSION;
	for (i = 0; i < dim; i++)
	{
		if (xs_glm_prior_precision(prior, dim, i) != PRIOR(pool)[i])
			return XS_RANGE;
		precision[i] = OWN(pool)[i];
	}
	return XS_OK;
}

/* y += c * x */
static void
add_multiple(double *y, double c, const double *x, int n)
{
	int			i;

	for (i = 0; i < n; i++)
		y[i] += c * x[i];
}

/* S and B, summed over the rows of T: S = P'D P - U'U and B = T'U with U = T D P. */
static void
couple(XsGlmModel *glm, double *u)
{
	const XsPool *pool = glm->pool;
	double	   *precision = PRECISION(glm);
	int			reached = 0;	/* pooled columns within the row */
	int			i,
				k;

	memset(precision, 0, sizeof(double) * (size_t) XS_PACKED_SIZE(pool->n));
	for (i = 0; i < pool->n; i++)
		precision[XS_PACKED_INDEX(i, i)] = OWN(pool)[pool->column[i]];
	if (keeps_coupling(pool))
		memset(COUPLING(glm), 0, sizeof(double) * (size_t) (pool->n * pool->dim));
	for (k = 0; k < glm->dim; k++)
	{
		const double *row = XS_GLM_FACTOR(glm) + XS_PACKED_INDEX(k, 0);

		while (reached < pool->n && pool->column[reached] <= k)
			reached++;
		for (i = 0; i < reached; i++)
		{
			u[i] = row[pool->column[i]] * OWN(pool)[pool->column[i]];
			add_multiple(precision + XS_PACKED_INDEX(i, 0), -u[i], u, i + 1);
			if (keeps_coupling(pool))
				add_multiple(COUPLING(glm) + i * glm->dim, u[i], row, k + 1);
		}
	}
}

void
xs_pool_prepare(XsGlmModel *glm, const double *deviation, double *scratch)
{
	const XsPool *pool = glm->pool;
	double		sd = __builtin_sqrt(glm->noise);
	int			i;

	if (pool->n == 0)
		return;
	memcpy(ALONE(glm), XS_GLM_MEAN(glm), sizeof(double) * (size_t) glm->dim);
	for (i = 0; i < pool->n; i++)
		SHIFT(glm)[i] = OWN(pool)[pool->column[i]] * deviation[pool->column[i]] / sd;
	couple(glm, scratch);
}

XsStatus
xs_pool_solve(XsPool *pool, void *const *models, int n)
{
	double	   *mean = COMMON_MEAN(pool);
	double	   *factor = COMMON_FACTOR(pool);
	int			i,
				k;

	memset(mean, 0, sizeof(double) * (size_t) (pool->n + XS_PACKED_SIZE(pool->n)));
	for (i = 0; i < pool->n; i++)
		factor[XS_PACKED_INDEX(i, i)] = COMMON(pool)[i];
	for (k = 0; k < n; k++)
	{
		const XsGlmModel *glm = models[k];

		if (glm->pool != pool)
			return XS_DIMENSION;
		for (i = 0; i < pool->n; i++)
			mean[i] += SHIFT(glm)[i];
		for (i = 0; i < XS_PACKED_SIZE(pool->n); i++)
			factor[i] += PRECISION(glm)[i];
	}
	return xs_glm_solve(pool->n, mean, factor);
}

void
xs_pool_adopt(void *model)
{
	XsGlmModel *glm = model;
	const XsPool *pool = glm->pool;
	double	   *mean = XS_GLM_MEAN(glm);
	double		sd = __builtin_sqrt(glm->noise);
	int			i;

	if (pool == NULL || pool->n == 0)
		return;
	memset(mean, 0, sizeof(double) * (size_t) glm->dim);
	if (keeps_coupling(pool))
	{
		for (i = 0; i < pool->n; i++)
			add_multiple(mean, COMMON_MEAN(pool)[i], COUPLING(glm) + i * glm->dim, glm->dim);
	}
	else
	{
		for (i = 0; i < pool->n; i++)
			mean[pool->column[i]] = OWN(pool)[pool->column[i]] * COMMON_MEAN(pool)[i];
		xs_belief_multiply(XS_GLM_BELIEF(glm), glm->dim, mean, mean);
		xs_belief_transposed_multiply(XS_GLM_BELIEF(glm), glm->dim, mean, mean);
	}
	for (i = 0; i < glm->dim; i++)
		mean[i] = ALONE(glm)[i] + sd * mean[i];
	xs_belief_set_mean(XS_GLM_BELIEF(glm), glm->dim, mean);
}

static double
sum_of_squares(const double *x, int n)
{
	double		sum = 0.0;
	int			i;

	for (i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sum;
}

double
xs_pool_variance(const XsGlmModel *glm, const float *x)
{
	const XsPool *pool = glm->pool;
	double		z[XS_MAX_DIM];
	int			i;

	if (pool->n == 0)
		return 0.0;
	if (keeps_coupling(pool))
	{
		for (i = 0; i < pool->n; i++)
			z[i] = xs_dot(COUPLING(glm) + i * glm->dim, x, glm->dim);
	}
	else
	{
		for (i = 0; i < glm->dim; i++)
			z[i] = x[i];
		xs_belief_multiply(XS_GLM_BELIEF(glm), glm->dim, z, z);
		xs_belief_transposed_multiply(XS_GLM_BELIEF(glm), glm->dim, z, z);
		for (i = 0; i < pool->n; i++)
			z[i] = OWN(pool)[pool->column[i]] * z[pool->column[i]];
	}
	xs_lower_multiply(COMMON_FACTOR(pool), pool->n, z, z);
	return sum_of_squares(z, pool->n);
}
