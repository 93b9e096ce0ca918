-- training.sql: what agents learned from, as data for other models, and retraining as one call.
--
-- The references are plain SQL over the raw log, and for coefficients Newton's method (test/data/bayes.sql).
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = error;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
\i test/data/bayes.sql

CREATE TABLE customer (id bigint PRIMARY KEY, a float8, b text, score float8);
INSERT INTO customer SELECT i, (i * 7 % 41 - 20) / 10.0, (ARRAY['x', 'y', 'z'])[1 + i % 3], 0.02 + i * 13 % 97 / 200.0 FROM generate_series(1, 300) i;
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('loan', true);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy, segment, control_share)
VALUES ('bank', 'customer', 'id', 7, 'deferred', 'epsilon_greedy', 'b', 0.3), ('other', 'customer', 'id', 8, 'deferred', 'uniform', NULL, 0);
INSERT INTO xsell.channel (agent, channel, observation_window) VALUES ('bank', 'web', '3 days'), ('bank', 'mail', '20 days'), ('other', 'web', '3 days');
INSERT INTO xsell.offer (agent, product, propensity, value, cost, observation_window) VALUES
	('bank', 'card', 'score', '100', '1.5', NULL), ('bank', 'loan', NULL, NULL, NULL, '10 days'), ('other', 'card', NULL, NULL, NULL, NULL);
INSERT INTO xsell.feature (agent, feature, expression, levels) VALUES ('bank', 'a', 'a', NULL), ('bank', 'b', 'b', '{x,y}'), ('bank', 'dear', 'product.credit AND a > 1', NULL), ('other', 'a', 'a', NULL);
INSERT INTO xsell.outcome_kind (agent, outcome, reward, harm, opt_out) VALUES ('bank', 'click', 0.2, 0, NULL), ('bank', 'complaint', 0, 0.7, NULL);
INSERT INTO xsell.cap (agent, cap, channel, max_offers, per) VALUES ('bank', 'mail', 'mail', 1, '7 days');

CREATE PROCEDURE day(day date, agent text DEFAULT 'bank') LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('xsell.simulated_now', (day + time '10:00')::text, false);
	PERFORM count(xsell_decide(c, agent => day.agent)) FROM customer c WHERE (c.id + extract(doy FROM day)) % 3 > 0;
	PERFORM set_config('xsell.simulated_now', (day + time '12:00')::text, false);
	PERFORM xsell_reward(d.decision_id, o.outcome) FROM xsell.decision d,
		LATERAL (SELECT (hashint8extended(d.decision_id, 3) & 1048575) / 1048576.0 AS u) u,
		LATERAL (VALUES ('conversion', u < 0.3), ('click', u < 0.5 AND u > 0.2), ('complaint', u > 0.9)) o (outcome, comes)
	WHERE d.decision_id >= xsell_id_at(day + time '10:00') AND d.product IS NOT NULL AND o.comes AND (d.agent = 'bank' OR o.outcome = 'conversion');
	PERFORM set_config('xsell.simulated_now', (day + time '13:00')::text, false);
END $$;
CALL day('2026-01-05'); CALL day('2026-01-06'); CALL day('2026-01-06', 'other'); CALL day('2026-01-13'); CALL day('2026-01-20');
SELECT is_empty('TABLE xsell.training', 'nothing is learned yet');
SELECT count(*) FROM unnest('{bank,other}'::text[]) a, xsell_learn(a) \g /dev/null

-- ------------------------------------------------------- the log, by hand --

