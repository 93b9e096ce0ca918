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
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "choose.h"
#include "compat.h"
#include "math/random.h"
#include "policy/candidates.h"
#include "score.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(xsell_choose);
PG_FUNCTION_INFO_V1(xsell_rank);

/* ---- arguments ---- */

void
xs_read_call(FunctionCallInfo fcinfo, XsCall *call)
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
	call->products = PG_ARGISNULL(1) ? NULL : PG_GETARG_ARRAYTYPE_P(1);
	call->agent = PG_ARGISNULL(2) ? xs_agent_for(call->row_type) : text_to_cstring(PG_GETARG_TEXT_PP(2));
	call->channel = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	call->context = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	if (PG_NARGS() > 5 && !PG_ARGISNULL(5))
		call->request_key = text_to_cstring(PG_GETARG_TEXT_PP(5));
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
	choice->now = xs_now();
	choice->agent = xs_agent(call->agent);
	choice->program = xs_agent_program(choice->agent, call->row_type, call->row_typmod);
	xs_program_row(choice->program, call->row,
				   call->context == NULL ? (Datum) 0 : JsonbPGetDatum(call->context), call->context == NULL);

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

/* Features that depend on the arm, and its propensity, which comes last. */
static void
encode_tail(const XsPolicy *policy, XsProgram *program, XsCandidate *candidate, float4 *scratch)
{
	int			nshared = policy->dim - policy->ntail;
	float4	   *tail = palloc0(sizeof(float4) * Max(policy->ntail, 1));

	xs_encode(program, policy, candidate->arm / policy->nchannels, candidate->arm % policy->nchannels,
			  true, scratch);
	memcpy(tail, scratch + nshared, sizeof(float4) * policy->ntail);
	if (policy->prior.has_propensity && !isnan(candidate->propensity))
		tail[policy->ntail - 1] = (float4) xs_propensity_feature(candidate->propensity);
	candidate->ntail = policy->ntail;
	candidate->tail = tail;
}

static int
evaluate_candidates(const XsCall *call, const XsChoice *choice, const XsContacts *contacts,
					XsCandidate **candidates, float4 **shared)
{
	const XsPolicy *policy = choice->agent->policy;
	int			n = xs_candidates(policy, choice->program, call->products, call->channel, contacts,
								  choice->now, candidates);
	bool		any = false;
	float4	   *scratch = palloc0(sizeof(float4) * policy->dim);

	*shared = palloc0(sizeof(float4) * policy->dim);
	for (int i = 0; i < n; i++)
		if ((*candidates)[i].excluded == NULL)
		{
			any = true;
			encode_tail(policy, choice->program, &(*candidates)[i], scratch);
		}
	if (any)
		xs_encode(choice->program, policy, 0, 0, false, *shared);
	return n;
}

