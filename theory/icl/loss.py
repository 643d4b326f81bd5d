r"""Exact population loss of one linear self-attention layer: a quartic polynomial in all its weights, and its gradient.

With tokens (x_i, y_i), query (x_q, 0), H = (1/N) Σ_i (x_i, y_i)(x_i, y_i)ᵀ = [[G, g], [gᵀ, s]], only the product
matrices W_KQ = W_Kᵀ W_Q and W_PV = P W_V matter, of these the first d columns [A; bᵀ] and the last row [u; c]:

    ŷ = [u; c]ᵀ H [A; bᵀ] x_q,       K = c Aᵀ + b uᵀ.

As w → −w changes the sign of y, the terms odd and even in w do not mix, E(ŷ − w·x_q)² = L_odd + L_even:

    L_odd  = t − 2 tr(ΛKΛΩ) + tr(ΛKCKᵀ)
    L_even = tr(ΛAᵀ E[GuuᵀG] A) + 2c bᵀΛAᵀE[sG]u + c² E[s²] bᵀΛb.

The label is clean and there is no ½. With `query_in_keys` the sum runs over the query token too (Zhang, Frei, Bartlett
2023; divided by N all the same), which adds (1/N) (u·x_q)(x_qᵀA x_q) to ŷ and sixth moments to the loss. Landscape:
besides the global minima (u = b = 0) there are local ones at A = 0, c = 0, where b uᵀ is the best rank-one K: no
training from a generic start is sure to find the optimum. Derived in `proofs_check/icl/population_loss.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace, require_floating, require_same_dtype
from corollary.theory.icl.tasks import LinearTask, energy_gram, energy_square, gram_second_moment, label_moment


class Attention(NamedTuple):
    """KQ (d+1, d) = [A; bᵀ] and PV (d+1,) = [u; c]: all that the prediction of one layer depends on."""

    KQ: Array
    PV: Array

    def predict(self, X: Array, y: Array, xq: Array) -> Array:
        """ŷ (...) on prompts X (..., N, d), y (..., N), query xq (..., d) outside the keys."""
        from corollary.theory.icl.constructions import require_prompt

        xp = require_prompt(X, y, xq, outputs=False)
        _fit(self, X.shape[-1])
        E = xp.concat([X, y[..., None]], axis=-1)
        right = xp.matmul(E, xp.matmul(self.KQ, xq[..., None]))[..., 0]
        return xp.sum(right * xp.matmul(E, self.PV[:, None])[..., 0], axis=-1) / X.shape[-2]


def preconditioner_weights(K: Array) -> Attention:
    """The layer with u = b = 0, c = 1, A = Kᵀ: it predicts x_qᵀ K Xᵀy/N."""
    xp = require_floating("K", K, ndim=2)
    d = K.shape[0]
    if K.shape[1] != d:
        raise ValueError(f"K has shape {tuple(K.shape)}; expected (d, d)")
    zero = xp.zeros_like(K[:1, :])
    return Attention(
        xp.concat([xp.matrix_transpose(K), zero], axis=0), xp.concat([zero[0, :], xp.ones_like(K[0, :1])], axis=0)
    )


def population_loss(weights: Attention, task: LinearTask, *, query_in_keys: bool = False) -> float:
    """E(ŷ − w·x_q)² over prompts of the task, exactly. Raises TypeError or ValueError for weights that do not fit."""
    A, b, u, c = _parts(weights, task)
    xp, Λ, Ω, t = array_namespace(task.input_cov), task.input_cov, task.weight_cov, task.signal
    T = xp.matrix_transpose
    K = c * T(A) + b[:, None] * u[None, :]
    odd = t - 2 * xp.sum(Λ * T(K @ Λ @ Ω)) + xp.sum((Λ @ K @ label_moment(task)) * K)
    even = (
        xp.sum((gram_second_moment(task, u) @ A @ Λ) * A)
        + 2 * c * xp.sum((Λ @ b) * (T(A) @ (energy_gram(task) @ u)))
        + c * c * energy_square(task) * xp.sum(b * (Λ @ b))
    )
    if query_in_keys:
        even = even + _query_terms(A, b, u, c, task)
    return float(odd + even)


def population_loss_gradient(weights: Attention, task: LinearTask, *, query_in_keys: bool = False) -> Attention:
    """∂ population_loss / ∂ (KQ, PV), in the shapes of the weights. Raises as `population_loss`."""
    A, b, u, c = _parts(weights, task)
    xp, Λ, N = array_namespace(task.input_cov), task.input_cov, task.context
    T = xp.matrix_transpose
    D = 2 * Λ @ ((c * T(A) + b[:, None] * u[None, :]) @ label_moment(task) - task.weight_cov @ Λ)  # ∂ L_odd/∂K
    sG, s2 = energy_gram(task), energy_square(task)
    ΛATsGu, AΛb = Λ @ (T(A) @ (sG @ u)), A @ (Λ @ b)
    W = A @ Λ @ T(A)
    dA = c * T(D) + 2 * gram_second_moment(task, u) @ A @ Λ + 2 * c * (sG @ u)[:, None] * (Λ @ b)[None, :]
    du = (
        T(D) @ b
        + 2 * (1 + 1 / N) * (Λ @ (W @ (Λ @ u)))
        + (2 / N) * (xp.sum(W * Λ) * (Λ @ u) + task.excess_kurtosis * xp.sum(W * task.identity, axis=1) * u)
        + 2 * c * (sG @ AΛb)
    )
    dc = xp.sum(D * T(A)) + 2 * xp.sum(b * ΛATsGu) + 2 * c * s2 * xp.sum(b * (Λ @ b))
    db = D @ u + 2 * c * ΛATsGu + 2 * c * c * s2 * (Λ @ b)
    if query_in_keys:
        qA, qb, qu, qc = _query_gradient(A, b, u, c, task)
        dA, db, du, dc = dA + qA, db + qb, du + qu, dc + qc
    return Attention(xp.concat([dA, db[None, :]], axis=0), xp.concat([du, xp.reshape(dc, (1,))], axis=0))


def _query_terms(A: Array, b: Array, u: Array, c: Array, task: LinearTask) -> Array:
    """What the query token adds: (2/N) E[(a·x)(u·x)(xᵀAx)] + (1/N²) E[(u·x)²(xᵀAx)²], a = AᵀΛu + c(t + σ²)b.

    For iid coordinates: fourth and sixth cumulants κ₄, κ₆ besides Isserlis' pairs; S the symmetric part of A."""
    xp, Λ, N = array_namespace(task.input_cov), task.input_cov, task.context
    κ4, κ6 = task.excess_kurtosis, task.sixth_cumulant
    S = (A + xp.matrix_transpose(A)) / 2
    v, tr, s = Λ @ u, xp.sum(S * Λ), xp.sum(S * task.identity, axis=1)
    a = xp.matrix_transpose(A) @ v + c * (task.signal + task.noise) * b
    Sv = S @ v
    cross = xp.sum(a * v) * tr + 2 * xp.sum((Λ @ a) * Sv) + κ4 * xp.sum(a * u * s)
    SΛ = S @ Λ
    sixth = (
        xp.sum(u * v) * (tr**2 + 2 * xp.sum(SΛ * xp.matrix_transpose(SΛ)))
        + 4 * xp.sum(v * Sv) * tr
        + 8 * xp.sum(Sv * (Λ @ Sv))
    )
    if κ4 or κ6:  # then Λ is a multiple of I: v = Λu, tr = tr SΛ and so on carry the variance of the pair
        uv, squares = u * v, xp.sum(S * SΛ, axis=1)
        four = xp.sum(uv) * xp.sum(s * s) + 2 * tr * xp.sum(u * u * s) + 8 * xp.sum(u * s * Sv)
        sixth = sixth + κ4 * (four + 4 * xp.sum(u * u * squares)) + κ6 * xp.sum(u * u * s * s)
    return 2 * cross / N + sixth / N**2


