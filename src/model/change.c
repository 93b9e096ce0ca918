/*
 * change.c: has a product's rate of outcomes changed against what was forecast?
 */
#include "change.h"
#include "../math/special.h"

#define SHAPE 0.5
#define RATE 0.5

/*
 * log of the marginal likelihood of outcomes given forecasts, but for what is the
 * same however periods are grouped.
 */
static double
log_marginal(XsPeriod p)
{
	return xs_lgamma(SHAPE + p.outcomes) - xs_lgamma(SHAPE) + SHAPE * xs_log(RATE) -
		(SHAPE + p.outcomes) * xs_log(RATE + p.forecasts);
}

static XsPeriod
sum(const XsPeriod *periods, int n)
{
	XsPeriod	result = {0.0, 0.0};
	int			i;

	for (i = 0; i < n; i++)
	{
		result.outcomes += periods[i].outcomes;
		result.forecasts += periods[i].forecasts;
	}
	return result;
}

void
xs_change(const XsPeriod *periods, int n, XsChange *result)
{
	double		together = log_marginal(sum(periods, n));
	double		best = -XS_INFINITY;
	double		rest = 1.0;		/* weight of no change so far */
	int			s;

	result->factor = 0.0;
	result->since = -1;
	result->before = sum(periods, n);
	result->after = sum(periods, 0);
	for (s = 1; s < n; s++)
	{
		XsPeriod	before = sum(periods, s);
		XsPeriod	after = sum(periods + s, n - s);
		double		weight = 2.0 / ((s + 1.0) * (s + 2.0));
		double		apart = log_marginal(before) + log_marginal(after) - together;

		rest -= weight;
		result->factor += weight * xs_exp(apart < 700.0 ? apart : 700.0);
		if (apart > best)
		{
			best = apart;
			result->since = s;
			result->before = before;
			result->after = after;
		}
	}
	result->factor += rest;
}
