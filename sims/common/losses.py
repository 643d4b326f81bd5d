"""Losses ℓ(f, y), averaged over N points, with gradient and Hessian in the outputs f.

    mse             ℓ = (1/2N) Σ_i ‖f_i − y_i‖²       N ∂ℓ/∂f_i = f_i − y_i         N ∂²ℓ/∂f_i² = I
    cross_entropy   ℓ = −(1/N) Σ_i ln (softmax f_i)[y_i]   N ∂ℓ/∂f_i = p_i − e_{y_i}   N ∂²ℓ/∂f_i² = diag p_i − p_i p_iᵀ

f is (S, N, o) for S replicates. Targets: mse takes y (N, o) or (S, N, o) of the dtype of f; cross_entropy takes integer
labels (N,), 0 ≤ y < o. Hessians of different points do not mix, so `hessian(f, y, u)` applies them to u of f's shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from corollary.arrays import Array, array_namespace, device


@dataclass(frozen=True)
class Loss:
    """value(f, y) → (S,); gradient(f, y) and hessian(f, y, u) → the shape of f; `check(f, y)` raises on bad targets."""

    name: str
    value: Callable[[Array, Array], Array]
    gradient: Callable[[Array, Array], Array]
    hessian: Callable[[Array, Array, Array], Array]
    check: Callable[[Array, Array], None]


def softmax(f: Array) -> Array:
    """exp f / Σ exp f over the last axis, after subtracting the largest entry: no overflow."""
    xp = array_namespace(f)
    e = xp.exp(f - xp.max(f, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def _check_mse(f: Array, y: Array) -> None:
    xp = array_namespace(f, y)
    if y.dtype != f.dtype or tuple(y.shape) not in (tuple(f.shape), tuple(f.shape[1:])):
        raise ValueError(
            f"mse: targets are {y.dtype} of shape {tuple(y.shape)}; expected {f.dtype} of shape {tuple(f.shape[1:])}"
        )
    if not bool(xp.all(xp.isfinite(y))):
        raise ValueError("mse: targets hold NaN or infinity; expected finite numbers")


def _check_labels(f: Array, y: Array) -> None:
    xp = array_namespace(f, y)
    if not xp.isdtype(y.dtype, "integral") or tuple(y.shape) != (f.shape[1],):
        raise ValueError(
            f"cross_entropy: labels are {y.dtype} of shape {tuple(y.shape)}; expected integers of shape ({f.shape[1]},)"
        )
    low, high = int(xp.min(y)), int(xp.max(y))
    if low < 0 or high >= f.shape[2]:
        raise ValueError(f"cross_entropy: labels run from {low} to {high}; expected 0 to {f.shape[2] - 1}")


def _one_hot(f: Array, y: Array) -> Array:
    xp = array_namespace(f)
    classes = xp.arange(f.shape[2], dtype=y.dtype, device=device(f))
    return xp.astype(y[:, None] == classes[None, :], f.dtype)


def _mse(f: Array, y: Array) -> Array:
    xp = array_namespace(f)
    r = f - y
    return xp.sum(r * r, axis=(1, 2)) * (0.5 / f.shape[1])


def _cross_entropy(f: Array, y: Array) -> Array:
    xp = array_namespace(f)
    g = f - xp.max(f, axis=-1, keepdims=True)
    log_p = g - xp.log(xp.sum(xp.exp(g), axis=-1, keepdims=True))
    return -xp.sum(log_p * _one_hot(f, y), axis=(1, 2)) * (1.0 / f.shape[1])


def _softmax_hessian(f: Array, y: Array, u: Array) -> Array:
    xp = array_namespace(f)
    p = softmax(f)
    return p * (u - xp.sum(p * u, axis=-1, keepdims=True)) * (1.0 / f.shape[1])


mse = Loss("mse", _mse, lambda f, y: (f - y) * (1.0 / f.shape[1]), lambda f, y, u: u * (1.0 / f.shape[1]), _check_mse)
cross_entropy = Loss(
    "cross_entropy",
    _cross_entropy,
    lambda f, y: (softmax(f) - _one_hot(f, y)) * (1.0 / f.shape[1]),
    _softmax_hessian,
    _check_labels,
)

LOSSES = {loss.name: loss for loss in (mse, cross_entropy)}
