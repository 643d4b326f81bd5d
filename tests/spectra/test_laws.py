"""Laws of spectra against closed forms, non-crossing partitions, sampled matrices; their algebra; bad input."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import spectra
from corollary.theory.spectra import subordination

LIST: Any = [1.0]  # wrong types, on purpose
SEVEN: Any = 7
THREE = ([1.0, 3.0, 10.0], [0.4, 0.3, 0.3])


def partitions(n):
    """All set partitions of range(n), as lists of blocks."""
    if n == 0:
        yield []
        return
    for smaller in partitions(n - 1):
        for i in range(len(smaller)):
            yield [*smaller[:i], [*smaller[i], n - 1], *smaller[i + 1 :]]
        yield [*smaller, [n - 1]]


def crosses(blocks):
    label = {i: k for k, block in enumerate(blocks) for i in block}
    quads = itertools.combinations(range(len(label)), 4)
    return any(label[a] == label[c] != label[b] == label[d] for a, b, c, d in quads)


def moment_from_cumulants(n, kappa):
    """Speicher: m_n = Σ over non-crossing partitions of Π κ_{|block|}; kappa(k) the k-th free cumulant."""
    return math.fsum(math.prod(kappa(len(b)) for b in p) for p in partitions(n) if not crosses(p))


@guards(spectra.semicircle, spectra.Law.pdf, spectra.Law.cdf, spectra.Law.stieltjes)
def test_semicircle_closed_forms():
    """√(8 − x²)/4π; its distribution function; G = (z − √(z² − 8))/4 on and off the axis."""
    law = spectra.semicircle(2.0)
    x = np.linspace(-2.7, 2.7, 9)
    np.testing.assert_allclose(law.pdf(x), np.sqrt(8 - x**2) / (4 * np.pi), rtol=1e-13)
    exact = 0.5 + x * np.sqrt(8 - x**2) / (8 * np.pi) + np.arcsin(x / math.sqrt(8)) / np.pi
    np.testing.assert_allclose(law.cdf(x), exact, rtol=0, atol=1e-14)
    z = np.array([1 + 1j, -3 + 0.1j, 0.2 - 0.3j])
    np.testing.assert_allclose(law.stieltjes(z), (z - np.sqrt(z - 8**0.5) * np.sqrt(z + 8**0.5)) / 4, rtol=1e-13)
    assert law.stieltjes(5.0) == pytest.approx((5 - math.sqrt(17)) / 4, rel=1e-14)
    assert law.pdf(3.0) == 0 and law.cdf(-3.0) == 0 and law.cdf(3.0) == 1


@guards(spectra.marchenko_pastur, spectra.Law.support, spectra.Law.atoms)
@pytest.mark.parametrize("c", [0.1, 1.0, 2.5])
def test_marchenko_pastur_closed_form(c):
    """√((b − x)(x − a))/(2πcx) between (1 ∓ √c)², and an atom of 1 − 1/c at 0."""
    law = spectra.marchenko_pastur(c)
    ((low, high),) = law.support()
    a, b = (1 - math.sqrt(c)) ** 2, (1 + math.sqrt(c)) ** 2
    assert low == pytest.approx(a, abs=1e-13) and high == pytest.approx(b, rel=1e-14)
    x = np.linspace(a, b, 7)[1:-1]
    np.testing.assert_allclose(law.pdf(x), np.sqrt((b - x) * (x - a)) / (2 * np.pi * c * x), rtol=1e-12)
    assert law.atoms() == (((0.0, pytest.approx(1 - 1 / c)),) if c > 1 else ())
    scaled = spectra.marchenko_pastur(c, spectra.atoms([2.0]))
    np.testing.assert_allclose(scaled.pdf(2 * x), law.pdf(x) / 2, rtol=1e-11)


@guards(spectra.free_poisson, spectra.Law.r_transform, spectra.Law.moment, spectra.Law.expect)
def test_moments_are_sums_over_non_crossing_partitions():
    """κ_n = rate·jumpⁿ (+ the variance, + the mean of three atoms' free cumulants), to order 7."""
    law = spectra.free_poisson(1.5, 0.4) + spectra.free_poisson(0.3, -0.5) + spectra.semicircle(0.2) + 0.1
    for n in range(1, 8):

        def kappa(k):
            return 1.5 * 0.4**k + 0.3 * (-0.5) ** k + 0.2 * (k == 2) + 0.1 * (k == 1)

        assert law.moment(n) == pytest.approx(moment_from_cumulants(n, kappa), rel=1e-12, abs=1e-13)
    assert law.expect(np.exp) == pytest.approx(
        math.fsum(moment_from_cumulants(n, kappa) / math.factorial(n) for n in range(1, 8)) + 1, rel=2e-3
    )  # the series goes on: m₈/8! is 6e-4 of the whole
    g = np.array([-0.3, 0.2, 0.5])
    R = 0.6 / (1 - 0.4 * g) - 0.15 / (1 + 0.5 * g) + 0.2 * g + 0.1
    np.testing.assert_allclose(law.r_transform(g), R, rtol=1e-13, atol=1e-14)
    assert law.r_transform(0.0) == pytest.approx(0.55, rel=1e-13)


@guards(spectra.atoms, spectra.marchenko_pastur)
def test_sample_covariance_moments_and_bands_of_a_population():
    """m₁ = h₁, m₂ = h₂ + c h₁², m₃ = h₃ + 3c h₁h₂ + c² h₁³; each of three bands holds its atom's share."""
    c, H = 0.05, spectra.atoms(*THREE)
    law = spectra.marchenko_pastur(c, H)
    h = [0.4 + 0.3 * 3**k + 0.3 * 10**k for k in range(4)]
    assert law.moment(1) == pytest.approx(h[1], rel=1e-13)
    assert law.moment(2) == pytest.approx(h[2] + c * h[1] ** 2, rel=1e-13)
    assert law.moment(3) == pytest.approx(h[3] + 3 * c * h[1] * h[2] + c * c * h[1] ** 3, rel=1e-13)
    (_, b1), (a2, b2), (a3, _) = law.support()
    np.testing.assert_allclose(law.cdf([b1, (b1 + a2) / 2, b2, a3]), [0.4, 0.4, 0.7, 0.7], rtol=1e-13)
    assert H.cdf([0.9, 1.0, 5.0, 10.0]) == pytest.approx([0, 0.4, 0.7, 1.0], rel=1e-15)
    assert H.support() == () and H.moment(1) == pytest.approx(h[1])


def test_edges_of_the_sample_covariance_in_fifty_digits():
    """z′(v) = 0 for z = −1/v + c Σ w t/(1 + tv), found by mpmath from our edges' neighbourhood (Silverstein & Choi)."""
    import mpmath as mp

    c = 0.05
    with mp.workdps(50):

        def z(v):
            return -1 / v + c * mp.fsum(w * t / (1 + t * v) for t, w in zip(*THREE, strict=True))

        for edge in (e for band in spectra.marchenko_pastur(c, spectra.atoms(*THREE)).support() for e in band):
            poly = spectra.marchenko_pastur(c, spectra.atoms(*THREE))
            outside = -1 / mp.mpf(_subordination(poly, edge))
            v = mp.findroot(lambda v: mp.diff(z, v), outside)
            assert abs(float(z(v)) - edge) < 1e-13 * edge


def _subordination(law, edge):
    """w = −1/v at the edge: the companion's G is 1/w = c G + (1 − c)/z."""
    G = law.stieltjes(complex(edge, 1e-12))
    return 1 / (0.05 * G + 0.95 / edge).real


@guards(spectra.Law.ppf, spectra.Law.rvs)
def test_quantiles_invert_the_distribution_function():
    law = spectra.marchenko_pastur(2.0, spectra.atoms([1.0, 9.0], [0.5, 0.5]))
    q = np.array([0.0, 0.2, 0.5, 0.6, 0.75, 0.9, 1.0])
    x = law.ppf(q)
    np.testing.assert_allclose(law.cdf(x), np.maximum(q, 0.5), rtol=0, atol=1e-13)
    assert x[0] == x[1] == 0 and x[-1] == pytest.approx(law.support()[-1][1])
    assert spectra.atoms([1.0, 2.0]).ppf([0.0, 0.5, 0.51]) == pytest.approx([1.0, 1.0, 2.0])
    draws = law.rvs((50, 2), np.random.default_rng(1))
    np.testing.assert_array_equal(draws, law.ppf(np.random.default_rng(1).random((50, 2))))
    semi = spectra.semicircle().rvs(1, np.random.default_rng(3))
    u = np.random.default_rng(3).random(1)
    assert spectra.semicircle().cdf(semi) == pytest.approx(u, abs=1e-14)


def test_free_sum_of_two_coins_is_the_arcsine_law():
    """±1 ⊞ ±1: density 1/(π√(4 − x²)): two laws without a rational R-transform."""
    law = spectra.atoms([-1.0, 1.0]) + spectra.atoms([-1.0, 1.0])
    x = np.array([-1.9, -1.0, 0.3, 1.99])
    np.testing.assert_allclose(law.pdf(x), 1 / (np.pi * np.sqrt(4 - x**2)), rtol=1e-12)
    np.testing.assert_allclose(law.support(), [(-2.0, 2.0)], rtol=1e-12)
    z = np.array([0.5 + 0.5j, -3 + 1j])
    np.testing.assert_allclose(law.stieltjes(z), 1 / (np.sqrt(z - 2) * np.sqrt(z + 2)), rtol=1e-12)


@guards(spectra.Law.atoms)
def test_free_product_of_projections_has_its_atoms_and_edges():
    """Ranks α = ½, β = 0.7: edges α + β − 2αβ ± 2√(αβ(1 − α)(1 − β)), atoms 1 − min(α, β) at 0, α + β − 1 at 1."""
    law = spectra.atoms([0.0, 1.0], [0.5, 0.5]) @ spectra.atoms([0.0, 1.0], [0.3, 0.7])
    root = 2 * math.sqrt(0.35 * 0.15)
    np.testing.assert_allclose(law.support(), [(0.5 - root, 0.5 + root)], rtol=1e-10)
    assert [v for pair in law.atoms() for v in pair] == pytest.approx([0, 0.5, 1, 0.2])
    x = 0.4
    edges = law.support()[0]
    density = math.sqrt((x - edges[0]) * (edges[1] - x)) / (2 * math.pi * x * (1 - x))
    assert law.pdf(x) == pytest.approx(density, rel=1e-9)
    assert law.moment(1) == pytest.approx(0.35, rel=1e-9)


def test_numeric_subordination_agrees_with_the_curve():
    """Marchenko–Pastur over atoms, once as one curve, once as a free product of two numeric halves."""
    from corollary.theory.spectra.convolution import Pair
    from corollary.theory.spectra.subordination import transform

    H, c = spectra.atoms([1.0, 3.0], [0.6, 0.4]), 0.3
    curve, pair = spectra.marchenko_pastur(c, H), Pair(spectra.marchenko_pastur(c).core, H.core, True)
    z = np.array([0.5, 1.2, 2.9, 5.0, 0.1])
    np.testing.assert_allclose(transform(pair, z)[0], curve.stieltjes(z), rtol=1e-10, atol=1e-12)
    sums = spectra.semicircle(0.3) + H
    pair = Pair(spectra.semicircle(0.3).core, H.core, False)
    np.testing.assert_allclose(transform(pair, z)[0], sums.stieltjes(z), rtol=1e-10, atol=1e-12)


def test_sums_of_many_atoms_go_the_numeric_way():
    """60 atoms: too many for a polynomial; mass and variance add up; on 20 atoms both ways agree, G and G′."""
    places = np.linspace(-1, 1, 60)
    law = spectra.atoms(places.tolist()) + spectra.semicircle(0.1)
    assert law.moment(2) == pytest.approx(np.mean(places**2) + 0.1, rel=1e-10)
    few = (spectra.atoms(np.linspace(-1, 1, 20).tolist()) + spectra.semicircle(0.02)).core
    x = np.array([0.0, 0.5, 1.2, 1.6])
    for numeric, companion in zip(subordination._single(few, x), subordination.transform(few, x), strict=True):
        np.testing.assert_allclose(numeric, companion, rtol=1e-11, atol=1e-11)


def test_sampled_matrices_have_the_laws_moments():
    """N = 300, ten matrices: linear statistics fluctuate by 1/N (and have a bias of 1/N): some four of each."""
    rng, N = np.random.default_rng(0), 300
    law = spectra.marchenko_pastur(0.5, spectra.atoms([1.0, 3.0])) + spectra.semicircle(0.5)
    t, found = np.resize([1.0, 3.0], N), []
    for _ in range(10):
        X, g = rng.standard_normal((N, 2 * N)), rng.standard_normal((N, N))
        ev = np.linalg.eigvalsh(_covariance(X, t) + math.sqrt(0.5) * (g + g.T) / math.sqrt(2 * N))
        found.append([np.mean(ev**k) for k in (1, 2, 3)] + [np.mean(ev <= 1.0)])
    want = [law.moment(k) for k in (1, 2, 3)] + [law.cdf(1.0)]
    np.testing.assert_allclose(np.mean(found, axis=0), want, rtol=0.012)


def _covariance(X, t):
    Y = np.sqrt(t)[:, None] * X
    return Y @ Y.T / X.shape[1]


@guards(spectra.activation_covariance)
def test_activation_covariance_against_sampled_layers():
    """tanh, n0 = 800: moments within 1.5 % (finite size 1/n0 with factors of ten); E M = η; its spectrum has rank m."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / math.sqrt(2 * math.pi)
    eta, zeta = float(weights @ np.tanh(nodes) ** 2), float(weights @ (1 - np.tanh(nodes) ** 2)) ** 2
    n0, n1, m = 800, 400, 1000
    law = spectra.activation_covariance(n0 / m, n0 / n1, eta, zeta)
    rng = np.random.default_rng(5)
    Y = np.tanh(rng.standard_normal((n1, n0)) @ rng.standard_normal((n0, m)) / math.sqrt(n0))
    ev = np.linalg.eigvalsh(Y @ Y.T / m)
    assert law.moment(1) == pytest.approx(eta, rel=1e-12)
    for k in (2, 3):
        assert np.mean(ev**k) == pytest.approx(law.moment(k), rel=0.015)
    ((low, high),) = law.support()
    # the extreme eigenvalues fluctuate by N^(−2/3) = 2 % of the width
    assert ev[[0, -1]] == pytest.approx([low, high], abs=0.03 * (high - low))
    assert spectra.activation_covariance(1.5, 0.75, eta, zeta).atoms()[0] == pytest.approx((0.0, 0.5))
    # a linear f: η = ζ; no linear part: a plain Wishart matrix
    wishart = spectra.activation_covariance(0.8, 2.0, 0.5, 0.0)
    assert wishart.moment(2) == pytest.approx(0.25 * (1 + 0.4), rel=1e-12)
    z = np.array([0.3 + 0.1j])
    product = spectra.activation_covariance(0.8, 2.0, 1.0, 1.0)
    both = spectra.marchenko_pastur(0.4, spectra.marchenko_pastur(0.5))  # YYᵀ/m over WWᵀ/n0
    np.testing.assert_allclose(product.stieltjes(z), both.stieltjes(z), rtol=1e-11)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: spectra.atoms([1.0, 2.0], [1.5, -0.5]), ValueError, "weight -0.5; expected weights > 0"),
        (lambda: spectra.atoms([1.0, 2.0], [0.5, 0.6]), ValueError, "sum to 1.1; expected 1: divide by their sum"),
        (lambda: spectra.atoms([1.0], [0.5, 0.5]), ValueError, "1 places and 2 weights"),
        (lambda: spectra.atoms([math.nan]), ValueError, "expected finite numbers"),
        (lambda: spectra.marchenko_pastur(0.0), ValueError, "ratio = 0.0; expected a finite number > 0"),
        (lambda: spectra.marchenko_pastur(-1.0), ValueError, "ratio = -1.0"),
        (lambda: spectra.marchenko_pastur(math.inf), ValueError, "ratio = inf"),
        (lambda: spectra.marchenko_pastur(0.5, LIST), TypeError, "population is list; expected a Law"),
        (lambda: spectra.semicircle(math.nan), ValueError, "variance = nan"),
        (lambda: spectra.free_poisson(1.0, 0.0), ValueError, "jump = 0.0"),
        (lambda: spectra.activation_covariance(1.0, 1.0, 0.5, 0.6), ValueError, "zeta = 0.6 > eta = 0.5"),
        (lambda: spectra.marchenko_pastur(2.0).pdf(0.0), ValueError, "the density was asked for at 0.0, an atom"),
        (lambda: spectra.atoms([3.0]).stieltjes(3.0), ValueError, "an atom of mass 1"),
        (lambda: spectra.semicircle().pdf(math.nan), ValueError, "x has entries that are NaN"),
        (lambda: spectra.semicircle().stieltjes([1.0 + 0j, 1j]), ValueError, "mixes real and complex"),
        (lambda: spectra.semicircle().ppf(1.5), ValueError, "q = 1.5"),
        (lambda: spectra.semicircle().moment(-1), ValueError, "k = -1"),
        (lambda: spectra.semicircle().rvs(3, SEVEN), TypeError, "rng = 7"),
        (lambda: spectra.semicircle().r_transform(2.0), ValueError, "g = 2.0 is beyond G at the edge"),
        (lambda: spectra.semicircle() + math.inf, ValueError, "shift = inf"),
        (lambda: spectra.semicircle() @ spectra.semicircle(), ValueError, "both laws reach below 0"),
        # 1/x^{2/3} at a hard edge: the quadrature cannot reach its tolerance and says so
        (lambda: (spectra.marchenko_pastur(1.0) @ spectra.marchenko_pastur(1.0)).cdf(1.0),
         ArithmeticError, "not 1: the density is too singular"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
