r"""One softmax self-attention layer with h heads on the same prompts (von Oswald et al. 2023, Figure 12).

ŷ = Σ_h v_hᵀ Σ_i a_hi e_i,   a_h = softmax(e_iᵀ KQ_h x_q over i),   KQ (R, h, T, d), V (R, h, T), keys without query.
"""

from __future__ import annotations

from corollary.arrays import Array, array_namespace
from corollary.sims.icl.prompts import Prompts


def softmax_prediction(KQ: Array, V: Array, prompts: Prompts) -> Array:
    """ŷ (R, B)."""
    return _heads(KQ, V, prompts)[0]


def softmax_gradient(KQ: Array, V: Array, prompts: Prompts) -> tuple[Array, Array, Array]:
    """(loss (R,), ∂KQ, ∂V) of the mean of (ŷ − label)² over prompts."""
    xp = array_namespace(KQ, V)
    prediction, E, a, values = _heads(KQ, V, prompts)
    gap = prediction - prompts.label
    δ = (2.0 / gap.shape[1] * gap)[:, :, None, None]  # (R, B, 1, 1)
    weighted = xp.matmul(a, E)  # (R, B, h, T): Σ_i a_hi e_i
    dV = xp.sum(δ * weighted, axis=1)
    # ∂a_hi = v_h·e_i; through the softmax: a (∂a − Σ a ∂a)
    ds = δ * a * (values - xp.sum(a * values, axis=-1, keepdims=True))  # (R, B, h, N)
    pulled = xp.matmul(ds, E)  # (R, B, h, T)
    dKQ = xp.sum(pulled[..., None] * prompts.xq[:, :, None, None, :], axis=1)
    return xp.mean(gap * gap, axis=1), dKQ, dV


def _heads(KQ: Array, V: Array, prompts: Prompts) -> tuple[Array, Array, Array, Array]:
    xp = array_namespace(KQ, V, prompts.X)
    E = xp.concat([prompts.X, prompts.y[..., None]], axis=-1)  # (R, B, N, T)
    R, h, T, d = KQ.shape
    Kx = xp.matmul(prompts.xq, xp.matrix_transpose(xp.reshape(KQ, (R, h * T, d))))
    Kx = xp.reshape(Kx, (R, -1, h, T))
    t = xp.matrix_transpose
    scores = xp.matmul(Kx, t(E))  # (R, B, h, N)
    scores = scores - xp.max(scores, axis=-1, keepdims=True)
    a = xp.exp(scores)
    a = a / xp.sum(a, axis=-1, keepdims=True)
    values = xp.matmul(V[:, None, :, :], t(E))  # (R, B, h, N): v_h·e_i
    return xp.sum(a * values, axis=(-1, -2)), E, a, values
