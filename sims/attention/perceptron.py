"""Logistic regression by gradient descent with large steps, many data sets at once: run(point, seeds, xp) → arrays.

f(θ) = (1/n) Σ log(1 + exp(−b_kᵀθ)), signed data B (R, n, d), θ_0 = 0. Paths are kept as θ/γ. What they are compared
with comes in by functools.partial as functions of host data B (n, d).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace, to_numpy

LIMIT = 100_000  # steps; Novikoff's bound for the data drawn here is below


def separable(n: int, d: int, margin: float, rng: np.random.Generator) -> np.ndarray:
    """(n, d): normal rows, turned and shifted so that a random unit direction has `margin` or more on each."""
    A, u = rng.standard_normal((n, d)), rng.standard_normal(d)
    u /= np.linalg.norm(u)
    return A * np.where(A @ u < 0, -1.0, 1.0)[:, None] + margin * u


def drawn(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> Array:
    """(R, n, d), one data set per seed; point: n, d, margin."""
    sets = [separable(point["n"], point["d"], point["margin"], np.random.default_rng(seed)) for seed in seeds]
    return xp.asarray(np.stack(sets))


def weights(z: Array, normalised: bool) -> Array:
    """σ(−z) (R, n), over n; or over its sum, from logarithms: all of it may underflow."""
    xp = array_namespace(z)
    log = xp.minimum(-z, xp.zeros_like(z)) - xp.log1p(xp.exp(-xp.abs(z)))
    if not normalised:
        return xp.exp(log) / z.shape[1]
    w = xp.exp(log - xp.max(log, axis=1, keepdims=True))
    return w / xp.sum(w, axis=1, keepdims=True)


def descend(B: Array, P: Array, rate: Array, *, normalised: bool = False) -> Array:
    """One step on P = θ/γ (R, d) with step sizes `rate` (R,)."""
    xp = array_namespace(B)
    w = weights(rate[:, None] * xp.matmul(B, P[:, :, None])[:, :, 0], normalised)
    return P + xp.matmul(w[:, None, :], B)[:, 0, :]


def first_separation(B: Array, rate: Array, *, normalised: bool = False) -> Array:
    """(R,): the first step after which all b_kᵀθ > 0. Raises RuntimeError after LIMIT steps."""
    xp = array_namespace(B)
    P, found = xp.zeros_like(B[:, 0, :]), xp.zeros_like(rate)
    for t in range(1, LIMIT + 1):
        P = descend(B, P, rate, normalised=normalised)
        apart = xp.all(xp.matmul(B, P[:, :, None])[:, :, 0] > 0, axis=1)
        found = xp.where((found == 0) & apart, xp.full_like(found, float(t)), found)
        if bool(xp.all(found > 0)):
            return found
    raise RuntimeError(f"not separated after {LIMIT} steps; are the data separable?")


def gap(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *,
    walk: Callable[..., np.ndarray], rate: Callable[..., float], bound: Callable[..., float],
) -> dict[str, np.ndarray]:  # fmt: skip
    """‖θ_k/γ − P_k‖ over k ≤ steps. Point: n, d, margin, steps, share: γ is `share` of rate(B, steps).

    largest (R,); equal (R,): 1 where it is at most 1e-12; pair (R, 2): it and bound(B, steps, γ).
    """
    B, steps = drawn(point, seeds, xp), point["steps"]
    host = to_numpy(B)
    γ = np.array([point["share"] * rate(b, steps) for b in host])
    reference = np.stack([walk(b, steps) for b in host])
    P, largest = xp.zeros_like(B[:, 0, :]), np.zeros(len(host))
    for k in range(1, steps + 1):
        P = descend(B, P, xp.asarray(γ))
        largest = np.maximum(largest, np.linalg.norm(to_numpy(P) - reference[:, k], axis=1))
    bounds = np.array([bound(b, steps, g) for b, g in zip(host, γ, strict=True)])
    return {"largest": largest, "equal": (largest <= 1e-12).astype(float), "pair": np.stack([largest, bounds], axis=1)}


def separation(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, bounds: Callable[..., Sequence[float]]
) -> dict[str, np.ndarray]:
    """plain, normalised (R, 2): first separating step and its bound. Point: n, d, margin, rate."""
    return _both(drawn(point, seeds, xp), point["rate"], bounds)


def example(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *,
    data: Callable[..., np.ndarray], bounds: Callable[..., Sequence[float]],
) -> dict[str, np.ndarray]:  # fmt: skip
    """plain, normalised (R, 2): first separating step and its bound on data(n, height), heights uniform on [low, 1];
    T (R,): the first of these.

    Point: n, low, rate. Rows are shuffled and axes swapped at random.
    """
    sets = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        B = data(point["n"], rng.uniform(point["low"], 1))
        sets.append(rng.permutation(B, axis=0)[:, rng.permutation(2)])
    out = _both(xp.asarray(np.stack(sets)), point["rate"], bounds)
    return out | {"T": out["plain"][:, 0]}


def _both(B: Array, rate: float, bounds: Callable[..., Sequence[float]]) -> dict[str, np.ndarray]:
    xp = array_namespace(B)
    limits = np.array([bounds(b) for b in to_numpy(B)])
    out = {}
    for i, name in enumerate(("plain", "normalised")):
        T = to_numpy(first_separation(B, xp.full_like(B[:, 0, 0], float(rate)), normalised=name == "normalised"))
        out[name] = np.stack([T, limits[:, i]], axis=1)
    return out


def step_sizes(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, np.ndarray]:
    """Small against large steps on the same data. Point: n, d, margin, steps, small, large.

    steps (R, 2): first separating step of (large, small); loss (R, 2): largest loss on the way of (small, large);
    for the figure path_small, path_large (R, steps + 1) and wrong_small, wrong_large: losses, shares misclassified.
    """
    B, out, T, top = drawn(point, seeds, xp), {}, {}, {}
    for name in ("small", "large"):
        γ = xp.full_like(B[:, 0, 0], float(point[name]))
        T[name] = to_numpy(first_separation(B, γ))
        P, losses, wrong = xp.zeros_like(B[:, 0, :]), [], []
        for _ in range(point["steps"] + 1):
            z = xp.matmul(B, P[:, :, None])[:, :, 0]
            v = γ[:, None] * z
            loss = xp.maximum(-v, xp.zeros_like(v)) + xp.log1p(xp.exp(-xp.abs(v)))
            losses.append(to_numpy(xp.mean(loss, axis=1)))
            wrong.append(to_numpy(xp.mean(xp.astype(z <= 0, z.dtype), axis=1)))
            P = descend(B, P, γ)
        out[f"path_{name}"], out[f"wrong_{name}"] = np.stack(losses, axis=1), np.stack(wrong, axis=1)
        top[name] = out[f"path_{name}"].max(axis=1)
    out["steps"] = np.stack([T["large"], T["small"]], axis=1)
    out["loss"] = np.stack([top["small"], top["large"]], axis=1)
    return out
