"""Walk a stream of replicates in order and stop at the first decision. The only place where claims are decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from corollary.verdicts.kind import Kind
from corollary.verdicts.rivals import checked_rivals
from corollary.verdicts.rule import Decision, Outcome
from corollary.verdicts.settings import ClaimError, Point, describe
from corollary.verdicts.verdict import Verdict, listed

DEFAULT_EPS = 1e-3
Fetch = Callable[[int], list[Any]]  # members wanted -> per point an array (members, ...)


def walk(
    kind: Kind,
    points: Sequence[Point],
    fetch: Fetch,
    *,
    rivals: Mapping[str, Any] | None = None,
    eps: float = DEFAULT_EPS,
    budget: int = 1024,
    out_of_domain: Sequence[Point] = (),
    **labels: Any,
) -> Verdict:
    """Judge `kind` on the members `fetch(m)` returns for every point, look by look, up to `budget` members.

    `labels` fill the verdict's id, statement, expected, seed_root… Raises ClaimError for a claim that cannot be judged.
    """
    if not 0 < eps < 1:
        raise ClaimError(f"eps={eps}: an error rate lies strictly between 0 and 1")
    if points and budget < kind.group:
        raise ClaimError(f"budget={budget}: {kind.group} replicates are the least a verdict can be based on")
    if not points and not out_of_domain:
        raise ClaimError("there are no points to judge at: expected at least one; a claim without coordinates has [{}]")
    rivals = checked_rivals(rivals)
    members, seen = 0, []
    decision: Decision | None = None
    shapes: list[tuple[int, ...]] = []
    near = {}
    if points:  # before anything is drawn: a rival that can never be rejected is a mistake of the declaration
        separation = kind.separation(rivals, points, kind.declared_shapes(rivals, points))
        near = {name: s for name, s in separation.items() if s < 1}
    for look, n in enumerate(kind.schedule(budget) if points else (), start=1):
        members = n * kind.group
        values = fetch(members)
        seen.append(n)
        given = min((len(v) for v in values if hasattr(v, "shape")), default=members)
        if given < members:
            raise ClaimError(f"{members} replicates are needed at this look, {given} were given")
        if look == 1:
            shapes = [v.shape[1:] if hasattr(v, "shape") else () for v in values]
        decision = kind.decide_at(values, points, rivals, eps, look)
        if decision.outcome is not None:
            break
    return _verdict(kind, points, decision, shapes, rivals, eps, members, out_of_domain, labels, seen, near)


def _verdict(kind, points, decision, shapes, rivals, eps, members, out_of_domain, labels, seen, near) -> Verdict:
    lost = [describe(p) for p in out_of_domain]
    if decision is None:  # every point out of its regime
        empty = np.zeros(0)
        decision = Decision(Outcome.OUT_OF_DOMAIN, empty, empty, empty, empty, empty, dict.fromkeys(rivals))
        names = []
    else:
        names = [*kind.names(points, shapes), *decision.more_names]
    alive = [name for name, by in decision.killed.items() if by is None]
    notes = list(decision.notes)
    if kind.side != type(kind).side:
        notes.append(f"one-sided: the true value is {kind.side} the theory's")
    share = decision.margin / np.maximum(decision.margin + decision.resolution, 1e-300)
    if share.size and share.max() > 0.8:
        notes.append(f"the margin is {share.max():.0%} of margin + resolution: little of the theorem is tested")
    if decision.outcome is None:
        notes += _what_would_decide(decision, members // kind.group)
    notes += [
        f"rival {name!r} differs by {s:.2f} of (2 margins + resolution): below 1, rejecting it may cost replicates"
        for name, s in near.items()
    ]
    return Verdict(
        id=labels.pop("id", ""), statement=labels.pop("statement", ""), kind=type(kind).__name__,
        outcome=decision.outcome or Outcome.UNDERPOWERED, expected=labels.pop("expected", Outcome.CONFIRMED),
        functionals=names, interval=list(zip(listed(decision.lo), listed(decision.hi), strict=True)),
        theory=listed(decision.theory), margin=listed(decision.margin), resolution=listed(decision.resolution),
        epsilon=eps if kind.random else 0.0, n=members // kind.group,
        rivals_rejected=[name for name in decision.killed if name not in alive], rivals_alive=alive,
        killed_at={name: names[by] for name, by in decision.killed.items() if by is not None},
        because=kind.because, out_of_domain=lost, notes=notes, looks=seen,
        evidence=decision.evidence.get(None), evidence_rivals={k: e for k, e in decision.evidence.items() if k},
        rival_values={k: listed(v) for k, v in decision.rivals.items() if np.size(v) == len(names)},
        **labels,
    )  # fmt: skip


def _what_would_decide(decision: Decision, n: int) -> list[str]:
    """How far the longest interval is from the resolution, at which every claim is decided; lengths fall as 1/√n."""
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.max((decision.hi - decision.lo) / decision.resolution, initial=0.0)
    if not np.isfinite(length) or length <= 1:
        return []
    needed = float(f"{n * length**2:.2g}")
    return [f"undecided: the longest interval is {length:.2g} resolutions long; about {needed:.0f} replicates decide"]


def judge(
    kind: Kind,
    values: Sequence[np.ndarray],
    points: Sequence[Point] = ({},),
    *,
    rivals: Mapping[str, Any] | None = None,
    eps: float = DEFAULT_EPS,
    **labels: Any,
) -> Verdict:
    """The same rule on arrays the user already has: pure, no sampling; the stream's length was fixed by the user."""
    lengths = {len(v) for v in values}
    if len(values) != len(points) or len(lengths) != 1:
        raise ClaimError(
            f"expected one array per point, replicates first and equally many: {len(points)} points, "
            f"arrays of lengths {sorted(len(v) for v in values)}"
        )
    budget = lengths.pop()
    if budget // kind.group < 1:
        raise ClaimError(f"{budget} members are less than one group of {kind.group}")
    if kind.design and kind.design.replicates * kind.group > budget:
        raise ClaimError(f"design={kind.design} needs {kind.design.replicates * kind.group} members, got {budget}")
    verdict = walk(kind, points, lambda m: [v[:m] for v in values], rivals=rivals, eps=eps, budget=budget, **labels)
    return verdict.with_(notes=[*verdict.notes, f"stream length fixed by you ({budget} replicates)"])
