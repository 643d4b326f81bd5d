"""All solutions at once: Mishkin & Pilanci 2023 (2306.00119), Section 3.

For a strictly convex loss the fit f* and ν = −∂L(f*) are unique. With q_i = Proj_{K_i}(±Xᵀ D_i ν) a group can be in
use only where ‖q_i‖ = β, and then points along q_i: the optimal set is the polytope

    { v_i = α_i q_i/‖q_i‖ :  α ≥ 0,  Z α = f* },   Z = [±D_i X q_i/‖q_i‖]_{‖q_i‖ = β}.

Its vertices are the minimal networks (independent columns, at most rank Z ≤ n neurons); the minimum-norm solution is a
quadratic program in α; the solution is unique iff no null vector of Z keeps α ≥ 0. Cones that share a boundary ray
give the same neuron twice; such columns are merged. Host only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corollary.arrays import to_numpy
from corollary.theory.convex_relu.cones import project
from corollary.theory.convex_relu.problem import Network
from corollary.theory.convex_relu.pruning import keep_independent
from corollary.theory.convex_relu.solve import NotConverged, Solution, solve

_RESOLVE = 1e-12


@dataclass(frozen=True)
class OptimalSet:
    """directions (d, m) of unit length, signs (m,) ±1, patterns (m,) (one index of D each), columns Z (n, m), fit f*
    (n,), nu (n,), total T = Σ α of every solution; `flat` as in the solution's data."""

    directions: np.ndarray
    signs: np.ndarray
    patterns: np.ndarray
    columns: np.ndarray
    fit: np.ndarray
    nu: np.ndarray
    total: float

    @property
    def rank(self) -> int:
        """rank Z: the most neurons a minimal solution has."""
        return int(np.linalg.matrix_rank(self.columns, tol=1e-8)) if self.columns.size else 0

    @property
    def dimension(self) -> int:
        """Dimension of the polytope; 0 iff the solution is unique (neurons counted once, see module)."""
        if not self.columns.shape[1]:
            return 0
        top = [self._extreme(np.eye(len(self.signs))[i]) for i in range(len(self.signs))]
        inside = np.mean(top, axis=0)  # positive wherever some solution is
        live = inside > 1e-9 * max(self.total, 1e-300)
        return int(np.sum(live)) - int(np.linalg.matrix_rank(self.columns[:, live], tol=1e-8))

    @property
    def unique(self) -> bool:
        return self.dimension == 0

    def minimal(self, rng: np.random.Generator) -> np.ndarray:
        """α (m,) of a random vertex: a minimal solution, which no neuron can be left out of."""
        alpha = self._extreme(rng.standard_normal(len(self.signs)))
        alive = np.flatnonzero(alpha > 1e-9 * max(self.total, 1e-300))
        out = np.zeros_like(alpha)
        out[alive] = alpha[alive] * keep_independent(self.columns[:, alive] * alpha[alive], alpha[alive])
        return out

    def minimum_norm(self) -> np.ndarray:
        """α (m,) of least ‖α‖₂ (least Σ ‖v_i‖²) among all solutions, by Newton on its dual α = (Zᵀλ)_+."""
        if not self.columns.shape[1]:
            return np.zeros(0)
        U, s, _ = np.linalg.svd(self.columns, full_matrices=False)
        basis = U[:, s > 1e-10 * s[0]]
        Z, f = basis.T @ self.columns, basis.T @ self.fit
        lam = np.linalg.lstsq(Z @ Z.T, f, rcond=None)[0]
        scale = np.linalg.norm(f)

        def dual(l: np.ndarray) -> float:
            return float(f @ l - np.sum(np.maximum(Z.T @ l, 0) ** 2) / 2)

        for _ in range(200):
            alpha = np.maximum(Z.T @ lam, 0)
            r = f - Z @ alpha
            if np.linalg.norm(r) <= 1e-13 * scale:
                break
            on = Z[:, alpha > 0]
            H = on @ on.T
            move = np.linalg.solve(H + 1e-12 * max(np.trace(Z @ Z.T) / len(H), 1e-300) * np.eye(len(H)), r)
            step, here = 1.0, dual(lam)
            while dual(lam + step * move) < here + 1e-4 * step * float(r @ move) and step > 1e-12:
                step /= 2
            lam = lam + step * move
        return np.maximum(Z.T @ lam, 0)

    def network(self, alpha: np.ndarray) -> Network:
        """The network of one solution: neuron i is (√α_i q̂_i, ±√α_i)."""
        if alpha.shape != self.signs.shape or np.any(alpha < 0):
            raise ValueError(f"alpha has shape {alpha.shape}, least entry {np.min(alpha, initial=0):g}; expected "
                             f"({len(self.signs)},) and >= 0")  # fmt: skip
        alive = np.flatnonzero(alpha > 0)
        root = np.sqrt(alpha[alive])
        return Network(self.directions[:, alive] * root, (self.signs[alive] * root)[:, None], None, True)

    def _extreme(self, cost: np.ndarray) -> np.ndarray:
        """The vertex that maximises cost·α."""
        from scipy.optimize import linprog

        scale = max(float(np.max(np.abs(self.fit))), 1e-300)
        # the fit lies in the cone of the columns to the accuracy of the solution only, and a gap of 1e-12 (rounding
        # leaves that) allows a fit 1e-6 off: try the tightest first
        for slack in (1e-9, 1e-7, 1e-6, 1e-5):
            found = linprog(
                -cost,
                A_ub=np.concatenate([self.columns, -self.columns]),
                b_ub=np.concatenate([self.fit, -self.fit]) / scale + slack,
                bounds=(0, None),
                method="highs-ds",
            )
            if found.x is not None:
                break
        if found.x is None:  # pyright: ignore[reportPossiblyUnboundVariable]
            raise RuntimeError(
                "f* is not in the cone of the optimal directions to 1e-5: the solution is too coarse; pass one solved "
                "to a smaller tol"
            )
        alive = np.flatnonzero(found.x > 1e-7 * np.max(found.x))
        out = np.zeros(len(cost))
        if alive.size:  # the vertex's support is exact, its values are not: solve for them
            out[alive] = np.maximum(np.linalg.lstsq(self.columns[:, alive], self.fit, rcond=None)[0], 0)
        return out


