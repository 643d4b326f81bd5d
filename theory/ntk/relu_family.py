r"""ReLU, leaky ReLU, the absolute value and the identity: arc-cosine kernels, exact at every angle.

Every φ(x) = αx + β|x| (Relu: α = β = 1/2; LeakyRelu(a): α = (1+a)/2, β = (1−a)/2; Abs: 0, 1; Identity: 1, 0) has,
with $s = \sqrt{q_1 q_2}$, $\cosθ = k/s$ and $J(θ) = (\sin θ − θ\cos θ)/π$,

    E[φ(u)φ(v)]   = s [ (α²+β²) cos θ + 2β² J(θ) ]
    E[φ'(u)φ'(v)] = (α²+β²) − 2β² θ/π ,

because the mixed terms E[u|v|] vanish by symmetry and E[|u||v|] = s (cos θ + 2J(θ)) (Cho & Saul 2009, eqs. 4–6 with
n = 0, 1: the ReLU values are half of J₁/π and J₀/π).

Conditioning: `step` knows θ and π − θ to a few ε absolutely, so both expectations are accurate to a few ε of s and of
α²+β² at every angle. Relative to the value itself that is lost only where the value crosses zero, LeakyRelu and
Identity at an obtuse or right angle, and where ReLU's touches it at θ = π: E = s J(z)/2 ~ s z³/6π, z = π − θ, J by its
series for small z, so that E is as accurate as z³. In one hidden layer without bias z is the inputs' own angle, known
to some ε of itself (`inputs`), and so are K and Θ down to z = ε; `fused` takes z > 0.14 by subtraction, an error of at
most 6e-13 of K there. Deeper, the features of antiparallel inputs are orthogonal and nothing of this is left to lose,
nor with a bias, which adds a constant. An error δ|x| of the inputs themselves moves K by 3δ/z of itself. Θ of one such
layer crosses zero at tan z = 2z, and is relative to √(ΘΘ') around it. `dual` goes through arccos(k/s): its error in θ
is ε/sin θ, at worst √ε.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from corollary.arrays import Array, array_namespace
from corollary.theory.ntk.moments import Moments, checked_covariance, real_number


@dataclass(frozen=True)
class _LinearPlusAbs:
    """φ(x) = αx + β|x|, through α² and β², which is all that the kernels see."""

    @property
    def _squares(self) -> tuple[float, float]:
        raise NotImplementedError

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(E[φ(u)φ(v)], E[φ'(u)φ'(v)]), elementwise (Cho & Saul 2009; "dual activation" of Daniely et al. 2016).

        q1, q2, k broadcast; (u,v) ~ N(0, [[q1, k], [k, q2]]). Where a variance is zero the angle is taken as π/2.
        Raises TypeError or ValueError if they are not the entries of covariance matrices.
        """
        xp = checked_covariance(q1, q2, k)
        α2, β2 = self._squares
        s = xp.sqrt(q1) * xp.sqrt(q2)
        c = xp.clip(k / xp.where(s > 0, s, 1.0), -1.0, 1.0)
        θ = xp.acos(c)
        J = (xp.sin(θ) - θ * c) / math.pi
        return s * ((α2 + β2) * c + 2 * β2 * J), (α2 + β2) - 2 * β2 * θ / math.pi

    def variance(self, q: Array) -> tuple[Array, Array]:
        """(E[φ(u)²], E[φ'(u)²]) = (α²+β²)(q, 1)."""
        xp = array_namespace(q)
        α2, β2 = self._squares
        return (α2 + β2) * q, (α2 + β2) * xp.ones_like(q)

    def step(self, q1: Array, q2: Array, pair: Moments) -> tuple[Moments, Array]:
        """Moments of the features and E[φ'φ'], from near and far alone: no arccos, no cancellation.

        With z = min(θ, π−θ) and d = 1 − cos z, and J(θ) = cos z + J(z) beyond π/2, both ranges read
        E/s = M(1−d) + 2β² J(z), where M = α²+β² (acute) or β²−α² (obtuse).
        """
        xp = array_namespace(pair.k)
        α2, β2 = self._squares
        m = α2 + β2
        _, near, far = pair
        acute = near <= far
        small, large = xp.where(acute, near, far), xp.where(acute, far, near)
        s = xp.sqrt(q1) * xp.sqrt(q2)
        half = (small + large) / 2
        half = xp.where(half > 0, half, 1.0)  # zero vectors: every moment is 0 through the factor s
        root_small, root_large = xp.sqrt(small), xp.sqrt(large)
        z = 2 * xp.atan2(root_small, root_large)
        d = small / half
        J = _curved(z, root_small * root_large / half, d)
        M = xp.where(acute, xp.full_like(d, m), β2 - α2)
        curved = 2 * β2 * J
        bent = M * (1 - d) + curved
        slope = xp.where(acute, m - (2 * β2 / math.pi) * z, (2 * β2 / math.pi) * z - M)
        near_out = xp.clip(s * ((m - M) + M * d - curved), 0.0, None)
        far_out = xp.clip(s * ((m + M) - M * d + curved), 0.0, None)
        return Moments(s * bent, near_out, far_out), slope


# sin z − z cos z = Σ_k (−1)^(k+1) 2k/(2k+1)! z^(2k+1), here over z³ and highest power first
_SERIES = [(-1) ** (k + 1) * 2 * k / math.factorial(2 * k + 1) for k in range(8, 0, -1)]


def _curved(z: Array, sine: Array, d: Array) -> Array:
    """J(z) = (sin z − z cos z)/π to a few ε of itself; cos z = 1 − d. By subtraction beyond 1/2: it loses 12 ε."""
    xp = array_namespace(z)
    small = xp.where(z < 0.5, z, 0.0)
    square, series = small * small, 0.0
    for c in _SERIES:
        series = series * square + c
    return xp.where(z < 0.5, series * square * small, sine - z * (1 - d)) / math.pi


@dataclass(frozen=True)
class Relu(_LinearPlusAbs):
    """φ(x) = max(x, 0), without the factor √2 that some papers put in front (use W_std = √2 for it)."""

    @property
    def _squares(self) -> tuple[float, float]:
        return 0.25, 0.25


@dataclass(frozen=True)
class LeakyRelu(_LinearPlusAbs):
    """φ(x) = max(x, 0) + slope · min(x, 0). Any finite slope; −1 is Abs, 0 is Relu, 1 is Identity.

    Raises TypeError or ValueError if the slope is not a finite number.
    """

    slope: float

    def __post_init__(self) -> None:
        real_number("slope", self.slope)

    @property
    def _squares(self) -> tuple[float, float]:
        a = float(self.slope)
        return ((1 + a) / 2) ** 2, ((1 - a) / 2) ** 2


@dataclass(frozen=True)
class ABRelu(_LinearPlusAbs):
    """φ(x) = b max(x, 0) + a min(x, 0), finite a and b (neural-tangents' ABRelu).

    Raises TypeError or ValueError if a or b is not a finite number.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        real_number("a", self.a)
        real_number("b", self.b)

    @property
    def _squares(self) -> tuple[float, float]:
        return ((float(self.a) + float(self.b)) / 2) ** 2, ((float(self.b) - float(self.a)) / 2) ** 2


@dataclass(frozen=True)
class Abs(_LinearPlusAbs):
    """φ(x) = |x|."""

    @property
    def _squares(self) -> tuple[float, float]:
        return 0.0, 1.0


@dataclass(frozen=True)
class Identity(_LinearPlusAbs):
    """φ(x) = x: deep linear networks."""

    @property
    def _squares(self) -> tuple[float, float]:
        return 1.0, 0.0
