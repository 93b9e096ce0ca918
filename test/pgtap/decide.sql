-- decide.sql: probabilities are those of the draw, rules and caps hold, decisions are logged once (promises 1 to 3, 6).
--
-- Under the simulated clock a session makes the same ids, so the draws below are the same in every run.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2025-03-03 09:00+00';

CREATE TABLE customer (
	id bigint PRIMARY KEY, age int, income numeric, segment text, has_card boolean, has_loan boolean,
	mail_consent boolean, score float8, worth float8
);
INSERT INTO customer SELECT i, 15 + i * 7 % 60, i * 131 % 5000, (ARRAY['student', 'family', 'senior', 'vip'])[1 + i % 4],
	i % 3 = 0, i % 5 = 0, i % 2 = 0, (i * 37 % 100) / 120.0, i % 7
	FROM generate_series(1, 120) i;

INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, schedule) VALUES ('retail', 'customer', 'id', 20250303, 'constant');
INSERT INTO xsell.channel (agent, channel, consent) VALUES ('retail', 'web', NULL), ('retail', 'mail', 'mail_consent');
INSERT INTO xsell.product (product, credit, attributes) VALUES
	('card', true, '{"type": "card"}'), ('loan', true, '{"type": "loan"}'), ('fund', false, '{"type": "fund"}'), ('pension', false, '{"type": "fund"}'), ('sim', false, '{}');
INSERT INTO xsell.offer (agent, product, propensity, value, cost, held) VALUES
	('retail', 'card', 'score', '2', NULL, 'has_card'), ('retail', 'loan', 'score / 2', 'worth', '0.01', 'has_loan'),
	('retail', 'fund', NULL, NULL, 'worth / 100', NULL), ('retail', 'pension', NULL, NULL, NULL, NULL), ('retail', 'sim', NULL, NULL, NULL, NULL);
INSERT INTO xsell.feature (agent, feature, expression, center, scale, levels) VALUES
	('retail', 'age', 'age', 45, 15, NULL), ('retail', 'segment', 'segment', NULL, NULL, '{student,family,senior}'),
	('retail', 'is_fund', 'product.type = ''fund''', NULL, NULL, NULL);
INSERT INTO xsell.rule (agent, rule, kind, product, channel, expression) VALUES
	('retail', 'adult', 'eligibility', NULL, NULL, 'age >= 18'),
	('retail', 'solvent', 'suitability', 'loan', NULL, 'income > 1000 OR segment = ''vip'''),
	('retail', 'young', 'applicability', 'pension', NULL, 'NOT (age > 60)'),
	('retail', 'mail_sim', 'applicability', 'sim', 'mail', 'segment IN (''student'', ''family'')'),
	('retail', 'funds', 'suitability', NULL, NULL, 'product.type <> ''fund'' OR income >= 500 OR product.type IS NULL');
INSERT INTO xsell.cap (agent, cap, product, channel, max_offers, per) VALUES
	('retail', 'weekly_mail', NULL, 'mail', 1, '7 days'), ('retail', 'monthly_card', 'card', NULL, 1, '30 days');

-- A candidate of a logged decision, by name
CREATE FUNCTION pg_temp.candidates(d xsell.decision, OUT product text, OUT channel text, OUT excluded text, OUT probability float8, OUT value float8)
RETURNS SETOF record STABLE LANGUAGE sql AS $$
	SELECT p.definition #>> ARRAY['arms', c.arm::text, '0'], p.definition #>> ARRAY['arms', c.arm::text, '1'], c.excluded, c.probability, c.value
	  FROM xsell.policy p, xsell_candidates_list(d.candidates) c
	 WHERE p.agent = d.agent AND p.policy_version = d.policy_version
$$;
CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS $$
	SELECT set_config('xsell.simulated_now', $1::text, false)
$$;
-- Decisions whose replay differs
CREATE FUNCTION pg_temp.not_replayed() RETURNS SETOF record LANGUAGE sql AS $$
	SELECT r FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical
$$;

-- ------------------------------------------------ probabilities (promise 2) --

-- something is learned first, so that arms differ
SELECT xsell_reward(decision_id, CASE WHEN id % 3 = 0 THEN 'conversion' ELSE 'decline' END)
	FROM customer c, xsell_decide(c) d WHERE d.product IS NOT NULL AND id <= 60 \g /dev/null
SELECT pg_temp.clock('2025-03-03 10:00+00') \g /dev/null
SELECT xsell_learn() \g /dev/null
SELECT cmp_ok((SELECT count(*) FROM xsell.contact WHERE decision_id <> '{}'), '>', 30::bigint, 'some customers have contacts, which caps count');

CREATE TABLE ranked (strategy text, oracle text, control boolean, id bigint, product text, channel text, probability float8, expected float8, excluded text);
DO $$
DECLARE
	s text;
	o text;
	share float8;
BEGIN
	FOREACH s IN ARRAY '{greedy,epsilon_greedy,ucb,thompson,softmax,squarecb,uniform}'::text[] LOOP
		FOREACH o IN ARRAY '{beta,linear,logistic}'::text[] LOOP
			FOREACH share IN ARRAY '{0,0.3}'::float8[] LOOP
				UPDATE xsell.agent SET strategy = s, oracle = o, control_share = share, floor = 0.06;
				INSERT INTO ranked SELECT s, o, share > 0, id, r.product, r.channel, r.probability, r.expected, r.excluded
					FROM customer c, xsell_rank(c) r;
			END LOOP;
		END LOOP;
	END LOOP;
END $$;
SELECT is((SELECT count(*) FROM ranked), 7 * 3 * 2 * 120 * 10::bigint, 'every candidate is ranked');
SELECT is_empty($$SELECT strategy, oracle, id, sum(probability) FROM ranked GROUP BY strategy, oracle, control, id
	HAVING abs(sum(probability) - (count(*) FILTER (WHERE excluded IS NULL) > 0)::int) > 1e-12$$,
	'probabilities add up to 1, or to 0 where nothing is allowed');
