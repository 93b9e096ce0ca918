-- outcome_property.sql: what a decision teaches is a function of its row and the set of its outcomes (promises 4, 5 and 9).
--
-- Random worlds, the same in every run: decisions with and without delivery reports, weights and segments, of all
-- sources, some of them recorded late; outcomes with reversals, reversals of reversals, deliveries, harm, opt-outs,
-- partial rewards, repeats and reused event ids; feeds that fall silent and revive. Each world is lived through three
-- times, by agents that learn otherwise and hear of everything in another order:
--
--	a	online, one outcome after the other, in the order of their days
--	b	deferred, in steps of random size
--	c	in random order, in bulk through xsell.intake, outcomes before their decisions included; it changes its way of
--		learning as it goes
--
-- Some of what happens is rolled back first and happens again. What must count is stated here from the definition, by
-- recursion over the outcomes, and not by the two levels that learning looks at.
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
SET jit = off;
SELECT no_plan();
SELECT xsell_create_journal('bigint') \g /dev/null
SET xsell.simulated_now = '2026-03-02 00:00+00';

\set worlds 3
\set decisions 150

-- A number in [0,1), one of a list: the same for the same name
CREATE FUNCTION u(name text) RETURNS float8 IMMUTABLE LANGUAGE sql AS $$
	SELECT (hashtextextended(name, 20260302) & 9007199254740991) / 9007199254740992.0
$$;
CREATE FUNCTION pick(name text, VARIADIC list text[]) RETURNS text IMMUTABLE LANGUAGE sql AS $$
	SELECT list[1 + floor(u(name) * cardinality(list))::int]
$$;

-- ------------------------------------------------------------ the worlds --

CREATE TABLE kind (outcome text PRIMARY KEY, reward float8, terminal boolean, delivery text, reverses text, opt_out text, harm float8, often int);
INSERT INTO kind VALUES
	('conversion', 1, true, NULL, NULL, NULL, 0, 5), ('decline', 0, true, NULL, NULL, NULL, 0, 2),
	('click', 0.1, false, NULL, NULL, NULL, 0, 5), ('application', 0.4, false, NULL, NULL, NULL, 0, 2),
	('cancelled', 0, true, NULL, 'conversion', NULL, 0, 4), ('reinstated', 0, true, NULL, 'cancelled', NULL, 0, 3),
	('downgraded', 0.3, true, NULL, 'conversion', NULL, 0.05, 2), ('upheld', 0.2, true, NULL, 'downgraded', NULL, 0, 1),
	('complaint', 0, false, NULL, NULL, NULL, 1, 2), ('withdrawn', 0, false, NULL, 'complaint', NULL, 0.1, 1),
	('unsubscribe', 0.02, false, NULL, NULL, 'channel', 0.5, 2), ('never', 0, false, NULL, NULL, 'all', 0.8, 1),
	('misread', 0, false, NULL, 'unsubscribe', NULL, 0, 1),
	('delivered', 0, false, 'delivered', NULL, NULL, 0, 6), ('opened', 0.05, false, 'delivered', NULL, NULL, 0, 2), ('recalled', 0, false, 'undelivered', 'delivered', NULL, 0, 2),
	('bounced', 0, false, 'undelivered', NULL, NULL, 0, 5), ('lost', 0, true, 'undelivered', NULL, NULL, 0, 2),
	('found', 0, false, 'delivered', 'lost', NULL, 0, 1), ('bounced_not', 0, false, 'undelivered', 'bounced', NULL, 0, 2), ('bounced_yet', 0, false, 'undelivered', 'bounced_not', NULL, 0, 1);

