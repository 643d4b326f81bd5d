"""Saddles: the Hessian of the spherical p-spin model at a given energy, and three methods on a quadratic saddle.

p-spin on the sphere of radius √N, covariance N (x·y/N)^p, energy u per spin: at a point of energy u the Hessian on the
sphere is GOE of off-diagonal variance p(p − 1)/N, shifted by −p u: a semicircle of radius 2√(p(p − 1)) about −p u. The
index is its mass below 0; it vanishes at u = −2√((p − 1)/p) and grows like the 3/2 power above (Bray & Dean 2007 for
Gaussian fields; Pascanu et al. 2014, Section 3).

On f = ½ Σ λ_k x_k² each step multiplies x_k, whatever the point (Dauphin et al. 2014, saddle-free Newton = |H|⁻¹∇f):

    gradient      1 − ηλ            escapes along λ < 0 in ln(growth)/ln(1 + η|λ|) steps: slow where it is flat
    newton        1 − η             goes to the saddle
    saddle_free   1 − η sign λ      escapes in ln(growth)/ln(1 + η) steps at every curvature
"""

from __future__ import annotations

import math

from corollary.arrays import Array, array_namespace, require_floating
from corollary.theory.spectra.law import Law
from corollary.theory.spectra.laws import semicircle

METHODS = ("gradient", "newton", "saddle_free")


def p_spin_hessian(p: int, energy: float) -> Law:
    """The law of the Hessian's eigenvalues at energy u per spin. ValueError unless p ≥ 2 is whole and u finite."""
    _order(p)
    if not math.isfinite(energy):
        raise ValueError(f"energy = {energy!r}; expected a finite number")
    return semicircle(p * (p - 1)) + (-p * energy)


def p_spin_index(p: int, energy: float) -> float:
    """The share of negative eigenvalues at energy u per spin: Wigner's distribution function at p u/(2√(p(p − 1)))."""
    return p_spin_hessian(p, energy).cdf(0.0)


def p_spin_threshold(p: int) -> float:
    """−2√((p − 1)/p): below this energy stationary points are minima. ValueError unless p ≥ 2 is whole."""
    _order(p)
    return -2 * math.sqrt((p - 1) / p)


def step_factors(eigenvalues: Array, method: str, rate: float) -> Array:
    """What one step multiplies each coordinate with, shape of `eigenvalues`.

    ValueError for an unknown method, rate ≤ 0, or an eigenvalue 0 where the Hessian is inverted.
    """
    require_floating("eigenvalues", eigenvalues)
    xp = array_namespace(eigenvalues)
    _check(method, rate)
    if method == "gradient":
        return 1 - rate * eigenvalues
    if bool(xp.any(eigenvalues == 0)):
        raise ValueError(f"an eigenvalue is 0; {method} divides by it: damp it or leave the direction out")
    sign = xp.sign(eigenvalues)
    return 1 - rate * (sign if method == "saddle_free" else sign * sign)


def escape_steps(curvature: float, method: str, rate: float, growth: float) -> float:
    """Steps (not rounded) until a coordinate of negative curvature has grown by `growth` > 1; ∞ for Newton's method.

    ValueError for curvature ≥ 0, growth ≤ 1, an unknown method or rate ≤ 0.
    """
    _check(method, rate)
    if not (math.isfinite(curvature) and curvature < 0 and math.isfinite(growth) and growth > 1):
        raise ValueError(f"curvature = {curvature!r}, growth = {growth!r}; expected curvature < 0 and growth > 1")
    if method == "newton":
        return math.inf
    return math.log(growth) / math.log1p(rate * (-curvature if method == "gradient" else 1))


def _order(p: int) -> None:
    if isinstance(p, bool) or not isinstance(p, int) or p < 2:
        raise ValueError(f"p = {p!r}; expected a whole number >= 2")


def _check(method: str, rate: float) -> None:
    if method not in METHODS:
        raise ValueError(f"method = {method!r}; expected one of {', '.join(METHODS)}")
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"rate = {rate!r}; expected a finite number > 0")
