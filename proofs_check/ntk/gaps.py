"""The gaps √(q1 q2) ∓ k that the code carries instead of cos θ: identities without cancellation, and what they buy."""

from __future__ import annotations

from collections.abc import Generator

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.gaussian import vanishes
from corollary.proofs_check.ntk.networks import CLOSED, closed_forms, coded, recursion
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]

r1, r2, W, b, S = sp.symbols("r1 r2 W b S", positive=True)  # roots of the variances; S = √(q q') after Dense
z, θ = sp.symbols("z θ", positive=True)
E = sp.Symbol("E", real=True)


def J(angle: sp.Expr) -> sp.Expr:
    """The curved part of the arc-cosine kernel."""
    return (sp.sin(angle) - angle * sp.cos(angle)) / sp.pi


@derivation(of=(ntk.Dense, ntk.Relu, ntk.Abs, ntk.LeakyRelu), method="symbolic")
def relu_family_gaps() -> Steps:
    """Every angle: θ from tan²(θ/2) = near/far, and the gaps of the next layer from those of this one."""
    yield from _dense_gaps()
    norm, other, c = sp.symbols("|x| |x'| c", positive=True)
    d = sp.Symbol("d", positive=True)
    before = (W**2 * norm**2 / d + b**2) * (W**2 * other**2 / d + b**2) - (W**2 * norm * other * c / d + b**2) ** 2
    after = W**4 / d**2 * norm**2 * other**2 * (1 - c**2) + W**2 * b**2 / d * (
        norm**2 + other**2 - 2 * norm * other * c
    )
    yield step(
        "first layer: q q' − k² = (W²/d)² (|x||x'| sin θ)² + (W²b²/d)|x − x'|²",
        after,
        holds=sp.expand(before - after) == 0,
    )
    half = sp.sin(θ / 2) ** 2 * (1 + sp.cos(θ)) - (1 - sp.cos(θ)) * sp.cos(θ / 2) ** 2
    chord = sp.simplify(((sp.cos(θ) - 1) ** 2 + sp.sin(θ) ** 2) / 2 - (1 - sp.cos(θ)))
    yield step(
        "tan²(θ/2) = near/far, and |û − û'|²/2 = 1 − cos θ",
        "θ = 2 atan2(√near, √far)",
        holds=vanishes(half) and chord == 0,
    )
    α, β = sp.symbols("α β", real=True)
    value = (α**2 + β**2) * sp.cos(θ) + 2 * β**2 * J(θ)
    acute = value - ((α**2 + β**2) * (1 - (1 - sp.cos(θ))) + 2 * β**2 * J(θ))
    obtuse = value.subs(θ, sp.pi - z) - ((β**2 - α**2) * sp.cos(z) + 2 * β**2 * J(z))
    yield step(
        "E/s = M cos z + 2β²J(z), z = min(θ, π−θ), M = α²+β² or β²−α²",
        value,
        holds=vanishes(acute) and vanishes(sp.expand_trig(obtuse)),
    )
    near = (α**2 + β**2) * (1 - sp.cos(θ)) - 2 * β**2 * J(θ)
    yield step(
        "the features' own gap near/s, both terms O(θ²) or smaller", near, holds=vanishes(α**2 + β**2 - value - near)
    )
    delta = 2 * sp.sin(θ / 2) ** 2 - J(θ)
    relu = 1 - 2 * value.subs({α: sp.Rational(1, 2), β: sp.Rational(1, 2)})
    yield step("ReLU: 1 − κ = 2 sin²(θ/2) − (sin θ − θ cos θ)/π", delta, holds=vanishes(delta - relu))
    leading = sp.series(J(θ), θ, 0, 6).removeO()
    small = sp.simplify(leading - (θ**3 / 3 - θ**5 / 30) / sp.pi)
    yield step("J(θ) = θ³/3π − …: its cancellation is harmless beside θ²/2", leading, holds=small == 0)
    # The claim of `theory/ntk`: 1e-12 of the value up to 2.5, of √(k(x,x)k(x',x')) beyond (or where a leaky value may vanish)
    yield agree(*_routes(), _cases(("Relu", "Abs", "LeakyRelu"), 71, 3, 60), digits=12, scale=1.0)


