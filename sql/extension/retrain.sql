/*
 * retrain.sql: batch retraining as one call for schedulers.
 *
 * A procedure, since it commits after each part.  In one transaction the agent's
 * learner would stay locked while the refit passes over the log, so that nobody
 * learned meanwhile, and the error that a scheduler must see would undo what was done
 * for other agents.  What commits cannot pin its search_path, so everything is named
 * by its schema.
 */

CREATE FUNCTION xsell.retrain_agent(agent text, oracle text, INOUT result jsonb) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $retrain$
DECLARE
	version bigint;
	made bigint;
BEGIN
	SELECT l.model_version INTO version FROM xsell.learner l WHERE l.agent = $1;
	IF $2 IN ('beta', 'segment') OR coalesce(version, 0) = 0 OR EXISTS (
		SELECT FROM (SELECT r.model_version, r.policy_version FROM xsell.refit r WHERE r.agent = $1 ORDER BY r.refit DESC LIMIT 1) r
		 WHERE r.model_version = version
		   AND r.policy_version = (SELECT max(p.policy_version) FROM xsell.policy p WHERE p.agent = $1)) THEN
		RETURN;
	END IF;
	made := @extschema@.xsell_refit($1);
	SELECT $3 || jsonb_build_object('refit', r.refit, 'refitted', r.decisions, 'passes', r.passes, 'movement', r.movement,
				'distance', d.mean, 'largest_distance', d.largest, 'compared', d.decisions)
	  INTO $3
	  FROM xsell.refit r, @extschema@.xsell_policy_distance($1, made) d
	 WHERE r.agent = $1 AND r.refit = made;
END
$retrain$;
COMMENT ON FUNCTION xsell.retrain_agent(text, text, jsonb) IS 'Part of xsell_retrain: refits an agent, if there is anything new, and adds what came of it';

CREATE PROCEDURE @extschema@.xsell_retrain(agent text DEFAULT NULL, INOUT retrained jsonb DEFAULT NULL)
	LANGUAGE plpgsql AS $retrain$
DECLARE
	agents pg_catalog.text[];
	oracles pg_catalog.text[];
	failed pg_catalog.text[] := '{}';
	failures pg_catalog.text[] := '{}';
	failure pg_catalog.text;
	result pg_catalog.jsonb;
BEGIN
	COMMIT;		-- fails at once in a transaction of the caller's
	SELECT pg_catalog.array_agg(a.agent ORDER BY a.agent), pg_catalog.array_agg(a.oracle ORDER BY a.agent) INTO agents, oracles
	  FROM xsell.agent a
	 WHERE CASE WHEN $1 IS NULL THEN a.learning OPERATOR(pg_catalog.<>) 'hold' ELSE a.agent OPERATOR(pg_catalog.=) $1 END;
	IF agents IS NULL AND $1 IS NOT NULL THEN
		RAISE EXCEPTION 'agent "%" does not exist', $1
			USING ERRCODE = 'undefined_object', HINT = 'Agents are the rows of xsell.agent.';
	END IF;

	$2 := '[]';
	LOOP
		failure := NULL;
		BEGIN
			PERFORM FROM @extschema@.xsell_take_in(100000) t
			  WHERE t.recorded OPERATOR(pg_catalog.+) t.duplicate OPERATOR(pg_catalog.+) t.dangling OPERATOR(pg_catalog.>) 0;
			EXIT WHEN NOT FOUND;
		EXCEPTION WHEN OTHERS THEN
			failure := SQLERRM;
		END;
		COMMIT;
		IF failure IS NOT NULL THEN
			RAISE WARNING 'the intake was not taken in: %', failure;
			failed := '{intake}';
			failures := ARRAY['intake: ' OPERATOR(pg_catalog.||) failure];
			EXIT;
		END IF;
	END LOOP;

	FOR i IN 1 .. COALESCE(pg_catalog.cardinality(agents), 0) LOOP
		failure := NULL;
		result := pg_catalog.jsonb_build_object('agent', agents[i]);
		BEGIN
			SELECT result OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('decisions', l.decisions, 'corrections', l.corrections)
			  INTO result FROM @extschema@.xsell_learn(agents[i]) l;
		EXCEPTION WHEN OTHERS THEN
			failure := SQLERRM;
		END;
		COMMIT;
		IF failure IS NULL THEN
			BEGIN
				result := xsell.retrain_agent(agents[i], oracles[i], result);
			EXCEPTION WHEN OTHERS THEN
				failure := SQLERRM;
			END;
			COMMIT;
		END IF;
		IF failure IS NOT NULL THEN
			RAISE WARNING 'agent "%" was not retrained: %', agents[i], failure;
			failed := pg_catalog.array_append(failed, pg_catalog.format('agent "%s"', agents[i]));
			failures := pg_catalog.array_append(failures, pg_catalog.format('agent "%s": %s', agents[i], failure));
			result := result OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('failure', failure);
		END IF;
		$2 := $2 OPERATOR(pg_catalog.||) result;
	END LOOP;
	IF failures OPERATOR(pg_catalog.<>) '{}' THEN
		RAISE EXCEPTION 'retraining failed: %', pg_catalog.array_to_string(failed, ', ')
			USING DETAIL = pg_catalog.array_to_string(failures, E'\n'),
				  HINT = 'What was done for other agents is committed.';
	END IF;
END
$retrain$;
COMMENT ON PROCEDURE @extschema@.xsell_retrain(text, jsonb) IS 'Takes in the intake, learns what is waiting and refits, one agent or all that learn; refits are candidates, as xsell_refit makes them. Commits after each agent; ends with an error that names the agents that failed';
