/*
 * oracle.h: value models.  An oracle turns a product's evidence and prior into
 * a prepared model once, and a feature vector into a prediction per arm.
 *
 * The rest of xsell knows oracles only through XsOracle.
 */
#ifndef XS_ORACLE_H
#define XS_ORACLE_H

#include <stddef.h>
#include "evidence.h"

struct XsPool;

/* The states that a product keeps; an oracle reads what it needs. Each may be NULL (none yet). */
typedef struct XsEvidence
{
	const XsBeta *beta;
	const XsGlm *glm;
	int			nsegments;
	const XsBeta *segments;		/* by segment: its part of beta */
} XsEvidence;

/* What is believed before evidence; dim columns: 0 the intercept, last the propensity's if has_propensity. */
typedef struct XsPrior
{
	double		neutral_rate;	/* P(convert) without evidence or propensity, in (0,1) */
	double		strength;		/* pseudo-observations kappa > 0 of a rate */
	double		precision;		/* glm: of feature weights, > 0 */
	double		intercept_precision;	/* glm */
	double		slope_precision;	/* glm: of the propensity's slope, prior mean 1 */
	int			has_propensity; /* the layout's last column is xs_propensity_feature */
	int			uses_propensity;	/* this product has one, so its prior is the propensity itself;
									 * else its intercept's prior mean is logit(neutral_rate) */
	double		trust;			/* in the propensity, [0,1]. beta, segment: share of the strength that it
								 * has, the neutral rate has the rest; glm: see XS_TRUSTED */
	const struct XsPool *pool;	/* glm: the group that shares part of this prior, see pool.h; or NULL */
} XsPrior;

/*
 * A product's propensity that is trusted, and tells customers apart, leaves the
 * features little to add: their prior precision is (1 + XS_TRUSTED * trust *
 * variance of its column, at most 1) times as large, unless the product is pooled.
 * By experiment, see doc/algorithms.md.
 */
#define XS_TRUSTED 7.0

/* What a prediction is about. */
typedef struct XsInput
{
	const float *x;				/* dim columns; not looked at by oracles without features */
	double		propensity;		/* in [0,1], or NaN: the neutral rate */
	int			segment;		/* index of the customer's segment, -1: none */
} XsInput;

/*
 * A belief about one arm's reward: its logit is N(mean, variance), |mean| <=
 * XS_MAX_PREDICTOR; rate is P(convert).  A linear model believes in a rate
 * N(r, s^2); it is given on the logit scale, see oracle_glm.c.
 */
typedef struct XsPrediction
{
	double		mean;
	double		variance;
	double		rate;
} XsPrediction;

typedef struct XsOracle
{
	const char *name;
	int			needs_features; /* else x, glm evidence and pools are never looked at */
	int			needs_segments; /* else segments are never looked at */

	/* Bytes of a prepared model (8-aligned), for evidence of at most nsegments and a prior of this pool. */
	size_t		(*model_size) (int dim, int nsegments, const struct XsPool *pool);

	/*
	 * Fills model; scratch has room for XS_GLM_SUMS(dim) doubles. Deterministic.
	 * A model with a pool keeps the pointer, and waits for xs_pool_adopt.
	 */
	XsStatus	(*prepare) (void *model, int dim, const XsEvidence *evidence,
							const XsPrior *prior, double *scratch);

	void		(*predict) (const void *model, const XsInput *in, XsPrediction *out);

	/*
	 * out[i]: the addend of column i, as many as the model has.  They sum, even
	 * columns and odd ones apart as in xs_dot, to the logistic oracle's mean and to
	 * the linear oracle's rate (both before clamping); those of an oracle without
	 * features are 0.
	 */
	void		(*contributions) (const void *model, const XsInput *in, double *out);

	/*
	 * Posterior mean and standard deviation of each column's coefficient, on the
	 * scale of the link; NULL for an oracle without features.
	 */
	void		(*coefficients) (const void *model, double *mean, double *sd);
} XsOracle;

/* NULL if there is no oracle of this name: "beta", "segment", "linear", "logistic". */
extern const XsOracle *xs_oracle(const char *name);

/* The registry's entries, each in its own file; use them by name only. */
extern const XsOracle xs_oracle_beta;
extern const XsOracle xs_oracle_segment;
extern const XsOracle xs_oracle_linear;
extern const XsOracle xs_oracle_logistic;

/* Posterior mean and packed covariance (either may be NULL) of a glm; for the SQL accessors. */
extern XsStatus xs_glm_posterior(const XsGlm *glm, double precision, double *mean,
								 double *covariance, double *scratch);

/* s clamped to [1e-4, 1-1e-4], NaN to 1e-4; every oracle sees propensities so. */
extern double xs_propensity_clamp(double s);

/* logit of s clamped to [1e-4, 1-1e-4] */
extern double xs_propensity_logit(double s);

/*
 * The propensity's column: its logit less that of a rate of 5 %, clipped to
 * XS_MAX_PROPENSITY (0.1 % to 74 %): a feed that is far off must not outweigh
 * all else before its slope is learned.  Centred, so that not knowing the slope makes the usual rates of
 * cross-selling uncertain only by little; the centre is fixed, since evidence is
 * summed over the column.
 */
#define XS_PROPENSITY_CENTER (-2.9444389791664403)	/* logit(0.05) */
#define XS_MAX_PROPENSITY 4.0
extern double xs_propensity_feature(double s);

#endif
