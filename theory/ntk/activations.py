r"""Smooth activations: erf, sin and GELU. Closed forms of E[φ(u)φ(v)] and E[φ'(u)φ'(v)], (u,v) ~ N(0, [[q₁,k],[k,q₂]]).

- erf (Williams 1997, eq. 11): with D = (1+2q₁)(1+2q₂) − 4k²,
  E = (2/π) arcsin(2k/√((1+2q₁)(1+2q₂))),  E' = (4/π)/√D.
- sin (from E[cos(u ± v)]): E = ½(e^{−(q₁+q₂−2k)/2} − e^{−(q₁+q₂+2k)/2}), E' the same with a plus.
- gelu, φ(x) = xΦ(x) (the exact form, not the tanh fit): with Q = (1+q₁)(1+q₂), D = Q − k²,
  E  = (1/2π) [ k (π/2 + arcsin(k/√Q)) + q₁q₂√D/Q + k²/(Q√D) ]
  E' = ∂E/∂k = (1/2π) [ π/2 + arcsin(k/√Q) + k (3 + q₁ + q₂ + k²/D)/(Q√D) ].
  Derivation: φ = (u/2)(1 + g(u)) with g = erf(·/√2); the mixed terms are odd and vanish, so E = (k + E[uvgg])/4; two
  integrations by parts give E[uvgg] = kG + 2qk G_q + 2q'k G_q' + (qq'+k²) G_k with G = E[g(u)g(v)] =
  (2/π) arcsin(k/√Q); E[φ'φ'] = ∂E/∂k is Price's theorem.

Conditioning, ε the unit roundoff, errors relative to √(k(x,x) k(x',x')). `dual` forms D and q₁+q₂−2k by subtraction: an
error (1+q)ε for nearly parallel inputs of variance q (gelu: (1+√q)ε). `step` builds both from √(q₁q₂) ∓ k and
(√q₁−√q₂)², all terms non-negative: D = (√Q−k)(√Q+k) with √Q ∓ k = r + 1 + (√(q₁q₂) ∓ k), r = (√q₁−√q₂)²/(√Q+1+√(q₁q₂));
error (1+√q)ε, whatever the angle. The gap √(V₁V₂) − E of the *features* is taken by subtraction: an error (1+q)ε in the
next layer's E' after erf and sin, whose q = W_std² + b_std² or less; (1+√q)ε after gelu, whose q grows like ReLU's.
A ReLU layer above a smooth layer therefore knows the angle of nearly parallel or antiparallel inputs to √ε only (exact
duplicates excepted: they stay exact).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from corollary.arrays import Array, array_namespace
from corollary.theory.ntk.moments import Moments, checked_covariance


def _with_gaps(E: Array, V1: Array, V2: Array, duplicate: Array) -> Moments:
    xp = array_namespace(E)
    s = xp.sqrt(V1) * xp.sqrt(V2)
    return Moments(E, xp.where(duplicate, 0.0, xp.clip(s - E, 0.0, None)), xp.clip(s + E, 0.0, None))


def _augmented(q1: Array, q2: Array, near: Array, far: Array) -> tuple[Array, Array, Array]:
    """√Q, √Q − k and √Q + k for Q = (1+q₁)(1+q₂): the angle's geometry after adding one unit coordinate."""
    xp = array_namespace(near)
    a, b = xp.sqrt(q1), xp.sqrt(q2)
    rootQ = xp.sqrt(1 + q1) * xp.sqrt(1 + q2)
    r = (a - b) ** 2 / (rootQ + 1 + a * b)
    return rootQ, r + 1 + near, r + 1 + far


@dataclass(frozen=True)
class _Smooth:
    """The accurate step, from `_expectations(q1, q2, pair) -> (E, E')` of the subclass."""

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        raise NotImplementedError

    def variance(self, q: Array) -> tuple[Array, Array]:
        """(E[φ(u)²], E[φ'(u)²]) for u ~ N(0, q)."""
        return self._expectations(q, q, Moments(q, 0 * q, 2 * q))

    def step(self, q1: Array, q2: Array, pair: Moments) -> tuple[Moments, Array]:
        """Moments of the features and E[φ'φ']; see the module's conditioning."""
        E, slope = self._expectations(q1, q2, pair)
        duplicate = (pair.near == 0) & (q1 == q2)
        return _with_gaps(E, self.variance(q1)[0], self.variance(q2)[0], duplicate), slope


