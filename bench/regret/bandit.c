/*
 * bandit.c: the loop.
 *
 * Rewards counted are expected ones: the probabilities of the decision times what
 * the world says of each product, so that luck counts less.  The agent learns from
 * what it drew.
 *
 * With a delay a decision is learned at once as a zero, which its conversion
 * replaces later, as xsell's learner does.
 */
#include <stdlib.h>

#include "../../src/math/random.h"
#include "bandit.h"

typedef struct Waiting
{
	Decision	decision;
	bool		converts;
} Waiting;

double
bandit_normalised(const Outcome *outcome)
{
	return (outcome->reward - outcome->uniform) / (outcome->optimum - outcome->uniform);
}

/* Adds one round; q by product. Returns the regret. */
static double
count(const World *world, int round, const Customer *customer, const double *q, Outcome *sums, double *fixed)
{
	double		reward = 0;
	double		all = 0;
	double		best = 0;
	int			n = 0;

	for (int k = 0; k < world->nproducts; k++)
	{
		double		worth = world->value[k] * customer->rate[k];

		if (round < world->arrives[k])
			continue;
		reward += q[k] * worth;
		all += worth;
		fixed[k] += worth;
		n++;
		if (worth > best)
			best = worth;
	}
	sums->reward += reward;
	sums->uniform += all / n;
	sums->optimum += best;
	return best - reward;
}

/* The decision is learned, and the one whose conversion arrives now is corrected. */
static void
learn(Agent *agent, const Trial *trial, Waiting *ring, int round)
{
	Waiting    *now = &ring[round % (trial->delay + 1)];
	Waiting    *due = &ring[(round + 1) % (trial->delay + 1)];

	if (trial->delay == 0)
	{
		agent_learn(agent, &now->decision, now->converts, +1);
		return;
	}
	agent_learn(agent, &now->decision, 0, +1);
	if (round < trial->delay || !due->converts)
		return;
	agent_learn(agent, &due->decision, 0, -1);
	agent_learn(agent, &due->decision, 1, +1);
}

void
bandit_run(const Trial *trial, uint64_t seed, Outcome *outcome)
{
	World	   *world = trial->world;
	Agent	   *agent = agent_create(trial->settings, world);
	Waiting    *ring = allocate(sizeof(Waiting) * ((size_t) trial->delay + 1));
	double		fixed[MAX_PRODUCTS] = {0};
	double		regret = 0;
	Customer	customer;
	double		q[MAX_PRODUCTS];

	*outcome = (Outcome) {0};
	if (world->begin != NULL)
		world->begin(world, seed);
	for (int round = 0; round < trial->rounds; round++)
	{
		Waiting    *now = &ring[round % (trial->delay + 1)];

		world->meet(world, seed, round, &customer);
		agent_decide(agent, seed, round, &customer, q, &now->decision);
		now->converts = xs_uniform(seed, (uint64_t) round, STREAM_CONVERSION) < customer.rate[now->decision.product];
		learn(agent, trial, ring, round);
		regret += count(world, round, &customer, q, outcome, fixed);
		for (int i = 0; i < MARKS; i++)
			if (round + 1 == trial->marks[i])
				outcome->regret[i] = regret;
	}
	for (int k = 0; k < world->nproducts; k++)
		if (fixed[k] > outcome->best_fixed)
			outcome->best_fixed = fixed[k];
	outcome->reward /= trial->rounds;
	outcome->uniform /= trial->rounds;
	outcome->best_fixed /= trial->rounds;
	outcome->optimum /= trial->rounds;
	free(ring);
	agent_free(agent);
}
