r"""Attention under a nonlinear head, trained by normalised descent on W: several tokens of a sequence keep attention.

    f_i(W) = Σ_k ReLU(x̄_i V)_k,  x̄_i = X_iᵀ softmax(X_i W z_i);   L = (1/n) Σ log(1 + exp(−Y_i f_i))

(Tarzanagh et al. 2023, Section 6 and its multi-token experiment: unit tokens and queries, V Gaussian of unit norm, at
least one Y = −1, whose sequences want ReLU outputs of 0 and so average tokens.) Batched over B replicates, any backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace, device, to_numpy
from corollary.sims.attention.experiments import Target, cosine
from corollary.sims.attention.training import norm

ROUNDS, CANDIDATES = 80, 8  # runs of a seed: in ten dimensions one in 22 settles
SELECTED, GONE = 1e-3, 1e-6  # the paper's code: attention above the first is kept, between the two the run is dropped

Program = Callable[..., "tuple[np.ndarray, np.ndarray] | None"]


class Heads(NamedTuple):
    """X (B, n, T, d), Z (B, n, d), V (B, d, d), labels Y (B, n)."""

    X: Array
    Z: Array
    V: Array
    Y: Array


def draw(point: Any, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """X, Z, V, Y of one problem, at least one label −1."""
    n, T, d = point["n"], point["T"], point["d"]
    X, Z, V = rng.standard_normal((n, T, d)), rng.standard_normal((n, d)), rng.standard_normal((d, d))
    Y = rng.choice((-1.0, 1.0), n)
    while not (Y < 0).any():
        Y = rng.choice((-1.0, 1.0), n)
    X, Z = (a / np.linalg.norm(a, axis=-1, keepdims=True) for a in (X, Z))
    return X, Z, V / np.linalg.norm(V), Y


def attention(heads: Heads, W: Array) -> Array:
    """softmax(X_i W z_i), (B, n, T)."""
    xp = array_namespace(W)
    a = xp.matmul(heads.X, xp.matmul(heads.Z, xp.matrix_transpose(W))[..., None])[..., 0]
    s = xp.exp(a - xp.max(a, axis=-1, keepdims=True))
    return s / xp.sum(s, axis=-1, keepdims=True)


def loss(heads: Heads, W: Array) -> Array:
    """L (B,)."""
    xp = array_namespace(W)
    pooled = xp.matmul(attention(heads, W)[..., None, :], heads.X)[..., 0, :]
    f = xp.sum(xp.clip(xp.matmul(pooled, heads.V), 0.0, None), axis=-1)
    return xp.mean(xp.log1p(xp.exp(-heads.Y * f)), axis=-1)


def gradient(heads: Heads, W: Array) -> Array:
    """∇L (B, d, d), from differences to each sequence's top token, so that small attentions keep their digits."""
    xp = array_namespace(W)
    X, Z, V, Y = heads
    s = attention(heads, W)
    hidden = xp.matmul(xp.matmul(s[..., None, :], X)[..., 0, :], V)
    zero = xp.zeros_like(hidden)
    f = xp.sum(xp.where(hidden > 0, hidden, zero), axis=-1)
    slope = -Y / (1 + xp.exp(Y * f))  # Y ℓ'(Y f)
    u = xp.matmul(xp.where(hidden > 0, zero + 1, zero), xp.matrix_transpose(V))  # ∂f/∂x̄
    is_top = xp.arange(X.shape[2], device=device(W)) == xp.argmax(s, axis=-1, keepdims=True)
    x_top = xp.sum(xp.where(is_top[..., None], X, xp.zeros_like(X)), axis=2, keepdims=True)
    from_top = X - x_top
    δ = xp.matmul(from_top, u[..., None])[..., 0]
    weight = s * (δ - xp.sum(s * δ, axis=-1, keepdims=True)) * slope[..., None]
    left = xp.matmul(weight[..., None, :], from_top)[..., 0, :] * (1.0 / X.shape[1])
    return xp.matmul(xp.matrix_transpose(left), Z)


