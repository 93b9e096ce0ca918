/*
 * glm_aggregate.c: transition and combine functions of the xsell_glm aggregates.
 *
 * They change their state in place when an aggregate calls them; called as
 * ordinary functions they leave their arguments alone.  The first state of an
 * aggregate is made in the row's memory: the executor copies it into the
 * aggregate's, and from then on the same flat value is changed and returned.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "types.h"

PG_FUNCTION_INFO_V1(xsell_glm_add);
PG_FUNCTION_INFO_V1(xsell_glm_add_weighted);
PG_FUNCTION_INFO_V1(xsell_glm_merge);

/* One row's observation. */
typedef struct Observation
{
	const float *x;
	int			dim;
	XsLink		link;
	double		reward;
	double		predictor;
	double		weight;
} Observation;

/*
 * The first argument, not NULL, as a value to change: an aggregate's own, or a
 * copy.  Even an aggregate's may be toasted, if it came out of a table.
 */
static XsGlmValue *
glm_to_change(FunctionCallInfo fcinfo)
{
	Datum		state = PG_GETARG_DATUM(0);

	if (AggCheckCallContext(fcinfo, NULL) && !VARATT_IS_EXTENDED(DatumGetPointer(state)))
		return (XsGlmValue *) xs_glm_value_arg(state);
	return xs_glm_value_copy(state);
}

/* The unchanged first argument, for rows that an aggregate skips. */
static Datum
first_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* A row's features and link must be those of the rows before. */
static void
check_row(const XsGlm *state, const Observation *row)
{
	if (state->dim != row->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("number of features differs between rows"),
				 errdetail("Earlier rows have %d, this one %d.", (int) state->dim, row->dim),
				 errhint("Encode all rows alike, the intercept included.")));
	if (state->link != (int32) row->link)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("link differs between rows"),
				 errdetail("Earlier rows have \"%s\", this one \"%s\".",
						   xs_link_name((XsLink) state->link), xs_link_name(row->link)),
				 errhint("Aggregate each link by itself.")));
}

static Datum
glm_add(FunctionCallInfo fcinfo, Observation *row)
{
	XsGlmValue *value;

	row->x = xs_check_features(PG_GETARG_ARRAYTYPE_P(1), &row->dim);
	row->reward = PG_GETARG_FLOAT8(2);
	xs_check_reward(row->reward, row->link);
	xs_check_predictor(row->predictor);
	xs_check_weight(row->weight);
	if (PG_ARGISNULL(0))
		value = xs_glm_value_new(row->dim, row->link);
	else
		value = glm_to_change(fcinfo);
	check_row(&value->body, row);
	xs_check_status(xs_glm_observe(&value->body, row->x, row->reward, row->predictor,
								   row->weight, 1),
					"xsell_glm");
	PG_RETURN_POINTER(value);
}

/*
 * The state with one more observation: link logit, weight 1, linear predictor
 * 0.  features: at most 512 numbers in [-8,8], the intercept's 1 included;
 * reward in [0,1].  A NULL state is an empty one; NULL features or reward leave
 * the state as it is.  Errors: NULL, NaN or too large features, reward out of
 * range, another number of features or link than the state's, overflow.
 */
Datum
xsell_glm_add(PG_FUNCTION_ARGS)
{
	Observation row = {.link = XS_LOGIT,.predictor = 0.0,.weight = 1.0};

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return first_argument(fcinfo);
	return glm_add(fcinfo, &row);
}

/*
 * The same with the linear predictor x'mu at the time of the decision, in
 * [-1000,1000], a weight in (0,1024], and the link: logit, or identity, with
 * rewards in [-1000,1000].  NULL predictor or weight skip the row too; a NULL
 * link is an error.
 */
Datum
xsell_glm_add_weighted(PG_FUNCTION_ARGS)
{
	Observation row;

	if (PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("link must not be null"),
				 errhint("Links are \"logit\" and \"identity\".")));
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
		return first_argument(fcinfo);
	row.predictor = PG_GETARG_FLOAT8(3);
	row.weight = PG_GETARG_FLOAT8(4);
	row.link = xs_link_from_name(text_to_cstring(PG_GETARG_TEXT_PP(5)));
	return glm_add(fcinfo, &row);
}

/* The observations of two states together; NULL is an empty state.  Errors: shapes differ, overflow. */
Datum
xsell_glm_merge(PG_FUNCTION_ARGS)
{
	XsGlmValue *value;
	const XsGlmValue *other;

	if (PG_ARGISNULL(1))
		return first_argument(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_POINTER(xs_glm_value_copy(PG_GETARG_DATUM(1)));
	value = glm_to_change(fcinfo);
	other = xs_glm_value_arg(PG_GETARG_DATUM(1));
	xs_check_same_shape(&value->body, &other->body);
	xs_check_status(xs_glm_merge(&value->body, &other->body, 1), "xsell_glm");
	PG_RETURN_POINTER(value);
}
