r"""Regression of sine waves: an MLP makes features, one linear layer regresses on them (von Oswald et al. 2023, §4).

y = a sin(x + φ), x ~ U(−5, 5), a ~ U(a₀, a₁), φ ~ U(0, π); N examples, one query. Features h(x) = W₂ᵀ gelu(W₁x + b),
the layer with u = b = 0 on tokens (h, y):

    ŷ = (1/N) Σ_i y_i h(x_i)ᵀ K h(x_q).

K free is the attention layer, K = ηI one step of gradient descent on the features (their Proposition 2), from zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace, ndtr
from corollary.sims.common.optimisers import Adam, Params, cosine_decay, train
from corollary.sims.icl.prompts import generators


class Waves(NamedTuple):
    """x, y (R, B, N) of the examples, xq, label (R, B) of the query."""

    x: Array
    y: Array
    xq: Array
    label: Array


def waves(point: Mapping[str, Any], rngs: Sequence[np.random.Generator], prompts: int, xp: Namespace) -> Waves:
    """`prompts` waves a generator; point: context, amplitudes (lowest, highest)."""
    parts, (low, high) = [], point["amplitudes"]
    for rng in rngs:
        x = rng.uniform(-5, 5, (prompts, point["context"] + 1))
        a, φ = rng.uniform(low, high, (prompts, 1)), rng.uniform(0, math.pi, (prompts, 1))
        parts.append((x, a * np.sin(x + φ)))
    x, y = (xp.asarray(np.stack(p)) for p in zip(*parts, strict=True))
    return Waves(x[:, :, :-1], y[:, :, :-1], x[:, :, -1], y[:, :, -1])


def sine_gradient(params: Params, w: Waves) -> tuple[Array, Params]:
    """(loss (R,), gradients) of the mean of ½(ŷ − label)²; params W1, b (R, H), W2 (R, H, m), K (R, m, m)."""
    W1, b, W2, K = params
    xp, t = array_namespace(*params), array_namespace(W1).matrix_transpose
    N = w.x.shape[-1]
    x = xp.concat([w.x, w.xq[:, :, None]], axis=2)
    z = x[..., None] * W1[:, None, None, :] + b[:, None, None, :]  # (R, B, N + 1, H)
    Φ = ndtr(z)
    g = z * Φ  # gelu
    h = xp.matmul(g, W2[:, None, :, :])  # (R, B, N + 1, m)
    q, keys = h[:, :, -1, :], h[:, :, :-1, :]
    v = xp.matmul(w.y[:, :, None, :], keys)[:, :, 0, :] / N  # Σ y_i h_i / N
    Kq = xp.matmul(q, t(K))
    gap = xp.sum(v * Kq, axis=-1) - w.label
    δ = (gap / gap.shape[1])[..., None]
    dK = xp.matmul(t(δ * v), q)
    dkeys = w.y[..., None] * (δ * Kq)[:, :, None, :] / N
    dq = δ * xp.matmul(v, K)
    dh = xp.concat([dkeys, dq[:, :, None, :]], axis=2)
    R, H, m = W2.shape
    flat = lambda a: xp.reshape(a, (R, -1, a.shape[-1]))  # noqa: E731
    dW2 = xp.matmul(t(flat(g)), flat(dh))
    dz = xp.matmul(dh, t(W2)[:, None, :, :]) * (Φ + z * xp.exp(-z * z / 2) / math.sqrt(2 * math.pi))
    return xp.mean(gap * gap, axis=1) / 2, (xp.sum(dz * x[..., None], axis=(1, 2)), xp.sum(dz, axis=(1, 2)), dW2, dK)


def train_sine(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Array]:
    """Adam on sampled waves. Point: context, amplitudes, hidden, features, plain (K = ηI), steps, batch,
    learning_rate, record_at, test. path (R, S): ½ loss on fresh waves along training; zero (R,): that of ŷ = 0."""
    rngs = generators(seeds)
    H, m = point["hidden"], point["features"]
    start = []
    for rng in rngs:
        W1 = rng.standard_normal(H)
        # kinks spread over the inputs; features of order one
        start.append((W1, -W1 * rng.uniform(-5, 5, H), rng.standard_normal((H, m)) / math.sqrt(H), np.eye(m) / m))
    params: Params = tuple(xp.asarray(np.stack(p)) for p in zip(*start, strict=True))
    eye = xp.eye(m)

    def grads(step: int, params: Params) -> Params:
        W1, b, W2, K = sine_gradient(params, waves(point, rngs, point["batch"], xp))[1]
        if point["plain"]:
            K = xp.sum(K * eye, axis=(1, 2), keepdims=True) * eye / m
        return W1, b, W2, K

    path: list[Params] = []
    train(
        params, grads, Adam(), cosine_decay(point["learning_rate"], point["steps"]), point["steps"], clip=1.0,
        record=lambda t, p: path.append(p), record_at=point["record_at"],
    )  # fmt: skip
    test = waves(point, generators(seeds, stream=1), point["test"], xp)
    losses = [sine_gradient(p, test)[0] for p in path]
    return {"path": xp.stack(losses, axis=1), "zero": xp.mean(test.label**2, axis=1) / 2}
