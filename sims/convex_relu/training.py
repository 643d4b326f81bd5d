"""Training of two-layer networks: gradient descent, SGD, Adam and L-BFGS, batched over S restarts.

Each restart is a run of its own; none sees what runs beside it. L-BFGS: two-loop recursion (Nocedal & Wright, Alg.
7.4) with Armijo backtracking; curvature pairs with yᵀs ≤ 0 are skipped, as kinks of the ReLU make some.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np

from corollary.arrays import Array, array_namespace, device
from corollary.sims.convex_relu.network import TwoLayer, objective_and_gradient, require_data

_MEMORY = 10
_HALVINGS = 20  # a step below 1e-6 of the direction moves nothing worth having


class Run(NamedTuple):
    """The networks at the end, their objective (S,), and objectives at the recorded steps (records, S)."""

    net: TwoLayer
    objective: Array
    history: Array


def descend(
    net: TwoLayer,
    X: Array,
    y: Array,
    beta: float,
    loss: str = "squared",
    *,
    method: str = "gd",
    learning_rate: float = 1e-2,
    steps: int = 1000,
    batch: int | None = None,
    rng: np.random.Generator | None = None,
    record_at: Collection[int] = (),
    perturb: Callable[[TwoLayer, Array, Array], Array] | None = None,
) -> Run:
    """`steps` of "gd" (full or mini-batch: `batch` points drawn by `rng`, then it is SGD) or "adam".

    record_at: the numbers of steps after which history holds the objective, a range or a set; the last is always there.
    perturb(net, X, y) → inputs (S, N, d) trains on perturbed inputs (adversarial training). Raises ValueError for an
    unknown method, learning_rate ≤ 0, steps < 1, a batch without rng; FloatingPointError when the objective ceases to
    be finite, naming the learning rate.
    """
    require_data(X, y, beta, loss)
    if method not in ("gd", "adam"):
        raise ValueError(f"method = {method!r}; expected 'gd' or 'adam' (see lbfgs for the third)")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate = {learning_rate!r}; expected a finite number > 0")
    if steps < 1:
        raise ValueError(f"steps = {steps}; expected at least 1")
    n = X.shape[0]
    if batch is not None and (rng is None or not 1 <= batch <= n):
        raise ValueError(f"batch = {batch}, rng = {rng!r}; expected 1 <= batch <= {n} and a numpy Generator")
    xp = array_namespace(X, y, net.U)
    first, second = _zeros(net), _zeros(net)
    history = []
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, steps + 1):
            if t - 1 in record_at:
                history.append(objective_and_gradient(net, X, y, beta, loss)[0])
            x, target, weight = X, y, 1.0
            if batch is not None and rng is not None:
                pick = xp.asarray(rng.choice(n, batch, replace=False), device=device(X))
                x, target, weight = xp.take(X, pick, axis=0), xp.take(y, pick), n / batch
            if perturb is not None:
                x = perturb(net, x, target)
            _, g = objective_and_gradient(net, x, target, beta, loss, weight)
            if method == "adam":
                first = _map(lambda m, v: 0.9 * m + 0.1 * v, first, g)
                second = _map(lambda m, v: 0.999 * m + 0.001 * v * v, second, g)
                c1, c2 = 1 - 0.9**t, 1 - 0.999**t
                g = _map(lambda m, v, c1=c1, c2=c2: (m / c1) / (xp.sqrt(v / c2) + 1e-8), first, second)
            net = _map(lambda p, v: p - learning_rate * v, net, g)
    value = objective_and_gradient(net, X, y, beta, loss)[0]
    if not bool(xp.all(xp.isfinite(value))):
        raise FloatingPointError(f"training diverged with learning rate {learning_rate:g}; use a smaller one")
    return Run(net, value, _stacked(history, value))


def lbfgs(
    net: TwoLayer, X: Array, y: Array, beta: float, loss: str = "squared", *, steps: int = 500, tol: float = 1e-12
) -> Run:
    """L-BFGS from every restart, until no step decreases the objective by more than `tol` of it, or `steps`.

    Raises ValueError or TypeError for data that make no problem, steps < 1.
    """
    require_data(X, y, beta, loss)
    if steps < 1:
        raise ValueError(f"steps = {steps}; expected at least 1")
    xp = array_namespace(X, y, net.U)
    S, d, m = net.U.shape

    def unpack(theta: Array) -> TwoLayer:
        return TwoLayer(xp.reshape(theta[:, : d * m], (S, d, m)), theta[:, d * m :])

    def pack(g: TwoLayer) -> Array:
        return xp.concat([xp.reshape(g.U, (S, d * m)), g.a], axis=1)

    def evaluate(theta: Array) -> tuple[Array, Array]:
        value, g = objective_and_gradient(unpack(theta), X, y, beta, loss)
        return value, pack(g)

    def dot(a: Array, b: Array) -> Array:
        return xp.sum(a * b, axis=1)

    theta = pack(net)
    value, g = evaluate(theta)
    pairs: list[tuple[Array, Array, Array]] = []
    history = [value]
    running = xp.ones((S,), dtype=xp.bool, device=device(theta))
    for _ in range(steps):
        direction = -_two_loop(g, pairs, dot, xp)
        slope = dot(direction, g)
        uphill = slope >= 0
        direction = xp.where(uphill[:, None], -g, direction)
        slope = xp.where(uphill, -dot(g, g), slope)
        step = xp.ones_like(value)
        found, new, new_g, new_theta = xp.zeros_like(running), value, g, theta
        for _ in range(_HALVINGS):
            trial = theta + step[:, None] * direction
            v, gv = evaluate(trial)
            good = running & ~found & (v <= value + 1e-4 * step * slope)
            new, new_g = xp.where(good, v, new), xp.where(good[:, None], gv, new_g)
            new_theta = xp.where(good[:, None], trial, new_theta)
            found = found | good
            if bool(xp.all(found | ~running)):
                break
            step = step / 2
        s, r = new_theta - theta, new_g - g
        curvature = dot(s, r)
        safe = curvature > 1e-14 * xp.sqrt(dot(s, s) * dot(r, r) + 1e-300)
        pairs.append((xp.where(safe[:, None], s, 0.0), xp.where(safe[:, None], r, 0.0),
                      xp.where(safe, 1 / xp.where(safe, curvature, 1.0), 0.0)))  # fmt: skip
        pairs = pairs[-_MEMORY:]
        running = running & found & (value - new > tol * xp.abs(value))
        theta, g, value = new_theta, new_g, new
        history.append(value)
        if not bool(xp.any(running)):
            break
    return Run(unpack(theta), value, xp.stack(history))


def _two_loop(g: Array, pairs: list[tuple[Array, Array, Array]], dot: Callable, xp: Any) -> Array:
    q, alphas = g, []
    for s, r, rho in reversed(pairs):
        alpha = rho * dot(s, q)
        alphas.append(alpha)
        q = q - alpha[:, None] * r
    if pairs:
        s, r, rho = pairs[-1]
        square = dot(r, r)
        scale = xp.where(square > 0, dot(s, r) / xp.where(square > 0, square, 1.0), 1.0)
        q = q * scale[:, None]
    else:
        q = q / xp.sqrt(dot(g, g) + 1e-300)[:, None]
    for (s, r, rho), alpha in zip(pairs, reversed(alphas), strict=True):
        q = q + (alpha - rho * dot(r, q))[:, None] * s
    return q


def _zeros(net: TwoLayer) -> TwoLayer:
    xp = array_namespace(net.U)
    return TwoLayer(xp.zeros_like(net.U), xp.zeros_like(net.a))


def _map(f: Callable, *nets: TwoLayer) -> TwoLayer:
    return TwoLayer(f(*(n.U for n in nets)), f(*(n.a for n in nets)))


def _stacked(history: list[Array], value: Array) -> Array:
    xp = array_namespace(value)
    return xp.stack([*history, value])
