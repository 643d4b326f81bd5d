"""Layers with positions and branches: their kernels from the derivatives with respect to every parameter.

a_c[p], c = 1 … n, are the features of an input at position p, and a'_c[p] those of another; K[p,q] = (1/n) Σ_c a_c[p]
a'_c[q]. The tangent kernel below is δ_cd Θ[p,q] between channels c and d (`layer_step`, by induction).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.networks import B, W, tangent_kernel
from corollary.theory import ntk
from corollary.theory.ntk.fields import Field

Steps = Generator[Step | Agreement, None, None]
P, N = 3, 2  # positions and channels
Features = list[list[sp.Symbol]]
Layer = Callable[[Features], sp.Expr]


def features(name: str, positions: int = P, channels: int = N) -> Features:
    return [list(sp.symbols(f"{name}{p}_:{channels}")) for p in range(positions)]


def below(name: str, positions: int = P) -> sp.Matrix:
    return sp.Matrix(positions, positions, lambda p, q: sp.Symbol(f"{name}_{p}{q}"))


def gram(a: Features, b: Features) -> sp.Matrix:
    """K of the module."""
    return sp.Matrix(len(a), len(b), lambda p, q: sum(s * t for s, t in zip(a[p], b[q], strict=True)) / len(a[p]))


def chained(z: sp.Expr, y: sp.Expr, a: Features, b: Features, Θ: sp.Matrix) -> sp.Expr:
    """Σ over parameters below of ∂z ∂y, by the chain rule with δ_cd Θ[p,q] below."""
    pairs = [(p, q, c) for p in range(len(a)) for q in range(len(b)) for c in range(len(a[p]))]
    return sp.expand(sum(sp.diff(z, a[p][c]) * sp.diff(y, b[q][c]) * Θ[p, q] for p, q, c in pairs))


def mean_of_squares(expression: sp.Expr, weights: Sequence[sp.Symbol]) -> sp.Expr:
    """Mean over independent weights ~ N(0, 1) of a polynomial of degree at most 2 in each."""
    poly = sp.Poly(sp.expand(expression), *weights)
    assert all(p <= 2 for powers in poly.monoms() for p in powers), "E w⁴ = 3 would enter"
    return sp.expand(sum(c for powers, c in poly.terms() if all(p % 2 == 0 for p in powers)))


def moments(seed: int, positions: int = P) -> Field:
    """Second moments of one pair of inputs with `positions` positions, and a tangent kernel of the same kind."""
    rng = np.random.default_rng(seed)
    a, b, c, d = rng.standard_normal((4, positions, 5))
    return Field((a @ b.T)[None, None], (c @ d.T)[None, None], (a @ a.T)[None], (b @ b.T)[None], (positions,), False)


def compared(
    layer: Any, wanted_k: Callable[[Field], np.ndarray], wanted_t: Callable[[Field], np.ndarray], digits: float = 12
) -> Agreement:
    """The layer of the code on 12 random moments, K and Θ, all entries summed with random weights."""
    points = [(seed, which) for seed in range(12) for which in (0, 1)]

    def contracted(A: np.ndarray, seed: int) -> float:
        return float(np.sum(A * np.random.default_rng(100 + seed).uniform(1, 2, A.shape)))

    def derived(seed, which):
        return contracted((wanted_k, wanted_t)[which](moments(seed)), seed)

    def code(seed, which):
        out = layer.field(moments(seed))
        return contracted((out.k if which == 0 else out.t)[0, 0], seed)

    # sums of some 10² numbers of order 10, of both signs: 1e-14 of each, compared on the scale 1
    return agree(derived, code, points, digits=digits, scale=1.0)


def entries(matrix: sp.Matrix, **symbols: sp.Matrix) -> Callable[[Field], np.ndarray]:
    """The matrix of expressions in K, Θ, W_std = 1.3 and b_std = 0.2 as a function of moments."""
    names = [s for m in symbols.values() for s in m]
    f = sp.lambdify([names, W, B], matrix, "numpy")

    def evaluate(x: Field) -> np.ndarray:
        given = {"K": x.k[0, 0], "Θ": x.t[0, 0]}
        return np.asarray(f(np.concatenate([given[name].reshape(-1) for name in symbols]), 1.3, 0.2), dtype=float)

    return evaluate


@derivation(of=ntk.Conv, method="symbolic")
def convolution() -> Steps:
    """K⁺[p,q] = (W_std²/k) Σ_δ K[p+δ,q+δ] + b_std²; Θ⁺ = K⁺ + (W_std²/k) Σ_δ Θ[p+δ,q+δ] (Novak et al. 2019)."""
    a, b, K, Θ = features("a"), features("b"), below("K"), below("Θ")
    w, β = [sp.symbols(f"w{t}_:{N}") for t in range(3)], sp.Symbol("β")
    inside = [[t for t in range(3) if 0 <= p + t - 1 < P] for p in range(P)]

    def at(x: Features, p: int) -> sp.Expr:
        return W / sp.sqrt(3 * N) * sum(w[t][c] * x[p + t - 1][c] for t in inside[p] for c in range(N)) + B * β

    weights = [*(c for row in w for c in row), β]
    kernel, tangent = sp.zeros(P, P), sp.zeros(P, P)
    own = chain = True
    for p in range(P):
        for q in range(P):
            both = [t for t in inside[p] if t in inside[q]]
            kernel[p, q] = W**2 / 3 * sum(K[p + t - 1, q + t - 1] for t in both) + B**2
            tangent[p, q] = kernel[p, q] + W**2 / 3 * sum(Θ[p + t - 1, q + t - 1] for t in both)
            z, y = at(a, p), at(b, q)
            means = dict(zip(K, gram(a, b), strict=True))
            own &= sp.expand(tangent_kernel(z, y, weights) - kernel[p, q].subs(means)) == 0
            passed = mean_of_squares(chained(z, y, a, b, Θ), weights)
            chain &= sp.expand(passed - (tangent - kernel)[p, q]) == 0
    yield step("window 3, 3 positions, zero padding: Σ over its weights of ∂z[p] ∂z'[q]", kernel, holds=own)
    yield step("z is linear in iid N(0, 1) weights: its covariance is the same sum", "K⁺")
    yield step("parameters below, mean over the weights", tangent - kernel, holds=chain)
    yield compared(ntk.Conv((3,), 1.3, 0.2), entries(kernel, K=K), entries(tangent, K=K, Θ=Θ))


@derivation(of=(ntk.AvgPool, ntk.GlobalAvgPool, ntk.Flatten), method="symbolic")
def pooling() -> Steps:
    """Pooling: K⁺ = A K Aᵀ, Θ⁺ = A Θ Aᵀ. Flatten before Dense: K⁺ = W_std² (1/P) Σ_p K[p,p], alike for Θ."""
    a, b, K, Θ = features("a"), features("b"), below("K"), below("Θ")
    A = sp.Matrix([[1, 1, 0], [0, 1, 1]]) / 2  # window 2, stride 1
    pooled = [[[sum(A[r, p] * x[p][c] for p in range(P)) for c in range(N)] for r in range(2)] for x in (a, b)]
    remainder = gram(*pooled) - A * gram(a, b) * A.T
    yield step("K of averages", A, holds=sp.expand(remainder) == sp.zeros(2, 2))
    first = chained(pooled[0][0][0], pooled[1][1][0], a, b, Θ)
    yield step("Θ of averages, entry (0, 1)", first, holds=sp.expand(first - (A * Θ * A.T)[0, 1]) == 0)
    w = features("w")
    z, y = (W / sp.sqrt(P * N) * sum(w[p][c] * x[p][c] for p in range(P) for c in range(N)) for x in (a, b))
    weights = [s for row in w for s in row]
    own = sp.expand(tangent_kernel(z, y, weights) - W**2 * gram(a, b).trace() / P)
    yield step("Flatten, Dense: own weights", W**2 * K.trace() / P, holds=own == 0)
    passed = sp.expand(mean_of_squares(chained(z, y, a, b, Θ), weights) - W**2 * Θ.trace() / P)
    yield step("Flatten, Dense: parameters below", W**2 * Θ.trace() / P, holds=passed == 0)
    pool, mean = np.array(A, dtype=float), np.full((1, P), 1 / P)
    rows = {
        "avg": (ntk.AvgPool((2,), (1,)), lambda M: pool @ M @ pool.T),
        "all": (ntk.GlobalAvgPool(), lambda M: mean @ M @ mean.T),
        "flat": (ntk.Flatten(), lambda M: np.array([[np.mean(np.diag(M))]])),
    }
    points = [(name, seed, which) for name in rows for seed in range(4) for which in (0, 1)]

    def derived(name, seed, which):
        x = moments(seed)
        return float(np.sum(rows[name][1]((x.k, x.t)[which][0, 0]) ** 2))

    def code(name, seed, which):
        x = rows[name][0].field(moments(seed))
        return float(np.sum((x.k, x.t)[which][0, 0] ** 2))

    # some ten roundings of sums of squares of order 10, which do not cancel
    yield agree(derived, code, points, digits=13, scale=1.0)


@derivation(of=(ntk.FanInSum, ntk.Concat), method="symbolic")
def branches() -> Steps:
    """Σ of branches: K = Σ K_b, Θ = Σ Θ_b. Concatenation: K = Σ share_b K_b, Θ alike."""
    a, b = features("a", 2), features("b", 2)  # "position" = branch
    w, β = features("w", 2), sp.symbols("β:2")
    z, y = (sum(W / sp.sqrt(N) * sum(w[i][c] * x[i][c] for c in range(N)) + B * β[i] for i in range(2)) for x in (a, b))
    weights = [*(s for row in w for s in row), *β]
    total = sum(W**2 * gram(a, b)[i, i] + B**2 for i in range(2))
    own = sp.expand(tangent_kernel(z, y, weights) - total)
    yield step("the branches' last weights are different: K and Θ add", total, holds=own == 0)
    wide, other = features("a", 1, 3)[0] + features("c", 1, 1)[0], features("b", 1, 3)[0] + features("d", 1, 1)[0]
    parts = [sum(s * t for s, t in zip(wide[cut], other[cut], strict=True)) for cut in (slice(3), slice(3, 4))]
    shares = sp.Rational(3, 4) * parts[0] / 3 + sp.Rational(1, 4) * parts[1]
    left = sp.expand(gram([wide], [other])[0, 0] - shares)
    yield step("3 channels beside 1: shares 3/4 and 1/4", shares, holds=left == 0)
    one, two = (ntk.Dense(1.3, 0.2),), (ntk.Dense(0.8, 0.1), ntk.Erf(), ntk.Dense(0.7, 0.3))
    head = ntk.Dense(0.9, 0.4)
    nets = [
        (ntk.Serial(ntk.FanInSum(one, two)), (1.0, 1.0), False),
        (ntk.Serial(ntk.Concat(one, two, shares=(0.75, 0.25)), head), (0.75, 0.25), True),
    ]
    points = [(i, seed, which) for i in range(2) for seed in range(6) for which in (0, 1)]

    def inputs(seed):
        return np.random.default_rng(seed).standard_normal((2, 1, 3))

    def derived(i, seed, which):
        net, weight, headed = nets[i]
        x, y = inputs(seed)
        each = [ntk.serial(*layers).kernel(x, y) for layers in (one, two)]
        k, t = (sum(s * float(getattr(e, n)[0, 0]) for s, e in zip(weight, each, strict=True)) for n in ("nngp", "ntk"))
        after = 0.81 * k + 0.16
        return (after, after + 0.81 * t)[which] if headed else (k, t)[which]

    def code(i, seed, which):
        x, y = inputs(seed)
        k = nets[i][0].kernel(x, y)
        return float((k.nngp, k.ntk)[which][0, 0])

    # some 20 roundings; structured networks know angles to √ε only near parallel inputs, which these are not
    yield agree(derived, code, points, digits=12, scale=0.1)


@derivation(of=ntk.LayerNorm, method="symbolic")
def layer_norm() -> Steps:
    """K⁺ = K/√(qq'), Θ⁺ = Θ/√(qq'): the norm (1/n)Σ a_c² tends to q, and its own derivative is of order 1/n."""
    for n in (2, 3):
        (a,), (b,) = features("a", 1, n), features("b", 1, n)
        q, r = (sum(s**2 for s in x) / n for x in (a, b))
        f, g = ([s / sp.sqrt(m) for s in x] for x, m in ((a, q), (b, r)))
        Θ = sp.Symbol("Θ")
        total = sum(sp.diff(f[0], a[c]) * sp.diff(g[0], b[c]) * Θ for c in range(n))
        mix = sum(s * t for s, t in zip(a, b, strict=True)) / n
        inner = 1 - (a[0] ** 2 / q + b[0] ** 2 / r - a[0] * b[0] * mix / (q * r)) / n
        # by q^{3/2} r^{3/2} both sides are polynomials
        remainder = sp.expand((total - Θ / sp.sqrt(q) / sp.sqrt(r) * inner) * sp.sqrt(q) * sp.sqrt(r) * q * r)
        remainder = sp.expand(sp.cancel(sp.expand(remainder)))
        yield step(f"{n} channels: Θ⁺ = Θ/√(qq') (1 − O(1/n)); remainder", remainder, holds=remainder == 0)
    yield step("law of large numbers: (1/n) Σ a_c² → q", "K/√(qq')")

    def wanted(name: str) -> Callable[[Field], np.ndarray]:
        def evaluate(x: Field) -> np.ndarray:
            roots = [np.sqrt(np.diag(o[0])) for o in (x.own1, x.own2)]
            return getattr(x, name)[0, 0] / np.outer(*roots)

        return evaluate

    yield compared(ntk.LayerNorm(), wanted("k"), wanted("t"))


@derivation(of=ntk.Dropout, method="rational")
def dropout() -> Steps:
    """Masks m_c/keep, m_c ∈ {0, 1} with mean keep: E[m²]/keep² = 1/keep, and independent masks have E[mm']/keep² = 1."""
    keep = sp.Symbol("keep", positive=True)
    square = (keep * 1**2 + (1 - keep) * 0**2) / keep**2
    cross = (keep * 1 + (1 - keep) * 0) ** 2 / keep**2
    yield step("an input with itself", square, holds=sp.simplify(square - 1 / keep) == 0)
    yield step("different inputs, or positions", cross, holds=sp.simplify(cross - 1) == 0)
    points = [(seed, keep_) for seed in range(5) for keep_ in (0.2, 0.5, 0.7, 0.9, 1.0)]

    def derived(seed, kept):
        own = moments(seed).own1[0]
        factor = 1 + (1 / kept - 1) * np.eye(P)
        return float(np.sum(own * factor * np.arange(1, P * P + 1).reshape(P, P)))

    def code(seed, kept):
        x = moments(seed)
        same = ntk.Dropout(kept).field(x)
        assert np.array_equal(same.k, x.k) and np.array_equal(same.t, x.t)  # a pair of different inputs
        return float(np.sum(same.own1[0] * np.arange(1, P * P + 1).reshape(P, P)))

    # 9 products of order 100
    yield agree(derived, code, points, digits=13, scale=10.0)
