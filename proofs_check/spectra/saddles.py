"""The p-spin Hessian from its covariance, and the steps of three methods at a saddle."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import spectra

Steps = Generator[Step | Agreement, None, None]


@derivation(of=(spectra.p_spin_hessian, spectra.p_spin_index, spectra.p_spin_threshold), method="symbolic")
def p_spin_hessian() -> Steps:
    """Covariance N (x·y/N)^p at x = √N e₁: differentiate in two tangent directions of each of the two points."""
    N, p = sp.symbols("N p", positive=True)
    a, b, c, d = sp.symbols("a b c d")  # x = (√N, a, b), y = (√N, c, d) near e₁, off the sphere
    K = N * ((N + a * c + b * d) / N) ** p
    at = {a: 0, b: 0, c: 0, d: 0}
    off = sp.simplify(sp.diff(K, a, b, c, d).subs(at))
    yield step("variance of an off-diagonal entry", off, holds=sp.simplify(off - p * (p - 1) / N) == 0)
    diagonal = sp.simplify(sp.diff(K, a, a, c, c).subs(at))
    yield step("of a diagonal entry: twice", diagonal, holds=sp.simplify(diagonal - 2 * p * (p - 1) / N) == 0)
    cross = sp.simplify(sp.diff(K, a, a).subs(at))
    yield step("covariance of a tangent second derivative with the energy", cross, holds=cross == 0)
    r, u = sp.symbols("r u", positive=True)
    radial = sp.diff(r**p * N * u, r).subs(r, 1)
    yield step(
        "Euler: x·∇H = pH = pNu, so the sphere subtracts p u", radial, holds=sp.simplify(radial - p * N * u) == 0
    )
    touching = sp.solve(sp.Eq(-p * sp.Symbol("e") - 2 * sp.sqrt(p * (p - 1)), 0), sp.Symbol("e"))[0]
    remainder = sp.simplify(touching + 2 * sp.sqrt((p - 1) / p))
    yield step("the lower edge −pu − 2√(p(p − 1)) is 0 at u = −2√((p − 1)/p)", touching, holds=remainder == 0)
    rng = Random(1)
    cases = [(k, rng.uniform(-1.8, 1)) for k in (2, 3, 4, 5) for _ in range(6)]

    def closed(k: int, energy: float) -> Any:
        with mp.workdps(30):
            x = mp.mpf(k) * mp.mpf(energy) / (2 * mp.sqrt(k * (k - 1)))
            if x <= -1:
                return mp.mpf(0)
            return mp.mpf(1) if x >= 1 else mp.mpf(1) / 2 + (x * mp.sqrt(1 - x * x) + mp.asin(x)) / mp.pi

    yield agree(closed, spectra.p_spin_index, cases, digits=13, scale=1.0)


@derivation(of=(spectra.step_factors, spectra.escape_steps), method="symbolic")
def steps_at_a_saddle() -> Steps:
    """On λx²/2 the gradient is λx, H⁻¹∇f = x and |H|⁻¹∇f = sign(λ) x; on the double well Newton has a 2-cycle at 1/√5."""
    x = sp.Symbol("x", real=True)
    newton = sp.simplify(x - (x**3 - x) / (3 * x**2 - 1))
    cycle = sp.solve(sp.Eq(newton, -x), x)
    yield step("x_{t+1} = −x_t for Newton on (x² − 1)²/4", cycle, holds=1 / sp.sqrt(5) in cycle)
    shrink = sp.simplify((newton / x) ** 2 - 1)
    inside = sp.solve_univariate_inequality(shrink < 0, x, relational=False, domain=sp.Interval.open(0, 1 / sp.sqrt(3)))
    yield step("and |x| shrinks exactly for", inside, holds=inside == sp.Interval.open(0, 1 / sp.sqrt(5)))
    rng = Random(2)
    cases = [
        (-rng.uniform(0.01, 2), method, rng.uniform(0.1, 1), rng.uniform(2, 1e4))
        for method in ("gradient", "saddle_free")
        for _ in range(12)
    ]

    def counted(curvature: float, method: str, rate: float, growth: float) -> Any:
        factor = 1 + mp.mpf(rate) * (-mp.mpf(curvature) if method == "gradient" else 1)
        code = spectra.step_factors(np.array([curvature]), method, rate)[0]
        return mp.log(growth) / mp.log(factor) * (1 if abs(code - factor) < 1e-14 else mp.nan)

    yield agree(counted, spectra.escape_steps, cases, digits=12)
