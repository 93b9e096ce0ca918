/*
 * worlds.c: a synthetic bank, 20 products whose conversion is logistic in 31 features.
 *
 * data/README.md describes it.  Columns that are always 0 here ("is null",
 * "other") are left out: they would keep their prior and change no prediction.
 *
 * Variants of it: with propensities, with a change, and with families of similar
 * products.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "world.h"

enum
{
	PRODUCTS = 20,
	NUMERIC = 12,
	FEATURES = 31,
	FAMILIES = 4, FAMILY = 4
};

#define COMMON_SHARE 0.8		/* of a family in the variance of its weights */
#define FEED_ERROR 0.5			/* standard deviation of a propensity's logit */

static const double segment_shares[] = {.35, .30, .20, .10, .05};
static const double region_shares[] = {.30, .20, .15, .10, .10, .06, .05, .04};
static const double channel_shares[] = {.50, .30, .15, .05};

/* in the order of the feature columns, then the intercept */
typedef double Weights[FEATURES + 1];

typedef struct Bank
{
	double		correlation[NUMERIC][NUMERIC];	/* rows of L in z = L e */
	Weights		weights[PRODUCTS];
	Weights		later[PRODUCTS];	/* from the change on */
	int			change;
	Feed		feed;
} Bank;

const char *const feed_names[NFEEDS] = {
	"none", "good", "miscalibrated", "good, half of the products", "noise", "ranks reversed", "constant", "percent"
};

/* ---- the files ---- */

/* Reads rows of numbers below a header line, the first skip fields of each left out. */
static void
read_numbers(const char *path, int skip, double *out, int rows, int columns)
{
	FILE	   *file = fopen(path, "r");
	char		line[4096];

	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		die("cannot read %s", path);
	for (int i = 0; i < rows; i++)
	{
		char	   *p = fgets(line, sizeof(line), file);

		for (int j = 0; j < skip && p != NULL; j++)
			p = strchr(p, ',') + 1;
		if (p == NULL)
			die("%s: %d rows are too few", path, i);
		for (int j = 0; j < columns; j++)
		{
			char	   *end;

			*out++ = strtod(p, &end);
			if (end == p)
				die("%s: no number in row %d, column %d", path, i + 1, j + 1);
			p = end + 1;
		}
	}
	fclose(file);
}

/* ---- customers ---- */

static double
normal(uint64_t seed, int round, uint32_t stream)
{
	return xs_norm_quantile(xs_uniform(seed, (uint64_t) round, stream));
}

/* The category that u falls into. */
static int
category(const double *shares, int n, double u)
{
	int			i = 0;

	while (i < n - 1 && u >= shares[i])
		u -= shares[i++];
	return i;
}

static void
put_numeric(const Bank *bank, uint64_t seed, int round, float *x)
{
	double		e[NUMERIC];

	for (int i = 0; i < NUMERIC; i++)
	{
		double		z = 0;

		e[i] = normal(seed, round, STREAM_CUSTOMER + i);
		for (int j = 0; j <= i; j++)
			z += bank->correlation[i][j] * e[j];
		x[i] = (float) (z > 3 ? 3 : z < -3 ? -3 : z);
	}
}

static double
chance(uint64_t seed, int round, int which)
{
	return xs_uniform(seed, (uint64_t) round, STREAM_CUSTOMER + NUMERIC + which);
}

static void
put_features(const Bank *bank, uint64_t seed, int round, Customer *customer)
{
	float	   *x = customer->x;

	memset(x, 0, sizeof(float) * (FEATURES + 2));
	*x++ = 1;
	put_numeric(bank, seed, round, x);
	x += NUMERIC;
	customer->segment = category(segment_shares, 5, chance(seed, round, 0));
	x[customer->segment] = 1;
	x[5 + category(region_shares, 8, chance(seed, round, 1))] = 1;
	x[13 + category(channel_shares, 4, chance(seed, round, 2))] = 1;
	x[17] = chance(seed, round, 3) < 0.3;
	x[18] = chance(seed, round, 4) < 0.1;
}

static double
predictor(const double *weights, const float *x)
{
	double		z = weights[FEATURES];

	for (int i = 0; i < FEATURES; i++)
		z += weights[i] * x[i + 1];
	return z;
}

/* ---- propensities ---- */

/* The logit of the product that stands as high from below as this one from above. */
static double
opposite(const double *logit, int n, int k)
{
	int			rank = 0;

	for (int i = 0; i < n; i++)
		rank += logit[i] > logit[k];
	for (int i = 0; i < n; i++)
	{
		int			below = 0;

		for (int j = 0; j < n; j++)
			below += logit[j] < logit[i];
		if (below == rank)
			return logit[i];
	}
	return logit[k];
}

