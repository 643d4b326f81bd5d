"""The share of uniform label noise in a subspace, by enumerating every outcome in exact rationals."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from fractions import Fraction
from random import Random

import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory.spectra.label_noise import noise_share


def _projection(n: int, k: int, rng: Random) -> sp.Matrix:
    """An exact orthogonal projection of rank k: V (VᵀV)⁻¹ Vᵀ for an integer V of rank k."""
    while True:
        V = sp.Matrix(n, k, lambda i, j: rng.randint(-3, 3))
        if V.rank() == k:
            return V * (V.T * V).inv() * V.T


def _energy(P: sp.Matrix, rows: list[list[Fraction]]) -> sp.Rational:
    M = sp.Matrix([[sp.Rational(x.numerator, x.denominator) for x in row] for row in rows])
    return sp.Add(*(x**2 for x in P * M))


def _cases(count: int) -> list[tuple[int, int, int, Fraction, int]]:
    rng = Random(7)
    return [
        (K := rng.choice([2, 3]), n := rng.choice([2, 3]), rng.randint(1, n), Fraction(rng.randint(1, 6), 6), seed * K)
        for seed in range(count)
    ]


def _enumerated(K: int, n: int, k: int, flip: Fraction, seed: int) -> sp.Rational:
    """E‖PN‖²/E‖N‖² summed over all (kept or replaced by c) for every point, each with its probability."""
    rng = Random(seed)
    P, y = _projection(n, k, rng), [rng.randrange(K) for _ in range(n)]
    top = total = sp.Integer(0)
    for outcome in itertools.product([None, *range(K)], repeat=n):
        chance = Fraction(1)
        rows = []
        for i, new in enumerate(outcome):
            chance *= 1 - flip if new is None else flip / K
            label = y[i] if new is None else new
            rows.append([Fraction(int(c == label)) - Fraction(int(c == y[i])) for c in range(K)])
        weight = sp.Rational(chance.numerator, chance.denominator)
        top += weight * _energy(P, rows)
        total += weight * _energy(sp.eye(n), rows)
    return top / total


def _by_code(K: int, n: int, k: int, flip: Fraction, seed: int) -> float:
    rng = Random(seed)
    P, y = _projection(n, k, rng), [rng.randrange(K) for _ in range(n)]
    s = [[Fraction(int(c == label)) - Fraction(1, K) for c in range(K)] for label in y]
    return noise_share(float(_energy(P, s) / _energy(sp.eye(n), s)), k, n, float(flip))


@derivation(of=noise_share, method="rational")
def share_of_label_noise() -> Generator[Step | Agreement, None, None]:
    """N = −ρ s + ξ with E ξ = 0: E‖PN‖² = ρ²‖Ps‖² + tr(P) E‖ξ_i‖², because ξ_i are independent and equally large."""
    rho, K, S, k, n = sp.symbols("rho K S k n", positive=True)
    signal = 1 - 1 / K  # ‖s_i‖²
    noise = 2 * rho * signal  # a changed label moves two entries by one, and ρ(1 − 1/K) of them change
    yield step("E‖N_i‖² = 2 · P(label changes)", noise)
    fresh = sp.expand(noise - rho**2 * signal)
    yield step("E‖ξ_i‖² = E‖N_i‖² − ‖E N_i‖²", sp.factor(fresh))
    share = sp.simplify((rho**2 * signal * n * S + k * fresh) / (n * noise))
    remainder = sp.simplify(share - (rho / 2 * S + (1 - rho / 2) * k / n))
    yield step("share − [(ρ/2) S + (1 − ρ/2) k/n]", remainder, holds=remainder == 0)
    # the code rounds a handful of times
    yield agree(lambda *p: sp.Float(_enumerated(*p), 30), _by_code, _cases(24), digits=14)
