"""Full-batch gradient descent on ℓ = (1/2N) Σ ‖f(x_i) − y_i‖² (N points, outputs summed), batched over replicates.

    θ ← θ − η Jᵀ (f − y)/N

Each replicate is a run of its own: it stops for good at its first step where every residual |f − y| is below the
tolerance, so its result does not depend on which replicates run beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating
from corollary.sims.common.networks import Network, Params, Trace, deltas, propagate, require_input
from corollary.sims.common.replicates import on_gpu

# Entries of the temporary of one update. CPU: large enough to amortise a call, small enough to stay in a core's cache
# (measured: 2**17 is the best power of two for widths 64 to 1000). GPU: 512 MiB of float64.
_CPU_BLOCK = 2**17
_GPU_BLOCK = 2**26


class Trained(NamedTuple):
    """`params` and outputs `f` (S, N, o) at the end; `residual` (S,) = max |f − y|; `steps` (S,) taken, int64."""

    params: Params
    f: Array
    residual: Array
    steps: Array


def gradient_descent(
    net: Network,
    params: Params,
    x: Array,
    y: Array,
    *,
    learning_rate: float,
    steps: int,
    tolerance: float | None = None,
    record: Callable[[int, Params, Array], None] | None = None,
    record_at: Collection[int] = (),
    overwrite: bool = False,
) -> Trained:
    """At most `steps` steps of gradient descent from `params`, for targets y (N, o) or (S, N, o).

    tolerance: a replicate is frozen once all its |f − y| are < tolerance (None: never).
    record(t, params, f) is called after t steps for each t in `record_at` (0 is the start), also once all replicates
    are frozen; it must not keep or change `params`, which the next step updates in place.
    overwrite: update the arrays of `params` themselves instead of copies (half the memory).

    Raises ValueError for learning_rate ≤ 0, steps < 0, record_at outside 0…steps, shapes that do not fit;
    FloatingPointError naming learning rate and step when an output ceases to be finite.
    """
    check_schedule(learning_rate, steps, tolerance, record_at)
    x = require_input(params, x)
    y = require_targets(params, x, y)
    if not overwrite:
        xp = array_namespace(x)
        params = Params(*(tuple(xp.asarray(p, copy=True) for p in group) for group in params))
    N = x.shape[-2]

    def outputs() -> tuple[Trace, Array]:
        trace = propagate(net, params, x)
        return trace, trace.z[-1]

    def update(trace: Trace, residual: Array) -> None:
        descend_by(net, params, trace, deltas(net, params, trace, residual * (1.0 / N)), learning_rate)

    return Trained(
        params, *descend_until(outputs, update, y, params, learning_rate, steps, tolerance, record, record_at)
    )


def descend_until(
    outputs: Callable[[], tuple[Trace, Array]],
    update: Callable[[Trace, Array], None],
    y: Array,
    params: Params,
    learning_rate: float,
    steps: int,
    tolerance: float | None,
    record: Callable[[int, Params, Array], None] | None,
    record_at: Collection[int],
) -> tuple[Array, Array, Array]:
    """The loop around the model: (f, residual, steps) as in `Trained`. `update` takes the residuals f − y, with those
    of frozen replicates set to zero, and changes `params` in place."""
    xp = array_namespace(y)
    wanted = set(record_at)
    frozen = taken = None
    # overflow and NaN are looked for, and reported, below
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps + 1):
            trace, f = outputs()
            r = f - y
            worst = xp.max(xp.abs(r), axis=(1, 2))
            if not bool(xp.all(xp.isfinite(worst))):
                raise FloatingPointError(
                    f"gradient descent diverged: output not finite after step {t} of {steps} with learning rate "
                    f"{learning_rate:g}; use a smaller learning rate (it must be below 2 N over the largest "
                    f"eigenvalue of the kernel)"
                )
            if frozen is None:
                frozen = worst < (0.0 if tolerance is None else tolerance)
                taken = xp.zeros(worst.shape, dtype=xp.int64, device=device(worst))
            elif tolerance is not None:
                frozen = frozen | (worst < tolerance)
            if record is not None and t in wanted:
                record(t, params, f)
            if t == steps:
                break
            if tolerance is not None:
                if bool(xp.all(frozen)):
                    if record is not None:
                        for later in sorted(s for s in wanted if s > t):
                            record(later, params, f)
                    break
                r = r * xp.astype(~frozen, r.dtype)[:, None, None]
            taken = taken + xp.astype(~frozen, xp.int64)
            update(trace, r)
    return f, worst, taken


def descend_by(net: Network, params: Params, trace: Trace, delta: tuple[Array, ...], learning_rate: float) -> None:
    """θ ← θ − learning_rate · (gradient with backpropagated vectors δ), in place, without a second copy of θ."""
    xp = array_namespace(params.W[0])
    for l, W in enumerate(params.W):
        scale = learning_rate * net.W_std / math.sqrt(W.shape[2])
        subtract_outer(W, delta[l] * scale, trace.a[l])
        if params.b:
            b = params.b[l]
            b -= (learning_rate * net.b_std) * xp.sum(delta[l], axis=1)


def subtract_outer(W: Array, d: Array, a: Array) -> None:
    """W −= dᵀ a in place, for W (S, m, n), d (S, N, m), a (S, N, n) or (N, n), by blocks of rows that fit in cache."""
    xp = array_namespace(W)
    S, m, n = W.shape
    a = xp.broadcast_to(a, (S, *a.shape[-2:]))
    d = xp.matrix_transpose(d)
    limit = _GPU_BLOCK if on_gpu(xp) else _CPU_BLOCK
    if m * n <= limit:
        block = limit // (m * n)
        for s in range(0, S, block):
            part = slice(s, min(s + block, S))
            W[part, ...] -= xp.matmul(d[part, ...], a[part, ...])
        return
    rows = max(1, limit // n)
    for s in range(S):
        for i in range(0, m, rows):
            part = slice(i, min(i + rows, m))
            W[s, part, :] -= xp.matmul(d[s, part, :], a[s, ...])


def check_schedule(learning_rate: float, steps: int, tolerance: float | None, record_at: Collection[int]) -> None:
    """Raise ValueError or TypeError unless this describes a descent."""
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate = {learning_rate!r}; expected a finite number > 0")
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool):
        raise TypeError(f"steps = {steps!r}; expected an integer >= 0")
    if steps < 0:
        raise ValueError(f"steps = {steps}; expected an integer >= 0")
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise ValueError(f"tolerance = {tolerance!r}; expected None or a finite number > 0")
    outside = [t for t in record_at if not 0 <= t <= steps]
    if outside:
        raise ValueError(f"record_at holds {outside[0]}; expected steps from 0 to {steps}")


def require_targets(params: Params, x: Array, y: Array) -> Array:
    """`y`, after checking that it is finite, of the dtype of x, and (N, o) or (S, N, o)."""
    require_floating("y", y)
    array_namespace(x, y)
    if x.dtype != y.dtype:
        raise TypeError(f"y is {y.dtype}, x is {x.dtype}; use one dtype for both")
    S, o = params.W[0].shape[0], params.W[-1].shape[1]
    N = x.shape[-2]
    if tuple(y.shape) not in ((N, o), (S, N, o)):
        raise ValueError(f"y has shape {tuple(y.shape)}; expected ({N}, {o}), or ({S}, {N}, {o}) for {S} replicates")
    return y
