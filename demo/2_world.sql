-- 2_world.sql: how customers answer.  The agents know nothing of this schema.
--
-- A customer who is offered a product takes it with the probability
--
--     logistic(taste(customer, product) + market(product, week) + channel(product))
--
-- whose logit is the sum of the weights below.  Whether that happens is settled
-- before anyone asks: a number hashed from seed, customer, product and week is
-- compared with that probability, so that two policies which make the same offer
-- get the same answer, and a run can be repeated.

CREATE SCHEMA world;
COMMENT ON SCHEMA world IS 'The simulated response of real customers; hidden from the agents';

-- One row per term, one column per product; all on the logit scale.
CREATE TABLE world.weight (
	term			text PRIMARY KEY,
	fx_card			float8 NOT NULL,
	fx_account		float8 NOT NULL,
	term_deposit	float8 NOT NULL,
	savings_plan	float8 NOT NULL,
	investment_fund	float8 NOT NULL,
	credit_card		float8 NOT NULL,
	personal_loan	float8 NOT NULL,
	home_insurance	float8 NOT NULL
);
INSERT INTO world.weight VALUES
--   term                        card  account  deposit  savings     fund   credit     loan  insurance
	('always',                   -3.9,    -4.0,    -4.0,    -3.6,    -4.4,    -3.5,    -3.8,    -3.9),
	('student',                   1.2,    -0.8,    -1.3,     2.0,    -1.0,    -0.4,    -1.0,    -1.0),
	('worker',                   -0.8,    -0.8,    -0.4,     0.5,    -1.0,     0.4,     1.6,     0.3),
	('manager',                   0.7,     0.4,     0.1,    -0.7,     1.8,    -0.4,    -1.0,     0.5),
	('business',                  0.4,     1.6,    -0.4,    -0.8,     0.7,     0.3,     0.8,    -0.3),
	('retired',                  -1.0,    -1.0,     2.0,    -1.2,     0.4,    -1.7,    -1.6,     0.7),
	('university',                0.4,     0.3,     0.1,    -0.1,     1.2,    -0.4,    -0.7,     0.1),
	('ten years over 40',        -0.4,     0.0,     0.5,    -0.5,     0.3,    -0.5,    -0.4,     0.4),
	('housing loan',             -0.1,     0.0,    -0.7,    -0.3,    -0.4,     0.4,     0.5,     0.9),
	('personal loan',             0.0,     0.0,    -0.9,    -0.5,    -0.8,     0.5,     0.0,     0.0),
	('international',             2.5,     0.8,     0.0,    -0.1,     0.1,     0.5,     0.0,     0.0),
	('foreign currency',          0.8,     2.3,     0.0,     0.0,     0.3,     0.0,     0.0,    -0.4),
	('visits often',              0.4,     0.1,    -0.5,     0.4,     0.0,     0.7,     0.3,    -0.3),
	('took the last campaign',    0.0,     0.0,     2.1,     0.7,     0.8,     0.0,    -0.4,     0.3),
	('subscribed (hidden)',       0.0,     0.0,     1.0,     0.3,     0.3,     0.0,     0.0,     0.0),
	('euribor',                   0.0,     0.0,     0.8,     0.3,    -0.7,     0.0,    -0.5,     0.0),
	('in the app',                0.2,    -0.2,    -0.3,     0.2,    -0.1,     0.2,     0.1,    -0.2),
	('by email',                 -0.2,     0.0,     0.2,     0.0,     0.1,    -0.3,    -0.2,     0.2);
-- "subscribed" is the real answer to the real campaign: no agent gets to see it.

CREATE TABLE world.product (
	product		text PRIMARY KEY,
	position	integer NOT NULL,
	euribor		float8 NOT NULL,
	in_app		float8 NOT NULL,
	by_email	float8 NOT NULL
);
INSERT INTO world.product
SELECT e.key, p.position,
	   max(e.value::float8) FILTER (WHERE w.term = 'euribor'),
	   max(e.value::float8) FILTER (WHERE w.term = 'in the app'),
	   max(e.value::float8) FILTER (WHERE w.term = 'by email')
FROM world.weight w, jsonb_each_text(to_jsonb(w) - 'term') e
JOIN (SELECT attname AS key, attnum - 1 AS position FROM pg_attribute
	  WHERE attrelid = 'world.weight'::regclass AND attnum > 1) p USING (key)
GROUP BY e.key, p.position;

-- The customer's part of the logit, in the order of world.product.position.
CREATE TABLE world.taste (customer bigint PRIMARY KEY, logit float8[] NOT NULL);
INSERT INTO world.taste
SELECT c.id, ARRAY[sum(x * fx_card), sum(x * fx_account), sum(x * term_deposit), sum(x * savings_plan),
				   sum(x * investment_fund), sum(x * credit_card), sum(x * personal_loan), sum(x * home_insurance)]
