r"""The exact reference: one nonnegative least-squares problem gives the solution or the proof that there is none.

    min over u ≥ 0 of ‖[Aᵀ; 1ᵀ] u − e_last‖,   r = [Aᵀ; 1ᵀ] u − e_last:
    r = 0: u is Gordan's certificate, Aᵀu = 0, Σu = 1;   r ≠ 0: w = −Aᵀu/r_last, λ = −u/r_last solve the SVM

because 1/‖w‖ is the distance of the origin from the convex hull of the rows (min-norm point). Lawson & Hanson 1974;
host only, for N × p up to about a million entries.
"""

from __future__ import annotations

import numpy as np
import scipy.optimize

from corollary.theory.attention.certificate import Infeasible


def min_norm_nnls(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(w (p,), λ (N,)): min ½‖w‖² s.t. A w ≥ 1, A (N, p). Raises Infeasible with Gordan's weights (N,), ValueError."""
    if A.ndim != 2 or not np.isfinite(A).all():
        raise ValueError(f"A has shape {A.shape}; expected a finite matrix (constraints, unknowns)")
    scale = float(np.linalg.norm(A, axis=1).max())
    if scale == 0:
        raise Infeasible("all rows are zero", np.full(len(A), 1 / len(A)), 0.0)
    E = np.concatenate([A.T / scale, np.ones((1, len(A)))])
    f = np.zeros(len(E))
    f[-1] = 1.0
    u, _ = scipy.optimize.nnls(E, f, maxiter=50 * len(A))
    r = E @ u - f
    # r² = −r_last at the optimum; below 1e-10 the hull of the rows is closer to the origin than 1e-5 of their size
    if -r[-1] < 1e-13:
        raise Infeasible("no w has A w >= 1: Gordan's certificate in .weights", u / u.sum(), float(np.linalg.norm(r)))
    return -r[:-1] / r[-1] / scale, -u / r[-1] / scale**2
