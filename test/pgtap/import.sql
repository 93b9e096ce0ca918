-- import.sql: history of past campaigns becomes weighted evidence, and can be taken back.
--
-- The reference for models is plain SQL (test/data/bayes.sql) over the history itself.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
\i test/data/bayes.sql

CREATE TABLE customer (id bigint PRIMARY KEY, a float8, b boolean);
INSERT INTO customer SELECT i, (i % 5 - 2) / 2.0, i % 2 = 0 FROM generate_series(1, 20000) i;
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('fund', false);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning) VALUES ('bank', 'customer', 'id', 7, 'deferred');
INSERT INTO xsell.channel (agent, channel) VALUES ('bank', 'web');
INSERT INTO xsell.offer (agent, product) VALUES ('bank', 'card'), ('bank', 'fund');
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'a', 'a'), ('bank', 'b', 'b');
SET xsell.simulated_now = '2026-03-02 12:00+00';

-- A campaign of 2025 that offered cards to three quarters; conversions follow a logistic world, by a hash.
CREATE TABLE history (customer bigint, product text, at timestamptz, p float8, reward float8);
INSERT INTO history
SELECT id, product, '2025-03-03 09:00+00'::timestamptz + (id % 30) * interval '1 day', CASE product WHEN 'card' THEN 0.75 ELSE 0.25 END,
	(((hashint8extended(id, 2) & 1048575) / 1048576.0) < 1 / (1 + exp(2.9 - CASE product WHEN 'card' THEN 0.4 * a ELSE 0.3 - 0.3 * a END + CASE WHEN b THEN 0.2 ELSE 0 END)))::int
FROM (SELECT c.*, CASE WHEN hashint8extended(id, 1) & 3 > 0 THEN 'card' ELSE 'fund' END AS product FROM customer c) c;

-- --------------------------------------------------------------- what is refused --

CREATE FUNCTION try(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT xsell_import_history(%s) FROM customer c WHERE id = 1', arguments)
$$;
SELECT throws_ok(try($$'shop', c, 'card', 1, 'web', '2025-01-01', 'x'$$), '42704', 'agent "shop" does not exist', 'an agent that does not exist');
SELECT throws_ok(try($$'bank', c, 'boat', 1, 'web', '2025-01-01', 'x'$$), '42704', 'agent "bank" has no offer of product "boat"', 'a product that the agent does not offer');
SELECT throws_ok(try($$'bank', c, 'card', 1, 'fax', '2025-01-01', 'x'$$), '42704', 'agent "bank" has no channel "fax"', 'a channel that it does not have');
SELECT throws_ok(try($$'bank', c, 'card', 1.5, 'web', '2025-01-01', 'x'$$), '22023', 'reward of an imported offer is 1.5', 'a reward above 1');
SELECT throws_ok(try($$'bank', c, 'card', 'NaN', 'web', '2025-01-01', 'x'$$), '22023', 'reward of an imported offer is NaN', 'a reward that is none');
SELECT throws_ok(try($$'bank', c, 'card', 1, 'web', '2025-01-01', 'x', probability => 0$$), '22023', 'probability of an imported offer is 0', 'a probability of 0');
SELECT throws_ok(try($$'bank', c, 'card', 1, 'web', '2025-01-01', 'x', weight => 0$$), '22023', 'weight of an imported offer is 0', 'a weight of 0');
SELECT throws_ok(try($$'bank', c, 'card', 1, 'web', '2025-01-01', 'x', max_weight => 2000$$), '22023', 'max_weight of an imported offer is 2000', 'a max_weight out of range');
SELECT throws_ok(try($$'bank', c, 'card', 1, 'web', '2026-03-03', 'x'$$), '22023', 'an imported offer was made at 2026-03-03 00:00:00+00', 'a time to come');
SELECT throws_ok(try($$'bank', c, 'card', 1, 'web', '-infinity', 'x'$$), '22023', 'an imported offer was made at -infinity', 'no time');
SELECT throws_ok(try(format($$%s, NULL, 'web', '2025-01-01', 'x'$$, $$'bank', c, 'card'$$)), '22004', 'reward must not be null', 'no reward');
SELECT throws_ok(try($$'bank', NULL::customer, 'card', 1, 'web', '2025-01-01', 'x'$$), '22004', 'customer must not be null', 'no customer');
SELECT throws_ok(try($$'bank', c, 'card', 1, 'web', '2025-01-01', NULL$$), '22004', 'import must not be null', 'no name');
SELECT is_empty('SELECT * FROM xsell.import', 'none of these leaves anything');
SELECT throws_ok($$SELECT xsell_remove_import('bank', 'x')$$, '42704', 'agent "bank" has no import "x"', 'nor can it be removed');
SELECT throws_ok($$SELECT xsell_remove_import('shop', 'x')$$, '42704', 'agent "shop" does not exist', 'nor from nobody');

-- --------------------------------------------------------------- what is written --

SELECT is(count(xsell_import_history('bank', c, h.product, h.reward, 'web', h.at, 'spring 2025', h.p)), 20000::bigint, 'a campaign')
FROM history h JOIN customer c ON c.id = h.customer;
SELECT results_eq($$SELECT agent, import, first_week, last_week, imported_at, imported_by, removed_at FROM xsell.import$$,
	$$VALUES ('bank', 'spring 2025', '2025-03-03'::date, '2025-03-31'::date, '2026-03-02 12:00+00'::timestamptz, session_user::text COLLATE "default", NULL::timestamptz)$$, 'is noted');
SELECT is_empty($$SELECT customer, product, date_trunc('minute', at), CASE product WHEN 'card' THEN 0.5 / 0.75 ELSE 0.5 / 0.25 END, p, reward FROM history
	EXCEPT SELECT d.customer_key, d.product, date_trunc('minute', xsell_decided_at(d.decision_id)), d.weight, d.probability, coalesce(o.reward, 0)
	FROM xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id)$$, 'each offer with its time, weight and outcome');
