/*
 * candidate_fields.h: which fields of a candidate are written, and which are left
 * out because they have their default.
 */
#ifndef XS_CANDIDATE_FIELDS_H
#define XS_CANDIDATE_FIELDS_H

#include "../decision.h"

#define XS_CANDIDATES_FORMAT 1	/* version of the stored and of the binary form */

#define HAS_EXCLUDED	0x01
#define HAS_PREDICTION	0x02
#define HAS_VALUE		0x04
#define HAS_COST		0x08
#define HAS_PROPENSITY	0x10
#define HAS_PROBABILITY 0x20
#define HAS_TAIL		0x40
#define ALL_FLAGS		0x7f

/* A candidate of which nothing is known, all fields left out. */
extern XsCandidate xs_default_candidate(void);

/* The flags of the fields that are not left out. */
extern int	xs_candidate_fields(const XsCandidate *candidate);

#endif
