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
#include "utils/fmgrprotos.h"
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
	"   WHERE l.agent OPERATOR(pg_catalog.=) $1 AND l.decision_id OPERATOR(pg_catalog.<=) $2),"
	" EXISTS (SELECT FROM xsell.held h WHERE h.agent OPERATOR(pg_catalog.=) $1)",
	.nargs = 6,
	.argtypes = {TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}
};

/*
 * Decisions, late ones and outcomes that are to be learned, up to $5 of each; and the
 * rows of the log ahead, whoever's they are, up to $6.
 */
static XsStatement waiting = {
	.relation = "learner",
	.sql = "SELECT w.own"
	" OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM (SELECT FROM xsell.late l"
	"   WHERE l.agent OPERATOR(pg_catalog.=) $1 AND l.decision_id OPERATOR(pg_catalog.<=) $2 LIMIT $5) x)"
	" OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM (SELECT FROM xsell.outcome o"
	"   WHERE o.agent OPERATOR(pg_catalog.=) $1"
	"     AND o.outcome_id OPERATOR(pg_catalog.>) $4 AND o.outcome_id OPERATOR(pg_catalog.<) $3 LIMIT $5) x), w.rows"
	"  FROM (SELECT pg_catalog.count(*) FILTER (WHERE d.agent OPERATOR(pg_catalog.=) $1 AND d.product IS NOT NULL) AS own,"
	"               pg_catalog.count(*) AS rows"
	"          FROM (SELECT d.agent, d.product FROM xsell.decision d WHERE " WALK
	"                 ORDER BY d.decision_id LIMIT $6) d) w",
	.nargs = 6,
	.argtypes = {TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}
};
#define MOST_AHEAD 20000		/* rows of the log: then the walk goes on, however few are the agent's */

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

#define COUNTED "b.weight OPERATOR(pg_catalog.>) 0"
#define COUNTED_BEFORE "b.previous_weight OPERATOR(pg_catalog.>) 0"
#define SEGMENTED "b.segment IS NOT NULL AND " COUNTED

/* A state of x less what the group s taught before, and more by what it teaches now; any may be NULL. */
#define REPLACED(state) \
	"CASE WHEN x." state " IS NULL THEN s." state "_new" \
	" WHEN s." state "_old IS NULL THEN x." state " OPERATOR(%1$s.+) s." state "_new" \
	" WHEN s." state "_new IS NULL THEN x." state " OPERATOR(%1$s.-) s." state "_old" \
	" ELSE x." state " OPERATOR(%1$s.-) s." state "_old OPERATOR(%1$s.+) s." state "_new END"
#define ANY_EVIDENCE "s.beta_old IS NOT NULL OR s.beta_new IS NOT NULL"

/* Whether a silent feed covers the row d; channels and ids as in heard_text. */
#define SILENT(channels, ids) \
	"EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest(" channels "), pg_catalog.unnest(" ids ")) s (channel, since)" \
	" WHERE (s.channel IS NULL OR s.channel OPERATOR(pg_catalog.=) d.channel) AND d.decision_id OPERATOR(pg_catalog.>) s.since)"

/* Of those whose feed would report: history is imported with its outcome. */
#define AWAITED(channels, ids) \
	"(d.cohort OPERATOR(pg_catalog.<>) 'imported' AND " SILENT(channels, ids) ")"

/* Common to all: what evidence needs of a decision. */
#define OBSERVED \
	"d.decision_id, d.product, d.encoding, d.segment, d.features, d.linear_predictor," \
	" COALESCE(d.forecasts, '{}') AS forecasts, " XS_WEEK " AS week, " XS_SOURCE " AS source"

/*
 * What the decision d teaches, given the sums o of its outcomes: nothing if no
 * outcome shows that it has reached the customer, and one says that it has not, or
 * the channel would have said that it has.
 */
#define TAUGHT \
	"CASE WHEN o.reached THEN COALESCE(d.weight, 1)" \
	"     WHEN o.lost OR d.awaits_delivery THEN 0 ELSE COALESCE(d.weight, 1) END AS weight," \
	" COALESCE(o.reward, 0) AS reward, COALESCE(o.harm, 0) AS harm"

/*
 * Sums of a decision's outcomes o that count.  One that was reversed does not,
 * unless its reversal was reversed; longer chains are no policy.
 */
