-- The journal: ids, the type of candidates, creation, privileges, partitions, the
-- writers under adverse conditions.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;
SELECT plan(112);

-- ------------------------------------------------------------------- ids --

SELECT is(xsell_decided_at(xsell_id_at(t)), date_trunc('milliseconds', t), 'an id keeps the millisecond of ' || t)
FROM unnest(ARRAY['2024-01-01 00:00:00.000999+00', '2025-02-28 23:59:59.9999+05', '2026-07-01 12:00:00+00', '2093-09-01 00:00+00']::timestamptz[]) t;
SELECT is(xsell_id_at('2024-01-01 00:00+00'), 0::bigint, 'ids begin with 2024');
SELECT is(xsell_id_at('2024-01-01 00:00:00.001+00'), (1 << 22)::bigint, 'a millisecond has 2^22 ids');
SELECT is(xsell_id_at(t), 0::bigint, 'no id is older than ' || t)
FROM unnest(ARRAY['2023-12-31', '1900-01-01', '-infinity']::timestamptz[]) t;
SELECT is(xsell_id_at(t), 9223372036854775807, 'no id is of ' || t)
FROM unnest(ARRAY['2094-01-01', '9999-01-01', 'infinity']::timestamptz[]) t;
SELECT is(xsell_decided_at(9223372036854775807), '2093-09-06 15:47:35.551+00', 'the last id');
SELECT throws_ok('SELECT xsell_decided_at(-1)', '22023', 'invalid decision id: -1');
SELECT is_empty($$SELECT oid::regprocedure FROM pg_proc WHERE proname IN ('xsell_id_at', 'xsell_decided_at', 'xsell_candidates_list')
	AND (provolatile, proparallel, proisstrict) IS DISTINCT FROM ('i', 's', true)$$, 'functions of ids are immutable, strict, parallel safe');

-- ------------------------------------------------------------ candidates --

CREATE TABLE candidates (n serial, c xsell_candidates);
INSERT INTO candidates (c) VALUES
	('[]'),
	('[{"arm": 0, "excluded": "held"}]'),
	('[{"arm": 65535, "excluded": ""}, {"arm": 3, "mean": -2.5, "sd": 0.25, "probability": 1}]'),
	('[{"arm": 7, "mean": 0.1, "sd": 1e-45, "value": 3.4028235e+38, "cost": -1.17549435e-38, "propensity": 5e-324, "probability": 0.30000000000000004, "tail": [1, -0.33333334, 1e+10]}]'),
	('[{"arm": 1, "excluded": "rule:\"ü\"\n", "mean": 1, "sd": 2, "propensity": 0}]'),
	('[{"arm": 2, "value": 0, "cost": 0.5, "propensity": 1}]');
SELECT is(c::text::xsell_candidates::text, c::text, 'text round trip ' || n) FROM candidates;
SELECT ok(c::text::xsell_candidates = c, 'text round trip to the bit ' || n) FROM candidates;
SELECT is(c::text, '[{"arm": 7, "mean": 0.1, "sd": 1e-45, "value": 3.4028235e+38, "cost": -1.1754944e-38, "propensity": 5e-324, "probability": 0.30000000000000004, "tail": [1, -0.33333334, 1e+10]}]',
	'numbers in their shortest exact form') FROM candidates WHERE n = 4;
SELECT is('[{"probability": 0.0, "arm": 1, "value": 1.0, "cost": 0, "mean": -0.0, "tail": []}]'::xsell_candidates::text, '[{"arm": 1}]', 'defaults are left out');
SELECT ok('[{"arm": 1, "mean": 0.1}]'::xsell_candidates = '[{"mean": 0.1, "sd": 0, "arm": 1}]'::xsell_candidates, 'equal');
SELECT ok(NOT '[{"arm": 1, "mean": 0.1}]'::xsell_candidates = '[{"arm": 1, "mean": 0.10000001}]'::xsell_candidates, 'not equal');
SET extra_float_digits = -10;
SELECT ok(c::text::xsell_candidates = c, 'exact whatever extra_float_digits ' || n) FROM candidates WHERE n = 4;
RESET extra_float_digits;

-- Through the binary form, which COPY validates.
CREATE FUNCTION binary_round_trip() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	file text := current_setting('data_directory') || '/xsell_candidates.copy';
	same bigint;
