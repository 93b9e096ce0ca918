-- expressions.sql: what expressions mean, for whom they are evaluated, and when they are compiled anew.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2025-03-03 09:00+00';

CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN score AS numeric CHECK (VALUE >= 0);
CREATE DOMAIN tag AS text;
CREATE TYPE address AS (city text, zip int);
CREATE TABLE customer (
	id bigint PRIMARY KEY, gone int, flag boolean, small smallint, four int, eight bigint, num numeric, single real, dbl float8,
	txt text, var varchar(10), chr char(6), nam name, mood mood, rating score, tag tag, home address, born date
);
ALTER TABLE customer DROP COLUMN gone;
INSERT INTO customer VALUES
	(1, true, 1, 2, 3, 4.5, 5.25, -6, 'a', 'b', 'c', 'd', 'bad', 7, 'e', '("Köln",50667)', '2000-02-29'),
	(2, false, -1, -2, -3, -4.5, -5.25, 600, 'A', 'zz', 'zz', 'zz', 'good', 700, 'zz', NULL, '1990-01-01'),
	(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed) VALUES ('a', 'customer', 'id', 7);
INSERT INTO xsell.channel (agent, channel, attributes) VALUES ('a', 'web', '{"cost": 0, "human": false}'), ('a', 'branch', '{"cost": 2.5, "human": true}');
INSERT INTO xsell.product (product, credit, attributes) VALUES ('card', true, '{"type": "card", "rank": 1, "new": true, "null": null}'), ('loan', true, '{"type": "loan", "rank": 2.5}');
INSERT INTO xsell.offer (agent, product) VALUES ('a', 'card'), ('a', 'loan');

-- The features of one arm, as the model sees them
CREATE FUNCTION pg_temp.features(key bigint, product text DEFAULT 'card', channel text DEFAULT 'web', context jsonb DEFAULT NULL) RETURNS real[] LANGUAGE sql AS $$
	SELECT d.features FROM customer c, xsell_choose(c, ARRAY[$2], channel => $3, context => $4) d WHERE c.id = $1
$$;
-- Those of a single feature, without the intercept
CREATE FUNCTION pg_temp.encoded(expression text, key bigint, levels text[] DEFAULT NULL, center float8 DEFAULT NULL, scale float8 DEFAULT NULL, clip float8 DEFAULT NULL,
	product text DEFAULT 'card', channel text DEFAULT 'web', context jsonb DEFAULT NULL) RETURNS real[] LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM xsell.feature;
	INSERT INTO xsell.feature (agent, feature, expression, levels, center, scale, clip) VALUES ('a', 'f', $1, $3, $4, $5, $6);
	RETURN (pg_temp.features($2, $7, $8, $9))[2:];
END $$;
-- Is the product allowed under this rule?
CREATE FUNCTION pg_temp.allows(expression text, key bigint DEFAULT 1, product text DEFAULT 'card', channel text DEFAULT 'web', context jsonb DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM xsell.rule;
	INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'r', 'eligibility', $1);
	RETURN (SELECT r.excluded IS NULL FROM customer c, xsell_rank(c, ARRAY[$3], channel => $4, context => $5) r WHERE c.id = $2);
END $$;

-- ------------------------------------------------------------------ encodings --

SELECT is(pg_temp.features(1), '{1}', 'without features there is the intercept');
SELECT is(ARRAY[pg_temp.encoded('flag', 1), pg_temp.encoded('flag', 2), pg_temp.encoded('flag', 3)], '{{1,0},{0,0},{0,1}}', 'boolean');
SELECT is(ARRAY[pg_temp.encoded(e, 1), pg_temp.encoded(e, 2), pg_temp.encoded(e, 3)], ARRAY[[v, 0], [-v, 0], [0, 1]]::real[], e)
	FROM (VALUES ('small', 1), ('four', 2), ('eight', 3), ('num', 4.5), ('single', 5.25), ('customer.four', 2), ('four * 1.5', 3), ('coalesce(num, NULL)', 4.5)) v (e, v);
