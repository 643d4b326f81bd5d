"""Spectra of classical random matrices without the matrices: tridiagonal models (Dumitriu & Edelman 2002).

    gaussian_tridiagonal(N, β)     β = 1 GOE (off-diagonal variance 1/N, diagonal 2/N), 2 GUE, any β > 0; bulk [−2, 2]
    wishart_tridiagonal(p, n, β)   X X*/n, X p × n with entries of variance 1: bulk (1 ± √(p/n))²
    top_of_gaussian(N, β)          the largest eigenvalue alone, from the leading block of 10 N^{1/3} rows

Host only: draws by NumPy, eigenvalues by LAPACK's tridiagonal solver, O(N²) instead of O(N³). The top eigenvector of
the tridiagonal matrix lives on the scale N^{1/3} and decays like Ai: what is beyond 10 N^{1/3} weighs less than
exp(−(4/3) 10^{3/2}) < 1e-18.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

from corollary.arrays import Namespace


def gaussian_tridiagonal(
    N: int, beta: float, rng: np.random.Generator, rows: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(diagonal (k,), off-diagonal (k − 1,)) of the leading k = rows of the model; all N by default."""
    _sizes(beta, N=N)
    k = N if rows is None else min(rows, N)
    scale = 1 / math.sqrt(beta * N)
    diagonal = math.sqrt(2) * scale * rng.standard_normal(k)
    return diagonal, scale * np.sqrt(rng.chisquare(beta * (N - np.arange(1, k)))) if k > 1 else np.empty(0)


def wishart_tridiagonal(p: int, n: int, beta: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(diagonal (p,), off-diagonal (p − 1,)) of B Bᵀ/(βn), B bidiagonal with chi entries. ValueError for p > n."""
    _sizes(beta, p=p, n=n)
    if p > n:
        raise ValueError(f"p = {p} > n = {n}: take the spectrum of n × n and add p - n zeros")
    a = rng.chisquare(beta * (n - np.arange(p)))
    b = rng.chisquare(beta * (p - np.arange(1, p))) if p > 1 else np.empty(0)
    return (a + np.concatenate([[0.0], b])) / (beta * n), np.sqrt(a[:-1] * b) / (beta * n)


def spectrum(diagonal: np.ndarray, off: np.ndarray) -> np.ndarray:
    """All eigenvalues, ascending."""
    return np.asarray(eigh_tridiagonal(diagonal, off, eigvals_only=True, lapack_driver="sterf"))


def top_of_gaussian(N: int, beta: float, rng: np.random.Generator) -> float:
    """The largest eigenvalue of `gaussian_tridiagonal`, exact to rounding in O(N^{1/3}) time."""
    rows = 20 + math.ceil(10 * N ** (1 / 3))
    d, e = gaussian_tridiagonal(N, beta, rng, rows)
    last = len(d) - 1
    return float(eigh_tridiagonal(d, e, eigvals_only=True, select="i", select_range=(last, last))[0])


def tops(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, np.ndarray]:
    """top (R,), scaled (R,) = N^{2/3}(λ − 2√(1 − 1/(2N))), naive (R,) the same about 2. Point: N, beta."""
    N, beta = point["N"], point["beta"]
    top = np.array([top_of_gaussian(N, beta, np.random.default_rng(seed)) for seed in seeds])
    scale = N ** (2 / 3)
    return {"top": top, "scaled": scale * (top - 2 * math.sqrt(1 - 1 / (2 * N))), "naive": scale * (top - 2)}


def _sizes(beta: float, **sizes: int) -> None:
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} = {value!r}; expected a whole number >= 1")
    if not (math.isfinite(beta) and beta > 0):
        raise ValueError(f"beta = {beta!r}; expected a finite number > 0")
