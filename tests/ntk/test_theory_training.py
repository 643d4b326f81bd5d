"""Kernel training where it is delicate: slow modes, divergence, null modes, inputs that must not pass in silence."""

import mpmath as mp
import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import ntk
from corollary.theory.ntk import modes

EPS = float(np.finfo(float).eps)
NET = ntk.mlp(depth=2, activation=ntk.Erf(), W_std=1.3, b_std=0.2)
_rng = np.random.default_rng(11)
X, T, Y = _rng.standard_normal((5, 3)), _rng.standard_normal((4, 3)), _rng.standard_normal(5)
K, KX, KT = NET.kernel(X), NET.kernel(T, X), NET.kernel(T)


@pytest.mark.parametrize("t", [1, 10, 10**6, 10**15])
def test_every_mode_of_descent_is_learnt_to_full_relative_accuracy(t):
    """(1 − (1−x)^t)/x at 50 digits, rates x from 1e-14 to 1.5: plain floats would lose all digits of the slowest.

    Tolerance: forming 1 − x in floats moves log(1−x) by ε, so t steps move what remains by tε of itself, t |1−x|^t ≤ 1
    for the fast modes used here; the slow ones go through log1p.
    """
    λ = np.array([1e-14, 1e-7, 0.3, 1.5])
    theta, reg_free = np.diag(2 * λ), np.diag([2.0] * 4)
    fit = ntk.gradient_descent(theta, np.ones(4), 2.0)  # η λ(Θ)/N = 2·2λ/4 = λ
    for i in range(4):
        with mp.workdps(50):
            x = mp.mpf(2 * λ[i]) * 2 / 4
            want = float((1 - (1 - x) ** t) / x)
        # A_t = Θ(x, X) Θ⁻¹ (I − D_t): with Θ(x, X) = 2I it is 2 (1 − (1−x)^t)/(2λ)
        assert fit.mean(t, reg_free)[i] == pytest.approx(want, rel=20 * EPS)


def test_diverging_descent_is_followed_step_by_step():
    """η λ_max/N = 3: the top mode is multiplied by −2 each step, as the iteration itself does."""
    rate = 3 / np.linalg.eigvalsh(K.ntk / 5).max()
    run = ntk.gradient_descent(K, Y, rate)
    f = np.zeros(5)
    for step in range(1, 21):
        f = f - rate * K.ntk @ (f - Y) / 5
        # rounding is amplified by at most the growth itself, 2^step, per step
        np.testing.assert_allclose(run.mean(step, K), f, atol=200 * EPS * 2.0**step * np.abs(Y).max())
    assert run.decay(3)[-1] == pytest.approx(-8, rel=100 * EPS)
    assert run.decay(4)[-1] == pytest.approx(16, rel=100 * EPS)
    with pytest.raises(OverflowError, match="take fewer steps or a lower rate"):
        run.mean(2000, K)
    # the decay itself is finite there
    for result in (lambda: run.covariance(600, KX, KT), lambda: run.mean(1023, ntk.Kernel(1e9 * K.nngp, 1e9 * K.ntk))):
        with pytest.raises(OverflowError, match="beyond float64; descent converges"):
            result()
    with pytest.raises(ValueError, match="diverges"):
        run.mean(np.inf, K)


def test_a_flow_beyond_the_floats_has_arrived():
    """η t λ = inf is no NaN and no warning: every component has decayed."""
    run = ntk.gradient_flow(K, Y, 1e300)
    assert np.all(run.decay(1e300) == 0)
    np.testing.assert_array_equal(run.mean(1e300, KX), ntk.gradient_flow(K, Y).mean(np.inf, KX))


def test_a_stable_descent_ends_where_the_flow_ends():
    """At any rate below 2N/λ_max, with and without ridge, t = inf is kernel ridge regression."""
    top = np.linalg.eigvalsh(K.ntk / 5).max()
    for reg in (0.0, 0.3):
        rate = 1.99 / (top + reg / 5)
        want = KX.ntk @ np.linalg.solve(K.ntk + reg * np.eye(5), Y)
        tolerance = 100 * EPS * np.linalg.cond(K.ntk) * np.abs(KX.ntk).max() * np.abs(Y).max()
        for train in (ntk.gradient_descent, ntk.gradient_flow):
            np.testing.assert_allclose(train(K, Y, rate, reg).mean(np.inf, KX), want, atol=tolerance)


