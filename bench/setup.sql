-- The bank of all benchmarks: 20 products through one channel, 32 feature
-- columns, Thompson sampling, 3 rules, 2 caps, everything logged.
\set ON_ERROR_STOP on
CREATE EXTENSION xsell;
SELECT xsell_create_journal('bigint');
CREATE TABLE customers AS
SELECT i::bigint AS id, 18 + i % 60 AS age, (ARRAY['student', 'family', 'senior'])[1 + i % 3] AS segment,
	hashint8extended(i, 1) % 1000 / 500.0 AS f1, hashint8extended(i, 2) % 1000 / 500.0 AS f2,
	hashint8extended(i, 3) % 1000 / 500.0 AS f3, hashint8extended(i, 4) % 1000 / 500.0 AS f4,
	hashint8extended(i, 5) % 1000 / 500.0 AS f5, hashint8extended(i, 6) % 1000 / 500.0 AS f6,
	hashint8extended(i, 7) % 1000 / 500.0 AS f7, hashint8extended(i, 8) % 1000 / 500.0 AS f8,
	hashint8extended(i, 9) % 1000 / 500.0 AS f9, hashint8extended(i, 10) % 1000 / 500.0 AS f10,
	i % 2 = 0 AS homeowner, (1 + i % 40) / 200.0::float8 AS score
FROM generate_series(1, 200000) i;
ALTER TABLE customers ADD PRIMARY KEY (id);
INSERT INTO xsell.agent (agent, customer_table, customer_key, learning, seed)
VALUES ('bench', 'customers', 'id', 'deferred', 1);
INSERT INTO xsell.channel (agent, channel) VALUES ('bench', 'web');
INSERT INTO xsell.product (product, credit, attributes)
SELECT 'product_' || i, true, jsonb_build_object('type', CASE WHEN i % 2 = 0 THEN 'loan' ELSE 'card' END)
FROM generate_series(1, 20) i;
INSERT INTO xsell.offer (agent, product, propensity) SELECT 'bench', product, 'score' FROM xsell.product;
INSERT INTO xsell.feature (agent, feature, expression)
SELECT 'bench', 'f' || i, 'f' || i FROM generate_series(1, 10) i;
INSERT INTO xsell.feature (agent, feature, expression, center, scale, levels) VALUES
	('bench', 'age', 'age', 45, 15, NULL), ('bench', 'homeowner', 'homeowner', NULL, NULL, NULL),
	('bench', 'segment', 'segment', NULL, NULL, '{student,family,senior,business}');
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES
	('bench', 'adult', 'suitability', 'age >= 18'), ('bench', 'known', 'eligibility', 'f2 IS NOT NULL'),
	('bench', 'solvent', 'applicability', 'product.type <> ''loan'' OR f1 > -1.9');
INSERT INTO xsell.cap (agent, cap, channel, max_offers, per) VALUES
	('bench', 'weekly', 'web', 100, '7 days'), ('bench', 'monthly', NULL, 1000, '30 days');
SELECT format('%s columns', cardinality(features)) AS layout
FROM customers c, xsell_choose(c) WHERE id = 2;
VACUUM ANALYZE customers;
