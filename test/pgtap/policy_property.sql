-- policy_property.sql: replacing any single input of a decision by NULL never adds an allowed candidate (promise 3).
--
-- 100 random policies over all mechanisms, 100 random customers for each, with contacts, outcomes and consents; the same
-- in every run. Each customer is ranked as he is, and again with every column, every key of the context, the context,
-- every market indicator, and the consents he gave taken away, one at a time.
--
-- Allowed is what no condition excludes. Two reasons are none: top_n and force choose among what is allowed, so that one
-- product makes place for another (an unknown propensity stands at the neutral rate; a product that may not be offered
-- cannot be forced). Nor is the fallback an exception: it has to be allowed itself, and xsell_rank shows it as any other.
-- The arguments of a call (products, channel) are the question and no inputs: leaving one out asks about more.
-- The random expressions are made of strict functions, AND, OR and NOT: who writes IS NULL, coalesce or CASE ... ELSE
-- says what NULL shall mean. Who never consented has no row: taking a refusal away is no NULL.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT plan(8);
SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2026-05-04 12:00+00';

CREATE TABLE person (id bigint, n1 int, n2 numeric, n3 float8, t1 text, t2 text, z text, b1 boolean, b2 boolean);

-- A number in [0,1), one of a list, an interval: the same for the same name
CREATE FUNCTION u(name text) RETURNS float8 IMMUTABLE LANGUAGE sql AS $$
	SELECT (hashtextextended(name, 20260504) & 9007199254740991) / 9007199254740992.0
$$;
CREATE FUNCTION pick(name text, VARIADIC list text[]) RETURNS text IMMUTABLE LANGUAGE sql AS $$
	SELECT list[1 + floor(u(name) * cardinality(list))::int]
$$;
CREATE FUNCTION condition(name text, depth int DEFAULT 2) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF depth > 0 AND u(name || 'deep') < 0.6 THEN
		RETURN CASE WHEN u(name || 'not') < 0.3 THEN 'NOT ' ELSE '' END ||
			format('(%s %s %s)', condition(name || 'l', depth - 1), pick(name || 'op', 'AND', 'OR', 'OR'), condition(name || 'r', depth - 1));
	END IF;
	RETURN format(pick(name || 'atom', 'n1 > %1$s', 'n1 <= %1$s', 'n2 < %1$s', 'n1 + n2 > %1$s', 'n3 BETWEEN 0.2 AND 0.9', 't1 IN (''a'', ''b'')', 't1 <> ''c''', 'b1', 'NOT b1', 'b1 <> b2', 'b2',
		'context.page = ''home''', 'context.page <> ''loans''', '(context.hour)::int < %1$s / 4', 'market.vol', 'NOT market.vol', 'market.rate > 2', 'market.mood <> ''bad''',
		'product.credit', 'NOT product.credit OR n1 > %1$s', 'product.grp = ''x''', 'channel.kind = ''direct''', 'lower(t1) >= ''b'''), 10 + floor(80 * u(name || 'k')));
