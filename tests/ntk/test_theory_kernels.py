"""Dense kernels: 50-digit values at every angle, laws, and one clear error for every wrong input."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf, ndtr

from corollary.testing import guards
from corollary.theory import ntk

ACTIVATIONS = [ntk.Relu(), ntk.LeakyRelu(0.1), ntk.Abs(), ntk.Erf(), ntk.Sin(), ntk.Identity(), ntk.Gelu()]
RELU_FAMILY = {"relu": (ntk.Relu(), 1, 0), "leaky": (ntk.LeakyRelu(0.1), 1, 0.1), "abs": (ntk.Abs(), 1, -1)}


def mp_kernels(x, y, depth, W, b, slopes):
    """NNGP and NTK of an a·relu(x) − c·relu(−x) network at 50 digits, from the very floats of x and y."""
    mp.mp.dps = 60
    up, down = (mp.mpf(s) for s in slopes)
    X, Y = ([mp.mpf(float(t)) for t in v] for v in (x, y))
    W2, b2, d = mp.mpf(W) ** 2, mp.mpf(b) ** 2, len(X)
    dot = lambda u, v: sum(p * q for p, q in zip(u, v, strict=True))  # noqa: E731
    q1, q2, k = (W2 * s / d + b2 for s in (dot(X, X), dot(Y, Y), dot(X, Y)))
    t = k
    for _ in range(depth):
        s = mp.sqrt(q1 * q2)
        # the angle through the cross product would lose nothing at 60 digits either: acos has 60 of them here
        angle = mp.acos(min(mp.mpf(1), max(mp.mpf(-1), k / s))) if s else mp.pi / 2
        J = (mp.sin(angle) + (mp.pi - angle) * mp.cos(angle)) / (2 * mp.pi)
        Jm = (mp.sin(angle) - angle * mp.cos(angle)) / (2 * mp.pi)
        squares = up**2 + down**2
        E = s * (squares * J - 2 * up * down * Jm)
        dE = squares * (mp.pi - angle) / (2 * mp.pi) + 2 * up * down * angle / (2 * mp.pi)
        half = squares / 2
        q1, q2, k, t = W2 * half * q1 + b2, W2 * half * q2 + b2, W2 * E + b2, W2 * dE * t
        t = t + k
    return k, t, mp.sqrt(q1 * q2)


ANGLES = [1e-11, 1e-8, 1e-6, 1e-4, 0.1, 1.0, 2.0, 2.5, 3.0, np.pi - 1e-4, np.pi - 1e-6, np.pi - 1e-8, np.pi - 1e-11]


@guards(ntk.mlp, ntk.Network.kernel)
@pytest.mark.parametrize("name", RELU_FAMILY)
@pytest.mark.parametrize("depth", [1, 3, 10])
@pytest.mark.parametrize("b_std", [0.0, 0.1, 1.0])
def test_relu_family_to_1e_12_at_every_angle(name, depth, b_std):
    """Relative to the value up to angle 2.5, relative to √(k(x,x) k(x′,x′)) beyond."""
    activation, up, down = RELU_FAMILY[name]
    x = np.array([[3.0, 0.0]])
    y = np.array([[0.7 * np.cos(g), 0.7 * np.sin(g)] for g in ANGLES])
    k = ntk.mlp(depth=depth, activation=activation, W_std=2**0.5, b_std=b_std).kernel(x, y)
    for i, angle in enumerate(ANGLES):
        nngp, tangent, scale = mp_kernels(x[0], y[i], depth, 2**0.5, b_std, (up, down))
        for got, want in ((k.nngp[0, i], nngp), (k.ntk[0, i], tangent)):
            size = abs(want) if angle <= 2.5 else scale * (depth + 1)
            assert abs(mp.mpf(float(got)) - want) <= mp.mpf("1e-12") * size, (angle, got, want)


@pytest.mark.parametrize("norms", [(1e-6, 1e4), (1e4, 1e4), (1e-6, 1e-6)])
def test_norms_from_1e_minus_6_to_1e_4(norms):
    x = np.array([[norms[0], 0.0]])
    y = np.array([[norms[1] * np.cos(g), norms[1] * np.sin(g)] for g in (1e-8, 1.0, 2.0)])
    k = ntk.mlp(depth=3, activation=ntk.Relu(), W_std=2**0.5, b_std=0.0).kernel(x, y)
    for i in range(3):
        nngp, tangent, _ = mp_kernels(x[0], y[i], 3, 2**0.5, 0.0, (1, 0))
        assert abs(float(k.nngp[0, i]) / float(nngp) - 1) <= 1e-12
        assert abs(float(k.ntk[0, i]) / float(tangent) - 1) <= 1e-12


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
    """E φ(u)φ(v) and E φ′(u)φ′(v) by Gauss–Legendre on [−9, 9]², whose error is below its rounding (400 nodes).

    1e-13: some 40 roundings of sums of order 1. The 50-digit comparison is in proofs_check/ntk.
    """
    z, w = np.polynomial.legendre.leggauss(400)
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