CREATE TABLE offered AS
	SELECT w, n, timestamptz '2026-03-02 08:00+00' + n * 20 / :decisions * interval '1 day' + n * 37 % 720 * interval '1 minute' AS decided_at,
		CASE WHEN u(s || 'later') < 0.12 THEN 1 + floor(5 * u(s || 'days'))::int ELSE 0 END AS later,
		pick(s || 'cohort', 'agent', 'agent', 'agent', 'control', 'imported') AS cohort, u(s || 'simulated') < 0.2 AS simulated,
		CASE WHEN u(s || 'none') >= 0.05 THEN pick(s || 'product', 'p0', 'p0', 'p1', 'p2') END AS product,
		channel, channel = 'email' AND u(s || 'since') < 0.9 AS awaits_delivery,
		CASE WHEN u(s || 'weight') < 0.3 THEN pick(s || 'heavy', '0.125', '0.5', '3.25', '10')::float8 END AS weight,
		2 * u(s || 'encoding') < 1 AS linear, 6 * u(s || 'predictor') - 5 AS linear_predictor, ARRAY[1, 2 * u(s || 'x') - 1, u(s || 'y')]::real[] AS features,
		pick(s || 'segment', 'student', 'family', '', NULL) AS segment,
		CASE WHEN u(s || 'forecast') < 0.9 THEN ARRAY[u(s || 'f1'), u(s || 'f2'), CASE WHEN u(s || 'f3') < 0.7 THEN 0.1 ELSE 'NaN' END, u(s || 'f4')]::real[] END AS forecasts
	FROM generate_series(1, :worlds) w, generate_series(1, :decisions) n, format('%s %s', w, n) s, LATERAL (SELECT pick(s || 'channel', 'web', 'email', 'email', 'post') AS channel) c;
ALTER TABLE offered ADD PRIMARY KEY (w, n);

-- Some decisions have many outcomes, most a few. A later one of the same kind is a repeat.
CREATE TABLE said AS
	SELECT w, k, n, k1.outcome, floor(6 * u(s || 'days') ^ 2)::int AS later, CASE WHEN u(w || ' ' || n || k1.outcome || 'event') < 0.5 THEN format('%s/%s/%s', w, n, k1.outcome) END AS event_id
	FROM generate_series(1, :worlds) worlds (w), generate_series(1, 4 * :decisions) k, format('%s said %s', w, k) s,
		LATERAL (SELECT 1 + floor(u(s || 'n') ^ 1.5 * :decisions)::int AS n) n1,
		LATERAL (SELECT outcome FROM kind, generate_series(1, often) i ORDER BY u(s || outcome || i) LIMIT 1) k1
	WHERE EXISTS (SELECT FROM offered o WHERE o.w = worlds.w AND o.n = n1.n AND o.product IS NOT NULL);

-- ---------------------------------------------------------------- agents --

CREATE TABLE person (id bigint PRIMARY KEY);
CREATE TABLE liver AS
	SELECT w, v, format('%s%s', w, v) AS agent, row_number() OVER (ORDER BY w, v)::int AS number FROM generate_series(1, :worlds) w, unnest('{a,b,c}'::text[]) v;
INSERT INTO xsell.product (product, credit) VALUES ('p0', false), ('p1', true), ('p2', false);
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning, oracle) SELECT agent, 'person', 'id', 1, CASE v WHEN 'a' THEN 'online' ELSE 'deferred' END, 'linear' FROM liver;
INSERT INTO xsell.channel (agent, channel, reports_delivery) SELECT agent, c, c = 'email' FROM liver, unnest('{web,email,post}'::text[]) c;
INSERT INTO xsell.offer (agent, product) SELECT agent, product FROM liver, xsell.product;
INSERT INTO xsell.outcome_kind (agent, outcome, reward, terminal, delivery, reverses, opt_out, harm)
	SELECT agent, outcome, reward, terminal, delivery, reverses, opt_out, harm FROM liver, kind WHERE outcome NOT IN ('conversion', 'decline');
INSERT INTO xsell.feed (agent, feed, channel, longest_silence) SELECT agent, feed, channel, silence::interval FROM liver, (VALUES ('crm', NULL, '50 hours'), ('mailer', 'email', '30 hours')) f (feed, channel, silence);
UPDATE xsell.agent SET oracle = 'logistic';

-- Decisions of the three agents of a world differ by milliseconds only.
CREATE TABLE known AS
	SELECT agent, w, n, xsell_id_at(o.decided_at + l.number * interval '1 ms') + CASE WHEN o.simulated THEN 0 ELSE 7 << 9 END + o.n % 512 AS decision_id FROM liver l JOIN offered o USING (w);
CREATE UNIQUE INDEX ON known (agent, n) INCLUDE (decision_id);
CREATE UNIQUE INDEX ON known (decision_id);
CREATE FUNCTION id_of(agent text, n int) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT decision_id FROM known k WHERE (k.agent, k.n) = ($1, $2)';

-- As xsell_record does: a decision that the walk has passed is late.
CREATE PROCEDURE decide(agent text, n int) LANGUAGE plpgsql AS $$
DECLARE
	o offered := (SELECT o FROM known k JOIN offered o USING (w, n) WHERE (k.agent, k.n) = (decide.agent, decide.n));
	id bigint := id_of(agent, n);
