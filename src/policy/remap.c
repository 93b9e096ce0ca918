/*
 * remap.c: which columns of one layout are which of another.
 *
 * A feature is what its expression yields and how that is encoded: its name does
 * not matter, and where it is new, or scaled otherwise, what was decided before
 * counts as decided without knowing it, as the encoder would have encoded a NULL:
 *
 *   column of the new layout	its columns in the old one
 *   the intercept				the intercept
 *   of a feature both have		the same of that feature
 *   level both declare			that level
 *   "other"					"other", and levels that are no longer declared
 *   "is null" of a new feature	the intercept
 *   the propensity				the propensity, if the product's score is the same
 *   all else					none
 *
 * What the old layout has besides is left out.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "../compat.h"
#include "cache.h"
#include "remap.h"

PG_FUNCTION_INFO_V1(xsell_layout_map);
PG_FUNCTION_INFO_V1(xsell_layout_columns);

/* A map in the making, column by column of the new layout; without memory, only counted. */
typedef struct Pairs
{
	int			n;
	int		   *to;
	int		   *from;
} Pairs;

static void
pair(Pairs *pairs, int to, int from)
{
	if (pairs->to != NULL)
	{
		pairs->to[pairs->n] = to;
		pairs->from[pairs->n] = from;
	}
	pairs->n++;
}

/* The feature that is encoded the same; of several, which all have the same values, the first. */
static const XsFeature *
same_feature(const XsPolicy *policy, const XsFeature *wanted)
{
	for (int i = 0; i < policy->nfeatures; i++)
	{
		const XsFeature *f = &policy->features[i];

		if (f->kind == wanted->kind && strcmp(f->expression->text, wanted->expression->text) == 0 &&
			(f->kind != XS_FEATURE_NUMERIC ||
			 (f->center == wanted->center && f->scale == wanted->scale && f->clip == wanted->clip)))
			return f;
	}
	return NULL;
}

/* Where a value is encoded; -1: not declared.  A level declared twice is the first, as in features.c. */
static int
level_of(const XsFeature *feature, const char *value)
{
	for (int k = 0; k < feature->nlevels; k++)
		if (strcmp(feature->levels[k], value) == 0)
			return k;
	return -1;
}

static void
map_levels(Pairs *pairs, const XsFeature *to, const XsFeature *from)
{
	for (int l = 0; l < to->nlevels; l++)
	{
		int			k = level_of(from, to->levels[l]);

		if (k >= 0 && level_of(to, to->levels[l]) == l)
			pair(pairs, to->column + l, from->column + k);
	}
	for (int k = 0; k < from->nlevels; k++)
		if (level_of(to, from->levels[k]) < 0)
			pair(pairs, to->column + to->nlevels, from->column + k);
	pair(pairs, to->column + to->nlevels, from->column + from->nlevels);
}

static void
map_feature(Pairs *pairs, const XsFeature *to, const XsFeature *from)
{
	int			is_null = to->column + to->ncolumns - 1;

	if (from == NULL)
	{
		pair(pairs, is_null, 0);
		return;
	}
	if (to->kind == XS_FEATURE_TEXT)
		map_levels(pairs, to, from);
	else
		pair(pairs, to->column, from->column);
	pair(pairs, is_null, from->column + from->ncolumns - 1);
}

static const char *
score_of(const XsPolicy *policy, const char *product)
{
	int			offer = xs_policy_offer(policy, product);

	return offer < 0 ? NULL : policy->offers[offer].score;
}

