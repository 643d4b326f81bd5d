"""Deep linear networks with free features: the minimum class by class, and antipodal pairs below the simplex frame."""

from __future__ import annotations

import math
from collections.abc import Generator
from random import Random
from typing import Any

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import attention

Steps = Generator[Step | Agreement, None, None]


@derivation(of=attention.collapse, method="digits")
def collapse_by_class() -> Steps:
    """Along one row of norm s the best feature is h = s/(s² + Nλ_H) and the least Σ λ_l‖·‖²/2 over products of norm s is
    (M/2)(Π λ_l s²)^{1/M}: with s² = Nλ_H x^M the objective of a class is (n_k/2N)[1/(1 + x^M) + b_k x]."""
    s, h, N, λ, n, x, M, c = sp.symbols("s h N lambda n x M c", positive=True)
    feature = (s * h - 1) ** 2 / (2 * N) + λ * h**2 / 2
    best = sp.solve(sp.diff(feature, h), h)[0]
    remainder = sp.simplify(best - s / (s**2 + N * λ))
    yield step("argmin over the feature, minus s/(s² + Nλ_H)", remainder, holds=remainder == 0)
    value = sp.simplify(feature.subs(h, best) - λ / (2 * (s**2 + N * λ)))
    yield step("its value minus λ_H/(2(s² + Nλ_H)) = (1/2N)/(1 + x^M)", value, holds=value == 0)
    # arithmetic–geometric mean: Σ λ_l t_l/2 at Π t_l = s² is least where all λ_l t_l = (Π λ_l s²)^{1/M}
    decay = M / 2 * (c * N * λ * x**M) ** (1 / M)
    b = M * N * (N * λ * c) ** (1 / M) / n
    remainder = sp.simplify(sp.powsimp(sp.expand_power_base(decay - n / (2 * N) * b * x, force=True), force=True))
    yield step("c = Π λ_l: penalty minus (n_k/2N) b_k x", remainder, holds=remainder == 0)
    β = sp.symbols("beta", positive=True)
    slope = sp.diff(1 / (1 + x**M) + β * x, x)
    at = sp.simplify(sp.solve(slope, β)[0] - M * x ** (M - 1) / (1 + x**M) ** 2)
    yield step("stationary: b − M x^{M−1}/(1 + x^M)²", at, holds=at == 0)
    # as good as x = 0, value 1: b x = x^M/(1 + x^M); with y = x^M both equations hold at y = M − 1
    y, m = sp.symbols("y m", positive=True)
    tie = sp.solve(sp.Eq(M / (1 + y) ** 2, 1 / (1 + y)), y)
    yield step("b/x^{M−1} = M/(1 + y)² = 1/(1 + y) at y =", tie, holds=tie == [M - 1])
    there = sp.simplify(m ** (m / (1 + m)) / (1 + m) - (y ** (m / (1 + m)) / (1 + y)).subs(y, m))
    yield step("M = 1 + m: threshold (M − 1)^{(M−1)/M}/M minus b there", there, holds=there == 0)

    def derived(counts: tuple[int, ...], weights: tuple[float, ...], features: float) -> Any:
        with mp.workdps(30):
            N, M = sum(counts), len(weights)
            total = mp.mpf(0)
            for n in counts:
                b = M * N * (N * mp.mpf(features) * mp.fprod(map(mp.mpf, weights))) ** (mp.mpf(1) / M) / n

                def g(x: Any, b: Any = b) -> Any:
                    return 1 / (1 + x**M) + b * x

                grid = [mp.mpf(0)] + [mp.mpf("1.05") ** k * mp.mpf("1e-3") for k in range(320)]
                k = min(range(len(grid)), key=lambda i: g(grid[i]))
                lo, hi = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
                golden = (mp.sqrt(5) - 1) / 2
                for _ in range(60):
                    p, q = hi - golden * (hi - lo), lo + golden * (hi - lo)
                    lo, hi = (lo, q) if g(p) < g(q) else (p, hi)
                total += mp.mpf(n) / (2 * N) * min(g((lo + hi) / 2), g(mp.mpf(0)))
            return total

    rng = Random(5)
    cases = []
    for _ in range(20):
        counts = tuple(rng.randint(1, 9) for _ in range(rng.randint(2, 4)))
        cases.append(
            (counts, tuple(rng.uniform(0.005, 0.2) for _ in range(rng.randint(1, 4))), rng.uniform(0.005, 0.1))
        )
    # a root to a few units of roundoff, in a sum of positive terms
    yield agree(derived, lambda n, w, λ: attention.collapse(n, w, λ).minimum, cases, digits=12)


