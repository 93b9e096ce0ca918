/*
 * model.c: an agent's prepared models, one per offer.
 *
 * What a backend caches and what a replay rebuilds is made here from the same
 * rows of evidence and the same policy, by the same arithmetic.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/date.h"
#include "utils/memutils.h"

#include "../math/special.h"
#include "../model/choice.h"
#include "../model/discount.h"
#include "../model/pool.h"
#include "../settings.h"
#include "../types/types.h"
#include "cache.h"
#include "model.h"
#include "remap.h"

/* The last weeks of evidence: no share looks back farther. */
#define NWEEKS 8

/* Shares of fewer offers than this say nothing. */
#define ENOUGH_FOR_SHARES 100

typedef struct Week
{
	DateADT		monday;
	int64		n;				/* decisions learned */
} Week;

/* The scores of one week. */
typedef struct Period
{
	DateADT		bucket;
	XsScore		score;
} Period;

/* Evidence of one offer while rows are added. */
typedef struct Sum
{
	bool		touched;
	int64		learned;		/* discounted by nothing */
	Week		weeks[NWEEKS];
	XsBeta		beta;
	XsBeta		harm;
	XsGlm	   *glm;
	XsScore		propensity;		/* of decisions under the present propensity */
	int			nperiods;
	Period	   *periods;
	int			nsegments;
	XsBeta	   *segments;
} Sum;

/* One offer as it is prepared. */
typedef struct Prepared
{
	void	   *global;			/* models of the oracles; NULL: not in use */
	void	   *segment;
	void	   *features;
	XsModelState state;
	XsBeta		beta;			/* what state.beta points to */
	double	   *spread;			/* of the columns among decisions; NULL: no evidence */
	int64		learned;
	double		harm;
	Week		weeks[NWEEKS];
	int			nperiods;		/* auto only */
	Period	   *periods;
} Prepared;

/* How another layout's evidence maps to this one. */
typedef struct OldLayout
{
	int32		encoding;
	bool		usable;			/* false: of another link */
	const XsRemap **maps;		/* by offer; NULL: as it is */
	bool	   *same_score;		/* by offer: whether its propensity was the present one */
	struct OldLayout *next;
} OldLayout;

struct XsModel
{
	MemoryContext context;
	const XsPolicy *policy;
	const XsOracle *global;
	const XsOracle *segment;	/* NULL: not in use */
	const XsOracle *features;	/* likewise */
	Prepared   *offers;
	XsPool	  **pools;			/* by group; NULL: it has nothing in common */
	double	   *scratch;
	OldLayout  *layouts;
	int			nsegments;
	char	  **segments;		/* names by number */
	int64		learned;		/* of all offers */
	double		rate;

	/* while evidence is added */
	MemoryContext sums_context; /* NULL: it is not */
	MemoryContext row_context;
	Sum		   *sums;
	XsModelBasis basis;
};

/* The prior of an offer, as far as evidence does not tell. */
static XsPrior
prior_of(const XsPolicy *policy, int o)
{
	const XsOffer *offer = &policy->offers[o];
	XsPrior		prior = policy->prior;
	double		ratio = offer->prior_strength / prior.strength;

	prior.neutral_rate = offer->prior_rate;
	prior.strength = offer->prior_strength;
	prior.intercept_precision *= ratio;
	prior.slope_precision *= ratio;
	prior.uses_propensity = offer->propensity != NULL;
	return prior;
}

/* Whether an offer shares with its group: not one whose prior has a strength of its own. */
static bool
is_pooled(const XsPolicy *policy, int o)
{
	return policy->offers[o].group >= 0 && policy->offers[o].prior_strength == policy->prior.strength;
}

static int
group_size(const XsPolicy *policy, int group)
{
	int			n = 0;

	for (int o = 0; o < policy->noffers; o++)
		n += policy->offers[o].group == group && is_pooled(policy, o);
	return n;
}

