/*
 * contact_policy.c: what a customer's past contacts forbid now.
 *
 * Everything is computed from the customer's row of the contact ledger and the
 * outcomes of the offers in it, once per call, for all arms.  An offer that was
 * reported undelivered is no contact, unless an outcome shows that it has reached
 * the customer.  Outcomes that were reversed do not count.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "contact_policy.h"

#define LEAST_KEPT (INT64CONST(92) * USECS_PER_DAY)

/* How long outcomes may lag behind their offers and still start a cool-down. */
#define OUTCOME_LAG (INT64CONST(90) * USECS_PER_DAY)

/* How long outcomes may be reported after their window and still find their contact (attribution.c). */
#define REPORT_LAG (INT64CONST(31) * USECS_PER_DAY)

/* What became of one contact. */
typedef struct Response
{
	bool		own;			/* of this agent */
	bool		undelivered;	/* was reported so */
	bool		reached;		/* the customer, as an outcome shows */
	int			offer;			/* index, or -1 if it is not offered any more */
	int			channel;
	int64		id;				/* of the decision */
	TimestampTz at;
	bool		answered;
	int64		engaged;		/* an id of that time; 0: not engaged */
} Response;

static TimestampTz
shifted(TimestampTz at, const Interval *by, bool forward)
{
	return DatumGetTimestampTz(DirectFunctionCall2(forward ? timestamptz_pl_interval : timestamptz_mi_interval,
												   TimestampTzGetDatum(at), IntervalPGetDatum(by)));
}

static const XsKind *
kind_of(const XsPolicy *policy, const char *outcome)
{
	for (int i = 0; i < policy->nkinds; i++)
		if (strcmp(policy->kinds[i].outcome, outcome) == 0)
			return &policy->kinds[i];
	return NULL;
}

/* The last id of the outcome's millisecond; not later than it was recorded, whatever its date says. */
static int64
id_of(const XsOutcomeSeen *seen)
{
	return Min(seen->outcome_id, xs_id_floor(seen->occurred_at + 1000) - 1);
}

static void
note_outcome(const XsPolicy *policy, const XsOutcomeSeen *seen, Response *response)
{
	const XsKind *kind = kind_of(policy, seen->outcome);

	if (!seen->counts)
		return;
	if (seen->delivery != NULL && strcmp(seen->delivery, "undelivered") == 0)
	{
		response->undelivered = true;
		return;
	}
	response->reached = true;
	response->answered |= seen->delivery == NULL;
	if (strcmp(seen->outcome, "conversion") == 0 || (kind != NULL && kind->engagement))
		response->engaged = Max(response->engaged, id_of(seen));
}

static Response *
responses_of(const XsPolicy *policy, const XsContacts *contacts)
{
	Response   *responses = palloc0(sizeof(Response) * Max(contacts->n, 1));

	for (int i = 0; i < contacts->n; i++)
	{
		Response   *r = &responses[i];

		r->own = strcmp(contacts->agent[i], policy->agent) == 0;
		if (!r->own)
			continue;
		r->offer = xs_policy_offer(policy, contacts->product[i]);
		r->channel = xs_policy_channel(policy, contacts->channel[i]);
		r->id = contacts->decision_id[i];
		r->at = xs_id_time(r->id);
	}
	for (int i = 0; i < contacts->noutcomes; i++)
		if (responses[contacts->outcomes[i].contact].own)
			note_outcome(policy, &contacts->outcomes[i], &responses[contacts->outcomes[i].contact]);
	return responses;
}

/* Until it is reported undelivered, an offer is a contact: caps must hold meanwhile. */
static bool
is_contact(const Response *r)
{
	return r->own && (r->reached || !r->undelivered);
}

static bool
counts(const XsCap *cap, const Response *r, TimestampTz since)
{
	return is_contact(r) && r->at > since && XS_BINDS(cap->binding, r->offer, r->channel);
}

/*
 * Only engagement with offers of the period matters: how long older ones are
 * remembered depends on other limits.
 */
static bool
cap_reached(const XsCap *cap, const Response *responses, int n, TimestampTz now)
{
	TimestampTz since = shifted(now, &cap->per, false);
	int64		engaged = 0;
	int			limit = cap->max_offers;
	int			count = 0;

	for (int i = 0; i < n && cap->engaged != XS_ENGAGED_NOTHING; i++)
		if (counts(cap, &responses[i], since))
			engaged = Max(engaged, responses[i].engaged);
	if (cap->engaged == XS_ENGAGED_RELAX && engaged > 0)
		limit = cap->relaxed_offers;

	for (int i = 0; i < n; i++)
		if (counts(cap, &responses[i], since) &&
			(cap->engaged != XS_ENGAGED_RESET || responses[i].id > engaged))
			count++;
	return count >= limit;
}

/* The product's own window, else the channel's; of what is not offered any more it has ended. */
static bool
is_awaited(const XsPolicy *policy, const Response *r, TimestampTz now)
{
	const Interval *window = r->offer >= 0 && policy->offers[r->offer].has_window
		? &policy->offers[r->offer].observation_window
		: r->channel >= 0 ? &policy->channels[r->channel].observation_window : NULL;

	return window != NULL && now < shifted(r->at, window, true);
}

