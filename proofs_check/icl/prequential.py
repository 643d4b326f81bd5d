"""Prequential codes of Bayesian linear regression: one-step losses add up to the marginal likelihood."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.icl.wick import floats, rational
from corollary.theory import icl

Steps = Generator[Step | Agreement, None, None]


@derivation(of=(icl.code_lengths, icl.marginal_code_length), method="digits")
def code_length() -> Steps:
    """Σ −log₂ p(y_{i+1}|y_1…y_i) = −log₂ p(y): for Gaussians, det and the quadratic form of Σ split by Schur complements."""
    a, b, c, y1, y2 = sp.symbols("a b c y1 y2", positive=True)
    Σ, y = sp.Matrix([[a, b], [b, c]]), sp.Matrix([y1, y2])
    v, mean = c - b**2 / a, b / a * y1
    rest = sp.simplify((y.T * Σ.inv() * y)[0] - y1**2 / a - (y2 - mean) ** 2 / v)
    yield step("yᵀΣ⁻¹y = y₁²/a + (y₂ − m)²/v; remainder", rest, holds=rest == 0)
    rest = sp.simplify(Σ.det() - a * v)
    yield step("det Σ = a v; remainder", rest, holds=rest == 0)
    x, P, s = sp.symbols("x P s", positive=True)
    rest = sp.simplify(P - P**2 * x**2 / (P * x**2 + s) - 1 / (1 / P + x**2 / s))
    yield step(
        "the rank-one update of the posterior is the sum of precisions; remainder in one dimension",
        rest,
        holds=rest == 0,
    )

    def derived(X: Any, y: Any) -> Any:
        with mp.workdps(50):
            A = mp.matrix(floats(X).tolist())
            Σ = A * A.T + mp.mpf("0.25") * mp.eye(len(y))
            t = mp.matrix(floats(y).tolist())
            quadratic = (t.T * mp.lu_solve(Σ, t))[0]
            return (quadratic + mp.log(mp.det(Σ)) + len(y) * mp.log(2 * mp.pi)) / (2 * mp.log(2))

    def code(X: Any, y: Any) -> float:
        bits = float(np.sum(icl.code_lengths(floats(X), floats(y), 0.25)))
        whole = icl.marginal_code_length(floats(X), floats(y), 0.25)
        return whole if abs(bits - whole) < 1e-12 * (1 + abs(whole)) else float("nan")

    rng = np.random.default_rng(61)
    points = [(rational(rng, 2 + i % 5, 1 + i % 3), rational(rng, 2 + i % 5)) for i in range(24)]
    yield agree(derived, code, points, digits=12, scale=1.0)