bool
xs_model_shares(const XsModel *model, int offer, int other)
{
	int			group = model->policy->offers[offer].group;

	return offer != other && is_pooled(model->policy, offer) && is_pooled(model->policy, other) &&
		group == model->policy->offers[other].group && model->pools != NULL && model->pools[group] != NULL;
}

static void
make_pools(XsModel *model)
{
	const XsPolicy *policy = model->policy;
	double	   *share = palloc(sizeof(double) * policy->dim);

	for (int i = 0; i < policy->dim; i++)
		share[i] = policy->pooling;
	model->pools = palloc0(sizeof(XsPool *) * Max(policy->ngroups, 1));
	for (int g = 0; g < policy->ngroups && policy->pooling > 0; g++)
	{
		if (group_size(policy, g) < 2)
			continue;
		model->pools[g] = palloc0(xs_pool_size(policy->dim, share));
		if (xs_pool_init(model->pools[g], policy->dim, &policy->prior, share) != XS_OK)
			elog(ERROR, "agent \"%s\" cannot pool its products", policy->agent);
	}
}

XsModel *
xs_model_create(const XsPolicy *policy, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "xsell model", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	XsModel    *model = palloc0(sizeof(XsModel));

	model->context = context;
	model->policy = policy;
	model->global = xs_oracle("beta");
	if (policy->segment != NULL)
		model->segment = xs_oracle("segment");
	if (policy->choice == XS_CHOICE_FEATURES || policy->choice == XS_CHOICE_AUTO)
		model->features = policy->oracle;
	model->offers = palloc0(sizeof(Prepared) * Max(policy->noffers, 1));
	if (model->features != NULL)
		make_pools(model);
	model->scratch = palloc(sizeof(double) * XS_GLM_SUMS(policy->dim));
	MemoryContextSwitchTo(caller);
	return model;
}

MemoryContext
xs_model_context(const XsModel *model)
{
	return model->context;
}

XsModelBasis *
xs_model_basis(XsModel *model)
{
	return &model->basis;
}

const XsPolicy *
xs_model_policy(const XsModel *model)
{
	return model->policy;
}

/* ---- layouts ---- */

static OldLayout *
read_layout(XsModel *model, int32 encoding)
{
	const XsPolicy *policy = model->policy;
	MemoryContext caller = MemoryContextSwitchTo(model->context);
	OldLayout  *layout = palloc0(sizeof(OldLayout));
	XsPolicy   *old = xs_policy_version(policy->agent, encoding);

	layout->encoding = encoding;
	layout->usable = old != NULL && xs_layout_can_remap(old, policy);
	layout->maps = palloc0(sizeof(XsRemap *) * Max(policy->noffers, 1));
	layout->same_score = palloc0(sizeof(bool) * Max(policy->noffers, 1));
	for (int i = 0; i < policy->noffers && old != NULL; i++)
	{
		const char *product = policy->offers[i].product;

		layout->same_score[i] = xs_layout_same_score(old, policy, product);
		if (layout->usable)
			layout->maps[i] = xs_layout_remap(old, policy, product, model->context);
	}
	if (old != NULL)
		MemoryContextDelete(old->context);
	layout->next = model->layouts;
	model->layouts = layout;
	MemoryContextSwitchTo(caller);
	return layout;
}

static const OldLayout *
layout_of(XsModel *model, int32 encoding)
{
	for (OldLayout *layout = model->layouts; layout != NULL; layout = layout->next)
		if (layout->encoding == encoding)
			return layout;
	return read_layout(model, encoding);
}

bool
xs_model_can_use(XsModel *model, int32 encoding)
{
	return encoding == model->policy->encoding || layout_of(model, encoding)->usable;
}

/* ---- evidence ---- */

