"""How many patterns there are, what a random one may miss, and the worst case over a ball."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from fractions import Fraction
from functools import cache

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import convex_relu

Steps = Generator[Step | Agreement, None, None]


@cache
def cells(n: int, r: int) -> int:
    """Cover's recursion: a new hyperplane in general position cuts those cells that it meets, C(n−1, r−1) of them."""
    if r == 1:
        return 2
    if n == 1:
        return 2
    return cells(n - 1, r) + cells(n - 1, r - 1)


@derivation(of=(convex_relu.pattern_count, convex_relu.all_patterns), method="rational")
def pattern_count() -> Steps:
    """C(n, r) = C(n−1, r) + C(n−1, r−1) with C(1, r) = C(n, 1) = 2 gives 2 Σ_{k<r} C(n−1, k)."""
    n, k = sp.symbols("n k", integer=True, positive=True)
    pascal = sp.binomial(n - 1, k) - sp.binomial(n - 2, k) - sp.binomial(n - 2, k - 1)
    table = all(sp.simplify(pascal.subs({n: a, k: b})) == 0 for a in range(2, 9) for b in range(1, a))
    yield step("Pascal's rule carries the sum from n − 1 to n, term by term", pascal, holds=table)
    closed = all(
        cells(a, r) == 2 * sum(sp.binomial(a - 1, j) for j in range(r)) for a in range(1, 12) for r in range(1, a + 1)
    )
    yield step("the recursion against the sum for n ≤ 11, exactly", "2 Σ_{k<r} C(n−1, k)", holds=closed)
    rng = np.random.default_rng(0)
    drawn = [convex_relu.all_patterns(rng.standard_normal((n_, r_))).shape[1] == cells(n_, r_)
             for n_, r_ in ((4, 2), (6, 3), (7, 4), (9, 2))]  # fmt: skip
    yield step("enumerated patterns of random data have this number", drawn, holds=all(drawn))
    points = [(n_, r_) for n_ in range(2, 12) for r_ in range(1, min(n_, 4) + 1)]
    yield agree(cells, convex_relu.pattern_count, points, digits=15)


@derivation(of=(convex_relu.tail_violation_bound, convex_relu.mean_violation_bound), method="rational")
def scenario_bounds() -> Steps:
    """N constraints drawn, n + 1 of them support: integrating the binomial tail gives E[V] ≤ (n + 1)/(N + 1)."""
    x = sp.Symbol("x", nonnegative=True)

    def tail(n: int, N: int) -> sp.Expr:
        return sum((sp.binomial(N, i) * x**i * (1 - x) ** (N - i) for i in range(n + 1)), sp.Integer(0))

    holds = all(
        sp.integrate(sp.expand(tail(n, N)), (x, 0, 1)) == sp.Rational(n + 1, N + 1) for n, N in ((1, 4), (2, 5), (3, 9))
    )
    yield step(
        "∫₀¹ Σ_{i≤n} C(N,i) x^i (1−x)^{N−i} dx = (n+1)/(N+1): each term gives 1/(N+1)", "E[V] = ∫ P(V > x)", holds=holds
    )
    yield step("E[V] = ∫₀¹ P(V > x) dx for V in [0, 1]", "so the tail bound implies the mean bound")

    def derived(n: int, N: int, percent: int) -> float:
        if percent < 0:
            return float(sp.Rational(n + 1, N + 1))
        return float(tail(n, N).subs(x, sp.Rational(percent, 100)))

    def code(n: int, N: int, percent: int) -> float:
        if percent < 0:
            return convex_relu.mean_violation_bound(n, N)
        return convex_relu.tail_violation_bound(n, N, percent / 100)

    points = [(n, N, q) for n in (1, 3, 6) for N in (8, 20) for q in (-1, 5, 20, 60)]
    yield agree(derived, code, points, digits=11, scale=1e-3)  # the incomplete beta function behind the tail


@derivation(of=convex_relu.robust_objective, method="rational")
def worst_case() -> Steps:
    """max over ‖δ‖_∞ ≤ ε of the loss at f + r·δ: at a vertex, in closed form, against all vertices in fractions."""
    f, y, e, m = sp.symbols("f y e m", real=True)  # e = ε‖r‖₁ ≥ 0, the largest r·δ
    up, down = (f + e - y) ** 2, (f - e - y) ** 2
    size = sp.Symbol("|f−y|", nonnegative=True)
    yield step(
        "squared: the larger of (f − y ± e)² is (|f − y| + e)², since their difference is 4 e (f − y)",
        sp.expand(up - down),
        holds=sp.expand(up - down - 4 * e * (f - y)) == 0
        and sp.expand((size + e) ** 2 - (size - e) ** 2 - 4 * e * size) == 0,
    )
    yield step("hinge, logistic: decreasing in the margin, so the margin m − e is the worst", m - e,
               holds=sp.simplify(sp.diff(sp.log(1 + sp.exp(-m)), m) + 1 / (1 + sp.exp(m))) == 0)  # fmt: skip
    rng = np.random.default_rng(5)

    def draw() -> tuple:
        X = rng.integers(-8, 9, (4, 2)) / 4 + 1 / 64  # dyadic: floats are the fractions themselves
        g = rng.standard_normal((2, 2))
        D = (X @ g >= 0).astype(float)
        V, W = rng.integers(-8, 9, (2, 2)) / 8, rng.integers(-8, 9, (2, 2)) / 8
        return X, D, V, W, rng.integers(-8, 9, 4) / 4, float(rng.integers(1, 5)) / 8

    cases = [draw() for _ in range(24)]
    names = ("squared", "hinge", "logistic")

    def derived(i: int, loss: str) -> float:
        X, D, V, W, target, radius = cases[i]
        if loss != "squared":
            target = np.where(target >= 0, 1.0, -1.0)
        slope = D @ (V - W).T
        total = Fraction(0)
        for k in range(4):
            worst = Fraction(-1000)
            for corner in itertools.product((-1, 1), repeat=2):
                point = [Fraction(X[k, j]) + Fraction(radius) * corner[j] for j in range(2)]
                value = sum((point[j] * Fraction(slope[k, j]) for j in range(2)), Fraction(0))
                goal = Fraction(target[k])
                # of the logistic loss the least margin, exactly; the logarithm comes after it
                worst = max(worst, {"squared": (value - goal) ** 2 / 2, "hinge": max(Fraction(0), 1 - goal * value),
                                    "logistic": -goal * value}[loss])  # fmt: skip
            total += (
                worst
                if loss != "logistic"
                else Fraction(float(sp.log(1 + sp.exp(sp.Rational(worst)), evaluate=True).evalf(30)))
            )
        return float(total)

    def code(i: int, loss: str) -> float:
        X, D, V, W, target, radius = cases[i]
        if loss != "squared":
            target = np.where(target >= 0, 1.0, -1.0)
        problem = convex_relu.Problem(X, target[:, None], 1.0, D, loss, False, True)  # pyright: ignore[reportArgumentType]
        penalty = float(np.sum(np.linalg.norm(V, axis=0)) + np.sum(np.linalg.norm(W, axis=0)))
        return convex_relu.robust_objective(problem, V, W, radius) - penalty

    # the penalty, a few times the loss at most, is added and taken away again
    yield agree(derived, code, [(i, loss) for i in range(24) for loss in names], digits=13, scale=1.0)
