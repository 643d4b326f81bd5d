r"""Exact empirical tangent kernels of finite networks of any architecture, by one forward and one backward pass.

Layers as in `architectures`: tuples (name, arguments...), every hidden layer n channels wide. Θ = J Jᵀ with the
gradients J (N, parameters) of one output (Jacot, Gabriel, Hongler 2018, Section 4), where a weight that acts at several
positions or times has the sum of its gradients: Σ_p a_p δ_pᵀ for features a and back-propagated δ, and Θ the sum of
Σ_pq (a_p·a'_q)(δ_p·δ'_q) over the layers, so that J need not be formed. With parametrization "ntk" the gradients are
those of the standard normal weights w, z = s a w, s = W_std/√fan_in; with "standard" those of ω = s w: the same
function, its gradients over s. Host only (NumPy).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf

from corollary.sims.ntk.activations import NAMES, activation
from corollary.sims.ntk.architectures import Layer

Source = Callable[..., np.ndarray]  # the weights, asked for by shape in the order of the layers
# a (N, positions, c), δ (N, positions, m) and s of one weight matrix w (c, m): its gradients are s Σ_p a_p δ_pᵀ
Outer = tuple[np.ndarray, np.ndarray, float]
Back = Callable[[np.ndarray, list[Outer]], np.ndarray]  # cotangent in, gradients appended, cotangent out


class Gradients(NamedTuple):
    """`f` (N,), the output; `J` (N, parameters), its gradients."""

    f: np.ndarray
    J: np.ndarray


def kernels(
    layers: Sequence[Layer], x1: np.ndarray, x2: np.ndarray | None = None, *, width: int, seeds: Sequence[Any],
    parametrization: str = "ntk",
) -> dict[str, np.ndarray]:  # fmt: skip
    """ntk (R, n1, n2) and f (R, n1) of one network a seed; x1, x2 (n, ..., channels), x2 None: x1.

    Raises ValueError as `gradients`.
    """
    if parametrization not in ("ntk", "standard"):
        raise ValueError(f"parametrization is {parametrization!r}; expected 'ntk' or 'standard'")
    x = x1 if x2 is None else np.concatenate([x1, x2])
    found: dict[str, list[np.ndarray]] = {"ntk": [], "f": []}
    for seed in seeds:
        f, back = _checked(layers, x, width, np.random.default_rng(seed).standard_normal)
        sink: list[Outer] = []
        back(np.ones_like(f), sink)
        shares = [(s**2 if parametrization == "ntk" else 1.0) * _gram(a, δ, len(x1)) for a, δ, s in sink]
        theta = np.sum(shares, axis=0)
        found["ntk"].append(theta if x2 is None else theta[:, len(x1) :])
        found["f"].append(f[: len(x1), 0])
    return {name: np.stack(arrays) for name, arrays in found.items()}


def outputs(layers: Sequence[Layer], x: np.ndarray, *, width: int, seeds: Sequence[Any]) -> np.ndarray:
    """f (R, N) of the same networks, without gradients."""
    runs = [np.random.default_rng(seed).standard_normal for seed in seeds]
    return np.stack([_checked(layers, x, width, source)[0][:, 0] for source in runs])


def gradients(layers: Sequence[Layer], x: np.ndarray, *, width: int, source: Source) -> Gradients:
    """Output and gradients (NTK parametrisation) with weights source(shape...), standard normal numbers as a rule.

    Raises ValueError for an unknown layer, a width below 1, x that is not finite, or a network that does not end
    without positions.
    """
    f, back = _checked(layers, x, width, source)
    sink: list[Outer] = []
    back(np.ones_like(f), sink)
    each = [s * np.matmul(a.transpose(0, 2, 1), δ).reshape(len(f), -1) for a, δ, s in sink]
    return Gradients(f[:, 0], np.concatenate(each, axis=1))


def _gram(a: np.ndarray, δ: np.ndarray, n1: int) -> np.ndarray:
    """(n1, N): the share of Θ of one weight matrix, the cheaper way."""
    N, P, c = a.shape
    m = δ.shape[-1]
    if N * P * (c + m) > 2 * c * m * N:
        J = np.matmul(a.transpose(0, 2, 1), δ).reshape(N, -1)
        return J[:n1] @ J.T
    A, D = a.reshape(N * P, c), δ.reshape(N * P, m)
    return ((A[: n1 * P] @ A.T) * (D[: n1 * P] @ D.T)).reshape(n1, P, N, P).sum(axis=(1, 3))


def _checked(layers: Sequence[Layer], x: np.ndarray, width: int, source: Source) -> tuple[np.ndarray, Back]:
    x = np.asarray(x)
    if width < 1 or x.ndim < 2 or not np.all(np.isfinite(x)):
        raise ValueError(f"width = {width}, x of shape {x.shape}; expected width >= 1 and finite x (N, ..., channels)")
    f, back = _run(tuple(layers), x, width, 1, source)
    if f.ndim != 2 or f.shape[1] != 1:
        raise ValueError(f"the network ends with features of shape {f.shape[1:]}; end it without positions, in a dense")
    return f, back


def _run(layers: Sequence[Layer], a: np.ndarray, n: int, last: int, source: Source) -> tuple[np.ndarray, Back]:
    backs: list[Back] = []
    for number, (name, *arguments) in enumerate(layers):
        out = last if number == len(layers) - 1 else n
        if name in ("sum", "concat"):
            a, back = _branches(a, n, source, name, arguments)
        elif name in NAMES:
            a, back = _activation(a, *activation(name, *arguments))
        elif name in _LAYERS:
            a, back = _LAYERS[name](a, out, source, *arguments)
        else:
            known = ", ".join(sorted([*_LAYERS, *NAMES, "sum", "concat"]))
            raise ValueError(f"unknown layer {name!r}; known: {known}")
        backs.append(back)

    def chain(g: np.ndarray, sink: list[Outer]) -> np.ndarray:
        for back in reversed(backs):
            g = back(g, sink)
        return g

    return a, chain


def _activation(z: np.ndarray, value: Callable, slope: Callable) -> tuple[np.ndarray, Back]:
    return value(z), lambda g, sink: g * slope(z)


def _linear(a: np.ndarray, w: np.ndarray, scale: float) -> tuple[np.ndarray, Back]:
    """scale · a w over the last axis; the gradient of w is summed over positions."""

    def back(g: np.ndarray, sink: list[Outer]) -> np.ndarray:
        left, right = (t.reshape(len(t), -1, t.shape[-1]) for t in (a, g))
        sink.append((left, right, scale))
        return scale * (g @ w.T)

    return scale * (a @ w), back


def _bias(z: np.ndarray, b_std: float, source: Source) -> tuple[np.ndarray, Back]:
    if b_std == 0:
        return z, lambda g, sink: g

    def back(g: np.ndarray, sink: list[Outer]) -> np.ndarray:
        right = g.reshape(len(g), -1, g.shape[-1])
        sink.append((np.ones((*right.shape[:2], 1)), right, b_std))
        return g

    return z + b_std * source(z.shape[-1]), back


def _dense(a, n, source, W_std, b_std):
    z, back = _linear(a, source((a.shape[-1], n)), W_std / math.sqrt(a.shape[-1]))
    z, bias = _bias(z, b_std, source)
    return z, lambda g, sink: back(bias(g, sink), sink)


def _patches(a: np.ndarray, window, strides, padding):
    """The places that each tap of the window sees, as (padded shape, slices)."""
    shape, strides = a.shape[1:-1], strides or (1,) * len(window)
    pad = [(0, 0)] * len(window)
    if padding == "SAME":
        missing = [max((math.ceil(m / s) - 1) * s + w - m, 0) for m, s, w in zip(shape, strides, window, strict=True)]
        pad = [(m // 2, m - m // 2) for m in missing]
    padded = [m + p + q for m, (p, q) in zip(shape, pad, strict=True)]
    out = [(m - w) // s + 1 for m, w, s in zip(padded, window, strides, strict=True)]
    cuts = [
        (slice(None), *(slice(o, o + (m - 1) * s + 1, s) for o, m, s in zip(offset, out, strides, strict=True)))
        for offset in itertools.product(*(range(w) for w in window))
    ]
    return [(0, 0), *pad, (0, 0)], cuts


def _windows(a: np.ndarray, n: int, window, strides, padding, tap: Callable) -> tuple[np.ndarray, Back]:
    """Σ over the taps of tap(what it sees): (value, back) each."""
    pad, cuts = _patches(a, window, strides, padding)
    wide = np.pad(a, pad)
    taps = [tap(wide[cut]) for cut in cuts]

    def back(g: np.ndarray, sink: list[Outer]) -> np.ndarray:
        below = np.zeros(wide.shape, dtype=np.result_type(wide, g))
        for cut, (_, one) in zip(cuts, taps, strict=True):
            below[cut] += one(g, sink)
        inner = tuple(slice(p, p + m) for (p, _), m in zip(pad, a.shape, strict=True))
        return below[inner]

    return np.sum([z for z, _ in taps], axis=0), back


def _conv(a, n, source, window, W_std, b_std, strides=None, padding="SAME"):
    bias = source(n) if b_std else None  # drawn first, as in `architectures`
    scale = W_std / math.sqrt(math.prod(window) * a.shape[-1])
    z, back = _windows(a, n, window, strides, padding, lambda seen: _linear(seen, source((a.shape[-1], n)), scale))
    if bias is None:
        return z, back
    z, shift = _bias(z, b_std, lambda m: bias)
    return z, lambda g, sink: back(shift(g, sink), sink)


def _avg_pool(a, n, source, window, strides=None):
    share = 1 / math.prod(window)
    return _windows(a, n, window, strides or window, "VALID", lambda seen: (share * seen, lambda g, sink: share * g))


def _global_avg_pool(a, n, source):
    axes, P = tuple(range(1, a.ndim - 1)), math.prod(a.shape[1:-1])

    def back(g, sink):
        return np.broadcast_to(g.reshape(len(g), *(1,) * len(axes), -1) / P, a.shape)

    return a.mean(axis=axes), back


def _layer_norm(a, n, source):
    y, back = _rms_norm(a - np.mean(a, axis=-1, keepdims=True), n, source)

    def centred(g, sink):
        below = back(g, sink)
        return below - np.mean(below, axis=-1, keepdims=True)

    return y, centred


def _rms_norm(a, n, source):
    r = np.sqrt(np.mean(a * a, axis=-1, keepdims=True))
    return a / r, lambda g, sink: g / r - a * np.mean(g * a, axis=-1, keepdims=True) / r**3


def _dropout(a, n, source, keep):
    # a uniform mask from normal numbers: the sources give nothing else
    mask = (0.5 * (1 + erf(source(a.shape) / math.sqrt(2))) < keep) / keep
    return a * mask, lambda g, sink: g * mask


def _branches(a, n, source, kind, arguments):
    parts = [_run(branch, a, n, n, source) for branch in arguments]
    if kind == "sum":
        value = np.sum([p for p, _ in parts], axis=0)
    else:
        value = np.concatenate([p for p, _ in parts], axis=-1)
    ends = np.cumsum([p.shape[-1] for p, _ in parts])

    def back(g, sink):
        pieces = [g] * len(parts) if kind == "sum" else np.split(g, ends[:-1], axis=-1)
        return np.sum([one(piece, sink) for piece, (_, one) in zip(pieces, parts, strict=True)], axis=0)

    return value, back


def _attention(a, n, source, QK_std, W_std, b_std, nonlinearity, V_std=1.0):
    c = a.shape[-1]
    q, q_back = _linear(a, source((c, n)), 1 / math.sqrt(c))
    v, v_back = _linear(a, source((c, n)), V_std / math.sqrt(c))
    G = QK_std / n * (q @ np.swapaxes(q, -1, -2))
    if nonlinearity == "softmax":
        e = np.exp(G - G.real.max(axis=-1, keepdims=True))
        G = e / e.sum(axis=-1, keepdims=True)
    z, z_back = _linear(G @ v, source((n, n)), W_std / math.sqrt(n))
    z, bias = _bias(z, b_std, source)

    def back(g, sink):
        mixed = z_back(bias(g, sink), sink)
        scores = mixed @ np.swapaxes(v, -1, -2)
        if nonlinearity == "softmax":
            scores = G * (scores - np.sum(scores * G, axis=-1, keepdims=True))
        queries = QK_std / n * ((scores + np.swapaxes(scores, -1, -2)) @ q)
        return v_back(np.swapaxes(G, -1, -2) @ mixed, sink) + q_back(queries, sink)

    return z, back


def _rnn(a, n, source, phi, W_std, U_std, b_std):
    c = a.shape[-1]
    U, W, b = source((c, n)), source((n, n)), source(n)
    value, slope = activation(*(phi if isinstance(phi, tuple) else (phi,)))
    h, states = np.zeros((len(a), n)), []
    for t in range(a.shape[1]):
        z = W_std / math.sqrt(n) * (h @ W) + U_std / math.sqrt(c) * (a[:, t] @ U) + b_std * b
        states.append((h, z))
        h = value(z)

    def back(g, sink):
        below, deltas = np.zeros(a.shape, dtype=g.dtype), []
        for t in reversed(range(a.shape[1])):
            g = g * slope(states[t][1])
            deltas.append(g)
            below[:, t] = U_std / math.sqrt(c) * (g @ U.T)
            g = W_std / math.sqrt(n) * (g @ W.T)
        δ = np.stack(deltas[::-1], axis=1)
        sink += [(np.stack([h for h, _ in states], axis=1), δ, W_std / math.sqrt(n)), (a, δ, U_std / math.sqrt(c))]
        if b_std:
            sink.append((np.ones((*δ.shape[:2], 1)), δ, b_std))
        return below

    return h, back


_LAYERS: dict[str, Callable] = {
    "dense": _dense, "conv": _conv, "avg_pool": _avg_pool, "global_avg_pool": _global_avg_pool,
    "flatten": lambda a, n, source: (a.reshape(len(a), -1), lambda g, sink: g.reshape(a.shape)),
    "layer_norm": _layer_norm, "rms_norm": _rms_norm, "dropout": _dropout, "attention": _attention, "rnn": _rnn,
}  # fmt: skip
