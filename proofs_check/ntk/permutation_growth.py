"""How σ²/μ² of permutation networks grows with k, from the kernel's entries: at two ones, and at nearly k ones."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory.ntk import permutations

Steps = Generator[Step | Agreement, None, None]

k, n, m, a, c, t, g, r, b, s = sp.symbols("k n m a c t g r b s", positive=True)
# kΘ = a I + c 11ᵀ on the basis, kΘ(x, e_i) = t at a 1 and c at a 0; kK(x, e_i) = g at a 1; (a I + c 11ᵀ)⁻¹ is exact
SHIFT: Any = c * (n * t + (k - n) * c) / (a + c * k)
ON, OFF = (t - SHIFT) / a, (c - SHIFT) / a
VARIANCE: Any = (
    sp.Rational(1, 2) - 2 * (n * ON * g + (k - n) * OFF * c)
    + (sp.Rational(1, 2) - c) * (n * ON**2 + (k - n) * OFF**2) + c * (n * ON + (k - n) * OFF) ** 2
) / k  # fmt: skip


def entries(ones: int, kernel: str) -> dict:
    """The letters at an input of `ones` ones, exactly (ReLU without √2, no biases)."""
    tilt = (sp.pi - sp.acos(1 / sp.sqrt(ones))) / sp.sqrt(ones)
    rest, unit = sp.sqrt(1 - sp.Rational(1, ones)), 1 / (2 * sp.pi)
    nngp = (rest + tilt) * unit
    if kernel == "nngp":
        return {c: unit, g: nngp, a: sp.Rational(1, 2) - unit, t: nngp}
    return {c: unit, g: nngp, a: 1 - unit, t: (rest + 2 * tilt) * unit}


@derivation(of=permutations.permutation_prediction, method="digits")
def two_ones() -> Steps:
    """At two ones μ_0 = c (a − 2 (t − c))/(a (a + c k)) and k σ² has a limit, so σ²/μ_0² ~ C k: C = 2.804, NNGP 0.760."""
    off = sp.factor(sp.together(OFF.subs(n, 2)))
    gap = sp.simplify(off - c * (a - 2 * (t - c)) / (a * (a + c * k)))
    yield step("the mean at a bit that is 0; remainder", gap, holds=gap == 0)
    M, S = (t - c) / a, 1 - 2 * (t - c) / a
    spread = sp.limit(sp.together(k * VARIANCE.subs(n, 2)), k, sp.oo)
    gap = sp.simplify(spread - (sp.Rational(1, 2) + c - 4 * M * g - 2 * S * c + (1 - 2 * c) * M**2))
    yield step("lim k σ² = 1/2 + c − 4 M g − 2 S c + (1 − 2c) M², M = (t − c)/a, S = 1 − 2M; remainder", gap,
               holds=gap == 0)  # fmt: skip
    ratio = sp.together(VARIANCE.subs(n, 2) / off**2)
    for kernel, value in (("ntk", 2.8036), ("nngp", 0.7596)):
        limit = sp.limit(ratio / k, k, sp.oo).subs(entries(2, kernel))
        yield step(f"lim σ²/(k μ_0²), {kernel}", limit.evalf(12), holds=abs(float(limit) - value) < 5e-5)
    known = {kernel: sp.lambdify(k, ratio.subs(entries(2, kernel)), "mpmath") for kernel in ("ntk", "nngp")}

    def derived(size, kernel):
        with mp.workdps(50):
            return known[kernel](mp.mpf(size)) / size

    def code(size, kernel):
        p = permutations.permutation_prediction(size, 2, kernel)
        return p.variance / p.off**2 / size

    sizes = (3, 4, 6, 9, 16, 33, 64, 200, 512, 1000, 2048, 4096)
    # the code takes μ_0 = (c − shift)/a from numbers k times larger: 4096 · 2⁻⁵³ · some roundings
    yield agree(derived, code, [(size, kernel) for size in sizes for kernel in ("ntk", "nngp")], digits=10)


@derivation(of=permutations.permutation_prediction, method="digits")
def nearly_full() -> Steps:
    """At m zeros μ_1 = (a t + c m (t − c))/(a (a + c k)); a union over the C(k, m) inputs asks for a v/(4b) k^{3/2} ln k.

    b: t = c + b/√k + O(1/k), 1/2 for the NTK and 1/4 for NNGP; v = lim k σ² = 1/2 − c.
    """
    gap = sp.simplify(ON.subs(n, k - m) - (a * t + c * m * (t - c)) / (a * (a + c * k)))
    yield step("the mean at a bit that is 1; remainder", gap, holds=gap == 0)
    unit, tilt = 1 / (2 * sp.pi), r * (sp.pi - sp.acos(r))
    for factor, slope in ((2, sp.Rational(1, 2)), (1, sp.Rational(1, 4))):
        series = sp.series((sp.sqrt(1 - r**2) + factor * tilt) * unit, r, 0, 2).removeO()
        yield step("t as a series in r = 1/√n", series, holds=sp.simplify(series - unit - slope * r) == 0)
    root = sp.symbols("q", positive=True)  # √k
    full = VARIANCE.subs(n, k).subs({t: c + b / root, g: c + r / root, k: root**2})
    spread = sp.limit(sp.together(root**2 * full), root, sp.oo)
    yield step("lim k σ² at k ones", spread, holds=sp.simplify(spread - (sp.Rational(1, 2) - c)) == 0)
    mean = ((a * t + c * m * (t - c)) / (a * (a + c * k))).subs(t, c + b / root).subs({m: s * root, k: root**2})
    scaled = sp.limit(sp.together(root**2 * mean), root, sp.oo)
    yield step("lim k μ_1 at m = s √k", scaled, holds=sp.simplify(scaled - (1 + s * b / a)) == 0)
    # 2 σ²/μ_1² ln C(k, m), where ln C(k, s √k) = (s/2) √k ln k (1 + o(1))
    size = s / scaled**2
    best = sp.solve(sp.diff(size, s), s)
    value = sp.simplify(size.subs(s, best[0]))
    yield step("the largest s/(1 + s b/a)², at s = a/b", value, holds=best == [a / b] and value == a / (4 * b))
    cases = [(size, zeros, kernel) for size in (5, 12, 40, 200) for zeros in (0, 1, 3) for kernel in ("ntk", "nngp")]

    def derived(size, zeros, kernel):
        letters = {**entries(size - zeros, kernel), k: size, m: zeros}
        return mp.mpf(sp.N(((a * t + c * m * (t - c)) / (a * (a + c * k))).subs(letters), 50))

    def code(size, zeros, kernel):
        return permutations.permutation_prediction(size, size - zeros, kernel).on

    # the code subtracts numbers up to 1/μ_1 times larger, some hundred here
    yield agree(derived, code, cases, digits=12)
