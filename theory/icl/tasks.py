r"""The distribution of prompts: linear regression tasks with random weights.

    x_i ~ (0, Λ),   w ~ N(0, Ω),   y_i = w·x_i + ε_i,   ε_i ~ N(0, σ²),   i = 1…N;   query x_q, clean label w·x_q.

Statistics of a prompt: G = XᵀX/N, g = Xᵀy/N, s = |y|²/N. Their moments enter every exact loss of this family:

    C      = E[g gᵀ]      = (1 + 1/N) ΛΩΛ + ((t + σ²)/N) Λ + (κ₄/N) diag Ω,                       t = tr ΛΩ
    E[sG]                 = (t + σ²) Λ + (2/N) ΛΩΛ + (κ₄/N) diag Ω
    E[s²]                 = (1 + 2/N) [(t + σ²)² + 2 tr (ΛΩ)²] + (3κ₄/N) Σ Ω_ii²
    E[G u uᵀ G]           = (1 + 1/N) Λu uᵀΛ + (uᵀΛu/N) Λ + (κ₄/N) diag(u_i²)

For Gaussian x, κ₄ = 0. For iid coordinates of variance v and fourth moment m₄ (Λ = vI), κ₄ = m₄ − 3v², and, where the
query is a key too, κ₆ = m₆ − 15 m₄v + 30 v³ of symmetric ones. By Isserlis' theorem; derived in
`proofs_check/icl/population_loss.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_same_dtype
from corollary.theory.icl.checks import covariance, real_number, whole_number


@dataclass(frozen=True, eq=False)
class LinearTask:
    """Prompts of `context` = N examples in dimension d.

    input_cov = Λ, weight_cov = Ω: (d, d), positive definite; None is the identity (NumPy, or like the other one).
    noise = σ² is a variance. fourth_moment = E x_i⁴ for iid coordinates that are not Gaussian: then Λ must be a
    multiple of the identity (see `uniform_task`); None means Gaussian inputs. sixth_moment = E x_i⁶, of symmetric
    coordinates: only `query_in_keys` losses need it.

    Raises TypeError or ValueError: d < 1, context < 2 (one example has no spread: its Gram matrix has rank one
    whatever d), noise < 0, covariances that are singular, not symmetric or of another shape, a fourth moment below v²
    (impossible) or without iid coordinates, a sixth one below m₄²/v (impossible) or without the fourth.
    """

    d: int
    context: int
    input_cov: Any = None
    weight_cov: Any = None
    noise: float = 0.0
    fourth_moment: float | None = None
    sixth_moment: float | None = None

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        put("d", whole_number("d", self.d, 1))
        put("context", whole_number("context", self.context, 2, "a prompt needs examples to regress on"))
        put("noise", real_number("noise, a variance,", self.noise, nonnegative=True))
        given = [m for m in (self.input_cov, self.weight_cov) if m is not None]
        for name in ("input_cov", "weight_cov"):
            matrix = getattr(self, name)
            if matrix is None:
                matrix = identity_like(given[0], self.d) if given else np.eye(self.d)
            put(name, covariance(name, matrix, self.d))
        array_namespace(self.input_cov, self.weight_cov)
        require_same_dtype(input_cov=self.input_cov, weight_cov=self.weight_cov)
        if self.fourth_moment is not None:
            m4, v = real_number("fourth_moment", self.fourth_moment, positive=True), self._common_variance()
            if m4 < v * v * (1 - 1e-12):  # Jensen; equality for ±√v needs room for rounding
                raise ValueError(f"fourth_moment is {m4:g}; expected at least the squared variance {v * v:g}")
            put("fourth_moment", m4)
        if self.sixth_moment is not None:
            m6 = real_number("sixth_moment", self.sixth_moment, positive=True)
            if self.fourth_moment is None:
                raise ValueError(
                    "sixth_moment= comes with fourth_moment=, of iid coordinates; without: Gaussian inputs"
                )
            least = self.fourth_moment**2 / self._common_variance()
            if m6 < least * (1 - 1e-12):  # Cauchy and Schwarz for x and x³
                raise ValueError(f"sixth_moment is {m6:g}; expected at least fourth_moment²/variance = {least:g}")
            put("sixth_moment", m6)

    def _common_variance(self) -> float:
        v = float(self.input_cov[0, 0])
        xp = array_namespace(self.input_cov)
        off = float(xp.max(xp.abs(self.input_cov - v * identity_like(self.input_cov, self.d))))
        if off > 1e-12 * v:
            raise ValueError(
                "fourth_moment= is for iid coordinates, so input_cov must be a multiple of the identity; "
                f"it is off by {off:.2g}"
            )
        return v

    @property
    def identity(self) -> Array:
        """I (d, d), on the device of the covariances."""
        return identity_like(self.input_cov, self.d)

    @property
    def excess_kurtosis(self) -> float:
        """κ₄ = m₄ − 3v² of the coordinates; 0 for Gaussian inputs."""
        return 0.0 if self.fourth_moment is None else self.fourth_moment - 3 * float(self.input_cov[0, 0]) ** 2

    @property
    def sixth_cumulant(self) -> float:
        """κ₆ = m₆ − 15 m₄v + 30 v³ of the coordinates; 0 for Gaussian inputs. ValueError where m₆ is not given."""
        if self.fourth_moment is None:
            return 0.0
        if self.sixth_moment is None:
            raise ValueError("query_in_keys=True needs the sixth moment of the inputs: LinearTask(sixth_moment=E x⁶)")
        v = float(self.input_cov[0, 0])
        return self.sixth_moment - 15 * self.fourth_moment * v + 30 * v**3

    @property
    def signal(self) -> float:
        """t = tr ΛΩ, the variance of a clean label: the excess of the prediction 0."""
        return float(array_namespace(self.input_cov).sum(self.input_cov * self.weight_cov))

    def with_context(self, context: int) -> LinearTask:
        """The same task with prompts of another length."""
        return replace(self, context=context)

    def isotropic(self) -> tuple[float, float]:
        """(v, ω) of Λ = vI, Ω = ωI; ValueError where the task is not isotropic or not Gaussian."""
        v, w = float(self.input_cov[0, 0]), float(self.weight_cov[0, 0])
        xp, eye = array_namespace(self.input_cov), self.identity
        off = max(
            float(xp.max(xp.abs(self.input_cov - v * eye))) / v, float(xp.max(xp.abs(self.weight_cov - w * eye))) / w
        )
        if off > 1e-12 or self.fourth_moment is not None:
            raise ValueError(
                "this closed form needs Gaussian inputs with input_cov and weight_cov multiples of the identity; "
                + ("fourth_moment is given" if self.fourth_moment is not None else f"they are off by {off:.2g}")
            )
        return v, w


def uniform_task(d: int, context: int, half_width: float, noise: float = 0.0, weight_cov: Any = None) -> LinearTask:
    """Coordinates iid U(−h, h), h = `half_width`: E x^{2k} = h^{2k}/(2k + 1). Raises as `LinearTask`, and for h ≤ 0."""
    h = real_number("half_width", half_width, positive=True)
    d = whole_number("d", d, 1)
    eye = np.eye(d) if weight_cov is None else identity_like(weight_cov, d)
    m4, m6 = h * h * h * h / 5, h * h * h * h * h * h / 7
    return LinearTask(d, context, h * h / 3 * eye, weight_cov, noise, fourth_moment=m4, sixth_moment=m6)


def gram_second_moment(task: LinearTask, u: Array) -> Array:
    """E[G u uᵀ G] (d, d) for a fixed u (d,)."""
    Λ, N = task.input_cov, task.context
    v = Λ @ u
    xp = array_namespace(task.input_cov)
    return (1 + 1 / N) * v[:, None] * v[None, :] + (
        xp.sum(u * v) * Λ + task.excess_kurtosis * task.identity * (u * u)[None, :]
    ) / N


def label_moment(task: LinearTask) -> Array:
    """C = E[g gᵀ] (d, d), g = Xᵀy/N."""
    Λ, Ω, N = task.input_cov, task.weight_cov, task.context
    return (1 + 1 / N) * (Λ @ Ω @ Λ) + ((task.signal + task.noise) * Λ + task.excess_kurtosis * _diagonal(task)) / N


def energy_gram(task: LinearTask) -> Array:
    """E[s G] (d, d), s = |y|²/N."""
    Λ, Ω, N = task.input_cov, task.weight_cov, task.context
    return (task.signal + task.noise) * Λ + (2 * (Λ @ Ω @ Λ) + task.excess_kurtosis * _diagonal(task)) / N


def energy_square(task: LinearTask) -> float:
    """E[s²]."""
    xp, N = array_namespace(task.input_cov), task.context
    B = task.input_cov @ task.weight_cov
    square = (task.signal + task.noise) ** 2 + 2 * float(xp.sum(B * xp.matrix_transpose(B)))
    return (1 + 2 / N) * square + 3 * task.excess_kurtosis / N * float(xp.sum(_diagonal(task) ** 2))


def _diagonal(task: LinearTask) -> Array:
    return task.weight_cov * task.identity


def identity_like(matrix: Array, d: int) -> Array:
    return array_namespace(matrix).eye(d, dtype=matrix.dtype, device=device(matrix))
