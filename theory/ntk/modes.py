r"""Eigenvalues and eigenvectors of a Gram matrix, with the certificate that they are.

Eigen-solvers on GPUs have returned wrong values in several releases, so on every backend the answer is checked:
residuals ‖A v − λ v‖, and the departure of VᵀV from the identity.
"""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace, device


class Modes(NamedTuple):
    """`values` (N,) ascending, orthonormal `vectors` (N, N) in columns, `residuals` (N,): ‖A v − λ v‖."""

    values: Array
    vectors: Array
    residuals: Array


def require_symmetric(name: str, A: Array) -> float:
    """The largest |entry| of A (N, N). Raises ValueError unless A is symmetric up to rounding."""
    xp = array_namespace(A)
    size = float(xp.max(xp.abs(A)))
    skew = float(xp.max(xp.abs(A - xp.matrix_transpose(A))))
    # a kernel assembled block by block differs from its transpose by roundings of its largest entry
    if skew > 64 * float(xp.finfo(A.dtype).eps) * size:
        raise ValueError(f"{name} is not symmetric: entries differ from the transpose by up to {skew:.2g}")
    return size


def gram_modes(name: str, A: Array) -> Modes:
    """The modes of a symmetric positive semi-definite A (N, N), finite and of floating dtype.

    Eigenvalues below zero by rounding alone, −10 N ε λ_max <= λ < 0, come back as 0: a Gram matrix has none. Raises
    ValueError (not symmetric, not positive semi-definite) or RuntimeError (the solver's answer fails its certificate).
    """
    xp = array_namespace(A)
    N, ε = A.shape[0], float(xp.finfo(A.dtype).eps)
    size = require_symmetric(name, A)
    A = (A + xp.matrix_transpose(A)) / 2
    λ, V = xp.linalg.eigh(A)
    residuals = xp.sqrt(xp.sum((A @ V - V * xp.expand_dims(λ, axis=0)) ** 2, axis=0))
    defect = float(xp.max(xp.abs(xp.matrix_transpose(V) @ V - xp.eye(N, dtype=A.dtype, device=device(A)))))
    # eigh is backward stable to a small multiple of √N ε; ten times N ε is above that and far below a wrong pair
    allowed = 10 * N * ε
    top = float(xp.max(xp.abs(λ)))
    worst = float(xp.max(residuals))
    if not (worst <= allowed * max(top, size) and defect <= allowed):
        raise RuntimeError(
            f"the eigen-solver failed on {name}: residual {worst:.2g} where {allowed * max(top, size):.2g} is allowed, "
            f"orthonormality defect {defect:.2g} where {allowed:.2g} is; try another device or solver version"
        )
    low = float(λ[0])
    if low < -allowed * max(top, size):
        raise ValueError(
            f"{name} has the eigenvalue {low:.2g} beside {top:.2g}; expected a positive semi-definite Gram matrix"
        )
    return Modes(xp.clip(λ, 0.0, None), V, residuals)


def is_singular(values: Array) -> bool:
    """Whether the smallest of ascending `values` (N,) is within eigh's rounding, N ε times the largest, of zero."""
    ε = float(array_namespace(values).finfo(values.dtype).eps)
    return float(values[0]) <= values.shape[0] * ε * float(values[-1])
