"""Optimal sets in fractions, on data whose cells are orthants: nothing of the code that is checked.

Rows a_j e_j and −b_j e_j for every axis j: the cells are the orthants o ∈ {±1}^d, and XᵀD_oν has the component
a_j ν_j⁺ on the axes with o_j = 1, −b_j ν_j⁻ on the others. With a_j ν_j⁺ = b_j ν_j⁻ = γ_j and Σ γ_j² = β² every orthant is
in use, and the optimal set is a polytope of transports. All numbers are dyadic: floats are the fractions themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import isqrt
from typing import NamedTuple

import numpy as np

Vector = list[Fraction]

# whole numbers whose squares add up to a square
LENGTHS = [(3, 4), (4, 3), (5, 12), (8, 15), (1, 2, 2), (2, 3, 6), (4, 4, 7), (2, 6, 9), (6, 2, 3), (1, 4, 8)]


def solve_exactly(columns: Sequence[Vector], target: Vector) -> Vector | None:
    """The unique x with Σ x_i columns_i = target; None where there is none or more than one."""
    rows = [[c[i] for c in columns] + [target[i]] for i in range(len(target))]
    width = len(columns)
    for k in range(width):
        at = next((i for i in range(k, len(rows)) if rows[i][k] != 0), None)
        if at is None:
            return None
        rows[k], rows[at] = rows[at], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(len(rows)):
            if i != k and rows[i][k] != 0:
                rows[i] = [v - rows[i][k] * w for v, w in zip(rows[i], rows[k], strict=True)]
    return [rows[k][width] for k in range(width)] if all(r[width] == 0 for r in rows[width:]) else None


def rank_of(columns: Sequence[Vector]) -> int:
    left, rank = [list(c) for c in columns], 0
    while left:
        pivot = left.pop()
        at = next((i for i, v in enumerate(pivot) if v != 0), None)
        if at is not None:
            rank += 1
            left = [[v - c[at] / pivot[at] * w for v, w in zip(c, pivot, strict=True)] for c in left]
    return rank


class Orthants(NamedTuple):
    """Data a, b (d,), multipliers ν⁺, ν⁻ (d,), β, sign of the neurons, and k = α/β ≥ 0 of one optimum, by orthant."""

    a: Vector
    b: Vector
    up: Vector
    down: Vector
    beta: Fraction
    sign: int
    k: dict[tuple[int, ...], Fraction]

    def correlation(self, o: tuple[int, ...]) -> Vector:
        """sign · XᵀD_oν."""
        parts = zip(o, self.a, self.b, self.up, self.down, strict=True)
        return [self.sign * (a * p if s > 0 else -b * m) for s, a, b, p, m in parts]

    def projection(self, o: tuple[int, ...], sign: int) -> Vector:
        """Proj of ±XᵀD_oν onto the orthant o."""
        c = [sign * self.sign * v for v in self.correlation(o)]
        return [v if v * s > 0 else Fraction(0) for v, s in zip(c, o, strict=True)]

    def column(self, o: tuple[int, ...]) -> Vector:
        """β times the column of Z: sign · (X q)_+ for q = Proj of the correlation, rows a_j e_j first."""
        q = self.projection(o, self.sign)
        up = [a * max(v, Fraction(0)) for a, v in zip(self.a, q, strict=True)]
        down = [b * max(-v, Fraction(0)) for b, v in zip(self.b, q, strict=True)]
        return [self.sign * v for v in up + down]

    @property
    def orthants(self) -> list[tuple[int, ...]]:
        return list(itertools.product((1, -1), repeat=len(self.a)))

    @property
    def active(self) -> list[tuple[int, ...]]:
        """Orthants with ‖q‖ = β; one of those that give the same neuron."""
        seen: dict[tuple[Fraction, ...], tuple[int, ...]] = {}
        for o in self.orthants:
            q = self.projection(o, self.sign)
            if sum(v * v for v in q) == self.beta**2:
                seen.setdefault(tuple(q), o)
        return list(seen.values())

    @property
    def nu(self) -> Vector:
        return self.up + self.down

    @property
    def fit(self) -> Vector:
        total = [Fraction(0)] * (2 * len(self.a))
        for o, k in self.k.items():
            total = [t + k * v for t, v in zip(total, self.column(o), strict=True)]
        return total

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        X = np.concatenate([np.diag([float(v) for v in self.a]), -np.diag([float(v) for v in self.b])])
        return X, np.array([float(n + f) for n, f in zip(self.nu, self.fit, strict=True)])

    def vertices(self) -> list[dict[tuple[int, ...], Fraction]]:
        """All k ≥ 0 with Σ k column = fit and independent columns, from every choice of columns."""
        found: list[dict[tuple[int, ...], Fraction]] = []
        columns, fit = {o: self.column(o) for o in self.active}, self.fit
        for size in range(1, rank_of(list(columns.values())) + 1):
            for chosen in itertools.combinations(columns, size):
                k = solve_exactly([columns[o] for o in chosen], fit)
                if k is not None and min(k) > 0:
                    found.append(dict(zip(chosen, k, strict=True)))
        return found


@cache
def instances() -> list[Orthants]:
    """24: of every third, one axis has a smaller ν⁻; of every third, one has ν⁻ of the other sign and the same size."""
    rng = np.random.default_rng(31)
    found: list[Orthants] = []
    while len(found) < 24:
        lengths = LENGTHS[len(found) % len(LENGTHS)]
        scale = Fraction(int(rng.integers(1, 5)), 4)
        gamma, d = [scale * v for v in lengths], len(lengths)
        a, b = ([Fraction(2) ** int(k) for k in rng.integers(-1, 2, d)] for _ in range(2))
        sign = int(rng.choice((-1, 1)))
        up, down = ([sign * g / v for g, v in zip(gamma, row, strict=True)] for row in (a, b))
        if len(found) % 3:
            down[-1] *= Fraction(1, 2) if len(found) % 3 == 1 else -1
        drawn = Orthants(a, b, up, down, scale * isqrt(sum(v * v for v in lengths)), sign, {})
        found.append(drawn._replace(k={o: Fraction(int(rng.integers(1, 9)), 4) for o in drawn.active}))
    return found


@cache
def solved_instances() -> list[tuple[Orthants, list[dict[tuple[int, ...], Fraction]]]]:
    """With all vertices of each."""
    return [(p, p.vertices()) for p in instances()]


def dual_value(p: Orthants) -> Fraction:
    return sum((n * (n + f) - n * n / 2 for n, f in zip(p.nu, p.fit, strict=True)), Fraction(0))


def primal_value(p: Orthants, k: dict[tuple[int, ...], Fraction]) -> Fraction:
    """½‖Z α − y‖² + β Σ |α|, whether or not α ≥ 0."""
    total = [Fraction(0)] * len(p.nu)
    for o, v in k.items():
        total = [t + v * c for t, c in zip(total, p.column(o), strict=True)]
    loss = sum(((t - n - f) ** 2 for t, n, f in zip(total, p.nu, p.fit, strict=True)), Fraction(0)) / 2
    return loss + p.beta**2 * sum((abs(v) for v in k.values()), Fraction(0))
