"""The exact population loss of one layer: brute-force sampling, known optima, gradients, landscape, clear errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import icl

_rng = np.random.default_rng(17)
D, N = 3, 4


def definite(rng, d=D):
    G = rng.standard_normal((d, d))
    return G @ G.T / d + 0.3 * np.eye(d)


# condition numbers near 2: heavier tails of the sampled prompts would need millions of them
GAUSSIAN = icl.LinearTask(D, N, definite(_rng) * 0.4 + 0.6 * np.eye(D), definite(_rng) * 0.4 + 0.6 * np.eye(D), 0.3)
UNIFORM = icl.uniform_task(D, N, 1.3, 0.2, definite(_rng))
FOURTH = icl.LinearTask(D, N, fourth_moment=2.0)
WEIGHTS = icl.Attention(_rng.standard_normal((D + 1, D)), _rng.standard_normal(D + 1))


def sampled(task, prompts, rng):
    """X (M, N, d), y (M, N), xq (M, d), w (M, d), drawn as the task says."""
    if task.fourth_moment is None:
        root = np.linalg.cholesky(task.input_cov)
        X, xq = rng.standard_normal((prompts, N, D)) @ root.T, rng.standard_normal((prompts, D)) @ root.T
    else:
        h = math.sqrt(3 * task.input_cov[0, 0])
        X, xq = rng.uniform(-h, h, (prompts, N, D)), rng.uniform(-h, h, (prompts, D))
    w = rng.standard_normal((prompts, D)) @ np.linalg.cholesky(task.weight_cov).T
    y = (X @ w[:, :, None])[:, :, 0] + math.sqrt(task.noise) * rng.standard_normal((prompts, N))
    return X, y, xq, w


@guards(icl.population_loss)
@pytest.mark.parametrize("query_in_keys", [False, True])
@pytest.mark.parametrize("task", [GAUSSIAN, UNIFORM], ids=["gaussian", "uniform"])
def test_the_population_loss_is_the_mean_over_sampled_prompts(task, query_in_keys):
    """Monte Carlo within 4 standard errors, which are below 0.6 % of the loss: 2 % off is seen."""
    # small even part: its heavy tails are what makes the mean noisy
    weights = icl.Attention(WEIGHTS.KQ * 0.4, WEIGHTS.PV * np.array([0.3, 0.3, 0.3, 1.0]))
    X, y, xq, w = sampled(task, 300_000, np.random.default_rng(5))
    predicted = weights.predict(X, y, xq)
    if query_in_keys:
        predicted = predicted + (xq @ weights.PV[:D]) * np.sum(xq * (xq @ weights.KQ[:D].T), axis=1) / N
    losses = (predicted - np.sum(w * xq, axis=1)) ** 2
    error = losses.std() / math.sqrt(len(losses))
    loss = icl.population_loss(weights, task, query_in_keys=query_in_keys)
    assert error < 0.006 * loss
    assert abs(losses.mean() - loss) < 4 * error


@guards(icl.Attention.predict)
def test_a_layer_predicts_what_attention_sums():
    """[u; c]ᵀ H [A; bᵀ] x_q with H summed token by token."""
    X, y, xq, _ = sampled(GAUSSIAN, 3, np.random.default_rng(1))
    for i in range(3):
        tokens = np.concatenate([X[i], y[i][:, None]], axis=1)
        H = sum(np.outer(e, e) for e in tokens) / N
        assert WEIGHTS.predict(X, y, xq)[i] == pytest.approx(WEIGHTS.PV @ H @ WEIGHTS.KQ @ xq[i], rel=1e-13)


@guards(icl.population_loss_gradient)
@pytest.mark.parametrize("query_in_keys", [False, True])
@pytest.mark.parametrize("task", [GAUSSIAN, UNIFORM], ids=["gaussian", "uniform"])
def test_the_gradient_is_that_of_the_loss(task, query_in_keys):
    """Along random directions the loss is a quartic, so five points give its slope exactly, to rounding."""
    rng = np.random.default_rng(2)
    gradient = icl.population_loss_gradient(WEIGHTS, task, query_in_keys=query_in_keys)
    for _ in range(20):
        step = icl.Attention(rng.standard_normal((D + 1, D)), rng.standard_normal(D + 1))

        def along(h, step=step):
            moved = icl.Attention(WEIGHTS.KQ + h * step.KQ, WEIGHTS.PV + h * step.PV)
            return icl.population_loss(moved, task, query_in_keys=query_in_keys)

        slope = (8 * (along(0.5) - along(-0.5)) - (along(1.0) - along(-1.0))) / (12 * 0.5)
        expected = np.sum(gradient.KQ * step.KQ) + np.sum(gradient.PV * step.PV)
        size = abs(along(1.0)) + abs(along(-1.0))
        assert abs(slope - expected) < 1e-13 * size  # a few hundred roundings of the largest value met


@pytest.mark.parametrize("query_in_keys", [False, True])
def test_gaussian_moments_written_out_are_gaussian_inputs(query_in_keys):
    """m₄ = 3v², m₆ = 15v³: the loss and gradient of the Gaussian task, to rounding."""
    plain = icl.LinearTask(D, N, 0.7 * np.eye(D), UNIFORM.weight_cov, 0.2)
    task = icl.LinearTask(D, N, 0.7 * np.eye(D), UNIFORM.weight_cov, 0.2, 3 * 0.7**2, 15 * 0.7**3)
    losses = [icl.population_loss(WEIGHTS, t, query_in_keys=query_in_keys) for t in (plain, task)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    slopes = [icl.population_loss_gradient(WEIGHTS, t, query_in_keys=query_in_keys) for t in (plain, task)]
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.abs(a).max())


@guards(icl.gram_second_moment, icl.label_moment, icl.energy_gram, icl.energy_square)
@pytest.mark.parametrize("task", [GAUSSIAN, UNIFORM], ids=["gaussian", "uniform"])
def test_prompt_moments_against_samples(task):
    """E[GuuᵀG], E[ggᵀ], E[sG], E[s²] against 900 000 prompts: diagonal entries within 4.5 standard errors, < 0.4 %."""
    X, y, _, w = sampled(task, 900_000, np.random.default_rng(8))
    u = np.array([0.7, -1.1, 0.4])
    g, s = (y[:, None, :] @ X)[:, 0] / N, np.sum(y * y, axis=1) / N
    Gu = ((X @ u)[:, None, :] @ X)[:, 0] / N
    s2 = s * s
    if task is GAUSSIAN:  # given w, s is a chi-square: its square is known, and the mean over w alone is less noisy
        s2 = (1 + 2 / N) * (np.sum((w @ task.input_cov) * w, axis=1) + task.noise) ** 2
    samples = [
        (Gu * Gu, np.diag(icl.gram_second_moment(task, u))),
        (g * g, np.diag(icl.label_moment(task))),
        (s[:, None] * np.mean(X * X, axis=1), np.diag(icl.energy_gram(task))),
        (s2, np.array(icl.energy_square(task))),
    ]
    for drawn, expected in samples:
        error = drawn.std(axis=0) / math.sqrt(len(drawn))
        assert np.all(error < 0.0042 * np.abs(expected))
        assert np.all(np.abs(drawn.mean(axis=0) - expected) < 4.5 * error)


@guards(icl.optimal_step, icl.optimal_excess, icl.excess)
def test_the_check_values_of_the_isotropic_task():
    """η = N/(N+d+1+σ²), excess d(d+1+σ²)/(N+d+1+σ²) at d = 10, N = 20, σ² = 0.1; von Oswald's U(−½,½): 200/33."""
    task = icl.LinearTask(d=10, context=20, noise=0.1)
    assert icl.optimal_step(task) == pytest.approx(20 / 31.1, rel=1e-14)
    assert icl.optimal_excess(task) == pytest.approx(10 * 11.1 / 31.1, rel=1e-14)
    assert icl.optimal_excess(task, preconditioned=False) == pytest.approx(3.569132, abs=5e-7)
    assert icl.excess(20 / 31.1 * np.eye(10), task) == pytest.approx(3.569132, abs=5e-7)
    box = icl.uniform_task(10, 10, half_width=0.5)
    assert icl.optimal_step(box) == pytest.approx(200 / 33, rel=1e-14)
    assert icl.optimal_excess(box) / 2 == pytest.approx(0.2062290, abs=5e-8)


