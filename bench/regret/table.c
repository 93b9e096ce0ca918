/*
 * table.c: collects a table, then prints it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "table.h"
#include "world.h"

enum
{
	MAX_CELLS = 512, CELL = 64
};

static char cells[MAX_CELLS][CELL];
static int	ncolumns;
static int	ncells;

/* Characters of UTF-8 text. */
static int
width_of(const char *text)
{
	int			n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xC0) != 0x80;
	return n;
}

static int
column_width(int column)
{
	int			width = 3;

	for (int i = column; i < ncells; i += ncolumns)
		if (width_of(cells[i]) > width)
			width = width_of(cells[i]);
	return width;
}

void
table_begin(const char *const *columns)
{
	ncells = 0;
	for (ncolumns = 0; columns[ncolumns] != NULL; ncolumns++)
		table_cell("%s", columns[ncolumns]);
}

void
table_cell(const char *format,...)
{
	va_list		arguments;

	if (ncells == MAX_CELLS)
		die("a table of more than %d cells", MAX_CELLS);
	va_start(arguments, format);
	vsnprintf(cells[ncells++], CELL, format, arguments);
	va_end(arguments);
}

static void
print_padding(const char *what, int n)
{
	while (n-- > 0)
		printf("%s", what);
}

static void
print_rule(void)
{
	for (int j = 0; j < ncolumns; j++)
	{
		printf("| ");
		print_padding("-", column_width(j) - (j > 0));
		printf(j > 0 ? ": " : " ");
	}
	printf("|\n");
}

static void
print_row(int first)
{
	for (int j = 0; j < ncolumns; j++)
	{
		const char *cell = cells[first + j];
		int			padding = column_width(j) - width_of(cell);

		printf("| ");
		print_padding(" ", j > 0 ? padding : 0);
		printf("%s ", cell);
		print_padding(" ", j > 0 ? 0 : padding);
	}
	printf("|\n");
}

void
table_end(void)
{
	printf("\n");
	print_row(0);
	print_rule();
	for (int i = ncolumns; i < ncells; i += ncolumns)
		print_row(i);
	printf("\n");
	fflush(stdout);
}
