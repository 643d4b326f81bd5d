"""Masses of bands: a cosine series of the density in θ, x = m − h cos θ, which takes square-root edges and 1/√x ones.

Where two bands have just merged the density is |x − x₀|^{1/3} rounded off, which no series over x₀ resolves; such a
band is cut at x₀, and beyond a cut θ is bent so that the density need not vanish there (`shape`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from scipy.fft import dct

from corollary.arrays import Array

LONGEST = 8192  # terms of a series, which bands about to touch can need
SPLIT = 1024  # terms of a series that has not converged, from which on a band is cut at the minimum of its density


class Band(NamedTuple):
    """A band, or a part of one between cuts. With t = sin²(θ/2), x rises from low to high as `shape(t, cuts)`."""

    low: float
    high: float
    cuts: tuple[bool, bool]  # whether low, high are cuts inside a band, where the density does not vanish
    series: Array  # cosine coefficients of the density in θ
    below: float  # mass to the left of the band
    mass: float

    def share(self, x: Array) -> Array:
        """Mass of the band up to x."""
        left, right = (np.clip(d / (self.high - self.low), 0, 1) for d in (x - self.low, self.high - x))
        if self.cuts == (True, True):
            t = 0.5 - np.sin(np.arcsin(right - left) / 3)
        elif self.cuts[1]:
            t = 1 - np.sqrt(right)
        else:
            t = np.sqrt(left) if self.cuts[0] else left
        return self.in_angle(2 * np.arcsin(np.sqrt(t)))

    def place(self, θ: Array) -> Array:
        return self.low + (self.high - self.low) * shape(np.sin(θ / 2) ** 2, self.cuts)[0]

    def in_angle(self, θ: Array) -> Array:
        k = np.arange(1, len(self.series))
        return self.series[0] * θ + np.sin(θ[..., None] * k) @ (self.series[1:] / k)


def shape(t: Array, cuts: tuple[bool, bool]) -> tuple[Array, Array]:
    """(value, slope) of the polynomial on [0, 1] that starts and ends as t at an edge, as t² at a cut.

    θ² ~ t takes √x and 1/√x at an edge; a density that does not vanish there leaves a kink |θ| so, and |θ|³ with t².
    """
    if cuts == (True, True):
        return t * t * (3 - 2 * t), 6 * t * (1 - t)
    if cuts[1]:
        return t * (2 - t), 2 - 2 * t
    return (t * t, 2 * t) if cuts[0] else (t, np.ones_like(t))


def masses(bands: Iterable[tuple[float, float]], density: Callable[[Array], Array]) -> list[Band]:
    """The bands, or their parts between cuts, in order, each with its series."""
    pieces, below = [], 0.0
    waiting = [(low, high, (False, False)) for low, high in reversed(list(bands))]
    while waiting:
        low, high, cuts = waiting.pop()
        N, cut = 64, None
        while True:
            θ = (np.arange(N) + 0.5) * math.pi / N
            rise, slope = shape(np.sin(θ / 2) ** 2, cuts)
            x = low + (high - low) * rise
            ρ = density(x)
            series = np.asarray(dct(ρ * (high - low) / 2 * slope * np.sin(θ), type=2)) / N
            series[0] /= 2
            if np.max(np.abs(series[-N // 8 :])) < 1e-13 * abs(series[0]) or N >= LONGEST:
                break
            cut = _cusp(x, ρ, density) if N >= SPLIT else None
            if cut is not None:
                break
            N *= 2
        if cut is not None:
            waiting += [(cut, high, (True, cuts[1])), (low, cut, (cuts[0], True))]
            continue
        pieces.append(Band(low, high, cuts, series, below, float(series[0]) * math.pi))
        below += pieces[-1].mass
    return pieces


def _cusp(x: Array, ρ: Array, density: Callable[[Array], Array]) -> float | None:
    """Where the density, ρ on the grid x, dips lowest between two higher places; None: nowhere by a tenth.

    Good to 1e-9 of the grid, where the mass is x^{4/3}.
    """
    walls = np.minimum(np.maximum.accumulate(ρ), np.maximum.accumulate(ρ[::-1])[::-1])
    dips = np.where(ρ < 0.9 * walls, ρ, np.inf)
    i = int(np.argmin(dips))
    if not math.isfinite(dips[i]):
        return None
    a, b = x[i - 1], x[i + 1]
    for _ in range(8):
        at = np.linspace(a, b, 33)
        k = int(np.argmin(density(at)))
        a, b = at[max(k - 1, 0)], at[min(k + 1, 32)]
    return float((a + b) / 2)
