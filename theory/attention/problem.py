r"""The attention-SVM as rows of a linear system, never formed: row (i, t) is (x_{i,α_i} − x_it) ⊗ z_i.

    (A W)_it = (x_{i,α_i} − x_it)ᵀ W z_i,        A* λ = Σ_i (Σ_t λ_it (x_{i,α_i} − x_it)) z_iᵀ,
    (A A*)_{it,ks} = ⟨x_{i,α_i} − x_it, x_{k,α_k} − x_ks⟩ ⟨z_i, z_k⟩.

(Tarzanagh et al. 2023, (Att-SVM); tokens on the left of W, queries on the right, no 1/√d.) Self-attention: Z = X[:, 0].
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype, to_numpy


class Rows(Protocol):
    """N rows a_k of length p, with their norms; `gram` and `dense` speak about the rows in an index array."""

    norms: np.ndarray
    p: int

    def forward(self, w: np.ndarray) -> np.ndarray: ...
    def adjoint(self, multipliers: np.ndarray) -> np.ndarray: ...
    def gram(self, which: np.ndarray) -> np.ndarray: ...
    def dense(self, which: np.ndarray) -> np.ndarray: ...


class Tokens:
    """Rows D_it ⊗ z_i for D (n, m, d) and Z (n, d); w is W (d, d) raveled. A product costs n d (d + m)."""

    def __init__(self, D: np.ndarray, Z: np.ndarray):
        self.D, self.Z = D, Z
        self.n, self.m, self.d = D.shape
        self.p = self.d * self.d
        self.norms = (np.linalg.norm(D, axis=2) * np.linalg.norm(Z, axis=1)[:, None]).ravel()

    def forward(self, w: np.ndarray) -> np.ndarray:
        queries = self.Z @ w.reshape(self.d, self.d).T
        return np.einsum("nmd,nd->nm", self.D, queries).ravel()

    def adjoint(self, multipliers: np.ndarray) -> np.ndarray:
        left = np.einsum("nm,nmd->nd", multipliers.reshape(self.n, self.m), self.D)
        return (left.T @ self.Z).ravel()

    def gram(self, which: np.ndarray) -> np.ndarray:
        left, right = self.D.reshape(-1, self.d)[which], self.Z[which // self.m]
        return (left @ left.T) * (right @ right.T)

    def dense(self, which: np.ndarray) -> np.ndarray:
        left, right = self.D.reshape(-1, self.d)[which], self.Z[which // self.m]
        return (left[:, :, None] * right[:, None, :]).reshape(len(which), self.p)


class Vectors:
    """Rows of a matrix A (N, p)."""

    def __init__(self, A: np.ndarray):
        self.A, self.p, self.norms = A, A.shape[1], np.linalg.norm(A, axis=1)

    def forward(self, w: np.ndarray) -> np.ndarray:
        return self.A @ w

    def adjoint(self, multipliers: np.ndarray) -> np.ndarray:
        return multipliers @ self.A

    def gram(self, which: np.ndarray) -> np.ndarray:
        return self.A[which] @ self.A[which].T

    def dense(self, which: np.ndarray) -> np.ndarray:
        return self.A[which]


def checked_tokens(X: Array, Z: Array, *, batch: bool = False) -> Any:
    """The namespace, after checking X (n, T, d) and Z (n, d), or (B, n, T, d) and (B, n, d).

    Raises TypeError (array types, dtypes, devices) or ValueError (shapes, NaN, one token only, a query that is zero).
    """
    extra = int(batch)
    xp = require_floating("X", X, ndim=3 + extra)
    require_floating("Z", Z, ndim=2 + extra)
    array_namespace(X, Z)
    require_same_dtype(X=X, Z=Z)
    if device(X) != device(Z):
        raise TypeError(f"X is on {device(X)}, Z on {device(Z)}; move both to one device")
    *lead, n, T, d = X.shape
    if tuple(Z.shape) != (*lead, n, d):
        raise ValueError(f"Z has shape {tuple(Z.shape)}; expected {(*lead, n, d)}: one query for each sequence of X")
    if T < 2:
        raise ValueError("X has one token a sequence (T = 1): attention has nothing to choose from; expected T >= 2")
    zero = to_numpy(xp.all(Z == 0, axis=-1))
    if zero.any():
        where = tuple(int(k) for k in np.argwhere(zero)[0])
        raise ValueError(f"the query of sequence {where if batch else where[0]} is zero: its scores are 0 for every W")
    return xp


def checked_choice(chosen: Array, shape: tuple[int, ...], T: int) -> np.ndarray:
    """`chosen` as host integers of this shape in 0..T−1. Raises TypeError or ValueError."""
    index: np.ndarray = to_numpy(chosen)
    if index.dtype.kind not in "iu":
        raise TypeError(f"chosen has dtype {index.dtype}; expected integers, one token index a sequence")
    if index.shape != shape:
        raise ValueError(f"chosen has shape {index.shape}; expected {shape}: one token index a sequence")
    bad = np.argwhere((index < 0) | (index >= T))
    if len(bad):
        where = tuple(int(k) for k in bad[0])
        raise ValueError(f"chosen{list(where)} is {index[where]}; expected a token index in 0..{T - 1}")
    return index


def differences(X: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """x_{i,α_i} − x_it over t ≠ α_i in their order, (..., n, T−1, d), from X (..., n, T, d)."""
    *lead, T, d = X.shape
    best = np.take_along_axis(X, chosen[..., None, None], axis=-2)
    others = np.arange(T) != chosen[..., None]
    return (best - X)[others].reshape(*lead, T - 1, d)


def scales(D: np.ndarray, Z: np.ndarray, largest: float) -> tuple[float, float]:
    """Powers of 2 of the size of the largest entries of D and Z: dividing by them is exact, and W scales as 1/(x z).

    Raises ValueError where these or their product leave 1/largest … largest.
    """
    with np.errstate(over="ignore", under="ignore"):
        x, z = (float(np.exp2(np.round(np.log2(np.abs(a).max())))) for a in (D, Z))
    if not all(1 / largest <= v <= largest for v in (x, z, x * z)):
        raise ValueError(
            f"entries of the tokens' differences are up to {x:.1g}, of the queries up to {z:.1g}, and W scales as one "
            f"over their product: beyond {1 / largest:.0e} to {largest:.0e}; rescale X and Z"
        )
    return x, z
