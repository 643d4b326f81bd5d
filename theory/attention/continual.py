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

from corollary.arrays import require_floating
from corollary.theory.attention.certificate import Infeasible
from corollary.theory.attention.margin import Margin, hard_margin, project_margin


def sequential_max_margin(tasks: Sequence[np.ndarray], order: Sequence[int]) -> np.ndarray:
    """w_0 = 0, w_1, …: (len(order) + 1, d) for signed tasks B_m (N_m, d) seen in `order`.

    The tasks must be separable together, ∩K_m ≠ ∅ (their hypothesis): otherwise w_t would go round without an end.
    Raises IndexError (order), Infeasible with Gordan's weights on the rows of all tasks, or of the first task that is
    not separable on its own; TypeError, ValueError.
    """
    if not len(tasks):
        raise ValueError("no tasks; expected at least one matrix of signed data")
    inside = _joint(tasks).w
    path = [np.zeros(tasks[0].shape[1])]
    for m in order:
        path.append(project_margin(path[-1], tasks[m], inside=inside).w)
    return np.stack(path)


def _joint(tasks: Sequence[np.ndarray]) -> Margin:
    try:
        return hard_margin(np.concatenate(list(tasks)))
    except Infeasible as found:
        for m, B in enumerate(tasks):
            try:
                hard_margin(B)
            except Infeasible as alone:
                raise Infeasible(f"task {m}: {alone}", alone.weights, alone.residual) from None
        raise Infeasible(
            f"each of the {len(tasks)} tasks is linearly separable, but not all together, which the theorem asks for: "
            f"nonnegative weights cancel the rows of all tasks to {found.residual:.1e} of their size (.weights)",
            found.weights,
            found.residual,
        ) from None


def contraction(tasks: Sequence[np.ndarray]) -> float:
    """1 − 1/(Mκ²): the factor of dist²(w, ∩K) per cycle, or per step in expectation.

    Raises as `sequential_max_margin`.
    """
    joint = _joint(tasks)
    κ = joint.radius / joint.margin
    return 1 - 1 / (len(tasks) * κ**2)


def forgetting(w: np.ndarray, B: np.ndarray) -> float:
    """F_m(w) = max over the task of (1 − y xᵀw)₊², w (d,), B (N, d): 0 where the task is still solved with margin 1.

    Raises TypeError or ValueError (shapes, NaN, no rows).
    """
    require_floating("w", w, ndim=1)
    require_floating("B", B, ndim=2)
    if B.shape[1:] != w.shape:
        raise ValueError(f"w has shape {w.shape}, B {B.shape}; expected (d,) and (N, d)")
    return float(np.max(np.maximum(1 - B @ w, 0.0)) ** 2)
