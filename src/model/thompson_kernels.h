/*
 * thompson_kernels.h: the loops of thompson.c, for lanes_each.h.
 *
 * Vectors run across arms, or for one arm across eight levels.  Sums over arms are in
 * index order, or in eight lanes by index mod 8.
 */
#include "../math/vector_special.h"

/* expit(z) and expit(-z) */
INLINE void
NAME(rates)(Vector z, Vector *rate, Vector *rest)
{
	Vector		limit = {0};
	Bits		negative = (Bits) (z < 0.0);
	Vector		smaller;
	Vector		larger;

	limit += HIGHEST_LEVEL;
	z = NAME(pick)(negative, -z, z);
	smaller = NAME(exp)(-NAME(pick)((Bits) (z < limit), z, limit));
	larger = 1.0 / (1.0 + smaller);
	smaller *= larger;
	*rate = NAME(pick)(negative, smaller, larger);
	*rest = NAME(pick)(negative, larger, smaller);
}

/*
 * What arms need to reach a level, as standard scores, and slopes: their derivatives.
 * up, down: the level's objective less lo, hi less it, both as shares of the range.
 */
INLINE Vector
NAME(unequal_scores)(Vector up, Vector down, Vector below, Vector above, Vector height,
					 Vector mean, Vector steepness, Vector *slope)
{
	Vector		infinity = {0};
	Vector		a = up + below; /* height * p and height * (1 - p) of the arm */
	Vector		b = down - above;
	Bits		within = (Bits) (b > 0.0);	/* else it is more than the arm can be */
	Vector		score;

	infinity += XS_INFINITY;
	b = NAME(pick)(within, b, a);
	score = (NAME(log)(a / b) - mean) * steepness;
	*slope = NAME(pick)(within, (steepness * height) * ((up * down) / (a * b)), infinity);
	return NAME(pick)(within, score, infinity);
}

/* Scores and slopes of all arms at level y. */
TARGET static void
NAME(reach)(Contest *c, double y)
{
	Vector		zero = {0};
	Vector		up = zero,
				down = zero;
	Vector		slope;
	int			k;

	if (!c->same)
		NAME(rates)(zero + y, &up, &down);
	for (k = 0; k < c->n; k += WIDTH)
	{
		Vector		mean = NAME(load)(c->mean + k);
		Vector		steepness = NAME(load)(c->steepness + k);

		if (c->same)
		{
			NAME(store)(c->score + k, (y - mean) * steepness);
			continue;
		}
		NAME(store)(c->score + k,
					NAME(unequal_scores)(up, down, NAME(load)(c->below + k),
										 NAME(load)(c->above + k), NAME(load)(c->height + k),
										 mean, steepness, &slope));
		NAME(store)(c->slope + k, slope);
	}
}

/*
 * After reach: a lower bound of -log P(all arms are below), and of its decrease.  -log Phi
 * is convex, so it is nowhere below its tangents, here those at -6, -3.5, -2, -1, 0, 1 and 2.
 */
TARGET static void
NAME(bound)(const Contest *c, double *bound, double *decrease)
{
	static const double value[] = {
		-16.21413, -4.76381, -0.96325, 0.31588, 0.69314, 0.46035, 0.13350
	};
	static const double slope[] = {
		6.15848, 3.75139, 2.37321, 1.52513, 0.79788, 0.28760, 0.05525
	};
	Eight		bounds = NAME(zero8)();
	Eight		decreases = NAME(zero8)();
	Vector		zero = {0};
	double		lane[8];
	int			k,
				i,
				tangent;

	for (k = 0; k < c->n; k += 8)
	{
		UNROLL
		for (i = 0; i < 8 / WIDTH; i++)
		{
			Vector		t = NAME(load)(c->score + k + WIDTH * i);
			Vector		highest = zero;
			Vector		steepest = zero;

			for (tangent = 0; tangent < 7; tangent++)
			{
				Vector		v = value[tangent] - slope[tangent] * t;
				Bits		higher = (Bits) (v > highest);

				highest = NAME(pick)(higher, v, highest);
				steepest = NAME(pick)(higher, zero + slope[tangent], steepest);
			}
			bounds.part[i] += highest;
			decreases.part[i] += steepest * NAME(load)(c->slope + k + WIDTH * i);
		}
	}
	NAME(store8)(lane, bounds);
	*bound = xs_sum_of_lanes(lane);
	NAME(store8)(lane, decreases);
	*decrease = xs_sum_of_lanes(lane);
}

/* The levels at which arms' linear predictors are z. */
INLINE Vector
NAME(levels)(Vector z, Vector below, Vector above, Vector height)
{
	Vector		limit = {0};
	Vector		rate,
				rest,
				up,
				down;
	Bits		inside;

	limit += HIGHEST_LEVEL;
	NAME(rates)(z, &rate, &rest);
	up = height * rate - below;
	down = height * rest + above;
	inside = (Bits) (up > 0.0);
	return NAME(pick)(inside, NAME(log)(NAME(pick)(inside, up / down, limit)), -limit);
}

