"""One hidden layer: the empirical kernel of a network of any width has the limit kernel as its mean, exactly."""

from __future__ import annotations

from collections.abc import Generator

import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.networks import (
    CLOSED,
    B,
    W,
    coded,
    dense,
    dphi,
    input_pairs,
    phi,
    quadrature,
    recursion,
    tangent_kernel,
)
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]


@derivation(of=ntk.mlp, method="symbolic")
def one_hidden_layer_mean() -> Steps:
    """E Θ_n(x,x') = W_std² E[φφ'] + b_std² + W_std² E[φ'φ'] (W_std² x·x'/d + b_std²) for every width n: no bias.

    All parameters of the network are differentiated one by one and the mean over them is taken term by term; the
    remaining two Gaussian expectations come from 50-digit quadrature.
    """
    d = 2
    x, y = sp.symbols(f"x:{d}"), sp.symbols(f"y:{d}")
    E, E1 = sp.symbols("E[φφ] E[φ'φ']")
    below = W**2 / d * sum(s * t for s, t in zip(x, y, strict=True)) + B**2
    limit = W**2 * E + B**2 + W**2 * E1 * below
    for n in (1, 2, 4):
        U = [sp.symbols(f"U{j}_:{d}") for j in range(n)]
        b, a, β = sp.symbols(f"b:{n}"), sp.symbols(f"a:{n}"), sp.Symbol("β")
        parameters = [*(p for row in U for p in row), *b, *a, β]
        units = [[dense(point, U[j], b[j]) for j in range(n)] for point in (x, y)]
        f, g = (dense([phi(h) for h in row], a, β) for row in units)
        kernel = tangent_kernel(f, g, parameters)
        names = [sp.symbols(f"{h}:{n}") for h in ("φ", "φ_", "φ'", "φ'_")]
        labels = {}
        for row, plain, slope in zip(units, names[:2], names[2:], strict=True):
            for j in range(n):
                labels |= {phi(row[j]): plain[j], dphi(row[j]): slope[j]}
        kernel = sp.expand(kernel.subs(labels))
        neurons = [W**2 * (names[0][j] * names[1][j] + a[j] ** 2 * names[2][j] * names[3][j] * below) for j in range(n)]
        remainder = sp.expand(kernel - sum(neurons) / n - B**2)
        yield step(
            f"width {n}, {len(parameters)} parameters: Θ_n − b_std² is the mean over the neurons of "
            "W_std² φφ' + W_std² a² φ'φ' (W_std² x·x'/d + b_std²); remainder",
            remainder,
            holds=remainder == 0,
        )
        means = {names[0][j] * names[1][j]: E for j in range(n)} | {names[2][j] * names[3][j]: E1 for j in range(n)}
        mean = sp.expand(kernel.subs({s**2: 1 for s in a})).subs(means)
        yield step(
            f"width {n}: E a² = 1 and a is independent of U, b; the mean is the limit kernel",
            mean,
            holds=sp.expand(mean - limit) == 0,
        )
    yield step("the neurons are iid, so n of them over n have the mean of one: the same at every width", limit)
    oracles = {}
    for name in ("Relu", "Erf"):
        integrals = quadrature(name)
        oracles[name] = (integrals.variance, integrals.value, integrals.slope)
    cases = [(name, *pair) for name in oracles for pair in input_pairs(51, 10)]

    def derived(name, *pair):
        return recursion(pair[0], pair[1], 1, *pair[2:], oracles[name])[1]

    def code(name, *pair):
        return coded(pair[0], pair[1], 1, *pair[2:], CLOSED[name][0]())[1]

    # some 20 roundings of 1.1e-16; entries near zero are compared on the scale 0.1
    yield agree(derived, code, cases, digits=13, scale=0.1)
