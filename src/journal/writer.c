/*
 * writer.c: the one writer of decision, request and late, and their reader.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "../compat.h"
#include "array.h"
#include "journal.h"

/* Columns of a decision, in the order of the statements below. */
enum
{
	DECISION_ID,
	CUSTOMER_KEY,
	AGENT,
	COHORT,
	PRODUCT,
	CHANNEL,
	PROBABILITY,
	EXPECTED,
	VALUE,
	COST,
	WEIGHT,
	AWAITS_DELIVERY,
	MODE,
	REASON,
	POLICY_VERSION,
	MODEL_VERSION,
	ENCODING,
	LINEAR_PREDICTOR,
	FEATURES,
	CANDIDATES,
	CONTRIBUTION_COLUMNS,
	CONTRIBUTIONS,
	SEGMENT,
	FORECASTS,
	OVERRIDES,
	READS,
	REQUEST_KEY,
	BREACH,
	DECIDED_BY,
	COLUMNS
};

#define DECISION_COLUMNS \
	"decision_id, customer_key, agent, cohort, product, channel, probability, expected," \
	" value, cost, weight, awaits_delivery, mode, reason, policy_version, model_version, encoding, linear_predictor, features," \
	" candidates, contribution_columns, contributions, segment, forecasts, overrides, reads, request_key, breach"

static XsStatement insert_decision = {
	.relation = "decision",
	.sql = "INSERT INTO xsell.decision (" DECISION_COLUMNS ", decided_by) VALUES"
	" ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,"
	" $26, $27, $28, $29)",
	.nargs = COLUMNS,
	.argtypes = {
		INT8OID, XS_KEY_TYPE, TEXTOID, TEXTOID, TEXTOID, TEXTOID, FLOAT8OID, FLOAT8OID,
		FLOAT4OID, FLOAT4OID, FLOAT8OID, BOOLOID, TEXTOID, TEXTOID, INT4OID, INT8OID, INT4OID, FLOAT8OID, FLOAT4ARRAYOID,
		XS_CANDIDATES_TYPE, INT2ARRAYOID, FLOAT4ARRAYOID, TEXTOID, FLOAT4ARRAYOID, TEXTARRAYOID, JSONBOID,
		TEXTOID, TEXTOID, TEXTOID
	}
};

static XsStatement select_decision = {
	.relation = "decision",
	.sql = "SELECT " DECISION_COLUMNS " FROM xsell.decision"
	" WHERE decision_id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static XsStatement insert_request = {
	.relation = "request",
	.sql = "INSERT INTO xsell.request (customer_key, agent, request_key, decision_id)"
	" VALUES ($1, $2, $3, $4)",
	.nargs = 4,
	.argtypes = {XS_KEY_TYPE, TEXTOID, TEXTOID, INT8OID}
};

static XsStatement select_request = {
	.relation = "request",
	.sql = "SELECT decision_id FROM xsell.request WHERE customer_key {=} $1"
	" AND agent OPERATOR(pg_catalog.=) $2 AND request_key OPERATOR(pg_catalog.=) $3",
	.nargs = 3,
	.argtypes = {XS_KEY_TYPE, TEXTOID, TEXTOID}
};

static XsStatement insert_late = {
	.relation = "late",
	.sql = "INSERT INTO xsell.late (decision_id, agent) VALUES ($1, $2)",
	.nargs = 2,
	.argtypes = {INT8OID, TEXTOID}
};

static bool
is_one_of(const char *word, const char *a, const char *b, const char *c, const char *d)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0 || strcmp(word, d) == 0;
}

static bool
is_imported(const XsDecision *decision)
{
	return strcmp(decision->cohort, "imported") == 0;
}

static bool
is_mode(const XsDecision *decision)
{
	if (is_imported(decision))
		return strcmp(decision->mode, "imported") == 0;
	if (decision->product == NULL)
		return strcmp(decision->mode, "none") == 0;
	return is_one_of(decision->mode, "exploit", "explore", "control", "fallback");
}

/* The probability of what was imported may be unknown. */
static bool
is_probability(const XsDecision *decision)
{
	if (isnan(decision->probability))
		return is_imported(decision);
	return decision->probability > 0 && decision->probability <= 1;
}

/* What the log promises of its rows; in place of CHECK constraints (see journal.sql). */
static void
check_decision(const XsDecision *decision)
{
	bool		offer = decision->product != NULL;
	const char *wrong = NULL;

	if (!is_one_of(decision->cohort, "agent", "control", "imported", "imported"))
		wrong = "cohort";
	else if (!is_mode(decision))
		wrong = "mode";
	else if (offer && decision->channel == NULL)
		wrong = "channel";
	else if (offer && !is_probability(decision))
		wrong = "probability";
	else if (offer && !is_imported(decision) && !isfinite(decision->expected))
		wrong = "expected";
	else if (offer && !isfinite(decision->linear_predictor))
		wrong = "linear_predictor";
	else if (!(decision->weight >= 0 && isfinite(decision->weight)))
		wrong = "weight";
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("decision " INT64_FORMAT " has an invalid %s", decision->decision_id, wrong),
				 errdetail("It was not recorded.")));
}

