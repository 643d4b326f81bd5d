"""Cross-validation over β: which penalty predicts rows that the network has not seen.

Every pair (fold, β) is a program of its own, certified as `solve` certifies it. On the host the folds go one after the
other, each along a warm path in β. On a GPU all pairs go at once, as columns of one batch: a row left out has no loss
and no cone there, so one eigendecomposition serves every fold as it serves every β (`admm`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from corollary.arrays import Array, array_namespace, device
from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.first_order import by_admm, by_fista
from corollary.theory.convex_relu.interior import Report
from corollary.theory.convex_relu.path import checked_betas, path
from corollary.theory.convex_relu.problem import Problem, check_tol, checked
from corollary.theory.convex_relu.solve import SOLVERS, NotConverged, Solution, assemble, check_max_steps


@dataclass(frozen=True)
class CrossValidation:
    """betas (K,) as given; folds (n,): the fold of each row, 0 … F − 1; loss (F, K): the mean loss of a held-out row,
    L / (rows of the fold); solutions[fold][k], each with its certificate."""

    betas: np.ndarray
    folds: np.ndarray
    loss: np.ndarray
    solutions: list[list[Solution]] = field(repr=False)

    @property
    def mean(self) -> np.ndarray:
        """(K,): the mean held-out loss over all rows."""
        return np.bincount(self.folds) @ self.loss / len(self.folds)

    @property
    def best(self) -> float:
        """The β of the least mean held-out loss; the largest of several. The penalty of the refit on all rows should
        grow with their number, since the loss is a sum: n/(n − n/F) times this."""
        least = np.flatnonzero(self.mean == np.min(self.mean))
        return float(np.max(self.betas[least]))


def cross_validate(
    X: Array,
    y: Array,
    D: Array,
    betas: Sequence[float],
    folds: int | np.ndarray = 5,
    loss: str = "squared",
    gated: bool = False,
    tol: float = 1e-4,
    solver: str = "auto",
    *,
    max_steps: int = 20_000,
    callback: Report | None = None,
) -> CrossValidation:
    """The loss on each fold of the network fitted to the others, at every β.

    X (n, d), y (n,), D (n, P) patterns of all rows (those of a fold's program are its rows of D; a gated network's held
    out rows keep theirs). folds: their number F (row k is in fold k mod F: pass labels where rows are ordered), or a
    label a row (n,). tol: the relative certified gap of every program. solver: "admm" and "fista" take all programs in
    one batch, and the history of each is the batch's (on a GPU ADMM holds 48 n P bytes a program in float64); the
    others go one at a time; "auto" is the batch on a GPU.

    Raises ValueError or TypeError for bad input, NotConverged (its solution the `CrossValidation`; one program's
    `Solution` where programs go one at a time) when a gap stays above tol.
    """
    values = checked_betas(betas)
    if isinstance(D, str):
        raise TypeError(f"D = {D!r}; expected the patterns of all rows: D = all_patterns(X), or sample_patterns(X, …)")
    problem = checked(X, y, values[0], D, loss, gated)
    if not problem.flat:
        raise ValueError(f"y has shape {tuple(y.shape)}; cross_validate takes one output, y of shape ({X.shape[0]},)")
    if solver not in SOLVERS:
        raise ValueError(f"solver = {solver!r}; expected one of {', '.join(SOLVERS)}")
    if solver == "fista" and (not gated or loss == "hinge"):
        raise ValueError("solver='fista' is for gated=True with a smooth loss; use 'admm'")
    check_tol(tol)
    check_max_steps(max_steps)
    label = fold_of(folds, X.shape[0])
    parts = [np.flatnonzero(label != k) for k in range(label.max() + 1)]
    if solver == "auto" and not isinstance(X, np.ndarray):
        solver = "fista" if gated and loss != "hinge" else "admm"
    if solver in ("admm", "fista"):
        solutions = _batched(problem, np.array(values), parts, tol, solver, max_steps, callback)
    else:
        options = {"max_steps": max_steps, "callback": callback}
        solutions = [path(*_rows(problem, at), values, loss, gated, tol, solver, **options).solutions for at in parts]
    held_out = [[_held_out(problem, label == k, s) for s in row] for k, row in enumerate(solutions)]
    found = CrossValidation(np.array(values), label, np.array(held_out), solutions)
    gaps = np.array([[s.certificate.relative for s in row] for row in solutions])
    if np.max(gaps) > tol:
        fold, k = np.unravel_index(np.argmax(gaps), gaps.shape)
        raise NotConverged(
            f"relative gap {gaps[fold, k]:.2e} > tol = {tol:g} in fold {fold} at beta = {values[k]:g} with solver "
            f"{solver!r}; raise max_steps above {max_steps}, or use solver='interior-point'. All is in .solution",
            found,
        )
    return found


def fold_of(folds: int | np.ndarray, n: int) -> np.ndarray:
    """(n,) int, 0 … F − 1: the fold of each row. Raises TypeError or ValueError unless there are two or more."""
    if isinstance(folds, int | np.integer) and not isinstance(folds, bool):
        if not 2 <= folds <= n:
            raise ValueError(f"folds = {folds}; expected 2 … {n}, the number of rows")
        return np.arange(n) % folds
    label = np.asarray(folds)
    if label.shape != (n,) or label.dtype.kind not in "iu":
        given = f"of shape {label.shape} and dtype {label.dtype}" if label.ndim else f"{folds!r}"
        raise TypeError(f"folds is {given}; expected their number, or an integer label for each of the {n} rows")
    names, label = np.unique(label, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"all folds are {names[0]}; expected two labels or more, so that rows are left to fit")
    return label


def _rows(problem: Problem, at: np.ndarray) -> tuple[Array, Array, Array]:
    """X, y and D of some rows."""
    xp = array_namespace(problem.X)
    index = xp.asarray(at, device=device(problem.X))
    X, y, D = (xp.take(a, index, axis=0) for a in (problem.X, problem.y, problem.D))
    return X, y[:, 0], D


def _batched(
    problem: Problem,
    betas: np.ndarray,
    parts: list[np.ndarray],
    tol: float,
    solver: str,
    max_steps: int,
    callback: Report | None,
) -> list[list[Solution]]:
    """All pairs (fold, β) as columns of one batch; each certified as the program of its own rows."""
    xp, K, history = array_namespace(problem.X), len(betas), []

    def report(stage: str, step: int, primal: float, dual: float) -> None:
        history.append((stage, step, primal, dual))
        if callback is not None:
            callback(stage, step, primal, dual)

    columns = xp.broadcast_to(problem.y, (problem.X.shape[0], K * len(parts)))
    wide = Problem(
        problem.X, xp.asarray(columns, copy=True), problem.beta, problem.D, problem.loss, problem.gated, False
    )
    first_order = by_fista if solver == "fista" else by_admm
    rows = [at for at in parts for _ in range(K)]
    # looked at again in the dtype of X: half of tol is left for that
    found = first_order(wide, tol / 2, max_steps, report, betas=np.tile(betas, len(parts)), rows=rows)
    solutions = []
    for k, at in enumerate(parts):
        X, y, D = _rows(problem, at)
        programs = [checked(X, y, float(b), D, problem.loss, problem.gated) for b in betas]
        mine = found[k * K : (k + 1) * K]
        solutions.append([assemble(p, [c], tol, history, None) for p, c in zip(programs, mine, strict=True)])
    return solutions


def _held_out(problem: Problem, out: np.ndarray, s: Solution) -> float:
    """The mean loss of the rows out."""
    X, y, D = _rows(problem, np.flatnonzero(out))
    xp = array_namespace(X)
    if problem.gated:
        f = xp.sum(D * xp.matmul(X, s.V - s.W), axis=1)
    else:
        f = xp.sum(xp.clip(xp.matmul(X, s.V), 0, None) - xp.clip(xp.matmul(X, s.W), 0, None), axis=1)
    return float(losses.value(problem.loss, f, y)) / int(np.sum(out))
