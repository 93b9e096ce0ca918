/*
 * array.h: one-dimensional arrays without NULLs, as the journal keeps them.
 */
#ifndef XS_ARRAY_H
#define XS_ARRAY_H

#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* An SQL array of fixed-width elements, from a C array of them. */
static inline Datum
xs_array_of(Oid type, int width, int n, const void *elements)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + (Size) n * width;
	ArrayType  *array;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(type));
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = type;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), elements, (Size) n * width);
	return PointerGetDatum(array);
}

/* The reverse: a copy of the elements, and their number. */
static inline void *
xs_array_elements(Datum datum, Oid type, int width, int *n)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	void	   *elements;

	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (ARR_ELEMTYPE(array) != type || ARR_NDIM(array) > 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the journal holds an array with NULLs or several dimensions")));
	elements = palloc((Size) *n * width + 1);
	memcpy(elements, ARR_DATA_PTR(array), (Size) *n * width);
	return elements;
}

static inline Datum
xs_array_of_texts(int n, char *const *texts)
{
	Datum	   *elements = palloc(sizeof(Datum) * n + 1);

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(texts[i]);
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static inline char **
xs_array_texts(Datum datum, int *n)
{
	Datum	   *elements;
	char	  **texts;

	deconstruct_array(DatumGetArrayTypeP(datum), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, n);
	texts = palloc(sizeof(char *) * *n + 1);
	for (int i = 0; i < *n; i++)
		texts[i] = TextDatumGetCString(elements[i]);
	return texts;
}

#endif
