/*
 * test_remap.c: evidence under another layout is what the same observations,
 * encoded under that layout, would have left.
 */
#include "../../src/math/random.h"
#include "../../src/model/remap.h"
#include "unit.h"

enum
{
	MOST = 40, PAIRS = MOST * MOST, ROWS = 300
};

static int	to[PAIRS];
static int	from[PAIRS];

static double
between(double low, double high)
{
	static uint64_t counter = 0;

	return low + (high - low) * xs_uniform(5, counter++, 0);
}

static int
below(int n)
{
	return (int) between(0.0, n);
}

static XsGlm *
new_glm(int dim, XsLink link)
{
	XsGlm	   *glm = calloc(1, XS_GLM_SIZE(dim));

	glm->dim = dim;
	glm->link = link;
	return glm;
}

static int
equal(const XsGlm *a, const XsGlm *b)
{
	return a->dim == b->dim && memcmp(a, b, XS_GLM_SIZE(a->dim)) == 0;
}

static XsRemap
begin_map(int from_dim, int to_dim)
{
	XsRemap		map = {.from_dim = from_dim,.to_dim = to_dim,.n = 0,.to = to,.from = from};

	return map;
}

static void
pair(XsRemap *map, int t, int f)
{
	to[map->n] = t;
	from[map->n] = f;
	map->n++;
}

/* ---- against M Lambda M', element by element ---- */

static int64_t
element(const XsGlm *glm, int i, int j)
{
	return glm->sums[glm->dim + (i >= j ? XS_PACKED_INDEX(i, j) : XS_PACKED_INDEX(j, i))];
}

static int
is_product(const XsGlm *out, const XsGlm *in, int m[MOST][MOST])
{
	int			a,
				b,
				i,
				j;

	for (a = 0; a < out->dim; a++)
	{
		int64_t		eta = 0;

		for (i = 0; i < in->dim; i++)
			eta += m[a][i] * in->sums[i];
		if (eta != out->sums[a])
			return 0;
		for (b = 0; b <= a; b++)
		{
			int64_t		sum = 0;

			for (i = 0; i < in->dim; i++)
				for (j = 0; j < in->dim; j++)
					sum += m[a][i] * element(in, i, j) * m[b][j];
			if (sum != element(out, a, b))
				return 0;
		}
	}
	return out->n == in->n && out->trials == in->trials && out->successes == in->successes &&
		out->link == in->link;
}

static int
random_product(int density)
{
	int			from_dim = 1 + below(MOST);
	int			to_dim = 1 + below(MOST);
	XsRemap		map = begin_map(from_dim, to_dim);
	XsGlm	   *in = new_glm(from_dim, XS_IDENTITY);
	XsGlm	   *out = malloc(XS_GLM_SIZE(to_dim));
	int			m[MOST][MOST];
	int			good;
	int			i,
				j;

	memset(out, 0x55, XS_GLM_SIZE(to_dim));
	in->n = 1 + below(1000);
	in->trials = 7 + in->n;
	in->successes = -in->n;
	for (i = 0; i < XS_GLM_SUMS(from_dim); i++)
		in->sums[i] = (int64_t) between(-0x1p50, 0x1p50);
	for (i = 0; i < to_dim; i++)
		for (j = 0; j < from_dim; j++)
		{
			m[i][j] = below(100) < density;
			if (m[i][j])
				pair(&map, i, j);
		}
	good = xs_remap_valid(&map) && xs_remap_glm(out, in, &map) == XS_OK && is_product(out, in, m);
	free(in);
	free(out);
	return good;
}

static void
test_products(void)
{
	int			good = 1;
	int			i;

	for (i = 0; i < 60; i++)
		good &= random_product(i % 3 == 0 ? 2 : i % 3 == 1 ? 10 : 60);
	CHECK(good, "M eta and M Lambda M', of random M");
	CHECK(random_product(0) && random_product(100), "of none and of all ones");
}

/* ---- against observations under the new layout ---- */

/*
 * An old row: intercept; number and "is null"; a text of three levels, other, "is
 * null"; number and "is null".
 */
enum
{
	OLD = 10
};

