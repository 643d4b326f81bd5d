"""Permutations learnt from the k basis vectors by two-layer ReLU networks: mean, variance and ensemble size.

    f(x) = (1/√n) V relu(W x/√k), trained to the end on e_i → e_π(i); test inputs: k bits, `ones` of them 1, normed

Source: Giapitzakis et al. 2025 (2502.16763); closed forms and constants re-derived here. The outputs are independent
over random starts and Gaussian at infinite width; a bit is read as 1 where the mean of an ensemble is positive.
kernel="ntk" trains both layers in NTK parametrisation; "nngp" only the readout, which is also the limit of standard
parametrisation with one learning rate (the readout's part of the kernel is then n times the other).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

__all__ = [
    "Prediction", "permutation_ensemble", "permutation_prediction",
]  # fmt: skip

Kernel = Literal["ntk", "nngp"]


class Prediction(NamedTuple):
    """Mean of an output whose target bit is 1 (`on`) and 0 (`off`); their common variance over random starts."""

    on: float
    off: float
    variance: float


def permutation_prediction(k: int, ones: int, kernel: Kernel = "ntk") -> Prediction:
    """The trained network at an input of `ones` ones among k bits, at infinite width and time.

    On the basis kΘ = a I + c 11ᵀ with c = 1/2π, a = 1 − c (NNGP: 1/2 − c). Raises ValueError outside 1 <= ones <= k,
    or for another kernel.
    """
    if not 1 <= ones <= k:
        raise ValueError(f"k = {k}, ones = {ones}; expected 1 <= ones <= k")
    if kernel not in ("ntk", "nngp"):
        raise ValueError(f"kernel = {kernel!r}; expected 'ntk' or 'nngp'")
    c = 1 / (2 * math.pi)
    r, rest = 1 / math.sqrt(ones), math.sqrt(1 - 1 / ones)
    tilt = r * (math.pi - math.acos(r))
    g = (rest + tilt) * c  # k times the NNGP kernel with a basis vector in the support
    a, t = (1 - c, (rest + 2 * tilt) * c) if kernel == "ntk" else (0.5 - c, g)
    shift = c * (ones * t + (k - ones) * c) / (a + c * k)
    on, off = (t - shift) / a, (c - shift) / a
    total, square = ones * on + (k - ones) * off, ones * on**2 + (k - ones) * off**2
    own = 0.5 - 2 * (ones * on * g + (k - ones) * off * c) + (0.5 - c) * square + c * total**2
    return Prediction(on, off, own / k)


def permutation_ensemble(k: int, ones: int, delta: float, kernel: Kernel = "ntk") -> int:
    """An ensemble that reads all k bits right with probability at least 1 − delta: N >= 2 max σ²/μ² ln(k/delta).

    The Gaussian tail P(Z > t) <= exp(−t²/2) and a union over bits. All 2^k inputs at once: delta/2^k, so O(k²).
    Raises ValueError outside 2 <= ones <= k (at one 1 the input is a training point) and 0 < delta < 1.
    """
    if ones < 2 or not 0 < delta < 1:
        raise ValueError(f"ones = {ones}, delta = {delta}; expected ones >= 2 and delta in (0, 1)")
    on, off, variance = permutation_prediction(k, ones, kernel)
    least = min(on, -off) if ones < k else on
    return math.ceil(2 * variance / least**2 * math.log(k / delta))
