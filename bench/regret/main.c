/*
 * main.c: the tables.
 *
 * Arguments: quick (a tenth of the rounds, one seed), tables=135 (only these),
 * seeds=3, and settings, as posterior_scale=0.5.  Seeds are 1, 2, ... everywhere, so all cells of a
 * table are about the same customers.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bandit.h"
#include "table.h"

enum
{
	MAX_SEEDS = 10
};

#define PLUS_MINUS "\302\261"

/* What the tables have in common. */
static Settings defaults;
static const char *tables = "123456";
static int	rounds = 100000;
static int	few = MAX_SEEDS / 2;	/* seeds */
static int	many = MAX_SEEDS;	/* of the defaults in table 1 */

void
die(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	fprintf(stderr, "regret: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	exit(1);
}

void *
allocate(size_t size)
{
	void	   *p = calloc(1, size > 0 ? size : 1);

	if (p == NULL)
		die("out of memory");
	return p;
}

/* ---- runs ---- */

typedef struct Outcomes
{
	int			n;				/* seeds */
	Outcome		each[MAX_SEEDS];
} Outcomes;

typedef enum Measure
{
	NORMALISED, REWARD, UNIFORM, BEST_FIXED, OPTIMUM,
	REGRET						/* and the following: at a mark */
} Measure;

static void
run(const Settings *settings, World *world, int nrounds, int delay, const int *marks, int seeds, Outcomes *out)
{
	Trial		trial = {.settings = settings,.world = world,.rounds = nrounds,.delay = delay};

	for (int i = 0; i < MARKS && marks != NULL; i++)
		trial.marks[i] = marks[i];
	out->n = seeds;
	for (int seed = 1; seed <= seeds; seed++)
		bandit_run(&trial, (uint64_t) seed, &out->each[seed - 1]);
}

static double
measure(const Outcome *o, int what)
{
	switch (what)
	{
		case NORMALISED:
			return bandit_normalised(o);
		case REWARD:
			return o->reward;
		case UNIFORM:
			return o->uniform;
		case BEST_FIXED:
			return o->best_fixed;
		case OPTIMUM:
			return o->optimum;
		default:
			return o->regret[what - REGRET];
	}
}

/* Of what - less, which may be -1, over the seeds; the standard error is that of the mean. */
static double
mean(const Outcomes *outcomes, int what, int less, double *error)
{
	double		sum = 0;
	double		sum2 = 0;
	double		average;

	for (int i = 0; i < outcomes->n; i++)
		sum += measure(&outcomes->each[i], what) - (less < 0 ? 0 : measure(&outcomes->each[i], less));
	average = sum / outcomes->n;
	for (int i = 0; i < outcomes->n; i++)
	{
		double		d = measure(&outcomes->each[i], what) - (less < 0 ? 0 : measure(&outcomes->each[i], less)) - average;

		sum2 += d * d;
	}
	*error = outcomes->n > 1 ? __builtin_sqrt(sum2 / (outcomes->n - 1) / outcomes->n) : 0;
	return average;
}

/* A cell: mean and standard error, times factor. */
static void
cell(const Outcomes *outcomes, int what, int less, double factor, int digits)
{
	double		error;
	double		average = mean(outcomes, what, less, &error);

	if (outcomes->n == 1)
		table_cell("%.*f", digits, factor * average);
	else
		table_cell("%.*f " PLUS_MINUS " %.*f", digits, factor * average, digits, factor * error);
}

/* The same with the ratio to other outcomes. */
static void
cell_and_ratio(const Outcomes *outcomes, int what, const Outcomes *to)
{
	double		error,
				ignored;
	double		average = mean(outcomes, what, -1, &error);

	if (outcomes->n == 1)
		table_cell("%.0f (%.2f)", average, average / mean(to, what, -1, &ignored));
	else
		table_cell("%.0f " PLUS_MINUS " %.0f (%.2f)", average, error, average / mean(to, what, -1, &ignored));
}

/* ---- 1 ---- */

typedef struct Strategy
{
	const char *title;
	const char *name;
	double		epsilon;
	double		epsilon_end;
} Strategy;

static const Strategy strategies[] = {
	{"greedy", "greedy", 0, 0},
	{"epsilon_greedy 0.1", "epsilon_greedy", 0.1, 0.1},
	{"epsilon_greedy 0.2 to 0.05", "epsilon_greedy", 0.2, 0.05},
	{"ucb", "ucb", 0, 0},
	{"thompson", "thompson", 0, 0},
	{"softmax", "softmax", 0, 0},
	{"squarecb", "squarecb", 0, 0}
};

static Settings
with_strategy(const Strategy *strategy)
{
	Settings	settings = defaults;

	settings.strategy = strategy->name;
	settings.epsilon = strategy->epsilon;
	settings.epsilon_end = strategy->epsilon_end;
	return settings;
}

static bool
is_default(const Settings *settings)
{
	return strcmp(settings->oracle, defaults.oracle) == 0 && strcmp(settings->strategy, defaults.strategy) == 0 &&
		(strcmp(settings->strategy, "epsilon_greedy") != 0 ||
		 (settings->epsilon == defaults.epsilon && settings->epsilon_end == defaults.epsilon_end));
}

static void
references(const Outcomes *outcomes)
{
	static const struct
	{
		const char *name;
		Measure		what;
	}			rows[] = {
		{"uniform", UNIFORM}, {"best fixed product", BEST_FIXED}, {"default agent", REWARD}, {"optimum", OPTIMUM}
	};
	double		error;
	double		uniform = mean(outcomes, UNIFORM, -1, &error);
	double		optimum = mean(outcomes, OPTIMUM, -1, &error);

	table_begin((const char *const[]) {"", "expected reward, %", "normalised", NULL});
	for (int i = 0; i < 4; i++)
	{
		table_cell("%s", rows[i].name);
		cell(outcomes, rows[i].what, -1, 100, 2);
		if (rows[i].what == REWARD)
			cell(outcomes, NORMALISED, -1, 1, 3);
		else
			table_cell("%.3f", (mean(outcomes, rows[i].what, -1, &error) - uniform) / (optimum - uniform));
	}
	table_end();
}

static void
oracles_and_strategies(void)
{
	static const char *const oracles[] = {"", "beta", "segment", "linear", "logistic", "auto", NULL};
	World	   *world = world_bank(FEED_NONE);
	Outcomes	outcomes;

	printf("## 1. World A: oracles and strategies\n\n%d rounds; mean reward of the probabilities decided by.  Seeds: %d for the defaults, %d for the rest.\n",
		   rounds, many, few);
	run(&defaults, world, rounds, 0, NULL, many, &outcomes);
	references(&outcomes);
	printf("Normalised reward:\n");
	table_begin(oracles);
	for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
	{
		table_cell("%s", strategies[i].title);
		for (int j = 1; oracles[j] != NULL; j++)
		{
			Settings	settings = with_strategy(&strategies[i]);
			Outcomes	other;

			settings.oracle = oracles[j];
			if (!is_default(&settings))
				run(&settings, world, rounds, 0, NULL, few, &other);
			cell(is_default(&settings) ? &outcomes : &other, NORMALISED, -1, 1, 3);
		}
	}
	table_end();
}

/* ---- 2 and 3 ---- */

static int
long_delay(void)
{
	return rounds / 20;
}

static void
marks_of(int marks[MARKS])
{
	marks[0] = rounds / 100;
	marks[1] = rounds / 5;
	marks[2] = rounds;
}

static void
begin_marks(const char *first, const int *marks)
{
	char		titles[MARKS][32];

	for (int i = 0; i < MARKS; i++)
		snprintf(titles[i], sizeof(titles[i]), "at %d", marks[i]);
	table_begin((const char *const[]) {first, "delay", titles[0], titles[1], titles[2], "normalised", NULL});
}

static void
propensities(void)
{
	int			marks[MARKS];
	Outcomes	none,
				outcomes;

	marks_of(marks);
	printf("## 2. World A: propensities\n\nRegret, and in brackets its ratio to that without propensities.  The true logit has an error of sd 0.5;\n"
		   "miscalibrated: 2 (logit + error) + 1; percent: above 1, so missing, for most.  Seeds: %d.\n", few);
	begin_marks("propensity", marks);
	for (int delay = 0; delay <= long_delay(); delay += long_delay())
		for (int feed = 0; feed < NFEEDS; feed++)
		{
			run(&defaults, world_bank((Feed) feed), rounds, delay, marks, few, &outcomes);
			if (feed == FEED_NONE)
				none = outcomes;
			table_cell("%s", feed_names[feed]);
			table_cell("%d", delay);
			for (int i = 0; i < MARKS; i++)
				cell_and_ratio(&outcomes, REGRET + i, &none);
			cell(&outcomes, NORMALISED, -1, 1, 3);
		}
	table_end();
}

static void
delays(void)
{
	World	   *world = world_bank(FEED_NONE);
	int			marks[MARKS];

	marks_of(marks);
	printf("## 3. World A: delay\n\nRegret.  A decision is learned at once as a zero, which its conversion replaces after the delay.  Seeds: %d.\n", few);
	begin_marks("strategy", marks);
	for (int i = 0; i < 2; i++)
		for (int delay = 0; delay <= long_delay(); delay += long_delay())
		{
			Settings	settings = defaults;
			Outcomes	outcomes;

			if (i == 1)
				settings.strategy = "squarecb";
			run(&settings, world, rounds, delay, marks, few, &outcomes);
			table_cell("%s", settings.strategy);
			table_cell("%d", delay);
			for (int j = 0; j < MARKS; j++)
				cell(&outcomes, REGRET + j, -1, 1, 0);
			cell(&outcomes, NORMALISED, -1, 1, 3);
		}
	table_end();
}

/* ---- 4 ---- */

static void
new_products(void)
{
	static const struct
	{
		const char *title;
		double		pooling;
		bool		true_groups;
	}			rows[] = {
		{"none", -1, true}, {"0", 0, true}, {"0.5", 0.5, true}, {"0.8", 0.8, true}, {"0.5, unrelated groups", 0.5, false}
	};
	int			arrival = rounds / 5;
	int			marks[MARKS] = {arrival, arrival + arrival / 4, 2 * arrival};
	char		titles[2][32];

	printf("## 4. World A in families: two new products\n\n16 products in four families that share 0.8 of the variance of their weights; two arrive at round %d.\n"
		   "Regret since then.  Seeds: %d.\n", arrival, few);
	for (int i = 0; i < 2; i++)
		snprintf(titles[i], sizeof(titles[i]), "after %d", marks[i + 1] - arrival);
	table_begin((const char *const[]) {"pooling", "before", titles[0], titles[1], NULL});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		Settings	settings = defaults;
		Outcomes	outcomes;

		settings.pooling = rows[i].pooling;
		run(&settings, world_families(arrival, rows[i].true_groups), 2 * arrival, 0, marks, few, &outcomes);
		table_cell("%s", rows[i].title);
		cell(&outcomes, REGRET, -1, 1, 0);
		cell(&outcomes, REGRET + 1, REGRET, 1, 0);
		cell(&outcomes, REGRET + 2, REGRET, 1, 0);
	}
	table_end();
}

