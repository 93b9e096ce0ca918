/*
 * policy.sql: the tables in which a policy is written, and its history.
 *
 * Every statement that changes them publishes a new version of the policy of
 * each agent whose definition it changed: the whole definition is compiled
 * against the agent's customer table, and stored in xsell.policy, from which
 * decisions load it.  What does not compile is not stored.  The publisher also
 * keeps the references between the tables, for foreign keys would get in the way
 * of pg_restore -j: deleting an agent, an offer or a channel deletes what belongs
 * to it, and naming one that does not exist is an error.
 */

CREATE TABLE xsell.product (
	product		text PRIMARY KEY CHECK (product <> '' AND octet_length(product) <= 200),
	name		text,
	credit		boolean NOT NULL,
	attributes	jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object' AND NOT attributes ? 'credit')
);
COMMENT ON TABLE xsell.product IS 'What can be sold';
COMMENT ON COLUMN xsell.product.product IS 'Identifier used in calls and logs';
COMMENT ON COLUMN xsell.product.name IS 'Name for people';
COMMENT ON COLUMN xsell.product.credit IS 'Whether the product is credit, which the law treats apart; expressions read it as product.credit';
COMMENT ON COLUMN xsell.product.attributes IS 'Scalar attributes; expressions read them as product.KEY';

