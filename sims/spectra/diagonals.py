"""XDiag: the diagonal of a symmetric operator from products with random signs (Epperly, Tropp, Webber 2024, §2.4).

With Q_i an orthonormal basis of A Ω without its i-th column, ω_i random signs, s_i as in `traces`:

    d_i = diag(Q_i Q_iᵀ A) + ω_i ⊙ (I − Q_i Q_iᵀ) A ω_i,   estimate = mean over i: unbiased, for any symmetric A.
"""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array
from corollary.sims.spectra.operators import as_operator
from corollary.sims.spectra.probes import require_count, require_rng, signs
from corollary.sims.spectra.progress import Progress, memory_told, watched
from corollary.sims.spectra.traces import range_basis


class Diagonal(NamedTuple):
    """values (n,), and the standard error (n,) over the left-out probes: a scale, they are not independent."""

    values: Array
    errors: Array
    products: int


def diagonal(operator, *, products: int = 60, rng, n: int | None = None, progress: Progress | None = None) -> Diagonal:
    """diag A from at most `products` ≥ 4 products; exact to rounding where rank A < products/2.

    progress as in `traces.trace`; raises as it does.
    """
    rng = require_rng(rng)
    products = require_count("products", products, 4)
    A = as_operator(operator, n)
    xp, k = A.xp, min(products // 2, A.n)
    A = watched(A, 2 * k, f"{2 * k} products, {memory_told(A, 6 * k)}", progress)
    omega = A.host_to_device(signs(rng, A.n, k))
    Y = A.matmat(omega)
    Q, R, full = range_basis(A, Y)
    if not full or k == A.n:  # Q holds the whole range: A = Q Qᵀ A
        values = xp.sum(Q * A.matmat(Q), axis=1) if Q.shape[1] else xp.zeros(A.n, dtype=Y.dtype, device=Y.device)
        if progress is not None and Q.shape[1] < k:
            progress(2 * k, 2 * k, "")
        return Diagonal(values, xp.zeros_like(values), k + Q.shape[1])
    Z = A.matmat(Q)
    S = xp.linalg.solve(xp.matrix_transpose(R), xp.eye(k, dtype=Y.dtype, device=Y.device))
    S = S / xp.sqrt(xp.sum(S * S, axis=0))[None, :]
    # Q_i Q_iᵀ A ω_i = Q (R e_i − s_i s_iᵀ R e_i), and R e_i − s_i (s_iᵀ R e_i) leaves s_i (s_iᵀ R e_i) of Y e_i
    rest = xp.matmul(Q, S * xp.sum(S * R, axis=0)[None, :])
    d = xp.sum(Q * Z, axis=1)[:, None] - xp.matmul(Q, S) * xp.matmul(Z, S) + omega * rest
    values = xp.mean(d, axis=1)
    errors = xp.sqrt(xp.sum((d - values[:, None]) ** 2, axis=1) * (1.0 / (k * (k - 1))))
    return Diagonal(values, errors, 2 * k)