static void
old_row(float *x)
{
	memset(x, 0, sizeof(float) * OLD);
	x[0] = 1.0f;
	if (below(5) == 0)
		x[2] = 1.0f;
	else
		x[1] = (float) between(-8.0, 8.0);
	x[3 + below(5)] = 1.0f;
	if (below(7) == 0)
		x[9] = 1.0f;
	else
		x[8] = (float) between(-1.0, 1.0);
}

/* What a change of layout makes of a row, written out by hand. */
typedef struct Change
{
	const char *name;
	int			dim;
	int			n;
	int			pairs[20][2];
	void		(*row) (float *x, const float *old);
} Change;

static void
drop_first_number(float *x, const float *old)
{
	x[0] = old[0];
	memcpy(x + 1, old + 3, sizeof(float) * 7);
}

static void
drop_all(float *x, const float *old)
{
	x[0] = old[0];
}

/* a number between the others */
static void
add_number(float *x, const float *old)
{
	memcpy(x, old, sizeof(float) * 3);
	x[3] = 0.0f;
	x[4] = 1.0f;
	memcpy(x + 5, old + 3, sizeof(float) * 7);
}

/* levels b, new, other: what was a or c is other now */
static void
other_levels(float *x, const float *old)
{
	memcpy(x, old, sizeof(float) * 3);
	x[3] = old[4];
	x[4] = 0.0f;
	x[5] = old[3] == 1.0f || old[5] == 1.0f || old[6] == 1.0f ? 1.0f : 0.0f;
	memcpy(x + 6, old + 7, sizeof(float) * 3);
}

/* the text first, of a text of two new levels, then the numbers in the other order */
static void
all_at_once(float *x, const float *old)
{
	x[0] = 1.0f;
	x[1] = old[4];
	x[2] = old[3] == 1.0f || old[5] == 1.0f || old[6] == 1.0f ? 1.0f : 0.0f;
	x[3] = old[7];
	x[4] = 0.0f;
	x[5] = 0.0f;
	x[6] = 0.0f;
	x[7] = 1.0f;
	x[8] = old[8];
	x[9] = old[9];
	x[10] = old[1];
	x[11] = old[2];
}

static const Change changes[] = {
	{"a number dropped", 8, 8,
	{{0, 0}, {1, 3}, {2, 4}, {3, 5}, {4, 6}, {5, 7}, {6, 8}, {7, 9}}, drop_first_number},
	{"all dropped", 1, 1, {{0, 0}}, drop_all},
	{"a number added: not known then", 12, 11,
	{{0, 0}, {1, 1}, {2, 2}, {4, 0}, {5, 3}, {6, 4}, {7, 5}, {8, 6}, {9, 7}, {10, 8}, {11, 9}}, add_number},
	{"other levels", 9, 10,
	{{0, 0}, {1, 1}, {2, 2}, {3, 4}, {5, 3}, {5, 5}, {5, 6}, {6, 7}, {7, 8}, {8, 9}}, other_levels},
	{"moved, merged, added and dropped", 12, 11,
	{{0, 0}, {1, 4}, {2, 3}, {2, 5}, {2, 6}, {3, 7}, {7, 0}, {8, 8}, {9, 9}, {10, 1}, {11, 2}}, all_at_once},
};

static void
test_change(const Change *change, XsLink link)
{
	XsRemap		map = begin_map(OLD, change->dim);
	XsGlm	   *old = new_glm(OLD, link);
	XsGlm	   *observed = new_glm(change->dim, link);
	XsGlm	   *mapped = new_glm(change->dim, link);
	char		name[200];
	int			same_rows = 1;
	int			good = 1;
	int			i;

	for (i = 0; i < change->n; i++)
		pair(&map, change->pairs[i][0], change->pairs[i][1]);
	for (i = 0; i < ROWS; i++)
	{
		double		reward = between(0.0, 1.0);
		double		predictor = between(-20.0, 20.0);
		double		weight = between(0.01, 100.0);
		float		x[OLD];
		float		new_x[MOST];
		float		mapped_x[MOST];

		old_row(x);
		change->row(new_x, x);
		xs_remap_x(mapped_x, x, &map);
		same_rows &= memcmp(new_x, mapped_x, sizeof(float) * (size_t) change->dim) == 0;
		good &= xs_glm_observe(old, x, reward, predictor, weight, 1) == XS_OK &&
			xs_glm_observe(observed, new_x, reward, predictor, weight, 1) == XS_OK;
	}
	good &= xs_remap_valid(&map) && xs_remap_glm(mapped, old, &map) == XS_OK;
	snprintf(name, sizeof(name), "%s: rows", change->name);
	CHECK(same_rows, name);
	snprintf(name, sizeof(name), "%s: evidence, bit for bit", change->name);
	CHECK(good && equal(mapped, observed), name);
	free(old);
	free(observed);
	free(mapped);
}

