"""What a look shows of θ: `above(t)`, `below(t)`, the ends of its interval, and the evidence against θ = t.

Three of them: plain intervals for means, the same for quantiles and probabilities (each with its own e-value), and
ratios of means by contrasts, without a division.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from corollary.verdicts.intervals import (
    fixed_mean_interval,
    log_beta_evalue,
    log_t_evalue,
    mean_interval,
    moments,
    probability_interval,
    quantile_interval,
)

REACH = 0.5  # the skewed branch reaches beyond the symmetric one by more than this share of its half-width
MANY_TIES = 0.5  # beyond this share of equal replicates the small-sample miss rate is .055 at a nominal .01


class Comparison(Protocol):
    """`above(t)` shows θ > t (or ≥ t), `below(t)` θ < t, each for all functionals at once.

    log_e: ln of an e-value against θ = t, or None where there is none; centre: the estimate. tied, skewed: masks.
    """

    def above(self, t: np.ndarray, *, strict: bool = True) -> np.ndarray: ...
    def below(self, t: np.ndarray, *, strict: bool = True) -> np.ndarray: ...
    def ends(self) -> tuple[np.ndarray, np.ndarray]: ...
    def log_e(self, t: np.ndarray) -> np.ndarray | None: ...
    @property
    def centre(self) -> np.ndarray: ...
    @property
    def tied(self) -> np.ndarray: ...
    @property
    def skewed(self) -> np.ndarray: ...


def _nowhere(shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape, dtype=bool)


@dataclass(frozen=True)
class Interval:
    """Plain intervals [lo, hi], one per functional."""

    lo: np.ndarray
    hi: np.ndarray
    estimate: np.ndarray | None = None
    evidence: Callable[[np.ndarray], np.ndarray] | None = None
    ties: np.ndarray | None = None
    skew: np.ndarray | None = None

    def above(self, t, *, strict=True):
        return self.lo > t if strict else self.lo >= t

    def below(self, t, *, strict=True):
        return self.hi < t if strict else self.hi <= t

    def ends(self):
        return self.lo, self.hi

    def log_e(self, t):
        return None if self.evidence is None else self.evidence(t)

    @property
    def centre(self):
        with np.errstate(invalid="ignore"):
            return (self.lo + self.hi) / 2 if self.estimate is None else self.estimate

    @property
    def tied(self):
        return _nowhere(self.lo.shape) if self.ties is None else self.ties

    @property
    def skewed(self):
        return _nowhere(self.lo.shape) if self.skew is None else self.skew


def tied(x: np.ndarray) -> np.ndarray:
    """Columns where more than half of the replicates are equal: a value that frequent is the median."""
    return np.mean(x == np.median(x, axis=0), axis=0) > MANY_TIES


def _lopsided(x: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Skewed beyond what normal data show, and so that the interval is: its shorter side is the symmetric branch.

    The second alone would flag a fifth of normal samples at n = 24, where q is large.
    """
    n, m, _, k = moments(x)
    by_chance = 3 * np.sqrt(6 / n)  # three standard deviations of the sample skewness of normal data
    with np.errstate(invalid="ignore"):
        return (np.abs(k) > by_chance) & (np.maximum(m - lo, hi - m) > (1 + REACH) * np.minimum(m - lo, hi - m))