SELECT is(count(*), 20000::bigint, 'and no other') FROM xsell.decision;
SELECT results_eq($$SELECT DISTINCT cohort, mode, reason, expected, cardinality(forecasts), linear_predictor FROM xsell.decision$$,
	$$VALUES ('imported', 'imported', 'spring 2025', NULL::float8, 0, ln(0.05::float8 / 0.95))$$, 'marked as imported, as the prior predicts');
SELECT is_empty('SELECT * FROM xsell.contact', 'caps do not see it');
SELECT is(count(*), 20000::bigint, 'nothing is learned yet') FROM xsell.late;
SELECT throws_ok($$SELECT xsell_import_history('bank', c, 'card', 0, 'web', '2025-03-03', 'spring 2025') FROM customer c WHERE id = 1$$, '42710',
	'import "spring 2025" of agent "bank" is complete', 'a statement repeated by mistake is refused');
SELECT is(decisions, 20000::bigint, 'it is learned') FROM xsell_learn('bank');
SELECT is_empty('SELECT * FROM xsell.late', 'once');
SELECT is_empty('SELECT * FROM xsell_learn(''bank'') WHERE decisions + corrections > 0', 'and only once');

CREATE FUNCTION differs() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT * FROM xsell.evidence WHERE agent = 'bank') e FULL JOIN xsell_rebuild_evidence('bank') r USING (product, encoding, source, bucket)
	WHERE (e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm) IS NOT TRUE
$$;
SELECT is(differs(), 0::bigint, 'evidence is what the journal holds');
SELECT is(xsell_merge_agg(e.beta), (SELECT xsell_beta_agg(h.reward, 0.5 / h.p) FROM history h WHERE h.product = e.product), 'weighted: ' || product) FROM xsell.evidence e GROUP BY product;
SELECT results_eq('SELECT DISTINCT source FROM xsell.evidence', $$VALUES ('imported')$$, 'with its source');
SELECT is_empty('SELECT * FROM xsell.forecast WHERE n > 0', 'it judges no forecasts');
SELECT results_eq('SELECT cohort, product, offers, rewards FROM xsell.performance ORDER BY 2', 'SELECT ''imported'', product, count(*), sum(reward) FROM history GROUP BY 2 ORDER BY 2', 'it is reported apart');
SELECT results_eq('SELECT DISTINCT r.* FROM (SELECT decision_id FROM xsell.decision LIMIT 10) d, xsell_replay(d.decision_id) r',
	'SELECT NULL::boolean, ''imported'', NULL::text, NULL::text', 'there is nothing to replay');
