"""Order: A lies below B, judged on replicates paired by seed. Ties count for neither side and are reported."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from corollary.verdicts.comparisons import of_means, of_probabilities
from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Side
from corollary.verdicts.settings import ClaimError

NO_ORDER = "no order"


@dataclass(frozen=True)
class Order(Kind):
    """P(A < B | A ≠ B) is at least `share`; the measurement's last axis holds (A, B).

    With the defaults CONFIRMED shows P > 1/2 and REFUTED shows P < 3/4: between them either word is right. The rival
    "no order" (1/2) is always among the rivals. At ε = 1e-3 this takes 13 pairs where every one agrees, 45 at P = .8.

    by: how far apart, as a Value: the mean of B − A is at least `by` (a number or function of the point), to the
    resolution, which must then be given. Rivals are shares, or with by= differences.
    """

    share: float = 0.75
    resolution: Any = field(default=None, kw_only=True)
    side: Side = "at least"
    by: Any = None

    def __post_init__(self) -> None:
        if self.resolution is None and self.by is None:
            object.__setattr__(self, "resolution", 0.25)
        super().__post_init__()
        if self.by is None and not 0.5 < self.share <= 1:
            raise ClaimError(f"Order({self.share}): the share of pairs in order lies in (1/2, 1]")

    def places(self, points):
        return [dict(p) for p in points]

    def _pairs(self, values) -> tuple[np.ndarray, np.ndarray]:
        if any(v.ndim != 2 or v.shape[1] != 2 for v in values):
            raise ClaimError("Order: the measurement must return (A, B), one pair per replicate")
        pairs = np.stack(values, axis=1)  # (n, points, 2)
        if np.isnan(pairs).any():
            raise ClaimError("Order: NaN has no place in an order; mend the measurement")
        return pairs[..., 0], pairs[..., 1]

    def functionals(self, values, points):
        a, b = self._pairs(values)
        if self.by is not None:
            return (b - a).astype(float)
        return np.where(a == b, np.nan, (a < b).astype(float))

    def compare(self, x, eps):
        if self.by is not None:
            return of_means(x, eps, fixed=self.design is not None)
        return of_probabilities(np.nansum(x, axis=0), np.sum(~np.isnan(x), axis=0), eps)

    def targets(self, points, shapes):
        if self.by is not None:
            T = np.array([float(self.evaluate(self.by, p)) for p in points])
            if not np.all(T > 0):
                raise ClaimError(f"Order(by={T.min():g}): how far B lies above A must be positive")
            return T
        return np.full(len(points), self.share)

    def rival_targets(self, rival, points, shapes):
        return np.array([float(self.evaluate(rival, p)) for p in points])

    def decide_at(self, values, points, rivals, eps, look):
        none = 0.0 if self.by is not None else 0.5
        known = [r for r in rivals.values() if not callable(r) and float(r) == none]
        every = dict(rivals) if known else {**rivals, NO_ORDER: none}
        d = super().decide_at(values, points, every, eps, look)
        a, b = self._pairs(values)
        ties = int(np.sum(a == b))
        note = f"{ties} of {a.size} pairs are ties" + ("" if self.by is not None else ", which count for neither side")
        return replace(d, notes=(*d.notes, note)) if ties else d
