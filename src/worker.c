/*
 * worker.c: the background worker that learns for the agents of one database.
 *
 * It goes in rounds, and naps between them.  A round takes in what xsell.intake
 * holds and gives each agent whose learning is 'background' one step, each bounded
 * and in a transaction of its own, and is followed by the next at once if there is
 * more to do.  Between
 * transactions it holds nothing but the lock that makes it the only worker of
 * its database (worker_control.c), so it is in nobody's way: the extension can
 * be dropped and created again beneath it.
 *
 * A step that fails is logged, once for as long as the message stays the same,
 * noted in xsell.learner, and tried again later and later.  The other agents go
 * on.
 *
 * A worker that a session started connects as that session's user, one of the
 * launcher's as the bootstrap superuser.  Neither does anything with these
 * rights: a step runs as the owner of the journal from its beginning to the end
 * of its commit, when deferred triggers fire.
 *
 * SIGTERM cancels the step and ends the process with status 0, by which the
 * postmaster forgets it; any other end but the server's has it started again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "journal/journal.h"
#include "learn.h"
#include "reward.h"
#include "settings.h"
#include "worker.h"

#define STEP 10000				/* decisions of one agent, or outcomes, in one transaction */
#define MAX_PAUSE 60			/* seconds, after an agent has failed again and again */

extern PGDLLEXPORT void xsell_worker_main(Datum argument);

/* What a round does in a transaction of its own, and how that went so far. */
typedef struct Task
{
	const char *agent;			/* NULL: nobody's in particular */
	void		(*work) (struct Task *task);
	bool		more;			/* set by work: there is more to do at once */
	char	   *failure;		/* of the last try; NULL: it went well */
	int			pause;			/* seconds, from that try to the next */
	TimestampTz retry_at;
} Task;

/* What the beginning of a round finds out. */
static struct
{
	bool		extension;
	bool		journal;		/* of the extension */
	bool		wanted;			/* the launcher's list names the database */
	uint64		nagents;
	char	  **agents;
}			found;

static XsWorkerOrder order;
static bool connected = false;
static MemoryContext round_context;
static Task *tasks = NULL;
static int	ntasks = 0;

/* ---- what is done in transactions ---- */

/*
 * Keeps the extension from being dropped until the transaction ends.  The lock
 * is the first that DROP EXTENSION wants, so neither meets the other halfway.
 */
static bool
hold_extension(void)
{
	Oid			extension = get_extension_oid("xsell", true);

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	return get_extension_oid("xsell", true) == extension;
}

static bool
has_journal(void)
{
	return OidIsValid(get_relname_relid("learner", get_namespace_oid("xsell", true)));
}

/* Until the transaction has ended. */
static void
become_owner(void)
{
	SetUserIdAndSecContext(xs_journal_owner(xs_journal_relation("learner")),
						   SECURITY_LOCAL_USERID_CHANGE);
}

static void
look_around(Task *task)
{
	CHECK_FOR_INTERRUPTS();
	found.extension = hold_extension();
	found.journal = found.extension && has_journal();
	found.wanted = xs_is_launched(get_database_name(MyDatabaseId));
	found.nagents = 0;
	if (!found.journal)
		return;

	become_owner();
	SPI_connect();
	found.nagents = xs_agents(&found.agents, round_context);
	SPI_finish();
}