SELECT is(ARRAY[pg_temp.encoded('dbl', 1), pg_temp.encoded('dbl', 2)], '{{-6,0},{8,0}}', 'numbers are clipped to 8');
SELECT is(ARRAY[pg_temp.encoded('dbl', 1, clip => 3), pg_temp.encoded('dbl', 2, clip => 3)], '{{-3,0},{3,0}}', 'or less');
SELECT is(ARRAY[pg_temp.encoded('dbl', 1, center => 300, scale => 200), pg_temp.encoded('dbl', 2, center => 300, scale => 200), pg_temp.encoded('dbl', 3, center => 300, scale => 200)],
	'{{-1.53,0},{1.5,0},{0,1}}', 'after centring and scaling; NULL is the centre');
SELECT is(pg_temp.encoded('rating', 1, scale => 2), '{3.5,0}', 'domains over numbers');
SELECT is(ARRAY[pg_temp.encoded(e, 1, ARRAY['x', v]), pg_temp.encoded(e, 2, ARRAY['x', v]), pg_temp.encoded(e, 3, ARRAY['x', v])], '{{0,1,0,0},{0,0,1,0},{0,0,0,1}}', 'level, other, NULL: ' || e)
	FROM (VALUES ('txt', 'a'), ('var', 'b'), ('chr', 'c'), ('nam', 'd'), ('mood', 'bad'), ('tag', 'e'), ('to_char(born, ''MMDD'')', '0229')) v (e, v);
SELECT is(ARRAY[pg_temp.encoded('(home).city', 1, '{Köln}'), pg_temp.encoded('(home).city', 2, '{Köln}')], '{{1,0,0},{0,0,1}}', 'fields of composites');
SELECT is(pg_temp.encoded('''x''', 1, '{x}'), '{1,0,0}', 'an untyped literal is text');
SELECT is(pg_temp.encoded('extract(year FROM born) - 2000', 2), '{-8,0}', 'dates by what is extracted');
SELECT is(ARRAY[pg_temp.encoded('txt', 1, '{a,a}'), pg_temp.encoded('txt', 1, '{"",a}'), pg_temp.encoded('''''', 1, '{"",a}')], '{{1,0,0,0},{0,1,0,0},{1,0,0,0}}', 'levels twice and empty');
SELECT is(pg_temp.encoded('NULL', 1), '{0,1}', 'NULL for all');
SELECT is(pg_temp.encoded('NULL', 1, '{x}'), '{0,0,1}', 'with levels too');

-- order of columns: customer's by name, then those that differ between arms, then the propensity
DELETE FROM xsell.feature;
INSERT INTO xsell.feature (agent, feature, expression, levels) VALUES
	('a', 'z', 'four', NULL), ('a', 'b', 'product.rank', NULL), ('a', 'A', 'txt', '{a}'), ('a', 'é', 'channel.human', NULL), ('a', 'c', 'flag', NULL);
UPDATE xsell.offer SET propensity = '0.5' WHERE product = 'loan';
SELECT is(pg_temp.features(1), '{1, 1,0,0, 1,0, 2,0, 1,0, 0,0, 0}', 'order of columns');
SELECT is(pg_temp.features(1, 'loan', 'branch'), '{1, 1,0,0, 1,0, 2,0, 2.5,0, 1,0, 2.944439}', 'for every arm');
UPDATE xsell.offer SET propensity = '0.2' WHERE product = 'loan';
SELECT is(round((pg_temp.features(1, 'loan'))[13]::numeric, 5), 1.55814, 'the propensity is the last: its logit, centred at 5 %');
UPDATE xsell.offer SET propensity = NULL;
DELETE FROM xsell.feature;

-- ---------------------------------------------------------- products and channels --

SELECT is(ARRAY[pg_temp.encoded('product.rank', 1), pg_temp.encoded('product.rank', 1, product => 'loan'), pg_temp.encoded('product.rank * four', 1, product => 'loan'),
	pg_temp.encoded('product.new', 1), pg_temp.encoded('product.new', 1, product => 'loan'), pg_temp.encoded('channel.cost + four', 1, channel => 'branch')],
	'{{1,0},{2.5,0},{5,0},{1,0},{0,1},{4.5,0}}', 'numbers and booleans');
SELECT is(ARRAY[pg_temp.encoded('product.type', 1, '{card,loan}'), pg_temp.encoded('product.type', 1, '{card,loan}', product => 'loan'),
	pg_temp.encoded('product.product', 1, '{x,loan}', product => 'loan'), pg_temp.encoded('channel.channel || product.type', 1, '{webcard,branchloan}', product => 'loan', channel => 'branch')],
	'{{1,0,0,0},{0,1,0,0},{0,1,0,0},{0,1,0,0}}', 'text');
