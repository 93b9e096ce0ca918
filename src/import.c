/*
 * import.c: history from elsewhere as evidence: xsell_import_history and
 * xsell_remove_import.
 *
 * A past offer becomes a row of the log, of cohort "imported", with its features as
 * the present policy encodes them and the linear predictor of the present model.
 * Its outcome is a row of xsell.outcome, and xsell.late hands it to the learner.  So
 * learning, refits, rebuilding and forgetting treat it as any other decision.
 *
 * An import is made in one transaction, so that a statement repeated by mistake is
 * an error and teaches nothing twice.  A removed import keeps its rows, which decisions
 * made meanwhile replay with, at a weight of 0.  Refits that were made with it are void
 * from then on: what they changed of the evidence is not there to be changed.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "choose.h"
#include "compat.h"
#include "journal/array.h"
#include "journal/journal.h"
#include "learn.h"
#include "model/evidence.h"
#include "policy/cache.h"
#include "policy/candidates.h"
#include "settings.h"

#define IMPORTED "imported"		/* cohort and mode */
#define TAKE_BACK_STEP 10000	/* decisions of one statement: what work_mem holds */

PG_FUNCTION_INFO_V1(xsell_import_history);
PG_FUNCTION_INFO_V1(xsell_remove_import);

/* ---- the import's row ---- */

/* Whoever imports waits for whoever does, since both look for free ids. */
static XsStatement reserve_ids = {
	.relation = "import",
	.sql = "SELECT pg_catalog.pg_advisory_xact_lock(2020893806, 0)",
	.nargs = 0
};

static XsStatement open_import = {
	.relation = "import",
	.sql = "INSERT INTO xsell.import (agent, import, first_week, last_week, imported_in, imported_at, imported_by)"
	" VALUES ($1, $2, $3, $3, pg_catalog.pg_current_xact_id(), $4, session_user) ON CONFLICT (agent, import) DO NOTHING",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, DATEOID, TIMESTAMPTZOID}
};

static XsStatement read_import = {
	.relation = "import",
	.sql = "SELECT i.first_week, i.last_week, i.imported_at, i.imported_by,"
	"       i.imported_in OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id() AND i.removed_at IS NULL"
	"  FROM xsell.import i WHERE i.agent OPERATOR(pg_catalog.=) $1 AND i.import OPERATOR(pg_catalog.=) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static XsStatement widen_import = {
	.relation = "import",
	.sql = "UPDATE xsell.import i SET first_week = $3, last_week = $4"
	" WHERE i.agent OPERATOR(pg_catalog.=) $1 AND i.import OPERATOR(pg_catalog.=) $2",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, DATEOID, DATEOID}
};

/* The import at work, as its row is; good within the (sub)transaction that read it. */
static struct
{
	uint64		transaction;
	SubTransactionId subtransaction;
	char		agent[NAMEDATALEN * 4];
	char		import[NAMEDATALEN * 4];
	DateADT		first_week;
	DateADT		last_week;
}			current;

static Datum
result(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, isnull);
}

static void
refuse_closed(const char *agent, const char *import)
{
	bool		isnull;
	TimestampTz at = DatumGetTimestampTz(result(3, &isnull));
	char	   *by = TextDatumGetCString(result(4, &isnull));

	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("import \"%s\" of agent \"%s\" is complete", import, agent),
			 errdetail("It was made at %s by %s, in a transaction of its own.", timestamptz_to_str(at), by),
			 errhint("Give what else you import another name. To import the same again, remove it first with xsell_remove_import.")));
}

