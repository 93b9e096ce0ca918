/*
 * glm_type.c: the SQL type xsell_glm: storage, text and binary form, operators.
 *
 * A value is an XsGlmValue (types.h), always flat.  Readers take the formats
 * they know, writers write the newest.  The text form is
 * {"link":"logit","dim":2,"n":1,"trials":16777216,"successes":0,
 * "shift":[a,b],"precision":[c,d,e]}, sums in units of 2^-24, the precision as
 * its lower triangle row by row.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"

#include "types.h"

#define GLM_BINARY_FORMAT 1
#define GLM_BINARY_SHAPE 10		/* bytes of flags, dim and link */

PG_FUNCTION_INFO_V1(xsell_glm_in);
PG_FUNCTION_INFO_V1(xsell_glm_out);
PG_FUNCTION_INFO_V1(xsell_glm_recv);
PG_FUNCTION_INFO_V1(xsell_glm_send);
PG_FUNCTION_INFO_V1(xsell_glm_minus);
PG_FUNCTION_INFO_V1(xsell_glm_eq);
PG_FUNCTION_INFO_V1(xsell_glm_ne);
PG_FUNCTION_INFO_V1(xsell_glm_hash);
PG_FUNCTION_INFO_V1(xsell_glm_hash_extended);

XsGlmValue *
xs_glm_value_new(int dim, XsLink link)
{
	XsGlmValue *value;

	Assert(dim >= 1 && dim <= XS_MAX_DIM);
	value = palloc0(XS_GLM_VALUE_SIZE(dim));
	SET_VARSIZE(value, XS_GLM_VALUE_SIZE(dim));
	value->format = XS_GLM_FORMAT;
	value->body.dim = dim;
	value->body.link = link;
	return value;
}

Datum
xs_glm_datum(const XsGlm *state)
{
	XsGlmValue *value = xs_glm_value_new(state->dim, state->link);

	memcpy(&value->body, state, XS_GLM_SIZE(state->dim));
	return PointerGetDatum(value);
}

/* What is wrong with a flat value, or NULL.  Looks at the body only once its length is right. */
static const char *
value_fault(const XsGlmValue *value)
{
	Size		size = VARSIZE(value);

	if (size < XS_GLM_VALUE_SIZE(0))
		return "The value is too short.";
	if (value->format != XS_GLM_FORMAT)
		return "The format is unknown.";
	if (value->flags != 0)
		return "Flags are set that this format does not have.";
	if (value->body.dim < 1 || value->body.dim > XS_MAX_DIM)
		return "The number of columns is out of range.";
	if (size != XS_GLM_VALUE_SIZE(value->body.dim))
		return "The length does not fit the number of columns.";
	if (value->body.link != XS_IDENTITY && value->body.link != XS_LOGIT)
		return "The link is unknown.";
	return xs_glm_fault(&value->body);
}

static void
check_value(const XsGlmValue *value)
{
	const char *fault = value_fault(value);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid value of type %s", "xsell_glm"),
				 errdetail("%s", fault)));
}

const XsGlmValue *
xs_glm_value_arg(Datum value)
{
	const XsGlmValue *flat = (const XsGlmValue *) PG_DETOAST_DATUM(value);

	check_value(flat);
	return flat;
}

XsGlmValue *
xs_glm_value_copy(Datum value)
{
	XsGlmValue *copy = (XsGlmValue *) PG_DETOAST_DATUM_COPY(value);

	check_value(copy);
	return copy;
}

XsGlm *
xs_glm_detoast(Datum value)
{
	return &xs_glm_value_copy(value)->body;
}

XsGlm *
xs_glm_new(int dim, XsLink link)
{
	return &xs_glm_value_new(dim, link)->body;
}

/* Members of the text form, in the order of the output. */
enum
{
	F_LINK, F_DIM, F_N, F_TRIALS, F_SUCCESSES, F_SHIFT, F_PRECISION, F_COUNT
};

