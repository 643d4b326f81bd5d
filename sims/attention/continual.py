"""Continual learning of separable tasks: exact projections, cycles, and weak regularisation solved by Newton.

A task is signed data B (N, d), K = {w : B w ≥ 1}. Host only (active sets). What is compared with comes in as functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.optimize

from corollary.arrays import Namespace

Tasks = list[np.ndarray]


def project(s: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, multipliers) of the projection of s onto {w : B w ≥ 1}, by nonnegative least squares (Lawson and Hanson)."""
    h = 1 - B @ s
    if np.max(h) <= 0:
        return s.copy(), np.zeros(len(B))
    E = np.concatenate([B.T, h[None, :]])
    f = np.zeros(len(E))
    f[-1] = 1.0
    u, residual = scipy.optimize.nnls(E, f)
    if not residual > 1e-9:
        raise ValueError("the task is not separable: nonnegative weights cancel its rows")
    μ = u / (1 - h @ u)
    return s + B.T @ μ, μ


def drawn(kind: str, rng: np.random.Generator) -> Tasks:
    """random: 3 tasks of 3 normal rows in 3 dimensions, separable along a random direction; wedge: two rows (±1, ε), ε
    log-uniform on [0.03, 0.3], turned: two half planes with a sharp corner."""
    if kind == "wedge":
        ε, angle = np.exp(rng.uniform(np.log(0.03), np.log(0.3))), rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return [np.array([[s, ε]]) @ turn for s in (1.0, -1.0)]
    if kind != "random":
        raise ValueError(f"kind = {kind!r}; expected random or wedge")
    A, u = rng.standard_normal((9, 3)), rng.standard_normal(3)
    u /= np.linalg.norm(u)
    A = A * np.where(A @ u < 0, -1.0, 1.0)[:, None] + 0.2 * u
    return [A[0:3], A[3:6], A[6:9]]


def cycled(w: np.ndarray, tasks: Tasks, cycles: int) -> list[np.ndarray]:
    """w at the end of each cycle, the start first."""
    path = [w]
    for _ in range(cycles):
        for B in tasks:
            w = project(w, B)[0]
        path.append(w)
    return path


def square_distance(w: np.ndarray, B: np.ndarray) -> float:
    return float(np.sum((project(w, B)[0] - w) ** 2))


def projections(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, contraction: Callable[..., float]
) -> dict[str, np.ndarray]:
    """Pairs (R, 2) of lhs and rhs on drawn tasks, normal starts w, ρ = contraction(tasks), κ² = 1/(M(1 − ρ)).

    fejer: ‖Pw − u‖² + ‖Pw − w‖² and ‖w − u‖²; corner: dist(w, ∩K) and κ max dist(w, K_m); cyclic: the largest ratio of
    dist² over one of three cycles, and ρ; random, pathwise: mean and largest ratio over the next task, and ρ;
    forgetting: max (1 − margin)₊² after four cycles from 0, and κ²ρ⁴; norms: ‖w*‖ and ‖w‖ after 40 cycles from 0.
    Point: kind.
    """
    out: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        tasks = drawn(point["kind"], rng)
        every, ρ = np.concatenate(tasks), contraction(tasks)
        κ2 = 1 / (len(tasks) * (1 - ρ))
        w, u = 2 * rng.standard_normal(every.shape[1]), project(5 * rng.standard_normal(every.shape[1]), every)[0]
        before = square_distance(w, every)
        if before < 1e-6:  # inside already; 0 never is
            w = np.zeros_like(w)
            before = square_distance(w, every)
        after = [project(w, B)[0] for B in tasks]
        m = int(rng.integers(len(tasks)))
        ratios = [square_distance(a, every) / before for a in after]
        far = [square_distance(v, every) for v in cycled(w, tasks, 3)]
        shrink = [b / a for a, b in zip(far, far[1:], strict=False) if a > 1e-10 * before]
        four = cycled(np.zeros_like(w), tasks, 4)[-1]
        least = project(np.zeros_like(w), every)[0]
        found = {
            "fejer": (np.sum((after[m] - u) ** 2) + np.sum((after[m] - w) ** 2), np.sum((w - u) ** 2)),
            "corner": (before**0.5, (κ2 * max(np.sum((a - w) ** 2) for a in after)) ** 0.5),
            "cyclic": (max(shrink), ρ),
            "random": (np.mean(ratios), ρ),
            "pathwise": (max(ratios), ρ),
            "forgetting": (max(np.max(np.maximum(1 - B @ four, 0)) ** 2 for B in tasks), κ2 * ρ**4),
            "norms": (np.linalg.norm(least), np.linalg.norm(cycled(np.zeros_like(w), tasks, 40)[-1])),
        }
        for name, pair in found.items():
            out.setdefault(name, []).append((float(pair[0]), float(pair[1])))
    return {name: np.array(pairs) for name, pairs in out.items()}


