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
from numbers import Real
from typing import NamedTuple

import numpy as np

from corollary.theory.icl.checks import numbers, real_number, whole_number
from corollary.theory.icl.tasks import LinearTask
from corollary.theory.icl.wishart import LARGEST_TRACE, wishart_moment

Polynomial = list[Fraction]
DEEPEST, DEEPEST_PLUS = 25, 3  # layers of GD and of GD++ whose best steps are searched


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
    stack so deep that its degree passes the Wishart moments at hand (more than 40 layers of GD, 4 of GD++).
    """
    return float(_excess(*_rates(etas, gammas), task))


def optimal_steps(task: LinearTask, layers: int, *, tied: bool = False, plus: bool = False) -> Steps:
    """Steps of least excess for `layers` layers; tied: all layers alike; plus: GD++ (γ free) instead of GD.

    Untied GD without noise: 1/η_l are the roots of the orthogonal polynomial of degree k for the weight λ μ(dλ), μ the
    mean spectrum of G, as Π(1 − η_l λ) is the polynomial r of least ∫r² dμ with r(0) = 1. Else BFGS from a few starts
    on Gauss nodes of μ, exact at this degree. Excess and certificate come from the rationals of `gd_excess`. The
    order of rates does not matter: untied etas of GD come back ascending. Host only. Derived in
    `proofs_check/icl/depth.py`.
    Raises TypeError or ValueError as `gd_excess`, for layers < 1 or more than 25 (GD), 3 (GD++): with four layers the
    mean is that of a polynomial of degree 80, set by prompts rarer than any sample holds; four equal layers can have
    a larger one than three (d = 2, N = 6). RuntimeError where no start converges.
    """
    from scipy.optimize import minimize

    layers = whole_number("layers", layers, 1, "a stack has at least one layer")
    if layers > (DEEPEST_PLUS if plus else DEEPEST):
        raise ValueError(
            f"layers is {layers}; expected at most {DEEPEST_PLUS if plus else DEEPEST}: beyond, "
            + ("rare prompts alone set the mean of GD++ (degree 3^layers − 1); gd_excess takes 4"
               if plus else "the search loses its digits; gd_excess takes up to 40")
        )  # fmt: skip
    v, _ = task.isotropic()
    one = task.context / (task.context + task.d + 1 + task.noise) / v
    free_gammas = (1 if tied else layers - 1) if plus and layers > 1 else 0

    def unpack(p: np.ndarray) -> tuple[list[float], list[float]]:
        etas = [float(x) * one for x in (p[:1].repeat(layers) if tied else p[:layers])]
        tail = p[1:] if tied else p[layers:]
        gammas = [float(x) * one for x in tail]
        return etas, gammas * layers if tied and gammas else gammas + [0.0] * (layers - len(gammas))

    λ, weight = _gauss(task, (3**layers + 1) // 2 if free_gammas else layers + 1)

    def value(p: np.ndarray) -> float:
        r, D2 = np.ones_like(λ), np.ones_like(λ)
        for η, γ in zip(*unpack(p), strict=True):
            r, D2 = r * (1 - η * D2 * λ), D2 * (1 - γ * D2 * λ) ** 2
        return float(weight @ (r * r + task.noise * v / (task.signal / task.d) / task.context * (1 - r) ** 2 / λ))

    def slope(p: np.ndarray) -> np.ndarray:
        # central differences of a sum of positive terms: error h² ~ 1e-10, rounding u/h ~ 1e-11
        h = 1e-5
        steps = np.eye(len(p)) * h
        return np.array([(value(p + e) - value(p - e)) / (2 * h) for e in steps])

    best = None
    starts = [np.linspace(1 - s, 1 + 2 * s, layers) for s in (0.3, 0.6, 0.9)]
    if tied:
        starts = [np.array([s]) for s in (1.3, 1.6, 1.9)]
    elif not free_gammas:
        starts = [1 / (_gauss(task, layers, 1)[0] * one)]  # the optimum without noise
    for start in starts:
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


def _gauss(task: LinearTask, count: int, shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Nodes λ of G and weights (count,) with E tr G^shift p(G) ∝ Σ weight p(λ) for every p of degree < 2 count.

    Recurrence coefficients from the exact moments (Chebyshev's algorithm in rationals: in floats it loses all digits),
    nodes and weights from the Jacobi matrix (Golub and Welsch 1969).
    """
    N, d = task.context, task.d
    moments = [Fraction(wishart_moment(m + shift, N, d), d * N**m) for m in range(2 * count)]
    moments = [m / moments[0] for m in moments]
    before, row = [Fraction(0)] * len(moments), moments
    α, β = [moments[1]], [Fraction(1)]
    for k in range(1, count):
        new = [
            row[l + 1] - α[-1] * row[l] - β[-1] * before[l] if k <= l < 2 * count - k else Fraction(0)
            for l in range(len(row))
        ]
        α.append(new[k + 1] / new[k] - row[k] / row[k - 1])
        β.append(new[k] / row[k - 1])
        before, row = row, new
    off = np.sqrt([float(b) for b in β[1:]])
    λ, U = np.linalg.eigh(np.diag([float(a) for a in α]) + np.diag(off, 1) + np.diag(off, -1))
    return float(task.input_cov[0, 0]) * λ, U[0] ** 2


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
    """(g, κ′): the g = γλ_max in [0, 1) of least `gdpp_condition`, and that condition number; with q = κ^(−1/2),

        g = 1/(1 + q + q²),    κ′ = (4/27) (1 + q + q²)³/(q + q²)²:    the two ends of the spectrum meet there.

    Raises TypeError or ValueError for condition < 1.
    """
    κ = real_number("condition", condition, positive=True)
    if κ < 1:
        raise ValueError(f"condition is {κ:g}; expected condition >= 1")
    q = κ**-0.5
    total = 1 + q + q * q
    return 1 / total, 4 / 27 * total**3 / (q + q * q) ** 2