/* Nothing is written, and no transaction id taken, where there is nothing to do. */
static XsStatement has_to_learn = {
	.relation = "learner",
	.sql = "SELECT FROM (SELECT) one"
	"  LEFT JOIN xsell.learner l ON l.agent OPERATOR(pg_catalog.=) $1"
	" WHERE l.failed_at IS NOT NULL"
	"    OR EXISTS (SELECT FROM xsell.decision d"
	"         WHERE d.decision_id OPERATOR(pg_catalog.>) COALESCE(l.folded_to, 0))"
	"    OR EXISTS (SELECT FROM xsell.outcome o WHERE o.agent OPERATOR(pg_catalog.=) $1"
	"           AND o.outcome_id OPERATOR(pg_catalog.>) COALESCE(l.outcomes_to, 0))"
	"    OR EXISTS (SELECT FROM xsell.late t WHERE t.agent OPERATOR(pg_catalog.=) $1"
	"           AND t.decision_id OPERATOR(pg_catalog.<=) l.folded_to)",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static void
learn(Task *task)
{
	Datum		agent = CStringGetTextDatum(task->agent);
	const XsLearning *learning;

	if (!hold_extension() || !has_journal())
		return;
	become_owner();
	SPI_connect();
	learning = xs_learning(task->agent);
	if (learning != NULL && learning->mode == XS_LEARN_BACKGROUND &&
		xs_execute(&has_to_learn, &agent, NULL, XS_READ_NEWEST, 1) > 0)
	{
		char	   *activity = psprintf("learning agent %s", task->agent);

		pgstat_report_activity(STATE_RUNNING, activity);
		task->more = xs_learn_in_bulk(learning, STEP).decisions >= STEP;
	}
	SPI_finish();
}

static void
take_in(Task *task)
{
	if (!hold_extension() || !has_journal())
		return;
	become_owner();
	task->more = xs_take_in(STEP) >= STEP;
}

static void
note_failure(Task *task)
{
	if (!hold_extension() || !has_journal())
		return;
	become_owner();
	SPI_connect();
	xs_note_failure(task->agent, task->failure);
	SPI_finish();
}

/* ---- transactions and their failures ---- */

static void
tell_context(void *argument)
{
	const Task *task = argument;

	if (task->agent != NULL)
		errcontext("learning agent \"%s\" in the background", task->agent);
	else if (task->work == take_in)
		errcontext("taking in outcomes in the background");
}

/* Ends what has failed; the error is logged if asked for. Its message, allocated. */
static char *
recover(MemoryContext context, const Task *task, bool log_new)
{
	ErrorData  *error;
	char	   *message;

	MemoryContextSwitchTo(round_context);
	error = CopyErrorData();
	message = MemoryContextStrdup(context, error->message != NULL ? error->message : "");

	HOLD_INTERRUPTS();
	if (log_new && !ShutdownRequestPending &&
		(task->failure == NULL || strcmp(task->failure, message) != 0))
		EmitErrorReport();
	AbortCurrentTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
	MemoryContextSwitchTo(round_context);
	return message;
}

/* Runs a task's work, or other work for it; NULL, or the message of its error. */
static char *
attempt(Task *task, void (*work) (Task *task), bool log_new)
{
	ErrorContextCallback context = {error_context_stack, tell_context, task};
	char	   *volatile failure = NULL;

	error_context_stack = &context;
	PG_TRY();
	{
		Oid			user;
		int			security;

		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		GetUserIdAndSecContext(&user, &security);
		PushActiveSnapshot(GetTransactionSnapshot());
		work(task);
		PopActiveSnapshot();
		CommitTransactionCommand();
		SetUserIdAndSecContext(user, security);
	}
	PG_CATCH();
	{
		failure = recover(TopMemoryContext, task, log_new);
	}
	PG_END_TRY();
	error_context_stack = context.previous;
	MemoryContextSwitchTo(round_context);
	return failure;
}

/* True: it succeeded. */
static bool
perform(Task *task)
{
	char	   *failure;
	char	   *ignored;

	task->more = false;
	if (task->failure != NULL && GetCurrentTimestamp() < task->retry_at)
		return false;
	failure = attempt(task, task->work, true);
	if (task->failure != NULL)
		pfree(task->failure);
	task->failure = failure;
	if (failure == NULL || ShutdownRequestPending)
	{
		task->pause = 0;
		return failure == NULL;
	}

	task->more = false;
	task->pause = Min(task->pause > 0 ? task->pause * 2 : 1, MAX_PAUSE);
	task->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), task->pause * 1000);
	if (task->agent != NULL && (ignored = attempt(task, note_failure, false)) != NULL)
		pfree(ignored);			/* as likely as not for the same reason, which is logged */
	return false;
}

/* ---- rounds ---- */

static Task *
task_of(const char *agent)
{
	for (int i = 0; i < ntasks; i++)
		if (strcmp(tasks[i].agent, agent) == 0)
			return &tasks[i];
	if (tasks == NULL)
		tasks = MemoryContextAlloc(TopMemoryContext, sizeof(Task) * 8);
	else if (ntasks >= 8 && (ntasks & (ntasks - 1)) == 0)
		tasks = repalloc(tasks, sizeof(Task) * ntasks * 2);
	tasks[ntasks] = (Task) {
		.agent = MemoryContextStrdup(TopMemoryContext, agent), .work = learn
	};
	return &tasks[ntasks++];
}

/* True: there is more to do at once. */
static bool
round_of_steps(void)
{
	static Task intake = {.work = take_in};
	bool		more;

	if (!found.journal)
		return false;
	(void) perform(&intake);
	more = intake.more;
	for (uint64 i = 0; i < found.nagents && !ShutdownRequestPending; i++)
	{
		Task	   *task = task_of(found.agents[i]);

		(void) perform(task);
		more |= task->more;
	}
	return more;
}

static void
nap(const char *activity)
{
	pgstat_report_activity(STATE_IDLE, activity);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 xs_worker_nap, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	QueryCancelPending = ShutdownRequestPending;	/* there was nothing to cancel */
}

/* ---- the process ---- */

static void
cancel_and_end(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

/* A worker that cannot connect, its database being gone, would be started again for ever. */
static void
end_for_good(int code, Datum argument)
{
	if (!connected)
		proc_exit(0);
}

/* Whoever waits for the lock to be held looks now. */
static void
tell_starter(void)
{
	PGPROC	   *starter = MyBgworkerEntry->bgw_notify_pid != 0 ?
		BackendPidGetProc(MyBgworkerEntry->bgw_notify_pid) : NULL;

	if (starter != NULL)
		SetLatch(&starter->procLatch);
}

static bool
is_needed(void)
{
	return order.launched ? found.wanted : found.extension;
}

void
xsell_worker_main(Datum argument)
{
	Oid			database = DatumGetObjectId(argument);
	LOCKTAG		lock = xs_worker_lock(database);
	Task		beginning = {.work = look_around};

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, cancel_and_end);
	on_proc_exit(end_for_good, 0);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, order.role, 0);
	connected = true;
	round_context = AllocSetContextCreate(TopMemoryContext, "xsell round", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(round_context);

	/* before it says that it is there: see xsell_worker_start */
	if (perform(&beginning) && !is_needed())
		proc_exit(0);
	if (LockAcquire(&lock, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		proc_exit(0);
	tell_starter();

	while (!ShutdownRequestPending)
	{
		bool		more = false;

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (perform(&beginning))
		{
			if (!is_needed())
				break;
			more = round_of_steps();
		}
		pgstat_report_stat(!more);
		if (!more && !ShutdownRequestPending)
			nap(found.journal ? "waiting for decisions and outcomes" : "waiting for a journal");
		MemoryContextReset(round_context);
	}
	proc_exit(0);
}
