-- models.sql: what models are made of: features that come and go, evidence that counts less with age, similar
-- products, propensities and the choice of the oracle.
--
-- The reference is plain SQL over evidence or the log (test/data/bayes.sql).
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
\i test/data/bayes.sql

CREATE TABLE customer (id bigint PRIMARY KEY, a float8, b float8, e float8, score float8, kind text);
INSERT INTO customer SELECT i, (i * 7 % 41 - 20) / 10.0, (i * 11 % 31 - 15) / 10.0, i % 5 - 2, 0.02 + i * 13 % 97 / 300.0, (ARRAY['x', 'y', 'z'])[1 + i % 3] FROM generate_series(1, 300) i;
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('loan', true), ('fund', false);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy, harm_price) VALUES ('bank', 'customer', 'id', 7, 'deferred', 'uniform', 0);
INSERT INTO xsell.channel (agent, channel) VALUES ('bank', 'web');
INSERT INTO xsell.offer (agent, product, propensity) VALUES ('bank', 'card', 'score'), ('bank', 'loan', NULL), ('bank', 'fund', NULL);
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'a', 'a'), ('bank', 'b', 'b');

SELECT results_eq('SELECT agent, model_version, refit, product, oracle, learned, rate, gain_beta, ramp, similar_to FROM xsell.model ORDER BY product',
	$$SELECT 'bank', NULL::bigint, 0::bigint, p, 'logistic', 0::bigint, NULL::float8, NULL::float8, NULL::float8, '{}'::text[] FROM unnest('{card,fund,loan}'::text[]) p$$, 'before anything was learned there are models');
SELECT results_eq('SELECT product, feature, round(mean::numeric, 6), round(sd::numeric, 6), spread, importance FROM xsell.coefficient WHERE product <> ''loan'' ORDER BY product, feature',
	$$SELECT p, f, round(CASE WHEN f = 'intercept' THEN ln(0.05 / 0.95) WHEN f = 'propensity' AND p = 'card' THEN 1 ELSE 0 END, 6), round(CASE WHEN f IN ('intercept', 'propensity') THEN 1 ELSE 1 / sqrt(5.0 * CASE p WHEN 'card' THEN 1 + 7 * 0.9 ELSE 1 END) END, 6), NULL::float8, NULL::float8
	FROM unnest('{card,fund}'::text[]) p, unnest('{a,"a is null",b,"b is null",intercept,propensity}'::text[]) f ORDER BY 1, 2$$, 'which are their prior: a propensity that is trusted makes features stiff');
SELECT is_empty('TABLE xsell.' || v, 'nothing in xsell.' || v) FROM unnest('{forecast,season,change,alert,decision_rule}'::text[]) v;

-- One day: an offer to each of part of the customers; who converts is settled by a hash.
CREATE PROCEDURE day(day date, part int DEFAULT 1, agent text DEFAULT 'bank') LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('xsell.simulated_now', (day + time '10:00')::text, false);
	PERFORM count(xsell_decide(c, agent => day.agent)) FROM customer c WHERE c.id % part = 0;
	PERFORM set_config('xsell.simulated_now', (day + time '12:00')::text, false);
	PERFORM xsell_reward(d.decision_id, 'conversion') FROM xsell.decision d JOIN customer c ON c.id = d.customer_key
	WHERE d.agent = day.agent AND d.decision_id >= xsell_id_at(day + time '10:00') AND (hashint8extended(d.customer_key, extract(doy FROM day)::int) & 1048575) / 1048576.0
		< 1 / (1 + exp(-CASE d.product WHEN 'card' THEN -1.2 + 0.8 * a - b WHEN 'loan' THEN -0.4 - 0.6 * a ELSE -3 + b END));
	PERFORM set_config('xsell.simulated_now', (day + time '13:00')::text, false);
	PERFORM xsell_learn(day.agent);
END $$;
CREATE FUNCTION model(agent text DEFAULT 'bank') RETURNS TABLE (product text, features text[], mean float8[], sd float8[]) LANGUAGE sql AS $$
	SELECT c.product, array_agg(c.feature ORDER BY n), array_agg(c.mean ORDER BY n), array_agg(c.sd ORDER BY n)
	FROM xsell_model_coefficients(agent) WITH ORDINALITY c (product, feature, mean, sd, lower, upper, spread, importance, n) GROUP BY 1
