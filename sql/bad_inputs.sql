--
-- Bad inputs: one clear error each (SQLSTATE, message, detail, hint), and nothing
-- is written
--
\pset format unaligned
\pset tuples_only on
SET client_min_messages = error;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET xsell.simulated_now = '2025-03-03 09:00+00';
CREATE FUNCTION bad(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	code text;
	message text;
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	-- of the context only the line that names an expression
	RETURN code || ' ' || message || coalesce(E'\n  DETAIL ' || nullif(detail, ''), '')
		|| coalesce(E'\n  HINT ' || nullif(hint, ''), '')
		|| coalesce(E'\n  IN ' || substring(context FROM '(?n)^(?:rule|feature|(?:propensity|value|cost|held) of offer|consent of channel|customer_key).*$'), '');
END $$;
CREATE TABLE customer (id bigint, age int, income numeric, born date, segment text, score float8, has_card boolean);
INSERT INTO customer VALUES (1, 40, 3000, '1985-01-01', 'family', 0.1, false), (2, 20, 800, '2005-01-01', 'student', 0.2, true);
--
-- Before there is anything
--
SELECT bad('SELECT xsell_decide(c) FROM customer c');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed) VALUES ('retail', 'customer', 'id', 42);
SELECT bad('SELECT xsell_decide(c) FROM customer c');
SELECT bad('SELECT xsell_rank(c) FROM customer c');
SELECT bad('SELECT xsell_reward(1, ''conversion'')');
SELECT bad('SELECT xsell_replay(1)');
SELECT xsell_create_journal('bigint');
SELECT bad('SELECT xsell_create_journal(''bigint'')');
-- no offers, no channels: no candidates, which is no error
SELECT product, channel, mode, reason FROM customer c, xsell_choose(c) WHERE id = 1;
INSERT INTO xsell.channel (agent, channel) VALUES ('retail', 'web');
SELECT product, channel, mode, reason FROM customer c, xsell_choose(c) WHERE id = 1;
DELETE FROM xsell.channel;
INSERT INTO xsell.product (product, credit, attributes) VALUES
	('card', true, '{"type": "card", "rank": 1, "mixed": 1}'),
	('loan', true, '{"type": "loan", "mixed": "x", "nested": {"a": 1}}'),
	('house', false, '{}');
