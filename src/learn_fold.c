/*
 * learn_fold.c: the set-based steps of learning.
 *
 * Each is one statement over a range of the journal, whatever its size: a batch
 * of decisions becomes rows of xsell.experience and, summed by the aggregates,
 * additions to xsell.evidence and xsell.segment_evidence.  Evidence is exact, so
 * neither the order within a batch nor its borders leave a trace.
 *
 * A range is taken by decision_id alone, whoever's decisions it holds, so that
 * its end is found in the index; agents and decisions without an offer are
 * filtered as it is read.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "journal/journal.h"
#include "learn.h"

/*
 * $1 agent, $2 decisions after, $3 horizon, $4 outcomes after, $5 offers of the
 * agent, $6 rows of the log: the $5-th or the $6-th next, whichever comes first.
 */
#define WALK \
	"d.decision_id OPERATOR(pg_catalog.>) $2 AND d.decision_id OPERATOR(pg_catalog.<) $3"

static XsStatement span = {
	.relation = "learner",
	.sql = "SELECT COALESCE(CASE WHEN $5 OPERATOR(pg_catalog.<) $6 THEN"
	" (SELECT w.decision_id FROM (SELECT d.decision_id, d.agent, d.product FROM xsell.decision d"
	"     WHERE " WALK " ORDER BY d.decision_id LIMIT $6) w"
	"   WHERE w.agent OPERATOR(pg_catalog.=) $1 AND w.product IS NOT NULL"
	"   ORDER BY w.decision_id OFFSET $5 OPERATOR(pg_catalog.-) 1 LIMIT 1) END,"
	" (SELECT d.decision_id FROM xsell.decision d WHERE " WALK
	"   ORDER BY d.decision_id OFFSET $6 OPERATOR(pg_catalog.-) 1 LIMIT 1)),"
	" (SELECT o.outcome_id FROM xsell.outcome o"
	"   WHERE o.agent OPERATOR(pg_catalog.=) $1"
	"     AND o.outcome_id OPERATOR(pg_catalog.>) $4 AND o.outcome_id OPERATOR(pg_catalog.<) $3"
	"   ORDER BY o.outcome_id OFFSET $5 OPERATOR(pg_catalog.-) 1 LIMIT 1),"
	" EXISTS (SELECT FROM xsell.decision d WHERE " WALK "),"
	" EXISTS (SELECT FROM xsell.outcome o"
	"   WHERE o.agent OPERATOR(pg_catalog.=) $1"
	"     AND o.outcome_id OPERATOR(pg_catalog.>) $4 AND o.outcome_id OPERATOR(pg_catalog.<) $3),"
	" EXISTS (SELECT FROM xsell.late l"
	"   WHERE l.agent OPERATOR(pg_catalog.=) $1 AND l.decision_id OPERATOR(pg_catalog.<=) $2)",
	.nargs = 6,
	.argtypes = {TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}
};

static XsStatement take_late = {
	.relation = "late",
	.sql = "WITH taken AS ("
	" DELETE FROM xsell.late t WHERE t.decision_id OPERATOR(pg_catalog.=) ANY (ARRAY("
	"   SELECT l.decision_id FROM xsell.late l"
	"    WHERE l.agent OPERATOR(pg_catalog.=) $1 AND l.decision_id OPERATOR(pg_catalog.<=) $2"
	"    ORDER BY l.decision_id LIMIT $3))"
	" RETURNING t.decision_id)"
	" SELECT pg_catalog.array_agg(decision_id) FROM taken",
	.nargs = 3,
	.argtypes = {TEXTOID, INT8OID, INT8OID}
};

/* Common to all: what evidence needs of a decision. */
#define OBSERVED \
	"d.decision_id, d.product, d.encoding, d.segment, d.features, d.linear_predictor," \
	" COALESCE(d.forecasts, '{}') AS forecasts, " XS_WEEK " AS week"

