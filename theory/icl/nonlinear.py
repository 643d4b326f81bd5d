r"""Nonlinear targets: linear attention still learns one gradient step on the linear loss.

y_i = f(w·x_i) + ε_i, x ~ N(0, I), w uniform on the unit sphere, ε ~ N(0, σ²), query label f(w·x_q) clean. With
z ~ N(0, 1), a₁ = E z f, m₂ = E f², m₂₂ = E z²f², the best prediction (η/N) Σ y_i x_i·x_q has

    η = N a₁² / D,   D = (d − 1) m₂ + m₂₂ + σ²d + (N − 1) a₁²,      excess = m₂ − N a₁⁴ / D.

Source: Mahankali, Hashimoto, Ma 2023, Theorem 3 (which leaves the expectations); closed form derived in
`proofs_check/icl/optimum.py`. f(z) = z gives the linear task with Ω = I/d.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from corollary.theory.icl.checks import real_number, whole_number


class TargetMoments(NamedTuple):
    """a1 = E z f(z), m2 = E f(z)², m22 = E z² f(z)² for z ~ N(0, 1)."""

    a1: float
    m2: float
    m22: float


class NonlinearOptimum(NamedTuple):
    """The best step η on the mean gradient, and the excess it leaves."""

    step: float
    excess: float


def target_moments(f: Callable[[float], float], breaks: Sequence[float] = ()) -> TargetMoments:
    """The moments by adaptive quadrature; `breaks` are the points where f jumps or has a kink. Host only.

    Raises ValueError where f is not finite on [−12, 12] (beyond, the normal weight is below 1e-31), or where the
    quadrature's own error estimate exceeds 1e-9 of the second moment: add the missing break.
    """
    from scipy.integrate import quad

    edges = sorted({-12.0, 12.0, 0.0, *(real_number("breaks", b) for b in breaks if -12 < b < 12)})

    def moment(g: Callable[[float], float]) -> tuple[float, float]:
        weighted = lambda z: g(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # noqa: E731
        parts = [
            quad(weighted, a, b, epsabs=1e-13, epsrel=1e-12, limit=200) for a, b in zip(edges, edges[1:], strict=False)
        ]
        return sum(p[0] for p in parts), sum(p[1] for p in parts)

    (a1, e1), (m2, e2), (m22, e3) = (
        moment(lambda z: z * f(z)),
        moment(lambda z: f(z) ** 2),
        moment(lambda z: (z * f(z)) ** 2),
    )
    if not all(math.isfinite(x) for x in (a1, m2, m22)):
        raise ValueError("f is not finite on [-12, 12]; expected a target with finite values")
    if max(e1, e2, e3) > 1e-9 * max(m2, m22):
        raise ValueError(
            f"the quadrature of f has error {max(e1, e2, e3):.1g}; pass the points where f jumps or bends as breaks="
        )
    return TargetMoments(a1, m2, m22)


def nonlinear_optimum(moments: TargetMoments, d: int, context: int, noise: float = 0.0) -> NonlinearOptimum:
    """Best step and its excess; `noise` is a variance. Raises TypeError or ValueError: d < 1, context < 2, noise < 0,
    moments that no function has (Cauchy–Schwarz).
    """
    d, N = whole_number("d", d, 1), whole_number("context", context, 2)
    σ2 = real_number("noise, a variance,", noise, nonnegative=True)
    a1, m2, m22 = (real_number(name, x) for name, x in zip(TargetMoments._fields, moments, strict=True))
    if not (m2 > 0 and m22 >= 0 and a1 * a1 <= m2 * (1 + 1e-9)):
        raise ValueError(f"moments a1={a1:g}, m2={m2:g}, m22={m22:g} belong to no function: expected a1² <= m2, m2 > 0")
    D = (d - 1) * m2 + m22 + σ2 * d + (N - 1) * a1 * a1
    return NonlinearOptimum(N * a1 * a1 / D, m2 - N * a1**4 / D)