void
xs_model_begin(XsModel *model, DateADT newest)
{
	Assert(model->sums_context == NULL);
	model->basis.newest = newest;
	model->sums_context = AllocSetContextCreate(model->context, "xsell evidence", ALLOCSET_DEFAULT_SIZES);
	model->row_context = AllocSetContextCreate(model->sums_context, "xsell evidence row", ALLOCSET_DEFAULT_SIZES);
	model->sums = MemoryContextAllocZero(model->sums_context, sizeof(Sum) * Max(model->policy->noffers, 1));
}

static void
check(const XsModel *model, int offer, XsStatus status)
{
	if (status != XS_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the evidence of product \"%s\" does not fit its policy",
						model->policy->offers[offer].product),
				 errhint("Compare xsell.evidence with xsell_rebuild_evidence('%s').", model->policy->agent)));
}

/* By how much evidence of this age counts; 0: not at all. */
static double
discount(const XsModel *model, DateADT bucket)
{
	const XsPolicy *policy = model->policy;
	double		age = Max(model->basis.newest - bucket, 0);

	if (policy->evidence_window > 0 && age >= policy->evidence_window)
		return 0;
	return policy->half_life > 0 ? xs_exp(-0.6931471805599453 * (age / policy->half_life)) : 1;
}

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

static Period *
period_of(XsModel *model, Sum *sum, DateADT bucket)
{
	for (int i = sum->nperiods - 1; i >= 0; i--)
		if (sum->periods[i].bucket == bucket)
			return &sum->periods[i];
	if (sum->nperiods % 16 == 0)
	{
		MemoryContext caller = MemoryContextSwitchTo(model->sums_context);
		Period	   *larger = palloc0(sizeof(Period) * (sum->nperiods + 16));

		if (sum->nperiods > 0)
			memcpy(larger, sum->periods, sizeof(Period) * sum->nperiods);
		sum->periods = larger;
		MemoryContextSwitchTo(caller);
	}
	sum->periods[sum->nperiods].bucket = bucket;
	return &sum->periods[sum->nperiods++];
}

/* Scores of one week; those of another propensity tell nothing of the present one. */
static XsStatus
add_score(XsModel *model, int offer, const XsEvidenceRow *row, int sign)
{
	const XsPolicy *policy = model->policy;
	Sum		   *sum = &model->sums[offer];
	XsStatus	status = xs_score_merge(&period_of(model, sum, row->bucket)->score, row->score, sign);

	if (status == XS_OK && policy->offers[offer].propensity != NULL &&
		(row->encoding == policy->encoding || layout_of(model, row->encoding)->same_score[offer]))
		status = xs_score_merge(&sum->propensity, row->score, sign);
	return status;
}

static XsStatus
add_beta(XsBeta *to, const XsBeta *beta, double gamma, int sign)
{
	XsBeta		scaled = *beta;

	if (gamma != 1)
		xs_beta_scale(&scaled, gamma);
	return xs_beta_merge(to, &scaled, sign);
}

/* The evidence as the present layout would have left it, discounted; in the row's context. */
static XsStatus
add_glm(XsModel *model, int offer, const XsEvidenceRow *row, double gamma, int sign)
{
	const XsPolicy *policy = model->policy;
	Sum		   *sum = &model->sums[offer];
	XsGlm	   *glm = (XsGlm *) row->glm;
	XsStatus	status = XS_OK;

	if (row->encoding != policy->encoding)
	{
		const OldLayout *layout = layout_of(model, row->encoding);

		if (!layout->usable)
			return XS_OK;
		if (layout->maps[offer] != NULL)
		{
			glm = xs_glm_new(policy->dim, row->glm->link);
			status = xs_remap_glm(glm, row->glm, layout->maps[offer]);
		}
	}
	if (status == XS_OK && gamma != 1)
	{
		if (glm == row->glm)
			glm = memcpy(palloc(XS_GLM_SIZE(glm->dim)), glm, XS_GLM_SIZE(glm->dim));
		xs_glm_scale(glm, gamma);
	}
	if (status == XS_OK && glm->dim != policy->dim)
		status = XS_DIMENSION;
	if (status == XS_OK && sum->glm == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(model->sums_context);

		sum->glm = xs_glm_new(policy->dim, glm->link);
		MemoryContextSwitchTo(caller);
	}
	return status == XS_OK ? xs_glm_merge(sum->glm, glm, sign) : status;
}

