/*
 * publish.c: from policy tables to a new version of a policy.
 *
 * The statement triggers of all policy tables call xsell.publish().  It puts
 * each agent's definition together, and where that differs from the newest
 * version in xsell.policy, compiles it against the agent's customer table and
 * stores it.  So every version in the history is one that compiled, and the
 * error of what does not compile names the expression and leaves the statement
 * undone.
 *
 * Publishers are serialised by a lock on xsell.policy that does not hinder
 * readers, and read the newest rows, so that two sessions which change one
 * policy at a time both end up in it.
 *
 * While check_function_bodies is off, the owner of the tables publishes nothing:
 * that is how the scripts of pg_dump restore, table by table, and the history
 * comes with them.
 *
 * Pausing an agent compiles nothing, because an agent may have to be paused just
 * when its customer table or a function of the bank is broken.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "../compat.h"
#include "../journal/journal.h"
#include "../settings.h"
#include "expression.h"
#include "policy.h"
#include "program.h"
#include "publish.h"

PG_FUNCTION_INFO_V1(xsell_publish);

/*
 * The definitions of all agents, and the newest version in the history; agents
 * that are gone have no definition.  Rules come in the order of evaluation,
 * everything else in the order of its key.
 */
static const char *const definitions_sql =
"WITH bare AS ("
" SELECT a.agent, a.customer_table, jsonb_build_object("
"  'agent', to_jsonb(a),"
"  'offers', coalesce((SELECT jsonb_agg(to_jsonb(o) - 'agent'::text"
"     || jsonb_build_object('attributes', p.attributes || jsonb_build_object('credit', p.credit)) ORDER BY o.product COLLATE \"C\")"
"   FROM xsell.offer o JOIN xsell.product p USING (product) WHERE o.agent = a.agent), '[]'),"
"  'channels', coalesce((SELECT jsonb_agg(to_jsonb(c) - 'agent'::text ORDER BY c.channel COLLATE \"C\")"
"   FROM xsell.channel c WHERE c.agent = a.agent), '[]'),"
"  'features', coalesce((SELECT jsonb_agg(to_jsonb(f) - 'agent'::text ORDER BY f.feature COLLATE \"C\")"
"   FROM xsell.feature f WHERE f.agent = a.agent), '[]'),"
"  'rules', coalesce((SELECT jsonb_agg(to_jsonb(r) - 'agent'::text"
"     ORDER BY array_position('{eligibility,applicability,suitability}', r.kind), r.rule COLLATE \"C\")"
"   FROM xsell.rule r WHERE r.agent = a.agent), '[]'),"
"  'caps', coalesce((SELECT jsonb_agg(to_jsonb(k) - 'agent'::text ORDER BY k.cap COLLATE \"C\")"
"   FROM xsell.cap k WHERE k.agent = a.agent), '[]'),"
"  'quiets', coalesce((SELECT jsonb_agg(to_jsonb(q) - 'agent'::text ORDER BY q.quiet COLLATE \"C\")"
"   FROM xsell.quiet q WHERE q.agent = a.agent), '[]'),"
"  'cooldowns', coalesce((SELECT jsonb_agg(to_jsonb(c) - 'agent'::text ORDER BY c.cooldown COLLATE \"C\")"
"   FROM xsell.cooldown c WHERE c.agent = a.agent), '[]'),"
"  'overrides', coalesce((SELECT jsonb_agg(to_jsonb(o) - 'agent'::text ORDER BY o.override COLLATE \"C\")"
"   FROM xsell.override o WHERE o.agent = a.agent), '[]'),"
"  'kinds', coalesce((SELECT jsonb_agg(to_jsonb(k) - 'agent'::text ORDER BY k.outcome COLLATE \"C\")"
"   FROM xsell.outcome_kind k WHERE k.agent = a.agent), '[]'),"
"  'feeds', coalesce((SELECT jsonb_agg(to_jsonb(f) - 'agent'::text ORDER BY f.feed COLLATE \"C\")"
"   FROM xsell.feed f WHERE f.agent = a.agent), '[]'),"
"  'outcomes', jsonb '{\"conversion\": 1, \"decline\": 0}' || coalesce((SELECT jsonb_object_agg(k.outcome, k.reward)"
"   FROM xsell.outcome_kind k WHERE k.agent = a.agent), '{}'),"
"  'arms', coalesce((SELECT jsonb_agg(jsonb_build_array(o.product, c.channel)"
"     ORDER BY o.product COLLATE \"C\", c.channel COLLATE \"C\")"
"   FROM xsell.offer o JOIN xsell.channel c USING (agent) WHERE o.agent = a.agent), '[]')) AS definition"
" FROM xsell.agent a),"
" current AS (SELECT agent, customer_table, definition || CASE WHEN definition::text ~ '\\mmarket\\.' THEN"
"  jsonb_build_object('market', coalesce((SELECT jsonb_agg(to_jsonb(m) ORDER BY m.indicator COLLATE \"C\", m.since)"
"   FROM xsell.market m WHERE m.since >= coalesce((SELECT max(l.since) FROM xsell.market l"
"    WHERE l.indicator = m.indicator AND l.since <= coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz,"
"     clock_timestamp()) - interval '31 days'), '-infinity')), '[]')) ELSE '{}' END AS definition"
"  FROM bare),"
" newest AS (SELECT DISTINCT ON (agent) agent, policy_version, definition"
"  FROM xsell.policy ORDER BY agent, policy_version DESC)"
" SELECT coalesce(c.agent, n.agent), c.customer_table::oid, c.definition, coalesce(n.policy_version, 0),"
"  CASE WHEN c.definition #>> '{agent,status}' = 'paused'"
"   AND c.definition #- '{agent,status}' #- '{agent,customer_table}'"
"    = (n.definition - '{layout,types}'::text[]) #- '{agent,status}' #- '{agent,customer_table}'"
"  THEN n.definition->'types' END"
" FROM current c FULL JOIN newest n USING (agent)"
" WHERE c.definition IS DISTINCT FROM n.definition - '{layout,types}'::text[]"
" ORDER BY 1";

