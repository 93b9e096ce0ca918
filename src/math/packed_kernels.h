/*
 * packed_kernels.h: the loops of packed.c, for lanes_each.h.
 *
 * Vectors run across the rows of a panel or the columns of a row, while each element's
 * own sum runs in the order that packed.h states.  Tiles of several rows or columns
 * are there to use a load more than once and to keep several sums under way; they do
 * not change that order.
 */

/* y += c * x */
TARGET static void
NAME(add_multiple)(double *y, double c, const double *x, int n)
{
	int			i;

	for (i = 0; i + WIDTH <= n; i += WIDTH)
		NAME(store)(y + i, NAME(load)(y + i) + NAME(load)(x + i) * c);
	for (; i < n; i++)
		y[i] += x[i] * c;
}

/* From the first row down, so that y may be x. */
TARGET static void
NAME(lower_transposed_multiply)(const double *t, int d, const double *x, double *y)
{
	int			i;

	for (i = 0; i < d; i++)
	{
		const double *row = t + XS_PACKED_INDEX(i, 0);
		double		c = x[i];

		y[i] = c * row[i];
		NAME(add_multiple)(y, c, row, i);
	}
}

/* Columns j to j + WIDTH - 1 of the eight packed rows from i on, to the panel or from it. */
INLINE void
NAME(turn)(double *a, int i, int j, double *panel, int to_panel)
{
	Vector		v[WIDTH];
	int			r,
				c;

	for (r = 0; r < 8; r += WIDTH)
	{
		UNROLL
		for (c = 0; c < WIDTH; c++)
			v[c] = to_panel ? NAME(load)(a + XS_PACKED_INDEX(i + r + c, j)) :
				NAME(load)(panel + 8 * (j + c) + r);
		NAME(transpose)(v);
		UNROLL
		for (c = 0; c < WIDTH; c++)
			NAME(store)(to_panel ? panel + 8 * (j + c) + r : a + XS_PACKED_INDEX(i + r + c, j), v[c]);
	}
}

/* Rows i to i + 7; from column i % 8 to i in whole vectors. */
TARGET static void
NAME(rows_to_panel)(double *a, int i, double *panel)
{
	int			j;

	for (j = 0; j < i % 8; j++)
		column_to_panel(a, i, j, panel);
	for (; j < i; j += WIDTH)
		NAME(turn)(a, i, j, panel, 1);
	for (; j < i + 8; j++)
		column_to_panel(a, i, j, panel);
}

TARGET static void
NAME(panel_to_rows)(double *a, int i, double *panel)
{
	int			j;

	for (j = 0; j < i % 8; j++)
		column_from_panel(a, i, j, panel);
	for (; j < i; j += WIDTH)
		NAME(turn)(a, i, j, panel, 0);
	for (; j < i + 8; j++)
		column_from_panel(a, i, j, panel);
}

/* Column j of a panel of L. */
TARGET static void
NAME(factor_column)(const double *a, int j, double *panel, const double *inverse)
{
	const double *row = a + XS_PACKED_INDEX(j, 0);
	Eight		sum = NAME(load8)(panel + 8 * j);
	int			k;

	for (k = 0; k < j; k++)
		sum = NAME(subtract8)(sum, NAME(scale8)(NAME(load8)(panel + 8 * k), row[k]));
	NAME(store8)(panel + 8 * j, NAME(scale8)(sum, inverse[j]));
}

/* Columns j to j + WIDTH - 1 of a panel of L. */
TARGET static void
NAME(factor_columns)(const double *a, int j, double *panel, const double *inverse)
{
	const double *row[WIDTH];
	Eight		sum[WIDTH];
	int			k,
				r,
				s;

	UNROLL
	for (r = 0; r < WIDTH; r++)
	{
		row[r] = a + XS_PACKED_INDEX(j + r, 0);
		sum[r] = NAME(load8)(panel + 8 * (j + r));
	}
	for (k = 0; k < j; k++)
	{
		Eight		column = NAME(load8)(panel + 8 * k);

		UNROLL
		for (r = 0; r < WIDTH; r++)
			sum[r] = NAME(subtract8)(sum[r], NAME(scale8)(column, row[r][k]));
	}
	UNROLL
	for (r = 0; r < WIDTH; r++)
	{
		sum[r] = NAME(scale8)(sum[r], inverse[j + r]);
		NAME(store8)(panel + 8 * (j + r), sum[r]);
		UNROLL
		for (s = r + 1; s < WIDTH; s++)
			sum[s] = NAME(subtract8)(sum[s], NAME(scale8)(sum[r], row[s][j + r]));
	}
}

/*
 * The columns of the panel's own rows, from i on.  The diagonal is left as it comes
 * out of the scaling; root has the true one.
 */
