"""Intervals that stay valid however often one looks, for means, quantiles, probabilities and distribution functions.

Which one holds where:

- `mean_interval`: iid replicates with finite variance, any stopping time. A t-mixture confidence sequence joined with
  its skewness-corrected twin (Hall 1992), "mixture hull".
- `fixed_mean_interval`: the same for one look at a size fixed beforehand: Student joined with Hall's inversion.
- `quantile_interval`: no moments needed, infinite values allowed, exact at any stopping time.
- `probability_interval`: 0/1 replicates, any stopping time.
- `dkw_radius`: sup-distance of an empirical distribution function, independent scalars only, one look.

All take the replicates on axis 0 and an error rate per column; they work on whole stacks of columns at once.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln, stdtrit

EFFECT_VARIANCE = 0.1  # g: variance of the normal prior on the effect size; n to decide varies < 5 % for g in [.1, 1]


def mixture_quantile(n: int, eps: float, g: float = EFFECT_VARIANCE) -> float:
    """q(n, ε): the t-mixture confidence sequence at size n is mean ± q s/√n. Infinite where n is too small for ε.

    Solves e(q) = 1/ε for the t-test e-value e(t) = a^{-1/2} [(1+u)/(1+u/a)]^{n/2}, u = t²/(n−1), a = 1 + n g.
    """
    a = 1 + n * g
    L = (a / eps**2) ** (1 / n)
    return float(np.sqrt((n - 1) * (L - 1) / (1 - L / a))) if L < a and n > 1 else float("inf")


def log_t_evalue(t: np.ndarray, n: int, g: float = EFFECT_VARIANCE) -> np.ndarray:
    """ln e(t): evidence against "mean = hypothesised value" from the t statistic; e has expectation ≤ 1 under it."""
    a = 1 + n * g
    u = np.square(t) / (n - 1)
    return -0.5 * np.log(a) + n / 2 * (np.log1p(u) - np.log1p(u / a))


def moments(x: np.ndarray) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """n, mean, standard deviation (ddof 1) and skewness, each column shifted and scaled first against cancellation."""
    n = x.shape[0]
    m = x.mean(axis=0)
    d = x - m
    m = m + d.mean(axis=0)
    second = np.mean(d**2, axis=0)
    s = np.sqrt(second * n / max(n - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.mean((d / np.sqrt(second)) ** 3, axis=0)
    return n, m, s, np.where(np.isfinite(k), k, 0.0)


def hull(x: np.ndarray, q: float) -> tuple[np.ndarray, np.ndarray]:
    """mean ± q s/√n joined with Hall's monotone skewness inversion at the same quantile."""
    n, m, s, k = moments(x)
    k = np.where(np.abs(k) < 1e-6, 1e-6, k)  # the limit k → 0 is q itself; 1e-6 is within 1e-6 of it
    if not np.isfinite(q):
        return np.full_like(m, -np.inf), np.full_like(m, np.inf)

    def W(y: float) -> np.ndarray:
        return 3 / k * (np.cbrt(1 + k * (y / np.sqrt(n) - k / (6 * n))) - 1)

    with np.errstate(invalid="ignore"):
        lo = np.minimum(m - q * s / np.sqrt(n), m - s * W(q))
        hi = np.maximum(m + q * s / np.sqrt(n), m - s * W(-q))
    # equal replicates say nothing about the spread: 32 draws of Bernoulli(.02) are all equal half of the time
    flat = ~(s > 8 * np.finfo(float).eps * np.abs(m))
    return np.where(flat, -np.inf, lo), np.where(flat, np.inf, hi)


def mean_interval(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Anytime-valid interval for the mean of iid replicates `x` (n, ...): lower and upper ends (...).

    Non-finite replicates raise ValueError: dropping the diverged ones would bias the mean.
    """
    _require_finite(x)
    return hull(x, mixture_quantile(x.shape[0], eps))


def fixed_mean_interval(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval for the mean at one size fixed beforehand; at n ≤ 16 for near-symmetric statistics only."""
    _require_finite(x)
    n = x.shape[0]
    return hull(x, float(stdtrit(n - 1, 1 - eps / 2)) if n > 1 else float("inf"))


def _require_finite(x: np.ndarray) -> None:
    bad = int(np.sum(~np.isfinite(x)))
    if bad:
        raise ValueError(
            f"{bad} of {x.size} replicate values are NaN or infinite; a mean over the rest would be biased. "
            "Mend the measurement, or declare of=median, which takes infinities as values"
        )


def log_beta_evalue(k: np.ndarray, n: int | np.ndarray, p: float | np.ndarray) -> np.ndarray:
    """ln e of k successes in n against success probability p (Jeffreys mixture)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(np.equal(k, 0), 0.0, k * np.log(p))
        second = np.where(np.equal(n, k), 0.0, (n - k) * np.log1p(-np.asarray(p, dtype=float)))
    return betaln(k + 0.5, n - k + 0.5) - betaln(0.5, 0.5) - first - second


def quantile_interval(x: np.ndarray, p: float, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Anytime-valid interval for the p-quantile of iid replicates (n, ...); infinite values are values."""
    if np.isnan(x).any():
        raise ValueError("replicates contain NaN, which has no place in an order; mend the measurement")
    n = x.shape[0]
    k = np.arange(n + 1)
    kept = k[log_beta_evalue(k, n, p) < -np.log(eps)]
    edge = np.full((1, *x.shape[1:]), np.inf)
    ordered = np.concatenate([-edge, np.sort(x, axis=0), edge])
    return ordered[kept.min()], ordered[kept.max() + 1]


def probability_interval(k: np.ndarray, n: np.ndarray | int, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Anytime-valid interval for a probability from k successes in n trials: {p : e(k, n, p) < 1/ε}."""
    k, n = np.broadcast_arrays(np.asarray(k, dtype=float), np.asarray(n, dtype=float))
    peak = np.where(n > 0, k / np.where(n > 0, n, 1), 0.5)

    def edge(outside: np.ndarray) -> np.ndarray:
        inside, out = peak.copy(), outside.copy()
        for _ in range(60):  # e is convex in the log-odds, so its level set is an interval around k/n
            middle = (inside + out) / 2
            keep = log_beta_evalue(k, n, middle) < -np.log(eps)
            inside, out = np.where(keep, middle, inside), np.where(keep, out, middle)
        return out

    lo, hi = edge(np.zeros_like(peak)), edge(np.ones_like(peak))
    return np.where(k == 0, 0.0, lo), np.where(k == n, 1.0, hi)


def dkw_radius(n: int, eps: float) -> float:
    """Dvoretzky–Kiefer–Wolfowitz–Massart: P(sup|F_n − F| > δ) ≤ ε for n independent scalars."""
    return float(np.sqrt(np.log(2 / eps) / (2 * n)))
