r"""The activations of finite networks, each as value and derivative, for `exact` and `architectures`.

An activation is a tuple (name, parameters...): ("relu",), ("leaky_relu", slope), ("abrelu", a, b) = b max(z, 0) +
a min(z, 0), ("abs",), ("identity",), ("sign",), ("erf",), ("sin",), ("cos",), ("tanh",), ("gelu",) = zΦ(z),
("sigmoid_like",) = (1 + erf(z/2.4020563531719796))/2, ("rbf", γ) = √2 sin(√(2γ) z + π/4), ("monomial", d),
("hermite", d) = He_d/√d!, and ("function", φ, φ') for two functions of a NumPy array.

Values take the branch of the real part of z, so that a step ih into the complex plane gives the derivative at Re z;
a function of the user's is called on real numbers alone, and continued by φ(x) + i φ'(x) y. Host only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial.hermite_e import hermeder, hermeval
from scipy.special import erf

Pair = tuple[Callable[[Any], Any], Callable[[Any], Any]]
_SIGMOID = 1 / 2.4020563531719796


def _bell(z: Any) -> Any:
    return 2 / math.sqrt(math.pi) * np.exp(-z * z)


def _normal(z: Any) -> Any:
    return (1 + erf(z / math.sqrt(2))) / 2


def _abrelu(a: float, b: float) -> Pair:
    return lambda z: z * np.where(z.real > 0, b, a), lambda z: np.where(z.real > 0, b, a)


def _rbf(γ: float) -> Pair:
    c = math.sqrt(2 * γ)
    return (
        lambda z: math.sqrt(2) * np.sin(c * z + math.pi / 4),
        lambda z: math.sqrt(2) * c * np.cos(c * z + math.pi / 4),
    )


def _hermite(d: int) -> Pair:
    top = np.eye(d + 1)[d] / math.sqrt(math.factorial(d))
    return lambda z: hermeval(z, top), lambda z: hermeval(z, hermeder(top))


def _function(value: Callable, derivative: Callable) -> Pair:
    def continued(z: Any) -> Any:
        return value(z) if np.isrealobj(z) else value(z.real) + 1j * derivative(z.real) * z.imag

    return continued, derivative


_PLAIN: dict[str, Pair] = {
    "relu": (lambda z: z * (z.real > 0), lambda z: (z.real > 0) * 1.0),
    "abs": (lambda z: z * np.sign(z.real), lambda z: np.sign(z.real)),
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "sign": (lambda z: np.sign(z.real) + 0 * z, lambda z: 0 * z),
    "erf": (erf, _bell),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda z: -np.sin(z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "gelu": (lambda z: z * _normal(z), lambda z: _normal(z) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)),
    "sigmoid_like": (lambda z: (1 + erf(_SIGMOID * z)) / 2, lambda z: _SIGMOID * _bell(_SIGMOID * z) / 2),
}
_MADE: dict[str, Callable[..., Pair]] = {
    "leaky_relu": lambda slope: _abrelu(slope, 1.0),
    "abrelu": _abrelu,
    "rbf": _rbf,
    "monomial": lambda d: (lambda z: z**d, lambda z: d * z ** max(d - 1, 0)),
    "hermite": _hermite,
    "function": _function,
}
NAMES = tuple(sorted([*_PLAIN, *_MADE]))


def activation(name: str, *parameters: Any) -> Pair:
    """(φ, φ') of the activation. Raises ValueError for an unknown name, or parameters that it does not take."""
    try:
        if name in _PLAIN and not parameters:
            return _PLAIN[name]
        if name in _MADE:
            return _MADE[name](*parameters)
    except TypeError as error:
        raise ValueError(f"activation {name!r} does not take the parameters {parameters}: {error}") from error
    raise ValueError(f"no activation {name!r} with the parameters {parameters}; known: {', '.join(NAMES)}")
