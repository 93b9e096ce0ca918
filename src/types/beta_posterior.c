/*
 * beta_posterior.c: what an xsell_beta says about the rate.
 *
 * The posterior is Beta(alpha0 + successes, beta0 + trials - successes).
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"

#include "../math/random.h"
#include "../math/special.h"
#include "types.h"

PG_FUNCTION_INFO_V1(xsell_beta_mean);
PG_FUNCTION_INFO_V1(xsell_beta_sd);
PG_FUNCTION_INFO_V1(xsell_beta_interval);
PG_FUNCTION_INFO_V1(xsell_beta_sample);
PG_FUNCTION_INFO_V1(xsell_beta_observations);
PG_FUNCTION_INFO_V1(xsell_beta_trials);
PG_FUNCTION_INFO_V1(xsell_beta_successes);

/* Parameters of the posterior; the prior's are the arguments from first on. */
static void
beta_posterior(FunctionCallInfo fcinfo, int first, double *alpha, double *beta)
{
	const XsBeta *state = xs_beta_arg(PG_GETARG_DATUM(0));
	double		alpha0 = PG_GETARG_FLOAT8(first);
	double		beta0 = PG_GETARG_FLOAT8(first + 1);

	xs_check_prior(alpha0, "alpha0");
	xs_check_prior(beta0, "beta0");
	*alpha = alpha0 + xs_unfixed(state->successes);
	*beta = beta0 + xs_unfixed(state->trials - state->successes);
}

/* Posterior mean of the rate.  Strict.  Errors: alpha0 or beta0 not in (0, 1e12]. */
Datum
xsell_beta_mean(PG_FUNCTION_ARGS)
{
	double		alpha;
	double		beta;

	beta_posterior(fcinfo, 1, &alpha, &beta);
	PG_RETURN_FLOAT8(alpha / (alpha + beta));
}

/* Posterior standard deviation of the rate.  Strict.  Errors: as xsell_mean. */
Datum
xsell_beta_sd(PG_FUNCTION_ARGS)
{
	double		alpha;
	double		beta;
	double		sum;

	beta_posterior(fcinfo, 1, &alpha, &beta);
	sum = alpha + beta;
	PG_RETURN_FLOAT8(sqrt(alpha / sum * (beta / sum) / (sum + 1)));
}

/*
 * (lower, upper): the equal-tailed posterior interval that holds the rate with
 * probability level.  Strict.  Errors: as xsell_mean, or level not in (0,1).
 */
Datum
xsell_beta_interval(PG_FUNCTION_ARGS)
{
	double		level = PG_GETARG_FLOAT8(1);
	double		alpha;
	double		beta;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	TupleDesc	row;

	beta_posterior(fcinfo, 2, &alpha, &beta);
	if (!(level > 0 && level < 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("level out of range"),
				 errdetail("It is %g; it must be between 0 and 1.", level)));
	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Float8GetDatum(xs_beta_quantile(alpha, beta, (1 - level) / 2));
	values[1] = Float8GetDatum(xs_beta_quantile(alpha, beta, (1 + level) / 2));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
}

/*
 * A rate drawn from the posterior: its quantile at a uniform number that the
 * seed alone determines.  Strict.  Errors: as xsell_mean.
 */
Datum
xsell_beta_sample(PG_FUNCTION_ARGS)
{
	uint64		seed = (uint64) PG_GETARG_INT64(1);
	double		alpha;
	double		beta;

	beta_posterior(fcinfo, 2, &alpha, &beta);
	PG_RETURN_FLOAT8(xs_beta_quantile(alpha, beta, xs_uniform(seed, 0, 0)));
}

/* Number of observations.  Strict. */
Datum
xsell_beta_observations(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(xs_beta_arg(PG_GETARG_DATUM(0))->n);
}

/* Sum of weights.  Strict. */
Datum
xsell_beta_trials(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(xs_unfixed(xs_beta_arg(PG_GETARG_DATUM(0))->trials));
}

/* Sum of weight times reward.  Strict. */
Datum
xsell_beta_successes(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(xs_unfixed(xs_beta_arg(PG_GETARG_DATUM(0))->successes));
}
