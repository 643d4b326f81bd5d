"""One output of the sampled program to high accuracy: interior point, then the active-set polish, then a working set.

The interior point ends at a relative gap of about 1e-8, where the rounding of its Newton systems takes over; the
polish takes the face it found to 1e-12 or so. With many patterns only a working set of groups is solved; groups whose
dual constraint it breaks join until none does (column generation over the 2P signed patterns). Host only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from corollary.theory.convex_relu import losses
from corollary.theory.convex_relu.cones import largest_support, support_norms
from corollary.theory.convex_relu.interior_point import Point, central_start, interior_point
from corollary.theory.convex_relu.polish import polish
from corollary.theory.convex_relu.structured import Structured

_EXACT = 5000  # unknowns up to which the gap itself is looked at on the way

Report = Callable[[str, int, float, float], None]  # stage, step, primal, dual


class Candidate(NamedTuple):
    """u (2, P, d) in its cones, ν (n,), cone multipliers μ (2, P, n)."""

    u: np.ndarray
    nu: np.ndarray
    mu: np.ndarray


class Data(NamedTuple):
    """One output on the host: X (n, d), y (n,), β, D (n, P)."""

    X: np.ndarray
    y: np.ndarray
    beta: float
    D: np.ndarray
    loss: losses.Loss
    gated: bool


def gap_of(data: Data, c: Candidate, slack: float = 0.0) -> tuple[float, float]:
    """(primal, dual): u is taken to lie in its cones, the dual bound is rigorous; slack: see `support_norms`."""
    f = np.sum(data.X * (data.D @ (c.u[0] - c.u[1])), axis=1)
    norms = float(np.sum(np.linalg.norm(c.u, axis=2)))
    primal = float(losses.value(data.loss, f, data.y)) + data.beta * norms
    nu = np.asarray(losses.into_domain(data.loss, c.nu, data.y))
    if data.gated:
        largest = float(np.max(np.linalg.norm((data.D * nu[:, None]).T @ data.X, axis=1)))
    else:
        largest = float(np.max(support_norms(data.X, data.D, nu, data.beta * (1 + slack), c.mu)))
    limit = np.asarray(data.beta / largest if largest > 0 else np.inf)
    s = float(losses.best_scaling(data.loss, nu, data.y, limit))
    return primal, float(losses.dual_value(data.loss, losses.into_domain(data.loss, s * nu, data.y), data.y))


def relative(primal: float, dual: float) -> float:
    size = max(abs(primal), abs(dual))
    return (primal - dual) / size if size else 0.0


def solve_groups(data: Data, groups: np.ndarray, tol: float, report: Report | None = None) -> Candidate:
    """The program restricted to `groups` (indices into the 2P signed patterns: 0…P−1 positive, P…2P−1 negative)."""
    n, P = data.D.shape
    sx = float(np.sqrt(np.mean(np.sum(data.X**2, axis=1)))) or 1.0
    sy = float(np.linalg.norm(data.y)) if data.loss == "squared" else 1.0
    sy = sy or 1.0
    pattern, sign = groups % P, np.where(groups < P, 1.0, -1.0)
    # in these units the squared loss at zero is 1/2 and rows have length one, so tolerances are relative
    program = Structured(data.X / sx, data.y / sy, data.beta / (sx * sy), data.D, pattern, sign, data.loss, data.gated)
    inside = data._replace(X=program.X, y=program.y, beta=program.beta, D=np.ascontiguousarray(program.DT.T))
    place = program.of + np.where(sign > 0, 0, len(program.used))
    small = program.dim <= _EXACT
    best: list[tuple[float, Point]] = []

    def watch(point: Point) -> bool:
        u, t, xi = program.parts(point.x)
        at = np.sum(xi) if data.loss == "hinge" else losses.value(data.loss, program.fit(u), program.y)
        p = abs(float(at + program.beta * np.sum(t)))
        if report is not None:
            report("interior point", point.steps, p * sy**2, (p - point.complementarity) * sy**2)
        # near the end the residual of large multipliers grows while the gap still falls: look at the gap itself where
        # that is cheap, else at the sum of both
        merit = point.complementarity / max(p, 1e-300) + point.residual
        if small and point.complementarity <= 1e-3 * p:
            full, kept, _ = _read(program, point, place)
            merit = min(relative(*gap_of(inside, c)) for c in (full, kept))
        if not best or merit < best[0][0]:
            best[:] = [(merit, point)]
        return merit <= tol

    interior_point(program, *central_start(program, program.dim), scale=1.0, tol=1e-14, watch=watch)
    full, kept, active = _read(program, best[0][1], place)
    found = [kept] if tol > 1e-5 and not small else [kept, full]
    if tol <= 1e-5:
        flat = kept.u.reshape(-1, program.d)[place]
        refined = polish(program, flat, active, kept.nu)
        if refined is not None:
            sharp = np.zeros((2 * len(program.used), program.d))
            sharp[place] = refined[0]
            second = Candidate(sharp.reshape(2, -1, program.d), refined[1], kept.mu)
            if data.gated or _violation(inside, second.u) <= 1e-12:
                found.insert(0, second)
    chosen = found[0]
    if len(found) > 1:
        gaps = [relative(*gap_of(inside, c)) for c in found]
        # the first that is good enough has the fewest neurons
        good = [i for i, g in enumerate(gaps) if g <= tol]
        chosen = found[good[0] if good and tol > 1e-8 else int(np.argmin(gaps))]
    u, mu = np.zeros((2, P, program.d)), np.zeros((2, P, n))
    u[:, program.used], mu[:, program.used] = chosen.u * (sy / sx), chosen.mu * sy
    return Candidate(u, chosen.nu * sy, mu)


def _read(program: Structured, point: Point, place: np.ndarray) -> tuple[Candidate, Candidate, np.ndarray]:
    """(all groups, only those in use, the rows (G, r) held at zero), in the program's units and patterns."""
    n, d, G, half = program.n, program.d, program.G, len(program.used)
    u, t, _ = program.parts(point.x)
    # a group is off where its own slack t is smaller than the slack β − |z| of its dual constraint
    dual_slack = point.z.soc[:, 0] - np.linalg.norm(point.z.soc[:, 1:], axis=1)
    on = t / np.max(t) > dual_slack / program.beta
    if program.loss == "hinge":
        nu = program.y * point.z.line[program.lines + n :]
    else:
        nu = np.asarray(losses.dual_point(program.loss, program.fit(u), program.y))
    mu = np.zeros((2 * half, n))
    active = np.zeros((G, 0), dtype=bool)
    if not program.gated:
        lines = point.z.line[: program.lines].reshape(G, -1)
        mu[np.ix_(place, program.rows)] = lines
        slack = point.s.line[: program.lines].reshape(G, -1)
        active = lines / program.beta > slack / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-300)
    whole, kept = np.zeros((2, 2 * half, d))
    whole[place], kept[place] = u, np.where(on[:, None], u, 0.0)
    shape, lines_shape = (2, half, d), (2, half, n)
    mu = mu.reshape(lines_shape)
    return Candidate(whole.reshape(shape), nu, mu), Candidate(kept.reshape(shape), nu, mu), active


