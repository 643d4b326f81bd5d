"""The experiments of the family: what they return, that replicates are independent of their batch, and bad points."""

from functools import partial

import numpy as np
import pytest

from corollary.sims.common.networks import forward, init
from corollary.sims.common.training import gradient_descent
from corollary.sims.ntk import experiments
from corollary.sims.ntk.setting import Setting

X = experiments.circle([0.3, 1.2, 2.9])
Y = np.array([1.0, -1.0, 0.5])
NETWORK = {"n": 8, "depth": 2, "activation": "erf", "W_std": 1.3, "b_std": 0.2}
RUN = {**NETWORK, "learning_rate": 0.5, "steps": 6}
DIRECTIONS = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0].T * np.sqrt(3)

EXPERIMENTS = {
    "initial_kernel": (experiments.initial_kernel, {**NETWORK, "angles": [0.5, 2.0]}),
    "trained_kernel": (partial(experiments.trained_kernel, data=(X, Y), probe=X[0], grid=X), RUN),
    "trained_function": (partial(experiments.trained_function, data=(X, Y), grid=X), {**RUN, "tolerance": 0.2}),
    "kernel_movement": (partial(experiments.kernel_movement, data=(X, Y)), RUN),
    "mode_decay": (
        partial(experiments.mode_decay, x=X, shift=Y, directions=DIRECTIONS[:2]), {**RUN, "record_at": [0, 3, 6]}
    ),
    "linearised_training": (partial(experiments.linearised_training, data=(X, Y)), {**RUN, "record_at": [0, 6]}),
}  # fmt: skip


def seeds(*numbers):
    return [np.random.SeedSequence([9, k]) for k in numbers]


def networks(backend, *numbers, point=NETWORK):
    widths = (2, *[point["n"]] * point["depth"], 1)
    net = Setting.of(point, backend.xp, backend.device).net
    return net, init(widths, seeds(*numbers), backend.xp, bias=True, device=backend.device)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_replicate_depends_on_its_own_seed_only(backend, name):
    """Seeds (1, 2, 3) together, and 3 alone: the third replicate is the same."""
    run, point = EXPERIMENTS[name]
    together = run(point, seeds(1, 2, 3), backend.xp, device=backend.device)
    alone = run(point, seeds(3), backend.xp, device=backend.device)
    assert set(together) == set(alone)
    for key, array in together.items():
        array, single = backend.numpy(array), backend.numpy(alone[key])
        assert array.shape[0] == 3 and single.shape == (1, *array.shape[1:])
        # batched and single products may add in another order; a dozen contracting steps of values O(1)
        np.testing.assert_allclose(array[2], single[0], rtol=0, atol=1e-12)
        if key != "steps":
            assert not np.allclose(array[0], array[2])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_float32_stays_float32(name):
    run, point = EXPERIMENTS[name]
    half = run({**point, "dtype": "float32"}, seeds(1), np)
    full = run(point, seeds(1), np)
    for key, array in half.items():
        if key != "steps":
            assert array.dtype == np.float32
            # the same draws, rounded: 24 bits through three layers and a dozen steps
            np.testing.assert_allclose(array, full[key], rtol=0, atol=1e-4)


def test_trained_function_is_the_trained_network(backend):
    run, point = EXPERIMENTS["trained_function"]
    out = run(point, seeds(1, 2), backend.xp, device=backend.device)
    net, params = networks(backend, 1, 2)
    x, y = backend.asarray(X), backend.asarray(Y[:, None])
    end = gradient_descent(net, params, x, y, learning_rate=0.5, steps=6, tolerance=0.2)
    np.testing.assert_array_equal(backend.numpy(out["f"]), backend.numpy(end.f)[:, :, 0])
    np.testing.assert_array_equal(backend.numpy(out["residual"]), backend.numpy(end.residual))


def test_kernel_movement_counts_flips_and_measures_the_change(backend):
    """Against the definition: kernels and signs before and after six steps."""
    from corollary.sims.ntk.empirical import empirical_ntk

    run, point = EXPERIMENTS["kernel_movement"]
    point = {**point, "learning_rate": 3.0}  # large steps, so that signs do flip
    out = run(point, seeds(1, 2), backend.xp, device=backend.device)
    net, params = networks(backend, 1, 2)
    x, y = backend.asarray(X), backend.asarray(Y[:, None])
    before, z0 = backend.numpy(empirical_ntk(net, params, x)), forward(net, params, x).z[:-1]
    end = gradient_descent(net, params, x, y, learning_rate=3.0, steps=6)
    after, z1 = backend.numpy(empirical_ntk(net, end.params, x)), forward(net, end.params, x).z[:-1]
    flips = np.stack([(backend.numpy(a) > 0) != (backend.numpy(b) > 0) for a, b in zip(z0, z1, strict=True)], axis=1)
    flipped = flips.mean(axis=(1, 2, 3))
    assert flipped.max() > 0
    np.testing.assert_allclose(backend.numpy(out["flipped"]), flipped, rtol=1e-14)
    relative = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(after, before, strict=True)]
    np.testing.assert_allclose(backend.numpy(out["movement"]), relative, rtol=1e-12)


