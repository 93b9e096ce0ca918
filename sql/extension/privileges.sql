/*
 * privileges.sql: who owns the tables, who may call what.
 *
 * The script runs as a superuser, whoever installs the extension.  Its tables
 * go to that user, so that nothing of xsell is ever written or compiled with a
 * superuser's rights unless a superuser installed it.
 */

ALTER SCHEMA xsell OWNER TO @extowner@;
ALTER TABLE xsell.product OWNER TO @extowner@;
ALTER TABLE xsell.agent OWNER TO @extowner@;
ALTER TABLE xsell.channel OWNER TO @extowner@;
ALTER TABLE xsell.offer OWNER TO @extowner@;
ALTER TABLE xsell.feature OWNER TO @extowner@;
ALTER TABLE xsell.rule OWNER TO @extowner@;
ALTER TABLE xsell.cap OWNER TO @extowner@;
ALTER TABLE xsell.quiet OWNER TO @extowner@;
ALTER TABLE xsell.cooldown OWNER TO @extowner@;
ALTER TABLE xsell.override OWNER TO @extowner@;
ALTER TABLE xsell.market OWNER TO @extowner@;
ALTER TABLE xsell.outcome_kind OWNER TO @extowner@;
ALTER TABLE xsell.feed OWNER TO @extowner@;
ALTER TABLE xsell.row_history OWNER TO @extowner@;
ALTER FUNCTION xsell.note_change() OWNER TO @extowner@;
REVOKE ALL ON FUNCTION xsell.note_change() FROM PUBLIC;
ALTER VIEW xsell.product_group OWNER TO @extowner@;
ALTER TABLE xsell.policy OWNER TO @extowner@;
ALTER VIEW xsell.policy_history OWNER TO @extowner@;

-- What reads or writes the journal is granted by whoever installed it, role by
-- role.  Types, aggregates and functions of model states compute only, and are
-- everyone's.
REVOKE ALL ON FUNCTION
	@extschema@.xsell_create_journal,
	@extschema@.xsell_drop_journal,
	@extschema@.xsell_create_partition,
	@extschema@.xsell_choose,
	@extschema@.xsell_record,
	@extschema@.xsell_decide,
	@extschema@.xsell_rank,
	@extschema@.xsell_why(record, text, text, text, jsonb, text, timestamptz),
	@extschema@.xsell_why(bigint),
	@extschema@.xsell_replay,
	@extschema@.xsell_explain,
	@extschema@.xsell_reward,
	@extschema@.xsell_reward_customer,
	@extschema@.xsell_take_in,
	@extschema@.xsell_learn,
	@extschema@.xsell_heartbeat,
	@extschema@.xsell_worker_start,
	@extschema@.xsell_worker_stop,
	@extschema@.xsell_worker,
	@extschema@.xsell_rebuild_evidence,
	@extschema@.xsell_models,
	@extschema@.xsell_model_coefficients,
	@extschema@.xsell_segment_rates,
	@extschema@.xsell_refit,
	@extschema@.xsell_promote,
	@extschema@.xsell_rollback,
	@extschema@.xsell_compare,
	@extschema@.xsell_policy_distance,
	@extschema@.xsell_rebuild_segments,
	@extschema@.xsell_layout_map,
	@extschema@.xsell_import_history,
	@extschema@.xsell_remove_import,
	@extschema@.xsell_forget,
	@extschema@.xsell_layout_columns,
	@extschema@.xsell_policy_import,
	@extschema@.xsell_policy_draft,
	@extschema@.xsell_policy_publish
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
	@extschema@.xsell_create_journal,
	@extschema@.xsell_drop_journal,
	@extschema@.xsell_create_partition,
	@extschema@.xsell_choose,
	@extschema@.xsell_record,
	@extschema@.xsell_decide,
	@extschema@.xsell_rank,
	@extschema@.xsell_why(record, text, text, text, jsonb, text, timestamptz),
	@extschema@.xsell_why(bigint),
	@extschema@.xsell_replay,
	@extschema@.xsell_explain,
	@extschema@.xsell_reward,
	@extschema@.xsell_reward_customer,
	@extschema@.xsell_take_in,
	@extschema@.xsell_learn,
	@extschema@.xsell_heartbeat,
	@extschema@.xsell_worker_start,
	@extschema@.xsell_worker_stop,
	@extschema@.xsell_worker,
	@extschema@.xsell_rebuild_evidence,
	@extschema@.xsell_models,
	@extschema@.xsell_model_coefficients,
	@extschema@.xsell_segment_rates,
	@extschema@.xsell_refit,
	@extschema@.xsell_promote,
	@extschema@.xsell_rollback,
	@extschema@.xsell_compare,
	@extschema@.xsell_policy_distance,
	@extschema@.xsell_rebuild_segments,
	@extschema@.xsell_layout_map,
	@extschema@.xsell_import_history,
	@extschema@.xsell_remove_import,
	@extschema@.xsell_forget,
	@extschema@.xsell_layout_columns,
	@extschema@.xsell_policy_import,
	@extschema@.xsell_policy_draft,
	@extschema@.xsell_policy_publish
	TO @extowner@ WITH GRANT OPTION;
REVOKE ALL ON PROCEDURE @extschema@.xsell_retrain(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE @extschema@.xsell_retrain(text, jsonb) TO @extowner@ WITH GRANT OPTION;