/*
 * Stores a version.  The layout of the feature vector is what an encoding number
 * stands for: it keeps its number as long as it stays the same.  Propensities are
 * told apart by their versions, where these are given, else by their expressions:
 * another score means something else in the same column.
 */
static const char *const insert_sql =
"WITH layout AS (SELECT jsonb_build_object('features', ($3->'features'), 'types', $4::jsonb,"
"  'link', CASE WHEN ($3->'agent'->>'oracle') = 'linear' THEN 'identity' ELSE 'logit' END,"
"  'propensity', jsonb_path_exists($3, '$.offers[*].propensity ? (@ != null)'),"
"  'scores', coalesce((SELECT jsonb_object_agg(o->>'product', coalesce(o->>'propensity_version', o->>'propensity'))"
"    FROM jsonb_array_elements($3->'offers') o WHERE o->>'propensity' IS NOT NULL), '{}')) AS layout)"
" INSERT INTO xsell.policy (agent, policy_version, definition)"
" SELECT $1, $2, $3 || jsonb_build_object('types', $4::jsonb, 'layout', layout || jsonb_build_object('encoding',"
"  coalesce((SELECT p.definition->'layout'->'encoding' FROM xsell.policy p"
"   WHERE p.agent = $1 AND (p.definition->'layout') - 'encoding'::text = layout"
"   ORDER BY p.policy_version DESC LIMIT 1), to_jsonb($2))))"
" FROM layout";

static Oid
policy_owner(void)
{
	Oid			relid = get_relname_relid("policy", get_namespace_oid("xsell", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "table xsell.policy does not exist");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
xs_execute_as_policy_owner(const char *sql, int nargs, Oid *argtypes, Datum *values, const char *nulls)
{
	SPIPlanPtr	plan;
	Oid			user;
	int			context;
	bool		snapshot = IsolationUsesXactSnapshot();

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(policy_owner(), context | SECURITY_LOCAL_USERID_CHANGE);
	plan = SPI_prepare(sql, nargs, argtypes);
	if (plan == NULL)
		elog(ERROR, "could not plan: %s", SPI_result_code_string(SPI_result));
	if (snapshot)
		SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(), InvalidSnapshot, false, true, 0);
	else
		SPI_execute_plan(plan, values, nulls, false, 0);
	SetUserIdAndSecContext(user, context);
}

/* {"FEATURE": "KIND", ...} of a compiled policy. */
static Datum
feature_types(const XsPolicy *policy)
{
	JsonbParseState *state = NULL;
	JsonbValue	v;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < policy->nfeatures; i++)
	{
		const char *kind = xs_feature_kind_name(policy->features[i].kind);

		v.type = jbvString;
		v.val.string.val = (char *) policy->features[i].feature;
		v.val.string.len = strlen(policy->features[i].feature);
		pushJsonbValue(&state, WJB_KEY, &v);
		v.val.string.val = (char *) kind;
		v.val.string.len = strlen(kind);
		pushJsonbValue(&state, WJB_VALUE, &v);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static void
refuse_arm(const XsPolicy *policy, const XsExpression *expression, const char *detail)
{
	if (expression != NULL && expression->uses & XS_USES_ARM)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("%s of agent \"%s\" reads product or channel", expression->what, policy->agent),
				 errdetail("%s", detail)));
}

static void
check_oracle(const XsPolicy *policy)
{
	if (policy->choice == XS_CHOICE_SEGMENT && policy->segment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("agent \"%s\" has oracle \"segment\", but no segment", policy->agent),
				 errdetail("It learns a rate for each segment of customers."),
				 errhint("Set xsell.agent.segment to an expression that yields the customer's segment.")));
}

