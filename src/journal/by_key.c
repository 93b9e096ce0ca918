/*
 * by_key.c: rows of a journal table by customer key, without a statement.
 *
 * A look at one customer's few rows through the primary key takes a fifth of the
 * time of a prepared SELECT, and every decision needs some.  Like foreign keys'
 * checks it reads as the table's owner would.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_class.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "../compat.h"
#include "journal.h"

/* The primary key of a plain table, if its first column is that one; or NULL. */
static Relation
open_key_index(Relation table, AttrNumber key_column)
{
	Relation	index;

	list_free(RelationGetIndexList(table)); /* sets rd_pkindex */
	if (table->rd_rel->relkind != RELKIND_RELATION || !OidIsValid(table->rd_pkindex))
		return NULL;
	index = index_open(table->rd_pkindex, AccessShareLock);
	if (index->rd_index->indkey.values[0] == key_column)
		return index;
	index_close(index, AccessShareLock);
	return NULL;
}

SysScanDesc
xs_scan_by_key(Relation table, AttrNumber key_column, Snapshot snapshot, Datum customer_key)
{
	Relation	index = open_key_index(table, key_column);
	Oid			type;
	Oid			equals;
	Oid			index_id;
	ScanKeyData key;

	if (index == NULL)
		return NULL;
	type = index->rd_opcintype[0];
	equals = get_opfamily_member(index->rd_opfamily[0], type, type, BTEqualStrategyNumber);
	index_id = RelationGetRelid(index);
	ScanKeyEntryInitialize(&key, 0, key_column, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[0], get_opcode(equals), customer_key);
	index_close(index, AccessShareLock);
	return systable_beginscan(table, index_id, true, snapshot, 1, &key);
}