SELECT is(ARRAY[pg_temp.allows('product.rank = 1'), pg_temp.allows('product.rank = 1', product => 'loan'), pg_temp.allows('product.new'), pg_temp.allows('product.new', product => 'loan'),
	pg_temp.allows('NOT channel.human'), pg_temp.allows('NOT channel.human', channel => 'branch'), pg_temp.allows('product.null IS NULL'), pg_temp.allows('product."null" = ''x''')],
	'{t,f,t,f,t,f,t,f}', 'in rules; what a product has not is NULL');
-- folded away, an error at run time does not happen
SELECT is(ARRAY[pg_temp.allows('product.type <> ''loan'' OR 1 / (four - four) > 0'), pg_temp.allows('channel.human OR 1 / (four - four) > 0', channel => 'branch'),
	pg_temp.allows('CASE product.type WHEN ''loan'' THEN 1 / (four - four) > 0 ELSE true END')], '{t,t,t}', 'what does not concern an arm is not computed for it');
SELECT throws_ok($$SELECT pg_temp.allows('product.type <> ''loan'' OR 1 / (four - four) > 0', product => 'loan')$$, '22012', 'division by zero', 'but for others');
SELECT throws_ok($$SELECT pg_temp.allows('product.typ = ''loan''')$$, '42703', NULL, 'an attribute that no product has is an error');
DELETE FROM xsell.rule;
-- attributes of different types
INSERT INTO xsell.product (product, credit, attributes) VALUES ('0', false, '{}'), ('text', false, '{"rank": "first"}');
INSERT INTO xsell.offer (agent, product) VALUES ('a', '0');
SELECT is(ARRAY[pg_temp.encoded('product.rank', 1, product => '0'), pg_temp.encoded('product.rank', 1)], '{{0,1},{1,0}}', 'the first product may lack what others have');
SELECT throws_ok($$SELECT pg_temp.encoded('product.rank', 1, '{1,2}')$$, '22023', 'numeric feature "f" of agent "a" has levels', 'so the kind is that of the others');
SELECT pg_temp.encoded('product.rank', 1) \g /dev/null
SELECT throws_ok($$INSERT INTO xsell.offer (agent, product) VALUES ('a', 'text')$$, '42804', 'feature "f" of agent "a" is numeric for one arm and text for another', 'who must agree');
SELECT is(pg_temp.encoded('product.rank::text', 1, '{1,first}'), '{1,0,0,0}', 'a cast makes them so');
INSERT INTO xsell.offer (agent, product) VALUES ('a', 'text');
SELECT is(pg_temp.features(1, 'text'), '{1,0,1,0,0}', 'for all');
DELETE FROM xsell.offer;
DELETE FROM xsell.feature;
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('a', 'rank', 'product.rank');
INSERT INTO xsell.offer (agent, product) VALUES ('a', 'card'), ('a', 'loan');
SELECT is(pg_temp.features(1, 'loan'), '{1,2.5,0}', 'features may come before offers');
DELETE FROM xsell.feature;

-- ------------------------------------------------------------------------ context --

SELECT is(ARRAY[pg_temp.allows('context.page = ''home''', context => '{"page": "home"}'), pg_temp.allows('context.page = ''home''', context => '{"page": "cart"}'), pg_temp.allows('context.page = ''home''', context => '{}'),
	pg_temp.allows('context.page = ''home'''), pg_temp.allows('context.page IS NULL'), pg_temp.allows('context.page = ''home''', context => '{"page": null}'),
	pg_temp.allows('context.n::int > 5', context => '{"n": 6}'), pg_temp.allows('context.n::int > 5', context => '{"n": "6"}'), pg_temp.allows('(context.o::jsonb ->> ''k'') = ''v''', context => '{"o": {"k": "v"}}')],
	'{t,f,f,f,t,f,t,t,t}', 'keys of the call''s context are text, or NULL');
SELECT throws_ok($$SELECT pg_temp.allows('context.n::int > 5', context => '{"n": "six"}')$$, '22P02', NULL, 'that is cast when it is there');
DELETE FROM xsell.rule;
SELECT is(ARRAY[pg_temp.encoded('context.page', 1, '{home}', context => '{"page": "home"}'), pg_temp.encoded('context.page', 1, '{home}')], '{{1,0,0},{0,0,1}}', 'as a feature');
DELETE FROM xsell.feature;
DELETE FROM xsell.rule;

