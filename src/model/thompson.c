/*
 * thompson.c: the probability that each arm has the largest objective.
 *
 * With independent z_k ~ N(m_k, s_k^2) and objectives u_k increasing in z_k,
 *
 *   q_k = integral of (phi/Phi)(t_k) dt_k/dy * product of all Phi(t_j) dy,
 *
 * t_k(y) the standard score at which arm k reaches the level y.  One sum of
 * log Phi and one exponential per node serve all arms: phi/Phi is the slope
 * that the log Phi table yields anyway.
 *
 * y is z itself if all arms share value and cost; else, with (lo, hi) the range
 * of the largest objective, y = logit((u - lo)/(hi - lo)), which is z again
 * when they do.
 *
 * Below the highest of the arms' lower ends nothing can be the largest.  Above
 * it, at a distance d, only arms at least d wide are still undecided: so panels
 * of Gauss-Legendre nodes, each as long as the steepest undecided arm allows,
 * grow geometrically, and widths that differ 100 or 10,000 times cost a few panels
 * more.  Panels rather than the trapezoid rule on one map of the line, because
 * they also stay exact where a sure arm (variance or value 0) cuts the range off.
 */
#include "explore.h"
#include "../math/special.h"

#define ENDS 7.0				/* standard scores: 1e-12 lies beyond */
#define UNDECIDED 5.5			/* arms beyond this score do not shorten panels, */
#define DECIDED 7.5				/* and beyond this one have less than 1e-13 left */
#define PANEL_SPAN 5.0			/* standard scores of the steepest arm per panel */
#define FEWEST_PANELS 3			/* 48 nodes */
#define MOST_PANELS 200
#define NODES 16
#define LOWEST_LEVEL (-700.0)	/* of y: exp still has full precision */

/* Gauss-Legendre, 16 points on [-1, 1] (Abramowitz and Stegun 25.4): the positive half */
static const double node_at[NODES / 2] = {
	0.0950125098376374401853, 0.2816035507792589132305, 0.4580167776572273863424,
	0.6178762444026437484467, 0.7554044083550030338951, 0.8656312023878317438805,
	0.9445750230732325760779, 0.9894009349916499325962
};
static const double node_weight[NODES / 2] = {
	0.1894506104550684962854, 0.1826034150449235888668, 0.1691565193950025381893,
	0.1495959888165767320815, 0.1246289712555338720525, 0.0951585116824927848099,
	0.0622535239386478928628, 0.0271524594117540948518
};

/* The contest among the n arms that have a distribution; arrays lie in scratch. */
typedef struct Contest
{
	int			n;
	int			same;			/* all values and costs are equal: y = z */
	double		lo;				/* the largest objective is in (lo, hi) */
	double		hi;
	double	   *arm;			/* index in arms[] */
	double	   *mean;
	double	   *steepness;		/* 1/s */
	double	   *below;			/* lo - (lowest objective of the arm) >= 0 */
	double	   *above;			/* hi - (highest objective of the arm) >= 0 */
	double	   *score;			/* t at the last level; then the hazard phi/Phi there */
	double	   *slope;			/* dt/dy there */
	double	   *mass;
} Contest;

static double
deviation(const XsExploration *how, const XsArm *arm)
{
	double		variance = arm->prediction.variance;

	return variance > 0.0 && how->scale > 0.0 ? how->scale * __builtin_sqrt(variance) : 0.0;
}

/* Does the arm's objective vary, in double precision? */
static int
is_uncertain(const XsArm *arm, double s)
{
	double		m = arm->prediction.mean;

	return arm->value > 0.0 && arm->value <= 1e150 && arm->cost >= -1e150 && arm->cost <= 1e150 &&
		s > 1e-10 * (1.0 + (m < 0.0 ? -m : m)) && s <= 1e100;
}

/* The best of the sure arms (ties: the lowest index); -1 if there is none. */
static int
best_sure_arm(const XsExploration *how, const XsArm *arms, int n, double *objective)
{
	int			best = -1;
	int			i;

	for (i = 0; i < n; i++)
	{
		double		u;

		if (is_uncertain(&arms[i], deviation(how, &arms[i])))
			continue;
		u = xs_objective(&arms[i], arms[i].prediction.mean);
		if (best < 0 || u > *objective)
		{
			best = i;
			*objective = u;
		}
	}
	return best;
}

