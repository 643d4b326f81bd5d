"""Curvature of a network's loss as matrix-free products with vectors in parameter space (Pearlmutter 1994).

For the loss ℓ of one network θ on N points (x, y), with J = ∂f/∂θ:

    hessian       H v = Jᵀ (∇²ℓ) J v + Σ_o ∇ℓ_o (∇²f_o) v     by the R-operator: one forward and one backward pass
    gauss_newton  G v = Jᵀ (∇²ℓ) J v                           the Fisher matrix of softmax and of Gaussian outputs
    gradient_covariance   C v = (1/N) Σ_i g_i (g_i·v) − g (g·v),   g_i the gradient at point i, g their mean

A product is `product(V)`, V (P, k) to (P, k): k vectors share every pass. `flatten` orders θ as W¹, …, Wᴸ (row by row),
then b¹, …, bᴸ. Points are taken in chunks so that no array has more than about `memory` bytes; passing a subset of the
points gives the mini-batch or per-class version. Where φ has kinks, φ″ is 0 there (`sims.common.activations`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from corollary.arrays import Array, array_namespace, require_floating
from corollary.sims.common.losses import LOSSES, Loss
from corollary.sims.common.networks import Network, Params, Trace, backward, deltas, jvp, propagate, require_input

Kind = Literal["hessian", "gauss_newton", "gradient_covariance"]
KINDS = ("hessian", "gauss_newton", "gradient_covariance")


def flatten(params: Params) -> Array:
    """(S, P): all parameters of each replicate in one row."""
    xp = array_namespace(params.W[0])
    parts = [xp.reshape(p, (p.shape[0], math.prod(p.shape[1:]))) for group in params for p in group]
    return xp.concat(parts, axis=1)


def unflatten(vectors: Array, like: Params) -> Params:
    """The inverse of `flatten`: rows (k, P) as parameters of k replicates, shaped as those of `like`."""
    xp = array_namespace(vectors)
    groups, start = [], 0
    for group in like:
        made = []
        for p in group:
            size = math.prod(p.shape[1:])
            made.append(xp.reshape(vectors[:, start : start + size], (vectors.shape[0], *p.shape[1:])))
            start += size
        groups.append(tuple(made))
    return Params(*groups)


@dataclass(frozen=True)
class Curvature:
    """One of the three matrices of one network (S = 1) on points x (N, d), y; see the module. `size` is P.

    Raises ValueError for several replicates, an unknown kind or loss, targets that do not fit, or an activation
    without second derivative under kind "hessian"; TypeError for wrong dtypes.
    """

    net: Network
    params: Params
    x: Array
    y: Array
    loss: str
    kind: Kind = "hessian"
    memory: int = 2**28

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind = {self.kind!r}; expected one of {', '.join(KINDS)}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss = {self.loss!r}; expected one of {', '.join(LOSSES)}")
        if self.params.W[0].shape[0] != 1:
            raise ValueError(
                f"params hold {self.params.W[0].shape[0]} networks; expected one: take a slice [i : i + 1]"
            )
        if require_input(self.params, self.x).ndim != 2:
            raise ValueError(f"x has shape {tuple(self.x.shape)}; expected (N, d)")
        if self.kind == "hessian" and self.net.activation.second is None:
            raise ValueError(f"activation {self.net.activation.name!r} has no second derivative; a Hessian needs it")
        xp = array_namespace(self.x)
        f = xp.zeros((1, self.x.shape[0], self.params.W[-1].shape[1]), dtype=self.x.dtype, device=self.x.device)
        LOSSES[self.loss].check(f, self.y)

    @property
    def size(self) -> int:
        return sum(math.prod(p.shape[1:]) for group in self.params for p in group)

    @property
    def shape(self) -> tuple[int, int]:
        return (self.size, self.size)

    def __call__(self, V: Array) -> Array:
        """The product with V (P, k). Raises ValueError for another number of rows, NaN or infinity."""
        require_floating("V", V, ndim=2)
        xp = array_namespace(V, self.x)
        if V.shape[0] != self.size:
            raise ValueError(f"V has {V.shape[0]} rows; the network has {self.size} parameters")
        if V.dtype != self.x.dtype:
            raise TypeError(f"V is {V.dtype}, the network is {self.x.dtype}; use one dtype for both")
        tangent = unflatten(xp.matrix_transpose(V), self.params)
        total = xp.zeros((V.shape[1], self.size), dtype=V.dtype, device=V.device)
        for x, y, share in self._chunks(V.shape[1]):
            trace = propagate(self.net, self.params, x)
            total = total + share * self._product(trace, y, tangent)
        if self.kind == "gradient_covariance":
            g = flatten(self.gradient())
            total = total - xp.matmul(xp.matmul(xp.matrix_transpose(V), xp.matrix_transpose(g)), g)
        return xp.matrix_transpose(total)

    def gradient(self) -> Params:
        """∂ℓ/∂θ over all points, for the one network."""
        total = None
        for x, y, share in self._chunks(1):
            trace = propagate(self.net, self.params, x)
            part = backward(self.net, self.params, trace, share * self._loss.gradient(trace.z[-1], y))
            total = (
                part if total is None else Params(*(tuple(map(_add, a, b)) for a, b in zip(total, part, strict=True)))
            )
        assert total is not None
        return total

    @property
    def _loss(self) -> Loss:
        return LOSSES[self.loss]

    def _chunks(self, k: int) -> Iterator[tuple[Array, Array, float]]:
        """(x, y, share of the points) with activations of k vectors together within `memory`."""
        N, width = self.x.shape[0], sum(W.shape[1] + W.shape[2] for W in self.params.W)
        rows = max(1, self.memory // (4 * 8 * k * width))  # trace, tangent, two cotangents
        for start in range(0, N, rows):
            part = slice(start, min(start + rows, N))
            yield self.x[part, :], self.y[part, ...], (part.stop - part.start) / N

    def _product(self, trace: Trace, y: Array, tangent: Params) -> Array:
        """(k, P), averaged over the points of this trace."""
        net, params, f = self.net, self.params, trace.z[-1]
        xp = array_namespace(f)
        if self.kind == "gradient_covariance":
            g = self._loss.gradient(f, y) * f.shape[1]  # per point
            along = xp.sum(g * jvp(net, params, trace, tangent), axis=2, keepdims=True)  # g_i · v
            return flatten(backward(net, params, trace, along * g * (1.0 / f.shape[1])))
        if self.kind == "gauss_newton":
            u = self._loss.hessian(f, y, jvp(net, params, trace, tangent))
            return flatten(backward(net, params, trace, u))
        return flatten(_hessian_product(net, params, trace, self._loss, y, tangent))


def _add(a: Array, b: Array) -> Array:
    return a + b


def _hessian_product(net: Network, params: Params, trace: Trace, loss: Loss, y: Array, v: Params) -> Params:
    """R-forward and R-backward: Rz, then Rδˡ = s (V ᵀδˡ⁺¹ + Wᵀ Rδˡ⁺¹) φ′ + s (Wᵀ δˡ⁺¹) φ″ Rz, s = W_std/√n."""
    xp = array_namespace(trace.z[-1])
    second = net.activation.second
    assert second is not None
    f, L = trace.z[-1], len(params.W)
    s = [net.W_std / math.sqrt(W.shape[2]) for W in params.W]
    slope = [net.activation.derivative(z) for z in trace.z[:-1]]
    Ra: list[Array | None] = [None]  # derivatives of a[l] and z[l] along v; the input does not move
    Rz: list[Array] = []
    for l, (W, V) in enumerate(zip(params.W, v.W, strict=True)):
        h = xp.matmul(trace.a[l] * s[l], xp.matrix_transpose(V))
        moved = Ra[l]
        if moved is not None:
            h = h + xp.matmul(moved * s[l], xp.matrix_transpose(W))
        if v.b:
            h = h + net.b_std * v.b[l][:, None, :]
        Rz.append(h)
        if l + 1 < L:
            Ra.append(slope[l] * h)
    delta = deltas(net, params, trace, loss.gradient(f, y))
    Rdelta = loss.hessian(f, y, Rz[-1])
    W_out, b_out = [], []
    for l in range(L - 1, -1, -1):
        g = xp.matmul(xp.matrix_transpose(Rdelta * s[l]), trace.a[l])
        if Ra[l] is not None:
            g = g + xp.matmul(xp.matrix_transpose(delta[l] * s[l]), Ra[l])
        W_out.append(g)
        b_out.append(net.b_std * xp.sum(Rdelta, axis=1))
        if l > 0:
            W, V = params.W[l], v.W[l]
            back = xp.matmul(delta[l] * s[l], W)
            Rback = xp.matmul(delta[l] * s[l], V) + xp.matmul(Rdelta * s[l], W)
            Rdelta = Rback * slope[l - 1] + back * second(trace.z[l - 1]) * Rz[l - 1]
    return Params(tuple(reversed(W_out)), tuple(reversed(b_out)) if params.b else ())
