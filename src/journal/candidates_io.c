/*
 * candidates_io.c: text and binary form of the type xsell_candidates.
 *
 * Both say exactly what is stored, and both are read through the same checks as
 * what a decision packs (candidates.c).
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "../compat.h"
#include "candidate_fields.h"
#include "journal.h"

PG_FUNCTION_INFO_V1(xsell_candidates_in);
PG_FUNCTION_INFO_V1(xsell_candidates_out);
PG_FUNCTION_INFO_V1(xsell_candidates_recv);
PG_FUNCTION_INFO_V1(xsell_candidates_send);

/* ---- text form: JSON ---- */

static void
append_float4(StringInfo out, const char *name, float4 value)
{
	char		digits[FLOAT_SHORTEST_DECIMAL_LEN];

	float_to_shortest_decimal_buf(value + 0.0f, digits);
	appendStringInfo(out, "%s%s", name, digits);
}

static void
append_float8(StringInfo out, const char *name, float8 value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value + 0.0, digits);
	appendStringInfo(out, "%s%s", name, digits);
}

static void
append_candidate(StringInfo out, const XsCandidate *candidate)
{
	int			flags = xs_candidate_fields(candidate);

	appendStringInfo(out, "{\"arm\": %d", candidate->arm);
	if (flags & HAS_EXCLUDED)
	{
		appendStringInfoString(out, ", \"excluded\": ");
		escape_json(out, candidate->excluded);
	}
	if (flags & HAS_PREDICTION)
	{
		append_float4(out, ", \"mean\": ", candidate->mean);
		append_float4(out, ", \"sd\": ", candidate->sd);
	}
	if (flags & HAS_VALUE)
		append_float4(out, ", \"value\": ", candidate->value);
	if (flags & HAS_COST)
		append_float4(out, ", \"cost\": ", candidate->cost);
	if (flags & HAS_PROPENSITY)
		append_float8(out, ", \"propensity\": ", candidate->propensity);
	if (flags & HAS_PROBABILITY)
		append_float8(out, ", \"probability\": ", candidate->probability);
	if (flags & HAS_TAIL)
	{
		appendStringInfoString(out, ", \"tail\": [");
		for (int i = 0; i < candidate->ntail; i++)
			append_float4(out, i > 0 ? ", " : "", candidate->tail[i]);
		appendStringInfoChar(out, ']');
	}
	appendStringInfoChar(out, '}');
}

/* xsell_candidates_out(xsell_candidates) returns cstring */
Datum
xsell_candidates_out(PG_FUNCTION_ARGS)
{
	XsCandidate *candidates;
	int			n = xs_candidates_unpack(PG_GETARG_DATUM(0), &candidates);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoString(&out, ", ");
		append_candidate(&out, &candidates[i]);
	}
	appendStringInfoChar(&out, ']');
	PG_RETURN_CSTRING(out.data);
}

static void
invalid_syntax(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type xsell_candidates"),
			 errdetail("%s", detail)));
}

/* Digits of a JSON number, for the input functions of floating point. */
static Datum
digits_of(const JsonbValue *value)
{
	if (value->type != jbvNumeric)
		invalid_syntax("All fields but \"excluded\" must be numbers, and \"tail\" an array of numbers.");
	return DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric));
}

static float4
json_float4(const JsonbValue *value)
{
	return DatumGetFloat4(DirectFunctionCall1(float4in, digits_of(value)));
}

static float8
json_float8(const JsonbValue *value)
{
	return DatumGetFloat8(DirectFunctionCall1(float8in, digits_of(value)));
}

static uint16
json_arm(const JsonbValue *value)
{
	float8		arm = json_float8(value);

	if (!(arm >= 0 && arm <= PG_UINT16_MAX && arm == floor(arm)))
		invalid_syntax("An arm must be an integer between 0 and 65535.");
	return (uint16) arm;
}

static const char *
json_text(const JsonbValue *value)
{
	if (value->type != jbvString)
		invalid_syntax("The field \"excluded\" must be a string.");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static void
json_tail(const JsonbValue *value, XsCandidate *candidate)
{
	JsonbContainer *container = value->val.binary.data;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	element;
	float4	   *tail;
	int			n = 0;

	if (value->type != jbvBinary || !JsonContainerIsArray(container))
		invalid_syntax("The field \"tail\" must be an array.");
	tail = palloc(sizeof(float4) * JsonContainerSize(container) + 1);
	iterator = JsonbIteratorInit(container);
	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			tail[n++] = json_float4(&element);
	candidate->tail = tail;
	candidate->ntail = n;
}

/* Takes over one field; true if it was "arm". */
static bool
json_field(const JsonbValue *name, const JsonbValue *value, XsCandidate *candidate)
{
	const char *field = pnstrdup(name->val.string.val, name->val.string.len);

	if (strcmp(field, "arm") == 0)
		candidate->arm = json_arm(value);
	else if (strcmp(field, "excluded") == 0)
		candidate->excluded = json_text(value);
	else if (strcmp(field, "mean") == 0)
		candidate->mean = json_float4(value);
	else if (strcmp(field, "sd") == 0)
		candidate->sd = json_float4(value);
	else if (strcmp(field, "value") == 0)
		candidate->value = json_float4(value);
	else if (strcmp(field, "cost") == 0)
		candidate->cost = json_float4(value);
	else if (strcmp(field, "propensity") == 0)
		candidate->propensity = json_float8(value);
	else if (strcmp(field, "probability") == 0)
		candidate->probability = json_float8(value);
	else if (strcmp(field, "tail") == 0)
		json_tail(value, candidate);
	else
		invalid_syntax(psprintf("Unknown field: \"%s\".", field));
	return strcmp(field, "arm") == 0;
}

static void
json_candidate(const JsonbValue *object, XsCandidate *candidate)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	name;
	JsonbValue	value;
	bool		has_arm = false;

	if (object->type != jbvBinary || !JsonContainerIsObject(object->val.binary.data))
		invalid_syntax("It must be a JSON array of objects.");
	*candidate = xs_default_candidate();
	iterator = JsonbIteratorInit(object->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &name, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		JsonbIteratorNext(&iterator, &value, true);
		has_arm |= json_field(&name, &value, candidate);
	}
	if (!has_arm)
		invalid_syntax("Every candidate must have an \"arm\".");
}

