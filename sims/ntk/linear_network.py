"""A linear network with one hidden layer, f(x) = (1/n) Σ v_i (u_i·x), trained neuron by neuron at learning rate n η.

u (R, n, d), v (R, n, o) standard normal; loss (1/2P) Σ |f − y|² over inputs x (P, d), targets y (P, o).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace
from corollary.sims.ntk.setting import Point, get


def outputs(u: Array, v: Array, x: Array) -> Array:
    """f (…, P, o)."""
    xp = array_namespace(u, v, x)
    return xp.matmul(xp.matmul(x, xp.matrix_transpose(u)), v) / u.shape[-2]


def descend(u: Array, v: Array, x: Array, y: Array, rate: float) -> tuple[Array, Array]:
    """(u, v) after one step: ∂loss/∂u_i = (1/n) (1/P) Σ (r·v_i) x, and the n of the rate takes its 1/n away."""
    xp = array_namespace(u, v, x, y)
    r = (outputs(u, v, x) - y) * (rate / x.shape[-2])
    back = xp.matmul(xp.matrix_transpose(r), x)  # (…, o, d)
    return u - xp.matmul(v, back), v - xp.matmul(u, xp.matrix_transpose(back))


def moments(u: Array, v: Array) -> Array:
    """(1/n) Σ z zᵀ over neurons z = (u, v): (…, d + o, d + o)."""
    xp = array_namespace(u, v)
    z = xp.concat([u, v], axis=-1)
    return xp.matmul(xp.matrix_transpose(z), z) / u.shape[-2]


def trained(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, x: Any, y: Any, device: Any = None
) -> dict[str, Array]:
    """An experiment: f (R, T, P, o) and moments (R, T, d + o, d + o) after point["record_at"] steps, in that order.

    Point: n, rate, record_at (increasing numbers of steps).
    """
    n, rate = int(get(point, "n")), float(get(point, "rate"))
    host = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    inputs, targets = (xp.asarray(part, device=device) for part in host)
    d, o = host[0].shape[1], host[1].shape[1]
    z = xp.asarray(np.stack([np.random.default_rng(s).standard_normal((n, d + o)) for s in seeds]), device=device)
    u, v = z[..., :d], z[..., d:]
    found: dict[str, list[Array]] = {"f": [], "moments": []}
    done = 0
    for t in get(point, "record_at"):
        for _ in range(int(t) - done):
            u, v = descend(u, v, inputs, targets, rate)
        done = int(t)
        found["f"].append(outputs(u, v, inputs))
        found["moments"].append(moments(u, v))
    return {name: xp.stack(list_, axis=1) for name, list_ in found.items()}
