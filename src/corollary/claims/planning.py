"""`claim.plan()`: what a claim will cost and whether it can be decided at all, before it runs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from corollary.claims.claim import Claim, _Fetch
from corollary.verdicts import Kind
from corollary.verdicts.intervals import mixture_quantile

PILOT = 16


def plan(claim: Claim, *, scale: str, seconds: float | None, root: int) -> str:
    """Text: separation of each rival, replicates to a decision (typical and worst case), cost at the pilot's speed."""
    kind: Kind = claim.kind
    inside, outside = claim.split(scale)
    budget = claim.budget_at(scale) // kind.group
    lines = [
        f"{claim.name}: {type(kind).__name__}, {len(inside)} points ({len(outside)} out of domain), eps {claim.eps:g}"
    ]
    if not inside:
        return "\n".join([*lines, "  nothing to run: every point is out of the regime"])
    started = time.perf_counter()
    values = _Fetch(claim.reading, inside, root, "cpu", None, None, None)(PILOT * kind.group)
    each = (time.perf_counter() - started) / PILOT
    shapes = [v.shape[1:] if hasattr(v, "shape") else () for v in values]
    for name, s in kind.separation(claim.plain_rivals(), inside, shapes).items():
        told = "decided by the data" if np.isnan(s) else f"{s:.2f} × (2 margin + resolution)"
        warn = "; below 1, it may cost extra replicates" if s < 1 else ""
        lines.append(f"  rival {name!r}: separation {told}{warn}")
    needs = _replicates_needed(claim, kind, values, inside, shapes)
    if needs is not None:
        typical, worst = needs
        lines.append(f"  replicates to a decision: about {typical} if the theory is right, {worst} in the worst case")
        lines.append(f"  budget {budget}: " + ("enough" if budget >= worst else "may end UNDERPOWERED"))
        lines.append(f"  about {each:.3g} s a replicate on one core, {each * typical:.3g} s in all")
    else:
        lines.append(f"  budget {budget}, about {each:.3g} s a replicate on one core")
    if seconds is not None:
        lines.append(f"  {seconds:g} s buy about {int(seconds / max(each, 1e-9))} replicates")
    return "\n".join(lines)


def _replicates_needed(claim: Claim, kind: Any, values, points, shapes) -> tuple[int, int] | None:
    """Smallest n with (2 q s / r)² ≤ n (worst) and ((q + 1) s / (b + r))² ≤ n (theory right); None for 0/1 kinds."""
    if type(kind).__name__ not in ("Value", "Rate") or getattr(kind, "sequence", False):
        return None
    x = kind.functionals(values, points)
    if x.ndim != 2:
        return None
    b, r = kind.zones(kind.targets(points, shapes), points)
    s = x.std(axis=0, ddof=1)
    eps = claim.eps / x.shape[1]

    def smallest(ratio: float, extra: float, factor: float) -> int:
        n = PILOT
        while n < 10**7 and (factor * (mixture_quantile(n, eps) + extra) * ratio) ** 2 > n:
            n = int(n * 1.1) + 1
        return n

    return smallest(float(np.max(s / (b + r))), 1.0, 1.0), smallest(float(np.max(s / r)), 0.0, 2.0)
