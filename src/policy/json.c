/*
 * json.c: members of a jsonb object, as C values.
 *
 * What is read so was written by publish.c; what is missing and must not be is
 * an internal error.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "json.h"

JsonbValue *
xs_json_member(JsonbContainer *object, const char *name)
{
	JsonbValue *v = getKeyJsonValueFromContainer(object, name, strlen(name), NULL);

	return v == NULL || v->type == jbvNull ? NULL : v;
}

JsonbContainer *
xs_json_container(JsonbContainer *object, const char *name)
{
	JsonbValue *v = xs_json_member(object, name);

	if (v == NULL || v->type != jbvBinary)
		elog(ERROR, "policy definition has no \"%s\"", name);
	return v->val.binary.data;
}

char *
xs_json_text(JsonbContainer *object, const char *name)
{
	JsonbValue *v = xs_json_member(object, name);

	return v == NULL || v->type != jbvString ? NULL : pnstrdup(v->val.string.val, v->val.string.len);
}

double
xs_json_number(JsonbContainer *object, const char *name, double missing)
{
	JsonbValue *v = xs_json_member(object, name);

	if (v == NULL || v->type != jbvNumeric)
		return missing;
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(v->val.numeric)));
}

int64
xs_json_integer(JsonbContainer *object, const char *name)
{
	JsonbValue *v = xs_json_member(object, name);

	if (v == NULL || v->type != jbvNumeric)
		elog(ERROR, "policy definition has no integer \"%s\"", name);
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(v->val.numeric)));
}

Jsonb *
xs_json_jsonb(JsonbContainer *object, const char *name)
{
	return JsonbValueToJsonb(xs_json_member(object, name));
}

int
xs_json_elements(JsonbContainer *object, const char *name, JsonbContainer ***out)
{
	JsonbContainer *array = xs_json_container(object, name);
	int			n = JsonContainerSize(array);

	*out = palloc(sizeof(JsonbContainer *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*out)[i] = getIthJsonbValueFromContainer(array, i)->val.binary.data;
	return n;
}

bool
xs_json_boolean(JsonbContainer *object, const char *name)
{
	JsonbValue *v = xs_json_member(object, name);

	return v != NULL && v->type == jbvBool && v->val.boolean;
}

Interval
xs_json_interval(JsonbContainer *object, const char *name)
{
	return *DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(xs_json_text(object, name)),
												  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

TimestampTz
xs_json_moment(JsonbContainer *object, const char *name)
{
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(xs_json_text(object, name)),
												   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

double
xs_json_days(JsonbContainer *object, const char *name)
{
	Interval	length;

	if (xs_json_member(object, name) == NULL)
		return 0;
	length = xs_json_interval(object, name);
	return length.month * (double) DAYS_PER_MONTH + length.day + (double) length.time / USECS_PER_DAY;
}

TimeADT
xs_json_time(JsonbContainer *object, const char *name)
{
	return DatumGetTimeADT(DirectFunctionCall3(time_in, CStringGetDatum(xs_json_text(object, name)),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}
