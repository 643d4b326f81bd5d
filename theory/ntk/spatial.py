r"""Convolution, pooling and flattening of infinitely wide networks.

    Conv        z[p] = (W_std/√(k c)) Σ_δ W_δ a[p·stride + δ] + b_std b, k taps, c channels, zero padding:
                K[p,p'] ← (W_std²/k) Σ_δ K[p+δ, p'+δ] + b_std²,  Θ ← K + (W_std²/k) Σ_δ Θ[p+δ, p'+δ]
    AvgPool     K, Θ ← A K Aᵀ, A Θ Aᵀ with the averaging matrix A (P', P)
    Flatten     K, Θ ← mean over p = p', because the next Dense has independent weights at every position

(Novak et al. 2019, eq. 7 and Section 3; Arora et al. 2019, Section 4.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from corollary.arrays import Array, array_namespace, device
from corollary.theory.ntk.fields import Field, mapped, positions
from corollary.theory.ntk.moments import real_number
from corollary.theory.ntk.parametrization import check_parametrization, tangent


def _sizes(name: str, value: tuple[int, ...], rank: int | None = None) -> None:
    good = isinstance(value, tuple) and value and all(isinstance(v, int) and v >= 1 for v in value)
    if not good or (rank is not None and len(value) != rank):
        raise ValueError(f"{name} is {value!r}; expected a tuple of integers >= 1, one a spatial axis")


def _require_rank(layer: object, shape: tuple[int, ...], rank: int) -> None:
    if len(shape) != rank:
        raise ValueError(f"{layer} acts on {rank} spatial axes; the features before it have shape {shape}")


def _valid(shape: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...], layer: object) -> tuple[int, ...]:
    out = tuple((n - w) // s + 1 for n, w, s in zip(shape, window, strides, strict=True))
    if min(out) < 1:
        raise ValueError(f"{layer} does not fit into features of shape {shape}; use a smaller window, or pad")
    return out


@dataclass(frozen=True)
class Conv:
    """Convolution with window `window` (1 or 2 axes; channels last), `padding` "SAME" or "VALID", W, b ~ N(0, 1).

    SAME pads with zeros to ceil(n/stride) outputs, the extra one at the end. parametrization "standard": W has
    standard deviation W_std/√(k c) and b b_std; the tangent kernel then depends on the channels c = `fan_in`.
    Raises TypeError or ValueError for numbers, windows or words outside these.
    """

    window: tuple[int, ...]
    W_std: float = 1.0
    b_std: float = 0.0
    strides: tuple[int, ...] | None = None
    padding: str = "SAME"
    parametrization: str = "ntk"
    fan_in: int | None = None

    def __post_init__(self) -> None:
        _sizes("window", self.window)
        real_number("W_std", self.W_std, positive=True)
        real_number("b_std", self.b_std, nonnegative=True)
        if self.strides is not None:
            _sizes("strides", self.strides, len(self.window))
        if self.padding not in ("SAME", "VALID"):
            raise ValueError(f"padding is {self.padding!r}; expected 'SAME' or 'VALID'")
        check_parametrization(self.parametrization, fan_in=self.fan_in)

    def field(self, x: Field) -> Field:
        """The field after this layer."""
        _require_rank(self, x.shape, len(self.window))
        strides = self.strides or (1,) * len(self.window)
        pad = [(0, 0)] * len(strides)
        if self.padding == "SAME":
            triples = zip(x.shape, strides, self.window, strict=True)
            missing = [max((math.ceil(n / s) - 1) * s + w - n, 0) for n, s, w in triples]
            pad = [(m // 2, m - m // 2) for m in missing]
        padded = tuple(n + a + b for n, (a, b) in zip(x.shape, pad, strict=True))
        out = _valid(padded, self.window, strides, self)
        W2, b2 = float(self.W_std) ** 2, float(self.b_std) ** 2
        taps = math.prod(self.window)

        def patches(A: Array) -> Array:
            xp, lead, rank = array_namespace(A), tuple(A.shape[:-2]), len(out)
            A = xp.reshape(A, (*lead, *x.shape, *x.shape))
            # the window is a box: its sum over both axes is a sum over one after the other
            for axis in range(rank):
                at = (len(lead) + axis, len(lead) + rank + axis)
                A = _windowed(A, at, self.window[axis], strides[axis], pad[axis][0], out[axis])
            return xp.reshape(A, (*lead, positions(out), positions(out))) * (1.0 / taps)

        before = mapped(x, patches, out)
        after = before._replace(**{name: W2 * getattr(before, name) + b2 for name in ("k", "own1", "own2")})
        t = tangent(before.k, after.k, before.t, W2, b2, self.parametrization, taps * (self.fan_in or 0))
        return after._replace(t=t)


@dataclass(frozen=True)
class AvgPool:
    """Averages over windows, without padding. strides None: the window itself. Raises ValueError for a bad window."""

    window: tuple[int, ...]
    strides: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _sizes("window", self.window)
        if self.strides is not None:
            _sizes("strides", self.strides, len(self.window))

    def field(self, x: Field) -> Field:
        """The field after this layer."""
        _require_rank(self, x.shape, len(self.window))
        strides = self.strides or self.window
        out = _valid(x.shape, self.window, strides, self)
        axes = []
        for n, w, s, m in zip(x.shape, self.window, strides, out, strict=True):
            a = np.zeros((m, n))
            for row in range(m):
                a[row, row * s : row * s + w] = 1 / w
            axes.append(a)
        whole = axes[0]
        for a in axes[1:]:
            whole = np.kron(whole, a)
        return mapped(x, lambda A: _both_sides(whole, A), out)


@dataclass(frozen=True)
class GlobalAvgPool:
    """The average over all positions."""

    def field(self, x: Field) -> Field:
        """The field after this layer."""
        return mapped(x, lambda A: array_namespace(A).mean(A, axis=(-2, -1), keepdims=True), ())


@dataclass(frozen=True)
class Flatten:
    """All positions become channels."""

    def field(self, x: Field) -> Field:
        """The field after this layer."""

        def diagonal_mean(A: Array) -> Array:
            xp = array_namespace(A)
            return xp.mean(xp.linalg.diagonal(A), axis=-1)[..., None, None]

        return mapped(x, diagonal_mean, ())


def _both_sides(a: np.ndarray, A: Array) -> Array:
    xp = array_namespace(A)
    left = xp.asarray(a, dtype=A.dtype, device=device(A))
    return xp.matmul(xp.matmul(left, A), xp.matrix_transpose(left))


def _windowed(A: Array, axes: tuple[int, int], window: int, stride: int, before: int, count: int) -> Array:
    """Σ_δ A[p·stride + δ − before, p'·stride + δ − before] along both axes, zero outside, for p, p' < count."""
    xp, n = array_namespace(A), A.shape[axes[0]]
    total = xp.zeros(
        tuple(count if i in axes else m for i, m in enumerate(A.shape)), dtype=A.dtype, device=device(A)
    )  # fmt: skip
    for δ in range(window):
        first = max(0, math.ceil((before - δ) / stride))
        last = min(count - 1, (n - 1 + before - δ) // stride)
        if first > last:
            continue
        here = slice(first, last + 1)
        start = first * stride + δ - before
        there = slice(start, start + (last - first) * stride + 1, stride)
        into = tuple(here if i in axes else slice(None) for i in range(A.ndim))
        source = tuple(there if i in axes else slice(None) for i in range(A.ndim))
        if isinstance(total, np.ndarray):  # in place: one pass over memory instead of three
            np.add(total[into], A[source], out=total[into])
        else:
            total[into] = total[into] + A[source]
    return total
