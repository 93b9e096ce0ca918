/*
 * cache.h: policies, programs and models that a backend keeps between calls.
 */
#ifndef XS_CACHE_H
#define XS_CACHE_H

#include "postgres.h"

#include "model.h"
#include "policy.h"
#include "program.h"

typedef struct XsAgent
{
	const char *name;			/* key of the cache */
	XsPolicy   *policy;
	XsModel    *model;
	int64		model_version;
	int64		folded_to;		/* decisions up to this id are learned */
} XsAgent;

/*
 * The agent as the active snapshot sees it; read again only once per command.
 * Errors if there is no such agent.
 */
extern XsAgent *xs_agent(const char *name);

/* The agent of a call that names none: the only one, or the only one of the row's table. */
extern const char *xs_agent_for(Oid row_type);

/* The agent's expressions compiled for rows of this type, as the current user. */
extern XsProgram *xs_agent_program(XsAgent *agent, Oid row_type, int32 row_typmod);

/* A policy version from the history, in the current memory context; NULL if there is none. */
extern XsPolicy *xs_policy_version(const char *agent, int32 version);

/* Identifies the command that calls: equal for calls under the same snapshot of the same transaction. */
typedef struct XsCommand
{
	LocalTransactionId transaction;
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
} XsCommand;

extern XsCommand xs_current_command(void);
extern bool xs_same_command(const XsCommand *a, const XsCommand *b);

#endif
