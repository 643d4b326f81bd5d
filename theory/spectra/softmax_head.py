"""The Hessian of the last layer of a classifier, in closed form.

Logits f = W z, W (K, d), cross-entropy averaged over N points with features z_i (d,), probabilities p_i = softmax f_i:

    ∂²ℓ/∂W∂W = (1/N) Σ_i (diag p_i − p_i p_iᵀ) ⊗ z_i z_iᵀ        rows of W one after the other

It does not know the labels, is positive semidefinite, and has every W whose rows are all alike in its kernel (it adds
the same to all logits), so that its rank is at most (K − 1) min(N, d).
"""

from __future__ import annotations

from corollary.arrays import Array, array_namespace, require_floating


def softmax_head_hessian(probabilities: Array, features: Array) -> Array:
    """(K d, K d) from p (N, K), rows ≥ 0 of sum 1 (to 1e-6), and z (N, d). ValueError for other shapes or rows."""
    require_floating("probabilities", probabilities, ndim=2)
    require_floating("features", features, ndim=2)
    xp = array_namespace(probabilities, features)
    p, z = probabilities, features
    (N, K), d = p.shape, z.shape[1]
    if z.shape[0] != N or N < 1:
        raise ValueError(
            f"{N} rows of probabilities and {z.shape[0]} of features; expected as many of each, at least 1"
        )
    if bool(xp.any(p < 0)) or bool(xp.any(xp.abs(xp.sum(p, axis=1) - 1) > 1e-6)):
        raise ValueError("probabilities: expected rows >= 0 that sum to 1; take the softmax of the logits first")
    rows = xp.reshape(p[:, :, None] * z[:, None, :], (N, K * d))
    cross = xp.reshape(xp.matmul(xp.matrix_transpose(rows), rows), (K, d, K, d))  # Σ p_o p_q z zᵀ
    own = xp.reshape(xp.matmul(xp.matrix_transpose(rows), z), (K, d, d))  # Σ p_o z zᵀ
    eye = xp.eye(K, dtype=p.dtype, device=p.device)
    whole = eye[:, None, :, None] * own[:, :, None, :] - cross
    return xp.reshape(whole, (K * d, K * d)) / N
