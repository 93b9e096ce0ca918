/*
 * worker.sql: learning in the background.
 */

CREATE FUNCTION @extschema@.xsell_worker_start() RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_worker_start';
COMMENT ON FUNCTION @extschema@.xsell_worker_start() IS 'Starts the background worker that learns for this database''s agents with learning background; returns its process id, or that of the one there is';

CREATE FUNCTION @extschema@.xsell_worker_stop() RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'xsell_worker_stop';
COMMENT ON FUNCTION @extschema@.xsell_worker_stop() IS 'Stops the background worker of this database and waits for its end; false: there is none';

CREATE FUNCTION @extschema@.xsell_worker(OUT pid integer, OUT activity text) RETURNS record
	LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_worker';
COMMENT ON FUNCTION @extschema@.xsell_worker() IS 'The background worker of this database and what it is doing; NULL: there is none';
