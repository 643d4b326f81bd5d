"""Tridiagonal samplers against dense matrices, the leading block against the whole, ensembles against their parts."""

import math

import numpy as np
import pytest

from corollary.sims.spectra import ensembles, tridiagonal


def seeds(count, root):
    return [np.random.SeedSequence([root, k]) for k in range(count)]


@pytest.mark.parametrize("beta", [1, 2])
def test_gaussian_models_have_the_moments_of_their_matrices(beta):
    """E tr/N H² = 1 + (2/β − 1)/N, E H⁴ = 2 + O(1/N): exact for GOE and GUE of N = 6, within 4.5 standard errors."""
    N, rng = 6, np.random.default_rng(0)
    values = np.array([tridiagonal.spectrum(*tridiagonal.gaussian_tridiagonal(N, beta, rng)) for _ in range(4000)])
    second = (values**2).mean(axis=1)
    assert abs(second.mean() - 1 - (2 / beta - 1) / N) < 4.5 * second.std() / math.sqrt(4000)
    dense = []
    for _ in range(4000):
        g = rng.standard_normal((N, N)) + 1j * (beta == 2) * rng.standard_normal((N, N))
        dense.append(np.linalg.eigvalsh((g + g.conj().T) / math.sqrt(2 * beta * N))[-1])
    gap = values[:, -1].mean() - np.mean(dense)
    assert abs(gap) < 4.5 * math.sqrt((values[:, -1].var() + np.var(dense)) / 4000)


def test_wishart_model_has_the_spectrum_of_its_matrix():
    """p = 5, n = 8: mean trace 1; smallest and largest eigenvalue as of dense matrices, within 4.5 standard errors."""
    rng = np.random.default_rng(1)
    mine = np.array([tridiagonal.spectrum(*tridiagonal.wishart_tridiagonal(5, 8, 1, rng)) for _ in range(4000)])
    X = rng.standard_normal((4000, 5, 8))
    dense = np.linalg.eigvalsh(X @ X.transpose(0, 2, 1) / 8)
    error = np.sqrt((mine.var(axis=0) + dense.var(axis=0)) / 4000)
    assert np.all(np.abs(mine.mean(axis=0) - dense.mean(axis=0)) < 4.5 * error)


def test_the_leading_block_has_the_top_eigenvalue():
    """At N = 5000 the block of 191 rows against all of the same matrix."""
    N = 5000
    d, e = tridiagonal.gaussian_tridiagonal(N, 1, np.random.default_rng(7))
    rows = 20 + math.ceil(10 * N ** (1 / 3))
    assert tridiagonal.spectrum(d[:rows], e[: rows - 1])[-1] == pytest.approx(tridiagonal.spectrum(d, e)[-1], rel=1e-14)


def test_tops_are_centred_and_scaled_as_said():
    out = tridiagonal.tops({"N": 1000, "beta": 2}, seeds(3, 4), np)
    np.testing.assert_allclose(out["naive"], 100 * (out["top"] - 2), rtol=1e-12)
    np.testing.assert_allclose(out["scaled"], 100 * (out["top"] - 2 * math.sqrt(0.9995)), rtol=1e-12)


@pytest.mark.parametrize("relu", [False, True])
def test_the_crossing_is_where_the_index_begins(relu):
    """Just below the energy of `crossing` no eigenvalue is negative, just above exactly one."""
    for seed in seeds(4, 9):
        point = {"n": 30, "phi": 0.4, "relu": relu}
        energy = float(ensembles.crossing(point, [seed], np)["energy"][0])
        below, above = (ensembles.surface({**point, "energy": f * energy}, [seed], np) for f in (0.9999, 1.0001))
        assert below["index"][0] == 0 and above["index"][0] == pytest.approx(1 / 30)


def test_noise_parts_have_their_variance():
    """E tr H₁²/n: 2 (1 + 1/n) for the Wigner part at ε = 1, φ/2 for the ReLU blocks; 4.5 standard errors of 300."""
    for relu, want in ((False, 2 * (1 + 1 / 20)), (True, 0.4 / 2)):
        rng = np.random.default_rng(3)
        found = np.array([np.sum(ensembles.parts(20, 0.4, relu, rng)[1] ** 2) / 20 for _ in range(300)])
        assert abs(found.mean() - want) < 4.5 * found.std() / math.sqrt(300)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tridiagonal.gaussian_tridiagonal(0, 1, np.random.default_rng(0)), "N = 0; expected a whole number"),
        (lambda: tridiagonal.gaussian_tridiagonal(3, -1, np.random.default_rng(0)), "beta = -1"),
        (lambda: tridiagonal.wishart_tridiagonal(5, 3, 1, np.random.default_rng(0)), "p = 5 > n = 3"),
        (lambda: ensembles.parts(5, 0.5, True, np.random.default_rng(0)), "n = 5; expected .* even"),
        (lambda: ensembles.parts(4, 0.0, False, np.random.default_rng(0)), "phi = 0.0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
