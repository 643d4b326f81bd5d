r"""Two-layer ReLU networks trained on a permutation of the k basis vectors, and ensembles of them (2502.16763).

    f(x) = (1/√n) V relu(W x/√k), W (n, k) and V (k, n) standard normal, full-batch descent on ½ Σ (f(e_i) − e_i)²

parametrization "ntk": one learning rate for W and V. "standard": w = W/√k and v = V/√n are trained with one rate, which
is W ← W − (η k/n) ∂W, V ← V − η ∂V with η the rate times n: the first layer stands still as n grows. The permutation is
the identity: outputs are exchangeable. Steps: η = 2/(λ_min + λ_max) of the limiting kernel, until it has contracted to
1e-6. The experiments have the shape run(point, seeds, xp); a point names k, n and parametrization.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, to_numpy

_CONTRACTED = 1e-6


def pairs(k: int) -> np.ndarray:
    """(k(k−1)/2, k): the inputs with two ones, bits 0 and 1; (0, 1) comes first."""
    return np.array([np.isin(np.arange(k), ij) for ij in itertools.combinations(range(k), 2)], dtype=float)


def default_schedule(k: int, parametrization: str) -> tuple[float, int]:
    """Learning rate η and steps, from the limiting kernel (a I + c 11ᵀ)/k on the basis, c = 1/2π.

    Raises ValueError for a parametrization other than "ntk" and "standard".
    """
    if parametrization not in ("ntk", "standard"):
        raise ValueError(f"parametrization is {parametrization!r}; expected 'ntk' or 'standard'")
    c = 1 / (2 * math.pi)
    a = 1 - c if parametrization == "ntk" else 0.5 - c
    low, high = a / k, (a + c * k) / k
    return 2 / (low + high), math.ceil(math.log(_CONTRACTED) / math.log((high - low) / (high + low)))


def trained(
    k: int, n: int, parametrization: str, seeds: Sequence[Any], xp: Namespace, x: np.ndarray, device: Any = None,
    schedule: tuple[float, int] | None = None,
) -> Array:  # fmt: skip
    """Outputs (R, M, k) of one trained network a seed at the rows of x (M, k); schedule None: the default one."""
    rate, steps = schedule or default_schedule(k, parametrization)
    draws = [np.random.default_rng(seed).standard_normal((2, k, n)) for seed in seeds]
    W, V = (xp.asarray(np.stack([d[i] for d in draws]), device=device) for i in (0, 1))  # (R, k, n): Wᵀ and V
    slow = rate if parametrization == "ntk" else rate * k / n
    target = xp.eye(k, dtype=W.dtype, device=device)
    down, out = 1 / math.sqrt(k), 1 / math.sqrt(n)
    for _ in range(steps):
        z = down * W  # the rows are the hidden layer at e_1, …, e_k
        a = xp.where(z > 0, z, 0.0)
        r = out * xp.matmul(a, xp.matrix_transpose(V)) - target  # (R, inputs, outputs)
        back = xp.where(z > 0, xp.matmul(r, V), 0.0)
        V = V - (rate * out) * xp.matmul(xp.matrix_transpose(r), a)
        W = W - (slow * out * down) * back
    z = down * xp.matmul(xp.asarray(x, dtype=W.dtype, device=device), W)
    return out * xp.matmul(xp.where(z > 0, z, 0.0), xp.matrix_transpose(V))


def moments(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, device: Any = None) -> dict[str, Array]:
    """Outputs at all inputs of two ones, one network a replicate; k >= 3.

    means (R, 2): mean output at bits that are 1, and at bits that are 0; square (R,): mean of f² at bits that are 0.
    """
    k, x = point["k"], pairs(point["k"])
    f = trained(k, point["n"], point["parametrization"], seeds, xp, x / math.sqrt(2), device)
    on = xp.asarray(x / (2 * len(x)), dtype=f.dtype, device=device)
    off = xp.asarray((1 - x) / ((k - 2) * len(x)), dtype=f.dtype, device=device)
    means = xp.stack([xp.sum(f * w, axis=(1, 2)) for w in (on, off)], axis=1)
    return {"means": means, "square": xp.sum(f * f * off, axis=(1, 2))}


def ensembles(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace, *, device: Any = None) -> dict[str, Array]:
    """needed (R, D): networks added until a share 1 − δ of 1000 random inputs of two ones has all bits right.

    Point: also deltas (D numbers), most (networks at which to give up: NaN) and at_once (networks trained together).
    """
    k, x = point["k"], pairs(point["k"])
    found = []
    for seed in seeds:
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        draw, networks = (np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, i)) for i in (0, 1))
        weights = np.random.default_rng(draw).multinomial(1000, np.full(len(x), 1 / len(x))) / 1000
        needed, total, models = np.full(len(point["deltas"]), np.nan), 0.0, 0
        while models < point["most"] and np.any(np.isnan(needed)):
            children = networks.spawn(point["at_once"])
            f = trained(k, point["n"], point["parametrization"], children, xp, x / math.sqrt(2), device)
            for one in to_numpy(f):
                total, models = total + one, models + 1
                share = weights @ np.all((total > 0) == (x > 0), axis=1)
                for i, delta in enumerate(point["deltas"]):
                    if np.isnan(needed[i]) and share >= 1 - delta:
                        needed[i] = models
        found.append(needed)
    return {"needed": xp.asarray(np.array(found), device=device)}
