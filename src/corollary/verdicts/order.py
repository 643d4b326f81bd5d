"""Order: A lies below B, judged on replicates paired by seed. Ties count for neither side and are reported."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from corollary.verdicts.intervals import probability_interval
from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Interval, Side
from corollary.verdicts.settings import ClaimError


@dataclass(frozen=True)
class Order(Kind):
    """P(A < B | A ≠ B) is at least `share`; the measurement's last axis holds (A, B).

    With the defaults CONFIRMED shows P > 1/2 and REFUTED shows P < 3/4: between them either word is right. The rival
    "no order" (1/2) is always among the rivals.
    """

    share: float = 0.75
    resolution: float = field(default=0.25, kw_only=True)
    side: Side = "at least"

    def places(self, points):
        return [dict(p) for p in points]

    def functionals(self, values, points):
        if any(v.ndim != 2 or v.shape[1] != 2 for v in values):
            raise ClaimError("Order: the measurement must return (A, B), one pair per replicate")
        pairs = np.stack(values, axis=1)  # (n, points, 2)
        if np.isnan(pairs).any():
            raise ClaimError("Order: NaN has no place in an order; mend the measurement")
        a, b = pairs[..., 0], pairs[..., 1]
        return np.where(a == b, np.nan, (a < b).astype(float))

    def compare(self, x, eps):
        return Interval(*probability_interval(np.nansum(x, axis=0), np.sum(~np.isnan(x), axis=0), eps))

    def targets(self, points, shapes):
        return np.full(len(points), self.share)

    def rival_targets(self, rival, points, shapes):
        return np.full(len(points), float(rival))
