/*
 * publish.h: between the files that publish policies.
 */
#ifndef XS_PUBLISH_H
#define XS_PUBLISH_H

#include "postgres.h"

/*
 * Runs SQL as the owner of the policy tables, so that who edits a policy needs
 * no rights on its history; it sees the newest rows, also under REPEATABLE READ.
 * Between SPI_connect and SPI_finish, search_path pinned.
 */
extern void xs_execute_as_policy_owner(const char *sql, int nargs, Oid *argtypes, Datum *values,
									   const char *nulls);

/* integrity.c: after a statement that deleted, and after every statement on a policy table */
extern void xs_policy_cascade(void);
extern void xs_policy_check_integrity(const char *table);

/* Of an agent whose rules or caps were changed. */
extern void xs_policy_check_bindings(Datum agent);

#endif
