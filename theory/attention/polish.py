r"""The last digits of the nuclear-norm attention-SVM: Newton's method on its optimality conditions in factors.

    A*λ Q = K,   (A*λ)ᵀ K = Q,   (A K Qᵀ)_S = 1,      W = K Qᵀ,  K, Q (d, r),  λ on the rows S alone

(A*λ a subgradient of ‖·‖_* at W, of rank r). Rank r and support S are read off an approximate solution. K → K O,
Q → Q O with O orthogonal changes nothing, so the Jacobian is singular along r(r−1)/2 directions: steps are least
squares of least norm, which converge quadratically where the rest is regular (Ben-Israel 1966). Host only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg

from corollary.theory.attention.certificate import Certificate, certify
from corollary.theory.attention.problem import Tokens

STEPS = 6
LARGE = 1e-5  # share of the largest below which singular values and multipliers count as zero; both solvers leave 1e-9
RANK = 1e-12  # of the Jacobian: its zero directions come out at rounding, 1e-16


def size(rows: Tokens, w: np.ndarray, λ: np.ndarray) -> int:
    """Unknowns 2 d r + |S| of the Newton system; a step costs about four times its cube."""
    return 2 * rows.d * _rank(rows, w) + int(_support(λ).sum())


def _rank(rows: Tokens, w: np.ndarray) -> int:
    σ = np.linalg.svd(w.reshape(rows.d, rows.d), compute_uv=False)
    return int(np.sum(σ > LARGE * σ[0]))


def _support(λ: np.ndarray) -> np.ndarray:
    return λ > LARGE * λ.max()


def polish(rows: Tokens, w: np.ndarray, λ: np.ndarray, *, gap: float) -> tuple[Certificate, np.ndarray, np.ndarray]:
    """(certificate, w (d²,), λ (N,)) of the best iterate from w, λ ≠ 0: never worse than the start."""
    best, kept = certify(rows, w, λ, "nuclear"), (w, λ)
    r = _rank(rows, w)
    if best.min_margin > 0 and best.dual > 0:
        scaled = λ / np.linalg.norm(rows.adjoint(λ).reshape(rows.d, rows.d), 2)
        for iterate in newton(rows, *factors(w / best.min_margin, rows.d, r), scaled):
            found = certify(rows, *iterate, "nuclear")
            if found.gap < best.gap:
                best, kept = found, iterate
            if best.gap <= gap:
                break
    return best, kept[0], kept[1]


def factors(w: np.ndarray, d: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """K, Q (d, r), balanced, K Qᵀ = w (d²,) cut to rank r."""
    U, σ, Vt = np.linalg.svd(w.reshape(d, d))
    return U[:, :r] * σ[:r] ** 0.5, Vt[:r].T * σ[:r] ** 0.5


def newton(rows: Tokens, K: np.ndarray, Q: np.ndarray, λ: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterates (w, λ₊) from K, Q (d, r) and λ (N,) in the scale of the conditions; ends where it does not converge."""
    d, r = K.shape
    S = np.flatnonzero(_support(λ))
    left, right = rows.D.reshape(-1, d)[S], rows.Z[S // rows.m]  # row k of A: left_k ⊗ right_k
    y, n, E = λ[S], d * r, np.eye(r)
    first = np.inf
    for k in range(STEPS):
        G = (left * y[:, None]).T @ right
        a, b = right @ Q, left @ K  # (|S|, r)
        residual = np.concatenate([(G @ Q - K).ravel(), (G.T @ K - Q).ravel(), np.sum(b * a, axis=1) - 1])
        error = float(np.linalg.norm(residual))
        first = min(first, error) if k == 0 else first
        if not np.isfinite(error) or (k >= 2 and error > 0.1 * first):
            return
        across = np.concatenate([_outer(left, a), _outer(right, b)], axis=1)  # (|S|, 2n)
        J = np.zeros((2 * n + len(S), 2 * n + len(S)))
        J[: 2 * n, : 2 * n] = -np.eye(2 * n)
        J[:n, n : 2 * n] = np.kron(G, E)
        J[n : 2 * n, :n] = np.kron(G.T, E)
        J[: 2 * n, 2 * n :], J[2 * n :, : 2 * n] = across.T, across
        try:
            step: Any = scipy.linalg.lstsq(J, -residual, cond=RANK, lapack_driver="gelsy", check_finite=False)
        except (np.linalg.LinAlgError, ValueError):
            return
        K, Q = K + step[0][:n].reshape(d, r), Q + step[0][n : 2 * n].reshape(d, r)
        y = y + step[0][2 * n :]
        full = np.zeros_like(λ)
        full[S] = np.maximum(y, 0.0)
        if not np.isfinite(y).all() or not full.any():
            return
        yield (K @ Q.T).ravel(), full


def _outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
