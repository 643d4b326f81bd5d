"""The Hessian of a loss surface as Wishart + Wigner (Pennington & Bahri 2017): H = H₀ + H₁, free.

H₀ = JJᵀ/m positive, φ = parameters/data; H₁ symmetric noise whose scale is the energy ε (the loss): semicircle of
variance 2ε, or for one hidden ReLU layer the blocks of E Xᵀ.

    R(g) = σ/(1 − σφ g) + 2ε g                    R(g) = σ/(1 − σφ g) + εφ g/(2 − εφ² g²)       (ReLU)
    ε_c = (1 − 20φ − 8φ² + (1 + 8φ)^{3/2})/16     ε_c = σ²(27 − 18χ − χ² + 8χ^{3/2})/(32φ(1 − φ)³),  χ = 1 + 16φ − 8φ²

(σ = 1 on the left). Below ε_c no eigenvalue is negative; above, their share, the index, is α ~ α₀ (ε/ε_c − 1)^{3/2}.
"""

from __future__ import annotations

import math

from corollary.theory.spectra.curves import Levy
from corollary.theory.spectra.law import Law
from corollary.theory.spectra.laws import ORIGIN, positive


def wishart_wigner(phi: float, energy: float, scale: float = 1.0) -> Law:
    """The law of H₀ + H₁, E tr H₀/n = scale. Raises ValueError unless φ, scale > 0 and energy ≥ 0."""
    φ, ε, σ = positive("phi", phi), positive("energy", energy, zero=True), positive("scale", scale)
    return Law(Levy(ORIGIN, 0.0, 2 * ε, ((σ * φ, 1 / φ),)))


def relu_wishart_wigner(phi: float, energy: float, scale: float = 1.0) -> Law:
    """The ReLU variant: H₁ is free compound Poisson with jumps ±φ√(ε/2) at rate 1/(2φ) each. Errors as above."""
    φ, ε, σ = positive("phi", phi), positive("energy", energy), positive("scale", scale)
    a = φ * math.sqrt(ε / 2)
    return Law(Levy(ORIGIN, 0.0, 0.0, ((σ * φ, 1 / φ), (a, 0.5 / φ), (-a, 0.5 / φ))))


def critical_energy(phi: float, scale: float = 1.0) -> float:
    """ε_c: at lower energies all eigenvalues of `wishart_wigner` are positive. ValueError unless 0 < φ < 1, scale > 0.

    (1 − 20φ − 8φ² + (1 + 8φ)^{3/2})/16 cancels to (1 − φ)³/2 + O((1 − φ)⁴) near φ = 1: absolute error 1e-15.
    """
    φ = _below_one(phi)
    return positive("scale", scale) ** 2 * (1 - 20 * φ - 8 * φ * φ + (1 + 8 * φ) ** 1.5) / 16


def relu_critical_energy(phi: float, scale: float = 1.0) -> float:
    """ε_c of `relu_wishart_wigner`. ValueError unless 0 < φ < 1 and scale > 0."""
    φ, σ = _below_one(phi), positive("scale", scale)
    χ = 1 + 16 * φ - 8 * φ * φ
    return σ * σ * (27 - 18 * χ - χ * χ + 8 * χ**1.5) / (32 * φ * (1 - φ) ** 3)


def index(phi: float, energy: float) -> float:
    """α: the share of negative eigenvalues of `wishart_wigner`. ValueError as there."""
    return wishart_wigner(phi, energy).cdf(0.0)


def index_constant(phi: float) -> float:
    """α₀ of α ~ α₀ ((ε − ε_c)/ε_c)^{3/2}: the square-root edge at 0 has z″ = 2φ²/(1 − φG)³ + 2/G³ at its G < 0, and

    ∂z/∂ε = 2G moves it: α₀ = (2/3π) √(2/|z″|) (2|G| ε_c)^{3/2}. ValueError unless 0 < φ < 1.
    """
    φ, ε = _below_one(phi), critical_energy(phi)
    # z = 1/(1 − φG) + 2εG + 1/G and z′ both vanish: z − G z′ = 0 is free of ε and says 2(1 − φG)² + G(1 − 2φG) = 0
    a, b = 2 * φ * (φ - 1), 1 - 4 * φ
    G = (-b + math.sqrt(b * b - 8 * a)) / (2 * a)
    second = 2 * φ * φ / (1 - φ * G) ** 3 + 2 / G**3
    return 2 / (3 * math.pi) * math.sqrt(2 / abs(second)) * (2 * abs(G) * ε) ** 1.5


def _below_one(phi: float) -> float:
    if not (math.isfinite(phi) and 0 < phi < 1):
        raise ValueError(
            f"phi = {phi!r}; expected 0 < phi < 1: with phi >= 1 zero or negative eigenvalues at any energy"
        )
    return float(phi)
