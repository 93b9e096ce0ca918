/*
 * model_load.c: a model from the journal's evidence and the refit in effect.
 *
 * A refit was made from the evidence of one model version: it keeps what that
 * was (before) and what it became when linearised anew (after).  So the model is
 * prepared from live evidence - before + after, and what was learned or corrected
 * since counts as it was logged.
 */
#include "postgres.h"

#include <float.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"

#include "../journal/array.h"
#include "../journal/journal.h"
#include "../types/types.h"
#include "model.h"

/*
 * Products whose evidence changed after a model version, by what was learned since:
 * few rows, if there are few; of evidence all rows would have to be looked at.  Of
 * customers forgotten since nothing tells which products they were.
 */
static XsStatement changed_products = {
	.relation = "experience",
	.sql = "SELECT pg_catalog.array_agg(DISTINCT x.product), pg_catalog.count(*),"
	"  EXISTS (SELECT FROM xsell.forgotten f WHERE f.agent OPERATOR(pg_catalog.=) $1 AND f.model_version OPERATOR(pg_catalog.>) $2)"
	"  FROM (SELECT d.product FROM xsell.experience e"
	"          JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) e.decision_id"
	"         WHERE e.agent OPERATOR(pg_catalog.=) $1 AND e.model_version OPERATOR(pg_catalog.>) $2 LIMIT $3) x",
	.nargs = 3,
	.argtypes = {TEXTOID, INT8OID, INT8OID}
};

#define MOST_CHANGES 1000		/* from here on all products are loaded */

/* $2 products, $3 with glm */
static XsStatement evidence = {
	.relation = "evidence",
	.sql = "SELECT e.product, e.encoding, e.bucket, e.beta, CASE WHEN $3 THEN e.glm END, e.score, e.harm, e.source"
	"  FROM xsell.evidence e WHERE e.agent OPERATOR(pg_catalog.=) $1 AND e.product OPERATOR(pg_catalog.=) ANY ($2)",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTARRAYOID, BOOLOID}
};

static XsStatement segments = {
	.relation = "segment_evidence",
	.sql = "SELECT s.product, s.segment, s.bucket, s.beta, s.source"
	"  FROM xsell.segment_evidence s WHERE s.agent OPERATOR(pg_catalog.=) $1 AND s.product OPERATOR(pg_catalog.=) ANY ($2)",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTARRAYOID}
};

static XsStatement newest_bucket = {
	.relation = "evidence",
	.sql = "SELECT pg_catalog.max(e.bucket) FROM xsell.evidence e WHERE e.agent OPERATOR(pg_catalog.=) $1"
	" AND e.source OPERATOR(pg_catalog.=) ANY ($2)",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTARRAYOID}
};

/* Refits that were made with an import that is removed as of a model version. */
#define VOID(refit, version) \
	"EXISTS (SELECT FROM xsell.import i WHERE i.agent OPERATOR(pg_catalog.=) $1 AND i.removed_in OPERATOR(pg_catalog.<=) " version \
	" AND i.removed_in OPERATOR(pg_catalog.>) " refit ".model_version AND i.learned_in OPERATOR(pg_catalog.<=) " refit ".model_version)"

static XsStatement promoted = {
	.relation = "promotion",
	.sql = "SELECT CASE WHEN " VOID("r", "$2") " THEN 0 ELSE p.refit END FROM xsell.promotion p"
	" LEFT JOIN xsell.refit r ON r.agent OPERATOR(pg_catalog.=) p.agent AND r.refit OPERATOR(pg_catalog.=) p.refit"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1"
	" AND p.model_version OPERATOR(pg_catalog.<=) $2 ORDER BY p.model_version DESC LIMIT 1",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
};

static XsStatement refitted = {
	.relation = "refit_evidence",
	.sql = "SELECT r.product, r.encoding, r.bucket, r.before, r.after, r.source"
	"  FROM xsell.refit_evidence r"
	" WHERE r.agent OPERATOR(pg_catalog.=) $1 AND r.refit OPERATOR(pg_catalog.=) $2"
	"   AND r.product OPERATOR(pg_catalog.=) ANY ($3)",
	.nargs = 3,
	.argtypes = {TEXTOID, INT8OID, TEXTARRAYOID}
};

static XsStatement refit_encoding = {
	.relation = "refit",
	.sql = "SELECT r.encoding, " VOID("r", "9223372036854775807") " FROM xsell.refit r"
	" WHERE r.agent OPERATOR(pg_catalog.=) $1 AND r.refit OPERATOR(pg_catalog.=) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
};

