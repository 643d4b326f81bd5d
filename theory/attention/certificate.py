r"""Certificates of the attention-SVM, computed from the tokens and the returned arrays alone.

min ‖W‖ s.t. A W ≥ 1. For any W with least margin c > 0 and any λ ≥ 0 ≠ λ (weak duality)

    Σλ / ‖A*λ‖_dual  ≤  optimum  ≤  ‖W‖ / c,

dual norm Frobenius for Frobenius, spectral for nuclear. Infeasible iff some μ ≥ 0, Σμ = 1 has A*μ = 0 (Gordan).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from corollary.theory.attention.problem import Rows

Norm = Literal["frobenius", "nuclear"]


@dataclass(frozen=True)
class Certificate:
    """`primal` = ‖W‖/min margin ≥ optimum ≥ `dual` = Σλ/‖A*λ‖; `gap` = (primal − dual)/primal; `min_margin` of W.

    Without a separating W, primal and gap are inf.
    """

    primal: float
    dual: float
    gap: float
    min_margin: float


class Infeasible(ValueError):
    """No W separates the chosen tokens. `weights` (n, T−1), or (N,), are Gordan's μ: nonnegative, sum 1, A*μ ≈ 0.

    `residual` = ‖A*μ‖/Σ μ_k ‖a_k‖; every W would need ‖W‖ ≥ 1/‖A*μ‖.
    """

    def __init__(self, message: str, weights: np.ndarray, residual: float):
        super().__init__(message)
        self.weights, self.residual = weights, residual


class Unconverged(RuntimeError):
    """The solver stopped before the asked gap; `certificate` (or the array of gaps of a batch) is the best it had."""

    def __init__(self, message: str, certificate: object):
        super().__init__(message)
        self.certificate = certificate


def matrix_norm(W: np.ndarray, norm: Norm) -> float:
    return float(np.linalg.norm(W) if norm == "frobenius" else np.linalg.svd(W, compute_uv=False).sum())


def dual_norm(G: np.ndarray, norm: Norm) -> float:
    return float(np.linalg.norm(G) if norm == "frobenius" else np.linalg.norm(G, 2))


def certify(rows: Rows, w: np.ndarray, multipliers: np.ndarray, norm: Norm = "frobenius") -> Certificate:
    """The certificate of w (p,) and multipliers (N,) ≥ 0; for the nuclear norm p = d² and w is a raveled matrix."""
    d = round(rows.p**0.5)

    def shaped(v: np.ndarray) -> np.ndarray:
        return v if norm == "frobenius" else v.reshape(d, d)

    margin = float(rows.forward(w).min())
    size = dual_norm(shaped(rows.adjoint(multipliers)), norm)
    dual = float(multipliers.sum()) / size if size > 0 else 0.0
    if margin <= 0:
        return Certificate(float("inf"), dual, float("inf"), margin)
    primal = matrix_norm(shaped(w), norm) / margin
    return Certificate(primal, dual, (primal - dual) / primal, margin)


def gordan_residual(rows: Rows, weights: np.ndarray) -> float:
    """‖A*μ‖/Σ μ_k ‖a_k‖ for μ ≥ 0: 0 proves that no w has A w > 0."""
    return float(np.linalg.norm(rows.adjoint(weights)) / (weights @ rows.norms))
