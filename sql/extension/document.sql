/*
 * document.sql: the policy of an agent as one JSON document, drafts, and the
 * history told as changes.
 *
 * A document has one member for each policy table; its rows are those of the
 * table, without the agent's name.  What is stored in xsell.policy holds the same
 * rows, and what was derived from them besides.
 *
 * Everything here runs with the caller's rights.
 */

CREATE FUNCTION xsell.policy_parts() RETURNS TABLE (member text, part text, key text, stored_as text)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 12 SET search_path = pg_catalog, pg_temp AS $parts$
VALUES
	('agent', 'agent', 'agent', NULL),
	('products', 'product', 'product', NULL),
	('channels', 'channel', 'channel', 'channels'),
	('offers', 'offer', 'product', 'offers'),
	('features', 'feature', 'feature', 'features'),
	('outcomes', 'outcome_kind', 'outcome', 'kinds'),
	('feeds', 'feed', 'feed', 'feeds'),
	('rules', 'rule', 'rule', 'rules'),
	('caps', 'cap', 'cap', 'caps'),
	('quiets', 'quiet', 'quiet', 'quiets'),
	('cooldowns', 'cooldown', 'cooldown', 'cooldowns'),
	('overrides', 'override', 'override', 'overrides')
$parts$;
COMMENT ON FUNCTION xsell.policy_parts() IS 'Part of xsell_policy_export: members of a document, their tables, keys, and names in xsell.policy.definition';

CREATE FUNCTION xsell.policy_rows(definition jsonb) RETURNS TABLE (part text, name text, place bigint, contents jsonb)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 50 SET search_path = pg_catalog, pg_temp AS $rows$
SELECT 'agent', $1 -> 'agent' ->> 'agent', 1::bigint, $1 -> 'agent' WHERE $1 IS NOT NULL
UNION ALL
SELECT 'product', o.contents ->> 'product', o.place,
	   jsonb_build_object('product', o.contents -> 'product', 'credit', o.contents -> 'attributes' -> 'credit',
						  'attributes', (o.contents -> 'attributes') - 'credit')
  FROM jsonb_array_elements($1 -> 'offers') WITH ORDINALITY o (contents, place)
UNION ALL
SELECT p.part, r.contents ->> p.key, r.place,
	   CASE p.part WHEN 'offer' THEN r.contents - 'attributes' ELSE r.contents END
  FROM xsell.policy_parts() p, jsonb_array_elements($1 -> p.stored_as) WITH ORDINALITY r (contents, place)
UNION ALL
SELECT 'market', (m.contents ->> 'indicator') || ' since ' || (m.contents ->> 'since'), m.place, m.contents - '{indicator,since}'::text[]
  FROM jsonb_array_elements($1 -> 'market') WITH ORDINALITY m (contents, place)
$rows$;
COMMENT ON FUNCTION xsell.policy_rows(jsonb) IS 'Part of xsell_policy_export: the rows of policy tables that a definition in xsell.policy holds';

CREATE FUNCTION xsell.policy_changes(before jsonb, after jsonb)
	RETURNS TABLE (part text, name text, field text, before jsonb, after jsonb)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 20 SET search_path = pg_catalog, pg_temp AS $changes$
SELECT part, name, f.field, f.before, f.after
  FROM (SELECT r.part, r.name, r.contents FROM xsell.policy_rows($1) r) b
  FULL JOIN (SELECT r.part, r.name, r.contents FROM xsell.policy_rows($2) r) a USING (part, name)
 CROSS JOIN LATERAL (
	SELECT NULL::text AS field, b.contents AS before, a.contents AS after
	 WHERE b.contents IS NULL OR a.contents IS NULL
	UNION ALL
	SELECT k.field, b.contents -> k.field, a.contents -> k.field
	  FROM jsonb_object_keys(b.contents || a.contents) k (field)
	 WHERE coalesce(b.contents -> k.field, 'null') <> coalesce(a.contents -> k.field, 'null')) f
 ORDER BY array_position('{agent,product,channel,offer,feature,outcome_kind,feed,rule,cap,quiet,cooldown,override,market}', part),
	   name COLLATE "C", f.field COLLATE "C" NULLS FIRST
