/*
 * layout.c: the columns of the feature vector.
 *
 *   0                 the intercept, always 1
 *   features          in order of name: those of the customer, then those that
 *                     read product or channel and so differ between arms
 *   last              xs_propensity_feature, if any offer has a propensity (0 for
 *                     offers without)
 *
 * A boolean or numeric feature takes two columns, its value and "is null"; a
 * text feature one per declared level, "other" and "is null".
 */
#include "postgres.h"

#include "policy.h"

static int
feature_columns(const XsFeature *feature)
{
	return feature->kind == XS_FEATURE_TEXT ? feature->nlevels + 2 : 2;
}

/* Fills column numbers, dim and ntail; the features' kinds must be known. */
void
xs_layout(XsPolicy *policy)
{
	int			column = 1;
	int			tail = 0;

	for (int i = 0; i < policy->nfeatures; i++)
	{
		XsFeature  *feature = &policy->features[i];

		feature->column = column;
		feature->ncolumns = feature_columns(feature);
		column += feature->ncolumns;
		if (feature->expression->uses & XS_USES_ARM)
			tail += feature->ncolumns;
	}
	if (policy->prior.has_propensity)
	{
		column++;
		tail++;
	}

	if (column > XS_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("agent \"%s\" has too many feature columns", policy->agent),
				 errdetail("Its features encode to %d columns, and at most %d are possible.",
						   column, XS_MAX_DIM),
				 errhint("Declare fewer features or levels.")));
	policy->dim = column;
	policy->ntail = tail;
}

const char *
xs_column_name(const XsPolicy *policy, int column)
{
	if (column == 0)
		return "intercept";
	for (int i = 0; i < policy->nfeatures; i++)
	{
		const XsFeature *feature = &policy->features[i];
		int			k = column - feature->column;

		if (k < 0 || k >= feature->ncolumns)
			continue;
		if (k == feature->ncolumns - 1)
			return psprintf("%s is null", feature->feature);
		if (feature->kind != XS_FEATURE_TEXT)
			return feature->feature;
		if (k == feature->nlevels)
			return psprintf("%s = other", feature->feature);
		return psprintf("%s = %s", feature->feature, feature->levels[k]);
	}
	return "propensity";
}

static const char *const kind_names[] = {"unknown", "boolean", "numeric", "text"};

const char *
xs_feature_kind_name(XsFeatureKind kind)
{
	return kind_names[kind];
}

XsFeatureKind
xs_feature_kind(const char *name)
{
	for (int i = XS_FEATURE_BOOLEAN; i <= XS_FEATURE_TEXT; i++)
		if (strcmp(kind_names[i], name) == 0)
			return (XsFeatureKind) i;
	elog(ERROR, "unknown feature kind \"%s\"", name);
}
