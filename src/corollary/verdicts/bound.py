"""Bound: lhs ≤ rhs, always (delta=0) or with probability at least 1 − delta.

One violation beyond rounding refutes a deterministic bound. Samples cannot prove "always": CONFIRMED then means
P(violation) ≤ resolution under the declared sampler, and the verdict prints the largest lhs/rhs seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corollary.verdicts.intervals import probability_interval
from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Decision, Interval, Outcome, Side, decide
from corollary.verdicts.settings import ClaimError, at_point, describe


@dataclass(frozen=True)
class scaled:
    """A rival of a bound whose right side the measurement returns: `factor` times that right side."""

    factor: float


@dataclass(frozen=True)
class Bound(Kind):
    """measurement ≤ `theory` (a number or function of the point), or lhs ≤ rhs for a measurement (lhs, rhs).

    delta: allowed probability of violation. resolution: CONFIRMED shows P(violation) ≤ delta + resolution.
    rounding: relative slack for floating point, default 64 units of roundoff. Rivals are stronger bounds (numbers,
    functions, `scaled(c)`): each must be violated by the data.
    """

    theory: Any = None
    delta: float = 0.0
    resolution: float = field(default=0.05, kw_only=True)
    rounding: float = 64 * float(np.finfo(float).eps)  # a few operations on either side, generously counted
    side: Side = "at most"

    def places(self, points):
        return [dict(p) for p in points]

    def _sides(self, values, points, rhs) -> tuple[np.ndarray, np.ndarray]:
        left, right = [], []
        for v, point in zip(values, points, strict=True):
            if self.theory is None:
                if v.ndim != 2 or v.shape[1] != 2:
                    raise ClaimError("Bound without theory=: the measurement must return (lhs, rhs)")
                left.append(v[:, 0])
                right.append(v[:, 1] * (rhs.factor if isinstance(rhs, scaled) else 1.0))
            else:
                if v.ndim != 1:
                    raise ClaimError(f"Bound: one number per replicate expected, got shape {v.shape[1:]}")
                if isinstance(rhs, scaled):
                    limit = rhs.factor * float(at_point(self.theory, point))
                else:
                    limit = float(at_point(rhs, point))
                left.append(v)
                right.append(np.full(len(v), limit))
        lhs, out = np.stack(left, axis=1), np.stack(right, axis=1)
        if np.isnan(lhs).any() or np.isnan(out).any():
            raise ClaimError("Bound: NaN on one side; mend the measurement")
        return lhs, out

    def _violations(self, lhs, rhs) -> np.ndarray:
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
        c = Interval(*probability_interval(x.sum(axis=0), len(x), share))
        d = decide(c, T, b, r, {}, self.side)
        killed: dict[str, int | None] = {}
        for name, rival in rivals.items():
            broken = self._violations(*self._sides(values, points, rival))
            lo = probability_interval(broken.sum(axis=0), len(broken), share)[0]
            dead = np.flatnonzero(broken.any(axis=0) if self.delta == 0 else lo > self.delta + b)
            killed[name] = int(dead[0]) if dead.size else None
        outcome = d.outcome
        if self.delta == 0 and x.any():
            outcome = Outcome.REFUTED
        elif outcome is Outcome.CONFIRMED and any(k is None for k in killed.values()):
            outcome = None
        with np.errstate(divide="ignore", invalid="ignore"):
            worst = float(np.nanmax(np.where(rhs > 0, lhs / rhs, np.nan))) if np.any(rhs > 0) else float("nan")
        notes = [f"largest lhs/rhs seen: {worst:.6g}"]
        if x.any():
            row, column = np.argwhere(x)[0]
            notes.append(
                f"violated by replicate {row} at {describe(points[column]) or 'the point'}: "
                f"{lhs[row, column]:.6g} > {rhs[row, column]:.6g}"
            )
        return Decision(outcome, d.lo, d.hi, T, b, r, killed, tuple(notes))
