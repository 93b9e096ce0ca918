-- 1_bank.sql: the bank's own tables, before xsell is asked anything.
--
-- What people are is real: 41,188 customers of a Portuguese bank (data/README.md).
-- What the published file lacks is synthetic, made by hashing the customer's
-- number, so that it is the same in every run; every such column is marked.

\set ON_ERROR_STOP on
SET client_min_messages = warning;

CREATE SCHEMA bank;
COMMENT ON SCHEMA bank IS 'The bank''s data: what its own systems know';

CREATE TABLE bank.campaign_file (
	id				bigint PRIMARY KEY,
	age				integer NOT NULL,
	job				text NOT NULL,
	education		text NOT NULL,
	in_default		text NOT NULL,
	housing			text NOT NULL,
	loan			text NOT NULL,
	poutcome		text NOT NULL,
	euribor3m		float8 NOT NULL,
	subscribed		text NOT NULL
);
\copy bank.campaign_file FROM PROGRAM 'gzip -dc data/bank.csv.gz' WITH (FORMAT csv, HEADER)
ANALYZE bank.campaign_file;

-- A number in [0,1) that depends on its arguments alone.
CREATE FUNCTION bank.chance(id bigint, what text, seed bigint DEFAULT 0) RETURNS float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (hashint8extended(id, hashtextextended(what, seed)) & 4503599627370495) / 4503599627370496::float8 $$;

-- Nearly normal, mean 0, standard deviation 1.
CREATE FUNCTION bank.noise(id bigint, what text) RETURNS float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT 2 * (bank.chance(id, what || '1') + bank.chance(id, what || '2') + bank.chance(id, what || '3') - 1.5) $$;

CREATE TABLE bank.customer (
	id				bigint PRIMARY KEY,
	age				integer NOT NULL,
	segment			text NOT NULL,
	university		boolean,
	housing			boolean,
	loan			boolean,
	in_default		boolean,
	last_campaign	text,
	recent_international_txn	boolean NOT NULL,
	preferred_currency	text NOT NULL,
	logins			float8 NOT NULL,
	risk_profile	integer,
	open_complaint	boolean NOT NULL,
	email_consent	boolean,
	push_consent	boolean,
	holds			text[] NOT NULL,
	agent			text NOT NULL
) WITH (fillfactor = 80);
COMMENT ON COLUMN bank.customer.segment IS 'Real: the published jobs in six groups';
COMMENT ON COLUMN bank.customer.university IS 'Real; NULL: unknown';
COMMENT ON COLUMN bank.customer.housing IS 'Real: has a housing loan; NULL: unknown';
COMMENT ON COLUMN bank.customer.loan IS 'Real: has a personal loan; NULL: unknown';
COMMENT ON COLUMN bank.customer.in_default IS 'Real: has credit in default; NULL: unknown (8,597 customers)';
COMMENT ON COLUMN bank.customer.last_campaign IS 'Real: success or failure of the previous campaign; NULL: none';
COMMENT ON COLUMN bank.customer.recent_international_txn IS 'Synthetic';
COMMENT ON COLUMN bank.customer.preferred_currency IS 'Synthetic';
COMMENT ON COLUMN bank.customer.logins IS 'Synthetic: usual visits of web or app per week';
COMMENT ON COLUMN bank.customer.risk_profile IS 'Synthetic: 1 (careful) to 5 (bold) from the investor questionnaire; NULL: not filled in';
COMMENT ON COLUMN bank.customer.open_complaint IS 'Synthetic';
COMMENT ON COLUMN bank.customer.email_consent IS 'Synthetic: consent to marketing by email; NULL: never asked';
COMMENT ON COLUMN bank.customer.push_consent IS 'Synthetic: consent to offers in the app; NULL: never asked';
COMMENT ON COLUMN bank.customer.holds IS 'Products held: synthetic at the start, then what is sold';
COMMENT ON COLUMN bank.customer.agent IS 'Synthetic: the policy that decides for this customer, a random third each';

