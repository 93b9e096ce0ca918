/*
 * oracle.c: the oracles by name, and what they share.
 */
#include <string.h>

#include "oracle.h"
#include "../math/special.h"

#define LOWEST_PROPENSITY 1e-4

const XsOracle *
xs_oracle(const char *name)
{
	static const XsOracle *const oracles[] = {
		&xs_oracle_beta, &xs_oracle_segment, &xs_oracle_linear, &xs_oracle_logistic
	};
	size_t		i;

	for (i = 0; i < sizeof(oracles) / sizeof(oracles[0]); i++)
		if (strcmp(oracles[i]->name, name) == 0)
			return oracles[i];
	return NULL;
}

double
xs_propensity_clamp(double s)
{
	if (!(s > LOWEST_PROPENSITY))
		return LOWEST_PROPENSITY;	/* NaN too */
	return s < 1.0 - LOWEST_PROPENSITY ? s : 1.0 - LOWEST_PROPENSITY;
}

double
xs_propensity_logit(double s)
{
	return xs_logit(xs_propensity_clamp(s));
}

double
xs_propensity_feature(double s)
{
	double		x = xs_propensity_logit(s) - XS_PROPENSITY_CENTER;

	return x > XS_MAX_PROPENSITY ? XS_MAX_PROPENSITY : x < -XS_MAX_PROPENSITY ? -XS_MAX_PROPENSITY : x;
}
