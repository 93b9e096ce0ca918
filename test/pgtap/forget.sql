-- forget.sql: a customer who is forgotten leaves the evidence as if they had never been there.
--
-- On random journals. The reference is learned anew from a copy of the log without
-- the customer's rows; that of refits is summed by plain SQL from such a copy.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
SELECT xsell_create_journal('text') \g /dev/null

CREATE TABLE customer (id text PRIMARY KEY, a float8, b text);
INSERT INTO customer SELECT 'c' || i, (i * 7 % 41 - 20) / 10.0, (ARRAY['north', 'south', NULL])[1 + i % 3] FROM generate_series(1, 60) i;
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('loan', true), ('fund', false);
SET xsell.simulated_now = '2026-01-05 08:00+00';
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, strategy, oracle, segment) VALUES
	('bank', 'customer', 'id', 7, 'deferred', 'uniform', 'logistic', 'b'), ('other', 'customer', 'id', 8, 'deferred', 'uniform', 'beta', NULL);
INSERT INTO xsell.channel (agent, channel, reports_delivery) VALUES ('bank', 'web', false), ('bank', 'mail', true), ('other', 'web', false);
INSERT INTO xsell.offer (agent, product, prior_rate) VALUES ('bank', 'card', 0.2), ('bank', 'loan', 0.2), ('bank', 'fund', 0.2), ('other', 'card', 0.2);
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'a', 'a');
INSERT INTO xsell.outcome_kind (agent, outcome, reward, harm, delivery, reverses, opt_out) VALUES
	('bank', 'click', 0.2, 0, NULL, NULL, NULL), ('bank', 'complaint', 0, 1, NULL, NULL, NULL), ('bank', 'unsubscribe', 0, 0.5, NULL, NULL, 'channel'),
	('bank', 'arrived', 0, 0, 'delivered', NULL, NULL), ('bank', 'bounced', 0, 0, 'undelivered', NULL, NULL),
	('bank', 'cancelled', 0, 0, NULL, 'conversion', NULL), ('bank', 'upheld', 0, 0, NULL, 'cancelled', NULL);

-- ------------------------------------------------------------------- random journals --

CREATE FUNCTION chance(seed bigint, key bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT (hashint8extended(key, seed) & 1048575) / 1048576.0
$$;

-- A day: offers to a third of the customers, some of them recorded late, outcomes of the last days, of any kind and in any order, and learning now and then.
CREATE PROCEDURE day(seed bigint, day int) LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz := '2026-01-05 10:00+00'::timestamptz + day * interval '30 hours';
BEGIN
	PERFORM set_config('xsell.simulated_now', at::text, false);
	PERFORM count(xsell_decide(c, agent => 'bank', request_key => 'd' || day)) FROM customer c WHERE chance(seed + day, substr(id, 2)::int) < 0.3;
	PERFORM count(xsell_decide(c, agent => 'other', request_key => 'd' || day)) FROM customer c WHERE chance(seed + day, substr(id, 2)::int) BETWEEN 0.2 AND 0.4;
	CREATE TEMP TABLE chosen AS SELECT xsell_choose(c, agent => 'bank') AS d FROM customer c WHERE chance(seed + day, substr(id, 2)::int) BETWEEN 0.3 AND 0.35;
	PERFORM set_config('xsell.simulated_now', (at + interval '2 hours')::text, false);
	PERFORM count(xsell_reward(decision_id, outcome))
	FROM (SELECT d.decision_id, k.outcome FROM xsell.decision d, (SELECT outcome FROM xsell.outcome_kind WHERE agent = 'bank' UNION ALL SELECT unnest('{conversion,decline}'::text[])) k
		WHERE d.agent = 'bank' AND d.product IS NOT NULL AND d.cohort <> 'imported' AND xsell_decided_at(d.decision_id) > at - interval '6 days'
			AND chance(seed + day + hashtext(k.outcome), d.decision_id) < CASE k.outcome WHEN 'conversion' THEN 0.08 WHEN 'arrived' THEN 0.1 ELSE 0.03 END
		ORDER BY hashint8extended(d.decision_id, seed)) r;
	PERFORM count(xsell_reward(decision_id, 'conversion')) FROM xsell.decision WHERE agent = 'other' AND product IS NOT NULL AND chance(seed + day, decision_id) < 0.1;
	IF chance(seed, day) < 0.7 THEN
		PERFORM xsell_learn();
	END IF;
	PERFORM xsell_record(d) FROM chosen;
	DROP TABLE chosen;
END $$;

CREATE PROCEDURE history(seed bigint, name text) LANGUAGE sql AS $$
	SELECT count(xsell_import_history('bank', c, p.product, (chance($1, substr(id, 2)::int) < 0.2)::int, 'web',
		'2025-12-20 10:00+00'::timestamptz + p.n * interval '6 days', $2, CASE p.n WHEN 1 THEN 0.1 WHEN 2 THEN 0.6 END))
	FROM customer c, (VALUES ('card', 1), ('loan', 2), ('fund', 3)) p (product, n) WHERE chance($1 + p.n, substr(id, 2)::int) < 0.4
$$;

-- ------------------------------------------------------------------------ references --

-- All evidence that counts, as text.
CREATE FUNCTION evidence() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
		SELECT concat_ws(' ', agent, product, encoding, source, bucket, beta, glm, score, harm) AS line FROM xsell.evidence WHERE xsell_observations(beta) > 0
		UNION ALL SELECT concat_ws(' ', agent, product, 'segment', segment, source, bucket, beta) FROM xsell.segment_evidence WHERE xsell_observations(beta) > 0) l