BEGIN
	CREATE TEMP TABLE copied (LIKE candidates);
	EXECUTE format('COPY candidates TO %L (FORMAT binary)', file);
	EXECUTE format('COPY copied FROM %L (FORMAT binary)', file);
	SELECT count(*) INTO same FROM candidates JOIN copied USING (n) WHERE candidates.c = copied.c;
	RETURN same;
END $$;
SELECT is(binary_round_trip(), 6::bigint, 'binary round trip');
SELECT is(length(xsell_candidates_send(c)), 4, 'binary form of none') FROM candidates WHERE n = 1;

-- Longer than a page: TOASTed and compressed.
INSERT INTO candidates (c) SELECT jsonb_agg(jsonb_build_object('arm', i, 'mean', (i / 7.0)::real, 'sd', 1, 'tail', ARRAY[i, i, i]))::text::xsell_candidates FROM generate_series(0, 999) i;
SELECT is(count(*) FILTER (WHERE l.mean = (l.arm / 7.0)::real AND l.tail = ARRAY[l.arm, l.arm, l.arm]::real[]), 1000::bigint, 'a thousand candidates')
FROM candidates, xsell_candidates_list(c) l WHERE n = 7;

SELECT results_eq($$SELECT l.* FROM candidates, xsell_candidates_list(c) l WHERE n IN (3, 6) ORDER BY arm$$,
	$$VALUES (2, NULL, 0::real, 0::real, 0::real, 0.5::real, 1::float8, 0::float8, '{}'::real[]),
		(3, NULL, -2.5, 0.25, 1, 0, NULL, 1, '{}'),
		(65535, '', NULL, NULL, 1, 0, NULL, 0, '{}')$$, 'the list');
SELECT is_empty($$SELECT * FROM xsell_candidates_list('[]')$$, 'an empty list');

SELECT throws_ok(format('SELECT %L::xsell_candidates', input), state, NULL, coalesce(nullif(input, ''), '(empty)') || ' is refused')
FROM (VALUES ('', '22P02'), ('{', '22P02'), ('1', '22P02'), ('{}', '22P02'), ('[1]', '22P02'), ('[[]]', '22P02'), ('null', '22P02'),
	('[{}]', '22P02'), ('[{"arm": -1}]', '22P02'), ('[{"arm": 65536}]', '22P02'), ('[{"arm": 1.5}]', '22P02'), ('[{"arm": "1"}]', '22P02'),
	('[{"arm": null}]', '22P02'), ('[{"arm": 1, "ARM": 2}]', '22P02'), ('[{"arm": 1, "excluded": 1}]', '22P02'), ('[{"arm": 1, "tail": 1}]', '22P02'),
	('[{"arm": 1, "tail": {}}]', '22P02'), ('[{"arm": 1, "tail": [null]}]', '22P02'), ('[{"arm": 1, "tail": [[1]]}]', '22P02'),
	('[{"arm": 1, "mean": "NaN"}]', '22P02'), ('[{"arm": 1, "mean": 1e39}]', '22003'), ('[{"arm": 1, "mean": 1e-60}]', '22003'),
	('[{"arm": 1, "sd": -1}]', '22003'), ('[{"arm": 1, "propensity": 1.1}]', '22003'), ('[{"arm": 1, "propensity": -1e-300}]', '22003'),
	('[{"arm": 1, "probability": 1.0000000000000002}]', '22003'), ('[{"arm": 1, "probability": 1e400}]', '22003'),
	('[{"arm": 1, "probability": 0.5, "excluded": "held"}]', '22003'), ('[{"arm": 1}, {"arm": 2}, {"arm": 1}]', '22023'),
	('[{"arm": 1, "color": 2}]', '22P02')) bad (input, state);

-- -------------------------------------------------------------- creation --

SELECT throws_ok('SELECT xsell_create_partition(now(), now() + interval ''1 day'')', '42P01', 'the xsell journal does not exist');
SELECT throws_ok('SELECT xsell_create_journal(NULL)', '22004', 'the journal needs the type of the customer key');
SELECT throws_ok('SELECT xsell_create_journal(''no_such_type'')', '42704', 'type "no_such_type" does not exist');
SELECT throws_ok('SELECT xsell_create_journal(''point'')', '42704', NULL, 'a key must be sortable');

