/*
 * model_evidence.c: rows of evidence into a model: mapped onto the present layout
 * of features, discounted by their age, summed by offer.  What is made of the sums
 * is in model.c.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "../math/special.h"
#include "../model/discount.h"
#include "../types/types.h"
#include "cache.h"
#include "model_parts.h"

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

/* What an observation of this age counts for; 0: nothing. */
static double
discount(const XsModel *model, DateADT bucket)
{
	const XsPolicy *policy = model->policy;
	double		age = Max(model->basis.newest - bucket, 0);

	if (policy->evidence_window > 0 && age >= policy->evidence_window)
		return 0;
	return policy->learning_rate * (policy->half_life > 0 ? xs_exp(-0.6931471805599453 * (age / policy->half_life)) : 1);
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
xs_model_touch(XsModel *model, const char *product)
{
	int			offer = xs_policy_offer(model->policy, product);

	if (offer >= 0)
		model->sums[offer].touched = true;
}

void
xs_model_add(XsModel *model, const XsEvidenceRow *row, int sign)
{
	int			offer = xs_policy_offer(model->policy, row->product);
	double		gamma = discount(model, row->bucket);
	MemoryContext caller;
	Sum		   *sum;

	if (offer < 0 || !xs_policy_learns_from(model->policy, row->source))
		return;					/* no longer offered, or not to learn from */
	sum = &model->sums[offer];
	sum->touched = true;
	if (row->beta != NULL)
	{
		sum->learned += sign * row->beta->n;
		if (strcmp(row->source, "imported") != 0)	/* no share that the agent has given */
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

	if (offer < 0 || model->segment == NULL || gamma == 0 || !xs_policy_learns_from(model->policy, row->source))
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
