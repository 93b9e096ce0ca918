/*
 * candidates.h: which arms a call may choose from, and why not the others.
 */
#ifndef XS_CANDIDATES_H
#define XS_CANDIDATES_H

#include "postgres.h"
#include "utils/array.h"

#include "../decision.h"
#include "../journal/journal.h"
#include "policy.h"
#include "program.h"

/*
 * The arms that the call asks about: products (NULL: all offers) through channel
 * (NULL: all channels), each with the first reason that excludes it, or NULL.
 * Errors name products and channels that the agent does not have.
 */
extern int	xs_candidates(const XsPolicy *policy, XsProgram *program, ArrayType *products,
						  const char *channel, const XsContacts *contacts, TimestampTz now,
						  XsCandidate **candidates);

/* The errors of xs_candidates alone, for calls that get no offer anyway. */
extern void xs_check_asked(const XsPolicy *policy, ArrayType *products, const char *channel);

/* How long a contact matters to the agent's caps: its oldest contact that still counts. */
extern TimestampTz xs_caps_since(const XsPolicy *policy, TimestampTz now);

/* The first cap that an offer of this arm would break, or NULL. */
extern const char *xs_cap_broken(const XsPolicy *policy, int arm, const XsContacts *contacts, TimestampTz now);

#endif
