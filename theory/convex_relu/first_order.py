"""ADMM and FISTA driven to a certified gap: scaling, penalty, when to look, and feasible points from iterates.

An ADMM iterate v leaves its cones by a little, so its objective may lie below the optimum. It is never reported: the
active v_p are projected onto their cones first. Looking is cheap (the multipliers are at hand) until the dual bound
and the infeasible objective agree to tol; only then are projections paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from corollary.arrays import array_namespace, device, to_numpy
from corollary.theory.convex_relu import admm, losses
from corollary.theory.convex_relu.cones import project
from corollary.theory.convex_relu.fista import fista, lipschitz
from corollary.theory.convex_relu.interior import Candidate, Report, relative
from corollary.theory.convex_relu.problem import Problem

_LOOK = 1.3  # iterations between looks grow by this factor: looking costs a fixed share


Memory = dict[str, Any]  # what a run leaves for the next β with the same X, y and D
Rows = Sequence[np.ndarray]  # of X, a column of Y


def by_admm(
    problem: Problem,
    tol: float,
    max_steps: int,
    report: Report,
    betas: np.ndarray | None = None,
    memory: Memory | None = None,
    rows: Rows | None = None,
) -> list[Candidate]:
    """A candidate an output (or a β: `betas` (c,)), each with a relative gap ≤ tol unless max_steps ran out.

    A column that is done leaves the batch. memory: begins where a run with another β ended. rows: what each column's
    program, and its candidate, holds of X.
    """
    X, Y = problem.X, problem.y
    xp = array_namespace(X)
    B = Y.shape[1]
    betas = np.full(B, problem.beta) if betas is None else betas
    memory = {} if memory is None else memory
    x, y, D = (to_numpy(a).astype(float) for a in (X, Y, problem.D))
    sx = float(np.sqrt(np.mean(x**2))) or 1.0
    part = [slice(None)] * B if rows is None else rows
    sy = np.array([np.sqrt(np.mean(y[part[b], b] ** 2)) for b in range(B)]) if problem.loss == "squared" else np.ones(B)
    sy[sy == 0] = 1.0
    level = betas / (sx * sy)
    scaled = Y / xp.asarray(sy, dtype=Y.dtype, device=device(Y))
    if "factors" not in memory:
        memory["factors"] = admm.factors(X / sx, problem.D, 0.0 if problem.gated else 1.0)
    f = memory["factors"]
    # measured on planted and random data, with entries of X and y of size one: 0.5 β to β is best within a factor 1.5
    keep = None if rows is None else xp.asarray(_mask(rows, x.shape[0]), device=device(X))
    state = admm.start(f, scaled, 0.7 * level, keep)
    if "admm" in memory:  # multipliers grow like β, and with ρ ~ β the scaled ones stay
        last, before = memory["admm"]
        state = replace(last, rho=last.rho * level / before, steps=0)
    best: list[tuple[float, Candidate] | None] = [None] * B
    looks, live = 20, np.arange(B)
    while state.steps < max_steps and live.size:
        target, here = xp.take(scaled, xp.asarray(live, device=device(X)), axis=1), level[live]
        admm.run(f, target, here, problem.loss, state, min(looks, max_steps - state.steps))
        looks = max(20, int(state.steps * (_LOOK - 1)))
        v = to_numpy(admm.primal(state, here)).astype(float)
        nu = to_numpy(admm.dual_points(f, state, target, problem.loss)).astype(float)
        mu = admm.multipliers(f, state)
        rho, done = state.rho.copy(), np.zeros(len(live), dtype=bool)
        for i, b in enumerate(live):
            at = part[b]
            units = (x[at] / sx, y[at, b] / sy[b], level[b], D[at], problem.loss, problem.gated)
            nu_b, mu_b = nu[at, i], mu[i][:, :, at]
            primal, dual, excess, outside = _look(units, v[i], nu_b, mu_b)
            report("admm", state.steps, primal * float(sy[b]) ** 2, dual * float(sy[b]) ** 2)
            if abs(relative(primal, dual)) <= 2 * tol or state.steps >= max_steps:
                candidate, gap = _feasible(units, v[i], nu_b, mu_b, dual)
                back = Candidate(candidate * (sy[b] / sx), nu_b * sy[b], mu_b * sy[b])
                kept = best[b]
                if kept is None or gap < kept[0]:
                    best[b] = (gap, back)
                done[i] = gap <= tol
            # the dual error should be some twenty times the violation; measured at the best fixed penalties
            if state.steps < 3000 and not done[i] and not problem.gated:
                rho[i] *= 1 / 1.5 if excess > 80 * outside else 1.5 if excess < 3 * outside else 1.0
        if np.any(rho != state.rho):
            admm.change_rho(f, state, here, rho)
        if np.any(done) and B > 1:
            live, state = live[~done], admm.columns(state, np.flatnonzero(~done))
        elif np.all(done):
            memory["admm"] = (state, level)
            break
    return [kept[1] for kept in best if kept is not None]


def _mask(rows: Rows, n: int) -> np.ndarray:
    """(columns, n): which rows each column's program holds."""
    return np.array([np.isin(np.arange(n), at) for at in rows])


