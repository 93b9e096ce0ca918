-- learning.sql: outcomes are recorded once, and learned exactly once (promises 4, 5, 9 and 10).
--
-- Decisions are written straight into the log, so that features, predictors and
-- times are whatever a test wants them to be.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT xsell_create_journal('bigint');
RESET client_min_messages;
SELECT no_plan();

-- An agent is its latest policy. Triggers would compile it against a customer table.
CREATE FUNCTION pg_temp.agent(agent text, learning text, oracle text DEFAULT 'logistic', outcomes text DEFAULT '{}', harms text DEFAULT '{}')
RETURNS void LANGUAGE sql AS $$
	INSERT INTO xsell.policy (agent, policy_version, definition)
	SELECT $1, coalesce(max(policy_version), 0) + 1,
		   jsonb_build_object('agent', jsonb_build_object('agent', $1, 'learning', $2, 'oracle', $3),
							  'outcomes', $4::jsonb,
							  'kinds', (SELECT coalesce(jsonb_agg(jsonb_build_object('outcome', key, 'harm', value)), '[]') FROM jsonb_each($5::jsonb)))
	  FROM xsell.policy p WHERE p.agent = $1
$$;

-- A decision with four features, forecasts and mostly a segment that follow from its
-- id; late, as xsell_decide says, if the learner has passed its id.
CREATE FUNCTION pg_temp.offer(agent text, id bigint, product text DEFAULT 'card', encoding int DEFAULT 1)
RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO xsell.decision (decision_id, customer_key, agent, cohort, product, channel, probability,
		mode, reason, policy_version, model_version, encoding, linear_predictor, features, candidates, segment, forecasts, decided_by)
	VALUES ($2, $2 % 1000, $1, 'agent', $3, CASE WHEN $3 <> '' THEN 'web' END, CASE WHEN $3 <> '' THEN 0.5 END,
		CASE WHEN $3 <> '' THEN 'explore' ELSE 'none' END, 'test', 1, 0, $4,
		sin($2 % 1009) * 3, ARRAY[1, sin($2 % 101), cos($2 % 211) * 4, ($2 % 2)]::real[], '[]',
		(ARRAY['student', 'family', '', NULL])[1 + $2 % 101 % 4],
		CASE WHEN $2 % 211 <> 5 THEN ARRAY[0.05, sin($2 % 101) ^ 2, CASE WHEN $2 % 101 % 4 <> 3 THEN 0.1 ELSE 'NaN' END, cos($2 % 211) ^ 2]::real[] END, 'test');
	INSERT INTO xsell.late SELECT $2, $1 FROM xsell.learner l WHERE l.agent = $1 AND l.folded_to >= $2 AND $3 <> '';
	SELECT $2
$$;

-- The id of the n-th decision after a time.
CREATE FUNCTION pg_temp.id(at timestamptz, n int DEFAULT 0) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT (((extract(epoch FROM $1) * 1000)::bigint - 1704067200000) << 22) + $2
$$;

CREATE FUNCTION pg_temp.clock(at text) RETURNS void LANGUAGE sql AS $$
	SELECT set_config('xsell.simulated_now', $1, true)
$$;

-- Live evidence and the journal's differ in these rows.
CREATE FUNCTION pg_temp.differs(agent text) RETURNS bigint LANGUAGE sql AS $$
	SELECT (SELECT count(*)
			  FROM (SELECT * FROM xsell.evidence e WHERE e.agent = $1) live
			  FULL JOIN xsell_rebuild_evidence($1) built USING (product, encoding, bucket, source)
			 WHERE (live.beta = built.beta AND live.glm = built.glm AND live.score = built.score AND live.harm = built.harm) IS NOT TRUE)
		 + (SELECT count(*)
			  FROM (SELECT * FROM xsell.segment_evidence e WHERE e.agent = $1) live
			  FULL JOIN xsell_rebuild_segments($1) built USING (product, segment, bucket, source)
			 WHERE (live.beta = built.beta) IS NOT TRUE)
$$;

