/*
 * beta_type.c: the SQL type xsell_beta: text and binary form, operators.
 *
 * A value is an XsBeta, 24 bytes.  The text form is
 * {"n":3,"trials":50331648,"successes":16777216}, in units of 2^-24.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"

#include "types.h"

#define BETA_FORMAT 1			/* of the binary form */

PG_FUNCTION_INFO_V1(xsell_beta_in);
PG_FUNCTION_INFO_V1(xsell_beta_out);
PG_FUNCTION_INFO_V1(xsell_beta_recv);
PG_FUNCTION_INFO_V1(xsell_beta_send);
PG_FUNCTION_INFO_V1(xsell_beta_minus);
PG_FUNCTION_INFO_V1(xsell_beta_eq);
PG_FUNCTION_INFO_V1(xsell_beta_ne);
PG_FUNCTION_INFO_V1(xsell_beta_hash);
PG_FUNCTION_INFO_V1(xsell_beta_hash_extended);

const XsBeta *
xs_beta_arg(Datum value)
{
	const XsBeta *state = (const XsBeta *) DatumGetPointer(value);
	const char *fault = xs_beta_fault(state);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid value of type %s", "xsell_beta"),
				 errdetail("%s", fault)));
	return state;
}

Datum
xs_beta_datum(const XsBeta *state)
{
	XsBeta	   *copy = palloc(sizeof(XsBeta));

	memcpy(copy, state, sizeof(XsBeta));
	return PointerGetDatum(copy);
}

/*
 * Text to state.  Errors: whatever is not an object of these three integers,
 * or no state (types.h).
 */
Datum
xsell_beta_in(PG_FUNCTION_ARGS)
{
	XsField		fields[] = {
		{.key = "n",.kind = XS_FIELD_INTEGER},
		{.key = "trials",.kind = XS_FIELD_INTEGER},
		{.key = "successes",.kind = XS_FIELD_INTEGER},
	};
	XsBeta		state;
	const char *fault;

	if (!xs_read_object(PG_GETARG_CSTRING(0), "xsell_beta", fields, lengthof(fields),
						fcinfo->context))
		PG_RETURN_NULL();
	state.n = fields[0].integer;
	state.trials = fields[1].integer;
	state.successes = fields[2].integer;
	fault = xs_beta_fault(&state);
	if (fault != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "xsell_beta"),
				 errdetail("%s", fault)));
	return xs_beta_datum(&state);
}

/* State to text, exactly. */
Datum
xsell_beta_out(PG_FUNCTION_ARGS)
{
	const XsBeta *state = xs_beta_arg(PG_GETARG_DATUM(0));

	PG_RETURN_CSTRING(psprintf("{\"n\":" INT64_FORMAT ",\"trials\":" INT64_FORMAT ",\"successes\":" INT64_FORMAT "}",
							   (int64) state->n, (int64) state->trials, (int64) state->successes));
}

/* Binary to state: int16 format, int64 n, trials, successes.  Errors: as for text. */
Datum
xsell_beta_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	XsBeta		state;
	const char *fault;

	xs_check_binary_format(message, BETA_FORMAT, "xsell_beta");
	xs_check_binary_length(message, 3 * sizeof(int64), "xsell_beta");
	state.n = pq_getmsgint64(message);
	state.trials = pq_getmsgint64(message);
	state.successes = pq_getmsgint64(message);
	fault = xs_beta_fault(&state);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "xsell_beta"),
				 errdetail("%s", fault)));
	return xs_beta_datum(&state);
}

/* State to binary. */
Datum
xsell_beta_send(PG_FUNCTION_ARGS)
{
	const XsBeta *state = xs_beta_arg(PG_GETARG_DATUM(0));
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint16(&message, BETA_FORMAT);
	pq_sendint64(&message, state->n);
	pq_sendint64(&message, state->trials);
	pq_sendint64(&message, state->successes);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/*
 * The state without the observations of another, which must be among its own.
 * Strict.  Errors: the difference is no state, so they cannot have been.
 */
Datum
xsell_beta_minus(PG_FUNCTION_ARGS)
{
	XsBeta		state = *xs_beta_arg(PG_GETARG_DATUM(0));
	const char *fault;

	xs_check_status(xs_beta_merge(&state, xs_beta_arg(PG_GETARG_DATUM(1)), -1), "xsell_beta");
	fault = xs_beta_fault(&state);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot remove observations that the %s does not hold", "xsell_beta"),
				 errdetail("%s", fault),
				 errhint("Subtract only evidence that was added before.")));
	return xs_beta_datum(&state);
}

static bool
beta_equal(FunctionCallInfo fcinfo)
{
	return memcmp(xs_beta_arg(PG_GETARG_DATUM(0)), xs_beta_arg(PG_GETARG_DATUM(1)),
				  sizeof(XsBeta)) == 0;
}

/* Whether two states are the same, bit for bit.  Strict. */
Datum
xsell_beta_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(beta_equal(fcinfo));
}

/* Whether two states differ.  Strict. */
Datum
xsell_beta_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!beta_equal(fcinfo));
}

/* Hash that goes with =, for grouping, joins and comparisons of rows.  Strict. */
Datum
xsell_beta_hash(PG_FUNCTION_ARGS)
{
	return hash_any((const unsigned char *) xs_beta_arg(PG_GETARG_DATUM(0)), sizeof(XsBeta));
}

/* The same with a seed. */
Datum
xsell_beta_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended((const unsigned char *) xs_beta_arg(PG_GETARG_DATUM(0)),
							 sizeof(XsBeta), PG_GETARG_INT64(1));
}
