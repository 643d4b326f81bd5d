r"""Any function as an activation: Gaussian expectations by graded composite Gauss–Legendre rules.

With u = √q₁ z and v = √q₂ (c z + s w), c = cos θ, s = sin θ, z and w independent standard normal, the integral over
[−9, 9]² leaves out a mass of 4e-19. Panels meet at the places where φ changes fast (`breaks`: kinks, steps, and 0
unless told otherwise) and grow geometrically away from them, in units of φ's argument: their number is of order
log √q, where Gauss–Hermite needs order q nodes for the same accuracy. Two rules of different order are compared;
where they disagree, an ArithmeticError says by how much. Host only: the function is called on NumPy arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corollary.arrays import Array, array_namespace, device, to_numpy
from corollary.theory.ntk.moments import Moments, checked_covariance, real_number

_REACH = 9.0
_ORDERS = (10, 14)
_CHUNK = 2**21  # nodes evaluated at a time


@dataclass(frozen=True)
class Function:
    """φ = `value`, with φ' = `derivative`: elementwise functions of a NumPy float64 array.

    breaks: arguments where φ or φ' jumps or changes fast. tolerance: error allowed in E[φφ] and E[φ'φ'], relative to
    √(E[φ(u)²] E[φ(v)²]) (of φ' alike). Raises TypeError (not callable) or ValueError (tolerance, breaks).
    """

    value: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]
    breaks: tuple[float, ...] = (0.0,)
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        for name in ("value", "derivative"):
            if not callable(getattr(self, name)):
                raise TypeError(f"{name} is {getattr(self, name)!r}; expected an elementwise function of an array")
        real_number("tolerance", self.tolerance, positive=True)
        if not self.breaks:
            raise ValueError("breaks is empty; expected at least one point of interest, e.g. (0.0,)")
        for b in self.breaks:
            real_number("a break", b)

    def dual(self, q1: Array, q2: Array, k: Array) -> tuple[Array, Array]:
        """(E[φ(u)φ(v)], E[φ'(u)φ'(v)]), elementwise. Raises TypeError or ValueError if q1, q2, k are not the entries
        of covariance matrices, ArithmeticError where `tolerance` is not met."""
        xp = checked_covariance(q1, q2, k)
        s = xp.sqrt(q1) * xp.sqrt(q2)
        moments, slope = self.step(q1, q2, Moments(k, xp.clip(s - k, 0.0, None), xp.clip(s + k, 0.0, None)))
        return moments.k, slope

    def variance(self, q: Array) -> tuple[Array, Array]:
        """(E[φ(u)²], E[φ'(u)²]) for u ~ N(0, q); raises ArithmeticError where `tolerance` is not met."""
        flat = np.asarray(to_numpy(q), dtype=float).reshape(-1)
        E, slope = self._pairs(flat, flat, np.ones_like(flat), np.zeros_like(flat))
        return _back(E, q), _back(slope, q)

    def step(self, q1: Array, q2: Array, pair: Moments) -> tuple[Moments, Array]:
        """The moments of (φ(u), φ(v)), gaps by subtraction, and E[φ'φ']; raises ArithmeticError as `dual`."""
        xp = array_namespace(pair.k)
        like = pair.k + 0 * (q1 + q2)
        a, b, near, far = (np.broadcast_to(to_numpy(t), like.shape).reshape(-1) * 1.0 for t in (q1, q2, *pair[1:]))
        total = np.where(near + far > 0, near + far, 1.0)
        E, slope = self._pairs(a, b, (far - near) / total, 2 * np.sqrt(near) * np.sqrt(far) / total)
        E, slope = _back(E, like), _back(slope, like)
        size = xp.sqrt(self.variance(q1)[0]) * xp.sqrt(self.variance(q2)[0])
        twin = (pair.near == 0) & (q1 == q2)
        return Moments(E, xp.where(twin, 0.0, xp.clip(size - E, 0.0, None)), xp.clip(size + E, 0.0, None)), slope

    def _pairs(self, q1: np.ndarray, q2: np.ndarray, c: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both expectations for m pairs, after comparing two rules."""
        panels = max(_edges(np.max(np.sqrt(q)), self.breaks) for q in (q1, q2))
        rows = max(1, _CHUNK // (2 * (panels * max(_ORDERS)) ** 2))
        found = [np.empty_like(q1), np.empty_like(q1)]
        for start in range(0, q1.size, rows):
            part = slice(start, start + rows)
            coarse, fine = (self._rule(order, q1[part], q2[part], c[part], s[part]) for order in _ORDERS)
            for target, low, high, scale in zip(found, coarse[:2], fine[:2], fine[2:], strict=True):
                target[part] = high
                error = np.abs(low - high)
                if not np.all(error <= self.tolerance * scale):
                    i = int(np.argmax(np.where(np.isfinite(error), error - self.tolerance * scale, np.inf)))
                    raise ArithmeticError(
                        f"two rules for the expectation differ by {error[i]:.2g} where {self.tolerance * scale[i]:.2g} "
                        f"was asked, at variances {q1[part][i]:.3g}, {q2[part][i]:.3g}; name the kinks and steep "
                        "places of the function in breaks, or raise tolerance"
                    )
        return found[0], found[1]

    def _rule(self, order: int, q1: np.ndarray, q2: np.ndarray, c: np.ndarray, s: np.ndarray) -> list[np.ndarray]:
        """E[φφ], E[φ'φ'] and their scales √(E[φ²]E[φ²]) for m pairs: outer nodes z (m, A), inner ones w (m, A, B)."""
        a, b = np.sqrt(q1)[:, None], np.sqrt(q2)[:, None]
        c, s = c[:, None], s[:, None]
        # as a function of z, the inner mean changes where c z meets a break of φ(√q₂ ·), over a width s at least
        tilt = np.where(np.abs(c) > 1e-3, c, 1e-3)
        places = [(_places(self.breaks, a), _widths(a)), (_places(self.breaks, b * tilt), _widths(b * np.abs(tilt)))]
        smear = [(places[1][0], np.maximum(s / np.abs(tilt), 1e-16))]
        z, wz = _nodes(_panels([*places, *smear]), order)
        if not np.any(s):
            return self._sums(a * z, (b * c * z)[:, :, None], wz, np.ones((*z.shape, 1)))
        bs = np.maximum(b * s, 1e-150)
        target = np.stack(np.broadcast_arrays(*[(t - b * c * z) / bs for t in self.breaks]), axis=-1)
        w, ww = _nodes(_panels([(target, np.broadcast_to(_widths(bs)[:, :, None], (*z.shape, 1)))]), order)
        return self._sums(a * z, b[:, :, None] * (c[:, :, None] * z[:, :, None] + s[:, :, None] * w), wz, ww)

    def _sums(self, u: np.ndarray, v: np.ndarray, wz: np.ndarray, ww: np.ndarray) -> list[np.ndarray]:
        out, scales = [], []
        for f in (self.value, self.derivative):
            left, right = f(u), f(v)
            inner = np.sum(ww * right, axis=2)
            out.append(np.sum(wz * left * inner, axis=1))
            square = np.sum(wz * np.sum(ww * right * right, axis=2), axis=1)
            scales.append(np.sqrt(np.sum(wz * left * left, axis=1)) * np.sqrt(square))
        return [*out, *scales]


def _back(x: np.ndarray, like: Array) -> Array:
    xp = array_namespace(like)
    return xp.reshape(xp.asarray(x, dtype=like.dtype, device=device(like)), like.shape)


def _edges(root: float, breaks: tuple[float, ...]) -> int:
    return 12 + 6 * len(breaks) * max(1, math.ceil(math.log2(1 + 2 * _REACH * root)))


def _places(breaks: tuple[float, ...], scale: np.ndarray) -> np.ndarray:
    return np.stack([t / np.where(scale == 0, 1e-150, scale) for t in breaks], axis=-1)[:, 0, :]


def _widths(scale: np.ndarray) -> np.ndarray:
    return 1 / np.maximum(scale, 1 / _REACH)


def _panels(groups: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Sorted edges in [−9, 9] along the last axis: every 1.5, and geometrically around each (place, width)."""
    lead = groups[0][0].shape[:-1]
    parts = [np.broadcast_to(np.linspace(-_REACH, _REACH, 13), (*lead, 13))]
    for place, width in groups:
        levels = max(0, math.ceil(math.log2(_REACH / max(float(np.min(width)), 1e-16)))) + 1
        reach = np.concatenate([[0.0], 0.5 * 2.0 ** np.arange(min(levels, 56) + 1)])
        for sign in (1.0, -1.0):
            spread = place[..., None] + sign * reach * np.broadcast_to(width, place.shape)[..., None]
            parts.append(np.clip(spread, -_REACH, _REACH).reshape(*lead, -1))
    return np.sort(np.concatenate(parts, axis=-1), axis=-1)


def _nodes(edges: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (normal density included) of the composite rule, along the last axis."""
    x, w = np.polynomial.legendre.leggauss(order)
    middle, half = (edges[..., 1:] + edges[..., :-1]) / 2, (edges[..., 1:] - edges[..., :-1]) / 2
    z = middle[..., None] + half[..., None] * x
    weight = half[..., None] * w * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return z.reshape(*edges.shape[:-1], -1), weight.reshape(*edges.shape[:-1], -1)
