"""Training of linear attention on sampled prompts, or on any gradient handed in; batched over replicates.

Weights start with u = b = 0 (`from_zero`, the default): under an exact loss they stay exactly 0, on sampled prompts
near it. From a generic start training may end at a spurious rank-one local minimum: no failure of the optimiser.
The start is that of Zhang, Frei, Bartlett 2023 (Assumption 3.3): c = σ₀, A = σ₀ ΘΘᵀ/‖ΘΘᵀ‖_F with random Θ (d, 2d).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace
from corollary.sims.common.optimisers import Adam, Params, Sgd, cosine_decay, train
from corollary.sims.icl.attention import forward, layer_gradient, stack_gradient
from corollary.sims.icl.prompts import Sampler, generators
from corollary.sims.icl.softmax import softmax_gradient

Point = Mapping[str, Any]
Arrays = dict[str, Array]
#: gradient(KQ, PV) -> (∂KQ, ∂PV) of one replicate, e.g. of an exact loss; a layer has KQ (T, d), PV (T,)
Gradient = Callable[[Array, Array], tuple[Array, Array]]

SPARSITY = ("full", "gd", "gd++")


def train_layer(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, gradient: Gradient | None = None, L: Any = None, M: Any = None
) -> Arrays:
    """One linear layer, reduced weights, by Adam (or plain GD with "optimiser": "gd").

    Point: d, context, what `Sampler.of` reads, steps, learning_rate, init (scale of the weights), batch (prompts a
    step; not used with gradient=), record_at (optional list of steps), from_zero (default True).
    KQ (R, T, d), PV (R, T), K = c Aᵀ + b uᵀ (R, d, d), and with record_at: path_KQ (R, S, T, d), path_PV (R, S, T).
    """
    rngs = generators(seeds)
    d, T = point["d"], point["d"] + 1
    KQ, PV = (np.stack([point["init"] * rng.standard_normal(shape) for rng in rngs]) for shape in ((T, d), (T,)))
    if point.get("from_zero", True):
        KQ, PV = np.zeros_like(KQ), np.zeros_like(PV)
        PV[:, -1] = point["init"]
        for r, rng in enumerate(rngs):
            Θ = rng.standard_normal((d, 2 * d))
            square = Θ @ Θ.T
            KQ[r, :d] = point["init"] * square / np.linalg.norm(square)
    params: Params = (xp.asarray(KQ), xp.asarray(PV))
    sampler = Sampler.of(point, L, M)

    def grads(step: int, params: Params) -> Params:
        if gradient is None:
            return layer_gradient(params[0], params[1], sampler.draw(rngs, point["batch"], xp))[1:]
        pairs = [gradient(params[0][r, ...], params[1][r, ...]) for r in range(len(rngs))]
        return xp.stack([p[0] for p in pairs]), xp.stack([p[1] for p in pairs])

    path: list[Params] = []
    times = sorted(set(point.get("record_at", ())))
    KQ, PV = train(
        params, grads, _optimiser(point),
        cosine_decay(point["learning_rate"], point["steps"], point.get("hold", 0.5)), point["steps"],
        clip=point.get("clip"), record=lambda t, p: path.append(p), record_at=times,
    )  # fmt: skip
    out = {"KQ": KQ, "PV": PV, "K": effective(KQ, PV, xp)}
    if times:
        out |= {"path_KQ": xp.stack([p[0] for p in path], axis=1), "path_PV": xp.stack([p[1] for p in path], axis=1)}
    return out


def _optimiser(point: Point) -> Adam | Sgd:
    name = point.get("optimiser", "adam")
    if name not in ("adam", "gd"):
        raise ValueError(f"optimiser = {name!r}; expected adam or gd")
    return Sgd() if name == "gd" else Adam(beta2=point.get("beta2", 0.98))


def effective(KQ: Array, PV: Array, xp: Namespace) -> Array:
    """K = c Aᵀ + b uᵀ (R, d, d): the odd part of the prediction is x_qᵀ K Xᵀy/N."""
    A, b, u, c = KQ[:, :-1, :], KQ[:, -1, :], PV[:, :-1], PV[:, -1]
    return c[:, None, None] * xp.matrix_transpose(A) + b[:, :, None] * u[:, None, :]


def mask(sparsity: str, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Which entries of KQ, PV (T, T) are trained: all, those of preconditioned descent, those of GD++ too.

    Raises ValueError for another name than full, gd, gd++.
    """
    if sparsity not in SPARSITY:
        raise ValueError(f"sparsity = {sparsity!r}; expected one of {', '.join(SPARSITY)}")
    T = d + 1
    if sparsity == "full":
        return np.ones((T, T)), np.ones((T, T))
    KQ, PV = np.zeros((T, T)), np.zeros((T, T))
    KQ[:d, :d], PV[d, d] = 1.0, 1.0
    if sparsity == "gd++":
        PV[:d, :d] = 1.0
    return KQ, PV


