"""Permutations from basis vectors: closed forms against the kernel machinery, ensembles against Gaussian tails."""

import numpy as np
import pytest
from scipy.special import ndtr

from corollary.testing import guards
from corollary.theory import ntk
from corollary.theory.ntk import permutations


@guards(permutations.permutation_prediction)
@pytest.mark.parametrize(("k", "ones"), [(4, 2), (7, 3), (10, 9), (6, 6)])
def test_prediction_is_gradient_flow_of_the_network(k, ones):
    """Mean and variance at t = ∞ of the kernel of the depth-1 ReLU network, and its NNGP posterior."""
    net, x = ntk.mlp(depth=1, activation=ntk.Relu()), np.eye(k)
    z = np.where(np.arange(k) < ones, 1.0, 0.0)[None, :] / ones**0.5
    train, cross, own = net.kernel(x), net.kernel(z, x), net.kernel(z)
    flow = ntk.gradient_flow(train, np.eye(k), 1.0)
    p = permutations.permutation_prediction(k, ones)
    mean = flow.mean(np.inf, cross)[0]
    # conditions of both matrices are below 20: some hundred roundings of numbers of order one
    np.testing.assert_allclose(mean, np.where(np.arange(k) < ones, p.on, p.off), atol=1e-12)
    np.testing.assert_allclose(flow.covariance(np.inf, cross, own)[0, 0], p.variance, atol=1e-13)
    q, bayes = permutations.permutation_prediction(k, ones, "nngp"), ntk.posterior(
        train.nngp, np.eye(k), cross.nngp, own.nngp
    )  # fmt: skip
    np.testing.assert_allclose([bayes.mean[0, 0], bayes.covariance[0, 0]], [q.on, q.variance], atol=1e-12)


@guards(permutations.permutation_ensemble)
def test_the_ensemble_suffices_and_is_the_stated_size():
    """N models fail with probability at most δ; at k = 10, two ones: 2 · .00651873/.00985031² · ln 100 = 618.8."""
    N = permutations.permutation_ensemble(10, 2, 0.1)
    assert N == 619
    p = permutations.permutation_prediction(10, 2)
    sd = (p.variance / N) ** 0.5
    assert 2 * ndtr(-p.on / sd) + 8 * ndtr(p.off / sd) <= 0.1


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="1 <= ones <= k"):
        permutations.permutation_prediction(3, 4)
    with pytest.raises(ValueError, match="'ntk' or 'nngp'"):
        permutations.permutation_prediction(3, 2, "gp")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="ones >= 2"):
        permutations.permutation_ensemble(3, 1, 0.1)
