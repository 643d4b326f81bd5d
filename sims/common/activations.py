"""Activations φ with φ′ and φ″, elementwise, in the namespace of the input.

| name | φ(z) | φ′(z) | φ″(z) |
|---|---|---|---|
| identity | z | 1 | 0 |
| relu | max(z, 0) | 1[z > 0] | 0 |
| leaky_relu | z for z > 0, slope·z otherwise | 1 for z > 0, slope otherwise | 0 |
| abs | \\|z\\| | sign z | 0 |
| erf | erf z | (2/√π) exp(−z²) | −2z φ′(z) |
| sin | sin z | cos z | −sin z |
| tanh | tanh z | 1/cosh² z | −2 φ(z) φ′(z) |
| gelu | z Φ(z), Φ the normal distribution function (the exact form) | Φ(z) + z ϕ(z), ϕ its density | (2 − z²) ϕ(z) |

At a kink φ′ is what the table says for z = 0: 0 for relu and abs, the slope for leaky_relu (the choice of JAX for
relu and abs), and φ″ is 0: the point mass there is left out, as every automatic differentiation does. With Gaussian
weights a kink is hit with probability 0, except by a zero input without biases.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

from corollary.arrays import Array, array_namespace, erf, ndtr


@dataclass(frozen=True)
class Activation:
    """φ (`value`), φ′ (`derivative`), φ″ (`second`): elementwise functions of one array, which keep dtype and device.

    Only second-order products (Hessians) need `second`.
    """

    name: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    second: Callable[[Array], Array] | None = None


def activation(name: str, slope: float | None = None) -> Activation:
    """The activation called `name`; `slope` belongs to leaky_relu and must be given there, and only there.

    Raises ValueError for an unknown name (and suggests the nearest), for a missing or superfluous slope.
    """
    if name == "leaky_relu":
        if slope is None or not math.isfinite(slope):
            raise ValueError(f"leaky_relu has slope={slope!r}; expected a finite number, e.g. slope=0.1")
        return _leaky_relu(float(slope))
    if name not in _TABLE:
        names = sorted([*_TABLE, "leaky_relu"])
        close = difflib.get_close_matches(str(name).lower(), names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown activation {name!r}; {hint}known: {', '.join(names)}")
    if slope is not None:
        raise ValueError(f"activation {name!r} takes no slope, got slope={slope!r}; only leaky_relu has one")
    return _TABLE[name]


def _step(z: Array) -> Array:
    return array_namespace(z).astype(z > 0, z.dtype)


def _zero(z: Array) -> Array:
    return array_namespace(z).zeros_like(z)


def _relu(z: Array) -> Array:
    # max, not where(z > 0, …): a NaN must stay a NaN
    xp = array_namespace(z)
    return xp.maximum(z, xp.zeros_like(z))


def _leaky_relu(slope: float) -> Activation:
    def value(z: Array) -> Array:
        rectified = _relu(z)
        return rectified + slope * (z - rectified)

    def derivative(z: Array) -> Array:
        return slope + (1.0 - slope) * _step(z)

    return Activation("leaky_relu", value, derivative, _zero)


def _erf_derivative(z: Array) -> Array:
    return (2.0 / math.sqrt(math.pi)) * array_namespace(z).exp(-z * z)


def _tanh_derivative(z: Array) -> Array:
    # 1/cosh² = 4e/(1+e)² with e = exp(−2|z|): 1 − tanh² cancels for large |z| and cosh overflows
    xp = array_namespace(z)
    e = xp.exp(-2.0 * xp.abs(z))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def _gelu_derivative(z: Array) -> Array:
    return ndtr(z) + z * array_namespace(z).exp(-0.5 * z * z) * (1.0 / math.sqrt(2.0 * math.pi))


def _gelu_second(z: Array) -> Array:
    return (2.0 - z * z) * array_namespace(z).exp(-0.5 * z * z) * (1.0 / math.sqrt(2.0 * math.pi))


def _sin(z: Array) -> Array:
    return array_namespace(z).sin(z)


def _tanh(z: Array) -> Array:
    return array_namespace(z).tanh(z)


_TABLE = {
    "identity": Activation("identity", lambda z: +z, lambda z: array_namespace(z).ones_like(z), _zero),
    "relu": Activation("relu", _relu, _step, _zero),
    "abs": Activation("abs", lambda z: array_namespace(z).abs(z), lambda z: array_namespace(z).sign(z), _zero),
    "erf": Activation("erf", erf, _erf_derivative, lambda z: -2.0 * z * _erf_derivative(z)),
    "sin": Activation("sin", _sin, lambda z: array_namespace(z).cos(z), lambda z: -_sin(z)),
    "tanh": Activation("tanh", _tanh, _tanh_derivative, lambda z: -2.0 * _tanh(z) * _tanh_derivative(z)),
    "gelu": Activation("gelu", lambda z: z * ndtr(z), _gelu_derivative, _gelu_second),
}
