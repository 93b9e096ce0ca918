#!/usr/bin/env python3
"""Prints the coefficients of vector_special.h (mpmath 1.3). Run by hand; they are part of the source, so no build needs this.

Rational functions of least largest weighted error by Lawson's method: least squares, again and again, each point weighted by the errors it had.
"""
from mpmath import mp, mpf, erfc, exp, sqrt, pi, log, cos, matrix, lu_solve

mp.dps = 50


def fit(f, tolerance, points, n, m, rounds=120):
    """p of degree n, q of degree m, q(0) = 1, and the largest error of p/q, relative to f, in units of tolerance"""
    weights = [mpf(1)] * len(points)
    q = [mpf(1)] + [mpf(0)] * m
    best = None
    for turn in range(rounds):
        size = n + 1 + m
        a, b = matrix(size, size), matrix(size, 1)
        for x, w in zip(points, weights):
            scale = w / (f(x) * value(q, x) * tolerance(x)) ** 2
            row = [x ** i for i in range(n + 1)] + [-f(x) * x ** i for i in range(1, m + 1)]
            for i in range(size):
                b[i] += scale * row[i] * f(x)
                for j in range(size):
                    a[i, j] += scale * row[i] * row[j]
        solution = list(lu_solve(a, b))
        p, q = solution[:n + 1], [mpf(1)] + solution[n + 1:]
        errors = [abs(value(p, x) / value(q, x) / f(x) - 1) / tolerance(x) for x in points]
        if best is None or max(errors) < best[2]:
            best = (p, q, max(errors))
        if turn >= 8 or m == 0:
            weights = [w * e for w, e in zip(weights, errors)]
            total = sum(weights)
            weights = [w / total + mpf(10) ** -12 for w in weights]
    return best


def value(coefficients, x):
    return sum(c * x ** i for i, c in enumerate(coefficients))


def show(name, coefficients):
    print(name, ", ".join(float(c).hex() for c in coefficients))


def mills(u):
    return sqrt(pi / 2) * erfc(u / sqrt(2)) * exp(u * u / 2)


# u of [0, 8.5], denser near 0; where the normal density is small, so may be the accuracy
vs = [mpf("8.5") / mpf("10.5") * (1 - cos(pi * i / 300)) / 2 for i in range(301)]
p, q, error = fit(mills, lambda u: min(mpf(10) ** 4, exp(u * u / 2)), [2 * v / (1 - v) for v in vs], 5, 6)
show("n:", p)
show("d:", q)
print("# error", mp.nstr(error, 3), "times min(10^4, exp(u^2/2))")

p, q, error = fit(exp, lambda r: 1, [log(2) / 2 * cos(pi * i / 200) for i in range(201)], 9, 0, 40)
show("e:", [c / sqrt(2 * pi) for c in p])
print("# error", mp.nstr(error, 3))
