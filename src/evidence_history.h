/*
 * evidence_history.h: an agent's evidence as of an earlier model version.
 *
 * Needs an SPI connection nowhere, writes nothing, and runs on a standby: what
 * it reads is what the active snapshot sees, as the journal's owner.
 */
#ifndef XS_EVIDENCE_HISTORY_H
#define XS_EVIDENCE_HISTORY_H

#include "postgres.h"

#include "policy/model.h"

typedef struct XsEvidenceHistory XsEvidenceHistory;

/*
 * Lives in a context of its own below parent.  What it keeps between calls is
 * rolled on from, so it must not outlive the statement it was made in.
 */
extern XsEvidenceHistory *xs_history_create(MemoryContext parent);

/* Goes to the evidence as it was at a model version; that over features (glm) only if asked for. */
extern void xs_history_at(XsEvidenceHistory *history, const char *agent, int64 model_version,
						  bool with_glm);

/*
 * The rows of xsell.evidence and xsell.segment_evidence as they were, in the
 * order of product (by its bytes), encoding or segment, and bucket.  What they
 * point to is the history's, until the next xs_history_at.
 */
extern void xs_history_each(const XsEvidenceHistory *history,
							void (*callback) (void *arg, const XsEvidenceRow *row), void *arg);
extern void xs_history_each_segment(const XsEvidenceHistory *history,
									void (*callback) (void *arg, const XsSegmentRow *row), void *arg);

#endif
