r"""Cross-entropy over deep linear networks with free features: antipodal pairs against the simplex frame.

Balanced classes (n columns each), M + 1 = `depth` + 1 factors of decay λ, K even. Pairs: classes 2j, 2j + 1 at ±e_j,
logits a (δ_same − δ_opposite): singular value 2a√n, K/2 times, against a√n, K − 1 times, of the frame:

    pairs(a) = ln(1 + (K − 2) e^{−a} + e^{−2a}) + ((M + 1)/2) λ (K/2) (2a√n)^{2/(M+1)}
    frame(a) = ln(1 + (K − 1) e^{−a})           + ((M + 1)/2) λ (K − 1) (a√n)^{2/(M+1)}

so pairs(a) < frame(a) for every a > 0, λ, n where ρ = (K/2) 2^{2/(M+1)}/(K − 1) ≤ 1: K = 4 from M = 3 on, even K ≥ 6
from M = 2 on, never for M = 1. A bias does not help the frame: the loss is convex in it and symmetric in the classes.
Contradicts "global solutions of cross-entropy exhibit neural collapse across the linear layers" (Dang et al. 2023)
under exactly these conditions; agrees with 2410.23169 (deep models prefer low rank).
"""

from __future__ import annotations

import math

import scipy.optimize

from corollary.theory.attention.collapse import frame_cross_entropy, logit_penalty


def _even(K: int) -> None:
    if K < 4 or K % 2:
        raise ValueError(f"K = {K!r}; antipodal pairs need an even number of classes, at least 4")


def pairs_cross_entropy(a: float, K: int, n: int, depth: int, decay: float) -> float:
    """pairs(a): mean cross-entropy plus penalty. Raises ValueError for odd K or K < 4."""
    _even(K)
    mistakes = (K - 2) * math.exp(-a) + math.exp(-2 * a)
    return math.log1p(mistakes) + logit_penalty([2 * a * math.sqrt(n)] * (K // 2), depth, decay)


def pairs_ratio(K: int, depth: int) -> float:
    """ρ, the penalty of pairs over that of the frame at equal a: at most 1 where pairs win. Raises ValueError."""
    _even(K)
    return K / 2 * 2 ** (2 / (depth + 1)) / (K - 1)


def frame_minimum(K: int, n: int, depth: int, decay: float) -> tuple[float, float]:
    """(a, value) of the least `frame_cross_entropy` over a ≥ 0; (0, ln K) where decay wins.

    The penalty is concave in a: the best of a grid of a up to 64, ratio 1.03, is refined by Brent's method. Beyond 64
    the cross-entropy is below K e^{−64} and only the penalty grows.
    """

    def value(a: float) -> float:
        return frame_cross_entropy(a, K, n, depth, decay)

    grid = [64 * 1.03**-k for k in range(500)]
    best = min(grid, key=value)
    found = scipy.optimize.minimize_scalar(value, bounds=(best / 1.03, best * 1.03), method="bounded",
                                           options={"xatol": 1e-9 * best})  # fmt: skip
    a, least = min(((float(found.x), float(found.fun)), (best, value(best)), (0.0, math.log(K))), key=lambda v: v[1])
    return a, least
