/*
 * learning.sql: outcomes and learning.
 */

CREATE FUNCTION @extschema@.xsell_reward(
	decision_id bigint, outcome text, value float8 DEFAULT NULL, occurred_at timestamptz DEFAULT NULL,
	event_id text DEFAULT NULL, dangling boolean DEFAULT false) RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_reward';
COMMENT ON FUNCTION @extschema@.xsell_reward IS 'Records an outcome of a decision, and learns from it if the agent learns online; "recorded", "duplicate" for one that was recorded before, or "dangling" for one that cannot be, if the last argument asks for that in place of an error';

CREATE FUNCTION @extschema@.xsell_reward_customer(
	customer_key "any", product text, outcome text, value float8 DEFAULT NULL, occurred_at timestamptz DEFAULT NULL,
	event_id text DEFAULT NULL, agent text DEFAULT NULL, dangling boolean DEFAULT false) RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_reward_customer';
COMMENT ON FUNCTION @extschema@.xsell_reward_customer IS 'xsell_reward for the last offer of a product to a customer whose observation window had not ended';

CREATE FUNCTION @extschema@.xsell_take_in(max_rows bigint DEFAULT NULL, retry_dangling boolean DEFAULT false,
		OUT recorded bigint, OUT duplicate bigint, OUT dangling bigint) RETURNS record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_take_in';
COMMENT ON FUNCTION @extschema@.xsell_take_in IS 'Records the outcomes in xsell.intake and empties it; what belongs to no decision goes to xsell.dangling';

CREATE FUNCTION @extschema@.xsell_learn(agent text DEFAULT NULL, max_decisions bigint DEFAULT NULL,
		OUT agent text, OUT decisions bigint, OUT corrections bigint, OUT model_version bigint) RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_learn';
COMMENT ON FUNCTION @extschema@.xsell_learn(text, bigint) IS 'Learns from all decisions and outcomes that are settled, of one agent or of all that learn';

CREATE FUNCTION @extschema@.xsell_rebuild_evidence(agent text) RETURNS TABLE (product text, encoding integer, bucket date, source text,
		beta @extschema@.xsell_beta, glm @extschema@.xsell_glm, score @extschema@.xsell_score, harm @extschema@.xsell_beta)
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $rebuild$
SELECT d.product, d.encoding,
	   '2024-01-01'::date + 7 * ((d.decision_id >> 22) / 604800000)::integer,
	   CASE WHEN d.cohort = 'imported' THEN 'imported' WHEN (d.decision_id >> 9) & 8191 = 0 THEN 'simulated' ELSE d.cohort END,
	   @extschema@.xsell_beta_agg(e.reward, e.weight),
	   @extschema@.xsell_glm_agg(d.features, e.reward, d.linear_predictor, e.weight,
								 CASE l.oracle WHEN 'linear' THEN 'identity' ELSE 'logit' END),
	   @extschema@.xsell_score_agg(coalesce(d.forecasts, '{}'), e.reward),
	   @extschema@.xsell_beta_agg(e.harm, e.weight)
  FROM (SELECT DISTINCT ON (e.decision_id) e.decision_id, e.weight, e.reward, e.harm
		  FROM xsell.experience e
		 WHERE e.agent = $1
		 ORDER BY e.decision_id, e.model_version DESC) e
  JOIN xsell.decision d USING (decision_id)
  LEFT JOIN (SELECT p.policy_version AS encoding, p.definition -> 'agent' ->> 'oracle' AS oracle
			   FROM xsell.policy p
			  WHERE p.agent = $1) l ON l.encoding = d.encoding
 WHERE e.weight > 0
 GROUP BY 1, 2, 3, 4
$rebuild$;
COMMENT ON FUNCTION @extschema@.xsell_rebuild_evidence(text) IS 'The evidence of an agent, summed anew from the journal: equal to xsell.evidence, row by row';

CREATE FUNCTION @extschema@.xsell_rebuild_segments(agent text) RETURNS TABLE (product text, segment text, bucket date, source text, beta @extschema@.xsell_beta)
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $rebuild$
SELECT d.product, d.segment,
	   '2024-01-01'::date + 7 * ((d.decision_id >> 22) / 604800000)::integer,
	   CASE WHEN d.cohort = 'imported' THEN 'imported' WHEN (d.decision_id >> 9) & 8191 = 0 THEN 'simulated' ELSE d.cohort END,
	   @extschema@.xsell_beta_agg(e.reward, e.weight)
  FROM (SELECT DISTINCT ON (e.decision_id) e.decision_id, e.weight, e.reward
		  FROM xsell.experience e
		 WHERE e.agent = $1
		 ORDER BY e.decision_id, e.model_version DESC) e
  JOIN xsell.decision d USING (decision_id)
 WHERE d.segment IS NOT NULL AND e.weight > 0
 GROUP BY 1, 2, 3, 4
$rebuild$;
COMMENT ON FUNCTION @extschema@.xsell_rebuild_segments(text) IS 'The evidence of an agent by segment, summed anew from the journal: equal to xsell.segment_evidence, row by row';

CREATE FUNCTION @extschema@.xsell_heartbeat(agent text, feed text, beat_at timestamptz DEFAULT NULL) RETURNS timestamptz
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_heartbeat';
COMMENT ON FUNCTION @extschema@.xsell_heartbeat(text, text, timestamptz) IS 'Says that a feed has delivered all outcomes that happened until then, by default until now; returns its last heartbeat';