SELECT lives_ok('SELECT * FROM xsell_why((SELECT min(decision_id) FROM xsell.decision))', 'nor to explain');

-- ------------------------------------------------------------------- its quality --

-- The mode of the posterior, by Newton's method over the cells of the history, x being intercept, a, a is null, b, b is null.
CREATE FUNCTION by_history(product text, OUT mean float8[], OUT sd float8[]) LANGUAGE plpgsql AS $$
DECLARE
	precision_ float8[];
	shift float8[];
	m float8[];
BEGIN
	mean := prior_mean(5, false, 0.05);
	FOR pass IN 1..20 LOOP
		precision_ := array_fill(0::float8, ARRAY[5, 5]);
		shift := array_fill(0::float8, ARRAY[5]);
		FOR i IN 1..5 LOOP
			FOR j IN 1..5 LOOP
				precision_[i][j] := (SELECT sum(n * p * (1 - p) * x[i] * x[j]) FROM cell(product, mean));
			END LOOP;
			shift[i] := (SELECT sum(x[i] * (n * p * (1 - p) * ln(p / (1 - p)) + r - n * p)) FROM cell(product, mean));
		END LOOP;
		SELECT q.mean, q.sd INTO m, sd FROM posterior(precision_, shift, prior_mean(5, false, 0.05), prior_precision(5, false, 5)) q;
		EXIT WHEN (SELECT max(abs(a - b)) FROM unnest(m, mean) u (a, b)) < 1e-12;
		mean := m;
	END LOOP;
END $$;
CREATE FUNCTION cell(product text, mean float8[]) RETURNS TABLE (x float8[], n float8, r float8, p float8) LANGUAGE sql AS $$
	SELECT x, n, r, 1 / (1 + exp(-(SELECT sum(u * v) FROM unnest(x, mean) t (u, v))))
	FROM (SELECT ARRAY[1, c.a, 0, c.b::int, 0] AS x, sum(0.5 / h.p) AS n, sum(0.5 / h.p * h.reward) AS r
		FROM history h JOIN customer c ON c.id = h.customer WHERE h.product = $1 GROUP BY 1) g
$$;
CREATE FUNCTION model(refit bigint DEFAULT NULL) RETURNS TABLE (product text, mean float8[], sd float8[]) LANGUAGE sql AS $$
	SELECT c.product, array_agg(c.mean ORDER BY n), array_agg(c.sd ORDER BY n)
	FROM xsell_model_coefficients('bank', refit) WITH ORDINALITY c (product, feature, mean, sd, lower, upper, spread, importance, n) GROUP BY 1
$$;
CREATE TABLE mode AS SELECT p.product, m.mean, m.sd FROM unnest('{card,fund}'::text[]) p (product), by_history(p.product) m;

-- One step from the prior's predictor, ln(1/19), misses a cell's by half the square of its distance, times the largest
-- curvature of the logistic function, 1/(6 sqrt 3), by its slope at the prior, 0.05 * 0.95; the mode is a mixture of cells.
SELECT cmp_ok((SELECT max(abs(c.predictor - c.at_mode)) FROM (SELECT (SELECT sum(u * v) FROM unnest(x, m.mean) t (u, v)) AS predictor,
		(SELECT sum(u * v) FROM unnest(x, o.mean) t (u, v)) AS at_mode FROM cell(m.product, o.mean)) c), '<',
	(SELECT max((ln(p / (1 - p)) - ln(0.05 / 0.95)) ^ 2) / 2 / (6 * sqrt(3)) / (0.05 * 0.95) FROM cell(m.product, o.mean)),
	m.product || ' is predicted roughly at first') FROM model() m JOIN mode o USING (product);
