"""Hypothesis strategies for the inputs that formulas about networks meet: each states a promise that its tests check.

Vectors are drawn as small integers over a power of two, so that examples shrink to ones a person can read: zeros and
ones, axes for directions. All arrays are NumPy float64. Sizes are whole numbers, or strategies of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from corollary.testing import drawing
from corollary.testing.drawing import Number, Size


class SeparableData(NamedTuple):
    """X (n, d) and y (n,) of ±1; the unit `direction` (d,) has min y x·direction = `margin`, and no other has more."""

    X: np.ndarray
    y: np.ndarray
    direction: np.ndarray
    margin: float


class TokenSets(NamedTuple):
    """X (n, T, d), y (n,) of ±1; of each set the token `chosen` (n,) is ahead of every other one along the unit
    `direction` (d,) by `margin` or more, and no unit vector achieves more."""

    X: np.ndarray
    y: np.ndarray
    chosen: np.ndarray
    direction: np.ndarray
    margin: float


class RegressionTask(NamedTuple):
    """X (n, d), y = X w + residual (n,) with Xᵀ residual = 0: w (d,) is the least-squares solution of least norm."""

    X: np.ndarray
    y: np.ndarray
    w: np.ndarray
    residual: np.ndarray


class KernelInputs(NamedTuple):
    """X (n, d); row i is of `kind[i]`, at `angle[i]` (radians, NaN for a zero vector) from row 0."""

    X: np.ndarray
    kind: tuple[str, ...]
    angle: np.ndarray


KINDS = ("near parallel", "parallel", "antiparallel", "near antiparallel", "orthogonal", "zero", "huge", "tiny")


def spd_matrices(n: Size, condition: Number = 10.0, *, scale: float = 1.0) -> SearchStrategy[np.ndarray]:
    """Symmetric positive definite A (n, n) with largest eigenvalue `scale` and smallest scale/condition.

    A = Q diag(λ) Qᵀ, Q a product of two Householder reflections, exactly symmetric. Forming it moves an eigenvalue by
    less than 16 n ε scale (Weyl), so cond(A)/condition is within 32 n ε condition of 1. Shrinks to a diagonal matrix.
    Raises ValueError for condition < 1, or so large that this is above 1/4; n = 1 with a condition other than 1.
    """
    drawing.positive("scale", scale)

    def build(draw: Any) -> np.ndarray:
        size, wanted = draw(sizes), float(draw(conditions))
        drawing.conditioned(size, wanted)
        inner = draw(st.lists(st.integers(0, 8), min_size=max(size - 2, 0), max_size=max(size - 2, 0)))
        exponents = np.array([0.0, *(i / 8 for i in inner), 1.0][:size])
        λ = scale * wanted**-exponents
        Q = drawing.orthogonal(draw, size)
        A = (Q * λ) @ Q.T
        return (A + A.T) / 2

    sizes = drawing.size("n", n)
    conditions = condition if isinstance(condition, SearchStrategy) else st.just(condition)
    if not isinstance(condition, SearchStrategy):
        drawing.conditioned(n if isinstance(n, int) else 2, condition)
    return drawing.composed(build)


def separable_data(n: Size, d: Size, *, margin: float = 1.0) -> SearchStrategy[SeparableData]:
    """Two classes separated through the origin, with a known largest margin.

    y_i x_i = a_i direction + z_i, a_i ≥ margin, z_i orthogonal to direction; the first two have a = margin and opposite
    z (a single one has z = 0), so their mean is margin · direction and no unit vector u gets more than margin from
    both. Exact up to 8 d ε max ‖x‖. Shrinks to points on a coordinate axis. Raises ValueError for n, d, margin <= 0.
    """
    drawing.positive("margin", margin)
    sizes, widths = drawing.size("n", n), drawing.size("d", d)

    def build(draw: Any) -> SeparableData:
        count, width = draw(sizes), draw(widths)
        direction = drawing.unit(draw, width)
        rows = drawing.with_margin(draw, count, direction, margin)
        y = np.array(draw(st.lists(st.sampled_from([1.0, -1.0]), min_size=count, max_size=count)))
        return SeparableData(y[:, None] * rows, y, direction, margin)

    return drawing.composed(build)


def token_sets(n: Size, T: Size, d: Size, *, margin: float = 1.0) -> SearchStrategy[TokenSets]:
    """n labelled sets of T tokens in R^d, with the token that attention is to choose and a known largest margin.

    The n (T − 1) differences chosen − other are made as in `separable_data`; the accuracy is that of the subtraction,
    8 d ε max ‖x‖. Shrinks to chosen = 0 and tokens on a coordinate axis. Raises ValueError for T < 2 and for n, d or
    margin <= 0.
    """
    drawing.positive("margin", margin)
    sizes, lengths, widths = drawing.size("n", n), drawing.size("T", T, least=2), drawing.size("d", d)

    def build(draw: Any) -> TokenSets:
        count, length, width = draw(sizes), draw(lengths), draw(widths)
        direction = drawing.unit(draw, width)
        ahead = drawing.with_margin(draw, count * (length - 1), direction, margin).reshape(count, length - 1, width)
        best = np.stack([drawing.vector(draw, width) for _ in range(count)])
        chosen = np.array(draw(st.lists(st.integers(0, length - 1), min_size=count, max_size=count)))
        y = np.array(draw(st.lists(st.sampled_from([1.0, -1.0]), min_size=count, max_size=count)))
        X = np.empty((count, length, width))
        for i in range(count):
            X[i, chosen[i]] = best[i]
            X[i, np.arange(length) != chosen[i]] = best[i] - ahead[i]
        return TokenSets(X, y, chosen, direction, margin)

    return drawing.composed(build)


def regression_tasks(
    n: Size, d: Size, *, condition: float = 10.0, residual: float = 0.0
) -> SearchStrategy[RegressionTask]:
    """A linear regression whose solution and residual are known: singular values of X from 1 down to 1/condition.

    X = U diag(s) Vᵀ of rank min(n, d), w in its row space, the residual orthogonal to its columns and of the given norm
    (needs n > d). Orthogonality and the product hold to 16 (n + d) ε times the sizes of their factors, so least squares
    returns w to that times condition². Raises ValueError for sizes <= 0, condition < 1, residual < 0 or without room.
    """
    drawing.conditioned(2, condition)
    if residual < 0 or not math.isfinite(residual):
        raise ValueError(f"residual is {residual!r}; expected a norm, finite and >= 0")
    sizes, widths = drawing.size("n", n), drawing.size("d", d)
    if residual and isinstance(n, int) and isinstance(d, int) and n <= d:
        raise ValueError(f"n = {n} points in d = {d} dimensions leave no room for a residual; expected n > d")

    def build(draw: Any) -> RegressionTask:
        count, width = draw(sizes), draw(widths)
        if residual and count <= width:
            raise ValueError(f"n = {count} points in d = {width} dimensions leave no room for a residual; draw n > d")
        rank = min(count, width)
        inner = draw(st.lists(st.integers(0, 8), min_size=max(rank - 2, 0), max_size=max(rank - 2, 0)))
        s = condition ** -np.array([0.0, *(i / 8 for i in inner), 1.0][:rank])
        U, V = drawing.orthogonal(draw, count), drawing.orthogonal(draw, width)
        X = (U[:, :rank] * s) @ V[:, :rank].T
        w = V[:, :rank] @ drawing.vector(draw, rank)
        error = residual * U[:, rank] if residual else np.zeros(count)
        return RegressionTask(X, X @ w + error, w, error)

    return drawing.composed(build)


def kernel_inputs(
    d: Size, *, kinds: Sequence[str] = KINDS, extra: Size = 0, huge: float = 1e100, tiny: float = 1e-100
) -> SearchStrategy[KernelInputs]:
    """Inputs on which kernels lose digits: row 0, one row placed against it for each of `kinds`, in any order, and
    `extra` generic ones ("any").

    near parallel: at an angle of 2^-10 … 2^-45; parallel: a multiple of row 0; antiparallel, near antiparallel: the
    same for −row 0; orthogonal; zero; huge, tiny: row 0 times that. Angles hold to 8 d ε absolutely. Shrinks to axes.
    Raises ValueError for an unknown kind, for a kind that needs d ≥ 2 in one dimension, for huge or tiny out of order
    or beyond the floats.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds={list(kinds)!r}; expected some of {', '.join(KINDS)}")
    if not 0 < tiny <= 1 <= huge < math.inf:
        raise ValueError(f"tiny = {tiny!r}, huge = {huge!r}; expected 0 < tiny <= 1 <= huge < inf")
    flat = [kind for kind in kinds if kind in ("near parallel", "near antiparallel", "orthogonal")]
    if flat:
        drawing.size("d", d, least=2, why=f" for the kind {flat[0]!r}")
    widths, more = drawing.size("d", d, least=2 if flat else 1), drawing.size("extra", extra, least=0)

    def build(draw: Any) -> KernelInputs:
        width = draw(widths)
        base = drawing.unit(draw, width) * draw(st.sampled_from([1.0, 2.0, 0.25]))
        rows, names, angles = [base], ["base"], [0.0]
        for kind in draw(st.permutations(list(kinds))):
            row, angle = drawing.placed(draw, base, kind, huge, tiny)
            rows, names, angles = [*rows, row], [*names, kind], [*angles, angle]
        for _ in range(draw(more)):
            row = drawing.unit(draw, width)
            rows, names = [*rows, row], [*names, "any"]
            angles.append(drawing.angle(base, row))
        return KernelInputs(np.stack(rows), tuple(names), np.array(angles))

    return drawing.composed(build)