$changes$;
COMMENT ON FUNCTION xsell.policy_changes(jsonb, jsonb) IS 'Part of xsell_policy_diff: what differs between two definitions';

CREATE FUNCTION xsell.policy_definition(agent text, INOUT policy_version integer, OUT definition jsonb)
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $definition$
DECLARE
	wanted CONSTANT integer := $2;
BEGIN
	IF $1 IS NULL THEN
		RAISE EXCEPTION 'agent must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT p.policy_version, p.definition INTO $2, $3 FROM xsell.policy p
	 WHERE p.agent = $1 AND (wanted IS NULL OR p.policy_version = wanted)
	 ORDER BY p.policy_version DESC LIMIT 1;
	IF FOUND THEN
		RETURN;
	ELSIF EXISTS (SELECT FROM xsell.policy p WHERE p.agent = $1) THEN
		RAISE EXCEPTION 'agent "%" has no policy version %', $1, wanted
			USING ERRCODE = 'undefined_object',
				  HINT = format('SELECT * FROM xsell.policy_history WHERE agent = %L; lists its versions.', $1);
	END IF;
	RAISE EXCEPTION 'agent "%" does not exist', $1
		USING ERRCODE = 'undefined_object', HINT = 'SELECT agent FROM xsell.agent; lists all agents.';
END
$definition$;
COMMENT ON FUNCTION xsell.policy_definition(text, integer) IS 'Part of xsell_policy_export: a version of an agent''s policy, the newest for NULL';

CREATE FUNCTION @extschema@.xsell_policy_export(agent text, policy_version integer DEFAULT NULL) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $export$
DECLARE
	stored record;
BEGIN
	SELECT * INTO stored FROM xsell.policy_definition($1, $2);
	IF stored.definition IS NULL THEN
		RAISE EXCEPTION 'agent "%" does not exist in its policy version %', $1, stored.policy_version
			USING ERRCODE = 'undefined_object',
				  DETAIL = 'The agent was deleted.',
				  HINT = format('SELECT * FROM xsell.policy_history WHERE agent = %L; lists its versions.', $1);
	END IF;
	RETURN (
		SELECT jsonb_build_object('xsell', 1) || jsonb_object_agg(m.member, m.contents)
		  FROM (SELECT p.member, CASE p.member WHEN 'agent' THEN stored.definition -> 'agent'
					   ELSE coalesce(jsonb_agg(r.contents || CASE p.member
							WHEN 'products' THEN jsonb_build_object('name', (SELECT x.name FROM xsell.product x WHERE x.product = r.name))
							ELSE '{}' END ORDER BY r.place) FILTER (WHERE r.part IS NOT NULL), '[]') END AS contents
				  FROM xsell.policy_parts() p LEFT JOIN xsell.policy_rows(stored.definition) r USING (part)
				 GROUP BY p.member) m);
END
$export$;
COMMENT ON FUNCTION @extschema@.xsell_policy_export(text, integer) IS 'The policy of an agent, in its newest or another version, as one document for xsell_policy_import';

