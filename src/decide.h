/*
 * decide.h: what the functions that write decisions share.
 */
#ifndef XS_DECIDE_H
#define XS_DECIDE_H

#include "decision.h"
#include "journal/journal.h"
#include "policy/policy.h"

/* Errors, with the way out, where the server or the transaction cannot write. */
extern void xs_require_writable(const char *function);

#endif
