r"""Logistic regression by gradient descent with step γ → ∞ is the batch perceptron (Tyurin 2024, 2412.08424).

f(θ) = (1/n) Σ log(1 + exp(−b_kᵀθ)), b_k = y_k a_k. θ_t/γ → the batch perceptron's P_t,

    P_{t+1} = P_t + (1/n) Σ_k 1[b_kᵀP_t < 0] b_k  (weight ½ where b_kᵀP_t = 0, so at the first step from 0),

equal to rounding once γ |b_kᵀP_s| ≥ 37 for all k and 0 < s < t (e^{−37} < ε/2). Normalised descent,
θ ← θ + γ Σσ_k b_k/Σσ_k, has the mean over the misclassified as limit. Steps until all b_kᵀP > 0, from margin μ
and radius R: plain T ≤ n R²/μ², normalised T ≤ R²/μ², by
Novikoff's argument: ⟨P, θ*⟩ grows by s_t μ, ‖P‖² by at most s_t² R² where s_t is
|S_t|/n (at least 1/n) or 1 (derived in `proofs_check`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corollary.theory.attention.margin import hard_margin, signed


class Bounds(NamedTuple):
    """Steps to separation: `plain` = n R²/μ², `normalised` = R²/μ²."""

    plain: float
    normalised: float


def perceptron(B: np.ndarray, steps: int, *, normalised: bool = False) -> np.ndarray:
    """P_0 = 0, …, P_steps of the batch perceptron, (steps + 1, d), on signed data B (n, d).

    Normalised: mean over the misclassified (ties count ½) instead of (1/n) Σ. Stays where all are classified.
    Raises TypeError, ValueError (also for steps that are no integer >= 0), Infeasible (a zero row).
    """
    if not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps = {steps!r}; expected an integer >= 0")
    rows = signed(B).A
    path = np.zeros((steps + 1, B.shape[1]))
    for t in range(steps):
        z = rows @ path[t]
        weight = np.where(z < 0, 1.0, np.where(z == 0, 0.5, 0.0))
        total = (weight.sum() or 1.0) if normalised else len(rows)
        path[t + 1] = path[t] + weight @ rows / total
    return path


def step_bounds(B: np.ndarray) -> Bounds:
    """Both bounds for signed data B (n, d). Raises as `hard_margin`: Infeasible if the data are not separable."""
    solved = hard_margin(B)
    normalised = (solved.radius / solved.margin) ** 2
    return Bounds(len(B) * normalised, normalised)


def equality_step(B: np.ndarray, steps: int) -> float:
    """γ above which the first `steps` iterates of gradient descent are γ times the perceptron's, to rounding.

    37/min |b_kᵀP_s| over k and 0 < s < steps; inf where a margin is exactly 0. Raises as `perceptron`.
    """
    margins = np.abs(signed(B).A @ perceptron(B, steps)[1:steps].T)
    least = float(margins.min()) if margins.size else np.inf
    return 37.0 / least if least > 0 else np.inf