SELECT xsell_refit('bank') AS refit \gset
SELECT cmp_ok((SELECT max(abs(a - b) / s) FROM unnest(m.mean, o.mean, o.sd) u (a, b, s)), '<', 0.001::float8, m.product || ' is at the mode after a refit') FROM model(:refit) m JOIN mode o USING (product);
SELECT cmp_ok((SELECT max(abs(ln(a / b))) FROM unnest(m.sd, o.sd) u (a, b)), '<', 0.001::float8, 'and as sure: ' || m.product) FROM model(:refit) m JOIN mode o USING (product);
SELECT cmp_ok((SELECT max(abs(a - b) / s) FROM unnest(m.mean, o.mean, o.sd) u (a, b, s)), '>', 0.01::float8, 'as it was not: ' || m.product) FROM model() m JOIN mode o USING (product);

-- ------------------------------------------------------------- times, ids, weights --

SELECT is(count(DISTINCT xsell_import_history('bank', c, 'card', 0, 'web', '2019-05-01', 'old', weight => 0.5)), 2000::bigint, 'history from before 2024') FROM customer c WHERE id <= 2000;
SELECT results_eq($$SELECT min(weight), max(weight), min(xsell_decided_at(decision_id)), max(xsell_decided_at(decision_id)) < '2024-01-01 00:00:00.01' FROM xsell.decision WHERE reason = 'old'$$,
	$$VALUES (0.5::float8, 0.5::float8, '2024-01-01 00:00+00'::timestamptz, true)$$, 'counts for the first week of 2024');
SELECT is(count(DISTINCT xsell_import_history('bank', c, 'card', 0.3, 'web', '2019-05-01', 'older', probability => 0.001, max_weight => 4)), 100::bigint, 'more of the same time') FROM customer c WHERE id <= 100;
SELECT results_eq($$SELECT min(d.weight), max(d.weight), min(o.reward), min(o.occurred_at) FROM xsell.decision d JOIN xsell.outcome o USING (decision_id) WHERE reason = 'older'$$,
	$$VALUES (4::float8, 4::float8, 0.3::float8, '2019-05-01 00:00+00'::timestamptz)$$, 'clipped');
SELECT is(count(*), count(DISTINCT decision_id), 'ids are unique') FROM xsell.decision;
BEGIN;
SELECT xsell_import_history('bank', c, 'fund', 1, 'web', '2025-08-04', 'parts') AS first FROM customer c WHERE id = 1 \gset
SAVEPOINT s;
SELECT xsell_import_history('bank', c, 'fund', 1, 'web', '2024-08-05', 'parts') AS lost FROM customer c WHERE id = 1 \gset
ROLLBACK TO s;
SELECT xsell_import_history('bank', c, 'fund', 1, 'web', '2025-08-11', 'parts') AS second FROM customer c WHERE id = 1 \gset
SELECT results_eq($$SELECT first_week, last_week FROM xsell.import WHERE import = 'parts'$$, $$VALUES ('2025-08-04'::date, '2025-08-11'::date)$$, 'an import may take several statements of one transaction');
COMMIT;
BEGIN;
SELECT xsell_import_history('bank', c, 'fund', 1, 'web', '2025-08-04', 'undone') AS undone FROM customer c WHERE id = 1 \gset
ROLLBACK;
SELECT is_empty('SELECT * FROM xsell.import WHERE import = ''undone''', 'one that is rolled back was never there');
SELECT is(decisions, 2102::bigint, 'they are learned') FROM xsell_learn('bank');
SELECT is(differs(), 0::bigint, 'exactly');

-- ------------------------------------------------------------------------ removal --

