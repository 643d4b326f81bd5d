"""The sine: expectations of products from the characteristic function of (u, v). And the identity."""

from __future__ import annotations

from collections.abc import Generator

import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.gaussian import (
    DENSITY,
    Σ,
    density,
    formula,
    k,
    m,
    q1,
    q2,
    random_pairs,
    s,
    slope,
    smoothing,
    stein,
    u,
    v,
    value,
    vanishes,
)
from corollary.proofs_check.ntk.quadrature import Quadrature, closed_form_to_50_digits, rule_has_converged
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]

MINUS, PLUS = sp.exp(-(q1 + q2 - 2 * k) / 2), sp.exp(-(q1 + q2 + 2 * k) / 2)  # E cos(u − v), E cos(u + v)
VALUE, SLOPE = (MINUS - PLUS) / 2, (MINUS + PLUS) / 2

# exp(x) with x = −(q1+q2∓2k)/2, |x| <= 10, has a relative error of |x| · 2 roundings + 1. The difference of both
# exponentials is (1 − e^{−2|k|}) of the larger, and |k| >= 0.1 · 0.2 = 0.02 leaves 1/25 of it: 50 · 21 · 1.1e-16 = 1.2e-13
# at worst.
DIGITS = 12


@derivation(of=ntk.Sin, method="symbolic")
def sin_expectations() -> Steps:
    """E[sin u sin v] = ½(E cos(u−v) − E cos(u+v)), E[cos u cos v] the sum, with E cos(u±v) = e^{−(q1+q2±2k)/2}."""
    yield density()
    a, b = sp.symbols("a b", real=True)
    t, w = sp.Matrix([a, b]), sp.Matrix([u, v])
    centre = sp.I * Σ * t
    (exponent,) = (e.exp for e in DENSITY.atoms(sp.exp))
    shifted = exponent.subs({u: u - centre[0], v: v - centre[1]}, simultaneous=True)
    remainder = exponent + sp.I * t.dot(w) - shifted + (t.T * Σ * t)[0] / 2
    yield step(
        "p(w) e^{i t·w} = e^{−tᵀΣt/2} p(w − iΣt); p is entire and decays, so the plane of integration moves back to the "
        "reals and E e^{i t·w} = e^{−tᵀΣt/2}; remainder of the exponents",
        sp.simplify(remainder),
        holds=vanishes(remainder),
    )
    characteristic = sp.exp(-(t.T * Σ * t)[0] / 2)
    ends = [characteristic.subs({a: 1, b: -1}) - MINUS, characteristic.subs({a: 1, b: 1}) - PLUS]
    yield step("E cos(u ∓ v), the real parts at t = (1, ∓1)", (MINUS, PLUS), holds=all(map(vanishes, ends)))
    products = [
        sp.sin(u) * sp.sin(v) - (sp.cos(u - v) - sp.cos(u + v)) / 2,
        sp.cos(u) * sp.cos(v) - (sp.cos(u - v) + sp.cos(u + v)) / 2,
    ]
    yield step("product formulas", (VALUE, SLOPE), holds=all(vanishes(sp.expand_trig(p)) for p in products))
    yield step("Price: ∂E/∂k is the other one", SLOPE, holds=vanishes(sp.diff(VALUE, k) - SLOPE))
    routes = ((formula(VALUE), value(ntk.Sin())), (formula(SLOPE), slope(ntk.Sin())))
    points = [(which, *p) for p in random_pairs(21) for which in (0, 1)]
    yield agree(lambda i, *p: routes[i][0](*p), lambda i, *p: routes[i][1](*p), points, digits=DIGITS)


@derivation(of=ntk.Sin, method="digits")
def sin_quadrature() -> Steps:
    """E[sin u sin v] = ½(e^{−(q1+q2−2k)/2} − e^{−(q1+q2+2k)/2}) and E[cos u cos v], against quadrature with 50 digits."""
    smooth = sp.exp(-(s**2) / 2) * sp.sin(m)
    yield smoothing(sp.sin, smooth)
    integral = Quadrature(sp.sin(u), sp.sin(u), smooth)
    points = random_pairs(22, 20)
    yield rule_has_converged(integral, points[0])
    yield closed_form_to_50_digits((formula(VALUE), formula(SLOPE)), integral, points[:4])
    routes = ((integral.value, value(ntk.Sin())), (integral.slope, slope(ntk.Sin())))
    both = [(which, *p) for p in points for which in (0, 1)]
    yield agree(lambda i, *p: routes[i][0](*p), lambda i, *p: routes[i][1](*p), both, digits=DIGITS)


@derivation(of=ntk.Identity, method="symbolic")
def identity_expectations() -> Steps:
    """φ(x) = x: E[uv] = k by Stein's identity with g = v, and E[1·1] = 1."""
    yield stein()
    expectation = q1 * sp.diff(v, u) + k * sp.diff(v, v)
    yield step("g = v: q1 ∂v/∂u + k ∂v/∂v", expectation, holds=expectation == k)
    yield step("φ' = 1", sp.diff(u, u), holds=sp.diff(u, u) == sp.diff(expectation, k))
    routes = ((formula(expectation), value(ntk.Identity())), (formula(sp.Integer(1)), slope(ntk.Identity())))
    points = [(which, *p) for p in random_pairs(23) for which in (0, 1)]
    # k = √q1 √q2 (k/√(q1 q2)): at most 6 roundings of 1.1e-16, nothing cancels
    yield agree(lambda i, *p: routes[i][0](*p), lambda i, *p: routes[i][1](*p), points, digits=15)