/* What counts of a decision's outcomes. */
#define COUNTS "pg_catalog.max(o.reward) AS reward, pg_catalog.max(o.harm) AS harm"

#define LINK "CASE WHEN b.encoding OPERATOR(pg_catalog.=) ANY ($2) THEN 'identity' ELSE 'logit' END"

/*
 * %1$s: the extension's schema; %2$s: the batch.  $1 agent, $2 identity encodings,
 * $3 version.  Reading the batch twice, under the one snapshot of the statement,
 * is cheaper than keeping it; but for segments the few columns are kept, of the
 * decisions that have one.
 */
static const char fold_text[] =
"WITH batch AS NOT MATERIALIZED (%2$s),"
" learned AS ("
"   INSERT INTO xsell.experience (decision_id, model_version, agent, reward, harm)"
"   SELECT b.decision_id, $3, $1, b.reward, b.harm FROM batch b),"
" added AS MATERIALIZED ("
"   SELECT b.product, b.encoding, b.week, pg_catalog.count(*) AS n,"
"          pg_catalog.array_agg(b.segment) FILTER (WHERE b.segment IS NOT NULL) AS segments,"
"          pg_catalog.array_agg(b.reward) FILTER (WHERE b.segment IS NOT NULL) AS rewards,"
"          %1$s.xsell_beta_agg(b.reward) AS beta,"
"          %1$s.xsell_glm_agg(b.features, b.reward, b.linear_predictor, 1, " LINK ") AS glm,"
"          %1$s.xsell_score_agg(b.forecasts, b.reward) AS score,"
"          %1$s.xsell_beta_agg(b.harm) AS harm"
"     FROM batch b GROUP BY b.product, b.encoding, b.week),"
" merged AS ("
"   INSERT INTO xsell.evidence AS e (agent, product, encoding, bucket, model_version, beta, glm, score, harm)"
"   SELECT $1, s.product, s.encoding, " XS_BUCKET("s.week") ", $3, s.beta, s.glm, s.score, s.harm FROM added s"
"   ON CONFLICT (agent, product, encoding, bucket) DO UPDATE"
"     SET model_version = excluded.model_version,"
"         beta = e.beta OPERATOR(%1$s.+) excluded.beta,"
"         glm = e.glm OPERATOR(%1$s.+) excluded.glm,"
"         score = e.score OPERATOR(%1$s.+) excluded.score,"
"         harm = e.harm OPERATOR(%1$s.+) excluded.harm),"
" segments AS ("
"   INSERT INTO xsell.segment_evidence AS e (agent, product, segment, bucket, model_version, beta)"
"   SELECT $1, s.product, s.segment, " XS_BUCKET("s.week") ", $3, s.beta"
"     FROM (SELECT a.product, r.segment, a.week, %1$s.xsell_beta_agg(r.reward) AS beta"
"             FROM added a, ROWS FROM (pg_catalog.unnest(a.segments), pg_catalog.unnest(a.rewards)) r (segment, reward)"
"            GROUP BY a.product, r.segment, a.week) s"
"   ON CONFLICT (agent, product, segment, bucket) DO UPDATE"
"     SET model_version = excluded.model_version,"
"         beta = e.beta OPERATOR(%1$s.+) excluded.beta)"
" SELECT COALESCE(pg_catalog.sum(s.n), 0)::pg_catalog.int8 FROM added s";

/*
 * $4 after, $5 last id.  A decision that has outcomes already counts their
 * largest reward and their largest harm.
 */
