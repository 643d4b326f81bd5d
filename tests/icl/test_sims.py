"""Hand-written backpropagation, optimisers, samplers and algorithms: against differences, twins and known answers."""

import math

import numpy as np
import pytest

from corollary.sims.common import optimisers
from corollary.sims.icl import algorithms, attention, metrics, ridge, softmax, training
from corollary.sims.icl.prompts import INPUTS, Prompts, Sampler, generators
from corollary.theory import icl

_rng = np.random.default_rng(77)
ZEROS = np.zeros((2, 2, 4, 4))
SAMPLER = Sampler(3, 4, noise=0.2, inputs="uniform")


def prompts(R=2, B=5, sampler=SAMPLER):
    return sampler.draw(generators(range(R)), B, np)


def moved(backend, p):
    return Prompts(*(backend.asarray(a) for a in p))


def slope(f, x, direction, h=1e-5):
    """Central difference along a direction: error h² ~ 1e-10 of the third derivative, rounding 1e-11."""
    return (f(x + h * direction) - f(x - h * direction)) / (2 * h)


@pytest.mark.parametrize(("layers", "count"), [(1, 1), (3, 3), (3, 1)])
def test_the_gradient_of_a_stack_against_differences(layers, count):
    """Loss gradients of KQ and PV, tied and untied, along random directions; each replicate on its own."""
    p = prompts()
    KQ, PV = 0.15 * _rng.standard_normal((2, count, 4, 4)), 0.15 * _rng.standard_normal((2, count, 4, 4))
    loss, dKQ, dPV = attention.stack_gradient(KQ, PV, p, layers)
    gap = attention.forward(KQ, PV, p, layers=layers).prediction - p.label
    np.testing.assert_allclose(loss, np.mean(gap**2, axis=1), rtol=1e-14)
    for _ in range(4):
        D = _rng.standard_normal(KQ.shape)
        got = slope(lambda K: attention.stack_gradient(K, PV, p, layers)[0], KQ, D)  # noqa: B023
        np.testing.assert_allclose(got, np.sum(dKQ * D, axis=(1, 2, 3)), rtol=1e-6, atol=1e-8)
        got = slope(lambda P: attention.stack_gradient(KQ, P, p, layers)[0], PV, D)  # noqa: B023
        np.testing.assert_allclose(got, np.sum(dPV * D, axis=(1, 2, 3)), rtol=1e-6, atol=1e-8)


def test_the_sensitivity_is_the_derivative_in_the_query():
    """∂ŷ/∂x_q of a two-layer stack by backward pass and by differences."""
    p = prompts()
    KQ, PV = 0.3 * _rng.standard_normal((2, 2, 4, 4)), 0.3 * _rng.standard_normal((2, 2, 4, 4))
    trace = attention.forward(KQ, PV, p)
    got = attention.backward(KQ, PV, p, trace, np.ones_like(p.label))[2]
    D = _rng.standard_normal(p.xq.shape)
    want = slope(lambda q: attention.forward(KQ, PV, p._replace(xq=q)).prediction, p.xq, D)
    np.testing.assert_allclose(np.sum(got * D, axis=-1), want, rtol=1e-6, atol=1e-9)