/* One statement with its own SPI connection. */
static void
write_row(XsStatement *statement, const Datum *values, const char *nulls)
{
	SPI_connect();
	xs_execute(statement, values, nulls, XS_WRITE, 0);
	SPI_finish();
}

static void
put_text(Datum *values, char *nulls, int column, const char *text)
{
	if (text == NULL)
		nulls[column] = 'n';
	else
		values[column] = CStringGetTextDatum(text);
}

/* What only an offer has: the arm drawn, and how it was judged. */
static void
put_offer(Datum *values, char *nulls, const XsDecision *decision)
{
	static const int only_offers[] = {
		PROBABILITY, EXPECTED, VALUE, COST, LINEAR_PREDICTOR, FEATURES, CONTRIBUTION_COLUMNS, CONTRIBUTIONS, FORECASTS
	};

	if (decision->product == NULL)
	{
		for (int i = 0; i < lengthof(only_offers); i++)
			nulls[only_offers[i]] = 'n';
		return;
	}
	values[PROBABILITY] = Float8GetDatum(decision->probability);
	values[EXPECTED] = Float8GetDatum(decision->expected);
	values[VALUE] = Float4GetDatum(decision->value);
	values[COST] = Float4GetDatum(decision->cost);
	if (is_imported(decision))	/* the probability may be unknown, and nothing was expected */
	{
		nulls[PROBABILITY] = isnan(decision->probability) ? 'n' : ' ';
		nulls[EXPECTED] = nulls[VALUE] = nulls[COST] = 'n';
	}
	values[LINEAR_PREDICTOR] = Float8GetDatum(decision->linear_predictor);
	values[FEATURES] = xs_array_of(FLOAT4OID, sizeof(float4), decision->dim, decision->features);
	values[CONTRIBUTION_COLUMNS] = xs_array_of(INT2OID, sizeof(int16), decision->ncontributions,
											   decision->contribution_columns);
	values[CONTRIBUTIONS] = xs_array_of(FLOAT4OID, sizeof(float4), decision->ncontributions,
										decision->contributions);
	values[FORECASTS] = xs_array_of(FLOAT4OID, sizeof(float4), decision->nforecasts, decision->forecasts);
}

void
xs_write_decision(const XsDecision *decision)
{
	Datum		values[COLUMNS] = {0};
	char		nulls[COLUMNS];

	check_decision(decision);
	memset(nulls, ' ', sizeof(nulls));
	values[DECISION_ID] = Int64GetDatum(decision->decision_id);
	values[CUSTOMER_KEY] = decision->customer_key;
	values[WEIGHT] = Float8GetDatum(decision->weight);
	if (decision->weight == 0)
		nulls[WEIGHT] = 'n';
	values[AWAITS_DELIVERY] = BoolGetDatum(decision->awaits_delivery);
	values[POLICY_VERSION] = Int32GetDatum(decision->policy_version);
	values[MODEL_VERSION] = Int64GetDatum(decision->model_version);
	values[ENCODING] = Int32GetDatum(decision->encoding);
	values[CANDIDATES] = xs_candidates_pack(decision->ncandidates, decision->candidates);
	put_text(values, nulls, AGENT, decision->agent);
	put_text(values, nulls, COHORT, decision->cohort);
	put_text(values, nulls, PRODUCT, decision->product);
	put_text(values, nulls, CHANNEL, decision->channel);
	put_text(values, nulls, MODE, decision->mode);
	put_text(values, nulls, REASON, decision->reason);
	put_text(values, nulls, SEGMENT, decision->segment);
	put_text(values, nulls, REQUEST_KEY, decision->request_key);
	put_text(values, nulls, BREACH, decision->breach);
	put_text(values, nulls, DECIDED_BY, GetUserNameFromId(GetSessionUserId(), false));
	if (decision->noverrides > 0)
		values[OVERRIDES] = xs_array_of_texts(decision->noverrides, decision->overrides);
	else
		nulls[OVERRIDES] = 'n';
	if (decision->reads != NULL)
		values[READS] = JsonbPGetDatum(decision->reads);
	else
		nulls[READS] = 'n';
	put_offer(values, nulls, decision);
	write_row(&insert_decision, values, nulls);
}

void
xs_write_request(const XsDecision *decision)
{
	Datum		values[4];

	values[0] = decision->customer_key;
	values[1] = CStringGetTextDatum(decision->agent);
	values[2] = CStringGetTextDatum(decision->request_key);
	values[3] = Int64GetDatum(decision->decision_id);
	write_row(&insert_request, values, NULL);
}

void
xs_write_late(const XsDecision *decision)
{
	Datum		values[2];

	values[0] = Int64GetDatum(decision->decision_id);
	values[1] = CStringGetTextDatum(decision->agent);
	write_row(&insert_late, values, NULL);
}

