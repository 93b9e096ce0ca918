/*
 * thompson.c: the probability that each arm has the largest objective.
 *
 * With independent z_k ~ N(m_k, s_k^2) and objectives u_k increasing in z_k,
 *
 *   q_k = integral of (phi/Phi)(t_k) dt_k/dy * product of all Phi(t_j) dy,
 *
 * t_k(y) the standard score at which arm k reaches the level y.  One product per node
 * serves all arms.
 *
 * y is z itself if all arms share value and cost; else, with (lo, hi) the range
 * of the largest objective, y = logit((u - lo)/(hi - lo)), which is z again
 * when they do.
 *
 * Below the highest of the arms' lower ends nothing can be the largest.  Above
 * it, at a distance d, only arms at least d wide are still undecided: so panels
 * of Gauss-Legendre nodes, each as long as the steepest undecided arm allows,
 * grow geometrically, and widths that differ 100 or 10,000 times cost a panel or two
 * more.  Panels rather than the trapezoid rule on one map of the line, because
 * they also stay exact where a sure arm (variance or value 0) cuts the range off.
 */
#include <string.h>

#include "explore.h"
#include "../math/lanes.h"
#include "../math/special.h"

#define ENDS 7.0				/* standard scores: 1e-12 lies beyond */
#define UNDECIDED 6.0			/* arms beyond this score do not shorten panels, */
#define DECIDED 7.5				/* and beyond this one have less than 1e-13 left */
#define PANEL_SPAN 16.0			/* standard scores of the steepest arm per panel */
#define MOST_PANELS 200
#define NODES 40
#define HIGHEST_LEVEL 600.0		/* of |y|: products of two rates still are normal numbers */
#define SURELY_ABOVE 28.0		/* -log P(all arms are below): 1e-12 */
#define FAR_BELOW 45.0			/* more than needed */

/* Gauss-Legendre, 40 points on [-1, 1] (Abramowitz and Stegun 25.4): the positive half */
static const double node_at[NODES / 2] = {
	0.03877241750605082193319, 0.1160840706752552084835, 0.1926975807013710997155, 0.2681521850072536811412,
	0.3419940908257584730075, 0.4137792043716050015249, 0.4830758016861787129086, 0.5494671250951282020759,
	0.6125538896679802379526, 0.6719566846141795483794, 0.7273182551899271032810, 0.7783056514265193876950,
	0.8246122308333116631963, 0.8659595032122595038208, 0.9020988069688742967283, 0.9328128082786765333609,
	0.9579168192137916558045, 0.9772599499837742626634, 0.9907262386994570064531, 0.9982377097105592003496
};
static const double node_weight[NODES / 2] = {
	0.07750594797842481126372, 0.07703981816424796558831, 0.07611036190062624237156, 0.07472316905796826420019,
	0.07288658239580405906051, 0.07061164739128677969548, 0.06791204581523390382569, 0.06480401345660103807455,
	0.06130624249292893916654, 0.05743976909939155136662, 0.05322784698393682435500, 0.04869580763507223206143,
	0.04387090818567327199167, 0.03878216797447201763997, 0.03346019528254784739268, 0.02793700698002340109849,
	0.02224584919416695726150, 0.01642105838190788871286, 0.01049828453115281361474, 0.004521277098533191258472
};

/* The contest among the n arms that have a distribution; arrays lie in scratch, in whole eights. */
typedef struct Contest
{
	int			n;
	int			same;			/* all values and costs are equal: y = z */
	double		lo;				/* the largest objective is in (lo, hi) */
	double		hi;
	double	   *arm;			/* index in arms[] */
	double	   *mean;
	double	   *steepness;		/* 1/s */
	double	   *below;			/* lo - (lowest objective of the arm) >= 0, as a share of the range */
	double	   *above;			/* hi - (highest objective of the arm) >= 0, likewise */
	double	   *height;			/* value, likewise */
	double		level;			/* the last that was reached */
	double	   *score;			/* t there */
	double	   *slope;			/* dt/dy there; infinite above the arm's highest objective */
	double	   *open;			/* undecided where the panel begins? */
	double	   *highest_slope;	/* where the arm ceases to be undecided */
	double	   *latest;			/* t at the last level integrated in the panel */
	double	   *mass;			/* eight lanes by arm, of nodes by index mod 8 */
	double	   *hazard;			/* dt/dy phi/Phi at eight levels by arm */
	double	   *scores;			/* t at these levels */
} Contest;