@dataclass(frozen=True)
class Erf(_Smooth):
    """φ(x) = erf(x)."""

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(E[φ(u)φ(v)], E[φ'(u)φ'(v)]), elementwise (Williams 1997, eq. 11). Raises TypeError or ValueError if
        q1, q2, k are not the entries of covariance matrices."""
        xp = checked_covariance(q1, q2, k)
        P = (1 + 2 * q1) * (1 + 2 * q2)
        # rounding can leave 2k/√P above 1, or D below its lower bound 1 + 2|q1 − q2|, at large variances
        E = (2 / math.pi) * xp.asin(xp.clip(2 * k / xp.sqrt(P), -1.0, 1.0))
        return E, (4 / math.pi) / xp.sqrt(xp.clip(P - 4 * k**2, 1.0, None))

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        xp = array_namespace(pair.k)
        _, lo, hi = _augmented(2 * q1, 2 * q2, 2 * pair.near, 2 * pair.far)
        rootD = xp.sqrt(lo) * xp.sqrt(hi)
        return (2 / math.pi) * xp.atan2(2 * pair.k, rootD), (4 / math.pi) / rootD


@dataclass(frozen=True)
class Sin(_Smooth):
    """φ(x) = sin(x)."""

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(E[φ(u)φ(v)], E[φ'(u)φ'(v)]), elementwise. Raises TypeError or ValueError if q1, q2, k are not the
        entries of covariance matrices."""
        xp = checked_covariance(q1, q2, k)
        minus, plus = xp.exp(-(q1 + q2 - 2 * k) / 2), xp.exp(-(q1 + q2 + 2 * k) / 2)
        return (minus - plus) / 2, (minus + plus) / 2

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        xp = array_namespace(pair.k)
        r2 = (xp.sqrt(q1) - xp.sqrt(q2)) ** 2
        # e^{−min}(1 − e^{−2|k|}): relative accuracy at small k, and no exponent is ever positive
        main = xp.exp(-r2 / 2 - xp.where(pair.near < pair.far, pair.near, pair.far))
        ratio = xp.expm1(-2 * xp.abs(pair.k))
        return -xp.sign(pair.k) * main * ratio / 2, main * (2 + ratio) / 2


@dataclass(frozen=True)
class Gelu(_Smooth):
    """φ(x) = xΦ(x), Φ the normal distribution function (the exact GELU)."""

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(E[φ(u)φ(v)], E[φ'(u)φ'(v)]), elementwise (module docstring). Raises TypeError or ValueError if
        q1, q2, k are not the entries of covariance matrices."""
        xp = checked_covariance(q1, q2, k)
        Q = (1 + q1) * (1 + q2)
        D = xp.clip(Q - k**2, 1.0, None)  # its lower bound is 1 + q1 + q2 − … ≥ 1; rounding can cross it at large q
        rootD, φ = xp.sqrt(D), math.pi / 2 + xp.asin(k / xp.sqrt(Q))
        E = k * φ + q1 * q2 * rootD / Q + k**2 / (Q * rootD)
        slope = φ + k * (3 + q1 + q2 + k**2 / D) / (Q * rootD)
        return E / (2 * math.pi), slope / (2 * math.pi)

    def _expectations(self, q1: Array, q2: Array, pair: Moments) -> tuple[Array, Array]:
        xp = array_namespace(pair.k)
        k = pair.k
        rootQ, lo, hi = _augmented(q1, q2, pair.near, pair.far)
        rootD = xp.sqrt(lo) * xp.sqrt(hi)
        φ = 2 * xp.atan2(xp.sqrt(hi), xp.sqrt(lo))  # π/2 + arcsin(k/√Q)
        c = k / rootQ
        # ratios first: the products q1 q2 and Q may leave the floating range where the result does not
        E = k * φ + (q1 / (1 + q1)) * (q2 / (1 + q2)) * rootD + c * c / rootD
        slope = φ + (c / rootD) * ((3 + q1 + q2) / rootQ + c * (k / lo) / hi)
        return E / (2 * math.pi), slope / (2 * math.pi)
