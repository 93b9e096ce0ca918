/*
 * replay.c: a logged decision derived again from the journal, bit for bit.
 *
 * The policy version, the evidence as of the model version, the features and the
 * candidates' exclusions are read back; predictions, probabilities and the draw
 * are computed by the functions that made the decision, and compared with what
 * was logged.  Evidence is kept between the calls of a statement and rolled from
 * one model version to the next, so that replaying a whole log reads it once.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "choose.h"
#include "compat.h"
#include "evidence_history.h"
#include "journal/journal.h"
#include "policy/cache.h"
#include "policy/model.h"
#include "score.h"

PG_FUNCTION_INFO_V1(xsell_replay);
PG_FUNCTION_INFO_V1(xsell_explain);

/* What a statement keeps between calls. */
typedef struct Replay
{
	MemoryContext context;
	XsEvidenceHistory *history;
	XsPolicy   *policy;
	XsModel    *model;
	int64		model_version;
	TupleDesc	result;
} Replay;

static Replay *
replay_state(FunctionCallInfo fcinfo)
{
	Replay	   *replay = fcinfo->flinfo->fn_extra;
	MemoryContext caller;
	TupleDesc	desc;

	if (replay != NULL)
		return replay;
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	replay = palloc0(sizeof(Replay));
	replay->context = fcinfo->flinfo->fn_mcxt;
	replay->history = xs_history_create(replay->context);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "xsell_replay must return a row");
	replay->result = BlessTupleDesc(CreateTupleDescCopy(desc));
	fcinfo->flinfo->fn_extra = replay;
	MemoryContextSwitchTo(caller);
	return replay;
}

static XsPolicy *
policy_of(const XsDecision *d)
{
	XsPolicy   *policy = xs_policy_version(d->agent, d->policy_version);

	if (policy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of the policy of agent \"%s\" is missing from xsell.policy",
						d->policy_version, d->agent)));
	return policy;
}

static void
load_policy(Replay *replay, const XsDecision *d)
{
	XsPolicy   *policy;

	if (replay->policy != NULL && strcmp(replay->policy->agent, d->agent) == 0 &&
		replay->policy->version == d->policy_version)
		return;
	if (replay->policy != NULL)
		MemoryContextDelete(replay->policy->context);
	replay->policy = NULL;
	replay->model = NULL;
	policy = policy_of(d);
	MemoryContextSetParent(policy->context, replay->context);
	replay->policy = policy;
}

/* The latest bucket of the evidence that a policy learns from. */
typedef struct Newest
{
	const XsPolicy *policy;
	DateADT		bucket;
} Newest;

static void
note_newest(void *arg, const XsEvidenceRow *row)
{
	Newest	   *newest = arg;

	if (xs_policy_learns_from(newest->policy, row->source))
		newest->bucket = Max(newest->bucket, row->bucket);
}

static void
add_row(void *arg, const XsEvidenceRow *row)
{
	xs_model_add(arg, row, +1);
}

static void
add_segment(void *arg, const XsSegmentRow *row)
{
	xs_model_add_segment(arg, row);
}

/* The model as it was at the decision's model version. */
static void
load_model(Replay *replay, const XsDecision *d)
{
	const XsPolicy *policy = replay->policy;
	Newest		newest = {.policy = policy};

	if (replay->model != NULL && replay->model_version == d->model_version)
		return;
	xs_history_at(replay->history, d->agent, d->model_version, policy->oracle->needs_features);
	xs_history_each(replay->history, note_newest, &newest);
	if (replay->model == NULL)
		replay->model = xs_model_create(policy, policy->context);

	SPI_connect();
	xs_model_begin(replay->model, newest.bucket);
	xs_history_each(replay->history, add_row, replay->model);
	xs_history_each_segment(replay->history, add_segment, replay->model);
	xs_model_add_refit(replay->model, xs_refit_at(d->agent, d->model_version));
	xs_model_end(replay->model, true);
	SPI_finish();
	replay->model_version = d->model_version;
}

/*
 * What needs no candidates: who it was for, and that nothing is offered where
 * none were looked at (agent paused, contact in progress) or asked for.
 */
static void
begin_again(const XsPolicy *policy, const XsDecision *logged, XsDecision *again)
{
	memset(again, 0, sizeof(XsDecision));
	again->decision_id = logged->decision_id;
	again->cohort = xs_cohort(policy, logged->customer_key);
	again->encoding = policy->encoding;
	again->segment = policy->segment == NULL ? NULL : logged->segment;
	again->channel = logged->product == NULL ? logged->channel : NULL;
	again->mode = strcmp(logged->mode, "fallback") == 0 ? "fallback" : "none";
	again->reason = policy->paused ? XS_REASON_PAUSED
		: strcmp(logged->reason, XS_REASON_BUSY) == 0 ? XS_REASON_BUSY : "no candidates";
}

