"""Laws whose Stieltjes transform lies on a rational curve: z = z(u), G = G(u), both rational in one parameter u.

    Atoms(x, w)             z = u                        G = Σ w_k/(u − x_k)
    Levy(A, …)              z = z_A + R(G_A)             G = G_A              A ⊞ B, B freely infinitely divisible:
                            R(g) = shift + variance g + Σ rate_k t_k/(1 − t_k g)    (semicircle + free Poisson laws)
    Poisson(A, c, scale)    z = scale z_A(1 − c + c z_A G_A),  z G = z_A G_A        A ⊠ Marchenko–Pastur of ratio c
    Activation(φ, ψ, η, ζ)  Pennington & Worah 2017: u = 1/q, see `activations`

In the first three u is a subordination function: for Im z > 0 exactly one u has Im u > 0 with all intermediate z in the
upper half plane (Biane 1997; Silverstein & Choi 1995: u ↦ z − R(G(u)) maps the half plane into itself, so its fixed
point is unique). On the real line the same root is complex in a band; in a gap all are real, and the one that counts
is where every level rises with u. Host only: root-finding on NumPy arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.polynomial import polynomial as P

from corollary.arrays import Array


class Point(NamedTuple):
    """A point of the curve with derivatives in u; `levels`: (value, derivative) of u and each z before the last."""

    z: Any
    dz: Any
    G: Any
    dG: Any
    levels: list[tuple[Any, Any]]


class Polynomials(NamedTuple):
    """z = zn/zd, G = gn/gd: coefficients in rising powers of u."""

    zn: Array
    zd: Array
    gn: Array
    gd: Array


class Curve(Protocol):
    def at(self, u: Any) -> Point: ...
    def polynomials(self) -> Polynomials: ...
    def atoms(self) -> list[tuple[float, float]]: ...


@dataclass(frozen=True)
class Atoms:
    x: tuple[float, ...]
    w: tuple[float, ...]

    def at(self, u):
        G, dG = 0 * u, 0 * u
        for x, w in zip(self.x, self.w, strict=True):
            G, dG = G + w / (u - x), dG - w / (u - x) ** 2
        one = np.ones_like(u)
        return Point(u, one, G, dG, [])

    def polynomials(self):
        gd = P.polyfromroots(self.x)
        gn = np.zeros(len(self.x))
        for k, w in enumerate(self.w):
            gn = P.polyadd(gn, w * P.polyfromroots(np.delete(self.x, k)))
        return Polynomials(np.array([0.0, 1.0]), np.array([1.0]), gn, gd)

    def atoms(self):
        return list(zip(self.x, self.w, strict=True))


@dataclass(frozen=True)
class Levy:
    base: Any
    shift: float
    variance: float
    jumps: tuple[tuple[float, float], ...]  # (size t, rate)

    def at(self, u):
        p = self.base.at(u)
        R, dR = self.shift + self.variance * p.G, self.variance + 0 * p.G
        for t, rate in self.jumps:
            R, dR = R + rate * t / (1 - t * p.G), dR + rate * (t / (1 - t * p.G)) ** 2
        return Point(p.z + R, p.dz + dR * p.dG, p.G, p.dG, [*p.levels, (p.z, p.dz)])

    def polynomials(self):
        zn, zd, gn, gd = self.base.polynomials()
        num, den = P.polyadd(zn, self.shift * zd), zd
        if self.variance:
            num, den = _sum(num, den, self.variance * gn, gd)
        for t, rate in self.jumps:
            num, den = _sum(num, den, rate * t * gd, P.polysub(gd, t * gn))
        return Polynomials(_trim(num), _trim(den), gn, gd)

    def atoms(self):
        left = 1 - sum(rate for _, rate in self.jumps)  # what a free Poisson law of rate below 1 leaves at its shift
        if self.variance or left <= 0:
            return [] if self.variance or self.jumps else [(x + self.shift, w) for x, w in self.base.atoms()]
        return [(x + self.shift, w + left - 1) for x, w in self.base.atoms() if w + left > 1]


@dataclass(frozen=True)
class Poisson:
    base: Any
    ratio: float
    scale: float

    def at(self, u):
        p, c = self.base.at(u), self.ratio
        t, dt = p.z * p.G, p.dz * p.G + p.z * p.dG
        z, dz = self.scale * p.z * (1 - c + c * t), self.scale * (p.dz * (1 - c + c * t) + p.z * c * dt)
        return Point(z, dz, t / z, dt / z - t * dz / z**2, [*p.levels, (p.z, p.dz)])

    def polynomials(self):
        zn, zd, gn, gd = self.base.polynomials()
        mixed = P.polyadd((1 - self.ratio) * P.polymul(zd, gd), self.ratio * P.polymul(zn, gn))
        return Polynomials(
            _trim(self.scale * P.polymul(zn, mixed)), P.polymul(P.polymul(zd, zd), gd),
            P.polymul(gn, zd), _trim(self.scale * mixed),
        )  # fmt: skip

    def atoms(self):
        zero = max([1 - 1 / self.ratio, *(w for x, w in self.base.atoms() if x == 0)])
        return [(0.0, zero)] if zero > 0 else []


@dataclass(frozen=True)
class Activation:
    phi: float
    psi: float
    eta: float
    zeta: float

    def at(self, u):
        # with q = 1/u: P = 1 + (η − ζ) q + ζ q/(1 − ζ q), z = P_φ P_ψ/(q ψ), G = (ψ P + 1 − ψ)/z
        p = 1 + (self.eta - self.zeta) / u + self.zeta / (u - self.zeta)
        dp = -(self.eta - self.zeta) / u**2 - self.zeta / (u - self.zeta) ** 2
        a, b = 1 + (p - 1) * self.phi, 1 + (p - 1) * self.psi
        z = u * a * b / self.psi
        dz = (a * b + u * dp * (self.phi * b + a * self.psi)) / self.psi
        return Point(z, dz, b / z, self.psi * dp / z - b * dz / z**2, [(u, np.ones_like(u))])

    def polynomials(self):
        pd = np.array([0.0, -self.zeta, 1.0])  # u(u − ζ); P − 1 = (η u − (η − ζ) ζ)/pd
        pn = np.array([-(self.eta - self.zeta) * self.zeta, self.eta])
        a, b = P.polyadd(pd, self.phi * pn), P.polyadd(pd, self.psi * pn)
        u = np.array([0.0, 1.0])
        zn, zd = P.polymul(u, P.polymul(a, b)) / self.psi, P.polymul(pd, pd)
        # G = b/pd · zd/zn = ψ pd/(u a)
        return Polynomials(zn, zd, self.psi * pd, P.polymul(u, a))

    def atoms(self):
        zero = 1 - self.psi / self.phi  # n1 features, m samples: rank at most m, ψ/φ = m/n1
        return [(0.0, zero)] if zero > 0 else []


def _sum(n1, d1, n2, d2):
    """n1/d1 + n2/d2, over one denominator where both have the same."""
    if len(d1) == len(d2) and np.allclose(d1, d2, rtol=1e-15, atol=0):
        return P.polyadd(n1, n2), d1
    return P.polyadd(P.polymul(n1, d2), P.polymul(n2, d1)), P.polymul(d1, d2)


def _trim(c):
    """Without leading coefficients that are zero up to rounding."""
    keep = np.flatnonzero(np.abs(c) > 1e-14 * np.max(np.abs(c)))
    return c[: keep[-1] + 1]


def solve(curve: Curve, z: Array) -> Array:
    """All u with z(u) = z: (M, degree) complex, companion eigenvalues polished by Newton; NaN where z(u) ≠ z."""
    zn, zd, _, _ = curve.polynomials()
    d = len(zn) - 1
    zd = np.concatenate([zd, np.zeros(d + 1 - len(zd))])
    c = zn - z[:, None] * zd
    c = c / c[:, -1:]
    companion = np.zeros((len(z), d, d), dtype=c.dtype)
    companion[:, np.arange(1, d), np.arange(d - 1)] = 1
    companion[:, :, -1] = -c[:, :-1]
    u = np.linalg.eigvals(companion).astype(complex)
    target = z[:, None]
    size = 1 + np.abs(target)
    with np.errstate(all="ignore"):
        p = curve.at(u)
        miss = np.abs(p.z - target)
        for _ in range(3):
            trial = u - (p.z - target) / p.dz
            if not np.iscomplexobj(z):
                trial = np.where(np.imag(u) == 0, np.real(trial), trial)
            q = curve.at(trial)
            better = np.abs(q.z - target) < miss
            u = np.where(better, trial, u)
            p = curve.at(u)
            miss = np.abs(p.z - target)
        return np.where(miss < 1e-6 * size, u, np.nan)


def physical(curve: Curve, z: Array) -> Array:
    """The u (M,) that belongs to G(z): z in the upper half plane, or real, then the limit from above. NaN: none."""
    u = solve(curve, z)
    with np.errstate(all="ignore"):
        p = curve.at(u)
        heights = np.stack([np.imag(np.broadcast_to(v, u.shape)) / (1 + np.abs(v)) for v, _ in p.levels])
        height = np.where(np.isnan(u), -1.0, heights.min(axis=0))
        best = np.argmax(height, axis=1)
        row = np.arange(len(u))
        found = u[row, best]
        if np.iscomplexobj(z):
            return np.where(height[row, best] > 0, found, np.nan)
        rising = np.stack([np.real(np.broadcast_to(d, u.shape)) for _, d in p.levels] + [np.real(p.dz)]).min(axis=0)
        flat = (np.abs(heights).max(axis=0) < 1e-7) & ~np.isnan(u)
        rising = np.where(flat, rising, -np.inf)
        outside = u[row, np.argmax(rising, axis=1)]
        return np.where(height[row, best] > BAND, found, np.where(rising.max(axis=1) > 0, np.real(outside), found))


BAND = 1e-9  # relative height of u above the line from which a point lies in a band: rounding leaves 1e-16 in a gap


def critical_values(curve: Curve) -> Array:
    """z at the real critical points of z(·): every edge of a band is among them. Sorted, without repetition."""
    zn, zd, _, _ = curve.polynomials()
    derivative = P.polysub(P.polymul(P.polyder(zn), zd), P.polymul(zn, P.polyder(zd)))
    u = P.polyroots(_trim(derivative))
    u = u[np.abs(np.imag(u)) < 1e-5 * (1 + np.abs(u))].real
    with np.errstate(all="ignore"):
        for _ in range(4):  # Newton on z' with a central difference; kept only where z' falls
            h = 1e-5 * (1 + np.abs(u))
            here, slope = curve.at(u).dz, (curve.at(u + h).dz - curve.at(u - h).dz) / (2 * h)
            trial = u - here / slope
            better = np.abs(curve.at(trial).dz) < np.abs(here)
            u = np.where(better, trial, u)
        p = curve.at(u)
        # at a hard edge G is infinite (u = 0 for ratio 1): there the fractions, cleared of G, tell
        slope = P.polyval(u, derivative) / P.polyval(u, zd) ** 2
        z = np.where(np.isfinite(p.z), p.z, P.polyval(u, zn) / P.polyval(u, zd))
        slope = np.where(np.isfinite(p.dz), p.dz, slope)
        # a pole of z or a spurious common root is no critical point; at a true one z' has dropped to rounding
        z = z[np.isfinite(z) & (np.abs(slope) < 1e-5 * (1 + np.abs(z)))]
    z = np.sort(z)
    apart = np.concatenate([[True], np.diff(z) > 1e-12 * (1 + np.abs(z[1:]))]) if z.size else np.array([], bool)
    return z[apart]
