/*
 * refit.c: all experience linearised anew: xsell_refit.
 *
 * Evidence is one Newton step per decision, taken at the linear predictor that
 * the decision logged (evidence.h).  A refit takes that step again for every
 * decision, at the coefficients that all of them together give, and again at
 * what comes out, until it moves no more: then the prepared model is the mode of
 * the posterior and its curvature there (Newton's method; for the logit also
 * known as iteratively reweighted least squares).  Decisions of all layouts of
 * features, and of another link, take part as far as the present layout knows
 * their columns.
 *
 * What it is made from is fixed by one statement: the evidence of one model
 * version.  What is learned later counts on top.  Learning goes on meanwhile, since
 * nothing is written, and no transaction id taken (learn.c), before the end.  Of
 * weeks whose decisions are not all in the log any more, the evidence stays as it
 * is.  The result is a candidate; xsell_promote puts it into effect.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"

#include "compat.h"
#include "journal/journal.h"
#include "learn.h"
#include "policy/cache.h"
#include "policy/model.h"
#include "settings.h"
#include "types/types.h"

#define MOST_PASSES 30
#define NO_WEEK 0
#define CONVERGED 0.01			/* posterior standard deviations that a coefficient may still move */

/*
 * The logit is steep where conversions are much more frequent than the
 * coefficients say: a whole Newton step would then overshoot, and the next one
 * back farther still.  So no step moves a product's predictors by more than
 * this, in the mean square.
 */
#define LONGEST_STEP 2.0

PG_FUNCTION_INFO_V1(xsell_refit);

static XsStatement reserve = {
	.relation = "refit",
	.sql = "SELECT pg_catalog.pg_try_advisory_xact_lock(2020893805, pg_catalog.hashtext($1)),"
	" COALESCE((SELECT pg_catalog.max(r.refit) FROM xsell.refit r WHERE r.agent OPERATOR(pg_catalog.=) $1), 0)"
	" OPERATOR(pg_catalog.+) 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* $1 agent, $2 products.  One snapshot shows version and evidence. */
static XsStatement read_base = {
	.relation = "evidence",
	.sql = "SELECT l.model_version, e.product, e.encoding, e.bucket, e.beta, e.score, e.glm, e.source FROM xsell.learner l"
	"  LEFT JOIN xsell.evidence e ON e.agent OPERATOR(pg_catalog.=) l.agent AND e.product OPERATOR(pg_catalog.=) ANY ($2)"
	" WHERE l.agent OPERATOR(pg_catalog.=) $1 AND l.model_version OPERATOR(pg_catalog.>) 0",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTARRAYOID}
};

/*
 * %1$s: the extension's schema.  $1 agent, $2 model version, $3 encoding, $4 its
 * columns, $5 link, $6 first decision id; $7 products, $8 encodings that they have
 * evidence of, $9 the numbers of these products, $10 all coefficients, product by
 * product.  Each decision teaches the reward that counts: what its corrections
 * added less what they took back.  Predictors are kept where one step is safe.
 *
 * OFFSET '0' keeps the maps from being made row by row, and applied before the joins
 * are done or twice; so written it does not stand in the way of parallel workers,
 * as OFFSET 0 does.  Maps come from arrays because these have a known length: the
 * planner would take those of a table just filled for one row, and sort the log.
 */
static const char pass_text[] =
"SELECT y.product, " XS_BUCKET("y.week") ","
"       %1$s.xsell_glm_agg(y.features, y.reward, y.predictor, y.weight, $5) FILTER (WHERE y.weight OPERATOR(pg_catalog.>) 0),"
"       %1$s.xsell_glm_agg(y.features, y.previous, y.predictor, y.previous_weight, $5)"
"         FILTER (WHERE y.previous_weight OPERATOR(pg_catalog.>) 0), y.source"
"  FROM (SELECT x.product, x.week, x.source, x.weight, x.reward, x.previous_weight, x.previous, x.features,"
"               GREATEST(-30, LEAST(30, %1$s.xsell_dot(x.features, x.mean))) AS predictor"
"          FROM (SELECT d.product, " XS_WEEK " AS week, " XS_SOURCE " AS source,"
"                       e.weight, e.reward, e.previous_weight, e.previous, l.mean, %1$s.xsell_remap(d.features, l.map) AS features"
"                  FROM xsell.experience e"
"                  JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) e.decision_id"
"                  JOIN (SELECT b.product, b.encoding, %1$s.xsell_layout_map($1, b.encoding, $3, b.product) AS map,"
"                               $10[b.number OPERATOR(pg_catalog.*) $4 OPERATOR(pg_catalog.+) 1"
"                                  :b.number OPERATOR(pg_catalog.*) $4 OPERATOR(pg_catalog.+) $4] AS mean"
"                          FROM ROWS FROM (pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9))"
"                               b (product, encoding, number) OFFSET '0') l"
"                    ON l.product OPERATOR(pg_catalog.=) d.product AND l.encoding OPERATOR(pg_catalog.=) d.encoding"
"                 WHERE e.agent OPERATOR(pg_catalog.=) $1 AND e.model_version OPERATOR(pg_catalog.<=) $2"
"                   AND d.decision_id OPERATOR(pg_catalog.>=) $6 OFFSET '0') x OFFSET '0') y"
" GROUP BY y.product, y.week, y.source";