def _violation(data: Data, u: np.ndarray) -> float:
    size = np.linalg.norm(u, axis=2, keepdims=True)
    row = np.linalg.norm(data.X, axis=1)
    row[row == 0] = 1
    inside = (2 * data.D.T - 1) * (u / np.where(size > 0, size, 1.0) @ data.X.T) / row
    return float(-np.min(inside, initial=0.0))


def solve_working_set(
    data: Data,
    tol: float,
    report: Report | None = None,
    *,
    first: np.ndarray | None = None,
    guess: Candidate | None = None,
    rounds: int = 20,
) -> Candidate:
    """All 2P groups, a working set at a time; `first`: the groups to begin with (default: all), `guess`: a point of
    ADMM, whose multipliers certify the groups that stay out."""
    n, P = data.D.shape
    zero = np.asarray(losses.dual_point(data.loss, np.zeros(n), data.y))
    reach = float(np.max(np.linalg.norm((data.D * zero[:, None]).T @ data.X, axis=1)))
    # near or above the critical β: look whether it is exactly the zero network (see `critical`)
    if data.beta >= 0.3 * reach and largest_support(data.X, data.D, zero, data.gated) <= data.beta:
        return Candidate(np.zeros((2, P, data.X.shape[1])), zero, np.zeros((2, P, n)))
    groups = np.arange(2 * P) if first is None else np.unique(first)
    candidate = None
    for _ in range(rounds):
        candidate = solve_groups(data, groups, tol, report)
        out = np.setdiff1d(np.arange(2 * P), groups)
        if not out.size:
            return candidate
        mu = candidate.mu
        if guess is not None:
            mu = mu.reshape(2 * P, n).copy()
            mu[out] = guess.mu.reshape(2 * P, n)[out]
            mu = mu.reshape(2, P, n)
        if data.gated:
            bounds = np.stack([np.linalg.norm((data.D * candidate.nu[:, None]).T @ data.X, axis=1)] * 2)
        else:
            bounds = support_norms(data.X, data.D, candidate.nu, data.beta, mu)
        bounds = bounds.reshape(-1)
        broken = out[bounds[out] > data.beta * (1 + tol / 4)]
        candidate = candidate._replace(mu=mu)
        if not broken.size:
            return candidate
        worst = broken[np.argsort(-bounds[broken])]
        groups = np.union1d(groups, worst[: max(8, len(groups) // 2)])
    assert candidate is not None
    return candidate
