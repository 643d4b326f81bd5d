"""Laws the judge is tried on: all with mean 0 and, where it exists, variance 1. Skewed ones come in both directions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import digamma, polygamma

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _lognormal(rng, shape):
    e = np.e
    return (np.exp(rng.standard_normal(shape)) - e**0.5) / np.sqrt(e * (e - 1))


def _log_chi_square(rng, shape):
    """ln of a variance of 8 Gaussian members: the noise of an exponent of a standard deviation."""
    return (np.log(rng.chisquare(7, shape)) - digamma(3.5) - np.log(2)) / np.sqrt(polygamma(1, 3.5))


def _pareto(rng, shape, a=2.1):
    return (rng.pareto(a, shape) - 1 / (a - 1)) / np.sqrt(a / ((a - 1) ** 2 * (a - 2)))


def _zeros(rng, shape, share):
    """Zero with probability `share`, else exponential: mean 1 − share, second moment 2 (1 − share)."""
    p = 1 - share
    x = rng.exponential(size=shape) * (rng.random(shape) < p)
    return (x - p) / np.sqrt(2 * p - p**2)


def _rare_jumps(rng, shape):
    """Nine of ten values near −1/3, one of ten near 3: sixteen replicates miss the jumps with probability .185."""
    return (np.where(rng.random(shape) < 0.1, 3.0, -1 / 3) + 0.1 * rng.standard_normal(shape)) / np.sqrt(1.01)


LAWS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t₃": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3),
    "log χ²₇": _log_chi_square,
    "−log χ²₇": lambda rng, shape: -_log_chi_square(rng, shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "−exponential": lambda rng, shape: 1 - rng.exponential(size=shape),
    "lognormal": _lognormal,
    "−lognormal": lambda rng, shape: -_lognormal(rng, shape),
    "half zeros": lambda rng, shape: _zeros(rng, shape, 0.5),
    "−half zeros": lambda rng, shape: -_zeros(rng, shape, 0.5),
    "90 % zeros": lambda rng, shape: _zeros(rng, shape, 0.9),
    "−90 % zeros": lambda rng, shape: -_zeros(rng, shape, 0.9),
    "Pareto 2.1": _pareto,
    "−Pareto 2.1": lambda rng, shape: -_pareto(rng, shape),
    "rare jumps": _rare_jumps,
    "−rare jumps": lambda rng, shape: -_rare_jumps(rng, shape),
}
