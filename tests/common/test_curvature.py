"""Curvature products against dense matrices made by complex-step differentiation of the definition."""

import numpy as np
import pytest
from scipy.special import erf, erfc

from corollary.sims.common import curvature
from corollary.sims.common.activations import Activation, activation
from corollary.sims.common.curvature import Curvature, flatten, unflatten
from corollary.sims.common.losses import cross_entropy, mse
from corollary.sims.common.networks import Network, Params, forward, init
from corollary.testing import guards, numpy_backend
from corollary.theory.spectra import softmax_head_hessian

PHI = {"tanh": np.tanh, "erf": erf, "gelu": lambda z: z * erfc(-z / np.sqrt(2)) / 2, "relu": lambda z: z * (z.real > 0)}
WIDTHS = (3, 4, 5, 3)
LABELS = np.array([0, 2, 1, 2, 0, 1])


def setup(backend, name="tanh", bias=True):
    net = Network(activation(name), 1.3, 0.4)
    params = init(WIDTHS, (2,), backend.xp, bias=bias, device=backend.device)
    rng = np.random.default_rng(3)
    return net, params, rng.standard_normal((6, 3)), rng.standard_normal((6, 3))


def point_losses(theta, name, x, y, loss, bias):
    """(N,) losses of the points, not averaged, as a function of all parameters (complex allowed): the definition."""
    shapes = [(m, n) for n, m in zip(WIDTHS, WIDTHS[1:], strict=False)]
    cuts = np.cumsum([m * n for m, n in shapes] + ([m for m, _ in shapes] if bias else []))
    parts = np.split(theta, cuts[:-1])
    a = x
    for l, shape in enumerate(shapes):
        z = 1.3 / np.sqrt(a.shape[1]) * a @ parts[l].reshape(shape).T + (0.4 * parts[3 + l] if bias else 0)
        a = PHI[name](z)
    if loss == "mse":
        return ((z - y) ** 2).sum(axis=1) / 2
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]


def gradients(theta, *rest):
    """(N, P) by complex step: no cancellation."""
    return np.stack([point_losses(theta + 1e-30j * e, *rest).imag / 1e-30 for e in np.eye(len(theta))], axis=1)


def dense(kind, theta, name, x, y, loss, bias):
    rest = (name, x, y, loss, bias)
    if kind == "gradient_covariance":
        g = gradients(theta, *rest)
        return g.T @ g / len(x) - np.outer(g.mean(axis=0), g.mean(axis=0))
    h = 1e-5  # central differences of exact gradients: error h² f⁗/6 + 1e-16/h, about 1e-10 each
    columns = [gradients(theta + h * e, *rest).mean(axis=0) - gradients(theta - h * e, *rest).mean(axis=0)
               for e in np.eye(len(theta))]  # fmt: skip
    return np.stack(columns, axis=1) / (2 * h)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize(
    ("kind", "name", "tolerance"),
    [("hessian", "tanh", 3e-9), ("hessian", "erf", 3e-9), ("hessian", "gelu", 3e-9), ("hessian", "relu", 3e-9),
     ("gradient_covariance", "tanh", 1e-13)],
)  # fmt: skip
def test_products_are_those_of_the_dense_matrix(backend, kind, name, loss, bias, tolerance):
    """Tolerances: `dense` is exact to rounding for the covariance, to central differences (1e-9) for the Hessian."""
    net, params, x, y = setup(backend, name, bias)
    target = LABELS if loss == "cross_entropy" else y
    host_target = backend.xp.asarray(LABELS, device=backend.device) if loss == "cross_entropy" else backend.asarray(y)
    operator = Curvature(net, params, backend.asarray(x), host_target, loss, kind)
    theta = backend.numpy(flatten(params))[0]
    got = backend.numpy(operator(backend.asarray(np.eye(operator.size))))
    np.testing.assert_allclose(got, dense(kind, theta, name, x, target, loss, bias), rtol=0, atol=tolerance)
    np.testing.assert_allclose(got, got.T, rtol=0, atol=1e-13)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_gauss_newton_is_the_hessian_of_the_linearised_network(backend, loss):
    """G = Σ_i J_iᵀ (∇²ℓ_i) J_i with J by complex step; for squares, H = G at zero residual."""
    net, params, x, y = setup(backend)
    X = backend.asarray(x)
    f = backend.numpy(forward(net, params, X).z[-1])[0]
    if loss == "mse":
        target, middle = backend.asarray(y), np.stack([np.eye(3)] * 6) / 6
    else:
        p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
        target = backend.xp.asarray(LABELS, device=backend.device)
        middle = (np.einsum("io,op->iop", p, np.eye(3)) - np.einsum("io,ip->iop", p, p)) / 6
    G = Curvature(net, params, X, target, loss, "gauss_newton")
    eye = backend.asarray(np.eye(G.size))
    J = backend.numpy(
        curvature.jvp(net, params, curvature.propagate(net, params, X), unflatten(eye, params))
    )  # (P, N, o)
    expected = np.einsum("aio,iop,bip->ab", J, middle, J)
    np.testing.assert_allclose(backend.numpy(G(eye)), expected, rtol=0, atol=1e-13)
    if loss == "mse":
        H = Curvature(net, params, X, backend.asarray(f), "mse")
        np.testing.assert_allclose(backend.numpy(H(eye)), expected, rtol=0, atol=1e-13)


