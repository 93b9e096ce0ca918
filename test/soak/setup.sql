-- setup.sql: what test/soak/run does to the small bank: deeds of its clients, and what must be true of the journal.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION xsell;
\i test/data/small_bank.sql
INSERT INTO customers SELECT i, 18 + (i * 7) % 60, (ARRAY['student', 'family', 'senior', NULL])[1 + i % 4], 800 + (i * 37) % 5000, i % 3 = 0, i % 5 > 0, '{}', ((i * 13) % 100) / 400.0 FROM generate_series(2001, 20000) i;

-- Windows and caps of seconds, so that all of them begin and end in the time there is
DELETE FROM xsell.cap;
INSERT INTO xsell.cap (agent, cap, channel, max_offers, per) VALUES ('retail', 'email', 'email', 1, '20 seconds'), ('retail', 'all', NULL, 3, '60 seconds');
UPDATE xsell.channel SET observation_window = CASE channel WHEN 'web' THEN interval '20 seconds' ELSE '90 seconds' END, reports_delivery = channel = 'email', opt_in = false;
INSERT INTO xsell.outcome_kind (agent, outcome, reward, terminal, engagement, delivery, reverses, opt_out, harm) VALUES
	('retail', 'click', 0.1, false, true, NULL, NULL, NULL, 0), ('retail', 'cancelled', 0, true, false, NULL, 'conversion', NULL, 0), ('retail', 'reinstated', 0, true, false, NULL, 'cancelled', NULL, 0),
	('retail', 'complaint', 0, false, false, NULL, NULL, NULL, 1), ('retail', 'unsubscribe', 0, false, false, NULL, NULL, 'channel', 0.5),
	('retail', 'delivered', 0, false, false, 'delivered', NULL, NULL, 0), ('retail', 'bounced', 0, false, false, 'undelivered', NULL, NULL, 0);
INSERT INTO xsell.feed (agent, feed, channel, longest_silence) VALUES ('retail', 'mailer', 'email', '12 seconds');
UPDATE xsell.agent SET learning = 'online', segment = 'segment', control_share = 0.1;
CREATE INDEX ON xsell.decision (customer_key);

CREATE SCHEMA soak;
CREATE TABLE soak.said (said_at timestamptz DEFAULT clock_timestamp(), decision_id bigint, outcome text, event_id text, said text);
CREATE TABLE soak.deed (deed text, n bigint);
CREATE TABLE soak.memory (pid int, at timestamptz DEFAULT now(), bytes bigint, largest text);
CREATE TABLE soak.sampled (decision_id bigint, said text);

-- -------------------------------------------------------------------- deeds --

-- An offer of the last seconds
CREATE FUNCTION soak.offer(most interval DEFAULT '60 s') RETURNS bigint VOLATILE LANGUAGE sql AS $$
	WITH range AS (SELECT greatest(min(decision_id), xsell_id_at(clock_timestamp() - most)) AS first, max(decision_id) AS last FROM xsell.decision),
		place AS MATERIALIZED (SELECT first + floor(random() * (last - first))::bigint AS decision_id FROM range)
	SELECT d.decision_id FROM place p, LATERAL (SELECT d.decision_id FROM xsell.decision d WHERE d.decision_id >= p.decision_id AND d.product IS NOT NULL ORDER BY 1 LIMIT 1) d
$$;
CREATE FUNCTION soak.kind() RETURNS text VOLATILE LANGUAGE sql AS $$
	SELECT ('{conversion,conversion,click,click,click,cancelled,reinstated,complaint,unsubscribe,decline,delivered,delivered,delivered,bounced}'::text[])[1 + floor(random() * 14)::int]
$$;
-- Every event has its id, so that who hears of it again repeats it; some feeds have none.
CREATE FUNCTION soak.reward(decision_id bigint, kind text DEFAULT soak.kind()) RETURNS void LANGUAGE sql AS $$
	INSERT INTO soak.said (decision_id, outcome, event_id, said)
	SELECT $1, $2, e, xsell_reward($1, $2, event_id => e, dangling => true) FROM (SELECT CASE WHEN $1 % 3 > 0 THEN $1 || '/' || $2 END AS e) x WHERE $1 IS NOT NULL
$$;
CREATE FUNCTION soak.reward_customer(customer bigint) RETURNS void LANGUAGE sql AS $$
	INSERT INTO soak.said (outcome, said)
	SELECT 'click', xsell_reward_customer(customer, product, 'click', agent => 'retail', dangling => true) FROM xsell.product ORDER BY random() LIMIT 1
