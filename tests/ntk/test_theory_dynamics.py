"""Kernel gradient flow, descent and the posterior: limits, laws, naive twins, and clear errors."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import ntk

NET = ntk.mlp(depth=2, activation=ntk.Erf(), W_std=1.3, b_std=0.2)
_rng = np.random.default_rng(3)
X, T, Y = _rng.standard_normal((6, 3)), _rng.standard_normal((4, 3)), _rng.standard_normal((6, 2))
K, KX, KT = NET.kernel(X), NET.kernel(T, X), NET.kernel(T)
FLOW = ntk.gradient_flow(K, Y, learning_rate=0.7, reg=0.05)
THETA = K.ntk + 0.05 * np.eye(6)
CONDITION = np.linalg.cond(THETA)
# solving and exponentiating lose at most a factor of the condition number, of a few tens of roundings
TOLERANCE = 64 * np.finfo(float).eps * CONDITION


@guards(ntk.gradient_flow, ntk.Training.mean, ntk.Training.covariance)
@pytest.mark.parametrize("t", [0.0, 0.3, 5.0, 200.0, np.inf])
def test_flow_against_the_matrix_exponential(t):
    flow = ntk.gradient_flow(K, Y, learning_rate=0.7, reg=0.05)
    left = np.zeros((6, 6)) if np.isinf(t) else scipy.linalg.expm(-0.7 * t * THETA / 6)
    A = KX.ntk @ np.linalg.solve(THETA, np.eye(6) - left)
    scale = np.abs(A).max() * np.abs(Y).max() * 6
    np.testing.assert_allclose(flow.mean(t, KX), A @ Y, atol=TOLERANCE * scale)
    covariance = KT.nngp - A @ KX.nngp.T - KX.nngp @ A.T + A @ K.nngp @ A.T
    np.testing.assert_allclose(flow.covariance(t, KX, KT), covariance, atol=TOLERANCE * np.abs(A).max() ** 2 * 36)


def test_flow_starts_at_the_prior_and_ends_at_kernel_regression():
    assert np.all(FLOW.mean(0.0, KX) == 0)
    np.testing.assert_allclose(FLOW.covariance(0.0, KX, KT), KT.nngp, rtol=1e-14)
    exact = ntk.gradient_flow(K, Y)
    np.testing.assert_allclose(exact.mean(np.inf, K), Y, atol=64 * 2e-16 * np.linalg.cond(K.ntk) * 6)


@given(st.floats(0.01, 20), st.floats(0.01, 20))
def test_flow_is_a_semigroup(s, t):
    """Training for s, then for t from there, is training for s + t."""
    half = FLOW.mean(s, K)
    onward = ntk.gradient_flow(K, Y, learning_rate=0.7, reg=0.0, f0=ntk.gradient_flow(K, Y, 0.7).mean(s, K))
    whole = ntk.gradient_flow(K, Y, learning_rate=0.7).mean(s + t, K)
    np.testing.assert_allclose(onward.mean(t, K, f0=ntk.gradient_flow(K, Y, 0.7).mean(s, K)), whole, atol=1e-11)
    assert half.shape == Y.shape


@guards(ntk.gradient_descent, ntk.Training.mean)
@given(st.integers(0, 60), st.floats(0.05, 0.5))
def test_descent_against_the_step_by_step_twin(steps, rate):
    f = np.zeros(6)
    for _ in range(steps):
        f = f - rate * K.ntk @ (f - Y[:, 0]) / 6
    # every step rounds: steps · ε of the largest value met
    got = ntk.gradient_descent(K, Y[:, 0], rate).mean(steps, K)
    np.testing.assert_allclose(got, f, atol=1e-14 * (steps + 64) * np.abs(Y).max() * 6)


def test_descent_tends_to_flow_as_the_rate_goes_to_zero():
    flow = ntk.gradient_flow(K, Y).mean(1.0, KX)
    errors = [np.abs(ntk.gradient_descent(K, Y, 1 / m).mean(m, KX) - flow).max() for m in (100, 200)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)  # first order; the next term is 1/100 of it or so


def test_covariance_is_positive_and_shrinks_at_training_points():
    exact = ntk.gradient_flow(K, Y)
    for t in (0.5, 10.0):
        assert np.linalg.eigvalsh(exact.covariance(t, KX, KT)).min() > -1e-12
    assert np.abs(exact.covariance(np.inf, K, K)).max() < 1e-9  # conditioning squared times rounding


@guards(ntk.Training.decay)
def test_modes_decay_one_by_one():
    for i in range(6):
        start = FLOW.modes[:, i]
        moved = ntk.gradient_flow(K, np.zeros(6), 0.7, 0.05, f0=start).mean(2.0, K, f0=start)
        # with reg the prediction at the training points is not the trained residual: compare without it
        assert moved.shape == (6,)
    plain = ntk.gradient_flow(K, np.zeros(6), 0.7)
    mode = plain.modes[:, 2]
    run = ntk.gradient_flow(K, np.zeros(6), 0.7, f0=mode).mean(2.0, K, f0=mode)
    np.testing.assert_allclose(run, np.exp(-0.7 * 2.0 * plain.rates[2]) * mode, atol=1e-12)
    np.testing.assert_allclose(plain.decay(2.0), np.exp(-1.4 * np.linalg.eigvalsh(K.ntk) / 6), rtol=1e-12)


def test_duplicate_points_are_fine_at_finite_time_and_an_error_at_infinity():
    XX = np.concatenate([X, X[:1]])
    KK = NET.kernel(XX)
    flow = ntk.gradient_flow(KK, np.concatenate([Y, Y[:1]]))
    assert np.isfinite(flow.mean(3.0, KK)).all()
    with pytest.raises(ValueError, match="drop duplicate points, or pass reg"):
        flow.mean(np.inf, KK)


@guards(ntk.posterior)
def test_posterior_against_the_textbook_formula():
    noise = 0.1
    post = ntk.posterior(K.nngp, Y, KX.nngp, KT.nngp, noise=noise)
    S = K.nngp + noise * np.eye(6)
    np.testing.assert_allclose(post.mean, KX.nngp @ np.linalg.solve(S, Y), rtol=1e-9, atol=1e-12)
    want = KT.nngp - KX.nngp @ np.linalg.solve(S, KX.nngp.T)
    np.testing.assert_allclose(post.covariance, want, rtol=1e-9, atol=1e-12)
    one = ntk.posterior(K.nngp, Y[:, 0], KX.nngp, KT.nngp, noise=noise)
    np.testing.assert_allclose(one.mean, post.mean[:, 0], rtol=1e-12)


def test_the_array_backends_agree(backend):
    move = lambda k: ntk.Kernel(backend.asarray(k.nngp), backend.asarray(k.ntk))  # noqa: E731
    flow = ntk.gradient_flow(move(K), backend.asarray(Y), learning_rate=0.7, reg=0.05)
    np.testing.assert_allclose(backend.numpy(flow.mean(3.0, move(KX))), FLOW.mean(3.0, KX), rtol=1e-9)
    got = backend.numpy(flow.covariance(3.0, move(KX), move(KT)))
    np.testing.assert_allclose(got, FLOW.covariance(3.0, KX, KT), rtol=1e-9, atol=1e-12)
    post = ntk.posterior(*(backend.asarray(a) for a in (K.nngp, Y, KX.nngp, KT.nngp)), noise=0.1)
    want = ntk.posterior(K.nngp, Y, KX.nngp, KT.nngp, noise=0.1)
    np.testing.assert_allclose(backend.numpy(post.mean), want.mean, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ntk.gradient_flow(K.ntk[:5], Y), ValueError, "expected \\(N, N\\)"),
        (lambda: ntk.gradient_flow(K.ntk + np.triu(np.ones((6, 6)), 1), Y), ValueError, "not symmetric"),
        (lambda: ntk.gradient_flow(K, Y[:5]), ValueError, "y has shape"),
        (lambda: ntk.gradient_flow(K, Y, learning_rate=0.0), ValueError, "learning_rate"),
        (lambda: ntk.gradient_flow(K, Y, reg=-1.0), ValueError, "reg"),
        (lambda: ntk.gradient_flow(K, Y, f0=Y[:, 0]), ValueError, "f0 has shape"),
        (lambda: ntk.gradient_flow(K, np.ones((6, 2), dtype=int)), TypeError, "float64"),
        (lambda: FLOW.mean(-1.0, KX), ValueError, "expected a time"),
        (lambda: FLOW.mean(float("nan"), KX), ValueError, "expected a time"),
        (lambda: FLOW.mean(1.0, KX.ntk.T), ValueError, "test points"),
        (lambda: FLOW.covariance(1.0, KX.ntk, KT), TypeError, "Kernel objects"),  # pyright: ignore[reportArgumentType]
        (lambda: ntk.gradient_flow(K, Y, f0=Y).mean(1.0, KX), ValueError, "f0= at the test points"),
        (lambda: ntk.gradient_descent(K, Y, 1.0).mean(1.5, KX), ValueError, "whole steps"),
        (lambda: ntk.gradient_descent(K, Y, 100.0).mean(np.inf, KX), ValueError, "diverges"),
        (lambda: ntk.posterior(K.nngp, Y, KX.nngp.T, KT.nngp), ValueError, "k_test_train has shape"),
        (lambda: ntk.posterior(K.nngp, Y, KX.nngp, KT.nngp, noise=-1.0), ValueError, "variance"),
    ],
)
def test_bad_input_is_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()
