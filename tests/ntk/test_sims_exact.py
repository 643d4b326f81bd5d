"""Gradients of every architecture against the complex step, and their kernels against the infinite width."""

import numpy as np
import pytest

from corollary.sims.ntk.any_architecture import deviation, output, squared_gradients
from corollary.sims.ntk.error_bars import fluctuation
from corollary.sims.ntk.exact import gradients, kernels, outputs
from corollary.theory import ntk

RNG = np.random.default_rng(4)
IMAGE, TEXT, POINTS = RNG.standard_normal((2, 4, 4, 2)), RNG.standard_normal((2, 4, 3)), RNG.standard_normal((2, 5))
HEAD = (("dense", 1.1, 0.1),)
NETS = {
    "dense": (POINTS, (("dense", 1.2, 0.3), ("sin",), ("dense", 0.9, 0.0), ("relu",), *HEAD)),
    "conv": (IMAGE, (("conv", (3, 3), 1.4, 0.1), ("relu",), ("conv", (2, 3), 1.4, 0.1, (2, 1), "VALID"), ("erf",),
                     ("avg_pool", (1, 2)), ("flatten",), *HEAD)),
    "strided": (IMAGE, (("conv", (3, 3), 1.4, 0.0, (2, 2)), ("abs",), ("global_avg_pool",), *HEAD)),
    "residual": (TEXT, (("conv", (3,), 1.2, 0.1), ("sum", (), (("relu",), ("conv", (3,), 1.0, 0.1))), ("erf",),
                        ("global_avg_pool",), *HEAD)),
    "concat_norm": (POINTS, (("dense", 1.3, 0.2), ("layer_norm",),
                             ("concat", (("relu",),), (("erf",), ("dense", 0.8, 0.1))), *HEAD)),
    "softmax": (TEXT, (("dense", 1.2, 0.1), ("erf",), ("attention", 1.5, 1.1, 0.1, "softmax"), ("relu",), ("flatten",),
                       *HEAD)),
    "identity": (TEXT, (("attention", 1.5, 0.5, 0.0, "identity"), ("global_avg_pool",), *HEAD)),
    "rnn": (TEXT, (("rnn", "erf", 1.3, 0.9, 0.2), *HEAD)),
    "dropout": (POINTS, (("dense", 1.3, 0.2), ("relu",), ("dropout", 0.7), *HEAD)),
}  # fmt: skip


class Weights:
    """Standard normal weights, of which number `moved` is stepped into the complex plane."""

    def __init__(self, moved: int = -1):
        self.rng, self.moved, self.count = np.random.default_rng(7), moved, 0

    def __call__(self, shape) -> np.ndarray:
        w = self.rng.standard_normal(shape).astype(complex)
        at = self.moved - self.count
        self.count += w.size
        if 0 <= at < w.size:
            w.reshape(-1)[at] += 1e-30j
        return w


@pytest.mark.parametrize("name", NETS)
def test_gradients_are_those_of_the_complex_step(name):
    """Im f(θ + ih e_k)/h for every weight in turn, to rounding; the multiset of gradients, since orders differ."""
    x, layers = NETS[name]
    weights = Weights()
    got = gradients(layers, x, width=3, source=weights)
    steps = [np.imag(gradients(layers, x, width=3, source=Weights(k)).f) / 1e-30 for k in range(weights.count)]
    J = np.stack(steps, axis=1)
    moving = np.any(J != 0, axis=0)  # the masks of dropout are drawn from the same source, and have no gradient
    np.testing.assert_allclose(np.real(got.J @ got.J.T), J @ J.T, rtol=1e-12)
    total = sorted(np.sum(np.real(got.J), axis=0)[np.any(got.J != 0, axis=0)])
    np.testing.assert_allclose(total, sorted(np.sum(J, axis=0)[moving]), rtol=1e-11, atol=1e-13)


def test_outputs_are_those_of_the_gradients():
    x, layers = NETS["softmax"]
    np.testing.assert_array_equal(
        outputs(layers, x, width=5, seeds=[1, 2]), kernels(layers, x, width=5, seeds=[1, 2])["f"]
    )


def test_the_mean_kernel_is_the_limit_and_its_error_bars_scale():
    """RNN, 200 networks of widths 32 and 128: mean within five standard errors and 8/n; and the constant measured at
    32 predicts the spread at 128. A standard deviation of 200 draws is known to 5 %, next orders leave 3/32: 25 %."""
    x, layers = NETS["rnn"]
    limit = ntk.Serial(ntk.Rnn(ntk.Erf(), 1.3, 0.9, 0.2), ntk.Dense(1.1, 0.1)).kernel(x).ntk
    small = fluctuation(layers, x, width=32, seeds=range(200))
    wide = kernels(layers, x, width=128, seeds=range(1000, 1200))["ntk"]
    sd = wide.std(axis=0, ddof=1)
    scale = np.sqrt(np.outer(np.diag(limit), np.diag(limit)))
    assert np.all(np.abs(wide.mean(axis=0) - limit) <= 5 * sd / 200**0.5 + 8 / 128 * scale)
    np.testing.assert_allclose(small.at(128), sd, rtol=0.25)
    assert np.all(small.se < 0.08 * small.constant)
    # about 95 % of the entries of single networks lie within two error bars: 12 standard errors of a share, and more
    inside = np.mean(np.abs(wide - limit) <= 2 * small.at(128))
    assert 0.9 < inside < 0.99


def test_squared_gradients_of_a_small_network_are_those_of_the_sum(backend):
    """d_j = Σ_i W_ij v_i φ'(z_i)/√n written out, for the seed's own draws."""
    got = squared_gradients({"n": 4}, [3], backend.xp, device=backend.device)
    rng = np.random.default_rng(3)
    u, W = rng.standard_normal(4), rng.standard_normal((4, 4))
    z = [sum(W[i, j] * max(u[j], 0) for j in range(4)) for i in range(4)]
    d = [sum(W[i, j] * (z[i] > 0) for i in range(4)) / 2 for j in range(4)]
    np.testing.assert_allclose(backend.numpy(got["mean"]), [sum(t * t for t in d) / 4], rtol=1e-14)
    assert set(got) == {"mean", "random", "copy"} and float(got["copy"][0]) != float(got["mean"][0])


def test_experiments_return_deviations_and_outputs(backend):
    x, layers = NETS["rnn"]
    limit, point = np.array([[2.0, 3.0], [3.0, 4.0]]), {"n": 6}
    found = deviation(point, [5, 6], backend.xp, layers=layers, x=x, limit=limit, device=backend.device)
    want = kernels(layers, x, width=6, seeds=[5, 6])
    np.testing.assert_allclose(backend.numpy(found["deviation"]), want["ntk"][:, 0, 1] / 3 - 1, rtol=1e-14)
    f = output(point, [5, 6], backend.xp, layers=layers, x=x, device=backend.device)["f"]
    np.testing.assert_array_equal(backend.numpy(f), want["f"][:, 0])


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: kernels((("max_pool",),), POINTS, width=3, seeds=[0]), "unknown layer 'max_pool'"),
        (lambda: kernels((("conv", (3,), 1.0, 0.0),), TEXT, width=3, seeds=[0]), "without positions"),
        (lambda: kernels(HEAD, POINTS, width=0, seeds=[0]), "width"),
        (lambda: fluctuation(HEAD, POINTS, width=3, seeds=[0]), "at least 8"),
        (lambda: fluctuation(NETS["dense"][1], POINTS, width=3, seeds=range(8)).at(0), "width"),
    ],
)
def test_bad_networks_are_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
