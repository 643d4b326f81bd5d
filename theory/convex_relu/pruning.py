"""Pruning a solution to at most rank Z neurons without changing what it predicts (Mishkin & Pilanci 2023, 2306.00119,
Section 4, Algorithm 1; the idea is Carathéodory's).

Z holds the neurons' contributions (X u_j)_+ a_j on the data. While its columns are dependent, Z b = 0: scaling
contribution j by 1 − b_j / max b keeps the sum, keeps every cone (the factors are ≥ 0), and removes a neuron. The sign
of b is chosen so that the weight penalty Σ b_j |u_j||a_j| does not grow; at an optimum it stays.
"""

from __future__ import annotations

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, to_numpy
from corollary.theory.convex_relu.problem import Network


def prune(net: Network, X: Array, tol: float = 1e-10) -> Network:
    """A network with independent contributions on X, for each output at most rank Z ≤ min(n, neurons) of them.

    Same predictions on X to rounding, at worst to tol of a neuron's (not elsewhere); penalty not larger. tol: singular
    values below tol of the largest count as zero, and so does a neuron left with less than tol of itself. Host only;
    moved back. Raises ValueError for X of another width or tol outside (0, 1).
    """
    require_floating("X", X, ndim=2)
    if not 0 < tol < 1:
        raise ValueError(f"tol = {tol!r}; expected a number between 0 and 1")
    if X.shape[1] != net.U.shape[0]:
        raise ValueError(f"X has {X.shape[1]} columns; this network was fitted on {net.U.shape[0]}")
    x, U, a = (to_numpy(v).astype(float) for v in (X, net.U, net.a))
    z = x @ U
    active = np.maximum(z, 0) if net.G is None else z * (x @ to_numpy(net.G).astype(float) >= 0)
    factor = np.ones(U.shape[1])
    for k in range(a.shape[1]):
        mine = np.flatnonzero(a[:, k] != 0)
        weights = np.linalg.norm(U[:, mine], axis=0) * np.abs(a[mine, k])
        factor[mine] = keep_independent(active[:, mine] * a[mine, k], weights, tol)
    alive = np.flatnonzero(factor > 0)
    root = np.sqrt(factor[alive])
    xp = array_namespace(net.U)

    def back(v: np.ndarray) -> Array:
        return xp.asarray(np.ascontiguousarray(v), dtype=net.U.dtype, device=device(net.U))

    gates = None if net.G is None else back(to_numpy(net.G)[:, alive])
    return Network(back(U[:, alive] * root), back(a[alive] * root[:, None]), gates, net.flat, net.data)


def keep_independent(Z: np.ndarray, weights: np.ndarray, tol: float = 1e-10) -> np.ndarray:
    """Factors c ≥ 0 with Z c = Z 1, Σ c w ≤ Σ w, and the columns with c > 0 independent. Z (n, m), weights w (m,)."""
    size = np.linalg.norm(Z, axis=0)
    c = np.where(size > 0, 1.0, 0.0)  # a neuron that never fires contributes nothing
    for _ in range(Z.shape[1]):
        alive = np.flatnonzero(c > 0)
        if not alive.size:
            break
        _, s, Vt = np.linalg.svd(Z[:, alive] / size[alive], full_matrices=True)
        rank = int(np.sum(s > tol * s[0]))
        if rank == len(alive):
            break
        b = Vt[-1] / size[alive]  # Z_alive b = 0
        if np.sum(b * weights[alive]) < 0 or (np.max(b) <= 0):
            b = -b
        before = c[alive]
        left = before - b / np.max(b / before)
        # Several may reach zero at once; the rounding of b, as large as Z is ill-conditioned, leaves crumbs of them.
        c[alive] = np.where(left > tol * before, left, 0.0)
    return c
