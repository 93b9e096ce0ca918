/*
 * score.c: from candidates and features to probabilities and the draw.
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"

#include "journal/journal.h"
#include "math/random.h"
#include "model/ramp.h"
#include "score.h"

/* Streams of the random numbers of one decision. */
#define STREAM_DRAW 0

/* What the arms of a decision have in common. */
typedef struct Basis
{
	const XsPolicy *policy;
	const XsModel *model;
	const float4 *shared;		/* features that do not differ between arms */
	int			segment;		/* the customer's, by its number in the model */
	TimestampTz at;				/* time of the decision */
} Basis;

typedef struct Scores
{
	int			n;				/* allowed candidates */
	int		   *candidate;		/* their indexes */
	int		   *offer;
	XsArm	   *arms;
	double	   *q;
	double		floor;			/* as mixed in */
} Scores;

/* What the model is asked about a candidate; x has room for the whole feature vector. */
static XsInput
input_of(const Basis *b, const XsCandidate *candidate, float4 *x)
{
	int			nshared = b->policy->dim - b->policy->ntail;

	memcpy(x, b->shared, sizeof(float4) * nshared);
	memcpy(x + nshared, candidate->tail, sizeof(float4) * b->policy->ntail);
	return (XsInput) {.x = x,.propensity = candidate->propensity,.segment = b->segment};
}

/* ---- parameters of strategies ---- */

/* How far a schedule has come. */
static double
elapsed(const Basis *b, XsScheduleKind kind, const int *offers, int n)
{
	double		learned = 0;

	switch (kind)
	{
		case XS_CONSTANT:
			break;
		case XS_TIME:
			return ((double) b->at - (double) b->policy->schedule_since) / USECS_PER_DAY;
		case XS_COUNT:
			return xs_model_learned(b->model, -1);
		case XS_EVIDENCE:
			for (int k = 0; k < n; k++)
				learned += xs_model_learned(b->model, offers[k]);
			return learned / n;
	}
	return 0;
}

/* The parameters of strategies as they are for this decision. */
static XsExploration
exploration_of(const Basis *b, const XsArm *arms, const int *offers, int n)
{
	const XsPolicy *policy = b->policy;
	XsExploration how = policy->exploration;
	double		value = 0;

	for (int k = 0; k < n; k++)
		value += arms[k].value;
	how.epsilon = xs_scheduled(&policy->epsilon, elapsed(b, policy->epsilon.kind, offers, n));
	how.floor = xs_scheduled(&policy->floor, elapsed(b, policy->floor.kind, offers, n));
	how.gamma = xs_squarecb_gamma(policy->squarecb_gamma, xs_model_learned(b->model, -1),
								  xs_model_rate(b->model) * (value / n));
	return how;
}

/* ---- new products ---- */

/* The largest share of a product; 1: it is not new, or not any more. */
static double
limit_of_product(const Basis *b, int o)
{
	const XsOffer *offer = &b->policy->offers[o];

	return offer->ramp_share < 1 ? xs_ramp_limit(offer->ramp_share, xs_model_learned(b->model, o), offer->ramp_until) : 1;
}

/*
 * The arms' parts of their products' limits: of each limit the least that an arm
 * keeps, and of the rest as much as of the product's probability above that.
 * over: the arm's product has more than it may.  Returns how many arms are not over.
 */
static int
divide_limits(const Basis *b, const int *offers, int n, const double *q, double least, double *limits, bool *over)
{
	int			left = n;

	for (int k = 0; k < n; k++)
	{
		double		limit = limit_of_product(b, offers[k]);
		double		share = 0;
		int			narms = 0;

		limits[k] = 1;
		over[k] = false;
		if (limit >= 1)
			continue;
		for (int i = 0; i < n; i++)
			if (offers[i] == offers[k])
			{
				share += Max(q[i], least);
				narms++;
			}
		over[k] = share > limit;
		left -= over[k];
		limit = Max(limit - narms * least, 0);
		share -= narms * least;
		limits[k] = least + limit * (share > 0 ? Max(q[k] - least, 0) / share : 1.0 / narms);
	}
	return left;
}

/*
 * Cuts new products down to their shares.  What they may not have is divided
 * among the other arms as the strategy would without them: in proportion to what
 * these have it would be divided equally, where a new product is the best by far.
 */
static void
cut_new_products(const Basis *b, XsExploration how, const XsArm *arms, const int *offers, int n, double *q)
{
	double	   *limits = palloc(sizeof(double) * n);
	bool	   *over = palloc(sizeof(bool) * n);
	double		least = how.floor / n;
	int			left = divide_limits(b, offers, n, q, least, limits, over);
	XsArm	   *others = palloc(sizeof(XsArm) * n);
	double	   *p = palloc(sizeof(double) * n);
	double		rest = 1 - left * least;
	int			to = 0;

	if (left == 0 || left == n)
		return;
	for (int k = 0; k < n; k++)
		if (over[k])
			rest -= q[k] = limits[k];
		else
			others[to++] = arms[k];
	how.floor = 0;
	xs_explore(b->policy->strategy, &how, others, left, p, palloc(sizeof(double) * XS_EXPLORE_SCRATCH(left)));
	to = 0;
	for (int k = 0; k < n; k++)
		if (!over[k])
			q[k] = least + Max(rest, 0) * p[to++];
}

