"""Value: numbers the theory gives for the mean, median, ratio or probability of a measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.verdicts.intervals import fixed_mean_interval, mean_interval, probability_interval, quantile_interval
from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Interval, RatioSet, Side
from corollary.verdicts.settings import ClaimError, Statistic, at_point, by_group, describe, labels, mean


@dataclass(frozen=True)
class Value(Kind):
    """θ = the `of` (mean, median, quantile(p), ratio, probability) of the measurement; theory says `theory`.

    theory: a number, an array, or a function of the coordinates it names. Every entry of an array is a functional of
    its own, as is every point. along="n": points that differ in n only are joined by replicate index, and the
    functional is the intercept in 1/n of a least-squares line with weights ∝ n (fixed beforehand; the variance of a
    width-n mean falls as 1/n). What is left, O(n⁻²), belongs into the margin.
    side="at most" | "at least" keeps one half of each test. Errors: ClaimError for shapes that do not match.
    """

    theory: Any
    of: Statistic = mean
    along: str | None = None
    side: Side = "two"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.of.name not in ("mean", "ratio", "probability") and self.of.level is None:
            raise ClaimError(f"Value of {self.of.name}: expected mean, median, quantile(p), ratio or probability")
        if self.along and self.of.name != "mean":
            raise ClaimError("along= extrapolates means; it cannot be combined with of=" + self.of.name)

    def places(self, points):
        return [rest for rest, _ in by_group(points, self.along)] if self.along else [dict(p) for p in points]

    def names(self, points, shapes):
        names = []
        places = labels(self.places(points), "")
        for where, shape in zip(places, self._value_shapes(points, shapes), strict=True):
            entries = [""] if shape == () else [str(list(index)) for index in np.ndindex(shape)]
            names += [f"{where} {entry}".strip() or "value" for entry in entries]
        return names

    def _value_shapes(self, points, shapes) -> list[tuple[int, ...]]:
        if self.along:
            shapes = [shapes[ids[0]] for _, ids in by_group(points, self.along)]
        return [s[:-1] for s in shapes] if self.of.name == "ratio" else list(shapes)

    def functionals(self, values, points):
        if self.along:
            values = [self._intercept([values[i] for i in ids], [points[i][self.along] for i in ids])
                      for _, ids in by_group(points, self.along)]  # fmt: skip
        if self.of.name == "ratio":
            if any(v.shape[-1:] != (2,) for v in values):
                raise ClaimError("of=ratio: the measurement's last axis must hold (numerator, denominator)")
            return np.concatenate([v.reshape(len(v), -1, 2) for v in values], axis=1)
        return np.concatenate([v.reshape(len(v), -1) for v in values], axis=1).astype(float)

    def _intercept(self, values, sizes) -> np.ndarray:
        if len(sizes) < 2:
            raise ClaimError(f"along={self.along!r} needs at least two sizes, got {sizes}")
        n = np.asarray(sizes, dtype=float)
        design = np.stack([np.ones_like(n), 1 / n], axis=1)
        weights = np.linalg.solve(design.T @ (n[:, None] * design), design.T * n)[0]
        return np.tensordot(weights, np.stack(values), axes=1)

    def compare(self, x, eps):
        if self.of.name == "ratio":
            return RatioSet(x[..., 0], x[..., 1], eps)
        if self.of.name == "probability":
            if not np.isin(x, (0.0, 1.0)).all():
                raise ClaimError("of=probability: the measurement must be 0 or 1 in every replicate")
            return Interval(*probability_interval(x.sum(axis=0), x.shape[0], eps))
        if self.of.level is not None:
            return Interval(*quantile_interval(x, self.of.level, eps))
        return Interval(*(fixed_mean_interval if self.design else mean_interval)(x, eps))

    def targets(self, points, shapes):
        return self._evaluate(self.theory, points, shapes)

    def rival_targets(self, rival, points, shapes):
        return self._evaluate(rival, points, shapes)

    def _evaluate(self, value, points, shapes) -> np.ndarray:
        out = []
        for place, shape in zip(self.places(points), self._value_shapes(points, shapes), strict=True):
            v = np.asarray(at_point(value, place), dtype=float)
            if v.shape not in ((), shape):
                raise ClaimError(
                    f"at {describe(place) or 'the point'} the theory has shape {v.shape}, the measurement {shape}"
                )
            out.append(np.broadcast_to(v, shape).ravel())
        return np.concatenate(out)