/*
 * The scores, e being the error of a score model: true logit + e; 2 (true logit + e)
 * + 1; good for even products, none for the others; no relation to the truth; that of
 * the product at the opposite rank; 5 % for all; per cent instead of a probability,
 * so that most are above 1, which counts as missing.
 */
static double
score(Feed feed, const double *logit, int n, int k, double normal)
{
	double		z = logit[k] + FEED_ERROR * normal;
	double		s;

	switch (feed)
	{
		case FEED_GOOD:
			return xs_expit(z);
		case FEED_MISCALIBRATED:
			return xs_expit(2 * z + 1);
		case FEED_HALF:
			return k % 2 == 0 ? xs_expit(z) : XS_NAN;
		case FEED_NOISE:
			return xs_expit(-3 + normal);
		case FEED_REVERSED:
			return xs_expit(opposite(logit, n, k) + FEED_ERROR * normal);
		case FEED_CONSTANT:
			return 0.05;
		case FEED_PERCENT:
			s = 100 * xs_expit(z);
			return s <= 1 ? s : XS_NAN;
		default:
			return XS_NAN;
	}
}

/* ---- the world ---- */

static void
meet(const World *world, uint64_t seed, int round, Customer *customer)
{
	const Bank *bank = world->own;
	const Weights *weights = round < bank->change ? bank->weights : bank->later;
	double		logit[PRODUCTS];

	put_features(bank, seed, round, customer);
	for (int k = 0; k < world->nproducts; k++)
	{
		logit[k] = predictor(weights[k], customer->x);
		customer->rate[k] = xs_expit(logit[k]);
		customer->propensity[k] = XS_NAN;
	}
	for (int k = 0; k < world->nproducts && bank->feed != FEED_NONE; k++)
		customer->propensity[k] = score(bank->feed, logit, world->nproducts, k, normal(seed, round, STREAM_FEED + k));
}

static World *
make_bank(const char *name, int nproducts)
{
	World	   *world = allocate(sizeof(World));
	Bank	   *bank = allocate(sizeof(Bank));

	read_numbers("bench/regret/data/a_correlation.csv", 0, bank->correlation[0], NUMERIC, NUMERIC);
	read_numbers("bench/regret/data/a_weights.csv", 1, bank->weights[0], PRODUCTS, FEATURES + 1);
	memcpy(bank->later, bank->weights, sizeof(bank->weights));
	*world = (World) {.name = name,.rounds = 100000,.nproducts = nproducts,.dim = 1 + FEATURES,
		.nsegments = 5,.own = bank,.meet = meet
	};
	for (int k = 0; k < nproducts; k++)
	{
		world->value[k] = 1;
		world->group[k] = -1;
	}
	return world;
}

World *
world_bank(Feed feed)
{
	World	   *world = make_bank("world A", PRODUCTS);

	((Bank *) world->own)->feed = feed;
	world->has_propensity = feed != FEED_NONE;
	world->dim += world->has_propensity;
	for (int k = 0; k < PRODUCTS; k++)
		world->uses_propensity[k] = world->has_propensity && !(feed == FEED_HALF && k % 2 != 0);
	return world;
}

/* Even products get each other's weights, in a circle: what is possible stays the same. */
World *
world_drift(int change)
{
	World	   *world = make_bank("world A with a change", PRODUCTS);
	Bank	   *bank = world->own;

	bank->change = change;
	for (int k = 0; k < PRODUCTS; k += 2)
		memcpy(bank->later[k], bank->weights[(k + 2) % PRODUCTS], sizeof(Weights));
	return world;
}

/*
 * 16 products in four families.  Feature weights are sqrt(share) times the
 * family's, for which those of products 17 to 20 are taken, plus sqrt(1 - share)
 * times the product's.  The last of the first two families arrive late.
 */
World *
world_families(int arrival, bool true_groups)
{
	World	   *world = make_bank("world A in families", FAMILIES * FAMILY);
	Bank	   *bank = world->own;

	for (int k = 0; k < world->nproducts; k++)
	{
		const double *common = bank->weights[world->nproducts + k / FAMILY];

		world->group[k] = true_groups ? k / FAMILY : k % FAMILIES;
		for (int i = 0; i < FEATURES; i++)
			bank->weights[k][i] = __builtin_sqrt(COMMON_SHARE) * common[i] +
				__builtin_sqrt(1 - COMMON_SHARE) * bank->weights[k][i];
	}
	memcpy(bank->later, bank->weights, sizeof(bank->weights));
	world->arrives[FAMILY - 1] = world->arrives[2 * FAMILY - 1] = arrival;
	return world;
}
