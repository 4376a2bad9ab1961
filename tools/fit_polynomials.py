#!/usr/bin/env python3
"""Fits the polynomials of samebits/kernels/polynomials.h and prints them as float32 constants.

Needs numpy and mpmath. Least squares at Chebyshev nodes, reweighted until the errors are level (Lawson's method), which
comes within a few per cent of the minimax polynomial.
"""

import mpmath
import numpy

mpmath.mp.dps = 50
LN2 = float(mpmath.log(2))
SPLIT, ONE = 0.92, 4.0


def fit(function, low, high, degree, weight=lambda x, y: numpy.ones_like(x), nodes=4000, rounds=60):
    """Coefficients in ascending order, and the largest weighted error."""
    x = (low + high) / 2 + (high - low) / 2 * numpy.cos(numpy.pi * (numpy.arange(nodes) + 0.5) / nodes)
    y = numpy.array([float(function(mpmath.mpf(float(at)))) for at in x])
    w, level = weight(x, y), numpy.ones(nodes)
    powers = numpy.vander(x, degree + 1, increasing=True)
    for _ in range(rounds):
        scale = numpy.sqrt(level) * w
        coefficients = numpy.linalg.lstsq(powers * scale[:, None], y * scale, rcond=None)[0]
        error = numpy.abs((powers @ coefficients - y) * w)
        level *= error / error.max() + 1e-3
        level /= level.sum()
    return coefficients, error.max()


def show(name, found):
    coefficients, error = found
    print(name, ", ".join(float(numpy.float32(c)).hex() for c in coefficients), f"error {error:.1e}")


def exp_tail(r):
    return (mpmath.e**r - 1 - r) / (r * r) if abs(r) > 1e-12 else mpmath.mpf(0.5)


def erf_ratio(z):
    return mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1


show("kExp", fit(exp_tail, -LN2 / 2 * 1.0001, LN2 / 2 * 1.0001, 4))
show("kErfSmall", fit(erf_ratio, 1e-12, SPLIT**2, 6))
show("kTanhSmall", fit(lambda z: mpmath.tanh(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1, 1e-12, 0.6**2, 5))
# What counts is the error of 1 - e^y.
show("kErfLarge", fit(lambda a: mpmath.log(mpmath.erfc(a)), SPLIT * 0.999, ONE, 7, weight=lambda x, y: numpy.exp(y)))
