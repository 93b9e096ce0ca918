/*
 * forget.c: a customer taken out of the journal and the evidence: xsell_forget.
 *
 * Evidence is a sum over decisions, so what the customer's decisions added to it is
 * taken away again, exactly: the rest is what would stand without them.  The same
 * goes for what refits were made from, and for what they made of it: the latter is
 * linearised at the coefficients that the refit kept.  Then the customer's rows go.
 *
 * While the learner's row is held nobody else changes evidence.  The customer's row
 * of the contact ledger is waited for, so that a decision under way is either
 * among those forgotten, or made of what is left.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "journal/journal.h"
#include "learn.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(xsell_forget);

/* ---- what there is to forget ---- */

static XsStatement lock_contact = {
	.relation = "contact",
	.sql = "SELECT FROM xsell.contact c WHERE c.customer_key {=} $1 FOR UPDATE",
	.nargs = 1,
	.argtypes = {XS_KEY_TYPE}
};

/* The log has no index by customer, unless its owner made one. */
static XsStatement find_decisions = {
	.relation = "decision",
	.sql = "SELECT pg_catalog.array_agg(d.decision_id) FROM xsell.decision d"
	" WHERE d.customer_key {=} $2 AND d.agent OPERATOR(pg_catalog.=) $1",
	.nargs = 2,
	.argtypes = {TEXTOID, XS_KEY_TYPE},
	.bulk = true
};

static XsStatement first_version = {
	.relation = "experience",
	.sql = "SELECT pg_catalog.min(e.model_version) FROM xsell.experience e WHERE e.decision_id OPERATOR(pg_catalog.=) ANY ($1)",
	.nargs = 1,
	.argtypes = {INT8ARRAYOID}
};

/* ---- evidence ---- */

/*
 * %1$s: the extension's schema.  $1 agent, $2 decisions, $3 identity encodings, $4
 * model version.  What counts of the decisions now.
 */
#define GONE \
	"SELECT g.* FROM (SELECT DISTINCT ON (e.decision_id) d.product, d.encoding, " XS_SOURCE " AS source, d.segment," \
	"         " XS_WEEK " AS week, d.features, d.linear_predictor, COALESCE(d.forecasts, '{}') AS forecasts," \
	"         e.weight, e.reward, e.harm" \
	"    FROM xsell.experience e JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) e.decision_id" \
	"   WHERE e.decision_id OPERATOR(pg_catalog.=) ANY ($2)" \
	"   ORDER BY e.decision_id, e.model_version DESC) g WHERE g.weight OPERATOR(pg_catalog.>) 0"

#define LINK(encoding) "CASE WHEN " encoding " OPERATOR(pg_catalog.=) ANY ($3) THEN 'identity' ELSE 'logit' END"

static const char reduce_text[] =
"UPDATE xsell.evidence e SET model_version = $4,"
"       beta = e.beta OPERATOR(%1$s.-) s.beta, glm = e.glm OPERATOR(%1$s.-) s.glm,"
"       score = e.score OPERATOR(%1$s.-) s.score, harm = e.harm OPERATOR(%1$s.-) s.harm"
"  FROM (SELECT g.product, g.encoding, g.source, g.week,"
"               %1$s.xsell_beta_agg(g.reward, g.weight) AS beta,"
"               %1$s.xsell_glm_agg(g.features, g.reward, g.linear_predictor, g.weight, " LINK("g.encoding") ") AS glm,"
"               %1$s.xsell_score_agg(g.forecasts, g.reward) AS score,"
"               %1$s.xsell_beta_agg(g.harm, g.weight) AS harm"
"          FROM (" GONE ") g GROUP BY g.product, g.encoding, g.source, g.week) s"
" WHERE e.agent OPERATOR(pg_catalog.=) $1 AND e.product OPERATOR(pg_catalog.=) s.product"
"   AND e.encoding OPERATOR(pg_catalog.=) s.encoding AND e.source OPERATOR(pg_catalog.=) s.source"
"   AND e.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week");

static const char reduce_segments_text[] =
"UPDATE xsell.segment_evidence e SET model_version = $4, beta = e.beta OPERATOR(%1$s.-) s.beta"
"  FROM (SELECT g.product, g.segment, g.source, g.week, %1$s.xsell_beta_agg(g.reward, g.weight) AS beta"
"          FROM (" GONE " AND g.segment IS NOT NULL) g GROUP BY g.product, g.segment, g.source, g.week) s"
" WHERE e.agent OPERATOR(pg_catalog.=) $1 AND e.product OPERATOR(pg_catalog.=) s.product"
"   AND e.segment OPERATOR(pg_catalog.=) s.segment AND e.source OPERATOR(pg_catalog.=) s.source"
"   AND e.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week");

