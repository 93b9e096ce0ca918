/*
 * contact.c: the contact ledger, one row per customer, which caps are read from.
 *
 * Deciding for a customer takes the lock on the row, and keeps it until the
 * transaction ends.  Two things are promised: nobody ever waits here for
 * another transaction, and whoever has the lock sees every offer made before.
 *
 * An existing row.  A dirty snapshot shows the newest version of the row, and
 * whether a transaction in progress has made, changed or deleted it: then the
 * customer is BUSY.  Otherwise the version is locked, skipping instead of
 * waiting if another holds the lock (BUSY again).  If it was changed by
 * a transaction that committed in between, we look again.  This is the job of
 * SELECT ... FOR NO KEY UPDATE SKIP LOCKED, except under REPEATABLE READ: there
 * that statement fails with "could not serialize access" if the row changes
 * between its snapshot and its lock, however fresh the snapshot.  What is locked
 * here is always the newest version, so that the later UPDATE, which runs under
 * a fresh snapshot, finds it and cannot fail either.
 *
 * No row yet.  There is nothing to lock, and a plain INSERT would wait for
 * another's uncommitted row with the same key.  Therefore a window is entered,
 * a lock on (a hash of) the key, conditionally: if somebody is in it, BUSY.
 * Inside, we look again, dirtily: another's row, committed or not, is treated as
 * above.  None: nobody else can insert one now, so our INSERT does not wait;
 * after it, everybody else's dirty look finds it.  The window is left as soon as
 * the decision is written, with or without a row: it lasts some microseconds,
 * and the shared lock table holds one entry per backend, not one per customer of
 * a batch.
 *
 * Whatever inserts contact rows by other ways (a restore, replication) is
 * outside of this protocol: an INSERT here may then wait for it, as any would.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "../compat.h"
#include "array.h"
#include "journal.h"

/* columns of xsell.contact */
enum
{
	KEY = 1,
	DECISION_ID,
	AGENT,
	PRODUCT,
	CHANNEL,
	COLUMNS = CHANNEL
};

static const char *const column_names[] = {
	"customer_key", "decision_id", "agent", "product", "channel"
};

/* tells the window's lock from the users' advisory locks, which have 1 and 2 here */
#define WINDOW_CLASS	0x7853
#define MAX_ATTEMPTS	16

typedef enum RowState
{
	ROW_OURS,
	ROW_BUSY,
	ROW_MISSING,
	ROW_CHANGED					/* look again */
} RowState;

static XsStatement insert_row = {
	.relation = "contact",
	.sql = "INSERT INTO xsell.contact (customer_key, decision_id, agent, product, channel)"
	" VALUES ($1, $2, $3, $4, $5)",
	.nargs = 5,
	.argtypes = {XS_KEY_TYPE, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

static XsStatement update_row = {
	.relation = "contact",
	.sql = "UPDATE xsell.contact SET decision_id = $2, agent = $3, product = $4, channel = $5"
	" WHERE customer_key {=} $1",
	.nargs = 5,
	.argtypes = {XS_KEY_TYPE, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

/* The table is its owner's, who may have changed it. */
static void
check_columns(Relation contact)
{
	TupleDesc	desc = RelationGetDescr(contact);
	bool		good = desc->natts >= COLUMNS && contact->rd_rel->relkind == RELKIND_RELATION;

	for (int i = 0; good && i < COLUMNS; i++)
		good = strcmp(NameStr(TupleDescAttr(desc, i)->attname), column_names[i]) == 0;
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("xsell.contact is not the table that xsell_create_journal made"),
				 errdetail("It must be a plain table that begins with the columns customer_key, decision_id, agent, product, channel.")));
}

static Relation
open_contact(LOCKMODE lock)
{
	Relation	contact = table_open(xs_journal_relation("contact"), lock);

	check_columns(contact);
	return contact;
}

/* A scan of the rows with this key that the snapshot shows. */
static SysScanDesc
begin_scan(Relation contact, Snapshot snapshot, Datum customer_key)
{
	SysScanDesc scan = xs_scan_by_key(contact, KEY, snapshot, customer_key);

	if (scan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("xsell.contact has no primary key"),
				 errhint("ALTER TABLE xsell.contact ADD PRIMARY KEY (customer_key).")));
	return scan;
}

static Datum
column(HeapTuple row, TupleDesc desc, int number)
{
	bool		isnull;
	Datum		value = heap_getattr(row, number, desc, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("NULL in column \"%s\" of xsell.contact", column_names[number - 1])));
	return value;
}

