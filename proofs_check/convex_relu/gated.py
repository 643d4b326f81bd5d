"""Gated networks: more patterns, and the cone decomposition, in exact arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from fractions import Fraction

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.convex_relu.orthants import solve_exactly
from corollary.theory import convex_relu

Steps = Generator[Step | Agreement, None, None]
Columns = list[list[Fraction]]


def lasso(columns: Columns, y: list[Fraction], beta: Fraction) -> tuple[list[Fraction], Fraction]:
    """z and value of min ½‖Σ z_i c_i − y‖² + β Σ|z_i|, by trial of all signs: the one that meets all conditions."""
    inner = [[sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0)) for v in columns] for u in columns]
    right = [sum((a * b for a, b in zip(u, y, strict=True)), Fraction(0)) for u in columns]
    for signs in itertools.product((0, 1, -1), repeat=len(columns)):
        on = [i for i, s in enumerate(signs) if s]
        z = [Fraction(0)] * len(columns)
        part = solve_exactly([[inner[i][j] for i in on] for j in on], [right[i] - beta * signs[i] for i in on])
        if part is None:
            continue
        for i, v in zip(on, part, strict=True):
            z[i] = v
        slope = [r - sum((m * v for m, v in zip(row, z, strict=True)), Fraction(0))
                 for r, row in zip(right, inner, strict=True)]  # fmt: skip
        if all(v * s > 0 for v, s in zip(z, signs, strict=True) if s) and all(abs(v) <= beta for v in slope):
            return z, value_of(columns, y, beta, z)
    raise ArithmeticError("no signs fit: the columns of every optimum are dependent")


def residual(columns: Columns, y: list[Fraction], z: list[Fraction]) -> list[Fraction]:
    fit = [sum((v * c[k] for v, c in zip(z, columns, strict=True)), Fraction(0)) for k in range(len(y))]
    return [t - f for t, f in zip(y, fit, strict=True)]


def value_of(columns: Columns, y: list[Fraction], beta: Fraction, z: list[Fraction]) -> Fraction:
    return sum((v * v for v in residual(columns, y, z)), Fraction(0)) / 2 + beta * sum(map(abs, z))


@derivation(of=convex_relu.solve, method="rational")
def nested_patterns() -> Steps:
    """𝒟 ⊂ 𝒟′: a solution over 𝒟, with zeros, is feasible over 𝒟′, and a ν feasible for 𝒟′ is feasible for 𝒟. Gated
    networks in d = 1 are a lasso with columns D_i x: both optima as fractions, each with its dual certificate."""
    rng = np.random.default_rng(41)
    cases: list[tuple[list[Fraction], np.ndarray, list[Fraction], Fraction]] = []
    while len(cases) < 20:
        D = np.unique(rng.integers(0, 2, (5, 4)), axis=1)
        # neither a zero pattern nor the sum of two others: solved by one choice of signs
        if D.shape[1] == 4 and D.any(axis=0).all() and np.linalg.matrix_rank(D) == 4:
            x, y = ([Fraction(int(k), 4) for k in rng.choice((-1, 1), 5) * rng.integers(1, 13, 5)] for _ in range(2))
            cases.append((x, D[:, rng.permutation(4)], y, Fraction(int(rng.integers(1, 5)), 4)))

    def columns(i: int, count: int) -> Columns:
        x, D, _, _ = cases[i]
        return [[x[k] * int(D[k, j]) for k in range(5)] for j in range(count)]

    optima = {(i, count): lasso(columns(i, count), *cases[i][2:]) for i in range(20) for count in (2, 4)}
    certified, extended, passed = True, True, True
    for (i, count), (z, value) in optima.items():
        _, _, y, beta = cases[i]
        nu = residual(columns(i, count), y, z)
        reach = [abs(sum((a * b for a, b in zip(nu, c, strict=True)), Fraction(0))) for c in columns(i, count)]
        dual = sum((n * t - n * n / 2 for n, t in zip(nu, y, strict=True)), Fraction(0))
        certified &= max(reach) <= beta and dual == value
        if count == 4:
            passed &= dual <= optima[i, 2][1] and max(reach[:2]) <= beta
        else:
            extended &= value_of(columns(i, 4), y, beta, [*z, Fraction(0), Fraction(0)]) == value
    yield step("ν = y − f*: |νᵀD_ix| ≤ β for all i, and ν·y − ½‖ν‖² is the primal value, over 2 and over 4 patterns",
               f"{len(optima)} programs", holds=certified)  # fmt: skip
    yield step("the solution over 2 patterns with two zeros has the same value over 4", "exact", holds=extended)
    yield step("ν of the 4 is feasible for the 2: its dual value bounds both from below", "exact", holds=passed)
    below = [optima[i, 4][1] < optima[i, 2][1] for i in range(20)]
    order = all(optima[i, 4][1] <= optima[i, 2][1] for i in range(20))
    yield step(f"so p*(𝒟′) ≤ p*(𝒟), strictly {sum(below)} times of 20", "exact", holds=order and sum(below) >= 10)
    halved = min(optima[i, 4][1] / optima[i, 2][1] for i in range(20))
    yield step("the least ratio", halved, holds=halved < 1)

    def code(i: int, count: int) -> float:
        x, D, y, beta = cases[i]
        X, target = np.array([[float(v)] for v in x]), np.array([float(v) for v in y])
        return convex_relu.solve(X, target, float(beta), D[:, :count].astype(float), gated=True, tol=1e-10).objective

    # tol = 1e-10 is the certified relative gap asked for
    yield agree(lambda i, count: float(optima[i, count][1]), code, list(optima), digits=9.9)


@derivation(of=(convex_relu.network, convex_relu.Network, convex_relu.patterns_of), method="rational")
def cone_decomposition() -> Steps:
    """z = v − w with v = z + τg, w = τg in the cone of g's own pattern, for τ ≥ max_k (−E_k x_k·z)_+ / |x_k·g|."""
    e, a, b, tau = sp.symbols("E a b tau", real=True)
    moved = sp.expand(e * (a + tau * b) - (e * a + tau * e * b))
    yield step("E x·v = E x·z + τ E x·g, and E x·g = |x·g| > 0 for g's own pattern E = 2D − 1 off the gates", moved,
               holds=moved == 0)  # fmt: skip
    least = sp.simplify((e * a + tau * sp.Abs(b)).subs(tau, -e * a / sp.Abs(b)))
    yield step("so it is ≥ 0 from τ = −E x·z/|x·g| on, where it is 0", least, holds=least == 0)
    relu = [sp.simplify(sp.Max(0, v) - d * v) for d, v in ((1, sp.Symbol("v", nonnegative=True)),
                                                           (0, sp.Symbol("v", nonpositive=True)))]  # fmt: skip
    yield step("in the cone (Xv)_+ = DXv: x·v ≥ 0 where D = 1, ≤ 0 where D = 0", relu, holds=relu == [0, 0])
    yield step("DXv − DXw = DX(v − w) = DXz, so the ReLU network of (v, w) predicts as the gated one does", "D X z")

    rng = np.random.default_rng(42)
    cases = []
    while len(cases) < 12:
        X, G, Z = (rng.integers(-8, 9, shape) / 4 for shape in ((5, 3), (3, 2), (3, 2)))
        if np.all(X @ G != 0):
            cases.append((X, G, Z))

    def exactly(X: np.ndarray, v: list[Fraction]) -> list[Fraction]:
        return [sum((Fraction(x) * c for x, c in zip(row, v, strict=True)), Fraction(0)) for row in X]

    gated, networks, inside, same = [], [], True, True
    for X, G, Z in cases:
        total, V, W = [Fraction(0)] * len(X), [], []
        relu_total = list(total)
        for j in range(2):
            g, z = [Fraction(v) for v in G[:, j]], [Fraction(v) for v in Z[:, j]]
            gate, pre = exactly(X, g), exactly(X, z)
            sign = [1 if v > 0 else -1 for v in gate]
            inside &= convex_relu.patterns_of(X, G[:, [j]])[:, 0].tolist() == [float(v > 0) for v in gate]
            t = max(max(Fraction(0), -s * p) / abs(q) for s, p, q in zip(sign, pre, gate, strict=True))
            v, w = [a_ + t * b_ for a_, b_ in zip(z, g, strict=True)], [t * b_ for b_ in g]
            for part, factor in ((v, 1), (w, -1)):
                out = exactly(X, part)
                inside &= all(s * o >= 0 for s, o in zip(sign, out, strict=True))
                relu_total = [r + factor * max(o, Fraction(0)) for r, o in zip(relu_total, out, strict=True)]
            total = [r + (p if s > 0 else 0) for r, p, s in zip(total, pre, sign, strict=True)]
            V.append([float(c) for c in v])
            W.append([float(c) for c in w])
        same &= total == relu_total
        gated.append(total)
        networks.append(convex_relu.network(np.array(V).T[:, :, None], np.array(W).T[:, :, None], flat=True))
    yield step("patterns, and v and w in their cones, 24 neurons in fractions", "E X v ≥ 0, E X w ≥ 0", holds=inside)
    yield step("gated and ReLU predictions, in fractions", "equal", holds=same)

    def derived(i: int, k: int) -> float:
        return float(gated[i][k])

    def code(i: int, k: int) -> float:
        return float(np.asarray(networks[i].predict(cases[i][0]))[k])

    # τ up to a few hundred where a point is nearly on a gate: three digits cancel
    yield agree(derived, code, [(i, k) for i in range(len(cases)) for k in range(5)], digits=11, scale=1.0)
