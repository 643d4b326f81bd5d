"""Wishart + Wigner, Tracy–Widom, fits by moments: against edges, published moments, other determinants, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corollary.testing import guards
from corollary.theory import spectra


@guards(spectra.critical_energy, spectra.wishart_wigner)
@given(st.floats(0.02, 0.95), st.floats(0.5, 2.0))
def test_the_lower_edge_touches_zero_at_the_critical_energy(phi, scale):
    """The closed form of ε_c against the edge of the law, to rounding (1e-15 of cancellation near φ = 1)."""
    law = spectra.wishart_wigner(phi, spectra.critical_energy(phi, scale), scale)
    assert abs(law.support()[0][0]) < 1e-12 * scale


@guards(spectra.relu_critical_energy, spectra.relu_wishart_wigner)
@given(st.floats(0.05, 0.8), st.floats(0.5, 2.0))
def test_the_relu_edge_touches_zero_at_its_critical_energy(phi, scale):
    law = spectra.relu_wishart_wigner(phi, spectra.relu_critical_energy(phi, scale), scale)
    # the closed form subtracts numbers of size 27σ²/(32 φ (1 − φ)³)
    assert abs(law.support()[0][0]) < 1e-12 * scale / (phi * (1 - phi) ** 3)


@guards(spectra.index, spectra.index_constant)
def test_index_grows_with_the_three_halves_power():
    """α/δ^{3/2} → α₀ with a next order linear in δ: Richardson from δ = 1e-3, 2e-3 is within 1e-5 of the constant."""
    for phi in (0.25, 0.5):
        e = spectra.critical_energy(phi)
        one, two = (spectra.index(phi, e * (1 + d)) / d**1.5 for d in (1e-3, 2e-3))
        assert 2 * one - two == pytest.approx(spectra.index_constant(phi), rel=2e-5)
    assert spectra.index(0.25, spectra.critical_energy(0.25) * 0.99) == 0


def test_wishart_plus_wigner_matrices_have_its_index():
    """n = 400: the share below 0 within 4/400 of the law's (counts fluctuate by less than one)."""
    rng, n, phi, energy = np.random.default_rng(0), 400, 0.5, 0.3
    J, g = rng.standard_normal((n, int(n / phi))), rng.standard_normal((n, n))
    H = J @ J.T / J.shape[1] + math.sqrt(2 * energy) * (g + g.T) / math.sqrt(2 * n)
    assert np.mean(np.linalg.eigvalsh(H) < 0) == pytest.approx(spectra.index(phi, energy), abs=4 / n)


def test_relu_noise_is_that_of_its_block_matrix():
    """The second and fourth moments of R = εφg/(2 − εφ²g²): κ₂ = εφ/2, κ₄ = ε²φ³/4; odd ones from the Wishart part."""
    phi, energy = 0.3, 0.2
    law = spectra.relu_wishart_wigner(phi, energy)
    kappa = spectra.free_cumulants([law.moment(k) for k in range(1, 5)])
    want = [1, phi + energy * phi / 2, phi**2, phi**3 + energy**2 * phi**3 / 4]
    assert kappa == pytest.approx(want, rel=1e-11)


MOMENTS = {  # mean, variance: Bornemann 2010, Table 4
    1: (-1.2065335745820, 1.6077810345810),
    2: (-1.7710868074116, 0.8131947928329),
}