def _look(units: tuple, v: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> tuple[float, float, float, float]:
    """(objective of the infeasible v, rigorous dual value, max/β − 1, cone violation)."""
    X, y, beta, D, loss, gated = units
    fit = np.sum(X * (D @ (v[0] - v[1])), axis=1)
    primal = float(losses.value(loss, fit, y)) + beta * float(np.sum(np.linalg.norm(v, axis=2)))
    c, E = (D * nu[:, None]).T @ X, 2 * D.T - 1
    largest = max(float(np.max(np.linalg.norm(s * c + (E * mu[i]) @ X, axis=1))) for i, s in ((0, 1.0), (1, -1.0)))
    s = float(losses.best_scaling(loss, nu, y, np.asarray(beta / largest if largest > 0 else np.inf)))
    dual = float(losses.dual_value(loss, losses.into_domain(loss, s * nu, y), y))
    size = np.linalg.norm(v, axis=2).max()
    outside = 0.0 if size == 0 or gated else float(-min(np.min(E * (v[i] @ X.T), initial=0.0) for i in (0, 1)))
    return primal, dual, largest / beta - 1, outside


def _feasible(units: tuple, v: np.ndarray, nu: np.ndarray, mu: np.ndarray, dual: float) -> tuple[np.ndarray, float]:
    """v projected onto its cones (if not gated), and the relative gap to `dual`."""
    X, y, beta, D, loss, gated = units
    out = v.copy() if gated else np.zeros_like(v)
    for i in (0, 1):
        for p in () if gated else np.flatnonzero(np.any(v[i] != 0, axis=1)):
            A = (2 * D[:, p] - 1)[:, None] * X
            top = np.max(mu[i, p])
            out[i, p] = project(A, v[i, p], mu[i, p] > 1e-6 * top if top > 0 else None)[0]
    fit = np.sum(X * (D @ (out[0] - out[1])), axis=1)
    primal = float(losses.value(loss, fit, y)) + beta * float(np.sum(np.linalg.norm(out, axis=2)))
    return out, relative(primal, dual)


def by_fista(
    problem: Problem,
    tol: float,
    max_steps: int,
    report: Report,
    memory: Memory | None = None,
    betas: np.ndarray | None = None,
    rows: Rows | None = None,
) -> list[Candidate]:
    """A candidate an output of a gated program, to a relative gap ≤ tol unless max_steps ran out; betas, memory and
    rows as in by_admm."""
    memory = {} if memory is None else memory
    X, Y = problem.X, problem.y
    xp = array_namespace(X)
    (n, d), P, B = X.shape, problem.D.shape[1], Y.shape[1]
    betas = np.full(B, problem.beta) if betas is None else betas
    part = [np.arange(n)] * B if rows is None else rows
    index = [xp.asarray(at, device=device(X)) for at in part]
    keep = None if rows is None else xp.asarray(_mask(rows, n).T, dtype=X.dtype, device=device(X))
    if "lipschitz" not in memory:
        memory["lipschitz"] = lipschitz(X, problem.D)
    DT = xp.asarray(xp.matrix_transpose(problem.D), copy=True)

    def stop(k: int, z, fit) -> bool:
        whole = losses.dual_point(problem.loss, fit, Y)
        whole = whole if keep is None else keep * whole
        worst = 0.0
        for b in range(B):
            f, y, nu = (a[:, b] if rows is None else xp.take(a[:, b], index[b], axis=0) for a in (fit, Y, whole))
            norms = xp.sqrt(xp.sum(xp.matmul(DT * whole[:, b], X) ** 2, axis=1))
            largest = float(xp.max(norms))
            value = float(losses.value(problem.loss, f, y))
            primal = value + float(betas[b]) * float(xp.sum(xp.sqrt(xp.sum(z[b, ...] ** 2, axis=1))))
            limit = float(betas[b]) / largest if largest > 0 else float("inf")
            s = losses.best_scaling(problem.loss, nu, y, xp.asarray(limit, dtype=X.dtype, device=device(X)))
            dual = float(losses.dual_value(problem.loss, losses.into_domain(problem.loss, s * nu, y), y))
            report("fista", k, primal, dual)
            worst = max(worst, relative(primal, dual))
        return worst <= tol

    z, _ = fista(X, Y, betas, problem.D, problem.loss, steps=max_steps, stop=stop, z0=memory.get("fista"),
                 curvature=memory["lipschitz"], keep=keep)  # fmt: skip
    memory["fista"] = z
    host, found = to_numpy(z).astype(float), []
    x, y, D = (to_numpy(a).astype(float) for a in (X, Y, problem.D))
    for b in range(B):
        fit = np.sum(x * (D @ host[b]), axis=1)
        nu = np.asarray(losses.dual_point(problem.loss, fit, y[:, b]))[part[b]]
        u = np.stack([host[b], np.zeros((P, d))])
        found.append(Candidate(u, nu, np.zeros((2, P, len(nu)))))
    return found
