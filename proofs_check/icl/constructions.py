"""Weights that run gradient descent, GD++ and Newton: one layer in symbols, stacks against exact rational steps."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.icl.wick import floats, rational
from corollary.theory import icl

Steps = Generator[Step | Agreement, None, None]
# Predictions are sums of N·d products, repeated over at most 3 layers whose factors are below 4: 4³ · 30 roundings.
DIGITS = 11


def one_layer(P: Any, V: Any, K: Any, Q: Any, tokens: list[Any], keys: int) -> list[Any]:
    """e_j + P Σ_{i ≤ keys} (V e_i)(K e_i)ᵀ(Q e_j), in symbols."""
    total = sum(((V * e) * (K * e).T for e in tokens[:keys]), sp.zeros(P.rows))
    return [e + P * total * Q * e for e in tokens]


@derivation(of=(icl.gd_construction, icl.attend), method="rational")
def gradient_step() -> Steps:
    """y_j ← y_j − ΔW x_j, ΔW = −(η/N) Σ (W₀x_i − y_i)x_iᵀ: Proposition 1 of von Oswald et al. 2023, two inputs, two outputs."""
    N, dx, dy = 2, 2, 2
    X: Any
    Y: Any
    xq: Any
    X, Y = sp.Matrix(N, dx, sp.symbols("x:4")), sp.Matrix(N, dy, sp.symbols("y:4"))
    W0, xq, η = sp.Matrix(dy, dx, sp.symbols("w:4")), sp.Matrix(sp.symbols("q:2")), sp.Symbol("η")
    top, zero = sp.diag(1, 1, 0, 0), sp.zeros(2)
    V = sp.Matrix(sp.BlockMatrix([[zero, zero], [W0, -sp.eye(2)]]))
    tokens = [sp.Matrix([*X[i, :], *Y[i, :]]) for i in range(N)] + [sp.Matrix([*xq, *(-W0 * xq)])]
    out = one_layer(η / N * sp.eye(4), V, top, top, tokens, N)
    ΔW = -η / N * (X * W0.T - Y).T * X
    holds = all(
        sp.expand(e[:2, :] - t[:2, :]).is_zero_matrix and sp.expand(e[2:, :] - t[2:, :] + ΔW * t[:2, :]).is_zero_matrix
        for e, t in zip(out, tokens, strict=True)
    )
    yield step("every token: x_j stays, y_j falls by ΔW x_j", "d_x = d_y = N = 2", holds=holds)
    loss = sum((W0 * X[i, :].T - Y[i, :].T).dot(W0 * X[i, :].T - Y[i, :].T) for i in range(N)) / (2 * N)
    slope = sp.Matrix(dy, dx, [sp.diff(loss, w) for w in W0])
    rest = sp.expand(ΔW + η * slope)
    yield step("ΔW = −η ∂/∂W₀ (1/2N) Σ|W₀x_i − y_i|²; remainder", rest, holds=rest.is_zero_matrix is True)
    rest = sp.expand(-out[-1][2:, :] - (W0 + ΔW) * xq)
    yield step("minus the query's y-slot is (W₀ + ΔW) x_q; remainder", rest, holds=rest.is_zero_matrix is True)
    γ = sp.Symbol("γ")
    V = sp.Matrix(sp.BlockMatrix([[sp.eye(2), zero], [W0, -sp.eye(2)]]))
    out = one_layer(sp.diag(-γ, -γ, η / N, η / N), V, top, top, tokens, N)
    holds = all(
        sp.expand(e[:2, :] - t[:2, :] + γ * X.T * X * t[:2, :]).is_zero_matrix
        and sp.expand(e[2:, :] - t[2:, :] + ΔW * t[:2, :]).is_zero_matrix
        for e, t in zip(out, tokens, strict=True)
    )
    yield step("GD++: also x_j ← x_j − γ XᵀX x_j, with the old x in the step of y", "P = diag(−γ, η/N)", holds=holds)

    def derived(prompt: Any, etas: tuple, gammas: tuple) -> Fraction:
        X, y, q = ([list(r) for r in prompt[0]], list(prompt[1]), list(prompt[2]))
        n, out = len(X), Fraction(0)
        for η, γ in zip(etas, gammas, strict=True):
            inner = lambda a, b: sum((s * t for s, t in zip(a, b, strict=True)), Fraction(0))  # noqa: E731
            rows = [*X, q]
            moved = [
                [r[k] - γ * sum((x[k] * inner(x, r) for x in X), Fraction(0)) for k in range(len(q))] for r in rows
            ]
            drop = [η / n * sum((b * inner(x, r) for x, b in zip(X, y, strict=True)), Fraction(0)) for r in rows]
            y, out = [b - f for b, f in zip(y, drop[:-1], strict=True)], out + drop[-1]
            X, q = moved[:-1], moved[-1]
        return out

    def code(prompt: Any, etas: tuple, gammas: tuple) -> float:
        X, y, q = (floats(a) for a in prompt)
        stack = icl.gd_construction(
            [float(e) for e in etas], context=len(y), layers=len(etas), gamma=[float(g) for g in gammas]
        )
        return float(stack.predict(X, y, q))

    rng = np.random.default_rng(31)
    points = []
    for i in range(24):
        n, k = 2 + i % 4, 1 + i % 3
        prompt = rational(rng, n, 3), rational(rng, n), rational(rng, 3)
        steps = rational(rng, k), [g / 8 for g in rational(rng, k)] if i % 2 else [Fraction(0)] * k
        points.append((prompt, *(tuple(s) for s in steps)))
    yield agree(derived, code, points, digits=DIGITS, scale=0.1)


@derivation(of=icl.newton_construction, method="rational")
def newton_layer() -> Steps:
    """z_j = M x_j: two ReLU heads of opposite values and a doubling MLP make M ← 2M − MSM (Fu et al. 2023, Theorem 5.1, corrected)."""
    s = sp.Symbol("s", real=True)
    relu = lambda t: sp.Max(t, 0)  # noqa: E731
    cases = [[(relu(s) + sign * relu(-s)).subs(s, v) for v in (-3, 2)] for sign in (-1, 1)]
    yield step(
        "relu(s) − relu(−s) = s; relu(s) + relu(−s) = |s|, so equal value matrices do not give s",
        cases,
        holds=cases == [[-3, 2], [3, 2]],
    )
    M = sp.Matrix([[sp.Symbol("a"), sp.Symbol("b")], [sp.Symbol("b"), sp.Symbol("c")]])
    X, x = sp.Matrix(2, 2, sp.symbols("x:4")), sp.Matrix(sp.symbols("u:2"))
    z = lambda v: M * v  # noqa: E731
    rows = [X[i, :].T for i in range(2)]
    layer = 2 * (z(x) - sum((z(r) * r.dot(z(x)) for r in rows), sp.zeros(2, 1)) / 2)
    rest = sp.expand(layer - (2 * M - M * X.T * X * M) * x)
    yield step("2[z_j − ½ Σ z_i (x_i·z_j)] = (2M − MSM) x_j; remainder", rest, holds=rest.is_zero_matrix is True)

    def derived(prompt: Any, α: Fraction, steps: int) -> Fraction:
        X, y, q = prompt
        d = len(q)

        def times(A: Any, B: Any) -> list[list[Fraction]]:
            columns = list(zip(*B, strict=True))
            return [[sum((a * b for a, b in zip(r, c, strict=True)), Fraction(0)) for c in columns] for r in A]

        S = times(list(zip(*X, strict=True)), X)
        M = [[α * s for s in row] for row in S]
        for _ in range(steps):
            MSM = times(times(M, S), M)
            M = [[2 * M[i][j] - MSM[i][j] for j in range(d)] for i in range(d)]
        moment = [sum((row[a] * b for row, b in zip(X, y, strict=True)), Fraction(0)) for a in range(d)]
        return sum((q[i] * M[i][j] * moment[j] for i in range(d) for j in range(d)), Fraction(0))

    def code(prompt: Any, α: Fraction, steps: int) -> float:
        return float(icl.newton_construction(steps, alpha=float(α)).predict(*(floats(a) for a in prompt)))

    rng = np.random.default_rng(32)
    points = []
    while len(points) < 24:
        i = len(points)
        X = rational(rng, 2 + i % 3, 2)
        if np.linalg.cond(floats(X)) < 1e3:  # `predict` refuses dependent rows, as floats would lose all digits
            points.append(((X, rational(rng, 2 + i % 3), rational(rng, 2)), Fraction(1, 64), 1 + i % 4))
    yield agree(derived, code, points, digits=DIGITS, scale=0.1)
