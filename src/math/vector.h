/*
 * vector.h: vectors of WIDTH doubles, and of eight in as many registers as that
 * takes.  For lanes_each.h, which includes it once per width.
 */
typedef double Vector __attribute__((vector_size(8 * WIDTH)));
typedef long long Integers __attribute__((vector_size(8 * WIDTH)));
typedef unsigned long long Bits __attribute__((vector_size(8 * WIDTH)));

/* In memory: anywhere */
typedef double Loose __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));
typedef float Floats __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));

typedef struct Eight
{
	Vector		part[8 / WIDTH];
} Eight;

INLINE Vector
NAME(load)(const double *from)
{
	return *(const Loose *) from;
}

INLINE void
NAME(store)(double *to, Vector v)
{
	*(Loose *) to = v;
}

INLINE Eight
NAME(load8)(const double *from)
{
	Eight		e;
	int			i;

	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		e.part[i] = NAME(load)(from + WIDTH * i);
	return e;
}

INLINE void
NAME(store8)(double *to, Eight e)
{
	int			i;

	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		NAME(store)(to + WIDTH * i, e.part[i]);
}

INLINE Eight
NAME(zero8)(void)
{
	Eight		e;
	int			i;

	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		e.part[i] = (Vector) {0};
	return e;
}

INLINE Eight
NAME(add8)(Eight a, Eight b)
{
	int			i;

	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		a.part[i] += b.part[i];
	return a;
}

INLINE Eight
NAME(subtract8)(Eight a, Eight b)
{
	int			i;

	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		a.part[i] -= b.part[i];
	return a;
}

INLINE Eight
NAME(multiply8)(Eight a, Eight b)
{
	int			i;

	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		a.part[i] *= b.part[i];
	return a;
}

INLINE Eight
NAME(scale8)(Eight a, double c)
{
	int			i;

	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		a.part[i] *= c;
	return a;
}

INLINE Eight
NAME(widen8)(const float *from)
{
	Eight		e;
	int			i;

#if defined(__clang__) || __GNUC__ >= 9
	UNROLL
	for (i = 0; i < 8 / WIDTH; i++)
		e.part[i] = __builtin_convertvector(*(const Floats *) (from + WIDTH * i), Vector);
#else
	for (i = 0; i < 8; i++)
		e.part[i / WIDTH][i % WIDTH] = from[i];
#endif
	return e;
}

/* v[i][j] becomes v[j][i] */
INLINE void
NAME(transpose)(Vector v[WIDTH])
{
	Vector		w[WIDTH];
#if WIDTH > 2
	int			i;
#endif

#if WIDTH == 2
	w[0] = SHUFFLE(v[0], v[1], 0, 2);
	w[1] = SHUFFLE(v[0], v[1], 1, 3);
	v[0] = w[0];
	v[1] = w[1];
#elif WIDTH == 4
	UNROLL
	for (i = 0; i < 4; i += 2)
	{
		w[i] = SHUFFLE(v[i], v[i + 1], 0, 4, 2, 6);
		w[i + 1] = SHUFFLE(v[i], v[i + 1], 1, 5, 3, 7);
	}
	UNROLL
	for (i = 0; i < 2; i++)
	{
		v[i] = SHUFFLE(w[i], w[i + 2], 0, 1, 4, 5);
		v[i + 2] = SHUFFLE(w[i], w[i + 2], 2, 3, 6, 7);
	}
#else
	UNROLL
	for (i = 0; i < 8; i += 2)
	{
		w[i] = SHUFFLE(v[i], v[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
		w[i + 1] = SHUFFLE(v[i], v[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
	}
	UNROLL
	for (i = 0; i < 4; i++)
	{
		int			k = i + (i & 2);

		v[k] = SHUFFLE(w[k], w[k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
		v[k + 2] = SHUFFLE(w[k], w[k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
	}
	UNROLL
	for (i = 0; i < 4; i++)
	{
		w[i] = SHUFFLE(v[i], v[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
		w[i + 4] = SHUFFLE(v[i], v[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
	}
	UNROLL
	for (i = 0; i < 8; i++)
		v[i] = w[i];
#endif
}