$$;
CREATE FUNCTION distance(m float8[], s float8[], m2 float8[], s2 float8[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT max(greatest(abs(x - x2) / t2, abs(ln(t / t2)))) FROM ROWS FROM (unnest(m), unnest(s), unnest(m2), unnest(s2)) u (x, t, x2, t2)
$$;
CREATE FUNCTION replays() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT d.decision_id || ' ' || r::text FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical LIMIT 1), 'all')
$$;
CREATE FUNCTION evidence(product text, agent text DEFAULT 'bank') RETURNS xsell_glm LANGUAGE sql AS 'SELECT xsell_merge_agg(glm) FROM xsell.evidence e WHERE e.product = $1 AND e.agent = $2';

CREATE FUNCTION trust(product text) RETURNS float8 LANGUAGE sql AS 'SELECT trust FROM xsell.model m WHERE m.agent = ''bank'' AND m.product = $1';

-- The posterior with the columns picked of the evidence: a column of 0 for NULL.
CREATE FUNCTION with_columns(state xsell_glm, picked int[], trust float8, OUT mean float8[], OUT sd float8[]) LANGUAGE plpgsql AS $$
DECLARE
	p float8[] := precision_of(state);
	s float8[] := shift_of(state);
	n int := cardinality(picked);
	q float8[] := array_fill(0::float8, ARRAY[n, n]);
	t float8[] := array_fill(0::float8, ARRAY[n]);
BEGIN
	FOR i IN 1..n LOOP
		t[i] := coalesce(s[picked[i]], 0);
		FOR j IN 1..n LOOP q[i][j] := coalesce(p[picked[i]][picked[j]], 0); END LOOP;
	END LOOP;
	SELECT m.mean, m.sd INTO mean, sd FROM posterior(q, t, prior_mean(n, trust IS NOT NULL, 0.05), prior_precision(n, true, 5, stiff(trust, q))) m;
END $$;

CREATE FUNCTION weight(bucket date) RETURNS float8 LANGUAGE sql AS $$
	SELECT CASE WHEN max(e.bucket) - $1 >= coalesce(extract(epoch FROM a.evidence_window) / 86400, 'Infinity') THEN 0 ELSE 2 ^ (-(max(e.bucket) - $1) / coalesce(extract(epoch FROM a.half_life) / 86400, 'Infinity')) END
	FROM xsell.evidence e, xsell.agent a WHERE a.agent = 'bank' GROUP BY a.evidence_window, a.half_life
$$;
-- Evidence of all weeks and layouts, by weight, under the present layout; slope NULL: but for the propensity.
CREATE FUNCTION weighted(product text, slope int DEFAULT 6, OUT mean float8[], OUT sd float8[]) LANGUAGE plpgsql AS $$
DECLARE
	e record;
	p float8[] := array_fill(0::float8, ARRAY[6, 6]);
	s float8[] := array_fill(0::float8, ARRAY[6]);
