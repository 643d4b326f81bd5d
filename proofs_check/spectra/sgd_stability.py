"""Mean-square stability of SGD: the operator by exact enumeration, η* by its quotient, Gaussian gradients, traces."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from random import Random
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import spectra

Steps = Generator[Step | Agreement, None, None]


def _gradients(seed: int) -> tuple[sp.Matrix, sp.Matrix]:
    rng = Random(seed)
    A = sp.Matrix(4, 2, lambda i, j: sp.Rational(rng.randint(-6, 6), 3))
    x, y, z = (sp.Rational(rng.randint(-5, 5), 4) for _ in range(3))
    return A, sp.Matrix([[x, y], [y, z]])


def _enumerated(seed: int, batch: int, replace: bool) -> Any:
    """The (1, 2) entry plus the trace of E θ₁θ₁ᵀ, over all batches, in rationals."""
    A, M = _gradients(seed)
    rate = sp.Rational(1, 7)
    draws = itertools.product(range(4), repeat=batch) if replace else itertools.combinations(range(4), batch)
    total, count = sp.zeros(2, 2), 0
    for rows in draws:
        S = sp.eye(2) - rate / batch * sum((A[i, :].T * A[i, :] for i in rows), sp.zeros(2, 2))
        total, count = total + S * M * S.T, count + 1
    return sp.Float((total[0, 1] + total.trace()) / count, 30)


def _by_code(seed: int, batch: int, replace: bool) -> float:
    A, M = (np.array(x.tolist(), dtype=float) for x in _gradients(seed))
    T = spectra.second_moment_step(M, A, 1 / 7, spectra.batch_noise_share(batch, 4, replace))
    return float(T[0, 1] + np.trace(T))


@derivation(of=(spectra.second_moment_step, spectra.batch_noise_share), method="rational")
def second_moment_of_a_step() -> Steps:
    """E S M S over batches: the covariance of a batch mean is p times that of one term, p by the pairs of indices."""
    n, B = sp.symbols("n B", positive=True)
    # without replacement two terms have the covariance −σ²/(n − 1): all n of them sum to a constant
    remainder = sp.simplify((B - B * (B - 1) / (n - 1)) / B**2 - (n - B) / (B * (n - 1)))
    yield step("(B − B(B − 1)/(n − 1))/B² − (n − B)/(B(n − 1))", remainder, holds=remainder == 0)
    yield step("with replacement the draws are independent: p =", 1 / B)
    cases = [(s, b, r) for s in range(6) for b, r in ((1, True), (2, True), (2, False), (3, False))]
    # a few dozen rounded products
    yield agree(_enumerated, _by_code, cases, digits=12, scale=1.0)


@derivation(of=(spectra.critical_rate, spectra.largest_trace), method="digits")
def critical_rate_of_sgd() -> Steps:
    """⟨M, M − T(M)⟩ = 2η⟨M, C M⟩ − η²⟨M, D M⟩: T (symmetric, positive) contracts iff η D < 2 C."""
    η, p = sp.symbols("eta p")
    a = sp.Matrix([[sp.Rational(1), sp.Rational(2)], [sp.Rational(-1), sp.Rational(1, 2)], [0, 1]])
    m = sp.Matrix(2, 2, sp.symbols("m11 m12 m12 m22"))
    H = sum((a[i, :].T * a[i, :] for i in range(3)), sp.zeros(2, 2)) / 3
    forms = sum((a[i, :].T * a[i, :] * m * a[i, :].T * a[i, :] for i in range(3)), sp.zeros(2, 2)) / 3
    T = (sp.eye(2) - η * H) * m * (sp.eye(2) - η * H) + η**2 * p * (forms - H * m * H)
    C, D = (H * m + m * H) / 2, (1 - p) * H * m * H + p * forms
    remainder = sp.simplify((m * (m - T)).trace() - 2 * η * (m * C).trace() + η**2 * (m * D).trace())
    yield step("⟨M, M − T M⟩ − 2η⟨M, C M⟩ + η²⟨M, D M⟩", remainder, holds=remainder == 0)
    norms = sum((a[i, :] * a[i, :].T)[0] ** 2 for i in range(3)) / sp.Integer(3)
    at_one = sp.simplify(
        D.subs(dict(zip(sp.symbols("m11 m12 m22"), (1, 0, 1), strict=True))).trace().subs(p, 1) - norms
    )
    yield step(
        "M = 1, p = 1: ⟨1, D 1⟩ − mean |a|⁴; with ⟨1, C 1⟩ = tr H and Jensen, tr H ≤ 2/η", at_one, holds=at_one == 0
    )

    def exact(seed: int, batch: int) -> Any:
        """det(T − 1) = 0 in the three coordinates of a symmetric M, smallest positive η, at 40 digits."""
        A, _ = _gradients(seed)
        share = sp.Rational(1, batch)
        Hs = A.T * A / 4
        basis = [sp.Matrix([[1, 0], [0, 0]]), sp.Matrix([[0, 1], [1, 0]]), sp.Matrix([[0, 0], [0, 1]])]
        rows = []
        for E in basis:
            fourth = sum((A[i, :].T * A[i, :] * E * A[i, :].T * A[i, :] for i in range(4)), sp.zeros(2, 2)) / 4
            change = -(Hs * E + E * Hs) + η * ((1 - share) * Hs * E * Hs + share * fourth)  # (T − 1)/η
            rows.append([change[0, 0], change[0, 1], change[1, 1]])
        polynomial = sp.Poly(sp.Matrix(rows).det(), η)
        with mp.workdps(40):
            roots = mp.polyroots([mp.mpf(c.p) / c.q for c in polynomial.all_coeffs()], maxsteps=300, extraprec=200)
        return min(r.real for r in roots if abs(r.imag) < 1e-20 and r.real > 0)

    def code(seed: int, batch: int) -> float:
        return spectra.critical_rate(np.array(_gradients(seed)[0].tolist(), dtype=float), batch)

    cases = [(seed, batch) for seed in range(10) for batch in (1, 3)]
    # eigenvalues of C^{-1/2} D C^{-1/2}, whose condition is that of H
    yield agree(exact, code, cases, digits=11)


@derivation(of=spectra.gaussian_critical_rate, method="digits")
def gaussian_rate() -> Steps:
    """E aaᵀ M aaᵀ = 2HMH + H tr(HM) (Isserlis): on diagonals T = diag(d) + (η²/B) λλᵀ, d = 1 − 2ηλ + (1 + 1/B)η²λ²;
    1 is an eigenvalue iff 1 = (η²/B) Σ λ²/(1 − d) = Σ ηλ/(2B − (B + 1)ηλ)."""
    η, λ, B = sp.symbols("eta lambda B", positive=True)
    d = (1 - η * λ) ** 2 + η**2 * λ**2 / B
    remainder = sp.simplify(η**2 / B * λ**2 / (1 - d) - η * λ / (2 * B - (B + 1) * η * λ))
    yield step("the secular equation's term minus the closed form's", remainder, holds=remainder == 0)

    def solved(a: float, b: float, batch: int) -> Any:
        with mp.workdps(40):
            top = 2 * mp.mpf(batch) / ((batch + 1) * max(a, b))

            def f(x: Any) -> Any:
                return sum(x * v / (2 * batch - (batch + 1) * x * v) for v in (mp.mpf(a), mp.mpf(b))) - 1

            return mp.findroot(f, (top * mp.mpf("1e-9"), top * (1 - mp.mpf(10) ** -12)), solver="anderson", tol=1e-30)

    rng = Random(3)
    cases = [(rng.uniform(0.1, 2), rng.uniform(0.1, 2), rng.choice([1, 2, 8, 64])) for _ in range(20)]
    yield agree(solved, lambda a, b, n: spectra.gaussian_critical_rate([a, b], n), cases, digits=12)


@derivation(of=spectra.relu_trace, method="symbolic")
def trace_of_a_relu_network() -> Steps:
    """∂f/∂a_j = relu(w_j·x), ∂f/∂w_j = a_j 1[w_j·x > 0] x: by symmetry E relu² = ‖w‖²/2 and E 1[…]‖x‖² = d/2."""
    x, w = sp.symbols("x w", positive=True)
    density = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    first = sp.integrate((w * x) ** 2 * density, (x, 0, sp.oo))
    yield step("E relu(w x)²", first, holds=sp.simplify(first - w**2 / 2) == 0)
    half = sp.integrate(x**2 * density, (x, 0, sp.oo))
    yield step("E 1[x > 0] x², and 1/2 from each other coordinate", half, holds=half == sp.Rational(1, 2))
    rng = np.random.default_rng(0)
    cases = [(rng.standard_normal((3, d)), rng.standard_normal(3)) for d in (1, 2, 3, 4) for _ in range(5)]

    def summed(W: Any, a: Any) -> Any:
        d = W.shape[1]
        return mp.fsum(mp.mpf(v) ** 2 for v in W.ravel()) / 2 + d * mp.fsum(mp.mpf(v) ** 2 for v in a) / 2

    yield agree(summed, spectra.relu_trace, cases, digits=14)


@derivation(of=spectra.diagonal_trace, method="rational")
def trace_of_a_diagonal_network() -> Steps:
    """∂f/∂a_j = b_j x_j, ∂f/∂b_j = a_j x_j for f = Σ a_j b_j x_j: ‖∇f‖² = Σ x_j² (a_j² + b_j²); by AM–GM ≥ 2|a_j b_j|."""
    d = 3
    a, b, x = (sp.symbols(f"{name}1:{d + 1}", real=True) for name in "abx")
    f = sum(p * q * s for p, q, s in zip(a, b, x, strict=True))
    squares = sum(sp.diff(f, v) ** 2 for v in (*a, *b))
    remainder = sp.expand(squares - sum(s**2 * (p**2 + q**2) for p, q, s in zip(a, b, x, strict=True)))
    yield step("‖∇f‖² − Σ x_j²(a_j² + b_j²)", remainder, holds=remainder == 0)
    gap = sp.factor(a[0] ** 2 + b[0] ** 2 - 2 * a[0] * b[0])
    yield step("a² + b² − 2ab is a square", gap, holds=gap == (a[0] - b[0]) ** 2)

    def averaged(seed: int) -> sp.Float:
        """Over a data set of four rational points, gradient by gradient."""
        A, B, X = _diagonal(seed)
        total = sp.Integer(0)
        for row in X:
            values = dict(zip((*a, *b, *x), (*A, *B, *row), strict=True))
            total += sum(sp.diff(f, v).subs(values) ** 2 for v in (*a, *b))
        return sp.Float(total / len(X), 30)

    def by_code(seed: int) -> float:
        A, B, X = (np.array(v, dtype=float) for v in _diagonal(seed))
        return spectra.diagonal_trace(A, B, np.mean(X**2, axis=0))

    # six rounded products and their sums
    yield agree(averaged, by_code, [(seed,) for seed in range(20)], digits=14)


def _diagonal(seed: int) -> tuple[list[Any], list[Any], list[list[Any]]]:
    rng = Random(seed)
    draw = [[sp.Rational(rng.randint(-9, 9), rng.randint(1, 7)) for _ in range(3)] for _ in range(6)]
    return draw[0], draw[1], draw[2:]
