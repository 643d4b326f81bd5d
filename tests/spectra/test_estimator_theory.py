"""Error formulas of the estimators, and what they refuse."""

import itertools
import math

import numpy as np
import pytest

from corollary.sims.spectra.traces import trace
from corollary.testing import guards
from corollary.theory.spectra import estimators


@guards(estimators.hutchinson_variance)
def test_hutchinson_variance_by_all_sign_vectors():
    A = np.array([[2.0, 1.0, -3.0], [1.0, 5.0, 0.5], [-3.0, 0.5, -1.0]])
    forms = [w @ A @ w for w in map(np.array, itertools.product((-1.0, 1.0), repeat=3))]
    assert estimators.hutchinson_variance(A.tolist(), 7) == pytest.approx(np.var(forms) / 7, rel=1e-14)


@guards(estimators.hutch_plus_plus_mse)
def test_hutch_plus_plus_bound_by_hand():
    """k = 4, λ = (2, 1, 1): r = 0: 6/2; r = 1: (1 + 1/2) 2/2; r = 2: (1 + 2) 1/2. The middle one is smallest: 1.5."""
    assert estimators.hutch_plus_plus_mse([1, 2, -1], 4) == pytest.approx(1.5, rel=1e-15)
    assert estimators.hutch_plus_plus_mse([1, 2], 4) == 0  # rank 2 ≤ k − 2: exact


@guards(estimators.xtrace_mse)
def test_xtrace_bound_by_hand_and_against_runs():
    """k = 5, λ = (2, 1, 1): r = 0: 2 · 6; r = 1: 2 (1 + ½) 2; r = 2: 2 (1 + 2) 1. Two equal: 6. And on 300 runs
    with eigenvalues ±1, where sketching wins nothing, the squared error lies between a quarter of the bound and it."""
    assert estimators.xtrace_mse([1, 2, -1], 5) == pytest.approx(6.0, rel=1e-15)
    assert estimators.xtrace_mse([1, 2, -1], 2) == pytest.approx(12.0, rel=1e-15)  # one column: r = 0 alone
    assert estimators.xtrace_mse([1, 2], 5) == 0  # rank 2 ≤ k − 3: exact
    values = np.resize([1.0, -1.0], 40)
    Q = np.linalg.qr(np.random.default_rng(1).standard_normal((40, 40)))[0]
    A = (Q * values) @ Q.T
    errors = [trace((A + A.T) / 2, products=4, rng=np.random.default_rng(s)).value for s in range(300)]
    bound = estimators.xtrace_mse(values.tolist(), 2)
    assert bound / 4 < np.mean(np.square(errors)) < bound


@guards(estimators.log_quadrature_error)
def test_quadrature_bound_on_a_grid_of_rho():
    """The same minimum with the ellipse sampled at 10⁴ angles: M of the code is an upper bound, at most 2.2 times."""
    a, b, m = 1.0, 9.0, 5
    w = np.exp(1j * np.linspace(0, 2 * math.pi, 10001))
    sampled, enclosed = [], []
    for i in range(1, 201):
        rho = 1 + (2 - 1) * i / 201  # √κ = 3: (3 + 1)/(3 − 1) = 2
        z = 1 + (rho * w + 1 / (rho * w)) / 2 * (b - a) / (a + b)
        sampled.append(4 * np.abs(np.log(z)).max() * rho ** (1 - 2 * m) / (rho - 1))
        radii = np.log([abs(z.real.min()), abs(z.real.max())])  # |z| lies between the ends, |arg z| below π/2
        enclosed.append(4 * np.hypot(np.abs(radii).max(), math.pi / 2) * rho ** (1 - 2 * m) / (rho - 1))
    got = estimators.log_quadrature_error(a, b, m)
    assert min(sampled) <= got <= 2.2 * min(sampled)
    assert got == pytest.approx(min(enclosed), rel=1e-6)  # ends of the ellipse at angles 0 and π, which are sampled


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: estimators.hutchinson_variance([[1.0]], 0), "probes = 0"),
        (lambda: estimators.hutchinson_variance([[1.0, 2.0]], 1), "square"),
        (lambda: estimators.hutch_plus_plus_mse([1.0], 1), "k = 1"),
        (lambda: estimators.xtrace_mse([1.0], 1), "k = 1"),
        (lambda: estimators.log_quadrature_error(0.0, 1.0, 3), "a = 0.0, b = 1.0; expected 0 < a < b"),
        (lambda: estimators.log_quadrature_error(1.0, math.inf, 3), "b = inf"),
        (lambda: estimators.log_quadrature_error(1.0, 2.0, 0), "steps = 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
