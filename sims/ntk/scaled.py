"""Networks of L hidden layers with every layer's scale a power of the width n, trained by full-batch descent.

Wˡ = n^(−a_l) wˡ, wˡ = n^(−b_l) times standard normal numbers, learning rate η n^(−c); loss (1/2P) Σ (f − y)²,
one output, no biases (the parametrisations of Yang, Hu 2021). Exponents come as `scaling` = (a, b, c).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace
from corollary.sims.common.activations import Activation, activation
from corollary.sims.common.networks import require_seeds
from corollary.sims.ntk.setting import Point, get

Scaling = tuple[Sequence[float], Sequence[float], float]
Weights = list[Array]  # wˡ (R, fan_out, fan_in)


def draw(widths: Sequence[int], n: int, scaling: Scaling, seeds: Sequence[Any], xp: Namespace, device: Any) -> Weights:
    """Starting weights of one network a seed, drawn on the host layer by layer."""
    generators = [np.random.default_rng(seed) for seed in require_seeds(seeds)]
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    if len(shapes) != len(scaling[0]) or len(shapes) != len(scaling[1]):
        raise ValueError(f"scaling is for {len(scaling[0])}, {len(scaling[1])} layers; the network has {len(shapes)}")
    layers = [[rng.standard_normal(shape) * n**-b for shape, b in zip(shapes, scaling[1], strict=True)]
              for rng in generators]  # fmt: skip
    return [xp.asarray(np.stack(same), device=device) for same in zip(*layers, strict=True)]


def forward(w: Weights, n: int, scaling: Scaling, x: Array, φ: Activation) -> tuple[list[Array], list[Array]]:
    """(x⁰, x¹, …, xᴸ) and (h¹, …, hᴸ, f); x (P, d), the others (R, P, n), f (R, P, 1)."""
    xp = array_namespace(x)
    features, before = [x], []
    for l, (weights, a) in enumerate(zip(w, scaling[0], strict=True)):
        before.append(xp.matmul(features[-1] * n**-a, xp.matrix_transpose(weights)))
        if l + 1 < len(w):
            features.append(φ.value(before[-1]))
    return features, before


def descend(w: Weights, n: int, scaling: Scaling, x: Array, y: Array, rate: float, φ: Activation) -> Weights:
    """The weights after one step; y (P, 1)."""
    xp = array_namespace(x)
    features, before = forward(w, n, scaling, x, φ)
    δ = (before[-1] - y) / x.shape[0]
    moved = []
    for l in range(len(w) - 1, -1, -1):
        scale = n ** -scaling[0][l]
        moved.append(w[l] - (rate * n ** -scaling[2] * scale) * xp.matmul(xp.matrix_transpose(δ), features[l]))
        if l:
            δ = scale * xp.matmul(δ, w[l]) * φ.derivative(before[l - 1])
    return moved[::-1]


def training(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, scaling: Scaling, x: Any, y: Any, device: Any = None
) -> dict[str, Array]:
    """How far training moves the last features and the outputs, on its inputs x (P, d), targets y (P,).

    Point: n, activation, rate, steps. Root mean squares (R,) over neurons and inputs: start (f_0), features (xᴸ_T −
    xᴸ_0), outputs (f_T − f_0); grams before, after (R, P, P): (1/n) xᴸ·xᴸ; residual (R,): largest |f_T − y|.
    """
    n, φ = int(get(point, "n")), activation(get(point, "activation"))
    inputs = xp.asarray(np.asarray(x, dtype=float), device=device)
    targets = xp.asarray(np.asarray(y, dtype=float)[:, None], device=device)
    hidden = len(scaling[0]) - 1
    w = draw((inputs.shape[1], *(n,) * hidden, 1), n, scaling, seeds, xp, device)
    features, before = forward(w, n, scaling, inputs, φ)
    for _ in range(int(get(point, "steps"))):
        w = descend(w, n, scaling, inputs, targets, float(get(point, "rate")), φ)
    trained, after = forward(w, n, scaling, inputs, φ)
    f0, f1 = before[-1], after[-1]
    if not bool(xp.all(xp.isfinite(f1))):
        raise FloatingPointError(f"training diverged at n = {n}, rate {get(point, 'rate')}; use a smaller one")

    def size(v: Array) -> Array:
        return xp.sqrt(xp.mean(v * v, axis=(1, 2)))

    return {
        "start": size(f0), "features": size(trained[-1] - features[-1]), "outputs": size(f1 - f0),
        "before": _gram(features[-1], n), "after": _gram(trained[-1], n),
        "residual": xp.max(xp.abs(f1 - targets), axis=(1, 2)),
    }  # fmt: skip


def _gram(features: Array, n: int) -> Array:
    xp = array_namespace(features)
    return xp.matmul(features, xp.matrix_transpose(features)) / n
