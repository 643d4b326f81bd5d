"""Bands of a law: between critical values of z(·) on the real line outside the support, tested at their midpoints.

Outside its support a law's z is a rising function of its subordination functions, which are real there; an edge is
where the rise ends. Over atoms the critical points are roots of a polynomial (`curves.critical_values`); otherwise
each gap of the laws below is scanned for a change of sign of dz/dω, which is then bisected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from corollary.arrays import Array
from corollary.theory.spectra.convolution import Pair
from corollary.theory.spectra.curves import Activation, Atoms, critical_values
from corollary.theory.spectra.subordination import ATOMS, outer, transform

NARROW = 1e-6  # of the size of z: what extrapolated ends are good to
SCAN = 200  # points a gap spread evenly in the angle, and as many crowded towards its ends


def bands(core: Any) -> tuple[tuple[float, float], ...]:
    """(low, high) of each band of the continuous part, in order."""
    if isinstance(core, Atoms):
        return ()
    if isinstance(core, Activation) or (
        not isinstance(core, Pair) and isinstance(core.base, Atoms) and len(core.base.x) <= ATOMS
    ):
        places = critical_values(core)
    else:
        places = _pair_candidates(core) if isinstance(core, Pair) else _single_candidates(core)
    found: list[list[float]] = []
    for low, high in zip(places[:-1], places[1:], strict=True):
        if not _inside(core, float(low), float(high)):
            continue
        if found and found[-1][1] == low:
            found[-1][1] = float(high)
        else:
            found.append([float(low), float(high)])
    return tuple((a, b) for a, b in found)


def _inside(core: Any, low: float, high: float) -> bool:
    """Whether a band covers what lies between two candidates next to each other.

    In a gap Im G is rounding, in a band −π times the density, which is the test where there is room. Candidates closer
    than NARROW (an end of a gap extrapolated twice, say) are compared with what lies as far again outside them: a gap
    falls below both sides, which rise from its edges as square roots; inside a band all three are alike.
    """
    width = high - low
    narrow = width < NARROW * (1 + abs(low))
    at = [(low + high) / 2] + [low - width, high + width] * narrow
    density = -np.imag(transform(core, np.array(at))[0])
    return bool(density[0] > 1e-7 / width or (narrow and density[0] > np.min(density[1:]) / 2 > 1e-6))


def gaps(core: Any) -> list[tuple[float, float]]:
    """The complement of the support, atoms included, in order; the outer two end 10³ widths out."""
    points = sorted([*bands(core), *((x, x) for x, _ in core.atoms())])
    low, high = points[0][0], max(b for _, b in points)
    far = 1e3 * (high - low + 1e-3 * (1 + abs(low)))
    ends = [low - far]
    for a, b in points:
        ends += [a, b]
    ends.append(high + far)
    return [(a, b) for a, b in zip(ends[::2], ends[1::2], strict=True) if b > a]


def _grid(low: float, high: float) -> Array:
    t = np.concatenate([np.tanh(np.linspace(-13, 13, SCAN)), np.cos(np.linspace(0.01, np.pi - 0.01, SCAN))])
    return (low + high) / 2 + (high - low) / 2 * np.sort(t)  # the ends at 1e-11 of the width


def _turns(
    z_and_slope: Callable[[Array], tuple[Array, Array]], low: float, high: float
) -> tuple[list[float], list[float]]:
    """z where its slope changes sign between low and high; and z at both ends, extrapolated (to about 1e-13)."""
    w = _grid(low, high)
    _, slope = z_and_slope(w)
    sign = np.sign(slope)
    at = np.flatnonzero(np.isfinite(slope[:-1]) & np.isfinite(slope[1:]) & (sign[:-1] * sign[1:] < 0))
    a, b, fa, fb = w[at], w[at + 1], slope[at], slope[at + 1]
    for k in range(100):  # regula falsi and bisection in turn
        middle = (a + b) / 2 if k % 2 else (a * fb - b * fa) / (fb - fa)
        f = z_and_slope(middle)[1]
        same = np.sign(f) == np.sign(fa)
        a, b, fa, fb = (
            np.where(same, middle, a),
            np.where(same, b, middle),
            np.where(same, f, fa),
            np.where(same, fb, f),
        )
        if np.all((b - a <= 1e-9 * np.abs(a)) | (np.abs(f) < 1e-12)):  # z is flat there: its error is the square
            break
    z, slope = z_and_slope(np.where(np.abs(fa) < np.abs(fb), a, b))
    found = z[np.abs(slope) < 1e-3].tolist() if at.size else []  # a pole changes sign too
    d = 1e-10 * (high - low)
    ends = np.array([low + d, low + 2 * d, high - d, high - 2 * d])
    z, _ = z_and_slope(ends)
    return found, [2 * z[0] - z[1], 2 * z[2] - z[3]]


def _candidates(core: Any, turns: list[float], ends: list[float], positive: bool) -> Array:
    """One value for each edge: ends of gaps within 1e-6 of a turning point, of 0 or of an atom are that."""
    known = sorted({*(z for z in turns if np.isfinite(z)), *(x for x, _ in core.atoms()), *([0.0] * positive)})
    values: list[float] = []
    for z in [*known, *(z for z in ends if np.isfinite(z))]:
        near = 1e-10 if z in known else 1e-6
        if all(abs(z - other) > near * (1 + abs(z)) for other in values):
            values.append(z)
    return np.array(sorted(values))


def _single_candidates(core: Any) -> Array:
    def along(w: Array) -> tuple[Array, Array]:
        G, dG = transform(core.base, w)
        with np.errstate(all="ignore"):
            z, dz, _, _ = outer(core, w, np.real(G), np.real(dG))
        return z, dz

    found = [_turns(along, low, high) for low, high in gaps(core.base)]
    turns, ends = ([z for part in found for z in part[i]] for i in (0, 1))
    return _candidates(core, turns, ends, positive=hasattr(core, "ratio"))


def _pair_candidates(core: Pair) -> Array:
    turns: list[float] = []
    ends: list[float] = []
    for low, high in _split(core.left, core.product):
        for other in _split(core.right, core.product):
            with np.errstate(all="ignore"):
                found = _turns(_along(core, other), low, high)
            turns, ends = turns + found[0], ends + found[1]
    return _candidates(core, turns, ends, positive=core.product)


def _split(core: Any, product: bool) -> list[tuple[float, float]]:
    """Gaps cut where the matched function is 0 or infinite, so that it is monotone on each: at 0 for a product."""
    parts = []
    for low, high in gaps(core):
        cut = product and low < 0 < high
        parts += [(low, 0.0), (0.0, high)] if cut else [(low, high)]
    return parts


def _along(core: Pair, gap: tuple[float, float]) -> Callable[[Array], tuple[Array, Array]]:
    """z and dz/dω₁ where ω₂ is the point of `gap` matched to ω₁; NaN where there is none."""

    def match(side: Any, w: Array) -> tuple[Array, Array]:
        G, dG = transform(side, w)
        G, dG = np.real(G), np.real(dG)
        return (w * G - 1, G + w * dG) if core.product else (G, dG)

    low, high = gap
    inset = 1e-13 * (high - low)

    def along(w: Array) -> tuple[Array, Array]:
        f, e1 = match(core.left, w)
        a, b = np.full(w.shape, low + inset), np.full(w.shape, high - inset)
        above = np.sign(match(core.right, a)[0] - f)
        fits = above * np.sign(match(core.right, b)[0] - f) < 0
        v = (a + b) / 2
        for k in range(110):
            at, slope = match(core.right, v)
            same = np.sign(at - f) == above
            a, b = np.where(same, v, a), np.where(same, b, v)
            trial = v - (at - f) / slope  # Newton inside the bracket, bisection every other time and outside
            new = np.where((trial > a) & (trial < b) & (k % 2 == 1), trial, (a + b) / 2)
            if np.all(~fits | (np.abs(new - v) <= 4e-16 * np.abs(v)) | (b - a <= 4e-16 * np.abs(v))):
                break
            v = new
        _, e2 = match(core.right, v)
        if core.product:
            z = w * v * f / (1 + f)
            slope = z / w + z / v * e1 / e2 + z * e1 / (f * (1 + f))
        else:
            z, slope = w + v - 1 / f, 1 + e1 / e2 + e1 / f**2
        return np.where(fits, z, np.nan), np.where(fits, slope, np.nan)

    return along
