r"""Moments of the Wishart matrix S = XᵀX, X (N, d) with iid standard normal entries, as exact integers.

Gaussian integration by parts (Stein) on one entry of tr S^m = Σ X_ai (X S^{m−1})_ai gives, with p_j = tr S^j, p_0 = d,

    E[p_m Q] = (N + m − 1) E[p_{m−1} Q] + Σ_{j=1}^{m−1} E[p_j p_{m−1−j} Q] + Σ_{r in Q} 2r E[p_{m+r−1} Q∖p_r]

for any product Q of traces: a recursion to smaller total degree. E p_1 = Nd, E p_2 = Nd(N + d + 1), and so on.

One trace alone has a sum of some m²/4 terms. Zonal polynomials Z_κ are eigenfunctions of the Wishart mean, E Z_κ(S) =
Z_κ(I) Π_s (N + c_s), Z_κ(I) = Π_s (d + c_s), c = 2j − i in row i and column j of the diagram κ, both from 0; p_m =
2m Σ_κ Π_{s ≠ (0,0)} c_s Z_κ/h_κ, h_κ = Π_s (2a_s + l_s + 1)(2a_s + l_s + 2) with arms a and legs l (Macdonald 1995,
VI.10, VII.2; James 1964). c vanishes at (2, 1): only κ = (r, s, 1, …, 1) are left.

Checked against pairings enumerated one by one, and the two against each other, in `proofs_check/icl/wishart.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import factorial
from numbers import Integral

from corollary.theory.icl.checks import whole_number

#: 5 604 partitions at degree 30, each a state of the recursion: a few seconds; beyond, it only gets slower
LARGEST = 40
#: of one trace: 3⁴ − 1, of four layers of GD++ (0.2 s for all up to it)
LARGEST_TRACE = 80


def wishart_moment(powers: int | Sequence[int], N: int, d: int) -> int:
    """E tr S^m for an int, E Π_j tr S^{m_j} for a sequence; exact. m = 0 counts d.

    Raises TypeError or ValueError: negative powers, N < 1, d < 1, m above 80, a total degree of several above 40.
    """
    listed: list = [powers] if isinstance(powers, Integral) else list(powers)  # pyright: ignore[reportArgumentType]
    parts = [whole_number("powers", m, 0) for m in listed]
    N, d = whole_number("N", N, 1), whole_number("d", d, 1)
    zeros, parts = parts.count(0), sorted((m for m in parts if m), reverse=True)
    most = LARGEST if len(parts) > 1 else LARGEST_TRACE
    if sum(parts) > most:
        why = "the recursion visits all partitions" if len(parts) > 1 else "a sum of m²/4 ever longer terms"
        raise ValueError(f"powers sum to {sum(parts)}; expected at most {most}: {why}")
    return d**zeros * (_trace_moment(parts[0], N, d) if len(parts) == 1 else _moment(tuple(parts), N, d))


@cache
def _trace_moment(m: int, N: int, d: int) -> int:
    total = Fraction(2 * _row(m, N, d), _hooks(m, 0, 0))
    for s in range(1, m // 2 + 1):
        for r in range(s, m - s + 1):
            terms = _row(r, N, d) * _second(s, N, d) * _column(m - r - s, N, d)
            if terms:  # 0 where the diagram has more rows than S has rank
                total += Fraction(2 * terms, _hooks(r, s, m - r - s))
    return int(m * total)


@cache
def _row(r: int, N: int, d: int) -> int:
    """Π of c (N + c)(d + c) over the first row, without its first c = 0."""
    return N * d if r == 1 else _row(r - 1, N, d) * (2 * r - 2) * (N + 2 * r - 2) * (d + 2 * r - 2)


@cache
def _second(s: int, N: int, d: int) -> int:
    return 1 if s == 0 else _second(s - 1, N, d) * (2 * s - 3) * (N + 2 * s - 3) * (d + 2 * s - 3)


@cache
def _column(t: int, N: int, d: int) -> int:
    return 1 if t == 0 else -_column(t - 1, N, d) * (t + 1) * (N - t - 1) * (d - t - 1)


def _hooks(r: int, s: int, t: int) -> int:
    """h_κ of κ = (r, s, 1^t)."""
    if s == 0:
        return factorial(2 * r)
    first = (2 * r + t) * (2 * r + t + 1) * factorial(2 * r - 1) // (2 * (r - s) + 1)
    return first * (2 * s + t - 1) * (2 * s + t) * factorial(2 * s - 2) * factorial(t) * factorial(t + 1)


@cache
def _moment(parts: tuple[int, ...], N: int, d: int) -> int:
    if not parts:
        return 1
    m, rest = parts[0], parts[1:]
    total = (N + m - 1) * _with(rest, (m - 1,), N, d)
    for j in range(1, m):
        total += _with(rest, (j, m - 1 - j), N, d)
    for i, r in enumerate(rest):
        total += 2 * r * _with(rest[:i] + rest[i + 1 :], (m + r - 1,), N, d)
    return total


def _with(rest: tuple[int, ...], new: tuple[int, ...], N: int, d: int) -> int:
    zeros = sum(m == 0 for m in new)
    return d**zeros * _moment(tuple(sorted((*rest, *(m for m in new if m)), reverse=True)), N, d)
