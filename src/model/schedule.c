/*
 * schedule.c: parameters of strategies that change with time or evidence.
 */
#include "schedule.h"
#include "../math/special.h"

#define LN2 6.93147180559945286227e-01
#define MOST_HALVINGS 2200.0	/* of any number, they leave 0 */

double
xs_scheduled(const XsSchedule *schedule, double elapsed)
{
	double		value = schedule->start;
	double		halvings = elapsed / schedule->half;

	if (schedule->kind == XS_CONSTANT)
		return value;
	if (halvings > MOST_HALVINGS)
		return schedule->end;
	/*
	 * Whole halvings one by one: these and the subtractions are exact.  No
	 * negative number nor NaN passes a comparison, so these leave the start.
	 */
	while (halvings >= 1.0 && value > schedule->end)
	{
		value *= 0.5;
		halvings -= 1.0;
	}
	if (halvings > 0.0)
		value *= xs_exp(-halvings * LN2);
	return value > schedule->end ? value : schedule->end;
}

double
xs_squarecb_gamma(double c, double n, double mean_objective)
{
	if (!(c > 0.0 && n > 0.0 && mean_objective > 0.0))
		return 0.0;
	return c * __builtin_sqrt(n) / mean_objective;
}
