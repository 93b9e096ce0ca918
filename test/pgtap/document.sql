-- document.sql: a policy as one document, drafts, and what versions changed.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT no_plan();

SELECT xsell_create_journal('bigint');
CREATE SCHEMA "Bank";
CREATE TABLE "Bank".customer (id bigint PRIMARY KEY, age int, income int, segment text, mail_consent boolean, score float8, zone text);
INSERT INTO "Bank".customer SELECT i, 20 + i, i * 100, 'student', true, 0.1, 'UTC' FROM generate_series(1, 9) i;

INSERT INTO xsell.product (product, name, credit, attributes) VALUES
	('card', 'Credit card', true, '{"type": "card", "fee": 2.50, "new": true, "none": null}'), ('loan', NULL, true, '{"type": "loan"}'), ('fund', 'Fund "1"', false, '{"type": "fund"}');
INSERT INTO xsell.agent (agent, customer_table, customer_key, oracle, floor, epsilon, routing, fallback, top_n, similarity, segment, half_life, schedule, schedule_half, schedule_since, epsilon_end) VALUES
	('retail', '"Bank".customer', 'id', 'linear', 0.1, 0.3333333333333333, '''web''', '''card''', 3, '{type}', 'segment', '1 mon 3 days', 'time', 7.5, '2026-01-01 00:00:00.123456+02', 0.1);
INSERT INTO xsell.channel (agent, channel, observation_window, consent, modes, default_for, quiet_from, quiet_until, time_zone, attributes) VALUES
	('retail', 'mail', '1 mon 3 days 04:05:06.789', 'mail_consent', '{batch}', '{batch}', '22:00', '07:30', 'zone', '{"cost": 0.5}'),
	('retail', 'web', '30 minutes', NULL, DEFAULT, DEFAULT, NULL, NULL, NULL, '{}');
INSERT INTO xsell.offer (agent, product, propensity, propensity_version, value, lever, cost, held, max_share, prior_rate, ramp_share, ramp_until, active, valid) VALUES
	('retail', 'card', 'score', 'v3', '2', 'income / 1000.0', '0.01', 'age < 18', 0.5, 0.07, 0.25, 300, true, '[2026-01-01 00:00+02,2090-01-01 00:00+02)'),
	('retail', 'loan', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, DEFAULT);
INSERT INTO xsell.feature (agent, feature, expression, center, scale, clip, levels) VALUES
	('retail', 'age', 'age', 45.1, 15, 4, NULL), ('retail', 'segment', 'segment', NULL, NULL, NULL, '{student,"a \"b\", c"}');
INSERT INTO xsell.rule (agent, rule, kind, product, channel, attributes, expression, valid) VALUES
	('retail', 'z adult', 'eligibility', NULL, NULL, NULL, 'age >= 18', DEFAULT), ('retail', 'a income', 'suitability', 'loan', 'web', '{"type": "loan"}', 'income > 100', '[2026-01-01,)');
INSERT INTO xsell.outcome_kind (agent, outcome, reward, engagement, opt_out, harm) VALUES ('retail', 'click', 0.1, true, NULL, 0), ('retail', 'stop', 0, false, 'all', 0.75);
INSERT INTO xsell.cap (agent, cap, product, channel, attributes, max_offers, per, engaged, relaxed_offers) VALUES
	('retail', 'weekly', 'card', NULL, NULL, 2, '7 days', 'relax', 4), ('retail', 'daily', NULL, 'mail', NULL, 1, '1 day', NULL, NULL);
INSERT INTO xsell.quiet (agent, quiet, channel, after_ignored, pause) VALUES ('retail', 'tired', 'mail', 3, '30 days');
INSERT INTO xsell.cooldown (agent, cooldown, product, outcome, lasts) VALUES ('retail', 'refused', 'card', 'decline', '90 days'), ('retail', 'stopped', NULL, 'stop', '1 year');
INSERT INTO xsell.override (agent, override, action, product, channel, expression, factor, reason, expires) VALUES
	('retail', 'push', 'boost', 'card', 'web', 'age < 30', 1.5, 'campaign', '2090-01-01'), ('retail', 'stop', 'block', 'loan', NULL, 'true', NULL, 'case 7', '2090-01-01');