/* A product without a score in either has zeros in both columns. */
bool
xs_layout_same_score(const XsPolicy *from, const XsPolicy *to, const char *product)
{
	const char *a = score_of(from, product);
	const char *b = score_of(to, product);

	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
map_columns(Pairs *pairs, const XsPolicy *from, const XsPolicy *to, const char *product)
{
	pair(pairs, 0, 0);
	for (int i = 0; i < to->nfeatures; i++)
		map_feature(pairs, &to->features[i], same_feature(from, &to->features[i]));
	if (to->prior.has_propensity && from->prior.has_propensity && xs_layout_same_score(from, to, product))
		pair(pairs, to->dim - 1, from->dim - 1);
}

static XsRemap *
layout_map(const XsPolicy *from, const XsPolicy *to, const char *product, MemoryContext context)
{
	Pairs		pairs = {0};
	XsRemap    *map;

	map_columns(&pairs, from, to, product);
	map = MemoryContextAlloc(context, sizeof(XsRemap) + sizeof(int) * 2 * pairs.n);
	pairs.to = (int *) (map + 1);
	pairs.from = pairs.to + pairs.n;
	pairs.n = 0;
	map_columns(&pairs, from, to, product);

	*map = (XsRemap) {.from_dim = from->dim,.to_dim = to->dim,.n = pairs.n,.to = pairs.to,.from = pairs.from};
	Assert(xs_remap_valid(map));
	return map;
}

const XsRemap *
xs_layout_remap(const XsPolicy *from, const XsPolicy *to, const char *product, MemoryContext context)
{
	XsRemap    *map = layout_map(from, to, product, context);

	if (!xs_remap_identity(map))
		return map;
	pfree(map);
	return NULL;
}

/* As in publish.c: the linear oracle's evidence alone is taken with the identity link. */
static bool
is_linear(const XsPolicy *policy)
{
	return strcmp(policy->oracle->name, "linear") == 0;
}

bool
xs_layout_can_remap(const XsPolicy *from, const XsPolicy *to)
{
	return is_linear(from) == is_linear(to);
}

static XsPolicy *
layout_of(const char *agent, int32 encoding)
{
	XsPolicy   *policy = xs_policy_version(agent, encoding);

	if (policy == NULL || policy->encoding != encoding)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("agent \"%s\" has no encoding %d", agent, encoding),
				 errhint("Encodings are those of xsell.decision and xsell.evidence.")));
	return policy;
}

/*
 * The map as an array: columns of the old layout, of the new one, then the pairs
 * old, new, counted from 1 as features[] are.
 */
Datum
xsell_layout_map(PG_FUNCTION_ARGS)
{
	const char *agent = text_to_cstring(PG_GETARG_TEXT_PP(0));
	XsPolicy   *from = layout_of(agent, PG_GETARG_INT32(1));
	XsPolicy   *to = layout_of(agent, PG_GETARG_INT32(2));
	XsRemap    *map = layout_map(from, to, text_to_cstring(PG_GETARG_TEXT_PP(3)), CurrentMemoryContext);
	int			n = 2 + 2 * map->n;
	Datum	   *elements = palloc(sizeof(Datum) * n);

	elements[0] = Int32GetDatum(map->from_dim);
	elements[1] = Int32GetDatum(map->to_dim);
	for (int k = 0; k < map->n; k++)
	{
		elements[2 + 2 * k] = Int32GetDatum(map->from[k] + 1);
		elements[3 + 2 * k] = Int32GetDatum(map->to[k] + 1);
	}
	MemoryContextDelete(from->context);
	MemoryContextDelete(to->context);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

/* xsell_layout_columns(agent text, encoding integer) RETURNS text[], in the order of features[] */
Datum
xsell_layout_columns(PG_FUNCTION_ARGS)
{
	XsPolicy   *policy = layout_of(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_INT32(1));
	Datum	   *names = palloc(sizeof(Datum) * policy->dim);
	ArrayType  *array;

	for (int i = 0; i < policy->dim; i++)
		names[i] = CStringGetTextDatum(xs_column_name(policy, i));
	array = construct_array(names, policy->dim, TEXTOID, -1, false, TYPALIGN_INT);
	MemoryContextDelete(policy->context);
	PG_RETURN_ARRAYTYPE_P(array);
}
