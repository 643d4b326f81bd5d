"""A network as SymPy sees it, one parameter at a time; and the recursion of its infinite width with 60 digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.proofs_check.ntk import arccos, arcsine, gaussian, gelu, sine
from corollary.proofs_check.ntk.gaussian import formula, k, q1, q2
from corollary.proofs_check.ntk.quadrature import Quadrature
from corollary.theory import ntk

Real = Callable[..., Any]
W, B = sp.symbols("W_std b_std", positive=True)


class phi(sp.Function):  # noqa: N801  (SymPy prints the class name)
    """An activation of which only φ' is known."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """dφ/dz."""
        return dphi(self.args[0])


class dphi(sp.Function):  # noqa: N801
    """φ'."""


def dense(inputs: Sequence[sp.Expr], weights: Sequence[sp.Expr], bias: sp.Expr) -> sp.Expr:
    """(W_std/√fan_in) Σ w_i a_i + b_std β: one unit of the NTK parametrisation."""
    return sp.expand(W / sp.sqrt(len(inputs)) * sum(w * x for w, x in zip(weights, inputs, strict=True)) + B * bias)


def tangent_kernel(output: sp.Expr, other: sp.Expr, parameters: Iterable[sp.Symbol]) -> sp.Expr:
    """Σ over all parameters of ∂f(x)/∂θ ∂f(x')/∂θ."""
    return sp.expand(sum(sp.diff(output, p) * sp.diff(other, p) for p in parameters))


def _leaky(slant: sp.Rational) -> tuple[sp.Expr, sp.Expr]:
    return arccos.LEAKY_VALUE.subs(arccos.a, slant), arccos.LEAKY_SLOPE.subs(arccos.a, slant)


CLOSED: dict[str, tuple[Callable[[], Any], tuple[sp.Expr, sp.Expr]]] = {
    "Relu": (ntk.Relu, (arccos.VALUE, arccos.SLOPE)),
    "LeakyRelu": (lambda: ntk.LeakyRelu(0.125), _leaky(sp.Rational(1, 8))),
    "Abs": (ntk.Abs, _leaky(sp.Integer(-1))),
    "Erf": (ntk.Erf, (arcsine.VALUE, arcsine.SLOPE)),
    "Sin": (ntk.Sin, (sine.VALUE, sine.SLOPE)),
    "Gelu": (ntk.Gelu, (gelu.VALUE, gelu.SLOPE)),
}


@cache
def quadrature(name: str) -> Quadrature:
    """The 50-digit expectations of ReLU or erf."""
    relu = gaussian.m / 2 + arccos.SMOOTH_ABS / 2
    sides = {"Relu": (gaussian.u, sp.Integer(0), relu), "Erf": (sp.erf(gaussian.u), sp.erf(gaussian.u), arcsine.SMOOTH)}
    return Quadrature(*sides[name])


def closed_forms(name: str) -> tuple[Real, Real, Real]:
    """E[φ(u)²], E[φ(u)φ(v)] and E[φ'(u)φ'(v)] of an activation as derived, with 60 digits."""
    value, slope = CLOSED[name][1]
    diagonal = value.subs({q2: q1, k: q1}, simultaneous=True)
    return formula(sp.simplify(diagonal), q1), formula(value), formula(slope)


def recursion(
    x: np.ndarray, y: np.ndarray, depth: int, W_std: float, b_std: float, expectations: tuple[Real, Real, Real]
) -> tuple[Any, Any]:
    """(Σ, Θ) of `depth` hidden layers at one pair of inputs (d,), each layer by the given expectations."""
    variance, value, slope = expectations
    with mp.workdps(60):
        w, b = mp.mpf(W_std) ** 2, mp.mpf(b_std) ** 2

        def inner(left: np.ndarray, right: np.ndarray) -> Any:
            return w * mp.fdot(map(float, left), map(float, right)) / len(left) + b

        a, c, cross = inner(x, x), inner(y, y), inner(x, y)
        tangent = cross
        for _ in range(depth):
            # parallel inputs may reach a cosine of 1 + 1e-60, whose arccos is imaginary: 1e-30
            bend = mp.re(slope(a, c, cross))
            cross = w * mp.re(value(a, c, cross)) + b
            a, c = w * variance(a) + b, w * variance(c) + b
            tangent = cross + w * bend * tangent
        return cross, tangent


def coded(x: np.ndarray, y: np.ndarray, depth: int, W_std: float, b_std: float, activation: Any) -> tuple[float, float]:
    """(Σ, Θ) of the code at the same pair."""
    kernel = ntk.mlp(depth=depth, activation=activation, W_std=W_std, b_std=b_std).kernel(x[None, :], y[None, :])
    return float(kernel.nngp[0, 0]), float(kernel.ntk[0, 0])


def input_pairs(seed: int, count: int, d: int = 3) -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    """(x, x', W_std, b_std): Gaussian inputs, W_std in [0.7, 1.5], b_std in [0.1, 1]."""
    rng = np.random.default_rng(seed)
    return [(*rng.normal(size=(2, d)), rng.uniform(0.7, 1.5), rng.uniform(0.1, 1.0)) for _ in range(count)]
