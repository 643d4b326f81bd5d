"""Dense kernels: printed values, laws, and one clear error for every wrong input. Digits: test_theory_accuracy.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf, ndtr

from corollary.testing import guards
from corollary.theory import ntk

ACTIVATIONS = [ntk.Relu(), ntk.LeakyRelu(0.1), ntk.Abs(), ntk.Erf(), ntk.Sin(), ntk.Identity(), ntk.Gelu()]


def test_antiparallel_inputs_are_exactly_zero_after_one_layer_and_the_value_at_c_0_after_two():
    x = np.array([[0.3, -1.1, 0.4]])
    one = ntk.mlp(depth=1, activation=ntk.Relu()).kernel(x, -x)
    assert one.nngp[0, 0] == 0 and one.ntk[0, 0] == 0
    two = ntk.mlp(depth=2, activation=ntk.Relu()).kernel(x, -x)
    q = float(np.sum(x * x)) / 3 / 2  # variance of the second layer; c = 0 there: E = q/2π, E′ = 1/4 times Θ = 0
    assert two.nngp[0, 0] == pytest.approx(q / (2 * np.pi), rel=1e-15)
    assert two.ntk[0, 0] == pytest.approx(q / (2 * np.pi), rel=1e-15)


@guards(ntk.mlp, ntk.Network.kernel)
def test_figure_1_of_jacot_et_al():
    """Θ⁽⁴⁾ and Σ⁽⁴⁾ at angles 0, π/2, π with β = 0.1, to the digits they were computed to independently."""
    net = ntk.mlp(depth=3, activation=ntk.Relu(), W_std=1.0, b_std=0.1)
    x = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    k = net.kernel(x[:1], x)
    np.testing.assert_allclose(k.ntk[0], [0.2825, 0.092702, 0.064354], atol=5e-7)
    np.testing.assert_allclose(k.nngp[0], [0.08125, 0.0557603, 0.0480966], atol=5e-8)


PHI = {
    "Erf": (erf, lambda t: 2 / np.sqrt(np.pi) * np.exp(-t * t)),
    "Sin": (np.sin, np.cos),
    "Gelu": (lambda t: t * ndtr(t), lambda t: ndtr(t) + t * np.exp(-t * t / 2) / np.sqrt(2 * np.pi)),
}


@guards(ntk.Erf.dual, ntk.Sin.dual, ntk.Gelu.dual)
@pytest.mark.parametrize("name", PHI)
def test_smooth_duals_against_quadrature(name):
    """E φ(u)φ(v) and E φ′(u)φ′(v) by Gauss–Legendre on [−9, 9]², whose error is below its rounding (160 nodes).

    1e-13: some 40 roundings of sums of order 1. The 50-digit comparison is in proofs_check/ntk.
    """
    z, w = np.polynomial.legendre.leggauss(160)
    z, w = 9 * z, 9 * w * np.exp(-((9 * z) ** 2) / 2) / np.sqrt(2 * np.pi)
    for q1, q2, c in ((1.0, 1.0, 0.5), (0.3, 2.0, -0.6), (2.0, 0.5, 0.95)):
        u, v = np.sqrt(q1) * z[:, None], np.sqrt(q2) * (c * z[:, None] + np.sqrt(1 - c * c) * z[None, :])
        got = getattr(ntk, name)().dual(np.array(q1), np.array(q2), np.array(c * np.sqrt(q1 * q2)))
        for phi, value in zip(PHI[name], got, strict=True):
            assert abs(float(value) - w @ (phi(u) * phi(v)) @ w) <= 1e-13


vectors = st.lists(st.integers(-24, 24), min_size=6, max_size=6).map(lambda v: np.array(v).reshape(3, 2) / 8)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
@given(x=vectors)
def test_kernels_are_symmetric_positive_and_agree_with_the_plain_recursion(activation, x):
    net = ntk.mlp(depth=2, activation=activation, W_std=1.2, b_std=0.3)
    k = net.kernel(x)
    two = net.kernel(x, x + 0.0)
    assert np.array_equal(k.ntk, k.ntk.T) and np.array_equal(k.nngp, k.nngp.T)
    K = 1.44 * (x @ x.T) / 2 + 0.09
    T = K
    for _ in range(2):
        q = np.diag(K)
        E, dE = activation.dual(q[:, None], q[None, :], K)
        K, T = 1.44 * E + 0.09, 1.44 * dE * T
        T = T + K
    scale = np.sqrt(np.outer(np.diag(T), np.diag(T)))
    # the plain form takes the angle through arccos or a difference: √ε at parallel pairs, which is what the gap avoids
    for kernel, plain in ((k.nngp, K), (k.ntk, T), (two.ntk, T)):
        assert np.all(np.abs(kernel - plain) <= 1e-7 * scale)
        assert np.linalg.eigvalsh(kernel).min() >= -1e-13 * np.trace(kernel)


@given(vectors, st.floats(0.1, 10), st.floats(0, 6.28))
def test_relu_kernels_without_bias_are_homogeneous_and_rotation_invariant(x, scale, angle):
    net = ntk.mlp(depth=2, activation=ntk.Relu(), W_std=1.5)
    R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    k, turned = net.kernel(x), net.kernel(scale * x @ R.T)
    size = np.sqrt(np.outer(np.diag(k.ntk), np.diag(k.ntk)))
    # rotating moves every input by ε, which the kernel's kink at parallel inputs amplifies to √ε in the angle at worst
    assert np.all(np.abs(turned.ntk / scale**2 - k.ntk) <= 1e-7 * size)


def test_the_array_backends_agree(backend):
    x = np.random.default_rng(0).standard_normal((5, 3))
    for activation in ACTIVATIONS:
        net = ntk.mlp(depth=2, activation=activation, W_std=1.1, b_std=0.2)
        want = net.kernel(x)
        got = net.kernel(backend.asarray(x))
        for name in ("nngp", "ntk"):
            np.testing.assert_allclose(backend.numpy(getattr(got, name)), getattr(want, name), rtol=1e-12)


def test_zero_vectors_give_no_nan():
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    for activation in ACTIVATIONS:
        k = ntk.mlp(depth=2, activation=activation).kernel(x)
        assert np.isfinite(k.ntk).all() and np.isfinite(k.nngp).all()


NET = ntk.mlp(depth=1, activation=ntk.Relu())
X = np.ones((2, 3))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: NET.kernel([[1.0]]), TypeError, "numpy.asarray"),
        (lambda: NET.kernel(np.ones((2, 3), dtype=int)), TypeError, "float64"),
        (lambda: NET.kernel(np.full((2, 3), np.nan)), ValueError, "NaN"),
        (lambda: NET.kernel(np.ones((0, 3))), ValueError, "empty"),
        (lambda: NET.kernel(np.ones(3)), ValueError, "2 dimensions"),
        (lambda: NET.kernel(X, np.ones((2, 4))), ValueError, "4"),
        (lambda: NET.kernel(X, X.astype(np.float32)), TypeError, "float32"),
        (lambda: ntk.mlp(depth=0, activation=ntk.Relu()), ValueError, "depth"),
        (lambda: ntk.mlp(depth=1.5, activation=ntk.Relu()), TypeError, "depth"),  # pyright: ignore[reportArgumentType]
        (lambda: ntk.Dense(W_std=0.0), ValueError, "W_std"),
        (lambda: ntk.Dense(b_std=-1.0), ValueError, "b_std"),
        (lambda: ntk.serial(), (TypeError, ValueError), "Dense"),
        (lambda: ntk.serial(ntk.Dense(), ntk.Relu(), ntk.Relu()), ValueError, "closed form"),
    ],
)
def test_bad_input_is_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_numpy_and_another_namespace_in_one_call_is_an_error():
    from corollary.testing import strict_backend

    with pytest.raises(TypeError, match="one call"):
        NET.kernel(X, strict_backend().asarray(X))
