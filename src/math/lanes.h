/*
 * lanes.h: kernels on vectors of doubles, compiled once per width of vector.
 *
 * A file of kernels is included by lanes_each.h for every width that the compiler can
 * make code for.  The vectors are GCC's (also in clang), whose arithmetic is
 * defined element by element.  A kernel fixes the order of its sums by rows, columns
 * or numbered lanes, never by the width of a register: so every width gives the same bits.
 */
#ifndef XS_LANES_H
#define XS_LANES_H

/* The widest vector that this processor has, in doubles: 8 (AVX-512), 4 (AVX2), 2 (SSE2, NEON, plain code). */
extern int	xs_lanes(void);

/* For tests: none wider than this from now on. */
extern void xs_lanes_limit(int width);

/* Kernel f at that width. */
#if defined(__x86_64__)
#define XS_WIDEST(f) (xs_lanes() == 8 ? f##_8 : xs_lanes() == 4 ? f##_4 : f##_2)
#else
#define XS_WIDEST(f) f##_2
#endif

static inline double
xs_sum_of_lanes(const double lane[8])
{
	return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

#endif
