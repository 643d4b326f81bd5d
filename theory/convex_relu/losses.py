"""The three losses, summed over points (no 1/n), with what a dual certificate needs of them.

| loss     | L(f, y)              | dual value −L*(−ν)                   | domain of ν   | targets |
|----------|----------------------|--------------------------------------|---------------|---------|
| squared  | ½ Σ (f − y)²         | ½‖y‖² − ½‖ν − y‖²                    | all           | real    |
| hinge    | Σ (1 − y f)_+        | Σ y ν                                | 0 ≤ y ν ≤ 1   | ±1      |
| logistic | Σ log(1 + e^{−y f})  | Σ H(y ν), H(p) = −p ln p − (1−p) ln(1−p) | 0 ≤ y ν ≤ 1 | ±1      |

The dual of min L(Σ F_g u_g) + β Σ ‖u_g‖ is max −L*(−ν), at the optimum ν = −∂L(f) (the residual y − f if squared).
Axis 0 are points; further axes are separate problems, each with a value of its own.
"""

from __future__ import annotations

from typing import Literal

from corollary.arrays import Array, array_namespace

Loss = Literal["squared", "hinge", "logistic"]
LOSSES = ("squared", "hinge", "logistic")


def value(loss: Loss, f: Array, y: Array) -> Array:
    """L(f, y) summed over axis 0."""
    xp = array_namespace(f, y)
    if loss == "squared":
        return xp.sum((f - y) ** 2, axis=0) / 2
    m = y * f
    if loss == "hinge":
        return xp.sum(xp.clip(1 - m, 0, None), axis=0)
    return xp.sum(xp.clip(-m, 0, None) + xp.log1p(xp.exp(-xp.abs(m))), axis=0)  # no overflow on either side


def dual_point(loss: Loss, f: Array, y: Array) -> Array:
    """ν = −∂L/∂f; for the hinge the subgradient that is y below the margin and 0 above."""
    xp = array_namespace(f, y)
    if loss == "squared":
        return y - f
    m = y * f
    if loss == "hinge":
        return y * xp.astype(m < 1, f.dtype)
    e = xp.exp(-xp.abs(m))
    return y * xp.where(m > 0, e, xp.ones_like(e)) / (1 + e)


def curvature(loss: Loss, f: Array, y: Array) -> Array:
    """∂²L/∂f² of a smooth loss."""
    xp = array_namespace(f, y)
    if loss == "squared":
        return xp.ones_like(f)
    p = y * dual_point(loss, f, y)
    return p * (1 - p)


def dual_value(loss: Loss, nu: Array, y: Array) -> Array:
    """−L*(−ν) summed over axis 0; −∞ outside the domain."""
    xp = array_namespace(nu, y)
    if loss == "squared":
        return xp.sum(nu * y - nu * nu / 2, axis=0)
    p = y * nu
    outside = xp.any((p < 0) | (p > 1), axis=0)
    total = xp.sum(p if loss == "hinge" else entropy(p), axis=0)
    return xp.where(outside, xp.full_like(total, -float("inf")), total)


def entropy(p: Array) -> Array:
    """H(p) = −p ln p − (1 − p) ln(1 − p), 0 at the ends (and outside, where the caller looks)."""
    xp = array_namespace(p)
    inside = (p > 0) & (p < 1)
    q = xp.where(inside, p, xp.full_like(p, 0.5))
    return xp.where(inside, -q * xp.log(q) - (1 - q) * xp.log1p(-q), xp.zeros_like(p))


def into_domain(loss: Loss, nu: Array, y: Array) -> Array:
    """The nearest ν of the dual's domain."""
    xp = array_namespace(nu, y)
    return nu if loss == "squared" else y * xp.clip(y * nu, 0.0, 1.0)


def best_scaling(loss: Loss, nu: Array, y: Array, limit: Array) -> Array:
    """s ∈ [0, limit] (per problem) that makes the dual value at s ν large, s ν in the domain.

    Exact for the squared loss (a parabola in s) and the hinge (linear); for the logistic min(1, limit), exact at the
    optimum.
    """
    xp = array_namespace(nu, y)
    if loss == "squared":
        square = xp.sum(nu * nu, axis=0)
        peak = xp.where(square > 0, xp.sum(nu * y, axis=0), 0.0) / xp.where(square > 0, square, 1.0)
        return xp.clip(xp.minimum(peak, limit), 0.0, None)
    top = xp.max(xp.abs(nu), axis=0)
    within = xp.where(top > 0, 1.0 / xp.where(top > 0, top, xp.ones_like(top)), xp.ones_like(top))
    return xp.minimum(limit, within if loss == "hinge" else xp.ones_like(limit))


def prox(loss: Loss, x: Array, y: Array, rho: float) -> Array:
    """argmin_t L(t, y) + ρ/2 (t − x)²."""
    xp = array_namespace(x, y)
    if loss == "squared":
        return (y + rho * x) / (1 + rho)
    m = y * x
    if loss == "hinge":
        return y * xp.where(m >= 1, m, xp.minimum(m + 1 / rho, xp.ones_like(m)))
    # t = m + q/ρ with q = 1/(1 + e^t) in (0, 1): Newton on the convex dual, kept inside by bisection
    low, high = xp.zeros_like(m), xp.ones_like(m)
    q = 1 / (1 + xp.exp(xp.clip(m, -40.0, 40.0)))
    for _ in range(60):
        t = m + q / rho
        gap = q - 1 / (1 + xp.exp(xp.clip(t, -700.0, 700.0)))  # increasing in q
        low, high = xp.where(gap < 0, q, low), xp.where(gap < 0, high, q)
        s = 1 / (1 + xp.exp(xp.clip(t, -700.0, 700.0)))
        new = q - gap / (1 + s * (1 - s) / rho)
        new = xp.where((new <= low) | (new >= high), (low + high) / 2, new)
        q = xp.where(xp.abs(gap) <= 4 * float(xp.finfo(m.dtype).eps), q, new)
        if bool(xp.all(xp.abs(gap) <= 4 * float(xp.finfo(m.dtype).eps))):
            break
    return y * (m + q / rho)