/* ---- 5 ---- */

static void
drift(void)
{
	static const struct
	{
		const char *title;
		double		weeks;
	}			rows[] = {{"none", 0}, {"50 weeks", 50}, {"10 weeks", 10}};
	int			change = rounds / 2;
	int			marks[MARKS] = {change, change + rounds / 10, rounds};
	char		title[32];

	printf("## 5. World A with a change\n\nHalf of the products exchange their weights at round %d; a week of evidence is %d rounds.  Regret.  Seeds: %d.\n",
		   change, rounds / 100, few);
	snprintf(title, sizeof(title), "%d rounds after", rounds / 10);
	table_begin((const char *const[]) {"half-life", "before the change", title, "all after", NULL});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		Settings	settings = defaults;
		Outcomes	outcomes;

		settings.half_life = rows[i].weeks;
		settings.week = rounds / 100;
		run(&settings, world_drift(change), rounds, 0, marks, few, &outcomes);
		table_cell("%s", rows[i].title);
		cell(&outcomes, REGRET, -1, 1, 0);
		cell(&outcomes, REGRET + 1, REGRET, 1, 0);
		cell(&outcomes, REGRET + 2, REGRET, 1, 0);
	}
	table_end();
}

/* ---- 6 ---- */

static void
set_row(World *world, const char *title, const Outcomes *outcomes, Measure what)
{
	table_cell("%s", world->name);
	table_cell("%s", title);
	cell(outcomes, what, -1, 1, 3);
	if (what == REWARD)
		cell(outcomes, REGRET, -1, 1, 0);
	else
	{
		double		error;

		table_cell("%.0f", world->rounds * (mean(outcomes, OPTIMUM, -1, &error) - mean(outcomes, what, -1, &error)));
	}
}

