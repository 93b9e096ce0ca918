/*
 * integrity.c: what the policy tables say about each other holds.
 *
 * These would be foreign keys, but for pg_restore -j: it loads the tables of an
 * extension in any order, and the constraints of an extension are there before
 * its data.  Publishing runs after every statement that changes a policy, one at
 * a time and on the newest rows, so it can keep what foreign keys would keep.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "publish.h"

/* Rows that name what is gone go with it, as ON DELETE CASCADE would have it. */
static const char *const cascade[] = {
	"DELETE FROM xsell.channel x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.offer x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.feature x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.outcome_kind x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)",
	"DELETE FROM xsell.feed x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
	" OR x.channel IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.channel c WHERE (c.agent, c.channel) = (x.agent, x.channel))",
	"DELETE FROM xsell.quiet x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
	" OR x.channel IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.channel c WHERE (c.agent, c.channel) = (x.agent, x.channel))",
	"DELETE FROM xsell.cooldown x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
	" OR x.product IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.offer o WHERE (o.agent, o.product) = (x.agent, x.product))",
	"DELETE FROM xsell.override x WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
	" OR NOT EXISTS (SELECT FROM xsell.offer o WHERE (o.agent, o.product) = (x.agent, x.product))"
	" OR x.channel IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.channel c WHERE (c.agent, c.channel) = (x.agent, x.channel))",
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
"  UNION ALL SELECT 'quiet', quiet, agent FROM xsell.quiet"
"  UNION ALL SELECT 'cooldown', cooldown, agent FROM xsell.cooldown"
"  UNION ALL SELECT 'override', override, agent FROM xsell.override"
"  UNION ALL SELECT 'feed', feed, agent FROM xsell.feed"
"  UNION ALL SELECT 'outcome_kind', outcome, agent FROM xsell.outcome_kind) x"
"  WHERE NOT EXISTS (SELECT FROM xsell.agent a WHERE a.agent = x.agent)"
" UNION ALL SELECT 'offer', product, 'product', product FROM xsell.offer o"
"  WHERE NOT EXISTS (SELECT FROM xsell.product p WHERE p.product = o.product)"
" UNION ALL SELECT what, name, 'offer', product FROM ("
"  SELECT 'rule' AS what, rule AS name, agent, product FROM xsell.rule"
"  UNION ALL SELECT 'cap', cap, agent, product FROM xsell.cap"
"  UNION ALL SELECT 'cooldown', cooldown, agent, product FROM xsell.cooldown"
"  UNION ALL SELECT 'override', override, agent, product FROM xsell.override) x"
"  WHERE product IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.offer o WHERE (o.agent, o.product) = (x.agent, x.product))"
" UNION ALL SELECT what, name, 'channel', channel FROM ("
"  SELECT 'rule' AS what, rule AS name, agent, channel FROM xsell.rule"
"  UNION ALL SELECT 'cap', cap, agent, channel FROM xsell.cap"
"  UNION ALL SELECT 'quiet', quiet, agent, channel FROM xsell.quiet"
"  UNION ALL SELECT 'feed', feed, agent, channel FROM xsell.feed"
"  UNION ALL SELECT 'override', override, agent, channel FROM xsell.override) x"
"  WHERE channel IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.channel c WHERE (c.agent, c.channel) = (x.agent, x.channel))"
" UNION ALL SELECT 'agent', a.agent, 'product attribute', k FROM xsell.agent a, unnest(a.similarity) k"
"  WHERE EXISTS (SELECT FROM xsell.offer o WHERE o.agent = a.agent)"
"  AND NOT EXISTS (SELECT FROM xsell.offer o JOIN xsell.product p USING (product) WHERE o.agent = a.agent AND (p.attributes ? k OR k = 'credit'))"
" UNION ALL SELECT 'cooldown', cooldown, 'outcome_kind', outcome FROM xsell.cooldown x"
"  WHERE outcome NOT IN ('conversion', 'decline')"
"  AND NOT EXISTS (SELECT FROM xsell.outcome_kind k WHERE (k.agent, k.outcome) = (x.agent, x.outcome))"
" UNION ALL SELECT 'outcome_kind', outcome, 'outcome_kind', reverses FROM xsell.outcome_kind x"
"  WHERE reverses NOT IN ('conversion', 'decline')"
"  AND NOT EXISTS (SELECT FROM xsell.outcome_kind k WHERE (k.agent, k.outcome) = (x.agent, x.reverses))"
" ) all_orphans ORDER BY 1, 2 LIMIT 1";

/* Rules and caps that are meant for some products, and bind none of those there are. */
static const char *const empty_bindings =
"SELECT what, name, attributes::text FROM ("
" SELECT 'rule' AS what, rule AS name, agent, attributes FROM xsell.rule"
" UNION ALL SELECT 'cap', cap, agent, attributes FROM xsell.cap) x"
" WHERE agent = $1 AND attributes IS NOT NULL AND EXISTS (SELECT FROM xsell.offer o WHERE o.agent = x.agent)"
" AND NOT EXISTS (SELECT FROM xsell.offer o JOIN xsell.product p USING (product)"
"  WHERE o.agent = x.agent AND p.attributes || jsonb_build_object('credit', p.credit) @> x.attributes)"
" ORDER BY 1, 2 LIMIT 1";

static const char *const mixed_indicators =
"SELECT indicator FROM xsell.market WHERE jsonb_typeof(value) <> 'null'"
" GROUP BY indicator HAVING count(DISTINCT jsonb_typeof(value)) > 1 ORDER BY 1 LIMIT 1";

/*
 * Of what reverses a reversal nothing may take back: else what counts would depend on
 * more than two further outcomes.  A circle is such a chain too.
 */
static const char *const long_chains =
"SELECT k.agent, k.outcome, k.reverses, l.reverses, m.reverses FROM xsell.outcome_kind k"
" JOIN xsell.outcome_kind l ON (l.agent, l.outcome) = (k.agent, k.reverses)"
" JOIN xsell.outcome_kind m ON (m.agent, m.outcome) = (l.agent, l.reverses)"
" WHERE m.reverses IS NOT NULL ORDER BY 1, 2 LIMIT 1";

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

/* A slip of the pen would leave a rule without effect; later changes of products may do so on purpose. */
void
xs_policy_check_bindings(Datum agent)
{
	Oid			type = TEXTOID;

	xs_execute_as_policy_owner(empty_bindings, 1, &type, &agent, NULL);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s \"%s\" binds no product", field(1), field(2)),
				 errdetail("No product that the agent offers has the attributes %s.", field(3)),
				 errhint("Attributes of products are in xsell.product.")));
}

static void
check_indicators(void)
{
	xs_execute_as_policy_owner(mixed_indicators, 0, NULL, NULL, NULL);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("market indicator \"%s\" has values of different types", field(1)),
				 errhint("Make all its values numbers, or strings, or booleans.")));
}

static void
check_reversals(void)
{
	xs_execute_as_policy_owner(long_chains, 0, NULL, NULL, NULL);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("outcome kinds of agent \"%s\" reverse each other in too long a chain", field(1)),
				 errdetail("\"%s\" reverses \"%s\", which reverses \"%s\", which reverses \"%s\".",
						   field(2), field(3), field(4), field(5)),
				 errhint("An outcome can have a reversal, and that one a reversal, which is final.")));
}

void
xs_policy_check_integrity(const char *table)
{
	xs_execute_as_policy_owner(orphans, 0, NULL, NULL, NULL);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("%s \"%s\" names %s \"%s\", which does not exist", field(1), field(2), field(3), field(4)),
				 errhint("What is named must exist before, and as long as, it is named.")));
	if (strcmp(table, "market") == 0)
		check_indicators();
	if (strcmp(table, "outcome_kind") == 0)
		check_reversals();
}