def _query_gradient(A: Array, b: Array, u: Array, c: Array, task: LinearTask) -> tuple[Array, Array, Array, Array]:
    xp, Λ, N = array_namespace(task.input_cov), task.input_cov, task.context
    κ4, κ6, eye = task.excess_kurtosis, task.sixth_cumulant, task.identity
    T = xp.matrix_transpose
    outer = lambda p, q: p[:, None] * q[None, :]  # noqa: E731
    S, e = (A + T(A)) / 2, task.signal + task.noise
    v, tr, s = Λ @ u, xp.sum(S * Λ), xp.sum(S * eye, axis=1)
    a = T(A) @ v + c * e * b
    Sv, Λa = S @ v, Λ @ a
    da = v * tr + 2 * (Λ @ Sv) + κ4 * u * s  # ∂ cross/∂a
    # ∂/∂S of an expression in S is spread symmetrically over A
    dS = xp.sum(a * v) * Λ + outer(Λa, v) + outer(v, Λa) + κ4 * eye * (a * u)[None, :]
    dv = a * tr + 2 * (S @ Λa) + A @ da
    dA, du, db, dc = outer(v, da) + (dS + T(dS)) / 2, Λ @ dv + κ4 * a * s, c * e * da, e * xp.sum(b * da)
    SΛ = S @ Λ
    square = xp.sum(SΛ * T(SΛ))
    uv, vSv, ΛSv = xp.sum(u * v), xp.sum(v * Sv), Λ @ Sv
    dS6 = uv * (2 * tr * Λ + 4 * Λ @ SΛ) + 4 * tr * outer(v, v) + 4 * vSv * Λ + 8 * (outer(v, ΛSv) + outer(ΛSv, v))
    du6 = 2 * v * (tr**2 + 2 * square) + 8 * tr * ΛSv + 16 * (Λ @ (S @ ΛSv))
    if κ4 or κ6:
        u2, squares = u * u, xp.sum(S * SΛ, axis=1)
        du6 = du6 + 2 * κ6 * u * s * s + κ4 * (
            2 * v * xp.sum(s * s) + 4 * tr * u * s + 8 * (s * Sv + Λ @ (S @ (u * s))) + 8 * u * squares
        )  # fmt: skip
        diagonal = 2 * uv * s + 2 * tr * u2 + 8 * u * Sv
        dS6 = dS6 + 2 * κ6 * eye * (u2 * s)[None, :] + κ4 * (
            eye * diagonal[None, :] + 2 * xp.sum(u2 * s) * Λ + 8 * outer(u * s, v) + 4 * (u2[:, None] * SΛ + SΛ * u2)
        )  # fmt: skip
    return 2 * dA / N + (dS6 + T(dS6)) / 2 / N**2, 2 * db / N, 2 * du / N + du6 / N**2, 2 * dc / N


def _fit(weights: Attention, d: int) -> None:
    if not isinstance(weights, Attention):
        raise TypeError(f"weights are of type {type(weights).__name__}; expected icl.Attention(KQ, PV)")
    require_floating("KQ", weights.KQ)
    require_floating("PV", weights.PV)
    array_namespace(weights.KQ, weights.PV)
    require_same_dtype(KQ=weights.KQ, PV=weights.PV)
    if tuple(weights.KQ.shape) != (d + 1, d) or tuple(weights.PV.shape) != (d + 1,):
        raise ValueError(
            f"weights have shapes KQ {tuple(weights.KQ.shape)} and PV {tuple(weights.PV.shape)}; expected "
            f"{(d + 1, d)} and {(d + 1,)} for inputs in dimension {d}"
        )


def _parts(weights: Attention, task: LinearTask) -> tuple[Array, Array, Array, Array]:
    _fit(weights, task.d)
    array_namespace(weights.KQ, task.input_cov)
    require_same_dtype(weights=weights.KQ, input_cov=task.input_cov)
    d = task.d
    return weights.KQ[:d, :], weights.KQ[d, :], weights.PV[:d], weights.PV[d]
