"""What a scale costs, before anything of it runs: time and memory, from a block of each experiment at scale smoke.

Each whole number of a point that is larger at the scale asked for (widths, steps, samples) is doubled at scale smoke,
once, to see with what power time and memory grow. Small sizes are mostly overhead, so the power seen there is the least
that time may have; the most is that, 1, or the memory's power, whichever is largest. The two ends are told. A number
that cannot be doubled alone, or not in time, is taken to count in proportion, and said to be.
"""

from __future__ import annotations

import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from corollary.claims import Claim, ClaimError, Experiment, Figure, at_scale, points_at
from corollary.seeds import canonical_json
from corollary.sweep import SweepError, Task, execute

SECONDS = 12.0  # for all experiments together; those that come too late are not estimated
LONGEST = 3.0  # for one of them
ONE = 0.15  # seconds of one measurement: as many replicates of a block as fit
STEEPEST = 3.0  # of the powers with which time and memory grow
SEEN = 0.1  # a power below is none: neither time nor memory grows
Point = dict[str, Any]


class Needs(NamedTuple):
    """Of one replicate: seconds, bytes at the peak, bytes of the result."""

    seconds: float
    peak: float
    result: float


@dataclass
class Demand:
    """What a scale asks of one experiment: replicates at each point, at most."""

    experiment: Experiment
    points: dict[str, tuple[Point, int]] = field(default_factory=dict)

    def add(self, points: Iterable[Point], replicates: int) -> None:
        whole = -(-replicates // self.experiment.block) * self.experiment.block
        for p in points:
            key = canonical_json(p)
            self.points[key] = p, max(whole, self.points.get(key, (p, 0))[1])


@dataclass(frozen=True)
class Cost:
    """Of one experiment at the scale. Seconds on one core between `least` and `seconds`, None where it was not timed;
    bytes of all results, and at the peak of one block; `grows`: the numbers that are larger than at scale smoke."""

    experiment: str
    points: int
    replicates: int
    seconds: float | None = None
    least: float = 0.0
    results: float = 0.0
    peak: float = 0.0
    grows: tuple[str, ...] = ()


def demands(claims: Iterable[Claim], figures: Iterable[Figure], scale: str) -> dict[str, Demand]:
    """By experiment: the largest budget of the claims that read it, and the replicates of figures."""
    found: dict[str, Demand] = {}
    for claim in claims:
        if claim.measure is not None:
            experiment = claim.reading.experiment
            budget = claim.budget_at(scale)
            if claim.kind.design:
                budget = min(budget, claim.kind.design.replicates * claim.kind.group)
            found.setdefault(experiment.id, Demand(experiment)).add(claim.split(scale)[0], budget)
    for figure in figures:
        k = at_scale(figure.replicates, scale)
        for name, experiment in figure.experiments.items():
            each = int(k.get(name, 10) if isinstance(k, Mapping) else k)
            found.setdefault(experiment.id, Demand(experiment)).add(points_at(experiment.points, scale), each)
    return found


def estimate(claims: Sequence[Claim], figures: Sequence[Figure], scale: str, *, seconds: float = SECONDS) -> list[Cost]:
    """The cost of every experiment, in order; those not reached after `seconds` come without a time."""
    small, wanted = demands(claims, figures, "smoke"), demands(claims, figures, scale)
    end = time.perf_counter() + seconds
    timed: dict[str, tuple[Point, Needs]] = {}
    for name, demand in wanted.items():
        if name in small and small[name].points:
            start = max((p for p, _ in small[name].points.values()), key=_size)
            base = _in_time(lambda d=demand, p=start: _needs(d.experiment, p), min(end, time.perf_counter() + LONGEST))
            if base is not None:
                timed[name] = start, base
    return [_cost(demand, *timed.get(name, (None, None)), end=end) for name, demand in wanted.items()]


def _cost(demand: Demand, start: Point | None, base: Needs | None, *, end: float) -> Cost:
    pairs = list(demand.points.values())
    about = (demand.experiment.id, len(pairs), sum(k for _, k in pairs))
    if base is None or start is None:
        return Cost(*about)
    largest = {c: max(p[c] for p, _ in pairs) for c in start if all(_whole(p.get(c)) for p, _ in pairs + [(start, 0)])}
    grows = {c: n for c, n in largest.items() if n > start[c] > 0}
    seen = {c: _powers(demand.experiment, start, c, base, end) for c in grows}
    powers = {c: np.ones(4) if power is None else power for c, power in seen.items()}
    told = [f"{c} {start[c]} → {n}" + (" (as if in proportion)" if seen[c] is None else "") for c, n in grows.items()]
    least, most, peak, stored = 0.0, 0.0, 0.0, 0.0
    for p, replicates in pairs:
        scaled = np.array([base.seconds, *base])
        for c, power in powers.items():
            scaled = scaled * (p[c] / start[c]) ** power
        low, high, memory, result = (float(x) for x in scaled)
        least, most, stored = least + low * replicates, most + high * replicates, stored + result * replicates
        peak = max(peak, memory * demand.experiment.block)
    return Cost(*about, most, least, stored, peak, tuple(told))


def _in_time(measure: Callable[[], Needs], end: float) -> Needs | None:
    """What it returns; None where the experiment fails, or where the time is over (at once, on the main thread)."""
    left = end - time.perf_counter()
    if left <= 0:
        return None
    alarm = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, _late) if alarm else None
    try:
        if alarm:
            signal.setitimer(signal.ITIMER_REAL, left)
        return measure()
    except (SweepError, _Late):
        return None
    finally:
        if alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        tracemalloc.stop()