BEGIN
	INSERT INTO xsell.decision (decision_id, customer_key, agent, cohort, product, channel, probability, weight, awaits_delivery, mode, reason, policy_version,
		model_version, encoding, linear_predictor, features, candidates, segment, forecasts, decided_by)
	VALUES (id, n % 50, agent, o.cohort, o.product, o.channel, 0.5, o.weight, o.awaits_delivery, CASE WHEN o.product IS NULL THEN 'none' ELSE 'explore' END, 'test', 1,
		0, CASE WHEN o.linear THEN 1 ELSE (SELECT min(policy_version) FROM xsell.policy p WHERE p.agent = decide.agent AND definition -> 'agent' ->> 'oracle' = 'logistic') END,
		o.linear_predictor, o.features, '[]', o.segment, o.forecasts, 'test');
	INSERT INTO xsell.late (decision_id, agent) SELECT id, l.agent FROM xsell.learner l WHERE l.agent = decide.agent AND o.product IS NOT NULL AND l.folded_to >= id;
END $$;

-- ------------------------------------------------- what must have been learned --

-- An outcome counts unless one that counts reverses it.
SET check_function_bodies = off;
CREATE FUNCTION counts(outcome text, outcomes text[], reverses text[]) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$
	SELECT NOT EXISTS (SELECT FROM unnest(outcomes, reverses) r (outcome, reverses) WHERE r.reverses = counts.outcome AND counts(r.outcome, outcomes, counts.reverses))
$$;
SET check_function_bodies = on;

CREATE FUNCTION must_count(agent text) RETURNS TABLE (decision_id bigint, weight float8, reward float8, harm float8) STABLE LANGUAGE sql AS $$
	SELECT d.decision_id, CASE WHEN coalesce(o.reached, false) THEN coalesce(d.weight, 1) WHEN coalesce(o.undelivered, false) OR d.awaits_delivery THEN 0 ELSE coalesce(d.weight, 1) END,
		coalesce(o.reward, 0), coalesce(o.harm, 0)
	FROM xsell.decision d LEFT JOIN (
		SELECT x.decision_id, max(x.reward) AS reward, max(x.harm) AS harm, bool_or(x.delivery IS DISTINCT FROM 'undelivered') AS reached, bool_or(x.delivery IS NOT DISTINCT FROM 'undelivered') AS undelivered
		FROM xsell.outcome x JOIN (SELECT y.decision_id, array_agg(y.outcome) FILTER (WHERE y.reverses IS NOT NULL) AS outcomes, array_agg(y.reverses) FILTER (WHERE y.reverses IS NOT NULL) AS reverses FROM xsell.outcome y WHERE y.agent = $1 GROUP BY 1) all_of USING (decision_id)
		WHERE counts(x.outcome, all_of.outcomes, all_of.reverses) GROUP BY 1) o USING (decision_id)
	WHERE d.agent = $1 AND d.product IS NOT NULL
$$;

-- Decisions that a silent feed holds back now; history that was imported has its outcomes
CREATE FUNCTION must_wait(agent text) RETURNS SETOF bigint STABLE LANGUAGE sql AS $$
	SELECT d.decision_id FROM xsell.decision d WHERE d.agent = $1 AND d.product IS NOT NULL AND d.cohort <> 'imported' AND EXISTS (
		SELECT FROM xsell.feed f LEFT JOIN xsell.heartbeat h USING (agent, feed)
		WHERE f.agent = $1 AND coalesce(f.channel, d.channel) = d.channel
		  AND (h.beat_at IS NULL OR current_setting('xsell.simulated_now')::timestamptz - h.beat_at > f.longest_silence AND xsell_decided_at(d.decision_id) > h.beat_at))
$$;

CREATE VIEW latest AS SELECT DISTINCT ON (decision_id) * FROM xsell.experience ORDER BY decision_id, model_version DESC;

