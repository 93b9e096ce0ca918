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
SELECT d.decision_id, d.customer_key, d.agent, d.cohort, d.product, d.channel, t.decided_at, w.window_ends,
	coalesce(o.reward, 0) AS reward, coalesce(o.harm, 0) AS harm, o.value, d.cost, a.outcomes, o.occurred_at,
	o.occurred_at > w.window_ends AS late,
	CASE WHEN o.reached IS NOT TRUE AND (o.lost OR d.awaits_delivery AND t.now >= w.window_ends) THEN 'undelivered'
		WHEN o.terminal OR t.now >= w.window_ends AND NOT EXISTS (SELECT FROM xsell.feed f
			LEFT JOIN xsell.heartbeat h ON h.agent = f.agent AND h.feed = f.feed
			WHERE f.agent = d.agent AND (f.channel IS NULL OR f.channel = d.channel) AND (h.beat_at >= w.window_ends) IS NOT TRUE) THEN 'final'
		ELSE 'provisional' END AS status,
	e.weight AS learned_weight, e.reward AS learned_reward, e.harm AS learned_harm, e.model_version AS learned_in
FROM xsell.decision d
JOIN xsell.policy p ON p.agent = d.agent AND p.policy_version = d.policy_version
CROSS JOIN LATERAL (SELECT @extschema@.xsell_decided_at(d.decision_id) AS decided_at,
	coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now()) AS now) t
CROSS JOIN LATERAL (SELECT t.decided_at + coalesce(
	(SELECT (o->>'observation_window')::interval FROM jsonb_array_elements(p.definition->'offers') o WHERE o->>'product' = d.product),
	(SELECT (c->>'observation_window')::interval FROM jsonb_array_elements(p.definition->'channels') c WHERE c->>'channel' = d.channel)) AS window_ends) w
LEFT JOIN LATERAL (SELECT array_agg(o.outcome ORDER BY o.outcome_id) AS outcomes
	FROM xsell.outcome o WHERE o.decision_id = d.decision_id) a ON true
LEFT JOIN LATERAL (SELECT max(o.reward) AS reward, max(o.harm) AS harm, sum(o.value) AS value, bool_or(o.terminal) AS terminal,
	bool_or(o.delivery IS DISTINCT FROM 'undelivered') AS reached, bool_or(o.delivery = 'undelivered') AS lost,
	(array_agg(o.occurred_at ORDER BY o.reward DESC, o.occurred_at))[1] AS occurred_at
	FROM xsell.outcome o
	WHERE o.decision_id = d.decision_id AND NOT EXISTS (SELECT FROM xsell.outcome r WHERE r.decision_id = o.decision_id AND r.reverses = o.outcome
		AND NOT EXISTS (SELECT FROM xsell.outcome q WHERE q.decision_id = r.decision_id AND q.reverses = r.outcome))) o ON true
LEFT JOIN LATERAL (SELECT e.weight, e.reward, e.harm, e.model_version FROM xsell.experience e
	WHERE e.decision_id = d.decision_id ORDER BY e.model_version DESC LIMIT 1) e ON true
