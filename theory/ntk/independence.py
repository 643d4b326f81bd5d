r"""Back-propagation through W and Wᵀ: when they may be taken as independent ("gradient independence"), and when not.

f = (1/√n) Σ_i v_i φ(z_i), z = (W_std/√n) W a, W of iid N(0, 1), features a with (1/n)|a|² → A. Back through z goes
d = (W_std/√n) Wᵀ(v ⊙ φ'(z)). Given a, z_i depends on W_ij through W_std W_ij a_j/√n; by Stein's lemma

    E[W_ij φ'(z_i)] = (W_std a_j/√n) E[φ''(z_i)],

so that the n terms of d_j have a mean that adds up to W_std² v̄ E[φ''] a_j, v̄ the mean of v, and

    (1/n)|d|² → W_std² ( E[v²] E[φ'(z)²] + W_std² v̄² E[φ''(z)]² A ),    z ~ N(0, W_std² A).

With a centred readout the second term is absent: the limit is that of a Wᵀ independent of W (Yang 2019).
"""

from __future__ import annotations

from corollary.theory.ntk.moments import real_number


def squared_backprop(
    slope_square: float, curvature: float, feature_square: float, *, readout_mean: float, readout_square: float,
    W_std: float = 1.0,
) -> float:  # fmt: skip
    """lim (1/n)|d|² of the module's network; multiply by 1/n for gradients of f itself, whose readout is v/√n.

    slope_square E[φ'(z)²], curvature E[φ''(z)] (as a distribution: the density at 0 for ReLU), feature_square A,
    readout_mean v̄, readout_square E[v²] >= v̄². Raises TypeError or ValueError for anything else.
    """
    slope_square = real_number("slope_square", slope_square, nonnegative=True)
    curvature = real_number("curvature", curvature)
    A = real_number("feature_square", feature_square, nonnegative=True)
    mean = real_number("readout_mean", readout_mean)
    square = real_number("readout_square", readout_square, nonnegative=True)
    W2 = real_number("W_std", W_std, positive=True) ** 2
    if square < mean**2 * (1 - 1e-12):
        raise ValueError(f"readout_square is {square:g}, below the square of readout_mean = {mean:g}")
    return W2 * (square * slope_square + W2 * mean**2 * curvature**2 * A)
