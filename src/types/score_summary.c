/*
 * score_summary.c: what an xsell_score says about each forecaster.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "types.h"

PG_FUNCTION_INFO_V1(xsell_score_summary);

/* Columns of the result. */
enum
{
	C_FORECASTER, C_N, C_MISSING, C_RATE, C_FORECAST, C_LOG_LOSS, C_BRIER, C_GAIN, C_COUNT
};

/*
 * One row per forecaster of which anything is known: name, n, missing, and means
 * over the n observations for which it had a forecast, NULL if they weigh nothing:
 * reward, forecast, log loss, Brier score; and the log loss that it saved in all
 * against the product's rate, 0 if that is not known.  Strict.
 */
Datum
xsell_score_summary(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const XsScore *state = xs_score_arg(PG_GETARG_DATUM(0));

	xs_materialize(fcinfo);
	for (int j = 0; j < XS_FORECASTERS; j++)
	{
		const XsForecaster *f = &state->forecasters[j];
		double		trials = (double) f->outcomes.trials;
		Datum		values[C_COUNT];
		bool		nulls[C_COUNT] = {false};

		if (f->outcomes.n == 0 && f->missing == 0)
			continue;
		values[C_FORECASTER] = CStringGetTextDatum(xs_forecaster_names[j]);
		values[C_N] = Int64GetDatum(f->outcomes.n);
		values[C_MISSING] = Int64GetDatum(f->missing);
		values[C_RATE] = Float8GetDatum((double) f->outcomes.successes / trials);
		values[C_FORECAST] = Float8GetDatum((double) f->forecasts / trials);
		values[C_LOG_LOSS] = Float8GetDatum((double) f->log_loss / trials);
		values[C_BRIER] = Float8GetDatum((double) f->brier / trials);
		values[C_GAIN] = Float8GetDatum(xs_unfixed(f->gain));
		for (int i = C_RATE; i < C_GAIN; i++)
			nulls[i] = f->outcomes.trials == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