@derivation(of=(ntk.Erf, ntk.Gelu, ntk.Dense), method="symbolic")
def smooth_gaps() -> Steps:
    """erf and GELU at large variances: D = Q − k² = (√Q − k)(√Q + k), each factor a sum of non-negative terms."""
    yield from _dense_gaps()
    Q = (1 + r1**2) * (1 + r2**2)
    squares = sp.expand(Q - (1 + r1 * r2) ** 2 - (r1 - r2) ** 2)
    yield step("Q = (1+q)(1+q') = (1 + √(qq'))² + (√q − √q')²", Q, holds=squares == 0)
    k, near = sp.symbols("k near", real=True)
    rest = (r1 - r2) ** 2 / (S + 1 + r1 * r2)
    product = (rest + 1 + near) - (S - k)
    numerator = sp.numer(sp.together(product.subs(near, r1 * r2 - k)))
    yield step(
        "so √Q − k = (√q − √q')²/(√Q + 1 + √(qq')) + 1 + near, and D = Q − k² = (√Q − k)(√Q + k); remainder (S² = Q)",
        rest + 1 + near,
        holds=sp.expand(numerator.subs(S, sp.sqrt(Q))) == 0,
    )
    # variances reach 1e5: the relative error is (1 + √q) · 1.1e-16 times some ten roundings, 4e-13; the form Q − k² has
    # (1 + q) · 1.1e-16 = 1e-11 times as many and fails here
    yield agree(*_routes(), _cases(("Erf", "Gelu"), 72, 1, 24, large=True), digits=12, scale=1.0)


def _dense_gaps() -> Steps:
    """What a Dense layer does to the gaps."""
    qq = (W**2 * r1**2 + b**2) * (W**2 * r2**2 + b**2)
    middle = W**2 * r1 * r2 + b**2
    difference = sp.expand(qq - middle**2 - W**2 * b**2 * (r1 - r2) ** 2)
    yield step("Dense: q q' = (W² s + b²)² + W² b² (√V − √V')², s = √(V V')", qq, holds=difference == 0)
    R = W**2 * b**2 * (r1 - r2) ** 2 / (S + middle)
    numerator = sp.expand(sp.numer(sp.together(S - middle - R)).subs(S**2, qq))
    yield step("so R = √(qq') − (W² s + b²) = W² b² (√V − √V')²/(√(qq') + W² s + b²)", R, holds=numerator == 0)
    near = S - (W**2 * E + b**2) - ((S - middle) + W**2 * (r1 * r2 - E))
    far = S + (W**2 * E + b**2) - ((S - middle) + 2 * b**2 + W**2 * (r1 * r2 + E))
    yield step(
        "near⁺ = R + W² (s − E), far⁺ = R + 2b² + W² (s + E)",
        "all terms >= 0",
        holds=sp.expand(near) == sp.expand(far) == 0,
    )


Case = tuple[str, int, np.ndarray, np.ndarray, float, float, float]


def _cases(names: tuple[str, ...], seed: int, depths: int, count: int, large: bool = False) -> list[Case]:
    """(activation, depth, x, x', W_std, b_std, angle), angles log-uniform from 1e-11 to 1, or π minus that."""
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(count):
        u, v = np.linalg.qr(rng.normal(size=(5, 2)))[0].T
        angle = 10 ** rng.uniform(-11, -4 if large else 0)
        side = 1.0 if large or i % 2 else -1.0
        lengths = (
            np.exp(rng.uniform(np.log(300), np.log(700))) * np.array([1, 1 + angle])
            if large
            else np.exp(rng.normal(size=2))
        )
        x, y = lengths[0] * u, side * lengths[1] * (np.cos(angle) * u + np.sin(angle) * v)
        theta = angle if side > 0 else np.pi - angle
        cases.append(
            (names[i % len(names)], 1 + i % depths, x, y, 1.25, [0.0, 0.125, 1.0][i % 3 if not large else 1], theta)
        )
    return cases


def _routes():
    """60 digits and the code, both over the unit in which `theory/ntk` states its accuracy."""
    results: dict[tuple, tuple] = {}

    def exact_and_unit(name, depth, x, y, W_std, b_std, theta):
        key = (name, depth, *x, *y)
        if key not in results:
            oracle = closed_forms(name)
            exact = recursion(x, y, depth, W_std, b_std, oracle)[1]
            with mp.workdps(60):
                unit = abs(exact)
                if theta > 2.5 or name == "LeakyRelu":
                    own = [recursion(p, p, depth, W_std, b_std, oracle)[1] for p in (x, y)]
                    unit = mp.sqrt(own[0] * own[1])
            results[key] = exact, unit
        return results[key]

    def derived(*case):
        exact, unit = exact_and_unit(*case)
        with mp.workdps(60):
            return exact / unit

    def code(*case):
        name, depth, x, y, W_std, b_std, _ = case
        with mp.workdps(60):
            return mp.mpf(coded(x, y, depth, W_std, b_std, CLOSED[name][0]())[1]) / exact_and_unit(*case)[1]

    return derived, code
