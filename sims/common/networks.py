"""Fully connected networks in NTK parametrisation, a batch of S independent replicates at a time.

    a⁰ = x,   zˡ⁺¹ = (W_std/√n_l) Wˡ aˡ + b_std bˡ,   aˡ = φ(zˡ),   f(x) = zᴸ,   all entries of W, b iid N(0, 1).

This is the parametrisation of Jacot, Gabriel, Hongler 2018 (§2; their β is b_std, and W_std = 1) with W_std and b_std
as in neural-tangents. Depth in their sense, L, counts weight layers: L − 1 hidden ones.

Shapes: Wˡ (S, n_{l+1}, n_l), bˡ (S, n_{l+1}), zˡ and aˡ (S, N, n_l); x is (N, n_0), one set of inputs for all
replicates, or (S, N, n_0). Backpropagated vectors δˡ = ∂⟨df, f⟩/∂zˡ have the shape of zˡ:

    δᴸ = df,   δˡ = (W_std/√n_l) (Wˡᵀ δˡ⁺¹) ⊙ φ′(zˡ),
    ∂/∂Wˡ = (W_std/√n_l) Σ_points δˡ⁺¹ (aˡ)ᵀ,   ∂/∂bˡ = b_std Σ_points δˡ⁺¹.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace, require_floating
from corollary.sims.common.activations import Activation, activation


@dataclass(frozen=True)
class Network:
    """What the weights do not say: φ (a name or an `Activation`), W_std > 0 and b_std ≥ 0.

    Raises TypeError or ValueError for anything else.
    """

    activation: Activation
    W_std: float
    b_std: float

    def __init__(self, phi: str | Activation, W_std: float = 1.0, b_std: float = 0.0):
        if isinstance(phi, str):
            phi = activation(phi)
        if not isinstance(phi, Activation):
            raise TypeError(f"expected an activation or its name, got {phi!r}")
        if not (math.isfinite(W_std) and W_std > 0):
            raise ValueError(f"W_std = {W_std!r}; expected a finite number > 0")
        if not (math.isfinite(b_std) and b_std >= 0):
            raise ValueError(f"b_std = {b_std!r}; expected a finite number >= 0")
        object.__setattr__(self, "activation", phi)
        object.__setattr__(self, "W_std", float(W_std))
        object.__setattr__(self, "b_std", float(b_std))


class Params(NamedTuple):
    """Parameters θ, or anything of their shape (a gradient, a tangent): W[l] (S, n_{l+1}, n_l), b[l] (S, n_{l+1}).

    `b` is empty for a network without biases.
    """

    W: tuple[Array, ...]
    b: tuple[Array, ...]


class Trace(NamedTuple):
    """What a forward pass leaves for the passes after it: a[l] = aˡ for l < L, z[l] = zˡ⁺¹ for l < L; z[-1] is f."""

    a: tuple[Array, ...]
    z: tuple[Array, ...]


def init(
    widths: Sequence[int],
    seeds: Sequence[Any],
    xp: Namespace,
    *,
    dtype: str = "float64",
    bias: bool = True,
    device: Any = None,
) -> Params:
    """S = len(seeds) networks with standard normal weights; widths = (n_0, n_1, …, n_L), at least one hidden layer.

    A replicate is drawn on the host by `numpy.random.default_rng(seed)` (an int or a SeedSequence), layer by layer,
    weights first and biases last, in float64, then rounded to `dtype` and moved: it depends on its own seed only, and
    CPU and GPU, float32 and float64, with and without bias see the same weights.

    Raises TypeError or ValueError for depth 0, empty or non-integer widths, no seeds, an unknown dtype.
    """
    sizes = _require_widths(widths)
    if dtype not in ("float64", "float32"):
        raise TypeError(f"dtype = {dtype!r}; expected 'float64' or 'float32'")
    generators = [np.random.default_rng(seed) for seed in require_seeds(seeds)]

    def normal(*shape: int) -> Array:
        host = np.empty((len(generators), *shape))
        for rng, out in zip(generators, host, strict=True):
            rng.standard_normal(out=out)
        return xp.asarray(host.astype(dtype, copy=False), device=device)

    W = tuple(normal(m, n) for n, m in zip(sizes[:-1], sizes[1:], strict=True))
    return Params(W, tuple(normal(m) for m in sizes[1:]) if bias else ())


def require_seeds(seeds: Sequence[Any]) -> list[Any]:
    """`seeds` as a list, after checking that it holds at least one, each an int ≥ 0 or a SeedSequence."""
    if isinstance(seeds, int | np.integer | np.random.SeedSequence):
        raise TypeError(f"seeds = {seeds!r}; expected a list with one seed a replicate, e.g. [{seeds!r}]")
    listed = list(seeds)
    if not listed:
        raise ValueError("seeds is empty; expected one seed a replicate")
    for seed in listed:
        whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0
        if not (whole or isinstance(seed, np.random.SeedSequence)):
            raise TypeError(f"seed {seed!r} is neither an integer >= 0 nor a numpy.random.SeedSequence")
    return listed


def forward(net: Network, params: Params, x: Array) -> Trace:
    """All pre-activations and activations; `.z[-1]` (S, N, n_L) is the output. x: (N, n_0) or (S, N, n_0).

    Raises TypeError or ValueError (`require_input`) for a wrong shape, dtype, namespace, NaN or infinity.
    """
    return propagate(net, params, require_input(params, x))


def propagate(net: Network, params: Params, x: Array) -> Trace:
    """`forward` without its checks, for loops that have made them once."""
    xp = array_namespace(x)
    a, z = x, []
    kept = []
    for l, W in enumerate(params.W):
        kept.append(a)
        h = xp.matmul(a * (net.W_std / math.sqrt(W.shape[2])), xp.matrix_transpose(W))
        if params.b:
            h += net.b_std * params.b[l][:, None, :]
        z.append(h)
        if l + 1 < len(params.W):
            a = net.activation.value(h)
    return Trace(tuple(kept), tuple(z))


def deltas(net: Network, params: Params, trace: Trace, df: Array) -> tuple[Array, ...]:
    """(δ¹, …, δᴸ) for the cotangent df (S, N, n_L) of the output: δˡ = ∂⟨df, f⟩/∂zˡ, shape (S, N, n_l)."""
    xp = array_namespace(df)
    d = df
    out = [d]
    for l in range(len(params.W) - 1, 0, -1):
        W = params.W[l]
        d = xp.matmul(d * (net.W_std / math.sqrt(W.shape[2])), W)
        d *= net.activation.derivative(trace.z[l - 1])
        out.append(d)
    return tuple(reversed(out))


def backward(net: Network, params: Params, trace: Trace, df: Array) -> Params:
    """The gradient Jᵀ df of ⟨df, f⟩ in the parameters, J = ∂f/∂θ at `params`; df (S, N, n_L)."""
    xp = array_namespace(df)
    delta = deltas(net, params, trace, df)
    W = []
    for a, d in zip(trace.a, delta, strict=True):
        W.append(xp.matmul(xp.matrix_transpose(d * (net.W_std / math.sqrt(a.shape[-1]))), a))
    b = tuple(net.b_std * xp.sum(d, axis=1) for d in delta) if params.b else ()
    return Params(tuple(W), b)


def jvp(net: Network, params: Params, trace: Trace, tangent: Params) -> Array:
    """The R-operator: J v (S, N, n_L), the derivative of f along the direction v = `tangent` in parameter space.

    żˡ⁺¹ = (W_std/√n_l)(Ẇˡ aˡ + Wˡ ȧˡ) + b_std ḃˡ,  ȧˡ = φ′(zˡ) żˡ,  ȧ⁰ = 0  (Pearlmutter 1994, forward part).
    """
    xp = array_namespace(params.W[0])
    dz = None
    for l, (W, V) in enumerate(zip(params.W, tangent.W, strict=True)):
        scale = net.W_std / math.sqrt(W.shape[2])
        h = xp.matmul(trace.a[l] * scale, xp.matrix_transpose(V))
        if dz is not None:
            h += xp.matmul(dz * (net.activation.derivative(trace.z[l - 1]) * scale), xp.matrix_transpose(W))
        if tangent.b:
            h += net.b_std * tangent.b[l][:, None, :]
        dz = h
    return dz


def require_input(params: Params, x: Array, name: str = "x") -> Array:
    """`x`, after checking that these networks can take it: (N, n_0) or (S, N, n_0), their dtype, finite, not empty."""
    W = params.W[0]
    require_floating(name, x)
    array_namespace(x, W)
    if x.dtype != W.dtype:
        raise TypeError(f"{name} is {x.dtype}, the weights are {W.dtype}; use one dtype for both")
    S, _, d = W.shape
    if x.ndim not in (2, 3) or x.shape[-1] != d or (x.ndim == 3 and x.shape[0] != S):
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (N, {d}), or ({S}, N, {d}) for {S} replicates")
    return x


def _require_widths(widths: Sequence[int]) -> tuple[int, ...]:
    for n in widths:
        if not isinstance(n, int | np.integer) or isinstance(n, bool):
            raise TypeError(f"width {n!r} is no integer; expected widths (inputs, hidden…, outputs)")
    sizes = tuple(int(n) for n in widths)
    if len(sizes) < 3:
        raise ValueError(f"widths = {sizes}: no hidden layer; expected (inputs, at least one hidden width, outputs)")
    if min(sizes) < 1:
        raise ValueError(f"widths = {sizes}; every width must be at least 1")
    return sizes
