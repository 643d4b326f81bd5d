"""The regularisation path p(β): concave, with slope T(β) = Σ ‖v_p‖ + ‖w_p‖ (the envelope theorem, since p is a minimum
of functions linear in β); f*(β) and T(β) are continuous (Mishkin & Pilanci 2023, Section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from corollary.arrays import Array
from corollary.theory.convex_relu.problem import check_beta
from corollary.theory.convex_relu.solve import Report, Solution, solve


@dataclass(frozen=True)
class Path:
    """betas (K,) as given; objective p(β), penalty T(β) = dp/dβ, loss p − β T, neurons, all (K,); the solutions."""

    betas: np.ndarray
    objective: np.ndarray
    penalty: np.ndarray
    loss: np.ndarray
    neurons: np.ndarray
    solutions: list[Solution] = field(repr=False)


def path(
    X: Array,
    y: Array,
    D: Array,
    betas: Sequence[float],
    loss: str = "squared",
    gated: bool = False,
    tol: float = 1e-6,
    solver: str = "auto",
    *,
    callback: Report | None = None,
) -> Path:
    """Solutions at every β of `betas`, each with its certificate. Raises as `solve` does, and for an empty list."""
    values = [float(b) for b in betas]
    if not values:
        raise ValueError("betas is empty; expected at least one penalty")
    for b in values:
        check_beta(b)
    found = [solve(X, y, b, D, loss, gated, tol, solver, callback=callback) for b in values]
    penalty = []
    for s in found:
        V, W = (s.V[:, :, None], s.W[:, :, None]) if s.problem.flat else (s.V, s.W)
        penalty.append(float(np.sum(np.asarray(s.problem.penalty(V, W)))))
    p, T = np.array([s.objective for s in found]), np.array(penalty)
    neurons = np.array([_neurons(s) for s in found])
    return Path(np.array(values), p, T, p - np.array(values) * T, neurons, found)


def _neurons(s: Solution) -> int:
    from corollary.arrays import to_numpy

    return int(np.sum(np.any(to_numpy(s.V) != 0, axis=0)) + np.sum(np.any(to_numpy(s.W) != 0, axis=0)))