def _rates(etas: float | Sequence[float], gammas: float | Sequence[float]) -> tuple[list[float], list[float]]:
    listed = [real_number("etas", e) for e in ([etas] if isinstance(etas, Real) else list(etas))]  # pyright: ignore
    if not listed:
        raise ValueError("etas is empty; expected at least one step")
    return numbers("etas", listed, len(listed)), numbers("gammas", gammas, len(listed))


def _excess(etas: Sequence[float], gammas: Sequence[float], task: LinearTask) -> Fraction:
    v, ω = (Fraction(x) for x in task.isotropic())
    N, d = task.context, task.d
    x: Polynomial = [Fraction(0), v / N]  # λ of G as a polynomial in the eigenvalue of S
    r, D2 = [Fraction(1)], [Fraction(1)]
    for layer, (η, γ) in enumerate(zip(etas, gammas, strict=True)):
        degree = 2 * (len(r) - 1 + len(D2)) if η else 0
        if degree > LARGEST_TRACE:
            raise ValueError(
                f"layer {layer + 1} takes the risk to degree {degree}; expected at most {LARGEST_TRACE}: 40 layers of "
                "GD, 4 of GD++"
            )
        moved = _times(D2, x)
        r = _times(r, _one_minus(Fraction(η), moved))
        D2 = _times(D2, _square(_one_minus(Fraction(γ), moved)))
    bias = _trace(_square(r), N, d)
    gone = [-c for c in r]
    gone[0] += 1
    noise = _trace(_square(gone)[1:] or [Fraction(0)], N, d)  # (1 − r)²/s in the eigenvalue s of S
    return ω * v * bias + Fraction(task.noise) * v * (noise * N / v) / N


def _one_minus(a: Fraction, p: Polynomial) -> Polynomial:
    return [1 - a * p[0], *(-a * c for c in p[1:])] if a else [Fraction(1)]


def _times(p: Polynomial, q: Polynomial) -> Polynomial:
    out = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            out[i + j] += a * b
    while len(out) > 1 and not out[-1]:  # γ = 0 leaves zeros at the end, which would triple from layer to layer
        out.pop()
    return out


def _square(p: Polynomial) -> Polynomial:
    return _times(p, p)


def _trace(p: Polynomial, N: int, d: int) -> Fraction:
    """E tr p(S), with trailing zero coefficients dropped so that their moments are never asked for."""
    return sum((c * wishart_moment(m, N, d) for m, c in enumerate(p) if c), Fraction(0))
