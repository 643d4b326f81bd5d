"""Random problems of the attention family."""

import numpy as np
import pytest


def instance(n, T, d, seed=0, planted=False):
    """Unit tokens and queries; chosen tokens uniform, or the best under a random W (feasible by construction)."""
    rng = np.random.default_rng(seed)
    X, Z = rng.standard_normal((n, T, d)), rng.standard_normal((n, d))
    X /= np.linalg.norm(X, axis=2, keepdims=True)
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    if planted:
        chosen = np.argmax(np.einsum("ntd,de,ne->nt", X, rng.standard_normal((d, d)), Z), axis=1)
    else:
        chosen = rng.integers(0, T, n)
    return X, Z, chosen


def dense_rows(X, Z, chosen):
    """The matrix A the solvers never form, (n(T−1), d²)."""
    n, T, d = X.shape
    return np.array([np.outer(X[i, chosen[i]] - X[i, t], Z[i]).ravel()
                     for i in range(n) for t in range(T) if t != chosen[i]])  # fmt: skip


@pytest.fixture
def problems():
    return instance


@pytest.fixture
def matrix():
    return dense_rows
