/*
 * promote.c: which refit is in effect: xsell_promote and xsell_rollback.
 *
 * A promotion is a new model version: the learner's row is counted up, and so
 * locked, as by learning, and a row of xsell.promotion says which refit models
 * are prepared from as of that version.  So every backend takes it up with its
 * next command, decisions replay, and going back is a promotion too.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "journal/journal.h"
#include "learn.h"
#include "policy/cache.h"
#include "policy/model.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(xsell_promote);
PG_FUNCTION_INFO_V1(xsell_rollback);

static XsStatement next_version = {
	.relation = "learner",
	.sql = "UPDATE xsell.learner l SET model_version = l.model_version OPERATOR(pg_catalog.+) 1"
	" WHERE l.agent OPERATOR(pg_catalog.=) $1 AND l.model_version OPERATOR(pg_catalog.>) 0 RETURNING l.model_version",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement note_promotion = {
	.relation = "promotion",
	.sql = "INSERT INTO xsell.promotion (agent, model_version, refit, rolls_back, reason, promoted_at, promoted_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, session_user)",
	.nargs = 6,
	.argtypes = {TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID}
};

/* The last promotion that was not rolled back, and what was in effect before it. */
static XsStatement last_promotion = {
	.relation = "promotion",
	.sql = "SELECT p.model_version, COALESCE((SELECT q.refit FROM xsell.promotion q"
	"   WHERE q.agent OPERATOR(pg_catalog.=) $1 AND q.model_version OPERATOR(pg_catalog.<) p.model_version"
	"   ORDER BY q.model_version DESC LIMIT 1), 0)"
	"  FROM xsell.promotion p WHERE p.agent OPERATOR(pg_catalog.=) $1 AND p.rolls_back IS NULL"
	"   AND NOT EXISTS (SELECT FROM xsell.promotion u WHERE u.agent OPERATOR(pg_catalog.=) $1"
	"     AND u.rolls_back OPERATOR(pg_catalog.=) p.model_version)"
	" ORDER BY p.model_version DESC LIMIT 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

#define NO_PROMOTION (-1)

static int64
result(int number)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &isnull));
}

/* Others that learn or promote wait until the transaction ends. */
static int64
take_version(const XsAgent *agent)
{
	Datum		name = CStringGetTextDatum(agent->name);

	if (xs_execute(&next_version, &name, NULL, XS_WRITE, 0) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("agent \"%s\" has learned nothing yet", agent->name)));
	return result(1);
}

/* The reason is argument number `reason`. */
static void
put_into_effect(FunctionCallInfo fcinfo, int reason, const XsAgent *agent, int64 version, int64 refit, int64 rolls_back)
{
	bool		no_reason = PG_ARGISNULL(reason);
	Datum		values[] = {
		CStringGetTextDatum(agent->name), Int64GetDatum(version), Int64GetDatum(refit), Int64GetDatum(rolls_back),
		no_reason ? (Datum) 0 : PG_GETARG_DATUM(reason), TimestampTzGetDatum(xs_now())
	};
	char		nulls[] = {' ', ' ', ' ', rolls_back == NO_PROMOTION ? 'n' : ' ', no_reason ? 'n' : ' ', ' '};

	xs_execute(&note_promotion, values, nulls, XS_WRITE, 0);
}

static XsAgent *
agent_of(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("agent must not be null")));
	xs_journal_key_type();		/* an error if there is no journal */
	return xs_agent(text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

/* xsell_promote(agent text, refit bigint, reason text) RETURNS bigint, the new model version */
Datum
xsell_promote(PG_FUNCTION_ARGS)
{
	XsAgent    *agent;
	int64		version;

	xs_check_learns_here("xsell_promote");
	agent = agent_of(fcinfo);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("refit must not be null"),
				 errhint("0 stands for none.")));
	SPI_connect();
	xs_check_refit(agent->model, PG_GETARG_INT64(1), XS_READ_NEWEST);
	version = take_version(agent);
	put_into_effect(fcinfo, 2, agent, version, PG_GETARG_INT64(1), NO_PROMOTION);
	SPI_finish();
	PG_RETURN_INT64(version);
}

/*
 * xsell_rollback(agent text, reason text) RETURNS bigint, the new model version:
 * back to what was in effect before the last promotion that still stands
 */
Datum
xsell_rollback(PG_FUNCTION_ARGS)
{
	XsAgent    *agent;
	Datum		name;
	int64		version;

	xs_check_learns_here("xsell_rollback");
	agent = agent_of(fcinfo);
	name = CStringGetTextDatum(agent->name);
	SPI_connect();
	version = take_version(agent);
	if (xs_execute(&last_promotion, &name, NULL, XS_READ_NEWEST, 1) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("agent \"%s\" has no promotion to roll back", agent->name)));
	put_into_effect(fcinfo, 1, agent, version, result(2), result(1));
	SPI_finish();
	PG_RETURN_INT64(version);
}
