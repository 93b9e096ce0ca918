/*
 * candidates.c: xsell_candidates, every candidate of a decision in one value.
 *
 * A decision logs all arms that it weighed: an array of composites would take
 * several times the space.  The value is a sequence of bytes in the server's
 * byte order, without padding:
 *
 *		version (1), reserved (1, zero), number of candidates (2), and for each
 *		flags (1), arm (2), and if its flag is set, in this order:
 *		excluded		length (2), text
 *		predicted		mean (4), sd (4)
 *		value			(4), unless it is 1
 *		cost			(4), unless it is 0
 *		propensity		(8)
 *		probability		(8), unless it is 0
 *		tail			number (2), elements (4 each)
 *
 * There is one way to write a list, so equality is that of bytes.  Everything,
 * packing included, goes through check_candidate: no NaN or infinity gets into
 * the log, and the text form, which is JSON, can express every value.  Zeros lose
 * their sign, which JSON does not keep.
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "../compat.h"
#include "array.h"
#include "journal.h"

#define FORMAT_VERSION	1
#define MAX_CANDIDATES	PG_UINT16_MAX

#define HAS_EXCLUDED	0x01
#define HAS_PREDICTION	0x02
#define HAS_VALUE		0x04
#define HAS_COST		0x08
#define HAS_PROPENSITY	0x10
#define HAS_PROBABILITY 0x20
#define HAS_TAIL		0x40
#define ALL_FLAGS		0x7f

PG_FUNCTION_INFO_V1(xsell_candidates_in);
PG_FUNCTION_INFO_V1(xsell_candidates_out);
PG_FUNCTION_INFO_V1(xsell_candidates_recv);
PG_FUNCTION_INFO_V1(xsell_candidates_send);
PG_FUNCTION_INFO_V1(xsell_candidates_eq);
PG_FUNCTION_INFO_V1(xsell_candidates_list);

/* ---- what is valid ---- */

static XsCandidate
default_candidate(void)
{
	XsCandidate candidate = {.value = 1, .propensity = NAN};

	return candidate;
}

/* Equal up to the bit, the sign of zero aside. */
static bool
is_zero(double x)
{
	return x == 0;
}

static void
invalid_candidate(const XsCandidate *candidate, const char *field, const char *requirement)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("invalid value for type xsell_candidates: %s of arm %d is out of range",
					field, candidate->arm),
			 errdetail("It must be %s.", requirement)));
}

static void
check_candidate(const XsCandidate *candidate)
{
	static const char finite[] = "a finite number";
	static const char unit[] = "between 0 and 1";

	if (!isfinite(candidate->mean))
		invalid_candidate(candidate, "mean", finite);
	if (!(candidate->sd >= 0) || isinf(candidate->sd))
		invalid_candidate(candidate, "sd", "a finite number, not negative");
	if (!isfinite(candidate->value))
		invalid_candidate(candidate, "value", finite);
	if (!isfinite(candidate->cost))
		invalid_candidate(candidate, "cost", finite);
	if (!isnan(candidate->propensity) && !(candidate->propensity >= 0 && candidate->propensity <= 1))
		invalid_candidate(candidate, "propensity", unit);
	if (!(candidate->probability >= 0 && candidate->probability <= 1))
		invalid_candidate(candidate, "probability", unit);
	if (candidate->excluded != NULL && !is_zero(candidate->probability))
		invalid_candidate(candidate, "probability", "0, as the arm is excluded");
	if (candidate->excluded != NULL && strlen(candidate->excluded) > PG_UINT16_MAX)
		invalid_candidate(candidate, "excluded", "a text of at most 65535 bytes");
	if (candidate->ntail < 0 || candidate->ntail > PG_UINT16_MAX)
		invalid_candidate(candidate, "tail", "an array of at most 65535 elements");
	for (int i = 0; i < candidate->ntail; i++)
		if (!isfinite(candidate->tail[i]))
			invalid_candidate(candidate, "tail", "an array of finite numbers");
}

static void
check_candidates(int n, const XsCandidate *candidates)
{
	uint8	   *seen = palloc0((PG_UINT16_MAX + 1) / 8);

	if (n > MAX_CANDIDATES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many candidates: %d", n),
				 errdetail("A value of type xsell_candidates holds at most %d.", MAX_CANDIDATES)));
	for (int i = 0; i < n; i++)
	{
		uint16		arm = candidates[i].arm;

		if (seen[arm / 8] & (1 << arm % 8))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for type xsell_candidates: arm %d appears twice", arm)));
		seen[arm / 8] |= 1 << arm % 8;
		check_candidate(&candidates[i]);
	}
	pfree(seen);
}

/* ---- pack and unpack ---- */

