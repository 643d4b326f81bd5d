r"""The empirical tangent kernel of the user's own network, through its jvp and vjp, or its vjp alone.

Θ_{(i,k),(j,m)} = ⟨∂_θ f_k(x_i), ∂_θ f_m(x'_j)⟩ (Jacot, Gabriel, Hongler 2018, Section 4) at the present parameters.
The callables take and return arrays of one kind, so that models of JAX or PyTorch stay in their own environment with a
conversion to NumPy at the border; parameters never leave the callables but as one flat vector.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def tangent_kernel(
    vjp: Callable[[np.ndarray, np.ndarray], np.ndarray],
    x1: np.ndarray,
    x2: np.ndarray | None = None,
    *,
    outputs: int = 1,
    jvp: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Θ (n1, outputs, n2, outputs), host array.

    vjp(x, c): Σ_{i,k} c[i,k] ∂_θ f_k(x_i), one flat vector (parameters,), for x (n, ...), c (n, outputs).
    jvp(x, v): ∂_v f(x) (n, outputs) for a flat v. With it the memory is one parameter vector, column by column;
    without it the gradients at x1 and x2 are held, (n · outputs, parameters). Raises ValueError for callables that
    return other shapes or numbers that are not finite, and for outputs < 1.
    """
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise ValueError(f"outputs is {outputs!r}; expected the number of outputs, an integer >= 1")
    other = x1 if x2 is None else x2
    right = (_gradient(vjp, other, j, m, outputs) for j in range(len(other)) for m in range(outputs))
    if jvp is not None:
        columns = []
        for g in right:
            column = np.asarray(jvp(x1, g))
            if column.shape != (len(x1), outputs) or not np.all(np.isfinite(column)):
                raise ValueError(f"jvp gave shape {column.shape}; expected finite numbers, ({len(x1)}, {outputs})")
            columns.append(column.reshape(-1))
        flat = np.stack(columns, axis=1)
    else:
        R = np.stack(list(right))
        L = R if x2 is None else np.stack(
            [_gradient(vjp, x1, i, k, outputs) for i in range(len(x1)) for k in range(outputs)]
        )  # fmt: skip
        flat = L @ R.T
    if x2 is None:
        flat = (flat + flat.T) / 2
    return flat.reshape(len(x1), outputs, len(other), outputs)


def _gradient(vjp: Callable, x: np.ndarray, i: int, k: int, outputs: int) -> np.ndarray:
    cotangent = np.zeros((1, outputs), dtype=x.dtype)
    cotangent[0, k] = 1
    g = np.asarray(vjp(x[i : i + 1], cotangent))
    if g.ndim != 1 or not np.all(np.isfinite(g)):
        raise ValueError(
            f"vjp gave an array of shape {g.shape}; expected finite numbers, one flat vector (parameters,)"
        )
    return g
