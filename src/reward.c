/*
 * reward.c: xsell_reward, the life of an outcome.
 *
 * check the report -> decision -> outcome kind -> append to xsell.outcome -> learn
 *
 * Everything that can be wrong is found before anything is written.  The journal
 * is written as its owner; callers need no rights on it.  An outcome is written
 * once per decision, and an event of a customer once: a repeat is no error,
 * because feeds repeat, and says that it was one.  A report that meets another
 * transaction's with the same decision and outcome, or the same event, waits for
 * it, as any insert into a unique index does.
 *
 * A reversal is recorded whether what it reverses is there or not: what counts is
 * a function of the set of a decision's outcomes.
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
#include "reward.h"
#include "settings.h"

#define MAX_EVENT_ID 1000		/* what an index holds, and a key with it */
#define CLOCK_TOLERANCE (60 * USECS_PER_SEC)	/* of clocks that date outcomes */

PG_FUNCTION_INFO_V1(xsell_reward);
PG_FUNCTION_INFO_V1(xsell_reward_customer);

static XsStatement find_decision = {
	.relation = "decision",
	.sql = "SELECT d.agent, d.product, d.customer_key, d.channel, d.value FROM xsell.decision d"
	" WHERE d.decision_id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static XsStatement insert_outcome = {
	.relation = "outcome",
	.sql = "INSERT INTO xsell.outcome (outcome_id, decision_id, customer_key, agent, outcome,"
	" reward, harm, terminal, delivery, reverses, value, occurred_at, event_id, recorded_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
	" ON CONFLICT DO NOTHING",
	.nargs = 14,
	.argtypes = {INT8OID, INT8OID, XS_KEY_TYPE, TEXTOID, TEXTOID, FLOAT8OID, FLOAT8OID, BOOLOID, TEXTOID,
	TEXTOID, FLOAT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
};

static XsStatement find_event = {
	.relation = "outcome",
	.sql = "SELECT o.decision_id, o.outcome FROM xsell.outcome o"
	" WHERE o.event_id OPERATOR(pg_catalog.=) $1 AND o.customer_key {=} $2",
	.nargs = 2,
	.argtypes = {TEXTOID, XS_KEY_TYPE}
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

/* A report, and what the journal and the policy know of it. */
typedef struct Outcome
{
	const XsReport *report;
	int64		decision_id;
	Datum		customer_key;
	char	   *agent;
	char	   *channel;
	double		decision_value; /* of a conversion; NaN: not known */
	const XsLearning *learning;
	const XsOutcomeKind *kind;
} Outcome;

static bool
refuse(XsRefusal *refusal, int code, const char *message, const char *detail, const char *hint)
{
	*refusal = (XsRefusal) {code, message, detail, hint};
	return false;
}

/* ---- checks: false, and why, if the report is refused ---- */

static bool
check_report(const XsReport *report, XsRefusal *refusal)
{
	const char *missing = report->by_customer
		? (!report->has_customer ? "customer_key" : report->product == NULL ? "product" : NULL)
		: report->has_decision ? NULL : "decision_id";

	if (missing == NULL && report->outcome == NULL)
		missing = "outcome";
	if (missing != NULL)
		return refuse(refusal, ERRCODE_NULL_VALUE_NOT_ALLOWED, psprintf("%s must not be null", missing), NULL,
					  report->by_customer ? "Call xsell_reward_customer(customer_key, product, outcome)."
					  : "Call xsell_reward(decision_id, outcome).");
	if (report->event_id != NULL && strlen(report->event_id) > MAX_EVENT_ID)
		return refuse(refusal, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("event_id is longer than %d bytes", MAX_EVENT_ID), NULL,
					  "Pass a hash of it.");
	if (!isfinite(report->value))
		return refuse(refusal, ERRCODE_INVALID_PARAMETER_VALUE, "value of an outcome must be a finite number", NULL,
					  "Pass NULL if the value is not known.");
	if (report->occurred_at > xs_now() + CLOCK_TOLERANCE)
		return refuse(refusal, ERRCODE_INVALID_PARAMETER_VALUE, "outcome occurred in the future",
					  psprintf("It is %s now.", timestamptz_to_str(xs_now())),
					  "Check occurred_at and its time zone.");
	return true;
}

static bool
read_decision(Outcome *outcome, XsRefusal *refusal)
{
	Datum		id = Int64GetDatum(outcome->decision_id);
	long long	number = outcome->decision_id;
	HeapTuple	row;
	TupleDesc	desc;
	bool		no_product;
	bool		isnull;
	Datum		value;

	if (xs_execute(&find_decision, &id, NULL, XS_READ_NEWEST, 1) == 0)
		return refuse(refusal, ERRCODE_UNDEFINED_OBJECT, psprintf("decision %lld does not exist", number), NULL,
					  "Pass the decision_id that xsell_decide returned; its transaction must have committed.");
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	(void) SPI_getbinval(row, desc, 2, &no_product);
	if (no_product)
		return refuse(refusal, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("decision %lld made no offer", number),
					  "An outcome is what became of an offer.", "Its reason is in xsell.decision.");
	outcome->agent = TextDatumGetCString(SPI_getbinval(row, desc, 1, &isnull));
	outcome->customer_key = SPI_getbinval(row, desc, 3, &isnull);
	outcome->channel = TextDatumGetCString(SPI_getbinval(row, desc, 4, &isnull));
	value = SPI_getbinval(row, desc, 5, &isnull);
	outcome->decision_value = isnull ? NAN : DatumGetFloat4(value);
	return true;
}

/* Infinite times compare as expected. */
static bool
check_time(const Outcome *outcome, XsRefusal *refusal)
{
	TimestampTz decided_at = xs_id_time(outcome->decision_id);

	if (outcome->report->occurred_at < decided_at - CLOCK_TOLERANCE)
		return refuse(refusal, ERRCODE_INVALID_PARAMETER_VALUE, "outcome occurred before its decision",
					  psprintf("Decision %lld was made at %s.", (long long) outcome->decision_id, timestamptz_to_str(decided_at)),
					  "Check occurred_at and its time zone.");
	return true;
}

static bool
read_kind(Outcome *outcome, XsRefusal *refusal)
{
	const XsLearning *learning = outcome->learning = xs_learning(outcome->agent);
	StringInfoData names;

	outcome->kind = learning == NULL ? NULL : xs_outcome_kind(learning, outcome->report->outcome);
	if (outcome->kind != NULL)
		return true;

	initStringInfo(&names);
	for (int i = 0; learning != NULL && i < learning->noutcomes; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "", learning->outcomes[i].outcome);
	return refuse(refusal, ERRCODE_UNDEFINED_OBJECT,
				  psprintf("outcome \"%s\" is unknown to agent \"%s\"", outcome->report->outcome, outcome->agent),
				  names.len > 0 ? psprintf("It knows %s.", names.data) : "The agent has no policy.",
				  "Other outcomes are defined in xsell.outcome_kind.");
}

/*
 * An event that was recorded before says the same again, or something else, which
 * is refused.  decision_id 0: the report names none.
 */
static bool
is_known_event(const XsReport *report, Datum customer_key, int64 decision_id, XsRefusal *refusal)
{
	Datum		values[2];
	bool		isnull;
	int64		decision;
	char	   *outcome;

	if (report->event_id == NULL)
		return false;
	values[0] = CStringGetTextDatum(report->event_id);
	values[1] = customer_key;
	if (xs_execute(&find_event, values, NULL, XS_READ_NEWEST, 1) == 0)
		return false;
	decision = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	outcome = TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	if (strcmp(outcome, report->outcome) == 0 && (decision_id == 0 || decision == decision_id))
		return true;
	refuse(refusal, ERRCODE_UNIQUE_VIOLATION, psprintf("event \"%s\" of the customer was reported before, as another outcome", report->event_id),
		   psprintf("It is outcome \"%s\" of decision %lld.", outcome, (long long) decision),
		   "An event has one event_id, which no other event of the customer has.");
	return true;
}

/* ---- records ---- */

static void
put_text(Datum *values, char *nulls, int column, const char *text)
{
	if (text == NULL)
		nulls[column] = 'n';
	else
		values[column] = CStringGetTextDatum(text);
}

/* False: this outcome of this decision, or this event, was recorded before. */
static bool
record(const Outcome *outcome, int64 outcome_id)
{
	const XsReport *report = outcome->report;
	const XsOutcomeKind *kind = outcome->kind;
	Datum		values[14];
	char		nulls[] = "              ";

	values[0] = Int64GetDatum(outcome_id);
	values[1] = Int64GetDatum(outcome->decision_id);
	values[2] = outcome->customer_key;
	put_text(values, nulls, 3, outcome->agent);
	put_text(values, nulls, 4, report->outcome);
	values[5] = Float8GetDatum(kind->reward);
	values[6] = Float8GetDatum(kind->harm);
	values[7] = BoolGetDatum(kind->terminal);
	put_text(values, nulls, 8, kind->delivery);
	put_text(values, nulls, 9, kind->reverses);
	values[10] = Float8GetDatum(report->has_value ? report->value : outcome->decision_value * kind->reward);
	if (!report->has_value && (kind->reward <= 0 || isnan(outcome->decision_value)))
		nulls[10] = 'n';
	values[11] = TimestampTzGetDatum(report->occurred_at);
	put_text(values, nulls, 12, report->event_id);
	put_text(values, nulls, 13, report->reported_by);
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
						strcmp(outcome->kind->opt_out, "all") == 0 ? "*" : outcome->channel,
						isnull ? "*" : TextDatumGetCString(purpose), outcome->decision_id);
}

static void
learn(const Outcome *outcome, int64 outcome_id)
{
	Datum		values[] = {
		Int64GetDatum(outcome->decision_id),
		CStringGetTextDatum(outcome->agent),
		Int64GetDatum(outcome_id)
	};

	if (outcome->learning->mode == XS_LEARN_ONLINE &&
		xs_learn_outcome(outcome->learning, outcome->decision_id))
		return;
	(void) xs_execute(&insert_late, values, NULL, XS_WRITE, 0);
}

/*
 * False: refused, or a duplicate if the refusal says nothing.  What an event says
 * again is found before its contact is looked for, which may be gone by now.
 */
static bool
find_offer(Outcome *outcome, XsRefusal *refusal)
{
	const XsReport *report = outcome->report;

	if (!check_report(report, refusal))
		return false;
	outcome->decision_id = report->decision_id;
	if (report->by_customer &&
		(is_known_event(report, report->customer_key, 0, refusal) ||
		 !xs_attribute(report, &outcome->decision_id, refusal)))
		return false;
	return read_decision(outcome, refusal) && check_time(outcome, refusal) && read_kind(outcome, refusal);
}

static XsReceipt
receive(Outcome *outcome, XsRefusal *refusal)
{
	int64		outcome_id;

	if (!find_offer(outcome, refusal))
		return refusal->message == NULL ? XS_DUPLICATE : XS_DANGLING;

	(void) GetTopTransactionId();	/* before the id is made: see learn.c */
	outcome_id = xs_new_id();
	if (!record(outcome, outcome_id))
	{
		(void) is_known_event(outcome->report, outcome->customer_key, outcome->decision_id, refusal);
		return refusal->message == NULL ? XS_DUPLICATE : XS_DANGLING;
	}
	if (outcome->kind->opt_out != NULL)
		withdraw_consent(outcome);
	learn(outcome, outcome_id);
	return XS_RECORDED;
}

static void
raise_refusal(const XsRefusal *refusal)
{
	ereport(ERROR,
			(errcode(refusal->code),
			 errmsg_internal("%s", refusal->message),
			 refusal->detail != NULL ? errdetail_internal("%s", refusal->detail) : 0,
			 refusal->hint != NULL ? errhint("%s", refusal->hint) : 0));
}

XsReceipt
xs_receive(const XsReport *report, XsIfRefused if_refused)
{
	Outcome		outcome = {.report = report};
	XsRefusal	refusal = {0};
	XsReceipt	receipt;

	SPI_connect();
	receipt = receive(&outcome, &refusal);
	if (receipt == XS_DANGLING && if_refused == XS_RAISE)
		raise_refusal(&refusal);
	if (receipt == XS_DANGLING && if_refused == XS_NOTE_DANGLING)
		xs_note_dangling(report, refusal.message);
	SPI_finish();
	return receipt;
}

/* ---- SQL ---- */

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* value, occurred_at and event_id, which follow each other; then the report is received. */
static Datum
reward(FunctionCallInfo fcinfo, XsReport *report, int value, bool dangling)
{
	static const char *const words[] = {"recorded", "duplicate", "dangling"};

	report->has_value = !PG_ARGISNULL(value);
	report->value = report->has_value ? PG_GETARG_FLOAT8(value) : 0;
	report->occurred_at = PG_ARGISNULL(value + 1) ? xs_now() : PG_GETARG_TIMESTAMPTZ(value + 1);
	report->event_id = text_argument(fcinfo, value + 2);
	report->reported_by = GetUserNameFromId(GetSessionUserId(), false);
	return CStringGetTextDatum(words[xs_receive(report, dangling ? XS_NOTE_DANGLING : XS_RAISE)]);
}

/*
 * xsell_reward(decision_id bigint, outcome text, value float8, occurred_at timestamptz,
 *				event_id text, dangling boolean)
 */
Datum
xsell_reward(PG_FUNCTION_ARGS)
{
	XsReport	report = {0};

	xs_check_learns_here("xsell_reward");
	xs_journal_key_type();		/* an error if there is no journal */
	report.has_decision = !PG_ARGISNULL(0);
	report.decision_id = report.has_decision ? PG_GETARG_INT64(0) : 0;
	report.outcome = text_argument(fcinfo, 1);
	PG_RETURN_DATUM(reward(fcinfo, &report, 2, !PG_ARGISNULL(5) && PG_GETARG_BOOL(5)));
}

/*
 * xsell_reward_customer(customer_key "any", product text, outcome text, value float8,
 *				occurred_at timestamptz, event_id text, agent text, dangling boolean)
 */
Datum
xsell_reward_customer(PG_FUNCTION_ARGS)
{
	XsReport	report = {0};

	xs_check_learns_here("xsell_reward_customer");
	xs_journal_key_type();
	report.by_customer = true;
	report.has_customer = !PG_ARGISNULL(0);
	if (report.has_customer)
		report.customer_key = xs_key_argument(fcinfo, 0);
	report.product = text_argument(fcinfo, 1);
	report.outcome = text_argument(fcinfo, 2);
	report.agent = text_argument(fcinfo, 6);
	PG_RETURN_DATUM(reward(fcinfo, &report, 3, !PG_ARGISNULL(7) && PG_GETARG_BOOL(7)));
}
