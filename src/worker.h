/*
 * worker.h: learning in the background: the worker of a database, whoever
 * starts it, and the launcher that starts those of a preloaded library.
 */
#ifndef XS_WORKER_H
#define XS_WORKER_H

#include "postgres.h"

#include "postmaster/bgworker.h"
#include "storage/lock.h"

#define XS_WORKER_TYPE "xsell learner"	/* pg_stat_activity.backend_type */

/* How a worker was started: in bgw_extra. */
typedef struct XsWorkerOrder
{
	Oid			role;			/* to connect as; InvalidOid: the bootstrap superuser */
	bool		launched;		/* by the launcher: it stays as long as its database is listed */
} XsWorkerOrder;

/* worker_control.c */

/*
 * The lock that a worker holds while it lives: one per database.  It looks like
 * an advisory lock, but no SQL function can take it.
 */
extern LOCKTAG xs_worker_lock(Oid database);

/* The process that holds it, or 0. */
extern int	xs_worker_pid(Oid database);

/* Has the postmaster start one. False: there is no slot for it. */
extern bool xs_worker_order(Oid database, XsWorkerOrder order, BackgroundWorkerHandle **handle);

/* launcher.c: in _PG_init */
extern void xs_register_launcher(void);

/* Whether the launcher sees to a worker in this database. */
extern bool xs_is_launched(const char *database);

#endif