/* 11 arrays of one double by arm, 3 of eight: as explore.h promises them. */
typedef char ScratchSuffices[XS_THOMPSON_SCRATCH(1000) >= (11 + 3 * 8) * 1000 ? 1 : -1];

#define KERNELS "../model/thompson_kernels.h"
#include "../math/lanes_each.h"

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

/* What never wins and changes no sum, from k to the end of its eight. */
static void
fill_up(Contest *c, int k)
{
	for (; k % 8 != 0; k++)
	{
		c->arm[k] = -1.0;
		c->mean[k] = -1e300;
		c->steepness[k] = c->slope[k] = 1.0;
		c->score[k] = 1e300;
		c->below[k] = c->above[k] = c->height[k] = c->highest_slope[k] = 0.0;
	}
}

static void
collect(Contest *c, const XsExploration *how, const XsArm *arms, int n, double *scratch)
{
	double	  **arrays[] = {
		&c->arm, &c->mean, &c->steepness, &c->below, &c->above, &c->height, &c->score, &c->slope,
		&c->open, &c->highest_slope, &c->latest, &c->mass, &c->hazard, &c->scores
	};
	size_t		eights = (size_t) (n + 7) / 8 * 8;
	const XsArm *first = NULL;
	int			i,
				k = 0;

	for (i = 0; i < 14; i++)
	{
		*arrays[i] = scratch;
		scratch += (i < 11 ? 1 : 8) * eights;
	}
	c->same = 1;
	c->lo = c->hi = -XS_INFINITY;
	c->level = XS_NAN;
	for (i = 0; i < n; i++)
	{
		const XsArm *arm = &arms[i];
		double		s = deviation(how, arm);

		if (!is_uncertain(arm, s))
			continue;
		if (first == NULL)
			first = arm;
		c->arm[k] = i;
		c->mean[k] = arm->prediction.mean;
		c->steepness[k] = c->slope[k] = 1.0 / s;
		c->same &= arm->value == first->value && arm->cost == first->cost;
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
		double		range = c->hi - c->lo;

		c->below[k] = (c->lo + arm->cost) / range;
		c->above[k] = (c->hi - (arm->value - arm->cost)) / range;
		c->height[k] = arm->value / range;
	}
	fill_up(c, c->n);
	memset(c->mass, 0, sizeof(double) * 8 * (size_t) c->n);
}

/* Fills in what arms need to reach y. */
static void
reach(Contest *c, double y)
{
	if (y == c->level)
		return;
	c->level = y;
	XS_WIDEST(reach)(c, y);
}

/*
 * Many arms: their maximum is almost surely higher than any single one's lower end.  A
 * level below which it almost surely is not, by Newton's method on the root of the
 * bound, which is nearly straight.
 */
static double
raise_bottom(Contest *c, double bottom, double top)
{
	double		y = bottom;
	double		bound,
				decrease;
	int			i;

	for (i = 0; i < 30; i++)
	{
		reach(c, y);
		XS_WIDEST(bound)(c, &bound, &decrease);
		if (bound >= SURELY_ABOVE)
			bottom = y;
		else
			top = y;
		if ((bound >= SURELY_ABOVE && bound <= FAR_BELOW) || (i == 0 && bound < SURELY_ABOVE))
			break;
		y += 2.0 * __builtin_sqrt(bound) * (__builtin_sqrt(bound) - 6.0) / decrease;
		if (!(y > bottom && y < top))
			y = 0.5 * (bottom + top);
	}
	return bottom;
}

/* Where to integrate: [*from, *to] holds all but about 1e-12 of the largest objective. */
static void
bounds(Contest *c, double *from, double *to)
{
	XS_WIDEST(ends)(c, ENDS, from, to);
	if (!c->same)
	{
		*from = *from > -HIGHEST_LEVEL ? *from : -HIGHEST_LEVEL;
		*to = *to < HIGHEST_LEVEL ? *to : HIGHEST_LEVEL;
		XS_WIDEST(slopes_at)(c, UNDECIDED, c->highest_slope);
	}
	if (*from < *to)
		*from = raise_bottom(c, *from, *to);
}

/* The arm's mass is final. */
static void
settle(const Contest *c, int k, double *q)
{
	q[(int) c->arm[k]] = xs_sum_of_lanes(c->mass + 8 * k) * (c->same ? c->steepness[k] : 1.0);
}

