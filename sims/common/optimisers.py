"""First-order optimisers on tuples of arrays, replicate axis first: SGD, Adam, clipping, a learning-rate schedule.

Every replicate is a run of its own: clipping and Adam's moments are per replicate, so a result does not depend on which
replicates run beside it. Updates are returned, never made in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from corollary.arrays import Array, array_namespace

Params = tuple[Array, ...]


class Moments(NamedTuple):
    """Adam's running means of the gradient and of its square, and the number of steps taken."""

    first: Params
    second: Params
    step: int


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015, Algorithm 1: θ ← θ − rate · m̂/(√v̂ + ε). Raises ValueError outside 0 <= β < 1, ε > 0."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1 and self.epsilon > 0):
            raise ValueError(f"{self}: expected 0 <= beta < 1 and epsilon > 0")

    def start(self, params: Params) -> Moments:
        xp = array_namespace(*params)
        return Moments(tuple(xp.zeros_like(p) for p in params), tuple(xp.zeros_like(p) for p in params), 0)

    def update(self, params: Params, grads: Params, state: Moments, rate: float) -> tuple[Params, Moments]:
        """Parameters and state after one step of size `rate`."""
        xp, t = array_namespace(*params), state.step + 1
        first = tuple(self.beta1 * m + (1 - self.beta1) * g for m, g in zip(state.first, grads, strict=True))
        second = tuple(self.beta2 * v + (1 - self.beta2) * g * g for v, g in zip(state.second, grads, strict=True))
        c1, c2 = 1 - self.beta1**t, 1 - self.beta2**t
        moved = tuple(
            p - rate * (m / c1) / (xp.sqrt(v / c2) + self.epsilon)
            for p, m, v in zip(params, first, second, strict=True)
        )
        return moved, Moments(first, second, t)


@dataclass(frozen=True)
class Sgd:
    """θ ← θ − rate · g."""

    def start(self, params: Params) -> None:
        return None

    def update(self, params: Params, grads: Params, state: None, rate: float) -> tuple[Params, None]:
        return tuple(p - rate * g for p, g in zip(params, grads, strict=True)), None


def clip_by_norm(grads: Params, limit: float) -> Params:
    """Each replicate's gradient, all arrays together, scaled down to Euclidean norm at most `limit` > 0."""
    if not limit > 0:
        raise ValueError(f"limit = {limit!r}; expected a norm > 0")
    xp = array_namespace(*grads)
    square = sum(xp.sum(g * g, axis=tuple(range(1, g.ndim))) for g in grads)
    factor = xp.minimum(limit / xp.sqrt(xp.maximum(square, xp.full_like(square, 1e-300))), xp.ones_like(square))
    return tuple(g * xp.reshape(factor, (-1,) + (1,) * (g.ndim - 1)) for g in grads)


def cosine_decay(rate: float, steps: int, hold: float = 0.5) -> Callable[[int], float]:
    """rate for the first `hold` share of the steps, then a half cosine down to 0: iterates settle at the optimum."""
    if not (rate > 0 and steps > 0 and 0 <= hold <= 1):
        raise ValueError(f"rate = {rate}, steps = {steps}, hold = {hold}; expected rate, steps > 0 and hold in [0, 1]")
    held = int(hold * steps)

    def at(step: int) -> float:
        return rate if step < held else rate * 0.5 * (1 + math.cos(math.pi * (step - held) / max(steps - held, 1)))

    return at


def train(
    params: Params,
    gradient: Callable[[int, Params], Params],
    optimiser: Adam | Sgd,
    rate: Callable[[int], float],
    steps: int,
    *,
    clip: float | None = None,
    record: Callable[[int, Params], None] | None = None,
    record_at: Sequence[int] = (),
) -> Params:
    """`steps` updates with `gradient(step, params)`, any function: sampled prompts, or an exact loss.

    record(t, params) after t steps for t in record_at. Raises ValueError for steps < 0 or record_at outside 0…steps,
    FloatingPointError that names the step when a parameter ceases to be finite.
    """
    if steps < 0 or any(not 0 <= t <= steps for t in record_at):
        raise ValueError(f"steps = {steps}, record_at = {list(record_at)}; expected steps >= 0 and times in 0…steps")
    xp, wanted = array_namespace(*params), set(record_at)
    state = optimiser.start(params)
    for t in range(steps + 1):
        if record is not None and t in wanted:
            record(t, params)
        if t == steps:
            break
        grads = gradient(t, params)
        if clip is not None:
            grads = clip_by_norm(grads, clip)
        params, state = optimiser.update(params, grads, state, rate(t))  # pyright: ignore[reportArgumentType]
        if (t % 100 == 99 or t == steps - 1) and not all(bool(xp.all(xp.isfinite(p))) for p in params):
            raise FloatingPointError(f"training diverged by step {t + 1}: lower the learning rate or clip the gradient")
    return params
