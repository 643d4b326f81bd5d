r"""Newton's iteration and gradient descent on least squares, solved: every iterate in closed form on a prompt.

With S = XᵀX, eigenvalues λ = s² of the singular values of X:

    Newton:   M_0 = αS, M_{k+1} = 2M_k − M_k S M_k   ⇒   M_k S = I − (I − αS²)^{2^k},   w_k = M_k Xᵀy
    descent:  w_{k+1} = w_k + (η/N) Xᵀ(y − X w_k), w_0 = 0   ⇒   w_k = (I − (I − ηS/N)^k) S⁺Xᵀy.

The residual ‖I − M_kS‖ on the row space of X is max |1 − αλ²|^{2^k}: its logarithm doubles each step, while that of
descent grows linearly; with the best rate the base is (κ − 1)/(κ + 1), κ = λ_max/λ_min. α = 1/λ_max² unless given: Fu
et al. 2023 print 2/‖SSᵀ‖₂, for which M_1 vanishes in the top direction and stays there. Powers are evaluated as
exp(2^k log|1 − αλ²|) with log1p, so that no digit is lost where αλ² is tiny. In float64 the iteration itself, or any
solver of the normal equations, keeps digits only up to κ(S) = 1/ε: beyond, an error says so. Derived in
`proofs_check/icl/newton.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from corollary.arrays import Array, Namespace
from corollary.theory.icl.checks import prompt, real_number, require_digits, whole_number


class Iterates(NamedTuple):
    """weights (..., T, d) after the T recorded steps; residuals (..., T): norm of I − M_kS on the row space of X;
    eigenvalues (..., r) of S there, descending; `normal` (..., T): |Xᵀ(y − X w_k)|, recomputed from the data.
    """

    weights: Array
    residuals: Array
    eigenvalues: Array
    normal: Array


def newton(X: Array, y: Array, steps: int | Sequence[int], alpha: float | None = None) -> Iterates:
    """Newton iterates (Schulz iteration for S⁻¹) after 0…`steps` steps, or after the steps listed.

    X (..., N, d), y (..., N). alpha: 0 < α < 2/λ_max²; None takes 1/λ_max² of each prompt. N < d gives the iterates
    towards the solution of least norm. Raises TypeError or ValueError: shapes, steps, an alpha that diverges, and a
    condition number of S beyond 1/ε, where the floats hold no digit of the residual.
    """
    xp = prompt(X, y)
    times = _times(steps)
    U, s, Vt = _factors(xp, X)
    λ = s * s
    top = xp.max(λ, axis=-1, keepdims=True)
    if alpha is None:
        μ = (λ / top) ** 2
    else:
        alpha = real_number("alpha", alpha, positive=True)
        worst = float(xp.max(top))
        if alpha * worst * worst >= 2:
            raise ValueError(
                f"alpha = {alpha:g} diverges: expected alpha < 2/lambda_max(S)^2 = {2 / worst**2:.4g} on these prompts"
            )
        μ = alpha * λ * λ
    return _assemble(xp, X, y, (U, s, Vt), [_power(xp, μ, 2.0 ** min(k, 1000)) for k in times])


def gradient_descent(X: Array, y: Array, steps: int | Sequence[int], eta: float) -> Iterates:
    """Gradient descent from w = 0 on (1/2N)|y − Xw|² after 0…`steps` steps, or after the steps listed.

    X (..., N, d), y (..., N). Raises TypeError or ValueError: shapes, steps, eta ≤ 0, a rate that diverges
    (η λ_max/N ≥ 2), a condition number of S beyond 1/ε.
    """
    xp = prompt(X, y)
    times, eta = _times(steps), real_number("eta", eta, positive=True)
    U, s, Vt = _factors(xp, X)
    x = eta / X.shape[-2] * s * s
    worst = float(xp.max(x))
    if worst >= 2:
        raise ValueError(f"eta = {eta:g} diverges: expected eta < 2N/lambda_max(S) = {eta * 2 / worst:.4g}")
    return _assemble(xp, X, y, (U, s, Vt), [_power(xp, x, float(min(k, 10**300))) for k in times])


def newton_steps(condition: float, accuracy: float) -> int:
    """Steps until the residual is below `accuracy`, with α = 1/λ_max²: smallest k with (1 − κ⁻²)^{2^k} <= accuracy.

    About 2 log₂κ + log₂ ln(1/accuracy). Raises TypeError or ValueError: condition < 1, accuracy not in (0, 1).
    """
    κ, needed = _to_reach(condition, accuracy)
    if κ == 1:
        return 0
    # −log(1 − κ⁻²) is κ⁻² to rounding where κ > 1e8; rationals, as κ² may overflow
    ratio = needed * Fraction(κ) ** 2 if κ > 1e8 else needed / Fraction(-math.log1p(-(κ**-2.0)))
    return (math.ceil(ratio) - 1).bit_length()


def descent_steps(condition: float, accuracy: float) -> int:
    """Steps of descent at its best rate: smallest k with ((κ − 1)/(κ + 1))^k <= accuracy. Raises as `newton_steps`."""
    κ, needed = _to_reach(condition, accuracy)
    return 1 if κ == 1 else math.ceil(needed / Fraction(-math.log1p(-2 / (κ + 1))))


def _to_reach(condition: float, accuracy: float) -> tuple[float, Fraction]:
    """κ and ln(1/accuracy)."""
    κ, ε = real_number("condition", condition, positive=True), real_number("accuracy", accuracy, positive=True)
    if κ < 1 or ε >= 1:
        raise ValueError(f"condition is {κ:g} and accuracy {ε:g}; expected condition >= 1 and accuracy in (0, 1)")
    return κ, Fraction(-math.log(ε))


def _times(steps: int | Sequence[int]) -> list[int]:
    if isinstance(steps, Iterable):
        listed = [whole_number("steps", k, 0) for k in steps]
        if not listed:
            raise ValueError("steps is empty; expected a number of steps, or a list of step numbers to record")
        return listed
    return list(range(whole_number("steps", steps, 0) + 1))


def _factors(xp: Namespace, X: Array) -> tuple[Array, Array, Array]:
    U, s, Vt = xp.linalg.svd(X, full_matrices=False)
    require_digits(xp, s)
    return U, s, Vt


def _power(xp: Namespace, x: Array, power: float) -> tuple[Array, Array]:
    """(1 − x)^power and 1 − (1 − x)^power for 0 < x < 2, both to full relative accuracy where it exists."""
    small = x < 0.5
    log = xp.where(small, xp.log1p(-xp.where(small, x, 0.0)), 0.0)
    # |1 − x| is exact to rounding for x >= 1/2; the smallest float stands in for 0, whose logarithm is not needed
    size = xp.where(small, 1.0, xp.maximum(xp.abs(1 - x), xp.full_like(x, float(xp.finfo(x.dtype).smallest_normal))))
    log = xp.where(small, log, xp.log(size))
    odd = power % 2 == 1
    sign = xp.where((x > 1) & odd, -xp.ones_like(x), xp.ones_like(x))
    left = sign * xp.exp(power * log)
    return left, xp.where(small, -xp.expm1(power * log), 1 - left)


def _assemble(
    xp: Namespace, X: Array, y: Array, factors: tuple[Array, Array, Array], powers: list[tuple[Array, Array]]
) -> Iterates:
    U, s, Vt = factors
    T = xp.matrix_transpose
    c = xp.matmul(T(U), y[..., None])[..., 0] / s
    weights = xp.stack([xp.matmul(T(Vt), (gone * c)[..., None])[..., 0] for _, gone in powers], axis=-2)
    residuals = xp.stack([xp.max(xp.abs(left), axis=-1) for left, _ in powers], axis=-1)
    gap = y[..., None, :] - xp.matmul(weights, T(X))
    normal = xp.matmul(gap, X)
    return Iterates(weights, residuals, s * s, xp.sqrt(xp.sum(normal * normal, axis=-1)))
