"""The error function: the arcsine kernel of Williams (1997) and its derivative kernel."""

from __future__ import annotations

from collections.abc import Generator

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
    tilted_mass,
    u,
    v,
    value,
    vanishes,
)
from corollary.proofs_check.ntk.quadrature import Quadrature, closed_form_to_50_digits, rule_has_converged
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]

P = (1 + 2 * q1) * (1 + 2 * q2)
VALUE = 2 / sp.pi * sp.asin(2 * k / sp.sqrt(P))
SLOPE = 4 / sp.pi / sp.sqrt(P - 4 * k**2)
SMOOTH = sp.erf(m / sp.sqrt(1 + 2 * s**2))

# With q <= 5 and |c| <= 0.9: P/(P − 4k²) <= 5, so P − 4k² loses a factor 10 and its root 5; arcsin at 2k/√P <= 0.82 loses
# 0.82/√(1 − 0.82²)/arcsin 0.82 < 2. With some 6 roundings of 1.1e-16 both stay below 1e-14.
DIGITS = 13


@derivation(of=ntk.Erf, method="symbolic")
def erf_slope() -> Steps:
    """E[erf'(u) erf'(v)] = (4/π)/√((1+2q1)(1+2q2) − 4k²)."""
    yield density()
    yield gaussian_integral()
    product = sp.diff(sp.erf(u), u) * sp.diff(sp.erf(v), v)
    holds = vanishes(product - 4 / sp.pi * sp.exp(-(u**2 + v**2)))
    yield step("erf'(u) erf'(v) = (4/π) e^(−2(u²+v²)/2)", product, holds=holds)
    mass, tilt = tilted_mass(sp.Integer(2))
    yield tilt
    result = 4 / sp.pi * mass
    yield step(
        "times 4/π: the formula; remainder", sp.simplify(result**2 - SLOPE**2), holds=vanishes(result**2 - SLOPE**2)
    )
    yield agree(formula(result), slope(ntk.Erf()), random_pairs(11), digits=DIGITS)


@derivation(of=ntk.Erf, method="symbolic")
def erf_value() -> Steps:
    """E[erf(u) erf(v)] = (2/π) arcsin(2k/√((1+2q1)(1+2q2))) (Williams 1997)."""
    yield price()
    remainder = sp.diff(VALUE, k) - SLOPE
    yield step("∂/∂k of the result is E[erf'(u) erf'(v)]; remainder", sp.simplify(remainder), holds=vanishes(remainder))
    mean = sp.integrate(sp.erf(u) * sp.exp(-(u**2) / (2 * q1)), (u, -sp.oo, sp.oo))
    yield step("at k = 0 it is E[erf(u)] E[erf(v)], and erf is odd", mean, holds=mean == 0 and VALUE.subs(k, 0) == 0)
    yield agree(formula(VALUE), value(ntk.Erf()), random_pairs(12), digits=DIGITS)


@derivation(of=ntk.Erf, method="digits")
def erf_quadrature() -> Steps:
    """E[erf(u) erf(v)] = (2/π) arcsin(2k/√P) and E[erf' erf'] = (4/π)/√(P − 4k²), against quadrature with 50 digits."""
    yield smoothing(sp.erf, SMOOTH)
    integral = Quadrature(sp.erf(u), sp.erf(u), SMOOTH)
    points = random_pairs(13, 20)
    yield rule_has_converged(integral, points[0])
    yield closed_form_to_50_digits((formula(VALUE), formula(SLOPE)), integral, points[:4])
    routes = ((integral.value, value(ntk.Erf())), (integral.slope, slope(ntk.Erf())))
    both = [(which, *p) for p in points for which in (0, 1)]
    yield agree(lambda i, *p: routes[i][0](*p), lambda i, *p: routes[i][1](*p), both, digits=DIGITS)
