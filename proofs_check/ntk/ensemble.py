"""Covariance of the trained network over random starts, its limits, and the NNGP posterior it must not be confused with."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.proofs_check.ntk.dynamics import DIGITS, M, N, Problem, problems, weights
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]


def _symmetric(name: str, size: int) -> Any:
    return sp.Matrix(size, size, lambda i, j: sp.Symbol(f"{name}{min(i, j)}{max(i, j)}", real=True))


@derivation(of=ntk.gradient_flow, method="digits")
def covariance() -> Steps:
    """f_t(x) = f_0(x) + A_t (y − f_0(X)) with f_0 ~ GP(0, K): Cov = K** − A K*ᵀ − K* Aᵀ + A K Aᵀ (Lee et al. 2019)."""
    joint = _symmetric("K", 4)  # two training points, two test points
    K, cross, own = joint[:2, :2], joint[2:, :2], joint[2:, 2:]
    A: Any = sp.Matrix(2, 2, sp.symbols("A:4", real=True))
    f0 = sp.Matrix(sp.symbols("f0_:4"))
    trained = f0[2:, :] + A * (sp.Matrix(sp.symbols("y:2")) - f0[:2, :])
    linear = trained.jacobian(f0)
    yield step(
        "f_t is linear in f_0 with coefficients [−A, I]", linear, holds=linear == sp.Matrix.hstack(-A, sp.eye(2))
    )
    result = own - A * cross.T - cross * A.T + A * K * A.T
    remainder = sp.expand(linear * joint * linear.T - result)
    yield step("linear map of a Gaussian: L K_joint Lᵀ; remainder", remainder, holds=remainder.is_zero_matrix is True)
    yield step(
        "t = 0: A = 0 leaves the prior", result.subs(dict.fromkeys(A, 0)), holds=result.subs(dict.fromkeys(A, 0)) == own
    )
    times = [0.25, 1.0, 4.0, 20.0, float("inf")]
    found = problems(91, 10) + problems(92, 10, reg=True)
    cases = [(p, times[i % 5], 0, j) for i, p in enumerate(found) for j in (0, 1)]
    yield agree(_covariance_50, _code_covariance, cases, digits=DIGITS, scale=1.0)


@derivation(of=(ntk.gradient_flow, ntk.posterior), method="rational")
def limit_is_not_the_posterior() -> Steps:
    """At t = ∞: Cov = posterior + (A − P) K (A − P)ᵀ with A = Θ*Θ⁻¹ and P = K*K⁻¹. They agree iff A = P."""
    K, cross = _symmetric("K", 2), sp.Matrix(1, 2, sp.symbols("k:2", real=True))
    own = sp.Symbol("k_xx", real=True)
    A: Any = sp.Matrix(1, 2, sp.symbols("A:2", real=True))
    P: Any = cross * K.inv()
    ensemble = own - (A * cross.T)[0] - (cross * A.T)[0] + (A * K * A.T)[0]
    posterior = own - (P * cross.T)[0]
    square = ((A - P) * K * (A - P).T)[0]
    remainder = sp.simplify(ensemble - posterior - square)
    yield step("completing the square; remainder", remainder, holds=remainder == 0)
    same = sp.simplify(ensemble.subs(dict(zip(A, P, strict=True))) - posterior)
    yield step("Θ = K gives A = P and the posterior; remainder", same, holds=same == 0)
    found = problems(93)
    gaps = [_exact_gap(p, 0) for p in found]
    yield step(
        "the gap at 20 random problems, exact fractions: always positive",
        f"smallest {float(min(gaps)):.3g}",
        holds=min(gaps) > 0,
    )
    matched = [_exact_gap(p._replace(theta=p.nngp), 0) for p in found]
    yield step("with Θ = K, exactly zero", max(matched), holds=not any(matched))

    def code(p: Problem, point: int) -> float:
        y, k = p.y, p.nngp
        posterior = ntk.posterior(k[:N, :N], y, k[N:, :N], k[N:, N:])
        return _code_covariance(p, float("inf"), point, point) - float(posterior.covariance[point, point])

    cases = [(p, point) for p in found for point in range(M)]
    yield agree(_exact_gap, code, cases, digits=DIGITS, scale=1.0)


@derivation(of=ntk.posterior, method="rational")
def posterior_mean() -> Steps:
    """E[f* | y] = P y with P = K* (K + σ²I)⁻¹, and Cov = K** − P K*ᵀ (Rasmussen & Williams 2006, Section 2.2)."""
    K, cross, noise = _symmetric("K", 2), sp.Matrix(1, 2, sp.symbols("k:2", real=True)), sp.Symbol("σ2", positive=True)
    observed = K + noise * sp.eye(2)
    P = cross * observed.inv()
    uncorrelated = sp.simplify(cross - P * observed)
    yield step(
        "Cov(f* − P y, y) = K* − P (K + σ²I) vanishes, so both are independent",
        uncorrelated,
        holds=uncorrelated.is_zero_matrix is True,
    )
    own = sp.Symbol("k_xx")
    left = own - 2 * (P * cross.T)[0] + (P * observed * P.T)[0]
    rest = sp.simplify(left - (own - (P * cross.T)[0]))
    yield step("so E[f* | y] = P y, and Cov(f* − P y) = k** − P K*ᵀ; remainder", rest, holds=rest == 0)

    def derived(p: Problem, point: int) -> Fraction:
        k = _rational(p.nngp)
        system = k[:N, :N] + sp.Rational(p.reg) * sp.eye(N)
        mean = (k[N + point, :N] * system.LUsolve(_rational(p.y[:, None])))[0]
        return Fraction(int(mean.p), int(mean.q))

    def code(p: Problem, point: int) -> float:
        k = p.nngp
        return float(ntk.posterior(k[:N, :N], p.y, k[N:, :N], k[N:, N:], noise=p.reg).mean[point])

    yield agree(derived, code, [(p, i) for p in problems(94, reg=True) for i in range(M)], digits=DIGITS, scale=1.0)


def _covariance_50(p: Problem, time: float, row: int, column: int):
    with mp.workdps(50):
        A = weights(p, time)[N : N + M, :N]
        k = mp.matrix(p.nngp.tolist())
        own, cross, K = k[N : N + M, N : N + M], k[N : N + M, :N], k[:N, :N]
        return (own - A * cross.T - cross * A.T + A * K * A.T)[row, column]


def _code_covariance(p: Problem, time: float, row: int, column: int) -> float:
    train, between, test = (ntk.Kernel(p.nngp[a, b], p.theta[a, b]) for a, b in (
        (slice(0, N), slice(0, N)), (slice(N, None), slice(0, N)), (slice(N, None), slice(N, None))))  # fmt: skip
    flow = ntk.gradient_flow(train, p.y, p.learning_rate, p.reg)
    return float(flow.covariance(time, between, test)[row, column])


def _exact_gap(p: Problem, point: int) -> Fraction:
    """Ensemble variance at t = ∞ less posterior variance, in fractions, each by its own formula."""
    theta, k = _rational(p.theta), _rational(p.nngp)
    at = N + point
    A = theta[:N, :N].LUsolve(theta[:N, at]).T
    P = k[:N, :N].LUsolve(k[:N, at]).T
    cross = k[at, :N]
    ensemble = k[at, at] - 2 * (A * cross.T)[0] + (A * k[:N, :N] * A.T)[0]
    gap = ensemble - (k[at, at] - (P * cross.T)[0])
    return Fraction(int(gap.p), int(gap.q))


def _rational(matrix: np.ndarray) -> Any:
    return sp.Matrix(*matrix.shape, lambda i, j: sp.Rational(float(matrix[i, j])))
