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
ALTER TABLE xsell.outcome_kind OWNER TO @extowner@;
ALTER TABLE xsell.policy OWNER TO @extowner@;

-- What reads or writes the journal is granted by its owner, role by role.
-- Types, aggregates and accessors of states compute, and are everyone's.
REVOKE ALL ON FUNCTION @extschema@.xsell_create_journal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.xsell_create_journal TO @extowner@ WITH GRANT OPTION;
