/*
 * test_explore.c: probabilities against closed forms and against sampling.
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
static const XsExploration plain = {
	.epsilon = 0.1,.width = 1.0,.scale = 1.0,.temperature = 0.05,.gamma = 100.0,.floor = 0.0
};
static const char *const names[] = {
	"greedy", "epsilon_greedy", "ucb", "thompson", "softmax", "squarecb", "uniform"
};

enum
{
	STRATEGIES = sizeof(names) / sizeof(names[0])
};

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
	XsEvidence	none = {0};
	XsInput		in = {.propensity = NAN,.segment = -1};

	if (strcmp(group.name, field[0]) != 0)
	{
		if (group.n > 0)
			report_group(context);
		group.n = 0;
		strncpy(group.name, field[0], sizeof(group.name) - 1);
	}
	beta->prepare(model, 1, &none, &prior, scratch);
	beta->predict(model, &in, &arms[group.n].prediction);
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

/* Arms whose objectives are these, exactly. */
static void
set_objectives(const double *objective, int n)
{
	int			k;

	for (k = 0; k < n; k++)
	{
		set_arm(k, xs_logit(objective[k]), 0.1, 1.0, 0.0);
		arms[k].prediction.rate = objective[k];
	}
}

static void
test_greedy_strategies(void)
{
	XsExploration how = plain;

	set_arm(0, -3.0, 0.1, 10.0, 0.0);
	set_arm(1, -2.0, 0.1, 10.0, 0.0);
	set_arm(2, -3.0, 3.0, 10.0, 0.0);
	set_arm(3, -2.0, 0.1, 10.0, 0.0);
	how.epsilon = 0.2;
	arms[2].prediction.rate = 0.01;
	xs_explore(xs_strategy("greedy"), &how, arms, 4, q, scratch);
	CHECK(q[0] == 0.0 && q[1] == 1.0 && q[2] == 0.0 && q[3] == 0.0, "greedy: the best, ties to the first");
	xs_explore(xs_strategy("epsilon_greedy"), &how, arms, 4, q, scratch);
	CHECK(fabs(q[1] - 0.85) < 1e-15 && q[0] == q[2] && q[0] == q[3] && fabs(q[3] - 0.05) < 1e-16,
		  "epsilon over all arms, ties to the first");
	how.different = 1;
	xs_explore(xs_strategy("epsilon_greedy"), &how, arms, 4, q, scratch);
	CHECK(fabs(q[1] - 0.8) < 1e-15 && q[0] == q[2] && q[0] == q[3] && fabs(q[3] - 0.2 / 3.0) < 1e-16,
		  "epsilon over the others");
	how.epsilon = 1.0;
	xs_explore(xs_strategy("epsilon_greedy"), &how, arms, 4, q, scratch);
	CHECK(q[1] == 0.0 && fabs(q[0] - 1.0 / 3.0) < 1e-16, "epsilon of 1: never the best");
	xs_explore(xs_strategy("epsilon_greedy"), &how, arms, 1, q, scratch);
	CHECK(q[0] == 1.0, "but if it is alone");
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

/* Against the definition in long double; values and costs are such that no objective is rounded. */
static void
test_softmax(void)
{
	XsExploration how = plain;
	Worst		w = {0};
	int			i,
				k;

	for (i = 0; i < 2000; i++)
	{
		int			n = 1 + i % 40;
		long double sum = 0.0L;
		long double largest;

		how.temperature = exp(between(-6.0, 3.0));
		for (k = 0; k < n; k++)
		{
			set_arm(k, between(-6.0, 0.0), 0.5, 4.0, 0.0);
			sum += expl(4.0L * arms[k].prediction.rate / how.temperature);
		}
		largest = 4.0L * arms[xs_best(arms, n)].prediction.rate / how.temperature;
		xs_explore(xs_strategy("softmax"), &how, arms, n, q, scratch);
		for (k = 0; k < n; k++)
		{
			long double expected = expl(4.0L * arms[k].prediction.rate / how.temperature) / sum;

			worst(&w, (double) (fabsl(q[k] - expected) / (expected + 1e-300L) / (1.0L + largest)),
				  "n %d, temperature %g: %g", n, how.temperature, q[k]);
		}
	}
	CHECK_WORST(w, 1e-15, "softmax: by its definition, relative to the largest exponent");

	set_objectives((double[]) {0.5, 0.25, 0.5}, 3);
	how.temperature = 0.25;
	xs_explore(xs_strategy("softmax"), &how, arms, 3, q, scratch);
	/* e/(2e + 1) */
	CHECK_CLOSE(q[0], 0.42231879825151818, 1e-16, "softmax: one temperature apart");
	CHECK(q[0] == q[2], "ties share");
	arms[0].cost = 0.25;
	xs_explore(xs_strategy("softmax"), &how, arms, 3, q, scratch);
	CHECK(q[0] == q[1], "costs count");
	how.temperature = 0.0;
	xs_explore(xs_strategy("softmax"), &how, arms, 3, q, scratch);
	CHECK(q[2] == 1.0 && q[0] == 0.0, "softmax without temperature: the best");
	how.temperature = INFINITY;
	xs_explore(xs_strategy("softmax"), &how, arms, 3, q, scratch);
	CHECK(q[0] == q[2] && q[1] == q[2], "of infinite temperature: uniform");
}

static void
test_squarecb(void)
{
	XsExploration how = plain;
	Worst		w = {0};
	int			i,
				k;

	/* gaps 1/4, 1/8, 0 below arm 0: 1/(4 + 4), 1/(4 + 2), 1/4, and 1 - 13/24 */
	set_objectives((double[]) {0.5, 0.25, 0.375, 0.5}, 4);
	how.gamma = 16.0;
	xs_explore(xs_strategy("squarecb"), &how, arms, 4, q, scratch);
	CHECK_CLOSE(q[0], 11.0 / 24.0, 2e-16, "SquareCB: the first of the best has what the others leave");
	CHECK(q[1] == 1.0 / 8.0, "the second");
	CHECK_CLOSE(q[2], 1.0 / 6.0, 1e-16, "the third");
	CHECK(q[3] == 1.0 / 4.0, "as good as the best: 1/K");
	how.gamma = 0.0;
	xs_explore(xs_strategy("squarecb"), &how, arms, 4, q, scratch);
	CHECK(q[0] == 0.25 && q[1] == 0.25 && q[2] == 0.25 && q[3] == 0.25, "gamma 0: uniform");
	how.gamma = INFINITY;
	xs_explore(xs_strategy("squarecb"), &how, arms, 4, q, scratch);
	CHECK(q[0] == 0.75 && q[1] < 1e-299 && q[3] == 0.25, "gamma without limit: the best");
	how.gamma = NAN;
	xs_explore(xs_strategy("squarecb"), &how, arms, 4, q, scratch);
	CHECK(q[0] == 0.25 && q[1] == 0.25, "gamma NaN: 0");

	for (i = 0; i < 2000; i++)
	{
		int			n = 1 + i % 40;
		int			best;
		long double rest = 1.0L;

		how.gamma = exp(between(-2.0, 12.0));
		for (k = 0; k < n; k++)
			set_arm(k, between(-6.0, 0.0), 0.5, 4.0, 0.0);
		best = xs_best(arms, n);
		xs_explore(xs_strategy("squarecb"), &how, arms, n, q, scratch);
		for (k = 0; k < n; k++)
		{
			long double expected = 1.0L / (n + how.gamma *
										   (4.0L * arms[best].prediction.rate - 4.0L * arms[k].prediction.rate));

			if (k == best)
				continue;
			rest -= expected;
			worst(&w, (double) fabsl(q[k] - expected), "n %d, gamma %g: %g", n, how.gamma, q[k]);
		}
		worst(&w, (double) fabsl(q[best] - rest), "n %d, gamma %g, the best: %g", n, how.gamma, q[best]);
	}
	CHECK_WORST(w, 4e-15, "SquareCB: by its definition");
}

/* What is not a number loses, under every strategy that compares. */
static void
test_not_a_number(void)
{
	static const char *const comparing[] = {"greedy", "ucb", "thompson", "softmax", "squarecb"};
	XsExploration how = plain;
	char		name[100];
	int			i,
				k,
				bad;

	for (i = 0; i < 5; i++)
	{
		int			good = 1;

		for (bad = 0; bad < 3; bad++)
		{
			how.gamma = bad == 0 ? 0.0 : 100.0;
			for (k = 0; k < 4; k++)
				set_arm(k, -2.0 - 0.01 * k, 0.5, 10.0, 0.0);
			if (bad == 0)
				arms[1].value = NAN;
			else if (bad == 1)
				arms[1].cost = NAN;
			else
				arms[1].prediction.rate = arms[1].prediction.mean = NAN;
			xs_explore(xs_strategy(comparing[i]), &how, arms, 4, q, scratch);
			good &= q[1] == 0.0 && q[0] > 0.0;
		}
		for (k = 0; k < 4; k++)
			arms[k].value = NAN;
		xs_explore(xs_strategy(comparing[i]), &how, arms, 4, q, scratch);
		good &= i < 3 ? q[0] == 1.0 : q[0] == 0.25 && q[1] == 0.25;
		set_arm(2, -2.0, 0.5, INFINITY, 0.0);
		xs_explore(xs_strategy(comparing[i]), &how, arms, 4, q, scratch);
		good &= fabs(q[2] - 1.0) < 1e-15;
		arms[2].cost = INFINITY;
		set_arm(3, -2.0, 0.5, 1.0, INFINITY);
		set_arm(1, -2.0, 0.5, 1.0, 0.0);
		xs_explore(xs_strategy(comparing[i]), &how, arms, 4, q, scratch);
		good &= fabs(q[1] - 1.0) < 1e-15;
		snprintf(name, sizeof(name), "%s: not a number never wins, infinite costs neither; none at all: like arms",
				 comparing[i]);
		CHECK(good, name);
	}
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

	for (strategy = 0; strategy < STRATEGIES; strategy++)
		for (i = 0; i < 5; i++)
			for (j = 0; j < 4; j++)
			{
				how.floor = j % 2 ? 0.02 : 0.0;
				how.scale = j < 2 ? 0.5 : 1.0;
				how.different = j % 2;
				how.temperature = j < 2 ? 0.01 : 1.0;
				how.gamma = j < 2 ? 1000.0 : 1.0;
				for (k = 0; k < sizes[i]; k++)
					set_arm(k, between(-6.0, 0.0), exp(between(-4.0, 1.0)),
							j < 2 ? 1.0 : between(0.0, 9.0), j < 2 ? 0.0 : between(-1.0, 1.0));
				check_distribution(names[strategy], &how, sizes[i], &sum, &below);
			}
	CHECK_WORST(sum, 1e-12, "sums to 1 for 1 to 1000 arms, twice the same");
	CHECK_WORST(below, 0.0, "no arm below the floor");

	for (strategy = 0; strategy < STRATEGIES; strategy++)
		for (i = 0; i < 3000; i++)
		{
			int			n = 1 + i % 4;

			how.floor = i % 3 ? 0.0 : 0.1;
			how.scale = i % 50 ? 0.5 : odd[i / 50 % 9];
			how.epsilon = i % 50 ? 0.1 : how.scale;
			how.width = i % 50 ? 1.0 : how.scale;
			how.temperature = i % 50 ? 0.05 : how.scale;
			how.gamma = i % 50 ? 100.0 : how.scale;
			how.different = i % 2;
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

/* However the posterior is scaled, Thompson spreads about the same expected rate. */
static void
test_scale(void)
{
	XsExploration how = plain;
	double		scale[] = {0.05, 0.25, 1.0, 2.0};
	int			i;

	for (i = 0; i < 4; i++)
	{
		double		s0 = scale[i] * 1.5;
		double		s1 = scale[i] * 0.2;
		double		m0;
		double		m1;

		set_arm(0, -3.0, 1.5, 1.0, 0.0);
		set_arm(1, -2.5, 0.2, 1.0, 0.0);
		m0 = log(arms[0].prediction.rate / (1.0 - arms[0].prediction.rate)) * sqrt(1.0 + M_PI / 8.0 * s0 * s0);
		m1 = log(arms[1].prediction.rate / (1.0 - arms[1].prediction.rate)) * sqrt(1.0 + M_PI / 8.0 * s1 * s1);
		how.scale = scale[i];
		xs_explore(xs_strategy("thompson"), &how, arms, 2, q, scratch);
		CHECK_CLOSE(q[0], 0.5 * erfc(-(m0 - m1) / sqrt(s0 * s0 + s1 * s1) / sqrt(2.0)), 1e-9, "Thompson, scaled: closed form");
	}
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_scale();
	test_two_arms();
	test_two_unequal_arms();
	test_closed_forms();
	test_by_sampling();
	test_beta_arms();
	test_greedy_strategies();
	test_softmax();
	test_squarecb();
	test_not_a_number();
	test_distributions();
	return done();
}
