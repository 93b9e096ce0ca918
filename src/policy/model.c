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

#include "../model/choice.h"
#include "model_parts.h"

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

/* ---- preparation ---- */

/*
 * Discounting rounds each row by itself, and rows of segments are others than the
 * product's: so a segment may exceed its product by as many units.
 */
static void
fit_segments(const XsPolicy *policy, Sum *sum)
{
	int64		failures = sum->beta.trials - sum->beta.successes;

	for (int i = 0; i < sum->nsegments && (policy->half_life > 0 || policy->learning_rate < 1); i++)
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
	{
		prepared->spread = NULL;
		return;
	}
	if (prepared->spread == NULL)
		prepared->spread = MemoryContextAlloc(model->context, sizeof(double) * policy->dim);
	for (int i = 0; i < policy->dim; i++)
		prepared->spread[i] = sqrt(xs_glm_variance(sum->glm, i));
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

/* Shares of fewer offers than this say nothing. */
#define ENOUGH_FOR_SHARES 100

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