WHERE d.product IS NOT NULL
$ddl$, rights);
	COMMENT ON VIEW xsell.reward IS 'What each offer earned, whether that is final, and what the learner counts for it';
	COMMENT ON COLUMN xsell.reward.window_ends IS 'End of the observation window, the product''s or else the channel''s, under the policy that decided';
	COMMENT ON COLUMN xsell.reward.reward IS 'Reward of the best outcome that stands, 0 without one';
	COMMENT ON COLUMN xsell.reward.harm IS 'Harm of the worst outcome that stands, 0 without one';
	COMMENT ON COLUMN xsell.reward.value IS 'Value of the outcomes that stand';
	COMMENT ON COLUMN xsell.reward.cost IS 'What making the offer cost';
	COMMENT ON COLUMN xsell.reward.outcomes IS 'All its outcomes, as they were recorded, reversed ones too';
	COMMENT ON COLUMN xsell.reward.occurred_at IS 'When the best outcome occurred';
	COMMENT ON COLUMN xsell.reward.late IS 'The outcome came after the window had ended; it counts all the same';
	COMMENT ON COLUMN xsell.reward.status IS 'provisional until the window ends, and its feed has beaten since, or until a terminal outcome; then final, though a late outcome still corrects it; undelivered: it did not reach the customer';
	COMMENT ON COLUMN xsell.reward.learned_weight IS 'What evidence counts it for now, 0: nothing; NULL: not learned yet';
	COMMENT ON COLUMN xsell.reward.learned_reward IS 'The reward that evidence holds for it now; NULL: not learned yet';
	COMMENT ON COLUMN xsell.reward.learned_harm IS 'The harm that evidence holds for it now; NULL: not learned yet';
	COMMENT ON COLUMN xsell.reward.learned_in IS 'Model version since which it does';

	EXECUTE format($ddl$
CREATE VIEW xsell.correction %s AS
SELECT e.decision_id, e.agent, d.customer_key, d.product, d.channel, e.learned_at, e.model_version,
	e.previous_weight AS weight_before, e.weight, e.previous AS reward_before, e.reward, e.previous_harm AS harm_before, e.harm
FROM xsell.experience e JOIN xsell.decision d USING (decision_id)
WHERE e.previous IS NOT NULL
$ddl$, rights);
	COMMENT ON VIEW xsell.correction IS 'What was learned and later replaced: conversions after a provisional zero, late ones, reversals, offers that turned out undelivered';
	COMMENT ON COLUMN xsell.correction.learned_at IS 'When it was replaced';
	COMMENT ON COLUMN xsell.correction.model_version IS 'Version of the evidence since which the new values count';
	COMMENT ON COLUMN xsell.correction.weight_before IS 'What the decision counted for before; 0: nothing';
	COMMENT ON COLUMN xsell.correction.weight IS 'What it counts for since';
	COMMENT ON COLUMN xsell.correction.reward_before IS 'Reward that counted before';
	COMMENT ON COLUMN xsell.correction.reward IS 'Reward that counts since';
	COMMENT ON COLUMN xsell.correction.harm_before IS 'Harm that counted before';
	COMMENT ON COLUMN xsell.correction.harm IS 'Harm that counts since';

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
	FROM xsell.reward WHERE status <> 'undelivered' GROUP BY agent, cohort, product, channel) s
$ddl$, rights);
	COMMENT ON VIEW xsell.performance IS 'Offers and rewards by agent, cohort, product and channel';
	COMMENT ON COLUMN xsell.performance.provisional IS 'Offers whose observation window has not ended: their zeros may still change';
	COMMENT ON COLUMN xsell.performance.rate IS 'Mean reward of an offer';
	COMMENT ON COLUMN xsell.performance.lower IS 'Of the 95 % interval of the rate (Jeffreys)';
	COMMENT ON COLUMN xsell.performance.upper IS 'Of the 95 % interval of the rate (Jeffreys)';

	/* ---- learning ---- */

	EXECUTE format($ddl$
CREATE VIEW xsell.learning %s AS
SELECT a.agent, a.learning, coalesce(l.model_version, 0) AS model_version, l.learned_at,
	@extschema@.xsell_decided_at(nullif(l.folded_to, 0)) AS learned_to,
	t.now - @extschema@.xsell_decided_at(least(coalesce(d.first, d.beyond), o.first)) AS lag,
	CASE WHEN d.beyond IS NULL THEN d.offers END AS pending,
	(SELECT count(*) FROM (SELECT FROM xsell.late e WHERE e.agent = a.agent LIMIT 10000) e)::integer AS late,
	w.pid, w.activity, l.failed_at, l.failure
FROM xsell.agent a
LEFT JOIN xsell.learner l ON l.agent = a.agent
CROSS JOIN LATERAL (SELECT coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now()) AS now) t
CROSS JOIN LATERAL (SELECT (count(*) FILTER (WHERE d.place <= 10000 AND d.agent = a.agent AND d.product IS NOT NULL))::integer AS offers,
		min(d.decision_id) FILTER (WHERE d.agent = a.agent AND d.product IS NOT NULL) AS first,
		max(d.decision_id) FILTER (WHERE d.place > 10000) AS beyond
	FROM (SELECT d.decision_id, d.agent, d.product, row_number() OVER (ORDER BY d.decision_id) AS place FROM xsell.decision d
		WHERE d.decision_id > coalesce(l.folded_to, 0) ORDER BY d.decision_id LIMIT 10001) d) d
