-- propose.sql: features proposed from statistics.
BEGIN;
SELECT plan(32);

CREATE TYPE tier AS ENUM ('basic', 'plus', 'gold');
CREATE DOMAIN share AS numeric CHECK (value BETWEEN 0 AND 1);
CREATE DOMAIN small_share AS share;

CREATE TABLE customers (
	id bigint PRIMARY KEY,
	age int,
	income float8,
	ratio small_share,
	tiny real,
	segment text,
	tier tier,
	code char(4),
	city varchar,
	"name" text,
	email text UNIQUE,
	traveller boolean,
	always boolean,
	never_known int,
	constant int,
	born date,
	"Order" int,
	amount money,
	gone int,
	tenant int,
	serial int,
	UNIQUE (tenant, serial)
);
ALTER TABLE customers DROP COLUMN gone;
INSERT INTO customers (id, age, income, ratio, tiny, segment, tier, code, city, "name", email, traveller, always, constant, born, "Order", amount, tenant, serial)
SELECT i, 18 + i * 7919 % 63,
	   CASE WHEN i % 1000 = 0 THEN 1e12 WHEN i = 7 THEN 'NaN' WHEN i = 8 THEN 'Infinity' ELSE 1000 + i * 104729 % 4000 END,
	   CASE WHEN i % 4 > 0 THEN (i % 100) / 100.0 END, (i % 2) * 1e-6,
	   (ARRAY['student', 'family', 'family', 'senior', 'o''neil, "x"'])[1 + i % 5],
	   (ARRAY['basic', 'basic', 'gold'])[1 + i % 3]::tier, (ARRAY['ab', 'cd'])[1 + i % 2],
	   'city ' || i % 300, 'name ' || i, 'mail ' || i, nullif(i % 5, 0) > 2, true, 3, date '1990-01-01' + i % 9000, i % 7,
	   i, i % 3, i
FROM generate_series(1, 10000) i;

SELECT throws_ok($$SELECT * FROM xsell_propose_features('customers')$$, '55000', 'there are no statistics of public.customers',
	'without statistics there is an error');
ANALYZE customers;
CREATE TEMP TABLE proposed AS SELECT * FROM xsell_propose_features('customers');

SELECT bag_eq($$SELECT feature FROM proposed$$,
	$$SELECT unnest(ARRAY['age', 'income', 'ratio', 'tiny', 'segment', 'tier', 'code', 'traveller', 'Order', 'tenant'])$$,
	'keys, constants, unknowns, names, cities and other types are left out');
SELECT is(expression, '"Order"', 'expressions are quoted') FROM proposed WHERE feature = 'Order';
SELECT is(count(*), 9::bigint, 'where they must be') FROM proposed WHERE expression = feature;

-- numbers
SELECT ok(abs(center - 49) < 1.5, 'the center is about the mean') FROM proposed WHERE feature = 'age';
SELECT ok(abs(scale - 18.2) < 1, 'the scale is about the standard deviation') FROM proposed WHERE feature = 'age';
SELECT is(clip, 4::float8, 'outliers are clipped') FROM proposed WHERE feature = 'age';
SELECT ok(center BETWEEN 2700 AND 3300, 'outliers, NaN and infinity do not move the center: ' || center) FROM proposed WHERE feature = 'income';
SELECT ok(scale BETWEEN 1000 AND 1300, 'nor the scale: ' || scale) FROM proposed WHERE feature = 'income';
SELECT ok(abs(center - 0.5) < 0.05 AND abs(scale - 0.29) < 0.03, 'domains are what they are made of') FROM proposed WHERE feature = 'ratio';
SELECT ok(abs(scale / 5e-7 - 1) < 0.02, 'small numbers have small scales') FROM proposed WHERE feature = 'tiny';
SELECT is(levels, NULL, 'numbers have no levels') FROM proposed WHERE feature = 'age';

-- categories
SELECT set_eq($$SELECT unnest(levels) FROM proposed WHERE feature = 'segment'$$,
	$$SELECT unnest(ARRAY['student', 'family', 'senior', 'o''neil, "x"'])$$, 'the values of a text column are its levels');