CREATE ROLE xsell_test_owner;
CREATE ROLE xsell_test_app;
GRANT CREATE, USAGE ON SCHEMA xsell TO xsell_test_owner;
GRANT EXECUTE ON FUNCTION xsell_create_journal TO xsell_test_owner;
SET LOCAL ROLE xsell_test_app;
SELECT throws_ok('SELECT xsell_create_journal(''bigint'')', '42501', NULL, 'not everyone may create a journal');
SET LOCAL ROLE xsell_test_owner;
SELECT lives_ok('SELECT xsell_create_journal(''bigint'')', 'a user without superuser rights may, if granted');
SELECT throws_ok('SELECT xsell_create_journal(''uuid'')', '42P07', 'the journal already exists');
RESET ROLE;

SELECT set_eq($$SELECT relname::text FROM pg_class WHERE relnamespace = 'xsell'::regnamespace AND relkind IN ('r', 'p') AND relowner = 'xsell_test_owner'::regrole$$,
	ARRAY['decision', 'decision_default', 'outcome', 'intake', 'dangling', 'experience', 'evidence', 'segment_evidence', 'learner', 'late', 'held', 'heartbeat', 'import', 'forgotten', 'refit', 'refit_mean', 'refit_evidence', 'promotion', 'contact', 'request', 'consent'], 'the journal belongs to its creator');
SELECT is_empty($$SELECT objid::regclass FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e'
	AND objid IN (SELECT oid FROM pg_class WHERE relowner = 'xsell_test_owner'::regrole)$$, '... and not to the extension');
SELECT is_empty($$SELECT oid::regclass FROM pg_class c WHERE relowner = 'xsell_test_owner'::regrole AND relkind IN ('r', 'p') AND obj_description(oid) IS NULL$$, 'every table has a comment');
SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relowner = 'xsell_test_owner'::regrole
	AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND col_description(attrelid, attnum) IS NULL$$, 'every column has a comment');
SELECT is_empty($$SELECT oid::regclass FROM pg_class c WHERE relowner = 'xsell_test_owner'::regrole AND relacl IS NOT NULL$$, 'nobody else has rights on it');

-- ------------------------------------------------------------- partitions --

SET LOCAL timezone = 'UTC';
SELECT is(xsell_create_partition('2030-01-01', '2030-02-01')::text, 'xsell.decision_20300101', 'a partition');
SELECT is(xsell_create_partition('2030-02-01 06:00', '2030-02-02')::text, 'xsell.decision_20300201_060000', 'a partition that starts within a day');
SELECT throws_ok('SELECT xsell_create_partition(''2030-01-31'', ''2030-03-01'')', '42P17', NULL, 'partitions must not overlap');
SELECT throws_ok('SELECT xsell_create_partition(''2030-04-01'', ''2030-04-01'')', '22023', 'a partition must end after it starts');
SELECT throws_ok('SELECT xsell_create_partition(NULL, ''2030-04-01'')', '22023', 'a partition must end after it starts');

-- -------------------------------------------------------------- decisions --

CREATE TABLE customers (id bigint PRIMARY KEY);
INSERT INTO customers SELECT generate_series(1, 3000);
INSERT INTO xsell.agent (agent, customer_table, customer_key, learning) VALUES ('retail', 'customers', 'id', 'hold');
INSERT INTO xsell.channel (agent, channel) VALUES ('retail', 'web'), ('retail', 'email');
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('account', false);
INSERT INTO xsell.offer (agent, product) VALUES ('retail', 'card'), ('retail', 'account');
INSERT INTO xsell.cap (agent, cap, channel, max_offers, per) VALUES ('retail', 'weekly', 'email', 1, '7 days');

