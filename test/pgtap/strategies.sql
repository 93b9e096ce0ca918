-- strategies.sql: what becomes of predictions: strategies and their schedules, levers, ramps, harm, and what is logged of forecasts and segments.
--
-- Under the simulated clock a session makes the same ids, so the draws below are the same in every run.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT no_plan();

SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2024-01-05 09:00+00';
CREATE TYPE tier AS ENUM ('basic', 'gold');
CREATE TABLE customer (id bigint PRIMARY KEY, age int, region text, tier tier, score float8, weight float8);
INSERT INTO customer SELECT i, 20 + i % 60, (ARRAY['north', 'south'])[1 + i % 2], (ARRAY['basic', 'gold']::tier[])[1 + i % 2], (i % 10) / 40.0, 1 FROM generate_series(1, 1000) i;
INSERT INTO xsell.product (product, credit, attributes) VALUES
	('card', true, '{"group": "pay"}'), ('fund', false, '{"group": "save"}'), ('loan', true, '{"group": "borrow"}'), ('plan', false, '{"group": "save"}');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, oracle, strategy) VALUES ('bank', 'customer', 'id', 7, 'deferred', 'beta', 'epsilon_greedy');
INSERT INTO xsell.channel (agent, channel) VALUES ('bank', 'web'), ('bank', 'mail');
INSERT INTO xsell.offer (agent, product) SELECT 'bank', product FROM xsell.product WHERE product <> 'plan';
INSERT INTO xsell.outcome_kind (agent, outcome, reward) VALUES ('bank', 'click', 0.1);
INSERT INTO xsell.feature (agent, feature, expression, center, scale) VALUES ('bank', 'age', 'age', 50, 20);

CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS $$
	SELECT set_config('xsell.simulated_now', $1::text, false)
$$;
-- Learns everything decided so far; a second later on the clock, since ids of the same moment are not settled
CREATE FUNCTION pg_temp.learn() RETURNS void LANGUAGE sql AS $$
	SELECT set_config('xsell.simulated_now', (current_setting('xsell.simulated_now')::timestamptz + interval '1 second')::text, false);
	SELECT count(*) FROM xsell_learn('bank');
$$;
-- Candidates of the decision that was made last
CREATE VIEW last AS SELECT d.decision_id, p.definition #>> ARRAY['arms', c.arm::text, '0'] AS product, c.*
	FROM (SELECT * FROM xsell.decision ORDER BY decision_id DESC LIMIT 1) d JOIN xsell.policy p USING (agent, policy_version), xsell_candidates_list(d.candidates) c;
CREATE FUNCTION pg_temp.decide(key bigint, products text[] DEFAULT NULL, channel text DEFAULT 'web') RETURNS bigint LANGUAGE sql AS $$
	SELECT d.decision_id FROM customer c, xsell_decide(c, products, channel => $3) d WHERE c.id = key
$$;
-- The epsilon in a decision's logged probabilities, its floor known: arms that are not the best have (1 - floor) epsilon / n + floor / n
CREATE FUNCTION pg_temp.epsilon(floor float8) RETURNS float8 LANGUAGE sql AS $$
	SELECT round(((min(probability) * count(*) - floor) / (1 - floor))::numeric, 12)::float8 FROM last WHERE excluded IS NULL
$$;
CREATE FUNCTION pg_temp.rank(key bigint, at timestamptz DEFAULT NULL, channel text DEFAULT 'web') RETURNS TABLE (product text, probability float8, expected float8, propensity float8, excluded text) LANGUAGE sql AS $$
	SELECT r.product, r.probability, r.expected, r.propensity, r.excluded FROM customer c, xsell_rank(c, channel => $3, at => $2) r WHERE c.id = key
$$;
CREATE FUNCTION pg_temp.not_replayed() RETURNS SETOF record LANGUAGE sql AS $$
	SELECT d.decision_id, r.* FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical
$$;

-- --------------------------------------------------------------- schedules --

-- 0.2 decaying to 0.05 and staying there: by time
UPDATE xsell.agent SET epsilon = 0.2, epsilon_end = 0.05, floor = 0.01, floor_end = 0.01, schedule = 'time', schedule_half = 10, schedule_since = '2024-02-01 00:00+00';
CREATE TABLE day (day float8, epsilon float8, ranked float8);
INSERT INTO day SELECT unnest('{-20,0,2.5,5,10,15,19.9,20,20.1,50,500}'::float8[]);
DO $$
DECLARE d float8;
BEGIN
	FOR d IN SELECT day.day FROM day LOOP
		PERFORM pg_temp.clock('2024-02-01 00:00+00'::timestamptz + d * interval '1 day');
		PERFORM pg_temp.decide(1);
		UPDATE day SET epsilon = pg_temp.epsilon(0.01) WHERE day = d;
		PERFORM pg_temp.clock('2024-01-05 10:00+00');
		UPDATE day SET ranked = (SELECT (min(probability) * 3 - 0.01) / 0.99 FROM pg_temp.rank(1, '2024-02-01 00:00+00'::timestamptz + d * interval '1 day')) WHERE day = d;
	END LOOP;