-- Evidence of one agent as one comparable text, without agent, versions and sources (the ids made here are of any).
CREATE FUNCTION pg_temp.evidence(agent text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C")
	  FROM (SELECT concat_ws('|', product, encoding, bucket, xsell_merge_agg(beta), xsell_merge_agg(glm), xsell_merge_agg(score), xsell_merge_agg(harm)) AS line
			FROM xsell.evidence e WHERE e.agent = $1 GROUP BY product, encoding, bucket
			UNION ALL SELECT concat_ws('|', product, quote_literal(segment), bucket, xsell_merge_agg(beta))
			FROM xsell.segment_evidence e WHERE e.agent = $1 GROUP BY product, segment, bucket) x
$$;

-- ---- zeros first ----

SELECT pg_temp.agent('a', 'online'), pg_temp.agent('b', 'deferred'), pg_temp.agent('never', 'hold') \g /dev/null
SELECT pg_temp.clock('2026-03-04 12:00+00') \g /dev/null
SELECT pg_temp.offer('a', pg_temp.id('2026-03-04 10:00+00', n)) FROM generate_series(1, 5) n \g /dev/null
SELECT pg_temp.clock('2026-03-04 12:00:01+00') \g /dev/null

SELECT results_eq($$SELECT * FROM xsell_learn('a')$$, $$VALUES ('a', 5::bigint, 0::bigint, 1::bigint)$$,
	'the learner folds what was decided');
SELECT results_eq($$SELECT reward, previous, model_version FROM xsell.experience WHERE agent = 'a'$$,
	$$SELECT 0::float8, NULL::float8, 1::bigint FROM generate_series(1, 5)$$, 'as zeros');
SELECT is((SELECT glm FROM xsell.evidence WHERE agent = 'a'),
	(SELECT xsell_glm_agg(features, 0, linear_predictor, 1, 'logit') FROM xsell.decision WHERE agent = 'a'),
	'evidence is what the aggregate makes of the log');
SELECT is((SELECT score FROM xsell.evidence WHERE agent = 'a'),
	(SELECT xsell_score_agg(forecasts, 0) FROM xsell.decision WHERE agent = 'a'), 'of its forecasts, too');
SELECT is((SELECT harm FROM xsell.evidence WHERE agent = 'a'),
	(SELECT xsell_beta_agg(0) FROM generate_series(1, 5)), 'and no harm was done');
SELECT results_eq($$SELECT product, segment, bucket, model_version, beta FROM xsell.segment_evidence WHERE agent = 'a' ORDER BY segment$$,
	$$SELECT product, segment, '2026-03-02'::date, 1::bigint, xsell_beta_agg(0) FROM xsell.decision WHERE agent = 'a' AND segment IS NOT NULL GROUP BY 1, 2 ORDER BY segment$$,
	'each segment has its own');
SELECT cmp_ok(count(*), '<', 5::bigint, 'those without one are in none') FROM xsell.decision WHERE agent = 'a' AND segment IS NOT NULL;
SELECT is((SELECT bucket FROM xsell.evidence WHERE agent = 'a'), '2026-03-02'::date, 'in the bucket of the week''s Monday');
SELECT results_eq($$SELECT * FROM xsell_learn('a')$$, $$VALUES ('a', 0::bigint, 0::bigint, 1::bigint)$$,
	'nothing is folded twice, and no new version made of nothing');

-- ---- a conversion replaces its zero ----

SELECT is(xsell_reward(pg_temp.id('2026-03-04 10:00+00', 3), 'conversion', 120), 'recorded', 'an outcome is recorded');
SELECT results_eq($$SELECT decision_id, model_version, reward, previous FROM xsell.experience WHERE agent = 'a' AND previous IS NOT NULL$$,
	$$VALUES (pg_temp.id('2026-03-04 10:00+00', 3), 2::bigint, 1::float8, 0::float8)$$, 'and learned at once by an online learner');
SELECT is((SELECT glm FROM xsell.evidence WHERE agent = 'a'),
	(SELECT xsell_glm_agg(features, (decision_id = pg_temp.id('2026-03-04 10:00+00', 3))::int, linear_predictor, 1, 'logit')
	   FROM xsell.decision WHERE agent = 'a'), 'exactly as if the zero had never been');
SELECT is((SELECT beta FROM xsell.evidence WHERE agent = 'a'),
	(SELECT xsell_beta_agg(r) FROM unnest(ARRAY[0, 0, 1, 0, 0]::float8[]) r), 'in the Beta model too');
SELECT is(pg_temp.differs('a'), 0::bigint, 'and everywhere else');
SELECT is(xsell_reward(pg_temp.id('2026-03-04 10:00+00', 3), 'conversion'), 'duplicate', 'a repeat says so');
SELECT is(count(*), 1::bigint, 'and changes nothing') FROM xsell.outcome;
SELECT results_eq($$SELECT value, reward, customer_key, agent, recorded_by, occurred_at FROM xsell.outcome$$,
	$$VALUES (120::float8, 1::float8, pg_temp.id('2026-03-04 10:00+00', 3) % 1000, 'a', session_user::text COLLATE "default", '2026-03-04 12:00:01+00'::timestamptz)$$,
	'the first one stands, as it was said');
SELECT is(xsell_reward(pg_temp.id('2026-03-04 10:00+00', 3), 'decline'), 'recorded', 'a weaker outcome is recorded');
SELECT results_eq($$SELECT * FROM xsell_learn('a')$$, $$VALUES ('a', 0::bigint, 0::bigint, 2::bigint)$$,
	'but a decision counts its best outcome');

-- An outcome that comes before its decision was folded waits for its turn.
SELECT pg_temp.offer('a', pg_temp.id('2026-03-12 10:00+00', n)) FROM generate_series(1, 3) n \g /dev/null
SELECT pg_temp.clock('2026-03-12 12:00+00') \g /dev/null
SELECT is(xsell_reward(pg_temp.id('2026-03-12 10:00+00', 2), 'conversion'), 'recorded', 'an outcome before its zero');
SELECT results_eq($$SELECT reward, previous FROM xsell.experience WHERE decision_id > pg_temp.id('2026-03-12') ORDER BY decision_id$$,
	$$VALUES (0::float8, NULL::float8), (1, NULL), (0, NULL)$$, 'is folded with it, in log order, by an online learner');
SELECT is(pg_temp.differs('a'), 0::bigint, 'evidence equals its rebuild');
SELECT is(count(*), 2::bigint, 'in two buckets') FROM xsell.evidence WHERE agent = 'a';

-- ---- online, deferred, hold ----

SELECT pg_temp.offer('b', decision_id + 1000) FROM xsell.decision WHERE agent = 'a' \g /dev/null
SELECT pg_temp.offer('never', decision_id + 2000) FROM xsell.decision WHERE agent = 'a' \g /dev/null
SELECT xsell_reward(decision_id + 1000, outcome), xsell_reward(decision_id + 2000, outcome) FROM xsell.outcome WHERE agent = 'a' \g /dev/null
SELECT is(count(*), 0::bigint, 'a deferred learner waits for xsell_learn') FROM xsell.experience WHERE agent IN ('b', 'never');
SELECT pg_temp.clock('2026-03-13 12:00+00') \g /dev/null
SELECT results_eq($$SELECT agent, decisions, corrections FROM xsell_learn()$$,
	$$VALUES ('a', 0::bigint, 0::bigint), ('b', 8, 0)$$, 'xsell_learn learns for all that learn');
SELECT is(count(*), 0::bigint, 'one on hold does not learn') FROM xsell.experience WHERE agent = 'never';
SELECT is(pg_temp.differs('b'), 0::bigint, 'deferred evidence equals its rebuild');
SELECT results_eq($$SELECT decision_id - 1000, sum(reward - coalesce(previous, 0)) FROM xsell.experience WHERE agent = 'b' GROUP BY 1 ORDER BY 1$$,
	$$SELECT decision_id, sum(reward - coalesce(previous, 0)) FROM xsell.experience WHERE agent = 'a' GROUP BY 1 ORDER BY 1$$,
	'online and deferred count the same rewards');
SELECT pg_temp.agent('never', 'background') \g /dev/null
SELECT results_eq($$SELECT decisions, corrections FROM xsell_learn('never')$$, 'VALUES (8::bigint, 0::bigint)', 'what was collected on hold is learned afterwards, and a background agent by hand too');
SELECT is(pg_temp.differs('never'), 0::bigint, 'its evidence equals its rebuild');
SELECT pg_temp.agent('never', 'hold') \g /dev/null

-- ---- what evidence is of ----

SELECT pg_temp.agent('c', 'online', 'logistic', '{"click": 0.2, "application": 0.6, "conversion": 0.9}') \g /dev/null
SELECT pg_temp.clock('2026-04-01 12:00+00') \g /dev/null
SELECT pg_temp.offer('c', pg_temp.id('2026-04-01 10:00+00', n), CASE WHEN n % 3 > 0 THEN 'p' || n % 3 END) FROM generate_series(1, 30) n \g /dev/null
SELECT xsell_reward(pg_temp.id('2026-04-01 10:00+00', 1), o) FROM unnest(ARRAY['click', 'application', 'decline']) o \g /dev/null
SELECT pg_temp.clock('2026-04-01 13:00+00') \g /dev/null
SELECT xsell_learn('c') \g /dev/null
SELECT is(count(*), 20::bigint, 'decisions without an offer teach nothing') FROM xsell.experience WHERE agent = 'c' AND previous IS NULL;
SELECT is((SELECT reward FROM xsell.experience WHERE decision_id = pg_temp.id('2026-04-01 10:00+00', 1) ORDER BY model_version DESC LIMIT 1),
	0.6::float8, 'rewards are those of outcome_kind');
SELECT xsell_reward(pg_temp.id('2026-04-01 10:00+00', 1), 'conversion') \g /dev/null
SELECT is((SELECT reward FROM xsell.experience WHERE decision_id = pg_temp.id('2026-04-01 10:00+00', 1) ORDER BY model_version DESC LIMIT 1),
	0.9::float8, 'also of conversion, if the agent defines it');
-- a kind's reward is the one it had when the outcome was recorded
SELECT pg_temp.agent('c', 'online', 'logistic', '{"click": 0.5}') \g /dev/null
SELECT xsell_reward(pg_temp.id('2026-04-01 10:00+00', n), 'click') FROM generate_series(1, 2) n \g /dev/null
SELECT results_eq($$SELECT reward FROM xsell.outcome WHERE agent = 'c' AND outcome = 'click' ORDER BY outcome_id$$,
	$$VALUES (0.2::float8), (0.5)$$, 'a changed reward holds from then on');
SELECT is(pg_temp.differs('c'), 0::bigint, 'evidence equals its rebuild');
INSERT INTO xsell.policy VALUES ('c', 3, NULL);
SELECT is(xsell_reward(pg_temp.id('2026-04-01 10:00+00', 4), 'click'), 'recorded', 'offers of a deleted agent may still convert');
SELECT is((SELECT count(*) FROM xsell.experience WHERE decision_id = pg_temp.id('2026-04-01 10:00+00', 4)), 1::bigint, 'but it does not learn any more');

-- ---- harm ----
-- What counts of several outcomes is the largest reward and the largest harm.

SELECT pg_temp.agent('h', 'online', 'logistic', '{"click": 0.2, "unsubscribe": 0.05, "complaint": 0, "decline": 0}', '{"unsubscribe": 0.5, "complaint": 1, "decline": 0.1}') \g /dev/null
SELECT pg_temp.clock('2026-04-02 12:00+00') \g /dev/null
SELECT pg_temp.offer('h', pg_temp.id('2026-04-02 10:00+00', n)) FROM generate_series(1, 8) n \g /dev/null
CREATE TEMP TABLE said (n int, outcome text, reward float8, harm float8, changes boolean);
INSERT INTO said VALUES
	(1, 'unsubscribe', 0.05, 0.5, true), (1, 'click', 0.2, 0.5, true), (1, 'conversion', 1, 0.5, true), (1, 'complaint', 1, 1, true), (1, 'decline', 1, 1, false),
	(2, 'complaint', 0, 1, true), (2, 'unsubscribe', 0.05, 1, true), (2, 'decline', 0.05, 1, false),
	(3, 'click', 0.2, 0, true), (3, 'decline', 0.2, 0.1, true),
	(4, 'decline', 0, 0.1, true), (4, 'conversion', 1, 0.1, true);
SELECT xsell_learn('h') \g /dev/null
CREATE FUNCTION pg_temp.counts(n int) RETURNS SETOF xsell.experience LANGUAGE sql AS $$
	SELECT * FROM xsell.experience WHERE decision_id = pg_temp.id('2026-04-02 10:00+00', n) ORDER BY model_version DESC
$$;
CREATE FUNCTION pg_temp.say() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	s said;
	before xsell.experience;
	after xsell.experience;
BEGIN
	FOR s IN SELECT * FROM said ORDER BY ctid LOOP
		SELECT * INTO before FROM pg_temp.counts(s.n) LIMIT 1;
		PERFORM xsell_reward(pg_temp.id('2026-04-02 10:00+00', s.n), s.outcome);
		SELECT * INTO after FROM pg_temp.counts(s.n) LIMIT 1;
		IF (after.reward, after.harm) IS DISTINCT FROM (s.reward, s.harm)
			OR (after.model_version > before.model_version) IS DISTINCT FROM s.changes
			OR s.changes AND (after.previous, after.previous_harm) IS DISTINCT FROM (before.reward, before.harm)
			OR pg_temp.differs('h') <> 0 THEN
			RETURN NEXT s || ' counted as ' || after;
		END IF;
	END LOOP;
END
$$;
SELECT is_empty('SELECT pg_temp.say()', 'reward and harm are corrected each on its own');
SELECT results_eq($$SELECT o.outcome, o.harm FROM xsell.outcome o WHERE agent = 'h' AND decision_id = pg_temp.id('2026-04-02 10:00+00', 1) ORDER BY outcome_id$$,
	$$VALUES ('unsubscribe', 0.5::float8), ('click', 0), ('conversion', 0), ('complaint', 1), ('decline', 0.1)$$, 'outcomes keep the harm of their kind');
SELECT is((SELECT harm FROM xsell.evidence WHERE agent = 'h'),
	(SELECT xsell_beta_agg(harm) FROM unnest(ARRAY[1, 1, 0.1, 0.1, 0, 0, 0, 0]::float8[]) harm), 'evidence of harm is that of the largest harms');
SELECT is((SELECT beta FROM xsell.evidence WHERE agent = 'h'),
	(SELECT xsell_beta_agg(reward) FROM unnest(ARRAY[1, 0.05, 0.2, 1, 0, 0, 0, 0]::float8[]) reward), 'as that of rewards is of the largest rewards');
-- folded with its outcomes, in the range and late
SELECT pg_temp.clock('2026-04-03 12:00+00') \g /dev/null
SELECT pg_temp.agent('h', 'deferred', 'logistic', '{"click": 0.2, "complaint": 0}', '{"complaint": 1}') \g /dev/null
SELECT pg_temp.offer('h', pg_temp.id('2026-04-03 10:00+00', 1)), pg_temp.offer('h', pg_temp.id('2026-04-02 09:00+00', 1)) \g /dev/null
SELECT xsell_reward(pg_temp.id(at, 1), o) FROM unnest(ARRAY['click', 'complaint']) o, unnest(ARRAY['2026-04-03 10:00+00', '2026-04-02 09:00+00']::timestamptz[]) at \g /dev/null
SELECT xsell_learn('h') \g /dev/null
SELECT results_eq($$SELECT reward, harm, previous, previous_harm FROM xsell.experience WHERE agent = 'h' AND decision_id IN (pg_temp.id('2026-04-03 10:00+00', 1), pg_temp.id('2026-04-02 09:00+00', 1))$$,
	$$SELECT 0.2::float8, 1::float8, NULL::float8, NULL::float8 FROM generate_series(1, 2)$$, 'a decision that has outcomes when it is folded counts the largest, too');
SELECT is(pg_temp.differs('h'), 0::bigint, 'evidence equals its rebuild');

-- The link is that of the policy version that the encoding is named after.
SELECT pg_temp.agent('d', 'deferred', 'linear'), pg_temp.agent('d', 'deferred', 'logistic') \g /dev/null
SELECT pg_temp.offer('d', pg_temp.id('2026-04-01 11:00+00', n), 'card', 1 + n % 2) FROM generate_series(1, 10) n \g /dev/null
SELECT xsell_learn('d') \g /dev/null
SELECT results_eq($$SELECT encoding, glm FROM xsell.evidence WHERE agent = 'd' ORDER BY 1$$,
	$$SELECT encoding, xsell_glm_agg(features, 0, linear_predictor, 1, CASE encoding WHEN 1 THEN 'identity' ELSE 'logit' END)
	    FROM xsell.decision WHERE agent = 'd' GROUP BY encoding ORDER BY encoding$$, 'each encoding has its own evidence and link');
SELECT is(pg_temp.differs('d'), 0::bigint, 'and is rebuilt with it');

-- ---- random histories ----
-- The same decisions and outcomes in three orders: learned at once, in bits, and in the end.

SELECT pg_temp.agent(agent, learning, 'logistic', '{"click": 0.25, "unsubscribe": 0.05, "complaint": 0}', '{"unsubscribe": 0.5, "complaint": 1}')
  FROM (VALUES ('r1', 'online'), ('r2', 'deferred'), ('r3', 'deferred')) a (agent, learning) \g /dev/null
-- Some decisions are recorded days after the others of their time.
CREATE TEMP TABLE event AS
	SELECT n, 1 + n / 200 + CASE WHEN n % 17 = 0 THEN 1 + n % 3 ELSE 0 END AS day, 'decision' AS kind, (ARRAY['p0', 'p1', 'p2'])[1 + n % 3] AS product FROM generate_series(0, 1999) n
	UNION ALL
	SELECT (i * 7919) % 2000, least(14, 4 + ((i * 7919) % 2000) / 200 + i % 5), (ARRAY['click', 'decline', 'conversion', 'unsubscribe', 'complaint', 'click'])[1 + i % 6], NULL
	  FROM generate_series(0, 1799) i;
CREATE PROCEDURE pg_temp.live(agent text, base bigint, every int) LANGUAGE plpgsql AS $$
DECLARE
	e event;
	i int := 0;
BEGIN
	FOR e IN SELECT * FROM event ORDER BY day, kind <> 'decision', hashint8(n), kind LOOP
		PERFORM set_config('xsell.simulated_now', (timestamptz '2026-05-01 23:00+00' + e.day * interval '1 day')::text, true);
		IF e.kind = 'decision' THEN
			PERFORM pg_temp.offer(agent, pg_temp.id('2026-05-01 12:00+00'::timestamptz + (1 + e.n / 200) * interval '1 day', e.n) + base, e.product);
		ELSE
			PERFORM xsell_reward(pg_temp.id('2026-05-01 12:00+00'::timestamptz + (1 + e.n / 200) * interval '1 day', e.n) + base, e.kind);
		END IF;
		i := i + 1;
		IF i % every = 0 THEN PERFORM xsell_learn(agent, 1 + i % 83); END IF;
	END LOOP;
	PERFORM set_config('xsell.simulated_now', '2026-06-01 00:00+00', true);
	PERFORM xsell_learn(agent);
END
$$;
-- features follow from the id: the same ones modulo everything used
CALL pg_temp.live('r1', 0, 1000000);
CALL pg_temp.live('r2', 1009::bigint * 101 * 211 * 1000 * 2, 37);
SELECT is(count(*), 2000::bigint, 'every decision is experience') FROM (SELECT DISTINCT decision_id FROM xsell.experience WHERE agent = 'r1') e;
SELECT is(count(*), 2000::bigint, 'once') FROM xsell.experience WHERE agent = 'r1' AND previous IS NULL;
SELECT is(count(*), 2000::bigint, 'in both') FROM xsell.experience WHERE agent = 'r2' AND previous IS NULL;
SELECT ok(count(*) > 100, 'there were corrections') FROM xsell.experience WHERE agent = 'r1' AND previous IS NOT NULL;
SELECT ok(count(*) > 100, 'in both') FROM xsell.experience WHERE agent = 'r2' AND previous IS NOT NULL;
SELECT ok(count(*) > 30, 'some of them of the harm alone') FROM xsell.experience WHERE agent = 'r1' AND previous = reward AND previous_harm <> harm;
SELECT ok(count(*) FILTER (WHERE harm > 0) > 100 AND count(DISTINCT segment) = 3 AND count(*) FILTER (WHERE segment IS NULL) > 100, 'harm was done, and not all had a segment')
  FROM xsell.experience JOIN xsell.decision USING (decision_id) WHERE xsell.experience.agent = 'r1';
SELECT is(pg_temp.differs('r1'), 0::bigint, 'online evidence equals its rebuild');
SELECT is(pg_temp.differs('r2'), 0::bigint, 'so does evidence learned in bits');
SELECT is(pg_temp.evidence('r2'), pg_temp.evidence('r1'), 'online and deferred evidence are the same');
SELECT is((SELECT sum(reward - coalesce(previous, 0)) FROM xsell.experience WHERE agent = 'r1'),
	(SELECT sum(reward) FROM (SELECT max(reward) AS reward FROM xsell.outcome WHERE agent = 'r1' GROUP BY decision_id) o),
	'what counts are the best outcomes');
SELECT is((SELECT sum(harm - coalesce(previous_harm, 0)) FROM xsell.experience WHERE agent = 'r1'),
	(SELECT sum(harm) FROM (SELECT max(harm) AS harm FROM xsell.outcome WHERE agent = 'r1' GROUP BY decision_id) o),
	'and the worst');

-- everything in one go: the log alone decides, not when it was learned
SELECT pg_temp.offer('r3', pg_temp.id('2026-05-01 12:00+00'::timestamptz + (1 + n / 200) * interval '1 day', n) + 1009::bigint * 101 * 211 * 1000 * 4, product)
  FROM event WHERE kind = 'decision' ORDER BY hashint8(n + 1) \g /dev/null
INSERT INTO xsell.outcome (outcome_id, decision_id, customer_key, agent, outcome, reward, harm, occurred_at, recorded_by)
	SELECT outcome_id + 1000, decision_id + 1009::bigint * 101 * 211 * 1000 * 4, customer_key, 'r3', outcome, reward, harm, occurred_at, recorded_by
	  FROM xsell.outcome WHERE agent = 'r1';
SELECT results_eq($$SELECT decisions, corrections, model_version FROM xsell_learn('r3')$$, $$VALUES (2000::bigint, 0::bigint, 1::bigint)$$, 'all at once');
SELECT is(pg_temp.evidence('r3'), pg_temp.evidence('r1'), 'leaves the same evidence');

-- Evidence as of a version is the experience up to it.
CREATE TEMP TABLE seen (model_version bigint, evidence text);
SELECT pg_temp.agent('v', 'deferred', 'logistic', '{"complaint": 0}', '{"complaint": 1}') \g /dev/null
SELECT pg_temp.clock('2026-06-10 00:00+00') \g /dev/null
SELECT pg_temp.offer('v', pg_temp.id('2026-06-09 00:00+00', n)) FROM generate_series(1, 60) n \g /dev/null
DO $$
BEGIN
	FOR i IN 1..20 LOOP
		PERFORM xsell_reward(pg_temp.id('2026-06-09 00:00+00', 1 + (i * 13) % 60), CASE i % 3 WHEN 0 THEN 'complaint' ELSE 'conversion' END);
		PERFORM set_config('xsell.simulated_now', (timestamptz '2026-06-10 00:00+00' + i * interval '1 minute')::text, true);
		INSERT INTO seen SELECT l.model_version, pg_temp.evidence('v') FROM xsell_learn('v', 3) l;
	END LOOP;
END
$$;
SELECT ok(count(DISTINCT model_version) >= 20, 'many versions') FROM seen;
SELECT is(
	(SELECT count(*) FROM seen s WHERE s.evidence IS DISTINCT FROM (
		WITH known AS (
			SELECT DISTINCT ON (decision_id) x.reward, x.harm, d.*
			  FROM xsell.experience x JOIN xsell.decision d USING (decision_id)
			 WHERE x.agent = 'v' AND x.model_version <= s.model_version ORDER BY decision_id, x.model_version DESC)
		SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
			SELECT concat_ws('|', 'card', 1, '2026-06-08', xsell_beta_agg(reward),
				xsell_glm_agg(features, reward, linear_predictor, 1, 'logit'), xsell_score_agg(coalesce(forecasts, '{}'), reward), xsell_beta_agg(harm)) AS line
			  FROM known
			UNION ALL SELECT concat_ws('|', 'card', quote_literal(segment), '2026-06-08', xsell_beta_agg(reward))
			  FROM known WHERE segment IS NOT NULL GROUP BY segment) x)),
	0::bigint, 'evidence as of each version is the experience up to it');

