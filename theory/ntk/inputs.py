r"""The first moments: x·x'/d with both Cauchy–Schwarz gaps, accurate at every angle between x and x'.

With unit vectors û, 1 − cos θ = |û − û'|²/2 and 1 + cos θ = |û + û'|²/2. One matrix product gives cos θ for all pairs;
the few pairs with |cos θ| > 1 − τ are then recomputed from û ∓ û', in chunks of bounded memory. τ = 0.01 leaves an
error of ε/sin θ ≤ 8ε in the angle of the pairs that keep the product's value.

A vector is divided by its largest component first: exactly parallel vectors then give equal floats, whatever their
lengths, so that parallel stays exactly parallel; and squares of tiny or huge components stay in range.
"""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace
from corollary.theory.ntk.moments import Moments

_NEAR = 0.01  # τ
_CHUNK = 2**21  # floats in one gathered block of differences: 16 MB in float64


class Directions(NamedTuple):
    """n inputs of dimension d: unit vectors `unit` (n, d), zero for zero input, and lengths |x|/√d `length` (n,)."""

    unit: Array
    length: Array


def directions(x: Array) -> Directions:
    """Split x (n, d) into directions and lengths |x|/√d."""
    xp = array_namespace(x)
    top = xp.take_along_axis(x, xp.expand_dims(xp.argmax(xp.abs(x), axis=1), axis=1), axis=1)  # (n, 1), signed
    nonzero = top != 0
    scaled = x / xp.where(nonzero, top, 1.0)
    norm = xp.sqrt(xp.sum(scaled * scaled, axis=1, keepdims=True))
    unit = xp.sign(top) * scaled / xp.where(nonzero, norm, 1.0)
    return Directions(unit, (xp.abs(top) * (norm / x.shape[1] ** 0.5))[:, 0])


def input_moments(a: Directions, b: Directions) -> Moments:
    """Moments of all pairs: k = x·x'/d (n1, n2), and |x||x'|/d ∓ k."""
    xp = array_namespace(a.unit)
    c = a.unit @ xp.matrix_transpose(b.unit)
    near, far = 1 - c, 1 + c
    suspect = xp.abs(c) > 1 - _NEAR
    if bool(xp.any(suspect)):
        exact = _gap_from_difference(a.unit, b.unit, c, suspect)
        near = xp.where(suspect, xp.where(c > 0, exact, 2 - exact), near)
        far = xp.where(suspect, xp.where(c > 0, 2 - exact, exact), far)
        c = xp.where(suspect, xp.where(c > 0, 1 - exact, exact - 1), c)
    s = xp.expand_dims(a.length, axis=1) * xp.expand_dims(b.length, axis=0)
    return Moments(s * c, s * near, s * far)


def pair_moments(a: Directions, b: Directions, c: Array, i: Array, j: Array) -> Moments:
    """The same of the pairs (i[m], j[m]) alone, all from û ∓ û'; c (m,) is their cosine, of which the sign is used."""
    xp = array_namespace(a.unit)
    exact = _halved_squares(a.unit, b.unit, xp.sign(c), i, j)
    near, far = xp.where(c > 0, exact, 2 - exact), xp.where(c > 0, 2 - exact, exact)
    s = xp.take(a.length, i, axis=0) * xp.take(b.length, j, axis=0)
    return Moments(s * (far - near) / 2, s * near, s * far)


def _gap_from_difference(u: Array, v: Array, c: Array, mask: Array) -> Array:
    """|û ∓ û'|²/2, the sign that of c, where `mask`; anything elsewhere."""
    xp = array_namespace(u)
    i, j = xp.nonzero(mask)
    found = _halved_squares(u, v, xp.sign(xp.take(xp.reshape(c, (-1,)), i * c.shape[1] + j, axis=0)), i, j)
    # scatter by counting: the array API has no assignment through index arrays
    position = xp.cumulative_sum(xp.astype(xp.reshape(mask, (-1,)), xp.int64)) - 1
    return xp.reshape(xp.take(found, xp.clip(position, 0, None), axis=0), mask.shape)


def _halved_squares(u: Array, v: Array, sign: Array, i: Array, j: Array) -> Array:
    """|û_i − sign û'_j|²/2 for every pair, in chunks of bounded memory."""
    xp = array_namespace(u)
    chunk, parts = max(1, _CHUNK // u.shape[1]), []
    for start in range(0, i.shape[0], chunk):
        part = slice(start, min(start + chunk, i.shape[0]))
        difference = xp.take(u, i[part], axis=0) - xp.expand_dims(sign[part], axis=1) * xp.take(v, j[part], axis=0)
        parts.append(xp.sum(difference * difference, axis=1) / 2)
    return xp.concat(parts)