def distances(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, contraction: Callable[..., float]
) -> dict[str, np.ndarray]:
    """ratio, bound (R, cycles + 1): dist²(w, ∩K) over its start at 0 by cycle, and ρ^cycle. Point: kind, cycles."""
    ratio, bound = [], []
    for seed in seeds:
        tasks = drawn(point["kind"], np.random.default_rng(seed))
        every = np.concatenate(tasks)
        path = [square_distance(w, every) for w in cycled(np.zeros(every.shape[1]), tasks, point["cycles"])]
        ratio.append(np.array(path) / path[0])
        bound.append(contraction(tasks) ** np.arange(point["cycles"] + 1))
    return {"ratio": np.array(ratio), "bound": np.array(bound)}


def regularised(u: np.ndarray, B: np.ndarray, L: float) -> np.ndarray:
    """argmin Σ exp(−L bᵀv) + e^{−L} (L²/2) ‖v − u‖²: damped Newton along a doubling sequence of L."""
    v, stages = u.copy(), [L]
    while stages[-1] > 4:
        stages.append(stages[-1] / 2)
    for ℓ in reversed(stages):
        v = _newton(u, B, ℓ, v)
    return v


def _newton(u: np.ndarray, B: np.ndarray, ℓ: float, v: np.ndarray) -> np.ndarray:
    def value(x: np.ndarray) -> float:
        e = np.minimum(ℓ * (1 - B @ x), 600.0)  # a trial this far out is rejected whatever its value
        return float(np.sum(np.exp(e))) / ℓ**2 + 0.5 * float(np.sum((x - u) ** 2))

    for _ in range(500):
        α = np.exp(ℓ * (1 - B @ v)) / ℓ
        g = v - u - B.T @ α
        step = -np.linalg.solve(np.eye(len(v)) + ℓ * (B.T * α) @ B, g)
        if np.linalg.norm(step) <= 1e-12 * (1 + np.linalg.norm(v)):
            return v
        t, here, slope = 1.0, value(v), float(g @ step)
        # the last steps gain less than the rounding of the value
        while t > 1e-10 and value(v + t * step) > here + 0.1 * t * slope + 1e-14 * here:
            t /= 2
        v = v + t * step
    raise RuntimeError(f"Newton did not converge at L = {ℓ:g}")


def weak(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, shift: Callable[..., np.ndarray]
) -> dict[str, np.ndarray]:
    """Three tasks of two rows in four dimensions, L = ln(1/λ) = point["L"]; redrawn until every multiplier of the limit
    is 0.1 or more, every other margin 1.1 or more.

    gap (R,): ‖L (u_3 − P_3)‖; said (R,): the norm of the last of shift(tasks, order, L); ratio (R,): gap/said.
    """
    gaps, said, L = [], [], float(point["L"])
    for seed in seeds:
        rng = np.random.default_rng(seed)
        while True:
            A, direction = rng.standard_normal((6, 4)), rng.standard_normal(4)
            A = A * np.where(A @ direction < 0, -1.0, 1.0)[:, None] + 0.3 * direction / np.linalg.norm(direction)
            tasks, P, clear = [A[0:2], A[2:4], A[4:6]], np.zeros(4), True
            for B in tasks:
                P, μ = project(P, B)
                clear &= bool(np.all(np.where(μ > 0, μ >= 0.1, B @ P >= 1.1)))
            if clear:
                break
        u = np.zeros(4)
        for B in tasks:
            u = regularised(u, B, L)
        gaps.append(L * np.linalg.norm(u - P))
        said.append(np.linalg.norm(shift(tasks, [0, 1, 2], L)[-1]))
    return {"gap": np.array(gaps), "said": np.array(said), "ratio": np.array(gaps) / np.array(said)}