def of_means(x: np.ndarray, eps: float, *, fixed: bool = False) -> Interval:
    """The means of the columns of x (n, J). `fixed`: one look at a size chosen beforehand; it has no e-value."""
    lo, hi = (fixed_mean_interval if fixed else mean_interval)(x, eps)
    m, n = x.mean(axis=0), len(x)
    if fixed or n < 2:
        return Interval(lo, hi, m, None, tied(x), _lopsided(x, lo, hi))
    se = x.std(axis=0, ddof=1) / np.sqrt(n)

    def evidence(t: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(se > 0, (m - t) / se, 0.0)  # equal replicates say nothing about the spread
        return log_t_evalue(score, n)

    return Interval(lo, hi, m, evidence, tied(x), _lopsided(x, lo, hi))


def of_quantiles(x: np.ndarray, p: float, eps: float) -> Interval:
    """The p-quantiles of the columns of x (n, J); against θ = t counts the e-value of "as many as p n lie below t"."""
    n = len(x)

    def evidence(t: np.ndarray) -> np.ndarray:
        fewest, most = (x < t).sum(axis=0), (x <= t).sum(axis=0)
        return log_beta_evalue(np.clip(np.round(n * p), fewest, most), n, p)

    return Interval(*quantile_interval(x, p, eps), np.sort(x, axis=0)[int(p * (n - 1))], evidence)


def of_probabilities(k: np.ndarray, n: np.ndarray | int, eps: float) -> Interval:
    """Success probabilities from k successes in n trials each."""
    share = np.divide(k, n, out=np.full(np.shape(k), 0.5), where=np.asarray(n) > 0)
    return Interval(*probability_interval(k, n, eps), share, lambda t: log_beta_evalue(k, n, np.clip(t, 0, 1)))


@dataclass(frozen=True)
class RatioSet:
    """θ = E y / E x without a division: θ > t is shown by E[y − t x] > 0, once E x > 0 is shown itself.

    y, x: (n, J). Every comparison is one contrast: each single error costs at most ε, and no delta method is used.
    """

    y: np.ndarray
    x: np.ndarray
    eps: float
    fixed: bool = field(default=False, kw_only=True)

    @cached_property
    def _positive(self) -> np.ndarray:
        return self._interval(self.x)[0] > 0

    def _interval(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # half of ε shows that the denominator is positive, half goes to the contrast
        return (fixed_mean_interval if self.fixed else mean_interval)(u, self.eps / 2)

    def _contrast(self, t) -> np.ndarray:
        return self.y - np.asarray(t) * self.x

    def above(self, t, *, strict=True):
        lo = self._interval(self._contrast(t))[0]
        return self._positive & (lo > 0 if strict else lo >= 0)

    def below(self, t, *, strict=True):
        hi = self._interval(self._contrast(t))[1]
        return self._positive & (hi < 0 if strict else hi <= 0)

    def ends(self):
        """{t : 0 ∈ C(y − t x)} by bisection, for the report; infinite where it is unbounded."""
        centre = self.centre
        spread = np.std(self._contrast(centre), axis=0) / np.abs(self.x.mean(axis=0)) + 1e-300
        found = []
        for sign, shown in ((-1, self.above), (1, self.below)):
            inner, outer = centre.copy(), centre + sign * 64 * spread
            bounded = shown(outer)
            for _ in range(16):  # to 64/2¹⁶ = 1e-3 of one replicate's spread: the report shows no more
                middle = (inner + outer) / 2
                out = shown(middle)
                inner, outer = np.where(out, inner, middle), np.where(out, middle, outer)
            found.append(np.where(bounded, outer, sign * np.inf))
        return found[0], found[1]

    def log_e(self, t):
        e = of_means(self._contrast(t), self.eps, fixed=self.fixed).log_e(np.zeros(self.y.shape[1:]))
        return None if e is None else np.where(self._positive, e, -np.inf)

    @property
    def centre(self):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.y.mean(axis=0) / self.x.mean(axis=0))

    @property
    def tied(self):
        return of_means(self._contrast(self.centre), self.eps).tied

    @property
    def skewed(self):
        return of_means(self._contrast(self.centre), self.eps).skewed


@dataclass(frozen=True)
class Shifted:
    """Another comparison, of θ − `by`: a slope over a level, reported as an exponent."""

    inner: Comparison
    by: float

    def above(self, t, *, strict=True):
        return self.inner.above(np.asarray(t) - self.by, strict=strict)

    def below(self, t, *, strict=True):
        return self.inner.below(np.asarray(t) - self.by, strict=strict)

    def ends(self):
        lo, hi = self.inner.ends()
        return lo + self.by, hi + self.by

    def log_e(self, t):
        return self.inner.log_e(np.asarray(t) - self.by)

    @property
    def centre(self):
        return self.inner.centre + self.by

    @property
    def tied(self):
        return self.inner.tied

    @property
    def skewed(self):
        return self.inner.skewed


def side_by_side(parts: Sequence[Interval]) -> Interval:
    """Intervals of several blocks of functionals, each block with its own error rate, as one."""
    cuts = np.cumsum([len(p.lo) for p in parts])[:-1]

    def evidence(t: np.ndarray) -> np.ndarray:
        pieces = [p.log_e(s) for p, s in zip(parts, np.split(np.broadcast_to(t, (len(lo),)), cuts), strict=True)]
        return np.concatenate([p for p in pieces if p is not None])

    lo = np.concatenate([p.lo for p in parts])
    known = all(p.evidence is not None for p in parts)
    return Interval(
        lo, np.concatenate([p.hi for p in parts]), np.concatenate([p.centre for p in parts]),
        evidence if known else None, np.concatenate([p.tied for p in parts]), np.concatenate([p.skewed for p in parts]),
    )  # fmt: skip
