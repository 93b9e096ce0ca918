/*
 * definition.c: a policy's definition, read from jsonb into structs.
 *
 * Definitions are written by publish.c alone, which builds them from the policy
 * tables, whose constraints hold; what is missing here is therefore an internal
 * error and not a user's.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "catalog/pg_type.h"

#include "policy.h"

/* The member of an object, or NULL if it is missing or null. */
static JsonbValue *
member(JsonbContainer *object, const char *name)
{
	JsonbValue *v = getKeyJsonValueFromContainer(object, name, strlen(name), NULL);

	return v == NULL || v->type == jbvNull ? NULL : v;
}

static JsonbContainer *
container(JsonbContainer *object, const char *name)
{
	JsonbValue *v = member(object, name);

	if (v == NULL || v->type != jbvBinary)
		elog(ERROR, "policy definition has no \"%s\"", name);
	return v->val.binary.data;
}

static char *
text_of(JsonbContainer *object, const char *name)
{
	JsonbValue *v = member(object, name);

	return v == NULL || v->type != jbvString ? NULL : pnstrdup(v->val.string.val, v->val.string.len);
}

static double
number_of(JsonbContainer *object, const char *name, double missing)
{
	JsonbValue *v = member(object, name);

	if (v == NULL || v->type != jbvNumeric)
		return missing;
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(v->val.numeric)));
}

static int64
integer_of(JsonbContainer *object, const char *name)
{
	JsonbValue *v = member(object, name);

	if (v == NULL || v->type != jbvNumeric)
		elog(ERROR, "policy definition has no integer \"%s\"", name);
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(v->val.numeric)));
}

static Jsonb *
jsonb_of(JsonbContainer *object, const char *name)
{
	return JsonbValueToJsonb(member(object, name));
}

