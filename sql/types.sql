--
-- The types xsell_beta, xsell_glm and xsell_score: interfaces and error texts
--
\set VERBOSITY terse
-- What a command's error says
CREATE FUNCTION pg_temp.error_of(command text, OUT code text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	code := 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE TABLE types_errors (id int GENERATED ALWAYS AS IDENTITY, command text);
-- Interfaces
\pset format unaligned
SELECT typname, typlen, typbyval, typalign, typstorage FROM pg_type WHERE typname IN ('xsell_beta', 'xsell_glm', 'xsell_score') ORDER BY 1;
SELECT p.oid::regprocedure AS function, pg_get_function_result(p.oid) AS result,
	p.provolatile AS volatility, p.proisstrict AS strict, p.proparallel AS parallel
FROM pg_proc p
WHERE p.proname ~ '^xsell_(beta|glm|score|merge_agg|mean|sd|interval|coefficients|predict|sample|observations|trials|successes)'
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT a.aggfnoid::regprocedure AS aggregate, a.aggtransfn::oid::regproc AS transition, a.aggcombinefn, a.aggtranstype::regtype AS state, a.aggtransspace AS space
FROM pg_aggregate a WHERE a.aggtranstype IN ('xsell_beta'::regtype, 'xsell_glm'::regtype, 'xsell_score'::regtype) ORDER BY a.aggfnoid::regprocedure::text COLLATE "C";
SELECT o.oid::regoperator AS operator, o.oprcode, o.oprcom::regoperator AS commutator, o.oprnegate::regoperator AS negator, o.oprcanhash
FROM pg_operator o WHERE o.oprleft IN ('xsell_beta'::regtype, 'xsell_glm'::regtype, 'xsell_score'::regtype) ORDER BY o.oid::regoperator::text COLLATE "C";
-- Everything has a comment
SELECT d.classid::regclass, d.objid FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND (d.classid = 'pg_proc'::regclass AND (SELECT proname ~ '^xsell_(beta|glm|score|merge_agg|mean|sd|interval|coefficients|predict|sample|observations|trials|successes)' FROM pg_proc WHERE oid = d.objid)
		OR d.classid IN ('pg_operator'::regclass, 'pg_opclass'::regclass)
		OR d.classid = 'pg_type'::regclass AND d.objid IN ('xsell_beta'::regtype, 'xsell_glm'::regtype, 'xsell_score'::regtype))
	AND obj_description(d.objid, d.classid::regclass::name) IS NULL;
-- Text form
SELECT '{"n":3,"trials":50331648,"successes":16777216}'::xsell_beta;
SELECT ' { "successes" : 0 , "n":9223372036854775807,"trials" :9223372036854775807 } '::xsell_beta;
SELECT '{"n":0,"trials":0,"successes":-0}'::xsell_beta;
SELECT '{"link":"logit","dim":1,"n":1,"trials":16777216,"successes":0,"shift":[-8388608],"precision":[4194304]}'::xsell_glm;
SELECT '{"precision":[1 , -2,3],"shift":[-9223372036854775808,9223372036854775807] ,"link":"identity","dim":2,"n":1,"trials":0,"successes":-5}'::xsell_glm;
SELECT '{"n":2,"trials":33554432,"successes":16777216,"prior":[1,1,16777216,16777216,8388608,11629080,4194304,-6802576],"global":[2,0,33554432,16777216,0,0,0,0],"segment":[0,2,0,0,0,0,0,0],"contextual":[0,0,0,0,0,0,0,0]}'::xsell_score;
SELECT ' { "contextual" : [ 0,0 ,0,0,0,0,0,0 ] , "n":9223372036854775807,"global":[0,9223372036854775807,0,0,0,0,0,0],"trials" :9223372036854775807 ,"segment":[1,9223372036854775806,0,0,0,8,-0,0],
	"prior":[9223372036854775807,0,9223372036854775807,0,9223372036854775807,9223372036854775807,9223372036854775807,0],"successes":0} '::xsell_score;
