/*
 * key.c: customer keys outside of their type: as text that means the same in
 * every session, and as a hash that equal keys share.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "../math/random.h"
#include "../settings.h"
#include "journal.h"

/* Types whose text does not depend on settings, of which the usual keys are. */
static bool
has_plain_text(Oid type)
{
	return type == INT8OID || type == INT4OID || type == INT2OID || type == TEXTOID ||
		type == VARCHAROID || type == UUIDOID || type == NUMERICOID;
}

char *
xs_key_text(Datum key)
{
	Oid			type = xs_journal_key_type();
	bool		plain = has_plain_text(type);
	int			level = plain ? 0 : xs_pin_output_format();
	Oid			output;
	bool		is_varlena;
	char	   *text;

	/* 1.0 and 1.00 are one customer */
	if (type == NUMERICOID)
		key = DirectFunctionCall1(numeric_trim_scale, key);
	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, key);
	if (!plain)
		xs_unpin_output_format(level);
	return text;
}

Datum
xs_key_from_text(const char *text)
{
	Oid			type = xs_journal_key_type();
	int			level = xs_pin_output_format();
	Oid			input;
	Oid			ioparam;
	Datum		key;

	getTypeInputInfo(type, &input, &ioparam);
	key = OidInputFunctionCall(input, unconstify(char *, text), ioparam, -1);
	xs_unpin_output_format(level);
	return key;
}

Datum
xs_key_argument(FunctionCallInfo fcinfo, int n)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, n);
	Oid			output;
	bool		is_varlena;
	int			level;
	char	   *text;

	if (type == xs_journal_key_type())
		return PG_GETARG_DATUM(n);
	if (!OidIsValid(type))
		elog(ERROR, "could not determine the type of the customer key");
	level = xs_pin_output_format();
	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, PG_GETARG_DATUM(n));
	xs_unpin_output_format(level);
	return xs_key_from_text(text);
}

/*
 * Within a session only: the hash functions of types may change between versions.
 * A type that has none is hashed by its text.
 */
uint64
xs_key_hash(Datum key, uint64 seed)
{
	TypeCacheEntry *type = lookup_type_cache(xs_journal_key_type(), TYPECACHE_HASH_EXTENDED_PROC_FINFO);

	if (!OidIsValid(type->hash_extended_proc))
	{
		char	   *text = xs_key_text(key);

		return xs_hash64(text, strlen(text), seed);
	}
	return DatumGetUInt64(FunctionCall2Coll(&type->hash_extended_proc_finfo,
											OidIsValid(type->typcollation) ? type->typcollation : DEFAULT_COLLATION_OID,
											key, Int64GetDatum((int64) seed)));
}
