-- A small bank for tests: 2,000 customers, six products, two channels, one
-- agent "retail". The caller has created the extension.
SELECT xsell_create_journal('bigint');

CREATE TABLE customers (
	id				bigint PRIMARY KEY,
	age				integer NOT NULL,
	segment			text,
	income			numeric,
	traveller		boolean,
	email_consent	boolean,
	held			text[] NOT NULL,
	score			float8
);
INSERT INTO customers
SELECT i, 16 + (i * 7) % 60, (ARRAY['student', 'family', 'senior', NULL])[1 + i % 4], 800 + (i * 37) % 5000,
	CASE WHEN i % 11 > 0 THEN i % 3 = 0 END, CASE WHEN i % 7 > 0 THEN i % 5 > 0 END,
	CASE WHEN i % 6 = 0 THEN ARRAY['card'] ELSE '{}' END, ((i * 13) % 100) / 400.0
FROM generate_series(1, 2000) i;

INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning)
VALUES ('retail', 'customers', 'id', 42, 'deferred');
INSERT INTO xsell.channel (agent, channel, observation_window, consent) VALUES
	('retail', 'web', '30 minutes', NULL), ('retail', 'email', '14 days', 'email_consent');
INSERT INTO xsell.product (product, name, credit, attributes) VALUES
	('card', 'Credit card', true, '{"type": "loan"}'), ('savings', 'Savings account', false, '{"type": "account"}'),
	('fx', 'Multi-currency account', false, '{"type": "account"}'), ('loan', 'Personal loan', true, '{"type": "loan"}'),
	('travel', 'Travel insurance', false, '{"type": "insurance"}'), ('fund', 'Index fund', false, '{"type": "investment"}');
INSERT INTO xsell.offer (agent, product, propensity, value, held)
SELECT 'retail', product, CASE WHEN product IN ('card', 'loan') THEN 'score' END,
	CASE WHEN product = 'fund' THEN '1 + income / 4000' END, 'product.product = ANY (held)'
FROM xsell.product;
INSERT INTO xsell.feature (agent, feature, expression, center, scale, levels) VALUES
	('retail', 'age', 'age', 45, 15, NULL), ('retail', 'segment', 'segment', NULL, NULL, '{student,family,senior}'),
	('retail', 'income', 'income', 3000, 1500, NULL), ('retail', 'traveller', 'traveller', NULL, NULL, NULL),
	('retail', 'by_mail', 'channel.channel = ''email''', NULL, NULL, NULL);
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES
	('retail', 'adult', 'suitability', 'age >= 18'),
	('retail', 'income', 'eligibility', 'product.type <> ''loan'' OR income >= 1200');
INSERT INTO xsell.cap (agent, cap, channel, max_offers, per) VALUES
	('retail', 'weekly_email', 'email', 1, '7 days'), ('retail', 'monthly', NULL, 6, '30 days');

-- Some weeks of the simulated past: decisions for part of the customers, some
-- of them answered, learned from as it goes.
CREATE PROCEDURE play(weeks integer, first_day date DEFAULT '2026-01-05') LANGUAGE plpgsql AS $$
DECLARE
	moment timestamptz;
BEGIN
	FOR day IN 0 .. weeks * 7 - 1 LOOP
		moment := first_day + day + time '10:00';
		PERFORM set_config('xsell.simulated_now', moment::text, false);
		PERFORM count(xsell_decide(c, channel => CASE WHEN day % 7 = 0 THEN 'email' ELSE 'web' END))
		FROM customers c WHERE (c.id + day) % 20 = 0;
		PERFORM set_config('xsell.simulated_now', (moment + interval '2 hours')::text, false);
		PERFORM count(xsell_reward(d.decision_id, 'conversion', NULL, xsell_decided_at(d.decision_id) + interval '1 hour'))
		FROM xsell.decision d
		WHERE d.decision_id >= xsell_id_at(moment) AND d.product IS NOT NULL
		  AND hashint8extended(d.customer_key, 7) % 100 BETWEEN 0 AND CASE WHEN d.product = 'fx' THEN 25 ELSE 5 END;
		PERFORM xsell_learn('retail');
	END LOOP;
	PERFORM set_config('xsell.simulated_now', '', false);
END $$;