CROSS JOIN LATERAL (SELECT min(o.outcome_id) AS first FROM xsell.outcome o
	WHERE o.agent = a.agent AND o.outcome_id > coalesce(l.outcomes_to, 0)) o
LEFT JOIN LATERAL @extschema@.xsell_worker() w ON a.learning = 'background'
$ddl$, rights);
	COMMENT ON VIEW xsell.learning IS 'How far each agent''s learning is, how far behind, and what its background worker does';
	COMMENT ON COLUMN xsell.learning.learning IS 'online, deferred, background or hold: xsell.agent.learning';
	COMMENT ON COLUMN xsell.learning.learned_to IS 'Decisions up to then are learned; NULL: none';
	COMMENT ON COLUMN xsell.learning.lag IS 'Age of the oldest offer or outcome not learned; NULL: all are. Beyond 10000 decisions of other agents, which it does not search, it is the age of the next decision';
	COMMENT ON COLUMN xsell.learning.pending IS 'Offers not learned; NULL: more than 10000 decisions, whoever''s, follow learned_to';
	COMMENT ON COLUMN xsell.learning.late IS 'Decisions and outcomes recorded out of order, to be learned by id; counted up to 10000';
	COMMENT ON COLUMN xsell.learning.pid IS 'Process of the background worker; NULL: there is none, or the agent needs none';
	COMMENT ON COLUMN xsell.learning.activity IS 'What it is doing';
	COMMENT ON COLUMN xsell.learning.failed_at IS 'When learning in the background failed last; NULL: it has succeeded since';
	COMMENT ON COLUMN xsell.learning.failure IS 'The error message of that';

	/* ---- models ---- */

	EXECUTE format($ddl$
CREATE VIEW xsell.model %s AS
SELECT a.agent, l.model_version, coalesce(p.refit, 0) AS refit, m.product, m.oracle, m.learned, m.rate, m.trust, m.harm,
	m.gain_beta, m.gain_segment, m.gain_contextual, m.ramp, m.similar_to
FROM xsell.agent a
CROSS JOIN LATERAL @extschema@.xsell_models(a.agent) m
LEFT JOIN xsell.learner l ON l.agent = a.agent
LEFT JOIN LATERAL (SELECT p.refit FROM xsell.promotion p WHERE p.agent = a.agent ORDER BY p.model_version DESC LIMIT 1) p ON true
$ddl$, rights);
	COMMENT ON VIEW xsell.model IS 'What predicts each offer''s reward now, and how far it is trusted';
	COMMENT ON COLUMN xsell.model.model_version IS 'Version of the evidence; NULL: nothing learned yet';
	COMMENT ON COLUMN xsell.model.refit IS 'The refit in effect, 0 for none';
	COMMENT ON COLUMN xsell.model.oracle IS 'The oracle in use; with oracle auto the one that the evidence supports';
	COMMENT ON COLUMN xsell.model.learned IS 'Decisions learned';
	COMMENT ON COLUMN xsell.model.rate IS 'Their mean reward, discounted as the policy says';
	COMMENT ON COLUMN xsell.model.trust IS 'Probability that the propensity, in its present version, forecasts better than the plain rate; oracles beta and segment weigh it so';
	COMMENT ON COLUMN xsell.model.harm IS 'Expected harm of an offer';
	COMMENT ON COLUMN xsell.model.gain_beta IS 'auto: log loss, in nats, that the plain rate saved against the oracle in use since the last change; at 3.0 it takes over';
	COMMENT ON COLUMN xsell.model.gain_segment IS 'auto: likewise of the segment''s rate';
	COMMENT ON COLUMN xsell.model.gain_contextual IS 'auto: likewise of the model with features';
	COMMENT ON COLUMN xsell.model.ramp IS 'Largest share of decisions that a new product may have now; NULL: it has no ramp';
	COMMENT ON COLUMN xsell.model.similar_to IS 'Products that share part of its prior';

	EXECUTE format($ddl$
CREATE VIEW xsell.coefficient %s AS
SELECT a.agent, c.product, c.feature, c.mean, c.sd, c.lower, c.upper, c.spread, c.importance
FROM xsell.agent a CROSS JOIN LATERAL @extschema@.xsell_model_coefficients(a.agent) c
$ddl$, rights);
	COMMENT ON VIEW xsell.coefficient IS 'Coefficients of the models with features: what drives the conversion of each product';
	COMMENT ON COLUMN xsell.coefficient.mean IS 'Posterior mean, on the scale of the linear predictor';
	COMMENT ON COLUMN xsell.coefficient.sd IS 'Posterior standard deviation';
	COMMENT ON COLUMN xsell.coefficient.lower IS 'Of the central 95 % interval';
	COMMENT ON COLUMN xsell.coefficient.upper IS 'Of the central 95 % interval';
	COMMENT ON COLUMN xsell.coefficient.spread IS 'Standard deviation of the encoded feature among the decisions learned';
	COMMENT ON COLUMN xsell.coefficient.importance IS 'Size of the coefficient times the spread of its feature';

	EXECUTE format($ddl$
CREATE VIEW xsell.decision_rule %s AS
SELECT s.agent, s.segment, s.place, s.product, s.offers, s.rate, s.lower, s.upper,
	format('segment %%s: offer %%s, conversion %%s to %%s %%%%', s.segment, s.product,
		round(100 * s.lower::numeric, 1), round(100 * s.upper::numeric, 1)) AS rule
FROM (SELECT a.agent, r.segment, row_number() OVER (PARTITION BY a.agent, r.segment ORDER BY r.rate DESC, r.product) AS place,
		r.product, coalesce(e.offers, 0) AS offers, r.rate, r.lower, r.upper
	FROM xsell.agent a
	CROSS JOIN LATERAL @extschema@.xsell_segment_rates(a.agent) r
	JOIN xsell.offer o ON o.agent = a.agent AND o.product = r.product AND o.active
		AND o.valid @> coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now())
	LEFT JOIN (SELECT agent, product, segment, sum(@extschema@.xsell_observations(beta))::bigint AS offers
		FROM xsell.segment_evidence GROUP BY 1, 2, 3) e
	  ON e.agent = a.agent AND e.product = r.product AND e.segment = r.segment) s