@guards(icl.optimal_preconditioner, icl.preconditioner_weights, icl.optimal_step, icl.optimal_excess)
@pytest.mark.parametrize("task", [GAUSSIAN, UNIFORM], ids=["gaussian", "uniform"])
def test_the_optimum_is_a_stationary_point_and_no_other_scalar_is_better(task):
    """∇ excess vanishes at K*, excess there is optimal_excess, and the scalar step is stationary along the identity."""
    K = icl.optimal_preconditioner(task)
    layer = icl.preconditioner_weights(K)
    np.testing.assert_array_equal(layer.KQ[:D], K.T)
    assert layer.PV[-1] == 1 and np.all(layer.PV[:-1] == 0) and np.all(layer.KQ[-1] == 0)
    at = icl.population_loss_gradient(layer, task)
    np.testing.assert_allclose(at.KQ[:D], 0, atol=1e-13 * task.signal)
    assert icl.population_loss(layer, task) == pytest.approx(icl.optimal_excess(task), rel=1e-13)
    assert icl.excess(K, task) == pytest.approx(icl.optimal_excess(task), rel=1e-13)
    η, eye = icl.optimal_step(task), np.eye(D)
    along = [icl.excess(x * eye, task) for x in (0.9 * η, η, 1.1 * η)]
    assert along[0] == pytest.approx(along[2], rel=1e-12) and along[1] < along[0]  # a parabola about its minimum
    assert along[1] == pytest.approx(icl.optimal_excess(task, preconditioned=False), rel=1e-13)


