"""The trace of a symmetric operator from m products with random vectors.

| method     | estimate                                                        | source                              |
|------------|-----------------------------------------------------------------|-------------------------------------|
| hutchinson | mean of ωᵀAω, ω random signs; variance 2(‖A‖_F² − Σ a_ii²)/m    | Hutchinson 1990                     |
| hutch++    | tr QᵀAQ + hutchinson on (I−QQᵀ)A(I−QQᵀ), Q = orth(AS), m = 3k   | Meyer, Musco, Musco, Woodruff 2021  |
| xtrace     | mean over i of that with Q = orth of AΩ without ω_i, m = 2k     | Epperly, Tropp, Webber 2024         |

Intervals. Student's over the k probes is too short for all three: ωᵀAω is skewed where few eigenvalues dominate, and
the k terms of xtrace are exchangeable, not independent (its authors' error estimate, their §4.1, takes them as if they
were: on flat spectra with k = n/3 it misses 13 % of the time at nominal 5 %). So it is widened by 1 + c/k with c of
`WIDEN`, the smallest whole numbers for which misses stayed at or below 5 % and 1 % on four spectra (1/i², 0.7^i, flat,
of both signs), n = 60 and 300, m = 12, 30, 40 or 60, in 1000 runs each; the suite repeats a part of that measurement.
Where A has lower rank than Q has columns, Q holds its range and the trace is exact: the interval is rounding.
"""

from __future__ import annotations

import numpy as np

from corollary.arrays import Array, to_numpy
from corollary.sims.spectra.operators import Operator, as_operator
from corollary.sims.spectra.probes import Estimate, require_count, require_level, require_rng, signs, student
from corollary.sims.spectra.progress import Progress, memory_told, watched

METHODS = ("xtrace", "hutch++", "hutchinson")
WIDEN = {"hutchinson": 14, "hutch++": 6, "xtrace": 11}


