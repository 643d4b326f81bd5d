r"""min ½‖w‖² subject to A w ≥ b: augmented Lagrangian with finite Newton steps. Host only (active sets).

    λ⁺ = (λ + σ (b − A w))₊,    w = argmin ½‖w‖² + (σ/2) ‖(b + λ/σ − A w)₊‖²

(Rockafellar 1976 for the outer, Mangasarian 2002 for the inner iteration: a piecewise quadratic, strictly convex
function, minimised in finitely many Newton steps with exact line search). The rows that count in a Newton system are
the working set S: solved as |S|×|S| (rows ≤ unknowns), p×p, or by conjugate gradients where both are large, so the
cost does not grow with the number of constraints beyond one product A w. Rows are scaled to unit norm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from corollary.theory.attention.certificate import Infeasible, gordan_residual
from corollary.theory.attention.problem import Rows

POSV: Any = scipy.linalg.get_lapack_funcs("posv")  # of float64
DIRECT = 1500  # a Cholesky factor of this order costs 1e9 operations; beyond, conjugate gradients win (measured)
ACTIVE = 4  # changes of the active set after an outer step: at most one or two are needed where it is nearly right
OUTER = 40  # λ converges linearly with a factor that falls as σ grows tenfold a time; 3 to 10 suffice
GORDAN = 1e-10  # relative residual of A*μ = 0 at which a problem counts as infeasible: ‖W‖ ≥ 1e10/row norm otherwise


def least_norm(
    rows: Rows,
    b: np.ndarray,
    done: Callable[[np.ndarray, np.ndarray], Any],
    *,
    start: np.ndarray | None = None,
    σ: float = 100.0,
) -> tuple[Any, np.ndarray, np.ndarray]:
    """(what `done` returned, w (p,), λ (N,)); done(w, λ) is asked after each outer step and returns None to go on.

    b (N,); start: multipliers to begin with. Raises Infeasible with Gordan's weights where increments of λ prove it;
    after OUTER steps returns (None, w, λ): the caller has the certificate.
    """
    norms = rows.norms
    h = b / norms
    λ = np.zeros(len(b)) if start is None else start * norms
    w, σ0 = rows.adjoint(λ / norms), σ
    scale = float(np.mean(np.abs(h))) or 1.0
    for outer in range(OUTER):
        w = _inner(rows, h, λ, σ, w, tolerance=scale * 10.0 ** (-3 - outer / 2))
        violation = h - rows.forward(w) / norms
        step = np.maximum(σ * violation, -λ)
        λ = λ + step
        answer = done(w, λ / norms)
        if answer is not None:
            return answer, w, λ / norms
        if outer and (found := _exact(rows, h, λ)) and (answer := done(found[0], found[1] / norms)) is not None:
            return answer, found[0], found[1] / norms
        _refuse_if_infeasible(rows, np.maximum(violation, 0.0) / norms, b)
        _refuse_if_infeasible(rows, np.maximum(step, 0.0) / norms, b)
        σ = min(10 * σ, 1e8 * σ0)
    return None, w, λ / norms


def _exact(rows: Rows, h: np.ndarray, λ: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(w, λ) that meet all conditions to rounding, by active sets from the support of λ; None where they do not settle.

    S ← {λ_S > 0} ∪ {violated}, λ_S = G_SS⁻¹ h_S: Newton's method without a penalty (Hintermüller, Ito, Kunisch 2002).
    """
    norms, on, rounding = rows.norms, λ > 0, 1e-11 * float(np.abs(h).max())
    for _ in range(ACTIVE):
        S = np.flatnonzero(on)
        if not 0 < len(S) <= min(rows.p, DIRECT):
            return None
        try:
            y = _solve(_scaled_gram(rows, S), h[S])
        except np.linalg.LinAlgError:
            return None
        λ = np.zeros(len(h))
        λ[S] = y
        w = rows.adjoint(λ / norms)
        after = np.where(on, λ > 0, h - rows.forward(w) / norms > rounding)
        if np.array_equal(after, on):
            return w, λ
        on = after
    return None


def _scaled_gram(rows: Rows, S: np.ndarray) -> np.ndarray:
    inverse = 1 / rows.norms[S]
    return rows.gram(S) * inverse[:, None] * inverse


