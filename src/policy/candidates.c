/*
 * candidates.c: which arms a call may choose from, and why not the others.
 *
 * Everything fails closed: a condition that is NULL is a condition not met.
 * What people override comes last and can only take away, or change what an
 * allowed arm is worth.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "candidates.h"
#include "contact_policy.h"
#include "expression.h"

/* ---- conditions ---- */

static bool
is_true(XsProgram *program, const XsExpression *expression, int offer, int channel)
{
	bool		isnull;
	Datum		value = xs_evaluate(program, expression, offer, channel, &isnull);

	return !isnull && DatumGetBool(value);
}

/* Whether the customer has the product; not knowing counts as having it. */
static bool
is_held(XsProgram *program, const XsExpression *held, int offer, int channel)
{
	bool		isnull;
	Datum		value = xs_evaluate(program, held, offer, channel, &isnull);

	return isnull || DatumGetBool(value);
}

static const char *
broken_rule(const XsSituation *s, int o, int c)
{
	for (int i = 0; i < s->policy->nrules; i++)
	{
		const XsRule *rule = &s->policy->rules[i];

		if (XS_VALID_AT(rule->valid, s->now) && XS_BINDS(rule->binding, o, c) &&
			!is_true(s->program, rule->expression, o, c))
			return psprintf("rule:%s", rule->rule);
	}
	return NULL;
}

static bool
concerns(const XsConsent *consent, const XsChannel *channel)
{
	return (strcmp(consent->channel, "*") == 0 || strcmp(consent->channel, channel->channel) == 0) &&
		(strcmp(consent->purpose, "*") == 0 || strcmp(consent->purpose, channel->purpose) == 0);
}

/* A refusal binds whatever else is known; opt_in needs a row that grants. */
const char *
xs_consent_missing(const XsChannel *channel, int nconsents, const XsConsent *consents)
{
	bool		granted = false;

	for (int i = 0; i < nconsents; i++)
	{
		if (!concerns(&consents[i], channel))
			continue;
		if (!consents[i].granted)
			return "opted_out";
		granted = true;
	}
	return channel->opt_in && !granted ? "not_opted_in" : NULL;
}

static const char *
missing_consent(const XsSituation *s, int o, int c)
{
	const XsChannel *channel = &s->policy->channels[c];

	if (channel->consent != NULL && !is_true(s->program, channel->consent, o, c))
		return "consent";
	return xs_consent_missing(channel, s->nconsents, s->consents);
}

/* The time of day at the customer's; false: the time zone is not known. */
static bool
local_time(const XsSituation *s, int o, int c, TimeADT *time)
{
	const XsChannel *channel = &s->policy->channels[c];
	XsExpressionContext context = {.policy = s->policy,.expression = channel->time_zone};
	Datum		local = TimestampTzGetDatum(s->now);
	Datum		zone;
	bool		isnull = false;

	if (channel->time_zone != NULL)
	{
		zone = xs_evaluate(s->program, channel->time_zone, o, c, &isnull);
		if (isnull)
			return false;
		xs_push_expression_context(&context);
		local = DirectFunctionCall2(timestamptz_zone, zone, local);
		error_context_stack = context.callback.previous;
	}
	*time = DatumGetTimeADT(DirectFunctionCall1(timestamp_time, local));
	return true;
}

/* Within the channel's quiet hours; where the time zone is not known, it always is. */
static bool
is_quiet_hour(const XsSituation *s, int o, int c)
{
	const XsChannel *channel = &s->policy->channels[c];
	TimeADT		time;

	if (!channel->has_quiet_hours)
		return false;
	if (!local_time(s, o, c, &time))
		return true;
	if (channel->quiet_from <= channel->quiet_until)
		return time >= channel->quiet_from && time < channel->quiet_until;
	return time >= channel->quiet_from || time < channel->quiet_until;
}

static bool
is_over_its_share(const XsSituation *s, int o)
{
	return s->policy->offers[o].max_share < 1 &&
		xs_model_share(s->model, o, s->now) > s->policy->offers[o].max_share;
}

