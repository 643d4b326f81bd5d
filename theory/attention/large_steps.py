r"""How near gradient descent with step γ is to the perceptron, and the data on which the perceptron is slow.

With P_s the iterates of `perceptron` and E_k = ‖θ_k/γ − P_k‖ (Tyurin 2024, 2412.08424, says E_k → 0; rate ours):
|σ(−γz̃) − 1[z < 0]| ≤ exp(−γ|z| + γ‖b‖E) where |z̃ − z| ≤ ‖b‖E, whichever the signs, so E_1 = 0 and

    E_k ≤ e S,   S = (1/n) Σ_{0<s<k} Σ_j ‖b_j‖ exp(−γ |b_jᵀP_s|),   as long as e γ R S ≤ 1,  R = max ‖b_j‖.

The imbalanced example, n − 1 rows (1, 0) and one (−1, h): after the first step only the last row is wrong and moves P
by 1/n of itself, so that the steps grow like n/(2(1 + h²)), while R²/μ² does not depend on n.
"""

from __future__ import annotations

import math

import numpy as np

from corollary.theory.attention.margin import signed
from corollary.theory.attention.perceptron import perceptron


def perceptron_gap(B: np.ndarray, steps: int, rate: float) -> float:
    """e S, a bound on ‖θ_k/γ − P_k‖ for k ≤ `steps`, signed data B (n, d), step size `rate` = γ; inf where e γ R S > 1.

    Raises ValueError for a rate that is not positive, and as `perceptron`.
    """
    if not rate > 0:
        raise ValueError(f"rate = {rate!r}; expected a positive step size")
    rows = signed(B)
    margins = np.abs(rows.A @ perceptron(B, steps)[1:steps].T)
    S = float(np.sum(rows.norms[:, None] * np.exp(-rate * margins))) / len(B)
    return math.e * S if math.e * rate * float(rows.norms.max()) * S <= 1 else math.inf


def imbalanced_example(n: int, height: float = 0.5) -> np.ndarray:
    """(n, 2): n − 1 rows (1, 0), one (−1, height). Raises ValueError for n < 4 or height not in (0, 1]."""
    if n < 4 or not 0 < height <= 1:
        raise ValueError(f"n = {n!r}, height = {height!r}; expected n >= 4 and 0 < height <= 1")
    return np.concatenate([np.tile([1.0, 0.0], (n - 1, 1)), [[-1.0, height]]])


def imbalanced_steps(n: int, height: float = 0.5) -> int:
    """Steps of the plain batch perceptron on `imbalanced_example`: 2 + ⌊(n − 2 − h²)/(2(1 + h²))⌋.

    Raises ValueError where that walk is not the one described (n small: the first coordinate has reached 0 by then, or
    a margin is exactly 0), and as `imbalanced_example`.
    """
    imbalanced_example(n, height)
    corrections = (n - 2 - height**2) / (2 * (1 + height**2))
    k = math.floor(corrections) + 1  # the first whole number above: at equality the last row's margin is still 0
    if corrections == math.floor(corrections) or not k < (n - 2) / 2:
        raise ValueError(f"n = {n}, height = {height}: the walk meets a margin of 0 or below; take a larger n")
    return 1 + k