/* The decision made again from the inputs that were logged. */
static void
decide_again(const Replay *replay, const XsDecision *logged, XsDecision *again)
{
	XsCandidate *candidates = palloc(sizeof(XsCandidate) * Max(logged->ncandidates, 1));
	float4	   *shared = palloc0(sizeof(float4) * replay->policy->dim);

	for (int i = 0; i < logged->ncandidates; i++)
	{
		candidates[i] = logged->candidates[i];
		candidates[i].mean = candidates[i].sd = 0;
		candidates[i].probability = 0;
	}
	if (logged->dim == replay->policy->dim)
		memcpy(shared, logged->features, sizeof(float4) * logged->dim);
	again->ncandidates = logged->ncandidates;
	again->candidates = candidates;
	xs_score_and_draw(replay->policy, replay->model, shared, candidates, again);
	if (replay->policy->paused && again->product == NULL)
		again->reason = XS_REASON_PAUSED;
}

/* ---- what cannot be derived again ---- */

static XsStatement forgotten_since = {
	.relation = "forgotten",
	.sql = "SELECT FROM xsell.forgotten f WHERE f.agent OPERATOR(pg_catalog.=) $1"
	" AND f.model_version OPERATOR(pg_catalog.>) $2 AND f.first_version OPERATOR(pg_catalog.<=) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
};

/* Whether the decision was made with evidence of a customer who was forgotten since. */
static bool
is_forgotten(const XsDecision *d)
{
	Datum		values[] = {CStringGetTextDatum(d->agent), Int64GetDatum(d->model_version)};
	bool		found;

	SPI_connect();
	found = xs_execute(&forgotten_since, values, NULL, XS_READ, 1) > 0;
	SPI_finish();
	return found;
}

/* ---- comparison ---- */

typedef struct Difference
{
	const char *field;
	const char *logged;
	const char *replayed;
} Difference;

static const char *
number(double value)
{
	return psprintf("%.17g", value);
}

static bool
texts_differ(const char *field, const char *a, const char *b, Difference *out)
{
	if (a == b || (a != NULL && b != NULL && strcmp(a, b) == 0))
		return false;
	*out = (Difference) {field, a == NULL ? "NULL" : a, b == NULL ? "NULL" : b};
	return true;
}

static bool
numbers_differ(const char *field, double a, double b, Difference *out)
{
	if (a == b || (isnan(a) && isnan(b)))	/* candidates lose the sign of 0 */
		return false;
	*out = (Difference) {field, number(a), number(b)};
	return true;
}

/* What no decision under this policy version can have logged. */
static bool
misfits(const XsPolicy *policy, const XsDecision *logged, Difference *out)
{
	if (numbers_differ("encoding", logged->encoding, policy->encoding, out))
		return true;
	for (int i = 0; i < logged->ncandidates; i++)
	{
		const XsCandidate *c = &logged->candidates[i];

		if (c->arm >= XS_NARMS(policy))
		{
			*out = (Difference) {"candidates", psprintf("arm %d", c->arm),
				psprintf("arms 0 to %d", XS_NARMS(policy) - 1)};
			return true;
		}
		if (c->excluded == NULL &&
			numbers_differ(psprintf("length of tail of arm %d", c->arm), c->ntail, policy->ntail, out))
			return true;
	}
	return logged->product != NULL &&
		numbers_differ("length of features", logged->dim, policy->dim, out);
}

static bool
features_differ(const XsPolicy *policy, const XsDecision *logged, const XsDecision *again, Difference *out)
{
	if (numbers_differ("length of features", logged->dim, again->dim, out))
		return true;
	for (int i = 0; i < logged->dim; i++)
		if (numbers_differ(psprintf("feature %s", xs_column_name(policy, i)),
						   logged->features[i], again->features[i], out))
			return true;
	return false;
}

static bool
candidates_differ(const XsPolicy *policy, const XsDecision *logged, const XsDecision *again, Difference *out)
{
	if (numbers_differ("number of candidates", logged->ncandidates, again->ncandidates, out))
		return true;
	for (int i = 0; i < logged->ncandidates; i++)
	{
		const XsCandidate *a = &logged->candidates[i];
		const XsCandidate *b = &again->candidates[i];
		const char *arm = psprintf("%s through %s", XS_ARM_OFFER(policy, a->arm)->product,
								   XS_ARM_CHANNEL(policy, a->arm)->channel);

		if (a->excluded == NULL &&
			(numbers_differ(psprintf("mean of %s", arm), a->mean, b->mean, out) ||
			 numbers_differ(psprintf("sd of %s", arm), a->sd, b->sd, out) ||
			 numbers_differ(psprintf("probability of %s", arm), a->probability, b->probability, out)))
			return true;
	}
	return false;
}

static bool
contributions_differ(const XsDecision *logged, const XsDecision *again, Difference *out)
{
	for (int i = 0; i < Max(logged->ncontributions, again->ncontributions); i++)
		if (numbers_differ("contribution_columns", logged->contribution_columns[i],
						   again->contribution_columns[i], out) ||
			numbers_differ("contributions", logged->contributions[i], again->contributions[i], out))
			return true;
	return false;
}