-- At any time: evidence is its rebuild, and what was learned is what counts, but for outcomes that learning has not come to.
CREATE FUNCTION wrong(agent text) RETURNS SETOF text STABLE LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT format('evidence of %s %s %s %s is not its rebuild', product, encoding, source, bucket)
	FROM (SELECT * FROM xsell.evidence e WHERE e.agent = $1) e FULL JOIN xsell_rebuild_evidence($1) r USING (product, encoding, source, bucket)
	WHERE (e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm) IS NOT TRUE
	UNION ALL
	SELECT format('evidence of segment %s %s %s %s is not its rebuild', product, segment, source, bucket)
	FROM (SELECT * FROM xsell.segment_evidence e WHERE e.agent = $1) e FULL JOIN xsell_rebuild_segments($1) r USING (product, segment, source, bucket)
	WHERE (e.beta = r.beta) IS NOT TRUE
	UNION ALL
	SELECT format('decision %s counts as %s %s %s, not %s %s %s', decision_id, e.weight, e.reward, e.harm, m.weight, m.reward, m.harm)
	FROM must_count($1) m JOIN latest e USING (decision_id)
	WHERE (e.weight, e.reward, e.harm) <> (m.weight, m.reward, m.harm) AND NOT EXISTS (SELECT FROM xsell.late l WHERE l.decision_id = e.decision_id)
	  AND NOT EXISTS (SELECT FROM xsell.outcome o WHERE o.decision_id = e.decision_id AND o.outcome_id > (SELECT outcomes_to FROM xsell.learner l WHERE l.agent = $1))
	UNION ALL
	SELECT format('the history of decision %s has a gap at %s', decision_id, model_version)
	FROM (SELECT e.*, lag(ROW(weight, reward, harm)) OVER (PARTITION BY decision_id ORDER BY model_version) AS before FROM xsell.experience e WHERE e.agent = $1) e
	WHERE before IS DISTINCT FROM CASE WHEN previous_weight IS NOT NULL THEN ROW(previous_weight, previous, previous_harm) END OR before = ROW(weight, reward, harm);
END $$;

-- When all was learned that can be: whatever was folded counts in full, the rest is held back, and the sums are these.
CREATE FUNCTION wrong_at_rest(agent text) RETURNS SETOF text STABLE LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT format('decision %s is folded: %s, held: %s, to be held: %s', decision_id, e.decision_id IS NOT NULL, h.decision_id IS NOT NULL, w.decision_id IS NOT NULL)
	FROM must_count($1) m LEFT JOIN latest e USING (decision_id) LEFT JOIN xsell.held h USING (decision_id) LEFT JOIN must_wait($1) w (decision_id) USING (decision_id)
	WHERE (e.decision_id IS NULL) <> (h.decision_id IS NOT NULL) OR h.decision_id IS NOT NULL AND w.decision_id IS NULL
	UNION ALL
	SELECT format('decision %s is to count as %s %s %s', decision_id, m.weight, m.reward, m.harm)
	FROM must_count($1) m JOIN latest e USING (decision_id) WHERE (e.weight, e.reward, e.harm) <> (m.weight, m.reward, m.harm)
	UNION ALL
	SELECT format('evidence of %s %s %s %s is not the sum', product, encoding, source, bucket)
	FROM (SELECT * FROM xsell.evidence e WHERE e.agent = $1) e FULL JOIN (
		SELECT d.product, d.encoding, CASE WHEN o.cohort <> 'imported' AND o.simulated THEN 'simulated' ELSE d.cohort END AS source, date_trunc('week', o.decided_at AT TIME ZONE 'UTC')::date AS bucket,
			xsell_beta_agg(m.reward, m.weight) AS beta, xsell_glm_agg(d.features, m.reward, d.linear_predictor, m.weight, CASE d.encoding WHEN 1 THEN 'identity' ELSE 'logit' END) AS glm,
			xsell_score_agg(coalesce(d.forecasts, '{}'), m.reward) AS score, xsell_beta_agg(m.harm, m.weight) AS harm
		FROM must_count($1) m JOIN latest e USING (decision_id) JOIN xsell.decision d USING (decision_id) JOIN known USING (decision_id) JOIN offered o USING (w, n)
		WHERE m.weight > 0 GROUP BY 1, 2, 3, 4) r USING (product, encoding, source, bucket)
	WHERE CASE WHEN r.beta IS NULL THEN xsell_observations(e.beta) = 0 AND xsell_observations(e.glm) = 0 AND xsell_observations(e.harm) = 0
		ELSE e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm END IS NOT TRUE
	UNION ALL
	SELECT format('evidence of segment %s %s %s %s is not the sum', product, segment, source, bucket)
	FROM (SELECT * FROM xsell.segment_evidence e WHERE e.agent = $1) e FULL JOIN (
		SELECT d.product, d.segment, CASE WHEN o.cohort <> 'imported' AND o.simulated THEN 'simulated' ELSE d.cohort END AS source, date_trunc('week', o.decided_at AT TIME ZONE 'UTC')::date AS bucket,
			xsell_beta_agg(m.reward, m.weight) AS beta
		FROM must_count($1) m JOIN latest e USING (decision_id) JOIN xsell.decision d USING (decision_id) JOIN known USING (decision_id) JOIN offered o USING (w, n)
		WHERE m.weight > 0 AND d.segment IS NOT NULL GROUP BY 1, 2, 3, 4) r USING (product, segment, source, bucket)
	WHERE CASE WHEN r.beta IS NULL THEN xsell_observations(e.beta) = 0 ELSE e.beta = r.beta END IS NOT TRUE;
