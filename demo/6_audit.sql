-- 6_audit.sql: was any rule, consent or cap broken?  Counted from the journal and
-- the bank's tables, in plain SQL, without asking xsell.

CREATE TABLE demo.audit AS
WITH o AS (
	SELECT o.*, c.age, c.housing, c.in_default, c.recent_international_txn, c.preferred_currency, c.risk_profile,
		   c.open_complaint, c.push_consent, c.email_consent, c.holds, s.sold_at, w.withdrawn_at
	FROM demo.offer o JOIN bank.customer c ON c.id = o.customer
	LEFT JOIN bank.sale s ON s.customer = o.customer AND s.product = o.product
	LEFT JOIN bank.consent_withdrawn w ON w.customer = o.customer
), counted AS (
	SELECT o.*,
		   count(*) OVER (PARTITION BY agent, customer ORDER BY decided_at
						  RANGE BETWEEN '7 days' PRECEDING AND CURRENT ROW) AS in_7_days,
		   count(*) OVER (PARTITION BY agent, customer, channel ORDER BY decided_at
						  RANGE BETWEEN '13 days' PRECEDING AND CURRENT ROW) AS same_channel_13_days,
		   count(*) OVER (PARTITION BY agent, customer, product ORDER BY decided_at
						  RANGE BETWEEN '10 days' PRECEDING AND CURRENT ROW) AS same_product_10_days
	FROM o
)
SELECT a.position, a.what, count(*) FILTER (WHERE a.applies) AS checked,
	   count(*) FILTER (WHERE a.applies AND a.kept IS NOT TRUE) AS broken
FROM counted o, LATERAL (VALUES
	(1, 'rule: no offer while a complaint is open',			true, NOT open_complaint),
	(2, 'rule: customers are of age',						true, age >= 18),
	(3, 'rule: no loan or credit card in (or unknown) default', product IN ('personal_loan', 'credit_card'), NOT in_default),
	(4, 'rule: home insurance needs a home',				product = 'home_insurance', housing),
	(5, 'rule: forex account needs a use for it',			product = 'fx_account', recent_international_txn OR preferred_currency <> 'EUR'),
	(6, 'rule: investment fund fits the risk profile',		product = 'investment_fund', risk_profile >= 3),
	(7, 'rule: no personal loan above 70',					product = 'personal_loan', age <= 70),
	(8, 'consent: app',										channel = 'app', push_consent),
	(9, 'consent: email, not withdrawn by then',			channel = 'email', CASE WHEN withdrawn_at IS NULL THEN email_consent ELSE decided_at < withdrawn_at END),
	(10, 'holding: product not held by then',				true, CASE WHEN sold_at IS NULL THEN product <> ALL (holds) ELSE decided_at < sold_at END),
	(11, 'cap: at most 2 offers in 7 days',					true, in_7_days <= 2),
	(12, 'cap: at most 1 email in 13 days',					channel = 'email', same_channel_13_days <= 1),
	(13, 'cap: a product at most once in 10 days',			true, same_product_10_days <= 1),
	(14, 'log: the offer''s probability is in (0,1]',		true, (SELECT d.probability > 0 AND d.probability <= 1 FROM xsell.decision d WHERE d.decision_id = o.decision_id))
) a (position, what, applies, kept)
GROUP BY a.position, a.what
UNION ALL
SELECT 15, 'log: probabilities of a decision add up to 1, excluded ones are 0', count(*),
	   count(*) FILTER (WHERE abs(total - 1) > 1e-9 OR forbidden > 0)
FROM (SELECT sum(probability) AS total, count(*) FILTER (WHERE excluded IS NOT NULL AND probability <> 0) AS forbidden
	  FROM demo.candidate WHERE mode <> 'none' GROUP BY decision_id) p
UNION ALL
SELECT 16, 'learning: every sale is learned once', count(*),
	   count(*) FILTER (WHERE 1 IS DISTINCT FROM (SELECT sum(e.reward - coalesce(e.previous, 0))
												  FROM xsell.experience e WHERE e.decision_id = o.decision_id))
FROM xsell.outcome o WHERE o.agent = 'retail'
UNION ALL
SELECT 17, 'learning: evidence equals its sum anew from the journal', count(*),
	   count(*) FILTER (WHERE e.beta IS DISTINCT FROM r.beta OR e.glm IS DISTINCT FROM r.glm)
FROM (SELECT * FROM xsell.evidence WHERE agent = 'retail') e
FULL JOIN xsell_rebuild_evidence('retail') r USING (product, encoding, bucket, source)
UNION ALL
SELECT 18, 'replay: decisions come out of the journal again, bit for bit', count(*), count(*) FILTER (WHERE NOT (r).identical)
FROM (SELECT xsell_replay(decision_id) AS r		-- in an order in which evidence rolls on from one to the next
	  FROM (SELECT agent, decision_id
			FROM (SELECT agent, decision_id FROM xsell.decision ORDER BY hashint8extended(decision_id, 0) LIMIT 10000) s
			ORDER BY agent, decision_id) d) r;

\echo '== Was a rule, a consent or a cap broken? Counted over all offers, in SQL, without asking xsell =='
SELECT what, checked, broken FROM demo.audit ORDER BY position;

DO $$
BEGIN
	IF EXISTS (SELECT FROM demo.audit WHERE broken <> 0) THEN
		RAISE EXCEPTION 'the audit found what must not have happened';
	END IF;
END
$$;
