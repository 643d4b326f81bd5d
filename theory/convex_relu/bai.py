"""The methods of Bai, Gautam & Sojoudi 2022 (2201.01965, Sections 3–4) as written: dense ADMM, and its RBCD variant.

Variables u = (v, w) and copies: v = u (group norms), s = G u ≥ 0 (cones), scaled multipliers λ, ν:

    u ← argmin ½‖F u − y‖² + ρ/2 ‖u − v + λ‖² + ρ/2 ‖G u − s + ν‖²        (2dP × 2dP system, factored once)
    v ← prox of β Σ‖·‖/ρ at u + λ,   s ← (G u + ν)_+,
    λ ← λ + γ (u − v),   ν ← ν + γ (G u − s),   γ = γ_a/ρ (1 by default).

RBCD replaces the u-update by gradient steps on blocks of one pattern, with backtracking: O(n d) a block, no factor.
Squared loss. Readable twins: `admm` is the fast exact form of the first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def stacked(X: np.ndarray, D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F (n, 2dP) = [D_1X … D_PX | −D_1X …] and G (2nP, 2dP), block diagonal of (2D_i − I) X, twice."""
    n, d = X.shape
    P = D.shape[1]
    F = np.concatenate([D[:, [p]] * X for p in range(P)], axis=1)
    G = np.zeros((2 * n * P, 2 * d * P))
    for i in range(2 * P):
        G[i * n : (i + 1) * n, i * d : (i + 1) * d] = (2 * D[:, [i % P]] - 1) * X
    return np.concatenate([F, -F], axis=1), G


def dense_admm(
    X: np.ndarray,
    y: np.ndarray,
    beta: float,
    D: np.ndarray,
    *,
    rho: float,
    steps: int,
    dual_step: float = 1.0,
    record: Callable[[int, np.ndarray, np.ndarray], None] | None = None,
) -> np.ndarray:
    """`steps` iterations from zero; returns the sparse copy v as (2, P, d). record(k, u, v) after each, flat."""
    d, P = X.shape[1], D.shape[1]
    F, G = stacked(X, D)
    system = np.linalg.cholesky(F.T @ F + rho * (np.eye(2 * d * P) + G.T @ G))
    v, lam = np.zeros(2 * d * P), np.zeros(2 * d * P)
    s, nu = np.zeros(len(G)), np.zeros(len(G))
    for k in range(1, steps + 1):
        b = F.T @ y + rho * (v - lam + G.T @ (s - nu))
        u = np.linalg.solve(system.T, np.linalg.solve(system, b))
        v = _threshold(u + lam, beta / rho, d)
        s = np.maximum(G @ u + nu, 0)
        lam = lam + dual_step * (u - v)
        nu = nu + dual_step * (G @ u - s)
        if record is not None:
            record(k, u, v)
    return v.reshape(2, P, d)


def rbcd_admm(
    X: np.ndarray,
    y: np.ndarray,
    beta: float,
    D: np.ndarray,
    rng: np.random.Generator,
    *,
    rho: float,
    steps: int,
    sweeps: float = 1.0,
    dual_step: float = 1.0,
    record: Callable[[int, np.ndarray, np.ndarray], None] | None = None,
) -> np.ndarray:
    """ADMM with an inexact u-update: `sweeps`·2P gradient steps on random blocks of one signed pattern each.

    A block's step starts at 1/L_g, L_g = λ_max(XᵀX) (1 + ρ) + ρ, and doubles where Armijo's condition (constant 1e-3)
    holds at twice the length; there is nothing to tune.
    """
    d, P = X.shape[1], D.shape[1]
    E = 2 * D.T - 1
    sign = np.repeat([1.0, -1.0], P)
    DX = [D[:, [p]] * X for p in range(P)]
    bound = float(np.linalg.eigvalsh(X.T @ X)[-1]) * (1 + rho) + rho
    u, v, lam = np.zeros((3, 2 * P, d))
    s, nu = np.zeros((2, 2 * P, len(y)))
    residual = -y.copy()  # F u − y
    for k in range(1, steps + 1):
        for g in rng.integers(0, 2 * P, size=max(1, int(round(sweeps * 2 * P)))):
            A, cone = sign[g] * DX[g % P], E[g % P][:, None] * X
            gradient = A.T @ residual + rho * (u[g] - v[g] + lam[g] + cone.T @ (cone @ u[g] - s[g] + nu[g]))
            square = float(gradient @ gradient)
            if square == 0:
                continue
            curvature = float(np.sum((A @ gradient) ** 2) + rho * (square + np.sum((cone @ gradient) ** 2)))
            length = 1 / bound
            while length * curvature <= (1 - 1e-3) * square:  # decrease at 2·length: −2 length square + 2 length² curv.
                length *= 2
            u[g] -= length * gradient
            residual -= length * (A @ gradient)
        v = _threshold((u + lam).ravel(), beta / rho, d).reshape(2 * P, d)
        image = np.stack([E[g % P] * (X @ u[g]) for g in range(2 * P)])
        s = np.maximum(image + nu, 0)
        lam = lam + dual_step * (u - v)
        nu = nu + dual_step * (image - s)
        if record is not None:
            record(k, u.ravel(), v.ravel())
    return v.reshape(2, P, d)


def _threshold(x: np.ndarray, level: float, d: int) -> np.ndarray:
    groups = x.reshape(-1, d)
    size = np.linalg.norm(groups, axis=1, keepdims=True)
    return (np.maximum(1 - level / np.where(size > 0, size, np.inf), 0) * groups).ravel()
