-- The world of bench/delay, and the procedures that play a scheme in it.
\set ON_ERROR_STOP on
CREATE EXTENSION xsell;
SELECT xsell_create_journal('integer');
CREATE TABLE customers (
	round int PRIMARY KEY,
	num1 real, num2 real, num3 real, num4 real, num5 real, num6 real, num7 real, num8 real, num9 real, num10 real, num11 real, num12 real,
	segment text, region text, home text, flag1 boolean, flag2 boolean,
	rate float8[],		-- of conversion, by product; the agent does not see it, nor what follows
	luck float8,		-- below the rate of what was offered: it converts
	delay float8		-- rounds until the conversion arrives
);

-- The policy: everything by default but what is said. A round is a minute.
CREATE PROCEDURE prepare(strategy text, seed int, waits int) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO xsell.agent (agent, customer_table, customer_key, strategy, learning, seed) VALUES ('delay', 'customers', 'round', strategy, 'deferred', seed);
	INSERT INTO xsell.channel (agent, channel, observation_window) VALUES ('delay', 'web', waits * interval '1 minute');
	INSERT INTO xsell.product (product, credit) SELECT to_char(k, 'FM00'), false FROM generate_series(1, 20) k;
	INSERT INTO xsell.offer (agent, product) SELECT 'delay', product FROM xsell.product;
	INSERT INTO xsell.feature (agent, feature, expression, levels)
	SELECT 'delay', 'num' || i, 'num' || i, NULL FROM generate_series(1, 12) i
	UNION ALL VALUES ('delay', 'flag1', 'flag1', NULL), ('delay', 'flag2', 'flag2', NULL),
		('delay', 'segment', 'segment', ARRAY['segment1', 'segment2', 'segment3', 'segment4', 'segment5']),
		('delay', 'region', 'region', ARRAY['region1', 'region2', 'region3', 'region4', 'region5', 'region6', 'region7', 'region8']),
		('delay', 'home', 'home', ARRAY['channel1', 'channel2', 'channel3', 'channel4']);
END $$;

-- What was decided.
CREATE TABLE decided (
	round int PRIMARY KEY,
	decision_id bigint,
	chosen xsell_decision,		-- to be recorded later
	rate float8,				-- of what was offered
	arrives float8,				-- round in which the conversion arrives; NULL: there is none
	expires int					-- round in which the window ends
);

CREATE PROCEDURE decide(first int, n int, waits int, at_once boolean) LANGUAGE plpgsql AS $$
BEGIN
	IF at_once THEN
		INSERT INTO decided (round, decision_id, rate)
		SELECT c.round, d.decision_id, c.rate[d.product::int] FROM customers c, xsell_decide(c) d WHERE c.round >= first AND c.round < first + n ORDER BY c.round;
	ELSE
		INSERT INTO decided (round, decision_id, chosen, rate)
		SELECT round, (d).decision_id, d, rate[(d).product::int]
		FROM (SELECT c.round, c.rate, xsell_choose(c) AS d FROM customers c WHERE c.round >= first AND c.round < first + n ORDER BY c.round OFFSET 0) x;
	END IF;
	UPDATE decided d SET arrives = CASE WHEN c.luck < d.rate THEN c.round + c.delay END, expires = c.round + waits
	FROM customers c WHERE c.round = d.round AND d.round >= first;
END $$;

/*
 * zero first        xsell_decide writes the decision, which is learned as a zero; xsell_reward
 *                   reports the conversion when it arrives, and it replaces the zero
 * at expiry         the decision is recorded when its window ends, with its conversion if there is one
 * conversion first  the decision is recorded when its conversion arrives, else when its window ends
 * no delay          decision and conversion at once
 *
 * Conversions after the window are reported when they arrive, by all schemes.
 */
CREATE PROCEDURE play(scheme text, rounds int, waits int, step int) LANGUAGE plpgsql AS $$
DECLARE
	before float8;		-- arrivals up to this round have been dealt with
BEGIN
	FOR now IN 0 .. rounds - 1 BY step LOOP
		PERFORM set_config('xsell.simulated_now', (timestamptz '2026-01-05 00:00+00' + now * interval '1 minute')::text, false);
		before := now - step;
		IF scheme = 'at expiry' THEN
			PERFORM xsell_record(chosen) FROM decided WHERE expires > before AND expires <= now;
			PERFORM xsell_reward(decision_id, 'conversion') FROM decided WHERE arrives <= now AND greatest(arrives, expires) > before AND expires <= now;
		ELSIF scheme = 'conversion first' THEN
			PERFORM xsell_record(chosen) FROM decided
			WHERE CASE WHEN arrives < expires THEN arrives ELSE expires END > before AND CASE WHEN arrives < expires THEN arrives ELSE expires END <= now;
			PERFORM xsell_reward(decision_id, 'conversion') FROM decided WHERE arrives > before AND arrives <= now;
		ELSIF scheme = 'zero first' THEN
			PERFORM xsell_reward(decision_id, 'conversion') FROM decided WHERE arrives > before AND arrives <= now;
		END IF;
		IF scheme <> 'no delay' THEN
			PERFORM xsell_learn('delay');
		END IF;
		CALL decide(now, step, waits, scheme IN ('zero first', 'no delay'));
		IF scheme = 'no delay' THEN
			PERFORM xsell_reward(decision_id, 'conversion') FROM decided WHERE arrives IS NOT NULL AND round >= now;
			PERFORM set_config('xsell.simulated_now', (timestamptz '2026-01-05 00:00+00' + now * interval '1 minute' + interval '1 second')::text, false);
			PERFORM xsell_learn('delay');
		END IF;
		COMMIT;
	END LOOP;
END $$;

-- By part of the run: expected reward lost by the logged probabilities; rate forecast of what was offered, and the true one.
CREATE FUNCTION result(marks int[]) RETURNS TABLE (mark int, regret float8, forecast float8, rate float8) LANGUAGE sql AS $$
	WITH arms AS MATERIALIZED (SELECT array_agg((pair->>0)::int ORDER BY n) AS product FROM jsonb_array_elements(
		(SELECT definition->'arms' FROM xsell.policy ORDER BY policy_version DESC LIMIT 1)) WITH ORDINALITY t (pair, n))
	SELECT (SELECT min(k) FROM unnest(marks) k WHERE d.round < k), sum(r.best - r.expected), avg((coalesce((d.chosen).forecasts, l.forecasts))[4]), avg(d.rate)
	FROM decided d JOIN customers c USING (round) LEFT JOIN xsell.decision l USING (decision_id), arms,
	LATERAL (SELECT sum(x.probability * c.rate[arms.product[x.arm + 1]]) AS expected, max(c.rate[arms.product[x.arm + 1]]) AS best
		FROM xsell_candidates_list(coalesce((d.chosen).candidates, l.candidates)) x) r
	GROUP BY 1 ORDER BY 1
$$;