static const char range_text[] =
"SELECT " OBSERVED ", COALESCE(o.reward, 0) AS reward, COALESCE(o.harm, 0) AS harm"
"  FROM xsell.decision d"
"  LEFT JOIN (SELECT o.decision_id, " COUNTS " FROM xsell.outcome o"
"              WHERE o.decision_id OPERATOR(pg_catalog.>) $4 AND o.decision_id OPERATOR(pg_catalog.<=) $5"
"              GROUP BY o.decision_id) o ON o.decision_id OPERATOR(pg_catalog.=) d.decision_id"
" WHERE d.decision_id OPERATOR(pg_catalog.>) $4 AND d.decision_id OPERATOR(pg_catalog.<=) $5"
"   AND d.agent OPERATOR(pg_catalog.=) $1 AND d.product IS NOT NULL";

/* $4 decision ids */
static const char late_text[] =
"SELECT " OBSERVED ", COALESCE(o.reward, 0) AS reward, COALESCE(o.harm, 0) AS harm"
"  FROM xsell.decision d"
"  LEFT JOIN LATERAL (SELECT " COUNTS " FROM xsell.outcome o"
"              WHERE o.decision_id OPERATOR(pg_catalog.=) d.decision_id) o ON true"
" WHERE d.decision_id OPERATOR(pg_catalog.=) ANY ($4)"
"   AND d.agent OPERATOR(pg_catalog.=) $1 AND d.product IS NOT NULL"
"   AND NOT EXISTS (SELECT FROM xsell.experience e WHERE e.decision_id OPERATOR(pg_catalog.=) d.decision_id)";

/*
 * Decisions whose reward or harm is not the one that counts any more.  What they
 * taught is taken away and taught anew.  $4 outcomes after, $5 last outcome id,
 * $6 decision ids.
 *
 * The evidence to correct is looked up (LATERAL with LIMIT leaves no other plan):
 * an UPDATE that joins it would read all of the agent's while that is little.
 */
