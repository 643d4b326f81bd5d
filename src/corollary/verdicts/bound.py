"""Bound: lhs ≤ rhs, always (delta=0) or with probability at least 1 − delta; and Tight, that a bound is attained.

One violation beyond rounding refutes a deterministic bound. Samples cannot prove "always": CONFIRMED then means
P(violation) ≤ resolution under the declared sampler, and that an adversarial search (`search=`) found none either; the
verdict prints the largest lhs/rhs seen. Rivals are stronger bounds, killed by the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from corollary.verdicts.comparisons import of_probabilities
from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Decision, Outcome, Side, decide
from corollary.verdicts.search import Search
from corollary.verdicts.settings import ClaimError, describe


@dataclass(frozen=True)
class scaled:
    """A rival of a bound whose right side the measurement returns: `factor` times that right side."""

    factor: float


@dataclass(frozen=True)
class Bound(Kind):
    """measurement ≤ `theory` (a number or function of the point), or lhs ≤ rhs for a measurement (lhs, rhs).

    delta: allowed probability of violation. resolution: CONFIRMED shows P(violation) ≤ delta + resolution.
    rounding: relative slack for floating point, default 64 units of roundoff. search: an adversarial `Search`, run once
    before a deterministic bound is confirmed. Rivals are stronger bounds (numbers, functions, `scaled(c)`): each must
    be violated by the data, more often than delta where delta > 0. That a bound cannot be improved is another claim:
    `Tight`, a Value of lhs/rhs, or a Rate of lhs/rhs with exponent 0.
    """

    theory: Any = None
    delta: float = 0.0
    resolution: float = field(default=0.05, kw_only=True)
    rounding: float = 64 * float(np.finfo(float).eps)  # a few operations on either side, generously counted
    side: Side = "at most"
    search: Search | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.delta < 1:
            raise ClaimError(f"delta={self.delta}: a probability of violation lies in [0, 1)")
        if self.delta == 0 and not (isinstance(self.margin, int | float) and self.margin == 0):
            raise ClaimError("a bound that always holds has no margin: one violation refutes it; or give delta=")
        if self.delta and self.search:
            raise ClaimError("search= looks for a single violation, which a bound with delta= allows")

    @property
    def one_refutation_suffices(self) -> bool:
        return self.delta == 0

    def places(self, points):
        return [dict(p) for p in points]

    def _sides(self, values, points, rhs) -> tuple[np.ndarray, np.ndarray]:
        left, right = [], []
        for v, point in zip(values, points, strict=True):
            if self.theory is None:
                if v.ndim != 2 or v.shape[1] != 2:
                    raise ClaimError("Bound without theory=: the measurement must return (lhs, rhs)")
                if rhs is not None and not isinstance(rhs, scaled):
                    raise ClaimError("Bound without theory=: a rival is scaled(c), c times the measured right side")
                left.append(v[:, 0])
                right.append(v[:, 1] * (rhs.factor if isinstance(rhs, scaled) else 1.0))
            else:
                if v.size != len(v):
                    raise ClaimError(f"Bound: one number per replicate expected, got shape {v.shape[1:]}")
                factor, rhs_here = (rhs.factor, self.theory) if isinstance(rhs, scaled) else (1.0, rhs)
                left.append(v.reshape(len(v)))
                right.append(np.full(len(v), factor * float(self.evaluate(rhs_here, point))))
        lhs, out = np.stack(left, axis=1), np.stack(right, axis=1)
        if np.isnan(lhs).any() or np.isnan(out).any():
            raise ClaimError("Bound: NaN on one side; mend the measurement")
        return lhs, out

    def _violations(self, lhs, rhs) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # ∞ ≤ ∞ holds
            return lhs > rhs + self.rounding * np.maximum(np.abs(lhs), np.abs(rhs))

    def functionals(self, values, points):
        return self._violations(*self._sides(values, points, self.theory)).astype(float)

    def targets(self, points, shapes):
        return np.full(len(points), self.delta)

    def rival_targets(self, rival, points, shapes):
        return np.full(len(points), np.nan)

    def separation(self, rivals, points, shapes):
        return {name: float("nan") for name in rivals}  # whether a stronger bound breaks is for the data to say

    def decide_at(self, values, points, rivals, eps, look):
        lhs, rhs = self._sides(values, points, self.theory)
        x = self._violations(lhs, rhs)
        T = self.targets(points, [])
        b, r = self.zones(T, points)
        share = eps / x.shape[1]
        d = decide(of_probabilities(x.sum(axis=0), len(x), share), T, b, r, {}, self.side)
        killed: dict[str, int | None] = {}
        for name, rival in rivals.items():
            broken = self._violations(*self._sides(values, points, rival))
            c = of_probabilities(broken.sum(axis=0), len(broken), share)
            dead = np.flatnonzero(broken.any(axis=0) if self.delta == 0 else c.above(self.delta + b))
            killed[name] = int(dead[0]) if dead.size else None
        outcome, notes = d.outcome, [f"largest lhs/rhs seen: {_largest(lhs, rhs):.6g}"]
        if self.delta == 0 and x.any():
            outcome = Outcome.REFUTED
        elif outcome is Outcome.CONFIRMED and any(k is None for k in killed.values()):
            outcome = None
        if x.any():
            row, column = np.argwhere(x)[0]
            notes.append(
                f"violated by replicate {row} at {describe(points[column]) or 'the point'}: "
                f"{lhs[row, column]:.6g} > {rhs[row, column]:.6g}"
            )
        if outcome is Outcome.CONFIRMED:
            most = "; ".join(f"{name} {hi:.3g}" for name, hi in zip(self.names(points, []), d.hi, strict=True))
            notes.append(f"P(violation) under the declared sampler is at most: {most}")
            outcome = self._searched(points, notes)
        return replace(d, outcome=outcome, killed=killed, notes=tuple(notes))

    def _searched(self, points, notes: list[str]) -> Outcome:
        if self.search is None:
            return Outcome.CONFIRMED
        found = Outcome.CONFIRMED
        for point in points:
            rhs = None if self.theory is None else float(self.evaluate(self.theory, point))
            ratio, left, right, inputs = self.search.run(rhs, point)
            where = f"{describe(point)}: " if point else ""
            notes.append(f"{where}largest lhs/rhs in {self.search.examples} searched inputs: {ratio:.6g} at {inputs}")
            if self._violations(np.array(left), np.array(right)):
                found = Outcome.REFUTED
        return found


@dataclass(frozen=True)
class Tight(Kind):
    """The bound is attained: some replicate has lhs/rhs ≥ `share`. One witness suffices, so no error rate is spent.

    theory as for Bound: the right side, unless the measurement returns (lhs, rhs). No witness: UNDERPOWERED, for
    samples cannot show that none exists. Rivals are sharper bounds, c times this one with c < `share`: the witness
    breaks them.
    """

    share: float
    theory: Any = None
    rounding: float = 64 * float(np.finfo(float).eps)
    needs_resolution = False
    random = False
    resolution: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share <= 1:
            raise ClaimError(f"Tight({self.share}): the share of the bound that is reached lies in (0, 1]")

    def places(self, points):
        return [dict(p) for p in points]

    def separation(self, rivals, points, shapes):
        for name, rival in rivals.items():
            if not float(rival) < self.share:
                raise ClaimError(f"rival {name!r} of Tight must be a sharper bound: a factor below {self.share}")
        return {name: float("nan") for name in rivals}

    def decide_at(self, values, points, rivals, eps, look):
        lhs, rhs = Bound(self.theory)._sides(values, points, self.theory)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(rhs > 0, lhs / rhs, -np.inf)
        best = ratio.max(axis=0)
        row = ratio.argmax(axis=0)
        attained = np.all(best * (1 + self.rounding) >= self.share)
        beyond = {name: np.flatnonzero(best > float(rival)) for name, rival in rivals.items()}
        killed = {name: int(where[0]) if where.size else None for name, where in beyond.items()}
        notes = tuple(
            f"{describe(p) or 'the point'}: largest lhs/rhs {m:.6g}, by replicate {i}"
            for p, m, i in zip(points, best, row, strict=True)
        )
        T = np.full(len(points), self.share)
        outcome = Outcome.CONFIRMED if attained else None
        return Decision(outcome, best, np.full(len(points), np.inf), T, 0 * T, np.ones_like(T), killed, notes)


def _largest(lhs: np.ndarray, rhs: np.ndarray) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmax(np.where(rhs > 0, lhs / rhs, np.nan))) if np.any(rhs > 0) else float("nan")
