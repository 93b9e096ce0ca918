/*
 * rank.c: all candidates of a decision, and why not the others: xsell_rank and
 * xsell_why.  Nothing is written.
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"

#include "choose.h"
#include "compat.h"
#include "policy/candidates.h"
#include "policy/expression.h"
#include "score.h"

PG_FUNCTION_INFO_V1(xsell_rank);
PG_FUNCTION_INFO_V1(xsell_why);
PG_FUNCTION_INFO_V1(xsell_why_decision);

/* Candidates with their probabilities, as the decision would have them. */
typedef struct Ranking
{
	XsChoice	choice;
	int			n;
	XsCandidate *candidates;
	double	   *expected;
} Ranking;

static void
rank(XsCall *call, Ranking *r)
{
	XsHistory	history;
	XsDecision	d;
	const XsPolicy *policy;
	float4	   *shared;

	call->preview = true;
	memset(&d, 0, sizeof(d));
	xs_begin_choice(call, &r->choice);
	policy = r->choice.agent->policy;
	xs_read_history(&r->choice, &history);
	r->n = xs_choice_candidates(call, &r->choice, &history, &r->candidates, &shared, &d, false);
	for (int i = 0; i < r->n && policy->paused; i++)
		if (r->candidates[i].excluded == NULL)
		{
			r->candidates[i].excluded = "paused";
			r->candidates[i].propensity = NAN;
		}
	r->expected = palloc(sizeof(double) * Max(r->n, 1));
	d.cohort = xs_cohort(policy, r->choice.customer_key);
	d.ncandidates = r->n;
	xs_score_only(policy, r->choice.agent->model, shared, r->choice.now, r->candidates, &d, r->expected);
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
 * xsell_rank(customer record, products text[], agent text, channel text, context jsonb,
 *			  call_mode text, at timestamptz)
 *		RETURNS TABLE (product, channel, probability, expected, mean, sd, propensity, excluded)
 *
 * Every candidate of the decision that xsell_decide would make now, or at another
 * time, with its probability or the reason of its exclusion.
 */
Datum
xsell_rank(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	XsCall		call;
	Ranking		r;

	xs_materialize(fcinfo);
	xs_read_call(fcinfo, (XsArguments) {.request_key = -1,.call_mode = 5,.at = 6}, &call);
	rank(&call, &r);
	for (int i = 0; i < r.n; i++)
		put_ranked(rsinfo, r.choice.agent->policy, &r.candidates[i], r.expected[i]);
	xs_end_choice(&r.choice);
	return (Datum) 0;
}

/* ---- why not ---- */

static void
put_why(ReturnSetInfo *rsinfo, const XsPolicy *policy, const XsCandidate *c, const XsExpression *expression,
		Jsonb *reads)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = CStringGetTextDatum(XS_ARM_OFFER(policy, c->arm)->product);
	values[1] = CStringGetTextDatum(XS_ARM_CHANNEL(policy, c->arm)->channel);
	values[2] = Float8GetDatum(c->probability);
	values[3] = c->excluded == NULL ? (Datum) 0 : CStringGetTextDatum(c->excluded);
	values[4] = expression == NULL ? (Datum) 0 : CStringGetTextDatum(expression->text);
	values[5] = JsonbPGetDatum(reads);
	nulls[3] = c->excluded == NULL;
	nulls[4] = expression == NULL;
	nulls[5] = reads == NULL;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static const XsExpression *
expression_of(const XsPolicy *policy, const XsCandidate *c)
{
	return c->excluded == NULL ? NULL : xs_reason_expression(policy, c->arm, c->excluded);
}

/*
 * xsell_why(customer record, product text, agent text, channel text, context jsonb,
 *			 call_mode text, at timestamptz)
 *		RETURNS TABLE (product, channel, probability, excluded, expression, reads)
 *
 * Whether a product could be offered to the customer, through each channel, and
 * if not, the first condition that failed, its expression, and what it read.
 * product NULL: all products.
 */
Datum
xsell_why(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const XsPolicy *policy;
	XsProgram  *program;
	XsCall		call;
	Ranking		r;
	int			offer = -1;

	xs_materialize(fcinfo);
	xs_read_call(fcinfo, (XsArguments) {.request_key = -1,.call_mode = 5,.at = 6,.product = true}, &call);
	rank(&call, &r);
	policy = r.choice.agent->policy;
	program = r.choice.program;
	if (call.product != NULL)
	{
		offer = xs_policy_offer(policy, call.product);
		if (offer < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("agent \"%s\" has no offer of product \"%s\"", policy->agent, call.product),
					 errhint("Offers are rows of table xsell.offer.")));
	}
	for (int i = 0; i < r.n; i++)
	{
		const XsCandidate *c = &r.candidates[i];
		const XsExpression *expression = expression_of(policy, c);
		int			o = c->arm / policy->nchannels;

		if (offer < 0 || offer == o)
			put_why(rsinfo, policy, c, expression,
					expression == NULL ? NULL : xs_reads_json(program, expression->reads));
	}
	xs_end_choice(&r.choice);
	return (Datum) 0;
}

/* Of all that a decision noted, what this expression names. */
static Jsonb *
reads_of(const XsExpression *expression, Jsonb *all)
{
	JsonbParseState *state = NULL;
	ListCell   *lc;
	int			n = 0;

	if (all == NULL)
		return NULL;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, expression->reads)
	{
		char	   *name = lfirst(lc);
		JsonbValue *value = getKeyJsonValueFromContainer(&all->root, name, strlen(name), NULL);
		JsonbValue	key;

		if (value == NULL)
			continue;
		key.type = jbvString;
		key.val.string.val = name;
		key.val.string.len = strlen(name);
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, value);
		n++;
	}
	return n == 0 ? NULL : JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * xsell_why(decision_id bigint)
 *		RETURNS TABLE (product, channel, probability, excluded, expression, reads)
 *
 * The same for a decision of the past, as it was then.
 */
Datum
xsell_why_decision(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	XsDecision	d;
	XsPolicy   *policy;

	xs_materialize(fcinfo);
	if (!xs_read_decision(PG_GETARG_INT64(0), XS_READ, &d) ||
		(policy = xs_policy_version(d.agent, d.policy_version)) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("decision " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
				 errhint("Decisions are rows of xsell.decision; the statement that makes one does not see it yet.")));
	for (int i = 0; i < d.ncandidates; i++)
	{
		const XsCandidate *c = &d.candidates[i];
		const XsExpression *expression;

		if (c->arm >= XS_NARMS(policy))
			continue;
		expression = expression_of(policy, c);
		put_why(rsinfo, policy, c, expression, expression == NULL ? NULL : reads_of(expression, d.reads));
	}
	MemoryContextDelete(policy->context);
	return (Datum) 0;
}