INSERT INTO xsell.agent (agent, customer_table, customer_key) VALUES ('other', '"Bank".customer', 'id');
INSERT INTO xsell.channel (agent, channel) VALUES ('other', 'web');
INSERT INTO xsell.offer (agent, product) VALUES ('other', 'fund'), ('other', 'card');

CREATE FUNCTION version(text) RETURNS int LANGUAGE sql AS 'SELECT max(policy_version) FROM xsell.policy p WHERE p.agent = $1';
CREATE FUNCTION definition(text) RETURNS jsonb LANGUAGE sql AS $$SELECT definition FROM xsell.policy p WHERE p.agent = $1 ORDER BY policy_version DESC LIMIT 1$$;
CREATE TABLE start AS SELECT agent, version(agent) AS version, xsell_policy_export(agent) AS document FROM xsell.agent;
CREATE FUNCTION start() RETURNS jsonb LANGUAGE sql AS $$SELECT document FROM start WHERE agent = 'retail'$$;

-- ------------------------------------------------------------------------------------- export, import --

SELECT is((SELECT jsonb_object_agg(k, jsonb_typeof(v)) FROM jsonb_each(start()) e (k, v)), '{"xsell": "number", "agent": "object", "products": "array", "channels": "array", "offers": "array",
	"features": "array", "rules": "array", "caps": "array", "quiets": "array", "feeds": "array", "cooldowns": "array", "overrides": "array", "outcomes": "array"}', 'the members of a document');
SELECT is(start() -> 'products', '[{"product": "card", "name": "Credit card", "credit": true, "attributes": {"type": "card", "fee": 2.50, "new": true, "none": null}},
	{"product": "loan", "name": null, "credit": true, "attributes": {"type": "loan"}}]', 'products are those offered');
SELECT is(start() -> 'agent' ->> 'customer_table', '"Bank".customer', 'the table is named with its schema');
SELECT is((SELECT jsonb_agg(r ->> 'rule') FROM jsonb_array_elements(start() -> 'rules') r), '["z adult", "a income"]', 'rules come in the order of evaluation');
-- every column of every table is in it
SELECT is_empty($$SELECT p.part, a.attname FROM xsell.policy_parts() p JOIN pg_attribute a ON a.attrelid = ('xsell.' || p.part)::regclass AND attnum > 0 AND NOT attisdropped
	WHERE (a.attname <> 'agent' OR p.part = 'agent') AND NOT CASE p.part WHEN 'agent' THEN start() -> 'agent' ELSE start() -> p.member -> 0 END ? a.attname$$, 'a document has all columns');
SELECT is_empty($$SELECT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'xsell.publish'::regproc AND tgrelid <> 'xsell.market'::regclass
	AND tgrelid NOT IN (SELECT ('xsell.' || part)::regclass FROM xsell.policy_parts())$$, 'and all tables but market');
SELECT is(xsell_policy_import(start()), (SELECT version FROM start WHERE agent = 'retail'), 'what was exported and not changed makes no new version');
SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET timezone = 'Asia/Tokyo'; SET extra_float_digits = -15;
SELECT is(xsell_policy_import(xsell_policy_export('retail')), (SELECT version FROM start WHERE agent = 'retail'), 'whatever the session''s formats');
RESET datestyle; RESET intervalstyle; RESET timezone; RESET extra_float_digits;