-- ------------------------------------------------------------------- kinds of rows --

INSERT INTO xsell.feature (agent, feature, expression) VALUES ('a', 'four', 'four');
CREATE VIEW customer_view AS SELECT four, id FROM customer;
CREATE DOMAIN good_customer AS customer CHECK ((VALUE).id > 0);
CREATE TABLE stored (c customer);
INSERT INTO stored SELECT c FROM customer c WHERE id = 1;
SELECT is(ARRAY[(SELECT d.features FROM customer_view c, xsell_choose(c) d WHERE id = 1), (SELECT d.features FROM (SELECT 1 AS id, 2 AS four) c, xsell_choose(c) d),
	(SELECT d.features FROM xsell_choose((SELECT c::good_customer FROM customer c WHERE id = 1)) d), (SELECT d.features FROM stored, xsell_choose(c) d),
	(SELECT d.features FROM (SELECT 2::smallint AS four, 'x' AS other, 1::numeric AS id) c, xsell_choose(c) d)], '{{1,2,0},{1,2,0},{1,2,0},{1,2,0},{1,2,0}}',
	'rows of a view, a subquery, a domain, a column, with other types of numbers');
ALTER TABLE customer ADD COLUMN late int;
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('a', 'late', 'late');
SELECT is((SELECT d.features FROM stored, xsell_choose(c) d), '{1,2,0,0,1}', 'a stored row from before a column was added');
SELECT throws_ok($$SELECT xsell_choose(c) FROM customer_view c$$, '42703', 'the customer row has no column "late"', 'but a view does not grow');
DROP TABLE stored;
DROP VIEW customer_view;
ALTER TABLE customer ADD COLUMN later int DEFAULT 5;
UPDATE xsell.feature SET expression = 'later' WHERE feature = 'late';
SELECT is(pg_temp.features(1), '{1,2,0,5,0}', 'a column with a default that no row stores');

-- ------------------------------------------------------------------- changed tables --

PREPARE choose AS SELECT d.features FROM customer c, xsell_choose(c, '{card}', channel => 'web') d WHERE id = 1;
SELECT results_eq('choose', $$VALUES ('{1,2,0,5,0}'::real[])$$, 'prepared');
ALTER TABLE customer DROP COLUMN late;
SELECT results_eq('choose', $$VALUES ('{1,2,0,5,0}'::real[])$$, 'after another column was dropped');
ALTER TABLE customer ALTER COLUMN four TYPE numeric USING four + 0.5;
SELECT results_eq('choose', $$VALUES ('{1,2.5,0,5,0}'::real[])$$, 'after its type has changed');
ALTER TABLE customer ALTER COLUMN four TYPE text USING four::text;
SELECT throws_ok('choose', '42804', 'feature "four" is text for this row, not numeric', 'to another kind');
ALTER TABLE customer ALTER COLUMN four TYPE int USING four::numeric::int;
SELECT results_eq('choose', $$VALUES ('{1,3,0,5,0}'::real[])$$, 'and back');
ALTER TABLE customer RENAME COLUMN four TO vier;
SELECT throws_ok('choose', '42703', 'the customer row has no column "four"', 'after it was renamed');
UPDATE xsell.feature SET expression = 'vier' WHERE feature = 'four';
SELECT lives_ok('choose', 'and the feature too');
ALTER TABLE customer RENAME COLUMN vier TO four;
UPDATE xsell.feature SET expression = 'four' WHERE feature = 'four';
ALTER TABLE customer RENAME TO client;
SELECT lives_ok('SELECT xsell_choose(c) FROM client c', 'a table may be renamed');
ALTER TABLE client RENAME TO customer;
ALTER TYPE address ADD ATTRIBUTE street text;
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'r', 'eligibility', '(home).street IS NULL AND (home).city = ''Köln''');
SELECT lives_ok('choose', 'a composite column grows');
ALTER TYPE address DROP ATTRIBUTE city;
SELECT results_eq($$SELECT r.excluded FROM customer c, xsell_rank(c, '{card}', channel => 'web') r WHERE id = 1$$, $$VALUES ('rule:r')$$, 'or shrinks: what is gone is NULL');
DELETE FROM xsell.rule;