BEGIN
	FOR e IN SELECT weight(bucket) AS g, precision_of(r) AS p, shift_of(r) AS s FROM xsell.evidence v, LATERAL xsell_remap(v.glm, xsell_layout_map('bank', v.encoding,
		(SELECT (definition #>> '{layout,encoding}')::int FROM xsell.policy ORDER BY policy_version DESC LIMIT 1), v.product)) r WHERE v.product = $1 LOOP
		FOR i IN 1..6 LOOP
			CONTINUE WHEN i = 6 AND slope IS NULL;
			s[i] := s[i] + e.g * e.s[i];
			FOR j IN 1..6 LOOP p[i][j] := p[i][j] + CASE WHEN j < 6 OR slope = 6 THEN e.g * e.p[i][j] ELSE 0 END; END LOOP;
		END LOOP;
	END LOOP;
	SELECT m.mean, m.sd INTO mean, sd FROM posterior(p, s, prior_mean(6, product = 'card', 0.05), prior_precision(6, true, 5, stiff(trust(product), p))) m;
END $$;

CALL day('2026-01-05'); CALL day('2026-01-12'); CALL day('2026-01-13');

-- ------------------------------------------------------- features come and go --

CREATE TABLE whole AS SELECT * FROM model();
CREATE TABLE was AS SELECT product, evidence(product) AS glm, learned, trust FROM xsell.model;
SELECT is(features, '{intercept,a,"a is null",b,"b is null",propensity}', 'the columns') FROM whole LIMIT 1;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' is the posterior of its evidence') FROM model() m JOIN was USING (product), with_columns(glm, '{1,2,3,4,5,6}', trust(product)) h;

DELETE FROM xsell.feature WHERE feature = 'b';
SELECT is(features, '{intercept,a,"a is null",propensity}', 'a feature is dropped') FROM model() LIMIT 1;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' is the posterior of what is left') FROM model() m JOIN was USING (product), with_columns(glm, '{1,2,3,6}', trust(product)) h;
SELECT results_eq('SELECT product, learned FROM xsell.model ORDER BY 1', 'SELECT product, learned FROM was ORDER BY 1', 'decisions learned stay so many');

INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'e', 'e');
SELECT is(features, '{intercept,a,"a is null",e,"e is null",propensity}', 'another is added') FROM model() LIMIT 1;
-- nobody knew e, so its "is null" was as the intercept
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' has it at its prior, and what else it knew') FROM model() m JOIN was USING (product), with_columns(glm, '{1,2,3,NULL,1,6}', trust(product)) h;
SELECT results_eq($$SELECT product, mean, round(sd::numeric, 9) FROM xsell.coefficient WHERE feature = 'e' ORDER BY 1$$, $$SELECT product, 0::float8, round((1 / sqrt(5 * stiff(trust(product), precision_of(glm))))::numeric, 9) FROM was ORDER BY 1$$, 'the new coefficient is at its prior');

DELETE FROM xsell.feature WHERE feature = 'e';
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'b', 'b');
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM whole ORDER BY 1', 'all as it was: the same model, to the bit');

UPDATE xsell.feature SET expression = 'a * 2' WHERE feature = 'a';
CALL day('2026-01-14', 2);
UPDATE xsell.feature SET expression = 'a' WHERE feature = 'a';
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ': what was learned meanwhile counts as far as it is known') FROM model() m JOIN was USING (product),
	LATERAL (SELECT glm, (SELECT glm FROM xsell.evidence e WHERE e.product = was.product ORDER BY encoding DESC LIMIT 1) AS new) e,
	-- columns of both as one state: intercept, a, "a is null", b, "b is null", propensity
	LATERAL (SELECT xsell_glm_agg(ARRAY[x[1], 0, 1, x[4], x[5], x[6]]::real[], r, m, 1, 'logit') AS new FROM (SELECT d.features AS x, (o.decision_id IS NOT NULL)::int AS r, linear_predictor AS m FROM xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id)
		WHERE d.product = was.product AND d.decision_id >= xsell_id_at('2026-01-14')) d) n,
	with_columns(e.glm + n.new, '{1,2,3,4,5,6}', trust(product)) h;
SELECT is(replays(), 'all', 'decisions of all layouts replay');

-- ------------------------------------------------------- another propensity --

CREATE FUNCTION earned(since timestamptz) RETURNS float8 LANGUAGE sql AS $$	-- in the propensity of card, by the log losses of the decisions since
	SELECT 1 / (1 + exp(-(ln(9) + coalesce(sum(CASE WHEN o.decision_id IS NOT NULL THEN ln(f[1]::float8 / f[2]) ELSE ln((1 - f[1]::float8) / (1 - f[2])) END), 0))))
	FROM (SELECT decision_id, forecasts AS f FROM xsell.decision WHERE product = 'card' AND decision_id >= xsell_id_at(since)) d LEFT JOIN xsell.outcome o USING (decision_id)