/* Makes the import's row, or finds that this transaction has made it. */
static void
enter_import(Datum *values)
{
	char	   *agent = TextDatumGetCString(values[0]);
	char	   *import = TextDatumGetCString(values[1]);
	DateADT		week = DatumGetDateADT(values[2]);
	bool		isnull;

	current.transaction = 0;
	if (strlen(agent) >= sizeof(current.agent) || strlen(import) >= sizeof(current.import))
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name of an import can have %d bytes at most", (int) sizeof(current.import) - 1)));
	xs_execute(&reserve_ids, NULL, NULL, XS_WRITE, 0);
	current.first_week = current.last_week = week;
	if (xs_execute(&open_import, values, NULL, XS_WRITE, 0) == 0)
	{
		if (xs_execute(&read_import, values, NULL, XS_READ_NEWEST, 1) == 0)
			elog(ERROR, "import \"%s\" is gone", import);
		if (!DatumGetBool(result(5, &isnull)))
			refuse_closed(agent, import);
		current.first_week = DatumGetDateADT(result(1, &isnull));
		current.last_week = DatumGetDateADT(result(2, &isnull));
	}
	strcpy(current.agent, agent);
	strcpy(current.import, import);
	current.transaction = xs_local_transaction();
	current.subtransaction = GetCurrentSubTransactionId();
}

static void
note_week(const char *agent, const char *import, DateADT week)
{
	Datum		values[4] = {CStringGetTextDatum(agent), CStringGetTextDatum(import), DateADTGetDatum(week)};

	if (current.transaction != xs_local_transaction() || current.subtransaction != GetCurrentSubTransactionId() ||
		strcmp(current.agent, agent) != 0 || strcmp(current.import, import) != 0)
	{
		values[3] = TimestampTzGetDatum(xs_now());
		enter_import(values);
	}
	if (week >= current.first_week && week <= current.last_week)
		return;
	current.first_week = Min(current.first_week, week);
	current.last_week = Max(current.last_week, week);
	values[2] = DateADTGetDatum(current.first_week);
	values[3] = DateADTGetDatum(current.last_week);
	xs_execute(&widen_import, values, NULL, XS_WRITE, 0);
}

/* ---- ids ---- */

static XsStatement find_id = {
	.relation = "decision",
	.sql = "SELECT FROM xsell.decision d WHERE d.decision_id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static bool
is_taken(int64 place)
{
	Datum		id = Int64GetDatum(xs_import_id(place));

	return xs_execute(&find_id, &id, NULL, XS_READ_NEWEST, 1) > 0;
}

/* A free place after one that is taken: places are filled in order, so by doubling steps, and then halving them. */
static int64
search_place(int64 taken)
{
	int64		step = 1;
	int64		free;

	while (is_taken(taken + step))
	{
		taken += step;
		step *= 2;
	}
	free = taken + step;
	while (free - taken > 1)
	{
		int64		middle = taken + (free - taken) / 2;

		if (is_taken(middle))
			taken = middle;
		else
			free = middle;
	}
	return free;
}

#define PLACES_KNOWN 1024

/* Histories have dates more often than times: where the search for a date has come to is kept. */
static int64
free_place(int64 first)
{
	static uint64 transaction = 0;
	static struct
	{
		int64		first;
		int64		next;
	}			known[PLACES_KNOWN];
	int			slot = (int) ((uint64) first / 512 % PLACES_KNOWN);
	int64		place = first;

	if (transaction != xs_local_transaction())
		memset(known, 0, sizeof(known));
	transaction = xs_local_transaction();
	if (known[slot].next != 0 && known[slot].first == first)
		place = known[slot].next;
	if (is_taken(place))
		place = search_place(place);
	known[slot].first = first;
	known[slot].next = place + 1;
	return place;
}

/* ---- arguments ---- */

typedef struct Offer
{
	const char *product;
	const char *channel;
	const char *import;
	double		reward;
	TimestampTz decided_at;
	bool		has_probability;
	double		probability;
	double		weight;
	double		max_weight;
} Offer;

enum
{
	AGENT,
	CUSTOMER,
	PRODUCT,
	REWARD,
	CHANNEL,
	DECIDED_AT,
	IMPORT,
	PROBABILITY,
	WEIGHT,
	MAX_WEIGHT
};

static void
refuse_nulls(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {
		"agent", "customer", "product", "reward", "channel", "decided_at", "import", "probability", "weight", "max_weight"
	};

	for (int i = 0; i < lengthof(names); i++)
		if (i != PROBABILITY && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i]),
					 i == REWARD ? errhint("An offer without a conversion has reward 0.") :
					 errhint("Only the probability of an offer may be unknown.")));
}

