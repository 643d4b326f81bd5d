"""ReLU, leaky ReLU and |x|: the arc-cosine expectations of order 0 and 1 (Cho & Saul 2009)."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.gaussian import (
    DENSITY,
    density,
    formula,
    k,
    m,
    price,
    q1,
    q2,
    random_pairs,
    s,
    slope,
    smoothing,
    u,
    v,
    value,
    vanishes,
)
from corollary.proofs_check.ntk.quadrature import Quadrature, closed_form_to_50_digits, rule_has_converged
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]

a = sp.Symbol("a", real=True)  # slope of the leaky ReLU
θ = sp.acos(k / sp.sqrt(q1 * q2))
SLOPE = (sp.pi - θ) / (2 * sp.pi)


def arc_cosine(angle: sp.Expr) -> sp.Expr:
    """E[relu(u) relu(v)] at the angle between u and v."""
    return sp.sqrt(q1 * q2) / (2 * sp.pi) * (sp.sin(angle) + (sp.pi - angle) * sp.cos(angle))


VALUE = arc_cosine(θ)
# φ(x) = relu(x) − a relu(−x); relu(u) relu(−v) has the covariance −k
LEAKY_SLOPE = (1 + a**2) * SLOPE + 2 * a * SLOPE.subs(k, -k)
LEAKY_VALUE = (1 + a**2) * VALUE - 2 * a * VALUE.subs(k, -k)
SMOOTH_ABS = m * sp.erf(m / (s * sp.sqrt(2))) + s * sp.sqrt(2 / sp.pi) * sp.exp(-(m**2) / (2 * s**2))

# At c = k/√(q1 q2) >= −0.9 the terms sin θ and (π − θ) c of ReLU cancel to 1/15 of their size and arccos loses
# 1/sin θ <= 2.3; with some 8 roundings of 1.1e-16 that is below 3e-14.
RELU_DIGITS = 13
# Leaky values may cross zero, so the error is taken in units of the Cauchy–Schwarz bound √(E[φ(u)²] E[φ(v)²]), where
# nothing cancels: 8 roundings, times 1/sin θ <= 2.3, is 2e-15.
LEAKY_DIGITS = 14


@derivation(of=ntk.Relu, method="symbolic")
def relu_slope() -> Steps:
    """E[relu'(u) relu'(v)] = P(u > 0, v > 0) = (π − θ)/2π (Sheppard; Cho & Saul 2009, order 0)."""
    yield density()
    yield price()
    origin = DENSITY.subs({u: 0, v: 0})
    yield step("relu'' is Dirac's δ, so ∂P/∂k is the density at the origin", origin)
    remainder = sp.diff(SLOPE, k) - origin
    yield step(
        "∂/∂k of (π − θ)/2π with cos θ = k/√(q1 q2) is that density; remainder",
        sp.simplify(remainder),
        holds=vanishes(remainder),
    )
    half = sp.integrate(sp.exp(-(u**2) / (2 * q1)) / sp.sqrt(2 * sp.pi * q1), (u, 0, sp.oo))
    yield step("at k = 0, u and v are independent: P = P(u > 0)²", half**2, holds=vanishes(SLOPE.subs(k, 0) - half**2))
    yield agree(formula(SLOPE), slope(ntk.Relu()), random_pairs(1), digits=RELU_DIGITS)


@derivation(of=ntk.Relu, method="symbolic")
def relu_value() -> Steps:
    """E[relu(u) relu(v)] = √(q1 q2)/(2π) (sin θ + (π − θ) cos θ), by Price's theorem (Cho & Saul 2009, order 1)."""
    yield price()
    remainder = sp.diff(VALUE, k) - SLOPE
    yield step("∂/∂k of the result is P(u > 0, v > 0); remainder", sp.simplify(remainder), holds=vanishes(remainder))
    mean = sp.integrate(u * sp.exp(-(u**2) / (2 * q1)) / sp.sqrt(2 * sp.pi * q1), (u, 0, sp.oo))
    at_zero = mean * mean.subs(q1, q2)
    yield step("at k = 0: E[relu(u)] E[relu(v)]", at_zero, holds=vanishes(VALUE.subs(k, 0) - at_zero))
    yield agree(formula(VALUE), value(ntk.Relu()), random_pairs(2), digits=RELU_DIGITS)


