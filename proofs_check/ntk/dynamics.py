"""Training of the infinitely wide network: the flow's solution, its ridge form, and descent in whole steps."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import ntk

Steps = Generator[Step | Agreement, None, None]
N, M = 4, 2

η, t, s = sp.symbols("η t s", positive=True)
λ1, λ2 = sp.symbols("λ1 λ2", positive=True)
h = sp.Symbol("h", real=True)  # tan of half the angle of the eigenvectors: every rotation but the one by π
ROTATION = sp.Matrix([[1 - h**2, -2 * h], [2 * h, 1 - h**2]]) / (1 + h**2)
THETA: Any = ROTATION * sp.diag(λ1, λ2) * ROTATION.T

# Residuals and weights are sums of N products; Θ_R has a condition number below 60 (checked in `problems`), so the
# eigendecomposition and the division by eigenvalues leave N · 60 · a few roundings of 1.1e-16: 1e-13 of the largest entry.
DIGITS = 12


def remainder(matrix: Any) -> Any:
    """The matrix as ratios of polynomials in lowest terms: zero iff it vanishes identically."""
    return matrix.applyfunc(lambda entry: sp.cancel(sp.together(entry)))


class Problem(NamedTuple):
    """N training and M test points with kernels, targets and start in multiples of 1/64: exact as floats and fractions."""

    theta: np.ndarray  # (N + M, N + M), training points first
    nngp: np.ndarray
    y: np.ndarray
    f0: np.ndarray  # (N + M,)
    learning_rate: float
    reg: float


def problems(seed: int, count: int = 20, *, reg: bool = False) -> list[Problem]:
    """Random problems whose kernels have condition numbers below 60."""
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        theta, nngp = (_definite(rng) for _ in range(2))
        if max(np.linalg.cond(theta), np.linalg.cond(nngp)) < 60:
            y, f0 = rng.integers(-128, 129, N) / 64, rng.integers(-128, 129, N + M) / 64
            found.append(
                Problem(
                    theta,
                    nngp,
                    y,
                    f0,
                    float(rng.integers(16, 64)) / 64,
                    float(rng.integers(1, 64)) / 64 if reg else 0.0,
                )
            )
    return found


def _definite(rng: np.random.Generator) -> np.ndarray:
    G = rng.integers(-8, 9, (N + M, N + M)) / 8
    return G @ G.T / 2 + np.eye(N + M) / 2


@derivation(of=ntk.gradient_flow, method="digits")
def flow() -> Steps:
    """f_t − y = e^{−ηtΘ/N}(f_0 − y) for df/dt = −ηΘ ∂L/∂f, L = (1/2N) Σ (f_i − y_i)² (Jacot et al. 2018, Section 5)."""
    yield from _descent_in_function_space()
    f0, y = sp.Matrix(sp.symbols("f0_:2")), sp.Matrix(sp.symbols("y:2"))
    decay = ROTATION * sp.diag(*(sp.exp(-η * t * λ / 2) for λ in (λ1, λ2))) * ROTATION.T
    solution = y + decay * (f0 - y)
    rest = remainder(solution.diff(t) + η * THETA * (solution - y) / 2)
    start = remainder(solution.subs(t, 0) - f0)
    holds = rest.is_zero_matrix is True and start.is_zero_matrix is True
    yield step("training points (N = 2, any eigenvectors): f' + ηΘ(f − y)/N and f(0) − f0", (rest, start), holds=holds)
    θ = sp.Matrix([sp.symbols("θ:2")])
    inverse = ROTATION * sp.diag(1 / λ1, 1 / λ2) * ROTATION.T
    test = θ * inverse * (sp.eye(2) - decay) * (y - f0)
    rest = remainder(test.diff(t) + η * θ * (solution - y) / 2)
    yield step(
        "test point: the derivative of θ Θ⁻¹ (I − e^{−ηtΘ/N})(y − f0) is −(η/N) θ (f − y); remainder",
        rest,
        holds=rest.is_zero_matrix is True,
    )
    yield agree(_expm_mean, _code_mean, _timed(problems(81)), digits=DIGITS, scale=1.0)


@derivation(of=ntk.gradient_flow, method="digits")
def ridge_flow() -> Steps:
    """`reg` is weight decay towards the start: flow of the linearised network on L + (reg/2N)|w − w0|² gives
    f_t(x) = f_0(x) + Θ(x,X) Θ_R⁻¹ (I − e^{−ηtΘ_R/N})(y − f_0(X)), Θ_R = Θ + reg I. So f_t(X) does not tend to y."""
    J, a, r = sp.Matrix(2, 3, sp.symbols("J:6")), sp.Matrix(sp.symbols("a:2")), sp.Matrix(sp.symbols("r:2"))
    reg = sp.Symbol("reg", positive=True)
    w = sp.Matrix(sp.symbols("w:3"))
    loss = ((J * w - r).dot(J * w - r) + reg * w.dot(w)) / 4  # N = 2, w measured from w0, r = y − f0
    gradient = sp.Matrix([sp.diff(loss, p) for p in w])
    along = gradient.subs(dict(zip(w, J.T * a, strict=True)), simultaneous=True)
    reduced = J.T * ((J * J.T + reg * sp.eye(2)) * a - r) / 2
    rest = sp.expand(along - reduced)
    yield step(
        "w = Jᵀa stays of that form: ∇ = Jᵀ[(JJᵀ + reg I) a − r]/N; remainder", rest, holds=rest.is_zero_matrix is True
    )
    shifted = ROTATION * sp.diag(*((1 - sp.exp(-η * t * λ / 2)) / λ for λ in (λ1, λ2))) * ROTATION.T * r
    rest = remainder(shifted.diff(t) + η * (THETA * shifted - r) / 2)
    yield step(
        "a = Θ_R⁻¹(I − e^{−ηtΘ_R/N}) r solves a' = −(η/N)(Θ_R a − r), a(0) = 0; λ are the eigenvalues of Θ_R; remainder",
        rest,
        holds=rest.is_zero_matrix is True and shifted.subs(t, 0).is_zero_matrix is True,
    )
    residual = (THETA - reg * sp.eye(2)) * THETA.inv() * r - r
    holds = remainder(residual + reg * THETA.inv() * r).is_zero_matrix is True
    yield step(
        "at t = ∞ the training residual f − y is −reg Θ_R⁻¹ (y − f0), not 0", "ΘΘ_R⁻¹ − I = −reg Θ_R⁻¹", holds=holds
    )
    yield agree(_expm_mean, _code_mean, _timed(problems(82, reg=True)), digits=DIGITS, scale=1.0)


@derivation(of=ntk.gradient_descent, method="rational")
def descent() -> Steps:
    """f_k − y = (I − ηΘ/N)^k (f_0 − y); every component decays iff 0 < η < 2N/λ_max. Exact rational steps."""
    yield from _descent_in_function_space()
    λ, n = sp.symbols("λ n", positive=True)
    factor = 1 - s * λ / n
    ends = [sp.solve(factor - edge, s) for edge in (1, -1)]
    slopes = sp.diff(factor, s)
    yield step(
        "|1 − ηλ/N| < 1: the factor is 1 at η = 0, falls, and is −1 at η = 2N/λ; the largest λ binds first",
        ends,
        holds=ends == [[], [2 * n / λ]] and factor.subs(s, 0) == 1 and slopes.is_negative is True,
    )
    cases = [(p, k) for p in problems(83) for k in (1, 7)]
    growing = [
        p._replace(learning_rate=float(2 * N / np.linalg.eigvalsh(p.theta[:N, :N])[-1]) * f)
        for p in problems(84, 3)
        for f in (0.9, 1.1)
    ]
    sizes = [np.abs(_steps(p, 200)[:N] - p.y).max() for p in growing]
    bounded = all((size < 2.0**20) == (i % 2 == 0) for i, size in enumerate(sizes))
    yield step(
        "200 steps at 0.9 and 1.1 times 2N/λ_max: largest residual", [f"{size:.1e}" for size in sizes], holds=bounded
    )

    def derived(p: Problem, k: int) -> Fraction:
        return _exact_steps(p, k)[-1]

    def code(p: Problem, k: int) -> float:
        flow = ntk.gradient_descent(p.theta[:N, :N], p.y, p.learning_rate, f0=p.f0[:N])
        return float(flow.mean(k, p.theta[N:, :N], f0=p.f0[N:])[-1])

    yield agree(derived, code, cases, digits=DIGITS, scale=1.0)


def _descent_in_function_space() -> Steps:
    """From parameters to functions: three points, three parameters, any network."""
    w, y = sp.symbols("w:3"), sp.symbols("y:3")
    f = [sp.Function(f"f{i}")(*w) for i in range(3)]
    loss = sum((g - h) ** 2 for g, h in zip(f, y, strict=True)) / 6
    velocity = [-η * sp.diff(loss, p) for p in w]
    moved = [sum(sp.diff(g, p) * v for p, v in zip(w, velocity, strict=True)) for g in f]
    tangent = [[sum(sp.diff(g, p) * sp.diff(h, p) for p in w) for h in f] for g in f]
    expected = [-η / 3 * sum(tangent[i][j] * (f[j] - y[j]) for j in range(3)) for i in range(3)]
    holds = all(sp.expand(m - e) == 0 for m, e in zip(moved, expected, strict=True))
    yield step(
        "w' = −η∇L moves f by −(η/N) Θ (f − y), Θ_ij = Σ_p ∂f_i ∂f_j; Θ is constant at infinite width",
        "N = 3",
        holds=holds,
    )


def _timed(found: list[Problem]) -> list[tuple[Problem, float, int]]:
    """Every problem at a time and an output point: training points and test points."""
    times = [0.25, 1.0, 4.0, 20.0, float("inf")]
    return [(p, times[i % 5], j) for i, p in enumerate(found) for j in (0, N, N + M - 1)]


def weights(p: Problem, time: float) -> Any:
    """A_t = Θ(·, X) Θ_R⁻¹ (I − e^{−ηtΘ_R/N}) at all N + M points, with 50 digits."""
    theta, eye = mp.matrix(p.theta.tolist()), mp.eye(N)
    system = theta[:N, :N] + mp.mpf(p.reg) * eye
    decay = eye * 0 if np.isinf(time) else mp.expm(system * (-mp.mpf(p.learning_rate) * time / N))
    return theta[: N + M, :N] * (mp.inverse(system) * (eye - decay))


def _expm_mean(p: Problem, time: float, point: int) -> Any:
    with mp.workdps(50):
        start = mp.matrix(p.f0.tolist())
        return (start + weights(p, time) * (mp.matrix(p.y.tolist()) - start[:N]))[point]


def _code_mean(p: Problem, time: float, point: int) -> float:
    flow = ntk.gradient_flow(p.theta[:N, :N], p.y, p.learning_rate, p.reg, f0=p.f0[:N])
    return float(flow.mean(time, p.theta[point : point + 1, :N], f0=p.f0[point : point + 1])[0])


def _exact_steps(p: Problem, k: int) -> list[Fraction]:
    theta = [[Fraction(float(entry)) for entry in row[:N]] for row in p.theta]
    f, y = [Fraction(float(v)) for v in p.f0], [Fraction(float(v)) for v in p.y]
    rate = Fraction(p.learning_rate) / N
    for _ in range(k):
        residual = [f[i] - y[i] for i in range(N)]
        f = [f[i] - rate * sum(row[j] * residual[j] for j in range(N)) for i, row in enumerate(theta)]
    return f


def _steps(p: Problem, k: int) -> np.ndarray:
    f = p.f0.copy()
    for _ in range(k):
        f = f - p.learning_rate / N * p.theta[:, :N] @ (f[:N] - p.y)
    return f
