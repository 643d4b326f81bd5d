r"""Symmetric kernel matrices bigger than memory: products, solves and top eigenpairs from tiles of rows.

Tiles are recomputed at every use, or, with `path`, computed once into a memory-mapped file there, which `reuse=True`
opens again later. Only the tiles on
and right of the diagonal are ever computed. Every answer comes with a residual formed from the matrix itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating
from corollary.theory.ntk.layers import Kernel
from corollary.theory.ntk.moments import real_number


class HasKernel(Protocol):
    """A network with kernels, such as `ntk.mlp(...)` or `ntk.Serial(...)`."""

    def kernel(self, x1: Array, x2: Array | None = None) -> Kernel: ...


class Solution(NamedTuple):
    """`x` (N, m) and `residual` (m,) = ‖(K + reg I)x − b‖/‖b‖ formed anew at the end; `iterations` of conjugate
    gradients."""

    x: Array
    residual: Array
    iterations: int


class Eigenpairs(NamedTuple):
    """`values` (r,) descending, `vectors` (N, r) orthonormal, `residuals` (r,) = ‖K v − λ v‖."""

    values: Array
    vectors: Array
    residuals: Array


class KernelMatrix:
    """The kernel `which` of `net` on the rows of x (N, ...), as an operator.

    tile: rows a tile. path: where to keep the tiles (N² floats; host arrays only). They are written to path.partial,
    removed after a failure and renamed to path when complete. An existing path is an error, or with reuse = True
    opened, after comparing two of its tiles with the kernel. Raises TypeError or ValueError for x as `net.kernel`, for
    a word other than "ntk" and "nngp", and for a file of another matrix; FileExistsError.
    """

    def __init__(
        self,
        net: HasKernel,
        x: Array,
        *,
        which: Literal["ntk", "nngp"] = "ntk",
        tile: int = 1024,
        path: str | Path | None = None,
        reuse: bool = False,
    ) -> None:
        require_floating("x", x)
        if which not in ("ntk", "nngp"):
            raise ValueError(f"which is {which!r}; expected 'ntk' or 'nngp'")
        if isinstance(tile, bool) or not isinstance(tile, int) or tile < 1:
            raise ValueError(f"tile is {tile!r}; expected a number of rows >= 1")
        self.net, self.x, self.which, self.tile = net, x, which, tile
        self.shape = (x.shape[0], x.shape[0])
        self._stored: np.ndarray | None = None
        if path is not None:
            self._stored = self._store(Path(path), reuse)

    def _store(self, path: Path, reuse: bool) -> np.ndarray:
        if not isinstance(self.x, np.ndarray):
            raise TypeError("path is for NumPy arrays; leave it out for tiles recomputed on the device")
        if path.exists():
            if reuse:
                return self._opened(path)
            raise FileExistsError(f"{path} exists; give another path, remove it, or open it with reuse=True")
        partial = path.with_name(path.name + ".partial")
        try:
            stored = np.lib.format.open_memmap(partial, mode="w+", dtype=self.x.dtype, shape=self.shape)
            for rows, columns, block in self._tiles():
                stored[rows, columns] = block
                stored[columns, rows] = block.T
            stored.flush()
            partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return stored

    def _opened(self, path: Path) -> np.ndarray:
        stored = np.lib.format.open_memmap(path, mode="r")
        if stored.shape != self.shape or stored.dtype != self.x.dtype:
            got = f"{stored.shape} of {stored.dtype}"
            raise ValueError(f"{path} holds {got}; expected {self.shape} of {self.x.dtype}: it is another matrix")
        few = max(1, min(self.tile, 64))
        ends = slice(0, few), slice(max(0, self.shape[0] - few), self.shape[0])
        for columns in ends:  # a corner of the diagonal and one away from it
            block = getattr(self.net.kernel(self.x[ends[0]], self.x[columns]), self.which)
            # tiles cut otherwise may round otherwise: √ε near parallel inputs, where kernels are known no better
            slack = float(np.finfo(self.x.dtype).eps) ** 0.5 * float(np.abs(block).max())
            if not np.all(np.abs(stored[ends[0], columns] - block) <= slack):
                raise ValueError(f"{path} holds another matrix than the kernel {self.which!r} of these inputs")
        return stored

    def _tiles(self) -> Iterator[tuple[slice, slice, Array]]:
        N = self.shape[0]
        for i in range(0, N, self.tile):
            rows = slice(i, min(i + self.tile, N))
            for j in range(i, N, self.tile):
                columns = slice(j, min(j + self.tile, N))
                if self._stored is not None:
                    yield rows, columns, self._stored[rows, columns]
                else:
                    other = None if i == j else self.x[columns, ...]
                    yield rows, columns, getattr(self.net.kernel(self.x[rows, ...], other), self.which)

    def matmat(self, V: Array) -> Array:
        """K V (N, m) for V (N, m). Raises TypeError or ValueError (array type, shape, NaN)."""
        xp = require_floating("V", V, ndim=2)
        array_namespace(V, self.x)
        if V.shape[0] != self.shape[0]:
            raise ValueError(f"V has shape {V.shape}; expected ({self.shape[0]}, m)")
        out = xp.zeros(V.shape, dtype=V.dtype, device=device(V))
        for rows, columns, block in self._tiles():
            out[rows, :] = out[rows, :] + block @ V[columns, :]
            if rows != columns:
                out[columns, :] = out[columns, :] + xp.matrix_transpose(block) @ V[rows, :]
        return out

    def solve(
        self, b: Array, *, reg: float = 0.0, tolerance: float | None = None, iterations: int = 1000, rank: int = 0
    ) -> Solution:
        """(K + reg I) x = b for b (N, m) by conjugate gradients, preconditioned by the top `rank` eigenpairs.

        tolerance None: 1e-8, or 1e-4 in float32, whose rounding stops the residual before 1e-8. Raises ValueError (b,
        reg, rank) or ArithmeticError, with the residual reached, if it exceeds `tolerance`.
        """
        xp = require_floating("b", b, ndim=2)
        reg = real_number("reg", reg, nonnegative=True)
        if tolerance is None:
            tolerance = 1e-8 if b.dtype == xp.float64 else 1e-4
        tolerance = real_number("tolerance", tolerance, positive=True)
        lift = self._preconditioner(rank, reg)
        x, r = xp.zeros_like(b), b
        z = lift(r)
        p, ρ = z, xp.sum(r * z, axis=0)
        size = xp.sqrt(xp.sum(b * b, axis=0))
        if bool(xp.any(size == 0)):
            raise ValueError("b has a column of zeros; its solution is zero: leave it out")
        taken = 0
        # half the tolerance: the recurred residual and the true one drift apart by rounding
        while taken < iterations and bool(xp.any(xp.sqrt(xp.sum(r * r, axis=0)) > tolerance / 2 * size)):
            Kp = self.matmat(p) + reg * p
            curvature = xp.sum(p * Kp, axis=0)
            α = xp.where(curvature > 0, ρ / xp.where(curvature > 0, curvature, 1.0), 0.0)
            x, r = x + α * p, r - α * Kp
            z = lift(r)
            fresh = xp.sum(r * z, axis=0)
            p = z + xp.where(ρ > 0, fresh / xp.where(ρ > 0, ρ, 1.0), 0.0) * p
            ρ, taken = fresh, taken + 1
        residual = xp.sqrt(xp.sum((self.matmat(x) + reg * x - b) ** 2, axis=0)) / size
        if not bool(xp.all(residual <= tolerance)):
            raise ArithmeticError(
                f"conjugate gradients reached the residual {float(xp.max(residual)):.2g} in {taken} iterations where "
                f"{tolerance:.2g} was asked; raise iterations, rank or reg"
            )
        return Solution(x, residual, taken)

    def _preconditioner(self, rank: int, reg: float) -> Callable[[Array], Array]:
        if rank == 0:
            return lambda r: r
        top = self.eigenpairs(rank)
        xp, V = array_namespace(top.vectors), top.vectors
        # the rest of the spectrum is taken as the smallest eigenvalue found
        gain = xp.expand_dims((top.values[-1] + reg) / (top.values + reg) - 1, axis=1)
        return lambda r: r + V @ (gain * (xp.matrix_transpose(V) @ r))

    def eigenpairs(self, r: int, *, sweeps: int = 8, seed: int = 0) -> Eigenpairs:
        """The r largest eigenvalues, by `sweeps` steps of block Krylov iteration with r + 5 vectors.

        The residuals are what it reached: some eigenvalue lies within each of them of the value given. Raises
        ValueError unless 1 <= r <= N.
        """
        N, xp = self.shape[0], array_namespace(self.x)
        if isinstance(r, bool) or not isinstance(r, int) or not 1 <= r <= N:
            raise ValueError(f"r is {r!r}; expected an integer from 1 to {N}")
        start = np.random.default_rng(seed).standard_normal((N, min(N, r + 5)))
        V, _ = xp.linalg.qr(xp.asarray(start, dtype=self.x.dtype, device=device(self.x)))
        basis = [V]
        for _ in range(sweeps):
            if (len(basis) + 1) * V.shape[1] > N:
                break
            V, _ = xp.linalg.qr(self.matmat(V))
            basis.append(V)
        Q, _ = xp.linalg.qr(xp.concat(basis, axis=1) if N > V.shape[1] else V)
        KQ = self.matmat(Q)
        small = xp.matrix_transpose(Q) @ KQ
        λ, U = xp.linalg.eigh((small + xp.matrix_transpose(small)) / 2)
        λ, U = xp.flip(λ)[:r], xp.flip(U, axis=1)[:, :r]
        W = Q @ U
        return Eigenpairs(λ, W, xp.sqrt(xp.sum((KQ @ U - W * λ) ** 2, axis=0)))
