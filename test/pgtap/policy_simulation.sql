-- policy_simulation.sql: six weeks with every mechanism switched on, 100,000 decisions in batch and real time; then plain SQL
-- over the log, the customers, outcomes and consents finds nothing that the policy forbids (promise 3).
--
-- The checks are written anew, without xsell's functions (but for the time of an id and the list of candidates). What was
-- known when an offer was made are the outcomes whose ids are smaller.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2026-03-01 00:00+00';

CREATE FUNCTION u(name text) RETURNS float8 IMMUTABLE LANGUAGE sql AS $$
	SELECT (hashtextextended(name, 11) & 9007199254740991) / 9007199254740992.0
$$;
CREATE TABLE customer (id bigint PRIMARY KEY, age int, income numeric, vip boolean, pref text, tz text, mail_ok boolean, has_card boolean, s_card float8, s_loan float8, s_fund float8);
INSERT INTO customer SELECT i, CASE WHEN u('a' || i) > 0.03 THEN 15 + floor(60 * u('b' || i)) END, CASE WHEN u('c' || i) > 0.1 THEN round((4000 * u('d' || i))::numeric) END, CASE WHEN u('e' || i) > 0.1 THEN u('f' || i) < 0.2 END,
	(ARRAY['web', 'email', 'post', NULL])[1 + floor(4 * u('g' || i))], (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', NULL])[1 + floor(4 * u('h' || i))], CASE WHEN u('i' || i) > 0.1 THEN u('j' || i) < 0.8 END,
	CASE WHEN u('k' || i) > 0.1 THEN u('l' || i) < 0.3 END, u('m' || i) / 3, u('n' || i) / 3, CASE WHEN u('o' || i) > 0.2 THEN u('p' || i) / 3 END
	FROM generate_series(1, 3000) i;
CREATE TABLE given AS SELECT DISTINCT ON (id, channel, purpose) * FROM (SELECT i AS id, (ARRAY['web', 'email', 'post', '*', 'email'])[1 + floor(5 * u(n || 'q' || i))] AS channel, (ARRAY['marketing', '*', 'service'])[1 + floor(3 * u(n || 'r' || i))] AS purpose, u(n || 's' || i) < 0.9 AS granted
	FROM generate_series(1, 3000) i, generate_series(1, 3) n) x;
INSERT INTO xsell.consent (customer_key, channel, purpose, granted) TABLE given;

SET check_function_bodies = off;	-- published at once
INSERT INTO xsell.product (product, credit, attributes) VALUES ('card', true, '{"group": "pay"}'), ('loan', true, '{"group": "borrow"}'), ('fund', false, '{"group": "save"}'), ('deposit', false, '{"group": "save"}'), ('leaflet', false, '{}');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, routing, fallback, top_n, explore_below) VALUES ('bank', 'customer', 'id', 1, 'deferred', NULL, '''leaflet''', 2, 0.1), ('desk', 'customer', 'id', 2, 'deferred', 'pref', '''leaflet''', NULL, 0);
INSERT INTO xsell.channel (agent, channel, observation_window, consent, opt_in, modes, default_for, quiet_from, quiet_until, time_zone)
	SELECT agent, c.* FROM xsell.agent, (VALUES ('web', interval '1 hour', NULL, false, '{realtime}'::text[], '{}'::text[], NULL::time, NULL::time, NULL),
		('email', '2 days', 'mail_ok', true, '{batch}', '{batch}', '20:00', '08:00', 'tz'), ('post', '4 days', NULL, false, '{realtime,batch}', '{batch}', NULL, NULL, NULL)) c;
INSERT INTO xsell.offer (agent, product, propensity, value, held, max_share, active, valid)
	SELECT agent, p.* FROM xsell.agent, (VALUES ('card', 's_card', NULL, 'has_card', 0.1, true, '(,)'::tstzrange), ('loan', 's_loan', NULL, NULL, NULL, true, '(,)'),
		('fund', 's_fund', '1 + income / 4000', NULL, NULL, true, '[2026-03-08,2026-04-05)'), ('deposit', NULL, NULL, NULL, NULL, true, '(,)'), ('leaflet', NULL, NULL, NULL, NULL, true, '(,)')) p;
