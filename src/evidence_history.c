/*
 * evidence_history.c: an agent's evidence as of an earlier model version.
 *
 * Evidence is the sum, over the rows of xsell.experience, of what the row's
 * reward teaches less what its previous reward taught.  So evidence at one
 * version becomes evidence at another by adding, or taking away, the rows
 * between the two: exactly, whichever way.  A walk through the log in order
 * reads every row once; a jump starts from nothing, from where the last call
 * was, or from the live evidence, whichever is nearest in versions.
 *
 * Buckets are summed: nothing is discounted.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "evidence_history.h"
#include "journal/journal.h"
#include "learn.h"
#include "types/types.h"

#define NEAR 100				/* versions that are rolled without looking at the live evidence */

typedef struct Product
{
	char	   *product;
	XsBeta		beta;
	XsGlm	   *glm;
} Product;

struct XsEvidenceHistory
{
	MemoryContext context;		/* of what is at hand, emptied when another agent comes */
	char	   *agent;			/* NULL: nothing is at hand */
	int32		encoding;
	int			link;
	int64		model_version;
	int			nproducts;
	int			nallocated;
	Product    *products;
};

static XsStatement live_version = {
	.relation = "learner",
	.sql = "SELECT l.model_version FROM xsell.learner l WHERE l.agent OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static XsStatement live_evidence = {
	.relation = "evidence",
	.sql = "SELECT e.product, e.beta, CASE WHEN $2 OPERATOR(pg_catalog.<>) 0 THEN e.glm END FROM xsell.evidence e"
	" WHERE e.agent OPERATOR(pg_catalog.=) $1"
	" AND (e.encoding OPERATOR(pg_catalog.=) $2 OR $2 OPERATOR(pg_catalog.=) 0)",
	.nargs = 2,
	.argtypes = {TEXTOID, INT4OID}
};

/* %1$s: the extension's schema.  $1 agent, $2 encoding, $3 link, $4 after, $5 last version. */
static const char between_text[] =
"SELECT d.product, %1$s.xsell_beta_agg(e.reward), %1$s.xsell_beta_agg(e.previous),"
"       %1$s.xsell_glm_agg(d.features, e.reward, d.linear_predictor, 1, $3) FILTER (WHERE $2 OPERATOR(pg_catalog.<>) 0),"
"       %1$s.xsell_glm_agg(d.features, e.previous, d.linear_predictor, 1, $3) FILTER (WHERE $2 OPERATOR(pg_catalog.<>) 0)"
"  FROM xsell.experience e"
"  JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) e.decision_id"
" WHERE e.agent OPERATOR(pg_catalog.=) $1 AND (d.encoding OPERATOR(pg_catalog.=) $2 OR $2 OPERATOR(pg_catalog.=) 0)"
"   AND e.model_version OPERATOR(pg_catalog.>) $4 AND e.model_version OPERATOR(pg_catalog.<=) $5"
" GROUP BY d.product";

static XsStatement between = {
	.relation = "experience",
	.nargs = 5,
	.argtypes = {TEXTOID, INT4OID, TEXTOID, INT8OID, INT8OID}
};