static void
collect(Contest *c, const XsExploration *how, const XsArm *arms, int n, double *scratch)
{
	double	  **arrays[] = {
		&c->arm, &c->mean, &c->steepness, &c->below, &c->above, &c->score, &c->slope, &c->mass
	};
	int			i,
				k = 0;

	for (i = 0; i < 8; i++)
		*arrays[i] = scratch + (size_t) i * (size_t) n;
	c->same = 1;
	c->lo = c->hi = -XS_INFINITY;
	for (i = 0; i < n; i++)
	{
		const XsArm *arm = &arms[i];
		double		s = deviation(how, arm);

		if (!is_uncertain(arm, s))
			continue;
		c->arm[k] = i;
		c->mean[k] = arm->prediction.mean;
		c->steepness[k] = 1.0 / s;
		c->mass[k] = 0.0;
		if (arm->value != arms[(int) c->arm[0]].value || arm->cost != arms[(int) c->arm[0]].cost)
			c->same = 0;
		if (-arm->cost > c->lo)
			c->lo = -arm->cost;
		if (arm->value - arm->cost > c->hi)
			c->hi = arm->value - arm->cost;
		k++;
	}
	c->n = k;
	for (k = 0; k < c->n; k++)
	{
		const XsArm *arm = &arms[(int) c->arm[k]];

		c->below[k] = c->lo + arm->cost;
		c->above[k] = c->hi - (arm->value - arm->cost);
		c->slope[k] = c->steepness[k];	/* for good, if c->same */
	}
}

/* The level at which arm k's linear predictor is z. */
static double
level(const Contest *c, const XsArm *arms, int k, double z)
{
	double		value = arms[(int) c->arm[k]].value;
	double		over_lo;

	if (c->same)
		return z;
	over_lo = value * xs_expit(z) - c->below[k];
	if (!(over_lo > 0.0))
		return -XS_INFINITY;
	return xs_log(over_lo / (value * xs_expit(-z) + c->above[k]));
}

/* Slopes at y, and (if scores) scores: what arm k needs to reach y. */
static void
reach(Contest *c, double y, int scores)
{
	double		up;				/* objective at y minus lo, hi minus it */
	double		down;
	double		both;
	int			k;

	if (c->same)
	{
		for (k = 0; k < c->n && scores; k++)
			c->score[k] = (y - c->mean[k]) * c->steepness[k];
		return;
	}
	up = (c->hi - c->lo) * xs_expit(y);
	down = (c->hi - c->lo) * xs_expit(-y);
	both = up * xs_expit(-y);
	for (k = 0; k < c->n; k++)
	{
		double		a = up + c->below[k];	/* value * p, value * (1-p) of arm k */
		double		b = down - c->above[k];

		if (b > 0.0)
		{
			c->slope[k] = c->steepness[k] * both * (1.0 / a + 1.0 / b);
			if (scores)
				c->score[k] = (xs_log(a / b) - c->mean[k]) * c->steepness[k];
		}
		else
		{
			/* y is more than the arm can be */
			c->slope[k] = XS_INFINITY;
			if (scores)
				c->score[k] = XS_INFINITY;
		}
	}
}

/* log P(all arms are below y); leaves hazards in score[] */
static double
log_all_below(Contest *c, double y)
{
	reach(c, y, 1);
	return xs_log_norm_cdf_sum(c->score, c->n, c->score);
}

/* Many arms: their maximum is almost surely higher than any single one's lower end. */
static double
raise_bottom(Contest *c, double bottom, double top)
{
	double		s = log_all_below(c, bottom);
	int			i;

	if (s > -28.0)
		return bottom;
	for (i = 0; i < 30 && !(s > -45.0); i++)
	{
		double		middle = 0.5 * (bottom + top);
		double		there = log_all_below(c, middle);

		if (there > -28.0)
			top = middle;
		else
		{
			bottom = middle;
			s = there;
		}
	}
	return bottom;
}

/* Where to integrate: [*from, *to] holds all but about 1e-12 of the largest objective. */
static void
bounds(Contest *c, const XsArm *arms, double *from, double *to)
{
	int			k;

	*from = *to = c->same ? -XS_INFINITY : LOWEST_LEVEL;
	for (k = 0; k < c->n; k++)
	{
		double		distance = ENDS / c->steepness[k];
		double		bottom = level(c, arms, k, c->mean[k] - distance);
		double		top = level(c, arms, k, c->mean[k] + distance);

		if (bottom > *from)
			*from = bottom;
		if (top > *to)
			*to = top;
	}
	if (!c->same && *to > -LOWEST_LEVEL)
		*to = -LOWEST_LEVEL;
	if (*from < *to)
		*from = raise_bottom(c, *from, *to);
}

