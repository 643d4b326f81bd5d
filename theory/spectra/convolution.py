"""Free sums and products of laws: on one rational curve where one factor is a free Lévy or a Marchenko–Pastur law.

`Pair` is the rest: two laws without a rational R- or S-transform, joined by subordination (`subordination`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from corollary.theory.spectra.curves import Atoms, Levy, Poisson


@dataclass(frozen=True)
class Pair:
    """The free sum (product=False) or product of two laws, neither of which is free Lévy (Marchenko–Pastur)."""

    left: Any
    right: Any
    product: bool

    def atoms(self) -> list[tuple[float, float]]:
        """Bercovici & Voiculescu 1998, Belinschi 2003: masses of more than 1 together leave what is beyond 1."""
        found: dict[float, float] = {}
        for x, v in self.left.atoms():
            for y, w in self.right.atoms():
                if self.product and (x == 0 or y == 0):
                    continue
                place = x * y if self.product else x + y
                if v + w > 1 + 1e-12:
                    found[place] = v + w - 1
        if self.product:
            zero = max([0.0, *(w for core in (self.left, self.right) for x, w in core.atoms() if x == 0)])
            found |= {0.0: zero} if zero > 0 else {}
        return list(found.items())


def shifted(core: Any, by: float) -> Any:
    if isinstance(core, Atoms):
        return Atoms(tuple(x + by for x in core.x), core.w)
    if isinstance(core, Levy):
        return replace(core, shift=core.shift + by)
    return Levy(core, by, 0.0, ())


def added(a: Any, b: Any) -> Any:
    """The core of the free sum."""
    if _is_levy(a) and not _is_levy(b):
        a, b = b, a
    if _is_levy(b):
        if isinstance(a, Atoms) and len(a.x) == 1 and isinstance(b, Atoms):
            return Atoms((a.x[0] + b.x[0],), (1.0,))
        shift, variance, jumps = _triple(b)
        if isinstance(a, Levy):
            return Levy(a.base, a.shift + shift, a.variance + variance, a.jumps + jumps)
        if isinstance(a, Pair) and not a.product:
            return Pair(added(a.left, b), a.right, False)
        return shifted(a, shift) if not variance and not jumps else Levy(a, shift, variance, jumps)
    return Pair(a, b, False)


def multiplied(a: Any, b: Any) -> Any:
    """The core of the free product."""
    if _is_poisson(b) and not _is_poisson(a):
        a, b = b, a
    if _is_poisson(a):
        ((t, rate),) = a.jumps
        return Poisson(b, 1 / rate, rate * t)
    return Pair(a, b, True)


def _is_levy(core: Any) -> bool:
    """Free Lévy over one point: it adds to any law with one subordination function."""
    return (isinstance(core, Atoms) and len(core.x) == 1) or (isinstance(core, Levy) and _is_levy(core.base))


def _triple(core: Any) -> tuple[float, float, tuple[tuple[float, float], ...]]:
    if isinstance(core, Atoms):
        return core.x[0], 0.0, ()
    return core.shift + core.base.x[0], core.variance, core.jumps


def _is_poisson(core: Any) -> bool:
    """scale · Marchenko–Pastur, whose S-transform 1/(scale(1 + cψ)) is rational."""
    if not (isinstance(core, Levy) and _is_levy(core)):
        return False
    shift, variance, jumps = _triple(core)
    return shift == 0 and variance == 0 and len(jumps) == 1 and jumps[0][0] > 0
