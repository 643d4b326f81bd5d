r"""Two layers on split tokens: softmax attention that may copy, then linear attention (von Oswald et al. 2023, §5).

Tokens (x_1, 0, p_1), (0, y_1, p_2), (x_2, 0, p_3), …, query (x_q, 0, p_{2N+1}); p one-hot positions, n = 2N + 1 tokens
of size T = d + 1 + n, rows of E. With A = softmax(E W Eᵀ) over all tokens and the examples C = (E₁)_{1…2N},

    E₁ = E + A E Uᵀ,      ŷ = −(e_q)_y − (1/N) Σ_i (v·c_i)(c_iᵀ W₂ e_q),   e_q the query in E₁.

One layer alone cannot pair x_i with y_i; copying them into one token makes the second layer a step of descent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace
from corollary.sims.common.optimisers import Adam, Params, cosine_decay, train
from corollary.sims.icl.prompts import Prompts, Sampler, generators


def split_tokens(prompts: Prompts) -> Array:
    """E (R, B, 2N + 1, d + 1 + 2N + 1)."""
    xp = array_namespace(prompts.X)
    R, B, N, d = prompts.X.shape
    zero = xp.zeros_like(prompts.y[..., None])
    inputs = xp.concat([prompts.X, zero], axis=-1)  # (R, B, N, d + 1)
    targets = xp.concat([xp.zeros_like(prompts.X), prompts.y[..., None]], axis=-1)
    pairs = xp.reshape(xp.stack([inputs, targets], axis=3), (R, B, 2 * N, d + 1))
    query = xp.concat([prompts.xq, xp.zeros_like(prompts.xq[..., :1])], axis=-1)[:, :, None, :]
    content = xp.concat([pairs, query], axis=2)
    position = xp.broadcast_to(xp.eye(2 * N + 1, dtype=content.dtype), (R, B, 2 * N + 1, 2 * N + 1))
    return xp.concat([content, position], axis=-1)


def copying_gradient(params: Params, prompts: Prompts) -> tuple[Array, Params, Array]:
    """(loss (R,), gradients, attention (R, B, n, n)) of the mean of (ŷ − label)².

    params: W, U, W2 (R, T, T), v (R, T).
    """
    W, U, W2, v = params
    xp, E = array_namespace(*params), split_tokens(prompts)
    t = xp.matrix_transpose
    d, N = prompts.X.shape[-1], prompts.X.shape[-2]
    scores = xp.matmul(xp.matmul(E, W[:, None, :, :]), t(E))
    scores = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    A = scores / xp.sum(scores, axis=-1, keepdims=True)
    AE = xp.matmul(A, E)
    E1 = E + xp.matmul(AE, t(U)[:, None, :, :])
    C, q = E1[:, :, :-1, :], E1[:, :, -1, :]
    h = xp.matmul(q, t(W2))  # (R, B, T)
    right, left = xp.matmul(C, h[..., None])[..., 0], xp.matmul(C, v[:, None, :, None])[..., 0]
    gap = -q[:, :, d] - xp.sum(left * right, axis=-1) / N - prompts.label
    s = (2.0 / gap.shape[1] * gap)[..., None]  # ∂loss/∂ŷ (R, B, 1)
    dh = -s / N * xp.matmul(left[:, :, None, :], C)[:, :, 0, :]
    dv = xp.sum(-s / N * xp.matmul(right[:, :, None, :], C)[:, :, 0, :], axis=1)
    dC = -(s / N)[..., None] * (right[..., None] * v[:, None, None, :] + left[..., None] * h[:, :, None, :])
    slot = xp.astype(xp.arange(q.shape[-1]) == d, q.dtype)
    dq = xp.matmul(dh, W2) - s * slot
    dE1 = xp.concat([dC, dq[:, :, None, :]], axis=2)
    flat = lambda a: xp.reshape(a, (a.shape[0], -1, a.shape[-1]))  # noqa: E731
    dU = xp.matmul(t(flat(dE1)), flat(AE))
    dA = xp.matmul(xp.matmul(dE1, U[:, None, :, :]), t(E))
    dS = A * (dA - xp.sum(A * dA, axis=-1, keepdims=True))
    dW = xp.matmul(t(flat(E)), flat(xp.matmul(dS, E)))
    return xp.mean(gap * gap, axis=1), (dW, dU, xp.matmul(t(dh), q), dv), A


def partners(A: Array) -> Array:
    """(R, 2): mean attention of y-tokens on their own x-token, and of x-tokens on their own y-token."""
    xp, n = array_namespace(A), A.shape[-1]
    at = lambda offset: sum(A[:, :, 2 * j + 1 - offset, 2 * j + offset] for j in range(n // 2)) / (n // 2)  # noqa: E731
    return xp.stack([xp.mean(at(0), axis=1), xp.mean(at(1), axis=1)], axis=1)


def train_copying(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Array]:
    """Adam on sampled prompts. Point: what `Sampler.of` reads, steps, batch, learning_rate, init, record_at, test.

    path (R, S): loss on fresh prompts along training; partner (R, S, 2): `partners` there.
    """
    rngs, sampler = generators(seeds), Sampler.of(point)
    n = 2 * point["context"] + 1
    T = point["d"] + 1 + n
    params: Params = tuple(
        xp.asarray(np.stack([point["init"] * rng.standard_normal(shape) for rng in rngs]))
        for shape in ((T, T), (T, T), (T, T), (T,))
    )

    def grads(step: int, params: Params) -> Params:
        return copying_gradient(params, sampler.draw(rngs, point["batch"], xp))[1]

    path: list[Params] = []
    train(
        params, grads, Adam(beta2=0.98), cosine_decay(point["learning_rate"], point["steps"]), point["steps"],
        clip=10.0, record=lambda t, p: path.append(p), record_at=point["record_at"],
    )  # fmt: skip
    test = sampler.draw(generators(seeds, stream=1), point["test"], xp)
    judged = [copying_gradient(p, test) for p in path]
    return {
        "path": xp.stack([j[0] for j in judged], axis=1), "partner": xp.stack([partners(j[2]) for j in judged], axis=1),
    }  # fmt: skip