static int
flags_of(const XsCandidate *candidate)
{
	return (candidate->excluded != NULL ? HAS_EXCLUDED : 0) |
		(!is_zero(candidate->mean) || !is_zero(candidate->sd) ? HAS_PREDICTION : 0) |
		(candidate->value != 1 ? HAS_VALUE : 0) |
		(!is_zero(candidate->cost) ? HAS_COST : 0) |
		(!isnan(candidate->propensity) ? HAS_PROPENSITY : 0) |
		(!is_zero(candidate->probability) ? HAS_PROBABILITY : 0) |
		(candidate->ntail > 0 ? HAS_TAIL : 0);
}

static Size
packed_size(const XsCandidate *candidate)
{
	int			flags = flags_of(candidate);

	return 3 +
		(flags & HAS_EXCLUDED ? 2 + strlen(candidate->excluded) : 0) +
		(flags & HAS_PREDICTION ? 8 : 0) +
		(flags & HAS_VALUE ? 4 : 0) +
		(flags & HAS_COST ? 4 : 0) +
		(flags & HAS_PROPENSITY ? 8 : 0) +
		(flags & HAS_PROBABILITY ? 8 : 0) +
		(flags & HAS_TAIL ? 2 + sizeof(float4) * candidate->ntail : 0);
}

static char *
put(char *to, const void *from, Size size)
{
	memcpy(to, from, size);
	return to + size;
}

static char *
put_uint16(char *to, uint16 value)
{
	return put(to, &value, sizeof(value));
}

/* adding 0 drops the sign of a zero */
static char *
put_float4(char *to, float4 value)
{
	value += 0.0f;
	return put(to, &value, sizeof(value));
}

static char *
put_float8(char *to, float8 value)
{
	value += 0.0;
	return put(to, &value, sizeof(value));
}

static char *
put_candidate(char *to, const XsCandidate *candidate)
{
	int			flags = flags_of(candidate);

	*to++ = flags;
	to = put_uint16(to, candidate->arm);
	if (flags & HAS_EXCLUDED)
	{
		uint16		length = strlen(candidate->excluded);

		to = put_uint16(to, length);
		to = put(to, candidate->excluded, length);
	}
	if (flags & HAS_PREDICTION)
	{
		to = put_float4(to, candidate->mean);
		to = put_float4(to, candidate->sd);
	}
	if (flags & HAS_VALUE)
		to = put_float4(to, candidate->value);
	if (flags & HAS_COST)
		to = put_float4(to, candidate->cost);
	if (flags & HAS_PROPENSITY)
		to = put_float8(to, candidate->propensity);
	if (flags & HAS_PROBABILITY)
		to = put_float8(to, candidate->probability);
	if (flags & HAS_TAIL)
	{
		to = put_uint16(to, candidate->ntail);
		for (int i = 0; i < candidate->ntail; i++)
			to = put_float4(to, candidate->tail[i]);
	}
	return to;
}

Datum
xs_candidates_pack(int n, const XsCandidate *candidates)
{
	Size		size = VARHDRSZ + 4;
	struct varlena *packed;
	char	   *to;

	check_candidates(n, candidates);
	for (int i = 0; i < n; i++)
		size += packed_size(&candidates[i]);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value of type xsell_candidates is too long")));

	packed = palloc(size);
	SET_VARSIZE(packed, size);
	to = VARDATA(packed);
	*to++ = FORMAT_VERSION;
	*to++ = 0;
	to = put_uint16(to, n);
	for (int i = 0; i < n; i++)
		to = put_candidate(to, &candidates[i]);
	Assert(to == (char *) packed + size);
	return PointerGetDatum(packed);
}

typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

static void
corrupted(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("corrupted value of type xsell_candidates")));
}

static const char *
take(Reader *reader, Size size)
{
	const char *at = reader->at;

	if (size > (Size) (reader->end - at))
		corrupted();
	reader->at += size;
	return at;
}

static int
take_byte(Reader *reader)
{
	return *(const uint8 *) take(reader, 1);
}

static uint16
take_uint16(Reader *reader)
{
	uint16		value;

	memcpy(&value, take(reader, sizeof(value)), sizeof(value));
	return value;
}

static float4
take_float4(Reader *reader)
{
	float4		value;

	memcpy(&value, take(reader, sizeof(value)), sizeof(value));
	return value;
}

static float8
take_float8(Reader *reader)
{
	float8		value;

	memcpy(&value, take(reader, sizeof(value)), sizeof(value));
	return value;
}

static void
take_candidate(Reader *reader, XsCandidate *candidate)
{
	int			flags = take_byte(reader);

	if (flags & ~ALL_FLAGS)
		corrupted();
	*candidate = default_candidate();
	candidate->arm = take_uint16(reader);
	if (flags & HAS_EXCLUDED)
	{
		int			length = take_uint16(reader);

		candidate->excluded = pnstrdup(take(reader, length), length);
	}
	if (flags & HAS_PREDICTION)
	{
		candidate->mean = take_float4(reader);
		candidate->sd = take_float4(reader);
	}
	if (flags & HAS_VALUE)
		candidate->value = take_float4(reader);
	if (flags & HAS_COST)
		candidate->cost = take_float4(reader);
	if (flags & HAS_PROPENSITY)
		candidate->propensity = take_float8(reader);
	if (flags & HAS_PROBABILITY)
		candidate->probability = take_float8(reader);
	if (flags & HAS_TAIL)
	{
		Size		size = sizeof(float4) * (candidate->ntail = take_uint16(reader));
		const char *tail = take(reader, size);

		candidate->tail = memcpy(palloc(size + 1), tail, size);
	}
}

