#!/usr/bin/env python3
"""Prints special.csv: values of the special functions in 25 digits at exact doubles (mpmath 1.3, 60 digits)."""
import random
from mpmath import mp, mpf, exp, log, log1p, ncdf, npdf, loggamma, psi, nstr

mp.dps = 60
random.seed(20)
u = random.uniform


def quantile(p):
    x = -mp.sqrt(2) * mp.erfinv(1 - 2 * mpf(p)) if p > 1e-10 else -mp.sqrt(-2 * log(mpf(p)))
    for _ in range(60):
        x -= (log(ncdf(x)) - log(mpf(p))) * ncdf(x) / npdf(x)
    return x


functions = {
    "exp": (exp, [u(-708, 709) for _ in range(25)] + [u(-1, 1) for _ in range(15)]),
    "log": (log, [10 ** u(-307, 307) for _ in range(25)] + [u(.5, 2) for _ in range(15)] + [5e-324, 1e-310]),
    "log1p": (log1p, [10 ** u(-18, 18) for _ in range(20)] + [u(-1, 1) for _ in range(20)] + [-1e-17, 1e300]),
    "expit": (lambda x: 1 / (1 + exp(-x)), [u(-700, 50) for _ in range(15)] + [u(-6, 6) for _ in range(25)]),
    "logit": (lambda p: log(p / (1 - p)), [10 ** u(-300, 0) for _ in range(15)] + [u(0, 1) for _ in range(25)] + [.5 + 1e-9]),
    "norm_cdf": (ncdf, [u(-37.5, 8) for _ in range(50)] + [-37.5, 0.0, -.67448975, .67448975]),
    "norm_quantile": (quantile, [10 ** u(-300, -1) for _ in range(30)] + [u(0, 1) for _ in range(30)]),
    "lgamma": (loggamma, [10 ** u(-4, 7) for _ in range(30)] + [u(.8, 2.3) for _ in range(15)]),
    "digamma": (lambda x: psi(0, x), [10 ** u(-4, 7) for _ in range(30)] + [u(1.3, 1.6) for _ in range(10)]),
    "trigamma": (lambda x: psi(1, x), [10 ** u(-4, 7) for _ in range(30)]),
}
print("function,x,value")
for name, (f, xs) in functions.items():
    for x in xs:
        print("%s,%r,%s" % (name, x, nstr(f(mpf(x)), 25)))
