/*
 * dangling.c: outcomes that belong to no decision, kept until somebody looks.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "journal/journal.h"
#include "reward.h"
#include "settings.h"

static XsStatement insert_dangling = {
	.relation = "dangling",
	.sql = "INSERT INTO xsell.dangling (dangling_id, decision_id, customer_key, agent, product, outcome,"
	" value, occurred_at, event_id, reason, noted_at, noted_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
	.nargs = 12,
	.argtypes = {INT8OID, INT8OID, XS_KEY_TYPE, TEXTOID, TEXTOID, TEXTOID, FLOAT8OID, TIMESTAMPTZOID, TEXTOID,
	TEXTOID, TIMESTAMPTZOID, TEXTOID}
};

static void
put_text(Datum *values, char *nulls, int column, const char *text)
{
	if (text == NULL)
		nulls[column] = 'n';
	else
		values[column] = CStringGetTextDatum(text);
}

void
xs_note_dangling(const XsReport *report, const char *reason)
{
	Datum		values[12];
	char		nulls[] = "            ";

	values[0] = Int64GetDatum(xs_new_id());
	values[1] = Int64GetDatum(report->decision_id);
	if (!report->has_decision)
		nulls[1] = 'n';
	values[2] = report->customer_key;
	if (!report->has_customer)
		nulls[2] = 'n';
	put_text(values, nulls, 3, report->agent);
	put_text(values, nulls, 4, report->product);
	put_text(values, nulls, 5, report->outcome);
	values[6] = Float8GetDatum(report->value);
	if (!report->has_value)
		nulls[6] = 'n';
	values[7] = TimestampTzGetDatum(report->occurred_at);
	put_text(values, nulls, 8, report->event_id);
	put_text(values, nulls, 9, reason);
	values[10] = TimestampTzGetDatum(xs_now());
	put_text(values, nulls, 11, report->reported_by);
	(void) xs_execute(&insert_dangling, values, nulls, XS_WRITE, 0);
}
