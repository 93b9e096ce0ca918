/*
 * test_explore.c: probabilities against closed forms and against sampling, draws
 * against probabilities.
 */
#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../../src/model/explore.h"
#include "unit.h"

enum
{
	MOST = 1000
};

static XsArm arms[MOST];
static double q[MOST];
static double scratch[XS_EXPLORE_SCRATCH(MOST)];
static const XsExploration plain = {.epsilon = 0.1,.width = 1.0,.scale = 1.0,.floor = 0.0};
static const char *const names[] = {"epsilon_greedy", "ucb", "thompson", "uniform"};

static double
between(double low, double high)
{
	static uint64_t counter = 0;

	return low + (high - low) * xs_uniform(11, counter++, 0);
}

static void
set_arm(int k, double mean, double sd, double value, double cost)
{
	arms[k].prediction.mean = mean;
	arms[k].prediction.variance = sd * sd;
	arms[k].prediction.rate = xs_expit(mean / sqrt(1.0 + M_PI / 8.0 * sd * sd));
	arms[k].value = value;
	arms[k].cost = cost;
}

static void
thompson(int n)
{
	xs_explore(xs_strategy("thompson"), &plain, arms, n, q, scratch);
}

/* P(z_1 > z_2) */
static void
test_two_arms(void)
{
	Worst		w = {0};
	int			i;

	for (i = 0; i < 2000; i++)
	{
		double		sd1 = exp(between(-7.0, 1.5));
		double		sd2 = exp(between(-7.0, 1.5));
		double		difference = between(-3.0, 3.0) * hypot(sd1, sd2);

		set_arm(0, difference - 3.0, sd1, 5.0, 1.0);
		set_arm(1, -3.0, sd2, 5.0, 1.0);
		thompson(2);
		worst(&w, fabs(q[0] - 0.5 * erfc(-difference / hypot(sd1, sd2) / sqrt(2.0))),
			  "sd %g and %g", sd1, sd2);
	}
	CHECK_WORST(w, 1e-10, "Thompson, two arms: closed form, widths up to 5000 times apart");
}

/*
 * One arm's objective a + b times another's: values v and v e^c with rates so small
 * that expit is exp make z_2 a shift of z_1.  And mirrored: cost beyond reach.
 */
static void
test_two_unequal_arms(void)
{
	Worst		w = {0};
	int			i;

	for (i = 0; i < 200; i++)
	{
		double		sd1 = between(0.1, 1.0);
		double		sd2 = between(0.1, 1.0);
		double		shift = between(-2.0, 2.0);
		double		difference = between(-1.0, 1.0);

		set_arm(0, -40.0 + difference - shift, sd1, exp(shift), 3.0);
		set_arm(1, -40.0, sd2, 1.0, 3.0);
		thompson(2);
		worst(&w, fabs(q[0] - 0.5 * erfc(-difference / hypot(sd1, sd2) / sqrt(2.0))),
			  "sd %g and %g, value %g", sd1, sd2, exp(shift));
	}
	CHECK_WORST(w, 1e-10, "Thompson, two arms of unequal value: closed form for small rates");
}

