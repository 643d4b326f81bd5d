"""Polynomials in independent random variables with exact rational coefficients, and their expectations.

By independence the expectation of a monomial is a product of one-dimensional moments; correlated Gaussians are written
as rational combinations of independent ones. This is Isserlis' (Wick's) theorem done by brute force: no formula of
`theory/icl` enters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

Moments = Callable[[int], Fraction]


def gaussian(k: int) -> Fraction:
    """E z^k, z ~ N(0, 1): (k − 1)!! for even k."""
    return Fraction(0) if k % 2 else reduce(lambda p, j: p * j, range(1, k, 2), Fraction(1))


def uniform(k: int) -> Fraction:
    """E z^k, z ~ U(−1, 1)."""
    return Fraction(0) if k % 2 else Fraction(1, k + 1)


class Poly:
    """Σ coefficient · monomial; a monomial is a sorted tuple of (variable, exponent)."""

    __slots__ = ("terms",)

    def __init__(self, terms: dict[tuple, Fraction]):
        self.terms = terms

    @staticmethod
    def variable(name: Any) -> Poly:
        return Poly({((name, 1),): Fraction(1)})

    @staticmethod
    def of(value: Any) -> Poly:
        return value if isinstance(value, Poly) else Poly({(): Fraction(value)} if value else {})

    def __add__(self, other: Any) -> Poly:
        out = dict(self.terms)
        for monomial, c in Poly.of(other).terms.items():
            out[monomial] = out.get(monomial, Fraction(0)) + c
        return Poly({m: c for m, c in out.items() if c})

    __radd__ = __add__

    def __neg__(self) -> Poly:
        return Poly({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: Any) -> Poly:
        return self + (-Poly.of(other))

    def __rsub__(self, other: Any) -> Poly:
        return Poly.of(other) - self

    def __mul__(self, other: Any) -> Poly:
        out: dict[tuple, Fraction] = {}
        for m1, c1 in self.terms.items():
            for m2, c2 in Poly.of(other).terms.items():
                m = _join(m1, m2)
                out[m] = out.get(m, Fraction(0)) + c1 * c2
        return Poly({m: c for m, c in out.items() if c})

    __rmul__ = __mul__

    def __pow__(self, k: int) -> Poly:
        return reduce(lambda p, _: p * self, range(k), Poly.of(1))

    def mean(self, moments: Callable[[Any], Moments]) -> Fraction:
        """E, where `moments(variable)` gives the moments of one variable."""
        total = Fraction(0)
        for monomial, c in self.terms.items():
            for name, k in monomial:
                c = c * moments(name)(k)
                if not c:
                    break
            total += c
        return total


def _join(m1: tuple, m2: tuple) -> tuple:
    if not m1 or not m2:
        return m1 or m2
    exponents = dict(m1)
    for name, k in m2:
        exponents[name] = exponents.get(name, 0) + k
    return tuple(sorted(exponents.items()))


def dot(p: Sequence[Any], q: Sequence[Any]) -> Any:
    """Σ p_i q_i."""
    return reduce(lambda a, b: a + b, (a * b for a, b in zip(p, q, strict=True)), Poly.of(0))


def vector(kind: str, matrix: Sequence[Sequence[Fraction]], index: int = 0) -> list[Poly]:
    """matrix · z, z the independent variables (kind, index, 0…)."""
    z = [Poly.variable((kind, index, a)) for a in range(len(matrix[0]))]
    return [dot([Fraction(c) for c in row], z) for row in matrix]


class Prompt:
    """X, y, w, x_q of a random prompt as polynomials: x = L z, w = M v, y = X w + s ε."""

    def __init__(self, N: int, L: Any, M: Any, s: Fraction, inputs: Moments = gaussian):
        self.N, self.d, self.inputs = N, len(L), inputs
        self.X = [vector("x", L, i) for i in range(N)]
        self.xq = vector("x", L, N)
        self.w = vector("w", M)
        self.y = [dot(x, self.w) + s * Poly.variable(("e", i, 0)) for i, x in enumerate(self.X)]
        self.g = [dot([x[a] for x in self.X], self.y) * Fraction(1, N) for a in range(self.d)]
        self.G = [[dot([x[a] for x in self.X], [x[b] for x in self.X]) * Fraction(1, N) for b in range(self.d)]
                  for a in range(self.d)]  # fmt: skip
        self.energy = dot(self.y, self.y) * Fraction(1, N)
        self.label = dot(self.xq, self.w)

    def mean(self, p: Poly) -> Fraction:
        return p.mean(lambda name: self.inputs if name[0] == "x" else gaussian)


def rational(rng: np.random.Generator, *shape: int) -> Any:
    """Nested lists of multiples of 1/4 in [−1, 1], as fractions: exact in floating point too."""
    numbers = rng.integers(-4, 5, shape)
    return _nest(numbers)


def triangular(rng: np.random.Generator, d: int) -> list[list[Fraction]]:
    """A lower triangular matrix with diagonal in [3/4, 3/2]: L Lᵀ is well conditioned."""
    rows = rational(rng, d, d)
    return [
        [rows[i][j] if j < i else Fraction(int(rng.integers(3, 7)), 4) if i == j else Fraction(0) for j in range(d)]
        for i in range(d)
    ]


def product(A: Any, B: Any) -> list[list[Fraction]]:
    """A · Bᵀ of nested lists."""
    return [[sum((a * b for a, b in zip(r, c, strict=True)), Fraction(0)) for c in B] for r in A]


def floats(nested: Any) -> np.ndarray:
    """The same numbers as a float array (exact: they are short binary fractions)."""
    return np.array(nested, dtype=float)


def _nest(numbers: Any) -> Any:
    return [_nest(n) for n in numbers] if numbers.ndim else Fraction(int(numbers), 4)
