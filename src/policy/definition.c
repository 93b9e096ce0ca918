/*
 * definition.c: a policy's definition, read from jsonb into structs.
 *
 * Definitions are written by publish.c alone, which builds them from the policy
 * tables, whose constraints hold; what is missing here is therefore an internal
 * error and not a user's.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "catalog/pg_type.h"

#include "json.h"
#include "policy.h"

static XsExpression *
expression_of(XsPolicy *policy, JsonbContainer *object, const char *name,
			  XsResult result, const char *what)
{
	char	   *text = xs_json_text(object, name);
	XsExpression *e;

	if (text == NULL)
		return NULL;
	e = palloc(sizeof(XsExpression));
	e->text = text;
	e->what = what;
	e->result = result;
	e->number = policy->nexpressions;
	xs_expression_scan(e);

	if (policy->nexpressions % 64 == 0)
		policy->expressions = policy->nexpressions == 0
			? palloc(sizeof(XsExpression *) * 64)
			: repalloc(policy->expressions, sizeof(XsExpression *) * (policy->nexpressions + 64));
	policy->expressions[policy->nexpressions++] = e;
	return e;
}

/* What predicts, and what auto chooses from. */
static void
read_oracle(XsPolicy *policy, JsonbContainer *agent)
{
	const char *name = xs_json_text(agent, "oracle");

	policy->choice = strcmp(name, "beta") == 0 ? XS_CHOICE_BETA
		: strcmp(name, "segment") == 0 ? XS_CHOICE_SEGMENT
		: strcmp(name, "auto") == 0 ? XS_CHOICE_AUTO : XS_CHOICE_FEATURES;
	policy->oracle = xs_oracle(policy->choice == XS_CHOICE_AUTO ? "logistic" : name);
	if (policy->oracle == NULL)
		elog(ERROR, "policy of agent \"%s\" names an unknown oracle", policy->agent);
	policy->segment = expression_of(policy, agent, "segment", XS_RESULT_TEXT, "segment");
}

/* A parameter that decays to its end; without one, to a share of where it starts. */
static XsSchedule
schedule_of(JsonbContainer *agent, const char *start, const char *end, double share)
{
	static const char *const kinds[] = {"constant", "time", "count", "evidence"};
	const char *kind = xs_json_text(agent, "schedule");
	XsSchedule	schedule = {.kind = XS_CONSTANT};

	schedule.start = xs_json_number(agent, start, 0);
	schedule.end = xs_json_number(agent, end, share * schedule.start);
	schedule.half = xs_json_number(agent, "schedule_half", 1);
	for (int i = XS_CONSTANT; i <= XS_EVIDENCE; i++)
		if (strcmp(kind, kinds[i]) == 0)
			schedule.kind = (XsScheduleKind) i;
	return schedule;
}

static void
read_strategy(XsPolicy *policy, JsonbContainer *agent)
{
	policy->strategy = xs_strategy(xs_json_text(agent, "strategy"));
	if (policy->strategy == NULL)
		elog(ERROR, "policy of agent \"%s\" names an unknown strategy", policy->agent);
	policy->epsilon = schedule_of(agent, "epsilon", "epsilon_end", 1);
	policy->floor = schedule_of(agent, "floor", "floor_end", 0.1);
	policy->schedule_since = xs_json_moment(agent, "schedule_since");
	policy->squarecb_gamma = xs_json_number(agent, "squarecb_gamma", 0);
	policy->exploration.different = xs_json_boolean(agent, "epsilon_different");
	policy->exploration.width = xs_json_number(agent, "ucb_width", 0);
	policy->exploration.scale = xs_json_number(agent, "posterior_scale", 1);
	policy->exploration.temperature = xs_json_number(agent, "softmax_temperature", 1);
}

static void
read_teaches(XsPolicy *policy, JsonbContainer *agent)
{
	JsonbContainer *array = xs_json_container(agent, "teaches");

	policy->nteaches = JsonContainerSize(array);
	policy->teaches = palloc(sizeof(char *) * policy->nteaches);
	for (int i = 0; i < policy->nteaches; i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(array, i);

		policy->teaches[i] = pnstrdup(v->val.string.val, v->val.string.len);
	}
}