static void
test_closed_forms(void)
{
	double		u;
	int			i;

	set_arm(0, -3.0, 0.4, 1.0, 0.0);
	set_arm(1, -2.8, 0.3, 1.0, 0.0);
	set_arm(2, -3.5, 0.9, 1.0, 0.0);
	thompson(3);
	/* mpmath quadrature, 20 digits */
	CHECK_CLOSE(q[0], 0.28014172166169397, 1e-11, "Thompson, three arms: first");
	CHECK_CLOSE(q[1], 0.52636782053112123, 1e-11, "second");
	CHECK_CLOSE(q[2], 0.19349045780718476, 1e-11, "third");

	for (i = 0; i < 7; i++)
		set_arm(i, -2.0, 0.5, 1.0, 0.0);
	thompson(7);
	CHECK_CLOSE(q[3], 1.0 / 7.0, 1e-11, "like arms: 1/7 each");

	/* 0.1 e^0.5 etc. do not matter: only the threshold on z does */
	set_arm(0, -1.0, 0.5, 10.0, 1.0);
	u = 10.0 * xs_expit(-0.7) - 1.0;
	set_arm(1, 0.0, 0.0, 2.0 * (u + 4.0), 4.0);
	thompson(2);
	CHECK_CLOSE(q[0], 0.5 * erfc(0.6 / sqrt(2.0)), 1e-11, "against a sure arm");
	set_arm(1, 0.3, 0.7, 0.0, -u);
	thompson(2);
	CHECK_CLOSE(q[0], 0.5 * erfc(0.6 / sqrt(2.0)), 1e-11, "against an arm without value, at negative cost");
	set_arm(2, -1.0, 0.5, 10.0, 1.0);
	thompson(3);
	CHECK_CLOSE(q[1], pow(0.5 * erfc(-0.6 / sqrt(2.0)), 2.0), 1e-11, "a sure arm against two");
	CHECK_CLOSE(q[0], q[2], 1e-13, "who share the rest");
	set_arm(1, 0.3, 0.7, 0.0, 1.0);
	thompson(2);
	CHECK(q[0] == 1.0 && q[1] == 0.0, "a sure arm at the others' lower end never wins");
	set_arm(1, 0.3, 0.7, 0.0, -9.0);
	thompson(2);
	CHECK(q[0] == 0.0 && q[1] == 1.0, "at their upper end it always does");
	set_arm(0, 0.0, 0.0, 2.0, 0.0);
	set_arm(1, 0.0, 0.0, 4.0, 1.0);
	thompson(2);
	CHECK(q[0] == 1.0 && q[1] == 0.0, "sure arms alone: the best, ties to the first");
}

static double
normal(uint64_t draw, uint32_t k)
{
	return xs_norm_quantile(xs_uniform(5, draw, k));
}

/* Every probability within five standard errors of the sampled frequency. */
static void
check_by_sampling(int n, const char *name)
{
	enum
	{
		DRAWS = 200000
	};
	static int	count[MOST];
	Worst		w = {0};
	int			i,
				k;

	memset(count, 0, sizeof(count));
	for (i = 0; i < DRAWS; i++)
	{
		double		best = -HUGE_VAL;
		int			winner = 0;

		for (k = 0; k < n; k++)
		{
			double		z = arms[k].prediction.mean + sqrt(arms[k].prediction.variance) *
				normal((uint64_t) i, (uint32_t) k);
			double		u = arms[k].value / (1.0 + exp(-z)) - arms[k].cost;

			if (u > best)
			{
				best = u;
				winner = k;
			}
		}
		count[winner]++;
	}
	thompson(n);
	for (k = 0; k < n; k++)
		worst(&w, fabs(count[k] - q[k] * DRAWS) / sqrt(DRAWS * q[k] * (1.0 - q[k]) + 1.0),
			  "arm %d: %d of %d, q = %g", k, count[k], DRAWS, q[k]);
	CHECK_WORST(w, 5.0, name);
}

static void
test_by_sampling(void)
{
	int			k;

	for (k = 0; k < 8; k++)
		set_arm(k, between(-4.0, -2.0), between(0.2, 0.8), 1.0, 0.0);
	check_by_sampling(8, "sampled: equal values");
	for (k = 0; k < 8; k++)
		set_arm(k, between(-3.5, -3.0), k % 2 ? 0.01 : 1.0, 1.0, 0.0);
	check_by_sampling(8, "sampled: widths 100 times apart");
	for (k = 0; k < 6; k++)
		set_arm(k, between(-4.0, -2.0), between(0.2, 1.5), between(5.0, 50.0), between(0.0, 1.0));
	check_by_sampling(6, "sampled: unequal values and costs");
	for (k = 0; k < 5; k++)
		set_arm(k, between(-1.0, 2.0), k % 2 ? 0.02 : 2.0, between(1.0, 2.0), between(-0.5, 0.5));
	check_by_sampling(5, "sampled: unequal, high rates, widths 100 times apart");
	set_arm(2, -1.0, 0.0, 3.0, -0.3);
	set_arm(3, -1.0, 1.0, 0.0, -0.6);
	check_by_sampling(5, "sampled: with sure arms");
}

/*
 * Beta posteriors by their logits' two moments are not the Beta posteriors: this
 * reports how far the probabilities are apart, and asserts only what symmetry says.
 */
static struct
{
	char		name[20];
	double		expected[5];
	int			n;
} group;

static void
report_group(Worst *w)
{
	int			k;

	thompson(group.n);
	for (k = 0; k < group.n; k++)
	{
		worst(w, fabs(q[k] - group.expected[k]), "%s, arm %d: %.5f, exactly %.5f", group.name, k, q[k],
			  group.expected[k]);
		printf("# %s arm %d: logit-normal %.5f, Beta %.5f\n", group.name, k, q[k], group.expected[k]);
	}
	if (strcmp(group.name, "uniform4") == 0)
		CHECK_CLOSE(q[1], 0.25, 1e-12, "four like Beta arms");
}

