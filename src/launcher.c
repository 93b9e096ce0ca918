/*
 * launcher.c: the background worker of a preloaded library that sees to it that
 * every database of xsell.worker_databases has a worker.
 *
 * It is connected to no database, and looks every few seconds, or when a worker
 * of its own ends, at the shared catalog of databases and at the workers' locks.
 * It starts what is missing and stops nothing: a worker that it has started ends
 * by itself when its database is no longer listed (worker.c).
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "settings.h"
#include "worker.h"

#define NAP 3000				/* ms; also how long a worker that ended stays away */
#define RESTART_TIME 5			/* seconds, of the launcher itself */

extern PGDLLEXPORT void xsell_launcher_main(Datum argument);

/* A worker that was ordered. */
typedef struct Ordered
{
	Oid			database;
	BackgroundWorkerHandle *handle; /* NULL: it has ended */
	TimestampTz not_before;		/* the next one */
} Ordered;

static bool registered = false;
static MemoryContext round_context;
static List *ordered = NIL;
static bool lacked_slots = false;

static List *
listed_names(void)
{
	List	   *names = NIL;

	(void) SplitIdentifierString(pstrdup(xs_worker_databases), ',', &names);
	return names;
}

bool
xs_is_launched(const char *database)
{
	ListCell   *cell;

	if (registered && database != NULL)
		foreach(cell, listed_names())
			if (strcmp(lfirst(cell), database) == 0)
				return true;
	return false;
}

/* Databases that are listed, exist, and take connections. */
static List *
wanted_databases(void)
{
	List	   *wanted = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		/* a connection limit below -1 marks one that was half dropped */
		if (database->datallowconn && database->datconnlimit >= -1 &&
			xs_is_launched(NameStr(database->datname)))
		{
			MemoryContext caller = MemoryContextSwitchTo(round_context);

			wanted = lappend_oid(wanted, database->oid);
			MemoryContextSwitchTo(caller);
		}
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(round_context);
	return wanted;
}

static Ordered *
ordered_for(Oid database)
{
	ListCell   *cell;
	Ordered    *fresh;
	MemoryContext caller;

	foreach(cell, ordered)
		if (((Ordered *) lfirst(cell))->database == database)
			return lfirst(cell);
	caller = MemoryContextSwitchTo(TopMemoryContext);
	fresh = palloc0(sizeof(Ordered));
	fresh->database = database;
	ordered = lappend(ordered, fresh);
	MemoryContextSwitchTo(caller);
	return fresh;
}

static void
see_to(Oid database)
{
	Ordered    *entry = ordered_for(database);
	TimestampTz now = GetCurrentTimestamp();
	XsWorkerOrder order = {.role = InvalidOid, .launched = true};
	MemoryContext caller;
	pid_t		pid;
	bool		done;

	if (entry->handle != NULL)
	{
		if (GetBackgroundWorkerPid(entry->handle, &pid) != BGWH_STOPPED)
			return;
		pfree(entry->handle);
		entry->handle = NULL;
		entry->not_before = TimestampTzPlusMilliseconds(now, NAP);
	}
	if (now < entry->not_before || xs_worker_pid(database) != 0)
		return;

	caller = MemoryContextSwitchTo(TopMemoryContext);
	done = xs_worker_order(database, order, &entry->handle);
	MemoryContextSwitchTo(caller);
	if (!done && !lacked_slots)
		ereport(WARNING,
				(errmsg("no slot for a background worker is free, xsell cannot learn in all databases that are listed"),
				 errhint("Raise max_worker_processes, and restart the server.")));
	lacked_slots = !done;
}

static void
forget_others(const List *wanted)
{
	ListCell   *cell;

	foreach(cell, ordered)
	{
		Ordered    *entry = lfirst(cell);

		if (list_member_oid(wanted, entry->database))
			continue;
		ordered = foreach_delete_current(ordered, cell);
		if (entry->handle != NULL)
			pfree(entry->handle);
		pfree(entry);
	}
}

void
xsell_launcher_main(Datum argument)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	pqsignal(SIGINT, SIG_IGN);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	round_context = AllocSetContextCreate(TopMemoryContext, "xsell round", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(round_context);

	while (!ShutdownRequestPending)
	{
		List	   *wanted = wanted_databases();
		ListCell   *cell;

		forget_others(wanted);
		foreach(cell, wanted)
			see_to(lfirst_oid(cell));
		MemoryContextReset(round_context);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, NAP, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
	proc_exit(1);				/* 0 would be for good */
}

void
xs_register_launcher(void)
{
	BackgroundWorker worker = {
		.bgw_name = "xsell launcher",
		.bgw_type = "xsell launcher",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = RESTART_TIME,
		.bgw_library_name = "xsell",
		.bgw_function_name = "xsell_launcher_main"
	};

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	RegisterBackgroundWorker(&worker);
	registered = true;
}
