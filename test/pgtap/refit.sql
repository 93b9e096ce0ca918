-- refit.sql: refits are the mode of the posterior, learning goes on over them, and they come and go with a model version.
--
-- The reference is plain SQL over the log (test/data/bayes.sql).
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
\i test/data/bayes.sql

-- 300 customers; conversions are much more frequent than the prior says, so that Newton's steps have to be held back.
CREATE TABLE customer (id bigint PRIMARY KEY, a float8, b float8, score float8);
INSERT INTO customer SELECT i, (i * 7 % 41 - 20) / 10.0, (i * 11 % 31 - 15) / 10.0, 0.02 + i * 13 % 97 / 120.0 FROM generate_series(1, 300) i;
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('loan', true), ('fund', false);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy) VALUES ('bank', 'customer', 'id', 7, 'deferred', 'uniform');
INSERT INTO xsell.channel (agent, channel) VALUES ('bank', 'web');
INSERT INTO xsell.offer (agent, product, propensity) VALUES ('bank', 'card', 'score'), ('bank', 'loan', NULL), ('bank', 'fund', NULL);
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'a', 'a'), ('bank', 'b', 'b');

-- One day: an offer to each of part of the customers; who converts is settled by a hash. Some convert late, and are kept for later.
CREATE TABLE late (decision_id bigint);
CREATE PROCEDURE day(day date, part int DEFAULT 1) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('xsell.simulated_now', (day + time '10:00')::text, false);
	PERFORM count(xsell_decide(c)) FROM customer c WHERE c.id % part = 0;
	CREATE TEMP TABLE converts AS
	SELECT d.decision_id, hashint8extended(d.decision_id, 3) & 7 AS lot FROM xsell.decision d JOIN customer c ON c.id = d.customer_key
	WHERE d.decision_id >= xsell_id_at(day + time '10:00') AND (hashint8extended(d.customer_key, extract(doy FROM day)::int) & 1048575) / 1048576.0
		< 1 / (1 + exp(-CASE d.product WHEN 'card' THEN 1.2 + 0.8 * a - b WHEN 'loan' THEN 0.4 - 0.6 * a ELSE -4 + b END));
	INSERT INTO late SELECT decision_id FROM converts WHERE lot = 0;
	PERFORM set_config('xsell.simulated_now', (day + time '12:00')::text, false);
	PERFORM xsell_reward(decision_id, 'conversion') FROM converts WHERE lot > 0;
	DROP TABLE converts;
	PERFORM set_config('xsell.simulated_now', (day + time '13:00')::text, false);
	PERFORM xsell_learn('bank');
END $$;

-- Coefficients of a refit (NULL: the model in effect) as arrays, and the largest distance of two models in standard deviations.
CREATE FUNCTION model(refit bigint DEFAULT NULL) RETURNS TABLE (product text, mean float8[], sd float8[]) LANGUAGE sql AS $$
	SELECT c.product, array_agg(c.mean ORDER BY n), array_agg(c.sd ORDER BY n)
	FROM xsell_model_coefficients('bank', refit) WITH ORDINALITY c (product, feature, mean, sd, lower, upper, spread, importance, n) GROUP BY 1
$$;
CREATE FUNCTION distance(m float8[], s float8[], m2 float8[], s2 float8[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT max(greatest(abs(x - x2) / t2, abs(ln(t / t2)))) FROM ROWS FROM (unnest(m), unnest(s), unnest(m2), unnest(s2)) u (x, t, x2, t2)
$$;
CREATE FUNCTION replays() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT d.decision_id || ' ' || r::text FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical LIMIT 1), 'all')
$$;

CREATE FUNCTION trust(product text) RETURNS float8 LANGUAGE sql AS 'SELECT trust FROM xsell.model m WHERE m.agent = ''bank'' AND m.product = $1';

-- The model by hand: of one product's evidence, or of its decisions.
CREATE FUNCTION by_evidence(product text, state xsell_glm, link text DEFAULT 'logit', noise float8 DEFAULT 1, OUT mean float8[], OUT sd float8[]) LANGUAGE sql AS $$
	SELECT p.mean, p.sd FROM posterior(precision_of(state), shift_of(state), prior_mean(6, product = 'card', 0.05, link), prior_precision(6, true, 5, stiff(trust(product), precision_of(state))), noise) p
