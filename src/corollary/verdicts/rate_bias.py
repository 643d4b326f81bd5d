"""How far a true exponent may lie from the slope that is measured: next-order terms and logs of small groups.

The truth is y ~ C n^a (1 + κ n^(−γ)) with |κ| ≤ κ_max. On sizes n_i, with slope weights w (Σ w = 0,
Σ w ln n = 1) and level weights v = 1/#sizes, the three routes are off by

    logs      Σ w_i ln(1 + κ n_i^(−γ))
    ratio     Σ w_i z_i / Σ v_i z_i,  z_i = 1 + κ n_i^(−γ)
    curve     level Σ v_i κ n_i^(−γ),  slope Σ w_i κ n_i^(−γ)

On n = 64…1024 with κ = 5, 20, 60, −20 and γ = 1 the logs are off by −.024, −.088, −.214, +.121.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from corollary.verdicts.settings import ClaimError, Point, at_point, log_bias, next_order

KAPPAS = 401  # values of κ in the search for the worst; smooth in κ, and the ends (the usual worst) are among them


def slope_weights(n: np.ndarray, correction: float | None = None) -> np.ndarray:
    """Least-squares weights of the slope in ln n; with `correction` γ the regressors are (1, ln n, n^(−γ))."""
    columns = [np.ones_like(n), np.log(n)]
    if correction is not None:
        columns.append(n**-correction)
    return np.linalg.pinv(np.stack(columns, axis=1))[1]


def next_order_bias(n: np.ndarray, w: np.ndarray, term: next_order, route: str) -> list[float]:
    """The worst error over |κ| ≤ κ_max, one entry per functional of the route."""
    kappa = np.linspace(-term.kappa_max, term.kappa_max, KAPPAS)[:, None]
    z = 1 + kappa * n**-term.gamma
    if route == "curve":
        return [float(np.abs((z - 1).mean(axis=1)).max()), float(np.abs((z - 1) @ w).max())]
    if np.any(z <= 0):
        raise ClaimError(f"next_order(kappa_max={term.kappa_max}) makes 1 + κ n^(−γ) negative at n = {n[0]:g}")
    off = np.log(z) @ w if route == "logs" else (z @ w) / z.mean(axis=1)
    return [float(np.abs(off).max())]


def group_bias(w: np.ndarray, term: log_bias, group: int, statistic: str, places: Sequence[Point]) -> float:
    """|Σ w_i bias_i| of ln t for a group of S: −CV²/2S of a mean, −(κ + 2)/4S of a standard deviation or rms."""
    of_mean = statistic == "mean of a group"
    if of_mean != (term.cv is not None) or statistic not in ("mean of a group", "std", "rms"):
        raise ClaimError(
            f"log_bias of {statistic}: give cv= for of=group_mean, kurtosis= for of=std or rms; a quantile has neither"
        )
    declared, per = (term.cv, 2 * group) if of_mean else (term.kurtosis, 4 * group)
    if callable(declared):
        at = np.array([float(at_point(declared, place)) for place in places])
        return float(abs(w @ (at**2 if of_mean else at))) / per
    # at worst one half of the weights has it and the other none (CV² ≥ 0), or they have it with either sign (κ)
    worst = float(declared) ** 2 / 2 if of_mean else abs(float(declared))
    return float(np.abs(w).sum()) * worst / per
