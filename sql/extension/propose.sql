/*
 * propose.sql: features proposed from the statistics of a customer table.
 *
 * Reads pg_stats as the caller, and so nothing of columns that the caller may
 * not read; the table itself is not read.
 */

CREATE FUNCTION @extschema@.xsell_propose_features(customer_table regclass)
	RETURNS TABLE (feature text, expression text, center float8, scale float8, clip float8, levels text[])
	LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 20 SET search_path = pg_catalog, pg_temp AS $propose$
DECLARE
	kind "char" := (SELECT c.relkind FROM pg_class c WHERE c.oid = customer_table);
	col record;
	points numeric[];	-- of the distribution, and the weight of each
	weights numeric[];
	bounds numeric[];
	bins integer;
	lowest numeric;
	highest numeric;
	mean numeric;
	deviation numeric;
	covered float8;
	digits integer;
BEGIN
	IF customer_table IS NULL THEN
		RAISE EXCEPTION 'customer_table must not be null'
			USING ERRCODE = 'null_value_not_allowed',
				  HINT = 'For example: SELECT * FROM xsell_propose_features(''customers'').';
	ELSIF kind IS NULL THEN
		RAISE EXCEPTION 'there is no table with OID %', customer_table::oid
			USING ERRCODE = 'undefined_table';
	ELSIF kind NOT IN ('r', 'p', 'm', 'f') THEN
		RAISE EXCEPTION '% has no statistics to propose features from', customer_table
			USING ERRCODE = 'wrong_object_type',
				  DETAIL = 'Statistics are kept of tables and materialized views.',
				  HINT = 'Name the table that the view reads.';
	ELSIF NOT has_any_column_privilege(customer_table, 'SELECT') THEN
		RAISE EXCEPTION 'permission denied for table %', customer_table
			USING ERRCODE = 'insufficient_privilege';
	END IF;

	-- one row per column; with its children's rows, if the table has children
	FOR col IN
		WITH RECURSIVE base (attnum, type) AS (
			SELECT a.attnum, a.atttypid FROM pg_attribute a
			 WHERE a.attrelid = customer_table AND a.attnum > 0 AND NOT a.attisdropped
			UNION ALL
			SELECT b.attnum, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
		)
		SELECT DISTINCT ON (a.attnum) a.attname::text AS name, t.oid AS type, t.typcategory AS category,
			   s.null_frac, s.n_distinct, s.most_common_vals::text::text[] AS common,
			   s.most_common_freqs AS frequencies, s.histogram_bounds::text::text[] AS histogram,
			   EXISTS (SELECT FROM pg_index i
						WHERE i.indrelid = customer_table AND i.indisunique AND i.indpred IS NULL
						  AND a.attnum = ANY ((i.indkey::smallint[])[0:i.indnkeyatts - 1])
						  AND (i.indnkeyatts = 1 OR s.n_distinct = -1)) AS is_key
		  FROM pg_attribute a
		  JOIN base b USING (attnum)
		  JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
		  JOIN pg_class c ON c.oid = a.attrelid
		  JOIN pg_namespace n ON n.oid = c.relnamespace
		  JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
		 WHERE a.attrelid = customer_table
		 ORDER BY a.attnum, s.inherited DESC
	LOOP
		feature := col.name;
		expression := quote_ident(col.name);
		center := NULL;
		scale := NULL;
		clip := NULL;
		levels := NULL;

		-- the same for every row, or different for each
		CONTINUE WHEN col.null_frac = 1 OR (col.n_distinct = 1 AND col.null_frac = 0) OR col.is_key;

		IF col.type = 'boolean'::regtype THEN
			RETURN NEXT;
		ELSIF col.type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype,
						   'real'::regtype, 'double precision'::regtype, 'numeric'::regtype) THEN
			-- the histogram's bins hold equal shares of what is not among the common values
			bounds := ARRAY(SELECT h.v::numeric FROM unnest(col.histogram) WITH ORDINALITY h (v, k)
							 WHERE h.v::numeric NOT IN ('NaN', 'Infinity', '-Infinity') ORDER BY h.k);
			bins := greatest(cardinality(bounds) - 1, 0);
			SELECT array_agg(p.v ORDER BY p.v), array_agg(p.w ORDER BY p.v) INTO points, weights
			  FROM (SELECT m.v::numeric AS v, m.f::numeric AS w FROM unnest(col.common, col.frequencies) m (v, f)
					 WHERE m.v::numeric NOT IN ('NaN', 'Infinity', '-Infinity')
					UNION ALL
					-- two points of a bin, with the mean and the variance of a uniform distribution
					SELECT (bounds[k] + bounds[k + 1]) / 2 + side * (bounds[k + 1] - bounds[k]) / 3.4641016,
						   greatest(1 - col.null_frac - coalesce((SELECT sum(f) FROM unnest(col.frequencies) f), 0), 1e-6)::numeric / bins / 2
					  FROM generate_series(1, bins) k, unnest(ARRAY[-1, 1]) side) p;

			-- outliers count as the values at 1 % and 99 %, if these differ
			SELECT min(c.v) FILTER (WHERE c.below > 0.01), max(c.v) FILTER (WHERE c.above > 0.01) INTO lowest, highest
			  FROM (SELECT p.v, sum(p.w) OVER (ORDER BY p.k) / sum(p.w) OVER () AS below,
						   sum(p.w) OVER (ORDER BY p.k DESC) / sum(p.w) OVER () AS above
					  FROM unnest(points, weights) WITH ORDINALITY p (v, w, k)) c;
			IF lowest < highest THEN
				points := ARRAY(SELECT least(greatest(p.v, lowest), highest)
								  FROM unnest(points) WITH ORDINALITY p (v, k) ORDER BY p.k);
			END IF;
			mean := (SELECT sum(p.v * p.w) / sum(p.w) FROM unnest(points, weights) p (v, w));
			deviation := sqrt((SELECT sum((p.v - mean) ^ 2 * p.w) / sum(p.w) FROM unnest(points, weights) p (v, w)));
			CONTINUE WHEN mean IS NULL OR abs(mean) > 1e300 OR deviation NOT BETWEEN 1e-300 AND 1e300;

			-- three digits are enough
			digits := 2 - floor(log(deviation));
			center := round(mean, digits);
			scale := round(deviation, digits);
			clip := 4;
			RETURN NEXT;
		ELSIF col.category IN ('S', 'E') THEN
			SELECT array_agg(m.v ORDER BY m.k), sum(m.f) INTO levels, covered
			  FROM (SELECT CASE WHEN col.type = 'character'::regtype THEN rtrim(u.v, ' ') ELSE u.v END AS v, u.f, u.k
					  FROM unnest(col.common, col.frequencies) WITH ORDINALITY u (v, f, k)
					 WHERE u.f >= 0.005 ORDER BY u.k LIMIT 12) m;
			CONTINUE WHEN levels IS NULL OR covered < 0.5 * (1 - col.null_frac);
			RETURN NEXT;
		END IF;
	END LOOP;

	IF NOT EXISTS (SELECT FROM pg_stats s JOIN pg_class c ON c.relname = s.tablename
					 JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
					WHERE c.oid = customer_table) THEN
		RAISE EXCEPTION 'there are no statistics of %', customer_table
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Features are proposed from the statistics that ANALYZE collects.',
				  HINT = format('Run ANALYZE %s. Statistics of tables with row-level security show to those only whom it does not bind.', customer_table);
	END IF;
END
$propose$;
COMMENT ON FUNCTION @extschema@.xsell_propose_features(regclass) IS 'Features that the columns of a table could be, from its statistics, to be reviewed and inserted into xsell.feature';