static XsStatement pass = {
	.relation = "experience",
	.nargs = 10,
	.argtypes = {TEXTOID, INT8OID, INT4OID, INT4OID, TEXTOID, INT8OID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID,
	FLOAT8ARRAYOID},
	.bulk = true
};

static XsStatement save_mean = {
	.relation = "refit_mean",
	.sql = "INSERT INTO xsell.refit_mean (agent, refit, product, mean) VALUES ($1, $2, $3, $4)",
	.nargs = 4,
	.argtypes = {TEXTOID, INT8OID, TEXTOID, FLOAT8ARRAYOID}
};

static XsStatement save_before = {
	.relation = "refit_evidence",
	.sql = "INSERT INTO xsell.refit_evidence (agent, refit, product, encoding, bucket, before, source) VALUES ($1, $2, $3, $4, $5, $6, $7)",
	.nargs = 7,
	.argtypes = {TEXTOID, INT8OID, TEXTOID, INT4OID, DATEOID, XS_GLM_TYPE, TEXTOID}
};

static XsStatement save_after = {
	.relation = "refit_evidence",
	.sql = "INSERT INTO xsell.refit_evidence AS r (agent, refit, product, encoding, bucket, after, source)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7)"
	" ON CONFLICT (agent, refit, product, encoding, bucket, source) DO UPDATE SET after = excluded.after",
	.nargs = 7,
	.argtypes = {TEXTOID, INT8OID, TEXTOID, INT4OID, DATEOID, XS_GLM_TYPE, TEXTOID}
};

