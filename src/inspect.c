/*
 * inspect.c: an agent's models as rows: xsell_models, xsell_model_coefficients,
 * xsell_segment_rates; and the arithmetic of alerts.
 *
 * They show the models that decisions are made with, not a second computation.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "journal/journal.h"
#include "math/special.h"
#include "model/change.h"
#include "model/ramp.h"
#include "policy/cache.h"
#include "policy/model.h"
#include "types/types.h"

#define NORMAL_95 1.959963984540054

PG_FUNCTION_INFO_V1(xsell_models);
PG_FUNCTION_INFO_V1(xsell_model_coefficients);
PG_FUNCTION_INFO_V1(xsell_segment_rates);
PG_FUNCTION_INFO_V1(xsell_spread);
PG_FUNCTION_INFO_V1(xsell_change);

static XsAgent *
agent_of(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("agent must not be null")));
	xs_journal_key_type();		/* an error if there is no journal */
	return xs_agent(text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

static void
put(ReturnSetInfo *rsinfo, Datum *values, bool *nulls)
{
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static const char *
oracle_name(const XsPolicy *policy, int forecaster)
{
	return forecaster == XS_FORECAST_GLOBAL ? "beta" : forecaster == XS_FORECAST_SEGMENT ? "segment"
		: policy->oracle->name;
}

/* The products that share part of this one's prior. */
static ArrayType *
similar_products(const XsAgent *agent, int offer)
{
	Datum	   *names = palloc(sizeof(Datum) * agent->policy->noffers);
	int			n = 0;

	for (int o = 0; o < agent->policy->noffers; o++)
		if (xs_model_shares(agent->model, offer, o))
			names[n++] = CStringGetTextDatum(agent->policy->offers[o].product);
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * xsell_models(agent text) RETURNS TABLE (product, oracle, learned, rate, trust, harm,
 *		gain_beta, gain_segment, gain_contextual, ramp, similar_to)
 */
Datum
xsell_models(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	XsAgent    *agent = agent_of(fcinfo);
	const XsPolicy *policy = agent->policy;

	xs_materialize(fcinfo);
	for (int o = 0; o < policy->noffers; o++)
	{
		const XsOffer *offer = &policy->offers[o];
		XsModelState state;
		Datum		values[11];
		bool		nulls[11] = {false};
		double		trials;

		xs_model_state(agent->model, o, &state);
		trials = xs_unfixed(state.beta->trials);
		values[0] = CStringGetTextDatum(offer->product);
		values[1] = CStringGetTextDatum(oracle_name(policy, state.forecaster));
		values[2] = Int64GetDatum((int64) xs_model_learned(agent->model, o));
		nulls[3] = trials == 0;
		values[3] = Float8GetDatum(trials == 0 ? 0 : xs_unfixed(state.beta->successes) / trials);
		nulls[4] = offer->propensity == NULL;
		values[4] = Float8GetDatum(state.trust);
		values[5] = Float8GetDatum(xs_model_harm(agent->model, o));
		nulls[6] = nulls[7] = nulls[8] = policy->choice != XS_CHOICE_AUTO;
		values[6] = Float8GetDatum(state.gain[XS_FORECAST_GLOBAL]);
		values[7] = Float8GetDatum(state.gain[XS_FORECAST_SEGMENT]);
		values[8] = Float8GetDatum(state.gain[XS_FORECAST_CONTEXTUAL]);
		nulls[9] = offer->ramp_share >= 1;
		values[9] = Float8GetDatum(xs_ramp_limit(offer->ramp_share, xs_model_learned(agent->model, o), offer->ramp_until));
		values[10] = PointerGetDatum(similar_products(agent, o));
		put(rsinfo, values, nulls);
	}
	return (Datum) 0;
}

/* The agent's model in effect, or with another refit. */
static const XsModel *
model_with(XsAgent *agent, bool in_effect, int64 refit)
{
	XsModel    *model;

	if (in_effect)
		return agent->model;
	model = xs_model_create(agent->policy, CurrentMemoryContext);
	xs_model_load_refit(model, refit);
	return model;
}

/*
 * xsell_model_coefficients(agent text, refit bigint)
 *		RETURNS TABLE (product, feature, mean, sd, lower, upper, spread, importance)
 *
 * Posterior mean, standard deviation and central 95 % interval of each
 * coefficient of the linear predictor; spread: the standard deviation of the
 * feature among the decisions learned, NULL without any; importance: |mean| times
 * that.  refit NULL: the model in effect.
 */
Datum
xsell_model_coefficients(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	XsAgent    *agent = agent_of(fcinfo);
	const XsPolicy *policy = agent->policy;
	const XsModel *model = model_with(agent, PG_ARGISNULL(1), PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1));
	double	   *mean = palloc(sizeof(double) * policy->dim);
	double	   *sd = palloc(sizeof(double) * policy->dim);

	xs_materialize(fcinfo);
	for (int o = 0; o < policy->noffers && policy->oracle->needs_features; o++)
	{
		const double *spread = xs_model_spread(model, o);

		CHECK_FOR_INTERRUPTS();
		xs_model_coefficients(model, o, mean, sd);
		for (int i = 0; i < policy->dim; i++)
		{
			Datum		values[8];
			bool		nulls[8] = {false};

			values[0] = CStringGetTextDatum(policy->offers[o].product);
			values[1] = CStringGetTextDatum(xs_column_name(policy, i));
			values[2] = Float8GetDatum(mean[i]);
			values[3] = Float8GetDatum(sd[i]);
			values[4] = Float8GetDatum(mean[i] - NORMAL_95 * sd[i]);
			values[5] = Float8GetDatum(mean[i] + NORMAL_95 * sd[i]);
			nulls[6] = nulls[7] = spread == NULL;
			values[6] = Float8GetDatum(spread == NULL ? 0 : spread[i]);
			values[7] = Float8GetDatum(spread == NULL ? 0 : fabs(mean[i]) * spread[i]);
			put(rsinfo, values, nulls);
		}
	}
	return (Datum) 0;
}

/*
 * xsell_segment_rates(agent text)
 *		RETURNS TABLE (segment, product, rate, lower, upper)
 *
 * What the segment oracle believes of each product in each segment that was
 * seen; lower and upper: central 95 % interval, by the normal distribution of
 * the logit.  Without a customer, the prior rate stands for a propensity.
 */
Datum
xsell_segment_rates(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	XsAgent    *agent = agent_of(fcinfo);
	const XsPolicy *policy = agent->policy;

	xs_materialize(fcinfo);
	for (int s = 0; s < xs_model_nsegments(agent->model); s++)
		for (int o = 0; o < policy->noffers; o++)
		{
			XsPrediction p;
			Datum		values[5];
			bool		nulls[5] = {false};
			double		sd;

			xs_model_predict_segment(agent->model, o, s, &p);
			sd = sqrt(p.variance);
			values[0] = CStringGetTextDatum(xs_model_segment_name(agent->model, s));
			values[1] = CStringGetTextDatum(policy->offers[o].product);
			values[2] = Float8GetDatum(p.rate);
			values[3] = Float8GetDatum(xs_expit(p.mean - NORMAL_95 * sd));
			values[4] = Float8GetDatum(xs_expit(p.mean + NORMAL_95 * sd));
			put(rsinfo, values, nulls);
		}
	return (Datum) 0;
}

/*
 * xsell_spread(state xsell_glm) RETURNS float8[]
 *
 * Standard deviation of each column, see xs_glm_variance; zeros without observations.
 */
Datum
xsell_spread(PG_FUNCTION_ARGS)
{
	const XsGlm *glm = xs_glm_detoast(PG_GETARG_DATUM(0));
	Datum	   *elements = palloc(sizeof(Datum) * glm->dim);

	for (int i = 0; i < glm->dim; i++)
		elements[i] = Float8GetDatum(sqrt(xs_glm_variance(glm, i)));
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, glm->dim, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
										  TYPALIGN_DOUBLE));
}

