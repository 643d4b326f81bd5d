r"""One layer of softmax attention with a fixed linear head, batched over B replicates, its gradient in the log domain.

    f_i(W) = Σ_t γ_it s_it,  s_i = softmax(X_i W z_i),  γ_it = Y_i vᵀx_it;   L = (1/n) Σ log(1 + exp(−f_i))

X (B, n, T, d), Z (B, n, d), γ (B, n, T), W (B, d, d): tokens on the left of W, queries on the right, no 1/√d.
With j the top token of sequence i, s_it (γ_it − f_i) for t ≠ j is formed from log s_it and differences to j, and the
largest such s is taken out of the gradient as a factor: ∇L = exp(factor) · direction, which neither rounds to zero nor
loses its direction when s_ij rounds to 1. `naive_gradient` is the textbook form, its twin for ‖W‖ up to about 50.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from corollary.arrays import Array, array_namespace, device


class Scaled(NamedTuple):
    """exp(factor) · direction; direction (B, d, d), factor (B,)."""

    direction: Array
    factor: Array


class Tasks(NamedTuple):
    """X (B, n, T, d), Z (B, n, d), scores γ (B, n, T)."""

    X: Array
    Z: Array
    scores: Array


def logits(tasks: Tasks, W: Array) -> Array:
    """X_i W z_i, (B, n, T)."""
    xp = array_namespace(W)
    queries = xp.matmul(tasks.Z, xp.matrix_transpose(W))
    return xp.matmul(tasks.X, queries[..., None])[..., 0]


def selected(tasks: Tasks, W: Array) -> Array:
    """The token with the largest attention, (B, n)."""
    return array_namespace(W).argmax(logits(tasks, W), axis=-1)


def _log_softmax(a: Array, xp: Any) -> Array:
    a = a - xp.max(a, axis=-1, keepdims=True)
    return a - xp.log(xp.sum(xp.exp(a), axis=-1, keepdims=True))


def log_gradient(tasks: Tasks, W: Array) -> Scaled:
    """∇L as direction and log factor, finite at every ‖W‖."""
    xp = array_namespace(W)
    X, Z, γ = tasks
    log_s = _log_softmax(logits(tasks, W), xp)
    top = xp.argmax(log_s, axis=-1, keepdims=True)
    T = X.shape[2]
    is_top = xp.arange(T, device=device(W))[None, None, :] == top
    zero = xp.zeros_like(log_s)
    s = xp.where(is_top, zero, xp.exp(log_s))  # of the others
    γ_top = xp.sum(xp.where(is_top, γ, zero), axis=-1, keepdims=True)
    δ = γ - γ_top
    mean = xp.sum(s * δ, axis=-1, keepdims=True)  # f − γ_top
    slope = -1 / (1 + xp.exp(γ_top + mean))  # ℓ'(f) = −1/(1 + e^f)
    rest = xp.where(is_top, zero - float("inf"), log_s)
    factor = xp.max(rest, axis=(1, 2), keepdims=True)
    weight = xp.where(is_top, zero, xp.exp(xp.where(is_top, factor, log_s) - factor) * (δ - mean) * slope)
    x_top = xp.sum(xp.where(is_top[..., None], X, xp.zeros_like(X)), axis=2, keepdims=True)
    left = xp.matmul(weight[..., None, :], X - x_top)[..., 0, :] * (1.0 / X.shape[1])
    return Scaled(xp.matmul(xp.matrix_transpose(left), Z), factor[:, 0, 0])


def naive_gradient(tasks: Tasks, W: Array) -> Array:
    """∇L (B, d, d) as autodiff of the softmax forms it: zero or rounding noise once s_ij rounds to 1."""
    xp = array_namespace(W)
    X, Z, γ = tasks
    s = xp.exp(_log_softmax(logits(tasks, W), xp))
    f = xp.sum(s * γ, axis=-1, keepdims=True)
    weight = s * (γ - f) * (-1 / (1 + xp.exp(f)))
    left = xp.matmul(weight[..., None, :], X)[..., 0, :] * (1.0 / X.shape[1])
    return xp.matmul(xp.matrix_transpose(left), Z)


def loss(tasks: Tasks, W: Array) -> Array:
    """L (B,)."""
    xp = array_namespace(W)
    s = xp.exp(_log_softmax(logits(tasks, W), xp))
    return xp.mean(xp.log1p(xp.exp(-xp.sum(s * tasks.scores, axis=-1))), axis=-1)
