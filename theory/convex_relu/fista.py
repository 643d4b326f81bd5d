"""FISTA with restart for gated networks: Mishkin, Sahiner & Pilanci 2022 (2202.01331), Section 4.

    min L(Σ D_p X (v_p − w_p)) + β Σ (‖v_p‖ + ‖w_p‖)     (no cones)

v_p and w_p carry only one sign: z_p = v_p − w_p with ‖z_p‖, so P groups, not 2P. The step is 1/(ℓ λ_max), with
λ_max of (X Xᵀ) ∘ (D Dᵀ) = Z Zᵀ (n × n, never dP × dP) and ℓ the loss's curvature bound (1 squared, 1/4 logistic). The
momentum restarts where it points uphill (O'Donoghue & Candès 2015). Batched over the columns of Y. Portable; CuPy
arrays take the same steps in `fused_cuda`.
"""

from __future__ import annotations

from collections.abc import Callable

import array_api_compat
import numpy as np

from corollary.arrays import Array, array_namespace, device
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.admm import group_threshold


def lipschitz(X: Array, D: Array) -> float:
    """λ_max of (X Xᵀ) ∘ (D Dᵀ), the curvature of ½‖f‖² in z."""
    xp = array_namespace(X, D)
    K = xp.matmul(X, xp.matrix_transpose(X)) * xp.matmul(D, xp.matrix_transpose(D))
    return float(xp.max(xp.linalg.eigvalsh(K)))


def fista(
    X: Array,
    Y: Array,
    betas: np.ndarray,
    D: Array,
    loss: losses.Loss,
    *,
    steps: int,
    every: int = 10,
    stop: Callable[[int, Array, Array], bool] | None = None,
    z0: Array | None = None,
    curvature: float | None = None,
    keep: Array | None = None,
) -> tuple[Array, int]:
    """(z (B, P, d), steps taken). stop(k, z, f) is asked every `every` steps, with the fit f (n, B). curvature: λ_max,
    where `lipschitz` has it already. keep (n, B) of {0, 1}: the rows of each column's program (default: all).

    Raises ValueError for the hinge, which has no gradient.
    """
    if loss == "hinge":
        raise ValueError("FISTA needs a smooth loss; for the hinge use solver='interior-point' or 'admm'")
    xp = array_namespace(X, Y, D)
    DT = xp.asarray(xp.matrix_transpose(D), copy=True)
    d, P, B = X.shape[1], D.shape[1], Y.shape[1]
    L = (lipschitz(X, D) if curvature is None else curvature) * (0.25 if loss == "logistic" else 1.0)
    if array_api_compat.is_cupy_array(X):
        from corollary.theory.convex_relu import fused_cuda

        return fused_cuda.fista_steps(X, Y, betas / L, D, loss, 1 / L, steps=steps, every=every, stop=stop, z0=z0,
                                      keep=keep)  # fmt: skip
    level = xp.asarray((betas / L)[:, None, None], dtype=X.dtype, device=device(X))

    def fit(z: Array) -> Array:
        return xp.stack([xp.sum(X * xp.matmul(D, z[b, ...]), axis=1) for b in range(B)], axis=1)

    def descent(f: Array) -> Array:
        nu = losses.dual_point(loss, f, Y)
        nu = nu if keep is None else keep * nu
        return xp.stack([xp.matmul(DT, nu[:, b : b + 1] * X) for b in range(B)], axis=0)

    z = xp.zeros((B, P, d), dtype=X.dtype, device=device(X)) if z0 is None else z0
    f = fit(z)
    x, fx = z, f
    t = np.ones(B)
    k = 0
    for k in range(1, steps + 1):
        new = group_threshold(x + descent(fx) / L, level)
        f_new = fit(new)
        uphill = np.array([float(xp.sum((x[b, ...] - new[b, ...]) * (new[b, ...] - z[b, ...]))) > 0 for b in range(B)])
        t = np.where(uphill, 1.0, t)
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        ahead = np.where(uphill, 0.0, (t - 1) / t_new)
        step = xp.asarray(ahead, dtype=X.dtype, device=device(X))
        x = new + step[:, None, None] * (new - z)
        fx = f_new + step * (f_new - f)
        z, f, t = new, f_new, t_new
        if stop is not None and k % every == 0 and stop(k, z, f):
            break
    return z, k
