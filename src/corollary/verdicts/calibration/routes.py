"""Rows that go through `judge()` itself, stream by stream: rates, laws, arrays, thresholds, extrapolated values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import ndtr

from corollary.verdicts.law import Law
from corollary.verdicts.rate import Rate
from corollary.verdicts.settings import std
from corollary.verdicts.threshold import Threshold
from corollary.verdicts.value import Value

SIZES = np.array([64.0, 128.0, 256.0, 512.0, 1024.0])
ALONG = [{"n": int(n)} for n in SIZES]
SLOPE = (np.log(SIZES) - np.log(SIZES).mean()) / np.sum((np.log(SIZES) - np.log(SIZES).mean()) ** 2)
WHY = "calibration"


def _power_law(rng, shift, members=400):
    """C n^(a) with a = −1 + shift, χ²₁₀ noise and a common factor of spread .2 shared by all sizes."""
    common = np.exp(0.2 * rng.standard_normal((members, 1)) - 0.02)
    y = SIZES ** (-1 + shift) * common * rng.chisquare(10, (members, len(SIZES))) / 10
    return list(y.T)


def _curve(rng, shift, members=400):
    """y/f with slope `shift` in ln n, level 1."""
    f = 1 + shift * (np.log(SIZES) - np.log(SIZES).mean())
    y = f / SIZES * (rng.chisquare(10, (members, len(SIZES))) / 10)
    return list(y.T)


def _fluctuation(rng, shift, groups=122):
    return list((SIZES ** (-0.5 + shift) * rng.standard_normal((8 * groups, len(SIZES)))).T)


def _mixed_normal(rng, shift, n=8192):
    """Normal draws of which a share lies far to the right: Kolmogorov distance `shift` (the share) from the normal."""
    x = rng.standard_normal(n)
    return [np.where(rng.random(n) < shift, 50.0, x)]


def _poisson(rng, shift, n=8192):
    x = rng.poisson(3.0, n).astype(float)
    return [np.where(rng.random(n) < shift, 500.0, x)]


def _poisson_cdf(x):
    from scipy.special import pdtr

    return np.where(x < 0, 0.0, pdtr(np.maximum(x, 0), 3.0))


def _array(rng, shift):
    """20 entries; the first is off by the shift."""
    x = rng.standard_normal((275, 20))
    x[:, 0] += shift
    return [x]


def _extrapolated(rng, shift, members=400):
    return [1 + shift + 20 / n + rng.standard_normal(members) * np.sqrt(16 / n) for n in SIZES]


def _fresh_runs(rng, shift, runs=600):
    """Successes at T ± (b + r) = ±.5 around a threshold at `shift`, on a skewed response curve."""
    return [(rng.random(runs) < 1 - 2 ** -np.exp(2 * (x - shift))).astype(float) for x in (-0.5, 0.5)]


def routes(judged: Callable[..., Any]) -> list[Any]:
    from corollary.verdicts.calibration.rows import Row

    def row(group, name, kind, stream, b, r, points=({},), **more):
        return Row(group, name, judged(kind, stream, b, r, points), block=25, blocks=80, **more)

    both: dict[str, Any] = {"because": WHY}
    slope = lambda b, r: Rate(-1, curve=lambda n: 1 / n, margin=b, resolution=r, **both)  # noqa: E731
    return [
        row("Rate, known curve", "χ²₁₀, slope", slope, _curve, 0.02, 0.15, ALONG),
        row("Rate, ratio", "χ²₁₀ × common factor",
            lambda b, r: Rate(-1, margin=b, resolution=r, **both), _power_law, 0.02, 0.15, ALONG),
        row("Rate, std of 8", "normal members",
            lambda b, r: Rate(-0.5, of=std, margin=b, resolution=r, **both), _fluctuation, 0.02, 0.15, ALONG),
        row("Law", "normal", lambda b, r: Law(ndtr, margin=b, resolution=r, **both), _mixed_normal, 0.02, 0.06),
        row("Law", "Poisson(3), atoms",
            lambda b, r: Law(_poisson_cdf, margin=b, resolution=r, **both), _poisson, 0.02, 0.06),
        row("Value, array of 20", "one entry off",
            lambda b, r: Value(np.zeros(20), margin=b, resolution=r, **both), _array, 0.1, 0.8),
        row("Value, intercept in 1/n", "5 sizes",
            lambda b, r: Value(1.0, along="n", margin=b, resolution=r, **both), _extrapolated, 0.02, 0.1, ALONG),
        row("Threshold, fresh runs", "skewed curve",
            lambda b, r: Threshold(0.0, success="x", margin=b, resolution=r, **both), _fresh_runs, 0.1, 0.4,
            [{"x": -0.5}, {"x": 0.5}]),
    ]  # fmt: skip