$$;
CREATE FUNCTION refits(first bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', refit, product, encoding, source, bucket, 'before', before, 'after', after), E'\n' ORDER BY refit, product COLLATE "C", encoding, source COLLATE "C", bucket)
	FROM xsell.refit_evidence WHERE refit >= first
$$;

-- Learned anew, without the customer, from decisions and outcomes alone; then all is undone.
CREATE FUNCTION evidence_without(customer text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		DELETE FROM xsell.outcome WHERE agent = 'bank' AND customer_key = customer;
		DELETE FROM xsell.decision WHERE agent = 'bank' AND customer_key = customer;
		TRUNCATE xsell.evidence, xsell.segment_evidence, xsell.experience, xsell.learner, xsell.late, xsell.held;
		PERFORM xsell_learn();
		result := evidence();
		RAISE EXCEPTION SQLSTATE 'ZZ999';
	EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
		RETURN result;
	END;
END $$;

-- What each refit was made from and became, of all but the customer, by the experience that it knew.
CREATE FUNCTION refits_without(customer text, first bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
	WITH known AS (SELECT DISTINCT ON (r.refit, e.decision_id) r.refit, r.encoding AS layout, r.since, d.product, d.encoding, d.features, d.linear_predictor, m.mean,
			CASE WHEN d.cohort = 'imported' THEN 'imported' ELSE 'simulated' END AS source,
			date_trunc('week', xsell_decided_at(d.decision_id))::date AS bucket, e.reward, e.weight
		FROM xsell.refit r JOIN xsell.experience e ON e.agent = r.agent AND e.model_version <= r.model_version
		JOIN xsell.decision d USING (decision_id) JOIN xsell.refit_mean m ON m.agent = r.agent AND m.refit = r.refit AND m.product = d.product
		WHERE d.customer_key <> customer AND r.refit >= first ORDER BY r.refit, e.decision_id, e.model_version DESC),
	before AS (SELECT refit, product, encoding, source, bucket, xsell_glm_agg(features, reward, linear_predictor, weight, 'logit') AS before
		FROM known WHERE weight > 0 AND (since IS NULL OR bucket >= since) GROUP BY 1, 2, 3, 4, 5),
	after AS (SELECT refit, product, layout AS encoding, source, bucket, xsell_glm_agg(x, reward, greatest(-30, least(30, xsell_dot(x, mean))), weight, 'logit') AS after
		FROM (SELECT *, xsell_remap(features, xsell_layout_map('bank', encoding, layout, product)) AS x FROM known) k
		WHERE weight > 0 AND (since IS NULL OR bucket >= since) GROUP BY 1, 2, 3, 4, 5)
	SELECT string_agg(concat_ws(' ', refit, product, encoding, source, bucket, 'before', before, 'after', after), E'\n' ORDER BY refit, product COLLATE "C", encoding, source COLLATE "C", bucket)
	FROM before FULL JOIN after USING (refit, product, encoding, source, bucket)
$$;

CREATE FUNCTION differs() RETURNS bigint LANGUAGE sql AS $$
	SELECT (SELECT count(*) FROM (SELECT * FROM xsell.evidence WHERE agent = 'bank') e FULL JOIN xsell_rebuild_evidence('bank') r USING (product, encoding, source, bucket)
		WHERE (e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm) IS NOT TRUE AND xsell_observations(coalesce(e.beta, r.beta)) > 0)
		+ (SELECT count(*) FROM (SELECT * FROM xsell.segment_evidence WHERE agent = 'bank') e FULL JOIN xsell_rebuild_segments('bank') r USING (product, segment, source, bucket)
		WHERE (e.beta = r.beta) IS NOT TRUE AND xsell_observations(coalesce(e.beta, r.beta)) > 0)
$$;

-- Tables that still name a customer, or one of their decisions.
CREATE FUNCTION traces(customer text, decisions bigint[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	t record;
	n bigint;
BEGIN
	FOR t IN SELECT c.relname, a.attname, a.atttypid = 'bigint[]'::regtype AS list FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'xsell'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname IN ('customer_key', 'decision_id') AND NOT c.relispartition AND c.relname <> 'consent'
	LOOP
		IF t.attname = 'customer_key' THEN
			EXECUTE format('SELECT count(*) FROM xsell.%I t WHERE customer_key = $1 AND coalesce(to_jsonb(t)->>''agent'', '''') !~ ''other''', t.relname) INTO n USING customer;
		ELSE
			EXECUTE format('SELECT count(*) FROM xsell.%I WHERE decision_id %s ($1)', t.relname, CASE WHEN t.list THEN '&&' ELSE '= ANY' END) INTO n USING decisions;
		END IF;
		IF n > 0 THEN
			RETURN NEXT t.relname;
		END IF;
	END LOOP;
END $$;

-- Whether the session's models are those of one that starts now.
CREATE FUNCTION models() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(c::text, E'\n' ORDER BY n) FROM xsell_model_coefficients('bank') WITH ORDINALITY c (product, feature, mean, sd, lower, upper, spread, importance, n)
$$;

CREATE TABLE result (seed bigint, customer text, what text, good boolean);
CREATE PROCEDURE forget(seed bigint, customer text) LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[] := (SELECT array_agg(decision_id) FROM xsell.decision WHERE agent = 'bank' AND customer_key = customer);
	others text;
	version bigint;
	expected text;
	refitted text;
	n bigint;
BEGIN
	PERFORM xsell_learn();
	others := (SELECT string_agg(e::text, '' ORDER BY e.product, e.bucket) FROM xsell.evidence e WHERE agent = 'other');
	version := (SELECT model_version FROM xsell.learner WHERE agent = 'bank');
	INSERT INTO xsell.intake (customer_key, product, outcome) VALUES (customer, 'card', 'conversion');
	INSERT INTO xsell.intake (decision_id, outcome) VALUES (ids[1], 'conversion');
	INSERT INTO xsell.dangling (dangling_id, customer_key, agent, occurred_at, reason, noted_at, noted_by) VALUES (ids[1], customer, 'bank', now(), 'test', now(), 'test');
	expected := evidence_without(customer);
	refitted := refits_without(customer);
	INSERT INTO result SELECT seed, customer, 'there is something to forget', cardinality(ids) > 0 AND evidence() <> expected;
	n := xsell_forget('bank', customer);
	INSERT INTO result VALUES
		(seed, customer, 'it counts the decisions', n = cardinality(ids)),
		(seed, customer, 'evidence is what would have been learned without them', evidence() = expected),
		(seed, customer, 'and what the journal holds', differs() = 0),
		(seed, customer, 'refits are reduced', refits() IS NOT DISTINCT FROM refitted),
		(seed, customer, 'no row is left', NOT EXISTS (SELECT FROM traces(customer, ids))),
		(seed, customer, 'a new version', (SELECT model_version FROM xsell.learner WHERE agent = 'bank') = version + 1),
		(seed, customer, 'that it happened is noted', (SELECT (first_version BETWEEN 1 AND version, decisions, forgotten_at, forgotten_by) = (true, n, current_setting('xsell.simulated_now')::timestamptz, session_user::text)
			FROM xsell.forgotten WHERE agent = 'bank' AND model_version = version + 1)),
		(seed, customer, 'of other agents nothing goes', others = (SELECT string_agg(e::text, '' ORDER BY e.product, e.bucket) FROM xsell.evidence e WHERE agent = 'other')),
		(seed, customer, 'a second time there is nothing', xsell_forget('bank', customer) = 0 AND (SELECT model_version FROM xsell.learner WHERE agent = 'bank') = version + 1);
END $$;

CREATE FUNCTION replays() RETURNS TABLE (identical boolean, field text) LANGUAGE sql AS $$
	SELECT r.identical, r.field FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE d.agent = 'bank' AND d.cohort <> 'imported'
$$;

-- ----------------------------------------------------------------------------- plays --

CREATE PROCEDURE play(seed bigint) LANGUAGE plpgsql AS $$
BEGIN
	FOR d IN seed % 1000 .. seed % 1000 + 9 LOOP
		CALL day(seed, d);
		IF d % 10 = 2 THEN
			CALL history(seed, 'history ' || seed);
		ELSIF d % 10 = 4 THEN
			UPDATE xsell.feature SET expression = format('a + %s / 100.0', seed) WHERE agent = 'bank' AND feature = 'a';
			INSERT INTO xsell.feature (agent, feature, expression) VALUES ('bank', 'b' || seed, 'b = ''north''');
		ELSIF d % 10 = 5 OR d % 10 = 8 THEN
			PERFORM xsell_learn();
			PERFORM xsell_refit('bank');
		ELSIF d % 10 = 6 THEN
			PERFORM xsell_promote('bank', max(refit)) FROM xsell.refit;
		END IF;
	END LOOP;
END $$;
CALL play(10);
SELECT min(customer_key) AS customer FROM xsell.decision WHERE cohort = 'imported' \gset
CALL forget(10, :'customer');
CALL forget(10, 'c7');
CALL play(20);
SELECT max(customer_key) AS customer FROM xsell.decision d JOIN xsell.outcome o USING (decision_id, customer_key) WHERE o.outcome = 'cancelled' \gset
CALL forget(20, :'customer');
SELECT xsell_remove_import('bank', 'history 10') \g /dev/null
CALL forget(20, 'c11');
CALL play(30);
SELECT max(customer_key) AS customer FROM xsell.contact WHERE agent @> '{bank,other}' \gset
CALL forget(30, :'customer');
SELECT ok(good, format('%s: %s, %s', seed, customer, what)) FROM result;

-- ------------------------------------------------------------------ what it touches --

SELECT results_eq('SELECT DISTINCT identical, field FROM replays() ORDER BY 1', $$VALUES (true, NULL), (NULL, 'forgotten')$$, 'decisions replay, or were made with what was forgotten');
CALL day(40, 40);
SELECT results_eq($$SELECT DISTINCT r.identical FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE agent = 'bank' AND d.model_version >= (SELECT max(model_version) FROM xsell.forgotten)$$,
	'VALUES (true)', 'all since do');
SELECT isnt_empty($$SELECT FROM xsell.consent c JOIN result r ON r.customer = c.customer_key$$, 'who refused has still refused');
SELECT isnt_empty($$SELECT FROM xsell.decision d JOIN result r ON r.customer = d.customer_key WHERE d.agent = 'other'$$, 'other agents know their customers');
SELECT is_empty($$SELECT FROM xsell.contact WHERE cardinality(decision_id) = 0 AND customer_key IN (SELECT customer FROM result)$$, 'the contact ledger has no empty rows of them');
SELECT isnt_empty($$SELECT FROM xsell.contact WHERE agent <@ '{other}' AND customer_key = (SELECT customer FROM result WHERE seed = 30 LIMIT 1)$$, 'but those of others');

SELECT md5(concat(l, f)) AS before FROM (SELECT string_agg(l::text, '') AS l FROM xsell.learner l) l, (SELECT string_agg(f::text, '') AS f FROM xsell.forgotten f) f \gset
SELECT is(xsell_forget('bank', 'nobody'), 0::bigint, 'an unknown customer');
SELECT is(xsell_forget('bank', 17), 0::bigint, 'named by another type');
SELECT is(md5(concat(l, f)), :'before', 'leaves nothing') FROM (SELECT string_agg(l::text, '') AS l FROM xsell.learner l) l, (SELECT string_agg(f::text, '') AS f FROM xsell.forgotten f) f;
SELECT throws_ok($$SELECT xsell_forget('shop', 'c1')$$, '42704', 'agent "shop" does not exist', 'an agent that never was');
SELECT throws_ok($$SELECT xsell_forget('bank', NULL::text)$$, '22004', 'customer_key must not be null', 'no customer');
SELECT throws_ok($$SELECT xsell_forget(NULL, 'c1')$$, '22004', 'agent must not be null', 'no agent');

-- The session's models, brought up to date time and again, are those that a new version of the policy is prepared from anew.
SELECT md5(models()) AS models \gset
SELECT cmp_ok(xsell_forget('bank', 'c33'), '>', 0::bigint, 'one more is forgotten');
SELECT isnt(md5(models()), :'models', 'which models notice');
SELECT md5(models()) AS models \gset
INSERT INTO xsell.cap (agent, cap, max_offers, per) VALUES ('bank', 'daily', 9, '1 day');
SELECT is(md5(models()), :'models', 'and are made of what is left');

-- A refit that leaves weeks as they are whose decisions are not all in the log any more.
DELETE FROM xsell.decision WHERE agent = 'bank' AND decision_id < xsell_id_at('2026-01-20') AND customer_key > 'c3' AND decision_id % 2 = 0;
SELECT xsell_refit('bank') AS refit \gset
SELECT customer_key AS customer FROM xsell.decision d JOIN xsell.experience e USING (decision_id) WHERE d.decision_id > xsell_id_at('2026-01-20') AND d.customer_key <= 'c3' AND e.weight > 0 LIMIT 1 \gset
SELECT ok(since > '2026-01-05', 'some weeks are not whole') FROM xsell.refit WHERE refit = :refit;
SELECT md5(refits_without(:'customer', :refit)) AS expected \gset
SELECT isnt(md5(refits(:refit)), :'expected', 'a refit knows a customer');
SELECT cmp_ok(xsell_forget('bank', :'customer'), '>', 0::bigint, 'who is forgotten');
SELECT is(md5(refits(:refit)), :'expected', 'and so reduced');

-- ------------------------------------------------------------------- before learning --

DELETE FROM xsell.agent WHERE agent = 'other';
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning) VALUES ('new', 'customer', 'id', 9, 'deferred');
INSERT INTO xsell.channel (agent, channel) VALUES ('new', 'post');
INSERT INTO xsell.offer (agent, product) VALUES ('new', 'card');
SELECT count(xsell_decide(c, agent => 'new')) FROM customer c WHERE id IN ('c1', 'c2') \g /dev/null
SELECT is(xsell_forget('new', 'c1'), 1::bigint, 'a decision that was not learned');
SELECT results_eq($$SELECT model_version, first_version, decisions FROM xsell.forgotten WHERE agent = 'new'$$, 'VALUES (1::bigint, NULL::bigint, 1::bigint)', 'goes too');
SELECT is(decisions, 1::bigint, 'the other is learned') FROM xsell_learn('new');
SELECT cmp_ok(xsell_forget('other', customer_key), '>', 0::bigint, 'a deleted agent forgets as well') FROM xsell.decision WHERE agent = 'other' LIMIT 1;

-- --------------------------------------------------------------------- types of keys --

CREATE PROCEDURE keys(type text, key text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM xsell_drop_journal();
	DROP TABLE customer CASCADE;
	DELETE FROM xsell.agent;
	PERFORM xsell_create_journal(type::regtype);
	EXECUTE format('CREATE TABLE customer (id %s); INSERT INTO customer VALUES (%L)', type, key);
	INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning) VALUES ('bank', 'customer', 'id', 7, 'deferred');
	INSERT INTO xsell.channel (agent, channel) VALUES ('bank', 'web');
	INSERT INTO xsell.offer (agent, product) VALUES ('bank', 'card');
	PERFORM xsell_decide(c) FROM customer c;
	PERFORM xsell_learn('bank');
END $$;
CREATE DOMAIN customer_number AS text CHECK (value ~ '^K');
CALL keys('uuid', '6f4e0d5c-0000-4000-8000-000000000001');
SELECT throws_ok($$SELECT xsell_forget('bank', 'c1')$$, '22P02', 'invalid input syntax for type uuid: "c1"', 'what is no key');
SELECT is(xsell_forget('bank', '6F4E0D5C-0000-4000-8000-000000000001'), 1::bigint, 'uuid');
SELECT is_empty('SELECT FROM xsell.evidence', 'leaves no evidence');
CALL keys('customer_number', 'K1');
SELECT is(xsell_forget('bank', 'K1'), 1::bigint, 'a domain');
CALL keys('numeric', '12.50');
SELECT is(xsell_forget('bank', 12.5::float8), 1::bigint, 'numeric');

SELECT * FROM finish();
