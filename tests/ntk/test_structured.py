"""Networks with positions and branches: infinite width against finite networks, exact laws, and clear errors."""

import numpy as np
import pytest

from corollary.sims.ntk.architectures import sampled_kernels
from corollary.testing import guards
from corollary.theory import ntk

RNG = np.random.default_rng(0)
IMAGE, TEXT, POINTS = RNG.standard_normal((3, 4, 4, 2)), RNG.standard_normal((3, 4, 5)), RNG.standard_normal((3, 6))
HEAD = (("dense", 1.1, 0.1),)
D, R, E = ntk.Dense(1.1, 0.1), ntk.Relu(), ntk.Erf()
NETS = {
    "conv": (
        IMAGE,
        ntk.Serial(ntk.Conv((3, 3), 1.4, 0.1), R, ntk.Conv((2, 3), 1.4, 0.1, strides=(2, 1), padding="VALID"), E,
                   ntk.AvgPool((1, 2)), ntk.Flatten(), D),
        (("conv", (3, 3), 1.4, 0.1), ("relu",), ("conv", (2, 3), 1.4, 0.1, (2, 1), "VALID"), ("erf",),
         ("avg_pool", (1, 2)), ("flatten",), *HEAD),
    ),
    "residual": (
        TEXT,
        ntk.Serial(ntk.Conv((3,), 1.2, 0.1), ntk.FanInSum((), (R, ntk.Conv((3,), 1.0, 0.1))), R,
                   ntk.GlobalAvgPool(), D),
        (("conv", (3,), 1.2, 0.1), ("sum", (), (("relu",), ("conv", (3,), 1.0, 0.1))), ("relu",),
         ("global_avg_pool",), *HEAD),
    ),
    "concat_norm": (
        POINTS,
        ntk.Serial(ntk.Dense(1.3, 0.2), ntk.LayerNorm(), ntk.Concat((R,), (E, ntk.Dense(0.8, 0.1))), D),
        (("dense", 1.3, 0.2), ("layer_norm",), ("concat", (("relu",),), (("erf",), ("dense", 0.8, 0.1))), *HEAD),
    ),
    "dropout": (
        POINTS,
        ntk.Serial(ntk.Dense(1.3, 0.2), R, ntk.Dropout(0.7), D),
        (("dense", 1.3, 0.2), ("relu",), ("dropout", 0.7), *HEAD),
    ),
    "softmax": (
        TEXT,
        ntk.Serial(ntk.Dense(1.2, 0.1), E, ntk.Attention(1.5, 1.1, 0.1), R, ntk.Flatten(), D),
        (("dense", 1.2, 0.1), ("erf",), ("attention", 1.5, 1.1, 0.1, "softmax"), ("relu",), ("flatten",), *HEAD),
    ),
    "identity_attention": (
        TEXT,
        ntk.Serial(ntk.Dense(1.2, 0.1), E, ntk.Attention(1.5, 0.5, 0.1, "identity"), ntk.GlobalAvgPool(), D),
        (("dense", 1.2, 0.1), ("erf",), ("attention", 1.5, 0.5, 0.1, "identity"), ("global_avg_pool",), *HEAD),
    ),
    "rnn": (
        TEXT,
        ntk.Serial(ntk.Rnn(E, 1.3, 0.9, 0.2), D),
        (("rnn", "erf", 1.3, 0.9, 0.2), *HEAD),
    ),
}  # fmt: skip
WIDTH, NETWORKS = 128, 60


@pytest.mark.parametrize("name", NETS)
def test_finite_networks_have_these_kernels_on_average(name):
    """Within five standard errors, and 8/n of the diagonal's scale for the bias of order 1/n at width n = 128."""
    x, net, layers = NETS[name]
    k, sampled = net.kernel(x), sampled_kernels(layers, x, width=WIDTH, seeds=range(NETWORKS))
    for kind in ("nngp", "ntk"):
        want, draws = getattr(k, kind), sampled[kind]
        error = np.abs(draws.mean(axis=0) - want)
        se = draws.std(axis=0, ddof=1) / NETWORKS**0.5
        assert np.all(error <= 5 * se + 8 / WIDTH * np.sqrt(np.outer(np.diag(want), np.diag(want)))), error / want
        assert np.all(se <= 0.06 * np.diag(want).max())  # narrow enough to mean something; measured: 0.0503


@pytest.mark.parametrize("name", NETS)
def test_one_argument_is_two_equal_arguments(name):
    x, net, _ = NETS[name]
    k, two = net.kernel(x), net.kernel(x, x + 0.0)
    assert np.array_equal(k.ntk, k.ntk.T) and np.linalg.eigvalsh(k.ntk).min() > 0
    off = ~np.eye(3, dtype=bool) if name == "dropout" else np.ones((3, 3), dtype=bool)
    for a, b in ((k.nngp, two.nngp), (k.ntk, two.ntk)):
        np.testing.assert_allclose(a[off], b[off], rtol=1e-13)