INSERT INTO bank.customer
SELECT c.id, c.age, c.segment, c.university, c.housing, c.loan, c.in_default, c.last_campaign,
	   bank.chance(id, 'international') < CASE segment WHEN 'manager' THEN 0.32 WHEN 'business' THEN 0.30
												WHEN 'student' THEN 0.28 WHEN 'office' THEN 0.16 ELSE 0.09 END,
	   (CASE WHEN bank.chance(id, 'currency') < CASE segment WHEN 'business' THEN 0.30 WHEN 'manager' THEN 0.18 ELSE 0.07 END
			 THEN (ARRAY['USD', 'GBP', 'CHF'])[1 + floor(3 * bank.chance(id, 'which currency'))::integer]
			 ELSE 'EUR' END),
	   CASE WHEN bank.chance(id, 'digital') < CASE WHEN age < 30 THEN 0.25 WHEN age < 60 THEN 0.14 ELSE 0.06 END
			THEN 0.4 + 1.6 * bank.chance(id, 'logins') ^ 2 ELSE 0.05 END,
	   CASE WHEN bank.chance(id, 'questionnaire') < 0.85 THEN 1 + floor(5 * bank.chance(id, 'risk profile'))::integer END,
	   bank.chance(id, 'complaint') < 0.015,
	   CASE WHEN bank.chance(id, 'email asked') < 0.85 THEN bank.chance(id, 'email consent') < 0.75 END,
	   CASE WHEN bank.chance(id, 'push asked') < 0.90 THEN bank.chance(id, 'push consent') < 0.85 END,
	   array_remove(ARRAY[
			CASE WHEN bank.chance(id, 'holds credit_card') < 0.25 THEN 'credit_card' END,
			CASE WHEN bank.chance(id, 'holds savings_plan') < 0.15 THEN 'savings_plan' END,
			CASE WHEN bank.chance(id, 'holds home_insurance') < 0.20 THEN 'home_insurance' END,
			CASE WHEN bank.chance(id, 'holds investment_fund') < 0.06 THEN 'investment_fund' END,
			CASE WHEN bank.chance(id, 'holds fx_card') < 0.05 THEN 'fx_card' END,
			CASE WHEN loan THEN 'personal_loan' END], NULL),
	   (ARRAY['retail', 'propensity', 'uniform'])[1 + floor(3 * bank.chance(id, 'agent'))::integer]
FROM (SELECT id, age,
			 CASE WHEN job IN ('blue-collar', 'services', 'housemaid', 'unemployed') THEN 'worker'
				  WHEN job IN ('entrepreneur', 'self-employed') THEN 'business'
				  WHEN job = 'management' THEN 'manager'
				  WHEN job IN ('student', 'retired') THEN job
				  ELSE 'office' END AS segment,
			 nullif(education, 'unknown') = 'university.degree' AS university,
			 nullif(housing, 'unknown') = 'yes' AS housing,
			 nullif(loan, 'unknown') = 'yes' AS loan,
			 nullif(in_default, 'unknown') = 'yes' AS in_default,
			 nullif(poutcome, 'nonexistent') AS last_campaign
	  FROM bank.campaign_file) c;

CREATE TABLE bank.sale (
	customer	bigint NOT NULL,
	product		text NOT NULL,
	sold_at		timestamptz NOT NULL,
	PRIMARY KEY (customer, product)
);
COMMENT ON TABLE bank.sale IS 'Products that customers took during the demo';

CREATE TABLE bank.consent_withdrawn (
	customer		bigint PRIMARY KEY,
	withdrawn_at	timestamptz NOT NULL
);
COMMENT ON TABLE bank.consent_withdrawn IS 'Customers who withdrew their consent to email during the demo, and when';

-- The market of each week: the campaign's time, May 2008 to November 2010, in as
-- many parts as the demo has weeks.  Interest rates collapse on the way.
CREATE TABLE bank.market_history (week integer PRIMARY KEY, euribor3m float8 NOT NULL);
INSERT INTO bank.market_history
SELECT week, round(avg(euribor3m)::numeric, 3)
FROM (SELECT ntile(:weeks) OVER (ORDER BY id) AS week, euribor3m FROM bank.campaign_file) f
GROUP BY week;

CREATE TABLE bank.market (euribor3m float8 NOT NULL);
COMMENT ON TABLE bank.market IS 'Today''s market: one row';
INSERT INTO bank.market SELECT euribor3m FROM bank.market_history WHERE week = 1;
