/*
 * settings.h: configuration parameters of the extension.
 */
#ifndef XS_SETTINGS_H
#define XS_SETTINGS_H

#include "postgres.h"
#include "datatype/timestamp.h"

extern void xs_define_settings(void);

/* Of background workers: ms between rounds, and which databases have one if preloaded. */
extern int	xs_worker_nap;
extern char *xs_worker_databases;

/* The clock of decisions, caps and learning: now, or xsell.simulated_now. */
extern TimestampTz xs_now(void);
extern bool xs_clock_is_simulated(void);

/* Between these, dates, intervals, numbers and bytea are written and read in one way. */
extern int	xs_pin_output_format(void);
extern void xs_unpin_output_format(int nest_level);

#endif
