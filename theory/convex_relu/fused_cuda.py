r"""ADMM and FISTA on a GPU: between two matrix products, one kernel that touches every array once.

The iterations are those of `admm.run` and `fista.fista`, which read like the papers; this is their CuPy side. What is
left of an ADMM step beside its products, for all columns of Y at once:

    groups   u ← Z ± (what e adds),  p ← p + α (u − v),  v = (1 − β/(ρ‖p‖))_+ p,  r = 2v − p     one warp a group
    cones    t ← t − α (t + E|t|)/2 + α X u,  a = E|t|                                           one thread a row

r and a are written side by side, so that Z = [r a] [B⁻¹; κ X B⁻¹] is one product. A step moves, a row of a cone, t
twice and αXu, E, a once: 17 bytes in float32 beside the products' own 8, where the passes of the plain twin move 92.
FISTA has one kernel for the prox and the restart's inner product, one for the momentum; no number goes to the host
between two questions of `stop`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from corollary.arrays import Array, array_namespace, device
from corollary.numerics import cuda
from corollary.theory.convex_relu import admm, losses

_LANES, _GROUPS, _ROWS = 32, 4, 256  # a block: 4 groups of 32 threads, or 256 rows of a cone

SOURCE = r"""
const int LANES = 32, GROUPS = 4;

static __device__ inline real shrunk(const real* sums, real level)  // (1 − level/‖p‖)_+, ‖p‖² in LANES parts
{
    real square = 0;
    for (int l = 0; l < LANES; l++) square += sums[l];
    real s = square > 0 ? 1 - level / sqrt(square) : 0;
    return s > 0 ? s : 0;
}

// Group g = (b, sign, pattern). p, u (count, d), u holding Z; push (patterns, batch, d); shrink (count,) of the p read
// and then of the p written; stacked (count, pitch), first d columns.
extern "C" __global__ void groups(
    long long count, long long batch, long long patterns, int d, const real* push, const real* level, real relax,
    real* p, real* u, real* shrink, real* stacked, long long pitch)
{
    __shared__ real sums[GROUPS][LANES];
    EACH_BLOCK {
        EACH_THREAD {
            long long g = (long long)GROUPS * blockIdx.x + threadIdx.y;
            if (g >= count) continue;
            long long b = g / (2 * patterns), at = g % patterns * batch + b;
            real sign = g / patterns % 2 ? -1 : 1, s = shrink[g], sum = 0;
            for (int k = threadIdx.x; k < d; k += LANES) {
                real before = p[g * d + k], moved = u[g * d + k] + sign * push[at * d + k];
                real now = before + relax * (moved - s * before);
                u[g * d + k] = moved;
                p[g * d + k] = now;
                sum += now * now;
            }
            sums[threadIdx.y][threadIdx.x] = sum;
        }
        __syncthreads();
        EACH_THREAD {
            long long g = (long long)GROUPS * blockIdx.x + threadIdx.y;
            if (g >= count) continue;
            real s = shrunk(sums[threadIdx.y], level[g / (2 * patterns)]);
            for (int k = threadIdx.x; k < d; k += LANES) stacked[g * pitch + k] = (2 * s - 1) * p[g * d + k];
            if (threadIdx.x == 0) shrink[g] = s;
        }
    }
}

// t, push (groups, n); on (patterns, n) and, if masked, keep (batch, n) of {0, 1}: a row left out has no cone, and t in
// place of E|t|. stacked (groups, pitch), columns d on. Blocks: (group, 256 rows).
extern "C" __global__ void cones(
    long long patterns, long long n, int d, const signed char* on, int masked, const signed char* keep,
    const real* push, real relax, real* t, real* stacked, long long pitch)
{
    EACH_BLOCK {
        EACH_THREAD {
            long long g = blockIdx.x, k = (long long)blockDim.x * blockIdx.y + threadIdx.x;
            if (k >= n) continue;
            real e = on[g % patterns * n + k] ? 1 : -1, before = t[g * n + k];
            bool out = masked && !keep[g / (2 * patterns) * n + k];
            real now = before - relax / 2 * (before + (out ? before : e * fabs(before))) + push[g * n + k];
            t[g * n + k] = now;
            stacked[g * pitch + d + k] = out ? now : e * fabs(now);
        }
    }
}