-- Aggregates
SELECT xsell_beta_agg(r) FROM unnest('{1,0,0.5,NULL}'::float8[]) r;
SELECT xsell_beta_agg(r, w) FROM (VALUES (1, 1), (0, 2), (1, NULL), (NULL, 1), (0.25, 1024)) v(r, w);
SELECT xsell_beta_agg(r) IS NULL AS none FROM unnest('{NULL}'::float8[]) r;
SELECT xsell_beta_agg(1) IS NULL AS none FROM generate_series(1, 0);
SELECT xsell_glm_agg(ARRAY[1, x]::real[], r) FROM (VALUES (0, 0), (1, 1), (2, NULL), (-8, 0)) v(x, r);
SELECT xsell_glm_agg(x, r, m, w, l) FROM (VALUES ('{1,0.5}'::real[], 1.0::float8, -1.5::float8, 2.0::float8, 'logit'), ('{1,NULL}', NULL, 0, 1, 'logit'), ('{1,8}', 0.5, NULL, 1, 'logit'), ('{1,8}', 0.5, 0, NULL, 'logit'), (NULL, 0.5, 0, 0, 'logit'), ('{1,-8}', 0, 1000, 1, 'logit')) v(x, r, m, w, l);
SELECT xsell_glm_agg('{1,2}', 250, 7, 0.5, 'identity');
SELECT xsell_glm_agg('{1}', NULL) IS NULL AS none;
SELECT xsell_merge_agg(s) FROM unnest(ARRAY['{"n":1,"trials":2,"successes":1}', NULL, '{"n":2,"trials":3,"successes":3}']::xsell_beta[]) s;
SELECT xsell_merge_agg(s) IS NULL AS none FROM unnest('{NULL}'::xsell_glm[]) s;
SELECT xsell_score_agg(p, r) FROM (VALUES ('{0.5,0.25,NULL,NaN}'::real[], 1.0::float8), ('{0.5}', 0), ('{}', 0.5), ('[0:1]={NULL,1}', 1), (NULL, 1), ('{0.5}', NULL)) v(p, r);
SELECT xsell_score_agg(p, r, w) FROM (VALUES ('{0,1}'::real[], 1.0::float8, 1024::float8), ('{2}', 1, NULL), (NULL, 1, 0), ('{2}', NULL, 1), ('{0.5,0.5,0.5,0.5}', 0.25, 2)) v(p, r, w);
SELECT xsell_score_agg('{0.5}', NULL) IS NULL AS none;
SELECT xsell_merge_agg(s) FROM unnest(ARRAY[xsell_score_add(NULL, '{0.5}', 1), NULL, xsell_score_add(NULL, '{0.5,0.5}', 0, 3)]) s;
-- Operators
SELECT a + b AS sum, a - b AS difference, a = b AS eq, a <> b AS ne, a = a AS self, a - a AS zero, a + NULL IS NULL AS strict
FROM (SELECT xsell_beta_agg(r) AS a FROM unnest('{1,1,0}'::float8[]) r) a, (SELECT xsell_beta_agg(r) AS b FROM unnest('{1}'::float8[]) r) b;
SELECT a + b AS sum, a - b AS difference, a = b AS eq, a <> b AS ne, a = a AS self, a - a AS zero, a + NULL IS NULL AS strict
FROM (SELECT xsell_glm_agg('{1,2}', r) AS a FROM unnest('{1,1,0}'::float8[]) r) a, (SELECT xsell_glm_agg('{1,2}', r) AS b FROM unnest('{1}'::float8[]) r) b;
SELECT a + b AS sum, a - b AS difference, a = b AS eq, a <> b AS ne, a = a AS self, a - a AS zero, a + NULL IS NULL AS strict
FROM (SELECT xsell_score_agg('{0.5}', r) AS a FROM unnest('{1,1,0}'::float8[]) r) a, (SELECT xsell_score_agg('{0.5}', r) AS b FROM unnest('{1}'::float8[]) r) b;
SELECT xsell_glm_agg('{1,2}', 1) = xsell_glm_agg('{1}', 1) AS other_shape;
SELECT count(*) FROM (SELECT xsell_glm_agg('{1,2}', r % 2) FROM generate_series(1, 10) r GROUP BY r) d(s) GROUP BY s;
SELECT count(DISTINCT row_to_json(d)::text) FROM (SELECT xsell_beta_agg(r % 2) AS s FROM generate_series(1, 10) r GROUP BY r EXCEPT SELECT xsell_beta_agg(1)) d;
-- Functions
SELECT xsell_beta_add(NULL, 1), xsell_beta_add(xsell_beta_add(NULL, 1), 0.5, 3), xsell_beta_add(xsell_beta_agg(1), NULL);
SELECT xsell_glm_add(NULL, '{1}', 1), xsell_glm_add(xsell_glm_agg('{1}', 1), '{1}', 0, 1.5, 2, 'logit');
SELECT s = (SELECT xsell_score_agg('{0.5}', 1)) AS plain, xsell_score_add(s, NULL, 1) = s AND xsell_score_add(s, '{0.5}', NULL) = s AND xsell_score_add(s, '{0.5}', 1, NULL) = s AS unchanged,
	xsell_score_merge(s, s) = s + s AS merged, xsell_score_merge(NULL, s) = s AND xsell_score_merge(s, NULL) = s AS none
