"""Experiments on attention, in the shape the engine runs: run(point, seeds, xp) → arrays, replicates first.

A point names n, T, d (sequences, tokens, dimension). Tokens, queries and head are unit-norm Gaussian directions, labels
random signs (the paper's generator). What a measurement is compared with comes in as `target(X, Z, chosen, norm) -> W`,
(d, d), by functools.partial: nothing here knows the theory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, to_numpy
from corollary.sims.attention.model import Tasks, selected
from corollary.sims.attention.path import constrained, constrained_kq, excess
from corollary.sims.attention.training import train_kq, train_w

Target = Callable[..., np.ndarray]


def draw(point: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (n, T, d), Z (n, d), scores γ (n, T)."""
    n, T, d = point["n"], point["T"], point["d"]
    X, Z, v = rng.standard_normal((n, T, d)), rng.standard_normal((n, d)), rng.standard_normal(d)
    X, Z, v = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (X, Z, v))
    return X, Z, (X @ v) * rng.choice((-1.0, 1.0), n)[:, None]


def stacked(
    point: Any, seeds: Sequence[Any], xp: Namespace, device: Any = None
) -> tuple[Tasks, list[np.random.Generator]]:
    """One problem a seed, and the generators to draw on from."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    parts = zip(*(draw(point, rng) for rng in rngs), strict=True)
    return Tasks(*(xp.asarray(np.stack(p), device=device) for p in parts)), rngs


def cosine(A: np.ndarray, B: np.ndarray) -> float:
    return float(np.sum(A * B) / (np.linalg.norm(A) * np.linalg.norm(B)))


def least_margin(X: np.ndarray, Z: np.ndarray, chosen: np.ndarray, W: np.ndarray) -> float:
    """min over i, t ≠ α_i of (x_{i,α_i} − x_it)ᵀ W z_i."""
    a = np.einsum("ntd,de,ne->nt", X, W, Z)
    gap = np.take_along_axis(a, chosen[:, None], axis=1) - a
    gap[np.arange(len(a)), chosen] = np.inf
    return float(gap.min())


def convergence(
    point: Any, seeds: Sequence[Any], xp: Namespace, *, target: Target, device: Any = None
) -> dict[str, Array]:
    """W and (K, Q) by normalised descent, against both solutions for the tokens each selected at the end.

    Point: steps, rate, record_at. Starts: W from 0, not at random; K and Q with entries uniform on ±1/√d (torch's
    default).
    For p in w, kq: p_frobenius, p_nuclear (R, times): cosines; p_attention (R, times): mean top probability;
    p_ratio (R,): margin of W/‖W‖ over the optimum, in the norm of p, p_short (R,): 1 − that; p_pair (R, 2): 1 − cos at
    the end, nuclear and Frobenius; p_global (R,): all tokens are the best scored;
    p_towards (R,): ⟨Ŵ − F̂, N̂ − F̂⟩/‖N̂ − F̂‖², 0 at the Frobenius, 1 at the nuclear solution.
    A replicate whose tokens no W separates (not trained to saturation) is an error of `target`.
    """
    tasks, rngs = stacked(point, seeds, xp, device)
    B, n, T, d = tasks.X.shape
    X, Z, γ = (to_numpy(a) for a in tasks)
    start = [np.stack([rng.uniform(-1, 1, (d, d)) for rng in rngs]) / d**0.5 for _ in range(2)]
    K, Q = (xp.asarray(a, device=device) for a in start)
    schedule = {"rate": point["rate"], "steps": point["steps"], "record_at": point["record_at"]}
    out: dict[str, Array] = {}
    for name in ("w", "kq"):
        path: list[np.ndarray] = []

        def record(k: int, W: Array, _: Any, path: list[np.ndarray] = path) -> None:
            path.append(to_numpy(W))

        if name == "w":
            W = train_w(tasks, xp.zeros_like(K), record=record, **schedule)
        else:
            W = train_kq(tasks, K, Q, record=record, **schedule)
        choice, end = to_numpy(selected(tasks, W)), to_numpy(W)
        both = [[target(X[b], Z[b], choice[b], norm) for norm in ("frobenius", "nuclear")] for b in range(B)]
        values = {key: np.zeros((B, len(path))) for key in ("frobenius", "nuclear", "attention")}
        ratio, towards = np.zeros(B), np.zeros(B)
        for b in range(B):
            F, N = both[b]
            for k, at in enumerate(path):
                values["frobenius"][b, k], values["nuclear"][b, k] = cosine(at[b], F), cosine(at[b], N)
                values["attention"][b, k] = _top_probability(X[b], Z[b], at[b])
            margin = least_margin(X[b], Z[b], choice[b], end[b])
            order = None if name == "w" else "nuc"
            size = [np.linalg.norm(V, order) for V in (end[b], F if name == "w" else N)]
            ratio[b] = margin / size[0] * size[1]
            U, f, g = (V / np.linalg.norm(V) for V in (end[b], F, N))
            towards[b] = np.sum((U - f) * (g - f)) / np.sum((g - f) ** 2)
        out |= {f"{name}_{key}": xp.asarray(v) for key, v in values.items()}
        out |= {f"{name}_ratio": xp.asarray(ratio), f"{name}_towards": xp.asarray(towards)}
        turned = [1 - values[key][:, -1] for key in ("nuclear", "frobenius")]
        out |= {f"{name}_pair": xp.asarray(np.stack(turned, axis=1)), f"{name}_short": xp.asarray(1 - ratio)}
        out[f"{name}_global"] = xp.asarray(np.all(choice == γ.argmax(axis=-1), axis=-1).astype(float))
    return out


def _top_probability(X: np.ndarray, Z: np.ndarray, W: np.ndarray) -> float:
    a = np.einsum("ntd,de,ne->nt", X, W, Z)
    return float(np.mean(1 / np.exp(a - a.max(axis=1, keepdims=True)).sum(axis=1)))


def rates(point: Any, seeds: Sequence[Any], xp: Namespace, *, target: Target, device: Any = None) -> dict[str, Array]:
    """Normalised descent from W = 0: slopes against the step number, and the growth of ‖W‖ in log time.

    Point: rate, steps (at least 16). Runs are drawn from a seed until one selects the same tokens over its last half
    (`given`): compared at nine times, steps/2, steps/2 + steps/16, …, steps, so that a change and back between two of
    them is not seen; stable (R,): whether the first did. Of that run: margin_slope, cosine_slope (R,): between steps/4
    and steps; growth (R,): (d‖W‖/d ln t)/‖W^mm‖ between steps/2 and steps. Raises RuntimeError after 50 unstable runs.
    """
    steps = point["steps"]
    times = [steps // 4, *(steps // 2 + k * (steps - steps // 2) // 8 for k in range(9))]
    out = {key: np.full(len(seeds), np.nan) for key in ("margin_slope", "cosine_slope", "growth", "stable")}
    rngs, waiting = [np.random.default_rng(seed) for seed in seeds], list(range(len(seeds)))
    for attempt in range(50):
        parts = zip(*(draw(point, rngs[r]) for r in waiting), strict=True)
        tasks = Tasks(*(xp.asarray(np.stack(p), device=device) for p in parts))
        path: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

        def record(k: int, W: Array, log_time: Any, tasks: Tasks = tasks, path: list = path) -> None:
            path.append((to_numpy(W), to_numpy(log_time), to_numpy(selected(tasks, W))))

        zero = xp.zeros((len(waiting), point["d"], point["d"]), dtype=tasks.X.dtype, device=device)
        train_w(tasks, zero, rate=point["rate"], steps=steps, record=record, record_at=times)
        still = []
        for b, r in enumerate(waiting):
            same = all(np.array_equal(choice[b], path[-1][2][b]) for _, _, choice in path[1:])
            if attempt == 0:
                out["stable"][r] = float(same)
            if not same:
                still.append(r)
                continue
            X, Z = to_numpy(tasks.X)[b], to_numpy(tasks.Z)[b]
            (quarter, *_), (half, half_time, _), (end, end_time, chosen) = ([a[b] for a in path[k]] for k in (0, 1, -1))
            F = target(X, Z, chosen, "frobenius")
            size = np.linalg.norm(F)
            gap = [1 - least_margin(X, Z, chosen, W) / np.linalg.norm(W) * size for W in (quarter, end)]
            turn = [0.5 * np.linalg.norm(W / np.linalg.norm(W) - F / size) ** 2 for W in (quarter, end)]
            span = np.log(times[-1] / times[0])
            out["margin_slope"][r] = np.log(gap[1] / gap[0]) / span
            out["cosine_slope"][r] = np.log(turn[1] / turn[0]) / span
            out["growth"][r] = (np.linalg.norm(end) - np.linalg.norm(half)) / (end_time - half_time) / size
        waiting = still
        if not waiting:
            break
    if waiting:
        raise RuntimeError(f"{len(waiting)} seeds gave 50 runs that changed tokens in their last half; take more steps")
    return {key: xp.asarray(v) for key, v in out.items()}


def regularisation_path(
    point: Any, seeds: Sequence[Any], xp: Namespace, *, target: Target, device: Any = None
) -> dict[str, Array]:
    """Along point["radii"], for the best-scored tokens, over ‖W‖_F = R or, point["over"] = "kq", (‖K‖² + ‖Q‖²)/2 = R.

    gap (R, radii): 1 − (margin of W(R)/R)·optimum in the norm of the constraint; halved (R,): the last but one over the
    last. The path starts at the better of two
    local minima, from the target's direction and from a random one, and goes on from radius to radius.
    """
    gaps = np.zeros((len(seeds), len(point["radii"])))
    for r, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        X, Z, γ = draw(point, rng)
        chosen = γ.argmax(axis=1)
        over_kq = point.get("over", "w") == "kq"
        F = target(X, Z, chosen, "nuclear" if over_kq else "frobenius")
        size = np.linalg.norm(F, "nuc" if over_kq else "fro")
        U, S, V = np.linalg.svd(F)
        noise = rng.standard_normal((3, *F.shape))
        at = [(U * S**0.5, V.T * S**0.5), (noise[0], noise[1])] if over_kq else [(F,), (noise[2],)]

        def step(radius: float, start: tuple, over_kq: bool = over_kq, X=X, Z=Z, γ=γ) -> tuple:
            return constrained_kq(X, Z, γ, radius, start) if over_kq else (constrained(X, Z, γ, radius, *start),)

        def matrix(factors: tuple) -> np.ndarray:
            return factors[0] @ factors[1].T if len(factors) == 2 else factors[0]

        for k, radius in enumerate(point["radii"]):
            at = [min((step(radius, a) for a in at), key=lambda a: excess(X, Z, γ, matrix(a))[0])]
            gaps[r, k] = 1 - least_margin(X, Z, chosen, matrix(at[0])) / radius * size
    return {"gap": xp.asarray(gaps), "halved": xp.asarray(gaps[:, -2] / gaps[:, -1])}
