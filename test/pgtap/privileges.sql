-- privileges.sql: who may do what; nobody gets at the journal through a decision.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT no_plan();

CREATE ROLE xsell_test_owner;
CREATE ROLE xsell_test_decider;
CREATE ROLE xsell_test_editor;
CREATE ROLE xsell_test_other;

-- --------------------------------- the owner of a database installs it, without help --

SELECT current_user AS superuser, current_database() AS database \gset
DROP EXTENSION xsell CASCADE;
ALTER DATABASE :"database" OWNER TO xsell_test_owner;
GRANT ALL ON SCHEMA public TO xsell_test_owner;
SET SESSION AUTHORIZATION xsell_test_owner;
CREATE SCHEMA x;
SELECT lives_ok('CREATE EXTENSION xsell SCHEMA x', 'a database owner installs the extension');
SET search_path = x, public;
SELECT results_eq($$SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'xsell'$$, $$VALUES ('xsell_test_owner')$$, 'owns it');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'xsell'::regnamespace AND relowner <> 'xsell_test_owner'::regrole$$, 'and its tables');
SELECT results_eq($$SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'xsell'$$, $$VALUES ('xsell_test_owner')$$, 'and its schema');
SELECT results_eq($$SELECT count(*) FROM pg_class WHERE relnamespace = 'xsell'::regnamespace AND relkind IN ('r', 'p', 'v')
	AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND refclassid = 'pg_extension'::regclass AND deptype = 'e')$$,
	'VALUES (0::bigint)', 'all of which belong to the extension');
SELECT lives_ok($$SELECT xsell_create_journal('bigint')$$, 'the owner creates the journal');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'xsell'::regnamespace AND relowner <> 'xsell_test_owner'::regrole$$, 'and owns that too');
SELECT results_eq($$SELECT oid::regprocedure::text COLLATE "C", prorettype::regtype::text COLLATE "C", proowner::regrole::text COLLATE "C", has_function_privilege('xsell_test_other', oid, 'EXECUTE')
	FROM pg_proc WHERE pronamespace IN ('x'::regnamespace, 'xsell'::regnamespace) AND prosecdef$$,
	$$VALUES ('xsell.note_change()' COLLATE "C", 'trigger' COLLATE "C", 'xsell_test_owner' COLLATE "C", false)$$, 'no function runs with its owner''s rights, but the trigger that keeps history');
SELECT is_empty($$SELECT oid::regprocedure FROM pg_proc p WHERE pronamespace = 'x'::regnamespace AND has_function_privilege('xsell_test_other', oid, 'EXECUTE')
	AND proname ~ '^xsell_(create_|drop_|(choose|heartbeat|record|decide|rank|replay|explain|reward|learn|worker|worker_start|worker_stop|rebuild_evidence|rebuild_segments|models|model_coefficients|segment_rates|refit|promote|rollback|import_history|remove_import|forget|compare|policy_distance)$)'$$, 'what reads or writes the journal is not for everyone');
SELECT isnt_empty($$SELECT FROM pg_proc p WHERE pronamespace = 'x'::regnamespace AND has_function_privilege('xsell_test_other', oid, 'EXECUTE') AND proname = 'xsell_beta_agg'$$, 'what computes is');

CREATE TABLE public.customer (id bigint PRIMARY KEY, age int, secret text);
INSERT INTO public.customer SELECT i, 20 + i, 'secret' FROM generate_series(1, 9) i;
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed) VALUES ('retail', 'customer', 'id', 42);
INSERT INTO xsell.channel (agent, channel) VALUES ('retail', 'web');
INSERT INTO xsell.product (product, credit, attributes) VALUES ('card', true, '{"type": "card"}'), ('loan', true, '{"type": "loan"}');
INSERT INTO xsell.offer (agent, product) VALUES ('retail', 'card'), ('retail', 'loan');
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('retail', 'adult', 'eligibility', 'age > 18');
SELECT is((SELECT d.product IS NOT NULL FROM customer c, xsell_decide(c) d WHERE id = 1), true, 'the owner decides');

-- ------------------------------------------------------------------------- the rest of the world --