-- ---- late ones ----

SELECT pg_temp.agent('l', 'deferred') \g /dev/null
SELECT pg_temp.offer('l', pg_temp.id('2026-06-20 00:00+00', n)) FROM generate_series(1, 10) n \g /dev/null
SELECT pg_temp.clock('2026-06-21 00:00+00') \g /dev/null
SELECT xsell_learn('l') \g /dev/null
-- recorded after the walk has passed
SELECT pg_temp.offer('l', pg_temp.id('2026-06-19 00:00+00', 1)) \g /dev/null
-- recorded elsewhere, before the walk has come to it
SELECT pg_temp.offer('l', pg_temp.id('2026-06-21 12:00+00', 1)) \g /dev/null
INSERT INTO xsell.late VALUES (pg_temp.id('2026-06-21 12:00+00', 1), 'l');
SELECT results_eq($$SELECT decisions, corrections FROM xsell_learn('l')$$, $$VALUES (1::bigint, 0::bigint)$$, 'a late decision is folded');
SELECT is(count(*), 1::bigint, 'and taken from xsell.late; one ahead of the walk stays') FROM xsell.late;
-- an outcome under a clock that was set back: the walk has passed its id
SELECT pg_temp.clock('2026-06-20 12:00+00') \g /dev/null
SELECT xsell_reward(pg_temp.id('2026-06-20 00:00+00', 5), 'conversion'), xsell_reward(pg_temp.id('2026-06-19 00:00+00', 1), 'conversion') \g /dev/null
SELECT is(count(*), 3::bigint, 'outcomes that the walk has passed are late too') FROM xsell.late;
SELECT pg_temp.clock('2026-06-22 00:00+00') \g /dev/null
SELECT results_eq($$SELECT decisions, corrections FROM xsell_learn('l')$$, $$VALUES (1::bigint, 2::bigint)$$, 'and corrected');
SELECT is(count(*), 0::bigint, 'none is left late') FROM xsell.late;
SELECT is(count(*), 12::bigint, 'each was folded once') FROM xsell.experience WHERE agent = 'l' AND previous IS NULL;
SELECT is(pg_temp.differs('l'), 0::bigint, 'evidence equals its rebuild');

