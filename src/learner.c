/*
 * learner.c: the learner's row in the hands of those who change evidence besides
 * the learner: who removes an import, or forgets a customer.
 *
 * They wait for whoever is learning, as promotions do, and as long as they hold
 * the row the learner stands aside.  A refit is no learner: it finds out at its end
 * that what it was made from is not there any more.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "journal/journal.h"
#include "learn.h"
#include "settings.h"

static XsStatement wait_for_learner = {
	.relation = "learner",
	.sql = "SELECT l.model_version FROM xsell.learner l WHERE l.agent OPERATOR(pg_catalog.=) $1 FOR UPDATE",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* The advisory lock is that of learn.c, by which nobody waits there for a row that is just being made. */
static XsStatement wait_for_creation = {
	.relation = "learner",
	.sql = "SELECT pg_catalog.pg_advisory_xact_lock(2020893804, pg_catalog.hashtext($1))",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement create_learner = {
	.relation = "learner",
	.sql = "INSERT INTO xsell.learner (agent) VALUES ($1) ON CONFLICT (agent) DO NOTHING",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement save_version = {
	.relation = "learner",
	.sql = "UPDATE xsell.learner l SET model_version = $2, learned_at = $3 WHERE l.agent OPERATOR(pg_catalog.=) $1",
	.nargs = 3,
	.argtypes = {TEXTOID, INT8OID, TIMESTAMPTZOID}
};

/* A lock that refits share at their end, see refit.c. */
static XsStatement exclude_refits = {
	.relation = "learner",
	.sql = "SELECT pg_catalog.pg_advisory_xact_lock(2020893807, pg_catalog.hashtext($1))",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

void
xs_exclude_refits(const char *agent)
{
	Datum		name = CStringGetTextDatum(agent);

	xs_execute(&exclude_refits, &name, NULL, XS_WRITE, 0);
}

bool
xs_hold_learner(const char *agent, int64 *model_version)
{
	Datum		name = CStringGetTextDatum(agent);
	bool		isnull;

	if (xs_execute(&wait_for_learner, &name, NULL, XS_WRITE, 0) == 0)
		return false;
	*model_version = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	return true;
}

int64
xs_make_learner(const char *agent)
{
	Datum		name = CStringGetTextDatum(agent);
	int64		model_version;

	xs_execute(&wait_for_creation, &name, NULL, XS_WRITE, 0);
	xs_execute(&create_learner, &name, NULL, XS_WRITE, 0);
	if (!xs_hold_learner(agent, &model_version))
		elog(ERROR, "the learner of agent \"%s\" is gone", agent);
	return model_version;
}

void
xs_set_model_version(const char *agent, int64 model_version)
{
	Datum		values[] = {
		CStringGetTextDatum(agent), Int64GetDatum(model_version), TimestampTzGetDatum(xs_now())
	};

	xs_execute(&save_version, values, NULL, XS_WRITE, 0);
}
