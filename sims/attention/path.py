r"""The regularisation path: argmin of L over ‖W‖_F = R, or over (‖K‖² + ‖Q‖²)/2 = R with W = K Qᵀ. Host only (L-BFGS).

ln(L − L*) is minimised over directions, L* = lim L when every sequence selects its best token:
ℓ(f) − ℓ(f*) = log1p(σ(−f*) expm1(f* − f)) with f* − f = Σ_t s_t (γ* − γ_t), free of cancellation.
"""

from __future__ import annotations

import numpy as np
import scipy.optimize


def excess(X: np.ndarray, Z: np.ndarray, γ: np.ndarray, W: np.ndarray) -> tuple[float, np.ndarray]:
    """ln(L − L*) and its gradient (d, d) for one problem: X (n, T, d), Z (n, d), γ (n, T)."""
    a = np.einsum("ntd,de,ne->nt", X, W, Z)
    s = np.exp(a - a.max(axis=1, keepdims=True))
    s /= s.sum(axis=1, keepdims=True)
    best = γ.max(axis=1)
    lost = best[:, None] - γ
    δ = (s * lost).sum(axis=1)
    σ = 1 / (1 + np.exp(best))
    inner = σ * np.expm1(δ)
    total = np.log1p(inner).mean()
    slope = σ * np.exp(δ) / (1 + inner) / len(X) / total
    pull = slope[:, None] * s * (lost - δ[:, None])
    return float(np.log(total)), np.einsum("nt,ntd,ne->de", pull, X, Z)


def constrained(X: np.ndarray, Z: np.ndarray, γ: np.ndarray, radius: float, start: np.ndarray) -> np.ndarray:
    """The minimiser on the sphere of `radius` found from `start` (d, d): W = R V/‖V‖ over free V."""
    d = len(start)

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        V = v.reshape(d, d)
        size = np.linalg.norm(V)
        U = V / size
        value, G = excess(X, Z, γ, radius * U)
        return value, (radius * (G - np.sum(G * U) * U) / size).ravel()

    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 30}
    first = (start / np.linalg.norm(start)).ravel()
    found = scipy.optimize.minimize(objective, first, jac=True, method="L-BFGS-B", options=options)
    V = found.x.reshape(d, d)
    return radius * V / np.linalg.norm(V)


def constrained_kq(
    X: np.ndarray, Z: np.ndarray, γ: np.ndarray, radius: float, start: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(K, Q), (d, d) each, minimising ln(L − L*) on (‖K‖² + ‖Q‖²)/2 = radius, found from `start`.

    With m = d columns the constraint on W = K Qᵀ is ‖W‖_* ≤ radius, so W follows the path of the nuclear norm.
    """
    d = len(start[0])

    def split(v: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        size = float(np.linalg.norm(v))
        K, Q = (np.sqrt(2 * radius) / size) * v.reshape(2, d, d)
        return K, Q, size

    def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
        K, Q, size = split(v)
        value, G = excess(X, Z, γ, K @ Q.T)
        pull = np.stack([G @ Q, G.T @ K]).ravel() * np.sqrt(2 * radius) / size
        u = v / size
        return value, pull - (pull @ u) * u

    options = {"maxiter": 20000, "maxfun": 60000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 30}
    found = scipy.optimize.minimize(objective, np.stack(start).ravel(), jac=True, method="L-BFGS-B", options=options)
    K, Q, _ = split(found.x)
    return K, Q
