r"""The attention-SVM (Tarzanagh, Li, Thrampoulidis, Oymak 2023, 2308.16898, (Att-SVM) and (Att-SVM⋆)).

    W^mm = argmin ‖W‖  s.t.  (x_{i,α_i} − x_it)ᵀ W z_i ≥ 1  for all i, t ≠ α_i

in the Frobenius norm (attention trained on W) or the nuclear norm (on W = K Qᵀ). KKT in the Frobenius norm: W = A*λ,
‖W‖² = Σλ, λ_it > 0 only at margin 1. Solvers: `fista` where constraints are about as many as entries of W, `newton`
where they are many more or FISTA stalls, `nuclear`, `low_rank`; `nnls` is the exact reference for small problems.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, to_numpy
from corollary.theory.attention.certificate import Certificate, Infeasible, Norm, Unconverged, certify
from corollary.theory.attention.fista import solve_dual
from corollary.theory.attention.low_rank import solve_low_rank
from corollary.theory.attention.newton import least_norm
from corollary.theory.attention.nnls import min_norm_nnls
from corollary.theory.attention.nuclear import solve_nuclear
from corollary.theory.attention.polish import factors
from corollary.theory.attention.problem import Tokens, checked_choice, checked_tokens, differences, scales

DEFAULT_GAP = 1e-9
USUAL = 8  # rounds of multipliers: where they suffice at all, 3 to 7 do
POLISH = 4_000_000  # entries of the matrix of the rows near the least margin that the exact reference takes
FISTA_STEPS = 1000  # where FISTA suits the problem it needs 300 to 700 steps for 1e-9


@dataclass(frozen=True)
class Solution:
    """W (d, d), least margin 1; `objective` = ‖W‖ in `norm`; multipliers (n, T) ≥ 0, 0 at the chosen token.

    `margins` (n, T): (x_{i,α_i} − x_it)ᵀ W z_i, 0 at the chosen token; `chosen` (n,) on the host. `optimal`: whether
    the certificate proves W optimal to the gap asked for. Under a constraint `rank` it may be False: W is then a local
    minimum, multipliers and `certificate.dual` are those of the problem without the constraint, `certificate.gap` is
    what stays open between the two.
    """

    W: Array
    objective: float
    multipliers: Array
    margins: Array
    chosen: np.ndarray
    norm: Norm
    certificate: Certificate
    rank: int | None
    optimal: bool


def svm(
    X: Array,
    Z: Array,
    chosen: Array,
    *,
    norm: Norm = "frobenius",
    rank: int | None = None,
    gap: float = DEFAULT_GAP,
    steps: int = 20000,
) -> Solution:
    """The solution with relative gap ≤ `gap`, certified. X (n, T, d), Z (n, d), chosen (n,): indices of tokens.

    float64 (float32 is computed in float64 and returned as float32). Other backends' arrays go to the host and back:
    active sets are host work (batches of problems stay on the device: `svm_batch`). `steps` bounds the nuclear solver.
    rank = m (nuclear norm): W = K Qᵀ with m columns. Not convex: optimal where the nuclear solution has rank ≤ m, else
    the best of several local minima, and `optimal` says whether the gap to the nuclear solution happens to be closed.
    Raises TypeError or ValueError (arrays, T = 1, a zero query, chosen out of range, entries beyond the range where
    multipliers ~ 1/(|X||Z|)² can be represented), Infeasible with Gordan's certificate, Unconverged with the best
    certificate; also where no W of rank ≤ m was found that separates, which does not prove that there is none.
    """
    xp = checked_tokens(X, Z)
    if norm not in ("frobenius", "nuclear"):
        raise ValueError(f"norm = {norm!r}; expected 'frobenius' or 'nuclear'")
    if rank is not None and (norm != "nuclear" or not isinstance(rank, int | np.integer) or rank < 1):
        raise ValueError(f"rank = {rank!r} with norm = {norm!r}; expected an integer >= 1, with norm='nuclear'")
    n, T, d = X.shape
    choice = checked_choice(chosen, (n,), T)
    rows, unit, scale = _rows(to_numpy(X), to_numpy(Z), choice)
    certificate, w, λ = frobenius(unit, gap)
    if norm == "nuclear":
        certificate, W, λ = solve_nuclear(unit, (w, λ), gap=gap, steps=steps)
        w = W.ravel()
    if not certificate.gap <= gap:
        raise Unconverged(
            f"the {norm} solver stopped at a relative gap of {certificate.gap:.2g}, {gap:g} was asked for; pass a "
            "larger gap= (or steps=)",
            replace(certificate, primal=certificate.primal / scale, dual=certificate.dual / scale),
        )
    optimal = True
    if rank is not None and rank < d:
        w, optimal = _of_rank(unit, w, λ, rank, gap, scale)
    w = w / (float(unit.forward(w).min()) * scale)
    certificate = certify(rows, w, λ, norm)
    others = np.arange(T) != choice[:, None]
    full, margins = np.zeros((n, T)), np.zeros((n, T))
    full[others], margins[others] = λ * _scale(rows, w, λ, norm), rows.forward(w)

    def back(a: np.ndarray) -> Array:
        return xp.asarray(a.astype(str(X.dtype).rpartition(".")[2]), device=device(X))

    return Solution(back(w.reshape(d, d)), certificate.primal, back(full), back(margins), choice, norm, certificate,
                    rank, optimal)  # fmt: skip


def _of_rank(
    rows: Tokens, w: np.ndarray, λ: np.ndarray, rank: int, gap: float, scale: float
) -> tuple[np.ndarray, bool]:
    """The nuclear solution cut to this rank, where that is optimal, else the factored problem's; whether optimal."""
    K, Q = factors(w, rows.d, rank)
    found: np.ndarray | None = (K @ Q.T).ravel()
    if not certify(rows, found, λ, "nuclear").gap <= gap:
        found = solve_low_rank(rows, w, λ, rank)
    if found is None:
        relaxed, full = certify(rows, w, λ, "nuclear"), np.linalg.matrix_rank(w.reshape(rows.d, rows.d), 1e-6)
        raise Unconverged(
            f"found no W of rank <= {rank} that separates the chosen tokens: there may be none; raise rank= (the "
            f"certificate is that of the nuclear solution, of rank {full})",
            replace(relaxed, primal=relaxed.primal / scale, dual=relaxed.dual / scale),
        )
    return found, certify(rows, found, λ, "nuclear").gap <= gap


