"""Tracy–Widom laws, β = 1 and 2, from Fredholm determinants: the largest eigenvalue of GOE and GUE at the edge.

    N^{2/3}(λ_max − 2) → TW_β    for the Gaussian ensembles with bulk [−2, 2]
    F₁(s) = det(1 − B_s),  F₂(s) = det(1 − B_s) det(1 + B_s),  B_s(x, y) = Ai(x + y + s) on L²(0, ∞)

(Ferrari & Spohn 2005). Determinants of the Gauss–Legendre discretisation converge exponentially (Bornemann 2010): 64
nodes leave rounding, some 1e-15, on [−10, 13]; beyond that F is 0 or 1 to 1e-14. pdf and quantiles use a Chebyshev
series of F. Host only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.polynomial.chebyshev import Chebyshev
from scipy.special import airy

LOW, HIGH = -10.0, 13.0  # F₁(−10) ~ e^(−10³/24 − 10^{3/2}/(3√2)) < 1e-20; 1 − F₁(13) ~ e^(−(2/3) 13^{3/2}) < 1e-14
NODES = 64
DEGREE = 160


@dataclass(frozen=True)
class TracyWidom:
    """The law of β = 1 or 2, continuous on the whole line. Numbers or arrays in, float64 of the same shape out."""

    beta: Literal[1, 2]

    def cdf(self, s: Any) -> Any:
        """P(largest ≤ s), absolute error below 1e-12: one determinant a point, the series for more than its nodes."""
        s, flat = _flat(s)
        if flat.size > DEGREE:
            inside = np.clip(self._series(np.clip(flat, LOW, HIGH)), 0.0, 1.0)
            return np.where(flat >= HIGH, 1.0, np.where(flat > LOW, inside, 0.0)).reshape(s.shape)
        out = np.where(flat >= HIGH, 1.0, 0.0)
        for i in np.flatnonzero((flat > LOW) & (flat < HIGH)):
            out[i] = _determinant(float(flat[i]), self.beta)
        return float(out[0]) if s.ndim == 0 else out.reshape(s.shape)

    def pdf(self, s: Any) -> Any:
        """The density, absolute error below 1e-11: the derivative of the series."""
        s, flat = _flat(s)
        inside = (flat > LOW) & (flat < HIGH)
        out = np.where(inside, np.maximum(self._series.deriv()(np.clip(flat, LOW, HIGH)), 0.0), 0.0)
        return float(out[0]) if s.ndim == 0 else out.reshape(s.shape)

    def ppf(self, q: Any) -> Any:
        """Quantiles, by bisection of the series: error 1e-12/pdf. ValueError unless 1e-10 ≤ q ≤ 1 − 1e-10."""
        q, flat = _flat(q, "q")
        if np.any((flat < 1e-10) | (flat > 1 - 1e-10)):
            raise ValueError("q beyond [1e-10, 1 - 1e-10]: the series resolves no further tail")
        low, high = np.full(flat.shape, LOW), np.full(flat.shape, HIGH)
        for _ in range(60):
            middle = (low + high) / 2
            less = self._series(middle) < flat
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        return float(low[0]) if q.ndim == 0 else low.reshape(q.shape)

    def rvs(self, size: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Independent draws: ppf of uniform numbers (the outer 1e-10 cut off)."""
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng = {rng!r}; expected numpy.random.default_rng(seed)")
        return self.ppf(rng.uniform(1e-10, 1 - 1e-10, size))

    def moment(self, k: int) -> float:
        """E sᵏ = HIGHᵏ − ∫ k s^{k−1} F ds, by Gauss–Legendre. ValueError unless k is a whole number ≥ 0."""
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 0:
            raise ValueError(f"k = {k!r}; expected a whole number >= 0")
        if k == 0:
            return 1.0
        t, w = np.polynomial.legendre.leggauss(200)
        s = (LOW + HIGH) / 2 + (HIGH - LOW) / 2 * t
        return HIGH**k - float(np.sum(w * k * s ** (k - 1) * self._series(s))) * (HIGH - LOW) / 2

    @cached_property
    def _series(self) -> Chebyshev:
        return Chebyshev.interpolate(
            lambda s: np.array([_determinant(float(v), self.beta) for v in s]), DEGREE, domain=[LOW, HIGH]
        )


def tracy_widom(beta: int) -> TracyWidom:
    """The law of the largest eigenvalue of GOE (β = 1) or GUE (β = 2). ValueError for other β."""
    if beta not in (1, 2):
        raise ValueError(f"beta = {beta!r}; expected 1 (real symmetric) or 2 (Hermitian)")
    return TracyWidom(1 if beta == 1 else 2)


def _determinant(s: float, beta: int) -> float:
    t, w = np.polynomial.legendre.leggauss(NODES)
    length = 16 - s / 2  # Ai(x + y + s) < 1e-15 beyond: x + s/2 > 16 on the diagonal
    x, root = length * (1 + t) / 2, np.sqrt(w * length / 2)
    kernel = root[:, None] * airy(x[:, None] + x + s)[0] * root
    minus = np.linalg.det(np.eye(NODES) - kernel)
    return float(minus if beta == 1 else minus * np.linalg.det(np.eye(NODES) + kernel))


def _flat(s: Any, name: str = "s") -> tuple[np.ndarray, np.ndarray]:
    s = np.asarray(s, dtype=float)
    if not np.all(np.isfinite(s)):
        raise ValueError(f"{name} has entries that are NaN or infinite; expected finite numbers")
    return s, np.atleast_1d(s).ravel()
