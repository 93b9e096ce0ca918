/*
 * learn_online.c: when an outcome is learned by an agent that learns online.
 *
 * The first outcomes that a transaction reports are learned at once, each by a step
 * of its own.  In a transaction that reports many, a step for each would update the
 * learner's row and the same evidence so often that every update finds the last one
 * later than the one before; so from then on a step is taken for many outcomes, and
 * the last when the transaction is about to commit.
 *
 * What a step leaves, because another transaction that runs may yet commit earlier
 * ids, is learned by whoever learns next, as always (learn.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "learn.h"

#define AT_ONCE 32				/* outcomes of a transaction, by agent */
#define TOGETHER (XS_ONLINE_STEP - 16)	/* outcomes that wait for a step: it takes them all, and the last one's leavings */

/* What this transaction has reported of an agent. */
typedef struct Reported
{
	char	   *agent;
	int64		outcomes;
	int64		waiting;		/* since the last step */
} Reported;

static Reported *reported = NULL;	/* in TopTransactionContext */
static int	nreported = 0;

/*
 * A step, and others as long as there seems to be more to learn, but no more than
 * outcomes have waited: one by one these would have taken as many, and have learned
 * the decisions that have no outcome yet.  False: another session learns.
 */
static bool
catch_up(const XsLearning *learning, int64 decision_id, int64 waiting)
{
	XsLearned	learned = xs_learn_online(learning, decision_id);
	bool		aside = learned.aside;

	while (!learned.aside && (learned.decisions > 0 || learned.corrections >= XS_ONLINE_STEP) && waiting-- > 0)
	{
		CHECK_FOR_INTERRUPTS();
		learned = xs_learn_online(learning, 0);
	}
	return !aside;
}

/* A step leaves the outcomes of its millisecond to the next one: those of two steps may be left. */
static void
learn_rest(const Reported *of)
{
	const XsLearning *learning = xs_learning(of->agent);

	if (learning != NULL && learning->mode == XS_LEARN_ONLINE &&
		catch_up(learning, 0, of->waiting))
		(void) xs_learn_online(learning, 0);
}

/* The transaction may have dropped the journal, or promised to write no more. */
static bool
can_learn(void)
{
	Oid			schema = get_namespace_oid("xsell", true);

	return !XactReadOnly && OidIsValid(get_relname_relid("learner", schema)) &&
		OidIsValid(get_relname_relid("policy", schema));
}

static void
before_commit(void)
{
	bool		any = false;

	for (int i = 0; i < nreported; i++)
		any |= reported[i].outcomes > AT_ONCE;
	if (!any || !can_learn())
		return;
	xs_await_next_millisecond();
	PushActiveSnapshot(GetTransactionSnapshot());	/* the last statement's is gone */
	SPI_connect();
	for (int i = 0; i < nreported; i++)
		if (reported[i].outcomes > AT_ONCE)
			learn_rest(&reported[i]);
	SPI_finish();
	PopActiveSnapshot();
	AfterTriggerFireDeferred(); /* those of the steps: the commit has fired all others */
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		before_commit();
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE || event == XACT_EVENT_ABORT)
	{
		reported = NULL;
		nreported = 0;
	}
}

static Reported *
reported_of(const char *agent)
{
	static bool registered = false;
	MemoryContext caller;

	for (int i = 0; i < nreported; i++)
		if (strcmp(reported[i].agent, agent) == 0)
			return &reported[i];

	if (!registered)
		RegisterXactCallback(at_transaction_end, NULL);
	registered = true;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	reported = nreported == 0 ? palloc(sizeof(Reported))
		: repalloc(reported, sizeof(Reported) * (nreported + 1));
	reported[nreported] = (Reported) {.agent = pstrdup(agent)};
	MemoryContextSwitchTo(caller);
	return &reported[nreported++];
}

bool
xs_learn_outcome(const XsLearning *learning, int64 decision_id)
{
	Reported   *of = reported_of(learning->agent);
	int64		waiting;

	if (++of->outcomes > AT_ONCE && ++of->waiting < TOGETHER)
		return false;
	waiting = of->waiting;
	of->waiting = 0;
	return catch_up(learning, decision_id, waiting);
}
