/*
 * learn.c: the learner: who learns, how far, and what is remembered of it.
 *
 * One session at a time learns for an agent: the one that holds its row of
 * xsell.learner, until its transaction ends.  Others stand aside: what they
 * recorded is in the journal, and whoever learns next finds it there.
 *
 * The learner walks decisions and outcomes by id and remembers the last ids it
 * has dealt with (folded_to, outcomes_to).  It must not pass an id that a
 * running transaction may yet commit.  Such an id is never below the horizon:
 *
 *   - A transaction has its transaction id before it makes decision or outcome
 *     ids, and these follow the clock.
 *   - A fence is a pair taken in this order: an id F, the floor of the clock's
 *     present millisecond; then X, the next transaction id to be assigned.  So
 *     whoever owns an id below F had read the clock before F was made, and had
 *     its transaction id before that: below X.
 *   - Then, and always after X was read, comes a snapshot.  A transaction below
 *     X runs if it is among the snapshot's running ones, or lies between the
 *     snapshot's xmax and X: xmax follows the last transaction that ended, not
 *     the last that began, and what lies between has begun and not ended.
 *     Prepared transactions are among them.  Backends of other databases cannot
 *     write here, and are left out as far as they are known as such.
 *   - If none runs, all ids below F are settled: committed and visible to every
 *     later snapshot, or never.  The horizon is F.
 *   - Otherwise, if all that run are at or above the X of a fence stored before,
 *     all below that X have ended, and the horizon is that fence's F.
 *   - Otherwise nothing is known anew, and the horizon stays.
 *
 * A new fence is stored whenever the old one has served.  So under steady load
 * the learner is behind by about the length of two of its transactions, and a
 * transaction that stays open (prepared, or long) holds it back, but is never
 * passed.  A fence above X was stored by another server (dump and restore):
 * none of its transactions exists here, and it is dropped.
 *
 * The learner's own transaction does not count as running: its rows are visible
 * to itself, and if it rolls back, positions, evidence and experience do so
 * with them.  The same holds for its savepoints.
 *
 * Not every id is made in that order: a decision chosen on a standby or under
 * another clock is recorded later than its id says.  Whoever records it writes
 * its id to xsell.late as well, in the same transaction; so does xsell_reward
 * for an outcome whose id the walk has passed.  Late decisions at or below
 * folded_to are folded if they are no experience yet, corrected if they are,
 * and taken from xsell.late; those above it meet the walk.
 *
 * So each decision becomes experience once: the walk meets an id once, in the
 * transaction that moves folded_to beyond it, and late ones are looked up.
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "compat.h"
#include "journal/journal.h"
#include "learn.h"
#include "settings.h"

#define ONLINE_ROWS 20000		/* rows of the log that it passes to find them */
#define BULK_STEP 10000			/* of one statement of xsell_learn: what work_mem holds */
#define PROGRESS_STEP 1000000
#define MAX_GAP 10000			/* transactions looked at beyond a snapshot's xmax */

PG_FUNCTION_INFO_V1(xsell_learn);

typedef struct Fence
{
	bool		is_set;
	FullTransactionId xid;
	int64		id;
} Fence;

typedef struct Learner
{
	int64		model_version;
	int64		folded_to;
	int64		outcomes_to;
	Fence		fence;
} Learner;

/* ---- the learner's row ---- */