END $$;
CREATE FUNCTION maybe(name text, share float8, value text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
	SELECT CASE WHEN u(name || 'maybe') < share THEN value END
$$;

-- ------------------------------------------------------------ policies --

SET check_function_bodies = off;	-- all is published at once, at the end
INSERT INTO xsell.product (product, credit, attributes) VALUES ('p0', true, '{"grp": "x"}'), ('p1', false, '{"grp": "x"}'), ('p2', false, '{"grp": "y"}'), ('p3', true, '{}');
INSERT INTO xsell.market SELECT indicator, since, value FROM (VALUES
	('vol', '2026-01-01'::timestamptz, 'true'::jsonb), ('rate', '2026-01-01', '1.5'), ('mood', '2026-01-01', '"good"'),
	('vol', '2026-05-01', 'false'), ('rate', '2026-05-01', '2.5'), ('mood', '2026-05-01', '"bad"')) m (indicator, since, value);
-- unknown for a microsecond each, before and after May began
INSERT INTO xsell.market SELECT m.indicator, at + n * interval '1 us' + x.later * interval '1 us', CASE x.later WHEN 0 THEN 'null' ELSE value END
	FROM (VALUES ('vol', 1), ('rate', 2), ('mood', 3)) i (indicator, n), unnest('{2026-04-27 12:00+00,2026-05-04 12:00+00}'::timestamptz[]) at,
		LATERAL (SELECT * FROM xsell.market m WHERE m.indicator = i.indicator AND since <= at ORDER BY since DESC LIMIT 1) m, (VALUES (0), (1)) x (later);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, routing, top_n, explore_below)
	SELECT a, 'person', 'id', i, maybe(a || 'routing', 0.15, 't2'), maybe(a || 'top', 0.3, pick(a || 'n', '1', '2'))::int, pick(a || 'below', '0', '0.2')::float8
	FROM generate_series(1, 100) i, format('agent%s', i) a;
INSERT INTO xsell.channel (agent, channel, attributes, observation_window, consent, opt_in, purpose, modes, default_for, quiet_from, quiet_until, time_zone)
	SELECT agent, c, jsonb_build_object('kind', pick(s || 'kind', 'direct', 'own')), pick(s || 'window', '1 hour', '3 days', '14 days')::interval, maybe(s || 'consent', 0.2, condition(s || 'consent', 1)), u(s || 'optin') < 0.15,
		pick(s || 'purpose', 'marketing', 'service'), m, CASE WHEN u(s || 'default') < 0.2 THEN m ELSE '{}' END,
		maybe(s || 'hours', 0.2, pick(s || 'from', '20:00', '12:00', '06:30'))::time, maybe(s || 'hours', 0.2, pick(s || 'until', '08:00', '12:30', '15:00'))::time, pick(s || 'zone', 'z', 'z', '''Asia/Tokyo''', NULL)
	FROM xsell.agent, unnest('{web,email,post}'::text[]) c, format('%s %s', agent, c) s, LATERAL (SELECT pick(s || 'modes', '{realtime}', '{batch}', '{realtime,batch}', '{realtime,batch}')::text[] AS m) m;
INSERT INTO xsell.offer (agent, product, propensity, value, cost, held, active, valid)
	SELECT agent, product, maybe(s || 'propensity', 0.5, 'n3'), maybe(s || 'value', 0.3, pick(s || 'value', 'n3', 'abs(n2)')), maybe(s || 'cost', 0.3, pick(s || 'cost', 'n3', 'n1 / 10.0')), maybe(s || 'held', 0.2, condition(s || 'held', 1)),
		u(s || 'active') > 0.1, pick(s || 'valid', '(,)', '(,)', '(,2026-05-01)', '[2026-05-01,)')::tstzrange
	FROM xsell.agent, xsell.product, format('%s %s', agent, product) s;
INSERT INTO xsell.rule (agent, rule, kind, product, channel, attributes, expression, valid)
	SELECT agent, 'rule' || i, pick(s || 'kind', 'eligibility', 'applicability', 'suitability'), maybe(s || 'product', 0.4, pick(s || 'product', 'p0', 'p1', 'p2', 'p3')), maybe(s || 'channel', 0.3, pick(s || 'channel', 'web', 'email', 'post')),
		maybe(s || 'attributes', 0.3, pick(s || 'attributes', '{"grp": "x"}', '{"credit": true}', '{"credit": false}'))::jsonb, condition(s), pick(s || 'valid', '(,)', '(,)', '[2026-05-01,)')::tstzrange
	FROM xsell.agent, generate_series(1, 4) i, format('%s rule %s', agent, i) s WHERE u(s || 'there') < 0.4;