/* Keys must fit the journal, if there is one yet. */
static Oid
journal_key_type(void)
{
	Oid			schema = get_namespace_oid("xsell", true);

	return OidIsValid(get_relname_relid("decision", schema)) ? xs_journal_key_type() : InvalidOid;
}

/* Compiles a definition against its customer table; returns the kinds of its features. */
static Datum
compile(const char *agent, int32 version, Oid customer_table, Jsonb *definition)
{
	XsPolicy   *policy = xs_policy_read(agent, version, definition);
	Relation	rel = try_relation_open(customer_table, AccessShareLock);
	XsProgram  *program;
	Datum		types;

	if (rel == NULL || rel->rd_rel->reltype == InvalidOid)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the customer table of agent \"%s\" does not exist", agent),
				 errhint("Set xsell.agent.customer_table to a table or view.")));
	if (XS_NARMS(policy) > XS_MAX_ARMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("agent \"%s\" has too many arms", agent),
				 errdetail("%d offers through %d channels make %d arms, and at most %d are possible.",
						   policy->noffers, policy->nchannels, XS_NARMS(policy), XS_MAX_ARMS)));

	refuse_arm(policy, policy->customer_key, "The key tells who the customer is, whatever is offered.");
	refuse_arm(policy, policy->routing, "It tells the channel that the customer prefers, whatever is offered.");
	refuse_arm(policy, policy->fallback, "It tells what to offer when nothing else can be.");
	refuse_arm(policy, policy->segment, "It tells who the customer is, whatever is offered.");
	check_oracle(policy);

	program = xs_program_compile(policy, RelationGetDescr(rel), journal_key_type(), policy->context);
	xs_layout(policy);
	types = feature_types(policy);

	relation_close(rel, AccessShareLock);
	(void) xs_program_retire(program);
	MemoryContextDelete(policy->context);
	return types;
}

static void
publish_one(HeapTuple row, TupleDesc desc)
{
	Oid			argtypes[4] = {TEXTOID, INT4OID, JSONBOID, JSONBOID};
	char		nulls[5] = "    ";
	Datum		values[4];
	bool		isnull;
	bool		deleted;
	bool		must_compile;
	Datum		definition = SPI_getbinval(row, desc, 3, &deleted);
	Oid			customer_table = DatumGetObjectId(SPI_getbinval(row, desc, 2, &isnull));

	values[0] = SPI_getbinval(row, desc, 1, &isnull);
	values[1] = Int32GetDatum(DatumGetInt32(SPI_getbinval(row, desc, 4, &isnull)) + 1);
	values[2] = definition;
	if (deleted)
	{
		nulls[2] = 'n';
		xs_execute_as_policy_owner("INSERT INTO xsell.policy (agent, policy_version, definition) VALUES ($1, $2, $3)",
								   3, argtypes, values, nulls);
		return;
	}
	values[3] = SPI_getbinval(row, desc, 5, &must_compile);
	if (must_compile)			/* NULL: more than a pause */
		values[3] = compile(TextDatumGetCString(values[0]), DatumGetInt32(values[1]), customer_table,
							DatumGetJsonbP(definition));
	xs_execute_as_policy_owner(insert_sql, 4, argtypes, values, nulls);
}

/* The statements of a cascade are published with the statement that caused it. */
static bool cascading = false;

static void
cascade(void)
{
	cascading = true;
	PG_TRY();
	{
		xs_policy_cascade();
	}
	PG_FINALLY();
	{
		cascading = false;
	}
	PG_END_TRY();
}

Datum
xsell_publish(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	int			nest_level;
	int			format_level;
	bool		isnull;
	SPITupleTable *changed;
	const char *table;
	uint64		n;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function xsell.publish can only be called as a trigger")));
	if (cascading || (!check_function_bodies && has_privs_of_role(GetUserId(), policy_owner())))
		return PointerGetDatum(NULL);

	nest_level = xs_pin_search_path();
	SPI_connect();
	xs_execute_as_policy_owner("LOCK TABLE xsell.policy IN SHARE ROW EXCLUSIVE MODE", 0, NULL, NULL, NULL);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) || TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		cascade();
	table = RelationGetRelationName(trigger->tg_relation);
	xs_policy_check_integrity(table);

	/* A definition is compared with, and read by, sessions with other settings. */
	format_level = xs_pin_output_format();
	xs_execute_as_policy_owner(definitions_sql, 0, NULL, NULL, NULL);
	xs_unpin_output_format(format_level);
	changed = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
	{
		if (strcmp(table, "rule") == 0 || strcmp(table, "cap") == 0)
			xs_policy_check_bindings(SPI_getbinval(changed->vals[i], changed->tupdesc, 1, &isnull));
		publish_one(changed->vals[i], changed->tupdesc);
	}
	SPI_finish();
	xs_unpin_search_path(nest_level);
	return PointerGetDatum(NULL);
}
