/*
 * views.sql: what became of offers.
 *
 * The views read the journal, so they are created with it and belong to its
 * owner; they show each reader what the reader may see of the tables (from
 * PostgreSQL 15 on; on 14 the rights of the journal's owner count).
 */

CREATE FUNCTION xsell.create_views() RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $create$
DECLARE
	rights text := CASE WHEN current_setting('server_version_num')::int >= 150000
		THEN 'WITH (security_invoker = true)' ELSE '' END;
BEGIN
	EXECUTE format($ddl$
CREATE VIEW xsell.reward %s AS
SELECT d.decision_id, d.customer_key, d.agent, d.cohort, d.product, d.channel,
	t.decided_at, t.decided_at + w.observation_window AS window_ends,
	coalesce(o.reward, 0) AS reward, o.outcomes, o.occurred_at,
	o.occurred_at > t.decided_at + w.observation_window AS late,
	CASE WHEN t.now < t.decided_at + w.observation_window THEN 'provisional' ELSE 'final' END AS status,
	e.reward AS learned_reward, e.model_version AS learned_in
FROM xsell.decision d
JOIN xsell.policy p ON p.agent = d.agent AND p.policy_version = d.policy_version
CROSS JOIN LATERAL (SELECT @extschema@.xsell_decided_at(d.decision_id) AS decided_at,
	coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now()) AS now) t
CROSS JOIN LATERAL (SELECT (c->>'observation_window')::interval AS observation_window
	FROM jsonb_array_elements(p.definition->'channels') c WHERE c->>'channel' = d.channel) w
LEFT JOIN LATERAL (SELECT max(o.reward) AS reward, array_agg(o.outcome ORDER BY o.outcome_id) AS outcomes,
	(array_agg(o.occurred_at ORDER BY o.reward DESC, o.occurred_at))[1] AS occurred_at
	FROM xsell.outcome o WHERE o.decision_id = d.decision_id HAVING count(*) > 0) o ON true
LEFT JOIN LATERAL (SELECT e.reward, e.model_version FROM xsell.experience e
	WHERE e.decision_id = d.decision_id ORDER BY e.model_version DESC LIMIT 1) e ON true
WHERE d.product IS NOT NULL
$ddl$, rights);
	COMMENT ON VIEW xsell.reward IS 'What each offer earned, whether that is final, and what the learner counts for it';
	COMMENT ON COLUMN xsell.reward.window_ends IS 'End of the channel''s observation window, under the policy that decided';
	COMMENT ON COLUMN xsell.reward.reward IS 'Reward of the best outcome so far, 0 without one';
	COMMENT ON COLUMN xsell.reward.occurred_at IS 'When that outcome occurred';
	COMMENT ON COLUMN xsell.reward.late IS 'The outcome came after the window had ended; it counts all the same';
	COMMENT ON COLUMN xsell.reward.status IS 'provisional until the window ends, then final, though a late outcome still corrects it';
	COMMENT ON COLUMN xsell.reward.learned_reward IS 'The reward that evidence holds for it now; NULL: not learned yet';
	COMMENT ON COLUMN xsell.reward.learned_in IS 'Model version since which it does';

	EXECUTE format($ddl$
CREATE VIEW xsell.exclusion %s AS
SELECT x.agent, x.day, x.reason, p.definition->'arms'->x.arm->>0 AS product, p.definition->'arms'->x.arm->>1 AS channel, sum(x.candidates)::bigint AS candidates
FROM (SELECT d.agent, d.policy_version, (@extschema@.xsell_decided_at(d.decision_id) AT TIME ZONE 'UTC')::date AS day, c.excluded AS reason, c.arm, count(*) AS candidates
	FROM xsell.decision d, @extschema@.xsell_candidates_list(d.candidates) c
	WHERE c.excluded IS NOT NULL
	GROUP BY 1, 2, 3, 4, 5) x
JOIN xsell.policy p USING (agent, policy_version)
GROUP BY 1, 2, 3, 4, 5
$ddl$, rights);
	COMMENT ON VIEW xsell.exclusion IS 'How often candidates were excluded, by day (UTC), reason, product and channel';

	EXECUTE format($ddl$
CREATE VIEW xsell.performance %s AS
SELECT agent, cohort, product, channel, offers, provisional, rewards, rewards / offers AS rate,
	(@extschema@.xsell_interval(state, 0.95, 0.5, 0.5)).lower, (@extschema@.xsell_interval(state, 0.95, 0.5, 0.5)).upper
FROM (SELECT agent, cohort, product, channel, count(*) AS offers,
		count(*) FILTER (WHERE status = 'provisional') AS provisional, sum(reward) AS rewards,
		@extschema@.xsell_beta_agg(reward) AS state
	FROM xsell.reward GROUP BY agent, cohort, product, channel) s
$ddl$, rights);
	COMMENT ON VIEW xsell.performance IS 'Offers and rewards by agent, cohort, product and channel';
	COMMENT ON COLUMN xsell.performance.provisional IS 'Offers whose observation window has not ended: their zeros may still change';
	COMMENT ON COLUMN xsell.performance.rate IS 'Mean reward of an offer';
	COMMENT ON COLUMN xsell.performance.lower IS 'Of the 95 % interval of the rate (Jeffreys)';
	COMMENT ON COLUMN xsell.performance.upper IS 'Of the 95 % interval of the rate (Jeffreys)';
END
$create$;
COMMENT ON FUNCTION xsell.create_views() IS 'Part of xsell_create_journal';