#define COUNTS \
	"pg_catalog.max(o.reward) AS reward, pg_catalog.max(o.harm) AS harm," \
	" pg_catalog.bool_or(o.delivery IS NULL OR o.delivery OPERATOR(pg_catalog.<>) 'undelivered') AS reached," \
	" pg_catalog.bool_or(o.delivery OPERATOR(pg_catalog.=) 'undelivered') AS lost"
#define STANDS \
	"NOT EXISTS (SELECT FROM xsell.outcome r" \
	" WHERE r.decision_id OPERATOR(pg_catalog.=) o.decision_id AND r.reverses IS NOT NULL" \
	"   AND r.reverses OPERATOR(pg_catalog.=) o.outcome" \
	"   AND NOT EXISTS (SELECT FROM xsell.outcome q" \
	"     WHERE q.decision_id OPERATOR(pg_catalog.=) r.decision_id AND q.reverses IS NOT NULL" \
	"       AND q.reverses OPERATOR(pg_catalog.=) r.outcome))"

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
"   INSERT INTO xsell.experience (decision_id, model_version, agent, weight, reward, harm)"
"   SELECT b.decision_id, $3, $1, b.weight, b.reward, b.harm FROM batch b),"
" added AS MATERIALIZED ("
"   SELECT b.product, b.encoding, b.week, b.source, pg_catalog.count(*) AS n,"
"          pg_catalog.array_agg(b.segment) FILTER (WHERE " SEGMENTED ") AS segments,"
"          pg_catalog.array_agg(b.reward) FILTER (WHERE " SEGMENTED ") AS rewards,"
"          pg_catalog.array_agg(b.weight) FILTER (WHERE " SEGMENTED ") AS weights,"
"          %1$s.xsell_beta_agg(b.reward, b.weight) FILTER (WHERE " COUNTED ") AS beta,"
"          %1$s.xsell_glm_agg(b.features, b.reward, b.linear_predictor, b.weight, " LINK ") FILTER (WHERE " COUNTED ") AS glm,"
"          %1$s.xsell_score_agg(b.forecasts, b.reward) FILTER (WHERE " COUNTED ") AS score,"
"          %1$s.xsell_beta_agg(b.harm, b.weight) FILTER (WHERE " COUNTED ") AS harm"
"     FROM batch b GROUP BY b.product, b.encoding, b.week, b.source),"
" merged AS ("
"   INSERT INTO xsell.evidence AS e (agent, product, encoding, bucket, source, model_version, beta, glm, score, harm)"
"   SELECT $1, s.product, s.encoding, " XS_BUCKET("s.week") ", s.source, $3, s.beta, s.glm, s.score, s.harm"
"     FROM added s WHERE s.beta IS NOT NULL"
"   ON CONFLICT (agent, product, encoding, bucket, source) DO UPDATE"
"     SET model_version = excluded.model_version,"
"         beta = e.beta OPERATOR(%1$s.+) excluded.beta,"
"         glm = e.glm OPERATOR(%1$s.+) excluded.glm,"
"         score = e.score OPERATOR(%1$s.+) excluded.score,"
"         harm = e.harm OPERATOR(%1$s.+) excluded.harm),"
" segments AS ("
"   INSERT INTO xsell.segment_evidence AS e (agent, product, segment, bucket, source, model_version, beta)"
"   SELECT $1, s.product, s.segment, " XS_BUCKET("s.week") ", s.source, $3, s.beta"
"     FROM (SELECT a.product, r.segment, a.week, a.source, %1$s.xsell_beta_agg(r.reward, r.weight) AS beta"
"             FROM added a, ROWS FROM (pg_catalog.unnest(a.segments), pg_catalog.unnest(a.rewards), pg_catalog.unnest(a.weights))"
"                  r (segment, reward, weight)"
"            GROUP BY a.product, r.segment, a.week, a.source) s"
"   ON CONFLICT (agent, product, segment, bucket, source) DO UPDATE"
"     SET model_version = excluded.model_version,"
"         beta = e.beta OPERATOR(%1$s.+) excluded.beta)"
" SELECT COALESCE(pg_catalog.sum(s.n), 0)::pg_catalog.int8 FROM added s";

