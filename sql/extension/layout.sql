/*
 * layout.sql: what was learned under an earlier layout of an agent's features.
 */

CREATE FUNCTION @extschema@.xsell_layout_map(agent text, from_encoding integer, to_encoding integer, product text) RETURNS integer[]
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_layout_map';
COMMENT ON FUNCTION @extschema@.xsell_layout_map(text, integer, integer, text) IS 'Which columns of one encoding are which of another, for a product''s decisions: for xsell_remap';

CREATE FUNCTION @extschema@.xsell_layout_columns(agent text, encoding integer) RETURNS text[]
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_layout_columns';
COMMENT ON FUNCTION @extschema@.xsell_layout_columns(text, integer) IS 'Names of an encoding''s columns, in the order of decision.features; see view xsell.training_feature';

CREATE FUNCTION @extschema@.xsell_remap(features real[], map integer[]) RETURNS real[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_remap_features';
COMMENT ON FUNCTION @extschema@.xsell_remap(real[], integer[]) IS 'A decision''s features as they would have been under another encoding';

CREATE FUNCTION @extschema@.xsell_remap(state @extschema@.xsell_glm, map integer[]) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_remap_glm';
COMMENT ON FUNCTION @extschema@.xsell_remap(@extschema@.xsell_glm, integer[]) IS 'Evidence as the same decisions would have left it under another encoding, exactly';

CREATE FUNCTION @extschema@.xsell_dot(features real[], coefficients float8[]) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_dot';
COMMENT ON FUNCTION @extschema@.xsell_dot(real[], float8[]) IS 'The linear predictor: the sum of features times coefficients, even columns (from 0) and odd ones apart, as models compute it';
