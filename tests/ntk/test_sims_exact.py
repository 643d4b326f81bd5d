"""Gradients of every architecture against the complex step, and their kernels against the infinite width."""

import numpy as np
import pytest

from corollary.sims.ntk.activations import activation
from corollary.sims.ntk.any_architecture import deviation, output, squared_gradients
from corollary.sims.ntk.architectures import sampled_kernels, sampled_moments
from corollary.sims.ntk.error_bars import fluctuation
from corollary.sims.ntk.exact import gradients, kernels, outputs
from corollary.theory import ntk
from corollary.verdicts.intervals import fixed_mean_interval

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
    "identity": (TEXT, (("attention", 1.5, 0.5, 0.0, "identity", 1.7), ("global_avg_pool",), *HEAD)),
    "rnn": (TEXT, (("rnn", "erf", 1.3, 0.9, 0.2), *HEAD)),
    "centred": (POINTS, (("rms_norm",), ("dense", 1.3, 0.2), ("gelu",), ("layer_norm",), ("dense", 1.3, 0.2), ("cos",),
                         ("rms_norm",), *HEAD)),
    "rnn_leaky": (TEXT, (("rnn", ("leaky_relu", 0.3), 1.3, 0.9, 0.0), *HEAD)),
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


PHI = {
    ("relu",): ntk.Relu(), ("leaky_relu", 0.2): ntk.LeakyRelu(0.2), ("abrelu", -0.4, 1.5): ntk.ABRelu(-0.4, 1.5),
    ("abs",): ntk.Abs(), ("identity",): ntk.Identity(), ("sign",): ntk.Sign(), ("erf",): ntk.Erf(), ("sin",): ntk.Sin(),
    ("cos",): ntk.Cos(), ("gelu",): ntk.Gelu(), ("sigmoid_like",): ntk.SigmoidLike(), ("rbf", 0.6): ntk.Rbf(0.6),
    ("monomial", 3): ntk.monomial(3), ("hermite", 2): ntk.hermite(2),
    ("tanh",): ntk.Function(np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    ("function", np.arctan, lambda z: 1 / (1 + z * z)): ntk.Function(np.arctan, lambda z: 1 / (1 + z * z)),
}  # fmt: skip


@pytest.mark.parametrize("phi", PHI, ids=lambda p: p[0])
def test_derivatives_of_activations_are_central_differences_and_complex_steps(phi):
    """Central differences of step 1e-5 have an error of 1e-10 times the third derivative, below 100 here, and of
    rounding 1e-11; the complex step none."""
    value, slope = activation(*phi)
    z = np.linspace(-3, 3, 61) + 0.013  # the nearest kink is 0.013 away
    np.testing.assert_allclose(slope(z), (value(z + 1e-5) - value(z - 1e-5)) / 2e-5, atol=2e-8)
    np.testing.assert_allclose(slope(z), np.imag(value(z + 1e-30j)) / 1e-30, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize("phi", PHI, ids=lambda p: p[0])
def test_one_hidden_layer_has_the_closed_form_on_average_at_every_width(phi, parametrization):
    """E Θ_n = Θ exactly with one hidden layer, whatever the activation: four standard errors, themselves 1 % at most
    (2.5 % for powers, whose kernels have heavy tails), and no margin. Two sets of inputs; standard parametrisation with
    fan_in = n."""
    n, nets, x1, x2 = 2000, 60, POINTS, np.stack([POINTS[0] + 0.5, -POINTS[1], POINTS[0]])
    layers = (("dense", 1.2, 0.3), phi, ("dense", 1.1, 0.1))
    kwargs = [("ntk", None), ("ntk", None)] if parametrization == "ntk" else [("standard", 5), ("standard", n)]
    net = ntk.serial(ntk.Dense(1.2, 0.3, *kwargs[0]), PHI[phi], ntk.Dense(1.1, 0.1, *kwargs[1]))
    draws = kernels(layers, x1, x2, width=n, seeds=range(nets), parametrization=parametrization)["ntk"]
    want = net.kernel(x1, x2).ntk
    scale = np.abs(want).max()
    se = draws.std(axis=0, ddof=1) / nets**0.5
    few = 0.025 if phi[0] in ("monomial", "hermite") else 0.01
    assert draws.shape == (nets, 2, 3) and np.all(se <= few * scale), (se / scale).max()
    # sign(u) sign(±u) = ±1 in every network: no spread, rounding alone
    assert np.all(np.abs(draws.mean(axis=0) - want) <= 4 * se + 1e-12 * scale), (draws.mean(axis=0) - want) / se


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize("name", ["conv", "softmax", "identity", "rnn"])
def test_both_ways_to_the_kernel_have_one_mean(name, parametrization):
    """Gradients summed, and random directions in complex arithmetic, of networks of width 24: the means of 250 each, in
    an interval of level 1e-3 over 8 cases of 3 entries, no slack. 35 % of the scale at most to either side (33 %
    measured, identity), where the two parametrisations are factors of 11 and more apart."""
    x, layers = NETS[name]
    one = kernels(layers, x, width=24, seeds=range(250), parametrization=parametrization)["ntk"]
    two = sampled_kernels(layers, x, width=24, seeds=range(250, 500), parametrization=parametrization)["ntk"]
    diagonal = np.diag(one.mean(axis=0))
    low, high = fixed_mean_interval((one - two) / np.sqrt(np.outer(diagonal, diagonal)), 1e-3 / 24)
    assert np.all((low <= 0) & (high >= 0)), (low, high)
    assert np.max(high - low) / 2 <= 0.35, np.max(high - low)


def test_moments_are_those_of_the_kernels_in_law():
    """Second moments of features, real and complex arithmetic: 600 networks each of width 24, level 1e-3."""
    x, layers = NETS["rnn"]
    one = sampled_moments(layers, x, width=24, seeds=range(600))
    two = sampled_kernels(layers, x, width=24, seeds=range(600, 1200))["nngp"]
    assert one.dtype == np.float64
    low, high = fixed_mean_interval(one - two, 1e-3 / 3)
    assert np.all((low <= 0) & (high >= 0)) and np.max(high - low) <= 0.15 * np.max(two.mean(axis=0)), high - low


def test_two_arguments_are_a_block_of_one():
    for name in ("conv", "softmax", "rnn", "concat_norm"):
        x, layers = NETS[name]
        whole = kernels(layers, np.concatenate([x, x[:1] + 1]), width=6, seeds=[1, 2])
        parts = kernels(layers, x, x[:1] + 1, width=6, seeds=[1, 2])
        np.testing.assert_allclose(parts["ntk"], whole["ntk"][:, :2, 2:], rtol=1e-12)
        np.testing.assert_allclose(parts["f"], whole["f"][:, :2], rtol=1e-12)


def test_the_standard_kernel_is_that_of_gradients_in_the_weights_themselves():
    """f(ω) = v·relu(ω x) + biases by central differences in ω = s w: exact but for rounding away from kinks."""
    n, x = 4, POINTS
    rng = np.random.default_rng(3)
    W, b, V, c = (rng.standard_normal(s) for s in ((5, n), n, (n, 1), 1))
    θ = np.concatenate([1.2 / 5**0.5 * W.ravel(), 0.3 * b, 1.1 / n**0.5 * V.ravel(), 0.1 * c])

    def f(θ):
        h = np.maximum(x @ θ[: 5 * n].reshape(5, n) + θ[5 * n : 6 * n], 0)
        return h @ θ[6 * n : 7 * n] + θ[-1]

    steps = 1e-5 * np.eye(θ.size)
    J = np.stack([(f(θ + s) - f(θ - s)) / 2e-5 for s in steps], axis=1)
    layers = (("dense", 1.2, 0.3), ("relu",), ("dense", 1.1, 0.1))
    got = kernels(layers, x, width=n, seeds=[3], parametrization="standard")
    np.testing.assert_allclose(got["f"][0], f(θ), rtol=1e-13)
    np.testing.assert_allclose(got["ntk"][0], J @ J.T, rtol=1e-8)


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
        (lambda: kernels((("cosine",), *HEAD), POINTS, width=3, seeds=[0]), "leaky_relu"),
        (lambda: kernels((("rbf",), *HEAD), POINTS, width=3, seeds=[0]), "does not take"),
        (lambda: kernels((("relu", 0.1), *HEAD), POINTS, width=3, seeds=[0]), "parameters"),
        (lambda: kernels(HEAD, POINTS, width=3, seeds=[0], parametrization="mup"), "'ntk' or 'standard'"),
        (lambda: sampled_kernels(HEAD, POINTS, width=3, seeds=[0], parametrization="mup"), "'ntk' or 'standard'"),
        (lambda: sampled_moments(HEAD, TEXT, width=3, seeds=[0]), "without positions"),
        (lambda: sampled_moments((("max_pool",),), POINTS, width=3, seeds=[0]), "unknown layer 'max_pool'"),
        (lambda: sampled_kernels(HEAD, POINTS, width=0, seeds=[0]), "width"),
        (lambda: kernels(HEAD, POINTS, width=0, seeds=[0]), "width"),
        (lambda: fluctuation(HEAD, POINTS, width=3, seeds=[0]), "at least 8"),
        (lambda: fluctuation(NETS["dense"][1], POINTS, width=3, seeds=range(8)).at(0), "width"),
    ],
)
def test_bad_networks_are_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
