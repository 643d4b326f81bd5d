r"""The nuclear-norm attention-SVM over W = K Qᵀ with few columns: rank(W) ≤ m (Tarzanagh et al. 2023, (Att-SVM⋆)).

    min ½(‖K‖_F² + ‖Q‖_F²)  s.t.  (x_{i,α_i} − x_it)ᵀ K Qᵀ z_i ≥ 1,   K, Q (d, m)

has the value min ‖W‖_* s.t. A W ≥ 1, rank(W) ≤ m: the nuclear norm is the least ½(‖K‖² + ‖Q‖²) over factors. It is
not convex. Where the nuclear solution has rank ≤ m it is the answer; else an augmented Lagrangian (Burer & Monteiro
2003), minimised by L-BFGS from the truncated nuclear solution and from seeded random factors, then Newton's method on
the stationarity conditions; the least norm found is returned. Host only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize

from corollary.theory.attention.polish import factors, newton
from corollary.theory.attention.problem import Tokens

STARTS = 12  # random ones
OUTER = 12
LAST_CALL = 5  # rounds after which a run that does not separate is given up: the penalty has grown a thousandfold
GROW = 4.0  # of the penalty, from one round to the next
UNKNOWNS = 600  # 2 d m up to which Newton's method follows


def solve_low_rank(rows: Tokens, w: np.ndarray, λ: np.ndarray, m: int) -> np.ndarray | None:
    """w (d²,) of rank ≤ m and least margin 1 from the nuclear solution w, λ, or None if no start gave a separating one.

    A local minimum, the best of 1 + STARTS runs: the same for the same data.
    """
    d, rng = rows.d, np.random.default_rng(0)
    scale = float(np.linalg.norm(w)) ** 0.5
    starts = [factors(w, d, m)]
    for _ in range(STARTS):
        K, Q = rng.standard_normal((2, d, m))
        starts.append((scale * K / np.linalg.norm(K), scale * Q / np.linalg.norm(Q)))
    weights = λ / np.linalg.norm(rows.adjoint(λ).reshape(d, d), 2)
    found = [run for start in starts if (run := _descend(rows, *start, weights)) is not None]
    return min(found, key=lambda v: _size(rows, v)) if found else None


def _size(rows: Tokens, w: np.ndarray) -> float:
    return float(np.linalg.norm(w.reshape(rows.d, rows.d), "nuc"))


def _descend(rows: Tokens, K: np.ndarray, Q: np.ndarray, λ: np.ndarray) -> np.ndarray | None:
    """One run: w of least margin 1, or None where it ends without separating."""
    d, m = K.shape
    n, norms = d * m, rows.norms
    h, y = 1 / norms, λ * norms  # rows of unit norm
    size = float(np.sum(h * y)) or 1.0
    σ = 10 * size / float(h @ h)

    def objective(x: np.ndarray, y: np.ndarray, σ: float) -> tuple[float, np.ndarray]:
        K, Q = x[:n].reshape(d, m), x[n:].reshape(d, m)
        short = np.maximum(h + y / σ - rows.forward((K @ Q.T).ravel()) / norms, 0.0)
        G = rows.adjoint(σ * short / norms).reshape(d, d)
        gradient = np.concatenate([(K - G @ Q).ravel(), (Q - G.T @ K).ravel()])
        return float(x @ x + σ * short @ short) / 2, gradient

    x, best = np.concatenate([K.ravel(), Q.ravel()]), None

    def keep(w: np.ndarray) -> float:
        nonlocal best
        margin = float(rows.forward(w).min())
        if margin > 0 and (best is None or _size(rows, w) / margin < _size(rows, best)):
            best = w / margin
        return margin

    for k in range(OUTER):
        options: Any = {"maxiter": 300, "maxcor": 20, "ftol": 1e-15, "gtol": 1e-8 * max(1.0, float(np.abs(x).max()))}
        x = scipy.optimize.minimize(objective, x, args=(y, σ), jac=True, method="L-BFGS-B", options=options).x
        K, Q = x[:n].reshape(d, m), x[n:].reshape(d, m)
        new = np.maximum(y + σ * (h - rows.forward((K @ Q.T).ravel()) / norms), 0.0)
        moved, y = float(np.abs(new - y).max()), new
        margin = keep((K @ Q.T).ravel())
        if (moved <= 1e-7 * y.max() and abs(margin - 1) <= 1e-7) or (k >= LAST_CALL and margin <= 0):
            break
        σ *= GROW
    if best is not None and 2 * n <= UNKNOWNS and y.any():
        for w, _ in newton(rows, *factors(best, d, m), y / norms):
            keep(w)
    if best is None:
        return None
    K, Q = factors(best, d, m)
    return (K @ Q.T).ravel()
