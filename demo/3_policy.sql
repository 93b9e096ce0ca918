-- 3_policy.sql: what a bank tells xsell: agents, channels, products, features,
-- rules, consents, caps.
--
-- Three agents share products, rules, consents and caps.  Each decides for a
-- random third of the customers, so that they can be compared:
--
--   retail      learns, from 12 features and the bank's propensity scores
--   propensity  offers what the scores put first, and never learns
--   uniform     draws any allowed product: the control

CREATE EXTENSION xsell;
SELECT xsell_create_journal('bigint') \g /dev/null

INSERT INTO xsell.agent (agent, customer_table, customer_key, strategy, epsilon, floor, learning, seed) VALUES
	('retail',     'bank.customers', 'id', 'thompson',       DEFAULT, 0.02,  'online', :seed),
	('propensity', 'bank.customers', 'id', 'epsilon_greedy', 0,       0.001, 'hold',   :seed),
	('uniform',    'bank.customers', 'id', 'uniform',        DEFAULT, 0.02,  'hold',   :seed);

INSERT INTO xsell.product (product, name, credit, attributes) VALUES
	('fx_card',			'Multi-currency card',	true,  '{"type": "card"}'),
	('fx_account',		'Forex account',		false, '{"type": "account"}'),
	('term_deposit',	'Term deposit',			false, '{"type": "deposit"}'),
	('savings_plan',	'Savings plan',			false, '{"type": "deposit"}'),
	('investment_fund',	'Investment fund',		false, '{"type": "investment"}'),
	('credit_card',		'Credit card',			true,  '{"type": "credit"}'),
	('personal_loan',	'Personal loan',		true,  '{"type": "credit"}'),
	('home_insurance',	'Home insurance',		false, '{"type": "insurance"}');

INSERT INTO xsell.channel (agent, channel, observation_window, consent)
SELECT agent, channel, observation_window, consent
FROM xsell.agent, (VALUES
	('web',   interval '3 days',  NULL),
	('app',   interval '3 days',  'push_consent'),
	('email', interval '14 days', 'email_consent')) c (channel, observation_window, consent);

INSERT INTO xsell.offer (agent, product, propensity, held)
SELECT agent, product, 'score_' || product, format('%L = ANY (holds)', product)
FROM xsell.agent, xsell.product;

-- Only the learning agent sees features.
INSERT INTO xsell.feature (agent, feature, expression, center, scale, levels) VALUES
	('retail', 'age',           'age',                           40,   10,   NULL),
	('retail', 'segment',       'segment',                       NULL, NULL, '{student,worker,manager,business,retired}'),
	('retail', 'university',    'university',                    NULL, NULL, NULL),
	('retail', 'housing loan',  'housing',                       NULL, NULL, NULL),
	('retail', 'personal loan', 'loan',                          NULL, NULL, NULL),
	('retail', 'international', 'recent_international_txn',      NULL, NULL, NULL),
	('retail', 'foreign money', 'preferred_currency <> ''EUR''', NULL, NULL, NULL),
	('retail', 'logins',        'logins',                        0.5,  0.5,  NULL),
	('retail', 'last campaign', 'last_campaign',                 NULL, NULL, '{success}'),
	('retail', 'risk profile',  'risk_profile',                  3,    1.5,  NULL),
	('retail', 'euribor',       'euribor3m',                     3,    2,    NULL),
	('retail', 'channel',       'channel.channel',               NULL, NULL, '{app,email}');

-- What must be true; unknown is not true.
INSERT INTO xsell.rule (agent, rule, kind, product, expression)
SELECT agent, rule, kind, product, expression
FROM xsell.agent, (VALUES
	('no complaint open',    'eligibility',   NULL,              'NOT open_complaint'),
	('of age',               'eligibility',   NULL,              'age >= 18'),
	('loan without default', 'eligibility',   'personal_loan',   'NOT in_default'),
	('card without default', 'eligibility',   'credit_card',     'NOT in_default'),
	('has a home',           'applicability', 'home_insurance',  'housing'),
	('needs forex',          'applicability', 'fx_account',      'recent_international_txn OR preferred_currency <> ''EUR'''),
	('bears the risk',       'suitability',   'investment_fund', 'risk_profile >= 3'),
	('loan up to 70',        'suitability',   'personal_loan',   'age <= 70')) r (rule, kind, product, expression);

-- How often a customer may be approached.
INSERT INTO xsell.cap (agent, cap, product, channel, max_offers, per)
SELECT agent, cap, product, channel, max_offers, per
FROM xsell.agent, (
	VALUES ('contact pressure', NULL, NULL,    2, interval '7 days'),
		   ('email pause',      NULL, 'email', 1, interval '13 days')
	UNION ALL
	SELECT 'again ' || product, product, NULL, 1, interval '10 days' FROM xsell.product) c (cap, product, channel, max_offers, per);
