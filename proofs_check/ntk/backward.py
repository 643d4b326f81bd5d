"""The back-propagated vector of one layer, whose weights have been used forwards."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]


@derivation(of=ntk.squared_backprop, method="symbolic")
def gradient_independence() -> Steps:
    """(1/n)|d|² → W² (E v² E φ'² + W² v̄² (E φ'')² A) for d = (W/√n) Wᵀ(v ⊙ φ'(z)), z = (W/√n) W a (Yang 2019).

    For polynomials φ everything is a moment: d's second moment is computed weight by weight and n taken to infinity.
    """
    w, s, x = sp.symbols("w s x", real=True)  # w: one weight; s: the rest of z_i
    n, A, r, q, W = sp.symbols("n A r q W", positive=True)
    v1, v2 = sp.symbols("v1 v2", real=True)  # mean of v, mean of v²
    density = sp.exp(-(w**2) / 2) / sp.sqrt(2 * sp.pi)
    stein = sp.simplify(sp.diff(density, w) + w * density)
    yield step("Stein: w p(w) = −p'(w), so E[w g(w)] = E[g'(w)]; remainder", stein, holds=stein == 0)
    for φ in (x**2, x**3 / 3 + x**2, x - x**3 / 6):
        z = W * w * r / sp.sqrt(n) + s  # a_j = r; s ~ N(0, W² (A − r²/n))
        first = _mean(sp.expand(w * sp.diff(φ, x).subs(x, z)), w, s, W**2 * (A - r**2 / n))
        wanted = W * r / sp.sqrt(n) * _normal(sp.diff(φ, x, 2), x, W**2 * A)
        yield step(
            f"φ = {φ}: E[W_ij φ'(z_i)]; remainder", sp.expand(first - wanted), holds=sp.expand(first - wanted) == 0
        )
        square = _mean(sp.expand(w**2 * sp.diff(φ, x).subs(x, z) ** 2), w, s, W**2 * (A - r**2 / n))
        # n terms with themselves, n(n − 1) pairs of different neurons i, each with independent v's and rows of W
        moment = W**2 / n * (n * v2 * square + n * (n - 1) * v1**2 * first**2)
        limit = sp.expand(sp.limit(sp.expand(moment), n, sp.oo))
        slope, curve = (_normal(e, x, W**2 * A) for e in (sp.diff(φ, x) ** 2, sp.diff(φ, x, 2)))
        result = W**2 * (v2 * slope + W**2 * v1**2 * curve**2 * r**2)
        yield step(
            f"φ = {φ}: E d_j² as n → ∞, whose mean over j has A for a_j²; remainder",
            sp.expand(limit - result),
            holds=sp.expand(limit - result) == 0,
        )
    relu = sp.integrate(sp.DiracDelta(x) * sp.exp(-(x**2) / (2 * q)) / sp.sqrt(2 * sp.pi * q), (x, -sp.oo, sp.oo))
    yield step(
        "ReLU: φ'' is Dirac's δ, E φ'' the density at 0", relu, holds=sp.simplify(relu**2 - 1 / (2 * sp.pi * q)) == 0
    )
    rng = np.random.default_rng(81)
    cases = [tuple(float(t) for t in rng.uniform(0.3, 2.0, 4)) for _ in range(24)]

    def derived(W_, A_, mean, spread):
        with mp.workdps(20):
            q_ = mp.mpf(W_) ** 2 * mp.mpf(A_)
            root = mp.sqrt(q_)  # ten standard deviations leave out 1e-22
            # means over z by quadrature: φ = relu + sin, φ' = 1[z>0] + cos z, φ'' = δ(z) − sin z
            density_ = partial(_density, q=q_)
            slope = mp.quad(lambda t: density_(t) * ((1 if t > 0 else 0) + mp.cos(t)) ** 2, [-10 * root, 0, 10 * root])
            curve = density_(0) - mp.quad(lambda t: density_(t) * mp.sin(t), [-10 * root, 0, 10 * root])
            square = mp.mpf(mean) ** 2 + mp.mpf(spread) ** 2
            return mp.mpf(W_) ** 2 * (square * slope + mp.mpf(W_) ** 2 * mp.mpf(mean) ** 2 * curve**2 * mp.mpf(A_))

    def code(W_, A_, mean, spread):
        q_ = W_**2 * A_
        # E(1[z>0] + cos z)² = 1/2 + E cos z + E cos² z
        slope = 0.5 + np.exp(-q_ / 2) + (1 + np.exp(-2 * q_)) / 2
        return ntk.squared_backprop(
            slope, 1 / np.sqrt(2 * np.pi * q_), A_, readout_mean=mean, readout_square=mean**2 + spread**2, W_std=W_
        )

    # a dozen roundings of positive terms
    yield agree(derived, code, cases, digits=14)


def _normal(expression: sp.Expr, x: sp.Symbol, variance: sp.Expr) -> sp.Expr:
    """Mean of a polynomial in x ~ N(0, variance)."""
    terms = sp.Poly(sp.expand(expression), x).terms()
    return sp.expand(sum(c * sp.factorial2(p - 1) * variance ** (p // 2) for (p,), c in terms if p % 2 == 0))


def _mean(expression: sp.Expr, w: sp.Symbol, s: sp.Symbol, variance: sp.Expr) -> sp.Expr:
    """Mean over independent w ~ N(0, 1) and s ~ N(0, variance)."""
    return sp.expand(_normal(_normal(expression, s, variance), w, sp.Integer(1)))


def _density(t: object, q: object) -> object:
    return mp.npdf(t, 0, mp.sqrt(q))
