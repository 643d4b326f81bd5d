"""SGD near an interpolating minimum: second moments of the linear model, and escape of a two-layer diagonal network.

Linear: θ ← θ − (η/B) Σ a_i a_iᵀ θ over a batch of rows a_i, loss ½ mean (a_i·θ)². Network: f(x) = Σ_j u_j v_j x_j,
rows x ∈ {−1, 1}^d, loss ½ mean r²: every gradient has the norm² ‖u‖² + ‖v‖², so tr H = ‖u‖² + ‖v‖² at any minimum.
Host only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Namespace


def linear_step(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, gradients: np.ndarray, root: Any
) -> dict[str, np.ndarray]:
    """pair (R, 2): (|θ₁|², |θ₀|²) for θ₀ = root(point)·normal, one step. Point: rate, batch, replace.

    gradients (n, d); root: function of the point to a (d, d) host array (a square root of E θ₀θ₀ᵀ).
    """
    n, d = gradients.shape
    S, B, replace = root(point), point["batch"], point["replace"]
    if not 1 <= B or (not replace and B > n):
        raise ValueError(f"batch = {B!r}; expected 1 to {n} rows")
    out = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        θ = S @ rng.standard_normal(d)
        A = gradients[rng.choice(n, B, replace=replace)]
        after = θ - point["rate"] / B * A.T @ (A @ θ)
        out.append([after @ after, θ @ θ])
    return {"pair": np.array(out)}


def escape(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, start: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    """SGD at batch 1 from next to a minimum. Point: sharpness = η tr H there, steps. start: (X (n, d), u, v (d,)).

    escaped (R,): 1 where the loss rose to 10⁸ times its start or diverged; trace (R,): η tr H at the end (or ∞);
    path (R, 50): η tr H on the way.
    """
    X, u0, v0 = start
    n, d = X.shape
    y, rate = X @ (u0 * v0), point["sharpness"] / (u0 @ u0 + v0 @ v0)
    rngs = [np.random.default_rng(seed) for seed in seeds]
    u = u0 + 1e-6 * np.stack([rng.standard_normal(d) for rng in rngs])
    v = v0 + 1e-6 * np.stack([rng.standard_normal(d) for rng in rngs])
    rows = np.stack([rng.integers(0, n, point["steps"]) for rng in rngs], axis=1)
    first = np.mean(((u * v) @ X.T - y) ** 2, axis=1)
    highest, path = first.copy(), []
    every = max(1, point["steps"] // 50)
    with np.errstate(over="ignore", invalid="ignore"):
        for t, i in enumerate(rows):
            x = X[i]
            step = rate * (np.sum(u * v * x, axis=1) - y[i])[:, None] * x
            u, v = u - step * v, v - step * u
            if t % every == every - 1:
                loss = np.mean(((u * v) @ X.T - y) ** 2, axis=1)
                highest = np.fmax(highest, np.where(np.isfinite(loss), loss, np.inf))
                path.append(rate * np.sum(u * u + v * v, axis=1))
    trace = np.where(np.isfinite(path[-1]), path[-1], np.inf)
    escaped = ((highest > 1e8 * first) | ~np.isfinite(path[-1])).astype(float)
    return {"escaped": escaped, "trace": trace, "path": np.stack(path[:50], axis=1)}


def balanced_minimum(n: int, d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(X, u, v) for `escape`: n < d sign rows, u and v normal."""
    return np.sign(rng.standard_normal((n, d))), rng.standard_normal(d), rng.standard_normal(d)
