"""When SGD can stay at an interpolating minimum, in mean square (Wu, Ma, E 2018; Wu & Su 2023, 2305.17490).

Least squares around the minimum: gradients a_i of the n predictions, H = (1/n) Σ a_i a_iᵀ, batches of B, step η:
θ ← θ − (η/B) Σ_{i in batch} a_i a_iᵀ θ. The second moment M = E θθᵀ obeys, exactly,

    T(M) = (1 − ηH) M (1 − ηH) + η² p (mean_i a_i a_iᵀ M a_i a_iᵀ − H M H)
    p = 1/B with replacement, (n − B)/(B(n − 1)) without

    η* = 2/λ_max(C⁻¹D), C = H⊗1 + 1⊗H halved, D = (1 − p) H⊗H + p mean_i (a_i a_iᵀ)⊗(a_i a_iᵀ): T contracts iff η < η*
    necessary (M = 1 in the quotient): (1 − p)‖H‖_F² + p mean_i |a_i|⁴ ≤ 2 tr H/η, and mean |a|⁴ ≥ (tr H)²

At B = 1 and p = 1 this reads tr H ≤ 2/η; for larger batches that inequality is false in general. Gaussian gradients
a ~ N(0, H), fresh ones each step: Σ_k ηλ_k/(2B − (B + 1)ηλ_k) = 1 gives η*. The threshold is for the second moment; a
single path can survive above it for long. Loss ½ mean r²; host only (dense d² × d² operators, d ≲ 40).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from corollary.arrays import Array, require_floating


def batch_noise_share(batch: int, samples: int, replace: bool = True) -> float:
    """p: variance of a batch mean over that of one term. ValueError unless 1 ≤ batch, ≤ samples if not replaced."""
    if samples < 1 or batch < 1 or (not replace and batch > samples):
        raise ValueError(f"batch = {batch!r} of samples = {samples!r}; expected 1 <= batch, <= samples if not replaced")
    if replace:
        return 1 / batch
    return 0.0 if samples == 1 else (samples - batch) / (batch * (samples - 1))


def second_moment_step(M: Array, gradients: Array, rate: float, p: float) -> Array:
    """T(M), (d, d), for gradients (n, d), a step of size `rate` and noise share p."""
    A, _ = _gradients(gradients)
    n, d = A.shape
    M = np.asarray(M, dtype=float)
    if M.shape != (d, d):
        raise ValueError(f"M has shape {M.shape}; expected ({d}, {d}) for gradients of length {d}")
    H = A.T @ A / n
    keep = np.eye(d) - rate * H
    forms = np.sum((A @ M) * A, axis=1)
    return keep @ M @ keep + rate**2 * p * ((A * forms[:, None]).T @ A / n - H @ M @ H)


def critical_rate(gradients: Array, batch: int, replace: bool = True) -> float:
    """η* of an interpolating minimum from its gradients (n, d). Directions without curvature do not count.

    Raises TypeError or ValueError for gradients that are not a finite floating (n, d) array or all zero, and as
    `batch_noise_share`.
    """
    A, basis = _gradients(gradients)
    p = batch_noise_share(batch, len(A), replace)
    A = A @ basis  # coordinates in the range of H, where C is positive definite
    n, r = A.shape
    values = np.sum(A * A, axis=0) / n  # H is diagonal in this basis
    H = np.diag(values)
    pairs = (A[:, :, None] * A[:, None, :]).reshape(n, r * r)
    D = (1 - p) * np.kron(H, H) + p * pairs.T @ pairs / n
    c = ((values[:, None] + values) / 2).reshape(-1) ** -0.5
    return 2 / float(np.linalg.eigvalsh(c[:, None] * D * c)[-1])


def gaussian_critical_rate(eigenvalues: Sequence[float], batch: int) -> float:
    """η* for fresh Gaussian gradients, covariance eigenvalues λ_k ≥ 0. ValueError for batch < 1 or no positive λ."""
    lam = np.asarray(eigenvalues, dtype=float)
    if batch < 1 or lam.ndim != 1 or not np.all(np.isfinite(lam)) or np.any(lam < 0) or not np.any(lam > 0):
        raise ValueError(
            f"batch = {batch!r}, eigenvalues {eigenvalues!r}; expected batch >= 1, numbers >= 0, one positive"
        )
    top = 2 * batch / ((batch + 1) * float(lam.max()))

    def excess(share: float) -> float:  # η = share · top; multiplied by 1 − share, which is what blows up
        x = share * top * lam
        gap = 2 * batch - (batch + 1) * x
        return float(np.sum(x * (1 - share) / gap)) - (1 - share)

    # at share → 1 the largest λ alone gives 1/(B + 1) > 0; near 0 the sum is below 1
    low, high = 0.0, 1.0
    for _ in range(60):  # Σ − 1 rises from −1 to infinity: one zero, by bisection to the last bit
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return top * low


def largest_trace(rate: float, fourth_moment_ratio: float = 1.0) -> float:
    """The bound tr H ≤ 2/(η κ) **at batch 1**, κ = mean|a|⁴/(mean|a|²)² ≥ 1. ValueError unless rate > 0 and κ ≥ 1."""
    if not (math.isfinite(rate) and rate > 0 and math.isfinite(fourth_moment_ratio) and fourth_moment_ratio >= 1):
        raise ValueError(f"rate = {rate!r}, ratio = {fourth_moment_ratio!r}; expected rate > 0, ratio >= 1 (Jensen)")
    return 2 / (rate * fourth_moment_ratio)


def relu_trace(W: Array, a: Array) -> float:
    """tr H of f(x) = Σ_j a_j relu(w_j·x), x ~ N(0, 1_d), W (m, d), a (m,): ½ (Σ‖w_j‖² + d Σ a_j²)."""
    W, a = _pair("W", W, 2, "a", a)
    if a.shape[0] != W.shape[0]:
        raise ValueError(f"a has {a.shape[0]} entries, W {W.shape[0]} rows; expected as many")
    return 0.5 * (float(np.sum(W * W)) + W.shape[1] * float(np.sum(a * a)))


def diagonal_trace(a: Array, b: Array, second_moments: Array) -> float:
    """tr H of f(x) = Σ_j a_j b_j x_j: Σ_j E x_j² (a_j² + b_j²) ≥ 2 Σ_j E x_j² |a_j b_j|. All (d,)."""
    a, b = _pair("a", a, 1, "b", b)
    s, _ = _pair("second_moments", second_moments, 1, "b", b)
    if not a.shape == b.shape == s.shape:
        raise ValueError(f"shapes {a.shape}, {b.shape}, {s.shape}; expected the same")
    return float(np.sum(s * (a * a + b * b)))


def _pair(name: str, x: Array, ndim: int, other: str, y: Array) -> tuple[np.ndarray, np.ndarray]:
    require_floating(name, x, ndim=ndim)
    require_floating(other, y, ndim=1)
    return np.asarray(x), np.asarray(y)


def _gradients(gradients: Array) -> tuple[np.ndarray, np.ndarray]:
    """(A (n, d), an orthonormal basis (d, r) of the range of H that makes it diagonal)."""
    require_floating("gradients", gradients, ndim=2)
    A = np.asarray(gradients, dtype=float)
    _, s, Vt = np.linalg.svd(A, full_matrices=False)
    rank = int(np.sum(s > s[0] * max(A.shape) * np.finfo(float).eps)) if s[0] > 0 else 0
    if rank == 0:
        raise ValueError("all gradients are zero: every step size is stable")
    return A, Vt[:rank].T
