r"""Linear self-attention by hand: stacks of layers forward and backward, a batch of replicates and prompts at a time.

Tokens are rows: E (R, B, N + 1, T), T = d + 1, the query last with y-slot 0 and outside the keys. Layer l of replicate
r has the merged matrices KQ = W_KᵀW_Q and PV = P W_V, arrays KQ, PV (R, layers, T, T); with C = E[:, :, :N],

    E ← E + E Mᵀ,   M = PV (CᵀC) KQ / N;   prediction ŷ = −(y-slot of the query) after the last layer.

Backward, from δ = ∂ℓ/∂E after the layer:  ∂M = δᵀE,  ∂PV = ∂M KQᵀ G,  ∂KQ = G PVᵀ ∂M,  ∂G = PVᵀ ∂M KQᵀ (G = CᵀC/N),
∂E = δ + δM, and ∂C += C (∂G + ∂Gᵀ)/N. One layer has a shortcut that never forms the tokens (`layer_gradient`).
"""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace
from corollary.sims.icl.prompts import Prompts


class Pass(NamedTuple):
    """prediction (R, B); tokens[l]: E before layer l; maps[l]: M of layer l (R, B, T, T)."""

    prediction: Array
    tokens: list[Array]
    maps: list[Array]


def forward(KQ: Array, PV: Array, prompts: Prompts, *, layers: int | None = None, damping: float = 1.0) -> Pass:
    """Run the stack; `layers` > number of weights repeats the single (tied) layer. damping scales every update.

    Raises ValueError where weights and prompts do not fit, or untied weights are asked to repeat.
    """
    xp = array_namespace(KQ, PV, prompts.X)
    T, count = prompts.X.shape[-1] + 1, KQ.shape[1]
    if KQ.shape != PV.shape or tuple(KQ.shape[2:]) != (T, T) or KQ.shape[0] != prompts.X.shape[0]:
        raise ValueError(
            f"KQ has shape {tuple(KQ.shape)}, PV {tuple(PV.shape)}; expected (R, layers, {T}, {T}) for prompts "
            f"{tuple(prompts.X.shape)}"
        )
    depth = count if layers is None else layers
    if count not in (1, depth):
        raise ValueError(f"{count} layers of weights cannot be applied {depth} times; expected 1 (tied) or {depth}")
    N = prompts.X.shape[-2]
    E = _tokens(prompts)
    tokens, maps = [], []
    for l in range(depth):
        k = 0 if count == 1 else l
        C = E[:, :, :N, :]
        G = xp.matmul(xp.matrix_transpose(C), C) / N
        M = xp.matmul(xp.matmul(PV[:, None, k, :, :], G), KQ[:, None, k, :, :])
        tokens.append(E)
        maps.append(M)
        E = E + damping * xp.matmul(E, xp.matrix_transpose(M))
    return Pass(-E[:, :, -1, -1], tokens, maps)


def backward(KQ: Array, PV: Array, prompts: Prompts, trace: Pass, seed: Array) -> tuple[Array, Array, Array]:
    """Gradients of Σ_b seed_b ŷ_b: (∂KQ, ∂PV) in the shapes of the weights, and ∂ŷ/∂x_q · seed (R, B, d).

    seed (R, B). The weights' gradients are summed over prompts (and over applications where they are tied).
    """
    xp = array_namespace(KQ, PV, seed)
    t = xp.matrix_transpose
    N, count = prompts.X.shape[-2], KQ.shape[1]
    dKQ, dPV = [None] * count, [None] * count
    δ = xp.zeros_like(trace.tokens[0])
    δ = xp.concat([δ[:, :, :-1, :], xp.concat([δ[:, :, -1:, :-1], -seed[:, :, None, None]], axis=3)], axis=2)
    for l in reversed(range(len(trace.tokens))):
        k = 0 if count == 1 else l
        E, M = trace.tokens[l], trace.maps[l]
        C = E[:, :, :N, :]
        G = xp.matmul(t(C), C) / N
        dM = xp.matmul(t(δ), E)
        P, K = PV[:, None, k, :, :], KQ[:, None, k, :, :]
        PdM, GP = xp.matmul(t(P), dM), xp.matmul(G, t(P))
        grad_K, grad_P = xp.sum(xp.matmul(GP, dM), axis=1), xp.sum(xp.matmul(xp.matmul(dM, t(K)), G), axis=1)
        dKQ[k] = grad_K if dKQ[k] is None else dKQ[k] + grad_K
        dPV[k] = grad_P if dPV[k] is None else dPV[k] + grad_P
        dG = xp.matmul(PdM, t(K))
        into = xp.matmul(C, dG + t(dG)) / N
        δ = δ + xp.matmul(δ, M)
        δ = δ + xp.concat([into, xp.zeros_like(δ[:, :, -1:, :])], axis=2)
    return xp.stack(dKQ, axis=1), xp.stack(dPV, axis=1), δ[:, :, -1, :-1]


