/*
 * score_aggregate.c: transition and combine functions of the xsell_score aggregates.
 *
 * They change their state in place when an aggregate calls them; called as
 * ordinary functions they leave their arguments alone.
 */
#include "postgres.h"

#include "types.h"

PG_FUNCTION_INFO_V1(xsell_score_add);
PG_FUNCTION_INFO_V1(xsell_score_add_weighted);
PG_FUNCTION_INFO_V1(xsell_score_merge);

/* The first argument as a state to change: an aggregate's own, or a copy; zero if it is NULL. */
static XsScore *
score_to_change(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		return palloc0(sizeof(XsScore));
	if (AggCheckCallContext(fcinfo, NULL))
	{
		xs_score_arg(PG_GETARG_DATUM(0));
		return (XsScore *) PG_GETARG_POINTER(0);
	}
	return (XsScore *) DatumGetPointer(xs_score_datum(xs_score_arg(PG_GETARG_DATUM(0))));
}

static Datum
score_add(FunctionCallInfo fcinfo, double reward, double weight)
{
	XsScore    *state = score_to_change(fcinfo);
	float		forecasts[XS_FORECASTERS];
	int			nforecasts = xs_check_forecasts(PG_GETARG_ARRAYTYPE_P(1), forecasts);

	xs_check_reward(reward, XS_LOGIT);
	xs_check_weight(weight);
	xs_check_status(xs_score_observe(state, forecasts, nforecasts, reward, weight, 1), "xsell_score");
	PG_RETURN_POINTER(state);
}

/* The unchanged first argument, for rows that an aggregate skips. */
static Datum
first_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/*
 * The state with one more observation of weight 1.  forecasts: at most 4 numbers
 * in [0,1], NULL or NaN where there is none; reward in [0,1].  A NULL state is an
 * empty one; NULL forecasts or reward leave the state as it is.  Errors: another
 * shape of array, forecast or reward out of range, overflow.
 */
Datum
xsell_score_add(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return first_argument(fcinfo);
	return score_add(fcinfo, PG_GETARG_FLOAT8(2), 1.0);
}

/* The same with a weight in (0, 1024]: so many like observations.  A NULL weight skips too. */
Datum
xsell_score_add_weighted(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		return first_argument(fcinfo);
	return score_add(fcinfo, PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3));
}

/* The observations of two states together; NULL is an empty state.  Errors: overflow. */
Datum
xsell_score_merge(PG_FUNCTION_ARGS)
{
	XsScore    *state;

	if (PG_ARGISNULL(1))
		return first_argument(fcinfo);
	state = score_to_change(fcinfo);
	xs_check_status(xs_score_merge(state, xs_score_arg(PG_GETARG_DATUM(1)), 1), "xsell_score");
	PG_RETURN_POINTER(state);
}
