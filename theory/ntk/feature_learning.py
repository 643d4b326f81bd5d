r"""Feature learning in closed form: linear networks with one hidden layer, of any width, in maximal-update scaling.

    f(x) = (1/n) Σ_i v_i (u_i·x),  u_i ∈ R^d, v_i ∈ R^o standard normal,  learning rate η n,  loss (1/2P) Σ |f − y|²

(μP or mean field: `abc` with a = (0, 1), b = 0, c = −1.) With z_i = (u_i, v_i) and M = (1/n) Σ z_i z_iᵀ =
[[M_uu, M_uv], [M_vu, M_vv]], f(x) = M_vu x; one step multiplies every neuron by one matrix, z ← A z, so at every width

    M ← A M A,   A = I − η [[0, G], [Gᵀ, 0]],   G = (1/P) Σ x (f − y)ᵀ.

The infinite width starts at M = I (Yang, Hu 2021, Sections 4 and 6: their limit for linear networks; that the second
moment closes it, and at finite width too, is ours). A width n differs from it by its start alone: M_0 − I has
independent entries of variance 2/n on the diagonal and 1/n off it, so that f_n − f_∞ ~ n^(−1/2), to first order by the
derivative of the recursion.

Whitened inputs, (1/P) Σ x xᵀ = I, and small steps: each singular value s of (1/P) Σ y xᵀ has a mode of its own,
M = [[p, q], [q, p]] with p² − q² = 1 and dq/dt = 2 (s − q) √(1 + q²). The tangent kernel's limit keeps p = 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype

__all__ = [
    "Mode", "Trajectory", "descent_step", "mode_flow", "outputs", "trajectory",
]  # fmt: skip


class Trajectory(NamedTuple):
    """After 0, 1, … steps: `outputs` (T + 1, P, o) at infinite width; `sd`, of the same shape: lim √n sd(f_n)."""

    outputs: Array
    sd: Array


class Mode(NamedTuple):
    """`output` q and `features` p, the second moment of u and of v along the mode, at each time."""

    output: Array
    features: Array


def outputs(moments: Array, x: Array) -> Array:
    """f at the rows of x (P, d), from M (…, d + o, d + o): (…, P, o). Raises TypeError or ValueError for a misfit."""
    xp = _fit(moments, x)
    d = x.shape[-1]
    return xp.matmul(x, moments[..., :d, d:])


def descent_step(moments: Array, x: Array, y: Array, rate: float) -> Array:
    """M after one step of full-batch descent at learning rate n·`rate`, exact at every width. x (P, d), y (P, o).

    Raises TypeError or ValueError for arrays that do not fit, or a rate that is not positive.
    """
    xp = _supervised(moments, x, y, rate)
    A = _map(xp, _gradient(xp, outputs(moments, x) - y, x), rate, identity=True)
    return xp.matmul(xp.matmul(A, moments), A)


def trajectory(x: Array, y: Array, rate: float, steps: int) -> Trajectory:
    """The infinite width and its finite-width fluctuation, at the training inputs. x (P, d), y (P, o).

    sd² is the sum over the entries of M_0 − I of their variance times the squared derivative: (d + o)(d + o + 1)/2
    tangents are carried along. Raises TypeError or ValueError for arrays that do not fit, rate <= 0, steps < 0.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ValueError(f"steps = {steps!r}; expected an integer >= 0")
    D = x.shape[-1] + y.shape[-1]
    xp = array_namespace(x, y)
    M = xp.eye(D, dtype=x.dtype, device=device(x))
    _supervised(M, x, y, rate)
    tangents = xp.stack([_direction(xp, M, i, j) for i in range(D) for j in range(i, D)])
    means, sds = [], []
    for t in range(steps + 1):
        f, df = outputs(M, x), outputs(tangents, x)
        means.append(f)
        sds.append(xp.sqrt(xp.sum(df * df, axis=0)))
        if t < steps:
            A = _map(xp, _gradient(xp, f - y, x), rate, identity=True)
            half = xp.matmul(_map(xp, _gradient(xp, df, x), rate, identity=False), xp.matmul(M, A))
            tangents = half + xp.matrix_transpose(half) + xp.matmul(xp.matmul(A, tangents), A)
            M = xp.matmul(xp.matmul(A, M), A)
    return Trajectory(xp.stack(means), xp.stack(sds))


def mode_flow(strength: float, time: Array) -> Mode:
    """q(t) = 2w/(1 − w²), w = κ(1 − e^(−τ))/(1 + κ² e^(−τ)), κ = s/(1 + √(1 + s²)), τ = 2t√(1 + s²); p = √(1 + q²).

    Gradient flow of a mode of singular value `strength` from p = 1, q = 0; time (T,), >= 0. Accurate to (1 + |s|) times
    rounding. Raises TypeError for a strength or times that are no floats, ValueError for one not finite or negative.
    """
    xp = require_floating("time", time)
    s = float(strength)
    if not math.isfinite(s):
        raise ValueError(f"strength = {strength!r}; expected a finite number")
    if not bool(xp.all(time >= 0)):
        raise ValueError("time has negative entries; the flow starts at time 0")
    root = math.hypot(1.0, s)
    κ = s / (1 + root)
    left = xp.exp(-2 * root * time)
    w = κ * (1 - left) / (1 + κ * κ * left)
    q = 2 * w / ((1 - w) * (1 + w))
    return Mode(q, xp.sqrt(1 + q * q))


def _gradient(xp, residual: Array, x: Array) -> Array:
    """G (…, d, o)."""
    return xp.matmul(xp.matrix_transpose(x), residual) / x.shape[-2]


def _map(xp, G: Array, rate: float, *, identity: bool) -> Array:
    """A (identity) or dA (…, D, D) from G or dG."""
    d, o = G.shape[-2:]

    def square(k: int) -> Array:
        zero = xp.zeros((*G.shape[:-2], k, k), dtype=G.dtype, device=device(G))
        return zero + xp.eye(k, dtype=G.dtype, device=device(G)) if identity else zero

    above = xp.concat([square(d), -rate * G], axis=-1)
    return xp.concat([above, xp.concat([-rate * xp.matrix_transpose(G), square(o)], axis=-1)], axis=-2)


def _direction(xp, M: Array, i: int, j: int) -> Array:
    """One standard deviation, times √n, of the entry (i, j) of M_0."""
    unit = xp.zeros_like(M)
    unit[i, j] = unit[j, i] = math.sqrt(2) if i == j else 1.0
    return unit


def _fit(moments: Array, x: Array):
    xp = require_floating("x", x, ndim=2)
    require_floating("moments", moments)
    array_namespace(moments, x)
    require_same_dtype(moments=moments, x=x)
    if moments.ndim < 2 or moments.shape[-1] != moments.shape[-2] or moments.shape[-1] <= x.shape[1]:
        raise ValueError(
            f"moments has shape {tuple(moments.shape)}, x {tuple(x.shape)}; "
            "expected (…, d + o, d + o) and (P, d), o >= 1"
        )
    return xp


def _supervised(moments: Array, x: Array, y: Array, rate: float):
    xp = _fit(moments, x)
    require_floating("y", y, ndim=2)
    require_same_dtype(x=x, y=y)
    if tuple(y.shape) != (x.shape[0], moments.shape[-1] - x.shape[1]):
        raise ValueError(
            f"y has shape {tuple(y.shape)}; expected ({x.shape[0]}, {moments.shape[-1] - x.shape[1]}), "
            "the outputs at each x"
        )
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError(f"rate = {rate!r}; expected a finite number > 0")
    return xp
