"""Numbers of the size of rounding, where they stand above it: asked for by tests/test_power.py, seen by none else."""

from fractions import Fraction

import numpy as np

from corollary.testing import guards
from corollary.theory import attention


def separable(n, d, seed):
    """Rows with margin at least 1 to a random direction of length 1."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(d)
    B = rng.standard_normal((n, d))
    w /= np.linalg.norm(w)
    return B + np.maximum(1.0 - B @ w, 0.0)[:, None] * w


def exact_gap(P, start, B):
    """‖P − start‖² − 2 (1 − B start)·λ + ‖Bᵀλ‖² in exact rationals, and what rounding B w may change in it."""
    w, s, λ, rows = (np.vectorize(Fraction, otypes=[object])(a) for a in (P.w, start, P.multipliers, B))
    gap = float((w - s) @ (w - s) - 2 * (1 - rows @ s) @ λ + (λ @ rows) @ (λ @ rows))
    d = B.shape[1]
    return gap, float(2 * P.multipliers @ (np.abs(B) @ np.abs(P.w) + 1)) * (d + 2) * 2.0**-53


@guards(attention.project_margin)
def test_the_error_of_a_projection_where_it_can_be_told_from_rounding():
    """A far point `inside` turns the last violation, of the size of rounding, into a gap: error² is that gap.

    How small violations come out is the solver's affair, so the first of many instances is taken whose gap stands a
    hundred times above the rounding of its own terms.
    """
    for seed in range(40):
        B, start = separable(30, 5, seed), np.random.default_rng(seed).standard_normal(5)
        w = attention.hard_margin(B).w
        for far in 10.0 ** np.arange(8):
            try:
                P = attention.project_margin(start, B, inside=far * w)
            except attention.Unconverged:  # a gap beyond 1e-12 ‖w‖² is refused: the next instance
                break
            gap, rounding = exact_gap(P, start, B)
            if rounding < 0.01 * gap:
                assert abs(P.error**2 - gap) <= rounding + 1e-6 * gap
                return
    raise LookupError("no instance with a gap above its rounding: find others")