CREATE TABLE xsell.agent (
	agent			text PRIMARY KEY CHECK (agent <> '' AND octet_length(agent) <= 200),
	customer_table	regclass NOT NULL,
	customer_key	text NOT NULL,
	status			text NOT NULL DEFAULT 'live' CHECK (status IN ('live', 'paused', 'draft')),
	oracle			text NOT NULL DEFAULT 'logistic' CHECK (oracle IN ('beta', 'segment', 'linear', 'logistic', 'auto')),
	segment			text,
	strategy		text NOT NULL DEFAULT 'thompson'
		CHECK (strategy IN ('greedy', 'epsilon_greedy', 'ucb', 'thompson', 'softmax', 'squarecb', 'uniform')),
	epsilon			float8 NOT NULL DEFAULT 0.1 CHECK (epsilon BETWEEN 0 AND 1),
	epsilon_end		float8 CONSTRAINT agent_epsilon_end_check CHECK (epsilon_end > 0 AND epsilon_end <= epsilon),
	epsilon_different	boolean NOT NULL DEFAULT false,
	ucb_width		float8 NOT NULL DEFAULT 1 CHECK (ucb_width BETWEEN 0 AND 100),
	posterior_scale	float8 NOT NULL DEFAULT 0.25 CHECK (posterior_scale BETWEEN 0.001 AND 100),
	softmax_temperature	float8 NOT NULL DEFAULT 0.01 CHECK (softmax_temperature BETWEEN 1e-9 AND 1e9),
	squarecb_gamma	float8 NOT NULL DEFAULT 20 CHECK (squarecb_gamma BETWEEN 1e-9 AND 1e9),
	floor			float8 NOT NULL DEFAULT 0.02 CHECK (floor > 0 AND floor < 1),
	floor_end		float8 CONSTRAINT agent_floor_end_check CHECK (floor_end > 0 AND floor_end <= floor),
	schedule		text NOT NULL DEFAULT 'evidence' CHECK (schedule IN ('constant', 'time', 'count', 'evidence')),
	schedule_half	float8 DEFAULT 150 CHECK (schedule_half BETWEEN 1e-9 AND 1e9),
	schedule_since	timestamptz NOT NULL DEFAULT pg_catalog.now() CHECK (isfinite(schedule_since)),
	neutral_rate	float8 NOT NULL DEFAULT 0.05 CHECK (neutral_rate > 0 AND neutral_rate < 1),
	prior_strength	float8 NOT NULL DEFAULT 20 CHECK (prior_strength BETWEEN 0.001 AND 1e9),
	prior_precision	float8 NOT NULL DEFAULT 5 CHECK (prior_precision BETWEEN 0.001 AND 1e9),
	pooling			float8 NOT NULL DEFAULT 0.5 CHECK (pooling >= 0 AND pooling < 1),
	half_life		interval CHECK (half_life > '0 seconds' AND half_life <= '1000 years'),
	evidence_window	interval CHECK (evidence_window > '0 seconds' AND evidence_window <= '1000 years'),
	harm_rate		float8 NOT NULL DEFAULT 0.005 CHECK (harm_rate > 0 AND harm_rate < 1),
	harm_price		float8 NOT NULL DEFAULT 1 CHECK (harm_price BETWEEN 0 AND 1e9),
	learning		text NOT NULL DEFAULT 'online' CHECK (learning IN ('online', 'deferred', 'background', 'hold')),
	learning_rate	float8 NOT NULL DEFAULT 1 CHECK (learning_rate > 0 AND learning_rate <= 1),
	learning_batch	integer NOT NULL DEFAULT 1 CHECK (learning_batch >= 1),
	teaches			text[] NOT NULL DEFAULT '{agent,control,imported,simulated}'
		CHECK (teaches <@ '{agent,control,imported,simulated}' AND cardinality(teaches) > 0),
	control_share	float8 NOT NULL DEFAULT 0 CHECK (control_share BETWEEN 0 AND 1),
	routing			text,
	fallback		text,
	top_n			integer CHECK (top_n BETWEEN 1 AND 4096),
	explore_below	float8 NOT NULL DEFAULT 0 CHECK (explore_below >= 0 AND explore_below < 1),
	similarity		text[] CHECK (array_position(similarity, NULL) IS NULL),
	seed			bigint NOT NULL DEFAULT pg_catalog.hashtextextended(pg_catalog.gen_random_uuid()::text, 0),
	CONSTRAINT agent_schedule_needs_half CHECK (schedule = 'constant' OR schedule_half IS NOT NULL),
	CONSTRAINT agent_end_needs_schedule CHECK (schedule <> 'constant' OR (epsilon_end IS NULL AND floor_end IS NULL))
);
COMMENT ON TABLE xsell.agent IS 'A configured decision maker';
COMMENT ON COLUMN xsell.agent.customer_table IS 'Table or view whose rows describe customers; expressions are checked against it';
COMMENT ON COLUMN xsell.agent.customer_key IS 'Expression over the customer row: the key under which the journal knows the customer';
COMMENT ON COLUMN xsell.agent.status IS 'live; paused: every decision is "no offer", or the fallback; draft: xsell_rank and xsell_why work, decisions are refused';
COMMENT ON COLUMN xsell.agent.oracle IS 'Value model: beta (a rate per product), segment (a rate per product and segment), linear or logistic (features), auto (the one of beta, segment and logistic that has forecast best)';
COMMENT ON COLUMN xsell.agent.segment IS 'Text expression: the customer''s segment, of which 200 bytes count; logged with each decision. NULL: none';
COMMENT ON COLUMN xsell.agent.strategy IS 'How predictions become action probabilities';
COMMENT ON COLUMN xsell.agent.epsilon IS 'epsilon_greedy: share of decisions drawn uniformly';
COMMENT ON COLUMN xsell.agent.epsilon_end IS 'What epsilon decays to by the schedule; NULL: it stays as it is';
COMMENT ON COLUMN xsell.agent.epsilon_different IS 'epsilon_greedy: epsilon is spread over all allowed arms but the best; false: over all';
COMMENT ON COLUMN xsell.agent.ucb_width IS 'ucb: posterior standard deviations above the mean';
COMMENT ON COLUMN xsell.agent.posterior_scale IS 'thompson: factor on the posterior standard deviation, about the expected rate';
COMMENT ON COLUMN xsell.agent.softmax_temperature IS 'softmax: in the unit of the expected reward; arms that differ by this much differ in probability by a factor of 2.7';
COMMENT ON COLUMN xsell.agent.squarecb_gamma IS 'squarecb: how fast exploration ends; times the square root of the decisions learned, per mean reward';
COMMENT ON COLUMN xsell.agent.floor IS 'Share of every decision spread uniformly over the allowed arms, whatever the strategy';
COMMENT ON COLUMN xsell.agent.floor_end IS 'What the floor decays to by the schedule; NULL: a tenth of it';
COMMENT ON COLUMN xsell.agent.schedule IS 'What epsilon and floor decay with: time (days since schedule_since), count (decisions that the agent has learned), evidence (learned decisions per allowed arm, on average); constant: nothing';
COMMENT ON COLUMN xsell.agent.schedule_half IS 'After so many days, or decisions, they have halved';
COMMENT ON COLUMN xsell.agent.schedule_since IS 'schedule time: when the decay begins';
COMMENT ON COLUMN xsell.agent.neutral_rate IS 'Conversion rate believed of an offer without propensity, prior_rate and evidence';
COMMENT ON COLUMN xsell.agent.prior_strength IS 'beta, segment: observations that the prior is worth';
COMMENT ON COLUMN xsell.agent.prior_precision IS 'linear, logistic: prior precision of feature weights';
COMMENT ON COLUMN xsell.agent.pooling IS 'With similarity: share of what is believed of a product before evidence that is learned from similar ones';
COMMENT ON COLUMN xsell.agent.half_life IS 'Evidence of this age counts half; NULL: all the same. Nothing is lost: it can be changed back';
COMMENT ON COLUMN xsell.agent.evidence_window IS 'Only evidence of this time counts; NULL: all. Nothing is lost: it can be changed back';
COMMENT ON COLUMN xsell.agent.harm_rate IS 'Harm per decision believed of an offer without evidence';
COMMENT ON COLUMN xsell.agent.harm_price IS 'What a harm of 1 costs, in the unit of value';
COMMENT ON COLUMN xsell.agent.learning IS 'online: xsell_reward learns at once; deferred: xsell_learn() does; background: a background worker does; hold: nothing learns, what is recorded is learned later';
COMMENT ON COLUMN xsell.agent.learning_rate IS 'What a learned decision counts for, in observations: below 1, say in a pilot, models move more slowly. Nothing is lost: it can be changed back';
COMMENT ON COLUMN xsell.agent.learning_batch IS 'The learner waits until so many decisions and outcomes are to be learned';
COMMENT ON COLUMN xsell.agent.teaches IS 'Whose decisions models are made from: agent and control (the cohorts), imported, simulated (made under a simulated clock). Nothing is lost: it can be changed back';
COMMENT ON COLUMN xsell.agent.control_share IS 'Share of customers, by a stable hash of the key, whose offers are drawn uniformly';
COMMENT ON COLUMN xsell.agent.routing IS 'Text expression: the channel that the customer prefers, used where a call names none; where it yields NULL, no channel is. NULL: the default channels of the call''s mode, else the agent chooses';
COMMENT ON COLUMN xsell.agent.fallback IS 'Text expression: the product to offer when nothing else is allowed, or while the agent is paused, if rules, consent and caps allow it';
COMMENT ON COLUMN xsell.agent.top_n IS 'Only so many products, those with the highest propensity, compete; without one, a product stands at neutral_rate. NULL: all';
COMMENT ON COLUMN xsell.agent.explore_below IS 'With top_n: share of decisions spread uniformly over the allowed products below';
COMMENT ON COLUMN xsell.agent.similarity IS 'Product attributes whose equal values make products similar';
COMMENT ON COLUMN xsell.agent.seed IS 'Key of the random numbers that draw arms and groups';

