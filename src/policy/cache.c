/*
 * cache.c: policies, programs and models that a backend keeps between calls.
 *
 * Freshness.  Once per command the newest version rows of the agent, of its
 * policy and of its learner, are read under the command's own snapshot; if they
 * are not the cached ones, what depends on them is loaded under that snapshot.
 * So a decision is right under REPEATABLE READ and on a standby, where
 * invalidation messages come at the wrong time or not at all.  A version row is
 * told by its number and its xmin: a number that was rolled back may return with
 * other contents, but then from another transaction.
 *
 * Lifetime.  A cached agent and its parts live in contexts below
 * TopMemoryContext.  What is replaced may still be in use further up the stack,
 * so it is only freed at the end of the transaction.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "../compat.h"
#include "../journal/journal.h"
#include "cache.h"

/* A version row as it was read. */
typedef struct Version
{
	Oid			table;
	int64		number;
	TransactionId xmin;
} Version;

typedef struct ProgramEntry
{
	Oid			row_type;
	int32		row_typmod;
	uint64		row_identifier; /* changes when the type does */
	Oid			user;
	Oid			key_type;
	XsProgram  *program;
	struct ProgramEntry *next;
} ProgramEntry;

typedef struct CachedAgent
{
	XsAgent		agent;			/* first: what callers see */
	MemoryContext context;		/* holds policy, programs, model */
	Version		policy_row;
	Version		learner_row;
	bool		model_committed;	/* loaded from rows of finished transactions */
	XsCommand	checked;		/* command that found all this fresh */
	ProgramEntry *programs;
	int			nprograms;
	struct CachedAgent *next;
} CachedAgent;

#define MAX_PROGRAMS 64

static CachedAgent *agents = NULL;
static MemoryContext replaced = NULL;	/* freed at the end of the transaction */

/* ---- lifetime ---- */

static void
free_replaced(XactEvent event, void *arg)
{
	if (replaced == NULL || event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE ||
		event == XACT_EVENT_PARALLEL_PRE_COMMIT)
		return;
	MemoryContextDelete(replaced);
	replaced = NULL;
}

static void
bury(MemoryContext context)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(free_replaced, NULL);
	registered = true;
	if (replaced == NULL)
		replaced = AllocSetContextCreate(TopMemoryContext, "xsell replaced", ALLOCSET_SMALL_SIZES);
	MemoryContextSetParent(context, replaced);
}

static void
forget_programs(CachedAgent *cached)
{
	for (ProgramEntry *e = cached->programs; e != NULL; e = e->next)
		bury(xs_program_retire(e->program));
	cached->programs = NULL;
	cached->nprograms = 0;
}

static void
forget_policy(CachedAgent *cached)
{
	forget_programs(cached);
	if (cached->context != NULL)
		bury(cached->context);
	cached->context = NULL;
	cached->agent.policy = NULL;
	cached->agent.model = NULL;
}

/* ---- commands ---- */

XsCommand
xs_current_command(void)
{
	Snapshot	snapshot = GetActiveSnapshot();
	XsCommand	command;

	memset(&command, 0, sizeof(command));
	command.transaction = xs_local_transaction();
	command.xmin = snapshot->xmin;
	command.xmax = snapshot->xmax;
	command.xcnt = snapshot->xcnt;
	command.subxcnt = snapshot->subxcnt;
	command.curcid = snapshot->curcid;
	return command;
}

/*
 * Between two snapshots with the same xmax no transaction began, and with the
 * same count none ended: they see the same rows.
 */
bool
xs_same_command(const XsCommand *a, const XsCommand *b)
{
	return a->transaction == b->transaction && a->xmin == b->xmin && a->xmax == b->xmax &&
		a->xcnt == b->xcnt && a->subxcnt == b->subxcnt && a->curcid == b->curcid;
}

/* ---- version rows ---- */

static Oid
xsell_relation(const char *name)
{
	Oid			schema = get_namespace_oid("xsell", true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

static Datum
column(HeapTuple row, TupleDesc desc, const char *name, bool *isnull)
{
	return heap_getattr(row, SPI_fnumber(desc, name), desc, isnull);
}

/*
 * The newest row of a table whose primary key starts with the agent, copied, with
 * the values of two of its columns; or NULL.
 */
static HeapTuple
newest_row(Oid relid, const char *agent, const char *const names[2], Datum values[2], bool nulls[2])
{
	Relation	heap = table_open(relid, AccessShareLock);
	Relation	index = index_open(RelationGetPrimaryKeyIndex(heap, false), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(agent));
	key.sk_collation = index->rd_indcollation[0];
	scan = systable_beginscan_ordered(heap, index, GetActiveSnapshot(), 1, &key);
	row = systable_getnext_ordered(scan, BackwardScanDirection);
	if (row != NULL)
		row = heap_copytuple(row);
	systable_endscan_ordered(scan);
	for (int i = 0; row != NULL && i < 2; i++)
		values[i] = column(row, RelationGetDescr(heap), names[i], &nulls[i]);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
	return row;
}

static Version
version_of(HeapTuple row, int64 number)
{
	return (Version) {.table = row->t_tableOid,.number = number,.xmin = HeapTupleHeaderGetRawXmin(row->t_data)};
}

static bool
same_version(const Version *a, const Version *b)
{
	return a->table == b->table && a->number == b->number && a->xmin == b->xmin;
}

/* ---- loading ---- */

static void
unknown_agent(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("agent \"%s\" does not exist", name),
			 errhint("Agents are rows of table xsell.agent.")));
}

