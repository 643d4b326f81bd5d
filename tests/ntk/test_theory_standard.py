"""The standard parametrisation: learning rates layer by layer, finite networks at their widths, and missing widths."""

import numpy as np
import pytest

from corollary.sims.ntk import exact
from corollary.testing import guards
from corollary.theory import ntk
from corollary.verdicts.intervals import fixed_mean_interval

EPS = float(np.finfo(float).eps)
RNG = np.random.default_rng(1)
POINTS, TEXT = RNG.standard_normal((3, 5)), RNG.standard_normal((3, 4, 64))


def dense(W_std, b_std, *fan_in):
    return ntk.Dense(W_std, b_std, "standard" if fan_in else "ntk", *fan_in)


def mlp(depth, phi, W_std, b_std, *widths):
    standard = {"parametrization": "standard", "widths": widths} if widths else {}
    return ntk.mlp(depth=depth, activation=phi, W_std=W_std, b_std=b_std, **standard)


def rnn(W_std, U_std, b_std, *widths):
    return ntk.Rnn(ntk.Erf(), W_std, U_std, b_std, "standard" if widths else "ntk", *widths)


def attention(W_std, V_std, b_std, *widths):
    return ntk.Attention(0.7, W_std, b_std, "softmax", "1/d", V_std, "standard" if widths else "ntk", *widths)


def conv(W_std, b_std, *fan_in):
    return ntk.Conv((3,), W_std, b_std, None, "SAME", "standard" if fan_in else "ntk", *fan_in)