@guards(ntk.Serial.kernel)
def test_serial_agrees_with_the_dense_network():
    """On vectors it is that network; on (n, 1, d) the positions are one, at √ε near parallel inputs only."""
    plain = ntk.mlp(depth=2, activation=ntk.Relu(), W_std=1.3, b_std=0.2)
    k = plain.kernel(POINTS)
    assert np.array_equal(ntk.Serial(*plain.layers).kernel(POINTS).ntk, k.ntk)
    net = ntk.Serial(*plain.layers, ntk.Flatten())
    np.testing.assert_allclose(net.kernel(POINTS[:, None, :]).ntk, k.ntk, rtol=1e-13)
    many = ntk.Serial(ntk.Conv((1,), 1.3, 0.2), *plain.layers[1:], ntk.GlobalAvgPool())
    np.testing.assert_allclose(many.kernel(POINTS[:, None, :]).nngp, k.nngp, rtol=1e-13)


def test_blocks_do_not_show(monkeypatch):
    from corollary.theory.ntk import structured

    x, net, _ = NETS["conv"]
    k = net.kernel(x)
    monkeypatch.setattr(structured, "_BLOCK", 16**2)
    np.testing.assert_allclose(net.kernel(x).ntk, k.ntk, rtol=1e-13)


@guards(ntk.Dense.tangent)
def test_the_standard_parametrization_is_the_sum_over_its_own_gradients():
    """One hidden layer of width n: Θ = n E[φφ] + 1 + W²E[φ'φ'](d·x·x'/d + 1): gradients of W are the features."""
    n, d, W, b = 50, 6, 1.3, 0.2
    net = ntk.serial(ntk.Dense(W, b, "standard", d), ntk.Erf(), ntk.Dense(W, b, "standard", n))
    G = POINTS @ POINTS.T / d
    K = W**2 * G + b**2
    q = np.diag(K)
    A, slope = ntk.Erf().dual(q[:, None], q[None, :], K)
    want = n * A + 1 + W**2 * slope * (d * G + 1)
    np.testing.assert_allclose(net.kernel(POINTS).ntk, want, rtol=1e-12)
    np.testing.assert_allclose(ntk.Serial(*net.layers, ntk.Flatten()).kernel(POINTS[:, None, :]).ntk, want, rtol=1e-12)
    conv = ntk.Serial(ntk.Conv((1,), W, b, None, "SAME", "standard", d), ntk.Erf(), ntk.Flatten(), net.layers[2])
    np.testing.assert_allclose(conv.kernel(POINTS[:, None, :]).ntk, want, rtol=1e-12)


def test_the_backends_agree(backend):
    for x, net, _ in NETS.values():
        want, got = net.kernel(x), net.kernel(backend.asarray(x))
        np.testing.assert_allclose(backend.numpy(got.ntk), want.ntk, rtol=1e-11)


def test_overflow_is_an_error_and_not_inf():
    net = ntk.Serial(ntk.Conv((1,), 1e15), ntk.Relu(), ntk.Conv((1,), 1e15), ntk.Flatten())
    with pytest.raises(OverflowError, match=r"layer 2 .*float64"):
        net.kernel(TEXT.astype(np.float32))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ntk.Serial(), ValueError, "no layer"),
        (lambda: ntk.Serial(ntk.Relu()), ValueError, "empirical kernel"),
        (lambda: ntk.Serial(D, ntk.Relu(), ntk.Relu()), ValueError, "not Gaussian"),
        (lambda: ntk.Serial(D, ntk.Flatten), TypeError, r"write Flatten\(\)"),
        (lambda: ntk.Serial(D, "max_pool"), TypeError, "empirical_ntk"),
        (lambda: ntk.Attention(scaling="1/sqrt(d)"), ValueError, "empirical kernel"),
        (lambda: ntk.Attention(nonlinearity="relu"), ValueError, "softmax"),
        (lambda: ntk.Conv((3, 0)), ValueError, "window"),
        (lambda: ntk.Conv((3,), padding="FULL"), ValueError, "SAME"),
        (lambda: ntk.Conv((3,), parametrization="standard"), ValueError, "fan_in"),
        (lambda: ntk.Dense(fan_in=3), ValueError, "leave it out"),
        (lambda: ntk.Dense(parametrization="mup"), ValueError, "'ntk' or 'standard'"),
        (lambda: ntk.Dropout(0.0), ValueError, "keep"),
        (lambda: ntk.FanInSum(()), ValueError, "two"),
        (lambda: ntk.FanInSum((ntk.Relu(),), ()), ValueError, "correlated"),
        (lambda: ntk.Concat((), (), shares=(0.3, 0.3)), ValueError, "sum 1"),
        (lambda: ntk.Rnn("erf"), TypeError, "activation"),  # pyright: ignore[reportArgumentType]
        (lambda: ntk.Serial(ntk.Conv((3, 3))).kernel(TEXT), ValueError, "2 spatial axes"),
        (lambda: ntk.Serial(ntk.Conv((3,))).kernel(TEXT), ValueError, "ntk.Flatten"),
        (lambda: ntk.Serial(D, ntk.AvgPool((9,))).kernel(TEXT), ValueError, "does not fit"),
        (lambda: ntk.Serial(ntk.Conv((3,))).kernel(np.ones(3)), ValueError, "expected"),
        (lambda: ntk.Serial(ntk.Dense(), ntk.LayerNorm(), ntk.Flatten()).kernel(0 * TEXT), ValueError, "variance zero"),
    ],
)  # fmt: skip
def test_what_has_no_closed_form_or_does_not_fit_is_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()
