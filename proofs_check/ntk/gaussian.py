"""Lemmas on a Gaussian pair (u,v) ~ N(0, Σ), Σ = [[q1, k], [k, q2]], each checked by SymPy; and random pairs.

Every activation's derivation starts from these lemmas, so that nothing rests on an integral a reader must look up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Step, step

u, v, k, z, m = sp.symbols("u v k z m", real=True)
q1, q2, s = sp.symbols("q1 q2 s", positive=True)

Σ = sp.Matrix([[q1, k], [k, q2]])
DET = q1 * q2 - k**2  # positive: the pair is not degenerate
DENSITY = sp.exp(-(q2 * u**2 - 2 * k * u * v + q1 * v**2) / (2 * DET)) / (2 * sp.pi * sp.sqrt(DET))

Point = tuple[float, float, float]


def vanishes(expression: sp.Expr) -> bool:
    """True iff SymPy simplifies the expression to exactly zero."""
    return sp.simplify(expression) == 0


def density() -> Step:
    """The exponent is −½ zᵀΣ⁻¹z, and the mass is 1 by `gaussian_integral` with M = Σ⁻¹."""
    w = sp.Matrix([u, v])
    exponent = sp.log(DENSITY * 2 * sp.pi * sp.sqrt(DET))
    difference = sp.expand_log(exponent, force=True) + (w.T * Σ.inv() * w)[0] / 2
    holds = vanishes(difference) and vanishes(Σ.inv().det() * DET - 1)
    return step("density p of N(0, Σ)", DENSITY, holds=holds)


def price() -> Step:
    """Price 1958. Boundary terms vanish because φ grows at most linearly."""
    difference = sp.diff(DENSITY, k) - sp.diff(DENSITY, u, v)
    return step(
        "Price: ∂p/∂k = ∂²p/∂u∂v, so two integrations by parts give ∂E[φ(u)φ(v)]/∂k = E[φ'(u)φ'(v)]; "
        "the same for φ', with φ'' as a distribution; remainder",
        sp.simplify(difference / DENSITY),
        holds=vanishes(difference / DENSITY),
    )


def stein() -> Step:
    """Gaussian integration by parts."""
    difference = u * DENSITY + q1 * sp.diff(DENSITY, u) + k * sp.diff(DENSITY, v)
    return step(
        "Stein: u p = −q1 ∂p/∂u − k ∂p/∂v, so E[u g(u,v)] = q1 E[∂g/∂u] + k E[∂g/∂v]; remainder",
        sp.simplify(difference / DENSITY),
        holds=vanishes(difference / DENSITY),
    )


def gaussian_integral() -> Step:
    """∬ exp(−½(a u² + 2b uv + c v²)) = 2π/√(ac − b²), by completing the square."""
    a, c, x = sp.symbols("a c x", positive=True)
    b = sp.Symbol("b", real=True)
    square = sp.expand(a * (u + b * v / a) ** 2 + (c - b**2 / a) * v**2 - (a * u**2 + 2 * b * u * v + c * v**2))
    line = sp.integrate(sp.exp(-x * u**2 / 2), (u, -sp.oo, sp.oo))
    product = line.subs(x, a) ** 2 * line.subs(x, c - b**2 / a) ** 2  # squared: both factors are positive
    holds = square == 0 and vanishes(product - 4 * sp.pi**2 / (a * c - b**2))
    return step(
        "∬ exp(−½ wᵀMw) dw = 2π/√det M for a positive definite 2×2 M", 2 * sp.pi / sp.sqrt(a * c - b**2), holds=holds
    )


def tilted_mass(α: sp.Expr) -> tuple[sp.Expr, Step]:
    """E[exp(−α(u²+v²)/2)] = det(I + αΣ)^{−1/2}, and the step that shows it."""
    M = Σ.inv() + α * sp.eye(2)
    det = sp.expand((sp.eye(2) + α * Σ).det())
    mass = 1 / sp.sqrt(det)
    text = f"E[exp(−{α}(u²+v²)/2)] = (det Σ det(Σ⁻¹ + {α}I))^(−1/2) = det(I + {α}Σ)^(−1/2)"
    return mass, step(text, mass, holds=vanishes(DET * M.det() - det))


def smoothing(φ: Callable[[Any], Any], smooth: sp.Expr) -> Step:
    """h(m,s) = E[φ(m + sZ)] is the solution of the heat equation ∂h/∂s = s ∂²h/∂m² with h(m, 0⁺) = φ(m)."""
    heat = vanishes(sp.diff(smooth, s) - s * sp.diff(smooth, m, 2))
    start = all(
        sp.limit(smooth.subs(m, at), s, 0, "+") == φ(at)
        for at in (sp.Rational(-3, 2), sp.Integer(0), sp.Rational(2, 3))
    )
    return step("E[φ(m + sZ)], Z ~ N(0,1), solves the heat equation and starts at φ", smooth, holds=heat and start)


def random_pairs(seed: int, count: int = 24) -> list[Point]:
    """`count` triples (q1, q2, k) with q from 0.2 to 5 and 0.1 ≤ |k|/√(q1 q2) ≤ 0.9: away from degeneracy and k = 0."""
    rng = np.random.default_rng(seed)
    points = []
    for _ in range(count):
        a, b = np.exp(rng.uniform(np.log(0.2), np.log(5.0), size=2))
        c = rng.choice([-1.0, 1.0]) * rng.uniform(0.1, 0.9)
        points.append((float(a), float(b), float(c * np.sqrt(a * b))))
    return points


def formula(expression: sp.Expr, *variables: sp.Symbol) -> Callable[..., Any]:
    """The expression in (q1, q2, k), or in the variables given, evaluated with 60 digits at exact binary inputs."""
    f = sp.lambdify(variables or (q1, q2, k), expression, "mpmath")

    def evaluate(*numbers: float) -> Any:
        with mp.workdps(60):
            return f(*map(mp.mpf, numbers))

    return evaluate


def value(activation: Any) -> Callable[[float, float, float], float]:
    """E[φ(u)φ(v)] of the code, at one point."""
    return lambda a, b, c: float(activation.dual(np.array([a]), np.array([b]), np.array([c]))[0][0])


def slope(activation: Any) -> Callable[[float, float, float], float]:
    """E[φ'(u)φ'(v)] of the code, at one point."""
    return lambda a, b, c: float(activation.dual(np.array([a]), np.array([b]), np.array([c]))[1][0])
