"""How layers compose: deep linear networks, readouts and features in closed form, and compositions without one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards, strict_backend
from corollary.theory import ntk

EPS = float(np.finfo(float).eps)
X = np.random.default_rng(6).standard_normal((5, 3))
GRAM = X @ X.T / 3


@given(depth=st.integers(1, 6), W=st.floats(0.3, 2), b=st.floats(0, 1.5))
def test_a_deep_linear_network_has_the_geometric_kernels(depth, W, b):
    """Identity layers: K = W^{2L}G + b²(1 + W² + …), and Θ = Σ_l W^{2(L−l)} K_l over the L = depth + 1 Dense layers."""
    layers = depth + 1
    K = [W ** (2 * l) * GRAM + b**2 * sum(W ** (2 * j) for j in range(l)) for l in range(1, layers + 1)]
    theta = sum(W ** (2 * (layers - l)) * K[l - 1] for l in range(1, layers + 1))
    through_identity = ntk.mlp(depth=depth, activation=ntk.Identity(), W_std=W, b_std=b).kernel(X)
    dense_only = ntk.serial(*[ntk.Dense(W, b)] * layers).kernel(X)
    for k in (through_identity, dense_only):
        size = np.sqrt(np.outer(np.diag(theta), np.diag(theta)))
        assert np.all(np.abs(k.nngp - K[-1]) <= 40 * layers * EPS * size)
        assert np.all(np.abs(k.ntk - theta) <= 40 * layers * EPS * size)


def test_mlp_is_the_serial_network_it_stands_for():
    act, dense = ntk.Gelu(), ntk.Dense(1.2, 0.3)
    a, b = ntk.mlp(depth=2, activation=act, W_std=1.2, b_std=0.3), ntk.serial(dense, act, dense, act, dense)
    assert a == b and np.array_equal(a.kernel(X).ntk, b.kernel(X).ntk)


@guards(ntk.serial, ntk.Dense.step, ntk.Dense.variance, ntk.Network.kernel)
def test_layers_may_differ():
    """W_std, b_std and φ of each layer enter where they stand: one hidden layer by hand, head W = 0.7, b = 0.5."""
    k = ntk.serial(ntk.Dense(1.5, 0.2), ntk.Erf(), ntk.Dense(0.7, 0.5)).kernel(X)
    K0 = 2.25 * GRAM + 0.04
    q = np.diag(K0)
    E, dE = ntk.Erf().dual(q[:, None], q[None, :], K0)
    np.testing.assert_allclose(k.nngp, 0.49 * E + 0.25, rtol=1e-13)
    np.testing.assert_allclose(k.ntk, 0.49 * E + 0.25 + 0.49 * dE * K0, rtol=1e-13)


def test_a_network_that_ends_in_an_activation_has_the_kernels_of_its_features():
    """One more Dense with W = 1, b = 0 maps (E, E'Θ) to (E, E + E'Θ)."""
    features = ntk.serial(ntk.Dense(1.3, 0.4), ntk.Relu())
    k, head = features.kernel(X), ntk.serial(*features.layers, ntk.Dense(1.0, 0.0)).kernel(X)
    np.testing.assert_allclose(head.nngp, k.nngp, rtol=4 * EPS)
    np.testing.assert_allclose(head.ntk, k.nngp + k.ntk, rtol=4 * EPS)


@guards(ntk.Relu.dual)
def test_relu_dual_has_the_textbook_values():
    """Dual activation of Daniely et al.: σ̂(−1, 0, ½, 1) and the arc-cosine kernel of order 0, half of both."""
    one, rho = np.ones(1), np.array([-1.0, 0.0, 0.5, 1.0])
    E, dE = ntk.Relu().dual(one, one, rho)
    np.testing.assert_allclose(E, [0, 0.5 / np.pi, (3**0.5 / 2 + np.pi / 3) / (2 * np.pi), 0.5], atol=2 * EPS)
    np.testing.assert_allclose(dE, [0, 0.25, 1 / 3, 0.5], atol=2 * EPS)
    big = ntk.Relu().dual(4 * one, 9 * one, 6 * rho)  # homogeneous of degree one in each argument
    np.testing.assert_allclose(big[0], 6 * E, atol=12 * EPS)


@guards(ntk.LeakyRelu.dual)
@given(st.floats(-3, 3), st.floats(-0.99, 0.99))
def test_leaky_relu_is_a_mixture_of_relu_at_both_signs(a, c):
    """φ = relu(x) − a relu(−x): E = (1 + a²)E_relu(c) − 2a E_relu(−c), and the same with + for φ'."""
    one, k = np.ones(1), np.array([c])
    E, dE = ntk.LeakyRelu(a).dual(one, one, k)
    (P, dP), (M, dM) = ntk.Relu().dual(one, one, k), ntk.Relu().dual(one, one, -k)
    assert abs(E - ((1 + a * a) * P - 2 * a * M)) <= 20 * EPS * (1 + abs(a)) ** 2
    assert abs(dE - ((1 + a * a) * dP + 2 * a * dM)) <= 20 * EPS * (1 + abs(a)) ** 2