/* What is wrong with the members as such, or NULL. */
static const char *
fields_fault(const XsField *fields, XsLink *link)
{
	int64		dim = fields[F_DIM].integer;

	if (strcmp(fields[F_LINK].string, "logit") == 0)
		*link = XS_LOGIT;
	else if (strcmp(fields[F_LINK].string, "identity") == 0)
		*link = XS_IDENTITY;
	else
		return "The link is unknown.";
	if (dim < 1 || dim > XS_MAX_DIM)
		return "The number of columns is out of range.";
	if (fields[F_SHIFT].count != dim)
		return "The length of the shift is not the number of columns.";
	if (fields[F_PRECISION].count != XS_PACKED_SIZE(dim))
		return "The length of the precision does not fit the number of columns.";
	return NULL;
}

/*
 * Text to state.  Errors: whatever is not an object of these members, or no
 * state (types.h).
 */
Datum
xsell_glm_in(PG_FUNCTION_ARGS)
{
	XsField		fields[F_COUNT] = {
		[F_LINK] = {.key = "link",.kind = XS_FIELD_STRING},
		[F_DIM] = {.key = "dim",.kind = XS_FIELD_INTEGER},
		[F_N] = {.key = "n",.kind = XS_FIELD_INTEGER},
		[F_TRIALS] = {.key = "trials",.kind = XS_FIELD_INTEGER},
		[F_SUCCESSES] = {.key = "successes",.kind = XS_FIELD_INTEGER},
		[F_SHIFT] = {.key = "shift",.kind = XS_FIELD_INTEGERS,.limit = XS_MAX_DIM},
		[F_PRECISION] = {.key = "precision",.kind = XS_FIELD_INTEGERS,.limit = XS_PACKED_SIZE(XS_MAX_DIM)},
	};
	XsLink		link = XS_LOGIT;
	XsGlmValue *value = NULL;
	const char *fault;

	if (!xs_read_object(PG_GETARG_CSTRING(0), "xsell_glm", fields, F_COUNT, fcinfo->context))
		PG_RETURN_NULL();
	fault = fields_fault(fields, &link);
	if (fault == NULL)
	{
		int			dim = (int) fields[F_DIM].integer;

		value = xs_glm_value_new(dim, link);
		value->body.n = fields[F_N].integer;
		value->body.trials = fields[F_TRIALS].integer;
		value->body.successes = fields[F_SUCCESSES].integer;
		memcpy(value->body.sums, fields[F_SHIFT].integers, sizeof(int64) * dim);
		memcpy(value->body.sums + dim, fields[F_PRECISION].integers,
			   sizeof(int64) * XS_PACKED_SIZE(dim));
		fault = xs_glm_fault(&value->body);
	}
	if (fault != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "xsell_glm"),
				 errdetail("%s", fault)));
	PG_RETURN_POINTER(value);
}

static void
append_integers(StringInfo out, const char *key, const int64_t *integers, int count)
{
	appendStringInfo(out, ",\"%s\":[", key);
	for (int i = 0; i < count; i++)
		appendStringInfo(out, i == 0 ? INT64_FORMAT : "," INT64_FORMAT, (int64) integers[i]);
	appendStringInfoChar(out, ']');
}

/* State to text, exactly. */
Datum
xsell_glm_out(PG_FUNCTION_ARGS)
{
	const XsGlm *state = &xs_glm_value_arg(PG_GETARG_DATUM(0))->body;
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"link\":\"%s\",\"dim\":%d,\"n\":" INT64_FORMAT
					 ",\"trials\":" INT64_FORMAT ",\"successes\":" INT64_FORMAT,
					 xs_link_name((XsLink) state->link), (int) state->dim,
					 (int64) state->n, (int64) state->trials, (int64) state->successes);
	append_integers(&out, "shift", state->sums, state->dim);
	append_integers(&out, "precision", state->sums + state->dim, XS_PACKED_SIZE(state->dim));
	appendStringInfoChar(&out, '}');
	PG_RETURN_CSTRING(out.data);
}

