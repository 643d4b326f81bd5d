"""The regularisation path p(β): concave, with slope T(β) = Σ ‖v_p‖ + ‖w_p‖ (the envelope theorem, since p is a minimum
of functions linear in β); f*(β) and T(β) are continuous (Mishkin & Pilanci 2023, Section 3.3).

First-order methods begin each β, in descending order, where the one before ended, with the same factorisation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from corollary.arrays import Array, to_numpy
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
    D: Array | str,
    betas: Sequence[float],
    loss: str = "squared",
    gated: bool = False,
    tol: float = 1e-6,
    solver: str = "auto",
    *,
    max_steps: int = 20_000,
    callback: Report | None = None,
) -> Path:
    """Solutions at every β of `betas`, each with its certificate.

    Raises as `solve` does, and TypeError or ValueError where betas is not a sequence of numbers > 0, one at least.
    """
    values = checked_betas(betas)
    memory, by_beta = {}, {}
    for b in sorted(set(values), reverse=True):
        by_beta[b] = solve(X, y, b, D, loss, gated, tol, solver, max_steps=max_steps, callback=callback, memory=memory)
    found = [by_beta[b] for b in values]
    penalty = []
    for s in found:
        V, W = (s.V[:, :, None], s.W[:, :, None]) if s.problem.flat else (s.V, s.W)
        penalty.append(float(np.sum(to_numpy(s.problem.penalty(V, W)))))
    p, T = np.array([s.objective for s in found]), np.array(penalty)
    neurons = np.array([_neurons(s) for s in found])
    return Path(np.array(values), p, T, p - np.array(values) * T, neurons, found)


def checked_betas(betas: Sequence[float]) -> list[float]:
    """Raise TypeError or ValueError unless betas is a sequence of numbers > 0, one at least."""
    if isinstance(betas, str) or not isinstance(betas, Iterable):
        raise TypeError(f"betas = {betas!r}; expected a sequence of penalties, such as [0.1, 0.2]; one alone: solve()")
    values = list(betas)
    if not values:
        raise ValueError("betas is empty; expected at least one penalty")
    for b in values:
        check_beta(b)
    return [float(b) for b in values]


def _neurons(s: Solution) -> int:
    return int(np.sum(np.any(to_numpy(s.V) != 0, axis=0)) + np.sum(np.any(to_numpy(s.W) != 0, axis=0)))
