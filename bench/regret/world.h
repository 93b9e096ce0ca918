/*
 * world.h: simulated customers, and how they would respond to each product.
 *
 * A world is a function of its seed and of the round, so every agent meets the
 * same customers, and a conversion that one agent gets another gets too if it
 * makes the same offer.
 */
#ifndef WORLD_H
#define WORLD_H

#include "../../src/model/evidence.h"

#define MAX_PRODUCTS 32

/* Streams of xs_uniform(seed, round, stream). */
enum
{
	STREAM_DRAW,				/* the agent's draw */
	STREAM_CONVERSION,
	STREAM_ORDER,				/* of the rows of a data set */
	STREAM_CUSTOMER = 16,		/* and the following: features */
	STREAM_FEED = 64			/* and the following: noise of propensities, by product */
};

typedef struct Customer
{
	float		x[XS_MAX_DIM];	/* encoded features; the propensity's column is left to the agent */
	int			segment;
	double		rate[MAX_PRODUCTS]; /* P(convert | offer) */
	double		propensity[MAX_PRODUCTS];	/* what the bank's score says; NaN: missing */
} Customer;

typedef struct World
{
	const char *name;
	int			rounds;			/* that it has, or usually lasts */
	int			nproducts;
	int			dim;			/* columns, the propensity's included */
	int			nsegments;		/* 0: none */
	double		value[MAX_PRODUCTS];	/* of a conversion */
	bool		has_propensity; /* the last column is the propensity's */
	bool		uses_propensity[MAX_PRODUCTS];
	int			group[MAX_PRODUCTS];	/* similar products; -1: none */
	int			arrives[MAX_PRODUCTS];	/* the first round with this product */
	void	   *own;			/* of the functions below */
	void		(*begin) (struct World *world, uint64_t seed);
	void		(*meet) (const struct World *world, uint64_t seed, int round, Customer *customer);
} World;

/* What the bank's propensity says of a product; see worlds.c. */
typedef enum Feed
{
	FEED_NONE,
	FEED_GOOD,
	FEED_MISCALIBRATED,
	FEED_HALF,
	FEED_NOISE,
	FEED_REVERSED,
	FEED_CONSTANT,
	FEED_PERCENT,
	NFEEDS
} Feed;

extern const char *const feed_names[NFEEDS];

/* worlds.c */
extern World *world_bank(Feed feed);
extern World *world_drift(int change);	/* half of the products change in this round */
extern World *world_families(int arrival, bool true_groups);	/* two products arrive in this round */

/* datasets.c: "letter", "pendigits", "satellite", "bank" */
extern World *world_set(const char *name);

extern void *allocate(size_t size); /* zeroed, or the program ends */
extern void die(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));

#endif