/* Who takes evidence away that a refit was made from has the lock alone (learner.c). */
static XsStatement share_lock = {
	.relation = "refit",
	.sql = "SELECT pg_catalog.pg_advisory_xact_lock_shared(2020893807, pg_catalog.hashtext($1))",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement taken_away = {
	.relation = "forgotten",
	.sql = "SELECT FROM xsell.forgotten f WHERE f.agent OPERATOR(pg_catalog.=) $1 AND f.model_version OPERATOR(pg_catalog.>) $2"
	" UNION ALL SELECT FROM xsell.import i WHERE i.agent OPERATOR(pg_catalog.=) $1 AND i.removed_in OPERATOR(pg_catalog.>) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
};

static XsStatement note_refit = {
	.relation = "refit",
	.sql = "INSERT INTO xsell.refit (agent, refit, model_version, policy_version, encoding, since, decisions, passes,"
	"   movement, started_at, finished_at, refitted_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, session_user)",
	.nargs = 11,
	.argtypes = {TEXTOID, INT8OID, INT8OID, INT4OID, INT4OID, DATEOID, INT8OID, INT4OID, FLOAT8OID,
	TIMESTAMPTZOID, TIMESTAMPTZOID}
};

/* The text that names the extension's schema is made at first use. */
static void
make_text(void)
{
	static char *made_for = NULL;
	const char *schema = xs_extension_schema();
	MemoryContext caller;

	if (made_for != NULL && strcmp(made_for, schema) == 0)
		return;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	pass.sql = psprintf(pass_text, schema);
	made_for = pstrdup(schema);
	MemoryContextSwitchTo(caller);
}

/* The evidence of a product, layout and week. */
typedef struct Base
{
	char	   *product;
	int32		encoding;
	DateADT		bucket;
	char	   *source;
	XsBeta		beta;
	XsScore		score;
	XsGlm	   *glm;
} Base;

/* What a product's decisions of one week teach, linearised anew, in the present layout. */
typedef struct Lesson
{
	char	   *product;
	DateADT		bucket;
	char	   *source;
	XsGlm	   *glm;
} Lesson;

typedef struct Lessons
{
	int			n;
	Lesson	   *lesson;
} Lessons;

/* A refit at work; coefficients by offer. */
typedef struct Refit
{
	MemoryContext context;
	const XsPolicy *policy;
	Datum		agent;
	int64		number;
	int64		model_version;
	XsLink		link;
	TimestampTz started_at;
	double	   *mean;			/* at which evidence is linearised, offer by offer */
	int			nbases;
	Base	   *bases;
	DateADT		since;			/* first week that is linearised; NO_WEEK: all are */
	int64		decisions;
	int			passes;
	double		movement;		/* of the last pass, in posterior standard deviations */
} Refit;

static Datum
column(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

static Datum
array_of(Datum *elements, int n, Oid type)
{
	if (type == TEXTOID)
		return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
	if (type == INT4OID)
		return PointerGetDatum(construct_array(elements, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	return PointerGetDatum(construct_array(elements, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
numbers_array(const double *numbers, int n)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elements[i] = Float8GetDatum(numbers[i]);
	return array_of(elements, n, FLOAT8OID);
}

/* ---- beginning ---- */

static void
check_refits(const XsPolicy *policy)
{
	if (!policy->oracle->needs_features)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("agent \"%s\" has no model with features to refit", policy->agent),
				 errdetail("Its oracle counts outcomes, which no refit changes."),
				 errhint("Set its oracle to 'logistic', 'linear' or 'auto' in xsell.agent.")));
}

static Datum
products_of(const XsPolicy *policy)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(policy->noffers, 1));

	for (int o = 0; o < policy->noffers; o++)
		names[o] = CStringGetTextDatum(policy->offers[o].product);
	return array_of(names, policy->noffers, TEXTOID);
}

/* The coefficients in effect are where the search starts. */
static void
start(Refit *refit, const XsModel *model)
{
	int			dim = refit->policy->dim;
	double	   *sd = palloc(sizeof(double) * dim);

	refit->mean = palloc(sizeof(double) * Max(refit->policy->noffers * dim, 1));
	for (int o = 0; o < refit->policy->noffers; o++)
		xs_model_coefficients(model, o, refit->mean + o * dim, sd);
	pfree(sd);
}

static void
take_number(Refit *refit)
{
	bool		isnull;

	xs_execute(&reserve, &refit->agent, NULL, XS_READ_NEWEST, 1);
	if (!DatumGetBool(column(0, 1, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is refitting agent \"%s\"", refit->policy->agent)));
	refit->number = DatumGetInt64(column(0, 2, &isnull));
}

/* Evidence of products that are not offered is left alone: they may be again. */
static void
begin(Refit *refit)
{
	const XsPolicy *policy = refit->policy;
	Datum		values[] = {refit->agent, products_of(policy)};
	uint64		n;
	bool		isnull;

	n = xs_execute(&read_base, values, NULL, XS_READ_NEWEST, 0);
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("agent \"%s\" has learned nothing yet", policy->agent),
				 errhint("Call xsell_learn first.")));
	refit->model_version = DatumGetInt64(column(0, 1, &isnull));
	refit->bases = palloc(sizeof(Base) * n);
	for (uint64 i = 0; i < n; i++)
	{
		Datum		product = column(i, 2, &isnull);

		if (isnull)
			break;				/* no evidence: a row with the version alone */
		refit->bases[refit->nbases++] = (Base) {
			.product = TextDatumGetCString(product),
				.encoding = DatumGetInt32(column(i, 3, &isnull)),
				.bucket = DatumGetDateADT(column(i, 4, &isnull)),
				.beta = *xs_beta_arg(column(i, 5, &isnull)),
				.score = *xs_score_arg(column(i, 6, &isnull)),
				.glm = xs_glm_detoast(column(i, 7, &isnull)),
				.source = TextDatumGetCString(column(i, 8, &isnull))
		};
	}
	SPI_freetuptable(SPI_tuptable);
}

/* ---- a pass ---- */

static bool
has_layout_before(const Refit *refit, int i)
{
	for (int k = 0; k < i; k++)
		if (refit->bases[k].encoding == refit->bases[i].encoding &&
			strcmp(refit->bases[k].product, refit->bases[i].product) == 0)
			return true;
	return false;
}