def test_one_layer_by_the_shortcut_is_the_layer_of_the_stack():
    """Reduced weights give the stack's prediction and gradient."""
    p = prompts()
    KQ, PV = _rng.standard_normal((2, 1, 4, 4)), _rng.standard_normal((2, 1, 4, 4))
    k, v = attention.reduced(KQ[:, 0], PV[:, 0])
    full = attention.forward(KQ, PV, p).prediction
    np.testing.assert_allclose(attention.layer_prediction(k, v, p), full, rtol=1e-12)
    loss, dk, dv = attention.layer_gradient(k, v, p)
    want, dKQ, dPV = attention.stack_gradient(KQ, PV, p)
    np.testing.assert_allclose(loss, want, rtol=1e-12)
    np.testing.assert_allclose(dk, dKQ[:, 0, :, :-1], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(-dv, dPV[:, 0, -1], rtol=1e-11, atol=1e-12)


def test_the_stack_runs_the_construction_of_the_theory():
    """Weights of Proposition 1, and of GD++, in the simulator give the predictions of `gd_construction`."""
    p = prompts(1, 6)
    for γ in (0.0, 0.05):
        KQ = np.tile(np.diag([1.0, 1, 1, 0]), (1, 2, 1, 1))
        # the simulator divides the Gram matrix by N, the construction has η/N and γ in its weights
        PV = np.tile(np.diag([-4 * γ] * 3 + [-0.3]), (1, 2, 1, 1))
        want = icl.gd_construction(0.3, context=4, layers=2, gamma=γ).predict(p.X[0], p.y[0], p.xq[0])
        np.testing.assert_allclose(attention.forward(KQ, PV, p).prediction[0], want, rtol=1e-12)
        np.testing.assert_allclose(attention.forward(KQ[:, :1], PV[:, :1], p, layers=2).prediction[0], want, rtol=1e-12)


def test_the_softmax_gradient_against_differences():
    """Two heads; prediction against a plain loop over heads and examples."""
    p = prompts()
    KQ, V = _rng.standard_normal((2, 2, 4, 3)), _rng.standard_normal((2, 2, 4))
    _, dKQ, dV = softmax.softmax_gradient(KQ, V, p)
    for _ in range(3):
        D, F = _rng.standard_normal(KQ.shape), _rng.standard_normal(V.shape)
        got = slope(lambda K: softmax.softmax_gradient(K, V, p)[0], KQ, D)
        np.testing.assert_allclose(got, np.sum(dKQ * D, axis=(1, 2, 3)), rtol=1e-6, atol=1e-8)
        got = slope(lambda v: softmax.softmax_gradient(KQ, v, p)[0], V, F)
        np.testing.assert_allclose(got, np.sum(dV * F, axis=(1, 2)), rtol=1e-6, atol=1e-8)
    total = 0.0
    tokens = np.concatenate([p.X[1, 3], p.y[1, 3][:, None]], axis=1)
    for h in range(2):
        scores = np.exp(tokens @ KQ[1, h] @ p.xq[1, 3])
        total += V[1, h] @ (scores / scores.sum() @ tokens)
    assert softmax.softmax_prediction(KQ, V, p)[1, 3] == pytest.approx(total, rel=1e-12)


def test_everything_runs_on_every_backend(backend):
    """Stack, layer and softmax gradients, algorithms: the backend's numbers are NumPy's."""
    p = prompts()
    q, move = moved(backend, p), backend.asarray
    KQ, PV = 0.3 * _rng.standard_normal((2, 2, 4, 4)), 0.3 * _rng.standard_normal((2, 2, 4, 4))
    for got, want in zip(
        attention.stack_gradient(move(KQ), move(PV), q), attention.stack_gradient(KQ, PV, p), strict=True
    ):
        np.testing.assert_allclose(backend.numpy(got), want, rtol=1e-10, atol=1e-12)
    k, v = KQ[:, :, :, :3], PV[:, :, 0, :]
    for got, want in zip(softmax.softmax_gradient(move(k), move(v), q), softmax.softmax_gradient(k, v, p), strict=True):
        np.testing.assert_allclose(backend.numpy(got), want, rtol=1e-10, atol=1e-12)
    c, b = algorithms.contexts(p.X[0], p.y[0]), algorithms.contexts(q.X[0, ...], q.y[0, ...])
    for run in (
        lambda c: algorithms.newton(c, [0, 3]),
        lambda c: algorithms.gradient_descent(c, [2], 0.05),
        lambda c: algorithms.conjugate_gradients(c, [3]),
        lambda c: [algorithms.online_descent(c, 0.1)],
    ):
        for got, want in zip(run(b), run(c), strict=True):
            np.testing.assert_allclose(backend.numpy(got), want, rtol=1e-8, atol=1e-11)


def test_samplers_have_the_moments_they_claim():
    """Unit variance and zero mean for every kind of inputs, L and M applied; 4.5 standard errors."""
    for name in INPUTS:
        z = INPUTS[name](np.random.default_rng(0), (200_000,))
        assert abs(z.mean()) < 4.5 / math.sqrt(2e5) and abs((z * z).mean() - 1) < 4.5 * (z * z).std() / math.sqrt(2e5)
    L, M = np.array([[2.0, 0.0], [1.0, 0.5]]), np.array([[0.5, 0.0], [0.3, 1.0]])
    p = Sampler(2, 3, L=L, M=M).draw(generators([1]), 200_000, np)
    np.testing.assert_allclose(np.cov(p.xq[0].T), L @ L.T, atol=0.05)
    g = np.mean(p.label[0] ** 2)
    assert g == pytest.approx(np.trace(L @ L.T @ M @ M.T), rel=0.03)
    q = Sampler(3, 2, sphere=True, target="cube").draw(generators([1]), 1000, np)
    assert q.y.shape == (1, 1000, 2) and np.isfinite(q.y).all()


def test_replicates_do_not_depend_on_their_neighbours():
    """Training seeds 0…2 together gives seed 2 what it gets alone."""
    point = {"d": 2, "context": 3, "steps": 20, "learning_rate": 0.05, "init": 0.1, "batch": 8, "clip": 0.5}
    together, alone = training.train_layer(point, [0, 1, 2], np), training.train_layer(point, [2], np)
    np.testing.assert_allclose(together["K"][2], alone["K"][0], rtol=1e-12)
    stack = {**point, "layers": 2, "tied": True, "sparsity": "full", "test": 10, "init": 0.3}
    together, alone = training.train_stack(stack, [0, 1, 2], np), training.train_stack(stack, [2], np)
    np.testing.assert_allclose(together["loss"][2], alone["loss"][0], rtol=1e-10)


def test_training_on_the_exact_loss_reaches_the_predicted_preconditioner():
    """Adam on the theory's gradient, anisotropic task: K → K* to 1e-6, u and b stay exactly 0."""
    Λ, Ω = np.diag([1.0, 0.5, 2.0]), np.diag([1.0, 2.0, 0.5])
    task = icl.LinearTask(3, 8, Λ, Ω, 0.1)

    def gradient(KQ, PV):
        g = icl.population_loss_gradient(icl.Attention(KQ, PV), task)
        return g.KQ, g.PV

    point = {"d": 3, "context": 8, "steps": 3000, "learning_rate": 0.02, "init": 0.1, "record_at": [0, 3000]}
    got = training.train_layer(point, [5], np, gradient=gradient)
    np.testing.assert_allclose(got["K"][0], icl.optimal_preconditioner(task), atol=1e-6)
    assert np.all(got["PV"][:, :-1] == 0) and np.all(got["KQ"][:, -1] == 0)
    assert got["path_KQ"].shape == (1, 2, 4, 3)
    np.testing.assert_array_equal(got["path_PV"][:, 1], got["PV"])


def test_trained_stacks_and_heads_learn():
    """Two preconditioned layers beat the best single step; two softmax heads beat one; masks keep zeros."""
    point = {"d": 3, "context": 10, "steps": 250, "learning_rate": 0.03, "init": 0.3, "batch": 128, "test": 4000}
    stack = training.train_stack({**point, "layers": 2, "tied": False, "sparsity": "gd"}, [0, 1], np)
    assert np.all(stack["loss"] < 0.9 * icl.optimal_excess(icl.LinearTask(3, 10)))
    assert np.all(stack["PV"][:, :, :-1] == 0) and np.all(stack["KQ"][:, :, -1] == 0)
    losses = [training.train_softmax({**point, "heads": h, "init": 0.05}, [0], np)["loss"][0] for h in (1, 2)]
    assert losses[1] < losses[0]


def test_gradient_descent_of_the_sampled_loss_is_plain_descent():
    """Sgd moves by −rate · gradient; a recorded path starts at the start."""
    params = (np.ones((1, 2)),)
    end = optimisers.train(params, lambda t, p: (2 * p[0],), optimisers.Sgd(), lambda t: 0.25, 3)
    np.testing.assert_allclose(end[0], 0.125 * params[0])


def test_adam_is_the_published_recursion():
    """Three steps against Algorithm 1 written out; the first step has size `rate` in every coordinate."""
    rng = np.random.default_rng(0)
    grads = rng.standard_normal((3, 1, 4))
    opt, p = optimisers.Adam(0.9, 0.99, 1e-8), (np.zeros((1, 4)),)
    state, m, v, θ = opt.start(p), 0.0, 0.0, 0.0
    for t, g in enumerate(grads, start=1):
        p, state = opt.update(p, (g,), state, 0.1)
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        θ = θ - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
        np.testing.assert_allclose(p[0], θ, rtol=1e-12)
        if t == 1:
            np.testing.assert_allclose(np.abs(p[0]), 0.1, rtol=1e-6)


def test_clipping_is_per_replicate_and_over_all_arrays():
    """A replicate with a small gradient is left alone; a large one is scaled to the limit."""
    a, b = np.array([[3.0, 0.0], [0.1, 0.0]]), np.array([[[4.0]], [[0.2]]])
    x, y = optimisers.clip_by_norm((a, b), 1.0)
    np.testing.assert_allclose(x, [[0.6, 0.0], [0.1, 0.0]])
    np.testing.assert_allclose(y[:, 0, 0], [0.8, 0.2])


def test_the_algorithms_solve_least_squares():
    """At every length the loops agree with the closed forms of the theory, CG with the pseudoinverse after d steps."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((3, 11, 4))
    y = np.matmul(X, rng.standard_normal((3, 4, 1)))[:, :, 0]
    c = algorithms.contexts(X, y)
    steps = [0, 3, 8]
    for t in (1, 3, 6, 10):
        exact = icl.newton(X[:, :t], y[:, :t], steps).weights
        loops = algorithms.newton(c, steps)
        descent = icl.gradient_descent(X[:, :t], y[:, :t], [7], 0.02 * t).weights
        for i in range(3):
            want = np.sum(exact[:, i] * X[:, t], axis=-1) - y[:, t]
            np.testing.assert_allclose(loops[i][:, t - 1], want, rtol=1e-7, atol=1e-9)
        want = np.sum(descent[:, 0] * X[:, t], axis=-1) - y[:, t]
        np.testing.assert_allclose(algorithms.gradient_descent(c, [7], 0.02)[0][:, t - 1], want, atol=1e-12)
        least = np.matmul(np.linalg.pinv(X[:, :t]), y[:, :t, None])[:, :, 0]
        want = np.sum(least * X[:, t], axis=-1) - y[:, t]
        np.testing.assert_allclose(algorithms.conjugate_gradients(c, [12])[0][:, t - 1], want, atol=1e-7)
    stuck = algorithms.newton(c, [20], scale=2.0)[0]
    good = algorithms.newton(c, [20])[0]
    assert np.abs(stuck[:, -1]).max() > 1e3 * np.abs(good[:, -1]).max()  # the printed α loses the top direction
    w, online = np.zeros(4), algorithms.online_descent(c, 0.1)
    for t in range(10):
        w = w + 0.1 * (y[0, t] - w @ X[0, t]) * X[0, t]
        assert online[0, t] == pytest.approx(w @ X[0, t + 1] - y[0, t + 1], rel=1e-12)
    again = algorithms.Contexts(c.S, c.v, c.X, c.y, c.X, c.y)  # asked for the example just seen
    np.testing.assert_allclose(algorithms.online_descent(again), 0, atol=1e-12)


def test_metrics_on_known_cases():
    """Equal learners: 0, 1, 0; similarity of residual vectors is a cosine; the best match of itself is itself."""
    rng = np.random.default_rng(1)
    p, s = rng.standard_normal((2, 5)), rng.standard_normal((2, 5, 3))
    same = metrics.alignment(p, s, p, s)
    np.testing.assert_allclose([same.prediction[0], same.cosine[0], same.distance[0]], [0, 1, 0], atol=1e-12)
    half = metrics.alignment(p, s, p + 0.5, -2 * s)
    np.testing.assert_allclose(half.prediction, 0.5)
    np.testing.assert_allclose(half.cosine, -1)
    np.testing.assert_allclose(half.distance, np.mean(3 * np.linalg.norm(s, axis=-1), axis=1))
    r = rng.standard_normal((4, 6, 7))
    sim = metrics.error_similarity(r, r)
    np.testing.assert_allclose(np.diag(sim), 1)
    assert sim[0, 1] == pytest.approx(np.mean([r[0, b] @ r[1, b] / np.linalg.norm(r[0, b]) / np.linalg.norm(r[1, b]) for b in range(6)]))  # fmt: skip  # noqa: E501
    assert list(metrics.best_match(sim)) == [0, 1, 2, 3]


def test_the_exact_ridge_error_is_the_error_on_fresh_prompts():
    """For any Γ: 200 000 fresh prompts within 4.5 standard errors, new tasks and a fixed set of tasks."""
    d, ℓ, ρ, rng = 3, 5, 0.3, np.random.default_rng(2)
    Γ = rng.standard_normal((d, d + 1))
    tasks = rng.standard_normal((4, d))
    tasks *= math.sqrt(d) / np.linalg.norm(tasks, axis=1, keepdims=True)
    fresh = rng.standard_normal((200_000, d))
    fresh *= math.sqrt(d) / np.linalg.norm(fresh, axis=1, keepdims=True)
    seen = tasks[rng.integers(0, 4, 200_000)]
    for w, second, mean in ((fresh, np.eye(d), np.zeros(d)), (seen, tasks.T @ tasks / 4, tasks.mean(axis=0))):
        H, label = ridge._features(w, ℓ, ρ, rng)
        losses = (H @ Γ.ravel() - label) ** 2
        assert abs(losses.mean() - ridge.exact_error(Γ, ℓ, ρ, second, mean)) < 4.5 * losses.std() / math.sqrt(2e5)


def test_ridge_fits_interpolate_below_the_threshold_and_solve_normal_equations_above():
    """Errors are finite for τ < 1 and > 1, and a large ridge gives the prediction 0, error 1 + ρ."""
    point = {"d": 6, "alpha": 1.0, "kappa": 1.0, "rho": 0.2, "ridge": 0.0}
    for τ in (0.4, 2.5):
        out = ridge.ridge_errors({**point, "tau": τ}, [0, 1], np)
        assert np.all(np.isfinite(out["icl"])) and np.all(out["icl"] > 0.2)
    big = ridge.ridge_errors({**point, "tau": 0.5, "ridge": 1e9, "kappa": 0}, [0], np)
    assert big["icl"][0] == pytest.approx(1.2, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Sampler(3, 0), ValueError, "context = 0"),
        (lambda: Sampler(3, 4, inputs="cauchy"), ValueError, "expected one of gaussian"),
        (lambda: Sampler(3, 4, noise=-1.0), ValueError, "noise = -1.0"),
        (lambda: Sampler(3, 4, L=np.eye(2)), ValueError, "L has shape"),
        (lambda: attention.forward(ZEROS[:, :1, :3, :3], ZEROS, prompts()), ValueError, "KQ has shape"),
        (lambda: attention.forward(ZEROS, ZEROS, prompts(), layers=3), ValueError, "expected 1"),
        (lambda: training.mask("gdpp", 3), ValueError, "expected one of full"),
        (lambda: optimisers.Adam(beta1=1.0), ValueError, "0 <= beta < 1"),
        (lambda: optimisers.clip_by_norm((np.ones((1, 1)),), 0.0), ValueError, "norm > 0"),
        (lambda: optimisers.cosine_decay(0.0, 5), ValueError, "rate, steps > 0"),
        (lambda: optimisers.train((np.ones((1, 1)),), lambda t, p: p, optimisers.Sgd(), lambda t: 1.0, -1), ValueError, "steps = -1"),  # noqa: E501
        (lambda: optimisers.train((np.full((1, 1), 1e300),), lambda t, p: (-1e300 * p[0],), optimisers.Sgd(), lambda t: 1.0, 2), FloatingPointError, "diverged by step"),  # noqa: E501
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:overflow")  # the diverging case overflows on purpose
def test_bad_input_is_one_clear_error(call, error, words):
    """What was passed, what was expected."""
    with pytest.raises(error, match=words):
        call()
