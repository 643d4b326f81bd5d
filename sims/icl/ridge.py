"""Ridge regression of one linear-attention layer on sampled prompts (Lu et al. 2024), with its error in closed form.

Γ (d, d + 1) minimises Σ (y − ⟨Γ, H⟩)² + (n/d) λ |Γ|² over n prompts, H = x_q [(d/ℓ) Σ y_i x_iᵀ, (1/ℓ) Σ y_i²];
x ~ N(0, I/d), tasks on |w|² = d, noise variance ρ. λ = 0 is the least-norm least-squares fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace

_CHUNK = 4096  # prompts whose features (n, d(d + 1)) are formed at a time, for the normal equations


def ridge_errors(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Array]:
    """icl (R,): error on new tasks, idg (R,): on the training tasks; exact in the test prompts, noisy labels.

    Point: d, tau, alpha, kappa (0: a new task for every prompt), rho, ridge. Sizes are rounded: ℓ = αd, k = κd,
    n = τd².
    """
    results = [_fit(point, np.random.default_rng(seed), xp) for seed in seeds]
    return {name: xp.asarray(np.array([r[i] for r in results])) for i, name in enumerate(("icl", "idg"))}


def _fit(point: Mapping[str, Any], rng: np.random.Generator, xp: Namespace) -> tuple[float, float]:
    d, ρ = point["d"], point["rho"]
    ℓ, n = round(point["alpha"] * d), round(point["tau"] * d * d)
    k = round(point["kappa"] * d) or n
    tasks = rng.standard_normal((k, d))
    tasks *= math.sqrt(d) / np.linalg.norm(tasks, axis=1, keepdims=True)
    which = np.arange(n) if k == n else rng.integers(0, k, n)
    blocks = [_features(tasks[which[i : i + _CHUNK]], ℓ, ρ, rng) for i in range(0, n, _CHUNK)]
    H, label = (xp.asarray(np.concatenate([b[i] for b in blocks])) for i in range(2))
    p = H.shape[1]
    Ht = xp.matrix_transpose(H)
    if point["ridge"] == 0 and n < p:
        Γ = xp.matmul(Ht, xp.linalg.solve(xp.matmul(H, Ht), label[:, None]))[:, 0]
    else:
        A = xp.matmul(Ht, H) + n / d * point["ridge"] * xp.eye(p, dtype=H.dtype)
        Γ = xp.linalg.solve(A, xp.matmul(Ht, label[:, None]))[:, 0]
    Γ = np.asarray(xp.reshape(Γ, (d, d + 1))) if isinstance(Γ, np.ndarray) else Γ.get().reshape(d, d + 1)
    new = exact_error(Γ, ℓ, ρ, np.eye(d), np.zeros(d))
    seen = exact_error(Γ, ℓ, ρ, tasks.T @ tasks / k, tasks.mean(axis=0))
    return new, seen


def _features(w: np.ndarray, ℓ: int, ρ: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    n, d = w.shape
    X, q = rng.standard_normal((n, ℓ, d)) / math.sqrt(d), rng.standard_normal((n, d)) / math.sqrt(d)
    y = np.matmul(X, w[:, :, None])[:, :, 0] + math.sqrt(ρ) * rng.standard_normal((n, ℓ))
    h = np.concatenate([d / ℓ * np.matmul(y[:, None, :], X)[:, 0], np.mean(y * y, axis=1)[:, None]], axis=1)
    H = (q[:, :, None] * h[:, None, :]).reshape(n, d * (d + 1))
    return H, np.sum(w * q, axis=1) + math.sqrt(ρ) * rng.standard_normal(n)


def exact_error(Γ: np.ndarray, ℓ: int, ρ: float, second: np.ndarray, mean: np.ndarray) -> float:
    """E(y − ⟨Γ, H⟩)² over prompts, for tasks of second moment `second` (d, d), mean (d,) and |w|² = d; host only.

    With h = (Σ d y_i x_i/ℓ, Σ y_i²/ℓ): E hhᵀ = [[(1+1/ℓ)W + ((1+ρ)d/ℓ) I, (1+2/ℓ)(1+ρ)w̄], [·, (1+2/ℓ)(1+ρ)²]].
    """
    d = len(Γ)
    R = np.zeros((d + 1, d + 1))
    R[:d, :d] = (1 + 1 / ℓ) * second + (1 + ρ) * d / ℓ * np.eye(d)
    R[:d, d] = R[d, :d] = (1 + 2 / ℓ) * (1 + ρ) * mean
    R[d, d] = (1 + 2 / ℓ) * (1 + ρ) ** 2
    cross = np.sum(Γ[:, :d] * second) + Γ[:, d] @ mean * (1 + ρ)
    return float(1 + ρ - 2 * cross / d + np.sum((Γ @ R) * Γ) / d)
