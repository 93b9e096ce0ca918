-- 5_report.sql: what the bank wants to see, from its own tables and the journal.

\pset tuples_only off
\pset format aligned
\pset footer off
\pset null ''

CREATE TABLE demo.offer AS
SELECT d.decision_id, d.agent, d.channel, d.product, d.customer_key AS customer, c.segment, d.mode,
	   xsell_decided_at(d.decision_id) AS decided_at, demo.week_of(xsell_decided_at(d.decision_id)) AS week,
	   (o.decision_id IS NOT NULL)::integer AS taken
FROM xsell.decision d
LEFT JOIN xsell.outcome o ON o.decision_id = d.decision_id AND o.outcome = 'conversion'
JOIN bank.customer c ON c.id = d.customer_key
WHERE d.product IS NOT NULL;
CREATE INDEX ON demo.offer (decision_id);

-- Every product that was considered in every decision.
CREATE TABLE demo.arm AS
SELECT p.agent, p.policy_version, (a.position - 1)::integer AS arm, a.arm->>0 AS product, a.arm->>1 AS channel
FROM xsell.policy p, jsonb_array_elements(p.definition->'arms') WITH ORDINALITY a (arm, position);
CREATE TABLE demo.candidate AS
SELECT d.decision_id, d.agent, d.customer_key AS customer, d.mode, l.arm, l.excluded, l.probability, l.mean, l.sd,
	   d.policy_version
FROM xsell.decision d, xsell_candidates_list(d.candidates) l;
ANALYZE demo.arm, demo.candidate, demo.offer;

CREATE FUNCTION demo.percent(x float8) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT to_char(100 * x, 'FM990.0') $$;

-- '#' up to the interval's lower end, '=' through the interval.
CREATE FUNCTION demo.bar(lower float8, upper float8) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT repeat('#', round(lower * 250)::integer) || repeat('=', greatest(round(upper * 250)::integer - round(lower * 250)::integer, 1)) $$;

\echo
-- The best that could be done with the retail agent's visits: had the best allowed
-- product of each been known.  Only the world knows.
CREATE TABLE demo.possible AS
SELECT o.week, o.decision_id, max(world.probability(o.customer, a.product, o.channel, o.week)) AS best
FROM demo.offer o JOIN demo.candidate c USING (decision_id, agent) JOIN demo.arm a USING (agent, policy_version, arm)
WHERE o.agent = 'retail' AND c.excluded IS NULL
GROUP BY o.week, o.decision_id;

CREATE FUNCTION demo.rank_of(policy text) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$ SELECT array_position(ARRAY['best possible', 'retail', 'propensity', 'uniform'], policy) $$;

CREATE VIEW demo.conversion AS
SELECT week, policy, offers, taken, rate, lower, upper,
	   rpad(demo.percent(lower) || ' - ' || demo.percent(upper), 11) AS interval, demo.bar(lower, upper) AS bar
FROM (SELECT week, agent AS policy, count(*) AS offers, sum(taken) AS taken, avg(taken)::float8 AS rate, (xsell_interval(xsell_beta_agg(taken))).*
	  FROM demo.offer GROUP BY GROUPING SETS ((week, agent), (agent))) a
UNION ALL
SELECT week, 'best possible', NULL, NULL, avg(best), NULL, NULL, NULL, repeat('.', round(250 * avg(best))::integer)
FROM demo.possible GROUP BY GROUPING SETS ((week), ());

\echo '== Conversion by week of the offer, with 95 % intervals (# up to the interval, = through it) =='
\echo '   best possible: had each customer''s best allowed product been known; falls as customers buy'
SELECT CASE policy WHEN 'best possible' THEN coalesce(week::text, 'all') END AS week, policy, offers, taken,
	   demo.percent(rate) AS "%", interval, bar AS "."
FROM demo.conversion c
ORDER BY c.week NULLS LAST, demo.rank_of(policy);

CREATE VIEW demo.lift AS
WITH arm AS (
	SELECT agent, period, count(*)::float8 AS n, avg(taken)::float8 AS rate, avg(taken) * (1 - avg(taken)) / count(*) AS variance
	FROM demo.offer, demo.setting s, LATERAL (VALUES ('all weeks'), (CASE WHEN week > s.weeks / 2 THEN 'second half' END)) p (period)
	WHERE period IS NOT NULL
	GROUP BY agent, period
)
SELECT a.period, b.agent AS over, a.rate - b.rate AS points, 1.96 * sqrt(a.variance + b.variance) AS width, a.rate / b.rate - 1 AS relative
FROM arm a JOIN arm b USING (period)
WHERE a.agent = 'retail' AND b.agent <> 'retail';

\pset tuples_only on
\pset format unaligned
SELECT format('%s, agent over %s: %s points [%s, %s], %s %% relative: %s', period, over, to_char(100 * points, 'FMS90.0'),
			  to_char(100 * (points - width), 'FMS90.0'), to_char(100 * (points + width), 'FMS90.0'), to_char(100 * relative, 'FMS990'),
			  CASE WHEN points > width THEN 'better beyond chance'
				   WHEN points > 0 THEN 'better, perhaps by chance'
				   ELSE 'NOT BETTER' END)
FROM demo.lift ORDER BY period, over DESC;
\pset tuples_only off
\pset format aligned
\echo

