r"""Infinitely wide fully connected networks: NNGP kernel K and neural tangent kernel Θ, layer by layer.

    input       K = x·x'/d,  Θ = 0
    Dense       z = (W_std/√fan_in) W a + b_std b,  W, b ~ N(0,1):   K ← W_std² K + b_std²,  Θ ← K + W_std² Θ
    activation  a = φ(z):                                            K ← E[φ(u)φ(v)],        Θ ← E[φ'(u)φ'(v)] Θ

(Jacot, Gabriel, Hongler 2018, Proposition 1 and Theorem 1; Lee et al. 2018.) A network that ends in an activation has
the kernels of its features φ(z), as in neural-tangents. Two activations in a row have no closed form: the second would
act on variables that are not Gaussian.

The gaps √(q₁q₂) ∓ K (see `moments`) pass a Dense layer without cancellation. With feature second moments V, V',
s = √(VV'), q = W²V + b² and R = W²b²(√V − √V')²/(√(qq') + W²s + b²):

    √(qq') − K = R + W² (s − E),      √(qq') + K = R + 2b² + W² (s + E),

because qq' = (W²s + b²)² + W²b²(√V − √V')².
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import array_api_compat
import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype
from corollary.theory.ntk import fused
from corollary.theory.ntk.inputs import Directions, directions, input_moments
from corollary.theory.ntk.moments import EMPIRICAL, Activation, Moments, real_number
from corollary.theory.ntk.parametrization import check_parametrization, require_fan_in, tangent


@dataclass(frozen=True)
class Kernel:
    """NNGP and NTK Gram matrices of the same points, both (n1, n2).

    Raises TypeError or ValueError unless they are finite floating matrices of one shape, dtype and device.
    """

    nngp: Array
    ntk: Array

    def __post_init__(self) -> None:
        require_floating("nngp", self.nngp, ndim=2)
        require_floating("ntk", self.ntk, ndim=2)
        array_namespace(self.nngp, self.ntk)
        require_same_dtype(nngp=self.nngp, ntk=self.ntk)
        if self.nngp.shape != self.ntk.shape:
            raise ValueError(f"nngp has shape {self.nngp.shape} and ntk {self.ntk.shape}; expected one shape for both")


@dataclass(frozen=True)
class Dense:
    """z = (W_std/√fan_in) W a + b_std b with W, b ~ N(0,1): the NTK parametrisation.

    parametrization="standard" trains W and b with these standard deviations inside instead; its tangent kernel needs
    the width `fan_in` of the layer before (see `parametrization`; checked against the input's columns by `kernel`).
    Raises TypeError or ValueError unless W_std > 0 and b_std >= 0 are finite numbers, and fan_in given where needed.
    """

    W_std: float = 1.0
    b_std: float = 0.0
    parametrization: str = "ntk"
    fan_in: int | None = None

    def __post_init__(self) -> None:
        check_parametrization(self.parametrization, fan_in=self.fan_in)
        real_number("W_std", self.W_std, positive=True)
        real_number("b_std", self.b_std, nonnegative=True)

    def variance(self, V: Array) -> Array:
        """Variance of z from the second moment of a."""
        return float(self.W_std) ** 2 * V + float(self.b_std) ** 2

    def tangent(self, before: Array, after: Array, T: Array) -> Array:
        """Θ of z from the features' second moments, the covariance of z, and Θ = T below."""
        W2, b2 = float(self.W_std) ** 2, float(self.b_std) ** 2
        return tangent(before, after, T, W2, b2, self.parametrization, self.fan_in or 0)

    def step(self, V1: Array, V2: Array, pair: Moments) -> Moments:
        """Moments of z from those of a; V1 is (n1, 1), V2 is (1, n2)."""
        xp = array_namespace(pair.k)
        W2, b2 = float(self.W_std) ** 2, float(self.b_std) ** 2
        k, near, far = W2 * pair.k + b2, W2 * pair.near, W2 * pair.far
        if b2 > 0:
            r1, r2 = xp.sqrt(V1), xp.sqrt(V2)
            s = xp.sqrt(self.variance(V1)) * xp.sqrt(self.variance(V2))
            total = s + W2 * (r1 * r2) + b2  # 0 where a bias below the floats meets a zero vector
            R = W2 * b2 * (r1 - r2) ** 2 / xp.where(total > 0, total, 1.0)
            near, far = near + R, far + (R + 2 * b2)
        return Moments(k, near, far)


@dataclass(frozen=True)
class Network:
    """An infinitely wide network: Dense layers and activations, first to last. Made by `serial` and `mlp`."""

    layers: tuple[Dense | Activation, ...]

    def kernel(self, x1: Array, x2: Array | None = None) -> Kernel:
        """NNGP and NTK of x1 (n1, d) against x2 (n2, d): two (n1, n2) matrices, Θ for one output.

        With one argument, of x1 against itself: exactly symmetric, at half the work. ReLU-like networks in ntk
        parametrisation take the way of `fused`; any other goes layer by layer, 3 to 4 times slower (in standard
        parametrisation Θ mixes layers of different width, a term a layer that `fused` has no place for).
        float32 stays float32 (angles and values to about 1e-5 at worst); float64 is accurate as the activation's file
        says. A variance below the dtype's smallest normal number is rounded towards zero, like any float.

        Raises TypeError (array type, dtype, NumPy mixed with CuPy), ValueError (shape, NaN, inf, empty, fan_in),
        OverflowError (a variance beyond the range of the dtype).
        """
        xp = require_floating("x1", x1, ndim=2)
        if x2 is not None:
            require_floating("x2", x2, ndim=2)
            array_namespace(x1, x2)
            require_same_dtype(x1=x1, x2=x2)
            if device(x1) != device(x2):
                raise TypeError(f"x1 is on {device(x1)} and x2 on {device(x2)}; move both to one device")
            if x1.shape[1] != x2.shape[1]:
                raise ValueError(f"x1 has shape {x1.shape} and x2 {x2.shape}; expected the same number of columns")
        require_fan_in(self.layers[0], x1.shape[1])
        a = directions(x1)
        b = a if x2 is None else directions(x2)
        Va = self._variances(a.length)
        Vb = Va if x2 is None else self._variances(b.length)
        if fused.applies(self.layers, x1):
            right = None if x2 is None else b
            whole = partial(self._at, a, b, Va, Vb)
            K, T = fused.gram(self.layers, a, right, Va, Vb, self._through, whole)
            del a, b, right, whole  # the unit vectors need not be there while the results are checked
            return Kernel(K, T)
        n1, n2 = x1.shape[0], b.length.shape[0]
        K = xp.empty((n1, n2), dtype=x1.dtype, device=device(x1))
        T = xp.empty((n1, n2), dtype=x1.dtype, device=device(x1))
        # 256² floats of each array stay in a CPU's cache through all layers; a GPU wants few, large launches
        block = 2048 if array_api_compat.is_cupy_array(x1) else 256
        for i in range(0, n1, block):
            rows = slice(i, min(i + block, n1))
            for j in range(0 if x2 is not None else i, n2, block):
                columns = slice(j, min(j + block, n2))
                k, t = self._at(a, b, Va, Vb, rows, columns)
                if x2 is None and i == j:
                    k, t = _symmetric(k), _symmetric(t)
                elif x2 is None:
                    K[columns, rows], T[columns, rows] = xp.matrix_transpose(k), xp.matrix_transpose(t)
                K[rows, columns], T[rows, columns] = k, t
        return Kernel(K, T)

    def _variances(self, length: Array) -> list[Array]:
        """Second moments (n,) before every layer, after checking that neither they nor Θ(x, x) overflow."""
        xp = array_namespace(length)
        # 16: sums of a few such terms (√(qq') + K and the like) must stay finite too
        ceiling = float(xp.finfo(length.dtype).max) / 16
        with np.errstate(over="ignore", invalid="ignore"):
            V, T = length * length, xp.zeros_like(length)
            before = []
            for number, layer in enumerate(self.layers):
                before.append(V)
                if isinstance(layer, Dense):
                    V = layer.variance(before[-1])
                    T = layer.tangent(before[-1], V, T)
                else:
                    V, slope = layer.variance(V)
                    T = slope * T
                if not bool(xp.all((V < ceiling) & (T < ceiling))):
                    raise OverflowError(
                        f"layer {number} ({layer}) has variances beyond the range of {length.dtype}; "
                        "scale the inputs or W_std down, or use float64"
                    )
        return before

    def _at(
        self, a: Directions, b: Directions, Va: list[Array], Vb: list[Array], rows: slice, columns: slice
    ) -> tuple[Array, Array]:
        """K and Θ of a block of pairs."""
        moments = [
            (array_namespace(v).expand_dims(v[rows], axis=1), array_namespace(w).expand_dims(w[columns], axis=0))
            for v, w in zip(Va, Vb, strict=True)
        ]
        return self._through(input_moments(_part(a, rows), _part(b, columns)), moments)

    def _through(self, pair: Moments, variances: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
        """K and Θ from the moments of the inputs, all layers; second moments of either side before each layer."""
        T = array_namespace(pair.k).zeros_like(pair.k)
        for layer, (v, w) in zip(self.layers, variances, strict=True):
            if isinstance(layer, Dense):
                below, pair = pair, layer.step(v, w, pair)
                T = layer.tangent(below.k, pair.k, T)
            else:
                pair, slope = layer.step(v, w, pair)
                T = slope * T
        return pair.k, T


def _part(a: Directions, rows: slice) -> Directions:
    return Directions(a.unit[rows, :], a.length[rows], a.x[rows, :])


def _symmetric(square: Array) -> Array:
    xp = array_namespace(square)
    return xp.triu(square) + xp.matrix_transpose(xp.triu(square, k=1))


def serial(*layers: Dense | Activation) -> Network:
    """The network that applies `layers` first to last: starts with Dense, never two activations in a row.

    Raises TypeError (not a layer) or ValueError (no layer, no leading Dense, two activations in a row).
    """
    for number, layer in enumerate(layers):
        if isinstance(layer, type) or not (isinstance(layer, Dense) or hasattr(layer, "step")):
            hint = f"; write {layer.__name__}()" if isinstance(layer, type) else ""
            raise TypeError(
                f"layer {number} is {layer!r}; expected ntk.Dense(...) or an activation{hint}. Layers with positions "
                f"or branches go into ntk.Serial; softmax and max-pooling have no closed form: {EMPIRICAL}"
            )
    if not layers or not isinstance(layers[0], Dense):
        got = layers[0] if layers else "no layer"
        raise ValueError(f"the network starts with {got}; expected ntk.Dense(...) first: it makes its output Gaussian")
    for number, (first, second) in enumerate(zip(layers, layers[1:], strict=False)):
        if not isinstance(first, Dense) and not isinstance(second, Dense):
            raise ValueError(
                f"layers {number} and {number + 1} are {first} and {second}; the second acts on variables that are not "
                f"Gaussian, which has no closed form: put an ntk.Dense(...) between them, or {EMPIRICAL}"
            )
    return Network(tuple(layers))


def mlp(
    *, depth: int, activation: Activation, W_std: float = 1.0, b_std: float = 0.0, parametrization: str = "ntk",
    widths: Sequence[int] | None = None,
) -> Network:  # fmt: skip
    """`depth` hidden layers (Dense, activation) and a linear head, all Dense with the same W_std and b_std.

    parametrization="standard" needs `widths`: the input's columns and the width of every hidden layer, depth + 1
    integers, each the fan_in of one Dense; see `parametrization` for what the kernel then is.
    Raises TypeError or ValueError if depth is not an integer >= 1 (a linear model is serial(Dense(...))), or for widths
    that are missing, too many, or given without need.
    """
    if isinstance(depth, bool) or not isinstance(depth, int | np.integer):
        raise TypeError(f"depth is {depth!r} of type {type(depth).__name__}; expected an integer >= 1")
    if depth < 1:
        raise ValueError(
            f"depth is {depth}: expected at least 1 hidden layer; for none write ntk.serial(ntk.Dense(...))"
        )
    if parametrization == "standard" and not (isinstance(widths, Sequence) and len(widths) == depth + 1):
        raise ValueError(
            f"widths is {widths!r}; the standard parametrization needs {depth + 1} integers: the number of columns of "
            "the input, then the width of every hidden layer"
        )
    if parametrization == "ntk" and widths is not None:
        raise ValueError(f"widths = {widths!r}: the kernel of the ntk parametrization needs none; leave them out")
    dense = [Dense(W_std, b_std, parametrization, n) for n in widths or (None,) * (depth + 1)]
    return serial(*[layer for one in dense[:-1] for layer in (one, activation)], dense[-1])