/*
 * $4 after, $5 last id.  A decision that has outcomes already is learned with
 * what they say, which is looked up: sums of the range's outcomes, joined, were
 * gone through once per decision where tables had no statistics yet.
 */
static const char range_text[] =
"SELECT " OBSERVED ", " TAUGHT
"  FROM xsell.decision d"
"  LEFT JOIN LATERAL (SELECT " COUNTS " FROM xsell.outcome o"
"              WHERE o.decision_id OPERATOR(pg_catalog.=) d.decision_id AND " STANDS ") o ON true"
" WHERE d.decision_id OPERATOR(pg_catalog.>) $4 AND d.decision_id OPERATOR(pg_catalog.<=) $5"
"   AND d.agent OPERATOR(pg_catalog.=) $1 AND d.product IS NOT NULL";

/* $4 decision ids */
static const char late_text[] =
"SELECT " OBSERVED ", " TAUGHT
"  FROM xsell.decision d"
"  LEFT JOIN LATERAL (SELECT " COUNTS " FROM xsell.outcome o"
"              WHERE o.decision_id OPERATOR(pg_catalog.=) d.decision_id AND " STANDS ") o ON true"
" WHERE d.decision_id OPERATOR(pg_catalog.=) ANY ($4)"
"   AND d.agent OPERATOR(pg_catalog.=) $1 AND d.product IS NOT NULL"
"   AND NOT EXISTS (SELECT FROM xsell.experience e WHERE e.decision_id OPERATOR(pg_catalog.=) d.decision_id)";

/* Behind either where feeds are silent: $6 their channels, NULL for all, $7 the last ids before their silence. */
static const char heard_text[] = " AND NOT " AWAITED("$6", "$7");

/*
 * Decisions whose lesson is not the one that counts any more.  What they taught is
 * taken away and taught anew.  $4 outcomes after, $5 last outcome id, $6 decision
 * ids.
 *
 * The evidence to correct is looked up (LATERAL with LIMIT leaves no other plan):
 * an UPDATE that joins it would read all of the agent's while that is little.
 * What never counted before may have left no evidence of its week yet.
 *
 * An outcome that was under way when its customer was forgotten committed after
 * its decision had gone: it goes here.  (A subquery for its decision, not a join,
 * which might read the log.)
 */