END $$;
SELECT results_eq('SELECT day, epsilon FROM day WHERE day IN (-20, 0, 10, 20, 50, 500) ORDER BY 1', 'VALUES (-20::float8, 0.2::float8), (0, 0.2), (10, 0.1), (20, 0.05), (50, 0.05), (500, 0.05)',
	'by time: 0.2 before it begins, halved after ten days, 0.05 after twenty, and staying there');
SELECT is_empty('SELECT * FROM day WHERE abs(epsilon - greatest(0.05, 0.2 * power(2, -greatest(day, 0) / 10))) > 1e-11', 'and in between');
SELECT is_empty('SELECT * FROM day WHERE abs(epsilon - ranked) > 1e-11', 'xsell_rank shows that of another time');

-- by count: learned decisions of the agent
SELECT pg_temp.clock('2026-03-02 09:00+00') \g /dev/null
SELECT pg_temp.learn() \g /dev/null
UPDATE xsell.agent SET schedule = 'count', schedule_half = 20;
CREATE TABLE learned (n bigint, epsilon float8);
DO $$
BEGIN
	FOR i IN 1 .. 12 LOOP
		PERFORM pg_temp.decide(100 + i);
		INSERT INTO learned SELECT count(*), pg_temp.epsilon(0.01) FROM xsell.experience WHERE previous IS NULL;
		PERFORM pg_temp.decide(100 + 20 * i + j, '{card}') FROM generate_series(1, 4) j;
		PERFORM pg_temp.learn();
	END LOOP;
END $$;
SELECT results_eq('SELECT min(n), max(n), count(DISTINCT n) FROM learned', 'VALUES (11::bigint, 66::bigint, 12::bigint)', 'by count: eleven decisions were learned, and five more each time');
SELECT is_empty('SELECT * FROM learned WHERE abs(epsilon - greatest(0.05, 0.2 * power(2, -n / 20.0))) > 1e-11', 'epsilon follows');
SELECT is((SELECT array_agg(epsilon ORDER BY n) FROM learned WHERE n >= 40), '{0.05,0.05,0.05,0.05,0.05,0.05}', 'and stays');

-- by evidence: learned decisions per allowed arm
UPDATE xsell.agent SET schedule = 'evidence', schedule_half = 30;
CREATE FUNCTION pg_temp.evidence(products text[]) RETURNS float8 LANGUAGE sql AS $$
	SELECT count(*)::float8 / cardinality(products) FROM xsell.experience JOIN xsell.decision USING (decision_id) WHERE previous IS NULL AND product = ANY (products)
$$;
SELECT pg_temp.decide(400, '{card}') \g /dev/null
SELECT pg_temp.decide(401) \g /dev/null
SELECT ok(abs(pg_temp.epsilon(0.01) - 0.2 * power(2, -pg_temp.evidence('{card,fund,loan}') / 30)) < 1e-11, 'by evidence: the mean over the allowed arms');
SELECT pg_temp.decide(402, '{fund,loan}') \g /dev/null
SELECT ok(abs(pg_temp.epsilon(0.01) - 0.2 * power(2, -pg_temp.evidence('{fund,loan}') / 30)) < 1e-11, 'others do not count');
SELECT cmp_ok(pg_temp.evidence('{card,fund,loan}'), '>', 2 * pg_temp.evidence('{fund,loan}'), 'which makes a difference');

-- the floor has a schedule too
UPDATE xsell.agent SET strategy = 'greedy', epsilon_end = NULL, floor = 0.24, floor_end = 0.03, schedule = 'time', schedule_half = 7, schedule_since = '2026-02-01 00:00+00';
SELECT is((SELECT array_agg(round((min * 3)::numeric, 12) ORDER BY at) FROM (SELECT at, min(probability) FROM unnest('{2026-02-01,2026-02-08,2026-02-15,2026-02-22,2027-01-01}'::timestamptz[]) at, pg_temp.rank(1, at) GROUP BY at) x),
	'{0.24,0.12,0.06,0.03,0.03}', 'the floor decays to its end');
UPDATE xsell.agent SET floor_end = NULL, epsilon_end = 0.05;
SELECT is((SELECT round(min(probability)::numeric, 12) FROM pg_temp.rank(1, '2030-01-01')), 0.008, 'without an end to a tenth of it');
UPDATE xsell.agent SET epsilon_end = NULL, floor_end = NULL, schedule = 'constant', floor = 0.06;

-- -------------------------------------------------------------- strategies --

