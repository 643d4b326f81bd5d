"""Judges that are wrong in a way somebody could be wrong: the calibration must refuse each of them."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit

from corollary.verdicts.calibration.harness import Intervals, Words
from corollary.verdicts.comparisons import Interval
from corollary.verdicts.intervals import hull, mean_interval, mixture_quantile
from corollary.verdicts.rule import Side, words


def _symmetric(x: np.ndarray, q: float) -> tuple[np.ndarray, np.ndarray]:
    half = q * x.std(axis=0, ddof=1) / np.sqrt(len(x))
    return x.mean(axis=0) - half, x.mean(axis=0) + half


def student_at_every_look(x, eps):
    return _symmetric(x, float(stdtrit(len(x) - 1, 1 - eps / 2)))


def normal_quantile_at_every_look(x, eps):
    return _symmetric(x, float(ndtri(1 - eps / 2)))


def no_skew_branch(x, eps):
    return _symmetric(x, mixture_quantile(len(x), eps))


def seven_tenths_of_q(x, eps):
    return hull(x, 0.7 * mixture_quantile(len(x), eps))


def ten_epsilon(x, eps):
    return mean_interval(x, min(10 * eps, 0.9))


def two_epsilon(x, eps):
    return mean_interval(x, 2 * eps)


def nine_tenths_of_q(x, eps):
    return hull(x, 0.9 * mixture_quantile(len(x), eps))


INTERVALS: dict[str, Intervals] = {
    "Student's interval at every look": student_at_every_look,
    "normal quantiles at every look": normal_quantile_at_every_look,
    "no skewness branch": no_skew_branch,
    "0.7 q": seven_tenths_of_q,
    "10 ε": ten_epsilon,
}
# too close to the judge for any affordable number of runs: these change q itself, which the exact identity pins
SUBTLE: dict[str, Intervals] = {"2 ε": two_epsilon, "0.9 q": nine_tenths_of_q}


def _centre(c: Interval) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.nan_to_num((c.lo + c.hi) / 2)


def margin_forgotten(c, T, b, r, side: Side = "two"):
    return words(c, T, 0 * b, r + b, side)


def estimate_instead_of_interval(c, T, b, r, side: Side = "two"):
    refuted, _ = words(c, T, b, r, side)
    return refuted, (np.abs(_centre(c) - T) <= b + r) & np.isfinite(c.lo + c.hi)


def estimate_refutes(c, T, b, r, side: Side = "two"):
    _, inside = words(c, T, b, r, side)
    return (np.abs(_centre(c) - T) > b) & np.isfinite(c.lo + c.hi), inside


def upper_half_only(c, T, b, r, side: Side = "two"):
    refuted, _ = words(c, T, b, r, side)
    return refuted, c.lo >= T - b - r


RULES: dict[str, Words] = {
    "the margin is forgotten": margin_forgotten,
    "the estimate confirms, not the interval": estimate_instead_of_interval,
    "the estimate refutes, not the interval": estimate_refutes,
    "only one half of CONFIRMED is checked": upper_half_only,
}
