/*
 * reward.c: xsell_reward, the life of an outcome.
 *
 * check the call -> decision -> outcome kind -> append to xsell.outcome -> learn
 *
 * Everything that can be wrong is found before anything is written.  The journal
 * is written as its owner; callers need no rights on it.  An outcome is written
 * once per decision: a repeat is no error, because feeds repeat, and says that
 * it was one.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "journal/journal.h"
#include "learn.h"
#include "settings.h"

#define CLOCK_TOLERANCE (60 * USECS_PER_SEC)	/* of clocks that date outcomes */

PG_FUNCTION_INFO_V1(xsell_reward);

static XsStatement find_decision = {
	.relation = "decision",
	.sql = "SELECT d.agent, d.product, d.customer_key, d.channel FROM xsell.decision d"
	" WHERE d.decision_id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static XsStatement insert_outcome = {
	.relation = "outcome",
	.sql = "INSERT INTO xsell.outcome (outcome_id, decision_id, customer_key, agent, outcome,"
	" reward, harm, value, occurred_at, recorded_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	" ON CONFLICT (decision_id, outcome) DO NOTHING",
	.nargs = 10,
	.argtypes = {INT8OID, INT8OID, XS_KEY_TYPE, TEXTOID, TEXTOID, FLOAT8OID, FLOAT8OID, FLOAT8OID,
	TIMESTAMPTZOID, TEXTOID}
};

static XsStatement find_purpose = {
	.relation = "policy",
	.sql = "SELECT c.value OPERATOR(pg_catalog.->>) 'purpose' FROM xsell.policy p,"
	" pg_catalog.jsonb_array_elements(p.definition OPERATOR(pg_catalog.->) 'channels') c"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1 AND p.definition IS NOT NULL"
	" AND c.value OPERATOR(pg_catalog.->>) 'channel' OPERATOR(pg_catalog.=) $2"
	" ORDER BY p.policy_version DESC LIMIT 1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/* Ids follow the clock; one that does not was passed by the learner's walk. */
static XsStatement insert_late = {
	.relation = "late",
	.sql = "INSERT INTO xsell.late (decision_id, agent) SELECT $1, $2"
	" WHERE EXISTS (SELECT FROM xsell.learner l"
	"   WHERE l.agent OPERATOR(pg_catalog.=) $2 AND l.outcomes_to OPERATOR(pg_catalog.>=) $3)"
	" ON CONFLICT (decision_id) DO NOTHING",
	.nargs = 3,
	.argtypes = {INT8OID, TEXTOID, INT8OID}
};

/* What the call said, and what the journal knows of its decision. */
typedef struct Outcome
{
	int64		decision_id;
	char	   *outcome;
	double		value;
	bool		has_value;
	TimestampTz occurred_at;
	Datum		customer_key;
	char	   *agent;
	char	   *channel;
	double		reward;			/* reward, harm, opt_out: of the kind */
	double		harm;
	const char *opt_out;
} Outcome;

static void
refuse_null(const char *argument)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", argument),
			 errhint("Call xsell_reward(decision_id, outcome).")));
}

/* Fills what the arguments say alone. */
static void
read_call(FunctionCallInfo fcinfo, Outcome *outcome)
{
	if (PG_ARGISNULL(0))
		refuse_null("decision_id");
	if (PG_ARGISNULL(1))
		refuse_null("outcome");
	outcome->decision_id = PG_GETARG_INT64(0);
	outcome->outcome = text_to_cstring(PG_GETARG_TEXT_PP(1));
	outcome->has_value = !PG_ARGISNULL(2);
	outcome->value = outcome->has_value ? PG_GETARG_FLOAT8(2) : 0;
	outcome->occurred_at = PG_ARGISNULL(3) ? xs_now() : PG_GETARG_TIMESTAMPTZ(3);

	if (!isfinite(outcome->value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value of an outcome must be a finite number"),
				 errhint("Pass NULL if the value is not known.")));
}

static void
read_decision(Outcome *outcome)
{
	Datum		id = Int64GetDatum(outcome->decision_id);
	HeapTuple	row;
	TupleDesc	desc;
	bool		no_product;
	bool		isnull;

	if (xs_execute(&find_decision, &id, NULL, XS_READ_NEWEST, 1) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("decision %lld does not exist", (long long) outcome->decision_id),
				 errhint("Pass the decision_id that xsell_decide returned; its transaction must have committed.")));
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	outcome->agent = TextDatumGetCString(SPI_getbinval(row, desc, 1, &isnull));
	(void) SPI_getbinval(row, desc, 2, &no_product);
	outcome->customer_key = SPI_getbinval(row, desc, 3, &isnull);

	outcome->channel = no_product ? NULL : TextDatumGetCString(SPI_getbinval(row, desc, 4, &isnull));

	if (no_product)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("decision %lld made no offer", (long long) outcome->decision_id),
				 errdetail("An outcome is what became of an offer."),
				 errhint("Its reason is in xsell.decision.")));
}

