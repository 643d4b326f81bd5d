r"""Ridge regression of one linear-attention layer on sampled prompts, in the limit of many dimensions (Lu et al. 2024).

x ~ N(0, I/d), tasks w uniform on |w|² = d, label noise variance ρ; contexts of ℓ = αd examples, k = κd different tasks
in training, n = τd² training prompts. The layer is a matrix Γ (d, d + 1) on H = x_q [(d/ℓ) Σ y_i x_iᵀ, (1/ℓ) Σ y_i²],
fitted with the ridge (n/d) λ |Γ|². With x* = (1 + ρ)/α and R = (1/k) Σ w wᵀ + x* I, the features have covariance
(I/d) ⊗ R, and Γ_z = R_w (R_w + x* + z)⁻¹ is what the fit estimates, where z ≥ 0 solves

    z (1 − (1/τ)(1 − z m)) = λ,       m = M_κ(s) = (1/d) tr (R_w + s)⁻¹,   m₂ = −M_κ′(s),   s = x* + z:

    M_κ(s) = 2 / (s + 1 − 1/κ + √((s + 1 − 1/κ)² + 4s/κ))                          (Marchenko–Pastur)

    e_IDG = (ρ + s − s²m − z a₂) / (1 − (1/τ)(1 − 2zm + z²m₂)),        a₁ = 1 − sm,   a₂ = 1 − 2sm + s²m₂
    e_ICL = 1 + ρ − 2a₁ + (1 + x*) a₂ + (1 + x*) e_IDG (m − z m₂)/τ.

e_ICL is the error on new tasks, e_IDG on the training tasks; both with a noisy label. λ → 0 is their ridgeless Result 1
(equality with its printed form is derived), where for τ < 1 z solves z M_κ(x* + z) = 1 − τ. For λ = 0 it diverges like
1/|1 − τ|. Corrections are O(1/d). Derived in `proofs_check/icl/asymptotic.py`: traces, the printed form, and both
errors at finite λ by leaving one prompt out. This rests on quadratic forms of the features x_q ⊗ h near their means, as
they are to O(d^(−1/2)) (Bai, Zhou 2008); the claim lu2024.finite-ridge measures the outcome.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from corollary.theory.icl.checks import real_number


class LearningCurve(NamedTuple):
    """icl: error on new tasks; idg: error on the tasks of the training set; both with a noisy label, no ½."""

    icl: float
    idg: float


def learning_curve(tau: float, alpha: float, kappa: float, rho: float, ridge: float = 0.0) -> LearningCurve:
    """Errors at τ = n/d², α = ℓ/d, κ = k/d, noise variance ρ, ridge λ ≥ 0 (0: ridgeless). kappa may be inf.

    Raises TypeError or ValueError: τ, α or κ not positive, ρ or λ negative, and τ = 1 with λ = 0, where it diverges.
    """
    τ, α = real_number("tau", tau, positive=True), real_number("alpha", alpha, positive=True)
    κ = math.inf if kappa == math.inf else real_number("kappa", kappa, positive=True)
    ρ, λ = real_number("rho", rho, nonnegative=True), real_number("ridge", ridge, nonnegative=True)
    if λ == 0 and τ == 1:
        raise ValueError("at tau = 1 the ridgeless error diverges (double descent); pass ridge > 0 or another tau")
    x = (1 + ρ) / α
    z = _effective_ridge(τ, κ, x, λ)
    s = x + z
    m, m2 = _resolvent(s, κ)
    a1, a2 = 1 - s * m, 1 - 2 * s * m + s * s * m2
    kept = 1 - (1 - 2 * z * m + z * z * m2) / τ
    idg = (ρ + s - s * s * m - z * a2) / kept
    return LearningCurve(1 + ρ - 2 * a1 + (1 + x) * a2 + (1 + x) * idg * (m - z * m2) / τ, idg)


def _resolvent(s: float, κ: float) -> tuple[float, float]:
    """M_κ(s) and −M_κ′(s)."""
    c = 0.0 if math.isinf(κ) else 1 / κ
    b = s + 1 - c
    root = math.sqrt(b * b + 4 * s * c)
    m = 2 / (b + root)
    return m, m * (1 + (b + 2 * c) / root) / (b + root)


def _effective_ridge(τ: float, κ: float, x: float, λ: float) -> float:
    """z ≥ 0 with z (1 − (1 − z M(x + z))/τ) = λ; the left side grows with z wherever it is positive."""
    if λ == 0 and τ > 1:
        return 0.0

    def left(z: float) -> float:
        # λ = 0 and τ < 1: the bracket itself must vanish
        bracket = 1 - (1 - z * _resolvent(x + z, κ)[0]) / τ
        return bracket if λ == 0 else z * bracket - λ

    low, high = 0.0, 1.0
    while left(high) < 0:
        low, high = high, 2 * high
    for _ in range(200):  # bisection to the last bit
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if left(middle) < 0 else (low, middle)
    return high
