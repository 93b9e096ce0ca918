/*
 * oracle_beta.c: conversion rates without features, of a product ("beta") or of
 * a product in a segment of customers ("segment").
 *
 * A product's rate is Beta(a, b): prior strength * (s, 1-s) plus successes and
 * failures, with s the propensity as far as it is trusted, else the neutral rate.
 * A segment's rate has the same strength around the rate of the product's other
 * customers: a hierarchical model whose product level is plugged in at its mean.
 * On the logit scale the exact mean and variance of a Beta variable are
 * digamma(a) - digamma(b) and trigamma(a) + trigamma(b).
 */

#include "oracle.h"
#include "../math/special.h"

/* A product, or a segment of its customers. */
typedef struct Level
{
	double		successes;
	double		failures;
	double		other_successes;	/* of the product outside this segment */
	double		other_failures;
	XsPrediction neutral;		/* without a propensity, as for most products: made once */
} Level;

typedef struct BetaModel
{
	double		strength;
	double		trust;
	double		neutral_rate;	/* clamped */
	int32_t		dim;
	int32_t		nsegments;
	Level		product;
	Level		segments[];		/* and after the last, one without evidence */
} BetaModel;

static size_t
beta_model_size(int dim, int nsegments, const struct XsPool *pool)
{
	(void) dim;
	(void) nsegments;
	(void) pool;
	return sizeof(BetaModel);
}

static size_t
segment_model_size(int dim, int nsegments, const struct XsPool *pool)
{
	(void) dim;
	(void) pool;
	return sizeof(BetaModel) + sizeof(Level) * ((size_t) nsegments + 1);
}

static void
moments(double a, double b, XsPrediction *out)
{
	double		mean = xs_digamma(a) - xs_digamma(b);

	if (mean > XS_MAX_PREDICTOR)
		mean = XS_MAX_PREDICTOR;
	if (mean < -XS_MAX_PREDICTOR)
		mean = -XS_MAX_PREDICTOR;
	out->mean = mean;
	out->variance = xs_trigamma(a) + xs_trigamma(b);
	out->rate = a / (a + b);
}

/* The product's prior counts for a customer with propensity s. */
static void
prior_counts(const BetaModel *model, double s, double *a, double *b)
{
	double		t = model->trust;

	*a = model->strength * (t * s + (1.0 - t) * model->neutral_rate);
	*b = model->strength * (t * (1.0 - s) + (1.0 - t) * (1.0 - model->neutral_rate));
}

static void
product_moments(const BetaModel *model, double s, XsPrediction *out)
{
	double		a;
	double		b;

	prior_counts(model, s, &a, &b);
	moments(a + model->product.successes, b + model->product.failures, out);
}

static void
segment_moments(const BetaModel *model, const Level *segment, double s, XsPrediction *out)
{
	double		a;
	double		b;
	double		rate;

	prior_counts(model, s, &a, &b);
	a += segment->other_successes;
	b += segment->other_failures;
	rate = a / (a + b);
	moments(model->strength * rate + segment->successes,
			model->strength * (1.0 - rate) + segment->failures, out);
}

static int
good_prior(const XsPrior *prior)
{
	return prior->strength >= 1e-6 && prior->strength <= 1e12 &&
		prior->neutral_rate > 0.0 && prior->neutral_rate < 1.0 &&
		prior->trust >= 0.0 && prior->trust <= 1.0;
}

/* Splits the product's counts into the part's and the others'; differences of the integers are exact. */
static XsStatus
split(Level *level, const XsBeta *all, const XsBeta *part)
{
	int64_t		failures = part->trials - part->successes;
	int64_t		all_failures = all->trials - all->successes;

	if (part->successes < 0 || failures < 0 || part->successes > all->successes || failures > all_failures)
		return XS_RANGE;
	level->successes = xs_unfixed(part->successes);
	level->failures = xs_unfixed(failures);
	level->other_successes = xs_unfixed(all->successes - part->successes);
	level->other_failures = xs_unfixed(all_failures - failures);
	return XS_OK;
}

static XsStatus
beta_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior,
			 double *scratch)
{
	static const XsBeta none = {0, 0, 0};
	BetaModel  *beta = model;
	const XsBeta *counts = evidence->beta ? evidence->beta : &none;

	(void) scratch;
	if (dim < 1 || dim > XS_MAX_DIM)
		return XS_DIMENSION;
	if (!good_prior(prior) || split(&beta->product, counts, counts) != XS_OK)
		return XS_RANGE;
	beta->dim = dim;
	beta->nsegments = 0;
	beta->strength = prior->strength;
	beta->trust = prior->trust;
	beta->neutral_rate = xs_propensity_clamp(prior->neutral_rate);
	product_moments(beta, beta->neutral_rate, &beta->product.neutral);
	return XS_OK;
}

static XsStatus
segment_prepare(void *model, int dim, const XsEvidence *evidence, const XsPrior *prior,
				double *scratch)
{
	static const XsBeta none = {0, 0, 0};
	BetaModel  *beta = model;
	const XsBeta *counts = evidence->beta ? evidence->beta : &none;
	XsStatus	status = beta_prepare(model, dim, evidence, prior, scratch);
	int			i;

	if (status != XS_OK)
		return status;
	beta->nsegments = evidence->segments ? evidence->nsegments : 0;
	for (i = 0; i <= beta->nsegments; i++)
	{
		Level	   *segment = &beta->segments[i];

		status = split(segment, counts, i < beta->nsegments ? &evidence->segments[i] : &none);
		if (status != XS_OK)
			return status;
		segment_moments(beta, segment, beta->neutral_rate, &segment->neutral);
	}
	return XS_OK;
}

static double
propensity_of(const BetaModel *model, const XsInput *in)
{
	return in->propensity == in->propensity ? xs_propensity_clamp(in->propensity) : model->neutral_rate;
}

static void
beta_predict(const void *model, const XsInput *in, XsPrediction *out)
{
	const BetaModel *beta = model;
	double		s = propensity_of(beta, in);

	if (s == beta->neutral_rate)
		*out = beta->product.neutral;
	else
		product_moments(beta, s, out);
}

static void
segment_predict(const void *model, const XsInput *in, XsPrediction *out)
{
	const BetaModel *beta = model;
	double		s = propensity_of(beta, in);
	const Level *segment;

	if (in->segment < 0)
	{
		beta_predict(model, in, out);
		return;
	}
	segment = &beta->segments[in->segment < beta->nsegments ? in->segment : beta->nsegments];
	if (s == beta->neutral_rate)
		*out = segment->neutral;
	else
		segment_moments(beta, segment, s, out);
}

static void
no_contributions(const void *model, const XsInput *in, double *out)
{
	const BetaModel *beta = model;
	int			i;

	(void) in;
	for (i = 0; i < beta->dim; i++)
		out[i] = 0.0;
}

const XsOracle xs_oracle_beta = {
	"beta", 0, 0, beta_model_size, beta_prepare, beta_predict, no_contributions, NULL
};

const XsOracle xs_oracle_segment = {
	"segment", 0, 1, segment_model_size, segment_prepare, segment_predict, no_contributions, NULL
};
