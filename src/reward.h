/*
 * reward.h: outcomes, as xsell_reward and the intake share them.
 */
#ifndef XS_REWARD_H
#define XS_REWARD_H

#include "postgres.h"

#include "utils/timestamp.h"

/* An outcome as it was reported: of a decision, or else of a customer and a product. */
typedef struct XsReport
{
	bool		by_customer;	/* of a customer and a product */
	bool		has_decision;
	int64		decision_id;
	bool		has_customer;
	Datum		customer_key;	/* of the journal's key type */
	const char *product;		/* this and what follows: or NULL */
	const char *agent;			/* whose offer it was; NULL: anybody's */
	const char *outcome;
	bool		has_value;
	double		value;
	TimestampTz occurred_at;
	const char *event_id;
	const char *reported_by;	/* not NULL */
} XsReport;

typedef enum XsReceipt
{
	XS_RECORDED,
	XS_DUPLICATE,				/* was recorded before */
	XS_DANGLING					/* belongs to no decision, or cannot be */
} XsReceipt;

/* What is wrong with a report, as an error would say it. */
typedef struct XsRefusal
{
	int			code;
	const char *message;		/* NULL: nothing is wrong */
	const char *detail;			/* or NULL */
	const char *hint;			/* or NULL */
} XsRefusal;

/* What to do with a report that is refused. */
typedef enum XsIfRefused
{
	XS_RAISE,
	XS_NOTE_DANGLING,
	XS_LEAVE					/* it is in xsell.dangling already */
} XsIfRefused;

/*
 * reward.c: checks a report and records it.  Everything that can be wrong is
 * found before anything is written.
 */
extern XsReceipt xs_receive(const XsReport *report, XsIfRefused if_refused);

/*
 * attribution.c: the decision that an outcome of a customer and product belongs
 * to; false: there is none, see refusal.  Within SPI.
 */
extern bool xs_attribute(const XsReport *report, int64 *decision_id, XsRefusal *refusal);

/* dangling.c: keeps a report that was refused.  Within SPI. */
extern void xs_note_dangling(const XsReport *report, const char *reason);

/*
 * intake.c: records up to max_rows rows of xsell.intake, in the caller's
 * transaction; returns how many it took.
 */
extern int64 xs_take_in(int64 max_rows);

#endif
