/*
 * score.c: from candidates and features to probabilities and the draw.
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"

#include "math/random.h"
#include "score.h"

/* Streams of the random numbers of one decision. */
#define STREAM_DRAW 0

typedef struct Scores
{
	int			n;				/* allowed candidates */
	int		   *candidate;		/* their indexes */
	XsArm	   *arms;
	double	   *q;
} Scores;

/* The whole feature vector of a candidate. */
static void
vector_of(const XsPolicy *policy, const float4 *shared, const XsCandidate *candidate, float4 *x)
{
	int			nshared = policy->dim - policy->ntail;

	memcpy(x, shared, sizeof(float4) * nshared);
	memcpy(x + nshared, candidate->tail, sizeof(float4) * policy->ntail);
}

static void
explore(const XsPolicy *policy, const XsStrategy *strategy, const XsArm *arms, int n, double *q)
{
	xs_explore(strategy, &policy->exploration, arms, n, q, palloc(sizeof(double) * XS_EXPLORE_SCRATCH(n)));
}

/* By which a product competes for the top: its best arm's propensity. */
static double
standing(const XsPolicy *policy, const XsCandidate *candidate)
{
	return isnan(candidate->propensity) ? policy->prior.neutral_rate : candidate->propensity;
}

/* Marks the arms of the top_n allowed products; ties go to the first. Returns how many arms those are. */
static int
mark_top(const XsPolicy *policy, const XsCandidate *candidates, const Scores *s, bool *top)
{
	int			marked = 0;

	memset(top, false, s->n);
	for (int round = 0; round < policy->top_n; round++)
	{
		int			best = -1;

		for (int k = 0; k < s->n; k++)
			if (!top[k] && (best < 0 || standing(policy, &candidates[s->candidate[k]]) >
							standing(policy, &candidates[s->candidate[best]])))
				best = k;
		if (best < 0)
			break;
		for (int k = 0; k < s->n; k++)
			if (candidates[s->candidate[k]].arm / policy->nchannels ==
				candidates[s->candidate[best]].arm / policy->nchannels && !top[k])
			{
				top[k] = true;
				marked++;
			}
	}
	return marked;
}

static void
exclude_below(XsCandidate *candidates, Scores *s, const bool *top)
{
	int			to = 0;

	for (int k = 0; k < s->n; k++)
	{
		if (!top[k])
		{
			candidates[s->candidate[k]].excluded = "top_n";
			candidates[s->candidate[k]].propensity = NAN;
			continue;
		}
		s->candidate[to] = s->candidate[k];
		s->arms[to] = s->arms[k];
		s->q[to++] = s->q[k];
	}
	s->n = to;
}

/*
 * The strategy decides among the top_n products by propensity; the share
 * explore_below is spread uniformly over the arms below.  Without that share
 * those are excluded.
 */
static void
explore_in_two_stages(const XsPolicy *policy, XsCandidate *candidates, Scores *s)
{
	bool	   *top = palloc(sizeof(bool) * s->n);
	int			n = policy->top_n > 0 ? mark_top(policy, candidates, s, top) : s->n;
	XsArm	   *arms = palloc(sizeof(XsArm) * n);
	double	   *q = palloc(sizeof(double) * n);
	double		below = n < s->n ? policy->explore_below : 0;
	int			to = 0;

	if (n == s->n)
	{
		explore(policy, policy->strategy, s->arms, s->n, s->q);
		return;
	}
	for (int k = 0; k < s->n; k++)
		if (top[k])
			arms[to++] = s->arms[k];
	explore(policy, policy->strategy, arms, n, q);
	to = 0;
	for (int k = 0; k < s->n; k++)
		s->q[k] = top[k] ? (1 - below) * q[to++] : below / (s->n - n);
	if (below == 0)
		exclude_below(candidates, s, top);
}