static bool
forecasts_differ(const XsDecision *logged, const XsDecision *again, Difference *out)
{
	if (numbers_differ("number of forecasts", logged->nforecasts, again->nforecasts, out))
		return true;
	for (int i = 0; i < logged->nforecasts; i++)
		if (numbers_differ("forecasts", logged->forecasts[i], again->forecasts[i], out))
			return true;
	return false;
}

/* The first field that differs, in the order in which a decision comes about. */
static bool
differs(const XsPolicy *policy, const XsDecision *logged, const XsDecision *again, Difference *out)
{
	return texts_differ("cohort", logged->cohort, again->cohort, out) ||
		texts_differ("segment", logged->segment, again->segment, out) ||
		candidates_differ(policy, logged, again, out) ||
		texts_differ("product", logged->product, again->product, out) ||
		texts_differ("channel", logged->channel, again->channel, out) ||
		features_differ(policy, logged, again, out) ||
		numbers_differ("probability", logged->probability, again->probability, out) ||
		numbers_differ("expected", logged->expected, again->expected, out) ||
		numbers_differ("value", logged->value, again->value, out) ||
		numbers_differ("cost", logged->cost, again->cost, out) ||
		numbers_differ("awaits_delivery", logged->awaits_delivery, again->awaits_delivery, out) ||
		texts_differ("mode", logged->mode, again->mode, out) ||
		texts_differ("reason", logged->reason, again->reason, out) ||
		numbers_differ("linear_predictor", logged->linear_predictor, again->linear_predictor, out) ||
		contributions_differ(logged, again, out) ||
		forecasts_differ(logged, again, out);
}

/* ---- SQL ---- */

static void
read_logged(int64 decision_id, XsDecision *logged)
{
	if (!xs_read_decision(decision_id, XS_READ, logged))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("decision " INT64_FORMAT " does not exist", decision_id),
				 errhint("Decisions are rows of xsell.decision; the statement that makes one does not see it yet.")));
}

/* The first field that differs; false: none. */
static bool
derive_again(Replay *replay, const XsDecision *logged, Difference *difference)
{
	XsDecision	again;

	load_policy(replay, logged);
	if (misfits(replay->policy, logged, difference))
		return true;
	begin_again(replay->policy, logged, &again);
	if (logged->ncandidates > 0)
	{
		load_model(replay, logged);
		decide_again(replay, logged, &again);
	}
	return differs(replay->policy, logged, &again, difference);
}

/*
 * xsell_replay(decision_id bigint) RETURNS (identical, field, logged, replayed)
 *
 * identical: everything came out again to the last bit; else the first field that
 * did not, with both values.  NULL, and in the field's place why, where there is nothing
 * to compare: imported, or forgotten.  Runs on a standby.
 */
Datum
xsell_replay(PG_FUNCTION_ARGS)
{
	Replay	   *replay = replay_state(fcinfo);
	XsDecision	logged;
	Difference	difference = {0};
	Datum		values[4] = {0};
	bool		nulls[4] = {false, true, true, true};

	read_logged(PG_GETARG_INT64(0), &logged);
	if (strcmp(logged.cohort, "imported") == 0)
		difference.field = "imported";
	else if (!derive_again(replay, &logged, &difference))
		values[0] = BoolGetDatum(true);
	else if (is_forgotten(&logged))
		difference = (Difference) {.field = "forgotten"};

	if (difference.field != NULL)
	{
		nulls[0] = difference.logged == NULL;
		nulls[1] = false;
		nulls[2] = nulls[3] = difference.logged == NULL;
		values[1] = CStringGetTextDatum(difference.field);
	}
	if (difference.logged != NULL)
	{
		values[2] = CStringGetTextDatum(difference.logged);
		values[3] = CStringGetTextDatum(difference.replayed);
	}
	return HeapTupleGetDatum(heap_form_tuple(replay->result, values, nulls));
}

/*
 * xsell_explain(decision_id bigint) RETURNS TABLE (feature, value, contribution)
 *
 * The largest addends of the offered product's linear predictor, as logged: name
 * of the feature column, its encoded value, what it added.
 */
Datum
xsell_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	XsDecision	logged;
	XsPolicy   *policy;

	xs_materialize(fcinfo);
	read_logged(PG_GETARG_INT64(0), &logged);
	policy = policy_of(&logged);
	for (int i = 0; i < logged.ncontributions; i++)
	{
		int			column = logged.contribution_columns[i];
		Datum		values[3];
		bool		nulls[3] = {false};

		if (column < 0 || column >= logged.dim)
			continue;
		values[0] = CStringGetTextDatum(xs_column_name(policy, column));
		values[1] = Float4GetDatum(logged.features[column]);
		values[2] = Float4GetDatum(logged.contributions[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	MemoryContextDelete(policy->context);
	return (Datum) 0;
}
