"""Infinitely wide networks with positions, branches, attention or recurrence: NNGP and tangent kernel.

Inputs are (n, d), (n, length, channels) or (n, height, width, channels). A network must end without positions (Flatten,
GlobalAvgPool or Rnn). Dense layers and activations alone go through `layers`, which is exact at every angle; here the
angle is known to √ε near parallel features (an input with itself is exact). Memory: pairs × positions² a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype
from corollary.theory.ntk.combine import Concat, FanInSum, weighted_sum
from corollary.theory.ntk.fields import Field, activated, positions
from corollary.theory.ntk.layers import Dense, Kernel, serial
from corollary.theory.ntk.statics import check_channels, check_laws

_BLOCK = 2**22  # entries of one array of a block: 32 MB in float64


class Serial:
    """The network that applies `layers` first to last; `kernel` as that of `ntk.serial`.

    Raises TypeError (not a layer) or ValueError (an activation on variables that are not Gaussian: no closed form).
    """

    def __init__(self, *layers: Any) -> None:
        if not layers:
            raise ValueError("the network has no layer; expected e.g. ntk.Serial(ntk.Conv((3, 3)), ntk.Relu(), ...)")
        check_laws(layers)
        self.layers = layers

    def kernel(self, x1: Array, x2: Array | None = None) -> Kernel:
        """NNGP and NTK of x1 (n1, ..., c) against x2 (n2, ..., c), (n1, n2) each; x2 = None: x1 with itself, at half
        the work and exactly symmetric.

        Raises TypeError (array type, dtype), ValueError (shapes, NaN, positions left at the end), OverflowError.
        """
        xp = require_floating("x1", x1)
        if x2 is not None:
            require_floating("x2", x2)
            array_namespace(x1, x2)
            require_same_dtype(x1=x1, x2=x2)
            if x1.shape[1:] != x2.shape[1:]:
                raise ValueError(f"x1 has shape {x1.shape} and x2 {x2.shape}; expected equal shapes but for the first")
        if x1.ndim not in (2, 3, 4):
            raise ValueError(f"x1 has shape {x1.shape}; expected (n, d), (n, length, c) or (n, height, width, c)")
        if x1.ndim == 2 and all(isinstance(layer, Dense) or hasattr(layer, "step") for layer in self.layers):
            return serial(*self.layers).kernel(x1, x2)
        shape, c = tuple(x1.shape[1:-1]), x1.shape[-1]
        check_channels(self.layers, c, positions(shape))
        a = xp.reshape(x1, (x1.shape[0], -1, c)) / c**0.5
        b = a if x2 is None else xp.reshape(x2, (x2.shape[0], -1, c)) / c**0.5
        K = xp.empty((a.shape[0], b.shape[0]), dtype=x1.dtype, device=device(x1))
        T = xp.empty((a.shape[0], b.shape[0]), dtype=x1.dtype, device=device(x1))
        block = max(1, int((_BLOCK / positions(shape) ** 2) ** 0.5))
        for i in range(0, a.shape[0], block):
            rows = slice(i, min(i + block, a.shape[0]))
            for j in range(0 if x2 is not None else i, b.shape[0], block):
                columns = slice(j, min(j + block, b.shape[0]))
                k, t = self._block(a[rows, ...], b[columns, ...], shape, x2 is None and i == j)
                if x2 is None and i == j:
                    k, t = (k + xp.matrix_transpose(k)) / 2, (t + xp.matrix_transpose(t)) / 2
                elif x2 is None:
                    K[columns, rows], T[columns, rows] = xp.matrix_transpose(k), xp.matrix_transpose(t)
                K[rows, columns], T[rows, columns] = k, t
        return Kernel(K, T)

    def _block(self, a: Array, b: Array, shape: tuple[int, ...], diagonal: bool) -> tuple[Array, Array]:
        xp = array_namespace(a)
        pairs = xp.matmul(a[:, None, ...], xp.matrix_transpose(b)[None, ...])
        own = [xp.matmul(z, xp.matrix_transpose(z)) for z in (a, b)]
        with np.errstate(over="ignore", invalid="ignore"):
            out = _apply(self.layers, Field(pairs, xp.zeros_like(pairs), own[0], own[1], shape, diagonal))
        if out.shape != ():
            raise ValueError(
                f"the network ends with features of spatial shape {out.shape}; end it with ntk.Flatten() or "
                "ntk.GlobalAvgPool(), then ntk.Dense(...)"
            )
        return out.k[:, :, 0, 0], out.t[:, :, 0, 0]


def _apply(layers: tuple[Any, ...], x: Field) -> Field:
    for number, layer in enumerate(layers):
        if isinstance(layer, Dense):
            W2, b2 = float(layer.W_std) ** 2, float(layer.b_std) ** 2
            k = W2 * x.k + b2
            x = x._replace(k=k, t=layer.tangent(x.k, k, x.t), own1=W2 * x.own1 + b2, own2=W2 * x.own2 + b2)
        elif isinstance(layer, FanInSum):
            x = weighted_sum([_apply(b, x) for b in layer.branches], (1.0,) * len(layer.branches))
        elif isinstance(layer, Concat):
            x = weighted_sum([_apply(b, x) for b in layer.branches], layer.shares)
        elif hasattr(layer, "step"):
            x = activated(x, layer)
        else:
            x = layer.field(x)
        xp = array_namespace(x.k)
        if not all(bool(xp.all(xp.isfinite(m))) for m in (x.k, x.t, x.own1, x.own2)):
            raise OverflowError(
                f"layer {number} ({layer}) has moments beyond the range of {x.k.dtype}; "
                "scale the inputs or W_std down, or use float64"
            )
    return x