static void
read_agent(XsPolicy *policy, JsonbContainer *agent)
{
	policy->customer_table = xs_json_text(agent, "customer_table");
	policy->customer_key = expression_of(policy, agent, "customer_key", XS_RESULT_KEY, "customer_key");
	policy->paused = strcmp(xs_json_text(agent, "status"), "paused") == 0;
	policy->draft = strcmp(xs_json_text(agent, "status"), "draft") == 0;
	read_oracle(policy, agent);
	read_strategy(policy, agent);

	/*
	 * Intercept and slope of the propensity are held loosely, so that its
	 * calibration is learned first (doc/algorithms.md).
	 */
	policy->prior.neutral_rate = xs_json_number(agent, "neutral_rate", 0);
	policy->prior.strength = xs_json_number(agent, "prior_strength", 0);
	policy->prior.precision = xs_json_number(agent, "prior_precision", 0);
	policy->prior.intercept_precision = 1;
	policy->prior.slope_precision = 1;
	policy->pooling = xs_json_number(agent, "pooling", 0);
	policy->half_life = xs_json_days(agent, "half_life");
	policy->evidence_window = xs_json_days(agent, "evidence_window");
	policy->learning_rate = xs_json_number(agent, "learning_rate", 0);
	read_teaches(policy, agent);
	policy->harm_price = xs_json_number(agent, "harm_price", 0);
	policy->harm_rate = xs_json_number(agent, "harm_rate", 0);

	policy->control_share = xs_json_number(agent, "control_share", 0);
	policy->seed = xs_json_integer(agent, "seed");
	policy->routing = expression_of(policy, agent, "routing", XS_RESULT_TEXT, "routing");
	policy->fallback = expression_of(policy, agent, "fallback", XS_RESULT_TEXT, "fallback");
	policy->top_n = (int) xs_json_number(agent, "top_n", 0);
	policy->explore_below = xs_json_number(agent, "explore_below", 0);
}

/* A closed upper bound allows that microsecond too, an open lower one starts after it. */
static TimestampTz
after(TimestampTz bound, bool next)
{
	return next && !TIMESTAMP_NOT_FINITE(bound) ? bound + 1 : bound;
}

static XsValidity
validity_of(JsonbContainer *object)
{
	XsValidity	valid;
	Datum		range = OidInputFunctionCall(F_RANGE_IN, xs_json_text(object, "valid"),
											 TSTZRANGEOID, -1);
	RangeBound	lower,
				upper;
	bool		empty;

	range_deserialize(lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO),
					  DatumGetRangeTypeP(range), &lower, &upper, &empty);

	valid.from = empty ? DT_NOEND : lower.infinite ? DT_NOBEGIN
		: after(DatumGetTimestampTz(lower.val), !lower.inclusive);
	valid.until = empty ? DT_NOBEGIN : upper.infinite ? DT_NOEND
		: after(DatumGetTimestampTz(upper.val), upper.inclusive);
	return valid;
}

/* XS_MODE_* from an array of names. */
static int
modes_of(JsonbContainer *object, const char *name)
{
	JsonbContainer *array = xs_json_container(object, name);
	int			modes = 0;

	for (int i = 0; i < JsonContainerSize(array); i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(array, i);

		modes |= v->val.string.len == 5 ? XS_MODE_BATCH : XS_MODE_REALTIME;
	}
	return modes;
}