static const char correct_text[] =
"WITH change AS MATERIALIZED ("
"   SELECT " OBSERVED ", e.reward AS previous, e.harm AS previous_harm, o.reward, o.harm"
"     FROM (SELECT o.decision_id FROM xsell.outcome o"
"            WHERE o.agent OPERATOR(pg_catalog.=) $1"
"              AND o.outcome_id OPERATOR(pg_catalog.>) $4 AND o.outcome_id OPERATOR(pg_catalog.<=) $5"
"           UNION SELECT pg_catalog.unnest($6)) c"
"     JOIN LATERAL (SELECT e.reward, e.harm FROM xsell.experience e"
"            WHERE e.decision_id OPERATOR(pg_catalog.=) c.decision_id"
"            ORDER BY e.model_version DESC LIMIT 1) e ON true"
"     JOIN LATERAL (SELECT " COUNTS " FROM xsell.outcome o"
"            WHERE o.decision_id OPERATOR(pg_catalog.=) c.decision_id) o"
"       ON o.reward OPERATOR(pg_catalog.<>) e.reward OR o.harm OPERATOR(pg_catalog.<>) e.harm"
"     JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) c.decision_id),"
" learned AS ("
"   INSERT INTO xsell.experience (decision_id, model_version, agent, reward, harm, previous, previous_harm)"
"   SELECT b.decision_id, $3, $1, b.reward, b.harm, b.previous, b.previous_harm FROM change b),"
" delta AS ("
"   SELECT b.product, b.encoding, b.week,"
"          %1$s.xsell_beta_agg(b.previous) AS beta_old, %1$s.xsell_beta_agg(b.reward) AS beta_new,"
"          %1$s.xsell_glm_agg(b.features, b.previous, b.linear_predictor, 1, " LINK ") AS glm_old,"
"          %1$s.xsell_glm_agg(b.features, b.reward, b.linear_predictor, 1, " LINK ") AS glm_new,"
"          %1$s.xsell_score_agg(b.forecasts, b.previous) AS score_old, %1$s.xsell_score_agg(b.forecasts, b.reward) AS score_new,"
"          %1$s.xsell_beta_agg(b.previous_harm) AS harm_old, %1$s.xsell_beta_agg(b.harm) AS harm_new"
"     FROM change b GROUP BY b.product, b.encoding, b.week),"
" merged AS ("
"   INSERT INTO xsell.evidence AS e (agent, product, encoding, bucket, model_version, beta, glm, score, harm)"
"   SELECT $1, s.product, s.encoding, " XS_BUCKET("s.week") ", $3,"
"          x.beta OPERATOR(%1$s.-) s.beta_old OPERATOR(%1$s.+) s.beta_new,"
"          x.glm OPERATOR(%1$s.-) s.glm_old OPERATOR(%1$s.+) s.glm_new,"
"          x.score OPERATOR(%1$s.-) s.score_old OPERATOR(%1$s.+) s.score_new,"
"          x.harm OPERATOR(%1$s.-) s.harm_old OPERATOR(%1$s.+) s.harm_new"
"     FROM delta s CROSS JOIN LATERAL (SELECT x.beta, x.glm, x.score, x.harm FROM xsell.evidence x"
"            WHERE x.agent OPERATOR(pg_catalog.=) $1 AND x.product OPERATOR(pg_catalog.=) s.product"
"              AND x.encoding OPERATOR(pg_catalog.=) s.encoding"
"              AND x.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week") " LIMIT 1) x"
"   ON CONFLICT (agent, product, encoding, bucket) DO UPDATE"
"     SET model_version = excluded.model_version, beta = excluded.beta, glm = excluded.glm,"
"         score = excluded.score, harm = excluded.harm),"
" segments AS ("
"   INSERT INTO xsell.segment_evidence AS e (agent, product, segment, bucket, model_version, beta)"
"   SELECT $1, s.product, s.segment, " XS_BUCKET("s.week") ", $3,"
"          x.beta OPERATOR(%1$s.-) s.beta_old OPERATOR(%1$s.+) s.beta_new"
"     FROM (SELECT b.product, b.segment, b.week,"
"                  %1$s.xsell_beta_agg(b.previous) AS beta_old, %1$s.xsell_beta_agg(b.reward) AS beta_new"
"             FROM change b WHERE b.segment IS NOT NULL GROUP BY b.product, b.segment, b.week) s"
"    CROSS JOIN LATERAL (SELECT x.beta FROM xsell.segment_evidence x"
"            WHERE x.agent OPERATOR(pg_catalog.=) $1 AND x.product OPERATOR(pg_catalog.=) s.product"
"              AND x.segment OPERATOR(pg_catalog.=) s.segment"
"              AND x.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week") " LIMIT 1) x"
"   ON CONFLICT (agent, product, segment, bucket) DO UPDATE"
"     SET model_version = excluded.model_version, beta = excluded.beta)"
" SELECT pg_catalog.count(*) FROM change b";

static XsStatement fold_range = {
	.relation = "evidence",
	.nargs = 5,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8OID, INT8OID}
};
static XsStatement fold_late = {
	.relation = "evidence",
	.nargs = 4,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8ARRAYOID}
};
static XsStatement correct = {
	.relation = "evidence",
	.nargs = 6,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8OID, INT8OID, INT8ARRAYOID}
};

/* The schema of the type of xsell.evidence.glm. */
static Oid
extension_schema(void)
{
	Oid			relation = get_relname_relid("evidence", get_namespace_oid("xsell", true));
	AttrNumber	attnum = OidIsValid(relation) ? get_attnum(relation, "glm") : InvalidAttrNumber;
	HeapTuple	type;
	Oid			schema;

	if (attnum == InvalidAttrNumber)
	{
		xs_journal_key_type();	/* reports that there is no journal */
		elog(ERROR, "xsell.evidence is not as it was created");
	}
	type = SearchSysCache1(TYPEOID, ObjectIdGetDatum(get_atttype(relation, attnum)));
	if (!HeapTupleIsValid(type))
		elog(ERROR, "cache lookup failed for the type of xsell.evidence.glm");
	schema = ((Form_pg_type) GETSTRUCT(type))->typnamespace;
	ReleaseSysCache(type);
	return schema;
}

