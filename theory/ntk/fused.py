r"""Dense networks of the ReLU family, all layers of a block of pairs at once while it is in a CPU's cache.

With cosines c = K/√(qq') and τ = Θ/√(qq'), lengths leave the recursion but for one vector an input and layer: for
V the features' second moment, q = W²V + b², α = W√V/√q, β = b/√q (α² + β² = 1), θ = arccos c and κ = 2β²/(α²+β²) of the
activation αx + β|x| (`relu_family`),

    activation  τ ← (1 − κθ/π) τ,   c ← c + κ (sin θ − θ cos θ)/π
    Dense       c ← αα'c + ββ',     τ ← αα'τ + c

without bias αα' = 1, ββ' = 0: eleven passes a layer over memory that stays in cache, one arccos and one root among
them.

c is known to some ε and θ to ε/sin θ, which is enough away from parallel. Pairs of inputs with |c| > 0.99 go through
the accurate steps of `layers` one by one; so does a whole block whose cosines come closer to 1 than `_least_gap` in any
layer. What is left has an error below 1e-13 (1e-5 in float32) of √(ΘΘ').

NumPy; CuPy arrays go to `fused_cuda`, with the same factors and accurate steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import array_api_compat
import numpy as np

from corollary.arrays import Array, array_namespace
from corollary.theory.ntk.inputs import Directions, pair_moments
from corollary.theory.ntk.moments import Moments
from corollary.theory.ntk.relu_family import _LinearPlusAbs

_NEAR = 0.99
_BLOCK = (128, 256)  # five arrays of 256 KB in float64 (float32: twice the rows): a CPU's second-level cache
_FEW = 1 / 16  # share of near pairs up to which they are picked out of a block

Through = Callable[[Moments, Sequence[tuple[Any, Any]]], tuple[Any, Any]]
Whole = Callable[[slice, slice], tuple[Any, Any]]


def applies(layers: Sequence[Any], x: Any) -> bool:
    """Whether `x` is a NumPy or CuPy array and the network is Dense layers, ntk parametrisation, and ReLU-like
    activations."""
    return (isinstance(x, np.ndarray) or array_api_compat.is_cupy_array(x)) and all(
        isinstance(layer, _LinearPlusAbs) or getattr(layer, "parametrization", "") == "ntk" for layer in layers
    )


def gram(
    layers: Sequence[Any], a: Directions, b: Directions | None, before: Any, other: Any, pairs: Through, whole: Whole
) -> tuple[Array, Array]:
    """K and Θ (n1, n2); b None: of a with itself, exactly symmetric.

    before, other: the features' second moments (n,) in front of each layer, of a and b. pairs, whole: the accurate
    steps for a list of pairs and for a block.
    """
    if array_api_compat.is_cupy_array(a.unit):
        from corollary.theory.ntk import fused_cuda

        return fused_cuda.gram(layers, a, b, before, other, pairs, whole)
    right = a if b is None else b
    n1, n2, dtype = len(a.length), len(right.length), a.unit.dtype
    K, T = np.empty((n1, n2), dtype), np.empty((n1, n2), dtype)
    left, above = _factors(layers, before), _factors(layers, other)
    height = min(_BLOCK[0] * 8 // dtype.itemsize, _BLOCK[1])  # at most square: see `_mirror`
    work = np.empty((5, height, _BLOCK[1]), dtype)
    for i in range(0, n1, height):
        rows = slice(i, min(i + height, n1))
        start = i if b is None else 0
        np.matmul(a.unit[rows], right.unit[start:].T, out=K[rows, start:])
        for j in range(start, n2, _BLOCK[1]):
            columns = slice(j, min(j + _BLOCK[1], n2))
            c, t, *scratch = (w[: rows.stop - i, : columns.stop - j] for w in work)
            c[...] = K[rows, columns]
            near = np.abs(c, out=t) > _NEAR
            # as one axis: nonzero of two costs ten times as much
            found = np.divmod(np.flatnonzero(near), c.shape[1])
            c[found] = 0
            one = [None if f is None else tuple(z[rows, None] for z in f) for f in left]
            two = [None if f is None else tuple(z[columns] for z in f) for f in above]
            if found[0].size > _FEW * near.size or not _through(layers, one, two, c, t, *scratch):
                c[...], t[...] = whole(rows, columns)
            elif found[0].size:
                at = found[0] + i, found[1] + j
                pair = pair_moments(a, right, K[at], *at)
                c[found], t[found] = pairs(pair, [(V[at[0]], W[at[1]]) for V, W in zip(before, other, strict=True)])
            K[rows, columns], T[rows, columns] = c, t
            if b is None:
                _mirror(K, c, rows, columns)
                _mirror(T, t, rows, columns)
    return K, T


def _mirror(out: np.ndarray, block: np.ndarray, rows: slice, columns: slice) -> None:
    """Also below the diagonal, on which the first block of each row of blocks starts."""
    if columns.start >= rows.stop:
        out[columns, rows] = block.T
        return
    square = min(block.shape)
    upper = np.triu(block[:, :square])
    out[rows, rows] = upper + np.triu(upper, 1).T
    out[rows.stop : columns.stop, rows] = block[:, square:].T


def _factors(layers: Sequence[Any], before: Sequence[Array]) -> list[tuple[Array, ...] | None]:
    """(α, β), each (n,), for a Dense layer with bias, None for another layer; and last (√q,) of the output."""
    xp = array_namespace(*before)
    out: list[tuple[Array, ...] | None] = []
    for layer, V in zip(layers, before, strict=True):
        if isinstance(layer, _LinearPlusAbs) or layer.b_std == 0:
            out.append(None)
        else:
            root = xp.sqrt(layer.variance(V))
            seen = root > 0  # a bias whose square is below the floats is none
            pair = (xp.where(seen, float(layer.W_std) * xp.sqrt(V), 1), xp.where(seen, float(layer.b_std), 0))
            out.append(tuple(xp.astype(side / xp.where(seen, root, 1), V.dtype) for side in pair))
    last = layers[-1].variance(before[-1])
    return [*out, (xp.sqrt(last[0] if isinstance(last, tuple) else last),)]


def _least_gap(dtype: Any) -> float:
    """1 − c down to which arccos c is trusted: ε/θ = 5e-14 (float64), 6e-6 of θ at most (float32)."""
    return 1e-5 if np.finfo(dtype).eps < 1e-10 else 2e-4


def _through(
    layers: Sequence[Any], left: Sequence[Any], right: Sequence[Any], c: np.ndarray, t: np.ndarray, u: np.ndarray,
    v: np.ndarray, w: np.ndarray,
) -> bool:  # fmt: skip
    """Overwrite the input cosines `c` by K and `t` by Θ; u, v, w are scratch. False (c, t undefined) if c comes near 1.

    An activation and the Dense layer with bias after it are one step: −καα'/π multiplies both θ − π/κ and sin θ.
    """
    ceiling = 1 - _least_gap(c.dtype)
    first = True
    for number, layer in enumerate(layers):
        if isinstance(layer, _LinearPlusAbs):
            α2, β2 = layer._squares
            if not β2:
                continue
            if c.max() > ceiling:
                return False
            g = 2 * β2 / (α2 + β2) / math.pi  # κ/π
            scale = -g
            if left[number + 1] is not None and number + 1 < len(layers):
                scale = np.multiply(left[number + 1][0] * -g, right[number + 1][0], out=w)
            _bend(c, 1 / g, scale, u, v)
            t *= u
            continue
        if left[number] is not None:
            if first or not _bends(layers[number - 1]):
                c *= left[number][0]
                c *= right[number][0]
                if not first:
                    t *= left[number][0]
                    t *= right[number][0]
            c += np.multiply(left[number][1], right[number][1], out=u)
        if first:
            t[...] = c
            first = False
        else:
            t += c
    out = np.multiply(left[-1][0], right[-1][0], out=u)
    c *= out
    t *= out
    return True


def _bend(c: np.ndarray, shift: float, scale: Any, u: np.ndarray, v: np.ndarray) -> None:
    """u = scale (θ − shift) and c ← u c − scale sin θ, in place: with shift π/κ and scale −κ/π, slope and value of
    φ over those of parallel inputs: c + (κ/π)(sin θ − θ c) = (1 − κθ/π) c + (κ/π) sin θ."""
    np.multiply(c, c, out=v)
    np.subtract(1, v, out=v)
    np.sqrt(v, out=v)
    v *= scale
    np.arccos(c, out=u)
    u -= shift
    u *= scale
    c *= u
    c -= v


def positions_step(
    activation: _LinearPlusAbs, q1: np.ndarray, q2: np.ndarray, k: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """E[φφ], E[φ'φ'] of covariances k (..., P, P) with variances q1 (..., P, 1), q2 (..., 1, P), slices of k in cache.

    Cosines within 16 ε of ±1 are taken as ±1: k alone knows the angle to √ε there, and an input meets itself exactly.
    """
    α2, β2 = activation._squares
    m = α2 + β2
    g = 2 * β2 / m / math.pi if m else 0.0
    edge = 1 - 16 * np.finfo(k.dtype).eps
    E, slope = np.empty_like(k), np.empty_like(k)
    roots = [np.broadcast_to(np.sqrt(q), (*k.shape[:-2], *q.shape[-2:])) for q in (q1, q2)]
    inverse = [np.divide(1, r, out=np.zeros_like(r), where=r > 0) for r in roots]
    P = k.shape[-1]
    rows_ = max(1, _BLOCK[0] * _BLOCK[1] // P)
    work = np.empty((2, rows_, P), k.dtype)
    for at in np.ndindex(k.shape[:-2]):
        for i in range(0, k.shape[-2], rows_):
            rows = slice(i, min(i + rows_, k.shape[-2]))
            c, u = E[at][rows], slope[at][rows]
            v, w = work[:, : rows.stop - i]
            np.multiply(k[at][rows], inverse[0][at][rows], out=c)
            c *= inverse[1][at]
            if g:
                if c.max() > edge or c.min() < -edge:
                    c[c > edge], c[c < -edge] = 1, -1
                _bend(c, 1 / g, -g, u, v)
            else:
                u[...] = 1
            np.multiply(roots[0][at][rows] * m, roots[1][at], out=w)
            c *= w
            u *= m
    return E, slope


def _bends(layer: Any) -> bool:
    return isinstance(layer, _LinearPlusAbs) and layer._squares[1] != 0