INSERT INTO xsell.feature (agent, feature, expression) SELECT agent, f.* FROM xsell.agent, (VALUES ('age', 'age / 50.0'), ('volatile', 'market.volatile')) f;
INSERT INTO xsell.rule (agent, rule, kind, product, channel, attributes, expression, valid)
	SELECT agent, r.* FROM xsell.agent, (VALUES ('adult', 'eligibility', NULL, NULL, NULL::jsonb, 'age >= 18', '(,)'::tstzrange), ('solvent', 'suitability', NULL, NULL, '{"credit": true}', 'income > 1000', '(,)'),
		('calm', 'suitability', NULL, NULL, '{"group": "save"}', 'NOT market.volatile', '(,)'), ('lent', 'applicability', 'loan', NULL, NULL, 'age < 50', '[2026-03-10,2026-03-20)'), ('page', 'applicability', NULL, 'web', NULL, 'context.page <> ''help''', '(,)')) r;
INSERT INTO xsell.market VALUES ('volatile', '2026-01-01', 'false'), ('volatile', '2026-03-16', 'true'), ('volatile', '2026-03-22', 'null'), ('volatile', '2026-03-25', 'false');
INSERT INTO xsell.outcome_kind (agent, outcome, reward, engagement, delivery, opt_out)
	SELECT agent, k.* FROM xsell.agent, (VALUES ('click', 0.1, true, NULL, NULL), ('bounce', 0, false, 'undelivered', NULL), ('complaint', 0, false, NULL, NULL), ('unsubscribe', 0, false, NULL, 'channel'), ('leave', 0, false, NULL, 'all')) k;
INSERT INTO xsell.cap (agent, cap, product, channel, attributes, max_offers, per, engaged, relaxed_offers)
	SELECT agent, c.* FROM xsell.agent, (VALUES ('loans', 'loan', NULL, NULL::jsonb, 1, interval '14 days', NULL, NULL::int), ('saving', NULL, NULL, '{"group": "save"}', 2, '10 days', NULL, NULL),
		('mails', NULL, 'email', NULL, 1, '7 days', 'reset', NULL), ('posts', NULL, 'post', NULL, 2, '21 days', 'reset', NULL), ('all', NULL, NULL, NULL, 3, '7 days', 'relax', 5)) c;
INSERT INTO xsell.quiet (agent, quiet, channel, after_ignored, pause) SELECT agent, q.* FROM xsell.agent, (VALUES ('ignored', NULL, 5, interval '12 days'), ('web', 'web', 3, '5 days')) q;
INSERT INTO xsell.cooldown (agent, cooldown, product, outcome, lasts) SELECT agent, c.* FROM xsell.agent, (VALUES ('declined', NULL, 'decline', interval '20 days'), ('annoyed', 'deposit', 'complaint', '1 year')) c;
INSERT INTO xsell.override (agent, override, action, product, channel, expression, factor, reason, expires)
	SELECT agent, o.* FROM xsell.agent, (VALUES ('stop', 'block', 'fund', NULL, 'vip', NULL::float8, 'r', '2026-03-28'::timestamptz), ('push', 'force', 'deposit', NULL, 'age > 65', NULL, 'r', '2026-04-01'), ('more', 'boost', 'loan', 'web', 'age < 30', 3, 'r', 'infinity')) o;
SET check_function_bodies = on;
UPDATE xsell.agent SET floor = 0.03;

-- ------------------------------------------------------------- six weeks --