def optimal_set(sol: Solution, tol: float | None = None) -> OptimalSet:
    """The polytope of all solutions of sol's program (sampled patterns, or all), re-solved to a gap near rounding.

    tol: ‖q_i‖ ≥ β (1 − tol) counts as β; default: what the certified gap allows, since ‖ν − ν*‖² ≤ 2 gap for the
    squared loss. Raises ValueError for the hinge (its fit is not unique), gated programs and several outputs.
    """
    problem = sol.problem
    if problem.loss == "hinge":
        raise ValueError(
            "the hinge loss has no unique fit, so its optimal set is no polytope in α; use squared or logistic"
        )
    if problem.gated or not problem.flat:
        raise ValueError("optimal_set takes a ReLU program (gated=False) with one output, y (n,)")
    y = problem.y[:, 0]
    best = sol
    if sol.certificate.relative > _RESOLVE:
        try:
            best = solve(problem.X, y, problem.beta, problem.D, problem.loss, False, _RESOLVE, "interior-point")
        except NotConverged as stopped:
            best = stopped.solution if stopped.solution.certificate.relative < sol.certificate.relative else sol
    X, targets, D = (to_numpy(a).astype(float) for a in (problem.X, y, problem.D))
    V, W = to_numpy(best.V).astype(float), to_numpy(best.W).astype(float)
    fit = np.sum(X * (D @ (V - W).T), axis=1)
    from corollary.theory.convex_relu import losses

    nu = np.asarray(losses.dual_point(problem.loss, fit, targets))
    if tol is None:
        tol = max(1e-7, float(np.linalg.norm(X, 2)) * np.sqrt(2 * max(best.certificate.gap, 0.0)) / problem.beta)
    kept: list[tuple[np.ndarray, float, int, np.ndarray]] = []
    c = X.T @ (D * nu[:, None])
    for sign in (1.0, -1.0):
        for p in range(D.shape[1]):
            if np.linalg.norm(c[:, p]) < problem.beta * (1 - tol):
                continue
            q, _ = project((2 * D[:, p] - 1)[:, None] * X, sign * c[:, p])
            size = np.linalg.norm(q)
            if size < problem.beta * (1 - tol):
                continue
            unit = q / size
            if any(s == sign and np.linalg.norm(unit - u) <= 1e-7 for u, s, _, _ in kept):
                continue
            kept.append((unit, sign, p, sign * D[:, p] * (X @ unit)))
    total = float(np.sum(np.linalg.norm(V, axis=0)) + np.sum(np.linalg.norm(W, axis=0)))
    n, d = X.shape
    if not kept:
        return OptimalSet(np.zeros((d, 0)), np.zeros(0), np.zeros(0, int), np.zeros((n, 0)), fit, nu, total)
    u, s, p, z = zip(*kept, strict=True)
    return OptimalSet(np.stack(u, 1), np.array(s), np.array(p), np.stack(z, 1), fit, nu, total)
