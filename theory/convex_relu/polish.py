"""Active-set polish: Newton's method on the face where an interior point ended, to the last digits.

With the groups that are not zero and the rows E X u = 0 that hold with equality known, u_g = N_g z_g (N_g a basis of
the active rows' null space) and the program is smooth: Σ_g β ‖z_g‖ + L(Σ_g F_g N_g z_g). Its Newton system splits
each group into its own direction ẑ_g (radial, no curvature of its own) and the rest (tangential, curvature β/‖z_g‖):

    M = Λ⁻¹ + Σ_g (‖z_g‖/β) F_g N_g (I − ẑẑᵀ) N_gᵀ F_gᵀ  (n × n),   R = [F_g N_g ẑ_g]_g,
    M q − R α = −b,   Rᵀ q = −g_radial,   ν ← ν − q.

For the hinge only the points on the margin (y f = 1) enter, with Λ⁻¹ = 0 and the target f = y. Host only. What comes
out is judged by its certificate: a wrong guess of the face costs time, never truth.
"""

from __future__ import annotations

import numpy as np

from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.structured import Structured


def polish(
    program: Structured, u: np.ndarray, active_rows: np.ndarray, nu: np.ndarray, *, steps: int = 12
) -> tuple[np.ndarray, np.ndarray] | None:
    """(u (G, d), ν (n,)) after Newton steps on the face: groups u_g ≠ 0, rows (G, r) bool held at zero.

    None where the guessed face cannot be right (a group left without directions, a singular system, a cone left).
    """
    loss, X, y, beta = program.loss, program.X, program.y, program.beta
    alive = np.flatnonzero(np.any(u != 0, axis=1))
    if not alive.size:
        return None
    bases, F = [], []
    for g in alive:
        rows = program.XE[active_rows[g]] if active_rows.shape[1] else program.XE[:0]
        N = _null_space(rows, program.d)
        if not N.shape[1]:
            return None
        bases.append(N)
        F.append(program.sign[g] * program.DT[program.of[g]][:, None] * (X @ N))
    z: list[np.ndarray] = [N.T @ u[g] for N, g in zip(bases, alive, strict=True)]
    dual: np.ndarray = nu.copy()
    last = np.inf
    for _ in range(steps):
        f = _fit(F, z)
        if loss == "hinge":
            p = y * dual
            on = (p > 1e-7) & (p < 1 - 1e-7)
            dual = np.where(on, dual, y * (p >= 0.5))
            keep, flat, miss = np.flatnonzero(on), np.zeros(int(on.sum())), (y - f)[on]
            if not keep.size:
                return None
        else:
            dual = np.asarray(losses.dual_point(loss, f, y))
            keep, miss = np.arange(len(y)), np.zeros(len(y))
            flat = 1 / np.maximum(losses.curvature(loss, f, y), 1e-30)
        norms = np.array([np.linalg.norm(v) for v in z])
        if np.min(norms) == 0:
            return None
        move, q = _newton_step(F, z, norms, keep, flat, miss, dual, beta)
        step = 1.0
        while any(np.linalg.norm(v + step * m) < 0.1 * s for v, m, s in zip(z, move, norms, strict=True)):
            step /= 2
            if step < 1e-3:
                return None
        z = [v + step * m for v, m in zip(z, move, strict=True)]
        if loss == "hinge":
            dual[keep] -= step * q
        size = max(float(np.max(np.abs(m))) for m in move) / float(max(norms))
        if size <= 1e-15 or (size >= last and size < 1e-12):
            break
        last = size
    out = np.zeros_like(u)
    for g, N, v in zip(alive, bases, z, strict=True):
        out[g] = N @ v
    if not np.all(np.isfinite(out)):
        return None
    return out, (dual if loss == "hinge" else np.asarray(losses.dual_point(loss, program.fit(out), y)))


def _fit(F: list[np.ndarray], z: list[np.ndarray]) -> np.ndarray:
    return np.sum([A @ v for A, v in zip(F, z, strict=True)], axis=0)


def _newton_step(
    F: list[np.ndarray],
    z: list[np.ndarray],
    norms: np.ndarray,
    keep: np.ndarray,
    flat: np.ndarray,
    miss: np.ndarray,
    nu: np.ndarray,
    beta: float,
) -> tuple[list[np.ndarray], np.ndarray]:
    """(moves of z, q) of the system above on the points `keep`, where Λ⁻¹ = diag(flat)."""
    heads: list[np.ndarray] = [v / s for v, s in zip(z, norms, strict=True)]
    grads: list[np.ndarray] = [beta * h - A.T @ nu for h, A in zip(heads, F, strict=True)]
    radial = np.array([h @ g for h, g in zip(heads, grads, strict=True)])
    tangent = [g - h * r for g, h, r in zip(grads, heads, radial, strict=True)]
    R = np.stack([A[keep] @ h for A, h in zip(F, heads, strict=True)], axis=1)
    rest = [A[keep] - np.outer(R[:, i], h) for i, (A, h) in enumerate(zip(F, heads, strict=True))]
    T = np.concatenate([B * np.sqrt(s / beta) for B, s in zip(rest, norms, strict=True)], axis=1)
    M = T @ T.T
    M[np.diag_indices(len(keep))] += flat
    b = miss + np.sum([B @ t * (s / beta) for B, s, t in zip(rest, norms, tangent, strict=True)], axis=0)
    system = np.block([[M, -R], [R.T, np.zeros((R.shape[1], R.shape[1]))]])
    # least squares: columns of R are dependent where the solution is not unique, M singular for the hinge
    solved = np.linalg.lstsq(system, -np.concatenate([b, radial]), rcond=1e-13)[0]
    q, alpha = solved[: len(keep)], solved[len(keep) :]
    move = [-(s / beta) * (t + B.T @ q) + a * h
            for s, t, B, a, h in zip(norms, tangent, rest, alpha, heads, strict=True)]  # fmt: skip
    return move, q


def _null_space(rows: np.ndarray, d: int) -> np.ndarray:
    if not len(rows):
        return np.eye(d)
    _, s, Vt = np.linalg.svd(rows / np.linalg.norm(rows, axis=1, keepdims=True), full_matrices=True)
    return Vt[int(np.sum(s > 1e-9)) :].T