static void
refuse_number(const char *what, double number, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s of an imported offer is %g", what, number),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

static void
check_numbers(const Offer *offer)
{
	if (!(offer->reward >= 0 && offer->reward <= 1))
		refuse_number("reward", offer->reward, "Rewards are between 0 and 1.",
					  "Pass 1 for a conversion, 0 for none.");
	if (offer->has_probability && !(offer->probability > 0 && offer->probability <= 1))
		refuse_number("probability", offer->probability, "What was offered had a probability above 0, and of 1 at most.",
					  "Pass NULL if it is not known, or estimate it.");
	if (!(offer->weight > 0 && offer->weight <= XS_MAX_WEIGHT))
		refuse_number("weight", offer->weight, "A weight is above 0, and 1024 at most.",
					  "Leave out what shall teach nothing.");
	if (!(offer->max_weight > 0 && offer->max_weight <= XS_MAX_WEIGHT))
		refuse_number("max_weight", offer->max_weight, "A weight is above 0, and 1024 at most.",
					  "The default is 10.");
}

static void
check_time(const Offer *offer)
{
	if (TIMESTAMP_NOT_FINITE(offer->decided_at) || offer->decided_at > xs_now())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an imported offer was made at %s", timestamptz_to_str(offer->decided_at)),
				 errdetail("It is %s now.", timestamptz_to_str(xs_now())),
				 errhint("History lies in the past: check decided_at and its time zone.")));
}

static void
read_offer(FunctionCallInfo fcinfo, Offer *offer)
{
	refuse_nulls(fcinfo);
	offer->product = text_to_cstring(PG_GETARG_TEXT_PP(PRODUCT));
	offer->channel = text_to_cstring(PG_GETARG_TEXT_PP(CHANNEL));
	offer->import = text_to_cstring(PG_GETARG_TEXT_PP(IMPORT));
	offer->reward = PG_GETARG_FLOAT8(REWARD);
	offer->decided_at = PG_GETARG_TIMESTAMPTZ(DECIDED_AT);
	offer->has_probability = !PG_ARGISNULL(PROBABILITY);
	offer->probability = offer->has_probability ? PG_GETARG_FLOAT8(PROBABILITY) : NAN;
	offer->weight = PG_GETARG_FLOAT8(WEIGHT);
	offer->max_weight = PG_GETARG_FLOAT8(MAX_WEIGHT);
	check_numbers(offer);
	check_time(offer);
}

/*
 * As if products had been offered uniformly (importance sampling): what was likelier
 * than that counts for less, what was rarer for more, but not above max_weight.
 */
static double
weight_of(const Offer *offer, const XsPolicy *policy)
{
	if (!offer->has_probability)
		return offer->weight;
	return Min(offer->max_weight, offer->weight / (policy->noffers * offer->probability));
}

/* ---- writing ---- */

static XsStatement insert_outcome = {
	.relation = "outcome",
	.sql = "INSERT INTO xsell.outcome (outcome_id, decision_id, customer_key, agent, outcome, reward, terminal, occurred_at, recorded_by)"
	" VALUES ($1, $2, $3, $4, 'conversion', $5, true, $6, session_user)",
	.nargs = 6,
	.argtypes = {INT8OID, INT8OID, XS_KEY_TYPE, TEXTOID, FLOAT8OID, TIMESTAMPTZOID}
};

static void
write_outcome(const XsDecision *d, const Offer *offer)
{
	Datum		values[] = {
		Int64GetDatum(xs_new_id()), Int64GetDatum(d->decision_id), d->customer_key, CStringGetTextDatum(d->agent),
		Float8GetDatum(offer->reward), TimestampTzGetDatum(offer->decided_at)
	};

	xs_execute(&insert_outcome, values, NULL, XS_WRITE, 0);
}

/* Monday, UTC, of an id's week: its bucket of evidence. */
static DateADT
week_of(int64 id)
{
	TimestampTz first = xs_id_time(0);

	return (DateADT) (first / USECS_PER_DAY + (xs_id_time(id) - first) / (7 * USECS_PER_DAY) * 7);
}