/* Each product with each layout that it has evidence of: $7 to $9 of a pass. */
static void
layouts_of(const Refit *refit, Datum *values)
{
	Datum	   *products = palloc(sizeof(Datum) * Max(refit->nbases, 1));
	Datum	   *encodings = palloc(sizeof(Datum) * Max(refit->nbases, 1));
	Datum	   *numbers = palloc(sizeof(Datum) * Max(refit->nbases, 1));
	int			n = 0;

	for (int i = 0; i < refit->nbases; i++)
	{
		const Base *base = &refit->bases[i];

		if (has_layout_before(refit, i))
			continue;
		products[n] = CStringGetTextDatum(base->product);
		encodings[n] = Int32GetDatum(base->encoding);
		numbers[n++] = Int32GetDatum(xs_policy_offer(refit->policy, base->product));
	}
	values[0] = array_of(products, n, TEXTOID);
	values[1] = array_of(encodings, n, INT4OID);
	values[2] = array_of(numbers, n, INT4OID);
}

static void
teach(const Refit *refit, Lessons *lessons)
{
	const XsPolicy *policy = refit->policy;
	Datum		values[10] = {
		refit->agent, Int64GetDatum(refit->model_version), Int32GetDatum(policy->encoding),
		Int32GetDatum(policy->dim), CStringGetTextDatum(xs_link_name(refit->link)),
		Int64GetDatum(refit->since == NO_WEEK ? 0 : xs_id_floor((TimestampTz) refit->since * USECS_PER_DAY))
	};
	SPITupleTable *rows;
	int			n;

	make_text();
	layouts_of(refit, &values[6]);
	values[9] = numbers_array(refit->mean, policy->noffers * policy->dim);
	n = (int) xs_execute(&pass, values, NULL, XS_READ_NEWEST, 0);
	rows = SPI_tuptable;
	lessons->n = 0;
	lessons->lesson = palloc(sizeof(Lesson) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		Lesson	   *lesson = &lessons->lesson[lessons->n];
		bool		isnull;
		Datum		previous;

		(void) column(i, 3, &isnull);
		if (isnull)
			continue;			/* none of them counts */
		lessons->n++;
		lesson->product = TextDatumGetCString(column(i, 1, &isnull));
		lesson->bucket = DatumGetDateADT(column(i, 2, &isnull));
		lesson->source = TextDatumGetCString(column(i, 5, &isnull));
		lesson->glm = xs_glm_detoast(column(i, 3, &isnull));
		previous = column(i, 4, &isnull);
		if (!isnull)
			xs_check_status(xs_glm_merge(lesson->glm, xs_glm_detoast(previous), -1), "xsell_glm");
	}
	SPI_freetuptable(rows);
}

static XsModel *
prepare(const Refit *refit, const Lessons *lessons)
{
	XsModel    *model = xs_model_create(refit->policy, CurrentMemoryContext);
	DateADT		newest = 0;

	for (int i = 0; i < refit->nbases; i++)
		if (xs_policy_learns_from(refit->policy, refit->bases[i].source))
			newest = Max(newest, refit->bases[i].bucket);
	xs_model_begin(model, newest);
	for (int i = 0; i < refit->nbases; i++)
	{
		const Base *base = &refit->bases[i];
		XsEvidenceRow row = {
			.product = base->product,.encoding = base->encoding,.bucket = base->bucket,.source = base->source,
			.beta = &base->beta,.score = &base->score,.glm = base->bucket < refit->since ? base->glm : NULL
		};

		xs_model_add(model, &row, +1);
	}
	for (int i = 0; i < lessons->n; i++)
	{
		const Lesson *lesson = &lessons->lesson[i];
		XsEvidenceRow row = {
			.product = lesson->product,.encoding = refit->policy->encoding,.bucket = lesson->bucket,
			.source = lesson->source,.glm = lesson->glm
		};

		xs_model_add(model, &row, +1);
	}
	xs_model_end(model, true);
	return model;
}

/* ---- weeks that are not in the log any more ---- */

/* Whether the log has all decisions of a product and week that evidence was made of. */
static bool
is_whole(const Refit *refit, const Lessons *lessons, const char *product, DateADT bucket)
{
	int64		missing = 0;

	for (int i = 0; i < refit->nbases; i++)
		if (refit->bases[i].bucket == bucket && strcmp(refit->bases[i].product, product) == 0)
			missing += refit->bases[i].beta.n;
	for (int i = 0; i < lessons->n; i++)
		if (lessons->lesson[i].bucket == bucket && strcmp(lessons->lesson[i].product, product) == 0)
			missing -= lessons->lesson[i].glm->n;
	return missing == 0;
}

