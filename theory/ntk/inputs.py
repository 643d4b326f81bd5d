r"""The first moments: x·x'/d with both Cauchy–Schwarz gaps, accurate at every angle between x and x'.

With unit vectors û, 1 − cos θ = |û − û'|²/2 and 1 + cos θ = |û + û'|²/2. One matrix product gives cos θ for all pairs;
the few pairs with |cos θ| > 1 − τ are then recomputed from û ∓ û', in chunks of bounded memory. τ = 0.01 leaves an
error of ε/sin θ ≤ 8ε in the angle of the pairs that keep the product's value.

û is rounded, so that û + û' knows z = π − θ to 4ε, not to some ε of itself: not enough where a kernel vanishes with it
(ReLU: as z³). Pairs with z < 0.02, where z³ would be off by more than 12ε/0.02 = 1.3e-13, therefore add what rounding
took: x/|x| − û in twice the precision (Dekker 1971: products and sums without rounding, by splitting), with the inputs
taken as exact. That knows z to some ε of itself down to z = ε, where û = −û' may hold and counts as antiparallel.

A vector is divided by its largest component first: exactly parallel vectors then give equal floats, whatever their
lengths, so that parallel stays exactly parallel; and squares of tiny or huge components stay in range.
"""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace
from corollary.theory.ntk.moments import Moments

_NEAR = 0.01  # τ
_OPPOSITE = 2e-4  # 1 − cos 0.02
_CHUNK = 2**21  # floats in one gathered block of differences: 16 MB in float64


class Directions(NamedTuple):
    """n inputs `x` (n, d): unit vectors `unit` (n, d), zero for zero input, and lengths |x|/√d `length` (n,)."""

    unit: Array
    length: Array
    x: Array


def directions(x: Array) -> Directions:
    """Split x (n, d) into directions and lengths |x|/√d."""
    xp = array_namespace(x)
    top = xp.take_along_axis(x, xp.expand_dims(xp.argmax(xp.abs(x), axis=1), axis=1), axis=1)  # (n, 1), signed
    nonzero = top != 0
    scaled = x / xp.where(nonzero, top, 1.0)
    norm = xp.sqrt(xp.sum(scaled * scaled, axis=1, keepdims=True))
    unit = xp.sign(top) * scaled / xp.where(nonzero, norm, 1.0)
    return Directions(unit, (xp.abs(top) * (norm / x.shape[1] ** 0.5))[:, 0], x)


def input_moments(a: Directions, b: Directions) -> Moments:
    """Moments of all pairs: k = x·x'/d (n1, n2), and |x||x'|/d ∓ k."""
    xp = array_namespace(a.unit)
    c = a.unit @ xp.matrix_transpose(b.unit)
    near, far = 1 - c, 1 + c
    suspect = xp.abs(c) > 1 - _NEAR
    if bool(xp.any(suspect)):
        exact = _gap_from_difference(a, b, c, suspect)
        near = xp.where(suspect, xp.where(c > 0, exact, 2 - exact), near)
        far = xp.where(suspect, xp.where(c > 0, 2 - exact, exact), far)
        c = xp.where(suspect, xp.where(c > 0, 1 - exact, exact - 1), c)
    s = xp.expand_dims(a.length, axis=1) * xp.expand_dims(b.length, axis=0)
    return Moments(s * c, s * near, s * far)


def pair_moments(a: Directions, b: Directions, c: Array, i: Array, j: Array) -> Moments:
    """The same of the pairs (i[m], j[m]) alone, all from û ∓ û'; c (m,) is their cosine, of which the sign is used."""
    xp = array_namespace(a.unit)
    exact = _gaps(a, b, xp.sign(c), i, j)
    near, far = xp.where(c > 0, exact, 2 - exact), xp.where(c > 0, 2 - exact, exact)
    s = xp.take(a.length, i, axis=0) * xp.take(b.length, j, axis=0)
    return Moments(s * (far - near) / 2, s * near, s * far)


def _gap_from_difference(a: Directions, b: Directions, c: Array, mask: Array) -> Array:
    """1 − |cos θ|, the sign that of c, where `mask`; anything elsewhere."""
    xp = array_namespace(c)
    i, j = xp.nonzero(mask)
    sign = xp.sign(xp.take(xp.reshape(c, (-1,)), i * c.shape[1] + j, axis=0))
    return _spread(_gaps(a, b, sign, i, j), mask)


def _spread(found: Array, mask: Array) -> Array:
    """`found`, one value for every True of `mask`, at its place; anything elsewhere."""
    xp = array_namespace(found)
    # scatter by counting: the array API has no assignment through index arrays
    position = xp.cumulative_sum(xp.astype(xp.reshape(mask, (-1,)), xp.int64)) - 1
    return xp.reshape(xp.take(found, xp.clip(position, 0, None), axis=0), mask.shape)