CREATE TABLE xsell.channel (
	agent				text NOT NULL,
	channel				text NOT NULL CHECK (channel <> '' AND octet_length(channel) <= 200),
	observation_window	interval NOT NULL DEFAULT '14 days' CHECK (observation_window > '0 seconds'),
	reports_delivery	boolean NOT NULL DEFAULT false,
	consent				text,
	opt_in				boolean NOT NULL DEFAULT false,
	purpose				text NOT NULL DEFAULT 'marketing' CHECK (purpose <> '' AND purpose <> '*'),
	modes				text[] NOT NULL DEFAULT '{realtime,batch}' CHECK (modes <@ '{realtime,batch}' AND cardinality(modes) > 0),
	default_for			text[] NOT NULL DEFAULT '{}' CHECK (default_for <@ '{realtime,batch}'),
	quiet_from			time,
	quiet_until			time,
	time_zone			text,
	attributes			jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object'),
	PRIMARY KEY (agent, channel),
	CHECK ((quiet_from IS NULL) = (quiet_until IS NULL) AND quiet_from <> quiet_until),
	CHECK (default_for <@ modes)
);
COMMENT ON TABLE xsell.channel IS 'How an agent''s offers reach the customer';
COMMENT ON COLUMN xsell.channel.observation_window IS 'How long an offer waits for its outcome before its zero is final';
COMMENT ON COLUMN xsell.channel.reports_delivery IS 'Deliveries are reported as outcomes: an offer teaches only once one of its outcomes shows that it has reached the customer';
COMMENT ON COLUMN xsell.channel.consent IS 'Boolean expression that must be true, or the channel is not used; NULL: no consent needed';
COMMENT ON COLUMN xsell.channel.opt_in IS 'The channel is used only for customers with a granting row in xsell.consent';
COMMENT ON COLUMN xsell.channel.purpose IS 'What its contacts are for; rows of xsell.consent name it';
COMMENT ON COLUMN xsell.channel.modes IS 'Calls that may use it: realtime, batch; a call that does not say what it is uses only channels for both';
COMMENT ON COLUMN xsell.channel.default_for IS 'Modes in which it is used where neither the call nor routing names a channel';
COMMENT ON COLUMN xsell.channel.quiet_from IS 'Beginning of the hours, in the customer''s time zone, in which it is not used; may lie after their end: over midnight';
COMMENT ON COLUMN xsell.channel.quiet_until IS 'End of these hours, exclusive';
COMMENT ON COLUMN xsell.channel.time_zone IS 'Text expression: the customer''s time zone; where it yields NULL, all hours are quiet. NULL: UTC';
COMMENT ON COLUMN xsell.channel.attributes IS 'Scalar attributes; expressions read them as channel.KEY';