def _scale(rows: Tokens, w: np.ndarray, λ: np.ndarray, norm: Norm) -> float:
    """Multipliers in the scale of the KKT conditions: A*λ = W (Frobenius), ‖A*λ‖_op = 1 (nuclear)."""
    G = rows.adjoint(λ)
    if norm == "nuclear":
        return 1 / float(np.linalg.norm(G.reshape(rows.d, rows.d), 2))
    return float(np.linalg.norm(w) / np.linalg.norm(G))


def _rows(X: np.ndarray, Z: np.ndarray, chosen: np.ndarray) -> tuple[Tokens, Tokens, float]:
    """Rows in the caller's scale, rows of tokens and queries of size 1, and the factor s between: rows = s · unit."""
    largest = float(np.finfo(X.dtype).max) ** (1 / 3)
    X, Z = X.astype(float), Z.astype(float)
    with np.errstate(over="ignore"):  # `scales` refuses it
        D = differences(X, chosen)
    same = np.argwhere((D == 0).all(axis=2))
    if len(same):
        i, t = (int(k) for k in same[0])
        weights = np.zeros(D.shape[:2])
        weights[i, t] = 1.0
        token = t + int(t >= chosen[i])
        raise Infeasible(
            f"infeasible by construction: in sequence {i} token {token} equals the chosen token {int(chosen[i])}, so "
            "their scores agree for every W; drop the duplicate",
            weights,
            0.0,
        )
    x, z = scales(D, Z, largest)
    return Tokens(D, Z), Tokens(D / x, Z / z), x * z