$$;
-- What a bank's staging job delivers: events, some of them repeats, some of nobody and of no kind
CREATE FUNCTION soak.deliver() RETURNS void LANGUAGE sql AS $$
	INSERT INTO xsell.intake (decision_id, outcome, event_id)
	SELECT d, k, d || '/' || k FROM (SELECT CASE WHEN i = 1 THEN 4711 ELSE soak.offer() END AS d, CASE WHEN i = 2 THEN 'nonsense' ELSE soak.kind() END AS k FROM generate_series(1, 20) i) x
$$;
-- Chosen here, recorded a little later: another session may be deciding for the customer then.
CREATE FUNCTION soak.choose_and_record(customer bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	d xsell_decision;
BEGIN
	SELECT x.* INTO d FROM customers c, xsell_choose(c, channel => 'web', request_key => 'chosen ' || txid_current()) x WHERE id = customer;
	PERFORM xsell_record(d);
	RETURN 'recorded';
EXCEPTION WHEN lock_not_available THEN
	RETURN 'busy';
END $$;
CREATE FUNCTION soak.remember() RETURNS void LANGUAGE sql AS $$
	INSERT INTO soak.memory (pid, bytes, largest)
	SELECT pg_backend_pid(), (SELECT sum(total_bytes) FROM pg_backend_memory_contexts),
		(SELECT string_agg(format('%s %s', name, b), ', ') FROM (SELECT name, sum(total_bytes) AS b FROM pg_backend_memory_contexts GROUP BY 1 ORDER BY 2 DESC LIMIT 6) x)
$$;
-- Identical, or made with evidence of a customer who was forgotten since
CREATE FUNCTION soak.replay(decision bigint) RETURNS void LANGUAGE sql AS $$
	INSERT INTO soak.sampled SELECT decision, CASE WHEN r.identical THEN 'identical' WHEN r.field LIKE '%forgot%' THEN 'forgotten' ELSE concat_ws(' ', r.field, r.logged, r.replayed) END FROM xsell_replay(decision) r WHERE decision IS NOT NULL
$$;

CREATE FUNCTION soak.done(what text) RETURNS void LANGUAGE sql AS 'INSERT INTO soak.deed VALUES (what, 1)';

-- Somebody edits the policy.
CREATE FUNCTION soak.edit() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	edits text[] := ARRAY[
		$e$UPDATE xsell.agent SET strategy = (ARRAY['thompson', 'epsilon_greedy', 'ucb', 'softmax', 'squarecb', 'greedy'])[1 + floor(random() * 6)::int]$e$,
		$e$UPDATE xsell.agent SET learning = (ARRAY['online', 'online', 'deferred', 'hold'])[1 + floor(random() * 4)::int]$e$,
		$e$UPDATE xsell.agent SET learning = 'online', learning_batch = (ARRAY[1, 1, 50])[1 + floor(random() * 3)::int]$e$,
		$e$UPDATE xsell.agent SET teaches = (ARRAY['{agent,control,imported,simulated}', '{agent,control}', '{control}'])[1 + floor(random() * 3)::int]::text[]$e$,
		$e$UPDATE xsell.agent SET learning_rate = 0.2 + 0.8 * random(), harm_price = random(), half_life = CASE WHEN random() < 0.5 THEN interval '30 days' END$e$,
		$e$UPDATE xsell.agent SET oracle = (ARRAY['logistic', 'logistic', 'auto', 'beta', 'segment'])[1 + floor(random() * 5)::int]$e$,
		$e$UPDATE xsell.agent SET similarity = CASE WHEN random() < 0.5 THEN ARRAY['type'] END, floor = 0.01 + 0.1 * random()$e$,
		$e$UPDATE xsell.feature SET scale = 1000 + round(1000 * random()) WHERE feature = 'income'$e$,
		$e$INSERT INTO xsell.feature (agent, feature, expression) VALUES ('retail', 'rich', 'income > 4000') ON CONFLICT DO NOTHING$e$,
		$e$DELETE FROM xsell.feature WHERE feature = 'rich'$e$,
		$e$UPDATE xsell.cap SET max_offers = 1 + floor(random() * 4)::int WHERE cap = 'all'$e$,
		$e$UPDATE xsell.offer SET lever = (1 + random())::text WHERE product = 'fx'$e$,
		$e$UPDATE xsell.offer SET active = random() < 0.7 WHERE product = 'travel'$e$,
		$e$UPDATE xsell.outcome_kind SET reward = 0.1 + 0.1 * random() WHERE outcome = 'click'$e$,
		$e$UPDATE xsell.rule SET expression = 'age >= ' || 18 + floor(random() * 5) WHERE rule = 'adult'$e$,
		$e$INSERT INTO xsell.override (agent, override, action, product, factor, reason, expires) VALUES ('retail', 'push', 'boost', 'fund', 2, 'test', now() + interval '20 s')
			ON CONFLICT (agent, override) DO UPDATE SET expires = excluded.expires$e$];
	edit text := edits[1 + floor(random() * cardinality(edits))::int];
BEGIN
	EXECUTE edit;
	PERFORM soak.done('policy edits');
END $$;
-- A refit and its promotion, or a step back; an oracle without features has none, and another session may be at it.
CREATE FUNCTION soak.refit() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF random() < 0.7 THEN
		PERFORM xsell_promote('retail', xsell_refit('retail'));
		PERFORM soak.done('refits promoted');
	ELSE
		PERFORM xsell_rollback('retail');
		PERFORM soak.done('promotions rolled back');
	END IF;
EXCEPTION WHEN object_in_use OR object_not_in_prerequisite_state THEN
	PERFORM soak.done('refits refused');
END $$;
CREATE FUNCTION soak.forget(customer bigint) RETURNS void LANGUAGE sql AS $$
	INSERT INTO soak.deed SELECT 'decisions forgotten', xsell_forget('retail', customer);
$$;

-- ------------------------------------------------------- what must be true --

SET check_function_bodies = off;
CREATE FUNCTION soak.counts(outcome text, outcomes text[], reverses text[]) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$
	SELECT NOT EXISTS (SELECT FROM unnest(outcomes, reverses) r (outcome, reverses) WHERE r.reverses = counts.outcome AND soak.counts(r.outcome, outcomes, counts.reverses))
$$;
SET check_function_bodies = on;
-- What counts of each decision, by definition
CREATE VIEW soak.must_count AS
	SELECT d.decision_id, CASE WHEN coalesce(o.reached, false) THEN coalesce(d.weight, 1) WHEN coalesce(o.undelivered, false) OR d.awaits_delivery THEN 0 ELSE coalesce(d.weight, 1) END AS weight,
		coalesce(o.reward, 0) AS reward, coalesce(o.harm, 0) AS harm
	FROM xsell.decision d LEFT JOIN (
		SELECT x.decision_id, max(x.reward) AS reward, max(x.harm) AS harm, bool_or(x.delivery IS DISTINCT FROM 'undelivered') AS reached, bool_or(x.delivery IS NOT DISTINCT FROM 'undelivered') AS undelivered
		FROM xsell.outcome x JOIN (SELECT y.decision_id, array_agg(y.outcome) AS outcomes, array_agg(y.reverses) AS reverses FROM xsell.outcome y GROUP BY 1) a USING (decision_id)
		WHERE soak.counts(x.outcome, a.outcomes, a.reverses) GROUP BY 1) o USING (decision_id)
	WHERE d.product IS NOT NULL;
CREATE VIEW soak.latest AS SELECT DISTINCT ON (decision_id) * FROM xsell.experience ORDER BY decision_id, model_version DESC;

-- Each line is a breach; within one snapshot true at any time, since: decisions whose caps are looked at.
CREATE FUNCTION soak.breaches(since timestamptz) RETURNS TABLE (breach text, n bigint) LANGUAGE sql AS $$
	SELECT * FROM (
	SELECT 'evidence that is not its rebuild', count(*)
	FROM (SELECT * FROM xsell.evidence WHERE agent = 'retail') e FULL JOIN xsell_rebuild_evidence('retail') r USING (product, encoding, source, bucket)
	WHERE (e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm) IS NOT TRUE
	UNION ALL
	SELECT 'evidence of segments that is not its rebuild', count(*)
	FROM (SELECT * FROM xsell.segment_evidence WHERE agent = 'retail') e FULL JOIN xsell_rebuild_segments('retail') r USING (product, segment, source, bucket)
	WHERE (e.beta = r.beta) IS NOT TRUE
	UNION ALL
	SELECT 'decisions learned more than once', count(*) - count(DISTINCT decision_id) FROM xsell.experience WHERE previous_weight IS NULL
	UNION ALL
	SELECT 'experience of no decision', count(*) FROM xsell.experience e WHERE NOT EXISTS (SELECT FROM xsell.decision d WHERE d.decision_id = e.decision_id)
	UNION ALL
	SELECT 'offers that the walk has passed and nobody has', count(*) FROM xsell.decision d JOIN xsell.learner l USING (agent)
	WHERE d.product IS NOT NULL AND d.decision_id <= l.folded_to AND NOT EXISTS (SELECT FROM xsell.experience e WHERE e.decision_id = d.decision_id)
	  AND NOT EXISTS (SELECT FROM xsell.held h WHERE h.decision_id = d.decision_id) AND NOT EXISTS (SELECT FROM xsell.late t WHERE t.decision_id = d.decision_id)
	UNION ALL
	SELECT 'held offers that are learned', count(*) FROM xsell.held JOIN xsell.experience USING (decision_id)
	UNION ALL
	SELECT 'decisions that count otherwise than they must', count(*) FROM soak.must_count m JOIN soak.latest e USING (decision_id)
	WHERE (m.weight, m.reward, m.harm) <> (e.weight, e.reward, e.harm) AND NOT EXISTS (SELECT FROM xsell.late t WHERE t.decision_id = m.decision_id)
	  AND NOT EXISTS (SELECT FROM xsell.outcome o WHERE o.decision_id = m.decision_id AND o.outcome_id > (SELECT outcomes_to FROM xsell.learner WHERE agent = 'retail'))
	UNION ALL
	SELECT 'outcomes reported as recorded that are not there', count(*) FROM soak.said s JOIN xsell.decision d USING (decision_id)
	WHERE s.said = 'recorded' AND NOT EXISTS (SELECT FROM xsell.outcome o WHERE (o.decision_id, o.outcome) = (s.decision_id, s.outcome))
	UNION ALL
	SELECT 'outcomes reported as recorded twice', count(*) FROM (SELECT FROM soak.said WHERE said = 'recorded' AND decision_id IS NOT NULL GROUP BY decision_id, outcome HAVING count(*) > 1) x
	UNION ALL
	SELECT 'last offers that are no contacts', count(*) FROM (SELECT customer_key, max(decision_id) AS decision_id FROM xsell.decision WHERE product IS NOT NULL AND decision_id >= xsell_id_at(since) GROUP BY 1) d
	WHERE NOT EXISTS (SELECT FROM xsell.contact c WHERE c.customer_key = d.customer_key AND d.decision_id = ANY (c.decision_id))
	UNION ALL
	-- what was recorded after it had been chosen elsewhere says itself whether it breaks a cap, and others could not know of it
	SELECT 'offers above a cap', count(*)
	FROM xsell.decision d JOIN xsell.policy p USING (agent, policy_version), jsonb_array_elements(p.definition -> 'caps') c
	WHERE d.decision_id >= xsell_id_at(since) AND d.product IS NOT NULL AND d.breach IS NULL AND d.request_key NOT LIKE 'chosen %' IS NOT FALSE AND coalesce(c ->> 'channel', d.channel) = d.channel
	  AND (SELECT count(*) FROM xsell.decision e
		WHERE e.customer_key = d.customer_key AND e.product IS NOT NULL AND e.decision_id < d.decision_id AND e.decision_id > xsell_id_at(xsell_decided_at(d.decision_id) - (c ->> 'per')::interval + interval '5 ms')
		  AND coalesce(c ->> 'channel', e.channel) = e.channel AND e.request_key NOT LIKE 'chosen %' IS NOT FALSE
		  AND NOT EXISTS (SELECT FROM xsell.outcome o WHERE o.decision_id = e.decision_id AND o.delivery = 'undelivered')) >= (c ->> 'max_offers')::int
	UNION ALL
	SELECT 'replays that differ', count(*) FROM soak.sampled WHERE said NOT IN ('identical', 'forgotten')
	) x (breach, n) WHERE n <> 0
$$;

-- And when all was learned that can be
CREATE FUNCTION soak.breaches_at_rest() RETURNS TABLE (breach text, n bigint) LANGUAGE sql AS $$
	SELECT * FROM (
	SELECT 'offers that are not learned', count(*) FROM soak.must_count m WHERE NOT EXISTS (SELECT FROM xsell.experience e WHERE e.decision_id = m.decision_id)
	UNION ALL SELECT 'offers that count otherwise than they must', count(*) FROM soak.must_count m JOIN soak.latest e USING (decision_id) WHERE (m.weight, m.reward, m.harm) <> (e.weight, e.reward, e.harm)
	UNION ALL SELECT 'held offers', count(*) FROM xsell.held
	UNION ALL SELECT 'late offers', count(*) FROM xsell.late
	UNION ALL SELECT 'rows not taken in', count(*) FROM xsell.intake
	UNION ALL SELECT 'dangling outcomes without a reason', count(*) FROM xsell.dangling WHERE reason IS NULL
	) x (breach, n) WHERE n <> 0
$$;
SELECT xsell_heartbeat('retail', 'mailer') \g /dev/null
ANALYZE;