static const char correct_text[] =
"WITH stray AS ("
"   DELETE FROM xsell.outcome o"
"    WHERE (SELECT EXISTS (SELECT FROM xsell.forgotten f WHERE f.agent OPERATOR(pg_catalog.=) $1))"
"      AND o.agent OPERATOR(pg_catalog.=) $1"
"      AND o.outcome_id OPERATOR(pg_catalog.>) $4 AND o.outcome_id OPERATOR(pg_catalog.<=) $5"
"      AND (SELECT d.decision_id FROM xsell.decision d WHERE d.decision_id OPERATOR(pg_catalog.=) o.decision_id) IS NULL),"
" change AS MATERIALIZED ("
"   SELECT b.* FROM (SELECT " OBSERVED ", " TAUGHT ","
"          e.weight AS previous_weight, e.reward AS previous, e.harm AS previous_harm"
"     FROM (SELECT o.decision_id FROM xsell.outcome o"
"            WHERE o.agent OPERATOR(pg_catalog.=) $1"
"              AND o.outcome_id OPERATOR(pg_catalog.>) $4 AND o.outcome_id OPERATOR(pg_catalog.<=) $5"
"           UNION SELECT pg_catalog.unnest($6)) c"
"     JOIN LATERAL (SELECT e.weight, e.reward, e.harm FROM xsell.experience e"
"            WHERE e.decision_id OPERATOR(pg_catalog.=) c.decision_id"
"            ORDER BY e.model_version DESC LIMIT 1) e ON true"
"     JOIN LATERAL (SELECT " COUNTS " FROM xsell.outcome o"
"            WHERE o.decision_id OPERATOR(pg_catalog.=) c.decision_id AND " STANDS ") o ON true"
"     JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) c.decision_id) b"
"    WHERE b.weight OPERATOR(pg_catalog.<>) b.previous_weight OR b.reward OPERATOR(pg_catalog.<>) b.previous"
"       OR b.harm OPERATOR(pg_catalog.<>) b.previous_harm),"
" learned AS ("
"   INSERT INTO xsell.experience (decision_id, model_version, agent, weight, reward, harm, previous_weight, previous, previous_harm)"
"   SELECT b.decision_id, $3, $1, b.weight, b.reward, b.harm, b.previous_weight, b.previous, b.previous_harm FROM change b),"
" delta AS ("
"   SELECT b.product, b.encoding, b.week, b.source,"
"          %1$s.xsell_beta_agg(b.previous, b.previous_weight) FILTER (WHERE " COUNTED_BEFORE ") AS beta_old,"
"          %1$s.xsell_beta_agg(b.reward, b.weight) FILTER (WHERE " COUNTED ") AS beta_new,"
"          %1$s.xsell_glm_agg(b.features, b.previous, b.linear_predictor, b.previous_weight, " LINK ") FILTER (WHERE " COUNTED_BEFORE ") AS glm_old,"
"          %1$s.xsell_glm_agg(b.features, b.reward, b.linear_predictor, b.weight, " LINK ") FILTER (WHERE " COUNTED ") AS glm_new,"
"          %1$s.xsell_score_agg(b.forecasts, b.previous) FILTER (WHERE " COUNTED_BEFORE ") AS score_old,"
"          %1$s.xsell_score_agg(b.forecasts, b.reward) FILTER (WHERE " COUNTED ") AS score_new,"
"          %1$s.xsell_beta_agg(b.previous_harm, b.previous_weight) FILTER (WHERE " COUNTED_BEFORE ") AS harm_old,"
"          %1$s.xsell_beta_agg(b.harm, b.weight) FILTER (WHERE " COUNTED ") AS harm_new"
"     FROM change b GROUP BY b.product, b.encoding, b.week, b.source),"
" merged AS ("
"   INSERT INTO xsell.evidence AS e (agent, product, encoding, bucket, source, model_version, beta, glm, score, harm)"
"   SELECT $1, s.product, s.encoding, " XS_BUCKET("s.week") ", s.source, $3,"
"          " REPLACED("beta") ", " REPLACED("glm") ", " REPLACED("score") ", " REPLACED("harm")
"     FROM delta s LEFT JOIN LATERAL (SELECT x.beta, x.glm, x.score, x.harm FROM xsell.evidence x"
"            WHERE x.agent OPERATOR(pg_catalog.=) $1 AND x.product OPERATOR(pg_catalog.=) s.product"
"              AND x.encoding OPERATOR(pg_catalog.=) s.encoding AND x.source OPERATOR(pg_catalog.=) s.source"
"              AND x.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week") " LIMIT 1) x ON true"
"    WHERE " ANY_EVIDENCE
"   ON CONFLICT (agent, product, encoding, bucket, source) DO UPDATE"
"     SET model_version = excluded.model_version, beta = excluded.beta, glm = excluded.glm,"
"         score = excluded.score, harm = excluded.harm),"
" segments AS ("
"   INSERT INTO xsell.segment_evidence AS e (agent, product, segment, bucket, source, model_version, beta)"
"   SELECT $1, s.product, s.segment, " XS_BUCKET("s.week") ", s.source, $3, " REPLACED("beta")
"     FROM (SELECT b.product, b.segment, b.week, b.source,"
"                  %1$s.xsell_beta_agg(b.previous, b.previous_weight) FILTER (WHERE " COUNTED_BEFORE ") AS beta_old,"
"                  %1$s.xsell_beta_agg(b.reward, b.weight) FILTER (WHERE " COUNTED ") AS beta_new"
"             FROM change b WHERE b.segment IS NOT NULL GROUP BY b.product, b.segment, b.week, b.source) s"
"     LEFT JOIN LATERAL (SELECT x.beta FROM xsell.segment_evidence x"
"            WHERE x.agent OPERATOR(pg_catalog.=) $1 AND x.product OPERATOR(pg_catalog.=) s.product"
"              AND x.segment OPERATOR(pg_catalog.=) s.segment AND x.source OPERATOR(pg_catalog.=) s.source"
"              AND x.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week") " LIMIT 1) x ON true"
"    WHERE " ANY_EVIDENCE
"   ON CONFLICT (agent, product, segment, bucket, source) DO UPDATE"
"     SET model_version = excluded.model_version, beta = excluded.beta)"
" SELECT pg_catalog.count(*), pg_catalog.bool_or(b.weight OPERATOR(pg_catalog.<) b.previous_weight) FROM change b";