/* The first reason, in this order, for which the arm is not allowed. */
static const char *
excluded(const XsSituation *s, const XsLimits *limits, const bool *routed, int o, int c)
{
	const XsOffer *offer = &s->policy->offers[o];
	int			mode = s->mode == 0 ? XS_MODE_BOTH : s->mode;
	const char *reason;

	if (!offer->active || !XS_VALID_AT(offer->valid, s->now))
		return "inactive";
	if (offer->held != NULL && is_held(s->program, offer->held, o, c))
		return "held";
	if ((reason = broken_rule(s, o, c)) != NULL)
		return reason;
	if ((s->policy->channels[c].modes & mode) != mode)
		return "mode";
	if (!routed[c])
		return "routing";
	if ((reason = missing_consent(s, o, c)) != NULL)
		return reason;
	if (is_quiet_hour(s, o, c))
		return "hours";
	if ((reason = xs_limit_broken(limits, o, c)) != NULL)
		return reason;
	return is_over_its_share(s, o) ? "share" : NULL;
}

/* ---- what an allowed arm is worth ---- */

/* An expression's value as it is; NaN for NULL. */
static double
number_or_nan(XsProgram *program, const XsExpression *expression, int o, int c)
{
	bool		isnull;
	Datum		value = xs_evaluate(program, expression, o, c, &isnull);

	return isnull ? NAN : DatumGetFloat8(value);
}

/* A score that is no probability says nothing, as one that is missing. */
double
xs_propensity_of(XsProgram *program, const XsOffer *offer, int o, int c)
{
	double		s = offer->propensity == NULL ? NAN : number_or_nan(program, offer->propensity, o, c);

	return s >= 0 && s <= 1 ? s : NAN;
}

static void
check_worth(const XsPolicy *policy, const XsOffer *offer, const char *what, double worth, double least, double most)
{
	if (!(worth >= least && worth <= most))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s of offer \"%s\" of agent \"%s\" is %g", what, offer->product, policy->agent, worth),
				 errdetail("A value is between 0 and 1e9, a cost between -1e9 and 1e9, a lever at most 1e6.")));
}

/* value, lever and cost; an arm whose worth is unknown is excluded */
static const char *
evaluate_worth(const XsPolicy *policy, XsProgram *program, const XsOffer *offer, int o, int c, XsCandidate *out)
{
	bool		isnull = false;
	double		value = 1;
	double		lever = 1;
	double		cost = 0;

	if (offer->value != NULL)
		value = xs_evaluate_number(program, offer->value, o, c, &isnull);
	if (isnull)
		return "value";
	if (offer->lever != NULL)
		lever = number_or_nan(program, offer->lever, o, c);
	if (!(lever > 0))
		return "lever";
	if (offer->cost != NULL)
		cost = xs_evaluate_number(program, offer->cost, o, c, &isnull);
	if (isnull)
		return "cost";
	check_worth(policy, offer, "value", value, 0, 1e9);
	check_worth(policy, offer, "lever", lever, 0, 1e6);
	check_worth(policy, offer, "cost", cost, -1e9, 1e9);
	out->value = (float4) (value * lever);
	out->cost = (float4) cost;
	return NULL;
}

/* ---- the call's arms ---- */

static int
offer_named(const XsPolicy *policy, const char *product)
{
	int			offer = xs_policy_offer(policy, product);

	if (offer < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("agent \"%s\" has no offer of product \"%s\"", policy->agent, product),
				 errhint("Offers are rows of table xsell.offer.")));
	return offer;
}

/* By offer: does the call ask about it? */
static bool *
asked_offers(const XsPolicy *policy, ArrayType *products)
{
	bool	   *asked = palloc0(sizeof(bool) * Max(policy->noffers, 1));
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (products == NULL)
	{
		memset(asked, true, policy->noffers);
		return asked;
	}
	deconstruct_array(products, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("products must not contain NULL"),
					 errhint("Leave products out to ask about all offers of the agent.")));
		asked[offer_named(policy, TextDatumGetCString(elements[i]))] = true;
	}
	return asked;
}

static int
asked_channel(const XsPolicy *policy, const char *channel)
{
	int			c;

	if (channel == NULL)
		return -1;
	c = xs_policy_channel(policy, channel);
	if (c < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("agent \"%s\" has no channel \"%s\"", policy->agent, channel),
				 errhint("Channels are rows of table xsell.channel.")));
	return c;
}

