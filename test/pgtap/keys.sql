-- Customer keys mean the same in every session, whatever its settings.
BEGIN;
SELECT plan(6);
SET client_min_messages = warning;
SELECT xsell_create_journal('date');
CREATE TABLE customer (born date);
INSERT INTO customer SELECT date '2000-02-01' + i FROM generate_series(0, 199) i;
INSERT INTO xsell.agent (agent, customer_table, customer_key, control_share, learning) VALUES ('a', 'customer', 'born', 0.5, 'deferred');
INSERT INTO xsell.channel (agent, channel) VALUES ('a', 'web');
INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('loan', true);
INSERT INTO xsell.offer (agent, product) SELECT 'a', product FROM xsell.product;

-- chosen in one session, recorded in another
SET datestyle = 'SQL, MDY';
CREATE TEMP TABLE chosen AS SELECT xsell_choose(c) AS d FROM customer c WHERE born = date '2000-02-01';
SET datestyle = 'ISO, DMY';
SELECT is((SELECT (d).customer_key FROM chosen), '2000-02-01', 'a key has one text');
SELECT isnt((SELECT xsell_record(d) FROM chosen), NULL, 'which another session reads');
SELECT is((SELECT customer_key FROM xsell.decision), date '2000-02-01', 'as the same key');

-- cohorts do not depend on settings
SET datestyle = 'German';
CREATE TEMP TABLE one AS SELECT born, (xsell_choose(c)).cohort FROM customer c;
SET datestyle = 'ISO, MDY';
CREATE TEMP TABLE other AS SELECT born, (xsell_choose(c)).cohort FROM customer c;
SELECT is_empty('SELECT * FROM one EXCEPT SELECT * FROM other', 'cohorts under other settings');
SELECT ok(count(*) FILTER (WHERE cohort = 'control') BETWEEN 60 AND 140, 'about half of them control') FROM one;

-- equal keys are one customer
SELECT xsell_drop_journal() \g /dev/null
DELETE FROM xsell.agent;
SELECT xsell_create_journal('numeric');
CREATE TABLE account (no numeric, exact numeric);
INSERT INTO account SELECT i, i + 0.000 FROM generate_series(1, 100) i;
INSERT INTO xsell.agent (agent, customer_table, customer_key, control_share) VALUES ('a', 'account', 'no', 0.5);
INSERT INTO xsell.channel (agent, channel) VALUES ('a', 'web');
INSERT INTO xsell.offer (agent, product) SELECT 'a', product FROM xsell.product;
SELECT is_empty($$SELECT FROM account a, xsell_choose(a) d, LATERAL (SELECT a.exact AS no, a.exact) b, xsell_choose(b, agent => 'a') e
	WHERE d.cohort <> e.cohort OR d.customer_key <> e.customer_key$$, '1 and 1.000');

SELECT * FROM finish();
ROLLBACK;