$$;
SELECT ok(abs(trust - earned('2026-01-01')) < 1e-5 AND trust <> 0.9, 'trust in a propensity is how well it forecast') FROM xsell.model WHERE product = 'card';
SELECT is(array_agg(trust), '{NULL,NULL}', 'others have none') FROM xsell.model WHERE product <> 'card';
CREATE TABLE before AS SELECT * FROM model();
CREATE TABLE learned_of AS SELECT product, evidence(product) AS glm FROM before WHERE product = 'card';
UPDATE xsell.offer SET propensity_version = 'v2' WHERE product = 'card';
SELECT results_eq($$SELECT round(mean::numeric, 9), round(sd::numeric, 9) FROM xsell.coefficient WHERE product = 'card' AND feature = 'propensity'$$, 'VALUES (1.0, 1.0)', 'a new version of the score begins at its prior');
SELECT is(round(trust::numeric, 9), 0.9, 'as does the trust in it') FROM xsell.model WHERE product = 'card';
SELECT results_eq('SELECT * FROM model() WHERE product <> ''card'' ORDER BY 1', 'SELECT * FROM before WHERE product <> ''card'' ORDER BY 1', 'other products do not notice');
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, 'other coefficients keep their evidence') FROM model() m, weighted('card', NULL) h WHERE product = 'card';
CALL day('2026-01-15');
SELECT ok(abs(trust - earned('2026-01-15')) < 1e-5, 'trust is that of the present version') FROM xsell.model WHERE product = 'card';
SELECT is(replays(), 'all', 'replayed');
UPDATE xsell.offer SET propensity_version = NULL WHERE product = 'card';
SELECT ok(abs(trust - w) < 1e-5, 'and the first one has its own again') FROM xsell.model, LATERAL (SELECT 1 / (1 + exp(-(ln(earned('2026-01-01') / (1 - earned('2026-01-01'))) - ln(earned('2026-01-15') / (1 - earned('2026-01-15'))) + ln(9)))) AS w) t WHERE product = 'card';

-- A score that only some customers have is judged by these.
UPDATE customer SET score = CASE WHEN id % 2 = 0 THEN NULL ELSE 0.25 END;
UPDATE xsell.offer SET propensity_version = 'half' WHERE product = 'card';
CALL day('2026-01-16');
SELECT ok(abs(trust - 1 / (1 + exp(-(ln(9) + gain)))) < 1e-5 AND n > 20 AND missing > 20, 'missing scores count neither for nor against it') FROM xsell.model,
	LATERAL (SELECT count(*) FILTER (WHERE f[1] <> 'NaN') AS n, count(*) FILTER (WHERE f[1] = 'NaN') AS missing,
		sum(CASE WHEN o.decision_id IS NOT NULL THEN ln(f[1]::float8 / f[2]) ELSE ln((1 - f[1]::float8) / (1 - f[2])) END) FILTER (WHERE f[1] <> 'NaN') AS gain
	FROM (SELECT decision_id, forecasts AS f FROM xsell.decision WHERE product = 'card' AND decision_id >= xsell_id_at('2026-01-16')) d LEFT JOIN xsell.outcome o USING (decision_id)) g WHERE product = 'card';

-- ------------------------------------------------------- evidence that ages --

CALL day('2026-02-03', 2);
CREATE TABLE full_weight AS SELECT * FROM model();
SELECT is((SELECT array_agg(DISTINCT bucket ORDER BY bucket) FROM xsell.evidence), '{2026-01-05,2026-01-12,2026-02-02}', 'three weeks');
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ': all evidence counts alike') FROM model() m, weighted(m.product) h;
UPDATE xsell.agent SET half_life = '10 days';
SELECT is(round(weight('2026-01-12')::numeric, 9), round(2 ^ -2.1, 9), 'three weeks are 2.1 half-lives');
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-6::float8, m.product || ' ages') FROM model() m, weighted(m.product) h;
SELECT ok(abs(m.rate - h.rate) < 1e-6, 'its rate as well: ' || product) FROM xsell.model m JOIN (SELECT product, sum(weight(bucket) * xsell_successes(beta)) / sum(weight(bucket) * xsell_trials(beta)) AS rate FROM xsell.evidence GROUP BY 1) h USING (product);
SELECT is(sum(learned), (SELECT count(*) FROM xsell.experience WHERE previous IS NULL)::numeric, 'but what was learned was learned') FROM xsell.model;
CALL day('2026-02-10', 3);
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-6::float8, m.product || ' ages on with a new week') FROM model() m, weighted(m.product) h;
-- a week of one product alone makes the others' evidence older, too
SET xsell.simulated_now = '2026-02-17 10:00+00';
SELECT count(xsell_decide(u, '{card}')) FROM customer u WHERE id < 9 \g /dev/null
SET xsell.simulated_now = '2026-02-17 12:00+00';
SELECT xsell_learn('bank') \g /dev/null
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-6::float8, m.product || ' ages when another is learned') FROM model() m, weighted(m.product) h;
UPDATE xsell.agent SET half_life = NULL, evidence_window = '35 days';
SELECT is(array_agg(weight(b) ORDER BY b), '{0,0,1,1,1}', 'a window of 35 days ends before the week that is 35 days older') FROM (SELECT DISTINCT bucket AS b FROM xsell.evidence) w;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' sees no farther') FROM model() m, weighted(m.product) h;
CALL day('2026-02-18', 3);
UPDATE xsell.agent SET half_life = '10 days';
CALL day('2026-02-19', 3);
SELECT is(replays(), 'all', 'decisions made with half-life and window replay');
-- without what was learned since, the models are what they were
UPDATE xsell.agent SET half_life = NULL, evidence_window = NULL;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' lost nothing') FROM model() m, weighted(m.product) h;
BEGIN;
CREATE TABLE now AS SELECT * FROM model();
UPDATE xsell.agent SET half_life = '1 year', evidence_window = '1 month';
SELECT results_ne('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM now ORDER BY 1', 'other models');
UPDATE xsell.agent SET half_life = NULL, evidence_window = NULL;
SELECT results_eq('SELECT * FROM model() ORDER BY 1', 'SELECT * FROM now ORDER BY 1', 'and back, to the bit');
ROLLBACK;