#define MOST_PERIODS 10000		/* the time that xs_change takes grows with their square */

/* The elements of an array of numbers >= 0. */
static const double *
numbers(ArrayType *array, const char *what, int *n)
{
	const double *values = (const double *) ARR_DATA_PTR(array);

	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array without nulls", what)));
	if (*n > MOST_PERIODS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s must not have more than %d elements", what, MOST_PERIODS)));
	for (int i = 0; i < *n; i++)
		if (!(values[i] >= 0 && values[i] <= 1e300))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("%s must be finite and not negative", what)));
	return values;
}

/*
 * xsell_change(outcomes float8[], forecasts float8[]) RETURNS (factor, since, ratio_before, ratio_after)
 *
 * The Bayes factor of a change of outcomes against their forecasts, by period in
 * order of time, see model/change.h; since: the likeliest first period after it,
 * from 0, NULL with fewer than two periods; the ratios are of outcomes to
 * forecasts, NULL where these are 0.
 */
Datum
xsell_change(PG_FUNCTION_ARGS)
{
	int			n;
	int			m;
	const double *outcomes = numbers(PG_GETARG_ARRAYTYPE_P(0), "outcomes", &n);
	const double *forecasts = numbers(PG_GETARG_ARRAYTYPE_P(1), "forecasts", &m);
	XsPeriod   *periods = palloc(sizeof(XsPeriod) * Max(n, 1));
	XsChange	change;
	TupleDesc	desc;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (n != m)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d outcomes and %d forecasts", n, m)));
	for (int i = 0; i < n; i++)
		periods[i] = (XsPeriod) {outcomes[i], forecasts[i]};
	xs_change(periods, n, &change);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "xsell_change must return a row");
	values[0] = Float8GetDatum(change.factor);
	values[1] = Int32GetDatum(change.since);
	nulls[1] = change.since < 0;
	values[2] = Float8GetDatum(change.before.outcomes / change.before.forecasts);
	nulls[2] = change.before.forecasts == 0;
	values[3] = Float8GetDatum(change.after.outcomes / change.after.forecasts);
	nulls[3] = change.after.forecasts == 0;
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
