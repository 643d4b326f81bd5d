"""G and G′ of any law, on and above the real line.

Curves of low degree by their companion matrices (`curves`). Everything else by subordination, solved by Newton's method
while z descends to the axis: one function ω, z = z(ω, G_A(ω)), where a law is convolved with a free Lévy or a
Marchenko–Pastur law; a pair of functions otherwise (Belinschi & Bercovici 2007),

    sum      G_A(ω₁) = G_B(ω₂) = g,    z = ω₁ + ω₂ − 1/g
    product  ψ_A(ω₁) = ψ_B(ω₂) = ψ,    z = ω₁ ω₂ ψ/(1 + ψ)      ψ(ω) = ω G(ω) − 1
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from corollary.arrays import Array
from corollary.theory.spectra.convolution import Pair
from corollary.theory.spectra.curves import Activation, Atoms, Levy, physical

DEGREE = 8  # of curves over other curves: their polynomials lose a digit or so a degree; one over atoms may have more
ATOMS = 20
LOWEST = 1e-12  # of the size of z: from there Newton's method reaches the axis


def algebraic(core: Any) -> bool:
    """Whether the companion matrix is used."""
    if isinstance(core, Atoms | Activation):
        return True
    if isinstance(core, Pair):
        return False
    if isinstance(core.base, Atoms):
        return len(core.base.x) <= ATOMS
    return algebraic(core.base) and len(core.polynomials().zn) - 1 <= DEGREE


def transform(core: Any, z: Array) -> tuple[Array, Array]:
    """G, G′ (M,) at z (M,): complex above the axis, or real (the limit from above). NaN where no branch was found."""
    if z.size == 0:
        return z, z
    if isinstance(core, Atoms):
        with np.errstate(all="ignore"):  # at an atom the transform is infinite
            p = core.at(z)
        return p.G, p.dG
    if algebraic(core):
        lost = ~np.isfinite(z)  # a step of Newton's method that went to infinity: stays lost, and says so
        with np.errstate(all="ignore"):
            p = core.at(np.where(lost, np.nan, physical(core, np.where(lost, 1.0, z))))
            return p.G, p.dG / p.dz
    return _pair(core, z) if isinstance(core, Pair) else _single(core, z)


def outer(core: Any, w: Any, G: Any, dG: Any) -> tuple[Any, Any, Any, Any]:
    """z, dz/dw, G, dG/dw of a Lévy or Poisson core at a point w of its base, where the base has G and dG."""
    if isinstance(core, Levy):
        z, dz = w + core.shift + core.variance * G, 1 + core.variance * dG
        for t, rate in core.jumps:
            z, dz = z + rate * t / (1 - t * G), dz + rate * (t / (1 - t * G)) ** 2 * dG
        return z, dz, G, dG
    c, s = core.ratio, core.scale
    t, dt = w * G, G + w * dG
    z, dz = s * w * (1 - c + c * t), s * (1 - c + c * t + w * c * dt)
    return z, dz, t / z, dt / z - t * dz / z**2


def _single(core: Any, z: Array) -> tuple[Array, Array]:
    def newton(w: Array, target: Array) -> tuple[Array, Array]:
        at, slope, _, _ = outer(core, w[0], *transform(core.base, w[0]))
        return ((at - target) / slope)[None], at - target

    scale = 1.0 if isinstance(core, Levy) else core.scale
    w = _descend(newton, lambda far: (far / scale)[None], z, size=1 + np.abs(z))
    with np.errstate(all="ignore"):
        _, dz, G, dG = outer(core, w[0], *transform(core.base, w[0]))
        return G, dG / dz


def _pair(core: Pair, z: Array) -> tuple[Array, Array]:
    def joined(w: Array) -> tuple[Array, ...]:
        """Per side f with f₁ = f₂ and its slope, and z with its slopes."""
        sides = [transform(c, x) for c, x in zip((core.left, core.right), w, strict=True)]
        (g1, d1), (g2, d2) = sides
        if not core.product:
            f1, f2, e1, e2 = 1 / g1, 1 / g2, -d1 / g1**2, -d2 / g2**2
            return f1, f2, e1, e2, w[0] + w[1] - f1, 1 - e1, np.ones_like(g1)
        f1, f2 = 1 / (w[0] * g1 - 1), 1 / (w[1] * g2 - 1)
        e1, e2 = -(g1 + w[0] * d1) * f1**2, -(g2 + w[1] * d2) * f2**2
        at = w[0] * w[1] / (1 + f1)  # ψ/(1 + ψ) = 1/(1 + 1/ψ)
        return f1, f2, e1, e2, at, at / w[0] - at * e1 / (1 + f1), at / w[1]

    def newton(w: Array, target: Array) -> tuple[Array, Array]:
        f1, f2, e1, e2, at, a1, a2 = joined(w)
        r1, r2 = f1 - f2, at - target
        det = e1 * a2 + e2 * a1
        return np.stack([(r1 * a2 + e2 * r2) / det, (e1 * r2 - a1 * r1) / det]), np.abs(r1) + np.abs(r2)

    means = [_mean(core.left), _mean(core.right)]

    def start(far: Array) -> Array:
        if core.product:
            return np.stack([far / means[1], far / means[0]])
        return np.stack([far - means[1], far - means[0]])

    w = _descend(newton, start, z, size=1 + np.abs(z))
    with np.errstate(all="ignore"):
        f1, _, e1, e2, at, a1, a2 = joined(w)
        # along the curve f₁ = f₂ = f: dω_i/df = 1/e_i
        dz = a1 / e1 + a2 / e2
        if not core.product:
            return 1 / f1, -1 / f1**2 / dz
        ψ = 1 / f1
        return (1 + ψ) / at, -(ψ**2) / dz / at - (1 + ψ) / at**2


def _descend(
    newton: Callable[[Array, Array], tuple[Array, Array]],
    start: Callable[[Array], Array],
    z: Array,
    size: Array,
    factor: float = 0.25,
) -> Array:
    """Follow ω (1 or 2, M) from far above to z; steps that would leave the upper half plane are shortened.

    Im z falls by `factor` at a time; what gets lost is followed again in smaller steps, down to a factor of 0.7.
    """
    z = np.asarray(z, dtype=complex)
    steps = 1 + math.ceil(math.log(LOWEST / 10) / math.log(factor))
    heights = 10 * np.max(size) * factor ** np.arange(steps)
    w = start(np.real(z) + 1j * np.maximum(np.imag(z), heights[0]))
    with np.errstate(all="ignore"):
        for k, height in enumerate([*heights, 0.0]):
            target = np.real(z) + 1j * np.maximum(np.imag(z), height)
            for _ in range(12 if k in (0, steps) else 6):
                step, miss = newton(w, target)
                if np.all((np.abs(miss) < 1e-14 * size) | np.isnan(miss)):
                    break
                # at most 0.9 of the way to the axis, but on the axis itself for the last target
                room = np.min(np.where(np.imag(step) > 0, np.imag(w) / np.imag(step), np.inf), axis=0)
                w = w - step * np.minimum(1.0, 0.9 * room)
            if np.all(np.imag(z) >= height) and k:
                break
        miss = newton(w, z)[1]
    lost = ~(np.abs(miss) < 1e-7 * size)
    w = np.where(lost, np.nan, w)
    if np.any(lost) and factor < 0.7:
        w[:, lost] = _descend(newton, start, z[lost], size[lost], math.sqrt(factor))
    return w


def _mean(core: Any) -> float:
    """ω G(ω) − 1 ~ mean/ω far out: two heights extrapolated; only the start of a continuation."""
    far = np.array([1e4j, 2e4j]) * (1 + max([0.0, *(abs(x) for x, _ in core.atoms())]))
    G, _ = transform(core, far)
    return float(((far * G - 1) * far).real[1])
