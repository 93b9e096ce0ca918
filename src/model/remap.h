/*
 * remap.h: evidence and features of one layout of columns, read under another.
 *
 * A map says which columns of the old layout add up to a column of the new one:
 * x' = M x with a 0/1 matrix M.  Then the evidence of the observations x' is
 *
 *   eta' = M eta        Lambda' = M Lambda M'
 *
 * bit for bit, and not only up to rounding, if of the columns that add up no row
 * has more than one that is not 0: so it is when columns are left out, moved or
 * repeated, and when levels of a text are merged.
 */
#ifndef XS_REMAP_H
#define XS_REMAP_H

#include "evidence.h"

/* The ones of M: element (to[k], from[k]), in order of to, then of from, none twice. */
typedef struct XsRemap
{
	int			from_dim;		/* both 1 .. XS_MAX_DIM */
	int			to_dim;
	int			n;
	const int  *to;
	const int  *from;
} XsRemap;

/* Whether a map is as described: the other functions rely on it. */
extern bool xs_remap_valid(const XsRemap *map);

/* Whether nothing changes. */
extern bool xs_remap_identity(const XsRemap *map);

/*
 * out, of XS_GLM_SIZE(to_dim) bytes, is filled whole; n, trials and successes
 * stay.  XS_DIMENSION if the state is of another dimension than the map;
 * XS_OVERFLOW if a sum, also one on the way, does not fit: discard out then.
 */
extern XsStatus xs_remap_glm(XsGlm *out, const XsGlm *in, const XsRemap *map);

/* out (to_dim) from x (from_dim); they must not overlap. */
extern void xs_remap_x(float *out, const float *x, const XsRemap *map);

#endif
