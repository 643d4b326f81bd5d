"""GELU, φ(x) = xΦ(x) with the normal distribution function Φ: both expectations by Gaussian integration by parts."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.gaussian import (
    density,
    formula,
    gaussian_integral,
    k,
    m,
    price,
    q1,
    q2,
    random_pairs,
    s,
    slope,
    smoothing,
    stein,
    tilted_mass,
    u,
    value,
    vanishes,
)
from corollary.proofs_check.ntk.quadrature import Quadrature, closed_form_to_50_digits, rule_has_converged
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]


def Φ(x: sp.Expr) -> sp.Expr:
    """The normal distribution function."""
    return (1 + sp.erf(x / sp.sqrt(2))) / 2


def p(x: sp.Expr) -> sp.Expr:
    """The normal density."""
    return sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)


Q = (1 + q1) * (1 + q2)
D = Q - k**2
PP = 1 / (2 * sp.pi * sp.sqrt(D))  # E[p(u)p(v)]
ΦΦ = sp.Rational(1, 4) + sp.asin(k / sp.sqrt(Q)) / (2 * sp.pi)  # E[Φ(u)Φ(v)]
VALUE = k * ΦΦ + (q1 * q2 * D + k**2) / Q * PP
SLOPE = ΦΦ + k * (3 + q1 + q2 + k**2 / D) / Q * PP
r = sp.sqrt(1 + s**2)
SMOOTH = m * Φ(m / r) + s**2 / r * p(m / r)

# E[φφ] crosses zero where k < 0 (k Φ-term against the rest), so it is compared in units of √(q1 q2), and 1/10 of that at
# least: there the terms sum to at most 0.45 in magnitude. For E[φ'φ'] the terms sum to at most 6 times the result where
# k < 0, and nothing cancels where k > 0. Times some 10 roundings of 1.1e-16: 7e-15. (q in [0.2, 5], 0.1 <= |c| <= 0.9.)
DIGITS = 13
SCALE = 0.1


def in_units(f: Callable[..., Any]) -> Callable[..., Any]:
    """E[φφ]/√(q1 q2)."""
    return lambda a, b, c: f(a, b, c) / (a * b) ** 0.5


@derivation(of=ntk.Gelu, method="symbolic")
def gelu_value() -> Steps:
    """E[uΦ(u) vΦ(v)] = kE[ΦΦ] + (q1 q2 D/Q + k²/Q)/(2π√D), Q = (1+q1)(1+q2), D = Q − k²."""
    yield density()
    yield price()
    yield stein()
    yield gaussian_integral()
    mass, tilt = tilted_mass(sp.Integer(1))
    yield tilt
    yield step("so E[p(u)p(v)]", PP, holds=vanishes((mass / (2 * sp.pi)) ** 2 - PP**2))
    remainder = sp.diff(ΦΦ, k) - PP
    yield step("∂E[Φ(u)Φ(v)]/∂k = E[p(u)p(v)]; remainder", sp.simplify(remainder), holds=vanishes(remainder))
    half = sp.integrate(sp.erf(u) * sp.exp(-(u**2) / (2 * q1)), (u, -sp.oo, sp.oo))
    yield step(
        "at k = 0, E[Φ(u)]² = 1/4, as Φ − 1/2 is odd",
        ΦΦ.subs(k, 0),
        holds=half == 0 and ΦΦ.subs(k, 0) == sp.Rational(1, 4),
    )
    A, B, C = sp.symbols("A B C")  # E[u p(u)Φ(v)], E[v p(u)Φ(v)], E[v Φ(u)p(v)]
    rules = [sp.diff(Φ(u), u) - p(u), sp.diff(p(u), u) + u * p(u)]
    yield step("Φ' = p, p' = −x p", "Φ' − p = 0, p' + x p = 0", holds=all(map(vanishes, rules)))
    solved = sp.solve(
        [
            sp.Eq(A, -q1 * A + k * PP),  # Stein with g = p(u)Φ(v)
            sp.Eq(B, -k * A + q2 * PP),  # the same g, with v in front
            sp.Eq(C, -q2 * C + k * PP),  # g = Φ(u)p(v), with v in front
        ],
        [A, B, C],
        dict=True,
    )[0]
    yield step("Stein for E[u pΦ], E[v pΦ], E[v Φp], linear equations", solved)
    result = k * ΦΦ + q1 * solved[B] + k * solved[C]
    yield step("Stein with g = vΦ(u)Φ(v): q1 E[v p(u)Φ(v)] + k E[ΦΦ] + k E[vΦ(u)p(v)]", result)
    yield step("in the form of the docstring; remainder", sp.simplify(result - VALUE), holds=vanishes(result - VALUE))
    yield agree(in_units(formula(result)), in_units(value(ntk.Gelu())), random_pairs(31), digits=DIGITS, scale=SCALE)


@derivation(of=ntk.Gelu, method="symbolic")
def gelu_slope() -> Steps:
    """φ' = Φ + x p: E[φ'φ'] = E[ΦΦ] + E[u pΦ] + E[v Φp] + E[uv pp], and the same from ∂E[φφ]/∂k."""
    yield stein()
    derivative = sp.diff(u * Φ(u), u)
    yield step("φ'", derivative, holds=vanishes(derivative - Φ(u) - u * p(u)))
    single = k / (1 + q1) * PP + k / (1 + q2) * PP
    yield step("E[u p(u)Φ(v)] + E[v Φ(u)p(v)], as in gelu_value", single)
    tilted = (sp.Matrix([[q1, k], [k, q2]]).inv() + sp.eye(2)).inv()[0, 1]
    yield step(
        "p(u)p(v) tilts the covariance to (Σ⁻¹ + I)⁻¹: E[uv pp]/E[pp]",
        sp.simplify(tilted),
        holds=vanishes(tilted - k / D),
    )
    result = ΦΦ + single + k / D * PP
    yield price()
    yield step(
        "∂E[φφ]/∂k gives the same; remainder",
        sp.simplify(result - sp.diff(VALUE, k)),
        holds=vanishes(result - sp.diff(VALUE, k)),
    )
    yield step("in one fraction; remainder", sp.simplify(result - SLOPE), holds=vanishes(result - SLOPE))
    yield agree(formula(result), slope(ntk.Gelu()), random_pairs(32), digits=DIGITS)


@derivation(of=ntk.Gelu, method="digits")
def gelu_quadrature() -> Steps:
    """E[φφ] = kE[ΦΦ] + (q1 q2 D + k²)/(2πQ√D) and ∂E[φφ]/∂k = E[φ'φ'], against quadrature with 50 digits."""
    yield smoothing(lambda x: x * Φ(x), SMOOTH)
    integral = Quadrature(u * Φ(u), u * Φ(u), SMOOTH)
    points = random_pairs(33, 20)
    yield rule_has_converged(integral, points[0])
    yield closed_form_to_50_digits((formula(VALUE), formula(SLOPE)), integral, points[:4])
    routes = (
        (in_units(integral.value), in_units(value(ntk.Gelu()))),
        (integral.slope, slope(ntk.Gelu())),
    )
    both = [(which, *point) for point in points for which in (0, 1)]
    yield agree(lambda i, *x: routes[i][0](*x), lambda i, *x: routes[i][1](*x), both, digits=DIGITS, scale=SCALE)