static void
read_offers(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->noffers = xs_json_elements(root, "offers", &objects);
	policy->offers = palloc0(sizeof(XsOffer) * Max(policy->noffers, 1));
	for (int i = 0; i < policy->noffers; i++)
	{
		XsOffer    *offer = &policy->offers[i];
		const char *product = xs_json_text(objects[i], "product");

		offer->product = product;
		offer->attributes = xs_json_jsonb(objects[i], "attributes");
		offer->active = xs_json_boolean(objects[i], "active");
		offer->valid = validity_of(objects[i]);
		offer->max_share = xs_json_number(objects[i], "max_share", 1);
		offer->has_window = xs_json_member(objects[i], "observation_window") != NULL;
		if (offer->has_window)
			offer->observation_window = xs_json_interval(objects[i], "observation_window");
		offer->prior_rate = xs_json_number(objects[i], "prior_rate", policy->prior.neutral_rate);
		offer->prior_strength = xs_json_number(objects[i], "prior_strength", policy->prior.strength);
		offer->ramp_share = xs_json_number(objects[i], "ramp_share", 1);
		offer->ramp_until = xs_json_number(objects[i], "ramp_until", 0);
		policy->has_ramps |= offer->ramp_share < 1;
		offer->propensity = expression_of(policy, objects[i], "propensity", XS_RESULT_NUMBER,
										  psprintf("propensity of offer \"%s\"", product));
		if (offer->propensity != NULL)
		{
			offer->score = xs_json_text(objects[i], "propensity_version");
			if (offer->score == NULL)
				offer->score = offer->propensity->text;
		}
		offer->value = expression_of(policy, objects[i], "value", XS_RESULT_NUMBER,
									 psprintf("value of offer \"%s\"", product));
		offer->lever = expression_of(policy, objects[i], "lever", XS_RESULT_NUMBER,
									 psprintf("lever of offer \"%s\"", product));
		offer->cost = expression_of(policy, objects[i], "cost", XS_RESULT_NUMBER,
									psprintf("cost of offer \"%s\"", product));
		offer->held = expression_of(policy, objects[i], "held", XS_RESULT_BOOLEAN,
									psprintf("held of offer \"%s\"", product));
		policy->prior.has_propensity |= offer->propensity != NULL;
	}
}

static JsonbValue *
attribute_of(const XsOffer *offer, const JsonbValue *name)
{
	return getKeyJsonValueFromContainer(&offer->attributes->root, name->val.string.val, name->val.string.len, NULL);
}

/* Whether both have all attributes by which products are similar, with equal values (1 and 1.0 are). */
static bool
are_similar(const XsOffer *a, const XsOffer *b, JsonbContainer *names)
{
	for (int i = 0; i < JsonContainerSize(names); i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(names, i);
		JsonbValue *x = attribute_of(a, name);
		JsonbValue *y = attribute_of(b, name);

		if (x == NULL || y == NULL || x->type == jbvNull || y->type == jbvNull ||
			compareJsonbContainers(&JsonbValueToJsonb(x)->root, &JsonbValueToJsonb(y)->root) != 0)
			return false;
	}
	return JsonContainerSize(names) > 0;
}

/* Offers whose values of the attributes in agent.similarity are equal form a group. */
static void
read_groups(XsPolicy *policy, JsonbContainer *agent)
{
	JsonbValue *names = xs_json_member(agent, "similarity");

	for (int i = 0; i < policy->noffers; i++)
	{
		XsOffer    *offer = &policy->offers[i];

		offer->group = -1;
		for (int k = 0; k < i && names != NULL && offer->group < 0; k++)
			if (are_similar(&policy->offers[k], offer, names->val.binary.data))
			{
				if (policy->offers[k].group < 0)
					policy->offers[k].group = policy->ngroups++;
				offer->group = policy->offers[k].group;
			}
	}
}

static void
read_channels(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->nchannels = xs_json_elements(root, "channels", &objects);
	policy->channels = palloc0(sizeof(XsChannel) * Max(policy->nchannels, 1));
	for (int i = 0; i < policy->nchannels; i++)
	{
		XsChannel  *channel = &policy->channels[i];

		channel->channel = xs_json_text(objects[i], "channel");
		channel->attributes = xs_json_jsonb(objects[i], "attributes");
		channel->consent = expression_of(policy, objects[i], "consent", XS_RESULT_BOOLEAN,
										 psprintf("consent of channel \"%s\"", channel->channel));
		channel->opt_in = xs_json_boolean(objects[i], "opt_in");
		channel->purpose = xs_json_text(objects[i], "purpose");
		channel->modes = modes_of(objects[i], "modes");
		channel->default_for = modes_of(objects[i], "default_for");
		channel->has_quiet_hours = xs_json_member(objects[i], "quiet_from") != NULL;
		if (channel->has_quiet_hours)
		{
			channel->quiet_from = xs_json_time(objects[i], "quiet_from");
			channel->quiet_until = xs_json_time(objects[i], "quiet_until");
		}
		channel->time_zone = expression_of(policy, objects[i], "time_zone", XS_RESULT_TEXT,
										   psprintf("time_zone of channel \"%s\"", channel->channel));
		channel->observation_window = xs_json_interval(objects[i], "observation_window");
		channel->reports_delivery = xs_json_boolean(objects[i], "reports_delivery");
	}
}

