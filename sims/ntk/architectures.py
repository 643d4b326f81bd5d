r"""Finite networks of any architecture, and their kernels by Monte Carlo. Host only (complex arithmetic in NumPy).

A network is a tuple of layers, each a tuple (name, arguments...): ("dense", W_std, b_std), ("conv", window, W_std,
b_std, strides, "SAME" or "VALID"), ("avg_pool", window, strides), ("global_avg_pool",), ("flatten",), ("sum", branch,
branch...), ("concat", branch, branch...), ("layer_norm",) with the mean subtracted, ("rms_norm",) without, ("dropout",
keep), ("attention", QK_std, W_std, b_std, "softmax" or "identity"), ("rnn", φ, W_std, U_std, b_std) with the name or
the tuple of φ, or an activation of `activations`. A branch is a tuple of layers. Every hidden layer has n channels, NTK
parametrisation; queries and keys of attention share their matrix, scores are scaled by 1/d.

The tangent kernel is E[∂_v f(x) ∂_v f(x')] over standard normal directions v in parameter space, an unbiased estimate
from one forward pass at complex parameters θ + ihv: Im f/h is ∂_v f to rounding (complex step, no cancellation).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from corollary.sims.ntk.activations import NAMES, activation

_STEP = 1e-30
Layer = tuple[Any, ...]


def sampled_kernels(
    layers: Sequence[Layer], x: np.ndarray, *, width: int, seeds: Sequence[Any], outputs: int | None = None
) -> dict[str, np.ndarray]:
    """nngp and ntk (R, N, N), one unbiased estimate a seed, each the mean over the channels of the last layer.

    x (N, ..., c), float64; width n >= 1 of every hidden layer, `outputs` (None: n) of the last one. Raises ValueError
    for an unknown layer, or a network that does not end without positions.
    """
    x = np.asarray(x, dtype=float)
    if width < 1 or x.ndim < 2 or not np.all(np.isfinite(x)):
        raise ValueError(f"width = {width}, x of shape {x.shape}; expected width >= 1 and finite x (N, ..., channels)")
    last = outputs or width
    found: dict[str, list[np.ndarray]] = {"nngp": [], "ntk": []}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        f = _forward(tuple(layers), x.astype(complex), width, last, rng)
        if f.ndim != 2:
            raise ValueError(f"the network ends with features of shape {f.shape[1:]}; end it without positions")
        value, slope = np.real(f), np.imag(f) / _STEP
        found["nngp"].append(value @ value.T / f.shape[1])
        found["ntk"].append(slope @ slope.T / f.shape[1])
    return {name: np.stack(list_) for name, list_ in found.items()}


def _forward(layers: Sequence[Layer], a: np.ndarray, n: int, last: int, rng: np.random.Generator) -> np.ndarray:
    for number, (name, *arguments) in enumerate(layers):
        out = last if number == len(layers) - 1 else n
        if name in NAMES:
            a = activation(name, *arguments)[0](a)
        elif name in ("sum", "concat"):
            parts = [_forward(branch, a, n, n, rng) for branch in arguments]
            a = sum(parts[1:], parts[0]) if name == "sum" else np.concatenate(parts, axis=-1)
        elif name in _LAYERS:
            a = _LAYERS[name](a, out, rng, *arguments)
        else:
            raise ValueError(f"unknown layer {name!r}; known: {', '.join(sorted([*_LAYERS, *NAMES, 'sum', 'concat']))}")
    return a


def _draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * _STEP * rng.standard_normal(shape)


def _dense(a, n, rng, W_std, b_std):
    return (W_std / math.sqrt(a.shape[-1])) * (a @ _draw(rng, a.shape[-1], n)) + b_std * _draw(rng, n)


def _conv(a, n, rng, window, W_std, b_std, strides=None, padding="SAME"):
    shape, strides = a.shape[1:-1], strides or (1,) * len(window)
    pad = [(0, 0)] * len(window)
    if padding == "SAME":
        missing = [max((math.ceil(m / s) - 1) * s + w - m, 0) for m, s, w in zip(shape, strides, window, strict=True)]
        pad = [(m // 2, m - m // 2) for m in missing]
    a = np.pad(a, [(0, 0), *pad, (0, 0)])
    out = [(m - w) // s + 1 for m, w, s in zip(a.shape[1:-1], window, strides, strict=True)]
    total = b_std * _draw(rng, n)
    for offset in itertools.product(*(range(w) for w in window)):
        cut = tuple(slice(o, o + (m - 1) * s + 1, s) for o, m, s in zip(offset, out, strides, strict=True))
        weights = _draw(rng, a.shape[-1], n) * (W_std / math.sqrt(math.prod(window) * a.shape[-1]))
        total = total + a[(slice(None), *cut)] @ weights
    return total


def _avg_pool(a, n, rng, window, strides=None):
    strides = strides or window
    out = [(m - w) // s + 1 for m, w, s in zip(a.shape[1:-1], window, strides, strict=True)]
    total = 0
    for offset in itertools.product(*(range(w) for w in window)):
        cut = tuple(slice(o, o + (m - 1) * s + 1, s) for o, m, s in zip(offset, out, strides, strict=True))
        total = total + a[(slice(None), *cut)]
    return total / math.prod(window)


def _normalised(a):
    return a / np.sqrt(np.mean(a * a, axis=-1, keepdims=True))


def _attention(a, n, rng, QK_std, W_std, b_std, nonlinearity):
    q = a @ _draw(rng, a.shape[-1], n) / math.sqrt(a.shape[-1])
    scores = QK_std * (q @ np.swapaxes(q, -1, -2)) / n
    if nonlinearity == "softmax":
        e = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
        scores = e / e.sum(axis=-1, keepdims=True)
    values = scores @ (a @ _draw(rng, a.shape[-1], n)) / math.sqrt(a.shape[-1])
    return W_std * (values @ _draw(rng, n, n)) / math.sqrt(n) + b_std * _draw(rng, n)


def _rnn(a, n, rng, phi, W_std, U_std, b_std):
    U, W, b = _draw(rng, a.shape[-1], n), _draw(rng, n, n), _draw(rng, n)
    value, _ = activation(*(phi if isinstance(phi, tuple) else (phi,)))
    features = np.zeros((a.shape[0], n), dtype=complex)
    for t in range(a.shape[1]):
        drive = U_std * (a[:, t] @ U) / math.sqrt(a.shape[-1])
        features = value(W_std * (features @ W) / math.sqrt(n) + drive + b_std * b)
    return features


_LAYERS = {
    "dense": _dense,
    "conv": _conv,
    "avg_pool": _avg_pool,
    "global_avg_pool": lambda a, n, rng: a.mean(axis=tuple(range(1, a.ndim - 1))),
    "flatten": lambda a, n, rng: a.reshape(a.shape[0], -1),
    "layer_norm": lambda a, n, rng: _normalised(a - np.mean(a, axis=-1, keepdims=True)),
    "rms_norm": lambda a, n, rng: _normalised(a),
    "dropout": lambda a, n, rng, keep: a * (rng.random(a.shape) < keep) / keep,
    "attention": _attention,
    "rnn": _rnn,
}