@given(st.integers(0, 10**6))
def test_rotated_inputs_give_rotated_preconditioners(seed):
    """Λ → RΛRᵀ, Ω → RΩRᵀ leaves the excess and turns K* into R K* Rᵀ."""
    rng = np.random.default_rng(seed)
    R = np.linalg.qr(rng.standard_normal((D, D)))[0]
    Λ, Ω = definite(rng), definite(rng)
    plain = icl.LinearTask(D, N, Λ, Ω, 0.4)
    turned = icl.LinearTask(D, N, R @ Λ @ R.T, R @ Ω @ R.T, 0.4)
    size = np.abs(icl.optimal_preconditioner(plain)).max()
    # conditioning of C: below 1e4 for these matrices
    np.testing.assert_allclose(
        icl.optimal_preconditioner(turned), R @ icl.optimal_preconditioner(plain) @ R.T, atol=1e-11 * size
    )
    assert icl.optimal_excess(turned) == pytest.approx(icl.optimal_excess(plain), rel=1e-10)


@given(st.integers(0, 10**6))
def test_excess_grows_with_noise_and_falls_with_context(seed):
    """Monotone in σ² and N; N · excess tends to tr ΛΩ + d (tr ΛΩ + σ²)."""
    rng = np.random.default_rng(seed)
    Λ, Ω = definite(rng), definite(rng)
    at = lambda N, σ2: icl.optimal_excess(icl.LinearTask(D, N, Λ, Ω, σ2))  # noqa: E731
    assert at(10, 0.1) < at(10, 0.5) and at(20, 0.1) < at(10, 0.1)
    t = float(np.sum(Λ * Ω))
    for n in (10**5, 10**6):
        # next order: eigenvalues of C/ΛΩΛ above 1 by (1 + (t+σ²)/min eig)/N, below 1e3/N for these matrices
        assert n * at(n, 0.1) == pytest.approx(t + D * (t + 0.1), rel=1e3 / n)