$ddl$, rights);
	COMMENT ON VIEW xsell.decision_rule IS 'What the evidence says for each segment, in words; place 1 is the product that converts best';
	COMMENT ON COLUMN xsell.decision_rule.offers IS 'Offers learned of the product in the segment';
	COMMENT ON COLUMN xsell.decision_rule.rate IS 'Expected conversion, drawn towards the product''s own while there is little evidence';
	COMMENT ON COLUMN xsell.decision_rule.lower IS 'Of its central 95 % interval';
	COMMENT ON COLUMN xsell.decision_rule.upper IS 'Of its central 95 % interval';

	/* ---- forecasts ---- */

	EXECUTE format($ddl$
CREATE VIEW xsell.forecast %s AS
SELECT f.agent, f.product, f.forecaster, f.n, f.missing, f.outcomes / nullif(f.n, 0) AS rate, f.forecasts / nullif(f.n, 0) AS forecast,
	f.outcomes / nullif(f.forecasts, 0) AS calibration, f.log_loss / nullif(f.n, 0) AS log_loss, f.brier / nullif(f.n, 0) AS brier, f.gain
FROM (SELECT e.agent, e.product, s.forecaster, sum(s.n)::bigint AS n, sum(s.missing)::bigint AS missing,
		sum(s.n * s.rate) AS outcomes, sum(s.n * s.forecast) AS forecasts, sum(s.n * s.log_loss) AS log_loss, sum(s.n * s.brier) AS brier,
		sum(s.gain) AS gain
	FROM xsell.evidence e
	JOIN (SELECT l.agent, l.encoding, p.definition #> '{layout,scores}' AS scores, n.scores AS present
		FROM (SELECT DISTINCT agent, encoding FROM xsell.evidence) l
		LEFT JOIN xsell.policy p ON p.agent = l.agent AND p.policy_version = l.encoding
		LEFT JOIN LATERAL (SELECT n.definition #> '{layout,scores}' AS scores FROM xsell.policy n
			WHERE n.agent = l.agent ORDER BY n.policy_version DESC LIMIT 1) n ON true) l USING (agent, encoding)
	CROSS JOIN LATERAL @extschema@.xsell_score_summary(e.score) s
	WHERE s.forecaster <> 'prior' OR l.scores->>e.product IS NOT DISTINCT FROM l.present->>e.product
	GROUP BY e.agent, e.product, s.forecaster) f
$ddl$, rights);
	COMMENT ON VIEW xsell.forecast IS 'How well rewards were forecast when decisions were made, by product: the propensity in its present version (prior) against the plain rate (global), the segment''s rate and the model with features (contextual)';
	COMMENT ON COLUMN xsell.forecast.n IS 'Decisions with such a forecast';
	COMMENT ON COLUMN xsell.forecast.missing IS 'Decisions without: of prior, where the score was NULL or outside [0,1]';
	COMMENT ON COLUMN xsell.forecast.rate IS 'Mean reward of these decisions';
	COMMENT ON COLUMN xsell.forecast.forecast IS 'Mean forecast';
	COMMENT ON COLUMN xsell.forecast.calibration IS 'rate / forecast: 1 is right, above 1 it forecast too little';
	COMMENT ON COLUMN xsell.forecast.log_loss IS 'Mean log loss, in nats: less is better';
	COMMENT ON COLUMN xsell.forecast.brier IS 'Mean squared error: less is better';
	COMMENT ON COLUMN xsell.forecast.gain IS 'Log loss saved in all against the plain rate, on the same decisions; above 0 it forecasts better';

	/* ---- training data ---- */

	EXECUTE format($ddl$
CREATE VIEW xsell.training_feature %s AS
SELECT p.agent, p.policy_version AS encoding, c.place::integer AS place, c.feature
FROM xsell.policy p
CROSS JOIN LATERAL unnest(@extschema@.xsell_layout_columns(p.agent, p.policy_version)) WITH ORDINALITY c (feature, place)
WHERE (p.definition #>> '{layout,encoding}')::integer = p.policy_version
$ddl$, rights);
	COMMENT ON VIEW xsell.training_feature IS 'What the elements of xsell.training.features are, by encoding';
	COMMENT ON COLUMN xsell.training_feature.agent IS 'The agent';
	COMMENT ON COLUMN xsell.training_feature.encoding IS 'Layout of the features: xsell.training.encoding';
	COMMENT ON COLUMN xsell.training_feature.place IS 'Which element, from 1';
	COMMENT ON COLUMN xsell.training_feature.feature IS 'Name: intercept, a feature, FEATURE = LEVEL, FEATURE is null, or propensity';

	/*
	 * GROUP BY in the subqueries: windows are read from each policy version once, and a
	 * query that does not ask for next_decision_id is spared the join.
	 */
	EXECUTE format($ddl$
CREATE VIEW xsell.training %s AS
SELECT d.decision_id, d.agent, d.customer_key, @extschema@.xsell_decided_at(d.decision_id) AS decided_at, d.cohort,
	CASE WHEN d.cohort = 'imported' THEN 'imported' WHEN (d.decision_id >> 9) & 8191 = 0 THEN 'simulated' ELSE d.cohort END AS source,
	d.product, d.channel, d.probability, d.encoding, d.features, d.forecasts[1] AS prior, d.segment, e.weight, e.reward, e.harm, d.value, d.cost,
	CASE WHEN t.now >= t.window_ends AND NOT EXISTS (SELECT FROM xsell.feed f
			LEFT JOIN xsell.heartbeat h ON h.agent = f.agent AND h.feed = f.feed
			WHERE f.agent = d.agent AND (f.channel IS NULL OR f.channel = d.channel) AND (h.beat_at >= t.window_ends) IS NOT TRUE)
		OR EXISTS (SELECT FROM xsell.outcome o WHERE o.decision_id = d.decision_id AND o.terminal
			AND NOT EXISTS (SELECT FROM xsell.outcome r WHERE r.decision_id = o.decision_id AND r.reverses = o.outcome
				AND NOT EXISTS (SELECT FROM xsell.outcome q WHERE q.decision_id = r.decision_id AND q.reverses = r.outcome)))
		THEN 'final' ELSE 'provisional' END AS status,
	e.model_version AS learned_in, n.next_decision_id
FROM xsell.experience e
JOIN xsell.decision d ON d.decision_id = e.decision_id
LEFT JOIN (SELECT p.agent, p.policy_version, jsonb_object_agg(c->>'channel', c->'observation_window') AS channels,
		(SELECT jsonb_object_agg(o->>'product', o->'observation_window') FROM jsonb_array_elements(p.definition->'offers') o) AS offers
	FROM xsell.policy p, jsonb_array_elements(p.definition->'channels') c GROUP BY p.agent, p.policy_version) w
  ON w.agent = d.agent AND w.policy_version = d.policy_version
CROSS JOIN LATERAL (SELECT coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now()) AS now,
	@extschema@.xsell_decided_at(d.decision_id) + coalesce((w.offers->>d.product)::interval, (w.channels->>d.channel)::interval) AS window_ends) t
LEFT JOIN (SELECT agent, customer_key, decision_id, lead(decision_id) OVER (PARTITION BY agent, customer_key ORDER BY decision_id) AS next_decision_id
	FROM xsell.decision WHERE product IS NOT NULL GROUP BY agent, customer_key, decision_id) n
  ON n.agent = d.agent AND n.customer_key = d.customer_key AND n.decision_id = d.decision_id
WHERE e.weight > 0
  AND NOT EXISTS (SELECT FROM xsell.experience l WHERE l.decision_id = e.decision_id AND l.model_version > e.model_version)
$ddl$, rights);
	COMMENT ON VIEW xsell.training IS 'What agents have learned from, one row per offer: context, action, probability and reward, for models of your own';
	COMMENT ON COLUMN xsell.training.cohort IS 'agent, control, or imported: decisions of past campaigns';
	COMMENT ON COLUMN xsell.training.source IS 'As in xsell.evidence: the cohort, or simulated';
	COMMENT ON COLUMN xsell.training.probability IS 'Chance with which the arm was drawn: the propensity of off-policy estimates; NULL: not known (imported)';
	COMMENT ON COLUMN xsell.training.encoding IS 'Layout of the features: see xsell.training_feature';
	COMMENT ON COLUMN xsell.training.features IS 'Features of the arm drawn, encoded as the model saw them';
	COMMENT ON COLUMN xsell.training.prior IS 'Rate expected by the propensity, or by the prior rate where there is none';
	COMMENT ON COLUMN xsell.training.weight IS 'Observations that it counts for';
	COMMENT ON COLUMN xsell.training.reward IS 'Reward that the evidence holds for it now';
	COMMENT ON COLUMN xsell.training.harm IS 'Harm that the evidence holds for it now';
	COMMENT ON COLUMN xsell.training.value IS 'What a conversion was worth when it was decided';
	COMMENT ON COLUMN xsell.training.cost IS 'What making the offer cost';
	COMMENT ON COLUMN xsell.training.status IS 'As in xsell.reward: final, or provisional: the reward may still come';
	COMMENT ON COLUMN xsell.training.learned_in IS 'Model version since which reward, harm and weight count';
	COMMENT ON COLUMN xsell.training.next_decision_id IS 'The agent''s next offer to the customer, for policies that look ahead; NULL: none yet. It need not be in here';

	/* ---- change over time ---- */

	EXECUTE format($ddl$
CREATE VIEW xsell.season %s AS
SELECT m.agent, m.product, m.month, @extschema@.xsell_observations(m.beta) AS offers,
	CASE WHEN (m.last_week + 7) AT TIME ZONE 'UTC' + w.observation_window
			> coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now())
		THEN 'provisional' ELSE 'final' END AS status,
	@extschema@.xsell_mean(m.beta, 0.5, 0.5) AS rate, i.lower, i.upper,
	@extschema@.xsell_mean(y.beta, 0.5, 0.5) AS rate_year_before, j.lower AS lower_year_before, j.upper AS upper_year_before
