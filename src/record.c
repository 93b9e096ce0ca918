/*
 * record.c: xsell_record, which writes a decision that was chosen elsewhere.
 *
 * A standby's application, or a distributed batch, chooses with xsell_choose and
 * sends the decision here.  It is taken as what happened: consent and caps are
 * checked again, and a breach is noted with the decision rather than refused, since the
 * customer may have seen the offer.  What could not have been chosen is refused.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "choose.h"
#include "decide.h"
#include "journal/array.h"
#include "math/random.h"
#include "policy/cache.h"
#include "policy/candidates.h"
#include "policy/contact_policy.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(xsell_record);

/* ---- reading the argument ---- */

static Datum
attribute(HeapTupleHeader row, const char *name, bool required, bool *isnull)
{
	Datum		value = GetAttributeByName(row, name, isnull);

	if (*isnull && required)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the decision has no %s", name),
				 errhint("Pass what xsell_choose returned, unchanged.")));
	return value;
}

static const char *
text_attribute(HeapTupleHeader row, const char *name, bool required)
{
	bool		isnull;
	Datum		value = attribute(row, name, required, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static double
float_attribute(HeapTupleHeader row, const char *name, bool required)
{
	bool		isnull;
	Datum		value = attribute(row, name, required, &isnull);

	return isnull ? 0 : DatumGetFloat8(value);
}

static float4
real_attribute(HeapTupleHeader row, const char *name, bool required)
{
	bool		isnull;
	Datum		value = attribute(row, name, required, &isnull);

	return isnull ? 0 : DatumGetFloat4(value);
}

static const float4 *
read_reals(HeapTupleHeader row, const char *name, int *n)
{
	bool		isnull;
	Datum		value = attribute(row, name, false, &isnull);
	ArrayType  *array;

	*n = 0;
	if (isnull)
		return NULL;
	array = DatumGetArrayTypeP(value);
	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_ELEMENT_ERROR),
				 errmsg("%s of the decision must be a list without NULLs", name)));
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	return (const float4 *) ARR_DATA_PTR(array);
}

static void
read_contributions(HeapTupleHeader row, XsDecision *d)
{
	bool		isnull;
	Datum		value = attribute(row, "contribution_columns", false, &isnull);
	const float4 *addends = read_reals(row, "contributions", &d->ncontributions);
	ArrayType  *columns = isnull ? NULL : DatumGetArrayTypeP(value);
	int			n = columns == NULL ? 0 : ArrayGetNItems(ARR_NDIM(columns), ARR_DIMS(columns));

	if (n != d->ncontributions || n > (int) lengthof(d->contributions) ||
		(columns != NULL && array_contains_nulls(columns)))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_ELEMENT_ERROR),
				 errmsg("the contributions of the decision do not fit their columns"),
				 errhint("Pass what xsell_choose returned, unchanged.")));
	for (int i = 0; i < n; i++)
	{
		d->contribution_columns[i] = ((int16 *) ARR_DATA_PTR(columns))[i];
		d->contributions[i] = addends[i];
	}
}

static void
read_forecasts(HeapTupleHeader row, XsDecision *d)
{
	const float4 *forecasts = read_reals(row, "forecasts", &d->nforecasts);

	if (d->nforecasts > XS_FORECASTERS)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_ELEMENT_ERROR),
				 errmsg("the decision has %d forecasts", d->nforecasts),
				 errhint("Pass what xsell_choose returned, unchanged.")));
	for (int i = 0; i < d->nforecasts; i++)
		d->forecasts[i] = forecasts[i];
}

/* overrides and reads */
static void
read_notes(HeapTupleHeader row, XsDecision *d)
{
	bool		isnull;
	Datum		value = attribute(row, "overrides", false, &isnull);

	if (!isnull)
		d->overrides = xs_array_texts(value, &d->noverrides);
	value = attribute(row, "reads", false, &isnull);
	if (!isnull)
		d->reads = DatumGetJsonbP(value);
}

static void
read_argument(HeapTupleHeader row, XsDecision *d)
{
	bool		isnull;
	bool		offer;
	XsCandidate *candidates;

	memset(d, 0, sizeof(XsDecision));
	d->product = text_attribute(row, "product", false);
	offer = d->product != NULL;
	d->decision_id = DatumGetInt64(attribute(row, "decision_id", true, &isnull));
	d->customer_key = xs_key_from_text(text_attribute(row, "customer_key", true));
	d->agent = text_attribute(row, "agent", true);
	d->cohort = text_attribute(row, "cohort", true);
	d->channel = text_attribute(row, "channel", offer);
	d->probability = float_attribute(row, "probability", offer);
	d->expected = float_attribute(row, "expected", offer);
	d->value = real_attribute(row, "value", offer);
	d->cost = real_attribute(row, "cost", offer);
	d->awaits_delivery = DatumGetBool(attribute(row, "awaits_delivery", true, &isnull));
	d->mode = text_attribute(row, "mode", true);
	d->reason = text_attribute(row, "reason", true);
	d->policy_version = DatumGetInt32(attribute(row, "policy_version", true, &isnull));
	d->model_version = DatumGetInt64(attribute(row, "model_version", true, &isnull));
	d->encoding = DatumGetInt32(attribute(row, "encoding", true, &isnull));
	d->linear_predictor = float_attribute(row, "linear_predictor", offer);
	d->features = read_reals(row, "features", &d->dim);
	d->ncandidates = xs_candidates_unpack(attribute(row, "candidates", true, &isnull), &candidates);
	d->candidates = candidates;
	d->segment = text_attribute(row, "segment", false);
	read_contributions(row, d);
	read_forecasts(row, d);
	read_notes(row, d);
	d->request_key = text_attribute(row, "request_key", false);
}