CREATE TABLE xsell.offer (
	agent		text NOT NULL,
	product		text NOT NULL,
	propensity	text,
	propensity_version	text,
	prior_rate	float8 CHECK (prior_rate > 0 AND prior_rate < 1),
	prior_strength	float8 CHECK (prior_strength BETWEEN 0.001 AND 1e9),
	value		text,
	lever		text,
	cost		text,
	held		text,
	max_share	float8 CHECK (max_share > 0 AND max_share <= 1),
	observation_window	interval CHECK (observation_window > '0 seconds'),
	ramp_share	float8 CHECK (ramp_share > 0 AND ramp_share < 1),
	ramp_until	integer CHECK (ramp_until > 0),
	active		boolean NOT NULL DEFAULT true,
	valid		tstzrange NOT NULL DEFAULT '(,)',
	PRIMARY KEY (agent, product),
	CONSTRAINT offer_ramp_needs_both CHECK ((ramp_share IS NULL) = (ramp_until IS NULL))
);
COMMENT ON TABLE xsell.offer IS 'A product that an agent may offer';
COMMENT ON COLUMN xsell.offer.propensity IS 'Numeric expression in [0,1]: the existing uptake score, used as prior; anything else counts as missing. NULL: none';
COMMENT ON COLUMN xsell.offer.propensity_version IS 'Which version of the scoring model that is; another version is another score, to be calibrated anew. NULL: the expression tells';
COMMENT ON COLUMN xsell.offer.prior_rate IS 'Conversion rate believed where there is no propensity and no evidence; NULL: the agent''s neutral_rate';
COMMENT ON COLUMN xsell.offer.prior_strength IS 'beta, segment: observations that the prior is worth; NULL: the agent''s';
COMMENT ON COLUMN xsell.offer.value IS 'Numeric expression >= 0: worth of a conversion; NULL: 1';
COMMENT ON COLUMN xsell.offer.lever IS 'Numeric expression > 0: business weight, which multiplies the value; NULL: 1';
COMMENT ON COLUMN xsell.offer.cost IS 'Numeric expression: cost of making the offer; NULL: 0';
COMMENT ON COLUMN xsell.offer.held IS 'Boolean expression: the customer has the product already, so it is not offered; NULL: not checked';
COMMENT ON COLUMN xsell.offer.max_share IS 'Diversity: the product is not offered while it has had more than this share of the agent''s learned offers of the last four weeks, once these are 100';
COMMENT ON COLUMN xsell.offer.observation_window IS 'How long the product''s offers wait for their outcome, whatever the channel; NULL: as long as the channel says';
COMMENT ON COLUMN xsell.offer.ramp_share IS 'New product: at first at most this share of a decision''s probability, where other products are allowed; NULL: no limit';
COMMENT ON COLUMN xsell.offer.ramp_until IS 'The limit grows with each decision learned about the product, and ends after so many';
COMMENT ON COLUMN xsell.offer.active IS 'Inactive offers are never made';
COMMENT ON COLUMN xsell.offer.valid IS 'When the offer may be made';

