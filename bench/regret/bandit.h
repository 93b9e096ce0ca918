/*
 * bandit.h: an agent meets the customers of a world, one a round.
 */
#ifndef BANDIT_H
#define BANDIT_H

#include "agent.h"

enum
{
	MARKS = 3
};

typedef struct Trial
{
	const Settings *settings;
	World	   *world;
	int			rounds;
	int			delay;			/* rounds from an offer to its conversion */
	int			marks[MARKS];	/* regret up to these rounds is kept; ascending */
} Trial;

/* Means per round of expected rewards; regret is the optimum's lead in all. */
typedef struct Outcome
{
	double		reward;
	double		uniform;
	double		best_fixed;		/* the product that is best for all, if known */
	double		optimum;
	double		regret[MARKS];
} Outcome;

extern void bandit_run(const Trial *trial, uint64_t seed, Outcome *outcome);

/* (reward - uniform) / (optimum - uniform) */
extern double bandit_normalised(const Outcome *outcome);

#endif
