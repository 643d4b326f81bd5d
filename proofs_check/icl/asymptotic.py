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
