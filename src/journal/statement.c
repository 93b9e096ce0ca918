/*
 * statement.c: statements on journal tables, planned once per backend and run
 * as the owner of the table.
 *
 * A kept plan is bound neither to the user (permissions are checked when it
 * runs, always as the owner) nor to a search_path: the plan cache analyses a
 * statement anew under whatever search_path it meets.  So pinning the path when
 * it is prepared protects nothing, and pinning it at every run costs more than
 * small statements themselves.  Statements must name everything by schema, the
 * operators included: they run with the owner's rights, and must not be caught
 * by an operator that the caller has made.
 *
 * Plans are generic, and never scan a whole table if there is an index.  A plan
 * that was made while the table was small would otherwise serve a transaction
 * that fills it with a million rows; statistics are of no help there, as they
 * are updated after a commit at the earliest.  Nor do they sort where they can
 * hash: the planner takes groups by week for as many as there are rows, and
 * sorting decisions, features and all, took longer than to sum them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "../compat.h"
#include "journal.h"

#define KEY_EQUALS "{=}"

Oid
xs_journal_relation(const char *name)
{
	Oid			schema = get_namespace_oid("xsell", true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the xsell journal does not exist"),
				 errdetail("There is no table xsell.%s.", name),
				 errhint("Create it, with the type of your customer key: SELECT xsell_create_journal('bigint').")));
	return relid;
}

static Oid
column_type(const char *relation, const char *column)
{
	Oid			relid = xs_journal_relation(relation);
	AttrNumber	attnum = get_attnum(relid, column);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the journal's table xsell.%s has no column \"%s\"", relation, column)));
	return get_atttype(relid, attnum);
}

Oid
xs_journal_key_type(void)
{
	return column_type("decision", "customer_key");
}

Oid
xs_journal_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* OPERATOR(schema.=): the equality by which the key's unique indexes compare. */
static char *
key_equals(Oid key_type)
{
	Oid			operator = lookup_type_cache(key_type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *text;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an equality operator for type %s",
						format_type_be(key_type))));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)",
					quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}

/* The statement's text with every {=} replaced. */
static char *
statement_text(const XsStatement *statement, Oid key_type)
{
	StringInfoData text;
	const char *rest = statement->sql;
	const char *found;

	initStringInfo(&text);
	while ((found = strstr(rest, KEY_EQUALS)) != NULL)
	{
		appendBinaryStringInfo(&text, rest, found - rest);
		appendStringInfoString(&text, key_equals(key_type));
		rest = found + strlen(KEY_EQUALS);
	}
	appendStringInfoString(&text, rest);
	return text.data;
}

static Oid
argument_type(Oid type, Oid key_type)
{
	switch (type)
	{
		case XS_KEY_TYPE:
			return key_type;
		case XS_CANDIDATES_TYPE:
			return column_type("decision", "candidates");
		case XS_BETA_TYPE:
			return column_type("evidence", "beta");
		case XS_GLM_TYPE:
			return column_type("evidence", "glm");
		case XS_SCORE_TYPE:
			return column_type("evidence", "score");
		default:
			return type;
	}
}

static void
prepare(XsStatement *statement, Oid relid, Oid key_type)
{
	Oid			types[XS_MAX_ARGS];
	SPIPlanPtr	plan;

	if (statement->plan != NULL)
		SPI_freeplan(statement->plan);
	statement->plan = NULL;

	for (int i = 0; i < statement->nargs; i++)
		types[i] = argument_type(statement->argtypes[i], key_type);
	plan = SPI_prepare_cursor(statement_text(statement, key_type),
							  statement->nargs, types,
							  statement->bulk ? CURSOR_OPT_PARALLEL_OK | CURSOR_OPT_CUSTOM_PLAN : CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare a statement on xsell.%s: %s",
			 statement->relation, SPI_result_code_string(SPI_result));
	statement->plan = plan;
	statement->planned_for = relid;
	statement->planned_key = key_type;
}

static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/*
 * Plans the statement, if the plan it has is not valid (any more), under our
 * own settings.  JIT has to be off because costs of disabled scans exceed its
 * threshold.
 */
static void
ensure_plan(SPIPlanPtr plan)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	CachedPlan *cached;
	int			level;

	if (CachedPlanIsSimplyValid(source, source->gplan, NULL))
		return;

	level = NewGUCNestLevel();
	set_local("enable_seqscan", "off");
	set_local("enable_sort", "off");
	set_local("jit", "off");
	set_local("plan_cache_mode", "auto");
	cached = SPI_plan_get_cached_plan(plan);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	AtEOXact_GUC(true, level);
}

static int
run(XsStatement *statement, const Datum *values, const char *nulls, XsAccess access, long limit)
{
	Datum	   *args = unconstify(Datum *, values);

	if (access == XS_READ)
		return SPI_execute_plan(statement->plan, args, nulls, true, limit);

	/* as foreign keys do: the newest rows, whatever the transaction's snapshot */
	if (IsolationUsesXactSnapshot())
		return SPI_execute_snapshot(statement->plan, args, nulls,
									GetLatestSnapshot(), InvalidSnapshot,
									false, true, limit);

	return SPI_execute_plan(statement->plan, args, nulls, false, limit);
}

static bool
uses_key(const XsStatement *statement)
{
	for (int i = 0; i < statement->nargs; i++)
		if (statement->argtypes[i] == XS_KEY_TYPE)
			return true;
	return false;
}

uint64
xs_execute(XsStatement *statement, const Datum *values, const char *nulls,
		   XsAccess access, long limit)
{
	Oid			relid = xs_journal_relation(statement->relation);
	Oid			key_type = uses_key(statement) ? xs_journal_key_type() : InvalidOid;
	Oid			user;
	int			context;
	int			result;

	/* taken first, so that no invalidation can slip in between planning and running */
	LockRelationOid(relid, access == XS_WRITE ? RowExclusiveLock : AccessShareLock);

	/* no PG_TRY: the end of the (sub)transaction restores the user, too */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(xs_journal_owner(relid),
						   context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);

	if (statement->plan == NULL || statement->planned_for != relid ||
		statement->planned_key != key_type)
		prepare(statement, relid, key_type);
	if (!statement->bulk)
		ensure_plan(statement->plan);
	result = run(statement, values, nulls, access, limit);

	SetUserIdAndSecContext(user, context);
	if (result < 0)
		elog(ERROR, "could not execute a statement on xsell.%s: %s",
			 statement->relation, SPI_result_code_string(result));
	return SPI_processed;
}
