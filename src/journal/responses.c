/*
 * responses.c: what became of contacts, and what the customer consented to.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "../compat.h"
#include "../settings.h"
#include "array.h"
#include "journal.h"

static XsStatement select_outcomes = {
	.relation = "outcome",
	.sql = "SELECT decision_id, outcome, delivery, reverses, occurred_at, outcome_id FROM xsell.outcome"
	" WHERE decision_id OPERATOR(pg_catalog.=) ANY ($1) ORDER BY outcome_id",
	.nargs = 1,
	.argtypes = {INT8ARRAYOID}
};

static XsStatement select_consents = {
	.relation = "consent",
	.sql = "SELECT channel, purpose, granted FROM xsell.consent WHERE customer_key {=} $1",
	.nargs = 1,
	.argtypes = {XS_KEY_TYPE}
};

static XsStatement upsert_consent = {
	.relation = "consent",
	.sql = "INSERT INTO xsell.consent (customer_key, channel, purpose, granted, changed_at, decision_id)"
	" VALUES ($1, $2, $3, false, $4, $5)"
	" ON CONFLICT (customer_key, channel, purpose) DO UPDATE"
	" SET granted = false, changed_at = excluded.changed_at, decision_id = excluded.decision_id",
	.nargs = 5,
	.argtypes = {XS_KEY_TYPE, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID}
};

static Datum
column(uint64 row, int number)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, &isnull);
}

/* NULL for NULL. */
static char *
text_column(MemoryContext context, uint64 row, int number)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, &isnull);

	return isnull ? NULL : MemoryContextStrdup(context, TextDatumGetCString(value));
}

static int
index_of(const XsContacts *contacts, int64 decision_id)
{
	for (int i = 0; i < contacts->n; i++)
		if (contacts->decision_id[i] == decision_id)
			return i;
	elog(ERROR, "an outcome of another decision was read");
}

/* An outcome that reverses it takes it back, unless that one was taken back itself. */
static bool
is_reversed(const XsContacts *contacts, const XsOutcomeSeen *seen, bool also_reversed)
{
	for (int i = 0; i < contacts->noutcomes; i++)
	{
		const XsOutcomeSeen *other = &contacts->outcomes[i];

		if (other->contact == seen->contact && other->reverses != NULL &&
			strcmp(other->reverses, seen->outcome) == 0 &&
			(also_reversed || !is_reversed(contacts, other, true)))
			return true;
	}
	return false;
}

void
xs_contact_outcomes(XsContacts *contacts, XsAccess access)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		ids;

	contacts->noutcomes = 0;
	if (contacts->n == 0)
		return;
	SPI_connect();
	ids = xs_array_of(INT8OID, sizeof(int64), contacts->n, contacts->decision_id);
	contacts->noutcomes = (int) xs_execute(&select_outcomes, &ids, NULL, access, 0);
	contacts->outcomes = MemoryContextAlloc(caller, sizeof(XsOutcomeSeen) * Max(contacts->noutcomes, 1));
	for (int i = 0; i < contacts->noutcomes; i++)
	{
		XsOutcomeSeen *seen = &contacts->outcomes[i];

		seen->contact = index_of(contacts, DatumGetInt64(column(i, 1)));
		seen->outcome = text_column(caller, i, 2);
		seen->delivery = text_column(caller, i, 3);
		seen->reverses = text_column(caller, i, 4);
		seen->occurred_at = DatumGetTimestampTz(column(i, 5));
		seen->outcome_id = DatumGetInt64(column(i, 6));
	}
	for (int i = 0; i < contacts->noutcomes; i++)
		contacts->outcomes[i].counts = !is_reversed(contacts, &contacts->outcomes[i], false);
	SPI_finish();
}

static char *
text_of(HeapTuple row, TupleDesc desc, AttrNumber number)
{
	bool		isnull;

	return TextDatumGetCString(heap_getattr(row, number, desc, &isnull));
}

/* False: the table is not one that can be read so. */
static bool
scan_consents(Datum customer_key, XsAccess access, XsConsent **consents, int *n)
{
	Oid			relid = xs_journal_relation("consent");
	AttrNumber	key = get_attnum(relid, "customer_key");
	AttrNumber	channel = get_attnum(relid, "channel");
	AttrNumber	purpose = get_attnum(relid, "purpose");
	AttrNumber	granted = get_attnum(relid, "granted");
	Relation	table = table_open(relid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(access == XS_READ ? GetActiveSnapshot() : GetLatestSnapshot());
	SysScanDesc scan = xs_scan_by_key(table, key, snapshot, customer_key);
	HeapTuple	row;
	bool		isnull;

	*n = 0;
	*consents = NULL;
	while (scan != NULL && (row = systable_getnext(scan)) != NULL)
	{
		XsConsent  *consent;

		*consents = *n == 0 ? palloc(sizeof(XsConsent)) : repalloc(*consents, sizeof(XsConsent) * (*n + 1));
		consent = &(*consents)[(*n)++];
		consent->channel = text_of(row, RelationGetDescr(table), channel);
		consent->purpose = text_of(row, RelationGetDescr(table), purpose);
		consent->granted = DatumGetBool(heap_getattr(row, granted, RelationGetDescr(table), &isnull));
	}
	if (scan != NULL)
		systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	return scan != NULL;
}

int
xs_consents(Datum customer_key, XsAccess access, XsConsent **consents)
{
	MemoryContext caller = CurrentMemoryContext;
	int			n;

	if (scan_consents(customer_key, access, consents, &n))
		return n;
	SPI_connect();
	n = (int) xs_execute(&select_consents, &customer_key, NULL, access, 0);
	*consents = MemoryContextAlloc(caller, sizeof(XsConsent) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		(*consents)[i].channel = text_column(caller, i, 1);
		(*consents)[i].purpose = text_column(caller, i, 2);
		(*consents)[i].granted = DatumGetBool(column(i, 3));
	}
	SPI_finish();
	return n;
}

void
xs_withdraw_consent(Datum customer_key, const char *channel, const char *purpose, int64 decision_id)
{
	Datum		values[5];

	values[0] = customer_key;
	values[1] = CStringGetTextDatum(channel);
	values[2] = CStringGetTextDatum(purpose);
	values[3] = TimestampTzGetDatum(xs_now());
	values[4] = Int64GetDatum(decision_id);
	xs_execute(&upsert_consent, values, NULL, XS_WRITE, 0);
}
