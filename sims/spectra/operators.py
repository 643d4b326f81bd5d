"""Anything symmetric that multiplies vectors, seen through one protocol: n, the array namespace, and matmat.

`as_operator` takes a dense array (NumPy, CuPy), a SciPy or CuPy sparse matrix or LinearOperator, an object with `shape`
that is called with V (n, k) (`sims.common.curvature.Curvature`), or a plain callable together with `n`. It checks with
two random vectors that products are finite and symmetric before anything is computed with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corollary.arrays import Array, Namespace, array_namespace, device, to_numpy


@dataclass
class Operator:
    """A symmetric n × n operator; `matmat` takes and returns arrays (n, k) like `example`, and counts its products."""

    n: int
    product: Callable[[Array], Array]
    example: Array  # decides namespace, dtype and device
    products: int = field(default=0)

    @property
    def xp(self) -> Namespace:
        return array_namespace(self.example)

    def matmat(self, V: Array) -> Array:
        """A V for V (n, k). Raises ValueError for a product of another shape, FloatingPointError for NaN."""
        out = self.product(V)
        self.products += V.shape[1]
        if tuple(getattr(out, "shape", ())) != tuple(V.shape):
            raise ValueError(
                f"the operator returned shape {tuple(getattr(out, 'shape', ()))} for V of shape {tuple(V.shape)}; "
                "expected the same shape: a callable takes (n, k) and returns (n, k)"
            )
        if not bool(self.xp.all(self.xp.isfinite(out))):
            raise FloatingPointError("the operator returned NaN or infinity; expected finite products")
        return out

    def host_to_device(self, V: np.ndarray) -> Array:
        """Host numbers in the dtype and on the device of the operator."""
        return self.xp.asarray(V.astype(str(self.example.dtype).rpartition(".")[2]), device=device(self.example))


def as_operator(A: Any, n: int | None = None, like: Array | None = None) -> Operator:
    """`A` as an Operator (see the module). `n` belongs to plain callables, and only there.

    like: an array whose library, dtype and device the vectors shall have; unless given, those of a dense A, of CuPy for
    what cupyx made, else float64 (or A's own dtype) on NumPy. Whole numbers and bool are taken as float64.
    Raises TypeError for what multiplies nothing, ValueError for shapes that are not square, non-finite products, and
    operators that are not symmetric.
    """
    if isinstance(A, Operator):
        return A
    shape = getattr(A, "shape", None)
    if shape is None:
        if not callable(A):
            raise TypeError(f"expected a matrix, LinearOperator or callable, got {type(A).__name__}")
        if n is None:
            raise ValueError("a callable does not tell its size; pass n=")
        shape = (n, n)
    elif n is not None and tuple(shape) != (n, n):
        raise ValueError(f"n = {n}, but the operator has shape {tuple(shape)}; leave n out")
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
        raise ValueError(f"the operator has shape {tuple(shape)}; expected (n, n)")
    example = _example(A) if like is None else like
    try:
        xp = array_namespace(A)
        A = xp.astype(A, example.dtype) if xp.isdtype(A.dtype, ("integral", "bool")) else A
    except TypeError:  # no array: its own product takes floats
        pass
    operator = Operator(int(shape[0]), _product(A), example)
    _require_symmetric(operator)
    operator.products = 0
    return operator


def _product(A: Any) -> Callable[[Array], Array]:
    if hasattr(A, "__matmul__"):
        return lambda V: A @ V
    if callable(A):
        return A
    raise TypeError(f"{type(A).__name__} has neither @ nor a call; expected something that multiplies vectors")


def _example(A: Any) -> Array:
    inner = getattr(A, "x", None)  # a Curvature works where its data are
    for candidate in (A, inner):
        try:
            xp = array_namespace(candidate)
        except TypeError:
            continue
        assert candidate is not None
        dtype = xp.float64 if xp.isdtype(candidate.dtype, ("integral", "bool")) else candidate.dtype
        if dtype not in (xp.float32, xp.float64):
            raise TypeError(f"the matrix has dtype {dtype}; expected float64 or float32: cast it with .astype")
        return xp.zeros(1, dtype=dtype, device=device(candidate))
    dtype = np.dtype(getattr(A, "dtype", None) or float)
    dtype = np.dtype(float) if dtype.kind in "iub" else dtype
    if dtype not in (np.dtype("float32"), np.dtype("float64")):
        raise TypeError(f"the operator has dtype {dtype}; expected float64 or float32: cast it with .astype")
    if type(A).__module__.startswith("cupy"):
        import cupy  # pyright: ignore[reportMissingImports]

        return cupy.zeros(1, dtype=dtype)
    return np.zeros(1, dtype=dtype)


def _require_symmetric(operator: Operator) -> None:
    """u·Av = v·Au for two fixed random vectors: an asymmetry of generic direction cannot hide from them."""
    xp = operator.xp
    V = operator.host_to_device(np.random.default_rng(20201).standard_normal((operator.n, 2)))
    AV = operator.matmat(V)
    gram = to_numpy(xp.matmul(xp.matrix_transpose(V), AV)).astype(float)
    eps = float(xp.finfo(V.dtype).eps)
    # each entry of the gram matrix carries a rounding of eps √n ‖v‖ ‖Av‖; a hundred of those is an asymmetry
    size = to_numpy(xp.sqrt(xp.sum(V * V, axis=0)))[0] * to_numpy(xp.sqrt(xp.sum(AV * AV, axis=0))).max()
    if abs(gram[0, 1] - gram[1, 0]) > 100 * eps * np.sqrt(operator.n) * size:
        raise ValueError(
            f"the operator is not symmetric: u·Av = {gram[0, 1]:.6g}, v·Au = {gram[1, 0]:.6g} for random u, v; "
            "these estimators need A = Aᵀ (use AᵀA, or (A + Aᵀ)/2)"
        )
