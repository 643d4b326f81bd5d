"""Sine features, copying layers, L-BFGS, seeds and metrics: differences, twins and known answers."""

import numpy as np
import pytest

from corollary.sims.icl import algorithms, copying, metrics, sine, training
from corollary.sims.icl.prompts import Sampler, generators
from corollary.theory import icl

_rng = np.random.default_rng(78)


def check_gradient(loss, params, gradients):
    """Directional derivatives by central differences: error h² ~ 1e-10 of the third derivative, rounding 1e-11."""
    for i, gradient in enumerate(gradients):
        for _ in range(2):
            D, h = _rng.standard_normal(params[i].shape), 1e-5
            up, down = ([p + s * h * D if j == i else p for j, p in enumerate(params)] for s in (1, -1))
            got = (loss(tuple(up)) - loss(tuple(down))) / (2 * h)
            want = np.sum(gradient * D, axis=tuple(range(1, D.ndim)))
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


def test_the_gradient_of_the_sine_network_against_differences():
    """All four arrays; the loss is the mean of half squares of the written-out prediction."""
    w = sine.waves({"context": 4, "amplitudes": (0.1, 5.0)}, generators([0, 1]), 6, np)
    shapes = ((2, 5), (2, 5), (2, 5, 3), (2, 3, 3))
    params = tuple(_rng.standard_normal(s) for s in shapes)
    loss, gradients = sine.sine_gradient(params, w)
    check_gradient(lambda p: sine.sine_gradient(p, w)[0], params, gradients)
    from scipy.special import ndtr

    W1, b, W2, K = (p[1] for p in params)
    h = lambda x: (np.multiply.outer(x, W1) + b) * ndtr(np.multiply.outer(x, W1) + b) @ W2  # noqa: E731
    gaps = [w.y[1, i] @ h(w.x[1, i]) @ K @ h(w.xq[1, i]) / 4 - w.label[1, i] for i in range(6)]
    assert loss[1] == pytest.approx(np.mean(np.square(gaps)) / 2, rel=1e-12)


def test_the_gradient_of_the_copying_layers_against_differences():
    """All four arrays; attention rows sum to one; perfect copying with the weights of descent makes one step."""
    p = Sampler(2, 3).draw(generators([0, 1]), 5, np)
    T, n = 10, 7
    params = tuple(0.4 * _rng.standard_normal(s) for s in ((2, T, T), (2, T, T), (2, T, T), (2, T)))
    _, gradients, A = copying.copying_gradient(params, p)
    np.testing.assert_allclose(A.sum(axis=-1), 1)
    check_gradient(lambda q: copying.copying_gradient(q, p)[0], params, gradients)
    W, U, W2, v = (np.zeros((1, *q.shape[1:])) for q in params)
    for j in range(3):  # token 2j + 1 looks at token 2j, the others at the query, whose x is copied by nobody else
        W[0, 3 + 2 * j + 1, 3 + 2 * j] = 1e3
    for j in (0, 2, 4, 6):
        W[0, 3 + j, 3 + 6] = 1e3
    U[0, :2, :2] = np.eye(2)
    W2[0, :2, :2], v[0, 2] = np.eye(2) / 2, -0.7  # the query copies itself: twice its x
    one = type(p)(*(a[:1] for a in p))
    loss, _, A = copying.copying_gradient((W, U, W2, v), one)
    np.testing.assert_allclose(copying.partners(A), [[1.0, 0.0]], atol=1e-12)
    assert A.shape[-1] == n
    want = icl.gd_construction(0.7, context=3).predict(one.X[0], one.y[0], one.xq[0])
    # −e_q,y − Σ (v·c)(c·W₂e_q)/N with v = −0.7 in the y-slot is one step: η/N Σ y_i x_i·x_q
    assert loss[0] == pytest.approx(np.mean((want - one.label[0]) ** 2), rel=1e-12)


def test_short_trainings_learn_and_depend_on_their_own_seed():
    """Losses fall below predicting 0, the softmax layer looks at neighbours; seed 1 alone is seed 1 in company."""
    point = {
        "context": 10, "amplitudes": (0.1, 5.0), "hidden": 16, "features": 8, "plain": True, "steps": 100, "batch": 32,
        "learning_rate": 0.02, "record_at": [0, 100], "test": 200,
    }  # fmt: skip
    both, alone = sine.train_sine(point, [0, 1], np), sine.train_sine(point, [1], np)
    np.testing.assert_allclose(both["path"][1], alone["path"][0], rtol=1e-8)
    assert np.all(both["path"][:, -1] < both["zero"])
    point = {
        "d": 1, "context": 3, "steps": 200, "batch": 48, "learning_rate": 0.03, "init": 0.1, "record_at": [0, 200],
        "test": 300,
    }  # fmt: skip
    out = copying.train_copying(point, [0, 1], np)
    assert np.all(out["path"][:, -1] < 0.9) and np.all(out["partner"][:, -1].max(axis=1) > 2 / 7)
    np.testing.assert_allclose(out["path"][1], copying.train_copying(point, [1], np)["path"][0], rtol=1e-8)


