r"""Moments of the Wishart matrix S = XᵀX, X (N, d) with iid standard normal entries, as exact integers.

Gaussian integration by parts (Stein) on one entry of tr S^m = Σ X_ai (X S^{m−1})_ai gives, with p_j = tr S^j, p_0 = d,

    E[p_m Q] = (N + m − 1) E[p_{m−1} Q] + Σ_{j=1}^{m−1} E[p_j p_{m−1−j} Q] + Σ_{r in Q} 2r E[p_{m+r−1} Q∖p_r]

for any product Q of traces: a recursion to smaller total degree. E p_1 = Nd, E p_2 = Nd(N + d + 1), and so on.
Checked against pairings enumerated one by one in `proofs_check/icl/wishart.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from numbers import Integral

from corollary.theory.icl.checks import whole_number

#: 5 604 partitions at degree 30, each a state of the recursion: a few seconds; beyond, it only gets slower
LARGEST = 40


def wishart_moment(powers: int | Sequence[int], N: int, d: int) -> int:
    """E tr S^m for an int, E Π_j tr S^{m_j} for a sequence; exact. m = 0 counts d.

    Raises TypeError or ValueError: negative powers, N < 1, d < 1, a total degree above 40.
    """
    listed: list = [powers] if isinstance(powers, Integral) else list(powers)  # pyright: ignore[reportArgumentType]
    parts = [whole_number("powers", m, 0) for m in listed]
    N, d = whole_number("N", N, 1), whole_number("d", d, 1)
    if sum(parts) > LARGEST:
        raise ValueError(f"powers sum to {sum(parts)}; expected at most {LARGEST}: the recursion visits all partitions")
    return _moment(tuple(sorted((m for m in parts if m), reverse=True)), N, d) * d ** sum(m == 0 for m in parts)


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
