/*
 * import.sql: history from elsewhere, and what is forgotten.
 */

CREATE FUNCTION @extschema@.xsell_import_history(agent text, customer record, product text, reward float8, channel text,
		decided_at timestamptz, import text, probability float8 DEFAULT NULL, weight float8 DEFAULT 1, max_weight float8 DEFAULT 10) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_import_history';
COMMENT ON FUNCTION @extschema@.xsell_import_history IS 'Writes an offer of a past campaign and its outcome into the journal, as evidence of so much weight; returns its decision id';

CREATE FUNCTION @extschema@.xsell_remove_import(agent text, import text) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_remove_import';
COMMENT ON FUNCTION @extschema@.xsell_remove_import IS 'Takes back what was learned from an import; returns the number of its decisions, which stay in the log';

CREATE FUNCTION @extschema@.xsell_forget(agent text, customer_key "any") RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_forget';
COMMENT ON FUNCTION @extschema@.xsell_forget IS 'Removes a customer from the journal and from all that was learned; returns the number of decisions removed';