static void
read_row(HeapTuple row, TupleDesc desc, XsContacts *contacts)
{
	int			n[4];

	contacts->decision_id = xs_array_elements(column(row, desc, DECISION_ID),
											  INT8OID, sizeof(int64), &n[0]);
	contacts->agent = xs_array_texts(column(row, desc, AGENT), &n[1]);
	contacts->product = xs_array_texts(column(row, desc, PRODUCT), &n[2]);
	contacts->channel = xs_array_texts(column(row, desc, CHANNEL), &n[3]);
	contacts->n = n[0];
	if (n[0] != n[1] || n[0] != n[2] || n[0] != n[3])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("arrays of different lengths in a row of xsell.contact")));
}

void
xs_contact_read(Datum customer_key, XsContacts *contacts)
{
	Relation	contact = open_contact(AccessShareLock);
	SysScanDesc scan = begin_scan(contact, GetActiveSnapshot(), customer_key);
	HeapTuple	row = systable_getnext(scan);

	memset(contacts, 0, sizeof(XsContacts));
	if (HeapTupleIsValid(row))
		read_row(row, RelationGetDescr(contact), contacts);
	systable_endscan(scan);
	table_close(contact, AccessShareLock);
}

/* Finds the newest version of the row, and whether it is anybody's now. */
static RowState
find_newest(Relation contact, Datum customer_key, ItemPointer place)
{
	SnapshotData dirty;
	SysScanDesc scan;
	HeapTuple	row;
	RowState	state = ROW_MISSING;

	InitDirtySnapshot(dirty);
	scan = begin_scan(contact, &dirty, customer_key);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
	{
		/* transactions in progress, not our own, that made or changed it */
		if (TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax))
			state = ROW_BUSY;
		else
			state = ROW_OURS;	/* if the lock can be had */
		*place = row->t_self;
	}
	systable_endscan(scan);
	return state;
}

/* Locks the version found and reads it. */
static RowState
lock_version(Relation contact, ItemPointer place, XsContacts *contacts)
{
	TupleTableSlot *slot = table_slot_create(contact, NULL);
	TM_FailureData failure;
	RowState	state;

	switch (table_tuple_lock(contact, place, GetLatestSnapshot(), slot,
							 GetCurrentCommandId(false), LockTupleNoKeyExclusive,
							 LockWaitSkip, 0, &failure))
	{
		case TM_Ok:
			{
				bool		copied;
				HeapTuple	row = ExecFetchSlotHeapTuple(slot, false, &copied);

				read_row(row, RelationGetDescr(contact), contacts);
				if (copied)
					heap_freetuple(row);
				state = ROW_OURS;
				break;
			}
		case TM_WouldBlock:
			state = ROW_BUSY;
			break;
		case TM_Updated:
		case TM_Deleted:
			state = ROW_CHANGED;
			break;
		default:
			/* a row that this very command has written is no trigger's to lock */
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the command that is being executed has itself changed the customer's row of xsell.contact")));
	}
	ExecDropSingleTupleTableSlot(slot);
	return state;
}

static RowState
lock_newest(Relation contact, Datum customer_key, XsContacts *contacts)
{
	ItemPointerData place;
	RowState	state = find_newest(contact, customer_key, &place);

	return state == ROW_OURS ? lock_version(contact, &place, contacts) : state;
}

/*
 * The window's lock.
 */
static void
window_tag(LOCKTAG *tag, Relation contact, Datum customer_key)
{
	uint64		hash = xs_key_hash(customer_key, RelationGetRelid(contact));

	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, WINDOW_CLASS);
}

/* Enters the window; false: somebody is in it, or this very session, further up the stack. */
static bool
enter_window(Relation contact, Datum customer_key)
{
	LOCKTAG		window;

	window_tag(&window, contact, customer_key);
	switch (LockAcquire(&window, ExclusiveLock, false, true))
	{
		case LOCKACQUIRE_OK:
			return true;
		case LOCKACQUIRE_NOT_AVAIL:
			return false;
		default:
			LockRelease(&window, ExclusiveLock, false);
			return false;
	}
}

static void
leave_window(Relation contact, Datum customer_key)
{
	LOCKTAG		window;

	window_tag(&window, contact, customer_key);
	LockRelease(&window, ExclusiveLock, false);
}