FROM (SELECT agent, product, date_trunc('month', bucket)::date AS month, max(bucket) AS last_week, @extschema@.xsell_merge_agg(beta) AS beta
	FROM xsell.evidence GROUP BY 1, 2, 3) m
CROSS JOIN LATERAL @extschema@.xsell_interval(m.beta, 0.95, 0.5, 0.5) i
LEFT JOIN (SELECT agent, product, date_trunc('month', bucket)::date AS month, @extschema@.xsell_merge_agg(beta) AS beta
	FROM xsell.evidence GROUP BY 1, 2, 3) y
  ON y.agent = m.agent AND y.product = m.product AND y.month = (m.month - interval '1 year')::date
LEFT JOIN LATERAL @extschema@.xsell_interval(y.beta, 0.95, 0.5, 0.5) j ON true
LEFT JOIN (SELECT agent, max(observation_window) AS observation_window
		FROM (SELECT agent, observation_window FROM xsell.channel UNION ALL SELECT agent, observation_window FROM xsell.offer) u GROUP BY agent) w ON w.agent = m.agent
$ddl$, rights);
	COMMENT ON VIEW xsell.season IS 'Conversion by month, and a year before: weeks count for the month of their Monday (UTC)';
	COMMENT ON COLUMN xsell.season.status IS 'provisional while observation windows of its offers are open: the rate may still rise; then final';
	COMMENT ON COLUMN xsell.season.rate IS 'Mean reward (Jeffreys)';
	COMMENT ON COLUMN xsell.season.lower IS 'Of its 95 % interval';
	COMMENT ON COLUMN xsell.season.upper IS 'Of its 95 % interval';

	/*
	 * A forecaster must have shown that it is better than the plain rate before its
	 * forecasts count, week by week (by the same measure as oracle auto), and the
	 * plain rate must have left its prior behind: forecasts of a model that is still
	 * learning are off, and coming right looks like a change.
	 */
	EXECUTE format($ddl$
CREATE VIEW xsell.change %s AS
SELECT p.agent, p.product, p.forecaster, c.factor, p.weeks[c.since + 1] AS since, c.ratio_before, c.ratio_after
FROM (SELECT t.agent, t.product, t.forecaster, array_agg(t.bucket ORDER BY t.bucket) AS weeks,
		array_agg(t.n * t.rate ORDER BY t.bucket) AS outcomes, array_agg(t.n * t.forecast ORDER BY t.bucket) AS forecasts
	FROM (SELECT s.*, first_value(s.forecaster) OVER (PARTITION BY s.agent, s.product
			ORDER BY s.in_all >= ln(20) DESC, CASE WHEN s.in_all >= ln(20) THEN s.in_all END DESC, s.forecaster = 'global' DESC) AS best
		FROM (SELECT w.agent, w.product, w.bucket, s.forecaster, s.n, s.rate, s.forecast,
				sum(s.gain) OVER (PARTITION BY w.agent, w.product, s.forecaster) AS in_all,
				coalesce(sum(s.gain) OVER before, 0) AS gained, coalesce(sum(s.n) OVER before, 0) AS learned,
				20 * coalesce(o.prior_strength, a.prior_strength) AS enough
			FROM (SELECT e.agent, e.product, e.bucket, @extschema@.xsell_merge_agg(e.score) AS score FROM xsell.evidence e GROUP BY 1, 2, 3) w
			JOIN xsell.agent a ON a.agent = w.agent
			JOIN xsell.offer o ON o.agent = w.agent AND o.product = w.product
			JOIN (SELECT agent, max(observation_window) AS observation_window
		FROM (SELECT agent, observation_window FROM xsell.channel UNION ALL SELECT agent, observation_window FROM xsell.offer) u GROUP BY agent) v ON v.agent = w.agent
			JOIN LATERAL @extschema@.xsell_score_summary(w.score) s ON s.forecaster <> 'prior' AND s.n > 0
			WHERE (w.bucket + 7) AT TIME ZONE 'UTC' + v.observation_window
				<= coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now())
			WINDOW before AS (PARTITION BY w.agent, w.product, s.forecaster ORDER BY w.bucket ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) s) t
	WHERE t.forecaster = t.best AND t.learned >= t.enough AND (t.forecaster = 'global' OR t.gained >= ln(20))
	GROUP BY t.agent, t.product, t.forecaster) p
CROSS JOIN LATERAL @extschema@.xsell_change(p.outcomes, p.forecasts) c
$ddl$, rights);
	COMMENT ON VIEW xsell.change IS 'Whether a product''s outcomes have changed against what was forecast of them, by the weeks whose observation windows have ended';
	COMMENT ON COLUMN xsell.change.forecaster IS 'Whose forecasts they are: the best, if it has saved 3.0 nats against the plain rate (global), else that';
	COMMENT ON COLUMN xsell.change.factor IS 'Bayes factor of a change against none; as long as forecasts are right up to a constant factor it ever reaches A with a probability of 1/A at most, however often one looks';
	COMMENT ON COLUMN xsell.change.since IS 'The likeliest first week after the change; NULL: there is but one week';
	COMMENT ON COLUMN xsell.change.ratio_before IS 'Outcomes to forecasts before it';
	COMMENT ON COLUMN xsell.change.ratio_after IS 'Outcomes to forecasts since';

	EXECUTE format($ddl$
CREATE VIEW xsell.alert %s AS
SELECT f.agent, f.product, 'propensity implausible' AS alert,
	format('%%s of %%s scores were missing or outside [0,1]; the prior rate stood in for them', f.missing, f.n + f.missing) AS message
FROM xsell.forecast f JOIN xsell.offer o USING (agent, product)
WHERE f.forecaster = 'prior' AND o.propensity IS NOT NULL AND f.n + f.missing >= 100 AND f.missing > 0.05 * (f.n + f.missing)
UNION ALL
SELECT e.agent, e.product, 'propensity constant',
	format('the scores of the last %%s decisions did not differ, so they tell nothing', @extschema@.xsell_observations(e.glm))
FROM (SELECT e.agent, e.product, @extschema@.xsell_merge_agg(e.glm) AS glm
	FROM xsell.evidence e
	JOIN xsell.offer o ON o.agent = e.agent AND o.product = e.product AND o.propensity IS NOT NULL
	JOIN LATERAL (SELECT (p.definition #>> '{layout,encoding}')::int AS encoding FROM xsell.policy p
		WHERE p.agent = e.agent ORDER BY p.policy_version DESC LIMIT 1) p ON p.encoding = e.encoding
	JOIN LATERAL (SELECT max(l.bucket) AS bucket FROM xsell.evidence l WHERE l.agent = e.agent) l ON e.bucket > l.bucket - 28
	GROUP BY e.agent, e.product) e
CROSS JOIN LATERAL (SELECT @extschema@.xsell_spread(e.glm) AS spread) s
WHERE @extschema@.xsell_observations(e.glm) >= 100 AND s.spread[cardinality(s.spread)] < 0.01
UNION ALL
SELECT f.agent, f.product, 'propensity misleads',
	format('its forecasts lost %%s nats against the plain rate over %%s decisions: on average %%s %%%% were forecast, %%s %%%% converted',
		round(-f.gain::numeric, 1), f.n, round(100 * f.forecast::numeric, 1), round(100 * f.rate::numeric, 1))
FROM xsell.forecast f JOIN xsell.offer o USING (agent, product)
WHERE f.forecaster = 'prior' AND o.propensity IS NOT NULL AND f.gain < -ln(20)
UNION ALL
SELECT c.agent, c.product, 'change',
	format('outcomes against forecasts went from %%s to %%s since %%s (Bayes factor %%s)', round(c.ratio_before::numeric, 2),
		round(c.ratio_after::numeric, 2), c.since, CASE WHEN c.factor < 1e6 THEN round(c.factor::numeric)::text ELSE 'above 1000000' END)
FROM xsell.change c WHERE c.factor >= 100
UNION ALL
SELECT f.agent, NULL, 'feed silent', format('feed %%s has said nothing %%s; %%s decisions wait for it', f.feed,
	coalesce('since ' || h.beat_at, 'yet'), (SELECT count(*) FROM xsell.held d WHERE d.agent = f.agent AND (f.channel IS NULL OR f.channel = d.channel)))
FROM xsell.feed f LEFT JOIN xsell.heartbeat h USING (agent, feed)
WHERE (h.beat_at >= coalesce(nullif(current_setting('xsell.simulated_now', true), '')::timestamptz, now()) - f.longest_silence) IS NOT TRUE
$ddl$, rights);
	COMMENT ON VIEW xsell.alert IS 'What needs a look now: propensity feeds that are implausible, constant or misleading, products whose outcomes have changed, and outcome feeds that are silent';
	COMMENT ON COLUMN xsell.alert.alert IS 'Kind of alert';
	COMMENT ON COLUMN xsell.alert.message IS 'What was seen';
END
$create$;
COMMENT ON FUNCTION xsell.create_views() IS 'Part of xsell_create_journal';
