r"""How far weakly regularised continual learning is from its limit, the sequential max-margin (rate ours).

w_t = argmin Σ exp(−b_kᵀw) + (λ/2)‖w − w_{t−1}‖², L = ln(1/λ), u_t = w_t/L (Evron et al. 2023, 2306.03534: u_t → P_t).
Stationarity is u_t = u_{t−1} + Σ α_k b_k with b_kᵀu_t = 1 − ln(L α_k)/L: the projection with margins moved by
ln(L α_k)/L. With S the tight rows of the limit and μ > 0 their multipliers, v_t = L (u_t − P_t) is to first order

    v_t = v_{t−1} − B_S⁺ (B_S v_{t−1} + ln(L μ)),   error O(ln² L/L),

so that ‖u_t − P_t‖ ~ ln L/L = ln ln(1/λ)/ln(1/λ) up to a constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from corollary.theory.attention.margin import project_margin

TIGHT = 1e-4  # margin above 1 at which a row no longer counts as tight; projections are good to 1e-6
LEAST = 1e-3  # multiplier, relative to the largest, below which the first order says nothing at any usable L


def weak_regularisation_shift(tasks: Sequence[np.ndarray], order: Sequence[int], log_inverse: float) -> np.ndarray:
    """v_0 = 0, v_1, …: (len(order) + 1, d), L = ln(1/λ) = `log_inverse`, signed tasks B_m (N_m, d).

    Raises ValueError for L ≤ 1 and where the limit is degenerate (dependent tight rows, or a multiplier near 0), and
    as `project_margin`.
    """
    if not 1 < log_inverse < math.inf:
        raise ValueError(f"log_inverse = {log_inverse!r}; expected ln(1/λ), finite and above 1")
    w = np.zeros(tasks[0].shape[1])
    shifts = [np.zeros_like(w)]
    for t, m in enumerate(order):
        B, before = tasks[m], w
        w, v = project_margin(before, B).w, shifts[-1]
        if not np.array_equal(w, before):
            S = B[B @ w <= 1 + TIGHT]
            μ = np.linalg.lstsq(S.T, w - before, rcond=None)[0]
            if np.linalg.matrix_rank(S) < len(S) or not μ.min() > LEAST * μ.max():
                raise ValueError(f"step {t + 1}: multipliers {np.round(μ, 6).tolist()} of {len(S)} tight rows; the "
                                 "first order needs independent rows with multipliers above 0")  # fmt: skip
            v = v - np.linalg.pinv(S) @ (S @ v + np.log(log_inverse * μ))
        shifts.append(v)
    return np.stack(shifts)
