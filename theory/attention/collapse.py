r"""Neural collapse in deep linear networks with free features (Dang et al. 2023, 2301.00437).

    f = (1/2N) ‖W_M … W_1 H − Y‖² + Σ_l (λ_l/2) ‖W_l‖² + (λ_H/2) ‖H‖²

bias-free, Y one-hot with n_k columns of class k, N = Σ n_k, widths ≥ K. The minimum separates by class:

    g_k(x) = (n_k/2N) [1/(1 + x^M) + b_k x],   b_k = M N (N λ_H Π λ_l)^{1/M}/n_k,
    b_k = M x^{M−1}/(1 + x^M)²  (largest root; x = 0 unless b_k < (M−1)^{(M−1)/M}/M, which is 1 for M = 1),

s_k² = N λ_H x_k^M is the squared norm of row k of W_M…W_1, rows are orthogonal, all features of a class equal
h_k = s_k/(s_k² + N λ_H) along that row, and f_min = Σ_k min g_k.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize


class Collapse(NamedTuple):
    """Per class (K,): x, row norms² s2 of W_M…W_1, feature norms h; `minimum` = f_min; `threshold` for b (K,)."""

    x: np.ndarray
    s2: np.ndarray
    h: np.ndarray
    b: np.ndarray
    threshold: float
    minimum: float


def collapse(counts: Sequence[int], weights: Sequence[float], features: float) -> Collapse:
    """The global minimum for class sizes `counts`, λ_l = `weights` (M of them), λ_H = `features`. Raises ValueError."""
    n, λ, M = np.asarray(counts), np.asarray(weights, dtype=float), len(weights)
    if n.ndim != 1 or len(n) < 2 or not (n >= 1).all() or n.dtype.kind not in "iu":
        raise ValueError(f"counts = {counts!r}; expected the sizes, integers >= 1, of at least two classes")
    if M < 1 or not (λ > 0).all() or not features > 0 or not np.isfinite([*λ, features]).all():
        raise ValueError(
            f"weights = {weights!r}, features = {features!r}; expected positive, finite decay for each factor"
        )
    N = int(n.sum())
    b = M * N * (N * features * float(np.prod(λ))) ** (1 / M) / n
    threshold = (M - 1) ** ((M - 1) / M) / M if M > 1 else 1.0
    x = np.array([_largest_root(float(β), M) if β < threshold else 0.0 for β in b])
    s2 = N * features * x**M
    value = n / (2 * N) * (1 / (1 + x**M) + b * x)
    return Collapse(x, s2, np.sqrt(s2) / (s2 + N * features), b, threshold, float(value.sum()))


def _largest_root(b: float, M: int) -> float:
    """The largest x with b (1 + x^M)² = M x^{M−1}: beyond the minimiser x^M = M − 1 of the threshold."""
    if M == 1:
        return math.sqrt(1 / b) - 1
    low = (M - 1) ** (1 / M)  # here M x^{M−1}/(1+x^M)² ≥ b, at infinity it is below
    high = (M / b) ** (1 / (M + 1)) + low

    def excess(x: float) -> float:
        return M * x ** (M - 1) - b * (1 + x**M) ** 2

    tight = float(4 * np.finfo(float).eps)
    root: Any = scipy.optimize.brentq(excess, low, high, xtol=tight, rtol=tight)  # pyright: ignore[reportArgumentType]
    return float(root)


def logit_penalty(singular: Sequence[float], depth: int, decay: float) -> float:
    """Least Σ (λ/2)‖factor‖² over products of depth + 1 = M + 1 factors: ((M+1)/2) λ Σ s^{2/(M+1)}."""
    return (depth + 1) / 2 * decay * float(np.sum(np.asarray(singular) ** (2 / (depth + 1))))


def frame_cross_entropy(a: float, K: int, n: int, depth: int, decay: float) -> float:
    """Mean cross-entropy plus penalty of the simplex frame, logits a (I − 11ᵀ/K) ⊗ 1_nᵀ: s = a√n, K − 1 times."""
    return math.log1p((K - 1) * math.exp(-a)) + logit_penalty([a * math.sqrt(n)] * (K - 1), depth, decay)


def polygon_cross_entropy(a: float, K: int, n: int, depth: int, decay: float) -> float:
    """The same for a rank-two competitor: classes on a regular K-gon, logits a cos(2π(k − l)/K), s = a√n K/2 twice."""
    others = [math.exp(a * (math.cos(2 * math.pi * k / K) - 1)) for k in range(1, K)]
    return math.log1p(math.fsum(others)) + logit_penalty([a * math.sqrt(n) * K / 2] * 2, depth, decay)