-- Beta, in closed form: the prior's counts, and what counts of the others.
UPDATE xsell.agent SET oracle = 'beta', half_life = '10 days', neutral_rate = 0.1, prior_strength = 15;
SELECT ok(abs(r.expected - h.rate) < 1e-6 AND abs(h.rate - u.rate) > 0.001, 'a rate that ages: ' || r.product) FROM customer c, xsell_rank(c) r,
	LATERAL (SELECT (15 * 0.1 + sum(weight(bucket) * xsell_successes(beta))) / (15 + sum(weight(bucket) * xsell_trials(beta))) AS rate FROM xsell.evidence e WHERE e.product = r.product) h,
	LATERAL (SELECT (15 * 0.1 + sum(xsell_successes(beta))) / (15 + sum(xsell_trials(beta))) AS rate FROM xsell.evidence e WHERE e.product = r.product) u WHERE c.id = 1 AND r.product <> 'card';
CALL day('2026-02-20', 3);
SELECT is(replays(), 'all', 'replayed');

-- Rates of segments: of two layouts in one week, a segment's sum is rounded otherwise than its product's.
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy, oracle, segment) VALUES ('parts', 'customer', 'id', 7, 'deferred', 'uniform', 'segment', '''all''');
INSERT INTO xsell.channel (agent, channel) VALUES ('parts', 'web');
INSERT INTO xsell.offer (agent, product) SELECT 'parts', product FROM xsell.product;
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('parts', 'a', 'a');
CALL day('2026-03-03', 7, 'parts');
UPDATE xsell.feature SET scale = 2 WHERE agent = 'parts';
CALL day('2026-03-04', 11, 'parts');
UPDATE xsell.feature SET scale = 3 WHERE agent = 'parts';
CALL day('2026-03-05', 13, 'parts'); CALL day('2026-03-10', 7, 'parts');
SELECT lives_ok(format('UPDATE xsell.agent SET half_life = %L WHERE agent = ''parts''; SELECT xsell_models(''parts'')', days || ' days'), 'discounted by ' || days) FROM generate_series(3, 33, 3) days;
SELECT is(replays(), 'all', 'replayed');

-- ------------------------------------------------------- similar products --

INSERT INTO xsell.product (product, credit, attributes) VALUES ('blue', true, '{"type": "card", "tier": 1}'), ('gold', true, '{"type": "card", "tier": 1.0}'), ('black', true, '{"type": "card", "tier": 2}'), ('bond', false, '{"type": "fund", "tier": 1}'),
	('pass', false, '{"tier": 1}'), ('ring', false, '{"type": null, "tier": 1}'), ('cash', false, '{"type": null, "tier": 1}'), ('mint', false, '{}');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy, harm_price) VALUES ('shop', 'customer', 'id', 9, 'deferred', 'uniform', 0);
