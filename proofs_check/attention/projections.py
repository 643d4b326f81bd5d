"""Continual learning as projections: Fejér, regularity and contraction; the first order of weak regularisation."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from random import Random
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import attention

Steps = Generator[Step | Agreement, None, None]


@derivation(of=(attention.contraction, attention.sequential_max_margin, attention.forgetting), method="rational")
def projections_contract() -> Steps:
    """‖w − u‖² = ‖P − u‖² + ‖w − P‖² + 2⟨w − P, P − u⟩, the last ≥ 0; w + δw* is in ∩K for δ = max (1 − bᵀw)₊ ≤
    R max dist(w, K_m): dist ≤ κ max dist. A cycle gives dist²(w, K_m) ≤ (Σ steps)² ≤ M Σ steps²: factor 1 − 1/(Mκ²).
    F_m ≤ R² dist²(w, K_m), so k cycles from 0 leave F_m ≤ R²‖w*‖²(1 − 1/(Mκ²))^k."""
    w, P, u = (sp.Matrix(sp.symbols(f"{s}1:4")) for s in "wPu")
    identity = sp.expand((w - u).dot(w - u) - (P - u).dot(P - u) - (w - P).dot(w - P) - 2 * (w - P).dot(P - u))
    yield step("Fejér: the identity's remainder", identity, holds=identity == 0)
    b, star = (sp.Matrix(sp.symbols(f"{s}1:4")) for s in ("b", "s"))
    δ = sp.symbols("delta")
    # b·w* = 1 + slack ≥ 1 and δ ≥ 1 − b·w, δ ≥ 0: b·(w + δw*) − 1 = (δ − (1 − b·w)) + δ (b·w* − 1)
    remainder = sp.expand(b.dot(w + δ * star) - 1 - ((δ - (1 - b.dot(w))) + δ * (b.dot(star) - 1)))
    yield step("w + δw* is feasible: remainder", remainder, holds=remainder == 0)
    s1, s2, s3 = sp.symbols("s1:4")
    cauchy = sp.expand(3 * (s1**2 + s2**2 + s3**2) - (s1 + s2 + s3) ** 2)
    squares = sp.expand((s1 - s2) ** 2 + (s1 - s3) ** 2 + (s2 - s3) ** 2)
    yield step("M Σ s² − (Σ s)² is a sum of squares (M = 3)", cauchy, holds=cauchy == squares)
    D, M, κ = sp.symbols("D M kappa", positive=True)
    after = sp.simplify(D - (D / κ**2) / M - D * (1 - 1 / (M * κ**2)))  # Σ steps² ≥ max dist²/M ≥ D/(κ²M)
    yield step("D − D/(Mκ²) − D(1 − 1/(Mκ²)); random order: mean ≥ max/M, the same", after, holds=after == 0)

    missing = sp.expand((1 - b.dot(w)) - (b.dot(P - w) - (b.dot(P) - 1)))
    yield step("1 − bᵀw = bᵀ(P − w) − (bᵀP − 1) ≤ ‖b‖ dist(w, K_m) for P in K_m: remainder", missing,
               holds=missing == 0)  # fmt: skip
    R, k = sp.symbols("R k", positive=True)
    cycles = sp.simplify(R**2 * (κ / R) ** 2 * (1 - 1 / (M * κ**2)) ** k - κ**2 * (1 - 1 / (M * κ**2)) ** k)
    yield step("from 0, dist ≤ ‖w*‖ = κ/R: R²‖w*‖²ρ^k − κ²ρ^k", cycles, holds=cycles == 0)

    def derived(kind: str, p: int, q: int) -> Any:
        if kind == "wedge":  # rows (±1, ε): w* = (0, 1/ε), R² = 1 + ε², κ² = (1 + ε²)/ε²
            ε = Fraction(p, q)
            value = 1 - ε**2 / (2 * (1 + ε**2))
        else:  # one row a task: P = w + (1 − b·w)₊ b/‖b‖², in rationals; the first coordinate
            w = [Fraction(0)] * 2
            for t in range(6):
                row = _row(p, q, t % 3)
                miss = max(1 - sum(a * c for a, c in zip(row, w, strict=True)), Fraction(0))
                w = [c + miss * a / sum(r * r for r in row) for a, c in zip(row, w, strict=True)]
            misses = [max(1 - sum(a * c for a, c in zip(_row(p, q, m), w, strict=True)), Fraction(0)) for m in range(3)]
            value = w[0] if kind == "rows" else max(misses) ** 2
        return sp.Rational(value.numerator, value.denominator)

    def code(kind: str, p: int, q: int) -> float:
        if kind == "wedge":
            return attention.contraction([np.array([[s, p / q]]) for s in (1.0, -1.0)])
        tasks = [np.array([_row(p, q, m)], dtype=float) for m in range(3)]
        w = attention.sequential_max_margin(tasks, [0, 1, 2] * 2)[-1]
        return float(w[0]) if kind == "rows" else attention.forgetting(w, np.concatenate(tasks))

    rng = Random(1)
    cases = [("wedge", rng.randint(1, 9), rng.randint(4, 20)) for _ in range(12)]
    drawn = [(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(14)]
    cases += [(kind, *pair) for kind in ("rows", "forgotten") for pair in drawn]
    # six projections, each within 1e-6 of its norm
    yield agree(derived, code, cases, digits=5, scale=1.0)


def _row(p: int, q: int, m: int) -> tuple[Fraction, Fraction]:
    """Three rows with positive first coordinate."""
    return (Fraction(p + m, 3), Fraction((-1) ** m * q, 2 + m))


@derivation(of=attention.weak_regularisation_shift, method="digits")
def weak_regularisation_to_first_order() -> Steps:
    """Gradient of Σ exp(−L bᵀu) + e^{−L}(L²/2)‖u − u′‖² = 0: u = u′ + Σ α b, α = e^{L(1 − bᵀu)}/L. Hence
    bᵀu = 1 − ln(Lα)/L on the tight rows: B_S v = −ln(Lμ) + O(ln² L/L), and v changes by a combination of them."""
    L, b, u, u1 = sp.symbols("L b u u1", positive=True)
    gradient = sp.diff(sp.exp(-L * b * u) + sp.exp(-L) * L**2 / 2 * (u - u1) ** 2, u)
    α = sp.exp(L * (1 - b * u)) / L
    remainder = sp.simplify(gradient * sp.exp(L) / L**2 - (u - u1 - α * b))
    yield step("gradient e^L/L² minus (u − u′ − αb)", remainder, holds=remainder == 0)
    back = sp.simplify(sp.expand_log(1 - sp.log(L * α) / L - b * u, force=True))
    yield step("1 − ln(Lα)/L − bᵀu", back, holds=back == 0)

    LOG = 10.0**10

    def derived(seed: int, m: int, i: int) -> Any:
        """v after m + 1 tasks of one row each: α solves L(1 − bᵀu′ − α‖b‖²) = ln(Lα), at 60 digits."""
        with mp.workdps(60):
            big, u, P = mp.mpf(LOG), [mp.mpf(0)] * 3, [mp.mpf(0)] * 3
            for row in _tasks(seed)[: m + 1]:
                b = [mp.mpf(float(v)) for v in row]
                size = mp.fsum(v * v for v in b)
                miss = 1 - mp.fsum(x * y for x, y in zip(b, u, strict=True))
                limit = 1 - mp.fsum(x * y for x, y in zip(b, P, strict=True))
                α = mp.findroot(lambda a, s=size, r=miss: big * (r - a * s) - mp.log(big * a), limit / size)
                u = [x + α * v for x, v in zip(u, b, strict=True)]
                P = [x + limit / size * v for x, v in zip(P, b, strict=True)]
            return big * (u[i] - P[i])

    def code(seed: int, m: int, i: int) -> float:
        tasks = [row[None, :] for row in _tasks(seed)]
        return float(attention.weak_regularisation_shift(tasks, list(range(m + 1)), LOG)[-1, i])

    cases = [(seed, m, i) for seed in range(8) for m in (0, 1, 2) for i in range(3)]
    # projections within 1e-6 enter through the logarithm of multipliers of 0.05 or more; v is of order 20
    yield agree(derived, code, cases, digits=5, scale=1.0)


def _tasks(seed: int) -> np.ndarray:
    """Three rows in R³, every one violated when it comes, with a multiplier of 0.05 or more."""
    rng = np.random.default_rng(seed)
    while True:
        A, P, clear = rng.standard_normal((3, 3)), np.zeros(3), True
        for b in A:
            μ = (1 - b @ P) / (b @ b)
            P, clear = P + μ * b, clear and μ >= 0.05
        if clear:
            return A
