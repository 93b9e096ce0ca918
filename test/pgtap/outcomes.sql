-- outcomes.sql: what became of offers, as feeds report it: kinds that reverse and report deliveries, events, attribution,
-- the intake, what dangles; and what outcomes forbid and shift at once.
--
-- The clock is simulated: weeks pass between two statements.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2026-01-05 12:00+00';	-- a Monday

CREATE TABLE customer (id bigint PRIMARY KEY, worth float8);
INSERT INTO customer SELECT i, i FROM generate_series(1, 2000) i;
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('loan', true), ('fund', false);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning) VALUES ('bank', 'customer', 'id', 42, 'deferred');
INSERT INTO xsell.channel (agent, channel, observation_window, reports_delivery) VALUES ('bank', 'web', '1 hour', false), ('bank', 'post', '10 days', true);
INSERT INTO xsell.offer (agent, product, value, lever, cost, observation_window) VALUES
	('bank', 'card', 'worth', '2', '0.25', NULL), ('bank', 'loan', NULL, NULL, NULL, '60 days'), ('bank', 'fund', NULL, NULL, NULL, NULL);
INSERT INTO xsell.outcome_kind (agent, outcome, reward, engagement, terminal, delivery, reverses, opt_out, harm) VALUES
	('bank', 'click', 0.1, true, false, NULL, NULL, NULL, 0), ('bank', 'delivered', 0, false, false, 'delivered', NULL, NULL, 0),
	('bank', 'bounce', 0, false, false, 'undelivered', NULL, NULL, 0), ('bank', 'found', 0, false, false, NULL, 'bounce', NULL, 0),
	('bank', 'cancellation', 0, false, true, NULL, 'conversion', NULL, 0), ('bank', 'reinstatement', 0, false, true, NULL, 'cancellation', NULL, 0),
	('bank', 'complaint', 0, false, true, NULL, NULL, NULL, 1), ('bank', 'unsubscribe', 0, false, false, NULL, NULL, 'channel', 0.5),
	('bank', 'leave', 0, false, false, NULL, NULL, 'all', 0.5), ('bank', 'mistake', 0, false, false, NULL, 'unsubscribe', NULL, 0);

