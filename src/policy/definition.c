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
	e->uses = xs_expression_uses(text, what);

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
}

/* A closed upper bound allows that microsecond too, an open lower one starts after it. */
static TimestampTz
after(TimestampTz bound, bool next)
{
	return next && !TIMESTAMP_NOT_FINITE(bound) ? bound + 1 : bound;
}

static void
read_validity(XsOffer *offer, JsonbContainer *object)
{
	Datum		range = OidInputFunctionCall(F_RANGE_IN, text_of(object, "valid"),
											 TSTZRANGEOID, -1);
	RangeBound	lower,
				upper;
	bool		empty;

	range_deserialize(lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO),
					  DatumGetRangeTypeP(range), &lower, &upper, &empty);

	offer->valid_from = empty ? DT_NOEND : lower.infinite ? DT_NOBEGIN
		: after(DatumGetTimestampTz(lower.val), !lower.inclusive);
	offer->valid_until = empty ? DT_NOBEGIN : upper.infinite ? DT_NOEND
		: after(DatumGetTimestampTz(upper.val), upper.inclusive);
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
		offer->active = member(objects[i], "active")->val.boolean;
		read_validity(offer, objects[i]);
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
		rule->offer = index_or_all(objects[i], "product", xs_policy_offer, policy);
		rule->channel = index_or_all(objects[i], "channel", xs_policy_channel, policy);
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

		cap->cap = text_of(objects[i], "cap");
		cap->offer = index_or_all(objects[i], "product", xs_policy_offer, policy);
		cap->channel = index_or_all(objects[i], "channel", xs_policy_channel, policy);
		cap->max_offers = (int) integer_of(objects[i], "max_offers");
		cap->per = *DatumGetIntervalP(DirectFunctionCall3(interval_in,
														  CStringGetDatum(text_of(objects[i], "per")),
														  ObjectIdGetDatum(InvalidOid),
														  Int32GetDatum(-1)));
	}
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
