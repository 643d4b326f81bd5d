"""Limiting spectra as frozen distributions with SciPy's manners: pdf, cdf, ppf, rvs, support, moment, transforms.

    law = marchenko_pastur(0.5) + semicircle(0.2)
    law.pdf(x), law.cdf(x), law.ppf(q), law.rvs(100, rng), law.support(), law.atoms(), law.moment(4)
    law.stieltjes(z)                 G(z) = ∫ dμ(x)/(z − x); on the real line the limit from above: pdf = −Im G/π
    law.r_transform(g)               G⁻¹(g) − 1/g near 0, so that law + law adds them
    law + law, law + 3.0             free additive convolution: the spectrum of A + U B Uᵀ, U uniformly random
    law @ law                        free multiplicative convolution, A^½ U B Uᵀ A^½; one side positive

Edges are critical values of z(·) (`curves`, `convolution`), never places where a density falls below something. Atoms
are apart: pdf is the density of the rest, and asking for it on an atom is an error. Distribution functions integrate a
cosine series in θ, x = m − h cos θ, which takes square-root edges as well as 1/√x at a hard one; the total mass is
checked to `TOLERANCE`. Host only: float64 NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy.fft import dct

from corollary.arrays import Array
from corollary.theory.spectra import convolution
from corollary.theory.spectra.edges import bands
from corollary.theory.spectra.masses import LONGEST, Band, masses
from corollary.theory.spectra.subordination import transform

TOLERANCE = 1e-8  # of the total mass


class Core(Protocol):
    """What `curves` and `convolution` make: the data of a law, without methods for users."""

    def atoms(self) -> list[tuple[float, float]]: ...


@dataclass(frozen=True)
class Law:
    """A law of eigenvalues; made by `semicircle`, `marchenko_pastur`, `atoms`, … and by + and @ (see the module).

    Every method takes numbers or arrays and returns float64 of the same shape. Raises ValueError for arguments that are
    not finite, and ArithmeticError where the quadrature misses the total mass by more than 1e-8.
    """

    core: Core

    def stieltjes(self, z: Any) -> Any:
        """G(z). Real z: the limit from the upper half plane, complex inside a band. ValueError on an atom."""
        points = np.asarray(z)
        if not np.all(np.isfinite(points)):
            raise ValueError("z has entries that are NaN or infinite; expected finite numbers")
        flat = np.atleast_1d(points).ravel()
        if np.iscomplexobj(flat) and np.any(np.imag(flat) != 0):
            if np.any(np.imag(flat) == 0):
                raise ValueError("z mixes real and complex points; ask for them in two calls")
            upper = np.where(np.imag(flat) < 0, np.conj(flat), flat)
            G = self._transform(upper)
            G = np.where(np.imag(flat) < 0, np.conj(G), G)
        else:
            real = np.real(flat).astype(float)
            self._off_atoms(real, "the transform")
            G = self._transform(real)
        return G.reshape(points.shape) if points.ndim else complex(G[0])

    def pdf(self, x: Any) -> Any:
        """The density of the continuous part. ValueError on an atom, where there is none."""
        x, scalar = _real(x)
        flat = x.ravel()
        self._off_atoms(flat, "the density")
        out = np.zeros(flat.size)
        inside = np.zeros(flat.size, dtype=bool)
        for low, high in self.support():
            inside |= (flat > low) & (flat < high)
        if inside.any():
            out[inside] = np.maximum(-np.imag(self._transform(flat[inside])) / math.pi, 0.0)
        return float(out[0]) if scalar else out.reshape(x.shape)

    def cdf(self, x: Any) -> Any:
        """μ((−∞, x]), atoms included."""
        x, scalar = _real(x)
        total = np.zeros(x.shape)
        for band in self._pieces:
            total = total + np.where(x >= band.high, band.mass, np.where(x > band.low, band.share(x), 0.0))
        for place, mass in self.atoms():
            total = total + mass * (x >= place)
        total = np.clip(total, 0.0, 1.0)
        return float(total[()]) if scalar else total

    def ppf(self, q: Any) -> Any:
        """The smallest x with cdf(x) ≥ q, by bisection in the angle. ValueError for q outside [0, 1]."""
        q, scalar = _real(q, "q")
        if np.any((q < 0) | (q > 1)):
            raise ValueError(f"q = {float(q[(q < 0) | (q > 1)][0])!r}; expected probabilities between 0 and 1")
        jumps = [(place, place, None, mass) for place, mass in self.atoms()]
        pieces = sorted([*((b.low, b.high, b, b.mass) for b in self._pieces), *jumps], key=lambda p: (p[0], p[1]))
        out = np.full(q.shape, pieces[-1][1])
        below, done = 0.0, np.zeros(q.shape, dtype=bool)
        for low, _, band, mass in pieces:
            here = ~done & (q <= below + mass)
            done |= here
            if band is None:
                out = np.where(here, low, out)
            elif here.any():
                left, right = np.zeros(q.shape), np.full(q.shape, math.pi)
                for _ in range(54):  # π 2⁻⁵⁴: the spacing of floats
                    θ = (left + right) / 2
                    less = band.in_angle(θ) < q - below
                    left, right = np.where(less, θ, left), np.where(less, right, θ)
                out = np.where(here, band.place((left + right) / 2), out)
            below += mass
        return float(out[()]) if scalar else out

    def rvs(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Array:
        """Independent draws from the law (not eigenvalues of one matrix, which repel): ppf of uniform numbers."""
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng = {rng!r}; expected numpy.random.default_rng(seed)")
        return self.ppf(rng.random(size))

    def support(self) -> tuple[tuple[float, float], ...]:
        """The bands (low, high) of the continuous part, in order; atoms are apart, in `atoms()`."""
        return self._bands

    def atoms(self) -> tuple[tuple[float, float], ...]:
        """(place, mass) of each point mass, in order."""
        return tuple(sorted((float(x), float(w)) for x, w in self.core.atoms()))

    def moment(self, k: int) -> float:
        """∫ xᵏ dμ. ValueError unless k is a whole number ≥ 0."""
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 0:
            raise ValueError(f"k = {k!r}; expected a whole number >= 0")
        return self.expect(lambda x: x**k)

    def expect(self, f: Callable[[Array], Array]) -> float:
        """∫ f dμ for a vectorised smooth f, by the midpoint rule in the angle of each band."""
        total = math.fsum(mass * float(f(np.array([x]))[0]) for x, mass in self.atoms())
        for band in self._pieces:
            N = len(band.series)
            θ = (np.arange(N) + 0.5) * math.pi / N
            x = band.place(θ)
            weights = np.asarray(dct(np.concatenate([band.series[:1], band.series[1:] / 2]), type=3))
            total += float(np.sum(weights * f(x))) * math.pi / N
        return total

    def r_transform(self, g: Any) -> Any:
        """R(g) = x − 1/g at the real x outside the support with G(x) = g; R(0) is the mean. Absolute error ~ 1e-15/|g|.

        ValueError for g beyond G at an outer edge, where G has no inverse on the real line.
        """
        g, scalar = _real(g, "g")
        out = np.array([self._r_transform(float(v)) for v in np.ravel(g)]).reshape(g.shape)
        return float(out[()]) if scalar else out

    def __add__(self, other: Any) -> Law:
        """Free additive convolution with a law; a number shifts."""
        if isinstance(other, int | float):
            if not math.isfinite(other):
                raise ValueError(f"shift = {other!r}; expected a finite number")
            return Law(convolution.shifted(self.core, float(other)))
        return Law(convolution.added(self.core, other.core)) if isinstance(other, Law) else NotImplemented

    __radd__ = __add__

    def __matmul__(self, other: Any) -> Law:
        """Free multiplicative convolution. ValueError unless one of the two lives on [0, ∞)."""
        if not isinstance(other, Law):
            return NotImplemented
        if all(law._lowest() < 0 for law in (self, other)):
            raise ValueError("both laws reach below 0; A^½ B A^½ needs one of them positive")
        return Law(convolution.multiplied(self.core, other.core))

    # --- inside

    def _transform(self, z: Array) -> Array:
        G, _ = transform(self.core, z)
        if np.any(np.isnan(G)):
            raise ArithmeticError(f"no branch found at z = {z[np.isnan(G)][0]!r}; move it off the edge or the atom")
        return G

    @cached_property
    def _bands(self) -> tuple[tuple[float, float], ...]:
        return bands(self.core)

    @cached_property
    def _pieces(self) -> list[Band]:
        pieces = masses(self.support(), self._inside)
        total = math.fsum(band.mass for band in pieces) + sum(mass for _, mass in self.atoms())
        if abs(total - 1) > TOLERANCE:
            raise ArithmeticError(
                f"bands {self.support()} and atoms {self.atoms()} hold {total!r}, not 1: the density is too singular "
                f"for a series of {LONGEST} terms, or an edge is off; pdf and stieltjes do not need the series"
            )
        return pieces

    def _inside(self, x: Array) -> Array:
        return np.maximum(-np.imag(self._transform(x)) / math.pi, 0.0)

    def _off_atoms(self, x: Array, what: str) -> None:
        for place, mass in self.atoms():
            if np.any(x == place):
                raise ValueError(f"{what} was asked for at {place!r}, an atom of mass {mass:.6g}; it has none there")

    def _lowest(self) -> float:
        return min([a for a, _ in self.support()] + [x for x, _ in self.atoms()])

    def _r_transform(self, g: float) -> float:
        if g == 0:
            return self.moment(1)
        ends = [*(v for band in self.support() for v in band), *(x for x, _ in self.atoms())]
        low, high = min(ends), max(ends)
        width = max(high - low, 1e-3 * (1 + abs(high)))
        side, edge = (1, high) if g > 0 else (-1, low)
        near, far = 1e-12 * width, width + 2 / abs(g)

        def excess(d: float) -> float:
            return float(self._transform(np.array([edge + side * d]))[0].real) - g

        if excess(near) * side < 0:
            raise ValueError(
                f"g = {g!r} is beyond G at the edge {edge!r}, {excess(near) + g:.6g}: no real inverse there"
            )
        for _ in range(200):
            middle = math.sqrt(near * far)
            near, far = (middle, far) if excess(middle) * side > 0 else (near, middle)
            if far - near <= 4e-16 * far:
                break
        return edge + side * (near + far) / 2 - 1 / g


def _real(x: Any, name: str = "x") -> tuple[Array, bool]:
    x = np.asarray(x, dtype=float)
    if not np.all(np.isfinite(x)):
        raise ValueError(f"{name} has entries that are NaN or infinite; expected finite numbers")
    return x, x.ndim == 0