static void
data_sets(void)
{
	static const char *const names[] = {"letter", "pendigits", "satellite", "bank"};

	printf("## 6. Published data sets\n\nReward per round, and regret against the right answer each time, which no agent can know.  Seeds: %d.\n", few);
	table_begin((const char *const[]) {"set", "agent", "reward", "regret", NULL});
	for (int i = 0; i < 4; i++)
	{
		World	   *world = world_set(names[i]);
		Settings	settings[4] = {defaults, defaults, defaults, defaults};
		const char *const titles[4] = {"default", "squarecb", "ucb", "linear"};

		if (rounds < 100000 && world->rounds > 2000)
			world->rounds = 2000;
		settings[1].strategy = "squarecb";
		settings[2].strategy = "ucb";
		settings[3].oracle = "linear";
		for (int j = 0; j < 4; j++)
		{
			int			marks[MARKS] = {world->rounds, 0, 0};
			Outcomes	outcomes;

			run(&settings[j], world, world->rounds, 0, marks, few, &outcomes);
			if (j == 0)
			{
				set_row(world, "uniform", &outcomes, UNIFORM);
				set_row(world, "best fixed", &outcomes, BEST_FIXED);
			}
			set_row(world, titles[j], &outcomes, REWARD);
		}
	}
	table_end();
}