/* What is left of evidence whose every decision was taken back is none. */
static const char clear_text[] =
"DELETE FROM xsell.evidence e WHERE e.agent OPERATOR(pg_catalog.=) $1"
"   AND e.model_version OPERATOR(pg_catalog.=) $2 AND %1$s.xsell_observations(e.beta) OPERATOR(pg_catalog.=) 0";
static const char clear_segments_text[] =
"DELETE FROM xsell.segment_evidence e WHERE e.agent OPERATOR(pg_catalog.=) $1"
"   AND e.model_version OPERATOR(pg_catalog.=) $2 AND %1$s.xsell_observations(e.beta) OPERATOR(pg_catalog.=) 0";

/* ---- silent feeds ---- */

/* $1 agent, $2 after, $3 last id, $4 and $5 as $6 and $7 above. */
static XsStatement hold_range = {
	.relation = "held",
	.sql = "INSERT INTO xsell.held (agent, decision_id, channel)"
	" SELECT d.agent, d.decision_id, d.channel FROM xsell.decision d"
	"  WHERE d.decision_id OPERATOR(pg_catalog.>) $2 AND d.decision_id OPERATOR(pg_catalog.<=) $3"
	"    AND d.agent OPERATOR(pg_catalog.=) $1 AND d.product IS NOT NULL AND " AWAITED("$4", "$5"),
	.nargs = 5,
	.argtypes = {TEXTOID, INT8OID, INT8OID, TEXTARRAYOID, INT8ARRAYOID}
};

/* $2 decision ids */
static XsStatement hold_late = {
	.relation = "held",
	.sql = "INSERT INTO xsell.held (agent, decision_id, channel)"
	" SELECT d.agent, d.decision_id, d.channel FROM xsell.decision d"
	"  WHERE d.decision_id OPERATOR(pg_catalog.=) ANY ($2)"
	"    AND d.agent OPERATOR(pg_catalog.=) $1 AND d.product IS NOT NULL AND " AWAITED("$3", "$4")
	"    AND NOT EXISTS (SELECT FROM xsell.experience e WHERE e.decision_id OPERATOR(pg_catalog.=) d.decision_id)"
	" ON CONFLICT DO NOTHING",
	.nargs = 4,
	.argtypes = {TEXTOID, INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID}
};

/*
 * $2 at most of a channel, $3 and $4 as above: those that no silent feed covers any
 * more.  Channels are found one after the other in the index, and of each only what
 * is released is read, so that a long silence costs the steps taken meanwhile nothing.
 */
static XsStatement release = {
	.relation = "held",
	.sql = "WITH RECURSIVE c (channel) AS ("
	"   SELECT pg_catalog.min(h.channel) FROM xsell.held h WHERE h.agent OPERATOR(pg_catalog.=) $1"
	"   UNION ALL SELECT (SELECT pg_catalog.min(h.channel) FROM xsell.held h"
	"      WHERE h.agent OPERATOR(pg_catalog.=) $1 AND h.channel OPERATOR(pg_catalog.>) c.channel)"
	"     FROM c WHERE c.channel IS NOT NULL),"
	" heard AS MATERIALIZED (SELECT c.channel, COALESCE((SELECT pg_catalog.min(s.since)"
	"      FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4)) s (channel, since)"
	"     WHERE s.channel IS NULL OR s.channel OPERATOR(pg_catalog.=) c.channel), 9223372036854775807) AS upto"
	"   FROM c WHERE c.channel IS NOT NULL),"
	" released AS ("
	" DELETE FROM xsell.held h USING (SELECT heard.channel, d.decision_id FROM heard"
	"   CROSS JOIN LATERAL (SELECT d.decision_id FROM xsell.held d"
	"      WHERE d.agent OPERATOR(pg_catalog.=) $1 AND d.channel OPERATOR(pg_catalog.=) heard.channel"
	"        AND d.decision_id OPERATOR(pg_catalog.<=) heard.upto ORDER BY d.decision_id LIMIT $2) d) r"
	"  WHERE h.agent OPERATOR(pg_catalog.=) $1 AND h.channel OPERATOR(pg_catalog.=) r.channel"
	"    AND h.decision_id OPERATOR(pg_catalog.=) r.decision_id"
	" RETURNING h.decision_id)"
	" SELECT pg_catalog.array_agg(decision_id) FROM released",
	.nargs = 4,
	.argtypes = {TEXTOID, INT8OID, TEXTARRAYOID, INT8ARRAYOID}
};

