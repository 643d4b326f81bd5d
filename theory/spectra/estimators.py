"""How wrong the estimators of `sims.spectra` are: exact variances and worst-case bounds; A symmetric, eigenvalues λ.

hutchinson_variance   random signs: Var = 2(‖A‖_F² − Σ a_ii²)/m                                    (Hutchinson 1990)
hutch_plus_plus_mse   MSE ≤ (2/k) min_r (1 + r/(k − r − 1)) Σ_{i>r} λ_i², k sketch and k probe vectors, r ≤ k − 2:
                      given Q the second part has variance ≤ 2‖(I−QQᵀ)A‖_F²/k, whose mean over a normal sketch is
                      bounded by Halko, Martinsson, Tropp 2011, Theorem 10.5; min_r at r = k/2 gives O(‖A‖_F-tail/k),
                      and O(tr A/k) for A ⪰ 0 (Meyer, Musco, Musco, Woodruff 2021, Theorem 1)
xtrace_mse            MSE ≤ 2 min_r (1 + r/(k − r − 2)) Σ_{i>r} λ_i², 2k products (our bound): the mean of k
                      terms alike in law, each unbiased given its Q of k − 1 columns with variance ≤ 2‖(I−QQᵀ)A‖_F²
                      (a probe uniform on a sphere), and a mean varies no more than a term; r = 0
                      or r ≤ k − 3
log_quadrature_error  m Lanczos steps, spectrum in [a, b], a > 0: |vᵀ ln(A) v − Σ w_j ln θ_j| ≤ 4 M ρ^{1−2m}/(ρ − 1)
                      for ‖v‖ = 1 and every 1 < ρ < (√κ+1)/(√κ−1), M = max |ln(z/c)| on the ellipse of ρ around [a, b],
                      c its centre: Gauss quadrature is exact to degree 2m − 1, and best polynomials of that degree are
                      off by 2Mρ^{1−2m}/(ρ−1) (Bernstein; in the manner of Ubaru, Chen, Saad 2017, Theorem 4.2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def hutchinson_variance(A: Sequence[Sequence[float]], probes: int) -> float:
    """Variance of the mean of `probes` terms ωᵀAω, ω random signs; A (n, n) symmetric. ValueError for probes < 1."""
    if probes < 1:
        raise ValueError(f"probes = {probes!r}; expected at least 1")
    n = len(A)
    if any(len(row) != n for row in A):
        raise ValueError(f"A has {n} rows of other lengths; expected a square matrix")
    off = math.fsum(float(A[i][j]) ** 2 for i in range(n) for j in range(n) if i != j)
    return 2 * off / probes


def hutch_plus_plus_mse(eigenvalues: Sequence[float], k: int) -> float:
    """The bound on the mean squared error with k sketch and k probe vectors (3k products). ValueError for k < 2."""
    if k < 2:
        raise ValueError(f"k = {k!r}; the bound needs at least 2 sketch vectors")
    squares = sorted((float(x) ** 2 for x in eigenvalues), reverse=True)
    tails = [math.fsum(squares[r:]) for r in range(min(k - 1, len(squares) + 1))]
    return 2 / k * min((1 + r / (k - r - 1)) * tail for r, tail in enumerate(tails))


def xtrace_mse(eigenvalues: Sequence[float], k: int) -> float:
    """The bound on the mean squared error of XTrace with k probe vectors (2k products). ValueError for k < 2."""
    if k < 2:
        raise ValueError(f"k = {k!r}; the bound needs at least 2 probe vectors")
    squares = sorted((float(x) ** 2 for x in eigenvalues), reverse=True)
    ranks = range(max(1, min(k - 2, len(squares) + 1)))
    return 2 * min((1 + (r / (k - r - 2) if r else 0.0)) * math.fsum(squares[r:]) for r in ranks)


def log_quadrature_error(a: float, b: float, steps: int) -> float:
    """The bound above, smallest over 200 values of ρ. ValueError unless 0 < a < b are finite and steps ≥ 1."""
    if not (0 < a < b and math.isfinite(b)):
        raise ValueError(f"a = {a!r}, b = {b!r}; expected 0 < a < b: the logarithm needs a positive spectrum")
    if steps < 1:
        raise ValueError(f"steps = {steps!r}; expected at least 1")
    root = math.sqrt(b / a)
    largest = (root + 1) / (root - 1)
    bounds = []
    for i in range(1, 201):
        rho = 1 + (largest - 1) * i / 201
        half = (rho + 1 / rho) / 2 * (b - a) / (a + b)  # of the ellipse, in units of its centre
        M = math.hypot(max(-math.log1p(-half), math.log1p(half)), math.pi / 2)  # |arg z| < π/2: it lies right of 0
        bounds.append(4 * M * rho ** (1 - 2 * steps) / (rho - 1))
    return min(bounds)