/* The channel that the customer prefers; -1: not known. */
static int
preferred_channel(const XsSituation *s)
{
	bool		isnull;
	Datum		preferred = xs_evaluate(s->program, s->policy->routing, 0, 0, &isnull);
	int			c;

	if (isnull)
		return -1;
	c = xs_policy_channel(s->policy, TextDatumGetCString(preferred));
	if (c < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("routing of agent \"%s\" yields channel \"%s\", which it does not have",
						s->policy->agent, TextDatumGetCString(preferred)),
				 errhint("The expression in xsell.agent.routing must yield one of the agent's channels, or NULL.")));
	return c;
}

/*
 * By channel: may the call use it?  One that it names, else the one that the
 * customer prefers, none if that is not known, else the defaults of the mode,
 * else any.
 */
static const bool *
routed_channels(const XsSituation *s, int named)
{
	const XsPolicy *policy = s->policy;
	bool	   *routed = palloc0(sizeof(bool) * Max(policy->nchannels, 1));
	int			c = named;
	bool		any = false;

	if (named < 0 && policy->routing != NULL)
		c = preferred_channel(s);
	if (c >= 0)
		routed[c] = true;
	if (c >= 0 || policy->routing != NULL)
		return routed;
	for (int i = 0; i < policy->nchannels; i++)
		any |= routed[i] = (policy->channels[i].default_for & s->mode) != 0;
	if (!any)
		memset(routed, true, policy->nchannels);
	return routed;
}

void
xs_check_asked(const XsPolicy *policy, ArrayType *products, const char *channel)
{
	(void) asked_offers(policy, products);
	(void) asked_channel(policy, channel);
}

static void
fill_candidate(const XsSituation *s, const XsLimits *limits, const bool *routed, int o, int c, XsCandidate *candidate)
{
	const XsOffer *offer = &s->policy->offers[o];

	memset(candidate, 0, sizeof(XsCandidate));
	candidate->arm = (uint16) (o * s->policy->nchannels + c);
	candidate->value = 1;
	candidate->excluded = excluded(s, limits, routed, o, c);
	if (candidate->excluded == NULL)
		candidate->excluded = evaluate_worth(s->policy, s->program, offer, o, c, candidate);
	candidate->propensity = candidate->excluded == NULL
		? xs_propensity_of(s->program, offer, o, c) : NAN;
}

/* The arms of the offers asked; a channel that is named is the only one looked at. */
static int
fill_candidates(const XsSituation *s, const bool *asked, XsCandidate *candidates)
{
	const XsPolicy *policy = s->policy;
	int			named = asked_channel(policy, s->channel);
	const bool *routed;
	XsLimits	limits;
	int			n = 0;

	if (XS_NARMS(policy) == 0)
		return 0;
	routed = routed_channels(s, named);
	xs_limits(policy, s->contacts, s->now, &limits);
	for (int o = 0; o < policy->noffers; o++)
		for (int c = 0; c < policy->nchannels; c++)
			if (asked[o] && (named < 0 || c == named))
				fill_candidate(s, &limits, routed, o, c, &candidates[n++]);
	return n;
}

int
xs_candidates(const XsSituation *s, XsCandidate **candidates)
{
	*candidates = palloc(sizeof(XsCandidate) * Max(XS_NARMS(s->policy), 1));
	return fill_candidates(s, asked_offers(s->policy, s->products), *candidates);
}

int
xs_candidates_of(const XsSituation *s, int offer, XsCandidate **candidates, int n)
{
	bool	   *asked = palloc0(sizeof(bool) * s->policy->noffers);
	XsCandidate *more = palloc(sizeof(XsCandidate) * (n + s->policy->nchannels));

	asked[offer] = true;
	if (n > 0)
		memcpy(more, *candidates, sizeof(XsCandidate) * n);
	*candidates = more;
	return n + fill_candidates(s, asked, more + n);
}

/* ---- overrides ---- */

