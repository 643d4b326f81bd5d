"""M-FAC products against the dense inverse."""

import numpy as np
import pytest

from corollary.sims.spectra.mfac import inverse_fisher

G = np.random.default_rng(0).standard_normal((20, 50)) * np.linspace(0.1, 3, 50)


@pytest.mark.parametrize("damping", [1e-4, 0.1, 10.0])
def test_products_and_diagonal_are_those_of_the_dense_inverse(backend, damping):
    """Relative error within 100 roundings times the condition number, which is ‖F‖/λ."""
    F = damping * np.eye(50) + G.T @ G / 20
    exact = np.linalg.inv(F)
    tolerance = 100 * 2.3e-16 * np.linalg.cond(F) * np.abs(exact).max()
    inverse = inverse_fisher(backend.asarray(G), damping)
    got = backend.numpy(inverse(backend.asarray(np.eye(50))))
    np.testing.assert_allclose(got, exact, rtol=0, atol=tolerance)
    np.testing.assert_allclose(backend.numpy(inverse.diagonal()), np.diag(exact), rtol=0, atol=tolerance)
    np.testing.assert_allclose(backend.numpy(inverse(backend.asarray(G[0]))), exact @ G[0], rtol=0, atol=50 * tolerance)


def test_the_caller_keeps_the_gradients():
    mine = G.copy()
    inverse_fisher(mine, 1.0)
    np.testing.assert_array_equal(mine, G)


@pytest.mark.parametrize(
    ("gradients", "damping", "error", "message"),
    [
        (G, 0.0, ValueError, "damping = 0.0; expected a finite number > 0"),
        (G[0], 1.0, ValueError, "expected 2 dimensions"),
        (G.astype(int), 1.0, TypeError, "dtype int64"),
        (G * np.nan, 1.0, ValueError, "NaN"),
        (G[:0], 1.0, ValueError, "empty"),
    ],
)
def test_bad_gradients(gradients, damping, error, message):
    with pytest.raises(error, match=message):
        inverse_fisher(gradients, damping)


def test_bad_vector():
    with pytest.raises(ValueError, match=r"x has shape \(49,\); expected \(50,\) or \(50, k\)"):
        inverse_fisher(G, 1.0)(np.ones(49))
