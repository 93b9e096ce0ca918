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

/* The two states that every product keeps; an oracle reads the one it needs. glm may be NULL (none yet). */
typedef struct XsEvidence
{
	const XsBeta *beta;
	const XsGlm *glm;
} XsEvidence;

/* What is believed before evidence; dim columns: 0 the intercept, last the propensity's if has_propensity. */
typedef struct XsPrior
{
	double		neutral_rate;	/* P(convert) without evidence or propensity, in (0,1) */
	double		strength;		/* beta: pseudo-observations kappa > 0 */
	double		precision;		/* glm: of feature weights, > 0 */
	double		intercept_precision;	/* glm */
	double		slope_precision;	/* glm: of the propensity's slope, prior mean 1 */
	int			has_propensity; /* the layout's last column is xs_propensity_feature */
	int			uses_propensity;	/* this product has one, so its prior is the propensity itself;
									 * else its intercept's prior mean is logit(neutral_rate) */
} XsPrior;

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
	int			needs_features; /* else the glm evidence is never looked at */

	/* Bytes of a prepared model (8-aligned). */
	size_t		(*model_size) (int dim);

	/* Fills model; scratch has room for XS_GLM_SUMS(dim) doubles. Deterministic. */
	XsStatus	(*prepare) (void *model, int dim, const XsEvidence *evidence,
							const XsPrior *prior, double *scratch);

	/* x: dim float4; propensity: in [0,1], or the neutral rate where there is none. */
	void		(*predict) (const void *model, const float *x, double propensity,
							XsPrediction *out);

	/*
	 * out[i]: the addend of column i, as many as the model has.  They sum, in
	 * index order, to the logistic oracle's mean and to the linear oracle's
	 * rate (both before clamping); the beta oracle's are 0.
	 */
	void		(*contributions) (const void *model, const float *x, double *out);
} XsOracle;

/* NULL if there is no oracle of this name: "beta", "linear", "logistic". */
extern const XsOracle *xs_oracle(const char *name);

/* The registry's entries, each in its own file; use them by name only. */
extern const XsOracle xs_oracle_beta;
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
 * The propensity's column: its logit less that of a rate of 5 %, clipped like all
 * features.  Centred, so that not knowing the slope makes the usual rates of
 * cross-selling uncertain only by little; the centre is fixed, since evidence is
 * summed over the column.
 */
#define XS_PROPENSITY_CENTER (-2.9444389791664403)	/* logit(0.05) */
extern double xs_propensity_feature(double s);

#endif
