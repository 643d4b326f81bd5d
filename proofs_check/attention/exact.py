"""Small attention-SVMs in fractions: dense rows by Kronecker products, all active sets and all faces of the hull."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

Case = tuple[np.ndarray, np.ndarray, np.ndarray]  # X (n, T, d), Z (n, d), chosen (n,)


def rows(X: np.ndarray, Z: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(x_{i,α_i} − x_it) ⊗ z_i over t ≠ α_i, dense; exact for integers, which then go on as Python's."""
    A = np.array([np.kron(X[i, c] - X[i, t], Z[i]) for i, c in enumerate(chosen) for t in range(X.shape[1]) if t != c])
    return A.astype(object) if A.dtype.kind == "i" else A


def solved(G: Any, b: Any) -> list[Fraction] | None:
    """G x = b by Gauss in fractions; None for a singular G."""
    M = [[Fraction(v) for v in row] + [Fraction(c)] for row, c in zip(G, b, strict=True)]
    for k in range(len(M)):
        pivot = next((r for r in range(k, len(M)) if M[r][k]), None)
        if pivot is None:
            return None
        M[k], M[pivot] = M[pivot], M[k]
        M[k] = [v / M[k][k] for v in M[k]]
        for r in range(len(M)):
            if r != k and M[r][k]:
                M[r] = [v - M[r][k] * u for v, u in zip(M[r], M[k], strict=True)]
    return [row[-1] for row in M]


def subsets(N: int, most: int) -> Iterator[list[int]]:
    return (list(S) for k in range(1, min(N, most) + 1) for S in combinations(range(N), k))


def active_set(A: np.ndarray) -> np.ndarray | None:
    """λ ≥ 0 with A Aᵀλ ≥ 1, equal to 1 where λ > 0, of independent rows; None where there is none, in fractions."""
    G = A @ A.T
    for S in subsets(*A.shape):
        part = solved(G[np.ix_(S, S)], [1] * len(S))
        if part and min(part) > 0 and min(G[:, S] @ part) >= 1:
            λ = np.full(len(A), Fraction(0))
            λ[S] = part
            return λ
    return None


def nearest(A: np.ndarray) -> tuple[Fraction, np.ndarray]:
    """(min ‖Aᵀμ‖² over the simplex, a minimiser): least over faces with independent corners of their stationary points
    inside, [[G, −1], [1ᵀ, 0]] (μ, c) = (0, 1), where c is the value. No optimality condition is asked for."""
    G, found = A @ A.T, None
    for S in subsets(len(A), A.shape[1] + 1):
        k = len(S)
        bordered = [[*G[s, S], -1] for s in S] + [[1] * k + [0]]
        point = solved(bordered, [0] * k + [1])
        if point and min(point[:-1]) >= 0 and (found is None or point[-1] < found[0]):
            μ = np.full(len(A), Fraction(0))
            μ[S] = point[:-1]
            found = point[-1], μ
    assert found is not None
    return found


def whole_numbers(n: int, T: int, d: int, seed: int) -> Case:
    """Tokens in −3..3, queries in −2..2 other than 0, chosen tokens."""
    rng = np.random.default_rng([n, T, d, seed])
    X, Z = rng.integers(-3, 4, (n, T, d)), rng.integers(-2, 3, (n, d))
    Z[:, 0] += 3 * ~Z.any(axis=1)
    return X, Z, rng.integers(0, T, n)


def simple(A: np.ndarray, λ: np.ndarray | None) -> bool:
    """One solution for λ, and stable: tight rows are those with λ > 0, independent, of condition below 10."""
    if λ is None or not ((A @ A.T @ λ == 1) == (λ > 0)).all():
        return False
    return bool(np.linalg.cond(A[λ > 0].astype(float)) < 10 and λ[λ > 0].min() > λ.max() / 50)


@cache
def exact_cases(count: int) -> list[tuple[Case, np.ndarray, np.ndarray]]:
    """(X, Z, chosen), A and λ, in fractions; sizes and seeds in turn, the stable ones kept."""
    found, seed = [], 0
    while len(found) < count:
        n, T, d = ((2, 3, 2), (3, 3, 2), (2, 4, 3), (3, 3, 3))[seed % 4]
        case = whole_numbers(n, T, d, seed)
        A = rows(*case)
        λ = active_set(A)
        if λ is not None and simple(A, λ):
            found.append((case, A, λ))
        seed += 1
    return found


def spread(chosen: np.ndarray, T: int, values: np.ndarray) -> np.ndarray:
    """(n(T−1),) → (n, T) with 0 at the chosen token."""
    full = np.full((len(chosen), T), Fraction(0))
    full[np.arange(T) != chosen[:, None]] = values
    return full


def planted(n: int, T: int, d: int, seed: int) -> Case:
    """Gaussian tokens and queries; the chosen tokens are best under a Gaussian W, so that one separates them."""
    rng = np.random.default_rng([n, T, d, seed])
    X, Z, W = rng.standard_normal((n, T, d)), rng.standard_normal((n, d)), rng.standard_normal((d, d))
    return X, Z, np.argmax(np.einsum("ntd,de,ne->nt", X, W, Z), axis=1)


def largest(values: Any) -> float:
    return float(np.max(np.abs(values)))
