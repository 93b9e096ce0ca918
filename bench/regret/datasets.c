/*
 * datasets.c: published data sets as worlds.
 *
 * A set of classes becomes a choice among classes: the right one converts.  The
 * bank's campaign file becomes a choice among three products, by value: a term
 * deposit (1) that the customer subscribed to, a housing loan (0.2) or a personal
 * loan (0.7) that the customer has; the values make the three about equally good
 * on average.
 *
 * Features are encoded as xsell does: numbers standardised (by mean and standard
 * deviation of the set, as a policy would declare them), one column per level of
 * a text.  Nothing is null; columns that are always 0 are left out.  The seed
 * shuffles the rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/math/random.h"
#include "../../src/math/special.h"
#include "world.h"

enum
{
	MAX_COLUMNS = 64, MAX_LEVELS = 32, MAX_FIELD = 32, WIDTH = 128
};

/* A CSV file as it is. */
typedef struct Table
{
	int			ncolumns;
	int			nrows;
	char		names[MAX_COLUMNS][MAX_FIELD];
	char	   *fields;			/* nrows * ncolumns of MAX_FIELD bytes */
} Table;

typedef struct Levels
{
	int			n;
	char		names[MAX_LEVELS][MAX_FIELD];
} Levels;

/* The rows as the world meets them. */
typedef struct Rows
{
	int			n;
	int			dim;
	float	   *x;				/* WIDTH each */
	bool	   *converts;		/* by row and product */
	int		   *order;
} Rows;

typedef struct Spec
{
	const char *name;
	const char *path;
	const char *ignored;		/* a column; or "" */
	const char *label;			/* the column of classes; NULL: products */
	struct
	{
		const char *column;
		const char *converts;	/* its value for a customer who converts */
		double		value;
	}			products[3];
} Spec;

static const Spec specs[] = {
	{"letter", "bench/regret/data/letter.csv.gz", "", "lettr", {{NULL, NULL, 0}}},
	{"pendigits", "bench/regret/data/pendigits.csv.gz", "split", "digit", {{NULL, NULL, 0}}},
	{"satellite", "bench/regret/data/satellite.csv.gz", "", "classes", {{NULL, NULL, 0}}},
	{"bank", "demo/data/bank.csv.gz", "id", NULL, {{"subscribed", "yes", 1}, {"housing", "yes", 0.2}, {"loan", "yes", 0.7}}}
};

/* ---- reading ---- */

static int
split(char *line, char (*fields)[MAX_FIELD])
{
	int			n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (char *p = line; p != NULL && n < MAX_COLUMNS; n++)
	{
		char	   *end = strchr(p, ',');

		if (end != NULL)
			*end++ = '\0';
		if (*p == '"')
		{
			p++;
			p[strcspn(p, "\"")] = '\0';
		}
		snprintf(fields[n], MAX_FIELD, "%s", p);
		p = end;
	}
	return n;
}

static char *
field(const Table *table, int row, int column)
{
	return table->fields + ((size_t) row * table->ncolumns + column) * MAX_FIELD;
}

static void
read_table(const char *path, Table *table)
{
	char		command[256];
	char		line[4096];
	char		fields[MAX_COLUMNS][MAX_FIELD];
	FILE	   *file;
	int			room = 0;

	snprintf(command, sizeof(command), "gzip -dc %s", path);
	file = popen(command, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		die("cannot read %s", path);
	table->ncolumns = split(line, table->names);
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (table->nrows == room)
		{
			room = 2 * room + 1024;
			table->fields = realloc(table->fields, (size_t) room * table->ncolumns * MAX_FIELD);
			if (table->fields == NULL)
				die("out of memory");
		}
		if (split(line, fields) != table->ncolumns)
			die("%s: row %d has not %d columns", path, table->nrows + 1, table->ncolumns);
		memcpy(field(table, table->nrows++, 0), fields, (size_t) table->ncolumns * MAX_FIELD);
	}
	if (pclose(file) != 0)
		die("cannot read %s", path);
}

static int
column_of(const Table *table, const char *name)
{
	for (int j = 0; j < table->ncolumns; j++)
		if (strcmp(table->names[j], name) == 0)
			return j;
	die("the data have no column %s", name);
}

/* Its number among the levels; a new one is added. */
static int
level(Levels *levels, const char *name)
{
	int			i = 0;

	while (i < levels->n && strcmp(levels->names[i], name) != 0)
		i++;
	if (i == MAX_LEVELS)
		die("more than %d levels", MAX_LEVELS);
	if (i == levels->n)
		snprintf(levels->names[levels->n++], MAX_FIELD, "%s", name);
	return i;
}

/* ---- encoding ---- */

static bool
is_number(const char *text)
{
	char	   *end;

	strtod(text, &end);
	return end != text && *end == '\0';
}

