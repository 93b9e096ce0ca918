/*
 * score_type.c: the SQL type xsell_score: text and binary form, operators.
 *
 * A value is an XsScore, 280 bytes.  The text form is
 * {"n":2,"trials":33554432,"successes":16777216,"prior":[...],"global":[...],
 * "segment":[...],"contextual":[...]}, sums in units of 2^-24.  The eight numbers
 * of a forecaster are n, missing, trials, successes, forecasts, log loss, brier,
 * gain.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"

#include "types.h"

#define SCORE_FORMAT 1			/* of the binary form */
#define FORECASTER_SUMS 8
#define SCORE_SUMS (3 + XS_FORECASTERS * FORECASTER_SUMS)

PG_FUNCTION_INFO_V1(xsell_score_in);
PG_FUNCTION_INFO_V1(xsell_score_out);
PG_FUNCTION_INFO_V1(xsell_score_recv);
PG_FUNCTION_INFO_V1(xsell_score_send);
PG_FUNCTION_INFO_V1(xsell_score_minus);
PG_FUNCTION_INFO_V1(xsell_score_eq);
PG_FUNCTION_INFO_V1(xsell_score_ne);
PG_FUNCTION_INFO_V1(xsell_score_hash);
PG_FUNCTION_INFO_V1(xsell_score_hash_extended);

const XsScore *
xs_score_arg(Datum value)
{
	const XsScore *state = (const XsScore *) DatumGetPointer(value);
	const char *fault = xs_score_fault(state);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid value of type %s", "xsell_score"),
				 errdetail("%s", fault)));
	return state;
}

Datum
xs_score_datum(const XsScore *state)
{
	XsScore    *copy = palloc(sizeof(XsScore));

	memcpy(copy, state, sizeof(XsScore));
	return PointerGetDatum(copy);
}

/* The sums of a forecaster, in the order of the text and binary forms. */
static void
get_sums(const XsForecaster *forecaster, int64 *sums)
{
	sums[0] = forecaster->outcomes.n;
	sums[1] = forecaster->missing;
	sums[2] = forecaster->outcomes.trials;
	sums[3] = forecaster->outcomes.successes;
	sums[4] = forecaster->forecasts;
	sums[5] = forecaster->log_loss;
	sums[6] = forecaster->brier;
	sums[7] = forecaster->gain;
}

static void
set_sums(XsForecaster *forecaster, const int64 *sums)
{
	forecaster->outcomes.n = sums[0];
	forecaster->missing = sums[1];
	forecaster->outcomes.trials = sums[2];
	forecaster->outcomes.successes = sums[3];
	forecaster->forecasts = sums[4];
	forecaster->log_loss = sums[5];
	forecaster->brier = sums[6];
	forecaster->gain = sums[7];
}

/* Members of the text form, in the order of the output. */
enum
{
	F_N, F_TRIALS, F_SUCCESSES, F_FORECASTERS, F_COUNT = F_FORECASTERS + XS_FORECASTERS
};

/* The state that the members make up; what is wrong with it, or NULL. */
static const char *
state_of_fields(const XsField *fields, XsScore *state)
{
	state->outcomes.n = fields[F_N].integer;
	state->outcomes.trials = fields[F_TRIALS].integer;
	state->outcomes.successes = fields[F_SUCCESSES].integer;
	for (int j = 0; j < XS_FORECASTERS; j++)
	{
		if (fields[F_FORECASTERS + j].count != FORECASTER_SUMS)
			return "A forecaster does not have eight numbers.";
		set_sums(&state->forecasters[j], fields[F_FORECASTERS + j].integers);
	}
	return xs_score_fault(state);
}

/*
 * Text to state.  Errors: whatever is not an object of these members, or no
 * state (types.h).
 */
Datum
xsell_score_in(PG_FUNCTION_ARGS)
{
	XsField		fields[F_COUNT] = {
		[F_N] = {.key = "n",.kind = XS_FIELD_INTEGER},
		[F_TRIALS] = {.key = "trials",.kind = XS_FIELD_INTEGER},
		[F_SUCCESSES] = {.key = "successes",.kind = XS_FIELD_INTEGER},
	};
	XsScore		state;
	const char *fault;

	for (int j = 0; j < XS_FORECASTERS; j++)
		fields[F_FORECASTERS + j] = (XsField)
		{
			.key = xs_forecaster_names[j],.kind = XS_FIELD_INTEGERS,.limit = FORECASTER_SUMS
		};
	if (!xs_read_object(PG_GETARG_CSTRING(0), "xsell_score", fields, F_COUNT, fcinfo->context))
		PG_RETURN_NULL();
	fault = state_of_fields(fields, &state);
	if (fault != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "xsell_score"),
				 errdetail("%s", fault)));
	return xs_score_datum(&state);
}

