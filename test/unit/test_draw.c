/*
 * test_draw.c: draws against probabilities, for every strategy.
 */
#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "../../src/model/explore.h"
#include "unit.h"

enum
{
	MOST = 200
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
	for (strategy = 0; strategy < STRATEGIES; strategy++)
	{
		int			count[N] = {0};
		double		chi2 = 0.0;
		int			freedom = -1;
		int			impossible = 0;

		how.floor = strategy % 2 ? 0.02 : 0.0;
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

/* The u of a cell of xs_uniform. */
static int
draw_cell(int n, int64_t cell)
{
	return xs_draw(q, n, ((double) cell + 0.5) * 0x1p-52);
}

/*
 * How many of the 2^52 values of u draw each arm, by bisection.  At the top, where
 * rounding may have left the sum below u, they draw the likeliest arm again.
 */
static void
count_cells(int n, int64_t *cells)
{
	int64_t		top = INT64_C(1) << 52;
	int64_t		from = 0;
	int			likeliest = 0;
	int			k;

	for (k = 0; k < n; k++)
	{
		cells[k] = 0;
		if (q[k] > q[likeliest])
			likeliest = k;
	}
	for (k = n - 1; k > likeliest && q[k] == 0.0; k--);
	if (k > likeliest)
		for (; cells[likeliest] < 4 * n && draw_cell(n, top - 1) == likeliest; top--)
			cells[likeliest]++;
	for (k = 0; k < n; k++)
	{
		int64_t		low = from;
		int64_t		high = top;

		while (low < high)
		{
			int64_t		middle = low + (high - low) / 2;

			if (draw_cell(n, middle) <= k)
				low = middle + 1;
			else
				high = middle;
		}
		cells[k] += low - from;
		from = low;
	}
}

static void
test_chances(void)
{
	static const int sizes[] = {1, 2, 3, 20, 200};
	static int64_t cells[MOST];
	XsExploration how = plain;
	Worst		w = {0};
	Worst		sum = {0};
	int			strategy,
				i,
				j,
				k;

	for (strategy = 0; strategy < STRATEGIES; strategy++)
		for (i = 0; i < 5; i++)
			for (j = 0; j < 30; j++)
			{
				int			n = sizes[i];
				int64_t		all = 0;

				how.floor = j % 2 ? 0.02 : 0.0;
				how.temperature = exp(between(-7.0, 0.0));
				how.gamma = exp(between(0.0, 12.0));
				for (k = 0; k < n; k++)
					set_arm(k, between(-6.0, 0.0), exp(between(-4.0, 1.0)), between(1.0, 2.0), 0.0);
				xs_explore(xs_strategy(names[strategy]), &how, arms, n, q, scratch);
				count_cells(n, cells);
				for (k = 0; k < n; k++)
				{
					all += cells[k];
					worst(&w, fabs((double) cells[k] * 0x1p-52 - q[k]) / (n + 1) * 0x1p52, "%s, n = %d, arm %d: %g",
						  names[strategy], n, k, q[k]);
				}
				worst(&sum, all == INT64_C(1) << 52 ? 0.0 : 1.0, "%s, n = %d", names[strategy], n);
			}
	CHECK_WORST(w, 1.0, "every arm's chance is its probability, in units of (n + 1) 2^-52");
	CHECK_WORST(sum, 0.0, "and every value of u draws an arm");
}

static void
test_draw_edges(void)
{
	static const double gaps[] = {0.0, 0.25, 0.0, 0.75 - 1e-13, 1e-40, 0.0};
	static const double nothing[] = {0.0, NAN, 0.0};

	CHECK(xs_draw(gaps, 6, 1e-300) == 1 && xs_draw(gaps, 6, 0.2499999) == 1 && xs_draw(gaps, 6, 0.25) == 3,
		  "arms with probability 0 are passed over");
	CHECK(xs_draw(gaps, 6, 1.0 - 0x1p-53) == 3, "where the sum falls short, the likeliest and not the last");
	CHECK(xs_draw(nothing, 3, 0.5) == -1, "nothing to draw");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_draws();
	test_chances();
	test_draw_edges();
	return done();
}
