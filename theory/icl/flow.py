r"""Gradient flow on the exact loss of one linear-attention layer: a logistic curve.

Isotropic task Λ = vI, Ω = ωI (any κ₄), weights u = b = 0, A = aI, c = √d a > 0, flow on ½ E(ŷ − w·x_q)²: the layer is
one gradient step of size k = ca, and

    k̇ = (2/√d) k (α − βk),   α = tr(Λ²Ω),   β = tr(ΛC),   k(t) = k∞ / (1 + (k∞/k₀ − 1) e^{−2αt/√d}),   k∞ = α/β.

c² − ‖A‖_F² is conserved for every A (here it is 0), as only K = cAᵀ matters; k∞ is the optimal step.
Source: the setting of Zhang, Frei, Bartlett 2023 (Theorem 4.1), solved here; derived in `proofs_check/icl/optimum.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from corollary.theory.icl.checks import real_number
from corollary.theory.icl.optimum import optimal_step
from corollary.theory.icl.tasks import LinearTask


def gradient_flow(task: LinearTask, start: float, times: float | Sequence[float]) -> np.ndarray:
    """Effective step k(t) (T,) from k(0) = `start` > 0 at the times given (numbers >= 0 or inf; host array).

    Raises TypeError or ValueError: a task that is not isotropic (κ₄ is welcome), start ≤ 0, a negative time.
    """
    k0 = real_number("start", start, positive=True)
    given: Sequence[float] = times if isinstance(times, Sequence | np.ndarray) else [times]  # pyright: ignore[reportAssignmentType]
    t = np.asarray(given, dtype=float)
    if t.ndim != 1 or np.isnan(t).any() or np.any(t < 0):
        raise ValueError(f"times = {times!r}; expected numbers >= 0 in one list")
    LinearTask(task.d, task.context, task.input_cov, task.weight_cov, task.noise).isotropic()
    v, ω = float(task.input_cov[0, 0]), float(task.weight_cov[0, 0])
    α = v * v * ω * task.d
    k_end = optimal_step(task)
    return k_end / (1 + (k_end / k0 - 1) * np.exp(-2 * α * t / math.sqrt(task.d)))