CREATE TABLE call (decision_id bigint, id bigint, agent text, call_mode text, named text, page text);
CREATE PROCEDURE batch(at timestamptz, day int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('xsell.simulated_now', at::text, false);
	INSERT INTO call SELECT d.decision_id, q.id, q.agent, 'batch', q.named, NULL
		FROM (SELECT c AS person, c.id, a.agent, CASE WHEN u(s || 'n') < 0.2 THEN (ARRAY['email', 'post', 'web'])[1 + floor(3 * u(s || 'c'))] END AS named
			FROM customer c, (VALUES ('bank'), ('desk')) a (agent), concat_ws(' ', c.id, a.agent, day) s WHERE u(s) < 0.21) q,
		xsell_decide(q.person, agent => q.agent, channel => q.named, call_mode => 'batch') d;
	COMMIT;
END $$;
CREATE PROCEDURE realtime(start timestamptz, day int) LANGUAGE plpgsql AS $$
DECLARE
	c customer;
	s text;
	name text;
	page text;
	how text;
	via text;
BEGIN
	FOR i IN 1 .. 1240 LOOP
		s := concat_ws(' ', 'rt', day, i);
		PERFORM set_config('xsell.simulated_now', (start + i * interval '28 seconds')::text, false);
		SELECT * INTO c FROM customer WHERE id = 1 + floor(3000 * u(s));
		name := CASE WHEN u(s || 'a') < 0.5 THEN 'bank' ELSE 'desk' END;
		how := CASE WHEN u(s || 'm') < 0.9 THEN 'realtime' END;
		via := CASE WHEN u(s || 'n') < 0.3 THEN (ARRAY['web', 'post'])[1 + floor(2 * u(s || 'c'))] END;
		page := (ARRAY['home', 'loans', 'help', NULL])[1 + floor(4 * u(s || 'p'))];
		INSERT INTO call SELECT d.decision_id, c.id, name, how, via, page
			FROM xsell_decide(c, agent => name, channel => via, call_mode => how, context => jsonb_build_object('page', page)) d;
		IF i % 100 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
	COMMIT;
END $$;
CREATE PROCEDURE outcomes(at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('xsell.simulated_now', at::text, false);
	PERFORM xsell_reward(decision_id, CASE WHEN x < 0.05 THEN 'conversion' WHEN x < 0.20 THEN 'click' WHEN x < 0.27 THEN 'decline' WHEN x < 0.34 AND channel <> 'web' THEN 'bounce' WHEN x < 0.36 THEN 'complaint' WHEN x < 0.37 THEN 'unsubscribe' ELSE 'leave' END)
		FROM xsell.decision, CAST(u(decision_id::text) AS float8) x, LATERAL (SELECT at - (ARRAY[0, 1, 4])[1 + floor(3 * u(decision_id || 'd'))] * interval '1 day' AS until) l
		WHERE product IS NOT NULL AND x < 0.375 AND decision_id < xsell_id_at(l.until) AND decision_id >= xsell_id_at(l.until - interval '1 day');
	COMMIT;
	PERFORM set_config('xsell.simulated_now', (at + interval '1 minute')::text, false);
	PERFORM xsell_learn();
	COMMIT;
END $$;
DO $$
BEGIN
	FOR day IN 0 .. 40 LOOP
		CALL batch('2026-03-01 05:30+00'::timestamptz + make_interval(days => day, hours => day % 3 * 4), day);
		CALL realtime('2026-03-01 14:00+00'::timestamptz + day * interval '1 day', day);
		CALL outcomes('2026-03-01 23:50+00'::timestamptz + day * interval '1 day');
	END LOOP;
END $$;
CREATE TABLE offer AS SELECT d.decision_id, d.customer_key AS id, d.agent, d.product, d.channel, d.mode, d.cohort, d.model_version, xsell_decided_at(d.decision_id) AS at, p.credit, p.attributes->>'group' AS kind, c.call_mode, c.named, c.page
	FROM xsell.decision d JOIN call c USING (decision_id) JOIN xsell.product p USING (product);
CREATE INDEX ON offer (id, agent, decision_id);
CREATE TABLE said AS SELECT o.id, o.agent, o.decision_id, o.product, o.channel, x.outcome, x.outcome_id, x.occurred_at FROM xsell.outcome x JOIN offer o USING (decision_id);
CREATE INDEX ON said (decision_id);
ANALYZE;
-- Each offer, and each one before it, with what was known of that
CREATE TABLE earlier AS SELECT o.decision_id AS of, o.at AS now, o.product AS of_product, o.channel AS of_channel, o.kind AS of_kind, e.*,
		e.at + CASE e.channel WHEN 'web' THEN interval '1 hour' WHEN 'email' THEN '2 days' ELSE '4 days' END > o.at AS open,
		EXISTS (SELECT FROM said s WHERE s.decision_id = e.decision_id AND outcome_id < o.decision_id AND outcome = 'bounce') AS bounced,
		EXISTS (SELECT FROM said s WHERE s.decision_id = e.decision_id AND outcome_id < o.decision_id AND outcome <> 'bounce') AS answered,
		(SELECT max(outcome_id) FROM said s WHERE s.decision_id = e.decision_id AND outcome_id < o.decision_id AND outcome IN ('click', 'conversion')) AS engaged
	FROM offer o JOIN offer e ON (e.id, e.agent) = (o.id, o.agent) AND e.decision_id < o.decision_id;
CREATE INDEX ON earlier (of);
ANALYZE earlier;

-- -------------------------------------------------------------- the checks --

SELECT cmp_ok((SELECT count(*) FROM xsell.decision), '>=', 100000::bigint, 'a hundred thousand decisions');
SELECT is((SELECT count(*) FROM call), (SELECT count(*) FROM xsell.decision), 'each call is logged');
SELECT cmp_ok((SELECT count(*) FROM offer), '>', 15000::bigint, (SELECT count(*) || ' of them offers' FROM offer));
SELECT bag_eq($$SELECT DISTINCT reason FROM xsell.exclusion$$, $$VALUES ('inactive'), ('held'), ('rule:adult'), ('rule:solvent'), ('rule:calm'), ('rule:lent'), ('rule:page'), ('mode'), ('routing'), ('consent'), ('opted_out'), ('not_opted_in'),
	('hours'), ('quiet:ignored'), ('quiet:web'), ('cooldown:declined'), ('cooldown:annoyed'), ('cap:loans'), ('cap:saving'), ('cap:mails'), ('cap:posts'), ('cap:all'), ('share'), ('value'), ('override:stop'), ('override:push')$$, 'every mechanism took part');

SELECT is_empty($$SELECT * FROM offer WHERE product = 'fund' AND (at < '2026-03-08' OR at >= '2026-04-05')$$, 'no offer outside its time');
SELECT is_empty($$SELECT * FROM offer JOIN customer USING (id) WHERE product = 'card' AND has_card IS NOT FALSE$$, 'no product to who has it');
SELECT is_empty($$SELECT * FROM offer JOIN customer USING (id) WHERE (age >= 18) IS NOT TRUE OR credit AND (income > 1000) IS NOT TRUE OR kind = 'save' AND at BETWEEN '2026-03-16' AND '2026-03-24 23:59:59.999'
	OR product = 'loan' AND at >= '2026-03-10' AND at < '2026-03-20' AND (age < 50) IS NOT TRUE OR channel = 'web' AND (page <> 'help') IS NOT TRUE$$, 'no rule broken');
SELECT is_empty($$SELECT * FROM offer JOIN customer USING (id) WHERE product = 'fund' AND income IS NULL$$, 'nothing without a value');
SELECT is_empty($$SELECT * FROM offer WHERE channel = 'web' AND call_mode IS DISTINCT FROM 'realtime' OR channel = 'email' AND call_mode IS DISTINCT FROM 'batch'$$, 'no channel in another mode');
SELECT is_empty($$SELECT * FROM offer JOIN customer USING (id) WHERE channel <> named OR named IS NULL AND (agent = 'desk' AND pref IS DISTINCT FROM channel OR agent = 'bank' AND call_mode = 'batch' AND channel = 'web')$$,
	'no other channel than was named, preferred or the default');
SELECT is_empty($$SELECT * FROM offer JOIN customer USING (id) WHERE channel = 'email' AND (mail_ok IS NOT TRUE
	OR NOT EXISTS (SELECT FROM given g WHERE g.id = offer.id AND granted AND g.channel IN ('email', '*') AND purpose IN ('marketing', '*')))$$, 'no mail without consent');
SELECT is_empty($$SELECT * FROM offer WHERE EXISTS (SELECT FROM given g WHERE g.id = offer.id AND NOT granted AND g.channel IN (offer.channel, '*') AND purpose IN ('marketing', '*'))$$, 'nothing against a refusal');
SELECT is_empty($$SELECT * FROM offer o JOIN said s USING (id) WHERE s.outcome_id < o.decision_id AND (s.outcome = 'leave' OR s.outcome = 'unsubscribe' AND s.channel = o.channel)$$, 'nor after an opt-out, whichever agent heard it');
SELECT is_empty($$SELECT * FROM offer JOIN customer USING (id) WHERE channel = 'email' AND (tz IS NULL OR (at AT TIME ZONE tz)::time >= '20:00' OR (at AT TIME ZONE tz)::time < '08:00')$$, 'none in quiet hours');

-- Of the offers that were delivered, and answered or closed, the last n
CREATE FUNCTION quiet(one text, n int, pause interval) RETURNS SETOF bigint LANGUAGE sql AS $$
	SELECT of FROM (SELECT *, row_number() OVER (PARTITION BY of ORDER BY decision_id DESC) AS k FROM earlier
		WHERE NOT bounced AND (answered OR NOT open) AND (one IS NULL OR channel = one AND of_channel = one)) e
	WHERE k <= n GROUP BY of, now HAVING count(*) = n AND NOT bool_or(answered) AND now < max(at) + pause
$$;
SELECT is_empty($$SELECT * FROM quiet(NULL, 5, '12 days') UNION ALL SELECT * FROM quiet('web', 3, '5 days')$$, 'none in a quiet period');
SELECT cmp_ok((SELECT count(*) FROM quiet(NULL, 4, '12 days')), '>', 100::bigint, 'which one offer less would have come near to');
SELECT is_empty($$SELECT * FROM earlier e JOIN said s USING (decision_id) WHERE s.outcome_id < of AND e.product = of_product AND (s.outcome = 'decline' AND now < occurred_at + interval '20 days'
	OR s.outcome = 'complaint' AND e.product = 'deposit')$$, 'none that has to rest after its outcome');

-- Counted with an offer are those of the period before it that the cap is about.
CREATE FUNCTION counted(per interval, only_product text, only_kind text, only_channel text) RETURNS TABLE (of bigint, offers bigint, since_engaged bigint, engaged boolean) LANGUAGE sql AS $$
	SELECT of, count(*), count(*) FILTER (WHERE decision_id > coalesce(last, 0)), last IS NOT NULL
	  FROM (SELECT *, max(engaged) OVER (PARTITION BY of) AS last FROM earlier WHERE NOT bounced AND at > now - per AND (only_product IS NULL OR only_product = product AND only_product = of_product)
		AND (only_kind IS NULL OR only_kind = kind AND only_kind = of_kind) AND (only_channel IS NULL OR only_channel = channel AND only_channel = of_channel)) e GROUP BY of, last
$$;
SELECT is_empty($$SELECT * FROM counted('14 days', 'loan', NULL, NULL) WHERE offers >= 1$$, 'no cap exceeded: of a product');
SELECT is_empty($$SELECT * FROM counted('10 days', NULL, 'save', NULL) WHERE offers >= 2$$, 'of products of a kind');
SELECT is_empty($$SELECT * FROM counted('7 days', NULL, NULL, 'email') WHERE since_engaged >= 1$$, 'of a channel, unless the customer engaged');
SELECT is_empty($$SELECT * FROM counted('21 days', NULL, NULL, 'post') WHERE since_engaged >= 2$$, 'of another');
SELECT is_empty($$SELECT * FROM counted('7 days', NULL, NULL, NULL) WHERE offers >= CASE WHEN engaged THEN 5 ELSE 3 END$$, 'of all');
SELECT ok(bool_or(offers = 1) AND bool_or(engaged AND offers > since_engaged), 'and caps were used up and reset') FROM counted('21 days', NULL, NULL, 'post');
SELECT ok(bool_or(engaged AND offers = 4) AND bool_or(NOT engaged AND offers = 2), 'or relaxed') FROM counted('7 days', NULL, NULL, NULL);

-- Shares of what had been learned in each model version
CREATE TABLE learned AS SELECT d.agent, e.model_version, d.product, date_trunc('week', xsell_decided_at(d.decision_id))::date AS monday, count(*) AS n FROM xsell.experience e JOIN xsell.decision d USING (decision_id) WHERE previous IS NULL GROUP BY 1, 2, 3, 4;
SELECT is_empty($$SELECT * FROM (SELECT DISTINCT agent, model_version, at::date AS day FROM offer WHERE product = 'card') o,
	LATERAL (SELECT sum(n) AS n, sum(n) FILTER (WHERE product = 'card') AS cards FROM learned l WHERE l.agent = o.agent AND l.model_version <= o.model_version AND monday >= day - 28) l WHERE n >= 100 AND cards > 0.3 * n$$, 'no product above its share');

SELECT is_empty($$SELECT * FROM offer JOIN customer USING (id) WHERE product = 'fund' AND vip IS NOT FALSE AND at < '2026-03-28'$$, 'none that people had blocked');
CREATE TABLE candidate AS SELECT d.decision_id, d.agent, d.mode, d.product AS drawn, d.cohort, d.customer_key AS id, a->>0 AS product, a->>1 AS channel, l.excluded, l.probability, l.propensity
	FROM xsell.decision d JOIN xsell.policy p USING (agent, policy_version), xsell_candidates_list(d.candidates) l, LATERAL (SELECT p.definition->'arms'->l.arm AS a) a WHERE d.product IS NOT NULL AND l.excluded IS NULL;
SELECT is_empty($$SELECT * FROM offer o JOIN customer USING (id) WHERE age > 65 AND at < '2026-04-01' AND product <> 'deposit' AND EXISTS (SELECT FROM candidate c WHERE c.decision_id = o.decision_id AND c.product = 'deposit')$$, 'no other than was forced');
SELECT is_empty($$SELECT * FROM candidate WHERE mode = 'fallback' AND product <> 'leaflet'$$, 'the fallback only where nothing else was allowed');
SELECT is_empty($$SELECT decision_id FROM candidate GROUP BY 1 HAVING abs(sum(probability) - 1) > 1e-9 OR min(probability) <= 0$$, 'probabilities are positive and add up to 1');
SELECT is_empty($$SELECT decision_id FROM (SELECT decision_id, product, sum(probability) AS probability, row_number() OVER (PARTITION BY decision_id ORDER BY max(coalesce(nullif(propensity, 'NaN'), 0.05)) DESC, product) AS place
	FROM candidate WHERE agent = 'bank' GROUP BY 1, 2) c GROUP BY 1 HAVING count(*) > 2 AND abs(sum(probability) FILTER (WHERE place > 2) - 0.1) > 1e-9$$, 'a tenth goes to products below the top two');
SELECT is((SELECT sum(cardinality(decision_id)) FROM xsell.contact WHERE decision_id <> '{}'), (SELECT sum(1) FROM offer WHERE decision_id IN (SELECT unnest(decision_id) FROM xsell.contact)), 'contacts are offers');
SELECT is_empty($$SELECT d.decision_id, r FROM (SELECT decision_id FROM xsell.decision WHERE decision_id % 37 = 0 ORDER BY 1 LIMIT 3000) d, xsell_replay(d.decision_id) r WHERE NOT r.identical$$, 'a sample is replayed');
SELECT cmp_ok((SELECT count(*) FROM (SELECT FROM xsell.decision WHERE decision_id % 37 = 0 LIMIT 3000) s), '>', 2000::bigint, 'of some thousand');
SELECT * FROM finish();