def _gaps(a: Directions, b: Directions, sign: Array, i: Array, j: Array) -> Array:
    """1 − sign cos θ of every pair (i[m], j[m]), in chunks of bounded memory."""
    xp = array_namespace(a.unit)
    chunk, parts = max(1, _CHUNK // a.unit.shape[1]), []
    for start in range(0, i.shape[0], chunk):
        part = slice(start, min(start + chunk, i.shape[0]))
        difference = xp.take(a.unit, i[part], axis=0)
        difference = difference - xp.expand_dims(sign[part], axis=1) * xp.take(b.unit, j[part], axis=0)
        parts.append(xp.sum(difference * difference, axis=1) / 2)
    gap = xp.concat(parts)
    opposite = (sign < 0) & (gap < _OPPOSITE) & (gap > 0)  # equal floats û = −û' stay exactly antiparallel
    if bool(xp.any(opposite)):
        m = xp.nonzero(opposite)[0]
        gap = xp.where(opposite, _spread(_opposite_gaps(a, b, xp.take(i, m), xp.take(j, m)), opposite), gap)
    return gap


def _opposite_gaps(a: Directions, b: Directions, i: Array, j: Array) -> Array:
    """1 + cos θ of nearly antiparallel pairs (i[m], j[m]), to some ε of itself."""
    xp = array_namespace(a.unit)
    (rows, at), (columns, on) = xp.unique_inverse(i), xp.unique_inverse(j)
    left, right = _rest(_part(a, rows)), _rest(_part(b, columns))
    chunk, parts = max(1, _CHUNK // a.unit.shape[1]), []
    for start in range(0, i.shape[0], chunk):
        part = slice(start, min(start + chunk, i.shape[0]))
        total = xp.take(a.unit, i[part], axis=0) + xp.take(b.unit, j[part], axis=0)  # exact, but for tiny components
        total = xp.astype(total, left.dtype) + (xp.take(left, at[part], axis=0) + xp.take(right, on[part], axis=0))
        parts.append(xp.sum(total * total, axis=1) / 2)
    return xp.astype(xp.concat(parts), a.unit.dtype)


def _part(a: Directions, rows: Array) -> Directions:
    xp = array_namespace(rows)
    return Directions(*(xp.take(part, rows, axis=0) for part in a))


def _rest(a: Directions) -> Array:
    """x/|x| − û (n, d) in float64, to ε²: û is known exactly, and |x| as a sum of two floats."""
    xp = array_namespace(a.x)
    chunk, parts = max(1, _CHUNK // (16 * a.x.shape[1])), []  # 16: arrays alive at a time
    for start in range(0, a.x.shape[0], chunk):
        rows = slice(start, min(start + chunk, a.x.shape[0]))
        x, unit = _near_one(xp.astype(a.x[rows, :], xp.float64)), xp.astype(a.unit[rows, :], xp.float64)
        square, low = _dot(x, x)
        norm = xp.sqrt(square)
        p, e = _product(norm, norm)
        low = ((square - p) - e + low) / (2 * norm)
        p, e = _product(unit, norm)
        parts.append(((x - p) - e - unit * low) / norm)
    return xp.concat(parts)


def _near_one(x: Array) -> Array:
    """The rows of x times powers of two: no rounding, largest component in [1, 2)."""
    xp = array_namespace(x)
    q = xp.max(xp.abs(x), axis=1, keepdims=True) * (2.0**52 + 1)
    power = xp.abs(q - (1 - 2.0**-53) * q)  # of two, by Rump, Ogita, Oishi 2008, Algorithm 3.5
    return x / xp.where(power > 0, power, 1.0)


def _sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b exactly: rounded, and the rest (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    """a b exactly: rounded, and the rest (Dekker, Veltkamp)."""
    p = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def _halves(a: Array) -> tuple[Array, Array]:
    t = (2.0**27 + 1) * a
    high = t - (t - a)
    return high, a - high


def _dot(x: Array, y: Array) -> tuple[Array, Array]:
    """Row by row x·y (m, 1) to ε² |x||y|: rounded, and the rest."""
    xp = array_namespace(x)
    s, rest = _product(x, y)
    while s.shape[1] > 1:
        half = s.shape[1] // 2
        one, two, odd = (slice(0, half), slice(half, 2 * half), slice(2 * half, s.shape[1]))
        total, error = _sum(s[:, one], s[:, two])
        rest = xp.concat([rest[:, one] + rest[:, two] + error, rest[:, odd]], axis=1)
        s = xp.concat([total, s[:, odd]], axis=1)
    return s, rest
