"""Edges of bands in fifty digits: critical values of Silverstein's inverse, none left out and none too many."""

from __future__ import annotations

from collections.abc import Generator
from functools import cache
from random import Random
from typing import Any

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import spectra


@cache
def _critical_values(c: float, t: tuple[float, ...], w: tuple[float, ...]) -> list[Any]:
    """z at the real zeros of z′, z = −1/v + c Σ w t/(1 + tv), sorted: from the numerator's roots at 60 digits."""
    with mp.workdps(60):
        v = sp.Symbol("v")
        exact = [(sp.Rational(x), sp.Rational(y)) for x, y in zip(t, w, strict=True)]
        whole = sp.prod([(1 + x * v) ** 2 for x, _ in exact])
        rest = sum(y * x**2 * sp.cancel(whole / (1 + x * v) ** 2) for x, y in exact)
        poly = sp.Poly(sp.expand(whole - sp.Rational(c) * v**2 * rest), v)
        coefficients = [mp.mpf(k.p) / k.q for k in poly.all_coeffs()]
        roots = mp.polyroots(coefficients, maxsteps=2000, extraprec=400)
        real = [mp.re(r) for r in roots if abs(mp.im(r)) < mp.mpf(10) ** -40 * (1 + abs(r))]
        at = [-1 / r + c * mp.fsum(mp.mpf(y) * x / (1 + x * r) for x, y in zip(t, w, strict=True)) for r in real]
        return sorted(at)


def _cases() -> list[tuple[float, tuple[float, ...], tuple[float, ...], int]]:
    """Every edge of 14 populations of one to three atoms, ratios on both sides of 1."""
    rng, found = Random(11), []
    for i in range(14):
        n = 1 + i % 3
        t = tuple(sorted(rng.uniform(0.5, 2) * 3**k for k in range(n)))
        cuts = sorted(rng.randint(1, 15) for _ in range(n - 1))
        parts = [b - a for a, b in zip([0, *cuts], [*cuts, 16], strict=True)]
        if min(parts) == 0:
            parts = [16 // n] * (n - 1) + [16 - 16 // n * (n - 1)]
        w = tuple(p / 16 for p in parts)
        c = rng.choice([rng.uniform(0.01, 0.1), rng.uniform(0.3, 0.8), rng.uniform(1.5, 3)])
        found += [(c, t, w, k) for k in range(len(_critical_values(c, t, w)))]
    return found


def _edge(c: float, t: tuple[float, ...], w: tuple[float, ...], k: int) -> float:
    support = spectra.marchenko_pastur(c, spectra.atoms(t, w)).support()
    return [v for band in support for v in band][k]


@derivation(of=(spectra.Law.support, spectra.marchenko_pastur), method="digits")
def edges_of_bands() -> Generator[Step | Agreement, None, None]:
    """Silverstein & Choi 1995: outside the support z(v) rises, so an edge is where z′(v) = 0, and each real zero is one."""
    v, c = sp.symbols("v c", positive=True)
    z = -1 / v + c / (1 + v)
    zeros = sp.solve(sp.numer(sp.together(sp.diff(z, v))), v)
    values = {sp.simplify(z.subs(v, r)) for r in zeros}
    left = [sp.simplify(value - (1 + s * sp.sqrt(c)) ** 2) for value in values for s in (-1, 1)]
    yield step("one atom: z at z′ = 0 less (1 ± √c)²", left, holds=left.count(0) == 2)
    cases = _cases()
    laws = dict.fromkeys(case[:3] for case in cases)
    counts = [
        2 * len(spectra.marchenko_pastur(c, spectra.atoms(t, w)).support()) - len(_critical_values(c, t, w))
        for c, t, w in laws
    ]
    yield step("edges of `support` less real zeros of z′, law by law", counts, holds=not any(counts))
    # at a critical point z is flat: its error is rounding of the sum, times 1/c-like cancellations of some tens
    yield agree(lambda c, t, w, k: _critical_values(c, t, w)[k], _edge, cases, digits=12)