def _refuse_if_infeasible(rows: Rows, ray: np.ndarray, b: np.ndarray) -> None:
    total = float(ray.sum())
    if not total > 0 or not float(ray @ b) > 0:
        return
    μ = ray / total
    residual = gordan_residual(rows, μ)
    # the residual must prove infeasibility of the given right side: μᵀb must stand clear of what A*μ ≠ 0 could carry
    if residual <= GORDAN:
        raise Infeasible(
            f"no solution: nonnegative weights cancel the constraints to {residual:.1e} of their size "
            "(Gordan's certificate in .weights)",
            μ,
            residual,
        )


def _inner(rows: Rows, h: np.ndarray, λ: np.ndarray, σ: float, w: np.ndarray, tolerance: float) -> np.ndarray:
    norms, before, last = rows.norms, np.zeros(0, dtype=bool), np.inf
    for _ in range(100):
        slack = h + λ / σ - rows.forward(w) / norms
        on = slack > 0
        gradient = w - rows.adjoint(np.where(on, σ * slack, 0.0) / norms)
        size = float(np.linalg.norm(gradient))
        # on one active set the function is a quadratic, which one step minimises: what then stays is rounding
        if size <= tolerance or (size > 0.5 * last and np.array_equal(on, before)):
            return w
        before, last = on, size
        step = _newton_step(rows, on, h + λ / σ, σ, w, gradient, tolerance)
        w = w + _line_search(slack, rows.forward(step) / norms, float(w @ step), float(step @ step), σ) * step
    return w  # the outer loop judges by the certificate


def _newton_step(rows: Rows, on, target, σ, w, gradient, tolerance) -> np.ndarray:
    S, norms = np.flatnonzero(on), rows.norms
    k, p = len(S), rows.p
    if k == 0:
        return -w
    if k <= min(p, DIRECT):
        G = _scaled_gram(rows, S)
        G[np.diag_indices(k)] += 1 / σ
        full = np.zeros(len(norms))
        full[S] = _solve(G, target[S]) / norms[S]
        return rows.adjoint(full) - w
    if p <= DIRECT:
        R = rows.dense(S) / norms[S, None]
        H = R.T @ R
        H[np.diag_indices(p)] += 1 / σ
        return _solve(H, R.T @ target[S]) - w
    return _conjugate_gradients(rows, np.where(on, 1 / norms, 0.0), σ, gradient, tolerance)


def _solve(G: np.ndarray, b: np.ndarray) -> np.ndarray:
    """G⁻¹ b by Cholesky; LAPACK itself, since scipy.linalg.solve's checks cost more than it for a hundred unknowns."""
    _, x, info = POSV(G, b, overwrite_a=True)
    if info:
        raise np.linalg.LinAlgError(f"a Newton system of order {len(b)} is not positive definite (pivot {info})")
    return x


def _conjugate_gradients(rows: Rows, mask, σ, gradient, tolerance) -> np.ndarray:
    x, r = np.zeros_like(gradient), -gradient
    q, rr = r.copy(), float(r @ r)
    goal = max(0.1 * tolerance, 0.01 * rr**0.5 * min(1.0, rr**0.5))
    for _ in range(500):
        Hq = q + σ * rows.adjoint(mask * mask * rows.forward(q))
        α = rr / float(q @ Hq)
        x, r = x + α * q, r - α * Hq
        new = float(r @ r)
        if new**0.5 <= goal:
            break
        q, rr = r + (new / rr) * q, new
    return x


def _line_search(slack: np.ndarray, q: np.ndarray, s0: float, s1: float, σ: float) -> float:
    """The zero of the piecewise linear, increasing derivative along the step, by safeguarded Newton."""
    lo, hi, t, first = 0.0, np.inf, 1.0, None
    for _ in range(60):
        c = slack - t * q
        on = c > 0
        f, df = s0 + t * s1 - σ * float(c[on] @ q[on]), s1 + σ * float(q[on] @ q[on])
        if first is None:
            start = slack > 0
            first = abs(s0 - σ * float(slack[start] @ q[start]))
        if abs(f) <= 1e-3 * first or df == 0:
            return t
        lo, hi = (lo, t) if f > 0 else (t, hi)
        guess = t - f / df
        t = guess if lo < guess < hi else (lo + hi) / 2 if np.isfinite(hi) else 2 * t
    return t
