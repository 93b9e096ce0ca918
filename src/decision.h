/*
 * decision.h: a decision, as the halves of the flow hand it on.
 *
 * choose fills it, record writes it.  Strings and arrays live in the memory
 * context that was current when it was made.
 */
#ifndef XS_DECISION_H
#define XS_DECISION_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "model/forecast.h"

#define XS_MAX_SEGMENT 200		/* bytes of a segment's name that count */

/* One arm as it stood: a prediction and a probability, or the reason of its exclusion. */
typedef struct XsCandidate
{
	uint16		arm;			/* index into the policy version's arms */
	const char *excluded;		/* first reason that failed; NULL if allowed */
	float4		mean;			/* linear predictor, posterior mean and sd */
	float4		sd;
	float4		value;			/* of a conversion, and cost of the offer */
	float4		cost;
	float8		propensity;		/* NaN where the offer has none, or none that is a probability */
	float8		probability;	/* 0 if excluded */
	int			ntail;			/* features that differ between arms: the last of the vector */
	const float4 *tail;
} XsCandidate;

typedef struct XsDecision
{
	int64		decision_id;
	Datum		customer_key;	/* of the journal's key type */
	const char *agent;
	const char *cohort;			/* "agent", "control", or "imported" */
	const char *product;		/* NULL: no offer */
	const char *channel;
	double		probability;	/* product, channel, probability to cost, linear_predictor: if there is an offer; NaN: unknown */
	double		expected;		/* value * rate - cost */
	float4		value;			/* of a conversion, and cost of the offer: of the candidate drawn */
	float4		cost;
	double		weight;			/* observations that it counts for; 0: one, as any */
	bool		awaits_delivery;	/* its channel reports deliveries */
	const char *mode;			/* "exploit", "explore", "control", "fallback", "imported", "none" */
	const char *reason;
	int32		policy_version;
	int64		model_version;
	int32		encoding;		/* policy version that introduced the feature layout */
	double		linear_predictor;	/* float4 x prepared mu, at full precision */
	int			dim;			/* of features: the chosen arm's, or 0 */
	const float4 *features;
	int			ncandidates;
	const XsCandidate *candidates;
	int			ncontributions; /* largest addends of the linear predictor: column and addend */
	int16		contribution_columns[4];
	float4		contributions[4];
	int			noverrides;		/* names of those that had an effect */
	char	  **overrides;
	Jsonb	   *reads;			/* columns that the failed conditions read, with their values; or NULL */
	const char *segment;		/* the customer's, or NULL */
	int			nforecasts;		/* 0 without an offer, else XS_FORECASTERS */
	float4		forecasts[XS_FORECASTERS];	/* of the chosen arm's reward, NaN where there is none */
	const char *request_key;	/* or NULL */
	const char *breach;			/* cap broken by a decision that was made elsewhere, or NULL */
} XsDecision;

#endif
