/*
 * journal.sql: the journal's types, its tables, and its ids.
 *
 * The tables are created by a call and belong to its caller, not to the
 * extension: partitioned tables that belong to an extension do not survive dump
 * and restore.  No sequences, foreign keys or triggers: every row can be routed
 * by its customer key, and is written once (contact, evidence and learner
 * apart).  Nor CHECK constraints on what every decision writes: the executor
 * parses them anew for every statement, which for a decision's row takes longer
 * than to insert it.  The writer checks instead (writer.c, contact.c).
 */

/* The candidates of a decision. */

CREATE TYPE @extschema@.xsell_candidates;

CREATE FUNCTION @extschema@.xsell_candidates_in(cstring) RETURNS @extschema@.xsell_candidates
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_candidates_in';
CREATE FUNCTION @extschema@.xsell_candidates_out(@extschema@.xsell_candidates) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_candidates_out';
CREATE FUNCTION @extschema@.xsell_candidates_recv(internal) RETURNS @extschema@.xsell_candidates
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_candidates_recv';
CREATE FUNCTION @extschema@.xsell_candidates_send(@extschema@.xsell_candidates) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_candidates_send';
COMMENT ON FUNCTION @extschema@.xsell_candidates_in(cstring) IS 'I/O';
COMMENT ON FUNCTION @extschema@.xsell_candidates_out(@extschema@.xsell_candidates) IS 'I/O';
COMMENT ON FUNCTION @extschema@.xsell_candidates_recv(internal) IS 'I/O';
COMMENT ON FUNCTION @extschema@.xsell_candidates_send(@extschema@.xsell_candidates) IS 'I/O';

