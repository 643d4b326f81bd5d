"""The adversarially robust program in the shape the interior point method takes; `robust` says what it means.

Variables, stacked: u (G, d), t (G,) ≥ ‖u_g‖; for the attack norm's dual norm ‖·‖_*
    a: bounds of ‖u_g‖_*  (p = ∞: a_g ∈ R^d with |u_g| ≤ a_g, summed; p = 1: a scalar; p = 2: t itself)
    b: the same for r_k = Σ_g s_g d_kg u_g, a vector a point (p = 2: a scalar with a cone of its own)
    q: one number a point, for the loss.
Host only, sparse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sparse

from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.interior_point import Cone, Scaling, Vector


class RobustProgram:
    """Implements `interior_point.Program` for signed patterns Ds (n, 2P) = [D, −D]."""

    def __init__(
        self, X: np.ndarray, y: np.ndarray, beta: float, D: np.ndarray, radius: float, loss: losses.Loss, norm: float
    ) -> None:
        self.y, self.beta, self.loss, self.norm = y, beta, loss, norm
        n, d = X.shape
        self.n, self.d, P = n, d, D.shape[1]
        self.G = G = 2 * P
        self.signed = np.concatenate([D, -D], axis=1)
        E = np.concatenate([2 * D - 1] * 2, axis=1)
        width = {np.inf: d, 1.0: 1, 2.0: 0}[norm]
        point_width = max(width, 1)
        sizes = [G * d, G, G * width, n * point_width, n]
        self.at = np.concatenate([[0], np.cumsum(sizes)])
        self.dim = int(self.at[-1])
        U, T, A, B, Q = (self._select(i) for i in range(5))
        self.U, self.B, self.Q = U, B, Q
        R = sparse.kron(sparse.csr_matrix(self.signed), sparse.eye(d)) @ U  # r_k, stacked (n·d)
        F = sparse.csr_matrix(np.concatenate([self.signed[:, [g]] * X for g in range(G)], axis=1)) @ U  # f
        summed = sparse.kron(sparse.eye(G), np.ones((1, width))) @ A if width else T
        rows: list[Any] = [
            sparse.kron(sparse.eye(G), X).multiply(E.T.reshape(-1, 1)).tocsr() @ U
            - radius * sparse.kron(sparse.eye(G), np.ones((n, 1))) @ summed
        ]
        self.shift: list[np.ndarray] = [np.zeros(G * n)]
        if width:  # |u| ≤ a and |r| ≤ b entrywise
            spread = A if width == d else sparse.kron(sparse.eye(G), np.ones((d, 1))) @ A
            wide = B if width == d else sparse.kron(sparse.eye(n), np.ones((d, 1))) @ B
            rows += [spread - U, spread + U, wide - R, wide + R]
            self.shift += [np.zeros(G * d)] * 2 + [np.zeros(n * d)] * 2
        worst = radius * sparse.kron(sparse.eye(n), np.ones((1, point_width))) @ B
        signs = sparse.diags(y) @ F
        if loss == "squared":  # q ≥ |f − y| + ε‖r‖
            rows += [Q - F - worst, Q + F - worst]
            self.shift += [y, -y]
        elif loss == "hinge":  # q ≥ 0, q ≥ 1 − y f + ε‖r‖
            rows += [Q, Q + signs - worst]
            self.shift += [np.zeros(n), -np.ones(n)]
        else:  # q ≤ y f − ε‖r‖
            rows += [signs - worst - Q]
            self.shift += [np.zeros(n)]
        self.counts = np.cumsum([0] + [len(s) for s in self.shift])
        self.line = sparse.vstack(rows).tocsr()
        self.line_shift = np.concatenate(self.shift)
        blocks = [_interleave(T, U, G, d)]
        if norm == 2.0:
            blocks.append(_interleave(B, R, n, d))
        self.soc = sparse.vstack(blocks).tocsr()
        self.cones = sum(int(block.shape[0]) for block in blocks) // (d + 1)

    def _select(self, i: int) -> Any:
        a, b = int(self.at[i]), int(self.at[i + 1])
        return sparse.eye(b - a, self.dim, k=a, format="csr")

    def block(self, z: np.ndarray, i: int) -> np.ndarray:
        """Rows of kind i of the line cone."""
        return z[self.counts[i] : self.counts[i + 1]]

    def objective(self, x: Vector) -> float:
        q = x[self.at[4] :]
        value = {"squared": lambda: np.sum(q**2) / 2, "hinge": lambda: np.sum(q),
                 "logistic": lambda: np.sum(np.logaddexp(0, -q))}[self.loss]()  # fmt: skip
        return float(value + self.beta * np.sum(x[self.at[1] : self.at[2]]))

    def gradient(self, x: Vector) -> Vector:
        out = np.zeros(self.dim)
        out[self.at[1] : self.at[2]] = self.beta
        q = x[self.at[4] :]
        slope = {"squared": lambda: q, "hinge": lambda: np.ones_like(q),
                 "logistic": lambda: -np.exp(-np.logaddexp(0, q))}[self.loss]()  # fmt: skip
        out[self.at[4] :] = slope
        return out

    def cone(self, x: Vector) -> Cone:
        out = self.linear(x)
        return Cone(out.line + self.line_shift, out.soc)

    def linear(self, dx: Vector) -> Cone:
        return Cone(self.line @ dx, (self.soc @ dx).reshape(self.cones, self.d + 1))

    def adjoint(self, z: Cone) -> Vector:
        return self.line.T @ z.line + self.soc.T @ z.soc.ravel()

    def factor(self, x: Vector, scaling: Scaling) -> Callable[[Vector], Vector]:
        weight = scaling.line**-2
        w = scaling.w.copy()
        w[:, 1:] *= -1
        J = -np.eye(self.d + 1)
        J[0, 0] = 1
        blocks = (2 * w[:, :, None] * w[:, None, :] - J) / (scaling.eta**2)[:, :, None]
        W2 = sparse.block_diag(list(blocks), format="csr")
        H = (self.line.T @ sparse.diags(weight) @ self.line + self.soc.T @ W2 @ self.soc).toarray()
        q = x[self.at[4] :]
        curved = {"squared": lambda: np.ones_like(q), "hinge": lambda: np.zeros_like(q),
                  "logistic": lambda: np.exp(-np.logaddexp(0, q) - np.logaddexp(0, -q))}[self.loss]()  # fmt: skip
        H[np.arange(self.at[4], self.dim), np.arange(self.at[4], self.dim)] += curved
        size = np.sqrt(np.diag(H))
        unit = H / size[:, None] / size
        unit[np.diag_indices(self.dim)] += 1e-14  # as in `structured`
        C = scipy.linalg.cho_factor(unit, lower=True, check_finite=False)

        def solve(b: Vector) -> Vector:
            v = scipy.linalg.cho_solve(C, b / size, check_finite=False) / size
            for _ in range(3):
                v = v + scipy.linalg.cho_solve(C, (b - H @ v) / size, check_finite=False) / size
            return v

        return solve


def _interleave(head: Any, tail: Any, count: int, d: int) -> Any:
    """Rows (head_i, tail_i1 … tail_id) for i = 1 … count."""
    both = sparse.vstack([head, tail]).tocsr()
    order = np.concatenate([[i, *(count + d * i + np.arange(d))] for i in range(count)])
    return both[order]
