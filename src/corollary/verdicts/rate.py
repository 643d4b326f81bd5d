"""Rate: a power law y ~ C n^a, or a known curve f(n), judged on slopes of whole replicates (never on pooled fits).

Routes, chosen by what is known:

- `Rate(a, curve=f)`: f known with its constant (and next order): level and slope of y/f per replicate, theory (1, 0).
  Exponent and constant are tested together; y may be zero or negative.
- `Rate(a)`: exponent of a mean, constant unknown: slope over level of y n^{−a}, as a ratio by contrasts.
- `Rate(a, of=std | rms | median | quantile(p) | group_mean, group=S)`: logs of a statistic of S consecutive members.
- `Rate(a, sequence=True, gamma=γ)`: no randomness: local exponents extrapolated (Richardson). No error rate.

A correction (1 + κ n^{−γ}) shifts a slope. In order of preference: the curve with its next order; the margin
`next_order(γ, κ_max)`; `correction=γ`, which takes n^{−γ} out of the slope (noise × 2.8; exact for the mean route).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from corollary.verdicts.comparisons import RatioSet, Shifted
from corollary.verdicts.kind import Kind
from corollary.verdicts.rate_bias import group_bias, next_order_bias, slope_weights
from corollary.verdicts.richardson import ABOVE_ROUNDING, extrapolated_exponent
from corollary.verdicts.rule import Decision, Interval, Outcome, Side, decide
from corollary.verdicts.settings import (
    ClaimError,
    Statistic,
    at_point,
    by_group,
    describe,
    labels,
    log_bias,
    mean,
    next_order,
    one_number,
)

LEAST_SIZES = 4
LEAST_RANGE = 8


@dataclass(frozen=True)
class Rate(Kind):
    """Theory's `exponent` a of `of(y)` ~ n^a (ln n)^log_power along the coordinate `along`; see the module for routes.

    At least 4 sizes over a factor of at least 8. The margin may be `next_order(gamma, kappa_max)` or, where logs of
    groups are taken, `log_bias(...)`. The replicate of a grouped statistic is `group` consecutive members (default 8).
    rounding: absolute rounding error of one y (a number or function of the coordinates); a size whose y lies below
    100 times it decides nothing. Rivals are exponents, or pairs (exponent, power of the logarithm); of a known curve,
    curves. Errors: ClaimError for too few sizes, for values that are not positive where logs are taken, for rivals
    that do not fit the route.
    """

    exponent: float
    of: Statistic = mean
    along: str = "n"
    curve: Any = None
    group: int = 0
    sequence: bool = False
    gamma: float = 1.0
    side: Side = "two"
    log_power: float = 0.0
    correction: float | None = None
    rounding: Any = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        grouped = self.of.of_group is not None
        if self.of.name in ("ratio", "probability"):
            raise ClaimError(f"Rate of={self.of.name}: expected mean, std, rms, median, quantile(p) or group_mean")
        if grouped and (self.curve is not None or self.sequence):
            raise ClaimError("a known curve and a sequence are of=mean; a statistic of a group takes neither")
        if self.group > 1 and not grouped:  # 1 stands there when a declared Rate is copied with another design
            raise ClaimError("group= is for of=std, rms, median, quantile(p) or group_mean")
        if self.curve is not None and (self.log_power or self.correction is not None):
            raise ClaimError("a known curve holds its logarithms and next orders itself: no log_power=, no correction=")
        if self.sequence and self.correction is not None:
            raise ClaimError("a sequence is extrapolated with gamma=; correction= is for slopes of random replicates")
        object.__setattr__(self, "group", (self.group or 8) if grouped else 1)
        if grouped and self.group < 2:
            raise ClaimError(f"group={self.group}: a statistic of a group needs at least 2 members")

    @property
    def random(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return not self.sequence

    @property
    def route(self) -> str:
        if self.sequence:
            return "sequence"
        if self.curve is not None:
            return "curve"
        return "ratio" if self.of.of_group is None else "logs"

    def places(self, points):
        groups = [rest for rest, _ in by_group(points, self.along)]
        return [dict(g, part=part) for g in groups for part in ("level", "slope")] if self.curve else groups

    def names(self, points, shapes):
        return labels(self.places(points), "exponent")

    def _groups(self, points):
        for rest, ids in by_group(points, self.along):
            n = np.asarray([points[i][self.along] for i in ids], dtype=float)
            if len(n) < LEAST_SIZES or n[-1] < LEAST_RANGE * n[0]:
                raise ClaimError(
                    f"a rate needs at least {LEAST_SIZES} sizes over a factor of {LEAST_RANGE}; "
                    f"{self.along} = {[points[i][self.along] for i in ids]}"
                )
            if len(np.unique(n)) < len(n):
                raise ClaimError(f"{self.along} = {n.tolist()}: a size stands there twice")
            if self.log_power and n[0] <= 1:
                raise ClaimError(f"log_power= needs sizes above 1, where ln n > 0; {self.along} starts at {n[0]:g}")
            yield rest, ids, n, slope_weights(n, self.correction)

    def functionals(self, values, points):
        columns = []
        for rest, ids, n, w in self._groups(points):
            y = np.stack([one_number(values[i], "Rate") for i in ids], axis=1).astype(float)  # (members, sizes)
            if self.curve is not None:
                z = y / np.array([self._curve(self.curve, rest, size) for size in n])
                columns += [z.mean(axis=1), z @ w]
            elif self.of.of_group is None:
                z = y * self._power(n, -self.exponent, -self.log_power)
                columns.append(np.stack([z @ w, z.mean(axis=1)], axis=1))
            else:
                whole = len(y) // self.group * self.group
                t = self.of.of_group(y[:whole].reshape(-1, self.group, len(n)))
                if not np.all(t > 0):
                    raise ClaimError(
                        f"{self.of.name} of a group of {self.group} is not positive, so it has no logarithm; "
                        "use the exponent of a mean (of=mean) or a known curve"
                    )
                columns.append((np.log(t) - np.log(self._power(n, 0.0, self.log_power))) @ w)
        return np.stack(columns, axis=1)

    def _power(self, n: np.ndarray, a: float, p: float) -> np.ndarray:
        """(n/n₀)^a (ln n / ln n₀)^p: scaled by the first size, so that nothing overflows."""
        return (n / n[0]) ** a * ((np.log(n) / np.log(n[0])) ** p if p else 1.0)

    def _curve(self, curve, rest, size) -> float:
        f = float(self.evaluate(curve, self._place(rest, size)))
        if not np.isfinite(f) or (f == 0 and curve is self.curve):
            raise ClaimError(f"a curve is {f} at {self.along} = {size:g}; the measurement is divided by it")
        return f

    def _place(self, rest, size) -> dict:
        return {**rest, self.along: int(size) if float(size).is_integer() else float(size)}

    def compare(self, x, eps):
        if self.route == "ratio":
            return Shifted(RatioSet(x[..., 0], x[..., 1], eps, fixed=self.design is not None), self.exponent)
        return super().compare(x, eps)

    def targets(self, points, shapes):
        if self.curve is not None:
            return np.array([1.0, 0.0] * len(by_group(points, self.along)))
        return np.full(len(by_group(points, self.along)), float(self.exponent))

    def rival_targets(self, rival, points, shapes):
        if self.curve is not None:
            if not callable(rival):
                raise ClaimError("a rival of a known curve is a curve too: a function of the size, constant included")
            out = []
            for rest, _, n, w in self._groups(points):
                z = np.array([self._curve(rival, rest, s) / self._curve(self.curve, rest, s) for s in n])
                out += [z.mean(), z @ w]
            return np.array(out)
        if callable(rival):
            raise ClaimError("a rival of an exponent is an exponent (a number), or a pair (exponent, log power)")
        a, p = rival if isinstance(rival, tuple) else (rival, self.log_power)
        if self.sequence:
            if p != self.log_power:
                raise ClaimError("a rival of a sequence has the same power of the logarithm: give the exponent alone")
            return np.full(len(by_group(points, self.along)), float(a))
        out = []  # what the functional would be, exactly, under that exponent
        for _, _, n, w in self._groups(points):
            z = self._power(n, a - self.exponent, p - self.log_power)
            out.append(self.exponent + (np.log(z) @ w if self.route == "logs" else (z @ w) / z.mean()))
        return np.array(out)

    def _width(self, width, T, points, name):
        if name == "margin" and isinstance(width, next_order):
            if self.sequence:
                raise ClaimError("a sequence is extrapolated; next_order(...) is the margin of a slope")
            return np.concatenate([next_order_bias(n, w, width, self.route) for _, _, n, w in self._groups(points)])
        if name == "margin" and isinstance(width, log_bias):
            groups = [(w, [self._place(rest, s) for s in n]) for rest, _, n, w in self._groups(points)]
            return np.array([group_bias(w, width, self.group, self.of.name, at) for w, at in groups])
        return super()._width(width, T, points, name)

    def schedule(self, budget):
        if self.sequence:
            yield 1
        else:
            yield from super().schedule(budget)

    def decide_at(self, values, points, rivals, eps, look):
        if self.sequence:
            return self._decide_sequence(values, points, rivals)
        d = super().decide_at(values, points, rivals, eps, look)
        notes = list(d.notes)
        if self.route == "ratio" and np.any(self.functionals(values, points)[..., 1].mean(axis=0) < 0):
            notes.append("the mean is negative somewhere: a ratio needs a positive level; measure −y")
        drowned = self._drowned(values, points)
        if drowned:
            notes.append(f"below {ABOVE_ROUNDING} times the rounding budget: {', '.join(drowned)}; nothing is decided")
            return replace(d, outcome=None, notes=tuple(notes))
        return replace(d, notes=tuple(notes))

    def _rounding(self, place) -> float:
        return float(at_point(self.rounding, place))

    def _drowned(self, values, points) -> list[str]:
        """Points whose typical size is not far above the rounding error of one measurement."""
        of = self.of.of_group or (lambda y: np.abs(np.mean(y, axis=1)))
        size = [float(of(one_number(v, "Rate")[None])[0]) for v in values]
        low = [s < ABOVE_ROUNDING * self._rounding(p) for s, p in zip(size, points, strict=True)]
        return [describe(p) for p, below in zip(points, low, strict=True) if below]

    def _decide_sequence(self, values, points, rivals) -> Decision:
        T = self.targets(points, [])
        b, r = self.zones(T, points)
        ends = []
        for rest, ids, n, _ in self._groups(points):
            y = np.array([float(np.ravel(values[i])[0]) for i in ids]) / self._power(n, 0.0, self.log_power)
            floor = max(self._rounding(points[i]) for i in ids)
            end = extrapolated_exponent(n, y, self.gamma, floor)
            if isinstance(end, str):
                nan = np.full(len(T), np.nan)
                note = f"{describe(rest)}: {end}" if rest else end
                return Decision(Outcome.OUT_OF_DOMAIN, nan, nan, T, b, r, dict.fromkeys(rivals), (note,))
            ends.append(end)
        lo, hi = np.array(ends).T
        targets = {name: self.rival_targets(rival, points, []) for name, rival in rivals.items()}
        return decide(Interval(lo, hi), T, b, r, targets, self.side)
