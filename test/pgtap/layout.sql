-- layout.sql: what was decided under an earlier layout of features, read under a later one.
--
-- The reference is the encoder: decisions of the past are encoded again, of the
-- same customers, under the policy of now, and aggregated at the linear predictor
-- that was logged.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null

CREATE TABLE customer (
	id bigint PRIMARY KEY, age int, balance numeric, segment text, vip boolean,
	later numeric, later_text text, later_flag boolean, s_card float8, s_fund float8
);
INSERT INTO customer (id, age, balance, segment, vip, s_card, s_fund)
SELECT i, CASE WHEN i % 7 > 0 THEN 18 + i % 60 END, i * 37 % 1000, (ARRAY['student', 'family', 'senior', 'farmer', NULL])[1 + i % 5],
	CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END, 0.01 + i % 20 / 40.0, 0.02 + i % 9 / 30.0
FROM generate_series(1, 300) i;

INSERT INTO xsell.product (product, credit, attributes) VALUES ('card', true, '{"fee": 20}'), ('loan', true, '{"fee": 90}'), ('fund', false, '{"fee": 5}');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy) VALUES ('bank', 'customer', 'id', 42, 'deferred', 'uniform');
INSERT INTO xsell.channel (agent, channel) VALUES ('bank', 'web'), ('bank', 'email');
INSERT INTO xsell.offer (agent, product, propensity) VALUES ('bank', 'card', 's_card'), ('bank', 'fund', 's_fund'), ('bank', 'loan', NULL);
INSERT INTO xsell.feature (agent, feature, expression, center, scale, clip, levels) VALUES
	('bank', 'age', 'age', 45, 15, 2, NULL), ('bank', 'balance', 'balance', 500, 200, NULL, NULL), ('bank', 'fee', 'product.fee::float8', NULL, 50, NULL, NULL),
	('bank', 'segment', 'segment', NULL, NULL, NULL, '{student,family,senior}'), ('bank', 'vip', 'vip', NULL, NULL, NULL, NULL);

