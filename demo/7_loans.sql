-- 7_loans.sql: the price of a loan, learned from a real randomised experiment.
--
-- A lender mailed 53,810 former clients in three waves; the interest rate in the
-- letter was drawn at random, by a lottery that depended on the client's risk
-- class and the wave alone (data/README.md).  The agents choose one of four
-- rate bands for each client in turn.  Where the lottery happened to give that
-- band, the client's real answer to that letter is the agent's reward; all other
-- letters are skipped, and teach nothing.
--
-- Bands were not equally likely in the lottery, so a match alone would favour
-- the frequent ones.  A match is therefore kept with the chance
-- (smallest band's share) / (this band's share), shares taken within risk class
-- and wave: then every choice is kept equally often there, and the letters kept
-- are a fair sample of what the agent would have met (the rejection method,
-- Li et al. 2011).  Risk classes and waves are kept at different rates, which
-- the report undoes by weighting them as in the whole mailing.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION xsell;
SELECT xsell_create_journal('bigint') \g /dev/null

CREATE SCHEMA lender;
CREATE TABLE lender.mailing (
	id				bigint PRIMARY KEY,
	wave			integer NOT NULL,
	risk			text NOT NULL,
	rate			float8 NOT NULL,
	took_up			integer NOT NULL,
	loans_before	float8,
	dormancy		float8,
	bureau_score	float8,
	internal_score	float8,
	last_amount		float8 NOT NULL,
	age				float8,
	educated		boolean,
	dependants		float8,
	rural			boolean,
	gross_income	float8
);
\copy lender.mailing FROM PROGRAM 'gzip -dc data/loans.csv.gz' WITH (FORMAT csv, HEADER)

-- Bands of the monthly rate in %; letters per class, wave and band.
CREATE TABLE lender.band (band integer PRIMARY KEY, lowest float8 NOT NULL, below float8 NOT NULL, product text NOT NULL);
INSERT INTO lender.band VALUES (1, 3.25, 6, 'rate_band_1'), (2, 6, 7.76, 'rate_band_2'), (3, 7.76, 9.9, 'rate_band_3'), (4, 9.9, 15, 'rate_band_4');

CREATE TABLE lender.stratum AS
SELECT risk, wave, array_agg(product ORDER BY band) FILTER (WHERE share >= 0.1) AS supported,
	   jsonb_object_agg(product, share) AS shares, min(share) FILTER (WHERE share >= 0.1) AS smallest
FROM (SELECT m.risk, m.wave, b.band, b.product, count(*) / sum(count(*)) OVER (PARTITION BY m.risk, m.wave) AS share
	  FROM lender.mailing m JOIN lender.band b ON m.rate >= b.lowest AND m.rate < b.below
	  GROUP BY m.risk, m.wave, b.band, b.product) s
GROUP BY risk, wave;

-- What the agent is handed: one client, and the bands that the lottery knew in
-- the client's class and wave.  Clients come wave by wave, in random order.
CREATE TABLE lender.client AS
SELECT row_number() OVER (ORDER BY m.wave, hashint8extended(m.id, :seed)) AS round, m.id, m.wave, m.risk,
	   loans_before, dormancy, nullif(bureau_score, 0) AS bureau_score, nullif(internal_score, 0) AS internal_score,
	   last_amount, age, educated, dependants, rural, gross_income, s.supported
FROM lender.mailing m JOIN lender.stratum s USING (risk, wave);
ALTER TABLE lender.client ADD PRIMARY KEY (round);