/* Takes out the arms that cannot win above the last level; their mass is final. */
static void
drop_decided(Contest *c, double *q)
{
	int			k,
				kept = 0;

	for (k = 0; k < c->n; k++)
	{
		if (c->score[k] > DECIDED)
		{
			q[(int) c->arm[k]] = c->mass[k];
			continue;
		}
		c->arm[kept] = c->arm[k];
		c->mean[kept] = c->mean[k];
		c->steepness[kept] = c->steepness[k];
		c->below[kept] = c->below[k];
		c->above[kept] = c->above[k];
		c->score[kept] = c->score[k];
		c->slope[kept] = c->slope[k];
		c->mass[kept] = c->mass[k];
		kept++;
	}
	c->n = kept;
}

/* The greatest of the last slopes among arms still undecided at the last scores. */
static double
steepest(const Contest *c)
{
	double		result = 0.0;
	int			k;

	for (k = 0; k < c->n; k++)
		if (c->score[k] < UNDECIDED && c->slope[k] > result)
			result = c->slope[k];
	return result;
}

/* How far from y the next panel goes, at most longest; after reach(c, y, 1). */
static double
panel_length(Contest *c, double y, double longest)
{
	double		length = longest;
	double		slope;
	int			i;

	slope = steepest(c);
	if (slope * length > PANEL_SPAN)
		length = PANEL_SPAN / slope;
	/* for unequal values slopes change along the panel */
	for (i = 0; i < 40 && !c->same; i++)
	{
		reach(c, y + length, 0);
		if (!(steepest(c) * length > 2.0 * PANEL_SPAN))
			break;
		length *= 0.5;
	}
	return length;
}

static void
integrate_panel(Contest *c, double from, double length)
{
	double		half = 0.5 * length;
	int			i,
				k;

	for (i = 0; i < NODES; i++)
	{
		int			j = i < NODES / 2 ? NODES / 2 - 1 - i : i - NODES / 2;
		double		at = i < NODES / 2 ? -node_at[j] : node_at[j];
		double		s = log_all_below(c, from + half + half * at);
		double		w = half * node_weight[j] * xs_exp(s);

		for (k = 0; k < c->n; k++)
			if (c->score[k] > 0.0)	/* else the slope may be infinite */
				c->mass[k] += w * c->score[k] * c->slope[k];
	}
}

/* Fills in q of every uncertain arm; returns that of the sure arm with this objective. */
static double
contest(Contest *c, const XsArm *arms, int has_sure, double sure_objective, double *q)
{
	double		from,
				to,
				longest;
	double		sure_mass = 0.0;
	int			panels,
				k;

	if (has_sure && sure_objective >= c->hi)
		return 1.0;
	bounds(c, arms, &from, &to);
	if (has_sure && sure_objective > c->lo)
	{
		double		y = xs_log((sure_objective - c->lo) / (c->hi - sure_objective));

		sure_mass = xs_exp(log_all_below(c, y));
		if (y > from)
			from = y;
	}
	longest = (to - from) / FEWEST_PANELS;
	for (panels = 1; from < to; panels++)
	{
		double		rest = to - from;
		double		length;

		reach(c, from, 1);
		drop_decided(c, q);
		length = panel_length(c, from, longest < rest ? longest : rest);
		/* the end in sight, or too far away */
		if (length > 0.999 * rest || panels >= MOST_PANELS)
			length = rest;
		integrate_panel(c, from, length);
		if (length == rest)
			break;
		from += length;
	}
	for (k = 0; k < c->n; k++)
		q[(int) c->arm[k]] = c->mass[k];
	return sure_mass;
}

void
xs_thompson(const XsExploration *how, const XsArm *arms, int n, double *q, double *scratch)
{
	Contest		c;
	double		sure_objective = 0.0;
	int			sure = best_sure_arm(how, arms, n, &sure_objective);
	double		sure_mass = 1.0;
	double		sum;
	int			i;

	for (i = 0; i < n; i++)
		q[i] = 0.0;
	collect(&c, how, arms, n, scratch);
	if (c.n > 0)
		sure_mass = contest(&c, arms, sure >= 0, sure_objective, q);
	if (sure >= 0)
		q[sure] = sure_mass;
	sum = 0.0;
	for (i = 0; i < n; i++)
		sum += q[i];
	if (!(sum > 0.0 && sum <= 1e300))
	{
		/* all mass beyond double precision: what is left is the expectation */
		for (i = 0; i < n; i++)
			q[i] = 0.0;
		q[xs_best(arms, n)] = 1.0;
		return;
	}
	for (i = 0; i < n; i++)
		q[i] /= sum;
}
