"""E[φ(u)φ(v)] and E[φ'(u)φ'(v)] by quadrature with 50 digits: a route that shares no closed form with `theory/`.

Given u = √q₁ z, the other variable is v = (k/√q₁) z + s Z with s² = q₂ − k²/q₁, so with h(m,s) = E[φ(m + sZ)]

    E[φ(u)φ(v)] = ∫ p(z) φ(√q₁ z) h(kz/√q₁, s) dz,      E[φ'(u)φ'(v)] the same with φ' and ∂h/∂m.

Each half-line is integrated by the double exponential rule z = exp(x − e^{−x}) (Takahasi & Mori 1974), which does not
mind the kink of ReLU at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import mpmath as mp
import sympy as sp

from corollary.claims.derivations import Step, step
from corollary.proofs_check.ntk.gaussian import Point, m, s, u

DIGITS = 60  # ten guard digits
Real = Callable[..., Any]


@cache
def half_line(per_unit: int) -> tuple[tuple[Any, Any], ...]:
    """Nodes z > 0 and weights of ∫₀^∞ p(z) f(z) dz, from x = −5.2 (z < 1e-80) to 3 (p(z) < 1e-80), step 1/per_unit."""
    with mp.workdps(DIGITS):
        rule = []
        for i in range(-26 * per_unit // 5, 3 * per_unit + 1):
            x = mp.mpf(i) / per_unit
            z = mp.exp(x - mp.exp(-x))
            rule.append((z, z * (1 + mp.exp(-x)) * mp.npdf(z) / per_unit))
        return tuple(rule)


class Quadrature:
    """Both expectations of one activation: `positive` and `negative` are φ on either side of 0, `smooth` is h(m,s)."""

    def __init__(self, positive: sp.Expr, negative: sp.Expr, smooth: sp.Expr) -> None:
        self._features = self._pair(positive, negative, smooth)
        self._slopes = self._pair(sp.diff(positive, u), sp.diff(negative, u), sp.diff(smooth, m))

    @staticmethod
    def _pair(positive: sp.Expr, negative: sp.Expr, smooth: sp.Expr) -> tuple[Real, Real, Real]:
        one = [sp.lambdify(u, side, "mpmath", cse=True) for side in (positive, negative)]
        return one[0], one[1], sp.lambdify((m, s), smooth, "mpmath", cse=True)

    def value(self, a: float, b: float, c: float, *, per_unit: int = 32) -> Any:
        """E[φ(u)φ(v)] at variances a, b and covariance c, |c| < √(ab)."""
        return _integrate(*self._features, a, b, c, per_unit)

    def slope(self, a: float, b: float, c: float, *, per_unit: int = 32) -> Any:
        """E[φ'(u)φ'(v)] at variances a, b and covariance c, |c| < √(ab)."""
        return _integrate(*self._slopes, a, b, c, per_unit)

    def variance(self, a: float, *, per_unit: int = 32) -> Any:
        """E[φ(u)²] at variance a."""
        positive, negative, _ = self._features
        with mp.workdps(DIGITS):
            root = mp.sqrt(mp.mpf(a))
            return mp.fsum(w * (positive(root * z) ** 2 + negative(-root * z) ** 2) for z, w in half_line(per_unit))


def _integrate(positive: Real, negative: Real, smooth: Real, a: Any, b: Any, c: Any, per_unit: int) -> Any:
    with mp.workdps(DIGITS):
        a, b, c = mp.mpf(a), mp.mpf(b), mp.mpf(c)
        root, spread = mp.sqrt(a), mp.sqrt(b - c * c / a)
        total = mp.mpf(0)
        for z, weight in half_line(per_unit):
            x, centre = root * z, c / root * z
            total += weight * (positive(x) * smooth(centre, spread) + negative(-x) * smooth(-centre, spread))
        return total


def rule_has_converged(quadrature: Quadrature, point: Point) -> Step:
    """Half as many nodes again change nothing."""
    with mp.workdps(DIGITS):
        pairs = [(f(*point), f(*point, per_unit=48)) for f in (quadrature.value, quadrature.slope)]
        worst = max(abs(coarse / fine - 1) for coarse, fine in pairs)
        return step("relative change with half as many nodes again", mp.nstr(worst, 2), holds=worst < mp.mpf(10) ** -50)


def closed_form_to_50_digits(
    closed: tuple[Real, Real], quadrature: Quadrature, points: Iterable[Point], text: str = ""
) -> Step:
    """Both closed forms against the quadrature: 50 digits."""
    with mp.workdps(DIGITS):
        worst = mp.mpf(0)
        for point in points:
            for form, integral in zip(closed, (quadrature.value, quadrature.slope), strict=True):
                exact = integral(*point)
                worst = max(worst, abs(form(*point) - exact) / abs(exact))
        label = f"closed forms against quadrature{text}: largest relative difference"
        return step(label, mp.nstr(worst, 2), holds=worst < mp.mpf(10) ** -50)