static void
score(const XsPolicy *policy, const XsModel *model, const float4 *shared, const char *cohort,
	  XsCandidate *candidates, int ncandidates, Scores *s)
{
	float4	   *x = palloc(sizeof(float4) * policy->dim);
	bool		control = strcmp(cohort, "control") == 0;

	s->n = 0;
	s->candidate = palloc(sizeof(int) * Max(ncandidates, 1));
	s->arms = palloc(sizeof(XsArm) * Max(ncandidates, 1));
	for (int i = 0; i < ncandidates; i++)
	{
		XsCandidate *c = &candidates[i];
		XsArm	   *arm = &s->arms[s->n];

		c->probability = 0;
		if (c->excluded != NULL)
			continue;
		vector_of(policy, shared, c, x);
		xs_model_predict(model, c->arm / policy->nchannels, x, c->propensity, &arm->prediction);
		arm->value = c->value;
		arm->cost = c->cost;
		c->mean = (float4) arm->prediction.mean;
		c->sd = (float4) __builtin_sqrt(arm->prediction.variance);
		s->candidate[s->n++] = i;
	}

	s->q = palloc(sizeof(double) * Max(s->n, 1));
	if (s->n == 0)
		return;
	if (control)
		explore(policy, xs_strategy("uniform"), s->arms, s->n, s->q);
	else
		explore_in_two_stages(policy, candidates, s);
	for (int k = 0; k < s->n; k++)
		candidates[s->candidate[k]].probability = s->q[k];
}

static double
expected_reward(const XsArm *arm)
{
	return arm->value * arm->prediction.rate - arm->cost;
}

/* The largest addends of the linear predictor, in descending order of size. */
static void
note_contributions(const XsPolicy *policy, const XsModel *model, XsDecision *d, int offer)
{
	double	   *addends = palloc(sizeof(double) * policy->dim);
	int			n = Min(policy->dim, lengthof(d->contributions));

	xs_model_contributions(model, offer, d->features, addends);
	for (d->ncontributions = 0; d->ncontributions < n; d->ncontributions++)
	{
		int			largest = 0;

		for (int i = 1; i < policy->dim; i++)
			if (fabs(addends[i]) > fabs(addends[largest]))
				largest = i;
		if (addends[largest] == 0)
			break;
		d->contribution_columns[d->ncontributions] = (int16) largest;
		d->contributions[d->ncontributions] = (float4) addends[largest];
		addends[largest] = 0;
	}
}

static void
fill_offer(const XsPolicy *policy, const XsModel *model, const float4 *shared,
		   const XsCandidate *candidates, const Scores *s, int k, XsDecision *d)
{
	const XsCandidate *c = &candidates[s->candidate[k]];
	float4	   *x = palloc(sizeof(float4) * policy->dim);
	int			best = xs_best(s->arms, s->n);

	vector_of(policy, shared, c, x);
	d->product = XS_ARM_OFFER(policy, c->arm)->product;
	d->channel = XS_ARM_CHANNEL(policy, c->arm)->channel;
	d->probability = s->q[k];
	d->expected = expected_reward(&s->arms[k]);
	d->linear_predictor = s->arms[k].prediction.mean;
	d->dim = policy->dim;
	d->features = x;
	note_contributions(policy, model, d, c->arm / policy->nchannels);

	if (d->mode != NULL && strcmp(d->mode, "fallback") == 0)
		d->reason = psprintf("fallback, %d allowed", s->n);
	else if (strcmp(d->cohort, "control") == 0)
	{
		d->mode = "control";
		d->reason = psprintf("drawn uniformly for the control group, %d allowed", s->n);
	}
	else if (k == best)
	{
		d->mode = "exploit";
		d->reason = psprintf("highest expected reward, %d allowed", s->n);
	}
	else
	{
		d->mode = "explore";
		d->reason = psprintf("explored with probability %.4f, %d allowed", d->probability, s->n);
	}
}

void
xs_score_and_draw(const XsPolicy *policy, const XsModel *model, const float4 *shared,
				  XsCandidate *candidates, XsDecision *d)
{
	Scores		s;

	score(policy, model, shared, d->cohort, candidates, d->ncandidates, &s);
	if (s.n == 0)
	{
		d->mode = "none";
		d->reason = d->ncandidates == 0 ? "no candidates"
			: psprintf("all %d candidates excluded", d->ncandidates);
		return;
	}
	fill_offer(policy, model, shared, candidates, &s,
			   xs_draw(s.q, s.n, xs_uniform((uint64) policy->seed, (uint64) d->decision_id, STREAM_DRAW)), d);
}

void
xs_score_only(const XsPolicy *policy, const XsModel *model, const float4 *shared, const char *cohort,
			  XsCandidate *candidates, int ncandidates, double *expected)
{
	Scores		s;

	score(policy, model, shared, cohort, candidates, ncandidates, &s);
	memset(expected, 0, sizeof(double) * ncandidates);
	for (int k = 0; k < s.n; k++)
		expected[s.candidate[k]] = expected_reward(&s.arms[k]);
}