int64
xs_find_request(Datum customer_key, const char *agent, const char *request_key)
{
	Datum		values[3];
	int64		decision_id = 0;

	values[0] = customer_key;
	values[1] = CStringGetTextDatum(agent);
	values[2] = CStringGetTextDatum(request_key);

	SPI_connect();
	if (xs_execute(&select_request, values, NULL, XS_READ_NEWEST, 1) > 0)
	{
		bool		isnull;

		decision_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
												  SPI_tuptable->tupdesc, 1, &isnull));
	}
	SPI_finish();
	return decision_id;
}

static char *
get_text(const Datum *values, const bool *nulls, int column)
{
	return nulls[column] ? NULL : TextDatumGetCString(values[column]);
}

static void
wrong_number(const XsDecision *decision)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("decision " INT64_FORMAT " has contributions or forecasts of a wrong number",
					decision->decision_id)));
}

/* A short list of numbers into an array of at most so many; returns how many there are. */
static int
get_list(const XsDecision *decision, Datum value, Oid type, int width, void *list, int most)
{
	int			n;
	void	   *elements = xs_array_elements(value, type, width, &n);

	if (n > most)
		wrong_number(decision);
	memcpy(list, elements, (Size) n * width);
	return n;
}

static void
get_offer(const Datum *values, const bool *nulls, XsDecision *decision)
{
	int			ncolumns = 0;

	decision->probability = nulls[PROBABILITY] ? 0 : DatumGetFloat8(values[PROBABILITY]);
	decision->expected = nulls[EXPECTED] ? 0 : DatumGetFloat8(values[EXPECTED]);
	decision->value = nulls[VALUE] ? 0 : DatumGetFloat4(values[VALUE]);
	decision->cost = nulls[COST] ? 0 : DatumGetFloat4(values[COST]);
	decision->linear_predictor = nulls[LINEAR_PREDICTOR] ? 0 : DatumGetFloat8(values[LINEAR_PREDICTOR]);
	if (!nulls[FEATURES])
		decision->features = xs_array_elements(values[FEATURES], FLOAT4OID, sizeof(float4),
											   &decision->dim);
	if (!nulls[FORECASTS])
		decision->nforecasts = get_list(decision, values[FORECASTS], FLOAT4OID, sizeof(float4),
										decision->forecasts, lengthof(decision->forecasts));
	if (!nulls[CONTRIBUTION_COLUMNS])
		ncolumns = get_list(decision, values[CONTRIBUTION_COLUMNS], INT2OID, sizeof(int16),
							decision->contribution_columns, lengthof(decision->contribution_columns));
	if (!nulls[CONTRIBUTIONS])
		decision->ncontributions = get_list(decision, values[CONTRIBUTIONS], FLOAT4OID, sizeof(float4),
											decision->contributions, lengthof(decision->contributions));
	if (decision->ncontributions != ncolumns)
		wrong_number(decision);
}

/* Copies a row of select_decision into the current memory context. */
static void
get_decision(HeapTuple row, TupleDesc desc, XsDecision *decision)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	Form_pg_attribute key = TupleDescAttr(desc, CUSTOMER_KEY);
	XsCandidate *candidates;

	heap_deform_tuple(row, desc, values, nulls);
	memset(decision, 0, sizeof(XsDecision));
	decision->decision_id = DatumGetInt64(values[DECISION_ID]);
	decision->customer_key = datumCopy(values[CUSTOMER_KEY], key->attbyval, key->attlen);
	decision->agent = get_text(values, nulls, AGENT);
	decision->cohort = get_text(values, nulls, COHORT);
	decision->product = get_text(values, nulls, PRODUCT);
	decision->channel = get_text(values, nulls, CHANNEL);
	decision->weight = nulls[WEIGHT] ? 0 : DatumGetFloat8(values[WEIGHT]);
	decision->awaits_delivery = DatumGetBool(values[AWAITS_DELIVERY]);
	decision->mode = get_text(values, nulls, MODE);
	decision->reason = get_text(values, nulls, REASON);
	decision->policy_version = DatumGetInt32(values[POLICY_VERSION]);
	decision->model_version = DatumGetInt64(values[MODEL_VERSION]);
	decision->encoding = DatumGetInt32(values[ENCODING]);
	decision->segment = get_text(values, nulls, SEGMENT);
	decision->request_key = get_text(values, nulls, REQUEST_KEY);
	decision->breach = get_text(values, nulls, BREACH);
	if (!nulls[OVERRIDES])
		decision->overrides = xs_array_texts(values[OVERRIDES], &decision->noverrides);
	if (!nulls[READS])
		decision->reads = DatumGetJsonbPCopy(values[READS]);
	decision->ncandidates = xs_candidates_unpack(values[CANDIDATES], &candidates);
	decision->candidates = candidates;
	get_offer(values, nulls, decision);
}

bool
xs_read_decision(int64 decision_id, XsAccess access, XsDecision *decision)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value = Int64GetDatum(decision_id);
	bool		found;

	SPI_connect();
	found = xs_execute(&select_decision, &value, NULL, access, 1) > 0;
	if (found)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		get_decision(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, decision);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return found;
}