static Datum
column(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

XsEvidenceHistory *
xs_history_create(MemoryContext parent)
{
	XsEvidenceHistory *history = MemoryContextAllocZero(parent, sizeof(XsEvidenceHistory));

	history->context = AllocSetContextCreate(parent, "xsell evidence history",
											 ALLOCSET_DEFAULT_SIZES);
	return history;
}

static Product *
find(XsEvidenceHistory *history, const char *product)
{
	for (int i = 0; i < history->nproducts; i++)
		if (strcmp(history->products[i].product, product) == 0)
			return &history->products[i];
	return NULL;
}

static Product *
find_or_add(XsEvidenceHistory *history, const char *product)
{
	Product    *found = find(history, product);

	if (found != NULL)
		return found;
	if (history->nproducts == history->nallocated)
	{
		int			wanted = history->nallocated * 2 + 16;
		Product    *larger = MemoryContextAlloc(history->context, sizeof(Product) * wanted);

		if (history->nproducts > 0)
			memcpy(larger, history->products, sizeof(Product) * history->nproducts);
		history->products = larger;
		history->nallocated = wanted;
	}
	found = &history->products[history->nproducts++];
	memset(found, 0, sizeof(Product));
	found->product = MemoryContextStrdup(history->context, product);
	return found;
}

/* Adds a pair of states, as values of the SQL types, to a product's; glm may be missing. */
static void
merge(XsEvidenceHistory *history, Product *product, Datum beta, Datum glm, bool no_glm, int sign)
{
	XsGlm	   *other;

	xs_check_status(xs_beta_merge(&product->beta, xs_beta_arg(beta), sign), "xsell_beta");
	if (no_glm)
		return;
	other = xs_glm_detoast(glm);
	if (product->glm == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(history->context);

		product->glm = xs_glm_new(other->dim, other->link);
		MemoryContextSwitchTo(caller);
	}
	xs_check_status(xs_glm_merge(product->glm, other, sign), "xsell_glm");
}

static void
start_from_nothing(XsEvidenceHistory *history, const char *agent, int32 encoding, int link)
{
	MemoryContextReset(history->context);
	history->agent = MemoryContextStrdup(history->context, agent);
	history->encoding = encoding;
	history->link = link;
	history->model_version = 0;
	history->nproducts = 0;
	history->nallocated = 0;
	history->products = NULL;
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
start_from_live(XsEvidenceHistory *history, const char *agent, int32 encoding, int link,
				int64 version)
{
	Datum		values[] = {CStringGetTextDatum(agent), Int32GetDatum(encoding)};
	uint64		n = xs_execute(&live_evidence, values, NULL, XS_READ, 0);
	bool		isnull;

	start_from_nothing(history, agent, encoding, link);
	for (uint64 i = 0; i < n; i++)
	{
		char	   *product = TextDatumGetCString(column(i, 1, &isnull));
		Datum		beta = column(i, 2, &isnull);
		Datum		glm = column(i, 3, &isnull);

		merge(history, find_or_add(history, product), beta, glm, isnull, +1);
	}
	history->model_version = version;
}

/* Adds (sign +1) or takes away what the versions after < v <= upto taught. */
static void
roll(XsEvidenceHistory *history, int64 after, int64 upto, int sign)
{
	Datum		values[] = {
		CStringGetTextDatum(history->agent), Int32GetDatum(history->encoding),
		CStringGetTextDatum(xs_link_name(history->link)),
		Int64GetDatum(after), Int64GetDatum(upto)
	};
	static char *made_for = NULL;
	const char *schema = xs_extension_schema();
	uint64		n;

	if (made_for == NULL || strcmp(made_for, schema) != 0)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		between.sql = psprintf(between_text, schema);
		made_for = pstrdup(schema);
		MemoryContextSwitchTo(caller);
	}

	n = xs_execute(&between, values, NULL, XS_READ, 0);
	for (uint64 i = 0; i < n; i++)
	{
		Product    *product;
		bool		isnull;
		bool		none_before;
		Datum		beta;
		Datum		glm;

		product = find_or_add(history, TextDatumGetCString(column(i, 1, &isnull)));
		beta = column(i, 2, &isnull);
		glm = column(i, 4, &isnull);
		merge(history, product, beta, glm, isnull, sign);
		beta = column(i, 3, &none_before);
		glm = column(i, 5, &isnull);
		if (!none_before)
			merge(history, product, beta, glm, isnull, -sign);
	}
}

void
xs_history_at(XsEvidenceHistory *history, const char *agent, int32 encoding, int link,
			  int64 model_version)
{
	bool		at_hand = history->agent != NULL && strcmp(history->agent, agent) == 0 &&
	history->encoding == encoding && history->link == link;
	int64		distance = at_hand ? Abs(history->model_version - model_version) : PG_INT64_MAX;

	if (distance == 0)
		return;
	SPI_connect();
	if (distance > NEAR)
	{
		int64		live = read_live_version(agent);
		int64		from_live = Abs(live - model_version);

		if (from_live < Min(distance, model_version))
			start_from_live(history, agent, encoding, link, live);
		else if (model_version <= distance)
			start_from_nothing(history, agent, encoding, link);
	}
	if (history->model_version < model_version)
		roll(history, history->model_version, model_version, +1);
	else if (history->model_version > model_version)
		roll(history, model_version, history->model_version, -1);
	history->model_version = model_version;
	SPI_finish();
}

void
xs_history_evidence(XsEvidenceHistory *history, const char *product,
					const XsBeta **beta, const XsGlm **glm)
{
	const Product *found = find(history, product);

	if (found != NULL && found->beta.n == 0)
		found = NULL;			/* rolled back to before its first experience */
	*beta = found != NULL ? &found->beta : NULL;
	*glm = found != NULL ? found->glm : NULL;
}
