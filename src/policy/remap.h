/*
 * remap.h: evidence of earlier layouts of an agent's features, under another.
 */
#ifndef XS_POLICY_REMAP_H
#define XS_POLICY_REMAP_H

#include "policy.h"
#include "../model/remap.h"

/*
 * Whether evidence of one version's layout can teach under another's: it was
 * taken with the same link.
 */
extern bool xs_layout_can_remap(const XsPolicy *from, const XsPolicy *to);

/* Whether a product had the same propensity, of the same version, in both. */
extern bool xs_layout_same_score(const XsPolicy *from, const XsPolicy *to, const char *product);

/*
 * The columns of one version's layout as those of another's, for a product's
 * evidence, in the given context; NULL if they are the same.
 */
extern const XsRemap *xs_layout_remap(const XsPolicy *from, const XsPolicy *to, const char *product,
									  MemoryContext context);

#endif
