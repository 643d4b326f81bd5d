r"""Linear separation of signed data b_k = y_k a_k: largest margin, and projection onto {w : B w ≥ 1}.

    μ = max over ‖θ‖ = 1 of min_k b_kᵀθ = 1/‖w*‖,  w* = argmin ‖w‖ s.t. B w ≥ 1,  θ* = μ w*.

Host only (active sets). Data that no θ separates raise Infeasible with Gordan's certificate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corollary.arrays import require_floating
from corollary.theory.attention.certificate import Certificate, Infeasible, Unconverged, certify
from corollary.theory.attention.newton import least_norm
from corollary.theory.attention.problem import Vectors


class Margin(NamedTuple):
    """w (d,) = w*, `margin` μ = 1/‖w*‖, `radius` R = max ‖b_k‖, certificate."""

    w: np.ndarray
    margin: float
    radius: float
    certificate: Certificate


class Projection(NamedTuple):
    """w (d,), feasible to rounding; `error`: a bound on its distance from the projection, from the duality gap of
    w and `multipliers` (N,) ≥ 0: error² = ‖w − s − Bᵀλ‖² + 2 λᵀ(B w − 1) with s the start.
    """

    w: np.ndarray
    error: float
    multipliers: np.ndarray


def signed(B: np.ndarray) -> Vectors:
    require_floating("B", B, ndim=2)
    zero = np.flatnonzero(~B.any(axis=1))
    if len(zero):
        raise Infeasible(
            f"data row {zero[0]} is zero: no w gives it a positive margin; drop it", np.eye(len(B))[zero[0]], 0.0
        )
    with np.errstate(over="ignore", under="ignore"):
        rows = Vectors(B.astype(float))
    if not (1e-100 <= rows.norms.min() and rows.norms.max() <= 1e100):
        raise ValueError(
            f"rows have norms {rows.norms.min():.1g} to {rows.norms.max():.1g}: squares leave float64's range beyond "
            "1e-100 to 1e100; rescale the data"
        )
    return rows


def hard_margin(B: np.ndarray, *, gap: float = 1e-10) -> Margin:
    """The largest margin of signed data B (N, d), rows y_k a_k.

    Raises TypeError, ValueError, Infeasible, Unconverged.
    """
    rows = signed(B)

    def done(w: np.ndarray, λ: np.ndarray) -> Certificate | None:
        certificate = certify(rows, w, λ)
        return certificate if certificate.gap <= gap else None

    try:
        certificate, w, λ = least_norm(rows, np.ones(len(B)), done)
    except Infeasible as found:
        raise Infeasible(
            f"the data are not linearly separable: nonnegative weights cancel the rows y_k a_k to {found.residual:.1e} "
            "of their size (Gordan's certificate in .weights); the theorem asks for separable data",
            found.weights,
            found.residual,
        ) from None
    if certificate is None:
        best = certify(rows, w, λ)
        raise Unconverged(f"stopped at a relative gap of {best.gap:.2g}; {gap:g} was asked for", best)
    w = w / certificate.min_margin
    return Margin(w, float(1 / np.linalg.norm(w)), float(rows.norms.max()), certify(rows, w, λ))


def project_margin(start: np.ndarray, B: np.ndarray, *, inside: np.ndarray | None = None) -> Projection:
    """The projection of `start` (d,) onto {w : B w ≥ 1}, B (N, d); `inside`: a point of the set (else `hard_margin`).

    Certificate: w' = w + v·inside, v the largest violation, is feasible, and ½‖w' − start‖² less the dual value bounds
    ½‖w' − P‖². Raises TypeError, ValueError, Infeasible, Unconverged (error above 1e-6 of ‖w'‖).
    """
    rows, start = signed(B), np.asarray(start, dtype=float)
    if start.shape != (B.shape[1],) or not np.isfinite(start).all():
        raise ValueError(f"start = {start!r}; expected {B.shape[1]} finite numbers")
    u = hard_margin(B).w if inside is None else inside
    if float(np.min(rows.forward(u))) < 1 - 1e-9:
        raise ValueError(f"inside has margin {float(np.min(rows.forward(u))):.3g}; expected a point with B w >= 1")
    right = 1 - rows.forward(start)
    if np.max(right) <= 0:
        return Projection(start.copy(), 0.0, np.zeros(len(right)))

    def done(v: np.ndarray, λ: np.ndarray) -> Projection | None:
        w = start + v
        w = w + max(float(np.max(1 - rows.forward(w))), 0.0) * u
        # twice the duality gap, as a sum of terms that cannot be negative: a difference would drown in rounding
        gap = float(np.sum((w - start - rows.adjoint(λ)) ** 2)) + 2 * float(λ @ np.maximum(rows.forward(w) - 1, 0.0))
        error = gap**0.5
        return Projection(w, error, λ) if error <= 1e-6 * float(np.linalg.norm(w)) else None

    answer, v, _ = least_norm(rows, right, done)
    if answer is None:
        raise Unconverged("the projection's error bound stayed above 1e-6 of its norm", start + v)
    return answer
