-- The types xsell_beta and xsell_glm: exactness, aggregates, posteriors.
-- Golden values: test/data/golden, of programs that are not xsell.
\set ON_ERROR_STOP on
BEGIN;
SELECT plan(53);

-- ------------------------------------------------------------------ rows --

CREATE TABLE row_of_evidence AS
SELECT i,
	CASE WHEN i % 97 = 0 THEN NULL ELSE ARRAY[1, sin(i), cos(i * i), (i % 33 - 16) / 2.0, 1 / (1.0 + i)]::real[] END AS features,
	CASE WHEN i % 89 = 0 THEN NULL ELSE (i * 7919 % 1000) / 999.0::float8 END AS reward,
	(i * 104729 % 9000) / 500.0::float8 - 9 AS predictor,
	1 + i % 5 * 0.3::float8 AS weight
FROM generate_series(1, 20000) i;
ALTER TABLE row_of_evidence SET (parallel_workers = 2);
ANALYZE row_of_evidence;

CREATE TABLE state (how text, beta xsell_beta, glm xsell_glm);
CREATE FUNCTION explained(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	RETURN plan::text;
END $$;

-- --------------------------------------------- one state, however it is made --

SET LOCAL max_parallel_workers_per_gather = 0;
INSERT INTO state SELECT 'serial', xsell_beta_agg(reward, weight),
	xsell_glm_agg(features, reward, predictor, weight, 'logit') FROM row_of_evidence;
INSERT INTO state SELECT 'shuffled', xsell_beta_agg(reward, weight ORDER BY md5(i::text)),
	xsell_glm_agg(features, reward, predictor, weight, 'logit' ORDER BY md5(i::text)) FROM row_of_evidence;
INSERT INTO state SELECT 'shards', xsell_merge_agg(beta), xsell_merge_agg(glm)
	FROM (SELECT xsell_beta_agg(reward, weight) AS beta,
			xsell_glm_agg(features, reward, predictor, weight, 'logit') AS glm
		FROM row_of_evidence GROUP BY i % 37 ORDER BY md5((i % 37)::text)) shard;
INSERT INTO state SELECT 'more', xsell_beta_agg(reward, weight) + xsell_beta_agg(reward, weight) FILTER (WHERE i % 3 = 0),
	xsell_glm_agg(features, reward, predictor, weight, 'logit') + xsell_glm_agg(features, reward, predictor, weight, 'logit') FILTER (WHERE i % 3 = 0)
	FROM row_of_evidence;
INSERT INTO state SELECT 'added and removed', beta - (SELECT xsell_beta_agg(reward, weight) FROM row_of_evidence WHERE i % 3 = 0),
	glm - (SELECT xsell_glm_agg(features, reward, predictor, weight, 'logit') FROM row_of_evidence WHERE i % 3 = 0)
	FROM state WHERE how = 'more';
INSERT INTO state SELECT 'text', beta::text::xsell_beta, glm::text::xsell_glm FROM state WHERE how = 'serial';

SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SELECT alike(explained($$SELECT xsell_beta_agg(reward, weight), xsell_glm_agg(features, reward, predictor, weight, 'logit') FROM row_of_evidence$$),
	'%"Partial Mode": "Partial"%', 'the aggregates are planned in parallel');
SELECT matches(explained($$SELECT xsell_beta_agg(reward, weight), xsell_glm_agg(features, reward, predictor, weight, 'logit') FROM row_of_evidence$$),
	'"Workers Launched": [1-9]', 'and executed so');
SELECT alike(explained($$SELECT xsell_merge_agg(xsell_beta_add(NULL, reward)) FROM row_of_evidence$$),
	'%"Partial Mode": "Partial"%', 'xsell_merge_agg too');
CREATE TABLE parallel_state AS SELECT 'parallel'::text, xsell_beta_agg(reward, weight),
	xsell_glm_agg(features, reward, predictor, weight, 'logit') FROM row_of_evidence;
INSERT INTO state SELECT * FROM parallel_state;
SET LOCAL enable_hashagg = on;
SET LOCAL enable_sort = off;
CREATE TABLE grouped_state AS SELECT i % 11 AS g, xsell_beta_agg(reward, weight) AS beta,
	xsell_glm_agg(features, reward, predictor, weight, 'logit') AS glm FROM row_of_evidence GROUP BY 1;
RESET enable_sort;
INSERT INTO state SELECT 'parallel groups', xsell_merge_agg(beta), xsell_merge_agg(glm) FROM grouped_state;
SET LOCAL max_parallel_workers_per_gather = 0;

SELECT ok(a.beta = b.beta AND a.glm = b.glm AND NOT a.beta <> b.beta AND NOT a.glm <> b.glm,
	a.how || ' = serial')
FROM state a, state b WHERE b.how = 'serial' AND a.how NOT IN ('serial', 'more') ORDER BY a.how;
SELECT ok(a.beta <> b.beta AND a.glm <> b.glm AND NOT a.beta = b.beta AND NOT a.glm = b.glm, 'but more rows are another state')
FROM state a, state b WHERE b.how = 'serial' AND a.how = 'more';
SELECT is(beta - beta, '{"n":0,"trials":0,"successes":0}'::xsell_beta, 'beta - beta is empty') FROM state WHERE how = 'serial';
SELECT is(glm - glm + glm, glm, 'glm - glm + glm = glm') FROM state WHERE how = 'serial';
SELECT is(xsell_observations(beta), (SELECT count(*) FROM row_of_evidence WHERE reward IS NOT NULL),
	'rows without a reward do not count') FROM state WHERE how = 'serial';
SELECT is(xsell_observations(glm), (SELECT count(*) FROM row_of_evidence WHERE reward IS NOT NULL AND features IS NOT NULL),
	'nor do rows without features') FROM state WHERE how = 'serial';
SELECT is((SELECT xsell_glm_agg(features, reward) FROM row_of_evidence),
	(SELECT xsell_glm_agg(features, reward, 0, 1, 'logit') FROM row_of_evidence), 'the short form is logit at 0 with weight 1');
SELECT is((SELECT xsell_beta_agg(reward) FROM row_of_evidence),
	(SELECT xsell_beta_agg(reward, 1) FROM row_of_evidence), 'the short form of beta has weight 1');
SELECT is(count(*), 11::bigint, 'states group and join by hash')
FROM grouped_state a JOIN (SELECT beta, glm FROM grouped_state UNION SELECT beta, glm FROM grouped_state) b USING (beta, glm);
SELECT set_eq('SELECT beta, glm FROM state WHERE how = ''serial''', 'SELECT beta, glm FROM state WHERE how <> ''more''', 'rows of states compare');

-- ------------------------------------------------------- arguments stay as they are --

CREATE TABLE kept AS SELECT beta, glm, beta::text || glm::text AS before FROM state WHERE how = 'serial';
SELECT isnt(xsell_beta_add(beta, 1), beta, 'xsell_beta_add as a function adds')  FROM kept;
SELECT isnt(xsell_glm_add(glm, '{1,2,3,4,5}', 1), glm, 'xsell_glm_add as a function adds') FROM kept;
SELECT is(xsell_beta_merge(beta, beta), beta + beta, 'xsell_beta_merge merges') FROM kept;
SELECT is(xsell_glm_merge(glm, glm), glm + glm, 'xsell_glm_merge merges') FROM kept;
SELECT is(xsell_glm_merge(NULL, glm), xsell_glm_merge(glm, NULL), 'NULL is no evidence') FROM kept;
SELECT is((SELECT xsell_merge_agg(b) FROM (VALUES (beta), (beta)) v(b)), beta + beta, 'xsell_merge_agg merges stored states') FROM kept;
SELECT is((SELECT xsell_merge_agg(g) FROM (VALUES (glm), (glm)) v(g)), glm + glm, 'of both types') FROM kept;
SELECT is(beta::text || glm::text, before, 'and none of this changed what is stored') FROM kept;
SELECT is(count(*), 0::bigint, 'a window''s states are those of its frames')
FROM (SELECT i, xsell_glm_agg(features, reward) OVER frame AS glm, xsell_beta_agg(reward) OVER frame AS beta
	FROM row_of_evidence WHERE i <= 200 WINDOW frame AS (ORDER BY i ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)) w
WHERE glm IS DISTINCT FROM (SELECT xsell_glm_agg(features, reward) FROM row_of_evidence r WHERE r.i BETWEEN w.i - 3 AND w.i)
	OR beta IS DISTINCT FROM (SELECT xsell_beta_agg(reward) FROM row_of_evidence r WHERE r.i BETWEEN w.i - 3 AND w.i);

-- ----------------------------------------------------------------- storage --

CREATE TABLE stored (dim int, beta xsell_beta, glm xsell_glm);
INSERT INTO stored SELECT d, xsell_beta_agg(i % 2), xsell_glm_agg(x, i % 2)
FROM unnest('{1,2,3,40,512}'::int[]) d, generate_series(1, 3) i,
	LATERAL (SELECT array_agg(sin(i * j)::real ORDER BY j) AS x FROM generate_series(1, d) j) v GROUP BY d;
SELECT is(count(*), 5::bigint, 'short, plain and toasted values read back')
FROM stored WHERE glm = (SELECT xsell_glm_agg(x, i % 2) FROM generate_series(1, 3) i,
	LATERAL (SELECT array_agg(sin(i * j)::real ORDER BY j) AS x FROM generate_series(1, dim) j) v);
SELECT is((glm + glm) - glm, glm, format('%s columns: added and removed', dim)) FROM stored ORDER BY dim;
SELECT cmp_ok(pg_column_size(xsell_glm_agg(array_fill(1::real, ARRAY[32]), 1)), '=', 4520, '32 columns take the space that SSPACE says')
FROM generate_series(1, 1);
SELECT cmp_ok(pg_column_size(xsell_beta_agg(1)), '=', 24, 'as does beta');
CREATE TABLE copied (LIKE stored);
\o /dev/null
SELECT 'COPY stored TO ' || quote_literal(current_setting('data_directory') || '/pgtap_types.copy') || ' (FORMAT binary)'
UNION ALL SELECT 'COPY copied FROM ' || quote_literal(current_setting('data_directory') || '/pgtap_types.copy') || ' (FORMAT binary)'
\gexec
\o
SELECT bag_eq('SELECT * FROM copied', 'SELECT * FROM stored', 'COPY BINARY writes and reads the same');

-- Values that are none: other types' bytes
CREATE CAST (circle AS xsell_beta) WITHOUT FUNCTION;
CREATE CAST (path AS xsell_glm) WITHOUT FUNCTION;
CREATE FUNCTION detail_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE command;
	RETURN NULL;
EXCEPTION WHEN data_corrupted THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
SELECT throws_ok($$SELECT xsell_observations('<(-1,0),0>'::circle::xsell_beta)$$, 'XX001', 'invalid value of type xsell_beta', 'stored nonsense is no xsell_beta');
SELECT throws_ok($$SELECT xsell_observations('((1,2),(3,4),(5,6))'::path::xsell_glm)$$, 'XX001', 'invalid value of type xsell_glm', 'nor an xsell_glm');
SELECT throws_ok($$SELECT xsell_merge_agg('((1,2),(3,4),(5,6))'::path::xsell_glm)$$, 'XX001', 'invalid value of type xsell_glm', 'in aggregates either');
-- so many points, closed, look like format 1 and one column
SELECT is(detail_of($$SELECT ('(' || repeat('(0,0),', 22528) || '(0,0))')::path::xsell_glm::text$$), 'The length does not fit the number of columns.', 'the length must fit');
SELECT is(detail_of($$SELECT ('[' || repeat('(0,0),', 22528) || '(0,0)]')::path::xsell_glm::text$$), 'The number of columns is out of range.', 'as must the number of columns');

-- ------------------------------------------------------ against golden values --

CREATE TABLE golden_ppf (a float8, b float8, p float8, ppf numeric);
\copy golden_ppf FROM 'test/data/golden/beta_ppf.csv' (FORMAT csv, HEADER)
SELECT cmp_ok(max(abs(q / ppf::float8 - 1)), '<', 1e-9::float8, 'xsell_interval''s bounds are the quantiles of mpmath')
FROM golden_ppf, LATERAL (SELECT CASE WHEN p < 0.5 THEN i.lower ELSE i.upper END AS q
	FROM xsell_interval('{"n":0,"trials":0,"successes":0}', abs(1 - 2 * p), a, b) i) v
WHERE p <> 0.5 AND ppf > 1e-300;

-- Some values are beyond 8.  Features divided by 4 under a prior precision
-- divided by 16 are the same model: coefficients are 4 times as large.
CREATE TABLE design (row_id int, f1 real, f2 real, f3 real, f4 real, f5 real, f6 real, f7 real, f8 real,
	f9 real, f10 real, f11 real, f12 real, f13 real, f14 real, y float8,
	x real[] GENERATED ALWAYS AS (ARRAY[f1 / 4, f2 / 4, f3 / 4, f4 / 4, f5 / 4, f6 / 4, f7 / 4, f8 / 4, f9 / 4, f10 / 4, f11 / 4, f12 / 4, f13 / 4, f14 / 4]) STORED);
\copy design (row_id, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, y) FROM 'test/data/golden/bank_design.csv' (FORMAT csv, HEADER)
CREATE TABLE golden_linear (lambda float8, i int, value float8);
\copy golden_linear FROM 'test/data/golden/linear_coef.csv' (FORMAT csv, HEADER)
CREATE TABLE golden_inverse (lambda float8, i int, j int, value float8);
\copy golden_inverse FROM 'test/data/golden/linear_inverse.csv' (FORMAT csv, HEADER)
CREATE TABLE linear AS SELECT xsell_glm_agg(x, y, 0, 1, 'identity') AS glm FROM design;

SELECT cmp_ok(max(abs(g.value - c.mean / 4)), '<', 1e-6::float8, 'identity: coefficients are those of ridge regression')
FROM linear, golden_linear g, LATERAL xsell_coefficients(glm, g.lambda / 16) c WHERE c.column_number = g.i + 1;
SELECT cmp_ok(max(abs(sqrt(g.value) - c.standard_error / 4)), '<', 1e-6::float8, 'as are their standard errors')
FROM linear, golden_inverse g, LATERAL xsell_coefficients(glm, g.lambda / 16) c WHERE g.i = g.j AND c.column_number = g.i + 1;

CREATE TABLE golden_logistic (lambda float8, i int, value float8);
\copy golden_logistic FROM 'test/data/golden/logistic_coef.csv' (FORMAT csv, HEADER)
CREATE TABLE golden_covariance (lambda float8, i int, j int, value float8);
\copy golden_covariance FROM 'test/data/golden/logistic_covariance.csv' (FORMAT csv, HEADER)
CREATE TABLE golden_prediction (lambda float8, row_id int, eta float8, var float8, p_mackay float8);
\copy golden_prediction FROM 'test/data/golden/logistic_predict.csv' (FORMAT csv, HEADER)

-- Re-linearised at its own mean until it stays, the evidence is that of the posterior's mode.
CREATE FUNCTION refitted(lambda float8) RETURNS xsell_glm LANGUAGE plpgsql AS $$
DECLARE
	glm xsell_glm;
	coefficients float8[] := array_fill(0::float8, ARRAY[14]);
BEGIN
	FOR i IN 1 .. 12 LOOP
		SELECT xsell_glm_agg(x, y, (SELECT sum(a * b) FROM unnest(x, coefficients) u(a, b)), 1, 'logit') INTO glm FROM design;
		SELECT array_agg(mean ORDER BY column_number) INTO coefficients FROM xsell_coefficients(glm, lambda / 16);
	END LOOP;
	RETURN glm;
END $$;
CREATE TABLE logistic AS SELECT lambda, refitted(lambda) AS glm FROM (VALUES (0.1::float8), (1), (10)) v(lambda);

SELECT cmp_ok(max(abs(g.value - c.mean / 4)), '<', 1e-5::float8, 'logit: a refit''s coefficients are the mode')
FROM logistic l JOIN golden_logistic g USING (lambda), LATERAL xsell_coefficients(l.glm, l.lambda / 16) c
WHERE c.column_number = g.i + 1;
SELECT cmp_ok(max(abs(sqrt(g.value) - c.standard_error / 4)), '<', 1e-6::float8, 'their standard errors are those of the Laplace approximation')
FROM logistic l JOIN golden_covariance g USING (lambda), LATERAL xsell_coefficients(l.glm, l.lambda / 16) c
WHERE g.i = g.j AND c.column_number = g.i + 1;
SELECT cmp_ok(max(abs(p.mean - g.eta) + abs(p.sd - sqrt(g.var)) + abs(p.rate - g.p_mackay)), '<', 1e-5::float8,
	'linear predictor, its sd and the moderated rate are golden')
FROM logistic l JOIN golden_prediction g USING (lambda) JOIN design USING (row_id), LATERAL xsell_predict(l.glm, x, l.lambda / 16) p;

SELECT is(count(DISTINCT (xsell_predict(l.glm, d.x, v.precision)).mean), 2::bigint, 'a prediction''s prior is not that of the row before')
FROM logistic l, (VALUES (0.5::float8), (2)) v(precision), design d WHERE l.lambda = 1 AND d.row_id = 1;
SELECT is(count(DISTINCT (xsell_predict(l.glm, d.x, 1)).mean), 3::bigint, 'a state''s prediction is not that of the state before')
FROM logistic l, design d WHERE d.row_id = 1;

-- ------------------------------------------------------------------ samples --

SELECT cmp_ok(abs(avg(rate) / xsell_mean(state) - 1) + abs(stddev(rate) / xsell_sd(state) - 1), '<', 0.03::float8, 'xsell_sample of a beta has the posterior''s mean and sd')
FROM (SELECT state, xsell_sample(state, seed) AS rate
	FROM (SELECT '{"n":30,"trials":503316480,"successes":50331648}'::xsell_beta AS state) b, generate_series(1, 5000) seed) v
GROUP BY state;
CREATE TABLE draws AS
SELECT s.n, s.coefficient FROM logistic l, generate_series(1, 4000) seed,
	LATERAL unnest(xsell_sample(l.glm, seed, 1.0 / 16)) WITH ORDINALITY s(coefficient, n) WHERE l.lambda = 1;
SELECT cmp_ok(max(abs(d.mean - c.mean) / c.standard_error), '<', 0.08::float8, 'xsell_sample of a glm has the posterior''s mean')
FROM (SELECT n, avg(coefficient) AS mean, stddev(coefficient) AS sd FROM draws GROUP BY n) d,
	logistic l, LATERAL xsell_coefficients(l.glm, 1.0 / 16) c WHERE l.lambda = 1 AND c.column_number = d.n;
SELECT cmp_ok(max(abs(d.sd / c.standard_error - 1)), '<', 0.05::float8, 'and its standard deviations')
FROM (SELECT n, avg(coefficient) AS mean, stddev(coefficient) AS sd FROM draws GROUP BY n) d,
	logistic l, LATERAL xsell_coefficients(l.glm, 1.0 / 16) c WHERE l.lambda = 1 AND c.column_number = d.n;
SELECT cmp_ok(abs((SELECT stddev(total) FROM (SELECT sum(a * b) AS total FROM logistic l, design d, generate_series(1, 4000) seed,
		LATERAL unnest(xsell_sample(l.glm, seed, 1.0 / 16), d.x) u(a, b) WHERE l.lambda = 1 AND d.row_id = 1 GROUP BY seed) t) /
	(SELECT p.sd FROM logistic l, design d, LATERAL xsell_predict(l.glm, d.x, 1.0 / 16) p WHERE l.lambda = 1 AND d.row_id = 1) - 1),
	'<', 0.05::float8, 'and its correlations: a prediction''s spread');

SELECT * FROM finish();
ROLLBACK;
