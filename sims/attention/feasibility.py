"""The least dimension at which some W separates the chosen tokens, by linear programs (HiGHS): no solver of ours.

One Gaussian draw in max_d dimensions; dimension d keeps the first d coordinates of tokens and queries, so feasibility
only grows with d. Separating is homogeneous: is there W with (x_{i,α_i} − x_it)ᵀ W z_i ≥ 1 for all i, t ≠ α_i?
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.optimize

from corollary.arrays import Array, Namespace


def separable(X: np.ndarray, Z: np.ndarray, chosen: np.ndarray) -> bool:
    """X (n, T, d), Z (n, d), chosen (n,).

    Where the program itself is left undecided (HiGHS did so with one of some 14 000), Gordan's alternative is asked:
    there is no such W if and only if 0 is in the convex hull of the (x_{i,α_i} − x_it) z_iᵀ. Raises RuntimeError where
    that is not decided either.
    """
    n, T, d = X.shape
    D = X[np.arange(n), chosen][:, None, :] - X
    rows = (D[:, :, :, None] * Z[:, None, None, :])[np.arange(T) != chosen[:, None]].reshape(-1, d * d)
    found = scipy.optimize.linprog(
        np.zeros(d * d), A_ub=-rows, b_ub=-np.ones(len(rows)), bounds=(None, None), method="highs"
    )
    if found.status in (0, 2):
        return found.status == 0
    hull = np.concatenate([rows.T, np.ones((1, len(rows)))])
    other = scipy.optimize.linprog(
        np.zeros(len(rows)), A_eq=hull, b_eq=np.append(np.zeros(d * d), 1.0), bounds=(0, None), method="highs"
    )
    if other.status not in (0, 2):
        raise RuntimeError(
            f"HiGHS could not decide whether W exists (n = {n}, T = {T}, d = {d}): {found.message}; nor whether 0 "
            f"is in the hull: {other.message}"
        )
    return other.status == 2


def least_dimension(point: Any, seeds: Sequence[Any], xp: Namespace) -> dict[str, Array]:
    """d (R,), tokens chosen uniformly. Point: n, T, max_d, attention: "cross", or "self", where z_i = x_i1.

    Where no dimension up to max_d is enough, d is max_d + 1.
    """
    n, T, most = point["n"], point["T"], point["max_d"]
    out = np.zeros(len(seeds))
    for r, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        X, Z = rng.standard_normal((n, T, most)), rng.standard_normal((n, most))
        chosen = rng.integers(T, size=n)
        if point["attention"] == "self":
            Z = X[:, 0]
        elif point["attention"] != "cross":
            raise ValueError(f"attention = {point['attention']!r}; expected cross or self")
        enough = (d for d in range(1, most + 1) if separable(X[:, :, :d], Z[:, :d], chosen))
        out[r] = next(enough, most + 1)
    return {"d": xp.asarray(out)}
