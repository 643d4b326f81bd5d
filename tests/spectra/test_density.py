"""Densities and eigenpairs against dense linear algebra, multiple eigenvalues and low rank included."""

import io
import math

import numpy as np
import pytest
import scipy.sparse

from corollary.sims.spectra.density import lanczos_density
from corollary.sims.spectra.eigenpairs import NotConverged, top_eigenpairs
from corollary.sims.spectra.progress import bar

N = 60
DECAY = 1 / np.arange(1, N + 1) ** 2.0


def symmetric(values, seed=0):
    values = np.asarray(values, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    A = Q * values @ Q.T
    return (A + A.T) / 2


def rng(seed=0):
    return np.random.default_rng(seed)


# --- density


def test_density_with_n_steps_is_the_spectrum(backend):
    """All n steps: each probe's nodes are the eigenvalues, weights its squared coordinates; tr f needs no probes."""
    values = np.linspace(-1, 3, 20)
    density = lanczos_density(backend.asarray(symmetric(values)), steps=20, probes=3, rng=rng())
    for nodes, weights in zip(density.nodes, density.weights, strict=True):
        np.testing.assert_allclose(nodes, values, rtol=0, atol=1e-12)
        assert abs(weights.sum() - 1) < 1e-13
    assert density.resolution == 0
    assert density.edges == pytest.approx((-1, 3), abs=1e-12)


def test_moments_agree_with_the_trace_and_the_interval_covers():
    """tr Aᵖ within the interval at level 1 − 1e-4, for p ≤ 5, and tr A⁰ = n to rounding."""
    values = np.random.default_rng(1).uniform(0.5, 2, 300)
    density = lanczos_density(symmetric(values), steps=12, probes=64, rng=rng(2))
    for p in range(1, 6):
        got = density.trace(lambda x, p=p: x**p, level=1 - 1e-4)
        assert got.low <= np.sum(values**p) <= got.high
        assert got.high - got.low < 0.2 * got.value
    assert density.trace(np.ones_like).value == pytest.approx(300, abs=1e-9)
    assert density.trace(np.log).low < np.log(values).sum() < density.trace(np.log).high


def test_cdf_is_right_up_to_resolution_and_probes():
    """F(x − r) − s ≤ F̂(x) ≤ F(x + r) + s with r the resolution, s five standard errors of a mean over 64 probes."""
    values = np.sort(np.r_[np.random.default_rng(1).normal(size=300), 8.0])
    density = lanczos_density(symmetric(values), steps=40, probes=64, rng=rng(2))
    x = np.linspace(-4, 9, 101)
    s = 5 * 0.5 * math.sqrt(2 / 301 / 64)  # vᵀ P v of a projection: variance at most 2 · ¼/n a probe
    r = density.resolution
    assert np.all(density.cdf(x) <= np.searchsorted(values, x + r, "right") / 301 + s)
    assert np.all(density.cdf(x) >= np.searchsorted(values, x - r, "right") / 301 - s)
    assert density.edges[1] == pytest.approx(8.0, abs=1e-6) and density.edge_residuals[1] < 1e-3


def test_pdf_integrates_to_one_and_its_integral_is_the_cdf():
    density = lanczos_density(symmetric(np.linspace(0, 1, 100) ** 2), steps=20, probes=4, rng=rng(2))
    x = np.linspace(-2, 3, 20001)
    mass = np.cumsum(density.pdf(x)) * (x[1] - x[0])
    # trapezoid sums of normals of width 0.04 at spacing 2.5e-4 are exact far below the offset of half a cell
    np.testing.assert_allclose(mass, density.cdf(x, width=density.resolution / 2), atol=2e-3)
    assert mass[-1] == pytest.approx(1, abs=1e-10)


def test_memory_and_progress():
    """Probes are taken as many at a time as memory holds, which changes no number; the first call tells the memory,
    every product is reported, and runs that end early count as done."""
    A = symmetric(np.linspace(0, 1, 50))
    calls = []
    whole = lanczos_density(A, steps=10, probes=5, rng=rng(1))
    blocks = lanczos_density(
        A, steps=10, probes=5, rng=rng(1), memory=2 * 10 * 50 * 8, progress=lambda *call: calls.append(call)
    )
    assert calls[0][:2] == (0, 50) and "2 at a time: 0 MiB" in calls[0][2]
    assert [call[0] for call in calls] == [*range(0, 41, 2), *range(41, 51)]
    early = []
    lanczos_density(np.eye(50), steps=10, probes=5, rng=rng(1), progress=lambda *call: early.append(call[:2]))
    assert early == [(0, 50), (5, 50), (50, 50)]
    assert len(whole.nodes) == len(blocks.nodes) == 5
    with pytest.raises(ValueError, match="10 vectors of 50, takes .* raise memory=, or take at most 5 steps"):
        lanczos_density(A, steps=10, probes=1, rng=rng(), memory=5 * 50 * 8)


def test_the_bar_tells_memory_share_and_time():
    """The message stands above; the bar is full, and its line ended, when all is done."""
    out = io.StringIO()
    lanczos_density(symmetric(np.linspace(0, 1, 50)), steps=5, probes=2, rng=rng(), progress=bar(out))
    told, *lines = out.getvalue().replace("\r", "\n").split("\n")
    assert told == "2 probes of 5 steps, 2 at a time: 0 MiB of vectors"
    assert lines[-2].startswith("[" + 30 * "#" + "] 10/10") and lines[-1] == ""
    assert any(
        line.startswith("[" + 12 * "#" + 18 * "." + "] 4/10, ") and line.rstrip().endswith("s left") for line in lines
    )


@pytest.mark.parametrize("values", [np.zeros(40), np.full(40, 2.0), np.r_[np.ones(3), np.zeros(37)]])
def test_atoms_are_found_exactly(backend, values):
    density = lanczos_density(backend.asarray(symmetric(values)), steps=10, probes=4, rng=rng())
    assert density.resolution == 0
    assert density.edges == pytest.approx((values.min(), values.max()), abs=1e-13)
    with pytest.raises(ValueError, match="a few atoms, resolved exactly; pass a width"):
        density.pdf(0.0)
    if values.min() == values.max():
        got = density.trace()
        assert got.low <= values.sum() <= got.high and got.high - got.low < 1e-9


# --- eigenpairs


@pytest.mark.parametrize("which", ["largest_magnitude", "largest", "smallest"])
def test_eigenpairs_are_those_of_the_dense_solver(backend, which):
    values = np.r_[np.random.default_rng(2).normal(size=196), 9.0, -9.5, 7.0, 7.0]
    A = symmetric(values)
    got = top_eigenpairs(backend.asarray(A), 6, which=which)
    order = {"largest": -values, "smallest": values, "largest_magnitude": -abs(values)}[which].argsort()
    np.testing.assert_allclose(got.values, values[order][:6], rtol=0, atol=1e-9)
    X = backend.numpy(got.vectors)
    np.testing.assert_allclose(np.linalg.norm(A @ X - X * got.values, axis=0), got.residuals, rtol=0, atol=1e-13)
    assert got.residuals.max() < 1e-9
    np.testing.assert_allclose(X.T @ X, np.eye(6), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(80),
        np.r_[1.0, np.zeros(79)],
        np.r_[np.full(7, 3.0), np.zeros(73)],  # one eigenvalue, seven times
        np.r_[np.full(3, 3.0), np.linspace(0, 1, 77)],
        np.r_[5.0, 5.0 - 1e-9, np.linspace(0, 4, 78)],
    ],
)
def test_multiple_eigenvalues_and_low_rank(backend, values):
    """Five pairs of each, with their multiplicity: what a single Krylov space cannot see."""
    got = top_eigenpairs(backend.asarray(symmetric(values)), 5)
    np.testing.assert_allclose(got.values, np.sort(values)[::-1][:5], rtol=0, atol=1e-8)
    assert got.residuals.max() <= 1e-8


