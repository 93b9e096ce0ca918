/*
 * contact_policy.h: what a customer's past contacts forbid now: caps, quiet
 * periods, cool-downs.
 */
#ifndef XS_CONTACT_POLICY_H
#define XS_CONTACT_POLICY_H

#include "../journal/journal.h"
#include "policy.h"

typedef struct XsLimits
{
	const XsPolicy *policy;
	bool	   *caps;			/* by cap: used up */
	bool	   *quiets;			/* by quiet: pausing */
	bool	   *cooldowns;		/* by cooldown and offer: [i * noffers + offer] */
} XsLimits;

/* contacts come with their outcomes if the policy needs_responses. */
extern void xs_limits(const XsPolicy *policy, const XsContacts *contacts, TimestampTz now, XsLimits *limits);

/* The reason for which the arm must not be offered now: quiet:, cooldown:, cap:NAME, or NULL. */
extern const char *xs_limit_broken(const XsLimits *limits, int offer, int channel);

/* Contacts before this do not matter to the agent any more. */
extern TimestampTz xs_contacts_since(const XsPolicy *policy, const XsContacts *contacts, TimestampTz now);

#endif
