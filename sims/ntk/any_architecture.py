"""Experiments on finite networks of any architecture: tangent kernel against its limit, outputs, back-propagation.

In the shape the engine runs: run(point, seeds, xp); a point has the width n. Computed on the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace
from corollary.sims.ntk import exact
from corollary.sims.ntk.architectures import Layer


def deviation(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, layers: Sequence[Layer], x: np.ndarray,
    limit: np.ndarray, device: Any = None,
) -> dict[str, Array]:  # fmt: skip
    """An experiment: deviation (R,), Θ_n(x₀, x₁)/limit₀₁ − 1, at the width point["n"]; x (2, ..., c), limit (2, 2)."""
    theta = exact.kernels(layers, x, width=point["n"], seeds=seeds)["ntk"]
    return {"deviation": xp.asarray(theta[:, 0, 1] / limit[0, 1] - 1, device=device)}


def output(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, layers: Sequence[Layer], x: np.ndarray,
    device: Any = None,
) -> dict[str, Array]:  # fmt: skip
    """An experiment: f (R,), the output at x₀, at the width point["n"]; x (1, ..., c)."""
    return {"f": xp.asarray(exact.outputs(layers, x, width=point["n"], seeds=seeds)[:, 0], device=device)}


def squared_gradients(
    point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, device: Any = None
) -> dict[str, Array]:
    """An experiment: (1/n) ‖(1/√n) Wᵀ (v ⊙ relu'(z))‖² with z = W relu(u)/√n, u ~ N(0, I), W of independent N(0, 1).

    Point: n. Arrays (R,): mean (readout v = (1, …, 1)), random (v of independent signs), copy (v = 1, and back through
    a copy of W that is independent of z).
    """
    n, found = point["n"], {"mean": [], "random": [], "copy": []}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        u, W = rng.standard_normal(n), rng.standard_normal((n, n))
        slope = (W @ np.maximum(u, 0) > 0) * 1.0
        cases = {
            "mean": (W, slope), "random": (W, slope * rng.choice([-1.0, 1.0], n)),
            "copy": (rng.standard_normal((n, n)), slope),
        }  # fmt: skip
        for name, (back, cotangent) in cases.items():
            found[name].append(np.mean((cotangent @ back) ** 2) / n)
    return {name: xp.asarray(np.array(values), device=device) for name, values in found.items()}