static void
read_feature(XsPolicy *policy, XsFeature *feature, JsonbContainer *object, JsonbContainer *types)
{
	JsonbValue *levels = xs_json_member(object, "levels");
	char	   *kind;

	feature->feature = xs_json_text(object, "feature");
	feature->expression = expression_of(policy, object, "expression", XS_RESULT_FEATURE,
										psprintf("feature \"%s\"", feature->feature));
	kind = types == NULL ? NULL : xs_json_text(types, feature->feature);
	feature->kind = kind == NULL ? XS_FEATURE_UNKNOWN : xs_feature_kind(kind);
	feature->center = xs_json_number(object, "center", 0);
	feature->scale = xs_json_number(object, "scale", 1);
	feature->clip = xs_json_number(object, "clip", XS_MAX_FEATURE);
	if (levels != NULL)
	{
		JsonbContainer *array = levels->val.binary.data;

		feature->nlevels = JsonContainerSize(array);
		feature->levels = palloc(sizeof(char *) * feature->nlevels);
		for (int i = 0; i < feature->nlevels; i++)
		{
			JsonbValue *v = getIthJsonbValueFromContainer(array, i);

			feature->levels[i] = pnstrdup(v->val.string.val, v->val.string.len);
		}
	}
}

/* Features that do not depend on the arm come first, see xs_layout. */
static void
read_features(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;
	JsonbValue *types = xs_json_member(root, "types");	/* absent while it is being published */
	int			n = xs_json_elements(root, "features", &objects);
	XsFeature  *all = palloc0(sizeof(XsFeature) * Max(n, 1));

	policy->nfeatures = 0;
	policy->features = palloc0(sizeof(XsFeature) * Max(n, 1));
	for (int i = 0; i < n; i++)
		read_feature(policy, &all[i], objects[i], types == NULL ? NULL : types->val.binary.data);
	for (int arm = 0; arm <= 1; arm++)
		for (int i = 0; i < n; i++)
			if (((all[i].expression->uses & XS_USES_ARM) != 0) == (arm == 1))
				policy->features[policy->nfeatures++] = all[i];
}

static int
index_or_all(JsonbContainer *object, const char *name,
			 int (*find) (const XsPolicy *, const char *), const XsPolicy *policy)
{
	char	   *value = xs_json_text(object, name);

	return value == NULL ? -1 : find(policy, value);
}

/* product, attributes and channel of a row: all must fit. */
static XsBinding
binding_of(const XsPolicy *policy, JsonbContainer *object)
{
	JsonbValue *attributes = xs_json_member(object, "attributes");
	int			only = index_or_all(object, "product", xs_policy_offer, policy);
	bool	   *offers = palloc(sizeof(bool) * Max(policy->noffers, 1));
	XsBinding	binding;

	for (int o = 0; o < policy->noffers; o++)
		offers[o] = (only < 0 || o == only) &&
			(attributes == NULL ||
			 DatumGetBool(DirectFunctionCall2(jsonb_contains, JsonbPGetDatum(policy->offers[o].attributes),
											  JsonbPGetDatum(JsonbValueToJsonb(attributes)))));
	binding.all_offers = only < 0 && attributes == NULL;
	binding.offers = offers;
	binding.channel = index_or_all(object, "channel", xs_policy_channel, policy);
	return binding;
}

static void
read_rules(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->nrules = xs_json_elements(root, "rules", &objects);
	policy->rules = palloc0(sizeof(XsRule) * Max(policy->nrules, 1));
	for (int i = 0; i < policy->nrules; i++)
	{
		XsRule	   *rule = &policy->rules[i];

		rule->rule = xs_json_text(objects[i], "rule");
		rule->binding = binding_of(policy, objects[i]);
		rule->valid = validity_of(objects[i]);
		rule->expression = expression_of(policy, objects[i], "expression", XS_RESULT_BOOLEAN,
										 psprintf("rule \"%s\"", rule->rule));
	}
}

