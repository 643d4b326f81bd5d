"""The sampled convex program (SCP) of Bai, Gautam & Sojoudi 2022, Section 5: fixed random first-layer directions.

    min_a L((X U)_+ a, y) + β ‖a‖₁,   columns u_i of U (d, N) uniform on the sphere.

Its dual keeps N of the dual's infinitely many constraints |νᵀ(X u)_+| ≤ β, so it is a scenario program in n variables:
with V = P(a new direction breaks its constraint at ν_N),

    E[V] ≤ (n + 1)/(N + 1),     P(V > ξ) ≤ Σ_{i ≤ n} C(N, i) ξ^i (1 − ξ)^{N − i}     (Campi & Garatti 2008),

with room for one variable more (an epigraph); the paper asks for N ≥ min{(n+1)/(ψξ) − 1, (2/ξ)(n + 1 − log ψ)}, which
is looser. Always p_N ≥ p*.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from corollary.arrays import Array, require_floating, to_numpy
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.interior import Data, gap_of, relative, solve_groups
from corollary.theory.convex_relu.problem import check_beta, check_tol, checked
from corollary.theory.convex_relu.solve import NotConverged


class LassoSolution(NamedTuple):
    """a (N,), primal and dual values (over the sampled directions), the dual-feasible ν (n,)."""

    a: np.ndarray
    primal: float
    dual: float
    nu: np.ndarray


def sphere(d: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` directions uniform on the unit sphere of R^d, (d, count)."""
    u = rng.standard_normal((d, count))
    return u / np.linalg.norm(u, axis=0)


def sampled_lasso(X: Array, y: Array, beta: float, U: Array, loss: str = "squared", tol: float = 1e-9) -> LassoSolution:
    """The program over the directions U (d, N); y (n,). Host only.

    Raises ValueError or TypeError for bad data (as `solve`), for U that is not (d, N); NotConverged, with the best
    solution, where the relative gap stays above `tol`.
    """
    require_floating("U", U, ndim=2)
    x, u = to_numpy(X).astype(float), to_numpy(U).astype(float)
    if u.shape[0] != x.shape[1]:
        raise ValueError(f"U has shape {u.shape}; expected ({x.shape[1]}, N), one direction a column")
    check_beta(beta)
    check_tol(tol)
    features = np.maximum(x @ u, 0)
    problem = checked(x, to_numpy(y).astype(float), beta, np.ones((len(x), 1)), loss, True)
    if not problem.flat:
        raise ValueError("y has several outputs; solve the sampled program once for each column")
    # a lasso is a gated program with one input that is always 1 and real "patterns"
    data = Data(np.ones((len(x), 1)), problem.y[:, 0], float(beta), features, problem.loss, True)
    N = features.shape[1]
    found = solve_groups(data, np.arange(2 * N), tol / 2)
    primal, dual = gap_of(data, found)
    largest = float(np.max(np.abs(features.T @ found.nu)))
    limit = np.asarray(beta / largest if largest > 0 else np.inf)
    s = float(losses.best_scaling(problem.loss, found.nu, problem.y[:, 0], limit))
    nu = np.asarray(losses.into_domain(problem.loss, s * found.nu, problem.y[:, 0]))
    solution = LassoSolution(found.u[0, :, 0] - found.u[1, :, 0], primal, dual, nu)
    if primal - dual > tol * max(abs(primal), abs(dual)):
        raise NotConverged(
            f"relative gap {relative(primal, dual):.1e} > tol = {tol:g} (primal {primal:.10g}, dual {dual:.10g}); "
            f"raise tol to {2 * relative(primal, dual):.0e}. The best point is in .solution",
            solution,
        )
    return solution


def mean_violation_bound(n: int, N: int) -> float:
    """(n + 1)/(N + 1): bound of E[V] for N sampled constraints."""
    _check_counts(n, N)
    return min(1.0, (n + 1) / (N + 1))


def tail_violation_bound(n: int, N: int, xi: float) -> float:
    """Bound of P(V > ξ): the binomial tail Σ_{i ≤ n} C(N, i) ξ^i (1 − ξ)^{N − i}."""
    from scipy.stats import binom

    _check_counts(n, N)
    if not 0 <= xi <= 1:
        raise ValueError(f"xi = {xi!r}; expected a probability")
    return float(binom.cdf(n, N, xi))


def paper_samples(n: int, xi: float, psi: float) -> int:
    """N that the paper asks for so that P(V > ξ) ≤ ψ."""
    if not (0 < xi < 1 and 0 < psi < 1):
        raise ValueError(f"xi = {xi!r}, psi = {psi!r}; expected probabilities strictly between 0 and 1")
    return math.ceil(min((n + 1) / (psi * xi) - 1, 2 / xi * (n + 1 - math.log(psi))))


def _check_counts(n: int, N: int) -> None:
    if n < 1 or N < 1:
        raise ValueError(f"n = {n}, N = {N}; expected at least one point and one sampled direction")
