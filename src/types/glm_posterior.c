/*
 * glm_posterior.c: what an xsell_glm says about coefficients and rates.
 *
 * The prior of every coefficient, the intercept's too, is N(0, 1/prior_precision).
 * With an identity link the noise of a reward is taken to have variance 1.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"

#include "../math/random.h"
#include "../math/special.h"
#include "../model/oracle.h"
#include "types.h"

PG_FUNCTION_INFO_V1(xsell_glm_coefficients);
PG_FUNCTION_INFO_V1(xsell_glm_predict);
PG_FUNCTION_INFO_V1(xsell_glm_sample);
PG_FUNCTION_INFO_V1(xsell_glm_observations);
PG_FUNCTION_INFO_V1(xsell_glm_trials);
PG_FUNCTION_INFO_V1(xsell_glm_successes);

/* Coefficients are N(mean, T'T), T a packed lower triangle in room for a belief. */
typedef struct Posterior
{
	int			dim;
	XsLink		link;
	double	   *mean;
	double	   *factor;
} Posterior;

static Posterior
posterior(const XsGlm *state, double precision)
{
	Posterior	p = {.dim = state->dim,.link = (XsLink) state->link};
	const int64_t *sums = state->sums + state->dim;
	double	   *scratch = palloc(sizeof(double) * XS_BELIEF_SIZE(p.dim));

	CHECK_FOR_INTERRUPTS();
	xs_check_prior(precision, "prior precision");
	p.mean = palloc(sizeof(double) * p.dim);
	xs_check_status(xs_glm_posterior(state, precision, p.mean, NULL, scratch), "xsell_glm");

	p.factor = scratch;
	for (int i = 0; i < XS_PACKED_SIZE(p.dim); i++)
		p.factor[i] = xs_unfixed(sums[i]);
	for (int i = 0; i < p.dim; i++)
		p.factor[XS_PACKED_INDEX(i, i)] += precision;
	xs_check_status(xs_cholesky(p.factor, p.dim), "xsell_glm");
	xs_invert_lower(p.factor, p.dim);
	return p;
}

/* The posterior that a call site used last: one state usually serves many rows. */
typedef struct LastPosterior
{
	MemoryContext context;		/* of state and posterior */
	XsGlm	   *state;			/* NULL: none */
	double		precision;
	Posterior	posterior;		/* its factor has become a belief */
} LastPosterior;

static const Posterior *
last_posterior(FmgrInfo *site, const XsGlm *state, double precision)
{
	LastPosterior *last = site->fn_extra;
	MemoryContext old;

	if (last == NULL)
	{
		last = MemoryContextAllocZero(site->fn_mcxt, sizeof(LastPosterior));
		last->context = AllocSetContextCreate(site->fn_mcxt, "xsell posterior", ALLOCSET_SMALL_SIZES);
		site->fn_extra = last;
	}
	if (last->state != NULL && last->precision == precision && last->state->dim == state->dim &&
		memcmp(last->state, state, XS_GLM_SIZE(state->dim)) == 0)
		return &last->posterior;

	last->state = NULL;
	MemoryContextReset(last->context);
	old = MemoryContextSwitchTo(last->context);
	last->posterior = posterior(state, precision);
	xs_belief(last->posterior.factor, state->dim, last->posterior.mean);
	last->precision = precision;
	last->state = palloc(XS_GLM_SIZE(state->dim));
	memcpy(last->state, state, XS_GLM_SIZE(state->dim));
	MemoryContextSwitchTo(old);
	return &last->posterior;
}

/* Standard deviation of a coefficient: the norm of its column of T. */
static double
standard_error(const Posterior *p, int column)
{
	double		sum = 0;

	for (int i = column; i < p->dim; i++)
	{
		double		t = p->factor[XS_PACKED_INDEX(i, column)];

		sum += t * t;
	}
	return sqrt(sum);
}

/*
 * One row per column: column_number from 1, posterior mean, standard_error.
 * Strict.  Errors: prior_precision not in (0, 1e12]; evidence that is not
 * positive definite with it.
 */
