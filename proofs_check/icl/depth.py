"""Several layers: the best steps without noise, and the condition number that one GD++ map leaves."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import icl

Steps = Generator[Step | Agreement, None, None]


@derivation(of=icl.optimal_steps, method="digits")
def best_steps() -> Steps:
    """min ∫ r² dμ over r(0) = 1 of degree k is 1/Σ_{j <= k} p_j(0)², p_j orthonormal for μ: all roots real, so it is Π(1 − η_l λ)."""
    λ = sp.Symbol("λ")
    # k = 2 for moments 1, m1, m2, m3, m4: stationarity in both coefficients is orthogonality to λ and λ² under μ
    m = sp.symbols("m0:5", positive=True)
    a, b = sp.symbols("a b")
    r = 1 + a * λ + b * λ**2
    mean = lambda p: sum(c * m[i] for (i,), c in sp.Poly(sp.expand(p), λ).terms())  # noqa: E731
    rest = [sp.expand(sp.diff(mean(r * r), x) / 2 - mean(r * λ**i)) for x, i in ((a, 1), (b, 2))]
    yield step(
        "½ ∂/∂a ∫r² = ∫ r λ dμ, ½ ∂/∂b ∫r² = ∫ r λ² dμ: r is orthogonal to 1, λ under λ μ(dλ)",
        rest,
        holds=rest == [0, 0],
    )

    def derived(d: int, N: int, scale: Fraction, k: int, which: Any) -> Any:
        # exact normal equations for the coefficients of r in powers of λ; Wishart moments, checked by another derivation
        M = [Fraction(icl.wishart_moment(i, N, d)) * (scale / N) ** i / d for i in range(2 * k + 1)]
        A = sp.Matrix(k, k, lambda i, j: sp.Rational(M[i + j + 2].numerator, M[i + j + 2].denominator))
        rhs = sp.Matrix(k, 1, lambda i, _: -sp.Rational(M[i + 1].numerator, M[i + 1].denominator))
        c = [sp.Integer(1), *A.LUsolve(rhs)]
        if which == "excess":  # ∫ r² = ∫ r · 1, by the same orthogonality
            total = sum(c[i] * sp.Rational(M[i].numerator, M[i].denominator) for i in range(k + 1))
            return Fraction(int(total.p), int(total.q)) * scale * d
        with mp.workdps(40):
            roots = mp.polyroots([mp.mpf(x.p) / x.q for x in reversed(c)], maxsteps=200, extraprec=200)
            # an orthogonal polynomial of a weight on (0, ∞) has its roots there: each is the 1/η of a real step
            real = all(abs(mp.im(x)) < mp.mpf(10) ** -30 and mp.re(x) > 0 for x in roots)
            return sorted(1 / mp.re(x) for x in roots)[which] if real else mp.nan

    def code(d: int, N: int, scale: Fraction, k: int, which: Any) -> float:
        found = icl.optimal_steps(icl.LinearTask(d, N, float(scale) * np.eye(d)), k)
        return found.excess if which == "excess" else float(found.etas[which])

    points: list[Any] = [
        (d, N, scale, k, "excess")
        for d, N, scale in ((2, 3, Fraction(1)), (5, 20, Fraction(1)), (3, 8, Fraction(3, 4)), (10, 10, Fraction(1)))
        for k in (1, 2, 3, 5)
    ]
    points += [(5, 20, Fraction(1), 3, i) for i in range(3)] + [(3, 8, Fraction(3, 4), 2, i) for i in range(2)]
    # the search stops at a slope of 1e-9 in steps, where the excess is flat; a step itself is known to 1e-9
    yield agree(derived, code, points, digits=8)


@derivation(of=(icl.gdpp_spectrum, icl.gdpp_condition, icl.best_gdpp), method="digits")
def gdpp_map() -> Steps:
    """X ← X − γ X XᵀX has Gram eigenvalues f(λ) = λ(1 − γλ)²; f′ = (1 − γλ)(1 − 3γλ); the best γ makes f(1/κ) = f(1)."""
    λ, g, κ, q = sp.symbols("λ g κ q", positive=True)
    s = sp.Symbol("s", positive=True)  # singular value
    rest = sp.expand((s - g * s**3) ** 2 - (s**2 * (1 - g * s**2) ** 2))
    yield step("singular values s − γs³, squared: λ(1 − γλ)²; remainder", rest, holds=rest == 0)
    f = λ * (1 - g * λ) ** 2
    rest = sp.expand(sp.diff(f, λ) - (1 - g * λ) * (1 - 3 * g * λ))
    yield step("f′ = (1 − gλ)(1 − 3gλ); remainder", rest, holds=rest == 0)
    top = sp.simplify(f.subs(λ, 1 / (3 * g)) - sp.Rational(4, 27) / g)
    yield step("the maximum on (0, 1/g) is f(1/(3g)) = 4/(27g); remainder", top, holds=top == 0)
    at = 1 / (1 + q + q**2)
    ends = sp.simplify(f.subs(λ, 1).subs(g, at) - f.subs(λ, q**2).subs(g, at))
    yield step("f(1) = f(1/κ) at g = 1/(1 + q + q²), q = κ^(−1/2); remainder", ends, holds=ends == 0)
    best = sp.simplify(
        4 / (27 * at) / f.subs(λ, 1).subs(g, at) - sp.Rational(4, 27) * (1 + q + q**2) ** 3 / (q + q**2) ** 2
    )
    yield step("κ′ = 4/(27g)/f(1) there; remainder", best, holds=best == 0)
    down = sp.simplify(sp.diff(sp.log(f.subs(λ, 1 / κ) * g), g) - (1 - 3 * g / κ) / (g * (1 - g / κ)))
    yield step(
        "left of it κ′ = 4/(27 g f(1/κ)) falls, as g f(1/κ) grows for g < κ/3 …; remainder", down, holds=down == 0
    )
    up = sp.simplify(sp.diff(sp.log(g * f.subs(λ, 1)), g) - (1 - 3 * g) / (g * (1 - g)))
    yield step("… right of it κ′ = 4/(27 g f(1)) grows for g > 1/3; remainder", up, holds=up == 0)

    def condition(κ: Any, g: Any) -> Any:
        """Extremes over the ends and all roots of f′ inside, found by the polynomial's own roots."""
        inside = mp.polyroots([3 * g * g, -4 * g, 1]) if g else []
        points = [1 / κ, mp.mpf(1), *(mp.re(x) for x in inside if 1 / κ < mp.re(x) < 1)]
        values = [x - 2 * g * x**2 + g**2 * x**3 for x in points]
        return max(values) / min(values)

    def derived(which: str, condition_number: float, g: float) -> Any:
        with mp.workdps(40):
            κ = mp.mpf(condition_number)
            if which == "condition":
                return condition(κ, mp.mpf(g))
            low, high = mp.mpf(0), mp.mpf(1)  # golden section on the function itself
            for _ in range(100):
                third = (high - low) * (3 - mp.sqrt(5)) / 2
                a, b = low + third, high - third
                low, high = (low, b) if condition(κ, a) < condition(κ, b) else (a, high)
            return (low + high) / 2 if which == "g" else condition(κ, (low + high) / 2)

    def code(which: str, κ: float, g: float) -> float:
        if which == "condition":
            spectrum = icl.gdpp_spectrum(np.array([1 / κ, 1.0, min(1.0, max(1 / κ, 1 / (3 * g)))]), g)
            both = icl.gdpp_condition(κ, g), float(spectrum.max() / spectrum.min())
            return both[0] if abs(both[0] - both[1]) < 1e-12 * both[0] else float("nan")
        return icl.best_gdpp(κ)[which == "value"]

    points = [("condition", κ, g) for κ in (1.5, 4.0, 100.0, 1e6) for g in (0.1, 0.3, 0.5, 0.95)]
    points += [(w, κ, 0.0) for w in ("g", "value") for κ in (2.0, 4.0, 10.0, 1000.0)]
    yield agree(derived, code, points, digits=12)
