"""ADMM on the sampled program, exact and without a 2dP × 2dP matrix: Bai, Gautam & Sojoudi 2022 (2201.01965), Alg. 3.1.

Their splitting u = v (groups), G u = s ≥ 0 (cones), over-relaxed by α, needs (FᵀF + ρ (I + κ GᵀG))⁻¹. Here

    GᵀG = I ⊗ XᵀX,   F B⁻¹ Fᵀ = K = 2 (X B⁻¹ Xᵀ) ∘ (D Dᵀ),  B = I + κ XᵀX,

so the u-update is one d × d and one n × n solve: with Z the minimiser of the ρ-terms alone,

    u = Z + B⁻¹ Fᵀ e / ρ,   e = (I + K/ρ)⁻¹ (y − F Z)     (e = y − F u: the dual point, for free),

and one eigendecomposition K = Q Λ Qᵀ serves every ρ, β, target and class. Other losses than the squared split h = F u
once more; the same K serves. Each pair (prox variable, scaled multiplier) is kept as its sum t = s + ν: for E = 2D − 1
s = (t + E|t|)/2 and the reflection 2s − t = E|t|, so one array a cone and one pass a step. Per step O(n d P), once
O(n² (d + P) + n³). κ = 0 drops the cones: the gated program. Batched: the columns of Y, each with its β, are separate
programs. They may leave out rows (folds) and keep K: a row left out has no loss, so the split of h returns it as it is,
and no cone, so t does. Portable; CuPy arrays take the same steps in `fused_cuda`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import array_api_compat
import numpy as np

from corollary.arrays import Array, array_namespace, device, to_numpy
from corollary.theory.convex_relu import losses

_BLOCK = 2**15  # entries of a block of cones: three such arrays of float64 stay in a core's second cache
_RELAX = 1.7  # measured: divides iterations by about 1.7 against 1


@dataclass(frozen=True)
class Factors:
    """What depends on X, D and κ only. XB = X B⁻¹ (n, d); K = Q diag(values) Qᵀ."""

    X: Array
    DT: Array  # (P, n)
    E: Array  # (P, n), ±1
    kappa: float
    Binv: Array
    XB: Array
    values: Array
    Q: Array

    def fit(self, U: Array) -> Array:
        """F u for U (B, 2, P, d): (n, B)."""
        xp = array_namespace(U)
        out = [xp.sum(self.X * xp.matmul(xp.matrix_transpose(self.DT), U[b, 0, ...] - U[b, 1, ...]), axis=1)
               for b in range(U.shape[0])]  # fmt: skip
        return xp.stack(out, axis=1)


def factors(X: Array, D: Array, kappa: float = 1.0) -> Factors:
    """The one-off part: O(n² (d + P) + n³)."""
    xp = array_namespace(X, D)
    d = X.shape[1]
    B = xp.eye(d, dtype=X.dtype, device=device(X)) + kappa * xp.matmul(xp.matrix_transpose(X), X)
    Binv = xp.linalg.inv(B)
    Binv = (Binv + xp.matrix_transpose(Binv)) / 2
    XB = xp.matmul(X, Binv)
    K = 2 * xp.matmul(XB, xp.matrix_transpose(X)) * xp.matmul(D, xp.matrix_transpose(D))
    values, Q = xp.linalg.eigh((K + xp.matrix_transpose(K)) / 2)
    # by way of one axis: rows that lie side by side, which a transpose and its copy do not have
    DT = xp.asarray(xp.reshape(xp.reshape(xp.matrix_transpose(D), (-1,)), (D.shape[1], D.shape[0])), copy=True)
    return Factors(X, DT, 2 * DT - 1, kappa, Binv, XB, xp.clip(values, 0, None), Q)


@dataclass
class State:
    """The iterate: p (B, 2, P, d) and t (B, 2, P, n), sums of prox variable and multiplier; h (n, B) for the loss.

    u, e are the last u-update's; rho (B,) the penalty, that of the loss split is 1. keep (B, n): the rows of each
    program, None for all.
    """

    p: Array
    t: Array
    h: Array
    rho: np.ndarray
    u: Array
    e: Array
    steps: int = 0
    keep: Array | None = None


def start(f: Factors, Y: Array, rho: np.ndarray, keep: Array | None = None) -> State:
    """All zero."""
    xp = array_namespace(Y)
    P, n = f.DT.shape
    d, B = f.X.shape[1], Y.shape[1]

    def zeros(*shape: int) -> Array:
        return xp.zeros(shape, dtype=Y.dtype, device=device(Y))

    p, t, h = zeros(B, 2, P, d), zeros(B, 2, P, n), zeros(n, B)
    return State(p, t, h, rho.copy(), zeros(B, 2, P, d), zeros(n, B), keep=keep)


def splits(loss: losses.Loss, state: State) -> bool:
    """Whether h = F u is split: for other losses than the squared, and for rows left out, which K keeps."""
    return loss != "squared" or state.keep is not None


def near(loss: losses.Loss, state: State, Y: Array) -> Array:
    """The split's prox at state.h (n, B): the identity in rows left out."""
    xp = array_namespace(Y)
    h = losses.prox(loss, state.h, Y, 1.0)
    return h if state.keep is None else xp.where(xp.matrix_transpose(state.keep), h, state.h)


def turned(state: State, E: Array) -> Array:
    """2s − t (B, 2, P, n), s the nearest point of the cone to t: E|t|, and t in rows left out."""
    xp = array_namespace(state.t)
    a = xp.abs(state.t) * E
    return a if state.keep is None else xp.where(state.keep[:, None, None, :], a, state.t)