static void
write_offer(XsDecision *d, const Offer *offer, const XsPolicy *policy)
{
	int64		place = xs_import_place(offer->decided_at);

	SPI_connect();
	note_week(policy->agent, offer->import, week_of(xs_import_id(place)));
	d->decision_id = xs_import_id(free_place(place));
	note_week(policy->agent, offer->import, week_of(d->decision_id));	/* the place may be of the next */
	d->cohort = d->mode = IMPORTED;
	d->reason = offer->import;
	d->probability = offer->probability;
	d->weight = weight_of(offer, policy);
	xs_write_decision(d);
	if (offer->reward > 0)
		write_outcome(d, offer);
	xs_write_late(d);
	SPI_finish();
}

/*
 * xsell_import_history(agent text, customer record, product text, reward float8, channel text,
 *						decided_at timestamptz, import text, probability float8, weight float8,
 *						max_weight float8) RETURNS bigint, the decision's id
 */
Datum
xsell_import_history(PG_FUNCTION_ARGS)
{
	Offer		offer = {0};
	XsCall		call = {0};
	XsChoice	choice;
	XsDecision	decision;
	const XsPolicy *policy;

	xs_check_learns_here("xsell_import_history");
	read_offer(fcinfo, &offer);
	call.row = PG_GETARG_HEAPTUPLEHEADER(CUSTOMER);
	call.row_type = HeapTupleHeaderGetTypeId(call.row);
	call.row_typmod = HeapTupleHeaderGetTypMod(call.row);
	call.agent = text_to_cstring(PG_GETARG_TEXT_PP(AGENT));
	call.has_time = true;
	call.at = offer.decided_at;

	xs_begin_choice(&call, &choice);
	policy = choice.agent->policy;
	xs_check_asked(policy, DatumGetArrayTypeP(xs_array_of_texts(1, (char *const *) &offer.product)), offer.channel);
	xs_choose_past(&choice, xs_policy_offer(policy, offer.product), xs_policy_channel(policy, offer.channel), &decision);
	(void) GetTopTransactionId();	/* before ids are made: see learn.c */
	write_offer(&decision, &offer, policy);
	xs_end_choice(&choice);
	PG_RETURN_INT64(decision.decision_id);
}

/* ---- removal ---- */

static XsStatement close_import = {
	.relation = "import",
	.sql = "UPDATE xsell.import i SET removed_at = COALESCE(i.removed_at, $3),"
	"       removed_by = COALESCE(i.removed_by, session_user)"
	" WHERE i.agent OPERATOR(pg_catalog.=) $1 AND i.import OPERATOR(pg_catalog.=) $2"
	" RETURNING i.first_week, i.last_week, i.removed IS NOT NULL",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

/* $3 the first id of its weeks, $4 the first after */
static XsStatement take_weight = {
	.relation = "decision",
	.sql = "WITH taken AS (UPDATE xsell.decision d SET weight = 0"
	"   WHERE d.decision_id OPERATOR(pg_catalog.>=) $3 AND d.decision_id OPERATOR(pg_catalog.<) $4"
	"     AND d.agent OPERATOR(pg_catalog.=) $1 AND d.cohort OPERATOR(pg_catalog.=) 'imported'"
	"     AND d.reason OPERATOR(pg_catalog.=) $2 RETURNING d.decision_id)"
	" SELECT pg_catalog.array_agg(t.decision_id) FROM taken t",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, INT8OID, INT8OID}
};

static XsStatement note_removed = {
	.relation = "import",
	.sql = "UPDATE xsell.import i SET removed = $3, removed_in = $4, learned_in = (SELECT pg_catalog.min(e.model_version)"
	"    FROM xsell.experience e WHERE e.decision_id OPERATOR(pg_catalog.=) ANY ($5) AND e.model_version OPERATOR(pg_catalog.<) $4)"
	" WHERE i.agent OPERATOR(pg_catalog.=) $1 AND i.import OPERATOR(pg_catalog.=) $2",
	.nargs = 5,
	.argtypes = {TEXTOID, TEXTOID, INT8OID, INT8OID, INT8ARRAYOID}
};

