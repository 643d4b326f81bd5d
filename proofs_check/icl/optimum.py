"""The optimum of one layer, the logistic flow towards it, nonlinear targets and the train risk."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.icl.population_loss import DIGITS, isserlis, settings
from corollary.proofs_check.icl.wick import Poly, Prompt, dot, gaussian
from corollary.theory import icl

Steps = Generator[Step | Agreement, None, None]
I2 = [[Fraction(1), Fraction(0)], [Fraction(0), Fraction(1)]]


def _inverse(A: Any) -> list[list[Fraction]]:
    (a, b), (c, e) = A
    D = a * e - b * c
    return [[e / D, -b / D], [-c / D, a / D]]


def _moments(p: Prompt) -> tuple[Any, Any, Any]:
    """E[w gᵀ] → (2, 2), C = E[ggᵀ], Λ = E[x xᵀ], all by expansion."""
    two = range(2)
    cross = [[p.mean(p.w[a] * p.g[b]) for b in two] for a in two]
    C = [[p.mean(p.g[a] * p.g[b]) for b in two] for a in two]
    Λ = [[p.mean(p.xq[a] * p.xq[b]) for b in two] for a in two]
    return cross, C, Λ


def _times(A: Any, B: Any) -> list[list[Fraction]]:
    return [[sum(A[i][k] * B[k][j] for k in range(2)) for j in range(2)] for i in range(2)]


@derivation(of=(icl.optimal_preconditioner, icl.optimal_excess, icl.excess), method="rational")
def preconditioner() -> Steps:
    """K* = E[w gᵀ] C⁻¹ = ΩΛC⁻¹ minimises E(x_qᵀKg − w·x_q)² = tr Λ E[(Kg − w)(Kg − w)ᵀ]: a linear regression of w on g."""
    k, c, e = sp.symbols("k:4"), sp.symbols("c:3"), sp.symbols("e:4")
    l = sp.symbols("l:3")
    K, C = sp.Matrix(2, 2, k), sp.Matrix([[c[0], c[1]], [c[1], c[2]]])
    Λ, E = sp.Matrix([[l[0], l[1]], [l[1], l[2]]]), sp.Matrix(2, 2, e)
    loss = (Λ * (K * C * K.T - 2 * K * E.T)).trace()
    slope = sp.Matrix(2, 2, [sp.diff(loss, x) for x in k])
    rest = sp.expand(slope - 2 * Λ * (K * C - E))
    yield step("∂/∂K tr Λ(KCKᵀ − 2KEᵀ) = 2Λ(KC − E), E = E[w gᵀ]; remainder", rest, holds=rest.is_zero_matrix is True)
    least = sp.simplify(
        loss.subs(dict(zip(k, E * C.inv(), strict=True)), simultaneous=True) + (Λ * E * C.inv() * E.T).trace()
    )
    yield step("at K = EC⁻¹ the loss is t − tr Λ E C⁻¹ Eᵀ; remainder", least, holds=least == 0)

    def derived(p: Prompt, task: Any, which: Any) -> Fraction:
        cross, C, Λ = _moments(p)
        K = _times(cross, _inverse(C))
        if which == "excess":
            gap = dot(p.xq, [dot(row, p.g) for row in K]) - p.label
            return p.mean(gap * gap)
        return K[which[0]][which[1]]

    def code(p: Prompt, task: Any, which: Any) -> float:
        K = icl.optimal_preconditioner(task)
        if which != "excess":
            return float(K[which])
        both = icl.optimal_excess(task), icl.excess(K, task)
        return both[0] if abs(both[0] - both[1]) < 1e-13 * task.signal else float("nan")

    N, λ, ω, t, s = sp.symbols("N λ ω t s", positive=True)
    term = λ * ω - λ**3 * ω**2 / ((1 + 1 / N) * λ * ω * λ + (t + s) / N * λ)  # Λ, Ω in a common eigenbasis
    limit = sp.simplify(sp.limit(N * term, N, sp.oo) - (λ * ω + t + s))
    yield step(
        "N excess* → Σ (λω + t + σ²) = t + d(t + σ²) for commuting Λ, Ω; remainder of a term", limit, holds=limit == 0
    )
    points = [(p, t, w) for p, t in settings(11, 8) for w in ("excess", (0, 0), (0, 1), (1, 0))]
    yield agree(derived, code, points, digits=DIGITS, scale=1.0)


@derivation(of=icl.optimal_step, method="rational")
def step_size() -> Steps:
    """η = E[label · p]/E[p²], p = x_q·g; N/(N+d+1+σ²) for Λ = Ω = I (Mahankali et al. 2023, Theorem 1), from monomials."""
    yield isserlis()
    closed = []
    for N in (2, 3):
        for d in (1, 2):
            eye = [[Fraction(int(i == j)) for j in range(d)] for i in range(d)]
            p = Prompt(N, eye, eye, Fraction(1, 2))
            q = dot(p.xq, p.g)
            closed.append(p.mean(p.label * q) / p.mean(q * q) == Fraction(N) / (N + d + 1 + Fraction(1, 4)))
    yield step("N/(N+d+1+σ²) at N = 2, 3, d = 1, 2, σ² = 1/4, exactly", closed, holds=all(closed))

    def derived(p: Prompt, task: Any) -> Fraction:
        q = dot(p.xq, p.g)
        return p.mean(p.label * q) / p.mean(q * q)

    yield agree(derived, lambda p, task: icl.optimal_step(task), settings(12, 20), digits=DIGITS)


@derivation(of=icl.gradient_flow, method="symbolic")
def flow() -> Steps:
    """k̇ = (2/√d) k (α − βk) for k = ca has k(t) = k∞/(1 + (k∞/k₀ − 1)e^{−2αt/√d}); c² − ‖A‖_F² is conserved."""
    a, c, α, β, d, t, k0 = sp.symbols("a c α β d t k0", positive=True)
    loss = sp.Rational(1, 2) * (-2 * c * a * α + c**2 * a**2 * β)  # ½E − t/2 on A = aI, u = b = 0
    # A moves entry by entry: each diagonal entry carries 1/d of ∂/∂a
    da, dc = -sp.diff(loss, a) / d, -sp.diff(loss, c)
    kept = sp.expand(2 * c * dc - 2 * d * a * da)
    yield step("d/dt (c² − d a²)", kept, holds=kept == 0)
    D, W = sp.Matrix(2, 2, sp.symbols("D:4")), sp.Matrix(2, 2, sp.symbols("A:4"))  # ∂L/∂K and A, K = cAᵀ, any L(K)
    dW = -c * D.T
    dw = -sum(D[i, j] * W[j, i] for i in range(2) for j in range(2))
    kept = sp.expand(2 * c * dw - 2 * sum(W[i, j] * dW[i, j] for i in range(2) for j in range(2)))
    yield step("d/dt (c² − ‖A‖_F²) for a general A and any loss of K = cAᵀ (u = b = 0)", kept, holds=kept == 0)
    k = sp.Symbol("k", positive=True)
    speed = (dc * a + c * da).subs(c, sp.sqrt(d) * a)
    rest = sp.simplify(speed - (2 / sp.sqrt(d) * k * (α - β * k)).subs(k, sp.sqrt(d) * a**2))
    yield step("on c = √d a: d(ca)/dt − (2/√d)k(α − βk)", rest, holds=rest == 0)
    solution = (α / β) / (1 + (α / β / k0 - 1) * sp.exp(-2 * α * t / sp.sqrt(d)))
    rest = sp.simplify(sp.diff(solution, t) - 2 / sp.sqrt(d) * solution * (α - β * solution))
    yield step(
        "the logistic curve solves it; remainder", rest, holds=rest == 0 and sp.simplify(solution.subs(t, 0) - k0) == 0
    )
    f = sp.lambdify((α, β, d, k0, t), solution, "mpmath")

    def derived(task: Any, start: float, time: float) -> Any:
        p = Prompt(
            task.context,
            *[[[x * Fraction(int(i == j)) for j in range(2)] for i in range(2)] for x in (Fraction(3, 4), Fraction(1))],
            Fraction(1, 2),
        )
        cross, C, Λ = _moments(p)
        # tr ΛE[w gᵀ] and tr ΛC: slope and curvature of the loss along K = kI
        alpha = sum(Λ[i][j] * cross[j][i] for i in range(2) for j in range(2))
        beta = sum(Λ[i][j] * C[j][i] for i in range(2) for j in range(2))
        with mp.workdps(40):
            return f(
                mp.mpf(alpha.numerator) / alpha.denominator,
                mp.mpf(beta.numerator) / beta.denominator,
                mp.mpf(2),
                mp.mpf(start),
                mp.mpf(time),
            )

    def code(task: Any, start: float, time: float) -> float:
        return float(icl.gradient_flow(task, start, [time])[0])

    points = [
        (icl.LinearTask(2, N, 9 / 16 * np.eye(2), noise=0.25), s, x)
        for N in (2, 3)
        for s in (0.0625, 2.0)
        for x in (0.0, 0.5, 1.0, 2.0, 8.0)
    ]
    yield agree(derived, code, points, digits=13)


@derivation(of=icl.nonlinear_optimum, method="rational")
def nonlinear() -> Steps:
    """E[label p] = a₁², N E p² = (d−1)m₂ + m₂₂ + σ²d + (N−1)a₁² for y = f(w·x) + ε, |w| = 1: Stein along w, independence across."""
    N, d, a1, m2, m22, s = sp.symbols("N d a1 m2 m22 s", positive=True)
    same = (d - 1) * m2 + m22 + s * d  # E y_i² |x_i|², with x_q integrated out
    power = (N * same + N * (N - 1) * a1**2) / N**2
    η = sp.simplify(a1**2 / power)
    rest = sp.simplify(η - N * a1**2 / (same + (N - 1) * a1**2))
    yield step(
        "η = E[label p]/E p², N equal terms i = j and N(N−1) terms a₁² for i ≠ j; remainder", rest, holds=rest == 0
    )
    least = sp.simplify(m2 - 2 * η * a1**2 + η**2 * power - (m2 - N * a1**4 / (same + (N - 1) * a1**2)))
    yield step("excess m₂ − 2ηa₁² + η²E p²; remainder", least, holds=least == 0)
    targets = {"z³": (0, 0, 0, 1), "z + z²/2": (0, 1, Fraction(1, 2), 0), "z³ − 2z": (0, -2, 0, 1)}

    def expand(name: str, dimension: int, length: int, noise: Fraction) -> tuple[Fraction, Fraction, Fraction]:
        """E[label p], E p², E label² with w = e₁ (the law is the same for every w), all monomials."""
        f = lambda z: sum((c * z**k for k, c in enumerate(targets[name])), Poly.of(0))  # noqa: E731
        eye = [[Fraction(int(i == j)) for j in range(dimension)] for i in range(dimension)]
        prompt = Prompt(length, eye, eye, Fraction(0))
        y = [f(x[0]) + noise * Poly.variable(("e", i, 0)) for i, x in enumerate(prompt.X)]
        label = f(prompt.xq[0])
        p = dot([dot(x, prompt.xq) for x in prompt.X], y) * Fraction(1, length)
        return prompt.mean(label * p), prompt.mean(p * p), prompt.mean(label * label)

    def derived(name: str, dimension: int, length: int, noise: Fraction, which: int) -> Fraction:
        cross, power, label = expand(name, dimension, length, noise)
        return cross / power if which == 0 else label - cross**2 / power

    def code(name: str, dimension: int, length: int, noise: Fraction, which: int) -> float:
        def mean(extra: int, square: bool) -> Fraction:
            c = targets[name]
            pairs = [(k + j, x * y) for k, x in enumerate(c) for j, y in enumerate(c)] if square else list(enumerate(c))
            return sum((x * gaussian(k + extra) for k, x in pairs), Fraction(0))

        moments = icl.TargetMoments(float(mean(1, False)), float(mean(0, True)), float(mean(2, True)))
        return icl.nonlinear_optimum(moments, dimension, length, float(noise) ** 2)[which]

    points = [
        (name, dim, n, Fraction(1, 2), w)
        for name in targets
        for dim, n in ((1, 2), (2, 2), (2, 3), (3, 2))
        for w in (0, 1)
    ]
    yield agree(derived, code, points, digits=DIGITS, scale=1.0)


@derivation(of=icl.train_risk_step, method="rational")
def train_risk() -> Steps:
    """η = E[y₁ p]/E p² with p = x₁·g: the query is example 1 of its own context. All monomials, Λ = vI, Ω = ωI."""
    yield isserlis()
    N, d, s = sp.symbols("N d s")
    num = d * (d + 2) + s * d + (N - 1) * d
    yield step("N E[y₁ p] = E y₁²|x₁|² + (N−1) E y₁y₂ x₁·x₂ = d(d+2) + σ²d + (N−1)d", num)

    def derived(dimension: int, length: int, root: Fraction, noise: Fraction) -> Fraction:
        eye = lambda x: [[x * Fraction(int(i == j)) for j in range(dimension)] for i in range(dimension)]  # noqa: E731
        p = Prompt(length, eye(root), eye(Fraction(5, 4)), noise)
        q = dot(p.X[0], p.g)
        return p.mean(p.y[0] * q) / p.mean(q * q)

    def code(dimension: int, length: int, root: Fraction, noise: Fraction) -> float:
        eye = np.eye(dimension)
        return icl.train_risk_step(
            icl.LinearTask(dimension, length, float(root) ** 2 * eye, 25 / 16 * eye, float(noise) ** 2)
        )

    points = [
        (dim, n, r, e)
        for dim, n in ((1, 2), (1, 3), (2, 2), (2, 3), (1, 4))
        for r in (Fraction(1), Fraction(3, 4))
        for e in (Fraction(0), Fraction(1, 2))
    ]
    yield agree(derived, code, points, digits=DIGITS)
