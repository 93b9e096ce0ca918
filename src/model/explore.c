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

/* value * rate - cost */
static double
expected(const XsArm *arm)
{
	return worth(arm, arm->prediction.rate);
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
	double		best_worth = expected(&arms[0]);
	int			i;

	for (i = 1; i < n; i++)
	{
		double		w = expected(&arms[i]);

		if (w > best_worth)
		{
			best = i;
			best_worth = w;
		}
	}
	return best;
}

/* By how much u falls short of the best; arms as good as it, be it infinite, do not. */
static double
shortfall(double best, double u)
{
	return u == best ? 0.0 : best - u;
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
greedy(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	int			i;

	(void) how;
	(void) scratch;
	for (i = 0; i < n; i++)
		q[i] = 0.0;
	q[xs_best(arms, n)] = 1.0;
}

static void
epsilon_greedy(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	double		epsilon = clamp(how->epsilon, 0.0, 1.0);
	int			different = how->different && n > 1;
	int			best = xs_best(arms, n);
	int			i;

	(void) scratch;
	for (i = 0; i < n; i++)
		q[i] = different ? epsilon / (n - 1) : epsilon / n;
	if (different)
		q[best] = 0.0;
	q[best] += 1.0 - epsilon;
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

/* Boltzmann exploration: exp(u/temperature), relative to the best arm's. */
static void
softmax(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	double		temperature = clamp(how->temperature, 1e-300, 1e300);
	double		best = expected(&arms[xs_best(arms, n)]);
	double		sum = 0.0;
	int			i;

	(void) scratch;
	for (i = 0; i < n; i++)
	{
		q[i] = xs_exp(-shortfall(best, expected(&arms[i])) / temperature);
		sum += q[i];
	}
	for (i = 0; i < n; i++)
		q[i] /= sum;
}

/* Inverse gap weighting (Abe and Long 1999), as SquareCB uses it (Foster and Rakhlin 2020). */
static void
squarecb(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	double		gamma = clamp(how->gamma, 0.0, 1e300);
	int			best = xs_best(arms, n);
	double		best_worth = expected(&arms[best]);
	double		rest = 1.0;
	int			i;

	(void) scratch;
	for (i = 0; i < n; i++)
	{
		double		gap = shortfall(best_worth, expected(&arms[i]));

		if (i == best)
			continue;
		/* even gamma = 0 does not help an arm whose objective is not a number */
		q[i] = gap < XS_INFINITY ? 1.0 / (n + gamma * gap) : 0.0;
		rest -= q[i];
	}
	q[best] = rest;
}

/*
 * The mean of a logit with this deviation whose expected rate is the arm's, by
 * the approximation that the rate was made with (oracle_glm.c); the arm's own mean,
 * if it expects what is no probability.
 */
static double
centre(const XsPrediction *p, double deviation)
{
	if (!(p->rate > 0.0 && p->rate < 1.0))
		return p->mean;
	return xs_logit(p->rate) * __builtin_sqrt(1.0 + XS_PI_OVER_8 * deviation * deviation);
}

/*
 * Thompson sampling with a posterior narrowed or widened by how->scale about the
 * expected rate, not about the mean logit: the scale changes how much is explored
 * and leaves what is expected as it is.
 */
static void
thompson(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	XsArm	   *centred = (XsArm *) (scratch + XS_THOMPSON_SCRATCH(n));
	int			i;

	for (i = 0; i < n; i++)
	{
		double		variance = arms[i].prediction.variance;

		centred[i] = arms[i];
		centred[i].prediction.mean = centre(&arms[i].prediction,
											variance > 0.0 ? how->scale * __builtin_sqrt(variance) : 0.0);
	}
	xs_thompson(how, centred, n, q, scratch);
}

const XsStrategy *
xs_strategy(const char *name)
{
	static const XsStrategy strategies[] = {
		{"greedy", greedy},
		{"epsilon_greedy", epsilon_greedy},
		{"ucb", ucb},
		{"thompson", thompson},
		{"softmax", softmax},
		{"squarecb", squarecb},
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
	int			likeliest = -1;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (!(q[i] > 0.0))
			continue;
		sum += q[i];
		if (u < sum)
			return i;
		if (likeliest < 0 || q[i] > q[likeliest])
			likeliest = i;
	}
	/* rounding left the sum below u: the arm whose probability that changes least */
	return likeliest;
}