INSERT INTO xsell.channel (agent, channel) VALUES ('shop', 'web');
INSERT INTO xsell.offer (agent, product) SELECT 'shop', p FROM unnest('{blue,gold,black,bond,pass,ring,cash,mint}'::text[]) p;
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('shop', 'a', 'a');
CREATE FUNCTION similar() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(product || ': ' || array_to_string(similar_to, ' '), ', ' ORDER BY product) FROM xsell_models('shop') WHERE similar_to <> '{}'
$$;
-- Products whose attributes are all there, and equal, by the view.
CREATE FUNCTION by_view() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(p || ': ' || s, ', ' ORDER BY p) FROM (SELECT g.product AS p, string_agg(o.product, ' ' ORDER BY o.product) AS s FROM xsell.product_group g JOIN xsell.product_group o USING (agent, similar_by)
		WHERE g.product <> o.product AND g.agent = 'shop' AND NOT EXISTS (SELECT FROM jsonb_each(g.similar_by) WHERE value = 'null') AND jsonb_typeof(g.similar_by) = 'object'
		AND (SELECT count(*) FROM jsonb_each(g.similar_by)) = (SELECT count(*) FROM unnest((SELECT similarity FROM xsell.agent WHERE agent = 'shop')) u) GROUP BY 1) x
$$;
SELECT is(similar(), NULL, 'no product is similar to another');
UPDATE xsell.agent SET similarity = '{type}' WHERE agent = 'shop';
SELECT is(similar(), 'black: blue gold, blue: black gold, gold: black blue', 'those of one type are; what has none is similar to nothing');
SELECT is(similar(), by_view(), 'as xsell.product_group says');
UPDATE xsell.agent SET similarity = '{tier,type}' WHERE agent = 'shop';
SELECT is(similar(), 'blue: gold, gold: blue', 'of one type and tier');
SELECT is(similar(), by_view(), 'as the view says');
UPDATE xsell.agent SET similarity = '{credit}' WHERE agent = 'shop';
SELECT is(similar(), by_view(), 'credit is an attribute');
SELECT matches(similar(), 'bond: cash mint pass ring', 'of all products');
UPDATE xsell.agent SET similarity = '{}' WHERE agent = 'shop';
SELECT is(similar(), NULL, 'by nothing, none');
UPDATE xsell.agent SET similarity = '{type}', pooling = 0 WHERE agent = 'shop';
SELECT is(similar(), NULL, 'none if nothing is pooled');
UPDATE xsell.agent SET pooling = 0.5 WHERE agent = 'shop';
UPDATE xsell.offer SET prior_strength = 7 WHERE agent = 'shop' AND product = 'gold';
SELECT is(similar(), 'black: blue, blue: black', 'one with a strength of its own stands alone');
UPDATE xsell.offer SET prior_strength = NULL, prior_rate = CASE WHEN product = 'black' THEN 0.08 END WHERE agent = 'shop';

-- blue and gold are known, black is new.
UPDATE xsell.offer SET active = product IN ('blue', 'gold') WHERE agent = 'shop';
CREATE PROCEDURE sell(day date, part int, rate float8) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('xsell.simulated_now', (day + time '10:00')::text, false);
	PERFORM count(xsell_decide(c, agent => 'shop')) FROM customer c WHERE c.id % part = 0;
	PERFORM set_config('xsell.simulated_now', (day + time '12:00')::text, false);
	PERFORM xsell_reward(d.decision_id, 'conversion') FROM xsell.decision d JOIN customer c ON c.id = d.customer_key
	WHERE d.agent = 'shop' AND d.decision_id >= xsell_id_at(day + time '10:00') AND (hashint8extended(d.customer_key, extract(doy FROM day)::int) & 1048575) / 1048576.0 < rate * (1 + a / 4);
	PERFORM set_config('xsell.simulated_now', (day + time '13:00')::text, false);
	PERFORM xsell_learn('shop');
END $$;
CALL sell('2026-04-06', 1, 0.3); CALL sell('2026-04-07', 1, 0.3); CALL sell('2026-04-14', 1, 0.3);
UPDATE xsell.offer SET active = true WHERE agent = 'shop';
CREATE FUNCTION expected(product text) RETURNS float8 LANGUAGE sql AS $$
	SELECT avg(r.expected) FROM customer c, xsell_rank(c, ARRAY[product], 'shop') r WHERE c.id <= 100
