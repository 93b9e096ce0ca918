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

CREATE PROCEDURE demo.set_clock(at timestamptz)
	LANGUAGE sql AS
$$ SELECT set_config('xsell.simulated_now', at::text, false) $$;

-- Customers make up their minds about the offers made since decision "since":
-- at once or within three days on web and app, within a fortnight by email.
-- One email in 250 makes the customer withdraw the consent.
CREATE PROCEDURE demo.answer(since bigint)
	LANGUAGE sql AS $$
WITH offer AS MATERIALIZED (
	SELECT d.decision_id, d.customer_key AS customer, d.product, d.channel,
		   xsell_decided_at(d.decision_id) AS at, demo.week_of(xsell_decided_at(d.decision_id)) AS week, s.seed,
		   bank.chance(d.customer_key, 'delay' || d.decision_id, s.seed) AS u,
		   bank.chance(d.customer_key, 'annoyed' || d.decision_id, s.seed) AS annoyed
	FROM xsell.decision d, demo.setting s
	WHERE d.decision_id > since AND d.product IS NOT NULL
)
INSERT INTO world.answer (decision_id, customer, product, due)
SELECT o.decision_id, o.customer, o.product,
	   o.at + CASE WHEN o.channel = 'email' THEN least(interval '1 hour' - ln(1 - o.u) * interval '60 hours', interval '13 days')
				   WHEN o.u < 0.6 THEN interval '2 minutes' + o.u * interval '20 minutes'
				   ELSE least(-ln((1 - o.u) / 0.4) * interval '16 hours' + interval '20 minutes', interval '70 hours') END
FROM offer o JOIN world.product p USING (product) JOIN world.taste t USING (customer)
WHERE world.draw(o.customer, o.product, o.week, o.seed) < world.probability(t.logit[p.position], p, o.channel, o.week)
UNION ALL
SELECT o.decision_id, o.customer, NULL, o.at + interval '3 hours'
FROM offer o JOIN world.product p USING (product) JOIN world.taste t USING (customer)
WHERE o.channel = 'email' AND o.annoyed < 0.004
  AND world.draw(o.customer, o.product, o.week, o.seed) >= world.probability(t.logit[p.position], p, o.channel, o.week)
$$;

-- What has become due reaches the bank: it books sales, and tells xsell.
CREATE PROCEDURE demo.deliver(until timestamptz)
	LANGUAGE plpgsql AS $$
DECLARE
	a	record;
BEGIN
	CALL demo.set_clock(until);
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

CREATE FUNCTION demo.newest_decision() RETURNS bigint
	LANGUAGE sql STABLE AS
$$ SELECT coalesce(max(decision_id), 0) FROM xsell.decision $$;

-- One email per chosen customer, all in one statement.
CREATE PROCEDURE demo.send_mailing(week_no integer)
	LANGUAGE plpgsql AS $$
DECLARE
	since	bigint := demo.newest_decision();
BEGIN
	INSERT INTO bank.mailing
	SELECT week_no, c.id, d.decision_id, d.product
	FROM bank.customers c, demo.setting s, xsell_decide(c, agent => c.agent, channel => 'email') d
	WHERE bank.chance(c.id, 'mailing' || week_no, s.seed) < 0.08 * s.size AND d.product IS NOT NULL;
	CALL demo.answer(since);
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

-- An hour: one decision per visit, as it comes.
CREATE PROCEDURE demo.run_hour(hour timestamptz)
	LANGUAGE plpgsql AS $$
DECLARE
	visit	record;
	since	bigint := demo.newest_decision();
BEGIN
	CALL demo.deliver(hour);
	FOR visit IN
		SELECT * FROM demo.visit WHERE at >= hour AND at < hour + interval '1 hour' ORDER BY at
	LOOP
		CALL demo.set_clock(visit.at);
		PERFORM d.decision_id
		FROM bank.customers c, xsell_decide(c, agent => visit.agent, channel => visit.channel) d
		WHERE c.id = visit.customer;
	END LOOP;
	CALL demo.answer(since);
END
$$;

CREATE PROCEDURE demo.run_week(week_no integer)
	LANGUAGE plpgsql AS $$
DECLARE
	monday	timestamptz := (SELECT start + (week_no - 1) * interval '7 days' FROM demo.setting);
BEGIN
	UPDATE bank.market m SET (euribor3m, cons_conf_idx) =
		(SELECT h.euribor3m, h.cons_conf_idx FROM bank.market_history h WHERE h.week = week_no);
	CALL demo.plan_visits(monday);
	FOR day IN 0 .. 6 LOOP
		FOR hour IN 8 .. 21 LOOP
			CALL demo.run_hour(monday + day * interval '1 day' + hour * interval '1 hour');
			IF day = 1 AND hour = 10 THEN
				CALL demo.send_mailing(week_no);
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
END
$$;

-- One line about a week so far, as it ends.
CREATE FUNCTION demo.progress(week_no integer) RETURNS text
	LANGUAGE sql STABLE AS $$
SELECT format('week %s   ', week_no)
	   || string_agg(rpad(format('%s %s%%', rpad(agent, 10), to_char(100.0 * taken / nullif(offers, 0), '90.0')), 17)
					 || rpad(repeat('#', (100 * taken / nullif(offers, 0))::integer), 13), ' ' ORDER BY agent DESC)
FROM (SELECT d.agent, count(*)::float8 AS offers, count(o.decision_id) AS taken
	  FROM xsell.decision d LEFT JOIN xsell.outcome o USING (decision_id), demo.setting s
	  WHERE d.product IS NOT NULL
		AND xsell_decided_at(d.decision_id) >= s.start + (week_no - 1) * interval '7 days'
	  GROUP BY d.agent) a
$$;

\pset format unaligned
\pset tuples_only on
\echo 'conversion of the offers of each week, as far as known when it ends:'
SELECT format('CALL demo.run_week(%s)', week), format('SELECT demo.progress(%s)', week) FROM generate_series(1, :weeks) week \gexec
CALL demo.wait();