CREATE TABLE xsell.feature (
	agent		text NOT NULL,
	feature		text NOT NULL CHECK (feature <> '' AND octet_length(feature) <= 200),
	expression	text NOT NULL,
	center		float8 CHECK (center BETWEEN -1e300 AND 1e300),
	scale		float8 CHECK (scale > 0 AND scale <= 1e300),
	clip		float8 CHECK (clip > 0 AND clip <= 8),
	levels		text[] CHECK (cardinality(levels) > 0 AND array_position(levels, NULL) IS NULL),
	PRIMARY KEY (agent, feature)
);
COMMENT ON TABLE xsell.feature IS 'What a model sees of a customer: boolean, numeric, or text with declared levels';
COMMENT ON COLUMN xsell.feature.expression IS 'Boolean, numeric, text or enum expression';
COMMENT ON COLUMN xsell.feature.center IS 'Numeric: subtracted before scaling; default 0';
COMMENT ON COLUMN xsell.feature.scale IS 'Numeric: divided by after centring; default 1';
COMMENT ON COLUMN xsell.feature.clip IS 'Numeric: the scaled value is clipped to plus or minus this; default 8';
COMMENT ON COLUMN xsell.feature.levels IS 'Text: the values told apart; all others share the level "other"';

CREATE TABLE xsell.rule (
	agent		text NOT NULL,
	rule		text NOT NULL CHECK (rule <> '' AND octet_length(rule) <= 200),
	kind		text NOT NULL CHECK (kind IN ('eligibility', 'applicability', 'suitability')),
	product		text,
	channel		text,
	attributes	jsonb CHECK (jsonb_typeof(attributes) = 'object'),
	expression	text NOT NULL,
	valid		tstzrange NOT NULL DEFAULT '(,)',
	PRIMARY KEY (agent, rule)
);
COMMENT ON TABLE xsell.rule IS 'Conditions of offering: must be true, or the offer is not made';
COMMENT ON COLUMN xsell.rule.kind IS 'eligibility (may have it), applicability (makes sense), suitability (is right for the customer); evaluated in this order';
COMMENT ON COLUMN xsell.rule.product IS 'The product it binds; NULL: all';
COMMENT ON COLUMN xsell.rule.channel IS 'The channel it binds; NULL: all';
COMMENT ON COLUMN xsell.rule.attributes IS 'The products it binds: those whose attributes contain these; NULL: all';
COMMENT ON COLUMN xsell.rule.valid IS 'When it binds';
COMMENT ON COLUMN xsell.rule.expression IS 'Boolean expression; false and NULL both exclude';

CREATE TABLE xsell.cap (
	agent		text NOT NULL,
	cap			text NOT NULL CHECK (cap <> '' AND octet_length(cap) <= 200),
	product		text,
	channel		text,
	attributes	jsonb CHECK (jsonb_typeof(attributes) = 'object'),
	max_offers	integer NOT NULL CHECK (max_offers BETWEEN 0 AND 1000),
	per			interval NOT NULL CHECK (per > '0 seconds' AND per <= '100 years'),
	engaged		text CHECK (engaged IN ('reset', 'relax')),
	relaxed_offers	integer CHECK (relaxed_offers BETWEEN 0 AND 1000),
	PRIMARY KEY (agent, cap),
	CHECK ((engaged IS NOT DISTINCT FROM 'relax') = (relaxed_offers IS NOT NULL))
);
COMMENT ON TABLE xsell.cap IS 'Most offers that a customer may get of a product, through a channel, or at all, within a sliding period';
COMMENT ON COLUMN xsell.cap.product IS 'The product counted and capped; NULL: all together';
COMMENT ON COLUMN xsell.cap.channel IS 'The channel counted and capped; NULL: all together';
COMMENT ON COLUMN xsell.cap.max_offers IS 'Offers allowed within the period';
COMMENT ON COLUMN xsell.cap.per IS 'Length of the period';

