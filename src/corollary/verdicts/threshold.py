"""Threshold: where a transition happens, one threshold per replicate (all its randomness frozen, bisected to τ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.verdicts.intervals import quantile_interval
from corollary.verdicts.rule import Interval
from corollary.verdicts.settings import ClaimError, at_point, median
from corollary.verdicts.value import Value


@dataclass(frozen=True)
class Threshold(Value):
    """The median of τ (where P(success) = 1/2 for a monotone response) is `theory`.

    The measurement returns τ, or a bracket (lower, upper) on its last axis when bisection stopped early: lower ends
    then make the lower end of the interval, upper ends the upper. along="n" extrapolates each replicate's τ_n to
    n = ∞ and takes the mean of the intercepts instead.
    """

    theory: Any
    of: Any = median

    def __post_init__(self) -> None:
        if self.along:
            from corollary.verdicts.settings import mean

            object.__setattr__(self, "of", mean)
        super().__post_init__()

    def functionals(self, values, points):
        if all(v.ndim == 2 and v.shape[1] == 2 for v in values):
            if self.along:
                values = [v.mean(axis=1) for v in values]
                return super().functionals(values, points)
            if any((v[:, 0] > v[:, 1]).any() for v in values):
                raise ClaimError("Threshold: a bracket's lower end exceeds its upper end")
            return np.stack(values, axis=1)  # (n, J, 2)
        return super().functionals(values, points)

    def compare(self, x, eps):
        if x.ndim == 3:
            lo = quantile_interval(x[..., 0], 0.5, eps)[0]
            return Interval(lo, quantile_interval(x[..., 1], 0.5, eps)[1])
        return super().compare(x, eps)

    def names(self, points, shapes):
        return super().names(points, [()] * len(points))

    def targets(self, points, shapes):
        return np.array([float(at_point(self.theory, place)) for place in self.places(points)])

    def rival_targets(self, rival, points, shapes):
        return np.array([float(at_point(rival, place)) for place in self.places(points)])