/* ---- edges ---- */

static void
test_identity(void)
{
	XsRemap		map = begin_map(3, 3);

	pair(&map, 0, 0);
	pair(&map, 1, 1);
	CHECK(!xs_remap_identity(&map), "a column without source: not the identity");
	pair(&map, 2, 2);
	CHECK(xs_remap_identity(&map), "every column itself: the identity");
	map.from_dim = 4;
	CHECK(!xs_remap_identity(&map), "a column dropped: not the identity");
	map = begin_map(2, 2);
	pair(&map, 0, 1);
	pair(&map, 1, 0);
	CHECK(!xs_remap_identity(&map) && xs_remap_valid(&map), "columns exchanged: not the identity");
}

static int
refused(int from_dim, int to_dim, int n, const int *pairs)
{
	XsRemap		map = begin_map(from_dim, to_dim);
	int			k;

	for (k = 0; k < n; k++)
		pair(&map, pairs[2 * k], pairs[2 * k + 1]);
	map.n = n;
	return !xs_remap_valid(&map);
}

static void
test_validity(void)
{
	CHECK(refused(0, 1, 0, NULL) && refused(1, 0, 0, NULL) && refused(XS_MAX_DIM + 1, 1, 0, NULL) &&
		  refused(1, XS_MAX_DIM + 1, 0, NULL) && !refused(XS_MAX_DIM, XS_MAX_DIM, 0, NULL), "dimensions");
	CHECK(refused(2, 3, 1, (int[]) {3, 0}) && refused(2, 3, 1, (int[]) {-1, 0}) &&
		  refused(2, 3, 1, (int[]) {0, 2}) && refused(2, 3, 1, (int[]) {0, -1}) &&
		  !refused(2, 3, 1, (int[]) {2, 1}), "columns");
	CHECK(refused(2, 2, 2, (int[]) {0, 0, 0, 0}) && refused(2, 2, 2, (int[]) {0, 1, 0, 0}) &&
		  refused(2, 2, 2, (int[]) {1, 0, 0, 1}) && !refused(2, 2, 2, (int[]) {0, 1, 1, 0}), "order");
	CHECK(refused(2, 2, -1, NULL) && !refused(2, 2, 0, NULL), "number of pairs");
}

static void
test_status(void)
{
	XsRemap		map = begin_map(2, 1);
	XsGlm	   *in = new_glm(2, XS_LOGIT);
	XsGlm	   *out = new_glm(2, XS_LOGIT);

	pair(&map, 0, 0);
	pair(&map, 0, 1);
	in->sums[0] = INT64_MAX;
	in->sums[1] = 1;
	CHECK(xs_remap_glm(out, in, &map) == XS_OVERFLOW, "a shift that overflows");
	in->sums[1] = -1;
	CHECK(xs_remap_glm(out, in, &map) == XS_OK && out->sums[0] == INT64_MAX - 1, "one that does not");
	in->sums[2] = INT64_MAX;
	in->sums[4] = 1;
	CHECK(xs_remap_glm(out, in, &map) == XS_OVERFLOW, "a precision that overflows");
	in->sums[3] = -1;
	CHECK(xs_remap_glm(out, in, &map) == XS_OK && out->sums[1] == INT64_MAX - 1, "one that does not");
	in->sums[3] = 1;
	in->sums[4] = -10;
	CHECK(xs_remap_glm(out, in, &map) == XS_OVERFLOW, "one that does on the way");
	map.from_dim = 3;
	CHECK(xs_remap_glm(out, in, &map) == XS_DIMENSION, "another dimension");
	free(in);
	free(out);
}

int
main(int argc, char **argv)
{
	int			i;

	begin(argc, argv);
	test_products();
	for (i = 0; i < (int) (sizeof(changes) / sizeof(changes[0])); i++)
	{
		test_change(&changes[i], XS_LOGIT);
		test_change(&changes[i], XS_IDENTITY);
	}
	test_identity();
	test_validity();
	test_status();
	return done();
}
