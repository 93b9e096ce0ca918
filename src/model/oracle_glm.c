/*
 * oracle_glm.c: Bayesian generalised linear models, prepared from evidence.
 *
 * Posterior precision = prior precision + evidence, and the same for the shift
 * (information form); a prepared model is the posterior mean and the inverse
 * Cholesky factor T of the precision, so that the variance of x . w is ||T x||^2.
 * The rate of the logistic model is the moderated mean of D. MacKay (1992),
 * "The evidence framework applied to classification networks".
 */
#include <string.h>

#include "oracle.h"
#include "../math/special.h"

#define PI_OVER_8 0.392699081698724154807830

typedef struct GlmModel
{
	int32_t		dim;
	int32_t		link;
	double		values[];		/* mean (dim), then the inverse factor, packed */
} GlmModel;

/* Mean and precision of every coefficient before evidence. */
typedef struct GlmPrior
{
	double		intercept,
				intercept_precision;
	double		precision;
	double		slope,
				slope_precision;
	int			has_slope;
} GlmPrior;

static size_t
glm_model_size(int dim)
{
	return sizeof(GlmModel) + sizeof(double) * (size_t) XS_GLM_SUMS(dim);
}

/* shift and packed precision of the posterior */
static void
information(const XsGlm *glm, const GlmPrior *prior, int dim, double *shift, double *precision)
{
	int			i;

	for (i = 0; i < dim; i++)
		shift[i] = glm ? xs_unfixed(glm->sums[i]) : 0.0;
	for (i = 0; i < XS_PACKED_SIZE(dim); i++)
		precision[i] = glm ? xs_unfixed(glm->sums[dim + i]) : 0.0;
	for (i = 1; i < dim; i++)
		precision[XS_PACKED_INDEX(i, i)] += prior->precision;
	precision[0] += prior->intercept_precision;
	shift[0] += prior->intercept_precision * prior->intercept;
	if (prior->has_slope && dim > 1)
	{
		i = XS_PACKED_INDEX(dim - 1, dim - 1);
		precision[i] = (glm ? xs_unfixed(glm->sums[dim + i]) : 0.0) + prior->slope_precision;
		shift[dim - 1] += prior->slope_precision * prior->slope;
	}
}

/* Turns information into the mean (over shift) and the inverse factor (over precision). */
static XsStatus
solve(int dim, double *shift, double *precision)
{
	XsStatus	status = xs_cholesky(precision, dim);
	int			i;

	if (status != XS_OK)
		return status;
	xs_invert_lower(precision, dim);
	xs_lower_multiply(precision, dim, shift, shift);
	xs_lower_transposed_multiply(precision, dim, shift, shift);
	/* an unlikely but possible end of a nearly singular matrix */
	for (i = 0; i < dim; i++)
		if (!(shift[i] >= -1e300 && shift[i] <= 1e300))
			return XS_NOT_POSITIVE;
	return XS_OK;
}

static int
good_precision(double precision)
{
	return precision > 0.0 && precision <= 1e12;
}

/*
 * With a propensity the prior's rate is the propensity itself: slope 1 for the
 * logit; for the identity the tangent of expit at the neutral rate.
 */
static XsStatus
glm_prior(const XsPrior *prior, XsLink link, GlmPrior *result)
{
	double		rate = prior->neutral_rate;
	double		logit = xs_logit(rate);

	if (!(rate > 0.0 && rate < 1.0) || !good_precision(prior->precision) ||
		!good_precision(prior->intercept_precision) ||
		(prior->has_propensity && !good_precision(prior->slope_precision)))
		return XS_RANGE;
	result->precision = prior->precision;
	result->intercept_precision = prior->intercept_precision;
	result->slope_precision = prior->slope_precision;
	result->has_slope = prior->has_propensity;
	result->slope = 0.0;
	result->intercept = link == XS_LOGIT ? logit : rate;
	if (prior->has_propensity && prior->uses_propensity)
	{
		result->slope = link == XS_LOGIT ? 1.0 : rate * (1.0 - rate);
		result->intercept -= result->slope * (logit - XS_PROPENSITY_CENTER);
	}
	return XS_OK;
}