$$;
SELECT ok(expected('black') BETWEEN 0.15 AND 0.3, 'a new product is expected to convert as similar ones do') FROM (SELECT 1) x;
SELECT ok(expected('bond') < 0.09 AND expected('mint') < 0.09, 'one that is similar to none as any');
-- The joint posterior, in one matrix: what they have in common, and what is each one's own (doc/algorithms.md).
CREATE FUNCTION jointly(products text[], share float8) RETURNS TABLE (product text, mean float8[], sd float8[]) LANGUAGE plpgsql AS $$
DECLARE
	k int := cardinality(products);
	d int := 3;
	n int := (cardinality(products) + 1) * 3;
	prior float8[] := prior_precision(3, false, 5);
	m float8[] := array_fill(0::float8, ARRAY[n, n]);
	s float8[] := array_fill(0::float8, ARRAY[n]);
	c float8[];
	mu float8[];
	e xsell_glm;
	p float8[];
	h float8[];
BEGIN
	FOR i IN 1..d LOOP
		m[i][i] := prior[i] / share;
		FOR o IN 1..k LOOP m[o * d + i][o * d + i] := prior[i] / (1 - share); END LOOP;
	END LOOP;
	FOR o IN 1..k LOOP
		e := evidence(products[o], 'shop');
		CONTINUE WHEN e IS NULL;
		p := precision_of(e);
		h := shift_of(e);
		mu := prior_mean(d, false, coalesce((SELECT prior_rate FROM xsell.offer f WHERE f.agent = 'shop' AND f.product = products[o]), 0.05));
		FOR i IN 1..d LOOP
			FOR j IN 1..d LOOP
				h[i] := h[i] - p[i][j] * mu[j];
				m[i][j] := m[i][j] + p[i][j];
				m[o * d + i][j] := p[i][j];
				m[i][o * d + j] := p[i][j];
				m[o * d + i][o * d + j] := m[o * d + i][o * d + j] + p[i][j];
			END LOOP;
			s[i] := s[i] + h[i];
			s[o * d + i] := h[i];
		END LOOP;
	END LOOP;
	c := inverse(m);
	FOR o IN 1..k LOOP
		product := products[o];
		mean := prior_mean(d, false, coalesce((SELECT prior_rate FROM xsell.offer f WHERE f.agent = 'shop' AND f.product = products[o]), 0.05));
		FOR i IN 1..d LOOP
			FOR j IN 1..n LOOP mean[i] := mean[i] + (c[i][j] + c[o * d + i][j]) * s[j]; END LOOP;
			sd[i] := sqrt(c[i][i] + c[o * d + i][o * d + i] + 2 * c[i][o * d + i]);
		END LOOP;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' is the joint posterior') FROM model('shop') m JOIN jointly('{black,blue,gold}', 0.5) h USING (product);
UPDATE xsell.agent SET pooling = 0.9 WHERE agent = 'shop';
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' is it for another share') FROM model('shop') m JOIN jointly('{black,blue,gold}', 0.9) h USING (product);
UPDATE xsell.agent SET pooling = 0.5, similarity = NULL WHERE agent = 'shop';
SELECT ok(expected('black') < 0.12, 'nobody to learn from: at its own rate');
UPDATE xsell.agent SET similarity = '{type}' WHERE agent = 'shop';
-- it fails all by itself
UPDATE xsell.offer SET active = product = 'black' WHERE agent = 'shop';
CALL sell('2026-04-15', 1, 0); CALL sell('2026-04-21', 1, 0);
UPDATE xsell.offer SET active = true WHERE agent = 'shop';
SELECT ok(expected('black') < 0.08 AND expected('blue') > 0.2, 'with evidence of its own it goes its own way');
SELECT cmp_ok(distance(m.mean, m.sd, h.mean, h.sd), '<', 1e-9::float8, m.product || ' is the joint posterior still') FROM model('shop') m JOIN jointly('{black,blue,gold}', 0.5) h USING (product);
SELECT is(replays(), 'all', 'decisions of similar products replay');
SELECT xsell_refit('shop') AS refit \gset
SELECT xsell_promote('shop', :refit) \g /dev/null
SELECT ok(expected('black') < 0.02 AND expected('blue') > 0.2, 'a refit lets it');
SELECT xsell_refit('shop') AS again \gset
SELECT cmp_ok(movement, '<', 1e-4::float8, 'a refit of a group comes to rest') FROM xsell.refit WHERE agent = 'shop' AND refit = :again;
CALL sell('2026-04-22', 3, 0.3);
SELECT is(replays(), 'all', 'replayed');