SELECT is_empty($$SELECT * FROM ranked WHERE excluded IS NOT NULL AND (probability <> 0 OR expected IS NOT NULL)$$, 'and are exactly 0 for what is not allowed');
SELECT is_empty($$SELECT * FROM (SELECT *, count(*) FILTER (WHERE excluded IS NULL) OVER (PARTITION BY strategy, oracle, control, id) AS allowed FROM ranked) r
	WHERE excluded IS NULL AND probability < 0.06::float8 / allowed$$, 'the floor reaches every allowed arm');
SELECT bag_eq($$SELECT DISTINCT split_part(excluded, ':', 1) FROM ranked WHERE excluded IS NOT NULL$$,
	$$VALUES ('held'), ('rule'), ('consent'), ('cap')$$, 'with all reasons of exclusion among them');
SELECT is_empty($$SELECT strategy, oracle, id, product, channel FROM ranked GROUP BY 1, 2, 3, 4, 5
	HAVING bool_or(excluded IS NULL) <> bool_and(excluded IS NULL)$$, 'which do not depend on strategy, oracle and cohort');
SELECT is_empty($$SELECT product, channel, id FROM ranked GROUP BY product, channel, id HAVING count(DISTINCT excluded) > 1$$, 'nor do the reasons');
SELECT is((SELECT array_agg(DISTINCT strategy ORDER BY strategy) FROM (SELECT strategy, id, max(probability) - min(probability) AS spread
		FROM ranked WHERE excluded IS NULL AND NOT control GROUP BY strategy, oracle, id) s WHERE spread > 0.01),
	'{epsilon_greedy,greedy,softmax,squarecb,thompson,ucb}', 'only the uniform strategy makes no difference between arms');

-- K = 0, 1, 200
SELECT results_eq($$SELECT d.product, d.channel, d.probability, d.expected, d.mode, d.reason FROM customer c, xsell_decide(c, '{}') d WHERE id = 61$$,
	$$VALUES (NULL::text, NULL::text, NULL::float8, NULL::float8, 'none', 'no candidates')$$, 'no products asked for: no offer');
SELECT results_eq($$SELECT d.product, d.mode, d.reason FROM customer c, xsell_decide(c, '{loan}', channel => 'mail') d WHERE id = 65$$,
	$$VALUES (NULL::text, 'none', 'all 1 candidates excluded')$$, 'one candidate, which is excluded: no offer');
SELECT results_eq($$SELECT d.product, d.channel, d.probability FROM customer c, xsell_decide(c, '{pension,pension}', channel => 'web') d WHERE id = 62$$,
	$$VALUES ('pension', 'web', 1::float8)$$, 'one candidate: probability 1');
SELECT results_eq($$SELECT channel, product, cardinality(features), linear_predictor FROM xsell.decision WHERE customer_key = 65$$,
	$$VALUES ('mail', NULL::text, NULL::int, NULL::float8)$$, 'no offer is logged, with the channel asked for');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, floor, schedule) VALUES ('many', 'customer', 'id', 5, 0.1, 'constant');
INSERT INTO xsell.product (product, credit) SELECT 'p' || i, false FROM generate_series(1, 100) i;
INSERT INTO xsell.offer (agent, product) SELECT 'many', product FROM xsell.product WHERE product ~ '^p[0-9]+$';
INSERT INTO xsell.channel (agent, channel) VALUES ('many', 'a'), ('many', 'b');
SELECT results_eq($$SELECT count(*), abs(sum(probability) - 1) < 1e-12, min(probability) >= 0.1 / 200, bool_or(excluded IS NOT NULL)
	FROM customer c, xsell_rank(c, agent => 'many') WHERE id = 1$$, $$VALUES (200::bigint, true, true, false)$$, '200 candidates');
SELECT results_eq($$SELECT x.n, d.product = x.product, d.probability = x.probability FROM xsell.decision d,
	LATERAL (SELECT count(*) AS n, max(product) FILTER (WHERE d.product = p.product AND d.channel = p.channel) AS product,
		max(probability) FILTER (WHERE d.product = p.product AND d.channel = p.channel) AS probability FROM pg_temp.candidates(d) p) x
	WHERE d.decision_id = (SELECT x.decision_id FROM customer c, xsell_decide(c, agent => 'many') x WHERE id = 1)$$,
	$$SELECT 200::bigint, true, true WHERE false$$, 'a decision is not visible to the command that makes it');
SELECT results_eq($$SELECT count(*), sum((p.product = d.product AND p.channel = d.channel AND p.probability = d.probability)::int)
	FROM xsell.decision d, pg_temp.candidates(d) p WHERE d.agent = 'many'$$, $$VALUES (200::bigint, 1::bigint)$$, 'but afterwards, with all 200 candidates logged');
DELETE FROM xsell.agent WHERE agent = 'many';

-- rank, choose and decide are one computation
UPDATE xsell.agent SET strategy = 'thompson', oracle = 'logistic', control_share = 0.3;
CREATE TABLE chosen AS SELECT c.id, d.* FROM customer c, xsell_choose(c) d;
SELECT is_empty($$SELECT r.id FROM chosen c, xsell_candidates_list(c.candidates) l, xsell.policy p, ranked r
	WHERE p.agent = c.agent AND p.policy_version = c.policy_version AND r.id = c.id AND r.strategy = 'thompson' AND r.oracle = 'logistic' AND r.control
	AND r.product = p.definition #>> ARRAY['arms', l.arm::text, '0'] AND r.channel = p.definition #>> ARRAY['arms', l.arm::text, '1']
	AND r.id NOT IN (61, 62, 65) AND (r.probability, r.excluded) IS DISTINCT FROM (l.probability, l.excluded)$$, 'xsell_rank shows the probabilities of xsell_choose');
BEGIN;
SELECT count(*) FROM customer c, xsell_choose(c) \g /dev/null
SELECT count(*) FROM customer c, xsell_rank(c) \g /dev/null
SELECT is(pg_current_xact_id_if_assigned(), NULL, 'xsell_choose and xsell_rank assign no transaction id');
COMMIT;

