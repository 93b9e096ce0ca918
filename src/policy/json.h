/*
 * json.h: members of a jsonb object, as C values.
 */
#ifndef XS_JSON_H
#define XS_JSON_H

#include "postgres.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* The member of an object, or NULL if it is missing or null. */
extern JsonbValue *xs_json_member(JsonbContainer *object, const char *name);

/* An object or array; an error if it is missing. */
extern JsonbContainer *xs_json_container(JsonbContainer *object, const char *name);

/* The objects of an array, as containers; returns their number. */
extern int	xs_json_elements(JsonbContainer *object, const char *name, JsonbContainer ***out);

/* NULL, the value given, an error, false, if it is missing. */
extern char *xs_json_text(JsonbContainer *object, const char *name);
extern double xs_json_number(JsonbContainer *object, const char *name, double missing);
extern int64 xs_json_integer(JsonbContainer *object, const char *name);
extern bool xs_json_boolean(JsonbContainer *object, const char *name);

/* These must not be missing. */
extern Jsonb *xs_json_jsonb(JsonbContainer *object, const char *name);
extern Interval xs_json_interval(JsonbContainer *object, const char *name);
extern TimestampTz xs_json_moment(JsonbContainer *object, const char *name);
extern TimeADT xs_json_time(JsonbContainer *object, const char *name);

/* The length of an interval, months taken for 30 days; 0 if there is none. */
extern double xs_json_days(JsonbContainer *object, const char *name);

#endif