FROM (SELECT xsell_score_add(NULL, '{0.5}', 1) AS s) v;
SELECT forecaster, n, missing, rate, round(forecast::numeric, 6) AS forecast, round(log_loss::numeric, 6) AS log_loss, round(brier::numeric, 6) AS brier
FROM xsell_score_summary((SELECT xsell_score_agg(ARRAY[0.1, NULL, CASE WHEN i % 2 = 0 THEN 0.2 END]::real[], (i % 4 = 0)::int, 1 + i % 4) FROM generate_series(1, 8) i));
-- Weights that are too small leave no means
SELECT * FROM xsell_score_summary(xsell_score_add(NULL, '{0.5}', 1, 1e-9));
SELECT * FROM xsell_score_summary(xsell_score_add(NULL, '{}', 1));
SELECT xsell_score_summary(s) FROM (VALUES (NULL), (xsell_score_add(NULL, '{0.5,NULL}', 1))) v(s);
SELECT xsell_observations(s), xsell_trials(s), xsell_successes(s) FROM (SELECT xsell_beta_agg(r, 0.5) AS s FROM unnest('{1,1,0}'::float8[]) r) b;
SELECT xsell_observations(s), xsell_trials(s), xsell_successes(s) FROM (SELECT xsell_glm_agg('{1}', r, 0, 0.5, 'identity') AS s FROM unnest('{-3,2}'::float8[]) r) g;
SELECT xsell_mean(s), xsell_mean(s, 0.5, 0.5), round(xsell_sd(s)::numeric, 12) AS sd,
	round(xsell_sample(s, 42)::numeric, 12) AS sample, xsell_sample(s, 42) = xsell_sample(s, 42) AS repeats, xsell_sample(s, 42) <> xsell_sample(s, 43) AS varies
