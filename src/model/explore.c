/*
 * explore.c: from predictions to action probabilities to one arm.
 */
#include <string.h>

#include "explore.h"
#include "../math/special.h"

static double
worth(const XsArm *arm, double rate)
{
	double		u = arm->value * rate - arm->cost;

	return u == u ? u : -XS_INFINITY;
}

double
xs_objective(const XsArm *arm, double z)
{
	return worth(arm, xs_expit(z));
}

/* x in [low, high]; NaN is low */
static double
clamp(double x, double low, double high)
{
	if (!(x >= low))
		return low;
	return x <= high ? x : high;
}

int
xs_best(const XsArm *arms, int n)
{
	int			best = 0;
	double		best_worth = worth(&arms[0], arms[0].prediction.rate);
	int			i;

	for (i = 1; i < n; i++)
	{
		double		w = worth(&arms[i], arms[i].prediction.rate);

		if (w > best_worth)
		{
			best = i;
			best_worth = w;
		}
	}
	return best;
}

static void
uniform(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	int			i;

	(void) how;
	(void) arms;
	(void) scratch;
	for (i = 0; i < n; i++)
		q[i] = 1.0 / n;
}

static void
epsilon_greedy(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	double		epsilon = clamp(how->epsilon, 0.0, 1.0);
	int			i;

	(void) scratch;
	for (i = 0; i < n; i++)
		q[i] = epsilon / n;
	q[xs_best(arms, n)] += 1.0 - epsilon;
}

static void
ucb(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	double		width = clamp(how->width, 0.0, 1e6);
	double		best_bound = -XS_INFINITY;
	int			best = 0;
	int			i;

	(void) scratch;
	for (i = 0; i < n; i++)
	{
		const XsPrediction *p = &arms[i].prediction;
		double		sd = p->variance > 0.0 ? __builtin_sqrt(p->variance) : 0.0;
		double		bound = xs_objective(&arms[i], p->mean + width * sd);

		q[i] = 0.0;
		if (bound > best_bound)
		{
			best = i;
			best_bound = bound;
		}
	}
	q[best] = 1.0;
}

const XsStrategy *
xs_strategy(const char *name)
{
	static const XsStrategy strategies[] = {
		{"epsilon_greedy", epsilon_greedy},
		{"ucb", ucb},
		{"thompson", xs_thompson},
		{"uniform", uniform}
	};
	size_t		i;

	for (i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		if (strcmp(strategies[i].name, name) == 0)
			return &strategies[i];
	return NULL;
}

void
xs_explore(const XsStrategy *strategy, const XsExploration *how,
		   const XsArm *arms, int n, double *q, double *scratch)
{
	double		floor = clamp(how->floor, 0.0, 1.0);
	double		sum = 0.0;
	int			i;

	strategy->probabilities(how, arms, n, q, scratch);
	for (i = 0; i < n; i++)
	{
		q[i] = (1.0 - floor) * q[i] + floor / n;
		sum += q[i];
	}
	for (i = 0; i < n; i++)
	{
		q[i] /= sum;
		/* the division may round the floor away by one unit */
		if (q[i] < floor / n)
			q[i] = floor / n;
	}
}

int
xs_draw(const double *q, int n, double u)
{
	double		sum = 0.0;
	int			last = -1;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (!(q[i] > 0.0))
			continue;
		sum += q[i];
		last = i;
		if (u < sum)
			break;
	}
	/* if rounding left the sum below u: the last arm that can be drawn */
	return last;
}