@guards(ntk.gradient_descent, ntk.Training.covariance)
def test_covariance_of_descent_is_that_of_an_affine_map_of_the_initial_function():
    """f_t(x) = f_0(x) + A(y − f_0(X)) with A by running the iteration on unit vectors: [−A, I] K_joint [−A, I]ᵀ."""
    rate, steps = 0.8, 7
    D = np.linalg.matrix_power(np.eye(5) - rate * K.ntk / 5, steps)
    A = KX.ntk @ np.linalg.solve(K.ntk, np.eye(5) - D)
    joint = np.block([[K.nngp, KX.nngp.T], [KX.nngp, KT.nngp]])
    M = np.hstack([-A, np.eye(4)])
    got = ntk.gradient_descent(K, Y, rate).covariance(steps, KX, KT)
    np.testing.assert_allclose(got, M @ joint @ M.T, atol=100 * EPS * np.linalg.cond(K.ntk))
    assert np.array_equal(got, got.T)


@guards(ntk.gradient_flow, ntk.gradient_descent, ntk.Training.decay)
@pytest.mark.parametrize("train", [ntk.gradient_flow, ntk.gradient_descent])
def test_the_initial_function_is_carried_along(train):
    """f_t for f_0 = g is g + the run from zero on targets y − g; on the training set it is y − D_t(y − g)."""
    g, g_test = np.sin(X[:, 0]), np.sin(T[:, 0])
    run, plain = train(K, Y, 0.5, f0=g), train(K, Y - g, 0.5)
    np.testing.assert_allclose(run.mean(3.0, KX, f0=g_test), g_test + plain.mean(3.0, KX), rtol=0, atol=20 * EPS)
    # the modes' own decay, put together again
    left = run.modes @ (run.decay(3.0) * (run.modes.T @ (g - Y)))
    np.testing.assert_allclose(run.mean(3.0, K, f0=g) - Y, left, atol=200 * EPS * np.abs(Y).max())


@guards(ntk.gradient_flow)
def test_rates_and_residuals_are_those_of_theta_over_n():
    run = ntk.gradient_flow(K, Y, reg=0.5)
    np.testing.assert_allclose(run.rates, np.linalg.eigvalsh(K.ntk) / 5 + 0.1, rtol=100 * EPS)
    A = K.ntk / 5 + 0.1 * np.eye(5)
    assert np.abs(A @ run.modes - run.modes * run.rates).max() <= 50 * EPS * run.rates[-1]
    assert np.all(run.residuals <= 50 * EPS * run.rates[-1])


def test_null_modes_are_left_alone_until_their_rounding_would_show():
    """Duplicate points with different targets: the mean of the two is fitted; a late time is an error, not noise."""
    net = ntk.mlp(depth=1, activation=ntk.Relu(), W_std=2**0.5)
    x = np.concatenate([X, X[:1]])
    y = np.concatenate([Y, [Y[0] + 4]])
    merged = np.concatenate([[Y[0] + 2], Y[1:]])
    run, k = ntk.gradient_flow(net.kernel(x), y), net.kernel(T, x)
    want = net.kernel(T, X).ntk @ np.linalg.solve(net.kernel(X).ntk, merged)
    np.testing.assert_allclose(run.mean(1e6, k), want, atol=1e-6)  # ε t λ_max = 1e-10 times a condition number of 1e2
    for t in (1e9, 1e20, np.inf):
        with pytest.raises(ValueError, match="singular to rounding"):
            run.mean(t, k)
    ridge = ntk.gradient_flow(net.kernel(x), y, reg=1e-3)
    assert np.all(np.isfinite(ridge.mean(np.inf, k)))


def test_the_certificate_catches_a_lying_eigensolver(monkeypatch):
    """A wrong eigenvalue, and eigenvectors that are not orthonormal, each stop the computation."""
    truth = np.linalg.eigh
    spoilt = [lambda A: (truth(A)[0] * (1 + 1e-6), truth(A)[1]), lambda A: (0 * truth(A)[0], 0 * truth(A)[1])]
    for liar in spoilt:
        import array_api_compat.numpy.linalg as linalg

        with monkeypatch.context() as patch:
            patch.setattr(linalg, "eigh", liar)
            with pytest.raises(RuntimeError, match="eigen-solver failed"):
                ntk.gradient_flow(K, Y)
    assert modes.gram_modes("K", K.ntk).values[0] > 0


