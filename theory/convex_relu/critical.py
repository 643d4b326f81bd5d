"""The critical β: above it the zero network is optimal (Pilanci & Ergen 2020; Mishkin et al. 2022 for gated networks).

β_c = max_p max_{u ∈ K_p, ‖u‖ ≤ 1} |ν₀ᵀ D_p X u| with ν₀ = −∂L(0): y (squared, hinge) or y/2 (logistic); without cones
max_p ‖Xᵀ D_p ν₀‖. The dual constraint at ν₀ in other words: f = 0 is optimal iff β ≥ β_c.
"""

from __future__ import annotations

import numpy as np

from corollary.arrays import Array, to_numpy
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.cones import largest_support
from corollary.theory.convex_relu.problem import checked


def critical_beta(X: Array, y: Array, D: Array, loss: str = "squared", gated: bool = False) -> float:
    """β_c of the program over the patterns D; for y (n, c) the largest over outputs. Exact to rounding. Host only.

    Raises ValueError or TypeError as `solve` does.
    """
    problem = checked(X, y, 1.0, D, loss, gated)
    x, targets, patterns = (to_numpy(a).astype(float) for a in (problem.X, problem.y, problem.D))
    nu = np.asarray(losses.dual_point(problem.loss, np.zeros_like(targets), targets))
    return max(largest_support(x, patterns, nu[:, k], gated) for k in range(nu.shape[1]))
