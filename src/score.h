/*
 * score.h: from candidates and features to probabilities and the draw.
 */
#ifndef XS_SCORE_H
#define XS_SCORE_H

#include "decision.h"
#include "policy/model.h"
#include "policy/policy.h"

/*
 * Fills mean, sd and probability of the allowed candidates: shared are the first
 * dim - ntail features, the rest is each candidate's tail.  Then draws with the
 * decision's id and fills everything of the decision that follows from it,
 * product to forecasts.  decision_id, cohort, segment and candidates must be set.
 *
 * A pure function of policy, model, features, candidates and id, from which the
 * time of the decision follows: replay calls it with what the journal holds.
 */
extern void xs_score_and_draw(const XsPolicy *policy, const XsModel *model, const float4 *shared,
							  XsCandidate *candidates, XsDecision *decision);

/*
 * The probabilities alone, for xsell_rank, as of a time; cohort, segment and
 * ncandidates of the decision must be set.  expected[] by candidate (0 if excluded).
 */
extern void xs_score_only(const XsPolicy *policy, const XsModel *model, const float4 *shared, TimestampTz at,
						  XsCandidate *candidates, const XsDecision *decision, double *expected);

/*
 * What the model says of an arm that was offered elsewhere: fills mean and sd of
 * the candidate, and of the decision product, channel, features and linear
 * predictor; segment must be set.
 */
extern void xs_score_past(const XsPolicy *policy, const XsModel *model, const float4 *shared,
						  XsCandidate *candidate, XsDecision *decision);

#endif
