-- policy.sql: every mechanism of the policy: what it excludes, when, in which order, and what xsell_why says of it (promise 3).
--
-- The clock is simulated: weeks pass between two statements.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2026-01-05 12:00+00';	-- a Monday

CREATE TABLE customer (
	id bigint PRIMARY KEY, age int, income numeric, segment text, vip boolean, pref text, tz text, mail_ok boolean,
	has_card boolean, s_card float8, s_loan float8, s_deposit float8, worth float8
);
INSERT INTO customer SELECT i, 40, 3000, 'family', true, 'email', 'Europe/Berlin', true, false, 0.3, 0.2, 0.05, 1
	FROM generate_series(1, 400) i;

INSERT INTO xsell.product (product, credit, attributes) VALUES
	('card', true, '{"group": "pay"}'), ('loan', true, '{"group": "borrow"}'), ('fund', false, '{"group": "save"}'),
	('deposit', false, '{"group": "save"}'), ('leaflet', false, '{}');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy) VALUES ('bank', 'customer', 'id', 42, 'hold', 'uniform');
INSERT INTO xsell.channel (agent, channel, observation_window) VALUES ('bank', 'web', '1 hour'), ('bank', 'email', '2 days');
INSERT INTO xsell.offer (agent, product) SELECT 'bank', product FROM xsell.product;
INSERT INTO xsell.outcome_kind (agent, outcome, reward, engagement, delivery, opt_out) VALUES
	('bank', 'click', 0.1, true, NULL, NULL), ('bank', 'bounce', 0, false, 'undelivered', NULL), ('bank', 'complaint', 0, false, NULL, NULL),
	('bank', 'unsubscribe', 0, false, NULL, 'channel'), ('bank', 'leave', 0, false, NULL, 'all');

CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS $$
	SELECT set_config('xsell.simulated_now', $1::text, false)