GRANT USAGE ON SCHEMA x TO PUBLIC;
GRANT SELECT ON customer TO xsell_test_decider, xsell_test_other;
SET SESSION AUTHORIZATION xsell_test_other;
SELECT throws_ok(format('SELECT %s FROM customer c', call), '42501', 'permission denied for function ' || substring(call FROM '^\w+'), call) FROM unnest(ARRAY[
	'xsell_decide(c)', 'xsell_choose(c)', 'xsell_rank(c)', 'xsell_record((SELECT NULL::xsell_decision))', 'xsell_replay(1)', 'xsell_explain(1)', 'xsell_reward(1, ''conversion'')', 'xsell_learn()', 'xsell_worker_start()', 'xsell_worker_stop()', 'xsell_worker()',
	'xsell_rebuild_evidence(''retail'')', 'xsell_rebuild_segments(''retail'')', 'xsell_models(''retail'')', 'xsell_model_coefficients(''retail'')', 'xsell_segment_rates(''retail'')', 'xsell_refit(''retail'')', 'xsell_promote(''retail'', 0)', 'xsell_rollback(''retail'')',
	'xsell_compare(''retail'', 0)', 'xsell_policy_distance(''retail'', 0)', 'xsell_create_journal(''bigint'')', 'xsell_drop_journal()', 'xsell_heartbeat(''retail'', ''crm'')', 'xsell_create_partition(now(), now())']) call;
SELECT throws_ok('SELECT * FROM xsell.' || t, '42501', NULL, 'xsell.' || t) FROM unnest('{product,agent,channel,offer,feature,rule,cap,outcome_kind,feed,policy,
	decision,decision_default,outcome,experience,evidence,segment_evidence,learner,late,held,heartbeat,contact,request,
	refit,refit_mean,refit_evidence,promotion,correction,learning,model,coefficient,decision_rule,forecast,season,change,alert}'::text[]) t;
SELECT throws_ok('CREATE TABLE xsell.mine ()', '42501', NULL, 'the schema is closed');
-- a trigger of the extension on a table of one's own publishes nothing of one's own
CREATE TEMP TABLE mine (agent text);
CREATE TRIGGER publish AFTER INSERT ON mine FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
SELECT lives_ok($$INSERT INTO mine VALUES ('x')$$, 'xsell.publish on another table');
RESET SESSION AUTHORIZATION;
SELECT results_eq('SELECT count(DISTINCT agent) FROM xsell.policy', 'VALUES (1::bigint)', 'publishes nothing');

-- ------------------------------------------------------------------------ who may decide, and only that --

SET SESSION AUTHORIZATION xsell_test_owner;
SELECT lives_ok('GRANT EXECUTE ON FUNCTION xsell_decide, xsell_reward TO xsell_test_decider', 'the owner grants functions');
SET SESSION AUTHORIZATION xsell_test_decider;
CREATE TEMP TABLE made AS SELECT d.* FROM customer c, xsell_decide(c, request_key => 'r') d;
SELECT results_eq('SELECT count(product) FROM made', 'VALUES (9::bigint)', 'who was granted xsell_decide decides');
SELECT results_eq($$SELECT DISTINCT xsell_reward(decision_id, 'conversion') FROM made$$, $$VALUES ('recorded')$$, 'and rewards');
SELECT is(current_user::text, 'xsell_test_decider', 'is nobody else afterwards');
SELECT throws_ok('SELECT xsell_decide(c, agent => ''x'') FROM customer c', '42704', NULL, 'nor after an error');
SELECT is(current_user::text, 'xsell_test_decider', 'which is seen here');
SELECT throws_ok('SELECT xsell_choose(c) FROM customer c', '42501', NULL, 'may not choose');
SELECT throws_ok(c, '42501', NULL, c) FROM unnest(ARRAY['SELECT FROM xsell.decision', 'SELECT FROM xsell.contact', 'SELECT FROM xsell.outcome', 'SELECT FROM xsell.policy', 'SELECT FROM xsell.rule',
	'DELETE FROM xsell.decision', 'DELETE FROM xsell.contact', 'UPDATE xsell.evidence SET model_version = 1', 'INSERT INTO xsell.late VALUES (1, ''x'')', 'UPDATE xsell.agent SET status = ''paused''',
	'SET xsell.simulated_now = ''2025-01-01''']) c;