INDEFINITE = np.diag([1.0, 1.0, 1.0, 1.0, -1.0])
FLOW = ntk.gradient_flow(K, Y)
STARTED = ntk.gradient_flow(K, Y, f0=Y)
ONE = NET.kernel(T[:1])
SKEW = ntk.Kernel(np.triu(KT.nngp), KT.ntk)
LOW = ntk.Kernel(KX.nngp.astype(np.float32), KX.ntk.astype(np.float32))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ntk.gradient_flow(INDEFINITE, Y), ValueError, "positive semi-definite"),
        (lambda: ntk.posterior(INDEFINITE, Y, KX.nngp, KT.nngp, 2.0), ValueError, "positive semi-definite"),
        (lambda: ntk.posterior(K.nngp + np.triu(K.nngp, 1), Y, KX.nngp, KT.nngp), ValueError, "not symmetric"),
        (lambda: ntk.posterior(np.ones((5, 5)), Y, KX.nngp, KT.nngp), ValueError, "singular to rounding"),
        (lambda: ntk.posterior(K.nngp, Y, KX.nngp, KT.nngp, noise="1"), TypeError, "real number"),  # pyright: ignore
        (lambda: FLOW.covariance(1.0, KX, ONE), ValueError, r"k_test has shape \(1, 1\); expected \(4, 4\)"),
        (lambda: FLOW.mean(1.0, LOW), TypeError, "dtypes differ"),
        (lambda: ntk.gradient_flow(K, Y.astype(np.float32)), TypeError, "dtypes differ"),
        (lambda: ntk.posterior(K.nngp, Y.astype(np.float32), KX.nngp, KT.nngp), TypeError, "dtypes differ"),
        (lambda: ntk.posterior(K.nngp, Y, KX.nngp, SKEW.nngp), ValueError, "k_test is not symmetric"),
        (lambda: ntk.posterior(K.nngp, Y, KX.nngp, KT.nngp / 4), ValueError, "not blocks of one positive"),
        (lambda: FLOW.covariance(1.0, KX, SKEW), ValueError, "k_test is not symmetric"),
        (lambda: ntk.gradient_flow(ntk.Kernel(np.triu(K.nngp), K.ntk), Y), ValueError, "nngp kernel is not symmetric"),
        (lambda: ntk.gradient_flow(100 * K.ntk, Y, 1e308), ValueError, "beyond the floats"),
        (lambda: FLOW.mean(True, KX), ValueError, "expected a time"),
        (lambda: FLOW.mean(np.array([1.0]), KX), ValueError, "expected a time"),  # pyright: ignore
        (lambda: STARTED.mean(1.0, KX, f0=np.ones(3)), ValueError, r"f0 has shape \(3,\); expected \(4,\)"),
        (lambda: STARTED.mean(1.0, KX, f0=np.ones((1, 4))), ValueError, "f0 has shape"),
        (lambda: STARTED.mean(1.0, KX, f0=np.full(4, np.nan)), ValueError, "NaN"),
        (lambda: ntk.gradient_flow(K, Y, f0=np.ones((5, 1))), ValueError, "f0 has shape"),
        (lambda: ntk.gradient_flow(K, Y, learning_rate=True), TypeError, "real number"),
        (lambda: ntk.gradient_flow(K, Y, learning_rate=np.inf), ValueError, "learning_rate"),
        (lambda: ntk.gradient_flow(K, np.ones((5, 1, 1))), ValueError, "y has shape"),
        (lambda: ntk.gradient_flow([[1.0]], Y), TypeError, "numpy.asarray"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_would_pass_in_silence_is_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_everything_stays_on_its_device(backend):
    """Descent, decay and null modes on every array backend, equal to NumPy's."""
    run = ntk.gradient_descent(backend.asarray(K.ntk), backend.asarray(Y), 0.8, 0.1)
    here = ntk.gradient_descent(K.ntk, Y, 0.8, 0.1)
    for t in (0, 3, np.inf):
        got = backend.numpy(run.mean(t, backend.asarray(KX.ntk)))
        np.testing.assert_allclose(got, here.mean(t, KX.ntk), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(backend.numpy(run.decay(t)), here.decay(t), rtol=1e-9)
