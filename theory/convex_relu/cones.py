"""Projection onto the cones K = {u : A u ≥ 0}, A = (2D − 1) X, and the support function the dual constraint needs.

    Proj_K(c) = c + Aᵀ μ for the μ ≥ 0 that minimises ‖c + Aᵀ μ‖  (Moreau),   max_{u ∈ K, ‖u‖ ≤ 1} c·u = ‖Proj_K(c)‖,

and any μ ≥ 0 gives the upper bound ‖c + Aᵀ μ‖. Host only: non-negative least squares, one cone at a time.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls


def project(A: np.ndarray, c: np.ndarray, start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(Proj_K(c) (d,), μ (n,) ≥ 0). `start`: rows (bool) likely to carry μ > 0.

    Works on a growing set of rows: those that the current point violates join until none does by more than rounding.
    """
    n, d = A.shape
    size = np.linalg.norm(A, axis=1)
    size[size == 0] = 1.0
    scale = np.linalg.norm(c)
    mu = np.zeros(n)
    if scale == 0:
        return c.copy(), mu
    inside = (A @ c) / size
    slack = 1e-14 * scale  # rounding of a product of d terms
    if np.all(inside >= -slack):
        return c.copy(), mu
    chosen = np.zeros(n, dtype=bool) if start is None else start.copy()
    q, least, stuck = c, np.inf, 0
    for _ in range(50):
        violated = np.flatnonzero((inside < -slack) & ~chosen)
        if not violated.size and not np.any(inside < -slack):
            break
        chosen[violated[np.argsort(inside[violated])[: 2 * d]]] = True
        rows = np.flatnonzero(chosen)
        try:
            weights, _ = nnls((A[rows] / size[rows, None]).T, -c / scale, maxiter=30 * (d + len(rows)))
        except RuntimeError:  # cycling on a degenerate set
            if start is not None:
                return project(A, c)
            break  # what we have is still a valid bound
        mu = np.zeros(n)
        mu[rows] = scale * weights / size[rows]
        q = c + A[rows].T @ mu[rows]
        inside = (A @ q) / size
        if np.linalg.norm(q) <= 1e-12 * scale:  # the projection is the apex; what is left of c is rounding
            return np.zeros(d), mu
        if stuck < 3:
            chosen &= (mu > 0) | (np.abs(inside) <= slack)
        stuck = stuck + 1 if -np.min(inside) >= least else 0
        if stuck == 3:  # the set of rows cycles: take all of them
            chosen[:] = True
        least = min(least, -np.min(inside))
        if np.all(chosen) and stuck > 3:
            break
    return q, mu


def support_norms(
    X: np.ndarray, D: np.ndarray, nu: np.ndarray, limit: float, multipliers: np.ndarray | None = None
) -> np.ndarray:
    """Upper bounds (2, P) of max_{u ∈ K_p, ‖u‖ ≤ 1} ±νᵀ D_p X u: at most `limit`, or exact where they exceed it.

    Cheap first: the norm of X^T D_p ν, then with the given multipliers (2, P, n) ≥ 0, then the projection.
    """
    c = X.T @ (D * nu[:, None])  # (d, P)
    bounds = np.stack([np.linalg.norm(c, axis=0)] * 2)
    if multipliers is not None:
        E = 2 * D - 1
        for i, sign in enumerate((1.0, -1.0)):
            pushed = sign * c + X.T @ (E * np.maximum(multipliers[i], 0.0).T)
            bounds[i] = np.minimum(bounds[i], np.linalg.norm(pushed, axis=0))
    for i, sign in enumerate((1.0, -1.0)):
        for p in np.flatnonzero(bounds[i] > limit):
            A = (2 * D[:, p] - 1)[:, None] * X
            start = None if multipliers is None else multipliers[i, p] > 1e-6 * np.max(multipliers[i, p])
            bounds[i, p] = min(bounds[i, p], float(np.linalg.norm(project(A, sign * c[:, p], start)[0])))
    return bounds


def largest_support(X: np.ndarray, D: np.ndarray, nu: np.ndarray, gated: bool) -> float:
    """max over patterns and signs of max_{u ∈ K_p, ‖u‖ ≤ 1} ±νᵀ D_p X u (without cones if gated), exactly.

    Patterns are visited by decreasing ‖Xᵀ D_p ν‖, which bounds what they can reach.
    """
    c = X.T @ (D * nu[:, None])
    norms = np.linalg.norm(c, axis=0)
    if gated:
        return float(np.max(norms))
    best = 0.0
    for p in np.argsort(-norms):
        if norms[p] <= best:
            break
        A = (2 * D[:, p] - 1)[:, None] * X
        for sign in (1.0, -1.0):
            best = max(best, float(np.linalg.norm(project(A, sign * c[:, p])[0])))
    return best