void
xs_model_add(XsModel *model, const XsEvidenceRow *row, int sign)
{
	int			offer = xs_policy_offer(model->policy, row->product);
	double		gamma = discount(model, row->bucket);
	MemoryContext caller;
	Sum		   *sum;

	if (offer < 0)
		return;					/* no longer offered */
	sum = &model->sums[offer];
	sum->touched = true;
	if (row->beta != NULL)
	{
		sum->learned += sign * row->beta->n;
		note_week(sum->weeks, row->bucket, sign * row->beta->n);
	}
	if (row->score != NULL)
		check(model, offer, add_score(model, offer, row, sign));
	if (gamma == 0)
		return;
	caller = MemoryContextSwitchTo(model->row_context);
	if (row->beta != NULL)
		check(model, offer, add_beta(&sum->beta, row->beta, gamma, sign));
	if (row->harm != NULL)
		check(model, offer, add_beta(&sum->harm, row->harm, gamma, sign));
	if (row->glm != NULL && model->features != NULL)
		check(model, offer, add_glm(model, offer, row, gamma, sign));
	MemoryContextSwitchTo(caller);
	MemoryContextReset(model->row_context);
}

/* ---- segments ---- */

int
xs_model_segment(const XsModel *model, const char *segment)
{
	int			i = 0;

	if (segment == NULL)
		return -1;
	while (i < model->nsegments && strcmp(model->segments[i], segment) != 0)
		i++;
	return i;
}

int
xs_model_nsegments(const XsModel *model)
{
	return model->nsegments;
}

const char *
xs_model_segment_name(const XsModel *model, int segment)
{
	return model->segments[segment];
}

static int
segment_number(XsModel *model, const char *segment)
{
	int			number = xs_model_segment(model, segment);

	if (number < model->nsegments)
		return number;
	if (model->nsegments % 64 == 0)
	{
		char	  **larger = MemoryContextAlloc(model->context, sizeof(char *) * (model->nsegments + 64));

		if (model->nsegments > 0)
			memcpy(larger, model->segments, sizeof(char *) * model->nsegments);
		model->segments = larger;
	}
	model->segments[model->nsegments] = MemoryContextStrdup(model->context, segment);
	return model->nsegments++;
}

void
xs_model_add_segment(XsModel *model, const XsSegmentRow *row)
{
	int			offer = xs_policy_offer(model->policy, row->product);
	double		gamma = discount(model, row->bucket);
	int			number;
	Sum		   *sum;

	if (offer < 0 || model->segment == NULL || gamma == 0)
		return;
	sum = &model->sums[offer];
	number = segment_number(model, row->segment);
	if (number >= sum->nsegments)
	{
		int			wanted = Max(number + 1, model->nsegments);
		XsBeta	   *larger = MemoryContextAllocZero(model->sums_context, sizeof(XsBeta) * wanted);

		if (sum->nsegments > 0)
			memcpy(larger, sum->segments, sizeof(XsBeta) * sum->nsegments);
		sum->segments = larger;
		sum->nsegments = wanted;
	}
	sum->touched = true;
	check(model, offer, add_beta(&sum->segments[number], row->beta, gamma, +1));
}

/* ---- preparation ---- */

/*
 * Discounting rounds each row by itself, and rows of segments are others than the
 * product's: so a segment may exceed its product by as many units.
 */
static void
fit_segments(const XsPolicy *policy, Sum *sum)
{
	int64		failures = sum->beta.trials - sum->beta.successes;

	for (int i = 0; i < sum->nsegments && policy->half_life > 0; i++)
	{
		XsBeta	   *part = &sum->segments[i];
		int64		part_failures = Min(part->trials - part->successes, failures);

		part->successes = Min(part->successes, sum->beta.successes);
		part->trials = part->successes + part_failures;
	}
}

