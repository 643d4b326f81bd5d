"""Parameters of a law from the first moments of a measured spectrum, for a curve to lay over it.

Free cumulants, κ₁ = m₁, κ₂ = m₂ − m₁², κ₃ = m₃ − 3 m₁ m₂ + 2 m₁³ (as the classical ones up to the third), are the
coefficients of R(g) = Σ κ_{n+1} gⁿ, and those of each law are written down by inspection:

    semicircle + shift           R = κ₁ + κ₂ g
    marchenko_pastur, scaled     R = σ/(1 − σc g):           κ₁ = σ,  κ₂ = σ² c
    wishart_wigner               R = σ/(1 − σφ g) + 2ε g:    κ₁ = σ,  κ₂ = σ²φ + 2ε,  κ₃ = σ³φ²

A fit by moments is a description; it says nothing on whether the law is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from corollary.theory.spectra.law import Law
from corollary.theory.spectra.laws import free_poisson, semicircle
from corollary.theory.spectra.wishart_wigner import wishart_wigner


def free_cumulants(moments: Sequence[float]) -> list[float]:
    """κ₁…κ_k from m₁…m_k, by the functional equation of moment series: m_n = Σ_s κ_s Σ m_{i₁}⋯m_{i_s}, Σ i = n − s."""
    m = [1.0, *(float(v) for v in moments)]
    if not all(math.isfinite(v) for v in m):
        raise ValueError("moments: expected finite numbers")
    kappa: list[float] = []
    for n in range(1, len(m)):
        power, rest = [1.0] + [0.0] * n, 0.0  # coefficients of M(z)^s
        for s in range(1, n):
            power = [math.fsum(power[j] * m[i - j] for j in range(i + 1)) for i in range(n + 1)]
            rest += kappa[s - 1] * power[n - s]
        kappa.append(m[n] - rest)
    return kappa


def fit_semicircle(moments: Sequence[float]) -> Law:
    """The shifted semicircle with the given m₁, m₂. ValueError where the variance is not positive."""
    k1, k2 = free_cumulants(moments[:2])
    if not k2 > 0:
        raise ValueError(f"the moments have variance {k2!r}; expected a positive one")
    return semicircle(k2) + k1


def fit_marchenko_pastur(moments: Sequence[float]) -> Law:
    """σ · Marchenko–Pastur of ratio c with the given m₁, m₂. ValueError unless mean and variance are positive."""
    k1, k2 = free_cumulants(moments[:2])
    if not (k1 > 0 and k2 > 0):
        raise ValueError(f"mean {k1!r}, variance {k2!r}; expected both positive: this law lives on [0, ∞)")
    return free_poisson(k1 * k1 / k2, k2 / k1)


def fit_wishart_wigner(moments: Sequence[float]) -> Law:
    """The Wishart + Wigner law with the given m₁, m₂, m₃: φ = √(κ₃/κ₁³), ε = (κ₂ − κ₁²φ)/2.

    ValueError where κ₁ or κ₃ is not positive or ε < 0: no law of the family has these moments.
    """
    k1, k2, k3 = free_cumulants(moments[:3])
    if not (k1 > 0 and k3 > 0):
        raise ValueError(f"free cumulants {k1!r}, {k2!r}, {k3!r}; expected the first and third positive")
    φ = math.sqrt(k3 / k1**3)
    energy = (k2 - k1 * k1 * φ) / 2
    if energy < 0:
        raise ValueError(f"the moments ask for energy {energy!r} < 0: their variance is below that of the Wishart part")
    return wishart_wigner(φ, energy, scale=k1)
