/*
 * unit.h: a minimal test harness that prints TAP.
 *
 * A program calls CHECK* any number of times and ends with return done().
 * argv[1] is the directory of the golden values.
 */
#ifndef UNIT_H
#define UNIT_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int	unit_tests = 0;
static int	unit_failures = 0;
static const char *unit_data = "../data/golden";

static inline int
unit_check(int good, const char *name, const char *file, int line)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++unit_tests, name);
	if (!good)
	{
		unit_failures++;
		printf("# failed at %s:%d\n", file, line);
	}
	return good;
}

static inline int
unit_close(double value, double expected, double tolerance, const char *name,
		   const char *file, int line)
{
	int			good = fabs(value - expected) <= tolerance || value == expected;

	unit_check(good, name, file, line);
	if (!good)
		printf("# %.17g, expected %.17g, differs by %.3g, allowed %.3g\n",
			   value, expected, value - expected, tolerance);
	return good;
}

#define CHECK(condition, name) unit_check((condition) != 0, name, __FILE__, __LINE__)

/* |value - expected| <= tolerance; NaN fails */
#define CHECK_CLOSE(value, expected, tolerance, name) \
	unit_close(value, expected, tolerance, name, __FILE__, __LINE__)

/* The largest of many errors, checked at once, and where it was. */
typedef struct Worst
{
	double		error;
	char		where[200];
	int			count;
} Worst;

static inline void
worst(Worst *w, double error, const char *format,...)
{
	w->count++;
	if (!(error <= w->error))
	{
		va_list		arguments;

		w->error = error == error ? error : HUGE_VAL;
		va_start(arguments, format);
		vsnprintf(w->where, sizeof(w->where), format, arguments);
		va_end(arguments);
	}
}

#define CHECK_WORST(w, tolerance, name) \
	do { \
		unit_check((w).count > 0 && (w).error <= (tolerance), name, __FILE__, __LINE__); \
		printf("# largest of %d: %.3g, allowed %.3g (%s)\n", \
			   (w).count, (w).error, (double) (tolerance), (w).where); \
	} while (0)

static inline double
relative(double value, double expected)
{
	return value == expected ? 0.0 : fabs(value - expected) / fabs(expected);
}

/* Calls row() with the fields of every line of a CSV file after its header. */
static inline void
each_row(const char *name, void (*row) (char **field, void *context), void *context)
{
	char		path[1000];
	char		line[2000];
	char	   *field[40];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", unit_data, name);
	file = fopen(path, "r");
	if (!file || !fgets(line, sizeof(line), file))
	{
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	while (fgets(line, sizeof(line), file))
	{
		int			n = 0;
		char	   *p = strtok(line, ",\n");

		for (; p && n < 40; p = strtok(NULL, ",\n"))
			field[n++] = p;
		row(field, context);
	}
	fclose(file);
}

static inline void
begin(int argc, char **argv)
{
	if (argc > 1)
		unit_data = argv[1];
}

static inline int
done(void)
{
	printf("1..%d\n", unit_tests);
	return unit_failures > 0;
}

#endif