FROM (SELECT xsell_beta_agg(r) AS s FROM unnest('{1,0,0}'::float8[]) r) b;
SELECT round(lower::numeric, 12) AS lower, round(upper::numeric, 12) AS upper FROM xsell_interval('{"n":3,"trials":50331648,"successes":16777216}');
SELECT round(lower::numeric, 12) AS lower, round(upper::numeric, 12) AS upper FROM xsell_interval('{"n":3,"trials":50331648,"successes":16777216}', 0.5, beta0 => 2);
SELECT column_number, round(mean::numeric, 12) AS mean, round(standard_error::numeric, 12) AS standard_error
FROM xsell_coefficients((SELECT xsell_glm_agg(ARRAY[1, x], (x > 1)::int) FROM generate_series(0, 3) x));
SELECT round(mean::numeric, 12) AS mean, round(sd::numeric, 12) AS sd, round(rate::numeric, 12) AS rate
FROM xsell_predict((SELECT xsell_glm_agg(ARRAY[1, x], (x > 1)::int) FROM generate_series(0, 3) x), '{1,2}', 0.5);
SELECT round(s::numeric, 12) AS coefficient FROM unnest(xsell_sample((SELECT xsell_glm_agg(ARRAY[1, x], (x > 1)::int) FROM generate_series(0, 3) x), 42)) s;
SELECT xsell_mean(NULL) IS NULL AND xsell_sample(NULL::xsell_glm, 1) IS NULL AND xsell_observations(NULL::xsell_beta) IS NULL AS strict;
-- Errors: text form
INSERT INTO types_errors (command) SELECT format('SELECT %L::xsell_beta', t) FROM unnest(ARRAY[
	'', '{}', '[]', 'null', '{"n":1', '{"n":1,}', '{n:1}', '{"n" 1}', '{"n":1}', '{"n":1,"trials":1,"successes":1',
	'{"n":1,"trials":1,"successes":1}}', '{"n":1,"trials":1,"successes":1,"n":1}', '{"n":1,"trials":1,"successes":1,"more":1}',
	'{"N":1,"trials":1,"successes":1}', '{"n":1.0,"trials":1,"successes":1}', '{"n":1e2,"trials":1,"successes":1}', '{"n":01,"trials":1,"successes":1}',
	'{"n":+1,"trials":1,"successes":1}', '{"n":"1","trials":1,"successes":1}', '{"n":null,"trials":1,"successes":1}', '{"n":-,"trials":1,"successes":1}',
	'{"n":9223372036854775808,"trials":1,"successes":1}', '{"n":-9223372036854775809,"trials":1,"successes":1}', '{"n":99999999999999999999999,"trials":1,"successes":1}',
	'{"n":-1,"trials":1,"successes":1}', '{"n":1,"trials":-1,"successes":-1}', '{"n":1,"trials":1,"successes":-1}', '{"n":1,"trials":1,"successes":2}', '{"n":0,"trials":1,"successes":0}']) t;
INSERT INTO types_errors (command) SELECT format('SELECT %L::xsell_glm', t) FROM unnest(ARRAY[
	'{"dim":1,"n":1,"trials":1,"successes":0,"shift":[1],"precision":[1]}',
	'{"link":"probit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1],"precision":[1]}',
	'{"link":logit,"dim":1,"n":1,"trials":1,"successes":0,"shift":[1],"precision":[1]}',
	'{"link":"logit","dim":0,"n":1,"trials":1,"successes":0,"shift":[],"precision":[]}',
	'{"link":"logit","dim":513,"n":1,"trials":1,"successes":0,"shift":[],"precision":[]}',
	'{"link":"logit","dim":-1,"n":1,"trials":1,"successes":0,"shift":[],"precision":[]}',
	'{"link":"logit","dim":2,"n":1,"trials":1,"successes":0,"shift":[1],"precision":[1]}',
	'{"link":"logit","dim":2,"n":1,"trials":1,"successes":0,"shift":[1,2],"precision":[1,2]}',
	'{"link":"logit","dim":2,"n":1,"trials":1,"successes":0,"shift":[1,2],"precision":[1,2,3,4]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":1,"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1.5],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[[1]],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1,],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1 1],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1],"shift":[1],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1],"precision":[-1]}',
	'{"link":"logit","dim":1,"n":-1,"trials":1,"successes":0,"shift":[1],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":-1,"successes":0,"shift":[1],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":-1,"shift":[1],"precision":[1]}',
	'{"link":"logit","dim":1,"n":1,"trials":1,"successes":2,"shift":[1],"precision":[1]}',
	'{"link":"identity","dim":1,"n":0,"trials":0,"successes":2,"shift":[0],"precision":[0]}',
	'{"link":"logit","dim":1,"n":0,"trials":0,"successes":0,"shift":[0],"precision":[1]}']) t;