CREATE FUNCTION xsell.document_rows(document jsonb, member text, part text, key text, agent text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
	SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET timezone = 'UTC' SET extra_float_digits = 1 AS $rows$
DECLARE
	given CONSTANT jsonb := CASE member WHEN 'agent' THEN jsonb_build_array(coalesce(document -> 'agent', '{}') || jsonb_build_object('agent', agent))
		ELSE coalesce(document -> member, '[]') END;
	owned CONSTANT boolean := part NOT IN ('agent', 'product');
	columns text[];
	required text[];
	defaults text;
	contents jsonb;
	name text;
	problem text;
	detail text;
	hint text;
	state text;
	names text[] := '{}';
	result jsonb := '[]';
BEGIN
	IF jsonb_typeof(given) <> 'array' THEN
		RAISE EXCEPTION 'member "%" of the document must be an array', member USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT array_agg(a.attname::text), array_agg(a.attname::text) FILTER (WHERE a.attnotnull AND d.oid IS NULL),
		   string_agg(format('%L, %s', a.attname, pg_get_expr(d.adbin, d.adrelid)), ', ') FILTER (WHERE d.oid IS NOT NULL)
	  INTO columns, required, defaults
	  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	 WHERE a.attrelid = format('xsell.%I', part)::regclass AND a.attnum > 0 AND NOT a.attisdropped
	   AND (a.attname <> 'agent' OR NOT owned);
	FOR contents IN SELECT r.v FROM jsonb_array_elements(given) WITH ORDINALITY r (v, n) ORDER BY r.n LOOP
		name := coalesce(CASE jsonb_typeof(contents) WHEN 'object' THEN contents ->> key END, '#' || jsonb_array_length(result) + 1);
		problem := CASE
			WHEN jsonb_typeof(contents) <> 'object' THEN 'is not an object'
			WHEN (SELECT bool_or(k <> ALL (columns)) FROM jsonb_object_keys(contents) k) THEN
				format('has an unknown column "%s"', (SELECT min(k) FROM jsonb_object_keys(contents) k WHERE k <> ALL (columns)))
			WHEN (SELECT bool_or(coalesce(contents -> k, 'null') = 'null') FROM unnest(required) k) THEN
				format('has no "%s"', (SELECT min(k) FROM unnest(required) k WHERE coalesce(contents -> k, 'null') = 'null'))
			WHEN name = ANY (names) THEN 'is there twice' END;
		IF problem IS NOT NULL THEN
			RAISE EXCEPTION '% "%" of the document %', part, name, problem
				USING ERRCODE = 'invalid_parameter_value',
					  HINT = format('Columns are those of xsell.%s: %s.', part, array_to_string(columns, ', '));
		END IF;
		names := names || name;
		BEGIN
			EXECUTE format('SELECT to_jsonb(jsonb_populate_record(NULL::xsell.%I, jsonb_build_object(%s) || $1))', part, defaults)
				INTO contents USING contents || CASE WHEN owned THEN jsonb_build_object('agent', agent) ELSE '{}' END;
		EXCEPTION WHEN data_exception OR undefined_table OR undefined_object OR invalid_schema_name THEN
			GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, state = RETURNED_SQLSTATE;
			RAISE EXCEPTION '% "%" of the document: %', part, name, problem
				USING ERRCODE = state, DETAIL = detail,
					  HINT = coalesce(nullif(hint, ''), 'Tables are named with their schema.');
		END;
		result := result || jsonb_build_array(contents);
	END LOOP;
	RETURN result;
END
$rows$;
COMMENT ON FUNCTION xsell.document_rows(jsonb, text, text, text, text) IS 'Part of xsell_policy_import: checks one member of a document, and returns whole rows of its table';

CREATE FUNCTION xsell.store_rows(agent text, contents jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $store$
DECLARE
	statement text;
BEGIN
	SELECT 'WITH ' || string_agg(concat_ws(', ',
			CASE WHEN p.part <> 'product' THEN
				format('gone_%1$s AS (DELETE FROM xsell.%1$I x WHERE x.agent = $1 AND x.%2$I NOT IN'
					   ' (SELECT r.v ->> %2$L FROM jsonb_array_elements($2 -> %1$L) r (v)))', p.part, p.key) END,
			format('stored_%s AS (%s)', p.part, c.upsert)), ', ') FILTER (WHERE p.part <> 'agent')
		   || ' ' || min(c.upsert) FILTER (WHERE p.part = 'agent')
	  INTO statement
	  FROM xsell.policy_parts() p
	 CROSS JOIN LATERAL (
		SELECT format('INSERT INTO xsell.%1$I AS x (%2$s) SELECT %2$s FROM jsonb_populate_recordset(NULL::xsell.%1$I, $2 -> %1$L)'
					  ' ON CONFLICT (%3$s) DO UPDATE SET (%2$s) = ROW(%4$s) WHERE (%5$s) IS DISTINCT FROM (%4$s)', p.part,
					  string_agg(quote_ident(a.attname), ', '),
					  concat_ws(', ', CASE WHEN p.part NOT IN ('agent', 'product') THEN 'agent' END, quote_ident(p.key)),
					  string_agg('excluded.' || quote_ident(a.attname), ', '),
					  string_agg('x.' || quote_ident(a.attname), ', ')) AS upsert
		  FROM pg_attribute a
		 WHERE a.attrelid = format('xsell.%I', p.part)::regclass AND a.attnum > 0 AND NOT a.attisdropped) c;
	EXECUTE statement USING agent, contents;
END
$store$;
COMMENT ON FUNCTION xsell.store_rows(text, jsonb) IS 'Part of xsell_policy_import: makes the rows of an agent these, and adds or changes products';

CREATE FUNCTION @extschema@.xsell_policy_import(document jsonb, agent text DEFAULT NULL) RETURNS integer
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	SET check_function_bodies = on AS $import$
DECLARE
	name CONSTANT text := coalesce($2, $1 -> 'agent' ->> 'agent');
	given jsonb := $1;
	checked jsonb;
	version integer;
	definition jsonb;
	differing text;
BEGIN
	IF $1 IS NULL OR name IS NULL THEN
		RAISE EXCEPTION '%', CASE WHEN $1 IS NULL THEN 'document must not be null' ELSE 'the document names no agent' END
			USING ERRCODE = 'null_value_not_allowed';
	ELSIF jsonb_typeof($1) <> 'object' OR $1 -> 'xsell' IS DISTINCT FROM '1' THEN
		RAISE EXCEPTION 'this is no policy document of a known format'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It must be an object whose member "xsell", the format''s version, is 1.';
	END IF;
	SELECT min(m) INTO differing FROM jsonb_object_keys($1) m WHERE m <> 'xsell' AND m NOT IN (SELECT p.member FROM xsell.policy_parts() p);
	IF differing IS NOT NULL THEN
		RAISE EXCEPTION 'the document has an unknown member "%"', differing
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = (SELECT format('Members are xsell, %s.', string_agg(p.member, ', ')) FROM xsell.policy_parts() p);
	END IF;

	-- Publishing nothing new, the trigger waits for others who publish, and keeps them out.
	UPDATE xsell.agent a SET agent = a.agent WHERE false;
	-- What has a default that differs each time stays as it is.
	given := coalesce((SELECT jsonb_set(given, '{agent}', jsonb_build_object('seed', a.seed, 'schedule_since', a.schedule_since) || (given -> 'agent'))
						 FROM xsell.agent a WHERE a.agent = name AND jsonb_typeof(given -> 'agent') = 'object'), given);

	-- One statement, at whose end the trigger checks and publishes all of it.
	SELECT jsonb_object_agg(p.part, xsell.document_rows(given, p.member, p.part, p.key, name)) INTO checked FROM xsell.policy_parts() p;
	PERFORM xsell.store_rows(name, checked);

	-- A transaction that does not see what others have committed may have left it there.
	SELECT p.policy_version, p.definition INTO version, definition FROM xsell.policy_definition(name, NULL) p;
	SELECT min(format('%s "%s"', r.part, r.name)) INTO differing
	  FROM xsell.policy_rows(definition) r
	 WHERE r.part NOT IN ('product', 'market')
	   AND NOT EXISTS (SELECT FROM jsonb_array_elements(checked -> r.part) e WHERE CASE r.part WHEN 'agent' THEN e ELSE e - 'agent' END = r.contents);
	IF differing IS NOT NULL THEN
		RAISE EXCEPTION 'the policy of agent "%" was changed by another transaction', name
			USING ERRCODE = 'serialization_failure', DETAIL = format('It has %s, which the document has not.', differing),
				  HINT = 'Repeat the transaction.';
	END IF;
	RETURN version;
END
$import$;
COMMENT ON FUNCTION @extschema@.xsell_policy_import(jsonb, text) IS 'Makes the policy of an agent what a document says, as one new version, which it returns';

CREATE FUNCTION @extschema@.xsell_policy_draft(agent text, draft text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $draft$
BEGIN
	IF $2 IS NULL THEN
		RAISE EXCEPTION 'draft must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	UPDATE xsell.agent a SET agent = a.agent WHERE false;	-- keeps other publishers out
	IF EXISTS (SELECT FROM xsell.agent a WHERE a.agent = $2) THEN
		RAISE EXCEPTION 'agent "%" exists already', $2
			USING ERRCODE = 'duplicate_object', HINT = 'Choose another name, or delete the old draft from xsell.agent.';
	END IF;
	PERFORM @extschema@.xsell_policy_import(jsonb_set(@extschema@.xsell_policy_export($1), '{agent,status}', '"draft"'), $2);
END
$draft$;
COMMENT ON FUNCTION @extschema@.xsell_policy_draft(text, text) IS 'Copies an agent into a new one of status draft, to be changed and tried, and published by xsell_policy_publish';

CREATE FUNCTION @extschema@.xsell_policy_publish(draft text, agent text) RETURNS integer
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $publish$
DECLARE
	document jsonb;
	current jsonb;
BEGIN
	IF $1 = $2 THEN
		RAISE EXCEPTION 'agent "%" cannot be its own draft', $1 USING ERRCODE = 'invalid_parameter_value';
	END IF;
	UPDATE xsell.agent a SET agent = a.agent WHERE false;	-- keeps other publishers out
	document := @extschema@.xsell_policy_export($1);
	current := @extschema@.xsell_policy_export($2);
	RETURN @extschema@.xsell_policy_import(jsonb_set(document, '{agent}', (document -> 'agent')
		|| jsonb_build_object('status', current -> 'agent' -> 'status', 'seed', current -> 'agent' -> 'seed')), $2);
END
$publish$;
COMMENT ON FUNCTION @extschema@.xsell_policy_publish(text, text) IS 'Makes the policy of an agent that of a draft, but for status and seed, as one new version, which it returns';

CREATE FUNCTION @extschema@.xsell_policy_diff(agent text, from_version integer, to_version integer DEFAULT NULL)
	RETURNS TABLE (part text, name text, field text, before jsonb, after jsonb)
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 20 SET search_path = pg_catalog, pg_temp AS $diff$
SELECT c.* FROM xsell.policy_definition($1, $2) b, xsell.policy_definition($1, $3) a, xsell.policy_changes(b.definition, a.definition) c
$diff$;
COMMENT ON FUNCTION @extschema@.xsell_policy_diff(text, integer, integer) IS 'What differs between two versions of an agent''s policy, the newest by default: rows added and removed whole, others field by field';

CREATE VIEW xsell.policy_history AS
SELECT p.agent, p.policy_version, p.published_at, p.published_by, p.client, p.definition IS NULL AS deleted,
	   c.changes, c.summary
  FROM xsell.policy p
 CROSS JOIN LATERAL (
	SELECT count(*) AS changes,
		   CASE WHEN p.definition IS NULL THEN 'deleted'
				ELSE left(string_agg(pg_catalog.concat_ws(' ', CASE WHEN c.field IS NOT NULL THEN 'changed' WHEN c.before IS NULL THEN 'added' ELSE 'removed' END,
														  c.part, c.name, c.field), '; '), 200) END AS summary
	  FROM xsell.policy_changes((SELECT b.definition FROM xsell.policy b
								  WHERE b.agent = p.agent AND b.policy_version < p.policy_version
								  ORDER BY b.policy_version DESC LIMIT 1), p.definition) c) c;
COMMENT ON VIEW xsell.policy_history IS 'Versions of policies, and what each changed';
COMMENT ON COLUMN xsell.policy_history.deleted IS 'The agent was deleted';
COMMENT ON COLUMN xsell.policy_history.changes IS 'Number of changes against the version before: rows added or removed, fields changed';
COMMENT ON COLUMN xsell.policy_history.summary IS 'The changes in words, 200 characters of them; xsell_policy_diff has all';