CREATE FUNCTION r(x float8) RETURNS numeric LANGUAGE sql AS 'SELECT round(x::numeric, 6)';
CREATE VIEW by_hand AS
SELECT d.decision_id, d.agent, d.customer_key, xsell_decided_at(d.decision_id), d.cohort, d.product, d.channel, d.probability, d.encoding, d.features,
	CASE WHEN d.agent = 'bank' AND d.product = 'card' THEN c.score ELSE 0.05 END::real, CASE WHEN d.agent = 'bank' THEN c.b END,
	1::float8 AS weight, coalesce((SELECT max(reward) FROM xsell.outcome o WHERE o.decision_id = d.decision_id), 0::float8) AS reward,
	coalesce((SELECT max(harm) FROM xsell.outcome o WHERE o.decision_id = d.decision_id), 0::float8) AS harm,
	CASE WHEN EXISTS (SELECT FROM xsell.outcome o WHERE o.decision_id = d.decision_id AND o.outcome = 'conversion') THEN 'final'
		WHEN current_setting('xsell.simulated_now')::timestamptz >= xsell_decided_at(d.decision_id) +
			CASE WHEN d.product = 'loan' THEN interval '10 days' WHEN d.channel = 'mail' THEN interval '20 days' ELSE interval '3 days' END THEN 'final' ELSE 'provisional' END AS status,
	(SELECT min(n.decision_id) FROM xsell.decision n WHERE n.agent = d.agent AND n.customer_key = d.customer_key AND n.decision_id > d.decision_id AND n.product IS NOT NULL) AS next
FROM xsell.decision d JOIN customer c ON c.id = d.customer_key WHERE d.product IS NOT NULL;
SELECT set_eq('SELECT decision_id, agent, customer_key, decided_at, cohort, product, channel, probability, encoding, features, prior, segment, weight, reward, harm, status, next_decision_id FROM xsell.training',
	'TABLE by_hand', 'every offer is there, with what came of it');
SELECT results_eq('SELECT status, reward > 0, cohort, next_decision_id IS NULL FROM xsell.training GROUP BY 1, 2, 3, 4 HAVING count(*) > 3 ORDER BY 1, 2, 3, 4',
	$$SELECT s, r, c, n FROM unnest('{final,provisional}'::text[]) s, unnest('{f,t}'::bool[]) r, unnest('{agent,control}'::text[]) c, unnest('{f,t}'::bool[]) n ORDER BY 1, 2, 3, 4$$, 'of every kind');
SELECT results_eq('SELECT DISTINCT agent, product, r(value), r(cost) FROM xsell.training ORDER BY 1, 2',
	$$VALUES ('bank', 'card', 100::numeric, 1.5), ('bank', 'loan', 1, 0), ('other', 'card', 1, 0)$$, 'with value and cost');
SELECT results_eq('SELECT agent, count(*) FROM xsell.training GROUP BY 1 ORDER BY 1', 'SELECT agent, count(*) FROM xsell.experience WHERE previous IS NULL GROUP BY 1 ORDER BY 1', 'as many as were learned');

-- what counts is the last lesson, one that counts for nothing is left out
CALL day('2026-01-27');
SELECT xsell_reward(decision_id, 'conversion') FROM xsell.training WHERE reward = 0 AND customer_key % 7 = 0 \g /dev/null
SELECT set_eq('SELECT decision_id, reward FROM xsell.training WHERE agent = ''bank'' AND customer_key % 7 = 0',
	$$SELECT decision_id, reward FROM xsell.experience JOIN xsell.decision d USING (decision_id) WHERE d.agent = 'bank' AND customer_key % 7 = 0$$, 'as long as they are not learned, late conversions do not show');
SELECT count(*) FROM unnest('{bank,other}'::text[]) a, xsell_learn(a) \g /dev/null
SELECT cmp_ok(count(*), '>', 20::bigint, 'some came late') FROM xsell.experience WHERE previous IS NOT NULL;
SELECT set_eq('SELECT decision_id, reward, status, next_decision_id FROM xsell.training', 'SELECT decision_id, reward, status, next FROM by_hand', 'then they do');

-- ------------------------------------------------------- bounced, cancelled, not heard of --

