"""Semismooth Newton on the augmented Lagrangian, for gated networks: Li, Sun & Toh 2018, Algorithms 1 and 2.

    min_z L(Σ_p D_p X z_p) + β Σ ‖z_p‖,    its dual: max −L*(−ν) with ‖Xᵀ D_p ν‖ ≤ β

The method of multipliers on the dual, whose multipliers are z: with w_p = z_p + σ Xᵀ D_p ν and a_p = (1 − σβ/‖w_p‖)₊,

    ν ← argmin φ(ν) = L*(−ν) + Σ ‖a_p w_p‖² / 2σ,    z_p ← a_p w_p.

φ has one derivative, and a Newton system of order n on the structure of Woodbury's: over the p with a_p > 0

    H = Λ⁻¹ + σ (X Xᵀ) ∘ (D diag(a) Dᵀ) + σ R diag(1 − a) Rᵀ,    R = [D_p X w_p/‖w_p‖]_p,  Λ = L''.

Some twenty such systems in all, whatever d and P. Smooth losses (v_p and w_p as one z_p: see `fista`). Host only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.interior import Candidate, Data, Report, gap_of, relative

_FIRST = 100.0  # σ λ to begin with, λ the data's curvature along y; 10 to 1000 take the same number of systems ± 2
_GROW = 10.0
_OUTER, _INNER = 60, 60  # updates of z, and Newton steps for each: beyond them the caller says NotConverged
_FAILED = 4  # attempts in a row, each with σ growing less
_SHORTEST = 1e-9  # step of a line search: groups come and go within that of ν
_IDLE, _SMALL = 3, 1e-9  # updates of z, below this gap, without half of it gone: rounding
_ROUNDING = 64 * float(np.finfo(float).eps)  # of the gradient, a sum of terms of the size of y and ν
_MARGIN = 1e-12  # of the logistic dual's domain, for the ν to begin with: at its ends φ has no slope
_INSIDE = 0.99  # share of the way to the end of the logistic dual's domain that a step may go


class _At(NamedTuple):
    """φ at ν: c_p = XᵀD_pν (P, d), active patterns, their a and w/‖w‖, z there, φ and its gradient."""

    nu: np.ndarray
    c: np.ndarray
    active: np.ndarray
    a: np.ndarray
    heads: np.ndarray
    z: np.ndarray
    value: float
    gradient: np.ndarray


class _Program:
    """In units where rows of X, and y for the squared loss, have size one."""

    def __init__(self, data: Data) -> None:
        self.sx = float(np.sqrt(np.mean(np.sum(data.X**2, axis=1)))) or 1.0
        self.sy = (float(np.linalg.norm(data.y)) if data.loss == "squared" else 1.0) or 1.0
        self.X, self.y = data.X / self.sx, data.y / self.sy
        self.loss: losses.Loss = data.loss
        self.beta = data.beta / (self.sx * self.sy)
        self.D, self.DT = data.D, np.ascontiguousarray(data.D.T)
        self.gram = self.X @ self.X.T

    def fit(self, z: np.ndarray, patterns: np.ndarray) -> np.ndarray:
        return np.sum(self.X * (self.D[:, patterns] @ z), axis=1)

    def features_transposed(self, nu: np.ndarray) -> np.ndarray:
        return (self.DT * nu) @ self.X

    def at(self, nu: np.ndarray, c: np.ndarray, z: np.ndarray, sigma: float) -> _At:
        w = z + sigma * c
        norms = np.linalg.norm(w, axis=1)
        active = np.flatnonzero(norms > sigma * self.beta)
        w, norms = w[active], norms[active]
        a = 1 - sigma * self.beta / norms
        new = a[:, None] * w
        value = float(np.sum(new * new)) / (2 * sigma) - float(losses.dual_value(self.loss, nu, self.y))
        p = self.y * nu
        slope = nu - self.y if self.loss == "squared" else self.y * (np.log(p) - np.log1p(-p))
        return _At(nu, c, active, a, w / norms[:, None], new, value, slope + self.fit(new, active))

    def newton_direction(self, at: _At, sigma: float) -> np.ndarray:
        D = self.D[:, at.active]
        H = ((sigma * D * at.a) @ D.T) * self.gram
        R = D * (self.X @ at.heads.T)
        H += (R * (sigma * (1 - at.a))) @ R.T
        p = self.y * at.nu
        H[np.diag_indices(len(H))] += 1.0 if self.loss == "squared" else 1 / (p * (1 - p))
        factor = cho_factor(H, lower=True, overwrite_a=True, check_finite=False)
        return -cho_solve(factor, at.gradient, check_finite=False)

    def longest(self, nu: np.ndarray, step: np.ndarray) -> float:
        """The step, at most 1, that keeps ν inside the dual's domain."""
        if self.loss == "squared":
            return 1.0
        p, dp = self.y * nu, self.y * step
        room = np.where(
            dp > 0, (1 - p) / np.where(dp > 0, dp, 1), np.where(dp < 0, -p / np.where(dp < 0, dp, 1), np.inf)
        )
        return min(1.0, _INSIDE * float(np.min(room)))


