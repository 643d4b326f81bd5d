"""The convex program of a two-layer ReLU network (Pilanci & Ergen 2020, eq. 8; 2002.10553), its objective and network.

    p* = min Σ_k L(f_k, y_k) + β Σ_p (‖v_p‖ + ‖w_p‖),   f = Σ_p D_p X (v_p − w_p),
         (2D_p − I) X v_p ≥ 0,  (2D_p − I) X w_p ≥ 0              (no cones if gated)

over given patterns D (n, P) of {0, 1}. The network f = Σ_j (X u_j)_+ a_j with weight penalty β/2 (‖U‖² + ‖a‖²) has the
same value at (u, a) = (v/√‖v‖, √‖v‖) for v_p ≠ 0 and (w/√‖w‖, −√‖w‖) for w_p ≠ 0. Several outputs, y (n, c), are c
programs side by side that share X and D: one network each, not the nuclear-norm program of vector outputs.
Sum losses, no 1/n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, to_numpy
from corollary.theory.convex_relu import losses


@dataclass(frozen=True)
class Problem:
    """Checked data: X (n, d), y (n, c), β > 0, D (n, P) in the dtype of X, `flat`: y was given as (n,)."""

    X: Array
    y: Array
    beta: float
    D: Array
    loss: losses.Loss
    gated: bool
    flat: bool

    def fit(self, V: Array, W: Array) -> Array:
        """f (n, c) for V, W (d, P, c)."""
        xp = array_namespace(self.X)
        d, P, c = V.shape
        response = xp.reshape(xp.matmul(self.X, xp.reshape(V - W, (d, P * c))), (self.X.shape[0], P, c))
        return xp.sum(self.D[:, :, None] * response, axis=1)

    def penalty(self, V: Array, W: Array) -> Array:
        """Σ ‖v_p‖ + ‖w_p‖ per output (c,)."""
        xp = array_namespace(V)
        return xp.sum(xp.sqrt(xp.sum(V * V, axis=0)) + xp.sqrt(xp.sum(W * W, axis=0)), axis=0)

    def objective(self, V: Array, W: Array) -> Array:
        """Per output (c,)."""
        return losses.value(self.loss, self.fit(V, W), self.y) + self.beta * self.penalty(V, W)

    def violation(self, V: Array, W: Array) -> float:
        """max −(2D − 1) x·v / (‖x‖ ‖v‖) over points, patterns and signs; 0 if all cones hold."""
        if self.gated:
            return 0.0
        xp = array_namespace(self.X)
        worst = 0.0
        row = xp.sqrt(xp.sum(self.X * self.X, axis=1))
        row = xp.where(row > 0, row, xp.ones_like(row))
        E = 2 * self.D - 1
        for U in (V, W):
            size = xp.sqrt(xp.sum(U * U, axis=0))
            for k in range(U.shape[2]):
                scale = xp.where(size[:, k] > 0, size[:, k], xp.ones_like(size[:, k]))
                inside = E * xp.matmul(self.X, U[:, :, k] / scale) / row[:, None]
                worst = max(worst, -float(xp.min(inside)))
        return worst


def checked(X: Array, y: Array, beta: float, D: Array, loss: str = "squared", gated: bool = False) -> Problem:
    """`Problem`, or TypeError / ValueError saying what was passed, what was expected and what to do."""
    xp = require_floating("X", X, ndim=2)
    require_floating("y", y)
    array_namespace(X, y)
    n = X.shape[0]
    if loss not in losses.LOSSES:
        raise ValueError(f"loss = {loss!r}; expected one of {', '.join(losses.LOSSES)}")
    if y.ndim not in (1, 2) or y.shape[0] != n:
        raise ValueError(f"y has shape {tuple(y.shape)}; expected ({n},) or ({n}, outputs), one row a row of X")
    if X.dtype != y.dtype:
        raise TypeError(f"y is {y.dtype}, X is {X.dtype}; use one dtype for both")
    if loss != "squared" and not bool(xp.all(xp.abs(y) == 1)):
        other = sorted({float(v) for v in np.ravel(to_numpy(y))} - {-1.0, 1.0})[:5]
        raise ValueError(
            f"y holds {', '.join(f'{v:g}' for v in other)}; the {loss} loss takes labels -1 and 1, e.g. 2*y-1 for 0, 1"
        )
    check_beta(beta)
    patterns = check_patterns(X, D)
    return Problem(X, xp.reshape(y, (n, -1)), float(beta), patterns, loss, bool(gated), y.ndim == 1)  # pyright: ignore[reportArgumentType]


def check_beta(beta: float) -> None:
    """Raise ValueError unless β is a finite number > 0."""
    if isinstance(beta, bool) or not isinstance(beta, int | float | np.floating | np.integer):
        raise TypeError(f"beta = {beta!r}; expected a number > 0")
    if not (math.isfinite(beta) and beta > 0):
        raise ValueError(
            f"beta = {beta!r}; expected a finite number > 0: without the weight penalty the program has no finite dual "
            "bound; a small one, such as 1e-6 * critical_beta(X, y, D), is nearly unregularised"
        )


def check_tol(tol: float) -> None:
    """Raise ValueError unless tol is a relative gap."""
    if isinstance(tol, bool) or not (isinstance(tol, float | np.floating) and 0 < tol < 1):
        raise ValueError(f"tol = {tol!r}; expected a relative gap between 0 and 1, such as 1e-6")


def check_patterns(X: Array, D: Array) -> Array:
    """D as floats of the dtype of X, after checking that it is (n, P ≥ 1) of {0, 1}."""
    xp = array_namespace(X, D)
    n = X.shape[0]
    if D.ndim != 2 or D.shape[0] != n or D.shape[1] < 1:
        raise ValueError(
            f"D has shape {tuple(D.shape)}; expected ({n}, P), one row a row of X, as sample_patterns(X, …) gives it"
        )
    patterns = xp.astype(D, X.dtype)
    if not bool(xp.all((patterns == 0) | (patterns == 1))):
        raise ValueError("D holds entries other than 0 and 1; expected the activation patterns 1[X g >= 0]")
    return patterns


class Network(NamedTuple):
    """f(x) = Σ_j (x·u_j)_+ a_j: U (d, m), a (m, c). Gated: (x·u_j) 1[x·g_j ≥ 0], G (d, m), else G is None.

    data: the inputs it was fitted on, which `prune` keeps the predictions at."""

    U: Array
    a: Array
    G: Array | None = None
    flat: bool = True
    data: Array | None = None

    def predict(self, X: Array) -> Array:
        """(N,) or (N, c) at inputs X (N, d)."""
        xp = require_floating("X", X, ndim=2)
        array_namespace(X, self.U)
        if X.shape[1] != self.U.shape[0]:
            raise ValueError(f"X has {X.shape[1]} columns; this network was fitted on {self.U.shape[0]}")
        z = xp.matmul(X, self.U)
        if self.G is None:
            z = xp.clip(z, 0, None)
        else:
            z = z * xp.astype(xp.matmul(X, self.G) >= 0, X.dtype)
        out = xp.matmul(z, self.a)
        return out[:, 0] if self.flat else out

    def weight_penalty(self) -> float:
        """½ (‖U‖² + ‖a‖²)."""
        xp = array_namespace(self.U)
        return float(xp.sum(self.U**2) + xp.sum(self.a**2)) / 2

    def prune(self, X: Array | None = None, tol: float = 1e-10) -> Network:
        """At most rank Z neurons an output with the same predictions on X (default: the data): `pruning.prune`."""
        from corollary.theory.convex_relu.pruning import prune

        inputs = self.data if X is None else X
        if inputs is None:
            raise ValueError("this network does not know its data; pass X, the inputs whose predictions must stay")
        return prune(self, inputs, tol)  # pyright: ignore[reportReturnType, reportArgumentType]  (seen through two paths)


def network(V: Array, W: Array, G: Array | None = None, *, flat: bool = False, data: Array | None = None) -> Network:
    """The network of (V, W) (d, P, c): one neuron for each nonzero v_p and w_p; G (d, P) the gates of a gated one."""
    xp = array_namespace(V)
    columns, heads, gates = [], [], []
    c = V.shape[2]
    for k in range(c):
        for sign, U in ((1.0, V[:, :, k]), (-1.0, W[:, :, k])):
            size = xp.sqrt(xp.sum(U * U, axis=0))
            keep = np.flatnonzero(to_numpy(size) > 0)
            if not keep.size:
                continue
            index = xp.asarray(keep, device=device(V))
            root = xp.sqrt(xp.take(size, index, axis=0))
            columns.append(xp.take(U, index, axis=1) / root)
            head = xp.zeros((len(keep), c), dtype=V.dtype, device=device(V))
            head[:, k] = sign * root
            heads.append(head)
            if G is not None:
                gates.append(xp.take(G, index, axis=1))
    if not columns:
        empty = xp.zeros((V.shape[0], 0), dtype=V.dtype, device=device(V))
        return Network(
            empty, xp.zeros((0, c), dtype=V.dtype, device=device(V)), None if G is None else empty, flat, data
        )
    return Network(
        xp.concat(columns, axis=1),
        xp.concat(heads, axis=0),
        None if G is None else xp.concat(gates, axis=1),
        flat,
        data,
    )
