/*
 * remap.c: rows of features and states of evidence under another layout, in SQL.
 *
 * A layout's map is an array: columns of the old layout, of the new one, then
 * pairs of a column of the old and one of the new, counted from 1, in order of
 * the new and then of the old.  xsell_layout_map (policy/remap.c) makes it.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "../model/remap.h"
#include "types.h"

PG_FUNCTION_INFO_V1(xsell_remap_features);
PG_FUNCTION_INFO_V1(xsell_remap_glm);
PG_FUNCTION_INFO_V1(xsell_dot);

static void
refuse_map(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid layout map"),
			 errdetail("%s", detail),
			 errhint("Maps are made by xsell_layout_map.")));
}

/* An argument as a map, valid or refused; in the current memory context. */
static XsRemap
map_arg(ArrayType *array)
{
	XsRemap		map;
	const int32 *elements = (const int32 *) ARR_DATA_PTR(array);
	int			n;
	int		   *to;
	int		   *from;

	if (ARR_ELEMTYPE(array) != INT4OID)
		elog(ERROR, "a layout map is not of type integer");
	if (ARR_NDIM(array) != 1 || array_contains_nulls(array))
		refuse_map("It must be a one-dimensional array without nulls.");
	n = ARR_DIMS(array)[0];
	if (n < 2 || n % 2 != 0)
		refuse_map("It must have two numbers of columns, and pairs of columns.");

	to = palloc(sizeof(int) * n);
	from = to + n / 2;
	for (int k = 2; k < n; k++)
		if (elements[k] < 1 || elements[k] > XS_MAX_DIM)
			refuse_map("A column is out of range.");
	for (int k = 1; k < n / 2; k++)
	{
		from[k - 1] = elements[2 * k] - 1;
		to[k - 1] = elements[2 * k + 1] - 1;
	}
	map = (XsRemap) {.from_dim = elements[0],.to_dim = elements[1],.n = n / 2 - 1,.to = to,.from = from};
	if (!xs_remap_valid(&map))
		refuse_map("Columns are out of range, out of order, or paired twice.");
	return map;
}

static void
check_dimension(int dim, const XsRemap *map, const char *what)
{
	if (dim != map->from_dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("number of columns differs from the map's"),
				 errdetail("The map is for %d columns, the %s has %d.", map->from_dim, what, dim)));
}

/*
 * A row of features as it would have been under the new layout.  Strict.
 * Errors: features as in xsell_glm_add, or of another number than the map's; an
 * array that is no map.
 */
Datum
xsell_remap_features(PG_FUNCTION_ARGS)
{
	int			dim;
	const float *x = xs_check_features(PG_GETARG_ARRAYTYPE_P(0), &dim);
	XsRemap		map = map_arg(PG_GETARG_ARRAYTYPE_P(1));
	float		mapped[XS_MAX_DIM];
	Datum		elements[XS_MAX_DIM];

	check_dimension(dim, &map, "row");
	xs_remap_x(mapped, x, &map);
	for (int i = 0; i < map.to_dim; i++)
		elements[i] = Float4GetDatum(mapped[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, map.to_dim, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT));
}

/*
 * Evidence as its rows, under the new layout, would have left it.  Strict.
 * Errors: a state of another number of columns than the map's; an array that is
 * no map; overflow; a map under which the state's rows cannot have been.
 */
Datum
xsell_remap_glm(PG_FUNCTION_ARGS)
{
	const XsGlm *state = &xs_glm_value_arg(PG_GETARG_DATUM(0))->body;
	XsRemap		map = map_arg(PG_GETARG_ARRAYTYPE_P(1));
	XsGlmValue *value;
	const char *fault;

	check_dimension(state->dim, &map, "state");
	value = xs_glm_value_new(map.to_dim, (XsLink) state->link);
	xs_check_status(xs_remap_glm(&value->body, state, &map), "xsell_glm");
	fault = xs_glm_fault(&value->body);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the state does not fit the layout map"),
				 errdetail("%s", fault)));
	PG_RETURN_POINTER(value);
}

/*
 * The linear predictor of a row, the products summed as the models do: those of even
 * columns, counted from 0, and those of odd ones, then both.  Strict.  Errors:
 * features as in xsell_glm_add; coefficients that are NULL, NaN or infinite, or of
 * another number.
 */
Datum
xsell_dot(PG_FUNCTION_ARGS)
{
	int			dim;
	const float *x = xs_check_features(PG_GETARG_ARRAYTYPE_P(0), &dim);
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	const double *coefficients = (const double *) ARR_DATA_PTR(array);

	if (ARR_ELEMTYPE(array) != FLOAT8OID)
		elog(ERROR, "coefficients are not of type double precision");
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != dim || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("coefficients must be as many as features, and not null"),
				 errdetail("There are %d features, and %d coefficients in %d dimensions.", dim,
						   ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)), ARR_NDIM(array))));
	for (int i = 0; i < dim; i++)
		/* far below where a sum could become infinite */
		if (!(fabs(coefficients[i]) <= 1e300))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("coefficient out of range"),
					 errdetail("Coefficient %d is %g; it must be between -1e+300 and 1e+300.", i + 1, coefficients[i])));
	PG_RETURN_FLOAT8(xs_dot(coefficients, x, dim));
}