END $$;

-- Nothing is folded while a feed holds it back.
CREATE FUNCTION too_early(agent text, version bigint) RETURNS SETOF text STABLE LANGUAGE sql AS $$
	SELECT format('decision %s is folded at %s although its feed is silent', e.decision_id, current_setting('xsell.simulated_now'))
	FROM xsell.experience e JOIN must_wait($1) w (decision_id) USING (decision_id) WHERE e.agent = $1 AND e.model_version > $2 AND e.previous_weight IS NULL
$$;

-- ------------------------------------------------------------- their lives --

CREATE TABLE event AS
	SELECT w, v, agent, date_trunc('day', o.decided_at, 'UTC') + 23 * interval '1 hour' + CASE v WHEN 'c' THEN 2 * later ELSE later END * interval '1 day' AS moment, 'decision' AS what, n, NULL AS name, NULL AS event_id, u(format('%s %s', agent, n)) AS place
	FROM liver JOIN offered o USING (w)
	UNION ALL
	SELECT w, v, agent, date_trunc('day', o.decided_at, 'UTC') + 23 * interval '1 hour' + CASE v WHEN 'c' THEN floor(18 * u(format('%s said %s', agent, k)))::int ELSE o.later + s.later END * interval '1 day', 'outcome', n, outcome, agent || event_id, u(format('%s said %s', agent, k)) + (v <> 'c')::int
	FROM liver JOIN said s USING (w) JOIN offered o USING (w, n)
	UNION ALL
	SELECT w, v, agent, timestamptz '2026-03-02 23:00+00' + day * interval '1 day', 'beat', NULL, feed, NULL, u(s)
	FROM liver, generate_series(0, 40) day, unnest('{crm,mailer}'::text[]) feed, format('%s %s %s', agent, feed, day) s
	WHERE CASE WHEN v = 'c' THEN u(s || 'beat') < 0.6 WHEN feed = 'crm' THEN day NOT BETWEEN 9 AND 12 ELSE day > 1 AND day NOT BETWEEN 5 AND 8 END;
CREATE INDEX ON event (agent);
ANALYZE offered, said, event, liver, known;

CREATE TABLE finding (agent text, moment text, finding text);
CREATE TABLE deed (agent text, deed text);

-- One event, as the agent hears of it; s is its own chance.
CREATE PROCEDURE hear(e event, s text) LANGUAGE plpgsql AS $$
DECLARE
	said text;
	at timestamptz := (SELECT decided_at + interval '1 minute' FROM offered o WHERE (o.w, o.n) = (e.w, e.n));
BEGIN
	IF e.what = 'decision' THEN
		CALL decide(e.agent, e.n);
	ELSIF e.what = 'beat' THEN
		PERFORM xsell_heartbeat(e.agent, e.name, CASE WHEN u(s || 'at') < 0.3 THEN current_setting('xsell.simulated_now')::timestamptz - interval '1 hour' END);
	ELSIF e.v = 'c' AND u(s || 'intake') < 0.7 THEN
		INSERT INTO xsell.intake (decision_id, outcome, occurred_at, event_id) VALUES (id_of(e.agent, e.n), e.name, CASE WHEN u(s || 'at') < 0.3 THEN at ELSE current_setting('xsell.simulated_now')::timestamptz END, e.event_id);
		said := 'taken in';
	ELSE
		said := xsell_reward(id_of(e.agent, e.n), e.name, NULL, CASE WHEN u(s || 'at') < 0.3 THEN at END, e.event_id, dangling => e.v = 'c');
	END IF;
	IF u(s || 'crash') < 0.1 THEN RAISE 'crash'; END IF;
	INSERT INTO deed VALUES (e.agent, coalesce(said, e.what));