# networks with biases of standard deviation b, in standard form at the widths N, or in ntk form without widths; and for
# every width the variance s² of the entries of √N times its weights. An RNN has one width for its own and the next
# matrix; the taps of a window count as one channel.
NETS = {
    "relu": (POINTS, (1.69, 1.69, 1.69), (5, 40, 30), lambda b, *N: mlp(2, ntk.Relu(), 1.3, b, *N)),
    "erf": (POINTS, (0.49, 0.49, 0.49, 0.49), (5, 40, 30, 20), lambda b, *N: mlp(3, ntk.Erf(), 0.7, b, *N)),
    "rnn": (
        TEXT, (0.81, 1.69), (64, 40),
        lambda b, *N: ntk.Serial(rnn(1.3, 0.9, b, *N), dense(1.3, b, *N[1:])),
    ),
    "attention": (
        TEXT, (2.89, 0.36, 1.21), (64, 30, 80),
        lambda b, *N: ntk.Serial(attention(0.6, 1.7, b, *N[:2]), ntk.Relu(), ntk.Flatten(), dense(1.1, b, *N[2:])),
    ),
    "window": (
        TEXT, (1.69 / 3, 2.89, 0.36, 1.21), (64, 40, 50, 30),
        lambda b, *N: ntk.Serial(conv(1.3, b, *N[:1]), ntk.Relu(), attention(0.6, 1.7, b, *N[1:3]),
                                 ntk.GlobalAvgPool(), dense(1.1, b, *N[3:])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("b", [0.0, 0.4])
@pytest.mark.parametrize("name", NETS)
def test_standard_is_ntk_with_learning_rates_layer_by_layer(name, b):
    """Θ_standard(N) = Σ_l N_l A_l + B and Θ_ntk = Σ_l s_l² A_l + b² B: descent in standard form at rate η is that of
    ntk at rates η N_l/s_l² and η/b². A_l is what doubling one width adds; that of the input by zeros, x √2 keeps K."""
    x, variances, widths, net = NETS[name]

    def theta(*N):
        longer = np.zeros((*x.shape[:-1], N[0]))
        longer[..., : x.shape[-1]] = x * (N[0] / x.shape[-1]) ** 0.5
        return net(b, *N).kernel(longer).ntk

    whole = theta(*widths)
    each = [theta(*(n * (1 + (i == l)) for i, n in enumerate(widths))) - whole for l in range(len(widths))]
    B = whole - sum(each)
    shares = sum(s2 / n * A for s2, n, A in zip(variances, widths, each, strict=True))
    slack = 100 * EPS * np.max(whole)  # of some ten sums of terms below that
    assert all(np.min(np.diag(A)) > 1e-3 * np.max(whole) for A in each)
    np.testing.assert_allclose(net(b).kernel(x).ntk, shares + b**2 * B, rtol=0, atol=slack)
    if b:
        assert np.min(np.diag(B)) >= 1  # the last bias adds 1, others what is left of them
    else:
        assert np.max(np.abs(B)) <= slack


def test_rates_that_are_one_leave_the_ntk_kernel():
    """fan_in = s² for every matrix (a square number W_std²) and b = 1: both kernels are the same floats' sums."""
    for depth, W in ((1, 2.0), (4, 3.0)):
        n = int(W**2)
        x = RNG.standard_normal((4, n))
        one = mlp(depth, ntk.Relu(), W, 1.0).kernel(x, x[:2])
        two = mlp(depth, ntk.Relu(), W, 1.0, *(n,) * (depth + 1)).kernel(x, x[:2])
        for name in ("nngp", "ntk"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-13)


@guards(ntk.mlp)
def test_mlp_in_standard_form_is_the_serial_network_it_stands_for():
    net = ntk.mlp(depth=2, activation=ntk.Relu(), W_std=1.2, b_std=0.1, parametrization="standard", widths=(5, 7, 9))
    act = ntk.Relu()
    assert net == ntk.serial(dense(1.2, 0.1, 5), act, dense(1.2, 0.1, 7), act, dense(1.2, 0.1, 9))
    assert mlp(1, act, 1.0, 0.0, *np.array([5, 7])).kernel(POINTS).ntk.shape == (3, 3)


def test_a_bias_that_starts_at_zero_is_a_tiny_b_std():
    """Its gradient is 1 for the last layer, whatever it starts from; b_std = 0 is no bias."""
    kernels = [mlp(1, ntk.Identity(), 1.0, b, 5, 8).kernel(POINTS) for b in (0.0, 1e-30)]
    np.testing.assert_array_equal(kernels[0].nngp, kernels[1].nngp)
    # Θ: 1 for the last bias, and W² = 1 times 1 for the first
    np.testing.assert_allclose(kernels[1].ntk - kernels[0].ntk, 2.0, rtol=1e-12)


# (layers of finite networks, width n and number of them, c): the mean is off by c/n of √(Θ_ii Θ_jj) at most, c the
# largest |bias| over the entries and two standard errors, from 6000 networks of widths 16 and 32 each, which agree. Not
# of one hidden layer: 0 at every width. TEXT has 64 channels and n is not 64, so that no two widths can be exchanged.
FINITE = {
    "one": (16, 1500, 0.0, (("dense", 1.3, 0.2), ("relu",), ("dense", 1.3, 0.2))),
    "relu": (96, 400, 0.65, (("dense", 1.3, 0.2), ("relu",)) * 2 + (("dense", 1.3, 0.2),)),
    "erf": (96, 300, 0.55, (("dense", 1.3, 0.2), ("erf",)) * 3 + (("dense", 1.3, 0.2),)),
    "rnn": (96, 300, 0.85, (("rnn", "erf", 1.3, 0.6, 0.2), ("dense", 1.3, 0.2))),
    "attention": (
        96, 250, 1.0,
        (("attention", 0.7, 1.2, 0.2, "softmax", 0.8), ("relu",), ("flatten",), ("dense", 1.1, 0.2)),
    ),
}  # fmt: skip


def at_width(name, n, x):
    """The closed form for finite networks FINITE[name] of width n, x (..., d) with d channels of its own."""
    d = x.shape[-1]
    if name in ("one", "relu", "erf"):
        depth = {"one": 1, "relu": 2, "erf": 3}[name]
        return mlp(depth, ntk.Erf() if name == "erf" else ntk.Relu(), 1.3, 0.2, d, *(n,) * depth).kernel(x).ntk
    if name == "rnn":
        return ntk.Serial(rnn(1.3, 0.6, 0.2, d, n), dense(1.3, 0.2, n)).kernel(x).ntk
    layers = (attention(1.2, 0.8, 0.2, d, n), ntk.Relu(), ntk.Flatten(), dense(1.1, 0.2, 4 * n))
    return ntk.Serial(*layers).kernel(x).ntk


@pytest.mark.parametrize("name", FINITE)
def test_finite_networks_have_this_kernel_on_average(name):
    """In an interval for each of 5 · 6 entries, level 1e-3 together, widened by c/n: 9 % of the scale at most. Rivals
    outside: 10 % more or less; one rate for all layers; and the input's fan_in taken as n."""
    n, networks, c, layers = FINITE[name]
    x = TEXT if name in ("rnn", "attention") else POINTS
    want = at_width(name, n, x)
    scale = np.sqrt(np.outer(np.diag(want), np.diag(want)))
    draws = exact.kernels(layers, x, width=n, seeds=range(networks), parametrization="standard")["ntk"] / scale
    low, high = fixed_mean_interval(draws, 1e-3 / 30)

    def inside(theta):
        return bool(np.all((low - c / n <= theta / scale) & (theta / scale <= high + c / n)))

    assert inside(want) and np.max(high - low) / 2 + c / n <= 0.09, np.max(high - low) / 2 + c / n
    longer = np.zeros((*x.shape[:-1], n))
    longer[..., : x.shape[-1]] = x * (n / x.shape[-1]) ** 0.5  # the same K
    ntk_form = exact.kernels(layers, x, width=n, seeds=range(networks))["ntk"].mean(axis=0)
    for rival in (1.1 * want, 0.9 * want, ntk_form * np.trace(want) / np.trace(ntk_form), at_width(name, n, longer)):
        assert not inside(rival)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ntk.mlp(depth=2, activation=ntk.Relu(), parametrization="standard"), ValueError, "needs 3 integers"),
        (lambda: mlp(2, ntk.Relu(), 1.0, 0.0, 5, 7), ValueError, r"widths is \(5, 7\).*needs 3 integers"),
        (lambda: ntk.mlp(depth=1, activation=ntk.Relu(), parametrization="standard", widths=128),  # pyright: ignore
         ValueError, "widths is 128.*needs 2 integers"),
        (lambda: mlp(1, ntk.Relu(), 1.0, 0.0, 5, 0), ValueError, "fan_in is 0"),
        (lambda: mlp(1, ntk.Relu(), 1.0, 0.0, 5, 7.0), ValueError, "fan_in is 7.0"),
        (lambda: ntk.mlp(depth=1, activation=ntk.Relu(), widths=(5, 7)), ValueError, "leave them out"),
        (lambda: ntk.mlp(depth=1, activation=ntk.Relu(), parametrization="mup", widths=(5, 7)), ValueError,
         "'ntk' or 'standard'"),
        (lambda: mlp(1, ntk.Relu(), 1.0, 0.0, 6, 7).kernel(POINTS), ValueError, "5 channels"),
        (lambda: ntk.Attention(parametrization="standard", fan_in=3), ValueError, "width is None"),
        (lambda: ntk.Attention(parametrization="standard", width=3), ValueError, "fan_in is None"),
        (lambda: ntk.Attention(width=3), ValueError, "leave it out"),
        (lambda: ntk.Attention(V_std=0.0), ValueError, "V_std"),
        (lambda: ntk.Attention(parametrization="mup"), ValueError, "'ntk' or 'standard'"),
        (lambda: ntk.Rnn(ntk.Erf(), parametrization="standard", fan_in=3), ValueError, "width is None"),
        (lambda: ntk.Rnn(ntk.Erf(), parametrization="standard", width=3), ValueError, "fan_in is None"),
        (lambda: ntk.Rnn(ntk.Erf(), fan_in=3), ValueError, "leave it out"),
        (lambda: ntk.Serial(rnn(1.0, 1.0, 0.0, 65, 8)).kernel(TEXT), ValueError, "64 channels"),
        (lambda: ntk.Serial(rnn(1.0, 1.0, 0.0, 64, 8), dense(1.0, 0.0, 9)).kernel(TEXT), ValueError, "8 channels"),
        (lambda: ntk.Serial(attention(1.0, 1.0, 0.0, 8, 8), ntk.Flatten()).kernel(TEXT), ValueError, "64 channels"),
    ],
)  # fmt: skip
def test_widths_that_are_missing_or_contradict_are_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()
