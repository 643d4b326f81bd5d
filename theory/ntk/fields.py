r"""Second moments of features that live on positions: pixels of an image, tokens of a sequence.

For n1 × n2 pairs of inputs with P positions each, `k` and `t` (n1, n2, P, P) hold the second moments of the features
(after an activation) or the covariance of the pre-activations, and the tangent kernel, for every pair of positions;
`own1` (n1, P, P) and `own2` (n2, P, P) hold k of every input with itself. `shape` is (height, width), (length,) or ()
and P its product. With no positions, P = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from corollary.arrays import Array, array_namespace
from corollary.theory.ntk.fused import positions_step
from corollary.theory.ntk.moments import Activation, Moments
from corollary.theory.ntk.relu_family import _LinearPlusAbs

_MANY = 64  # positions from which a matrix over them is worth a Python loop


class Field(NamedTuple):
    """See the module. `diagonal`: n1 = n2 and pair (i, i) is an input with itself, evaluated once."""

    k: Array
    t: Array
    own1: Array
    own2: Array
    shape: tuple[int, ...]
    diagonal: bool


def mapped(field: Field, f: Callable[[Array], Array], shape: tuple[int, ...]) -> Field:
    """`f`, a map of the last two axes (P, P) → (P', P') of any stack, applied to everything."""
    return field._replace(k=f(field.k), t=f(field.t), own1=f(field.own1), own2=f(field.own2), shape=shape)


def variances(own: Array) -> Array:
    """(n, P) from (n, P, P)."""
    return array_namespace(own).linalg.diagonal(own)


def activated(field: Field, activation: Activation) -> Field:
    """K ← E[φ(u)φ(v)], Θ ← E[φ'(u)φ'(v)] Θ for every pair of inputs and positions."""
    q1, q2 = variances(field.own1), variances(field.own2)
    k, slope = _step(activation, q1[:, None, :, None], q2[None, :, None, :], field.k)
    own = [_step(activation, q[:, :, None], q[:, None, :], o)[0] for q, o in ((q1, field.own1), (q2, field.own2))]
    return field._replace(k=k, t=slope * field.t, own1=own[0], own2=own[1])


def _step(activation: Activation, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
    xp = array_namespace(k)
    if k.shape[-1] >= _MANY and isinstance(activation, _LinearPlusAbs) and isinstance(k, np.ndarray):
        return positions_step(activation, q1, q2, k)
    s = xp.sqrt(q1) * xp.sqrt(q2)
    # 16 ε s is below what the subtraction knows: a pair within it is taken as parallel, so that the kernel of an input
    # with itself is exact, and no other pair is worse than the √ε of the angle that the subtraction leaves anyway
    slack = 16 * float(xp.finfo(k.dtype).eps) * s
    near, far = s - k, s + k
    near, far = xp.where(near <= slack, 0.0, near), xp.where(far <= slack, 0.0, far)
    moments, slope = activation.step(q1, q2, Moments(k, near, far))
    return moments.k, slope


def positions(shape: tuple[int, ...]) -> int:
    """Their number P."""
    return math.prod(shape)
