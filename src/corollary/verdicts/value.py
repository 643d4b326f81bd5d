"""Value: numbers the theory gives for the mean, median, ratio or probability of a measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from corollary.verdicts.comparisons import Interval, RatioSet, of_means, of_probabilities, of_quantiles
from corollary.verdicts.kind import Coordinates, Kind
from corollary.verdicts.rule import Side
from corollary.verdicts.settings import ClaimError, Statistic, by_group, describe, labels, mean

LARGE = 8  # entries from which an array gets rival coordinates: they gain up to √p in noise and cost half of ε


@dataclass(frozen=True)
class Value(Kind):
    """θ = the `of` (mean, median, quantile(p), ratio, probability) of the measurement; theory says `theory`.

    theory: a number, an array, or a function of the coordinates it names. Every entry of an array is a functional of
    its own, as is every point; a complex number is two (re, im). Beside the entries of a large array stands one rival
    coordinate ⟨x − T, ρ − T⟩/‖ρ − T‖² per rival ρ: 0 under the theory, 1 under the rival.

    along="n": points that differ in n only are joined by replicate index, and the functional is the intercept in
    n^(−gamma) of a least-squares line with weights ∝ n (fixed beforehand; the variance of a width-n mean falls as 1/n).
    What is left, O(n^(−2 gamma)), belongs into the margin.
    side="at most" | "at least" keeps one half of each test. rounding: absolute error of one measured value (a number,
    or function of the point), by which the interval is widened. Errors: ClaimError for shapes that do not match.
    """

    theory: Any
    of: Statistic = mean
    along: str | None = None
    gamma: float = 1.0
    side: Side = "two"
    rounding: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.of.name not in ("mean", "ratio", "probability") and self.of.level is None:
            raise ClaimError(f"Value of {self.of.name}: expected mean, median, quantile(p), ratio or probability")
        if self.along and self.of.name != "mean":
            raise ClaimError("along= extrapolates means; it cannot be combined with of=" + self.of.name)
        if not (isinstance(self.rounding, int | float) and self.rounding == 0) and self.of.name in (
            "ratio", "probability",
        ):  # fmt: skip
            raise ClaimError(f"rounding= is for means and quantiles, not for of={self.of.name}")

    def places(self, points):
        return [rest for rest, _ in by_group(points, self.along)] if self.along else [dict(p) for p in points]

    def names(self, points, shapes):
        names = []
        places = labels(self.places(points), "")
        for where, shape in zip(places, self._value_shapes(points, shapes), strict=True):
            entries = [""] if shape == () else [str(list(index)) for index in np.ndindex(shape)]
            parts = ("re", "im") if self._complex(points) else ("",)
            names += [" ".join(filter(None, (where, entry, part))) or "value" for entry in entries for part in parts]
        return names

    def declared_shapes(self, rivals, points):
        places = self.places(points)
        found = []
        for place in places:
            sizes = [np.shape(self.evaluate(v, place)) for v in (self.theory, *rivals.values())]
            try:
                shape = np.broadcast_shapes(*sizes)
            except ValueError:
                raise ClaimError(
                    f"theory and rivals differ in shape at {describe(place) or 'the point'}: {sizes}"
                ) from None
            found.append((*shape, 2) if self.of.name == "ratio" else shape)
        if self.along:
            spread = {i: found[g] for g, (_, ids) in enumerate(by_group(points, self.along)) for i in ids}
            return [spread[i] for i in range(len(points))]
        return found

    def _value_shapes(self, points, shapes) -> list[tuple[int, ...]]:
        if self.along:
            shapes = [shapes[ids[0]] for _, ids in by_group(points, self.along)]
        return [s[:-1] for s in shapes] if self.of.name == "ratio" else list(shapes)

    def _complex(self, points) -> bool:
        return any(np.iscomplexobj(self.evaluate(self.theory, place)) for place in self.places(points))

    def functionals(self, values, points):
        if self.along:
            values = [self._intercept([values[i] for i in ids], [points[i][self.along] for i in ids])
                      for _, ids in by_group(points, self.along)]  # fmt: skip
        if self.of.name == "ratio":
            if any(v.shape[-1:] != (2,) for v in values):
                raise ClaimError("of=ratio: the measurement's last axis must hold (numerator, denominator)")
            return np.concatenate([v.reshape(len(v), -1, 2) for v in values], axis=1)
        if self._complex(points):
            values = [_real_pairs(v) for v in values]
        elif any(np.iscomplexobj(v) for v in values):
            raise ClaimError("the measurement is complex, the theory is not; give a complex theory value")
        return np.concatenate([v.reshape(len(v), -1) for v in values], axis=1).astype(float)

    def _intercept(self, values, sizes) -> np.ndarray:
        if len(sizes) < 2:
            raise ClaimError(f"along={self.along!r} needs at least two sizes, got {sizes}")
        return np.tensordot(intercept_weights(np.asarray(sizes, dtype=float), self.gamma), np.stack(values), axes=1)

    def compare(self, x, eps):
        if self.of.name == "ratio":
            return RatioSet(x[..., 0], x[..., 1], eps, fixed=self.design is not None)
        if self.of.name == "probability":
            if not np.isin(x, (0.0, 1.0)).all():
                raise ClaimError("of=probability: the measurement must be 0 or 1 in every replicate")
            return of_probabilities(x.sum(axis=0), x.shape[0], eps)
        if self.of.level is not None:
            return of_quantiles(x, self.of.level, eps)
        return of_means(x, eps, fixed=self.design is not None)

    def widened(self, c, T, r, points):
        if isinstance(self.rounding, int | float) and self.rounding == 0:
            return c
        f = self._width(self.rounding, T, points, "rounding")
        if np.any(2 * f >= r):
            raise ClaimError("rounding= is at least half of the resolution: no number of replicates could confirm")
        assert isinstance(c, Interval)
        f = np.concatenate([f, np.zeros(len(c.lo) - len(f))])
        return replace(c, lo=c.lo - f, hi=c.hi + f)

    def coordinates(self, x, T, b, r, rivals, points, shapes):
        if self.of.name != "mean":
            return None
        columns, rows, names, start = [], [], [], 0
        said: dict[str, list[float]] = {name: [] for name in rivals}
        places = labels(self.places(points), "")
        for where, shape in zip(places, self._value_shapes(points, shapes), strict=True):
            stop = start + int(np.prod(shape, dtype=int)) * (2 if self._complex(points) else 1)
            at, start = slice(start, stop), stop
            if stop - at.start < LARGE:
                continue
            gaps = {name: rho[at] - T[at] for name, rho in rivals.items()}
            for name, gap in gaps.items():
                size = gap @ gap
                if not size > 0:
                    continue
                columns.append((x[:, at] - T[at]) @ gap / size)
                rows.append([np.abs(gap) @ b[at] / size, np.abs(gap) @ r[at] / size])
                names.append(f"{where} towards {name!r}".strip())
                for other, also in gaps.items():
                    said[other].append(float(also @ gap / size))
        if not names:
            return None
        margin, resolution = np.array(rows).T
        rhos = {name: np.array(v) for name, v in said.items()}
        return Coordinates(np.stack(columns, axis=1), np.zeros(len(names)), margin, resolution, rhos, tuple(names))

    def targets(self, points, shapes):
        return self._evaluate(self.theory, points, shapes)

    def rival_targets(self, rival, points, shapes):
        return self._evaluate(rival, points, shapes)

    def _evaluate(self, value, points, shapes) -> np.ndarray:
        out = []
        kind = complex if self._complex(points) else float
        for place, shape in zip(self.places(points), self._value_shapes(points, shapes), strict=True):
            v = np.asarray(self.evaluate(value, place))
            if np.iscomplexobj(v) and kind is float:
                raise ClaimError("a rival is complex, the theory is not; give a complex theory value")
            v = v.astype(kind)
            if v.shape not in ((), shape):
                raise ClaimError(
                    f"at {describe(place) or 'the point'} the theory has shape {v.shape}, the measurement {shape}"
                )
            if np.isnan(v).any() and value is self.theory:
                raise ClaimError(f"the theory is NaN at {describe(place) or 'the point'}")
            out.append(_real_pairs(np.broadcast_to(v, shape)[None]).ravel() if kind is complex else
                       np.broadcast_to(v, shape).ravel())  # fmt: skip
        return np.concatenate(out)


def _real_pairs(v: np.ndarray) -> np.ndarray:
    """(n, ...) complex as (n, ..., 2) real."""
    return np.stack([np.real(v), np.imag(v)], axis=-1)


def intercept_weights(n: np.ndarray, gamma: float) -> np.ndarray:
    """Weights u with Σ u_i y_i = c for y_i = c + κ n_i^(−γ): least squares with weights ∝ n."""
    design = np.stack([np.ones_like(n), n**-gamma], axis=1)
    return np.linalg.solve(design.T @ (n[:, None] * design), design.T * n)[0]
