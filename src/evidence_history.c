/*
 * evidence_history.c: an agent's evidence as of an earlier model version.
 *
 * Evidence is the sum, over the rows of xsell.experience, of what the row's
 * reward and harm teach less what those before them taught.  So evidence at one
 * version becomes evidence at another by adding, or taking away, the rows
 * between the two: exactly, whichever way.  A walk through the log in order
 * reads every row once; a jump starts from nothing, from where the last call
 * was, or from the live evidence, whichever is nearest in versions.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"

#include "evidence_history.h"
#include "journal/journal.h"
#include "learn.h"
#include "types/types.h"

#define NEAR 100				/* versions that are rolled without looking at the live evidence */

/* A row of xsell.evidence, or of xsell.segment_evidence: then beta is all it has. */
typedef struct Row
{
	const char *product;
	const char *segment;		/* NULL in rows of xsell.evidence, which have an encoding */
	int32		encoding;
	DateADT		bucket;
	const char *source;
	XsBeta		beta;
	XsBeta		harm;
	XsScore    *score;
	XsGlm	   *glm;			/* NULL if it was not asked for */
} Row;

/* Sorted. */
typedef struct Rows
{
	int			n;
	int			nallocated;
	Row		  **row;
} Rows;

struct XsEvidenceHistory
{
	MemoryContext context;		/* of what is at hand, emptied when another agent comes */
	char	   *agent;			/* NULL: nothing is at hand */
	bool		with_glm;
	Datum		identity;		/* encodings whose link is the identity */
	int64		model_version;
	Rows		evidence;
	Rows		segments;
};

