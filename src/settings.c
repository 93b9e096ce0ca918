/*
 * settings.c: configuration parameters of the extension.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "compat.h"
#include "settings.h"

int			xs_worker_nap = 1000;
char	   *xs_worker_databases = NULL;

static char *simulated_now = NULL;
static TimestampTz simulated_time = 0;
static bool simulated = false;

typedef struct ClockSetting
{
	bool		simulated;
	TimestampTz at;
} ClockSetting;

/*
 * Accepts timestamps with their zone in ISO form; parsed by the input function
 * of timestamptz, which touches no catalog, so that ALTER DATABASE ... SET can
 * be restored at any time.
 */
static bool
check_simulated_now(char **newval, void **extra, GucSource source)
{
	ClockSetting *setting;
	bool		is_set = *newval != NULL && (*newval)[0] != '\0';
	TimestampTz at = 0;

	if (is_set)
		at = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
													 CStringGetDatum(*newval),
													 ObjectIdGetDatum(InvalidOid),
													 Int32GetDatum(-1)));
	if (is_set && TIMESTAMP_NOT_FINITE(at))
	{
		GUC_check_errdetail("The simulated time must be finite.");
		return false;
	}

	setting = xs_guc_malloc(sizeof(ClockSetting));
	if (setting == NULL)
		return false;
	setting->simulated = is_set;
	setting->at = at;
	*extra = setting;
	return true;
}

static void
assign_simulated_now(const char *newval, void *extra)
{
	ClockSetting *setting = extra;

	simulated = setting != NULL && setting->simulated;
	simulated_time = setting != NULL ? setting->at : 0;
}

static bool
check_worker_databases(char **newval, void **extra, GucSource source)
{
	char	   *text = pstrdup(*newval);
	List	   *names;
	bool		is_list = SplitIdentifierString(text, ',', &names);

	if (!is_list)
		GUC_check_errdetail("List syntax is invalid.");
	list_free(names);
	pfree(text);
	return is_list;
}

void
xs_define_settings(void)
{
	DefineCustomStringVariable("xsell.simulated_now",
							   "The time at which decisions, caps and learning believe to be.",
							   "Empty: the real time. For simulations and tests only.",
							   &simulated_now, "", PGC_SUSET, 0,
							   check_simulated_now, assign_simulated_now, NULL);
	DefineCustomStringVariable("xsell.worker_databases",
							   "Databases in which a background worker learns.",
							   "Needs xsell in shared_preload_libraries.",
							   &xs_worker_databases, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   check_worker_databases, NULL, NULL);
	DefineCustomIntVariable("xsell.worker_nap",
							"How long a background worker waits when there is nothing to learn.",
							NULL,
							&xs_worker_nap, 1000, 10, 3600000, PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	MarkGUCPrefixReserved("xsell");
}

TimestampTz
xs_now(void)
{
	return simulated ? simulated_time : GetCurrentTimestamp();
}

bool
xs_clock_is_simulated(void)
{
	return simulated;
}

int
xs_pin_output_format(void)
{
	static const char *const settings[][2] = {
		{"datestyle", "ISO, YMD"}, {"intervalstyle", "postgres"}, {"timezone", "UTC"},
		{"extra_float_digits", "1"}, {"bytea_output", "hex"}
	};
	int			nest_level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

void
xs_unpin_output_format(int nest_level)
{
	AtEOXact_GUC(true, nest_level);
}
