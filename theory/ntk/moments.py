r"""What travels through an infinitely wide network for a set of input pairs.

For a pair of pre-activations $(u,v)$, centred Gaussian with variances $q_1,q_2$ and covariance $k$, three numbers
are carried: $k$ itself and both gaps to Cauchy–Schwarz,

    near = √(q₁q₂) − k,      far = √(q₁q₂) + k,

each computed without cancellation. The angle is then $θ = 2\,\mathrm{atan2}(\sqrt{near}, \sqrt{far})$ with an absolute
error of a few ε at every angle, while arccos(k/√(q₁q₂)) has one of √ε near 0 and π. The same three numbers describe
the features φ(u), φ(v) after an activation.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import NamedTuple, Protocol

from corollary.arrays import Array, require_floating, require_same_dtype

# what to do where there is no closed form
EMPIRICAL = "use the empirical kernel of a finite network: corollary.sims.ntk.callables.tangent_kernel(vjp, x)"


class Moments(NamedTuple):
    """Second moments of n1 × n2 pairs: `k`, `near` = √(v1 v2) − k ≥ 0, `far` = √(v1 v2) + k ≥ 0, all (n1, n2)."""

    k: Array
    near: Array
    far: Array


class Activation(Protocol):
    """A nonlinearity φ with closed-form Gaussian expectations. `q1` is (n1, 1) and `q2` is (1, n2) in `step`."""

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(E[φ(u)φ(v)], E[φ'(u)φ'(v)]), elementwise, for (u,v) ~ N(0, [[q1, k], [k, q2]]), as a paper writes them."""
        ...

    def variance(self, q: Array) -> tuple[Array, Array]:
        """(E[φ(u)²], E[φ'(u)²]) for u ~ N(0, q)."""
        ...

    def step(self, q1: Array, q2: Array, pair: Moments) -> tuple[Moments, Array]:
        """The moments of (φ(u), φ(v)) from those of (u, v), and E[φ'(u)φ'(v)]: the accurate form of `dual`."""
        ...


def checked_covariance(q1: Array, q2: Array, k: Array):
    """The namespace, after checking that [[q1, k], [k, q2]] is a covariance, elementwise.

    Raises TypeError (array type, dtype) or ValueError (NaN, negative variance, |k| > √(q1 q2)).
    """
    xp = require_floating("q1", q1)
    require_floating("q2", q2)
    require_floating("k", k)
    require_same_dtype(q1=q1, q2=q2, k=k)
    for name, q in (("q1", q1), ("q2", q2)):
        if bool(xp.any(q < 0)):
            raise ValueError(f"{name} has the negative variance {float(xp.min(q)):.3g}; expected {name} >= 0")
    # 1000 ε: the rounding of some hundred layers of a caller's own recursion, far below any wrong covariance
    slack = 1.0 + 1000 * float(xp.finfo(k.dtype).eps)
    if bool(xp.any(xp.abs(k) > slack * xp.sqrt(q1) * xp.sqrt(q2))):
        raise ValueError(
            "|k| exceeds sqrt(q1 q2) somewhere; expected the covariance k of variables with variances q1, q2"
        )
    return xp


def real_number(name: str, value: object, *, positive: bool = False, nonnegative: bool = False) -> float:
    """`value` as a finite float. Raises TypeError for anything but a real number, ValueError out of the domain."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; expected a real number")
    number = float(value)
    domain = "finite and positive" if positive else "finite and >= 0" if nonnegative else "finite"
    if not math.isfinite(number) or (positive and number <= 0) or (nonnegative and number < 0):
        raise ValueError(f"{name} is {value!r}; expected it {domain}")
    return number