@guards(softmax_head_hessian)
def test_softmax_head_hessian_in_closed_form(backend):
    """One linear layer: H = (1/N) Σ (diag p − p pᵀ) ⊗ a aᵀ, a the features: a block of the network's Hessian."""
    net, params, x, _ = setup(backend)
    X, xp = backend.asarray(x), backend.xp
    trace = forward(net, params, X)
    p = xp.exp(trace.z[-1][0, :, :])
    p = p / xp.sum(p, axis=1, keepdims=True)
    closed = backend.numpy(softmax_head_hessian(p, trace.a[-1][0, :, :] * (1.3 / 5**0.5)))
    start = 3 * 4 + 4 * 5  # the head's weights stand after two hidden layers'
    operator = Curvature(net, params, X, xp.asarray(LABELS, device=backend.device), "cross_entropy")
    whole = backend.numpy(operator(backend.asarray(np.eye(operator.size))))
    np.testing.assert_allclose(whole[start : start + 15, start : start + 15], closed, atol=1e-14)
    assert np.abs(closed @ np.tile(np.eye(5), (3, 1))).max() < 1e-15  # all logits alike: its kernel


@pytest.mark.parametrize(
    ("p", "z", "message"),
    [([[0.5, 0.5]], [[1.0], [2.0]], "1 rows of probabilities and 2 of features"), ([[0.5, 0.6]], [[1.0]], "sum to 1"),
     ([[1.5, -0.5]], [[1.0]], ">= 0")],
)  # fmt: skip
def test_softmax_head_refuses_what_is_no_probability(p, z, message):
    with pytest.raises(ValueError, match=message):
        softmax_head_hessian(np.array(p), np.array(z))


@pytest.mark.parametrize("kind", curvature.KINDS)
def test_chunks_of_points_change_nothing(backend, kind):
    net, params, x, y = setup(backend)
    V = backend.asarray(np.random.default_rng(0).standard_normal((59, 2)))
    whole = Curvature(net, params, backend.asarray(x), backend.asarray(y), "mse", kind)
    one_by_one = Curvature(net, params, backend.asarray(x), backend.asarray(y), "mse", kind, memory=1)
    np.testing.assert_allclose(backend.numpy(one_by_one(V)), backend.numpy(whole(V)), rtol=0, atol=1e-13)