/*
 * The last offers whose windows have ended were all ignored, and the newest of
 * them was made within the pause.  Offers that still wait are passed over.
 */
static bool
is_quiet(const XsPolicy *policy, const XsQuiet *quiet, const Response *responses, int n, TimestampTz now)
{
	TimestampTz newest = DT_NOBEGIN;
	int			ignored = 0;

	for (int i = n - 1; i >= 0 && ignored < quiet->after_ignored; i--)
	{
		const Response *r = &responses[i];

		if (!is_contact(r) || (quiet->channel >= 0 && r->channel != quiet->channel))
			continue;
		if (r->answered)
			return false;
		if (is_awaited(policy, r, now))
			continue;
		newest = Max(newest, r->at);
		ignored++;
	}
	return ignored == quiet->after_ignored && now < shifted(newest, &quiet->pause, true);
}

static void
note_cooldowns(const XsPolicy *policy, const XsContacts *contacts, const Response *responses,
			   TimestampTz now, bool *cooldowns)
{
	for (int i = 0; i < contacts->noutcomes; i++)
	{
		const XsOutcomeSeen *seen = &contacts->outcomes[i];
		const Response *r = &responses[seen->contact];

		if (!r->own || r->offer < 0 || !seen->counts)
			continue;
		for (int k = 0; k < policy->ncooldowns; k++)
		{
			const XsCooldown *cooldown = &policy->cooldowns[k];

			if ((cooldown->offer < 0 || cooldown->offer == r->offer) &&
				strcmp(cooldown->outcome, seen->outcome) == 0 &&
				now < shifted(seen->occurred_at, &cooldown->lasts, true))
				cooldowns[k * policy->noffers + r->offer] = true;
		}
	}
}

void
xs_limits(const XsPolicy *policy, const XsContacts *contacts, TimestampTz now, XsLimits *limits)
{
	Response   *responses = responses_of(policy, contacts);

	limits->policy = policy;
	limits->caps = palloc(sizeof(bool) * Max(policy->ncaps, 1));
	limits->quiets = palloc(sizeof(bool) * Max(policy->nquiets, 1));
	limits->cooldowns = palloc0(sizeof(bool) * Max(policy->ncooldowns * policy->noffers, 1));
	for (int i = 0; i < policy->ncaps; i++)
		limits->caps[i] = cap_reached(&policy->caps[i], responses, contacts->n, now);
	for (int i = 0; i < policy->nquiets; i++)
		limits->quiets[i] = is_quiet(policy, &policy->quiets[i], responses, contacts->n, now);
	note_cooldowns(policy, contacts, responses, now, limits->cooldowns);
}

const char *
xs_limit_broken(const XsLimits *limits, int offer, int channel)
{
	const XsPolicy *policy = limits->policy;

	for (int i = 0; i < policy->nquiets; i++)
		if (limits->quiets[i] && (policy->quiets[i].channel < 0 || policy->quiets[i].channel == channel))
			return psprintf("quiet:%s", policy->quiets[i].quiet);
	for (int i = 0; i < policy->ncooldowns; i++)
		if (limits->cooldowns[i * policy->noffers + offer])
			return psprintf("cooldown:%s", policy->cooldowns[i].cooldown);
	for (int i = 0; i < policy->ncaps; i++)
		if (limits->caps[i] && XS_BINDS(policy->caps[i].binding, offer, channel))
			return psprintf("cap:%s", policy->caps[i].cap);
	return NULL;
}

/* The time of the n-th newest own contact of a quiet rule's channel, or no beginning. */
static TimestampTz
nth_newest(const XsPolicy *policy, const XsQuiet *quiet, const XsContacts *contacts, int n)
{
	for (int i = contacts->n - 1; i >= 0; i--)
		if (strcmp(contacts->agent[i], policy->agent) == 0 &&
			(quiet->channel < 0 ||
			 strcmp(contacts->channel[i], policy->channels[quiet->channel].channel) == 0) && --n == 0)
			return xs_id_time(contacts->decision_id[i]);
	return DT_NOBEGIN;
}

/*
 * A quiet period may look back over any time, but only over so many offers; some
 * more are kept for those that were not delivered.  All are kept for a quarter of
 * a year at least, so that a cap that is added or lengthened finds them, and longer
 * where observation windows are.
 */
TimestampTz
xs_contacts_since(const XsPolicy *policy, const XsContacts *contacts, TimestampTz now)
{
	TimestampTz since = now - LEAST_KEPT;

	for (int i = 0; i < policy->ncaps; i++)
		since = Min(since, shifted(now, &policy->caps[i].per, false));
	for (int i = 0; i < policy->ncooldowns; i++)
		since = Min(since, shifted(now, &policy->cooldowns[i].lasts, false) - OUTCOME_LAG);
	for (int i = 0; i < policy->nchannels; i++)
		since = Min(since, shifted(now, &policy->channels[i].observation_window, false) - REPORT_LAG);
	for (int i = 0; i < policy->noffers; i++)
		if (policy->offers[i].has_window)
			since = Min(since, shifted(now, &policy->offers[i].observation_window, false) - REPORT_LAG);
	for (int i = 0; i < policy->nquiets; i++)
		since = Min(since, nth_newest(policy, &policy->quiets[i], contacts,
									  2 * policy->quiets[i].after_ignored + 8));
	return since;
}