\echo '== What the agent offers to whom: offers, and conversion in % =='
SELECT p.name AS product, segment, count(*) || lpad(demo.percent(avg(taken)), 6) AS cell
FROM demo.offer JOIN xsell.product p USING (product)
WHERE agent = 'retail'
GROUP BY p.name, segment
ORDER BY p.name, array_position(ARRAY['student', 'worker', 'office', 'manager', 'business', 'retired'], segment)
\crosstabview product segment cell

\echo '== What was suppressed, and why: candidates of all agents =='
SELECT CASE WHEN excluded LIKE 'cap:again%' THEN 'cap:again (offered within 10 days)' ELSE excluded END AS reason,
	   count(*) AS candidates, demo.percent(count(*)::float8 / (SELECT count(*) FROM demo.candidate)) AS "% of all",
	   count(*) FILTER (WHERE a.channel = 'web') AS web, count(*) FILTER (WHERE a.channel = 'app') AS app,
	   count(*) FILTER (WHERE a.channel = 'email') AS email
FROM demo.candidate c JOIN demo.arm a USING (agent, policy_version, arm)
WHERE excluded IS NOT NULL
GROUP BY 1 ORDER BY 2 DESC;

\echo '== Decisions that ended without an offer =='
SELECT agent, count(*) AS decisions, count(*) FILTER (WHERE product IS NULL) AS "no offer",
	   demo.percent(avg((product IS NULL)::integer)) AS "%"
FROM xsell.decision GROUP BY agent ORDER BY demo.rank_of(agent);

-- Three decisions, in words.
CREATE FUNCTION demo.chance_of(mean float8, sd float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT 1 / (1 + exp(-mean / sqrt(1 + pi() * sd * sd / 8))) $$;

CREATE FUNCTION demo.explain(decision bigint) RETURNS SETOF text
	LANGUAGE sql STABLE AS $$
WITH d AS (
	SELECT d.*, p.name, o.taken, o.decided_at, c.segment AS kind_of_customer, c.age, c.logins
	FROM xsell.decision d JOIN demo.offer o USING (decision_id) JOIN xsell.product p ON p.product = d.product
	JOIN bank.customer c ON c.id = d.customer_key
	WHERE d.decision_id = decision
), candidate AS (
	SELECT c.*, a.product, p.name
	FROM demo.candidate c JOIN demo.arm a USING (agent, policy_version, arm) JOIN xsell.product p USING (product)
	WHERE c.decision_id = decision
), because AS (
	SELECT string_agg(format('%s %s', feature, to_char(contribution, 'FMSG90.00')), ', ' ORDER BY abs(contribution) DESC) AS reasons
	FROM xsell_explain(decision) WHERE feature <> 'intercept'
)
SELECT format('%s, %s. Customer %s (%s, %s) was offered: %s.', to_char(decided_at, 'FMDy DD Mon HH24:MI'),
			  CASE channel WHEN 'email' THEN 'email' ELSE channel || ' visit' END, customer_key, kind_of_customer, age, name) FROM d
UNION ALL
SELECT format('  It was drawn with probability %s (%s); expected conversion %s %%. %s',
			  to_char(probability, 'FM0.000'), CASE mode WHEN 'explore' THEN 'to learn: another looked better' ELSE 'it looked best' END,
			  demo.percent(expected), CASE taken WHEN 1 THEN 'The customer took it.' ELSE 'The customer did not take it.' END) FROM d
UNION ALL
SELECT '  What moved its score most (logit): ' || reasons FROM because
UNION ALL
SELECT '  Could have been drawn: ' || coalesce(string_agg(format('%s %s (expected %s %%)', c.name, to_char(c.probability, 'FM0.000'),
		demo.percent(demo.chance_of(c.mean, c.sd))), ', ' ORDER BY c.probability DESC, c.product), 'nothing else')
FROM candidate c, d WHERE c.excluded IS NULL AND c.product <> d.product
UNION ALL
SELECT '  Not allowed: ' || coalesce(string_agg(format('%s (%s)', name, excluded), ', ' ORDER BY product), 'nothing') FROM candidate WHERE excluded IS NOT NULL
UNION ALL
SELECT ''
$$;

-- Lines of at most 96 characters.
CREATE FUNCTION demo.wrap(line text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT regexp_replace(regexp_replace(line, '(.{1,96})( +|$)', E'\\1\n      ', 'g'), E'\\n *$', '') $$;

\echo '== Three decisions of the agent, in words =='
\pset tuples_only on
\pset format unaligned
WITH last_week AS (
	SELECT o.* FROM demo.offer o, demo.setting s WHERE o.agent = 'retail' AND o.week = s.weeks
)
SELECT demo.wrap(line)
FROM (SELECT 1 AS position, min(decision_id) AS decision_id FROM last_week
	  WHERE mode = 'exploit' AND channel <> 'email' AND product = 'fx_card' AND taken = 1
	  UNION ALL
	  SELECT 2, min(decision_id) FROM last_week
	  WHERE mode = 'exploit' AND channel = 'email' AND segment = 'worker'
	  UNION ALL
	  SELECT 3, min(decision_id) FROM last_week WHERE mode = 'explore' AND channel <> 'email') d,
	 demo.explain(d.decision_id) WITH ORDINALITY e (line, number)
WHERE d.decision_id IS NOT NULL
ORDER BY d.position, e.number;
\pset format aligned
\pset tuples_only off
