/*
 * random.h: counter-based random numbers (Philox 4x32-10, Salmon et al. 2011).
 *
 * No state: the same (key, counter, stream) always gives the same number, so a
 * draw can be replayed from what the journal holds.
 */
#ifndef XS_RANDOM_H
#define XS_RANDOM_H

#include <stdint.h>

extern void xs_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* One uniform number in the open interval (0,1), 52 bits. */
extern double xs_uniform(uint64_t key, uint64_t counter, uint32_t stream);

/* A stable 64-bit hash of bytes (for groups and salts); never changes between versions. */
extern uint64_t xs_hash64(const void *data, uint64_t length, uint64_t seed);

#endif