FROM bank.customer c JOIN bank.campaign_file f USING (id),
	 LATERAL (VALUES ('always', 1::float8),
					 (c.segment, 1),
					 ('university', c.university::integer),
					 ('ten years over 40', (c.age - 40) / 10.0),
					 ('housing loan', c.housing::integer),
					 ('personal loan', c.loan::integer),
					 ('international', c.recent_international_txn::integer),
					 ('foreign currency', (c.preferred_currency <> 'EUR')::integer),
					 ('visits often', (c.logins > 0.05)::integer),
					 ('took the last campaign', (c.last_campaign = 'success')::integer),
					 ('subscribed (hidden)', (f.subscribed = 'yes')::integer)) t (term, x)
JOIN world.weight w USING (term)
WHERE t.x <> 0
GROUP BY c.id;

-- The probability itself.
CREATE FUNCTION world.probability(customer bigint, product text, channel text, week integer) RETURNS float8
	LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT 1 / (1 + exp(-(t.logit[p.position] + p.euribor * (m.euribor3m - 3) / 2
								  + CASE channel WHEN 'app' THEN p.in_app WHEN 'email' THEN p.by_email ELSE 0 END)))
			FROM world.taste t, world.product p, bank.market_history m
			WHERE t.customer = probability.customer AND p.product = probability.product AND m.week = probability.week);
END
$$;

-- What is on its way: sales and withdrawn consents, delivered when they are due.
CREATE TABLE world.answer (
	decision_id	bigint PRIMARY KEY,
	customer	bigint NOT NULL,
	product		text,
	due			timestamptz NOT NULL,
	delivered	boolean NOT NULL DEFAULT false
);
CREATE INDEX ON world.answer (due) WHERE NOT delivered;
COMMENT ON COLUMN world.answer.product IS 'Taken; NULL: the customer withdraws the consent to email instead';

-- A customer meets an offer, and takes it at once or within three days on web and
-- app, within a fortnight by email; one email in 250 makes the customer withdraw
-- the consent instead.
CREATE FUNCTION world.meet(decision_id bigint, customer bigint, product text, channel text, at timestamptz, week integer, seed bigint)
	RETURNS void
	LANGUAGE plpgsql AS $$
DECLARE
	u	float8 := bank.chance(customer, 'delay' || decision_id, seed);
BEGIN
	IF bank.chance(customer, product || week, seed) < world.probability(customer, product, channel, week) THEN
		INSERT INTO world.answer VALUES (decision_id, customer, product, at +
			CASE WHEN channel = 'email' THEN least(interval '1 hour' - ln(1 - u) * interval '60 hours', interval '13 days')
				 WHEN u < 0.6 THEN interval '2 minutes' + u * interval '20 minutes'
				 ELSE least(interval '20 minutes' - ln((1 - u) / 0.4) * interval '16 hours', interval '70 hours') END);
	ELSIF channel = 'email' AND bank.chance(customer, 'annoyed' || decision_id, seed) < 0.004 THEN
		INSERT INTO world.answer VALUES (decision_id, customer, NULL, at + interval '3 hours');
	END IF;
END
$$;

-- The bank's propensity scores: informative but biased, as scores are that were
-- trained on an old campaign.  They are the true logit at the start, flattened to
-- half its slope, disturbed by noise and too high; and wrong in kind for
--   investment_fund    far too high (trained in a boom),
--   home_insurance     noise alone,
--   students           credit_card far too high.
CREATE TABLE bank.score (
	id					bigint PRIMARY KEY,
	score_fx_card		float8, score_fx_account	float8, score_term_deposit	float8, score_savings_plan	float8,
	score_investment_fund	float8, score_credit_card	float8, score_personal_loan	float8, score_home_insurance	float8
);
INSERT INTO bank.score
SELECT customer, s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]
FROM (SELECT t.customer, array_agg(1 / (1 + exp(-b.logit)) ORDER BY p.position) AS s
	  FROM world.taste t JOIN bank.customer c ON c.id = t.customer, world.product p,
		   LATERAL (SELECT -2.6
						   + CASE p.product WHEN 'home_insurance' THEN 0 ELSE 0.5 END
							 * (t.logit[p.position] + 3.2)
						   + 0.8 * bank.noise(t.customer, 'score of ' || p.product)
						   + CASE WHEN p.product = 'investment_fund' THEN 1.2
								  WHEN p.product = 'credit_card' AND c.segment = 'student' THEN 1.2
								  ELSE 0 END AS logit) b
	  GROUP BY t.customer) a;

-- What the applications see, and what they hand to xsell_decide.
CREATE VIEW bank.customers AS
SELECT c.*, s.score_fx_card, s.score_fx_account, s.score_term_deposit, s.score_savings_plan,
	   s.score_investment_fund, s.score_credit_card, s.score_personal_loan, s.score_home_insurance,
	   m.euribor3m
FROM bank.customer c JOIN bank.score s USING (id) CROSS JOIN bank.market m;

ANALYZE;
