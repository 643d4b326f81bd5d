"""The quadratic committee: closure against whole networks, lazy limit against training, laws and clear errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.proofs_check.ntk import committee as proofs
from corollary.sims.ntk import committee
from corollary.testing import guards
from corollary.theory.ntk import grokking
from corollary.theory.ntk.grokking import Moments

W, X, BETA = committee.draw(5, 9, 4, 1)
Y = (X @ BETA) ** 2 / 2
START = Moments(W.mean(axis=0), W.T @ W / 4)


@guards(grokking.descent_step, grokking.outputs)
def test_the_closure_is_the_network(backend):
    """Ten steps of the moments, and of all weights, on every backend: equal to rounding."""
    weights, now = backend.asarray(W), Moments(*map(backend.asarray, START))
    x, y = backend.asarray(X), backend.asarray(Y)
    for _ in range(10):
        weights = committee.descend(weights, x, y, 0.8, 0.5, 0.3)
        now = grokking.descent_step(now, x, y, 0.8, 0.5, 0.3)
    got, want = (
        backend.numpy(a) for a in (grokking.outputs(now, x, 0.8, 0.5), committee.outputs(weights, x, 0.8, 0.5))
    )
    np.testing.assert_allclose(got, want, atol=1e-13)  # ten steps of contractions: some hundred roundings of order one
    final = backend.numpy(weights)
    np.testing.assert_allclose(backend.numpy(now.second), final.T @ final / 4, atol=1e-13)
    np.testing.assert_allclose(backend.numpy(now.mean), final.mean(axis=0), atol=1e-13)


@guards(grokking.tangent_kernel)
def test_the_kernel_is_the_change_of_outputs():
    """A step of size η/P on targets moves f by −(η/P) (N/α²) K r, to first order: the second difference is O(η²)."""
    f, eta = grokking.outputs(START, X, 0.8, 0.5), 1e-6
    K = grokking.tangent_kernel(START, X, X, 0.8, 0.5, 4)
    moved = grokking.outputs(grokking.descent_step(START, X, Y, 0.8, 0.5, eta), X, 0.8, 0.5)
    np.testing.assert_allclose((moved - f) / eta, -4 / 0.8**2 / 9 * K @ (f - Y), rtol=1e-4, atol=1e-6)


@guards(grokking.population_loss)
def test_the_loss_is_exact_on_a_cubature_rule():
    """Gauss–Hermite with three nodes a coordinate integrates polynomials of degree five a coordinate exactly."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    x = np.stack(np.meshgrid(*[nodes] * 5), axis=-1).reshape(-1, 5) / 5**0.5
    mass = np.prod(np.stack(np.meshgrid(*[weights] * 5), axis=-1).reshape(-1, 5), axis=1) / (2 * np.pi) ** 2.5
    r = grokking.outputs(START, x, 0.8, 0.5) - (x @ BETA) ** 2 / 2
    loss = grokking.population_loss(START, np.outer(BETA, BETA), 0.8, 0.5)
    np.testing.assert_allclose(sum(loss), mass @ r**2, rtol=1e-12)
    tr = 0.4 * np.trace(START.second) - BETA @ BETA
    np.testing.assert_allclose([loss.trace, loss.linear], [tr**2 / 100, 0.64 * START.mean @ START.mean / 5], rtol=1e-12)


@guards(grokking.lazy_fit, grokking.lazy_threshold)
def test_the_lazy_fit_is_kernel_regression_and_learns_at_the_threshold():
    """f(X*) = K(X*, X) K⁻¹ y below the threshold; y itself from D(D + 3)/2 points on, and not one before."""
    x, z = X[:6], X[6:]
    K = x @ x.T
    weights = np.linalg.solve(K + 0.25 * K**2, Y[:6])
    cross = z @ x.T
    fit = grokking.lazy_fit(x, Y[:6], 0.5)
    np.testing.assert_allclose(grokking.outputs(fit, z, 1.0, 1.0), (cross + 0.25 * cross**2) @ weights, rtol=1e-9)
    _, many, beta = committee.draw(4, 30, 1, 2)
    for P, learns in ((13, False), (14, True), (30, True)):
        fit = grokking.lazy_fit(many[:P], (many[:P] @ beta) ** 2 / 2, 0.5)
        loss = sum(grokking.population_loss(fit, np.outer(beta, beta), 1.0, 1.0))
        assert (loss < 1e-15) == learns
    assert [grokking.lazy_threshold(d) for d in (1, 4, 6)] == [2, 14, 27]