END $$;

CREATE PROCEDURE learn(agent text, v text, s text) LANGUAGE plpgsql AS $$
DECLARE
	at_rest boolean := u(s || 'all') < 0.3;
BEGIN
	IF v = 'c' AND u(s || 'mode') < 0.1 THEN
		UPDATE xsell.agent a SET learning = pick(s || 'learning', 'online', 'deferred', 'deferred', 'hold'), learning_batch = pick(s || 'batch', '1', '1', '25')::int WHERE a.agent = learn.agent;
	END IF;
	IF v = 'c' AND u(s || 'take') < 0.5 THEN
		PERFORM xsell_take_in(CASE WHEN u(s || 'few') < 0.5 THEN 1 + floor(40 * u(s || 'rows'))::int END, u(s || 'retry') < 0.3);
	END IF;
	IF EXISTS (SELECT FROM xsell.agent a WHERE a.agent = learn.agent AND a.learning = 'hold') THEN
		at_rest := false;
	ELSE
		PERFORM xsell_learn(agent, CASE WHEN NOT at_rest THEN 1 + floor(50 * u(s || 'few'))::int END);
		at_rest := at_rest AND EXISTS (SELECT FROM xsell.agent a WHERE a.agent = learn.agent AND a.learning_batch = 1);
	END IF;
	IF u(s || 'crash') < 0.1 THEN RAISE 'crash'; END IF;
	INSERT INTO finding SELECT agent, current_setting('xsell.simulated_now'), f FROM wrong(agent) f WHERE at_rest OR u(s || 'look') < 0.2;
	IF at_rest THEN
		INSERT INTO finding SELECT agent, current_setting('xsell.simulated_now'), f FROM wrong_at_rest(agent) f;
		INSERT INTO deed VALUES (agent, 'at rest');
	END IF;
END $$;

CREATE PROCEDURE live(agent text) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	e event;
	i int := 0;
	s text;
	version bigint;
BEGIN
	FOR e IN SELECT * FROM event x WHERE x.agent = live.agent ORDER BY moment, place LOOP
		i := i + 1;
		s := format('%s event %s', agent, i);
		PERFORM set_config('xsell.simulated_now', (e.moment + i * interval '1 s')::text, false);
		version := coalesce((SELECT model_version FROM xsell.learner l WHERE l.agent = live.agent), 0);
		FOR try IN 1 .. 9 LOOP
			BEGIN
				CALL hear(e, s || try);
				EXIT;
			EXCEPTION WHEN raise_exception THEN
				INSERT INTO deed VALUES (agent, 'rolled back');
			END;
		END LOOP;
		IF e.event_id IS NOT NULL AND u(s || 'reuse') < 0.05 AND EXISTS (SELECT FROM xsell.outcome o WHERE o.event_id = e.event_id) THEN
			BEGIN
				PERFORM xsell_reward(id_of(agent, e.n), CASE e.name WHEN 'click' THEN 'decline' ELSE 'click' END, event_id => e.event_id);
				INSERT INTO finding VALUES (agent, i, 'an event id was taken for two outcomes: ' || e.event_id);
			EXCEPTION WHEN OTHERS THEN
				INSERT INTO deed VALUES (agent, 'refused: ' || SQLSTATE);
			END;
		END IF;
		IF u(s || 'learn') < (CASE e.v WHEN 'a' THEN 0.02 ELSE 0.08 END) THEN
			FOR try IN 1 .. 9 LOOP
				BEGIN
					CALL learn(agent, e.v, s || try);
					EXIT;
				EXCEPTION WHEN raise_exception THEN
					INSERT INTO deed VALUES (agent, 'rolled back');
				END;
			END LOOP;
		END IF;
		INSERT INTO finding SELECT agent, i, f FROM too_early(agent, version) f;
		IF i % 10 = 0 THEN COMMIT; END IF;
		IF i IN (100, 400) THEN ANALYZE xsell.decision, xsell.outcome, xsell.experience, xsell.evidence, xsell.segment_evidence; END IF;
	END LOOP;

	PERFORM set_config('xsell.simulated_now', '2026-05-01 00:00+00', false);
	PERFORM xsell_heartbeat(agent, feed) FROM unnest('{crm,mailer}'::text[]) feed;
	PERFORM xsell_take_in(retry_dangling => true);
	UPDATE xsell.agent a SET learning = 'deferred', learning_batch = 1 WHERE a.agent = live.agent;
	PERFORM xsell_learn(agent);
	INSERT INTO finding SELECT agent, 'the end', f FROM (SELECT wrong(agent) UNION ALL SELECT wrong_at_rest(agent)) x (f);
