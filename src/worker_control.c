/*
 * worker_control.c: starting and stopping the background worker of a database,
 * and which process it is.
 *
 * The worker holds a lock of its database for as long as it lives.  That lock,
 * and nothing else, says whether there is one and which: of two that are started
 * at once, one gets it, and the other ends.
 */
#include "postgres.h"

#include <signal.h>

#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "learn.h"
#include "worker.h"

#define LOCK_SPACE 2020893804	/* as xsell's advisory locks have it: "xsel" */
#define WORKER_LOCK 3			/* those of SQL are of the kinds 1 and 2 */
#define STARTER_LOCK 4			/* sessions start one after the other, so that a slot does for all */
#define RESTART_TIME 5			/* seconds after it ended, but not by SIGTERM */

PG_FUNCTION_INFO_V1(xsell_worker_start);
PG_FUNCTION_INFO_V1(xsell_worker_stop);
PG_FUNCTION_INFO_V1(xsell_worker);

LOCKTAG
xs_worker_lock(Oid database)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, database, LOCK_SPACE, 0, WORKER_LOCK);
	return tag;
}

int
xs_worker_pid(Oid database)
{
	LOCKTAG		tag = xs_worker_lock(database);
	LockData   *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
		if (memcmp(&locks->locks[i].locktag, &tag, sizeof(tag)) == 0 &&
			locks->locks[i].holdMask != 0)
			return locks->locks[i].pid;
	return 0;
}

bool
xs_worker_order(Oid database, XsWorkerOrder order, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {
		.bgw_name = XS_WORKER_TYPE,
		.bgw_type = XS_WORKER_TYPE,
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		/* the launcher is started again itself, and sees to its own */
		.bgw_restart_time = order.launched ? BGW_NEVER_RESTART : RESTART_TIME,
		.bgw_library_name = "xsell",
		.bgw_function_name = "xsell_worker_main",
		.bgw_main_arg = ObjectIdGetDatum(database),
		.bgw_notify_pid = MyProcPid
	};

	memcpy(worker.bgw_extra, &order, sizeof(order));
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

static void
wait_a_little(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 100, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* The process that has the lock once the one ordered has taken it or has ended. */
static int
await_worker(BackgroundWorkerHandle *handle, pid_t *started)
{
	for (;;)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(handle, started);
		int			pid = xs_worker_pid(MyDatabaseId);

		if (pid != 0 || status == BGWH_STOPPED)
			return pid;
		wait_a_little();
	}
}

static int
start(pid_t *started)
{
	XsWorkerOrder order = {.role = GetSessionUserId()};
	BackgroundWorkerHandle *handle;
	int			pid;

	if (!xs_worker_order(MyDatabaseId, order, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("no slot for a background worker is free"),
				 errhint("Raise max_worker_processes, and restart the server.")));
	pid = await_worker(handle, started);
	if (pid == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the background worker ended at once"),
				 errhint("The server log may say why. An extension that this transaction has created is not there yet.")));
	return pid;
}

/* xsell_worker_start() RETURNS integer */
Datum
xsell_worker_start(PG_FUNCTION_ARGS)
{
	LOCKTAG		starters;
	pid_t		started = 0;
	int			pid;

	xs_check_learns_here("xsell_worker_start");
	SET_LOCKTAG_ADVISORY(starters, MyDatabaseId, LOCK_SPACE, 0, STARTER_LOCK);
	(void) LockAcquire(&starters, ExclusiveLock, false, false);
	pid = xs_worker_pid(MyDatabaseId);
	if (pid == 0)
		pid = start(&started);
	LockRelease(&starters, ExclusiveLock, false);
	if (pid != started)
		ereport(NOTICE,
				(errmsg("a background worker learns for this database already, process %d", pid)));
	PG_RETURN_INT32(pid);
}

/* xsell_worker_stop() RETURNS boolean */
Datum
xsell_worker_stop(PG_FUNCTION_ARGS)
{
	int			pid = xs_worker_pid(MyDatabaseId);

	if (pid == 0)
		PG_RETURN_BOOL(false);
	if (kill(pid, SIGTERM) != 0 && errno != ESRCH)
		ereport(ERROR,
				(errmsg("could not send a signal to process %d: %m", pid)));
	while (xs_worker_pid(MyDatabaseId) == pid)
		wait_a_little();
	if (xs_is_launched(get_database_name(MyDatabaseId)))
		ereport(NOTICE,
				(errmsg("the background worker will be started again"),
				 errhint("Take the database off xsell.worker_databases, and reload the configuration.")));
	PG_RETURN_BOOL(true);
}

/* xsell_worker(OUT pid integer, OUT activity text) */
Datum
xsell_worker(PG_FUNCTION_ARGS)
{
	int			pid = xs_worker_pid(MyDatabaseId);
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {pid == 0, pid == 0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (pid != 0)
	{
		values[0] = Int32GetDatum(pid);
		values[1] = CStringGetTextDatum(pgstat_get_backend_current_activity(pid, false));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
