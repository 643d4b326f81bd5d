"""The identities of Lanczos, and that it stops where there is nothing left to find."""

import numpy as np
import pytest

from corollary.numerics.lanczos import lanczos, ritz

N = 30


def symmetric(values, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return Q * values @ Q.T, Q


def run(backend, A, start, steps):
    A = backend.asarray(A)
    return lanczos(lambda v: backend.xp.matmul(A, v), backend.asarray(start), steps)


def test_the_three_term_relation_and_orthonormal_bases(backend):
    """A Q = Q T + β q eᵀ and Qᵀ Q = I for each run, to rounding."""
    A, _ = symmetric(np.linspace(-1, 2, N) ** 3)
    start = np.random.default_rng(1).standard_normal((N, 3))
    out = run(backend, A, start, 12)
    basis = backend.numpy(out.basis)
    for c in range(3):
        Q = basis[c].T
        T = np.diag(out.alpha[c]) + np.diag(out.beta[c, :-1], 1) + np.diag(out.beta[c, :-1], -1)
        # rounding of products of 30 terms with ‖A‖ = 8, cushioned tenfold
        np.testing.assert_allclose(Q.T @ Q, np.eye(12), rtol=0, atol=1e-14)
        rest = A @ Q - Q @ T
        np.testing.assert_allclose(rest[:, :-1], 0, rtol=0, atol=3e-13)
        np.testing.assert_allclose(np.linalg.norm(rest[:, -1]), out.beta[c, -1], rtol=1e-12)
        np.testing.assert_allclose(Q[:, 0], start[:, c] / np.linalg.norm(start[:, c]), rtol=1e-14)


def test_quadrature_is_exact_for_polynomials_of_degree_2m_minus_1(backend):
    """Σ w θᵖ = vᵀ Aᵖ v for p ≤ 2m − 1, and not for 2m."""
    A, _ = symmetric(np.linspace(0.5, 2, N))
    v = np.random.default_rng(2).standard_normal(N)
    v /= np.linalg.norm(v)
    out = ritz(run(backend, A, v[:, None], 4))
    moments = [v @ np.linalg.matrix_power(A, p) @ v for p in range(9)]
    quadrature = [np.sum(out.weights * out.values**p) for p in range(9)]
    np.testing.assert_allclose(quadrature[:8], moments[:8], rtol=1e-13)
    assert abs(quadrature[8] / moments[8] - 1) > 1e-9


@pytest.mark.parametrize(
    ("values", "dimension"),
    [
        (np.zeros(N), 1),
        (np.full(N, 3.0), 1),
        (np.r_[np.zeros(N - 4), 1.0, 1.0, 2.0, 3.0], 4),  # distinct eigenvalues that a generic start sees
        (np.r_[np.full(N - 1, 1.0), 1e6], 2),
    ],
)
def test_a_run_stops_where_its_space_is_invariant(backend, values, dimension):
    A, _ = symmetric(values)
    out = run(backend, A, np.random.default_rng(3).standard_normal((N, 1)), 20)
    assert out.size[0] == dimension and out.beta[0, dimension - 1] == 0
    scale = np.abs(values).max()
    np.testing.assert_allclose(ritz(out).values, np.unique(values), rtol=0, atol=1e-13 * scale)


def test_runs_of_different_length_go_on_side_by_side(backend):
    """One start inside an invariant plane stops after two steps; its neighbour is the run it would be alone."""
    values = np.linspace(1, 4, N)
    A, Q = symmetric(values)
    generic = np.random.default_rng(4).standard_normal(N)
    together = run(backend, A, np.stack([Q[:, 0] + Q[:, 7], generic], axis=1), 9)
    alone = run(backend, A, generic[:, None], 9)
    assert list(together.size) == [2, 9]
    np.testing.assert_allclose(ritz(together, 0).values, values[[0, 7]], rtol=1e-13)
    np.testing.assert_allclose(ritz(together, 1).values, ritz(alone).values, rtol=1e-12)


def test_ritz_residuals_are_residuals(backend):
    A, _ = symmetric(np.linspace(0, 1, N) ** 2)
    out = run(backend, A, np.random.default_rng(5).standard_normal((N, 1)), 10)
    pairs = ritz(out)
    Y = backend.numpy(out.basis)[0].T @ pairs.vectors
    np.testing.assert_allclose(np.linalg.norm(A @ Y - Y * pairs.values, axis=0), pairs.residuals, rtol=0, atol=1e-14)
    nearest = np.abs(pairs.values[:, None] - np.linalg.eigvalsh(A)[None]).min(axis=1)
    assert np.all(nearest <= pairs.residuals + 1e-14)


def test_no_ghosts_after_convergence():
    """300 steps on a spectrum with one far eigenvalue: without reorthogonalisation it would appear again and again."""
    values = np.r_[np.linspace(0, 1, 399), 50.0]
    A, _ = symmetric(values)
    out = ritz(lanczos(lambda v: A @ v, np.random.default_rng(6).standard_normal((400, 1)), 300))
    assert np.sum(out.values > 2) == 1


def test_bad_input():
    eye = np.eye(3)
    with pytest.raises(ValueError, match="steps = 0"):
        lanczos(lambda v: eye @ v, np.ones((3, 1)), 0)
    with pytest.raises(ValueError, match="starting vector is zero"):
        lanczos(lambda v: eye @ v, np.zeros((3, 1)), 2)
    with pytest.raises(FloatingPointError, match="step 1 is not finite"):
        lanczos(lambda v: v * np.inf, np.ones((3, 1)), 2)
