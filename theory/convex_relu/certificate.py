"""Certificates: primal − dual of a feasible point, from the data and the returned arrays alone.

Dual of the sampled program (for all patterns, of the network itself; Pilanci & Ergen 2020, Theorem 1 and Section 2):

    max_ν −L*(−ν)   subject to   max_{u ∈ K_p, ‖u‖ ≤ 1} |νᵀ D_p X u| ≤ β for every pattern p.

Any ν, scaled by s = min(1, β / max(…)), is feasible, so −L*(−sν) ≤ p*: rigorous up to rounding (1e-15 of the terms),
whoever produced ν. The support function is bounded by ‖Xᵀ D_p ν + Xᵀ E_p μ‖ for any μ ≥ 0, and exactly by projection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corollary.arrays import to_numpy
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.cones import support_norms
from corollary.theory.convex_relu.patterns import all_patterns
from corollary.theory.convex_relu.problem import Problem


@dataclass(frozen=True)
class Certificate:
    """primal ≥ p* ≥ dual, `gap` = primal − dual, of the program named by `scope`: "sampled" patterns, "all patterns"
    (then p* is the network's optimum), or "gated". cone_violation: max −(2D−1) x·v/(‖x‖‖v‖), rounding for a feasible
    point."""

    primal: float
    dual: float
    gap: float
    cone_violation: float
    scope: str

    @property
    def relative(self) -> float:
        """gap / max(|primal|, |dual|), 0 if all vanish."""
        size = max(abs(self.primal), abs(self.dual))
        return self.gap / size if size else 0.0


def dual_bound(
    problem: Problem,
    nu: np.ndarray,
    multipliers: np.ndarray | None = None,
    *,
    D: np.ndarray | None = None,
    slack: float = 0.0,
) -> tuple[float, np.ndarray]:
    """(dual value, feasible ν (n, c)) from any ν (n, c), scaled into the dual's constraints over D (default: its own).

    multipliers (c, 2, P, n) ≥ 0 spare projections, as does slack: bounds up to β (1 + slack) are not sharpened (the
    dual value then loses about that fraction). Host only.
    """
    X, y = to_numpy(problem.X).astype(float), to_numpy(problem.y).astype(float)
    patterns = to_numpy(problem.D).astype(float) if D is None else D
    nu = np.asarray(losses.into_domain(problem.loss, np.asarray(nu, dtype=float), y))
    total, scaled = 0.0, np.zeros_like(nu)
    for k in range(y.shape[1]):
        if problem.gated:
            largest = float(np.max(np.linalg.norm(X.T @ (patterns * nu[:, k, None]), axis=0)))
        else:
            given = None if multipliers is None else multipliers[k]
            bounds = support_norms(X, patterns, nu[:, k], problem.beta * (1 + slack), given)
            largest = float(np.max(bounds))
        limit = np.asarray(problem.beta / largest if largest > 0 else np.inf)
        s = float(losses.best_scaling(problem.loss, nu[:, k], y[:, k], limit))
        scaled[:, k] = losses.into_domain(problem.loss, s * nu[:, k], y[:, k])
        total += float(losses.dual_value(problem.loss, scaled[:, k], y[:, k]))
    return total, scaled


def certify(
    problem: Problem,
    V: np.ndarray,
    W: np.ndarray,
    nu: np.ndarray | None = None,
    multipliers: np.ndarray | None = None,
    *,
    scope: str = "sampled",
    limit: int = 20_000,
    slack: float = 0.0,
    everything: np.ndarray | None = None,
) -> tuple[Certificate, np.ndarray]:
    """The certificate of V, W (d, P, c) and the dual point behind it; ν (n, c) is −∂L(f) unless a solver knows better.

    scope="all patterns" enumerates every pattern of X (at most `limit`, else ValueError as `all_patterns` raises) and
    bounds the network's own optimum; `everything` (n, ·), where the caller has them at hand, spares the enumeration.
    Raises ValueError for that scope with a gated program, whose patterns are its definition, and for V, W of another
    shape.
    """
    if scope not in ("sampled", "all patterns"):
        raise ValueError(f"scope = {scope!r}; expected 'sampled' or 'all patterns'")
    if scope == "all patterns" and problem.gated:
        raise ValueError("a gated program is defined by its patterns; its certificate has scope 'gated' only")
    expected = (problem.X.shape[1], problem.D.shape[1], problem.y.shape[1])
    for name, U in (("V", V), ("W", W)):
        if tuple(U.shape) != expected:
            raise ValueError(f"{name} has shape {tuple(U.shape)}; expected {expected}: (d, patterns, outputs)")
    X, y = to_numpy(problem.X).astype(float), to_numpy(problem.y).astype(float)
    host = Problem(X, y, problem.beta, to_numpy(problem.D).astype(float), problem.loss, problem.gated, problem.flat)
    V, W = to_numpy(V).astype(float), to_numpy(W).astype(float)
    primal = float(np.sum(host.objective(V, W)))
    if nu is None:
        nu = np.asarray(losses.dual_point(host.loss, host.fit(V, W), y))
    D = everything
    if scope == "all patterns" and D is None:
        D = np.asarray(all_patterns(X, limit))
    dual, feasible = dual_bound(host, nu, multipliers if D is None else None, D=D, slack=slack)
    name = "gated" if problem.gated else scope
    return Certificate(primal, dual, primal - dual, host.violation(V, W), name), feasible
