/*
 * test_special.c: special functions against mpmath, and at their edges.
 */
#include "../../src/math/special.h"
#include "unit.h"

typedef struct Function
{
	const char *name;
	double		(*f) (double);
	double		tolerance;		/* relative, or absolute where |value| < 1 if near_zero */
	int			near_zero;
	Worst		worst;
} Function;

static Function functions[] = {
	{.name = "exp",.f = xs_exp,.tolerance = 4e-16},
	{.name = "log",.f = xs_log,.tolerance = 4e-16},
	{.name = "log1p",.f = xs_log1p,.tolerance = 4e-16},
	{.name = "expit",.f = xs_expit,.tolerance = 4e-16},
	{.name = "logit",.f = xs_logit,.tolerance = 4e-16},
	{.name = "norm_cdf",.f = xs_norm_cdf,.tolerance = 1e-14},
	{.name = "norm_quantile",.f = xs_norm_quantile,.tolerance = 1e-14},
	{.name = "lgamma",.f = xs_lgamma,.tolerance = 1e-13,.near_zero = 1},
	{.name = "digamma",.f = xs_digamma,.tolerance = 1e-13,.near_zero = 1},
	{.name = "trigamma",.f = xs_trigamma,.tolerance = 1e-13}
};

#define FUNCTIONS ((int) (sizeof(functions) / sizeof(functions[0])))

static void
special_row(char **field, void *context)
{
	double		x = strtod(field[1], NULL);
	double		expected = strtod(field[2], NULL);
	int			i;

	(void) context;
	for (i = 0; i < FUNCTIONS; i++)
	{
		Function   *f = &functions[i];
		double		value;

		if (strcmp(f->name, field[0]) != 0)
			continue;
		value = f->f(x);
		worst(&f->worst, f->near_zero && fabs(expected) < 1.0 ? fabs(value - expected) :
			  relative(value, expected), "%s(%s)", f->name, field[1]);
	}
}

static void
test_table_values(void)
{
	int			i;

	each_row("special.csv", special_row, NULL);
	for (i = 0; i < FUNCTIONS; i++)
		CHECK_WORST(functions[i].worst, functions[i].tolerance, functions[i].name);
}

static void
test_edges(void)
{
	static const double odd[] = {-INFINITY, -1e308, -1.0, -0.0, 0.0, 5e-324, 1.0, 1e308, INFINITY, NAN};
	double		a,
				b;
	int			finite = 1;
	int			nan = 1;
	int			i,
				j,
				k;

	for (i = 0; i < FUNCTIONS; i++)
		nan &= isnan(functions[i].f(NAN));
	CHECK(nan, "NaN in, NaN out");
	CHECK(xs_exp(-INFINITY) == 0.0 && xs_exp(INFINITY) == INFINITY && xs_exp(0.0) == 1.0 &&
		  xs_exp(710.0) == INFINITY && xs_exp(-746.0) == 0.0 && xs_exp(-745.0) == 5e-324, "exp");
	CHECK(xs_log(0.0) == -INFINITY && xs_log(INFINITY) == INFINITY && isnan(xs_log(-1.0)) &&
		  xs_log(1.0) == 0.0, "log");
	CHECK(xs_log1p(-1.0) == -INFINITY && xs_log1p(INFINITY) == INFINITY && isnan(xs_log1p(-2.0)) &&
		  xs_log1p(0.0) == 0.0, "log1p");
	CHECK(xs_expit(-INFINITY) == 0.0 && xs_expit(INFINITY) == 1.0 && xs_expit(0.0) == 0.5, "expit");
	CHECK(xs_logit(0.0) == -INFINITY && xs_logit(1.0) == INFINITY && xs_logit(0.5) == 0.0 &&
		  isnan(xs_logit(-0.1)) && isnan(xs_logit(1.1)), "logit");
	CHECK(xs_norm_cdf(-INFINITY) == 0.0 && xs_norm_cdf(INFINITY) == 1.0 && xs_norm_cdf(0.0) == 0.5,
		  "norm_cdf");
	CHECK(xs_norm_quantile(0.0) == -INFINITY && xs_norm_quantile(1.0) == INFINITY &&
		  xs_norm_quantile(0.5) == 0.0 && isnan(xs_norm_quantile(1.5)), "norm_quantile");
	CHECK(xs_lgamma(0.0) == INFINITY && xs_lgamma(INFINITY) == INFINITY && isnan(xs_lgamma(-0.5)) &&
		  isfinite(xs_lgamma(5e-324)), "lgamma");
	CHECK(xs_digamma(0.0) == -INFINITY && xs_digamma(INFINITY) == INFINITY && isnan(xs_digamma(-1.0)),
		  "digamma");
	CHECK(xs_trigamma(0.0) == INFINITY && xs_trigamma(INFINITY) == 0.0 && isnan(xs_trigamma(-1.0)),
		  "trigamma");

	for (i = 0; i < 10; i++)
		for (j = 0; j < 10; j++)
			for (k = 0; k < 10; k++)
			{
				a = xs_beta_cdf(odd[i], odd[j], odd[k]);
				b = xs_beta_quantile(odd[i], odd[j], odd[k]);
				finite &= isnan(a) || (a >= 0.0 && a <= 1.0);
				finite &= isnan(b) || (b >= 0.0 && b <= 1.0);
			}
	CHECK(finite, "the beta functions end, in [0,1] or NaN, whatever goes in");
	CHECK(isnan(xs_beta_cdf(0.0, 1.0, 0.5)) && isnan(xs_beta_quantile(1.0, -1.0, 0.5)) &&
		  xs_beta_cdf(2.0, 3.0, 0.0) == 0.0 && xs_beta_cdf(2.0, 3.0, 1.0) == 1.0, "beta");
}

