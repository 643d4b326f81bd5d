"""The Newton system of the convex program, solved through n × n matrices: what makes interior points affordable here.

min L(f) + β Σ_g t_g,  f = Σ_g F_g u_g,  F_g = ±D_g X,  |u_g| ≤ t_g,  E_g X u_g ≥ 0  (E = 2D − 1; no cones if gated)

has 2P groups of d unknowns, but F couples them through n numbers only. With H = blockdiag(H_g) from the cones,

    (H + Fᵀ Λ F)⁻¹ = H⁻¹ − H⁻¹ Fᵀ (Λ⁻¹ + F H⁻¹ Fᵀ)⁻¹ F H⁻¹,   F H⁻¹ Fᵀ = Σ_p D_p X (H_{p+}⁻¹ + H_{p−}⁻¹) Xᵀ D_p,

so a step costs O(P n² d + G n d²) in place of O((G d)³). G_gᵀ W G_g = Xᵀ W X because E² = 1. The hinge adds one slack
ξ_k ≥ 0, ξ_k ≥ 1 − y_k f_k per point, which Λ absorbs. Host only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.interior_point import Cone, Scaling, Vector

_CHUNK = 2**25  # entries of a temporary of the n × n sum (256 MiB)
_SHIFT = 1e-14  # of H_g, scaled to unit diagonal: keeps its Cholesky factor real when it spans 20 orders of magnitude
_DENSE = 800  # unknowns up to which one dense factor is as fast
_REFINE = 12  # conjugate gradient steps at most; near the solution about ten bring 1e-13, far from it two


class Structured:
    """The program for the groups (pattern[g], sign[g]) of D, implementing `interior_point.Program`.

    X (n, d), y (n,), D (n, P) float of {0, 1}; x = (u (G, d), t (G,), ξ (n,) for the hinge), flat.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        beta: float,
        D: np.ndarray,
        pattern: np.ndarray,
        sign: np.ndarray,
        loss: losses.Loss,
        gated: bool,
    ) -> None:
        self.X, self.y, self.beta, self.gated = X, y, beta, gated
        self.loss: losses.Loss = loss
        self.n, self.d = X.shape
        self.used, self.of = np.unique(pattern, return_inverse=True)
        self.DT = np.ascontiguousarray(D.T[self.used])  # (patterns, n)
        self.pattern, self.sign, self.G = pattern, sign, len(pattern)
        self.rows = np.flatnonzero(np.any(X != 0, axis=1))  # a zero row constrains nothing, and has no interior
        self.E = (2 * self.DT[self.of] - 1)[:, self.rows]
        self.XE = X[self.rows]
        r = len(self.rows)
        i, j = np.triu_indices(self.d)
        self.upper = (i, j)
        self.products = self.XE[:, i] * self.XE[:, j]  # (r, d(d+1)/2)
        self.lines = 0 if gated else self.G * r
        self.dim = self.G * (self.d + 1) + (self.n if loss == "hinge" else 0)

    def parts(self, x: Vector) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a, b = self.G * self.d, self.G * (self.d + 1)
        return x[:a].reshape(self.G, self.d), x[a:b], x[b:]

    def fit(self, u: np.ndarray) -> np.ndarray:
        """f = F u."""
        by_pattern = np.zeros((len(self.used), self.d))
        np.add.at(by_pattern, self.of, self.sign[:, None] * u)
        return np.sum(self.X * (self.DT.T @ by_pattern), axis=1)

    def features_transposed(self, q: np.ndarray) -> np.ndarray:
        """Fᵀ q, (G, d)."""
        return self.sign[:, None] * (self.DT @ (q[:, None] * self.X))[self.of]

    def gradient(self, x: Vector) -> Vector:
        u, t, xi = self.parts(x)
        if self.loss == "hinge":
            return np.concatenate([np.zeros(u.size), np.full(self.G, self.beta), np.ones(self.n)])
        slope = -losses.dual_point(self.loss, self.fit(u), self.y)
        return np.concatenate([self.features_transposed(slope).ravel(), np.full(self.G, self.beta)])

    def cone(self, x: Vector) -> Cone:
        out = self.linear(x)
        if self.loss == "hinge":
            out.line[-self.n :] -= 1
        return out

    def linear(self, dx: Vector) -> Cone:
        u, t, xi = self.parts(dx)
        line = np.zeros(0) if self.gated else (self.E * (u @ self.XE.T)).ravel()
        if self.loss == "hinge":
            line = np.concatenate([line, xi, xi + self.y * self.fit(u)])
        return Cone(line, np.concatenate([t[:, None], u], axis=1))

    def adjoint(self, z: Cone) -> Vector:
        u = z.soc[:, 1:].copy()
        if not self.gated:
            u += (self.E * z.line[: self.lines].reshape(self.G, -1)) @ self.XE
        if self.loss != "hinge":
            return np.concatenate([u.ravel(), z.soc[:, 0]])
        a, b = z.line[self.lines : -self.n], z.line[-self.n :]
        return np.concatenate([(u + self.features_transposed(self.y * b)).ravel(), z.soc[:, 0], a + b])

    def factor(self, x: Vector, scaling: Scaling) -> Callable[[Vector], Vector]:
        w0, w1 = scaling.w[:, :1], scaling.w[:, 1:]
        eta2 = scaling.eta**2
        tt = (2 * w0**2 - 1) / eta2  # of the block [[tt, tuᵀ], [tu, ·]] of W⁻²
        tu = -2 * w0 * w1 / eta2
        H = (np.eye(self.d) - 2 * w1[:, :, None] * w1[:, None, :] / (2 * w0**2 - 1)[:, :, None]) / eta2[:, :, None]
        ratio = scaling.line**-2
        if not self.gated:
            curved = ratio[: self.lines].reshape(self.G, -1) @ self.products
            i, j = self.upper
            H[:, i, j] += curved
            H[:, j, i] += np.where(i == j, 0.0, curved)
        a = b = np.ones(0)
        if self.loss == "hinge":
            a, b = ratio[self.lines : -self.n], ratio[-self.n :]
            slack = 1 / a + 1 / b
        else:
            slack = 1 / np.maximum(losses.curvature(self.loss, self.fit(self.parts(x)[0]), self.y), 1e-30)
        once = self._dense(H, slack) if self.G * self.d <= _DENSE else self._woodbury(H, slack)

        def times(v: np.ndarray) -> np.ndarray:
            out = (v - w1 * (2 * np.sum(w1 * v, axis=1, keepdims=True) / (2 * w0**2 - 1))) / eta2
            if not self.gated:
                out += (ratio[: self.lines].reshape(self.G, -1) * (v @ self.XE.T)) @ self.XE
            return out + self.features_transposed(self.fit(v) / slack)

        def solve(rhs: Vector) -> Vector:
            bu, bt, bx = self.parts(rhs)
            if self.loss == "hinge":
                bu = bu - self.features_transposed(self.y * bx * b / (a + b))
            bu = bu - tu * (bt[:, None] / tt)
            du = _refine(times, once, bu)
            dt = (bt - np.sum(tu * du, axis=1)) / tt[:, 0]
            if self.loss != "hinge":
                return np.concatenate([du.ravel(), dt])
            dxi = (bx - b * self.y * self.fit(du)) / (a + b)
            return np.concatenate([du.ravel(), dt, dxi])

        return solve

    def _woodbury(self, H: np.ndarray, slack: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """b → (H + Fᵀ diag(1/slack) F)⁻¹ b, (G, d) to (G, d), through n × n."""
        size = np.sqrt(np.diagonal(H, axis1=1, axis2=2))
        unit = H / (size[:, :, None] * size[:, None, :])
        unit[:, np.arange(self.d), np.arange(self.d)] += _SHIFT
        Li = np.linalg.inv(np.linalg.cholesky(unit)) / size[:, None, :]  # H⁻¹ = Liᵀ Li
        M = self._coupling(Li)
        M[np.diag_indices(self.n)] += slack
        small = _cholesky_solver(M, 0.0)

        def inverse(v: np.ndarray) -> np.ndarray:
            return np.matmul(Li.transpose(0, 2, 1), np.matmul(Li, v[:, :, None]))[:, :, 0]

        def once(bu: np.ndarray) -> np.ndarray:
            w = inverse(bu)
            return w - inverse(self.features_transposed(small(self.fit(w))))

        return once

    def _dense(self, H: np.ndarray, slack: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The same by one Cholesky factor: where it is small, it bears slacks of 1e-10 that M does not."""
        F = (self.sign[:, None, None] * self.DT[self.of][:, :, None] * self.X).transpose(1, 0, 2)
        F = F.reshape(self.n, -1) / np.sqrt(slack)[:, None]
        whole = F.T @ F
        for g in range(self.G):
            block = slice(g * self.d, (g + 1) * self.d)
            whole[block, block] += H[g]
        solve = _cholesky_solver(whole, _SHIFT)
        return lambda b: solve(b.ravel()).reshape(b.shape)

    def _coupling(self, Li: np.ndarray) -> np.ndarray:
        """F H⁻¹ Fᵀ, as YᵀY over blocks of patterns."""
        inverse = np.zeros((len(self.used), self.d, self.d))
        np.add.at(inverse, self.of, np.matmul(Li.transpose(0, 2, 1), Li))
        size = np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))
        C = np.linalg.cholesky(inverse / (size[:, :, None] * size[:, None, :])) * size[:, :, None]
        out = np.zeros((self.n, self.n))
        step = max(1, _CHUNK // (self.n * self.d))
        for p in range(0, len(self.used), step):
            block = np.matmul(C[p : p + step].transpose(0, 2, 1), self.X.T)  # (·, d, n)
            block *= self.DT[p : p + step, None, :]
            Y = block.reshape(-1, self.n)
            out += Y.T @ Y
        return out


def _cholesky_solver(A: np.ndarray, shift: float) -> Callable[[np.ndarray], np.ndarray]:
    """b → A⁻¹ b for symmetric positive definite A, scaled to unit diagonal."""
    size = np.sqrt(np.diag(A))
    unit = A / size[:, None] / size
    unit[np.diag_indices(len(A))] += shift
    factor = cho_factor(unit, lower=True, overwrite_a=True, check_finite=False)
    return lambda b: cho_solve(factor, b / size, check_finite=False) / size


def _refine(times: Callable[[np.ndarray], np.ndarray], near: Callable[[np.ndarray], np.ndarray], b: np.ndarray):
    """The solution of times(x) = b by conjugate gradients preconditioned with `near`, an almost exact inverse."""
    x = near(b)
    r = b - times(x)
    z = near(r)
    p, rz = z, np.sum(r * z)
    best, least, goal, stale = x, np.linalg.norm(r), 1e-13 * np.linalg.norm(b), 0
    for _ in range(_REFINE):
        if least <= goal or rz == 0 or stale == 3:
            break
        q = times(p)
        step = rz / np.sum(p * q)
        x = x + step * p
        r = b - times(x)  # not by recurrence: that drifts from the truth by what is wanted here
        size = np.linalg.norm(r)
        stale = 0 if size < 0.5 * least else stale + 1
        if size < least:
            best, least = x, size
        z = near(r)
        rz, before = np.sum(r * z), rz
        p = z + (rz / before) * p
    return best
