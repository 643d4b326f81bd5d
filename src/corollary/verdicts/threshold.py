"""Threshold: where a transition happens.

Preferred: one threshold per replicate (all its randomness frozen, bisected to τ): for a monotone response
P(success at x) = P(τ ≤ x), so the p = 1/2 point is the median of τ and no curve is assumed. Where runs cannot be
frozen: successes at fixed places (`success=`). Never: bisection with fresh noise at every midpoint, whose final bracket
contains the threshold .5 % of the time, or a logistic curve fitted to an unknown one (skewed truth: miss .54 at 32 runs
per point, 1.00 at 256).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.verdicts.comparisons import Interval, of_probabilities
from corollary.verdicts.intervals import mean_interval, quantile_interval
from corollary.verdicts.rule import decide
from corollary.verdicts.settings import ClaimError, by_group, describe, labels, mean, median
from corollary.verdicts.value import Value, intercept_weights


@dataclass(frozen=True)
class Threshold(Value):
    """The median of τ (where P(success) = 1/2) is `theory`.

    The measurement returns τ, or a bracket (lower, upper) on its last axis when bisection stopped early: lower ends
    then make the lower end of the interval, upper ends the upper. along="n" extrapolates each replicate's τ_n to
    n = ∞, by a line in n^(−gamma), and takes the mean of the intercepts instead.

    success="x": the measurement is 0 or 1, success in a fresh run at the point's coordinate x; P(success) grows with
    x. The threshold lies above every x where P < 1/2 is shown and below every x where P > 1/2 is: declare points at
    T − b − r and T + b + r (further ones cannot confirm). A discrete τ has a set of medians: its hull is T ± margin.
    """

    theory: Any
    of: Any = median
    success: str | None = None

    def __post_init__(self) -> None:
        if self.along:
            if self.success:
                raise ClaimError("Threshold: along= extrapolates one τ per replicate; success= has none")
            object.__setattr__(self, "of", mean)
        super().__post_init__()

    def places(self, points):
        return [rest for rest, _ in by_group(points, self.success)] if self.success else super().places(points)

    def declared_shapes(self, rivals, points):
        return [()] * len(points)

    def functionals(self, values, points):
        if self.success:
            raise ClaimError("Threshold: success= is judged place by place")
        if not all(v.ndim == 2 and v.shape[1] == 2 for v in values):
            return super().functionals(values, points)
        if any((v[:, 0] > v[:, 1]).any() for v in values):
            raise ClaimError("Threshold: a bracket's lower end exceeds its upper end")
        if not self.along:
            return np.stack(values, axis=1)  # (n, J, 2)
        ends = []
        for _, ids in by_group(points, self.along):
            u = intercept_weights(np.array([points[i][self.along] for i in ids], dtype=float), self.gamma)
            y = np.stack([values[i] for i in ids])  # (sizes, n, 2); a negative weight takes the other end
            lower = np.tensordot(np.maximum(u, 0), y[..., 0], 1) + np.tensordot(np.minimum(u, 0), y[..., 1], 1)
            upper = np.tensordot(np.maximum(u, 0), y[..., 1], 1) + np.tensordot(np.minimum(u, 0), y[..., 0], 1)
            ends.append(np.stack([lower, upper], axis=1))
        return np.stack(ends, axis=1)

    def compare(self, x, eps):
        if x.ndim != 3:
            return super().compare(x, eps)
        if self.along:  # two means, each with half of ε: the spread of one end says nothing about the other
            return Interval(mean_interval(x[..., 0], eps / 2)[0], mean_interval(x[..., 1], eps / 2)[1])
        # lower ≤ τ ≤ upper in every replicate: one e-process, that of τ, pays for both ends
        lo = quantile_interval(x[..., 0], 0.5, eps)[0]
        return Interval(lo, quantile_interval(x[..., 1], 0.5, eps)[1])

    def names(self, points, shapes):
        return labels(self.places(points))

    def targets(self, points, shapes):
        return self._one_each(self.theory, points)

    def rival_targets(self, rival, points, shapes):
        return self._one_each(rival, points)

    def _one_each(self, value, points) -> np.ndarray:
        return np.array([float(self.evaluate(value, place)) for place in self.places(points)])

    def decide_at(self, values, points, rivals, eps, look):
        if not self.success:
            return super().decide_at(values, points, rivals, eps, look)
        T = self.targets(points, [])
        b, r = self.zones(T, points)
        lows, highs = [], []
        for (rest, ids), t, reach in zip(by_group(points, self.success), T, b + r, strict=True):
            x = np.array([points[i][self.success] for i in ids], dtype=float)
            slack = 1e-9 * max(1.0, abs(t))  # T − b − r as computed here and as typed in the points
            if not (np.any((x < t) & (x >= t - reach - slack)) and np.any((x > t) & (x <= t + reach + slack))):
                raise ClaimError(
                    f"Threshold {describe(rest)}: nothing can confirm {t:g} ± {reach:g} with runs at {self.success} = "
                    f"{x.tolist()}; put points at {t - reach:g} and {t + reach:g}"
                )
            bits = np.stack([np.asarray(values[i], dtype=float).reshape(len(values[i])) for i in ids], axis=1)
            if not np.isin(bits, (0.0, 1.0)).all():
                raise ClaimError("Threshold: with success= the measurement must be 0 or 1 in every replicate")
            c = of_probabilities(bits.sum(axis=0), len(bits), eps / len(points))
            lows.append(max([-np.inf, *x[c.below(np.array(0.5))]]))
            highs.append(min([np.inf, *x[c.above(np.array(0.5))]]))
            if lows[-1] > highs[-1]:
                raise ClaimError(f"Threshold {describe(rest)}: P(success) falls with {self.success}; it must grow")
        said = {name: self.rival_targets(rival, points, []) for name, rival in rivals.items()}
        return decide(Interval(np.array(lows), np.array(highs)), T, b, r, said, self.side)
