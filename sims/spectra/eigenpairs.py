"""The k eigenpairs of a symmetric operator at one end of its spectrum, each with its residual: thick-restart Lanczos.

A basis V is grown by A's products, fully reorthogonalised, and T = VᵀAV kept whole; when V is full it is replaced by
the wanted Ritz vectors and the direction their residuals share (Wu & Simon 2000). Two guards, because Hessians have low
rank and multiple eigenvalues, where plain Lanczos and several released GPU solvers return wrong numbers:

- where what is left of a product is rounding, the space is invariant, and a random vector orthogonal to it carries on;
- a single Krylov space holds one vector of each eigenspace, so after convergence random directions are added and the
  search goes on until a second convergence changes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from corollary.arrays import Array, to_numpy
from corollary.sims.spectra.operators import Operator, as_operator
from corollary.sims.spectra.probes import require_count, require_rng
from corollary.sims.spectra.progress import Progress, memory_told

WHICH = ("largest_magnitude", "largest", "smallest")


class Eigenpairs(NamedTuple):
    """values (k,) on the host, the most wanted first; vectors (n, k); residuals (k,) = ‖A v − λ v‖, recomputed.

    An eigenvalue of A lies within residuals[i] of values[i] (A symmetric, ‖v‖ = 1).
    """

    values: np.ndarray
    vectors: Array
    residuals: np.ndarray
    products: int


class NotConverged(RuntimeError):
    """`best`: the pairs reached, with their residuals."""

    def __init__(self, message: str, best: Eigenpairs):
        super().__init__(message)
        self.best = best


def top_eigenpairs(
    operator: Any,
    k: int = 10,
    *,
    which: str = "largest_magnitude",
    tol: float = 1e-10,
    max_products: int = 10000,
    rng: np.random.Generator | None = None,
    n: int | None = None,
    progress: Progress | None = None,
) -> Eigenpairs:
    """k ≤ n eigenpairs with residuals ≤ tol · ‖A‖ (‖A‖ by the largest Ritz value; tol below rounding is raised to it).

    operator: whatever `operators.as_operator` takes (n for callables). rng: default_rng(0) unless given.
    progress(products done, max_products, message) is called before the first product, with the memory the basis will
    take, whenever the basis is full, and at the end. Raises NotConverged (with the best pairs) before a product beyond
    max_products ≥ 2k; ValueError for k outside 1…n, an unknown `which`, tol ≤ 0; see `as_operator` for operators.
    """
    if which not in WHICH:
        raise ValueError(f"which = {which!r}; expected one of {', '.join(WHICH)}")
    if not 0 < tol < 1:
        raise ValueError(f"tol = {tol!r}; expected a number between 0 and 1")
    A = as_operator(operator, n)
    k = require_count("k", k, 1)
    if k > A.n:
        raise ValueError(f"k = {k}; the operator has only {A.n} eigenvalues")
    budget = require_count("max_products", max_products, 2 * k) - k  # k are kept for the residuals
    rng = np.random.default_rng(0) if rng is None else require_rng(rng)
    report = progress or (lambda done, every, message: None)
    most = min(A.n, max(2 * k + 20, 3 * k))
    report(0, max_products, f"{k} pairs, {memory_told(A, most + 2 * k)}")
    search = _Search(A, rng, most, k, which)
    previous = None
    while True:
        search.grow(budget)
        values, S, residuals, scale = search.ritz()
        limit = max(tol, 50 * search.eps * np.sqrt(A.n)) * scale
        worst = float(residuals[:k].max())
        report(A.products, max_products, f"largest residual {worst:.1e}, wanted {limit:.1e}")
        whole, spent = search.size == A.n, search.size < most  # a basis that is not full: no products were left
        if whole or worst <= limit:
            same = previous is not None and np.abs(np.sort(values[:k]) - previous).max() <= 10 * limit
            if whole or (same and not spent):
                found = search.pairs(S)
                report(max_products, max_products, f"{found.products} products")
                return found
            why = f"largest residual {worst:.2e}, as wanted, but no search for further equal eigenvalues"
            previous = np.sort(values[:k])
        else:
            why = f"largest residual {worst:.2e}, wanted {limit:.2e},"
        if A.products >= budget:
            best = search.pairs(S)
            raise NotConverged(
                f"{why} after {A.products} products: raise max_products= or tol=, or ask for fewer pairs; the pairs "
                "reached are in .best",
                best,
            )
        search.restart(S, fresh=worst <= limit)


class _Search:
    """An orthonormal basis (rows of V), T = V A Vᵀ, and the direction `rest` that A V leaves outside it."""

    def __init__(self, A: Operator, rng: np.random.Generator, most: int, k: int, which: str):
        self.A, self.rng, self.most, self.k, self.which = A, rng, most, k, which
        self.eps = float(A.xp.finfo(A.example.dtype).eps)
        self.V = A.xp.zeros((most, A.n), dtype=A.example.dtype, device=A.example.device)
        self.T = np.zeros((most, most))
        self.size, self.norm, self.rest = 0, 0.0, None

    def _orthogonal(self, w: Array) -> Array:
        xp = self.A.xp
        if self.size:
            V = self.V[: self.size, :]
            for _ in range(2):
                w = w - xp.matmul(xp.matmul(w, xp.matrix_transpose(V)), V)
        return w

    def _length(self, w: Array) -> float:
        return float(to_numpy(self.A.xp.sum(w * w))) ** 0.5

    def grow(self, budget: int) -> None:
        """Products until the basis is full, or A has taken `budget` of them."""
        xp = self.A.xp
        while self.size < self.most and self.A.products < budget:
            j = self.size
            left = 10 * self.eps * self.A.n**0.5 * abs(self.T[:j, :j]).max(initial=0)
            q = self.rest
            if q is None or self.norm <= left:  # invariant
                q = self._orthogonal(self.A.host_to_device(self.rng.standard_normal(self.A.n)))
            q = self._orthogonal(q / self._length(q))
            self.V[j, :] = q / self._length(q)
            self.size = j + 1
            w = self.A.matmat(self.V[j, :][:, None])[:, 0]
            h = to_numpy(xp.matmul(self.V[: self.size, :], w)).astype(float)
            self.T[: self.size, j] = self.T[j, : self.size] = h
            self.rest = self._orthogonal(w)
            self.norm = self._length(self.rest)

    def ritz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Ritz values, vectors in V and residual norms, most wanted first; and the size of A seen so far."""
        values, S = np.linalg.eigh(self.T[: self.size, : self.size])
        order = {"largest": -values, "smallest": values, "largest_magnitude": -abs(values)}[self.which].argsort()
        residuals = self.norm * abs(S[-1])
        return values[order], S[:, order], residuals[order], float(abs(values).max())

    def restart(self, S: np.ndarray, fresh: bool) -> None:
        """Keep the wanted Ritz vectors and half of the others; carry on with their residual, or a random vector.

        With fresh=True the residuals of the kept vectors, below the tolerance, are left out of T: an error of their
        size, which the residuals recomputed at the end contain.
        """
        xp = self.A.xp
        keep = min(self.k + (self.most - self.k) // 2, self.most - 1)
        rows = self.A.host_to_device(np.ascontiguousarray(S[:, :keep].T))
        kept = xp.matmul(rows, self.V[: self.size, :])
        values = np.diag(S[:, :keep].T @ self.T[: self.size, : self.size] @ S[:, :keep]).copy()
        self.V[:keep, :] = kept
        self.T[:] = 0
        self.T[range(keep), range(keep)] = values
        self.size = keep
        if fresh:
            self.rest, self.norm = None, 0.0

    def pairs(self, S: np.ndarray) -> Eigenpairs:
        """The k wanted pairs with vectors of length one and residuals from products with A."""
        xp = self.A.xp
        X = xp.matmul(
            xp.matrix_transpose(self.V[: self.size, :]), self.A.host_to_device(np.ascontiguousarray(S[:, : self.k]))
        )
        X = X / xp.sqrt(xp.sum(X * X, axis=0))[None, :]
        AX = self.A.matmat(X)
        values = xp.sum(X * AX, axis=0)
        R = AX - X * values[None, :]
        residuals = to_numpy(xp.sqrt(xp.sum(R * R, axis=0))).astype(float)
        return Eigenpairs(to_numpy(values).astype(float), X, residuals, self.A.products)
