"""Activation patterns 1[X g ≥ 0] of a data matrix: sampled, or all of them, degenerate data included.

The full-dimensional cells of the arrangement {x_k·g = 0} are what the convex program needs: their closures cover R^d.
In general position there are 2 Σ_{k<r} C(n−1, k), r = rank X (Cover 1965); degenerate data have fewer, and no more
than 2r (e(n−1)/r)^r (Pilanci & Ergen 2020, Section 3). Ties: 1[0 ≥ 0] = 1, so a zero row is always on.

`all_patterns` is exact without linear programs: every cell has an extreme ray, where r−1 independent rows vanish; off
the rows that vanish there the signs are those of the ray, on them any cell of their own arrangement in the quotient
(rank r−1), found by recursion.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, to_numpy

LIMIT = 200_000
_ZERO = 1e-9  # |x·z| / (‖x‖ ‖z‖) below which a row counts as vanishing on a ray


def sample_patterns(X: Array, count: int, rng: np.random.Generator) -> Array:
    """The distinct patterns among `count` Gaussian gates g, (n, P ≤ count) of {0, 1}, in the order drawn.

    Drawn on the host and moved to X. Raises ValueError for count < 1, TypeError for an rng that is no Generator.
    """
    return patterns_of(X, sample_gates(X, count, rng))


def sample_gates(X: Array, count: int, rng: np.random.Generator) -> Array:
    """Gates G (d, P ≤ count) with distinct patterns 1[X G ≥ 0]; what a gated network needs beside its patterns."""
    xp = require_floating("X", X, ndim=2)
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"count = {count!r}; expected an integer >= 1, the number of gates to draw")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng = {rng!r}; expected a numpy.random.Generator, e.g. numpy.random.default_rng(0)")
    gates = rng.standard_normal((count, X.shape[1])).T
    on = to_numpy(X).astype(float) @ gates >= 0
    first = np.sort(np.unique(np.packbits(on, axis=0), axis=1, return_index=True)[1])
    return xp.asarray(np.ascontiguousarray(gates[:, first]), dtype=X.dtype, device=device(X))


def patterns_of(X: Array, gates: Array) -> Array:
    """1[X g ≥ 0] for the columns g of `gates` (d, P), as 0.0 and 1.0."""
    xp = array_namespace(X, gates)
    return xp.astype(xp.matmul(X, gates) >= 0, X.dtype)


def pattern_count(n: int, r: int) -> int:
    """Number of patterns of n points in general position of rank r: 2 Σ_{k<r} C(n−1, k)."""
    if n < 1 or r < 0 or r > n:
        raise ValueError(f"n = {n}, r = {r}; expected n >= 1 points and a rank 0 <= r <= n")
    return 2 * sum(math.comb(n - 1, k) for k in range(r)) if r else 1


def pattern_bound(n: int, r: int) -> float:
    """The paper's bound 2r (e(n−1)/r)^r."""
    if r < 1 or n < 2:
        raise ValueError(f"n = {n}, r = {r}; expected n >= 2 and r >= 1")
    return 2 * r * (math.e * (n - 1) / r) ** r


def all_patterns(X: Array, limit: int = LIMIT) -> Array:
    """Every pattern of X (n, d), (n, P) of {0, 1}, sorted by columns; zero, parallel and dependent rows allowed.

    A row counts as zero, or as vanishing on a ray, to 1e-9 of its length. Host only; moved back to X. Raises
    ValueError, with the number, when general position would have more than `limit`.
    """
    xp = require_floating("X", X, ndim=2)
    rows = to_numpy(X).astype(float)
    n = len(rows)
    size = np.linalg.norm(rows, axis=1)
    live = np.flatnonzero(size > 0)
    out = np.ones((n, 1), dtype=bool)
    if live.size:
        unit = rows[live] / size[live, None]
        line, side = _lines(unit)
        basis = _row_space(unit[np.unique(line, return_index=True)[1]])
        points = unit[np.unique(line, return_index=True)[1]] @ basis
        count = pattern_count(len(points), points.shape[1])
        if count > limit:
            raise ValueError(
                f"X ({n} × {X.shape[1]}, rank {points.shape[1]}) has up to {count} patterns, above limit = {limit}; "
                "use sample_patterns(X, count, rng), or raise limit if the memory for n × P entries is there"
            )
        cells = _cells(points)  # (P, lines)
        signs = np.where(side > 0, cells[:, line], ~cells[:, line])
        out = np.ones((n, len(signs)), dtype=bool)
        out[live] = signs.T
    out = out[:, np.lexsort(out[::-1])]
    return xp.asarray(out.astype(float), dtype=X.dtype, device=device(X))


