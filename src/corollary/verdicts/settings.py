"""The small words of a claim: `rel(0.02)`, `next_order(1, 20)`, `Fixed(8)`, and what a functional is `of`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


class ClaimError(ValueError):
    """A claim that cannot be judged as declared: raised before anything runs, or when the measurement breaks it."""


@dataclass(frozen=True)
class rel:
    """A margin or resolution relative to the size of the theory's value."""

    fraction: float


@dataclass(frozen=True)
class next_order:
    """Margin of an exponent from the next order: truth C n^a (1 + κ n^{-γ}) with |κ| ≤ `kappa_max`."""

    gamma: float
    kappa_max: float


@dataclass(frozen=True)
class log_bias:
    """Margin of an exponent from logs of a group of S: E ln t_i < ln E t_i, by an amount that may change with n.

    cv: coefficient of variation of one member, for a group mean (bias CV²/2S). kurtosis: excess kurtosis of one member,
    for a standard deviation or rms (bias (κ+2)/4S). A number bounds it at every size; a function of the size (and the
    other coordinates) gives it, and then only its change with n counts.
    """

    cv: Any = None
    kurtosis: Any = None

    def __post_init__(self) -> None:
        if (self.cv is None) == (self.kurtosis is None):
            raise ClaimError("log_bias takes one of cv= (a group mean) and kurtosis= (a standard deviation or rms)")


@dataclass(frozen=True)
class Fixed:
    """design=Fixed(R): one look at R replicates, for expensive, near-symmetric statistics."""

    replicates: int

    def __post_init__(self) -> None:
        if not isinstance(self.replicates, int) or self.replicates < 3:
            raise ClaimError(f"Fixed({self.replicates!r}): expected a number of replicates, at least 3")


@dataclass(frozen=True)
class Statistic:
    """What a functional is of: the mean of the replicates, or a statistic of a group of them."""

    name: str
    of_group: Callable[[np.ndarray], np.ndarray] | None = None  # (groups, S, ...) -> (groups, ...)
    level: float | None = None  # of a quantile


mean = Statistic("mean")
ratio = Statistic("ratio")  # the measurement's last axis holds numerator and denominator
probability = Statistic("probability")  # the measurement is 0 or 1
std = Statistic("std", lambda x: np.std(x, axis=1, ddof=1))
rms = Statistic("rms", lambda x: np.sqrt(np.mean(x**2, axis=1)))  # about zero: subtract the theory's mean first


def quantile(level: float) -> Statistic:
    """The quantile at `level` in (0, 1)."""
    if not 0 < level < 1:
        raise ClaimError(f"quantile({level}): the level must lie strictly between 0 and 1")
    return Statistic(f"quantile {level}", lambda x: np.quantile(x, level, axis=1), level)


median = Statistic("median", lambda x: np.median(x, axis=1), 0.5)
group_mean = Statistic("mean of a group", lambda x: np.mean(x, axis=1))

Point = Mapping[str, Any]


def one_number(v: np.ndarray, what: str) -> np.ndarray:
    """(n,) from (n,), (n, 1), …; ClaimError where a replicate holds more than one number."""
    if v.size != len(v):
        raise ClaimError(f"{what}: one number per replicate expected, got shape {v.shape[1:]}")
    return v.reshape(len(v))


def at_point(value: Any, point: Point) -> Any:
    """A number as it is; a function called with the coordinates it names."""
    if not callable(value):
        return value
    if isinstance(value, np.ufunc):  # its arguments have no names that could be coordinates
        return value(point["x"])
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return value(**point)
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return value(**point)
    missing = [
        name
        for name, p in parameters.items()
        if name not in point and p.default is p.empty and p.kind is not p.VAR_POSITIONAL
    ]
    if missing:
        named = getattr(value, "__qualname__", repr(value))
        raise ClaimError(f"{named} asks for {', '.join(missing)}, but the points have {', '.join(point) or 'none'}")
    return value(**{name: point[name] for name in parameters if name in point})


def describe(point: Point) -> str:
    return ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in point.items())


def labels(places: Sequence[Point], otherwise: str = "value") -> list[str]:
    """A name for each place: the coordinates in which they differ."""
    texts = [{k: repr(v) for k, v in place.items()} for place in places]
    shared = {k for k in (texts[0] if texts else {}) if len({t.get(k) for t in texts}) == 1}
    return [describe({k: v for k, v in place.items() if k not in shared}) or otherwise for place in places]


def by_group(points: Sequence[Point], along: str) -> list[tuple[dict, list[int]]]:
    """Join points that differ in `along` only: their other coordinates, and their indices in ascending `along`."""
    groups: dict[str, tuple[dict, list[int]]] = {}
    for i, point in enumerate(points):
        if along not in point:
            raise ClaimError(f"along={along!r}, but the points have {', '.join(point) or 'no coordinates'}")
        rest = {k: v for k, v in point.items() if k != along}
        groups.setdefault(repr(sorted(rest.items(), key=str)), (rest, []))[1].append(i)
    return [(rest, sorted(ids, key=lambda i: points[i][along])) for rest, ids in groups.values()]
