/*
 * choose.h: everything of a decision up to the draw, writing nothing.
 */
#ifndef XS_CHOOSE_H
#define XS_CHOOSE_H

#include "postgres.h"
#include "access/htup.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "decision.h"
#include "journal/journal.h"
#include "policy/cache.h"

/* The arguments that xsell_choose, xsell_decide and xsell_rank share. */
typedef struct XsCall
{
	HeapTupleHeader row;
	Oid			row_type;
	int32		row_typmod;
	ArrayType  *products;		/* or NULL */
	const char *product;		/* of xsell_why, in the place of products; or NULL */
	const char *agent;
	const char *channel;		/* or NULL */
	Jsonb	   *context;		/* or NULL */
	const char *request_key;	/* or NULL */
	int			mode;			/* XS_MODE_*, or 0 */
	bool		preview;		/* look at candidates even if the agent is paused; no fallback */
	bool		has_time;		/* the call is about another moment than now */
	TimestampTz at;
} XsCall;

/* Where the arguments after (customer, products, agent, channel, context) are; -1: nowhere. */
typedef struct XsArguments
{
	int			request_key;
	int			call_mode;
	int			at;
	bool		product;		/* one product in the place of products */
} XsArguments;

extern void xs_read_call(FunctionCallInfo fcinfo, XsArguments where, XsCall *call);

/* A call whose row is being evaluated. Between begin and end nothing else may be chosen. */
typedef struct XsChoice
{
	XsAgent    *agent;
	XsProgram  *program;
	Datum		customer_key;
	TimestampTz now;
	uint64		number;			/* of all choices of the backend */
} XsChoice;

/* Reasons of decisions for which no candidates were looked at. */
#define XS_REASON_PAUSED "agent is paused"
#define XS_REASON_BUSY "contact in progress"

extern void xs_begin_choice(const XsCall *call, XsChoice *choice);
extern void xs_end_choice(XsChoice *choice);

/* What is known of the customer besides the row; NULL where it is asked for: busy. */
typedef struct XsHistory
{
	XsContacts	contacts;
	int			nconsents;
	XsConsent  *consents;
} XsHistory;

/* Without a lock, as the active snapshot shows it. */
extern void xs_read_history(const XsChoice *choice, XsHistory *history);

/* What completes a history whose contacts were read: outcomes and consents. */
extern void xs_complete_history(const XsChoice *choice, XsAccess access, XsHistory *history);

/*
 * Candidates after overrides, which are noted in the decision, and the features
 * they share.  reads: whether the decision also notes what excluded ones read.
 */
extern int	xs_choice_candidates(const XsCall *call, const XsChoice *choice, const XsHistory *history,
								 XsCandidate **candidates, float4 **shared, XsDecision *decision, bool reads);

/* The whole decision; decision_id is made here. history NULL: busy, no offer. */
extern void xs_choose(const XsCall *call, const XsChoice *choice, const XsHistory *history,
					  XsDecision *decision);

/*
 * An offer that was made elsewhere, as the present policy and model see it: its
 * arm's features, segment and linear predictor.  The decision's id is the caller's.
 */
extern void xs_choose_past(const XsChoice *choice, int offer, int channel, XsDecision *decision);

/* "agent" or "control", by a stable hash of the key. */
extern const char *xs_cohort(const XsPolicy *policy, Datum customer_key);

#endif
