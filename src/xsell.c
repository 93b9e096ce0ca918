/*
 * xsell.c: what the server calls when it loads the library, and its version.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "settings.h"
#include "worker.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(xsell_version);

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	xs_define_settings();
	xs_register_launcher();
}

/* xsell_version() RETURNS text: the version of the library that is loaded. */
Datum
xsell_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(XSELL_VERSION));
}
