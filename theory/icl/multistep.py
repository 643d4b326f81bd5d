r"""k steps of gradient descent or GD++ in context: exact risk through Wishart moments, and the best steps.

Isotropic Gaussian tasks, Λ = vI, Ω = ωI. A linear stack of k layers leaves of each eigendirection of G = XᵀX/N, with
eigenvalue λ, the fraction r(λ), a polynomial with r(0) = 1; with noise σ²

    excess = ωv E tr r(G)² + (σ²v/N) E tr (1 − r(G))² G⁻¹,          polynomials in G = (v/N) S, S standard Wishart.

Gradient descent: r(λ) = Π_l (1 − η_l λ). GD++ (von Oswald et al. 2023, Appendix A.10) with γ in units of the mean Gram,
x ← (1 − γ_l λ D²) x: r ← r (1 − η_l D² λ), then D ← D (1 − γ_l D² λ), from r = D = 1. Their γ multiplies XᵀX: it is
γ/N here. Coefficients and moments are exact rationals of the given floats, so nothing cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from corollary.theory.icl.checks import numbers, real_number, whole_number
from corollary.theory.icl.tasks import LinearTask
from corollary.theory.icl.wishart import wishart_moment

Polynomial = list[Fraction]


class Steps(NamedTuple):
    """The best steps `etas` (k,) and `gammas` (k,) and their `excess`. `gradient` certifies them: the largest slope of
    excess/t in a free step in units of the best single one, by central differences of 1e-5.
    """

    etas: np.ndarray
    gammas: np.ndarray
    excess: float
    gradient: float


def gd_excess(etas: float | Sequence[float], task: LinearTask, gammas: float | Sequence[float] = 0.0) -> float:
    """Excess E(ŷ − w·x_q)² of the steps with rates `etas` (and GD++ with `gammas`), exactly.

    A number means one step. gammas are those of the layers, the last of which no longer matters.
    Raises TypeError or ValueError: a task that is not isotropic Gaussian, no steps, lists of different lengths, a
    stack so deep that its degree passes the Wishart moments at hand (10 GD layers or so, 3 of GD++).
    """
    return float(_excess(*_rates(etas, gammas), task))


def optimal_steps(task: LinearTask, layers: int, *, tied: bool = False, plus: bool = False) -> Steps:
    """Steps of least excess for `layers` layers; tied: all layers alike; plus: GD++ (γ free) instead of GD.

    Found by BFGS from a short ladder of starts; exact excess, gradient by exact differences, certified by `gradient`.
    Only rates matter that are ordered: untied etas of GD come back ascending. Host only.
    Raises TypeError or ValueError as `gd_excess`, for layers < 1; RuntimeError where no start converges.
    """
    from scipy.optimize import minimize

    layers = whole_number("layers", layers, 1, "a stack has at least one layer")
    v, _ = task.isotropic()
    one = task.context / (task.context + task.d + 1 + task.noise) / v
    free_gammas = (1 if tied else layers - 1) if plus and layers > 1 else 0

    def unpack(p: np.ndarray) -> tuple[list[float], list[float]]:
        etas = [float(x) * one for x in (p[:1].repeat(layers) if tied else p[:layers])]
        tail = p[1:] if tied else p[layers:]
        gammas = [float(x) * one for x in tail]
        return etas, gammas * layers if tied and gammas else gammas + [0.0] * (layers - len(gammas))

    def value(p: np.ndarray) -> float:
        return gd_excess(unpack(p)[0], task, unpack(p)[1]) / task.signal

    def slope(p: np.ndarray) -> np.ndarray:
        # central differences of an exact function: error h² ~ 1e-10, rounding u/h ~ 1e-11
        h = 1e-5
        steps = np.eye(len(p)) * h
        return np.array([(value(p + e) - value(p - e)) / (2 * h) for e in steps])

    best = None
    for spread in (0.3, 0.6, 0.9):
        start = np.array([1.0 + spread] if tied else list(np.linspace(1 - spread, 1 + 2 * spread, layers)))
        start = np.concatenate([start, np.full(free_gammas, 0.3)])
        found = minimize(value, start, jac=slope, method="BFGS", options={"gtol": 1e-9, "maxiter": 200})
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    etas, gammas = (np.array(x) for x in unpack(best.x))
    if not plus:
        etas = np.sort(etas)
    gradient = _slope(etas, gammas, task, one, tied, plus)
    if not gradient < 1e-6:  # rounding of the differences leaves 1e-10
        raise RuntimeError(f"no start converged for {layers} layers: slope {gradient:.2g} left; try fewer layers")
    return Steps(etas, gammas, gd_excess(list(etas), task, list(gammas)), gradient)


def _slope(etas: np.ndarray, gammas: np.ndarray, task: LinearTask, one: float, tied: bool, plus: bool) -> float:
    """The largest |∂(excess/t)/∂(step/one)| over the free steps, by central differences of 1e-5 · one."""
    k, h = len(etas), 1e-5 * one
    groups = [np.ones(k)] if tied else list(np.eye(k))
    moves = [(h * g, 0 * g) for g in groups] + ([(0 * g, h * g) for g in groups] if plus else [])

    def at(sign: int, move: tuple[np.ndarray, np.ndarray]) -> float:
        return gd_excess(list(etas + sign * move[0]), task, list(gammas + sign * move[1])) / task.signal

    return max(abs(at(1, m) - at(-1, m)) / 2e-5 for m in moves)


def gdpp_spectrum(eigenvalues: np.ndarray, gamma: float) -> np.ndarray:
    """Eigenvalues λ(1 − γλ)² of the Gram matrix after the GD++ map x ← (1 − γ XᵀX) x. Raises TypeError, ValueError."""
    λ = np.asarray(eigenvalues, dtype=float)
    if not np.all(np.isfinite(λ)) or np.any(λ < 0):
        raise ValueError("eigenvalues of a Gram matrix are finite and >= 0")
    return λ * (1 - real_number("gamma", gamma) * λ) ** 2


def gdpp_condition(condition: float, g: float) -> float:
    """Condition number after one GD++ map of a spectrum that fills [1/κ, 1], for g = γλ_max in [0, 1).

    Extremes of λ(1 − gλ)² sit at the ends or at λ = 1/(3g). κ → (4/27) κ/g for large κ at the best g.
    Raises TypeError or ValueError: condition < 1, g outside [0, 1).
    """
    κ, g = real_number("condition", condition, positive=True), real_number("g", g, nonnegative=True)
    if κ < 1 or g >= 1:
        raise ValueError(f"condition is {κ:g} and g {g:g}; expected condition >= 1 and 0 <= g < 1")
    points = [1 / κ, 1.0] + ([1 / (3 * g)] if g > 1 / 3 and 1 / κ < 1 / (3 * g) else [])
    values = [x * (1 - g * x) ** 2 for x in points]
    return max(values) / min(values)


def best_gdpp(condition: float) -> tuple[float, float]:
    """(g, κ′): the g = γλ_max in [0, 1) of least `gdpp_condition`, and that condition number, to 1e-12. Host only."""
    from scipy.optimize import minimize_scalar

    real_number("condition", condition, positive=True)
    # the maximum grows and the minimum falls once (1 − g)² < the value at 1/κ: unimodal in g
    found = minimize_scalar(lambda g: gdpp_condition(condition, g), bounds=(0.0, 1 - 1e-12), method="bounded",
                            options={"xatol": 1e-13})  # fmt: skip
    return float(found.x), float(found.fun)  # pyright: ignore[reportAttributeAccessIssue]


def _rates(etas: float | Sequence[float], gammas: float | Sequence[float]) -> tuple[list[float], list[float]]:
    listed = [etas] if isinstance(etas, int | float) else [float(e) for e in etas]
    if not listed:
        raise ValueError("etas is empty; expected at least one step")
    return numbers("etas", listed, len(listed)), numbers("gammas", gammas, len(listed))


def _excess(etas: Sequence[float], gammas: Sequence[float], task: LinearTask) -> Fraction:
    v, ω = (Fraction(x) for x in task.isotropic())
    N, d = task.context, task.d
    x: Polynomial = [Fraction(0), v / N]  # λ of G as a polynomial in the eigenvalue of S
    r, D2 = [Fraction(1)], [Fraction(1)]
    for η, γ in zip(etas, gammas, strict=True):
        moved = _times(D2, x)
        r = _times(r, _one_minus(Fraction(η), moved))
        D2 = _times(D2, _square(_one_minus(Fraction(γ), moved)))
    bias = _trace(_square(r), N, d)
    gone = [-c for c in r]
    gone[0] += 1
    noise = _trace(_square(gone)[1:] or [Fraction(0)], N, d)  # (1 − r)²/s in the eigenvalue s of S
    return ω * v * bias + Fraction(task.noise) * v * (noise * N / v) / N


def _one_minus(a: Fraction, p: Polynomial) -> Polynomial:
    return [1 - a * p[0], *(-a * c for c in p[1:])]


def _times(p: Polynomial, q: Polynomial) -> Polynomial:
    out = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            out[i + j] += a * b
    return out


def _square(p: Polynomial) -> Polynomial:
    return _times(p, p)


def _trace(p: Polynomial, N: int, d: int) -> Fraction:
    """E tr p(S), with trailing zero coefficients dropped so that their moments are never asked for."""
    return sum((c * wishart_moment(m, N, d) for m, c in enumerate(p) if c), Fraction(0))