static void
encode_number(const Table *table, int column, Rows *rows)
{
	double		sum = 0;
	double		sum2 = 0;
	double		mean,
				sd;

	for (int i = 0; i < rows->n; i++)
		sum += strtod(field(table, i, column), NULL);
	mean = sum / rows->n;
	for (int i = 0; i < rows->n; i++)
	{
		double		d = strtod(field(table, i, column), NULL) - mean;

		sum2 += d * d;
	}
	sd = __builtin_sqrt(sum2 / rows->n);
	for (int i = 0; i < rows->n; i++)
	{
		double		z = (strtod(field(table, i, column), NULL) - mean) / sd;

		rows->x[(size_t) i * WIDTH + rows->dim] = (float) (z > 8 ? 8 : z < -8 ? -8 : z);
	}
	rows->dim++;
}

static void
encode_text(const Table *table, int column, Rows *rows)
{
	Levels		levels = {0};

	for (int i = 0; i < rows->n; i++)
		rows->x[(size_t) i * WIDTH + rows->dim + level(&levels, field(table, i, column))] = 1;
	rows->dim += levels.n;
}

static bool
is_feature(const Spec *spec, const char *column)
{
	if (strcmp(column, spec->ignored) == 0)
		return false;
	if (spec->label != NULL)
		return strcmp(column, spec->label) != 0;
	for (int k = 0; k < 3; k++)
		if (strcmp(column, spec->products[k].column) == 0)
			return false;
	return true;
}

static void
encode(const Spec *spec, const Table *table, Rows *rows)
{
	rows->n = table->nrows;
	rows->x = allocate(sizeof(float) * WIDTH * (size_t) rows->n);
	rows->dim = 1;
	for (int i = 0; i < rows->n; i++)
		rows->x[(size_t) i * WIDTH] = 1;
	for (int j = 0; j < table->ncolumns; j++)
		if (is_feature(spec, table->names[j]))
		{
			if (rows->dim + MAX_LEVELS > WIDTH)
				die("%s has too many columns", spec->path);
			if (is_number(field(table, 0, j)))
				encode_number(table, j, rows);
			else
				encode_text(table, j, rows);
		}
}

/* ---- the world ---- */

static void
put_classes(const Spec *spec, const Table *table, World *world, Rows *rows)
{
	int			column = column_of(table, spec->label);
	Levels		classes = {0};

	for (int i = 0; i < rows->n; i++)
		rows->converts[(size_t) i * MAX_PRODUCTS + level(&classes, field(table, i, column))] = true;
	world->nproducts = classes.n;
	for (int k = 0; k < world->nproducts; k++)
		world->value[k] = 1;
}

static void
put_products(const Spec *spec, const Table *table, World *world, Rows *rows)
{
	world->nproducts = 3;
	for (int k = 0; k < 3; k++)
	{
		int			column = column_of(table, spec->products[k].column);

		world->value[k] = spec->products[k].value;
		for (int i = 0; i < rows->n; i++)
			rows->converts[(size_t) i * MAX_PRODUCTS + k] =
				strcmp(field(table, i, column), spec->products[k].converts) == 0;
	}
}

static void
shuffle(World *world, uint64_t seed)
{
	Rows	   *rows = world->own;

	for (int i = 0; i < rows->n; i++)
		rows->order[i] = i;
	for (int i = rows->n - 1; i > 0; i--)
	{
		int			j = (int) (xs_uniform(seed, (uint64_t) i, STREAM_ORDER) * (i + 1));
		int			swap = rows->order[i];

		rows->order[i] = rows->order[j];
		rows->order[j] = swap;
	}
}

static void
meet(const World *world, uint64_t seed, int round, Customer *customer)
{
	const Rows *rows = world->own;
	size_t		row = (size_t) rows->order[round];

	(void) seed;
	memcpy(customer->x, rows->x + row * WIDTH, sizeof(float) * (size_t) rows->dim);
	customer->segment = -1;
	for (int k = 0; k < world->nproducts; k++)
	{
		customer->rate[k] = rows->converts[row * MAX_PRODUCTS + k];
		customer->propensity[k] = XS_NAN;
	}
}

static const Spec *
spec_of(const char *name)
{
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		if (strcmp(specs[i].name, name) == 0)
			return &specs[i];
	die("there is no data set %s", name);
}

World *
world_set(const char *name)
{
	const Spec *spec = spec_of(name);
	World	   *world = allocate(sizeof(World));
	Rows	   *rows = allocate(sizeof(Rows));
	Table		table = {0};

	read_table(spec->path, &table);
	encode(spec, &table, rows);
	rows->converts = allocate(sizeof(bool) * MAX_PRODUCTS * (size_t) rows->n);
	rows->order = allocate(sizeof(int) * (size_t) rows->n);
	*world = (World) {.name = spec->name,.rounds = rows->n,.dim = rows->dim,.own = rows,.begin = shuffle,.meet = meet};
	if (spec->label != NULL)
		put_classes(spec, &table, world, rows);
	else
		put_products(spec, &table, world, rows);
	for (int k = 0; k < world->nproducts; k++)
		world->group[k] = -1;
	free(table.fields);
	return world;
}