CREATE TABLE before AS SELECT product, encoding, bucket, beta, glm, score, harm FROM xsell.evidence;
BEGIN;
SELECT is(count(xsell_import_history('bank', c, 'card', 1, 'web', '2025-03-04', 'wrong')), 500::bigint, 'a wrong import') FROM customer c WHERE id <= 500;
COMMIT;
SELECT is(decisions, 500::bigint, 'is learned') FROM xsell_learn('bank');
SELECT results_ne('SELECT product, encoding, bucket, beta, glm, score, harm FROM xsell.evidence ORDER BY 1, 2, 3', 'SELECT * FROM before ORDER BY 1, 2, 3', 'and changes the evidence');
SELECT model_version AS wrong FROM xsell.learner \gset
SELECT count(xsell_decide(c)) FROM customer c WHERE id <= 50 \g /dev/null
SELECT is(xsell_remove_import('bank', 'wrong'), 500::bigint, 'it is removed');
SELECT is_empty('SELECT product, encoding, bucket FROM before b FULL JOIN (SELECT * FROM xsell.evidence) e USING (product, encoding, bucket)
	WHERE (e.beta = b.beta AND e.glm = b.glm AND e.score = b.score AND e.harm = b.harm) IS NOT TRUE', 'and leaves no trace in the evidence');
SELECT is(model_version, :wrong + 1::bigint, 'of a new version') FROM xsell.learner;
SELECT results_eq($$SELECT removed_at, removed_by, removed FROM xsell.import WHERE import = 'wrong'$$,
	$$VALUES ('2026-03-02 12:00+00'::timestamptz, session_user::text COLLATE "default", 500::bigint)$$, 'which is noted');
SELECT is(differs(), 0::bigint, 'evidence is what the journal holds');
SELECT is(xsell_remove_import('bank', 'wrong'), 0::bigint, 'only once');
SELECT is(model_version, :wrong + 1::bigint, 'nothing is counted up for nothing') FROM xsell.learner;
SELECT throws_ok($$SELECT xsell_import_history('bank', c, 'card', 0, 'web', '2025-03-03', 'wrong') FROM customer c WHERE id = 1$$, '42710', NULL, 'its name is used up');
SELECT results_eq('SELECT r.identical, count(*) FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE d.cohort <> ''imported'' GROUP BY 1', 'VALUES (true, 50::bigint)', 'decisions made with it replay');
SELECT is(count(*), 500::bigint, 'its rows stay in the log') FROM xsell.decision WHERE reason = 'wrong' AND weight = 0;
BEGIN;
SELECT is(count(xsell_import_history('bank', c, 'card', 1, 'web', '2025-03-04', 'unlearned')), 500::bigint, 'one that was not learned yet') FROM customer c WHERE id <= 500;
COMMIT;
SELECT is(xsell_remove_import('bank', 'unlearned'), 500::bigint, 'is removed');
SELECT is(decisions, 550::bigint, 'and passed') FROM xsell_learn('bank');
SELECT is(differs(), 0::bigint, 'without a trace');
SELECT is(xsell_merge_agg(e.beta), (SELECT xsell_merge_agg(b.beta) FROM before b WHERE b.product = 'card'), 'none') FROM xsell.evidence e WHERE product = 'card' AND source = 'imported';

-- A refit made with an import that is removed would take away what is not there.
SELECT xsell_import_history('bank', c, 'card', (id % 3 > 0)::int, 'web', '2025-03-04', 'refitted') FROM customer c WHERE id <= 5000 \g /dev/null
SELECT throws_ok($$SELECT xsell_import_history('bank', c, 'card', 1, 'web', '2025-03-04', 'refitted') FROM customer c WHERE id = 1$$, '42710', NULL, 'a name of one statement');
SELECT decisions FROM xsell_learn('bank') \g /dev/null
SELECT xsell_refit('bank') AS with \gset
SELECT xsell_promote('bank', :with) \g /dev/null
SELECT count(xsell_decide(c)) FROM customer c WHERE id BETWEEN 100 AND 119 \g /dev/null
SELECT is(xsell_remove_import('bank', 'refitted'), 5000::bigint, 'an import that a refit was made with');
SELECT is(refit, 0::bigint, 'no refit is in effect') FROM xsell.promotion ORDER BY model_version DESC LIMIT 1;
SELECT is(reason, 'import refitted removed', 'as is noted') FROM xsell.promotion ORDER BY model_version DESC LIMIT 1;
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(0) ORDER BY 1', 'models are made of evidence alone');
SELECT throws_ok(format($$SELECT xsell_promote('bank', %s)$$, :with), '55000', format('refit %s of agent "bank" was made with an import that is removed', :with), 'the refit cannot be promoted');
SELECT lives_ok($$SELECT xsell_rollback('bank')$$, 'to go back to it');
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(0) ORDER BY 1', 'does not bring it back');
SELECT lives_ok(format($$SELECT xsell_promote('bank', %s)$$, :refit), 'a refit without it can be');
SELECT results_eq('SELECT r.identical, count(*) FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE d.cohort <> ''imported'' GROUP BY 1', 'VALUES (true, 70::bigint)', 'decisions made with all these replay');

SELECT * FROM finish();