@guards(ntk.squared_backprop)
def test_a_readout_by_the_mean_sees_the_weights_it_came_from():
    """ReLU: 1/2 + 1/(2π) with v = 1, 1/2 with centred signs; linear networks, φ'' = 0, are never affected."""
    q = 0.5
    moments = (0.5, 1 / np.sqrt(2 * np.pi * q), q)
    assert ntk.squared_backprop(*moments, readout_mean=1, readout_square=1) == pytest.approx(0.5 + 0.5 / np.pi)
    assert ntk.squared_backprop(*moments, readout_mean=0, readout_square=1) == 0.5
    assert ntk.squared_backprop(1, 0, 3, readout_mean=2, readout_square=4, W_std=2) == 16
    with pytest.raises(ValueError, match="below the square"):
        ntk.squared_backprop(*moments, readout_mean=2, readout_square=1)


def test_special_slopes_are_the_other_activations():
    for slope, same in ((0.0, ntk.Relu()), (1.0, ntk.Identity()), (-1.0, ntk.Abs())):
        leaky = ntk.mlp(depth=2, activation=ntk.LeakyRelu(slope), b_std=0.3).kernel(X)
        np.testing.assert_array_equal(leaky.ntk, ntk.mlp(depth=2, activation=same, b_std=0.3).kernel(X).ntk)


def test_permuting_points_permutes_the_kernel():
    order = np.array([3, 1, 4, 0, 2])
    net = ntk.mlp(depth=3, activation=ntk.Sin(), W_std=1.4, b_std=0.2)
    k = net.kernel(X).ntk
    # only the matrix product may round differently
    np.testing.assert_allclose(net.kernel(X[order]).ntk, k[np.ix_(order, order)], rtol=0, atol=50 * EPS * k.max())


one, NET = np.ones(1), ntk.mlp(depth=1, activation=ntk.Relu())
STRICT = strict_backend()


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: ntk.serial(), ValueError, "no layer"),
        (lambda: ntk.serial(ntk.Relu(), ntk.Dense()), ValueError, "expected ntk.Dense"),
        (lambda: ntk.serial(ntk.Dense(), ntk.Relu), TypeError, r"write Relu\(\)"),  # pyright: ignore
        (lambda: ntk.serial(ntk.Dense(), "relu"), TypeError, "an activation"),  # pyright: ignore
        (lambda: ntk.mlp(depth=True, activation=ntk.Relu()), TypeError, "depth"),
        (lambda: ntk.mlp(depth=-2, activation=ntk.Relu()), ValueError, r"ntk.serial\(ntk.Dense"),
        (lambda: ntk.Dense(W_std=-1.0), ValueError, "finite and positive"),
        (lambda: ntk.Dense(W_std=np.nan), ValueError, "W_std"),
        (lambda: ntk.Dense(W_std="2"), TypeError, "real number"),  # pyright: ignore[reportArgumentType]
        (lambda: ntk.Dense(b_std=np.inf), ValueError, "b_std"),
        (lambda: ntk.LeakyRelu(np.nan), ValueError, "slope"),
        (lambda: NET.kernel(np.full((1, 1), np.inf)), ValueError, "infinite"),
        (lambda: NET.kernel(STRICT.asarray(X), STRICT.xp.asarray(X)), TypeError, "move both to one device"),
        (lambda: ntk.Kernel(np.ones((2, 2)), np.ones((2, 3))), ValueError, "one shape"),
        (lambda: ntk.Kernel(np.ones((2, 2)), np.ones((2, 2), np.float32)), TypeError, "dtypes differ"),
        (lambda: ntk.Kernel(np.ones(2), np.ones(2)), ValueError, "2 dimensions"),
        (lambda: ntk.Erf().dual(-one, one, one), ValueError, "negative variance"),
        (lambda: ntk.Sin().dual(one, one, 2 * one), ValueError, "exceeds"),
        (lambda: ntk.Gelu().dual(one, one, one * np.nan), ValueError, "NaN"),
        (lambda: ntk.Relu().dual(1.0, 1.0, 0.5), TypeError, "expected a NumPy"),
    ],
)
def test_bad_layers_and_arguments_are_one_clear_error(call, error, words):
    with pytest.raises(error, match=words):
        call()