static Datum
column(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

int64
xs_refit_at(const char *agent, int64 model_version)
{
	Datum		values[] = {CStringGetTextDatum(agent), Int64GetDatum(model_version)};
	int64		refit = XS_NO_REFIT;
	bool		isnull;

	SPI_connect();
	if (xs_execute(&promoted, values, NULL, XS_READ, 1) == 1)
		refit = DatumGetInt64(column(0, 1, &isnull));
	SPI_finish();
	return refit;
}

/* The latest bucket of all evidence that may teach; any day, if there is none. */
static DateADT
read_newest(const XsPolicy *policy)
{
	Datum		values[] = {CStringGetTextDatum(policy->agent), xs_array_of_texts(policy->nteaches, policy->teaches)};
	bool		isnull;
	Datum		newest;

	xs_execute(&newest_bucket, values, NULL, XS_READ, 1);
	newest = column(0, 1, &isnull);
	return isnull ? 0 : DatumGetDateADT(newest);
}

static void
add_evidence(XsModel *model, Datum products)
{
	const XsPolicy *policy = xs_model_policy(model);
	Datum		values[] = {
		CStringGetTextDatum(policy->agent), products, BoolGetDatum(policy->oracle->needs_features)
	};
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "xsell row", ALLOCSET_DEFAULT_SIZES);
	uint64		n = xs_execute(&evidence, values, NULL, XS_READ, 0);

	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(row_context);
		XsEvidenceRow row = {0};
		bool		isnull;
		Datum		glm;

		row.product = TextDatumGetCString(column(i, 1, &isnull));
		row.encoding = DatumGetInt32(column(i, 2, &isnull));
		row.bucket = DatumGetDateADT(column(i, 3, &isnull));
		row.beta = xs_beta_arg(column(i, 4, &isnull));
		glm = column(i, 5, &isnull);
		row.glm = isnull ? NULL : xs_glm_detoast(glm);
		row.score = xs_score_arg(column(i, 6, &isnull));
		row.harm = xs_beta_arg(column(i, 7, &isnull));
		row.source = TextDatumGetCString(column(i, 8, &isnull));
		xs_model_add(model, &row, +1);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row_context);
	}
	MemoryContextDelete(row_context);
}

static void
add_segments(XsModel *model, Datum products)
{
	const XsPolicy *policy = xs_model_policy(model);
	Datum		values[] = {CStringGetTextDatum(policy->agent), products};
	uint64		n = policy->segment == NULL ? 0 : xs_execute(&segments, values, NULL, XS_READ, 0);

	for (uint64 i = 0; i < n; i++)
	{
		XsSegmentRow row;
		bool		isnull;

		row.product = TextDatumGetCString(column(i, 1, &isnull));
		row.segment = TextDatumGetCString(column(i, 2, &isnull));
		row.bucket = DatumGetDateADT(column(i, 3, &isnull));
		row.beta = xs_beta_arg(column(i, 4, &isnull));
		row.source = TextDatumGetCString(column(i, 5, &isnull));
		xs_model_add_segment(model, &row);
	}
}

/* The layout of a refit's coefficients. */
static int32
encoding_of(const char *agent, int64 refit, XsAccess access)
{
	Datum		values[] = {CStringGetTextDatum(agent), Int64GetDatum(refit)};
	bool		isnull;

	if (xs_execute(&refit_encoding, values, NULL, access, 1) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("refit " INT64_FORMAT " of agent \"%s\" does not exist", refit, agent),
				 errhint("Refits are rows of xsell.refit; 0 stands for none.")));
	return DatumGetInt32(column(0, 1, &isnull));
}

void
xs_check_refit(XsModel *model, int64 refit, XsAccess access)
{
	const char *agent = xs_model_policy(model)->agent;
	int32		encoding;
	bool		isnull;

	if (refit == XS_NO_REFIT)
		return;
	encoding = encoding_of(agent, refit, access);
	if (DatumGetBool(column(0, 2, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("refit " INT64_FORMAT " of agent \"%s\" was made with an import that is removed", refit, agent),
				 errhint("Call xsell_refit again.")));
	if (!xs_model_can_use(model, encoding))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("refit " INT64_FORMAT " of agent \"%s\" was made for another oracle", refit, agent),
				 errdetail("Evidence of oracle \"linear\" cannot teach the others, nor theirs it."),
				 errhint("Call xsell_refit again.")));
}

