/*
 * beta_aggregate.c: transition and combine functions of the xsell_beta aggregates.
 *
 * They change their state in place when an aggregate calls them; called as
 * ordinary functions they leave their arguments alone.
 */
#include "postgres.h"

#include "types.h"

PG_FUNCTION_INFO_V1(xsell_beta_add);
PG_FUNCTION_INFO_V1(xsell_beta_add_weighted);
PG_FUNCTION_INFO_V1(xsell_beta_merge);

/* The first argument as a state to change: an aggregate's own, or a copy; zero if it is NULL. */
static XsBeta *
beta_to_change(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		return palloc0(sizeof(XsBeta));
	if (AggCheckCallContext(fcinfo, NULL))
	{
		xs_beta_arg(PG_GETARG_DATUM(0));
		return (XsBeta *) PG_GETARG_POINTER(0);
	}
	return (XsBeta *) DatumGetPointer(xs_beta_datum(xs_beta_arg(PG_GETARG_DATUM(0))));
}

static Datum
beta_add(FunctionCallInfo fcinfo, double reward, double weight)
{
	XsBeta	   *state = beta_to_change(fcinfo);

	xs_check_reward(reward, XS_LOGIT);
	xs_check_weight(weight);
	xs_check_status(xs_beta_observe(state, reward, weight, 1), "xsell_beta");
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
 * The state with one more observation of weight 1; reward in [0,1].  A NULL
 * state is an empty one; a NULL reward leaves the state as it is.
 * Errors: reward out of range, overflow.
 */
Datum
xsell_beta_add(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		return first_argument(fcinfo);
	return beta_add(fcinfo, PG_GETARG_FLOAT8(1), 1.0);
}

/* The same with a weight in (0, 1024]: so many like observations.  A NULL weight skips too. */
Datum
xsell_beta_add_weighted(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return first_argument(fcinfo);
	return beta_add(fcinfo, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2));
}

/* The observations of two states together; NULL is an empty state.  Errors: overflow. */
Datum
xsell_beta_merge(PG_FUNCTION_ARGS)
{
	XsBeta	   *state;

	if (PG_ARGISNULL(1))
		return first_argument(fcinfo);
	state = beta_to_change(fcinfo);
	xs_check_status(xs_beta_merge(state, xs_beta_arg(PG_GETARG_DATUM(1)), 1), "xsell_beta");
	PG_RETURN_POINTER(state);
}