CREATE FUNCTION pg_temp.clock(at timestamptz) RETURNS void LANGUAGE sql AS $$ SELECT set_config('xsell.simulated_now', $1::text, false) $$;
CREATE FUNCTION pg_temp.offer(key bigint, product text, channel text DEFAULT 'web', at timestamptz DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE d record;
BEGIN
	PERFORM pg_temp.clock(at) WHERE at IS NOT NULL;
	SELECT x.* INTO d FROM customer c, xsell_decide(c, ARRAY[$2], 'bank', $3) x WHERE c.id = key;
	RETURN CASE WHEN d.product IS NOT NULL THEN d.decision_id END;
END $$;
CREATE FUNCTION pg_temp.x(key bigint, product text, channel text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(w.excluded, 'allowed') FROM customer c, xsell_why(c, $2, 'bank', $3) w WHERE c.id = key
$$;
CREATE FUNCTION pg_temp.fails(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
	EXECUTE call;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', state || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;

-- ---------------------------------------------------------------------- kinds --

CREATE FUNCTION pg_temp.kind(outcome text, reverses text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.fails(format('INSERT INTO xsell.outcome_kind (agent, outcome, reward, reverses) VALUES (''bank'', %L, 0, %L)', $1, $2))
$$;
SELECT is(pg_temp.kind('x', 'cancelation'), E'23503: outcome_kind "x" names outcome_kind "cancelation", which does not exist\nWhat is named must exist before, and as long as, it is named.', 'what is reversed must exist');
SELECT is(pg_temp.kind('x', 'reinstatement'), E'42P17: outcome kinds of agent "bank" reverse each other in too long a chain\n"x" reverses "reinstatement", which reverses "cancellation", which reverses "conversion".\nAn outcome can have a reversal, and that one a reversal, which is final.', 'a chain of four is refused');
SELECT is(pg_temp.kind('conversion', 'click'), E'42P17: outcome kinds of agent "bank" reverse each other in too long a chain\n"reinstatement" reverses "cancellation", which reverses "conversion", which reverses "click".\nAn outcome can have a reversal, and that one a reversal, which is final.', 'also one that grows at its end');
SELECT is(pg_temp.fails($$UPDATE xsell.outcome_kind SET reverses = 'reinstatement' WHERE outcome = 'cancellation'$$), E'42P17: outcome kinds of agent "bank" reverse each other in too long a chain\n"cancellation" reverses "reinstatement", which reverses "cancellation", which reverses "reinstatement".\nAn outcome can have a reversal, and that one a reversal, which is final.', 'a circle is refused');
SELECT matches(pg_temp.kind('x', 'x'), '^23514: ', 'of one, too');
SELECT matches(pg_temp.fails($$DELETE FROM xsell.outcome_kind WHERE outcome = 'cancellation'$$), '^23503: outcome_kind "reinstatement" names outcome_kind "cancellation", which does not exist', 'a kind that is reversed stays');
SELECT matches(pg_temp.fails($$UPDATE xsell.outcome_kind SET reward = 0.1 WHERE outcome = 'bounce'$$), '^23514: .*outcome_kind_undelivered_earns_nothing', 'what was not delivered earns nothing');
SELECT matches(pg_temp.fails($$UPDATE xsell.offer SET observation_window = '0'$$), '^23514: ', 'a window has a length');

-- ------------------------------------------------- what a decision logs of its arm --

SELECT pg_temp.offer(1, 'card') AS card, pg_temp.offer(2, 'loan', 'post') AS loan \gset
SELECT results_eq('SELECT product, value, cost, weight, awaits_delivery FROM xsell.decision ORDER BY 1', $$VALUES ('card', 2::real, 0.25::real, NULL::float8, false), ('loan', 1, 0, NULL, true)$$, 'value with lever, cost, whether a delivery is awaited');
SELECT is_empty($$SELECT FROM xsell.decision d, xsell_candidates_list(d.candidates) c WHERE c.probability > 0 AND (c.value, c.cost) IS DISTINCT FROM (d.value, d.cost)$$, 'as the candidate drawn has them');
SELECT is_empty($$SELECT r.* FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical$$, 'they are replayed');
SELECT results_eq($$SELECT (x).value, (x).cost, (x).awaits_delivery FROM (SELECT xsell_choose(c, '{card}', 'bank', 'post') AS x FROM customer c WHERE id = 3) x$$, 'VALUES (6::real, 0.25::real, true)', 'xsell_choose says them');
SELECT matches(pg_temp.fails(format($$SELECT xsell_record(jsonb_populate_record(x, %L)) FROM (SELECT xsell_choose(c, '{card}', 'bank', 'post') AS x FROM customer c WHERE id = 3) x$$, change)), '^22023: decision \d+ cannot have been chosen\n' || detail, 'xsell_record refuses ' || change)
FROM (VALUES ('{"value": 7}', 'Its value and cost are not those of its candidate.'), ('{"cost": 0}', 'Its value and cost are not those of its candidate.'), ('{"awaits_delivery": false}', 'Whether it awaits a delivery is not what its channel says.')) v (change, detail);
SELECT lives_ok($$SELECT xsell_record(xsell_choose(c, '{card}', 'bank', 'post')) FROM customer c WHERE id = 3$$, 'and takes what was chosen');
SELECT is_empty($$SELECT r.* FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical$$, 'which is replayed too');
BEGIN;
UPDATE xsell.decision SET awaits_delivery = true WHERE decision_id = :card;
UPDATE xsell.decision SET value = 3 WHERE decision_id = :loan;
SELECT results_eq('SELECT d.product, r.field, r.logged, r.replayed FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical ORDER BY 1', $$VALUES ('card', 'awaits_delivery', '1', '0'), ('loan', 'value', '3', '1')$$, 'what was changed in the log is found');
ROLLBACK;

-- -------------------------------------------------------------------- one outcome --

SELECT is(xsell_reward(:card, 'cancellation'), 'recorded', 'a reversal may come before what it reverses');
SELECT is(xsell_reward(:card, 'conversion'), 'recorded', 'which comes later');
SELECT is(xsell_reward(:loan, 'conversion', 12.5), 'recorded', 'a value that is given');
SELECT is(ARRAY[xsell_reward(:loan, 'click'), xsell_reward(:loan, 'delivered'), xsell_reward(:card, 'bounce')], '{recorded,recorded,recorded}', 'several outcomes of a decision');
SELECT results_eq('SELECT outcome, reward, harm, terminal, delivery, reverses, value FROM xsell.outcome ORDER BY outcome_id', $$VALUES
	('cancellation', 0::float8, 0::float8, true, NULL, 'conversion', NULL::float8), ('conversion', 1, 0, true, NULL, NULL, 2), ('conversion', 1, 0, true, NULL, NULL, 12.5),
	('click', 0.1, 0, false, NULL, NULL, 0.1), ('delivered', 0, 0, false, 'delivered', NULL, NULL), ('bounce', 0, 0, false, 'undelivered', NULL, NULL)$$, 'each with what its kind means, and its value');
UPDATE xsell.outcome_kind SET reward = 0.5, terminal = true WHERE outcome = 'click';
SELECT is(xsell_reward(:card, 'click'), 'recorded', 'after a change of the policy');
SELECT results_eq($$SELECT reward, terminal FROM xsell.outcome WHERE outcome = 'click' ORDER BY outcome_id$$, 'VALUES (0.1::float8, false), (0.5, true)', 'the kind as it was when it was recorded');
UPDATE xsell.outcome_kind SET reward = 0.1, terminal = false WHERE outcome = 'click';

-- ------------------------------------------------------------------------- events --

SELECT pg_temp.offer(4, 'card') AS d4, pg_temp.offer(5, 'card') AS d5, pg_temp.offer(4, 'fund') AS d6 \gset
SELECT is(xsell_reward(:d4, 'click', event_id => 'e1'), 'recorded', 'an event');
SELECT is(xsell_reward(:d4, 'click', event_id => 'e1'), 'duplicate', 'again');
SELECT is(xsell_reward(:d4, 'click'), 'duplicate', 'the same outcome without it');
SELECT is(xsell_reward(:d4, 'click', event_id => 'e2'), 'duplicate', 'with another one');
SELECT is(xsell_reward(:d5, 'click', event_id => 'e1'), 'recorded', 'another customer''s event may be called the same');
SELECT is(pg_temp.fails(format('SELECT xsell_reward(%s, ''conversion'', event_id => ''e1'')', :d4)), E'23505: event "e1" of the customer was reported before, as another outcome\nIt is outcome "click" of decision ' || :d4 || E'.\nAn event has one event_id, which no other event of the customer has.', 'an event is one outcome');
SELECT matches(pg_temp.fails(format('SELECT xsell_reward(%s, ''click'', event_id => ''e1'')', :d6)), '^23505: event "e1" of the customer was reported before, as another outcome', 'of one decision');
SELECT is(xsell_reward(:d6, 'click', event_id => 'e1', dangling => true), 'dangling', 'or dangles');
SELECT is(xsell_reward_customer(4::bigint, 'card', 'click', event_id => 'e1'), 'duplicate', 'an event that is known is a duplicate, whatever contacts there are');
SELECT is(xsell_reward_customer(4::bigint, 'loan', 'click', event_id => 'e1'), 'duplicate', 'whatever product it names now');
SELECT results_eq('SELECT count(*), count(event_id) FROM xsell.outcome WHERE customer_key IN (4, 5)', 'VALUES (2::bigint, 2::bigint)', 'two outcomes were recorded');

SELECT is(xsell_reward(:d5, 'conversion', event_id => repeat('e', 1000)), 'recorded', 'an event may have a long name');
SELECT is(pg_temp.fails(format('SELECT xsell_reward(%s, ''decline'', event_id => repeat(''e'', 1001))', :d5)), E'22023: event_id is longer than 1000 bytes\nPass a hash of it.', 'but not any');
DELETE FROM xsell.outcome WHERE event_id = repeat('e', 1000);

-- ----------------------------------------------------------------------- dangling --

SELECT decision_id AS none FROM customer c, xsell_decide(c, '{}', 'bank') WHERE id = 6 \gset
TRUNCATE xsell.dangling;
SELECT is(ARRAY[xsell_reward(1, 'click', 5, '2026-01-05 11:00+00', 'e3', true), xsell_reward(:none, 'click', dangling => true), xsell_reward(:d4, 'Click', dangling => true),
	xsell_reward(:d4, 'conversion', occurred_at => '2026-01-05 11:58:59+00', dangling => true), xsell_reward(:d4, 'conversion', occurred_at => 'infinity', dangling => true),
	xsell_reward(NULL, 'click', dangling => true), xsell_reward(:d4, NULL, dangling => true), xsell_reward(:d4, 'click', 'NaN', dangling => true)], array_fill('dangling'::text, '{8}'), 'what cannot be recorded dangles');
SELECT results_eq('SELECT decision_id, customer_key, outcome, value, occurred_at, event_id, reason, noted_at, noted_by = session_user FROM xsell.dangling ORDER BY dangling_id LIMIT 1',
	$$VALUES (1::bigint, NULL::bigint, 'click', 5::float8, '2026-01-05 11:00+00'::timestamptz, 'e3', 'decision 1 does not exist', '2026-01-05 12:00+00'::timestamptz, true)$$, 'as it was reported');
SELECT results_eq('SELECT reason FROM xsell.dangling ORDER BY dangling_id OFFSET 1', format($$VALUES ('decision %s made no offer'), ('outcome "Click" is unknown to agent "bank"'), ('outcome occurred before its decision'), ('outcome occurred in the future'),
	('decision_id must not be null'), ('outcome must not be null'), ('value of an outcome must be a finite number')$$, :none), 'for the reason that an error would give');
SELECT is((SELECT count(*) FROM xsell.outcome WHERE customer_key IN (4, 5, 6)), 2::bigint, 'nothing else was written');

-- ------------------------------------------------------------------- attribution --

TRUNCATE xsell.dangling;
SELECT pg_temp.offer(10, 'card', 'post', '2026-01-06 10:00+00') AS a1, pg_temp.offer(10, 'card', 'web', '2026-01-08 10:00+00') AS a2, pg_temp.offer(10, 'fund', 'web', '2026-01-08 11:00+00') AS a3 \gset
SELECT pg_temp.clock('2026-03-20 12:00+00') \g /dev/null
-- Which decision an outcome that occurred then goes to: a1 by post for 10 days, a2 on the web for an hour.
CREATE FUNCTION pg_temp.goes(key bigint, product text, at timestamptz, agent text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE said text; went bigint;
BEGIN
	said := xsell_reward_customer(key, product, 'click', occurred_at => at, agent => agent, dangling => true);
	SELECT decision_id INTO went FROM xsell.outcome WHERE customer_key = key AND outcome_id = (SELECT max(outcome_id) FROM xsell.outcome);
	RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = CASE said WHEN 'recorded' THEN went::text ELSE '0' END;	-- undone
EXCEPTION WHEN no_data_found THEN
	RETURN sqlerrm::bigint;
END $$;
SELECT is(pg_temp.goes(10, 'card', at::timestamptz), went, 'an outcome at ' || at || ' goes to ' || coalesce(nullif(went, 0)::text, 'none')) FROM (VALUES
	('2026-01-06 09:59:59+00', 0::bigint), ('2026-01-06 10:00+00', :a1), ('2026-01-08 09:59+00', :a1), ('2026-01-08 10:00+00', :a2), ('2026-01-08 10:59:59+00', :a2), ('2026-01-08 11:00+00', :a1),
	('2026-01-16 09:59:59+00', :a1), ('2026-01-16 10:00+00', 0), ('-infinity', 0), ('infinity', 0)) v (at, went);
SELECT is(ARRAY[pg_temp.goes(10, 'fund', '2026-01-08 11:30+00'), pg_temp.goes(10, 'loan', '2026-01-08 11:30+00'), pg_temp.goes(11, 'card', '2026-01-08 11:30+00'), pg_temp.goes(10, 'fund', '2026-01-08 11:30+00', 'other'), pg_temp.goes(10, 'fund', '2026-01-08 11:30+00', 'bank')],
	ARRAY[:a3, 0, 0, 0, :a3]::bigint[], 'of that product, customer and agent');
UPDATE xsell.offer SET observation_window = '2 hours' WHERE product = 'fund';
SELECT is(pg_temp.goes(10, 'fund', '2026-01-08 12:30+00'), 0::bigint, 'the window is that of the policy that decided');
SELECT pg_temp.offer(12, 'fund', 'web', '2026-03-20 12:00+00') AS a4, pg_temp.offer(12, 'loan', 'web') AS a5 \gset
SELECT pg_temp.clock('2026-06-20 12:00+00') \g /dev/null
SELECT is(ARRAY[pg_temp.goes(12, 'fund', '2026-03-20 13:59+00'), pg_temp.goes(12, 'fund', '2026-03-20 14:00+00'), pg_temp.goes(12, 'loan', '2026-05-19 11:59+00'), pg_temp.goes(12, 'loan', '2026-05-19 12:00+00')], ARRAY[:a4, 0, :a5, 0]::bigint[], 'the product''s own goes before the channel''s');
SELECT xsell_reward(:a2, 'bounce') \g /dev/null
SELECT is(pg_temp.goes(10, 'card', '2026-01-08 10:30+00'), :a1, 'an offer that was not delivered brought nothing about');
SELECT xsell_reward(:a2, 'found') \g /dev/null
SELECT is(pg_temp.goes(10, 'card', '2026-01-08 10:30+00'), :a2, 'unless it was delivered after all');
SELECT is(pg_temp.fails($$SELECT xsell_reward_customer(10::bigint, 'card', 'click', occurred_at => '2026-01-20')$$), E'42704: the customer has no contact about product "card" in its window\nOffers of it were made before the outcome, but the windows of all had ended at 2026-01-20 00:00:00+00.\nContacts are in xsell.contact, windows in xsell.channel and xsell.offer.', 'too late');
SELECT is(pg_temp.fails($$SELECT xsell_reward_customer(11::bigint, 'card', 'click')$$), E'42704: the customer has no contact about product "card" in its window\nNo offer of it was made to the customer before the outcome, as far as contacts are kept.\nContacts are in xsell.contact, windows in xsell.channel and xsell.offer.', 'no offer');
SELECT is(pg_temp.fails(call), message, call) FROM (VALUES
	('SELECT xsell_reward_customer(NULL::bigint, ''card'', ''click'')', E'22004: customer_key must not be null\nCall xsell_reward_customer(customer_key, product, outcome).'),
	('SELECT xsell_reward_customer(1::bigint, NULL, ''click'')', E'22004: product must not be null\nCall xsell_reward_customer(customer_key, product, outcome).'),
	('SELECT xsell_reward_customer(1::bigint, ''card'', NULL)', E'22004: outcome must not be null\nCall xsell_reward_customer(customer_key, product, outcome).'),
	('SELECT xsell_reward_customer(''x''::text, ''card'', ''click'')', '22P02: invalid input syntax for type bigint: "x"')) v (call, message);
SELECT is(xsell_reward_customer(12, 'loan', 'conversion', 7, '2026-04-01', 'e9'), 'recorded', 'a key of another type is converted');
SELECT is(xsell_reward_customer('12', 'loan', 'conversion', 7, '2026-04-01', 'e9'), 'duplicate', 'and so is a literal of none');
SELECT results_eq('SELECT decision_id, customer_key, outcome, value, occurred_at, event_id FROM xsell.outcome ORDER BY outcome_id DESC LIMIT 1', format($$VALUES (%s, 12::bigint, 'conversion', 7::float8, '2026-04-01'::timestamptz, 'e9')$$, :a5), 'all that was said is recorded');
SELECT is(xsell_reward_customer('12'::text, 'loan', 'conversion', 7, '2026-04-01', 'e9'), 'duplicate', 'once');
SELECT is(xsell_reward_customer(11, 'card', 'click', 1, '2026-04-01', 'e10', 'bank', true), 'dangling', 'or dangles');
SELECT results_eq('SELECT decision_id, customer_key, agent, product, outcome, value, occurred_at, event_id, reason FROM xsell.dangling WHERE event_id IS NOT NULL',
	$$VALUES (NULL::bigint, 11::bigint, 'bank', 'card', 'click', 1::float8, '2026-04-01'::timestamptz, 'e10', 'the customer has no contact about product "card" in its window')$$, 'with all that was said');

-- ----------------------------------------------- deliveries, reversals and the contact policy --

-- Every set of outcomes, arrived in some order, against the definition.
SELECT pg_temp.clock('2026-07-01 10:00+00') \g /dev/null
INSERT INTO xsell.cap (agent, cap, product, max_offers, per) VALUES ('bank', 'once', 'card', 1, '5 days');
INSERT INTO xsell.quiet (agent, quiet, after_ignored, pause) VALUES ('bank', 'ignored', 1, '5 days');
INSERT INTO xsell.cooldown (agent, cooldown, outcome, lasts) VALUES ('bank', 'bought', 'conversion', '5 days');
CREATE TABLE kind AS SELECT n, (ARRAY['conversion', 'cancellation', 'reinstatement', 'bounce', 'found', 'delivered', 'decline'])[n + 1] AS outcome,
	(ARRAY[NULL, 'conversion', 'cancellation', NULL, 'bounce', NULL, NULL])[n + 1] AS reverses FROM generate_series(0, 6) n;
CREATE TABLE sets AS SELECT 100 + s AS id, pg_temp.offer(100 + s, 'card', CASE WHEN s < 128 THEN 'web' ELSE 'post' END) AS decision_id, array_remove(array_agg(k.outcome), NULL) AS outcomes
	FROM generate_series(0, 255) s LEFT JOIN kind k ON s >> k.n & 1 = 1 GROUP BY s;
SELECT pg_temp.clock('2026-07-01 10:10+00') \g /dev/null
SELECT count(xsell_reward(decision_id, o)) FROM sets, unnest(outcomes) o GROUP BY id, o ORDER BY hashtext(id || o) \g /dev/null
CREATE FUNCTION pg_temp.counting(said text[]) RETURNS text[] LANGUAGE sql AS $$	-- what is not reversed by what is not reversed
	SELECT coalesce(array_agg(k.outcome), '{}') FROM kind k WHERE k.outcome = ANY (said) AND NOT EXISTS (SELECT FROM kind r WHERE r.outcome = ANY (said) AND r.reverses = k.outcome
		AND NOT EXISTS (SELECT FROM kind rr WHERE rr.outcome = ANY (said) AND rr.reverses = r.outcome))
$$;
CREATE TABLE found AS SELECT s.id, s.outcomes, pg_temp.counting(outcomes) AS counting, pg_temp.x(id, 'card', 'web') AS during, pg_temp.goes(id, 'card', '2026-07-01 10:10+00') AS went, decision_id FROM sets s;
SELECT pg_temp.clock('2026-07-01 11:00+00') \g /dev/null
CREATE TABLE later AS SELECT s.id, pg_temp.x(id, 'fund', 'web') AS after FROM sets s;
SELECT results_eq($$SELECT count(*), count(DISTINCT outcomes) FROM found$$, 'VALUES (256::bigint, 128::bigint)', 'all sets of seven kinds, through both channels');
SELECT results_eq($$SELECT pg_temp.counting(s::text[]) FROM (VALUES ('{conversion,cancellation}'), ('{conversion,cancellation,reinstatement}'), ('{bounce,found}'), ('{cancellation}')) v (s)$$,
	$$VALUES ('{cancellation}'::text[]), ('{conversion,reinstatement}'), ('{found}'), ('{cancellation}')$$, 'the definition means this');
-- A conversion that counts starts the cool-down, else a contact uses up the cap; an offer that was only reported undelivered is none.
SELECT is_empty($$SELECT * FROM found WHERE during IS DISTINCT FROM CASE WHEN 'conversion' = ANY (counting) THEN 'cooldown:bought' WHEN counting = '{bounce}' THEN 'allowed' ELSE 'cap:once' END$$, 'contacts use the cap, and conversions start their cool-down');
SELECT is_empty($$SELECT * FROM found WHERE went <> CASE WHEN counting = '{bounce}' THEN 0 ELSE decision_id END$$, 'outcomes are attributed to contacts');
-- The web's window has ended, that of the post has not. What answers is whatever is no report of a delivery.
SELECT is_empty($$SELECT * FROM found JOIN later USING (id) WHERE after IS DISTINCT FROM CASE WHEN id < 228 AND counting <@ '{delivered,bounce}' AND counting <> '{bounce}' THEN 'quiet:ignored' ELSE 'allowed' END$$, 'who had the offer and did not answer is left in peace');
SELECT is_empty($$SELECT FROM sets s JOIN xsell.decision d USING (decision_id) WHERE d.awaits_delivery <> (id >= 228)$$, 'an offer by post awaits its delivery, and counts from the decision on');
-- Windows of products
UPDATE xsell.cooldown SET outcome = 'decline';
SELECT pg_temp.offer(400, 'loan', 'web', '2026-07-02 10:00+00'), pg_temp.offer(401, 'fund', 'web') \g /dev/null
SELECT is((SELECT array_agg(pg_temp.x(k, 'card', 'web') ORDER BY k) FROM generate_series(400, 401) k), '{allowed,allowed}', 'nothing is ignored at once');
SELECT pg_temp.clock('2026-07-02 11:59+00') \g /dev/null
SELECT is((SELECT array_agg(pg_temp.x(k, 'card', 'web') ORDER BY k) FROM generate_series(400, 401) k), '{allowed,allowed}', 'nor while the product''s window lasts, longer than the channel''s');
SELECT pg_temp.clock('2026-07-02 12:00+00') \g /dev/null
SELECT is((SELECT array_agg(pg_temp.x(k, 'card', 'web') ORDER BY k) FROM generate_series(400, 401) k), '{allowed,quiet:ignored}', 'then it is');
DELETE FROM xsell.quiet; DELETE FROM xsell.cooldown; DELETE FROM xsell.cap;

-- -------------------------------------------------------------------------- opt-outs --

SELECT pg_temp.clock('2026-08-03 10:00+00') \g /dev/null
SELECT pg_temp.offer(500 + n, 'card', 'web') AS d FROM generate_series(1, 4) n \g /dev/null
BEGIN;
SELECT is(xsell_reward_customer(501, 'card', 'unsubscribe'), 'recorded', 'a customer unsubscribes');
SELECT is(ARRAY[pg_temp.x(501, 'card', 'web'), pg_temp.x(501, 'card', 'post')], '{opted_out,allowed}', 'which binds the next decision of the transaction, on that channel');
SELECT is(pg_temp.offer(501, 'fund', 'web'), NULL, 'so it is decided');
INSERT INTO xsell.intake (customer_key, product, outcome) VALUES (502, 'card', 'leave');
SELECT is(pg_temp.x(502, 'card', 'web'), 'allowed', 'what was only loaded');
SELECT results_eq('SELECT * FROM xsell_take_in()', 'VALUES (1::bigint, 0::bigint, 0::bigint)', 'binds once it is taken in');
SELECT is(ARRAY[pg_temp.x(502, 'card', 'web'), pg_temp.x(502, 'card', 'post')], '{opted_out,opted_out}', 'through all channels');
SELECT is(xsell_reward_customer(501, 'card', 'mistake'), 'recorded', 'what reverses an opt-out');
SELECT is(pg_temp.x(501, 'card', 'web'), 'opted_out', 'gives no consent: only a row of xsell.consent does');
COMMIT;
SELECT is(ARRAY[pg_temp.x(501, 'card', 'web'), pg_temp.x(502, 'card', 'web')], '{opted_out,opted_out}', 'and all later ones');

-- ----------------------------------------------------------------------------- intake --

SELECT pg_temp.clock('2026-09-01 10:00+00') \g /dev/null
CREATE TABLE feed AS SELECT id, pg_temp.offer(id, 'card', 'web') AS d FROM generate_series(1001, 1100) id;
SELECT pg_temp.clock('2026-09-01 10:30+00') \g /dev/null
TRUNCATE xsell.dangling;
CREATE TABLE before AS SELECT count(*) FROM xsell.outcome;
\copy xsell.intake (decision_id, customer_key, product, outcome, value, occurred_at, event_id) FROM PROGRAM 'echo "1,,,click,,,"' (FORMAT csv)
INSERT INTO xsell.intake (decision_id, outcome, event_id) SELECT d, 'click', 'i' || id FROM feed WHERE id <= 1050;
INSERT INTO xsell.intake (customer_key, product, outcome, value, occurred_at, event_id) SELECT id, 'card', 'conversion', id, '2026-09-01 10:20+00', 'j' || id FROM feed WHERE id > 1040;
INSERT INTO xsell.intake (decision_id, outcome, event_id) SELECT d, 'click', 'i' || id FROM feed WHERE id <= 1010;	-- again
INSERT INTO xsell.intake (decision_id, outcome) VALUES (NULL, 'click'), (1, NULL);
INSERT INTO xsell.intake (customer_key, outcome) VALUES (1001, 'click');
INSERT INTO xsell.intake (decision_id, outcome, value) SELECT d, 'click', 'infinity' FROM feed LIMIT 1;
UPDATE xsell.intake SET arrived_by = 'loader';
SELECT throws_ok('SELECT xsell_take_in(0)', '22023', 'max_rows must be at least 1');
CREATE TABLE took AS SELECT * FROM xsell_take_in(50);
INSERT INTO took SELECT * FROM xsell_take_in(50);
INSERT INTO took SELECT * FROM xsell_take_in();
SELECT results_eq('SELECT sum(recorded), sum(duplicate), sum(dangling), min(recorded + duplicate + dangling) FROM took', 'VALUES (110::numeric, 10::numeric, 5::numeric, 25::bigint)', 'all is taken in, as much as was asked for at a time');
SELECT is_empty('SELECT FROM xsell.intake', 'the intake is empty');
SELECT results_eq('SELECT * FROM xsell_take_in()', 'VALUES (0::bigint, 0::bigint, 0::bigint)', 'once');
SELECT is((SELECT count(*) FROM xsell.outcome), 110 + count, 'and recorded') FROM before;
SELECT results_eq($$SELECT outcome, count(*), round(sum(value)), min(occurred_at), max(occurred_at), min(recorded_by), count(DISTINCT event_id) FROM xsell.outcome WHERE customer_key > 1000 GROUP BY 1 ORDER BY 1$$, $$VALUES
	('click', 50::bigint, (SELECT round(sum(0.1 * 2 * id)) FROM feed WHERE id <= 1050)::float8, '2026-09-01 10:30+00'::timestamptz, '2026-09-01 10:30+00'::timestamptz, 'loader', 50::bigint),
	('conversion', 60, (SELECT sum(id) FROM feed WHERE id > 1040), '2026-09-01 10:20+00', '2026-09-01 10:20+00', 'loader', 60)$$, 'with what was loaded, the present where no time was, and who loaded it');
SELECT results_eq('SELECT reason, noted_by FROM xsell.dangling ORDER BY 1', $$VALUES ('decision 1 does not exist', 'loader'), ('decision_id must not be null', 'loader'), ('outcome must not be null', 'loader'), ('product must not be null', 'loader'), ('value of an outcome must be a finite number', 'loader')$$, 'the rest dangles');

-- By the real clock, what has no time occurred when it arrived.
RESET xsell.simulated_now;
SELECT pg_temp.offer(1300, 'card', 'web') AS real \gset
INSERT INTO xsell.intake (decision_id, outcome) VALUES (:real, 'click');
UPDATE xsell.intake SET arrived_at = arrived_at - interval '10 seconds';
CREATE TABLE arrived AS SELECT arrived_at FROM xsell.intake;
SELECT results_eq('SELECT * FROM xsell_take_in()', 'VALUES (1::bigint, 0::bigint, 0::bigint)', 'an outcome without a time');
SELECT is(occurred_at, arrived_at, 'occurred when it arrived') FROM xsell.outcome, arrived WHERE decision_id = :real;
SELECT pg_temp.clock('2026-09-01 10:40+00') \g /dev/null

-- What dangles is tried again when asked, and leaves when its decision is there.
TRUNCATE xsell.dangling;
BEGIN;
CREATE TEMP TABLE gone AS SELECT x.* FROM xsell.decision x WHERE decision_id IN (SELECT d FROM feed WHERE id > 1095);
DELETE FROM xsell.decision WHERE decision_id IN (SELECT decision_id FROM gone);
INSERT INTO xsell.intake (decision_id, outcome, occurred_at) SELECT d, 'click', '2026-09-01 10:10+00' FROM feed WHERE id > 1090;
INSERT INTO xsell.intake (decision_id, outcome) SELECT d, 'click' FROM feed WHERE id > 1098;
SELECT results_eq('SELECT * FROM xsell_take_in()', 'VALUES (5::bigint, 0::bigint, 7::bigint)', 'decisions that are not there yet');
SELECT results_eq('SELECT * FROM xsell_take_in()', 'VALUES (0::bigint, 0::bigint, 0::bigint)', 'are not looked for again');
SELECT results_eq('SELECT * FROM xsell_take_in(NULL, true)', 'VALUES (0::bigint, 0::bigint, 7::bigint)', 'unless asked');
INSERT INTO xsell.decision SELECT * FROM gone WHERE decision_id <> (SELECT d FROM feed WHERE id = 1096);
SELECT results_eq('SELECT * FROM xsell_take_in(3, true)', 'VALUES (2::bigint, 0::bigint, 1::bigint)', 'once they are there, they are recorded');
SELECT results_eq('SELECT * FROM xsell_take_in(retry_dangling => true)', 'VALUES (2::bigint, 2::bigint, 1::bigint)', 'or are duplicates');
SELECT results_eq('SELECT decision_id FROM xsell.dangling', 'SELECT d FROM feed WHERE id = 1096', 'the others stay');
SELECT is((SELECT array_agg(DISTINCT occurred_at) FROM xsell.outcome WHERE outcome = 'click' AND customer_key BETWEEN 1097 AND 1100), '{2026-09-01 10:10+00}', 'with the time they had');
ROLLBACK;

-- An error of another kind undoes the call and loses nothing.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one' USING ERRCODE = 'P0BNK'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON xsell.outcome FOR EACH ROW WHEN (NEW.customer_key = 1097) EXECUTE FUNCTION refuse();
INSERT INTO xsell.intake (decision_id, outcome) SELECT d, 'complaint' FROM feed;
SELECT throws_ok('SELECT xsell_take_in()', 'P0BNK', 'not this one', 'a trigger''s error is the call''s');
SELECT is((SELECT count(*) FROM xsell.intake), 100::bigint, 'nothing was taken');
SELECT is_empty($$SELECT FROM xsell.outcome WHERE outcome = 'complaint' AND customer_key > 1000$$, 'nothing recorded');
DROP TRIGGER refuse ON xsell.outcome;
SELECT results_eq('SELECT * FROM xsell_take_in()', 'VALUES (100::bigint, 0::bigint, 0::bigint)', 'then all is');

-- Many at a time are learned as one at a time are.
SELECT pg_temp.clock('2026-10-01 10:00+00') \g /dev/null
SELECT * FROM xsell_learn() \g /dev/null
UPDATE xsell.agent SET learning = 'online';
SELECT count(pg_temp.offer(id, 'card', 'post')) FROM generate_series(1, 2000) id \g /dev/null
CREATE TABLE many AS SELECT decision_id AS d, row_number() OVER (ORDER BY decision_id) AS n FROM xsell.decision WHERE product IS NOT NULL AND channel = 'post' AND decision_id >= xsell_id_at('2026-10-01');
SELECT pg_temp.clock('2026-10-02 10:00+00') \g /dev/null
SELECT count(xsell_reward(d, 'conversion')) FROM many WHERE n <= 900 AND n % 2 = 0 \g /dev/null
SELECT is((SELECT count(*) FROM xsell.experience JOIN many ON d = decision_id WHERE reward = 1), 450::bigint, 'what a statement reports is learned when it commits');
INSERT INTO xsell.intake (decision_id, outcome) SELECT d, CASE n % 3 WHEN 0 THEN 'conversion' ELSE 'click' END FROM many WHERE n > 900;
SELECT results_eq('SELECT * FROM xsell_take_in()', 'VALUES (1099::bigint, 0::bigint, 0::bigint)', 'a batch');
SELECT is_empty($$SELECT o.decision_id FROM (SELECT decision_id, max(reward) AS reward FROM xsell.outcome WHERE decision_id IN (SELECT d FROM many) GROUP BY 1) o LEFT JOIN LATERAL (SELECT e.reward FROM xsell.experience e
	WHERE e.decision_id = o.decision_id ORDER BY model_version DESC LIMIT 1) e ON true WHERE o.reward IS DISTINCT FROM e.reward$$, 'all of it is learned');
SELECT is_empty($$SELECT product, encoding, bucket, beta::text, glm::text, harm::text FROM xsell_rebuild_evidence('bank') EXCEPT SELECT product, encoding, bucket, beta::text, glm::text, harm::text FROM xsell.evidence WHERE agent = 'bank'$$, 'exactly');
BEGIN;
SELECT count(pg_temp.offer(id, 'loan', 'web')) FROM generate_series(1, 100) id \g /dev/null
DO $$ BEGIN FOR i IN 1 .. 100 LOOP PERFORM xsell_reward(d.decision_id, 'conversion') FROM xsell.decision d WHERE customer_key = i AND product = 'loan' AND decision_id >= xsell_id_at('2026-10-02'); END LOOP; END $$;
SAVEPOINT undone;
SELECT count(xsell_reward(decision_id, 'complaint')) FROM xsell.decision WHERE product = 'loan' AND decision_id >= xsell_id_at('2026-10-02') \g /dev/null
ROLLBACK TO undone;
COMMIT;
SELECT results_eq($$SELECT e.reward, e.harm, count(*) FROM xsell.experience e JOIN xsell.decision d USING (decision_id) WHERE product = 'loan' AND decision_id >= xsell_id_at('2026-10-02') AND NOT EXISTS
	(SELECT FROM xsell.experience l WHERE l.decision_id = e.decision_id AND l.model_version > e.model_version) GROUP BY 1, 2$$, 'VALUES (1::float8, 0::float8, 100::bigint)', 'so is what a transaction reports one by one, and only what it did not undo');

-- Decisions that have no outcome are learned with those of others, as many as one by one would have.
DO $$ BEGIN FOR i IN 1 .. 6 LOOP PERFORM count(d) FROM customer c, xsell_decide(c, '{fund}', 'bank', 'web') d; END LOOP; END $$;
CREATE TABLE funds AS SELECT decision_id AS d, row_number() OVER (ORDER BY decision_id) AS n FROM xsell.decision WHERE product = 'fund' AND decision_id >= xsell_id_at('2026-10-02');
SELECT pg_temp.clock('2026-10-03 10:00+00') \g /dev/null
SELECT count(xsell_reward(d, 'conversion')) FROM funds WHERE n <= 300 \g /dev/null
SELECT cmp_ok((SELECT count(*) FROM funds), '>', 11000::bigint, 'of many offers');
SELECT is((SELECT count(*) FROM funds WHERE NOT EXISTS (SELECT FROM xsell.experience e WHERE e.decision_id = d)), 0::bigint, 'with a few outcomes, none is left behind');

-- The last step is part of the transaction, with its triggers, if it may be taken.
CREATE TABLE seen (decision_id bigint);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.decision_id); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER see AFTER INSERT ON xsell.experience DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see();
SELECT count(xsell_reward(d, 'conversion')) FROM funds WHERE n BETWEEN 301 AND 400 \g /dev/null
SELECT is((SELECT count(DISTINCT decision_id) FROM seen), 100::bigint, 'a deferred trigger of the bank sees all that is learned');
DROP TRIGGER see ON xsell.experience;
BEGIN;
SELECT count(xsell_reward(d, 'conversion')) FROM funds WHERE n BETWEEN 401 AND 500 \g /dev/null
SET TRANSACTION READ ONLY;
COMMIT;
SELECT is((SELECT count(*) FROM xsell.outcome JOIN funds ON d = decision_id WHERE n BETWEEN 401 AND 500), 100::bigint, 'a transaction that has promised to write no more commits');
SELECT count(xsell_reward(d, 'conversion')) FROM funds WHERE n = 501 \g /dev/null
SELECT is((SELECT count(*) FROM xsell.experience e JOIN funds ON d = decision_id WHERE n BETWEEN 401 AND 501 AND e.reward = 1), 101::bigint, 'the next outcome is learned with its own');

-- ----------------------------------------------------------------------------- harm --

SELECT pg_temp.clock('2026-11-02 10:00+00') \g /dev/null
CREATE FUNCTION pg_temp.p(agent text, product text) RETURNS float8 LANGUAGE sql AS $$ SELECT r.probability FROM customer c, xsell_rank(c, NULL, $1) r WHERE c.id = 1999 AND r.product = $2 $$;
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy, oracle, harm_price, schedule)
	SELECT s, 'customer', 'id', 7, 'deferred', s, 'beta', 5, 'constant' FROM unnest('{thompson,ucb,epsilon_greedy,squarecb}'::text[]) s;
INSERT INTO xsell.channel (agent, channel) SELECT agent, 'web' FROM xsell.agent WHERE agent <> 'bank';
INSERT INTO xsell.offer (agent, product) SELECT agent, p FROM xsell.agent, unnest('{card,loan}'::text[]) p WHERE agent <> 'bank';
INSERT INTO xsell.outcome_kind (agent, outcome, reward, harm) SELECT agent, 'complaint', 0, 1 FROM xsell.agent WHERE agent <> 'bank';
-- Both products convert alike, the card a little better: it is preferred, or not avoided.
CREATE TABLE offered AS SELECT a.agent, d.* FROM xsell.agent a, customer c, unnest('{card,loan}'::text[]) p, LATERAL xsell_decide(c, ARRAY[p], a.agent) d WHERE a.agent <> 'bank' AND id <= 200;
SELECT count(xsell_reward(decision_id, 'conversion')) FROM (SELECT *, row_number() OVER (PARTITION BY agent, product ORDER BY decision_id) AS n FROM offered) o WHERE n <= CASE product WHEN 'card' THEN 22 ELSE 20 END \g /dev/null
SELECT pg_temp.clock('2026-11-03 10:00+00') \g /dev/null
SELECT * FROM xsell_learn() \g /dev/null
CREATE TABLE p AS SELECT agent, pg_temp.p(agent, 'card') AS before, NULL::float8 AS after FROM xsell.agent WHERE agent <> 'bank';
SELECT count(xsell_reward(decision_id, 'complaint')) FROM (SELECT *, row_number() OVER (PARTITION BY agent ORDER BY decision_id) AS n FROM offered WHERE product = 'card') o WHERE n > 180 \g /dev/null
SELECT pg_temp.clock('2026-11-04 10:00+00') \g /dev/null
SELECT * FROM xsell_learn() \g /dev/null
UPDATE p SET after = pg_temp.p(agent, 'card');
SELECT cmp_ok(before, '>=', 0.5::float8, agent || ': before, the card is preferred') FROM p;
SELECT cmp_ok(after, '<', before * 0.6, format('%s: complaints shift the probability away, %s to %s', agent, round(before::numeric, 3), round(after::numeric, 3))) FROM p;

-- ------------------------------------------------------------------------- rights --

SELECT pg_temp.clock('2026-12-01 10:00+00') \g /dev/null
SELECT pg_temp.offer(1200, 'card') AS fed, pg_temp.offer(1201, 'card') AS loaded \gset
SELECT results_eq($$SELECT proname::text COLLATE "C" FROM pg_proc WHERE proname IN ('xsell_reward', 'xsell_reward_customer', 'xsell_take_in') AND NOT has_function_privilege('public', oid, 'EXECUTE') AND provolatile = 'v' AND proparallel = 'u' ORDER BY 1$$,
	$$VALUES ('xsell_reward' COLLATE "C"), ('xsell_reward_customer'), ('xsell_take_in')$$, 'nobody may, who was not granted it');
CREATE ROLE xsell_test_outcomes;
GRANT EXECUTE ON FUNCTION xsell_reward, xsell_take_in TO xsell_test_outcomes;
GRANT INSERT (decision_id, customer_key, product, agent, outcome, value, occurred_at, event_id) ON xsell.intake TO xsell_test_outcomes;
SET SESSION AUTHORIZATION xsell_test_outcomes;
SELECT is(xsell_reward(:fed, 'conversion'), 'recorded', 'a feed reports an outcome');
SELECT is(xsell_reward(1, 'conversion', dangling => true), 'dangling', 'or one that dangles');
INSERT INTO xsell.intake (decision_id, outcome) VALUES (:loaded, 'conversion');
SELECT is(recorded, 1::bigint, 'or loads it and has it taken in') FROM xsell_take_in(retry_dangling => true);
SELECT throws_ok(c, '42501', NULL, 'but no: ' || c) FROM unnest(ARRAY['TABLE xsell.intake', 'TABLE xsell.outcome', 'TABLE xsell.dangling', 'TABLE xsell.decision', 'DELETE FROM xsell.intake', 'UPDATE xsell.intake SET outcome = ''x''',
	'INSERT INTO xsell.intake (outcome, arrived_by) VALUES (''click'', ''somebody'')', 'INSERT INTO xsell.outcome (outcome) VALUES (''click'')', 'SELECT xsell_learn()', 'SELECT xsell_reward_customer(1, ''card'', ''click'')', 'TRUNCATE xsell.intake', 'SELECT FROM customer']) c;
RESET SESSION AUTHORIZATION;
SELECT results_eq($$SELECT DISTINCT recorded_by FROM xsell.outcome WHERE decision_id >= xsell_id_at('2026-12-01') AND customer_key IN (1200, 1201)$$, $$VALUES ('xsell_test_outcomes' COLLATE "default")$$, 'under its own name');
DROP OWNED BY xsell_test_outcomes;
DROP ROLE xsell_test_outcomes;

-- --------------------------------------------------------------- where it cannot write --

BEGIN READ ONLY;
SELECT throws_ok(c, '25006', f || ' cannot run in a read-only transaction', f || ' says so') FROM (VALUES ('SELECT xsell_take_in()', 'xsell_take_in'), ('SELECT xsell_reward_customer(1, ''card'', ''click'')', 'xsell_reward_customer')) v (c, f);
COMMIT;

-- Nor is there anything to learn where the journal is gone.
UPDATE xsell.agent SET learning = 'online';
BEGIN;
SELECT count(xsell_reward(d, 'decline')) FROM funds WHERE n BETWEEN 601 AND 700 \g /dev/null
SELECT xsell_drop_journal() \g /dev/null
COMMIT;
SELECT is(to_regclass('xsell.decision'), NULL, 'a transaction that reports outcomes and then drops the journal commits');
SELECT * FROM finish();
