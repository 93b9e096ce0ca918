/*
 * text.c: reads the text form of the states, a JSON object of integers.
 *
 * jsonb would do most of it, but it drops all but the last of duplicate keys
 * and makes a numeric of every integer; a state has up to 130 thousand.
 * Strings have no escapes: no key and no link needs one.
 */
#include "postgres.h"

#include "types.h"

typedef struct XsScan
{
	const char *at;
	const char *start;
	const char *type;
	Node	   *context;
} XsScan;

/* Saves or throws an error about the text at the current position; false, for return. */
static bool
scan_error(XsScan *scan, const char *what)
{
	ereturn(scan->context, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s", scan->type),
			 errdetail("%s at byte %lld.", what, (long long) (scan->at - scan->start) + 1)));
}

/* As above, about one member of the object. */
static bool
member_error(XsScan *scan, const char *key, const char *what)
{
	ereturn(scan->context, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s", scan->type),
			 errdetail("Key \"%s\" %s.", key, what)));
}

static void
skip_space(XsScan *scan)
{
	while (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r')
		scan->at++;
}

/* Consumes the character and the space around it, if it comes next. */
static bool
take(XsScan *scan, char wanted)
{
	skip_space(scan);
	if (*scan->at != wanted)
		return false;
	scan->at++;
	skip_space(scan);
	return true;
}

/* A string without escapes, of at most 20 bytes. */
static bool
read_string(XsScan *scan, char **out)
{
	const char *begin;

	if (*scan->at != '"')
		return scan_error(scan, "A string is expected");
	begin = ++scan->at;
	while ((*scan->at >= 'a' && *scan->at <= 'z') || *scan->at == '_')
		scan->at++;
	if (*scan->at != '"' || scan->at - begin > 20)
		return scan_error(scan, "No such key or value is known");
	*out = pnstrdup(begin, scan->at - begin);
	scan->at++;
	return true;
}

/* An integer of 64 bits as JSON spells it: no plus sign, leading zero, fraction or exponent. */
static bool
read_integer(XsScan *scan, int64 *out)
{
	const char *p = scan->at;
	bool		negative = (*p == '-');
	uint64		limit = (uint64) PG_INT64_MAX + (negative ? 1 : 0);
	uint64		sum = 0;

	if (negative)
		p++;
	if (*p < '0' || *p > '9')
		return scan_error(scan, "An integer is expected");
	if (*p == '0' && p[1] >= '0' && p[1] <= '9')
		return scan_error(scan, "An integer has a leading zero");
	for (; *p >= '0' && *p <= '9'; p++)
	{
		uint64		digit = *p - '0';

		if (sum > (limit - digit) / 10)
			return scan_error(scan, "An integer does not fit into 64 bits");
		sum = sum * 10 + digit;
	}
	if (*p == '.' || *p == 'e' || *p == 'E')
		return scan_error(scan, "A number is not an integer");
	*out = negative ? (int64) (0 - sum) : (int64) sum;
	scan->at = p;
	return true;
}

static bool
read_integers(XsScan *scan, XsField *field)
{
	int			room = 64;

	field->integers = palloc(room * sizeof(int64));
	field->count = 0;
	if (!take(scan, '['))
		return scan_error(scan, "An array is expected");
	if (take(scan, ']'))
		return true;
	do
	{
		if (field->count == field->limit)
			return member_error(scan, field->key, "has too many elements");
		if (field->count == room)
		{
			room *= 2;
			field->integers = repalloc(field->integers, room * sizeof(int64));
		}
		if (!read_integer(scan, &field->integers[field->count]))
			return false;
		field->count++;
	} while (take(scan, ','));
	if (!take(scan, ']'))
		return scan_error(scan, "A comma or the end of an array is expected");
	return true;
}

/* One "key": value. */
static bool
read_member(XsScan *scan, XsField *fields, int nfields)
{
	XsField    *field = NULL;
	char	   *key;

	if (!read_string(scan, &key))
		return false;
	for (int i = 0; i < nfields; i++)
		if (strcmp(fields[i].key, key) == 0)
			field = &fields[i];
	if (field == NULL)
		return member_error(scan, key, "is unknown");
	if (field->seen)
		return member_error(scan, key, "appears twice");
	field->seen = true;
	if (!take(scan, ':'))
		return scan_error(scan, "A colon is expected");
	switch (field->kind)
	{
		case XS_FIELD_INTEGER:
			return read_integer(scan, &field->integer);
		case XS_FIELD_STRING:
			return read_string(scan, &field->string);
		case XS_FIELD_INTEGERS:
			return read_integers(scan, field);
	}
	return false;
}

bool
xs_read_object(const char *text, const char *type, XsField *fields, int nfields,
			   Node *context)
{
	XsScan		scan = {text, text, type, context};

	if (!take(&scan, '{'))
		return scan_error(&scan, "An object is expected");
	do
	{
		if (!read_member(&scan, fields, nfields))
			return false;
	} while (take(&scan, ','));
	if (!take(&scan, '}'))
		return scan_error(&scan, "A comma or the end of the object is expected");
	if (*scan.at != '\0')
		return scan_error(&scan, "The end is expected");
	for (int i = 0; i < nfields; i++)
		if (!fields[i].seen)
			return member_error(&scan, fields[i].key, "is missing");
	return true;
}