def test_all_eigenpairs_and_one_by_one(backend):
    values = np.array([3.0, 2.0, -1.0])
    np.testing.assert_allclose(top_eigenpairs(backend.asarray(symmetric(values)), 3).values, values, atol=1e-13)
    assert top_eigenpairs(np.array([[4.0]]), 1).values[0] == 4.0


def test_an_unconverged_search_says_how_far_it_came():
    A = scipy.sparse.diags_array(np.linspace(0, 1, 4000)).tocsr()
    with pytest.raises(NotConverged, match=r"wanted .*, after 200 products") as caught:
        top_eigenpairs(A, 4, tol=1e-12, max_products=200)
    assert caught.value.best.residuals.shape == (4,) and caught.value.best.residuals.max() < 0.1


@pytest.mark.parametrize("budget", [8, 31, 60])
def test_no_product_is_taken_beyond_the_budget(budget):
    """Counted by the operator itself, its two checks apart; a first convergence alone is told as such, not returned."""
    A, taken = symmetric(np.linspace(0, 1, 300)), []

    def product(V):
        taken.append(V.shape[1])
        return A @ V

    with pytest.raises(NotConverged) as caught:
        top_eigenpairs(product, 4, n=300, max_products=budget, tol=1e-12)
    assert sum(taken) - 2 == caught.value.best.products <= budget
    easy = symmetric(np.r_[5.0, np.zeros(299)])
    with pytest.raises(NotConverged, match="as wanted, but no search for further equal eigenvalues after 2. products"):
        top_eigenpairs(easy, 1, max_products=26)
    with pytest.raises(ValueError, match="max_products = 7; expected at least 8"):
        top_eigenpairs(A, 4, max_products=7)


def test_eigenpairs_tell_their_memory_and_end_the_bar():
    calls = []
    got = top_eigenpairs(symmetric(DECAY), 2, progress=lambda *call: calls.append(call))
    assert calls[0] == (0, 10000, "2 pairs, 28 vectors of 60: 0 MiB")
    assert calls[-1] == (10000, 10000, f"{got.products} products")
    assert all(a[0] < b[0] for a, b in zip(calls, calls[1:], strict=False))
