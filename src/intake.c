/*
 * intake.c: outcomes in bulk: xsell.intake, which feeds fill by COPY, and
 * xsell_take_in, which empties it.
 *
 * Rows are taken in the order of the table, a batch at a time.  Each is received as
 * xsell_reward receives it; what belongs to no decision goes to xsell.dangling, and
 * any other error undoes the call, so that nothing is lost.
 *
 * One session at a time takes in, and others stand aside: two that shared the rows
 * of a file that was loaded twice would each wait for outcomes that the other has
 * recorded.  Rows that a transaction has locked are left for the next time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "journal/journal.h"
#include "learn.h"
#include "reward.h"
#include "settings.h"

#define BATCH 10000
#define PROGRESS_STEP 1000000
#define LOCK_SPACE 2020893804	/* as xsell's advisory locks have it: "xsel" */
#define INTAKE_LOCK 5			/* those of SQL are of the kinds 1 and 2, the worker's of 3 and 4 */

PG_FUNCTION_INFO_V1(xsell_take_in);

/* What a report is read from, in the order of the statements below. */
enum
{
	PLACE = 1,
	DECISION_ID,
	CUSTOMER_KEY,
	PRODUCT,
	AGENT,
	OUTCOME,
	VALUE,
	OCCURRED_AT,
	EVENT_ID,
	REPORTED_BY
};

/* $1 after this place, $2 rows: the next of the table; $3 the simulated time, if it is */
static XsStatement take_rows = {
	.relation = "intake",
	.sql = "DELETE FROM xsell.intake x WHERE x.ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
	"   SELECT i.ctid FROM xsell.intake i WHERE i.ctid OPERATOR(pg_catalog.>) $1 LIMIT $2 FOR UPDATE SKIP LOCKED))"
	" RETURNING x.ctid, x.decision_id, x.customer_key, x.product, x.agent, x.outcome, x.value,"
	" COALESCE(x.occurred_at, CASE WHEN $3 IS NULL THEN x.arrived_at ELSE $3 END), x.event_id, x.arrived_by",
	.nargs = 3,
	.argtypes = {TIDOID, INT8OID, TIMESTAMPTZOID}
};

/* $1 after this dangling_id, $2 rows */
static XsStatement read_dangling = {
	.relation = "dangling",
	.sql = "SELECT d.dangling_id, d.decision_id, d.customer_key, d.product, d.agent, d.outcome, d.value,"
	" d.occurred_at, d.event_id, d.noted_by FROM xsell.dangling d"
	" WHERE d.dangling_id OPERATOR(pg_catalog.>) $1 ORDER BY d.dangling_id LIMIT $2 FOR UPDATE SKIP LOCKED",
	.nargs = 2,
	.argtypes = {INT8OID, INT8OID}
};