-- ------------------------------------------------------------------ changed functions --

CREATE SCHEMA bank;
CREATE FUNCTION bank.rich(numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 1';
CREATE FUNCTION bank.known(bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1 = 1; END';
CREATE FUNCTION pg_temp.allowed(key bigint DEFAULT 1) RETURNS boolean LANGUAGE sql AS $$
	SELECT r.excluded IS NULL FROM customer c, xsell_rank(c, '{card}', channel => 'web') r WHERE id = key
$$;
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'rich', 'eligibility', 'bank.rich(num)'), ('a', 'known', 'eligibility', 'bank.known(id)');
SELECT is(pg_temp.allowed(), true, 'functions of the bank');
CREATE OR REPLACE FUNCTION bank.rich(numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 100';
SELECT is(pg_temp.allowed(), false, 'inlined, and replaced');
CREATE OR REPLACE FUNCTION bank.rich(numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 1';
SELECT is(pg_temp.allowed(), true, 'twice');
CREATE OR REPLACE FUNCTION bank.known(bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1 = 2; END';
SELECT is(pg_temp.allowed(), false, 'called, and replaced');
BEGIN;
DROP FUNCTION bank.known;
SELECT throws_ok('choose', '42883', 'function bank.known(bigint) does not exist', 'dropped');
ROLLBACK;
SELECT is(pg_temp.allowed(), false, 'and not dropped after all');
CREATE OR REPLACE FUNCTION bank.known(bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 = 1; END';
SELECT throws_ok('choose', '42P17', 'an expression may not call volatile functions', 'volatile now');
CREATE OR REPLACE FUNCTION bank.known(bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1 = 1; END';
ALTER DOMAIN score ADD CHECK (VALUE < 1000);
UPDATE xsell.rule SET expression = '(num * 100)::public.score IS NOT NULL' WHERE rule = 'rich';
SELECT is(pg_temp.allowed(), true, 'a domain');
ALTER DOMAIN score ADD CHECK (VALUE < 400) NOT VALID;
SELECT throws_ok('choose', '23514', NULL, 'with a new constraint');
DELETE FROM xsell.rule;

-- ------------------------------------------------------- policies are seen as rows are --

BEGIN;
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'never', 'eligibility', 'false');
SELECT is(pg_temp.allowed(), false, 'a policy holds from the next statement');
SAVEPOINT s;
UPDATE xsell.rule SET expression = 'true';
SELECT is(pg_temp.allowed(), true, 'every one');
ROLLBACK TO s;
SELECT is(pg_temp.allowed(), false, 'and is rolled back');
UPDATE xsell.rule SET expression = 'id = 1';
SELECT is(pg_temp.allowed(1), true, 'the version number is used again');
SELECT is(pg_temp.allowed(2), false, 'for another policy');
ROLLBACK;
SELECT is(pg_temp.allowed(), true, 'ROLLBACK too');
BEGIN;
DECLARE before CURSOR FOR SELECT r.excluded FROM generate_series(1, 2) i, customer c, LATERAL (SELECT * FROM xsell_rank(c, '{card}', channel => 'web', context => jsonb_build_object('i', i))) r WHERE id = 1;
FETCH before \g /dev/null
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'never', 'eligibility', 'false');
SELECT results_eq('FETCH before', 'VALUES (NULL::text)', 'a command that has begun goes on with the policy it began with');
SELECT is(pg_temp.allowed(), false, 'while others have the new one');
ROLLBACK;

-- -------------------------------------------------------------------------- search_path --

CREATE SCHEMA evil;
CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);
CREATE FUNCTION evil.upper(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'X'::text$$;
CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'X'::text$$;
-- pgTAP itself would be fooled
SET search_path = evil, pg_catalog, public;
SELECT 'a' = 'b'::text AS fooled, pg_temp.allows('txt = ''b''') AS operator, pg_temp.allows('upper(txt) = ''X'' OR lower(txt) = ''X''') AS function \gset
DELETE FROM xsell.rule;
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'r', 'eligibility', 'txt = ''a''');
SELECT array_agg(product IS NOT NULL ORDER BY id) AS decided FROM customer c, xsell_decide(c) d \gset
SELECT xsell_record(x) > 0 AS recorded FROM customer c, xsell_choose(c) x WHERE id = 1 \gset
SELECT bool_and(identical) AS replayed FROM xsell.decision d, xsell_replay(d.decision_id) r \gset
SELECT xsell_reward(decision_id, 'conversion') AS rewarded FROM xsell.decision WHERE product IS NOT NULL LIMIT 1 \gset
SELECT decision_id AS k1 FROM customer c, xsell_decide(c, request_key => 'k1') d WHERE id = 1 \gset
SELECT decision_id AS k2 FROM customer c, xsell_decide(c, request_key => 'k2') d WHERE id = 1 \gset
SET search_path = '';
SELECT pg_catalog.array_agg(product IS NOT NULL ORDER BY id) AS plain FROM public.customer c, public.xsell_decide(c) d \gset
RESET search_path;
SELECT is(:'fooled'::text, 't', 'an operator of the caller''s that is always true');
SELECT is(:'operator'::text, 'f', 'means nothing to an expression');
SELECT is(:'function'::text, 'f', 'nor do functions');
SELECT is(ARRAY[:'decided', :'recorded', :'replayed', :'rewarded', (:k1 <> :k2)::text], '{"{t,f,f}",t,t,recorded,true}', 'nor to the journal');
SELECT is(:'plain'::text, '{t,f,f}', 'with an empty search_path');
-- a function that is written without schema is not found, whatever the caller's path
SELECT throws_ok($$UPDATE xsell.rule SET expression = 'yes(txt, txt)'$$, '42883', NULL, 'names of functions need their schema');
DELETE FROM xsell.rule;

-- -------------------------------------------------------------------------------- roles --

CREATE ROLE xsell_test_caller;
GRANT EXECUTE ON FUNCTION xsell_choose TO xsell_test_caller;
GRANT SELECT ON customer TO xsell_test_caller;
GRANT USAGE ON SCHEMA bank TO xsell_test_caller;
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('a', 'known', 'eligibility', 'bank.known(id)');
DEALLOCATE choose;
PREPARE choose AS SELECT d.mode <> 'none' FROM customer c, xsell_choose(c, '{card}', channel => 'web') d WHERE id = 1;
SELECT results_eq('choose', 'VALUES (true)', 'the owner');
SET ROLE xsell_test_caller;
SELECT results_eq('choose', 'VALUES (true)', 'and another role may call the function');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION bank.known FROM PUBLIC;
SELECT results_eq('choose', 'VALUES (true)', 'the owner still may');
SET ROLE xsell_test_caller;
SELECT throws_ok('choose', '42501', 'permission denied for function known', 'who may not, has no use of what the owner compiled');
RESET ROLE;
SELECT results_eq('choose', 'VALUES (true)', 'nor spoils it');
CREATE FUNCTION bank.who() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN current_user; END';
UPDATE xsell.rule SET expression = 'bank.who() = ''xsell_test_caller''';
SELECT results_eq('choose', 'VALUES (false)', 'expressions run as their caller');
SET ROLE xsell_test_caller;
SELECT results_eq('choose', 'VALUES (true)', 'whoever that is');
RESET ROLE;
DROP OWNED BY xsell_test_caller;
DROP ROLE xsell_test_caller;

-- ------------------------------------------------------------------- journals come and go --

SELECT xsell_learn() \g /dev/null
SELECT cmp_ok(model_version, '>', 0::bigint, 'something was learned') FROM xsell.learner;
SELECT model_version AS version FROM xsell.learner \gset
UPDATE xsell.rule SET expression = 'true';
CREATE TABLE before AS SELECT r.* FROM customer c, xsell_rank(c, '{card}', channel => 'web') r WHERE id = 1;
BEGIN;
SELECT xsell_drop_journal() \g /dev/null
SELECT throws_ok('choose', '42P01', 'the xsell journal does not exist', 'without a journal');
SELECT xsell_create_journal('text') \g /dev/null
INSERT INTO xsell.learner (agent, model_version) VALUES ('a', :version);
SELECT isnt((SELECT r.mean FROM customer c, xsell_rank(c, '{card}', channel => 'web') r WHERE id = 1), (SELECT mean FROM before), 'a new one has learned nothing');
ROLLBACK;
SELECT is((SELECT r.mean FROM customer c, xsell_rank(c, '{card}', channel => 'web') r WHERE id = 1), (SELECT mean FROM before), 'the old one has');

SELECT * FROM finish();