CREATE FUNCTION pg_temp.encoding(agent text DEFAULT 'bank') RETURNS int LANGUAGE sql AS $$
	SELECT (definition #>> '{layout,encoding}')::int FROM xsell.policy p WHERE p.agent = $1 ORDER BY policy_version DESC LIMIT 1
$$;

-- ------------------------------------------------------- decisions of the first layout --

SET xsell.simulated_now = '2026-01-05 12:00+00';
SELECT count(d) FROM customer c, xsell_decide(c) d \g /dev/null
CREATE TABLE answered AS SELECT decision_id FROM xsell.decision WHERE customer_key % 6 = 0;
SELECT xsell_reward(decision_id, 'conversion') FROM answered \g /dev/null
SET xsell.simulated_now = '2026-01-05 13:00+00';
SELECT xsell_learn('bank') \g /dev/null
CREATE TABLE old AS
SELECT d.*, (a.decision_id IS NOT NULL)::int::float8 AS reward FROM xsell.decision d LEFT JOIN answered a USING (decision_id);
SELECT pg_temp.encoding() AS first \gset
SELECT results_eq('SELECT product, count(*) > 50, min(cardinality(features)) FROM old GROUP BY 1 ORDER BY 1', $$VALUES ('card', true, 15), ('fund', true, 15), ('loan', true, 15)$$, 'there are decisions of each product');

-- Products whose decisions of then are encoded otherwise now than xsell_remap has it, or whose evidence is.
CREATE FUNCTION pg_temp.differs(products text[] DEFAULT '{card,fund,loan}') RETURNS text[] LANGUAGE sql AS $$
	WITH again AS (
		SELECT o.product, o.reward, o.linear_predictor, d.features,
			   xsell_remap(o.features, xsell_layout_map('bank', o.encoding, pg_temp.encoding(), o.product)) AS mapped
		  FROM old o JOIN customer c ON c.id = o.customer_key, xsell_choose(c, ARRAY[o.product], 'bank', o.channel) d
		 WHERE o.product = ANY ($1)),
	summed AS (
		SELECT product, count(*) FILTER (WHERE features IS DISTINCT FROM mapped) AS rows,
			   xsell_glm_agg(features, reward, linear_predictor, 1, 'logit') AS glm FROM again GROUP BY product)
	SELECT coalesce(array_agg(product ORDER BY product), '{}')
	  FROM summed s JOIN xsell.evidence e USING (product)
	 WHERE e.agent = 'bank' AND (s.rows > 0 OR s.glm IS DISTINCT FROM xsell_remap(e.glm, xsell_layout_map('bank', e.encoding, pg_temp.encoding(), product)))
$$;
SELECT is(pg_temp.differs(), '{}', 'nothing changed: as it was');

UPDATE xsell.feature SET feature = 'years' WHERE feature = 'age';
SELECT isnt(pg_temp.encoding(), :first, 'a renamed feature makes another layout');
SELECT is(pg_temp.differs(), '{}', 'of the same features: its columns move');

INSERT INTO xsell.feature (agent, feature, expression, levels) VALUES
	('bank', 'a', 'later', NULL), ('bank', 'k', 'later_flag', NULL), ('bank', 'z', 'later_text', '{one,two}');
SELECT is(pg_temp.differs(), '{}', 'added features: what was decided then did not know them');

DELETE FROM xsell.feature WHERE feature IN ('balance', 'k');
SELECT is(pg_temp.differs(), '{}', 'dropped features: as if they had never been');

UPDATE xsell.feature SET levels = '{new,senior,family}' WHERE feature = 'segment';
SELECT is(pg_temp.differs(), '{}', 'levels: those kept move, those no longer declared are other');
UPDATE xsell.feature SET levels = '{new}' WHERE feature = 'segment';
SELECT is(pg_temp.differs(), '{}', 'none kept: all are other');
UPDATE xsell.feature SET levels = '{senior,student,senior,family}' WHERE feature = 'segment';
SELECT is(pg_temp.differs(), '{}', 'a level declared twice is the first of the two');

INSERT INTO xsell.feature (agent, feature, expression, levels) VALUES ('bank', 'twice', 'segment', '{family}');
SELECT is(pg_temp.differs(), '{}', 'a feature under two names has its values twice');

ALTER TABLE customer ALTER vip TYPE integer USING NULL;
UPDATE xsell.offer SET max_share = 1;
SELECT is(pg_temp.differs(), '{}', 'of another kind: another feature');

UPDATE xsell.feature SET center = 3 WHERE feature IN ('segment', 'a');
SELECT is(pg_temp.differs(), '{}', 'a centre is nothing to a text');

UPDATE xsell.feature SET scale = 10 WHERE feature = 'years';
SELECT is(pg_temp.differs(), '{card,fund,loan}', 'a feature scaled otherwise has no old values');
UPDATE customer SET age = NULL;
SELECT is(pg_temp.differs(), '{}', 'and counts as not known then');

UPDATE xsell.feature SET scale = 15, clip = 3 WHERE feature = 'years';
SELECT is(pg_temp.differs(), '{}', 'clipped otherwise: the same');
UPDATE xsell.feature SET clip = 2, center = 40 WHERE feature = 'years';
SELECT is(pg_temp.differs(), '{}', 'centred otherwise: the same');
UPDATE xsell.feature SET center = 45, expression = 'age + 0' WHERE feature = 'years';
SELECT is(pg_temp.differs(), '{}', 'written otherwise: the same');

-- A propensity of 5 % has a column of 0.
UPDATE xsell.offer SET propensity_version = 'v2' WHERE product = 'card';
SELECT is(pg_temp.differs(), '{card}', 'a new version of a score: the old one is not it');
SELECT is(pg_temp.differs('{fund,loan}'), '{}', 'for its product alone');
UPDATE customer SET s_card = 0.05;
SELECT is(pg_temp.differs(), '{}', 'decisions of then did not have the new one');
UPDATE xsell.offer SET propensity = 's_fund / 2' WHERE product = 'fund';
SELECT is(pg_temp.differs(), '{fund}', 'without versions, expressions tell scores apart');
UPDATE xsell.offer SET propensity = NULL WHERE product = 'fund';
SELECT is(pg_temp.differs(), '{}', 'a score that is gone');
UPDATE xsell.offer SET propensity = '0.05' WHERE product = 'loan';
SELECT is(pg_temp.differs(), '{}', 'a first one');
UPDATE xsell.offer SET propensity = NULL;
SELECT is(pg_temp.differs(), '{}', 'none at all');

-- ------------------------------------------------------- maps, number by number --

INSERT INTO xsell.agent (agent, customer_table, customer_key, seed) VALUES ('small', 'customer', 'id', 1);
INSERT INTO xsell.channel (agent, channel) VALUES ('small', 'web');
INSERT INTO xsell.offer (agent, product, propensity, propensity_version) VALUES ('small', 'card', 's_card', 'v1'), ('small', 'loan', NULL, 'v1');
INSERT INTO xsell.feature (agent, feature, expression, levels) VALUES ('small', 'm', 'age', NULL), ('small', 't', 'segment', '{x,y}');
-- 1 intercept, 2 m, 3 m is null, 4 t = x, 5 t = y, 6 t = other, 7 t is null, 8 propensity
SELECT pg_temp.encoding('small') AS small \gset
CREATE FUNCTION pg_temp.map(product text DEFAULT 'card') RETURNS text LANGUAGE sql AS $$
	SELECT array_to_string(xsell_layout_map('small', (SELECT min(policy_version) FROM xsell.policy WHERE agent = 'small' AND definition #> '{layout,features,1}' IS NOT NULL),
		pg_temp.encoding('small'), $1), ' ')
$$;
SELECT is(pg_temp.map(), '8 8 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8', 'the same layout: every column itself');
UPDATE xsell.feature SET feature = 'u' WHERE agent = 'small' AND feature = 'm';
SELECT is(pg_temp.map(), '8 8 1 1 4 2 5 3 6 4 7 5 2 6 3 7 8 8', 'renamed');
UPDATE xsell.feature SET feature = 'm' WHERE agent = 'small' AND feature = 'u';
SELECT is(pg_temp.encoding('small'), :small, 'renamed again: the first layout');
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('small', 'n', 'balance');
SELECT is(pg_temp.map(), '8 10 1 1 2 2 3 3 1 5 4 6 5 7 6 8 7 9 8 10', 'added');
UPDATE xsell.feature SET levels = '{y,z}' WHERE agent = 'small' AND feature = 't';
SELECT is(pg_temp.map(), '8 10 1 1 2 2 3 3 1 5 5 6 4 8 6 8 7 9 8 10', 'another level');
DELETE FROM xsell.feature WHERE agent = 'small' AND feature IN ('m', 'n');
SELECT is(pg_temp.map(), '8 6 1 1 5 2 4 4 6 4 7 5 8 6', 'dropped');
UPDATE xsell.offer SET propensity_version = 'v2' WHERE agent = 'small';
SELECT is(pg_temp.map(), '8 6 1 1 5 2 4 4 6 4 7 5', 'another version of the score');
SELECT is(pg_temp.map('loan'), '8 6 1 1 5 2 4 4 6 4 7 5 8 6', 'the version of no score is none');
SELECT is(pg_temp.map('fund'), '8 6 1 1 5 2 4 4 6 4 7 5 8 6', 'nor has a product a score that is no offer');
UPDATE xsell.offer SET propensity = 's_fund' WHERE agent = 'small' AND product = 'loan';
SELECT is(pg_temp.map('loan'), '8 6 1 1 5 2 4 4 6 4 7 5', 'a first score');
UPDATE xsell.offer SET propensity = NULL WHERE agent = 'small';
SELECT is(pg_temp.map(), '8 5 1 1 5 2 4 4 6 4 7 5', 'no scores');
UPDATE xsell.agent SET oracle = 'linear' WHERE agent = 'small';
SELECT is(pg_temp.map(), '8 5 1 1 5 2 4 4 6 4 7 5', 'columns do not depend on the link');
DELETE FROM xsell.feature WHERE agent = 'small';
SELECT is(pg_temp.map(), '8 1 1 1', 'no features');
SELECT is(array_to_string(xsell_layout_map('small', pg_temp.encoding('small'), :small, 'card'), ' '), '1 8 1 1 1 3 1 7', 'and back: nothing was known');

SELECT throws_ok($$SELECT xsell_layout_map('small', 1, 99, 'card')$$, '42704', 'agent "small" has no encoding 99', 'an encoding that is none');
SELECT throws_ok(format('SELECT xsell_layout_map(''small'', %s, %s, ''card'')', version, version), '42704', format('agent "small" has no encoding %s', version), 'nor is a version that kept its layout')
FROM (SELECT max(policy_version) AS version FROM xsell.policy WHERE agent = 'small' AND definition #>> '{layout,encoding}' <> policy_version::text) p;
SELECT throws_ok($$SELECT xsell_layout_map('nobody', 1, 1, 'card')$$, '42704', 'agent "nobody" has no encoding 1', 'nor has an unknown agent any');
SELECT is(xsell_layout_map('small', 1, 1, NULL), NULL, 'NULL makes NULL');
SELECT is(has_function_privilege('public', 'xsell_layout_map(text, int, int, text)', 'EXECUTE'), false, 'what reads policies is not for everyone');
SELECT is(array_agg(DISTINCT has_function_privilege('public', oid, 'EXECUTE')), '{t}', 'what computes is') FROM pg_proc WHERE proname IN ('xsell_remap', 'xsell_dot');

-- ------------------------------------------------------- the functions alone --

SELECT is(xsell_remap('{1,0.5,-3}'::real[], '{3,4,3,1,1,2,2,4,3,4}'), '{-3,1,0,-2.5}'::real[], 'columns are moved, added up, and zero without a source');
SELECT is(xsell_remap(xsell_glm_agg(x, r, p, w, link), '{3,4,1,1,1,2,2,4,3,4}'), xsell_glm_agg(ARRAY[x[1], x[1], 0, x[2] + x[3]], r, p, w, link), 'evidence as well, of link ' || link)
FROM (VALUES ('{1,2,0}'::real[], 0.25, 0.5, 1.5), ('{1,0,0.5}', 1, -2, 1), ('{2,0,-8}', 0, 0, 512)) v(x, r, p, w), (VALUES ('logit'), ('identity')) l(link) GROUP BY link;
SELECT is(xsell_remap('{1,2}'::real[], '{2,3}'), '{0,0,0}'::real[], 'a map of no pairs leaves nothing');
SELECT is(xsell_observations(xsell_remap(xsell_glm_agg('{1,2}', 1), '{2,1}')), 1::bigint, 'but the observations');
SELECT is(cardinality(xsell_remap(array_fill(1::real, ARRAY[512]), map)), 512, 'up to 512 columns')
FROM (SELECT '{512,512}'::int[] || array_agg(v ORDER BY k, v) AS map FROM generate_series(1, 512) k, LATERAL (VALUES (k), (k)) p(v)) m;
SELECT is(xsell_remap(NULL::real[], '{1,1}'), NULL, 'strict');
SELECT is(xsell_remap(NULL::xsell_glm, '{1,1}'), NULL, 'in both forms');

CREATE FUNCTION pg_temp.refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	EXECUTE command;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN message || ': ' || detail;
END $$;
SELECT is(pg_temp.refusal(format('SELECT xsell_remap(''{1,2,3}''::real[], %L::int[])', map)), 'invalid layout map: ' || detail, map)
FROM (VALUES
	('{}', 'It must be a one-dimensional array without nulls.'), ('{{3,3}}', 'It must be a one-dimensional array without nulls.'), ('{3,3,1,NULL}', 'It must be a one-dimensional array without nulls.'),
	('{3}', 'It must have two numbers of columns, and pairs of columns.'), ('{3,3,1}', 'It must have two numbers of columns, and pairs of columns.'),
	('{3,3,0,1}', 'A column is out of range.'), ('{3,3,1,-2147483648}', 'A column is out of range.'), ('{3,3,513,1}', 'A column is out of range.'),
	('{3,3,4,1}', 'Columns are out of range, out of order, or paired twice.'), ('{3,3,1,4}', 'Columns are out of range, out of order, or paired twice.'),
	('{0,3}', 'Columns are out of range, out of order, or paired twice.'), ('{3,0}', 'Columns are out of range, out of order, or paired twice.'),
	('{3,513}', 'Columns are out of range, out of order, or paired twice.'), ('{-1,3}', 'Columns are out of range, out of order, or paired twice.'), ('{3,2147483647}', 'Columns are out of range, out of order, or paired twice.'),
	('{3,3,1,2,1,1}', 'Columns are out of range, out of order, or paired twice.'), ('{3,3,2,1,1,1}', 'Columns are out of range, out of order, or paired twice.'), ('{3,3,1,1,1,1}', 'Columns are out of range, out of order, or paired twice.')) v(map, detail);
SELECT is(pg_temp.refusal($$SELECT xsell_remap(xsell_glm_agg('{1,2}', 1), '{2,2,3,1}')$$), 'invalid layout map: Columns are out of range, out of order, or paired twice.', 'states need maps too');
SELECT is(pg_temp.refusal($$SELECT xsell_remap('{1,2}'::real[], '{3,3,1,1}')$$), 'number of columns differs from the map''s: The map is for 3 columns, the row has 2.', 'a row of another layout');
SELECT is(pg_temp.refusal($$SELECT xsell_remap(xsell_glm_agg('{1,2}', 1), '{3,3,1,1}')$$), 'number of columns differs from the map''s: The map is for 3 columns, the state has 2.', 'a state of another layout');
SELECT throws_ok(format('SELECT xsell_remap(%L::real[], ''{2,2,1,1}'')', x), code, NULL, 'no row: ' || x) FROM (VALUES ('{1,NULL}', '22004'), ('{1,NaN}', '22003'), ('{1,9}', '22003'), ('{}', '2202E')) v(x, code);
SELECT throws_ok($$SELECT xsell_remap('{"link":"logit","dim":2,"n":1,"trials":1,"successes":0,"shift":[9223372036854775807,1],"precision":[1,0,1]}'::xsell_glm, '{2,1,1,1,2,1}')$$,
	'22003', 'xsell_glm out of range', 'a sum that overflows');
SELECT is(pg_temp.refusal($$SELECT xsell_remap('{"link":"logit","dim":2,"n":1,"trials":1,"successes":0,"shift":[0,0],"precision":[1,-2,1]}'::xsell_glm, '{2,1,1,1,2,1}')$$),
	'the state does not fit the layout map: A diagonal element of the precision is negative.', 'a state that no rows left');

-- ------------------------------------------------------- the linear predictor --

SELECT is(xsell_dot('{1,2,-0.5}', '{0.1,0.2,0.3}'), (0.1 - 0.5 * 0.3::float8) + 2 * 0.2::float8, 'the sum of products');
SELECT is(count(*) FILTER (WHERE xsell_dot(o.features, m.mean) = (xsell_predict(m.glm, o.features)).mean), count(*), 'bit for bit the models''')
FROM old o JOIN (SELECT product, glm, (SELECT array_agg(c.mean ORDER BY c.column_number) FROM xsell_coefficients(glm) c) AS mean FROM xsell.evidence WHERE agent = 'bank') m USING (product);
SELECT is(xsell_dot(NULL, '{1}'), NULL, 'strict');
SELECT throws_ok(format('SELECT xsell_dot(''{1,2}'', %L)', c), '22000', 'coefficients must be as many as features, and not null', 'coefficients ' || c) FROM unnest('{"{}","{1}","{1,2,3}","{1,NULL}","{{1,2}}"}'::text[]) c;
SELECT throws_ok(format('SELECT xsell_dot(''{1,2}'', %L)', c), '22003', 'coefficient out of range', 'coefficients ' || c) FROM unnest('{"{1,NaN}","{Infinity,1}","{1,-Infinity}","{1,1e301}"}'::text[]) c;
SELECT throws_ok($$SELECT xsell_dot('{1,NaN}', '{1,1}')$$, '22003', 'feature out of range', 'features are those of a decision');
SELECT * FROM finish();