static XsStatement lock_learner = {
	.relation = "learner",
	.sql = "SELECT l.model_version, l.folded_to, l.outcomes_to, l.fence_xid, l.fence_id"
	"  FROM xsell.learner l WHERE l.agent OPERATOR(pg_catalog.=) $1"
	"   FOR UPDATE SKIP LOCKED",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/*
 * Two sessions must not wait for each other's first row: who does not get the
 * advisory lock stands aside.
 */
static XsStatement create_learner = {
	.relation = "learner",
	.sql = "INSERT INTO xsell.learner (agent) SELECT $1"
	" WHERE CASE WHEN EXISTS (SELECT FROM xsell.learner l WHERE l.agent OPERATOR(pg_catalog.=) $1) THEN false"
	"       ELSE pg_catalog.pg_try_advisory_xact_lock(2020893804, pg_catalog.hashtext($1)) END"
	" ON CONFLICT (agent) DO NOTHING",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement save_learner = {
	.relation = "learner",
	.sql = "UPDATE xsell.learner l SET model_version = $2, folded_to = $3, outcomes_to = $4,"
	" fence_xid = $5, fence_id = $6, learned_at = $7, failed_at = NULL, failure = NULL"
	" WHERE l.agent OPERATOR(pg_catalog.=) $1",
	.nargs = 7,
	.argtypes = {TEXTOID, INT8OID, INT8OID, INT8OID, XID8OID, INT8OID, TIMESTAMPTZOID}
};

static XsStatement save_failure = {
	.relation = "learner",
	.sql = "UPDATE xsell.learner l SET failed_at = $2, failure = $3"
	" WHERE l.agent OPERATOR(pg_catalog.=) $1",
	.nargs = 3,
	.argtypes = {TEXTOID, TIMESTAMPTZOID, TEXTOID}
};

static XsStatement learner_version = {
	.relation = "learner",
	.sql = "SELECT l.model_version FROM xsell.learner l WHERE l.agent OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static Datum
column(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, isnull);
}

/* False: another session has it. */
static bool
lock(const char *agent, Learner *learner)
{
	Datum		name = CStringGetTextDatum(agent);
	bool		isnull;
	bool		no_fence;

	if (xs_execute(&lock_learner, &name, NULL, XS_WRITE, 0) == 0 &&
		(xs_execute(&create_learner, &name, NULL, XS_WRITE, 0) == 0 ||
		 xs_execute(&lock_learner, &name, NULL, XS_WRITE, 0) == 0))
		return false;

	learner->model_version = DatumGetInt64(column(1, &isnull));
	learner->folded_to = DatumGetInt64(column(2, &isnull));
	learner->outcomes_to = DatumGetInt64(column(3, &isnull));
	learner->fence.xid = DatumGetFullTransactionId(column(4, &isnull));
	learner->fence.id = DatumGetInt64(column(5, &no_fence));
	learner->fence.is_set = !isnull && !no_fence;
	return true;
}

static void
save(const char *agent, const Learner *learner)
{
	Datum		values[] = {
		CStringGetTextDatum(agent),
		Int64GetDatum(learner->model_version),
		Int64GetDatum(learner->folded_to),
		Int64GetDatum(learner->outcomes_to),
		FullTransactionIdGetDatum(learner->fence.xid),
		Int64GetDatum(learner->fence.id),
		TimestampTzGetDatum(xs_now())
	};
	char		nulls[] = "       ";

	if (!learner->fence.is_set)
		nulls[4] = nulls[5] = 'n';
	if (xs_execute(&save_learner, values, nulls, XS_WRITE, 0) != 1)
		elog(ERROR, "the locked learner of agent \"%s\" is gone", agent);
}

void
xs_note_failure(const char *agent, const char *failure)
{
	Datum		values[] = {
		CStringGetTextDatum(agent),
		TimestampTzGetDatum(xs_now()),
		CStringGetTextDatum(failure)
	};
	Learner		learner;

	if (lock(agent, &learner))
		xs_execute(&save_failure, values, NULL, XS_WRITE, 0);
}

/* ---- the horizon ---- */

/* A transaction id of 32 bits that is not later than next. */
static FullTransactionId
widen(TransactionId xid, FullTransactionId next)
{
	int32		behind = (int32) (XidFromFullTransactionId(next) - xid);

	return FullTransactionIdFromU64(U64FromFullTransactionId(next) - behind);
}

/*
 * Whether a transaction that runs is known not to write this journal: its
 * backend is of another database, or is an autovacuum worker.  A backend keeps
 * its database; that the transaction is still its own shows that the backend
 * looked at was the right one.  A prepared transaction has none.
 */
static bool
runs_elsewhere(TransactionId xid)
{
	int			pid = BackendXidGetPid(xid);
	PGPROC	   *proc = pid != 0 ? BackendPidGetProc(pid) : NULL;

	if (proc == NULL)
		return false;
	if ((proc->statusFlags & PROC_IS_AUTOVACUUM) == 0 &&
		(!OidIsValid(proc->databaseId) || proc->databaseId == MyDatabaseId))
		return false;
	return BackendXidGetPid(xid) == pid;
}

/*
 * The oldest transaction below next that runs, apart from our own; invalid if
 * there is none.
 */
static FullTransactionId
oldest_running(FullTransactionId next)
{
	Snapshot	snapshot = GetLatestSnapshot();
	TransactionId end = XidFromFullTransactionId(next);
	TransactionId oldest = InvalidTransactionId;
	TransactionId xid = snapshot->xmax;

	for (uint32 i = 0; i < snapshot->xcnt; i++)
	{
		TransactionId running = snapshot->xip[i];

		if (TransactionIdPrecedes(running, end) &&
			(!TransactionIdIsValid(oldest) || TransactionIdPrecedes(running, oldest)) &&
			!runs_elsewhere(running))
			oldest = running;
	}
	if (TransactionIdIsValid(oldest))
		return widen(oldest, next);

	for (int n = 0; TransactionIdPrecedes(xid, end); n++)
	{
		if (n == MAX_GAP)
			return widen(xid, next);
		if (!TransactionIdIsCurrentTransactionId(xid) &&
			!runs_elsewhere(SubTransGetTopmostTransaction(xid)))
			return widen(xid, next);
		TransactionIdAdvance(xid);
	}
	return InvalidFullTransactionId;
}

/* Moves the fence on if it has served; ids below the horizon are settled. */
static int64
find_horizon(Learner *learner)
{
	Fence		now;
	Fence	   *fence = &learner->fence;
	FullTransactionId oldest;
	int64		horizon = learner->folded_to + 1;

	/* in this order */
	now.is_set = true;
	now.id = xs_clock_is_simulated() ? xs_new_id() : xs_id_floor(GetCurrentTimestamp());
	now.xid = ReadNextFullTransactionId();
	oldest = oldest_running(now.xid);

	if (fence->is_set && FullTransactionIdPrecedes(now.xid, fence->xid))
		fence->is_set = false;	/* another server's */

	if (!FullTransactionIdIsValid(oldest))
		horizon = now.id;
	else if (!fence->is_set)
		;
	else if (FullTransactionIdFollowsOrEquals(oldest, fence->xid))
		horizon = fence->id;
	else
		return horizon;			/* the fence has not served yet */

	*fence = now;
	return Max(horizon, learner->folded_to + 1);
}

/* ---- steps ---- */

static Datum
id_array(int64 id)
{
	Datum		element = Int64GetDatum(id);

	return PointerGetDatum(construct_array(&element, id != 0 ? 1 : 0, INT8OID,
										   sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Counts what a statement of a step taught; it makes a new version. */
static void
note(Learner *learner, int64 count, int64 *counter)
{
	*counter += count;
	learner->model_version += count > 0;
}

/* Decisions that the walk has passed: recorded late, or held while their feed was silent.  False: none. */
static bool
learn_passed(const XsLearning *learning, const XsSilence *silence, Learner *learner, const XsSpan *span, int64 n,
			 XsLearned *learned)
{
	Datum		ids;
	bool		any = false;

	if (span->late && xs_take_late(learning->agent, learner->folded_to, n, &ids))
	{
		note(learner, xs_fold_late(learning, silence, ids, learner->model_version + 1), &learned->decisions);
		note(learner, xs_correct(learning, 0, 0, ids, learner->model_version + 1), &learned->corrections);
		any = true;
	}
	if (span->held && xs_release(learning->agent, silence, n, &ids))
	{
		note(learner, xs_fold_late(learning, silence, ids, learner->model_version + 1), &learned->decisions);
		any = true;
	}
	return any;
}

/*
 * One step of n offers or rows towards the horizon, see xs_span; decision_id
 * (or 0) is corrected at once if it was folded before.  False: nothing was left.
 */
static bool
step(const XsLearning *learning, Learner *learner, int64 horizon, int64 n, int64 rows,
	 int64 decision_id, XsLearned *learned)
{
	XsSpan		span = xs_span(learning->agent, learner->folded_to, learner->outcomes_to, horizon, n, rows);
	XsSilence	silence;
	bool		any;

	xs_find_silence(learning, xs_now(), &silence);
	any = learn_passed(learning, &silence, learner, &span, n, learned);

	if (decision_id > learner->folded_to)
		decision_id = 0;		/* it is folded with its outcome, at its turn */
	if (span.decisions)
		note(learner, xs_fold_range(learning, &silence, learner->folded_to, span.decisions_to,
									learner->model_version + 1), &learned->decisions);
	learner->folded_to = span.decisions_to;

	if (span.outcomes || decision_id != 0)
		note(learner, xs_correct(learning, learner->outcomes_to, span.outcomes_to,
								 id_array(decision_id), learner->model_version + 1), &learned->corrections);
	learner->outcomes_to = span.outcomes_to;
	return any || span.decisions || span.outcomes;
}

/* Whether there is enough to learn. */
static bool
is_due(const XsLearning *learning, const Learner *learner, int64 horizon)
{
	return learning->batch <= 1 ||
		xs_is_waiting(learning->agent, learner->folded_to, learner->outcomes_to, horizon, learning->batch);
}

XsLearned
xs_learn_online(const XsLearning *learning, int64 decision_id)
{
	XsLearned	learned = {0};
	Learner		learner;
	int64		horizon;

	learned.aside = !lock(learning->agent, &learner);
	if (learned.aside)
		return learned;
	horizon = find_horizon(&learner);
	if (is_due(learning, &learner, horizon))
		(void) step(learning, &learner, horizon, XS_ONLINE_STEP, ONLINE_ROWS, decision_id, &learned);
	save(learning->agent, &learner);
	learned.model_version = learner.model_version;
	return learned;
}

XsLearned
xs_learn_in_bulk(const XsLearning *learning, int64 max_decisions)
{
	XsLearned	learned = {0};
	Learner		learner;
	int64		horizon;
	int64		told = 0;
	int64		n;

	learned.aside = !lock(learning->agent, &learner);
	if (learned.aside)
	{
		Datum		name = CStringGetTextDatum(learning->agent);
		bool		isnull;

		if (xs_execute(&learner_version, &name, NULL, XS_READ_NEWEST, 1) == 1)
			learned.model_version = DatumGetInt64(column(1, &isnull));
		ereport(NOTICE,
				(errmsg("agent \"%s\" is being learned by another session", learning->agent)));
		return learned;
	}

	horizon = find_horizon(&learner);
	n = is_due(learning, &learner, horizon) ? 1 : 0;
	while (n > 0)
	{
		CHECK_FOR_INTERRUPTS();
		n = Min(BULK_STEP, max_decisions - learned.decisions);
		if (learned.decisions >= told + PROGRESS_STEP)
		{
			told = learned.decisions;
			ereport(NOTICE,
					(errmsg("agent \"%s\": %lld decisions learned so far",
							learning->agent, (long long) told)));
		}
		if (n > 0 && !step(learning, &learner, horizon, n, n, 0, &learned))
			n = 0;
	}

	save(learning->agent, &learner);
	learned.model_version = learner.model_version;
	return learned;
}

/* ---- SQL ---- */

void
xs_check_learns_here(const char *function)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("%s cannot run on a standby server", function),
				 errhint("Call it on the primary: outcomes and evidence reach standbys from there.")));
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("%s cannot run in a read-only transaction", function),
				 errhint("Call it in a READ WRITE transaction.")));
	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("%s cannot run in a parallel plan", function),
				 errhint("It must stay declared PARALLEL UNSAFE.")));
}

