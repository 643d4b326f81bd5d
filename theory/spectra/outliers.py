"""Where outlying eigenvalues of a large symmetric matrix go when noise is added, and what is left of their vectors.

Additive. A has a bulk with eigenvalues x_i and one outlier θ; W is GOE scaled so that its off-diagonal entries have
variance s²/N (bulk [−2s, 2s]). As N → ∞, with averages over the bulk,

    λ = θ + s² mean 1/(θ − x)      detached iff  s² mean 1/(θ − x)² < 1      overlap² = 1 − s² mean 1/(θ − x)²

(free additive convolution: the outlier sits at the subordination point; Capitaine, Donati-Martin, Féral, Février 2011).
With all of the bulk at 0 this is θ + s²/θ, detached iff θ > s: the law that Granziol, Zohren, Roberts 2020 (2006.09092)
state for the Hessian on a batch of b of N samples, with s² = P σ² (1/b − 1/N): `batch_outlier`, `critical_batch`;
below the bulk, θ < 0, everything is mirrored.

Real networks do not have isotropic gradients of noise. `perturbed_top` is second-order perturbation theory with the
noise's own couplings c_j = E|u_jᵀ E u_1|²: λ = λ_1 + Σ_{j>1} c_j/(λ_1 − λ_j), from one draw of noise E of mean zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Outlier(NamedTuple):
    """Position, squared overlap of its eigenvector with the planted one, and whether it stands apart from the bulk.

    Not detached: position is NaN (it is the bulk's edge, not given by this formula) and overlap 0.
    """

    position: float
    overlap: float
    detached: bool


def additive_outlier(theta: float, s: float, bulk: Sequence[float] = (0.0,)) -> Outlier:
    """The outlier θ above a bulk (its eigenvalues, equally weighted) after adding GOE noise of scale s ≥ 0.

    Raises ValueError unless θ lies above every bulk eigenvalue and all numbers are finite.
    """
    if not (math.isfinite(theta) and math.isfinite(s) and s >= 0):
        raise ValueError(f"theta = {theta!r}, s = {s!r}; expected finite numbers, s >= 0")
    if len(bulk) == 0 or not all(math.isfinite(x) for x in bulk) or max(bulk) >= theta:
        raise ValueError(f"theta = {theta!r} does not lie above the bulk, which ends at {max(bulk, default=None)!r}")
    first = math.fsum(1 / (theta - x) for x in bulk) / len(bulk)
    second = math.fsum(1 / (theta - x) ** 2 for x in bulk) / len(bulk)
    lost = s * s * second
    return Outlier(theta + s * s * first, 1 - lost, True) if lost < 1 else Outlier(math.nan, 0.0, False)


def batch_outlier(theta: float, noise: float, batch: float, samples: float = math.inf) -> Outlier:
    """θ of the full Hessian as seen on a batch drawn without replacement: s² = noise · (1/batch − 1/samples).

    θ < 0, an outlier below the bulk, is mirrored. noise = P σ² is the variance that the source of the samples has; from
    a pool of N: Σ_i ‖H_i − H‖_F²/(P(N − 1)), that is the mean of ‖H_i − H‖_F²/P times N/(N − 1), H_i the per-sample
    Hessians (P × P), H their mean. ValueError for batch outside 1…samples, noise < 0 or θ = 0.
    """
    if not (1 <= batch <= samples):
        raise ValueError(f"batch = {batch!r}; expected a size from 1 to samples = {samples!r}")
    _noise(theta, noise)
    found = additive_outlier(abs(theta), math.sqrt(noise * (1 / batch - 1 / samples)))
    return found._replace(position=math.copysign(1, theta) * found.position)


def critical_batch(theta: float, noise: float) -> float:
    """b* = P σ²/θ²: on smaller batches (of infinitely many samples) the outlier drowns. Errors: batch_outlier."""
    _noise(theta, noise)
    return noise / theta**2


def _noise(theta: float, noise: float) -> None:
    if not (math.isfinite(noise) and noise >= 0 and math.isfinite(theta) and theta != 0):
        raise ValueError(f"noise = {noise!r}, theta = {theta!r}; expected noise >= 0 and theta finite, not 0")


def perturbed_top(values: Sequence[float], couplings: Sequence[float], place: int = 0) -> float:
    """λ_1 + Σ_{j>1} c_j/(λ_1 − λ_j): values in any order with couplings beside them; the top one's own is not used.

    place: 1 for the second largest and so on, λ_k + Σ_{j≠k} c_j/(λ_k − λ_j), with couplings to its eigenvector.
    Raises ValueError for unequal lengths, a negative coupling, a place that does not exist, or an eigenvalue there that
    is not simple.
    """
    if len(values) != len(couplings) or len(values) == 0:
        raise ValueError(f"{len(values)} eigenvalues and {len(couplings)} couplings; expected as many of each, >= 1")
    if any(not (math.isfinite(c) and c >= 0) for c in couplings) or not all(map(math.isfinite, values)):
        raise ValueError("couplings are mean squares: expected finite numbers >= 0, and finite eigenvalues")
    if not 0 <= place < len(values):
        raise ValueError(f"place = {place!r}; expected 0 to {len(values) - 1} for {len(values)} eigenvalues")
    top = sorted(range(len(values)), key=lambda i: -values[i])[place]
    gaps = [(values[top] - x, c) for i, (x, c) in enumerate(zip(values, couplings, strict=True)) if i != top]
    if any(gap == 0 for gap, _ in gaps):
        which = "largest eigenvalue" if place == 0 else f"eigenvalue at place {place}"
        raise ValueError(f"the {which} is not simple; second-order perturbation theory needs a gap")
    return values[top] + math.fsum(c / gap for gap, c in gaps)
