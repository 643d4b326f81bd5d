"""Cos, random Fourier features, the erf sigmoid, sign, ABRelu, polynomials, and any function by quadrature."""

from __future__ import annotations

from collections.abc import Generator

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk import arccos, arcsine, sine
from corollary.proofs_check.ntk.gaussian import (
    formula,
    k,
    price,
    q1,
    q2,
    random_pairs,
    slope,
    stein,
    u,
    v,
    value,
    vanishes,
)
from corollary.proofs_check.ntk.networks import quadrature
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]
ω = sp.Symbol("ω", positive=True)


def _both(activation: object, E: sp.Expr, E1: sp.Expr, seed: int, digits: float, scale: float = 0.0) -> Agreement:
    """Value and slope of the code against both expressions at 24 pairs each."""
    routes = ((formula(E), value(activation)), (formula(E1), slope(activation)))
    points = [(which, *p) for p in random_pairs(seed) for which in (0, 1)]
    return agree(lambda i, *p: routes[i][0](*p), lambda i, *p: routes[i][1](*p), points, digits=digits, scale=scale)


@derivation(of=ntk.Cos, method="symbolic")
def cos_expectations() -> Steps:
    """E[cos u cos v] = ½(E cos(u−v) + E cos(u+v)), E[sin u sin v] the difference (E cos(u±v): `sin_expectations`)."""
    E, E1 = (sine.MINUS + sine.PLUS) / 2, (sine.MINUS - sine.PLUS) / 2
    product = sp.cos(u) * sp.cos(v) - (sp.cos(u - v) + sp.cos(u + v)) / 2
    yield step("product formula", E, holds=vanishes(sp.expand_trig(product)))
    yield price()
    yield step("φ' = −sin: E[φ'φ'] = ∂E/∂k", E1, holds=vanishes(sp.diff(E, k) - E1))
    yield _both(ntk.Cos(), E, E1, 71, sine.DIGITS)


@derivation(of=ntk.Rbf, method="symbolic")
def rbf_expectations() -> Steps:
    """φ(x) = √2 sin(ωx + π/4), ω = √(2γ): E[φφ] = e^{−γ(q1+q2−2k)}, E[φ'φ'] = 2γ E[φφ] (Rahimi & Recht 2007)."""
    product = 2 * sp.sin(ω * u + sp.pi / 4) * sp.sin(ω * v + sp.pi / 4)
    split = sp.cos(ω * (u - v)) + sp.sin(ω * (u + v))
    yield step("φ(u)φ(v) is a cosine and a sine", split, holds=vanishes(sp.expand_trig(sp.expand(product - split))))
    scaled = sine.MINUS.subs({q1: ω**2 * q1, q2: ω**2 * q2, k: ω**2 * k}, simultaneous=True)
    yield step("the sine is odd: mean 0; E cos(ω(u−v)) is that of variances ω²q", scaled)
    yield price()
    E1 = sp.diff(scaled, k)
    yield step("E[φ'φ'] = ∂E/∂k = ω² E", E1, holds=vanishes(E1 - ω**2 * scaled))
    γ = sp.Rational(3, 8)
    at = {ω: sp.sqrt(2 * γ)}
    # exp(x), |x| <= 7.5 here, has a relative error of 2|x| + 3 roundings of 1.1e-16: 2e-15
    yield _both(ntk.Rbf(0.375), scaled.subs(at), E1.subs(at), 72, 14)


