"""Adversarial inputs for trained two-layer networks: FGSM, PGD, and every vertex of a box.

Balls are l_inf of radius ε around each input. `vertices` is exact where the network is linear on the box (no neuron
changes sign there); otherwise it is a lower bound of the worst case, as FGSM and PGD always are.
"""

from __future__ import annotations

import itertools

import numpy as np

from corollary.arrays import Array, array_namespace, device
from corollary.sims.convex_relu.network import TwoLayer, loss_of, predict


def input_gradient(net: TwoLayer, X: Array, y: Array, loss: str) -> Array:
    """∂ loss/∂x (S, N, d) at X (N, d) or (S, N, d)."""
    xp = array_namespace(net.U, X)
    z = xp.matmul(X, net.U)
    f = xp.matmul(xp.clip(z, 0, None), net.a[:, :, None])[:, :, 0]
    _, slope = loss_of(loss, f, y)
    on = xp.astype(z > 0, z.dtype) * net.a[:, None, :]
    return slope[:, :, None] * xp.matmul(on, xp.matrix_transpose(net.U))


def fgsm(net: TwoLayer, X: Array, y: Array, radius: float, loss: str) -> Array:
    """x + ε sign(∂ loss/∂x), (S, N, d) (Goodfellow et al. 2015)."""
    _check(radius)
    xp = array_namespace(net.U, X)
    return X + radius * xp.sign(input_gradient(net, X, y, loss))


def pgd(net: TwoLayer, X: Array, y: Array, radius: float, loss: str, *, steps: int = 20) -> Array:
    """Projected sign-gradient ascent with step 2.5 ε/steps from the clean input, (S, N, d) (Madry et al. 2018)."""
    _check(radius)
    if steps < 1:
        raise ValueError(f"steps = {steps}; expected at least 1")
    xp = array_namespace(net.U, X)
    S = net.U.shape[0]
    clean = xp.broadcast_to(X, (S, *X.shape[-2:]))
    x = clean
    for _ in range(steps):
        move = xp.sign(input_gradient(net, x, y, loss)) * (2.5 * radius / steps)
        x = clean + xp.clip(x + move - clean, -radius, radius)
    return x


def vertices(net: TwoLayer, X: Array, y: Array, radius: float, loss: str) -> Array:
    """The largest loss (S, N) over the 2^d corners of each box. Raises ValueError for d > 16."""
    _check(radius)
    xp = array_namespace(net.U, X)
    d = X.shape[-1]
    if d > 16:
        raise ValueError(f"d = {d}: 2^{d} corners a point; vertices() takes d <= 16, use pgd() beyond")
    worst = None
    for corner in itertools.product((-1.0, 1.0), repeat=d):
        shift = xp.asarray(np.array(corner) * radius, dtype=X.dtype, device=device(X))
        value = loss_of(loss, predict(net, X + shift), y)[0]
        worst = value if worst is None else xp.maximum(worst, value)
    return worst


def _check(radius: float) -> None:
    if not radius >= 0:
        raise ValueError(f"radius = {radius!r}; expected a number >= 0")
