/*
 * integrity.c: what the policy tables say about each other holds.
 *
 * These would be foreign keys, but for pg_restore -j: it loads the tables of an
 * extension in any order, and the constraints of an extension are there before
 * its data.  Publishing runs after every statement that changes a policy, one at
 * a time and on the newest rows, so it can keep what foreign keys would keep.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "publish.h"

/* Rows that name what is gone go with it, as ON DELETE CASCADE would have it. */
static const char *const cascade[] = {
	"DELETE FROM xsell.channel x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.offer x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.feature x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.outcome_kind x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.rule x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
	" OR x.product IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.offer o WHERE (o.agent, o.product) = (x.agent, x.product))"
	" OR x.channel IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.channel c WHERE (c.agent, c.channel) = (x.agent, x.channel))",
	"DELETE FROM xsell.cap x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
	" OR x.product IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.offer o WHERE (o.agent, o.product) = (x.agent, x.product))"
	" OR x.channel IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.channel c WHERE (c.agent, c.channel) = (x.agent, x.channel))"
};

/* What a row is, its name, and what it names that does not exist. */
static const char *const orphans =
"SELECT what, name, missing, missing_name FROM ("
" SELECT what, name, 'agent' AS missing, agent AS missing_name FROM ("
"  SELECT 'channel' AS what, channel AS name, agent FROM xsell.channel"
"  UNION ALL SELECT 'offer', product, agent FROM xsell.offer"
"  UNION ALL SELECT 'feature', feature, agent FROM xsell.feature"
"  UNION ALL SELECT 'rule', rule, agent FROM xsell.rule"
"  UNION ALL SELECT 'cap', cap, agent FROM xsell.cap"
"  UNION ALL SELECT 'outcome_kind', outcome, agent FROM xsell.outcome_kind) x"
"  WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
" UNION ALL SELECT 'offer', product, 'product', product FROM xsell.offer o"
"  WHERE NOT EXISTS (SELECT FROM xsell.product p WHERE p.product = o.product)"
" UNION ALL SELECT what, name, 'offer', product FROM ("
"  SELECT 'rule' AS what, rule AS name, agent, product FROM xsell.rule"
"  UNION ALL SELECT 'cap', cap, agent, product FROM xsell.cap) x"
"  WHERE product IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.offer o WHERE (o.agent, o.product) = (x.agent, x.product))"
" UNION ALL SELECT what, name, 'channel', channel FROM ("
"  SELECT 'rule' AS what, rule AS name, agent, channel FROM xsell.rule"
"  UNION ALL SELECT 'cap', cap, agent, channel FROM xsell.cap) x"
"  WHERE channel IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.channel c WHERE (c.agent, c.channel) = (x.agent, x.channel))"
" ) all_orphans ORDER BY 1, 2 LIMIT 1";

static char *
field(int number)
{
	bool		isnull;

	return TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &isnull));
}

void
xs_policy_cascade(void)
{
	for (int i = 0; i < (int) lengthof(cascade); i++)
		xs_execute_as_policy_owner(cascade[i], 0, NULL, NULL, NULL);
}

void
xs_policy_check_integrity(void)
{
	xs_execute_as_policy_owner(orphans, 0, NULL, NULL, NULL);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("%s \"%s\" names %s \"%s\", which does not exist", field(1), field(2), field(3), field(4)),
				 errhint("Rows of table xsell.%s must exist before, and as long as, others name them.", field(3))));
}
