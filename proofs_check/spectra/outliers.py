"""Outliers of A + noise: from the secular equation, and second-order perturbation theory symbolically."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory.spectra.outliers import additive_outlier, perturbed_top


def _by_subordination(theta: float, s: float, bulk: tuple[float, ...]) -> Any:
    """The root z of ω(z) = θ with ω = z − s² G, G = G_A(ω): solved for z from G_A's definition at 40 digits."""
    with mp.workdps(40):

        def residual(z: Any) -> Any:
            # G of the sum at z solves G = mean 1/(z − s² G − x): iterate from the far field
            g = 1 / z
            for _ in range(4000):
                new = mp.fsum(1 / (z - s**2 * g - x) for x in bulk) / len(bulk)
                if abs(new - g) < mp.mpf(10) ** -38:
                    break
                g = new
            return z - s**2 * g - theta

        start = additive_outlier(theta, s, bulk).position
        return mp.findroot(residual, (mp.mpf(start) * mp.mpf("0.99999"), mp.mpf(start) * mp.mpf("1.00001")))


@derivation(of=additive_outlier, method="digits")
def outlier_of_a_sum() -> Generator[Step | Agreement, None, None]:
    """det(z − A − W) with A = bulk + θ u uᵀ vanishes where 1 = (θ − 0) uᵀ G u; G of the bulk's sum follows ω = z − s²G."""
    theta, s, x = sp.symbols("theta s x", positive=True)
    G = 1 / (theta - x)
    z = theta + s**2 * G
    yield step("at ω = θ: z = θ + s² G_A(θ), one bulk atom", z)
    slope = sp.diff(theta + s**2 * G, theta)
    remainder = sp.simplify(slope - (1 - s**2 / (theta - x) ** 2))
    yield step(
        "dz/dθ − (1 − s² mean 1/(θ − x)²): the overlap, and zero where it detaches", remainder, holds=remainder == 0
    )
    rng = Random(5)
    cases = []
    for _ in range(20):
        bulk = tuple(rng.uniform(-1, 1) for _ in range(rng.randint(1, 3)))
        cases.append((rng.uniform(2.5, 5), rng.uniform(0.1, 1.0), bulk))
    # a dozen rounded operations
    yield agree(_by_subordination, lambda *p: additive_outlier(*p).position, cases, digits=14)


def _second_order(values: tuple[float, ...], seed: int) -> Any:
    """The second derivative in t of the top eigenvalue of D + tE, halved: by a 60-digit eigen-solve at ±h."""
    with mp.workdps(60):
        n, rng, h = len(values), Random(seed), mp.mpf(10) ** -12
        E = mp.matrix(n, n)
        for i in range(n):
            for j in range(i, n):
                E[i, j] = E[j, i] = mp.mpf(rng.randint(-9, 9)) / 7
        tops = [max(mp.eigsy(mp.diag(values) + t * E, eigvals_only=True)) for t in (-h, mp.mpf(0), h)]
        return max(values) + (tops[0] - 2 * tops[1] + tops[2]) / (2 * h**2)


def _by_code(values: tuple[float, ...], seed: int) -> float:
    n, rng = len(values), Random(seed)
    entries = {(i, j): rng.randint(-9, 9) / 7 for i in range(n) for j in range(i, n)}
    top = values.index(max(values))
    return perturbed_top(values, [entries[min(i, top), max(i, top)] ** 2 for i in range(n)])


@derivation(of=perturbed_top, method="digits")
def second_order_top() -> Generator[Step | Agreement, None, None]:
    """λ(t) of D + tE to second order: λ'' / 2 = Σ_j E_1j²/(λ_1 − λ_j); its mean over E has c_j for E_1j²."""
    d1, d2, e, t = sp.symbols("d1 d2 e t", positive=True)
    top = (d1 + d2) / 2 + sp.sqrt((d1 - d2) ** 2 / 4 + t**2 * e**2)
    second = sp.simplify(sp.series(top.subs(d1, d2 + sp.Symbol("g", positive=True)), t, 0, 3).removeO().coeff(t, 2))
    remainder = sp.simplify(second - e**2 / sp.Symbol("g", positive=True))
    yield step("2 × 2: the coefficient of t² − e²/(d1 − d2)", remainder, holds=remainder == 0)
    rng = Random(6)
    cases = [(tuple(float(v) for v in rng.sample(range(-8, 9), rng.randint(2, 5))), seed) for seed in range(20)]
    # the difference quotient is good to h² = 1e-24; the code rounds a dozen times
    yield agree(_second_order, _by_code, cases, digits=13, scale=1.0)