class _Late(BaseException):
    """No Exception, so that no measurement takes it for its own."""


def _late(*_: object) -> None:
    raise _Late


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _size(point: Point) -> float:
    return float(np.prod([float(v) for v in point.values() if _whole(v) and v > 0]))


def _needs(experiment: Experiment, point: Point) -> Needs:
    """Measured on as many replicates of one block as run in `ONE`; the first call, which fills caches, is not timed."""

    def run(replicates: int) -> tuple[dict[str, np.ndarray], float]:
        started = time.perf_counter()
        arrays = execute(Task(experiment, point, 0, replicates))
        return arrays, time.perf_counter() - started

    _, first = run(1)
    replicates = min(experiment.block, max(1, int(ONE / max(first, 1e-9))))
    spent = min(first, run(replicates)[1]) if replicates == 1 and first < ONE else first
    if replicates > 1:
        spent = run(replicates)[1]
    tracemalloc.start()  # and stopped by `_in_time`
    arrays, _ = run(replicates)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Needs(spent / replicates, peak / replicates, sum(a.nbytes for a in arrays.values()) / replicates)


def _powers(experiment: Experiment, start: Point, coordinate: str, base: Needs, end: float) -> np.ndarray | None:
    """With what powers of the coordinate time (least, most), peak and result grow, from doubling it; None where that
    comes too late, or the points' other numbers hang together with this one."""
    twice = {**start, coordinate: 2 * start[coordinate]}
    doubled = _in_time(lambda: _needs(experiment, twice), min(end, time.perf_counter() + LONGEST))
    if doubled is None:
        return None
    seen = np.log2(np.maximum(doubled, 1e-12) / np.maximum(base, 1e-12))
    seconds, peak, result = np.clip(seen, -1.0, STEEPEST)
    most = max(1.0, seconds, peak) if max(seconds, peak) > SEEN else max(seconds, 0.0)
    return np.array([min(seconds, most), most, peak, result])


def told(costs: Sequence[Cost], scale: str) -> list[str]:
    """The costs for people."""
    lines = [f"cost at scale {scale}, one core, every budget used up (a claim ends at its first decision):"]
    for c in costs:
        if c.seconds is None:
            text = "not estimated"
        else:
            text = f"{between(c.least, c.seconds)}, {size(c.results)} of results, {size(c.peak)} a block"
        grows = f"; {', '.join(c.grows)}" if c.grows else ""
        lines.append(f"  {c.experiment}: {c.points} points, {c.replicates} replicates: {text}{grows}")
    known = [c for c in costs if c.seconds is not None]
    if known:
        memory = size(max(c.peak for c in known) + max(c.results for c in known))
        spent = between(sum(c.least for c in known), sum(c.seconds or 0.0 for c in known))
        more = "" if len(known) == len(costs) else ", and what is not estimated"
        lines.append(f"  in all {spent}, {size(sum(c.results for c in known))} on disk, {memory} of memory{more}")
    lines.append(
        "  estimated from one block of each experiment at scale smoke, run here, and from how that grows when a number "
        "is doubled: an order of magnitude, no promise"
    )
    return lines


def between(least: float, most: float) -> str:
    close = most <= 2 * least
    return f"about {duration(most)}" if close else f"between {duration(least)} and {duration(most)}"


def duration(seconds: float) -> str:
    for name, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {name}" if seconds < 100 * length else f"{seconds / length:.0f} {name}"
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"


def size(bytes_: float) -> str:
    for name, unit in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if bytes_ >= unit:
            return f"{bytes_ / unit:.2g} {name}" if bytes_ < 100 * unit else f"{bytes_ / unit:.0f} {name}"
    return f"{bytes_:.0f} B"


def claim_cost(claim: Claim, scale: str) -> Cost | None:
    """Of the claim's own experiment; None where it has no measurement, or no points at scale smoke."""
    try:
        return next(iter(estimate([claim], [], scale)), None)
    except ClaimError:
        return None
