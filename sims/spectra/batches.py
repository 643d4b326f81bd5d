"""Hessians of mini-batches, drawn without replacement: from a synthetic pool of per-sample Hessians, and of a network.

Pool: H_i = θ e₁e₁ᵀ + G_i − Ḡ, i ≤ N, G_i symmetric normal, P × P, entries of variance σ² = noise/P off the diagonal
and 2σ² on it, Ḡ their mean: the full Hessian is θ e₁e₁ᵀ exactly, and a batch's is the mean of b of the H_i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Namespace
from corollary.sims.common.curvature import Curvature
from corollary.sims.spectra.probes import signs
from corollary.sims.spectra.spiked import append_top


def batch_hessian(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Any]:
    """One batch of one pool each. Point: P, samples N, batch b, theta, noise. ValueError unless 1 ≤ b ≤ N, P ≥ 2.

    spread (R, 2): ‖H_b − H‖_F²/P and Σ_i ‖H_i − H‖_F²/(P(N − 1)), which estimates `noise`; edge (R,): the largest
    eigenvalue of H_b − H; top, overlap, residual (R,): of H_b, overlap = (v·e₁)². Host draws, xp's solver.
    """
    P, N, b, theta = point["P"], point["samples"], point["batch"], point["theta"]
    if not (isinstance(P, int) and P >= 2 and isinstance(b, int) and isinstance(N, int) and 1 <= b <= N):
        raise ValueError(f"P = {P!r}, batch = {b!r}, samples = {N!r}; expected integers, P >= 2, 1 <= batch <= samples")
    out: dict[str, list[Any]] = {"spread": [], "edge": [], "top": [], "overlap": [], "residual": []}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        chosen = set(rng.choice(N, b, replace=False).tolist())
        total, part, squares = np.zeros((P, P)), np.zeros((P, P)), 0.0
        for i in range(N):
            g = rng.standard_normal((P, P))
            g = (g + g.T) * np.sqrt(point["noise"] / (2 * P))
            total += g
            squares += float(np.sum(g * g))
            if i in chosen:
                part += g
        noise = part / b - total / N
        pool = (squares - float(np.sum(total * total)) / N) / (P * (N - 1)) if N > 1 else 0.0
        out["spread"].append(xp.asarray([float(np.sum(noise * noise)) / P, pool]))
        out["edge"].append(xp.linalg.eigvalsh(xp.asarray(noise))[-1])
        noise[0, 0] += theta
        append_top(out, xp.asarray(noise), xp)
    return {name: xp.stack(rows) for name, rows in out.items()}


def batch_spread(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, curvature: Curvature
) -> dict[str, np.ndarray]:
    """spread (R,): ‖H_b − H‖_F²/P of the curvature on `batch` points, from 16 random signs: E|Mω|² = ‖M‖_F².

    curvature: the full one, on host arrays; point: batch.
    """
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        rows = rng.choice(curvature.x.shape[0], point["batch"], replace=False)
        part = Curvature(
            curvature.net, curvature.params, curvature.x[rows], curvature.y[rows], curvature.loss, curvature.kind
        )
        omega = signs(rng, curvature.size, 16)
        found.append(float(np.sum((part(omega) - curvature(omega)) ** 2)) / 16 / curvature.size)
    return {"spread": np.array(found)}