static void
check_time(const Outcome *outcome)
{
	TimestampTz decided_at = xs_id_time(outcome->decision_id);
	TimestampTz now = xs_now();

	/* infinite times compare as expected */
	if (outcome->occurred_at < decided_at - CLOCK_TOLERANCE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outcome occurred before its decision"),
				 errdetail("Decision %lld was made at %s.", (long long) outcome->decision_id,
						   timestamptz_to_str(decided_at)),
				 errhint("Check occurred_at and its time zone.")));
	if (outcome->occurred_at > now + CLOCK_TOLERANCE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("outcome occurred in the future"),
				 errdetail("It is %s now.", timestamptz_to_str(now)),
				 errhint("Check occurred_at and its time zone.")));
}

static const XsLearning *
read_kind(Outcome *outcome)
{
	const XsLearning *learning = xs_learning(outcome->agent);
	const XsOutcomeKind *kind = NULL;
	StringInfoData names;

	if (learning != NULL)
		kind = xs_outcome_kind(learning, outcome->outcome);
	if (kind != NULL)
	{
		outcome->reward = kind->reward;
		outcome->harm = kind->harm;
		outcome->opt_out = kind->opt_out;
		return learning;
	}

	initStringInfo(&names);
	for (int i = 0; learning != NULL && i < learning->noutcomes; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", learning->outcomes[i].outcome);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("outcome \"%s\" is unknown to agent \"%s\"", outcome->outcome, outcome->agent),
			 names.len > 0 ? errdetail("It knows %s.", names.data) :
			 errdetail("The agent has no policy."),
			 errhint("Other outcomes are defined in xsell.outcome_kind.")));
	return NULL;
}

/* False: this outcome of this decision was recorded before. */
static bool
record(const Outcome *outcome, int64 outcome_id)
{
	Datum		values[] = {
		Int64GetDatum(outcome_id),
		Int64GetDatum(outcome->decision_id),
		outcome->customer_key,
		CStringGetTextDatum(outcome->agent),
		CStringGetTextDatum(outcome->outcome),
		Float8GetDatum(outcome->reward),
		Float8GetDatum(outcome->harm),
		Float8GetDatum(outcome->value),
		TimestampTzGetDatum(outcome->occurred_at),
		CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false))
	};
	char		nulls[] = "          ";

	if (!outcome->has_value)
		nulls[7] = 'n';
	return xs_execute(&insert_outcome, values, nulls, XS_WRITE, 0) == 1;
}

/* The next decision for the customer finds the refusal. */
static void
withdraw_consent(const Outcome *outcome)
{
	Datum		values[] = {CStringGetTextDatum(outcome->agent), CStringGetTextDatum(outcome->channel)};
	bool		isnull = true;
	Datum		purpose = 0;

	if (xs_execute(&find_purpose, values, NULL, XS_READ_NEWEST, 1) == 1)
		purpose = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	xs_withdraw_consent(outcome->customer_key,
						strcmp(outcome->opt_out, "all") == 0 ? "*" : outcome->channel,
						isnull ? "*" : TextDatumGetCString(purpose), outcome->decision_id);
}

static void
learn(const XsLearning *learning, const Outcome *outcome, int64 outcome_id)
{
	Datum		values[] = {
		Int64GetDatum(outcome->decision_id),
		CStringGetTextDatum(outcome->agent),
		Int64GetDatum(outcome_id)
	};

	if (learning->mode == XS_LEARN_ONLINE &&
		!xs_learn_online(learning, outcome->decision_id).aside)
		return;
	(void) xs_execute(&insert_late, values, NULL, XS_WRITE, 0);
}

/* xsell_reward(decision_id bigint, outcome text, value float8, occurred_at timestamptz) */
Datum
xsell_reward(PG_FUNCTION_ARGS)
{
	Outcome		outcome;
	const XsLearning *learning;
	int64		outcome_id;
	bool		is_new;

	xs_check_learns_here("xsell_reward");
	xs_journal_key_type();		/* an error if there is no journal */
	read_call(fcinfo, &outcome);

	SPI_connect();
	read_decision(&outcome);
	check_time(&outcome);
	learning = read_kind(&outcome);

	(void) GetTopTransactionId();	/* before the id is made: see learn.c */
	outcome_id = xs_new_id();
	is_new = record(&outcome, outcome_id);
	if (is_new && outcome.opt_out != NULL)
		withdraw_consent(&outcome);
	if (is_new)
		learn(learning, &outcome, outcome_id);
	SPI_finish();

	PG_RETURN_TEXT_P(cstring_to_text(is_new ? "recorded" : "duplicate"));
}
