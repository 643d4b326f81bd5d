"""Permutations from basis vectors: closed forms against the kernel machinery, ensembles against Gaussian tails."""

import numpy as np
import pytest
from scipy.special import ndtr

from corollary.sims.ntk import permutation_networks
from corollary.testing import guards
from corollary.theory import ntk
from corollary.theory.ntk import permutations


@guards(permutations.permutation_prediction)
@pytest.mark.parametrize(("k", "ones"), [(4, 2), (7, 3), (10, 9), (6, 6)])
def test_prediction_is_gradient_flow_of_the_network(k, ones):
    """Mean and variance at t = ∞ of the kernel of the depth-1 ReLU network, and its NNGP posterior."""
    net, x = ntk.mlp(depth=1, activation=ntk.Relu()), np.eye(k)
    z = np.where(np.arange(k) < ones, 1.0, 0.0)[None, :] / ones**0.5
    train, cross, own = net.kernel(x), net.kernel(z, x), net.kernel(z)
    flow = ntk.gradient_flow(train, np.eye(k), 1.0)
    p = permutations.permutation_prediction(k, ones)
    mean = flow.mean(np.inf, cross)[0]
    # conditions of both matrices are below 20: some hundred roundings of numbers of order one
    np.testing.assert_allclose(mean, np.where(np.arange(k) < ones, p.on, p.off), atol=1e-12)
    np.testing.assert_allclose(flow.covariance(np.inf, cross, own)[0, 0], p.variance, atol=1e-13)
    q, bayes = permutations.permutation_prediction(k, ones, "nngp"), ntk.posterior(
        train.nngp, np.eye(k), cross.nngp, own.nngp
    )  # fmt: skip
    np.testing.assert_allclose([bayes.mean[0, 0], bayes.covariance[0, 0]], [q.on, q.variance], atol=1e-12)


@guards(permutations.permutation_ensemble)
def test_the_ensemble_suffices_and_is_the_stated_size():
    """N models fail with probability at most δ; at k = 10, two ones: 2 · .00651873/.00985031² · ln 100 = 618.8."""
    N = permutations.permutation_ensemble(10, 2, 0.1)
    assert N == 619
    p = permutations.permutation_prediction(10, 2)
    sd = (p.variance / N) ** 0.5
    assert 2 * ndtr(-p.on / sd) + 8 * ndtr(p.off / sd) <= 0.1


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
def test_networks_are_trained_by_descent_on_their_own_weights(parametrization):
    """Plain loops over the weights of the parametrisation itself, gradients by central differences, three steps."""
    k, n, rate = 3, 4, 0.3
    W, V = np.random.default_rng(5).standard_normal((2, k, n))
    scale = (k**-0.5, n**-0.5) if parametrization == "ntk" else (1.0, 1.0)
    θ = np.concatenate([(W.T if parametrization == "ntk" else W.T / k**0.5).ravel(),
                        (V if parametrization == "ntk" else V / n**0.5).ravel()])  # fmt: skip

    def f(θ, x):
        return np.maximum(x @ θ[: n * k].reshape(n, k).T * scale[0], 0) @ θ[n * k :].reshape(k, n).T * scale[1]

    def loss(θ):
        return np.sum((f(θ, np.eye(k)) - np.eye(k)) ** 2) / 2

    for _ in range(3):
        gradient = [(loss(θ + h) - loss(θ - h)) / 2e-6 for h in 1e-6 * np.eye(θ.size)]
        θ = θ - (rate if parametrization == "ntk" else rate / n) * np.array(gradient)
    x = np.array([[1.0, 1.0, 0.0], [0.2, -1.0, 0.5]])
    got = permutation_networks.trained(k, n, parametrization, [5], np, x, schedule=(rate, 3))  # pyright: ignore
    np.testing.assert_allclose(got[0], f(θ, x), atol=1e-8)


def test_the_schedule_contracts_the_limiting_kernel():
    """‖(I − ηΘ)^t‖ = 1e-6 with Θ of the depth-1 network on the basis; one step fewer is not enough."""
    net = ntk.mlp(depth=1, activation=ntk.Relu())
    for parametrization, kind in (("ntk", "ntk"), ("standard", "nngp")):
        rate, steps = permutation_networks.default_schedule(7, parametrization)
        rest = np.abs(1 - rate * np.linalg.eigvalsh(getattr(net.kernel(np.eye(7)), kind)))
        assert rest.max() ** steps <= 1e-6 < rest.max() ** (steps - 1)


def test_trained_networks_have_the_predicted_moments(backend):
    """300 networks of width 512, five standard errors, and .012 for what the width leaves (measured .008 ± .001)."""
    for parametrization, kernel in (("ntk", "ntk"), ("standard", "nngp")):
        point = {"k": 4, "n": 512, "parametrization": parametrization}
        got = permutation_networks.moments(point, range(300), backend.xp, device=backend.device)
        p = permutations.permutation_prediction(4, 2, kernel)  # pyright: ignore
        means, square = backend.numpy(got["means"]), backend.numpy(got["square"])
        se = means.std(axis=0) / 300**0.5
        assert np.all(np.abs(means.mean(axis=0) - [p.on, p.off]) <= 5 * se + 0.012)
        assert abs(square.mean() - p.variance - p.off**2) <= 5 * square.std() / 300**0.5 + 0.1 * p.variance


def test_ensembles_count_their_networks():
    """The first sizes at which the running mean reads enough inputs, recounted from the networks one by one."""
    point = {"k": 3, "n": 32, "parametrization": "ntk", "deltas": [0.5, 0.01], "most": 60, "at_once": 7}
    got = permutation_networks.ensembles(point, [3], np)["needed"][0]  # pyright: ignore[reportArgumentType]
    root = np.random.SeedSequence(3)
    draw, networks = (np.random.SeedSequence(root.entropy, spawn_key=(i,)) for i in (0, 1))
    x = permutation_networks.pairs(3)
    share = np.random.default_rng(draw).multinomial(1000, np.full(3, 1 / 3)) / 1000
    f = permutation_networks.trained(3, 32, "ntk", networks.spawn(60), np, x / 2**0.5)  # pyright: ignore
    right = np.array([share @ np.all((np.sum(f[:N], axis=0) > 0) == (x > 0), axis=1) for N in range(1, 61)])
    want = [np.argmax(right >= 1 - δ) + 1 if np.any(right >= 1 - δ) else np.nan for δ in (0.5, 0.01)]
    np.testing.assert_array_equal(got, want)
    assert got[0] <= got[1]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="'ntk' or 'standard'"):
        permutation_networks.default_schedule(3, "mup")
    with pytest.raises(ValueError, match="1 <= ones <= k"):
        permutations.permutation_prediction(3, 4)
    with pytest.raises(ValueError, match="'ntk' or 'nngp'"):
        permutations.permutation_prediction(3, 2, "gp")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="ones >= 2"):
        permutations.permutation_ensemble(3, 1, 0.1)
