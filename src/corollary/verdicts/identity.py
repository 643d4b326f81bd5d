"""Identity: two sides equal to rounding, on random inputs, with three defences against passing by luck.

|L − R| ≤ c·u·(κ_L + κ_R + |L| + |R|)·growth with c = 16, u the unit roundoff, κ the change of a side under relative
perturbations of the input (8 random sign vectors, step 2⁻²⁰), sizes in the maximum norm. The defences:

1. precision scaling: on inputs representable in float32, rms error in float32 over rms error in float64 ≥ 2²⁰. A true
   identity gives about 2²⁹; a relative defect of 1e-9 gives 2⁶, however small the tolerance lets it pass;
2. fifty digits (`exact=`): both sides again in mpmath, residual ≤ 1e-45 (κ + |L| + |R|): any defect shows. For closed
   forms; defence 1 is blind below a relative defect of about 1e-13, and where float32 itself is swamped;
3. non-vacuity: |L| ≥ 10³ tol on 90 % of the inputs, and every rival misses by 10³ tol on the same inputs.

Draw generic inputs: identity, symmetric, square or unit inputs hide transposes and 1/n against 1/d.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from corollary.verdicts.kind import Kind
from corollary.verdicts.rule import Decision, Outcome
from corollary.verdicts.settings import ClaimError, at_point

SAFETY = 16  # measured: backward-stable formulas stay below 2.1
STEP = 2.0**-20
SCALING = 2.0**20
FAR = 1e3
DIGITS = 50
RESIDUAL = 1e-45  # 50 digits less 5 for the rounding of some 10⁴ operations
EXACT_INPUTS = 8  # a defect of a formula shows on any generic input


@dataclass(frozen=True)
class Identity(Kind):
    """`left(...)` equals `right(...)` on the inputs the measurement draws (an array, or a dict of named arrays).

    Both sides are functions of the inputs they name (an unnamed array is `x`) and of the point's coordinates, and
    return a number or an array, in float64. growth > 1 needs because=: an ill-conditioned algorithm, and by how much.
    scaling=False (with because=) drops defence 1, for sides that cannot be evaluated in float32. exact=(left, right):
    the same two sides written with mpmath, called with mpf numbers or object arrays of them.
    Errors: ClaimError for sides that differ in shape, are not finite, lose the dtype, or whose exact form is another.
    """

    left: Callable[..., object]
    right: Callable[..., object]
    growth: float = 1.0
    scaling: bool = True
    exact: tuple[Callable[..., object], Callable[..., object]] | None = None
    resolution: float = field(default=1.0, kw_only=True)
    needs_resolution = False
    random = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.growth != 1 or not self.scaling) and not self.because:
            raise ClaimError("growth= and scaling=False need because=")

    def places(self, points):
        return [dict(p) for p in points]

    def schedule(self, budget):
        yield max(32, min(budget, 32))

    def targets(self, points, shapes):
        return np.zeros(len(points))

    def rival_targets(self, rival, points, shapes):
        return np.full(len(points), np.nan)

    def separation(self, rivals, points, shapes):
        return {name: float("nan") for name in rivals}

    def decide_at(self, values, points, rivals, eps, look):
        misses, notes, vacuous, by_luck, residuals = [], [], [], [], []
        separation = {name: [] for name in rivals}
        for draws, point in zip(values, points, strict=True):
            inputs = draws if isinstance(draws, Mapping) else {"x": draws}
            count = len(next(iter(inputs.values())))
            rng = np.random.default_rng(0)  # the sign vectors only: any fixed choice will do
            errors, floors = [], []
            for i in range(count):
                x = {k: np.asarray(v[i], dtype=float) for k, v in inputs.items()}
                L, R = self._sides(x, point)
                kappa = self._sensitivity(x, point, L, R, rng)
                size = np.max(np.abs(L)) + np.max(np.abs(R))
                tol = SAFETY * np.finfo(float).eps / 2 * (kappa + size) * self.growth
                errors.append(np.max(np.abs(L - R)) / tol if tol else 0.0)
                floors.append(np.max(np.abs(L)) / tol if tol else 0.0)
                if self.exact and i < EXACT_INPUTS:
                    residual = self._fifty_digits(x, point, L, tol) / (kappa + size) if kappa + size else 0.0
                    residuals.append(residual)
                for name, rival in rivals.items():
                    other = self._evaluate(rival, x, point)
                    separation[name].append(np.max(np.abs(L - other)) / tol if tol else 0.0)
            misses.append(max(errors))
            vacuous.append(np.mean(np.array(floors) >= FAR) < 0.9)
            if self.scaling:
                factor = self._precision_scaling(inputs, point, count)
                by_luck.append(factor < SCALING)
                notes.append(f"precision scaling 2^{np.log2(factor):.1f}" if np.isfinite(factor) else "float64 exact")
        T = np.zeros(len(points))
        far = {name: float(np.min(s)) for name, s in separation.items()}
        killed: dict[str, int | None] = {name: (0 if far[name] >= FAR else None) for name in rivals}
        notes += [f"rival {name!r} misses by {far[name]:.1e} tolerances" for name in rivals]
        outcome = None
        if residuals:
            notes.append(f"in {DIGITS} digits the sides differ by {max(residuals):.1e}, relative")
        if max(misses) > 1 or any(by_luck) or any(residual > RESIDUAL for residual in residuals):
            outcome = Outcome.REFUTED
        elif any(vacuous):
            notes.append("vacuous: both sides are at rounding level on more than 10 % of the inputs")
        elif all(k is not None for k in killed.values()):
            outcome = Outcome.CONFIRMED
        one = np.ones(len(points))
        return Decision(outcome, np.zeros(len(points)), np.array(misses), T, 0 * one, one, killed, tuple(notes))

    def _evaluate(self, side, x, point) -> np.ndarray:
        out = np.asarray(at_point(side, {**point, **x}))
        if not np.all(np.isfinite(out)):
            raise ClaimError("Identity: a side is NaN or infinite on a drawn input; restrict the sampler")
        return out

    def _sides(self, x, point) -> tuple[np.ndarray, np.ndarray]:
        L, R = self._evaluate(self.left, x, point), self._evaluate(self.right, x, point)
        if L.shape != R.shape:
            raise ClaimError(f"Identity: the left side has shape {L.shape}, the right {R.shape}")
        return L, R

    def _sensitivity(self, x, point, L, R, rng) -> float:
        kappa = np.zeros(2)
        for _ in range(8):
            moved = {k: v * (1 + STEP * rng.choice((-1.0, 1.0), v.shape)) for k, v in x.items()}
            a, b = self._sides(moved, point)
            kappa = np.maximum(kappa, [np.max(np.abs(a - L)) / STEP, np.max(np.abs(b - R)) / STEP])
        return float(kappa.sum())

    def _fifty_digits(self, x, point, L, tol) -> float:
        """max |left − right| of the exact forms, which must be those of the float64 ones."""
        import mpmath

        assert self.exact is not None
        with mpmath.workdps(DIGITS):
            exactly = {k: mpmath.mpf(float(v)) if v.ndim == 0 else _in_mpmath(v) for k, v in x.items()}
            sides = [np.asarray(at_point(side, {**point, **exactly}), dtype=object).ravel() for side in self.exact]
            if sides[0].shape != sides[1].shape or sides[0].size != L.size:
                raise ClaimError(f"Identity: exact= gives {sides[0].size} and {sides[1].size} numbers, left {L.size}")
            if any(abs(complex(a) - complex(b)) > tol for a, b in zip(sides[0], L.ravel(), strict=True)):
                raise ClaimError("Identity: the first of exact= is not `left`: they differ by more than rounding")
            return max(float(abs(a - b)) for a, b in zip(*sides, strict=True))

    def _precision_scaling(self, inputs, point, count) -> float:
        """rms relative error in float32 over that in float64, on inputs exactly representable in float32."""
        square = {np.float32: 0.0, np.float64: 0.0}
        for i in range(min(count, 32)):
            x32 = {k: np.asarray(v[i], dtype=np.float32) for k, v in inputs.items()}
            for dtype in square:
                L, R = self._sides({k: v.astype(dtype) for k, v in x32.items()}, point)
                if dtype is np.float32 and {np.float64, np.complex128} & {L.dtype.type, R.dtype.type}:
                    raise ClaimError(
                        "Identity: a side returned float64 for float32 input, so precision scaling cannot be seen; "
                        "keep the dtype of the input, or pass scaling=False with because="
                    )
                size = np.max(np.abs(L)) + np.max(np.abs(R))
                wide = L.astype(complex if np.iscomplexobj(L) else float)
                square[dtype] += float(np.max(np.abs(wide - R)) / size) ** 2 if size else 0.0
        return float(np.sqrt(square[np.float32] / square[np.float64])) if square[np.float64] else float("inf")


def _in_mpmath(v: np.ndarray) -> np.ndarray:
    import mpmath

    return np.array([mpmath.mpf(float(a)) for a in v.ravel()], dtype=object).reshape(v.shape)