def test_lazy_training_ends_at_the_lazy_fit():
    """At α = 10⁶ the moments' changes converge to the fit, up to O(1/α)."""
    _, x, beta = committee.draw(3, 5, 1, 3)
    y, now = (x @ beta) ** 2 / 2, Moments(np.zeros(3), np.eye(3))
    start = grokking.outputs(now, x, 1e6, 0.7)
    for _ in range(20000):
        now = grokking.descent_step(now, x, y + start, 1e6, 0.7, 0.5)
    fit = grokking.lazy_fit(x, y, 0.7)
    np.testing.assert_allclose(1e6 * now.mean, fit.mean, atol=1e-4)
    np.testing.assert_allclose(0.7e6 * (now.second - np.eye(3)), fit.second, atol=1e-4)


@guards(grokking.kernel_eigenvalues)
def test_the_eigenvalues_sum_to_the_trace():
    """Σ λ = E K(x, x) = 1 + ε² (1 + 2/D); and their squares to E K², each with its multiplicity."""
    for D in (1, 3, 10):
        λ, e = grokking.kernel_eigenvalues(D, 0.6), 0.36
        forms = (D + 2) * (D - 1) / 2
        np.testing.assert_allclose(D * λ.linear + forms * λ.quadratic + λ.radial, 1 + e * (1 + 2 / D), rtol=1e-14)
        # E (x·x′)² = 1/D, E (x·x′)⁴ = 3 (D + 2)/D³
        squares = D * λ.linear**2 + forms * λ.quadratic**2 + λ.radial**2
        np.testing.assert_allclose(squares, 1 / D + 3 * e**2 * (D + 2) / D**3, rtol=1e-14)


@guards(grokking.target_alignment)
@given(st.floats(0.1, 2.0), st.integers(1, 6))
def test_alignment_with_an_identity_moment(epsilon, D):
    """M = I: y has its radial and its traceless part, each an eigenfunction, so E y K y = Σ λ E y²."""
    beta = np.arange(1.0, D + 1)
    size = beta @ beta
    λ = grokking.kernel_eigenvalues(D, epsilon)
    radial = size**2 / (4 * D**2) * (1 + 2 / D)  # E y_r² for y_r = |β|²|x|²/(2D)
    parts = λ.radial * radial + λ.quadratic * (3 * size**2 / (4 * D**2) - radial)
    got = grokking.target_alignment(Moments(np.zeros(D), np.eye(D)), beta, epsilon)
    np.testing.assert_allclose(got, parts, rtol=1e-13)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="do not fit; expected"):
        grokking.outputs(START, X[:, :3], 1.0, 1.0)
    with pytest.raises(ValueError, match="expected both > 0"):
        grokking.descent_step(START, X, Y, 1.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="one for each of the 9 rows"):
        grokking.descent_step(START, X, Y[:4], 1.0, 1.0, 0.1)
    with pytest.raises(ValueError, match="not zero"):
        grokking.lazy_fit(X, Y, 0.0)
    with pytest.raises(ValueError, match="dimension >= 1"):
        grokking.lazy_threshold(0)
    with pytest.raises(TypeError, match="dtypes differ"):
        grokking.outputs(START, X.astype(np.float32), 1.0, 1.0)


def test_a_wrong_threshold_undoes_its_derivation(monkeypatch):
    right = grokking.lazy_threshold
    monkeypatch.setattr(grokking, "lazy_threshold", lambda D: right(D) + 1)
    assert not proofs.committee_lazy_fit.run().holds