INSERT INTO xsell.offer (agent, product) VALUES ('retail', 'card'), ('retail', 'loan');
SELECT product, channel, mode, reason FROM customer c, xsell_choose(c) WHERE id = 1;
INSERT INTO xsell.channel (agent, channel) VALUES ('retail', 'web'), ('retail', 'email');
SELECT product IS NOT NULL FROM customer c, xsell_choose(c) WHERE id = 1;
--
-- Arguments
--
SELECT bad('SELECT xsell_decide(c, agent => ''wholesale'') FROM customer c');
SELECT bad('SELECT xsell_decide(c, ''{card,boat}'') FROM customer c');
SELECT bad('SELECT xsell_decide(c, ''{house}'') FROM customer c');
SELECT bad('SELECT xsell_decide(c, ''{card,NULL}'') FROM customer c');
SELECT bad('SELECT xsell_decide(c, channel => ''fax'') FROM customer c');
SELECT bad('SELECT xsell_decide(c, context => ''[1]'') FROM customer c');
SELECT bad('SELECT xsell_decide(c, context => ''"page"'') FROM customer c');
SELECT bad('SELECT xsell_decide(NULL::customer)');
SELECT bad('SELECT xsell_decide(NULL)');
SELECT bad('SELECT xsell_decide(1)');
SELECT bad('SELECT xsell_decide(c) FROM (SELECT age, income FROM customer) c');
SELECT bad('SELECT xsell_decide(ROW(1, 2))');
SELECT bad('SELECT xsell_decide(c) FROM (SELECT NULL::bigint AS id) c');
SELECT bad('SELECT xsell_decide(c) FROM (SELECT ''one''::text AS id) c');
SELECT bad('SELECT xsell_decide(c) FROM (SELECT 1e30::numeric AS id) c');
SELECT bad('SELECT xsell_decide(j) FROM (SELECT * FROM customer a JOIN customer b ON a.id = b.id) j');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed) VALUES ('other', 'customer', 'id', 43);
SELECT bad('SELECT xsell_decide(c) FROM customer c');
SELECT bad('SELECT xsell_rank(c) FROM customer c');
DELETE FROM xsell.agent WHERE agent = 'other';
SELECT bad('SELECT xsell_decide(c, agent => ''other'') FROM customer c');
-- a paused agent makes no offer, but knows what it was asked
UPDATE xsell.agent SET status = 'paused';
SELECT bad('SELECT xsell_decide(c, ''{boat}'') FROM customer c');
SELECT bad('SELECT xsell_decide(c, channel => ''fax'') FROM customer c');
UPDATE xsell.agent SET status = 'live';
CREATE TABLE before AS SELECT count(*) FROM xsell.policy;
--
-- Where decisions cannot be written
--
BEGIN READ ONLY;
SELECT bad('SELECT xsell_decide(c) FROM customer c');
SELECT bad('SELECT xsell_record(d) FROM customer c, xsell_choose(c) d');
SELECT product IS NOT NULL FROM customer c, xsell_choose(c) WHERE id = 1;
SELECT count(*) FROM customer c, xsell_rank(c) WHERE id = 1;
ROLLBACK;
ALTER FUNCTION xsell_decide PARALLEL SAFE;
ALTER FUNCTION xsell_record PARALLEL SAFE;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE FUNCTION in_parallel(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN ' || command LOOP
		IF line LIKE '%Gather%' THEN
			RETURN bad(command);
		END IF;
	END LOOP;
	RETURN 'not parallel';
END $$;
SELECT in_parallel('SELECT xsell_decide(c) FROM customer c');
SELECT in_parallel('SELECT xsell_record(xsell_choose(c)) FROM customer c');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
ALTER FUNCTION xsell_decide PARALLEL UNSAFE;
ALTER FUNCTION xsell_record PARALLEL UNSAFE;
--
-- Expressions
--
CREATE FUNCTION rule(expression text) RETURNS text LANGUAGE sql AS $$
	SELECT bad(format('INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES (''retail'', ''r'', ''eligibility'', %L)', expression))
$$;
CREATE FUNCTION feature(expression text, levels text[] DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT bad(format('INSERT INTO xsell.feature (agent, feature, expression, levels) VALUES (''retail'', ''f'', %L, %L)', expression, levels))
$$;
CREATE FUNCTION propensity(expression text) RETURNS text LANGUAGE sql AS $$
	SELECT bad(format('UPDATE xsell.offer SET propensity = %L WHERE product = ''card''', expression))
$$;
SELECT rule('age >');
SELECT rule('');
SELECT rule('   ');
SELECT rule('age > 18; DROP TABLE customer');
SELECT rule('age > 18, true');
SELECT rule('age > 18 AS adult');
SELECT rule('age > 18 FROM customer');
SELECT rule('age > 18 WHERE true');
SELECT rule('age > 18 ORDER BY 1');
SELECT rule('age > 18 LIMIT 1');
SELECT rule('DISTINCT age > 18');
SELECT rule('*');
SELECT rule('customer.*');
SELECT rule('age');
SELECT rule('''maybe''');
SELECT rule('agee > 18');
SELECT rule('customer.agee > 18');
SELECT rule('product.colour = ''red''');
SELECT rule('channel.rate > 1');
SELECT rule('public.customer.age > 18');
SELECT rule('old.age > 18');
SELECT rule('age > $1');
SELECT rule('random() > 0.5');
SELECT rule('xsell_decided_at(1) > now()');
SELECT rule('public.xsell_choose(ROW(1)) IS NULL');
SELECT rule('public.xsell_rank(customer) IS NULL');
SELECT rule('age > (SELECT 18)');
SELECT rule('EXISTS (SELECT FROM customer)');
SELECT rule('age IN (SELECT 18)');
SELECT rule('ARRAY(SELECT 18) = ''{}''');
SELECT rule('max(age) > 18');
SELECT rule('rank() OVER () > 1');
SELECT rule('generate_series(1, age) > 1');
SELECT rule('age = ANY (unnest(ARRAY[1]))');
SELECT rule('nosuch(age)');
SELECT rule('age ~~~ 1');
SELECT rule('age = ''x''');
SELECT rule('1 / 0 = age');
SELECT left(rule(repeat('(', 100000) || 'true' || repeat(')', 100000)), 5);
SELECT left(rule(repeat('NOT ', 100000) || 'true'), 5);
SELECT left(rule('true' || repeat(' AND (true', 30000) || repeat(')', 30000)), 5);
SELECT feature('born');
SELECT feature('ROW(age, income)');
SELECT feature('ARRAY[age]');
SELECT feature('segment');
SELECT feature('segment', '{}');
SELECT feature('segment', '{a,NULL}');
SELECT feature('age', '{1,2}');
SELECT feature('has_card', '{t,f}');
SELECT feature('product.mixed');
SELECT propensity('segment');
SELECT propensity('has_card');
SELECT bad($$UPDATE xsell.offer SET value = 'segment'$$);
SELECT bad($$UPDATE xsell.offer SET held = '1'$$);
SELECT bad($$UPDATE xsell.channel SET consent = 'segment'$$);
SELECT bad($$UPDATE xsell.agent SET customer_key = 'idd'$$);
SELECT bad($$UPDATE xsell.agent SET customer_key = 'product.product'$$);
SELECT bad($$UPDATE xsell.agent SET customer_table = 'pg_class_oid_index'$$);
SELECT bad($$UPDATE xsell.agent SET customer_table = 0$$);
SELECT bad(format('INSERT INTO xsell.feature (agent, feature, expression, levels) VALUES (''retail'', ''f'', ''segment'', %L)',
	(SELECT array_agg(i::text) FROM generate_series(1, 600) i)));
SELECT bad($$INSERT INTO xsell.cap (agent, cap, max_offers, per) VALUES ('retail', 'c', 1, '101 years')$$);
SELECT bad($$INSERT INTO xsell.cap (agent, cap, product, max_offers, per) VALUES ('retail', 'c', 'house', 1, '1 day')$$);
SELECT bad('SELECT xsell.publish()');
-- The position points into the expression, also behind wide characters
\set VERBOSITY default
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('retail', 'adult', 'eligibility', 'age >= 18 AND AND has_card');
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('retail', 'adult', 'eligibility', $$segment <> 'Rentnerïn – äöü' AND agee > 1$$);
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('retail', 'adult', 'eligibility', $$segment <> 'Rentnerïn – äöü' AND age > (SELECT 1)$$);
UPDATE xsell.offer SET cost = E'income *\n segment' WHERE product = 'loan';
\set VERBOSITY terse
-- nothing of all this was published
SELECT count(*) - (SELECT count FROM before) FROM xsell.policy;
-- this the stack may hold or not
SELECT rule(repeat('NOT ', 9000) || 'true') ~ '^(no error|54001)';
DELETE FROM xsell.rule;
--
-- Values
--
INSERT INTO xsell.feature (agent, feature, expression) VALUES ('retail', 'income', 'income');
UPDATE xsell.offer SET propensity = 'score', value = '(context.value)::float8', cost = '(context.cost)::float8' WHERE product = 'card';
CREATE FUNCTION decide(score float8 DEFAULT 0.1, income numeric DEFAULT 1, value text DEFAULT '1', cost text DEFAULT '0') RETURNS text LANGUAGE sql AS $$
	SELECT bad(format($q$SELECT xsell_decide(c, '{card}', context => '{"value": "%s", "cost": "%s"}')
		FROM (SELECT 1 AS id, %L::float8 AS score, %L::numeric AS income) c$q$, value, cost, score, income))
$$;
SELECT decide(income => 'NaN');
SELECT decide(income => 'Infinity');
SELECT decide(value => 'NaN');
SELECT decide(value => 'Infinity');
SELECT decide(value => '-1');
SELECT decide(value => '1e10');
SELECT decide(value => 'dear');
SELECT decide(cost => 'NaN');
SELECT decide(cost => '-Infinity');
SELECT decide(cost => '1e10');
SELECT bad($$SELECT xsell_decide(c, '{card}') FROM (SELECT 1 AS id, 'x'::text AS score, 1 AS income) c$$);
SELECT bad($$SELECT xsell_decide(c, '{card}') FROM (SELECT 1 AS id, 0.1 AS score, true AS income) c$$);
INSERT INTO xsell.rule (agent, rule, kind, product, expression) VALUES ('retail', 'ratio', 'suitability', 'loan', '1 / (income - 3000) > 0');
-- an error of an expression tells which one, and runs only where it counts
SELECT bad($$SELECT xsell_decide(c, '{loan}') FROM customer c WHERE id = 1$$);
\set VERBOSITY default
SELECT xsell_decide(c, '{loan}') FROM customer c WHERE id = 1;
\set VERBOSITY terse
SELECT mode FROM customer c, xsell_choose(c, '{card}', context => '{"value": 1, "cost": 0}') WHERE id = 1;
DELETE FROM xsell.rule;
UPDATE xsell.offer SET propensity = NULL, value = NULL, cost = NULL;
-- Expressions that decide themselves
CREATE FUNCTION sly(bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS
$$BEGIN RETURN (SELECT d.product IS NOT NULL FROM public.customer c, public.xsell_choose(c) d WHERE c.id = $1); END$$;
INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('retail', 'sly', 'suitability', 'public.sly(id)');
SELECT bad('SELECT xsell_choose(c) FROM customer c');
SELECT bad('SELECT xsell_rank(c) FROM customer c');
SELECT bad('SELECT xsell_decide(c) FROM customer c');
CREATE OR REPLACE FUNCTION sly(bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 = 1';
SELECT id, mode <> 'none' FROM customer c, xsell_choose(c) ORDER BY id;
-- Functions that are gone
DROP FUNCTION sly;
SELECT bad('SELECT xsell_choose(c) FROM customer c');
CREATE FUNCTION sly(bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''x''';
SELECT bad('SELECT xsell_choose(c) FROM customer c');
DELETE FROM xsell.rule;
SELECT mode <> 'none' FROM customer c, xsell_choose(c) WHERE id = 1;
-- so far nothing was written
SELECT (SELECT count(*) FROM xsell.decision), (SELECT count(*) FROM xsell.contact), (SELECT count(*) FROM xsell.outcome),
	(SELECT count(*) FROM xsell.request), (SELECT count(*) FROM xsell.late);
--
-- Outcomes
--
CREATE TABLE made AS SELECT d.* FROM customer c, xsell_decide(c, '{card}', channel => 'web') d WHERE id = 1;
CREATE TABLE not_made AS SELECT d.* FROM customer c, xsell_decide(c, '{}') d WHERE id = 2;
SELECT bad('SELECT xsell_reward(NULL, ''conversion'')');
SELECT bad('SELECT xsell_reward(decision_id, NULL) FROM made');
SELECT bad('SELECT xsell_reward(17, ''conversion'')');
SELECT bad('SELECT xsell_reward(decision_id, ''applause'') FROM made');
SELECT regexp_replace(bad('SELECT xsell_reward(decision_id, ''conversion'') FROM not_made'), '\d{18}', 'ID');
SELECT bad('SELECT xsell_reward(decision_id, ''conversion'', ''NaN'') FROM made');
SELECT bad('SELECT xsell_reward(decision_id, ''conversion'', 1, ''infinity'') FROM made');
SELECT bad('SELECT xsell_replay(17)');
SELECT bad('SELECT * FROM xsell_explain(17)');
SELECT (SELECT count(*) FROM xsell.decision), (SELECT count(*) FROM xsell.contact), (SELECT count(*) FROM xsell.outcome);
--
-- Decisions that were not chosen like this
--
UPDATE xsell.offer SET propensity = 'score' WHERE product = 'card';
CREATE TABLE chosen OF xsell_decision;
CREATE TABLE chosen_none OF xsell_decision;
INSERT INTO chosen SELECT d.* FROM customer c, xsell_choose(c, '{card,loan}', channel => 'email') d WHERE id = 1;
INSERT INTO chosen_none SELECT d.* FROM customer c, xsell_choose(c, '{}', channel => 'email') d WHERE id = 1;
SELECT product, channel, features, policy_version = encoding, jsonb_array_length(candidates::text::jsonb) FROM chosen;
SELECT product, channel, features, jsonb_array_length(candidates::text::jsonb) FROM chosen_none;
CREATE TABLE tampered OF xsell_decision;
CREATE FUNCTION tampering(what text, source text DEFAULT 'chosen') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		EXECUTE format('INSERT INTO tampered SELECT * FROM %I', source);
		EXECUTE 'UPDATE tampered SET ' || what;
		result := regexp_replace(bad('SELECT xsell_record(t) FROM tampered t'), '\d{18}', 'ID');
		RAISE EXCEPTION USING ERRCODE = 'XS000';
	EXCEPTION WHEN SQLSTATE 'XS000' THEN
		RETURN result;
	END;
END $$;
SELECT tampering('product = product');
SELECT tampering('product = product', 'chosen_none');
SELECT tampering('agent = ''wholesale''');
SELECT tampering('agent = NULL');
SELECT tampering('policy_version = 1000');
SELECT tampering('decision_id = NULL');
SELECT tampering('decision_id = -1');
SELECT tampering('decision_id = decision_id + (6000::bigint << 22)');
SELECT tampering('model_version = 1');
SELECT tampering('model_version = -1');
SELECT tampering('encoding = encoding + 1');
SELECT tampering('customer_key = NULL');
SELECT tampering('customer_key = ''one''');
SELECT tampering('cohort = ''control''');
SELECT tampering('cohort = ''other''', 'chosen_none');
SELECT tampering('mode = ''control''');
SELECT tampering('mode = ''none''');
SELECT tampering('mode = ''exploit''', 'chosen_none');
SELECT tampering('product = ''house''');
SELECT tampering('product = CASE product WHEN ''card'' THEN ''loan'' ELSE ''card'' END');
SELECT tampering('product = NULL, mode = ''none''');
SELECT tampering('product = ''card'', mode = ''exploit'', probability = 1', 'chosen_none');
SELECT tampering('channel = ''web''');
SELECT tampering('channel = NULL');
SELECT tampering('channel = ''fax''', 'chosen_none');
SELECT tampering('probability = probability + 0.01');
SELECT tampering('probability = ''NaN''');
SELECT tampering('probability = NULL');
SELECT tampering('expected = ''Infinity''');
SELECT tampering('linear_predictor = ''NaN''');
SELECT tampering('linear_predictor = 1001');
SELECT tampering('features = features || 1::real');
SELECT tampering('features = NULL');
SELECT tampering('features[2] = ''NaN''');
SELECT tampering('features[2] = 8.5');
SELECT tampering('features[2] = NULL');
SELECT tampering('features[cardinality(features)] = 3');
SELECT tampering('features = ARRAY[features, features]');
SELECT tampering('candidates = NULL');
SELECT tampering('candidates = ''[]''');
SELECT tampering($$candidates = '[{"arm": 9999, "probability": 1}]'$$);
SELECT tampering($$candidates = '[{"arm": 0, "probability": 0.7}]'$$);
SELECT tampering($$candidates = '[{"arm": 0, "probability": 1}]', probability = 1$$);
SELECT tampering($$candidates = '[{"arm": 0, "probability": 1, "propensity": 0.1, "tail": [1, 2]}]', probability = 1$$);
SELECT tampering($$candidates = '[{"arm": 0, "excluded": "held"}]'$$);
SELECT tampering('contribution_columns = contribution_columns || 1::smallint');
SELECT tampering('contribution_columns[1] = 99');
SELECT tampering('contributions[1] = ''NaN''');
SELECT tampering('forecasts = NULL');
SELECT tampering('forecasts[2] = 1.5');
SELECT tampering('forecasts = forecasts || forecasts');
SELECT tampering('segment = ''gold''');
SELECT tampering('contributions = ''{1,2,3,4,5}'', contribution_columns = ''{1,2,3,4,5}''');
-- and one that was recorded already
SELECT xsell_record(x) = decision_id FROM chosen x;
SELECT regexp_replace(bad('SELECT xsell_record(x) FROM chosen x'), '\d{18}', 'ID');
SELECT (SELECT count(*) FROM xsell.decision), (SELECT count(*) FROM xsell.contact), (SELECT count(*) FROM xsell.outcome),
	(SELECT count(*) FROM xsell.request), (SELECT count(*) FROM xsell.late);
--
-- Names are names
--
CREATE TABLE "Kunden; DROP TABLE customer" ("Schlüssel ""1""" text, "select" int, "weird.col" text);
INSERT INTO "Kunden; DROP TABLE customer" VALUES ($$O'Brien"; DROP TABLE customer; --\n$$, 5, 'Ünï');
DELETE FROM xsell.agent;
DO $$BEGIN PERFORM xsell_drop_journal(); END$$;
SELECT xsell_create_journal('text');
INSERT INTO xsell.agent (agent, customer_table, customer_key, seed) VALUES ($$a'"; DROP TABLE xsell.agent; --\é$$, '"Kunden; DROP TABLE customer"', '"Schlüssel ""1"""', 1);
INSERT INTO xsell.product (product, credit, attributes) VALUES ($$p'"\ü; DROP TABLE xsell.product$$, false, $${"key'\"\\ ü": "v'\"\\ü", "T": true}$$);
INSERT INTO xsell.offer (agent, product) SELECT agent, product FROM xsell.agent, xsell.product WHERE product LIKE 'p''%';
INSERT INTO xsell.channel (agent, channel) SELECT agent, $$c'"\%s %n {=}$$ FROM xsell.agent;
INSERT INTO xsell.rule (agent, rule, kind, expression) SELECT agent, $$r'"\%s; --$$, 'eligibility',
	$q$product."key'""\ ü" = $$v'"\ü$$ AND product."T" AND "select" > 0 AND customer."weird.col" <> context."k'" $q$ FROM xsell.agent;
INSERT INTO xsell.feature (agent, feature, expression, levels) SELECT agent, $$f'"\%s$$, '"weird.col"', ARRAY[$$O'"\$$, 'Ünï'] FROM xsell.agent;
INSERT INTO xsell.cap (agent, cap, max_offers, per) SELECT agent, $$k'"\%s {=}$$, 1, '1 day' FROM xsell.agent;
INSERT INTO xsell.outcome_kind (agent, outcome, reward) SELECT agent, $$o'"\%s; --$$, 0.5 FROM xsell.agent;
SELECT product, channel, features FROM "Kunden; DROP TABLE customer" c, xsell_choose(c, context => $${"k'": "x"}$$);
SELECT product, channel, xsell_reward(decision_id, $$o'"\%s; --$$) FROM "Kunden; DROP TABLE customer" c, xsell_decide(c, context => $${"k'": "x"}$$, request_key => $$q'"\;--$$);
SELECT product, channel FROM "Kunden; DROP TABLE customer" c, xsell_decide(c, context => $${"k'": "x"}$$, request_key => $$q'"\;--$$);
SELECT excluded FROM "Kunden; DROP TABLE customer" c, xsell_rank(c, context => $${"k'": "x"}$$);
SELECT excluded FROM "Kunden; DROP TABLE customer" c, xsell_rank(c, context => $${"k'": "Ünï"}$$);
SELECT customer_key, agent, product, channel, request_key FROM xsell.decision;
SELECT bad($$SELECT xsell_decide(c, agent => '%s'' OR true --') FROM "Kunden; DROP TABLE customer" c$$);
SELECT bad($$SELECT xsell_decide(c, '{"%s\"; --"}') FROM "Kunden; DROP TABLE customer" c$$);
SELECT count(*) FROM customer;
DROP TABLE chosen, chosen_none, tampered;
DROP EXTENSION xsell CASCADE;
DROP TABLE customer, before, made, not_made, "Kunden; DROP TABLE customer";
DROP FUNCTION bad, rule, feature, propensity, sly, in_parallel, tampering, decide;
CREATE EXTENSION xsell;