/* An empty state of the shape that a binary message announces, once its length is right. */
static XsGlmValue *
receive_shape(StringInfo message)
{
	int			flags;
	int32		dim;
	int32		link;

	xs_check_binary_format(message, GLM_BINARY_FORMAT, "xsell_glm");
	if (message->len - message->cursor < GLM_BINARY_SHAPE)
		xs_check_binary_length(message, GLM_BINARY_SHAPE, "xsell_glm");
	flags = (int) pq_getmsgint(message, 2);
	dim = (int32) pq_getmsgint(message, 4);
	link = (int32) pq_getmsgint(message, 4);
	if (flags != 0 || dim < 1 || dim > XS_MAX_DIM || (link != XS_IDENTITY && link != XS_LOGIT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "xsell_glm"),
				 errdetail("Flags are %d, columns %d, link %d.", flags, dim, link)));
	xs_check_binary_length(message, sizeof(int64) * (3 + XS_GLM_SUMS(dim)), "xsell_glm");
	return xs_glm_value_new(dim, (XsLink) link);
}

/*
 * Binary to state: int16 format, int16 flags (0), int32 dim, int32 link, then
 * int64 n, trials, successes and the sums.  Errors: as for text.
 */
Datum
xsell_glm_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	XsGlmValue *value = receive_shape(message);
	const char *fault;

	value->body.n = pq_getmsgint64(message);
	value->body.trials = pq_getmsgint64(message);
	value->body.successes = pq_getmsgint64(message);
	for (int i = 0; i < XS_GLM_SUMS(value->body.dim); i++)
		value->body.sums[i] = pq_getmsgint64(message);
	fault = xs_glm_fault(&value->body);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "xsell_glm"),
				 errdetail("%s", fault)));
	PG_RETURN_POINTER(value);
}

/* State to binary. */
Datum
xsell_glm_send(PG_FUNCTION_ARGS)
{
	const XsGlm *state = &xs_glm_value_arg(PG_GETARG_DATUM(0))->body;
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint16(&message, GLM_BINARY_FORMAT);
	pq_sendint16(&message, 0);
	pq_sendint32(&message, state->dim);
	pq_sendint32(&message, state->link);
	pq_sendint64(&message, state->n);
	pq_sendint64(&message, state->trials);
	pq_sendint64(&message, state->successes);
	for (int i = 0; i < XS_GLM_SUMS(state->dim); i++)
		pq_sendint64(&message, state->sums[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/*
 * The state without the observations of another, which must be among its own.
 * Strict.  Errors: shapes differ; the difference is no state, so they cannot
 * have been.
 */
Datum
xsell_glm_minus(PG_FUNCTION_ARGS)
{
	XsGlmValue *value = xs_glm_value_copy(PG_GETARG_DATUM(0));
	const XsGlmValue *other = xs_glm_value_arg(PG_GETARG_DATUM(1));
	const char *fault;

	xs_check_same_shape(&value->body, &other->body);
	xs_check_status(xs_glm_merge(&value->body, &other->body, -1), "xsell_glm");
	fault = xs_glm_fault(&value->body);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot remove observations that the %s does not hold", "xsell_glm"),
				 errdetail("%s", fault),
				 errhint("Subtract only evidence that was added before.")));
	PG_RETURN_POINTER(value);
}

static bool
glm_equal(FunctionCallInfo fcinfo)
{
	const XsGlm *a = &xs_glm_value_arg(PG_GETARG_DATUM(0))->body;
	const XsGlm *b = &xs_glm_value_arg(PG_GETARG_DATUM(1))->body;

	return a->dim == b->dim && memcmp(a, b, XS_GLM_SIZE(a->dim)) == 0;
}

/* Whether two states are the same, bit for bit; of different shapes they are not.  Strict. */
Datum
xsell_glm_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(glm_equal(fcinfo));
}

/* Whether two states differ.  Strict. */
Datum
xsell_glm_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!glm_equal(fcinfo));
}

/* Hash that goes with =, for grouping, joins and comparisons of rows.  Strict. */
Datum
xsell_glm_hash(PG_FUNCTION_ARGS)
{
	const XsGlm *state = &xs_glm_value_arg(PG_GETARG_DATUM(0))->body;

	return hash_any((const unsigned char *) state, (int) XS_GLM_SIZE(state->dim));
}

/* The same with a seed. */
Datum
xsell_glm_hash_extended(PG_FUNCTION_ARGS)
{
	const XsGlm *state = &xs_glm_value_arg(PG_GETARG_DATUM(0))->body;

	return hash_any_extended((const unsigned char *) state, (int) XS_GLM_SIZE(state->dim),
							 PG_GETARG_INT64(1));
}