@derivation(of=ntk.SigmoidLike, method="symbolic")
def sigmoid_expectations() -> Steps:
    """φ(x) = (1 + erf(cx))/2: E[φφ] = (1 + E_erf)/4 and E[φ'φ'] = c² E'_erf/4 at variances c²q."""
    c = sp.Symbol("c", positive=True)
    product = sp.expand((1 + sp.erf(c * u)) * (1 + sp.erf(c * v)) / 4)
    odd = sp.erf(c * u) / 4 + sp.erf(c * v) / 4
    left = sp.expand(product - odd - sp.Rational(1, 4) - sp.erf(c * u) * sp.erf(c * v) / 4)
    yield step("the single erf terms are odd: mean 0", product, holds=left == 0)
    scaled = {q1: c**2 * q1, q2: c**2 * q2, k: c**2 * k}
    E = (1 + arcsine.VALUE.subs(scaled, simultaneous=True)) / 4
    E1 = c**2 * arcsine.SLOPE.subs(scaled, simultaneous=True) / 4
    yield price()
    yield step("E[φ'φ'] = ∂E/∂k", E1, holds=vanishes(sp.diff(E, k) - E1))
    with mp.workdps(60):
        at = {c: 1 / sp.Float("2.4020563531719796", 60)}
    # E is above 1/8, and 1/√D has the conditioning 1/(1 − ρ²) <= 5.3 of some 10 roundings: 6e-15
    yield _both(ntk.SigmoidLike(), E.subs(at), E1.subs(at), 73, 14)


@derivation(of=ntk.Sign, method="symbolic")
def sign_expectations() -> Steps:
    """E[sign u sign v] = P(same sign) − P(opposite signs) = 1 − 2θ/π; sign' = 0 wherever it exists."""
    same = 2 * arccos.SLOPE
    yield step("P(u, v > 0) = (π − θ)/2π (`relu_slope`), and as much for u, v < 0", same)
    E = 2 * same - 1
    yield step("P − (1 − P)", sp.simplify(E), holds=vanishes(E - (1 - 2 * arccos.θ / sp.pi)))
    # θ has the error 2.3 roundings at |ρ| <= 0.9; in units of 1
    yield _both(ntk.Sign(), E, sp.Integer(0), 74, 14, scale=1.0)


@derivation(of=ntk.ABRelu, method="symbolic")
def ab_relu_expectations() -> Steps:
    """φ(x) = b relu(x) − a relu(−x): E = (a²+b²) E_relu(θ) − 2ab E_relu(π−θ), E' = (a²+b²)(π−θ)/2π + 2ab θ/2π."""
    a, b = sp.Rational(-3, 10), sp.Integer(2)
    ratio = arccos.LEAKY_VALUE.subs(arccos.a, a / b) * b**2
    ratio1 = arccos.LEAKY_SLOPE.subs(arccos.a, a / b) * b**2
    E = (a**2 + b**2) * arccos.VALUE - 2 * a * b * arccos.VALUE.subs(k, -k)
    E1 = (a**2 + b**2) * arccos.SLOPE + 2 * a * b * arccos.SLOPE.subs(k, -k)
    yield step("φ = b leaky_{a/b}: b² times `leaky_value`", ratio, holds=vanishes(sp.expand(E - ratio)))
    yield step("b² times `leaky_slope`", ratio1, holds=vanishes(sp.expand(E1 - ratio1)))
    # as RELU_DIGITS; a and b of opposite signs: nothing more cancels
    yield _both(ntk.ABRelu(-0.3, 2.0), E, E1, 75, arccos.RELU_DIGITS)


