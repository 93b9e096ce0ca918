/*
 * types.sql: the states xsell_beta, xsell_glm and xsell_score, their operators,
 * aggregates and accessors.
 *
 * Everything here is a pure function of its arguments, and none of it depends
 * on the order of rows.  The aggregates' state type is the SQL type itself.
 */

CREATE TYPE @extschema@.xsell_beta;

CREATE FUNCTION @extschema@.xsell_beta_in(cstring) RETURNS @extschema@.xsell_beta
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_in';
COMMENT ON FUNCTION @extschema@.xsell_beta_in(cstring) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_beta_out(@extschema@.xsell_beta) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_out';
COMMENT ON FUNCTION @extschema@.xsell_beta_out(@extschema@.xsell_beta) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_beta_recv(internal) RETURNS @extschema@.xsell_beta
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_recv';
COMMENT ON FUNCTION @extschema@.xsell_beta_recv(internal) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_beta_send(@extschema@.xsell_beta) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_send';
COMMENT ON FUNCTION @extschema@.xsell_beta_send(@extschema@.xsell_beta) IS 'I/O';

CREATE TYPE @extschema@.xsell_beta (
	INPUT = @extschema@.xsell_beta_in, OUTPUT = @extschema@.xsell_beta_out,
	RECEIVE = @extschema@.xsell_beta_recv, SEND = @extschema@.xsell_beta_send,
	INTERNALLENGTH = 24, ALIGNMENT = double, STORAGE = plain
);
COMMENT ON TYPE @extschema@.xsell_beta IS 'Evidence of a reward rate: exact sums of observations, trials and successes';

CREATE TYPE @extschema@.xsell_glm;

CREATE FUNCTION @extschema@.xsell_glm_in(cstring) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_in';
COMMENT ON FUNCTION @extschema@.xsell_glm_in(cstring) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_glm_out(@extschema@.xsell_glm) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_out';
COMMENT ON FUNCTION @extschema@.xsell_glm_out(@extschema@.xsell_glm) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_glm_recv(internal) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_recv';
COMMENT ON FUNCTION @extschema@.xsell_glm_recv(internal) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_glm_send(@extschema@.xsell_glm) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_send';
COMMENT ON FUNCTION @extschema@.xsell_glm_send(@extschema@.xsell_glm) IS 'I/O';

CREATE TYPE @extschema@.xsell_glm (
	INPUT = @extschema@.xsell_glm_in, OUTPUT = @extschema@.xsell_glm_out,
	RECEIVE = @extschema@.xsell_glm_recv, SEND = @extschema@.xsell_glm_send,
	INTERNALLENGTH = VARIABLE, ALIGNMENT = double, STORAGE = extended
);
COMMENT ON TYPE @extschema@.xsell_glm IS 'Evidence of a generalised linear model: exact sums of precision and shift';

/* ---- xsell_beta: operators ---- */