INSERT INTO xsell.outcome_kind (agent, outcome, reward, engagement, delivery) SELECT agent, o, 0, o = 'click', CASE o WHEN 'bounce' THEN 'undelivered' END FROM xsell.agent, unnest('{click,bounce,complaint}'::text[]) o;
INSERT INTO xsell.cap (agent, cap, product, channel, attributes, max_offers, per, engaged, relaxed_offers)
	SELECT agent, 'cap' || i, maybe(s || 'product', 0.3, pick(s || 'product', 'p0', 'p1', 'p2', 'p3')), maybe(s || 'channel', 0.3, pick(s || 'channel', 'web', 'email', 'post')),
		maybe(s || 'attributes', 0.3, '{"grp": "x"}')::jsonb, 1 + floor(3 * u(s || 'max'))::int, pick(s || 'per', '7 days', '30 days')::interval, e, CASE e WHEN 'relax' THEN 5 END
	FROM xsell.agent, generate_series(1, 2) i, format('%s cap %s', agent, i) s, LATERAL (SELECT pick(s || 'engaged', NULL, 'reset', 'relax') AS e) e WHERE u(s || 'there') < 0.5;
INSERT INTO xsell.quiet (agent, quiet, channel, after_ignored, pause)
	SELECT agent, 'quiet', maybe(agent || 'quietchannel', 0.5, pick(agent || 'q', 'web', 'email')), 1 + floor(3 * u(agent || 'ignored'))::int, '10 days' FROM xsell.agent WHERE u(agent || 'quiet') < 0.3;
INSERT INTO xsell.cooldown (agent, cooldown, product, outcome, lasts)
	SELECT agent, 'cooldown', maybe(agent || 'coolproduct', 0.5, 'p1'), pick(agent || 'cooloutcome', 'decline', 'complaint'), '20 days' FROM xsell.agent WHERE u(agent || 'cooldown') < 0.5;
INSERT INTO xsell.override (agent, override, action, product, channel, expression, factor, reason, expires)
	SELECT agent, action || i, action, pick(s || 'product', 'p0', 'p1', 'p2', 'p3'), maybe(s || 'channel', 0.3, pick(s || 'channel', 'web', 'email', 'post')), condition(s, 1), CASE action WHEN 'boost' THEN 3 END, 'random', '2026-06-01'
	FROM xsell.agent, generate_series(1, 2) i, format('%s override %s', agent, i) s, LATERAL (SELECT pick(s || 'action', 'block', 'block', 'force', 'boost') AS action) a WHERE u(s || 'there') < 0.4;
SET check_function_bodies = on;
UPDATE xsell.agent SET floor = 0.01;

-- ----------------------------------------------------------- customers --

CREATE TABLE pair AS
	SELECT id, format('agent%s', 1 + id / 100) AS agent, s,
		pick(s || 'at', '2026-04-27 12:00+00', '2026-05-04 12:00+00')::timestamptz AS at, pick(s || 'mode', 'realtime', 'batch', NULL) AS call_mode, maybe(s || 'named', 0.3, pick(s || 'name', 'web', 'email', 'post')) AS channel,
		jsonb_build_object('page', pick(s || 'page', 'home', 'loans', 'other'), 'hour', floor(24 * u(s || 'hour'))) AS context
	FROM generate_series(0, 9999) id, format('row %s', id) s;
INSERT INTO person SELECT id, 10 + floor(80 * u(s || 'n1')), round((100 * u(s || 'n2'))::numeric, 2), u(s || 'n3'), pick(s || 't1', 'a', 'b', 'c', 'd'), pick(s || 't2', 'web', 'email', 'post'),
	pick(s || 'z', 'Europe/Berlin', 'America/New_York', 'UTC', '+05:45'), u(s || 'b1') < 0.7, u(s || 'b2') < 0.7 FROM pair;