INSERT INTO xsell.outcome_kind (agent, outcome, reward, delivery, reverses) VALUES ('bank', 'bounced', 0, 'undelivered', NULL), ('bank', 'cancelled', 0, NULL, 'conversion');
CREATE TABLE bounced AS SELECT decision_id FROM xsell.training WHERE agent = 'bank' AND reward = 0 AND harm = 0 ORDER BY decision_id LIMIT 5;
CREATE TABLE cancelled AS SELECT decision_id, channel FROM xsell.training t WHERE agent = 'bank' AND reward = 1 AND decided_at >= '2026-01-27';
SELECT xsell_reward(decision_id, 'bounced') FROM bounced \g /dev/null
SELECT xsell_reward(decision_id, 'cancelled') FROM cancelled \g /dev/null
SET xsell.simulated_now = '2026-01-27 14:00';
SELECT is(corrections, (SELECT count(*) FROM bounced) + (SELECT count(*) FROM cancelled), 'some bounced, some were cancelled') FROM xsell_learn('bank');
SELECT is_empty('SELECT FROM xsell.training JOIN bounced USING (decision_id)', 'what bounced teaches nothing');
SELECT set_eq($$SELECT decision_id, reward, status FROM xsell.training JOIN cancelled USING (decision_id)$$,
	$$SELECT c.decision_id, CASE WHEN EXISTS (SELECT FROM xsell.outcome o WHERE o.decision_id = c.decision_id AND o.outcome = 'click') THEN 0.2::float8 ELSE 0 END, 'provisional' FROM cancelled c$$,
	'what was cancelled is open again');
SELECT set_eq('SELECT decision_id, status FROM xsell.training', 'SELECT decision_id, status FROM xsell.reward JOIN xsell.training USING (decision_id, status)', 'status is that of xsell.reward');
BEGIN;
INSERT INTO xsell.feed (agent, feed, channel, longest_silence) VALUES ('bank', 'web', 'web', '1 hour'), ('bank', 'all', NULL, '1 hour');
SELECT xsell_heartbeat('bank', 'web', '2026-01-20'), xsell_heartbeat('bank', 'all', '2026-01-27') \g /dev/null
SELECT set_eq('SELECT decision_id, status FROM xsell.training', 'SELECT decision_id, status FROM xsell.reward JOIN xsell.training USING (decision_id, status)', 'with feeds, too');
SELECT cmp_ok(count(*), '>', 20::bigint, 'that leave some open whose windows have ended') FROM xsell.training JOIN xsell.reward r USING (decision_id) WHERE training.status = 'provisional' AND r.window_ends < '2026-01-27';
ROLLBACK;

-- ------------------------------------------------------- the features --

SELECT results_eq($$SELECT array_agg(feature ORDER BY place) FROM xsell.training_feature f JOIN (SELECT DISTINCT agent, encoding FROM xsell.training) t USING (agent, encoding) GROUP BY agent ORDER BY agent$$,
	$$VALUES ('{intercept,a,"a is null","b = x","b = y","b = other","b is null",dear,"dear is null",propensity}'::text[]), ('{intercept,a,"a is null"}')$$, 'are named');
SELECT results_eq($$SELECT t.agent, f.feature, count(*) FROM xsell.training t JOIN xsell.training_feature f USING (agent, encoding) JOIN customer c ON c.id = t.customer_key
	WHERE t.features[f.place] IS DISTINCT FROM CASE f.feature WHEN 'intercept' THEN 1 WHEN 'a' THEN c.a WHEN 'b = x' THEN (c.b = 'x')::int WHEN 'b = y' THEN (c.b = 'y')::int WHEN 'b = other' THEN (c.b = 'z')::int
		WHEN 'dear' THEN (c.a > 1)::int WHEN 'propensity' THEN CASE WHEN t.product = 'card' THEN t.features[10] ELSE 0 END ELSE 0 END::real GROUP BY 1, 2$$,
	'SELECT NULL::text, NULL::text, 0::bigint WHERE false', 'rightly: each is what the customer''s row says');
