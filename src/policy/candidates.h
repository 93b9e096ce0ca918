/*
 * candidates.h: which arms a call may choose from, and why not the others.
 */
#ifndef XS_CANDIDATES_H
#define XS_CANDIDATES_H

#include "postgres.h"
#include "utils/array.h"

#include "../decision.h"
#include "../journal/journal.h"
#include "model.h"
#include "policy.h"
#include "program.h"

/* All that decides about candidates. */
typedef struct XsSituation
{
	const XsPolicy *policy;
	XsProgram  *program;		/* whose row is current */
	const XsModel *model;
	TimestampTz now;
	int			mode;			/* of the call, XS_MODE_*; 0: not said, so it must suit both */
	ArrayType  *products;		/* that the call asks about; NULL: all offers */
	const char *channel;		/* that it names; NULL: none */
	const XsContacts *contacts; /* with outcomes, if the policy needs_responses */
	int			nconsents;
	const XsConsent *consents;
} XsSituation;

/*
 * The arms that the call asks about, each with the first reason that excludes
 * it, or NULL, and what an allowed one is worth.  Errors name products and
 * channels that the agent does not have.
 */
extern int	xs_candidates(const XsSituation *situation, XsCandidate **candidates);

/* Those of one product alone, whatever the call asks about; appended after n. */
extern int	xs_candidates_of(const XsSituation *situation, int offer, XsCandidate **candidates, int n);

/* Why rows of xsell.consent forbid the channel: opted_out, not_opted_in, or NULL. */
extern const char *xs_consent_missing(const XsChannel *channel, int nconsents, const XsConsent *consents);

/* An arm's propensity; NaN where the offer has none, or none that is a probability. */
extern double xs_propensity_of(XsProgram *program, const XsOffer *offer, int o, int c);

/* The errors of xs_candidates alone, where nothing is evaluated. */
extern void xs_check_asked(const XsPolicy *policy, ArrayType *products, const char *channel);

/*
 * Applies the overrides in effect to the allowed candidates: block and force
 * exclude, boost multiplies values.  Notes the names of those that did something.
 */
extern void xs_apply_overrides(const XsSituation *situation, XsCandidate *candidates, int n,
							   XsDecision *decision);

/* The expression that a reason is about, or NULL: held, consent, hours, rule:, override:, value, lever, cost. */
extern const XsExpression *xs_reason_expression(const XsPolicy *policy, int arm, const char *reason);

/* Columns and values that the excluded candidates' expressions read; NULL if none. */
extern Jsonb *xs_candidates_reads(const XsSituation *situation, const XsCandidate *candidates, int n);

#endif
