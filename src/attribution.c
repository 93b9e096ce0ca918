/*
 * attribution.c: the offer that an outcome of a customer and a product belongs to.
 *
 * A feed that knows no decision ids names the customer and the product.  The
 * outcome belongs to the last contact about that product, made before it, whose
 * observation window had not ended when it occurred, and which was not reported
 * undelivered.  The window is that of the policy which decided.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "journal/journal.h"
#include "reward.h"

/* Whether outcome o counts: see is_reversed in journal/responses.c. */
#define COUNTS \
	"NOT EXISTS (SELECT FROM xsell.outcome r" \
	" WHERE r.decision_id OPERATOR(pg_catalog.=) o.decision_id AND r.reverses OPERATOR(pg_catalog.=) o.outcome" \
	" AND NOT EXISTS (SELECT FROM xsell.outcome rr" \
	"   WHERE rr.decision_id OPERATOR(pg_catalog.=) r.decision_id AND rr.reverses OPERATOR(pg_catalog.=) r.outcome))"

/* $1 customer, $2 product, $3 agent or NULL, $4 last id. All that counts of an undelivered offer's outcomes is that report. */
static XsStatement find_contacts = {
	.relation = "contact",
	.sql = "SELECT d.decision_id, d.agent, d.policy_version, d.channel"
	"  FROM xsell.contact k"
	"  CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.decision_id), pg_catalog.unnest(k.agent), pg_catalog.unnest(k.product))"
	"    c (decision_id, agent, product)"
	"  JOIN xsell.decision d ON d.decision_id OPERATOR(pg_catalog.=) c.decision_id"
	" WHERE k.customer_key {=} $1 AND c.product OPERATOR(pg_catalog.=) $2"
	"   AND ($3 IS NULL OR c.agent OPERATOR(pg_catalog.=) $3) AND c.decision_id OPERATOR(pg_catalog.<=) $4"
	"   AND NOT COALESCE((SELECT pg_catalog.bool_and(COALESCE(o.delivery OPERATOR(pg_catalog.=) 'undelivered', false))"
	"     FROM xsell.outcome o WHERE o.decision_id OPERATOR(pg_catalog.=) d.decision_id AND " COUNTS "), false)"
	" ORDER BY d.decision_id DESC",
	.nargs = 4,
	.argtypes = {XS_KEY_TYPE, TEXTOID, TEXTOID, INT8OID}
};

/* $1 agent, $2 policy version, $3 product, $4 channel */
static XsStatement find_window = {
	.relation = "policy",
	.sql = "SELECT COALESCE("
	" (SELECT o.value OPERATOR(pg_catalog.->>) 'observation_window'"
	"    FROM pg_catalog.jsonb_array_elements(p.definition OPERATOR(pg_catalog.->) 'offers') o"
	"   WHERE o.value OPERATOR(pg_catalog.->>) 'product' OPERATOR(pg_catalog.=) $3),"
	" (SELECT c.value OPERATOR(pg_catalog.->>) 'observation_window'"
	"    FROM pg_catalog.jsonb_array_elements(p.definition OPERATOR(pg_catalog.->) 'channels') c"
	"   WHERE c.value OPERATOR(pg_catalog.->>) 'channel' OPERATOR(pg_catalog.=) $4))::pg_catalog.interval"
	"  FROM xsell.policy p"
	" WHERE p.agent OPERATOR(pg_catalog.=) $1 AND p.policy_version OPERATOR(pg_catalog.=) $2",
	.nargs = 4,
	.argtypes = {TEXTOID, INT4OID, TEXTOID, TEXTOID}
};

static Datum
column(const SPITupleTable *table, uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(table->vals[row], table->tupdesc, number, isnull);
}

static bool
is_within_window(const SPITupleTable *contacts, uint64 row, Datum product, TimestampTz occurred_at)
{
	Datum		values[4];
	bool		isnull;
	Datum		window;
	TimestampTz decided_at = xs_id_time(DatumGetInt64(column(contacts, row, 1, &isnull)));

	values[0] = column(contacts, row, 2, &isnull);
	values[1] = column(contacts, row, 3, &isnull);
	values[2] = product;
	values[3] = column(contacts, row, 4, &isnull);
	if (xs_execute(&find_window, values, NULL, XS_READ_NEWEST, 1) == 0)
		return false;
	window = column(SPI_tuptable, 0, 1, &isnull);
	return !isnull &&
		occurred_at < DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
															  TimestampTzGetDatum(decided_at), window));
}

bool
xs_attribute(const XsReport *report, int64 *decision_id, XsRefusal *refusal)
{
	Datum		product = CStringGetTextDatum(report->product);
	Datum		values[4];
	char		nulls[] = "    ";
	uint64		n;
	SPITupleTable *contacts;
	bool		isnull;

	values[0] = report->customer_key;
	values[1] = product;
	values[2] = report->agent == NULL ? (Datum) 0 : CStringGetTextDatum(report->agent);
	if (report->agent == NULL)
		nulls[2] = 'n';
	values[3] = Int64GetDatum(xs_id_floor(report->occurred_at + 1000) - 1); /* of the outcome's millisecond, the last */
	n = xs_execute(&find_contacts, values, nulls, XS_READ_NEWEST, 0);
	contacts = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
		if (is_within_window(contacts, i, product, report->occurred_at))
		{
			*decision_id = DatumGetInt64(column(contacts, i, 1, &isnull));
			return true;
		}
	*refusal = (XsRefusal)
	{
		.code = ERRCODE_UNDEFINED_OBJECT,
			.message = psprintf("the customer has no contact about product \"%s\" in its window", report->product),
			.detail = n == 0 ? "No offer of it was made to the customer before the outcome, as far as contacts are kept."
			: psprintf("Offers of it were made before the outcome, but the windows of all had ended at %s.",
					   timestamptz_to_str(report->occurred_at)),
			.hint = "Contacts are in xsell.contact, windows in xsell.channel and xsell.offer."
	};
	return false;
}
