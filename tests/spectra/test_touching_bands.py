"""Bands that touch, have just merged or seem to: edges, masses and quantiles there; the kernel of a linear layer."""

import math

import numpy as np
import pytest

from corollary.testing import guards
from corollary.theory import spectra


@pytest.mark.parametrize(
    ("left", "right", "inside"),
    [([1.0, 2.0, 5.0], [1.0, 3.0], 3.52941176), ([1.0, 6.0], [1.0, 2.0, 3.0], 2.43882810)],
)
def test_no_gap_where_the_density_is_positive(left, right, inside):
    """Two candidates for one place, 5e-9 apart, split a band in which the density is 0.07 and more on both sides."""
    law = spectra.atoms(left) @ spectra.atoms(right)
    assert len(law.support()) == 2
    assert law.pdf(inside - 1e-6) == pytest.approx(law.pdf(inside + 1e-6), rel=1e-4)
    (low, high), _ = law.support()
    assert low < inside < high and law.pdf(inside) > 0.05


@guards(spectra.Law.support)
def test_true_gaps_stay_however_narrow():
    """(±1) ⊞ semicircle(v): bands meet at v = 1, the gap is about (4/3√3)(1 − v)^{3/2} wide: 8e-10 at 1e-6."""
    for d in (1e-3, 1e-5, 1e-6):
        (_, a), (b, _) = (spectra.atoms([-1.0, 1.0]) + spectra.semicircle(1 - d)).support()
        assert b - a == pytest.approx(4 / math.sqrt(27) * d**1.5, rel=1e-2)


@guards(spectra.Law.cdf, spectra.Law.moment, spectra.Law.ppf)
@pytest.mark.parametrize("v", [1 - 1e-9, 1.0, 1 + 1e-9, 1 + 1e-6, 1.0001, 1.001, 1.01, 1.1])
def test_masses_where_two_bands_have_just_merged(v):
    """Half on each side of 0; m₂ = 1 + v, m₄ = 1 + 4v + 2v²; quantiles invert; at v = 1 F(x) − ½ = (√3/2π)(3/4) x^{4/3}
    + O(x²) (the cubic G³ − 2zG² + (z² + v − 1)G − z = 0 at small z)."""
    law = spectra.atoms([-1.0, 1.0]) + spectra.semicircle(v)
    assert law.cdf(0.0) == pytest.approx(0.5, abs=1e-13)
    assert law.moment(2) == pytest.approx(1 + v, rel=1e-12)
    assert law.moment(4) == pytest.approx(1 + 4 * v + 2 * v * v, rel=1e-11)
    x = np.array([-1.5, -0.1, -1e-3, 1e-3, 0.2, 2.0])
    np.testing.assert_allclose(law.ppf(law.cdf(x)), x, rtol=0, atol=1e-11)
    np.testing.assert_allclose(law.cdf(x[:3]) + law.cdf(-x[:3]), 1, rtol=0, atol=1e-13)
    assert law.cdf(law.rvs(3, np.random.default_rng(1))) == pytest.approx(np.random.default_rng(1).random(3), abs=1e-12)
    if v == 1:
        assert law.cdf(1e-3) - 0.5 == pytest.approx(math.sqrt(3) / 2 / math.pi * 0.75 * 1e-4, rel=0.02)


@guards(spectra.activation_covariance)
@pytest.mark.parametrize(("phi", "psi"), [(0.7, 0.5), (0.5, 0.7), (2.0, 0.5), (0.4, 2.0)])
def test_a_linear_layer_has_the_kernel_of_its_weights(phi, psi):
    """ζ = η: M = ηWXXᵀWᵀ/m has rank min(n0, n1, m): an atom of max(1 − ψ, 1 − ψ/φ, 0), counted on one matrix too."""
    law = spectra.activation_covariance(phi, psi, 0.6, 0.6)
    kernel = max(1 - psi, 1 - psi / phi, 0.0)
    assert [v for pair in law.atoms() for v in pair] == pytest.approx([0, kernel] if kernel else [])
    n1 = 200
    n0, m = round(psi * n1), round(psi * n1 / phi)
    rng = np.random.default_rng(2)
    Y = rng.standard_normal((n1, n0)) @ rng.standard_normal((n0, m)) * math.sqrt(0.6 / n0)
    ev = np.linalg.eigvalsh(Y @ Y.T / m)
    assert np.mean(ev < 1e-9) == pytest.approx(kernel, abs=0.003)  # rounded sizes
    assert law.moment(1) == pytest.approx(0.6, rel=1e-12)
    assert law.moment(2) == pytest.approx(0.36 * (1 + 1 / psi + phi / psi), rel=1e-12)
    assert law.cdf(1.0) == pytest.approx(np.mean(ev <= 1), abs=0.02)  # a count of one matrix: some 1/n1


@guards(spectra.marchenko_pastur)
def test_a_population_below_zero_is_refused():
    for population in (spectra.semicircle(), spectra.atoms([-1.0, 2.0]), spectra.free_poisson(0.5, -1.0)):
        with pytest.raises(ValueError, match=r"the population reaches down to -[0-9.]+; expected variances"):
            spectra.marchenko_pastur(0.5, population)
    assert spectra.marchenko_pastur(0.5, spectra.marchenko_pastur(1.0)).moment(1) == pytest.approx(1)