INSERT INTO types_errors (command) VALUES
	($$SELECT ('{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[' || repeat('1,', 512) || '1],"precision":[1]}')::xsell_glm$$);
INSERT INTO types_errors (command) SELECT format('SELECT %L::xsell_score', t)
FROM unnest(ARRAY[
	'{}', '{"n":1,"trials":1,"successes":1}', '{"n":-1,"trials":0,"successes":0,P,G,S,C}', '{"n":1,"trials":1,"successes":2,P,G,S,C}', '{"n":0,"trials":1,"successes":0,P,G,S,C}',
	'{"n":1,"trials":1,"successes":0,G,S,C}', '{"n":1,"trials":1,"successes":0,P,P,G,S,C}', '{"n":1,"trials":1,"successes":0,P,G,S,C,"other":[]}',
	'{"n":1,"trials":1,"successes":0,"prior":1,G,S,C}', '{"n":1,"trials":1,"successes":0,"prior":[],G,S,C}', '{"n":1,"trials":1,"successes":0,P,G,S,"contextual":[0,0,0,0,0,0,0]}',
	'{"n":1,"trials":1,"successes":0,P,G,S,"contextual":[0,0,0,0,0,0,0,0,0]}', '{"n":1,"trials":1,"successes":0,P,G,S,"contextual":[0,0,0,0,0,0,0,0.5]}',
	'{"n":1,"trials":1,"successes":0,P,"global":[-1,0,0,0,0,0,0,0],S,C}', '{"n":1,"trials":1,"successes":0,P,"global":[0,-1,0,0,0,0,0,0],S,C}',
	'{"n":1,"trials":1,"successes":0,P,"global":[1,1,0,0,0,0,0,0],S,C}', '{"n":1,"trials":1,"successes":0,P,"global":[1,9223372036854775807,0,0,0,0,0,0],S,C}',
	'{"n":2,"trials":5,"successes":2,P,"global":[1,0,6,1,0,0,0,0],S,C}', '{"n":2,"trials":5,"successes":2,P,"global":[1,0,3,3,0,0,0,0],S,C}', '{"n":2,"trials":5,"successes":2,P,"global":[1,0,4,0,0,0,0,0],S,C}',
	'{"n":2,"trials":5,"successes":2,P,"global":[2,0,3,1,0,0,0,0],S,C}', '{"n":2,"trials":5,"successes":2,P,"global":[1,0,1,2,0,0,0,0],S,C}', '{"n":2,"trials":5,"successes":2,P,"global":[1,0,-1,-1,0,0,0,0],S,C}',
	'{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,-1,0,0,0],G,S,C}', '{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,3,0,0,0],G,S,C}', '{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,0,-1,0,0],G,S,C}',
	'{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,0,37,0,0],G,S,C}', '{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,0,0,-1,0],G,S,C}', '{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,0,0,3,0],G,S,C}',
	'{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,0,0,0,37],G,S,C}', '{"n":2,"trials":5,"successes":2,"prior":[1,0,2,1,0,0,0,-37],G,S,C}', '{"n":2,"trials":5,"successes":2,"prior":[0,0,0,0,0,0,0,-1],G,S,C}',
	'{"n":2,"trials":5,"successes":2,"prior":[0,0,0,0,0,1,0,0],G,S,C}']) bad,
	LATERAL replace(replace(replace(replace(bad, ',P', ',"prior":[0,0,0,0,0,0,0,0]'), ',G', ',"global":[0,0,0,0,0,0,0,0]'), ',S', ',"segment":[0,0,0,0,0,0,0,0]'), ',C', ',"contextual":[0,0,0,0,0,0,0,0]') t;
