"""Prediction and ensemble size for permutations (Giapitzakis et al. 2025), from the kernel matrices themselves."""

from __future__ import annotations

from collections.abc import Generator

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory.ntk import permutations

Steps = Generator[Step | Agreement, None, None]
GRID = [(k, ones, kernel) for k in (2, 3, 5, 8) for ones in range(1, k + 1) for kernel in ("ntk", "nngp")]


def trained(k: int, ones: int, kernel: str):
    """(on, off, variance) in 50 digits: w = Θ⁻¹ θ*, variance K** − 2 w·k* + w·K w, all matrices written out."""
    with mp.workdps(50):
        x = [mp.sqrt(mp.mpf(1) / ones) if i < ones else mp.mpf(0) for i in range(k)]
        points = [*([mp.mpf(int(i == j)) for j in range(k)] for i in range(k)), x]

        def both(u, v):
            cosine = min(mp.fsum(a * b for a, b in zip(u, v, strict=True)), mp.mpf(1))
            θ = mp.acos(cosine)
            nngp = (mp.sin(θ) + (mp.pi - θ) * cosine) / (2 * mp.pi * k)
            return nngp, nngp + (mp.pi - θ) / (2 * mp.pi) * cosine / k

        K, T = (mp.matrix([[both(u, v)[i] for v in points] for u in points]) for i in (0, 1))
        T = T if kernel == "ntk" else K
        w = mp.lu_solve(T[:k, :k], T[:k, k])
        variance = K[k, k] - 2 * (w.T * K[:k, k])[0] + (w.T * K[:k, :k] * w)[0]
        return w[0], w[k - 1] if ones < k else None, variance


@derivation(of=permutations.permutation_prediction, method="digits")
def permutation_outputs() -> Steps:
    """f_∞(x) has mean w·y, w = Θ⁻¹ Θ(X, x), with y a basis vector; (a I + c 11ᵀ)⁻¹ = (I − c 11ᵀ/(a + c k))/a."""
    a, c, k = sp.symbols("a c k", positive=True)
    rest = sp.simplify((a + c * k) * (1 - c * k / (a + c * k)) / a - 1)
    across = sp.simplify(a * (1 / a) - 1)
    yield step("the inverse on 1 and across it; remainders", (rest, across), holds=rest == 0 and across == 0)
    cases = [(*p, i) for p in GRID for i in range(3) if i != 1 or p[1] < p[0]]

    def derived(k, ones, kernel, i):
        return trained(k, ones, kernel)[i]

    # acos at 1/√ones and differences of numbers of order one: some tens of roundings, values down to zero
    yield agree(
        derived, lambda k, n, name, i: permutations.permutation_prediction(k, n, name)[i], cases, digits=13, scale=0.1
    )


@derivation(of=permutations.permutation_ensemble, method="digits")
def permutation_ensembles() -> Steps:
    """P(Z > t) <= exp(−t²/2), so N = 2 σ²/μ² ln(k/δ) models fail at one of k bits with probability at most δ."""
    t = sp.Symbol("t", positive=True)
    slope = sp.simplify(sp.diff(sp.exp(-(t**2) / 2) - sp.erfc(t / sp.sqrt(2)) / 2, t) * sp.exp(t**2 / 2))
    yield step(
        "exp(−t²/2) − P(Z > t) is 1/2 at 0, 0 at ∞; its slope times exp(t²/2)",
        slope,
        holds=sp.simplify(slope - (1 / sp.sqrt(2 * sp.pi) - t)) == 0,
    )
    cases = [(k, ones, δ, name) for k, ones, name in GRID if ones > 1 for δ in (0.1, 0.001)]

    def derived(k, ones, δ, kernel):
        on, off, variance = trained(k, ones, kernel)
        least = on if off is None else min(on, -off)
        return mp.ceil(2 * variance / least**2 * mp.log(k / mp.mpf(δ)))

    yield agree(derived, permutations.permutation_ensemble, cases, digits=15)