void
xs_await_next_millisecond(void)
{
	TimestampTz start = GetCurrentTimestamp();

	while (!xs_clock_is_simulated() && GetCurrentTimestamp() / 1000 == start / 1000)
		pg_usleep(1000 - start % 1000);
}

static void
learn_agent(const char *agent, bool by_name, int64 max_decisions, ReturnSetInfo *result)
{
	const XsLearning *learning = xs_learning(agent);
	XsLearned	learned;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (learning == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("agent \"%s\" does not exist", agent),
				 errhint("Agents are the rows of xsell.agent.")));
	if (learning->mode == XS_LEARN_HOLD && by_name)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("agent \"%s\" does not learn", agent),
				 errhint("Set its learning to 'online', 'deferred' or 'background' in xsell.agent.")));
	if (learning->mode == XS_LEARN_HOLD)
		return;

	learned = xs_learn_in_bulk(learning, max_decisions);
	values[0] = CStringGetTextDatum(agent);
	values[1] = Int64GetDatum(learned.decisions);
	values[2] = Int64GetDatum(learned.corrections);
	values[3] = Int64GetDatum(learned.model_version);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* xsell_learn(agent text, max_decisions bigint) */
Datum
xsell_learn(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		max_decisions = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT64(1);

	xs_check_learns_here("xsell_learn");
	if (max_decisions < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_decisions must be at least 1")));
	xs_journal_key_type();		/* an error if there is no journal */
	xs_await_next_millisecond();
	xs_materialize(fcinfo);

	SPI_connect();
	if (!PG_ARGISNULL(0))
		learn_agent(text_to_cstring(PG_GETARG_TEXT_PP(0)), true, max_decisions, result);
	else
	{
		char	  **names;
		uint64		n = xs_agents(&names, CurrentMemoryContext);

		for (uint64 i = 0; i < n; i++)
			learn_agent(names[i], false, max_decisions, result);
	}
	SPI_finish();
	return (Datum) 0;
}
