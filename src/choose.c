/*
 * choose.c: everything of a decision up to the draw.
 *
 *   row -> agent -> key, cohort -> candidates -> features -> predictions
 *       -> probabilities -> draw
 *
 * Reads and computes, writes nothing and assigns no transaction id, so that it
 * runs on a standby, in a READ ONLY transaction and in a parallel worker too.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "choose.h"
#include "journal/array.h"
#include "compat.h"
#include "math/random.h"
#include "policy/candidates.h"
#include "score.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(xsell_choose);

/* ---- arguments ---- */

static int
mode_named(const char *mode)
{
	if (strcmp(mode, "realtime") == 0)
		return XS_MODE_REALTIME;
	if (strcmp(mode, "batch") == 0)
		return XS_MODE_BATCH;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("call_mode must be realtime or batch, not \"%s\"", mode)));
	return 0;					/* keep compiler quiet */
}

void
xs_read_call(FunctionCallInfo fcinfo, XsArguments where, XsCall *call)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the customer row is NULL"),
				 errhint("Pass a row, for example: FROM customers c, xsell_decide(c) d.")));
	memset(call, 0, sizeof(XsCall));
	call->row = PG_GETARG_HEAPTUPLEHEADER(0);
	call->row_type = HeapTupleHeaderGetTypeId(call->row);
	call->row_typmod = HeapTupleHeaderGetTypMod(call->row);
	if (!PG_ARGISNULL(1) && where.product)
		call->product = text_to_cstring(PG_GETARG_TEXT_PP(1));
	else if (!PG_ARGISNULL(1))
		call->products = PG_GETARG_ARRAYTYPE_P(1);
	call->agent = PG_ARGISNULL(2) ? xs_agent_for(call->row_type) : text_to_cstring(PG_GETARG_TEXT_PP(2));
	call->channel = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	call->context = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	if (where.request_key >= 0 && !PG_ARGISNULL(where.request_key))
		call->request_key = text_to_cstring(PG_GETARG_TEXT_PP(where.request_key));
	if (where.call_mode >= 0 && !PG_ARGISNULL(where.call_mode))
		call->mode = mode_named(text_to_cstring(PG_GETARG_TEXT_PP(where.call_mode)));
	call->has_time = where.at >= 0 && !PG_ARGISNULL(where.at);
	if (call->has_time)
		call->at = PG_GETARG_TIMESTAMPTZ(where.at);
	if (call->has_time && TIMESTAMP_NOT_FINITE(call->at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("at must be a finite time")));
	if (call->context != NULL && !JB_ROOT_IS_OBJECT(call->context))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("context must be a JSON object"),
				 errhint("For example: context => '{\"page\": \"home\"}'.")));
}

/* ---- one row ---- */

/*
 * An expression may call the bank's functions, and those could call xsell again,
 * which would evaluate another row with the same program underneath.
 */
static bool choosing = false;

/*
 * Triggers of the journal's tables, which run between the evaluation of the key
 * and that of the candidates, could do so as well.
 */
static uint64 choices = 0;

static void
refuse_nested(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("a decision cannot be made while another is being made"),
			 errhint("Expressions of a policy, and triggers of the journal's tables, must not call functions that decide.")));
}

/* Outlives the row's evaluation, and what a trigger that decides does to it. */
static Datum
copy_key(Datum key)
{
	int16		length;
	bool		by_value;

	get_typlenbyval(xs_journal_key_type(), &length, &by_value);
	return datumCopy(key, by_value, length);
}

static Datum
evaluate_key(XsChoice *choice)
{
	const XsPolicy *policy = choice->agent->policy;
	bool		isnull;
	Datum		key = xs_evaluate(choice->program, policy->customer_key, 0, 0, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the customer key is NULL"),
				 errdetail("The key of agent \"%s\" is the expression: %s", policy->agent,
						   policy->customer_key->text)));
	return copy_key(key);
}

void
xs_begin_choice(const XsCall *call, XsChoice *choice)
{
	if (choosing)
		refuse_nested();
	choice->number = ++choices;
	choice->now = call->has_time ? call->at : xs_now();
	choice->agent = xs_agent(call->agent);
	choice->program = xs_agent_program(choice->agent, call->row_type, call->row_typmod);
	xs_program_row(choice->program, call->row,
				   call->context == NULL ? (Datum) 0 : JsonbPGetDatum(call->context), call->context == NULL,
				   choice->now);

	choosing = true;
	PG_TRY();
	{
		choice->customer_key = evaluate_key(choice);
	}
	PG_FINALLY();
	{
		choosing = false;
	}
	PG_END_TRY();
}

