"""The recursion of the neural tangent kernel, from the derivatives with respect to every parameter."""

from __future__ import annotations

from collections.abc import Generator

import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.networks import (
    CLOSED,
    B,
    W,
    closed_forms,
    coded,
    dense,
    dphi,
    input_pairs,
    phi,
    recursion,
    tangent_kernel,
)
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]


@derivation(of=(ntk.mlp, ntk.serial, ntk.Dense), method="symbolic")
def layer_step() -> Steps:
    """One more layer: Θ⁺ = Σ⁺ + W_std² E[φ'φ'] Θ, Σ⁺ = W_std² E[φφ] + b_std² (Jacot, Gabriel, Hongler 2018, Theorem 1).

    f = (W_std/√n) Σ_j a_j φ(z_j) + b_std β, where z_j depends on the parameters w below in any way. By induction those
    have Σ_w ∂z_i(x) ∂z_j(x') = δ_ij Θ(x,x'), and the z_j are iid Gaussian with covariance Σ.
    """
    w, Θ, E, E1 = [*sp.symbols("w:2")], *sp.symbols("Θ E[φφ] E[φ'φ']")
    wanted = W**2 * E + B**2 + W**2 * E1 * Θ
    for n in (1, 2, 3):
        a, β = sp.symbols(f"a:{n}"), sp.Symbol("β")
        z, y = ([sp.Function(f"{name}{j}")(*w) for j in range(n)] for name in "zy")  # at x and at x'
        f, g = (dense([phi(h) for h in units], a, β) for units in (z, y))
        last = tangent_kernel(f, g, [*a, β])
        features = W**2 / n * sum(phi(z[j]) * phi(y[j]) for j in range(n)) + B**2
        yield step(f"width {n}, parameters of the last layer", features, holds=sp.expand(last - features) == 0)
        pairs = [(i, j) for i in range(n) for j in range(n)]
        T = {(i, j): sp.Symbol(f"Θ_{i}{j}") for i, j in pairs}
        chain = W**2 / n * sum(a[i] * a[j] * dphi(z[i]) * dphi(y[j]) * T[i, j] for i, j in pairs)
        sums = {T[i, j]: sum(sp.diff(z[i], p) * sp.diff(y[j], p) for p in w) for i, j in pairs}
        remainder = sp.expand(tangent_kernel(f, g, w) - chain.subs(sums))
        yield step(
            f"width {n}, parameters below, by the chain rule; Θ_ij = Σ_w ∂z_i ∂z'_j", chain, holds=remainder == 0
        )
        diagonal = chain.subs({T[i, j]: Θ if i == j else 0 for i, j in pairs})
        means = {phi(z[j]) * phi(y[j]): E for j in range(n)} | {dphi(z[j]) * dphi(y[j]): E1 for j in range(n)}
        mean = sp.expand((features + diagonal).subs({h**2: 1 for h in a}).subs(means))
        yield step(
            f"width {n}: Θ_ij = δ_ij Θ; mean over a (E a² = 1) and z, which are independent",
            mean,
            holds=sp.expand(mean - wanted) == 0,
        )
    yield step("the fluctuation of a mean of n iid terms vanishes as n → ∞ (law of large numbers)", "O(n^(−1/2))")
    cases = [(name, depth, *pair) for name in CLOSED for depth in (1, 2, 4) for pair in input_pairs(41 + depth, 2)]
    expectations = {name: closed_forms(name) for name in CLOSED}

    def derived(name, depth, x, y, W_std, b_std):
        return recursion(x, y, depth, W_std, b_std, expectations[name])[1]

    def code(name, depth, x, y, W_std, b_std):
        return coded(x, y, depth, W_std, b_std, CLOSED[name][0]())[1]

    # Each of at most 4 layers adds some 10 roundings of 1.1e-16 and, for GELU's and sin's cancelling terms, up to ten times
    # that: 40 · 10 · 1.1e-16 = 4e-14. LeakyRelu's and GELU's Σ may pass through zero; Θ's scale here is 0.1 and more.
    yield agree(derived, code, cases, digits=13, scale=0.1)


@derivation(of=(ntk.mlp, ntk.Dense), method="symbolic")
def input_layer() -> Steps:
    """z_j = (W_std/√d) Σ_i U_ji x_i + b_std β_j: Σ = Θ = W_std² x·x'/d + b_std², and different units are independent."""
    d = 4
    x, y = sp.symbols(f"x:{d}"), sp.symbols(f"y:{d}")
    U, β = [sp.symbols(f"U{j}_:{d}") for j in range(2)], sp.symbols("β:2")
    z, z1 = dense(x, U[0], β[0]), dense(y, U[0], β[0])
    parameters = [*U[0], *U[1], *β]
    tangent = tangent_kernel(z, z1, parameters)
    expected = W**2 / d * sum(i * j for i, j in zip(x, y, strict=True)) + B**2
    yield step("Σ over parameters of ∂z ∂z'", tangent, holds=sp.expand(tangent - expected) == 0)
    linear = (
        all(sp.diff(z, p, r) == 0 for p in parameters for r in parameters) and z.subs(dict.fromkeys(parameters, 0)) == 0
    )
    yield step("z is linear in iid N(0,1) parameters, so its covariance is that sum too: Σ = Θ", expected, holds=linear)
    other = tangent_kernel(z, dense(y, U[1], β[1]), parameters)
    yield step("two units share no parameter", other, holds=other == 0)
    evaluate = sp.lambdify((x, y, W, B), expected)

    def code(u, v, W_std, b_std):
        return float(ntk.serial(ntk.Dense(W_std, b_std)).kernel(u[None, :], v[None, :]).ntk[0, 0])

    # products of opposite signs cancel; the error is below 4 d roundings of 1.1e-16 of Σ|x_i x'_i|, which is compared with
    # a scale of 0.1, at most 1/100 of that sum here
    yield agree(evaluate, code, input_pairs(45, 24, d), digits=12, scale=0.1)
