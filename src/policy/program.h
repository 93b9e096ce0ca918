/*
 * program.h: a policy's expressions, compiled for one row type and evaluated
 * against one customer row.
 */
#ifndef XS_PROGRAM_H
#define XS_PROGRAM_H

#include "postgres.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "policy.h"

typedef struct XsProgram XsProgram;

/*
 * Compiles every expression of the policy for rows of this descriptor, as the
 * current user, into a new child of the given context.  In the pass, features
 * get their kind if the policy does not know it yet.
 */
extern XsProgram *xs_program_compile(XsPolicy *policy, TupleDesc row, Oid key_type,
									 MemoryContext parent);

/* False after a function or type that the program uses has changed. */
extern bool xs_program_valid(const XsProgram *program);

/* Takes a program off the watch; the caller disposes of its context. */
extern MemoryContext xs_program_retire(XsProgram *program);

/* The row, the call's context and its time, for market indicators, that the next evaluations are about. */
extern void xs_program_row(XsProgram *program, HeapTupleHeader row, Datum context, bool context_null,
						   TimestampTz now);
extern void xs_program_done(XsProgram *program);

/*
 * The value for an arm (offer and channel index); each distinct expression is
 * computed once per row.  By-reference results live until xs_program_done.
 */
extern Datum xs_evaluate(XsProgram *program, const XsExpression *expression,
						 int offer, int channel, bool *isnull);

/* The same as finite float8; an error names the expression otherwise. */
extern double xs_evaluate_number(XsProgram *program, const XsExpression *expression,
								 int offer, int channel, bool *isnull);

/* {"NAME": "value as text", ...} of the current call, for names as in XsExpression.reads. */
extern Jsonb *xs_reads_json(XsProgram *program, const List *names);

/* features.c: the feature vector of an arm, but for the propensity */
extern void xs_encode(XsProgram *program, const XsPolicy *policy, int offer, int channel,
					  bool tail, float4 *x);

#endif