int
xs_choice_candidates(const XsCall *call, const XsChoice *choice, const XsContacts *contacts,
					 XsCandidate **candidates, float4 **shared)
{
	int			n = 0;

	if (choice->number != choices)
		refuse_nested();
	choosing = true;
	PG_TRY();
	{
		n = evaluate_candidates(call, choice, contacts, candidates, shared);
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
xs_choose(const XsCall *call, const XsChoice *choice, const XsContacts *contacts, XsDecision *d)
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

	if (policy->paused || contacts == NULL)
	{
		xs_check_asked(policy, call->products, call->channel);
		d->reason = policy->paused ? XS_REASON_PAUSED : XS_REASON_BUSY;
	}
	else
	{
		d->ncandidates = xs_choice_candidates(call, choice, contacts, &candidates, &shared);
		d->candidates = candidates;
		xs_score_and_draw(policy, choice->agent->model, shared, candidates, d);
	}
}

/* ---- SQL ---- */

/* The composite type xsell_decision, in the order of its attributes. */
static Datum
decision_datum(FunctionCallInfo fcinfo, const XsDecision *d)
{
	TupleDesc	desc;
	Datum		values[19];
	bool		nulls[19] = {false};
	bool		offer = d->product != NULL;
	Datum	   *x = palloc(sizeof(Datum) * Max(d->dim, 1));
	Datum		columns[lengthof(d->contributions)];
	Datum		addends[lengthof(d->contributions)];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "xsell_choose must return xsell_decision");
	for (int i = 0; i < d->dim; i++)
		x[i] = Float4GetDatum(d->features[i]);
	for (int i = 0; i < d->ncontributions; i++)
	{
		columns[i] = Int16GetDatum(d->contribution_columns[i]);
		addends[i] = Float4GetDatum(d->contributions[i]);
	}

	values[0] = Int64GetDatum(d->decision_id);
	values[1] = CStringGetTextDatum(xs_key_text(d->customer_key));
	values[2] = CStringGetTextDatum(d->agent);
	values[3] = CStringGetTextDatum(d->cohort);
	values[4] = offer ? CStringGetTextDatum(d->product) : (Datum) 0;
	values[5] = d->channel != NULL ? CStringGetTextDatum(d->channel) : (Datum) 0;
	values[6] = Float8GetDatum(d->probability);
	values[7] = Float8GetDatum(d->expected);
	values[8] = CStringGetTextDatum(d->mode);
	values[9] = CStringGetTextDatum(d->reason);
	values[10] = Int32GetDatum(d->policy_version);
	values[11] = Int64GetDatum(d->model_version);
	values[12] = Int32GetDatum(d->encoding);
	values[13] = Float8GetDatum(d->linear_predictor);
	values[14] = PointerGetDatum(construct_array(x, d->dim, FLOAT4OID, 4, true, TYPALIGN_INT));
	values[15] = xs_candidates_pack(d->ncandidates, d->candidates);
	values[16] = PointerGetDatum(construct_array(columns, d->ncontributions, INT2OID, 2, true, TYPALIGN_SHORT));
	values[17] = PointerGetDatum(construct_array(addends, d->ncontributions, FLOAT4OID, 4, true, TYPALIGN_INT));
	nulls[5] = d->channel == NULL;
	nulls[4] = nulls[6] = nulls[7] = nulls[13] = nulls[14] = nulls[16] = nulls[17] = !offer;
	nulls[18] = d->request_key == NULL;
	values[18] = nulls[18] ? (Datum) 0 : CStringGetTextDatum(d->request_key);
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
	XsContacts	contacts;
	XsDecision	decision;
	Datum		result;

	xs_read_call(fcinfo, &call);
	xs_begin_choice(&call, &choice);
	xs_contact_read(choice.customer_key, &contacts);
	xs_choose(&call, &choice, &contacts, &decision);
	result = decision_datum(fcinfo, &decision);
	xs_end_choice(&choice);
	PG_RETURN_DATUM(result);
}

static void
put_ranked(ReturnSetInfo *rsinfo, const XsPolicy *policy, const XsCandidate *c, double expected)
{
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = CStringGetTextDatum(XS_ARM_OFFER(policy, c->arm)->product);
	values[1] = CStringGetTextDatum(XS_ARM_CHANNEL(policy, c->arm)->channel);
	values[2] = Float8GetDatum(c->probability);
	values[3] = Float8GetDatum(expected);
	values[4] = Float4GetDatum(c->mean);
	values[5] = Float4GetDatum(c->sd);
	values[6] = Float8GetDatum(c->propensity);
	values[7] = c->excluded == NULL ? (Datum) 0 : CStringGetTextDatum(c->excluded);
	nulls[3] = nulls[4] = nulls[5] = c->excluded != NULL;
	nulls[6] = isnan(c->propensity);
	nulls[7] = c->excluded == NULL;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * xsell_rank(customer record, products text[], agent text, channel text, context jsonb)
 *		RETURNS TABLE (product, channel, probability, expected, mean, sd, propensity, excluded)
 *
 * Every candidate of the decision that xsell_decide would make now, with its
 * probability or the reason of its exclusion. Writes nothing.
 */
Datum
xsell_rank(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	XsCall		call;
	XsChoice	choice;
	XsContacts	contacts;
	XsCandidate *candidates;
	const XsPolicy *policy;
	float4	   *shared;
	double	   *expected;
	int			n;

	xs_materialize(fcinfo);
	xs_read_call(fcinfo, &call);
	xs_begin_choice(&call, &choice);
	policy = choice.agent->policy;
	xs_contact_read(choice.customer_key, &contacts);
	n = xs_choice_candidates(&call, &choice, &contacts, &candidates, &shared);
	for (int i = 0; i < n && policy->paused; i++)
		candidates[i].excluded = "paused";
	expected = palloc(sizeof(double) * Max(n, 1));
	xs_score_only(policy, choice.agent->model, shared, xs_cohort(policy, choice.customer_key),
				  candidates, n, expected);
	for (int i = 0; i < n; i++)
		put_ranked(rsinfo, policy, &candidates[i], expected[i]);
	xs_end_choice(&choice);
	return (Datum) 0;
}