/* If the refit in effect was made with the import, none is from now on. */
static XsStatement demote = {
	.relation = "promotion",
	.sql = "INSERT INTO xsell.promotion (agent, model_version, refit, reason, promoted_at, promoted_by)"
	" SELECT i.agent, i.removed_in, 0, pg_catalog.concat('import ', i.import, ' removed'), i.removed_at, session_user"
	"   FROM xsell.import i, xsell.refit r"
	"  WHERE i.agent OPERATOR(pg_catalog.=) $1 AND i.import OPERATOR(pg_catalog.=) $2 AND r.agent OPERATOR(pg_catalog.=) $1"
	"    AND r.refit OPERATOR(pg_catalog.=) (SELECT p.refit FROM xsell.promotion p WHERE p.agent OPERATOR(pg_catalog.=) $1"
	"                                         ORDER BY p.model_version DESC LIMIT 1)"
	"    AND r.model_version OPERATOR(pg_catalog.>=) i.learned_in",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static int64
first_id_of(DateADT week)
{
	return xs_id_floor((TimestampTz) week * USECS_PER_DAY);
}

/* Corrects what was learned of decisions that weigh nothing any more. */
static int64
take_back(const XsLearning *learning, ArrayType *decisions, int64 n, int64 model_version)
{
	const int64 *ids = (const int64 *) ARR_DATA_PTR(decisions);

	for (int64 i = 0; i < n; i += TAKE_BACK_STEP)
	{
		Datum		step = xs_array_of(INT8OID, sizeof(int64), (int) Min(TAKE_BACK_STEP, n - i), ids + i);

		CHECK_FOR_INTERRUPTS();
		if (xs_correct(learning, 0, 0, step, model_version + 1) > 0)
			model_version++;
	}
	return model_version;
}

static int64
remove_import(const XsLearning *learning, Datum import)
{
	Datum		values[5] = {CStringGetTextDatum(learning->agent), import, TimestampTzGetDatum(xs_now())};
	ArrayType  *decisions;
	int64		model_version;
	int64		first;
	int64		beyond;
	int64		n;
	bool		isnull;
	Datum		taken;

	xs_exclude_refits(learning->agent);
	if (xs_execute(&close_import, values, NULL, XS_WRITE, 0) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("agent \"%s\" has no import \"%s\"", learning->agent, TextDatumGetCString(import)),
				 errhint("Imports are rows of xsell.import.")));
	if (DatumGetBool(result(3, &isnull)))
		return 0;				/* removed before */
	first = first_id_of(DatumGetDateADT(result(1, &isnull)));
	beyond = first_id_of(DatumGetDateADT(result(2, &isnull)) + 7);

	/* before weights change, so that nobody learns meanwhile what is taken back */
	if (!xs_hold_learner(learning->agent, &model_version))
		model_version = xs_make_learner(learning->agent);
	values[2] = Int64GetDatum(first);
	values[3] = Int64GetDatum(beyond);
	xs_execute(&take_weight, values, NULL, XS_WRITE, 0);
	taken = result(1, &isnull);
	decisions = isnull ? construct_empty_array(INT8OID) : DatumGetArrayTypePCopy(taken);
	n = ArrayGetNItems(ARR_NDIM(decisions), ARR_DIMS(decisions));
	model_version = take_back(learning, decisions, n, model_version);
	xs_set_model_version(learning->agent, model_version);
	values[2] = Int64GetDatum(n);
	values[3] = Int64GetDatum(model_version);
	values[4] = PointerGetDatum(decisions);
	xs_execute(&note_removed, values, NULL, XS_WRITE, 0);
	xs_execute(&demote, values, NULL, XS_WRITE, 0);
	return n;
}

/* xsell_remove_import(agent text, import text) RETURNS bigint, the number of its decisions */
Datum
xsell_remove_import(PG_FUNCTION_ARGS)
{
	const XsLearning *learning;
	char	   *agent;
	int64		n;

	xs_check_learns_here("xsell_remove_import");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "agent" : "import")));
	agent = text_to_cstring(PG_GETARG_TEXT_PP(0));
	xs_journal_key_type();		/* an error if there is no journal */

	SPI_connect();
	learning = xs_learning(agent);
	if (learning == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("agent \"%s\" does not exist", agent),
				 errhint("Agents that exist, or did, are named in xsell.policy.")));
	n = remove_import(learning, PG_GETARG_DATUM(1));
	SPI_finish();
	PG_RETURN_INT64(n);
}
