"""A claim: a statement of a paper that owns its sampler. Its state is computed, never typed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from corollary.claims.experiment import (
    DEFAULT_REPLICATES,
    SCALES,
    Reading,
    as_reading,
    at_scale,
    points_at,
    require_points,
)
from corollary.claims.fingerprint import fingerprint
from corollary.verdicts import (
    DEFAULT_EPS,
    ClaimError,
    Fixed,
    Kind,
    Outcome,
    Verdict,
    at_point,
    checked_rivals,
    describe,
    judge,
    raise_unless_expected,
    walk,
)


@dataclass(frozen=True)
class Regime:
    """Where the theorem speaks: `holds(…coordinates)`; a point outside is OUT_OF_DOMAIN, decided before looking."""

    holds: Callable[..., bool]
    because: str

    def __post_init__(self) -> None:
        if not self.because:
            raise ClaimError("a regime needs because=: which hypothesis of the theorem fails outside it")


@dataclass(frozen=True)
class Printed:
    value: Any


def printed(value: Any) -> Printed:
    """Marks a rival as the paper's own printed statement."""
    return Printed(value)


@dataclass(frozen=True)
class Claim:
    """`statement` (LaTeX) of the given `kind`, which holds the theory's value; `measure` says how nature answers.

    measure: a plain function (…coordinates, rng) → number or array, or `experiment["name"]`. points: a list of
    dicts, a dict of lists (a grid), or either by scale; default: the experiment's. replicates: the budget, by scale.
    rivals: name → value, function or `printed(…)`. uses: claims it rests on. checked_by: ids of derivations.
    theorem: what the paper states, in its letters and under its hypotheses; text with formulas in $…$.
    given: what is held fixed. design=Fixed(R): one look at R. expected: REFUTED for an erratum without a correction.
    Raises ClaimError at declaration for a margin or regime without because=, and for rivals that cannot be told from
    the theory: at once where theory and rivals are plain numbers, before anything is drawn where they are functions.
    """

    statement: str
    kind: Kind
    measure: Any = None
    points: Any = None
    rivals: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    where: str = ""
    regime: Regime | None = None
    uses: Sequence[Any] = ()
    checked_by: Sequence[str] = ()
    replicates: Any = None
    eps: float = DEFAULT_EPS
    given: str = ""
    design: Fixed | None = None
    expected: Outcome | str = Outcome.CONFIRMED
    erratum: Any = None
    theorem: str = ""
    module: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Kind):
            raise ClaimError(f"kind={self.kind!r}: expected one of Identity, Value, Rate, Bound, Law, Threshold, Order")
        if self.design:
            object.__setattr__(self, "kind", replace(self.kind, design=self.design))
        object.__setattr__(self, "expected", Outcome(self.expected))
        if not self.module:
            caller = sys._getframe(2)  # __post_init__ ← __init__ ← the module that declares the claim
            object.__setattr__(self, "module", caller.f_globals.get("__name__", ""))
        require_points(self.points, self.id or self.statement[:40])
        checked_rivals(self.plain_rivals() if isinstance(self.rivals, Mapping) else self.rivals)
        if self.rivals and not _computed([vars(self.kind), self.plain_rivals()]):
            for scale in self._declared_scales():
                self.separations(scale)

    @property
    def name(self) -> str:
        """`id`, or module:variable of the module that declares it."""
        if self.id:
            return self.id
        for variable, value in vars(sys.modules.get(self.module, object)).items():
            if value is self:
                return f"{self.module}:{variable}"
        return f"{self.module}:{self.statement[:40]}"

    @property
    def reading(self) -> Reading:
        if self.measure is None:
            raise ClaimError(f"{self.name} has no measure=; give one, or use judge(...) on data you have")
        return as_reading(self.measure, self.points, self.budget_declared)

    @property
    def budget_declared(self) -> Any:
        return DEFAULT_REPLICATES if self.replicates is None else self.replicates

    def points_at(self, scale: str) -> list[dict[str, Any]]:
        if self.points is None and self.measure is None:
            return [{}]
        points = self.reading.experiment.points if self.points is None else self.points
        return points_at(points, scale)

    def budget_at(self, scale: str) -> int:
        declared = self.reading.experiment.replicates if self.replicates is None else self.replicates
        return int(at_scale(declared, scale))

    def plain_rivals(self) -> dict[str, Any]:
        return {name: r.value if isinstance(r, Printed) else r for name, r in self.rivals.items()}

    def fingerprint(self) -> str:
        """Changes with the theory, margin, resolution, rivals, points or regime: a new one starts a new history."""
        measured = self.reading if self.measure is not None else None
        where = None if measured is None else (measured.experiment.id, measured.name)
        return fingerprint(self.statement, self.kind, self.rivals, self.points, self.eps, self.regime, where)

    def separations(self, scale: str) -> dict[str, float]:
        """|ρ − T| / (2 margin + resolution) of each rival at its best place; nan where only the data can tell.

        Raises ClaimError for a rival that can never be rejected. Draws nothing.
        """
        inside, _ = self.split(scale)
        rivals = self.plain_rivals()
        return self.kind.separation(rivals, inside, self.kind.declared_shapes(rivals, inside)) if inside else {}

    def _declared_scales(self) -> list[str]:
        """One scale for each set of points that is declared."""
        points = self.points
        if points is None and self.measure is not None and not callable(self.measure):
            points = self.reading.experiment.points
        if isinstance(points, Mapping) and points and set(points) <= set(SCALES):
            return [scale for scale in SCALES if scale in points]
        return ["laptop"]

    def split(self, scale: str) -> tuple[list[dict], list[dict]]:
        """Points inside and outside the regime."""
        points = self.points_at(scale)
        if self.regime is None:
            return points, []
        inside = [p for p in points if at_point(self.regime.holds, p)]
        return inside, [p for p in points if p not in inside]

    def judge(self, values: Sequence[np.ndarray], points: Sequence[Mapping[str, Any]] | None = None) -> Verdict:
        """The verdict on arrays you already have, one per point, replicates first."""
        where = self.points_at("laptop") if points is None else list(points)
        return judge(self.kind, values, where, rivals=self.plain_rivals(), eps=self.eps, id=self.name,
                     statement=self.statement, expected=Outcome(self.expected), given=self.given)  # fmt: skip

    def decide(
        self,
        *,
        scale: str = "laptop",
        root: int = 0,
        device: str = "cpu",
        executor: Any = None,
        store: Any = None,
        progress: Any = None,
        budget: int | None = None,
        eps: float | None = None,
    ) -> Verdict:
        """Sample and judge one stream; no retry. Raises SweepError if the measurement fails."""
        inside, outside = self.split(scale)
        started = time.perf_counter()
        fetch = _Fetch(self.reading, inside, root, device, executor, store, progress)
        verdict = walk(
            self.kind, inside, fetch,
            rivals=self.plain_rivals(), eps=self.eps if eps is None else eps,
            budget=self.budget_at(scale) if budget is None else budget,
            out_of_domain=outside, id=self.name, statement=self.statement, expected=Outcome(self.expected),
            seed_root=fetch.root, given=self.given,
        )  # fmt: skip
        return verdict.with_(seconds=time.perf_counter() - started, streams=[(fetch.root, str(verdict.outcome))])

    def measured(
        self,
        members: int,
        *,
        scale: str = "laptop",
        root: int = 0,
        device: str = "cpu",
        executor: Any = None,
        store: Any = None,
    ) -> list[tuple[dict[str, Any], Any]]:
        """(point, values) for every point in the regime: the first `members` replicates, as `decide` judges them."""
        inside, _ = self.split(scale)
        fetch = _Fetch(self.reading, inside, root, device, executor, store, None)
        return list(zip(inside, fetch(members), strict=True))

    def verdict(self, *, root: int = 0, **options: Any) -> Verdict:
        """`decide`; a REFUTED is repeated on the next seed root, whose outcome counts (unstable if it differs).

        A counterexample (to a bound that always holds, an identity, a sequence) needs no repetition.
        """
        first = self.decide(root=root, **options)
        if first.outcome is not Outcome.REFUTED or self.kind.one_refutation_suffices:
            return first
        second = self.decide(root=root + 1, **options)
        return second.with_(
            unstable=second.outcome is not Outcome.REFUTED, stream=2, earlier=[str(first.outcome)],
            streams=first.streams + second.streams, seconds=first.seconds + second.seconds,
            notes=[*second.notes, "judged on two streams: wrongly REFUTED with probability at most eps², wrongly "
                   "CONFIRMED at most 2 eps"],
        )  # fmt: skip

    def check(self, **options: Any) -> Verdict:
        """For a test: the verdict, or Refuted, Underpowered, OutOfDomain (AssertionErrors) with the full report."""
        return raise_unless_expected(self.verdict(**options))

    def plan(
        self, *, scale: str = "laptop", seconds: float | None = None, root: int = 0, eps: float | None = None,
        store: Any = None,
    ) -> str:  # fmt: skip
        """Separations, replicates to a decision and cost, from a pilot that is the prefix of the stream."""
        from corollary.claims.planning import plan

        chosen = self if eps is None else replace(self, eps=eps)
        return plan(chosen, scale=scale, seconds=seconds, root=root, store=store)