CREATE TYPE @extschema@.xsell_candidates (
	INPUT = @extschema@.xsell_candidates_in,
	OUTPUT = @extschema@.xsell_candidates_out,
	RECEIVE = @extschema@.xsell_candidates_recv,
	SEND = @extschema@.xsell_candidates_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE @extschema@.xsell_candidates IS 'All candidates of a decision, each with its prediction and probability, or the reason why it was excluded';

CREATE FUNCTION @extschema@.xsell_candidates_eq(@extschema@.xsell_candidates, @extschema@.xsell_candidates) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_candidates_eq';
COMMENT ON FUNCTION @extschema@.xsell_candidates_eq(@extschema@.xsell_candidates, @extschema@.xsell_candidates) IS 'implementation of = operator';

CREATE OPERATOR @extschema@.= (
	LEFTARG = @extschema@.xsell_candidates,
	RIGHTARG = @extschema@.xsell_candidates,
	FUNCTION = @extschema@.xsell_candidates_eq,
	COMMUTATOR = OPERATOR(@extschema@.=),
	RESTRICT = pg_catalog.eqsel,
	JOIN = pg_catalog.eqjoinsel
);
COMMENT ON OPERATOR @extschema@.= (@extschema@.xsell_candidates, @extschema@.xsell_candidates) IS 'the same candidates, bit for bit';

CREATE FUNCTION @extschema@.xsell_candidates_list(candidates @extschema@.xsell_candidates)
	RETURNS TABLE (arm integer, excluded text, mean real, sd real, value real, cost real,
				   propensity float8, probability float8, tail real[])
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'xsell_candidates_list';
COMMENT ON FUNCTION @extschema@.xsell_candidates_list(@extschema@.xsell_candidates) IS 'The candidates as rows';

/* Ids of decisions and outcomes. */

CREATE FUNCTION @extschema@.xsell_decided_at(decision_id bigint) RETURNS timestamptz
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_decided_at';
COMMENT ON FUNCTION @extschema@.xsell_decided_at(bigint) IS 'When an id was made, to the millisecond';

CREATE FUNCTION @extschema@.xsell_id_at(moment timestamptz) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'xsell_id_at';
COMMENT ON FUNCTION @extschema@.xsell_id_at(timestamptz) IS 'Smallest id of that millisecond: decisions from then on are decision_id >= xsell_id_at(moment)';

/* The tables. */

CREATE FUNCTION @extschema@.xsell_create_journal(key_type regtype) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $create$
BEGIN
	IF to_regclass('xsell.decision') IS NOT NULL THEN
		RAISE EXCEPTION 'the journal already exists'
			USING ERRCODE = 'duplicate_table',
				  DETAIL = 'xsell.decision belongs to ' || (SELECT relowner::regrole::text FROM pg_class WHERE oid = 'xsell.decision'::regclass) || '.',
				  HINT = 'One journal serves all agents of a database.';
	END IF;
	IF key_type IS NULL THEN
		RAISE EXCEPTION 'the journal needs the type of the customer key'
			USING ERRCODE = 'null_value_not_allowed',
				  HINT = 'For example: SELECT xsell_create_journal(''bigint'').';
	END IF;

	EXECUTE format($ddl$
CREATE TABLE xsell.decision (
	decision_id			bigint NOT NULL,
	customer_key		%1$s NOT NULL,
	agent				text NOT NULL,
	cohort				text NOT NULL,
	product				text,
	channel				text,
	probability			float8,
	expected			float8,
	value				real,
	cost				real,
	weight				float8,
	awaits_delivery		boolean NOT NULL DEFAULT false,
	mode				text NOT NULL,
	reason				text NOT NULL,
	policy_version		integer NOT NULL,
	model_version		bigint NOT NULL,
	encoding			integer NOT NULL,
	linear_predictor	float8,
	features			real[],
	candidates			@extschema@.xsell_candidates NOT NULL,
	contribution_columns	smallint[],
	contributions		real[],
	segment				text,
	forecasts			real[],
	overrides			text[],
	reads				jsonb,
	request_key			text,
	decided_by			text NOT NULL,
	breach				text,
	PRIMARY KEY (decision_id)
) PARTITION BY RANGE (decision_id)
$ddl$, key_type);
	EXECUTE 'CREATE TABLE xsell.decision_default PARTITION OF xsell.decision DEFAULT';
	COMMENT ON TABLE xsell.decision IS 'Decision log: one row per decision, "no offer" included; append-only, but for customers who are forgotten and the weight of imports that are removed';
	COMMENT ON COLUMN xsell.decision.decision_id IS 'Identifier in time order; xsell_decided_at tells when';
	COMMENT ON COLUMN xsell.decision.customer_key IS 'Whom it was made for';
	COMMENT ON COLUMN xsell.decision.agent IS 'The agent that made it';
	COMMENT ON COLUMN xsell.decision.cohort IS 'agent: its strategy drew; control: the draw was uniform; imported: it was made elsewhere, before';
	COMMENT ON COLUMN xsell.decision.product IS 'The product offered; NULL: no offer';
	COMMENT ON COLUMN xsell.decision.channel IS 'How the offer reaches the customer; without an offer, the channel asked for, if any';
	COMMENT ON COLUMN xsell.decision.probability IS 'Chance with which the arm was drawn';
	COMMENT ON COLUMN xsell.decision.expected IS 'Expected reward of the arm: value times rate, less cost';
	COMMENT ON COLUMN xsell.decision.value IS 'What a conversion is worth, by the offer''s value expression and lever';
	COMMENT ON COLUMN xsell.decision.cost IS 'What making the offer costs, by the offer''s cost expression';
	COMMENT ON COLUMN xsell.decision.weight IS 'Observations that the decision counts for when it is learned; NULL: 1';
	COMMENT ON COLUMN xsell.decision.awaits_delivery IS 'The channel reports deliveries: nothing is learned before the offer has reached the customer';
	COMMENT ON COLUMN xsell.decision.mode IS 'exploit, explore, control, fallback, imported, or none: no offer';
	COMMENT ON COLUMN xsell.decision.reason IS 'Why it came out like this; of an imported one, the import';
	COMMENT ON COLUMN xsell.decision.policy_version IS 'Version of xsell.policy it was made under';
	COMMENT ON COLUMN xsell.decision.model_version IS 'Version of the evidence it was made with';
	COMMENT ON COLUMN xsell.decision.encoding IS 'Policy version that introduced the layout of the features';
	COMMENT ON COLUMN xsell.decision.linear_predictor IS 'Linear predictor of the arm drawn, as it was then';
	COMMENT ON COLUMN xsell.decision.features IS 'Features of the arm drawn, as the model saw them';
	COMMENT ON COLUMN xsell.decision.candidates IS 'Every candidate: prediction and probability, or the reason of exclusion';
	COMMENT ON COLUMN xsell.decision.contribution_columns IS 'Features, numbered from 0, that contributed most to the linear predictor';
	COMMENT ON COLUMN xsell.decision.contributions IS 'What they contributed';
	COMMENT ON COLUMN xsell.decision.segment IS 'The customer''s segment, if the agent has one';
	COMMENT ON COLUMN xsell.decision.forecasts IS 'Rates expected of the arm drawn: by the propensity or prior rate, by the product''s rate, by its rate in the segment, by the features; NaN where there is none';
	COMMENT ON COLUMN xsell.decision.overrides IS 'Overrides by people that had an effect';
	COMMENT ON COLUMN xsell.decision.reads IS 'What failed conditions read, columns, market.NAME and context.KEY, with their values as text';
	COMMENT ON COLUMN xsell.decision.request_key IS 'The caller''s key of the request, by which a repeat is recognised';
	COMMENT ON COLUMN xsell.decision.decided_by IS 'Session user';
	COMMENT ON COLUMN xsell.decision.breach IS 'Consent or contact policy that the offer breaks, if it was decided elsewhere and recorded here';
	COMMENT ON TABLE xsell.decision_default IS 'Decisions that no other partition covers';

	EXECUTE format($ddl$
CREATE TABLE xsell.outcome (
	outcome_id		bigint NOT NULL,
	decision_id		bigint NOT NULL,
	customer_key	%1$s NOT NULL,
	agent			text NOT NULL,
	outcome			text NOT NULL,
	reward			float8 NOT NULL,
	harm			float8 NOT NULL DEFAULT 0,
	terminal		boolean NOT NULL DEFAULT false,
	delivery		text,
	reverses		text,
	value			float8,
	occurred_at		timestamptz NOT NULL,
	event_id		text,
	recorded_by		text NOT NULL,
	PRIMARY KEY (decision_id, outcome)
)
$ddl$, key_type);
	EXECUTE 'CREATE INDEX ON xsell.outcome (agent, outcome_id)';
	EXECUTE 'CREATE UNIQUE INDEX ON xsell.outcome (event_id, customer_key) WHERE event_id IS NOT NULL';
	EXECUTE 'CREATE INDEX ON xsell.outcome (decision_id) WHERE reverses IS NOT NULL';
	COMMENT ON TABLE xsell.outcome IS 'Outcome log: what was observed of decisions; append-only';
	COMMENT ON COLUMN xsell.outcome.outcome_id IS 'Identifier in the order of recording; xsell_decided_at tells when';
	COMMENT ON COLUMN xsell.outcome.decision_id IS 'The decision it is about';
	COMMENT ON COLUMN xsell.outcome.customer_key IS 'Its customer';
	COMMENT ON COLUMN xsell.outcome.agent IS 'Its agent';
	COMMENT ON COLUMN xsell.outcome.outcome IS 'Kind of outcome: conversion, decline, or one of xsell.outcome_kind';
	COMMENT ON COLUMN xsell.outcome.reward IS 'What it is worth to the learner, in [0,1]';
	COMMENT ON COLUMN xsell.outcome.harm IS 'How bad it is, in [0,1]';
	COMMENT ON COLUMN xsell.outcome.terminal IS 'Nothing more is awaited after it: what the decision brought is final';
	COMMENT ON COLUMN xsell.outcome.delivery IS 'delivered, undelivered; NULL: it is no report of a delivery';
	COMMENT ON COLUMN xsell.outcome.reverses IS 'The outcome of the same decision that it takes back; NULL: none';
	COMMENT ON COLUMN xsell.outcome.value IS 'Value in the bank''s own unit: as given, else the decision''s value times the reward';
	COMMENT ON COLUMN xsell.outcome.event_id IS 'The feed''s own identifier of the event, by which a repeat is recognised';
	COMMENT ON COLUMN xsell.outcome.occurred_at IS 'When it happened';
	COMMENT ON COLUMN xsell.outcome.recorded_by IS 'Session user';

	EXECUTE format($ddl$
CREATE TABLE xsell.intake (
	decision_id		bigint,
	customer_key	%1$s,
	product			text,
	agent			text,
	outcome			text,
	value			float8,
	occurred_at		timestamptz,
	event_id		text,
	arrived_at		timestamptz NOT NULL DEFAULT pg_catalog.now(),
	arrived_by		text NOT NULL DEFAULT session_user
)
$ddl$, key_type);
	EXECUTE 'ALTER TABLE xsell.intake REPLICA IDENTITY FULL';	-- it has no key, and may be published
	COMMENT ON TABLE xsell.intake IS 'Outcomes as feeds load them, until xsell_take_in records them';
	COMMENT ON COLUMN xsell.intake.decision_id IS 'The decision it is about; NULL: the last offer of the product to the customer';
	COMMENT ON COLUMN xsell.intake.customer_key IS 'Its customer, where there is no decision_id';
	COMMENT ON COLUMN xsell.intake.product IS 'The product, likewise';
	COMMENT ON COLUMN xsell.intake.agent IS 'The agent, likewise; NULL: any';
	COMMENT ON COLUMN xsell.intake.outcome IS 'Kind of outcome';
	COMMENT ON COLUMN xsell.intake.value IS 'Value in the bank''s own unit; NULL: the decision''s value times the reward';
	COMMENT ON COLUMN xsell.intake.occurred_at IS 'When it happened; NULL: when it arrived';
	COMMENT ON COLUMN xsell.intake.event_id IS 'The feed''s own identifier of the event';
	COMMENT ON COLUMN xsell.intake.arrived_at IS 'When it was loaded';
	COMMENT ON COLUMN xsell.intake.arrived_by IS 'Session user who loaded it';

	EXECUTE format($ddl$
CREATE TABLE xsell.dangling (
	dangling_id		bigint PRIMARY KEY,
	decision_id		bigint,
	customer_key	%1$s,
	agent			text,
	product			text,
	outcome			text,
	value			float8,
	occurred_at		timestamptz NOT NULL,
	event_id		text,
	reason			text NOT NULL,
	noted_at		timestamptz NOT NULL,
	noted_by		text NOT NULL
)
$ddl$, key_type);
	COMMENT ON TABLE xsell.dangling IS 'Outcomes that could not be recorded, as they were reported';
	COMMENT ON COLUMN xsell.dangling.dangling_id IS 'Identifier in time order';
	COMMENT ON COLUMN xsell.dangling.decision_id IS 'The decision named, if one was';
	COMMENT ON COLUMN xsell.dangling.customer_key IS 'The customer named, if one was';
	COMMENT ON COLUMN xsell.dangling.agent IS 'The agent named, if one was';
	COMMENT ON COLUMN xsell.dangling.product IS 'The product named, if one was';
	COMMENT ON COLUMN xsell.dangling.outcome IS 'Kind of outcome';
	COMMENT ON COLUMN xsell.dangling.value IS 'Value, as given';
	COMMENT ON COLUMN xsell.dangling.occurred_at IS 'When it happened';
	COMMENT ON COLUMN xsell.dangling.event_id IS 'The feed''s own identifier of the event';
	COMMENT ON COLUMN xsell.dangling.reason IS 'Why it could not be recorded';
	COMMENT ON COLUMN xsell.dangling.noted_at IS 'When it was reported';
	COMMENT ON COLUMN xsell.dangling.noted_by IS 'Session user who reported it';

	EXECUTE $ddl$
CREATE TABLE xsell.experience (
	decision_id		bigint NOT NULL,
	model_version	bigint NOT NULL,
	agent			text NOT NULL,
	weight			float8 NOT NULL DEFAULT 1,
	reward			float8 NOT NULL,
	harm			float8 NOT NULL DEFAULT 0,
	previous_weight	float8,
	previous		float8,
	previous_harm	float8,
	learned_at		timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (decision_id, model_version)
)
$ddl$;
	EXECUTE 'CREATE INDEX ON xsell.experience (agent, model_version)';
	COMMENT ON TABLE xsell.experience IS 'What was learned from each decision; append-only';
	COMMENT ON COLUMN xsell.experience.decision_id IS 'The decision';
	COMMENT ON COLUMN xsell.experience.model_version IS 'Version of the evidence that learned it first';
	COMMENT ON COLUMN xsell.experience.agent IS 'Its agent';
	COMMENT ON COLUMN xsell.experience.weight IS 'Observations that it counts for from this version on; 0: nothing is learned from it';
	COMMENT ON COLUMN xsell.experience.previous_weight IS 'Weight that counted before; NULL: the decision was new';
	COMMENT ON COLUMN xsell.experience.reward IS 'Reward that counts from this version on';
	COMMENT ON COLUMN xsell.experience.harm IS 'Harm that counts from this version on';
	COMMENT ON COLUMN xsell.experience.previous IS 'Reward that counted before and was taken back; NULL: the decision was new';
	COMMENT ON COLUMN xsell.experience.learned_at IS 'Time of the transaction that learned it, by the server''s clock';
	COMMENT ON COLUMN xsell.experience.previous_harm IS 'Harm that counted before and was taken back; NULL: the decision was new';

	EXECUTE $ddl$
CREATE TABLE xsell.evidence (
	agent			text NOT NULL,
	product			text NOT NULL,
	encoding		integer NOT NULL,
	bucket			date NOT NULL,
	source			text NOT NULL,
	model_version	bigint NOT NULL,
	beta			@extschema@.xsell_beta NOT NULL,
	glm				@extschema@.xsell_glm NOT NULL,
	score			@extschema@.xsell_score NOT NULL,
	harm			@extschema@.xsell_beta NOT NULL,
	PRIMARY KEY (agent, product, encoding, bucket, source)
) WITH (toast_tuple_target = 8160)
$ddl$;
	-- A state that changes with every lesson is kept in its row, as it is: to
	-- compress it, or to move it out of line, cost more than the rest of the lesson.
	EXECUTE 'ALTER TABLE xsell.evidence ALTER COLUMN glm SET STORAGE EXTERNAL';
	COMMENT ON TABLE xsell.evidence IS 'Exact sums that decisions and their rewards leave, by week of the decision';
	COMMENT ON COLUMN xsell.evidence.agent IS 'The agent that learned';
	COMMENT ON COLUMN xsell.evidence.product IS 'The product offered';
	COMMENT ON COLUMN xsell.evidence.encoding IS 'Layout of the features summed: decision.encoding';
	COMMENT ON COLUMN xsell.evidence.bucket IS 'Monday, UTC, of the week of the decisions';
	COMMENT ON COLUMN xsell.evidence.source IS 'Which decisions taught it: agent or control (the cohort), imported, simulated (made under a simulated clock); xsell.agent.teaches says which count';
	COMMENT ON COLUMN xsell.evidence.model_version IS 'Version that changed it last';
	COMMENT ON COLUMN xsell.evidence.beta IS 'Sums without features';
	COMMENT ON COLUMN xsell.evidence.glm IS 'Sums over the features';
	COMMENT ON COLUMN xsell.evidence.score IS 'How well the logged forecasts predicted the rewards';
	COMMENT ON COLUMN xsell.evidence.harm IS 'Sums of the harm of outcomes, in the place of rewards';

	EXECUTE $ddl$
CREATE TABLE xsell.segment_evidence (
	agent			text NOT NULL,
	product			text NOT NULL,
	segment			text NOT NULL,
	bucket			date NOT NULL,
	source			text NOT NULL,
	model_version	bigint NOT NULL,
	beta			@extschema@.xsell_beta NOT NULL,
	PRIMARY KEY (agent, product, segment, bucket, source)
)
$ddl$;
	COMMENT ON TABLE xsell.segment_evidence IS 'Exact sums of rewards by segment, of decisions that logged one, by week of the decision';
	COMMENT ON COLUMN xsell.segment_evidence.agent IS 'The agent that learned';
	COMMENT ON COLUMN xsell.segment_evidence.product IS 'The product offered';
	COMMENT ON COLUMN xsell.segment_evidence.segment IS 'The customers'' segment: decision.segment';
	COMMENT ON COLUMN xsell.segment_evidence.bucket IS 'Monday, UTC, of the week of the decisions';
	COMMENT ON COLUMN xsell.segment_evidence.source IS 'Which decisions taught it: see xsell.evidence';
	COMMENT ON COLUMN xsell.segment_evidence.model_version IS 'Version that changed it last';
	COMMENT ON COLUMN xsell.segment_evidence.beta IS 'Sums of their rewards';

	EXECUTE $ddl$
CREATE TABLE xsell.learner (
	agent			text PRIMARY KEY,
	model_version	bigint NOT NULL DEFAULT 0,
	folded_to		bigint NOT NULL DEFAULT 0,
	outcomes_to		bigint NOT NULL DEFAULT 0,
	fence_xid		xid8,
	fence_id		bigint,
	learned_at		timestamptz,
	failed_at		timestamptz,
	failure			text
)
$ddl$;
	COMMENT ON TABLE xsell.learner IS 'Progress of each agent''s learner; its row is locked while learning';
	COMMENT ON COLUMN xsell.learner.agent IS 'The agent';
	COMMENT ON COLUMN xsell.learner.model_version IS 'Current version of its evidence';
	COMMENT ON COLUMN xsell.learner.folded_to IS 'Decisions below this id are learned, those of xsell.late excepted';
	COMMENT ON COLUMN xsell.learner.outcomes_to IS 'Outcomes below this id are learned';
	COMMENT ON COLUMN xsell.learner.fence_xid IS 'Once no older transaction runs, all decisions below fence_id are known';
	COMMENT ON COLUMN xsell.learner.fence_id IS 'See fence_xid';
	COMMENT ON COLUMN xsell.learner.learned_at IS 'When the evidence changed last';
	COMMENT ON COLUMN xsell.learner.failed_at IS 'When learning in the background failed last; NULL: it has succeeded since';
	COMMENT ON COLUMN xsell.learner.failure IS 'The error message of that';

	EXECUTE $ddl$
CREATE TABLE xsell.late (
	decision_id		bigint PRIMARY KEY,
	agent			text NOT NULL
)
$ddl$;
	COMMENT ON TABLE xsell.late IS 'Decisions recorded out of order, to be learned by id';
	COMMENT ON COLUMN xsell.late.decision_id IS 'The decision';
	COMMENT ON COLUMN xsell.late.agent IS 'Its agent';

	EXECUTE $ddl$
CREATE TABLE xsell.held (
	agent			text NOT NULL,
	decision_id		bigint NOT NULL,
	channel			text NOT NULL,
	PRIMARY KEY (agent, channel, decision_id)
)
$ddl$;
	COMMENT ON TABLE xsell.held IS 'Decisions of channels whose outcome feed is silent: learned once it is heard again';
	COMMENT ON COLUMN xsell.held.agent IS 'Its agent';
	COMMENT ON COLUMN xsell.held.decision_id IS 'The decision';
	COMMENT ON COLUMN xsell.held.channel IS 'Its channel';

	EXECUTE $ddl$
CREATE TABLE xsell.heartbeat (
	agent			text NOT NULL,
	feed			text NOT NULL,
	beat_at			timestamptz NOT NULL,
	noted_at		timestamptz NOT NULL,
	PRIMARY KEY (agent, feed)
)
$ddl$;
	COMMENT ON TABLE xsell.heartbeat IS 'When outcome feeds were last known to be complete: see xsell_heartbeat';
	COMMENT ON COLUMN xsell.heartbeat.agent IS 'The agent';
	COMMENT ON COLUMN xsell.heartbeat.feed IS 'The feed: xsell.feed';
	COMMENT ON COLUMN xsell.heartbeat.beat_at IS 'All outcomes that happened until then have been delivered';
	COMMENT ON COLUMN xsell.heartbeat.noted_at IS 'When it was said';

	EXECUTE $ddl$
CREATE TABLE xsell.refit (
	agent			text NOT NULL,
	refit			bigint NOT NULL,
	model_version	bigint NOT NULL,
	policy_version	integer NOT NULL,
	encoding		integer NOT NULL,
	since			date,
	decisions		bigint NOT NULL,
	passes			integer NOT NULL,
	movement		float8 NOT NULL,
	started_at		timestamptz NOT NULL,
	finished_at		timestamptz NOT NULL,
	refitted_by		text NOT NULL,
	PRIMARY KEY (agent, refit)
)
$ddl$;
	COMMENT ON TABLE xsell.refit IS 'Candidates of xsell_refit: all experience of a model version, linearised anew';
	COMMENT ON COLUMN xsell.refit.agent IS 'The agent';
	COMMENT ON COLUMN xsell.refit.refit IS 'Number, from 1';
	COMMENT ON COLUMN xsell.refit.model_version IS 'The version whose experience it was made from; what was learned later counts on top';
	COMMENT ON COLUMN xsell.refit.policy_version IS 'Policy under which it was made';
	COMMENT ON COLUMN xsell.refit.encoding IS 'Layout of its coefficients';
	COMMENT ON COLUMN xsell.refit.since IS 'First week that it linearised anew, if decisions of earlier weeks are not all in the log any more; what was learned from these stays as it is. NULL: all weeks';
	COMMENT ON COLUMN xsell.refit.decisions IS 'Decisions linearised';
	COMMENT ON COLUMN xsell.refit.passes IS 'Passes over the experience';
	COMMENT ON COLUMN xsell.refit.movement IS 'How far the last pass moved a coefficient at most, in posterior standard deviations; below 0.01 it has settled';
	COMMENT ON COLUMN xsell.refit.started_at IS 'When it was begun';
	COMMENT ON COLUMN xsell.refit.finished_at IS 'When it was done';
	COMMENT ON COLUMN xsell.refit.refitted_by IS 'Session user';

	EXECUTE $ddl$
CREATE TABLE xsell.refit_mean (
	agent			text NOT NULL,
	refit			bigint NOT NULL,
	product			text NOT NULL,
	mean			float8[] NOT NULL,
	PRIMARY KEY (agent, refit, product)
)
$ddl$;
	COMMENT ON TABLE xsell.refit_mean IS 'Coefficients at which a refit''s evidence is linearised';
	COMMENT ON COLUMN xsell.refit_mean.agent IS 'The agent';
	COMMENT ON COLUMN xsell.refit_mean.refit IS 'The refit';
	COMMENT ON COLUMN xsell.refit_mean.product IS 'The product';
	COMMENT ON COLUMN xsell.refit_mean.mean IS 'By column of the layout';

	EXECUTE $ddl$
CREATE TABLE xsell.refit_evidence (
	agent			text NOT NULL,
	refit			bigint NOT NULL,
	product			text NOT NULL,
	encoding		integer NOT NULL,
	bucket			date NOT NULL,
	source			text NOT NULL,
	before			@extschema@.xsell_glm,
	after			@extschema@.xsell_glm,
	PRIMARY KEY (agent, refit, product, encoding, bucket, source)
)
$ddl$;
	EXECUTE 'ALTER TABLE xsell.refit_evidence ALTER COLUMN before SET STORAGE EXTERNAL, ALTER COLUMN after SET STORAGE EXTERNAL';
	COMMENT ON TABLE xsell.refit_evidence IS 'What a refit changes: models are made from xsell.evidence - before + after';
	COMMENT ON COLUMN xsell.refit_evidence.agent IS 'The agent';
	COMMENT ON COLUMN xsell.refit_evidence.refit IS 'The refit';
	COMMENT ON COLUMN xsell.refit_evidence.product IS 'The product offered';
	COMMENT ON COLUMN xsell.refit_evidence.encoding IS 'Layout of the features summed';
	COMMENT ON COLUMN xsell.refit_evidence.bucket IS 'Monday, UTC, of the week of the decisions';
	COMMENT ON COLUMN xsell.refit_evidence.source IS 'Which decisions taught it: see xsell.evidence';
	COMMENT ON COLUMN xsell.refit_evidence.before IS 'xsell.evidence.glm when the refit was made';
	COMMENT ON COLUMN xsell.refit_evidence.after IS 'The same decisions, linearised anew, in the refit''s layout';

	EXECUTE $ddl$
CREATE TABLE xsell.promotion (
	agent			text NOT NULL,
	model_version	bigint NOT NULL,
	refit			bigint NOT NULL,
	rolls_back		bigint,
	reason			text,
	promoted_at		timestamptz NOT NULL,
	promoted_by		text NOT NULL,
	PRIMARY KEY (agent, model_version)
)
$ddl$;
	COMMENT ON TABLE xsell.promotion IS 'Which refit was in effect from which model version on; append-only';
	COMMENT ON COLUMN xsell.promotion.agent IS 'The agent';
	COMMENT ON COLUMN xsell.promotion.model_version IS 'First version made with it';
	COMMENT ON COLUMN xsell.promotion.refit IS 'The refit; 0: none';
	COMMENT ON COLUMN xsell.promotion.rolls_back IS 'The promotion, by its model version, that this one undid; NULL: none';
	COMMENT ON COLUMN xsell.promotion.reason IS 'Why, for the record';
	COMMENT ON COLUMN xsell.promotion.promoted_at IS 'When';
	COMMENT ON COLUMN xsell.promotion.promoted_by IS 'Session user';

	EXECUTE format($ddl$
CREATE TABLE xsell.contact (
	customer_key	%1$s PRIMARY KEY,
	decision_id		bigint[] NOT NULL,
	agent			text[] NOT NULL,
	product			text[] NOT NULL,
	channel			text[] NOT NULL
) WITH (fillfactor = 80)
$ddl$, key_type);
	COMMENT ON TABLE xsell.contact IS 'Contact ledger: the recent offers of each customer, which caps count';
	COMMENT ON COLUMN xsell.contact.customer_key IS 'The customer';
	COMMENT ON COLUMN xsell.contact.decision_id IS 'Decisions that offered something, oldest first';
	COMMENT ON COLUMN xsell.contact.agent IS 'Their agents';
	COMMENT ON COLUMN xsell.contact.product IS 'The products offered';
	COMMENT ON COLUMN xsell.contact.channel IS 'The channels they were offered through';

	EXECUTE format($ddl$
CREATE TABLE xsell.consent (
	customer_key	%1$s NOT NULL,
	channel			text NOT NULL,
	purpose			text NOT NULL,
	granted			boolean NOT NULL,
	changed_at		timestamptz NOT NULL DEFAULT pg_catalog.now(),
	decision_id		bigint,
	PRIMARY KEY (customer_key, channel, purpose)
)
$ddl$, key_type);
	COMMENT ON TABLE xsell.consent IS 'What customers said about being contacted; a refusal binds the next call';
	COMMENT ON COLUMN xsell.consent.customer_key IS 'The customer';
	COMMENT ON COLUMN xsell.consent.channel IS 'The channel, or * for all';
	COMMENT ON COLUMN xsell.consent.purpose IS 'What contacts are for (xsell.channel.purpose), or * for all';
	COMMENT ON COLUMN xsell.consent.granted IS 'Given or refused';
	COMMENT ON COLUMN xsell.consent.changed_at IS 'When it was said';
	COMMENT ON COLUMN xsell.consent.decision_id IS 'The offer whose outcome said it; NULL: said otherwise';

	EXECUTE format($ddl$
CREATE TABLE xsell.request (
	customer_key	%1$s NOT NULL,
	agent			text NOT NULL,
	request_key		text NOT NULL,
	decision_id		bigint NOT NULL,
	PRIMARY KEY (customer_key, agent, request_key)
)
$ddl$, key_type);
	COMMENT ON TABLE xsell.request IS 'Decisions by the caller''s request key';
	COMMENT ON COLUMN xsell.request.customer_key IS 'The customer';
	COMMENT ON COLUMN xsell.request.agent IS 'The agent asked';
	COMMENT ON COLUMN xsell.request.request_key IS 'The caller''s key';
	COMMENT ON COLUMN xsell.request.decision_id IS 'The decision it was answered with';

	EXECUTE $ddl$
CREATE TABLE xsell.import (
	agent			text NOT NULL,
	import			text NOT NULL,
	first_week		date NOT NULL,
	last_week		date NOT NULL,
	imported_in		xid8 NOT NULL,
	imported_at		timestamptz NOT NULL,
	imported_by		text NOT NULL,
	removed_at		timestamptz,
	removed_by		text,
	removed			bigint,
	learned_in		bigint,
	removed_in		bigint,
	PRIMARY KEY (agent, import)
)
$ddl$;
	COMMENT ON TABLE xsell.import IS 'Imports of history: their decisions are those of cohort imported that have the import''s name as reason';
	COMMENT ON COLUMN xsell.import.agent IS 'The agent';
	COMMENT ON COLUMN xsell.import.import IS 'Its name';
	COMMENT ON COLUMN xsell.import.first_week IS 'Monday, UTC, of the week of its earliest decision';
	COMMENT ON COLUMN xsell.import.last_week IS 'Monday, UTC, of the week of its latest decision';
	COMMENT ON COLUMN xsell.import.imported_in IS 'The transaction that made it: no other can add to it';
	COMMENT ON COLUMN xsell.import.imported_at IS 'When';
	COMMENT ON COLUMN xsell.import.imported_by IS 'Session user';
	COMMENT ON COLUMN xsell.import.removed_at IS 'When it was removed: it teaches nothing any more; NULL: it was not';
	COMMENT ON COLUMN xsell.import.removed_by IS 'Session user';
	COMMENT ON COLUMN xsell.import.removed IS 'Decisions that it was then';
	COMMENT ON COLUMN xsell.import.learned_in IS 'First model version that had learned from it, once it is removed; NULL: none had';
	COMMENT ON COLUMN xsell.import.removed_in IS 'First model version without it: refits of versions from learned_in up to before it are void';

	EXECUTE $ddl$
CREATE TABLE xsell.forgotten (
	agent			text NOT NULL,
	model_version	bigint NOT NULL,
	first_version	bigint,
	decisions		bigint NOT NULL,
	forgotten_at	timestamptz NOT NULL,
	forgotten_by	text NOT NULL,
	PRIMARY KEY (agent, model_version)
)
$ddl$;
	COMMENT ON TABLE xsell.forgotten IS 'That customers were forgotten, but not who; append-only';
	COMMENT ON COLUMN xsell.forgotten.agent IS 'The agent';
	COMMENT ON COLUMN xsell.forgotten.model_version IS 'First version of the evidence without the customer';
	COMMENT ON COLUMN xsell.forgotten.first_version IS 'First version that had learned from the customer: decisions from there up to before model_version cannot be replayed any more; NULL: none had';
	COMMENT ON COLUMN xsell.forgotten.decisions IS 'Decisions that went';
	COMMENT ON COLUMN xsell.forgotten.forgotten_at IS 'When';
	COMMENT ON COLUMN xsell.forgotten.forgotten_by IS 'Session user';

	PERFORM xsell.create_views();
END
$create$;
COMMENT ON FUNCTION @extschema@.xsell_create_journal(regtype) IS 'Creates the journal''s tables for customer keys of this type; they belong to the caller';

CREATE FUNCTION @extschema@.xsell_drop_journal() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $drop$
DECLARE
	views text;
	tables text;
BEGIN
	SELECT string_agg(c.oid::regclass::text, ', ') FILTER (WHERE c.relkind = 'v'),
		   string_agg(c.oid::regclass::text, ', ') FILTER (WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition)
	  INTO views, tables
	  FROM pg_class c
	 WHERE c.relnamespace = 'xsell'::regnamespace
	   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
	IF tables IS NULL THEN
		RAISE EXCEPTION 'the xsell journal does not exist' USING ERRCODE = 'undefined_table';
	END IF;
	EXECUTE 'DROP VIEW ' || views;
	EXECUTE 'DROP TABLE ' || tables;
END
$drop$;
COMMENT ON FUNCTION @extschema@.xsell_drop_journal() IS 'Drops what is in schema xsell besides the extension: the journal, with all decisions, outcomes and evidence, for ever';

CREATE FUNCTION @extschema@.xsell_create_partition(starts timestamptz, ends timestamptz) RETURNS regclass
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $create$
DECLARE
	lowest bigint := @extschema@.xsell_id_at(starts);
	beyond bigint := @extschema@.xsell_id_at(ends);
	utc timestamp := starts AT TIME ZONE 'UTC';
	name text := 'decision_' || to_char(utc, CASE WHEN utc = date_trunc('day', utc) THEN 'YYYYMMDD' ELSE 'YYYYMMDD_HH24MISS' END);
	inside bigint;
BEGIN
	IF (lowest < beyond) IS NOT TRUE THEN
		RAISE EXCEPTION 'a partition must end after it starts'
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = format('It would cover the decision ids from %s to %s.', lowest, beyond);
	END IF;
	IF to_regclass('xsell.decision') IS NULL THEN
		RAISE EXCEPTION 'the xsell journal does not exist'
			USING ERRCODE = 'undefined_table',
				  HINT = 'Create it, with the type of your customer key: SELECT xsell_create_journal(''bigint'').';
	END IF;
	IF to_regclass('xsell.decision_default') IS NOT NULL THEN
		SELECT decision_id INTO inside FROM xsell.decision_default
			WHERE decision_id >= lowest AND decision_id < beyond ORDER BY decision_id LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'the default partition holds decisions of the new partition''s time already'
				USING ERRCODE = 'object_not_in_prerequisite_state',
					  DETAIL = format('The earliest is %s, of %s.', inside, @extschema@.xsell_decided_at(inside)),
					  HINT = 'Create partitions before their time comes.';
		END IF;
	END IF;
	EXECUTE format('CREATE TABLE xsell.%I PARTITION OF xsell.decision FOR VALUES FROM (%s) TO (%s)', name, lowest, beyond);
	EXECUTE format('COMMENT ON TABLE xsell.%I IS %L', name, format('Decisions from %s to %s', starts, ends));
	RETURN format('xsell.%I', name)::regclass;
END
$create$;
COMMENT ON FUNCTION @extschema@.xsell_create_partition(timestamptz, timestamptz) IS 'Creates the partition of xsell.decision for the decisions of a time to come, from starts to before ends';