SELECT set_eq($$SELECT feature FROM xsell_model_coefficients('bank') WHERE product = 'card'$$, $$SELECT feature FROM xsell.training_feature WHERE agent = 'bank' AND encoding = (SELECT max(encoding) FROM xsell.training WHERE agent = 'bank')$$, 'as coefficients are');
SELECT results_eq($$SELECT xsell_layout_columns('other', encoding) FROM xsell.training WHERE agent = 'other' LIMIT 1$$, $$VALUES ('{intercept,a,"a is null"}'::text[])$$, 'one by one');
SELECT throws_ok($$SELECT xsell_layout_columns('other', 99)$$, '42704', 'agent "other" has no encoding 99', 'of an encoding that is none');
SELECT is(xsell_layout_columns('other', NULL), NULL, 'NULL makes NULL');

-- ------------------------------------------------------- retraining --

CALL day('2026-01-28');
INSERT INTO xsell.intake (decision_id, outcome, occurred_at) SELECT decision_id, 'conversion', '2026-01-28 12:00' FROM bounced;
CALL xsell_retrain() \gset
SELECT is(j->>'agent', a, 'retrained: ' || a) FROM jsonb_array_elements(:'retrained') WITH ORDINALITY e (j, n) JOIN unnest('{bank,other}'::text[]) WITH ORDINALITY u (a, n) USING (n);
SELECT is_empty('TABLE xsell.intake', 'the intake is empty');
SELECT is(count(*), 5::bigint, 'and learned') FROM xsell.training JOIN bounced USING (decision_id) WHERE reward = 1;
SELECT is((j->>'decisions')::bigint, (SELECT count(*) FROM xsell.decision WHERE product IS NOT NULL AND decision_id >= xsell_id_at('2026-01-28')), 'what waited is learned') FROM jsonb_path_query(:'retrained', '$[*] ? (@.agent == "bank")') j;
SELECT results_eq(format($$SELECT j->>'agent', (j->>'refit')::bigint, (j->>'refitted')::bigint, (j->>'passes')::int, (j->>'movement')::float8 FROM jsonb_array_elements(%L) j$$, :'retrained'),
	'SELECT agent, refit, decisions, passes, movement FROM xsell.refit ORDER BY agent', 'refits are as noted');
SELECT results_eq(format($$SELECT (j->>'distance')::float8, (j->>'largest_distance')::float8, (j->>'compared')::bigint FROM jsonb_array_elements(%L) j$$, :'retrained'),
	$$SELECT d.mean, d.largest, d.decisions FROM unnest('{bank,other}'::text[]) a, xsell_policy_distance(a, 1) d$$, 'as are their distances');
SELECT is((SELECT max(refit) FROM xsell.model), 0::bigint, 'none is in effect');
CREATE TEMP TABLE versions AS SELECT agent, model_version FROM xsell.learner;
CALL xsell_retrain() \gset
SELECT is(:'retrained'::jsonb, '[{"agent": "bank", "decisions": 0, "corrections": 0}, {"agent": "other", "decisions": 0, "corrections": 0}]', 'where nothing is new, nothing is done');