def frobenius(rows: Tokens, gap: float) -> tuple[Certificate, np.ndarray, np.ndarray]:
    """(certificate, w, λ) of the Frobenius problem: FISTA where it suits, then Newton. Raises Infeasible."""
    start = None
    if len(rows.norms) <= 2 * rows.p and len(rows.norms) > 64:
        batch, _ = solve_dual(rows.D[None], rows.Z[None], gap=gap, steps=FISTA_STEPS)
        w, λ = batch.W[0].ravel(), batch.multipliers[0].ravel()
        certificate = certify(rows, w, λ)
        if certificate.gap <= gap:
            return certificate, w, λ
        if certificate.gap < 1:
            start = λ

    exact: list[tuple[Certificate, np.ndarray, np.ndarray]] = []
    rounds = 0

    def done(w: np.ndarray, λ: np.ndarray) -> Certificate | None:
        nonlocal rounds
        rounds += 1
        certificate = certify(rows, w, λ)
        if certificate.gap > gap and rounds >= USUAL and (found := _polished(rows, w, λ)):
            exact.append(found)
            certificate = found[0]
        return certificate if certificate.gap <= gap else None

    try:
        certificate, w, λ = least_norm(rows, np.ones(len(rows.norms)), done, start=start)
    except Infeasible as found:
        raise Infeasible(
            f"no W separates the chosen tokens: nonnegative weights on the {len(rows.norms)} differences cancel them "
            f"to {found.residual:.1e} of their size (Gordan's certificate in .weights); choose other tokens or "
            "a larger d",
            found.weights.reshape(rows.n, rows.m),
            found.residual,
        ) from None
    if exact:
        return min([*exact, (certify(rows, w, λ), w, λ)], key=lambda found: found[0].gap)
    return certificate or certify(rows, w, λ), w, λ


def _polished(rows: Tokens, w: np.ndarray, λ: np.ndarray) -> tuple[Certificate, np.ndarray, np.ndarray] | None:
    """The exact reference on the rows near the least margin: multipliers above 10⁶ cost Newton's method its digits."""
    margin = rows.forward(w)
    near = np.flatnonzero((margin <= 1.01 * margin.min()) | (λ > 1e-8 * λ.max()))
    if margin.min() <= 0 or len(near) * rows.p > POLISH:
        return None
    try:
        w, weights = min_norm_nnls(rows.dense(near))
    except Infeasible:  # ‖W‖ beyond 10⁶ row norms, where it cannot tell: w separates
        return None
    full = np.zeros_like(λ)
    full[near] = weights
    return certify(rows, w, full), w, full


def support_tokens(sol: Solution, *, tolerance: float = 1e-6) -> np.ndarray:
    """(k, 2) on the host: the pairs (i, t), t ≠ α_i, whose margin is 1 (the sets T_i of the paper, Definition 2).

    tolerance: how far above 1 still counts; a solution with gap g has W within √(2g) ‖W‖ of the optimum, so its own
    tolerance cannot be below about 1e-5 for the default gap unless margins are separated, which generic data are.
    """
    return np.argwhere(_support(sol, tolerance))


def _support(sol: Solution, tolerance: float = 1e-6) -> np.ndarray:
    """The same as a mask (n, T)."""
    margins = to_numpy(sol.margins)
    others = np.arange(margins.shape[1]) != sol.chosen[:, None]
    gap = max(sol.certificate.gap, 0.0) if sol.optimal else 0.0  # else W is a local minimum to rounding
    return others & (margins <= 1 + tolerance + (2 * gap) ** 0.5)


def locally_optimal(sol: Solution, scores: Array) -> bool:
    """Whether every chosen token scores above all its support tokens: W is then a locally optimal direction.

    scores (n, T): γ_it = Y_i vᵀx_it (Tarzanagh et al. 2023, Definition 2). Raises TypeError or ValueError.
    """
    require_floating("scores", scores, ndim=2)
    γ = to_numpy(scores)
    if γ.shape != tuple(sol.margins.shape):
        raise ValueError(f"scores has shape {γ.shape}; expected {tuple(sol.margins.shape)}, one a token")
    best = np.take_along_axis(γ, sol.chosen[:, None], axis=1)
    return bool(np.all(best > np.where(_support(sol), γ, -np.inf)))


def feasible(X: Array, Z: Array, chosen: Array) -> bool:
    """Whether some W separates the chosen tokens. For the certificates call `svm`: it raises Infeasible with one.

    Sufficient for almost all data: d ≥ max(T − 1, n) (Tarzanagh et al. 2023, Theorem 1). Raises as `svm`, otherwise.
    """
    array_namespace(X, Z)
    try:
        svm(X, Z, chosen, gap=0.5)
    except Infeasible:
        return False
    return True