-- To the planner the tables are empty, and best read from end to end.
ANALYZE xsell.decision_default, xsell.contact, xsell.request;
CREATE TABLE run AS SELECT row_number() OVER () AS n, d.* FROM customers c, xsell_decide(c, channel => 'web') d;
SELECT cmp_ok(seq_scan, '<', 10::bigint, 'contacts are found by index, however small the table was when the statement was planned')
FROM pg_stat_xact_user_tables WHERE relid = 'xsell.contact'::regclass;
SELECT is(count(DISTINCT decision_id), 3000::bigint, 'ids are unique') FROM run;
SELECT is(count(*), 0::bigint, 'ids rise') FROM run a JOIN run b ON b.n = a.n + 1 WHERE a.decision_id >= b.decision_id;
SELECT cmp_ok(max(abs(extract(epoch FROM clock_timestamp() - xsell_decided_at(decision_id)))), '<', 60::numeric, 'ids know the time') FROM run;
SELECT is(count(*), 3000::bigint, 'every decision is logged') FROM run JOIN xsell.decision USING (decision_id, product, channel, probability, expected, mode, reason);
SELECT is(count(*), 3000::bigint, 'every offer is a contact') FROM run r JOIN xsell.decision d USING (decision_id) JOIN xsell.contact c USING (customer_key)
	WHERE c.decision_id = ARRAY[r.decision_id] AND c.agent = ARRAY['retail'] AND c.product = ARRAY[r.product] AND c.channel = ARRAY['web'];
SELECT throws_like('SELECT xsell_create_partition(date_trunc(''day'', now()), date_trunc(''day'', now()) + interval ''2 days'')',
	'the default partition holds decisions of the new partition''s time already', 'a partition comes too late');

-- The simulated clock: within one moment, on to the next, back to the first.
SET LOCAL xsell.simulated_now = '2030-01-15 00:00';
CREATE TABLE simulated AS SELECT 1 AS part, d.decision_id FROM customers c, xsell_decide(c, channel => 'web') d;
SET LOCAL xsell.simulated_now = '2030-01-16 00:00';
INSERT INTO simulated SELECT 2, d.decision_id FROM customers c, xsell_decide(c, channel => 'web') d WHERE id <= 100;
SET LOCAL xsell.simulated_now = '2030-01-15 00:00:00.002';
INSERT INTO simulated SELECT 3, d.decision_id FROM customers c, xsell_decide(c, channel => 'web') d WHERE id <= 100;
SELECT is(count(DISTINCT decision_id), 3200::bigint, 'no id is made twice when the simulated clock goes back') FROM simulated;
SELECT is(max(xsell_decided_at(decision_id)), '2030-01-15 00:00:00.006', 'ids beyond a millisecond''s go on in the next') FROM simulated WHERE part = 3;
SELECT is(min(decision_id), xsell_id_at('2030-01-15 00:00'), 'a simulation''s ids can be foretold') FROM simulated;
SELECT is(count(*), 3200::bigint, 'ids are routed to their partition') FROM xsell.decision_20300101;
SELECT is(c.decision_id, ARRAY(SELECT decision_id FROM xsell.decision WHERE customer_key = 7 AND xsell_decided_at(decision_id) > '2030-01-01' ORDER BY 1),
	'contacts stay in order, and old ones are dropped') FROM xsell.contact c WHERE customer_key = 7;
SET LOCAL xsell.simulated_now = '2023-06-01';
SELECT throws_ok('SELECT xsell_decide(c) FROM customers c', '22008', 'cannot make a decision id for a time before 2024');
SET LOCAL xsell.simulated_now = '2100-06-01';
SELECT throws_ok('SELECT xsell_decide(c) FROM customers c', '22008', 'cannot make a decision id for a time after 2093');
RESET xsell.simulated_now;