static void
read_caps(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->ncaps = xs_json_elements(root, "caps", &objects);
	policy->caps = palloc0(sizeof(XsCap) * Max(policy->ncaps, 1));
	for (int i = 0; i < policy->ncaps; i++)
	{
		XsCap	   *cap = &policy->caps[i];
		char	   *engaged;

		cap->cap = xs_json_text(objects[i], "cap");
		cap->binding = binding_of(policy, objects[i]);
		cap->max_offers = (int) xs_json_integer(objects[i], "max_offers");
		cap->per = xs_json_interval(objects[i], "per");
		engaged = xs_json_text(objects[i], "engaged");
		cap->engaged = engaged == NULL ? XS_ENGAGED_NOTHING
			: strcmp(engaged, "reset") == 0 ? XS_ENGAGED_RESET : XS_ENGAGED_RELAX;
		cap->relaxed_offers = (int) xs_json_number(objects[i], "relaxed_offers", 0);
		policy->needs_responses |= engaged != NULL;
	}
}

static void
read_quiets(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->nquiets = xs_json_elements(root, "quiets", &objects);
	policy->quiets = palloc0(sizeof(XsQuiet) * Max(policy->nquiets, 1));
	for (int i = 0; i < policy->nquiets; i++)
	{
		XsQuiet    *quiet = &policy->quiets[i];

		quiet->quiet = xs_json_text(objects[i], "quiet");
		quiet->channel = index_or_all(objects[i], "channel", xs_policy_channel, policy);
		quiet->after_ignored = (int) xs_json_integer(objects[i], "after_ignored");
		quiet->pause = xs_json_interval(objects[i], "pause");
	}
	policy->needs_responses |= policy->nquiets > 0;
}

static void
read_cooldowns(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->ncooldowns = xs_json_elements(root, "cooldowns", &objects);
	policy->cooldowns = palloc0(sizeof(XsCooldown) * Max(policy->ncooldowns, 1));
	for (int i = 0; i < policy->ncooldowns; i++)
	{
		XsCooldown *cooldown = &policy->cooldowns[i];

		cooldown->cooldown = xs_json_text(objects[i], "cooldown");
		cooldown->offer = index_or_all(objects[i], "product", xs_policy_offer, policy);
		cooldown->outcome = xs_json_text(objects[i], "outcome");
		cooldown->lasts = xs_json_interval(objects[i], "lasts");
	}
	policy->needs_responses |= policy->ncooldowns > 0;
}

static void
read_overrides(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->noverrides = xs_json_elements(root, "overrides", &objects);
	policy->overrides = palloc0(sizeof(XsOverride) * Max(policy->noverrides, 1));
	for (int i = 0; i < policy->noverrides; i++)
	{
		XsOverride *override = &policy->overrides[i];
		char	   *action = xs_json_text(objects[i], "action");

		override->override = xs_json_text(objects[i], "override");
		override->action = strcmp(action, "block") == 0 ? XS_ACTION_BLOCK
			: strcmp(action, "force") == 0 ? XS_ACTION_FORCE : XS_ACTION_BOOST;
		override->offer = index_or_all(objects[i], "product", xs_policy_offer, policy);
		override->channel = index_or_all(objects[i], "channel", xs_policy_channel, policy);
		override->expression = expression_of(policy, objects[i], "expression", XS_RESULT_BOOLEAN,
											 psprintf("override \"%s\"", override->override));
		override->factor = xs_json_number(objects[i], "factor", 1);
		override->expires = xs_json_moment(objects[i], "expires");
	}
}

static void
read_kinds(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;
	bool		harms = false;

	policy->nkinds = xs_json_elements(root, "kinds", &objects);
	policy->kinds = palloc0(sizeof(XsKind) * Max(policy->nkinds, 1));
	for (int i = 0; i < policy->nkinds; i++)
	{
		XsKind	   *kind = &policy->kinds[i];
		const char *delivery;

		kind->outcome = xs_json_text(objects[i], "outcome");
		kind->engagement = xs_json_boolean(objects[i], "engagement");
		delivery = xs_json_text(objects[i], "delivery");
		policy->needs_responses |= delivery != NULL && strcmp(delivery, "undelivered") == 0;
		harms |= xs_json_number(objects[i], "harm", 0) > 0;
	}
	if (!harms)
		policy->harm_price = 0; /* else what is believed before evidence would count against new products */
}