/* ---- refits ---- */

/* What counted of the decisions when each refit was made; weeks that it did not linearise have no rows. */
#define REFITTED \
	"SELECT g.* FROM (SELECT DISTINCT ON (r.refit, e.decision_id) r.refit, r.encoding AS layout," \
	"         d.product, d.encoding, " XS_SOURCE " AS source, " XS_WEEK " AS week, d.features, d.linear_predictor," \
	"         e.weight, e.reward" \
	"    FROM xsell.experience e JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) e.decision_id" \
	"    JOIN xsell.refit r ON r.agent OPERATOR(pg_catalog.=) $1 AND r.model_version OPERATOR(pg_catalog.>=) e.model_version" \
	"   WHERE e.decision_id OPERATOR(pg_catalog.=) ANY ($2)" \
	"   ORDER BY r.refit, e.decision_id, e.model_version DESC) g" \
	" WHERE g.weight OPERATOR(pg_catalog.>) 0"

static const char reduce_before_text[] =
"UPDATE xsell.refit_evidence x SET before = x.before OPERATOR(%1$s.-) s.glm"
"  FROM (SELECT g.refit, g.product, g.encoding, g.source, g.week,"
"               %1$s.xsell_glm_agg(g.features, g.reward, g.linear_predictor, g.weight, " LINK("g.encoding") ") AS glm"
"          FROM (" REFITTED ") g GROUP BY g.refit, g.product, g.encoding, g.source, g.week) s"
" WHERE x.agent OPERATOR(pg_catalog.=) $1 AND x.refit OPERATOR(pg_catalog.=) s.refit"
"   AND x.product OPERATOR(pg_catalog.=) s.product AND x.encoding OPERATOR(pg_catalog.=) s.encoding"
"   AND x.source OPERATOR(pg_catalog.=) s.source AND x.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week");

/* As refit.c linearises; products that a refit did not offer have no mean. */
static const char reduce_after_text[] =
"UPDATE xsell.refit_evidence x SET after = x.after OPERATOR(%1$s.-) s.glm"
"  FROM (SELECT y.refit, y.product, y.layout, y.source, y.week,"
"               %1$s.xsell_glm_agg(y.features, y.reward, GREATEST(-30, LEAST(30, %1$s.xsell_dot(y.features, y.mean))), y.weight,"
"                                  " LINK("y.layout") ") AS glm"
"          FROM (SELECT g.refit, g.product, g.layout, g.source, g.week, g.reward, g.weight, m.mean,"
"                       %1$s.xsell_remap(g.features, %1$s.xsell_layout_map($1, g.encoding, g.layout, g.product)) AS features"
"                  FROM (" REFITTED ") g"
"                  JOIN xsell.refit_mean m ON m.agent OPERATOR(pg_catalog.=) $1 AND m.refit OPERATOR(pg_catalog.=) g.refit"
"                                         AND m.product OPERATOR(pg_catalog.=) g.product) y"
"         GROUP BY y.refit, y.product, y.layout, y.source, y.week) s"
" WHERE x.agent OPERATOR(pg_catalog.=) $1 AND x.refit OPERATOR(pg_catalog.=) s.refit"
"   AND x.product OPERATOR(pg_catalog.=) s.product AND x.encoding OPERATOR(pg_catalog.=) s.layout"
"   AND x.source OPERATOR(pg_catalog.=) s.source AND x.bucket OPERATOR(pg_catalog.=) " XS_BUCKET("s.week");

static const char empty_refits_text[] =
"WITH emptied AS MATERIALIZED (SELECT x.refit, x.product, x.encoding, x.source, x.bucket,"
"          CASE WHEN %1$s.xsell_observations(x.before) OPERATOR(pg_catalog.<>) 0 THEN x.before END AS before,"
"          CASE WHEN %1$s.xsell_observations(x.after) OPERATOR(pg_catalog.<>) 0 THEN x.after END AS after"
"     FROM xsell.refit_evidence x WHERE x.agent OPERATOR(pg_catalog.=) $1"
"      AND (%1$s.xsell_observations(x.before) OPERATOR(pg_catalog.=) 0 OR %1$s.xsell_observations(x.after) OPERATOR(pg_catalog.=) 0)),"
" dropped AS (DELETE FROM xsell.refit_evidence x USING emptied e WHERE e.before IS NULL AND e.after IS NULL"
"     AND x.agent OPERATOR(pg_catalog.=) $1 AND x.refit OPERATOR(pg_catalog.=) e.refit"
"     AND x.product OPERATOR(pg_catalog.=) e.product AND x.encoding OPERATOR(pg_catalog.=) e.encoding"
"     AND x.source OPERATOR(pg_catalog.=) e.source AND x.bucket OPERATOR(pg_catalog.=) e.bucket)"
" UPDATE xsell.refit_evidence x SET before = e.before, after = e.after FROM emptied e"
"  WHERE (e.before IS NOT NULL OR e.after IS NOT NULL)"
"    AND x.agent OPERATOR(pg_catalog.=) $1 AND x.refit OPERATOR(pg_catalog.=) e.refit"
"    AND x.product OPERATOR(pg_catalog.=) e.product AND x.encoding OPERATOR(pg_catalog.=) e.encoding"
"    AND x.source OPERATOR(pg_catalog.=) e.source AND x.bucket OPERATOR(pg_catalog.=) e.bucket";

