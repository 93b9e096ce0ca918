/*
 * arithmetic.c: the bare arithmetic of a decision, without a server: predictions
 * of 20 arms with 32 features each, Thompson probabilities, the draw.  Prints
 * microseconds per decision.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../src/math/random.h"
#include "../src/model/explore.h"

enum
{
	DIM = 32, ARMS = 20, ROUNDS = 100000
};

int
main(void)
{
	const XsOracle *oracle = xs_oracle("logistic");
	const XsStrategy *strategy = xs_strategy("thompson");
	XsExploration how = {.scale = 0.25,.floor = 0.02};
	XsPrior		prior = {.neutral_rate = 0.05,.strength = 20,.precision = 5,
	.intercept_precision = 1,.slope_precision = 1,.trust = 1};
	XsEvidence	none = {0};
	double	   *scratch = malloc(sizeof(double) * XS_GLM_SUMS(DIM) + sizeof(double) * XS_EXPLORE_SCRATCH(ARMS));
	void	   *model = malloc(oracle->model_size(DIM, 0, NULL));
	float		x[DIM];
	XsArm		arms[ARMS];
	double		q[ARMS];
	unsigned long drawn = 0;
	clock_t		start;

	if (oracle->prepare(model, DIM, &none, &prior, scratch) != XS_OK)
		return 1;
	start = clock();
	for (int round = 0; round < ROUNDS; round++)
	{
		for (int i = 0; i < DIM; i++)
			x[i] = (float) ((round * 7 + i * 13) % 17) / 8 - 1;
		for (int k = 0; k < ARMS; k++)
		{
			x[1] = (float) k / ARMS;
			oracle->predict(model, &(XsInput) {.x = x,.propensity = 0.05,.segment = -1}, &arms[k].prediction);
			arms[k].value = 1;
			arms[k].cost = 0;
		}
		xs_explore(strategy, &how, arms, ARMS, q, scratch);
		drawn += (unsigned long) xs_draw(q, ARMS, xs_uniform(1, (uint64_t) round, 0));
	}
	printf("%.3f\n", (double) (clock() - start) / CLOCKS_PER_SEC * 1e6 / ROUNDS);
	return drawn == 0;
}
