/*
 * learn.h: learning, as xsell_reward and xsell_learn share it.
 */
#ifndef XS_LEARN_H
#define XS_LEARN_H

#include "postgres.h"

#include "access/transam.h"

#include "journal/journal.h"

/* learn_policy.c: what outcomes and learning need of an agent's newest policy */
typedef enum XsLearningMode
{
	XS_LEARN_HOLD,				/* also: a deleted agent */
	XS_LEARN_DEFERRED,
	XS_LEARN_BACKGROUND,
	XS_LEARN_ONLINE
} XsLearningMode;

typedef struct XsOutcomeKind
{
	const char *outcome;
	double		reward;
	double		harm;
	const char *opt_out;		/* "channel", "all", or NULL */
	bool		terminal;		/* nothing more is awaited after it */
	const char *delivery;		/* "delivered", "undelivered", or NULL: it reports none */
	const char *reverses;		/* the outcome it takes back, or NULL */
} XsOutcomeKind;

/* A feed of outcomes that says that it is alive. */
typedef struct XsFeed
{
	const char *feed;
	const char *channel;		/* NULL: all */
	Interval	longest_silence;
} XsFeed;

typedef struct XsLearning
{
	const char *agent;
	XsLearningMode mode;
	int64		batch;			/* the learner waits for so many decisions and outcomes */
	int			nfeeds;
	const XsFeed *feeds;
	int			noutcomes;
	const XsOutcomeKind *outcomes;	/* the built-in ones included */
	Datum		identity;		/* see xs_identity_encodings */

	/* private to learn_policy.c */
	MemoryContext context;
	int32		version;
	int64		published_at;
} XsLearning;

/*
 * NULL: no agent of this name was ever published.  Within SPI.  The result
 * lives until the next call.
 */
extern const XsLearning *xs_learning(const char *agent);
extern const XsOutcomeKind *xs_outcome_kind(const XsLearning *learning, const char *outcome);

/* The names of all agents that were ever published, in the context given.  Within SPI. */
extern uint64 xs_agents(char ***names, MemoryContext context);

/*
 * int4[], in the context given: an agent's encodings whose evidence has the
 * identity as link; that of all others is the logit.  Within SPI.
 */
extern Datum xs_identity_encodings(const char *agent, XsAccess access, MemoryContext context);

/* learn_fold.c: the set-based steps; within SPI, by the holder of the learner row */
typedef struct XsSpan
{
	int64		decisions_to;	/* last ids of this step */
	int64		outcomes_to;
	bool		decisions;		/* whether the log has any after the last, whoever's */
	bool		outcomes;
	bool		late;			/* at or below folded_to */
	bool		held;			/* whether decisions wait for a silent feed */
} XsSpan;

/* Feeds that are silent: their channels (text[], NULL for all), and the last ids before their silence (int8[]). */
typedef struct XsSilence
{
	bool		any;
	Datum		channels;
	Datum		since;
} XsSilence;

extern void xs_find_silence(const XsLearning *learning, TimestampTz now, XsSilence *silence);

/*
 * The range of a step after the positions given: n offers and n outcomes of the
 * agent, but not more than this many rows of the log, whoever's they are.
 */
extern XsSpan xs_span(const char *agent, int64 folded_to, int64 outcomes_to, int64 horizon,
					  int64 n, int64 rows);

/*
 * Whether n decisions and outcomes, or more, are to be learned up to the horizon;
 * also if so much of the log is ahead that the walk should go on, whoever's it is.
 */
extern bool xs_is_waiting(const char *agent, int64 folded_to, int64 outcomes_to, int64 horizon, int64 n);

/*
 * Decisions with folded_to < id <= upto; each becomes experience of this version, or
 * is held if a silent feed covers it.
 */
extern int64 xs_fold_range(const XsLearning *learning, const XsSilence *silence, int64 folded_to, int64 upto,
						   int64 version);

/* Those of decisions[] (int8[]) that are no experience yet. */
extern int64 xs_fold_late(const XsLearning *learning, const XsSilence *silence, Datum decisions, int64 version);

/* Removes up to n held decisions that no silent feed covers any more; false: there were none. */
extern bool xs_release(const char *agent, const XsSilence *silence, int64 n, Datum *decisions);

/*
 * Corrects experience by the outcomes with outcomes_to < id <= upto, and that
 * of the decisions[] given (int8[]).
 */
extern int64 xs_correct(const XsLearning *learning, int64 outcomes_to, int64 upto,
						Datum decisions, int64 version);

/* Removes evidence of this version that no decision is left in. */
extern void xs_clear_evidence(const char *agent, int64 version);

/* Removes up to n late decisions with id <= folded_to; false: there were none. */
extern bool xs_take_late(const char *agent, int64 folded_to, int64 n, Datum *decisions);

/* SQL: whose lesson decision d is: see xsell.evidence.source; ids made under a simulated clock have no backend's number. */
#define XS_SOURCE \
	"CASE WHEN d.cohort OPERATOR(pg_catalog.=) 'imported' THEN 'imported'" \
	" WHEN (d.decision_id OPERATOR(pg_catalog.>>) 9) OPERATOR(pg_catalog.&) 8191 OPERATOR(pg_catalog.=) 0 THEN 'simulated'" \
	" ELSE d.cohort END"

/* SQL: the number of the week of decision d, and the Monday of a week, which is its bucket (ids count from a Monday). */
#define XS_WEEK "(d.decision_id OPERATOR(pg_catalog.>>) 22 OPERATOR(pg_catalog./) 604800000)"
#define XS_BUCKET(week) \
	"('2024-01-01'::pg_catalog.date OPERATOR(pg_catalog.+) (7 OPERATOR(pg_catalog.*) " week "::pg_catalog.int4))"

/* The schema of xsell's types and functions, quoted; errors if there is no journal. */
extern const char *xs_extension_schema(void);

/* learn.c */
typedef struct XsLearned
{
	bool		aside;			/* another session is learning: nothing was done */
	int64		decisions;
	int64		corrections;
	int64		model_version;
} XsLearned;

/*
 * One bounded step, as xsell_reward does: the decision given is corrected at
 * once if it was folded before.
 */
extern XsLearned xs_learn_online(const XsLearning *learning, int64 decision_id);

#define XS_ONLINE_STEP 256		/* offers, and outcomes, that such a step takes at most */

/* Ids of the present millisecond are not below its floor, so not settled: lets it pass. */
extern void xs_await_next_millisecond(void);

/*
 * learner.c: the learner's row, waited for and held until the transaction ends.
 * Within SPI.  False: nothing was ever learned, and there is no row; it can be made.
 */
extern void xs_exclude_refits(const char *agent);	/* they wait at their end, and are waited for; to be called first */
extern bool xs_hold_learner(const char *agent, int64 *model_version);
extern int64 xs_make_learner(const char *agent);
extern void xs_set_model_version(const char *agent, int64 model_version);

/* Everything up to the horizon, or about max_decisions of it, as xsell_learn does. */
extern XsLearned xs_learn_in_bulk(const XsLearning *learning, int64 max_decisions);

/*
 * Remembers why learning failed, until a step succeeds; unless another session
 * is learning.
 */
extern void xs_note_failure(const char *agent, const char *failure);

/*
 * learn_online.c: an outcome was recorded of a decision; false: it is not learned
 * yet, but with others that this transaction reports, or by another session.
 */
extern bool xs_learn_outcome(const XsLearning *learning, int64 decision_id);

/* Errors, with the way out, where the server or the transaction cannot write. */
extern void xs_check_learns_here(const char *function);

#endif
