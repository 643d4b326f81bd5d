"""The learning curve of Lu et al. 2024: traces of the resolvent, and equality with the printed ridgeless result."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import icl

Steps = Generator[Step | Agreement, None, None]


@derivation(of=icl.learning_curve, method="digits")
def learning_curve() -> Steps:
    """e = E(y − ⟨Γ̂, H⟩)² with Γ̂ the deterministic equivalent of ridge regression; at λ = 0 it is Result 1, to 40 digits."""
    r, x, z, m, κ, s, ρ = sp.symbols("r x z m κ s ρ", positive=True)
    M = 2 / (s + 1 - 1 / κ + sp.sqrt((s + 1 - 1 / κ) ** 2 + 4 * s / κ))
    rest = sp.simplify(s / κ * M**2 + (s + 1 - 1 / κ) * M - 1)
    yield step(
        "M_κ solves the Marchenko–Pastur equation (s/κ)m² + (s + 1 − 1/κ)m = 1; remainder", rest, holds=rest == 0
    )
    s_ = x + z
    traces = {
        "R_wΓ": (r**2 / (r + s_), r - s_ + s_**2 / (r + s_)),
        "ΓRΓ": (r**2 * (r + x) / (r + s_) ** 2, r**2 / (r + s_) - z * r**2 / (r + s_) ** 2),
        "Γ²": (r**2 / (r + s_) ** 2, 1 - 2 * s_ / (r + s_) + s_**2 / (r + s_) ** 2),
        "R/(R+z)²": ((r + x) / (r + s_) ** 2, 1 / (r + s_) - z / (r + s_) ** 2),
        "R²/(R+z)²": ((r + x) ** 2 / (r + s_) ** 2, 1 - 2 * z / (r + s_) + z**2 / (r + s_) ** 2),
    }
    for name, (left, right) in traces.items():
        rest = sp.simplify(left - right)
        yield step(
            f"{name} on an eigenvalue r of R_w, Γ = R_w/(R_w + x + z), R = R_w + x; remainder", rest, holds=rest == 0
        )
    error = sp.simplify(1 + ρ - 2 * (1 - s_ + s_**2 * m) + (1 - s_ + s_**2 * m) - (ρ + s_ - s_**2 * m))
    yield step(
        "training error before noise: 1 + ρ − 2 tr R_wΓ + tr ΓRΓ = ρ + s − s²m − z a₂ (tr R_w = 1); remainder",
        error,
        holds=error == 0,
    )

    def printed(τ: float, α: float, κ: float, ρ: float) -> Any:
        with mp.workdps(40):
            τ, α, κ, ρ = (mp.mpf(v) for v in (τ, α, κ, ρ))

            def M(k: Any, v: Any) -> Any:
                return 2 / (v + 1 - 1 / k + mp.sqrt((v + 1 - 1 / k) ** 2 + 4 * v / k))

            x = (1 + ρ) / α
            m = M(κ, x)
            if τ < 1:
                μ = x * M(κ / τ, x)
                return τ * (1 + x) / (1 - τ) * (1 - τ * (1 - μ) ** 2 - (x - ρ) / x * μ) - 2 * τ * (1 - μ) + ρ + 1
            k = 1 / (1 - κ * (m / (κ + m)) ** 2)
            return (
                (k - 1 / (τ - 1)) * (1 + x) * (x * m) ** 2
                + (3 - 2 * τ) / (τ - 1) * m * x**2
                + ((1 + ρ) * m / (τ - 1) + 1) * x
                + ρ * m / (τ - 1)
                + ρ
            )

    rng = np.random.default_rng(51)
    points = [
        (
            float(rng.uniform(*((0.1, 0.9) if i % 2 else (1.1, 6.0)))),
            float(rng.uniform(0.3, 4)),
            float(rng.uniform(0.2, 5)),
            float(rng.uniform(0, 1)),
        )
        for i in range(30)
    ]
    # z is found to the last bit; 1/|1 − τ| <= 10 and the subtraction 1 − sm amplify by some hundred: 1e-13
    yield agree(printed, lambda *p: icl.learning_curve(*p).icl, points, digits=11)


@derivation(of=icl.learning_curve, method="digits")
def finite_ridge() -> Steps:
    """z(1 − (1 − zm)/τ) = λ and both errors, by leaving one prompt out and the envelope theorem, for any ridge λ > 0.

    Prompts have features f = x ⊗ h of covariance C = (I/d) ⊗ R given the tasks; Ĉ = Σ f fᵀ/n, Q = (Ĉ + λ̃)⁻¹, λ̃ = λ/d.
    Assumed: fᵀAf/n is its mean over f up to o(1), A without f. Over x it is: var = 2 tr A_h²/d² <= 2‖A‖²|h|⁴/d, of order
    1/d relative to |h|⁴; what is left is a quadratic form in h (Bai, Zhou 2008, have such features). The residual of
    the best Γ₀ = R_w R⁻¹ is uncorrelated with f, not independent; only its variance enters.
    """
    a, b, c, f1, f2, n = sp.symbols("a b c f1 f2 n", positive=True)
    before, f = sp.Matrix([[a, b], [b, c]]), sp.Matrix([f1, f2])  # Q₋⁻¹, one prompt left out
    q = (f.T * before.inv() * f)[0] / n
    rest = sp.simplify((f.T * (before + f * f.T / n).inv() * f)[0] / n - q / (1 + q))
    yield step("Sherman–Morrison: fᵀQf/n = q/(1 + q), q = fᵀQ₋f/n; remainder", rest, holds=rest == 0)
    v1, v2, y = sp.symbols("v1 v2 y")
    v = sp.Matrix([v1, v2])  # Σ of the others' label · f/n
    w, without = (before + f * f.T / n).inv() * (v + y * f / n), before.inv() * v
    rest = sp.simplify((y - (f.T * w)[0]) * (1 + q) - (y - (f.T * without)[0]))
    yield step("a residual on its own prompt is 1/(1 + q) of that without it; remainder", rest, holds=rest == 0)
    yield step("q → δ: I = ĈQ + λ̃Q → (C/(1 + δ) + λ̃)Q, so λ̃Q → z̃(C + z̃)⁻¹", "z = λ(1 + δ), z̃ = z/d, δ = tr CQ/n")
    z, λ, τ, m, r, x = sp.symbols("z λ τ m r x", positive=True)
    rest = sp.expand(λ * (z / λ - 1 - z / λ * (1 - z * m) / τ) - (z * (1 - (1 - z * m) / τ) - λ))
    yield step("δ = z/λ − 1 = (z/λ)(1/τ)(1/d) tr R(R + z)⁻¹ is z(1 − (1 − zm)/τ) = λ; remainder", rest, holds=rest == 0)
    s = x + z
    rest = sp.simplify(r**2 / ((r + x) * (r + s)) - 1 + (s**2 / (r + s) - x**2 / (r + x)) / z)
    yield step(
        "least ridge loss V = λ(g + σ²/z), g = tr Γ₀R(R + z)⁻¹Γ₀/d, by partial fractions 1 − (s²m(s) − x²m(x))/z; "
        "remainder",
        rest,
        holds=rest == 0,
    )
    yield step("envelope: |Γ̂|²/d = V′(λ), training error V − λV′; e_IDG = (1 + δ)²(V − λV′)", "one prompt left out")
    yield step("e_ICL = 1 + ρ − 2 tr Γ_z/d + (1 + x)|Γ̂|²/d", "new tasks: R = (1 + x)I")

    def derived(τ: float, α: float, κ: float, ρ: float, λ: float, which: int) -> Any:
        with mp.workdps(40):
            τ, α, κ, ρ, λ = (mp.mpf(v) for v in (τ, α, κ, ρ, λ))
            x = (1 + ρ) / α

            def m(s: Any) -> Any:
                return 2 / (s + 1 - 1 / κ + mp.sqrt((s + 1 - 1 / κ) ** 2 + 4 * s / κ))

            def ridge(z: Any) -> Any:
                return z * (1 - (1 - z * m(x + z)) / τ)

            def loss(z: Any) -> Any:
                return ridge(z) * (1 - ((x + z) ** 2 * m(x + z) - x**2 * m(x)) / z + (ρ + x - x * x * m(x)) / z)

            low, high = mp.mpf(0), mp.mpf(1)
            while ridge(high) < λ:
                low, high = high, 2 * high
            for _ in range(140):  # 2^−140 < 10^−40
                middle = (low + high) / 2
                low, high = (middle, high) if ridge(middle) < λ else (low, middle)
            z = high
            size = mp.diff(loss, z) / mp.diff(ridge, z)  # V′
            new = 1 + ρ - 2 * (1 - (x + z) * m(x + z)) + (1 + x) * size
            return new if which == 0 else (z / λ) ** 2 * (loss(z) - λ * size)

    rng = np.random.default_rng(52)
    points = [
        (*(float(rng.uniform(*ends)) for ends in ((0.3, 3), (0.3, 4), (0.2, 5), (0, 1), (0.02, 1))), i % 2)
        for i in range(24)
    ]
    # z to the last bit; e_IDG divides by 1 − (1 − …)/τ, which λ >= 0.02 keeps away from 0
    yield agree(derived, lambda *p: icl.learning_curve(*p[:-1])[p[-1]], points, digits=11)
