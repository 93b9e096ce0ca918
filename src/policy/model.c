/*
 * model.c: an agent's prepared models, one per offer.
 *
 * What a backend caches and what a replay rebuilds is made here from the same
 * inputs, evidence and policy, by the same arithmetic.  An oracle that looks at
 * no features learns from all layouts of features alike.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"

#include "../journal/journal.h"
#include "../settings.h"
#include "../types/types.h"
#include "model.h"

/* The last weeks of evidence: no share looks back farther. */
#define NWEEKS 8

typedef struct Week
{
	DateADT		monday;
	int64		n;				/* decisions learned */
} Week;

struct XsModel
{
	MemoryContext context;
	const XsPolicy *policy;
	void	  **prepared;		/* by offer */
	double	   *scratch;
	struct Week (*weeks)[NWEEKS];	/* by offer: decisions learned */
};

/* Shares of fewer offers than this say nothing. */
#define ENOUGH_FOR_SHARES 100

XsModel *
xs_model_create(const XsPolicy *policy, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "xsell model", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	XsModel    *model = palloc0(sizeof(XsModel));
	size_t		size = MAXALIGN(policy->oracle->model_size(policy->dim));

	model->context = context;
	model->policy = policy;
	model->prepared = palloc(sizeof(void *) * Max(policy->noffers, 1));
	for (int i = 0; i < policy->noffers; i++)
		model->prepared[i] = palloc0(size);
	model->weeks = palloc0(sizeof(model->weeks[0]) * Max(policy->noffers, 1));
	model->scratch = palloc(sizeof(double) * XS_GLM_SUMS(policy->dim));
	MemoryContextSwitchTo(caller);
	return model;
}

MemoryContext
xs_model_context(const XsModel *model)
{
	return model->context;
}

void
xs_model_prepare(XsModel *model, int offer, const XsBeta *beta, const XsGlm *glm)
{
	const XsPolicy *policy = model->policy;
	XsEvidence	evidence = {.beta = beta,.glm = glm};
	XsPrior		prior = policy->prior;

	prior.uses_propensity = policy->offers[offer].propensity != NULL;
	if (policy->oracle->prepare(model->prepared[offer], policy->dim, &evidence, &prior,
								model->scratch) != XS_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the evidence of product \"%s\" gives no model", policy->offers[offer].product),
				 errdetail("Its posterior precision is not positive definite."),
				 errhint("Compare xsell.evidence with xsell_rebuild_evidence('%s').", policy->agent)));
}

/* Evidence of one offer, summed over its time buckets. */
typedef struct Sum
{
	bool		touched;
	Week		weeks[NWEEKS];
	XsBeta		beta;
	XsGlm	   *glm;
} Sum;

/* Each week has its place, which a later one takes over. */
static void
note_week(Week *weeks, DateADT monday, int64 n)
{
	Week	   *week = &weeks[(uint32) monday / 7 % NWEEKS];

	if (week->n > 0 && week->monday == monday)
		week->n += n;			/* of another layout of features */
	else if (week->n == 0 || week->monday < monday)
		*week = (Week) {.monday = monday,.n = n};
}

static XsStatus
add_glm(Sum *sum, XsGlm *glm, int dim)
{
	if (glm->dim != dim)
		return XS_DIMENSION;
	if (sum->glm != NULL)
		return xs_glm_merge(sum->glm, glm, 1);
	sum->glm = glm;
	return XS_OK;
}

static void
add_row(XsModel *model, Sum *sums, HeapTuple row, TupleDesc desc)
{
	bool		isnull;
	int			offer = xs_policy_offer(model->policy,
										TextDatumGetCString(SPI_getbinval(row, desc, 1, &isnull)));
	const XsBeta *beta;
	XsStatus	status;

	if (offer < 0)
		return;					/* no longer offered */
	beta = xs_beta_arg(SPI_getbinval(row, desc, 2, &isnull));
	status = xs_beta_merge(&sums[offer].beta, beta, 1);
	if (status == XS_OK && model->policy->oracle->needs_features)
		status = add_glm(&sums[offer], xs_glm_detoast(SPI_getbinval(row, desc, 3, &isnull)), model->policy->dim);
	if (status != XS_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the evidence of product \"%s\" does not fit its policy",
						model->policy->offers[offer].product),
				 errhint("Compare xsell.evidence with xsell_rebuild_evidence('%s').", model->policy->agent)));
	sums[offer].touched = true;
	note_week(sums[offer].weeks, DatumGetDateADT(SPI_getbinval(row, desc, 4, &isnull)), beta->n);
}

void
xs_model_load(XsModel *model, int64 since)
{
	static XsStatement statement = {
		.relation = "evidence",
		.sql = "SELECT e.product, e.beta, e.glm, e.bucket FROM xsell.evidence e"
		" WHERE e.agent OPERATOR(pg_catalog.=) $1 AND (e.encoding OPERATOR(pg_catalog.=) $2 OR $4)"
		" AND ($3 OPERATOR(pg_catalog.<) 0 OR EXISTS (SELECT FROM xsell.evidence c"
		"  WHERE c.agent OPERATOR(pg_catalog.=) $1 AND (c.encoding OPERATOR(pg_catalog.=) $2 OR $4)"
		"  AND c.product OPERATOR(pg_catalog.=) e.product AND c.model_version OPERATOR(pg_catalog.>) $3))",
		.nargs = 4,
		.argtypes = {TEXTOID, INT4OID, INT8OID, BOOLOID}
	};
	const XsPolicy *policy = model->policy;
	Datum		values[4];
	Sum		   *sums;

	SPI_connect();
	values[0] = CStringGetTextDatum(policy->agent);
	values[1] = Int32GetDatum(policy->encoding);
	values[2] = Int64GetDatum(since);
	values[3] = BoolGetDatum(!policy->oracle->needs_features);
	sums = palloc0(sizeof(Sum) * Max(policy->noffers, 1));
	xs_execute(&statement, values, NULL, XS_READ, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		add_row(model, sums, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);

	for (int i = 0; i < policy->noffers; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (sums[i].touched || since < 0)
		{
			xs_model_prepare(model, i, sums[i].touched ? &sums[i].beta : NULL, sums[i].glm);
			memcpy(model->weeks[i], sums[i].weeks, sizeof(sums[i].weeks));
		}
	}
	SPI_finish();
}

/* Weeks that began in the four weeks before. */
static int64
learned_recently(const Week *weeks, TimestampTz now)
{
	DateADT		since = (DateADT) (now / USECS_PER_DAY) - 28;
	int64		n = 0;

	for (int i = 0; i < NWEEKS; i++)
		if (weeks[i].monday >= since)
			n += weeks[i].n;
	return n;
}

double
xs_model_share(const XsModel *model, int offer, TimestampTz now)
{
	int64		all = 0;

	for (int i = 0; i < model->policy->noffers; i++)
		all += learned_recently(model->weeks[i], now);
	return all < ENOUGH_FOR_SHARES ? 0 : (double) learned_recently(model->weeks[offer], now) / all;
}

void
xs_model_predict(const XsModel *model, int offer, const float4 *x, double propensity, XsPrediction *out)
{
	const XsPolicy *policy = model->policy;

	policy->oracle->predict(model->prepared[offer], x,
							isnan(propensity) ? policy->prior.neutral_rate : propensity, out);
}

void
xs_model_contributions(const XsModel *model, int offer, const float4 *x, double *out)
{
	model->policy->oracle->contributions(model->prepared[offer], x, out);
}