-- Where the formula is short: from the expected rewards of the same ranking
UPDATE xsell.offer SET value = CASE product WHEN 'loan' THEN '3' WHEN 'fund' THEN '2' END;
SELECT xsell_reward(decision_id, 'conversion') FROM (SELECT decision_id FROM xsell.decision WHERE product = 'card' ORDER BY 1 LIMIT 6) d \g /dev/null
SELECT pg_temp.learn() \g /dev/null
CREATE FUNCTION pg_temp.wrong(strategy text) RETURNS TABLE (product text, probability float8, wanted float8) LANGUAGE sql AS $$
	WITH a AS (SELECT * FROM xsell.agent),
	r AS (SELECT r.*, max(r.expected) OVER () AS best, count(*) OVER () AS n FROM pg_temp.rank(1) r),
	e AS (SELECT sum(x.reward) FILTER (WHERE x.learned) / count(*) AS rate, count(*) AS n
			FROM (SELECT DISTINCT ON (decision_id) reward, true AS learned FROM xsell.experience ORDER BY decision_id, model_version DESC) x),
	s AS (SELECT r.*, a.floor, CASE wrong.strategy
			WHEN 'greedy' THEN (r.expected = r.best)::int
			WHEN 'epsilon_greedy' THEN CASE WHEN r.expected = r.best THEN 1 - a.epsilon ELSE 0 END
				+ CASE WHEN NOT a.epsilon_different THEN a.epsilon / r.n WHEN r.expected < r.best THEN a.epsilon / (r.n - 1) ELSE 0 END
			WHEN 'softmax' THEN exp((r.expected - r.best) / a.softmax_temperature) / sum(exp((r.expected - r.best) / a.softmax_temperature)) OVER ()
			WHEN 'squarecb' THEN CASE WHEN r.expected < r.best THEN 1 / (r.n + a.squarecb_gamma * sqrt(e.n) / (e.rate * 2) * (r.best - r.expected)) END
			WHEN 'uniform' THEN 1.0 / r.n END AS q
		FROM r, a, e)
	SELECT s.product, s.probability, wanted FROM s, LATERAL (SELECT (1 - s.floor) * coalesce(s.q, 1 - (SELECT sum(o.q) FROM s o)) + s.floor / s.n AS wanted) w
	 WHERE s.probability IS NULL OR abs(s.probability - wanted) > 1e-9
