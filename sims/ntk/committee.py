"""A committee of quadratic neurons, f(x) = (α/N) Σ φ(w_i·x), φ(h) = h + (ε/2) h², trained neuron by neuron.

Inputs x ~ N(0, I/D), target (1/2)(β·x)² with |β|² = D, of mean square 3/4. Loss (1/2P) Σ r²; weights' rate η N/α².
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace
from corollary.sims.ntk.setting import Point, get


def outputs(W: Array, x: Array, alpha: float, epsilon: float) -> Array:
    """f (…, P) of weights W (…, N, D) at x (…, P, D)."""
    xp = array_namespace(W, x)
    h = xp.matmul(x, xp.matrix_transpose(W))
    return alpha * xp.mean(h + epsilon / 2 * h * h, axis=-1)


def descend(W: Array, x: Array, y: Array, alpha: float, epsilon: float, rate: float) -> Array:
    """W after one step of full-batch gradient descent on targets y (…, P)."""
    xp = array_namespace(W, x, y)
    h = xp.matmul(x, xp.matrix_transpose(W))
    r = alpha * xp.mean(h + epsilon / 2 * h * h, axis=-1) - y
    slope = (1 + epsilon * h) * (r * (rate / (alpha * x.shape[-2])))[..., None]
    return W - xp.matmul(xp.matrix_transpose(slope), x)


def draw(D: int, P: int, N: int, seed: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights (N, D), inputs (P, D), β (D,)) of one replicate, on the host."""
    rng = np.random.default_rng(seed)
    beta = rng.standard_normal(D)
    return (
        rng.standard_normal((N, D)),
        rng.standard_normal((P, D)) / np.sqrt(D),
        beta * np.sqrt(D) / np.linalg.norm(beta),
    )


def curves(point: Point, seeds: Sequence[Any], xp: Namespace, *, device: Any = None) -> dict[str, Array]:
    """Losses of centred networks along training.

    Point: N, D, P, alpha, epsilon, rate, steps, every (steps between records), test (fresh test points).
    train, test (R, T): mean square errors over 3/4, the mean square of the target, after 0, every, 2 every… steps.
    """
    D, P, N, m = (int(get(point, k)) for k in ("D", "P", "N", "test"))
    alpha, epsilon, rate = (float(get(point, k)) for k in ("alpha", "epsilon", "rate"))
    drawn = [draw(D, P + m, N, s) for s in seeds]
    W, x, beta = (xp.asarray(np.stack(part), device=device) for part in zip(*drawn, strict=True))
    y = xp.matmul(x, beta[..., None])[..., 0] ** 2 / 2 + outputs(W, x, alpha, epsilon)
    train, test = [], []
    for t in range(int(get(point, "steps")) + 1):
        if t % int(get(point, "every")) == 0:
            r = outputs(W, x, alpha, epsilon) - y
            train.append(xp.mean(r[:, :P] ** 2, axis=1) / 0.75)
            test.append(xp.mean(r[:, P:] ** 2, axis=1) / 0.75)
        W = descend(W, x[:, :P, :], y[:, :P], alpha, epsilon, rate)
    if not bool(xp.all(xp.isfinite(W))):
        raise FloatingPointError(f"training diverged at rate {rate:g}; use a smaller one")
    return {"train": xp.stack(train, axis=1), "test": xp.stack(test, axis=1)}
