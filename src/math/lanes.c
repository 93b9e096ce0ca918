/*
 * lanes.c: how wide the vectors of this processor are.
 */
#include "lanes.h"

static int	widest = 0;			/* not asked yet */

static int
detect(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	/*
	 * VBMI2 is not used.  It came with the processors that no longer lower their
	 * clock for 512-bit arithmetic, which for a few microseconds would not pay.
	 */
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vbmi2"))
		return 8;
	if (__builtin_cpu_supports("avx2"))
		return 4;
#endif
	return 2;
}

int
xs_lanes(void)
{
	if (widest == 0)
		widest = detect();
	return widest;
}

void
xs_lanes_limit(int width)
{
	widest = detect();
	if (width < widest)
		widest = width;
}
