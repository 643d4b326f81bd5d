"""Random probes, intervals from independent probes, and the checks every estimator shares."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit


class Estimate(NamedTuple):
    """`value` with an interval [low, high] of the stated level, and the products with A it took."""

    value: float
    low: float
    high: float
    level: float
    products: int


def require_count(name: str, value: object, least: int) -> int:
    """`value` as an int ≥ least. Raises TypeError or ValueError that names the argument."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name} = {value!r}; expected an integer >= {least}")
    if value < least:
        raise ValueError(f"{name} = {value}; expected at least {least}")
    return int(value)


def require_level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level = {level!r}; expected a number between 0 and 1, e.g. 0.99")
    return level


def require_rng(rng: object) -> np.random.Generator:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng = {rng!r}; expected numpy.random.default_rng(seed)")
    return rng


def signs(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """(n, k) independent ±1 (Rademacher)."""
    return rng.integers(0, 2, (n, k)) * 2.0 - 1.0


def student(samples: np.ndarray, level: float, floor: float, products: int, scale: float = 1.0) -> Estimate:
    """Mean of independent samples with Student's interval, widened by `floor` (rounding); one sample: infinite.

    scale multiplies the half width, for samples whose mean varies more or less than independence says.
    """
    m = len(samples)
    mean = math.fsum(samples) / m
    if m == 1:
        return Estimate(mean, -math.inf, math.inf, level, products)
    half = scale * stdtrit(m - 1, 0.5 + level / 2) * float(np.std(samples, ddof=1)) / math.sqrt(m) + floor
    return Estimate(mean, mean - half, mean + half, level, products)