def test_flatten_and_unflatten_are_inverse(backend):
    _, params, _, _ = setup(backend)
    flat = flatten(params)
    assert flat.shape == (1, 3 * 4 + 4 * 5 + 5 * 3 + 12)
    back = unflatten(flat, params)
    for group, same in zip(params, back, strict=True):
        for p, q in zip(group, same, strict=True):
            np.testing.assert_array_equal(backend.numpy(p), backend.numpy(q))


def test_cross_entropy_is_finite_for_any_logits():
    """Logits of ±1e4 give losses 0 and 2e4, not NaN."""
    f = np.array([[[1e4, -1e4]]])
    assert cross_entropy.value(f, np.array([0]))[0] == 0.0
    assert cross_entropy.value(f, np.array([1]))[0] == 2e4
    np.testing.assert_array_equal(cross_entropy.gradient(f, np.array([1])), [[[1.0, -1.0]]])


@pytest.mark.parametrize("loss", [mse, cross_entropy])
def test_loss_derivatives(loss):
    """Gradient and Hessian of ℓ in f by complex step and central differences."""
    rng = np.random.default_rng(1)
    f, y = rng.standard_normal((1, 4, 3)), rng.standard_normal((4, 3))
    y = np.array([0, 1, 2, 0]) if loss is cross_entropy else y
    u, h = rng.standard_normal(f.shape), 1e-5
    assert (
        abs((loss.value(f + h * u, y) - loss.value(f - h * u, y))[0] / (2 * h) - np.sum(loss.gradient(f, y) * u)) < 1e-9
    )
    difference = (loss.gradient(f + h * u, y) - loss.gradient(f - h * u, y)) / (2 * h)
    np.testing.assert_allclose(loss.hessian(f, y, u), difference, atol=1e-9)


NET, PARAMS, X, Y = setup(numpy_backend())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "hesian"}, ValueError, "kind = 'hesian'; expected one of hessian, gauss_newton"),
        ({"loss": "l2"}, ValueError, "loss = 'l2'; expected one of mse, cross_entropy"),
        ({"y": Y[:5]}, ValueError, r"mse: targets are float64 of shape \(5, 3\)"),
        ({"y": np.full((6, 3), np.nan)}, ValueError, "mse: targets hold NaN"),
        ({"loss": "cross_entropy", "y": Y}, ValueError, "labels are float64"),
        ({"loss": "cross_entropy", "y": LABELS + 1}, ValueError, "labels run from 1 to 3; expected 0 to 2"),
        ({"x": X[None]}, ValueError, r"x has shape \(1, 6, 3\); expected \(N, d\)"),
        ({"x": X[:, :2]}, ValueError, r"x has shape \(6, 2\)"),
        ({"params": init(WIDTHS, (1, 2), numpy_backend().xp)}, ValueError, "params hold 2 networks; expected one"),
        ({"net": Network(Activation("mine", np.tanh, np.cos))}, ValueError, "'mine' has no second derivative"),
    ],
)
def test_curvature_refuses(arguments, error, message):
    good = {"net": NET, "params": PARAMS, "x": X, "y": Y, "loss": "mse"}
    with pytest.raises(error, match=message):
        Curvature(**(good | arguments))


@pytest.mark.parametrize(
    ("V", "error", "message"),
    [
        (np.ones((58, 1)), ValueError, "V has 58 rows; the network has 59 parameters"),
        (np.ones(59), ValueError, "expected 2 dimensions"),
        (np.ones((59, 1), dtype=np.float32), TypeError, "V is float32"),
        (np.full((59, 1), np.nan), ValueError, "NaN"),
    ],
)
def test_products_refuse(V, error, message):
    with pytest.raises(error, match=message):
        Curvature(NET, PARAMS, X, Y, "mse")(V)


def test_params_of_a_network_without_biases_have_no_bias_rows():
    _, params, _, _ = setup(numpy_backend(), bias=False)
    assert isinstance(params, Params) and flatten(params).shape == (1, 47)
