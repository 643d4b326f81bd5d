"""Outliers over laws: the secular equation of a spiked sample covariance, and of a sum, at 40 digits."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import spectra

Steps = Generator[Step | Agreement, None, None]
Spike = tuple[float, float, tuple[float, ...]]


def _cases(seed: int) -> list[Spike]:
    rng = Random(seed)
    return [
        (rng.uniform(8, 14), rng.uniform(0.1, 0.8), tuple(rng.uniform(0.5, 2.5) for _ in range(rng.randint(1, 3))))
        for _ in range(20)
    ]


@derivation(of=spectra.sample_outlier, method="digits")
def outlier_of_a_sample() -> Steps:
    """Along a population direction ℓ the resolvent of S is (w/z)/(w − ℓ), w = −1/v(z): a pole where w = ℓ."""
    w, ell, a, b = sp.symbols("w ell a b", positive=True)
    z = a * w + b * w**2  # any z = ψ(w): near the pole only ψ(ℓ) and ψ′(ℓ) matter
    residue = sp.limit((w / z) / (w - ell) * (z - z.subs(w, ell)), w, ell)
    remainder = sp.simplify(residue - ell * sp.diff(z, w).subs(w, ell) / z.subs(w, ell))
    yield step(
        "residue in z = ψ(w) of (w/z)/(w − ℓ): the squared overlap ℓψ′(ℓ)/ψ(ℓ); remainder",
        remainder,
        holds=remainder == 0,
    )

    def position(at: float, c: float, population: tuple[float, ...]) -> Any:
        """z + overlap where −1/v(z) = ℓ; v(z) by iterating v = −1/(z − c mean t/(1 + t v)) from the far field."""
        with mp.workdps(40):

            def subordination(z: Any) -> Any:
                v = -1 / z
                for _ in range(3000):
                    new = -1 / (z - c * mp.fsum(t / (1 + t * v) for t in population) / len(population))
                    if abs(new - v) < mp.mpf(10) ** -38:
                        break
                    v = new
                return -1 / v

            guess = spectra.sample_outlier(at, c, spectra.atoms(population)).position
            z = mp.findroot(lambda z: subordination(z) - at, (guess * mp.mpf("0.9999"), guess * mp.mpf("1.0001")))
            return z + at / (mp.diff(subordination, z, h=mp.mpf(10) ** -12) * z)

    def code(at: float, c: float, population: tuple[float, ...]) -> float:
        found = spectra.sample_outlier(at, c, spectra.atoms(population))
        return found.position + found.overlap

    yield agree(position, code, _cases(1), digits=12)


@derivation(of=spectra.outlier_over, method="digits")
def outlier_over_a_law() -> Steps:
    """ω = z − R_B(G_{A+B}(z)), and G_{A+B}(z) = G_A(ω): the spike θ of A is a pole where ω(z) = θ, residue 1/ω′ = dz/dθ."""
    θ, s, c = sp.symbols("theta s c", positive=True)
    z = θ + s / (1 - c / θ)  # Wishart noise sR of ratio c over a bulk at 0: R_B(1/θ)
    yield step("Wishart noise over a bulk at 0: dz/dθ", sp.simplify(sp.diff(z, θ)))

    def derived(at: float, c: float, bulk: tuple[float, ...]) -> Any:
        with mp.workdps(40):

            def z_of(x: Any) -> Any:
                G = mp.fsum(1 / (x - b) for b in bulk) / len(bulk)
                return x + 1 / (1 - mp.mpf(c) * G) + mp.mpf("0.3") * G

            return z_of(mp.mpf(at)) + mp.diff(z_of, mp.mpf(at))

    def code(at: float, c: float, bulk: tuple[float, ...]) -> float:
        noise = spectra.marchenko_pastur(c) + spectra.semicircle(0.3)
        found = spectra.outlier_over(at, spectra.atoms(bulk), noise)
        return found.position + found.overlap

    # R′ is a central difference of a function known to 1e-14: 1e-9 of R′ G′ ~ 0.01
    yield agree(derived, code, _cases(2), digits=10)