$$;
CREATE FUNCTION by_decisions(product text, OUT mean float8[], OUT sd float8[]) LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT d.features AS x, (o.decision_id IS NOT NULL)::int::float8 AS r FROM xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id) WHERE d.product = %L', product);
	mean0 float8[] := prior_mean(6, product = 'card', 0.05);
BEGIN
	mean := mean0;
	FOR i IN 1..CASE WHEN product = 'card' THEN 6 ELSE 1 END LOOP	-- how stiff features are depends on the mode a little
		SELECT m.mean, m.sd INTO mean, sd FROM mode_of(query, mean0, prior_precision(6, true, 5, stiff(trust(product), precision_at(query, mean)))) m;
	END LOOP;
END $$;

SELECT throws_ok($$SELECT xsell_refit('bank')$$, '55000', 'agent "bank" has learned nothing yet', 'nothing to refit');
SELECT throws_ok($$SELECT xsell_promote('bank', 0)$$, '55000', 'agent "bank" has learned nothing yet', 'nor to promote');
SELECT throws_ok($$SELECT xsell_rollback('bank')$$, '55000', 'agent "bank" has learned nothing yet', 'nor to roll back');
CALL day('2026-01-05');
-- One day, learned at once from the prior's 5 %, has gone far beyond.
BEGIN;
SELECT cmp_ok(xsell_refit('bank'), '>', 0::bigint, 'a refit from far away');
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 0.001::float8, 'finds the mode: ' || m.product) FROM model(1) m, by_decisions(m.product) h;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '>', 3::float8, 'from this far') FROM model() m, by_decisions(m.product) h WHERE m.product = 'card';
ROLLBACK;
CALL day('2026-01-06'); CALL day('2026-01-13'); CALL day('2026-01-14'); CALL day('2026-01-20');

-- ------------------------------------------------------- the mode of the posterior --

SELECT is(xsell_refit('bank'), 1::bigint, 'the first refit');
SELECT results_eq($$SELECT r.refit, r.model_version = l.model_version, r.encoding = 1, r.since, r.decisions, r.movement < 0.01, r.passes BETWEEN 3 AND 29, r.started_at, r.refitted_by FROM xsell.refit r JOIN xsell.learner l USING (agent)$$,
	$$VALUES (1::bigint, true, false, NULL::date, 1500::bigint, true, true, '2026-01-20 13:00+00'::timestamptz, session_user::text COLLATE "default")$$, 'is noted');
CREATE TABLE mode AS SELECT p.product, m.mean, m.sd FROM unnest('{card,fund,loan}'::text[]) p (product), by_decisions(p.product) m;
SELECT cmp_ok(distance(m.mean, m.sd, mode.mean, mode.sd), '<', 0.001::float8, product || ' is at the mode of its posterior') FROM model(1) m JOIN mode USING (product);
SELECT cmp_ok(distance(m.mean, m.sd, mode.mean, mode.sd), '>', 0.2::float8, product || ' was not, before') FROM model() m JOIN mode USING (product) WHERE product <> 'loan';
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(0) ORDER BY 1', 'a candidate changes nothing');
SELECT results_eq('SELECT DISTINCT model_version, refit FROM xsell.model', 'SELECT model_version, 0::bigint FROM xsell.learner', 'none is in effect');
SELECT is_empty($$SELECT e.product FROM xsell.evidence e JOIN xsell.refit_evidence r USING (agent, product, encoding, bucket) WHERE (e.glm = r.before) IS NOT TRUE$$, 'what it was made from is kept');
SELECT is((SELECT count(*) FROM xsell.refit_evidence), (SELECT count(*) FROM xsell.evidence), 'all of it');
SELECT results_eq($$SELECT product, mean FROM xsell.refit_mean$$, $$SELECT product, mean FROM xsell.refit_mean WHERE cardinality(mean) = 6$$, 'as are the coefficients');
SELECT is(r.after, (SELECT xsell_glm_agg(d.features, (o.decision_id IS NOT NULL)::int, xsell_dot(d.features, m.mean), 1, 'logit')
	FROM xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id) WHERE d.product = r.product AND xsell_decided_at(d.decision_id) BETWEEN r.bucket AND r.bucket + 7),
	format('evidence at these coefficients: %s, %s', r.product, r.bucket)) FROM xsell.refit_evidence r JOIN xsell.refit_mean m USING (product);

