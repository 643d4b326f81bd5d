"""Each layer with positions, on random moments, against its definition written as plain sums over positions."""

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import ntk
from corollary.theory.ntk import fields
from corollary.theory.ntk.fields import Field

RNG = np.random.default_rng(1)


def field(length, n=2):
    """Moments of n inputs with `length` positions, and a tangent kernel of the same kind."""
    a, b = (RNG.standard_normal((n, length, 6)) for _ in range(2))
    k, t = (np.einsum("ipc,jqc->ijpq", z, z) for z in (a, b))
    own = np.einsum("ipc,iqc->ipq", a, a)
    return Field(k, t, own, own.copy(), (length,), True)


def same(got, want):
    """64 roundings of sums of numbers of order 1 to 30."""
    for name in ("k", "t", "own1", "own2"):
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-13, atol=1e-13)


def both(x, f, W2=1.0, b2=0.0, dense=False):
    out = {name: W2 * f(getattr(x, name)) + b2 for name in ("k", "own1", "own2")}
    t = (out["k"] if dense else 0) + W2 * f(x.t)
    return Field(out["k"], t, out["own1"], out["own2"], x.shape, x.diagonal)


@guards(ntk.Conv.field)
@pytest.mark.parametrize("stride", [1, 2])
def test_conv_is_the_sum_over_its_taps(stride):
    """Window 3, SAME: zero padding, one on each side at stride 1; at stride 2 and length 4 only at the end."""
    x, left = field(4), 1 if stride == 1 else 0

    def taps(A):
        m = 4 // stride
        out = np.zeros((*A.shape[:-2], m, m))
        for p in range(m):
            for q in range(m):
                for tap in range(3):
                    i, j = p * stride + tap - left, q * stride + tap - left
                    if 0 <= i < 4 and 0 <= j < 4:
                        out[..., p, q] += A[..., i, j] / 3
        return out

    same(ntk.Conv((3,), 1.3, 0.2, strides=(stride,)).field(x), both(x, taps, 1.69, 0.04, dense=True))


@guards(ntk.AvgPool.field, ntk.GlobalAvgPool.field, ntk.Flatten.field)
def test_pooling_and_flattening_are_means():
    x = field(4)

    def pooled(A):
        return A.reshape(*A.shape[:-2], 2, 2, 2, 2).mean(axis=(-1, -3))

    same(ntk.AvgPool((2,)).field(x), both(x, pooled))
    same(ntk.GlobalAvgPool().field(x), both(x, lambda A: A.mean(axis=(-1, -2), keepdims=True)))
    diagonal = ntk.Flatten().field(x)
    same(diagonal, both(x, lambda A: np.einsum("...pp->...", A)[..., None, None] / 4))
    two = x._replace(shape=(2, 2))
    same(ntk.AvgPool((2, 2)).field(two), ntk.GlobalAvgPool().field(x))


@guards(ntk.LayerNorm.field, ntk.Dropout.field)
def test_layer_norm_divides_by_the_norms_and_dropout_raises_the_diagonal():
    x = field(3)
    r = np.sqrt(np.einsum("ipp->ip", x.own1))
    pair = np.einsum("ip,jq->ijpq", r, r)
    own = x.own1 / np.einsum("ip,iq->ipq", r, r)
    same(ntk.LayerNorm().field(x), Field(x.k / pair, x.t / pair, own, own, x.shape, True))
    factor = np.ones_like(x.k)
    for i in range(2):
        for p in range(3):
            factor[i, i, p, p] = 1 / 0.8
    own = x.own1 * factor[0, 0]
    same(ntk.Dropout(0.8).field(x), Field(x.k * factor, x.t * factor, own, own, x.shape, True))