/* $1 agent, $2 decisions, $3 identity encodings, $4 model version */
typedef struct Reduction
{
	const char *text;
	XsStatement statement;
} Reduction;

#define REDUCTION(table, text_, nargs_, ...) \
	{.text = text_, .statement = {.relation = table, .nargs = nargs_, .argtypes = {__VA_ARGS__}}}

static Reduction reductions[] = {
	REDUCTION("refit_evidence", reduce_before_text, 3, TEXTOID, INT8ARRAYOID, INT4ARRAYOID),
	REDUCTION("refit_evidence", reduce_after_text, 3, TEXTOID, INT8ARRAYOID, INT4ARRAYOID),
	REDUCTION("evidence", reduce_text, 4, TEXTOID, INT8ARRAYOID, INT4ARRAYOID, INT8OID),
	REDUCTION("segment_evidence", reduce_segments_text, 4, TEXTOID, INT8ARRAYOID, INT4ARRAYOID, INT8OID)
};

static Reduction empty_refits = REDUCTION("refit_evidence", empty_refits_text, 1, TEXTOID);

/* ---- rows ---- */

/* $1 agent, $2 the customer's key, $3 decisions */
#define DELETION(table, condition) \
	{.relation = table, .sql = "DELETE FROM xsell." table " t WHERE " condition, \
	 .nargs = 3, .argtypes = {TEXTOID, XS_KEY_TYPE, INT8ARRAYOID}}

#define BY_CUSTOMER "t.customer_key {=} $2 AND t.agent OPERATOR(pg_catalog.=) $1"
#define BY_DECISION "t.decision_id OPERATOR(pg_catalog.=) ANY ($3)"

/* What came in for the customer and names no agent is not kept either. */
#define BY_EITHER \
	BY_DECISION " OR (t.customer_key {=} $2 AND (t.agent IS NULL OR t.agent OPERATOR(pg_catalog.=) $1))"

static XsStatement deletions[] = {
	DELETION("intake", BY_EITHER),
	DELETION("dangling", BY_EITHER),
	DELETION("request", BY_CUSTOMER),
	DELETION("outcome", BY_CUSTOMER),
	DELETION("late", BY_DECISION),
	DELETION("held", BY_DECISION),
	DELETION("experience", BY_DECISION),
	DELETION("decision", BY_DECISION)
};

static XsStatement drop_contacts = {
	.relation = "contact",
	.sql = "UPDATE xsell.contact c SET (decision_id, agent, product, channel) ="
	" (SELECT COALESCE(pg_catalog.array_agg(u.decision_id ORDER BY u.place), '{}'), COALESCE(pg_catalog.array_agg(u.agent ORDER BY u.place), '{}'),"
	"         COALESCE(pg_catalog.array_agg(u.product ORDER BY u.place), '{}'), COALESCE(pg_catalog.array_agg(u.channel ORDER BY u.place), '{}')"
	"    FROM ROWS FROM (pg_catalog.unnest(c.decision_id), pg_catalog.unnest(c.agent), pg_catalog.unnest(c.product),"
	"         pg_catalog.unnest(c.channel)) WITH ORDINALITY u (decision_id, agent, product, channel, place)"
	"   WHERE u.agent OPERATOR(pg_catalog.<>) $1)"
	" WHERE c.customer_key {=} $2 AND $1 OPERATOR(pg_catalog.=) ANY (c.agent)",
	.nargs = 2,
	.argtypes = {TEXTOID, XS_KEY_TYPE}
};

static XsStatement drop_contact = {
	.relation = "contact",
	.sql = "DELETE FROM xsell.contact c WHERE c.customer_key {=} $1 AND pg_catalog.cardinality(c.decision_id) OPERATOR(pg_catalog.=) 0",
	.nargs = 1,
	.argtypes = {XS_KEY_TYPE}
};