-- ---- savepoints ----

SELECT pg_temp.agent('s', 'online') \g /dev/null
SELECT pg_temp.offer('s', pg_temp.id('2026-06-22 00:00+00', n)) FROM generate_series(1, 4) n \g /dev/null
SELECT pg_temp.clock('2026-06-23 00:00+00') \g /dev/null
SAVEPOINT before_learning;
SELECT xsell_reward(pg_temp.id('2026-06-22 00:00+00', 1), 'conversion') \g /dev/null
SELECT is(count(*), 4::bigint, 'learned in a subtransaction') FROM xsell.experience WHERE agent = 's';
ROLLBACK TO before_learning;
SELECT is(count(*), 0::bigint, 'unlearned with it') FROM xsell.experience WHERE agent = 's';
SAVEPOINT before_decision;
SELECT pg_temp.offer('s', pg_temp.id('2026-06-22 00:00+00', 5)) \g /dev/null
ROLLBACK TO before_decision;
SELECT xsell_reward(pg_temp.id('2026-06-22 00:00+00', 2), 'conversion') \g /dev/null
SELECT is(count(*), 4::bigint, 'what was rolled back is not learned') FROM xsell.experience WHERE agent = 's';
SELECT is(pg_temp.differs('s'), 0::bigint, 'evidence equals its rebuild');