/* Old partitions of the log are dropped, but what was learned from them is kept. */
static void
find_first_week(Refit *refit, Lessons *lessons)
{
	int			kept = 0;

	for (int i = 0; i < refit->nbases; i++)
		if (!is_whole(refit, lessons, refit->bases[i].product, refit->bases[i].bucket))
			refit->since = Max(refit->since, refit->bases[i].bucket + 7);
	if (refit->since == NO_WEEK)
		return;
	ereport(NOTICE,
			(errmsg("decisions before %s are not all in the log any more",
					TextDatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(refit->since)))),
			 errdetail("What was learned from them stays as it is.")));
	for (int i = 0; i < lessons->n; i++)
		if (lessons->lesson[i].bucket >= refit->since)
			lessons->lesson[kept++] = lessons->lesson[i];
	lessons->n = kept;
}

/* ---- moving ---- */

/* Sums of weight and of weight times the square of what delta adds to the predictor, over decisions. */
static void
add_squares(const XsGlm *glm, const double *delta, double *weights, double *squares)
{
	const int64 *lambda = glm->sums + glm->dim;

	*weights += xs_unfixed(lambda[0]);
	for (int i = 0; i < glm->dim; i++)
		for (int j = 0; j <= i; j++)
			*squares += (i == j ? 1 : 2) * delta[i] * delta[j] * xs_unfixed(lambda[XS_PACKED_INDEX(i, j)]);
}

/* How much of a step a product may take. */
static double
safe_part(const Refit *refit, int offer, const Lessons *lessons, const double *delta)
{
	double		weights = 0;
	double		squares = 0;

	for (int i = 0; i < lessons->n; i++)
		if (strcmp(lessons->lesson[i].product, refit->policy->offers[offer].product) == 0)
			add_squares(lessons->lesson[i].glm, delta, &weights, &squares);
	if (squares <= LONGEST_STEP * LONGEST_STEP * weights)
		return 1;
	return LONGEST_STEP * sqrt(weights / squares);
}

/*
 * The way from the coefficients to those of a model; returns how long it is for the
 * farthest, in its own standard deviations.
 */
static double
way_to(const Refit *refit, const XsModel *model, double *delta)
{
	int			dim = refit->policy->dim;
	double	   *sd = palloc(sizeof(double) * dim);
	double		farthest = 0;

	for (int o = 0; o < refit->policy->noffers; o++)
	{
		xs_model_coefficients(model, o, delta + o * dim, sd);
		for (int i = 0; i < dim; i++)
		{
			delta[o * dim + i] -= refit->mean[o * dim + i];
			farthest = Max(farthest, fabs(delta[o * dim + i]) / sd[i]);
		}
	}
	pfree(sd);
	return farthest;
}

static void
move(Refit *refit, const Lessons *lessons, const double *delta)
{
	int			dim = refit->policy->dim;

	for (int o = 0; o < refit->policy->noffers; o++)
	{
		double		part = safe_part(refit, o, lessons, delta + o * dim);

		for (int i = 0; i < dim; i++)
			refit->mean[o * dim + i] += part * delta[o * dim + i];
	}
}

/* ---- the end ---- */

static void
save_means(const Refit *refit)
{
	int			dim = refit->policy->dim;

	for (int o = 0; o < refit->policy->noffers; o++)
	{
		Datum		values[] = {
			refit->agent, Int64GetDatum(refit->number), CStringGetTextDatum(refit->policy->offers[o].product),
			numbers_array(refit->mean + o * dim, dim)
		};

		xs_execute(&save_mean, values, NULL, XS_WRITE, 0);
	}
}

static void
save_evidence(const Refit *refit, XsStatement *statement, const char *product, int32 encoding, DateADT bucket,
			  const char *source, const XsGlm *glm)
{
	Datum		values[] = {
		refit->agent, Int64GetDatum(refit->number), CStringGetTextDatum(product), Int32GetDatum(encoding),
		DateADTGetDatum(bucket), xs_glm_datum(glm), CStringGetTextDatum(source)
	};

	xs_execute(statement, values, NULL, XS_WRITE, 0);
}