-- ------------------------------------- draws follow the logged probabilities --

-- 200,000 draws for each strategy, of customers who differ in their key alone within a group. The statistic is
-- compared with its quantile at p = 1e-6 (Wilson and Hilferty), so that a sound draw fails once in a million policies.
CREATE FUNCTION pg_temp.chi_square_limit(df int) RETURNS float8 LANGUAGE sql AS $$
	SELECT df * (1 - 2 / (9.0 * df) + 4.7534 * sqrt(2 / (9.0 * df))) ^ 3
$$;
CREATE TABLE crowd AS SELECT 1000 + i AS id, age, income, segment, has_card, has_loan, mail_consent, score, worth, g.id AS twin
	FROM generate_series(1, 200000) i JOIN customer g ON g.id = (ARRAY[67, 70, 74, 76])[1 + i % 4];
UPDATE xsell.agent SET control_share = 0;
UPDATE xsell.offer SET value = NULL, cost = NULL;
CREATE FUNCTION pg_temp.draws(s text, share float8 DEFAULT 0, OUT statistic float8, OUT df int, OUT arms int, OUT "limit" float8) LANGUAGE plpgsql AS $$
BEGIN
	UPDATE xsell.agent SET strategy = s, control_share = share, epsilon = 0.3, floor = 0.1;
	SELECT sum((drawn - expected) ^ 2 / expected), count(*) - count(DISTINCT twin), count(*) INTO statistic, df, arms
	  FROM (SELECT twin, product, channel, probability * n AS expected, coalesce(drawn, 0) AS drawn
			  FROM (SELECT c.id AS twin, r.product, r.channel, r.probability FROM customer c, xsell_rank(c) r
					 WHERE c.id IN (67, 70, 74, 76) AND r.excluded IS NULL) p
			  JOIN (SELECT twin, count(*) AS n FROM crowd GROUP BY twin) n USING (twin)
			  FULL JOIN (SELECT twin, d.product, d.channel, count(*) AS drawn FROM crowd c, xsell_choose(c) d GROUP BY 1, 2, 3) d
			  USING (twin, product, channel)) x;
	"limit" := pg_temp.chi_square_limit(df);
END $$;
SELECT pg_temp.clock('2025-03-04 10:00+00') \g /dev/null
SELECT ok(statistic < "limit" AND arms >= 20, format('%s: chi-square %s at %s degrees of freedom, limit %s', s, round(statistic::numeric, 1), df, round("limit"::numeric, 1)))
	FROM unnest('{epsilon_greedy,ucb,thompson,uniform}'::text[]) s, pg_temp.draws(s);
SELECT ok(statistic < "limit", format('control group: chi-square %s at %s degrees of freedom', round(statistic::numeric, 1), df)) FROM pg_temp.draws('ucb', 1);

-- --------------------------------------------------------------- control group --

UPDATE xsell.agent SET strategy = 'ucb', control_share = 0.3;
CREATE TABLE cohort AS SELECT d.customer_key::bigint AS id, d.cohort, d.mode, d.probability, d.candidates FROM crowd c, xsell_choose(c) d WHERE c.id <= 11000;
SELECT ok(abs(count(*) FILTER (WHERE cohort = 'control') - 3000) < 5 * sqrt(10000 * 0.3 * 0.7), 'control_share is the share of the control group') FROM cohort;
SELECT is_empty($$SELECT * FROM cohort WHERE (cohort = 'control') <> (mode = 'control')$$, 'whose mode is control');
SELECT is_empty($$SELECT * FROM cohort c WHERE cohort = 'control' AND EXISTS (SELECT FROM xsell_candidates_list(c.candidates) l
	WHERE excluded IS NULL AND abs(l.probability * (SELECT count(*) FROM xsell_candidates_list(c.candidates) k WHERE k.excluded IS NULL) - 1) > 1e-12)$$,
	'and whose offers are drawn uniformly');
UPDATE xsell.agent SET strategy = 'thompson', oracle = 'beta';
SELECT is_empty($$SELECT FROM crowd c JOIN cohort o USING (id), xsell_choose(c) d WHERE id <= 3000 AND d.cohort <> o.cohort$$, 'the split is stable');
UPDATE xsell.agent SET control_share = 0.6;
SELECT is_empty($$SELECT FROM crowd c JOIN cohort o USING (id), xsell_choose(c) d WHERE id <= 3000 AND o.cohort = 'control' AND d.cohort <> 'control'$$,
	'and a larger share takes customers from the agent only');
UPDATE xsell.agent SET control_share = 0, oracle = 'logistic';

-- ---------------------------------------------------------------- value and cost --

UPDATE xsell.agent SET strategy = 'epsilon_greedy', epsilon = 0, floor = 0.001;
CREATE FUNCTION pg_temp.best(key bigint) RETURNS text LANGUAGE sql AS $$
	SELECT r.product FROM customer c, xsell_rank(c, channel => 'web') r WHERE id = key ORDER BY r.probability DESC LIMIT 1
$$;
UPDATE xsell.offer SET value = CASE product WHEN 'sim' THEN '100' END;
SELECT is(pg_temp.best(70), 'sim', 'value decides');
UPDATE xsell.offer SET value = CASE product WHEN 'fund' THEN '100' END;
SELECT is(pg_temp.best(70), 'fund', 'for every product');
UPDATE xsell.offer SET cost = CASE product WHEN 'fund' THEN '1000' END;
SELECT isnt(pg_temp.best(70), 'fund', 'cost too');
UPDATE xsell.offer SET value = NULL, cost = NULL;
CREATE TEMP TABLE rate AS SELECT c.id, r.product, r.channel, r.expected AS rate FROM customer c, xsell_rank(c) r WHERE excluded IS NULL;
UPDATE xsell.offer SET value = 'worth', cost = '0.125';
SELECT cmp_ok(count(*), '>', 100::bigint, 'many arms are allowed') FROM rate JOIN customer USING (id) WHERE worth > 0 AND worth <> 1;
SELECT is_empty($$SELECT FROM customer c, xsell_rank(c) r JOIN rate USING (product, channel)
	WHERE rate.id = c.id AND (expected IS NULL OR abs(expected - (worth::real * rate - 0.125)) > 1e-12)$$, 'expected reward is value times rate less cost');
