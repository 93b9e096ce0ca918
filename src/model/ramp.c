/*
 * ramp.c: limits on the shares of arms that are still new.
 *
 * The limited shares are min(limit_k, lambda * q_k), with lambda such that they
 * sum to 1: of all distributions within the limits the one with the least
 * Kullback-Leibler divergence from q.
 */
#include "ramp.h"

double
xs_ramp_limit(double share, double n, double until)
{
	if (!(share > 0.0))
		share = 0.0;
	if (!(n > 0.0))
		n = 0.0;
	if (share >= 1.0 || !(n < until))
		return 1.0;
	return share + (1.0 - share) * n / until;
}

/* The highest share of an arm; a limit that is not a number allows no more than the least. */
static double
cap_of(double limit, double least)
{
	double		cap = limit > least ? limit : least;

	return cap < 1.0 ? cap : 1.0;
}

/*
 * Cuts arms down to their caps.  What the others hold together is `open`, what
 * is left for them `room`.  Returns how many are above their caps (and are cut).
 */
static int
cut(double *q, const double *limit, int n, double least, double *open, double *room)
{
	int			above = 0;
	int			i;

	*open = 0.0;
	*room = 1.0;
	for (i = 0; i < n; i++)
	{
		double		cap = cap_of(limit[i], least);

		if (q[i] < cap)
		{
			*open += q[i];
			continue;
		}
		above += q[i] > cap;
		q[i] = cap;
		*room -= cap;
	}
	/* limits that sum to 1 may leave less than nothing, by rounding */
	if (*room < 0.0)
		*room = 0.0;
	return above;
}

/* Raises the arms below their caps to hold what is left for them.  Returns how many these are. */
static int
fill(double *q, const double *limit, int n, double least, double open, double room)
{
	int			proportional = open > 1e-300;
	double		factor = proportional && room > open ? room / open : 1.0;
	int			below = 0;
	int			i;

	for (i = 0; i < n; i++)
		below += q[i] < cap_of(limit[i], least);
	for (i = 0; i < n; i++)
	{
		if (!(q[i] < cap_of(limit[i], least)))
			continue;
		if (proportional)
			q[i] *= factor;
		else
			q[i] = room / below;
	}
	return below;
}

/* All are at their caps, and these leave something over. */
static void
scale_up(double *q, int n)
{
	double		sum = 0.0;
	int			i;

	for (i = 0; i < n; i++)
		sum += q[i];
	for (i = 0; i < n; i++)
		q[i] = sum > 0.0 ? q[i] / sum : 1.0 / n;
}

void
xs_limit_shares(double *q, const double *limit, int n, double least)
{
	double		open;
	double		room;

	/* every round but the last leaves one more arm at its cap */
	while (cut(q, limit, n, least, &open, &room) > 0)
		if (fill(q, limit, n, least, open, room) == 0)
		{
			scale_up(q, n);
			return;
		}
}