/* Nor may they have more with what is spread besides; where there are only new ones, the limits give way. */
static void
limit_new_products(const Basis *b, Scores *s)
{
	double	   *limits = palloc(sizeof(double) * s->n);
	bool	   *over = palloc(sizeof(bool) * s->n);
	double		least = s->floor / s->n;

	if (divide_limits(b, s->offer, s->n, s->q, least, limits, over) < s->n)
		xs_limit_shares(s->q, limits, s->n, least);
}

/* ---- strategies ---- */

/* The strategy's probabilities; returns the floor that is in them. */
static double
explore(const Basis *b, const XsArm *arms, const int *offers, int n, double *q)
{
	XsExploration how = exploration_of(b, arms, offers, n);

	xs_explore(b->policy->strategy, &how, arms, n, q, palloc(sizeof(double) * XS_EXPLORE_SCRATCH(n)));
	if (b->policy->has_ramps)
		cut_new_products(b, how, arms, offers, n, q);
	return how.floor;
}

/* ---- two stages ---- */

/* By which a product competes for the top: its best arm's propensity. */
static double
standing(const XsPolicy *policy, const XsCandidate *candidate)
{
	return isnan(candidate->propensity) ? XS_ARM_OFFER(policy, candidate->arm)->prior_rate : candidate->propensity;
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
		s->offer[to] = s->offer[k];
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
explore_in_two_stages(const Basis *b, XsCandidate *candidates, Scores *s)
{
	const XsPolicy *policy = b->policy;
	bool	   *top = palloc(sizeof(bool) * s->n);
	int			n = policy->top_n > 0 ? mark_top(policy, candidates, s, top) : s->n;
	XsArm	   *arms = palloc(sizeof(XsArm) * n);
	int		   *offers = palloc(sizeof(int) * n);
	double	   *q = palloc(sizeof(double) * n);
	double		below = n < s->n ? policy->explore_below : 0;
	int			to = 0;

	if (n == s->n)
	{
		s->floor = explore(b, s->arms, s->offer, s->n, s->q);
		return;
	}
	for (int k = 0; k < s->n; k++)
		if (top[k])
		{
			arms[to] = s->arms[k];
			offers[to++] = s->offer[k];
		}
	s->floor = explore(b, arms, offers, n, q);
	to = 0;
	for (int k = 0; k < s->n; k++)
		s->q[k] = top[k] ? (1 - below) * q[to++] : below / (s->n - n);
	if (below == 0)
		exclude_below(candidates, s, top);
}

/* ---- scores ---- */

static Scores *
make_scores(int n)
{
	Scores	   *s = palloc0(sizeof(Scores));

	s->candidate = palloc(sizeof(int) * Max(n, 1));
	s->offer = palloc(sizeof(int) * Max(n, 1));
	s->arms = palloc(sizeof(XsArm) * Max(n, 1));
	s->q = palloc(sizeof(double) * Max(n, 1));
	return s;
}

/* What a conversion through the candidate is worth and what the offer costs, harm included, and how likely it is. */
static void
predict(const Basis *b, XsCandidate *c, float4 *x, XsArm *arm)
{
	int			offer = c->arm / b->policy->nchannels;
	XsInput		in = input_of(b, c, x);

	xs_model_predict(b->model, offer, &in, &arm->prediction);
	arm->value = c->value;
	arm->cost = c->cost + b->policy->harm_price * xs_model_harm(b->model, offer);
	c->mean = (float4) arm->prediction.mean;
	c->sd = (float4) __builtin_sqrt(arm->prediction.variance);
}

static Scores *
score(const Basis *b, const XsDecision *d, XsCandidate *candidates)
{
	float4	   *x = palloc(sizeof(float4) * b->policy->dim);
	Scores	   *s = make_scores(d->ncandidates);

	for (int i = 0; i < d->ncandidates; i++)
	{
		candidates[i].probability = 0;
		if (candidates[i].excluded != NULL)
			continue;
		predict(b, &candidates[i], x, &s->arms[s->n]);
		s->offer[s->n] = candidates[i].arm / b->policy->nchannels;
		s->candidate[s->n++] = i;
	}
	if (s->n == 0)
		return s;
	if (strcmp(d->cohort, "control") == 0)
		xs_explore(xs_strategy("uniform"), &b->policy->exploration, s->arms, s->n, s->q, NULL);
	else
	{
		explore_in_two_stages(b, candidates, s);
		if (b->policy->has_ramps)
			limit_new_products(b, s);
	}
	for (int k = 0; k < s->n; k++)
		candidates[s->candidate[k]].probability = s->q[k];
	return s;
}

static double
expected_reward(const XsArm *arm)
{
	return arm->value * arm->prediction.rate - arm->cost;
}

/* ---- the decision ---- */

/* The largest addends of the linear predictor, in descending order of size. */
static void
note_contributions(const Basis *b, int offer, const XsInput *in, XsDecision *d)
{
	int			dim = b->policy->dim;
	double	   *addends = palloc(sizeof(double) * dim);
	int			n = Min(dim, lengthof(d->contributions));

	xs_model_contributions(b->model, offer, in, addends);
	for (d->ncontributions = 0; d->ncontributions < n; d->ncontributions++)
	{
		int			largest = 0;

		for (int i = 1; i < dim; i++)
			if (fabs(addends[i]) > fabs(addends[largest]))
				largest = i;
		if (addends[largest] == 0)
			break;
		d->contribution_columns[d->ncontributions] = (int16) largest;
		d->contributions[d->ncontributions] = (float4) addends[largest];
		addends[largest] = 0;
	}
}

/* The arm drawn, and what the model says of it. */
static void
fill_offer(const Basis *b, const XsCandidate *candidates, const Scores *s, int k, XsDecision *d)
{
	const XsCandidate *c = &candidates[s->candidate[k]];
	float4	   *x = palloc(sizeof(float4) * b->policy->dim);
	XsInput		in = input_of(b, c, x);

	d->product = XS_ARM_OFFER(b->policy, c->arm)->product;
	d->channel = XS_ARM_CHANNEL(b->policy, c->arm)->channel;
	d->probability = s->q[k];
	d->expected = expected_reward(&s->arms[k]);
	d->value = c->value;
	d->cost = c->cost;
	d->awaits_delivery = XS_ARM_CHANNEL(b->policy, c->arm)->reports_delivery;
	d->linear_predictor = s->arms[k].prediction.mean;
	d->dim = b->policy->dim;
	d->features = x;
	note_contributions(b, s->offer[k], &in, d);
	d->nforecasts = XS_FORECASTERS;
	xs_model_forecasts(b->model, s->offer[k], &in, d->forecasts);
}

static void
fill_reason(const Scores *s, int k, XsDecision *d)
{
	if (d->mode != NULL && strcmp(d->mode, "fallback") == 0)
		d->reason = psprintf("fallback, %d allowed", s->n);
	else if (strcmp(d->cohort, "control") == 0)
	{
		d->mode = "control";
		d->reason = psprintf("drawn uniformly for the control group, %d allowed", s->n);
	}
	else if (k == xs_best(s->arms, s->n))
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

static Basis
basis_of(const XsPolicy *policy, const XsModel *model, const float4 *shared, const XsDecision *d, TimestampTz at)
{
	return (Basis)
	{
		.policy = policy,
			.model = model,
			.shared = shared,
			.segment = xs_model_segment(model, d->segment),
			.at = at
	};
}

void
xs_score_and_draw(const XsPolicy *policy, const XsModel *model, const float4 *shared,
				  XsCandidate *candidates, XsDecision *d)
{
	Basis		b = basis_of(policy, model, shared, d, xs_id_time(d->decision_id));
	Scores	   *s = score(&b, d, candidates);
	int			drawn;

	if (s->n == 0)
	{
		d->mode = "none";
		d->reason = d->ncandidates == 0 ? "no candidates"
			: psprintf("all %d candidates excluded", d->ncandidates);
		return;
	}
	drawn = xs_draw(s->q, s->n, xs_uniform((uint64) policy->seed, (uint64) d->decision_id, STREAM_DRAW));
	fill_offer(&b, candidates, s, drawn, d);
	fill_reason(s, drawn, d);
}

void
xs_score_only(const XsPolicy *policy, const XsModel *model, const float4 *shared, TimestampTz at,
			  XsCandidate *candidates, const XsDecision *d, double *expected)
{
	Basis		b = basis_of(policy, model, shared, d, at);
	Scores	   *s = score(&b, d, candidates);

	memset(expected, 0, sizeof(double) * d->ncandidates);
	for (int k = 0; k < s->n; k++)
		expected[s->candidate[k]] = expected_reward(&s->arms[k]);
}

void
xs_score_past(const XsPolicy *policy, const XsModel *model, const float4 *shared, XsCandidate *c, XsDecision *d)
{
	Basis		b = basis_of(policy, model, shared, d, 0);
	float4	   *x = palloc(sizeof(float4) * policy->dim);
	XsArm		arm;

	predict(&b, c, x, &arm);
	d->product = XS_ARM_OFFER(policy, c->arm)->product;
	d->channel = XS_ARM_CHANNEL(policy, c->arm)->channel;
	d->linear_predictor = arm.prediction.mean;
	d->dim = policy->dim;
	d->features = x;
}
