"""Column generation over all patterns of X: a program over few patterns, whose dual point is feasible for all.

    1. solve over the patterns D chosen so far;                       2. find patterns p outside D with
       max_{u ∈ K_p, ‖u‖ ≤ 1} |νᵀ D_p X u| > β (1 + tol/4) at its ν;  3. none: ν, scaled, bounds the network's own
       optimum, and the point is optimal to tol. Else the worst of them join D.

Begins with the patterns whose dual constraints are largest at ν = −∂L(0). Patterns are enumerated once (`all_patterns`
has the limit); only the few hundred chosen ever enter a program. Host only but for the programs themselves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from corollary.arrays import array_namespace, device, to_numpy
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.cones import project
from corollary.theory.convex_relu.interior import Candidate, Report
from corollary.theory.convex_relu.problem import Problem

_ROUNDS = 60
_SWEEPS = 40  # of greedy steps before exact projections; each is a pass over the patterns still undecided


def complete(
    problem: Problem, tol: float, solver: str, max_steps: int, report: Report
) -> tuple[Problem, list[Candidate], str]:
    """(the program over the patterns needed, its candidates, the method) for a problem that holds all patterns."""
    from corollary.theory.convex_relu.solve import choose, run

    X, y, D = (to_numpy(a).astype(float) for a in (problem.X, problem.y, problem.D))
    xp = array_namespace(problem.X)
    zero = np.asarray(losses.dual_point(problem.loss, np.zeros_like(y), y))
    size = np.max([np.linalg.norm(X.T @ (D * nu[:, None]), axis=0) for nu in zero.T], axis=0)
    batch = max(20, 2 * X.shape[0])
    chosen = np.sort(np.argsort(-size, kind="stable")[:batch])
    part, found, method = problem, [], ""
    for _ in range(_ROUNDS):
        index = xp.asarray(chosen, device=device(problem.X))
        part = replace(problem, D=xp.take(problem.D, index, axis=1))
        method = choose(part, tol, solver)
        found = run(method, part, tol / 2, max_steps, report, {})
        out = np.setdiff1d(np.arange(D.shape[1]), chosen)
        broken = [out[violators(X, D[:, out], c.nu, problem.beta * (1 + tol / 4), batch)] for c in found]
        if not any(b.size for b in broken):
            break
        chosen = np.unique(np.concatenate([chosen, *broken]))
    return part, found, method


def violators(X: np.ndarray, D: np.ndarray, nu: np.ndarray, limit: float, most: int) -> np.ndarray:
    """Indices of patterns p with max_{u ∈ K_p, ‖u‖ ≤ 1} |νᵀ D_p X u| > limit: `most` of them, or all there are.

    ‖c + A^T μ‖ bounds the support for any μ ≥ 0: greedy steps on μ, over all patterns at once, decide nearly all of
    them; the rest, largest bound first, are projected.
    """
    size = np.linalg.norm(X, axis=1)
    live = size > 0
    unit, E = X[live] / size[live, None], 2 * D[live] - 1
    c = X.T @ (D * nu[:, None])
    q, pattern = np.concatenate([c, -c], axis=1), np.tile(np.arange(D.shape[1]), 2)
    of, bound = np.arange(q.shape[1]), np.linalg.norm(q, axis=0)
    mu = np.zeros((len(unit), q.shape[1]))
    for _ in range(_SWEEPS):
        of = of[bound[of] > limit]
        if not of.size:
            break
        # μ_k moves to its best value, the others fixed: by −a_k·q, not below zero
        move = np.maximum(-E[:, pattern[of]] * (unit @ q[:, of]), -mu[:, of])
        row = np.argmax(np.abs(move), axis=0)
        step = move[row, np.arange(len(of))]
        mu[row, of] += step
        q[:, of] += unit[row].T * (step * E[row, pattern[of]])
        bound[of] = np.minimum(bound[of], np.linalg.norm(q[:, of], axis=0))
    of = of[bound[of] > limit]
    broken: list[tuple[float, int]] = []
    c = np.concatenate([c, -c], axis=1)
    for i in of[np.argsort(-bound[of], kind="stable")]:
        A = (2 * D[:, pattern[i]] - 1)[:, None] * X
        start = np.zeros(len(X), dtype=bool)
        start[np.flatnonzero(live)[mu[:, i] > 0]] = True
        exact = float(np.linalg.norm(project(A, c[:, i], start)[0]))
        if exact > limit:
            broken.append((exact, int(pattern[i])))
            if len(broken) >= most:
                break
    return np.unique([p for _, p in broken]).astype(int)
