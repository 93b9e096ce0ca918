/*
 * oracle_beta.c: a product's conversion rate without features.
 *
 * The rate is Beta(a, b): prior strength * (s, 1-s) with s the propensity, plus
 * successes and failures.  On the logit scale its exact mean and variance are
 * digamma(a) - digamma(b) and trigamma(a) + trigamma(b).
 */

#include "oracle.h"
#include "../math/special.h"

typedef struct BetaModel
{
	double		strength;
	double		successes;
	double		failures;
	double		neutral_rate;	/* clamped; most products have no propensity, */
	XsPrediction neutral;		/* so their prediction is made once */
	int64_t		dim;
} BetaModel;

static size_t
beta_model_size(int dim)
{
	(void) dim;
	return sizeof(BetaModel);
}

static void
beta_moments(const BetaModel *model, double s, XsPrediction *out)
{
	double		a = model->strength * s + model->successes;
	double		b = model->strength * (1.0 - s) + model->failures;
	double		mean = xs_digamma(a) - xs_digamma(b);

	if (mean > XS_MAX_PREDICTOR)
		mean = XS_MAX_PREDICTOR;
	if (mean < -XS_MAX_PREDICTOR)
		mean = -XS_MAX_PREDICTOR;
	out->mean = mean;
	out->variance = xs_trigamma(a) + xs_trigamma(b);
	out->rate = a / (a + b);
}

static XsStatus
beta_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior,
			 double *scratch)
{
	BetaModel  *beta = model;
	const XsBeta *counts = evidence->beta;

	(void) scratch;
	if (dim < 1 || dim > XS_MAX_DIM)
		return XS_DIMENSION;
	if (!(prior->strength >= 1e-6 && prior->strength <= 1e12) ||
		!(prior->neutral_rate > 0.0 && prior->neutral_rate < 1.0))
		return XS_RANGE;
	if (counts && (counts->successes < 0 || counts->successes > counts->trials))
		return XS_RANGE;
	beta->dim = dim;
	beta->strength = prior->strength;
	beta->successes = counts ? xs_unfixed(counts->successes) : 0.0;
	/* the difference of the integers: exact where that of the doubles is not */
	beta->failures = counts ? xs_unfixed(counts->trials - counts->successes) : 0.0;
	beta->neutral_rate = xs_propensity_clamp(prior->neutral_rate);
	beta_moments(beta, beta->neutral_rate, &beta->neutral);
	return XS_OK;
}

static void
beta_predict(const void *model, const float *x, double propensity, XsPrediction *out)
{
	const BetaModel *beta = model;
	double		s = propensity == propensity ? xs_propensity_clamp(propensity) : beta->neutral_rate;

	(void) x;
	if (s == beta->neutral_rate)
		*out = beta->neutral;
	else
		beta_moments(beta, s, out);
}

static void
beta_contributions(const void *model, const float *x, double *out)
{
	const BetaModel *beta = model;
	int			i;

	(void) x;
	for (i = 0; i < beta->dim; i++)
		out[i] = 0.0;
}

const XsOracle xs_oracle_beta = {
	"beta", 0, beta_model_size, beta_prepare, beta_predict, beta_contributions
};
