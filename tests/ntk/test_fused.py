"""All layers at once in blocks, against the layers one by one, and when each is taken."""

import numpy as np
import pytest

from corollary.theory import ntk
from corollary.theory.ntk import fused

EPS = float(np.finfo(float).eps)
RNG = np.random.default_rng(8)


def plain(monkeypatch, net, *x):
    with monkeypatch.context() as m:
        m.setattr(fused, "applies", lambda layers, x: False)
        return net.kernel(*x)


def points():
    """300 vectors of several lengths, with duplicates, multiples, antipodes, near misses of both, and a zero."""
    base = RNG.standard_normal((120, 6)) * 10 ** RNG.uniform(-2, 2, (120, 1))
    near = base[:60] * (1 + 1e-5 * RNG.standard_normal((60, 6)))
    return np.concatenate([base, base[:40], -3 * base[:40], near, -near[:39], np.zeros((1, 6))])


NETS = [
    ntk.mlp(depth=3, activation=ntk.Relu(), W_std=2**0.5),
    ntk.mlp(depth=10, activation=ntk.Relu(), W_std=1.4, b_std=0.3),
    ntk.mlp(depth=40, activation=ntk.Abs(), W_std=1.0, b_std=1.0),  # cosines come so near to 1 that blocks are redone
    ntk.mlp(depth=4, activation=ntk.LeakyRelu(-3.0), W_std=0.5, b_std=0.1),
    ntk.mlp(depth=3, activation=ntk.Identity(), W_std=1.2, b_std=0.2),
    ntk.serial(ntk.Dense(1.3), ntk.ABRelu(0.2, 1.5), ntk.Dense(0.7, 0.4), ntk.Dense(1.1, 0.2), ntk.Relu()),
    ntk.serial(ntk.Dense(0.7, 0.5)),
]


@pytest.mark.parametrize("net", NETS, ids=range(len(NETS)))
@pytest.mark.parametrize("two", [False, True])
def test_blocks_of_all_layers_agree_with_the_layers_one_by_one(monkeypatch, net, two):
    """An angle wrong by ε/sin θ, sin θ >= 0.0045 beyond the first layer: 5e-14 of √(k k') a layer at worst; and b = 0
    zeros stay zeros. The number of rows is no multiple of a block."""
    x = points()
    arguments = (x, x[50:290] * 1.0) if two else (x,)
    got, want = net.kernel(*arguments), plain(monkeypatch, net, *arguments)
    own = plain(monkeypatch, net, x)
    for name in ("nngp", "ntk"):
        left = np.sqrt(np.diag(getattr(own, name)))
        scale = np.outer(left, left[50:290] if two else left)
        assert np.all(np.abs(getattr(got, name) - getattr(want, name)) <= 1e-12 * scale)
        if not two:
            assert np.array_equal(getattr(got, name), getattr(got, name).T)
            np.testing.assert_allclose(np.diag(getattr(got, name)), np.diag(getattr(want, name)), rtol=40 * EPS)


def test_arccos_without_the_exceptions_would_fail_that_test(monkeypatch):
    """With every pair sent through arccos, inputs at angles of 1e-6 are off by ε/θ = 2e-10."""
    net, base = NETS[0], RNG.standard_normal((60, 6))
    x = np.concatenate([base, base * (1 + 1e-6 * RNG.standard_normal((60, 6)))])
    want = plain(monkeypatch, net, x)
    monkeypatch.setattr(fused, "_NEAR", 1 - 1e-13)
    monkeypatch.setattr(fused, "_least_gap", lambda dtype: 0.0)
    scale = np.sqrt(np.outer(np.diag(want.ntk), np.diag(want.ntk)))
    assert np.max(np.abs(net.kernel(x).ntk - want.ntk) / scale) > 1e-12


@pytest.mark.parametrize("rows", [1, 127, 128, 129, 257, 400])
def test_block_borders_do_not_show(rows):
    """Any number of rows gives the kernel's own sub-matrix, up to the rounding of the matrix product."""
    x = RNG.standard_normal((400, 5))
    whole, part = NETS[1].kernel(x).ntk, NETS[1].kernel(x[:rows]).ntk
    np.testing.assert_allclose(part, whole[:rows, :rows], rtol=200 * EPS)


def test_a_bias_below_the_floats_and_an_activation_that_is_zero_are_no_nan():
    """b² = 1e-50 is 0 in float32; φ = 0 leaves the bias alone, in dense networks and at 64 positions."""
    x = np.array([[0.0, 0.0], [1.0, 2.0]], dtype=np.float32)
    k = ntk.mlp(depth=2, activation=ntk.Relu(), b_std=1e-25).kernel(x)
    assert np.array_equal(k.ntk[0], [0, 0]) and k.ntk[1, 1] > 0
    nothing = ntk.mlp(depth=1, activation=ntk.ABRelu(0.0, 0.0), b_std=0.5).kernel(x.astype(float))
    np.testing.assert_array_equal(nothing.ntk, np.full((2, 2), 0.25))
    images = RNG.standard_normal((2, 64, 1))
    flat = ntk.Serial(ntk.Conv((3,)), ntk.ABRelu(0.0, 0.0), ntk.Flatten(), ntk.Dense(1.0, 0.5)).kernel(images)
    np.testing.assert_array_equal(flat.ntk, np.full((2, 2), 0.25))


def test_smooth_or_standard_networks_take_the_other_way():
    assert fused.applies(NETS[0].layers, np.ones((1, 1)))
    assert not fused.applies(ntk.mlp(depth=1, activation=ntk.Erf()).layers, np.ones((1, 1)))
    assert not fused.applies((ntk.Dense(1.0, 0.0, "standard", 3),), np.ones((1, 1)))
    assert not fused.applies(NETS[0].layers, [1.0])


def test_memory_beside_the_result_is_small():
    """Peak within 1.3 times both results, n = 1200, d = 100: unit vectors are 0.04 of them."""
    import tracemalloc

    x = RNG.standard_normal((1200, 100))
    tracemalloc.start()
    k = NETS[1].kernel(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 1.3 * (k.nngp.nbytes + k.ntk.nbytes)
