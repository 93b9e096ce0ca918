-- monitoring.sql: the views over models, forecasts and change say what plain SQL over the journal says, and each alert
-- is raised by what it is for and by nothing else.
--
-- Decisions are written straight into the log, so that forecasts and features are whatever a test wants them to be.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null

CREATE TABLE customer (id bigint PRIMARY KEY, a float8, score float8, kind text);
INSERT INTO xsell.product (product, credit) SELECT p, false FROM unnest('{card,loan,fund,bond}'::text[]) p;
INSERT INTO xsell.agent (agent, customer_table, customer_key, learning, oracle, segment, harm_rate, neutral_rate) VALUES ('bank', 'customer', 'id', 'deferred', 'auto', 'kind', 0.01, 0.1);
INSERT INTO xsell.channel (agent, channel, observation_window) VALUES ('bank', 'web', '3 days'), ('bank', 'mail', '10 days');
INSERT INTO xsell.offer (agent, product, propensity) VALUES ('bank', 'card', 'score'), ('bank', 'loan', NULL), ('bank', 'fund', NULL), ('bank', 'bond', NULL);
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'a', 'a');
INSERT INTO xsell.outcome_kind (agent, outcome, reward, harm) VALUES ('bank', 'complaint', 0, 0.5), ('bank', 'leave', 0, 1);