@guards(icl.rank_one_excess)
def test_the_rank_one_weights_are_a_local_minimum_above_the_global_one():
    """A = 0, c = 0, K = b uᵀ at the best rank one: stationary, loss t − s₁², and nearby losses are no smaller."""
    task = icl.LinearTask(D, N, np.diag([1.0, 1.5, 0.7]), np.diag([1.2, 0.8, 1.0]), 0.2)
    Λ, Ω, C = task.input_cov, task.weight_cov, icl.label_moment(task)
    half = lambda M, p: np.linalg.eigh(M)[1] * np.linalg.eigh(M)[0] ** p @ np.linalg.eigh(M)[1].T  # noqa: E731
    U, s, Vt = np.linalg.svd(half(Λ, 0.5) @ Ω @ Λ @ half(C, -0.5))
    b, u = half(Λ, -0.5) @ U[:, 0] * s[0], half(C, -0.5) @ Vt[0]
    spurious = icl.Attention(np.vstack([np.zeros((D, D)), b]), np.append(u, 0.0))
    loss = icl.population_loss(spurious, task)
    assert icl.rank_one_excess(task) == pytest.approx(task.signal - s[0] ** 2, rel=1e-12)
    assert loss == pytest.approx(icl.rank_one_excess(task), rel=1e-12)
    assert loss > icl.optimal_excess(task) + 0.05
    gradient = icl.population_loss_gradient(spurious, task)
    assert max(np.abs(gradient.KQ).max(), np.abs(gradient.PV).max()) < 1e-12
    rng = np.random.default_rng(3)
    for _ in range(200):
        near = icl.Attention(
            spurious.KQ + 1e-3 * rng.standard_normal((D + 1, D)), spurious.PV + 1e-3 * rng.standard_normal(D + 1)
        )
        assert icl.population_loss(near, task) >= loss - 1e-12


