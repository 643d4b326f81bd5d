"""The empirical neural tangent kernel of finite networks, layer by layer, without forming Jacobians.

    Θ_km(x, x′) = Σ_θ ∂f_k(x)/∂θ ∂f_m(x′)/∂θ = Σ_l (W_std²/n_l aˡ·a′ˡ + b_std²) (δ_kˡ⁺¹ · δ_m′ˡ⁺¹)

with δ_kˡ = ∂f_k/∂zˡ (Jacot, Gabriel, Hongler 2018, §4, is its definition; the sum over layers follows because ∂f_k/∂Wˡ
is the rank-one matrix (W_std/√n_l) δ_kˡ⁺¹ aˡᵀ). The term b_std² is absent in a network without biases.
Standard parametrisation, gradients with respect to (W_std/√n_l) Wˡ and b_std bˡ: aˡ·a′ˡ + 1 in place of the bracket.
Cost: one forward and n_L backward passes a point, and Gram matrices; no array of the size of a Jacobian.
"""

from __future__ import annotations

from corollary.arrays import Array, array_namespace, device
from corollary.sims.common.networks import Network, Params, Trace, deltas, propagate, require_input


def empirical_ntk(
    net: Network, params: Params, x1: Array, x2: Array | None = None, *, outputs: str = "single",
    parametrization: str = "ntk",
) -> Array:  # fmt: skip
    """Θ between the rows of x1 (n1, d) and x2 (n2, d), or (S, n, d); x2 = None means x1, exactly symmetric then.

    outputs: "single" (S, n1, n2), for networks with one output; "mean" (S, n1, n2), (1/n_L) Σ_k Θ_kk;
    "full" (S, n1, n_L, n2, n_L). parametrization: "ntk" or "standard". Raises ValueError for another word, or for
    "single" with several outputs.
    """
    n_out = params.W[-1].shape[1]
    if outputs not in ("single", "mean", "full"):
        raise ValueError(f"outputs = {outputs!r}; expected 'single', 'mean' or 'full'")
    if outputs == "single" and n_out != 1:
        raise ValueError(f"the networks have {n_out} outputs; ask for outputs='mean' or outputs='full'")
    if parametrization not in ("ntk", "standard"):
        raise ValueError(f"parametrization is {parametrization!r}; expected 'ntk' or 'standard'")
    xp = array_namespace(x1)
    traces = [propagate(net, params, require_input(params, x1, "x1"))]
    if x2 is not None:
        traces.append(propagate(net, params, require_input(params, x2, "x2")))
    backs = [_all_deltas(net, params, trace) for trace in traces]  # backs[i][k][l]: δ_kˡ⁺¹
    left, right = traces[0], traces[-1]

    def layer_factor(l: int) -> Array:
        gram = xp.matmul(left.a[l], xp.matrix_transpose(right.a[l]))
        if parametrization == "standard":
            return gram + 1.0 if params.b else gram
        gram = (net.W_std**2 / left.a[l].shape[-1]) * gram
        return gram + net.b_std**2 if params.b else gram

    def block(k: int, m: int) -> Array:
        return sum(
            layer_factors[l] * xp.matmul(backs[0][k][l], xp.matrix_transpose(backs[-1][m][l]))
            for l in range(len(params.W))
        )

    layer_factors = [layer_factor(l) for l in range(len(params.W))]
    if outputs != "full":
        theta = sum(block(k, k) for k in range(n_out)) * (1.0 / n_out)
        return theta if x2 is not None else 0.5 * (theta + xp.matrix_transpose(theta))
    rows = [xp.stack([block(k, m) for m in range(n_out)], axis=3) for k in range(n_out)]
    theta = xp.stack(rows, axis=2)
    return theta if x2 is not None else 0.5 * (theta + xp.permute_dims(theta, (0, 3, 4, 1, 2)))


def conditional_nngp(net: Network, params: Params, x1: Array, x2: Array | None = None) -> Array:
    """(S, n1, n2): covariance of an output given the hidden layers, W_std²/n_{L−1} a·a′ + b_std² over last features.

    Its mean over the hidden weights tends to the NNGP kernel; b_std² is absent in a network without biases.
    """
    xp = array_namespace(x1)
    left = propagate(net, params, require_input(params, x1, "x1")).a[-1]
    right = left if x2 is None else propagate(net, params, require_input(params, x2, "x2")).a[-1]
    gram = (net.W_std**2 / left.shape[-1]) * xp.matmul(left, xp.matrix_transpose(right))
    return gram + net.b_std**2 if params.b else gram


def _all_deltas(net: Network, params: Params, trace: Trace) -> list[tuple[Array, ...]]:
    f = trace.z[-1]
    xp = array_namespace(f)
    basis = xp.eye(f.shape[2], dtype=f.dtype, device=device(f))
    return [deltas(net, params, trace, xp.zeros_like(f) + basis[k, :]) for k in range(f.shape[2])]