-- ------------------------------------------------------- promoted --

SELECT model_version AS before FROM xsell.learner \gset
SELECT is(xsell_promote('bank', 1, 'as approved'), :before + 1::bigint, 'a promotion is a model version');
SELECT results_eq('SELECT DISTINCT model_version, refit FROM xsell.model', format('VALUES (%s::bigint, 1::bigint)', :before + 1), 'which is live');
SELECT results_eq($$SELECT model_version, refit, rolls_back, reason, promoted_at, promoted_by FROM xsell.promotion$$,
	format($$VALUES (%s::bigint, 1::bigint, NULL::bigint, 'as approved', '2026-01-20 13:00+00'::timestamptz, session_user::text COLLATE "default")$$, :before + 1), 'and noted');
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(1) ORDER BY 1', 'with its coefficients');
SELECT results_ne('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(0) ORDER BY 1', 'not those of before');
SELECT is(replays(), 'all', 'decisions of before replay');
SELECT is(xsell_refit('bank'), 2::bigint, 'a second refit');
SELECT cmp_ok(movement, '<', 1e-4::float8, 'moves nothing') FROM xsell.refit WHERE refit = 2;
SELECT is(passes, 1, 'in one pass') FROM xsell.refit WHERE refit = 2;
SELECT cmp_ok(max(distance(m.mean, m.sd, n.mean, n.sd)), '<', 1e-4::float8, 'so it is the same') FROM model(1) m JOIN model(2) n USING (product);

-- ------------------------------------------------------- learning goes on --

CREATE TABLE learned AS SELECT decision_id FROM xsell.experience WHERE previous IS NULL;
CALL day('2026-01-21'); CALL day('2026-01-27', 2);
SELECT xsell_reward(decision_id, 'conversion') FROM (SELECT decision_id FROM late JOIN learned USING (decision_id)) l \g /dev/null
SET xsell.simulated_now = '2026-01-28 12:00+00';
SELECT cmp_ok(corrections, '>', 20::bigint, 'conversions come late') FROM xsell_learn('bank');
-- By hand: at the refit's coefficients what it knew, at those logged what came later.
CREATE FUNCTION refitted(product text) RETURNS xsell_glm LANGUAGE sql AS $$
	WITH d AS (SELECT d.*, l.decision_id IS NOT NULL AS known, t.decision_id IS NOT NULL AS late, (o.decision_id IS NOT NULL)::int AS r, m.mean
		FROM xsell.decision d LEFT JOIN learned l USING (decision_id) LEFT JOIN late t USING (decision_id) LEFT JOIN xsell.outcome o USING (decision_id) JOIN xsell.refit_mean m ON m.refit = 1 AND m.product = d.product
		WHERE d.product = $1),
	s AS (SELECT xsell_glm_agg(features, CASE WHEN late THEN 0 ELSE r END, xsell_dot(features, mean), 1, 'logit') FILTER (WHERE known) AS known,
		xsell_glm_agg(features, r, linear_predictor, 1, 'logit') FILTER (WHERE NOT known) AS unknown,
		xsell_glm_agg(features, 1, linear_predictor, 1, 'logit') FILTER (WHERE known AND late) AS corrected,
		xsell_glm_agg(features, 0, linear_predictor, 1, 'logit') FILTER (WHERE known AND late) AS uncorrected FROM d)
	SELECT coalesce(known + unknown + corrected - uncorrected, known + unknown) FROM s
