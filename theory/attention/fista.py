r"""The dual of the attention-SVM by restarted FISTA, batched over problems, on any array backend.

    min over λ ≥ 0 of ½ ‖A*λ‖_F² − Σ λ,        W = A*λ

(Beck & Teboulle 2009; restart where the momentum points uphill: O'Donoghue & Candès 2015). The operators stay factored:
one step costs 2 n d (d + T) a problem, never an n(T−1) × d² matrix. Rows are scaled to unit norm. Every problem carries
its own restart and certificate; the loop ends when all have reached the gap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corollary.arrays import Array, array_namespace, device, to_numpy
from corollary.theory.attention.certificate import Infeasible, Unconverged
from corollary.theory.attention.problem import checked_choice, checked_tokens, differences, scales

CHECK = 25  # steps between certificates, each of which costs half a step


class Batch(NamedTuple):
    """W (B, d, d), multipliers (B, n, T−1); certificate, all (B,): primal ≥ optimum ≥ dual, gap, min_margin."""

    W: Array
    multipliers: Array
    primal: Array
    dual: Array
    gap: Array
    min_margin: Array


def _forward(D: Array, Z: Array, W: Array) -> Array:
    xp = array_namespace(D)
    queries = xp.matmul(Z, xp.matrix_transpose(W))
    return xp.matmul(D, queries[..., None])[..., 0]


def _adjoint(D: Array, Z: Array, λ: Array) -> Array:
    xp = array_namespace(D)
    left = xp.matmul(λ[..., None, :], D)[..., 0, :]
    return xp.matmul(xp.matrix_transpose(left), Z)


def _frobenius(W: Array) -> Array:
    xp = array_namespace(W)
    return xp.sqrt(xp.sum(W * W, axis=(-2, -1)))


def solve_dual(D: Array, Z: Array, *, gap: float, steps: int) -> tuple[Batch, int]:
    """FISTA on differences D (B, n, m, d) and queries Z (B, n, d), no zero rows; the answer reached, steps taken.

    Not an error if the gap is missed: the caller decides.
    """
    xp = array_namespace(D)
    norms = xp.sqrt(xp.sum(D * D, axis=-1)) * xp.sqrt(xp.sum(Z * Z, axis=-1))[..., None]
    h = 1.0 / norms
    L = _largest_eigenvalue(D, Z, norms)[:, None, None]
    λ = xp.zeros_like(h)
    y, Gλ = λ, xp.zeros((D.shape[0], Z.shape[-1], Z.shape[-1]), dtype=D.dtype, device=device(D))
    Gy, t = Gλ, xp.ones_like(L)
    answer = _certified(D, Z, Gλ, λ)
    for k in range(1, steps + 1):
        ascent = h - _forward(D, Z, Gy) / norms
        new = xp.clip(y + ascent / L, 0.0, None)
        Gnew = _adjoint(D, Z, new / norms)
        uphill = xp.sum(ascent * (new - λ), axis=(1, 2), keepdims=True) < 0
        t = xp.where(uphill, xp.ones_like(t), t)
        after = (1 + xp.sqrt(1 + 4 * t * t)) / 2
        β = (t - 1) / after
        y, Gy, t = new + β * (new - λ), Gnew + β * (Gnew - Gλ), after
        λ, Gλ = new, Gnew
        if k % CHECK == 0 or k == steps:
            answer = _certified(D, Z, Gλ, λ / norms)
            if bool(xp.all(answer.gap <= gap)):
                return answer, k
    return answer, steps


def _certified(D: Array, Z: Array, W: Array, λ: Array) -> Batch:
    xp = array_namespace(D)
    margin, size = xp.min(_forward(D, Z, W), axis=(1, 2)), _frobenius(W)
    ok, inf = margin > 0, xp.full_like(size, float("inf"))
    primal = xp.where(ok, size / xp.where(ok, margin, xp.ones_like(margin)), inf)
    dual = xp.sum(λ, axis=(1, 2)) / xp.where(size > 0, size, xp.ones_like(size))
    gap = xp.where(ok, 1 - dual / xp.where(ok, primal, xp.ones_like(primal)), inf)
    factor = xp.where(ok, 1 / xp.where(ok, margin, xp.ones_like(margin)), xp.ones_like(margin))
    return Batch(W * factor[:, None, None], λ, primal, dual, gap, margin * factor)


def _largest_eigenvalue(D: Array, Z: Array, norms: Array) -> Array:
    """An upper estimate of ‖A‖² of the scaled rows: twenty power steps, 10 % on top (FISTA's restarts forgive less)."""
    xp = array_namespace(D)
    d = Z.shape[-1]
    start = np.random.default_rng(0).standard_normal((1, d, d))
    W = xp.zeros((D.shape[0], d, d), dtype=D.dtype, device=device(D)) + xp.asarray(
        start, dtype=D.dtype, device=device(D)
    )
    size = _frobenius(W)
    for _ in range(20):
        W = W / size[:, None, None]
        W = _adjoint(D, Z, _forward(D, Z, W) / (norms * norms))
        size = _frobenius(W)
    return 1.1 * size


def svm_batch(X: Array, Z: Array, chosen: Array, *, gap: float = 1e-9, steps: int = 20000) -> Batch:
    """Frobenius attention-SVMs of B problems at once: X (B, n, T, d), Z (B, n, d), chosen (B, n). Source: `svm`.

    W is scaled to least margin 1. All problems must be feasible, and N/d² not much above 1 (else `svm`, one by one).
    Raises TypeError or ValueError as `svm` does; Infeasible, with weights (B, n, T−1), for another token that equals
    the chosen one; Unconverged, carrying all gaps, if some problem misses the gap: it is infeasible or
    ill-conditioned, and `svm` tells which.
    """
    xp = checked_tokens(X, Z, batch=True)
    B, n, T, _ = X.shape
    choice = checked_choice(chosen, (B, n), T)
    with np.errstate(over="ignore"):  # `scales` refuses it
        host = differences(to_numpy(X), choice)
    same = np.argwhere((host == 0).all(axis=-1))
    if len(same):
        b, i, t = (int(k) for k in same[0])
        weights = np.zeros(host.shape[:-1])
        weights[b, i, t] = 1.0
        raise Infeasible(
            f"infeasible by construction: in problem {b}, sequence {i} token {t + int(t >= choice[b, i])} equals the "
            f"chosen token {int(choice[b, i])}, so their scores agree for every W; drop the duplicate",
            weights,
            0.0,
        )
    x, z = scales(host, to_numpy(Z), float(np.finfo(host.dtype).max) ** (1 / 3))
    D = xp.asarray(host / host.dtype.type(x), dtype=X.dtype, device=device(X))
    answer, taken = solve_dual(D, Z / z, gap=gap, steps=steps)
    missed = np.flatnonzero(~(to_numpy(answer.gap) <= gap))
    if len(missed):
        raise Unconverged(
            f"{len(missed)} of {B} problems miss the gap {gap:g} after {taken} steps, first: {missed[:5].tolist()}; "
            "they are infeasible or ill-conditioned: solve them with svm(...), which tells which",
            to_numpy(answer.gap),
        )
    W, λ, primal, dual, reached, margin = answer
    s = x * z
    return Batch(W / s, λ / (s * s), primal / s, dual / s, reached, margin)
