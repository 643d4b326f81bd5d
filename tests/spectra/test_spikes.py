"""Outliers over laws: special cases, sampled covariance matrices, learning rates at hand-made points, bad input."""

import math

import numpy as np
import pytest

from corollary.sims.spectra.spiked import spiked_covariance
from corollary.testing import guards
from corollary.theory import spectra


@guards(spectra.outlier_over)
def test_outliers_over_laws_reduce_to_the_known_ones():
    """A bulk of point masses; noise in two portions or at once; Wishart noise R = 1/(1 − c g) over a bulk at 0."""
    known = spectra.additive_outlier(3.0, 0.8, [-1.0, 1.0])
    got = spectra.outlier_over(3.0, spectra.atoms([-1.0, 1.0]), spectra.semicircle(0.64))
    assert got == pytest.approx(known, rel=1e-8)
    # over a semicircle bulk that itself came from noise 1 on δ₀ with spike 4: 4 + 1/4 first, then both at once
    first = spectra.additive_outlier(4.0, 1.0)
    both = spectra.additive_outlier(4.0, math.sqrt(1.5))
    after = spectra.outlier_over(first.position, spectra.semicircle(1.0), spectra.semicircle(0.5))
    assert after.position == pytest.approx(both.position, rel=1e-12)
    assert after.overlap * first.overlap == pytest.approx(both.overlap, rel=1e-8)
    wishart = spectra.outlier_over(5.0, spectra.atoms([0.0]), spectra.marchenko_pastur(0.5))
    assert wishart == pytest.approx((5 + 1 / (1 - 0.1), 1 - 0.5 / (1 - 0.1) ** 2 / 25, True), rel=1e-8)
    gone = spectra.outlier_over(1.05, spectra.atoms([0.0]), spectra.semicircle(4.0))
    assert math.isnan(gone.position) and not gone.detached and gone.overlap == 0


@guards(spectra.sample_outlier, spectra.sample_critical_batch)
def test_sample_outliers():
    """ℓ(1 + c/(ℓ − 1)) and (1 − c/(ℓ − 1)²)/(1 + c/(ℓ − 1)) over 1; swallowed at ℓ ≤ 1 + √c; b* = P/(ℓ − 1)²."""
    c, ell = 0.5, 3.0
    got = spectra.sample_outlier(ell, c, spectra.atoms([1.0]))
    assert got == pytest.approx((ell * (1 + c / 2), (1 - c / 4) / (1 + c / 2), True), rel=1e-13)
    assert not spectra.sample_outlier(1.7, c, spectra.atoms([1.0])).detached
    assert spectra.sample_outlier(1.72, c, spectra.atoms([1.0])).detached
    assert spectra.sample_critical_batch(3.0, 100) == 25.0
    mixed = spectra.sample_outlier(10.0, 0.3, spectra.atoms([1.0, 3.0]))
    ψ = 10 * (1 + 0.3 * (0.5 / 9 + 1.5 / 7))
    slope = 1 + 0.3 * (0.5 / 9 + 1.5 / 7) - 10 * 0.3 * (0.5 / 81 + 1.5 / 49)
    assert mixed == pytest.approx((ψ, 10 * slope / ψ, True), rel=1e-12)


def test_sampled_covariances_have_the_outlier():
    """N = 200, 30 draws: mean of the top within 4.5 standard errors and 10/N of the limit, overlap likewise."""
    seeds = [np.random.SeedSequence([6, k]) for k in range(30)]
    out = spiked_covariance({"N": 200, "ratio": 0.5, "ell": 4.0, "population": [1.0, 2.0]}, seeds, np)
    want = spectra.sample_outlier(4.0, 0.5, spectra.atoms([1.0, 2.0]))
    for name, value in (("top", want.position), ("overlap", want.overlap)):
        assert abs(out[name].mean() - value) < 4.5 * out[name].std() / math.sqrt(30) + 10 / 200
    assert out["residual"].max() < 1e-11


@guards(spectra.sgd_rate_limit, spectra.adam_rate_rule)
def test_learning_rates_by_hand():
    """θ = 2, noise 6: b = 4 gives 2/2.75; below b* = 1.5 the edge, 2/(2√6) at b = 1; √4 for four times the batch."""
    assert spectra.sgd_rate_limit(2.0, 6.0, 4) == pytest.approx(2 / 2.75, rel=1e-15)
    assert spectra.sgd_rate_limit(2.0, 6.0, 1) == pytest.approx(1 / math.sqrt(6), rel=1e-15)
    assert spectra.sgd_rate_limit(2.0, 6.0, 50, 50) == 1.0
    assert spectra.adam_rate_rule(0.1, 64, 16) == pytest.approx(0.2, rel=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spectra.outlier_over(1.9, spectra.semicircle(), spectra.semicircle()), "theta = 1.9 does not lie"),
        (lambda: spectra.sample_outlier(0.5, 0.5, spectra.atoms([1.0])), "ell = 0.5 does not lie above the bulk"),
        (lambda: spectra.sample_outlier(3.0, 0.0, spectra.atoms([1.0])), "ratio = 0.0"),
        (lambda: spectra.sample_critical_batch(1.0, 10), "ell = 1.0"),
        (lambda: spectra.sgd_rate_limit(1.0, 1.0, 11, 10), "batch = 11"),
        (lambda: spectra.adam_rate_rule(0.1, 0, 1), "batch = 0"),
        (lambda: spiked_covariance({"N": 1, "ratio": 0.5, "ell": 2.0}, [], np), "N = 1"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
