/*
 * check.c: checks of arguments and states, and the words of their errors.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"

#include "types.h"

void
xs_check_status(XsStatus status, const char *type)
{
	switch (status)
	{
		case XS_OK:
			return;
		case XS_OVERFLOW:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("%s out of range", type),
					 errdetail("A sum does not fit into 64 bits.")));
			break;
		case XS_RANGE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("observation out of range for type %s", type),
					 errdetail("A reward, weight, feature or linear predictor is outside its range.")));
			break;
		case XS_DIMENSION:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("different shapes of %s", type),
					 errdetail("The number of columns or the link differs.")));
			break;
		case XS_NOT_POSITIVE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("precision of %s is not positive definite", type),
					 errhint("Use a larger prior precision.")));
			break;
	}
	elog(ERROR, "unknown status %d of type %s", (int) status, type);
}

const char *
xs_link_name(XsLink link)
{
	return link == XS_LOGIT ? "logit" : "identity";
}

XsLink
xs_link_from_name(const char *name)
{
	if (strcmp(name, "logit") == 0)
		return XS_LOGIT;
	if (strcmp(name, "identity") == 0)
		return XS_IDENTITY;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown link \"%s\"", name),
			 errhint("Links are \"logit\" and \"identity\".")));
}

/* Written so that a NaN fails. */
static bool
between(double value, double low, double high)
{
	return value >= low && value <= high;
}

void
xs_check_reward(double reward, XsLink link)
{
	double		low = link == XS_LOGIT ? 0.0 : -XS_MAX_PREDICTOR;
	double		high = link == XS_LOGIT ? 1.0 : XS_MAX_PREDICTOR;

	if (!between(reward, low, high))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("reward out of range"),
				 errdetail("The reward is %g; it must be between %g and %g.", reward, low, high),
				 errhint("Scale rewards before they are learned from.")));
}

void
xs_check_weight(double weight)
{
	if (!(weight > 0 && weight <= XS_MAX_WEIGHT))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight out of range"),
				 errdetail("The weight is %g; it must be above 0 and at most %g.", weight, XS_MAX_WEIGHT),
				 errhint("Leave out observations that should not count.")));
}

void
xs_check_predictor(double predictor)
{
	if (!between(predictor, -XS_MAX_PREDICTOR, XS_MAX_PREDICTOR))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("linear predictor out of range"),
				 errdetail("The linear predictor is %g; it must be between %g and %g.",
						   predictor, -XS_MAX_PREDICTOR, XS_MAX_PREDICTOR),
				 errhint("It is the model's x'mu at the time of the decision, before the link; 0 where there was no model.")));
}

void
xs_check_prior(double value, const char *what)
{
	if (!(value > 0 && value <= 1e12))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s out of range", what),
				 errdetail("It is %g; it must be above 0 and at most 1e+12.", value)));
}

void
xs_check_same_shape(const XsGlm *state, const XsGlm *other)
{
	if (state->dim != other->dim || state->link != other->link)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different shapes of %s", "xsell_glm"),
				 errdetail("The numbers of columns are %d and %d, the links \"%s\" and \"%s\".",
						   (int) state->dim, (int) other->dim,
						   xs_link_name((XsLink) state->link), xs_link_name((XsLink) other->link)),
				 errhint("Only evidence of the same features and link can be put together.")));
}

const float *
xs_check_features(ArrayType *features, int *dim)
{
	const float *x;
	int			n;

	if (ARR_NDIM(features) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("features must be a one-dimensional array with at least one element"),
				 errdetail("The array has %d dimensions.", ARR_NDIM(features))));
	if (ARR_ELEMTYPE(features) != FLOAT4OID)
		elog(ERROR, "features are not of type real");
	if (array_contains_nulls(features))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("features must not contain nulls"),
				 errhint("Encode a missing value as a number, usually 0 with a feature that says it is missing.")));
	n = ARR_DIMS(features)[0];
	if (n > XS_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many features"),
				 errdetail("The array has %d elements; the limit is %d.", n, XS_MAX_DIM)));
	x = (const float *) ARR_DATA_PTR(features);
	for (int i = 0; i < n; i++)
		if (!between(x[i], -XS_MAX_FEATURE, XS_MAX_FEATURE))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("feature out of range"),
					 errdetail("Feature %d is %g; it must be between %g and %g.",
							   i + 1, x[i], -XS_MAX_FEATURE, XS_MAX_FEATURE),
					 errhint("Scale features, and clip them with least() and greatest().")));
	*dim = n;
	return x;
}