/* The objects of an array, as containers. */
static int
elements(JsonbContainer *object, const char *name, JsonbContainer ***out)
{
	JsonbContainer *array = container(object, name);
	int			n = JsonContainerSize(array);

	*out = palloc(sizeof(JsonbContainer *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*out)[i] = getIthJsonbValueFromContainer(array, i)->val.binary.data;
	return n;
}

static XsExpression *
expression_of(XsPolicy *policy, JsonbContainer *object, const char *name,
			  XsResult result, const char *what)
{
	char	   *text = text_of(object, name);
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

static void
read_agent(XsPolicy *policy, JsonbContainer *agent)
{
	policy->customer_table = text_of(agent, "customer_table");
	policy->customer_key = expression_of(policy, agent, "customer_key", XS_RESULT_KEY, "customer_key");
	policy->paused = strcmp(text_of(agent, "status"), "paused") == 0;
	policy->draft = strcmp(text_of(agent, "status"), "draft") == 0;
	policy->oracle = xs_oracle(text_of(agent, "oracle"));
	policy->strategy = xs_strategy(text_of(agent, "strategy"));
	if (policy->oracle == NULL || policy->strategy == NULL)
		elog(ERROR, "policy of agent \"%s\" names an unknown oracle or strategy", policy->agent);

	policy->exploration.epsilon = number_of(agent, "epsilon", 0);
	policy->exploration.width = number_of(agent, "ucb_width", 0);
	policy->exploration.scale = number_of(agent, "posterior_scale", 1);
	policy->exploration.floor = number_of(agent, "floor", 0);

	/*
	 * Intercept and slope of the propensity are held loosely, so that its
	 * calibration is learned first (doc/algorithms.md).
	 */
	policy->prior.neutral_rate = number_of(agent, "neutral_rate", 0);
	policy->prior.strength = number_of(agent, "prior_strength", 0);
	policy->prior.precision = number_of(agent, "prior_precision", 0);
	policy->prior.intercept_precision = 1;
	policy->prior.slope_precision = 1;

	policy->control_share = number_of(agent, "control_share", 0);
	policy->seed = integer_of(agent, "seed");
	policy->routing = expression_of(policy, agent, "routing", XS_RESULT_TEXT, "routing");
	policy->fallback = expression_of(policy, agent, "fallback", XS_RESULT_TEXT, "fallback");
	policy->top_n = (int) number_of(agent, "top_n", 0);
	policy->explore_below = number_of(agent, "explore_below", 0);
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
	Datum		range = OidInputFunctionCall(F_RANGE_IN, text_of(object, "valid"),
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

static bool
boolean_of(JsonbContainer *object, const char *name)
{
	JsonbValue *v = member(object, name);

	return v != NULL && v->type == jbvBool && v->val.boolean;
}

static Interval
interval_of(JsonbContainer *object, const char *name)
{
	return *DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(text_of(object, name)),
												  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static TimestampTz
moment_of(JsonbContainer *object, const char *name)
{
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text_of(object, name)),
												   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* XS_MODE_* from an array of names. */
static int
modes_of(JsonbContainer *object, const char *name)
{
	JsonbContainer *array = container(object, name);
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

	policy->noffers = elements(root, "offers", &objects);
	policy->offers = palloc0(sizeof(XsOffer) * Max(policy->noffers, 1));
	for (int i = 0; i < policy->noffers; i++)
	{
		XsOffer    *offer = &policy->offers[i];
		const char *product = text_of(objects[i], "product");

		offer->product = product;
		offer->attributes = jsonb_of(objects[i], "attributes");
		offer->active = boolean_of(objects[i], "active");
		offer->valid = validity_of(objects[i]);
		offer->max_share = number_of(objects[i], "max_share", 1);
		offer->propensity = expression_of(policy, objects[i], "propensity", XS_RESULT_NUMBER,
										  psprintf("propensity of offer \"%s\"", product));
		offer->value = expression_of(policy, objects[i], "value", XS_RESULT_NUMBER,
									 psprintf("value of offer \"%s\"", product));
		offer->cost = expression_of(policy, objects[i], "cost", XS_RESULT_NUMBER,
									psprintf("cost of offer \"%s\"", product));
		offer->held = expression_of(policy, objects[i], "held", XS_RESULT_BOOLEAN,
									psprintf("held of offer \"%s\"", product));
		policy->prior.has_propensity |= offer->propensity != NULL;
	}
}

static TimeADT
time_of(JsonbContainer *object, const char *name)
{
	return DatumGetTimeADT(DirectFunctionCall3(time_in, CStringGetDatum(text_of(object, name)),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static void
read_channels(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->nchannels = elements(root, "channels", &objects);
	policy->channels = palloc0(sizeof(XsChannel) * Max(policy->nchannels, 1));
	for (int i = 0; i < policy->nchannels; i++)
	{
		XsChannel  *channel = &policy->channels[i];

		channel->channel = text_of(objects[i], "channel");
		channel->attributes = jsonb_of(objects[i], "attributes");
		channel->consent = expression_of(policy, objects[i], "consent", XS_RESULT_BOOLEAN,
										 psprintf("consent of channel \"%s\"", channel->channel));
		channel->opt_in = boolean_of(objects[i], "opt_in");
		channel->purpose = text_of(objects[i], "purpose");
		channel->modes = modes_of(objects[i], "modes");
		channel->default_for = modes_of(objects[i], "default_for");
		channel->has_quiet_hours = member(objects[i], "quiet_from") != NULL;
		if (channel->has_quiet_hours)
		{
			channel->quiet_from = time_of(objects[i], "quiet_from");
			channel->quiet_until = time_of(objects[i], "quiet_until");
		}
		channel->time_zone = expression_of(policy, objects[i], "time_zone", XS_RESULT_TEXT,
										   psprintf("time_zone of channel \"%s\"", channel->channel));
		channel->observation_window = interval_of(objects[i], "observation_window");
	}
}

static void
read_feature(XsPolicy *policy, XsFeature *feature, JsonbContainer *object, JsonbContainer *types)
{
	JsonbValue *levels = member(object, "levels");
	char	   *kind;

	feature->feature = text_of(object, "feature");
	feature->expression = expression_of(policy, object, "expression", XS_RESULT_FEATURE,
										psprintf("feature \"%s\"", feature->feature));
	kind = types == NULL ? NULL : text_of(types, feature->feature);
	feature->kind = kind == NULL ? XS_FEATURE_UNKNOWN : xs_feature_kind(kind);
	feature->center = number_of(object, "center", 0);
	feature->scale = number_of(object, "scale", 1);
	feature->clip = number_of(object, "clip", XS_MAX_FEATURE);
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
	JsonbValue *types = member(root, "types");	/* absent while it is being published */
	int			n = elements(root, "features", &objects);
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
	char	   *value = text_of(object, name);

	return value == NULL ? -1 : find(policy, value);
}

/* product, attributes and channel of a row: all must fit. */
static XsBinding
binding_of(const XsPolicy *policy, JsonbContainer *object)
{
	JsonbValue *attributes = member(object, "attributes");
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

	policy->nrules = elements(root, "rules", &objects);
	policy->rules = palloc0(sizeof(XsRule) * Max(policy->nrules, 1));
	for (int i = 0; i < policy->nrules; i++)
	{
		XsRule	   *rule = &policy->rules[i];

		rule->rule = text_of(objects[i], "rule");
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

	policy->ncaps = elements(root, "caps", &objects);
	policy->caps = palloc0(sizeof(XsCap) * Max(policy->ncaps, 1));
	for (int i = 0; i < policy->ncaps; i++)
	{
		XsCap	   *cap = &policy->caps[i];
		char	   *engaged;

		cap->cap = text_of(objects[i], "cap");
		cap->binding = binding_of(policy, objects[i]);
		cap->max_offers = (int) integer_of(objects[i], "max_offers");
		cap->per = interval_of(objects[i], "per");
		engaged = text_of(objects[i], "engaged");
		cap->engaged = engaged == NULL ? XS_ENGAGED_NOTHING
			: strcmp(engaged, "reset") == 0 ? XS_ENGAGED_RESET : XS_ENGAGED_RELAX;
		cap->relaxed_offers = (int) number_of(objects[i], "relaxed_offers", 0);
		policy->needs_responses |= engaged != NULL;
	}
}

static void
read_quiets(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->nquiets = elements(root, "quiets", &objects);
	policy->quiets = palloc0(sizeof(XsQuiet) * Max(policy->nquiets, 1));
	for (int i = 0; i < policy->nquiets; i++)
	{
		XsQuiet    *quiet = &policy->quiets[i];

		quiet->quiet = text_of(objects[i], "quiet");
		quiet->channel = index_or_all(objects[i], "channel", xs_policy_channel, policy);
		quiet->after_ignored = (int) integer_of(objects[i], "after_ignored");
		quiet->pause = interval_of(objects[i], "pause");
	}
	policy->needs_responses |= policy->nquiets > 0;
}

static void
read_cooldowns(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->ncooldowns = elements(root, "cooldowns", &objects);
	policy->cooldowns = palloc0(sizeof(XsCooldown) * Max(policy->ncooldowns, 1));
	for (int i = 0; i < policy->ncooldowns; i++)
	{
		XsCooldown *cooldown = &policy->cooldowns[i];

		cooldown->cooldown = text_of(objects[i], "cooldown");
		cooldown->offer = index_or_all(objects[i], "product", xs_policy_offer, policy);
		cooldown->outcome = text_of(objects[i], "outcome");
		cooldown->lasts = interval_of(objects[i], "lasts");
	}
	policy->needs_responses |= policy->ncooldowns > 0;
}

static void
read_overrides(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->noverrides = elements(root, "overrides", &objects);
	policy->overrides = palloc0(sizeof(XsOverride) * Max(policy->noverrides, 1));
	for (int i = 0; i < policy->noverrides; i++)
	{
		XsOverride *override = &policy->overrides[i];
		char	   *action = text_of(objects[i], "action");

		override->override = text_of(objects[i], "override");
		override->action = strcmp(action, "block") == 0 ? XS_ACTION_BLOCK
			: strcmp(action, "force") == 0 ? XS_ACTION_FORCE : XS_ACTION_BOOST;
		override->offer = index_or_all(objects[i], "product", xs_policy_offer, policy);
		override->channel = index_or_all(objects[i], "channel", xs_policy_channel, policy);
		override->expression = expression_of(policy, objects[i], "expression", XS_RESULT_BOOLEAN,
											 psprintf("override \"%s\"", override->override));
		override->factor = number_of(objects[i], "factor", 1);
		override->expires = moment_of(objects[i], "expires");
	}
}

static void
read_kinds(XsPolicy *policy, JsonbContainer *root)
{
	JsonbContainer **objects;

	policy->nkinds = elements(root, "kinds", &objects);
	policy->kinds = palloc0(sizeof(XsKind) * Max(policy->nkinds, 1));
	for (int i = 0; i < policy->nkinds; i++)
	{
		XsKind	   *kind = &policy->kinds[i];

		kind->outcome = text_of(objects[i], "outcome");
		kind->engagement = boolean_of(objects[i], "engagement");
		kind->undelivered = boolean_of(objects[i], "undelivered");
		policy->needs_responses |= kind->undelivered;
	}
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
	int			n = member(root, "market") == NULL ? 0 : elements(root, "market", &rows);

	policy->indicators = palloc0(sizeof(XsIndicator) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		char	   *name = text_of(rows[i], "indicator");
		XsIndicator *indicator = &policy->indicators[Max(policy->nindicators - 1, 0)];

		if (policy->nindicators == 0 || strcmp(indicator->indicator, name) != 0)
		{
			indicator = &policy->indicators[policy->nindicators++];
			indicator->indicator = name;
			indicator->since = palloc(sizeof(TimestampTz) * n);
			indicator->value = palloc0(sizeof(Datum) * n);
			indicator->isnull = palloc(sizeof(bool) * n);
		}
		indicator->since[indicator->n] = moment_of(rows[i], "since");
		read_value(indicator, indicator->n++, member(rows[i], "value"));
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
	JsonbValue *layout = member(root, "layout");

	policy->context = context;
	policy->agent = pstrdup(agent);
	policy->version = version;
	read_agent(policy, container(root, "agent"));
	read_offers(policy, root);
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
		policy->encoding = (int32) integer_of(layout->val.binary.data, "encoding");
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

int
xs_policy_indicator(const XsPolicy *policy, const char *indicator)
{
	for (int i = 0; i < policy->nindicators; i++)
		if (strcmp(policy->indicators[i].indicator, indicator) == 0)
			return i;
	return -1;
}
