"""An experiment: the finite object, measured. Declared once, used by any number of claims and figures."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corollary.verdicts import ClaimError, at_point

SCALES = ("smoke", "laptop", "paper")
DEFAULT_REPLICATES = 1024
Points = Sequence[Mapping[str, Any]] | Mapping[str, Any]


def grid(**coordinates: Any) -> list[dict[str, Any]]:
    """All combinations of the coordinates: grid(n=[64, 128], angle=1.0) → [{n: 64, angle: 1.0}, {n: 128, …}]."""
    columns = [v if isinstance(v, list) else [v] for v in coordinates.values()]
    return [dict(zip(coordinates, values, strict=True)) for values in itertools.product(*columns)]


def at_scale(value: Any, scale: str) -> Any:
    """A value as it is, or the entry of a dict by scale. Raises ClaimError for an unknown or missing scale."""
    if scale not in SCALES:
        raise ClaimError(f"unknown scale {scale!r}; expected one of {', '.join(SCALES)}")
    if isinstance(value, Mapping) and value and set(value) <= set(SCALES):
        if scale not in value:
            raise ClaimError(f"nothing is declared for scale {scale!r}; there is {', '.join(value)}")
        return value[scale]
    return value


def points_at(points: Any, scale: str) -> list[dict[str, Any]]:
    """The points of a scale as a list of dicts; a dict of lists is a grid; None is one point without coordinates."""
    chosen = at_scale(points, scale)
    if chosen is None:
        return [{}]
    if isinstance(chosen, Mapping):
        return grid(**chosen)
    return [dict(p) for p in chosen]


def require_points(points: Any, owner: str) -> None:
    """Raises ClaimError where a declared scale has no point, such as for {"n": []}: nothing could be measured there."""
    by_scale = isinstance(points, Mapping) and bool(points) and set(points) <= set(SCALES)
    for scale in points if by_scale else ["laptop"]:
        try:
            found = points_at(points, scale)
        except (TypeError, ValueError) as error:
            raise ClaimError(
                f"{owner}: points={points!r}: expected a list of dicts, or a dict from each coordinate to its values"
            ) from error
        if not found:
            raise ClaimError(
                f"{owner}: points={at_scale(points, scale)!r}{f' at scale {scale}' if by_scale else ''} hold no point; "
                "expected at least one value of every coordinate"
            )


@dataclass(frozen=True)
class Experiment:
    """`run(point, seeds, xp) -> dict of arrays`, replicate axis first: one replicate per SeedSequence in `seeds`.

    points, replicates: one value or a dict by scale; `replicates` is the budget of claims, a figure takes the first k.
    block: replicates per unit of work. device_draws: random numbers are drawn on the device (too many for the host);
    the backend then enters the seed path. source: a function that is shown, and described in the key, in place of `run`
    (a wrapper, say); the modules of `run` and of what is bound to it count all the same.
    """

    id: str
    run: Callable[..., Mapping[str, Any]]
    points: Any = None
    replicates: Any = DEFAULT_REPLICATES
    block: int = 16
    device_draws: bool = False
    source: Callable[..., Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.block, int) or self.block < 1:
            raise ClaimError(f"experiment {self.id}: block={self.block}; expected a positive number of replicates")
        require_points(self.points, f"experiment {self.id}")

    def __getitem__(self, name: str) -> Reading:
        """One array of the result, to be used as `measure=` of a claim."""
        return Reading(self, name)

    def source_digest(self) -> str:
        """What decides whether a stored result is still this experiment's."""
        from corollary.sources import source_digest

        return source_digest(self.run) if self.source is None else source_digest(self.source, also=self.run)


@dataclass(frozen=True)
class Reading:
    """One named array of an experiment."""

    experiment: Experiment
    name: str


@dataclass(frozen=True)
class EachSeed:
    """Turns a plain `measure(…coordinates, rng)` into an experiment's `run`: one call per seed, stacked."""

    function: Callable[..., Any]

    def __call__(self, point: Mapping[str, Any], seeds: Sequence[Any], xp: Any) -> dict[str, np.ndarray]:
        out = [at_point(self.function, {**point, "rng": np.random.default_rng(seed)}) for seed in seeds]
        if out and isinstance(out[0], Mapping):
            return {name: np.stack([np.asarray(o[name]) for o in out]) for name in out[0]}
        return {"value": np.stack([np.asarray(o) for o in out])}


def as_reading(measure: Any, points: Any, replicates: Any, block: int = 16) -> Reading:
    """The reading a claim's `measure=` means: an experiment's array, or a plain function of coordinates and rng."""
    if isinstance(measure, Reading):
        return measure
    if isinstance(measure, Experiment):
        return Reading(measure, "*")
    if not callable(measure):
        raise ClaimError(f"measure={measure!r}: expected a function (…coordinates, rng) or a reading of an Experiment")
    if "rng" not in inspect.signature(measure).parameters:
        name = getattr(measure, "__qualname__", repr(measure))
        raise ClaimError(f"measure={name} takes no rng; everything random must come from it: def measure(n, rng)")
    name = f"{measure.__module__}:{measure.__qualname__}"
    return Reading(Experiment(name, EachSeed(measure), points, replicates, block, source=measure), "value")
