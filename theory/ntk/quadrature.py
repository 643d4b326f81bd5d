r"""Any function as an activation: Gaussian expectations by graded composite Gauss–Legendre rules.

With u = √q₁ z and v = √q₂ (c z + s w), c = cos θ, s = sin θ, z and w independent standard normal, the integral runs
over [−R, R]². R = 9 leaves out a mass of 4e-19, but e^x at variance 25 has its second moment around z = 10 and x⁴⁰ at z
= 9: R is the first of 9, 12, 16, 22, 30 outside which φ(√q z)² and φ'(√q z)² have less than a thousandth of the
tolerance, summed to z = 37.5, beyond which the normal density leaves the range of a float. Panels meet at the places
where φ changes fast (`breaks`: kinks, steps, and 0 unless told otherwise) and grow geometrically away from them, in
units of φ's argument: their number is of order log √q, where Gauss–Hermite needs order q nodes for the same accuracy.
Two rules of different order *and cut* (R and 6R/5) are compared; where they disagree, an ArithmeticError says by how
much. Host only: the function is called on NumPy arrays, of float64 whatever the dtype of the moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corollary.arrays import Array, array_namespace, device, require_floating, to_numpy
from corollary.theory.ntk.moments import Moments, checked_covariance, real_number

_REACHES = (9.0, 12.0, 16.0, 22.0, 30.0)
_FARTHEST = 37.5
_RULES = ((10, 1.0), (14, 1.2))  # order, and cut over R
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
        """(E[φ(u)²], E[φ'(u)²]) for u ~ N(0, q). Raises TypeError or ValueError (q), ArithmeticError (`tolerance`)."""
        require_floating("q", q)
        E, slope = self._squares(to_numpy(q).astype(np.float64).reshape(-1))
        return _back(E, q), _back(slope, q)

    def _squares(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._pairs(q, q, np.ones_like(q), np.zeros_like(q))

    def step(self, q1: Array, q2: Array, pair: Moments) -> tuple[Moments, Array]:
        """The moments of (φ(u), φ(v)), gaps by subtraction, and E[φ'φ']; raises ArithmeticError as `dual`."""
        like = pair.k + 0 * (q1 + q2)
        hosts = [to_numpy(t).astype(np.float64) for t in (q1, q2, *pair[1:])]
        a, b, near, far = (np.broadcast_to(t, like.shape).reshape(-1) for t in hosts)
        total = np.where(near + far > 0, near + far, 1.0)
        E, slope = self._pairs(a, b, (far - near) / total, 2 * np.sqrt(near) * np.sqrt(far) / total)
        roots = [np.sqrt(self._squares(t.reshape(-1))[0]).reshape(t.shape) for t in hosts[:2]]
        size = np.broadcast_to(roots[0] * roots[1], like.shape).reshape(-1)
        gaps = np.where((near == 0) & (a == b), 0.0, np.maximum(size - E, 0.0)), np.maximum(size + E, 0.0)
        return Moments(_back(E, like), *(_back(g, like) for g in gaps)), _back(slope, like)

    def _reach(self, q: np.ndarray) -> float:
        """R for the variances q (m,). Raises ArithmeticError if a second moment lies beyond the last of the list."""
        q = np.unique(q)
        root = np.sqrt(q)[:, None]
        z, w = _nodes(_panels([(_places(self.breaks, root), _widths(root))], _FARTHEST), 14)
        needed = 0
        for name, f in (("φ", self.value), ("φ'", self.derivative)):
            with np.errstate(over="ignore", invalid="ignore"):
                mass = (f(root * z) * np.sqrt(w)) ** 2  # the square of f alone may leave the range
            whole = np.sum(mass, axis=1)
            for number, reach in enumerate(_REACHES):
                left_out = np.sum(np.where(np.abs(z) > reach, mass, 0.0), axis=1)
                good = left_out <= 1e-3 * self.tolerance * whole
                if np.all(good):
                    needed = max(needed, number)
                    break
            else:
                raise ArithmeticError(
                    f"at variance {q[np.argmin(good)]:.3g} the second moment of {name} lies beyond {reach:g} standard "
                    "deviations, or is no number: it grows too fast; scale W_std or the inputs down"
                )
        return _REACHES[needed]

    def _pairs(self, q1: np.ndarray, q2: np.ndarray, c: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both expectations for m pairs, after comparing two rules."""
        reach = self._reach(np.concatenate([q1, q2]))
        panels = max(_edges(np.max(np.sqrt(q)), self.breaks, reach) for q in (q1, q2))
        rows = max(1, _CHUNK // (2 * (panels * _RULES[-1][0]) ** 2))
        found = [np.empty_like(q1), np.empty_like(q1)]
        for start in range(0, q1.size, rows):
            part = slice(start, start + rows)
            moments = q1[part], q2[part], c[part], s[part]
            coarse, fine = (self._rule(order, cut * reach, *moments) for order, cut in _RULES)
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

    def _rule(
        self, order: int, reach: float, q1: np.ndarray, q2: np.ndarray, c: np.ndarray, s: np.ndarray
    ) -> list[np.ndarray]:
        """E[φφ], E[φ'φ'] and their scales √(E[φ²]E[φ²]) for m pairs: outer nodes z (m, A), inner ones w (m, A, B)."""
        a, b = np.sqrt(q1)[:, None], np.sqrt(q2)[:, None]
        c, s = c[:, None], s[:, None]
        # as a function of z, the inner mean changes where c z meets a break of φ(√q₂ ·), over a width s at least
        tilt = np.where(np.abs(c) > 1e-3, c, 1e-3)
        places = [(_places(self.breaks, a), _widths(a)), (_places(self.breaks, b * tilt), _widths(b * np.abs(tilt)))]
        smear = [(places[1][0], np.maximum(s / np.abs(tilt), 1e-16))]
        z, wz = _nodes(_panels([*places, *smear], reach), order)
        if not np.any(s):
            return self._sums(a * z, (b * c * z)[:, :, None], wz, np.ones((*z.shape, 1)))
        bs = np.maximum(b * s, 1e-150)
        target = np.stack(np.broadcast_arrays(*[(t - b * c * z) / bs for t in self.breaks]), axis=-1)
        inner = [(target, np.broadcast_to(_widths(bs)[:, :, None], (*z.shape, 1)))]
        w, ww = _nodes(_panels(inner, reach), order)
        return self._sums(a * z, b[:, :, None] * (c[:, :, None] * z[:, :, None] + s[:, :, None] * w), wz, ww)

    def _sums(self, u: np.ndarray, v: np.ndarray, wz: np.ndarray, ww: np.ndarray) -> list[np.ndarray]:
        out, scales = [], []
        for f in (self.value, self.derivative):
            left, right = f(u), f(v)
            inner = np.sum(ww * right, axis=2)
            out.append(np.sum(wz * left * inner, axis=1))
            # a value times the root of its weight: the square of a value alone may leave the range of a float
            square = np.sum(np.sum((right * np.sqrt(ww) * np.sqrt(wz)[:, :, None]) ** 2, axis=2), axis=1)
            scales.append(np.sqrt(np.sum((left * np.sqrt(wz)) ** 2, axis=1)) * np.sqrt(square))
        return [*out, *scales]


def _back(x: np.ndarray, like: Array) -> Array:
    xp = array_namespace(like)
    return xp.reshape(xp.asarray(x, dtype=like.dtype, device=device(like)), like.shape)


def _edges(root: float, breaks: tuple[float, ...], reach: float) -> int:
    return math.ceil(4 * reach / 3) + 6 * len(breaks) * max(1, math.ceil(math.log2(1 + 2 * reach * root)))


def _places(breaks: tuple[float, ...], scale: np.ndarray) -> np.ndarray:
    return np.stack([t / np.where(scale == 0, 1e-150, scale) for t in breaks], axis=-1)[:, 0, :]


def _widths(scale: np.ndarray) -> np.ndarray:
    return 1 / np.maximum(scale, 1 / _REACHES[0])


def _panels(groups: list[tuple[np.ndarray, np.ndarray]], reach: float) -> np.ndarray:
    """Sorted edges in [−R, R] along the last axis: every 1.5, and geometrically around each (place, width)."""
    lead = groups[0][0].shape[:-1]
    even = np.linspace(-reach, reach, 1 + math.ceil(2 * reach / 1.5))
    parts = [np.broadcast_to(even, (*lead, even.size))]
    for place, width in groups:
        levels = max(0, math.ceil(math.log2(reach / max(float(np.min(width)), 1e-16)))) + 1
        away = np.concatenate([[0.0], 0.5 * 2.0 ** np.arange(min(levels, 56) + 1)])
        for sign in (1.0, -1.0):
            spread = place[..., None] + sign * away * np.broadcast_to(width, place.shape)[..., None]
            parts.append(np.clip(spread, -reach, reach).reshape(*lead, -1))
    return np.sort(np.concatenate(parts, axis=-1), axis=-1)


def _nodes(edges: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (normal density included) of the composite rule, along the last axis."""
    x, w = np.polynomial.legendre.leggauss(order)
    middle, half = (edges[..., 1:] + edges[..., :-1]) / 2, (edges[..., 1:] - edges[..., :-1]) / 2
    z = middle[..., None] + half[..., None] * x
    weight = half[..., None] * w * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return z.reshape(*edges.shape[:-1], -1), weight.reshape(*edges.shape[:-1], -1)
