"""What the seven kinds share: how a claim's replicates become functionals, and how those are walked to a decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corollary.verdicts.intervals import fixed_mean_interval, mean_interval
from corollary.verdicts.rule import Comparison, Decision, Interval, decide, looks
from corollary.verdicts.settings import ClaimError, Fixed, Point, at_point, labels, next_order, rel


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Base of the kinds. `resolution`, `margin`: a number, `rel(x)` or a function of the point (its coordinates)."""

    resolution: Any = None
    margin: Any = 0.0
    because: str = ""
    design: Fixed | None = field(default=None, repr=False)

    #: members that make one replicate (a standard deviation needs several)
    group = 1
    side = "two"
    needs_resolution = True
    random = True  # False: deterministic instances, the verdict carries no error rate

    def __post_init__(self) -> None:
        if self.needs_resolution and self.resolution is None:
            raise ClaimError(f"{type(self).__name__} needs resolution=: what the experiment promises to see")
        no_margin = isinstance(self.margin, int | float) and self.margin == 0
        if not no_margin and not self.because:
            raise ClaimError("a margin needs because=: what the theorem leaves open, and why this much")
        if isinstance(self.margin, int | float) and not self.margin >= 0:
            raise ClaimError(f"margin={self.margin} is negative")
        if isinstance(self.resolution, int | float) and not self.resolution > 0:
            raise ClaimError(f"resolution={self.resolution} must be positive")

    # --- to be given by each kind -------------------------------------------------------------------------------
    def places(self, points: Sequence[Point]) -> list[dict]:
        """The coordinates of each functional, in the order of the columns."""
        raise NotImplementedError

    def functionals(self, values: Sequence[np.ndarray], points: Sequence[Point]) -> np.ndarray:
        """(replicates, J) from one array (members, ...) per point."""
        raise NotImplementedError

    def targets(self, points: Sequence[Point], shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
        """The theory's values (J,)."""
        raise NotImplementedError

    def rival_targets(self, rival: Any, points: Sequence[Point], shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
        """A rival's values (J,); NaN where it says nothing."""
        raise NotImplementedError

    # --- shared -------------------------------------------------------------------------------------------------
    def names(self, points: Sequence[Point], shapes: Sequence[tuple[int, ...]]) -> list[str]:
        return labels(self.places(points))

    def compare(self, x: np.ndarray, eps: float) -> Comparison:
        interval = fixed_mean_interval if self.design else mean_interval
        return Interval(*interval(x, eps))

    def schedule(self, budget: int) -> Iterator[int]:
        """Replicate counts at which the stream is judged (in groups, where a replicate is a group)."""
        if self.design:
            yield self.design.replicates
        else:
            yield from looks(budget // self.group)

    def zones(self, T: np.ndarray, points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
        """Margin b and resolution r for every functional."""
        return self._width(self.margin, T, points, "margin"), self._width(self.resolution, T, points, "resolution")

    def _width(self, width: Any, T: np.ndarray, points: Sequence[Point], name: str) -> np.ndarray:
        if isinstance(width, next_order):
            raise ClaimError("next_order(...) is the margin of an exponent: of Rate only")
        if isinstance(width, rel):
            if not np.all(np.abs(T) > 0):
                raise ClaimError(f"{name}=rel({width.fraction}) of a theory value that is 0; give an absolute {name}")
            return width.fraction * np.abs(T)
        values = [np.asarray(at_point(width, place), dtype=float).ravel() for place in self.places(points)]
        each = len(T) // max(len(values), 1)
        return np.concatenate([np.broadcast_to(v, (each,)) for v in values])

    def separation(
        self, rivals: Mapping[str, Any], points: Sequence[Point], shapes: Sequence[tuple[int, ...]]
    ) -> dict[str, float]:
        """Largest |ρ − T| / (2b + r) over the functionals; ClaimError where a rival can never be killed."""
        T = self.targets(points, shapes)
        b, r = self.zones(T, points)
        found = {}
        for name, rival in rivals.items():
            gap = np.abs(self.rival_targets(rival, points, shapes) - T)
            with np.errstate(divide="ignore", invalid="ignore"):
                over_margin = np.nanmax(np.where(b > 0, gap / (2 * b), np.where(gap > 0, np.inf, 0.0)))
                found[name] = float(np.nanmax(gap / (2 * b + r)))
            if not over_margin > 1:
                best = self.names(points, shapes)[int(np.nanargmax(gap))]
                raise ClaimError(
                    f"rival {name!r} can never be told from the theory: at its best ({best}) they differ by "
                    f"{np.nanmax(gap):.3g}, not more than twice the margin; choose other points or a smaller margin"
                )
        return found

    def decide_at(
        self, values: Sequence[np.ndarray], points: Sequence[Point], rivals: Mapping[str, Any], eps: float, look: int
    ) -> Decision:
        """The rule at one look, on all replicates so far."""
        x = self.functionals(values, points)
        shapes = [v.shape[1:] for v in values]
        T = self.targets(points, shapes)
        b, r = self.zones(T, points)
        return decide(
            self.compare(x, eps / x.shape[1]),
            T, b, r,
            {name: self.rival_targets(rival, points, shapes) for name, rival in rivals.items()},
            self.side,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
