"""Non-convex training and attacks: gradients, restarts that do not see each other, known optima, known attacks."""

import numpy as np
import pytest

from corollary.arrays import namespace_for
from corollary.sims.convex_relu import attacks, network, training

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((7, 3)), RNG.standard_normal(7)
SIGNS = np.where(Y > 0, 1.0, -1.0)


def start(backend, S=3, m=5):
    return network.init(3, m, list(range(S)), backend.xp, device=backend.device)


@pytest.mark.parametrize("loss", network.LOSSES)
def test_gradients_are_the_differences_of_the_objective(backend, loss):
    x, y = backend.asarray(X), backend.asarray(Y if loss == "squared" else SIGNS)
    net = start(backend)
    _, g = network.objective_and_gradient(net, x, y, 0.3, loss)
    U, a = backend.numpy(net.U), backend.numpy(net.a)
    dU, da = np.random.default_rng(1).standard_normal(U.shape), np.random.default_rng(2).standard_normal(a.shape)
    h = 1e-6

    def at(t):
        moved = network.TwoLayer(backend.asarray(U + t * dU), backend.asarray(a + t * da))
        return backend.numpy(network.objective(moved, x, y, 0.3, loss))

    slope = np.sum(backend.numpy(g.U) * dU, axis=(1, 2)) + np.sum(backend.numpy(g.a) * da, axis=1)
    # central difference: h² from the third derivative, and rounding 1e-16/h
    np.testing.assert_allclose((at(h) - at(-h)) / (2 * h), slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", ["gd", "adam", "lbfgs"])
def test_a_restart_does_not_see_the_others(backend, method):
    x, y = backend.asarray(X), backend.asarray(Y)

    def train(seeds):
        net = network.init(3, 5, seeds, backend.xp, device=backend.device)
        if method == "lbfgs":
            return training.lbfgs(net, x, y, 0.1, steps=30)
        return training.descend(net, x, y, 0.1, method=method, learning_rate=1e-2, steps=50)

    together, alone = train([4, 5, 6]), train([5])
    value = float(backend.numpy(alone.objective)[0])
    assert float(backend.numpy(together.objective)[1]) == pytest.approx(value, rel=1e-9)


def test_one_point_in_one_dimension_reaches_soft_thresholding(backend):
    """x = 1, y = 1: the optimum is β − β²/2, at f = 1 − β."""
    x, y, beta = backend.asarray([[1.0]]), backend.asarray([1.0]), 0.2
    net = network.init(1, 8, list(range(6)), backend.xp, device=backend.device)
    best = beta - beta**2 / 2
    for run in (
        training.lbfgs(net, x, y, beta, steps=200),
        training.descend(net, x, y, beta, learning_rate=0.1, steps=2000),
        training.descend(net, x, y, beta, method="adam", learning_rate=0.01, steps=2000),
    ):
        value = backend.numpy(run.objective)
        assert value.min() == pytest.approx(best, rel=1e-5) and np.all(value >= best * (1 - 1e-12))


def test_mini_batches_are_unbiased():
    """The mean over all batches of two of the gradient is the gradient."""
    net = network.init(3, 5, [0], namespace_for("cpu"))
    whole = network.objective_and_gradient(net, X, Y, 0.3, "squared")[1].U
    pairs = [(i, j) for i in range(7) for j in range(i)]
    mean = np.mean([network.objective_and_gradient(net, X[[i, j]], Y[[i, j]], 0.3, "squared", 3.5)[1].U
                    for i, j in pairs], axis=0)  # fmt: skip
    np.testing.assert_allclose(mean, whole, rtol=1e-12)


def test_sgd_decreases_the_objective(backend):
    x, y = backend.asarray(X), backend.asarray(Y)
    run = training.descend(start(backend), x, y, 0.1, learning_rate=5e-3, steps=300, batch=3, record_at=(0, 299),
                           rng=np.random.default_rng(0))  # fmt: skip
    history = backend.numpy(run.history)
    assert history.shape == (3, 3) and np.all(history[-1] < history[0])


def test_attacks_on_a_linear_region_are_exact_and_ordered(backend):
    """One neuron with |x·u| far above ε‖u‖₁: vertices = FGSM = PGD = the closed form; otherwise vertices ≥ both."""
    U, a = np.array([[[1.0], [2.0]]]), np.array([[1.0]])
    net = network.TwoLayer(backend.asarray(U), backend.asarray(a))
    x, y, eps = backend.asarray([[3.0, 1.0]]), backend.asarray([1.0]), 0.1
    worst = float(backend.numpy(attacks.vertices(net, x, y, eps, "squared"))[0, 0])
    assert worst == pytest.approx((5 - 1 + 3 * eps) ** 2 / 2, rel=1e-14)
    for moved in (attacks.fgsm(net, x, y, eps, "squared"), attacks.pgd(net, x, y, eps, "squared")):
        value = network.loss_of("squared", network.predict(net, moved), y)[0]
        assert float(backend.numpy(value)[0, 0]) == pytest.approx(worst, rel=1e-12)
    many, xs, ys = start(backend), backend.asarray(X), backend.asarray(Y)
    corners = backend.numpy(attacks.vertices(many, xs, ys, 0.05, "squared"))
    clean = backend.numpy(network.loss_of("squared", network.predict(many, xs), ys)[0])
    moved = attacks.pgd(many, xs, ys, 0.05, "squared")
    assert np.max(np.abs(backend.numpy(moved) - X)) <= 0.05 * (1 + 1e-12)
    assert corners.sum() > clean.sum()


def test_bad_input_of_the_simulations(backend):
    x, y, net = backend.asarray(X), backend.asarray(Y), start(backend)
    with pytest.raises(ValueError, match="method = 'newton'"):
        training.descend(net, x, y, 0.1, method="newton")
    with pytest.raises(ValueError, match="learning_rate = 0"):
        training.descend(net, x, y, 0.1, learning_rate=0)
    with pytest.raises(ValueError, match="batch = 3"):
        training.descend(net, x, y, 0.1, batch=3)
    with pytest.raises(ValueError, match="steps = 0"):
        training.lbfgs(net, x, y, 0.1, steps=0)
    with pytest.raises(FloatingPointError, match="learning rate 1e"):
        training.descend(net, x, y, 0.1, learning_rate=1e6, steps=50)
    with pytest.raises(ValueError, match="rows"):
        training.lbfgs(net, x, y[:3], 0.1)
    with pytest.raises(ValueError, match="loss = 'huber'"):
        training.lbfgs(net, x, y, 0.1, "huber")
    with pytest.raises(ValueError, match="d = 17"):
        attacks.vertices(net, backend.asarray(np.ones((2, 17))), y, 0.1, "squared")
    with pytest.raises(ValueError, match="radius = -1"):
        attacks.fgsm(net, x, y, -1, "squared")
    with pytest.raises(ValueError, match="seeds"):
        network.init(3, 5, [], backend.xp)
