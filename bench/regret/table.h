/*
 * table.h: tables in Markdown whose columns line up.
 */
#ifndef TABLE_H
#define TABLE_H

/* A new table with these columns, of which the last is NULL; the first is to the left. */
extern void table_begin(const char *const *columns);

/* The next cell, row by row. */
extern void table_cell(const char *format,...) __attribute__((format(printf, 1, 2)));

extern void table_end(void);

#endif
