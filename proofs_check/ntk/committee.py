"""The quadratic committee of Kumar et al. 2023: its closure, kernel, test loss, eigenvalues and lazy limit."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory.ntk import grokking
from corollary.theory.ntk.grokking import Moments

Steps = Generator[Step | Agreement, None, None]

α, ε, η = sp.symbols("alpha epsilon eta", positive=True)
D = N = 2
# code and formula are polynomials of a few dozen terms of order one, summed in float64: 1e-15 each, with room for cancellation
DIGITS = 11


def phi(h):
    return h + ε / 2 * h**2


def gaussian_mean(expression: Any, x: Any, d: int) -> Any:
    """E over x ~ N(0, I/d), monomial by monomial: E x^{2k} = (2k − 1)!!/d^k."""
    total = sp.Integer(0)
    for powers, coefficient in sp.Poly(sp.expand(expression), *x).terms():
        if not any(p % 2 for p in powers):
            total += (
                coefficient * sp.prod([sp.factorial2(p - 1) for p in powers if p]) / sp.Integer(d) ** (sum(powers) // 2)
            )
    return sp.expand(total)


def symbols() -> tuple[Any, Any, Any]:
    """Weights (N, D), two points (P, D), their targets."""
    W = sp.Matrix(N, D, sp.symbols(f"w:{N * D}"))
    X = sp.Matrix(2, D, sp.symbols(f"x:{2 * D}"))
    return W, X, sp.symbols("y:2")


def network(W: Any, x: Any) -> Any:
    return α / N * sum((phi((W[i, :] * x.T)[0]) for i in range(N)), sp.Integer(0))


def moments(W: Any) -> tuple[Any, Any]:
    return sum((W[i, :].T for i in range(N)), sp.zeros(D, 1)) / N, W.T * W / N


def cases(seed: int, count: int = 20) -> list[tuple]:
    """Random weights, points, targets and (α, ε, η), exactly as the floats the code gets."""
    rng = np.random.default_rng(seed)
    return [
        (rng.standard_normal((N, D)), rng.standard_normal((2, D)), rng.standard_normal(2), *rng.uniform(0.3, 1.2, 3))
        for _ in range(count)
    ]


def of_weights(w: np.ndarray) -> Moments:
    return Moments(w.mean(axis=0), w.T @ w / len(w))


@derivation(of=(grokking.outputs, grokking.descent_step), method="symbolic")
def committee_step() -> Steps:
    """With w ← w⁺ = A w − g for every neuron, w̄⁺ = A w̄ − g and M⁺ = A M Aᵀ − (A w̄) gᵀ − g (A w̄)ᵀ + g gᵀ: every weight
    is differentiated and moved, at two neurons, two dimensions, two points."""
    W, X, y = symbols()
    mean, M = moments(W)
    plain = [network(W, X[m, :]) for m in range(2)]
    short = [α * (X[m, :] * mean)[0] + α * ε / 2 * (X[m, :] * M * X[m, :].T)[0] for m in range(2)]
    rest = [sp.expand(a - b) for a, b in zip(plain, short, strict=True)]
    yield step("f = α w̄·x + (αε/2) x·M x; remainders", rest, holds=not any(rest))
    loss = sum(((f - t) ** 2 for f, t in zip(plain, y, strict=True)), sp.Integer(0)) / 4
    moved = W.applyfunc(lambda w: w - η * N / α**2 * sp.diff(loss, w))
    r = [f - t for f, t in zip(plain, y, strict=True)]
    g = η / (2 * α) * sum((r[m] * X[m, :].T for m in range(2)), sp.zeros(D, 1))
    A = sp.eye(D) - η * ε / (2 * α) * sum((r[m] * X[m, :].T * X[m, :] for m in range(2)), sp.zeros(D, D))
    affine = (moved - (W * A.T - sp.ones(N, 1) * g.T)).applyfunc(sp.expand)
    yield step(
        "gradient descent is one affine map for all neurons; remainder", affine, holds=affine.is_zero_matrix is True
    )
    a, b = sp.Matrix(D, D, sp.symbols("a:4")), sp.Matrix(D, 1, sp.symbols("g:2"))
    mean2, M2 = moments(W * a.T - sp.ones(N, 1) * b.T)
    u = a * mean
    gap = [
        (mean2 - (u - b)).applyfunc(sp.expand),
        (M2 - (a * M * a.T - u * b.T - b * u.T + b * b.T)).applyfunc(sp.expand),
    ]
    yield step("any affine map acts on (w̄, M) so; remainders", gap, holds=all(m.is_zero_matrix is True for m in gap))
    names = [*W, *X, *y, α, ε, η]
    after = moments(moved)
    exact = sp.lambdify(names, [*after[0], *after[1], network(moved, X[0, :])], "math")

    def derived(w, x, t, *scalars, entry):
        return exact(*w.ravel(), *x.ravel(), *t, *scalars)[entry]

    def code(w, x, t, a, e, rate, entry):
        new = grokking.descent_step(of_weights(w), x, t, a, e, rate)
        return float([*new.mean, *new.second.ravel(), grokking.outputs(new, x, a, e)[0]][entry])

    yield agree(
        lambda *p: derived(*p[:-1], entry=p[-1]),
        code,
        [(*c, k) for c in cases(1) for k in range(7)],
        digits=DIGITS,
        scale=1.0,
    )


@derivation(of=grokking.tangent_kernel, method="symbolic")
def committee_kernel() -> Steps:
    """Σ ∂f(x)/∂w ∂f(x′)/∂w = (α²/N) (x·x′) [1 + ε w̄·(x + x′) + ε² x·M x′], exactly."""
    W, X, _ = symbols()
    mean, M = moments(W)
    f, g = network(W, X[0, :]), network(W, X[1, :])
    exact = sum((sp.diff(f, w) * sp.diff(g, w) for w in W), sp.Integer(0))
    bracket = 1 + ε * ((X[0, :] + X[1, :]) * mean)[0] + ε**2 * (X[0, :] * M * X[1, :].T)[0]
    rest = sp.expand(exact - α**2 / N * (X[0, :] * X[1, :].T)[0] * bracket)
    yield step("differentiating by every weight; remainder", rest, holds=rest == 0)
    value = sp.lambdify([*W, *X, α, ε], exact, "math")

    def code(w, x, t, a, e, rate):
        return float(grokking.tangent_kernel(of_weights(w), x, x, a, e, N)[0, 1])

    yield agree(
        lambda w, x, t, a, e, rate: value(*w.ravel(), *x.ravel(), a, e), code, cases(2), digits=DIGITS, scale=1.0
    )


@derivation(of=grokking.population_loss, method="symbolic")
def committee_loss() -> Steps:
    """E (l·x + (1/2) x·E x)² = (tr E)²/(4D²) + tr E²/(2D²) + |l|²/D for x ~ N(0, I/D), by the moments of every monomial."""
    for d in (1, 2, 3):
        x, l = sp.symbols(f"x:{d}"), sp.Matrix(d, 1, sp.symbols(f"l:{d}"))
        E = sp.Matrix(d, d, lambda i, j: sp.Symbol(f"E{min(i, j)}{max(i, j)}"))
        v = sp.Matrix(x)
        f = (l.T * v)[0] + (v.T * E * v)[0] / 2
        rest = sp.expand(
            gaussian_mean(f**2, x, d) - E.trace() ** 2 / (4 * d**2) - (E * E).trace() / (2 * d**2) - (l.T * l)[0] / d
        )
        yield step(f"D = {d}; remainder", rest, holds=rest == 0)
    x = sp.symbols("x:2")
    mean, M, B = sp.symbols("m:2"), sp.symbols("M00 M01 M11"), sp.symbols("B00 B01 B11")

    def form(c):
        return c[0] * x[0] ** 2 + 2 * c[1] * x[0] * x[1] + c[2] * x[1] ** 2

    f = α * (mean[0] * x[0] + mean[1] * x[1]) + α * ε / 2 * form(M) - form(B) / 2
    value = sp.lambdify([*mean, *M, *B, α, ε], gaussian_mean(f**2, x, 2), "math")

    def code(*p):
        M, B = (np.array([[q[0], q[1]], [q[1], q[2]]]) for q in (p[2:5], p[5:8]))
        return float(sum(grokking.population_loss(Moments(np.array(p[:2]), M), B, p[8], p[9])))

    points = [tuple(map(float, p)) for p in np.random.default_rng(3).uniform(0.2, 1.5, (20, 10))]
    yield agree(value, code, points, digits=DIGITS)


@derivation(of=grokking.kernel_eigenvalues, method="symbolic")
def committee_eigenvalues() -> Steps:
    """E_x′ K(x, x′) ψ(x′) = λ ψ(x) with λ = 1/D, 2ε²/D², (ε²/D)(1 + 2/D) for ψ = x₁, x₁x₂, |x|²; K = x·x′ + ε² (x·x′)²."""
    found = {}
    for d in (2, 3, 4, 5):
        x, z = sp.symbols(f"x:{d}"), sp.symbols(f"z:{d}")
        dot = sum((a * b for a, b in zip(x, z, strict=True)), sp.Integer(0))
        K = dot + ε**2 * dot**2
        expected = {"linear": (x[0], z[0], 1 / sp.Integer(d)), "quadratic": (x[0] * x[1], z[0] * z[1], 2 * ε**2 / sp.Integer(d) ** 2),
                    "radial": (sum(a**2 for a in x), sum(b**2 for b in z), ε**2 / d * (1 + sp.Rational(2, d)))}  # fmt: skip
        for name, (left, right, λ) in expected.items():
            rest = sp.expand(gaussian_mean(K * right, z, d) - λ * left)
            found[d, name] = sp.lambdify(ε, λ, "math")
            yield step(f"D = {d}, {name}: λ = {λ}; remainder", rest, holds=rest == 0)
    points = [(d, name, e) for d, name in found for e in (0.3, 1.7)]

    def code(d, name, e):
        return getattr(grokking.kernel_eigenvalues(d, e), name)

    yield agree(lambda d, name, e: found[d, name](e), code, points, digits=14)


@derivation(of=grokking.target_alignment, method="symbolic")
def committee_alignment() -> Steps:
    """E y K y′ = ε² tr(S M S), S = E y x xᵀ = (|β|² I + 2ββᵀ)/(2D²): (ε²/4D⁴)(|β|⁴ tr M + 8|β|² β·Mβ)."""
    x, z, b, w = sp.symbols("x:2"), sp.symbols("z:2"), sp.symbols("b:2"), sp.symbols("w:2")
    M = sp.Matrix(2, 2, lambda i, j: sp.Symbol(f"M{min(i, j)}{max(i, j)}"))
    u, v, β, m = (sp.Matrix(s) for s in (x, z, b, w))
    K = (u.T * v)[0] * (1 + ε * (m.T * (u + v))[0] + ε**2 * (u.T * M * v)[0])
    exact = gaussian_mean(gaussian_mean(K * ((β.T * u)[0] * (β.T * v)[0]) ** 2 / 4, x, 2), z, 2)
    size = (β.T * β)[0]
    rest = sp.expand(exact - ε**2 / 64 * (size**2 * M.trace() + 8 * size * (β.T * M * β)[0]))
    yield step("the mean over both points, term by term: w̄ drops out; remainder", rest, holds=rest == 0)
    value = sp.lambdify([*b, M[0, 0], M[0, 1], M[1, 1], ε], exact, "math")

    def code(b0, b1, p, q, r, e):
        given = Moments(np.array([0.3, -0.2]), np.array([[p, q], [q, r]]))
        return float(grokking.target_alignment(given, np.array([b0, b1]), e))

    points = [tuple(map(float, p)) for p in np.random.default_rng(4).uniform(0.2, 1.5, (20, 6))]
    yield agree(value, code, points, digits=DIGITS)


@derivation(of=(grokking.lazy_fit, grokking.lazy_threshold), method="rational")
def committee_lazy_fit() -> Steps:
    """f = Σ a_μ K(·, x_μ), a = K⁻¹ y with K = G + ε² G∘G is x·Σ a x + ε² x·(Σ a x xᵀ) x; K has the rank min(P, D(D + 3)/2)."""
    rng = np.random.default_rng(5)

    def gram(x, e):
        G = x * x.T
        return G + e**2 * G.multiply_elementwise(G)

    for d in (1, 2, 3):
        full = d * (d + 3) // 2
        x = sp.Matrix(full + 2, d, [sp.Rational(int(k), 7) for k in rng.integers(-20, 20, (full + 2) * d)])
        ranks = [gram(x[:P, :], sp.Rational(1, 2)).rank() for P in range(1, full + 3)]
        yield step(
            f"D = {d}: ranks at P = 1, 2, …",
            ranks,
            holds=ranks == [min(P, full) for P in range(1, full + 3)] and full == grokking.lazy_threshold(d),
        )
    points = [
        (rng.permutation(401)[:8].reshape(4, 2) / 128 - 1.5, rng.integers(-9, 10, 4) / 4, 0.5, k)
        for _ in range(8)
        for k in range(6)
    ]

    def derived(x, y, e, k):
        X, t = sp.Matrix(4, 2, [sp.Rational(v) for v in x.ravel()]), sp.Matrix([sp.Rational(v) for v in y])
        a = gram(X, sp.Rational(e)).LUsolve(t)
        linear = X.T * a
        Q = 2 * sp.Rational(e) ** 2 * X.T * sp.diag(*a) * X
        found = sp.Rational([*linear, *Q][k])
        return Fraction(int(found.p), int(found.q))

    def code(x, y, e, k):
        fit = grokking.lazy_fit(x, y, e)
        return float([*fit.mean, *fit.second.ravel()][k])

    # a singular value decomposition loses the condition number of the features, below 1e4 here, and squares nothing
    yield agree(derived, code, points, digits=9, scale=1.0)