@guards(ntk.Attention.field)
@pytest.mark.parametrize("standard", [{}, {"parametrization": "standard", "fan_in": 7, "width": 5}])
@pytest.mark.parametrize("nonlinearity", ["softmax", "identity"])
def test_attention_mixes_with_the_deterministic_scores(nonlinearity, standard):
    """A matrix adds the mixed features times its entries' variance (k/k) or, standard, its fan_in (k over variance)."""
    x = field(3)
    G = 0.3 * x.own1
    if nonlinearity == "softmax":
        G = np.exp(G) / np.exp(G).sum(axis=-1, keepdims=True)
    k, t = (1.44 * 0.64 * np.einsum("ipr,ijrs,jqs->ijpq", G, A, G) for A in (x.k, x.t))
    own = 1.44 * 0.64 * np.einsum("ipr,irs,iqs->ipq", G, x.own1, G) + 0.01
    got = ntk.Attention(0.3, 1.2, 0.1, nonlinearity, V_std=0.8, **standard).field(x)
    added = (7 / 0.64 + 5 / 1.44) * k + 1 if standard else 2 * k + 0.01
    same(got, Field(k + 0.01, added + t, own, own, x.shape, True))


@guards(ntk.Rnn.field)
@pytest.mark.parametrize("standard", [{}, {"parametrization": "standard", "fan_in": 7, "width": 5}])
def test_rnn_is_the_recursion_over_time(standard):
    """S_t = W²E[φφ] + U²X_tt + b², Θ_t = S_t + W²E[φ'φ']Θ_{t−1} + U²Θ^X_tt, both written with erf's dual; standard:
    the matrices add 5 E[φφ] and 7 X_tt, the bias 1."""
    x = field(3)
    S = T = own = np.zeros(())
    for t in range(3):
        X, TX, O = (A[..., t, t] for A in (x.k, x.t, x.own1))
        if t == 0:
            S, own, T = 0.81 * X + 0.04, 0.81 * O + 0.04, 0.81 * TX
            added = 7 * X + 1
        else:
            E, slope = ntk.Erf().dual(own[:, None], own[None, :], S)
            S, T = 1.21 * E + 0.81 * X + 0.04, 1.21 * slope * T + 0.81 * TX
            own = 1.21 * ntk.Erf().variance(own)[0] + 0.81 * O + 0.04
            added = 5 * E + 7 * X + 1
        T = T + (added if standard else S)
    E, slope = ntk.Erf().dual(own[:, None], own[None, :], S)
    V = ntk.Erf().variance(own)[0][:, None, None]
    got = ntk.Rnn(ntk.Erf(), 1.1, 0.9, 0.2, **standard).field(x)
    want = Field(E[..., None, None], (slope * T)[..., None, None], V, V, (), True)
    for name in ("k", "t", "own1", "own2"):  # (1 + q) ε of erf's dual on the diagonal, q < 20
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("activation", [ntk.Relu(), ntk.LeakyRelu(-0.3), ntk.Abs(), ntk.Identity()], ids=str)
def test_many_positions_take_slices_that_stay_in_cache(monkeypatch, activation):
    """64 positions and more: same expectations as the general step, both with √ε of the angle near parallel at worst,
    so 1e-7 of the scale there; and exact for an input with itself and for features that vanish."""
    x = field(70)
    zero = np.ones(70)
    zero[5] = 0
    x = x._replace(
        **{name: getattr(x, name) * np.multiply.outer(zero, zero) for name in ("k", "t", "own1", "own2")},
        diagonal=False,
    )
    got = fields.activated(x, activation)
    monkeypatch.setattr(fields, "_MANY", 10**9)
    want = fields.activated(x, activation)
    size = float(np.max(want.own1))
    for name in ("k", "own1"):
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=0, atol=1e-13 * size)
    np.testing.assert_allclose(got.t, want.t, rtol=0, atol=1e-7 * float(np.max(np.abs(want.t))))
    diagonal = np.einsum("ipp->ip", got.own1)
    np.testing.assert_allclose(diagonal, activation.variance(np.einsum("ipp->ip", x.own1))[0], rtol=4e-16 * 4)
    assert np.all(diagonal[:, 5] == 0)