void
xs_end_choice(XsChoice *choice)
{
	xs_program_done(choice->program);
}

/*
 * Features that depend on the arm, and its propensity, which comes last; where
 * that is missing, the prior rate has its place.
 */
static void
encode_tail(const XsPolicy *policy, XsProgram *program, XsCandidate *candidate, float4 *scratch)
{
	const XsOffer *offer = XS_ARM_OFFER(policy, candidate->arm);
	int			nshared = policy->dim - policy->ntail;
	float4	   *tail = palloc0(sizeof(float4) * Max(policy->ntail, 1));

	xs_encode(program, policy, candidate->arm / policy->nchannels, candidate->arm % policy->nchannels,
			  true, scratch);
	memcpy(tail, scratch + nshared, sizeof(float4) * policy->ntail);
	if (offer->propensity != NULL)
		tail[policy->ntail - 1] = (float4) xs_propensity_feature(isnan(candidate->propensity) ? offer->prior_rate
																  : candidate->propensity);
	candidate->ntail = policy->ntail;
	candidate->tail = tail;
}

/* ---- what is known besides the row ---- */

void
xs_complete_history(const XsChoice *choice, XsAccess access, XsHistory *history)
{
	if (choice->agent->policy->needs_responses)
		xs_contact_outcomes(&history->contacts, access);
	history->nconsents = xs_consents(choice->customer_key, access, &history->consents);
}

void
xs_read_history(const XsChoice *choice, XsHistory *history)
{
	memset(history, 0, sizeof(XsHistory));
	xs_contact_read(choice->customer_key, &history->contacts);
	xs_complete_history(choice, XS_READ, history);
}

static XsSituation
situation_of(const XsCall *call, const XsChoice *choice, const XsHistory *history)
{
	return (XsSituation)
	{
		.policy = choice->agent->policy,
			.program = choice->program,
			.model = choice->agent->model,
			.now = choice->now,
			.mode = call->mode,
			.products = call->products,
			.channel = call->channel,
			.contacts = &history->contacts,
			.nconsents = history->nconsents,
			.consents = history->consents
	};
}

/* ---- candidates ---- */

static bool
any_allowed(const XsCandidate *candidates, int n)
{
	for (int i = 0; i < n; i++)
		if (candidates[i].excluded == NULL)
			return true;
	return false;
}

/*
 * Where nothing is allowed, or the agent is paused, the arms of the fallback
 * product compete alone, under the same conditions and overrides, unless the
 * call has asked about that product already.
 */
static int
add_fallback(const XsSituation *s, XsCandidate **candidates, int n, XsDecision *d)
{
	bool		isnull = true;
	Datum		product = 0;
	int			offer;

	if (s->policy->fallback != NULL && s->policy->noffers > 0 && s->policy->nchannels > 0)
		product = xs_evaluate(s->program, s->policy->fallback, 0, 0, &isnull);
	if (isnull)
		return n;
	offer = xs_policy_offer(s->policy, TextDatumGetCString(product));
	if (offer < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("fallback product \"%s\" is no offer of agent \"%s\"",
						TextDatumGetCString(product), s->policy->agent),
				 errhint("The expression in xsell.agent.fallback must yield one of the agent's offers, or NULL.")));
	for (int i = 0; i < n; i++)
		if ((*candidates)[i].arm / s->policy->nchannels == offer)
			return n;
	n = xs_candidates_of(s, offer, candidates, n);
	xs_apply_overrides(s, *candidates, n, d);
	if (any_allowed(*candidates, n))
		d->mode = "fallback";
	return n;
}

/* The customer's segment, or NULL; of a long one the first 200 bytes, and no half character. */
static const char *
evaluate_segment(const XsPolicy *policy, XsProgram *program)
{
	bool		isnull = true;
	Datum		value = 0;
	char	   *segment;

	if (policy->segment != NULL && XS_NARMS(policy) > 0)
		value = xs_evaluate(program, policy->segment, 0, 0, &isnull);
	if (isnull)
		return NULL;
	segment = TextDatumGetCString(value);
	segment[pg_mbcliplen(segment, strlen(segment), XS_MAX_SEGMENT)] = '\0';
	return segment;
}

