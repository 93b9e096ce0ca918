-- Publishing: what is stored is valid, nobody edits past the history, and a kill
-- switch works when all else is broken.
BEGIN;
SELECT plan(20);
SET client_min_messages = warning;
SELECT xsell_create_journal('bigint');
CREATE TABLE customer (id bigint, n text, u uuid, age int, worth float8, score float8);
INSERT INTO customer SELECT i, i::text, gen_random_uuid(), 20 + i, 1, CASE WHEN i > 1 THEN 0.3 END FROM generate_series(1, 5) i;
CREATE FUNCTION nice(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
INSERT INTO xsell.agent (agent, customer_table, customer_key, learning, oracle, neutral_rate) VALUES ('a', 'customer', 'id', 'deferred', 'beta', 0.04);
INSERT INTO xsell.channel (agent, channel) VALUES ('a', 'web');
INSERT INTO xsell.product (product, credit) VALUES ('card', true);
INSERT INTO xsell.offer (agent, product, propensity) VALUES ('a', 'card', 'score');
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'nice', 'suitability', 'public.nice(age)');

-- what belongs to no agent has its history too
UPDATE xsell.product SET name = 'Card';
INSERT INTO xsell.market VALUES ('rate', '2026-01-01', '1');
DELETE FROM xsell.market;
SELECT results_eq($$SELECT part, before->>'name', after->>'name' FROM xsell.row_history WHERE part = 'product' ORDER BY changed_at$$,
	$$VALUES ('product', NULL::text, NULL), ('product', NULL, 'Card')$$, 'every change of a product is kept');
SELECT results_eq($$SELECT before->>'value', after->>'value', changed_by = session_user FROM xsell.row_history WHERE part = 'market' ORDER BY changed_at$$,
	$$VALUES (NULL::text, '1', true), ('1', NULL, true)$$, 'and of the market, with who made it');
SELECT throws_ok('TRUNCATE xsell.market', '0A000', 'table xsell.market cannot be truncated', 'nothing gets past it');

-- keys must fit the journal
SELECT throws_ok($$UPDATE xsell.agent SET customer_key = 'n'$$, '42804', NULL, 'a text key for a bigint journal');
SELECT throws_ok($$UPDATE xsell.agent SET customer_key = 'u'$$, '42804', NULL, 'a uuid key for a bigint journal');
SELECT lives_ok($$UPDATE xsell.agent SET customer_key = 'age'$$, 'an integer is good enough');
UPDATE xsell.agent SET customer_key = 'id';

-- a NULL score is the neutral rate
SELECT is((SELECT propensity FROM customer c, xsell_rank(c) WHERE id = 1), NULL, 'NULL propensity');
SELECT is((SELECT propensity FROM customer c, xsell_rank(c) WHERE id = 2), 0.3::float8, 'and one that is known');

-- the switch of pg_dump's scripts is the owner's
CREATE ROLE xsell_test_editor;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA xsell TO xsell_test_editor;
REVOKE ALL ON xsell.row_history, xsell.policy FROM xsell_test_editor;
GRANT SELECT ON xsell.policy TO xsell_test_editor;
GRANT SELECT ON customer TO xsell_test_editor;
CREATE TEMP TABLE before AS SELECT max(policy_version) AS v FROM xsell.policy;
GRANT SELECT ON before TO xsell_test_editor;
SET SESSION AUTHORIZATION xsell_test_editor;
SET check_function_bodies = off;
UPDATE xsell.agent SET epsilon = 0.3;
SELECT is(max(policy_version), (SELECT v + 1 FROM before), 'an editor publishes, check_function_bodies or not') FROM xsell.policy;
SELECT lives_ok($$UPDATE xsell.product SET name = 'Plastic card'$$, 'an editor needs no rights on the history');
RESET SESSION AUTHORIZATION;
SELECT is(count(*), 1::bigint, 'which is kept all the same') FROM xsell.row_history WHERE after->>'name' = 'Plastic card';
UPDATE xsell.agent SET epsilon = 0.4;
SELECT is(max(policy_version), (SELECT v + 1 FROM before), 'the owner restores without publishing') FROM xsell.policy;
RESET check_function_bodies;
UPDATE xsell.agent SET epsilon = 0.3;

-- beta looks at no features: it keeps what it knows when they change
CREATE TEMP TABLE made AS SELECT d.* FROM customer c, xsell_decide(c) d;
SELECT xsell_reward(decision_id, 'conversion') FROM made;
SELECT xsell_learn('a');
CREATE TEMP TABLE known AS SELECT expected FROM customer c, xsell_rank(c) WHERE id = 2;
SELECT cmp_ok((SELECT expected FROM known), '>', 0.4::float8, 'five conversions count');
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('a', 'age', 'age / 10');
SELECT is((SELECT expected FROM customer c, xsell_rank(c) WHERE id = 2), (SELECT expected FROM known), 'a feature makes no difference to beta');
CREATE TEMP TABLE later AS SELECT d.* FROM customer c, xsell_decide(c) d;
SELECT ok(bool_and(r.identical), 'replay under both layouts') FROM xsell.decision d, xsell_replay(d.decision_id) r;

-- contacts outlive the caps of their time
INSERT INTO xsell.cap (agent, cap, max_offers, per) VALUES ('a', 'short', 100, '1 second');
SELECT is((SELECT excluded FROM customer c, xsell_rank(c) WHERE id = 3), NULL, 'a short cap allows');
UPDATE xsell.cap SET per = '30 days', max_offers = 2;
SELECT is((SELECT excluded FROM customer c, xsell_rank(c) WHERE id = 3), 'cap:short', 'lengthened, it finds the contacts there were');

-- pausing works when the customer table and a function are gone
DROP FUNCTION nice(int);
DROP TABLE customer;
SELECT throws_ok($$UPDATE xsell.agent SET epsilon = 0.1$$, '42P01', NULL, 'without its table a policy does not change');
SELECT lives_ok($$UPDATE xsell.agent SET status = 'paused'$$, 'but it pauses');
SELECT is((SELECT definition #>> '{agent,status}' FROM xsell.policy ORDER BY policy_version DESC LIMIT 1), 'paused', 'and that is published');

SELECT * FROM finish();
ROLLBACK;
