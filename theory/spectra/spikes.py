"""Outliers over any bulk law: additive spikes in a `Law`, multiplicative spikes of a sample covariance.

Additive: eigenvalue θ of A above its bulk, noise of law B free of A: λ = θ + R_B(G_A(θ)), detached iff dλ/dθ > 0, and
the squared overlap is dλ/dθ. For GOE noise of scale s, R_B = s² g: λ = θ + s² G_A(θ), overlap 1 + s² G_A′(θ); over a
bulk of point masses that is `additive_outlier`.

Multiplicative (Baik, Ben Arous, Péché 2005; Bai & Yao 2012): population eigenvalue ℓ over a population law H, samples
n = p/c:   λ = ψ(ℓ) = ℓ(1 + c ∫ t/(ℓ − t) dH),   detached iff ψ′(ℓ) > 0,   overlap² = ℓ ψ′(ℓ)/ψ(ℓ).
H = δ₁: ℓ(1 + c/(ℓ − 1)), threshold ℓ > 1 + √c: the generalised Gauss–Newton form of Granziol et al., c = P/b.
"""

from __future__ import annotations

import math

import numpy as np

from corollary.theory.spectra.law import Law
from corollary.theory.spectra.laws import positive
from corollary.theory.spectra.outliers import Outlier
from corollary.theory.spectra.subordination import transform


def outlier_over(theta: float, bulk: Law, noise: Law) -> Outlier:
    """The outlier θ above `bulk` after adding free noise of the given law, whose R-transform is read off at G(θ).

    Not detached: position NaN, overlap 0, as for `additive_outlier`. Raises ValueError unless θ lies above the bulk.
    """
    _above("theta", theta, bulk)
    G, slope = (float(v[0].real) for v in transform(bulk.core, _one(theta)))
    try:
        R, h = noise.r_transform(G), 1e-5 * G
        rise = (noise.r_transform(G + h) - noise.r_transform(G - h)) / (2 * h)
    except ValueError:  # G(θ) is beyond the noise's edge: its own edge sticks out further
        return Outlier(math.nan, 0.0, False)
    kept = 1 + rise * slope
    return Outlier(theta + R, kept, True) if kept > 0 else Outlier(math.nan, 0.0, False)


def sample_outlier(ell: float, ratio: float, population: Law) -> Outlier:
    """The population eigenvalue ℓ above the law of the others, seen in p/ratio samples: position, overlap, detached.

    Raises ValueError for ratio ≤ 0 and unless ℓ lies above the population.
    """
    c = positive("ratio", ratio)
    _above("ell", ell, population)
    G, slope = (float(v[0].real) for v in transform(population.core, _one(ell)))
    # ∫ t/(ℓ − t) = ℓG − 1, so ψ = ℓ(1 + c(ℓG − 1))
    ψ = ell * (1 + c * (ell * G - 1))
    rise = 1 + c * (ell * G - 1) + ell * c * (G + ell * slope)
    return Outlier(ψ, ell * rise / ψ, True) if rise > 0 else Outlier(math.nan, 0.0, False)


def sample_critical_batch(ell: float, parameters: float) -> float:
    """b* = P/(ℓ − 1)²: on smaller batches an eigenvalue ℓ > 1 of a Gauss–Newton matrix with unit bulk drowns."""
    if not (math.isfinite(ell) and ell > 1):
        raise ValueError(f"ell = {ell!r}; expected a finite number > 1, above the bulk at 1")
    return positive("parameters", parameters) / (ell - 1) ** 2


def _one(x: float) -> np.ndarray:
    return np.array([float(x)])


def _above(name: str, value: float, bulk: Law) -> None:
    top = max([*(b for _, b in bulk.support()), *(x for x, _ in bulk.atoms())])
    if not (math.isfinite(value) and value > top):
        raise ValueError(f"{name} = {value!r} does not lie above the bulk, which ends at {top!r}")
