"""Law: the distribution of a scalar, by the Kolmogorov distance; or of a spectrum, by smooth statistics of each matrix.

Independent scalars: D̂ = sup over the jumps of max(|F_n(x) − F(x)|, |F_n(x⁻) − F(x⁻)|), within δ of the true distance by
Dvoretzky–Kiefer–Wolfowitz–Massart. Looks at n = 64, 128, …, with error rates ε/(k(k+1)). Atoms and lattices are fine:
F(x⁻) is read off F just below x. The distance is blind in the tails: add Values of quantiles or of P(X > x).

Eigenvalues of one matrix are dependent (rigid): the band above is invalid for them in both directions. With
`spectrum=(lo, hi)` a replicate is a whole matrix (its eigenvalues), and the functionals are the Chebyshev means
(1/N) Σ T_j((2λ − lo − hi)/(hi − lo)), j = 1…8; the O(1/N) bias of a finite matrix must be declared as the margin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corollary.verdicts.intervals import dkw_radius
from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Decision, Interval, decide
from corollary.verdicts.settings import ClaimError, at_point, describe, one_number

MIDPOINTS = 2**14


@dataclass(frozen=True)
class Law(Kind):
    """The measurement has distribution function `theory(x, ...)` (vectorised in x; coordinates as it names them).

    left: F(x⁻) where it is not F at the next float below x. resolution, margin: Kolmogorov distances (scalars), or
    differences of Chebyshev means (spectra). Rivals are distribution functions, or pairs (F, F(x⁻)). Errors: ClaimError
    for vector-valued measurements without `spectrum=`, NaN, or a `theory` that leaves [0, 1].
    """

    theory: Callable[..., np.ndarray]
    left: Callable[..., np.ndarray] | None = None
    spectrum: tuple[float, float] | None = None
    degree: int = 8

    def places(self, points):
        if self.spectrum:
            return [dict(p, moment=j) for p in points for j in range(1, self.degree + 1)]
        return [dict(p) for p in points]

    def schedule(self, budget):
        if self.spectrum or self.design:
            yield from super().schedule(budget)
            return
        n = min(64, budget)
        while n < budget:
            yield n
            n *= 2
        yield budget

    def functionals(self, values, points):
        assert self.spectrum is not None
        lo, hi = self.spectrum
        columns = []
        for v in values:
            if v.ndim != 2:
                raise ClaimError(
                    "Law of a spectrum: the measurement must return the eigenvalues of one matrix, shape (N,)"
                )
            angle = np.arccos(np.clip((2 * v.astype(float) - lo - hi) / (hi - lo), -1, 1))
            columns += [np.cos(j * angle).mean(axis=1) for j in range(1, self.degree + 1)]
        return np.stack(columns, axis=1)

    def targets(self, points, shapes):
        if not self.spectrum:
            return np.zeros(len(points))
        return np.concatenate([self._chebyshev(self.theory, p) for p in points])

    def rival_targets(self, rival, points, shapes):
        if not self.spectrum:
            return np.full(len(points), np.nan)  # a law is no number: see separation() and decide_at()
        return np.concatenate([self._chebyshev(rival, p) for p in points])

    def separation(self, rivals, points, shapes):
        if self.spectrum:
            return super().separation(rivals, points, shapes)
        b, r = self.zones(np.zeros(len(points)), points)
        found = {}
        for name, rival in rivals.items():
            apart = [self._apart(rival[0] if isinstance(rival, tuple) else rival, p) for p in points]
            least, most = np.array(apart).T
            if np.all(most <= 2 * b):
                raise ClaimError(
                    f"rival {name!r} can never be told from the theory: the laws are at most {most.max():.3g} apart, "
                    "not more than twice the margin; choose other points or a smaller margin"
                )
            found[name] = float(np.max(least / (2 * b + r)))
        return found

    def _apart(self, rival, point) -> tuple[float, float]:
        """Bounds of sup|F − G|: on a grid from below; F and G rise, so neighbours bound it from above.

        (nan, inf) where a function cannot be evaluated outside its support: then the data decide.
        """
        far = np.logspace(-12, 12, 481)
        x = np.concatenate([-far[::-1], [0.0], far])
        try:
            with np.errstate(all="ignore"):
                F, G = self._cdf(self.theory, x, point), self._cdf(rival, x, point)
                inner = np.flatnonzero((np.maximum(F, G) > 1e-4) & (np.minimum(F, G) < 1 - 1e-4))
                if inner.size:
                    ends = x[max(inner[0] - 1, 0)], x[min(inner[-1] + 1, len(x) - 1)]
                    x = np.union1d(x, np.linspace(*ends, 4001))
                    F, G = self._cdf(self.theory, x, point), self._cdf(rival, x, point)
        except (ClaimError, ArithmeticError, ValueError):
            return float("nan"), float("inf")
        rest = max(F[0], G[0], 1 - F[-1], 1 - G[-1])
        between = max(np.max(F[1:] - G[:-1]), np.max(G[1:] - F[:-1]))
        return float(np.abs(F - G).max()), float(max(between, rest))

    def _chebyshev(self, cdf, point) -> np.ndarray:
        """E T_j under the law: T_j(hi) − ∫ T_j'(x) F(x) dx, by midpoints in the angle: within 1e-7 j for smooth F."""
        assert self.spectrum is not None
        lo, hi = self.spectrum
        weight = np.pi / MIDPOINTS
        angle = weight * (np.arange(MIDPOINTS) + 0.5)
        F = self._cdf(cdf, (lo + hi) / 2 + (hi - lo) / 2 * np.cos(angle), point)
        # d/dθ cos(jθ) = −j sin(jθ): E cos(jθ) = 1 − ∫₀^π j sin(jθ) F(x(θ)) dθ
        return np.array([1 - np.sum(weight * j * np.sin(j * angle) * F) for j in range(1, self.degree + 1)])

    def _cdf(self, cdf, x, point) -> np.ndarray:
        F = np.asarray(at_point(cdf, {**point, "x": x}), dtype=float)
        if F.shape != x.shape or np.isnan(F).any() or F.min() < -1e-12 or F.max() > 1 + 1e-12:
            raise ClaimError("a law's distribution function must map an array x to values in [0, 1] of the same shape")
        return F

    def _distance(self, x: np.ndarray, point, cdf, left) -> float:
        """sup|F_n − F| over both sides of every jump; F(x⁻) where F_n(x⁻) is meant."""
        x, counts = np.unique(x.astype(float), return_counts=True)
        upper = np.cumsum(counts) / counts.sum()
        lower = upper - counts / counts.sum()
        F = self._cdf(cdf, x, point)
        just_below = np.minimum(np.nextafter(x, -np.inf), x - 1e-300)  # at 0 a step that survives being scaled
        before = self._cdf(cdf, just_below, point) if left is None else self._cdf(left, x, point)
        return float(max(np.abs(upper - F).max(), np.abs(lower - before).max()))

    def decide_at(self, values, points, rivals, eps, look):
        if self.spectrum:
            return super().decide_at(values, points, rivals, eps, look)
        values = [one_number(v, "Law (of eigenvalues: see spectrum=)") for v in values]
        for v in values:
            if np.isnan(v).any():
                raise ClaimError("Law: NaN has no place in a distribution; mend the measurement")
        share = eps / len(points) / (1 if self.design else look * (look + 1))
        delta = dkw_radius(len(values[0]), share)
        D = np.array([self._distance(v, p, self.theory, self.left) for v, p in zip(values, points, strict=True)])
        T = np.zeros(len(points))
        b, r = self.zones(T, points)
        d = decide(Interval(np.maximum(0, D - delta), D + delta), T, b, r, {}, "two")
        killed: dict[str, int | None] = {}
        for name, rival in rivals.items():
            cdf, left = rival if isinstance(rival, tuple) else (rival, None)
            far = [self._distance(v, p, cdf, left) for v, p in zip(values, points, strict=True)]
            dead = np.flatnonzero(np.array(far) - delta > b)
            killed[name] = int(dead[0]) if dead.size else None
        outcome = d.outcome
        if outcome == "CONFIRMED" and any(k is None for k in killed.values()):
            outcome = None
        notes = tuple(
            f"largest distance {Dj:.4f} at {describe(p) or 'the point'}" for Dj, p in zip(D, points, strict=True)
        )
        return Decision(outcome, d.lo, d.hi, T, b, r, killed, notes)
