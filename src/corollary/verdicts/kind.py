"""What the seven kinds share: how a claim's replicates become functionals, and how those are walked to a decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corollary.seeds import canonical_json
from corollary.verdicts.comparisons import Comparison, Interval, of_means, side_by_side
from corollary.verdicts.rule import Decision, decide, looks
from corollary.verdicts.settings import ClaimError, Fixed, Point, at_point, labels, log_bias, next_order, rel

if TYPE_CHECKING:
    from corollary.verdicts.verdict import Verdict

FIRST_LOOK = 16
TIES_NEED = 128  # replicates before deciding when most are equal: 90 % zeros miss .055/.01 at 32, .002/.01 at 128
SYMMETRIC_ONLY = 16  # up to here a fixed design is for near-symmetric statistics: exponentials miss .021/.01 at 8


@dataclass(frozen=True)
class Coordinates:
    """Functionals beside a kind's own: values (n, K) per replicate, and what theory and rivals say about them."""

    values: np.ndarray
    theory: np.ndarray
    margin: np.ndarray
    resolution: np.ndarray
    rivals: Mapping[str, np.ndarray]
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Base of the kinds. `resolution`, `margin`: a number, `rel(x)` or a function of the point (its coordinates).

    first_look: replicates before the first decision. Means are only as good as the sample: of jumps that happen once in
    ten replicates, 16 replicates show none with probability .185, and the interval misses; 128 with 1e-6.
    """

    resolution: Any = None
    margin: Any = 0.0
    because: str = ""
    first_look: int = (
        FIRST_LOOK  # replicates before anything is decided: more where a rare part of the law carries its mean
    )
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
        if not isinstance(self.first_look, int) or self.first_look < 1:
            raise ClaimError(f"first_look={self.first_look!r}: expected a number of replicates")
        if self.side not in ("two", "at most", "at least"):
            raise ClaimError(f"side={self.side!r}: expected 'two', 'at most' or 'at least'")

        object.__setattr__(self, "_memo", {})  # of `evaluate`; no field: two equal kinds stay equal

    def evaluate(self, value: Any, place: Point) -> Any:
        """`at_point`, once per value and place: a theory's curve may be costly, and every look asks for it."""
        if not callable(value):
            return value
        try:
            key = (id(value), canonical_json(place))
        except (TypeError, ValueError):  # coordinates that are not plain data
            return at_point(value, place)
        memo = self.__dict__["_memo"]
        if key not in memo:
            memo[key] = (value, at_point(value, place))  # the value is kept, so that its id stays its own
        return memo[key][1]

    @property
    def one_refutation_suffices(self) -> bool:
        """True where REFUTED carries no error rate (a counterexample), so that no second stream may overrule it."""
        return not self.random

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

    def declared_shapes(self, rivals: Mapping[str, Any], points: Sequence[Point]) -> list[tuple[int, ...]]:
        """The shape of one replicate at each point, as far as theory and rivals tell before anything runs."""
        return [()] * len(points)

    # --- shared -------------------------------------------------------------------------------------------------
    def judge(
        self, y: Any, *, rivals: Mapping[str, Any] | None = None, eps: float | None = None,
        points: Sequence[Point] | None = None, **coordinate: Any,
    ) -> Verdict:  # fmt: skip
        """The verdict on data you already have: y (replicates, ...); `n=widths` names the coordinate of axis 1.

        With points=, y is a list of arrays, one per point, replicates first. Pure: nothing is drawn. Errors: ClaimError
        for shapes that do not fit.
        """
        from corollary.verdicts.walk import DEFAULT_EPS, judge

        if points is None and len(coordinate) > 1:
            raise ClaimError(f"judge: one coordinate along axis 1, got {', '.join(coordinate)}; for more use points=")
        if points is not None:
            values, where = [np.asarray(v) for v in y], list(points)
        elif coordinate:
            ((name, sizes),) = coordinate.items()
            y = np.asarray(y)
            if y.ndim < 2 or y.shape[1] != len(sizes):
                raise ClaimError(
                    f"judge: y must be (replicates, {len(sizes)}, ...) for {len(sizes)} values of {name}, "
                    f"got shape {y.shape}"
                )
            values, where = [y[:, i] for i in range(len(sizes))], [{name: size} for size in sizes]
        else:
            values, where = [np.asarray(y)], [{}]
        return judge(self, values, where, rivals=rivals, eps=DEFAULT_EPS if eps is None else eps)

    def names(self, points: Sequence[Point], shapes: Sequence[tuple[int, ...]]) -> list[str]:
        return labels(self.places(points))

    def compare(self, x: np.ndarray, eps: float) -> Comparison:
        return of_means(x, eps, fixed=self.design is not None)

    def schedule(self, budget: int) -> Iterator[int]:
        """Replicate counts at which the stream is judged (in groups, where a replicate is a group)."""
        if self.design:
            yield self.design.replicates
        else:
            if FIRST_LOOK < self.first_look > budget // self.group:
                raise ClaimError(
                    f"first_look={self.first_look}, but the budget of {budget // self.group} would end first"
                )
            yield from looks(budget // self.group, self.first_look)

    def zones(self, T: np.ndarray, points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
        """Margin b and resolution r for every functional."""
        return self._width(self.margin, T, points, "margin"), self._width(self.resolution, T, points, "resolution")

    def _width(self, width: Any, T: np.ndarray, points: Sequence[Point], name: str) -> np.ndarray:
        if isinstance(width, next_order | log_bias):
            raise ClaimError(f"{type(width).__name__}(...) is the margin of an exponent: of Rate only")
        if isinstance(width, rel):
            if not np.all(np.abs(T) > 0):
                raise ClaimError(f"{name}=rel({width.fraction}) of a theory value that is 0; give an absolute {name}")
            return width.fraction * np.abs(T)
        values = [np.asarray(self.evaluate(width, place), dtype=float).ravel() for place in self.places(points)]
        each = len(T) // max(len(values), 1)
        out = np.concatenate([np.broadcast_to(v, (each,)) for v in values])
        if not np.all(out >= 0) or (name == "resolution" and not np.all(out > 0)):
            raise ClaimError(f"{name} = {out.min():.3g} at one of the points: it must be positive and a number")
        return out

    def separation(
        self, rivals: Mapping[str, Any], points: Sequence[Point], shapes: Sequence[tuple[int, ...]]
    ) -> dict[str, float]:
        """Largest |ρ − T| / (2b + r) over the functionals; ClaimError where a rival can never be killed."""
        if not rivals:
            return {}
        T = self.targets(points, shapes)
        b, r = self.zones(T, points)
        found = {}
        for name, rival in rivals.items():
            gap = np.abs(self.rival_targets(rival, points, shapes) - T)
            gap = np.where(np.isnan(gap), 0.0, gap)
            if not np.any(gap > 2 * b):
                best = self.names(points, shapes)[int(np.argmax(gap - 2 * b))]
                raise ClaimError(
                    f"rival {name!r} can never be told from the theory: at the best point ({best}) they differ by "
                    f"{gap[np.argmax(gap - 2 * b)]:.3g}, not more than twice the margin; choose other points or a "
                    "smaller margin"
                )
            found[name] = float(np.max(gap / (2 * b + r)))
        return found

    def widened(self, c: Comparison, T: np.ndarray, r: np.ndarray, points: Sequence[Point]) -> Comparison:
        """The comparison with the rounding budget of the measurement added."""
        return c

    def coordinates(
        self, x: np.ndarray, T: np.ndarray, b: np.ndarray, r: np.ndarray, rivals: Mapping[str, np.ndarray],
        points: Sequence[Point], shapes: Sequence[tuple[int, ...]],
    ) -> Coordinates | None:  # fmt: skip
        """More functionals, made for these rivals; half of ε is theirs."""
        return None

    def decide_at(
        self, values: Sequence[np.ndarray], points: Sequence[Point], rivals: Mapping[str, Any], eps: float, look: int
    ) -> Decision:
        """The rule at one look, on all replicates so far."""
        x = self.functionals(values, points)
        shapes = [v.shape[1:] for v in values]
        T = self.targets(points, shapes)
        b, r = self.zones(T, points)
        said = {name: self.rival_targets(rival, points, shapes) for name, rival in rivals.items()}
        more = self.coordinates(x, T, b, r, said, points, shapes)
        names: tuple[str, ...] = ()
        if more is None:
            c = self.compare(x, eps / x.shape[1])
        else:
            names = more.names
            entries = self.compare(x, eps / 2 / x.shape[1])
            assert isinstance(entries, Interval)  # coordinates are offered beside means only
            c = side_by_side([entries, self.compare(more.values, eps / 2 / len(names))])  # pyright: ignore[reportArgumentType]
            T, b, r = (np.concatenate(pair) for pair in ((T, more.theory), (b, more.margin), (r, more.resolution)))
            said = {name: np.concatenate([rho, more.rivals[name]]) for name, rho in said.items()}
        c = self.widened(c, T[: x.shape[1]], r[: x.shape[1]], points)
        d = decide(c, T, b, r, said, self.side)  # pyright: ignore[reportArgumentType]
        return self._flagged(replace(d, more_names=names), c, len(x), [*self.names(points, shapes), *names])

    def _flagged(self, d: Decision, c: Comparison, n: int, names: Sequence[str]) -> Decision:
        """What the intervals cannot be trusted with: many ties wait for more replicates, skewness is reported."""
        notes, outcome = list(d.notes), d.outcome
        tied, skewed = np.flatnonzero(c.tied), np.flatnonzero(c.skewed)
        if tied.size and not self.design:
            notes.append(f"more than half of the replicates are equal ({_some(names, tied)})")
            if n < TIES_NEED and outcome is not None:
                outcome = None
                notes.append(f"with so many ties nothing is decided before {TIES_NEED} replicates")
        if skewed.size:
            notes.append(f"skewed: the corrected interval reaches far beyond the symmetric ({_some(names, skewed)})")
        if self.design and self.design.replicates <= SYMMETRIC_ONLY:
            notes.append(
                f"one look at {self.design.replicates} replicates, fixed beforehand: the error rate is kept for "
                "near-symmetric statistics only"
            )
        return replace(d, outcome=outcome, notes=tuple(notes))


def _some(names: Sequence[str], which: np.ndarray) -> str:
    shown = ", ".join([str(names[int(i)]) for i in which[:3]])
    return shown if len(which) <= 3 else f"{shown} and {len(which) - 3} more"