UPDATE xsell.offer SET cost = NULL;
UPDATE xsell.offer SET value = NULL, cost = 'worth / 100';
SELECT results_eq($$SELECT DISTINCT r.excluded FROM (SELECT NULL::float8 AS worth, id, age, income, segment, has_card, has_loan, mail_consent, score FROM customer WHERE id = 70) c, xsell_rank(c) r
	WHERE excluded !~ ':' ORDER BY 1$$, $$VALUES ('cost'), ('held')$$, 'an arm whose cost is not known is not offered');
UPDATE xsell.offer SET cost = NULL;

-- --------------------------- what is missing only shrinks what is allowed (promise 3) --

UPDATE xsell.offer SET value = CASE product WHEN 'loan' THEN 'worth' END, cost = CASE product WHEN 'fund' THEN 'worth / 100' END;
CREATE TABLE lack AS SELECT jsonb_build_object(a, NULL, b, NULL) AS lack
	FROM unnest('{age,income,segment,has_card,has_loan,mail_consent,score,worth}'::text[]) a, unnest('{age,income,segment,has_card,has_loan,mail_consent,score,worth}'::text[]) b WHERE a <= b;
CREATE TABLE allowed AS SELECT c.id, r.product, r.channel FROM customer c, xsell_rank(c) r WHERE r.excluded IS NULL;
CREATE TABLE allowed_less AS SELECT c.id, lack, r.product, r.channel FROM lack, customer c, jsonb_populate_record(c, lack) x, xsell_rank(x) r WHERE r.excluded IS NULL;
SELECT is_empty($$SELECT l.* FROM allowed_less l WHERE NOT EXISTS (SELECT FROM allowed a WHERE (a.id, a.product, a.channel) = (l.id, l.product, l.channel))$$,
	'without any one or two columns nothing is allowed that was not');
SELECT results_eq($$SELECT count(*) FROM lack WHERE (SELECT count(*) FROM allowed_less l WHERE l.lack = lack.lack) < (SELECT count(*) FROM allowed)$$,
	$$SELECT count(*) FROM lack WHERE lack <> '{"score": null}'$$, 'and every column but the propensity is needed for something');
UPDATE xsell.offer SET value = NULL, cost = NULL;

-- -------------------------------------------------------- one row, one decision --

CREATE FUNCTION pg_temp.decisions() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM xsell.decision';
SELECT pg_temp.clock('2025-06-01 10:00+00') \g /dev/null
UPDATE xsell.agent SET strategy = 'thompson', floor = 0.1;
SELECT pg_temp.decisions() AS before \gset
CREATE TABLE expanded AS SELECT id, (xsell_decide(c)).* FROM customer c WHERE id BETWEEN 71 AND 80;
SELECT is(pg_temp.decisions() - :before, 10::bigint, '(xsell_decide(c)).* writes one decision for each row');
SELECT is_empty($$SELECT FROM expanded e WHERE NOT EXISTS (SELECT FROM xsell.decision d WHERE d.decision_id = e.decision_id AND d.customer_key = e.id
	AND d.product IS NOT DISTINCT FROM e.product AND d.probability IS NOT DISTINCT FROM e.probability AND d.mode = e.mode AND d.reason = e.reason)$$, 'and returns it');
SELECT pg_temp.decisions() AS before \gset
SELECT results_eq($$SELECT count(DISTINCT d.decision_id) FROM customer c, generate_series(1, 3) i, xsell_decide(c, '{sim}', channel => 'web') d WHERE id = 81$$,
	$$VALUES (1::bigint)$$, 'the same question in one command has one answer');
SELECT results_eq($$SELECT count(DISTINCT d.decision_id) FROM customer c, generate_series(1, 3) i, xsell_decide(c, '{sim}', channel => 'web', context => jsonb_build_object('i', i)) d WHERE id = 81$$,
	$$VALUES (3::bigint)$$, 'other questions have other answers');
SELECT results_eq($$SELECT count(DISTINCT d.decision_id) FROM customer c, unnest('{web,mail}'::text[]) w, xsell_decide(c, '{fund}', channel => w) d WHERE id = 82$$,
	$$VALUES (2::bigint)$$, 'so have other channels');
SELECT is(pg_temp.decisions() - :before, 6::bigint, 'and each answer is logged');

-- ------------------------------------------------------------------- request keys --

CREATE TABLE first AS SELECT d.* FROM customer c, xsell_decide(c, request_key => 'r1') d WHERE id = 83;
SELECT pg_temp.decisions() AS before \gset
SELECT results_eq($$SELECT d.* FROM customer c, xsell_decide(c, request_key => 'r1') d WHERE id = 83$$, 'TABLE first', 'a repeated request is answered as the first time');
SELECT results_eq($$SELECT d.* FROM customer c, xsell_decide(c, '{sim}', channel => 'web', request_key => 'r1') d WHERE id = 83$$, 'TABLE first', 'whatever it asks');
BEGIN;
SELECT d.decision_id AS a FROM customer c, xsell_decide(c, request_key => 'r2') d WHERE id = 83 \gset
SELECT d.decision_id AS b FROM customer c, xsell_decide(c, request_key => 'r2') d WHERE id = 83 \gset
SELECT is(:a, :b, 'in the same transaction too');
ROLLBACK;
SELECT is(pg_temp.decisions(), :before::bigint, 'and what was rolled back was not');
SELECT isnt((SELECT d.decision_id FROM customer c, xsell_decide(c, request_key => 'r1') d WHERE id = 84), (SELECT decision_id FROM first), 'a key is the customer''s own');
SELECT isnt((SELECT d.decision_id FROM customer c, xsell_decide(c, request_key => '') d WHERE id = 83), (SELECT decision_id FROM first), 'an empty key is a key');
SELECT is((SELECT count(*) FROM xsell.request), 3::bigint, 'keys are remembered once');
SELECT is((SELECT request_key FROM xsell.decision WHERE decision_id = (SELECT decision_id FROM first)), 'r1', 'and logged');