static XsStatement delete_dangling = {
	.relation = "dangling",
	.sql = "DELETE FROM xsell.dangling d WHERE d.dangling_id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

typedef struct Intake
{
	int64		counts[3];		/* by XsReceipt */
	int64		told;
	MemoryContext row;			/* reset for each */
} Intake;

/* ---- rows ---- */

static Datum
column(const SPITupleTable *rows, uint64 i, int number, bool *isnull)
{
	return SPI_getbinval(rows->vals[i], rows->tupdesc, number, isnull);
}

static char *
text_of(const SPITupleTable *rows, uint64 i, int number)
{
	bool		isnull;
	Datum		value = column(rows, i, number, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
read_report(const SPITupleTable *rows, uint64 i, XsReport *report)
{
	bool		isnull;
	Datum		value;

	memset(report, 0, sizeof(XsReport));
	value = column(rows, i, DECISION_ID, &isnull);
	report->has_decision = !isnull;
	report->decision_id = isnull ? 0 : DatumGetInt64(value);
	report->customer_key = column(rows, i, CUSTOMER_KEY, &isnull);
	report->has_customer = !isnull;
	report->product = text_of(rows, i, PRODUCT);
	report->agent = text_of(rows, i, AGENT);
	report->by_customer = !report->has_decision && (report->has_customer || report->product != NULL);
	report->outcome = text_of(rows, i, OUTCOME);
	value = column(rows, i, VALUE, &isnull);
	report->has_value = !isnull;
	report->value = isnull ? 0 : DatumGetFloat8(value);
	report->occurred_at = DatumGetTimestampTz(column(rows, i, OCCURRED_AT, &isnull));
	report->event_id = text_of(rows, i, EVENT_ID);
	report->reported_by = text_of(rows, i, REPORTED_BY);
}

/* ---- batches ---- */

static XsReceipt
receive_row(Intake *intake, const SPITupleTable *rows, uint64 i, XsIfRefused if_refused)
{
	MemoryContext batch = MemoryContextSwitchTo(intake->row);
	XsReport	report;
	XsReceipt	receipt;

	CHECK_FOR_INTERRUPTS();
	read_report(rows, i, &report);
	receipt = xs_receive(&report, if_refused);
	MemoryContextSwitchTo(batch);
	MemoryContextReset(intake->row);
	intake->counts[receipt]++;
	return receipt;
}

static int64
taken_in(const Intake *intake)
{
	return intake->counts[XS_RECORDED] + intake->counts[XS_DUPLICATE] + intake->counts[XS_DANGLING];
}

static void
tell_progress(Intake *intake)
{
	if (taken_in(intake) < intake->told + PROGRESS_STEP)
		return;
	intake->told = taken_in(intake);
	ereport(NOTICE,
			(errmsg("%lld outcomes taken in so far", (long long) intake->told)));
}

/* The next rows after a place, which moves on; returns how many there were. */
static int64
take_batch(Intake *intake, ItemPointer place, int64 n)
{
	Datum		values[] = {PointerGetDatum(place), Int64GetDatum(n), TimestampTzGetDatum(xs_now())};
	const char *nulls = xs_clock_is_simulated() ? "   " : "  n";
	uint64		taken;
	SPITupleTable *rows;
	bool		isnull;

	SPI_connect();
	taken = xs_execute(&take_rows, values, nulls, XS_WRITE, 0);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < taken; i++)
	{
		ItemPointer at = (ItemPointer) DatumGetPointer(column(rows, i, PLACE, &isnull));

		if (ItemPointerCompare(at, place) > 0)
			*place = *at;
	}
	for (uint64 i = 0; i < taken; i++)
		(void) receive_row(intake, rows, i, XS_NOTE_DANGLING);
	SPI_finish();
	tell_progress(intake);
	return (int64) taken;
}

/* Those of xsell.dangling that belong to a decision now. */
static int64
retry_batch(Intake *intake, int64 *last, int64 n)
{
	Datum		values[] = {Int64GetDatum(*last), Int64GetDatum(n)};
	uint64		found;
	SPITupleTable *rows;
	bool		isnull;

	SPI_connect();
	found = xs_execute(&read_dangling, values, NULL, XS_WRITE, 0);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < found; i++)
	{
		Datum		id = column(rows, i, PLACE, &isnull);

		*last = DatumGetInt64(id);
		if (receive_row(intake, rows, i, XS_LEAVE) != XS_DANGLING)
			(void) xs_execute(&delete_dangling, &id, NULL, XS_WRITE, 0);
	}
	SPI_finish();
	tell_progress(intake);
	return (int64) found;
}

/* Until the transaction ends; false: another session takes in. */
static bool
lock_intake(void)
{
	LOCKTAG		lock;

	SET_LOCKTAG_ADVISORY(lock, MyDatabaseId, LOCK_SPACE, 0, INTAKE_LOCK);
	return LockAcquire(&lock, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* False: another session takes in. */
static bool
take_in(Intake *intake, int64 max_rows, bool retry_dangling)
{
	ItemPointerData place;
	int64		last = -1;
	int64		n;

	if (!lock_intake())
		return false;
	intake->row = AllocSetContextCreate(CurrentMemoryContext, "xsell intake row", ALLOCSET_DEFAULT_SIZES);
	ItemPointerSet(&place, 0, 0);
	while (retry_dangling && (n = Min(BATCH, max_rows - taken_in(intake))) > 0)
		if (retry_batch(intake, &last, n) < n)
			break;
	while ((n = Min(BATCH, max_rows - taken_in(intake))) > 0)
		if (take_batch(intake, &place, n) < n)
			break;
	MemoryContextDelete(intake->row);
	return true;
}

int64
xs_take_in(int64 max_rows)
{
	Intake		intake = {0};

	(void) take_in(&intake, max_rows, false);
	return taken_in(&intake);
}

/* ---- SQL ---- */

/* xsell_take_in(max_rows bigint, retry_dangling boolean) RETURNS (recorded, duplicate, dangling) */
Datum
xsell_take_in(PG_FUNCTION_ARGS)
{
	int64		max_rows = PG_ARGISNULL(0) ? PG_INT64_MAX : PG_GETARG_INT64(0);
	Intake		intake = {0};
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false};

	xs_check_learns_here("xsell_take_in");
	if (max_rows < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be at least 1")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "xsell_take_in must return a row");
	if (!take_in(&intake, max_rows, !PG_ARGISNULL(1) && PG_GETARG_BOOL(1)))
		ereport(NOTICE,
				(errmsg("outcomes are being taken in by another session")));
	for (int i = 0; i < 3; i++)
		values[i] = Int64GetDatum(intake.counts[i]);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