TARGET static XsStatus
NAME(factor_diagonal)(int i, double *panel, double *inverse, double root[8])
{
	Eight		sum[WIDTH];
	double	   *at;				/* first lane, column */
	int			c,
				k,
				r,
				s;

	for (c = 0; c < 8; c += WIDTH)
	{
		at = panel + 8 * (i + c) + c;
		UNROLL
		for (r = 0; r < WIDTH; r++)
			sum[r] = NAME(load8)(panel + 8 * (i + c + r));
		for (k = 0; k < i + c; k++)
		{
			Eight		column = NAME(load8)(panel + 8 * k);

			UNROLL
			for (r = 0; r < WIDTH; r++)
				sum[r] = NAME(subtract8)(sum[r], NAME(scale8)(column, panel[8 * k + c + r]));
		}
		UNROLL
		for (r = 0; r < WIDTH; r++)
		{
			NAME(store8)(panel + 8 * (i + c + r), sum[r]);
			if (!is_pivot(at[8 * r + r]))
				return XS_NOT_POSITIVE;
			root[c + r] = __builtin_sqrt(at[8 * r + r]);
			inverse[i + c + r] = 1.0 / root[c + r];
			sum[r] = NAME(scale8)(sum[r], inverse[i + c + r]);
			NAME(store8)(panel + 8 * (i + c + r), sum[r]);
			UNROLL
			for (s = r + 1; s < WIDTH; s++)
				sum[s] = NAME(subtract8)(sum[s], NAME(scale8)(sum[r], at[8 * r + s]));
		}
	}
	return XS_OK;
}

/* By panels of rows: all before are L already. */
TARGET static XsStatus
NAME(cholesky)(double *a, int d)
{
	double		panel[8 * XS_PACKED_MAX] __attribute__((aligned(64)));
	double		inverse[XS_PACKED_MAX]; /* of the diagonal */
	double		root[8];
	int			head = (d - 1) % 8 + 1;
	int			i,
				j;

	if (cholesky_by_rows(a, head, inverse) != XS_OK)
		return XS_NOT_POSITIVE;
	for (i = head; i < d; i += 8)
	{
		NAME(rows_to_panel)(a, i, panel);
		for (j = 0; j < i % 8; j++)
			NAME(factor_column)(a, j, panel, inverse);
		for (; j < i; j += WIDTH)
			NAME(factor_columns)(a, j, panel, inverse);
		if (NAME(factor_diagonal)(i, panel, inverse, root) != XS_OK)
			return XS_NOT_POSITIVE;
		for (j = 0; j < 8; j++)
			panel[8 * (i + j) + j] = root[j];
		NAME(panel_to_rows)(a, i, panel);
	}
	return XS_OK;
}