static void
best_row(char **field, void *context)
{
	const XsOracle *beta = xs_oracle("beta");
	double		model[20];
	double		a = strtod(field[2], NULL);
	double		b = strtod(field[3], NULL);
	XsPrior		prior = {.neutral_rate = a / (a + b),.strength = a + b};
	XsEvidence	none = {NULL, NULL};

	if (strcmp(group.name, field[0]) != 0)
	{
		if (group.n > 0)
			report_group(context);
		group.n = 0;
		strncpy(group.name, field[0], sizeof(group.name) - 1);
	}
	beta->prepare(model, 1, &none, &prior, scratch);
	beta->predict(model, NULL, NAN, &arms[group.n].prediction);
	arms[group.n].value = 1.0;
	arms[group.n].cost = 0.0;
	group.expected[group.n++] = strtod(field[4], NULL);
}

static void
test_beta_arms(void)
{
	Worst		w = {0};

	each_row("pbest_small.csv", best_row, &w);
	report_group(&w);
	printf("# P(best) of Beta arms against their logit-normal: largest difference %.4f (%s)\n",
		   w.error, w.where);
}

static void
test_other_strategies(void)
{
	XsExploration how = plain;

	set_arm(0, -3.0, 0.1, 10.0, 0.0);
	set_arm(1, -2.0, 0.1, 10.0, 0.0);
	set_arm(2, -3.0, 3.0, 10.0, 0.0);
	set_arm(3, -2.0, 0.1, 10.0, 0.0);
	how.epsilon = 0.2;
	arms[2].prediction.rate = 0.01;
	xs_explore(xs_strategy("epsilon_greedy"), &how, arms, 4, q, scratch);
	CHECK(fabs(q[1] - 0.85) < 1e-15 && q[0] == q[2] && q[0] == q[3] && fabs(q[3] - 0.05) < 1e-16,
		  "epsilon over all arms, ties to the first");
	xs_explore(xs_strategy("ucb"), &how, arms, 4, q, scratch);
	CHECK(q[2] == 1.0 && q[0] == 0.0, "UCB: the widest");
	how.width = 0.0;
	xs_explore(xs_strategy("ucb"), &how, arms, 4, q, scratch);
	CHECK(q[1] == 1.0, "UCB of width 0: the best mean");
	arms[1].cost = 8.0;
	CHECK(xs_best(arms, 4) == 3, "costs count");
	arms[3].value = NAN;
	CHECK(xs_best(arms, 4) == 0, "NaN never wins");
	xs_explore(xs_strategy("uniform"), &how, arms, 4, q, scratch);
	CHECK(q[0] == 0.25 && q[3] == 0.25, "uniform");
	CHECK(!xs_strategy("greed") && !xs_strategy(""), "no such strategy");
}

/* Whatever the arms: a distribution, with its floor, and the same again. */
static void
check_distribution(const char *name, const XsExploration *how, int n, Worst *sum, Worst *below)
{
	static double again[MOST];
	double		s = 0.0;
	int			k;

	xs_explore(xs_strategy(name), how, arms, n, q, scratch);
	for (k = 0; k < n; k++)
	{
		s += q[k];
		worst(below, q[k] >= how->floor / n ? 0.0 : 1.0, "%s, n = %d, arm %d: %g", name, n, k, q[k]);
	}
	worst(sum, fabs(s - 1.0), "%s, n = %d", name, n);
	memset(scratch, 255, sizeof(scratch));
	xs_explore(xs_strategy(name), how, arms, n, again, scratch);
	worst(sum, memcmp(q, again, sizeof(double) * (size_t) n) == 0 ? 0.0 : 1.0, "%s again, n = %d", name, n);
}