-- Errors: observations
INSERT INTO types_errors (command) VALUES
	($$SELECT xsell_beta_agg(1.5)$$),
	($$SELECT xsell_beta_agg(-0.001)$$),
	($$SELECT xsell_beta_agg('NaN')$$),
	($$SELECT xsell_beta_agg('Infinity')$$),
	($$SELECT xsell_beta_agg(1, 0)$$),
	($$SELECT xsell_beta_agg(1, 1025)$$),
	($$SELECT xsell_beta_agg(1, 'NaN')$$),
	($$SELECT xsell_glm_agg('{}', 1)$$),
	($$SELECT xsell_glm_agg('{{1},{2}}', 1)$$),
	($$SELECT xsell_glm_agg('{1,NULL}', 1)$$),
	($$SELECT xsell_glm_agg('{1,NaN}', 1)$$),
	($$SELECT xsell_glm_agg('{1,-Infinity}', 1)$$),
	($$SELECT xsell_glm_agg('{1,8.0001}', 1)$$),
	($$SELECT xsell_glm_agg(array_fill(1::real, ARRAY[513]), 1)$$),
	($$SELECT xsell_glm_agg('{1}', 1.5)$$),
	($$SELECT xsell_glm_agg('{1}', 'NaN')$$),
	($$SELECT xsell_glm_agg('{1}', 1001, 0, 1, 'identity')$$),
	($$SELECT xsell_glm_agg('{1}', 1, 1001, 1, 'logit')$$),
	($$SELECT xsell_glm_agg('{1}', 1, 'NaN', 1, 'logit')$$),
	($$SELECT xsell_glm_agg('{1}', 1, 0, 0, 'logit')$$),
	($$SELECT xsell_glm_agg('{1}', 1, 0, 1, 'probit')$$),
	($$SELECT xsell_glm_agg('{1}', 1, 0, 1, NULL)$$),
	($$SELECT xsell_glm_agg(x, 1) FROM (VALUES ('{1,2}'::real[]), ('{1}')) v(x)$$),
	($$SELECT xsell_glm_agg('{1}', 1, 0, 1, l) FROM (VALUES ('logit'), ('identity')) v(l)$$),
	($$SELECT xsell_score_agg('{0.5}', 1.5)$$),
	($$SELECT xsell_score_agg('{0.5}', 'NaN')$$),
	($$SELECT xsell_score_agg('{0.5}', 1, 0)$$),
	($$SELECT xsell_score_agg('{0.5}', 1, 1025)$$),
	($$SELECT xsell_score_agg('{1.5}', 1)$$),
	($$SELECT xsell_score_agg('{NULL,-0.01}', 1)$$),
	($$SELECT xsell_score_agg('{0,1,NaN,Infinity}', 1)$$),
	($$SELECT xsell_score_agg('{0.5,0.5,0.5,0.5,NULL}', 1)$$),
	($$SELECT xsell_score_agg('{{0.5},{0.5}}', 1)$$);
