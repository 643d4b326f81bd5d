"""Newton's iteration for S⁻¹ and gradient descent: the recursions solved, the printed constants that fail, step counts."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.icl.wick import floats
from corollary.theory import icl

Steps = Generator[Step | Agreement, None, None]


def _inner(a: Any, b: Any) -> Fraction:
    return sum((s * t for s, t in zip(a, b, strict=True)), Fraction(0))


def _problems(seed: int, count: int) -> list[tuple]:
    """X (4, 2) and y (4,) in small multiples of 1/4; cond S below 30."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        X, y = rng.integers(-6, 7, (4, 2)), rng.integers(-6, 7, 4)
        if np.linalg.cond(X.T @ X) < 30:
            found.append(([[Fraction(int(v), 4) for v in row] for row in X], [Fraction(int(v), 4) for v in y]))
    return found


# cond S < 30 multiplies the roundings of the decomposition: 30 · 2e-16 · a few, of weights of order one.
DIGITS = 12


@derivation(of=icl.newton, method="rational")
def newton() -> Steps:
    """M_{k+1} = 2M_k − M_kSM_k from αS gives M_kS = I − (I − αS²)^{2^k}: on an eigenvalue λ, 1 − M_kλ squares each step."""
    λ, α, m = sp.symbols("λ α m")
    rest = sp.expand(1 - λ * (2 * m - m * λ * m) - (1 - λ * m) ** 2)
    yield step("1 − λM_{k+1} = (1 − λM_k)²; remainder", rest, holds=rest == 0)
    start = sp.expand(1 - λ * (α * λ) - (1 - α * λ**2))
    yield step("1 − λM_0 = 1 − αλ², so 1 − λM_k = (1 − αλ²)^{2^k}; remainder at k = 0", start, holds=start == 0)
    one, two = (sp.expand(sp.cancel((1 - (1 - α * λ**2) ** (2**k)) / λ)) for k in (1, 2))
    right = [2 * α * λ - α**2 * λ**3, 4 * α * λ - 6 * α**2 * λ**3 + 4 * α**3 * λ**5 - α**4 * λ**7]
    yield step(
        "M_1 = 2αS − α²S³, M_2 = 4αS − 6α²S³ + 4α³S⁵ − α⁴S⁷ (binomial coefficients)",
        (one, two),
        holds=[one, two] == [sp.expand(r) for r in right],
    )
    printed = [2 * α * λ - 4 * α**2 * λ**3, 4 * α * λ - 12 * α**2 * λ**3 + 16 * α**3 * λ**5 - 16 * α**4 * λ**7]
    wrong = [sp.expand(a - b) for a, b in zip((one, two), printed, strict=True)]
    yield step(
        "the printed moment expansion is another polynomial; differences", wrong, holds=all(w != 0 for w in wrong)
    )
    stuck = sp.simplify(one.subs(α, 2 / λ**2))
    yield step("the printed α = 2/‖SSᵀ‖₂ makes M_1 = 0 on the top eigenvalue, where it stays", stuck, holds=stuck == 0)

    def derived(X: Any, y: Any, α: Fraction, k: int, a: int) -> Fraction:
        columns = list(zip(*X, strict=True))
        S = [[_inner(p, q) for q in columns] for p in columns]
        M = [[α * s for s in row] for row in S]
        for _ in range(k):
            MS = [[_inner(row, [S[i][j] for i in range(2)]) for j in range(2)] for row in M]
            M = [[2 * M[i][j] - _inner(MS[i], [M[l][j] for l in range(2)]) for j in range(2)] for i in range(2)]
        return _inner(M[a], [_inner(c, y) for c in columns])

    def code(X: Any, y: Any, α: Fraction, k: int, a: int) -> float:
        return float(icl.newton(floats(X), floats(y), [k], alpha=float(α)).weights[0, a])

    points = [(X, y, Fraction(1, 2048), k, a) for X, y in _problems(41, 6) for k in (0, 1, 4, 8) for a in (0, 1)]
    yield agree(derived, code, points, digits=DIGITS, scale=0.1)


