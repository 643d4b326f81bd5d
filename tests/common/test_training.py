"""Full-batch gradient descent against a twin that differentiates the loss by complex step."""

import numpy as np
import pytest

from corollary.sims.common import training
from corollary.sims.common.activations import activation
from corollary.sims.common.networks import Network, forward, init
from corollary.testing import numpy_backend

NET = Network(activation("erf"), 1.3, 0.4)
WIDTHS = (3, 5, 4, 2)
RATE = 0.7
# ten steps, each of a few dozen roundings of values O(1); cushioned tenfold
TOLERANCE = 1e-13


def setup(backend, seeds=(11, 12), bias=True, points=4):
    params = init(WIDTHS, seeds, backend.xp, bias=bias, device=backend.device)
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((points, WIDTHS[0])), rng.standard_normal((points, WIDTHS[-1]))
    return params, backend.asarray(x), backend.asarray(y)


def flat(backend, params, s):
    return np.concatenate([backend.numpy(p)[s].ravel() for group in params for p in group])


def loss(theta, x, y, bias=True):
    """(1/2N) Σ ‖f − y‖² of one network as a function of all its parameters, complex allowed."""
    from scipy.special import erf

    shapes = [(m, n) for n, m in zip(WIDTHS, WIDTHS[1:], strict=False)]
    sizes = [m * n for m, n in shapes]
    W = [t.reshape(s) for t, s in zip(np.split(theta[: sum(sizes)], np.cumsum(sizes)[:-1]), shapes, strict=True)]
    b = np.split(theta[sum(sizes) :], np.cumsum([m for m, _ in shapes])[:-1]) if bias else None
    a = x
    for l, weight in enumerate(W):
        z = 1.3 / np.sqrt(a.shape[1]) * a @ weight.T + (0.4 * b[l] if b else 0.0)
        a = erf(z)
    return np.sum((z - y) ** 2) / (2 * len(x))


def descended(theta, x, y, steps, bias=True):
    for _ in range(steps):
        gradient = [loss(theta + 1e-30j * e, x, y, bias).imag / 1e-30 for e in np.eye(len(theta))]
        theta = theta - RATE * np.array(gradient)
    return theta