SELECT throws_ok('SELECT xsell_decide(c) FROM xsell.agent c', '42501', NULL, 'nor read rows by deciding for them');
RESET SESSION AUTHORIZATION;
SELECT results_eq('SELECT DISTINCT decided_by FROM xsell.decision ORDER BY 1', $$VALUES ('xsell_test_decider'), ('xsell_test_owner')$$, 'the log knows who decided');
SELECT results_eq('SELECT DISTINCT recorded_by FROM xsell.outcome', $$VALUES ('xsell_test_decider')$$, 'and who rewarded');
-- a switched role does not hide it
SET SESSION AUTHORIZATION xsell_test_decider;
CREATE FUNCTION pg_temp.as_decider() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = x, public AS $$SELECT d.mode FROM customer c, xsell_decide(c) d WHERE id = 1$$;
RESET SESSION AUTHORIZATION;
SELECT isnt(pg_temp.as_decider(), 'none', 'through a function of another''s');
SELECT results_eq('SELECT decided_by FROM xsell.decision ORDER BY decision_id DESC LIMIT 1', format('VALUES (%L)', :'superuser'), 'the session''s user is logged');
-- expressions run as the caller: a function in a rule gives nobody rights
SET SESSION AUTHORIZATION xsell_test_owner;
CREATE FUNCTION public.reads_policy() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM xsell.policy)';
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('retail', 'reads', 'eligibility', 'public.reads_policy()');
SET SESSION AUTHORIZATION xsell_test_decider;
SELECT throws_ok('SELECT xsell_decide(c) FROM customer c', '42501', 'permission denied for table policy', 'a rule reads only what its caller may');
SET SESSION AUTHORIZATION xsell_test_owner;
DELETE FROM xsell.rule WHERE rule = 'reads';
SELECT is((SELECT d.product IS NOT NULL FROM customer c, xsell_decide(c) d WHERE id = 2), true, 'whoever may, may');

-- ------------------------------------------------------------------------------- models --

-- Who refits needs no right on what a refit reads and writes; who looks at models needs them on what views read.
SET SESSION AUTHORIZATION xsell_test_owner;
SELECT decisions > 0 AS learned FROM xsell_learn() \g /dev/null
GRANT EXECUTE ON FUNCTION xsell_refit, xsell_promote, xsell_rollback TO xsell_test_decider;
SET SESSION AUTHORIZATION xsell_test_decider;
SELECT results_eq($$SELECT xsell_refit('retail')$$, 'VALUES (1::bigint)', 'who was granted xsell_refit refits');
SELECT lives_ok($$SELECT xsell_promote('retail', 1, 'tried')$$, 'promotes');
SELECT lives_ok($$SELECT xsell_rollback('retail', 'undone')$$, 'and rolls back');
SELECT throws_ok(c, '42501', NULL, c) FROM unnest('{TABLE xsell.refit,TABLE xsell.promotion,DELETE FROM xsell.refit_evidence,TABLE xsell.model,TABLE xsell.alert,SELECT xsell_models(''retail''),"SELECT xsell_compare(''retail'', 1)"}'::text[]) c;
SET SESSION AUTHORIZATION xsell_test_owner;
SELECT results_eq('SELECT refitted_by FROM xsell.refit UNION ALL SELECT promoted_by FROM xsell.promotion', $$SELECT 'xsell_test_decider' COLLATE "default" FROM generate_series(1, 3)$$, 'under its own name');
GRANT SELECT ON xsell.agent, xsell.offer, xsell.channel, xsell.policy, xsell.learner, xsell.evidence, xsell.feed, xsell.heartbeat, xsell.held, xsell.segment_evidence, xsell.promotion, xsell.model, xsell.coefficient, xsell.decision_rule, xsell.forecast, xsell.season, xsell.change, xsell.alert TO xsell_test_decider;
SET SESSION AUTHORIZATION xsell_test_decider;
SELECT throws_ok('TABLE xsell.' || v, '42501', 'permission denied for function ' || f, v || ' shows what its reader may compute') FROM (VALUES ('model', 'xsell_models'), ('coefficient', 'xsell_model_coefficients'), ('decision_rule', 'xsell_segment_rates')) v (v, f);
SET SESSION AUTHORIZATION xsell_test_owner;
GRANT EXECUTE ON FUNCTION xsell_models, xsell_model_coefficients, xsell_segment_rates TO xsell_test_decider;
SET SESSION AUTHORIZATION xsell_test_decider;
SELECT lives_ok('TABLE xsell.' || v, 'an analyst reads xsell.' || v) FROM unnest('{model,coefficient,decision_rule,forecast,season,change,alert}'::text[]) v;
SELECT isnt_empty($$SELECT FROM xsell.model WHERE refit = 0$$, 'what it is');
RESET SESSION AUTHORIZATION;