SELECT is(xsell_policy_import(start(), 'copy'), 1, 'a copy is one version');
SELECT is(definition('copy') #- '{agent,agent}', definition('retail') #- '{agent,agent}' || jsonb_build_object('layout', definition('copy') -> 'layout'), 'the same under another name');
DELETE FROM xsell.agent WHERE agent = 'retail';
SELECT is(xsell_policy_import(start()), (SELECT version + 2 FROM start WHERE agent = 'retail'), 'a deleted agent comes back from its document');
SELECT is(xsell_policy_export('retail'), start(), 'as it was');
DELETE FROM xsell.agent WHERE agent = 'retail';
DELETE FROM xsell.product WHERE product = 'loan' AND NOT EXISTS (SELECT FROM xsell.offer o WHERE o.product = 'loan');
DELETE FROM xsell.agent WHERE agent = 'copy';
DELETE FROM xsell.product WHERE product = 'loan';
SELECT lives_ok($$SELECT xsell_policy_import(start())$$, 'with its products');
SELECT is(xsell_policy_export('retail'), start(), 'and is as it was');
SELECT is(definition('retail') - 'layout', (SELECT definition - 'layout' FROM xsell.policy JOIN start USING (agent) WHERE agent = 'retail' AND policy_version = version), 'to the last bit');
SELECT is(definition('retail') -> 'layout', (SELECT definition -> 'layout' FROM xsell.policy JOIN start USING (agent) WHERE agent = 'retail' AND policy_version = version), 'its evidence too');
SELECT is(xsell_policy_import((SELECT document FROM start WHERE agent = 'other')), (SELECT version FROM start WHERE agent = 'other'), 'nothing of that touched the other agent');

-- ------------------------------------------------------------------------------------------- changes --

CREATE FUNCTION changed(jsonb, text DEFAULT 'retail') RETURNS TABLE (part text, name text, field text, before jsonb, after jsonb) LANGUAGE plpgsql AS $$
DECLARE v int := version($2); BEGIN
	IF xsell_policy_import($1, $2) <> v + 1 OR version($2) <> v + 1 THEN RAISE 'not one version'; END IF;
	RETURN QUERY SELECT d.* FROM xsell_policy_diff($2, v) d;
END $$;
SELECT results_eq($$SELECT * FROM changed(jsonb_set(start(), '{rules}', '[{"rule": "z adult", "kind": "eligibility", "expression": "age >= 21"}, {"rule": "new", "kind": "suitability", "expression": "income > 0"}]'))$$,
	$$VALUES ('rule', 'a income', NULL, start() #> '{rules,1}', NULL),
		('rule', 'new', NULL, NULL::jsonb, '{"rule": "new", "kind": "suitability", "product": null, "channel": null, "attributes": null, "expression": "income > 0", "valid": "(,)"}'::jsonb),
		('rule', 'z adult', 'expression', '"age >= 18"'::jsonb, '"age >= 21"')$$, 'rows are added, changed and removed; what is not given takes its default');
SELECT results_eq($$SELECT * FROM changed(start()) WHERE part <> 'rule'$$, $$SELECT NULL, NULL, NULL, NULL::jsonb, NULL::jsonb WHERE false$$, 'and come back');
-- an offer and all that names it
SELECT results_eq($$SELECT part, name, field FROM changed(jsonb_set(start() || '{"rules": [], "caps": [], "overrides": [], "cooldowns": []}', '{offers}', (start() -> 'offers') - 0)
		|| '{"channels": [{"channel": "sms"}], "quiets": []}')$$,
	$$VALUES ('product', 'card', NULL), ('channel', 'mail', NULL), ('channel', 'sms', NULL), ('channel', 'web', NULL), ('offer', 'card', NULL), ('rule', 'a income', NULL), ('rule', 'z adult', NULL),
		('cap', 'daily', NULL), ('cap', 'weekly', NULL), ('quiet', 'tired', NULL), ('cooldown', 'refused', NULL), ('cooldown', 'stopped', NULL), ('override', 'push', NULL), ('override', 'stop', NULL)$$,
	'whatever order statements would need');
SELECT results_eq($$SELECT count(*) FROM changed(start())$$, 'VALUES (14::bigint)', 'and back');
SELECT results_eq($$SELECT field, after FROM changed('{"xsell": 1, "agent": {"agent": "retail", "customer_table": "\"Bank\".customer", "customer_key": "id"}}') WHERE part = 'agent' ORDER BY 1$$,
	$$VALUES ('epsilon', '0.1'::jsonb), ('epsilon_end', 'null'), ('fallback', 'null'), ('floor', '0.02'), ('half_life', 'null'), ('oracle', '"logistic"'), ('routing', 'null'),
		('schedule', '"evidence"'), ('schedule_half', '150'), ('segment', 'null'), ('similarity', 'null'), ('top_n', 'null')$$, 'a document may be as short as this; seed and schedule_since stay');
SELECT is((SELECT array_agg(e.k ORDER BY 1) FROM jsonb_each(xsell_policy_export('retail')) e (k, v) WHERE v <> '[]'), '{agent,xsell}', 'it has nothing then');
SELECT is((SELECT jsonb_agg(product ORDER BY product) FROM xsell.product), '["card", "fund", "loan"]', 'products stay');
SELECT is(xsell_policy_import('{"xsell": 1, "agent": {"customer_table": "\"Bank\".customer", "customer_key": "id"}}', 'x'), 1, 'a new agent');
SELECT is((SELECT count(DISTINCT seed) FROM xsell.agent WHERE agent IN ('x', 'retail')), 2::bigint, 'draws a seed of its own');
DELETE FROM xsell.agent WHERE agent = 'x';
SELECT lives_ok($$SELECT xsell_policy_import(start())$$, 'and back');
-- products are shared
SELECT results_eq($$SELECT * FROM changed(jsonb_set(start(), '{products,0,attributes,fee}', '9'))$$, $$VALUES ('product', 'card', 'attributes', start() #> '{products,0,attributes}', jsonb_set(start() #> '{products,0,attributes}', '{fee}', '9'))$$, 'attributes change');
SELECT is(version('other'), (SELECT version + 1 FROM start WHERE agent = 'other'), 'for other agents too');
SELECT lives_ok($$SELECT xsell_policy_import(start() - 'products')$$, 'a document without products leaves them as they are');
SELECT is((SELECT attributes -> 'fee' FROM xsell.product WHERE product = 'card'), '9', 'as they are');
SELECT lives_ok($$SELECT xsell_policy_import(start())$$, 'and back');

-- -------------------------------------------------------------------------------------------- errors --

CREATE FUNCTION error(document jsonb, agent text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE before jsonb := (SELECT jsonb_agg(p ORDER BY p.agent, policy_version) FROM xsell.policy p); state text; message text; BEGIN
	BEGIN
		PERFORM xsell_policy_import($1, $2);
		RETURN 'none';
	EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
	END;
	IF before IS DISTINCT FROM (SELECT jsonb_agg(p ORDER BY p.agent, policy_version) FROM xsell.policy p) THEN RETURN 'changed something'; END IF;
	RETURN state || ' ' || message;
END $$;
CREATE FUNCTION rule(jsonb) RETURNS jsonb LANGUAGE sql AS $$SELECT jsonb_set(start(), '{rules,0}', (start() #> '{rules,0}') || $1)$$;
SELECT is(error(document, agent), message, message) FROM (VALUES
	(NULL::jsonb, NULL, '22004 document must not be null'),
	('{"xsell": 1}', NULL, '22004 the document names no agent'),
	('[1]', 'retail', '22023 this is no policy document of a known format'),
	('{}', 'retail', '22023 this is no policy document of a known format'),
	(start() || '{"xsell": 2}', NULL, '22023 this is no policy document of a known format'),
	(start() || '{"rule": []}', NULL, '22023 the document has an unknown member "rule"'),
	(start() || '{"rules": {}}', NULL, '22023 member "rules" of the document must be an array'),
	(start() || '{"rules": null}', NULL, '22023 member "rules" of the document must be an array'),
	(start() || '{"agent": "retail"}', 'retail', '22023 agent "#1" of the document is not an object'),
	(start() || '{"rules": ["adult"]}', NULL, '22023 rule "#1" of the document is not an object'),
	(rule('{"expresion": "true"}'), NULL, '22023 rule "z adult" of the document has an unknown column "expresion"'),
	(rule('{"agent": "retail"}'), NULL, '22023 rule "z adult" of the document has an unknown column "agent"'),
	(rule('{"kind": null}'), NULL, '22023 rule "z adult" of the document has no "kind"'),
	(rule('{"rule": "a income"}'), NULL, '22023 rule "a income" of the document is there twice'),
	(jsonb_set(start(), '{products,0}', '{"product": "card"}'), NULL, '22023 product "card" of the document has no "credit"'),
	(start() #- '{agent,customer_key}', NULL, '22023 agent "retail" of the document has no "customer_key"'),
	(jsonb_set(start(), '{agent,schedule_half}', 'null'), NULL, '23514 new row for relation "agent" violates check constraint "agent_schedule_needs_half"'),
	(jsonb_set(start(), '{agent,oracle}', '"segment"') #- '{agent,segment}', NULL, '42P17 agent "retail" has oracle "segment", but no segment'),
	(rule('{"kind": "wish"}'), NULL, '23514 new row for relation "rule" violates check constraint "rule_kind_check"'),
	(rule('{"valid": null}'), NULL, '23502 null value in column "valid" of relation "rule" violates not-null constraint'),
	(rule('{"valid": "soon"}'), NULL, '22P02 rule "z adult" of the document: malformed range literal: "soon"'),
	(rule('{"product": "boat"}'), NULL, '23503 rule "z adult" names offer "boat", which does not exist'),
	(jsonb_set(start(), '{offers,0,product}', '"boat"'), NULL, '23503 cap "weekly" names offer "card", which does not exist'),
	(jsonb_set(start() || '{"rules": [], "caps": [], "cooldowns": [], "overrides": []}', '{offers,0,product}', '"boat"'), NULL, '23503 offer "boat" names product "boat", which does not exist'),
	(jsonb_set(start(), '{agent,customer_table}', '"customer"'), NULL, '42P01 agent "retail" of the document: relation "customer" does not exist'),
	(jsonb_set(start(), '{agent,floor}', '"low"'), NULL, '22P02 agent "retail" of the document: invalid input syntax for type double precision: "low"'),
	(start() || '{"channels": [{"channel": "web", "observation_window": "long"}]}', NULL, '22007 channel "web" of the document: invalid input syntax for type interval: "long"')
	) e (document, agent, message);
SELECT matches(error(rule('{"expression": "aeg > 18"}')), '^42703 ', 'what does not compile is refused as ever');
SELECT is(xsell_policy_export('retail'), start(), 'none of them changed anything');
SELECT is(current_setting('check_function_bodies'), 'on', 'nor the setting');
SET check_function_bodies = off;
SELECT results_eq($$SELECT count(*) FROM changed(jsonb_set(start(), '{agent,floor}', '0.2'))$$, 'VALUES (1::bigint)', 'a session that had it off');
SELECT is(current_setting('check_function_bodies'), 'off', 'has it off again');
RESET check_function_bodies;
SELECT lives_ok($$SELECT xsell_policy_import(start())$$, 'and back');

-- -------------------------------------------------------------------------------------------- drafts --

SELECT lives_ok($$SELECT xsell_policy_draft('retail', 'next')$$, 'a draft');
SELECT is(version('next'), 1, 'is one version');
SELECT is(xsell_policy_export('next'), jsonb_set(jsonb_set(start(), '{agent,agent}', '"next"'), '{agent,status}', '"draft"'), 'a copy with the status of a draft');
UPDATE xsell.rule SET expression = 'age >= 21' WHERE agent = 'next' AND rule = 'z adult';
DELETE FROM xsell.cap WHERE agent = 'next' AND cap = 'daily';
INSERT INTO xsell.offer (agent, product) VALUES ('next', 'fund');
UPDATE xsell.agent SET seed = 7, floor = 0.3 WHERE agent = 'next';
SELECT is(xsell_policy_export('retail'), start(), 'which may be changed without changing its origin');
SELECT isnt_empty($$SELECT FROM "Bank".customer c, xsell_rank(c, agent => 'next')$$, 'and asked');
SELECT version('retail') AS before \gset
SELECT is(xsell_policy_publish('next', 'retail'), :before + 1, 'published in one version');
SELECT results_eq(format('SELECT part, name, field FROM xsell_policy_diff(%L, %s)', 'retail', :before),
	$$VALUES ('agent', 'retail', 'floor'), ('product', 'fund', NULL), ('offer', 'fund', NULL), ('rule', 'z adult', 'expression'), ('cap', 'daily', NULL)$$, 'with all of its changes; status and seed are kept');
SELECT is(xsell_policy_publish('next', 'retail'), :before + 1, 'publishing again changes nothing');
SELECT is((SELECT string_agg(status, ' ' ORDER BY agent DESC) FROM xsell.agent WHERE agent IN ('next', 'retail')), 'live draft', 'the draft stays one');
SELECT throws_ok($$SELECT xsell_policy_draft('retail', 'next')$$, '42710', 'agent "next" exists already', 'a draft replaces nothing');
SELECT throws_ok($$SELECT xsell_policy_draft('retail', NULL)$$, '22004', 'draft must not be null', 'a draft has a name');
SELECT throws_ok($$SELECT xsell_policy_draft('nobody', 'new')$$, '42704', 'agent "nobody" does not exist', 'and an origin');
SELECT throws_ok($$SELECT xsell_policy_publish('next', 'nobody')$$, '42704', 'agent "nobody" does not exist', 'published to an agent');
SELECT throws_ok($$SELECT xsell_policy_publish('nobody', 'retail')$$, '42704', 'agent "nobody" does not exist', 'from a draft');
SELECT throws_ok($$SELECT xsell_policy_publish('next', 'next')$$, '22023', 'agent "next" cannot be its own draft', 'another one');
DELETE FROM xsell.agent WHERE agent = 'next';

-- ----------------------------------------------------------------------------------- versions, history --

SELECT is(xsell_policy_export('retail', :before), start(), 'a document of an earlier version');
SELECT is(xsell_policy_import(xsell_policy_export('retail', :before)), :before + 2, 'goes back to it');
SELECT is_empty(format('SELECT * FROM xsell_policy_diff(%L, %s)', 'retail', :before), 'exactly');
SELECT is_empty($$SELECT * FROM xsell_policy_diff('retail', 1, 1)$$, 'no difference between a version and itself');
SELECT results_eq(format('SELECT part, name, field, before, after FROM xsell_policy_diff(%L, %s, %s)', 'retail', :before + 1, :before),
	format('SELECT part, name, field, after, before FROM xsell_policy_diff(%L, %s, %s)', 'retail', :before, :before + 1), 'a difference backwards is the difference');
SELECT throws_ok($$SELECT xsell_policy_export('retail', 999)$$, '42704', 'agent "retail" has no policy version 999', 'unknown version');
SELECT throws_ok($$SELECT xsell_policy_diff('retail', 1, 999)$$, '42704', 'agent "retail" has no policy version 999', 'in a difference, too');
SELECT throws_ok($$SELECT xsell_policy_export('nobody')$$, '42704', 'agent "nobody" does not exist', 'unknown agent');
SELECT throws_ok($$SELECT xsell_policy_export(NULL)$$, '22004', 'agent must not be null', 'no agent');
SELECT throws_ok($$SELECT xsell_policy_export('copy')$$, '42704', 'agent "copy" does not exist in its policy version 2', 'deleted agent');
SELECT results_eq($$SELECT DISTINCT part, field, after FROM xsell_policy_diff('copy', 1) WHERE part IN ('agent', 'rule')$$, $$VALUES ('agent', NULL, NULL::jsonb), ('rule', NULL, NULL)$$, 'deleting removes all');
SELECT results_eq($$SELECT policy_version, deleted, changes, summary FROM xsell.policy_history WHERE agent = 'next' ORDER BY 1 DESC LIMIT 5$$,
	$$VALUES (6, true, 21::bigint, 'deleted'), (5, false, 2, 'changed agent next floor; changed agent next seed'), (4, false, 2, 'added product fund; added offer fund'),
		(3, false, 1, 'removed cap daily'), (2, false, 1, 'changed rule z adult expression')$$, 'history tells what was changed');
SELECT is_empty($$SELECT FROM xsell.policy_history h JOIN xsell.policy p USING (agent, policy_version)
	WHERE (h.published_at, h.published_by, h.client) IS DISTINCT FROM (p.published_at, p.published_by, p.client) OR h.published_by <> session_user OR h.client IS NULL$$, 'by whom, when, from where');
SELECT is((SELECT count(*) FROM xsell.policy_history), (SELECT count(*) FROM xsell.policy), 'of every version');
INSERT INTO xsell.market (indicator, since, value) VALUES ('rate', '2026-01-01', '3.5');
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('other', 'rate', 'suitability', 'market.rate > 3');
INSERT INTO xsell.market (indicator, since, value) VALUES ('rate', '2089-01-01', '2.5');
SELECT results_eq($$SELECT summary FROM xsell.policy_history WHERE agent = 'other' ORDER BY policy_version DESC LIMIT 2$$,
	$$VALUES ('added market rate since 2089-01-01T00:00:00+00:00'), ('added rule rate; added market rate since 2026-01-01T00:00:00+00:00')$$, 'also of the market');
SELECT is((SELECT version('other')), xsell_policy_import(xsell_policy_export('other')), 'which no document says, and no import changes');

-- ---------------------------------------------------------------------------------------- privileges --

CREATE ROLE xsell_test_documents;
GRANT SELECT, INSERT, UPDATE, DELETE ON xsell.product, xsell.agent, xsell.channel, xsell.offer, xsell.feature, xsell.rule, xsell.cap, xsell.quiet, xsell.cooldown, xsell.override, xsell.outcome_kind, xsell.feed TO xsell_test_documents;
GRANT USAGE ON SCHEMA "Bank" TO xsell_test_documents;
SET ROLE xsell_test_documents;
SELECT throws_ok($$SELECT xsell_policy_export('retail')$$, '42501', 'permission denied for table policy', 'who may not read the history gets no document of it');
SELECT throws_ok(c, '42501', NULL, c) FROM unnest('{"SELECT xsell_policy_import(''{}'')","SELECT xsell_policy_draft(''a'', ''b'')","SELECT xsell_policy_publish(''a'', ''b'')","SELECT FROM xsell.policy_history"}'::text[]) c;
RESET ROLE;
GRANT EXECUTE ON FUNCTION xsell_policy_import, xsell_policy_draft, xsell_policy_publish TO xsell_test_documents;
GRANT SELECT ON xsell.policy, xsell.policy_history TO xsell_test_documents;
SET ROLE xsell_test_documents;
SELECT lives_ok(c, c) FROM unnest('{"SELECT xsell_policy_draft(''retail'', ''mine'')","UPDATE xsell.agent SET floor = 0.5 WHERE agent = ''mine''","SELECT xsell_policy_publish(''mine'', ''retail'')",
	"SELECT xsell_policy_import(xsell_policy_export(''retail''))","SELECT * FROM xsell_policy_diff(''retail'', 1)","SELECT * FROM xsell.policy_history","DELETE FROM xsell.agent WHERE agent = ''mine''"}'::text[]) c;
RESET ROLE;
SELECT results_eq(format('SELECT policy_version - %s, part, field FROM xsell.policy, xsell_policy_diff(''retail'', %s) WHERE agent = ''retail'' AND policy_version > %s', v, v, v),
	$$VALUES (1, 'agent', 'floor')$$, 'in one version, though they do not own the tables') FROM (SELECT max(policy_version) - 1 AS v FROM xsell.policy WHERE agent = 'retail') x;
REVOKE UPDATE ON xsell.rule FROM xsell_test_documents;
SET ROLE xsell_test_documents;
SELECT throws_ok($$SELECT xsell_policy_import(xsell_policy_export('retail'))$$, '42501', 'permission denied for table rule', 'the rights are those of the caller');
RESET ROLE;
DROP OWNED BY xsell_test_documents;
DROP ROLE xsell_test_documents;

SELECT * FROM finish();
