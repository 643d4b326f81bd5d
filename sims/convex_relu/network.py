"""The two-layer ReLU network itself, non-convex, with its regularised loss; S of them at a time.

    f(x) = Σ_j (x·u_j)_+ a_j,   objective = L(f, y) + (β/2)(‖U‖² + ‖a‖²),   L a sum over points (no 1/n):
    squared ½ Σ (f − y)², hinge Σ (1 − y f)_+, logistic Σ log(1 + e^{−y f}).

Shapes: U (S, d, m), a (S, m), X (n, d), y (n,) shared by all S. Subgradients: 0 at the kinks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace, require_floating

LOSSES = ("squared", "hinge", "logistic")


class TwoLayer(NamedTuple):
    """U (S, d, m), a (S, m): parameters, or a gradient of their shape."""

    U: Array
    a: Array


def init(d: int, m: int, seeds: Sequence[Any], xp: Namespace, *, scale: float = 1.0, device: Any = None) -> TwoLayer:
    """One network a seed: entries of U ~ N(0, scale²/d), of a ~ N(0, scale²/m), drawn on the host."""
    if d < 1 or m < 1 or not len(seeds):
        raise ValueError(f"d = {d}, m = {m}, {len(seeds)} seeds; expected at least one of each")
    U, a = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        U.append(rng.standard_normal((d, m)) * (scale / np.sqrt(d)))
        a.append(rng.standard_normal(m) * (scale / np.sqrt(m)))
    return TwoLayer(xp.asarray(np.stack(U), device=device), xp.asarray(np.stack(a), device=device))


def predict(net: TwoLayer, X: Array) -> Array:
    """f (S, N) at X (N, d), or at X (S, N, d), inputs of each network's own."""
    xp = array_namespace(net.U, X)
    return xp.matmul(xp.clip(xp.matmul(X, net.U), 0, None), net.a[:, :, None])[:, :, 0]


def loss_of(loss: str, f: Array, y: Array) -> tuple[Array, Array]:
    """(values, slopes ∂/∂f), both of f's shape, one a point."""
    xp = array_namespace(f, y)
    if loss == "squared":
        return (f - y) ** 2 / 2, f - y
    m = y * f
    if loss == "hinge":
        return xp.clip(1 - m, 0, None), -y * xp.astype(m < 1, f.dtype)
    if loss == "logistic":
        e = xp.exp(-xp.abs(m))
        return xp.clip(-m, 0, None) + xp.log1p(e), -y * xp.where(m > 0, e, xp.ones_like(e)) / (1 + e)
    raise ValueError(f"loss = {loss!r}; expected one of {', '.join(LOSSES)}")


def objective(net: TwoLayer, X: Array, y: Array, beta: float, loss: str) -> Array:
    """(S,)."""
    return objective_and_gradient(net, X, y, beta, loss)[0]


def objective_and_gradient(
    net: TwoLayer, X: Array, y: Array, beta: float, loss: str, weight: float = 1.0
) -> tuple[Array, TwoLayer]:
    """Values (S,) and gradients; X (n, d) or (S, n, d), y (n,) or (S, n). weight multiplies the data term (for a
    mini-batch of b out of n points: n/b)."""
    xp = array_namespace(net.U, X, y)
    z = xp.matmul(X, net.U)
    h = xp.clip(z, 0, None)
    f = xp.matmul(h, net.a[:, :, None])[:, :, 0]
    value, slope = loss_of(loss, f, y)
    slope = weight * slope
    total = weight * xp.sum(value, axis=1) + beta / 2 * (xp.sum(net.U**2, axis=(1, 2)) + xp.sum(net.a**2, axis=1))
    back = slope[:, :, None] * net.a[:, None, :] * xp.astype(z > 0, z.dtype)
    gU = xp.matmul(xp.matrix_transpose(X), back) + beta * net.U
    ga = xp.matmul(slope[:, None, :], h)[:, 0, :] + beta * net.a
    return total, TwoLayer(gU, ga)


def require_data(X: Array, y: Array, beta: float, loss: str) -> None:
    """Raise TypeError or ValueError unless this is a training problem."""
    require_floating("X", X, ndim=2)
    require_floating("y", y, ndim=1)
    if X.shape[0] != y.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows, y {y.shape[0]} entries; expected as many of each")
    if not beta >= 0:
        raise ValueError(f"beta = {beta!r}; expected a number >= 0")
    if loss not in LOSSES:
        raise ValueError(f"loss = {loss!r}; expected one of {', '.join(LOSSES)}")