-- Errors: states
INSERT INTO types_errors (command) VALUES
	($$SELECT xsell_glm_agg('{1,2}', 1) + xsell_glm_agg('{1}', 1)$$),
	($$SELECT xsell_glm_agg('{1}', 1) - xsell_glm_agg('{1}', 1, 0, 1, 'identity')$$),
	($$SELECT xsell_merge_agg(xsell_glm_add(NULL, x, 1)) FROM (VALUES ('{1,2}'::real[]), ('{1}')) v(x)$$),
	($$SELECT xsell_beta_agg(1) - xsell_beta_agg(0)$$),
	($$SELECT xsell_beta_agg(1) - xsell_beta_agg(1, 2)$$),
	($$SELECT xsell_beta_agg(1) - (SELECT xsell_beta_agg(r) FROM unnest('{1,1}'::float8[]) r)$$),
	($$SELECT xsell_glm_agg('{1}', 1) - xsell_glm_agg('{1}', 0)$$),
	($$SELECT xsell_glm_agg('{1}', 1) - xsell_glm_agg('{2}', 1)$$),
	($$SELECT xsell_glm_agg('{1}', 1, 0, 1, 'identity') - xsell_glm_agg('{1}', 0, 0, 1, 'identity')$$),
	($$SELECT a.s - b.s FROM (SELECT xsell_glm_agg('{1,1}', 1) AS s) a, (SELECT xsell_glm_agg('{1,-1}', 1) AS s) b$$),
	($$SELECT s + s FROM (SELECT '{"n":9223372036854775807,"trials":1,"successes":0}'::xsell_beta) v(s)$$),
	($$SELECT xsell_beta_add('{"n":1,"trials":9223372036854775807,"successes":0}', 1)$$),
	($$SELECT s + s FROM (SELECT '{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1],"precision":[9223372036854775807]}'::xsell_glm) v(s)$$),
	($$SELECT xsell_glm_add('{"link":"logit","dim":1,"n":1,"trials":1,"successes":0,"shift":[1],"precision":[9223372036854775807]}', '{1}', 1)$$);
INSERT INTO types_errors (command) VALUES
	($$SELECT xsell_score_agg('{0.5}', 1) - xsell_score_agg('{0.5}', 0)$$),
	($$SELECT xsell_score_agg('{0.5}', 1) - xsell_score_agg('{0.4}', 1)$$),
	($$SELECT xsell_score_agg('{0.5}', 1) - xsell_score_agg('{NULL}', 1)$$),
	($$SELECT xsell_score_agg('{0.5}', 1) - xsell_score_agg('{}', 1)$$),
	($$SELECT xsell_score_agg('{NULL}', 1) - xsell_score_agg('{0.5}', 1)$$),
	($$SELECT xsell_score_agg('{0.5}', 1) - xsell_score_agg('{0.5}', 1, 2)$$),
	($$SELECT s + s FROM (SELECT xsell_score_add(NULL, '{}', 1, 1e-9)) v(a), LATERAL (SELECT replace(a::text, '"n":1', '"n":9223372036854775807')::xsell_score) w(s)$$),
	($$SELECT xsell_score_add(s, '{0.5}', 1) FROM (SELECT replace(xsell_score_add(NULL, '{}', 0)::text, '16777216', '9223372036854775807')::xsell_score) w(s)$$);
-- Errors: accessors
INSERT INTO types_errors (command) VALUES
	($$SELECT xsell_mean(xsell_beta_agg(1), 0)$$),
	($$SELECT xsell_sd(xsell_beta_agg(1), 1, 'NaN')$$),
	($$SELECT xsell_sample(xsell_beta_agg(1), 1, 'Infinity')$$),
	($$SELECT xsell_interval(xsell_beta_agg(1), 1)$$),
	($$SELECT xsell_interval(xsell_beta_agg(1), 'NaN')$$),
	($$SELECT xsell_coefficients(xsell_glm_agg('{1}', 1), 0)$$),
	($$SELECT xsell_predict(xsell_glm_agg('{1,2}', 1), '{1}')$$),
	($$SELECT xsell_predict(xsell_glm_agg('{1,2}', 1), '{1,NULL}')$$),
	($$SELECT xsell_sample(xsell_glm_agg('{1}', 1), 1, -1)$$),
	($$SELECT xsell_coefficients('{"link":"logit","dim":2,"n":1,"trials":1,"successes":0,"shift":[1,1],"precision":[0,99999999999,0]}')$$);
SELECT left(e.command, 140) AS command, o.* FROM types_errors e, pg_temp.error_of(e.command) o ORDER BY e.id;
DROP TABLE types_errors;