/* $1 agent, $2 feeds, $3 their channels, $4 since when each may have been silent: those that have. */
static XsStatement silent_feeds = {
	.relation = "heartbeat",
	.sql = "SELECT f.channel, h.beat_at"
	"  FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) f (feed, channel, since)"
	"  LEFT JOIN xsell.heartbeat h ON h.agent OPERATOR(pg_catalog.=) $1 AND h.feed OPERATOR(pg_catalog.=) f.feed"
	" WHERE h.beat_at IS NULL OR h.beat_at OPERATOR(pg_catalog.<) f.since",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID}
};

static XsStatement fold_range = {
	.relation = "evidence",
	.nargs = 5,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8OID, INT8OID}
};
static XsStatement fold_range_heard = {
	.relation = "evidence",
	.nargs = 7,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8OID, INT8OID, TEXTARRAYOID, INT8ARRAYOID}
};
static XsStatement fold_late = {
	.relation = "evidence",
	.nargs = 4,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8ARRAYOID}
};
static XsStatement fold_late_heard = {
	.relation = "evidence",
	.nargs = 7,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8ARRAYOID, INT8OID, TEXTARRAYOID, INT8ARRAYOID}
};
static XsStatement correct = {
	.relation = "evidence",
	.nargs = 6,
	.argtypes = {TEXTOID, INT4ARRAYOID, INT8OID, INT8OID, INT8OID, INT8ARRAYOID}
};
static XsStatement clear_evidence = {
	.relation = "evidence",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
};
static XsStatement clear_segments = {
	.relation = "segment_evidence",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
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
	fold_range_heard.sql = psprintf(fold_text, name, psprintf("%s%s", range_text, heard_text));
	fold_late.sql = psprintf(fold_text, name, late_text);
	fold_late_heard.sql = psprintf(fold_text, name, psprintf("%s%s", late_text, heard_text));
	correct.sql = psprintf(correct_text, name);
	clear_evidence.sql = psprintf(clear_text, name);
	clear_segments.sql = psprintf(clear_segments_text, name);
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
	result.held = DatumGetBool(column(6, &isnull));
	return result;
}

int64
xs_fold_range(const XsLearning *learning, const XsSilence *silence, int64 folded_to, int64 upto, int64 version)
{
	Datum		values[] = {
		CStringGetTextDatum(learning->agent), learning->identity, Int64GetDatum(version),
		Int64GetDatum(folded_to), Int64GetDatum(upto), silence->channels, silence->since
	};
	Datum		range[] = {values[0], values[3], values[4], silence->channels, silence->since};

	make_texts();
	if (!silence->any)
		return count_of(&fold_range, values, NULL);
	xs_execute(&hold_range, range, NULL, XS_WRITE, 0);
	return count_of(&fold_range_heard, values, NULL);
}

int64
xs_fold_late(const XsLearning *learning, const XsSilence *silence, Datum decisions, int64 version)
{
	Datum		values[] = {
		CStringGetTextDatum(learning->agent), learning->identity, Int64GetDatum(version),
		decisions, Int64GetDatum(0), silence->channels, silence->since
	};
	Datum		late[] = {values[0], decisions, silence->channels, silence->since};

	make_texts();
	if (!silence->any)
		return count_of(&fold_late, values, NULL);
	xs_execute(&hold_late, late, NULL, XS_WRITE, 0);
	return count_of(&fold_late_heard, values, NULL);
}

void
xs_clear_evidence(const char *agent, int64 version)
{
	Datum		values[] = {CStringGetTextDatum(agent), Int64GetDatum(version)};

	make_texts();
	xs_execute(&clear_evidence, values, NULL, XS_WRITE, 0);
	xs_execute(&clear_segments, values, NULL, XS_WRITE, 0);
}

