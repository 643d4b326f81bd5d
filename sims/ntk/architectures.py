r"""Finite networks of any architecture, and their kernels by Monte Carlo. Host only (complex arithmetic in NumPy).

A network is a tuple of layers, each a tuple (name, arguments...): ("dense", W_std, b_std), ("conv", window, W_std,
b_std, strides, "SAME" or "VALID"), ("avg_pool", window, strides), ("global_avg_pool",), ("flatten",), ("sum", branch,
branch...), ("concat", branch, branch...), ("layer_norm",) with the mean subtracted, ("rms_norm",) without, ("dropout",
keep), ("attention", QK_std, W_std, b_std, "softmax" or "identity", V_std = 1), ("rnn", φ, W_std, U_std, b_std) with
the name or the tuple of φ, or an activation of `activations`. A branch is a tuple of layers. Every hidden layer has n
channels; queries and keys of attention share their matrix, scores are scaled by 1/d.

With parametrization "ntk" the parameters are standard normal weights w, z = s a w, s = W_std/√fan_in; with "standard"
they are ω = s w. The tangent kernel is E[∂_v f(x) ∂_v f(x')] over standard normal directions v in parameter space, an
unbiased estimate from one forward pass at complex parameters θ + ihv: Im f/h is ∂_v f to rounding (complex step, no
cancellation).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from corollary.sims.ntk.activations import NAMES, activation

_STEP = 1e-30
Layer = tuple[Any, ...]
Draw = Callable[..., np.ndarray]  # s w (shape) at a complex parameter, given s and the shape


def sampled_kernels(
    layers: Sequence[Layer], x: np.ndarray, *, width: int, seeds: Sequence[Any], outputs: int | None = None,
    parametrization: str = "ntk",
) -> dict[str, np.ndarray]:  # fmt: skip
    """nngp and ntk (R, N, N), one unbiased estimate a seed, each the mean over the channels of the last layer.

    x (N, ..., c), float64; width n >= 1 of every hidden layer, `outputs` (None: n) of the last one. Raises ValueError
    for an unknown layer or parametrization, or a network that does not end without positions.
    """
    if parametrization not in ("ntk", "standard"):
        raise ValueError(f"parametrization is {parametrization!r}; expected 'ntk' or 'standard'")
    found: dict[str, list[np.ndarray]] = {"nngp": [], "ntk": []}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        f = _features(layers, x, complex, width, outputs or width, _drawn_from(rng, parametrization), rng)
        value, slope = np.real(f), np.imag(f) / _STEP
        found["nngp"].append(value @ value.T / f.shape[1])
        found["ntk"].append(slope @ slope.T / f.shape[1])
    return {name: np.stack(list_) for name, list_ in found.items()}


def sampled_moments(layers: Sequence[Layer], x: np.ndarray, *, width: int, seeds: Sequence[Any]) -> np.ndarray:
    """Second moments (R, N, N) of the last layer's features, the mean over their channels, one network a seed.

    The nngp of `sampled_kernels` without gradients, a few times faster, from other draws. Raises ValueError as there.
    """
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        f = _features(layers, x, float, width, width, lambda s, *shape, rng=rng: s * rng.standard_normal(shape), rng)
        found.append(f @ f.T / f.shape[1])
    return np.stack(found)


def _features(
    layers: Sequence[Layer], x: np.ndarray, dtype: type, n: int, last: int, draw: Draw, rng: np.random.Generator
) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    if n < 1 or x.ndim < 2 or not np.all(np.isfinite(x)):
        raise ValueError(f"width = {n}, x of shape {x.shape}; expected width >= 1 and finite x (N, ..., channels)")
    f = _forward(tuple(layers), x.astype(dtype), n, last, draw, rng)
    if f.ndim != 2:
        raise ValueError(f"the network ends with features of shape {f.shape[1:]}; end it without positions")
    return f


def _forward(
    layers: Sequence[Layer], a: np.ndarray, n: int, last: int, draw: Draw, rng: np.random.Generator
) -> np.ndarray:
    for number, (name, *arguments) in enumerate(layers):
        out = last if number == len(layers) - 1 else n
        if name in NAMES:
            a = activation(name, *arguments)[0](a)
        elif name in ("sum", "concat"):
            parts = [_forward(branch, a, n, n, draw, rng) for branch in arguments]
            a = sum(parts[1:], parts[0]) if name == "sum" else np.concatenate(parts, axis=-1)
        elif name == "dropout":
            a = a * (rng.random(a.shape) < arguments[0]) / arguments[0]
        elif name in _LAYERS:
            a = _LAYERS[name](a, out, draw, *arguments)
        else:
            known = ", ".join(sorted([*_LAYERS, *NAMES, "dropout", "sum", "concat"]))
            raise ValueError(f"unknown layer {name!r}; known: {known}")
    return a


def _drawn_from(rng: np.random.Generator, parametrization: str) -> Draw:
    def draw(s: float, *shape: int) -> np.ndarray:
        w, v = rng.standard_normal(shape), rng.standard_normal(shape)
        return s * w + 1j * _STEP * (s if parametrization == "ntk" or not s else 1.0) * v

    return draw


def _dense(a, n, draw, W_std, b_std):
    return a @ draw(W_std / math.sqrt(a.shape[-1]), a.shape[-1], n) + draw(b_std, n)


def _conv(a, n, draw, window, W_std, b_std, strides=None, padding="SAME"):
    shape, strides = a.shape[1:-1], strides or (1,) * len(window)
    pad = [(0, 0)] * len(window)
    if padding == "SAME":
        missing = [max((math.ceil(m / s) - 1) * s + w - m, 0) for m, s, w in zip(shape, strides, window, strict=True)]
        pad = [(m // 2, m - m // 2) for m in missing]
    a = np.pad(a, [(0, 0), *pad, (0, 0)])
    out = [(m - w) // s + 1 for m, w, s in zip(a.shape[1:-1], window, strides, strict=True)]
    total = draw(b_std, n)
    for offset in itertools.product(*(range(w) for w in window)):
        cut = tuple(slice(o, o + (m - 1) * s + 1, s) for o, m, s in zip(offset, out, strides, strict=True))
        scale = W_std / math.sqrt(math.prod(window) * a.shape[-1])
        total = total + a[(slice(None), *cut)] @ draw(scale, a.shape[-1], n)
    return total


def _avg_pool(a, n, draw, window, strides=None):
    strides = strides or window
    out = [(m - w) // s + 1 for m, w, s in zip(a.shape[1:-1], window, strides, strict=True)]
    total = 0
    for offset in itertools.product(*(range(w) for w in window)):
        cut = tuple(slice(o, o + (m - 1) * s + 1, s) for o, m, s in zip(offset, out, strides, strict=True))
        total = total + a[(slice(None), *cut)]
    return total / math.prod(window)


def _normalised(a):
    return a / np.sqrt(np.mean(a * a, axis=-1, keepdims=True))


def _attention(a, n, draw, QK_std, W_std, b_std, nonlinearity, V_std=1.0):
    c = a.shape[-1]
    q = a @ draw(1 / math.sqrt(c), c, n)
    scores = QK_std * (q @ np.swapaxes(q, -1, -2)) / n
    if nonlinearity == "softmax":
        e = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
        scores = e / e.sum(axis=-1, keepdims=True)
    values = scores @ (a @ draw(V_std / math.sqrt(c), c, n))
    return values @ draw(W_std / math.sqrt(n), n, n) + draw(b_std, n)


def _rnn(a, n, draw, phi, W_std, U_std, b_std):
    c = a.shape[-1]
    U, W, b = draw(U_std / math.sqrt(c), c, n), draw(W_std / math.sqrt(n), n, n), draw(b_std, n)
    value, _ = activation(*(phi if isinstance(phi, tuple) else (phi,)))
    features = np.zeros((a.shape[0], n), dtype=a.dtype)
    for t in range(a.shape[1]):
        features = value(features @ W + a[:, t] @ U + b)
    return features


_LAYERS = {
    "dense": _dense,
    "conv": _conv,
    "avg_pool": _avg_pool,
    "global_avg_pool": lambda a, n, draw: a.mean(axis=tuple(range(1, a.ndim - 1))),
    "flatten": lambda a, n, draw: a.reshape(a.shape[0], -1),
    "layer_norm": lambda a, n, draw: _normalised(a - np.mean(a, axis=-1, keepdims=True)),
    "rms_norm": lambda a, n, draw: _normalised(a),
    "attention": _attention,
    "rnn": _rnn,
}
