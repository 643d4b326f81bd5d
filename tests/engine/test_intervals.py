"""The intervals hold what they promise; each bound is a binomial quantile at the stated error rate."""

import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import binom

from corollary.verdicts.intervals import (
    dkw_radius,
    fixed_mean_interval,
    log_beta_evalue,
    log_t_evalue,
    mean_interval,
    mixture_quantile,
    probability_interval,
    quantile_interval,
)

RUNS = 4000
FALSE_ALARM = 1e-6  # of each test below, by the binomial allowance


def allowed(eps: float, runs: int = RUNS) -> int:
    return int(binom.ppf(1 - FALSE_ALARM, runs, eps))


@pytest.mark.parametrize("eps", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("n", [24, 64, 200, 1000])
def test_the_quantile_solves_its_equation_exactly(n, eps):
    """e(q(n, ε)) = 1/ε: catches a wrong quantile that Monte Carlo cannot see (the sequence is conservative)."""
    q = np.array(mixture_quantile(n, eps))
    # ln e is evaluated to a few roundings of terms of size n/2 · ln(1 + u): 1e-12 relative is generous at n = 1000
    assert abs(float(log_t_evalue(q, n)) + np.log(eps)) < 1e-12 * max(1.0, n * np.log1p(float(q) ** 2 / (n - 1)))


def test_the_quantile_is_infinite_where_no_interval_can_be_valid():
    """Finite from n = 13, 16, 19 at ε = 1e-2, 1e-3, 1e-4."""
    for eps, first in ((1e-2, 13), (1e-3, 16), (1e-4, 19)):
        assert mixture_quantile(first - 1, eps) == np.inf
        assert np.isfinite(mixture_quantile(first, eps))


def test_the_interval_of_one_sample_is_the_formula():
    """Pins ddof = 1, √n and the hull: coverage cannot tell ddof 0 from 1."""
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0] * 8)
    n, m, s = len(x), x.mean(), x.std(ddof=1)
    q = mixture_quantile(n, 1e-2)
    lo, hi = mean_interval(x, 1e-2)
    k = np.mean((x - m) ** 3) / np.mean((x - m) ** 2) ** 1.5
    W = lambda y: 3 / k * (np.cbrt(1 + k * (y / np.sqrt(n) - k / (6 * n))) - 1)  # noqa: E731
    assert lo == pytest.approx(min(m - q * s / np.sqrt(n), m - s * W(q)), rel=1e-13)
    assert hi == pytest.approx(max(m + q * s / np.sqrt(n), m - s * W(-q)), rel=1e-13)
    assert hi > m + q * s / np.sqrt(n)  # right-skewed data stretch the upper end


LAWS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "minus exponential": lambda rng, shape: 1 - rng.exponential(size=shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
}


@pytest.mark.parametrize("law", LAWS)
def test_peeking_at_every_look_misses_no_more_than_promised(law):
    """Ever-miss of the mean over the looks 16, 24, …, 183."""
    eps = 0.05
    x = LAWS[law](np.random.default_rng(1), (183, RUNS))
    missed = np.zeros(RUNS, bool)
    for n in (16, 24, 36, 54, 81, 122, 183):
        lo, hi = mean_interval(x[:n], eps)
        missed |= (lo > 0) | (hi < 0)
    assert missed.sum() <= allowed(eps)


def test_naive_peeking_would_fail_this_test():
    """The power of the test above: Student's interval at every look misses more than the allowance."""
    x = np.random.default_rng(1).standard_normal((183, RUNS))
    missed = np.zeros(RUNS, bool)
    for n in (16, 24, 36, 54, 81, 122, 183):
        lo, hi = fixed_mean_interval(x[:n], 0.05)
        missed |= (lo > 0) | (hi < 0)
    assert missed.sum() > allowed(0.05)


@pytest.mark.parametrize("law", ["normal", "t3"])
def test_the_fixed_interval_covers_at_its_one_look(law):
    x = LAWS[law](np.random.default_rng(2), (8, RUNS))
    lo, hi = fixed_mean_interval(x, 0.01)
    assert np.sum((lo > 0) | (hi < 0)) <= allowed(0.01)


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_quantiles_of_cauchy_draws_are_covered_at_all_looks(p):
    x = np.random.default_rng(3).standard_cauchy((122, RUNS))
    truth = np.tan(np.pi * (p - 0.5))
    missed = np.zeros(RUNS, bool)
    for n in (16, 36, 81, 122):
        lo, hi = quantile_interval(x[:n], p, 0.05)
        missed |= (lo > truth) | (hi < truth)
    assert missed.sum() <= allowed(0.05)


def test_median_order_statistics_match_the_published_table():
    """k₁ = 1, 3, 5, 16, 40, 93 at n = 16, 24, 32, 64, 128, 256 for the median at ε = 1e-3."""
    for n, first in ((16, 1), (24, 3), (32, 5), (64, 16), (128, 40), (256, 93)):
        lo, hi = quantile_interval(np.arange(1.0, n + 1)[:, None], 0.5, 1e-3)
        assert lo[0] == first and hi[0] == n + 1 - first


def test_infinite_replicates_are_values_of_a_quantile_and_errors_of_a_mean():
    x = np.r_[np.full(10, np.inf), np.zeros(90)]
    assert quantile_interval(x, 0.5, 1e-3)[1] == 0
    with pytest.raises(ValueError, match="10 of 100"):
        mean_interval(x, 1e-3)
    with pytest.raises(ValueError, match="NaN"):
        quantile_interval(np.array([np.nan, 1.0]), 0.5, 1e-3)


@pytest.mark.parametrize("p", [0.5, 0.1])
def test_probabilities_are_covered_at_all_looks(p):
    hits = np.cumsum(np.random.default_rng(4).random((122, RUNS)) < p, axis=0)
    missed = np.zeros(RUNS, bool)
    for n in (16, 36, 81, 122):
        lo, hi = probability_interval(hits[n - 1], n, 0.05)
        missed |= (lo > p) | (hi < p)
    assert missed.sum() <= allowed(0.05)


def test_the_ends_of_a_probability_interval_solve_its_equation():
    lo, hi = probability_interval(np.array([7.0]), 40, 1e-3)
    for end in (lo[0], hi[0]):
        log_e = betaln(7.5, 33.5) - betaln(0.5, 0.5) - 7 * np.log(end) - 33 * np.log1p(-end)
        # bisection to 2⁻⁶⁰ times a slope of at most n/p = 1e3
        assert log_e == pytest.approx(np.log(1e3), abs=1e-9)
        assert float(log_beta_evalue(np.array(7.0), 40, end)) == pytest.approx(log_e, abs=1e-9)
    assert probability_interval(np.array([0.0]), 5, 0.01)[0][0] == 0


def test_equal_replicates_give_no_information_about_the_mean():
    lo, hi = mean_interval(np.full(50, 0.3), 1e-3)
    assert lo == -np.inf and hi == np.inf


def test_dkw_covers_the_distance_of_uniform_draws():
    n, eps = 100, 0.05
    x = np.sort(np.random.default_rng(5).random((RUNS, n)), axis=1)
    k = np.arange(n)
    D = np.maximum(np.abs((k + 1) / n - x), np.abs(k / n - x)).max(axis=1)
    assert np.sum(D > dkw_radius(n, eps)) <= allowed(eps)
    assert np.sum(D > 0.7 * dkw_radius(n, eps)) > allowed(eps)  # and is not vacuous