/* v where column j + lane is within row k, else 0 */
INLINE Vector
NAME(within)(Vector v, int k, int j)
{
	static const long long lane[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	Integers	lanes;

	memcpy(&lanes, lane, sizeof(lanes));
	return (Vector) ((Integers) v & (lanes <= (long long) (k - j)));
}

/* Columns j to j + n - 1 (n <= WIDTH) of T in the eight rows from i on; above is T already. */
TARGET static void
NAME(invert_columns)(double *l, int i, int j, int n, const double inverse[8])
{
	double	   *row[8];
	Vector		sum[8];
	double		lane[WIDTH];
	int			k,
				r,
				s;

	UNROLL
	for (r = 0; r < 8; r++)
	{
		row[r] = l + XS_PACKED_INDEX(i + r, 0);
		sum[r] = (Vector) {0};
	}
	for (k = j; k < j + n - 1; k++)
	{
		Vector		above = NAME(load)(l + XS_PACKED_INDEX(k, j));

		UNROLL
		for (r = 0; r < 8; r++)
			sum[r] += NAME(within)(above * row[r][k], k, j);
	}
	for (; k < i; k++)
	{
		Vector		above = NAME(load)(l + XS_PACKED_INDEX(k, j));

		UNROLL
		for (r = 0; r < 8; r++)
			sum[r] += above * row[r][k];
	}
	UNROLL
	for (r = 0; r < 8; r++)
	{
		UNROLL
		for (s = 0; s < r; s++)
			sum[r] += sum[s] * row[r][i + s];
		sum[r] *= -inverse[r];
	}
	UNROLL
	for (r = 0; r < 8; r++)
	{
		NAME(store)(n == WIDTH ? row[r] + j : lane, sum[r]);
		if (n < WIDTH)
			memcpy(row[r] + j, lane, sizeof(double) * (size_t) n);
	}
}

/* By eight rows: all above are T already. */
TARGET static void
NAME(invert_lower)(double *l, int d)
{
	double		inverse[8];
	int			head = (d - 1) % 8 + 1;
	int			i,
				j;

	invert_block(l, 0, head);
	for (i = head; i < d; i += 8)
	{
		for (j = 0; j < 8; j++)
			inverse[j] = 1.0 / l[XS_PACKED_INDEX(i + j, i + j)];
		for (j = 0; j < head; j += WIDTH)
			NAME(invert_columns)(l, i, j, head - j < WIDTH ? head - j : WIDTH, inverse);
		for (j = head; j < i; j += WIDTH)
			NAME(invert_columns)(l, i, j, WIDTH, inverse);
		invert_block(l, i, 8);
	}
}

/* mu is T's last row.  From the last panel on: a panel needs more room than its rows. */
TARGET static void
NAME(belief)(double *t, int d)
{
	double		panel[8 * (XS_PACKED_MAX + 8)] __attribute__((aligned(64)));
	int			i;

	for (i = d - 7; i >= 0; i -= 8)
	{
		int			n = i + 8 <= d ? i + 8 : d; /* mu does not reach its own column */

		NAME(rows_to_panel)(t, i, panel);
		memcpy(t + panel_at(d, i + 8), panel, sizeof(double) * 8 * (size_t) n);
	}
	head_to_panel(t, i + 8, d);
}

/* The eight rows of a panel times x; n columns */
INLINE Eight
NAME(panel_product)(const double *panel, int n, const double *x)
{
	Eight		even = NAME(zero8)();
	Eight		odd = NAME(zero8)();
	int			j;

	for (j = 0; j + 2 <= n; j += 2)
	{
		even = NAME(add8)(even, NAME(scale8)(NAME(load8)(panel + 8 * j), x[j]));
		odd = NAME(add8)(odd, NAME(scale8)(NAME(load8)(panel + 8 * j + 8), x[j + 1]));
	}
	if (j < n)
		even = NAME(add8)(even, NAME(scale8)(NAME(load8)(panel + 8 * j), x[j]));
	return NAME(add8)(even, odd);
}

TARGET static double
NAME(belief_predict)(const double *belief, int d, const float *x, double *variance)
{
	double		wide[XS_PACKED_MAX];
	double		lane[8];
	Eight		squares = NAME(zero8)();
	Eight		y;
	double		mean;
	int			n;

	/* one by one at the end: what has just been stored in pieces keeps a wide load waiting */
	for (n = 0; n + 16 <= d; n += 8)
		NAME(store8)(wide + n, NAME(widen8)(x + n));
	for (; n < d; n++)
		wide[n] = x[n];
	for (n = d % 8 + 1; n <= d; n += 8)
	{
		y = NAME(panel_product)(belief, n, wide);
		squares = NAME(add8)(squares, NAME(multiply8)(y, y));
		belief += 8 * n;
	}
	y = NAME(panel_product)(belief, d, wide);
	mean = y.part[8 / WIDTH - 1][WIDTH - 1];
	y.part[8 / WIDTH - 1][WIDTH - 1] = 0.0;
	squares = NAME(add8)(squares, NAME(multiply8)(y, y));
	NAME(store8)(lane, squares);
	*variance = xs_sum_of_lanes(lane);
	return mean;
}

/* From the last panel on, so that y may be x. */
TARGET static void
NAME(belief_multiply)(const double *belief, int d, const double *x, double *y)
{
	double		lane[8];
	int			rows,
				i;

	for (rows = d + 1; rows > 0; rows -= 8)
	{
		NAME(store8)(lane, NAME(panel_product)(belief + panel_at(d, rows), rows <= d ? rows : d, x));
		for (i = rows < 8 ? 0 : rows - 8; i < rows && i < d; i++)
			y[i] = lane[i + 8 - rows];
	}
}

TARGET static void
NAME(belief_transposed_multiply)(const double *belief, int d, const double *x, double *y)
{
	double		padded[XS_PACKED_MAX + 8] = {0.0};	/* whole panels of rows; 0 for mu's */
	double		lane[8];
	int			head = d % 8 + 1;	/* rows of the first panel */
	int			j,
				rows;

	memcpy(padded + 8 - head, x, sizeof(double) * (size_t) d);
	for (j = 0; j < d; j++)
	{
		Eight		sum = NAME(zero8)();

		for (rows = j < head ? head : (j - head) / 8 * 8 + head + 8; rows <= d + 1; rows += 8)
			sum = NAME(add8)(sum, NAME(multiply8)(NAME(load8)(belief + panel_at(d, rows) + 8 * j),
												  NAME(load8)(padded + rows - head)));
		NAME(store8)(lane, sum);
		y[j] = xs_sum_of_lanes(lane);
	}
}