SELECT is(levels[1], 'family', 'the most common one first') FROM proposed WHERE feature = 'segment';
SELECT is(levels, '{basic,gold}', 'those of an enum that occur') FROM proposed WHERE feature = 'tier';
SELECT set_eq($$SELECT unnest(levels) FROM proposed WHERE feature = 'code'$$, $$SELECT unnest(ARRAY['ab', 'cd'])$$, 'without padding');
SELECT is(row(center, scale, clip)::text, '(,,)', 'categories have no scale') FROM proposed WHERE feature = 'segment';
SELECT is(row(center, scale, clip, levels)::text, '(,,,)', 'a boolean is as it is') FROM proposed WHERE feature = 'traveller';

-- many values: the common ones, if they are most of the rows
CREATE TABLE many AS SELECT 'v' || least(i % 100, 20) AS common, 'w' || i % 40 AS rare FROM generate_series(1, 10000) i;
ANALYZE many;
SELECT is(cardinality(levels), 12, 'at most 12 levels') FROM xsell_propose_features('many') WHERE feature = 'common';
SELECT is(count(*), 0::bigint, 'none if they are less than half of the rows') FROM xsell_propose_features('many') WHERE feature = 'rare';

-- few rows, children
CREATE TABLE few AS SELECT x FROM unnest(ARRAY[1, 2, 9]) x;
ANALYZE few;
SELECT ok(center BETWEEN 1 AND 9 AND scale > 0, 'three rows are enough for a proposal') FROM xsell_propose_features('few');
CREATE TABLE parted (k int, x int) PARTITION BY LIST (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT 1 + i % 2, i % 50 + 100 * (i % 2) FROM generate_series(1, 1000) i;
ANALYZE parted;
SELECT ok(abs(center - 75) < 5, 'a partitioned table is seen whole') FROM xsell_propose_features('parted') WHERE feature = 'x';

CREATE TABLE skewed AS SELECT (i <= 4)::int AS flag, CASE WHEN i % 20 > 0 THEN 999 ELSE i % 30 END AS days FROM generate_series(1, 1000) i;
ANALYZE skewed;
SELECT set_eq($$SELECT feature FROM xsell_propose_features('skewed') WHERE scale > 0$$, $$VALUES ('flag'), ('days')$$, 'rare values are no outliers if there is nothing else');

-- what is not a table, or not the caller's to read
CREATE VIEW seen AS SELECT * FROM customers;
SELECT throws_ok($$SELECT * FROM xsell_propose_features('seen')$$, '42809', NULL, 'a view has no statistics');
SELECT throws_ok($$SELECT * FROM xsell_propose_features(NULL)$$, '22004', NULL, 'NULL is no table');
SELECT throws_ok($$SELECT * FROM xsell_propose_features(4000000000::oid::regclass)$$, '42P01', NULL, 'nor is an unknown OID');
CREATE ROLE xs_propose_reader;
GRANT SELECT (id, age) ON customers TO xs_propose_reader;
SET LOCAL ROLE xs_propose_reader;
SELECT results_eq($$SELECT feature FROM xsell_propose_features('customers')$$, $$VALUES ('age')$$, 'columns that the caller may not read are not seen');
SELECT throws_ok($$SELECT * FROM xsell_propose_features('many')$$, '42501', NULL, 'nor tables');
RESET ROLE;

-- what it is for
SELECT xsell_create_journal('bigint') \g /dev/null
INSERT INTO xsell.agent (agent, customer_table, customer_key) VALUES ('retail', 'customers', 'id');
SELECT lives_ok($$INSERT INTO xsell.feature (agent, feature, expression, center, scale, clip, levels)
	SELECT 'retail', f.* FROM xsell_propose_features('customers') f$$, 'proposals are features');
INSERT INTO xsell.product (product, credit) VALUES ('card', true);
INSERT INTO xsell.offer (agent, product) VALUES ('retail', 'card');
INSERT INTO xsell.channel (agent, channel) VALUES ('retail', 'web');
SELECT is(d.product, 'card', 'that decisions can be made with') FROM customers c, xsell_decide(c) d WHERE c.id = 42;
SELECT is(count(*), 9998::bigint, 'for every row of finite numbers') FROM (SELECT d.decision_id FROM customers c, xsell_choose(c) d WHERE c.income NOT IN ('NaN', 'Infinity')) x;
SELECT ok(bool_and(abs(v) <= 4.001), 'with features within the clip') FROM xsell.decision, unnest(features) v;

SELECT * FROM finish();
ROLLBACK;
