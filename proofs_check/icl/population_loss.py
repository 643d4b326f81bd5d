"""Moments of a prompt, the population loss of one layer and its gradient, by expansion into monomials."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.icl.wick import Poly, Prompt, dot, floats, gaussian, product, rational, triangular, uniform
from corollary.theory import icl

Steps = Generator[Step | Agreement, None, None]
d = 2
# Sums of some hundred products of numbers of order one, without cancellation beyond a few bits: 1e-13 of the largest.
DIGITS = 12


def settings(
    seed: int, count: int, *, kinds: tuple[str, ...] = ("gaussian", "uniform"), lengths: tuple[int, ...] = (2, 3)
) -> list[tuple]:
    """(prompt, task) pairs: Gaussian with rational covariances, or iid uniform coordinates; N from `lengths`."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        N, s = lengths[i % len(lengths)], Fraction(int(rng.integers(0, 4)), 4)
        M = triangular(rng, d)
        Ω = floats(product(M, M))
        if kinds[i % len(kinds)] == "gaussian":
            L = triangular(rng, d)
            found.append((Prompt(N, L, M, s), icl.LinearTask(d, N, floats(product(L, L)), Ω, float(s * s))))
        else:
            h = Fraction(int(rng.integers(3, 7)), 4)
            L = [[h, Fraction(0)], [Fraction(0), h]]
            found.append((Prompt(N, L, M, s, uniform), icl.uniform_task(d, N, float(h), float(s * s), Ω)))
    return found


def isserlis() -> Step:
    """The one-dimensional moments that everything rests on, from integration by parts: E z^k = (k − 1) E z^{k−2}."""
    holds = all(gaussian(k) == (k - 1) * gaussian(k - 2) for k in range(2, 14, 2))
    holds &= all(uniform(k) * (k + 1) == 1 for k in range(0, 14, 2))
    return step(
        "E z^k = (k−1)!! for N(0,1), 1/(k+1) for U(−1,1), 0 for odd k",
        [gaussian(k) for k in range(0, 9, 2)],
        holds=holds,
    )


@derivation(of=(icl.label_moment, icl.energy_gram, icl.energy_square, icl.gram_second_moment), method="rational")
def prompt_moments() -> Steps:
    """E[ggᵀ] = (1+1/N)ΛΩΛ + ((t+σ²)/N)Λ + (κ₄/N) diag Ω and its three companions, against exact expansions."""
    yield isserlis()
    prompt, _ = settings(1, 1)[0]
    yield step("number of monomials of s² with N = 2, d = 2", len((prompt.energy * prompt.energy).terms))

    def derived(p: Prompt, task: Any, which: str, a: int, b: int, u: Any) -> Fraction:
        if which == "gg":
            return p.mean(p.g[a] * p.g[b])
        if which == "sG":
            return p.mean(p.energy * p.G[a][b])
        if which == "ss":
            return p.mean(p.energy * p.energy)
        return p.mean(dot(p.G[a], u) * dot(p.G[b], u))

    def code(p: Prompt, task: Any, which: str, a: int, b: int, u: Any) -> float:
        if which == "ss":
            return icl.energy_square(task)
        matrix = {"gg": icl.label_moment, "sG": icl.energy_gram}.get(which)
        return float((matrix(task) if matrix else icl.gram_second_moment(task, floats(u)))[a, b])

    rng = np.random.default_rng(2)
    points = [
        (p, t, which, a, b, rational(rng, d))
        for p, t in settings(3, 6)
        for which in ("gg", "sG", "ss", "GuuG")
        for a, b in ((0, 0), (0, 1))
    ]
    yield agree(derived, code, points, digits=DIGITS, scale=1.0)


def prediction(p: Prompt, KQ: Any, PV: Any, query_in_keys: bool) -> Poly:
    """[u; c]ᵀ H [A; bᵀ] x_q, written out."""
    right = [dot(row, p.xq) for row in KQ]  # (A x_q, b·x_q)
    out = Poly.of(0)
    for x, y in zip(p.X, p.y, strict=True):
        token = [*x, y]
        out = out + dot(PV, token) * dot(token, right)
    if query_in_keys:
        token = [*p.xq, Poly.of(0)]
        out = out + dot(PV, token) * dot(token, right)
    return out * Fraction(1, p.N)


def expected_loss(p: Prompt, KQ: Any, PV: Any, query_in_keys: bool) -> Fraction:
    gap = prediction(p, KQ, PV, query_in_keys) - p.label
    return p.mean(gap * gap)


def _weights(rng: np.random.Generator) -> tuple[Any, Any]:
    return rational(rng, d + 1, d), rational(rng, d + 1)


def _as_attention(KQ: Any, PV: Any) -> icl.Attention:
    return icl.Attention(floats(KQ), floats(PV))


@derivation(of=icl.population_loss, method="rational")
def population_loss() -> Steps:
    """L = L_odd + L_even is E(ŷ − w·x_q)², all monomials expanded, for Gaussian and uniform inputs, query in or out of the keys."""
    yield isserlis()
    rng = np.random.default_rng(4)
    prompt, _ = settings(5, 1)[0]
    gap = prediction(prompt, *_weights(rng), False) - prompt.label
    degrees = {sum(k for name, k in m if name[0] in "we") % 2 for m in gap.terms}
    yield step(
        "ŷ − w·x_q has terms odd and even in (w, ε); their products have mean zero", degrees, holds=degrees == {0, 1}
    )
    points = [(p, t, *_weights(rng), False) for p, t in settings(6, 12)]
    points += [(p, t, *_weights(rng), True) for p, t in settings(7, 12, lengths=(2, 3, 2))]

    def code(p: Prompt, task: Any, KQ: Any, PV: Any, query_in_keys: bool) -> float:
        return icl.population_loss(_as_attention(KQ, PV), task, query_in_keys=query_in_keys)

    yield agree(lambda p, t, *w: expected_loss(p, *w), code, points, digits=DIGITS, scale=1.0)


@derivation(of=icl.population_loss_gradient, method="rational")
def gradient() -> Steps:
    """The loss is a quartic along every line, so L′(0) = [8(L(h) − L(−h)) − (L(2h) − L(−2h))]/12h exactly; h = 1/2."""
    h = Fraction(1, 2)
    exact = all(
        (8 * (h**k - (-h) ** k) - ((2 * h) ** k - (-2 * h) ** k)) / (12 * h) == (1 if k == 1 else 0) for k in range(5)
    )
    yield step("the five-point formula is exact for t^k, k = 0…4", "h = 1/2", holds=exact)
    rng = np.random.default_rng(8)
    directions = [
        (p, t, *_weights(rng), *_weights(rng), i % 8 < 2) for i, (p, t) in enumerate(settings(9, 20, lengths=(2,)))
    ]

    def derived(p: Prompt, task: Any, KQ: Any, PV: Any, dKQ: Any, dPV: Any, q: bool) -> Fraction:
        def at(x: Fraction) -> Fraction:
            moved = [[a + x * b for a, b in zip(r, s, strict=True)] for r, s in zip(KQ, dKQ, strict=True)]
            return expected_loss(p, moved, [a + x * b for a, b in zip(PV, dPV, strict=True)], q)

        return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)

    def code(p: Prompt, task: Any, KQ: Any, PV: Any, dKQ: Any, dPV: Any, q: bool) -> float:
        g = icl.population_loss_gradient(_as_attention(KQ, PV), task, query_in_keys=q)
        return float(np.sum(g.KQ * floats(dKQ)) + np.sum(g.PV * floats(dPV)))

    yield agree(derived, code, directions, digits=DIGITS - 1, scale=1.0)