$$;
-- Why an arm is excluded; 'allowed', or NULL if it is no candidate
CREATE FUNCTION pg_temp.x(key bigint, product text, channel text, at timestamptz DEFAULT NULL, call_mode text DEFAULT NULL,
	named text DEFAULT NULL, context jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(w.excluded, 'allowed') FROM customer c, xsell_why(c, $2, channel => named, context => $7, call_mode => $5, at => $4) w
	 WHERE c.id = key AND w.channel = $3
$$;
-- Makes an offer at a time, and answers it; the reason if it is excluded
CREATE FUNCTION pg_temp.offer(key bigint, product text, channel text, at timestamptz, outcome text DEFAULT NULL, after interval DEFAULT '1 minute')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE d record;
BEGIN
	PERFORM pg_temp.clock(at);
	SELECT x.* INTO d FROM customer c, xsell_decide(c, ARRAY[$2], channel => $3) x WHERE c.id = key;
	IF d.product IS NULL THEN
		RETURN (SELECT excluded FROM xsell_why(d.decision_id));
	END IF;
	IF outcome IS NOT NULL THEN
		PERFORM pg_temp.clock(at + after);
		PERFORM xsell_reward(d.decision_id, outcome);
	END IF;
	RETURN 'offered';
END $$;
-- Products and channels that a decision could take
CREATE FUNCTION pg_temp.allowed(key bigint, channel text DEFAULT NULL, call_mode text DEFAULT NULL, products text[] DEFAULT NULL, context jsonb DEFAULT NULL) RETURNS text[] LANGUAGE sql AS $$
	SELECT coalesce(array_agg(r.product || '/' || r.channel ORDER BY r.product, r.channel), '{}')
	  FROM customer c, xsell_rank(c, $4, channel => $2, call_mode => $3, context => $5) r WHERE id = key AND excluded IS NULL
$$;

-- ------------------------------------------------------------ rules --

INSERT INTO xsell.rule (agent, rule, kind, product, channel, attributes, expression) VALUES
	('bank', 'a_right', 'suitability', NULL, NULL, NULL, 'age >= 18'),
	('bank', 'b_sensible', 'applicability', NULL, NULL, NULL, 'segment <> ''student'''),
	('bank', 'c_entitled', 'eligibility', NULL, NULL, NULL, 'income > 0');
UPDATE customer SET age = 17, segment = 'student', income = 0 WHERE id = 1;
SELECT is(pg_temp.x(1, 'fund', 'web'), 'rule:c_entitled', 'eligibility comes first, whatever the names');
UPDATE customer SET income = 1 WHERE id = 1;
SELECT is(pg_temp.x(1, 'fund', 'web'), 'rule:b_sensible', 'then applicability');
UPDATE customer SET segment = 'family' WHERE id = 1;
SELECT is(pg_temp.x(1, 'fund', 'web'), 'rule:a_right', 'then suitability');
UPDATE customer SET age = 18 WHERE id = 1;
SELECT is(pg_temp.x(1, 'fund', 'web'), 'allowed', 'and nobody else');
UPDATE customer SET age = CASE WHEN id <> 2 THEN 40 END, segment = CASE WHEN id <> 3 THEN 'family' END, income = CASE WHEN id <> 4 THEN 1 END WHERE id IN (2, 3, 4);
SELECT is(ARRAY[pg_temp.x(2, 'fund', 'web'), pg_temp.x(3, 'fund', 'web'), pg_temp.x(4, 'fund', 'web')], '{rule:a_right,rule:b_sensible,rule:c_entitled}', 'NULL is a condition not met');
DELETE FROM xsell.rule;
INSERT INTO xsell.rule (agent, rule, kind, product, channel, attributes, expression, valid) VALUES
	('bank', 'one', 'eligibility', 'loan', NULL, NULL, 'false', '(,)'),
	('bank', 'some', 'eligibility', NULL, NULL, '{"group": "save"}', 'false', '(,)'),
	('bank', 'mail', 'eligibility', 'card', 'email', NULL, 'false', '(,)'),
	('bank', 'winter', 'eligibility', 'leaflet', NULL, NULL, 'false', '[2026-02-01 00:00+00,2026-03-01 00:00+00)');
SELECT is(pg_temp.allowed(5), '{card/web,leaflet/email,leaflet/web}', 'a rule binds a product, products by attribute, a channel');
SELECT is(ARRAY[pg_temp.x(5, 'leaflet', 'web', '2026-01-31 23:59:59.999999+00'), pg_temp.x(5, 'leaflet', 'web', '2026-02-01 00:00+00'),
	pg_temp.x(5, 'leaflet', 'web', '2026-02-28 23:59:59.999999+00'), pg_temp.x(5, 'leaflet', 'web', '2026-03-01 00:00+00')],
	'{allowed,rule:winter,rule:winter,allowed}', 'within its time');
UPDATE xsell.rule SET attributes = '{"credit": true}', product = NULL WHERE rule = 'one';
DELETE FROM xsell.rule WHERE rule <> 'one';
SELECT is(pg_temp.allowed(5, 'web'), '{deposit/web,fund/web,leaflet/web}', 'a product''s class is an attribute too');
UPDATE xsell.rule SET attributes = NULL, expression = 'NOT product.credit OR income > 2000';
UPDATE customer SET income = 2000 WHERE id = 6;
UPDATE customer SET income = NULL WHERE id = 7;
SELECT is(pg_temp.allowed(5, 'web'), '{card/web,deposit/web,fund/web,leaflet/web,loan/web}', 'expressions read it as product.credit: enough income');
SELECT is(pg_temp.allowed(6, 'web'), '{deposit/web,fund/web,leaflet/web}', 'not enough');
SELECT is(pg_temp.allowed(7, 'web'), '{deposit/web,fund/web,leaflet/web}', 'unknown');
DELETE FROM xsell.rule;
SELECT throws_ok($$INSERT INTO xsell.product (product) VALUES ('x')$$, '23502', NULL, 'a product without a class is refused');
UPDATE xsell.offer SET valid = '[2026-02-01 00:00+00,2026-03-01 00:00+00)' WHERE product = 'fund';
UPDATE xsell.offer SET active = false WHERE product = 'loan';
UPDATE xsell.offer SET held = 'has_card' WHERE product = 'card';
UPDATE customer SET has_card = true WHERE id = 6;
UPDATE customer SET has_card = NULL WHERE id = 7;
SELECT is(ARRAY[pg_temp.x(5, 'fund', 'web'), pg_temp.x(5, 'fund', 'web', '2026-02-01 00:00+00'), pg_temp.x(5, 'fund', 'web', '2026-03-01 00:00+00'), pg_temp.x(5, 'loan', 'web')],
	'{inactive,allowed,inactive,inactive}', 'an offer outside its time, and one that is switched off, is inactive');
SELECT is(ARRAY[pg_temp.x(5, 'card', 'web'), pg_temp.x(6, 'card', 'web'), pg_temp.x(7, 'card', 'web')], '{allowed,held,held}', 'held, or not known whether held');
UPDATE xsell.offer SET valid = '(,)', active = true, held = NULL;

-- ------------------------------------------------- order of the checks --

-- Everything is wrong with the card by email; then one thing after another is put right.
UPDATE customer SET has_card = true, pref = 'web', mail_ok = false, tz = 'Europe/Berlin', worth = NULL WHERE id = 10;
INSERT INTO xsell.cooldown (agent, cooldown, lasts) VALUES ('bank', 'declined', '60 days');
SELECT is(pg_temp.offer(10, 'card', 'email', '2026-01-02 12:00+00', 'decline'), 'offered', 'an offer declined');
SELECT is(pg_temp.offer(10, 'fund', 'email', '2026-01-02 13:00+00'), 'offered', 'and one ignored');
INSERT INTO xsell.consent (customer_key, channel, purpose, granted) VALUES (10, 'email', 'marketing', false);
INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES ('bank', 'never', 'suitability', 'card', 'age > 100');
INSERT INTO xsell.quiet (agent, quiet, after_ignored, pause) VALUES ('bank', 'ignored', 1, '60 days');
INSERT INTO xsell.cap (agent, cap, max_offers, per) VALUES ('bank', 'none', 0, '1 day');
INSERT INTO xsell.override (agent, override, action, product, reason, expires) VALUES ('bank', 'stop', 'block', 'card', 'test', '2027-01-01');
UPDATE xsell.channel SET modes = '{batch}', consent = 'mail_ok', opt_in = true, quiet_from = '20:00', quiet_until = '08:00', time_zone = 'tz' WHERE channel = 'email';
UPDATE xsell.agent SET routing = 'pref', top_n = 1;
UPDATE xsell.offer SET active = product <> 'card', held = 'has_card', value = 'worth', cost = 'worth', propensity = CASE product WHEN 'fund' THEN '1' ELSE '0' END;
CREATE TABLE reasons (n serial, reason text);
CREATE FUNCTION pg_temp.next(change text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO reasons (reason) VALUES (pg_temp.x(10, 'card', 'email', '2026-01-06 03:00+00', CASE WHEN (SELECT count(*) FROM reasons) < 4 THEN 'realtime' ELSE 'batch' END));
	EXECUTE change;
END $$;
DO $$ BEGIN
	PERFORM pg_temp.next('UPDATE xsell.offer SET active = true');
	PERFORM pg_temp.next('UPDATE customer SET has_card = false WHERE id = 10');
	PERFORM pg_temp.next('DELETE FROM xsell.rule');
	PERFORM pg_temp.next('SELECT');
	PERFORM pg_temp.next('UPDATE customer SET pref = ''email'' WHERE id = 10');
	PERFORM pg_temp.next('UPDATE customer SET mail_ok = true WHERE id = 10');
	PERFORM pg_temp.next('DELETE FROM xsell.consent');
	PERFORM pg_temp.next('INSERT INTO xsell.consent (customer_key, channel, purpose, granted) VALUES (10, ''email'', ''marketing'', true)');
	PERFORM pg_temp.next('UPDATE customer SET tz = ''America/Los_Angeles'' WHERE id = 10');
	PERFORM pg_temp.next('DELETE FROM xsell.quiet');
	PERFORM pg_temp.next('DELETE FROM xsell.cooldown');
	PERFORM pg_temp.next('DELETE FROM xsell.cap');
	PERFORM pg_temp.next('UPDATE xsell.offer SET value = NULL');
	PERFORM pg_temp.next('UPDATE xsell.offer SET cost = NULL');
	PERFORM pg_temp.next('DELETE FROM xsell.override');
	PERFORM pg_temp.next('UPDATE xsell.agent SET top_n = NULL');
	PERFORM pg_temp.next('SELECT');
END $$;
SELECT is((SELECT array_agg(reason ORDER BY n) FROM reasons), '{inactive,held,rule:never,mode,routing,consent,opted_out,not_opted_in,hours,quiet:ignored,cooldown:declined,cap:none,value,cost,override:stop,top_n,allowed}',
	'the first reason, in this order');
UPDATE xsell.channel SET modes = '{realtime,batch}', consent = NULL, opt_in = false, quiet_from = NULL, quiet_until = NULL, time_zone = NULL;
UPDATE xsell.agent SET routing = NULL;
UPDATE xsell.offer SET held = NULL, propensity = NULL;
TRUNCATE xsell.consent;

-- ------------------------------------------- channels, modes and consent --

UPDATE xsell.channel SET modes = '{batch}' WHERE channel = 'email';
SELECT is(pg_temp.allowed(20, call_mode => 'batch', products => '{fund}'), '{fund/email,fund/web}', 'without a channel named, the agent chooses among those of the mode');
SELECT is(pg_temp.allowed(20, call_mode => 'realtime', products => '{fund}'), '{fund/web}', 'realtime');
SELECT is(pg_temp.x(20, 'fund', 'email', call_mode => 'realtime'), 'mode', 'the other has the wrong mode');
SELECT is(pg_temp.allowed(20, products => '{fund}'), '{fund/web}', 'a call that does not say its mode has the channels for both');
SELECT is(pg_temp.allowed(20, 'email', 'batch', '{fund}'), '{fund/email}', 'a channel that is named is the one');
SELECT is(pg_temp.x(20, 'fund', 'web', call_mode => 'batch', named => 'email'), NULL, 'others are no candidates then');
SELECT is(pg_temp.allowed(20, 'email', 'realtime', '{fund}'), '{}', 'naming it does not change what it is for');
UPDATE xsell.channel SET modes = '{realtime,batch}', default_for = CASE channel WHEN 'email' THEN '{batch}' ELSE '{realtime}' END::text[];
SELECT is(pg_temp.allowed(20, call_mode => 'batch', products => '{fund}'), '{fund/email}', 'the default channel of the mode');
SELECT is(pg_temp.x(20, 'fund', 'web', call_mode => 'batch'), 'routing', 'others are excluded by routing');
SELECT is(pg_temp.allowed(20, 'web', 'batch', '{fund}'), '{fund/web}', 'unless named');
SELECT is(pg_temp.allowed(20, products => '{fund}'), '{fund/email,fund/web}', 'a call without mode has no default');
UPDATE xsell.channel SET default_for = '{batch}';
SELECT is(pg_temp.allowed(20, call_mode => 'batch', products => '{fund}'), '{fund/email,fund/web}', 'among several defaults the agent chooses');
UPDATE xsell.channel SET default_for = CASE channel WHEN 'email' THEN '{batch}' ELSE '{realtime}' END::text[];
UPDATE xsell.agent SET routing = 'pref';
UPDATE customer SET pref = 'web' WHERE id = 21;
UPDATE customer SET pref = NULL WHERE id = 22;
SELECT is(ARRAY[pg_temp.allowed(20, products => '{fund}'), pg_temp.allowed(21, call_mode => 'batch', products => '{fund}')], '{{fund/email},{fund/web}}', 'the customer''s preference goes before the default');
SELECT is(pg_temp.allowed(22, call_mode => 'batch'), '{}', 'where it is not known, nothing is offered');
SELECT is(pg_temp.x(22, 'fund', 'email', call_mode => 'batch'), 'routing', 'for that reason');
SELECT is(pg_temp.allowed(22, 'web', 'batch', '{fund}'), '{fund/web}', 'but through a channel that is named');
SELECT is(d.channel, 'web', 'and so it is decided') FROM customer c, xsell_decide(c, '{fund}', call_mode => 'batch') d WHERE id = 21;
UPDATE xsell.agent SET routing = NULL;
UPDATE xsell.channel SET default_for = '{}';

UPDATE xsell.channel SET consent = 'mail_ok AND product.product <> ''loan''' WHERE channel = 'email';
UPDATE customer SET mail_ok = false WHERE id = 23;
UPDATE customer SET mail_ok = NULL WHERE id = 24;
SELECT is(ARRAY[pg_temp.x(22, 'fund', 'email'), pg_temp.x(22, 'loan', 'email'), pg_temp.x(23, 'fund', 'email'), pg_temp.x(24, 'fund', 'email'), pg_temp.x(24, 'fund', 'web')],
	'{allowed,consent,consent,consent,allowed}', 'a consent that is refused or unknown closes its channel');
UPDATE xsell.channel SET consent = NULL, purpose = CASE channel WHEN 'web' THEN 'service' ELSE 'marketing' END;
INSERT INTO xsell.consent (customer_key, channel, purpose, granted) VALUES
	(30, 'email', 'marketing', false), (31, 'email', 'service', false), (32, '*', 'marketing', false), (33, 'email', '*', false), (34, '*', '*', false),
	(35, '*', '*', false), (35, 'web', 'service', true), (36, '*', '*', true), (36, 'web', '*', false), (37, '*', 'marketing', true);
CREATE TABLE consents AS SELECT id, channel, optin, NULL::text AS x FROM generate_series(30, 38) id, unnest('{email,web}'::text[]) channel, unnest('{f,t}'::bool[]) optin;
UPDATE consents SET x = pg_temp.x(id, 'fund', channel) WHERE NOT optin;
UPDATE xsell.channel SET opt_in = true;
UPDATE consents SET x = pg_temp.x(id, 'fund', channel) WHERE optin;
SELECT results_eq($$SELECT id, string_agg(x, ' ' ORDER BY optin, channel) FROM consents GROUP BY id ORDER BY id$$, $$VALUES
	(30, 'opted_out allowed opted_out not_opted_in'), (31, 'allowed allowed not_opted_in not_opted_in'), (32, 'opted_out allowed opted_out not_opted_in'),
	(33, 'opted_out allowed opted_out not_opted_in'), (34, 'opted_out opted_out opted_out opted_out'), (35, 'opted_out opted_out opted_out opted_out'),
	(36, 'allowed opted_out allowed opted_out'), (37, 'allowed allowed allowed not_opted_in'), (38, 'allowed allowed not_opted_in not_opted_in')$$,
	'consents by channel and purpose, with wildcards; a refusal binds whatever else is granted; opt_in needs a row that grants');
UPDATE xsell.channel SET opt_in = false, purpose = 'marketing';
SELECT is(ARRAY[pg_temp.offer(40, 'fund', 'email', '2026-01-10 12:00+00', 'unsubscribe'), pg_temp.offer(40, 'card', 'email', '2026-01-10 12:01+00'), pg_temp.offer(40, 'card', 'web', '2026-01-10 12:01+00')],
	'{offered,opted_out,offered}', 'an opt-out of a channel binds the very next call, for this channel');
SELECT is(ARRAY[pg_temp.offer(41, 'fund', 'email', '2026-01-10 12:00+00', 'leave'), pg_temp.offer(41, 'card', 'email', '2026-01-10 12:01+00'), pg_temp.offer(41, 'card', 'web', '2026-01-10 12:01+00')],
	'{offered,opted_out,opted_out}', 'an opt-out of all, for all');
SELECT results_eq($$SELECT s.customer_key, s.channel, s.purpose, s.granted, xsell_decided_at(s.decision_id) FROM xsell.consent s WHERE s.decision_id IS NOT NULL ORDER BY 1$$,
	$$VALUES (40::bigint, 'email', 'marketing', false, timestamptz '2026-01-10 12:00+00'), (41, '*', 'marketing', false, '2026-01-10 12:00+00')$$, 'with the offer that it came from');
UPDATE xsell.consent SET granted = true WHERE customer_key = 40;
SELECT is(pg_temp.x(40, 'card', 'email'), 'allowed', 'who consents again is reached again');

-- ------------------------------------------------------------------- caps --

-- On different customers, so that the caps do not mix
INSERT INTO xsell.cap (agent, cap, product, attributes, channel, max_offers, per) VALUES
	('bank', 'fund', 'fund', NULL, NULL, 1, '10 days'), ('bank', 'save', NULL, '{"group": "save"}', NULL, 2, '20 days'),
	('bank', 'mail', NULL, NULL, 'email', 3, '30 days'), ('bank', 'all', NULL, NULL, NULL, 5, '40 days');
SELECT is(ARRAY[pg_temp.offer(50, 'fund', 'web', '2026-02-01 12:00+00'), pg_temp.offer(50, 'fund', 'email', '2026-02-11 11:59:59.999+00'), pg_temp.offer(50, 'fund', 'email', '2026-02-11 12:00+00'),
	pg_temp.offer(50, 'fund', 'web', '2026-02-21 11:59+00')], '{offered,cap:fund,offered,cap:fund}', 'a cap on a product, through all channels, in a sliding period');
SELECT is(ARRAY[pg_temp.x(50, 'deposit', 'web', '2026-02-21 11:59:59.998+00'), pg_temp.x(50, 'deposit', 'web', '2026-02-21 12:00+00'), pg_temp.x(50, 'card', 'web', '2026-02-20 12:00+00')],
	'{cap:save,allowed,allowed}', 'a cap on products of one kind together');
SELECT is(ARRAY[pg_temp.offer(51, 'card', 'email', '2026-02-01 12:00+00'), pg_temp.offer(51, 'card', 'email', '2026-02-02 12:00+00'), pg_temp.offer(51, 'loan', 'email', '2026-02-03 12:00+00'),
	pg_temp.offer(51, 'leaflet', 'email', '2026-02-04 12:00+00'), pg_temp.offer(51, 'leaflet', 'web', '2026-02-04 12:00+00'), pg_temp.offer(51, 'leaflet', 'web', '2026-02-05 12:00+00'),
	pg_temp.offer(51, 'leaflet', 'web', '2026-02-06 12:00+00'), pg_temp.offer(51, 'leaflet', 'email', '2026-02-06 12:00+00'), pg_temp.offer(51, 'leaflet', 'web', '2026-03-13 12:00+00')],
	'{offered,offered,offered,cap:mail,offered,offered,cap:all,cap:all,offered}', 'a cap on a channel, and one over everything');
SELECT is(pg_temp.x(52, 'fund', 'web'), 'allowed', 'each customer has his own');
DELETE FROM xsell.cap;

-- "max 1 offer/week per channel unless customer engages"
INSERT INTO xsell.cap (agent, cap, channel, max_offers, per, engaged) VALUES ('bank', 'weekly_web', 'web', 1, '7 days', 'reset'), ('bank', 'weekly_email', 'email', 1, '7 days', 'reset');
SELECT is(ARRAY[pg_temp.offer(60, 'fund', 'web', '2026-03-02 09:00+00'), pg_temp.offer(60, 'card', 'web', '2026-03-04 09:00+00'), pg_temp.offer(60, 'card', 'email', '2026-03-04 09:00+00'),
	pg_temp.offer(60, 'card', 'web', '2026-03-09 08:59+00'), pg_temp.offer(60, 'card', 'web', '2026-03-09 09:00+00')], '{offered,cap:weekly_web,offered,cap:weekly_web,offered}',
	'max 1 offer/week per channel');
SELECT is(ARRAY[pg_temp.offer(61, 'fund', 'web', '2026-03-02 09:00+00', 'click'), pg_temp.offer(61, 'card', 'web', '2026-03-02 09:02+00'), pg_temp.offer(61, 'card', 'web', '2026-03-02 09:03+00')],
	'{offered,offered,cap:weekly_web}', 'unless customer engages: another is allowed, and that one counts');
SELECT is(ARRAY[pg_temp.offer(62, 'fund', 'web', '2026-03-02 09:00+00', 'conversion'), pg_temp.offer(62, 'card', 'web', '2026-03-02 09:02+00', 'decline'), pg_temp.offer(62, 'card', 'web', '2026-03-02 09:04+00'),
	pg_temp.offer(62, 'fund', 'email', '2026-03-02 09:05+00', 'complaint'), pg_temp.offer(62, 'card', 'email', '2026-03-02 09:07+00')],
	'{offered,offered,cap:weekly_web,offered,cap:weekly_email}', 'a conversion engages; a decline, or an outcome that is not said to, does not');
SELECT is(ARRAY[pg_temp.offer(63, 'fund', 'web', '2026-03-02 09:00+00', 'click'), pg_temp.offer(63, 'fund', 'email', '2026-03-02 09:02+00'), pg_temp.offer(63, 'card', 'email', '2026-03-02 09:03+00')],
	'{offered,offered,cap:weekly_email}', 'engaging on one channel frees no other');
SELECT is(ARRAY[pg_temp.offer(64, 'fund', 'web', '2026-03-02 09:00+00', 'click', '1 day'), pg_temp.offer(64, 'card', 'web', '2026-03-03 09:00+00'), pg_temp.offer(64, 'loan', 'web', '2026-03-03 09:00+00')],
	'{offered,offered,cap:weekly_web}', 'also if all is in one moment: the order counts');
-- engagement that is dated into the future does not open the cap
SELECT is(pg_temp.offer(65, 'fund', 'web', '2026-03-02 09:00+00'), 'offered', 'an offer');
SELECT xsell_reward(max(decision_id), 'click', occurred_at => '2026-03-02 09:00:50+00') FROM xsell.decision WHERE customer_key = 65 \g /dev/null
SELECT is(ARRAY[pg_temp.offer(65, 'fund', 'web', '2026-03-02 09:00:10+00'), pg_temp.offer(65, 'card', 'web', '2026-03-02 09:00:20+00')], '{offered,cap:weekly_web}', 'a wrong clock of the channel does not lift the cap');
-- late news of an engagement frees what was offered before it only
SELECT is(ARRAY[pg_temp.offer(66, 'fund', 'email', '2026-03-01 09:00+00'), pg_temp.offer(66, 'fund', 'web', '2026-03-02 09:00+00')], '{offered,offered}', 'two offers');
UPDATE xsell.cap SET max_offers = 2, channel = NULL WHERE cap = 'weekly_web';
DELETE FROM xsell.cap WHERE cap <> 'weekly_web';
SELECT pg_temp.clock('2026-03-03 09:00+00') \g /dev/null
SELECT xsell_reward(min(decision_id), 'click', occurred_at => '2026-03-01 12:00+00') FROM xsell.decision WHERE customer_key = 66 \g /dev/null
SELECT is(ARRAY[pg_temp.offer(66, 'card', 'web', '2026-03-03 09:01+00'), pg_temp.offer(66, 'loan', 'web', '2026-03-03 09:02+00')], '{offered,cap:weekly_web}', 'late news of an engagement frees what was offered before it');
UPDATE xsell.cap SET max_offers = 1, engaged = 'relax', relaxed_offers = 3;
SELECT is(ARRAY[pg_temp.offer(67, 'fund', 'web', '2026-03-02 09:00+00', 'click'), pg_temp.offer(67, 'card', 'web', '2026-03-03 09:00+00'), pg_temp.offer(67, 'card', 'email', '2026-03-04 09:00+00'),
	pg_temp.offer(67, 'loan', 'web', '2026-03-05 09:00+00'), pg_temp.offer(67, 'loan', 'web', '2026-03-09 09:00+00')], '{offered,offered,offered,cap:weekly_web,cap:weekly_web}',
	'relax: more are allowed while an engagement is within the period');
UPDATE xsell.cap SET engaged = NULL, relaxed_offers = NULL;
SELECT is(ARRAY[pg_temp.offer(68, 'fund', 'web', '2026-03-02 09:00+00', 'click'), pg_temp.offer(68, 'card', 'web', '2026-03-03 09:00+00')], '{offered,cap:weekly_web}', 'else engagement changes nothing');
SELECT is(ARRAY[pg_temp.offer(69, 'fund', 'web', '2026-03-02 09:00+00', 'bounce'), pg_temp.offer(69, 'card', 'web', '2026-03-03 09:00+00'), pg_temp.offer(69, 'card', 'web', '2026-03-03 09:00+00')],
	'{offered,offered,cap:weekly_web}', 'an offer that was not delivered uses up no cap');
DELETE FROM xsell.cap;

-- ----------------------------------------------------------------- quiet --

-- "ignored the last 5 offers"
INSERT INTO xsell.quiet (agent, quiet, after_ignored, pause) VALUES ('bank', 'ignored', 5, '30 days');
CREATE FUNCTION pg_temp.offers(key bigint, n int, channel text, start timestamptz, outcome text DEFAULT NULL) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE r text[];
BEGIN
	FOR i IN 0 .. n - 1 LOOP
		r := r || pg_temp.offer(key, 'fund', channel, start + i * interval '1 day', outcome);
	END LOOP;
	RETURN r;
END $$;
SELECT is(pg_temp.offers(70, 6, 'web', '2026-04-01 12:00+00'), '{offered,offered,offered,offered,offered,quiet:ignored}', 'ignored the last 5 offers: a pause');
SELECT is(ARRAY[pg_temp.x(70, 'card', 'email', '2026-05-05 11:59+00'), pg_temp.x(70, 'card', 'web', '2026-05-05 12:00+00')], '{quiet:ignored,allowed}', 'for every product and channel, until it ends by itself');
SELECT is(ARRAY[pg_temp.x(70, 'card', 'web', '2026-04-05 12:59:59.999+00'), pg_temp.x(70, 'card', 'web', '2026-04-05 13:00+00')], '{allowed,quiet:ignored}', 'the fifth counts once its window has ended');
SELECT is(pg_temp.offers(71, 5, 'email', '2026-04-01 12:00+00') || pg_temp.offer(71, 'fund', 'email', '2026-04-06 12:00+00') || pg_temp.offer(71, 'fund', 'email', '2026-04-07 12:00+00'),
	'{offered,offered,offered,offered,offered,offered,quiet:ignored}', 'an offer whose window is open is not ignored');
SELECT is(pg_temp.offers(72, 4, 'web', '2026-04-01 12:00+00') || pg_temp.offer(72, 'fund', 'web', '2026-04-05 12:00+00', 'decline') || pg_temp.offers(72, 6, 'web', '2026-04-06 12:00+00'),
	'{offered,offered,offered,offered,offered,offered,offered,offered,offered,offered,quiet:ignored}', 'one that was answered breaks the row, with whatever outcome');
SELECT is(pg_temp.offers(73, 5, 'web', '2026-04-01 12:00+00'), '{offered,offered,offered,offered,offered}', 'five more');
SELECT xsell_reward(min(decision_id), 'click') FROM xsell.decision WHERE customer_key = 73 \g /dev/null
SELECT is(pg_temp.x(73, 'fund', 'web', '2026-04-06 12:00+00'), 'allowed', 'an answer that comes late breaks it too');
SELECT is(pg_temp.offers(74, 4, 'web', '2026-04-01 12:00+00') || pg_temp.offer(74, 'fund', 'web', '2026-04-05 12:00+00', 'bounce') || pg_temp.offers(74, 2, 'web', '2026-04-06 12:00+00'),
	'{offered,offered,offered,offered,offered,offered,quiet:ignored}', 'one that was not delivered is neither ignored nor an answer');
SELECT is(pg_temp.offer(70, 'fund', 'web', '2026-05-05 12:00+00') || ' ' || pg_temp.x(70, 'fund', 'web', '2026-05-05 12:30+00') || ' ' || pg_temp.x(70, 'fund', 'web', '2026-05-05 13:00+00'),
	'offered allowed quiet:ignored', 'after the pause one more chance; ignored, it begins anew');
UPDATE xsell.quiet SET channel = 'web';
SELECT is(pg_temp.offers(75, 4, 'web', '2026-04-01 12:00+00') || pg_temp.offer(75, 'fund', 'email', '2026-04-05 12:00+00') || pg_temp.offers(75, 2, 'web', '2026-04-08 12:00+00') || pg_temp.offer(75, 'fund', 'email', '2026-04-09 14:00+00'),
	'{offered,offered,offered,offered,offered,offered,quiet:ignored,offered}', 'of one channel: its offers count, and pause');
DELETE FROM xsell.quiet;

-- ------------------------------------------------------------- cool-down --

INSERT INTO xsell.cooldown (agent, cooldown, lasts) VALUES ('bank', 'declined', '60 days');
INSERT INTO xsell.cooldown (agent, cooldown, product, outcome, lasts) VALUES ('bank', 'annoyed', 'loan', 'complaint', '1 year'), ('bank', 'bounced', NULL, 'bounce', '3 days');
SELECT is(ARRAY[pg_temp.offer(80, 'fund', 'web', '2026-06-01 12:00+00', 'decline', '2 hours'), pg_temp.x(80, 'fund', 'email'), pg_temp.x(80, 'card', 'web'),
	pg_temp.x(80, 'fund', 'web', '2026-07-31 13:59:59+00'), pg_temp.x(80, 'fund', 'web', '2026-07-31 14:00+00')],
	'{offered,cooldown:declined,allowed,cooldown:declined,allowed}', 'after a decline its product rests, on every channel, from the outcome on');
SELECT is(ARRAY[pg_temp.offer(81, 'loan', 'web', '2026-06-01 12:00+00', 'complaint'), pg_temp.x(81, 'loan', 'web', '2027-06-01 12:00+00'), pg_temp.x(81, 'loan', 'web', '2027-06-01 12:01+00'),
	pg_temp.offer(81, 'fund', 'web', '2026-06-02 12:00+00', 'complaint'), pg_temp.x(81, 'fund', 'web')], '{offered,cooldown:annoyed,allowed,offered,allowed}', 'after an outcome of the bank''s own, of one product');
SELECT is(ARRAY[pg_temp.offer(82, 'loan', 'web', '2026-06-01 12:00+00', 'conversion'), pg_temp.x(82, 'loan', 'web'), pg_temp.offer(82, 'fund', 'email', '2026-06-02 12:00+00', 'bounce'), pg_temp.x(82, 'fund', 'email'), pg_temp.x(82, 'fund', 'email', '2026-06-06 12:00+00')],
	'{offered,allowed,offered,cooldown:bounced,allowed}', 'not after others; also after one that says it was not delivered');
SELECT is(pg_temp.offer(80, 'card', 'web', '2026-07-01 12:00+00') || ' ' || pg_temp.x(80, 'fund', 'web'), 'offered cooldown:declined', 'later offers do not make it forgotten');
DELETE FROM xsell.cooldown;

-- ----------------------------------------------------------- quiet hours --

UPDATE xsell.channel SET quiet_from = '22:00', quiet_until = '08:00', time_zone = 'tz' WHERE channel = 'email';
UPDATE customer SET tz = 'America/New_York' WHERE id = 91;
UPDATE customer SET tz = NULL WHERE id = 92;
UPDATE customer SET tz = '+05:45' WHERE id = 93;
CREATE FUNCTION pg_temp.hours(key bigint, VARIADIC at timestamptz[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(pg_temp.x(key, 'fund', 'email', a), ' ' ORDER BY n) FROM unnest(at) WITH ORDINALITY u (a, n)
$$;
SELECT is(pg_temp.hours(90, '2026-01-15 20:59:59.999999+00', '2026-01-15 21:00+00', '2026-01-15 23:30+00', '2026-01-16 06:59:59.999999+00', '2026-01-16 07:00+00'),
	'allowed hours hours hours allowed', 'quiet hours over midnight, in the customer''s time zone');
SELECT is(pg_temp.hours(91, '2026-01-15 21:00+00', '2026-01-16 03:00+00', '2026-01-16 12:59+00', '2026-01-16 13:00+00'), 'allowed hours hours allowed', 'another''s');
SELECT is(pg_temp.hours(92, '2026-01-15 12:00+00', '2026-01-15 23:00+00'), 'hours hours', 'whose time zone is not known has none');
SELECT is(pg_temp.x(92, 'fund', 'web', '2026-01-15 23:00+00'), 'allowed', 'but other channels');
SELECT is(pg_temp.hours(90, '2026-03-28 06:30+00', '2026-03-29 05:59+00', '2026-03-29 06:00+00', '2026-10-24 06:00+00', '2026-10-25 06:00+00', '2026-10-25 07:00+00'),
	'hours hours allowed allowed hours allowed', 'summer time begins and ends');
UPDATE xsell.channel SET quiet_from = '02:00', quiet_until = '03:00' WHERE channel = 'email';
SELECT is(pg_temp.hours(90, '2026-03-29 00:59+00', '2026-03-29 01:00+00', '2026-10-25 00:30+00', '2026-10-25 01:30+00', '2026-10-25 02:00+00'), 'allowed allowed hours hours allowed',
	'an hour that does not exist, and one that comes twice');
UPDATE xsell.channel SET time_zone = NULL WHERE channel = 'email';
SELECT is(pg_temp.hours(92, '2026-01-15 01:59+00', '2026-01-15 02:00+00', '2026-01-15 02:59+00', '2026-01-15 03:00+00'), 'allowed hours hours allowed', 'UTC without a time zone, and hours within a day');
UPDATE xsell.channel SET quiet_from = '00:00', quiet_until = '24:00' WHERE channel = 'email';
SELECT is(pg_temp.hours(92, '2026-01-15 00:00+00', '2026-01-15 12:00+00', '2026-01-15 23:59:59.999999+00'), 'hours hours hours', 'all day');
UPDATE xsell.channel SET quiet_from = NULL, quiet_until = NULL;

-- ---------------------------------------------------------------- market --

SELECT pg_temp.clock('2026-08-03 12:00+00') \g /dev/null
INSERT INTO xsell.market (indicator, since, value) VALUES
	('market_volatility_index_high', '2026-07-01', 'false'), ('market_volatility_index_high', '2026-09-01', 'true'), ('market_volatility_index_high', '2026-10-01', 'null'),
	('rate', '2026-07-01', '3.25'), ('rate', '2026-09-01', '4'), ('outlook', '2026-07-01', '"calm"'), ('outlook', '2026-09-01', '"wild"'), ('later', '2026-09-01', 'true');
INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES
	('bank', 'calm', 'suitability', 'fund', 'NOT market.market_volatility_index_high'), ('bank', 'cheap', 'suitability', 'loan', 'market.rate < 4'),
	('bank', 'mood', 'suitability', 'deposit', 'market.outlook = ''wild'''), ('bank', 'start', 'suitability', 'card', 'market.later');
CREATE FUNCTION pg_temp.market(at timestamptz DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(pg_temp.x(100, p, 'web', $1), ' ' ORDER BY p) FROM unnest('{card,deposit,fund,loan}'::text[]) p
$$;
SELECT is(pg_temp.market(), 'rule:start rule:mood allowed allowed', 'indicators: boolean, number, text; before its first row one is unknown, which fails');
SELECT is(pg_temp.market('2026-08-31 23:59:59.999999+00'), 'rule:start rule:mood allowed allowed', 'until the last moment');
SELECT is(pg_temp.market('2026-09-01'), 'allowed allowed rule:calm rule:cheap', 'a row of the future holds from its time on');
SELECT is((SELECT count(*) FROM xsell.policy), max(policy_version)::bigint, 'every policy version is there') FROM xsell.policy;
SELECT pg_temp.clock('2026-09-01 00:00+00') \g /dev/null
SELECT is(pg_temp.market(), 'allowed allowed rule:calm rule:cheap', 'without any statement, as the clock goes');
SELECT is(pg_temp.market('2026-10-01'), 'allowed allowed rule:calm rule:cheap', 'null is unknown, which fails');
SELECT is(pg_temp.market('2026-06-30'), 'rule:start rule:mood rule:calm rule:cheap', 'and so is the time before');
SELECT results_eq($$SELECT product, excluded, expression, reads FROM customer c, xsell_why(c, channel => 'web') WHERE id = 100 AND excluded IS NOT NULL$$,
	$$VALUES ('fund', 'rule:calm', 'NOT market.market_volatility_index_high', jsonb '{"market.market_volatility_index_high": "t"}'), ('loan', 'rule:cheap', 'market.rate < 4', '{"market.rate": "4"}')$$,
	'xsell_why tells what was read of the market');
DELETE FROM xsell.rule;
SELECT throws_ok($$INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('bank', 'r', 'suitability', 'market.unheard > 1')$$, '42703', 'there is no market indicator "unheard"', 'an indicator that does not exist');
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('bank', 'r', 'suitability', 'market.rate < 10');
SELECT throws_ok($$INSERT INTO xsell.market VALUES ('rate', '2026-09-02', '"high"')$$, '42804', 'market indicator "rate" has values of different types', 'values of different types');
SELECT throws_ok($$INSERT INTO xsell.market VALUES ('rate', '2026-09-02', '[1]')$$, '23514', NULL, 'or of none that an expression could read');
SELECT throws_ok($$DELETE FROM xsell.market WHERE indicator = 'rate'$$, '42703', 'there is no market indicator "rate"', 'an indicator that is read stays');
DELETE FROM xsell.rule;

-- The agent learns that the card sells in one regime, the fund in the other.
CREATE TABLE investor AS SELECT * FROM customer WHERE false;
INSERT INTO investor (id) SELECT generate_series(10001, 11600);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy) VALUES ('desk', 'investor', 'id', 7, 'deferred', 'uniform');
INSERT INTO xsell.channel (agent, channel) VALUES ('desk', 'web');
INSERT INTO xsell.offer (agent, product) VALUES ('desk', 'card'), ('desk', 'fund');
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('desk', 'volatile', 'market.market_volatility_index_high');
CREATE FUNCTION pg_temp.regime(at timestamptz, seller text, first bigint, last bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.clock(at);
	PERFORM d.decision_id FROM investor i, xsell_decide(i) d WHERE id BETWEEN first AND last;
	PERFORM pg_temp.clock(at + interval '1 minute');
	PERFORM xsell_reward(decision_id, 'conversion') FROM xsell.decision
	 WHERE agent = 'desk' AND customer_key BETWEEN first AND last AND product = seller AND customer_key % 3 = 0;
END $$;
SELECT pg_temp.regime('2026-08-10 12:00+00', 'fund', 10001, 10800) \g /dev/null
SELECT pg_temp.regime('2026-09-10 12:00+00', 'card', 10801, 11600) \g /dev/null
SELECT pg_temp.clock('2026-09-10 14:00+00') \g /dev/null
SELECT xsell_learn() \g /dev/null
UPDATE xsell.agent SET strategy = 'thompson' WHERE agent = 'desk';
CREATE FUNCTION pg_temp.card(at timestamptz DEFAULT NULL) RETURNS float8 LANGUAGE sql AS $$
	SELECT probability FROM investor i, xsell_rank(i, at => $1) WHERE id = 10001 AND product = 'card'
$$;
SELECT ok(pg_temp.card('2026-08-20') < 0.05 AND pg_temp.card('2026-09-20') > 0.95, format('two regimes, two behaviours learned: %s and %s', pg_temp.card('2026-08-20'), pg_temp.card('2026-09-20')));
SELECT is(pg_temp.card(), pg_temp.card('2026-09-20'), 'now it is the second');
SELECT is_empty($$SELECT r FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE agent = 'desk' AND NOT r.identical$$, 'all replayed');
DELETE FROM xsell.agent WHERE agent = 'desk';

-- --------------------------------------------------------------- context --

INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES ('bank', 'page', 'applicability', 'fund', 'context.page = ''savings'''), ('bank', 'day', 'applicability', 'card', '(context.hour)::int BETWEEN 8 AND 20');
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'hour', '(context.hour)::int');
SELECT is(ARRAY[pg_temp.x(110, 'fund', 'web', context => '{"page": "savings"}'), pg_temp.x(110, 'fund', 'web', context => '{"page": "loans"}'), pg_temp.x(110, 'fund', 'web', context => '{"page": null}'),
	pg_temp.x(110, 'fund', 'web', context => '{}'), pg_temp.x(110, 'fund', 'web')], '{allowed,rule:page,rule:page,rule:page,rule:page}', 'rules read the call''s context; what is missing fails');
SELECT is(ARRAY[pg_temp.x(110, 'card', 'web', context => '{"hour": 9}'), pg_temp.x(110, 'card', 'web', context => '{"hour": "21"}')], '{allowed,rule:day}', 'numbers too');
SELECT results_eq($$SELECT expression, reads FROM customer c, xsell_why(c, 'fund', channel => 'web', context => '{"page": "loans", "hour": 3}') WHERE id = 110$$,
	$$VALUES ('context.page = ''savings''', jsonb '{"context.page": "loans"}')$$, 'xsell_why tells what was read of it');
SELECT pg_temp.clock('2026-09-11 12:00+00') \g /dev/null
SELECT is(d.product, 'fund', 'decided in context') FROM customer c, xsell_decide(c, '{fund}', channel => 'web', context => '{"page": "savings", "hour": 2}') d WHERE id = 110;
SELECT is(features[2], 2::real, 'which is a feature') FROM xsell.decision WHERE customer_key = 110;
SELECT throws_ok($$SELECT FROM customer c, xsell_decide(c, context => '[]')$$, '22023', 'context must be a JSON object', 'a context that is none');
DELETE FROM xsell.rule;
DELETE FROM xsell.feature;

-- ------------------------------------------------------------- two stages --

UPDATE xsell.offer SET propensity = CASE product WHEN 'card' THEN 's_card' WHEN 'loan' THEN 's_loan' WHEN 'deposit' THEN 's_deposit' WHEN 'leaflet' THEN '0.01' END;
UPDATE xsell.agent SET top_n = 2, explore_below = 0.1;
CREATE FUNCTION pg_temp.chances(key bigint, channel text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s', product, coalesce(excluded, round(probability::numeric, 6)::text)), ', ' ORDER BY product)
	  FROM (SELECT r.product, min(excluded) AS excluded, sum(probability) AS probability FROM customer c, xsell_rank(c, channel => $2) r WHERE id = key GROUP BY 1) r
$$;
SELECT is(pg_temp.chances(120, 'web'), 'card 0.450000, deposit 0.033333, fund 0.033333, leaflet 0.033333, loan 0.450000', 'the strategy spreads 0.9 over the top two, 0.1 goes to the three below');
SELECT is(pg_temp.chances(120, NULL), 'card 0.450000, deposit 0.033333, fund 0.033333, leaflet 0.033333, loan 0.450000', 'through whatever channels');
SELECT is(array_agg(DISTINCT round(probability::numeric, 9)), ARRAY[round(0.1 / 6, 9), 0.225], 'which share a product''s chance') FROM customer c, xsell_rank(c) WHERE id = 120;
UPDATE xsell.agent SET strategy = 'epsilon_greedy', epsilon = 0, floor = 0.04;
SELECT is(pg_temp.chances(120, 'web'), 'card 0.882000, deposit 0.033333, fund 0.033333, leaflet 0.033333, loan 0.018000', 'the floor lies within the first stage');
UPDATE xsell.agent SET strategy = 'uniform', floor = 0.02, explore_below = 0;
SELECT is(pg_temp.chances(120, 'web'), 'card 0.500000, deposit top_n, fund top_n, leaflet top_n, loan 0.500000', 'without exploration those below are excluded');
UPDATE xsell.agent SET top_n = 3;
SELECT is(pg_temp.chances(120, 'web'), 'card 0.333333, deposit 0.333333, fund top_n, leaflet top_n, loan 0.333333', 'without a propensity a product stands at the neutral rate; ties go to the first');
UPDATE xsell.agent SET neutral_rate = 0.06;
SELECT is(pg_temp.chances(120, 'web'), 'card 0.333333, deposit top_n, fund 0.333333, leaflet top_n, loan 0.333333', 'a higher neutral rate decides for it');
UPDATE customer SET s_card = NULL WHERE id = 120;
UPDATE xsell.agent SET top_n = 2;
SELECT is(pg_temp.chances(120, 'web'), 'card 0.500000, deposit top_n, fund top_n, leaflet top_n, loan 0.500000', 'so does one whose propensity is unknown');
INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES ('bank', 'no', 'eligibility', 'loan', 'false');
SELECT is(pg_temp.chances(120, 'web'), 'card 0.500000, deposit top_n, fund 0.500000, leaflet top_n, loan rule:no', 'what is not allowed takes no place');
DELETE FROM xsell.rule;
UPDATE xsell.agent SET top_n = 5;
SELECT is(pg_temp.chances(121, 'web'), 'card 0.200000, deposit 0.200000, fund 0.200000, leaflet 0.200000, loan 0.200000', 'as many as there are');
UPDATE xsell.agent SET top_n = 1, control_share = 1;
SELECT is(pg_temp.chances(121, 'web'), 'card 0.200000, deposit 0.200000, fund 0.200000, leaflet 0.200000, loan 0.200000', 'the control group draws among all');
UPDATE xsell.agent SET control_share = 0;
SELECT is(d.product, 'card', 'decided') FROM customer c, xsell_decide(c) d WHERE id = 121;
UPDATE xsell.agent SET explore_below = 0.5;
SELECT count(*) FROM customer c, xsell_decide(c) d WHERE id BETWEEN 351 AND 389 \g /dev/null
SELECT ok(count(*) FILTER (WHERE product = 'card') BETWEEN 8 AND 32, 'and explored') FROM xsell.decision WHERE customer_key BETWEEN 351 AND 389;
UPDATE xsell.agent SET top_n = NULL, explore_below = 0, neutral_rate = 0.05;
UPDATE xsell.offer SET propensity = NULL;

-- -------------------------------------------------------------- overrides --

UPDATE customer SET vip = false WHERE id = 131;
UPDATE customer SET vip = NULL WHERE id = 132;
SELECT pg_temp.clock('2026-09-12 12:00+00') \g /dev/null
INSERT INTO xsell.override (agent, override, action, product, channel, expression, reason, expires) VALUES ('bank', 'push', 'force', 'fund', NULL, 'vip', 'quarter end', '2026-09-30');
SELECT is(ARRAY[pg_temp.x(130, 'fund', 'web'), pg_temp.x(130, 'card', 'web'), pg_temp.x(131, 'card', 'web'), pg_temp.x(132, 'card', 'web')], '{allowed,override:push,allowed,allowed}',
	'force: only this product, for the customers it is for');
SELECT is(ARRAY[pg_temp.x(130, 'card', 'web', '2026-09-29 23:59:59.999999+00'), pg_temp.x(130, 'card', 'web', '2026-09-30')], '{override:push,allowed}', 'until it expires');
SELECT is(pg_temp.allowed(130, 'web', products => '{card,loan}'), '{card/web,loan/web}', 'a call that does not ask about it is not touched');
UPDATE xsell.override SET channel = 'email';
SELECT is(pg_temp.allowed(130), '{fund/email}', 'through one channel');
SELECT is(pg_temp.allowed(130, 'web'), '{card/web,deposit/web,fund/web,leaflet/web,loan/web}', 'where that cannot be, it has no effect');
UPDATE xsell.override SET channel = NULL;
INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES ('bank', 'unsuitable', 'suitability', 'fund', 'age > 50');
SELECT is(pg_temp.allowed(130, 'web'), '{card/web,deposit/web,leaflet/web,loan/web}', 'never against a rule');
DELETE FROM xsell.rule;
INSERT INTO xsell.consent (customer_key, channel, purpose, granted) VALUES (130, 'web', '*', false);
SELECT is(pg_temp.allowed(130), '{fund/email}', 'nor consent');
INSERT INTO xsell.cap (agent, cap, product, max_offers, per) VALUES ('bank', 'none', 'fund', 0, '1 day');
SELECT is(pg_temp.allowed(130), '{card/email,deposit/email,leaflet/email,loan/email}', 'nor a cap');
DELETE FROM xsell.cap;
TRUNCATE xsell.consent;
INSERT INTO xsell.override (agent, override, action, product, channel, expression, reason, expires) VALUES ('bank', 'stop', 'block', 'fund', 'web', 'vip', 'complaint', 'infinity');
SELECT is(pg_temp.allowed(130), '{fund/email}', 'block goes before force');
SELECT is(ARRAY[pg_temp.x(130, 'fund', 'web'), pg_temp.x(131, 'fund', 'web'), pg_temp.x(132, 'fund', 'web')], '{override:stop,allowed,override:stop}', 'who is not known to be meant is blocked');
SELECT is(d.product || '/' || d.channel, 'fund/email', 'decided') FROM customer c, xsell_decide(c) d WHERE id = 130;
SELECT is((SELECT overrides FROM xsell.decision WHERE customer_key = 130), '{stop,push}', 'with the names of what had an effect');
SELECT isnt(d.product, NULL, 'another') FROM customer c, xsell_decide(c, channel => 'web') d WHERE id = 131;
SELECT is((SELECT overrides FROM xsell.decision WHERE customer_key = 131), NULL, 'none had');
SELECT is((SELECT author FROM xsell.override WHERE override = 'stop'), session_user::text, 'their author is recorded');
DELETE FROM xsell.override WHERE override = 'push';
UPDATE xsell.override SET channel = NULL;
SELECT is(pg_temp.allowed(130, 'web'), '{card/web,deposit/web,leaflet/web,loan/web}', 'block: never this product');
SELECT results_eq($$SELECT excluded, expression, reads FROM customer c, xsell_why(c, 'fund', channel => 'web') WHERE id = 130$$, $$VALUES ('override:stop', 'vip', jsonb '{"vip": "t"}')$$, 'and why');
DELETE FROM xsell.override;
UPDATE xsell.agent SET strategy = 'epsilon_greedy', epsilon = 0, floor = 0.05;
UPDATE xsell.offer SET value = CASE product WHEN 'fund' THEN '2' WHEN 'leaflet' THEN '0' ELSE '3' END, cost = '0.01';
CREATE TABLE unboosted AS SELECT product, expected FROM customer c, xsell_rank(c, channel => 'web') WHERE id = 133;
INSERT INTO xsell.override (agent, override, action, product, expression, factor, reason, expires) VALUES ('bank', 'more', 'boost', 'fund', 'vip', 4, 'campaign', '2026-10-01');
SELECT results_eq($$SELECT product, round(((r.expected + 0.01)::numeric / nullif(round((u.expected + 0.01)::numeric, 6), 0))::numeric, 4), r.probability > 0.9
	FROM customer c, xsell_rank(c, channel => 'web') r JOIN unboosted u USING (product) WHERE id = 133 ORDER BY 1$$,
	$$SELECT product, x, product = 'fund' FROM (VALUES ('card', 1.0), ('deposit', 1), ('fund', 4), ('leaflet', NULL), ('loan', 1)) v (product, x)$$, 'boost multiplies the value');
SELECT is((SELECT array_agg(pg_temp.x(id, 'card', 'web')) FROM customer WHERE id IN (131, 132, 133)), '{allowed,allowed,allowed}', 'and excludes nothing');
SELECT is(d.product, 'fund', 'decided') FROM customer c, xsell_decide(c, '{fund,card}', channel => 'web') d WHERE id = 133;
SELECT is((SELECT overrides FROM xsell.decision WHERE customer_key = 133), '{more}', 'and logged');
SELECT throws_ok($$INSERT INTO xsell.override (agent, override, action, product, reason, expires) VALUES ('bank', 'b', 'boost', 'fund', 'r', 'infinity')$$, '23514', NULL, 'a boost without factor is refused');
SELECT throws_ok($$INSERT INTO xsell.override (agent, override, action, product, reason, expires, factor) VALUES ('bank', 'b', 'block', 'fund', 'r', 'infinity', 2)$$, '23514', NULL, 'so is a block with one');
SELECT throws_ok($$INSERT INTO xsell.override (agent, override, action, product, expires) VALUES ('bank', 'b', 'block', 'fund', 'infinity')$$, '23502', NULL, 'one without reason');
SELECT throws_ok($$INSERT INTO xsell.override (agent, override, action, product, reason) VALUES ('bank', 'b', 'block', 'fund', 'r')$$, '23502', NULL, 'and one without end');
DELETE FROM xsell.override;
UPDATE xsell.agent SET strategy = 'uniform', floor = 0.02;
UPDATE xsell.offer SET value = NULL, cost = NULL;

-- --------------------------------------------------------------- fallback --

UPDATE xsell.agent SET fallback = '''leaflet''';
INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES ('bank', 'old', 'suitability', 'card', 'age > 50'), ('bank', 'old_leaf', 'suitability', 'leaflet', 'age > 30');
CREATE FUNCTION pg_temp.outcome(key bigint, products text[] DEFAULT '{card}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE d record;
BEGIN
	SELECT x.* INTO d FROM customer c, xsell_decide(c, products, channel => 'web') x WHERE c.id = key;
	RETURN concat_ws(', ', d.product, d.mode, d.reason);
END $$;
SELECT is(pg_temp.outcome(140), 'leaflet, fallback, fallback, 1 allowed', 'where nothing is allowed, the fallback is offered');
SELECT results_eq($$SELECT w.product, w.probability, w.excluded FROM xsell.decision d, xsell_why(d.decision_id) w WHERE customer_key = 140$$, $$VALUES ('card', 0::float8, 'rule:old'), ('leaflet', 1, NULL)$$, 'logged with what was asked');
SELECT is((SELECT c.product FROM xsell.contact c WHERE customer_key = 140), '{leaflet}', 'it is a contact');
SELECT matches(pg_temp.outcome(141, '{card,fund}'), '^fund, (exploit|explore)', 'not otherwise');
SELECT is(pg_temp.outcome(142, '{card,leaflet}'), 'leaflet, exploit, highest expected reward, 1 allowed', 'asked for, it is an offer like others');
UPDATE customer SET age = 25 WHERE id = 143;
SELECT is(pg_temp.outcome(143), 'none, all 2 candidates excluded', 'a fallback that is not allowed either is not offered');
UPDATE xsell.agent SET fallback = 'CASE WHEN segment = ''student'' THEN ''fund'' WHEN segment = ''family'' THEN ''deposit'' END';
UPDATE customer SET segment = 'student' WHERE id = 144;
UPDATE customer SET segment = NULL WHERE id = 145;
SELECT is(ARRAY[pg_temp.outcome(144), pg_temp.outcome(146), pg_temp.outcome(145)], '{"fund, fallback, fallback, 1 allowed","deposit, fallback, fallback, 1 allowed","none, all 1 candidates excluded"}', 'it may depend on the customer, and be NULL');
INSERT INTO xsell.override (agent, override, action, product, reason, expires) VALUES ('bank', 'stop', 'block', 'deposit', 'r', 'infinity');
SELECT is(pg_temp.outcome(147), 'none, all 2 candidates excluded', 'a block stops it too');
DELETE FROM xsell.override;
UPDATE xsell.agent SET status = 'paused';
SELECT is(ARRAY[pg_temp.outcome(148, '{fund}'), pg_temp.outcome(145, '{fund}')], '{"deposit, fallback, fallback, 1 allowed","none, agent is paused"}', 'a paused agent offers the fallback or nothing');
SELECT results_eq($$SELECT DISTINCT excluded FROM customer c, xsell_rank(c, '{fund}') WHERE id = 148$$, $$VALUES ('paused')$$, 'xsell_rank says so');
UPDATE xsell.agent SET status = 'live', fallback = '''nothing''';
SELECT throws_ok($$SELECT pg_temp.outcome(149)$$, '42704', 'fallback product "nothing" is no offer of agent "bank"', 'a fallback that is no offer');
UPDATE xsell.agent SET fallback = NULL;
SELECT is_empty($$SELECT r FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE mode = 'fallback' AND NOT r.identical$$, 'fallbacks are replayed');
SELECT cmp_ok((SELECT count(*) FROM xsell.decision WHERE mode = 'fallback'), '=', 4::bigint, 'all of them');
DELETE FROM xsell.rule;

-- ------------------------------------------------------------------ share --

UPDATE xsell.agent SET learning = 'deferred';
UPDATE xsell.offer SET active = product IN ('card', 'fund');
SELECT pg_temp.clock('2026-12-07 12:00+00') \g /dev/null
SELECT count(*) FROM customer c, xsell_decide(c, '{card}', channel => 'web') d WHERE id BETWEEN 200 AND 279 \g /dev/null
SELECT count(*) FROM customer c, xsell_decide(c, '{fund}', channel => 'web') d WHERE id BETWEEN 280 AND 298 \g /dev/null
SELECT pg_temp.clock('2026-12-07 13:00+00') \g /dev/null
UPDATE xsell.offer SET max_share = 0.8 WHERE product = 'card';
SELECT xsell_learn() \g /dev/null
SELECT is((SELECT count(*) FROM xsell.experience e JOIN xsell.decision d USING (decision_id) WHERE xsell_decided_at(d.decision_id) >= '2026-12-07'), 99::bigint, '99 offers learned, 80 of them cards');
SELECT is(pg_temp.x(300, 'card', 'web'), 'allowed', 'are too few to tell shares');
SELECT count(*) FROM customer c, xsell_decide(c, '{fund}', channel => 'web') d WHERE id = 299 \g /dev/null
SELECT pg_temp.clock('2026-12-07 14:00+00') \g /dev/null
SELECT xsell_learn() \g /dev/null
SELECT is(pg_temp.x(300, 'card', 'web'), 'allowed', '80 of 100 is not more than 0.8');
SELECT count(*) FROM customer c, xsell_decide(c, '{card}', channel => 'web') d WHERE id = 300 \g /dev/null
SELECT pg_temp.clock('2026-12-07 15:00+00') \g /dev/null
SELECT xsell_learn() \g /dev/null
SELECT is(ARRAY[pg_temp.x(300, 'card', 'web'), pg_temp.x(300, 'fund', 'web')], '{share,allowed}', '81 of 101 is');
SELECT is(ARRAY[pg_temp.x(300, 'card', 'web', '2027-01-04'), pg_temp.x(300, 'card', 'web', '2027-01-05')], '{share,allowed}', 'of the last four weeks');
SELECT is(d.product, 'fund', 'decided') FROM customer c, xsell_decide(c, '{card,fund}', channel => 'web') d WHERE id = 301;
UPDATE xsell.offer SET active = true, max_share = NULL;
UPDATE xsell.agent SET learning = 'hold';

-- ----------------------------------------------- why, of a past decision --

SELECT pg_temp.clock('2026-12-08 12:00+00') \g /dev/null
INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES ('bank', 'rich', 'suitability', 'fund', 'income > 10 * age AND customer.segment <> context.without AND market.rate > 3'), ('bank', 'page', 'applicability', 'loan', 'context.page = ''loans''');
UPDATE xsell.offer SET held = 'has_card' WHERE product = 'card';
INSERT INTO xsell.cap (agent, cap, channel, max_offers, per) VALUES ('bank', 'mail', 'email', 0, '1 day');
UPDATE customer SET has_card = true WHERE id = 310;
SELECT isnt(d.product, NULL, 'a decision') FROM customer c, xsell_decide(c, context => '{"page": "home", "without": "family"}') d WHERE id = 310;
CREATE TABLE before AS SELECT w.* FROM xsell.decision d, xsell_why(d.decision_id) w WHERE customer_key = 310;
SELECT results_eq('SELECT product, channel, excluded, expression, reads FROM before WHERE excluded IS NOT NULL ORDER BY 1, 2', $$VALUES
	('card', 'email', 'held', 'has_card', jsonb '{"has_card": "t"}'), ('card', 'web', 'held', 'has_card', '{"has_card": "t"}'), ('deposit', 'email', 'cap:mail', NULL, NULL),
	('fund', 'email', 'rule:rich', 'income > 10 * age AND customer.segment <> context.without AND market.rate > 3', '{"age": "40", "income": "3000", "segment": "family", "market.rate": "4", "context.without": "family"}'),
	('fund', 'web', 'rule:rich', 'income > 10 * age AND customer.segment <> context.without AND market.rate > 3', '{"age": "40", "income": "3000", "segment": "family", "market.rate": "4", "context.without": "family"}'),
	('leaflet', 'email', 'cap:mail', NULL, NULL),
	('loan', 'email', 'rule:page', 'context.page = ''loans''', '{"context.page": "home"}'), ('loan', 'web', 'rule:page', 'context.page = ''loans''', '{"context.page": "home"}')$$,
	'every excluded arm of a logged decision: the first condition that failed, its expression, what it read');
SELECT results_eq($$SELECT product, channel, excluded, expression, reads FROM before ORDER BY 1, 2$$,
	$$SELECT product, channel, excluded, expression, reads FROM customer c, xsell_why(c, context => '{"page": "home", "without": "family"}') WHERE id = 310 ORDER BY 1, 2$$, 'the same as of the row');
UPDATE customer SET has_card = false WHERE id = 310;
DELETE FROM xsell.rule;
DELETE FROM xsell.cap;
UPDATE xsell.offer SET held = NULL;
INSERT INTO xsell.market VALUES ('rate', '2026-12-07', '9');
SELECT results_eq($$SELECT w.* FROM xsell.decision d, xsell_why(d.decision_id) w WHERE customer_key = 310$$, 'SELECT * FROM before', 'which later changes do not touch');
SELECT throws_ok('SELECT * FROM xsell_why(1)', '42704', 'decision 1 does not exist', 'a decision that does not exist');
SELECT throws_ok($$SELECT FROM customer c, xsell_why(c, 'boat')$$, '42704', 'agent "bank" has no offer of product "boat"', 'a product that is not offered');
SELECT throws_ok($$SELECT FROM customer c, xsell_rank(c, at => 'infinity')$$, '22023', 'at must be a finite time', 'a time that is none');
SELECT results_eq($$SELECT reason, product, channel, candidates FROM xsell.exclusion WHERE day = '2026-12-08' ORDER BY 2, 3$$, $$VALUES
	('held', 'card', 'email', 1::bigint), ('held', 'card', 'web', 1), ('cap:mail', 'deposit', 'email', 1), ('rule:rich', 'fund', 'email', 1), ('rule:rich', 'fund', 'web', 1),
	('cap:mail', 'leaflet', 'email', 1), ('rule:page', 'loan', 'email', 1), ('rule:page', 'loan', 'web', 1)$$, 'exclusions are counted by day and reason');

-- ------------------------------------------------------ drafts, similarity --

UPDATE xsell.agent SET status = 'draft';
SELECT throws_ok($$SELECT FROM customer c, xsell_decide(c, agent => 'bank') WHERE id = 320$$, '55000', 'agent "bank" is a draft', 'a draft does not decide');
SELECT throws_ok($$SELECT FROM customer c, xsell_choose(c, agent => 'bank') WHERE id = 320$$, '55000', 'agent "bank" is a draft', 'nor choose');
SELECT is((SELECT count(*) FROM customer c, xsell_rank(c, agent => 'bank') WHERE id = 320 AND excluded IS NULL), 10::bigint, 'but ranks');
SELECT is((SELECT array_agg(excluded) FROM customer c, xsell_why(c, 'fund', 'bank', 'web') WHERE id = 320), '{NULL}', 'and says why');
SELECT throws_ok($$SELECT FROM customer c, xsell_decide(c) WHERE id = 320$$, '42704', 'there is no agent', 'and is not what a call means that names no agent');
UPDATE xsell.agent SET status = 'live', similarity = '{group}';
SELECT results_eq('SELECT product, similar_by FROM xsell.product_group ORDER BY 1', $$VALUES ('card', jsonb '{"group": "pay"}'), ('deposit', '{"group": "save"}'), ('fund', '{"group": "save"}'), ('leaflet', '{"group": null}'), ('loan', '{"group": "borrow"}')$$,
	'products that are similar');
SELECT throws_ok($$UPDATE xsell.agent SET similarity = '{group,gruop}'$$, '23503', 'agent "bank" names product attribute "gruop", which does not exist', 'by attributes that none has');
SELECT throws_ok($$UPDATE xsell.agent SET similarity = '{group,NULL}'$$, '23514', NULL, 'or by NULL');
UPDATE xsell.agent SET similarity = NULL;

-- -------------------------------------------------------------- bad inputs --

SELECT throws_ok($$SELECT FROM customer c, xsell_decide(c, call_mode => 'stream') WHERE id = 320$$, '22023', 'call_mode must be realtime or batch, not "stream"', 'a mode that is none');
UPDATE xsell.agent SET routing = 'pref';
UPDATE customer SET pref = 'pigeon' WHERE id = 320;
SELECT throws_ok($$SELECT FROM customer c, xsell_decide(c) WHERE id = 320$$, '42704', 'routing of agent "bank" yields channel "pigeon", which it does not have', 'a preference for a channel that is none');
SELECT is(pg_temp.x(320, 'fund', 'web', named => 'web'), 'allowed', 'which a call that names its channel does not ask for');
SELECT throws_ok($$UPDATE xsell.agent SET routing = 'product.group'$$, '42P17', 'routing of agent "bank" reads product or channel', 'routing by the product');
SELECT throws_ok($$UPDATE xsell.agent SET fallback = 'channel.channel'$$, '42P17', 'fallback of agent "bank" reads product or channel', 'a fallback by the channel');
SELECT throws_ok($$UPDATE xsell.agent SET routing = 'age'$$, '42804', 'routing must be of type text, not integer', 'routing by a number');
UPDATE xsell.agent SET routing = NULL;
UPDATE xsell.channel SET quiet_from = '22:00', quiet_until = '08:00', time_zone = 'tz' WHERE channel = 'email';
UPDATE customer SET tz = 'Mars/Base' WHERE id = 320;
SELECT throws_ok($$SELECT FROM customer c, xsell_decide(c) WHERE id = 320$$, '22023', 'time zone "Mars/Base" not recognized', 'a time zone that is none');
SELECT throws_ok($$UPDATE xsell.channel SET quiet_until = NULL$$, '23514', NULL, 'quiet hours without end');
SELECT throws_ok($$UPDATE xsell.channel SET quiet_until = '22:00'$$, '23514', NULL, 'or of no length');
SELECT throws_ok($$UPDATE xsell.channel SET modes = '{}'$$, '23514', NULL, 'a channel for nothing');
SELECT throws_ok($$UPDATE xsell.channel SET modes = '{stream}'$$, '23514', NULL, 'or for what is no mode');
SELECT throws_ok($$UPDATE xsell.channel SET modes = '{batch}', default_for = '{realtime}'$$, '23514', NULL, 'a default for what it is not for');
SELECT throws_ok($$INSERT INTO xsell.cooldown (agent, cooldown, outcome, lasts) VALUES ('bank', 'c', 'shrug', '1 day')$$, '23503', 'cooldown "c" names outcome_kind "shrug", which does not exist', 'a cool-down after an outcome that is none');
INSERT INTO xsell.cooldown (agent, cooldown, outcome, lasts) VALUES ('bank', 'c', 'complaint', '1 day');
SELECT throws_ok($$DELETE FROM xsell.outcome_kind WHERE outcome = 'complaint'$$, '23503', 'cooldown "c" names outcome_kind "complaint", which does not exist', 'an outcome that is needed stays');
SELECT throws_ok($$INSERT INTO xsell.cap (agent, cap, max_offers, per, engaged) VALUES ('bank', 'k', 1, '1 day', 'relax')$$, '23514', NULL, 'to relax needs a number');
SELECT throws_ok($$INSERT INTO xsell.cap (agent, cap, max_offers, per, engaged, relaxed_offers) VALUES ('bank', 'k', 1, '1 day', 'reset', 2)$$, '23514', NULL, 'to reset has none');
SELECT throws_ok(format('INSERT INTO xsell.%s', x), '23503', NULL, 'references to what is not there: ' || split_part(x, ' ', 1)) FROM unnest(ARRAY[
	$$quiet (agent, quiet, channel, after_ignored, pause) VALUES ('bank', 'q', 'pigeon', 1, '1 day')$$,
	$$cooldown (agent, cooldown, product, lasts) VALUES ('bank', 'd', 'boat', '1 day')$$,
	$$override (agent, override, action, product, reason, expires) VALUES ('bank', 'o', 'block', 'boat', 'r', 'infinity')$$,
	$$override (agent, override, action, product, channel, reason, expires) VALUES ('bank', 'o', 'block', 'card', 'pigeon', 'r', 'infinity')$$,
	$$rule (agent, rule, kind, channel, expression) VALUES ('bank', 'r', 'eligibility', 'pigeon', 'true')$$,
	$$cap (agent, cap, channel, max_offers, per) VALUES ('bank', 'k', 'pigeon', 1, '1 day')$$,
	$$offer (agent, product) VALUES ('bank', 'boat')$$, $$quiet (agent, quiet, after_ignored, pause) VALUES ('shop', 'q', 1, '1 day')$$]) x;
DELETE FROM xsell.channel WHERE channel = 'email';
SELECT is((SELECT array_agg(jsonb_array_length(definition->k) ORDER BY k) FROM (SELECT definition FROM xsell.policy ORDER BY policy_version DESC LIMIT 1) p, unnest('{cooldowns,channels}'::text[]) k), '{1,1}', 'what belongs to a channel goes with it');

SELECT is_empty($$SELECT r FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical$$, 'every decision of this test is replayed');
SELECT cmp_ok((SELECT count(*) FROM xsell.decision), '>', 400::bigint, 'and there are many');
SELECT * FROM finish();
