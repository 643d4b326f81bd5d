"""Products with the inverse of an empirical Fisher matrix from its gradients alone: the M-FAC recursion.

    F = λ I + (1/m) Σ_i g_i g_iᵀ  (m gradients of d entries),   F₀ = λ I,   F_i = F_{i−1} + (1/m) g_i g_iᵀ

By Sherman–Morrison, F_m⁻¹ x = x/λ − Σ_i v_i (v_i·x)/(m + v_i·g_i) with v_i = F_{i−1}⁻¹ g_i: the recursion makes all v_i
in O(d m²), after which a product costs O(d m); nothing of size d × d exists. (Frantar, Kurtic, Alistarh 2021, "M-FAC:
Efficient Matrix-Free Approximations of Second-Order Information", §3.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from corollary.arrays import Array, array_namespace, require_floating


@dataclass(frozen=True)
class InverseFisher:
    """F⁻¹ for gradients (m, d) and damping λ > 0; made by `inverse_fisher`. Called with x (d,) or X (d, k)."""

    vectors: Array  # v_i, (m, d)
    weights: Array  # 1/(m + v_i·g_i), (m,)
    damping: float

    def __call__(self, x: Array) -> Array:
        """F⁻¹ x. Raises ValueError for another number of rows, NaN or infinity."""
        require_floating("x", x)
        xp = array_namespace(x, self.vectors)
        if x.ndim not in (1, 2) or x.shape[0] != self.vectors.shape[1]:
            d = self.vectors.shape[1]
            raise ValueError(f"x has shape {tuple(x.shape)}; expected ({d},) or ({d}, k)")
        along = xp.matmul(self.vectors, x)
        weights = self.weights if x.ndim == 1 else self.weights[:, None]
        return x * (1.0 / self.damping) - xp.matmul(xp.matrix_transpose(self.vectors), weights * along)

    def diagonal(self) -> Array:
        """diag F⁻¹, (d,)."""
        xp = array_namespace(self.vectors)
        return 1.0 / self.damping - xp.sum(self.weights[:, None] * self.vectors * self.vectors, axis=0)


def inverse_fisher(gradients: Array, damping: float) -> InverseFisher:
    """The recursion over gradients (m, d). Raises ValueError for damping ≤ 0, NaN or shape; TypeError for a dtype."""
    xp = require_floating("gradients", gradients, ndim=2)
    if not (math.isfinite(damping) and damping > 0):
        raise ValueError(f"damping = {damping!r}; expected a finite number > 0: F is singular without it when m < d")
    m = gradients.shape[0]
    v = gradients * (1.0 / damping)
    weights = xp.zeros(m, dtype=gradients.dtype, device=gradients.device)
    for i in range(m):
        g = gradients[i, :]
        if i > 0:
            done, w = v[:i, :], weights[:i]
            v[i, :] = v[i, :] - xp.matmul(w * xp.matmul(done, g), done)
        weights[i] = 1.0 / (m + xp.sum(v[i, :] * g))
    return InverseFisher(v, weights, float(damping))
