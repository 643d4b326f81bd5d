r"""Further closed forms: cos, random Fourier features (RBF), the erf sigmoid, sign, polynomials (monomials, Hermite).

- cos: with r² = (√q₁−√q₂)², e₋ = e^{−r²/2−near}, e₊ = e^{−r²/2−far}: E = (e₋+e₊)/2, E' = (e₋−e₊)/2.
- Rbf(γ), φ(x) = √2 sin(√(2γ)x + π/4) (Rahimi & Recht 2007): E = e^{−γ(r²+2near)}, E' = 2γE.
- SigmoidLike, φ(x) = (1 + erf(x/2.4020563531719796))/2, the constant of neural-tangents: odd terms vanish, so
  E = (1 + E_erf)/4 at variances divided by 2.402…².
- sign: E = 1 − 2θ/π; E' = 0, because φ' = 0 wherever it exists, as automatic differentiation has it.
- polynomials: Isserlis, E[uᵃvᵇ] = Σ_j C(a,j) C(b,j) j! (a−j−1)!! (b−j−1)!! q₁^{(a−j)/2} q₂^{(b−j)/2} kʲ, a−j, b−j even.

Here near and far are √(q₁q₂) ∓ k (see `moments`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from corollary.arrays import Array, array_namespace
from corollary.theory.ntk.activations import Erf, _Smooth
from corollary.theory.ntk.moments import Moments, checked_covariance, real_number

_SIGMOID = 1 / 2.4020563531719796


def _covariance_pair(q1: Array, q2: Array, k: Array) -> Moments:
    xp = checked_covariance(q1, q2, k)
    s = xp.sqrt(q1) * xp.sqrt(q2)
    return Moments(k, xp.clip(s - k, 0.0, None), xp.clip(s + k, 0.0, None))


@dataclass(frozen=True)
class _ByExpectations(_Smooth):
    """`dual` through the gaps, formed by subtraction: an error (1+q)ε."""

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(E[φ(u)φ(v)], E[φ'(u)φ'(v)]), elementwise. Raises TypeError or ValueError if q1, q2, k are not the entries
        of covariance matrices."""
        return self._expectations(q1, q2, _covariance_pair(q1, q2, k))


@dataclass(frozen=True)
class Cos(_ByExpectations):
    """φ(x) = cos(x)."""

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        xp = array_namespace(pair.k)
        r2 = (xp.sqrt(q1) - xp.sqrt(q2)) ** 2
        minus, plus = xp.exp(-r2 / 2 - pair.near), xp.exp(-r2 / 2 - pair.far)
        return (minus + plus) / 2, (minus - plus) / 2


@dataclass(frozen=True)
class Rbf(_ByExpectations):
    """φ(x) = √2 sin(√(2γ) x + π/4): its NNGP kernel is the Gaussian kernel e^{−γ E(u−v)²}.

    Raises TypeError or ValueError unless gamma > 0 is a finite number.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        real_number("gamma", self.gamma, positive=True)

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        xp = array_namespace(pair.k)
        γ = float(self.gamma)
        E = xp.exp(-γ * ((xp.sqrt(q1) - xp.sqrt(q2)) ** 2 + 2 * pair.near))
        return E, 2 * γ * E


@dataclass(frozen=True)
class SigmoidLike(_ByExpectations):
    """φ(x) = (1 + erf(x/2.402…))/2, within 0.01 of the logistic function."""

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        c = _SIGMOID**2
        E, slope = Erf()._expectations(c * q1, c * q2, Moments(c * pair.k, c * pair.near, c * pair.far))
        return (1 + E) / 4, c * slope / 4


@dataclass(frozen=True)
class Sign:
    """φ(x) = sign(x), sign(0) = 0. No gradient passes: the tangent kernel is that of the layers above."""

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(1 − 2θ/π, 0), elementwise, 0 at variance 0. Raises TypeError or ValueError if q1, q2, k are not the
        entries of covariance matrices."""
        moments, slope = self.step(q1, q2, _covariance_pair(q1, q2, k))
        return moments.k, slope

    def variance(self, q: Array) -> tuple[Array, Array]:
        """(1, 0) for q > 0, (0, 0) for q = 0."""
        xp = array_namespace(q)
        return xp.astype(q > 0, q.dtype), xp.zeros_like(q)

    def step(self, q1: Array, q2: Array, pair: Moments) -> tuple[Moments, Array]:
        """Moments of the features, the gaps 2θ/π and 2(π−θ)/π without cancellation."""
        xp = array_namespace(pair.k)
        size = xp.astype((q1 > 0) & (q2 > 0), pair.k.dtype)
        near = size * (4 / math.pi) * xp.atan2(xp.sqrt(pair.near), xp.sqrt(pair.far))
        far = size * (4 / math.pi) * xp.atan2(xp.sqrt(pair.far), xp.sqrt(pair.near))
        return Moments((far - near) / 2, near, far), xp.zeros_like(pair.k)


@dataclass(frozen=True)
class Polynomial(_ByExpectations):
    """φ(x) = Σ_a coefficients[a] xᵃ. Raises TypeError or ValueError unless they are finite numbers, at least one."""

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.coefficients, tuple) or not self.coefficients:
            raise ValueError(f"coefficients is {self.coefficients!r}; expected a tuple of numbers, lowest degree first")
        for c in self.coefficients:
            real_number("a coefficient", c)

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        slopes = tuple(a * c for a, c in enumerate(self.coefficients))[1:]
        return _product_mean(self.coefficients, q1, q2, pair.k), _product_mean(slopes, q1, q2, pair.k)


def monomial(degree: int) -> Polynomial:
    """φ(x) = x^degree. Raises ValueError unless degree is an integer >= 0."""
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise ValueError(f"degree is {degree!r}; expected an integer >= 0")
    return Polynomial((0.0,) * degree + (1.0,))


def hermite(degree: int) -> Polynomial:
    """The probabilists' Hermite polynomial over √degree!: E = kᵈ at unit variances. Raises ValueError unless degree
    is an integer >= 0."""
    top = monomial(degree)  # checks the degree
    c = list(top.coefficients)
    for j in range(degree // 2 + 1):
        size = math.factorial(degree) / (math.factorial(j) * math.factorial(degree - 2 * j) * 2**j)
        c[degree - 2 * j] = (-1) ** j * size / math.sqrt(math.factorial(degree))
    return Polynomial(tuple(c))


def _product_mean(coefficients: tuple[float, ...], q1: Array, q2: Array, k: Array) -> Array:
    total = array_namespace(k).zeros_like(k + q1 + q2)
    for j in range(len(coefficients)):
        sides = []
        for q in (q1, q2):
            side = array_namespace(q).zeros_like(q)
            for a in range(j, len(coefficients), 2):
                weight = coefficients[a] * math.comb(a, j) * math.prod(range(1, a - j, 2))
                side = side + weight * q ** ((a - j) // 2)
            sides.append(side)
        total = total + math.factorial(j) * sides[0] * sides[1] * k**j
    return total
