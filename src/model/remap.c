/*
 * remap.c: exact linear maps of evidence from one layout to another.
 */
#include <string.h>

#include "remap.h"

bool
xs_remap_valid(const XsRemap *map)
{
	int			k;

	if (map->from_dim < 1 || map->from_dim > XS_MAX_DIM ||
		map->to_dim < 1 || map->to_dim > XS_MAX_DIM || map->n < 0)
		return false;
	for (k = 0; k < map->n; k++)
	{
		if (map->to[k] < 0 || map->to[k] >= map->to_dim ||
			map->from[k] < 0 || map->from[k] >= map->from_dim)
			return false;
		if (k > 0 && (map->to[k] < map->to[k - 1] ||
					  (map->to[k] == map->to[k - 1] && map->from[k] <= map->from[k - 1])))
			return false;
	}
	return true;
}

bool
xs_remap_identity(const XsRemap *map)
{
	int			k;

	if (map->from_dim != map->to_dim || map->n != map->to_dim)
		return false;
	for (k = 0; k < map->n; k++)
		if (map->to[k] != k || map->from[k] != k)
			return false;
	return true;
}

/* row += row i of a packed symmetric matrix of dimension d */
static XsStatus
add_row(int64_t *row, const int64_t *matrix, int i, int d)
{
	XsStatus	status = XS_OK;
	int			j;

	for (j = 0; j < d && status == XS_OK; j++)
		status = xs_accumulate(&row[j], matrix[i >= j ? XS_PACKED_INDEX(i, j) : XS_PACKED_INDEX(j, i)], 1);
	return status;
}

/*
 * Row by row: of the new row's sources, the old rows' sum, whose columns are then
 * summed by target.  O(pairs * dimension).
 */
static XsStatus
remap_precision(int64_t *out, const int64_t *in, const XsRemap *map)
{
	int64_t		row[XS_MAX_DIM];
	XsStatus	status = XS_OK;
	int			begin,
				end,
				k;

	for (begin = 0; begin < map->n; begin = end)
	{
		int			to = map->to[begin];

		memset(row, 0, sizeof(int64_t) * (size_t) map->from_dim);
		for (end = begin; end < map->n && map->to[end] == to; end++)
			if (status == XS_OK)
				status = add_row(row, in, map->from[end], map->from_dim);
		for (k = 0; k < end && status == XS_OK; k++)
			status = xs_accumulate(&out[XS_PACKED_INDEX(to, map->to[k])], row[map->from[k]], 1);
	}
	return status;
}

XsStatus
xs_remap_glm(XsGlm *out, const XsGlm *in, const XsRemap *map)
{
	XsStatus	status = XS_OK;
	int			k;

	if (in->dim != map->from_dim)
		return XS_DIMENSION;
	memset(out, 0, XS_GLM_SIZE(map->to_dim));
	out->dim = map->to_dim;
	out->link = in->link;
	out->n = in->n;
	out->trials = in->trials;
	out->successes = in->successes;
	for (k = 0; k < map->n && status == XS_OK; k++)
		status = xs_accumulate(&out->sums[map->to[k]], in->sums[map->from[k]], 1);
	if (status == XS_OK)
		status = remap_precision(out->sums + out->dim, in->sums + in->dim, map);
	return status;
}

void
xs_remap_x(float *out, const float *x, const XsRemap *map)
{
	int			k;

	memset(out, 0, sizeof(float) * (size_t) map->to_dim);
	for (k = 0; k < map->n; k++)
		out[map->to[k]] += x[map->from[k]];
}