@pytest.mark.parametrize("bias", [True, False])
def test_ten_steps_are_ten_steps_down_the_loss(backend, bias):
    """Every parameter after ten steps is that of θ ← θ − η ∇ℓ with the gradient of the definition."""
    params, x, y = setup(backend, bias=bias)
    start = [flat(backend, params, s) for s in (0, 1)]
    end = training.gradient_descent(NET, params, x, y, learning_rate=RATE, steps=10)
    for s in (0, 1):
        twin = descended(start[s], backend.numpy(x), backend.numpy(y), 10, bias)
        np.testing.assert_allclose(flat(backend, end.params, s), twin, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(flat(backend, params, s), start[s])  # the caller's arrays are left alone
    assert list(backend.numpy(end.steps)) == [10, 10]
    f = backend.numpy(forward(NET, end.params, x).z[-1])
    np.testing.assert_allclose(backend.numpy(end.f), f, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(backend.numpy(end.residual), np.abs(f - backend.numpy(y)).max(axis=(1, 2)), rtol=1e-12)


def test_overwrite_trains_in_place(backend):
    params, x, y = setup(backend)
    copy = training.gradient_descent(NET, params, x, y, learning_rate=RATE, steps=3)
    same = training.gradient_descent(NET, params, x, y, learning_rate=RATE, steps=3, overwrite=True)
    assert same.params.W[0] is params.W[0]
    for s in (0, 1):
        np.testing.assert_array_equal(flat(backend, params, s), flat(backend, copy.params, s))


def test_a_replicate_does_not_know_its_neighbours(backend):
    """With a tolerance, each network stops at its own step and ends where it ends when trained alone, bit for bit."""
    params, x, y = setup(backend, seeds=(1, 2, 3))
    schedule = {"learning_rate": RATE, "steps": 4000, "tolerance": 0.05}
    together = training.gradient_descent(NET, params, x, y, **schedule)
    steps = list(backend.numpy(together.steps))
    assert len(set(steps)) > 1 and max(steps) < 4000
    assert np.all(backend.numpy(together.residual) < 0.05)
    for s, seed in enumerate((1, 2, 3)):
        single = init(WIDTHS, (seed,), backend.xp, bias=True, device=backend.device)
        alone = training.gradient_descent(NET, single, x, y, **schedule)
        assert int(alone.steps[0]) == steps[s]
        # a batched and a single matrix product may add in another order: thousands of contracting steps, each 1e-16
        np.testing.assert_allclose(flat(backend, alone.params, 0), flat(backend, together.params, s), atol=1e-12)


def test_recording_sees_the_path(backend):
    """record_at = {0, 2, 5} sees outputs after 0, 2 and 5 steps, and times after freezing show the frozen state."""
    params, x, y = setup(backend)
    seen = {}

    def record(t, params, f):
        seen[t] = backend.numpy(f).copy()

    training.gradient_descent(NET, params, x, y, learning_rate=RATE, steps=5, record=record, record_at={0, 2, 5})
    assert sorted(seen) == [0, 2, 5]
    np.testing.assert_array_equal(seen[0], backend.numpy(forward(NET, params, x).z[-1]))
    two = training.gradient_descent(NET, params, x, y, learning_rate=RATE, steps=2)
    np.testing.assert_array_equal(seen[2], backend.numpy(two.f))
    seen.clear()
    frozen = training.gradient_descent(
        NET, params, x, y, learning_rate=RATE, steps=4000, tolerance=0.05, record=record, record_at={4000}
    )
    np.testing.assert_array_equal(seen[4000], backend.numpy(frozen.f))


def test_large_layers_are_updated_by_blocks():
    """W −= dᵀ a agrees with the one-line product where blocks of rows and of replicates are cut."""
    rng = np.random.default_rng(3)
    for S, m, n in ((3, 5, 7), (70, 50, 60), (1, 700, 300)):
        W, d, a = rng.standard_normal((S, m, n)), rng.standard_normal((S, 4, m)), rng.standard_normal((S, 4, n))
        expected = W - np.einsum("spm,spn->smn", d, a)
        training.subtract_outer(W, d, a)
        np.testing.assert_allclose(W, expected, rtol=0, atol=1e-14)  # sums of four products O(1)


def test_divergence_is_an_error_that_names_the_rate():
    params, x, y = setup(numpy_backend())
    linear = Network(activation("identity"), 3.0, 0.4)
    with pytest.raises(FloatingPointError, match="learning rate 1000; use a smaller"):
        training.gradient_descent(linear, params, x, y, learning_rate=1e3, steps=500)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"learning_rate": 0.0}, ValueError, "learning_rate = 0.0"),
        ({"learning_rate": float("inf")}, ValueError, "learning_rate = inf"),
        ({"steps": -1}, ValueError, "steps = -1"),
        ({"steps": 2.5}, TypeError, "steps = 2.5"),
        ({"steps": True}, TypeError, "steps = True"),
        ({"tolerance": 0.0}, ValueError, "tolerance = 0.0"),
        ({"tolerance": float("nan")}, ValueError, "tolerance = nan"),
        ({"record_at": [4]}, ValueError, "record_at holds 4; expected steps from 0 to 3"),
        ({"y": np.zeros((3, 2))}, ValueError, r"y has shape \(3, 2\); expected \(4, 2\), or \(2, 4, 2\)"),
        ({"y": np.zeros(4)}, ValueError, r"y has shape \(4,\)"),
        ({"y": np.zeros((4, 2), dtype=np.float32)}, TypeError, "y is float32, x is float64"),
        ({"y": np.zeros((4, 2), dtype=int)}, TypeError, "y has dtype int64"),
        ({"y": np.full((4, 2), np.inf)}, ValueError, "y has 8 entries that are"),
    ],
)
def test_descent_refuses(change, error, message):
    params, x, y = setup(numpy_backend())
    arguments = {"learning_rate": 0.1, "steps": 3, "y": y} | change
    with pytest.raises(error, match=message):
        training.gradient_descent(NET, params, x, **arguments)