static int
by_bucket(const void *a, const void *b)
{
	DateADT		x = ((const Period *) a)->bucket;
	DateADT		y = ((const Period *) b)->bucket;

	return x < y ? -1 : x > y;
}

/* The scores of all offers by week, in order; what is not given any more cannot be chosen. */
static int
scores_by_week(const XsModel *model, XsScore **scores)
{
	int			n = 0;
	int			weeks = 0;
	Period	   *all;

	for (int o = 0; o < model->policy->noffers; o++)
		n += model->offers[o].nperiods;
	all = palloc(sizeof(Period) * Max(n, 1));
	n = 0;
	for (int o = 0; o < model->policy->noffers; o++)
		for (int i = 0; i < model->offers[o].nperiods; i++)
			all[n++] = model->offers[o].periods[i];
	qsort(all, n, sizeof(Period), by_bucket);

	*scores = palloc0(sizeof(XsScore) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && all[i].bucket != all[i - 1].bucket)
			weeks++;
		if (xs_score_merge(&(*scores)[weeks], &all[i].score, +1) != XS_OK)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the scores of agent \"%s\" are out of range", model->policy->agent)));
		if (model->segment == NULL)
			memset(&(*scores)[weeks].forecasters[XS_FORECAST_SEGMENT], 0, sizeof(XsForecaster));
	}
	pfree(all);
	return n > 0 ? weeks + 1 : 0;
}

/*
 * auto: one step for all products.  Each by itself would get stuck: a product
 * left at a simpler model is offered too little to show that another is better.
 */
static void
choose_oracle(XsModel *model)
{
	XsScore    *scores;
	int			weeks = scores_by_week(model, &scores);
	double		gain[XS_FORECASTERS];
	int			step = xs_ladder(scores, weeks, gain);

	for (int o = 0; o < model->policy->noffers; o++)
	{
		model->offers[o].state.forecaster = step;
		memcpy(model->offers[o].state.gain, gain, sizeof(gain));
	}
	pfree(scores);
}

static void
prepare(XsModel *model, int offer, const XsOracle *oracle, void **prepared, const XsEvidence *evidence,
		const XsPrior *prior)
{
	int			dim = model->policy->dim;

	/* segments may have become more */
	if (*prepared != NULL && oracle->needs_segments)
	{
		pfree(*prepared);
		*prepared = NULL;
	}
	if (*prepared == NULL)
		*prepared = MemoryContextAllocZero(model->context, oracle->model_size(dim, evidence->nsegments, prior->pool));
	if (oracle->prepare(*prepared, dim, evidence, prior, model->scratch) != XS_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the evidence of product \"%s\" gives no model", model->policy->offers[offer].product),
				 errdetail("Its posterior precision is not positive definite."),
				 errhint("Compare xsell.evidence with xsell_rebuild_evidence('%s').", model->policy->agent)));
}

static double
harm_rate(const XsPolicy *policy, const XsBeta *harm)
{
	double		strength = policy->prior.strength;

	return (strength * policy->harm_rate + xs_unfixed(harm->successes)) / (strength + xs_unfixed(harm->trials));
}

/* Evidence holds the moments of the columns. */
void
xs_glm_spread(const XsGlm *glm, double *spread)
{
	const int64 *lambda = glm->sums + glm->dim;
	double		all = xs_unfixed(lambda[0]);

	for (int i = 0; i < glm->dim; i++)
	{
		double		mean = xs_unfixed(lambda[XS_PACKED_INDEX(i, 0)]) / all;
		double		variance = xs_unfixed(lambda[XS_PACKED_INDEX(i, i)]) / all - mean * mean;

		spread[i] = all > 0 ? sqrt(Max(variance, 0)) : 0;
	}
}