/* The newest definition's row; errors if there is none, or the agent was deleted. */
static HeapTuple
policy_row(const char *name, int32 *version, Datum *definition)
{
	static const char *const names[] = {"policy_version", "definition"};
	Oid			relid = xsell_relation("policy");
	Datum		values[2];
	bool		nulls[2];
	HeapTuple	row = OidIsValid(relid) ? newest_row(relid, name, names, values, nulls) : NULL;

	if (row == NULL || nulls[1])
		unknown_agent(name);
	*version = DatumGetInt32(values[0]);
	*definition = values[1];
	return row;
}

static void
refresh_policy(CachedAgent *cached, const char *name)
{
	int32		number;
	Datum		definition;
	HeapTuple	row = policy_row(name, &number, &definition);
	Version		version = version_of(row, number);

	if (cached->agent.policy != NULL && same_version(&version, &cached->policy_row))
		return;

	forget_policy(cached);
	cached->context = AllocSetContextCreate(TopMemoryContext, "xsell agent", ALLOCSET_SMALL_SIZES);
	cached->agent.policy = xs_policy_read(name, (int32) version.number, DatumGetJsonbP(definition));
	MemoryContextSetParent(cached->agent.policy->context, cached->context);
	cached->policy_row = version;
}

/* The learner's row: absent until something was learned, then model version 0. */
static void
read_learner(const char *name, Version *version, int64 *folded_to)
{
	static const char *const names[] = {"model_version", "folded_to"};
	Oid			relid = xsell_relation("learner");
	Datum		values[2];
	bool		nulls[2];
	HeapTuple	row;

	*version = (Version) {.table = relid};
	*folded_to = 0;
	if (!OidIsValid(relid))
		(void) xs_journal_key_type();	/* raises the error with its hint */
	row = newest_row(relid, name, names, values, nulls);
	if (row == NULL)
		return;
	*version = version_of(row, DatumGetInt64(values[0]));
	*folded_to = DatumGetInt64(values[1]);
}

static void
refresh_model(CachedAgent *cached)
{
	XsAgent    *agent = &cached->agent;
	int64		since = -1;
	Version		version;

	read_learner(agent->name, &version, &agent->folded_to);
	cached->model_committed &= version.table == cached->learner_row.table;
	if (agent->model != NULL && version.number == cached->learner_row.number &&
		(same_version(&version, &cached->learner_row) || cached->model_committed))
	{
		cached->learner_row = version;
		cached->model_committed = !TransactionIdIsCurrentTransactionId(version.xmin);
		return;
	}

	/*
	 * From a model that finished transactions left behind, only what changed
	 * since needs to be prepared.  Equal numbers of finished transactions are
	 * equal models, whichever transaction last touched the learner's row.
	 */
	if (agent->model != NULL && cached->model_committed && version.number > cached->learner_row.number)
		since = cached->learner_row.number;
	else
	{
		if (agent->model != NULL)
			bury(xs_model_context(agent->model));
		agent->model = xs_model_create(agent->policy, cached->context);
	}

	/* An error half way leaves a model that the next call makes anew. */
	cached->learner_row = (Version) {.number = -1};
	cached->model_committed = false;
	xs_model_load(agent->model, since);
	agent->model_version = version.number;
	cached->learner_row = version;
	cached->model_committed = !TransactionIdIsCurrentTransactionId(version.xmin);
}

static CachedAgent *
find_or_make(const char *name)
{
	CachedAgent *cached;
	MemoryContext caller;
	int32		version;
	Datum		definition;

	for (cached = agents; cached != NULL; cached = cached->next)
		if (strcmp(cached->agent.name, name) == 0)
			return cached;

	(void) policy_row(name, &version, &definition);	/* names that are no agent leave nothing */
	caller = MemoryContextSwitchTo(TopMemoryContext);
	cached = palloc0(sizeof(CachedAgent));
	cached->agent.name = pstrdup(name);
	cached->next = agents;
	agents = cached;
	MemoryContextSwitchTo(caller);
	return cached;
}