@derivation(of=(attention.pairs_cross_entropy, attention.pairs_ratio, attention.frame_cross_entropy), method="rational")
def pairs_below_the_frame() -> Steps:
    """At equal a > 0: 1 + (K − 2)e + e² < 1 + (K − 1)e with e = e^{−a} < 1, and the penalties are as (K/2) 2^{2/(M+1)}
    to K − 1. Witness in rationals: K = 4, M = 3, n = 4, a = 625/64, four factors with entries ± 5/2 · rational."""
    e, K = sp.symbols("e K", positive=True)
    gap = sp.factor((1 + (K - 1) * e) - (1 + (K - 2) * e + e**2))
    yield step("frame's mistakes minus pairs'", gap, holds=sp.simplify(gap - e * (1 - e)) == 0)
    yield step("K = 4, M = 3: (2 √2)² < 3²", "8 < 9", holds=8 < 9)
    yield step("K = 6, M = 2: (3 · 2^{2/3})³ < 5³", f"{27 * 4} < {5**3}", holds=27 * 4 < 5**3)
    yield step("K = 4, M = 2: (2 · 2^{2/3})³ > 3³, so nothing is said", f"{8 * 4} > {27}", holds=8 * 4 > 27)
    yield step("M = 1: K/2 · 2 = K > K − 1, so nothing is said", "K − (K − 1) = 1", holds=True)
    # factors W₁, W₂, W₃ (4×4) and H (4×16): singular values 5/2, of logits a(δ_same − δ_opposite) ⊗ 1ᵀ, 2a√n = (5/2)⁴
    t, a = sp.Rational(5, 2), sp.Rational(625, 64)
    inner = sp.diag(t, t, 0, 0)
    E = sp.Matrix([[1, 0], [-1, 0], [0, 1], [0, -1]])  # √2 times orthonormal columns
    top = sp.Matrix.hstack(t / 2 * E, sp.zeros(4, 2))
    features = sp.zeros(4, 16)
    for k in range(16):
        features[:2, k] = t / 2 * E[k // 4, :].T
    square = top * inner * inner * features  # 1/2 · 1/2 instead of 1/√2 · 1/(√2 √n): the same product
    wanted = sp.zeros(4, 16)
    for k in range(16):
        wanted[k // 4, k], wanted[(k // 4) ^ 1, k] = a, -a
    yield step("product of the four factors minus a(δ_same − δ_opposite)", (square - wanted).norm(),
               holds=square == wanted)  # fmt: skip
    sizes = [2 * t**2, 2 * t**2, sum(v**2 for v in top), sum(v**2 for v in features)]
    # unbalanced as written (‖top‖² = t², ‖H‖² = 4t²); balancing to 2t² each, by √2, leaves the product
    balanced = [2 * t**2] * 4
    yield step("squared norms as written, and balanced", (sizes, balanced),
               holds=bool(sizes[2] * sizes[3] == balanced[2] * balanced[3]))  # fmt: skip
    penalty = sum(balanced) / 2
    frame = 2 * 3 * sp.sqrt(a * 2)  # ((M+1)/2)(K − 1)(a√n)^{1/2}
    yield step("penalties over λ at this a: pairs 25 against the frame's", sp.N(frame, 8),
               holds=bool(penalty == 25 and penalty**2 < sp.expand(frame**2)))  # fmt: skip

    def derived(K: int, n: int, M: int, a: float, which: int) -> Any:
        """From singular values of the K × K logit matrix itself, by the characteristic polynomial."""
        with mp.workdps(30):
            a = mp.mpf(a)
            if which == 0:
                rows = [[a if i == j else -a if i ^ 1 == j else mp.mpf(0) for j in range(K)] for i in range(K)]
            else:
                rows = [[a * ((i == j) - mp.mpf(1) / K) for j in range(K)] for i in range(K)]
            values = [abs(v) * mp.sqrt(n) for v in mp.eigsy(mp.matrix(rows), eigvals_only=True)]
            entropy = mp.log(mp.fsum(mp.exp(rows[i][0] - rows[0][0]) for i in range(K)))
            power = mp.mpf(2) / (M + 1)
            return entropy + mp.mpf(M + 1) / 2 * mp.mpf(1e-3) * mp.fsum(v**power for v in values if v > 1e-20)

    def code(K: int, n: int, M: int, a: float, which: int) -> float:
        f = attention.frame_cross_entropy if which else attention.pairs_cross_entropy
        return f(a, K, n, M, 1e-3)

    for K, M in ((4, 3), (6, 2), (8, 1)):
        ratio = K / 2 * math.exp(2 * math.log(2) / (M + 1)) / (K - 1)
        said = attention.pairs_ratio(K, M)
        yield step(f"ratio of penalties, K = {K}, M = {M}", said, holds=abs(said - ratio) < 1e-12)
    cases = [(K, n, M, a, w) for K, M in ((4, 3), (6, 2), (8, 1)) for n, a in ((1, 0.5), (7, 6.25)) for w in (0, 1)]
    cases += [(4, n, 2, 3.5, w) for n in range(2, 6) for w in (0, 1)]
    yield agree(derived, code, cases, digits=12)  # logarithms and powers of a few numbers
