-- Models of a product in plain SQL, a reference for tests: the posterior of
-- evidence, and the mode of the logistic posterior of single decisions.

CREATE FUNCTION inverse(m float8[]) RETURNS float8[] LANGUAGE plpgsql IMMUTABLE AS $$	-- Gauss and Jordan, of a positive definite matrix
DECLARE
	n int := array_length(m, 1);
	r float8[] := array_fill(0::float8, ARRAY[n, n]);
	f float8;
BEGIN
	FOR i IN 1..n LOOP r[i][i] := 1; END LOOP;
	FOR i IN 1..n LOOP
		f := 1 / m[i][i];
		FOR j IN 1..n LOOP m[i][j] := m[i][j] * f; r[i][j] := r[i][j] * f; END LOOP;
		FOR k IN 1..n LOOP
			CONTINUE WHEN k = i;
			f := m[k][i];
			FOR j IN 1..n LOOP m[k][j] := m[k][j] - f * m[i][j]; r[k][j] := r[k][j] - f * r[i][j]; END LOOP;
		END LOOP;
	END LOOP;
	RETURN r;
END $$;

-- What is believed before evidence (doc/algorithms.md, "The prior"), by column.
CREATE FUNCTION prior_mean(dim int, has_score boolean, neutral float8, link text DEFAULT 'logit') RETURNS float8[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(CASE WHEN i = dim AND has_score THEN slope
		WHEN i > 1 THEN 0
		ELSE CASE link WHEN 'logit' THEN ln(neutral / (1 - neutral)) ELSE neutral END
			- CASE WHEN has_score THEN slope * (ln(neutral / (1 - neutral)) - ln(0.05 / 0.95)) ELSE 0 END END ORDER BY i)
	FROM generate_series(1, dim) i, (SELECT CASE link WHEN 'logit' THEN 1 ELSE neutral * (1 - neutral) END AS slope) s
$$;
-- stiff: by what a propensity that is trusted multiplies the precision of features
CREATE FUNCTION prior_precision(dim int, any_score boolean, p float8, stiff float8 DEFAULT 1) RETURNS float8[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(CASE WHEN i = 1 OR i = dim AND any_score THEN 1 ELSE p * stiff END ORDER BY i) FROM generate_series(1, dim) i
$$;
-- trust: NULL for a product without; precision_ of its evidence, whose first and last columns are intercept and propensity
CREATE FUNCTION stiff(trust float8, precision_ float8[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT 1 + 7 * coalesce(trust, 0) * CASE WHEN precision_[1][1] > 0
		THEN least(1, (1 + precision_[n][n] - precision_[1][n] ^ 2 / precision_[1][1]) / (1 + precision_[1][1])) ELSE 1 END FROM (SELECT array_length(precision_, 1) AS n) d
$$;

-- Posterior from a precision and a shift, in units of the noise.
CREATE FUNCTION posterior(precision_ float8[], shift float8[], mean0 float8[], precision0 float8[], noise float8 DEFAULT 1, OUT mean float8[], OUT sd float8[]) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	n int := cardinality(shift);
	covariance float8[];
BEGIN
	FOR i IN 1..n LOOP
		precision_[i][i] := precision_[i][i] + precision0[i];
		shift[i] := shift[i] + precision0[i] * mean0[i];
	END LOOP;
	covariance := inverse(precision_);
	FOR i IN 1..n LOOP
		mean[i] := 0;
		FOR j IN 1..n LOOP mean[i] := mean[i] + covariance[i][j] * shift[j]; END LOOP;
		sd[i] := sqrt(noise * covariance[i][i]);
	END LOOP;
END $$;

-- A state of evidence as numbers, by its text form.
CREATE FUNCTION shift_of(state xsell_glm) RETURNS float8[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(v::float8 / 16777216 ORDER BY n) FROM jsonb_array_elements_text(state::text::jsonb->'shift') WITH ORDINALITY e (v, n)
$$;
CREATE FUNCTION precision_of(state xsell_glm) RETURNS float8[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	s jsonb := state::text::jsonb;
	n int := s->'dim';
	m float8[] := array_fill(0::float8, ARRAY[n, n]);
BEGIN
	FOR i IN 1..n LOOP
		FOR j IN 1..i LOOP
			m[i][j] := (s->'precision'->(i * (i - 1) / 2 + j - 1))::float8 / 16777216;
			m[j][i] := m[i][j];
		END LOOP;
	END LOOP;
	RETURN m;
END $$;

-- The precision that rows (x real[], r float8) leave at the coefficients given.
CREATE FUNCTION precision_at(query text, mean float8[]) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
	glm xsell_glm;
BEGIN
	EXECUTE format('SELECT xsell_glm_agg(x, r, xsell_dot(x, $1), 1, ''logit'') FROM (%s) q', query) INTO glm USING mean;
	RETURN precision_of(glm);
END $$;

-- The mode of the logistic posterior of the rows (x real[], r float8) that a query yields, and the standard
-- deviations of its curvature: Newton's method, each step halved until the log posterior does not fall.
CREATE FUNCTION mode_of(query text, mean0 float8[], precision0 float8[], OUT mean float8[], OUT sd float8[]) LANGUAGE plpgsql AS $$
DECLARE
	n int := cardinality(mean0);
	h float8[];
	g float8[];
	step float8[];
	best float8;
	new float8;
	t float8;
BEGIN
	EXECUTE format('CREATE TEMP TABLE mode_rows AS SELECT row_number() OVER () AS k, x::float8[] AS x, r, NULL::float8 AS m FROM (%s) q', query);
	mean := mean0;
	FOR pass IN 1..60 LOOP
		UPDATE mode_rows SET m = (SELECT sum(x[i] * mean[i]) FROM generate_series(1, n) i);
		SELECT sum(r * m - ln(1 + exp(m))) - (SELECT sum(precision0[i] * (mean[i] - mean0[i]) ^ 2) / 2 FROM generate_series(1, n) i) INTO new FROM mode_rows;
		IF best IS NOT NULL AND new < best - 1e-9 THEN
			t := t / 2;
			FOR i IN 1..n LOOP mean[i] := mean[i] - t * step[i]; END LOOP;
			CONTINUE;
		END IF;
		best := new;
		h := array_fill(0::float8, ARRAY[n, n]);
		g := array_fill(0::float8, ARRAY[n]);
		FOR i IN 1..n LOOP
			g[i] := (SELECT sum(x[i] * (r - 1 / (1 + exp(-m)))) FROM mode_rows) - precision0[i] * (mean[i] - mean0[i]);
			FOR j IN 1..i LOOP
				h[i][j] := (SELECT sum(x[i] * x[j] / (1 + exp(-m)) / (1 + exp(m))) FROM mode_rows);
				h[j][i] := h[i][j];
			END LOOP;
		END LOOP;
		SELECT p.mean, p.sd INTO step, sd FROM posterior(h, g, array_fill(0::float8, ARRAY[n]), precision0) p;
		t := 1;
		FOR i IN 1..n LOOP mean[i] := mean[i] + step[i]; END LOOP;
		EXIT WHEN (SELECT max(abs(s)) FROM unnest(step) s) < 1e-12;
	END LOOP;
	DROP TABLE mode_rows;
END $$;