COMMENT ON COLUMN xsell.cap.attributes IS 'The products counted and capped together: those whose attributes contain these; NULL: all';
COMMENT ON COLUMN xsell.cap.engaged IS 'What an engagement with one of the period''s offers does: reset (offers before it do not count), relax (relaxed_offers are allowed instead); NULL: nothing';
COMMENT ON COLUMN xsell.cap.relaxed_offers IS 'Offers allowed within the period for a customer who engaged with one of them';

CREATE TABLE xsell.quiet (
	agent			text NOT NULL,
	quiet			text NOT NULL CHECK (quiet <> '' AND octet_length(quiet) <= 200),
	channel			text,
	after_ignored	integer NOT NULL CHECK (after_ignored BETWEEN 1 AND 100),
	pause			interval NOT NULL CHECK (pause > '0 seconds' AND pause <= '100 years'),
	PRIMARY KEY (agent, quiet)
);
COMMENT ON TABLE xsell.quiet IS 'Pauses for customers who ignore offers: those whose observation window ended without any outcome';
COMMENT ON COLUMN xsell.quiet.channel IS 'The channel whose offers count and pause; NULL: all together';
COMMENT ON COLUMN xsell.quiet.after_ignored IS 'So many offers in a row, the last whose windows have ended, must have been ignored';
COMMENT ON COLUMN xsell.quiet.pause IS 'How long to pause after the last of them was made';

CREATE TABLE xsell.cooldown (
	agent		text NOT NULL,
	cooldown	text NOT NULL CHECK (cooldown <> '' AND octet_length(cooldown) <= 200),
	product		text,
	outcome		text NOT NULL DEFAULT 'decline',
	lasts		interval NOT NULL CHECK (lasts > '0 seconds' AND lasts <= '100 years'),
	PRIMARY KEY (agent, cooldown)
);
COMMENT ON TABLE xsell.cooldown IS 'A product is not offered again for some time after an outcome, such as a decline';
COMMENT ON COLUMN xsell.cooldown.product IS 'The product it is about; NULL: each';
COMMENT ON COLUMN xsell.cooldown.outcome IS 'The outcome that starts it';
COMMENT ON COLUMN xsell.cooldown.lasts IS 'How long it lasts, from the outcome on';

CREATE TABLE xsell.override (
	agent		text NOT NULL,
	override	text NOT NULL CHECK (override <> '' AND octet_length(override) <= 200),
	action		text NOT NULL CHECK (action IN ('force', 'block', 'boost')),
	product		text NOT NULL,
	channel		text,
	expression	text NOT NULL DEFAULT 'true',
	factor		float8 CHECK (factor > 0 AND factor <= 1000),
	reason		text NOT NULL CHECK (reason <> ''),
	author		text NOT NULL DEFAULT session_user,
	expires		timestamptz NOT NULL,
	PRIMARY KEY (agent, override),
	CHECK ((action = 'boost') = (factor IS NOT NULL))
);
COMMENT ON TABLE xsell.override IS 'Decisions of people: force, block or boost a product for some customers; never against rules, consent or caps';
COMMENT ON COLUMN xsell.override.action IS 'force: only this product, where it is allowed; block: never this product; boost: its value is multiplied';
COMMENT ON COLUMN xsell.override.expression IS 'Boolean expression: the customers it is for; where it yields NULL, block applies, force and boost do not';
COMMENT ON COLUMN xsell.override.factor IS 'boost: what the value is multiplied by';
COMMENT ON COLUMN xsell.override.reason IS 'Why, for the record';
COMMENT ON COLUMN xsell.override.author IS 'Who, for the record';
COMMENT ON COLUMN xsell.override.expires IS 'It ends by itself';

