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
	const char *agent;
	const char *channel;		/* or NULL */
	Jsonb	   *context;		/* or NULL */
	const char *request_key;	/* or NULL */
} XsCall;

/* Reads the arguments (customer, products, agent, channel, context[, request_key]). */
extern void xs_read_call(FunctionCallInfo fcinfo, XsCall *call);

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

/* Candidates and the features they share, for scoring. */
extern int	xs_choice_candidates(const XsCall *call, const XsChoice *choice, const XsContacts *contacts,
								 XsCandidate **candidates, float4 **shared);

/* The whole decision; decision_id is made here. contacts NULL: busy, no offer. */
extern void xs_choose(const XsCall *call, const XsChoice *choice, const XsContacts *contacts,
					  XsDecision *decision);

/* "agent" or "control", by a stable hash of the key. */
extern const char *xs_cohort(const XsPolicy *policy, Datum customer_key);

#endif
