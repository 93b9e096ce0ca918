/*
 * oracle_glm.c: Bayesian generalised linear models, prepared from evidence.
 *
 * Posterior precision = prior precision + evidence, and the same for the shift
 * (information form); a prepared model is the posterior mean and the inverse
 * Cholesky factor T of the precision, so that the variance of x . w is ||T x||^2,
 * times sigma^2 in the linear model, which counts precisions in units of its noise.
 * The rate of the logistic model is the moderated mean of D. MacKay (1992),
 * "The evidence framework applied to classification networks".
 */
#include <string.h>

#include "glm_model.h"
#include "../math/special.h"

static size_t
glm_model_size(int dim, int nsegments, const XsPool *pool)
{
	(void) nsegments;
	return sizeof(XsGlmModel) +
		sizeof(double) * ((size_t) XS_GLM_VALUES(dim) + (pool ? xs_pool_model_size(pool) : 0));
}

double
xs_glm_prior_precision(const XsPrior *prior, int dim, int column)
{
	if (column == dim - 1 && prior->has_propensity)
		return prior->slope_precision;
	return column == 0 ? prior->intercept_precision : prior->precision;
}

/* shift and packed precision of the evidence */
static void
information(const XsGlm *glm, int dim, double *shift, double *precision)
{
	int			i;

	for (i = 0; i < dim; i++)
		shift[i] = glm ? xs_unfixed(glm->sums[i]) : 0.0;
	for (i = 0; i < XS_PACKED_SIZE(dim); i++)
		precision[i] = glm ? xs_unfixed(glm->sums[dim + i]) : 0.0;
}

static void
add_diagonal(double *precision, int dim, const double *diagonal)
{
	int			i;

	for (i = 0; i < dim; i++)
		precision[XS_PACKED_INDEX(i, i)] += diagonal[i];
}

XsStatus
xs_glm_solve(int dim, double *shift, double *precision)
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
 * The prior means that are not 0.  With a propensity the prior's rate is the
 * propensity itself: slope 1 for the logit; for the identity the tangent of
 * expit at the neutral rate.
 */
static XsStatus
prior_mean(const XsPrior *prior, XsLink link, double *intercept, double *slope)
{
	double		rate = prior->neutral_rate;
	double		logit = xs_logit(rate);

	if (!(rate > 0.0 && rate < 1.0) || !good_precision(prior->precision) ||
		!good_precision(prior->intercept_precision) ||
		(prior->has_propensity && !good_precision(prior->slope_precision)))
		return XS_RANGE;
	*slope = 0.0;
	*intercept = link == XS_LOGIT ? logit : rate;
	if (prior->has_propensity && prior->uses_propensity)
	{
		*slope = link == XS_LOGIT ? 1.0 : rate * (1.0 - rate);
		*intercept -= *slope * (logit - XS_PROPENSITY_CENTER);
	}
	return XS_OK;
}

/* Makes the shift about deviations from the prior mean, which is 0 but for the first and the last column. */
static void
relative_to_prior(int dim, double *shift, const double *precision, double intercept, double slope)
{
	int			last = dim - 1;
	int			i;

	for (i = 0; i < dim; i++)
		shift[i] -= precision[XS_PACKED_INDEX(i, 0)] * intercept + precision[XS_PACKED_INDEX(last, i)] * slope;
}

static double
clamp(double x, double low, double high)
{
	if (!(x >= low))
		return low;
	return x <= high ? x : high;
}

/*
 * How far the propensity tells customers apart: the variance of its column, the
 * last, among the decisions learned, counted with one unit of weight at 1; at most 1.
 */
static double
tells_apart(const XsGlm *glm, int dim)
{
	double		weight = glm ? xs_unfixed(glm->sums[dim]) : 0.0;

	if (!(weight > 0.0))
		return 1.0;
	return clamp((1.0 + weight * xs_glm_variance(glm, dim - 1)) / (1.0 + weight), 0.0, 1.0);
}

/*
 * Prior precisions are relative to the noise's, so the noise changes no mean.
 * scratch: 2 * dim doubles.
 */
static XsStatus
glm_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior, XsLink link,
			double noise, double *scratch)
{
	XsGlmModel *glm = model;
	double	   *mean;
	double		intercept,
				slope;
	XsStatus	status = prior_mean(prior, link, &intercept, &slope);
	int			i;

	if (status != XS_OK)
		return status;
	if (dim < 1 || dim > XS_MAX_DIM || (prior->has_propensity && dim < 2) ||
		(evidence->glm && (evidence->glm->dim != dim || evidence->glm->link != (int32_t) link)))
		return XS_DIMENSION;
	glm->dim = dim;
	glm->link = link;
	glm->pool = prior->pool;
	glm->noise = noise;
	mean = XS_GLM_MEAN(glm);
	for (i = 0; i < dim; i++)
		scratch[i] = xs_glm_prior_precision(prior, dim, i);
	if (prior->has_propensity && prior->uses_propensity && !glm->pool)
	{
		double		stiffness = 1.0 + XS_TRUSTED * prior->trust * tells_apart(evidence->glm, dim);

		for (i = 1; i < dim - 1; i++)
			scratch[i] *= stiffness;
	}
	if (glm->pool)
		status = xs_pool_own_precision(glm->pool, dim, prior, scratch);
	if (status != XS_OK)
		return status;

	information(evidence->glm, dim, mean, XS_GLM_FACTOR(glm));
	relative_to_prior(dim, mean, XS_GLM_FACTOR(glm), intercept, slope);
	add_diagonal(XS_GLM_FACTOR(glm), dim, scratch);
	status = xs_glm_solve(dim, mean, XS_GLM_FACTOR(glm));
	if (status != XS_OK)
		return status;
	memcpy(scratch, mean, sizeof(double) * (size_t) dim);
	mean[0] += intercept;
	mean[dim - 1] += slope;
	if (glm->pool)
		xs_pool_prepare(glm, scratch, scratch + dim);
	xs_belief(XS_GLM_BELIEF(glm), dim, mean);
	return XS_OK;
}

