"""The step of ADMM linearised: derivatives of both thresholds, and the step as written differentiated numerically."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import sympy as sp

from corollary.claims.derivations import Agreement, Step, agree, derivation, step
from corollary.theory import convex_relu
from corollary.theory.convex_relu import admm

Steps = Generator[Step | Agreement, None, None]
Map = Callable[[np.ndarray], np.ndarray]
KINK = 1e-2  # states nearer to one are drawn again: differences are taken over 1e-5


def thresholds(p: np.ndarray, level: float, d: int) -> np.ndarray:
    """(1 − level/‖p_g‖)_+ p_g for groups of d."""
    groups = p.reshape(-1, d)
    return (np.maximum(1 - level / np.linalg.norm(groups, axis=1, keepdims=True), 0) * groups).ravel()


def step_as_written(X: np.ndarray, D: np.ndarray, y: np.ndarray, beta: float, rho: float) -> Map:
    """(p, t) = (u + λ, G u + ν) of one step from that of the one before, through v, λ, s, ν as the paper has them."""
    (n, d), groups = X.shape, 2 * D.shape[1]
    F = np.concatenate([sign * D[:, [i]] * X for sign in (1, -1) for i in range(D.shape[1])], axis=1)
    G = np.zeros((groups * n, groups * d))
    for g in range(groups):
        G[g * n : (g + 1) * n, g * d : (g + 1) * d] = (2 * D[:, [g % D.shape[1]]] - 1) * X
    system = np.linalg.inv(F.T @ F + rho * (np.eye(groups * d) + G.T @ G))

    def once(z: np.ndarray) -> np.ndarray:
        p, t = z[: groups * d], z[groups * d :]
        v, s = thresholds(p, beta / rho, d), np.maximum(t, 0)
        lam, nu = p - v, t - s
        u = system @ (F.T @ y + rho * (v - lam + G.T @ (s - nu)))
        return np.concatenate([u + lam, G @ u + nu])

    return once


def jacobian(once: Map, z: np.ndarray, h: float = 1e-5) -> np.ndarray:
    return np.array([(once(z + e) - once(z - e)) / (2 * h) for e in h * np.eye(len(z))]).T


@derivation(of=convex_relu.linearised_rate, method="symbolic")
def linearised_step() -> Steps:
    """∂v = I − (τ/‖p‖)(I − p̂p̂ᵀ) on groups with ‖p‖ > τ, ∂s = diag(1[t > 0]); u affine; distances shrink by |λ₂|."""
    a, b = sp.symbols("a b", real=True)
    tau = sp.Symbol("tau", positive=True)
    p = sp.Matrix([a, b])
    size = sp.sqrt(a**2 + b**2)
    said = sp.eye(2) - tau / size * (sp.eye(2) - p * p.T / size**2)
    gap = sp.simplify(((1 - tau / size) * p).jacobian(p) - said)
    yield step("soft threshold (1 − τ/‖p‖)p off its kink: ∂v − [I − (τ/‖p‖)(I − p̂p̂ᵀ)]", gap, holds=gap == sp.zeros(2))
    u, v, q = sp.symbols("u v q", real=True)  # q: p of the step before
    lam = q - v
    moved = sp.expand((u + lam) - q - (u - v))
    reflected = sp.expand((v - lam) - (2 * v - q))
    yield step("λ = p − v(p): the next p is p + u − v(p), and u depends on v − λ = 2v(p) − p; so for t, s, ν",
               [moved, reflected], holds=moved == reflected == 0)  # fmt: skip
    x = sp.Symbol("x")
    A, B = sp.Matrix(2, 3, sp.symbols("a1:7")), sp.Matrix(3, 2, sp.symbols("b1:7"))
    both = sp.expand((x * sp.eye(2) - A * B).det() * x - (x * sp.eye(3) - B * A).det())
    yield step(
        "the step in (v, λ, s, ν) factors through (p, t): AB and BA have the same eigenvalues but for zeros",
        both,
        holds=both == 0,
    )
    yield step("z_k − z_∞ = Σ c_i λ_i^k w_i: log distance falls by log|λ₂| a step; along λ = 1 nothing moves", "|λ₂|^k")

    rng = np.random.default_rng(51)
    cases: list[tuple[np.ndarray, np.ndarray, float, admm.State, float]] = []
    while len(cases) < 20:
        n, d, P = int(rng.integers(3, 6)), 2, 3
        X, y, D = rng.standard_normal((n, d)), rng.standard_normal(n), rng.integers(0, 2, (n, P)).astype(float)
        beta, rho = float(rng.uniform(0.2, 0.8)), float(rng.choice((0.5, 1.0, 2.0)))
        state = admm.start(admm.factors(X, D), y[:, None], np.array([rho]))
        state.p += rng.standard_normal(state.p.shape)
        state.t += rng.standard_normal(state.t.shape)
        signs = np.concatenate([2 * D.T - 1, 2 * D.T - 1]).ravel()  # the code's t is that of X u, without them
        z = np.concatenate([state.p.ravel(), signs * state.t.ravel()])
        norms = np.linalg.norm(state.p[0], axis=-1)
        if min(np.min(np.abs(norms - beta / rho)), np.min(np.abs(state.t))) > KINK:
            values = np.linalg.eigvals(jacobian(step_as_written(X, D, y, beta, rho), z))
            cases.append((X, D, beta, state, float(np.max(np.abs(values[np.abs(values - 1) > 1e-5])))))
    yield step("|λ₂| of the step as written, by differences at 20 random states", cases[0][-1])

    def code(i: int) -> float:
        X, D, beta, state, _ = cases[i]
        return convex_relu.linearised_rate(admm.factors(X, D), state, beta)

    # central differences with h = 1e-5: h² times a third derivative of order 1/τ² ≤ 100, 1e-8 at most, and rounding/h,
    # 1e-11; the eigenvalues of a matrix that is not normal may lose a digit of that
    yield agree(lambda i: cases[i][-1], code, [(i,) for i in range(20)], digits=7)