def _lines(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each unit row: the number of its line among the distinct ones, and ±1, its side relative to the first."""
    cosine = unit @ unit.T
    # 1 − |cos| = θ²/2 would lose half the digits: compare the vectors
    line, side = np.full(len(unit), -1), np.ones(len(unit))
    firsts: list[int] = []
    for k in range(len(unit)):
        for m, first in enumerate(firsts):
            s = 1.0 if cosine[k, first] > 0 else -1.0
            if np.linalg.norm(unit[k] - s * unit[first]) <= _ZERO:
                line[k], side[k] = m, s
                break
        else:
            line[k] = len(firsts)
            firsts.append(k)
    return line, side


def _row_space(rows: np.ndarray) -> np.ndarray:
    """Orthonormal basis (d, r) of the row space."""
    _, s, Vt = np.linalg.svd(rows, full_matrices=False)
    return Vt[s > _ZERO * s[0]].T


def _cells(points: np.ndarray) -> np.ndarray:
    """All cells (P, m) of distinct lines with unit normals `points` (m, r) that span R^r."""
    m, r = points.shape
    if r == 1:
        return np.array([[True] * m, [False] * m]) ^ (points[:, 0] < 0)
    found: dict[bytes, np.ndarray] = {}

    def add(cells: np.ndarray) -> None:
        for key, cell in zip(np.packbits(cells, axis=1), cells, strict=True):
            found.setdefault(key.tobytes(), cell)

    for ray, vanish in _rays(points):
        zero = np.flatnonzero(vanish)
        if len(zero) == r - 1:  # general position: every choice of signs is a cell
            for sign in (1.0, -1.0):
                cells = np.broadcast_to(sign * (points @ ray) > 0, (2 ** (r - 1), m)).copy()
                cells[:, zero] = np.array(list(itertools.product([False, True], repeat=r - 1)))
                add(cells)
            continue
        local = points[zero]
        plane = np.linalg.svd(ray[None], full_matrices=True)[2][1:].T  # R^r orthogonal to the ray
        inner = local @ plane
        inner /= np.linalg.norm(inner, axis=1, keepdims=True)
        line, side = _lines(inner)
        heads = np.unique(line, return_index=True)[1]
        small = _cells(inner[heads]) if r > 2 else np.array([[True], [False]]) ^ (inner[heads, 0] < 0)[None, :]
        on = np.where(side > 0, small[:, line], ~small[:, line])
        for sign in (1.0, -1.0):
            cells = np.broadcast_to(sign * (points @ ray) > 0, (len(on), m)).copy()
            cells[:, zero] = on
            add(cells)
    return np.stack(list(found.values()))


def _rays(points: np.ndarray) -> Any:
    """(ray, which rows vanish on it) for every line where r−1 independent rows vanish, each line once."""
    m, r = points.shape
    seen: set[bytes] = set()
    combos = itertools.combinations(range(m), r - 1)
    while batch := list(itertools.islice(combos, 4096)):
        _, s, Vt = np.linalg.svd(points[np.array(batch)], full_matrices=True)
        for k in np.flatnonzero(s[:, -1] > _ZERO):
            ray = Vt[k, -1]
            vanish = np.abs(points @ ray) <= _ZERO
            key = np.packbits(vanish).tobytes()
            if key not in seen:
                seen.add(key)
                yield ray, vanish