@guards(spectra.TracyWidom)
@pytest.mark.parametrize("beta", [1, 2])
def test_tracy_widom_moments_and_functions(beta):
    law = spectra.tracy_widom(beta)
    mean, variance = MOMENTS[beta]
    assert law.moment(1) == pytest.approx(mean, rel=2e-12)
    assert law.moment(2) - law.moment(1) ** 2 == pytest.approx(variance, rel=5e-12)
    s = np.array([-4.0, -1.0, 1.5])
    np.testing.assert_allclose(law.cdf(law.ppf([0.05, 0.5, 0.95])), [0.05, 0.5, 0.95], rtol=1e-11)
    h = 1e-3  # central difference of fourth order: its error is h⁴ F⁽⁵⁾/30
    slope = (8 * (law.cdf(s + h) - law.cdf(s - h)) - (law.cdf(s + 2 * h) - law.cdf(s - 2 * h))) / (12 * h)
    np.testing.assert_allclose(law.pdf(s), slope, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(
        law.rvs(5, np.random.default_rng(0)), law.ppf(np.random.default_rng(0).uniform(1e-10, 1 - 1e-10, 5))
    )
    assert law.rvs(1, np.random.default_rng(0))[0] == pytest.approx(law.ppf(0.6369616873), rel=1e-8)
    grid = np.linspace(-12, 14, 200)  # many points: the series, here against the determinants
    np.testing.assert_allclose(law.cdf(grid)[::9], law.cdf(grid[::9]), rtol=0, atol=1e-12)
    assert law.cdf(-20.0) == 0 and law.cdf(20.0) == 1


def test_tracy_widom_2_is_the_airy_kernels_determinant():
    """F₂ by the Airy kernel (Ai Ai′ − Ai′ Ai)/(x − y), another kernel and another rule, to 1e-12."""
    from scipy.special import airy

    for s in (-6.0, -2.0, 0.0, 2.0):
        t, w = np.polynomial.legendre.leggauss(100)
        x, root = s + 10 * (1 + t), np.sqrt(10 * w)
        a, d = airy(x)[:2]
        with np.errstate(invalid="ignore", divide="ignore"):
            K = (np.outer(a, d) - np.outer(d, a)) / (x[:, None] - x)
        np.fill_diagonal(K, d**2 - x * a**2)
        exact = np.linalg.det(np.eye(100) - root[:, None] * K * root)
        assert spectra.tracy_widom(2).cdf(s) == pytest.approx(exact, abs=1e-12)


@guards(
    spectra.free_cumulants, spectra.fit_semicircle, spectra.fit_marchenko_pastur, spectra.fit_wishart_wigner
)  # fmt: skip
def test_fits_return_the_law_they_were_given():
    """Catalan moments have κ = (1, 1, 1, 1); each family is recovered from its own moments."""
    assert spectra.free_cumulants([1, 2, 5, 14]) == pytest.approx([1, 1, 1, 1], rel=1e-14)
    cases = [
        (spectra.fit_semicircle, spectra.semicircle(0.7) + 0.4, 0.5),
        (spectra.fit_marchenko_pastur, spectra.marchenko_pastur(0.3, spectra.atoms([2.0])), 2.2),
        (spectra.fit_wishart_wigner, spectra.wishart_wigner(0.4, 0.2, 1.5), 1.1),
    ]
    for fit, law, x in cases:
        assert fit([law.moment(k) for k in (1, 2, 3)]).pdf(x) == pytest.approx(law.pdf(x), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectra.wishart_wigner(-0.1, 0.1), "phi = -0.1"),
        (lambda: spectra.wishart_wigner(0.1, -0.1), "energy = -0.1; expected a finite number >= 0"),
        (lambda: spectra.relu_wishart_wigner(0.1, math.nan), "energy = nan"),
        (lambda: spectra.critical_energy(1.0), "phi = 1.0; expected 0 < phi < 1"),
        (lambda: spectra.tracy_widom(4), "beta = 4"),
        (lambda: spectra.tracy_widom(1).ppf(1e-12), "resolves no further tail"),
        (lambda: spectra.tracy_widom(1).cdf([math.nan]), "s has entries that are NaN"),
        (lambda: spectra.fit_semicircle([1.0, 0.5]), "variance -0.5"),
        (lambda: spectra.fit_marchenko_pastur([-1.0, 2.0]), "expected both positive"),
        (lambda: spectra.fit_wishart_wigner([1.0, 2.0, 1.0]), "first and third positive"),
        (lambda: spectra.fit_wishart_wigner([1.0, 1.1, 1.34]), "ask for energy -0.0"),
        (lambda: spectra.free_cumulants([math.inf]), "expected finite"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
