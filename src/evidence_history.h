/*
 * evidence_history.h: an agent's evidence as of an earlier model version.
 *
 * Needs an SPI connection nowhere, writes nothing, and runs on a standby: what
 * it reads is what the active snapshot sees, as the journal's owner.
 */
#ifndef XS_EVIDENCE_HISTORY_H
#define XS_EVIDENCE_HISTORY_H

#include "postgres.h"

#include "model/evidence.h"

typedef struct XsEvidenceHistory XsEvidenceHistory;

/*
 * Lives in a context of its own below parent.  What it keeps between calls is
 * rolled on from, so it must not outlive the statement it was made in.
 */
extern XsEvidenceHistory *xs_history_create(MemoryContext parent);

/* Instead of an encoding: all of them, without the glm evidence. */
#define XS_ALL_ENCODINGS 0

/* The evidence of one encoding, whose link is given, as it was at a model version. */
extern void xs_history_at(XsEvidenceHistory *history, const char *agent, int32 encoding,
						  int link, int64 model_version);

/* Of one product, until the next xs_history_at; both NULL if it had none. */
extern void xs_history_evidence(XsEvidenceHistory *history, const char *product,
								const XsBeta **beta, const XsGlm **glm);

#endif