def test_the_array_backends_agree(backend):
    """Loss, gradient and optimum on every backend, from covariances that live there."""
    move = backend.asarray
    task = icl.LinearTask(D, N, move(GAUSSIAN.input_cov), move(GAUSSIAN.weight_cov), 0.3)
    weights = icl.Attention(move(WEIGHTS.KQ), move(WEIGHTS.PV))
    for q in (False, True):
        assert icl.population_loss(weights, task, query_in_keys=q) == pytest.approx(
            icl.population_loss(WEIGHTS, GAUSSIAN, query_in_keys=q), rel=1e-12
        )
        got, want = (
            icl.population_loss_gradient(w, t, query_in_keys=q) for w, t in ((weights, task), (WEIGHTS, GAUSSIAN))
        )
        np.testing.assert_allclose(backend.numpy(got.KQ), want.KQ, rtol=1e-11, atol=1e-10)
        np.testing.assert_allclose(backend.numpy(got.PV), want.PV, rtol=1e-11, atol=1e-10)
    K = icl.optimal_preconditioner(task)
    np.testing.assert_allclose(backend.numpy(K), icl.optimal_preconditioner(GAUSSIAN), rtol=1e-10, atol=1e-12)
    assert icl.excess(K, task) == pytest.approx(icl.optimal_excess(GAUSSIAN), rel=1e-11)
    assert icl.rank_one_excess(task) == pytest.approx(icl.rank_one_excess(GAUSSIAN), rel=1e-11)
    X, y, xq, _ = sampled(GAUSSIAN, 6, np.random.default_rng(0))
    got = backend.numpy(weights.predict(move(X), move(y), move(xq)))
    np.testing.assert_allclose(got, WEIGHTS.predict(X, y, xq), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: icl.LinearTask(3, 0), ValueError, "context is 0; expected at least 2"),
        (lambda: icl.LinearTask(3, 1), ValueError, "context is 1; expected at least 2"),
        (lambda: icl.LinearTask(0, 5), ValueError, "d is 0"),
        (lambda: icl.LinearTask(3, 2.5)  # pyright: ignore[reportArgumentType]
       , TypeError, "whole number"),
        (lambda: icl.LinearTask(3, 5, noise=-0.1), ValueError, "noise, a variance, is -0.1"),
        (lambda: icl.LinearTask(3, 5, input_cov=np.diag([1.0, 1.0, 0.0])), ValueError, "input_cov is singular"),
        (lambda: icl.LinearTask(3, 5, weight_cov=np.ones((3, 3))), ValueError, "weight_cov is singular"),
        (lambda: icl.LinearTask(3, 5, input_cov=np.eye(4)), ValueError, "expected \\(3, 3\\)"),
        (lambda: icl.LinearTask(2, 5, input_cov=np.array([[1.0, 0.5], [0.0, 1.0]])), ValueError, "not symmetric"),
        (lambda: icl.LinearTask(2, 5, fourth_moment=0.5), ValueError, "at least the squared variance"),
        (lambda: icl.LinearTask(2, 5, np.diag([1.0, 2.0]), fourth_moment=5.0), ValueError, "iid coordinates"),
        (lambda: icl.uniform_task(2, 5, 0.0), ValueError, "half_width"),
        (lambda: icl.excess(np.eye(4), GAUSSIAN), ValueError, "expected \\(3, 3\\)"),
        (lambda: icl.population_loss(icl.Attention(np.eye(3), np.ones(4)), GAUSSIAN), ValueError, "KQ \\(3, 3\\)"),
        (lambda: icl.population_loss(WEIGHTS, FOURTH, query_in_keys=True), ValueError, "needs the sixth moment"),
        (lambda: icl.LinearTask(3, 5, sixth_moment=15.0), ValueError, "comes with fourth_moment="),
        (lambda: icl.LinearTask(3, 5, fourth_moment=3.0, sixth_moment=8.0), ValueError, "at least fourth_moment²/var"),
        (lambda: icl.preconditioner_weights(np.ones((2, 3))), ValueError, "expected \\(d, d\\)"),
        (lambda: WEIGHTS.predict(np.ones((4, 2)), np.ones(4), np.ones(2)), ValueError, "dimension 2"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error(call, error, words):
    """What was passed, what was expected."""
    with pytest.raises(error, match=words):
        call()


@guards(icl.uniform_task, icl.LinearTask)
def test_a_task_knows_its_signal_and_kurtosis():
    """tr ΛΩ; κ₄ = h⁴/5 − 3 (h²/3)² for U(−h, h)."""
    task = icl.LinearTask(2, 5, np.diag([1.0, 2.0]), np.diag([3.0, 0.5]), 0.6)
    np.testing.assert_array_equal(task.identity, np.eye(2))
    assert task.signal == 4.0 and task.excess_kurtosis == 0.0 and task.sixth_cumulant == 0.0
    box = icl.uniform_task(2, 5, 2.0)
    assert box.input_cov[0, 0] == pytest.approx(4 / 3) and box.excess_kurtosis == pytest.approx(16 / 5 - 16 / 3)
    # U(−2, 2): the sixth cumulant of a uniform variable of width w is w⁶/252
    assert box.sixth_cumulant == pytest.approx(4**6 / 252, rel=1e-12)
    assert icl.uniform_task(2, 5, 2.0, noise=0.7).noise == 0.7
    assert icl.LinearTask(2, 5, 2 * np.eye(2), 3 * np.eye(2)).isotropic() == (2.0, 3.0)
    longer = task.with_context(9)
    assert longer.context == 9 and longer.noise == 0.6
    np.testing.assert_array_equal(longer.input_cov, task.input_cov)
    np.testing.assert_array_equal(longer.weight_cov, task.weight_cov)
    np.testing.assert_array_equal(icl.uniform_task(2, 5, 2.0, weight_cov=task.weight_cov).weight_cov, task.weight_cov)
