"""Which tokens trained attention ends at, and what rounding does to the way there.

Training is normalised descent on W from 0. `bars`: the paper's shares of runs; `equal_scores`: the hypothesis under
which the best tokens are always chosen; `chosen_tokens`: the choice itself, for a judgement that comes from outside;
`two_forms`: the gradient as autodiff forms it against the log domain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, to_numpy
from corollary.sims.attention.experiments import Target, cosine, draw, stacked
from corollary.sims.attention.model import Tasks, logits, naive_gradient, selected
from corollary.sims.attention.training import norm, train_w


def _trained(tasks: Tasks, point: Any) -> Array:
    return train_w(tasks, _zero(tasks), rate=point["rate"], steps=point["steps"])


def _zero(tasks: Tasks) -> Array:
    """W = 0 (B, d, d), on the tasks' device."""
    X = tasks.X
    return 0.0 * (X[:, 0, :1, :] * X[:, 0, 0, :, None])


def bars(point: Any, seeds: Sequence[Any], xp: Namespace, *, device: Any = None) -> dict[str, Array]:
    """Point: n, T, d, rate, steps. is_global, is_local, unsaturated (R,), 0/1 and summing to 1.

    All tokens the best scored; not so, but every attention above 0.9; some attention below.
    """
    tasks, _ = stacked(point, seeds, xp, device)
    W = _trained(tasks, point)
    best = to_numpy(xp.all(selected(tasks, W) == xp.argmax(tasks.scores, axis=-1), axis=-1))
    a = to_numpy(logits(tasks, W))
    top = 1 / np.exp(a - a.max(axis=-1, keepdims=True)).sum(axis=-1)
    sharp = (top > 0.9).all(axis=-1)
    flags = {"is_global": best & sharp, "is_local": ~best & sharp, "unsaturated": ~sharp}
    return {key: xp.asarray(v.astype(float)) for key, v in flags.items()}


def equal_scores(
    point: Any, seeds: Sequence[Any], xp: Namespace, *, target: Target, device: Any = None
) -> dict[str, Array]:
    """Unit tokens, moved along the head so that one of each sequence scores 1 and all others 0. Point as `bars`.

    is_global (R,): all the best are chosen; turn (R,): 1 − cos(W, W^mm of the best).
    """
    parts, best = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        X, Z, _ = draw(point, rng)
        v = rng.standard_normal(point["d"])
        v /= np.linalg.norm(v)
        choice = rng.integers(point["T"], size=point["n"])
        γ = (np.arange(point["T"]) == choice[:, None]).astype(float)
        parts.append((X + (γ - X @ v)[..., None] * v, Z, γ))
        best.append(choice)
    tasks = Tasks(*(xp.asarray(np.stack(p), device=device) for p in zip(*parts, strict=True)))
    W = _trained(tasks, point)
    hit, W = np.all(to_numpy(selected(tasks, W)) == np.stack(best), axis=1), to_numpy(W)
    turn = [1 - cosine(w, target(X, Z, c, "frobenius")) for w, (X, Z, _), c in zip(W, parts, best, strict=True)]
    return {"is_global": xp.asarray(hit.astype(float)), "turn": xp.asarray(np.array(turn))}


def chosen_tokens(
    point: Any, seeds: Sequence[Any], xp: Namespace, *, judge: Callable[..., bool], device: Any = None
) -> dict[str, Array]:
    """ok (R,): judge(X, Z, chosen, scores) of the tokens with the largest attention at the end. Point as `bars`."""
    tasks, _ = stacked(point, seeds, xp, device)
    choice = to_numpy(selected(tasks, _trained(tasks, point)))
    X, Z, γ = (to_numpy(a) for a in tasks)
    return {"ok": xp.asarray(np.array([float(judge(*args)) for args in zip(X, Z, choice, γ, strict=True)]))}


def two_forms(
    point: Any, seeds: Sequence[Any], xp: Namespace, *, target: Target, device: Any = None
) -> dict[str, Array]:
    """log, naive (R, times): 1 − cos of W with the Frobenius solution of the tokens it chose; size_… (R, times): ‖W‖.

    Point: n, T, d, rate, record_at. `naive` follows the textbook gradient; a gradient of exactly 0 moves nothing.
    pair (R, 2): both at the end.
    """
    tasks, _ = stacked(point, seeds, xp, device)
    times = list(point["record_at"])
    X, Z, _ = (to_numpy(a) for a in tasks)
    seen: dict[str, list[np.ndarray]] = {"log": [], "naive": []}

    def record(k: int, W: Array, log_time: Any) -> None:
        seen["log"].append(to_numpy(W))

    schedule = {"rate": point["rate"], "steps": times[-1]}
    train_w(tasks, _zero(tasks), record=record, record_at=times, **schedule)
    W = _zero(tasks)
    for k in range(1, times[-1] + 1):
        G = naive_gradient(tasks, W)
        size = norm(G)
        W = W - point["rate"] * G / xp.where(size > 0, size, xp.ones_like(size))
        if k in times:
            seen["naive"].append(to_numpy(W))
    out: dict[str, Array] = {}
    for name, path in seen.items():
        choice = to_numpy(selected(tasks, xp.asarray(path[-1], device=device)))
        F = [target(X[b], Z[b], choice[b], "frobenius") for b in range(len(X))]
        out[name] = np.array([[1 - cosine(at[b], F[b]) for at in path] for b in range(len(X))])
        out[f"size_{name}"] = np.stack([np.linalg.norm(at, axis=(1, 2)) for at in path], axis=1)
    out["pair"] = np.stack([out["log"][:, -1], out["naive"][:, -1]], axis=1)
    return {name: xp.asarray(v) for name, v in out.items()}


def growth(point: Any, seeds: Sequence[Any], xp: Namespace, *, target: Target, device: Any = None) -> dict[str, Array]:
    """‖W‖/‖W^mm‖ of the tokens each run chose, and ln t: plain_size, flow_size, plain_time, flow_time (R, times).

    Point: n, T, d, rate and record_at of normalised steps, plain_rate and plain_at of plain descent.
    """
    tasks, _ = stacked(point, seeds, xp, device)
    X, Z, _ = (to_numpy(a) for a in tasks)
    out: dict[str, Array] = {}
    for name, rate, times in (
        ("plain", point["plain_rate"], point["plain_at"]), ("flow", point["rate"], point["record_at"])
    ):  # fmt: skip
        sizes: list[np.ndarray] = []
        clock: list[np.ndarray] = []

        def record(k: int, W: Array, log_time: Any, sizes: list = sizes, clock: list = clock) -> None:
            sizes.append(np.linalg.norm(to_numpy(W), axis=(1, 2)))
            clock.append(to_numpy(log_time))

        W = train_w(tasks, _zero(tasks), rate=rate, steps=max(times), normalised=name == "flow", record=record,
                    record_at=times)  # fmt: skip
        choice = to_numpy(selected(tasks, W))
        best = [np.linalg.norm(target(X[b], Z[b], choice[b], "frobenius")) for b in range(len(X))]
        out[f"{name}_size"] = xp.asarray(np.stack(sizes, axis=1) / np.array(best)[:, None])
        out[f"{name}_time"] = xp.asarray(np.stack(clock, axis=1))
    return out
