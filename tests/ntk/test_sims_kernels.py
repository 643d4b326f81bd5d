"""Empirical kernels and linearised descent against twins built from Jacobians."""

import math

import numpy as np
import pytest

from corollary.sims.common.activations import activation
from corollary.sims.common.networks import Network, Params, backward, forward, init
from corollary.sims.ntk.empirical import conditional_nngp, empirical_ntk
from corollary.sims.ntk.linearised import linearised_descent, linearised_outputs
from corollary.testing import numpy_backend

# sums of a few dozen products O(1) through three layers; cushioned tenfold
TOLERANCE = 1e-13


def setup(backend, name="erf", widths=(3, 6, 5, 1), bias=True, seeds=(4, 5), points=4):
    net = Network(activation(name), 1.4, 0.3)
    params = init(widths, seeds, backend.xp, bias=bias, device=backend.device)
    rng = np.random.default_rng(1)
    x1, x2 = (backend.asarray(rng.standard_normal((n, widths[0]))) for n in (points, 2))
    return net, params, x1, x2


def jacobian(backend, net, params, x, s):
    """(N, o, P): row by row from `backward`, whose rows tests/common checks by complex step."""
    f = forward(net, params, x)
    N, o = f.z[-1].shape[1:]
    rows = np.empty((N, o, sum(int(np.prod(p.shape[1:])) for g in params for p in g)))
    for i in range(N):
        for k in range(o):
            df = np.zeros(f.z[-1].shape)
            df[:, i, k] = 1
            g = backward(net, params, f, backend.asarray(df))
            rows[i, k] = np.concatenate([backend.numpy(p)[s].ravel() for group in g for p in group])
    return rows


@pytest.mark.parametrize("bias", [True, False])
def test_the_standard_kernel_divides_the_gradients_by_the_standard_deviations(backend, bias):
    """Θ = J Jᵀ with J in ω = s w: that of `backward` over s = W_std/√n_l and b_std, weights first, as in `Params`."""
    net, params, x1, x2 = setup(backend, bias=bias)
    got = backend.numpy(empirical_ntk(net, params, x1, x2, parametrization="standard"))
    s = [np.full(math.prod(W.shape[1:]), net.W_std / W.shape[2] ** 0.5) for W in params.W]
    s = np.concatenate([*s, *(np.full(b.shape[1], net.b_std) for b in params.b)])
    for i in range(2):
        J1, J2 = (jacobian(backend, net, params, x, i)[:, 0] / s for x in (x1, x2))
        np.testing.assert_allclose(got[i], J1 @ J2.T, rtol=0, atol=10 * TOLERANCE)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ["erf", "relu"])
def test_the_kernel_is_the_gram_matrix_of_the_jacobian(backend, name, bias):
    """Θ = J Jᵀ for each replicate, between two sets and on one, for every way to treat several outputs."""
    net, params, x1, x2 = setup(backend, name, widths=(3, 6, 5, 2), bias=bias)
    full = backend.numpy(empirical_ntk(net, params, x1, x2, outputs="full"))
    mean = backend.numpy(empirical_ntk(net, params, x1, x2, outputs="mean"))
    own = backend.numpy(empirical_ntk(net, params, x1, outputs="full"))
    for s in range(2):
        J1, J2 = (jacobian(backend, net, params, x, s) for x in (x1, x2))
        np.testing.assert_allclose(full[s], np.einsum("ikp,jmp->ikjm", J1, J2), rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(mean[s], np.einsum("ikp,jkp->ij", J1, J2) / 2, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(own[s], np.einsum("ikp,jmp->ikjm", J1, J1), rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(own, own.transpose(0, 3, 4, 1, 2))


def test_one_output_drops_its_axis_and_is_exactly_symmetric(backend):
    net, params, x1, _ = setup(backend)
    theta = backend.numpy(empirical_ntk(net, params, x1))
    np.testing.assert_allclose(
        theta, backend.numpy(empirical_ntk(net, params, x1, outputs="full"))[:, :, 0, :, 0], rtol=0, atol=TOLERANCE
    )
    np.testing.assert_array_equal(theta, theta.transpose(0, 2, 1))


@pytest.mark.parametrize("bias", [True, False])
def test_the_conditional_nngp_is_the_covariance_over_the_last_layer(backend, bias):
    """With f = Σ c_i ξ_i in the last layer's weights ξ, its covariance is Σ c_i c_i′; c_i is f for a unit vector ξ."""
    net, params, x1, x2 = setup(backend, bias=bias)
    got = backend.numpy(conditional_nngp(net, params, x1, x2))
    width = params.W[-1].shape[2]
    expected = np.zeros_like(got)
    for i in range(width + (1 if bias else 0)):
        W, b = np.zeros((2, 1, width)), np.zeros((2, 1))
        (W[:, 0] if i < width else b)[:, i if i < width else 0] = 1
        one = Params((*params.W[:-1], backend.asarray(W)), (*params.b[:-1], backend.asarray(b)) if bias else ())
        f1, f2 = (backend.numpy(forward(net, one, x).z[-1])[:, :, 0] for x in (x1, x2))
        expected += f1[:, :, None] * f2[:, None, :]
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


def test_the_kernel_refuses_what_it_cannot_mean():
    net, params, x1, _ = setup(numpy_backend(), widths=(3, 4, 2))
    with pytest.raises(ValueError, match="the networks have 2 outputs; ask for outputs='mean' or outputs='full'"):
        empirical_ntk(net, params, x1)
    with pytest.raises(ValueError, match="outputs = 'sum'; expected"):
        empirical_ntk(net, params, x1, outputs="sum")
    with pytest.raises(ValueError, match="parametrization is 'mup'; expected 'ntk'"):
        empirical_ntk(net, params, x1, outputs="mean", parametrization="mup")
    with pytest.raises(ValueError, match=r"x2 has shape \(4, 2\)"):
        empirical_ntk(net, params, x1, x1[:, :2], outputs="mean")


def test_linearised_descent_is_kernel_descent(backend):
    """f_t − y = (1 − ηΘ/N)ᵗ(f_0 − y) with Θ of the Jacobians, and off the training set f moves by Θ(x, X) times the sum
    of the residuals."""
    net, params, x1, x2 = setup(backend)
    y = np.array([[1.0], [-1.0], [0.5], [2.0]])
    path = {}
    eta, steps = 0.4, 12
    end = linearised_descent(
        net, params, x1, backend.asarray(y), learning_rate=eta, steps=steps, record_at=[0, 5, steps],
        record=lambda t, displacement, f: path.update({t: backend.numpy(f).copy()}),
    )  # fmt: skip
    off = backend.numpy(linearised_outputs(net, params, end.displacement, x2))
    start, start_off = (backend.numpy(forward(net, params, x).z[-1]) for x in (x1, x2))
    for s in range(2):
        J1, J2 = (jacobian(backend, net, params, x, s)[:, 0] for x in (x1, x2))
        step = np.eye(4) - eta * J1 @ J1.T / 4
        residuals = [np.linalg.matrix_power(step, t) @ (start[s] - y) for t in range(steps + 1)]
        for t in (0, 5, steps):
            np.testing.assert_allclose(path[t][s], y + residuals[t], rtol=0, atol=10 * TOLERANCE)
        moved = start_off[s] - eta * J2 @ J1.T @ sum(residuals[:-1]) / 4
        np.testing.assert_allclose(off[s], moved, rtol=0, atol=10 * TOLERANCE)
    np.testing.assert_array_equal(backend.numpy(end.f), path[steps])