/* Takes out the arms that cannot win above the last level. */
static void
drop_decided(Contest *c, double *q)
{
	int			k,
				kept = 0;

	for (k = 0; k < c->n; k++)
	{
		if (c->score[k] > DECIDED)
		{
			settle(c, k, q);
			continue;
		}
		c->arm[kept] = c->arm[k];
		c->mean[kept] = c->mean[k];
		c->steepness[kept] = c->steepness[k];
		c->below[kept] = c->below[k];
		c->above[kept] = c->above[k];
		c->height[kept] = c->height[k];
		c->score[kept] = c->score[k];
		c->slope[kept] = c->slope[k];
		c->highest_slope[kept] = c->highest_slope[k];
		memmove(c->mass + 8 * kept, c->mass + 8 * k, sizeof(double) * 8);
		kept++;
	}
	c->n = kept;
	fill_up(c, kept);
}

/*
 * The greatest of the last slopes among the arms that are undecided where the panel begins;
 * of those that the last level leaves behind, that where they cease to be undecided.
 */
static double
steepest(const Contest *c)
{
	double		result = 0.0;
	int			k;

	for (k = 0; k < c->n; k++)
	{
		double		slope = c->score[k] < UNDECIDED ? c->slope[k] : c->highest_slope[k];

		if (c->open[k] > 0.0 && slope > result)
			result = slope;
	}
	return result;
}

/* How far from y the next panel goes, at most longest; after reach(c, y). */
static double
panel_length(Contest *c, double y, double longest)
{
	double		length = longest;
	double		slope;
	int			i,
				k;

	for (k = 0; k < c->n; k++)
		c->open[k] = c->score[k] < UNDECIDED;
	slope = steepest(c);
	if (slope * length > PANEL_SPAN)
		length = PANEL_SPAN / slope;
	/* for unequal values slopes change along the panel */
	for (i = 0; i < 40 && !c->same; i++)
	{
		reach(c, y + length);
		if (!(steepest(c) * length > 1.2 * PANEL_SPAN))
			break;
		length *= 0.5;
	}
	return length;
}

static void
integrate_panel(Contest *c, double from, double length)
{
	double		half = 0.5 * length;
	double		y[8],
				weight[8];
	int			i,
				j;

	memset(c->latest, 0, sizeof(double) * (size_t) c->n);
	for (i = 0; i < NODES; i++)
	{
		j = i < NODES / 2 ? NODES / 2 - 1 - i : i - NODES / 2;
		weight[i % 8] = half * node_weight[j];
		y[i % 8] = from + half + half * (i < NODES / 2 ? -node_at[j] : node_at[j]);
		if (i % 8 == 7)
			XS_WIDEST(integrate)(c, y, weight);
	}
}

/* P(all arms are below y) */
static double
all_below(Contest *c, double y)
{
	double		result = 1.0;
	int			k;

	reach(c, y);
	for (k = 0; k < c->n; k++)
		result *= xs_norm_cdf(c->score[k]);
	return result;
}

/* Fills in q of every uncertain arm; returns that of the sure arm with this objective. */
static double
contest(Contest *c, int has_sure, double sure_objective, double *q)
{
	double		from,
				to;
	double		sure_mass = 0.0;
	int			panels,
				k;

	if (has_sure && sure_objective >= c->hi)
		return 1.0;
	if (!c->same && !(c->hi > c->lo))
		return 0.0;				/* values are lost in costs */
	bounds(c, &from, &to);
	if (has_sure && sure_objective > c->lo)
	{
		double		y = xs_log((sure_objective - c->lo) / (c->hi - sure_objective));

		sure_mass = all_below(c, y);
		if (y > from)
			from = y;
	}
	for (panels = 1; from < to; panels++)
	{
		double		rest = to - from;
		double		length;

		reach(c, from);
		drop_decided(c, q);
		length = panel_length(c, from, rest);
		/* the end in sight, or too far away */
		if (length > 0.999 * rest || panels >= MOST_PANELS)
			length = rest;
		integrate_panel(c, from, length);
		if (length == rest)
			break;
		from += length;
	}
	for (k = 0; k < c->n; k++)
		settle(c, k, q);
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
		sure_mass = contest(&c, sure >= 0, sure_objective, q);
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