-- The lottery's band, the client's answer, and what it was worth: the interest
-- of one month on the amount in the letter (the client's last loan).  Letters whose
-- band had next to no support are left out for all.
CREATE TABLE lender.letter AS
SELECT c.round, m.id, m.risk, m.wave, b.product, m.rate, m.took_up,
	   m.took_up * m.rate / 100 * m.last_amount AS interest, m.took_up * m.rate AS interest_per_100,
	   s.smallest / (s.shares->>b.product)::float8 AS keep
FROM lender.client c JOIN lender.mailing m USING (id) JOIN lender.stratum s ON s.risk = m.risk AND s.wave = m.wave
JOIN lender.band b ON m.rate >= b.lowest AND m.rate < b.below
WHERE b.product = ANY (s.supported);
ALTER TABLE lender.letter ADD PRIMARY KEY (round);
ANALYZE;

-- Two agents that differ only in what they want: interest, or borrowers.  Sex and
-- marital status, which the published file has, are kept from them: a lender may
-- not price by them.
INSERT INTO xsell.agent (agent, customer_table, customer_key, learning, neutral_rate, seed) VALUES
	('interest',  'lender.client', 'id', 'deferred', 0.07, :seed),
	('borrowers', 'lender.client', 'id', 'deferred', 0.07, :seed);
INSERT INTO xsell.channel (agent, channel, observation_window) SELECT agent, 'mail', '60 days' FROM xsell.agent;
INSERT INTO xsell.product (product, name, credit, attributes)
SELECT b.product, format('%s to %s %% a month', min(m.rate), max(m.rate)), true, jsonb_build_object('rate', round(avg(m.rate)::numeric, 2))
FROM lender.mailing m JOIN lender.band b ON m.rate >= b.lowest AND m.rate < b.below
GROUP BY b.product;
INSERT INTO xsell.offer (agent, product, value)
SELECT agent, product, CASE agent WHEN 'interest' THEN 'product.rate / 100 * last_amount' END
FROM xsell.agent, xsell.product;
INSERT INTO xsell.rule (agent, rule, kind, expression)
SELECT agent, 'the lottery knew this rate', 'eligibility', 'product.product = ANY (supported)' FROM xsell.agent;
INSERT INTO xsell.feature (agent, feature, expression, center, scale, levels)
SELECT agent, f.* FROM xsell.agent, (VALUES
	('loans before',   'ln(loans_before)',  1.1,  0.8,  NULL::text[]),
	('dormancy',       'dormancy',          10,   8,    NULL),
	('bureau score',   'bureau_score',      600,  80,   NULL),
	('internal score', 'internal_score',    30,   8,    NULL),
	('last amount',    'ln(last_amount)',   6.8,  0.7,  NULL),
	('age',            'age',               40,   12,   NULL),
	('educated',       'educated',          NULL, NULL, NULL),
	('dependants',     'dependants',        1.5,  1.7,  NULL),
	('rural',          'rural',             NULL, NULL, NULL),
	('income',         'ln(gross_income)',  1.1,  0.6,  NULL),
	('risk',           'risk',              NULL, NULL, '{LOW,MEDIUM}')) f (feature, expression, center, scale, levels);

CREATE TABLE lender.accepted (agent text, round bigint, decision_id bigint, PRIMARY KEY (agent, round));

-- A stack of letters: chosen without a trace, recorded if kept, answers learned
-- before the next stack.  The mailings' dates are moved into 2026.
CREATE PROCEDURE lender.replay(agent_name text, from_round bigint, to_round bigint, seed bigint)
	LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('xsell.simulated_now', (timestamptz '2026-07-01 09:00+00' + from_round * interval '1 minute')::text, false);
	WITH chosen AS MATERIALIZED (
		SELECT c.round, d
		FROM lender.client c, xsell_choose(c, agent => agent_name, channel => 'mail') d
		WHERE c.round BETWEEN from_round AND to_round
	)
	INSERT INTO lender.accepted
	SELECT agent_name, c.round, (c.d).decision_id
	FROM chosen c JOIN lender.letter l USING (round), LATERAL xsell_record(c.d) r
	WHERE (c.d).product = l.product
	  AND (hashint8extended(l.id, hashtextextended(agent_name, seed)) & 4503599627370495) / 4503599627370496::float8 < l.keep;

	PERFORM xsell_reward(a.decision_id, 'conversion', occurred_at => xsell_decided_at(a.decision_id))
	FROM lender.accepted a JOIN lender.letter l USING (round)
	WHERE a.agent = agent_name AND a.round BETWEEN from_round AND to_round AND l.took_up = 1;

	PERFORM set_config('xsell.simulated_now', (timestamptz '2026-07-01 09:00+00' + (to_round + 1) * interval '1 minute')::text, false);
	PERFORM xsell_learn(agent_name);
END
$$;

\pset tuples_only on
\pset format unaligned
SELECT format('CALL lender.replay(%L, %s, %s, %s)', 'interest', first, first + 999, :seed),
	   format('CALL lender.replay(%L, %s, %s, %s)', 'borrowers', first, first + 999, :seed),
	   CASE WHEN first % 10000 = 9001 OR first + 1000 > 53810 THEN
			format($q$ SELECT to_char(%s, '99,999') || ' letters: kept ' || string_agg(n || ' of agent "' || agent || '"', ', ' ORDER BY agent DESC)
					   FROM (SELECT agent, count(*) AS n FROM lender.accepted GROUP BY agent) a $q$, least(first + 999, 53810)) END
FROM generate_series(1, 53810, 1000) first \gexec
\pset format aligned
\pset tuples_only off

CREATE TABLE lender.round AS
SELECT 'lottery' AS policy, l.* FROM lender.letter l
UNION ALL
SELECT a.agent, l.* FROM lender.accepted a JOIN lender.letter l USING (round);

-- Means over the mailing: each class and wave weighs as in all letters.
CREATE FUNCTION lender.summary(from_round bigint, to_round bigint)
	RETURNS TABLE (policy text, rounds bigint, take_up float8, take_up_w float8, interest float8, interest_w float8, per_100 float8, per_100_w float8)
	LANGUAGE sql STABLE AS $$
WITH weight AS (
	SELECT risk, wave, count(*) / sum(count(*)) OVER () AS w FROM lender.letter WHERE round BETWEEN from_round AND to_round GROUP BY risk, wave
), part AS (
	SELECT r.policy, r.risk, r.wave, count(*) AS n, avg(took_up) AS t, var_samp(took_up) AS tv,
		   avg(interest) AS i, var_samp(interest) AS iv, avg(interest_per_100) AS h, var_samp(interest_per_100) AS hv
	FROM lender.round r WHERE r.round BETWEEN from_round AND to_round GROUP BY r.policy, r.risk, r.wave
)
SELECT p.policy, sum(n)::bigint, sum(w * t), 1.96 * sqrt(sum(w * w * tv / n)), sum(w * i), 1.96 * sqrt(sum(w * w * iv / n)),
	   sum(w * h), 1.96 * sqrt(sum(w * w * hv / n))
FROM part p JOIN weight USING (risk, wave) GROUP BY p.policy
$$;

\pset footer off
\pset null ''
\echo
\echo '== Loan offers: real answers, no simulation; per letter, with 95 % intervals =='
SELECT CASE s.policy WHEN 'lottery' THEN 'logged policy' ELSE 'agent: ' || s.policy END AS policy, p.period AS letters, rounds AS kept,
	   format('%s +- %s', to_char(100 * take_up, 'FM90.00'), to_char(100 * take_up_w, 'FM90.00')) AS "take-up, %",
	   format('%s +- %s', to_char(interest, 'FM90.00'), to_char(interest_w, 'FM90.00')) AS "interest, rand",
	   format('%s +- %s', to_char(per_100, 'FM90.000'), to_char(per_100_w, 'FM90.000')) AS "per 100 rand"
FROM (VALUES (1, 'all', 1, 53810), (2, 'second half', 26906, 53810)) p (position, period, lo, hi), LATERAL lender.summary(lo, hi) s
ORDER BY p.position, array_position(ARRAY['lottery', 'interest', 'borrowers'], s.policy);

\pset tuples_only on
\pset format unaligned
SELECT format('agent "%s" over the logged policy, %s: %s [%s, %s], %s', a.policy, m.metric,
			  to_char(m.difference, 'FMS90.00'), to_char(m.difference - m.width, 'FMS90.00'), to_char(m.difference + m.width, 'FMS90.00'),
			  CASE WHEN m.difference > m.width THEN 'better beyond chance' WHEN m.difference > 0 THEN 'better, perhaps by chance' ELSE 'not better' END)
FROM lender.summary(1, 53810) a, lender.summary(1, 53810) l,
	 LATERAL (VALUES ('interest', 'interest, rand', a.interest - l.interest, sqrt(a.interest_w ^ 2 + l.interest_w ^ 2)),
					 ('interest', 'per 100 rand', a.per_100 - l.per_100, sqrt(a.per_100_w ^ 2 + l.per_100_w ^ 2)),
					 ('borrowers', 'take-up, %', 100 * (a.take_up - l.take_up), 100 * sqrt(a.take_up_w ^ 2 + l.take_up_w ^ 2))) m (policy, metric, difference, width)
WHERE l.policy = 'lottery' AND a.policy = m.policy
ORDER BY m.policy DESC, m.metric;
\pset format aligned
\pset tuples_only off
\echo

\echo '== Which rates (% a month): share of letters of each risk class in the second half, % =='
SELECT r.risk || ', ' || CASE policy WHEN 'lottery' THEN 'logged policy' ELSE 'agent: ' || policy END AS "class, policy", replace(replace(x.name, ' % a month', ''), ' to ', ' - ') AS rate,
	   to_char(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY policy, risk), '990') AS share
FROM lender.round r JOIN xsell.product x USING (product)
WHERE r.round > 26905
GROUP BY r.risk, policy, r.product, x.name
ORDER BY r.risk, array_position(ARRAY['lottery', 'interest', 'borrowers'], policy), r.product
\crosstabview "class, policy" rate share
