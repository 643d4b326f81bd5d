"""A primal-dual interior point method for  min φ(x)  subject to  c(x) ∈ R^m_+ × (second-order cones of one size),

with φ convex and smooth and c affine: Mehrotra's predictor-corrector with Nesterov–Todd scaling (Andersen, Dahl, Liu,
Vandenberghe 2011, "Interior-point methods for large-scale cone programming", sections 2–4). The program says how its
own Newton system is solved; everything else is here. Host only: small dense blocks in sequence, nothing for a GPU.

Notation: slacks s = c(x), multipliers z, stationarity ∇φ(x) − c'ᵀ z = 0; W the scaling with W z = W⁻¹ s = λ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

Vector = np.ndarray

# Below this s and c(x) agree to rounding; dividing the difference by slacks of 1e-10 would bring the rounding back.
_DRIFT = 1e-13


class Cone(NamedTuple):
    """An element of the cone's space: `line` (m,) and `soc` (G, q), rows (t, u) with |u| ≤ t in the cone."""

    line: np.ndarray
    soc: np.ndarray

    def plus(self, other: Cone, factor: float = 1.0) -> Cone:
        return Cone(self.line + factor * other.line, self.soc + factor * other.soc)

    def dot(self, other: Cone) -> float:
        return float(np.sum(self.line * other.line) + np.sum(self.soc * other.soc))


class Program(Protocol):
    """`cone(x)` is affine, `adjoint(z)` its linear part transposed, `factor(x, scaling)` returns b → H⁻¹ b for
    H = ∇²φ(x) + c'ᵀ W⁻² c'."""

    def gradient(self, x: Vector) -> Vector: ...
    def cone(self, x: Vector) -> Cone: ...
    def linear(self, dx: Vector) -> Cone: ...
    def adjoint(self, z: Cone) -> Vector: ...
    def factor(self, x: Vector, scaling: Scaling) -> Callable[[Vector], Vector]: ...


class Scaling(NamedTuple):
    """W = diag(√(s/z)) on the line; on each second-order cone W² = η²(2 w wᵀ − J), J = diag(1, −I), wᵀ J w = 1."""

    line: np.ndarray  # √(s/z)
    eta: np.ndarray  # (G, 1)
    w: np.ndarray  # (G, q)

    def apply(self, x: Cone, inverse: bool = False) -> Cone:
        """W x or W⁻¹ x."""
        w = _reflected(self.w) if inverse else self.w
        v = w.copy()
        v[:, 0] += 1
        v /= np.sqrt(2 * (self.w[:, :1] + 1))
        turned = 2 * v * np.sum(v * x.soc, axis=1, keepdims=True) - _reflected(x.soc)
        if inverse:
            return Cone(x.line / self.line, turned / self.eta)
        return Cone(x.line * self.line, turned * self.eta)

    def inverse_square(self, x: Cone) -> Cone:
        """W⁻² x."""
        w = _reflected(self.w)
        turned = 2 * w * np.sum(w * x.soc, axis=1, keepdims=True) - _reflected(x.soc)
        return Cone(x.line / self.line**2, turned / self.eta**2)


class Point(NamedTuple):
    """Where the method stopped: x, slacks s, multipliers z; `complementarity` = sᵀz, `residual` relative, steps."""

    x: Vector
    s: Cone
    z: Cone
    complementarity: float
    residual: float
    steps: int


def interior_point(
    program: Program,
    x: Vector,
    s: Cone,
    z: Cone,
    *,
    scale: float,
    tol: float,
    max_steps: int = 100,
    watch: Callable[[Point], bool] | None = None,
) -> Point:
    """From x and interior s, z until sᵀz ≤ tol·scale and the residuals are as small (relative to `scale`), or until
    `watch(point)` says to stop, or until no step improves. Returns the last point; whether it is good enough is for a
    certificate to say.
    """
    size = len(s.line) + len(s.soc)
    point = Point(x, s, z, s.dot(z), np.inf, 0)
    best, since = np.inf, 0
    for k in range(max_steps):
        x, s, z = point.x, point.s, point.z
        rx = program.gradient(x) - program.adjoint(z)
        rz = s.plus(program.cone(x), -1.0)
        gap = s.dot(z)
        residual = max(float(np.max(np.abs(rx))), float(np.max(np.abs(rz.line), initial=0.0)),
                       float(np.max(np.abs(rz.soc), initial=0.0)))  # fmt: skip
        point = Point(x, s, z, gap, residual, k)
        if max(float(np.max(np.abs(rz.line), initial=0.0)), float(np.max(np.abs(rz.soc), initial=0.0))) < _DRIFT:
            rz = Cone(np.zeros_like(rz.line), np.zeros_like(rz.soc))
        if watch is not None and watch(point):
            break
        if gap <= tol * scale and residual <= tol:
            break
        merit = gap / scale + residual
        best, since = (merit, 0) if merit < 0.9 * best else (best, since + 1)
        if since >= 8 or not np.isfinite(merit):
            break  # rounding has the upper hand
        try:
            scaling = _scaling(s, z)
            solve = program.factor(x, scaling)
        except (np.linalg.LinAlgError, FloatingPointError):
            break
        lam = scaling.apply(z)
        system = (program, solve, scaling, lam, rx, rz)
        try:
            _, ds, dz = _direction(*system, _times(lam, lam, -1.0))
        except FloatingPointError:
            break
        reach = min(1.0, _longest(lam, ds), _longest(lam, dz))
        centre = (1 - reach) ** 3 * gap / size
        target = _times(lam, lam, -1.0).plus(_times(ds, dz, -1.0))
        step_of: tuple[Vector, Cone, Cone] = _direction(*system, _shifted(target, centre))  # pyright: ignore[reportGeneralTypeIssues]
        dx, ds, dz = step_of
        step = min(1.0, 0.99 * _longest(lam, ds), 0.99 * _longest(lam, dz))
        if step < 1e-8 or not np.all(np.isfinite(dx)):
            break
        point = point._replace(
            x=x + step * dx,
            s=s.plus(scaling.apply(ds), step),
            z=z.plus(scaling.apply(dz, inverse=True), step),
            steps=k + 1,
        )
    return point