def trace(
    operator, *, products: int = 60, method: str = "xtrace", rng, level: float = 0.99, n=None,
    progress: Progress | None = None,
) -> Estimate:  # fmt: skip
    """tr A from at most `products` products with A, with an interval of the stated level.

    operator: whatever `as_operator` takes (n for callables). progress(products done, all, message) is called before the
    first product, with the memory the vectors will take, and after every eight; `spectra.bar()` draws it.
    Raises ValueError for an unknown method, a level outside (0, 1) or too few products (hutchinson 1, hutch++ 3,
    xtrace 4); see `as_operator` for operators.
    """
    if method not in METHODS:
        raise ValueError(f"method = {method!r}; expected one of {', '.join(METHODS)}")
    require_level(level)
    rng = require_rng(rng)
    products = require_count("products", products, {"hutchinson": 1, "hutch++": 3, "xtrace": 4}[method])
    A = as_operator(operator, n)
    exactly = method != "hutchinson" and products >= A.n
    every = (
        A.n if exactly else {"hutchinson": products, "hutch++": products // 3 * 3, "xtrace": products // 2 * 2}[method]
    )
    # probes and products of each block; with a sketch its basis and the basis' products too
    kept = {"hutchinson": 2 * products, "hutch++": 4 * (products // 3), "xtrace": 4 * (products // 2)}[method]
    A = watched(A, every, f"{every} products, {memory_told(A, min(A.n, 256) * 2 if exactly else kept)}", progress)
    if exactly:
        found = _exactly(A, level)
    else:
        estimate = {"hutchinson": _hutchinson, "hutch++": _hutch_plus_plus, "xtrace": _xtrace}[method]
        found = estimate(A, products, rng, level)
    if progress is not None and found.products < every:  # the range was smaller than the sketch
        progress(every, every, "")
    return found


def _rounding(A: Operator, size: float) -> float:
    """What rounding may do to a trace whose terms add up to `size`: eps √n each way, cushioned tenfold."""
    return 10 * float(A.xp.finfo(A.example.dtype).eps) * float(np.sqrt(A.n)) * size


def _exactly(A: Operator, level: float) -> Estimate:
    """All n unit vectors: the trace itself."""
    diagonal = []
    for start in range(0, A.n, 256):
        E = np.eye(A.n, min(256, A.n - start), -start)
        diagonal.append(np.sum(E * to_numpy(A.matmat(A.host_to_device(E))).astype(float), axis=0))
    terms = np.concatenate(diagonal)
    floor = _rounding(A, float(np.abs(terms).sum()))
    return Estimate(float(terms.sum()), float(terms.sum()) - floor, float(terms.sum()) + floor, level, A.n)


def _hutchinson(A: Operator, m: int, rng: np.random.Generator, level: float) -> Estimate:
    omega = A.host_to_device(signs(rng, A.n, m))
    samples = to_numpy(A.xp.sum(omega * A.matmat(omega), axis=0)).astype(float)
    return student(samples, level, _rounding(A, float(np.abs(samples).max())), m, 1 + WIDEN["hutchinson"] / m)


def range_basis(A: Operator, Y: Array) -> tuple[Array, Array, bool]:
    """(Q, R, full): Y = Q R; full is False where Y has lower rank than columns: then Q spans its range alone."""
    xp = A.xp
    Q, R = xp.linalg.qr(Y)
    s = to_numpy(xp.linalg.svdvals(R)).astype(float)
    eps = float(xp.finfo(Y.dtype).eps)
    rank = int(np.sum(s > 100 * eps * s[0])) if s[0] > 0 else 0
    if rank == Y.shape[1]:
        return Q, R, True
    U, _, _ = xp.linalg.svd(R, full_matrices=False)
    return xp.matmul(Q, U[:, :rank]), R, False


def _captured(A: Operator, Q: Array, level: float, products: int) -> Estimate:
    """tr QᵀAQ where Q holds the whole range of A."""
    if Q.shape[1] == 0:
        return Estimate(0.0, 0.0, 0.0, level, products)
    terms = to_numpy(A.xp.sum(Q * A.matmat(Q), axis=0)).astype(float)
    # directions dropped as rounding carry up to 100 eps of the largest singular value each
    floor = 100 * _rounding(A, float(np.abs(terms).sum()))
    value = float(terms.sum())
    return Estimate(value, value - floor, value + floor, level, products + Q.shape[1])


def _hutch_plus_plus(A: Operator, m: int, rng: np.random.Generator, level: float) -> Estimate:
    xp, k = A.xp, m // 3
    # a normal sketch: the error of its range is a theorem (`theory.spectra.estimators`)
    Q, _, full = range_basis(A, A.matmat(A.host_to_device(rng.standard_normal((A.n, k)))))
    if not full:
        return _captured(A, Q, level, k)
    inside = to_numpy(xp.sum(Q * A.matmat(Q), axis=0)).astype(float)
    G = A.host_to_device(signs(rng, A.n, k))
    G = G - xp.matmul(Q, xp.matmul(xp.matrix_transpose(Q), G))
    outside = to_numpy(xp.sum(G * A.matmat(G), axis=0)).astype(float)
    floor = _rounding(A, float(np.abs(inside).sum() + np.abs(outside).max()))
    return student(float(inside.sum()) + outside, level, floor, 3 * k, 1 + WIDEN["hutch++"] / k)


def _xtrace(A: Operator, m: int, rng: np.random.Generator, level: float) -> Estimate:
    """With Q_i = orth of Y = AΩ without column i: Q_i Q_iᵀ = Q (I − s_i s_iᵀ) Qᵀ, s_i ∝ R⁻ᵀ e_i (their eq. 2.3)."""
    k = m // 2
    omega_host = rng.standard_normal((A.n, k))
    omega = A.host_to_device(omega_host * (np.sqrt(A.n) / np.linalg.norm(omega_host, axis=0)))  # uniform on a sphere
    Y = A.matmat(omega)
    Q, R, full = range_basis(A, Y)
    if not full:
        return _captured(A, Q, level, k)
    xp = A.xp
    Z = A.matmat(Q)
    eye = xp.eye(k, dtype=Y.dtype, device=Y.device)
    S = xp.linalg.solve(xp.matrix_transpose(R), eye)
    S = S / xp.sqrt(xp.sum(S * S, axis=0))[None, :]
    H, W = xp.matmul(xp.matrix_transpose(Q), Z), xp.matmul(xp.matrix_transpose(Q), omega)
    X = W - S * xp.sum(S * W, axis=0)[None, :]  # coordinates of Q_i Q_iᵀ ω_i in Q
    T = xp.matmul(xp.matrix_transpose(Z), omega)
    kept = xp.sum(xp.linalg.diagonal(H)) - xp.sum(S * xp.matmul(H, S), axis=0)
    rest = xp.sum(omega * Y, axis=0) - 2.0 * xp.sum(X * T, axis=0) + xp.sum(X * xp.matmul(H, X), axis=0)
    # (I − Q_i Q_iᵀ) ω_i is uniform on a sphere of n − k + 1 dimensions: rescaled to its expected squared length
    samples = to_numpy(kept + rest * ((A.n - k + 1) / (A.n - xp.sum(X * X, axis=0)))).astype(float)
    floor = _rounding(A, float(np.abs(to_numpy(xp.linalg.diagonal(H))).sum() + np.abs(samples).max()))
    return student(samples, level, floor, 2 * k, 1 + WIDEN["xtrace"] / k)