-- Neither rights on the journal nor a friendly search_path are needed.
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.stop(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'an operator of the caller was called as %', current_user; END$$;
CREATE FUNCTION hostile.stop(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'an operator of the caller was called as %', current_user; END$$;
CREATE FUNCTION hostile.stop(text, text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'an operator of the caller was called as %', current_user; END$$;
CREATE OPERATOR hostile.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hostile.stop);
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.stop);
CREATE OPERATOR hostile.= (LEFTARG = anyelement, RIGHTARG = anyelement, FUNCTION = hostile.stop);
CREATE TABLE hostile.contact (customer_key bigint);
GRANT USAGE ON SCHEMA hostile TO xsell_test_app;
GRANT SELECT ON customers TO xsell_test_app;
GRANT EXECUTE ON FUNCTION xsell_decide TO xsell_test_app;
SET LOCAL ROLE xsell_test_app;
SELECT throws_ok('SELECT count(*) FROM xsell.decision', '42501', NULL, 'the caller cannot read the journal');
SET LOCAL search_path = hostile, public, pg_catalog;
CREATE TEMP TABLE answer AS SELECT d.* FROM customers c, xsell_decide(c, channel => 'web', request_key => 'again') d WHERE c.id OPERATOR(pg_catalog.=) 1;
INSERT INTO answer SELECT d.* FROM customers c, xsell_decide(c, channel => 'web', request_key => 'again') d WHERE c.id OPERATOR(pg_catalog.=) 1;
RESET ROLE;
RESET search_path;
SELECT is(count(*) || ' ' || count(DISTINCT decision_id), '2 1', 'a repeated request has one answer') FROM answer;
SELECT is(decided_by, session_user::text, 'the log names the session''s user') FROM xsell.decision WHERE decision_id IN (SELECT decision_id FROM answer);
SELECT is(current_user, session_user, 'the owner''s rights are given back');

-- Errors while running as the owner give the rights back, too.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'refused as %', current_user; END$$;
CREATE TRIGGER refuse BEFORE INSERT ON xsell.decision_default FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT throws_ok('SELECT xsell_decide(c, channel => ''web'') FROM customers c WHERE id = 2', 'P0001', 'refused as xsell_test_owner', 'the journal is written as its owner');
SELECT is(current_user, session_user, '... and only it');
DROP TRIGGER refuse ON xsell.decision_default;

-- ------------------------------------------------------ damaged by its owner --

UPDATE xsell.contact SET agent = '{}' WHERE customer_key = 3;
SELECT throws_ok('SELECT xsell_decide(c, channel => ''web'') FROM customers c WHERE id = 3', 'XX001', 'arrays of different lengths in a row of xsell.contact');
ALTER TABLE xsell.contact DROP CONSTRAINT contact_pkey;
SELECT throws_ok('SELECT xsell_decide(c, channel => ''web'') FROM customers c WHERE id = 4', '42P16', 'xsell.contact has no primary key');
ALTER TABLE xsell.contact DROP COLUMN agent;
SELECT throws_ok('SELECT xsell_decide(c, channel => ''web'') FROM customers c WHERE id = 4', '42P16', 'xsell.contact is not the table that xsell_create_journal made');

-- -------------------------------------------------------- other key types --

CREATE FUNCTION recreate(key_type regtype) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM xsell.agent;
	PERFORM xsell_drop_journal();
	DROP TABLE customers;
	PERFORM xsell_create_journal(key_type);
	EXECUTE format('CREATE TABLE customers (id %s PRIMARY KEY)', key_type);
	INSERT INTO xsell.agent (agent, customer_table, customer_key, learning) VALUES ('retail', 'customers', 'id', 'hold');
	INSERT INTO xsell.channel (agent, channel) VALUES ('retail', 'web');
	INSERT INTO xsell.offer (agent, product) VALUES ('retail', 'card');
	INSERT INTO xsell.cap (agent, cap, max_offers, per) VALUES ('retail', 'weekly', 1, '7 days');
END $$;
-- Equality of this type is not in pg_catalog, and is not that of text.
CREATE EXTENSION citext;
CREATE DOMAIN account AS varchar CHECK (value ~ '^A');
-- Two decisions for keys that are equal, of which the cap allows one.
CREATE FUNCTION twice(key_type regtype, one text, same text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answers text;
BEGIN
	PERFORM recreate(key_type);
	EXECUTE format($q$SELECT string_agg((d.mode = 'none')::text, ',' ORDER BY n) FROM (VALUES (1, %1$L::%3$s), (2, %2$L)) c (n, id),
		xsell_decide(c, products => CASE n WHEN 1 THEN ARRAY['card'] END) d$q$, one, same, key_type) INTO answers;
	RETURN answers || ' ' || (SELECT count(*) FROM xsell.contact);
END $$;
SELECT is(twice('text', 'a', 'a'), 'false,true 1', 'a customer key of type text');
SELECT is(twice('uuid', '9b2f3c1e-0000-4000-8000-000000000001', '9B2F3C1E-0000-4000-8000-000000000001'), 'false,true 1', 'a customer key of type uuid');
SELECT is(twice('account', 'A1', 'A1'), 'false,true 1', 'a customer key of a domain');
SELECT is(twice('citext', 'Ann', 'ANN'), 'false,true 1', 'a customer key of type citext');
SELECT is(twice('numeric', '1.0', '1.00'), 'false,true 1', 'a customer key of type numeric');

SELECT finish();
ROLLBACK;