-- ---- bad calls: one clear error, nothing written ----

CREATE FUNCTION pg_temp.fails(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE call;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', state || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END
$$;
SET LOCAL timezone = 'UTC';
SELECT pg_temp.offer('b', 7, NULL), pg_temp.offer('nobody', 8) \g /dev/null
CREATE TEMP TABLE before_errors AS SELECT count(*) FROM xsell.outcome;
SELECT is(pg_temp.fails('SELECT ' || call), expected, call) FROM (VALUES
	('xsell_reward(NULL, ''conversion'')', E'22004: decision_id must not be null\nCall xsell_reward(decision_id, outcome).'),
	('xsell_reward(1, NULL)', E'22004: outcome must not be null\nCall xsell_reward(decision_id, outcome).'),
	('xsell_reward(1, ''conversion'', ''NaN'')', E'22023: value of an outcome must be a finite number\nPass NULL if the value is not known.'),
	('xsell_reward(1, ''conversion'', ''-infinity'')', E'22023: value of an outcome must be a finite number\nPass NULL if the value is not known.'),
	('xsell_reward(1, ''conversion'')', E'42704: decision 1 does not exist\nPass the decision_id that xsell_decide returned; its transaction must have committed.'),
	('xsell_reward(-1, ''conversion'')', E'42704: decision -1 does not exist\nPass the decision_id that xsell_decide returned; its transaction must have committed.'),
	('xsell_reward(7, ''conversion'')', E'22023: decision 7 made no offer\nAn outcome is what became of an offer.\nIts reason is in xsell.decision.'),
	('xsell_reward(8, ''conversion'')', E'42704: outcome "conversion" is unknown to agent "nobody"\nThe agent has no policy.\nOther outcomes are defined in xsell.outcome_kind.'),
	('xsell_reward(pg_temp.id(''2026-05-02 12:00+00''), ''Click'')', E'42704: outcome "Click" is unknown to agent "r1"\nIt knows "conversion", "decline", "click", "unsubscribe", "complaint".\nOther outcomes are defined in xsell.outcome_kind.'),
	('xsell_reward(pg_temp.id(''2026-05-02 12:00+00''), ''click'', 1, ''2026-05-02 11:00+00'')', E'22023: outcome occurred before its decision\nDecision 308935655424000000 was made at 2026-05-02 12:00:00+00.\nCheck occurred_at and its time zone.'),
	('xsell_reward(pg_temp.id(''2026-05-02 12:00+00''), ''click'', 1, ''-infinity'')', E'22023: outcome occurred before its decision\nDecision 308935655424000000 was made at 2026-05-02 12:00:00+00.\nCheck occurred_at and its time zone.'),
	('xsell_reward(pg_temp.id(''2026-05-02 12:00+00''), ''click'', 1, ''2026-06-23 00:02+00'')', E'22023: outcome occurred in the future\nIt is 2026-06-23 00:00:00+00 now.\nCheck occurred_at and its time zone.'),
	('xsell_reward(pg_temp.id(''2026-05-02 12:00+00''), ''click'', 1, ''infinity'')', E'22023: outcome occurred in the future\nIt is 2026-06-23 00:00:00+00 now.\nCheck occurred_at and its time zone.'),
	('xsell_learn(''nobody'')', E'42704: agent "nobody" does not exist\nAgents are the rows of xsell.agent.'),
	('xsell_learn(''never'')', E'55000: agent "never" does not learn\nSet its learning to ''online'', ''deferred'' or ''background'' in xsell.agent.'),
	('xsell_learn(''b'', 0)', '22023: max_decisions must be at least 1')
) c(call, expected);
SELECT is((SELECT count(*) FROM xsell.outcome), count, 'nothing was written') FROM before_errors;
SELECT is(xsell_reward(pg_temp.id('2026-06-22 00:00+00', 3), 'conversion', -5, '2026-06-22 23:59:59+00'), 'recorded', 'a negative value is a value');

SELECT is(pg_temp.fails($$DO $do$ BEGIN SET LOCAL transaction_read_only = on; PERFORM xsell_reward(8, 'conversion'); END $do$ $$),
	E'25006: xsell_reward cannot run in a read-only transaction\nCall it in a READ WRITE transaction.', 'refused before any work where it cannot write');
SELECT is(pg_temp.fails($$DO $do$ BEGIN SET LOCAL transaction_read_only = on; PERFORM xsell_learn(); END $do$ $$),
	E'25006: xsell_learn cannot run in a read-only transaction\nCall it in a READ WRITE transaction.', 'so is learning');

-- ---- rights ----

SET LOCAL client_min_messages = warning;
DO $$ BEGIN EXECUTE 'CREATE ROLE xsell_test_feed'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO xsell_test_feed', 'xsell_reward(bigint, text, float8, timestamptz, text, boolean)'::regprocedure); END $$;
CREATE TEMP TABLE fed AS SELECT pg_temp.id('2026-06-22 00:00+00', 4) AS id;
GRANT SELECT ON fed TO xsell_test_feed;
SET LOCAL ROLE xsell_test_feed;
SELECT is(xsell_reward(id, 'conversion'), 'recorded', 'a role without rights on the journal records outcomes') FROM fed;
SELECT throws_ok('SELECT * FROM xsell.outcome', '42501', NULL, 'and cannot read them');
RESET ROLE;
SELECT is((SELECT recorded_by FROM xsell.outcome, fed WHERE decision_id = fed.id AND outcome = 'conversion'), session_user::text, 'they are signed by the session');

SELECT * FROM finish();
ROLLBACK;
