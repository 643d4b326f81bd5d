"""The laws by name. G(z) = ∫ dμ/(z − x), R(g) = G⁻¹(g) − 1/g.

semicircle(s²)                   R = s² g: GOE with off-diagonal variance s²/N, bulk ±2s                (Wigner)
marchenko_pastur(c, population)  (1/n) Σ^½ X Xᵀ Σ^½, X p × n, c = p/n, Σ of the population's law; Σ = 1: R = 1/(1 − c g)
free_poisson(rate, jump)         R = rate·jump/(1 − jump·g)
activation_covariance(…)         YYᵀ/m of Y = f(WX)                                (Pennington & Worah 2017, Theorem 1)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from corollary.theory.spectra.curves import Activation, Atoms, Levy, Poisson
from corollary.theory.spectra.law import Law

ORIGIN = Atoms((0.0,), (1.0,))
_SUM = 1e-12  # of weights: a handful of roundings


def positive(name: str, value: float, *, zero: bool = False) -> float:
    """`value` as a float, after checking that it is finite and > 0 (or ≥ 0)."""
    if isinstance(value, bool) or not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise ValueError(f"{name} = {value!r}; expected a finite number {'>= 0' if zero else '> 0'}")
    return float(value)


def atoms(places: Sequence[float], weights: Sequence[float] | None = None) -> Law:
    """Point masses, equally heavy unless weights are given (> 0, sum 1 to 1e-12). Equal places are joined.

    Raises ValueError for weights that are negative, zero or not normalised, other lengths, or numbers not finite.
    """
    x = [float(v) for v in places]
    w = [1 / len(x)] * len(x) if weights is None else [float(v) for v in weights]
    if not x or len(w) != len(x):
        raise ValueError(f"{len(x)} places and {len(w)} weights; expected as many of each, at least one")
    if not all(math.isfinite(v) for v in [*x, *w]):
        raise ValueError("places and weights: expected finite numbers")
    if min(w) <= 0:
        raise ValueError(f"weight {min(w)!r}; expected weights > 0")
    if abs(math.fsum(w) - 1) > _SUM:
        raise ValueError(f"the weights sum to {math.fsum(w)!r}; expected 1: divide by their sum")
    joined: dict[float, float] = {}
    for place, weight in sorted(zip(x, w, strict=True)):
        joined[place] = joined.get(place, 0.0) + weight
    return Law(Atoms(tuple(joined), tuple(joined.values())))


def semicircle(variance: float = 1.0) -> Law:
    """Wigner's law on ±2√variance. Raises ValueError unless variance > 0."""
    return Law(Levy(ORIGIN, 0.0, positive("variance", variance), ()))


def free_poisson(rate: float, jump: float = 1.0) -> Law:
    """R = rate·jump/(1 − jump·g); jump may be negative. Raises ValueError for rate ≤ 0 or jump = 0."""
    if not math.isfinite(jump) or jump == 0:
        raise ValueError(f"jump = {jump!r}; expected a finite number other than 0")
    return Law(Levy(ORIGIN, 0.0, 0.0, ((float(jump), positive("rate", rate)),)))


def marchenko_pastur(ratio: float, population: Law | None = None) -> Law:
    """The sample covariance of p variables, n samples, ratio = p/n, over a population spectrum: any positive law.

    Without a population all its eigenvalues are 1. An atom at 0 of mass 1 − 1/ratio for ratio > 1. Raises ValueError
    for ratio ≤ 0 and for a population below 0.
    """
    c = positive("ratio", ratio)
    if population is None:
        return Law(Levy(ORIGIN, 0.0, 0.0, ((c, 1 / c),)))
    if not isinstance(population, Law):
        raise TypeError(
            f"population is {type(population).__name__}; expected a Law, e.g. atoms([1.0, 3.0], [0.5, 0.5])"
        )
    lowest = population._lowest()
    if lowest < -1e-9 * (1 + abs(population.moment(1))):  # hard edges at 0 are good to 1e-12
        raise ValueError(f"the population reaches down to {lowest:.6g}; expected variances, a law on [0, ∞)")
    return Law(Levy(ORIGIN, 0.0, 0.0, ((c, 1 / c),))) @ population


def activation_covariance(phi: float, psi: float, eta: float, zeta: float) -> Law:
    """M = YYᵀ/m, Y = f(WX): X n0 × m normal, W n1 × n0 normal of variance 1/n0, φ = n0/m, ψ = n0/n1.

    f centred: E f(ξ) = 0; η = E f(ξ)², ζ = (E f′(ξ))² ≤ η for a standard normal ξ. Raises ValueError for φ, ψ, η ≤ 0 or
    ζ outside [0, η].
    """
    positive("zeta", zeta, zero=True)
    if zeta > positive("eta", eta):
        raise ValueError(f"zeta = {zeta!r} > eta = {eta!r}; expected (E f')² <= E f² (Bessel's inequality)")
    φ, ψ = positive("phi", phi), positive("psi", psi)
    if zeta == 0:  # a plain Wishart matrix of scale η, ratio n1/m = φ/ψ
        return Law(Poisson(Atoms((float(eta),), (1.0,)), φ / ψ, 1.0))
    if zeta == eta:  # f is linear, M = ηWXXᵀWᵀ/m: over WWᵀ, of ratio n1/n0 = 1/ψ, which may have a kernel of its own
        return marchenko_pastur(φ / ψ, free_poisson(ψ, eta / ψ))
    return Law(Activation(φ, ψ, float(eta), float(zeta)))
