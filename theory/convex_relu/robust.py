"""Adversarially robust training as a convex program: Bai, Gautam & Sojoudi 2022 (2201.01965), Section 6.

Every input may move by δ, ‖δ‖_p ≤ ε. With the dual norm ‖·‖_* (1/p + 1/q = 1), E = 2D − 1 and r_k = Σ_g s_g d_kg u_g,

    min Σ_k ℓ_k + β Σ_g ‖u_g‖   subject to   E_kg x_k·u_g ≥ ε ‖u_g‖_*,
    ℓ_k = (1 − y f + ε‖r_k‖_*)_+  |  log(1 + e^{−(y f − ε‖r_k‖_*)})  |  ½ (|f − y| + ε‖r_k‖_*)²

is exactly the worst-case loss of the mapped network over the balls, because under the constraint no neuron changes sign
on any ball, so f is linear there with slope r_k. Patterns of perturbed data are not needed: a feasible u ≠ 0 has the
pattern 1[x_k·u ≥ 0] of the clean data.

What it is: the optimum among networks whose neurons keep their sign on every training ball. What it is not: the
optimum of adversarial training. Networks whose neurons change sign inside a ball can do better (tests hold an example).

Dual: with |θ_k|_p ≤ 1 (the worst perturbations) and |φ_g|_p ≤ 1, for ν, b ≥ |ν|, μ ≥ 0,
    max Σ_k c(ν_k, b_k)  s.t.  ‖Σ_k s_g d_kg (ν_k x_k − ε b_k θ_k) + Σ_k μ_gk (E_kg x_k − ε φ_g)‖ ≤ β for all g,
    c = y ν − b²/2 (squared), b (hinge, ν = y b ≤ 1), H(b) (logistic, ν = y b).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from corollary.arrays import Array, to_numpy
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.certificate import Certificate
from corollary.theory.convex_relu.interior_point import Point, central_start, interior_point
from corollary.theory.convex_relu.problem import Network, Problem, check_tol, checked, network
from corollary.theory.convex_relu.robust_program import RobustProgram
from corollary.theory.convex_relu.solve import NotConverged, Solution, solve

NORMS = {"inf": math.inf, "2": 2.0, "1": 1.0}


@dataclass(frozen=True)
class RobustSolution:
    """V, W (d, P) with E X v ≥ ε‖v‖_*; objective: worst-case loss + penalty of their network; its certificate."""

    V: np.ndarray
    W: np.ndarray
    objective: float
    certificate: Certificate
    problem: Problem = field(repr=False)
    radius: float
    norm: str

    def network(self) -> Network:
        return network(self.V[:, :, None], self.W[:, :, None], flat=True, data=self.problem.X)


def solve_robust(
    X: Array, y: Array, beta: float, D: Array, radius: float, loss: str = "hinge", norm: str = "inf", tol: float = 1e-6
) -> RobustSolution:
    """The robust program over D (n, P), y (n,), to the relative gap `tol`. Host only: O((P d + n d)³) a step.

    norm: "inf", "2" or "1", the ball of the perturbations. Raises ValueError or TypeError for bad input (as `solve`;
    radius < 0; unknown norm; several outputs), NotConverged, with the best solution, where the gap stays above tol.
    """
    x, target = to_numpy(X), to_numpy(y)
    problem = checked(x, target, beta, to_numpy(D), loss, False)
    if norm not in NORMS:
        raise ValueError(f"norm = {norm!r}; expected one of {', '.join(NORMS)}: the ball of the perturbations")
    if isinstance(radius, bool) or not (isinstance(radius, int | float | np.floating) and 0 <= radius < math.inf):
        raise ValueError(f"radius = {radius!r}; expected a number >= 0, in the units of X")
    check_tol(tol)
    if not problem.flat:
        raise ValueError("y has several outputs; solve the robust program once for each column")
    sx = float(np.sqrt(np.mean(np.sum(x.astype(float) ** 2, axis=1)))) or 1.0
    X_, y_, D_ = x.astype(float) / sx, target.astype(float), problem.D.astype(float)
    if radius == 0:
        return _clean(problem, norm, tol)
    live = np.flatnonzero(_patterns_with_room(X_, D_, radius / sx, NORMS[norm]))
    if not live.size:
        return _nothing(problem, x.shape[1], float(radius), norm)
    sy = (float(np.linalg.norm(y_)) if loss == "squared" else 1.0) or 1.0
    program = RobustProgram(X_, y_ / sy, problem.beta / (sx * sy), D_[:, live], radius / sx, problem.loss, NORMS[norm])
    best: list = []

    def watch(point: Point) -> bool:
        value = abs(program.objective(point.x))
        merit = point.complementarity / max(value, 1e-300) + point.residual
        if not best or merit < best[1]:
            best[:] = [point, merit]
        return point.complementarity <= tol / 100 * value and point.residual <= tol / 100

    interior_point(program, *central_start(program, program.dim), scale=1.0, tol=1e-14, watch=watch)
    point = best[0]
    u = point.x[: program.at[1]].reshape(-1, program.d) * (sy / sx)
    t = point.x[program.at[1] : program.at[2]]
    slack = point.z.soc[: program.G, 0] - np.linalg.norm(point.z.soc[: program.G, 1:], axis=1)
    on = t / max(float(np.max(t)), 1e-300) > slack / program.beta
    dual = _dual_value(program, point, X_, radius / sx) * sy**2
    # without the groups that are about to vanish; with them where leaving them out costs more than tol
    found: list[RobustSolution] = []
    for kept in (np.where(on[:, None], u, 0.0), u):
        d, P, half = x.shape[1], D_.shape[1], len(live)
        V, W = np.zeros((d, P)), np.zeros((d, P))
        V[:, live], W[:, live] = kept[:half].T, kept[half:].T
        primal = robust_objective(problem, V, W, radius, norm)
        violation = _robust_violation(problem, V, W, radius, norm)
        certificate = Certificate(primal, dual, primal - dual, violation, "sampled")
        found.append(RobustSolution(V, W, primal, certificate, problem, float(radius), norm))
        if certificate.relative <= tol:
            return found[-1]
    s = min(found, key=lambda f: f.certificate.gap)
    raise NotConverged(
        f"relative gap {s.certificate.relative:.1e} > tol = {tol:g}; raise tol to {2 * s.certificate.relative:.0e}, or "
        f"check that radius = {radius:g} leaves room in some cone. The best point is in .solution",
        s,
    )


def _clean(problem: Problem, norm: str, tol: float) -> RobustSolution:
    try:
        s = solve(problem.X, problem.y[:, 0], problem.beta, problem.D, problem.loss, False, tol)
    except NotConverged as stopped:
        raise NotConverged(str(stopped), _of(stopped.solution, problem, norm)) from stopped
    return _of(s, problem, norm)


def _of(s: Solution, problem: Problem, norm: str) -> RobustSolution:
    return RobustSolution(np.asarray(s.V), np.asarray(s.W), s.objective, s.certificate, problem, 0.0, norm)


def _nothing(problem: Problem, d: int, radius: float, norm: str) -> RobustSolution:
    """No neuron can keep its sign on every ball: the zero network is the only feasible one, hence optimal."""
    V = np.zeros((d, problem.D.shape[1]))
    value = robust_objective(problem, V, V, radius, norm)
    return RobustSolution(V, V.copy(), value, Certificate(value, value, 0.0, 0.0, "sampled"), problem, radius, norm)


def robust_objective(problem: Problem, V: np.ndarray, W: np.ndarray, radius: float, norm: str = "inf") -> float:
    """Worst-case loss over the balls plus penalty, for V, W (d, P) whose neurons keep their sign on every ball."""
    X, y, D = (to_numpy(a).astype(float) for a in (problem.X, problem.y, problem.D))
    r = D @ (V - W).T  # (n, d)
    f, worst = np.sum(X * r, axis=1), radius * _dual_norm(r, norm)
    target = y[:, 0]
    if problem.loss == "squared":
        value = np.sum((np.abs(f - target) + worst) ** 2) / 2
    else:
        value = losses.value(problem.loss, target * f - worst, np.ones_like(target))
    size = np.sum(np.linalg.norm(V, axis=0)) + np.sum(np.linalg.norm(W, axis=0))
    return float(value) + problem.beta * float(size)


def _dual_norm(r: np.ndarray, norm: str) -> np.ndarray:
    order = {"inf": 1, "2": 2, "1": np.inf}[norm]
    return np.linalg.norm(r, ord=order, axis=1)


def _robust_violation(problem: Problem, V: np.ndarray, W: np.ndarray, radius: float, norm: str) -> float:
    X, D = to_numpy(problem.X).astype(float), to_numpy(problem.D).astype(float)
    worst = 0.0
    row = np.maximum(np.linalg.norm(X, axis=1), 1e-300)[:, None]
    for U in (V, W):
        size = np.linalg.norm(U, axis=0)
        keep = size > 0
        if np.any(keep):
            unit = U[:, keep] / size[keep]
            inside = ((2 * D[:, keep] - 1) * (X @ unit) - radius * _dual_norm(unit.T, norm)) / row
            worst = max(worst, float(-np.min(inside)))
    return worst


def _patterns_with_room(X: np.ndarray, D: np.ndarray, radius: float, p: float) -> np.ndarray:
    """Whether some u has E x_k·u > ε‖u‖_* at every point: else only u = 0 is feasible, and the cone has no interior."""
    from scipy.optimize import linprog

    n, d = X.shape
    out = np.zeros(D.shape[1], dtype=bool)
    for i in range(D.shape[1]):
        A = (2 * D[:, [i]] - 1) * X
        if p == 2.0:  # max-margin direction by the projection of the origin: E x·u ≥ 1, least ‖u‖ < 1/ε
            from scipy.optimize import nnls

            w, _ = nnls(np.vstack([A.T, np.ones((1, n))]), np.concatenate([np.zeros(d), [1.0]]))
            u = A.T @ w
            out[i] = np.min(A @ u) > radius * np.linalg.norm(u) * (1 + 1e-9)
            continue
        # maximise m: A u ≥ m + ε Σ a, |u| ≤ a, Σ a ≤ 1 (p = ∞), or a scalar a (p = 1)
        wide = d if p == math.inf else 1
        spread = np.eye(d) if wide == d else np.ones((d, 1))
        rows = [np.hstack([-A, np.full((n, wide), radius), np.ones((n, 1))]),
                np.hstack([np.eye(d), -spread, np.zeros((d, 1))]), np.hstack([-np.eye(d), -spread, np.zeros((d, 1))]),
                np.concatenate([np.zeros(d), np.ones(wide), [0]])[None]]  # fmt: skip
        b = np.concatenate([np.zeros(n + 2 * d), [1.0]])
        cost = np.concatenate([np.zeros(d + wide), [-1.0]])
        found = linprog(cost, A_ub=np.vstack(rows), b_ub=b, bounds=[(None, None)] * (d + wide) + [(None, 1.0)])
        out[i] = found.x is not None and -found.fun > 1e-9
    return out


def _dual_value(program: RobustProgram, point: Point, X: np.ndarray, radius: float) -> float:
    """A rigorous dual value from the multipliers: forced into their sets, then scaled into the norm constraints."""
    n, d, G, p = program.n, program.d, program.G, program.norm
    z, y, loss = point.z, program.y, program.loss
    mu = program.block(z.line, 0).reshape(G, n)
    first = 5 if p != 2.0 else 1
    if loss == "squared":
        lower, upper = program.block(z.line, first), program.block(z.line, first + 1)
        b, nu = lower + upper, lower - upper
        nu = -nu  # rows q − f + y and q + f − y: raising f presses on the first
    elif loss == "hinge":
        b = np.clip(program.block(z.line, first + 1), 0, 1)
        nu = y * b
    else:
        b = np.clip(program.block(z.line, first), 0, 1)
        nu = y * b
    if p == 2.0:
        omega, psi = -z.soc[G:, 1:], np.zeros((G, d))
        # the group's own norm is its t: the best φ_g is along u_g
        u = point.x[: program.at[1]].reshape(G, d)
        size = np.linalg.norm(u, axis=1, keepdims=True)
        psi = radius * mu.sum(axis=1, keepdims=True) * np.divide(u, size, out=np.zeros_like(u), where=size > 0)
    else:
        psi = (program.block(z.line, 1) - program.block(z.line, 2)).reshape(G, d)
        omega = (program.block(z.line, 3) - program.block(z.line, 4)).reshape(n, d)
    omega = _into_ball(omega, radius * b, p)
    psi = _into_ball(psi, radius * mu.sum(axis=1), p)
    E = np.where(np.arange(G)[:, None] < G // 2, 2 * program.signed.T - 1, -2 * program.signed.T - 1)
    pushes = program.signed.T @ (nu[:, None] * X - omega) + (mu * E) @ X - psi
    largest = float(np.max(np.linalg.norm(pushes, axis=1)))
    s = min(1.0, program.beta / largest) if largest > 0 else 1.0
    if loss == "squared":
        return float(s * nu @ y - s * s * b @ b / 2)
    return float(np.sum(s * b if loss == "hinge" else losses.entropy(s * b)))


def _into_ball(v: np.ndarray, size: np.ndarray, p: float) -> np.ndarray:
    """Rows shortened to ‖v‖_p ≤ size."""
    norms = np.linalg.norm(v, ord=p, axis=1)
    return v * np.minimum(1.0, np.divide(size, norms, out=np.ones_like(norms), where=norms > 0))[:, None]
