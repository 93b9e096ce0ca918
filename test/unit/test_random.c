/*
 * test_random.c: known answers and uniformity.
 */
#include "../../src/math/random.h"
#include "unit.h"

/* kat_vectors of Random123 1.14 */
static void
test_philox(void)
{
	static const uint32_t kat[3][10] = {
		{0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
		{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
		0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
		0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}
	};
	uint32_t	out[4];
	int			i;

	for (i = 0; i < 3; i++)
	{
		xs_philox(kat[i], kat[i] + 4, out);
		CHECK(memcmp(out, kat[i] + 6, sizeof(out)) == 0, "Philox 4x32-10 known answer");
	}
}

/* XXH64 of the reference implementation; changing any would reshuffle customers' groups */
static void
test_hash(void)
{
	static const struct
	{
		const char *text;
		uint64_t	seed;
		uint64_t	hash;
	}			kat[] = {
		{"", 0, UINT64_C(0xef46db3751d8e999)},
		{"a", 0, UINT64_C(0xd24ec4f1a98c6e5b)},
		{"abc", 0, UINT64_C(0x44bc2cf5ad770999)},
		{"Nobody inspects the spammish repetition", 0, UINT64_C(0xfbcea83c8a378bf1)}
	};
	int			i;

	for (i = 0; i < 4; i++)
		CHECK(xs_hash64(kat[i].text, strlen(kat[i].text), kat[i].seed) == kat[i].hash,
			  "XXH64 known answer");
	CHECK(xs_hash64("abc", 3, 1) != xs_hash64("abc", 3, 0), "the seed matters");
	CHECK(xs_hash64("xsell customer 4711, a key of more than thirty-two bytes", 56, 20240229) ==
		  UINT64_C(0xd59b94f7a1fdf4dd), "hash of a long key with a seed");
}

static void
test_uniform(void)
{
	enum
	{
		CELLS = 256, DRAWS = 256000
	};
	static int	count[CELLS];
	double		chi2 = 0.0;
	double		lowest = 1.0;
	double		highest = 0.0;
	int			i;

	for (i = 0; i < DRAWS; i++)
	{
		double		u = xs_uniform(42, (uint64_t) i, 7);

		lowest = u < lowest ? u : lowest;
		highest = u > highest ? u : highest;
		count[(int) (u * CELLS)]++;
	}
	for (i = 0; i < CELLS; i++)
		chi2 += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0;
	CHECK(lowest > 0.0 && highest < 1.0, "inside the open interval");
	/* 255 degrees of freedom: 376 is the quantile at 1 - 1e-6 */
	CHECK(chi2 > 155.0 && chi2 < 376.0, "uniform in 256 cells");
	CHECK(xs_uniform(1, 2, 3) == xs_uniform(1, 2, 3), "no state");
	CHECK(xs_uniform(1, 2, 3) != xs_uniform(1, 2, 4) && xs_uniform(1, 2, 3) != xs_uniform(1, 3, 3) &&
		  xs_uniform(1, 2, 3) != xs_uniform(2, 2, 3) &&
		  xs_uniform(1, 2, 3) != xs_uniform(1, 2 + (UINT64_C(1) << 32), 3), "key, counter and stream matter");
	CHECK(xs_uniform(1, 2, 3) == 0x1.45d8c39bc117ap-2, "golden value: old decisions replay");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	test_philox();
	test_hash();
	test_uniform();
	return done();
}