static void
save(const Refit *refit, const Lessons *lessons)
{
	save_means(refit);
	for (int i = 0; i < refit->nbases; i++)
	{
		const Base *base = &refit->bases[i];

		if (base->bucket >= refit->since)
			save_evidence(refit, &save_before, base->product, base->encoding, base->bucket, base->source, base->glm);
	}
	for (int i = 0; i < lessons->n; i++)
	{
		const Lesson *lesson = &lessons->lesson[i];

		save_evidence(refit, &save_after, lesson->product, refit->policy->encoding, lesson->bucket, lesson->source,
					  lesson->glm);
	}
}

/* Returns whether that was the last one. */
static bool
take_pass(Refit *refit)
{
	double	   *delta = palloc(sizeof(double) * Max(refit->policy->noffers * refit->policy->dim, 1));
	Lessons		lessons;

	teach(refit, &lessons);
	if (refit->passes++ == 0)
		find_first_week(refit, &lessons);
	refit->movement = way_to(refit, prepare(refit, &lessons), delta);
	refit->decisions = 0;
	for (int i = 0; i < lessons.n; i++)
		refit->decisions += lessons.lesson[i].glm->n;
	ereport(NOTICE,
			(errmsg("pass %d over %lld decisions: a coefficient moves by up to %.3g standard deviations",
					refit->passes, (long long) refit->decisions, refit->movement)));
	if (refit->link == XS_LOGIT && refit->movement >= CONVERGED && refit->passes < MOST_PASSES)
	{
		move(refit, &lessons, delta);
		return false;
	}
	save(refit, &lessons);
	return true;
}

static void
run(Refit *refit)
{
	bool		last;

	do
	{
		MemoryContext pass_context = AllocSetContextCreate(refit->context, "xsell refit pass", ALLOCSET_DEFAULT_SIZES);
		MemoryContext caller = MemoryContextSwitchTo(pass_context);

		CHECK_FOR_INTERRUPTS();
		last = take_pass(refit);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(pass_context);
	} while (!last);
	if (refit->link == XS_LOGIT && refit->movement >= CONVERGED)
		ereport(WARNING,
				(errmsg("refit " INT64_FORMAT " of agent \"%s\" did not settle in %d passes", refit->number,
						refit->policy->agent, refit->passes),
				 errhint("Look at its coefficients before you promote it.")));
}

static void
check_base(const Refit *refit)
{
	Datum		values[] = {refit->agent, Int64GetDatum(refit->model_version)};

	xs_execute(&share_lock, values, NULL, XS_WRITE, 0);
	if (xs_execute(&taken_away, values, NULL, XS_READ_NEWEST, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("agent \"%s\" forgot a customer, or lost an import, while it was refitted", refit->policy->agent),
				 errhint("Call xsell_refit again.")));
}

static void
end(const Refit *refit)
{
	Datum		values[] = {
		refit->agent, Int64GetDatum(refit->number), Int64GetDatum(refit->model_version),
		Int32GetDatum(refit->policy->version), Int32GetDatum(refit->policy->encoding), DateADTGetDatum(refit->since),
		Int64GetDatum(refit->decisions), Int32GetDatum(refit->passes), Float8GetDatum(refit->movement),
		TimestampTzGetDatum(refit->started_at), TimestampTzGetDatum(xs_now())
	};
	char		nulls[] = "           ";

	check_base(refit);
	if (refit->since == NO_WEEK)
		nulls[5] = 'n';
	xs_execute(&note_refit, values, nulls, XS_WRITE, 0);
}

/* xsell_refit(agent text) RETURNS bigint, the refit's number */
Datum
xsell_refit(PG_FUNCTION_ARGS)
{
	Refit		refit = {.since = NO_WEEK,.started_at = xs_now()};
	XsAgent    *agent;

	xs_check_learns_here("xsell_refit");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("agent must not be null")));
	xs_journal_key_type();		/* an error if there is no journal */
	agent = xs_agent(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	refit.policy = agent->policy;
	check_refits(refit.policy);
	refit.link = strcmp(refit.policy->oracle->name, "linear") == 0 ? XS_IDENTITY : XS_LOGIT;

	SPI_connect();
	refit.context = CurrentMemoryContext;
	refit.agent = CStringGetTextDatum(agent->name);
	start(&refit, agent->model);
	take_number(&refit);
	begin(&refit);
	run(&refit);
	end(&refit);
	SPI_finish();
	PG_RETURN_INT64(refit.number);
}