/*
 * The golden x are decimals; the nearest double is off by at most 2^-54 and moves
 * the CDF by the density times that, which for x near 1 is more than any error of ours.
 */
static void
cdf_row(char **field, void *context)
{
	double		expected = strtod(field[3], NULL);
	double		value = xs_beta_cdf(strtod(field[0], NULL), strtod(field[1], NULL),
									strtod(field[2], NULL));
	double		moved = exp(strtod(field[4], NULL)) * strtod(field[2], NULL) * 0x1p-53;

	if (expected < 1e-290)
		worst(context, value < 1e-289 ? 0.0 : 1.0, "%s,%s,%s", field[0], field[1], field[2]);
	else
		worst(context, fmax(0.0, fabs(value - expected) - moved) / expected,
			  "%s,%s,%s", field[0], field[1], field[2]);
}

static void
quantile_row(char **field, void *context)
{
	/* 5e-2000 parses as 0 */
	double		expected = strtod(field[3], NULL);
	double		value = xs_beta_quantile(strtod(field[0], NULL), strtod(field[1], NULL),
										 strtod(field[2], NULL));

	if (expected < 1e-300)
		worst(context, value < 1e-299 ? 0.0 : 1.0, "%s,%s,%s", field[0], field[1], field[2]);
	else
		worst(context, relative(value, expected), "%s,%s,%s", field[0], field[1], field[2]);
}

/* Far tails of narrow distributions, at exact doubles: A & S 26.5.8 in mpmath, 40 digits */
static void
test_beta_tails(void)
{
	static const double rows[][4] = {
		{1000000.0, 1000000.0, 0.4871, 7.2179753965683071753e-292},
		{1000000.0, 1000000.0, 0.49, 2.490453657610394275e-176},
		{1000000.3333333334, 142857.14285714287, 0.868, 2.9931070642714269816e-110},
		{500000.0, 123456.7, 0.79, 2.5778359713911224014e-121},
		{1000000.0, 333333.3333333333, 0.7401, 2.5689940923389930501e-151}
	};
	Worst		w = {0};
	int			i;

	for (i = 0; i < 5; i++)
		worst(&w, relative(xs_beta_cdf(rows[i][0], rows[i][1], rows[i][2]), rows[i][3]),
			  "Beta(%g, %g) at %g", rows[i][0], rows[i][1], rows[i][2]);
	CHECK_WORST(w, 1.25e-13, "beta CDF, far tails");
}

static void
test_beta(void)
{
	Worst		cdf = {0};
	Worst		quantile = {0};

	each_row("beta_cdf.csv", cdf_row, &cdf);
	each_row("beta_ppf.csv", quantile_row, &quantile);
	CHECK_WORST(cdf, 1e-12, "beta CDF against mpmath");
	CHECK_WORST(quantile, 1e-10, "beta quantile against mpmath");
	CHECK_CLOSE(xs_beta_cdf(1.0, 1.0, 0.3), 0.3, 1e-15, "Beta(1,1) is uniform");
	CHECK_CLOSE(xs_beta_quantile(2.0, 1.0, 0.25), 0.5, 1e-14, "Beta(2,1): sqrt(p)");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_table_values();
	test_edges();
	test_beta();
	test_beta_tails();
	return done();
}
