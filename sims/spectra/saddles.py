"""Saddles: Hessians of the 3-spin model at a chosen energy; gradient, Newton and saddle-free steps. Host only.

H(x) = (1/N) Σ J_ijk x_i x_j x_k on the sphere of radius √N, J independent standard normal: covariance N (x·y/N)³.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from corollary.arrays import Namespace

Field = Callable[[np.ndarray], np.ndarray]


def three_spin(point: Mapping[str, Any], seeds: Sequence[Any], xp: Namespace) -> dict[str, Any]:
    """eigenvalues (R, N − 1), index (R,) of the Hessian on the sphere at a random point. Point: N; energy, per spin.

    Conditioned on the energy exactly: a Gaussian field given its value at x is the field minus (u − energy) N (x·y/N)³.
    Without `energy` in the point nothing is conditioned; centred (R, N − 1) = eigenvalues + 3u is the noise part.
    """
    N = point["N"]
    if not isinstance(N, int) or N < 3:
        raise ValueError(f"N = {N!r}; expected a whole number >= 3")
    out = {"eigenvalues": [], "index": [], "centred": []}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(N)
        x *= np.sqrt(N) / np.linalg.norm(x)
        J = rng.standard_normal((N, N, N))
        S = sum(np.transpose(J, order) for order in itertools.permutations(range(3))) / 6
        inner = S @ x / N
        u = float(x @ inner @ x) / N
        hessian = 6 * inner
        if "energy" in point:
            hessian = hessian - (u - point["energy"]) * 6 * np.outer(x, x) / N
            u = point["energy"]
        tangent = np.linalg.qr(np.column_stack([x, rng.standard_normal((N, N - 1))]))[0][:, 1:]
        values = np.linalg.eigvalsh(tangent.T @ hessian @ tangent) - 3 * u
        out["eigenvalues"].append(values)
        out["centred"].append(values + 3 * u)
        out["index"].append(np.mean(values < 0))
    return {name: np.stack(rows) for name, rows in out.items()}


def step(x: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, method: str, rate: float) -> np.ndarray:
    """One step from x: rate times the gradient, H⁻¹ or |H|⁻¹ of it (by an eigen-decomposition)."""
    if method == "gradient":
        return x - rate * gradient
    if method == "newton":
        return x - rate * np.linalg.solve(hessian, gradient)
    if method != "saddle_free":
        raise ValueError(f"method = {method!r}; expected gradient, newton or saddle_free")
    values, vectors = np.linalg.eigh(hessian)
    return x - rate * vectors @ ((vectors.T @ gradient) / np.abs(values))


def steps_to_escape(curvature: float, method: str, rate: float, growth: float, rng: np.random.Generator) -> float:
    """Steps until the coordinate of negative curvature has grown by `growth`, interpolated in its logarithm.

    f = ½ xᵀHx, H with eigenvalues 1, 0.3 and −curvature in random directions, from a random start.
    """
    Q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    H, down = Q @ np.diag([1.0, 0.3, -curvature]) @ Q.T, Q[:, 2]
    x = rng.standard_normal(3)
    first = before = abs(down @ x)
    for t in range(1, 100_000):
        x = step(x, H @ x, H, method, rate)
        now = abs(down @ x)
        if now >= growth * first:
            return t - 1 + float(np.log(growth * first / before) / np.log(now / before))
        before = now
    raise ArithmeticError(f"{method} did not escape from curvature {-curvature} in 100 000 steps")


def double_well(method: str, rate: float, steps: int, reach: float, rng: np.random.Generator) -> np.ndarray:
    """The end (2,) of `steps` steps on (x² − 1)²/4 + y²/2 from x uniform in ±reach, y normal: saddle 0, minima ±1."""
    z = np.array([rng.uniform(-reach, reach), rng.standard_normal()])
    for _ in range(steps):
        gradient = np.array([z[0] ** 3 - z[0], z[1]])
        z = step(z, gradient, np.diag([3 * z[0] ** 2 - 1, 1.0]), method, rate)
    return z
