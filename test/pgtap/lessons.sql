-- lessons.sql: which lessons count, for how much, and when they are learned.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL timezone = 'UTC';
SELECT xsell_create_journal('bigint');
RESET client_min_messages;
SELECT no_plan();

CREATE FUNCTION pg_temp.clock(at text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('xsell.simulated_now', $1, true) $$;
-- Live evidence and the journal's differ in these rows.
CREATE FUNCTION pg_temp.differs(agent text) RETURNS bigint LANGUAGE sql AS $$
	SELECT (SELECT count(*) FROM (SELECT * FROM xsell.evidence e WHERE e.agent = $1) live
			  FULL JOIN xsell_rebuild_evidence($1) built USING (product, encoding, bucket, source)
			 WHERE (live.beta = built.beta AND live.glm = built.glm AND live.score = built.score AND live.harm = built.harm) IS NOT TRUE)
		 + (SELECT count(*) FROM (SELECT * FROM xsell.segment_evidence e WHERE e.agent = $1) live
			  FULL JOIN xsell_rebuild_segments($1) built USING (product, segment, bucket, source)
			 WHERE (live.beta = built.beta) IS NOT TRUE)
$$;
SELECT pg_temp.clock('2026-03-02 10:00+00') \g /dev/null
CREATE TABLE customer (id bigint PRIMARY KEY, age int NOT NULL, segment text NOT NULL);
INSERT INTO customer SELECT i, 20 + i % 50, (ARRAY['young', 'old'])[1 + i % 2] FROM generate_series(1, 4000) i;
CREATE FUNCTION pg_temp.decide(agent text, lowest int, highest int, channel text DEFAULT 'web') RETURNS bigint LANGUAGE sql AS $$
	SELECT count(d.product) FROM (SELECT * FROM customer WHERE id BETWEEN $2 AND $3 ORDER BY id) c, xsell_decide(c, agent => $1, channel => $4) d
$$;
INSERT INTO xsell.product (product, credit) VALUES ('card', false), ('fund', false);
CREATE FUNCTION pg_temp.agent(agent text, oracle text DEFAULT 'beta', strength float8 DEFAULT 20) RETURNS void LANGUAGE sql AS $$
	INSERT INTO xsell.agent (agent, customer_table, customer_key, oracle, segment, learning, prior_strength, seed)
		VALUES ($1, 'customer', 'id', $2, 'segment', 'deferred', $3, 7);
	INSERT INTO xsell.channel (agent, channel) VALUES ($1, 'web'), ($1, 'mail');
	INSERT INTO xsell.offer (agent, product) VALUES ($1, 'card');
	INSERT INTO xsell.feature (agent, feature, expression, center, scale) VALUES ($1, 'age', 'age', 45, 15);
$$;

-- ---- the literal example: 100 offers, 10 conversions ----
--
-- A prior of strength s at 5 % and 10 of 100 give (0.05 s + 10) / (s + 100); ten times as much nearly 10 %.

CREATE TEMP TABLE strength AS SELECT unnest('{5,20,100}'::float8[]) AS s;
SELECT pg_temp.agent('beta' || s, 'beta', s) FROM strength \g /dev/null
CREATE FUNCTION pg_temp.expected(agent text) RETURNS float8 LANGUAGE sql AS $$
	SELECT max(r.expected) FROM customer c, xsell_rank(c, agent => $1, channel => 'web') r WHERE c.id = 2
$$;
CREATE FUNCTION pg_temp.offer_and_convert(agent text, lowest int, offers int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.decide($1, $2, $2 + $3 - 1);
	PERFORM xsell_reward(decision_id, 'conversion') FROM (SELECT decision_id, row_number() OVER (ORDER BY customer_key) AS n
		FROM xsell.decision WHERE decision.agent = $1 AND customer_key BETWEEN $2 AND $2 + $3 - 1) d WHERE n % 10 = 0;
	PERFORM pg_temp.clock((current_setting('xsell.simulated_now')::timestamptz + interval '1 second')::text);
	PERFORM xsell_learn($1);
END
$$;
SELECT is(round(pg_temp.expected('beta' || s)::numeric, 9), 0.05, 'before any offer the prior is expected, of strength ' || s) FROM strength;
SELECT pg_temp.offer_and_convert('beta' || s, 1, 100) FROM strength \g /dev/null
SELECT is(round(pg_temp.expected('beta' || s)::numeric, 6), round(((0.05 * s + 10) / (s + 100))::numeric, 6),
	'100 offers with 10 conversions move it towards 10 %, from a prior of strength ' || s) FROM strength;
SELECT pg_temp.offer_and_convert('beta' || s, 101, 900) FROM strength \g /dev/null
SELECT is(round(pg_temp.expected('beta' || s)::numeric, 6), round(((0.05 * s + 100) / (s + 1000))::numeric, 6),
	'as there are more, the prior fades') FROM strength;
SELECT cmp_ok(abs(pg_temp.expected('beta' || s) - 0.1), '<', 0.005::float8, '... to within half a point of 10 %') FROM strength;
SELECT pg_temp.agent('segment', 'segment'), pg_temp.agent('logistic', 'logistic') \g /dev/null
SELECT pg_temp.offer_and_convert(agent, 1, 100) FROM unnest('{segment,logistic}'::text[]) agent \g /dev/null
-- Every tenth customer is one of the young, who converted 20 in 100.  The step of the
-- logistic model is taken at 5 %, and overshoots until a refit takes it again.
CREATE FUNCTION pg_temp.mean_expected(agent text) RETURNS float8 LANGUAGE sql AS $$
	SELECT avg(r.expected) FROM customer c, xsell_rank(c, agent => $1, channel => 'web') r WHERE c.id <= 100
$$;
SELECT cmp_ok(abs(pg_temp.mean_expected('segment') - 0.1), '<', 0.01::float8, '10 conversions of 100 are about 10 %, by segments');
SELECT cmp_ok(abs(pg_temp.mean_expected('logistic') - 0.1), '<', 0.03::float8, 'and roughly so by features');
SET LOCAL client_min_messages = warning;
SELECT xsell_promote('logistic', xsell_refit('logistic')) \g /dev/null
RESET client_min_messages;
SELECT cmp_ok(abs(pg_temp.mean_expected('logistic') - 0.1), '<', 0.01::float8, 'more closely after a refit');

-- ---- the learning rate, acting when a model is prepared ----

UPDATE xsell.agent SET learning_rate = 0.25 WHERE agent = 'beta20';
SELECT is(round(pg_temp.expected('beta20')::numeric, 6), round(((0.05 * 20 + 25) / (20 + 250))::numeric, 6), 'a decision counts for a quarter');
UPDATE xsell.agent SET learning_rate = 1 WHERE agent = 'beta20';
SELECT is(round(pg_temp.expected('beta20')::numeric, 6), round(((0.05 * 20 + 100) / (20 + 1000))::numeric, 6), 'and for one again: nothing was lost');
SELECT throws_ok('UPDATE xsell.agent SET learning_rate = ' || r, '23514', NULL, 'no rate: ' || r) FROM unnest('{0,-1,1.5,"''NaN''"}'::text[]) r;

-- ---- which decisions teach ----

SELECT pg_temp.agent('sources') \g /dev/null
UPDATE xsell.agent SET control_share = 0.4 WHERE agent = 'sources';
SELECT pg_temp.offer_and_convert('sources', 1, 1000) \g /dev/null
-- as if they had been made by the server's clock: ids with a backend's number
CREATE TEMP TABLE moved AS SELECT decision_id AS old, decision_id | 512 * (1 + decision_id % 2) AS new FROM xsell.decision WHERE agent = 'sources';
SELECT pg_temp.agent('real') \g /dev/null
UPDATE xsell.agent SET control_share = 0.4 WHERE agent = 'real';
INSERT INTO xsell.decision SELECT (jsonb_populate_record(d, jsonb_build_object('decision_id', m.new, 'agent', 'real'))).* FROM xsell.decision d JOIN moved m ON m.old = d.decision_id;
INSERT INTO xsell.outcome SELECT (jsonb_populate_record(o, jsonb_build_object('decision_id', m.new, 'outcome_id', o.outcome_id | 512, 'agent', 'real'))).* FROM xsell.outcome o JOIN moved m ON m.old = o.decision_id;
SELECT xsell_learn('real') \g /dev/null
SELECT results_eq($$SELECT source, sum(xsell_observations(beta)) FROM xsell.evidence WHERE agent = 'sources' GROUP BY 1$$, $$VALUES ('simulated', 1000::numeric)$$, 'decisions of a simulated clock are known as such');
SELECT results_eq($$SELECT source, sum(xsell_observations(beta)) FROM xsell.evidence WHERE agent = 'real' GROUP BY 1 ORDER BY 1$$,
	$$SELECT cohort, count(*)::numeric FROM xsell.decision WHERE agent = 'real' GROUP BY 1 ORDER BY 1$$, 'others by their cohort');
SELECT is(pg_temp.differs('sources') + pg_temp.differs('real'), 0::bigint, 'as the journal says');
CREATE FUNCTION pg_temp.by_hand(sources text[]) RETURNS numeric LANGUAGE sql AS $$
	SELECT round(((1 + coalesce(sum(e.reward), 0)) / (20 + count(*)))::numeric, 6)
	  FROM xsell.decision d JOIN xsell.experience e USING (decision_id) WHERE d.agent = 'real' AND d.cohort = ANY ($1) AND e.previous IS NULL
$$;
UPDATE xsell.agent SET teaches = '{control}' WHERE agent = 'real';
SELECT is(round(pg_temp.expected('real')::numeric, 6), pg_temp.by_hand('{control}'), 'the control group alone teaches');
UPDATE xsell.agent SET teaches = '{agent,imported}' WHERE agent = 'real';
SELECT is(round(pg_temp.expected('real')::numeric, 6), pg_temp.by_hand('{agent}'), 'or all but it');
UPDATE xsell.agent SET teaches = '{imported}' WHERE agent = 'real';
SELECT is(round(pg_temp.expected('real')::numeric, 6), 0.05, 'or nobody yet');
UPDATE xsell.agent SET teaches = '{agent,control}' WHERE agent = 'real';
SELECT is(round(pg_temp.expected('real')::numeric, 6), pg_temp.by_hand('{agent,control}'), 'and all of them again: nothing was lost');
SELECT throws_ok($$UPDATE xsell.agent SET teaches = '{}'$$, '23514', NULL, 'something must teach');
SELECT throws_ok($$UPDATE xsell.agent SET teaches = '{agents}'$$, '23514', NULL, 'sources are known');

-- What does not teach leaves no trace, and does not age what does: newer evidence of another source is as if it were not.
UPDATE xsell.agent SET teaches = '{agent,control}', half_life = '1 day', evidence_window = '30 days' WHERE agent = 'real';
SELECT pg_temp.expected('real') AS aged \gset
SELECT xsell_import_history('real', c, 'card', 1, 'web', current_setting('xsell.simulated_now')::timestamptz, 'later') FROM customer c WHERE id <= 5 \g /dev/null
SELECT pg_temp.clock('2026-04-20 10:00+00'), xsell_import_history('real', c, 'card', 1, 'web', '2026-04-20 09:00+00', 'later') FROM customer c WHERE id <= 5 \g /dev/null
SELECT is((SELECT decisions FROM xsell_learn('real')), 10::bigint, 'history comes in, of later weeks, too');
SELECT is(pg_temp.expected('real'), :aged::float8, 'and as it may not teach, makes nothing older');
UPDATE xsell.agent SET teaches = '{agent,control,imported}' WHERE agent = 'real';
SELECT isnt(pg_temp.expected('real'), :aged::float8, 'where it may, it does');
SELECT pg_temp.clock('2026-03-02 10:30+00') \g /dev/null

-- ---- the least to be learned at a time ----

SELECT pg_temp.agent('batch') \g /dev/null
UPDATE xsell.agent SET learning_batch = 50 WHERE agent = 'batch';
SELECT pg_temp.decide('batch', 1, 49), pg_temp.clock('2026-03-02 11:00+00') \g /dev/null
SELECT results_eq($$SELECT decisions, model_version FROM xsell_learn('batch')$$, $$VALUES (0::bigint, 0::bigint)$$, '49 decisions wait');
SELECT xsell_reward(min(decision_id), 'decline') FROM xsell.decision WHERE agent = 'batch' \g /dev/null
SELECT pg_temp.clock('2026-03-02 12:00+00') \g /dev/null
SELECT results_eq($$SELECT decisions, model_version FROM xsell_learn('batch')$$, $$VALUES (49::bigint, 1::bigint)$$, 'with an outcome they are 50, and learned');
UPDATE xsell.agent SET learning = 'online' WHERE agent = 'batch';
SELECT pg_temp.decide('batch', 50, 60), pg_temp.clock('2026-03-02 13:00+00') \g /dev/null
SELECT xsell_reward(max(decision_id), 'conversion') FROM xsell.decision WHERE agent = 'batch' \g /dev/null
SELECT is((SELECT model_version FROM xsell.learner WHERE agent = 'batch'), 1::bigint, 'online, too, they wait');
UPDATE xsell.agent SET learning_batch = 1 WHERE agent = 'batch';
SELECT results_eq($$SELECT decisions FROM xsell_learn('batch')$$, $$VALUES (11::bigint)$$, 'until the batch is smaller');
SELECT is(pg_temp.differs('batch'), 0::bigint, 'nothing was lost');
UPDATE xsell.agent SET learning = 'deferred', learning_batch = 5 WHERE agent = 'batch';
-- decided by a clock that was set back: the walk has passed them
SELECT pg_temp.clock('2026-03-02 09:00+00'), pg_temp.decide('batch', 61, 65), pg_temp.clock('2026-03-02 14:00+00') \g /dev/null
SELECT results_eq($$SELECT decisions FROM xsell_learn('batch')$$, $$VALUES (5::bigint)$$, 'what was recorded late counts, too');

-- ---- feeds ----

SELECT pg_temp.agent('feeds') \g /dev/null
INSERT INTO xsell.feed (agent, feed, channel, longest_silence) VALUES ('feeds', 'crm', 'mail', '2 hours');
CREATE FUNCTION pg_temp.learned() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', (SELECT count(*) FROM xsell.experience WHERE agent = 'feeds'), (SELECT count(*) FROM xsell.held WHERE agent = 'feeds'), (SELECT decisions FROM xsell_learn('feeds')),
		(SELECT count(*) FROM xsell.experience WHERE agent = 'feeds'), (SELECT count(*) FROM xsell.held WHERE agent = 'feeds'))
$$;
SELECT pg_temp.clock('2026-03-03 10:00+00'), pg_temp.decide('feeds', 1, 10, 'web'), pg_temp.decide('feeds', 11, 15, 'mail'), pg_temp.clock('2026-03-03 10:01+00') \g /dev/null
SELECT matches(pg_temp.learned(), '^0 0 10 ', 'a feed that never spoke holds back its channel, and no other');
SELECT is((SELECT count(*) FROM xsell.held WHERE agent = 'feeds' AND channel = 'mail'), 5::bigint, 'what it would have reported waits');
SELECT is((SELECT message FROM xsell.alert WHERE agent = 'feeds' AND alert = 'feed silent'), 'feed crm has said nothing yet; 5 decisions wait for it', 'and an alert says so');
SELECT xsell_reward(min(decision_id), 'conversion') FROM xsell.decision WHERE agent = 'feeds' AND channel = 'mail' \g /dev/null
SELECT pg_temp.clock('2026-03-03 10:02+00') \g /dev/null
SELECT matches(pg_temp.learned(), '^10 5 0 ', 'an outcome of one of them waits with it');
SELECT is(xsell_heartbeat('feeds', 'crm'), '2026-03-03 10:02+00'::timestamptz, 'it is heard');
SELECT pg_temp.clock('2026-03-03 10:03+00') \g /dev/null
SELECT matches(pg_temp.learned(), '^10 5 5 ', 'and they are learned');
SELECT is((SELECT array_agg(reward ORDER BY decision_id) FROM xsell.experience JOIN xsell.decision USING (decision_id) WHERE experience.agent = 'feeds' AND channel = 'mail'), '{1,0,0,0,0}', 'with the outcome that had come meanwhile');
SELECT is_empty($$SELECT FROM xsell.alert WHERE agent = 'feeds'$$, 'the alert is over');
SELECT pg_temp.decide('feeds', 16, 20, 'mail'), pg_temp.clock('2026-03-03 10:30+00') \g /dev/null
SELECT matches(pg_temp.learned(), '^15 0 5 ', 'while it is heard, zeros are learned at once');
SELECT pg_temp.clock('2026-03-03 13:00+00'), pg_temp.decide('feeds', 21, 30, 'mail'), pg_temp.clock('2026-03-03 13:01+00') \g /dev/null
SELECT matches(pg_temp.learned(), '^20 0 0 ', 'after two hours it is silent again');
SELECT is((SELECT count(*) FROM xsell.held WHERE agent = 'feeds'), 10::bigint, 'and holds');
INSERT INTO xsell.feed (agent, feed, longest_silence) VALUES ('feeds', 'all', '1 day');
SELECT xsell_heartbeat('feeds', 'crm', '2026-03-03 13:00:30+00') \g /dev/null
SELECT matches(pg_temp.learned(), '^20 10 0 ', 'a second silent feed covers them still');
SELECT xsell_heartbeat('feeds', 'all') \g /dev/null
SELECT matches(pg_temp.learned(), '^20 10 10 ', 'until both are heard');
SELECT is(xsell_heartbeat('feeds', 'all', '2026-03-01 00:00+00'), '2026-03-03 13:01+00'::timestamptz, 'a heartbeat does not go back');
SELECT pg_temp.clock('2026-03-20 00:00+00') \g /dev/null
SELECT is((SELECT array_agg(DISTINCT status) FROM xsell.reward WHERE agent = 'feeds' AND channel = 'web'), '{provisional}', 'windows that end while a feed is silent are not final');
SELECT xsell_heartbeat('feeds', 'all') \g /dev/null
SELECT is((SELECT array_agg(DISTINCT status) FROM xsell.reward WHERE agent = 'feeds' AND channel = 'web'), '{final}', 'once it has spoken after their end, they are');
DELETE FROM xsell.feed WHERE feed = 'crm';
SELECT is(pg_temp.differs('feeds'), 0::bigint, 'evidence is what the journal says');
SELECT throws_ok($$SELECT xsell_heartbeat('feeds', 'crm')$$, '42704', 'agent "feeds" has no feed "crm"', 'an unknown feed');
SELECT throws_ok($$SELECT xsell_heartbeat('feed', 'crm')$$, '42704', 'agent "feed" does not exist', 'an unknown agent');
SELECT throws_ok($$SELECT xsell_heartbeat('feeds', NULL)$$, '22004', 'feed must not be null', 'no feed');
SELECT throws_ok($$SELECT xsell_heartbeat('feeds', 'all', '2027-01-01')$$, '22023', 'a heartbeat must not be in the future', 'a time to come');
SELECT throws_ok($$SELECT xsell_heartbeat('feeds', 'all', 'infinity')$$, '22023', 'a heartbeat must not be in the future', 'no time at all');
SELECT throws_ok($$INSERT INTO xsell.feed VALUES ('feeds', 'x', 'phone', '1 day')$$, '23503', 'feed "x" names channel "phone", which does not exist', 'a feed of an unknown channel');
SELECT throws_ok($$INSERT INTO xsell.feed VALUES ('feeds', 'x', 'web', '-1 day')$$, '23514', NULL, 'no silence at all');

-- ---- what is taken back ----
--
-- A session's model follows when a product loses its last evidence.  From here on every
-- statement is a transaction: only a model of what was committed is kept and brought up to date.

COMMIT;
SET xsell.simulated_now = '2026-03-02 10:30+00';
SELECT pg_temp.agent('bounced') \g /dev/null
INSERT INTO xsell.outcome_kind (agent, outcome, reward, delivery) VALUES ('bounced', 'bounce', 0, 'undelivered');
SELECT pg_temp.decide('bounced', 1, 50) \g /dev/null
SET xsell.simulated_now = '2026-03-02 10:31+00';
SELECT xsell_learn('bounced') \g /dev/null
SELECT is(round(pg_temp.expected('bounced')::numeric, 6), round((0.05 * 20 / 70)::numeric, 6), '50 zeros are learned');
SELECT xsell_reward(decision_id, 'bounce') FROM xsell.decision WHERE agent = 'bounced' \g /dev/null
SET xsell.simulated_now = '2026-03-02 10:32+00';
SELECT is((SELECT corrections FROM xsell_learn('bounced')), 50::bigint, 'and taken back, as nobody was reached');
SELECT is_empty($$SELECT FROM xsell.evidence WHERE agent = 'bounced'$$, 'no evidence is left');
SELECT is(round(pg_temp.expected('bounced')::numeric, 6), 0.05, 'and no trace of it in the model at hand');

SELECT finish();
