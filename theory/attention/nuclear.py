r"""The nuclear-norm attention-SVM: restarted primal-dual steps with singular-value thresholding. Host only.

    min ‖W‖_* s.t. A W ≥ 1;   W⁺ = SVT_τ(W + τ A*λ),   λ⁺ = (λ + s (1 − A(2W⁺ − W)))₊,   τ s ‖A‖² < 1

(Chambolle & Pock 2011; restarts from the average and primal weight: Applegate et al. 2021, 2023). The iterate is judged
by its certificate; convergence is linear near the solution, so that a gap of 1e-9 costs a third more than 1e-6.
Newton's method (`polish`) gives the last digits where that is cheaper; problems close to infeasible, on which PDHG
crawls, go to `barrier` where they are small.
"""

from __future__ import annotations

import numpy as np

from corollary.theory.attention.barrier import affordable, solve_barrier
from corollary.theory.attention.certificate import Certificate, certify
from corollary.theory.attention.polish import polish, size
from corollary.theory.attention.problem import Tokens

CHECK = 40
EARLY = 1e-3  # gap at which the rank and the support are usually right: Newton's method then ends in 2 to 5 steps
QUICK = 400  # unknowns of a Newton step that costs as much as 40 steps of PDHG, 5 ms
UNKNOWNS = 2000  # the most a Newton step takes, 1 s
STALL = 1200  # steps: problems on which PDHG works need 200 to 800
DENSE = 200_000  # entries of A up to which its norm is taken by a singular value decomposition


def threshold(W: np.ndarray, τ: float) -> np.ndarray:
    """SVT: singular values shrunk by τ, the proximal map of τ‖·‖_*."""
    U, s, V = np.linalg.svd(W, full_matrices=False)
    keep = s > τ
    return (U[:, keep] * (s[keep] - τ)) @ V[keep]


def _operator_norm(rows: Tokens) -> float:
    """‖A‖ of the scaled rows: 1 % above, for small problems; else by power steps, 2 % above what they reach."""
    if rows.p * len(rows.norms) <= DENSE:
        return 1.01 * float(np.linalg.norm(rows.dense(np.arange(len(rows.norms))) / rows.norms[:, None], 2))
    v = np.random.default_rng(0).standard_normal(rows.p)
    for _ in range(30):
        v = rows.adjoint(rows.forward(v / np.linalg.norm(v)) / rows.norms**2)
    return float(1.05 * np.linalg.norm(v)) ** 0.5


def solve_nuclear(
    rows: Tokens, start: tuple[np.ndarray, np.ndarray], *, gap: float, steps: int
) -> tuple[Certificate, np.ndarray, np.ndarray]:
    """(certificate, W (d, d), λ (N,)), the best found from start = (w, λ), the Frobenius solution; `steps` of PDHG.

    What PDHG has not finished after STALL steps goes to Newton's method and, where affordable, to the barrier method.
    """
    best = _primal_dual(rows, start, gap, steps)
    return best[0], best[1].reshape(rows.d, rows.d), best[2]


def _finished(
    rows: Tokens, start: np.ndarray, best: tuple[Certificate, np.ndarray, np.ndarray], gap: float
) -> tuple[Certificate, np.ndarray, np.ndarray]:
    """What is tried once where PDHG has not finished: Newton's method on the conditions, the barrier, Newton again."""
    if best[0].gap < 1 and size(rows, *best[1:]) <= UNKNOWNS:
        best = polish(rows, *best[1:], gap=gap)
    if not best[0].gap <= gap and affordable(rows):
        best = min(best, solve_barrier(rows, start, gap=gap), key=lambda found: found[0].gap)
        if not best[0].gap <= gap and size(rows, *best[1:]) <= UNKNOWNS:
            best = polish(rows, *best[1:], gap=gap)
    return best


def _primal_dual(
    rows: Tokens, start: tuple[np.ndarray, np.ndarray], gap: float, steps: int
) -> tuple[Certificate, np.ndarray, np.ndarray]:
    d, b = rows.d, 1 / rows.norms  # rows of unit norm, b on the right
    w, λ = start[0].copy(), start[1] * rows.norms
    G = rows.adjoint(λ / rows.norms).reshape(d, d)
    λ = λ / np.linalg.norm(G, 2)  # dual feasible: ‖A*λ‖_op ≤ 1
    largest = _operator_norm(rows)
    weight = first = float(np.linalg.norm(λ) / np.linalg.norm(w))
    best = certify(rows, w, λ / rows.norms, "nuclear"), w, λ / rows.norms
    anchor, at_restart, tried = (w.copy(), λ.copy()), best[0].gap, EARLY
    sum_w, sum_λ, count = np.zeros_like(w), np.zeros_like(λ), 0
    for k in range(1, steps + 1):
        τ, s = 1 / (largest * weight), weight / largest
        new = threshold((w + τ * rows.adjoint(λ / rows.norms)).reshape(d, d), τ).ravel()
        λ = np.maximum(λ + s * (b - rows.forward(2 * new - w) / rows.norms), 0.0)
        w = new
        sum_w, sum_λ, count = sum_w + w, sum_λ + λ, count + 1
        if k % CHECK:
            continue
        candidates = [(w, λ), (sum_w / count, sum_λ / count)]
        certificates = [certify(rows, c[0], c[1] / rows.norms, "nuclear") for c in candidates]
        i = int(certificates[1].gap < certificates[0].gap)
        if certificates[i].gap < best[0].gap:
            best = certificates[i], candidates[i][0], candidates[i][1] / rows.norms
        if gap < best[0].gap <= tried:
            tried = 0.1 * best[0].gap
            if size(rows, *best[1:]) <= QUICK:
                best = polish(rows, *best[1:], gap=gap)
        if best[0].gap > gap and k == STALL:
            best = _finished(rows, start[0], best, gap)
        if best[0].gap <= gap:
            break
        reached = certificates[i].gap
        if reached <= 0.3 * at_restart < np.inf or count >= 400:
            w, λ = candidates[i]
            moved_w, moved_λ = np.linalg.norm(w - anchor[0]), np.linalg.norm(λ - anchor[1])
            # where nothing separates yet the moves say nothing about the balance, and the weight would run away
            if moved_w > 0 and moved_λ > 0 and reached < np.inf:
                weight = float(np.exp(0.5 * np.log(moved_λ / moved_w) + 0.5 * np.log(weight)))
                weight = min(max(weight, first / 100), first * 100)
            anchor, at_restart = (w.copy(), λ.copy()), reached
            sum_w, sum_λ, count = np.zeros_like(w), np.zeros_like(λ), 0
    return best
