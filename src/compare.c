/*
 * compare.c: two refits on the same decisions: xsell_compare and xsell_policy_distance.
 *
 * The last decisions of the present layout are scored again, with their logged
 * features and exclusions, under both; nothing is drawn or written.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "journal/journal.h"
#include "math/special.h"
#include "policy/cache.h"
#include "policy/model.h"
#include "score.h"

PG_FUNCTION_INFO_V1(xsell_compare);
PG_FUNCTION_INFO_V1(xsell_policy_distance);

/* The last decisions with an offer, from which features can be read. */
static XsStatement last_decisions = {
	.relation = "decision",
	.sql = "SELECT d.decision_id FROM xsell.decision d"
	" WHERE d.agent OPERATOR(pg_catalog.=) $1 AND d.encoding OPERATOR(pg_catalog.=) $2"
	"   AND d.policy_version OPERATOR(pg_catalog.=) ANY ($4)"
	"   AND d.product IS NOT NULL AND d.cohort OPERATOR(pg_catalog.=) 'agent'"
	" ORDER BY d.decision_id DESC LIMIT $3",
	.nargs = 4,
	.argtypes = {TEXTOID, INT4OID, INT4OID, INT4ARRAYOID}
};

/* The versions whose arms and layout are those of the present one. */
static XsStatement like_versions = {
	.relation = "policy",
	.sql = "SELECT ARRAY(SELECT p.policy_version FROM xsell.policy p, xsell.policy c"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1 AND c.agent OPERATOR(pg_catalog.=) $1 AND c.policy_version OPERATOR(pg_catalog.=) $2"
	"   AND p.definition OPERATOR(pg_catalog.->) 'arms' OPERATOR(pg_catalog.=) (c.definition OPERATOR(pg_catalog.->) 'arms')"
	"   AND p.definition OPERATOR(pg_catalog.->) 'layout' OPERATOR(pg_catalog.=) (c.definition OPERATOR(pg_catalog.->) 'layout'))",
	.nargs = 2,
	.argtypes = {TEXTOID, INT4OID}
};

/* Sums over decisions, by offer and in all. */
typedef struct OfferSum
{
	int64		candidates;
	double		expected[2];
	double		difference;
	double		probability[2];
} OfferSum;

typedef struct Comparison
{
	const XsPolicy *policy;
	XsModel    *model[2];		/* the refit, and the one it is compared with */
	OfferSum   *offers;
	int64		decisions;
	double		distance;
	double		largest;
	double		divergence;
	int64		other_best;
} Comparison;

static Datum
versions_like(const XsPolicy *policy)
{
	Datum		values[] = {CStringGetTextDatum(policy->agent), Int32GetDatum(policy->version)};
	bool		isnull;

	xs_execute(&like_versions, values, NULL, XS_READ, 1);
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
}

static int
best_of(const XsDecision *d, const XsCandidate *candidates, const double *expected)
{
	int			best = -1;

	for (int i = 0; i < d->ncandidates; i++)
		if (candidates[i].excluded == NULL && (best < 0 || expected[i] > expected[best]))
			best = i;
	return best;
}

/* Probabilities and expected rewards of the decision's candidates under one of the models. */
static XsCandidate *
score_with(const Comparison *c, int side, const XsDecision *d, double *expected)
{
	XsCandidate *candidates = palloc(sizeof(XsCandidate) * d->ncandidates);
	float4	   *shared = palloc0(sizeof(float4) * c->policy->dim);

	memcpy(candidates, d->candidates, sizeof(XsCandidate) * d->ncandidates);
	memcpy(shared, d->features, sizeof(float4) * d->dim);
	xs_score_only(c->policy, c->model[side], shared, xs_id_time(d->decision_id), candidates, d, expected);
	return candidates;
}

static void
compare_decision(Comparison *c, const XsDecision *d)
{
	double	   *expected[2];
	XsCandidate *scored[2];
	double		distance = 0;

	for (int side = 0; side < 2; side++)
	{
		expected[side] = palloc(sizeof(double) * d->ncandidates);
		scored[side] = score_with(c, side, d, expected[side]);
	}
	for (int i = 0; i < d->ncandidates; i++)
	{
		OfferSum   *sum = &c->offers[d->candidates[i].arm / c->policy->nchannels];
		double		p = scored[0][i].probability;
		double		q = scored[1][i].probability;

		if (d->candidates[i].excluded != NULL)
			continue;
		sum->candidates++;
		sum->difference += fabs(expected[0][i] - expected[1][i]);
		for (int side = 0; side < 2; side++)
		{
			sum->expected[side] += expected[side][i];
			sum->probability[side] += scored[side][i].probability;
		}
		distance += fabs(p - q) / 2;
		if (p > 0)
			c->divergence += p * xs_log(p / q);
	}
	c->decisions++;
	c->distance += distance;
	c->largest = Max(c->largest, distance);
	c->other_best += best_of(d, scored[0], expected[0]) != best_of(d, scored[1], expected[1]);
}