-- The twin without consents is known under another key.
CREATE TABLE contacts AS SELECT id, agent, xsell_id_at(at - (0.02 + 25 * u(c || 'age')) * interval '1 day') + id * 4 % 500000 + n AS decision_id, pick(c || 'product', 'p0', 'p1', 'p2', 'p3') AS product, pick(c || 'channel', 'web', 'email', 'post') AS channel,
		at, c FROM pair, generate_series(1, 3) n, format('%s contact %s', s, n) c WHERE u(c || 'there') < 0.5;
INSERT INTO xsell.contact (customer_key, decision_id, agent, product, channel)
	SELECT id + twin, array_agg(decision_id ORDER BY decision_id), array_agg(agent), array_agg(product ORDER BY decision_id), array_agg(channel ORDER BY decision_id) FROM contacts, unnest('{0,1000000}'::int[]) twin GROUP BY 1;
INSERT INTO xsell.outcome (outcome_id, decision_id, customer_key, agent, outcome, delivery, reward, occurred_at, recorded_by)
	SELECT decision_id + 5000, decision_id, id, agent, o, CASE o WHEN 'bounce' THEN 'undelivered' END, 0, xsell_decided_at(decision_id) + interval '10 minutes', 'test' FROM contacts, pick(c || 'outcome', 'click', 'bounce', 'decline', 'complaint', 'conversion') o WHERE u(c || 'answered') < 0.6
	ON CONFLICT DO NOTHING;
INSERT INTO xsell.consent (customer_key, channel, purpose, granted)
	SELECT DISTINCT ON (1, 2, 3) id + twin, pick(c || 'channel', 'web', 'email', 'post', '*'), pick(c || 'purpose', 'marketing', 'service', '*'), g
	FROM pair, generate_series(1, 2) n, format('%s consent %s', s, n) c, LATERAL (SELECT u(c || 'granted') < 0.85 AS g) g, unnest('{0,1000000}'::int[]) twin WHERE u(c || 'there') < 0.5 AND (twin = 0 OR NOT g);
ANALYZE;

-- -------------------------------------------------------------- the test --

CREATE TABLE input (v int, name text);
INSERT INTO input VALUES (0, 'none'), (1, 'n1'), (2, 'n2'), (3, 'n3'), (4, 't1'), (5, 't2'), (6, 'z'), (7, 'b1'), (8, 'b2'), (9, 'context.page'), (10, 'context.hour'), (11, 'context'), (12, 'market.vol'), (13, 'market.rate'),
	(14, 'market.mood'), (15, 'consents');
-- By policy, customer and input taken away: what is allowed
CREATE FUNCTION ranked(v int, ids int8range) RETURNS TABLE (id bigint, product text, channel text, excluded text) LANGUAGE sql AS $$
	SELECT p.id, r.product, r.channel, r.excluded FROM pair q JOIN person p USING (id), LATERAL xsell_rank(
		ROW(p.id + CASE WHEN v = 15 THEN 1000000 ELSE 0 END, CASE WHEN v <> 1 THEN n1 END, CASE WHEN v <> 2 THEN n2 END, CASE WHEN v <> 3 THEN n3 END, CASE WHEN v <> 4 THEN t1 END,
			CASE WHEN v <> 5 THEN t2 END, CASE WHEN v <> 6 THEN z END, CASE WHEN v <> 7 THEN b1 END, CASE WHEN v <> 8 THEN b2 END)::person,
		NULL, q.agent, q.channel, CASE v WHEN 9 THEN context - 'page' WHEN 10 THEN jsonb_set(context, '{hour}', 'null') WHEN 11 THEN NULL ELSE context END,
		q.call_mode, at + CASE WHEN v BETWEEN 12 AND 14 THEN v - 11 ELSE 0 END * interval '1 us') r WHERE p.id <@ ids
$$;
CREATE UNLOGGED TABLE result (id bigint, v int, product text, channel text, excluded text, allowed boolean);
DO $$
BEGIN
	FOR v IN 0 .. 15 LOOP
		INSERT INTO result SELECT r.id, v, r.product, r.channel, r.excluded, coalesce(r.excluded = 'top_n' OR r.excluded LIKE 'override:force%', true) FROM ranked(v, '[,]') r;
	END LOOP;