Datum
xsell_glm_coefficients(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Posterior  *p;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	int			column;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		TupleDesc	row;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		call->tuple_desc = BlessTupleDesc(row);
		p = palloc(sizeof(Posterior));
		*p = posterior(&xs_glm_value_arg(PG_GETARG_DATUM(0))->body, PG_GETARG_FLOAT8(1));
		call->user_fctx = p;
		call->max_calls = p->dim;
		MemoryContextSwitchTo(old);
	}
	call = SRF_PERCALL_SETUP();
	p = call->user_fctx;
	if (call->call_cntr >= call->max_calls)
		SRF_RETURN_DONE(call);
	column = (int) call->call_cntr;
	values[0] = Int32GetDatum(column + 1);
	values[1] = Float8GetDatum(p->mean[column]);
	values[2] = Float8GetDatum(standard_error(p, column));
	SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
}

/* P(convert) at a linear predictor N(mean, variance): the oracles' moderated mean. */
static double
rate(XsLink link, double mean, double variance)
{
	if (link == XS_LOGIT)
		return xs_expit(mean / sqrt(1 + M_PI / 8 * variance));
	return mean < 0 ? 0 : (mean > 1 ? 1 : mean);
}

/*
 * (mean, sd, rate) for a row of features: the linear predictor's posterior mean
 * and standard deviation, and the expected reward, clipped to [0,1] for the
 * identity link.  Strict.  Errors: features as in xsell_glm_add, another number
 * of them than the state's, prior_precision as in xsell_coefficients.
 */
Datum
xsell_glm_predict(PG_FUNCTION_ARGS)
{
	const XsGlm *state = &xs_glm_value_arg(PG_GETARG_DATUM(0))->body;
	int			dim;
	const float *x = xs_check_features(PG_GETARG_ARRAYTYPE_P(1), &dim);
	const Posterior *p;
	double		mean;
	double		variance;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	TupleDesc	row;

	if (dim != state->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("number of features differs from the evidence's"),
				 errdetail("The evidence has %d columns, the row %d.", (int) state->dim, dim),
				 errhint("Encode the row as the evidence's rows were, the intercept included.")));
	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	p = last_posterior(fcinfo->flinfo, state, PG_GETARG_FLOAT8(2));
	mean = xs_belief_predict(p->factor, dim, x, &variance);
	values[0] = Float8GetDatum(mean);
	values[1] = Float8GetDatum(sqrt(variance));
	values[2] = Float8GetDatum(rate(p->link, mean, variance));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
}

/*
 * Coefficients drawn from the posterior, as the seed alone determines: mean +
 * T'z, z_i the normal quantile of the i-th uniform number.  Strict.  Errors:
 * as xsell_coefficients.
 */
Datum
xsell_glm_sample(PG_FUNCTION_ARGS)
{
	uint64		seed = (uint64) PG_GETARG_INT64(1);
	Posterior	p = posterior(&xs_glm_value_arg(PG_GETARG_DATUM(0))->body, PG_GETARG_FLOAT8(2));
	double	   *z = palloc(sizeof(double) * p.dim);
	double	   *deviation = palloc(sizeof(double) * p.dim);
	Datum	   *elements = palloc(sizeof(Datum) * p.dim);

	for (int i = 0; i < p.dim; i++)
		z[i] = xs_norm_quantile(xs_uniform(seed, (uint64) i, 0));
	xs_lower_transposed_multiply(p.factor, p.dim, z, deviation);
	for (int i = 0; i < p.dim; i++)
		elements[i] = Float8GetDatum(p.mean[i] + deviation[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, p.dim, FLOAT8OID, sizeof(float8),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Number of observations.  Strict. */
Datum
xsell_glm_observations(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(xs_glm_value_arg(PG_GETARG_DATUM(0))->body.n);
}

/* Sum of weights.  Strict. */
Datum
xsell_glm_trials(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(xs_unfixed(xs_glm_value_arg(PG_GETARG_DATUM(0))->body.trials));
}

/* Sum of weight times reward.  Strict. */
Datum
xsell_glm_successes(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(xs_unfixed(xs_glm_value_arg(PG_GETARG_DATUM(0))->body.successes));
}
