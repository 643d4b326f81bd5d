"""The judge on thousands of streams at once: every column of x is a run of its own.

The rule is `rule.words`, the schedule `rule.looks`, the intervals those of `intervals`: only the loop over runs is
another one than `walk`, and a test holds the two equal run by run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from corollary.verdicts.comparisons import Comparison, Interval, tied
from corollary.verdicts.intervals import mean_interval
from corollary.verdicts.kind import TIES_NEED
from corollary.verdicts.rule import looks, words

Intervals = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]
Compare = Callable[[np.ndarray, float], Comparison]
Words = Callable[..., tuple[np.ndarray, np.ndarray]]
UNDECIDED, CONFIRMED, REFUTED = 0, 1, 2


@dataclass(frozen=True)
class Counts:
    """How a number of runs came out; `replicates` is the sum of the replicates they took."""

    runs: int = 0
    confirmed: int = 0
    refuted: int = 0
    replicates: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, k) + getattr(other, k) for k in ("runs", "confirmed", "refuted", "replicates")))


def means(x: np.ndarray, eps: float) -> Interval:
    """The interval of `comparisons.of_means`, without what only a report needs."""
    return Interval(*mean_interval(x, eps), ties=tied(x) if len(x) < TIES_NEED else None)


def by(interval: Intervals) -> Compare:
    return lambda x, eps: Interval(*interval(x, eps))


def decided(
    x: np.ndarray, T: float, b: float, r: float, eps: float, *, schedule: Iterable[int] | None = None,
    compare: Compare = means, rule: Words = words, side: str = "two",
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(outcome, replicates taken) of every run: x (n, runs, ...) against theory T, margin b, resolution r."""
    n, runs = x.shape[:2]
    outcome, taken = np.zeros(runs, dtype=int), np.full(runs, n)
    going = np.arange(runs)
    for look in looks(n) if schedule is None else schedule:
        c = compare(x[:look, going], eps)
        one = np.ones(len(going))
        refuted, inside = rule(c, T * one, b * one, r * one, side)
        if look < TIES_NEED:
            wait = c.tied
            refuted, inside = refuted & ~wait, inside & ~wait
        outcome[going] = np.where(refuted, REFUTED, np.where(inside, CONFIRMED, UNDECIDED))
        done = refuted | inside
        taken[going[done]] = look
        going = going[~done]
        if not len(going):
            break
    return outcome, taken


def counted(outcome: np.ndarray, taken: np.ndarray) -> Counts:
    return Counts(len(outcome), int(np.sum(outcome == CONFIRMED)), int(np.sum(outcome == REFUTED)), int(np.sum(taken)))


def ever_missed(
    x: np.ndarray, truth: float, eps: float, schedule: Iterable[int], interval: Intervals = mean_interval
) -> int:
    """Runs whose interval failed to hold the truth at some look."""
    missed = np.zeros(x.shape[1], dtype=bool)
    for n in schedule:
        lo, hi = interval(x[:n], eps)
        missed |= (lo > truth) | (hi < truth)
    return int(missed.sum())
