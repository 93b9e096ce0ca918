/*
 * heartbeat.c: xsell_heartbeat, by which a feed of outcomes says that it is alive.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "journal/journal.h"
#include "learn.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(xsell_heartbeat);

/* A heartbeat never goes back: one that comes late tells nothing new. */
static XsStatement beat = {
	.relation = "heartbeat",
	.sql = "INSERT INTO xsell.heartbeat AS h (agent, feed, beat_at, noted_at) VALUES ($1, $2, $3, $4)"
	" ON CONFLICT (agent, feed) DO UPDATE SET noted_at = excluded.noted_at,"
	"   beat_at = CASE WHEN h.beat_at OPERATOR(pg_catalog.>) excluded.beat_at THEN h.beat_at ELSE excluded.beat_at END"
	" RETURNING beat_at",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};

static void
check_feed(const char *agent, const char *feed)
{
	const XsLearning *learning = xs_learning(agent);

	for (int i = 0; learning != NULL && i < learning->nfeeds; i++)
		if (strcmp(learning->feeds[i].feed, feed) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 learning == NULL ? errmsg("agent \"%s\" does not exist", agent)
			 : errmsg("agent \"%s\" has no feed \"%s\"", agent, feed),
			 errhint("Feeds are rows of xsell.feed.")));
}

static void
check_time(TimestampTz at, TimestampTz now)
{
	if (TIMESTAMP_NOT_FINITE(at) || at > now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a heartbeat must not be in the future"),
				 errdetail("It is %s now.", timestamptz_to_str(now)),
				 errhint("Check beat_at and its time zone.")));
}

/* xsell_heartbeat(agent text, feed text, beat_at timestamptz) RETURNS timestamptz */
Datum
xsell_heartbeat(PG_FUNCTION_ARGS)
{
	TimestampTz now = xs_now();
	TimestampTz at = PG_ARGISNULL(2) ? now : PG_GETARG_TIMESTAMPTZ(2);
	Datum		values[4];
	TimestampTz last;
	bool		isnull;

	xs_check_learns_here("xsell_heartbeat");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "agent" : "feed"),
				 errhint("Call xsell_heartbeat(agent, feed).")));
	xs_journal_key_type();		/* an error if there is no journal */
	check_time(at, now);

	SPI_connect();
	check_feed(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = TimestampTzGetDatum(at);
	values[3] = TimestampTzGetDatum(now);
	xs_execute(&beat, values, NULL, XS_WRITE, 0);
	last = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	PG_RETURN_TIMESTAMPTZ(last);
}
