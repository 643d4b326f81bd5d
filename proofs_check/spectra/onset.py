"""Where Wishart + Wigner spectra reach 0, and how the share of negative eigenvalues begins."""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from typing import Any

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import spectra

Steps = Generator[Step | Agreement, None, None]

G, φ, ε = sp.symbols("G phi epsilon", real=True)


def _touching(R: Callable[[Any, Any], Any], start: tuple[Any, Any]) -> Any:
    """ε with z = z′ = 0 at some G < 0, z = R(G, ε) + 1/G, at 40 digits."""
    with mp.workdps(40):

        def equations(g: Any, e: Any) -> tuple[Any, Any]:
            return R(g, e) + 1 / g, mp.diff(lambda x: R(x, e), g) - 1 / g**2

        return mp.findroot(equations, start)[1]


@derivation(of=(spectra.critical_energy, spectra.relu_critical_energy), method="digits")
def critical_energies() -> Steps:
    """The lower edge is at 0 when z(G) and z′(G) vanish together: eliminate G."""
    equation = 1 / (1 - φ * G) + 2 * ε * G + 1 / G
    first, second = (sp.numer(sp.together(e)) for e in (equation, sp.diff(equation, G)))
    eliminated = sp.factor(sp.resultant(first, second, G))
    closed = (1 - 20 * φ - 8 * φ**2 + (1 + 8 * φ) ** sp.Rational(3, 2)) / 16
    remainder = sp.simplify(sp.expand(eliminated.subs(ε, closed)))
    yield step("the resultant of z and z′ in G, at the closed form", remainder, holds=remainder == 0)
    χ = 1 + 16 * φ - 8 * φ**2
    noise = 1 / (1 - φ * G) + ε * φ * G / (2 - ε * φ**2 * G**2) + 1 / G
    first, second = (sp.numer(sp.together(e)) for e in (noise, sp.diff(noise, G)))
    there = (27 - 18 * χ - χ**2 + 8 * χ ** sp.Rational(3, 2)) / (32 * φ * (1 - φ) ** 3)
    at = {φ: sp.Rational(3, 10)}
    value = sp.resultant(first.subs(at), second.subs(at), G).subs(ε, there.subs(at))
    yield step("ReLU, φ = 3/10: the same to 40 digits", sp.N(value, 40), holds=abs(sp.N(value, 60)) < 1e-40)
    rng = Random(2)
    cases: list[tuple[bool, float]] = [(k % 2 == 0, rng.uniform(0.05, 0.8)) for k in range(24)]

    def derived(relu: bool, p: float) -> Any:
        guess = spectra.relu_critical_energy(p) if relu else spectra.critical_energy(p)
        b = 1 - 4 * p
        g = (-b + (b * b + 16 * p * (1 - p)) ** 0.5) / (4 * p * (p - 1))
        if relu:

            def R(x: Any, e: Any) -> Any:
                return 1 / (1 - p * x) + e * p * x / (2 - e * p * p * x * x)

            g = spectra.relu_wishart_wigner(p, guess * 0.999).stieltjes(0.0).real
        else:

            def R(x: Any, e: Any) -> Any:
                return 1 / (1 - p * x) + 2 * e * x

        return _touching(R, (mp.mpf(g), mp.mpf(guess) * mp.mpf("1.0001")))

    def code(relu: bool, p: float) -> float:
        return spectra.relu_critical_energy(p) if relu else spectra.critical_energy(p)

    # 27 − 18χ − χ² + 8χ^{3/2} cancels to some (1 − φ)⁶ near 1, 1e-4 at φ = 0.8: four digits
    yield agree(derived, code, cases, digits=11)


@derivation(of=spectra.index_constant, method="digits")
def index_near_its_onset() -> Steps:
    """At a square-root edge z ≈ z_e + z″(G − G_e)²/2, so the density is √(2(x − z_e)/|z″|)/π and
    α = (2/3π)√(2/|z″|) |z_e|^{3/2}; the edge moves by ∂z/∂ε = 2G per energy."""
    x, c, d = sp.symbols("x c d", positive=True)
    integral = sp.integrate(sp.sqrt(2 * x / c) / sp.pi, (x, 0, d))
    remainder = sp.simplify(integral - 2 / (3 * sp.pi) * sp.sqrt(2 / c) * d ** sp.Rational(3, 2))
    yield step("∫₀^d √(2x/|z″|)/π dx − (2/3π)√(2/|z″|) d^{3/2}", remainder, holds=remainder == 0)

    def measured(p: float) -> Any:
        """α/δ^{3/2} at δ = 1e-10 from the cubic: the index is −∫ Im G/π from the edge to 0."""
        with mp.workdps(36):
            p, δ = mp.mpf(p), mp.mpf(10) ** -10
            root = mp.sqrt(1 + 8 * p)
            e = (1 - 20 * p - 8 * p * p + root**3) / 16 * (1 + δ)

            def z(g: Any) -> Any:
                return 1 / (1 - p * g) + 2 * e * g + 1 / g

            b = 1 - 4 * p
            g0 = (-b + mp.sqrt(b * b + 16 * p * (1 - p))) / (4 * p * (p - 1))
            edge_g = mp.findroot(lambda g: mp.diff(z, g), g0)
            edge = z(edge_g)

            def density(at: Any) -> Any:
                roots = mp.polyroots([2 * e * p, -(2 * e + at * p), at + p - 1, -1], maxsteps=200, extraprec=200)
                return max(-r.imag for r in roots) / mp.pi

            # x = edge·(1 − s²) takes the square root away; the integrand is then smooth
            return mp.quad(lambda s: density(edge * (1 - s * s)) * 2 * s * abs(edge), [0, 1], maxdegree=2) / δ**1.5

    rng = Random(9)
    # the next order is δ times a constant of order ten to a hundred
    yield agree(measured, spectra.index_constant, [(rng.uniform(0.05, 0.8),) for _ in range(20)], digits=6)