/* Not knowing whether the customer is meant blocks, but neither forces nor boosts. */
static bool
applies(const XsSituation *s, const XsOverride *override, const XsCandidate *candidate)
{
	int			o = candidate->arm / s->policy->nchannels;
	int			c = candidate->arm % s->policy->nchannels;
	bool		isnull;
	Datum		meant;

	if (candidate->excluded != NULL || s->now >= override->expires || override->offer != o ||
		(override->channel >= 0 && override->channel != c))
		return false;
	meant = xs_evaluate(s->program, override->expression, o, c, &isnull);
	return isnull ? override->action == XS_ACTION_BLOCK : DatumGetBool(meant);
}

static void
note_override(XsDecision *d, const XsPolicy *policy, const XsOverride *override)
{
	if (d->overrides == NULL)
		d->overrides = palloc(sizeof(char *) * policy->noverrides);
	if (d->noverrides == 0 || strcmp(d->overrides[d->noverrides - 1], override->override) != 0)
		d->overrides[d->noverrides++] = unconstify(char *, override->override);
}

static void
apply(const XsSituation *s, const XsOverride *override, XsCandidate *candidates, int n, XsDecision *d)
{
	bool	   *hit = palloc(sizeof(bool) * Max(n, 1));
	bool		any = false;

	for (int i = 0; i < n; i++)
		any |= hit[i] = applies(s, override, &candidates[i]);
	if (!any)
		return;
	note_override(d, s->policy, override);
	for (int i = 0; i < n; i++)
	{
		if (override->action == XS_ACTION_BOOST && hit[i])
			candidates[i].value = (float4) (candidates[i].value * override->factor);
		if (candidates[i].excluded == NULL &&
			(override->action == XS_ACTION_BLOCK ? hit[i] : override->action == XS_ACTION_FORCE && !hit[i]))
		{
			candidates[i].excluded = psprintf("override:%s", override->override);
			candidates[i].propensity = NAN;
		}
	}
}

void
xs_apply_overrides(const XsSituation *s, XsCandidate *candidates, int n, XsDecision *d)
{
	for (XsAction action = XS_ACTION_BLOCK; action <= XS_ACTION_BOOST; action++)
		for (int i = 0; i < s->policy->noverrides; i++)
			if (s->policy->overrides[i].action == action)
				apply(s, &s->policy->overrides[i], candidates, n, d);
}

/* ---- why not ---- */

const XsExpression *
xs_reason_expression(const XsPolicy *policy, int arm, const char *reason)
{
	const XsOffer *offer = XS_ARM_OFFER(policy, arm);
	const XsChannel *channel = XS_ARM_CHANNEL(policy, arm);

	if (strcmp(reason, "held") == 0)
		return offer->held;
	if (strcmp(reason, "consent") == 0)
		return channel->consent;
	if (strcmp(reason, "hours") == 0)
		return channel->time_zone;
	if (strcmp(reason, "routing") == 0)
		return policy->routing;
	if (strcmp(reason, "value") == 0)
		return offer->value;
	if (strcmp(reason, "lever") == 0)
		return offer->lever;
	if (strcmp(reason, "cost") == 0)
		return offer->cost;
	if (strncmp(reason, "rule:", 5) == 0)
		for (int i = 0; i < policy->nrules; i++)
			if (strcmp(policy->rules[i].rule, reason + 5) == 0)
				return policy->rules[i].expression;
	if (strncmp(reason, "override:", 9) == 0)
		for (int i = 0; i < policy->noverrides; i++)
			if (strcmp(policy->overrides[i].override, reason + 9) == 0)
				return policy->overrides[i].expression;
	return NULL;
}

static List *
add_names(List *names, const List *more)
{
	ListCell   *a;
	ListCell   *b;

	foreach(a, more)
	{
		bool		known = false;

		foreach(b, names)
			known |= strcmp(lfirst(a), lfirst(b)) == 0;
		if (!known)
			names = lappend(names, lfirst(a));
	}
	return names;
}

Jsonb *
xs_candidates_reads(const XsSituation *s, const XsCandidate *candidates, int n)
{
	const XsExpression *last = NULL;
	List	   *names = NIL;

	for (int i = 0; i < n; i++)
	{
		const XsExpression *expression = candidates[i].excluded == NULL ? NULL
			: xs_reason_expression(s->policy, candidates[i].arm, candidates[i].excluded);

		if (expression != NULL && expression != last)
			names = add_names(names, expression->reads);
		last = expression;
	}
	return names == NIL ? NULL : xs_reads_json(s->program, names);
}