class _Fetch:
    """The first m members at every point, in blocks through the sweep; blocks already here are not asked for again."""

    def __init__(self, reading: Reading, points, root, device, executor, store, progress):
        from corollary.store import MemoryStore

        if isinstance(root, bool) or not isinstance(root, int | np.integer) or root < 0:
            raise ClaimError(f"root={root!r}: expected a seed root, a whole number from 0 on")
        self.reading, self.points, self.root, self.device = reading, points, int(root), device
        self.executor, self.progress = executor, progress
        self.store = MemoryStore() if store is None else store
        self.blocks: list[list[Any]] = [[] for _ in points]

    def __call__(self, members: int) -> list[Any]:
        from corollary.sweep import Task, sweep

        experiment, size = self.reading.experiment, self.reading.experiment.block
        wanted = -(-members // size)
        missing = [(i, k) for i, have in enumerate(self.blocks) for k in range(len(have), wanted)]
        tasks = [Task(experiment, self.points[i], k * size, (k + 1) * size, self.root, self.device) for i, k in missing]
        results = sweep(tasks, executor=self.executor, store=self.store, progress=self.progress)
        for (i, _), result in zip(missing, results, strict=True):
            self.blocks[i].append(self._read(result, self.points[i]))
        return [_join(blocks, members) for blocks in self.blocks]

    def _read(self, result: Mapping[str, np.ndarray], point) -> Any:
        if self.reading.name == "*" or (self.reading.name == "value" and "value" not in result):
            return dict(result)
        if self.reading.name not in result:
            raise ClaimError(
                f"experiment {self.reading.experiment.id} at {describe(point)} returned {', '.join(result)}, "
                f"no array {self.reading.name!r}"
            )
        return result[self.reading.name]


def _join(blocks: list[Any], members: int) -> Any:
    if isinstance(blocks[0], dict):
        return {name: np.concatenate([b[name] for b in blocks])[:members] for name in blocks[0]}
    return np.concatenate(blocks)[:members]


def _computed(values: Any) -> bool:
    """Whether a function is among the values, which may be costly to evaluate."""
    if isinstance(values, Mapping):
        return any(_computed(v) for key, v in values.items() if key != "_memo")
    if isinstance(values, list | tuple):
        return any(_computed(v) for v in values)
    return callable(values)