$$;
CREATE FUNCTION pg_temp.use(setting text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'UPDATE xsell.agent SET ' || setting;
END $$;
SELECT is((SELECT count(*) FROM (SELECT pg_temp.use(s)) u, LATERAL pg_temp.wrong(substring(s, '''(\w+)''')) w), 0::bigint, s) FROM unnest(ARRAY['strategy = ''greedy''', 'strategy = ''epsilon_greedy'', epsilon = 0.3',
	'strategy = ''epsilon_greedy'', epsilon_different = true', 'strategy = ''softmax''', 'strategy = ''softmax'', softmax_temperature = 0.1', 'strategy = ''squarecb''', 'strategy = ''squarecb'', squarecb_gamma = 2',
	'strategy = ''uniform''']) s;
UPDATE xsell.agent SET strategy = 'softmax';
SELECT isnt_empty($$SELECT pg_temp.wrong('squarecb')$$, 'one is not another');

-- Each decides with each oracle, under whatever it has learned by then
UPDATE xsell.agent SET segment = 'region', epsilon = 0.2, epsilon_end = 0.05, floor_end = 0.06, schedule = 'count', schedule_half = 100, softmax_temperature = 0.01, squarecb_gamma = 20;
UPDATE xsell.offer SET propensity = 'score' WHERE product = 'loan';
SELECT pg_temp.clock('2026-04-06 09:00+00') \g /dev/null
DO $$
DECLARE
	s text;
	o text;
	n int := 0;
BEGIN
	FOREACH o IN ARRAY '{beta,segment,linear,logistic,auto}'::text[] LOOP
		FOREACH s IN ARRAY '{greedy,epsilon_greedy,ucb,thompson,softmax,squarecb,uniform}'::text[] LOOP
			UPDATE xsell.agent SET strategy = s, oracle = o;
			PERFORM pg_temp.decide(500 + n * 4 + i, channel => NULL) FROM generate_series(1, 4) i;
			n := n + 1;
		END LOOP;
		PERFORM xsell_reward(decision_id, 'conversion') FROM xsell.decision WHERE customer_key > 500 AND product IS NOT NULL AND (customer_key + length(product)) % 3 = 0;
		PERFORM pg_temp.learn();
	END LOOP;
END $$;
CREATE TEMP TABLE scored AS SELECT d.decision_id, sum(c.probability) AS sum, min(c.probability), count(*) AS n, max(c.probability) FILTER (WHERE c.probability = d.probability) AS drawn
	FROM xsell.decision d, xsell_candidates_list(d.candidates) c WHERE d.customer_key > 500 AND c.excluded IS NULL GROUP BY 1;
SELECT results_eq('SELECT count(*), max(n) FROM scored', 'VALUES (140::bigint, 6::bigint)', 'every strategy decides with every oracle');
SELECT is_empty('SELECT * FROM scored WHERE abs(sum - 1) > 1e-12 OR min < 0.06::float8 / n OR drawn IS NULL', 'with probabilities that add up to 1, of which one drew');
SELECT is_empty('SELECT pg_temp.not_replayed()', 'and all of it is replayed');

-- ------------------------------------------------- segments and forecasts --

SELECT is_empty($$SELECT FROM xsell.decision d JOIN customer c ON c.id = d.customer_key WHERE (d.policy_version >= (SELECT min(policy_version) FROM xsell.policy WHERE definition #>> '{agent,segment}' = 'region'))
	AND d.segment IS DISTINCT FROM c.region OR d.policy_version < (SELECT min(policy_version) FROM xsell.policy WHERE definition #>> '{agent,segment}' = 'region') AND d.segment IS NOT NULL$$, 'the segment is logged, where there is one');
SELECT is_empty($$SELECT FROM xsell.decision WHERE (cardinality(forecasts) = 4) <> (product IS NOT NULL)$$, 'and four forecasts of each offer');
CREATE FUNCTION pg_temp.forecasts(key bigint, product text, OUT prior float8, OUT global float8, OUT segment float8, OUT contextual float8, OUT rate float8) LANGUAGE sql AS $$
	SELECT (d.forecasts)[1], (d.forecasts)[2], (d.forecasts)[3], (d.forecasts)[4], d.expected::real FROM customer c, xsell_choose(c, ARRAY[$2], channel => 'web') d WHERE c.id = key
$$;
UPDATE xsell.offer SET value = NULL;
UPDATE xsell.offer SET prior_rate = 0.125, prior_strength = 3 WHERE product = 'fund';
UPDATE xsell.agent SET oracle = 'logistic', segment = NULL, neutral_rate = 0.0625;
SELECT is((SELECT array_agg(f.prior ORDER BY p) FROM unnest('{card,fund,loan}'::text[]) p, pg_temp.forecasts(9, p) f), '{0.0625,0.125,0.225}'::real[]::float8[], 'prior: neutral rate, prior rate, propensity');
SELECT results_eq($$SELECT p, f.segment, f.contextual = f.rate, f.global <> f.contextual FROM unnest('{card,fund,loan}'::text[]) p, pg_temp.forecasts(9, p) f$$,
	$$VALUES ('card', 'NaN'::float8, true, true), ('fund', 'NaN', true, true), ('loan', 'NaN', true, true)$$, 'contextual: what the features say; no segment');
UPDATE xsell.agent SET oracle = 'beta';
SELECT results_eq($$SELECT p, f.segment, f.contextual, f.global = f.rate FROM unnest('{card,fund}'::text[]) p, pg_temp.forecasts(9, p) f$$,
	$$VALUES ('card', 'NaN'::float8, 'NaN'::float8, true), ('fund', 'NaN', 'NaN', true)$$, 'global: the product''s rate');
SELECT ok(abs(f.global - (3 * 0.125 + e.sum) / (3 + e.n)) < 1e-7, 'with its own prior: ' || e.n || ' decisions') FROM pg_temp.forecasts(9, 'fund') f,
	(SELECT count(*) AS n, sum(reward) AS sum FROM (SELECT DISTINCT ON (decision_id) reward FROM xsell.experience JOIN xsell.decision USING (decision_id) WHERE product = 'fund'
		ORDER BY decision_id, xsell.experience.model_version DESC) x) e;
UPDATE xsell.agent SET oracle = 'segment', segment = 'region';
SELECT results_eq($$SELECT p, f.contextual, f.segment = f.rate, f.global <> f.segment FROM unnest('{card,fund}'::text[]) p, pg_temp.forecasts(9, p) f$$,
	$$VALUES ('card', 'NaN'::float8, true, true), ('fund', 'NaN', true, true)$$, 'segment: its rate in the segment');
SELECT isnt((SELECT segment FROM pg_temp.forecasts(9, 'card')), (SELECT segment FROM pg_temp.forecasts(10, 'card')), 'which differs between segments');
SELECT isnt((SELECT expected FROM pg_temp.rank(9) WHERE product = 'card'), (SELECT expected FROM pg_temp.rank(10) WHERE product = 'card'), 'for xsell_rank too');
UPDATE xsell.agent SET segment = 'tier';
SELECT is(d.segment, 'gold', 'an enum is a segment too') FROM customer c, xsell_choose(c) d WHERE id = 9;
UPDATE xsell.agent SET segment = 'CASE WHEN id < 10 THEN repeat(''ä'', 101 - id::int % 2) || ''.'' WHEN id = 10 THEN '''' END';
SELECT is((SELECT array_agg(d.segment ORDER BY id) FROM customer c, xsell_choose(c) d WHERE id BETWEEN 8 AND 11), ARRAY[repeat('ä', 100), repeat('ä', 100), '', NULL], 'of a long one 200 bytes count, none may be known');
UPDATE xsell.agent SET segment = 'repeat(''é'', 99) || ''x'' || ''é''';
SELECT is(d.segment, repeat('é', 99) || 'x', 'characters are not cut in two') FROM customer c, xsell_choose(c) d WHERE id = 9;
UPDATE xsell.agent SET segment = 'region';
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('bank', 'no', 'eligibility', 'id <> 20');
SELECT is(d.segment || coalesce(d.product, ' nothing') || coalesce(cardinality(d.forecasts), 0), 'north nothing0', 'without an offer, too') FROM customer c, xsell_choose(c) d WHERE id = 20;
SELECT pg_temp.decide(id) FROM customer WHERE id BETWEEN 20 AND 24 \g /dev/null
DELETE FROM xsell.rule;
CREATE TABLE elsewhere OF xsell_decision;
INSERT INTO elsewhere SELECT d.* FROM customer c, xsell_choose(c) d WHERE id BETWEEN 30 AND 40;
SELECT xsell_record(e) FROM elsewhere e \g /dev/null
SELECT is_empty($$SELECT FROM elsewhere e JOIN xsell.decision d USING (decision_id) WHERE (e.segment, e.forecasts) IS DISTINCT FROM (d.segment, d.forecasts) OR d.forecasts IS NULL$$, 'what is recorded has both');
SELECT throws_like(format('SELECT xsell_record(jsonb_populate_record(e, %L)) FROM customer c, xsell_choose(c, channel => ''web'') e WHERE id = 50', j), m, j) FROM (VALUES
	('{"forecasts": [0.1, 0.1, 0.1, 0.1, 0.1]}', 'the decision has 5 forecasts'), ('{"forecasts": [0.1]}', 'decision % cannot have been chosen'), ('{"forecasts": null}', 'decision % cannot have been chosen'), ('{"forecasts": [0.1, 0.2, 1.5, "NaN"]}', 'decision % cannot have been chosen'),
	('{"segment": "' || repeat('x', 201) || '"}', 'decision % cannot have been chosen')) v (j, m);
SELECT is_empty('SELECT pg_temp.not_replayed()', 'replayed');
CREATE FUNCTION pg_temp.tampered(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	last bigint := (SELECT max(decision_id) FROM xsell.decision WHERE product IS NOT NULL);
	r record;
BEGIN
	EXECUTE 'UPDATE xsell.decision SET ' || what || ' WHERE decision_id = ' || last;
	r := xsell_replay(last);
	RAISE EXCEPTION USING ERRCODE = 'XS000';
EXCEPTION WHEN SQLSTATE 'XS000' THEN
	RETURN r.field;
END $$;
SELECT is(ARRAY[pg_temp.tampered('forecasts[2] = forecasts[2] * 1.00001'), pg_temp.tampered('forecasts[4] = 0.5'), pg_temp.tampered('forecasts = NULL')], '{forecasts,forecasts,"number of forecasts"}', 'a forecast that was changed comes to light');
SELECT matches(pg_temp.tampered('segment = ''nowhere'''), '^(mean|sd|probability) of ', 'so does a segment');

-- ------------------------------------------------------------- propensities --

-- What is no probability counts as missing.
UPDATE xsell.agent SET oracle = 'logistic', segment = NULL;
UPDATE xsell.offer SET prior_rate = 0.1 WHERE product = 'loan';
UPDATE customer SET score = CASE id WHEN 61 THEN NULL WHEN 62 THEN float8 'NaN' WHEN 63 THEN -0.001 WHEN 64 THEN 1.001 WHEN 65 THEN 'infinity' WHEN 66 THEN 0.1 WHEN 67 THEN 0 WHEN 68 THEN 1 ELSE score END, age = 40 WHERE id BETWEEN 61 AND 68;
SELECT is((SELECT array_agg(propensity ORDER BY id) FROM generate_series(61, 68) id, pg_temp.rank(id) WHERE product = 'loan'), '{NULL,NULL,NULL,NULL,NULL,0.1,0,1}', 'a propensity is between 0 and 1, or missing');
SELECT is((SELECT array_agg(f.prior ORDER BY id) FROM generate_series(61, 68) id, pg_temp.forecasts(id, 'loan') f), '{NaN,NaN,NaN,NaN,NaN,0.1,0,1}'::real[]::float8[], 'what is missing is no forecast');
SELECT is((SELECT array_agg(DISTINCT (d.features)[cardinality(d.features)]) FROM customer c, xsell_choose(c, '{loan}', channel => 'web') d WHERE id BETWEEN 61 AND 66), ARRAY[(ln(0.1 / 0.9) - ln(0.05 / 0.95))::real],
	'the model sees the prior rate in its place');
SELECT is((SELECT count(DISTINCT contextual) FROM generate_series(61, 66) id, pg_temp.forecasts(id, 'loan')), 1::bigint, 'and predicts what it would for that rate');
UPDATE xsell.agent SET top_n = 1;
SELECT is((SELECT array_agg(DISTINCT product) FROM generate_series(61, 65) id, pg_temp.rank(id) WHERE excluded IS NULL), '{fund}', 'for the top, a product without propensity stands at its prior rate');
UPDATE xsell.offer SET prior_rate = 0.13 WHERE product = 'loan';
SELECT is((SELECT array_agg(DISTINCT product) FROM generate_series(61, 65) id, pg_temp.rank(id) WHERE excluded IS NULL), '{loan}', 'whichever that is');
UPDATE xsell.agent SET top_n = NULL;
-- another version of a score makes another layout
CREATE FUNCTION pg_temp.layout() RETURNS jsonb LANGUAGE sql AS $$SELECT definition -> 'layout' FROM xsell.policy ORDER BY policy_version DESC LIMIT 1$$;
SELECT pg_temp.layout() AS before \gset
SELECT is(:'before'::jsonb -> 'scores', '{"loan": "score"}', 'a score is known by its expression');
UPDATE xsell.offer SET propensity_version = 'v1' WHERE product = 'loan';
SELECT isnt(pg_temp.layout() -> 'encoding', :'before'::jsonb -> 'encoding', 'a version is another score');
SELECT pg_temp.layout() AS labelled \gset
UPDATE xsell.offer SET propensity = 'score * 1' WHERE product = 'loan';
SELECT is(pg_temp.layout(), :'labelled'::jsonb, 'of which the expression is a detail');
UPDATE xsell.offer SET propensity = 'score', propensity_version = NULL WHERE product = 'loan';
SELECT is(pg_temp.layout(), :'before'::jsonb, 'and back');
SELECT is((SELECT count(DISTINCT pg_temp.layout() -> 'encoding') FROM (SELECT pg_temp.use(format('oracle = %L, segment = ''region''', o)) FROM unnest('{beta,segment,auto,logistic}'::text[]) o OFFSET 0) x), 1::bigint, 'oracles of one link share a layout');

-- ------------------------------------------------------------------- levers --

UPDATE xsell.agent SET oracle = 'beta', strategy = 'greedy', floor = 0.01, floor_end = NULL, schedule = 'constant', epsilon_end = NULL, neutral_rate = 0.05, segment = NULL;
UPDATE xsell.offer SET propensity = NULL, prior_rate = NULL, value = '2', lever = NULL;
CREATE TEMP TABLE plain AS SELECT * FROM pg_temp.rank(70);
SELECT product AS other FROM plain ORDER BY probability, product LIMIT 1 \gset
UPDATE xsell.offer SET lever = 'weight * 50' WHERE product = :'other';
SELECT results_eq($$SELECT r.product, round((r.expected / p.expected)::numeric, 9), r.probability > 0.9 FROM pg_temp.rank(70) r JOIN plain p USING (product) ORDER BY 1$$,
	format($$SELECT product, CASE WHEN product = %L THEN 50 ELSE 1 END::numeric, product = %1$L FROM plain ORDER BY 1$$, :'other'), 'a lever multiplies the value, and with it shifts probabilities');
SELECT pg_temp.decide(70) \g /dev/null
SELECT is((SELECT value FROM last WHERE product = :'other'), 100::real, 'it is logged in the value');
SELECT is((SELECT o -> 'lever' FROM jsonb_array_elements(xsell_policy_export('bank') -> 'offers') o WHERE o ->> 'product' = :'other'), '"weight * 50"', 'and a document has it');
UPDATE customer SET weight = CASE id WHEN 71 THEN NULL WHEN 72 THEN 0 WHEN 73 THEN -1 WHEN 74 THEN float8 'NaN' WHEN 75 THEN 'infinity' WHEN 76 THEN 20001 END WHERE id BETWEEN 71 AND 76;
SELECT is((SELECT array_agg(r.excluded ORDER BY id) FROM generate_series(71, 74) id, pg_temp.rank(id) r WHERE product = :'other'), '{lever,lever,lever,lever}', 'one that is no positive number excludes');
SELECT results_eq(format('SELECT excluded, expression, reads FROM customer c, xsell_why(c, %L, channel => ''web'') WHERE id = 73', :'other'), $$VALUES ('lever', 'weight * 50', jsonb '{"weight": "-1"}')$$, 'and says so');
SELECT throws_ok('SELECT pg_temp.rank(75)', '22003', format('lever of offer "%s" of agent "bank" is Infinity', :'other'), 'infinity is an error');
SELECT throws_ok('SELECT pg_temp.rank(76)', '22003', format('lever of offer "%s" of agent "bank" is 1.00005e+06', :'other'), 'as is too much');
UPDATE xsell.offer SET value = NULL, lever = NULL;

-- -------------------------------------------------------------------- ramps --

INSERT INTO xsell.offer (agent, product, value, ramp_share, ramp_until) VALUES ('bank', 'plan', '100', 0.1, 40);
CREATE TABLE ramp (n int, named text, share float8);
SELECT pg_temp.clock('2026-05-04 09:00+00') \g /dev/null
DO $$
BEGIN
	FOR i IN 0 .. 5 LOOP
		INSERT INTO ramp SELECT (SELECT count(*) FROM xsell.experience JOIN xsell.decision USING (decision_id) WHERE product = 'plan'), named, sum(r.probability) FILTER (WHERE r.product = 'plan')
			FROM customer c, unnest(ARRAY['web', NULL]) named, xsell_rank(c, channel => named) r WHERE id = 80 GROUP BY 2;
		PERFORM pg_temp.decide(700 + i * 10 + j, '{plan}') FROM generate_series(1, 10) j;
		PERFORM pg_temp.learn();
	END LOOP;
END $$;
SELECT results_eq('SELECT n, round(min(share)::numeric, 12), round(max(share)::numeric, 12) FROM ramp GROUP BY n ORDER BY n', $$VALUES (0, 0.1, 0.1), (10, 0.325, 0.325), (20, 0.55, 0.55), (30, 0.775, 0.775), (40, 0.9925, 0.9925), (50, 0.9925, 0.9925)$$,
	'a new product has its share exactly, whatever it is worth, through one channel or both, and more with each decision learned, until it is as any other');
UPDATE xsell.offer SET ramp_until = 1000 WHERE product = 'plan';
CREATE FUNCTION pg_temp.ramped(strategy text, named text) RETURNS TABLE (product text, probability float8, wanted float8) LANGUAGE sql AS $$
	SELECT pg_temp.use(format('strategy = %L', strategy));
	WITH r AS (SELECT r.product, sum(r.probability) AS probability FROM pg_temp.rank(80, channel => named) r GROUP BY 1),
	o AS (SELECT o.product, sum(o.probability) AS probability FROM customer c, xsell_rank(c, '{card,fund,loan}', channel => named) o WHERE c.id = 80 GROUP BY 1)
	SELECT r.product, r.probability, CASE WHEN r.product = 'plan' THEN 0.154 ELSE o.probability * (1 - 0.154) END FROM r LEFT JOIN o USING (product)
$$;
SELECT is((SELECT count(*) FROM pg_temp.ramped(s, c) WHERE abs(probability - wanted) > CASE product WHEN 'plan' THEN 1e-12 ELSE 0.01 END), 0::bigint, s || ': what it may not have goes to others, as if it were not there')
	FROM unnest('{greedy,epsilon_greedy,ucb,thompson,softmax}'::text[]) s, unnest(ARRAY['web', NULL]) c;
UPDATE xsell.agent SET strategy = 'greedy';
SELECT is((SELECT r.probability FROM customer c, xsell_rank(c, '{plan}', channel => 'web') r WHERE id = 80), 1::float8, 'alone it is offered');
UPDATE xsell.agent SET control_share = 1;
SELECT is((SELECT array_agg(DISTINCT probability) FROM pg_temp.rank(80)), '{0.25}', 'the control group has no ramp');
UPDATE xsell.agent SET control_share = 0, floor = 0.9;
UPDATE xsell.offer SET ramp_share = 0.001 WHERE product = 'plan';
SELECT ok(probability >= 0.225 AND probability < 0.2251, 'nor does the floor') FROM pg_temp.rank(80) WHERE product = 'plan';
UPDATE xsell.agent SET floor = 0.01;
SELECT pg_temp.decide(80) \g /dev/null
SELECT is_empty('SELECT pg_temp.not_replayed()', 'replayed');
DELETE FROM xsell.offer WHERE product = 'plan';

-- --------------------------------------------------------------------- harm --

SELECT pg_temp.learn() \g /dev/null
UPDATE xsell.agent SET strategy = 'softmax', softmax_temperature = 0.05, harm_price = 2, harm_rate = 0.01, prior_strength = 20;
CREATE TABLE harmless AS SELECT * FROM pg_temp.rank(90);
INSERT INTO xsell.outcome_kind (agent, outcome, reward, harm) VALUES ('bank', 'complaint', 0, 1), ('bank', 'annoyed', 0, 0.5);
SELECT is_empty($$SELECT FROM pg_temp.rank(90) r JOIN harmless h USING (product) WHERE r.expected >= h.expected$$, 'once an outcome harms, harm is expected of all');
CREATE FUNCTION pg_temp.harm(text) RETURNS numeric LANGUAGE sql AS $$
	SELECT round((h.expected - r.expected)::numeric, 9) FROM pg_temp.rank(90) r JOIN harmless h USING (product) WHERE product = $1
$$;
SELECT count(*) AS n FROM (SELECT DISTINCT decision_id FROM xsell.experience JOIN xsell.decision USING (decision_id) WHERE product = 'card') x \gset
SELECT is(pg_temp.harm('card'), round(2 * 20 * 0.01 / (20 + :n), 9), 'its price times the rate, of which evidence without any tells');
CREATE TABLE harms AS SELECT * FROM pg_temp.rank(90);
SELECT xsell_reward(decision_id, 'annoyed') FROM (SELECT decision_id FROM xsell.decision WHERE product = 'card' ORDER BY 1 LIMIT 10) x \g /dev/null
SELECT xsell_reward(decision_id, 'complaint') FROM (SELECT decision_id FROM xsell.decision WHERE product = 'card' ORDER BY 1 LIMIT 4) x \g /dev/null
SELECT pg_temp.learn() \g /dev/null
SELECT is(pg_temp.harm('card') - pg_temp.harm('fund') > 0, true, 'what harms costs more');
SELECT is(pg_temp.harm('card'), round(2 * (20 * 0.01 + 4 * 1 + 6 * 0.5) / (20 + :n), 9), 'a decision counts its worst outcome');
SELECT results_eq($$SELECT r.product, r.probability < h.probability FROM pg_temp.rank(90) r JOIN harms h USING (product) WHERE product IN ('card', 'fund') ORDER BY 1$$, $$VALUES ('card', true), ('fund', false)$$, 'and is offered less');
SELECT pg_temp.decide(90) \g /dev/null
SELECT is((SELECT array_agg(DISTINCT cost) FROM last), '{0}'::real[], 'the cost that is logged is without it');
UPDATE xsell.agent SET harm_price = 0;
SELECT is((SELECT round(sum(abs(r.expected - h.expected))::numeric, 12) FROM pg_temp.rank(90) r JOIN harmless h USING (product)), 0::numeric, 'without a price it has no effect');
SELECT is_empty('SELECT pg_temp.not_replayed()', 'replayed');

-- --------------------------------------------------------------- similarity --

UPDATE xsell.agent SET oracle = 'logistic', strategy = 'greedy', pooling = 0.9;
UPDATE xsell.offer SET prior_strength = NULL;
INSERT INTO xsell.offer (agent, product) VALUES ('bank', 'plan');
CREATE TEMP TABLE alone AS SELECT * FROM pg_temp.rank(91);
CREATE FUNCTION pg_temp.moved() RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(product ORDER BY product) FROM pg_temp.rank(91) r JOIN alone a USING (product) WHERE r.expected <> a.expected
$$;
UPDATE xsell.agent SET similarity = '{group}';
SELECT is(pg_temp.moved(), '{fund,plan}', 'what is believed of a product moves with products that have the same attribute');
UPDATE xsell.agent SET similarity = '{group,credit}';
SELECT is(pg_temp.moved(), '{fund,plan}', 'or the same attributes');
UPDATE xsell.product SET credit = true WHERE product = 'plan';
SELECT is(pg_temp.moved(), NULL, 'all of them');
UPDATE xsell.agent SET similarity = '{credit}';
SELECT is(pg_temp.moved(), '{card,loan,plan}', 'others with others');
UPDATE xsell.agent SET similarity = '{group}';
UPDATE xsell.product SET attributes = attributes - 'group' WHERE product IN ('plan', 'fund');
SELECT is(pg_temp.moved(), NULL, 'what lacks it is similar to none');
DELETE FROM xsell.offer WHERE product = 'plan';
UPDATE xsell.agent SET similarity = NULL;

-- --------------------------------------------------------------- wrong input --

SELECT throws_ok('UPDATE xsell.agent SET ' || change, '23514', format('new row for relation "agent" violates check constraint "agent_%s"', constraint_name), change) FROM (VALUES
	('epsilon = 0.2, epsilon_end = 0.3, schedule = ''time'', schedule_half = 1', 'epsilon_end_check'), ('epsilon_end = 0, schedule = ''time'', schedule_half = 1', 'epsilon_end_check'), ('epsilon_end = ''NaN'', schedule = ''time'', schedule_half = 1', 'epsilon_end_check'),
	('floor = 0.02, floor_end = 0.03, schedule = ''time'', schedule_half = 1', 'floor_end_check'),
	('schedule = ''time'', schedule_half = NULL', 'schedule_needs_half'),
	('schedule = ''constant'', schedule_half = NULL, epsilon = 0.2, epsilon_end = 0.1', 'end_needs_schedule'),
	('schedule = ''soon''', 'schedule_check'), ('schedule_half = 0', 'schedule_half_check'), ('schedule_half = ''infinity''', 'schedule_half_check'), ('schedule_since = ''-infinity''', 'schedule_since_check'),
	('strategy = ''random''', 'strategy_check'), ('oracle = ''trees''', 'oracle_check'), ('softmax_temperature = 0', 'softmax_temperature_check'), ('squarecb_gamma = ''NaN''', 'squarecb_gamma_check'),
	('pooling = 1', 'pooling_check'), ('half_life = ''0 days''', 'half_life_check'), ('evidence_window = ''-1 day''', 'evidence_window_check'), ('harm_rate = 0', 'harm_rate_check'), ('harm_price = -1', 'harm_price_check')) v (change, constraint_name);
SELECT throws_ok('UPDATE xsell.offer SET ' || change, '23514', format('new row for relation "offer" violates check constraint "offer_%s"', constraint_name), change) FROM (VALUES
	('ramp_share = 0.1', 'ramp_needs_both'), ('ramp_until = 10', 'ramp_needs_both'), ('ramp_share = 1, ramp_until = 10', 'ramp_share_check'), ('ramp_share = 0.1, ramp_until = 0', 'ramp_until_check'),
	('prior_rate = 0', 'prior_rate_check'), ('prior_strength = 0', 'prior_strength_check')) v (change, constraint_name);
SELECT throws_ok('UPDATE xsell.outcome_kind SET harm = 1.5', '23514', 'new row for relation "outcome_kind" violates check constraint "outcome_kind_harm_check"', 'a harm above 1');
CREATE FUNCTION pg_temp.refused(command text, OUT state text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END $$;
SELECT results_eq($$SELECT * FROM pg_temp.refused('UPDATE xsell.agent SET oracle = ''segment'', segment = NULL')$$,
	$$VALUES ('42P17', 'agent "bank" has oracle "segment", but no segment', 'Set xsell.agent.segment to an expression that yields the customer''s segment.')$$, 'oracle segment without a segment is refused');
SELECT is((SELECT state FROM pg_temp.refused('UPDATE xsell.agent SET oracle = ''auto'', segment = NULL')), NULL, 'auto does without');
SELECT throws_ok('UPDATE xsell.agent SET ' || change, state, message, change) FROM (VALUES
	('segment = ''product.group''', '42P17', 'segment of agent "bank" reads product or channel'), ('segment = ''age''', '42804', 'segment must be of type text, not integer'),
	('segment = ''regon''', '42703', 'the customer row has no column "regon"')) v (change, state, message);
SELECT throws_ok($$UPDATE xsell.offer SET lever = 'region'$$, '42804', 'lever of offer "card" must be of type double precision, not text', 'a lever that is no number');

SELECT * FROM finish();