/* State to text, exactly. */
Datum
xsell_score_out(PG_FUNCTION_ARGS)
{
	const XsScore *state = xs_score_arg(PG_GETARG_DATUM(0));
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"n\":" INT64_FORMAT ",\"trials\":" INT64_FORMAT ",\"successes\":" INT64_FORMAT,
					 (int64) state->outcomes.n, (int64) state->outcomes.trials,
					 (int64) state->outcomes.successes);
	for (int j = 0; j < XS_FORECASTERS; j++)
	{
		int64		sums[FORECASTER_SUMS];

		get_sums(&state->forecasters[j], sums);
		appendStringInfo(&out, ",\"%s\":", xs_forecaster_names[j]);
		for (int i = 0; i < FORECASTER_SUMS; i++)
			appendStringInfo(&out, i == 0 ? "[" INT64_FORMAT : "," INT64_FORMAT, sums[i]);
		appendStringInfoChar(&out, ']');
	}
	appendStringInfoChar(&out, '}');
	PG_RETURN_CSTRING(out.data);
}

/*
 * Binary to state: int16 format, int64 n, trials, successes, then eight int64 of
 * each forecaster.  Errors: as for text.
 */
Datum
xsell_score_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	XsScore		state;
	const char *fault;

	xs_check_binary_format(message, SCORE_FORMAT, "xsell_score");
	xs_check_binary_length(message, SCORE_SUMS * sizeof(int64), "xsell_score");
	state.outcomes.n = pq_getmsgint64(message);
	state.outcomes.trials = pq_getmsgint64(message);
	state.outcomes.successes = pq_getmsgint64(message);
	for (int j = 0; j < XS_FORECASTERS; j++)
	{
		int64		sums[FORECASTER_SUMS];

		for (int i = 0; i < FORECASTER_SUMS; i++)
			sums[i] = pq_getmsgint64(message);
		set_sums(&state.forecasters[j], sums);
	}
	fault = xs_score_fault(&state);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "xsell_score"),
				 errdetail("%s", fault)));
	return xs_score_datum(&state);
}

/* State to binary. */
Datum
xsell_score_send(PG_FUNCTION_ARGS)
{
	const XsScore *state = xs_score_arg(PG_GETARG_DATUM(0));
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint16(&message, SCORE_FORMAT);
	pq_sendint64(&message, state->outcomes.n);
	pq_sendint64(&message, state->outcomes.trials);
	pq_sendint64(&message, state->outcomes.successes);
	for (int j = 0; j < XS_FORECASTERS; j++)
	{
		int64		sums[FORECASTER_SUMS];

		get_sums(&state->forecasters[j], sums);
		for (int i = 0; i < FORECASTER_SUMS; i++)
			pq_sendint64(&message, sums[i]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/*
 * The state without the observations of another, which must be among its own.
 * Strict.  Errors: the difference is no state, so they cannot have been.
 */
Datum
xsell_score_minus(PG_FUNCTION_ARGS)
{
	XsScore		state = *xs_score_arg(PG_GETARG_DATUM(0));
	const char *fault;

	xs_check_status(xs_score_merge(&state, xs_score_arg(PG_GETARG_DATUM(1)), -1), "xsell_score");
	fault = xs_score_fault(&state);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot remove observations that the %s does not hold", "xsell_score"),
				 errdetail("%s", fault),
				 errhint("Subtract only observations that were added before.")));
	return xs_score_datum(&state);
}

static bool
score_equal(FunctionCallInfo fcinfo)
{
	return memcmp(xs_score_arg(PG_GETARG_DATUM(0)), xs_score_arg(PG_GETARG_DATUM(1)),
				  sizeof(XsScore)) == 0;
}

/* Whether two states are the same, bit for bit.  Strict. */
Datum
xsell_score_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(score_equal(fcinfo));
}

/* Whether two states differ.  Strict. */
Datum
xsell_score_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!score_equal(fcinfo));
}

/* Hash that goes with =, for grouping, joins and comparisons of rows.  Strict. */
Datum
xsell_score_hash(PG_FUNCTION_ARGS)
{
	return hash_any((const unsigned char *) xs_score_arg(PG_GETARG_DATUM(0)), sizeof(XsScore));
}

/* The same with a seed. */
Datum
xsell_score_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended((const unsigned char *) xs_score_arg(PG_GETARG_DATUM(0)),
							 sizeof(XsScore), PG_GETARG_INT64(1));
}