def group_threshold(p: Array, level: Array) -> Array:
    """(1 − level/‖p‖)_+ p over the last axis."""
    xp = array_namespace(p)
    size = xp.sqrt(xp.sum(p * p, axis=-1, keepdims=True))
    safe = xp.where(size > 0, size, xp.ones_like(size))
    return p * xp.clip(1 - level / safe, 0, None)


def run(
    f: Factors,
    Y: Array,
    betas: np.ndarray,
    loss: losses.Loss,
    state: State,
    steps: int,
    *,
    relax: float = _RELAX,
    on_step: Callable[[State], None] | None = None,
) -> State:
    """`steps` more iterations in place; Y (n, B), betas (B,). on_step(state) after each, e.g. to record (a copy: on a
    GPU the next step overwrites the arrays)."""
    if array_api_compat.is_cupy_array(Y):
        from corollary.theory.convex_relu import fused_cuda

        return fused_cuda.admm_steps(f, Y, betas, loss, state, steps, relax=relax, on_step=on_step)
    xp = array_namespace(Y)
    B, _, P, d = state.p.shape
    n = Y.shape[0]
    XT = xp.matrix_transpose(f.X)
    QT = xp.matrix_transpose(f.Q)
    rows = max(1, _BLOCK // n)
    rho_f = 1.0
    level = xp.asarray((betas / state.rho)[:, None, None, None], dtype=Y.dtype, device=device(Y))
    rho = xp.asarray(state.rho, dtype=Y.dtype, device=device(Y))
    damp = 1 / (1 + f.values[:, None] * (rho_f / rho)[None, :])
    for _ in range(steps):
        v = group_threshold(state.p, level)
        Z = xp.matmul(2 * v - state.p, f.Binv)
        for b in range(B if f.kappa else 0):
            for i in range(2):
                for at in range(0, P, rows):
                    block = slice(at, min(at + rows, P))
                    a = xp.abs(state.t[b, i, block, :])
                    a *= f.E[block, :]
                    if state.keep is not None:
                        a = xp.where(state.keep[b, :], a, state.t[b, i, block, :])
                    Z[b, i, block, :] += f.kappa * xp.matmul(a, f.XB)
        target = Y
        if splits(loss, state):
            h = near(loss, state, Y)
            target = 2 * h - state.h
        e = xp.matmul(f.Q, damp * xp.matmul(QT, target - f.fit(Z)))
        for b in range(B):
            push = xp.matmul(f.DT, float(rho_f / state.rho[b]) * e[:, b : b + 1] * f.XB)
            Z[b, 0, ...] += push
            Z[b, 1, ...] -= push
        u = Z
        for b in range(B if f.kappa else 0):
            for i in range(2):
                for at in range(0, P, rows):
                    block = slice(at, min(at + rows, P))
                    t, E = state.t[b, i, block, :], f.E[block, :]
                    a = xp.abs(t)
                    a *= E
                    if state.keep is not None:
                        a = xp.where(state.keep[b, :], a, t)
                    a += t  # 2 s
                    a *= -relax / 2
                    a += xp.matmul(relax * u[b, i, block, :], XT)
                    state.t[b, i, block, :] = t + a
        state.p += relax * (u - v)
        if splits(loss, state):
            state.h += relax * (f.fit(u) - h)
        state.u, state.e = u, e
        state.steps += 1
        if on_step is not None:
            on_step(state)
    return state


def primal(state: State, betas: np.ndarray) -> Array:
    """The sparse iterate v (B, 2, P, d), nearly in the cones."""
    xp = array_namespace(state.p)
    level = xp.asarray((betas / state.rho)[:, None, None, None], dtype=state.p.dtype, device=device(state.p))
    return group_threshold(state.p, level)


def multipliers(f: Factors, state: State) -> np.ndarray:
    """μ ≥ 0 of the cones, (B, 2, P, n) on the host: −ρ κ ν in the frame where the cone is the positive orthant."""
    t = to_numpy(state.t)
    E = to_numpy(f.E)
    mu = (np.abs(t) - E * t) * (state.rho * f.kappa / 2)[:, None, None, None]
    return mu if state.keep is None else mu * to_numpy(state.keep)[:, None, None, :]


def dual_points(f: Factors, state: State, Y: Array, loss: losses.Loss) -> Array:
    """ν (n, B): e for the squared loss, the loss split's multiplier otherwise (in the dual's domain by the prox; 0
    in rows left out)."""
    return near(loss, state, Y) - state.h if splits(loss, state) else state.e


def columns(state: State, keep: np.ndarray) -> State:
    """The state of some of the programs only."""
    xp = array_namespace(state.p)
    index = xp.asarray(keep, device=device(state.p))
    p, t, u = (xp.take(a, index, axis=0) for a in (state.p, state.t, state.u))
    h, e = (xp.take(a, index, axis=1) for a in (state.h, state.e))
    rows = None if state.keep is None else xp.take(state.keep, index, axis=0)
    return State(p, t, h, state.rho[keep], u, e, state.steps, rows)


def change_rho(f: Factors, state: State, betas: np.ndarray, rho: np.ndarray) -> None:
    """New penalties; the unscaled multipliers stay."""
    xp = array_namespace(state.p)
    v = primal(state, betas)
    ratio = xp.asarray((state.rho / rho)[:, None, None, None], dtype=state.p.dtype, device=device(state.p))
    state.p = v + (state.p - v) * ratio
    mirror = turned(state, f.E)
    state.t = (state.t + mirror) / 2 + (state.t - mirror) * (ratio / 2)
    state.rho = rho.copy()