static int
evaluate_candidates(const XsCall *call, const XsChoice *choice, const XsHistory *history,
					XsCandidate **candidates, float4 **shared, XsDecision *d, bool reads)
{
	const XsPolicy *policy = choice->agent->policy;
	XsSituation s = situation_of(call, choice, history);
	float4	   *scratch = palloc0(sizeof(float4) * policy->dim);
	int			n = 0;

	*candidates = NULL;
	*shared = palloc0(sizeof(float4) * policy->dim);
	if (!policy->paused || call->preview)
	{
		n = xs_candidates(&s, candidates);
		xs_apply_overrides(&s, *candidates, n, d);
	}
	if (!any_allowed(*candidates, n) && !call->preview)
		n = add_fallback(&s, candidates, n, d);

	for (int i = 0; i < n; i++)
		if ((*candidates)[i].excluded == NULL)
			encode_tail(policy, choice->program, &(*candidates)[i], scratch);
	if (any_allowed(*candidates, n))
		xs_encode(choice->program, policy, 0, 0, false, *shared);
	if (n > 0)
		d->segment = evaluate_segment(policy, choice->program);
	if (reads)
		d->reads = xs_candidates_reads(&s, *candidates, n);
	return n;
}

int
xs_choice_candidates(const XsCall *call, const XsChoice *choice, const XsHistory *history,
					 XsCandidate **candidates, float4 **shared, XsDecision *d, bool reads)
{
	int			n = 0;

	if (choice->number != choices)
		refuse_nested();
	choosing = true;
	PG_TRY();
	{
		n = evaluate_candidates(call, choice, history, candidates, shared, d, reads);
	}
	PG_FINALLY();
	{
		choosing = false;
	}
	PG_END_TRY();
	return n;
}

/* The salt keeps the draw of arms and the split into cohorts independent. */
const char *
xs_cohort(const XsPolicy *policy, Datum customer_key)
{
	char	   *key;
	uint64		hash;

	if (policy->control_share <= 0)
		return "agent";
	key = xs_key_text(customer_key);
	hash = xs_hash64(key, strlen(key), (uint64) policy->seed);
	return (hash >> 11) * 0x1p-53 < policy->control_share ? "control" : "agent";
}

void
xs_choose(const XsCall *call, const XsChoice *choice, const XsHistory *history, XsDecision *d)
{
	const XsPolicy *policy = choice->agent->policy;
	XsCandidate *candidates = NULL;
	float4	   *shared;

	memset(d, 0, sizeof(XsDecision));
	d->decision_id = xs_new_id();
	d->customer_key = choice->customer_key;
	d->agent = policy->agent;
	d->cohort = xs_cohort(policy, choice->customer_key);
	d->policy_version = policy->version;
	d->model_version = choice->agent->model_version;
	d->encoding = policy->encoding;
	d->request_key = call->request_key;
	d->channel = call->channel;
	d->mode = "none";

	if (policy->draft)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("agent \"%s\" is a draft", policy->agent),
				 errhint("xsell_rank and xsell_why show what it would do; to decide, publish it or set its status to live.")));
	xs_check_asked(policy, call->products, call->channel);
	if (history == NULL)
	{
		d->reason = XS_REASON_BUSY;
		return;
	}
	d->ncandidates = xs_choice_candidates(call, choice, history, &candidates, &shared, d, true);
	d->candidates = candidates;
	xs_score_and_draw(policy, choice->agent->model, shared, candidates, d);
	if (policy->paused && d->product == NULL)
		d->reason = XS_REASON_PAUSED;
}

/* ---- the past ---- */

static void
evaluate_past(const XsChoice *choice, XsCandidate *candidate, float4 *shared, XsDecision *d)
{
	const XsPolicy *policy = choice->agent->policy;
	const XsOffer *offer = XS_ARM_OFFER(policy, candidate->arm);

	candidate->propensity = xs_propensity_of(choice->program, offer, candidate->arm / policy->nchannels,
											 candidate->arm % policy->nchannels);
	encode_tail(policy, choice->program, candidate, palloc0(sizeof(float4) * policy->dim));
	xs_encode(choice->program, policy, 0, 0, false, shared);
	d->segment = evaluate_segment(policy, choice->program);
}

