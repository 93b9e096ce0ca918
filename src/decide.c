/*
 * decide.c: xsell_decide, the two halves of a decision in one call.
 *
 *   lock the customer's contacts -> choose -> contact, log -> result
 *
 * The customer's row in the contact ledger is locked before choosing and read in
 * its newest version, so that no cap can be exceeded; it is never waited for: if
 * another transaction holds it, the answer is "no offer, contact in progress".
 *
 * A command that asks the same question again gets the same answer: SELECT
 * (xsell_decide(c)).* is expanded to one call per column, and an UPDATE that
 * waited evaluates its expressions again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "choose.h"
#include "decide.h"
#include "math/random.h"
#include "policy/candidates.h"
#include "policy/contact_policy.h"
#include "compat.h"

PG_FUNCTION_INFO_V1(xsell_decide);

/* ---- where it can be called ---- */

/* Says early, before any work, and with the way out, that a function cannot write here. */
void
xs_require_writable(const char *function)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("%s cannot run on a standby server", function),
				 errhint("xsell_choose and xsell_rank can; record what they chose on the primary with xsell_record.")));
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("%s cannot run in a read-only transaction", function),
				 errhint("xsell_choose and xsell_rank can.")));
	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("%s cannot run in a parallel plan", function),
				 errhint("It must stay declared PARALLEL UNSAFE.")));
}

/* ---- answers already given in this command ---- */

typedef struct Answer
{
	uint64		question;		/* hash of all arguments but the row; 0: empty */
	uint64		customer;		/* hash of the customer key */
	int64		decision_id;
	char	   *product;
	char	   *channel;
	double		probability;
	double		expected;
	char	   *mode;
	char	   *reason;
} Answer;

/* The most recent ones: the calls of one row, and rows of a join, come close together. */
#define NANSWERS 256

static XsCommand answered_command;
static uint64 answered[NANSWERS];	/* question and customer mixed, for the search */
static Answer *answers = NULL;
static int	next_answer = 0;
static MemoryContext answers_context = NULL;

static uint64
hash_text(const char *text, uint64 seed)
{
	/* NULL and the empty string differ */
	return text == NULL ? xs_hash64("", 1, seed) : xs_hash64(text, strlen(text), seed);
}

static uint64
question_of(const XsCall *call)
{
	uint64		h = hash_text(call->agent, 1);

	h = hash_text(call->channel, h);
	h = hash_text(call->request_key, h + call->mode);
	h = call->products == NULL ? xs_hash64("", 1, h)
		: xs_hash64(call->products, VARSIZE(call->products), h);
	h = call->context == NULL ? xs_hash64("", 1, h)
		: xs_hash64(call->context, VARSIZE(call->context), h);
	return h == 0 ? 1 : h;
}

static Answer *
find_answer(uint64 question, uint64 customer)
{
	XsCommand	command = xs_current_command();

	if (answers == NULL || !xs_same_command(&command, &answered_command))
		return NULL;
	for (int i = 0; i < NANSWERS; i++)
		if (answered[i] == (question ^ customer) &&
			answers[i].question == question && answers[i].customer == customer)
			return &answers[i];
	return NULL;
}

static void
forget_answer(Answer *a)
{
	if (a->question == 0)
		return;
	if (a->product != NULL)
	{
		pfree(a->product);
		pfree(a->channel);
	}
	pfree(a->mode);
	pfree(a->reason);
	a->question = 0;
}

/* What a subtransaction decided was undone with it. */
static void
forget_undone(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		memset(&answered_command, 0, sizeof(answered_command));
}

static void
begin_answers(void)
{
	XsCommand	command = xs_current_command();

	if (answers != NULL && xs_same_command(&command, &answered_command))
		return;
	if (answers_context == NULL)
		RegisterSubXactCallback(forget_undone, NULL);
	if (answers_context == NULL)
		answers_context = AllocSetContextCreate(TopMemoryContext, "xsell answers", ALLOCSET_SMALL_SIZES);
	if (answers == NULL)
		answers = MemoryContextAllocZero(answers_context, sizeof(Answer) * NANSWERS);
	for (int i = 0; i < NANSWERS; i++)
		forget_answer(&answers[i]);
	next_answer = 0;
	answered_command = command;
}