int64
xs_correct(const XsLearning *learning, int64 outcomes_to, int64 upto, Datum decisions, int64 version)
{
	Datum		values[] = {
		CStringGetTextDatum(learning->agent), learning->identity, Int64GetDatum(version),
		Int64GetDatum(outcomes_to), Int64GetDatum(upto), decisions
	};
	int64		count;
	bool		isnull;

	make_texts();
	count = count_of(&correct, values, NULL);
	if (DatumGetBool(column(2, &isnull)) && !isnull)
		xs_clear_evidence(learning->agent, version);
	return count;
}

/* The ids that a statement took from a table. */
static bool
take(XsStatement *statement, const Datum *values, Datum *decisions)
{
	Datum		taken;
	bool		isnull;

	xs_execute(statement, values, NULL, XS_WRITE, 0);
	taken = column(1, &isnull);
	if (isnull)
		return false;
	*decisions = PointerGetDatum(DatumGetArrayTypePCopy(taken));
	return true;
}

bool
xs_take_late(const char *agent, int64 folded_to, int64 n, Datum *decisions)
{
	Datum		values[] = {
		CStringGetTextDatum(agent), Int64GetDatum(folded_to), Int64GetDatum(n)
	};

	return take(&take_late, values, decisions);
}

bool
xs_release(const char *agent, const XsSilence *silence, int64 n, Datum *decisions)
{
	Datum		values[] = {CStringGetTextDatum(agent), Int64GetDatum(n), silence->channels, silence->since};

	return take(&release, values, decisions);
}

bool
xs_is_waiting(const char *agent, int64 folded_to, int64 outcomes_to, int64 horizon, int64 n)
{
	Datum		values[] = {
		CStringGetTextDatum(agent), Int64GetDatum(folded_to), Int64GetDatum(horizon),
		Int64GetDatum(outcomes_to), Int64GetDatum(n), Int64GetDatum(MOST_AHEAD)
	};
	bool		isnull;

	xs_execute(&waiting, values, NULL, XS_READ_NEWEST, 1);
	return DatumGetInt64(column(1, &isnull)) >= n || DatumGetInt64(column(2, &isnull)) >= MOST_AHEAD;
}

/* ---- silent feeds ---- */

void
xs_find_silence(const XsLearning *learning, TimestampTz now, XsSilence *silence)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(learning->nfeeds, 1));
	Datum	   *channels = palloc(sizeof(Datum) * Max(learning->nfeeds, 1));
	Datum	   *since = palloc(sizeof(Datum) * Max(learning->nfeeds, 1));
	bool	   *all = palloc0(sizeof(bool) * Max(learning->nfeeds, 1));
	int			n = 0;
	int			bounds[] = {1};

	for (int i = 0; i < learning->nfeeds; i++)
	{
		const XsFeed *feed = &learning->feeds[i];

		names[i] = CStringGetTextDatum(feed->feed);
		all[i] = feed->channel == NULL;
		channels[i] = all[i] ? (Datum) 0 : CStringGetTextDatum(feed->channel);
		since[i] = DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now),
									   IntervalPGetDatum(&feed->longest_silence));
	}
	if (learning->nfeeds > 0)
	{
		Datum		values[4] = {CStringGetTextDatum(learning->agent)};
		int			size[] = {learning->nfeeds};

		values[1] = PointerGetDatum(construct_array(names, learning->nfeeds, TEXTOID, -1, false, TYPALIGN_INT));
		values[2] = PointerGetDatum(construct_md_array(channels, all, 1, size, bounds, TEXTOID, -1, false, TYPALIGN_INT));
		values[3] = PointerGetDatum(construct_array(since, learning->nfeeds, TIMESTAMPTZOID, sizeof(TimestampTz),
													FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		n = (int) xs_execute(&silent_feeds, values, NULL, XS_READ_NEWEST, 0);
	}
	for (int i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		never;
		Datum		beat = SPI_getbinval(row, desc, 2, &never);

		channels[i] = SPI_getbinval(row, desc, 1, &all[i]);
		since[i] = Int64GetDatum(never ? -1 : xs_id_floor(DatumGetTimestampTz(beat) + 1000) - 1);
	}
	silence->any = n > 0;
	silence->channels = n == 0 ? PointerGetDatum(construct_empty_array(TEXTOID))
		: PointerGetDatum(construct_md_array(channels, all, 1, &n, bounds, TEXTOID, -1, false, TYPALIGN_INT));
	silence->since = PointerGetDatum(construct_array(since, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