XsAgent *
xs_agent(const char *name)
{
	XsCommand	command = xs_current_command();
	CachedAgent *cached;

	for (cached = agents; cached != NULL; cached = cached->next)
		if (xs_same_command(&cached->checked, &command) && strcmp(cached->agent.name, name) == 0)
			return &cached->agent;

	cached = find_or_make(name);
	memset(&cached->checked, 0, sizeof(XsCommand));
	refresh_policy(cached, cached->agent.name);
	refresh_model(cached);
	cached->checked = command;
	return &cached->agent;
}

/* ---- programs ---- */

XsProgram *
xs_agent_program(XsAgent *agent, Oid row_type, int32 row_typmod)
{
	CachedAgent *cached = (CachedAgent *) agent;
	TupleDesc	desc = lookup_rowtype_tupdesc(row_type, row_typmod);
	uint64		identifier = assign_record_type_identifier(row_type, row_typmod);
	Oid			key_type = xs_journal_key_type();
	ProgramEntry *e;

	for (e = cached->programs; e != NULL; e = e->next)
		if (e->row_type == row_type && e->row_typmod == row_typmod && e->row_identifier == identifier &&
			e->user == GetUserId() && e->key_type == key_type)
			break;

	if (e == NULL || !xs_program_valid(e->program))
	{
		XsProgram  *program;

		if (e != NULL || cached->nprograms >= MAX_PROGRAMS)
			forget_programs(cached);
		program = xs_program_compile(agent->policy, desc, key_type, cached->context);
		e = MemoryContextAlloc(cached->context, sizeof(ProgramEntry));
		*e = (ProgramEntry) {row_type, row_typmod, identifier, GetUserId(), key_type, program, cached->programs};
		cached->programs = e;
		cached->nprograms++;
	}
	ReleaseTupleDesc(desc);
	return e->program;
}

/* ---- agents and versions by name ---- */

static char *
find_agent_for(Oid row_type)
{
	Relation	heap = table_open(xsell_relation("agent"), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(heap);
	Oid			relid = typeidTypeRelid(row_type);
	char	   *only = NULL;
	char	   *own = NULL;
	int			nall = 0;
	int			nown = 0;
	SysScanDesc scan = systable_beginscan(heap, InvalidOid, false, GetActiveSnapshot(), 0, NULL);
	HeapTuple	row;

	while ((row = systable_getnext(scan)) != NULL)
	{
		bool		isnull;
		char	   *name = TextDatumGetCString(column(row, desc, "agent", &isnull));

		if (strcmp(TextDatumGetCString(column(row, desc, "status", &isnull)), "draft") == 0)
			continue;			/* does not decide */
		only = name;
		nall++;
		if (OidIsValid(relid) && DatumGetObjectId(column(row, desc, "customer_table", &isnull)) == relid)
		{
			own = name;
			nown++;
		}
	}
	systable_endscan(scan);
	table_close(heap, AccessShareLock);

	if (nall == 1)
		return only;
	if (nown == 1)
		return own;
	ereport(ERROR,
			(errcode(nall == 0 ? ERRCODE_UNDEFINED_OBJECT : ERRCODE_AMBIGUOUS_PARAMETER),
			 errmsg(nall == 0 ? "there is no agent" : "the call must name its agent"),
			 nall == 0 ? 0 : errdetail("%d agents exist, %d of them for this table.", nall, nown),
			 nall == 0 ? errhint("Insert one into xsell.agent.") : errhint("Add agent => 'NAME' to the call.")));
	return NULL;				/* keep compiler quiet */
}

const char *
xs_agent_for(Oid row_type)
{
	static XsCommand checked;
	static Oid	checked_type = InvalidOid;
	static char *found = NULL;
	XsCommand	command = xs_current_command();
	char	   *name;

	if (found != NULL && checked_type == row_type && xs_same_command(&checked, &command))
		return found;
	name = MemoryContextStrdup(TopMemoryContext, find_agent_for(row_type));
	if (found != NULL)
		pfree(found);
	found = name;
	checked_type = row_type;
	checked = command;
	return found;
}

XsPolicy *
xs_policy_version(const char *agent, int32 version)
{
	Relation	heap = table_open(xsell_relation("policy"), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(heap);
	Relation	index = index_open(RelationGetPrimaryKeyIndex(heap, false), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	row;
	XsPolicy   *policy = NULL;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(agent));
	keys[0].sk_collation = index->rd_indcollation[0];
	ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	scan = systable_beginscan_ordered(heap, index, GetActiveSnapshot(), 2, keys);
	row = systable_getnext_ordered(scan, ForwardScanDirection);
	if (row != NULL)
	{
		bool		isnull;
		Datum		definition = column(row, desc, "definition", &isnull);

		if (!isnull)
			policy = xs_policy_read(agent, version, DatumGetJsonbPCopy(definition));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
	return policy;
}