@derivation(of=ntk.Relu, method="symbolic")
def relu_value_in_polar_coordinates() -> Steps:
    """The same expectation by direct integration: u = √q1 r cos t, v = √q2 r cos(t − θ)."""
    r, t = sp.symbols("r t", positive=True)
    angle = sp.Symbol("θ", positive=True)
    circle = {
        name: sp.integrate(f, (t, 0, 2 * sp.pi)) / (2 * sp.pi) * sp.integrate(r**3 * sp.exp(-(r**2) / 2), (r, 0, sp.oo))
        for name, f in (("1", sp.cos(t) ** 2), ("c", sp.expand_trig(sp.cos(t) * sp.cos(t - angle))))
    }
    holds = vanishes(circle["1"] - 1) and vanishes(circle["c"] - sp.cos(angle))
    yield step(
        "variances 1, 1 and covariance cos θ of (r cos t, r cos(t − θ)), density e^(−r²/2) r/2π", circle, holds=holds
    )
    radial = sp.integrate(r**3 * sp.exp(-(r**2) / 2), (r, 0, sp.oo))
    yield step("radial integral ∫ r³ e^(−r²/2) dr", radial, holds=radial == 2)
    primitive = t * sp.cos(angle) / 2 + sp.sin(2 * t - angle) / 4
    inner = sp.diff(primitive, t) - sp.cos(t) * sp.cos(t - angle)
    yield step("primitive of cos t cos(t − θ)", primitive, holds=vanishes(sp.expand_trig(inner)))
    angular = primitive.subs(t, sp.pi / 2) - primitive.subs(t, angle - sp.pi / 2)
    yield step("both cosines are positive for θ − π/2 < t < π/2: angular integral", sp.simplify(angular))
    result = sp.sqrt(q1 * q2) / (2 * sp.pi) * radial * angular
    difference = result - arc_cosine(angle)
    yield step(
        "√(q1 q2)/2π times both is the arc-cosine formula; remainder",
        sp.simplify(difference),
        holds=vanishes(difference),
    )
    yield agree(formula(result.subs(angle, θ)), value(ntk.Relu()), random_pairs(3), digits=RELU_DIGITS)


@derivation(of=(ntk.LeakyRelu, ntk.Abs, ntk.Identity), method="symbolic")
def leaky_value() -> Steps:
    """φ(x) = max(x,0) + a min(x,0): E[φ(u)φ(v)] = (1+a²) E_relu(θ) − 2a E_relu(π−θ); |x| is a = −1 and x is a = 1."""
    x = sp.Symbol("x", real=True)
    leaky = sp.Max(x, 0) - a * sp.Max(-x, 0)
    sides = [sp.simplify(leaky.subs(x, sign * q1) - want) for sign, want in ((1, q1), (-1, -a * q1))]
    yield step("φ(x) = relu(x) − a relu(−x)", leaky, holds=sides == [0, 0])
    even = DENSITY.subs({u: -u, v: -v}, simultaneous=True) - DENSITY
    flip = DENSITY.subs({v: -v}, simultaneous=True) - DENSITY.subs(k, -k)
    yield step("(−u,−v) has the law of (u,v); (u,−v) that with −k", LEAKY_VALUE, holds=even == 0 and vanishes(flip))
    α, β, J = (1 + a) / 2, (1 - a) / 2, (sp.sin(θ) - θ * sp.cos(θ)) / sp.pi
    short = sp.sqrt(q1 * q2) * ((α**2 + β**2) * sp.cos(θ) + 2 * β**2 * J)
    holds = vanishes((short - LEAKY_VALUE).rewrite(sp.asin).expand())
    yield step("with φ = αx + β|x| that is s[(α²+β²) cos θ + 2β² J(θ)]", short, holds=holds)
    identity = LEAKY_VALUE.subs(a, 1).rewrite(sp.asin)
    yield step("a = 1 is the identity, whose expectation is k", sp.simplify(identity), holds=vanishes(identity - k))
    yield agree(_in_units(LEAKY_VALUE, True), _code(0), _leaky_points(4), digits=LEAKY_DIGITS, scale=1.0)