-- Some decisions of one product on one day. Of forecasts: prior, global, segment, contextual. The first of them convert.
CREATE FUNCTION decide(day date, product text, n int, conversions int, forecasts real[], segments text[] DEFAULT NULL, a real DEFAULT 0.5, predictor float8 DEFAULT -2) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	first bigint := xsell_id_at(day + time '10:00') + (hashtext(product) & 1023) * 4096;
	layout int := (SELECT (definition #>> '{layout,encoding}')::int FROM xsell.policy p WHERE p.agent = 'bank' ORDER BY policy_version DESC LIMIT 1);
BEGIN
	WHILE EXISTS (SELECT FROM xsell.decision WHERE decision_id = first) LOOP first := first + 100000; END LOOP;
	INSERT INTO xsell.decision (decision_id, customer_key, agent, cohort, product, channel, probability, mode, reason, policy_version, model_version, encoding, linear_predictor, features, candidates, segment, forecasts, decided_by)
	SELECT first + i, i, 'bank', 'agent', decide.product, 'web', 0.5, 'explore', 'test', (SELECT max(policy_version) FROM xsell.policy p WHERE p.agent = 'bank'), 0, layout, predictor + i % 3 / 4.0,
		ARRAY[1, a + i % 5 / 4.0, 0, CASE WHEN decide.product = 'card' THEN CASE WHEN forecasts[1] BETWEEN 0.001 AND 0.999 THEN ln(forecasts[1] / (1 - forecasts[1])) ELSE -2 END + 2.9444389791664403 ELSE 0 END]::real[],
		'[]', segments[1 + i % cardinality(segments)], forecasts, 'test' FROM generate_series(0, n - 1) i;
	PERFORM set_config('xsell.simulated_now', (day + time '11:00')::text, false);
	PERFORM xsell_reward(first + i, 'conversion') FROM generate_series(0, conversions - 1) i;
END $$;
CREATE FUNCTION learn(at timestamptz) RETURNS bigint LANGUAGE sql AS $$
	SELECT set_config('xsell.simulated_now', $1::text, false);
	SELECT decisions FROM xsell_learn('bank');
$$;
CREATE VIEW log AS	-- decisions with their reward, learned or not
SELECT d.*, coalesce(o.reward, 0) AS r, coalesce(o.harm, 0) AS h, xsell_decided_at(d.decision_id) AS at, date_trunc('week', xsell_decided_at(d.decision_id))::date AS week
FROM xsell.decision d LEFT JOIN (SELECT decision_id, max(reward) AS reward, max(harm) AS harm FROM xsell.outcome GROUP BY 1) o USING (decision_id);
CREATE FUNCTION r(x float8) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT round(x::numeric, 5)';

SELECT is_empty('TABLE xsell.' || v, 'before anything was decided nothing is in xsell.' || v) FROM unnest('{forecast,season,change,alert,decision_rule}'::text[]) v;
SELECT is(count(*), 4::bigint, 'but models are') FROM xsell.model WHERE model_version IS NULL AND rate IS NULL;

-- ------------------------------------------------------- forecasts --

SELECT decide('2026-01-05', 'card', 60, 9, '{0.2,0.1,0.15,0.3}', '{x,y}'), decide('2026-01-06', 'card', 40, 1, '{NaN,0.12,NaN,0.05}', '{x}'), decide('2026-01-07', 'loan', 50, 5, '{0.1,0.11,0.2,0.1}', '{y,z,NULL}'),
	decide('2026-01-14', 'card', 30, 30, '{0.9,0.15,0.4,0.999}', '{y}', 1), decide('2026-01-15', 'card', 10, 0, '{0,1,0.4,0.2}', '{x}') \g /dev/null
SELECT is(learn('2026-01-16 12:00'), 190::bigint, 'decisions are learned');
CREATE VIEW by_definition AS
SELECT agent, product, (ARRAY['prior', 'global', 'segment', 'contextual'])[j] AS forecaster, count(p) AS n, count(*) - count(p) AS missing,
	r(avg(r) FILTER (WHERE p IS NOT NULL)) AS rate, r(avg(p)) AS forecast, r(avg(r) FILTER (WHERE p IS NOT NULL) / avg(p)) AS calibration,
	r(avg(-(r * ln(p) + (1 - r) * ln(1 - p)))) AS log_loss, r(avg((p - r) ^ 2)) AS brier,
	round(coalesce(sum(r * ln(p / g) + (1 - r) * ln((1 - p) / (1 - g))), 0)::numeric, 3) AS gain
FROM (SELECT l.agent, l.product, j, l.r, CASE WHEN f <> 'NaN' THEN least(greatest(f::float8, 1e-6), 1 - 1e-6) END AS p, least(greatest(l.forecasts[2]::float8, 1e-6), 1 - 1e-6) AS g, l.encoding FROM log l, unnest(forecasts) WITH ORDINALITY u (f, j)) x
WHERE j > 1 OR encoding = (SELECT max(encoding) FROM log m WHERE m.product = x.product) GROUP BY 1, 2, j;
CREATE VIEW by_view AS SELECT agent, product, forecaster, n, missing, r(rate) AS rate, r(forecast) AS forecast, r(calibration) AS calibration, r(log_loss) AS log_loss, r(brier) AS brier, round(gain::numeric, 3) AS gain FROM xsell.forecast;
SELECT bag_eq('TABLE by_view', 'TABLE by_definition', 'forecasts score what the log says');
SELECT is(count(*), 8::bigint, 'all four of both products') FROM xsell.forecast;
SELECT results_eq($$SELECT n, missing FROM xsell.forecast WHERE product = 'card' AND forecaster = 'prior'$$, 'VALUES (100::bigint, 40::bigint)', 'missing ones are counted');
UPDATE xsell.offer SET propensity_version = '2' WHERE product = 'card';
SELECT is_empty($$SELECT FROM xsell.forecast WHERE product = 'card' AND forecaster = 'prior'$$, 'a new version of a propensity has forecast nothing yet');
SELECT bag_eq($$SELECT * FROM by_view WHERE forecaster <> 'prior'$$, $$SELECT * FROM by_definition WHERE forecaster <> 'prior'$$, 'other forecasts stay');
SELECT decide('2026-01-19', 'card', 20, 3, '{0.25,0.2,0.3,0.1}', '{x}'), learn('2026-01-20 12:00') \g /dev/null
SELECT bag_eq('TABLE by_view', 'TABLE by_definition', 'prior is scored from its present version on');
SELECT results_eq($$SELECT n, missing FROM xsell.forecast WHERE product = 'card' AND forecaster = 'prior'$$, 'VALUES (20::bigint, 0::bigint)', 'that is, the last twenty');

-- ------------------------------------------------------- models --

SELECT xsell_reward(decision_id, 'complaint') FROM log WHERE product = 'card' AND r = 0 AND week = '2026-01-05' ORDER BY decision_id LIMIT 3 \g /dev/null
SELECT xsell_reward(decision_id, 'leave') FROM log WHERE product = 'card' AND h > 0 ORDER BY decision_id LIMIT 1 \g /dev/null
UPDATE xsell.offer SET ramp_share = 0.2, ramp_until = 100 WHERE product = 'loan';
SELECT is(learn('2026-01-20 13:00'), 0::bigint, 'harm is learned');
SELECT results_eq($$SELECT product, learned, r(rate), r(harm), r(ramp) FROM xsell.model ORDER BY 1$$,
	$$SELECT p, coalesce(n, 0), r(rate), r((20 * 0.01 + coalesce(h, 0)) / (20 + coalesce(n, 0))), CASE p WHEN 'loan' THEN r(0.2 + 0.8 * n / 100) END
	FROM unnest('{bond,card,fund,loan}'::text[]) p LEFT JOIN (SELECT product AS p, count(*) AS n, avg(r) AS rate, sum(h) AS h FROM log GROUP BY 1) l USING (p) ORDER BY 1$$, 'learned, rate, harm and ramp');
SELECT is(sum(h), 2::float8, 'a decision''s harm is its worst outcome''s') FROM log;

-- Weights are p (1 - p) at the logged predictor.
SELECT results_eq($$SELECT r(spread), r(importance / nullif(abs(mean), 0)), r((upper - lower) / (2 * 1.959964 * sd)), r((upper + lower) / 2 - mean) FROM xsell.coefficient WHERE product = 'loan' AND feature = 'a'$$,
	$$SELECT r(s), r(s), 1.00000, 0.00000 FROM (SELECT sqrt(sum(w * x ^ 2) / sum(w) - (sum(w * x) / sum(w)) ^ 2) AS s
		FROM (SELECT features[2]::float8 AS x, 1 / ((1 + exp(linear_predictor)) * (1 + exp(-linear_predictor))) AS w FROM log WHERE product = 'loan') l) m$$, 'spread, importance and interval of a coefficient');
SELECT is(xsell_spread(glm), (SELECT array_agg(spread ORDER BY n) FROM xsell_model_coefficients('bank') WITH ORDINALITY c (product, feature, mean, sd, lower, upper, spread, importance, n) WHERE c.product = 'loan'),
	'xsell_spread is that of a state') FROM (SELECT xsell_merge_agg(glm) AS glm FROM xsell.evidence WHERE product = 'loan') e;
SELECT is(xsell_spread(NULL), NULL, 'of none, none');
SELECT is(xsell_spread(glm - glm), '{0,0}', 'of no observations, zeros') FROM (SELECT xsell_glm_agg('{1,2}', 1) AS glm) g;

SELECT ok(count(*) FILTER (WHERE mean < 0 AND importance > 0) > 0 AND min(importance) = 0, 'importance has no sign') FROM xsell.coefficient;

-- Rates of segments (doc/algorithms.md, "segment"), with digamma and trigamma by their series.
CREATE FUNCTION digamma(x float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT ln(z) - 1 / (2 * z) - 1 / (12 * z ^ 2) + 1 / (120 * z ^ 4) - 1 / (252 * z ^ 6) - (SELECT sum(1 / (x + k)) FROM generate_series(0, 9) k) FROM (SELECT x + 10 AS z) v
$$;
CREATE FUNCTION trigamma(x float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT 1 / z + 1 / (2 * z ^ 2) + 1 / (6 * z ^ 3) - 1 / (30 * z ^ 5) + 1 / (42 * z ^ 7) + (SELECT sum(1 / (x + k) ^ 2) FROM generate_series(0, 9) k) FROM (SELECT x + 10 AS z) v
$$;
CREATE VIEW rates AS
SELECT segment, product, offers, a / (a + b) AS rate, m, s, 1 / (1 + exp(-(m - 1.959964 * s))) AS lower, 1 / (1 + exp(-(m + 1.959964 * s))) AS upper
FROM (SELECT *, digamma(a) - digamma(b) AS m, sqrt(trigamma(a) + trigamma(b)) AS s
	FROM (SELECT segment, product, n AS offers, 20 * q + s AS a, 20 * (1 - q) + n - s AS b
		FROM (SELECT g.segment, p.product, coalesce(l.n, 0) AS n, coalesce(l.s, 0) AS s, (20 * 0.1 + coalesce(t.s, 0) - coalesce(l.s, 0)) / (20 + coalesce(t.n, 0) - coalesce(l.n, 0)) AS q
			FROM (SELECT DISTINCT segment FROM log WHERE segment IS NOT NULL) g CROSS JOIN unnest('{card,loan,fund,bond}'::text[]) p (product)
			LEFT JOIN (SELECT segment, product, count(*) AS n, sum(r) AS s FROM log GROUP BY 1, 2) l USING (segment, product)
			LEFT JOIN (SELECT product, count(*) AS n, sum(r) AS s FROM log GROUP BY 1) t USING (product)) x) y) z;
SELECT bag_eq('SELECT segment, product, offers, r(rate) AS rate, r(lower) AS lower, r(upper) AS upper FROM xsell.decision_rule', 'SELECT segment, product, offers, r(rate) AS rate, r(lower) AS lower, r(upper) AS upper FROM rates', 'rates of segments');
SELECT bag_eq('SELECT segment, product, place FROM xsell.decision_rule', 'SELECT segment, product, rank() OVER (PARTITION BY segment ORDER BY rate DESC, product) FROM rates', 'in their order');
SELECT is(rule, format('segment y: offer card, conversion %s to %s %%', round(100 * r.lower::numeric, 1), round(100 * r.upper::numeric, 1)), 'in words') FROM xsell.decision_rule d JOIN rates r USING (segment, product) WHERE place = 1 AND segment = 'y';
UPDATE xsell.offer SET valid = '[2026-02-01,)' WHERE product = 'card';
SELECT is_empty($$SELECT FROM xsell.decision_rule WHERE product = 'card'$$, 'not of offers that are not made now');
UPDATE xsell.offer SET valid = DEFAULT WHERE product = 'card';

-- ------------------------------------------------------- seasons --

SELECT decide('2027-01-04', 'card', 80, 4, '{0.1,0.1,0.1,0.1}'), decide('2027-02-01', 'card', 10, 2, '{0.1,0.1,0.1,0.1}'), decide('2027-01-31', 'card', 5, 2, '{0.1,0.1,0.1,0.1}'), learn('2027-02-11 00:00') \g /dev/null
CREATE VIEW months AS SELECT m.product, m.month, m.n, m.rate, ARRAY[i.lower, i.upper] AS i FROM (SELECT product, date_trunc('month', week)::date AS month, count(*) AS n, (sum(r) + 0.5) / (count(*) + 1) AS rate, xsell_beta_agg(r) AS beta FROM log GROUP BY 1, 2) m, xsell_interval(beta, 0.95, 0.5, 0.5) i;
CREATE FUNCTION seasons_differ() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM xsell.season s FULL JOIN (SELECT m.*, y.rate AS year_before, y.i AS j FROM months m LEFT JOIN months y ON y.product = m.product AND y.month = m.month - interval '1 year') m USING (product, month)
	WHERE (s.offers, r(s.rate), s.lower, s.upper, r(s.rate_year_before), s.lower_year_before, s.upper_year_before) IS DISTINCT FROM (m.n, r(m.rate), m.i[1], m.i[2], r(m.year_before), m.j[1], m.j[2])
$$;
SELECT is(seasons_differ(), 0::bigint, 'conversion by month, and a year before');
SELECT results_eq($$SELECT month, offers, rate_year_before IS NOT NULL, status FROM xsell.season WHERE product = 'card' ORDER BY 1$$,
	$$VALUES ('2026-01-01'::date, 160::bigint, false, 'final'), ('2027-01-01', 85, true, 'final'), ('2027-02-01', 10, false, 'provisional')$$, 'weeks count for the month of their Monday; the last day of January has closed ten days later');
SET xsell.simulated_now = '2027-02-10 23:59+00';
SELECT results_eq($$SELECT month FROM xsell.season WHERE product = 'card' AND status = 'provisional' ORDER BY 1$$, $$VALUES ('2027-01-01'::date), ('2027-02-01')$$, 'and not a minute before');

-- ------------------------------------------------------- change --

CREATE FUNCTION lg(x float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$	-- ln Gamma, by Stirling's series
	SELECT (z - 0.5) * ln(z) - z + 0.5 * ln(2 * pi()) + 1 / (12 * z) - 1 / (360 * z ^ 3) + 1 / (1260 * z ^ 5) - (SELECT sum(ln(x + k)) FROM generate_series(0, 9) k) FROM (SELECT x + 10 AS z) v
$$;
CREATE FUNCTION change_of(o float8[], f float8[], OUT factor float8, OUT since int, OUT before float8, OUT after float8) LANGUAGE plpgsql AS $$
DECLARE	-- src/model/change.h
	n int := cardinality(o);
	best float8 := '-Infinity';
	l float8;
	a float8;
	b float8;
	c float8;
	d float8;
BEGIN
	factor := 2.0 / (n + 1);	-- what is left of the weights: 1 - sum of 2 / ((s + 1) (s + 2)) over s < n
	FOR s IN 1..n - 1 LOOP
		SELECT sum(o[i]) FILTER (WHERE i <= s), sum(f[i]) FILTER (WHERE i <= s), sum(o[i]) FILTER (WHERE i > s), sum(f[i]) FILTER (WHERE i > s) INTO a, b, c, d FROM generate_series(1, n) i;
		l := lg(0.5 + a) - (0.5 + a) * ln(0.5 + b) + lg(0.5 + c) - (0.5 + c) * ln(0.5 + d) - lg(0.5 + a + c) + (0.5 + a + c) * ln(0.5 + b + d) - lg(0.5) + 0.5 * ln(0.5);
		factor := factor + 2.0 / ((s + 1) * (s + 2)) * exp(l);
		IF l > best THEN best := l; since := s; before := a / nullif(b, 0); after := c / nullif(d, 0); END IF;
	END LOOP;
END $$;
SELECT ok(abs(c.factor / h.factor - 1) < 1e-9 AND c.since = h.since AND (c.ratio_before IS NULL AND h.before IS NULL OR r(c.ratio_before) = r(h.before)) AND r(c.ratio_after) = r(h.after), 'a change in ' || o::text)
FROM (VALUES ('{3,4,20}'::float8[], '{3,3,3}'::float8[]), ('{0,0,0,9}', '{5,5,5,5}'), ('{1,2}', '{0,4}'), ('{10,12,9,11,3,2}', '{10,10,10,10,10,10}'), ('{0.5,0.25,7}', '{1,1,1}')) v (o, f), xsell_change(o, f) c, change_of(o, f) h;
SELECT is(xsell_change('{}', '{}')::text, '(1,,,)', 'no weeks, no change');
SELECT is(xsell_change('{4}', '{2}')::text, '(1,,2,)', 'one is what it is');
SELECT is(xsell_change(NULL, '{1}')::text, NULL, 'NULL makes NULL');
SELECT throws_ok(format('SELECT xsell_change(%L, %L)', o, f), code, NULL, format('no changes are %s, %s', left(o, 20), left(f, 20))) FROM (VALUES ('{1,2}', '{1}', '2202E'), ('{{1},{2}}', '{1,2}', '2202E'), ('{1,NULL}', '{1,2}', '2202E'), ('{1,-1}', '{1,2}', '22003'), ('{1,2}', '{1,NaN}', '22003'), ('{1,Infinity}', '{1,2}', '22003'),
	((SELECT array_agg(1)::text FROM generate_series(1, 10001)), (SELECT array_agg(1)::text FROM generate_series(1, 10001)), '54000')) v (o, f, code);

-- What the view must say of a product: week by week, a forecaster counts once it has saved ln 20 against the plain rate, and this once
-- 400 decisions are learned.
CREATE FUNCTION changed(product text, now timestamptz, windows interval DEFAULT '10 days') RETURNS TABLE (forecaster text, log_factor numeric, since date, before numeric, after numeric) LANGUAGE plpgsql AS $$
DECLARE
	gain float8[] := '{0,0,0,0}';
	used float8[][] := '{}';
	w record;
	n int := 0;
	best int := 2;
	o float8[];
	f float8[];
	weeks date[];
	c record;
BEGIN
	CREATE TEMP TABLE seen (j int, week date, o float8, f float8);
	FOR w IN SELECT l.week, count(*) AS n, sum(r) AS o, array_agg(l.r ORDER BY l.decision_id) AS r FROM log l WHERE l.product = $1 AND l.week + 7 + windows <= now GROUP BY 1 ORDER BY 1 LOOP
		FOR j IN 2..4 LOOP
			IF n >= 400 AND (j = 2 OR gain[j] >= ln(20)) THEN
				INSERT INTO seen SELECT j, w.week, w.o, sum(l.forecasts[j]) FROM log l WHERE l.product = $1 AND l.week = w.week AND l.forecasts[j] <> 'NaN' HAVING count(*) > 0;
			END IF;
		END LOOP;
		FOR j IN 2..4 LOOP
			gain[j] := gain[j] + coalesce((SELECT sum(CASE WHEN l.r = 1 THEN ln(l.forecasts[j]::float8 / l.forecasts[2]) ELSE ln((1 - l.forecasts[j]::float8) / (1 - l.forecasts[2])) END) FROM log l WHERE l.product = $1 AND l.week = w.week AND l.forecasts[j] <> 'NaN'), 0);
		END LOOP;
		n := n + w.n;
	END LOOP;
	FOR j IN 3..4 LOOP IF gain[j] >= ln(20) AND gain[j] > gain[best] THEN best := j; END IF; END LOOP;
	SELECT array_agg(s.o ORDER BY s.week), array_agg(s.f ORDER BY s.week), array_agg(s.week ORDER BY s.week) INTO o, f, weeks FROM seen s WHERE s.j = best;
	DROP TABLE seen;
	IF weeks IS NULL THEN RETURN; END IF;
	SELECT * INTO c FROM change_of(o, f);
	RETURN QUERY SELECT (ARRAY['prior', 'global', 'segment', 'contextual'])[best], r(ln(c.factor)), weeks[c.since + 1], r(c.before), r(c.after);
END $$;
CREATE FUNCTION shown(product text) RETURNS TABLE (forecaster text, log_factor numeric, since date, before numeric, after numeric) LANGUAGE sql AS $$
	SELECT c.forecaster, r(ln(c.factor)), c.since, r(c.ratio_before), r(c.ratio_after) FROM xsell.change c WHERE c.product = $1
$$;
-- bond: nothing beats its plain rate; in the seventh week conversions rise.
SELECT decide('2027-03-03'::date + 7 * w, 'bond', 100, CASE WHEN w < 6 THEN 10 ELSE 30 END, '{NaN,0.1,NaN,0.1}') FROM generate_series(0, 7) w \g /dev/null
SELECT learn('2027-04-30 12:00') \g /dev/null
SELECT is_empty($$SELECT * FROM shown('loan')$$, 'a product of few decisions is not watched');
SELECT results_eq($$SELECT * FROM shown('bond')$$, $$SELECT * FROM changed('bond', '2027-04-30 12:00+00')$$, 'a product is watched once its rate is known');
SELECT results_eq($$SELECT forecaster, since, before, after, log_factor BETWEEN ln(10) AND ln(1000) FROM shown('bond')$$, $$VALUES ('global', '2027-04-12'::date, 1.00000, 3.00000, true)$$, 'and its change is seen, as far as windows have ended');
SET xsell.simulated_now = '2027-04-28 23:59+00';
SELECT results_eq($$SELECT * FROM shown('bond')$$, $$SELECT * FROM changed('bond', '2027-04-28 23:59+00')$$, 'a day earlier there was a week less');
SELECT isnt_empty($$SELECT FROM shown('bond') WHERE log_factor < ln(2)$$, 'without the change');
SET xsell.simulated_now = '2027-05-07 12:00+00';
SELECT results_eq($$SELECT * FROM shown('bond')$$, $$SELECT * FROM changed('bond', '2027-05-07 12:00+00')$$, 'a week later as well');
-- fund: two kinds of customers, whom the model with features confuses, then tells apart; later neither converts as it did.
SELECT decide('2027-05-12'::date + 7 * w, 'fund', 60, CASE WHEN w < 12 THEN 12 ELSE 2 END, ARRAY['NaN', 0.11, 0.11, CASE WHEN w < 5 THEN 0.1 ELSE 0.2 END]::real[]),
	decide('2027-05-13'::date + 7 * w, 'fund', 60, 1, ARRAY['NaN', 0.11, 0.11, CASE WHEN w < 5 THEN 0.12 ELSE 0.017 END]::real[]) FROM generate_series(0, 15) w \g /dev/null
SELECT learn('2027-09-10 12:00') \g /dev/null
SELECT results_eq($$SELECT * FROM shown('fund')$$, $$SELECT * FROM changed('fund', '2027-09-10 12:00+00')$$, 'with the forecasts of the model that has proved better');
SELECT results_eq($$SELECT forecaster, since, before, after < 0.3, log_factor > ln(1000) FROM shown('fund')$$, $$VALUES ('contextual', '2027-08-02'::date, 0.99846, true, true)$$, 'if there is one');

-- ------------------------------------------------------- alerts --

SELECT results_eq('SELECT product, alert FROM xsell.alert ORDER BY 1, 2', $$VALUES ('bond', 'change'), ('fund', 'change')$$, 'what has changed');
SELECT is(message, 'outcomes against forecasts went from 1.00 to 3.00 since 2027-04-12 (Bayes factor 682)', 'in words') FROM xsell.alert WHERE product = 'bond';
-- Of card: the present version of its propensity, decision by decision, and what the alerts say of it then.
CREATE FUNCTION alerts(product text DEFAULT 'card') RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(alert, ', ' ORDER BY alert), 'none') FROM xsell.alert a WHERE a.product = $1
$$;
CREATE FUNCTION score_version(v text) RETURNS void LANGUAGE sql AS $$UPDATE xsell.offer SET propensity_version = v WHERE product = 'card'$$;
SELECT score_version('a'), decide('2027-09-14', 'card', 50, 5, '{0.1,0.1,0.1,0.1}'), decide('2027-09-14', 'card', 45, 9, '{0.2,0.1,0.1,0.1}'), decide('2027-09-14', 'card', 5, 0, '{NaN,0.1,0.1,0.1}'), learn('2027-09-15') \g /dev/null
SELECT is(alerts(), 'none', 'five of a hundred may be missing');
SELECT decide('2027-09-15', 'card', 1, 0, '{NaN,0.1,0.1,0.1}'), learn('2027-09-16') \g /dev/null
SELECT is(alerts(), 'propensity implausible', 'six of 101 are too many');
SELECT is(message, '6 of 101 scores were missing or outside [0,1]; the prior rate stood in for them', 'in words') FROM xsell.alert WHERE product = 'card';
SELECT score_version('b'), decide('2027-09-17', 'card', 3, 0, '{NaN,0.1,0.1,0.1}'), decide('2027-09-17', 'card', 30, 3, '{0.1,0.1,0.1,0.1}'), decide('2027-09-17', 'card', 30, 6, '{0.2,0.1,0.1,0.1}'), learn('2027-09-18') \g /dev/null
SELECT is(alerts(), 'none', 'a new version has none yet, nor has one of few decisions');
SELECT score_version('c'), decide('2027-09-18', 'card', 99, 10, '{0.13,0.1,0.1,0.1}'), learn('2027-09-19') \g /dev/null
SELECT is(alerts(), 'none', 'the same score for 99 customers is chance');
SELECT decide('2027-09-19', 'card', 1, 0, '{0.13,0.1,0.1,0.1}'), learn('2027-09-20') \g /dev/null
SELECT is(alerts(), 'propensity constant', 'for a hundred it is none');
SELECT is(message, 'the scores of the last 100 decisions did not differ, so they tell nothing', 'in words') FROM xsell.alert WHERE product = 'card';
SELECT decide('2027-09-20', 'card', 3, 0, '{0.25,0.1,0.1,0.1}'), learn('2027-09-21 12:00') \g /dev/null
SELECT is(alerts(), 'none', 'a few others are enough');
SELECT decide('2027-11-03', 'card', 100, 10, '{0.13,0.1,0.1,0.1}'), learn('2027-11-04') \g /dev/null
SELECT is(alerts(), 'propensity constant', 'but not for ever: the last four weeks count');
SELECT score_version('d'), decide('2027-11-05', 'card', 20, 2, '{0.3,0.1,0.1,0.1}'), decide('2027-11-05', 'card', 10, 1, '{0.2,0.1,0.1,0.1}'), learn('2027-11-06') \g /dev/null
SELECT results_eq($$SELECT alerts(), gain BETWEEN -2.99 AND -2 FROM xsell.forecast WHERE product = 'card' AND forecaster = 'prior'$$, $$VALUES ('none', true)$$, 'a score that was unlucky is none');
SELECT decide('2027-11-06', 'card', 9, 1, '{0.3,0.1,0.1,0.1}'), learn('2027-11-07') \g /dev/null
SELECT results_eq($$SELECT alerts(), gain < -ln(20) FROM xsell.forecast WHERE product = 'card' AND forecaster = 'prior'$$, $$VALUES ('propensity misleads', true)$$, 'one that keeps losing misleads');
SELECT is(message, format('its forecasts lost %s nats against the plain rate over 39 decisions: on average 27.4 %% were forecast, 10.3 %% converted', round(-f.gain::numeric, 1)), 'in words') FROM xsell.alert a JOIN xsell.forecast f USING (product) WHERE a.product = 'card' AND forecaster = 'prior';
UPDATE xsell.offer SET propensity = NULL, propensity_version = NULL WHERE product = 'card';
SELECT is(alerts(), 'none', 'without a propensity there is nothing to say');
UPDATE xsell.agent SET oracle = 'beta';
SELECT results_eq('SELECT product, alert FROM xsell.alert ORDER BY 1, 2', $$VALUES ('bond', 'change'), ('fund', 'change')$$, 'what has changed does not depend on the oracle in use');

-- Much was learned since this session last looked, and of one product at the very end.
SELECT results_eq('SELECT product, learned FROM xsell.model ORDER BY 1', 'SELECT product, count(*) FROM log GROUP BY 1 ORDER BY 1', 'models know what was learned');
SELECT decide('2027-12-01', 'card', 1100, 100, '{NaN,0.1,0.1,0.1}'), decide('2027-12-02', 'fund', 7, 1, '{NaN,0.1,0.1,0.1}'), learn('2027-12-04') \g /dev/null
SELECT results_eq('SELECT product, learned FROM xsell.model ORDER BY 1', 'SELECT product, count(*) FROM log GROUP BY 1 ORDER BY 1', 'also a thousand decisions later');

-- ------------------------------------------------------- who is gone --

DELETE FROM xsell.offer WHERE product IN ('bond', 'card');
SELECT is_empty('SELECT FROM xsell.' || v || ' WHERE product = ''bond''', 'no ' || v || ' of what is not offered') FROM unnest('{model,change,alert,decision_rule}'::text[]) v;
SELECT isnt_empty('SELECT FROM xsell.' || v || ' WHERE product = ''bond''', 'but its ' || v) FROM unnest('{forecast,season}'::text[]) v;
DELETE FROM xsell.agent;
SELECT is_empty('SELECT FROM xsell.' || v, 'nor of an agent that is gone: ' || v) FROM unnest('{model,coefficient,decision_rule,change,alert}'::text[]) v;
SELECT * FROM finish();
