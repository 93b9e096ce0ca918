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
 * the log, and the text form (candidates_io.c), which is JSON, can express every
 * value.  Zeros lose their sign, which JSON does not keep.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "../compat.h"
#include "array.h"
#include "candidate_fields.h"
#include "journal.h"

#define MAX_CANDIDATES	PG_UINT16_MAX

PG_FUNCTION_INFO_V1(xsell_candidates_eq);
PG_FUNCTION_INFO_V1(xsell_candidates_list);

/* ---- what is valid ---- */

XsCandidate
xs_default_candidate(void)
{
	XsCandidate candidate = {.value = 1, .propensity = NAN};

	return candidate;
}

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

int
xs_candidate_fields(const XsCandidate *candidate)
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
	int			flags = xs_candidate_fields(candidate);

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
	int			flags = xs_candidate_fields(candidate);

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
	*to++ = XS_CANDIDATES_FORMAT;
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
	*candidate = xs_default_candidate();
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
	if (take_byte(&reader) != XS_CANDIDATES_FORMAT || take_byte(&reader) != 0)
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
	bool		no_prediction = candidate->excluded != NULL && !(xs_candidate_fields(candidate) & HAS_PREDICTION);

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