// Group g = (pattern, b). x, descent, z, next (count, d): next = prox(x + rate descent); gain = (x − next)·(next − z).
extern "C" __global__ void prox(
    long long count, long long batch, int d, const real* x, const real* descent, const real* z, real rate,
    const real* level, real* next, real* gain)
{
    __shared__ real sums[GROUPS][LANES], dots[GROUPS][LANES];
    EACH_BLOCK {
        EACH_THREAD {
            long long g = (long long)GROUPS * blockIdx.x + threadIdx.y;
            if (g >= count) continue;
            real sum = 0;
            for (int k = threadIdx.x; k < d; k += LANES) {
                real moved = x[g * d + k] + rate * descent[g * d + k];
                next[g * d + k] = moved;
                sum += moved * moved;
            }
            sums[threadIdx.y][threadIdx.x] = sum;
        }
        __syncthreads();
        EACH_THREAD {
            long long g = (long long)GROUPS * blockIdx.x + threadIdx.y;
            if (g >= count) continue;
            real s = shrunk(sums[threadIdx.y], level[g % batch]), dot = 0;
            for (int k = threadIdx.x; k < d; k += LANES) {
                real now = s * next[g * d + k];
                next[g * d + k] = now;
                dot += (x[g * d + k] - now) * (now - z[g * d + k]);
            }
            dots[threadIdx.y][threadIdx.x] = dot;
        }
        __syncthreads();
        EACH_THREAD {
            long long g = (long long)GROUPS * blockIdx.x + threadIdx.y;
            if (g >= count || threadIdx.x > 0) continue;
            real total = 0;
            for (int l = 0; l < LANES; l++) total += dots[threadIdx.y][l];
            gain[g] = total;
        }
    }
}

