/*
 * candidates.c: which arms a call may choose from, and why not the others.
 *
 * Everything fails closed: a condition that is NULL is a condition not met.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "candidates.h"

/* ---- caps ---- */

static TimestampTz
minus_interval(TimestampTz at, const Interval *per)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(at),
												   IntervalPGetDatum(per)));
}

static int
count_contacts(const XsPolicy *policy, const XsCap *cap, const XsContacts *contacts, TimestampTz now)
{
	TimestampTz since = minus_interval(now, &cap->per);
	int			count = 0;

	for (int i = 0; i < contacts->n; i++)
		if (strcmp(contacts->agent[i], policy->agent) == 0 &&
			xs_id_time(contacts->decision_id[i]) > since &&
			(cap->offer < 0 || strcmp(contacts->product[i], policy->offers[cap->offer].product) == 0) &&
			(cap->channel < 0 || strcmp(contacts->channel[i], policy->channels[cap->channel].channel) == 0))
			count++;
	return count;
}

/* By cap: is it used up? */
static bool *
caps_reached(const XsPolicy *policy, const XsContacts *contacts, TimestampTz now)
{
	bool	   *reached = palloc(sizeof(bool) * Max(policy->ncaps, 1));

	for (int i = 0; i < policy->ncaps; i++)
		reached[i] = count_contacts(policy, &policy->caps[i], contacts, now) >= policy->caps[i].max_offers;
	return reached;
}

static const XsCap *
cap_reached(const XsPolicy *policy, int offer, int channel, const bool *reached)
{
	for (int i = 0; i < policy->ncaps; i++)
	{
		const XsCap *cap = &policy->caps[i];

		if (reached[i] && (cap->offer < 0 || cap->offer == offer) &&
			(cap->channel < 0 || cap->channel == channel))
			return cap;
	}
	return NULL;
}

const char *
xs_cap_broken(const XsPolicy *policy, int arm, const XsContacts *contacts, TimestampTz now)
{
	const XsCap *cap = cap_reached(policy, arm / policy->nchannels, arm % policy->nchannels,
								   caps_reached(policy, contacts, now));

	return cap == NULL ? NULL : cap->cap;
}

/*
 * Contacts are kept for a quarter of a year at least, so that a cap that is added
 * or lengthened finds them.
 */
#define LEAST_KEPT (INT64CONST(92) * USECS_PER_DAY)

TimestampTz
xs_caps_since(const XsPolicy *policy, TimestampTz now)
{
	TimestampTz since = now - LEAST_KEPT;

	for (int i = 0; i < policy->ncaps; i++)
		since = Min(since, minus_interval(now, &policy->caps[i].per));
	return since;
}

/* ---- exclusion ---- */

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
excluded(const XsPolicy *policy, XsProgram *program, int o, int c, const bool *reached, TimestampTz now)
{
	const XsOffer *offer = &policy->offers[o];
	const XsChannel *channel = &policy->channels[c];
	const XsCap *cap;

	if (!offer->active || now < offer->valid_from || now >= offer->valid_until)
		return "inactive";
	if (offer->held != NULL && is_held(program, offer->held, o, c))
		return "held";
	for (int i = 0; i < policy->nrules; i++)
	{
		const XsRule *rule = &policy->rules[i];

		if ((rule->offer < 0 || rule->offer == o) && (rule->channel < 0 || rule->channel == c) &&
			!is_true(program, rule->expression, o, c))
			return psprintf("rule:%s", rule->rule);
	}
	if (channel->consent != NULL && !is_true(program, channel->consent, o, c))
		return "consent";
	cap = cap_reached(policy, o, c, reached);
	if (cap != NULL)
		return psprintf("cap:%s", cap->cap);
	return NULL;
}

/* ---- what an allowed arm is worth ---- */

static double
propensity_of(const XsPolicy *policy, XsProgram *program, const XsOffer *offer, int o, int c)
{
	bool		isnull;
	double		s;

	if (offer->propensity == NULL)
		return NAN;
	s = xs_evaluate_number(program, offer->propensity, o, c, &isnull);
	if (isnull)
		return policy->prior.neutral_rate;
	if (s < 0 || s > 1)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("propensity of offer \"%s\" of agent \"%s\" is %g", offer->product, policy->agent, s),
				 errdetail("A propensity is a probability, between 0 and 1."),
				 errhint("Rescale the expression \"%s\", or make it NULL where there is no score.",
						 offer->propensity->text)));
	return s;
}

/* value and cost; an arm whose worth is unknown is excluded */
static const char *
evaluate_worth(const XsPolicy *policy, XsProgram *program, const XsOffer *offer, int o, int c, XsCandidate *out)
{
	bool		isnull = false;
	double		value = 1;
	double		cost = 0;

	if (offer->value != NULL)
		value = xs_evaluate_number(program, offer->value, o, c, &isnull);
	if (isnull)
		return "value";
	if (offer->cost != NULL)
		cost = xs_evaluate_number(program, offer->cost, o, c, &isnull);
	if (isnull)
		return "cost";
	if (value < 0 || value > 1e9 || fabs(cost) > 1e9)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s of offer \"%s\" of agent \"%s\" is %g", value < 0 || value > 1e9 ? "value" : "cost",
						offer->product, policy->agent, value < 0 || value > 1e9 ? value : cost),
				 errdetail("A value is between 0 and 1e9, a cost between -1e9 and 1e9.")));
	out->value = (float4) value;
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

void
xs_check_asked(const XsPolicy *policy, ArrayType *products, const char *channel)
{
	(void) asked_offers(policy, products);
	(void) asked_channel(policy, channel);
}

int
xs_candidates(const XsPolicy *policy, XsProgram *program, ArrayType *products, const char *channel,
			  const XsContacts *contacts, TimestampTz now, XsCandidate **out)
{
	bool	   *asked = asked_offers(policy, products);
	int			only = asked_channel(policy, channel);
	bool	   *reached = caps_reached(policy, contacts, now);
	int			n = 0;

	*out = palloc0(sizeof(XsCandidate) * Max(XS_NARMS(policy), 1));
	for (int o = 0; o < policy->noffers; o++)
		for (int c = 0; c < policy->nchannels; c++)
		{
			XsCandidate *candidate = &(*out)[n];

			if (!asked[o] || (only >= 0 && c != only))
				continue;
			candidate->arm = (uint16) (o * policy->nchannels + c);
			candidate->value = 1;
			candidate->excluded = excluded(policy, program, o, c, reached, now);
			if (candidate->excluded == NULL)
				candidate->excluded = evaluate_worth(policy, program, &policy->offers[o], o, c, candidate);
			candidate->propensity = candidate->excluded == NULL
				? propensity_of(policy, program, &policy->offers[o], o, c) : NAN;
			n++;
		}
	return n;
}