void
xs_choose_past(const XsChoice *choice, int offer, int channel, XsDecision *d)
{
	const XsPolicy *policy = choice->agent->policy;
	XsCandidate *candidate = palloc0(sizeof(XsCandidate));
	float4	   *shared = palloc0(sizeof(float4) * policy->dim);

	memset(d, 0, sizeof(XsDecision));
	candidate->arm = (uint16) (offer * policy->nchannels + channel);
	candidate->value = 1;
	d->customer_key = choice->customer_key;
	d->agent = policy->agent;
	d->policy_version = policy->version;
	d->model_version = choice->agent->model_version;
	d->encoding = policy->encoding;
	d->ncandidates = 1;
	d->candidates = candidate;
	if (choice->number != choices)
		refuse_nested();
	choosing = true;
	PG_TRY();
	{
		evaluate_past(choice, candidate, shared, d);
	}
	PG_FINALLY();
	{
		choosing = false;
	}
	PG_END_TRY();
	xs_score_past(policy, choice->agent->model, shared, candidate, d);
}

/* ---- SQL ---- */

/* What only an offer has: features, what they contributed, forecasts. */
static void
put_arrays(const XsDecision *d, Datum *features, Datum *columns, Datum *addends, Datum *forecasts)
{
	*features = xs_array_of(FLOAT4OID, sizeof(float4), d->dim, d->features);
	*columns = xs_array_of(INT2OID, sizeof(int16), d->ncontributions, d->contribution_columns);
	*addends = xs_array_of(FLOAT4OID, sizeof(float4), d->ncontributions, d->contributions);
	*forecasts = xs_array_of(FLOAT4OID, sizeof(float4), d->nforecasts, d->forecasts);
}

/* The composite type xsell_decision, in the order of its attributes. */
static Datum
decision_datum(FunctionCallInfo fcinfo, const XsDecision *d)
{
	TupleDesc	desc;
	Datum		values[26];
	bool		nulls[26] = {false};
	bool		offer = d->product != NULL;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "xsell_choose must return xsell_decision");

	values[0] = Int64GetDatum(d->decision_id);
	values[1] = CStringGetTextDatum(xs_key_text(d->customer_key));
	values[2] = CStringGetTextDatum(d->agent);
	values[3] = CStringGetTextDatum(d->cohort);
	values[4] = offer ? CStringGetTextDatum(d->product) : (Datum) 0;
	values[5] = d->channel != NULL ? CStringGetTextDatum(d->channel) : (Datum) 0;
	values[6] = Float8GetDatum(d->probability);
	values[7] = Float8GetDatum(d->expected);
	values[8] = Float4GetDatum(d->value);
	values[9] = Float4GetDatum(d->cost);
	values[10] = BoolGetDatum(d->awaits_delivery);
	values[11] = CStringGetTextDatum(d->mode);
	values[12] = CStringGetTextDatum(d->reason);
	values[13] = Int32GetDatum(d->policy_version);
	values[14] = Int64GetDatum(d->model_version);
	values[15] = Int32GetDatum(d->encoding);
	values[16] = Float8GetDatum(d->linear_predictor);
	values[18] = xs_candidates_pack(d->ncandidates, d->candidates);
	put_arrays(d, &values[17], &values[19], &values[20], &values[22]);
	values[21] = d->segment == NULL ? (Datum) 0 : CStringGetTextDatum(d->segment);
	values[23] = d->noverrides == 0 ? (Datum) 0 : xs_array_of_texts(d->noverrides, d->overrides);
	values[24] = JsonbPGetDatum(d->reads);
	values[25] = d->request_key == NULL ? (Datum) 0 : CStringGetTextDatum(d->request_key);
	nulls[4] = nulls[6] = nulls[7] = nulls[8] = nulls[9] = nulls[16] = nulls[17] = nulls[19] = nulls[20] = nulls[22] = !offer;
	nulls[5] = d->channel == NULL;
	nulls[21] = d->segment == NULL;
	nulls[23] = d->noverrides == 0;
	nulls[24] = d->reads == NULL;
	nulls[25] = d->request_key == NULL;
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * xsell_choose(customer record, products text[], agent text, channel text, context jsonb,
 *				request_key text) RETURNS xsell_decision
 *
 * The decision that xsell_decide would make now, as the snapshot sees contacts;
 * nothing is written. To make it count, hand it to xsell_record.
 */
Datum
xsell_choose(PG_FUNCTION_ARGS)
{
	XsCall		call;
	XsChoice	choice;
	XsHistory	history;
	XsDecision	decision;
	Datum		result;

	xs_read_call(fcinfo, (XsArguments) {.request_key = 5,.call_mode = 6,.at = -1}, &call);
	xs_begin_choice(&call, &choice);
	xs_read_history(&choice, &history);
	xs_choose(&call, &choice, &history, &decision);
	result = decision_datum(fcinfo, &decision);
	xs_end_choice(&choice);
	PG_RETURN_DATUM(result);
}