// x = next + ahead (next − z), with Nesterov's sequence t (batch,), begun anew where the gain is positive.
extern "C" __global__ void momentum(
    long long count, long long batch, int d, const real* next, const real* z, const real* gain, const double* t,
    real* x, double* t_next, real* ahead)
{
    __shared__ real step[GROUPS];
    EACH_BLOCK {
        EACH_THREAD {
            long long g = (long long)GROUPS * blockIdx.x + threadIdx.y, b = g % batch;
            if (g >= count || threadIdx.x > 0) continue;
            double now = gain[b] > 0 ? 1 : t[b], after = (1 + sqrt(1 + 4 * now * now)) / 2;
            step[threadIdx.y] = (now - 1) / after;
            if (g >= batch) continue;
            t_next[b] = after;
            ahead[b] = step[threadIdx.y];
        }
        __syncthreads();
        EACH_THREAD {
            long long g = (long long)GROUPS * blockIdx.x + threadIdx.y;
            if (g >= count) continue;
            for (int k = threadIdx.x; k < d; k += LANES) {
                long long at = g * d + k;
                x[at] = next[at] + step[threadIdx.y] * (next[at] - z[at]);
            }
        }
    }
}
"""

Kernels = Callable[[str], cuda.Launch]


def admm_steps(
    f: Any,
    Y: Array,
    betas: np.ndarray,
    loss: losses.Loss,
    state: Any,
    steps: int,
    *,
    relax: float,
    on_step: Callable[[Any], None] | None = None,
    kernels: Kernels | None = None,
) -> Any:
    """`admm.run` on CuPy arrays, with its `Factors` and `State`; state.u is one array, overwritten by each step.

    kernels: another machine's, by name.
    """
    xp, on, real = array_namespace(Y), device(Y), Y.dtype.type
    kernels = kernels or (lambda name: cuda.kernel(SOURCE, name, Y.dtype))
    B, _, P, d = state.p.shape
    n, G, cones = Y.shape[0], 2 * B * P, f.kappa != 0
    groups_kernel, cones_kernel = kernels("groups"), kernels("cones")

    def empty(*shape: int) -> Array:
        return xp.empty(shape, dtype=Y.dtype, device=on)

    def fit() -> Array:
        return _fit(f.X, f.DT, xp.permute_dims(Z[:, 0, ...] - Z[:, 1, ...], (1, 0, 2)))

    level = xp.asarray(betas / state.rho, dtype=Y.dtype, device=on)
    ratio = xp.asarray(1 / state.rho, dtype=Y.dtype, device=on)
    damp = 1 / (1 + f.values[:, None] * ratio[None, :])
    state.p, state.t = xp.asarray(state.p, order="C"), xp.asarray(state.t, order="C")
    size = xp.sqrt(xp.sum(state.p * state.p, axis=-1))
    shrink = xp.clip(1 - level[:, None, None] / xp.where(size > 0, size, xp.ones_like(size)), 0, None)
    to_Z = xp.concat([f.Binv, f.kappa * f.XB]) if cones else f.Binv
    stacked, Z = empty(G, to_Z.shape[0]), empty(B, 2, P, d)
    in_parts = xp.reshape(stacked, (B, 2, P, -1))
    in_parts[..., :d] = (2 * shrink[..., None] - 1) * state.p
    pushed, gates, relaxed = empty(0), empty(0), xp.matrix_transpose(relax * f.X)
    if cones:
        in_parts[..., d:] = admm.turned(state, f.E)
        pushed, gates = empty(G, n), xp.astype(f.DT, xp.int8)
    XB, QT = xp.reshape(f.XB, (n, 1, d)), xp.matrix_transpose(f.Q)
    push, grid = empty(P, B * d), (-(-G // _GROUPS), 1)
    masked, keep = (
        state.keep is not None,
        gates if state.keep is None else xp.asarray(state.keep, dtype=xp.int8, order="C"),
    )
    h = state.h
    for _ in range(steps):
        xp.matmul(stacked, to_Z, out=xp.reshape(Z, (G, d)))
        target = Y
        if admm.splits(loss, state):
            h = admm.near(loss, state, Y)
            target = 2 * h - state.h
        state.e = xp.matmul(f.Q, damp * xp.matmul(QT, target - fit()))
        xp.matmul(f.DT, xp.reshape((ratio * state.e)[:, :, None] * XB, (n, B * d)), out=push)
        groups_kernel(grid, (_LANES, _GROUPS), (
            np.int64(G), np.int64(B), np.int64(P), np.int32(d), push, level, real(relax),
            state.p, Z, shrink, stacked, np.int64(stacked.shape[1]),
        ))  # fmt: skip
        if cones:
            xp.matmul(xp.reshape(Z, (G, d)), relaxed, out=pushed)
            cones_kernel((G, -(-n // _ROWS)), (_ROWS, 1), (
                np.int64(P), np.int64(n), np.int32(d), gates, np.int32(masked), keep, pushed, real(relax),
                state.t, stacked, np.int64(stacked.shape[1]),
            ))  # fmt: skip
        state.u = Z
        if admm.splits(loss, state):
            state.h = state.h + relax * (fit() - h)
        state.steps += 1
        if on_step is not None:
            on_step(state)
    return state


def fista_steps(
    X: Array,
    Y: Array,
    level: np.ndarray,
    D: Array,
    loss: losses.Loss,
    rate: float,
    *,
    steps: int,
    every: int,
    stop: Callable[[int, Array, Array], bool] | None,
    z0: Array | None,
    keep: Array | None = None,
    kernels: Kernels | None = None,
) -> tuple[Array, int]:
    """The loop of `fista.fista` on CuPy arrays, with steps of length `rate` and thresholds `level` (B,)."""
    xp, on, real = array_namespace(X), device(X), X.dtype.type
    kernels = kernels or (lambda name: cuda.kernel(SOURCE, name, X.dtype))
    DT = xp.asarray(xp.matrix_transpose(D), copy=True)
    (n, d), P, B = X.shape, D.shape[1], Y.shape[1]
    prox_kernel, momentum_kernel = kernels("prox"), kernels("momentum")
    # (P, B, d) here: products with D then take all columns at once
    z = xp.zeros((P, B, d), dtype=X.dtype, device=on)
    if z0 is not None:
        z = xp.asarray(xp.permute_dims(z0, (1, 0, 2)), copy=True, order="C")
    x, new, descent = xp.asarray(z, copy=True), xp.empty_like(z), xp.empty_like(z)
    gain = xp.empty((P, B), dtype=X.dtype, device=on)
    t, t_new = xp.ones(B, dtype=xp.float64, device=on), xp.empty(B, dtype=xp.float64, device=on)
    ahead, threshold = xp.empty(B, dtype=X.dtype, device=on), xp.asarray(level, dtype=X.dtype, device=on)
    f = fx = _fit(X, DT, z)
    grid, counts, k = (-(-P * B // _GROUPS), 1), (np.int64(P * B), np.int64(B), np.int32(d)), 0
    for k in range(1, steps + 1):
        nu = losses.dual_point(loss, fx, Y)
        nu = nu if keep is None else keep * nu
        xp.matmul(DT, xp.reshape(nu[:, :, None] * X[:, None, :], (n, B * d)), out=xp.reshape(descent, (P, B * d)))
        prox_kernel(grid, (_LANES, _GROUPS), (*counts, x, descent, z, real(rate), threshold, new, gain))
        momentum_kernel(grid, (_LANES, _GROUPS), (*counts, new, z, xp.sum(gain, axis=0), t, x, t_new, ahead))
        f_new = _fit(X, DT, new)
        fx = f_new + ahead * (f_new - f)
        z, new, f, t, t_new = new, z, f_new, t_new, t
        if stop is not None and k % every == 0 and stop(k, xp.permute_dims(z, (1, 0, 2)), f):
            break
    return xp.asarray(xp.permute_dims(z, (1, 0, 2)), copy=True, order="C"), k


def _fit(X: Array, DT: Array, z: Array) -> Array:
    """Σ_p D_p X z_p for z (P, B, d): (n, B)."""
    xp = array_namespace(X)
    P, B, d = z.shape
    out = xp.reshape(xp.matmul(xp.matrix_transpose(DT), xp.reshape(z, (P, B * d))), (X.shape[0], B, d))
    return xp.sum(X[:, None, :] * out, axis=2)
