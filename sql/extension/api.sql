/*
 * api.sql: deciding, recording, ranking, replaying.
 */

CREATE TYPE @extschema@.xsell_decision AS (
	decision_id				bigint,
	customer_key			text,
	agent					text,
	cohort					text,
	product					text,
	channel					text,
	probability				float8,
	expected				float8,
	value					real,
	cost					real,
	awaits_delivery			boolean,
	mode					text,
	reason					text,
	policy_version			integer,
	model_version			bigint,
	encoding				integer,
	linear_predictor		float8,
	features				real[],
	candidates				@extschema@.xsell_candidates,
	contribution_columns	smallint[],
	contributions			real[],
	segment					text,
	forecasts				real[],
	overrides				text[],
	reads					jsonb,
	request_key				text
);
COMMENT ON TYPE @extschema@.xsell_decision IS 'A whole decision, as xsell_choose returns it and xsell_record takes it';

CREATE FUNCTION @extschema@.xsell_choose(
	customer record, products text[] DEFAULT NULL, agent text DEFAULT NULL, channel text DEFAULT NULL,
	context jsonb DEFAULT NULL, request_key text DEFAULT NULL, call_mode text DEFAULT NULL) RETURNS @extschema@.xsell_decision
	LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_choose';
COMMENT ON FUNCTION @extschema@.xsell_choose IS 'The decision that xsell_decide would make now; writes nothing, runs on a standby and in parallel plans';

CREATE FUNCTION @extschema@.xsell_record(decision @extschema@.xsell_decision) RETURNS bigint
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_record';
COMMENT ON FUNCTION @extschema@.xsell_record IS 'Writes a decision that xsell_choose made elsewhere; returns its id';

CREATE FUNCTION @extschema@.xsell_decide(
	customer record, products text[] DEFAULT NULL, agent text DEFAULT NULL, channel text DEFAULT NULL,
	context jsonb DEFAULT NULL, request_key text DEFAULT NULL, call_mode text DEFAULT NULL,
	OUT decision_id bigint, OUT product text, OUT channel text, OUT probability float8,
	OUT expected float8, OUT mode text, OUT reason text) RETURNS record
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_decide';
COMMENT ON FUNCTION @extschema@.xsell_decide IS 'One decision for one customer: chosen, logged and counted as a contact; product is NULL if there is no offer';

CREATE FUNCTION @extschema@.xsell_rank(
	customer record, products text[] DEFAULT NULL, agent text DEFAULT NULL, channel text DEFAULT NULL,
	context jsonb DEFAULT NULL, call_mode text DEFAULT NULL, at timestamptz DEFAULT NULL)
	RETURNS TABLE (product text, channel text, probability float8, expected float8,
				   mean real, sd real, propensity float8, excluded text)
	LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_rank';
COMMENT ON FUNCTION @extschema@.xsell_rank IS 'Every candidate of the decision that xsell_decide would make now, with its probability or the reason of its exclusion; writes nothing';

CREATE FUNCTION @extschema@.xsell_why(
	customer record, product text DEFAULT NULL, agent text DEFAULT NULL, channel text DEFAULT NULL,
	context jsonb DEFAULT NULL, call_mode text DEFAULT NULL, at timestamptz DEFAULT NULL)
	RETURNS TABLE (product text, channel text, probability float8, excluded text, expression text, reads jsonb)
	LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_why';
COMMENT ON FUNCTION @extschema@.xsell_why(record, text, text, text, jsonb, text, timestamptz) IS 'Whether a product could be offered to a customer, and if not, the first condition that failed, with what it read';

CREATE FUNCTION @extschema@.xsell_why(decision_id bigint)
	RETURNS TABLE (product text, channel text, probability float8, excluded text, expression text, reads jsonb)
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_why_decision';
COMMENT ON FUNCTION @extschema@.xsell_why(bigint) IS 'The candidates of a decision of the past: probability, or the first condition that failed, with what it read';

CREATE FUNCTION @extschema@.xsell_replay(
	decision_id bigint, OUT identical boolean, OUT field text, OUT logged text, OUT replayed text)
	RETURNS record
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_replay';
COMMENT ON FUNCTION @extschema@.xsell_replay IS 'Derives a logged decision again from the journal and names the first field that differs';

CREATE FUNCTION @extschema@.xsell_explain(decision_id bigint)
	RETURNS TABLE (feature text, value real, contribution real)
	LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_explain';
COMMENT ON FUNCTION @extschema@.xsell_explain IS 'The largest addends of a decision''s linear predictor, by feature';

CREATE FUNCTION @extschema@.xsell_version() RETURNS text
	LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_version';
COMMENT ON FUNCTION @extschema@.xsell_version IS 'Version of the loaded library; pg_extension.extversion is that of the SQL objects';