XsContactState
xs_contact_lock(Datum customer_key, XsContacts *contacts)
{
	Relation	contact;
	bool		in_window = false;
	RowState	state = ROW_CHANGED;

	PreventCommandIfReadOnly("xsell_decide()");
	memset(contacts, 0, sizeof(XsContacts));
	contact = open_contact(RowExclusiveLock);

	for (int i = 0; i < MAX_ATTEMPTS && state != ROW_OURS && state != ROW_BUSY; i++)
	{
		state = lock_newest(contact, customer_key, contacts);
		if (state != ROW_MISSING)
			continue;
		if (in_window)
		{
			contacts->is_new = true;
			state = ROW_OURS;
			break;
		}
		in_window = enter_window(contact, customer_key);
		if (!in_window)
			state = ROW_BUSY;
	}

	if (in_window && !contacts->is_new)
		leave_window(contact, customer_key);
	table_close(contact, NoLock);
	return state == ROW_OURS ? XS_CONTACT_FREE : XS_CONTACT_BUSY;
}

void
xs_contact_unlock(Datum customer_key, XsContacts *contacts)
{
	Relation	contact;

	if (!contacts->is_new)
		return;
	contact = open_contact(NoLock);
	leave_window(contact, customer_key);
	contacts->is_new = false;
	table_close(contact, NoLock);
}

/* Where the new contact goes, oldest first, among those that stay. */
static int
keep_recent(const XsDecision *decision, const XsContacts *contacts, TimestampTz keep_since,
			XsContacts *kept)
{
	int64		oldest = xs_id_floor(keep_since);
	int			place = 0;

	kept->n = 0;
	kept->decision_id = palloc(sizeof(int64) * (contacts->n + 1));
	kept->agent = palloc(sizeof(char *) * (contacts->n + 1));
	kept->product = palloc(sizeof(char *) * (contacts->n + 1));
	kept->channel = palloc(sizeof(char *) * (contacts->n + 1));

	for (int i = 0; i < contacts->n; i++)
	{
		int			to = kept->n;

		if (contacts->decision_id[i] < oldest && strcmp(contacts->agent[i], decision->agent) == 0)
			continue;
		kept->decision_id[to] = contacts->decision_id[i];
		kept->agent[to] = contacts->agent[i];
		kept->product[to] = contacts->product[i];
		kept->channel[to] = contacts->channel[i];
		kept->n++;
		if (contacts->decision_id[i] < decision->decision_id)
			place = kept->n;
	}
	return place;
}

static void
insert_contact(XsContacts *kept, int place, const XsDecision *decision)
{
	int			after = kept->n - place;

#define INSERT_AT(array, value) \
	(memmove(&(array)[place + 1], &(array)[place], sizeof((array)[0]) * after), \
	 (array)[place] = (value))
	INSERT_AT(kept->decision_id, decision->decision_id);
	INSERT_AT(kept->agent, unconstify(char *, decision->agent));
	INSERT_AT(kept->product, unconstify(char *, decision->product));
	INSERT_AT(kept->channel, unconstify(char *, decision->channel));
#undef INSERT_AT
	kept->n++;
}

/* One row of the ledger: inserted, if the customer has none, or replaced. */
static void
write_row(Datum customer_key, const XsContacts *kept, bool is_new)
{
	Datum		values[5];

	values[0] = customer_key;
	values[1] = xs_array_of(INT8OID, sizeof(int64), kept->n, kept->decision_id);
	values[2] = xs_array_of_texts(kept->n, kept->agent);
	values[3] = xs_array_of_texts(kept->n, kept->product);
	values[4] = xs_array_of_texts(kept->n, kept->channel);

	SPI_connect();
	if (xs_execute(is_new ? &insert_row : &update_row, values, NULL, XS_WRITE, 0) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the customer's row of xsell.contact is gone"),
				 errdetail("A trigger or rule of the table may have removed it, or its owner.")));
	SPI_finish();
}

void
xs_contact_add(const XsDecision *decision, const XsContacts *contacts, TimestampTz keep_since)
{
	XsContacts	kept;

	insert_contact(&kept, keep_recent(decision, contacts, keep_since, &kept), decision);
	write_row(decision->customer_key, &kept, contacts->is_new);
}

void
xs_contact_keep(Datum customer_key, const XsContacts *contacts)
{
	if (contacts->is_new)
		write_row(customer_key, contacts, true);
}
