"""Paths W(k) z_i in the plane, for pictures: two sequences, trained on W from 0 and on (K, Q) from Q = 0.

The layouts of the paper's two pictures (Tarzanagh et al. 2023), drawn from our own seeds:
clouds: two clouds of tokens, 0.3 N(0, I) around (−1, 0) and (1, 0), the best token of each chosen;
margins: tokens 0 at (1, ±0.5), chosen; the others 0.5 N(0, I) around (−1, 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, to_numpy
from corollary.sims.attention.experiments import Target
from corollary.sims.attention.model import Tasks, selected
from corollary.sims.attention.training import train_kq, train_w

ATTEMPTS = 50


def draw(point: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (2, T, 2), Z (2, 2), scores (2, T); `margins` redraws the head until both tokens 0 score best."""
    T = point["T"]
    Z = rng.standard_normal((2, 2))
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    if point["layout"] == "clouds":
        X = 0.3 * rng.standard_normal((2, T, 2)) + np.array([[[-1.0, 0.0]], [[1.0, 0.0]]])
    elif point["layout"] == "margins":
        X = 0.5 * rng.standard_normal((2, T, 2)) + np.array([-1.0, 0.0])
        X[:, 0] = [[1.0, 0.5], [1.0, -0.5]]
    else:
        raise ValueError(f"layout = {point['layout']!r}; expected clouds or margins")
    while True:
        v = rng.standard_normal(2)
        γ = X @ (v / np.linalg.norm(v))
        if point["layout"] == "clouds" or not γ.argmax(axis=1).any():
            return X, Z, γ


def trajectories(
    point: Any, seeds: Sequence[Any], xp: Namespace, *, target: Target, device: Any = None
) -> dict[str, Array]:
    """Point: layout, T, rate, record_at. X, Z, chosen; w, kq (R, times, 2, 2): W(k) z_i; w_ray, kq_ray: W^mm z_i.

    Drawn again, as the pictures were chosen: what no W separates (`target` raises ValueError), and runs that end
    at other tokens than the best. Raises RuntimeError after 50 draws.
    """
    out: dict[str, list[np.ndarray]] = {name: [] for name in ("X", "Z", "chosen", "w", "kq", "w_ray", "kq_ray")}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        found = None
        for _ in range(ATTEMPTS):
            found = found or _one(point, rng, xp, target, device)
        if found is None:
            raise RuntimeError(f"{ATTEMPTS} draws, and never did both runs choose the best tokens")
        for name, value in zip(out, found, strict=True):
            out[name].append(value)
    return {name: xp.asarray(np.stack(v)) for name, v in out.items()}


def _one(point: Any, rng: np.random.Generator, xp: Namespace, target: Target, device: Any) -> tuple | None:
    times = list(point["record_at"])
    X, Z, chosen, γ, rays = _separable(point, rng, target)
    tasks = Tasks(*(xp.asarray(a[None], device=device) for a in (X, Z, γ)))
    paths: dict[str, list[np.ndarray]] = {"w": [], "kq": []}

    def keep(name: str):
        def record(k: int, W: Array, log_time: Any) -> None:
            paths[name].append(Z @ to_numpy(W)[0].T)

        return record

    zero = xp.zeros((1, 2, 2), dtype=tasks.X.dtype, device=device)
    K = xp.asarray(0.1 * rng.standard_normal((1, 2, 2)), device=device)
    schedule = {"rate": point["rate"], "steps": times[-1], "record_at": times}
    ends = [
        train_w(tasks, zero, record=keep("w"), **schedule),
        train_kq(tasks, K, zero, record=keep("kq"), **schedule),
    ]
    if any((to_numpy(selected(tasks, W))[0] != chosen).any() for W in ends):
        return None
    return X, Z, chosen.astype(float), np.stack(paths["w"]), np.stack(paths["kq"]), *(Z @ F.T for F in rays)


def _separable(point: Any, rng: np.random.Generator, target: Target):
    while True:
        X, Z, γ = draw(point, rng)
        chosen = γ.argmax(axis=1)
        try:
            return X, Z, chosen, γ, [target(X, Z, chosen, norm) for norm in ("frobenius", "nuclear")]
        except ValueError:
            continue
