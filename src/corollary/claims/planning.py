"""`claim.plan()`: what a claim will cost and whether it can be decided at all, before it runs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from corollary.claims.claim import Claim, _Fetch
from corollary.verdicts import Kind, Rate, Value
from corollary.verdicts.intervals import mixture_quantile

PILOT = 16
MOST = 10**7  # replicates; beyond, the plan says so


def plan(claim: Claim, *, scale: str, seconds: float | None, root: int, store: Any = None) -> str:
    """Text: separation of each rival, replicates to a decision (typical and worst case), cost at the pilot's speed.

    Only the pilot, the first 16 replicates of the stream, is run. Raises ClaimError where a rival cannot be told.
    """
    kind: Kind = claim.kind
    inside, outside = claim.split(scale)
    budget = claim.budget_at(scale) // kind.group
    lines = [
        f"{claim.name}: {type(kind).__name__}, {len(inside)} points ({len(outside)} out of domain), eps {claim.eps:g}"
    ]
    if not inside:
        return "\n".join([*lines, "  nothing to run: every point is out of the regime"])
    lines += told_separations(claim, scale)
    started = time.perf_counter()
    values = _Fetch(claim.reading, inside, root, "cpu", None, store, None)(PILOT * kind.group)
    each = (time.perf_counter() - started) / PILOT
    noise = _noise(kind, values, inside)
    if noise is not None:
        s, b, r = noise
        eps = claim.eps / len(s)
        typical, worst = _smallest(s / (b + r), 1, 1, eps), _smallest(s / r, 2, 0, eps)
        lines.append(f"  replicates to a decision: {_about(typical)} if the theory is right, {_about(worst)} at worst")
        lines.append(f"  budget {budget}: " + ("enough" if worst and budget >= worst else "may end UNDERPOWERED"))
        lines.append(f"  the budget shows discrepancies from {_seen(s, r, budget, eps)} resolutions on")
        cost = "" if typical is None else f", {each * typical:.3g} s in all"
        lines.append(f"  about {each:.3g} s a replicate on one core{cost}")
    else:
        lines.append(f"  budget {budget}, about {each:.3g} s a replicate on one core")
    if seconds is not None:
        bought = int(seconds / max(each, 1e-9))
        text = f"  {seconds:g} s buy about {bought} replicates"
        if noise is not None and bought > 1:
            text += f", which show discrepancies from {_seen(noise[0], noise[2], bought, eps)} resolutions on"
        lines.append(text)
    return "\n".join(lines)


def told_separations(claim: Claim, scale: str) -> list[str]:
    """How far each rival lies from the theory, one line each. Draws nothing."""
    lines = []
    for name, s in claim.separations(scale).items():
        told = "decided by the data" if np.isnan(s) else f"{s:.2f} × (2 margin + resolution)"
        warn = "; below 1, it may cost extra replicates" if s < 1 else ""
        lines.append(f"  rival {name!r}: separation {told}{warn}")
    return lines


def _noise(kind: Any, values, points) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Standard deviation, margin and resolution of every functional that is a mean; None for other kinds."""
    if not isinstance(kind, Value | Rate) or getattr(kind, "sequence", False) or getattr(kind, "success", None):
        return None
    if isinstance(kind, Value) and kind.of.name not in ("mean", "ratio"):
        return None
    x = kind.functionals(values, points)
    T = kind.targets(points, [v.shape[1:] for v in values])
    b, r = kind.zones(T, points)
    if x.ndim == 3:  # a ratio y/x: the spread of y − t x at the pilot's own t, over the level
        y, level = x[..., 0], x[..., 1]
        x = (y - y.mean(axis=0) / level.mean(axis=0) * level) / np.abs(level.mean(axis=0))
    return x.std(axis=0, ddof=1), b, r


def _smallest(ratio: np.ndarray, factor: float, extra: float, eps: float) -> int | None:
    """Least n with (factor (q + extra) s/width)² ≤ n: (2 q s/r)² at worst, ((q + 1) s/(b + r))² if the theory holds."""
    n, worst = PILOT, float(np.max(ratio))
    while (factor * (mixture_quantile(n, eps) + extra) * worst) ** 2 > n:
        n = int(n * 1.1) + 1
        if n > MOST:
            return None
    return n


def _about(n: int | None) -> str:
    return f"more than {MOST}" if n is None else f"about {n}"


def _seen(s: np.ndarray, r: np.ndarray, n: int, eps: float) -> str:
    """The discrepancy 2 q s/√n that n replicates find, in resolutions, at the noisiest functional."""
    return f"{2 * mixture_quantile(n, eps) * float(np.max(s / r)) / np.sqrt(n):.2g}"