-- ------------------------------------------------------------------------------- policy editors --

GRANT SELECT, INSERT, UPDATE, DELETE ON xsell.product, xsell.agent, xsell.channel, xsell.offer, xsell.feature, xsell.rule, xsell.cap, xsell.outcome_kind TO xsell_test_editor;
SET SESSION AUTHORIZATION xsell_test_editor;
SELECT lives_ok(c, c) FROM unnest(ARRAY[
	'INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES (''retail'', ''older'', ''suitability'', ''loan'', ''age > 25'')',
	'UPDATE xsell.product SET attributes = ''{"type": "credit"}'' WHERE product = ''loan''',
	'INSERT INTO xsell.product (product, credit) VALUES (''fund'', false)', 'INSERT INTO xsell.offer (agent, product) VALUES (''retail'', ''fund'')',
	'UPDATE xsell.agent SET strategy = ''ucb''', 'INSERT INTO xsell.cap (agent, cap, product, max_offers, per) VALUES (''retail'', ''c'', ''fund'', 1, ''1 day'')',
	'INSERT INTO xsell.feature (agent, feature, expression) VALUES (''retail'', ''age'', ''age'')', 'DELETE FROM xsell.cap']) c;
SELECT throws_ok('SELECT FROM xsell.policy', '42501', NULL, 'an editor has no right on the history');
SELECT throws_ok('DELETE FROM xsell.policy', '42501', NULL, 'to change it least of all');
SELECT throws_ok('SELECT FROM xsell.decision', '42501', NULL, 'nor on the log');
SELECT throws_ok('SELECT FROM customer', '42501', NULL, 'nor on customers');
SELECT throws_ok('SELECT xsell_decide(NULL)', '42501', NULL, 'nor may decide');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT array_agg(DISTINCT published_by ORDER BY published_by) FROM xsell.policy), '{xsell_test_editor,xsell_test_owner}', 'the history knows who published');
SELECT results_eq($$SELECT published_by FROM xsell.policy ORDER BY policy_version DESC LIMIT 1$$, $$VALUES ('xsell_test_editor')$$, 'also last');
SET SESSION AUTHORIZATION xsell_test_owner;
SELECT results_eq($$SELECT r.product, r.excluded FROM customer c, xsell_rank(c) r WHERE id = 1 ORDER BY 1$$, $$VALUES ('card', NULL), ('fund', NULL), ('loan', 'rule:older')$$, 'an editor''s policy holds');
SELECT is_empty($$SELECT FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical$$, 'and history is replayed');

-- -------------------------------------------------------------------------------------- row security --

ALTER TABLE xsell.contact ENABLE ROW LEVEL SECURITY;
ALTER TABLE xsell.contact FORCE ROW LEVEL SECURITY;
ALTER TABLE xsell.decision ENABLE ROW LEVEL SECURITY;
ALTER TABLE xsell.policy ENABLE ROW LEVEL SECURITY;
SET SESSION AUTHORIZATION xsell_test_decider;
SELECT results_eq('SELECT d.product IS NOT NULL FROM customer c, xsell_decide(c) d WHERE id = 3', 'VALUES (true)', 'row security of the journal does not hide contacts and policies from decisions');
SET SESSION AUTHORIZATION xsell_test_owner;

SELECT lives_ok('DROP EXTENSION xsell CASCADE', 'the owner removes the extension');
RESET SESSION AUTHORIZATION;
ALTER DATABASE :"database" OWNER TO :"superuser";
DROP OWNED BY xsell_test_owner, xsell_test_decider, xsell_test_editor, xsell_test_other CASCADE;
DROP ROLE xsell_test_owner, xsell_test_decider, xsell_test_editor, xsell_test_other;
RESET search_path;
SELECT * FROM finish();