END $$;
CREATE INDEX ON result (v, id, product, channel);
ANALYZE result;

SELECT is((SELECT count(DISTINCT agent) FROM xsell.policy WHERE definition IS NOT NULL), 100::bigint, '100 policies');
SELECT is((SELECT count(DISTINCT (id, v)) FROM result), 10000 * 16::bigint, '10,000 customers, each ranked 16 times');
SELECT is_empty($$SELECT i.name, q.agent, r.id, r.product, r.channel, b.excluded FROM result r JOIN input i USING (v) JOIN pair q USING (id)
	LEFT JOIN result b ON b.v = 0 AND (b.id, b.product, b.channel) = (r.id, r.product, r.channel) WHERE r.v > 0 AND r.allowed AND b.allowed IS NOT TRUE ORDER BY 3 LIMIT 10$$,
	'nothing is allowed without an input that is not allowed with it');
SELECT bag_eq($$SELECT DISTINCT CASE WHEN excluded ~ '^override' THEN regexp_replace(excluded, '\d+$', '') ELSE split_part(excluded, ':', 1) END FROM result WHERE excluded IS NOT NULL$$,
	$$VALUES ('inactive'), ('held'), ('rule'), ('mode'), ('routing'), ('consent'), ('opted_out'), ('not_opted_in'), ('hours'), ('quiet'), ('cooldown'), ('cap'), ('value'), ('cost'), ('override:block'), ('override:force'), ('top_n')$$,
	'every mechanism is at work');
SELECT ok(avg(allowed::int) BETWEEN 0.1 AND 0.6, format('%s %% of the candidates are allowed', round(100 * avg(allowed::int)))) FROM result WHERE v = 0;
SELECT is_empty($$SELECT name FROM input WHERE v BETWEEN 1 AND 15 AND name NOT IN (SELECT i.name FROM result r JOIN input i USING (v)
	JOIN result b ON b.v = 0 AND (b.id, b.product, b.channel) = (r.id, r.product, r.channel) WHERE b.allowed AND NOT r.allowed GROUP BY 1 HAVING count(*) >= 10)$$,
	'taking away any input takes something away somewhere');

-- Not saying how the call is made asks for what suits both ways.
SELECT is_empty($$WITH x AS (SELECT q.id, m, r.product, r.channel, coalesce(r.excluded = 'top_n' OR r.excluded LIKE 'override:force%', true) AS allowed
	FROM pair q JOIN person p USING (id), unnest('{realtime,batch,none}'::text[]) m, LATERAL xsell_rank(p, NULL, q.agent, q.channel, context, nullif(m, 'none'), at) r
	WHERE id % 10 = 0 AND NOT EXISTS (SELECT FROM xsell.channel c WHERE c.agent = q.agent AND default_for <> '{}'))
	SELECT id, product, channel FROM x GROUP BY 1, 2, 3 HAVING bool_or(allowed AND m = 'none') AND NOT bool_and(allowed)$$,
	'a call that does not say its mode gets what either would');
-- What the fallback could offer is what a call for it would get.
UPDATE xsell.agent SET fallback = '''p2''';
SELECT is_empty($$SELECT q.id FROM pair q JOIN person p USING (id), LATERAL xsell_choose(p, '{p0}', q.agent, q.channel, context, NULL, q.call_mode) d
	WHERE d.mode = 'fallback' AND id % 10 = 1 AND NOT EXISTS (SELECT FROM xsell_rank(p, '{p2}', q.agent, q.channel, context, q.call_mode) r
		WHERE (r.product, r.channel) = (d.product, d.channel) AND (excluded IS NULL OR excluded LIKE 'override:force%'))$$, 'the fallback is allowed itself');
SELECT * FROM finish();
