"""The exponent of a deterministic sequence: local exponents, extrapolated. An indicator, not a probability."""

from __future__ import annotations

import numpy as np

from corollary.verdicts.settings import ClaimError

LEAST_SIZES = 6
CONTRACTION = 0.85  # of ρ^γ; at 0.75 and two ratios, 17 % of n^(−1/2) corrections were admitted, all wrongly
ABOVE_ROUNDING = 100  # a value nearer to its rounding budget would move a local exponent by more than 1 %


def extrapolated_exponent(
    n: np.ndarray, y: np.ndarray, gamma: float, rounding: float = 0.0
) -> tuple[float, float] | str:
    """(lo, hi) of the exponent of y ~ C n^a (1 + κ n^(−γ) + …); a reason where it is not in the asymptotic range.

    n must be geometric with ratio ρ. Local exponents p_k between neighbours, extrapolations
    e_k = p_k + (p_k − p_{k−1})/(ρ^γ − 1), interval e_last ± 2 |e_last − e_before|. Admitted only if the last three
    ratios (p_k − p_{k−1})/(p_{k+1} − p_k) are at least 0.85 ρ^γ (or the differences are at rounding level). Values
    within 100 × `rounding` (absolute, of one value) are left out. Raises ClaimError for too few sizes or no exponent.
    """
    step = n[1:] / n[:-1]
    if len(n) < LEAST_SIZES or not np.allclose(step, step[0], rtol=1e-9):
        raise ClaimError(f"a sequence needs at least {LEAST_SIZES} sizes in geometric progression")
    kept = np.abs(y) >= ABOVE_ROUNDING * rounding
    last = len(n) if kept.all() else int(np.argmin(kept))  # up to the first that is too small: geometric still
    n, y = n[:last], y[:last]
    if last < LEAST_SIZES:
        return f"only {last} values lie above {ABOVE_ROUNDING} times their rounding budget"
    if not np.all(y > 0) and not np.all(y < 0):
        raise ClaimError("a sequence with zeros or sign changes has no exponent")
    rho = step[0]
    p = np.diff(np.log(np.abs(y))) / np.log(rho)
    d = np.diff(p)
    # a relative error u of y moves a local exponent by up to 2u/ln ρ: differences of that size carry no information
    noise = (64 * np.finfo(float).eps + 4 * rounding / np.abs(y[2:])) / np.log(rho)
    small = np.abs(d) <= noise * np.maximum(1, np.abs(p[1:]))
    with np.errstate(divide="ignore", invalid="ignore"):
        contraction = d[:-1] / d[1:]
    fine = (contraction >= CONTRACTION * rho**gamma) | small[1:]
    if not np.all(fine[-3:]):
        return f"not in the asymptotic range of a correction n^(-{gamma:g})"
    e = p[1:] + d / (rho**gamma - 1)
    half = 2 * abs(e[-1] - e[-2])
    return float(e[-1] - half), float(e[-1] + half)