int
xs_candidates_unpack(Datum packed, XsCandidate **candidates)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(packed);
	Reader		reader;
	int			n;

	reader.at = VARDATA_ANY(value);
	reader.end = reader.at + VARSIZE_ANY_EXHDR(value);
	if (take_byte(&reader) != FORMAT_VERSION || take_byte(&reader) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("unknown format of a value of type xsell_candidates"),
				 errhint("A newer version of xsell may have written it.")));
	n = take_uint16(&reader);
	*candidates = palloc(sizeof(XsCandidate) * n + 1);
	for (int i = 0; i < n; i++)
		take_candidate(&reader, &(*candidates)[i]);
	if (reader.at != reader.end)
		corrupted();
	check_candidates(n, *candidates);
	return n;
}

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
	int			flags = flags_of(candidate);

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
	*candidate = default_candidate();
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
	pq_sendint8(&out, FORMAT_VERSION);
	pq_sendint8(&out, 0);
	pq_sendint16(&out, n);
	for (int i = 0; i < n; i++)
	{
		const XsCandidate *candidate = &candidates[i];

		pq_sendint16(&out, candidate->arm);
		pq_sendint8(&out, candidate->excluded != NULL);
		if (candidate->excluded != NULL)
			pq_sendcountedtext(&out, candidate->excluded, strlen(candidate->excluded), false);
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

	*candidate = default_candidate();
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

	if (version != FORMAT_VERSION || reserved != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown version %d of external value of type xsell_candidates", version)));
	n = pq_getmsgint(in, 2);
	candidates = palloc(sizeof(XsCandidate) * n + 1);
	for (int i = 0; i < n; i++)
		receive_candidate(in, &candidates[i]);
	PG_RETURN_DATUM(xs_candidates_pack(n, candidates));
}

/* ---- functions ---- */

/* xsell_candidates_eq(xsell_candidates, xsell_candidates) returns boolean */
Datum
xsell_candidates_eq(PG_FUNCTION_ARGS)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	Size		size = VARSIZE_ANY_EXHDR(a);
	bool		equal = size == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), size) == 0;

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_BOOL(equal);
}

/* The columns of xsell_candidates_list; an excluded arm has no prediction. */
static HeapTuple
candidate_row(TupleDesc desc, const XsCandidate *candidate)
{
	Datum		values[9];
	bool		nulls[9] = {false};
	bool		no_prediction = candidate->excluded != NULL && !(flags_of(candidate) & HAS_PREDICTION);

	values[0] = Int32GetDatum(candidate->arm);
	nulls[1] = candidate->excluded == NULL;
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(candidate->excluded);
	nulls[2] = nulls[3] = no_prediction;
	values[2] = Float4GetDatum(candidate->mean);
	values[3] = Float4GetDatum(candidate->sd);
	values[4] = Float4GetDatum(candidate->value);
	values[5] = Float4GetDatum(candidate->cost);
	nulls[6] = isnan(candidate->propensity);
	values[6] = Float8GetDatum(candidate->propensity);
	values[7] = Float8GetDatum(candidate->probability);
	values[8] = xs_array_of(FLOAT4OID, sizeof(float4), candidate->ntail, candidate->tail);
	return heap_form_tuple(desc, values, nulls);
}

typedef struct CandidateList
{
	XsCandidate *candidates;
	TupleDesc	desc;
} CandidateList;

/* xsell_candidates_list(xsell_candidates) returns table (...) */
Datum
xsell_candidates_list(PG_FUNCTION_ARGS)
{
	FuncCallContext *calls;
	CandidateList *list;
	HeapTuple	row;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		calls = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(calls->multi_call_memory_ctx);
		list = palloc(sizeof(CandidateList));
		calls->max_calls = xs_candidates_unpack(PG_GETARG_DATUM(0), &list->candidates);
		if (get_call_result_type(fcinfo, NULL, &list->desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		list->desc = BlessTupleDesc(list->desc);
		calls->user_fctx = list;
		MemoryContextSwitchTo(old);
	}

	calls = SRF_PERCALL_SETUP();
	list = calls->user_fctx;
	if (calls->call_cntr >= calls->max_calls)
		SRF_RETURN_DONE(calls);
	row = candidate_row(list->desc, &list->candidates[calls->call_cntr]);
	SRF_RETURN_NEXT(calls, HeapTupleGetDatum(row));
}