static XsStatus
glm_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior, XsLink link)
{
	GlmModel   *glm = model;
	GlmPrior	before;
	XsStatus	status = glm_prior(prior, link, &before);

	if (status != XS_OK)
		return status;
	if (dim < 1 || dim > XS_MAX_DIM ||
		(evidence->glm && (evidence->glm->dim != dim || evidence->glm->link != (int32_t) link)))
		return XS_DIMENSION;
	glm->dim = dim;
	glm->link = link;
	information(evidence->glm, &before, dim, glm->values, glm->values + dim);
	return solve(dim, glm->values, glm->values + dim);
}

static XsStatus
logistic_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior,
				 double *scratch)
{
	(void) scratch;
	return glm_prepare(model, dim, evidence, prior, XS_LOGIT);
}

static XsStatus
linear_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior,
			   double *scratch)
{
	(void) scratch;
	return glm_prepare(model, dim, evidence, prior, XS_IDENTITY);
}

static double
clamp(double x, double low, double high)
{
	if (!(x >= low))
		return low;
	return x <= high ? x : high;
}

static void
logistic_predict(const void *model, const float *x, double propensity, XsPrediction *out)
{
	const GlmModel *glm = model;

	(void) propensity;			/* it is a column of x */
	out->mean = clamp(xs_dot(glm->values, x, glm->dim), -XS_MAX_PREDICTOR, XS_MAX_PREDICTOR);
	out->variance = xs_lower_norm2(glm->values + glm->dim, glm->dim, x);
	out->rate = xs_expit(out->mean / __builtin_sqrt(1.0 + PI_OVER_8 * out->variance));
}

/*
 * The rate r is N(mean, sd^2).  Strategies think in logits, so: logit(r) as the
 * mean, and as standard deviation the distance to the logit of the rate one sd
 * nearer to 1/2.  For a small sd that is the delta method; it stays sensible
 * where r is near or beyond 0 or 1, because the rates are clamped as propensities are.
 */
static void
linear_predict(const void *model, const float *x, double propensity, XsPrediction *out)
{
	const GlmModel *glm = model;
	double		rate = xs_dot(glm->values, x, glm->dim);
	double		sd = __builtin_sqrt(xs_lower_norm2(glm->values + glm->dim, glm->dim, x));
	double		towards = rate < 0.5 ? rate + sd : rate - sd;

	(void) propensity;
	out->mean = xs_propensity_logit(rate);
	sd = xs_propensity_logit(towards) - out->mean;
	out->variance = sd * sd;
	out->rate = clamp(rate, 0.0, 1.0);
}

static void
glm_contributions(const void *model, const float *x, double *out)
{
	const GlmModel *glm = model;
	int			i;

	for (i = 0; i < glm->dim; i++)
		out[i] = glm->values[i] * x[i];
}

const XsOracle xs_oracle_linear = {
	"linear", 1, glm_model_size, linear_prepare, linear_predict, glm_contributions
};

const XsOracle xs_oracle_logistic = {
	"logistic", 1, glm_model_size, logistic_prepare, logistic_predict, glm_contributions
};

/* Element (i, j) of T'T, i >= j: column i times column j, rows in order. */
static double
covariance_element(const double *t, int dim, int i, int j)
{
	double		sum = 0.0;
	int			k;

	for (k = i; k < dim; k++)
		sum += t[XS_PACKED_INDEX(k, i)] * t[XS_PACKED_INDEX(k, j)];
	return sum;
}

XsStatus
xs_glm_posterior(const XsGlm *glm, double precision, double *mean,
				 double *covariance, double *scratch)
{
	GlmPrior	prior = {0.0, precision, precision, 0.0, precision, 0};
	double	   *factor = scratch + glm->dim;
	XsStatus	status;
	int			i,
				j;

	if (glm->dim < 1 || glm->dim > XS_MAX_DIM)
		return XS_DIMENSION;
	if (!good_precision(precision))
		return XS_RANGE;
	information(glm, &prior, glm->dim, scratch, factor);
	status = solve(glm->dim, scratch, factor);
	if (status != XS_OK)
		return status;
	if (mean)
		memcpy(mean, scratch, sizeof(double) * (size_t) glm->dim);
	if (covariance)
		for (i = 0; i < glm->dim; i++)
			for (j = 0; j <= i; j++)
				covariance[XS_PACKED_INDEX(i, j)] = covariance_element(factor, glm->dim, i, j);
	return XS_OK;
}
