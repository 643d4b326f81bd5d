"""Stochastic Lanczos quadrature: the spectral density of a symmetric operator, and tr f(A) with an interval.

For a random unit probe v, m Lanczos steps give nodes θ_j and weights w_j with Σ w_j f(θ_j) = vᵀ f(A) v exactly for
polynomials of degree ≤ 2m − 1; over probes, n vᵀ f(A) v is an unbiased estimate of tr f(A) (Ubaru, Chen, Saad 2017).
Two errors, kept apart: few probes (the intervals), few steps (`resolution`: what a density of m nodes can tell apart).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from corollary.arrays import to_numpy
from corollary.numerics.lanczos import lanczos, ritz
from corollary.sims.spectra.operators import as_operator
from corollary.sims.spectra.probes import Estimate, require_count, require_level, require_rng, signs, student
from corollary.sims.spectra.traces import WIDEN


@dataclass(frozen=True)
class Density:
    """Nodes and weights, one list a probe; every weight list sums to 1.

    edges: smallest and largest Ritz value over probes (inside the spectrum up to rounding); edge_residuals: an
    eigenvalue lies within this distance of each. resolution: π (b − a)/(2 m), the spacing that m Gauss nodes have in
    the middle of [a, b]; 0 where every probe's Krylov space became invariant (then the quadrature is exact).
    """

    n: int
    nodes: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    edges: tuple[float, float]
    edge_residuals: tuple[float, float]
    resolution: float
    products: int
    eps: float

    def pdf(self, x: Any, width: float | None = None) -> np.ndarray:
        """Density at x (any shape), nodes smoothed by normals of standard deviation `width` (default resolution/2)."""
        x = _finite(x)
        h = self.resolution / 2 if width is None else float(width)
        if not (math.isfinite(h) and h > 0):
            raise ValueError(
                f"width = {h:g}: this spectrum is a few atoms, resolved exactly; pass a width > 0, or use .cdf(x)"
                if width is None
                else f"width = {width!r}; expected a finite number > 0"
            )
        total = np.zeros(x.shape)
        for theta, w in zip(self.nodes, self.weights, strict=True):
            for t, weight in zip(theta, w, strict=True):
                total += weight * np.exp(-0.5 * ((x - t) / h) ** 2)
        return total / (len(self.nodes) * h * math.sqrt(2 * math.pi))

    def cdf(self, x: Any, width: float = 0.0) -> np.ndarray:
        """Share of eigenvalues ≤ x: the mean over probes of Σ w_j 1[θ_j ≤ x]; smoothed by `width` > 0."""
        x = _finite(x)
        if width < 0:
            raise ValueError(f"width = {width!r}; expected a number >= 0")
        total = np.zeros(x.shape)
        for theta, w in zip(self.nodes, self.weights, strict=True):
            for t, weight in zip(theta, w, strict=True):
                total += weight * (ndtr((x - t) / width) if width else x >= t)
        return total / len(self.nodes)

    def trace(self, f: Callable[[np.ndarray], Any] = lambda x: x, level: float = 0.99) -> Estimate:
        """tr f(A), with the interval of `traces` for hutchinson: it knows the number of probes, not that of steps.

        Raises ValueError where f is not finite at a node, naming it (the logarithm of a spectrum that touches 0, say).
        """
        require_level(level)
        samples = []
        for theta, w in zip(self.nodes, self.weights, strict=True):
            values = np.broadcast_to(np.asarray(f(theta), dtype=float), theta.shape)
            if not np.isfinite(values).all():
                bad = theta[~np.isfinite(values)][0]
                raise ValueError(f"f is not finite at {bad:.6g}, a node of the density; the spectrum reaches there")
            samples.append(self.n * float(w @ values))
        floor = (
            10 * self.eps * math.sqrt(self.n) * max(map(abs, samples))
        )  # rounding of the products, cushioned tenfold
        return student(np.array(samples), level, floor, self.products, 1 + WIDEN["hutchinson"] / len(samples))


def lanczos_density(
    operator: Any,
    *,
    steps: int = 80,
    probes: int = 16,
    rng: np.random.Generator,
    n: int | None = None,
    memory: int = 2**30,
    progress: Callable[[int, int, str], None] | None = None,
) -> Density:
    """The spectral density from `probes` runs of `steps` Lanczos steps (at most n): probes · steps products.

    operator: whatever `operators.as_operator` takes (n for callables). Probes are random signs, as many at a time as
    keep their bases (steps · n numbers each) within `memory` bytes. progress(products done, all, message) is called
    before the first product, with the memory the bases will take, and after every one; `spectra.bar()` draws it.

    Raises ValueError for steps or probes < 1, or a single basis beyond `memory`; see `as_operator` for operators.
    """
    rng = require_rng(rng)
    steps, probes = require_count("steps", steps, 1), require_count("probes", probes, 1)
    A = as_operator(operator, n)
    m = min(steps, A.n)
    one = m * A.n * (4 if str(A.example.dtype).endswith("float32") else 8)
    if one > memory:
        raise ValueError(
            f"the basis of one run, {m} vectors of {A.n}, takes {one / 2**30:.2g} GiB; memory is {memory / 2**30:.2g} "
            f"GiB: raise memory=, or take at most {memory * m // one} steps"
        )
    block = max(1, min(probes, memory // one))
    report = progress or (lambda done, every, message: None)
    told = f"{probes} probes of {m} steps, {block} at a time: {block * one / 2**20:.0f} MiB of vectors"
    report(0, probes * m, told)
    done = 0

    def product(V: Any) -> Any:
        nonlocal done
        out = A.matmat(V)
        done += V.shape[1]
        report(done, probes * m, "")
        return out

    nodes, weights, last = [], [], []
    for start in range(0, probes, block):
        k = min(block, probes - start)
        krylov = lanczos(product, A.host_to_device(signs(rng, A.n, k)), m)
        for c in range(k):
            pairs = ritz(krylov, c)
            nodes.append(pairs.values)
            weights.append(pairs.weights)
            last.append((pairs.values, pairs.residuals))
        del krylov
    if done < probes * m:  # every run ended early, in an invariant space
        report(probes * m, probes * m, "")
    low = min(last, key=lambda pair: pair[0][0])
    high = max(last, key=lambda pair: pair[0][-1])
    a, b = float(low[0][0]), float(high[0][-1])
    exact = all(len(values) == A.n or residuals.max() == 0 for values, residuals in last)
    return Density(
        A.n, tuple(nodes), tuple(weights), (a, b), (float(low[1][0]), float(high[1][-1])),
        0.0 if exact else math.pi * (b - a) / (2 * m), A.products, float(A.xp.finfo(A.example.dtype).eps),
    )  # fmt: skip


def _finite(x: Any) -> np.ndarray:
    x = np.asarray(to_numpy(x) if hasattr(x, "dtype") else x, dtype=float)
    if not np.isfinite(x).all():
        raise ValueError("x holds NaN or infinity; expected finite points")
    return x
