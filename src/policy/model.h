/*
 * model.h: an agent's prepared models, one per offer.
 *
 * Evidence goes in row by row, from the live tables (model_load.c), or as of an
 * earlier version (replay), or from a refit; what comes out depends on the set
 * of rows alone.  Prior, propensity, pooling, discount, layout of features and
 * the choice of the oracle act here and leave evidence as it is.
 */
#ifndef XS_MODEL_H
#define XS_MODEL_H

#include "postgres.h"

#include "../journal/journal.h"
#include "../model/forecast.h"
#include "policy.h"

typedef struct XsModel XsModel;

/* What one layout's decisions of one week left for a product. */
typedef struct XsEvidenceRow
{
	const char *product;
	int32		encoding;
	DateADT		bucket;
	const char *source;			/* whose decisions: xsell.evidence.source */
	const XsBeta *beta;			/* each may be NULL */
	const XsGlm *glm;
	const XsScore *score;
	const XsBeta *harm;
} XsEvidenceRow;

/* What one segment's decisions of one week left for a product. */
typedef struct XsSegmentRow
{
	const char *product;
	const char *segment;
	DateADT		bucket;
	const char *source;
	const XsBeta *beta;
} XsSegmentRow;

/* An empty model of a policy, in its own context below the given one. */
extern XsModel *xs_model_create(const XsPolicy *policy, MemoryContext parent);
extern MemoryContext xs_model_context(const XsModel *model);

/*
 * Evidence: between begin and end, which prepares the offers that rows were
 * added for, those of products that were touched, which may have no row left, and
 * (all) the others too.  newest: the latest bucket of the evidence that may teach,
 * from which age is counted.  sign -1 takes a row away.  Of
 * products no longer offered, of layouts of another link, and of sources that do
 * not teach, nothing is taken.
 */
extern void xs_model_begin(XsModel *model, DateADT newest);
extern void xs_model_touch(XsModel *model, const char *product);
extern void xs_model_add(XsModel *model, const XsEvidenceRow *row, int sign);
extern void xs_model_add_segment(XsModel *model, const XsSegmentRow *row);
extern void xs_model_end(XsModel *model, bool all);

/*
 * model_load.c: all offers from the journal's evidence and the refit in effect,
 * under the active snapshot; with since >= 0 only what changed after that model
 * version.  Or with another refit, XS_NO_REFIT for none.
 */
#define XS_NO_REFIT 0
extern void xs_model_load(XsModel *model, int64 since);
extern void xs_model_load_refit(XsModel *model, int64 refit);

/* The refit that was in effect at a model version. */
extern int64 xs_refit_at(const char *agent, int64 model_version);

/*
 * Adds what a refit changed of the evidence it was made from.  One of another link
 * changes nothing.  Within SPI.
 */
extern void xs_model_add_refit(XsModel *model, int64 refit);

/* An error unless there is such a refit, XS_NO_REFIT included, that the model can use.  Within SPI. */
extern void xs_check_refit(XsModel *model, int64 refit, XsAccess access);

/* Whether evidence of an encoding can teach the model's features: its link is the same. */
extern bool xs_model_can_use(XsModel *model, int32 encoding);

/* What the evidence last put in was, for model_load.c. */
typedef struct XsModelBasis
{
	DateADT		newest;
	int64		refit;
} XsModelBasis;

extern XsModelBasis *xs_model_basis(XsModel *model);
extern const XsPolicy *xs_model_policy(const XsModel *model);

/* An offer's share of what was learned of the four weeks before; 0 while that is too little to tell. */
extern double xs_model_share(const XsModel *model, int offer, TimestampTz now);

/* The prediction for an offer: x has dim columns; propensity NaN: none. */
extern void xs_model_predict(const XsModel *model, int offer, const XsInput *in, XsPrediction *out);

/* What each forecaster expects of the reward; NaN where it has no forecast. */
extern void xs_model_forecasts(const XsModel *model, int offer, const XsInput *in, float4 out[XS_FORECASTERS]);

/* Addends of the linear predictor by column. */
extern void xs_model_contributions(const XsModel *model, int offer, const XsInput *in, double *out);

/* The number of a customer's segment, for XsInput: -1 without one, xs_model_nsegments if nothing was learned of it. */
extern int	xs_model_segment(const XsModel *model, const char *segment);
extern int	xs_model_nsegments(const XsModel *model);
extern const char *xs_model_segment_name(const XsModel *model, int segment);

/* Expected harm of an offer, in [0,1]. */
extern double xs_model_harm(const XsModel *model, int offer);

/* Decisions learned: of an offer, or of all (offer -1). */
extern double xs_model_learned(const XsModel *model, int offer);

/* Mean reward of a learned decision, by the evidence that counts; 0 without any. */
extern double xs_model_rate(const XsModel *model);

/* Whether two offers share part of their prior. */
extern bool xs_model_shares(const XsModel *model, int offer, int other);

/* What predicts an offer's reward, for views. */
typedef struct XsModelState
{
	int			forecaster;		/* XS_FORECAST_GLOBAL, SEGMENT or CONTEXTUAL */
	double		gain[XS_FORECASTERS];	/* auto: by how much others did better since the last change */
	double		trust;			/* in the propensity feed */
	const XsBeta *beta;			/* evidence that counts */
} XsModelState;

extern void xs_model_state(const XsModel *model, int offer, XsModelState *state);

/* Of models with features: posterior mean and sd of each column's coefficient. */
extern void xs_model_coefficients(const XsModel *model, int offer, double *mean, double *sd);

/* Standard deviation of each column among the decisions learned, see xs_glm_variance; NULL without any. */
extern const double *xs_model_spread(const XsModel *model, int offer);

/* Of policies with segments: the prediction for a segment, whoever the customer is. */
extern void xs_model_predict_segment(const XsModel *model, int offer, int segment, XsPrediction *out);

#endif