static void
test_distributions(void)
{
	static const int sizes[] = {1, 2, 20, 200, 1000};
	static const double odd[] = {0.0, 1e-300, 1e-9, 1e9, 1e300, -1e300, INFINITY, -INFINITY, NAN};
	XsExploration how = plain;
	Worst		sum = {0};
	Worst		below = {0};
	int			i,
				j,
				k,
				strategy;

	for (strategy = 0; strategy < 4; strategy++)
		for (i = 0; i < 5; i++)
			for (j = 0; j < 4; j++)
			{
				how.floor = j % 2 ? 0.02 : 0.0;
				how.scale = j < 2 ? 0.5 : 1.0;
				for (k = 0; k < sizes[i]; k++)
					set_arm(k, between(-6.0, 0.0), exp(between(-4.0, 1.0)),
							j < 2 ? 1.0 : between(0.0, 9.0), j < 2 ? 0.0 : between(-1.0, 1.0));
				check_distribution(names[strategy], &how, sizes[i], &sum, &below);
			}
	CHECK_WORST(sum, 1e-12, "sums to 1 for 1 to 1000 arms, twice the same");
	CHECK_WORST(below, 0.0, "no arm below the floor");

	for (strategy = 0; strategy < 4; strategy++)
		for (i = 0; i < 3000; i++)
		{
			int			n = 1 + i % 4;

			how.floor = i % 3 ? 0.0 : 0.1;
			how.scale = i % 50 ? 0.5 : odd[i / 50 % 9];
			for (k = 0; k < n; k++)
			{
				double	   *fields[] = {
					&arms[k].prediction.mean, &arms[k].prediction.variance, &arms[k].value, &arms[k].cost
				};

				set_arm(k, between(-6.0, 0.0), 0.5, 1.0 + k % 2, 0.0);
				for (j = 0; j < 4; j++)
					if (between(0.0, 1.0) < 0.3)
						*fields[j] = odd[(int) between(0.0, 9.0)];
			}
			check_distribution(names[strategy], &how, n, &sum, &below);
		}
	CHECK_WORST(sum, 1e-12, "sums to 1 for extreme and impossible predictions");
	CHECK_WORST(below, 0.0, "and no arm is below the floor");
}

/* Wilson and Hilferty's approximation of the quantile at 1 - 1e-6 */
static double
chi_square_limit(int freedom)
{
	double		c = 2.0 / (9.0 * freedom);

	return freedom * pow(1.0 - c + 4.753424 * sqrt(c), 3.0);
}

static void
test_draws(void)
{
	enum
	{
		DRAWS = 200000, N = 12
	};
	XsExploration how = plain;
	char		name[100];
	int			strategy,
				i,
				k;

	for (k = 0; k < N; k++)
		set_arm(k, between(-4.0, -2.0), between(0.2, 0.8), between(1.0, 2.0), 0.0);
	for (strategy = 0; strategy < 4; strategy++)
	{
		int			count[N] = {0};
		double		chi2 = 0.0;
		int			freedom = -1;
		int			impossible = 0;

		how.floor = strategy == 1 ? 0.0 : 0.02;
		xs_explore(xs_strategy(names[strategy]), &how, arms, N, q, scratch);
		for (i = 0; i < DRAWS; i++)
			count[xs_draw(q, N, xs_uniform(77, (uint64_t) i, (uint32_t) strategy))]++;
		for (k = 0; k < N; k++)
		{
			if (q[k] > 0.0)
			{
				freedom++;
				chi2 += (count[k] - DRAWS * q[k]) * (count[k] - DRAWS * q[k]) / (DRAWS * q[k]);
			}
			else
				impossible += count[k];
		}
		snprintf(name, sizeof(name), "%s: 200000 draws follow the probabilities", names[strategy]);
		CHECK(impossible == 0 && (freedom < 1 ? chi2 < 1e-9 : chi2 < chi_square_limit(freedom)), name);
		printf("# chi-square %.2f with %d degrees of freedom\n", chi2, freedom);
	}
}

static void
test_draw_edges(void)
{
	static const double gaps[] = {0.0, 0.25, 0.0, 0.75 - 1e-13, 0.0};
	static const double nothing[] = {0.0, NAN, 0.0};

	CHECK(xs_draw(gaps, 5, 1e-300) == 1 && xs_draw(gaps, 5, 0.2499999) == 1 && xs_draw(gaps, 5, 0.25) == 3,
		  "arms with probability 0 are passed over");
	CHECK(xs_draw(gaps, 5, 1.0 - 0x1p-53) == 3, "even where the sum falls short");
	CHECK(xs_draw(nothing, 3, 0.5) == -1, "nothing to draw");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_two_arms();
	test_two_unequal_arms();
	test_closed_forms();
	test_by_sampling();
	test_beta_arms();
	test_other_strategies();
	test_distributions();
	test_draws();
	test_draw_edges();
	return done();
}