static XsStatement live_version = {
	.relation = "learner",
	.sql = "SELECT l.model_version FROM xsell.learner l WHERE l.agent OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* Columns as of evidence_between, the old states being none. */
static XsStatement live_evidence = {
	.relation = "evidence",
	.sql = "SELECT e.product, e.encoding, e.bucket, e.beta, NULL, e.harm, NULL, e.score, NULL,"
	"       CASE WHEN $2 THEN e.glm END, NULL, e.source"
	"  FROM xsell.evidence e WHERE e.agent OPERATOR(pg_catalog.=) $1"
	" ORDER BY e.product COLLATE pg_catalog.\"C\", e.encoding, e.bucket, e.source COLLATE pg_catalog.\"C\"",
	.nargs = 2,
	.argtypes = {TEXTOID, BOOLOID}
};

static XsStatement live_segments = {
	.relation = "segment_evidence",
	.sql = "SELECT e.product, e.segment, e.bucket, e.beta, NULL, e.source"
	"  FROM xsell.segment_evidence e WHERE e.agent OPERATOR(pg_catalog.=) $1"
	" ORDER BY e.product COLLATE pg_catalog.\"C\", e.segment COLLATE pg_catalog.\"C\", e.bucket, e.source COLLATE pg_catalog.\"C\"",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/*
 * %1$s: the extension's schema.  $1 agent, $2 after, $3 last version, $4 with glm,
 * $5 identity encodings.  Each state is followed by the one it replaced; then come
 * the source and whether there are segments.
 */
#define BETWEEN \
	"  FROM xsell.experience e" \
	"  JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) e.decision_id" \
	" WHERE e.agent OPERATOR(pg_catalog.=) $1" \
	"   AND e.model_version OPERATOR(pg_catalog.>) $2 AND e.model_version OPERATOR(pg_catalog.<=) $3"

#define LINK "CASE WHEN d.encoding OPERATOR(pg_catalog.=) ANY ($5) THEN 'identity' ELSE 'logit' END"

#define NEW "WHERE e.weight OPERATOR(pg_catalog.>) 0"
#define OLD "WHERE e.previous_weight OPERATOR(pg_catalog.>) 0"

static const char evidence_text[] =
"SELECT s.product, s.encoding, " XS_BUCKET("s.week") ", s.beta_new, s.beta_old, s.harm_new, s.harm_old,"
"       s.score_new, s.score_old, s.glm_new, s.glm_old, s.source, s.segments OPERATOR(pg_catalog.>) 0"
"  FROM (SELECT d.product, d.encoding, " XS_WEEK " AS week, " XS_SOURCE " AS source, pg_catalog.count(d.segment) AS segments,"
"          %1$s.xsell_beta_agg(e.reward, e.weight) FILTER (" NEW ") AS beta_new,"
"          %1$s.xsell_beta_agg(e.previous, e.previous_weight) FILTER (" OLD ") AS beta_old,"
"          %1$s.xsell_beta_agg(e.harm, e.weight) FILTER (" NEW ") AS harm_new,"
"          %1$s.xsell_beta_agg(e.previous_harm, e.previous_weight) FILTER (" OLD ") AS harm_old,"
"          %1$s.xsell_score_agg(COALESCE(d.forecasts, '{}'), e.reward) FILTER (" NEW ") AS score_new,"
"          %1$s.xsell_score_agg(COALESCE(d.forecasts, '{}'), e.previous) FILTER (" OLD ") AS score_old,"
"          %1$s.xsell_glm_agg(d.features, e.reward, d.linear_predictor, e.weight, " LINK ") FILTER (" NEW " AND $4) AS glm_new,"
"          %1$s.xsell_glm_agg(d.features, e.previous, d.linear_predictor, e.previous_weight, " LINK ") FILTER (" OLD " AND $4) AS glm_old"
BETWEEN
" GROUP BY 1, 2, 3, 4) s ORDER BY s.product COLLATE pg_catalog.\"C\", s.encoding, s.week, s.source COLLATE pg_catalog.\"C\"";

static const char segments_text[] =
"SELECT s.product, s.segment, " XS_BUCKET("s.week") ", s.beta_new, s.beta_old, s.source"
"  FROM (SELECT d.product, d.segment, " XS_WEEK " AS week, " XS_SOURCE " AS source,"
"          %1$s.xsell_beta_agg(e.reward, e.weight) FILTER (" NEW ") AS beta_new,"
"          %1$s.xsell_beta_agg(e.previous, e.previous_weight) FILTER (" OLD ") AS beta_old"
BETWEEN " AND d.segment IS NOT NULL"
" GROUP BY 1, 2, 3, 4) s ORDER BY s.product COLLATE pg_catalog.\"C\", s.segment COLLATE pg_catalog.\"C\", s.week, s.source COLLATE pg_catalog.\"C\"";

static XsStatement evidence_between = {
	.relation = "experience",
	.nargs = 5,
	.argtypes = {TEXTOID, INT8OID, INT8OID, BOOLOID, INT4ARRAYOID}
};
static XsStatement segments_between = {
	.relation = "experience",
	.nargs = 3,
	.argtypes = {TEXTOID, INT8OID, INT8OID}
};

/* The texts that name the extension's schema are made at first use. */
static void
make_texts(void)
{
	static char *made_for = NULL;
	const char *schema = xs_extension_schema();
	MemoryContext caller;

	if (made_for != NULL && strcmp(made_for, schema) == 0)
		return;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	evidence_between.sql = psprintf(evidence_text, schema);
	segments_between.sql = psprintf(segments_text, schema);
	made_for = pstrdup(schema);
	MemoryContextSwitchTo(caller);
}

static Datum
column(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

/* ---- rows ---- */

static int
compare(const Row *a, const Row *b)
{
	int			result = strcmp(a->product, b->product);

	if (result == 0 && a->segment != NULL)
		result = strcmp(a->segment, b->segment);
	if (result == 0)
		result = (a->encoding > b->encoding) - (a->encoding < b->encoding);
	if (result == 0)
		result = (a->bucket > b->bucket) - (a->bucket < b->bucket);
	if (result == 0)
		result = strcmp(a->source, b->source);
	return result;
}

/* The number of rows before the key; sorted input is appended without searching. */
static int
place_of(const Rows *rows, const Row *key)
{
	int			low = 0;
	int			high = rows->n;

	if (high > 0 && compare(rows->row[high - 1], key) < 0)
		return high;
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (compare(rows->row[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static Row *
find_or_add(XsEvidenceHistory *history, Rows *rows, const Row *key)
{
	int			place = place_of(rows, key);
	MemoryContext caller;
	Row		   *row;

	if (place < rows->n && compare(rows->row[place], key) == 0)
		return rows->row[place];

	caller = MemoryContextSwitchTo(history->context);
	if (rows->n == rows->nallocated)
	{
		rows->nallocated = rows->nallocated * 2 + 64;
		rows->row = rows->n == 0 ? palloc(sizeof(Row *) * rows->nallocated)
			: repalloc_huge(rows->row, sizeof(Row *) * rows->nallocated);
	}
	row = palloc0(sizeof(Row));
	row->product = pstrdup(key->product);
	row->segment = key->segment != NULL ? pstrdup(key->segment) : NULL;
	row->encoding = key->encoding;
	row->bucket = key->bucket;
	row->source = pstrdup(key->source);
	if (key->segment == NULL)
		row->score = palloc0(sizeof(XsScore));
	MemoryContextSwitchTo(caller);

	memmove(rows->row + place + 1, rows->row + place, sizeof(Row *) * (rows->n - place));
	rows->row[place] = row;
	rows->n++;
	return row;
}

/* ---- states, from a row of the result: that in a column, and the one it replaced in the next ---- */

static void
merge_beta(XsBeta *state, uint64 i, int number, int sign)
{
	bool		isnull;
	Datum		value = column(i, number, &isnull);

	if (!isnull)
		xs_check_status(xs_beta_merge(state, xs_beta_arg(value), sign), "xsell_beta");
	value = column(i, number + 1, &isnull);
	if (!isnull)
		xs_check_status(xs_beta_merge(state, xs_beta_arg(value), -sign), "xsell_beta");
}

static void
merge_score(XsScore *state, uint64 i, int number, int sign)
{
	bool		isnull;
	Datum		value = column(i, number, &isnull);

	if (!isnull)
		xs_check_status(xs_score_merge(state, xs_score_arg(value), sign), "xsell_score");
	value = column(i, number + 1, &isnull);
	if (!isnull)
		xs_check_status(xs_score_merge(state, xs_score_arg(value), -sign), "xsell_score");
}

static void
merge_glm(XsEvidenceHistory *history, XsGlm **state, uint64 i, int number, int sign)
{
	for (int k = 0; k < 2; k++)
	{
		bool		isnull;
		Datum		value = column(i, number + k, &isnull);
		XsGlm	   *glm;

		if (isnull)
			continue;
		glm = xs_glm_detoast(value);
		if (*state == NULL)
		{
			MemoryContext caller = MemoryContextSwitchTo(history->context);

			*state = xs_glm_new(glm->dim, glm->link);
			MemoryContextSwitchTo(caller);
		}
		xs_check_status(xs_glm_merge(*state, glm, k == 0 ? sign : -sign), "xsell_glm");
	}
}

/* Merges the n rows of a result of evidence, or of segments. */
static void
merge_evidence(XsEvidenceHistory *history, uint64 n, int sign)
{
	for (uint64 i = 0; i < n; i++)
	{
		Row			key = {0};
		Row		   *row;
		bool		isnull;

		key.product = TextDatumGetCString(column(i, 1, &isnull));
		key.encoding = DatumGetInt32(column(i, 2, &isnull));
		key.bucket = DatumGetDateADT(column(i, 3, &isnull));
		key.source = TextDatumGetCString(column(i, 12, &isnull));
		row = find_or_add(history, &history->evidence, &key);
		merge_beta(&row->beta, i, 4, sign);
		merge_beta(&row->harm, i, 6, sign);
		merge_score(row->score, i, 8, sign);
		merge_glm(history, &row->glm, i, 10, sign);
	}
}

static void
merge_segments(XsEvidenceHistory *history, uint64 n, int sign)
{
	for (uint64 i = 0; i < n; i++)
	{
		Row			key = {0};
		bool		isnull;

		key.product = TextDatumGetCString(column(i, 1, &isnull));
		key.segment = TextDatumGetCString(column(i, 2, &isnull));
		key.bucket = DatumGetDateADT(column(i, 3, &isnull));
		key.source = TextDatumGetCString(column(i, 6, &isnull));
		merge_beta(&find_or_add(history, &history->segments, &key)->beta, i, 4, sign);
	}
}

/* ---- where to start ---- */

static void
start_from_nothing(XsEvidenceHistory *history, const char *agent, bool with_glm)
{
	MemoryContextReset(history->context);
	history->agent = MemoryContextStrdup(history->context, agent);
	history->with_glm = with_glm;
	history->identity = xs_identity_encodings(agent, XS_READ, history->context);
	history->model_version = 0;
	memset(&history->evidence, 0, sizeof(Rows));
	memset(&history->segments, 0, sizeof(Rows));
}

static int64
read_live_version(const char *agent)
{
	Datum		name = CStringGetTextDatum(agent);
	bool		isnull;

	if (xs_execute(&live_version, &name, NULL, XS_READ, 1) == 0)
		return 0;
	return DatumGetInt64(column(0, 1, &isnull));
}

static void
start_from_live(XsEvidenceHistory *history, const char *agent, bool with_glm, int64 version)
{
	Datum		values[] = {CStringGetTextDatum(agent), BoolGetDatum(with_glm)};

	start_from_nothing(history, agent, with_glm);
	merge_evidence(history, xs_execute(&live_evidence, values, NULL, XS_READ, 0), +1);
	merge_segments(history, xs_execute(&live_segments, values, NULL, XS_READ, 0), +1);
	history->model_version = version;
}

/* Adds (sign +1) or takes away what the versions after < v <= upto taught. */
static void
roll(XsEvidenceHistory *history, int64 after, int64 upto, int sign)
{
	Datum		values[] = {
		CStringGetTextDatum(history->agent), Int64GetDatum(after), Int64GetDatum(upto),
		BoolGetDatum(history->with_glm), history->identity
	};
	bool		segments = false;
	uint64		n;

	make_texts();
	n = xs_execute(&evidence_between, values, NULL, XS_READ, 0);
	for (uint64 i = 0; i < n && !segments; i++)
	{
		bool		isnull;

		segments = DatumGetBool(column(i, 13, &isnull));
	}
	merge_evidence(history, n, sign);
	if (segments)
		merge_segments(history, xs_execute(&segments_between, values, NULL, XS_READ, 0), sign);
}

/* ---- for the rest of xsell ---- */

XsEvidenceHistory *
xs_history_create(MemoryContext parent)
{
	XsEvidenceHistory *history = MemoryContextAllocZero(parent, sizeof(XsEvidenceHistory));

	history->context = AllocSetContextCreate(parent, "xsell evidence history",
											 ALLOCSET_DEFAULT_SIZES);
	return history;
}

static int64
between(int64 a, int64 b)
{
	return a > b ? a - b : b - a;
}

void
xs_history_at(XsEvidenceHistory *history, const char *agent, int64 model_version, bool with_glm)
{
	bool		at_hand = history->agent != NULL && strcmp(history->agent, agent) == 0 &&
	(history->with_glm || !with_glm);
	int64		distance = at_hand ? between(history->model_version, model_version) : PG_INT64_MAX;

	if (distance == 0)
		return;
	SPI_connect();
	if (distance > NEAR)
	{
		int64		live = read_live_version(agent);
		int64		from_live = between(live, model_version);

		if (from_live < Min(distance, model_version))
			start_from_live(history, agent, with_glm, live);
		else if (model_version <= distance)
			start_from_nothing(history, agent, with_glm);
	}
	if (history->model_version < model_version)
		roll(history, history->model_version, model_version, +1);
	else if (history->model_version > model_version)
		roll(history, model_version, history->model_version, -1);
	history->model_version = model_version;
	SPI_finish();
}

/* Rows without observations were rolled back to before their first experience. */
void
xs_history_each(const XsEvidenceHistory *history,
				void (*callback) (void *arg, const XsEvidenceRow *row), void *arg)
{
	for (int i = 0; i < history->evidence.n; i++)
	{
		const Row  *row = history->evidence.row[i];

		if (row->beta.n > 0)
			callback(arg, &(XsEvidenceRow) {
				.product = row->product,.encoding = row->encoding,.bucket = row->bucket,.source = row->source,
				.beta = &row->beta,.glm = row->glm,.score = row->score,.harm = &row->harm
			});
	}
}

void
xs_history_each_segment(const XsEvidenceHistory *history,
						void (*callback) (void *arg, const XsSegmentRow *row), void *arg)
{
	for (int i = 0; i < history->segments.n; i++)
	{
		const Row  *row = history->segments.row[i];

		if (row->beta.n > 0)
			callback(arg, &(XsSegmentRow) {
				.product = row->product,.segment = row->segment,.bucket = row->bucket,.source = row->source,
				.beta = &row->beta
			});
	}
}
