"""Rate: a power law y ~ C n^a, or a known curve f(n), judged on slopes of whole replicates (never on pooled fits).

Routes, chosen by what is known:

- `Rate(a, curve=f)`: f known with its constant (and next order): level and slope of y/f per replicate, theory (1, 0).
  Exponent and constant are tested together; y may be zero or negative.
- `Rate(a)`: exponent of a mean, constant unknown: slope over level of y n^{−a}, as a ratio by contrasts.
- `Rate(a, of=std | rms | median | quantile(p) | group_mean, group=S)`: logs of a statistic of S consecutive members.
- `Rate(a, sequence=True, gamma=γ)`: no randomness: local exponents extrapolated (Richardson). No error rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Decision, Interval, Outcome, RatioSet, Shifted, Side, decide
from corollary.verdicts.settings import (
    ClaimError,
    Statistic,
    at_point,
    by_group,
    labels,
    mean,
    next_order,
    one_number,
)

LEAST_SIZES = 4
LEAST_RANGE = 8


@dataclass(frozen=True)
class Rate(Kind):
    """Theory's `exponent` a of `of(y)` ~ n^a along the coordinate `along`; see the module for the routes.

    At least 4 sizes over a factor of at least 8. The margin may be `next_order(gamma, kappa_max)`. The replicate of a
    grouped statistic is `group` consecutive members (default 8). Errors: ClaimError for too few sizes, for values that
    are not positive where logs are taken, for rivals that do not fit the route.
    """

    exponent: float
    of: Statistic = mean
    along: str = "n"
    curve: Any = None
    group: int = 0
    sequence: bool = False
    gamma: float = 1.0
    side: Side = "two"

    def __post_init__(self) -> None:
        super().__post_init__()
        grouped = self.of.of_group is not None
        if grouped and (self.curve is not None or self.sequence):
            raise ClaimError("a known curve and a sequence are of=mean; a statistic of a group takes neither")
        if self.group and not grouped:
            raise ClaimError("group= is for of=std, rms, median, quantile(p) or group_mean")
        object.__setattr__(self, "group", (self.group or 8) if grouped else 1)
        if grouped and self.group < 2:
            raise ClaimError(f"group={self.group}: a statistic of a group needs at least 2 members")

    @property
    def random(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return not self.sequence

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
            c = np.log(n) - np.log(n).mean()
            yield rest, ids, n, c / np.sum(c**2)

    def functionals(self, values, points):
        columns = []
        for rest, ids, n, w in self._groups(points):
            y = np.stack([one_number(values[i], "Rate") for i in ids], axis=1).astype(float)  # (members, sizes)
            if self.curve is not None:
                z = y / np.array([self._curve(self.curve, rest, size) for size in n])
                columns += [z.mean(axis=1), z @ w]
            elif self.of.of_group is None:
                z = y * (n / n[0]) ** -self.exponent
                columns.append(np.stack([z @ w, z.mean(axis=1)], axis=1))
            else:
                whole = len(y) // self.group * self.group
                t = self.of.of_group(y[:whole].reshape(-1, self.group, len(n)))
                if not np.all(t > 0):
                    raise ClaimError(
                        f"{self.of.name} of a group of {self.group} is not positive, so it has no logarithm; "
                        "use the exponent of a mean (of=mean) or a known curve"
                    )
                columns.append(np.log(t) @ w)
        return np.stack(columns, axis=1)

    def _curve(self, curve, rest, size) -> float:
        whole = int(size) if float(size).is_integer() else float(size)
        return float(at_point(curve, {**rest, self.along: whole}))

    def compare(self, x, eps):
        if self.curve is None and self.of.of_group is None:
            return Shifted(RatioSet(x[..., 0], x[..., 1], eps), self.exponent)
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
            raise ClaimError("a rival of an exponent is an exponent (a number)")
        if self.of.of_group is not None or self.sequence:
            return np.full(len(by_group(points, self.along)), float(rival))
        out = []  # slope over level of n^{rival − a}: what the ratio would be, exactly, under that exponent
        for _, _, n, w in self._groups(points):
            z = (n / n[0]) ** (rival - self.exponent)
            out.append(self.exponent + (z @ w) / z.mean())
        return np.array(out)

    def _width(self, width, T, points, name):
        if isinstance(width, next_order) and name == "margin":
            parts = 2 if self.curve is not None else 1
            return np.array([_worst_bias(n, w, width) for _, _, n, w in self._groups(points) for _ in range(parts)])
        return super()._width(width, T, points, name)

    def schedule(self, budget):
        if self.sequence:
            yield 1
        else:
            yield from super().schedule(budget)

    def decide_at(self, values, points, rivals, eps, look):
        if not self.sequence:
            return super().decide_at(values, points, rivals, eps, look)
        T = self.targets(points, [])
        b, r = self.zones(T, points)
        ends = []
        for _, ids, n, _ in self._groups(points):
            end = extrapolated_exponent(n, np.array([float(np.ravel(values[i])[0]) for i in ids]), self.gamma)
            if end is None:
                nan = np.full(len(T), np.nan)
                note = ("not in the asymptotic range",)
                return Decision(Outcome.OUT_OF_DOMAIN, nan, nan, T, b, r, dict.fromkeys(rivals), note)
            ends.append(end)
        lo, hi = np.array(ends).T
        targets = {name: self.rival_targets(rival, points, []) for name, rival in rivals.items()}
        return decide(Interval(lo, hi), T, b, r, targets, self.side)


def _worst_bias(n: np.ndarray, w: np.ndarray, term: next_order) -> float:
    """max over |κ| ≤ κ_max of |Σ w ln(1 + κ n^{−γ})|; the bias is monotone in κ, so the ends decide."""
    ends = [1 + k * n**-term.gamma for k in (term.kappa_max, -term.kappa_max)]
    if np.any(ends[1] <= 0):
        raise ClaimError(f"next_order(kappa_max={term.kappa_max}) makes 1 + κ n^(−γ) negative at n = {n[0]:g}")
    return float(max(abs(w @ np.log(e)) for e in ends))


def extrapolated_exponent(n: np.ndarray, y: np.ndarray, gamma: float) -> tuple[float, float] | None:
    """Richardson on local exponents of a deterministic sequence; None where it is not in the asymptotic range.

    n must be geometric. Admitted only if the last three contraction ratios of the local exponents are at least
    0.85 ρ^γ (or the differences are at rounding level).
    """
    step = n[1:] / n[:-1]
    if len(n) < 6 or not np.allclose(step, step[0], rtol=1e-9):
        raise ClaimError("a sequence needs at least 6 sizes in geometric progression")
    if not np.all(y > 0) and not np.all(y < 0):
        raise ClaimError("a sequence with zeros or sign changes has no exponent")
    p = np.diff(np.log(np.abs(y))) / np.log(step)
    d = np.diff(p)
    small = np.abs(d) < 64 * np.finfo(float).eps * np.maximum(1, np.abs(p[1:]))
    with np.errstate(divide="ignore", invalid="ignore"):
        contraction = d[:-1] / d[1:]
    fine = (contraction >= 0.85 * step[0] ** gamma) | small[1:]
    if not np.all(fine[-3:]):
        return None
    e = p[1:] + d / (step[0] ** gamma - 1)
    half = 2 * abs(e[-1] - e[-2])
    return float(e[-1] - half), float(e[-1] + half)