-- ------------------------------------------------------- whichever the evidence supports --

INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy, harm_price, oracle, segment, neutral_rate) VALUES ('auto', 'customer', 'id', 5, 'deferred', 'uniform', 0, 'auto', 'kind', 0.2);
INSERT INTO xsell.channel (agent, channel) VALUES ('auto', 'web');
INSERT INTO xsell.offer (agent, product) VALUES ('auto', 'card'), ('auto', 'loan'), ('auto', 'fund');
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('auto', 'a', 'a'), ('auto', 'b', 'b');
SELECT results_eq($$SELECT oracle, gain_beta, gain_segment, gain_contextual FROM xsell.model WHERE agent = 'auto'$$, $$SELECT 'beta', 0::float8, 0::float8, 0::float8 FROM generate_series(1, 3)$$, 'auto begins with rates');
-- The ladder, from the log of all products: week by week, the best that has gained ln 20 takes over, and the count starts anew.
CREATE FUNCTION ladder(OUT oracle text, OUT gain float8[]) LANGUAGE plpgsql AS $$
DECLARE
	names text[] := '{beta,segment,logistic}';
	step int := 1;
	best int;
	w record;
BEGIN
	gain := '{0,0,0}';
	FOR w IN SELECT array_agg(l ORDER BY j) AS loss FROM (SELECT date_trunc('week', xsell_decided_at(d.decision_id)) AS week, j,
			sum(CASE WHEN o.decision_id IS NOT NULL THEN -ln(d.forecasts[j]) ELSE -ln(1 - d.forecasts[j]::float8) END) AS l
		FROM xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id), generate_series(2, 4) j WHERE d.agent = 'auto' GROUP BY 1, 2) x GROUP BY week ORDER BY week
	LOOP
		best := step;
		FOR j IN 1..3 LOOP
			gain[j] := gain[j] + w.loss[step] - w.loss[j];
			IF gain[j] > gain[best] THEN best := j; END IF;
		END LOOP;
		CONTINUE WHEN gain[best] < ln(20);
		step := best;
		gain := '{0,0,0}';
	END LOOP;
	oracle := names[step];
END $$;
CREATE FUNCTION ladders_differ() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT product || ': ' || m::text || l::text FROM xsell.model m, ladder() l WHERE agent = 'auto'
		AND (m.oracle <> l.oracle OR abs(m.gain_beta - l.gain[1]) + abs(m.gain_segment - l.gain[2]) + abs(m.gain_contextual - l.gain[3]) > 1e-4) LIMIT 1), 'none')
$$;
CREATE TABLE path (day date, oracle text);
CREATE PROCEDURE weeks(first date, n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 0..n - 1 LOOP
		CALL day(first + 7 * i, 1, 'auto');
		INSERT INTO path SELECT DISTINCT first + 7 * i, oracle FROM xsell.model WHERE agent = 'auto';
	END LOOP;
END $$;
CALL day('2026-04-27', 30, 'auto');
SELECT results_eq($$SELECT DISTINCT oracle FROM xsell.model WHERE agent = 'auto'$$, $$VALUES ('beta')$$, 'ten decisions do not tell');
CALL weeks('2026-05-04', 2);
SELECT is(ladders_differ(), 'none', 'steps and gains are those of the log');
CALL weeks('2026-05-18', 8);
SELECT is(ladders_differ(), 'none', 'and later');
SELECT is((array_agg(oracle ORDER BY day DESC))[1], 'logistic', 'where features matter, the model with features takes over') FROM path;
SELECT is(count(*), 10::bigint, 'for all products at once') FROM path;
SELECT is(replays(), 'all', 'decisions of either replay');
SELECT ok(count(DISTINCT r.expected) > 50, 'customers differ now') FROM customer c, xsell_rank(c, '{card}', 'auto') r;
SELECT xsell_refit('auto') AS refit \gset
SELECT is(xsell_promote('auto', :refit) > 0, true, 'its model with features can be refitted');
CALL weeks('2026-07-13', 1);
SELECT is(replays(), 'all', 'replayed');
UPDATE xsell.agent SET segment = NULL WHERE agent = 'auto';
SELECT is(count(*), 3::bigint, 'segments may go') FROM xsell.model WHERE agent = 'auto' AND oracle IN ('beta', 'logistic');

SELECT * FROM finish();
