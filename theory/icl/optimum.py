r"""What one layer of linear attention learns: one step of preconditioned gradient descent, in closed form.

    ŷ = x_qᵀ K g,   g = Xᵀy/N,   excess(K) = E(ŷ − w·x_q)² = t − 2 tr(ΛKΛΩ) + tr(ΛKCKᵀ),   C = E[g gᵀ]
    K* = ΩΛ C⁻¹,    excess* = t − tr(Λ K* Λ Ω),           best K = ηI:  η = tr(Λ²Ω)/tr(ΛC).

N excess* → t + d (t + σ²) for long contexts, t = tr ΛΩ, whatever Λ and Ω.
η multiplies the mean gradient: w ← w + (η/N) Xᵀ(y − Xw) from w = 0. For Λ = Ω = I: η = N/(N + d + 1 + σ²) and excess
d(d + 1 + σ²)/(N + d + 1 + σ²).

| paper | its convention | here |
|---|---|---|
| von Oswald et al. 2023, Prop. 1 | loss (1/2N) Σ, step η; its code reports ½ E | same η; excess = 2 × loss |
| Mahankali, Hashimoto, Ma 2023, Thm 1, 2 | η Σ y_i x_i·x_q; E(y_q − ŷ)² noisy label | η/N is theirs; excess + σ² |
| Ahn et al. 2023, Thm 1; Zhang et al. 2023, Thm 4.1 | Ω = I, σ = 0, Γ = (1+1/N)Λ + (tr Λ/N) I | K* = Γ⁻¹ |

Derived in `proofs_check/icl/optimum.py`.
"""

from __future__ import annotations

from corollary.arrays import Array, array_namespace, require_floating, require_same_dtype
from corollary.theory.icl.tasks import LinearTask, label_moment


def excess(K: Array, task: LinearTask) -> float:
    """E(x_qᵀ K Xᵀy/N − w·x_q)² for K (d, d): clean label, no ½. A K learned at another context length is welcome.

    Raises TypeError or ValueError for a K that does not fit the task.
    """
    xp = require_floating("K", K)
    array_namespace(K, task.input_cov)
    require_same_dtype(K=K, input_cov=task.input_cov)
    if tuple(K.shape) != (task.d, task.d):
        raise ValueError(f"K has shape {tuple(K.shape)}; expected {(task.d, task.d)}")
    Λ, Ω = task.input_cov, task.weight_cov
    cross = xp.sum(Λ * xp.matrix_transpose(K @ Λ @ Ω))
    return float(task.signal - 2 * cross + xp.sum((Λ @ K @ label_moment(task)) * K))


def optimal_preconditioner(task: LinearTask) -> Array:
    """K* = ΩΛC⁻¹ (d, d), the minimiser of `excess`; symmetric where Λ and Ω commute."""
    xp = array_namespace(task.input_cov)
    right = task.input_cov @ task.weight_cov  # (ΩΛ)ᵀ; C is symmetric, so K*ᵀ = C⁻¹ΛΩ
    return xp.matrix_transpose(xp.linalg.solve(label_moment(task), right))


def optimal_step(task: LinearTask) -> float:
    """η of the best K = ηI: one gradient step from w = 0 on the mean loss (1/2N)|y − Xw|²."""
    xp, Λ = array_namespace(task.input_cov), task.input_cov
    return float(xp.sum((Λ @ Λ) * task.weight_cov) / xp.sum(Λ * label_moment(task)))


def optimal_excess(task: LinearTask, *, preconditioned: bool = True) -> float:
    """The least excess of one layer; with preconditioned=False, of one plain gradient step (the same if isotropic)."""
    xp, Λ, Ω = array_namespace(task.input_cov), task.input_cov, task.weight_cov
    if not preconditioned:
        return task.signal - optimal_step(task) * float(xp.sum((Λ @ Λ) * Ω))
    return task.signal - float(xp.sum(Λ * xp.matrix_transpose(optimal_preconditioner(task) @ Λ @ Ω)))


def rank_one_excess(task: LinearTask) -> float:
    """Loss of the spurious local minima A = 0, c = 0, K = b uᵀ: t − s₁², s the singular values of Λ^½ΩΛC^{−½}."""
    xp = array_namespace(task.input_cov)
    Λ, Ω, C = task.input_cov, task.weight_cov, label_moment(task)
    # squares of those singular values: eigenvalues of Λ^½ΩΛ C⁻¹ ΛΩΛ^½
    λ, V = xp.linalg.eigh(Λ)
    root = (V * xp.sqrt(λ)) @ xp.matrix_transpose(V)
    M = root @ Ω @ Λ @ xp.linalg.solve(C, Λ @ Ω @ root)
    return task.signal - float(xp.max(xp.linalg.eigvalsh((M + xp.matrix_transpose(M)) / 2)))
