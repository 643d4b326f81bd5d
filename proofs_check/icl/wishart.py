"""Wishart moments and the risk of several steps, from monomials in the entries of X."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.icl.population_loss import isserlis
from corollary.proofs_check.icl.wick import Poly, Prompt, dot
from corollary.theory import icl
from corollary.theory.icl.wishart import wishart_moment

Steps = Generator[Step | Agreement, None, None]


def eye(d: int, scale: Fraction = Fraction(1)) -> list[list[Fraction]]:
    return [[scale * int(i == j) for j in range(d)] for i in range(d)]


def matmul(A: Any, B: Any) -> Any:
    """Product of matrices of polynomials (nested lists)."""
    columns = list(zip(*B, strict=True))
    return [[dot(row, column) for column in columns] for row in A]


@derivation(of=icl.wishart_moment, method="rational")
def wishart_moments() -> Steps:
    """E tr S = Nd, E tr S² = Nd(N+d+1), … by Gaussian integration by parts: a recursion to lower degree, against all monomials."""
    n, d, m = 2, 2, 3
    X = sp.Matrix(n, d, sp.symbols("x:4"))
    S = X.T * X
    power = X * S ** (m - 1)
    divergence = sp.expand(sum(sp.diff(power[i, j], X[i, j]) for i in range(n) for j in range(d)))
    p = [sp.Integer(d), *[(S**k).trace() for k in range(1, m + 1)]]
    rest = sp.expand(divergence - (n + m - 1) * p[m - 1] - sum(p[j] * p[m - 1 - j] for j in range(1, m)))
    yield step(
        "Σ ∂/∂x_ai (X S^{m−1})_ai = (N+m−1) p_{m−1} + Σ_j p_j p_{m−1−j}; remainder for m = 3", rest, holds=rest == 0
    )
    cross = sp.expand(
        sum(power[i, j] * sp.diff(p[2], X[i, j]) for i in range(n) for j in range(d)) - 4 * (S ** (m + 1)).trace()
    )
    yield step("Σ (X S^{m−1})_ai ∂ p_r/∂x_ai = 2r p_{m+r−1}; remainder for m = 3, r = 2", cross, holds=cross == 0)
    yield isserlis()
    sizes = [(1, 1), (2, 1), (2, 3), (5, 2), (4, 4), (9, 5)]
    gaps = [
        wishart_moment([1, m], N, d) - (N * d + 2 * m) * wishart_moment(m, N, d) for N, d in sizes for m in range(1, 13)
    ]
    yield step(
        "one trace by zonal polynomials is one trace by parts: E p_1 p_m = (Nd + 2m) E p_m (scaling), m <= 12; gaps",
        sorted(set(gaps)),
        holds=not any(gaps),
    )

    def derived(powers: tuple[int, ...], N: int, d: int) -> Fraction:
        prompt = Prompt(N, eye(d), eye(d), Fraction(0))
        S = [[N * entry for entry in row] for row in prompt.G]
        total = Poly.of(1)
        for m in powers:
            P = S
            for _ in range(m - 1):
                P = matmul(P, S)
            total = total * sum((P[i][i] for i in range(d)), Poly.of(0))
        return prompt.mean(total)

    points = [
        (q, N, d) for q in ((1,), (2,), (3,), (2, 1), (1, 1)) for N, d in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 2))
    ]
    points += [((4,), 2, 2), ((2, 2), 2, 2), ((5,), 1, 2)]
    yield agree(derived, lambda q, N, d: icl.wishart_moment(q, N, d), points, digits=15)


@derivation(of=icl.gd_excess, method="rational")
def several_steps() -> Steps:
    """w_k − w = −r(G) w + (1 − r(G)) G⁻¹ Xᵀε/N for steps with r = Π(1 − η_l G): excess v|w_k − w|², all monomials."""
    G, η1, η2, w, e = sp.symbols("G η1 η2 w e")
    first = η1 * (G * w + e)
    second = first + η2 * (G * w + e - G * first)
    r = (1 - η1 * G) * (1 - η2 * G)
    rest = sp.expand(sp.simplify(second - (1 - r) * w - (1 - r) / G * e))
    yield step("two steps on commuting G: w₂ = (1 − r) w + (1 − r)G⁻¹ Xᵀε/N; remainder", rest, holds=rest == 0)
    D, γ = 1 - sp.Symbol("γ") * G, sp.Symbol("γ")
    plus = first + η2 * D**2 * (G * w + e - G * first)
    moved = (1 - η1 * G) * (1 - η2 * D**2 * G)
    rest = sp.expand(sp.simplify(plus - (1 - moved) * w - (1 - moved) / G * e))
    yield step("GD++: step 2 on x(1 − γG) gives r = (1 − η₁G)(1 − η₂(1 − γG)²G); remainder", rest, holds=rest == 0)
    yield step("γ enters through D₁ = 1 − γG alone", sp.expand(D), holds=γ in D.free_symbols)

    def derived(d: int, N: int, root: Fraction, noise: Fraction, etas: tuple, γ: Fraction) -> Fraction:
        p = Prompt(N, eye(d, root), eye(d, Fraction(3, 2)), noise)
        estimate = [Poly.of(0)] * d
        D2 = eye(d)
        for k, η in enumerate(etas):
            if k == 1 and γ:
                D = [[(1 if i == j else 0) - γ * p.G[i][j] for j in range(d)] for i in range(d)]
                D2 = matmul(D, D)
            gap = [a - b for a, b in zip(p.g, [dot(row, estimate) for row in p.G], strict=True)]
            estimate = [a + η * b for a, b in zip(estimate, [dot(row, gap) for row in D2], strict=True)]
        gaps = [a - b for a, b in zip(estimate, p.w, strict=True)]
        return root**2 * p.mean(dot(gaps, gaps))

    def code(d: int, N: int, root: Fraction, noise: Fraction, etas: tuple, γ: Fraction) -> float:
        task = icl.LinearTask(d, N, float(root) ** 2 * np.eye(d), 9 / 4 * np.eye(d), float(noise) ** 2)
        return icl.gd_excess([float(η) for η in etas], task, [float(γ)] * len(etas))

    Q = Fraction
    points = [
        (d, N, root, noise, etas, γ)
        for d, N, etas, γ in (
            (1, 2, (Q(1, 2),), Q(0)), (1, 2, (Q(1, 2), Q(3, 4)), Q(1, 4)), (1, 3, (Q(1, 4), Q(3, 4), Q(1, 2)), Q(0)),
            (2, 2, (Q(1, 2),), Q(0)), (2, 2, (Q(1, 2), Q(3, 4)), Q(0)),
        )
        for root, noise in ((Q(1), Q(0)), (Q(1), Q(1, 2)), (Q(3, 4), Q(1, 4)), (Q(3, 4), Q(1)))
    ]  # fmt: skip
    yield agree(derived, code, points, digits=14)