static XsStatement note_forgotten = {
	.relation = "forgotten",
	.sql = "INSERT INTO xsell.forgotten (agent, model_version, first_version, decisions, forgotten_at, forgotten_by)"
	" VALUES ($1, $2, $3, $4, $5, session_user)",
	.nargs = 5,
	.argtypes = {TEXTOID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID}
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
	for (int i = 0; i < lengthof(reductions); i++)
		reductions[i].statement.sql = psprintf(reductions[i].text, schema);
	empty_refits.statement.sql = psprintf(empty_refits.text, schema);
	made_for = pstrdup(schema);
	MemoryContextSwitchTo(caller);
}

typedef struct Forgetting
{
	const XsLearning *learning;
	Datum		agent;
	Datum		customer_key;
	Datum		decisions;		/* int8[] */
	int64		n;
	int64		model_version;	/* of the evidence without them */
} Forgetting;

static Datum
result(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, isnull);
}

static void
find(Forgetting *f)
{
	Datum		values[] = {f->agent, f->customer_key};
	Datum		found;
	bool		isnull;

	xs_execute(&find_decisions, values, NULL, XS_READ_NEWEST, 1);
	found = result(1, &isnull);
	f->decisions = isnull ? PointerGetDatum(construct_empty_array(INT8OID))
		: PointerGetDatum(DatumGetArrayTypePCopy(found));
	f->n = ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(f->decisions)), ARR_DIMS(DatumGetArrayTypeP(f->decisions)));
}

static void
reduce_evidence(const Forgetting *f)
{
	Datum		values[] = {f->agent, f->decisions, f->learning->identity, Int64GetDatum(f->model_version)};

	make_texts();
	for (int i = 0; i < lengthof(reductions); i++)
		xs_execute(&reductions[i].statement, values, NULL, XS_WRITE, 0);
	xs_execute(&empty_refits.statement, &f->agent, NULL, XS_WRITE, 0);
	xs_clear_evidence(f->learning->agent, f->model_version);
}

static void
delete_rows(const Forgetting *f)
{
	Datum		values[] = {f->agent, f->customer_key, f->decisions};

	for (int i = 0; i < lengthof(deletions); i++)
		xs_execute(&deletions[i], values, NULL, XS_WRITE, 0);
	xs_execute(&drop_contacts, values, NULL, XS_WRITE, 0);
	xs_execute(&drop_contact, &f->customer_key, NULL, XS_WRITE, 0);
}

/* Says that there was somebody, and since when decisions knew of them, but not who. */
static void
note(const Forgetting *f)
{
	Datum		values[] = {
		f->agent, Int64GetDatum(f->model_version), 0, Int64GetDatum(f->n), TimestampTzGetDatum(xs_now())
	};
	char		nulls[] = "     ";
	bool		isnull;

	xs_execute(&first_version, &f->decisions, NULL, XS_READ_NEWEST, 1);
	values[2] = result(1, &isnull);
	if (isnull)
		nulls[2] = 'n';
	xs_execute(&note_forgotten, values, nulls, XS_WRITE, 0);
	xs_set_model_version(f->learning->agent, f->model_version);
}

static void
forget(Forgetting *f)
{
	int64		before;
	bool		learned;

	xs_exclude_refits(f->learning->agent);
	learned = xs_hold_learner(f->learning->agent, &before);
	xs_execute(&lock_contact, &f->customer_key, NULL, XS_WRITE, 0);
	find(f);
	if (f->n > 0)
	{
		if (!learned)
			before = xs_make_learner(f->learning->agent);
		f->model_version = before + 1;
		reduce_evidence(f);
		note(f);
	}
	delete_rows(f);
}

/* xsell_forget(agent text, customer_key "any") RETURNS bigint, the number of decisions */
Datum
xsell_forget(PG_FUNCTION_ARGS)
{
	Forgetting	f = {0};
	char	   *agent;

	xs_check_learns_here("xsell_forget");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "agent" : "customer_key")));
	agent = text_to_cstring(PG_GETARG_TEXT_PP(0));
	f.agent = PG_GETARG_DATUM(0);
	f.customer_key = xs_key_argument(fcinfo, 1);

	SPI_connect();
	f.learning = xs_learning(agent);
	if (f.learning == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("agent \"%s\" does not exist", agent),
				 errhint("Agents that exist, or did, are named in xsell.policy.")));
	forget(&f);
	SPI_finish();
	PG_RETURN_INT64(f.n);
}
