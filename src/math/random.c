/*
 * random.c: Philox 4x32-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel
 * random numbers: as easy as 1, 2, 3", 2011) and XXH64 (Y. Collet).
 */
#include "random.h"

void
xs_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t	c0 = counter[0],
				c1 = counter[1],
				c2 = counter[2],
				c3 = counter[3];
	uint32_t	k0 = key[0],
				k1 = key[1];
	int			round;

	for (round = 0; round < 10; round++)
	{
		uint64_t	p0 = (uint64_t) UINT32_C(0xD2511F53) * c0;
		uint64_t	p1 = (uint64_t) UINT32_C(0xCD9E8D57) * c2;

		c0 = (uint32_t) (p1 >> 32) ^ c1 ^ k0;
		c1 = (uint32_t) p1;
		c2 = (uint32_t) (p0 >> 32) ^ c3 ^ k1;
		c3 = (uint32_t) p0;
		k0 += UINT32_C(0x9E3779B9);
		k1 += UINT32_C(0xBB67AE85);
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

double
xs_uniform(uint64_t key, uint64_t counter, uint32_t stream)
{
	uint32_t	counters[4] = {(uint32_t) counter, (uint32_t) (counter >> 32), stream, 0};
	uint32_t	keys[2] = {(uint32_t) key, (uint32_t) (key >> 32)};
	uint32_t	out[4];
	uint64_t	bits;

	xs_philox(counters, keys, out);
	bits = ((uint64_t) out[1] << 32 | out[0]) >> 12;
	/* the middle of one of 2^52 cells: never 0, never 1 */
	return ((double) bits + 0.5) * 0x1p-52;
}

#define PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME3 UINT64_C(0x165667B19E3779F9)
#define PRIME4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

/* n bytes as a little-endian number, on every machine */
static uint64_t
read_bytes(const unsigned char *p, int n)
{
	uint64_t	result = 0;

	while (n-- > 0)
		result = result << 8 | p[n];
	return result;
}

static uint64_t
hash_round(uint64_t lane, uint64_t input)
{
	return rotate(lane + input * PRIME2, 31) * PRIME1;
}

/* Whole stripes of 32 bytes, four lanes; advances *p. */
static uint64_t
hash_stripes(const unsigned char **p, uint64_t length, uint64_t seed)
{
	uint64_t	lane[4] = {seed + PRIME1 + PRIME2, seed + PRIME2, seed, seed - PRIME1};
	uint64_t	hash;
	int			i;

	for (; length >= 32; length -= 32, *p += 32)
		for (i = 0; i < 4; i++)
			lane[i] = hash_round(lane[i], read_bytes(*p + 8 * i, 8));
	hash = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
	for (i = 0; i < 4; i++)
		hash = (hash ^ hash_round(0, lane[i])) * PRIME1 + PRIME4;
	return hash;
}

uint64_t
xs_hash64(const void *data, uint64_t length, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t	hash = length >= 32 ? hash_stripes(&p, length, seed) : seed + PRIME5;
	uint64_t	rest = length % 32;

	hash += length;
	for (; rest >= 8; rest -= 8, p += 8)
		hash = rotate(hash ^ hash_round(0, read_bytes(p, 8)), 27) * PRIME1 + PRIME4;
	if (rest >= 4)
	{
		hash = rotate(hash ^ read_bytes(p, 4) * PRIME1, 23) * PRIME2 + PRIME3;
		rest -= 4;
		p += 4;
	}
	for (; rest > 0; rest--, p++)
		hash = rotate(hash ^ *p * PRIME5, 11) * PRIME1;

	hash = (hash ^ hash >> 33) * PRIME2;
	hash = (hash ^ hash >> 29) * PRIME3;
	return hash ^ hash >> 32;
}