static void
compare_last(Comparison *c, int decisions)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "xsell comparison", ALLOCSET_DEFAULT_SIZES);
	Datum		values[] = {
		CStringGetTextDatum(c->policy->agent), Int32GetDatum(c->policy->encoding), Int32GetDatum(decisions), versions_like(c->policy)
	};
	uint64		n = xs_execute(&last_decisions, values, NULL, XS_READ, 0);
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(context);
		XsDecision	d;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (xs_read_decision(DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)), XS_READ, &d))
			compare_decision(c, &d);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
}

/* (agent text, refit bigint, against bigint, decisions integer) */
static void
compare(FunctionCallInfo fcinfo, Comparison *c)
{
	XsAgent    *agent;

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i) && i != 2)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", i == 0 ? "agent" : i == 1 ? "refit" : "decisions")));
	if (PG_GETARG_INT32(3) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("decisions must be at least 1")));
	xs_journal_key_type();		/* an error if there is no journal */
	agent = xs_agent(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	c->policy = agent->policy;
	c->offers = palloc0(sizeof(OfferSum) * Max(c->policy->noffers, 1));
	c->model[0] = xs_model_create(c->policy, CurrentMemoryContext);
	xs_model_load_refit(c->model[0], PG_GETARG_INT64(1));
	if (PG_ARGISNULL(2))
		c->model[1] = agent->model;
	else
	{
		c->model[1] = xs_model_create(c->policy, CurrentMemoryContext);
		xs_model_load_refit(c->model[1], PG_GETARG_INT64(2));
	}
	SPI_connect();
	compare_last(c, PG_GETARG_INT32(3));
	SPI_finish();
}

/*
 * xsell_compare(agent text, refit bigint, against bigint, decisions integer)
 *		RETURNS TABLE (product, candidates, expected, expected_against, difference, share, share_against)
 *
 * By product, over the last decisions in which it was allowed: mean expected
 * reward under either, mean absolute difference, mean probability under either.
 */
Datum
xsell_compare(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Comparison	c = {0};

	compare(fcinfo, &c);
	xs_materialize(fcinfo);
	for (int o = 0; o < c.policy->noffers; o++)
	{
		const OfferSum *sum = &c.offers[o];
		double		n = Max(sum->candidates, 1);
		Datum		values[] = {
			CStringGetTextDatum(c.policy->offers[o].product), Int64GetDatum(sum->candidates),
			Float8GetDatum(sum->expected[0] / n), Float8GetDatum(sum->expected[1] / n), Float8GetDatum(sum->difference / n),
			Float8GetDatum(sum->probability[0] / n), Float8GetDatum(sum->probability[1] / n)
		};
		bool		none = sum->candidates == 0;
		bool		nulls[] = {false, false, none, none, none, none, none};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * xsell_policy_distance(agent text, refit bigint, against bigint, decisions integer)
 *		RETURNS (decisions, mean, largest, divergence, other_best)
 *
 * Between the action probabilities p under the refit and q under the other: mean
 * and largest total variation sum |p - q| / 2, mean Kullback-Leibler divergence
 * sum p log(p/q), share of the decisions whose best arm is another.
 */
Datum
xsell_policy_distance(PG_FUNCTION_ARGS)
{
	Comparison	c = {0};
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false};
	double		n;

	compare(fcinfo, &c);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "xsell_policy_distance must return a row");
	n = Max(c.decisions, 1);
	values[0] = Int64GetDatum(c.decisions);
	values[1] = Float8GetDatum(c.distance / n);
	values[2] = Float8GetDatum(c.largest);
	values[3] = Float8GetDatum(c.divergence / n);
	values[4] = Float8GetDatum(c.other_best / n);
	for (int i = 1; i < 5; i++)
		nulls[i] = c.decisions == 0;
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
