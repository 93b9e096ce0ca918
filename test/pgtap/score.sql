-- The type xsell_score: exactness, aggregates, the scores of forecasters.
\set ON_ERROR_STOP on
BEGIN;
SELECT plan(32);

-- ------------------------------------------------------------------ rows --

-- Every third row converts in one of two, the others in one of ten.  prior says
-- 0.3 always; global the overall rate; segment the row's own, but is missing for
-- every fifth; contextual is NaN or beyond the end of the array.
CREATE TABLE forecast AS
SELECT i, CASE WHEN i % 89 = 0 THEN NULL ELSE (i * 7919 % 1000 < CASE WHEN i % 3 = 0 THEN 500 ELSE 100 END)::int::float8 END AS reward,
	CASE WHEN i % 97 = 0 THEN NULL ELSE ARRAY[0.3, 0.2333, CASE WHEN i % 5 = 0 THEN NULL WHEN i % 3 = 0 THEN 0.5 ELSE 0.1 END]::real[]
		|| CASE WHEN i % 2 = 0 THEN '{NaN}' ELSE '{}' END::real[] END AS forecasts,
	1 + i % 5 * 0.3::float8 AS weight
FROM generate_series(1, 20000) i;
ALTER TABLE forecast SET (parallel_workers = 2);
ANALYZE forecast;

