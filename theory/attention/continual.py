r"""Continual learning of separable tasks: sequential max-margin (Evron et al. 2023, 2306.03534).

Task m: K_m = {w : y xᵀw ≥ 1}. With vanishing regularisation, w_t = argmin Σ exp(−y xᵀw) + (λ/2)‖w − w_{t−1}‖²,
λ → 0, divided by ln(1/λ), tends to w_t = P_{K_t}(w_{t−1}), w_0 = 0. For u ∈ ∩K_m, w* = the joint max-margin,
R = max ‖x‖, κ = R‖w*‖ (derived here, not the paper's printed constants):

    ‖w_t − u‖² ≤ ‖w_{t−1} − u‖² − ‖w_t − w_{t−1}‖²                            (Fejér)
    dist(w, ∩K) ≤ κ max_m dist(w, K_m),   dist(w, K_m) ≥ max (1 − y xᵀw)₊/R
    dist²(w, ∩K) shrinks by 1 − 1/(Mκ²): each cycle of M tasks, or each step in expectation for random order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from corollary.theory.attention.margin import hard_margin, project_margin


def sequential_max_margin(tasks: Sequence[np.ndarray], order: Sequence[int]) -> np.ndarray:
    """w_0 = 0, w_1, …: (len(order) + 1, d) for signed tasks B_m (N_m, d) seen in `order`.

    Raises IndexError (order), Infeasible where a task is not separable, TypeError, ValueError.
    """
    inside = [hard_margin(B).w for B in tasks]
    path = [np.zeros(tasks[0].shape[1])]
    for m in order:
        path.append(project_margin(path[-1], tasks[m], inside=inside[m]).w)
    return np.stack(path)


def contraction(tasks: Sequence[np.ndarray]) -> float:
    """1 − 1/(Mκ²): the factor of dist²(w, ∩K) per cycle, or per step in expectation. Raises as `hard_margin`."""
    joint = hard_margin(np.concatenate(list(tasks)))
    κ = joint.radius / joint.margin
    return 1 - 1 / (len(tasks) * κ**2)


def forgetting(w: np.ndarray, B: np.ndarray) -> float:
    """F_m(w) = max over the task of (1 − y xᵀw)₊²: 0 where the task is still solved with margin 1."""
    return float(np.max(np.maximum(1 - B @ w, 0.0)) ** 2)
