r"""Training of attention, batched over replicates: normalised descent on W or (K, Q), plain descent, flow in log time.

    normalised:  W ← W − h ∇L/‖∇L‖;     on W = K Qᵀ: K ← K − h ∇_K/‖∇_K‖, Q ← Q − h ∇_Q/‖∇_Q‖ (each on its own)
    plain:       W ← W − h ∇L
    log time:    normalised steps, with t ← t + h/‖∇L‖ kept as ln t: gradient flow far beyond float's range of t

Gradients in the log domain (`model`). `record(k, W, log_time)` sees the state after k steps, k in `record_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from corollary.arrays import Array, array_namespace
from corollary.sims.attention.model import Tasks, log_gradient

Record = Callable[[int, Array, Any], None]


def norm(W: Array) -> Array:
    """‖W‖_F (B, 1, 1)."""
    xp = array_namespace(W)
    return xp.sqrt(xp.sum(W * W, axis=(1, 2), keepdims=True))


def _check(rate: float, steps: int, record_at: Collection[int]) -> set[int]:
    if not rate > 0 or steps < 1:
        raise ValueError(f"rate = {rate!r}, steps = {steps!r}; expected a positive rate and at least one step")
    times = set(record_at)
    if times and not 0 < min(times) <= max(times) <= steps:
        raise ValueError(f"record_at = {sorted(times)}; expected step numbers in 1..{steps}")
    return times


def train_w(
    tasks: Tasks,
    W: Array,
    *,
    rate: float,
    steps: int,
    normalised: bool = True,
    record: Record | None = None,
    record_at: Collection[int] = (),
) -> Array:
    """W (B, d, d) after `steps` steps from W. log_time in `record`: ln Σ h/‖∇L‖ (normalised), ln(h k) (plain), (B,).

    Raises ValueError (rate, steps, record_at).
    """
    xp, times = array_namespace(W), _check(rate, steps, record_at)
    log_time = None
    for k in range(1, steps + 1):
        G, factor = log_gradient(tasks, W)
        size = norm(G)
        if normalised:
            W = W - rate * G / xp.where(size > 0, size, xp.ones_like(size))
            gain = -factor - xp.log(size[:, 0, 0] / rate)
            log_time = gain if log_time is None else _log_add(log_time, gain, xp)
        else:
            W = W - rate * xp.exp(factor)[:, None, None] * G
            log_time = xp.log(xp.zeros_like(factor) + rate * k)
        if record is not None and k in times:
            record(k, W, log_time)
    return W


def train_kq(
    tasks: Tasks,
    K: Array,
    Q: Array,
    *,
    rate: float,
    steps: int,
    record: Record | None = None,
    record_at: Collection[int] = (),
) -> Array:
    """W = K Qᵀ after `steps` normalised steps on K, Q (B, d, m). A gradient that is exactly zero moves nothing."""
    xp, times = array_namespace(K), _check(rate, steps, record_at)

    def unit(G: Array) -> Array:
        size = norm(G)
        return G / xp.where(size > 0, size, xp.ones_like(size))

    for k in range(1, steps + 1):
        G, _ = log_gradient(tasks, xp.matmul(K, xp.matrix_transpose(Q)))
        step_K, step_Q = unit(xp.matmul(G, Q)), unit(xp.matmul(xp.matrix_transpose(G), K))
        K, Q = K - rate * step_K, Q - rate * step_Q
        if record is not None and k in times:
            record(k, xp.matmul(K, xp.matrix_transpose(Q)), None)
    return xp.matmul(K, xp.matrix_transpose(Q))


def _log_add(a: Array, b: Array, xp: Any) -> Array:
    high = xp.where(a > b, a, b)
    return high + xp.log(xp.exp(a - high) + xp.exp(b - high))