int
xs_check_forecasts(ArrayType *array, float *forecasts)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (ARR_NDIM(array) > 1 || ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > XS_FORECASTERS)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("forecasts must be a one-dimensional array of at most %d elements", XS_FORECASTERS),
				 errdetail("The array has %d dimensions and %d elements.", ARR_NDIM(array),
						   ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)))));
	deconstruct_array(array, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		forecasts[i] = nulls[i] ? NAN : DatumGetFloat4(elements[i]);
		if (!isnan(forecasts[i]) && !between(forecasts[i], 0, 1))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("forecast out of range"),
					 errdetail("Forecast %d is %g; it must be between 0 and 1.", i + 1, forecasts[i]),
					 errhint("Pass NULL where there is no forecast.")));
	}
	return n;
}

void
xs_check_binary_format(StringInfo message, int known, const char *type)
{
	int			format;

	if (message->len - message->cursor < 2)
		xs_check_binary_length(message, 2, type);
	format = (int) pq_getmsgint(message, 2);
	if (format != known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown binary format of type %s", type),
				 errdetail("The format is %d; this version of xsell knows %d.", format, known)));
}

void
xs_check_binary_length(StringInfo message, Size wanted, const char *type)
{
	int			length = message->len - message->cursor;

	if (length != (int) wanted)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary length for type %s", type),
				 errdetail("There are %d bytes where %d are expected.", length, (int) wanted)));
}

const char *
xs_beta_fault(const XsBeta *state)
{
	if (state->n < 0)
		return "The number of observations is negative.";
	if (state->trials < 0)
		return "Trials are negative.";
	if (state->successes < 0)
		return "Successes are negative.";
	if (state->successes > state->trials)
		return "Successes exceed trials.";
	if (state->n == 0 && state->trials != 0)
		return "There are trials without observations.";
	return NULL;
}

const char *
xs_glm_fault(const XsGlm *state)
{
	const int64_t *precision = state->sums + state->dim;

	if (state->n < 0)
		return "The number of observations is negative.";
	if (state->trials < 0)
		return "Trials are negative.";
	if (state->link == XS_LOGIT && state->successes < 0)
		return "Successes are negative.";
	if (state->link == XS_LOGIT && state->successes > state->trials)
		return "Successes exceed trials.";
	for (int i = 0; i < state->dim; i++)
		if (precision[XS_PACKED_INDEX(i, i)] < 0)
			return "A diagonal element of the precision is negative.";
	if (state->n > 0)
		return NULL;
	if (state->trials != 0 || state->successes != 0)
		return "There are trials or successes without observations.";
	for (int i = 0; i < XS_GLM_SUMS(state->dim); i++)
		if (state->sums[i] != 0)
			return "There is evidence without observations.";
	return NULL;
}

/* What is wrong with a forecaster's sums, given those of all observations, or NULL. */
static const char *
forecaster_fault(const XsForecaster *forecaster, const XsBeta *all)
{
	const XsBeta *outcomes = &forecaster->outcomes;
	XsBeta		others = *all;
	const char *fault = xs_beta_fault(outcomes);
	double		most;

	if (fault != NULL)
		return fault;
	if (forecaster->missing < 0)
		return "The number of missing forecasts is negative.";
	/* all counts are above 0 here: no difference overflows */
	if (forecaster->missing > all->n - outcomes->n)
		return "There are more forecasts, present and missing, than observations.";
	if (xs_beta_merge(&others, outcomes, -1) != XS_OK || xs_beta_fault(&others) != NULL)
		return "Its observations are not among all observations.";
	if (forecaster->forecasts < 0 || forecaster->forecasts > outcomes->trials)
		return "The sum of its forecasts is out of range.";
	/* at most -ln(XS_MIN_FORECAST) < 14 per trial, and what rounding adds */
	most = 14.0 * outcomes->trials + 8.0 * outcomes->n;
	if (forecaster->log_loss < 0 || (double) forecaster->log_loss > most)
		return "Its log loss is out of range.";
	if ((double) forecaster->gain < -most || (double) forecaster->gain > most)
		return "Its gain is out of range.";
	if (forecaster->brier < 0 || forecaster->brier > outcomes->trials)
		return "Its Brier score is out of range.";
	return NULL;
}

const char *
xs_score_fault(const XsScore *state)
{
	const char *fault = xs_beta_fault(&state->outcomes);

	if (fault != NULL)
		return fault;
	for (int j = 0; j < XS_FORECASTERS; j++)
	{
		fault = forecaster_fault(&state->forecasters[j], &state->outcomes);
		if (fault != NULL)
			return psprintf("Forecaster \"%s\": %s", xs_forecaster_names[j], fault);
	}
	return NULL;
}
