/*
 * choice.c: which forecaster to believe, by how well each has predicted.
 */
#include "choice.h"
#include "../math/special.h"

double
xs_forecast_gain(const XsScore *score, int a, int b)
{
	return xs_unfixed(score->forecasters[a].gain) - xs_unfixed(score->forecasters[b].gain);
}

int
xs_ladder(const XsScore *periods, int n, double gain[XS_FORECASTERS])
{
	int			step = XS_FORECAST_GLOBAL;
	int			i,
				j;

	for (j = 0; j < XS_FORECASTERS; j++)
		gain[j] = 0.0;
	for (i = 0; i < n; i++)
	{
		int			best = step;

		for (j = XS_FORECAST_GLOBAL; j < XS_FORECASTERS; j++)
		{
			gain[j] += xs_forecast_gain(&periods[i], j, step);
			if (gain[j] > gain[best])
				best = j;
		}
		if (gain[best] < XS_LADDER_GAIN)
			continue;
		step = best;
		for (j = 0; j < XS_FORECASTERS; j++)
			gain[j] = 0.0;
	}
	return step;
}

double
xs_trust(const XsScore *score)
{
	double		gain = xs_forecast_gain(score, XS_FORECAST_PRIOR, XS_FORECAST_GLOBAL);

	/* 1 / (1 + exp(-gain) / odds) */
	return xs_expit(gain + 2.1972245773362196);
}