def train_stack(
    point: Point, seeds: Sequence[Any], xp: Namespace, *, gradient: Gradient | None = None, L: Any = None, M: Any = None
) -> Arrays:
    """A stack of `layers` linear layers, by Adam or plain GD, on sampled prompts or any gradient; then its test loss.

    Point: as `train_layer`, and layers, tied, sparsity ("full", "gd": preconditioned descent, "gd++"), test.
    from_zero here (default False): no noise in the weights that descent does not use (u = b = 0). gradient(KQ, PV) is
    of one replicate's (layers or 1, T, T). Raises TypeError or ValueError for layers that are no whole number >= 1.
    KQ, PV (R, layers or 1, T, T); loss (R,): mean (ŷ − label)² on `test` fresh prompts.
    """
    rngs = generators(seeds)
    d, T, layers = point["d"], point["d"] + 1, point["layers"]
    if isinstance(layers, bool) or not isinstance(layers, Integral):
        raise TypeError(f"layers = {layers!r}; expected a whole number")
    if layers < 1:
        raise ValueError(f"layers = {layers}; expected at least 1")
    layers = int(layers)
    count = 1 if point["tied"] else layers
    on_K, on_P = mask(point["sparsity"], d)
    size = point["init"]
    # a short step of gradient descent with noise on it: KQ ≈ size · I, and PV = −1 in the y-slot (ŷ is minus it)
    noise_K, noise_P = mask("gd" if point.get("from_zero") else "full", d)
    noise = lambda on: on * np.stack([0.1 * size * rng.standard_normal((count, T, T)) for rng in rngs])  # noqa: E731
    start_K = np.diag([size] * d + [0.0]) + noise(noise_K)
    start_P = np.diag([0.0] * d + [-1.0]) + noise(noise_P)
    maskK, maskP = xp.asarray(on_K), xp.asarray(on_P)
    sampler = Sampler.of(point, L, M)

    def grads(step: int, params: Params) -> Params:
        if gradient is None:
            _, dK, dP = stack_gradient(params[0], params[1], sampler.draw(rngs, point["batch"], xp), layers)
        else:
            pairs = [gradient(params[0][r, ...], params[1][r, ...]) for r in range(len(rngs))]
            dK, dP = xp.stack([p[0] for p in pairs]), xp.stack([p[1] for p in pairs])
        return dK * maskK, dP * maskP

    KQ, PV = train(
        (xp.asarray(start_K * on_K), xp.asarray(start_P * on_P)), grads, _optimiser(point),
        cosine_decay(point["learning_rate"], point["steps"]), point["steps"], clip=point.get("clip", 10.0),
    )  # fmt: skip
    test = sampler.draw(rngs, point["test"], xp)
    gap = forward(KQ, PV, test, layers=layers).prediction - test.label
    return {"KQ": KQ, "PV": PV, "loss": xp.mean(gap * gap, axis=1)}


def train_softmax(point: Point, seeds: Sequence[Any], xp: Namespace) -> Arrays:
    """One softmax layer with `heads` heads by Adam on sampled prompts.

    Point: as `train_layer`, and heads, test. KQ (R, h, T, d), V (R, h, T); loss (R,) on `test` fresh prompts; with
    record_at also path (R, S), the loss on these prompts along training.
    """
    rngs = generators(seeds)
    d, h = point["d"], point["heads"]
    # heads in pairs of opposite values and keys: softmax(s) − softmax(−s) is odd, so the linear term survives
    signs = np.array([(-1.0) ** i for i in range(h)])
    KQ = np.stack([point["init"] * rng.standard_normal((h, d + 1, d)) for rng in rngs])
    KQ[:, :, :d, :] += 0.3 * signs[None, :, None, None] * np.eye(d)
    V = np.stack([point["init"] * rng.standard_normal((h, d + 1)) for rng in rngs])
    V[:, :, d] += signs
    sampler = Sampler.of(point)

    def grads(step: int, params: Params) -> Params:
        return softmax_gradient(params[0], params[1], sampler.draw(rngs, point["batch"], xp))[1:]

    rate = cosine_decay(point["learning_rate"], point["steps"])
    path: list[Params] = []
    times = sorted(set(point.get("record_at", ())))
    KQ, V = train(
        (xp.asarray(KQ), xp.asarray(V)), grads, Adam(beta2=0.98), rate, point["steps"], clip=10.0,
        record=lambda t, p: path.append(p), record_at=times,
    )  # fmt: skip
    test = sampler.draw(rngs, point["test"], xp)
    out = {"KQ": KQ, "V": V, "loss": softmax_gradient(KQ, V, test)[0]}
    if times:
        out["path"] = xp.stack([softmax_gradient(p[0], p[1], test)[0] for p in path], axis=1)
    return out