const char *
xs_extension_schema(void)
{
	return quote_identifier(get_namespace_name(extension_schema()));
}

/* The texts that name the extension's schema are made at first use. */
static void
make_texts(void)
{
	static Oid	made_for = InvalidOid;
	Oid			schema = extension_schema();
	const char *name;
	MemoryContext caller;

	if (schema == made_for)
		return;
	name = quote_identifier(get_namespace_name(schema));
	caller = MemoryContextSwitchTo(TopMemoryContext);
	fold_range.sql = psprintf(fold_text, name, range_text);
	fold_late.sql = psprintf(fold_text, name, late_text);
	correct.sql = psprintf(correct_text, name);
	MemoryContextSwitchTo(caller);
	made_for = schema;
}

static Datum
column(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, isnull);
}

static int64
count_of(XsStatement *statement, const Datum *values, const char *nulls)
{
	bool		isnull;

	if (xs_execute(statement, values, nulls, XS_WRITE, 0) != 1)
		elog(ERROR, "a learning step returned no count");
	return DatumGetInt64(column(1, &isnull));
}

XsSpan
xs_span(const char *agent, int64 folded_to, int64 outcomes_to, int64 horizon, int64 n, int64 rows)
{
	Datum		values[] = {
		CStringGetTextDatum(agent), Int64GetDatum(folded_to), Int64GetDatum(horizon),
		Int64GetDatum(outcomes_to), Int64GetDatum(n), Int64GetDatum(rows)
	};
	XsSpan		result;
	bool		isnull;

	xs_execute(&span, values, NULL, XS_READ_NEWEST, 1);

	/* fewer than asked for: all of them; positions never go back */
	result.decisions_to = DatumGetInt64(column(1, &isnull));
	if (isnull)
		result.decisions_to = Max(folded_to, horizon - 1);
	result.outcomes_to = DatumGetInt64(column(2, &isnull));
	if (isnull)
		result.outcomes_to = Max(outcomes_to, horizon - 1);
	result.decisions = DatumGetBool(column(3, &isnull));
	result.outcomes = DatumGetBool(column(4, &isnull));
	result.late = DatumGetBool(column(5, &isnull));
	return result;
}

int64
xs_fold_range(const XsLearning *learning, int64 folded_to, int64 upto, int64 version)
{
	Datum		values[] = {
		CStringGetTextDatum(learning->agent), learning->identity, Int64GetDatum(version),
		Int64GetDatum(folded_to), Int64GetDatum(upto)
	};

	make_texts();
	return count_of(&fold_range, values, NULL);
}

int64
xs_fold_late(const XsLearning *learning, Datum decisions, int64 version)
{
	Datum		values[] = {
		CStringGetTextDatum(learning->agent), learning->identity, Int64GetDatum(version),
		decisions
	};

	make_texts();
	return count_of(&fold_late, values, NULL);
}

int64
xs_correct(const XsLearning *learning, int64 outcomes_to, int64 upto, Datum decisions, int64 version)
{
	Datum		values[] = {
		CStringGetTextDatum(learning->agent), learning->identity, Int64GetDatum(version),
		Int64GetDatum(outcomes_to), Int64GetDatum(upto), decisions
	};

	make_texts();
	return count_of(&correct, values, NULL);
}

bool
xs_take_late(const char *agent, int64 folded_to, int64 n, Datum *decisions)
{
	Datum		values[] = {
		CStringGetTextDatum(agent), Int64GetDatum(folded_to), Int64GetDatum(n)
	};
	Datum		taken;
	bool		isnull;

	xs_execute(&take_late, values, NULL, XS_WRITE, 0);
	taken = column(1, &isnull);
	if (isnull)
		return false;
	*decisions = PointerGetDatum(DatumGetArrayTypePCopy(taken));
	return true;
}