@derivation(of=icl.gradient_descent, method="rational")
def descent() -> Steps:
    """w_k = (I − (I − ηS/N)^k) S⁻¹Xᵀy from w_0 = 0; the best rate 2/(λ_min + λ_max) leaves ((κ−1)/(κ+1))^k."""
    η, λ, w, b, l, h = sp.symbols("η λ w b l h", positive=True)
    rest = sp.expand((w + η * (b - λ * w) - b / λ) - (1 - η * λ) * (w - b / λ))
    yield step("w_{k+1} − b/λ = (1 − ηλ)(w_k − b/λ) on an eigenvalue λ of S/N; remainder", rest, holds=rest == 0)
    best = sp.solve(sp.Eq(1 - η * l, -(1 - η * h)), η)
    rest = sp.simplify((1 - best[0] * l) - (h / l - 1) / (h / l + 1))
    yield step(
        "the two ends balance at η = 2/(λ_min + λ_max), where the factor is (κ−1)/(κ+1); remainder",
        rest,
        holds=rest == 0,
    )

    def derived(X: Any, y: Any, η: Fraction, k: int, a: int) -> Fraction:
        columns, w = list(zip(*X, strict=True)), [Fraction(0)] * 2
        for _ in range(k):
            gap = [t - _inner(row, w) for row, t in zip(X, y, strict=True)]
            w = [v + η / 4 * _inner(c, gap) for v, c in zip(w, columns, strict=True)]
        return w[a]

    def code(X: Any, y: Any, η: Fraction, k: int, a: int) -> float:
        return float(icl.gradient_descent(floats(X), floats(y), [k], float(η)).weights[0, a])

    points = [(X, y, Fraction(1, 4), k, a) for X, y in _problems(42, 5) for k in (1, 2, 17) for a in (0, 1)]
    yield agree(derived, code, points, digits=DIGITS, scale=0.1)


@derivation(of=(icl.newton_steps, icl.descent_steps), method="digits")
def step_counts() -> Steps:
    """Smallest k with (1 − κ⁻²)^{2^k} <= ε and with ((κ−1)/(κ+1))^k <= ε: 2 log₂κ + log₂ ln(1/ε), and (κ/2) ln(1/ε)."""
    κ, ε = sp.symbols("κ ε", positive=True)
    newton = sp.limit(sp.log(sp.log(ε) / sp.log(1 - κ**-2)) - 2 * sp.log(κ) - sp.log(-sp.log(ε)), κ, sp.oo)
    yield step("log₂[ln ε/ln(1 − κ⁻²)] − 2 log₂κ − log₂ ln(1/ε) → 0", newton, holds=newton == 0)
    linear = sp.limit(sp.log(ε) / sp.log((κ - 1) / (κ + 1)) / κ, κ, sp.oo)
    yield step("ln ε/(κ ln((κ−1)/(κ+1))) → ½ ln(1/ε)", linear, holds=sp.simplify(linear + sp.log(ε) / 2) == 0)

    def derived(which: int, condition: float, accuracy: float) -> int:
        with mp.workdps(60):
            κ, ε = mp.mpf(condition), mp.mpf(accuracy)
            base = mp.log(1 - κ**-2) if which == 0 else mp.log((κ - 1) / (κ + 1))
            exact = mp.log(ε) / base
            return int(mp.ceil(mp.log(exact, 2) if which == 0 else exact))

    def code(which: int, condition: float, accuracy: float) -> int:
        return (icl.newton_steps, icl.descent_steps)[which](condition, accuracy)

    points = [(w, c, a) for w in (0, 1) for c in (2.5, 10.0, 333.0, 1e5) for a in (1e-3, 1e-7, 1e-12)]
    yield agree(derived, code, points, digits=15)