$$;
SELECT is((SELECT xsell_merge_agg(r.after) FROM xsell.refit_evidence r WHERE r.refit = 1 AND r.product = p) + (SELECT xsell_merge_agg(e.glm) FROM xsell.evidence e WHERE e.product = p)
	- (SELECT xsell_merge_agg(r.before) FROM xsell.refit_evidence r WHERE r.refit = 1 AND r.product = p), refitted(p), 'live evidence - before + after is that: ' || p) FROM unnest('{card,fund,loan}'::text[]) p;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, product || ' is made of it') FROM model() m, by_evidence(m.product, refitted(m.product)) h;
SELECT is(replays(), 'all', 'decisions of after replay');
SELECT is_empty($$SELECT product FROM (SELECT * FROM xsell.evidence WHERE agent = 'bank') e FULL JOIN xsell_rebuild_evidence('bank') r USING (product, encoding, bucket, source) WHERE (e.glm = r.glm) IS NOT TRUE$$, 'evidence stays what was logged');

-- ------------------------------------------------------- and back --

SELECT is(xsell_promote('bank', 2), model_version + 1, 'another promotion') FROM xsell.learner;
SELECT model_version AS second FROM xsell.learner \gset
CALL day('2026-02-03', 3);
SELECT is(xsell_rollback('bank', 'too bold'), model_version + 1, 'is rolled back') FROM xsell.learner;
SELECT results_eq('SELECT DISTINCT refit FROM xsell.model', 'VALUES (1::bigint)', 'to the one before it');
SELECT results_eq($$SELECT refit, rolls_back, reason FROM xsell.promotion ORDER BY model_version DESC LIMIT 1$$, format($$VALUES (1::bigint, %s::bigint, 'too bold')$$, :second), 'which is noted');
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(1) ORDER BY 1', 'with what was learned meanwhile');
CALL day('2026-02-04', 3);
SELECT is(xsell_rollback('bank'), model_version + 1, 'again') FROM xsell.learner;
SELECT results_eq('SELECT DISTINCT refit FROM xsell.model', 'VALUES (0::bigint)', 'to the one before that');
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(0) ORDER BY 1', 'none');
SELECT cmp_ok(max(distance(m.mean, m.sd, h.mean, h.sd)), '<', 1e-9::float8, 'that is, to evidence as it was logged') FROM model() m, by_evidence(m.product, (SELECT xsell_merge_agg(glm) FROM xsell.evidence e WHERE e.product = m.product)) h;
SELECT throws_ok($$SELECT xsell_rollback('bank')$$, '55000', 'agent "bank" has no promotion to roll back', 'and no farther');
CALL day('2026-02-05', 3);
SELECT xsell_promote('bank', 1), xsell_promote('bank', 2), xsell_rollback('bank'), xsell_promote('bank', 2) \g /dev/null
SELECT results_eq('SELECT DISTINCT refit FROM xsell.model', 'VALUES (2::bigint)', 'several in one command');
SELECT xsell_rollback('bank') \g /dev/null
SELECT results_eq('SELECT DISTINCT refit FROM xsell.model', 'VALUES (1::bigint)', 'back over a promotion that was rolled back');
CALL day('2026-02-06', 3);
SELECT is(replays(), 'all', 'all of it replays');
SELECT is(count(DISTINCT refit_at), 3::bigint, 'under three models') FROM xsell.decision d,
	LATERAL (SELECT coalesce((SELECT p.refit FROM xsell.promotion p WHERE p.model_version <= d.model_version ORDER BY p.model_version DESC LIMIT 1), 0) AS refit_at) p;
BEGIN;
SELECT results_eq($$SELECT xsell_promote('bank', xsell_refit('bank')) - model_version FROM xsell.learner$$, 'VALUES (1::bigint)', 'refit and promote in one command');
SELECT results_eq('SELECT DISTINCT refit FROM xsell.model', 'VALUES (3::bigint)', 'take effect within the transaction');
ROLLBACK;
SELECT results_eq('SELECT DISTINCT refit FROM xsell.model', 'VALUES (1::bigint)', 'and none once it is rolled back');

-- ------------------------------------------------------- compared --

