"""How much of uniform label noise lies in a given subspace of the data points.

n points with one-hot labels y_i of K classes; with probability ρ (`flip`) a label is replaced by one drawn uniformly
from all K. Noise N = ỹ − y, signal s = y − 1/K. Given labels and features, N = −ρ s + ξ: a mean along the signal, and a
fresh part ξ, independent between points and equally large at each. For a subspace of dimension k that does not know the
noise (the top k principal directions of the features, say), P its projection, S = ‖P s‖²/‖s‖² its share of the signal:

    E ‖P N‖² / E ‖N‖² = (ρ/2) S + (1 − ρ/2) k/n        (both expectations over the noise, given labels and features)

for every K. Our own derivation (`proofs_check.spectra.label_noise`); the setting is that of Wang 2026 (2603.02293).
"""

from __future__ import annotations

import math


def noise_share(signal_share: float, k: int, n: int, flip: float) -> float:
    """The share of the noise's energy in a k-dimensional subspace that holds `signal_share` of the signal's.

    signal_share in [0, 1]; 0 ≤ k ≤ n; flip = ρ in (0, 1]. Raises ValueError otherwise.
    """
    if not (math.isfinite(signal_share) and 0 <= signal_share <= 1):
        raise ValueError(f"signal_share = {signal_share!r}; expected a share between 0 and 1")
    return flip / 2 * signal_share + fresh_noise_share(k, n, flip)


def fresh_noise_share(k: int, n: int, flip: float) -> float:
    """(1 − ρ/2) k/n: the part of `noise_share` that does not come along with the signal. Raises ValueError as there."""
    if not 0 < flip <= 1:
        raise ValueError(f"flip = {flip!r}; expected a probability in (0, 1]")
    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"k = {k!r}, n = {n!r}; expected 0 <= k <= n and n >= 1")
    return (1 - flip / 2) * k / n