static void
add_refit(XsModel *model, int64 refit, Datum products)
{
	const XsPolicy *policy = xs_model_policy(model);
	Datum		values[] = {CStringGetTextDatum(policy->agent), Int64GetDatum(refit), products};
	MemoryContext row_context;
	uint64		n;

	xs_model_basis(model)->refit = refit;
	if (refit == XS_NO_REFIT || !policy->oracle->needs_features ||
		!xs_model_can_use(model, encoding_of(policy->agent, refit, XS_READ)))
		return;
	row_context = AllocSetContextCreate(CurrentMemoryContext, "xsell row", ALLOCSET_DEFAULT_SIZES);
	n = xs_execute(&refitted, values, NULL, XS_READ, 0);
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext caller = MemoryContextSwitchTo(row_context);
		XsEvidenceRow row = {0};
		bool		isnull;

		row.product = TextDatumGetCString(column(i, 1, &isnull));
		row.encoding = DatumGetInt32(column(i, 2, &isnull));
		row.bucket = DatumGetDateADT(column(i, 3, &isnull));
		row.source = TextDatumGetCString(column(i, 6, &isnull));
		for (int side = 4; side <= 5; side++)
		{
			Datum		state = column(i, side, &isnull);

			if (isnull)
				continue;
			row.glm = xs_glm_detoast(state);
			xs_model_add(model, &row, side == 4 ? -1 : +1);
		}
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row_context);
	}
	MemoryContextDelete(row_context);
}

/* Whether what changed is all that must be prepared anew. */
static bool
same_basis(XsModel *model, DateADT newest, int64 refit)
{
	const XsPolicy *policy = xs_model_policy(model);
	const XsModelBasis *basis = xs_model_basis(model);

	return basis->refit == refit &&
		(basis->newest == newest || (policy->half_life == 0 && policy->evidence_window == 0));
}

/* All offers' products. */
static Datum
all_products(const XsPolicy *policy)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(policy->noffers, 1));

	for (int o = 0; o < policy->noffers; o++)
		names[o] = CStringGetTextDatum(policy->offers[o].product);
	return PointerGetDatum(construct_array(names, policy->noffers, TEXTOID, -1, false, TYPALIGN_INT));
}

/* False: too many to tell. */
static bool
products_since(const XsPolicy *policy, int64 since, Datum *products)
{
	Datum		values[] = {CStringGetTextDatum(policy->agent), Int64GetDatum(since), Int64GetDatum(MOST_CHANGES)};
	bool		isnull;

	xs_execute(&changed_products, values, NULL, XS_READ, 1);
	if (DatumGetInt64(column(0, 2, &isnull)) == MOST_CHANGES || DatumGetBool(column(0, 3, &isnull)))
		return false;
	*products = column(0, 1, &isnull);
	*products = isnull ? PointerGetDatum(construct_empty_array(TEXTOID)) : PointerGetDatum(DatumGetArrayTypePCopy(*products));
	return true;
}

/* What a product has lost, its last evidence maybe, no row shows. */
static void
touch(XsModel *model, Datum products)
{
	int			n;
	char	  **names = xs_array_texts(products, &n);

	for (int i = 0; i < n; i++)
		xs_model_touch(model, names[i]);
}

static void
load(XsModel *model, int64 since, int64 refit)
{
	const XsPolicy *policy = xs_model_policy(model);
	DateADT		newest = read_newest(policy);
	Datum		products;
	bool		all = since < 0 || !same_basis(model, newest, refit) || !products_since(policy, since, &products);

	if (all)
		products = all_products(policy);
	xs_model_begin(model, newest);
	touch(model, products);
	add_evidence(model, products);
	add_segments(model, products);
	add_refit(model, refit, products);
	xs_model_end(model, all);
}

void
xs_model_add_refit(XsModel *model, int64 refit)
{
	add_refit(model, refit, all_products(xs_model_policy(model)));
}

void
xs_model_load(XsModel *model, int64 since)
{
	int64		refit = xs_refit_at(xs_model_policy(model)->agent, PG_INT64_MAX);

	SPI_connect();
	load(model, since, refit);
	SPI_finish();
}

void
xs_model_load_refit(XsModel *model, int64 refit)
{
	SPI_connect();
	xs_check_refit(model, refit, XS_READ);
	load(model, -1, refit);
	SPI_finish();
}