def stack_gradient(KQ: Array, PV: Array, prompts: Prompts, layers: int | None = None) -> tuple[Array, Array, Array]:
    """(loss (R,), ∂KQ, ∂PV) of the mean of (ŷ − label)² over prompts."""
    xp = array_namespace(KQ, PV)
    trace = forward(KQ, PV, prompts, layers=layers)
    gap = trace.prediction - prompts.label
    dKQ, dPV, _ = backward(KQ, PV, prompts, trace, 2.0 / gap.shape[1] * gap)
    return xp.mean(gap * gap, axis=1), dKQ, dPV


def layer_prediction(KQ: Array, PV: Array, prompts: Prompts) -> Array:
    """ŷ (R, B) = PVᵀ H KQ x_q of one layer in its reduced weights KQ (R, T, d), PV (R, T); H = EᵀE/N over examples."""
    return _layer(KQ, PV, prompts)[0]


def layer_gradient(KQ: Array, PV: Array, prompts: Prompts) -> tuple[Array, Array, Array]:
    """(loss (R,), ∂KQ (R, T, d), ∂PV (R, T)) of the mean of (ŷ − label)² over prompts, one layer."""
    xp = array_namespace(KQ, PV)
    prediction, E, right, left = _layer(KQ, PV, prompts)
    gap = prediction - prompts.label
    B, N = gap.shape[1], prompts.X.shape[-2]
    δ = 2.0 / (B * N) * gap[:, :, None]
    # as row vectors times E: sums over the examples inside one product
    dPV = xp.sum(xp.matmul((δ * right)[:, :, None, :], E)[:, :, 0, :], axis=1)  # δ H KQ x_q
    HPV = xp.matmul((δ * left)[:, :, None, :], E)[:, :, 0, :]
    return xp.mean(gap * gap, axis=1), xp.matmul(xp.matrix_transpose(HPV), prompts.xq), dPV


def _layer(KQ: Array, PV: Array, prompts: Prompts) -> tuple[Array, Array, Array, Array]:
    """ŷ, the example tokens E, and E KQ x_q, E PV (R, B, N)."""
    xp = array_namespace(KQ, PV, prompts.X)
    E = xp.concat([prompts.X, prompts.y[..., None]], axis=-1)
    Kx = xp.matmul(prompts.xq, xp.matrix_transpose(KQ))  # (R, B, T)
    right = xp.matmul(E, Kx[..., None])[..., 0]
    left = xp.matmul(E, PV[:, None, :, None])[..., 0]
    return xp.sum(right * left, axis=-1) / prompts.X.shape[-2], E, right, left


def reduced(KQ: Array, PV: Array) -> tuple[Array, Array]:
    """The reduced weights of one layer (R, T, T) each: KQ's first d columns and minus PV's last row."""
    return KQ[:, :, :-1], -PV[:, -1, :]


def _tokens(prompts: Prompts) -> Array:
    xp = array_namespace(prompts.X)
    examples = xp.concat([prompts.X, prompts.y[..., None]], axis=-1)
    query = xp.concat([prompts.xq, xp.zeros_like(prompts.xq[..., :1])], axis=-1)
    return xp.concat([examples, query[:, :, None, :]], axis=2)