-- The reference: what xsell_rank says of the same customers under either model.
UPDATE xsell.agent SET strategy = 'thompson';
SELECT xsell_promote('bank', 2) \g /dev/null
CALL day('2026-02-10');
CREATE TABLE compared AS SELECT decision_id, customer_key FROM xsell.decision ORDER BY decision_id DESC LIMIT 200;
CREATE TABLE ranked AS SELECT c.id, 2 AS refit, r.* FROM customer c JOIN compared ON id = customer_key, xsell_rank(c) r;
SELECT xsell_promote('bank', 0) \g /dev/null
INSERT INTO ranked SELECT c.id, 0 AS refit, r.* FROM customer c JOIN compared ON id = customer_key, xsell_rank(c) r;
CREATE TABLE pair AS SELECT id, p.product, p.expected AS e, q.expected AS f, p.probability AS p, q.probability AS q FROM ranked p JOIN ranked q USING (id, product) WHERE p.refit = 2 AND q.refit = 0;
CREATE FUNCTION r(x float8) RETURNS numeric LANGUAGE sql AS 'SELECT round(x::numeric, 9)';
SELECT results_eq($$SELECT product, candidates, r(expected), r(expected_against), r(difference), r(share), r(share_against) FROM xsell_compare('bank', 2, 0, 200) ORDER BY 1$$,
	$$SELECT product, count(*), r(avg(e)), r(avg(f)), r(avg(abs(e - f))), r(avg(p)), r(avg(q)) FROM pair GROUP BY 1 ORDER BY 1$$, 'models are compared on the last decisions');
SELECT results_eq($$SELECT decisions, r(mean), r(largest), r(divergence), r(other_best) FROM xsell_policy_distance('bank', 2, decisions => 200)$$,
	$$SELECT count(*), r(avg(d)), r(max(d)), r(avg(k)), r(avg(other)) FROM (SELECT sum(abs(p - q)) / 2 AS d, sum(p * ln(p / q)) AS k,
		((array_agg(product ORDER BY e DESC))[1] <> (array_agg(product ORDER BY f DESC))[1])::int AS other FROM pair GROUP BY id) x$$, 'as are their probabilities, by default with the one in effect');
SELECT cmp_ok(mean, '>', 0.003::float8, 'which differ') FROM xsell_policy_distance('bank', 2);
SELECT results_eq($$SELECT mean, largest, divergence, other_best FROM xsell_policy_distance('bank', 2, 2)$$, 'VALUES (0::float8, 0::float8, 0::float8, 0::float8)', 'none from itself');
SELECT results_eq($$SELECT decisions FROM xsell_policy_distance('bank', 2, decisions => 7)$$, 'VALUES (7::bigint)', 'over so many decisions');
SELECT is(xsell_rollback('bank') > 0, true, 'on with the refit');

-- ------------------------------------------------------- what cannot be --

INSERT INTO xsell.agent (agent, customer_table, customer_key, oracle) VALUES ('plain', 'customer', 'id', 'beta');
SELECT throws_ok($$SELECT xsell_refit('plain')$$, '55000', 'agent "plain" has no model with features to refit', 'rates are not refitted');
DELETE FROM xsell.agent WHERE agent = 'plain';
SELECT throws_ok(command, '42704', 'agent "nobody" does not exist', command) FROM unnest(ARRAY['SELECT xsell_refit(''nobody'')', 'SELECT xsell_promote(''nobody'', 1)', 'SELECT xsell_rollback(''nobody'')',
	'SELECT xsell_compare(''nobody'', 1)', 'SELECT xsell_models(''nobody'')', 'SELECT xsell_model_coefficients(''nobody'')', 'SELECT xsell_segment_rates(''nobody'')']) command;
SELECT throws_ok(command, '22004', what || ' must not be null', command) FROM (VALUES ('SELECT xsell_refit(NULL)', 'agent'), ('SELECT xsell_promote(NULL, 1)', 'agent'), ('SELECT xsell_promote(''bank'', NULL)', 'refit'), ('SELECT xsell_rollback(NULL)', 'agent'),
	('SELECT xsell_compare(NULL, 1)', 'agent'), ('SELECT xsell_compare(''bank'', NULL)', 'refit'), ('SELECT xsell_policy_distance(''bank'', 1, 0, NULL)', 'decisions'),
	('SELECT xsell_models(NULL)', 'agent'), ('SELECT xsell_model_coefficients(NULL)', 'agent'), ('SELECT xsell_segment_rates(NULL)', 'agent')) v (command, what);
