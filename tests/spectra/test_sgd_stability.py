"""Mean-square stability of SGD: the operator against enumeration of batches, η* against its spectral radius, traces."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import spectra


def gradients(seed, n=6, d=3):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.array([2.0, 1.0, 0.5])[:d]


@guards(spectra.second_moment_step, spectra.batch_noise_share)
@pytest.mark.parametrize("replace", [True, False])
def test_the_operator_is_the_mean_over_all_batches(replace):
    """Every batch of 3 out of 5 enumerated, with and without replacement."""
    A, rate, B = gradients(0, 5), 0.3, 3
    M = np.array([[1.0, 0.2, 0.0], [0.2, 2.0, -0.3], [0.0, -0.3, 0.5]])
    batches = itertools.product(range(5), repeat=B) if replace else itertools.combinations(range(5), B)
    steps = [np.eye(3) - rate / B * A[list(b)].T @ A[list(b)] for b in batches]
    want = np.mean([S @ M @ S for S in steps], axis=0)
    got = spectra.second_moment_step(M, A, rate, spectra.batch_noise_share(B, 5, replace))
    np.testing.assert_allclose(got, want, rtol=1e-13)


def radius(A, rate, p):
    d = A.shape[1]
    images = [spectra.second_moment_step(E.reshape(d, d), A, rate, p).ravel() for E in np.eye(d * d)]
    return np.abs(np.linalg.eigvals(np.stack(images, axis=1))).max()


@guards(spectra.critical_rate)
@given(st.integers(0, 999), st.sampled_from([1, 2, 5, 7]), st.booleans())
def test_the_spectral_radius_is_one_at_the_critical_rate(seed, batch, replace):
    A = gradients(seed, 7)
    p = spectra.batch_noise_share(batch, 7, replace)
    rate = spectra.critical_rate(A, batch, replace)
    assert radius(A, rate, p) == pytest.approx(1, abs=1e-9)
    assert radius(A, 0.98 * rate, p) < 1 < radius(A, 1.02 * rate, p)


def test_special_cases_of_the_critical_rate():
    """All samples at once: 2/λ_max. Equal norms at B = 1: exactly 2/tr H. More parameters than samples: finite too."""
    A = gradients(3, 8)
    top = np.linalg.eigvalsh(A.T @ A / 8)[-1]
    assert spectra.critical_rate(A, 8, replace=False) == pytest.approx(2 / top, rel=1e-12)
    signs = np.sign(gradients(4, 8))
    assert spectra.critical_rate(signs, 1) == pytest.approx(2 / 3, rel=1e-12)
    assert spectra.largest_trace(spectra.critical_rate(signs, 8, replace=False)) < 0.99 * 3  # tr H = 3: no bound there
    wide = np.sign(np.random.default_rng(1).standard_normal((4, 9)))
    assert spectra.critical_rate(wide, 1) == pytest.approx(2 / 9, rel=1e-12)


@guards(spectra.largest_trace)
@given(st.integers(0, 999))
def test_the_trace_bound_holds_at_batch_one(seed):
    """tr H ≤ 2/(η* κ) at B = 1; the next test has equality for equal norms, and a larger batch where it fails."""
    A = gradients(seed, 10)
    norms = np.sum(A * A, axis=1)
    trace, kappa = norms.mean(), np.mean(norms**2) / norms.mean() ** 2
    assert trace <= spectra.largest_trace(spectra.critical_rate(A, 1), kappa) * (1 + 1e-12)
    assert spectra.largest_trace(0.5) == pytest.approx(4, rel=1e-15)


@guards(spectra.gaussian_critical_rate)
@pytest.mark.parametrize("batch", [1, 4, 64, 1000])
def test_gaussian_gradients(batch):
    """The moment map on diagonals, diag((1 − ηλ)² + η²λ²/B) + (η²/B) λλᵀ, has radius one at η* (Isserlis)."""
    lam = np.array([3.0, 1.0, 0.4, 0.4, 0.0])
    rate = spectra.gaussian_critical_rate(lam.tolist(), batch)
    T = np.diag((1 - rate * lam) ** 2 + (rate * lam) ** 2 / batch) + rate**2 / batch * np.outer(lam, lam)
    assert np.abs(np.linalg.eigvals(T[:4, :4])).max() == pytest.approx(1, abs=1e-12)
    assert spectra.gaussian_critical_rate([2.0], batch) == pytest.approx(2 * batch / ((batch + 2) * 2.0), rel=1e-13)


@guards(spectra.relu_trace, spectra.diagonal_trace)
def test_traces_are_mean_squares_of_gradients():
    """E ‖∇f‖²: of the ReLU network by sampling, of the diagonal network at one x by its definition."""
    rng = np.random.default_rng(2)
    W, a = rng.standard_normal((4, 3)), rng.standard_normal(4)
    X = rng.standard_normal((400_000, 3))
    z = X @ W.T
    squares = np.sum(np.maximum(z, 0) ** 2, axis=1) + np.sum((z > 0) * a**2, axis=1) * np.sum(X * X, axis=1)
    # 4.5 standard errors of 4e5 draws, 1.3 % of the value
    assert spectra.relu_trace(W, a) == pytest.approx(squares.mean(), abs=4.5 * squares.std() / math.sqrt(400_000))
    assert 4.5 * squares.std() / math.sqrt(400_000) < 0.015 * squares.mean()
    x, b = np.array([1.0, -2.0, 0.5]), rng.standard_normal(3)
    assert spectra.diagonal_trace(a[:3], b, x * x) == pytest.approx(np.sum((x * b) ** 2 + (x * a[:3]) ** 2), rel=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: spectra.critical_rate(np.zeros((3, 2)), 1), ValueError, "all gradients are zero"),
        (lambda: spectra.critical_rate(np.ones(3), 1), ValueError, "gradients has shape"),
        (lambda: spectra.critical_rate(np.array([[np.nan]]), 1), ValueError, "NaN"),
        (lambda: spectra.critical_rate(np.ones((3, 2)), 0), ValueError, "batch = 0"),
        (lambda: spectra.batch_noise_share(4, 3, False), ValueError, "batch = 4 of samples = 3"),
        (lambda: spectra.second_moment_step(np.eye(3), np.ones((3, 2)), 0.1, 1.0), ValueError, r"expected \(2, 2\)"),
        (lambda: spectra.gaussian_critical_rate([-1.0], 1), ValueError, "one positive"),
        (lambda: spectra.largest_trace(0.0), ValueError, "rate = 0.0"),
        (lambda: spectra.relu_trace(np.ones((2, 3)), np.ones(3)), ValueError, "3 entries, W 2 rows"),
        (lambda: spectra.diagonal_trace(np.ones(2), np.ones(3), np.ones(3)), ValueError, "expected the same"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
