r"""The nuclear-norm attention-SVM by a primal-dual barrier method: small problems that first-order steps cannot finish.

    F_μ(W) = Σ_i φ_μ(σ_i(W)) − μ Σ log(A W − 1),   φ_μ(w) = r − μ log(μ + r),  r = √(μ² + w²),  φ_μ' = w/(μ + r)

φ_μ is what the barrier −(μ/2) log det [[P, W], [Wᵀ, R]] of the semidefinite form leaves of ½(tr P + tr R) after P and R
(Boyd & Vandenberghe 2004, 11.6). The minimiser W of F_μ and λ = μ/(A W − 1) are feasible for both problems, with
A*λ = U φ_μ'(Σ) Vᵀ of norm below 1, at a gap of (N + 2d) μ at most. Newton's matrix is H + A* diag(λ/s) A, s = A W − 1,
of order d², in the singular bases of W, where H couples only entries (i, j) and (j, i):

    (φ'(σ_i) − φ'(σ_j))/(σ_i − σ_j) on their symmetric, (φ'(σ_i) + φ'(σ_j))/(σ_i + σ_j) on their antisymmetric part.

It is a descent direction of the convex F_μ for any λ > 0, whence a line search and no heuristics. Host only.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from corollary.theory.attention.certificate import Certificate, certify
from corollary.theory.attention.problem import Tokens

WORK = 1e8  # multiply-adds of one Newton matrix, N d⁴, up to which the method is tried: 0.1 s a step
STEPS = 150  # 25 to 60 are needed
SHRINK = 0.15  # of μ, once the iterate is central
CLOSE = 0.95  # of the way to the boundary


def affordable(rows: Tokens) -> bool:
    return len(rows.norms) * float(rows.p) ** 2 <= WORK


def solve_barrier(rows: Tokens, start: np.ndarray, *, gap: float) -> tuple[Certificate, np.ndarray, np.ndarray]:
    """(certificate, w (d²,), λ (N,)): the best found; `start` (d²,) has A w > 0. Judged by the caller."""
    d, N = rows.d, len(rows.norms)
    w = 2 * start / float(rows.forward(start).min())
    s = rows.forward(w) - 1
    μ = float(np.linalg.norm(w.reshape(d, d), "nuc")) / (N + 2 * d)
    λ = μ / s
    best, kept = certify(rows, w, λ, "nuclear"), (w, λ)
    for _ in range(STEPS):
        U, σ, Vt = np.linalg.svd(w.reshape(d, d))
        slope, H = _derivatives(σ, μ)
        rotated = Tokens(rows.D @ U, rows.Z @ Vt.T)
        B = rotated.dense(np.arange(N))
        target = rotated.adjoint(μ / s) - np.diag(slope).ravel()
        M = H + B.T @ (B * (λ / s)[:, None])
        try:
            step = scipy.linalg.cho_solve(scipy.linalg.cho_factor(M, check_finite=False), target)
        except (np.linalg.LinAlgError, ValueError):
            break
        decrement = float(target @ step)
        ds = rotated.forward(step)
        dλ = μ / s - λ - λ / s * ds
        down = ds < 0
        α = min(1.0, CLOSE * float(np.min(-s[down] / ds[down], initial=np.inf)))
        dw = (U @ step.reshape(d, d) @ Vt).ravel()
        value = _merit(σ, s, μ)
        for _ in range(40):
            new = w + α * dw
            slack = rows.forward(new) - 1
            if slack.min() > 0:
                found = _merit(np.linalg.svd(new.reshape(d, d), compute_uv=False), slack, μ)
                if found <= value - 1e-4 * α * decrement + 1e-14 * abs(value):
                    break
            α /= 2
        else:
            break  # rounding rules
        w, s = new, slack
        down = dλ < 0
        β = min(1.0, CLOSE * float(np.min(-λ[down] / dλ[down], initial=np.inf)))
        λ = np.clip(λ + β * dλ, 0.01 * μ / s, 100 * μ / s)  # near the central path
        certificate = certify(rows, w, λ, "nuclear")
        if certificate.gap < best.gap:
            best, kept = certificate, (w, λ)
        if best.gap <= gap:
            break
        if decrement <= 0.1 * μ:
            μ *= SHRINK
    return best, kept[0], kept[1]


def _merit(σ: np.ndarray, s: np.ndarray, μ: float) -> float:
    r = np.sqrt(μ * μ + σ * σ)
    return float(np.sum(r - μ * np.log(μ + r)) - μ * np.sum(np.log(s)))


def _derivatives(σ: np.ndarray, μ: float) -> tuple[np.ndarray, np.ndarray]:
    """φ'(σ) (d,) and the Hessian (d², d²) in the singular bases, divided differences free of cancellation."""
    d = len(σ)
    r = np.sqrt(μ * μ + σ * σ)
    slope = σ / (μ + r)
    cross = σ[:, None] * r + σ * r[:, None]
    total = σ[:, None] + σ
    ratio = np.where(cross > 0, total / np.where(cross > 0, cross, 1.0), 1 / μ)
    even = (μ + μ * μ * ratio) / ((μ + r)[:, None] * (μ + r))
    odd = np.where(total > 0, (slope[:, None] + slope) / np.where(total > 0, total, 1.0), 1 / (2 * μ))
    H = np.zeros((d, d, d, d))
    i, j = np.indices((d, d))
    H[i, j, j, i] = (even - odd) / 2
    H[i, j, i, j] += (even + odd) / 2
    H[np.arange(d), np.arange(d), np.arange(d), np.arange(d)] = even.diagonal()
    return slope, H.reshape(d * d, d * d)