SELECT throws_ok(format(command, refit), '42704', format('refit %s of agent "bank" does not exist', refit), format(command, refit)) FROM unnest(ARRAY['SELECT xsell_promote(''bank'', %s)', 'SELECT xsell_compare(''bank'', %s)',
	'SELECT xsell_compare(''bank'', 0, %s)', 'SELECT xsell_policy_distance(''bank'', %s)', 'SELECT xsell_model_coefficients(''bank'', %s)']) command, unnest('{9,-1}'::int[]) refit;
SELECT throws_ok($$SELECT xsell_compare('bank', 1, decisions => 0)$$, '22023', 'decisions must be at least 1', 'no decisions to compare on');
BEGIN READ ONLY;
SELECT throws_ok(command, '25006', NULL, command) FROM unnest(ARRAY['SELECT xsell_refit(''bank'')', 'SELECT xsell_promote(''bank'', 1)', 'SELECT xsell_rollback(''bank'')']) command;
SELECT lives_ok(command, command) FROM unnest(ARRAY['SELECT xsell_models(''bank'')', 'SELECT xsell_model_coefficients(''bank'', 1)', 'SELECT xsell_compare(''bank'', 2)', 'TABLE xsell.alert']) command;
ROLLBACK;

-- ------------------------------------------------------- in parallel --

SELECT xsell_refit('bank') AS serial \gset
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0; SET parallel_leader_participation = off;
SELECT xsell_refit('bank') AS parallel \gset
RESET max_parallel_workers_per_gather; RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET min_parallel_index_scan_size; RESET parallel_leader_participation;
SELECT is(count(*) FILTER (WHERE s.after = p.after AND s.before = p.before), count(*), 'workers sum the same, bit for bit') FROM (SELECT * FROM xsell.refit_evidence WHERE refit = :serial) s FULL JOIN (SELECT * FROM xsell.refit_evidence WHERE refit = :parallel) p USING (product, encoding, bucket, source);
SELECT is(m.mean, n.mean, 'at the same coefficients') FROM xsell.refit_mean m JOIN xsell.refit_mean n USING (product) WHERE m.refit = :serial AND n.refit = :parallel;

-- ------------------------------------------------------- products that come and go --

DELETE FROM xsell.offer WHERE product = 'fund';
SELECT xsell_refit('bank') AS without \gset
SELECT is_empty(format($$SELECT FROM xsell.refit_evidence WHERE refit = %s AND product = 'fund'$$, :without), 'a product that is not offered is not refitted');
SELECT is(since, NULL, 'but the others are') FROM xsell.refit WHERE refit = :without;
SELECT xsell_promote('bank', :without) \g /dev/null
INSERT INTO xsell.offer (agent, product) VALUES ('bank', 'fund');
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, 'so it is as it was when it returns') FROM model() m, by_evidence('fund', (SELECT xsell_merge_agg(glm) FROM xsell.evidence e WHERE e.product = 'fund')) h WHERE m.product = 'fund';
SELECT is(replays(), 'all', 'replayed');

-- ------------------------------------------------------- another link --