static void
keep_periods(XsModel *model, Prepared *prepared, const Sum *sum)
{
	if (model->policy->choice != XS_CHOICE_AUTO)
		return;
	if (prepared->periods != NULL)
		pfree(prepared->periods);
	prepared->nperiods = sum->nperiods;
	prepared->periods = MemoryContextAlloc(model->context, sizeof(Period) * Max(sum->nperiods, 1));
	memcpy(prepared->periods, sum->periods, sizeof(Period) * sum->nperiods);
}

static void
prepare_offer(XsModel *model, int o)
{
	const XsPolicy *policy = model->policy;
	Sum		   *sum = &model->sums[o];
	Prepared   *prepared = &model->offers[o];
	XsPrior		prior = prior_of(policy, o);
	XsEvidence	evidence;

	fit_segments(policy, sum);
	evidence = (XsEvidence) {
		.beta = &sum->beta,.glm = sum->glm,.nsegments = sum->nsegments,.segments = sum->segments
	};
	memset(&prepared->state, 0, sizeof(XsModelState));
	prepared->state.forecaster = policy->choice == XS_CHOICE_BETA ? XS_FORECAST_GLOBAL
		: policy->choice == XS_CHOICE_SEGMENT ? XS_FORECAST_SEGMENT : XS_FORECAST_CONTEXTUAL;
	prepared->state.trust = xs_trust(&sum->propensity);
	keep_periods(model, prepared, sum);
	prepared->beta = sum->beta;
	prepared->state.beta = &prepared->beta;
	prepared->learned = sum->learned;
	prepared->harm = harm_rate(policy, &sum->harm);
	memcpy(prepared->weeks, sum->weeks, sizeof(sum->weeks));

	prior.trust = prepared->state.trust;
	prepare(model, o, model->global, &prepared->global, &evidence, &prior);
	if (model->segment != NULL)
		prepare(model, o, model->segment, &prepared->segment, &evidence, &prior);
	if (model->features == NULL)
		return;
	prior.pool = is_pooled(policy, o) ? model->pools[policy->offers[o].group] : NULL;
	prepare(model, o, model->features, &prepared->features, &evidence, &prior);
	if (sum->glm == NULL)
		return;
	if (prepared->spread == NULL)
		prepared->spread = MemoryContextAlloc(model->context, sizeof(double) * policy->dim);
	xs_glm_spread(sum->glm, prepared->spread);
}

/* What the products of a group have in common, once some of them are prepared anew. */
static void
solve_group(XsModel *model, int group)
{
	const XsPolicy *policy = model->policy;
	void	  **models = palloc(sizeof(void *) * policy->noffers);
	int			n = 0;

	for (int o = 0; o < policy->noffers; o++)
		if (policy->offers[o].group == group && is_pooled(policy, o))
			models[n++] = model->offers[o].features;
	if (xs_pool_solve(model->pools[group], models, n) != XS_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the evidence of similar products of agent \"%s\" gives no model", policy->agent),
				 errhint("Compare xsell.evidence with xsell_rebuild_evidence('%s').", policy->agent)));
	for (int i = 0; i < n; i++)
		xs_pool_adopt(models[i]);
	pfree(models);
}

/* What strategies ask of the offers together. */
static void
add_up(XsModel *model)
{
	double		successes = 0;
	double		trials = 0;

	model->learned = 0;
	for (int o = 0; o < model->policy->noffers; o++)
	{
		model->learned += model->offers[o].learned;
		successes += xs_unfixed(model->offers[o].beta.successes);
		trials += xs_unfixed(model->offers[o].beta.trials);
	}
	model->rate = trials > 0 ? successes / trials : 0;
}