def _direction(
    program: Program,
    solve: Callable[[Vector], Vector],
    scaling: Scaling,
    lam: Cone,
    rx: Vector,
    rz: Cone,
    target: Cone,
) -> tuple[Vector, Cone, Cone]:
    """The Newton system for λ∘(WΔz + W⁻¹Δs) = target; returns Δx and the scaled Δs, Δz."""
    q = _divide(lam, target)
    push = rz.plus(scaling.apply(q))
    # c'Δx − Δs = rz, Δs = W q − W² Δz, ∇²φ Δx − c'ᵀΔz = −rx
    dx = solve(program.adjoint(scaling.inverse_square(push)) - rx)
    scaled = scaling.apply(program.linear(dx).plus(rz, -1.0), inverse=True)
    return dx, scaled, q.plus(scaled, -1.0)


def central_start(program: Program, dim: int) -> tuple[Vector, Cone, Cone]:
    """x that minimises the quadratic model of φ at 0 plus ½‖c(x)‖², s = c(x) and z = −c(x) shifted into the cone
    (Andersen et al. 2011, Section 5.3): sizes that fit the program, whatever its units."""
    zero = np.zeros(dim)
    at_zero = program.cone(zero)
    count, q = at_zero.soc.shape
    unit = np.zeros((count, q))
    unit[:, 0] = 1
    identity = Scaling(np.ones(len(at_zero.line)), np.ones((count, 1)), unit)
    x = program.factor(zero, identity)(-program.gradient(zero) - program.adjoint(at_zero))
    s = program.cone(x)
    return x, _moved_inside(s), _moved_inside(Cone(-s.line, -s.soc))


def _moved_inside(x: Cone) -> Cone:
    outside = float(np.max(-x.line, initial=-np.inf))
    outside = max(outside, float(np.max(np.linalg.norm(x.soc[:, 1:], axis=1) - x.soc[:, 0], initial=-np.inf)))
    return _shifted(x, 1 + outside) if outside > -1e-8 else x


def _reflected(x: np.ndarray) -> np.ndarray:
    out = -x
    out[:, 0] = x[:, 0]
    return out


def _determinant(x: np.ndarray) -> np.ndarray:
    """√(t² − |u|²) by its factors: the difference of squares would cancel near the boundary."""
    norm = np.linalg.norm(x[:, 1:], axis=1)
    inside = (x[:, 0] - norm) * (x[:, 0] + norm)
    if np.any(inside <= 0):
        raise FloatingPointError("an iterate reached the boundary of a second-order cone")
    return np.sqrt(inside)[:, None]


def _scaling(s: Cone, z: Cone) -> Scaling:
    if np.any(s.line <= 0) or np.any(z.line <= 0):
        raise FloatingPointError("an iterate reached the boundary")
    line = np.sqrt(s.line / z.line)
    if not len(s.soc):
        return Scaling(line, np.ones((0, 1)), s.soc)
    a, b = _determinant(s.soc), _determinant(z.soc)
    u, v = s.soc / a, z.soc / b
    gamma = np.sqrt((1 + np.sum(u * v, axis=1, keepdims=True)) / 2)
    w = (u + _reflected(v)) / (2 * gamma)
    w[:, 0] = np.sqrt(1 + np.sum(w[:, 1:] ** 2, axis=1))  # wᵀJw = 1 to the last digit
    return Scaling(line, np.sqrt(a / b), w)


def _times(a: Cone, b: Cone, factor: float) -> Cone:
    """factor · a∘b, the Jordan product."""
    soc = a.soc[:, :1] * b.soc + b.soc[:, :1] * a.soc
    soc[:, 0] = np.sum(a.soc * b.soc, axis=1)
    return Cone(factor * a.line * b.line, factor * soc)


def _divide(lam: Cone, d: Cone) -> Cone:
    """x with λ∘x = d."""
    out = np.empty_like(d.soc)
    if len(d.soc):
        det = _determinant(lam.soc)[:, 0] ** 2
        out[:, 0] = (lam.soc[:, 0] * d.soc[:, 0] - np.sum(lam.soc[:, 1:] * d.soc[:, 1:], axis=1)) / det
        out[:, 1:] = (d.soc[:, 1:] - out[:, :1] * lam.soc[:, 1:]) / lam.soc[:, :1]
    return Cone(d.line / lam.line, out)


def _shifted(x: Cone, by: float) -> Cone:
    soc = x.soc.copy()
    soc[:, 0] += by
    return Cone(x.line + by, soc)


def _longest(lam: Cone, d: Cone) -> float:
    """The largest α with λ + α d in the cone."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(d.line < 0, -lam.line / d.line, np.inf)
        alpha = float(np.min(ratio, initial=np.inf))
        if not len(d.soc):
            return alpha
        # in units of λ: with λ̄ = λ/√det, the step is 1/(|ρ₁| − ρ₀) for ρ = d carried to the identity
        det = _determinant(lam.soc)
        unit = lam.soc / det
        head = np.sum(_reflected(unit) * d.soc, axis=1, keepdims=True) / det
        tail = d.soc[:, 1:] / det - (head + d.soc[:, :1] / det) / (unit[:, :1] + 1) * unit[:, 1:]
        low = np.linalg.norm(tail, axis=1) - head[:, 0]
        return min(alpha, float(np.min(np.where(low > 0, 1 / low, np.inf))))
