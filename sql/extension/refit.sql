/*
 * refit.sql: models as rows, refits and their promotion.
 */

CREATE FUNCTION @extschema@.xsell_models(agent text) RETURNS TABLE (
		product text, oracle text, learned bigint, rate float8, trust float8, harm float8,
		gain_beta float8, gain_segment float8, gain_contextual float8, ramp float8, similar_to text[])
	LANGUAGE c STABLE PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'xsell_models';
COMMENT ON FUNCTION @extschema@.xsell_models(text) IS 'What predicts each offer''s reward now; see view xsell.model';

CREATE FUNCTION @extschema@.xsell_model_coefficients(agent text, refit bigint DEFAULT NULL) RETURNS TABLE (
		product text, feature text, mean float8, sd float8, lower float8, upper float8, spread float8, importance float8)
	LANGUAGE c STABLE PARALLEL SAFE ROWS 500 AS 'MODULE_PATHNAME', 'xsell_model_coefficients';
COMMENT ON FUNCTION @extschema@.xsell_model_coefficients(text, bigint) IS 'Coefficients of an agent''s models, of the refit in effect or of another, 0 for none; see view xsell.coefficient';

CREATE FUNCTION @extschema@.xsell_segment_rates(agent text) RETURNS TABLE (
		segment text, product text, rate float8, lower float8, upper float8)
	LANGUAGE c STABLE PARALLEL SAFE ROWS 100 AS 'MODULE_PATHNAME', 'xsell_segment_rates';
COMMENT ON FUNCTION @extschema@.xsell_segment_rates(text) IS 'Conversion of each product in each segment, with its 95 % interval; see view xsell.decision_rule';

CREATE FUNCTION @extschema@.xsell_refit(agent text) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_refit';
COMMENT ON FUNCTION @extschema@.xsell_refit(text) IS 'Linearises all experience anew, under the present features, into a candidate: its number in xsell.refit';

CREATE FUNCTION @extschema@.xsell_promote(agent text, refit bigint, reason text DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_promote';
COMMENT ON FUNCTION @extschema@.xsell_promote(text, bigint, text) IS 'Puts a refit into effect, 0 for none, as a new model version, which it returns';

CREATE FUNCTION @extschema@.xsell_rollback(agent text, reason text DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_rollback';
COMMENT ON FUNCTION @extschema@.xsell_rollback(text, text) IS 'Undoes the last promotion that still stands, as a new model version, which it returns';

CREATE FUNCTION @extschema@.xsell_compare(agent text, refit bigint, against bigint DEFAULT NULL, decisions integer DEFAULT 1000) RETURNS TABLE (
		product text, candidates bigint, expected float8, expected_against float8, difference float8,
		share float8, share_against float8)
	LANGUAGE c STABLE PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'xsell_compare';
COMMENT ON FUNCTION @extschema@.xsell_compare(text, bigint, bigint, integer) IS 'How two refits, by default a candidate and the one in effect, would have treated the last decisions, by product';

CREATE FUNCTION @extschema@.xsell_policy_distance(agent text, refit bigint, against bigint DEFAULT NULL, decisions integer DEFAULT 1000,
		OUT decisions bigint, OUT mean float8, OUT largest float8, OUT divergence float8, OUT other_best float8)
	RETURNS record
	LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_policy_distance';
COMMENT ON FUNCTION @extschema@.xsell_policy_distance(text, bigint, bigint, integer) IS 'Distance between the action probabilities of two refits over the last decisions: mean and largest total variation, mean Kullback-Leibler divergence, share with another best arm';

CREATE FUNCTION @extschema@.xsell_spread(state @extschema@.xsell_glm) RETURNS float8[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_spread';
COMMENT ON FUNCTION @extschema@.xsell_spread(@extschema@.xsell_glm) IS 'Standard deviation of each feature among the observations, each weighted as it counts';

CREATE FUNCTION @extschema@.xsell_change(outcomes float8[], forecasts float8[],
		OUT factor float8, OUT since integer, OUT ratio_before float8, OUT ratio_after float8) RETURNS record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_change';
COMMENT ON FUNCTION @extschema@.xsell_change(float8[], float8[]) IS 'Bayes factor of a change of outcomes against their forecasts, by period; see view xsell.change';