def by_newton(data: Data, tol: float, report: Report, guess: Candidate | None = None) -> Candidate:
    """The gated program to a relative gap ≤ tol, or as near as rounding lets it; begins at `guess`'s u.

    Raises ValueError for the hinge, whose dual has no curvature.
    """
    if data.loss == "hinge":
        raise ValueError("the semismooth Newton method needs a smooth loss; for the hinge use solver='interior-point'")
    program = _Program(data)
    n, P = data.D.shape
    z = np.zeros((P, data.X.shape[1])) if guess is None else (guess.u[0] - guess.u[1]) * (program.sx / program.sy)
    used = np.flatnonzero(np.any(z != 0, axis=1))
    nu = np.asarray(losses.dual_point(data.loss, program.fit(z[used], used), program.y))
    if data.loss == "logistic":
        nu = program.y * np.clip(program.y * nu, _MARGIN, 1 - _MARGIN)
    c = program.features_transposed(nu)
    along = program.fit(c, np.arange(P))
    sigma = _FIRST * float(np.linalg.norm(nu)) / (float(np.linalg.norm(along)) or 1.0) or _FIRST
    best, least, taken, idle, failed, grow = None, np.inf, 0, 0, 0, _GROW
    for _ in range(_OUTER):
        at, steps = _minimised(program, program.at(nu, c, z, sigma), z, sigma)
        taken += steps
        if at is None:  # σ grew too fast: back to where ν was found
            failed, grow = failed + 1, np.sqrt(grow)
            if failed == _FAILED:
                break
            sigma /= grow
            continue
        failed = 0
        z = np.zeros_like(z)
        z[at.active] = at.z
        nu, c = at.nu, at.c
        u = np.stack([z, np.zeros_like(z)]) * (program.sy / program.sx)
        candidate = Candidate(u, nu * program.sy, np.zeros((2, P, n)))
        primal, dual = gap_of(data, candidate)
        report("newton", taken, primal, dual)
        gap = relative(primal, dual)
        idle = 0 if gap < least / 2 or gap > _SMALL else idle + 1
        if best is None or gap < least:
            best, least = candidate, gap
        if gap <= tol or idle == _IDLE:
            break
        sigma *= grow
    nothing = Candidate(np.zeros((2, P, data.X.shape[1])), nu * program.sy, np.zeros((2, P, n)))
    return best or guess or nothing


def _minimised(program: _Program, at: _At, z: np.ndarray, sigma: float) -> tuple[_At | None, int]:
    """(where φ is least, Newton steps taken); None where they do not get there."""
    for step in range(_INNER):
        moved = z.copy()
        moved[at.active] -= at.z
        size = float(np.linalg.norm(at.nu))
        enough = 0.1 * min(1.0, size, float(np.linalg.norm(moved)) / np.sqrt(sigma))
        if np.linalg.norm(at.gradient) <= max(enough, _ROUNDING * (1 + size)):
            return at, step
        ahead = _line_search(program, at, z, sigma)
        if ahead is None:
            return (at if np.linalg.norm(at.gradient) <= size else None), step
        at = ahead
    return None, _INNER


def _line_search(program: _Program, at: _At, z: np.ndarray, sigma: float) -> _At | None:
    """The Newton step, halved until φ falls by Armijo's share; None where rounding leaves nothing to gain."""
    try:
        step = program.newton_direction(at, sigma)
    except LinAlgError:  # σ so large that Λ⁻¹ is lost in the sum
        return None
    slope = float(at.gradient @ step)
    change = program.features_transposed(step)
    t = program.longest(at.nu, step)
    while t > _SHORTEST:
        ahead = program.at(at.nu + t * step, at.c + t * change, z, sigma)
        if ahead.value <= at.value + 1e-4 * t * slope:
            return ahead
        if abs(t * slope) <= 1e-13 * abs(at.value):  # φ no longer sees the step: the gradient decides
            return ahead if np.linalg.norm(ahead.gradient) < 0.5 * np.linalg.norm(at.gradient) else None
        t /= 2
    return None