def test_mode_decay_splits_the_distance_from_its_target(backend):
    """At time 0 f − f* is −shift, and along² + orthogonal² is its squared norm (1/N) Σ at every time."""
    run, point = EXPERIMENTS["mode_decay"]
    out = run(point, seeds(1, 2), backend.xp, device=backend.device)
    along, orthogonal = backend.numpy(out["along"]), backend.numpy(out["orthogonal"])
    np.testing.assert_allclose(along[:, 0], np.broadcast_to(-DIRECTIONS[:2] @ Y / 3, (2, 2)), rtol=0, atol=1e-14)
    net, params = networks(backend, 1, 2)
    x = backend.asarray(X)
    target = forward(net, params, x).z[-1] + backend.asarray(Y[:, None])
    end = gradient_descent(net, params, x, target, learning_rate=0.5, steps=6)
    distance = np.mean(backend.numpy(end.f - target) ** 2, axis=(1, 2))
    np.testing.assert_allclose((along[:, 2] ** 2).sum(axis=1) + orthogonal[:, 2] ** 2, distance, rtol=1e-12)


@pytest.mark.parametrize("n", [16, 64])
def test_one_hidden_layer_has_the_mean_of_its_limit(n):
    """E Θ_n = Θ_∞ at every width (ReLU at angle γ, W_std = 1, b_std = 0), on 6000 networks.

    4.9 standard errors: two tests at a false alarm of 1e-6 each."""
    gamma = 1.0
    point = {"n": n, "depth": 1, "activation": "relu", "W_std": 1.0, "b_std": 0.0, "angles": [gamma]}
    theta = experiments.initial_kernel(point, seeds(*range(6000)), np)["ntk"][:, 0]
    value = (np.sin(gamma) + (np.pi - gamma) * np.cos(gamma)) / (2 * np.pi) / 2
    slope = (np.pi - gamma) / (2 * np.pi) * np.cos(gamma) / 2
    se = theta.std(ddof=1) / np.sqrt(len(theta))
    assert abs(theta.mean() - (value + slope)) < 4.9 * se
    assert se < 0.02 * (value + slope)  # so that a lost factor 2, √2 or the missing term would be seen


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"depth": 0}, ValueError, "depth = 0; expected the number of hidden layers, an integer >= 1"),
        ({"depth": 1.0}, ValueError, "depth = 1.0"),
        ({"n": 0}, ValueError, "0"),
        ({"activation": "rellu"}, ValueError, "did you mean 'relu'"),
        ({"W_std": -1.0}, ValueError, "W_std = -1.0"),
        ({"angles": None}, KeyError, "lacks the coordinate 'angles'; it has W_std"),
        ({"angles": [[0.1]]}, ValueError, r"angles has shape \(1, 1\)"),
        ({"angles": [float("nan")]}, ValueError, "angles has 2 entries"),
        ({"angles": []}, ValueError, "angles is empty"),
    ],
)
def test_a_bad_point_is_refused(change, error, message):
    point = {k: v for k, v in ({**NETWORK, "angles": [0.5]} | change).items() if v is not None}
    with pytest.raises(error, match=message):
        experiments.initial_kernel(point, seeds(1), np)


@pytest.mark.parametrize(
    ("name", "arguments", "point", "message"),
    [
        ("kernel_movement", {"data": (X, Y[:2])}, {}, "data has 3 inputs and 2 targets"),
        ("kernel_movement", {"data": (X, Y[:, None])}, {}, "y has shape"),
        ("mode_decay", {"shift": Y[:2]}, {}, "shift has 2 entries; expected one for each of the 3 rows"),
        ("mode_decay", {"directions": DIRECTIONS[:, :2]}, {}, r"directions has shape \(3, 2\); expected \(m, 3\)"),
        ("mode_decay", {"directions": DIRECTIONS / np.sqrt(3)}, {}, "directions are not orthonormal"),
        ("mode_decay", {}, {"record_at": []}, "record_at is empty"),
    ],
)
def test_bad_data_are_refused(name, arguments, point, message):
    run, good = EXPERIMENTS[name]
    with pytest.raises(ValueError, match=message):
        partial(run, **arguments)({**good, **point}, seeds(1), np)


def test_data_of_integers_are_refused():
    with pytest.raises(TypeError, match="y has dtype int64"):
        experiments.kernel_movement(RUN, seeds(1), np, data=(X, np.array([1, 0, 1])))
