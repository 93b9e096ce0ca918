/*
 * customers.c SEED ROUNDS DELAY: the customers of world A (bench/regret) as COPY
 * reads them: round, 12 numbers, segment, region, home channel, 2 flags, the rate at
 * which each of the 20 products would convert, a number in [0,1) that settles it, and
 * after how many rounds a conversion would arrive, exponential of mean DELAY.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../regret/world.h"

#define STREAM_DELAY 200		/* beyond those of world.h */

void
die(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	exit(1);
}

void *
allocate(size_t size)
{
	void	   *p = calloc(1, size > 0 ? size : 1);

	if (p == NULL)
		die("out of memory");
	return p;
}

/* The one of n columns, from first on, that is 1. */
static int
level(const float *x, int first, int n)
{
	for (int i = 0; i < n; i++)
		if (x[first + i] == 1)
			return i + 1;
	die("a customer of no category");
}

int
main(int argc, char **argv)
{
	World	   *world = world_bank(FEED_NONE);
	Customer	customer;
	uint64_t	seed;

	if (argc != 4)
		die("customers SEED ROUNDS DELAY");
	seed = (uint64_t) atoi(argv[1]);
	for (int round = 0; round < atoi(argv[2]); round++)
	{
		double		u = xs_uniform(seed, (uint64_t) round, STREAM_DELAY);

		world->meet(world, seed, round, &customer);
		printf("%d", round);
		for (int i = 1; i <= 12; i++)
			printf("\t%.9g", customer.x[i]);
		printf("\tsegment%d\tregion%d\tchannel%d\t%d\t%d\t{", level(customer.x, 13, 5), level(customer.x, 18, 8),
			   level(customer.x, 26, 4), customer.x[30] == 1, customer.x[31] == 1);
		for (int k = 0; k < world->nproducts; k++)
			printf("%s%.9g", k > 0 ? "," : "", customer.rate[k]);
		printf("}\t%.17g\t%.17g\n", xs_uniform(seed, (uint64_t) round, STREAM_CONVERSION), -atof(argv[3]) * xs_log(1 - u));
	}
	return 0;
}
