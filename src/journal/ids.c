/*
 * ids.c: 64-bit ids in time order, made without a sequence.
 *
 *	 bit  63      62 .. 22                     21    20 .. 9          8 .. 0
 *		  0       ms since 2024-01-01 UTC      r     backend number   counter
 *
 * The backend number tells apart what backends make in the same millisecond,
 * the counter what one backend does.  r is set during recovery: a standby makes
 * ids too (xsell_choose), and so never those of its primary.  Under a simulated
 * clock r and the number are 0: the same simulation makes the same ids, in one
 * session at a time.
 *
 * A number is reused as soon as its backend is gone, possibly within the
 * millisecond, so a backend's first id waits for the next one.  From then on
 * its ids only rise: if the counter runs out it sleeps until the millisecond is
 * over, and if the clock was set back it goes on from where it was.
 *
 * The simulated clock may go back on purpose.  Ids are then earlier ones, but
 * never repeated ones: what was used of every simulated millisecond is kept.
 *
 * Imported decisions have ids of the time they were made at, which is long past,
 * with r set and the number 0: places that nothing else takes.  They are numbered
 * through, 512 to the millisecond; who imports looks for the next free one.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "../compat.h"
#include "../settings.h"
#include "journal.h"

#define COUNTER_BITS	9
#define BACKEND_BITS	12
#define TIME_SHIFT		(COUNTER_BITS + BACKEND_BITS + 1)
#define RECOVERY_BIT	(INT64CONST(1) << (COUNTER_BITS + BACKEND_BITS))
#define COUNTER_END		(1 << COUNTER_BITS)
#define MS_END			(INT64CONST(1) << (63 - TIME_SHIFT))

/* 2024-01-01 UTC, in microseconds since 2000-01-01; 24 years with 6 leap days */
#define EPOCH			((int64) (24 * 365 + 6) * USECS_PER_DAY)
#define USECS_PER_MS	1000

/* What was used of one simulated millisecond. */
typedef struct SimulatedMs
{
	int64		ms;				/* hash key */
	int			used;
} SimulatedMs;

static int64 real_ms = -1;		/* of the last id; -1: none yet */
static int	real_used = 0;		/* counter values used in it */

static HTAB *simulated = NULL;
static int64 simulated_wanted = -1; /* millisecond last asked for, and ... */
static int64 simulated_ms = -1; /* ... the one that it had come to */

PG_FUNCTION_INFO_V1(xsell_decided_at);
PG_FUNCTION_INFO_V1(xsell_id_at);

/* Milliseconds since the epoch, rounded down. */
static int64
ms_of(TimestampTz at)
{
	int64		since = at - EPOCH;

	return since >= 0 ? since / USECS_PER_MS : -((-since + USECS_PER_MS - 1) / USECS_PER_MS);
}

static void
check_range(int64 ms)
{
	if (ms >= 0 && ms < MS_END)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("cannot make a decision id for a time %s",
					ms < 0 ? "before 2024" : "after 2093"),
			 errdetail("Ids count the milliseconds from 2024-01-01 in 41 bits."),
			 xs_clock_is_simulated() ?
			 errhint("Set xsell.simulated_now to a later time than 2024-01-01 UTC and to an earlier one than 2093.") :
			 errhint("Check the clock of the server.")));
}

/* Never 0, which is the simulated clock's; unique below 4096 backends. */
static int64
backend_bits(void)
{
	int64		number = (xs_backend_number() - 1) % ((1 << BACKEND_BITS) - 1) + 1;

	return (number << COUNTER_BITS) | (RecoveryInProgress() ? RECOVERY_BIT : 0);
}

/* Sleeps until the real clock has left a millisecond, or was set back. */
static int64
wait_for_next_ms(int64 ms)
{
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (ms_of(now) != ms)
			return ms_of(now);
		pg_usleep(USECS_PER_MS - (now - EPOCH) % USECS_PER_MS);
		CHECK_FOR_INTERRUPTS();
	}
}

static int64
new_real_id(void)
{
	int64		now = ms_of(GetCurrentTimestamp());

	if (real_ms < 0 || (now == real_ms && real_used >= COUNTER_END))
		now = wait_for_next_ms(now);
	check_range(now);

	if (now > real_ms)
	{
		real_ms = now;
		real_used = 0;
	}
	else if (real_used >= COUNTER_END)
	{
		/* the clock was set back: waiting might take hours */
		check_range(real_ms + 1);
		real_ms++;
		real_used = 0;
	}
	return (real_ms << TIME_SHIFT) | backend_bits() | real_used++;
}

static SimulatedMs *
simulated_at(int64 ms)
{
	SimulatedMs *entry;
	bool		found;

	if (simulated == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(int64);
		ctl.entrysize = sizeof(SimulatedMs);
		simulated = hash_create("xsell simulated ids", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(simulated, &ms, HASH_ENTER, &found);
	if (!found)
		entry->used = 0;
	return entry;
}

static int64
new_simulated_id(void)
{
	int64		wanted = ms_of(xs_now());
	SimulatedMs *entry;

	check_range(wanted);
	if (wanted != simulated_wanted)
		simulated_ms = simulated_wanted = wanted;

	while ((entry = simulated_at(simulated_ms))->used >= COUNTER_END)
	{
		check_range(simulated_ms + 1);
		simulated_ms++;
	}
	return (simulated_ms << TIME_SHIFT) | entry->used++;
}

int64
xs_new_id(void)
{
	return xs_clock_is_simulated() ? new_simulated_id() : new_real_id();
}

int64
xs_id_floor(TimestampTz at)
{
	int64		ms;

	/* also keeps the subtraction of the epoch in range */
	if (at < EPOCH)
		return 0;
	ms = ms_of(at);
	return ms < MS_END ? ms << TIME_SHIFT : PG_INT64_MAX;
}

int64
xs_import_place(TimestampTz at)
{
	return at < EPOCH ? 0 : ms_of(at) * COUNTER_END;
}

int64
xs_import_id(int64 place)
{
	check_range(place / COUNTER_END);
	return (place / COUNTER_END) << TIME_SHIFT | RECOVERY_BIT | place % COUNTER_END;
}

TimestampTz
xs_id_time(int64 id)
{
	return EPOCH + (id >> TIME_SHIFT) * USECS_PER_MS;
}

/* xsell_decided_at(decision_id bigint) returns timestamptz */
Datum
xsell_decided_at(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);

	if (id < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid decision id: " INT64_FORMAT, id),
				 errdetail("Decision ids are not negative.")));
	PG_RETURN_TIMESTAMPTZ(xs_id_time(id));
}

/* xsell_id_at(timestamptz) returns bigint */
Datum
xsell_id_at(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(xs_id_floor(PG_GETARG_TIMESTAMPTZ(0)));
}
