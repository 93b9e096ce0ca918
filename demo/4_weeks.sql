-- 4_weeks.sql: the weeks: visits are decided one by one as they come, a mailing
-- in one statement; sales and withdrawn consents arrive late.

CREATE SCHEMA demo;
CREATE TABLE demo.setting (seed bigint NOT NULL, weeks integer NOT NULL, size float8 NOT NULL, start timestamptz NOT NULL);
INSERT INTO demo.setting VALUES (:seed, :weeks, :size, '2026-01-05 00:00+00');	-- a Monday

CREATE TABLE bank.mailing (
	week		integer NOT NULL,
	customer	bigint NOT NULL,
	decision_id	bigint NOT NULL,
	product		text NOT NULL,
	PRIMARY KEY (week, customer)
);
COMMENT ON TABLE bank.mailing IS 'The emails to send';

CREATE FUNCTION demo.week_of(at timestamptz) RETURNS integer
	LANGUAGE sql STABLE AS
$$ SELECT 1 + floor(extract(epoch FROM at - start) / (7 * 86400))::integer FROM demo.setting $$;

-- What has become due reaches the bank: it books sales, and tells xsell.
CREATE PROCEDURE demo.deliver(until timestamptz)
	LANGUAGE plpgsql AS $$
DECLARE
	a	record;
BEGIN
	PERFORM set_config('xsell.simulated_now', until::text, false);
	FOR a IN
		SELECT w.decision_id, w.customer, w.product, w.due, w.product = ANY (c.holds) AS held
		FROM world.answer w JOIN bank.customer c ON c.id = w.customer
		WHERE NOT w.delivered AND w.due <= until
		ORDER BY w.due, w.decision_id
	LOOP
		IF a.product IS NULL THEN
			UPDATE bank.customer SET email_consent = false WHERE id = a.customer;
			INSERT INTO bank.consent_withdrawn VALUES (a.customer, until) ON CONFLICT DO NOTHING;
		ELSIF NOT a.held THEN
			UPDATE bank.customer SET holds = holds || a.product WHERE id = a.customer;
			INSERT INTO bank.sale VALUES (a.customer, a.product, until) ON CONFLICT DO NOTHING;
			PERFORM xsell_reward(a.decision_id, 'conversion', occurred_at => a.due);
		END IF;
	END LOOP;
	UPDATE world.answer SET delivered = true WHERE NOT delivered AND due <= until;
END
$$;

-- One email per chosen customer, all in one statement.
CREATE PROCEDURE demo.send_mailing(week_no integer, at timestamptz)
	LANGUAGE plpgsql AS $$
DECLARE
	s	demo.setting := (SELECT s FROM demo.setting s);
BEGIN
	PERFORM set_config('xsell.simulated_now', at::text, false);
	INSERT INTO bank.mailing
	SELECT week_no, c.id, d.decision_id, d.product
	FROM bank.customers c, xsell_decide(c, agent => c.agent, channel => 'email') d
	WHERE bank.chance(c.id, 'mailing' || week_no, s.seed) < 0.08 * s.size AND d.product IS NOT NULL;

	PERFORM world.meet(decision_id, customer, product, 'email', at, week_no, s.seed) FROM bank.mailing WHERE week = week_no;
END
$$;

-- Who visits web and app, and when.
CREATE TABLE demo.visit (
	at			timestamptz NOT NULL,
	customer	bigint NOT NULL,
	agent		text NOT NULL,
	channel		text NOT NULL
);
CREATE INDEX ON demo.visit (at);

CREATE PROCEDURE demo.plan_visits(monday timestamptz)
	LANGUAGE sql AS $$
INSERT INTO demo.visit
SELECT day + interval '8 hours' + bank.chance(c.id, 'time' || day, s.seed) * interval '14 hours',
	   c.id, c.agent, CASE WHEN bank.chance(c.id, 'channel' || day, s.seed) < 0.4 THEN 'app' ELSE 'web' END
FROM demo.setting s, generate_series(monday, monday + interval '6 days', interval '1 day') day, bank.customer c
WHERE bank.chance(c.id, 'visit' || day, s.seed) < least(c.logins / 7 * s.size, 1)
$$;

-- An hour: what has become due, then one decision per visit, as it comes.
CREATE PROCEDURE demo.run_hour(week_no integer, hour timestamptz)
	LANGUAGE plpgsql AS $$
DECLARE
	visit	demo.visit;
	d		record;
	seed	bigint := (SELECT s.seed FROM demo.setting s);
BEGIN
	CALL demo.deliver(hour);
	FOR visit IN
		SELECT * FROM demo.visit WHERE at >= hour AND at < hour + interval '1 hour' ORDER BY at
	LOOP
		PERFORM set_config('xsell.simulated_now', visit.at::text, false);
		SELECT e.* INTO d
		FROM bank.customers c, xsell_decide(c, agent => visit.agent, channel => visit.channel) e
		WHERE c.id = visit.customer;
		IF d.product IS NOT NULL THEN
			PERFORM world.meet(d.decision_id, visit.customer, d.product, d.channel, visit.at, week_no, seed);
		END IF;
	END LOOP;
END
$$;

CREATE PROCEDURE demo.run_week(week_no integer)
	LANGUAGE plpgsql AS $$
DECLARE
	monday	timestamptz := (SELECT start + (week_no - 1) * interval '7 days' FROM demo.setting);
	hour	timestamptz;
BEGIN
	UPDATE bank.market m SET euribor3m = h.euribor3m FROM bank.market_history h WHERE h.week = week_no;
	CALL demo.plan_visits(monday);
	FOR day_no IN 0 .. 6 LOOP
		FOR hour_no IN 8 .. 21 LOOP
			hour := monday + day_no * interval '1 day' + hour_no * interval '1 hour';
			CALL demo.run_hour(week_no, hour);
			IF day_no = 1 AND hour_no = 10 THEN
				CALL demo.send_mailing(week_no, hour + interval '1 hour');
			END IF;
			COMMIT;
		END LOOP;
	END LOOP;
	CALL demo.deliver(monday + interval '7 days');
END
$$;

-- After the last week no more offers are made; the last answers come in.
CREATE PROCEDURE demo.wait()
	LANGUAGE plpgsql AS $$
DECLARE
	day	timestamptz := (SELECT start + 7 * weeks * interval '1 day' FROM demo.setting);
BEGIN
	FOR i IN 1 .. 14 LOOP
		CALL demo.deliver(day + i * interval '1 day');
		COMMIT;
	END LOOP;
	PERFORM xsell_learn('retail');
END
$$;

-- One line about a week, as it ends: later answers are still missing.
CREATE FUNCTION demo.progress(week_no integer) RETURNS text
	LANGUAGE sql STABLE AS $$
SELECT rtrim(format(' week %s  ', week_no)
			 || string_agg(format('%s %s %% %s', agent, to_char(100 * rate, '90.0'), rpad(repeat('#', (100 * rate)::integer), 13)), ' '
						   ORDER BY array_position(ARRAY['retail', 'propensity', 'uniform'], agent)))
FROM (SELECT d.agent, count(o.decision_id)::float8 / count(*) AS rate
	  FROM demo.setting s, xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id)
	  WHERE d.product IS NOT NULL AND d.decision_id >= xsell_id_at(s.start + (week_no - 1) * interval '7 days')
	  GROUP BY d.agent) a
$$;

\pset format unaligned
\pset tuples_only on
\echo 'conversion of the offers of each week, as far as known when it ends:'
SELECT format('CALL demo.run_week(%s)', week), format('SELECT demo.progress(%s)', week) FROM generate_series(1, :weeks) week \gexec
CALL demo.wait();