def isserlis(a: int, b: int) -> sp.Expr:
    """E[uᵃvᵇ]: j pairs (u,v), the other u and v paired among themselves."""
    total = sp.Integer(0)
    for j in range(min(a, b) + 1):
        if (a - j) % 2 == 0 and (b - j) % 2 == 0:
            pairs = sp.binomial(a, j) * sp.binomial(b, j) * sp.factorial(j)
            alone = sp.factorial2(a - j - 1) * sp.factorial2(b - j - 1)
            total += pairs * alone * q1 ** ((a - j) // 2) * q2 ** ((b - j) // 2) * k**j
    return total


@derivation(of=(ntk.Polynomial, ntk.monomial), method="symbolic")
def polynomial_expectations() -> Steps:
    """E[uᵃvᵇ] = Σ_j C(a,j) C(b,j) j! (a−j−1)!! (b−j−1)!! q1^{(a−j)/2} q2^{(b−j)/2} kʲ (Isserlis 1918)."""
    yield stein()
    for a in range(1, 8):
        for b in range(8):
            less = (a - 1) * q1 * isserlis(a - 2, b) if a > 1 else 0
            cross = b * k * isserlis(a - 1, b - 1) if b > 0 else 0
            remainder = sp.expand(isserlis(a, b) - less - cross)
            if remainder != 0 or (a, b) == (7, 7):
                yield step(
                    f"Stein: E[u·u^{a - 1}v^{b}] = (a−1) q1 E[u^{a - 2}v^{b}] + b k E[u^{a - 1}v^{b - 1}]; remainder",
                    remainder,
                    holds=remainder == 0,
                )
    yield step("it starts at E 1 = 1, E[v^b] = (b−1)!! q2^{b/2}", isserlis(0, 6), holds=isserlis(0, 6) == 15 * q2**3)
    coefficients = (1, -2, sp.Rational(1, 2), sp.Rational(1, 4))
    E = sum(c * d * isserlis(a, b) for a, c in enumerate(coefficients) for b, d in enumerate(coefficients))
    E1 = sp.diff(E, k)
    slopes = [a * c for a, c in enumerate(coefficients)][1:]
    other = sum(c * d * isserlis(a, b) for a, c in enumerate(slopes) for b, d in enumerate(slopes))
    yield step("the slopes' sum is ∂E/∂k (Price)", E1, holds=sp.expand(E1 - other) == 0)
    # sums of both signs: some 30 roundings of terms up to 1000, compared on the scale 1
    yield _both(ntk.Polynomial((1.0, -2.0, 0.5, 0.25)), E, E1, 76, 11, scale=1.0)


@derivation(of=ntk.hermite, method="symbolic")
def hermite_expectations() -> Steps:
    """He_d/√d! has E[φφ] = kᵈ and E[φ'φ'] = d k^{d−1} at unit variances."""
    x = sp.Symbol("x")
    He = [sp.Integer(1), x]
    for d in range(1, 7):
        He.append(sp.expand(x * He[d] - d * He[d - 1]))
    for d in range(1, 7):
        c = [He[d].coeff(x, a) for a in range(d + 1)]
        E = sum(s * t * isserlis(a, b) for a, s in enumerate(c) for b, t in enumerate(c)) / sp.factorial(d)
        unit = sp.expand(E.subs({q1: 1, q2: 1}))
        yield step(f"degree {d}", unit, holds=unit == k**d)
    points = [(d, c, which) for d in range(1, 7) for c in (-0.8, -0.3, 0.5, 0.9) for which in (0, 1)]

    def code(d, c, which):
        one = np.ones(1)
        return float(ntk.hermite(d).dual(one, one, np.array([c]))[which][0])

    # terms of both signs up to He's squared coefficients over d!, 45²/720 · 15, cancel to 1: 100 roundings of 1e-14
    yield agree(lambda d, c, w: c**d if w == 0 else d * c ** (d - 1), code, points, digits=11, scale=1.0)


@derivation(of=ntk.Function, method="digits")
def function_quadrature() -> Steps:
    """E[φφ] = ∬ p(z) p(w) φ(√q1 z) φ(√q2(cz + sw)) of relu and erf by graded panels, against 50-digit quadrature."""
    from scipy.special import erf

    functions = {
        "Relu": ntk.Function(lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
        "Erf": ntk.Function(erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
    }
    a, b, c = random_pairs(77, 1)[0]
    change = abs(quadrature("Relu").value(a, b, c) / quadrature("Relu").value(a, b, c, per_unit=16) - 1)
    yield step(
        "relative change of the oracle with twice the nodes", mp.nstr(change, 2), holds=change < mp.mpf(10) ** -25
    )
    points = [(name, w, *p) for p in random_pairs(78, 6) for name in functions for w in (0, 1)]

    def derived(name, which, *p):
        return (quadrature(name).slope if which else quadrature(name).value)(*p)

    def code(name, which, *p):
        return (slope if which else value)(functions[name])(*p)

    # the rule's own tolerance, 1e-10 of √(E[φ²]E[φ²]) <= 5
    yield agree(derived, code, points, digits=10, scale=1.0)
