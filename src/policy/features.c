/*
 * features.c: a customer row as the feature vector of an arm.
 */
#include "postgres.h"

#include "../compat.h"
#include "program.h"

static float4
clipped(double z, double clip)
{
	return (float4) (z > clip ? clip : z < -clip ? -clip : z);
}

static void
encode_text(const XsFeature *feature, Datum value, float4 *x)
{
	text	   *t = DatumGetTextPP(value);
	int			length = VARSIZE_ANY_EXHDR(t);
	int			level = 0;

	while (level < feature->nlevels &&
		   (strlen(feature->levels[level]) != length ||
			memcmp(feature->levels[level], VARDATA_ANY(t), length) != 0))
		level++;
	x[level] = 1;				/* nlevels: other */
}

static void
encode_feature(XsProgram *program, const XsFeature *feature, int offer, int channel, float4 *x)
{
	const XsExpression *e = feature->expression;
	bool		isnull;

	memset(x, 0, sizeof(float4) * feature->ncolumns);
	if (feature->kind == XS_FEATURE_NUMERIC)
	{
		double		value = xs_evaluate_number(program, e, offer, channel, &isnull);

		if (!isnull)
			x[0] = clipped((value - feature->center) / feature->scale, feature->clip);
	}
	else
	{
		Datum		value = xs_evaluate(program, e, offer, channel, &isnull);

		if (!isnull && feature->kind == XS_FEATURE_BOOLEAN)
			x[0] = DatumGetBool(value) ? 1 : 0;
		if (!isnull && feature->kind == XS_FEATURE_TEXT)
			encode_text(feature, value, x);
	}
	if (isnull)
		x[feature->ncolumns - 1] = 1;
}

/*
 * Fills x, a whole vector, with the intercept and the features that are the same
 * for all arms, or (tail) with those that differ between arms.  The propensity's
 * column is left to the caller.
 */
void
xs_encode(XsProgram *program, const XsPolicy *policy, int offer, int channel, bool tail, float4 *x)
{
	if (!tail)
		x[0] = 1;
	for (int i = 0; i < policy->nfeatures; i++)
	{
		const XsFeature *feature = &policy->features[i];

		if (((feature->expression->uses & XS_USES_ARM) != 0) == tail)
			encode_feature(program, feature, offer, channel, &x[feature->column]);
	}
}