/* xsell_candidates_in(cstring) returns xsell_candidates */
Datum
xsell_candidates_in(PG_FUNCTION_ARGS)
{
	Jsonb	   *json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, PG_GETARG_DATUM(0)));
	JsonbContainer *root = &json->root;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	element;
	XsCandidate *candidates;
	int			n = 0;

	if (!JsonContainerIsArray(root) || JsonContainerIsScalar(root))
		invalid_syntax("It must be a JSON array of objects.");
	candidates = palloc(sizeof(XsCandidate) * JsonContainerSize(root) + 1);
	iterator = JsonbIteratorInit(root);
	JsonbIteratorNext(&iterator, &element, false);	/* the array's begin */
	while ((token = JsonbIteratorNext(&iterator, &element, true)) == WJB_ELEM)
		json_candidate(&element, &candidates[n++]);
	PG_RETURN_DATUM(xs_candidates_pack(n, candidates));
}

/* ---- binary form: as stored, in network byte order ---- */

/* xsell_candidates_send(xsell_candidates) returns bytea */
Datum
xsell_candidates_send(PG_FUNCTION_ARGS)
{
	XsCandidate *candidates;
	int			n = xs_candidates_unpack(PG_GETARG_DATUM(0), &candidates);
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendint8(&out, XS_CANDIDATES_FORMAT);
	pq_sendint8(&out, 0);
	pq_sendint16(&out, n);
	for (int i = 0; i < n; i++)
	{
		const XsCandidate *candidate = &candidates[i];

		pq_sendint16(&out, candidate->arm);
		pq_sendint8(&out, candidate->excluded != NULL);
		if (candidate->excluded != NULL)
			pq_sendcountedtext(&out, candidate->excluded, strlen(candidate->excluded));
		pq_sendfloat4(&out, candidate->mean);
		pq_sendfloat4(&out, candidate->sd);
		pq_sendfloat4(&out, candidate->value);
		pq_sendfloat4(&out, candidate->cost);
		pq_sendfloat8(&out, candidate->propensity);
		pq_sendfloat8(&out, candidate->probability);
		pq_sendint16(&out, candidate->ntail);
		for (int j = 0; j < candidate->ntail; j++)
			pq_sendfloat4(&out, candidate->tail[j]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

static const char *
receive_text(StringInfo in)
{
	int			length = pq_getmsgint(in, 4);
	int			converted;
	char	   *text;

	if (length < 0 || length > in->len - in->cursor)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid length in external value of type xsell_candidates")));
	text = pq_getmsgtext(in, length, &converted);
	if (strlen(text) != (Size) converted)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid text in external value of type xsell_candidates")));
	return text;
}

static void
receive_candidate(StringInfo in, XsCandidate *candidate)
{
	int			has_text;
	float4	   *tail;

	*candidate = xs_default_candidate();
	candidate->arm = pq_getmsgint(in, 2);
	has_text = pq_getmsgbyte(in);
	if (has_text > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid flag in external value of type xsell_candidates")));
	if (has_text)
		candidate->excluded = receive_text(in);
	candidate->mean = pq_getmsgfloat4(in);
	candidate->sd = pq_getmsgfloat4(in);
	candidate->value = pq_getmsgfloat4(in);
	candidate->cost = pq_getmsgfloat4(in);
	candidate->propensity = pq_getmsgfloat8(in);
	candidate->probability = pq_getmsgfloat8(in);
	candidate->ntail = pq_getmsgint(in, 2);
	candidate->tail = tail = palloc(sizeof(float4) * candidate->ntail + 1);
	for (int i = 0; i < candidate->ntail; i++)
		tail[i] = pq_getmsgfloat4(in);
}

/* xsell_candidates_recv(internal) returns xsell_candidates */
Datum
xsell_candidates_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	XsCandidate *candidates;
	int			version = pq_getmsgbyte(in);
	int			reserved = pq_getmsgbyte(in);
	int			n;

	if (version != XS_CANDIDATES_FORMAT || reserved != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown version %d of external value of type xsell_candidates", version)));
	n = pq_getmsgint(in, 2);
	candidates = palloc(sizeof(XsCandidate) * n + 1);
	for (int i = 0; i < n; i++)
		receive_candidate(in, &candidates[i]);
	PG_RETURN_DATUM(xs_candidates_pack(n, candidates));
}
