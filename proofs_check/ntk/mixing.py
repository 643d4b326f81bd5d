"""Attention and recurrence: where the same weights act at several positions or times."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.networks import B, W, dphi, phi, tangent_kernel
from corollary.proofs_check.ntk.positions import (
    N,
    P,
    below,
    chained,
    compared,
    features,
    gram,
    mean_of_squares,
)
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]


@derivation(of=ntk.Attention, method="symbolic")
def attention() -> Steps:
    """Scores scaled by 1/n: K⁺ = w G K G'ᵀ + b², Θ⁺ = 2w G K G'ᵀ + b² + w G Θ G'ᵀ (Hron et al. 2020, Section 3.1).

    z[p] = (W/√n) Σ_c o_c (1/√n) Σ_r G_pr Σ_d v_cd a_d[r] + b β; w = W² with W the product of both deviations.
    """
    for n in (1, 2, 3):
        query = [sp.symbols(f"q{i}_:{n}") for i in range(n)]
        x, key = sp.symbols(f"x:{n}"), sp.symbols(f"k:{n}")
        score = sum(query[i][j] * x[j] * key[i] for i in range(n) for j in range(n)) / sp.sqrt(n) / n
        squares = sum(sp.diff(score, query[i][j]) ** 2 for i in range(n) for j in range(n))
        size = sum(s**2 for s in x) / n * sum(s**2 for s in key) / n / n
        yield step(
            f"width {n}: Σ over the queries' weights of (∂score)² = (1/n) mean x² mean k² → 0, so the scores stay at "
            "their limit and pass no gradient; remainder",
            sp.expand(squares - size),
            holds=sp.expand(squares - size) == 0,
        )
    a, b, Θ, K = features("a"), features("b"), below("Θ"), below("K")
    G, H = below("G"), below("H")
    o, v, β = sp.symbols(f"o:{N}"), [sp.symbols(f"v{c}_:{N}") for c in range(N)], sp.Symbol("β")

    def at(x, M, p):
        mixed = [sum(M[p, r] * x[r][d] for r in range(P)) for d in range(N)]
        return W / N * sum(o[c] * v[c][d] * mixed[d] for c in range(N) for d in range(N)) + B * β

    z, y = at(a, G, 0), at(b, H, 1)
    values, weights = [s for row in v for s in row], [*o, *(s for row in v for s in row)]
    mean = W**2 * (G * gram(a, b) * H.T)[0, 1]
    last = mean_of_squares(tangent_kernel(z, y, [*o, β]), weights)
    yield step("output weights, mean over the values' weights", mean + B**2, holds=sp.expand(last - mean - B**2) == 0)
    middle = mean_of_squares(tangent_kernel(z, y, values), weights)
    yield step("values' weights, mean over the output weights: as much", mean, holds=sp.expand(middle - mean) == 0)
    chain = mean_of_squares(chained(z, y, a, b, Θ), weights)
    passed = W**2 * (G * Θ * H.T)[0, 1]
    yield step("parameters below through the values", passed, holds=sp.expand(chain - passed) == 0)
    yield step("z is Gaussian given its values, whose covariance tends to its mean", W**2 * (G * K * H.T)[0, 1] + B**2)

    def weights_of(own):
        scores = np.exp(0.3 * own)
        return scores / scores.sum(axis=-1, keepdims=True)

    def mixed(A, x):
        return 1.69 * weights_of(x.own1[0]) @ A[0, 0] @ weights_of(x.own2[0]).T

    layer = ntk.Attention(0.3, 1.3, 0.2)
    yield compared(layer, lambda x: mixed(x.k, x) + 0.04, lambda x: 2 * mixed(x.k, x) + 0.04 + mixed(x.t, x))


@derivation(of=ntk.Rnn, method="symbolic")
def recurrence() -> Steps:
    """S_t = W² E[φφ](S_{t−1}) + U² X_tt + b², Θ_t = S_t + W² E[φ'φ'] Θ_{t−1} + U² Θ^X_tt (Yang 2019).

    z_t = (W/√n) Σ_j w_j φ(h_j) + (U/√m) Σ_i u_i x_i + b β for one neuron, h the neurons at time t − 1, which depend on
    all parameters r: w, u, β act at both times.
    """
    U = sp.Symbol("U_std", positive=True)
    for n in (1, 2):
        w, u, β = sp.symbols(f"w:{n}"), sp.symbols("u:2"), sp.Symbol("β")
        r = sp.symbols("r:2")
        x, y = sp.symbols("x:2"), sp.symbols("y:2")
        h, g = ([sp.Function(f"{name}{j}")(*r) for j in range(n)] for name in "hg")

        def state(hidden, inputs, n=n, w=w, u=u, β=β):
            drive = U / sp.sqrt(2) * sum(p * s for p, s in zip(u, inputs, strict=True))
            return W / sp.sqrt(n) * sum(w[j] * phi(hidden[j]) for j in range(n)) + drive + B * β

        z, z1 = state(h, x), state(g, y)
        direct = sp.expand(tangent_kernel(z, z1, [*w, *u, β]))
        features_ = W**2 / n * sum(phi(h[j]) * phi(g[j]) for j in range(n))
        wanted = features_ + U**2 / 2 * sum(s * t for s, t in zip(x, y, strict=True)) + B**2
        yield step(f"width {n}: own weights at time t", wanted, holds=sp.expand(direct - wanted) == 0)
        chain = tangent_kernel(z, z1, r)
        T = {(i, j): sum(sp.diff(h[i], p) * sp.diff(g[j], p) for p in r) for i in range(n) for j in range(n)}
        through = W**2 / n * sum(w[i] * w[j] * dphi(h[i]) * dphi(g[j]) * T[i, j] for i in range(n) for j in range(n))
        yield step(f"width {n}: through time t − 1", "(W²/n) Σ_ij w_i w_j φ'φ' Θ_ij",
                   holds=sp.expand(chain - through) == 0)  # fmt: skip
        cross = (
            W
            / sp.sqrt(n)
            * sum(phi(h[j]) for j in range(n))
            * sum(W / sp.sqrt(n) * w[i] * dphi(g[i]) * sp.diff(g[i], r[0]) for i in range(n))
        )
        odd = sp.expand(cross + cross.subs({s: -s for s in w}, simultaneous=True))
        yield step(
            f"width {n}: own derivative times the one through time t − 1 is odd in w",
            "mean 0 + O(1/√n)",
            holds=odd == 0,
        )
    yield step("of n terms Σ_j w_j (…)_j only j = i shares its row with h_i: a correlation of order n^(−1/2)", "→ 0")
    E = ntk.Erf()

    def derived(seed, which):
        rng = np.random.default_rng(seed)
        X, Y = rng.standard_normal((2, 3, 4))
        K, QX, QY = X @ Y.T / 4, X @ X.T / 4, Y @ Y.T / 4
        S, T, p, q = 0.0, 0.0, 0.0, 0.0
        for t in range(3):
            if t:
                both = E.dual(np.array([p]), np.array([q]), np.array([S]))
                value, bend = float(both[0][0]), float(both[1][0])
                p, q = (float(E.variance(np.array([s]))[0][0]) for s in (p, q))
            else:
                value = bend = 0.0
            S, T = 1.44 * value + 0.64 * K[t, t] + 0.09, 1.44 * bend * T
            T += S
            p, q = (1.44 * s + 0.64 * Q[t, t] + 0.09 for s, Q in ((p, QX), (q, QY)))
        value, bend = (float(e[0]) for e in E.dual(np.array([p]), np.array([q]), np.array([S])))
        return (0.81 * value + 0.01, 0.81 * value + 0.01 + 0.81 * bend * T)[which]

    def code(seed, which):
        X, Y = np.random.default_rng(seed).standard_normal((2, 1, 3, 4))
        k = ntk.Serial(ntk.Rnn(E, 1.2, 0.8, 0.3), ntk.Dense(0.9, 0.1)).kernel(X, Y)
        return float((k.nngp, k.ntk)[which][0, 0])

    # erf's conditioning 1 + q < 10 of some 20 roundings
    yield agree(derived, code, [(s, w) for s in range(12) for w in (0, 1)], digits=12, scale=0.1)