void
xs_model_end(XsModel *model, bool all)
{
	const XsPolicy *policy = model->policy;
	bool	   *changed = palloc0(sizeof(bool) * Max(policy->ngroups, 1));

	for (int o = 0; o < policy->noffers; o++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!all && !model->sums[o].touched)
			continue;
		prepare_offer(model, o);
		if (is_pooled(policy, o))
			changed[policy->offers[o].group] = true;
	}
	for (int g = 0; g < policy->ngroups && model->pools != NULL; g++)
		if (changed[g] && model->pools[g] != NULL)
			solve_group(model, g);
	pfree(changed);
	add_up(model);
	if (policy->choice == XS_CHOICE_AUTO)
		choose_oracle(model);
	MemoryContextDelete(model->sums_context);
	model->sums_context = NULL;
	model->sums = NULL;
}

/* ---- use ---- */

static const XsOracle *
oracle_of(const XsModel *model, int offer, const void **prepared)
{
	const Prepared *p = &model->offers[offer];

	*prepared = p->global;
	if (p->state.forecaster == XS_FORECAST_CONTEXTUAL)
		*prepared = p->features;
	if (p->state.forecaster == XS_FORECAST_SEGMENT)
		*prepared = p->segment;
	return *prepared == p->global ? model->global : *prepared == p->features ? model->features : model->segment;
}

void
xs_model_predict(const XsModel *model, int offer, const XsInput *in, XsPrediction *out)
{
	const void *prepared;
	const XsOracle *oracle = oracle_of(model, offer, &prepared);

	oracle->predict(prepared, in, out);
}

void
xs_model_contributions(const XsModel *model, int offer, const XsInput *in, double *out)
{
	const void *prepared;
	const XsOracle *oracle = oracle_of(model, offer, &prepared);

	oracle->contributions(prepared, in, out);
}

void
xs_model_forecasts(const XsModel *model, int offer, const XsInput *in, float4 out[XS_FORECASTERS])
{
	const Prepared *p = &model->offers[offer];
	const XsOffer *o = &model->policy->offers[offer];
	XsPrediction prediction;

	for (int i = 0; i < XS_FORECASTERS; i++)
		out[i] = (float4) NAN;
	if (!isnan(in->propensity))
		out[XS_FORECAST_PRIOR] = (float4) in->propensity;
	else if (o->propensity == NULL)
		out[XS_FORECAST_PRIOR] = (float4) o->prior_rate;
	model->global->predict(p->global, in, &prediction);
	out[XS_FORECAST_GLOBAL] = (float4) prediction.rate;
	if (p->segment != NULL)
	{
		model->segment->predict(p->segment, in, &prediction);
		out[XS_FORECAST_SEGMENT] = (float4) prediction.rate;
	}
	if (p->features != NULL)
	{
		model->features->predict(p->features, in, &prediction);
		out[XS_FORECAST_CONTEXTUAL] = (float4) prediction.rate;
	}
}

void
xs_model_coefficients(const XsModel *model, int offer, double *mean, double *sd)
{
	model->features->coefficients(model->offers[offer].features, mean, sd);
}

const double *
xs_model_spread(const XsModel *model, int offer)
{
	return model->offers[offer].spread;
}

void
xs_model_predict_segment(const XsModel *model, int offer, int segment, XsPrediction *out)
{
	XsInput		in = {.propensity = NAN,.segment = segment};

	model->segment->predict(model->offers[offer].segment, &in, out);
}

double
xs_model_harm(const XsModel *model, int offer)
{
	return model->offers[offer].harm;
}

double
xs_model_learned(const XsModel *model, int offer)
{
	return (double) (offer < 0 ? model->learned : model->offers[offer].learned);
}

double
xs_model_rate(const XsModel *model)
{
	return model->rate;
}

void
xs_model_state(const XsModel *model, int offer, XsModelState *state)
{
	*state = model->offers[offer].state;
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
		all += learned_recently(model->offers[i].weeks, now);
	return all < ENOUGH_FOR_SHARES ? 0 : (double) learned_recently(model->offers[offer].weeks, now) / all;
}