CREATE TABLE xsell.feed (
	agent			text NOT NULL,
	feed			text NOT NULL CHECK (feed <> '' AND octet_length(feed) <= 200),
	channel			text,
	longest_silence	interval NOT NULL CHECK (longest_silence > '0 seconds' AND longest_silence <= '100 years'),
	PRIMARY KEY (agent, feed)
);
COMMENT ON TABLE xsell.feed IS 'Feeds of outcomes that say that they are alive, by xsell_heartbeat: what a silent one would have reported is not taken for a no';
COMMENT ON COLUMN xsell.feed.channel IS 'The channel whose outcomes it brings; NULL: all';
COMMENT ON COLUMN xsell.feed.longest_silence IS 'After so long without a heartbeat it is silent: offers made since the last one are held back from learning until it is heard again';

CREATE TABLE xsell.market (
	indicator	text NOT NULL CHECK (indicator <> '' AND octet_length(indicator) <= 200),
	since		timestamptz NOT NULL,
	value		jsonb NOT NULL CHECK (jsonb_typeof(value) IN ('string', 'number', 'boolean', 'null')),
	PRIMARY KEY (indicator, since)
);
COMMENT ON TABLE xsell.market IS 'Market indicators over time: each row holds from since until the indicator''s next row';
COMMENT ON COLUMN xsell.market.indicator IS 'Expressions read it as market.INDICATOR';
COMMENT ON COLUMN xsell.market.value IS 'Number, string, boolean, or null for unknown; of one type for each indicator';

CREATE TABLE xsell.outcome_kind (
	agent		text NOT NULL,
	outcome		text NOT NULL CHECK (outcome <> '' AND octet_length(outcome) <= 200),
	reward		float8 NOT NULL CHECK (reward BETWEEN 0 AND 1),
	terminal	boolean NOT NULL DEFAULT false,
	engagement	boolean NOT NULL DEFAULT false,
	delivery	text CHECK (delivery IN ('delivered', 'undelivered')),
	reverses	text CHECK (reverses <> outcome),
	opt_out		text CHECK (opt_out IN ('channel', 'all')),
	harm		float8 NOT NULL DEFAULT 0 CHECK (harm BETWEEN 0 AND 1),
	PRIMARY KEY (agent, outcome),
	CONSTRAINT outcome_kind_undelivered_earns_nothing CHECK (delivery IS DISTINCT FROM 'undelivered' OR (reward = 0 AND harm = 0))
);
COMMENT ON TABLE xsell.outcome_kind IS 'Outcomes that xsell_reward accepts besides "conversion" (reward 1) and "decline" (reward 0), which every agent has';
COMMENT ON COLUMN xsell.outcome_kind.engagement IS 'The customer engaged: see xsell.cap.engaged; a conversion always does';
COMMENT ON COLUMN xsell.outcome_kind.terminal IS 'Nothing more is awaited after it: what the decision brought is final; conversion and decline are';
COMMENT ON COLUMN xsell.outcome_kind.delivery IS 'Report of a delivery. undelivered: the offer did not reach the customer, so it teaches nothing and is no contact, unless an outcome shows otherwise; delivered: it did. NULL: no report';
COMMENT ON COLUMN xsell.outcome_kind.reverses IS 'The outcome that it takes back, such as the conversion that a cancellation undoes';
COMMENT ON COLUMN xsell.outcome_kind.opt_out IS 'The customer withdraws consent to the offer''s channel, or to all, for the channel''s purpose';
COMMENT ON COLUMN xsell.outcome_kind.harm IS 'How bad the outcome is, in [0,1]: 1 for a complaint, say; a decision counts its worst outcome, and xsell.agent.harm_price prices it';
COMMENT ON COLUMN xsell.outcome_kind.reward IS 'What the outcome is worth to the learner, in [0,1]; a decision counts its best outcome';

CREATE TABLE xsell.policy (
	agent			text NOT NULL,
	policy_version	integer NOT NULL,
	definition		jsonb,
	published_at	timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	published_by	text NOT NULL DEFAULT session_user,
	client			text DEFAULT pg_catalog.concat_ws(' ', pg_catalog.inet_client_addr(), pg_catalog.current_setting('application_name', true)),
	PRIMARY KEY (agent, policy_version)
);
COMMENT ON TABLE xsell.policy IS 'History of policies: the whole definition of an agent at each version, from which decisions are made and replayed';
COMMENT ON COLUMN xsell.policy.definition IS 'Everything configured for the agent; NULL: the agent was deleted';
COMMENT ON COLUMN xsell.policy.published_by IS 'Session user whose statement made the change';
COMMENT ON COLUMN xsell.policy.client IS 'Address and application of the client that made it';