-- --------------------------------------------------------------------------- caps --

CREATE TABLE twice AS SELECT c.id, i, d.* FROM customer c, generate_series(1, 3) i, xsell_decide(c, '{fund,sim}', channel => 'mail', context => jsonb_build_object('i', i)) d
	WHERE id > 90 AND id IN (SELECT id FROM allowed WHERE channel = 'mail' AND product IN ('fund', 'sim'));
SELECT results_eq($$SELECT DISTINCT count(*), count(product) FROM twice GROUP BY id$$, $$VALUES (3::bigint, 1::bigint)$$, 'a cap of 1 lets one of three calls in one command offer');
SELECT is_empty($$SELECT FROM twice t JOIN xsell.decision d USING (decision_id), pg_temp.candidates(d) p WHERE t.product IS NULL
	AND p.excluded NOT IN ('cap:weekly_mail', 'rule:mail_sim', 'rule:funds')$$, 'the others say why not');
SELECT results_eq($$SELECT count(d.product) FROM customer c, xsell_decide(c, channel => 'mail') d WHERE id IN (SELECT id FROM twice)$$, $$VALUES (0::bigint)$$, 'after a campaign real time knows');
SELECT isnt_empty($$SELECT d.product FROM customer c, xsell_decide(c, channel => 'web') d WHERE id IN (SELECT id FROM twice) AND d.product IS NOT NULL$$, 'that other channels are free');
SELECT min(id) AS one FROM twice \gset
SELECT pg_temp.clock('2025-06-08 09:59:59.999+00') \g /dev/null
SELECT results_eq(format($$SELECT d.excluded FROM customer c, xsell_rank(c, '{fund}', channel => 'mail') d WHERE id = %s$$, :one), $$VALUES ('cap:weekly_mail')$$, 'a millisecond before a week is over');
SELECT pg_temp.clock('2025-06-08 10:00+00') \g /dev/null
SELECT results_eq(format($$SELECT d.excluded FROM customer c, xsell_rank(c, '{fund}', channel => 'mail') d WHERE id = %s$$, :one), $$VALUES (NULL::text)$$, 'and after it');
SELECT results_eq(format($$SELECT d.product FROM customer c, xsell_decide(c, '{fund}', channel => 'mail') d WHERE id = %s$$, :one), $$VALUES ('fund')$$, 'the window has moved');
SELECT results_eq(format($$SELECT d.product FROM customer c, xsell_decide(c, '{fund}', channel => 'mail') d WHERE id = %s$$, :one), $$VALUES (NULL::text)$$, 'and is full again');

