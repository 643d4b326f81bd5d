"""The convex program and its dual: mapping to a network, conjugates of the losses, the structure behind the solvers."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import convex_relu
from corollary.theory.convex_relu import admm, losses

Steps = Generator[Step | Agreement, None, None]

f, y, nu, p, v, s, beta = sp.symbols("f y nu p v s beta", real=True)


@derivation(of=(convex_relu.network, convex_relu.Network), method="symbolic")
def mapping() -> Steps:
    """β/2 (‖u‖² + a²) over all (u, a) with the same function u a = v has the minimum β‖v‖, at |a| = √‖v‖."""
    size, a = sp.symbols("‖v‖ a", positive=True)
    cost = beta / 2 * (size**2 / a**2 + a**2)
    least = sp.solve(sp.diff(cost, a), a)
    best = [r for r in least if r.is_positive]
    yield step(
        "(x·u)_+ a = (x·v)_+ for u = v/a, a > 0: the cost as a function of a",
        cost,
        holds=sp.simplify(sp.Max(0, 2 * 3 / sp.Integer(5)) * 5 - sp.Max(0, 6)) == 0,
    )
    yield step("its stationary point", best, holds=len(best) == 1 and sp.simplify(best[0] - sp.sqrt(size)) == 0)
    value = sp.simplify(cost.subs(a, sp.sqrt(size)))
    yield step("the least cost", value, holds=value == beta * size)
    yield step("convex in log a, so it is the minimum", sp.simplify(sp.diff(cost.subs(a, sp.exp(s)), s, 2)),
               holds=sp.simplify(sp.diff(cost.subs(a, sp.exp(s)), s, 2) - 2 * beta * (size**2 * sp.exp(-2 * s) + sp.exp(2 * s))) == 0)  # fmt: skip
    rng = np.random.default_rng(0)
    points = [(rng.standard_normal((3, 4)), rng.standard_normal((3, 4))) for _ in range(24)]

    def derived(V: np.ndarray, W: np.ndarray) -> float:
        return float(np.sum(np.linalg.norm(V, axis=0)) + np.sum(np.linalg.norm(W, axis=0)))

    def code(V: np.ndarray, W: np.ndarray) -> float:
        return convex_relu.network(V[:, :, None], W[:, :, None]).weight_penalty()

    # sums of 8 norms on either side: a few dozen roundings
    yield agree(derived, code, points, digits=14)


@derivation(of=losses.dual_value, method="symbolic")
def conjugates() -> Steps:
    """−L*(−ν) = min_f L(f) + ν f for the three losses, ν in its domain."""
    q = (f - y) ** 2 / 2 + nu * f
    at = sp.solve(sp.diff(q, f), f)[0]
    squared = sp.expand(q.subs(f, at))
    yield step("squared: minimum at f = y − ν", squared, holds=sp.expand(squared - (y * nu - nu**2 / 2)) == 0)
    m = sp.Symbol("m", real=True)  # the margin y f; ν f = p m for p = y ν, since y² = 1
    yield step(
        "hinge: (1 − m)_+ + p m is linear on m ≤ 1 (slope p − 1) and on m ≥ 1 (slope p): bounded iff 0 ≤ p ≤ 1",
        "minimum p at m = 1",
        holds=sp.diff(1 - m + p * m, m) == p - 1 and sp.simplify((1 - m + p * m).subs(m, 1) - p) == 0,
    )
    q = sp.Symbol("q", positive=True)  # p = q/(1+q), so p in (0, 1)
    smooth = sp.log(1 + sp.exp(-m)) + q / (1 + q) * m
    margin = -sp.log(q)  # from e^{−m}/(1 + e^{−m}) = p
    flat = sp.simplify(sp.diff(smooth, m).subs(m, margin))
    entropy = -q / (1 + q) * sp.log(q / (1 + q)) - 1 / (1 + q) * sp.log(1 / (1 + q))
    rest = sp.simplify(sp.expand_log(smooth.subs(m, margin) - entropy, force=True))
    yield step("logistic: stationary at m = ln((1 − p)/p)", margin, holds=flat == 0)
    yield step("logistic: the value there is the entropy H(p)", entropy, holds=rest == 0)
    rng = np.random.default_rng(1)

    def derived(loss: str, sign: float, share: float) -> float:
        if loss == "squared":
            return float(squared.subs({y: sign, nu: share}))
        if loss == "hinge":
            return share
        return float(entropy.subs(q, share / (1 - share)))

    def code(loss: str, sign: float, share: float) -> float:
        value = np.array([share if loss == "squared" else sign * share])
        return float(losses.dual_value(loss, value, np.array([sign])))  # pyright: ignore[reportArgumentType]

    points = [(loss, float(rng.choice((-1.0, 1.0))), float(rng.random())) for loss in losses.LOSSES for _ in range(10)]
    yield agree(derived, code, points, digits=13)  # logarithms near 1 cost a digit


def _rational(rng: np.random.Generator, *shape: int) -> Any:
    return sp.Matrix(*shape, lambda i, j: sp.Rational(int(rng.integers(-9, 10)), int(rng.integers(1, 7))))


@derivation(of=admm.factors, method="rational")
def structure() -> Steps:
    """GᵀG = I ⊗ XᵀX, F B⁻¹ Fᵀ = 2 (X B⁻¹ Xᵀ) ∘ (D Dᵀ), and the u-update through n × n, in exact arithmetic."""
    rng = np.random.default_rng(2)
    n, d, P = 3, 2, 2
    X = _rational(rng, n, d)
    D: Any = sp.Matrix([[1, 0], [1, 1], [0, 1]])
    F: Any = sp.Matrix.hstack(*[sign * sp.diag(*D[:, i]) * X for sign in (1, -1) for i in range(P)])
    G = sp.diag(*[(2 * sp.diag(*D[:, i]) - sp.eye(n)) * X for _ in (1, -1) for i in range(P)])
    inner = sp.diag(*[X.T * X] * (2 * P))
    yield step("(2D − I)² = I, so GᵀG is block diagonal with XᵀX", G.T * G - inner, holds=G.T * G == inner)
    kappa, rho = sp.Rational(3, 2), sp.Rational(5, 7)
    B = sp.eye(d) + kappa * X.T * X
    whole = sp.diag(*[B] * (2 * P))
    K = 2 * (X * B.inv() * X.T).multiply_elementwise(D * D.T)
    yield step("F (I ⊗ B)⁻¹ Fᵀ", K, holds=sp.simplify(F * whole.inv() * F.T - K) == sp.zeros(n, n))
    b, target = _rational(rng, 2 * P * d, 1), _rational(rng, n, 1)
    dense = (F.T * F + rho * whole).inv() * (F.T * target + rho * b)
    Z = whole.inv() * b
    e = (sp.eye(n) + K / rho).inv() * (target - F * Z)
    fast = Z + whole.inv() * F.T * e / rho
    yield step(
        "u = Z + B⁻¹Fᵀe/ρ solves the dense system",
        "remainder 0",
        holds=sp.simplify(dense - fast) == sp.zeros(2 * P * d, 1),
    )
    yield step("e is the residual y − F u", "remainder 0", holds=sp.simplify(target - F * fast - e) == sp.zeros(n, 1))

    def derived(i: int, j: int) -> float:
        return float(K[i % n, j % n]) if max(i, j) < n else float((K * K)[i % n, j % n])

    f_ = admm.factors(np.array(X.tolist(), float), np.array(D.tolist(), float), float(kappa))
    rebuilt = np.asarray(f_.Q) @ np.diag(np.asarray(f_.values)) @ np.asarray(f_.Q).T

    def code(i: int, j: int) -> float:
        return float(rebuilt[i % n, j % n]) if max(i, j) < n else float((rebuilt @ rebuilt)[i % n, j % n])

    # an eigendecomposition of a 3 × 3 matrix and its square, of the size of K²
    yield agree(derived, code, [(i, j) for i in range(6) for j in range(6)], digits=12, scale=float(max(abs(K * K))))


def exact_line(
    x: list[Fraction], t: list[Fraction], b: Fraction
) -> tuple[Fraction, Fraction, list[Fraction], list[Fraction]]:
    """d = 1: (p*, critical β, f*, norms) in closed form. The two patterns are the two sides of zero, which do not share
    points: each side is ½‖x a − t‖² + β |a|, soft thresholding."""
    value, top, fit, norms = Fraction(0), Fraction(0), [Fraction(0)] * len(x), []
    for side in (1, -1):
        k = [i for i in range(len(x)) if x[i] * side > 0]
        square, inner = sum((x[i] ** 2 for i in k), Fraction(0)), sum((x[i] * t[i] for i in k), Fraction(0))
        top = max(top, abs(inner))
        a = Fraction(0)
        if abs(inner) > b:
            a = (abs(inner) - b) / square * (1 if inner > 0 else -1)
        norms.append(abs(a))
        value += b * abs(a)
        for i in k:
            fit[i] = x[i] * a
    value += sum(((fit[i] - t[i]) ** 2 for i in range(len(x))), Fraction(0)) / 2
    return value, top, fit, norms


@derivation(of=(convex_relu.solve, convex_relu.critical_beta), method="rational")
def line() -> Steps:
    """d = 1 in exact arithmetic, with a rational dual certificate: primal = dual as fractions."""
    rng = np.random.default_rng(3)

    def draw() -> tuple[list[Fraction], list[Fraction], Fraction]:
        numbers = [Fraction(int(k), 4) for k in rng.integers(1, 17, 10)]
        signs = rng.choice((-1, 1), 10)
        x = [n * int(g) for n, g in zip(numbers[:5], signs[:5], strict=True)]
        t = [n * int(g) for n, g in zip(numbers[5:], signs[5:], strict=True)]
        return x, t, Fraction(int(rng.integers(1, 9)), 4)

    cases = [draw() for _ in range(30)]
    equal, feasible, silent = True, True, True
    for x, t, b in cases:
        value, top, fit, _ = exact_line(x, t, b)
        r = [ti - fi for ti, fi in zip(t, fit, strict=True)]
        dual = sum((ri * ti - ri * ri / 2 for ri, ti in zip(r, t, strict=True)), Fraction(0))
        equal &= dual == value
        reach = [
            abs(sum((ri * xi for ri, xi in zip(r, x, strict=True) if xi * side > 0), Fraction(0))) for side in (1, -1)
        ]
        feasible &= max(reach) <= b
        silent &= (b >= top) == all(v == 0 for v in fit)
    yield step("ν = y − f* is dual feasible: |Σ_side ν x| ≤ β, in fractions, 30 instances", "exact", holds=feasible)
    yield step("dual value y·ν − ‖ν‖²/2 equals the primal value, in fractions", "exact", holds=equal)
    yield step("f* = 0 iff β ≥ max over sides |Σ x y|", "exact", holds=silent)

    def host(x: list[Fraction], t: list[Fraction]) -> tuple[np.ndarray, np.ndarray]:
        return np.array([[float(v)] for v in x]), np.array([float(v) for v in t])

    def derived(i: int, what: str) -> float:
        value, top, _, _ = exact_line(*cases[i])
        return float(value if what == "p*" else top)

    def code(i: int, what: str) -> float:
        X, target = host(*cases[i][:2])
        if what == "p*":
            return convex_relu.solve(X, target, float(cases[i][2]), "all", tol=1e-10).objective
        return convex_relu.critical_beta(X, target, np.asarray(convex_relu.all_patterns(X)))

    # tol = 1e-10 is the certified relative gap asked for
    yield agree(derived, code, [(i, what) for i in range(15) for what in ("p*", "critical")], digits=9.9)


@derivation(of=convex_relu.path, method="symbolic")
def slope() -> Steps:
    """dp/dβ = T(β): p is a minimum of functions linear in β, hence concave with the penalty of a minimiser as slope."""
    c, square = sp.symbols("c S", positive=True)  # c = |Σ x y| > β, S = Σ x²
    a = (c - beta) / square
    value = square * a**2 / 2 - c * a + beta * a
    yield step(
        "one side in d = 1: p(β) − ½‖y‖²",
        sp.factor(value),
        holds=sp.simplify(value + (c - beta) ** 2 / (2 * square)) == 0,
    )
    yield step("dp/dβ − T", 0, holds=sp.simplify(sp.diff(value, beta) - a) == 0)
    yield step(
        "p″ = −1/S < 0: concave", sp.diff(value, beta, 2), holds=sp.simplify(sp.diff(value, beta, 2) + 1 / square) == 0
    )
    rng = np.random.default_rng(4)
    points = [(float(b), tuple(float(k) for k in rng.integers(1, 9, 6) / 4)) for b in rng.uniform(0.05, 2, 24)]

    def derived(b: float, numbers: tuple[float, ...]) -> float:
        x = [Fraction(numbers[0]), Fraction(numbers[1]), -Fraction(numbers[2])]
        norms = exact_line(x, [Fraction(k) for k in numbers[3:]], Fraction(b))[3]
        return float(sum(norms))

    def code(b: float, numbers: tuple[float, ...]) -> float:
        X = np.array([[numbers[0]], [numbers[1]], [-numbers[2]]])
        D = np.asarray(convex_relu.all_patterns(X))
        return float(convex_relu.path(X, np.array(numbers[3:]), D, [b], tol=1e-10).penalty[0])

    # T moves like the square root of the gap, 1e-5, only along flat directions; here p is strictly convex in T: 1e-10
    yield agree(derived, code, points, digits=6, scale=1.0)
