"""Lanczos tridiagonalisation of a symmetric operator, several starting vectors in lockstep, fully reorthogonalised.

    A Q = Q T + β_m q_{m+1} e_mᵀ,   T tridiagonal with diagonal α and off-diagonal β   (Golub & Van Loan, §10.1)

Every new vector is orthogonalised against all earlier ones of its own run, and once more where that took a good part of
it away, so that no ghost copies of converged eigenvalues appear. Breakdown guard: where what is left of a vector is
rounding, its Krylov space is invariant; that run stops there with β = 0 and its Ritz values are eigenvalues of A.
Operators of low rank, and zero, are therefore fine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from corollary.arrays import Array, array_namespace, to_numpy


class Krylov(NamedTuple):
    """k runs of at most m steps: alpha, beta (k, m) on the host; basis (k, m, n) where the vectors live.

    size (k,): steps a run took; entries beyond are zero. beta[c, j] is the norm left over after step j of run c:
    beta[c, size − 1] bounds how far Ritz values are from eigenvalues (`ritz`), zero after a breakdown.
    """

    alpha: np.ndarray
    beta: np.ndarray
    size: np.ndarray
    basis: Array


def lanczos(matmat: Callable[[Array], Array], start: Array, steps: int) -> Krylov:
    """At most `steps` steps from the columns of `start` (n, k); matmat takes (n, k) to (n, k).

    The caller checks that the operator is symmetric. Raises ValueError for a zero starting vector or steps < 1, and
    FloatingPointError when a product is not finite.
    """
    xp = array_namespace(start)
    n, k = start.shape
    if steps < 1:
        raise ValueError(f"steps = {steps}; expected at least 1")
    steps = min(steps, n)
    eps = float(xp.finfo(start.dtype).eps)
    q = xp.matrix_transpose(start)
    norm = xp.sqrt(xp.sum(q * q, axis=1))
    if not bool(xp.all(norm > 0)):
        raise ValueError("a starting vector is zero; expected non-zero columns")
    q = q / norm[:, None]
    basis = xp.zeros((k, steps, n), dtype=start.dtype, device=start.device)
    w = xp.zeros((k, n), dtype=start.dtype, device=start.device)
    alpha, beta = np.zeros((k, steps)), np.zeros((k, steps))
    size, running = np.zeros(k, dtype=int), np.ones(k, dtype=bool)
    for j in range(steps):
        basis[:, j, :] = q
        w[...] = xp.matrix_transpose(matmat(xp.matrix_transpose(q)))  # rows in one piece, whatever matmat returns
        a = xp.sum(q * w, axis=1)
        alpha[:, j] = to_numpy(a)
        if not np.isfinite(alpha[:, j]).all():
            raise FloatingPointError(
                f"the product of step {j + 1} is not finite; the operator returned NaN or infinity"
            )
        size[running] = j + 1
        w -= a[:, None] * q
        if j:
            w -= _on_device(beta[:, j - 1], w)[:, None] * basis[:, j - 1, :]
        before = _lengths(w)
        for run in range(k):  # one at a time: the second product finds the run's basis in cache
            _orthogonalise(w, basis, run, j + 1)
        b = _lengths(w)
        # a pass leaves eps · before: as much as eps of what remains, unless that is much shorter; then a second pass
        # is enough (Daniel, Gragg, Kaufman, Stewart 1976; Parlett §6.9)
        for run in np.nonzero(b < 0.7 * before)[0].tolist():
            _orthogonalise(w, basis, run, j + 1)
        b = _lengths(w)
        scale = np.maximum(np.abs(alpha), beta).max(axis=1)
        # a product of n terms is rounded by about eps √n ‖A‖; ten times that is no direction but noise
        running = running & (b > 10 * eps * np.sqrt(n) * scale)
        beta[:, j] = np.where(running, b, 0.0)
        if not running.any():
            break
        inverse = np.where(running, 1.0 / np.where(running, b, 1.0), 0.0)
        q = w * _on_device(inverse, w)[:, None]
    return Krylov(alpha, beta, size, basis)


def _orthogonalise(w: Array, basis: Array, run: int, size: int) -> None:
    """Take from w[run] its components along the first `size` vectors of that run, in place."""
    xp = array_namespace(w)
    done, row = basis[run, :size, :], w[run, :]
    w[run, :] = row - xp.matmul(xp.matmul(done, row), done)


def _lengths(w: Array) -> np.ndarray:
    """(k,) on the host."""
    xp = array_namespace(w)
    return to_numpy(xp.sqrt(xp.sum(w * w, axis=1))).astype(float)


def _on_device(host: np.ndarray, like: Array) -> Array:
    return array_namespace(like).asarray(host, dtype=like.dtype, device=like.device)


class Ritz(NamedTuple):
    """Ritz values in increasing order, the squared first components of their vectors, and residual norms.

    weights sum to 1: Σ_i weights_i f(values_i) is the Gauss quadrature of f against the start's spectral measure.
    residuals: ‖A y − θ y‖ of the Ritz pair in exact arithmetic; some eigenvalue lies within it of each θ.
    vectors (m, m): Ritz vector i is basisᵀ vectors[:, i].
    """

    values: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray
    vectors: np.ndarray


def ritz(krylov: Krylov, run: int = 0) -> Ritz:
    """Eigenvalues and quadrature of one run's T."""
    m = int(krylov.size[run])
    off = krylov.beta[run, : m - 1]
    T = np.diag(krylov.alpha[run, :m]) + np.diag(off, 1) + np.diag(off, -1)
    values, vectors = np.linalg.eigh(T)
    return Ritz(values, vectors[0] ** 2, abs(krylov.beta[run, m - 1] * vectors[-1]), vectors)
