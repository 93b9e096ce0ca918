#!/usr/bin/env python3
"""Prints log_norm_cdf_table.h (mpmath 1.3). Run by hand; the table is part of the source, so no build needs this."""
from mpmath import mp, mpf, log, ncdf, cos, pi, matrix, lu_solve

mp.dps = 40
LIMIT, PER_UNIT, DEGREE = 8, 4, 7
print("""/*
 * log_norm_cdf_table.h: log Phi on [-8, 8) by polynomials of degree 7 in the
 * distance from each cell's centre, interpolating at Chebyshev points.  Errors: value
 * below 1e-12, derivative below 1e-10.  Written by log_norm_cdf_table.py.
 */
#define TABLE_LIMIT %.1f
#define TABLE_CELLS_PER_UNIT %d

static const double log_norm_cdf_table[][%d] = {""" % (LIMIT, PER_UNIT, DEGREE + 1))
half = mpf(1) / (2 * PER_UNIT)
for cell in range(2 * LIMIT * PER_UNIT):
    centre = -LIMIT + (cell + mpf(1) / 2) / PER_UNIT
    nodes = [half * cos(pi * (2 * i + 1) / (2 * DEGREE + 2)) for i in range(DEGREE + 1)]
    v = matrix(DEGREE + 1, DEGREE + 1)
    y = matrix(DEGREE + 1, 1)
    for i, node in enumerate(nodes):
        for j in range(DEGREE + 1):
            v[i, j] = node ** j
        y[i] = log(ncdf(centre + node))
    c = [float(a).hex() for a in lu_solve(v, y)]
    print("\t{%s,\n\t%s},\n" % (", ".join(c[:4]), ", ".join(c[4:])), end="")
print("};")