END $$;

SET plan_cache_mode = force_generic_plan;
SELECT format('CALL live(%L);', agent) FROM liver ORDER BY number \gexec
RESET plan_cache_mode;

-- ------------------------------------------------------------------ the test --

SELECT is_empty('SELECT agent, moment, finding FROM finding LIMIT 20', 'evidence is its rebuild, and what was learned is what counts, at any time');

CREATE TABLE state AS
	SELECT w, v, concat_ws('|', product, encoding, source, bucket, beta, glm, score, harm) AS line FROM xsell.evidence JOIN liver USING (agent) WHERE xsell_observations(beta) > 0
	UNION ALL SELECT w, v, concat_ws('|', product, quote_literal(segment), source, bucket, beta) FROM xsell.segment_evidence JOIN liver USING (agent) WHERE xsell_observations(beta) > 0;
SELECT is_empty($$SELECT w, line, string_agg(v, ',') FROM state GROUP BY 1, 2 HAVING count(*) <> 3$$, 'whatever the order, the evidence is the same');
SELECT is_empty($$SELECT w, n, name, string_agg(v, ',') FROM (
		SELECT known.w, v, known.n, o.outcome AS name, o.reward, o.harm, o.terminal, o.delivery, o.reverses FROM xsell.outcome o JOIN known USING (decision_id) JOIN liver USING (w) WHERE liver.agent = o.agent
		UNION SELECT DISTINCT w, 'said', n, k.outcome, k.reward, k.harm, k.terminal, k.delivery, k.reverses FROM said JOIN kind k USING (outcome)) x
	GROUP BY w, n, name, reward, harm, terminal, delivery, reverses HAVING count(*) <> 4$$, 'every outcome is recorded, as its kind is');
SELECT is(count(*), count(DISTINCT (decision_id, outcome)), 'once') FROM xsell.outcome;
SELECT is_empty($$SELECT n, agent FROM liver JOIN said USING (w) JOIN kind USING (outcome) JOIN offered USING (w, n) WHERE opt_out IS NOT NULL AND NOT EXISTS (
		SELECT FROM xsell.consent c WHERE c.customer_key = n % 50 AND c.channel = CASE opt_out WHEN 'all' THEN '*' ELSE offered.channel END AND NOT c.granted)$$, 'every opt-out binds, reversed or not');
SELECT is_empty('SELECT * FROM xsell.held', 'no decision is held when all feeds are alive');
SELECT is_empty('SELECT * FROM xsell.intake', 'nothing is left to be taken in');
SELECT is_empty($$SELECT * FROM xsell.dangling$$, 'nothing dangles when all decisions are known');

-- It was not easy.
SELECT diag(agent || ': ' || string_agg(deed || ' ' || n, ', ' ORDER BY deed)) FROM (SELECT agent, deed, count(*) AS n FROM deed GROUP BY 1, 2) x GROUP BY agent ORDER BY agent;
SELECT cmp_ok((SELECT count(*) FROM deed WHERE deed.deed = d), '>=', n::bigint, d || ' often enough')
	FROM (VALUES ('recorded', 500), ('duplicate', 100), ('dangling', 10), ('taken in', 500), ('rolled back', 200), ('at rest', 100), ('refused: 23505', 10)) x (d, n);
SELECT cmp_ok(count(*), '>=', 300::bigint, what) FROM xsell.experience e,
	LATERAL (VALUES ('rewards corrected', reward <> previous), ('harm corrected', harm <> previous_harm), ('weights corrected', weight <> previous_weight)) x (what, did)
	WHERE did GROUP BY what ORDER BY what;
SELECT cmp_ok(count(*), '>=', 50::bigint, 'reversals that were reversed') FROM xsell.outcome r JOIN xsell.outcome o ON o.decision_id = r.decision_id AND o.outcome = r.reverses WHERE o.reverses IS NOT NULL;
SELECT * FROM finish();