static Answer *
note_answer(uint64 question, uint64 customer, const XsDecision *d)
{
	Answer	   *a;
	MemoryContext caller;

	begin_answers();
	a = &answers[next_answer];
	forget_answer(a);
	caller = MemoryContextSwitchTo(answers_context);
	a->customer = customer;
	a->decision_id = d->decision_id;
	a->product = d->product == NULL ? NULL : pstrdup(d->product);
	a->channel = d->product == NULL ? NULL : pstrdup(d->channel);
	a->probability = d->probability;
	a->expected = d->expected;
	a->mode = pstrdup(d->mode);
	a->reason = pstrdup(d->reason);
	a->question = question;
	answered[next_answer] = question ^ customer;
	MemoryContextSwitchTo(caller);
	next_answer = (next_answer + 1) % NANSWERS;
	return a;
}

/* ---- deciding ---- */

static void
write_decision(const XsChoice *choice, const XsDecision *d, const XsContacts *contacts)
{
	xs_write_decision(d);
	if (d->product != NULL)
		xs_contact_add(d, contacts, xs_contacts_since(choice->agent->policy, contacts, choice->now));
	if (d->request_key != NULL && contacts != NULL)
	{
		if (d->product == NULL)
			xs_contact_keep(d->customer_key, contacts);
		xs_write_request(d);
	}

	/* Only a simulated clock that was set back makes ids that were walked past. */
	if (d->product != NULL && d->decision_id <= choice->agent->folded_to)
		xs_write_late(d);
}

/* A request key that was answered before is answered as before. */
static bool
answered_before(const XsCall *call, const XsChoice *choice, XsDecision *d)
{
	int64		id;

	if (call->request_key == NULL)
		return false;
	id = xs_find_request(choice->customer_key, choice->agent->policy->agent, call->request_key);
	return id != 0 && xs_read_decision(id, XS_READ_NEWEST, d);
}

static void
decide(const XsCall *call, const XsChoice *choice, XsDecision *d)
{
	XsHistory	history;
	bool		busy;

	/* Before the decision's id is made: the learner relies on this order (learn.c). */
	(void) GetTopTransactionId();

	memset(&history, 0, sizeof(history));
	busy = xs_contact_lock(choice->customer_key, &history.contacts) == XS_CONTACT_BUSY;
	if (busy || !answered_before(call, choice, d))
	{
		if (!busy)
			xs_complete_history(choice, XS_READ_NEWEST, &history);
		xs_choose(call, choice, busy ? NULL : &history, d);
		write_decision(choice, d, busy ? NULL : &history.contacts);
	}
	xs_contact_unlock(choice->customer_key, &history.contacts);
}

/* ---- SQL ---- */

static Datum
answer_datum(FunctionCallInfo fcinfo, const Answer *a)
{
	TupleDesc	desc = fcinfo->flinfo->fn_extra;
	Datum		values[7];
	bool		nulls[7] = {false};
	bool		offer = a->product != NULL;

	if (desc == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "xsell_decide must return a row");
		desc = BlessTupleDesc(CreateTupleDescCopy(desc));
		fcinfo->flinfo->fn_extra = desc;
		MemoryContextSwitchTo(caller);
	}
	values[0] = Int64GetDatum(a->decision_id);
	values[1] = offer ? CStringGetTextDatum(a->product) : (Datum) 0;
	values[2] = offer ? CStringGetTextDatum(a->channel) : (Datum) 0;
	values[3] = Float8GetDatum(a->probability);
	values[4] = Float8GetDatum(a->expected);
	values[5] = CStringGetTextDatum(a->mode);
	values[6] = CStringGetTextDatum(a->reason);
	nulls[1] = nulls[2] = nulls[3] = nulls[4] = !offer;
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/*
 * xsell_decide(customer record, products text[], agent text, channel text, context jsonb,
 *				request_key text)
 *		RETURNS (decision_id, product, channel, probability, expected, mode, reason)
 *
 * One decision for one customer: chosen, logged, and counted as a contact, in the
 * caller's transaction. product is NULL if there is no offer; reason says why.
 */
Datum
xsell_decide(PG_FUNCTION_ARGS)
{
	XsCall		call;
	XsChoice	choice;
	XsDecision	decision;
	Answer	   *answer;
	uint64		question;
	uint64		customer;

	xs_require_writable("xsell_decide");
	xs_read_call(fcinfo, (XsArguments) {.request_key = 5,.call_mode = 6,.at = -1}, &call);
	xs_begin_choice(&call, &choice);
	question = question_of(&call);
	customer = xs_key_hash(choice.customer_key, 0);
	answer = find_answer(question, customer);
	if (answer == NULL)
	{
		decide(&call, &choice, &decision);
		answer = note_answer(question, customer, &decision);
	}
	xs_end_choice(&choice);
	return answer_datum(fcinfo, answer);
}