/* ---- arguments ---- */

static void
read_argument(char *argument)
{
	char	   *value = strchr(argument, '=');

	if (strcmp(argument, "quick") == 0)
	{
		rounds = 10000;
		many = 2;
		few = 1;
		return;
	}
	if (value == NULL)
		die("not quick, tables=, seeds= or a setting: %s", argument);
	*value++ = '\0';
	if (strcmp(argument, "tables") == 0)
		tables = value;
	else if (strcmp(argument, "seeds") == 0)
	{
		few = atoi(value);
		if (few < 1 || few > MAX_SEEDS / 2)
			die("seeds: 1 to %d", MAX_SEEDS / 2);
		many = 2 * few;
	}
	else if (!settings_change(&defaults, argument, value))
		die("there is no setting %s", argument);
}

int
main(int argc, char **argv)
{
	static void (*const all[]) (void) = {
		oracles_and_strategies, propensities, delays, new_products, drift, data_sets
	};

	defaults = default_settings;
	for (int i = 1; i < argc; i++)
		read_argument(argv[i]);
	printf("# Regret, xsell " VERSION "\n\n");
	settings_print(&defaults);
	printf("\n");
	for (int i = 0; i < 6; i++)
		if (strchr(tables, '1' + i) != NULL)
			all[i] ();
	return 0;
}
