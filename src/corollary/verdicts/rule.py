"""The rule: from an interval, the theory's zone and the rivals' zones to one of four words. Written once.

θ is the true value of a functional, T the theory's, b ≥ 0 its margin (what the theorem leaves open), r > 0 the
resolution (what the experiment promises to see), C an interval that covers θ at every look with probability ≥ 1 − ε.

    REFUTED     C misses [T−b, T+b]
    CONFIRMED   C ⊂ [T−b−r, T+b+r], and C misses the zone [ρ−b, ρ+b] of every rival ρ

On the event "C always covers θ" (probability ≥ 1 − ε) no word is wrong, so one ε pays for false CONFIRM, false REFUTE
and false kills together. With several functionals: CONFIRMED iff all are, REFUTED iff any is, a rival is killed iff it
is in any one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np

from corollary.verdicts.intervals import mean_interval

Side = Literal["two", "at most", "at least"]


class Outcome(StrEnum):
    """What a claim came to. Only CONFIRMED is green."""

    CONFIRMED = "CONFIRMED"
    REFUTED = "REFUTED"
    UNDERPOWERED = "UNDERPOWERED"
    OUT_OF_DOMAIN = "OUT_OF_DOMAIN"


class Comparison(Protocol):
    """What is known of θ after a look: `above(t)` shows θ > t (or ≥ t), `below(t)` θ < t, each for all functionals."""

    def above(self, t: np.ndarray, *, strict: bool = True) -> np.ndarray: ...
    def below(self, t: np.ndarray, *, strict: bool = True) -> np.ndarray: ...
    def ends(self) -> tuple[np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Interval:
    """Plain intervals [lo, hi], one per functional."""

    lo: np.ndarray
    hi: np.ndarray

    def above(self, t, *, strict=True):
        return self.lo > t if strict else self.lo >= t

    def below(self, t, *, strict=True):
        return self.hi < t if strict else self.hi <= t

    def ends(self):
        return self.lo, self.hi


@dataclass(frozen=True)
class RatioSet:
    """θ = E y / E x without a division: θ > t is shown by E[y − t x] > 0, once E x > 0 is shown itself.

    y, x: (n, J). Each comparison is one contrast with its own interval at level ε, so none costs more than ε.
    """

    y: np.ndarray
    x: np.ndarray
    eps: float

    def _contrast(self, t) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # half of ε shows that the denominator is positive, half goes to the contrast
        positive = mean_interval(self.x, self.eps / 2)[0] > 0
        lo, hi = mean_interval(self.y - np.asarray(t) * self.x, self.eps / 2)
        return positive, lo, hi

    def above(self, t, *, strict=True):
        positive, lo, _ = self._contrast(t)
        return positive & (lo > 0 if strict else lo >= 0)

    def below(self, t, *, strict=True):
        positive, _, hi = self._contrast(t)
        return positive & (hi < 0 if strict else hi <= 0)

    def ends(self):
        """{t : 0 ∈ C(y − t x)} by bisection, for the report; infinite where it is unbounded."""
        centre = self.y.mean(axis=0) / self.x.mean(axis=0)
        spread = np.std(self.y - centre * self.x, axis=0) / np.abs(self.x.mean(axis=0)) + 1e-300
        found = []
        for sign, shown in ((-1, self.above), (1, self.below)):
            inner, outer = centre.copy(), centre + sign * 64 * spread
            bounded = shown(outer)
            for _ in range(40):
                middle = (inner + outer) / 2
                out = shown(middle)
                inner, outer = np.where(out, inner, middle), np.where(out, middle, outer)
            found.append(np.where(bounded, outer, sign * np.inf))
        return found[0], found[1]


@dataclass(frozen=True)
class Decision:
    """The state of one look. `outcome` None means: go on. `killed` maps each rival to the functional that killed it."""

    outcome: Outcome | None
    lo: np.ndarray
    hi: np.ndarray
    theory: np.ndarray
    margin: np.ndarray
    resolution: np.ndarray
    killed: dict[str, int | None]
    notes: tuple[str, ...] = ()


def decide(
    c: Comparison,
    T: np.ndarray,
    b: np.ndarray,
    r: np.ndarray,
    rivals: Mapping[str, np.ndarray],
    side: Side = "two",
) -> Decision:
    """Apply the rule to J functionals at once. A rival is NaN in the functionals it says nothing about."""
    too_high, too_low = c.above(T + b), c.below(T - b)
    low_enough, high_enough = c.below(T + b + r, strict=False), c.above(T - b - r, strict=False)
    refuted = {"two": too_high | too_low, "at most": too_high, "at least": too_low}[side]
    inside = {"two": low_enough & high_enough, "at most": low_enough, "at least": high_enough}[side]
    killed: dict[str, int | None] = {}
    for name, rho in rivals.items():
        dead = np.flatnonzero(np.nan_to_num(c.above(rho + b) | c.below(rho - b)))
        killed[name] = int(dead[0]) if dead.size else None
    outcome = None
    if np.any(refuted):
        outcome = Outcome.REFUTED
    elif np.all(inside) and all(k is not None for k in killed.values()):
        outcome = Outcome.CONFIRMED
    lo, hi = c.ends()
    return Decision(outcome, lo, hi, T, b, r, killed)


def looks(budget: int, first: int = 16, factor: float = 1.5) -> Iterator[int]:
    """16, 24, 36, 54, …, budget: the sizes at which a stream is judged. Any schedule is equally valid."""
    n = min(first, budget)
    while n < budget:
        yield n
        n = int(n * factor)
    yield budget
