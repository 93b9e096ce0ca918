/*
 * model.h: an agent's prepared models, one per offer.
 */
#ifndef XS_MODEL_H
#define XS_MODEL_H

#include "postgres.h"

#include "policy.h"

typedef struct XsModel XsModel;

/* An empty model of a policy's layout, in its own context below the given one. */
extern XsModel *xs_model_create(const XsPolicy *policy, MemoryContext parent);
extern MemoryContext xs_model_context(const XsModel *model);

/* Prepares one offer from its evidence (beta, glm: NULL if there is none). */
extern void xs_model_prepare(XsModel *model, int offer, const XsBeta *beta, const XsGlm *glm);

/*
 * Prepares all offers from xsell.evidence under the active snapshot; with since
 * >= 0 only those whose evidence changed after that model version.
 */
extern void xs_model_load(XsModel *model, int64 since);

/* An offer's share of what was learned of the four weeks before; 0 while that is too little to tell. */
extern double xs_model_share(const XsModel *model, int offer, TimestampTz now);

/* The prediction for an offer: x has dim columns; propensity NaN: none. */
extern void xs_model_predict(const XsModel *model, int offer, const float4 *x, double propensity,
							 XsPrediction *out);

/* Addends of the linear predictor by column. */
extern void xs_model_contributions(const XsModel *model, int offer, const float4 *x, double *out);

#endif