static XsStatus
logistic_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior,
				 double *scratch)
{
	return glm_prepare(model, dim, evidence, prior, XS_LOGIT, 1.0, scratch);
}

/* p (1-p) of the product's rate, successes and failures counted with the prior's. */
static XsStatus
bernoulli_variance(const XsBeta *counts, const XsPrior *prior, double *variance)
{
	double		a = prior->strength * prior->neutral_rate;
	double		b = prior->strength * (1.0 - prior->neutral_rate);

	if (!(prior->strength >= 1e-6 && prior->strength <= 1e12) ||
		!(prior->neutral_rate > 0.0 && prior->neutral_rate < 1.0))
		return XS_RANGE;
	if (counts)
	{
		if (counts->successes < 0 || counts->successes > counts->trials)
			return XS_RANGE;
		a += xs_unfixed(counts->successes);
		b += xs_unfixed(counts->trials - counts->successes);
	}
	*variance = a * b / ((a + b) * (a + b));
	return XS_OK;
}

static XsStatus
linear_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior,
			   double *scratch)
{
	double		noise;
	XsStatus	status = bernoulli_variance(evidence->beta, prior, &noise);

	if (status != XS_OK)
		return status;
	return glm_prepare(model, dim, evidence, prior, XS_IDENTITY, noise, scratch);
}

/* Of x . w: the mean, and the variance in units of the noise. */
static double
predictor(const XsGlmModel *glm, const float *x, double *variance)
{
	double		mean = xs_belief_predict(XS_GLM_BELIEF(glm), glm->dim, x, variance);

	if (glm->pool)
		*variance += xs_pool_variance(glm, x);
	return mean;
}

static void
logistic_predict(const void *model, const XsInput *in, XsPrediction *out)
{
	const XsGlmModel *glm = model;

	out->mean = clamp(predictor(glm, in->x, &out->variance), -XS_MAX_PREDICTOR, XS_MAX_PREDICTOR);
	out->rate = xs_expit(out->mean / __builtin_sqrt(1.0 + XS_PI_OVER_8 * out->variance));
}

/*
 * The rate r is N(mean, sd^2).  Strategies think in logits, so: logit(r) as the
 * mean, and as standard deviation the distance to the logit of the rate one sd
 * nearer to 1/2.  For a small sd that is the delta method; it stays sensible
 * where r is near or beyond 0 or 1, because the rates are clamped as propensities are.
 */
static void
linear_predict(const void *model, const XsInput *in, XsPrediction *out)
{
	const XsGlmModel *glm = model;
	double		variance;
	double		rate = predictor(glm, in->x, &variance);
	double		sd = __builtin_sqrt(glm->noise * variance);
	double		towards = rate < 0.5 ? rate + sd : rate - sd;

	out->mean = xs_propensity_logit(rate);
	sd = xs_propensity_logit(towards) - out->mean;
	out->variance = sd * sd;
	out->rate = clamp(rate, 0.0, 1.0);
}

static void
glm_contributions(const void *model, const XsInput *in, double *out)
{
	const XsGlmModel *glm = model;
	int			i;

	for (i = 0; i < glm->dim; i++)
		out[i] = XS_GLM_MEAN(glm)[i] * in->x[i];
}

static void
glm_coefficients(const void *model, double *mean, double *sd)
{
	const XsGlmModel *glm = model;
	float		x[XS_MAX_DIM];
	double		variance;
	int			i;

	for (i = 0; i < glm->dim; i++)
		x[i] = 0.0f;
	for (i = 0; i < glm->dim; i++)
	{
		x[i] = 1.0f;
		mean[i] = predictor(glm, x, &variance);
		sd[i] = __builtin_sqrt(glm->noise * variance);
		x[i] = 0.0f;
	}
}

const XsOracle xs_oracle_linear = {
	"linear", 1, 0, glm_model_size, linear_prepare, linear_predict, glm_contributions, glm_coefficients
};

const XsOracle xs_oracle_logistic = {
	"logistic", 1, 0, glm_model_size, logistic_prepare, logistic_predict, glm_contributions, glm_coefficients
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
	double	   *factor = scratch + glm->dim;
	XsStatus	status;
	int			i,
				j;

	if (glm->dim < 1 || glm->dim > XS_MAX_DIM)
		return XS_DIMENSION;
	if (!good_precision(precision))
		return XS_RANGE;
	information(glm, glm->dim, scratch, factor);
	for (i = 0; i < glm->dim; i++)
		factor[XS_PACKED_INDEX(i, i)] += precision;
	status = xs_glm_solve(glm->dim, scratch, factor);
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