/* ---- what could have been chosen ---- */

static void
impossible(const XsDecision *d, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("decision " INT64_FORMAT " cannot have been chosen", d->decision_id),
			 errdetail("%s", detail),
			 errhint("Pass what xsell_choose returned, unchanged.")));
}

static void
check_candidate(const XsPolicy *policy, const XsDecision *d, const XsCandidate *c)
{
	if (c->ntail != policy->ntail)
		impossible(d, "A candidate does not fit the layout of its policy version.");
	if (!isnan(c->propensity) &&
		(XS_ARM_OFFER(policy, c->arm)->propensity == NULL || !(c->propensity >= 0 && c->propensity <= 1)))
		impossible(d, "A candidate's propensity is not what its offer asks for.");
	for (int i = 0; i < c->ntail; i++)
		if (!(fabs(c->tail[i]) <= XS_MAX_FEATURE))
			impossible(d, "A feature is outside the range of features.");
}

/* The candidate that the decision's own probabilities and id draw; -1: none was allowed. */
static int
drawn_candidate(const XsPolicy *policy, const XsDecision *d)
{
	double	   *q = palloc(sizeof(double) * Max(d->ncandidates, 1));
	int		   *index = palloc(sizeof(int) * Max(d->ncandidates, 1));
	double		total = 0;
	int			n = 0;

	for (int i = 0; i < d->ncandidates; i++)
	{
		const XsCandidate *c = &d->candidates[i];

		if (c->arm >= XS_NARMS(policy))
			impossible(d, "A candidate is not an arm of its policy.");
		if (c->excluded != NULL)
			continue;
		check_candidate(policy, d, c);
		index[n] = i;
		q[n++] = c->probability;
		total += c->probability;
	}
	if (n > 0 && fabs(total - 1) > 1e-9)
		impossible(d, "The probabilities of its candidates do not add up to 1.");
	return n == 0 ? -1
		: index[xs_draw(q, n, xs_uniform((uint64) policy->seed, (uint64) d->decision_id, 0))];
}

static void
check_features(const XsPolicy *policy, const XsDecision *d, const XsCandidate *drawn)
{
	if (d->dim != policy->dim)
		impossible(d, "Its features do not fit the layout of its policy version.");
	for (int i = 0; i < d->dim; i++)
		if (!(fabs(d->features[i]) <= XS_MAX_FEATURE))
			impossible(d, "A feature is outside the range of features.");
	if (memcmp(&d->features[d->dim - policy->ntail], drawn->tail, sizeof(float4) * policy->ntail) != 0)
		impossible(d, "Its features are not those of its candidate.");
	for (int i = 0; i < d->ncontributions; i++)
		if (d->contribution_columns[i] < 0 || d->contribution_columns[i] >= d->dim ||
			!isfinite(d->contributions[i]))
			impossible(d, "Its contributions are not of its features.");
	if (d->nforecasts != XS_FORECASTERS)
		impossible(d, "It does not have one forecast of each kind.");
	for (int i = 0; i < d->nforecasts; i++)
		if (d->forecasts[i] < 0 || d->forecasts[i] > 1)	/* NaN: none */
			impossible(d, "A forecast is no probability.");
	if (!(fabs(d->linear_predictor) <= XS_MAX_PREDICTOR) || !isfinite(d->expected))
		impossible(d, "Its linear predictor or expected reward is out of range.");
}

/* Ids and versions that were possible when it was chosen. */
static void
check_origin(const XsPolicy *policy, const XsDecision *d)
{
	static XsStatement newest = {
		.relation = "learner",
		.sql = "SELECT l.model_version FROM xsell.learner l WHERE l.agent OPERATOR(pg_catalog.=) $1",
		.nargs = 1,
		.argtypes = {TEXTOID}
	};
	Datum		agent = CStringGetTextDatum(d->agent);
	int64		model_version = 0;
	bool		isnull;

	if (d->decision_id < 0)
		impossible(d, "Ids are not negative.");
	if (xs_id_time(d->decision_id) > xs_now() + 5 * USECS_PER_SEC)
		impossible(d, "Its id lies in the future.");
	if (d->encoding != policy->encoding)
		impossible(d, "Its encoding is not that of its policy version.");

	SPI_connect();
	if (xs_execute(&newest, &agent, NULL, XS_READ_NEWEST, 1) > 0)
		model_version = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	if (d->model_version < 0 || d->model_version > model_version)
		impossible(d, "Its agent has no such model version.");
}

