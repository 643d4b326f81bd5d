"""Logistic regression with large steps: Novikoff's argument with the weights of the two methods, the exact walk of the
imbalanced example, and the distance of gradient descent from the perceptron."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from itertools import combinations
from random import Random
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import attention

Steps = Generator[Step | Agreement, None, None]


def _data(seed: int, n: int) -> list[tuple[Fraction, Fraction]]:
    """n rational rows in the plane, separable by a wide enough margin along (1, 2)."""
    rng, rows = Random(seed), []
    while len(rows) < n:
        a, b = Fraction(rng.randint(-9, 9), 4), Fraction(rng.randint(-9, 9), 4)
        if abs(a + 2 * b) >= Fraction(3, 4):
            rows.append((a, b) if a + 2 * b > 0 else (-a, -b))
    return rows


def _least_norm_square(rows: list[tuple[Fraction, Fraction]]) -> Fraction:
    """min ‖w‖² s.t. b·w ≥ 1, by the one or two constraints that hold with equality, in rationals."""
    best = None
    candidates = [(a / (a * a + b * b), b / (a * a + b * b)) for a, b in rows]
    for (a, b), (c, d) in combinations(rows, 2):
        det = a * d - b * c
        if det:
            candidates.append(((d - b) / det, (a - c) / det))
    for w in candidates:
        if all(a * w[0] + b * w[1] >= 1 for a, b in rows):
            size = w[0] ** 2 + w[1] ** 2
            best = size if best is None or size < best else best
    assert best is not None
    return best


@derivation(of=attention.step_bounds, method="rational")
def steps_to_separation() -> Steps:
    """⟨P, θ*⟩ ≥ μS and ‖P‖² ≤ R² Σ s_t², S = Σ s_t, s_t = Σ_k weights: S ≤ max s_t · R²/μ². Plain: s_t ≥ 1/n (½ at the
    first step) gives T ≤ nR²/μ² where no later margin is exactly 0; normalised: s_t = 1 gives T ≤ R²/μ²."""
    s, p, R, μ = sp.symbols("s p R mu", positive=True)
    # ‖P + Σ w b‖² = ‖P‖² + 2 Σ w bᵀP + ‖Σ w b‖², with bᵀP ≤ 0 where w > 0 and ‖Σ w b‖ ≤ R Σ w
    growth = sp.expand((p + s * R) ** 2 - 2 * p * s * R - (p**2 + s**2 * R**2))
    yield step("orthogonal at worst: ‖P‖² grows by s²R² at most; remainder", growth, holds=growth == 0)
    # Cauchy–Schwarz: μS ≤ ‖P‖ ≤ R √(Σ s²) ≤ R √(S max s)
    S = sp.symbols("S", positive=True)
    solved = sp.solve(sp.Eq(μ**2 * S**2, R**2 * S), S)
    yield step("μ²S² = R²S max s with max s = 1 at S =", solved, holds=solved == [R**2 / μ**2])
    T, n = sp.symbols("T n", positive=True)
    # ½ + (T − 1)/n − T/n = ½ − 1/n, negative for n = 1 only, where one step separates and R = μ
    remainder = sp.simplify(sp.Rational(1, 2) + (T - 1) / n - T / n - (n - 2) / (2 * n))
    yield step("S ≥ ½ + (T − 1)/n = T/n + (n − 2)/(2n)", remainder, holds=remainder == 0)

    def derived(seed: int, n: int, plain: bool) -> Any:
        rows = _data(seed, n)
        value = max(a * a + b * b for a, b in rows) * _least_norm_square(rows)
        return sp.Rational(value.numerator, value.denominator) * (n if plain else 1)

    def code(seed: int, n: int, plain: bool) -> float:
        bounds = attention.step_bounds(np.array(_data(seed, n), dtype=float))
        return bounds.plain if plain else bounds.normalised

    cases = [(seed, n, plain) for seed in range(6) for n in (2, 5, 9) for plain in (True, False)]
    # the margin is certified to a relative gap of 1e-10, and is squared
    yield agree(derived, code, cases, digits=9)


def _walk(rows: list[tuple[Fraction, Fraction]], steps: int, normalised: bool) -> list[tuple[Fraction, Fraction]]:
    """The batch perceptron in rationals."""
    P = (Fraction(0), Fraction(0))
    path = [P]
    for _ in range(steps):
        z = [a * P[0] + b * P[1] for a, b in rows]
        w = [Fraction(1) if v < 0 else Fraction(1, 2) if v == 0 else Fraction(0) for v in z]
        total = (sum(w) or Fraction(1)) if normalised else Fraction(len(rows))
        P = tuple(p + sum(v * r[i] for v, r in zip(w, rows, strict=True)) / total for i, p in enumerate(P))
        path.append(P)
    return path


@derivation(of=(attention.imbalanced_steps, attention.imbalanced_example), method="rational")
def the_imbalanced_walk() -> Steps:
    """P_1 = (n − 2, h)/(2n); then only the last row is wrong, its margin (1/n)(−(n − 2)/2 + h²/2 + k(1 + h²)) after k
    further steps: T = 1 + k at the first k above (n − 2 − h²)/(2(1 + h²)), while k < (n − 2)/2."""
    n, h, k = sp.symbols("n h k", positive=True)
    first = sp.Matrix([(n - 1) - 1, h]) / (2 * n)
    P = first + k / n * sp.Matrix([-1, h])
    margin = -P[0] + h * P[1]
    remainder = sp.simplify(margin - (-(n - 2) / 2 + h**2 / 2 + k * (1 + h**2)) / n)
    yield step("the last row's margin, minus the form above", remainder, holds=remainder == 0)
    zero = sp.solve(margin, k)[0]
    remainder = sp.simplify(zero - (n - 2 - h**2) / (2 * (1 + h**2)))
    yield step("its zero in k, minus the closed form", remainder, holds=remainder == 0)
    others = sp.simplify(P[0] - ((n - 2) / 2 - k) / n)
    yield step("the other rows' margin is ((n − 2)/2 − k)/n; remainder", others, holds=others == 0)

    def walked(size: int, quarters: int) -> int:
        H = Fraction(quarters, 4)
        path = _walk([(Fraction(1), Fraction(0))] * (size - 1) + [(Fraction(-1), H)], size, False)
        return next(t for t, p in enumerate(path) if p[0] > 0 and -p[0] + H * p[1] > 0)

    def code(size: int, quarters: int) -> int:
        return attention.imbalanced_steps(size, quarters / 4)

    cases = [(size, q) for size in (11, 13, 16, 29, 47, 83) for q in (2, 3, 4) if (4 * size - 6, q) != (0, 0)]
    cases = [c for c in cases if _regular(*c)] + [(101, 2), (151, 3), (97, 2), (64, 3), (121, 3)]
    yield agree(walked, code, cases, digits=12)  # whole numbers


def _regular(size: int, quarters: int) -> bool:
    """No margin is exactly 0 on the way."""
    H2 = Fraction(quarters, 4) ** 2
    corrections = (size - 2 - H2) / (2 * (1 + H2))
    return corrections.denominator > 1 and int(corrections) + 1 < Fraction(size - 2, 2)


@derivation(of=(attention.equality_step, attention.perceptron_gap, attention.perceptron), method="digits")
def descent_is_the_perceptron() -> Steps:
    """|σ(−x̃) − 1[x < 0]| ≤ e^{−|x| + δ} for |x̃ − x| ≤ δ = γ‖b‖E: E_k ≤ e S while γ R e S ≤ 1. At γ·margin = 37,
    e^{−37} < ε/2, the weights are 0 and 1 to rounding."""
    x = sp.symbols("x", positive=True)
    sigmoid = 1 / (1 + sp.exp(x))
    yield step("σ(−x)/e^{−x} = 1/(1 + e^{−x}) ≤ 1", sp.simplify(sigmoid * sp.exp(x)), holds=bool(
        sp.simplify(sigmoid * sp.exp(x) - 1 / (1 + sp.exp(-x))) == 0))  # fmt: skip
    mirrored = sp.simplify(1 - 1 / (1 + sp.exp(-x)) - sigmoid)
    yield step("1 − σ(x) − σ(−x): the same for negative margins", mirrored, holds=mirrored == 0)
    yield step("e^{−37}", sp.N(sp.exp(-37), 5), holds=bool(sp.exp(-37) < sp.Rational(1, 2**53)))

    def descent(rows: Any, γ: Any, steps: int) -> list[Any]:
        P, path = [mp.mpf(0), mp.mpf(0)], []
        for _ in range(steps):
            w = [1 / (1 + mp.exp(γ * (r[0] * P[0] + r[1] * P[1]))) for r in rows]
            P = [P[i] + sum(v * r[i] for v, r in zip(w, rows, strict=True)) / len(rows) for i in (0, 1)]
            path.append(P)
        return path

    usable = [s for s in range(30) if all(a * p[0] + b * p[1] for p in _walk(_data(s, 6), 5, False)[1:5]
                                          for a, b in _data(s, 6))]  # fmt: skip
    worst, compared = mp.mpf(0), 0
    for seed in usable[:12]:
        rows = _data(seed, 6)
        B, exact = np.array(rows, dtype=float), _walk(rows, 5, False)
        γ = attention.equality_step(B, 5) * 0.25
        bound = attention.perceptron_gap(B, 5, γ)
        if np.isinf(bound):
            continue
        with mp.workdps(50):
            mrows = [tuple(mp.mpf(v.numerator) / v.denominator for v in r) for r in rows]
            path = descent(mrows, mp.mpf(γ), 5)
            E = max(
                mp.sqrt(sum((p - mp.mpf(q.numerator) / q.denominator) ** 2 for p, q in zip(a, b, strict=True)))
                for a, b in zip(path, exact[1:], strict=True)
            )
        worst, compared = max(worst, E / bound), compared + 1
    yield step(f"largest gap/bound on {compared} data sets, in 50 digits", mp.nstr(worst, 5),
               holds=compared >= 5 and 1e-3 < worst <= 1)  # fmt: skip

    def derived(seed: int, which: int) -> Any:
        rows = _data(seed, 6)
        margins = [[abs(a * p[0] + b * p[1]) for a, b in rows] for p in _walk(rows, 5, False)[1:5]]
        least = min(min(m) for m in margins)
        with mp.workdps(30):
            if which == 0:
                return 37 / (mp.mpf(least.numerator) / least.denominator)
            γ = mp.mpf(attention.equality_step(np.array(rows, dtype=float), 5)) / 4
            size = [mp.sqrt(mp.mpf((a * a + b * b).numerator) / (a * a + b * b).denominator) for a, b in rows]
            total = mp.fsum(
                r * mp.exp(-γ * mp.mpf(v.numerator) / v.denominator)
                for m in margins for r, v in zip(size, m, strict=True)
            )  # fmt: skip
            S = total / len(rows)
            return mp.e * S if mp.e * γ * max(size) * S <= 1 else mp.inf

    def code(seed: int, which: int) -> float:
        B = np.array(_data(seed, 6), dtype=float)
        γ = attention.equality_step(B, 5)
        return γ if which == 0 else attention.perceptron_gap(B, 5, γ / 4)

    cases = [(seed, 0) for seed in usable] + [(seed, 1) for seed in usable if np.isfinite(code(seed, 1))]
    # exponents of order ten times rounded margins: some hundred units of roundoff
    yield agree(derived, code, cases, digits=11)