UPDATE xsell.rule SET expression = 'true';
UPDATE xsell.offer SET held = NULL;
UPDATE xsell.cap SET per = '2 days', max_offers = 2 WHERE cap = 'weekly_mail';
SELECT pg_temp.clock('2025-07-01 12:00+00') \g /dev/null
CREATE FUNCTION pg_temp.offers(at text, key bigint, product text, channel text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.clock(at::timestamptz);
	RETURN (SELECT d.product IS NOT NULL FROM customer c, xsell_decide(c, ARRAY[$3], channel => $4) d WHERE c.id = key);
END $$;
SELECT is(ARRAY[pg_temp.offers('2025-07-01 00:00Z', 2, 'card', 'web'), pg_temp.offers('2025-07-01 00:00Z', 2, 'card', 'mail'), pg_temp.offers('2025-07-01 00:00Z', 2, 'loan', 'web'),
	pg_temp.offers('2025-07-30 23:59Z', 2, 'card', 'mail'), pg_temp.offers('2025-07-31 00:00Z', 2, 'card', 'mail')], '{t,f,t,f,t}', 'a cap of a product holds for all channels, and for no other product');
SELECT is(ARRAY[pg_temp.offers('2025-08-01 00:00Z', 4, 'fund', 'mail'), pg_temp.offers('2025-08-02 00:00Z', 4, 'sim', 'mail'), pg_temp.offers('2025-08-02 12:00Z', 4, 'fund', 'mail'),
	pg_temp.offers('2025-08-03 00:00Z', 4, 'sim', 'mail'), pg_temp.offers('2025-08-03 12:00Z', 4, 'sim', 'mail'), pg_temp.offers('2025-08-04 00:00Z', 4, 'sim', 'mail')],
	'{t,t,f,t,f,t}', 'two within two days, a window that slides');
SELECT is_empty($$SELECT FROM xsell.contact WHERE cardinality(decision_id) > 60$$, 'contacts that no cap needs are dropped');
UPDATE xsell.cap SET max_offers = 0 WHERE cap = 'weekly_mail';
SELECT is_empty($$SELECT FROM customer c, xsell_rank(c, channel => 'mail') r WHERE r.excluded IS NULL$$, 'max_offers 0 is never');
DELETE FROM xsell.cap;

-- -------------------------------------------------------------- paused, inactive, validity --

SELECT pg_temp.clock('2025-09-01 12:00+00') \g /dev/null
UPDATE xsell.agent SET status = 'paused';
SELECT results_eq($$SELECT d.product, d.mode, d.reason FROM customer c, xsell_decide(c, request_key => 'p') d WHERE id = 1$$, $$VALUES (NULL::text, 'none', 'agent is paused')$$, 'a paused agent offers nothing');
SELECT ok(bool_and(r.excluded IS NOT NULL AND r.probability = 0) AND bool_or(r.excluded = 'paused'), 'as xsell_rank shows, which gives other reasons where there are') FROM customer c, xsell_rank(c) r;
UPDATE xsell.agent SET status = 'live';
SELECT results_eq($$SELECT d.reason FROM customer c, xsell_decide(c, request_key => 'p') d WHERE id = 1$$, $$VALUES ('agent is paused')$$, 'what a request was answered stays');
SELECT isnt_empty($$SELECT FROM customer c, xsell_decide(c) d WHERE id = 2 AND d.product IS NOT NULL$$, 'and a live one offers again');
CREATE FUNCTION pg_temp.valid(range text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text := '';
BEGIN
	UPDATE xsell.offer SET valid = range::tstzrange WHERE product = 'sim';
	FOR i IN 0 .. 2 LOOP
		PERFORM pg_temp.clock('2025-09-01 12:00+00'::timestamptz + (i - 1) * interval '1 microsecond');
		result := result || (SELECT CASE WHEN r.excluded IS NULL THEN 'y' WHEN r.excluded = 'inactive' THEN 'n' END FROM customer c, xsell_rank(c, '{sim}', channel => 'web') r WHERE id = 2);
	END LOOP;
	RETURN result;
END $$;
SELECT results_eq($$SELECT pg_temp.valid(unnest('{"[2025-09-01 12:00Z,)","(2025-09-01 12:00Z,)","(,2025-09-01 12:00Z)","(,2025-09-01 12:00Z]",empty,"(,)","[-infinity,infinity]","(-infinity,infinity)","[infinity,)","(,-infinity]"}'::text[]))$$,
	$$VALUES ('nyy'), ('nny'), ('ynn'), ('yyn'), ('nnn'), ('yyy'), ('yyy'), ('yyy'), ('nnn'), ('nnn')$$, 'validity, to the microsecond');
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'iso_8601';
SET timezone = 'Asia/Tokyo';
SET extra_float_digits = -15;
UPDATE xsell.offer SET valid = '[2025-05-03 00:00Z,2025-10-11 00:00Z)' WHERE product = 'sim';
UPDATE xsell.agent SET epsilon = 0.123456789012345678;
INSERT INTO xsell.cap (agent, cap, max_offers, per) VALUES ('retail', 'all', 100, '1 mon 2 days 03:04:05');
SELECT max(policy_version) AS version FROM xsell.policy \gset
RESET datestyle;
RESET intervalstyle;
RESET timezone;
RESET extra_float_digits;
SELECT is((SELECT (definition #> '{agent,epsilon}')::text || (definition #>> '{caps,0,per}') || (definition #>> '{offers,4,valid}') FROM xsell.policy WHERE policy_version = :version),
	'0.123456789012345681 mon 2 days 03:04:05["2025-05-03 00:00:00+00","2025-10-11 00:00:00+00")', 'what a session publishes does not depend on its formats');
UPDATE xsell.channel SET consent = consent;
SELECT is((SELECT max(policy_version) FROM xsell.policy), :version, 'nor is a version published because they changed');
UPDATE xsell.offer SET valid = '(,)';
UPDATE xsell.offer SET active = false WHERE product = 'sim';
SELECT results_eq($$SELECT r.product FROM customer c, xsell_rank(c, channel => 'web') r WHERE id = 2 AND r.excluded = 'inactive'$$, $$VALUES ('sim')$$, 'inactive offers are not made');
UPDATE xsell.offer SET active = true;
DELETE FROM xsell.cap;

-- ------------------------------------------------------------------ choose and record --

SELECT pg_temp.clock('2025-10-01 12:00+00') \g /dev/null
CREATE TABLE elsewhere OF xsell_decision;
INSERT INTO elsewhere SELECT d.* FROM customer c, xsell_choose(c, request_key => CASE WHEN id = 70 THEN 'record' END) d WHERE id BETWEEN 61 AND 75;
SELECT is((SELECT count(*) FROM xsell.decision d JOIN elsewhere USING (decision_id)), 0::bigint, 'what is chosen is not logged');
SELECT is((SELECT count(*) FROM elsewhere e WHERE xsell_record(e) = e.decision_id), 15::bigint, 'until it is recorded');
SELECT is_empty($$SELECT FROM elsewhere e JOIN xsell.decision d USING (decision_id) WHERE (d.customer_key::text, d.agent, d.cohort, d.product, d.channel, d.probability, d.expected, d.mode, d.reason, d.policy_version,
		d.model_version, d.encoding, d.linear_predictor, d.features, d.candidates::text, d.contribution_columns, d.contributions, d.segment, d.forecasts, d.request_key, d.decided_by, d.breach)
	IS DISTINCT FROM (e.customer_key, e.agent, e.cohort, e.product, e.channel, e.probability, e.expected, e.mode, e.reason, e.policy_version,
		e.model_version, e.encoding, e.linear_predictor, e.features, e.candidates::text, e.contribution_columns, e.contributions, e.segment, e.forecasts, e.request_key, session_user::text, NULL)$$, 'just as it was chosen');
SELECT is_empty($$SELECT FROM elsewhere e WHERE product IS NOT NULL AND NOT EXISTS (SELECT FROM xsell.contact c WHERE c.customer_key::text = e.customer_key AND e.decision_id = ANY (c.decision_id))$$, 'and is a contact');
SELECT results_eq($$SELECT d.decision_id FROM customer c, xsell_decide(c, request_key => 'record') d WHERE id = 70$$, $$SELECT decision_id FROM elsewhere WHERE request_key = 'record'$$, 'its request key is known then');
-- the same with the same id: a decision of xsell_decide, as xsell_choose would have made it
SELECT pg_temp.clock('2025-10-02 12:00+00') \g /dev/null
BEGIN;
DELETE FROM xsell.contact;
SAVEPOINT s;
CREATE TEMP TABLE by_choose ON COMMIT DROP AS SELECT d.* FROM customer c, xsell_choose(c) d WHERE id = 76;
CREATE TEMP TABLE by_decide ON COMMIT DROP AS SELECT d.* FROM customer c, xsell_decide(c) d WHERE id = 76;
SELECT is_empty($$SELECT FROM by_choose c, xsell.decision d, by_decide b WHERE d.decision_id = b.decision_id AND (d.customer_key::text, d.agent, d.cohort, d.policy_version, d.model_version, d.encoding, d.candidates::text)
	IS DISTINCT FROM (c.customer_key, c.agent, c.cohort, c.policy_version, c.model_version, c.encoding, c.candidates::text)$$, 'xsell_decide logs what xsell_choose chooses');
SELECT is((SELECT decision_id FROM by_decide) - (SELECT decision_id FROM by_choose), 1::bigint, 'with the next id');
ROLLBACK;

INSERT INTO xsell.cap (agent, cap, max_offers, per) VALUES ('retail', 'daily', 1, '1 day');
SELECT pg_temp.clock('2025-10-05 12:00+00') \g /dev/null
TRUNCATE elsewhere;
INSERT INTO elsewhere SELECT d.* FROM customer c, generate_series(1, 2) i, xsell_choose(c, '{fund}', channel => 'web', context => jsonb_build_object('i', i)) d WHERE id = 72;
SELECT xsell_record(e) FROM elsewhere e ORDER BY decision_id \g /dev/null
SELECT results_eq($$SELECT d.breach FROM xsell.decision d JOIN elsewhere e USING (decision_id) ORDER BY decision_id$$, $$VALUES (NULL), ('cap:daily')$$, 'a cap that was broken elsewhere is noted');
SELECT results_eq($$SELECT d.product FROM customer c, xsell_decide(c, '{fund}') d WHERE id = 72$$, $$VALUES (NULL::text)$$, 'and holds here');
SELECT results_eq($$SELECT decision_id FROM xsell.late WHERE agent = 'retail' AND decision_id IN (SELECT decision_id FROM elsewhere) ORDER BY 1$$, $$SELECT decision_id FROM elsewhere ORDER BY 1$$, 'recorded decisions are learned by id');
DELETE FROM xsell.cap;

-- ---------------------------------------------------- rolled back, nothing happened (promise 1) --

SELECT pg_temp.clock('2025-11-01 12:00+00') \g /dev/null
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws('|', (SELECT md5(string_agg(d::text, ',' ORDER BY decision_id)) FROM xsell.decision d), (SELECT md5(string_agg(c::text, ',' ORDER BY customer_key)) FROM xsell.contact c),
		(SELECT md5(string_agg(e::text, ',' ORDER BY product, encoding, bucket)) FROM xsell.evidence e), (SELECT md5(string_agg(e::text, ',' ORDER BY e::text)) FROM xsell.experience e),
		(SELECT md5(string_agg(o::text, ',' ORDER BY o::text)) FROM xsell.outcome o), (SELECT md5(string_agg(r::text, ',' ORDER BY r::text)) FROM xsell.request r), (SELECT string_agg(l::text, ',') FROM xsell.learner l))
$$;
SELECT pg_temp.state() AS state \gset
BEGIN;
SAVEPOINT s;
SELECT count(xsell_reward(decision_id, 'conversion')) FROM customer c, xsell_decide(c, request_key => 's') d WHERE d.product IS NOT NULL \g /dev/null
SELECT pg_temp.clock('2025-11-01 13:00+00') \g /dev/null
SELECT xsell_learn() \g /dev/null
SELECT isnt(pg_temp.state(), :'state', 'decisions, rewards and learning leave traces');
ROLLBACK TO s;
SELECT is(pg_temp.state(), :'state', 'but none after ROLLBACK TO');
SELECT is((SELECT count(*) FROM customer c, xsell_decide(c, request_key => 's') d), 120::bigint, 'decided again');
ROLLBACK;
SELECT is(pg_temp.state(), :'state', 'nor after ROLLBACK');
-- a command goes on after a subtransaction in which it decided was rolled back
CREATE FUNCTION pg_temp.undone(c customer, times int) RETURNS bigint[] STABLE LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[];
	id bigint;
BEGIN
	FOR i IN 1 .. times LOOP
		BEGIN
			id := (SELECT d.decision_id FROM xsell_decide(c) d);
			ids := ids || id;
			IF i < times THEN
				RAISE EXCEPTION USING ERRCODE = 'XS000';
			END IF;
		EXCEPTION WHEN SQLSTATE 'XS000' THEN
			NULL;
		END;
	END LOOP;
	RETURN ids;
END $$;
CREATE TABLE undone AS SELECT u[1] AS a, u[2] AS b FROM customer c, pg_temp.undone(c, 2) u WHERE id = 88;
SELECT results_eq('SELECT (SELECT count(*) FROM xsell.decision WHERE decision_id = a), (SELECT count(*) FROM xsell.decision WHERE decision_id = b) FROM undone',
	'VALUES (0::bigint, 1::bigint)', 'an answer that was rolled back is not given again');

-- ------------------------------------------------------------------- replay (promise 6) --

SELECT cmp_ok(count(*), '>', 150::bigint, 'all kinds of decisions so far') FROM xsell.decision;
SELECT is((SELECT array_agg(DISTINCT mode ORDER BY mode) FROM xsell.decision), '{exploit,explore,none}', 'in all modes but one');
UPDATE xsell.agent SET control_share = 0.5;
SELECT count(*) FROM customer c, xsell_decide(c) \g /dev/null
SELECT is((SELECT count(*) FROM xsell.decision WHERE mode = 'control') > 30, true, 'and in that one');
SELECT is_empty('SELECT pg_temp.not_replayed()', 'every decision is replayed to the bit');
SELECT pg_temp.clock('2025-11-02 13:00+00') \g /dev/null
SELECT count(xsell_reward(decision_id, 'conversion')) FROM xsell.decision WHERE product IS NOT NULL AND customer_key % 2 = 0 \g /dev/null
SELECT xsell_learn() \g /dev/null
SELECT is_empty('SELECT pg_temp.not_replayed()', 'after later learning');
UPDATE xsell.agent SET strategy = 'ucb', ucb_width = 2, neutral_rate = 0.2, prior_precision = 1, floor = 0.3, control_share = 0.9, seed = 1;
SELECT count(*) FROM customer c, xsell_decide(c) \g /dev/null
SELECT is_empty('SELECT pg_temp.not_replayed()', 'after strategy, priors, floor, split and seed have changed');
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('retail', 'income', 'income / 1000');
DELETE FROM xsell.feature WHERE feature = 'segment';
UPDATE xsell.offer SET propensity = NULL;
SELECT count(*) FROM customer c, xsell_decide(c) \g /dev/null
SELECT is((SELECT count(DISTINCT encoding) FROM xsell.decision WHERE product IS NOT NULL) > 2, true, 'features make a new encoding');
SELECT is_empty('SELECT pg_temp.not_replayed()', 'after features and propensities have changed');
UPDATE xsell.agent SET oracle = 'linear';
SELECT pg_temp.clock('2025-11-03 13:00+00') \g /dev/null
SELECT count(xsell_reward(decision_id, 'conversion')) FROM customer c, xsell_decide(c) d WHERE d.product IS NOT NULL \g /dev/null
UPDATE xsell.agent SET oracle = 'beta';
SELECT count(*) FROM customer c, xsell_decide(c) \g /dev/null
DELETE FROM xsell.offer WHERE product = 'sim';
DELETE FROM xsell.channel WHERE channel = 'mail';
SELECT count(*) FROM customer c, xsell_decide(c) \g /dev/null
SELECT is_empty('SELECT pg_temp.not_replayed()', 'after oracle, offers and channels have changed');
DELETE FROM xsell.agent;
SELECT is_empty('SELECT pg_temp.not_replayed()', 'and after the agent is gone');

-- What was tampered with: the first field that differs. A decision of many candidates, drawn by Thompson.
SELECT decision_id AS id FROM xsell.decision WHERE mode = 'explore' AND model_version > 0 AND cardinality(features) > 5 AND customer_key BETWEEN 71 AND 80 ORDER BY decision_id LIMIT 1 \gset
CREATE FUNCTION pg_temp.tampered(id bigint, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	EXECUTE 'UPDATE xsell.decision SET ' || what || ' WHERE decision_id = ' || id;
	r := xsell_replay(id);
	RAISE EXCEPTION USING ERRCODE = 'XS000';
EXCEPTION WHEN SQLSTATE 'XS000' THEN
	RETURN CASE WHEN NOT r.identical AND r.logged <> r.replayed THEN regexp_replace(r.field, 'arm \d+|of .* through .*', '*') END;
END $$;
CREATE FUNCTION pg_temp.candidates_with(d xsell.decision, field text, change text) RETURNS xsell_candidates LANGUAGE plpgsql AS $$
DECLARE
	i int;
	c jsonb := d.candidates::text::jsonb;
BEGIN
	SELECT ordinality - 1 INTO i FROM jsonb_array_elements(c) WITH ORDINALITY WHERE NOT value ? 'excluded' LIMIT 1;
	RETURN jsonb_set(c, ARRAY[i::text, field], to_jsonb(coalesce((c #>> ARRAY[i::text, field])::float8, 0) + change::float8))::text::xsell_candidates;
END $$;
SELECT is(pg_temp.tampered(:id, what), field, what) FROM (VALUES
	('candidates = pg_temp.candidates_with(decision, ''mean'', ''0.001'')', 'mean *'),
	('candidates = pg_temp.candidates_with(decision, ''sd'', ''0.001'')', 'sd *'),
	('candidates = pg_temp.candidates_with(decision, ''probability'', ''0.000000001'')', 'probability *'),
	('candidates = pg_temp.candidates_with(decision, ''cost'', ''1'')', 'probability *'),
	('candidates = pg_temp.candidates_with(decision, ''arm'', ''5000'')', 'candidates'),
	('candidates = ''[]''', 'product'),
	('product = ''boat''', 'product'),
	('channel = channel || ''x''', 'channel'),
	('product = NULL, mode = ''none'', probability = NULL', 'product'),
	('probability = probability / 2', 'probability'),
	('expected = expected + 1e-9', 'expected'),
	('mode = ''exploit''', 'mode'),
	('mode = ''control''', 'mode'),
	('cohort = ''control''', 'cohort'),
	('reason = reason || ''.''', 'reason'),
	('encoding = encoding + 1', 'encoding'),
	('model_version = 0', 'mean *'),
	('decision_id = 1', NULL),
	('linear_predictor = linear_predictor + 1e-12', 'linear_predictor'),
	('features[2] = features[2] + 0.5', 'mean *'),
	('features[cardinality(features)] = features[cardinality(features)] + 0.5', 'feature propensity'),
	('features = features || 1::real', 'length of features'),
	('contributions[1] = contributions[1] + 1', 'contributions'),
	('contribution_columns[1] = contribution_columns[1] + 1', 'contribution_columns'),
	('forecasts[2] = forecasts[2] + 0.001', 'forecasts'),
	('segment = ''vip''', 'segment')) v (what, field) WHERE field IS NOT NULL;
BEGIN;
UPDATE xsell.evidence SET beta = beta + beta, glm = glm + glm;
-- in decisions made with it: near versions are rolled on from those at hand, not read anew
SELECT isnt_empty($$SELECT r FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical AND d.model_version = (SELECT max(model_version) FROM xsell.decision)$$, 'evidence that was changed comes to light');
ROLLBACK;
SELECT is_empty('SELECT pg_temp.not_replayed()', 'until it is set right');
SELECT decision_id AS wrong, model_version AS version FROM xsell.experience WHERE reward = 1 ORDER BY model_version LIMIT 1 \gset
UPDATE xsell.experience SET reward = 0 WHERE decision_id = :wrong AND model_version = :version;
SELECT isnt_empty('SELECT pg_temp.not_replayed()', 'so does a reward that was changed');

SELECT * FROM finish();