-- One agent's failure is not the others'.
SET xsell.simulated_now = '2026-01-29 10:00+00';
SELECT count(xsell_decide(c, agent => u.agent)) FROM customer c, unnest('{bank,other}'::text[]) u (agent) \g /dev/null
SET xsell.simulated_now = '2026-01-29 11:00+00';
ALTER TABLE xsell.refit ADD CONSTRAINT broken CHECK (refit = 1 OR agent <> 'bank');
\set ON_ERROR_STOP off
\set VERBOSITY terse
CALL xsell_retrain();
\set failed :LAST_ERROR_SQLSTATE
\set message :LAST_ERROR_MESSAGE
\set ON_ERROR_STOP on
SELECT is(:'failed'::text, 'P0001', 'a failure is an error');
SELECT is(:'message'::text, 'retraining failed: agent "bank"', 'that names whom');
SELECT results_eq('SELECT agent, max(refit) FROM xsell.refit GROUP BY 1 ORDER BY 1', $$VALUES ('bank', 1::bigint), ('other', 2)$$, 'the other agent is retrained');
SELECT results_eq('SELECT l.agent, l.model_version - v.model_version FROM xsell.learner l JOIN versions v USING (agent) ORDER BY 1', $$VALUES ('bank', 1::bigint), ('other', 1::bigint)$$, 'and both have learned');
ALTER TABLE xsell.refit DROP CONSTRAINT broken;

-- Whom it leaves out.
UPDATE xsell.agent SET learning = 'hold' WHERE agent = 'other';
UPDATE xsell.agent SET oracle = 'segment' WHERE agent = 'bank';
CALL xsell_retrain() \gset
SELECT is(:'retrained'::jsonb, '[{"agent": "bank", "decisions": 0, "corrections": 0}]', 'agents on hold, and refits of rates');
UPDATE xsell.agent SET oracle = 'auto' WHERE agent = 'bank';
CALL xsell_retrain('bank') \gset
SELECT is(:'retrained'::jsonb #>> '{0,refit}', '2', 'auto is refitted');
\set ON_ERROR_STOP off
CALL xsell_retrain('nobody');
\set failed :LAST_ERROR_SQLSTATE
CALL xsell_retrain('other');
\set held :LAST_ERROR_MESSAGE
BEGIN;
CALL xsell_retrain();
\set inside :LAST_ERROR_SQLSTATE
ROLLBACK;
\set ON_ERROR_STOP on
SELECT is(:'failed'::text, '42704', 'an agent that does not exist');
SELECT is(:'held'::text, 'retraining failed: agent "other"', 'one on hold, by name');
SELECT is(:'inside'::text, '2D000', 'no transaction of the caller''s');
SELECT is(has_function_privilege('public', 'xsell_retrain(text, jsonb)', 'EXECUTE'), false, 'nor anyone''s');

-- ------------------------------------------------------- models of one's own --

-- A regression on the view has the coefficients that the refit has, with the same prior.
UPDATE xsell.agent SET oracle = 'logistic' WHERE agent = 'bank';
SELECT xsell_promote('bank', 2) \g /dev/null
CREATE FUNCTION by_training(product text) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT features AS x, reward AS r FROM xsell.training WHERE agent = ''bank'' AND product = %L', product);
	mean0 float8[] := prior_mean(10, product = 'card', 0.05);
	mean float8[] := mean0;
	trust float8 := (SELECT m.trust FROM xsell.model m WHERE m.agent = 'bank' AND m.product = by_training.product);
BEGIN
	FOR i IN 1 .. CASE WHEN product = 'card' THEN 6 ELSE 1 END LOOP
		SELECT m.mean INTO mean FROM mode_of(query, mean0, prior_precision(10, true, 5, stiff(trust, precision_at(query, mean)))) m;
	END LOOP;
	RETURN mean;
END $$;
SELECT cmp_ok(max(abs(c.mean - t.mean) / c.sd), '<', 0.002::float8, 'a logistic regression of the view gives the refit''s coefficients: ' || product)
FROM (SELECT product, feature, mean, sd FROM xsell.coefficient WHERE agent = 'bank') c JOIN xsell.training_feature f USING (feature)
JOIN LATERAL (SELECT t.mean[f.place] AS mean FROM (SELECT by_training(p) AS mean, p FROM unnest('{card,loan}'::text[]) p) t WHERE t.p = c.product) t ON true
WHERE f.agent = 'bank' AND f.encoding = (SELECT max(encoding) FROM xsell.training WHERE agent = 'bank') GROUP BY product;
SELECT * FROM finish();