def train(heads: Heads, W: Array, *, rate: float, steps: int, record_at: Sequence[int]) -> list[Array]:
    """W after each number of normalised steps in `record_at`, the last of which is `steps`."""
    xp, path = array_namespace(W), []
    for k in range(1, steps + 1):
        G = gradient(heads, W)
        size = norm(G)
        W = W - rate * G / xp.where(size > 0, size, xp.ones_like(size))
        if k in record_at:
            path.append(W)
    return path


def multi_token(
    point: Any, seeds: Sequence[Any], xp: Namespace, *, program: Program, target: Target, device: Any = None
) -> dict[str, Array]:
    """1 − cos of W with three predictions from the tokens that kept attention, at point["record_at"] (n, T, d, rate).

    equivalent: W^fin + C W^svm, C fitted to the last W; direction: W^svm alone; single: the SVM of the top tokens; all
    (R, times). to_direction, to_single (R, 2): equivalent and that one at the end; runs that keep one token a sequence
    tie. largest (R,): the largest attention that is gone. valid (R,): 1 if the first run drawn from the seed was
    valid: no attention in (1e-6, 1e-3], some below, and a program that is feasible; else runs are drawn until one is.
    program(X, Z, selected, attention) → (W^svm, W^fin) or None. Raises RuntimeError after 640 invalid runs of a seed.
    """
    times = list(point["record_at"])
    names = ("equivalent", "direction", "single")
    out = {name: np.full((len(seeds), len(times)), np.nan) for name in names}
    out |= {name: np.zeros(len(seeds)) for name in ("largest", "valid")}
    rngs, waiting = [np.random.default_rng(seed) for seed in seeds], list(range(len(seeds)))
    for attempt in range(ROUNDS):
        owners = [r for r in waiting for _ in range(CANDIDATES)]
        drawn = [(*draw(point, rngs[r]), _start(point["d"], rngs[r])) for r in owners]
        parts = [np.stack(p) for p in zip(*drawn, strict=True)]
        *data, start = (xp.asarray(p, device=device) for p in parts)
        path = train(Heads(*data), start, rate=point["rate"], steps=times[-1], record_at=times)
        s, path_here = to_numpy(attention(Heads(*data), path[-1])), [to_numpy(W) for W in path]
        for b, r in enumerate(owners):
            if r not in waiting:
                continue
            said = _predictions(parts[0][b], parts[1][b], s[b], path_here[-1][b], program, target)
            if said is None:
                continue
            waiting.remove(r)
            out["valid"][r] = float(attempt == 0 and b % CANDIDATES == 0)
            out["largest"][r] = s[b][s[b] <= SELECTED].max()
            for name, W in zip(names, said, strict=True):
                out[name][r] = [1 - cosine(at[b], W) for at in path_here]
        if not waiting:
            end = {name: out[name][:, -1] for name in names}
            pairs = {f"to_{name}": np.stack([end["equivalent"], end[name]], axis=1) for name in names[1:]}
            return {name: xp.asarray(v) for name, v in (out | pairs).items()}
    raise RuntimeError(
        f"{len(waiting)} seeds gave {ROUNDS * CANDIDATES} runs without settled attention; take more steps"
    )


def _start(d: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1, 1, (d, d)) / d**0.5  # torch's default


def _predictions(X, Z, s, W, program: Program, target: Target) -> tuple[np.ndarray, ...] | None:
    kept = s > SELECTED
    if ((s > GONE) & ~kept).any() or kept.all():
        return None
    found = program(X, Z, kept, s)
    if found is None:
        return None
    svm, fin = found
    C = np.sum((W - fin) * svm) / np.sum(svm * svm)
    return fin + C * svm, svm, target(X, Z, s.argmax(axis=1), "frobenius")