CREATE TABLE state (how text, score xsell_score);
CREATE FUNCTION explained(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	RETURN plan::text;
END $$;

-- --------------------------------------------- one state, however it is made --

SET LOCAL max_parallel_workers_per_gather = 0;
INSERT INTO state SELECT 'serial', xsell_score_agg(forecasts, reward, weight) FROM forecast;
INSERT INTO state SELECT 'shuffled', xsell_score_agg(forecasts, reward, weight ORDER BY md5(i::text)) FROM forecast;
INSERT INTO state SELECT 'shards', xsell_merge_agg(score)
	FROM (SELECT xsell_score_agg(forecasts, reward, weight) AS score FROM forecast GROUP BY i % 37 ORDER BY md5((i % 37)::text)) shard;
INSERT INTO state SELECT 'more', xsell_score_agg(forecasts, reward, weight) + xsell_score_agg(forecasts, reward, weight) FILTER (WHERE i % 3 = 0) FROM forecast;
INSERT INTO state SELECT 'added and removed', score - (SELECT xsell_score_agg(forecasts, reward, weight) FROM forecast WHERE i % 3 = 0)
	FROM state WHERE how = 'more';
INSERT INTO state SELECT 'text', score::text::xsell_score FROM state WHERE how = 'serial';

SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SELECT alike(explained('SELECT xsell_score_agg(forecasts, reward, weight) FROM forecast'), '%"Partial Mode": "Partial"%', 'xsell_score_agg is planned in parallel');
SELECT matches(explained('SELECT xsell_score_agg(forecasts, reward, weight) FROM forecast'), '"Workers Launched": [1-9]', 'and executed so');
SELECT alike(explained('SELECT xsell_merge_agg(xsell_score_add(NULL, forecasts, reward)) FROM forecast'), '%"Partial Mode": "Partial"%', 'xsell_merge_agg too');
INSERT INTO state SELECT 'parallel merge', xsell_merge_agg(xsell_score_add(NULL, forecasts, reward, weight)) FROM forecast;
CREATE TABLE parallel_state AS SELECT 'parallel'::text, xsell_score_agg(forecasts, reward, weight) FROM forecast;
INSERT INTO state SELECT * FROM parallel_state;
CREATE TABLE grouped_state AS SELECT i % 11 AS g, xsell_score_agg(forecasts, reward, weight) AS score FROM forecast GROUP BY 1;
INSERT INTO state SELECT 'parallel groups', xsell_merge_agg(score) FROM grouped_state;
SET LOCAL max_parallel_workers_per_gather = 0;

SELECT ok(a.score = b.score AND NOT a.score <> b.score, a.how || ' = serial')
FROM state a, state b WHERE b.how = 'serial' AND a.how NOT IN ('serial', 'more') ORDER BY a.how;
SELECT ok(a.score <> b.score AND NOT a.score = b.score, 'but more rows are another state')
FROM state a, state b WHERE b.how = 'serial' AND a.how = 'more';
SELECT is(score - score, xsell_score_add(NULL, '{}', 0) - xsell_score_add(NULL, '{}', 0), 'a state less itself is empty') FROM state WHERE how = 'serial';
SELECT is_empty($$SELECT xsell_score_summary(score - score) FROM state WHERE how = 'serial'$$, 'and says nothing');
SELECT is((SELECT xsell_score_agg(forecasts, reward) FROM forecast), (SELECT xsell_score_agg(forecasts, reward, 1) FROM forecast), 'the short form has weight 1');
SELECT is(count(*), 11::bigint, 'states group and join by hash')
FROM grouped_state a JOIN (SELECT score FROM grouped_state UNION SELECT score FROM grouped_state) b USING (score);
-- A late conversion: what was 0 is 1
SELECT is(s.score - xsell_score_add(NULL, f.forecasts, 0, f.weight) + xsell_score_add(NULL, f.forecasts, 1, f.weight),
	(SELECT xsell_score_agg(forecasts, CASE WHEN i = f.i THEN 1 ELSE reward END, weight) FROM forecast), 'a corrected reward leaves what it would have left at once')
FROM state s, (SELECT * FROM forecast WHERE reward = 0 ORDER BY i LIMIT 1) f WHERE s.how = 'serial';

-- --------------------------------------------------- the scores by definition --

-- in float8, by libm
CREATE TABLE by_definition AS
SELECT name AS forecaster, count(p)::bigint AS n, (count(*) - count(p))::bigint AS missing, sum(w * r) / sum(w) AS rate, sum(w * p) / sum(w) AS forecast,
	sum(w * -(r * ln(p) + (1 - r) * ln(1 - p))) / sum(w) AS log_loss, sum(w * (p - r) ^ 2) / sum(w) AS brier,
	coalesce(sum(w * (r * ln(p / g) + (1 - r) * ln((1 - p) / (1 - g)))), 0) AS gain
FROM (SELECT (ARRAY['prior', 'global', 'segment', 'contextual'])[j] AS name, reward AS r,
		nullif(p, 'NaN')::float8 AS p, CASE WHEN p < 1 THEN weight END AS w, forecasts[2]::float8 AS g
	FROM forecast, unnest(forecasts) WITH ORDINALITY u(p, j) WHERE reward IS NOT NULL) v
GROUP BY name;
CREATE TABLE summary AS SELECT s.* FROM state, xsell_score_summary(score) s WHERE how = 'serial';
SELECT results_eq('SELECT forecaster, n, missing FROM summary', $$VALUES
	('prior', (SELECT count(*) FROM forecast WHERE reward + forecasts[1] IS NOT NULL), 0::bigint),
	('global', (SELECT count(*) FROM forecast WHERE reward + forecasts[2] IS NOT NULL), 0),
	('segment', (SELECT count(*) FROM forecast WHERE reward + forecasts[3] IS NOT NULL), (SELECT count(*) FROM forecast WHERE reward + forecasts[1] IS NOT NULL AND i % 5 = 0)),
	('contextual', 0, (SELECT count(*) FROM forecast WHERE reward + forecasts[1] IS NOT NULL AND i % 2 = 0))$$,
	'forecasts and missing ones are counted, forecasters in their order');
SELECT cmp_ok(max(abs(a.rate - b.rate) + abs(a.forecast - b.forecast) + abs(a.log_loss - b.log_loss) + abs(a.brier - b.brier)), '<', 1e-7::float8, 'means are those of the definitions')
FROM summary a JOIN by_definition b USING (forecaster, n, missing) WHERE n > 0;
SELECT cmp_ok(max(abs(a.gain - b.gain)), '<', 1e-3::float8, 'gains are losses saved against global, on the same rows') FROM summary a JOIN by_definition b USING (forecaster);
SELECT ok(seg.gain > 1000 AND glo.gain = 0 AND pri.gain < 0, 'by who knows more') FROM summary seg, summary glo, summary pri WHERE seg.forecaster = 'segment' AND glo.forecaster = 'global' AND pri.forecaster = 'prior';
SELECT is(count(*), 4::bigint, 'of all four forecasters') FROM summary a JOIN by_definition b USING (forecaster, n, missing);
SELECT is((rate, forecast, log_loss, brier)::text, '(,,,)', 'means over nothing are NULL') FROM summary WHERE forecaster = 'contextual';
SELECT ok(seg.log_loss < glo.log_loss AND glo.log_loss < pri.log_loss AND seg.brier < glo.brier AND glo.brier < pri.brier, 'who knows more has the lower loss')
FROM summary seg, summary glo, summary pri WHERE seg.forecaster = 'segment' AND glo.forecaster = 'global' AND pri.forecaster = 'prior';
SELECT is(count(*), 0::bigint, 'the rate is that of xsell_beta over the same rows')
FROM summary JOIN (SELECT xsell_beta_agg(reward, weight) AS beta FROM forecast WHERE forecasts[3] IS NOT NULL) b ON xsell_successes(beta) / xsell_trials(beta) <> rate
WHERE forecaster = 'segment';

-- ------------------------------------------------------- arguments stay as they are --

CREATE TABLE kept AS SELECT score, score::text AS before FROM state WHERE how = 'serial';
SELECT ok(xsell_score_add(score, '{0.5}', 1) <> score AND xsell_score_merge(score, score) = score + score
	AND (SELECT xsell_merge_agg(s) FROM (VALUES (score), (score)) v(s)) = score + score, 'functions add and merge') FROM kept;
SELECT is(score::text, before, 'and do not change what is stored') FROM kept;
SELECT is(count(*), 0::bigint, 'a window''s states are those of its frames')
FROM (SELECT i, xsell_score_agg(forecasts, reward) OVER (ORDER BY i ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS score FROM forecast WHERE i <= 200) w
WHERE score IS DISTINCT FROM (SELECT xsell_score_agg(forecasts, reward) FROM forecast f WHERE f.i BETWEEN w.i - 3 AND w.i);

-- ----------------------------------------------------------------- storage --

SELECT is(pg_column_size(score), 280, 'a state takes the space that SSPACE says') FROM kept;
CREATE TABLE copied (LIKE state);
\o /dev/null
SELECT 'COPY state TO ' || quote_literal(current_setting('data_directory') || '/pgtap_score.copy') || ' (FORMAT binary)'
UNION ALL SELECT 'COPY copied FROM ' || quote_literal(current_setting('data_directory') || '/pgtap_score.copy') || ' (FORMAT binary)'
\gexec
\o
SELECT bag_eq('SELECT * FROM copied', 'SELECT * FROM state', 'COPY BINARY writes and reads the same');

-- Values that are none: an xsell_glm's bytes, of which there are enough
SET LOCAL client_min_messages = warning;
CREATE TYPE nonsense;
CREATE FUNCTION nonsense_in(cstring) RETURNS nonsense LANGUAGE C IMMUTABLE STRICT AS '$libdir/xsell', 'xsell_glm_in';
CREATE FUNCTION nonsense_out(nonsense) RETURNS cstring LANGUAGE C IMMUTABLE STRICT AS '$libdir/xsell', 'xsell_score_out';
CREATE TYPE nonsense (INPUT = nonsense_in, OUTPUT = nonsense_out, LIKE = xsell_score);
CREATE CAST (nonsense AS xsell_score) WITHOUT FUNCTION;
CREATE TABLE broken AS SELECT ('{"link":"logit","dim":7,"n":9223372036854775807,"trials":0,"successes":0,"shift":[0,0,0,0,0,0,0],"precision":[0'
	|| repeat(',0', 27) || ']}')::nonsense::xsell_score AS score;
SELECT throws_ok('SELECT score::text FROM broken', 'XX001', 'invalid value of type xsell_score', 'stored nonsense is no xsell_score');
SELECT throws_ok('SELECT xsell_merge_agg(score) FROM broken', 'XX001', 'invalid value of type xsell_score', 'in aggregates either');
SELECT throws_ok('SELECT b.score - k.score FROM broken b, kept k', 'XX001', 'invalid value of type xsell_score', 'nor left of a minus');

SELECT * FROM finish();
ROLLBACK;
