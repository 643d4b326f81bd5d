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
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np

from corollary.verdicts.comparisons import Comparison, Interval, RatioSet, Shifted

__all__ = ["Comparison", "Decision", "Interval", "Outcome", "RatioSet", "Shifted", "Side", "decide", "looks", "words"]

Side = Literal["two", "at most", "at least"]


class Outcome(StrEnum):
    """What a claim came to. Only CONFIRMED is green."""

    CONFIRMED = "CONFIRMED"
    REFUTED = "REFUTED"
    UNDERPOWERED = "UNDERPOWERED"
    OUT_OF_DOMAIN = "OUT_OF_DOMAIN"


@dataclass(frozen=True)
class Decision:
    """The state of one look. `outcome` None means: go on. `killed` maps each rival to the functional that killed it.

    evidence: log₁₀ e against the theory's zone (key None) and each rival's, where the comparison has an e-value.
    rivals: what each rival says, NaN where it says nothing; empty for kinds whose rivals are no values.
    more_names: functionals judged beside the kind's own (rival coordinates), at the end of the arrays.
    """

    outcome: Outcome | None
    lo: np.ndarray
    hi: np.ndarray
    theory: np.ndarray
    margin: np.ndarray
    resolution: np.ndarray
    killed: dict[str, int | None]
    notes: tuple[str, ...] = ()
    evidence: Mapping[str | None, float] = field(default_factory=dict)
    rivals: Mapping[str, np.ndarray] = field(default_factory=dict)
    more_names: tuple[str, ...] = ()


def words(
    c: Comparison, T: np.ndarray, b: np.ndarray, r: np.ndarray, side: Side = "two"
) -> tuple[np.ndarray, np.ndarray]:
    """For every functional by itself: does the look refute the theory's value, does it lie inside what confirms it."""
    too_high, too_low = c.above(T + b), c.below(T - b)
    low_enough, high_enough = c.below(T + b + r, strict=False), c.above(T - b - r, strict=False)
    refuted = {"two": too_high | too_low, "at most": too_high, "at least": too_low}[side]
    inside = {"two": low_enough & high_enough, "at most": low_enough, "at least": high_enough}[side]
    return refuted, inside


def decide(
    c: Comparison,
    T: np.ndarray,
    b: np.ndarray,
    r: np.ndarray,
    rivals: Mapping[str, np.ndarray],
    side: Side = "two",
) -> Decision:
    """Apply the rule to J functionals at once. A rival is NaN in the functionals it says nothing about."""
    refuted, inside = words(c, T, b, r, side)
    killed: dict[str, int | None] = {}
    for name, rho in rivals.items():
        dead = np.flatnonzero(np.nan_to_num(c.above(rho + b) | c.below(rho - b)))
        killed[name] = int(dead[0]) if dead.size else None
    outcome = None
    if np.any(refuted):
        outcome = Outcome.REFUTED
    elif np.all(inside) and all(k is not None for k in killed.values()):
        outcome = Outcome.CONFIRMED
    lowest = T - b if side != "at most" else np.full_like(T, -np.inf)
    highest = T + b if side != "at least" else np.full_like(T, np.inf)
    found = {None: _log10_e(c, lowest, highest)}
    found |= {name: _log10_e(c, rho - b, rho + b) for name, rho in rivals.items()}
    lo, hi = c.ends()
    evidence = {name: e for name, e in found.items() if e is not None}
    return Decision(outcome, lo, hi, T, b, r, killed, evidence=evidence, rivals=dict(rivals))


def _log10_e(c: Comparison, low: np.ndarray, high: np.ndarray) -> float | None:
    """Evidence against "θ lies in [low, high] in every functional": the mean of the e-values at the nearest points."""
    spoken = np.isfinite(low) | np.isfinite(high)
    e = c.log_e(np.where(spoken, np.clip(c.centre, low, high), 0.0)) if spoken.any() else None
    if e is None:
        return None
    return float(np.logaddexp.reduce(e[spoken]) - np.log(spoken.sum())) / float(np.log(10))


def looks(budget: int, first: int = 16, factor: float = 1.5) -> Iterator[int]:
    """16, 24, 36, 54, …, budget: the sizes at which a stream is judged. Any schedule is equally valid."""
    n = min(first, budget)
    while n < budget:
        yield n
        n = int(n * factor)
    yield budget