CREATE TABLE xsell.row_history (
	change		uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	part		text NOT NULL,
	before		jsonb,
	after		jsonb,
	changed_at	timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	changed_by	text NOT NULL DEFAULT session_user,
	client		text DEFAULT pg_catalog.concat_ws(' ', pg_catalog.inet_client_addr(), pg_catalog.current_setting('application_name', true))
);
COMMENT ON TABLE xsell.row_history IS 'Changes of the policy tables that belong to no agent, product and market, row by row; those of agents are in xsell.policy';
COMMENT ON COLUMN xsell.row_history.part IS 'The table: product or market';
COMMENT ON COLUMN xsell.row_history.before IS 'The row before; NULL: it was inserted';
COMMENT ON COLUMN xsell.row_history.after IS 'The row after; NULL: it was deleted';
COMMENT ON COLUMN xsell.row_history.changed_by IS 'Session user who made the change';
COMMENT ON COLUMN xsell.row_history.client IS 'Address and application of the client that made it';

-- Runs as its owner, so that editors need no rights on the history.  The dump of a
-- database is restored by the owner's members with check_function_bodies off.
CREATE FUNCTION xsell.note_change() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF current_setting('check_function_bodies')::boolean OR NOT pg_has_role(session_user, current_user, 'member') THEN
		INSERT INTO xsell.row_history (part, before, after) VALUES (TG_TABLE_NAME,
			CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION xsell.note_change() IS 'Trigger of product and market: keeps their history';

CREATE FUNCTION xsell.refuse_truncate() RETURNS trigger
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION 'table xsell.% cannot be truncated', TG_TABLE_NAME
		USING ERRCODE = 'feature_not_supported', DETAIL = 'Its history is kept row by row.', HINT = 'Use DELETE.';
END
$$;
COMMENT ON FUNCTION xsell.refuse_truncate() IS 'Trigger of product and market: TRUNCATE would pass their history by';

CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON xsell.product
	FOR EACH ROW EXECUTE FUNCTION xsell.note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON xsell.market
	FOR EACH ROW EXECUTE FUNCTION xsell.note_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON xsell.product
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON xsell.market
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.refuse_truncate();

CREATE VIEW xsell.product_group AS
SELECT o.agent, o.product, s.similar_by
FROM xsell.offer o JOIN xsell.agent a USING (agent) JOIN xsell.product p USING (product)
CROSS JOIN LATERAL (SELECT jsonb_object_agg(k, (p.attributes || jsonb_build_object('credit', p.credit))->k) AS similar_by FROM unnest(a.similarity) k) s
WHERE a.similarity IS NOT NULL;
COMMENT ON VIEW xsell.product_group IS 'Offers and the attributes by which an agent takes products for similar: equal values, similar products; null is equal to nothing';

CREATE FUNCTION xsell.publish() RETURNS trigger
	LANGUAGE c AS 'MODULE_PATHNAME', 'xsell_publish';
COMMENT ON FUNCTION xsell.publish() IS 'Trigger of the policy tables: compiles and stores a new version of every policy that the statement changed';

CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.product
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.agent
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.channel
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.offer
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.feature
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.rule
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.cap
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.quiet
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.cooldown
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.override
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.market
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.feed
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();
CREATE TRIGGER publish AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON xsell.outcome_kind
	FOR EACH STATEMENT EXECUTE FUNCTION xsell.publish();

SELECT pg_catalog.pg_extension_config_dump('xsell.product', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.agent', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.channel', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.offer', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.feature', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.rule', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.cap', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.quiet', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.cooldown', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.override', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.market', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.row_history', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.outcome_kind', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.feed', '');
SELECT pg_catalog.pg_extension_config_dump('xsell.policy', '');
