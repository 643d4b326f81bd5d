"""Hutchinson's variance by enumerating every sign vector in exact rationals."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from fractions import Fraction
from random import Random

import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory.spectra.estimators import hutchinson_variance


def _matrix(n: int, seed: int) -> list[list[Fraction]]:
    rng = Random(seed)
    upper = {(i, j): Fraction(rng.randint(-9, 9), rng.randint(1, 5)) for i in range(n) for j in range(i, n)}
    return [[upper[min(i, j), max(i, j)] for j in range(n)] for i in range(n)]


def _enumerated(n: int, seed: int, probes: int) -> sp.Float:
    A = _matrix(n, seed)
    forms = [
        sum((A[i][j] * w[i] * w[j] for i in range(n) for j in range(n)), Fraction(0))
        for w in itertools.product((-1, 1), repeat=n)
    ]
    mean = sum(forms, Fraction(0)) / len(forms)
    spread = sum(((x - mean) ** 2 for x in forms), Fraction(0)) / len(forms) / probes
    return sp.Float(sp.Rational(spread.numerator, spread.denominator), 30)


def _by_code(n: int, seed: int, probes: int) -> float:
    return hutchinson_variance([[float(x) for x in row] for row in _matrix(n, seed)], probes)


@derivation(of=hutchinson_variance, method="rational")
def hutchinson() -> Generator[Step | Agreement, None, None]:
    """ωᵀAω − tr A = 2 Σ_{i<j} a_ij ω_i ω_j, and the products ω_i ω_j are uncorrelated with variance one."""
    n = 3
    a = sp.Matrix(n, n, lambda i, j: sp.Symbol(f"a{min(i, j)}{max(i, j)}"))
    total = sp.Integer(0)
    for signs in itertools.product((-1, 1), repeat=n):
        w = sp.Matrix(signs)
        total += ((w.T * a * w)[0] - a.trace()) ** 2
    off = sum(a[i, j] ** 2 for i in range(n) for j in range(n) if i != j)
    remainder = sp.expand(total / 2**n - 2 * off)
    yield step("n = 3, all eight sign vectors: E(ωᵀAω − tr A)² − 2 Σ_{i≠j} a_ij²", remainder, holds=remainder == 0)
    rng = Random(3)
    cases = [(rng.randint(1, 6), seed, rng.randint(1, 40)) for seed in range(24)]
    # sums of at most 30 rounded squares
    yield agree(_enumerated, _by_code, cases, digits=13, scale=1e-3)