def test_lbfgs_is_the_two_loop_recursion_and_solves_least_squares():
    """Against the recursion written out for one context; converged after enough steps, with any memory."""
    X = _rng.standard_normal((3, 13, 4))
    y = np.matmul(X, _rng.standard_normal((3, 4, 1)))[:, :, 0]
    c = algorithms.contexts(X, y)
    S, v = c.S[1, 8], c.v[1, 8]
    w, g, pairs, γ = np.zeros(4), -v, [], 1 / np.linalg.eigvalsh(S)[-1]
    for _ in range(7):
        q, kept = g.copy(), []
        for s, z in reversed(pairs):
            kept.append(s @ q / (z @ s))
            q -= kept[-1] * z
        p = γ * q
        for (s, z), a in zip(pairs, reversed(kept), strict=True):
            p += s * (a - z @ p / (z @ s))
        t = 1.0
        f = lambda u: u @ S @ u / 2 - v @ u  # noqa: E731
        while f(w - t * p) > f(w) - 1e-4 * t * (g @ p):
            t /= 2
        s = -t * p
        w, g = w + s, g + S @ s
        pairs, γ = [*pairs, (s, S @ s)][-3:], s @ S @ s / np.sum((S @ s) ** 2)
    got = algorithms.lbfgs(c, [7], memory=3, read=algorithms.weights)[0][1, 8]
    np.testing.assert_allclose(got, w, rtol=1e-8)
    for memory in (3, 99):
        end = algorithms.lbfgs(c, [80], memory=memory)[0][:, 4:]
        np.testing.assert_allclose(end, 0, atol=1e-6)  # noiseless, N > d: exact up to the tolerance 1e-12 of |g|


def test_induced_weights_are_compared_by_their_cosines():
    """SimW of weights with themselves is 1 on the diagonal, the mean cosine elsewhere; read= gives the weights."""
    w = _rng.standard_normal((3, 2, 5, 4))
    sim = metrics.weight_similarity(w, w)
    np.testing.assert_allclose(np.diag(sim), 1)
    cosines = np.sum(w[0] * w[2], axis=-1) / np.linalg.norm(w[0], axis=-1) / np.linalg.norm(w[2], axis=-1)
    assert sim[0, 2] == pytest.approx(cosines.mean())
    assert list(metrics.best_match(sim)) == [0, 1, 2]
    X = _rng.standard_normal((2, 9, 3))
    c = algorithms.contexts(X, _rng.standard_normal((2, 9)))
    for run in (
        algorithms.newton(c, [3], read=algorithms.weights),
        algorithms.conjugate_gradients(c, [2], read=algorithms.weights),
    ):  # noqa: E501
        assert run[0].shape == (2, 8, 3)
    read, seen = (
        algorithms.gradient_descent(c, [4], 0.01, read=algorithms.weights)[0],
        algorithms.gradient_descent(c, [4], 0.01)[0],
    )  # noqa: E501
    np.testing.assert_allclose(algorithms.residuals(c, read), seen)


def test_streams_of_one_seed_differ_and_are_reproducible():
    """Stream 1 of a seed is neither its stream 0 nor another seed's; integers and SeedSequences agree."""
    draw = lambda rngs: [r.standard_normal() for r in rngs]  # noqa: E731
    first, second = draw(generators([3, 4])), draw(generators([3, 4], stream=1))
    assert len({*first, *second}) == 4
    assert second == draw(generators([np.random.SeedSequence(3), np.random.SeedSequence(4)], stream=1))
    children = np.random.SeedSequence(3).spawn(2)
    assert len({*draw(generators(children)), *draw(generators(children, stream=1)), *first}) == 6


def test_stacks_train_on_any_gradient_by_plain_descent_from_zero():
    """The gradient of a quadratic bowl in the trained weights is followed exactly; u and b start, and stay, at 0."""
    point = {
        "d": 2, "context": 4, "layers": 1, "tied": False, "sparsity": "full", "steps": 60, "batch": 1, "test": 4,
        "learning_rate": 0.3, "init": 0.5, "optimiser": "gd", "from_zero": True, "clip": 1e9,
    }  # fmt: skip
    target = np.diag([2.0, 2.0, 0.0])
    out = training.train_stack(point, [0], np, gradient=lambda KQ, PV: (KQ - target, 0 * PV))
    np.testing.assert_allclose(out["KQ"][0, 0], target, atol=1e-6)
    assert np.all(out["PV"][0, 0][:, :2] == 0) and np.all(out["KQ"][0, 0][2] == 0)