static void
check_possible(const XsPolicy *policy, const XsDecision *d)
{
	int			drawn = drawn_candidate(policy, d);
	const XsCandidate *c = drawn < 0 ? NULL : &d->candidates[drawn];

	check_origin(policy, d);
	if (strcmp(d->cohort, xs_cohort(policy, d->customer_key)) != 0)
		impossible(d, "Its customer belongs to another cohort.");
	if (d->segment != NULL && (policy->segment == NULL || strlen(d->segment) > XS_MAX_SEGMENT))
		impossible(d, "Its segment is not what its agent asks for.");
	if (d->product == NULL)
	{
		if (strcmp(d->mode, "none") != 0 || drawn >= 0)
			impossible(d, "It has no product, though arms were allowed.");
		if (d->channel != NULL && xs_policy_channel(policy, d->channel) < 0)
			impossible(d, "Its agent has no such channel.");
		if (d->awaits_delivery)
			impossible(d, "Without an offer there is no delivery to await.");
		return;
	}
	if (policy->draft)
		impossible(d, "Its agent was a draft.");
	if (policy->paused && strcmp(d->mode, "fallback") != 0)
		impossible(d, "Its agent was paused.");
	if (c == NULL || strcmp(XS_ARM_OFFER(policy, c->arm)->product, d->product) != 0 ||
		strcmp(XS_ARM_CHANNEL(policy, c->arm)->channel, d->channel) != 0 ||
		c->probability != d->probability)
		impossible(d, "Its product, channel and probability are not what its candidates and id draw.");
	if (d->value != c->value || d->cost != c->cost)
		impossible(d, "Its value and cost are not those of its candidate.");
	if (d->awaits_delivery != XS_ARM_CHANNEL(policy, c->arm)->reports_delivery)
		impossible(d, "Whether it awaits a delivery is not what its channel says.");
	if (strcmp(d->mode, "fallback") == 0 ? policy->fallback == NULL
		: strcmp(d->cohort, "control") == 0 ? strcmp(d->mode, "control") != 0
		: strcmp(d->mode, "exploit") != 0 && strcmp(d->mode, "explore") != 0)
		impossible(d, "Its mode is not one of its cohort.");
	check_features(policy, d, c);
}

/* What has happened since it was chosen may forbid it now. */
static const char *
find_breach(const XsPolicy *policy, const XsDecision *d, XsContacts *contacts, TimestampTz now)
{
	int			arm = d->candidates[drawn_candidate(policy, d)].arm;
	const char *breach;
	XsLimits	limits;
	XsConsent  *consents;
	int			nconsents = xs_consents(d->customer_key, XS_READ_NEWEST, &consents);

	breach = xs_consent_missing(XS_ARM_CHANNEL(policy, arm), nconsents, consents);
	if (breach != NULL)
		return breach;
	if (policy->needs_responses)
		xs_contact_outcomes(contacts, XS_READ_NEWEST);
	xs_limits(policy, contacts, now, &limits);
	return xs_limit_broken(&limits, arm / policy->nchannels, arm % policy->nchannels);
}

static void
record(const XsPolicy *policy, XsDecision *d, XsContacts *contacts, TimestampTz now)
{
	XsDecision	known;

	if (xs_read_decision(d->decision_id, XS_READ_NEWEST, &known))
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("decision " INT64_FORMAT " is already recorded", d->decision_id)));

	if (d->product != NULL)
		d->breach = find_breach(policy, d, contacts, now);
	xs_write_decision(d);
	if (d->product != NULL)
	{
		xs_contact_add(d, contacts, xs_contacts_since(policy, contacts, now));
		xs_write_late(d);
	}
	else if (d->request_key != NULL)
		xs_contact_keep(d->customer_key, contacts);
	if (d->request_key != NULL)
		xs_write_request(d);
}

/* ---- SQL ---- */

/*
 * xsell_record(decision xsell_decision) RETURNS bigint
 *
 * Writes a decision of xsell_choose: log and contact, in the caller's
 * transaction.  Returns its id; a request key that was answered before returns
 * that answer's id and writes nothing.
 */
Datum
xsell_record(PG_FUNCTION_ARGS)
{
	XsDecision	d;
	XsContacts	contacts;
	XsPolicy   *policy;
	TimestampTz now = xs_now();
	int64		before;

	xs_require_writable("xsell_record");
	read_argument(PG_GETARG_HEAPTUPLEHEADER(0), &d);
	policy = xs_policy_version(d.agent, d.policy_version);
	if (policy == NULL)
		impossible(&d, "Its agent has no such policy version.");
	check_possible(policy, &d);

	(void) GetTopTransactionId();
	if (xs_contact_lock(d.customer_key, &contacts) == XS_CONTACT_BUSY)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another transaction is deciding for this customer"),
				 errhint("Record the decision again.")));
	before = d.request_key != NULL ? xs_find_request(d.customer_key, d.agent, d.request_key) : 0;
	if (before == 0)
		record(policy, &d, &contacts, now);
	xs_contact_unlock(d.customer_key, &contacts);
	PG_RETURN_INT64(before != 0 ? before : d.decision_id);
}
