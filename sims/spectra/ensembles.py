"""Dense ensembles whose limiting laws are free sums: Wishart + Wigner, and its ReLU variant (Pennington & Bahri 2017).

H₀ = J Jᵀ/m, J n × m normal, m = n/φ
H₁ = √(2ε) GOE/√n                               wigner, bulk ±2√(2ε)
H₁ = [[0, M], [Mᵀ, 0]], M = (2a/n) E Xᵀ          relu: E, X n/2 × n/(2φ) normal, a = φ√(ε/2)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Namespace


def parts(n: int, phi: float, relu: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(H₀, H₁ at ε = 1), (n, n) host arrays; H₁ scales with √ε. ValueError for n odd with relu, n < 2, or φ ≤ 0."""
    if not isinstance(n, int) or n < 2 or (relu and n % 2):
        raise ValueError(f"n = {n!r}; expected a whole number >= 2, even for the ReLU variant")
    if not (math.isfinite(phi) and phi > 0):
        raise ValueError(f"phi = {phi!r}; expected a finite number > 0")
    J = rng.standard_normal((n, round(n / phi)))
    H0 = J @ J.T / J.shape[1]
    if not relu:
        g = rng.standard_normal((n, n))
        return H0, (g + g.T) / math.sqrt(n)
    k = round(n / (2 * phi))
    M = 2 * phi * math.sqrt(0.5) / n * rng.standard_normal((n // 2, k)) @ rng.standard_normal((k, n // 2))
    return H0, np.block([[np.zeros((n // 2, n // 2)), M], [M.T, np.zeros((n // 2, n // 2))]])


def surface(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Any]:
    """eigenvalues (R, n), index (R,): share below 0. Point: n, phi, energy; relu (False). Host draws, xp's solver."""
    out = {"eigenvalues": [], "index": []}
    for seed in seeds:
        H0, H1 = parts(point["n"], point["phi"], point.get("relu", False), np.random.default_rng(seed))
        values = xp.linalg.eigvalsh(xp.asarray(H0 + math.sqrt(point["energy"]) * H1))
        out["eigenvalues"].append(values)
        out["index"].append(xp.mean(xp.astype(values < 0, xp.float64)))
    return {name: xp.stack(rows) for name, rows in out.items()}


def crossing(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Any]:
    """energy (R,): where the smallest eigenvalue of H₀ + √ε H₁ reaches 0, both frozen. Point: n, phi < 1; relu (False).

    λ_min is concave in √ε and positive at 0, so it crosses once: at 1/√ε = −λ_min(L⁻¹ H₁ L⁻ᵀ), H₀ = L Lᵀ.
    """
    out = []
    for seed in seeds:
        H0, H1 = parts(point["n"], point["phi"], point.get("relu", False), np.random.default_rng(seed))
        L = xp.linalg.cholesky(xp.asarray(H0))
        half = xp.linalg.solve(L, xp.asarray(H1))
        whole = xp.linalg.solve(L, xp.matrix_transpose(half))
        out.append(xp.linalg.eigvalsh((whole + xp.matrix_transpose(whole)) / 2)[0] ** -2.0)
    return {"energy": xp.stack(out)}