/* The slopes where arms have the score t. */
TARGET static void
NAME(slopes_at)(Contest *c, double t, double *slope)
{
	int			k;

	for (k = 0; k < c->n; k += WIDTH)
	{
		Vector		steepness = NAME(load)(c->steepness + k);
		Vector		height = NAME(load)(c->height + k);
		Vector		rate,
					rest,
					up,
					down;

		NAME(rates)(NAME(load)(c->mean + k) + t / steepness, &rate, &rest);
		up = height * rate - NAME(load)(c->below + k);
		down = height * rest + NAME(load)(c->above + k);
		NAME(store)(slope + k, steepness * (up * down) / (height * (rate * rest)));
	}
}

/* The highest of the levels of the arms' predictors at -distance and at distance standard scores. */
TARGET static void
NAME(ends)(const Contest *c, double distance, double *from, double *to)
{
	Vector		lowest = {0};
	Vector		bottom,
				top;
	int			k;

	lowest -= XS_INFINITY;
	bottom = top = lowest;
	for (k = 0; k < c->n; k += WIDTH)
	{
		Vector		mean = NAME(load)(c->mean + k);
		Vector		reach = distance / NAME(load)(c->steepness + k);
		Vector		low = mean - reach;
		Vector		high = mean + reach;

		if (!c->same)
		{
			Vector		below = NAME(load)(c->below + k);
			Vector		above = NAME(load)(c->above + k);
			Vector		height = NAME(load)(c->height + k);

			low = NAME(levels)(low, below, above, height);
			high = NAME(levels)(high, below, above, height);
		}
		bottom = NAME(pick)((Bits) (low > bottom), low, bottom);
		top = NAME(pick)((Bits) (high > top), high, top);
	}
	*from = *to = -XS_INFINITY;
	for (k = 0; k < WIDTH; k++)
	{
		*from = bottom[k] > *from ? bottom[k] : *from;
		*to = top[k] > *to ? top[k] : *to;
	}
}

/* Scores of all undecided arms at eight levels; their slopes where the hazards will be. */
INLINE void
NAME(scores_at_levels)(Contest *c, const double y[8])
{
	Vector		zero = {0};
	Eight		level = NAME(load8)(y);
	Eight		up = level,
				down = level;
	Vector		slope;
	int			k,
				i;

	if (!c->same)
	{
		UNROLL
		for (i = 0; i < 8 / WIDTH; i++)
			NAME(rates)(level.part[i], &up.part[i], &down.part[i]);
	}
	for (k = 0; k < c->n; k++)
	{
		double	   *score = c->scores + 8 * k;

		if (c->latest[k] > DECIDED)
			continue;
		UNROLL
		for (i = 0; i < 8 / WIDTH; i++)
		{
			if (c->same)
			{
				NAME(store)(score + WIDTH * i, (level.part[i] - c->mean[k]) * c->steepness[k]);
				continue;
			}
			NAME(store)(score + WIDTH * i,
						NAME(unequal_scores)(up.part[i], down.part[i], zero + c->below[k], zero + c->above[k],
											 zero + c->height[k], zero + c->mean[k], zero + c->steepness[k], &slope));
			NAME(store)(c->hazard + 8 * k + WIDTH * i, slope);
		}
	}
}

/*
 * Adds to every arm's mass its part at eight ascending levels with these weights.  Arms that were
 * decided at the levels before are left out.  In three passes: within one, an arm would
 * wait for itself longer than the processor can look ahead.
 */
TARGET static void
NAME(integrate)(Contest *c, const double y[8], const double weight[8])
{
	Eight		w = NAME(load8)(weight);
	Vector		zero = {0};
	int			k,
				i;

	NAME(scores_at_levels)(c, y);
	for (k = 0; k < c->n; k++)
	{
		double	   *hazard = c->hazard + 8 * k;

		if (c->latest[k] > DECIDED)
		{
			NAME(store8)(hazard, NAME(zero8)());
			continue;
		}
		UNROLL
		for (i = 0; i < 8 / WIDTH; i++)
		{
			Vector		t = NAME(load)(c->scores + 8 * k + WIDTH * i);
			Vector		ratio;

			w.part[i] *= NAME(norm_cdf)(t, &ratio);
			if (!c->same)		/* the slope may be infinite */
				ratio = NAME(pick)((Bits) (t < FAR_SCORE), ratio * NAME(load)(hazard + WIDTH * i), zero);
			NAME(store)(hazard + WIDTH * i, ratio);
		}
		c->latest[k] = c->scores[8 * k + 7];
	}
	for (k = 0; k < c->n; k++)
		NAME(store8)(c->mass + 8 * k,
					 NAME(add8)(NAME(load8)(c->mass + 8 * k),
								NAME(multiply8)(w, NAME(load8)(c->hazard + 8 * k))));
}
