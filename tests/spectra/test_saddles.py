"""The p-spin law by hand, methods against their factors, simulated Hessians against finite differences, bad input."""

import itertools
import math

import numpy as np
import pytest

from corollary.sims.spectra import saddles as sims
from corollary.testing import guards
from corollary.theory import spectra


@guards(spectra.p_spin_threshold, spectra.p_spin_index)
def test_p_spin_by_hand():
    """p = 2: threshold −√2; index ½ at energy 0, 1/2 + (x√(1 − x²) + asin x)/π at x = pu/(2√(p(p − 1))), 0 below."""
    assert spectra.p_spin_threshold(2) == pytest.approx(-math.sqrt(2), rel=1e-15)
    assert spectra.p_spin_index(3, 0.0) == pytest.approx(0.5, rel=1e-13)
    x = -3 / (2 * math.sqrt(6))
    assert spectra.p_spin_index(3, -1.0) == pytest.approx(
        0.5 + (x * math.sqrt(1 - x * x) + math.asin(x)) / math.pi, rel=1e-12
    )
    assert spectra.p_spin_index(3, spectra.p_spin_threshold(3) - 1e-9) == 0
    assert spectra.p_spin_hessian(3, -2.0).support()[0] == pytest.approx((6 - 2 * math.sqrt(6), 6 + 2 * math.sqrt(6)))


@guards(spectra.step_factors)
@pytest.mark.parametrize("method", ["gradient", "newton", "saddle_free"])
def test_factors_are_those_of_the_steps(backend, method):
    """A step on a rotated quadratic multiplies each eigen-coordinate by its factor."""
    lam = np.array([2.0, 0.3, -0.7])
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    H, x = Q @ np.diag(lam) @ Q.T, np.array([1.0, -2.0, 0.5])
    after = sims.step(x, H @ x, H, method, 0.4)
    factors = backend.numpy(spectra.step_factors(backend.asarray(lam), method, 0.4))
    np.testing.assert_allclose(Q.T @ after, factors * (Q.T @ x), rtol=1e-12)


@guards(spectra.escape_steps)
def test_escape_steps_by_hand():
    """1.5ᵗ = 8 for λ = −1 at rate ½; 2ᵗ = 8: three saddle-free steps at rate 1; Newton never."""
    assert spectra.escape_steps(-1.0, "gradient", 0.5, 1.5**4) == pytest.approx(4, rel=1e-14)
    assert spectra.escape_steps(-0.01, "saddle_free", 1.0, 8.0) == pytest.approx(3, rel=1e-14)
    assert spectra.escape_steps(-1.0, "newton", 0.5, 8.0) == math.inf


def test_three_spin_hessian_by_finite_differences():
    """At N = 5: d²H/dt² along great circles is the quadratic form of the Hessian on the sphere; its trace adds up."""
    N, seed = 5, np.random.SeedSequence(3)
    out = sims.three_spin({"N": N}, [seed], np)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(N)
    x *= math.sqrt(N) / np.linalg.norm(x)
    J = rng.standard_normal((N, N, N))

    def energy(y):
        return np.einsum("ijk,i,j,k", J, y, y, y) / N

    basis = np.linalg.qr(np.column_stack([x, np.eye(N)[:, : N - 1]]))[0][:, 1:]
    h, total = 1e-4, 0.0
    for e in basis.T:
        arc = [math.cos(t / math.sqrt(N)) * x + math.sqrt(N) * math.sin(t / math.sqrt(N)) * e for t in (-h, 0.0, h)]
        total += (energy(arc[0]) - 2 * energy(arc[1]) + energy(arc[2])) / h**2
    assert out["eigenvalues"][0].sum() == pytest.approx(total, rel=1e-5)
    assert out["centred"][0] == pytest.approx(out["eigenvalues"][0] + 3 * energy(x) / N, rel=1e-12)
    fixed = sims.three_spin({"N": N, "energy": -1.0}, [seed], np)
    np.testing.assert_allclose(fixed["centred"], out["centred"], rtol=1e-10)  # the noise part does not know the energy


def test_escapes_are_counted_in_fractions_of_a_step():
    for method, curvature in itertools.product(("gradient", "saddle_free"), (0.1, 0.6)):
        got = sims.steps_to_escape(curvature, method, 0.5, 100.0, np.random.default_rng(1))
        assert got == pytest.approx(spectra.escape_steps(-curvature, method, 0.5, 100.0), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectra.p_spin_hessian(1, 0.0), "p = 1; expected a whole number >= 2"),
        (lambda: spectra.p_spin_hessian(3, math.nan), "energy = nan"),
        (lambda: spectra.step_factors(np.array([1.0]), "adam", 0.1), "method = 'adam'; expected one of gradient"),
        (lambda: spectra.step_factors(np.array([1.0, 0.0]), "newton", 0.1), "an eigenvalue is 0"),
        (lambda: spectra.step_factors(np.array([1.0]), "newton", 0.0), "rate = 0.0"),
        (lambda: spectra.escape_steps(1.0, "gradient", 0.1, 10.0), "curvature = 1.0"),
        (lambda: spectra.escape_steps(-1.0, "gradient", 0.1, 1.0), "growth = 1.0"),
        (lambda: sims.three_spin({"N": 2}, [], np), "N = 2"),
        (lambda: sims.step(np.ones(1), np.ones(1), np.eye(1), "adam", 1.0), "method = 'adam'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