SELECT xsell_refit('bank') AS logistic \gset
SELECT xsell_promote('bank', :logistic) \g /dev/null
CREATE TABLE was AS SELECT * FROM model();
UPDATE xsell.agent SET oracle = 'linear';
SELECT results_eq('SELECT product, r(mean[1]) FROM model() ORDER BY 1', $$SELECT * FROM (VALUES ('card', r(0.05)), ('fund', r(0.05)), ('loan', r(0.05))) v$$, 'the linear oracle begins at its prior');
SELECT throws_ok(command, '55000', format('refit %s of agent "bank" was made for another oracle', :logistic), 'no use for it has ' || command) FROM unnest(ARRAY[format('SELECT xsell_promote(''bank'', %s)', :logistic), format('SELECT xsell_compare(''bank'', %s)', :logistic)]) command;
SELECT xsell_refit('bank') AS linear \gset
SELECT is(passes, 1, 'it is refitted in one pass') FROM xsell.refit WHERE refit = :linear;
SELECT is(decisions, (SELECT count(*) FROM xsell.experience WHERE previous IS NULL), 'from the log') FROM xsell.refit WHERE refit = :linear;
SELECT xsell_promote('bank', :linear) \g /dev/null
-- ridge regression, in units of the noise of the product's rate
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-6::float8, m.product || ' is the ridge regression of its decisions') FROM model() m,
	LATERAL (SELECT xsell_glm_agg(d.features, (o.decision_id IS NOT NULL)::int, 0, 1, 'identity') AS glm, count(*) AS n, count(o.decision_id) AS r
		FROM xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id) WHERE d.product = m.product) s,
	LATERAL (SELECT (r + 1.0) * (n - r + 19) / (n + 20.0) ^ 2 AS noise) v, by_evidence(m.product, s.glm, 'identity', v.noise) h;
CALL day('2026-02-11', 3);
SELECT is(replays(), 'all', 'its decisions replay');
UPDATE xsell.agent SET oracle = 'logistic';
SELECT results_ne('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM was ORDER BY 1', 'back: without the refit, which was for the linear one');
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM model(0) ORDER BY 1', 'evidence counts as it was logged');
SELECT cmp_ok(max(abs(m.mean[1] - w.mean[1]) / w.sd[1]), '<', 3::float8, 'and none is lost') FROM model() m JOIN was w USING (product);
SELECT xsell_rollback('bank') \g /dev/null
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM was ORDER BY 1', 'rolled back: as before, to the bit');
SELECT cmp_ok(xsell_refit('bank'), '>', :linear::bigint, 'a refit of the logistic one');
SELECT is(decisions, (SELECT count(*) FROM xsell.experience WHERE previous IS NULL), 'learns from the decisions of the linear one, too') FROM xsell.refit ORDER BY refit DESC LIMIT 1;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 0.001::float8, m.product || ' is at the mode again') FROM xsell.refit, model(refit) m, by_decisions(m.product) h WHERE refit = (SELECT max(refit) FROM xsell.refit);
SELECT is(replays(), 'all', 'replayed');

-- ------------------------------------------------------- what is not in the log any more --

CREATE TABLE whole AS SELECT * FROM xsell.evidence;
DELETE FROM xsell.decision WHERE decision_id < xsell_id_at('2026-01-14');	-- a week and a half
DELETE FROM xsell.experience WHERE decision_id < xsell_id_at('2026-01-14');
SELECT xsell_refit('bank') AS partly \gset
SELECT results_eq(format('SELECT since, decisions FROM xsell.refit WHERE refit = %s', :partly), $$SELECT '2026-01-19'::date, count(*) FROM xsell.decision WHERE decision_id >= xsell_id_at('2026-01-19')$$, 'weeks that are not whole are left');
SELECT is(min(bucket), '2026-01-19'::date, 'as they are') FROM xsell.refit_evidence WHERE refit = :partly;
SELECT xsell_promote('bank', :partly) \g /dev/null
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ': what was learned from them still counts') FROM model() m,
	LATERAL (SELECT (SELECT xsell_merge_agg(glm) FROM whole w WHERE w.product = m.product AND bucket < '2026-01-19') + (SELECT xsell_merge_agg(after) FROM xsell.refit_evidence r WHERE r.product = m.product AND r.refit = :partly) AS glm) s, by_evidence(m.product, s.glm) h;
SELECT cmp_ok(distance(h.mean, h.sd, m.mean, m.sd), '<', 0.001::float8, m.product || ': all together is at rest') FROM xsell.refit_mean x JOIN model() m USING (product), LATERAL (SELECT m.sd) s, LATERAL (SELECT x.mean, m.sd) h WHERE x.refit = :partly;
SELECT * FROM finish();