@derivation(of=(ntk.LeakyRelu, ntk.Abs, ntk.Identity), method="symbolic")
def leaky_slope() -> Steps:
    """φ'(x) is 1 or a: E[φ'(u)φ'(v)] = (1+a²)(π−θ)/2π + 2a θ/2π."""
    remainder = sp.diff(LEAKY_VALUE, k) - LEAKY_SLOPE
    yield price()
    yield step("∂E[φφ]/∂k; remainder", sp.simplify(remainder), holds=vanishes(remainder))
    masses = SLOPE + SLOPE.subs(k, -k)
    yield step(
        "the quadrants u, v > 0 and u > 0 > v have the masses (π−θ)/2π and θ/2π, together 1/2",
        masses,
        holds=vanishes(masses.rewrite(sp.asin) - sp.Rational(1, 2)),
    )
    yield agree(_in_units(LEAKY_SLOPE, False), _code(1), _leaky_points(5), digits=LEAKY_DIGITS, scale=1.0)


@derivation(of=(ntk.Relu, ntk.LeakyRelu, ntk.Abs), method="digits")
def leaky_quadrature() -> Steps:
    """Both expectations of max(x,0) + a min(x,0), a = 0, 0.1, −1, −0.7, against quadrature with 50 digits."""
    integrals = {}
    for slant in (0.0, 0.1, -1.0, -0.7):
        exact = sp.Rational(slant)  # the binary number that the code sees, not the decimal fraction
        smooth = (1 + exact) / 2 * m + (1 - exact) / 2 * SMOOTH_ABS
        yield smoothing(lambda x, exact=exact: sp.Max(x, 0) + exact * sp.Min(x, 0), smooth)
        integrals[slant] = Quadrature(u, exact * u, smooth)
        points = random_pairs(6, 2)
        yield rule_has_converged(integrals[slant], points[0])
        closed = formula(LEAKY_VALUE.subs(a, exact)), formula(LEAKY_SLOPE.subs(a, exact))
        yield closed_form_to_50_digits(closed, integrals[slant], points, f" for slope {slant}")

    def integral(which: int, slant: float, *point: float):
        f = integrals[slant].slope if which else integrals[slant].value
        return f(*point) / _unit(which == 0, slant, *point)

    points = [(which, slant, *p) for slant in integrals for p in random_pairs(7, 5) for which in (0, 1)]
    yield agree(integral, lambda which, *p: _code(which)(*p), points, digits=LEAKY_DIGITS, scale=1.0)


def _unit(with_variances: bool, slant: float, *point: float) -> float:
    """√(E[φ(u)²] E[φ(v)²]), or that of φ'."""
    return (1 + slant**2) / 2 * (np.sqrt(point[0] * point[1]) if with_variances else 1.0)


def _in_units(expression: sp.Expr, with_variances: bool):
    f = formula(expression, a, q1, q2, k)
    return lambda slant, *p: f(slant, *p) / _unit(with_variances, slant, *p)


def _code(which: int):
    """The code's expectation in those units, from the class that a user would take for the slope."""

    def evaluate(slant: float, *p: float) -> float:
        named = {0.0: ntk.Relu, -1.0: ntk.Abs, 1.0: ntk.Identity}
        activation = named[slant]() if slant in named else ntk.LeakyRelu(slant)
        return (slope if which else value)(activation)(*p) / _unit(which == 0, slant, *p)

    return evaluate


def _leaky_points(seed: int) -> list[tuple[float, ...]]:
    slants = [0.1, -1.0, 1.0, -0.3, 2.0, 0.5]
    return [(slants[i % 6], *p) for i, p in enumerate(random_pairs(seed))]