CREATE FUNCTION @extschema@.xsell_beta_plus(@extschema@.xsell_beta, @extschema@.xsell_beta) RETURNS @extschema@.xsell_beta
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_merge';
COMMENT ON FUNCTION @extschema@.xsell_beta_plus(@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'Implementation of + operator';

CREATE FUNCTION @extschema@.xsell_beta_minus(@extschema@.xsell_beta, @extschema@.xsell_beta) RETURNS @extschema@.xsell_beta
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_minus';
COMMENT ON FUNCTION @extschema@.xsell_beta_minus(@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'Implementation of - operator';

CREATE FUNCTION @extschema@.xsell_beta_eq(@extschema@.xsell_beta, @extschema@.xsell_beta) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_eq';
COMMENT ON FUNCTION @extschema@.xsell_beta_eq(@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'Implementation of = operator';

CREATE FUNCTION @extschema@.xsell_beta_ne(@extschema@.xsell_beta, @extschema@.xsell_beta) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_ne';
COMMENT ON FUNCTION @extschema@.xsell_beta_ne(@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'Implementation of <> operator';

CREATE FUNCTION @extschema@.xsell_beta_hash(@extschema@.xsell_beta) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_hash';
COMMENT ON FUNCTION @extschema@.xsell_beta_hash(@extschema@.xsell_beta) IS 'Hash';

CREATE FUNCTION @extschema@.xsell_beta_hash_extended(@extschema@.xsell_beta, bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_hash_extended';
COMMENT ON FUNCTION @extschema@.xsell_beta_hash_extended(@extschema@.xsell_beta, bigint) IS 'Hash';

CREATE OPERATOR @extschema@.+ (
	LEFTARG = @extschema@.xsell_beta, RIGHTARG = @extschema@.xsell_beta, FUNCTION = @extschema@.xsell_beta_plus,
	COMMUTATOR = OPERATOR(@extschema@.+)
);
COMMENT ON OPERATOR @extschema@.+ (@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'The observations of both states together';

CREATE OPERATOR @extschema@.- (
	LEFTARG = @extschema@.xsell_beta, RIGHTARG = @extschema@.xsell_beta, FUNCTION = @extschema@.xsell_beta_minus
);
COMMENT ON OPERATOR @extschema@.- (@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'The left state without the observations of the right one, which it must hold';

CREATE OPERATOR @extschema@.= (
	LEFTARG = @extschema@.xsell_beta, RIGHTARG = @extschema@.xsell_beta, FUNCTION = @extschema@.xsell_beta_eq,
	COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'The same state, exactly';

CREATE OPERATOR @extschema@.<> (
	LEFTARG = @extschema@.xsell_beta, RIGHTARG = @extschema@.xsell_beta, FUNCTION = @extschema@.xsell_beta_ne,
	COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'Not the same state';

CREATE OPERATOR CLASS @extschema@.xsell_beta_hash_ops DEFAULT FOR TYPE @extschema@.xsell_beta USING hash AS
	OPERATOR 1 @extschema@.= (@extschema@.xsell_beta, @extschema@.xsell_beta),
	FUNCTION 1 @extschema@.xsell_beta_hash(@extschema@.xsell_beta),
	FUNCTION 2 @extschema@.xsell_beta_hash_extended(@extschema@.xsell_beta, bigint);
COMMENT ON OPERATOR CLASS @extschema@.xsell_beta_hash_ops USING hash IS 'Grouping, hash joins and comparison of rows';

/* ---- xsell_glm: operators ---- */

CREATE FUNCTION @extschema@.xsell_glm_plus(@extschema@.xsell_glm, @extschema@.xsell_glm) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_merge';
COMMENT ON FUNCTION @extschema@.xsell_glm_plus(@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'Implementation of + operator';

CREATE FUNCTION @extschema@.xsell_glm_minus(@extschema@.xsell_glm, @extschema@.xsell_glm) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_minus';
COMMENT ON FUNCTION @extschema@.xsell_glm_minus(@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'Implementation of - operator';

CREATE FUNCTION @extschema@.xsell_glm_eq(@extschema@.xsell_glm, @extschema@.xsell_glm) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_eq';
COMMENT ON FUNCTION @extschema@.xsell_glm_eq(@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'Implementation of = operator';

CREATE FUNCTION @extschema@.xsell_glm_ne(@extschema@.xsell_glm, @extschema@.xsell_glm) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_ne';
COMMENT ON FUNCTION @extschema@.xsell_glm_ne(@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'Implementation of <> operator';

CREATE FUNCTION @extschema@.xsell_glm_hash(@extschema@.xsell_glm) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_hash';
COMMENT ON FUNCTION @extschema@.xsell_glm_hash(@extschema@.xsell_glm) IS 'Hash';

CREATE FUNCTION @extschema@.xsell_glm_hash_extended(@extschema@.xsell_glm, bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_hash_extended';
COMMENT ON FUNCTION @extschema@.xsell_glm_hash_extended(@extschema@.xsell_glm, bigint) IS 'Hash';

CREATE OPERATOR @extschema@.+ (
	LEFTARG = @extschema@.xsell_glm, RIGHTARG = @extschema@.xsell_glm, FUNCTION = @extschema@.xsell_glm_plus,
	COMMUTATOR = OPERATOR(@extschema@.+)
);
COMMENT ON OPERATOR @extschema@.+ (@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'The observations of both states together';

CREATE OPERATOR @extschema@.- (
	LEFTARG = @extschema@.xsell_glm, RIGHTARG = @extschema@.xsell_glm, FUNCTION = @extschema@.xsell_glm_minus
);
COMMENT ON OPERATOR @extschema@.- (@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'The left state without the observations of the right one, which it must hold';

CREATE OPERATOR @extschema@.= (
	LEFTARG = @extschema@.xsell_glm, RIGHTARG = @extschema@.xsell_glm, FUNCTION = @extschema@.xsell_glm_eq,
	COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'The same state, exactly';

CREATE OPERATOR @extschema@.<> (
	LEFTARG = @extschema@.xsell_glm, RIGHTARG = @extschema@.xsell_glm, FUNCTION = @extschema@.xsell_glm_ne,
	COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'Not the same state';

CREATE OPERATOR CLASS @extschema@.xsell_glm_hash_ops DEFAULT FOR TYPE @extschema@.xsell_glm USING hash AS
	OPERATOR 1 @extschema@.= (@extschema@.xsell_glm, @extschema@.xsell_glm),
	FUNCTION 1 @extschema@.xsell_glm_hash(@extschema@.xsell_glm),
	FUNCTION 2 @extschema@.xsell_glm_hash_extended(@extschema@.xsell_glm, bigint);
COMMENT ON OPERATOR CLASS @extschema@.xsell_glm_hash_ops USING hash IS 'Grouping, hash joins and comparison of rows';

/* ---- aggregates; their transition functions serve alone, too ---- */

CREATE FUNCTION @extschema@.xsell_beta_add(state @extschema@.xsell_beta, reward float8) RETURNS @extschema@.xsell_beta
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_add';
COMMENT ON FUNCTION @extschema@.xsell_beta_add(@extschema@.xsell_beta, float8) IS 'The state with one more observation; NULL state: the first; NULL reward: unchanged';

CREATE FUNCTION @extschema@.xsell_beta_add(state @extschema@.xsell_beta, reward float8, weight float8) RETURNS @extschema@.xsell_beta
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_add_weighted';
COMMENT ON FUNCTION @extschema@.xsell_beta_add(@extschema@.xsell_beta, float8, float8) IS 'The state with one more weighted observation; NULL state: the first; NULL reward or weight: unchanged';

CREATE FUNCTION @extschema@.xsell_beta_merge(@extschema@.xsell_beta, @extschema@.xsell_beta) RETURNS @extschema@.xsell_beta
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_merge';
COMMENT ON FUNCTION @extschema@.xsell_beta_merge(@extschema@.xsell_beta, @extschema@.xsell_beta) IS 'The observations of both states together; NULL: none';

CREATE FUNCTION @extschema@.xsell_glm_add(state @extschema@.xsell_glm, features real[], reward float8) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_add';
COMMENT ON FUNCTION @extschema@.xsell_glm_add(@extschema@.xsell_glm, real[], float8) IS 'The state with one more observation (logit, weight 1, linear predictor 0); NULL state: the first; NULL features or reward: unchanged';

CREATE FUNCTION @extschema@.xsell_glm_add(state @extschema@.xsell_glm, features real[], reward float8, linear_predictor float8, weight float8, link text) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_add_weighted';
COMMENT ON FUNCTION @extschema@.xsell_glm_add(@extschema@.xsell_glm, real[], float8, float8, float8, text) IS 'The state with one more observation; NULL state: the first; NULL features, reward, linear predictor or weight: unchanged';

CREATE FUNCTION @extschema@.xsell_glm_merge(@extschema@.xsell_glm, @extschema@.xsell_glm) RETURNS @extschema@.xsell_glm
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_merge';
COMMENT ON FUNCTION @extschema@.xsell_glm_merge(@extschema@.xsell_glm, @extschema@.xsell_glm) IS 'The observations of both states together; NULL: none';

CREATE AGGREGATE @extschema@.xsell_beta_agg(reward float8) (
	SFUNC = @extschema@.xsell_beta_add, STYPE = @extschema@.xsell_beta, SSPACE = 24,
	COMBINEFUNC = @extschema@.xsell_beta_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_beta_agg(float8) IS 'Evidence of rewards in [0,1]; NULL rewards are skipped';

CREATE AGGREGATE @extschema@.xsell_beta_agg(reward float8, weight float8) (
	SFUNC = @extschema@.xsell_beta_add, STYPE = @extschema@.xsell_beta, SSPACE = 24,
	COMBINEFUNC = @extschema@.xsell_beta_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_beta_agg(float8, float8) IS 'Evidence of weighted rewards in [0,1]; NULL rewards or weights are skipped';

/* the space of 32 columns; the largest, 512, take one megabyte */
CREATE AGGREGATE @extschema@.xsell_glm_agg(features real[], reward float8) (
	SFUNC = @extschema@.xsell_glm_add, STYPE = @extschema@.xsell_glm, SSPACE = 4520,
	COMBINEFUNC = @extschema@.xsell_glm_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_glm_agg(real[], float8) IS 'Evidence of rewards in [0,1] for a logistic model at linear predictor 0; rows with NULL features or reward are skipped';

CREATE AGGREGATE @extschema@.xsell_glm_agg(features real[], reward float8, linear_predictor float8, weight float8, link text) (
	SFUNC = @extschema@.xsell_glm_add, STYPE = @extschema@.xsell_glm, SSPACE = 4520,
	COMBINEFUNC = @extschema@.xsell_glm_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_glm_agg(real[], float8, float8, float8, text) IS 'Evidence of rewards at the linear predictor of their decisions; link: logit or identity; rows with NULL are skipped';

CREATE AGGREGATE @extschema@.xsell_merge_agg(state @extschema@.xsell_beta) (
	SFUNC = @extschema@.xsell_beta_merge, STYPE = @extschema@.xsell_beta, SSPACE = 24,
	COMBINEFUNC = @extschema@.xsell_beta_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_merge_agg(@extschema@.xsell_beta) IS 'The observations of all states together';

CREATE AGGREGATE @extschema@.xsell_merge_agg(state @extschema@.xsell_glm) (
	SFUNC = @extschema@.xsell_glm_merge, STYPE = @extschema@.xsell_glm, SSPACE = 4520,
	COMBINEFUNC = @extschema@.xsell_glm_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_merge_agg(@extschema@.xsell_glm) IS 'The observations of all states together';

/* ---- accessors ---- */

CREATE FUNCTION @extschema@.xsell_mean(state @extschema@.xsell_beta, alpha0 float8 DEFAULT 1, beta0 float8 DEFAULT 1) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_mean';
COMMENT ON FUNCTION @extschema@.xsell_mean(@extschema@.xsell_beta, float8, float8) IS 'Posterior mean of the rate under a Beta(alpha0, beta0) prior';

CREATE FUNCTION @extschema@.xsell_sd(state @extschema@.xsell_beta, alpha0 float8 DEFAULT 1, beta0 float8 DEFAULT 1) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_sd';
COMMENT ON FUNCTION @extschema@.xsell_sd(@extschema@.xsell_beta, float8, float8) IS 'Posterior standard deviation of the rate under a Beta(alpha0, beta0) prior';

CREATE FUNCTION @extschema@.xsell_interval(state @extschema@.xsell_beta, level float8 DEFAULT 0.95, alpha0 float8 DEFAULT 1, beta0 float8 DEFAULT 1,
	OUT lower float8, OUT upper float8) RETURNS record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_interval';
COMMENT ON FUNCTION @extschema@.xsell_interval(@extschema@.xsell_beta, float8, float8, float8) IS 'Equal-tailed posterior interval of the rate';

CREATE FUNCTION @extschema@.xsell_sample(state @extschema@.xsell_beta, seed bigint, alpha0 float8 DEFAULT 1, beta0 float8 DEFAULT 1) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_sample';
COMMENT ON FUNCTION @extschema@.xsell_sample(@extschema@.xsell_beta, bigint, float8, float8) IS 'A rate drawn from the posterior; the same seed draws the same';

CREATE FUNCTION @extschema@.xsell_coefficients(state @extschema@.xsell_glm, prior_precision float8 DEFAULT 1,
	OUT column_number integer, OUT mean float8, OUT standard_error float8) RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 32 AS 'MODULE_PATHNAME', 'xsell_glm_coefficients';
COMMENT ON FUNCTION @extschema@.xsell_coefficients(@extschema@.xsell_glm, float8) IS 'Posterior mean and standard error of every coefficient';

CREATE FUNCTION @extschema@.xsell_predict(state @extschema@.xsell_glm, features real[], prior_precision float8 DEFAULT 1,
	OUT mean float8, OUT sd float8, OUT rate float8) RETURNS record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_predict';
COMMENT ON FUNCTION @extschema@.xsell_predict(@extschema@.xsell_glm, real[], float8) IS 'Linear predictor (mean, sd) and expected reward (rate) of a row of features';

CREATE FUNCTION @extschema@.xsell_sample(state @extschema@.xsell_glm, seed bigint, prior_precision float8 DEFAULT 1) RETURNS float8[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_sample';
COMMENT ON FUNCTION @extschema@.xsell_sample(@extschema@.xsell_glm, bigint, float8) IS 'Coefficients drawn from the posterior; the same seed draws the same';

CREATE FUNCTION @extschema@.xsell_observations(@extschema@.xsell_beta) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_observations';
COMMENT ON FUNCTION @extschema@.xsell_observations(@extschema@.xsell_beta) IS 'Number of observations';

CREATE FUNCTION @extschema@.xsell_trials(@extschema@.xsell_beta) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_trials';
COMMENT ON FUNCTION @extschema@.xsell_trials(@extschema@.xsell_beta) IS 'Sum of weights';

CREATE FUNCTION @extschema@.xsell_successes(@extschema@.xsell_beta) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_beta_successes';
COMMENT ON FUNCTION @extschema@.xsell_successes(@extschema@.xsell_beta) IS 'Sum of weight times reward';

CREATE FUNCTION @extschema@.xsell_observations(@extschema@.xsell_glm) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_observations';
COMMENT ON FUNCTION @extschema@.xsell_observations(@extschema@.xsell_glm) IS 'Number of observations';

CREATE FUNCTION @extschema@.xsell_trials(@extschema@.xsell_glm) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_trials';
COMMENT ON FUNCTION @extschema@.xsell_trials(@extschema@.xsell_glm) IS 'Sum of weights';

CREATE FUNCTION @extschema@.xsell_successes(@extschema@.xsell_glm) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_glm_successes';
COMMENT ON FUNCTION @extschema@.xsell_successes(@extschema@.xsell_glm) IS 'Sum of weight times reward';

/* ---- xsell_score ---- */

CREATE TYPE @extschema@.xsell_score;

CREATE FUNCTION @extschema@.xsell_score_in(cstring) RETURNS @extschema@.xsell_score
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_in';
COMMENT ON FUNCTION @extschema@.xsell_score_in(cstring) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_score_out(@extschema@.xsell_score) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_out';
COMMENT ON FUNCTION @extschema@.xsell_score_out(@extschema@.xsell_score) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_score_recv(internal) RETURNS @extschema@.xsell_score
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_recv';
COMMENT ON FUNCTION @extschema@.xsell_score_recv(internal) IS 'I/O';

CREATE FUNCTION @extschema@.xsell_score_send(@extschema@.xsell_score) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_send';
COMMENT ON FUNCTION @extschema@.xsell_score_send(@extschema@.xsell_score) IS 'I/O';

CREATE TYPE @extschema@.xsell_score (
	INPUT = @extschema@.xsell_score_in, OUTPUT = @extschema@.xsell_score_out,
	RECEIVE = @extschema@.xsell_score_recv, SEND = @extschema@.xsell_score_send,
	INTERNALLENGTH = 280, ALIGNMENT = double, STORAGE = plain
);
COMMENT ON TYPE @extschema@.xsell_score IS 'How well forecasts of rewards predicted them: exact sums of log loss and Brier score, per forecaster';

CREATE FUNCTION @extschema@.xsell_score_add(state @extschema@.xsell_score, forecasts real[], reward float8) RETURNS @extschema@.xsell_score
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_add';
COMMENT ON FUNCTION @extschema@.xsell_score_add(@extschema@.xsell_score, real[], float8) IS 'The state with one more observation; NULL state: the first; NULL forecasts or reward: unchanged';

CREATE FUNCTION @extschema@.xsell_score_add(state @extschema@.xsell_score, forecasts real[], reward float8, weight float8) RETURNS @extschema@.xsell_score
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_add_weighted';
COMMENT ON FUNCTION @extschema@.xsell_score_add(@extschema@.xsell_score, real[], float8, float8) IS 'The state with one more weighted observation; NULL state: the first; NULL forecasts, reward or weight: unchanged';

CREATE FUNCTION @extschema@.xsell_score_merge(@extschema@.xsell_score, @extschema@.xsell_score) RETURNS @extschema@.xsell_score
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_merge';
COMMENT ON FUNCTION @extschema@.xsell_score_merge(@extschema@.xsell_score, @extschema@.xsell_score) IS 'The observations of both states together; NULL: none';

CREATE FUNCTION @extschema@.xsell_score_plus(@extschema@.xsell_score, @extschema@.xsell_score) RETURNS @extschema@.xsell_score
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_merge';
COMMENT ON FUNCTION @extschema@.xsell_score_plus(@extschema@.xsell_score, @extschema@.xsell_score) IS 'Implementation of + operator';

CREATE FUNCTION @extschema@.xsell_score_minus(@extschema@.xsell_score, @extschema@.xsell_score) RETURNS @extschema@.xsell_score
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_minus';
COMMENT ON FUNCTION @extschema@.xsell_score_minus(@extschema@.xsell_score, @extschema@.xsell_score) IS 'Implementation of - operator';

CREATE FUNCTION @extschema@.xsell_score_eq(@extschema@.xsell_score, @extschema@.xsell_score) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_eq';
COMMENT ON FUNCTION @extschema@.xsell_score_eq(@extschema@.xsell_score, @extschema@.xsell_score) IS 'Implementation of = operator';

CREATE FUNCTION @extschema@.xsell_score_ne(@extschema@.xsell_score, @extschema@.xsell_score) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_ne';
COMMENT ON FUNCTION @extschema@.xsell_score_ne(@extschema@.xsell_score, @extschema@.xsell_score) IS 'Implementation of <> operator';

CREATE FUNCTION @extschema@.xsell_score_hash(@extschema@.xsell_score) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_hash';
COMMENT ON FUNCTION @extschema@.xsell_score_hash(@extschema@.xsell_score) IS 'Hash';

CREATE FUNCTION @extschema@.xsell_score_hash_extended(@extschema@.xsell_score, bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_score_hash_extended';
COMMENT ON FUNCTION @extschema@.xsell_score_hash_extended(@extschema@.xsell_score, bigint) IS 'Hash';

CREATE OPERATOR @extschema@.+ (
	LEFTARG = @extschema@.xsell_score, RIGHTARG = @extschema@.xsell_score, FUNCTION = @extschema@.xsell_score_plus,
	COMMUTATOR = OPERATOR(@extschema@.+)
);
COMMENT ON OPERATOR @extschema@.+ (@extschema@.xsell_score, @extschema@.xsell_score) IS 'The observations of both states together';

CREATE OPERATOR @extschema@.- (
	LEFTARG = @extschema@.xsell_score, RIGHTARG = @extschema@.xsell_score, FUNCTION = @extschema@.xsell_score_minus
);
COMMENT ON OPERATOR @extschema@.- (@extschema@.xsell_score, @extschema@.xsell_score) IS 'The left state without the observations of the right one, which it must hold';

CREATE OPERATOR @extschema@.= (
	LEFTARG = @extschema@.xsell_score, RIGHTARG = @extschema@.xsell_score, FUNCTION = @extschema@.xsell_score_eq,
	COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.xsell_score, @extschema@.xsell_score) IS 'The same state, exactly';

CREATE OPERATOR @extschema@.<> (
	LEFTARG = @extschema@.xsell_score, RIGHTARG = @extschema@.xsell_score, FUNCTION = @extschema@.xsell_score_ne,
	COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR @extschema@.<> (@extschema@.xsell_score, @extschema@.xsell_score) IS 'Not the same state';

CREATE OPERATOR CLASS @extschema@.xsell_score_hash_ops DEFAULT FOR TYPE @extschema@.xsell_score USING hash AS
	OPERATOR 1 @extschema@.= (@extschema@.xsell_score, @extschema@.xsell_score),
	FUNCTION 1 @extschema@.xsell_score_hash(@extschema@.xsell_score),
	FUNCTION 2 @extschema@.xsell_score_hash_extended(@extschema@.xsell_score, bigint);
COMMENT ON OPERATOR CLASS @extschema@.xsell_score_hash_ops USING hash IS 'Grouping, hash joins and comparison of rows';

CREATE AGGREGATE @extschema@.xsell_score_agg(forecasts real[], reward float8) (
	SFUNC = @extschema@.xsell_score_add, STYPE = @extschema@.xsell_score, SSPACE = 280,
	COMBINEFUNC = @extschema@.xsell_score_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_score_agg(real[], float8) IS 'Scores of forecasts against rewards in [0,1]; rows with NULL forecasts or reward are skipped';

CREATE AGGREGATE @extschema@.xsell_score_agg(forecasts real[], reward float8, weight float8) (
	SFUNC = @extschema@.xsell_score_add, STYPE = @extschema@.xsell_score, SSPACE = 280,
	COMBINEFUNC = @extschema@.xsell_score_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_score_agg(real[], float8, float8) IS 'Scores of forecasts against weighted rewards in [0,1]; rows with NULL are skipped';

CREATE AGGREGATE @extschema@.xsell_merge_agg(state @extschema@.xsell_score) (
	SFUNC = @extschema@.xsell_score_merge, STYPE = @extschema@.xsell_score, SSPACE = 280,
	COMBINEFUNC = @extschema@.xsell_score_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.xsell_merge_agg(@extschema@.xsell_score) IS 'The observations of all states together';

CREATE FUNCTION @extschema@.xsell_score_summary(score @extschema@.xsell_score)
	RETURNS TABLE (forecaster text, n bigint, missing bigint, rate float8, forecast float8, log_loss float8, brier float8, gain float8)
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 4 AS 'MODULE_PATHNAME', 'xsell_score_summary';
COMMENT ON FUNCTION @extschema@.xsell_score_summary(@extschema@.xsell_score) IS 'Per forecaster: number of forecasts, of missing ones, means of reward, forecast, log loss and Brier score, and the log loss saved against global';
