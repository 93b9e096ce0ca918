/*
 * xsell: learning cross-sell decisions inside PostgreSQL.
 *
 * Types and functions (xsell_*) go to the schema that CREATE EXTENSION names,
 * and are written as @extschema@.xsell_...; tables and views live in xsell.
 */

\echo Use "CREATE EXTENSION xsell" to load this file. \quit

-- This script runs as a superuser (the extension is trusted): nothing in it may
-- mean an object that a user has put into the schema chosen for the extension.
SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA xsell;
COMMENT ON SCHEMA xsell IS 'Policy, journal and reports of the xsell decision agents';
-- Names may be seen by everyone, rows by nobody who was not granted the table.
GRANT USAGE ON SCHEMA xsell TO PUBLIC;