/* One value of an indicator, whose type the first value that is not null decides. */
static void
read_value(XsIndicator *indicator, int k, JsonbValue *v)
{
	Oid			type = v == NULL ? InvalidOid : v->type == jbvNumeric ? NUMERICOID
		: v->type == jbvBool ? BOOLOID : TEXTOID;

	indicator->isnull[k] = v == NULL;
	if (v == NULL)
		return;
	if (!OidIsValid(indicator->type))
		indicator->type = type;
	if (indicator->type != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("market indicator \"%s\" has values of different types", indicator->indicator),
				 errhint("Make all its values in xsell.market numbers, or strings, or booleans.")));
	indicator->value[k] = type == NUMERICOID ? datumCopy(NumericGetDatum(v->val.numeric), false, -1)
		: type == BOOLOID ? BoolGetDatum(v->val.boolean)
		: PointerGetDatum(cstring_to_text_with_len(v->val.string.val, v->val.string.len));
}

/* Rows in order of indicator and time; absent where no expression reads the market. */
static void
read_market(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **rows;
	int			n = xs_json_member(root, "market") == NULL ? 0 : xs_json_elements(root, "market", &rows);

	policy->indicators = palloc0(sizeof(XsIndicator) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		char	   *name = xs_json_text(rows[i], "indicator");
		XsIndicator *indicator = &policy->indicators[Max(policy->nindicators - 1, 0)];

		if (policy->nindicators == 0 || strcmp(indicator->indicator, name) != 0)
		{
			indicator = &policy->indicators[policy->nindicators++];
			indicator->indicator = name;
			indicator->since = palloc(sizeof(TimestampTz) * n);
			indicator->value = palloc0(sizeof(Datum) * n);
			indicator->isnull = palloc(sizeof(bool) * n);
		}
		indicator->since[indicator->n] = xs_json_moment(rows[i], "since");
		read_value(indicator, indicator->n++, xs_json_member(rows[i], "value"));
	}
	for (int i = 0; i < policy->nindicators; i++)
		if (!OidIsValid(policy->indicators[i].type))
			policy->indicators[i].type = TEXTOID;
}

/*
 * Reads a definition into a new context below TopMemoryContext, which belongs to
 * the caller.
 */
XsPolicy *
xs_policy_read(const char *agent, int32 version, Jsonb *definition)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "xsell policy",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	JsonbContainer *root = &definition->root;
	XsPolicy   *policy = palloc0(sizeof(XsPolicy));
	JsonbValue *layout = xs_json_member(root, "layout");

	policy->context = context;
	policy->agent = pstrdup(agent);
	policy->version = version;
	read_agent(policy, xs_json_container(root, "agent"));
	read_offers(policy, root);
	read_groups(policy, xs_json_container(root, "agent"));
	read_channels(policy, root);
	read_features(policy, root);
	read_rules(policy, root);
	read_caps(policy, root);
	read_quiets(policy, root);
	read_cooldowns(policy, root);
	read_overrides(policy, root);
	read_kinds(policy, root);
	read_market(policy, root);

	/* A definition that is being published has no layout yet. */
	if (layout != NULL)
	{
		policy->encoding = (int32) xs_json_integer(layout->val.binary.data, "encoding");
		xs_layout(policy);
	}

	MemoryContextSwitchTo(caller);
	return policy;
}

int
xs_policy_offer(const XsPolicy *policy, const char *product)
{
	for (int i = 0; i < policy->noffers; i++)
		if (strcmp(policy->offers[i].product, product) == 0)
			return i;
	return -1;
}

int
xs_policy_channel(const XsPolicy *policy, const char *channel)
{
	for (int i = 0; i < policy->nchannels; i++)
		if (strcmp(policy->channels[i].channel, channel) == 0)
			return i;
	return -1;
}

bool
xs_policy_learns_from(const XsPolicy *policy, const char *source)
{
	for (int i = 0; i < policy->nteaches; i++)
		if (strcmp(policy->teaches[i], source) == 0)
			return true;
	return false;
}

int
xs_policy_indicator(const XsPolicy *policy, const char *indicator)
{
	for (int i = 0; i < policy->nindicators; i++)
		if (strcmp(policy->indicators[i].indicator, indicator) == 0)
			return i;
	return -1;
}
