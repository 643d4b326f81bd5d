"""Least squares on growing contexts by iteration, as loops: Newton, gradient descent, conjugate gradients, L-BFGS, OGD.

No closed form enters. Sequences of n examples; at every length t = 1…n each algorithm solves the least-squares problem
of the first t, all lengths and sequences in one batch. S_t = Σ_{i ≤ t} x_i x_iᵀ, v_t = Σ_{i ≤ t} y_i x_i. What is
kept of the weights w (B, n, d) after each of the listed steps is `read(contexts, w)`: the residuals unless given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from corollary.arrays import Array, array_namespace


class Contexts(NamedTuple):
    """S (B, n, d, d) and v (B, n, d) of the first t examples, X (B, n, d) and y (B, n); test x (B, n, d), label (B, n):
    the example that follows each context."""

    S: Array
    v: Array
    x: Array
    label: Array
    X: Array
    y: Array


Read = Callable[[Contexts, Array], Array]


def contexts(X: Array, y: Array) -> Contexts:
    """From sequences of n + 1 examples X (B, n + 1, d), y (B, n + 1)."""
    xp = array_namespace(X, y)
    S = xp.cumulative_sum(X[:, :-1, :, None] * X[:, :-1, None, :], axis=1)
    v = xp.cumulative_sum(X[:, :-1, :] * y[:, :-1, None], axis=1)
    return Contexts(S, v, X[:, 1:, :], y[:, 1:], X[:, :-1, :], y[:, :-1])


def residuals(c: Contexts, w: Array) -> Array:
    """w_t · x_{t+1} − y_{t+1}, (B, n)."""
    return array_namespace(w).sum(w * c.x, axis=-1) - c.label


def weights(c: Contexts, w: Array) -> Array:
    """w itself, to be given as read=."""
    return w


def newton(
    c: Contexts, steps: Sequence[int], *, alpha: float | None = None, scale: float = 1.0, read: Read = residuals
) -> list[Array]:
    """Residuals after each of `steps` (ascending): M ← 2M − MSM from M = αS.

    alpha: one for all, or None: scale/λ_max(S_t)² of each context. scale = 2 is the choice printed by Fu et al.
    """
    xp = array_namespace(c.S)
    if alpha is None:
        top = xp.max(xp.linalg.eigvalsh(c.S), axis=-1)
        M = c.S * (scale / (top * top))[..., None, None]
    else:
        M = alpha * c.S
    out = []
    for k in range(max(steps) + 1):
        if k in steps:
            out.append(read(c, xp.matmul(M, c.v[..., None])[..., 0]))
        M = 2 * M - xp.matmul(M, xp.matmul(c.S, M))
    return out


def gradient_descent(c: Contexts, steps: Sequence[int], eta: float, *, read: Read = residuals) -> list[Array]:
    """Residuals after each of `steps`: w ← w + η (v − S w), the gradient not divided by t (Fu et al.'s code)."""
    xp = array_namespace(c.S)
    w = xp.zeros_like(c.v)
    out = []
    for k in range(max(steps) + 1):
        if k in steps:
            out.append(read(c, w))
        w = w + eta * (c.v - xp.matmul(c.S, w[..., None])[..., 0])
    return out


def conjugate_gradients(c: Contexts, steps: Sequence[int], *, read: Read = residuals) -> list[Array]:
    """Residuals after each of `steps` of CG on S w = v from 0; a context solved to 1e-24 of |v|² stays as it is."""
    xp = array_namespace(c.S)
    w, r = xp.zeros_like(c.v), +c.v
    p = +r
    rr = xp.sum(r * r, axis=-1, keepdims=True)
    done = 1e-24 * rr
    out = []
    for k in range(max(steps) + 1):
        if k in steps:
            out.append(read(c, w))
        Sp = xp.matmul(c.S, p[..., None])[..., 0]
        live = rr > done
        one = xp.ones_like(rr)
        a = xp.where(live, rr / xp.where(live, xp.sum(p * Sp, axis=-1, keepdims=True), one), 0 * one)
        w, r = w + a * p, r - a * Sp
        new = xp.sum(r * r, axis=-1, keepdims=True)
        p = r + xp.where(live, new / xp.where(live, rr, one), 0 * one) * p
        rr = new
    return out


def lbfgs(c: Contexts, steps: Sequence[int], *, memory: int = 10, read: Read = residuals) -> list[Array]:
    """Residuals after each of `steps` of L-BFGS from 0 (Nocedal, Wright, Algorithms 7.4 and 7.5) on ½wᵀSw − vᵀw.

    Step 1, halved until it decreases enough (Armijo, 1e-4), from the first direction −g/λ_max(S); memory >= max(steps)
    is BFGS. An exact line search would make it conjugate gradients. Converged contexts stay as they are.
    """
    xp = array_namespace(c.S)
    inner = lambda a, b: xp.sum(a * b, axis=-1, keepdims=True)  # noqa: E731
    w, g, out = xp.zeros_like(c.v), -c.v, []
    size = xp.max(xp.linalg.eigvalsh(c.S), axis=-1)[..., None]
    gamma, one, done = 1 / size, xp.ones_like(size), 1e-24 * inner(g, g)
    pairs: list[tuple[Array, Array, Array]] = []
    for k in range(max(steps) + 1):
        if k in steps:
            out.append(read(c, w))
        q, kept = +g, []
        for s, y, rho in reversed(pairs):
            a = rho * inner(s, q)
            q = q - a * y
            kept.append(a)
        p = gamma * q
        for (s, y, rho), a in zip(pairs, reversed(kept), strict=True):
            p = p + s * (a - rho * inner(y, p))
        p = -p
        Sp = xp.matmul(c.S, p[..., None])[..., 0]
        live = inner(g, g) > done
        slope, curve = -inner(g, p), inner(p, Sp)
        live = live & (slope > 0) & (curve > 0)
        most = xp.where(live, 2 * (1 - 1e-4) * slope / xp.where(live, curve, one), one)
        t = xp.where(most >= 1, one, 2.0 ** xp.floor(xp.log2(most)))  # the first of 1, ½, ¼, … that is short enough
        s = xp.where(live, t, 0 * one) * p
        y = xp.where(live, t, 0 * one) * Sp
        w, g = w + s, g + y
        sy, yy = inner(s, y), inner(y, y)
        rho = xp.where(live, 1 / xp.where(live, sy, one), 0 * one)
        gamma = xp.where(live, sy / xp.where(live, yy, one), gamma)
        pairs = [*pairs, (s, y, rho)][-memory:]
    return out


def online_descent(c: Contexts, eta: float | None = None) -> Array:
    """Residuals (B, n) of one pass: w ← w + η (y_t − w·x_t) x_t, example by example; None: η = 1/|x_t|², which leaves
    no error on the newest."""
    xp = array_namespace(c.S)
    w, out = xp.zeros_like(c.v[:, 0, :]), []
    for t in range(c.X.shape[1]):
        x = c.X[:, t, :]
        rate = eta if eta is not None else 1 / xp.sum(x * x, axis=-1)[:, None]
        w = w + rate * (c.y[:, t] - xp.sum(w * x, axis=-1))[:, None] * x
        out.append(xp.sum(w * c.x[:, t, :], axis=-1) - c.label[:, t])
    return xp.stack(out, axis=1)
