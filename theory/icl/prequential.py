r"""Prequential codes: next-example loss as a description length, and what training on the train risk loses instead.

A learner T codes y_{i+1} with the density that it predicts from the examples 1…i; the total length in bits is
L_preq = Σ_i −log₂ p_{θ_i}(y_{i+1} | x_{i+1}) (Elmoznino et al. 2024, eq. 4). For Bayesian linear regression with the
prior w ~ N(0, Ω) it equals −log₂ of the marginal likelihood.

Linear attention with K = ηI, the paper's comparison made exact: trained on the next example (prequential) it learns
η = N/(N + d + 1 + σ²); trained on the risk at a context example (the query is example 1 of its own context, label
included), with Λ = Ω = I, η = N·num/den,

    num = d(d+2) + σ²d + (N−1) d
    den = d(d+2)(d+4) + σ²d(d+2) + 2(N−1) d(d+2) + (N−1)(d(d+2) + σ²d) + (N−1)(N−2) d.

Derived in `proofs_check/icl/prequential.py` and `optimum.py`.
"""

from __future__ import annotations

import math

from corollary.arrays import Array, require_floating
from corollary.theory.icl.checks import covariance, prompt, real_number
from corollary.theory.icl.tasks import LinearTask, identity_like


def code_lengths(X: Array, y: Array, noise: float, weight_cov: Array | None = None) -> Array:
    """Bits (N,) that each target costs a Bayesian learner that has seen those before it: −log₂ N(y_i; m_i, v_i).

    X (N, d), y (N,), noise > 0 a variance, weight_cov (d, d), the identity unless given. One rank-one update of the
    posterior per example. Raises TypeError or ValueError for shapes, noise ≤ 0, a singular covariance.
    """
    xp = prompt(X, y)
    require_floating("X", X, ndim=2)
    σ2 = real_number("noise, a variance,", noise, positive=True)
    P = identity_like(X, X.shape[1]) if weight_cov is None else covariance("weight_cov", weight_cov, X.shape[1])
    mean, bits = xp.zeros_like(X[0, :]), []
    for i in range(X.shape[0]):
        x = X[i, :]
        gain = P @ x
        v = xp.sum(x * gain) + σ2
        gap = y[i] - xp.sum(x * mean)
        bits.append((xp.log(2 * math.pi * v) + gap * gap / v) / (2 * math.log(2)))
        mean = mean + gain * gap / v
        P = P - gain[:, None] * gain[None, :] / v
    return xp.stack(bits)


def marginal_code_length(X: Array, y: Array, noise: float, weight_cov: Array | None = None) -> float:
    """−log₂ N(y; 0, XΩXᵀ + σ²I): the whole code at once, by one Cholesky factor. Raises as `code_lengths`."""
    xp = prompt(X, y)
    require_floating("X", X, ndim=2)
    σ2 = real_number("noise, a variance,", noise, positive=True)
    Ω = identity_like(X, X.shape[1]) if weight_cov is None else covariance("weight_cov", weight_cov, X.shape[1])
    L = xp.linalg.cholesky(X @ Ω @ xp.matrix_transpose(X) + σ2 * identity_like(X, X.shape[0]))
    white = xp.linalg.solve(L, y[:, None])[:, 0]
    log_det = 2 * xp.sum(xp.log(xp.linalg.diagonal(L)))
    return float(xp.sum(white * white) + log_det + X.shape[0] * math.log(2 * math.pi)) / (2 * math.log(2))


def train_risk_step(task: LinearTask) -> float:
    """η learnt when the query is an example of the context; isotropic Gaussian task, else ValueError."""
    v, ω = task.isotropic()
    d, N, s = task.d, task.context, task.noise / (v * ω)  # noise in units of the label's scale
    num = d * (d + 2) + s * d + (N - 1) * d
    den = (
        d * (d + 2) * (d + 4) + s * d * (d + 2) + 2 * (N - 1) * d * (d + 2)
        + (N - 1) * (d * (d + 2) + s * d) + (N - 1) * (N - 2) * d
    )  # fmt: skip
    return N * num / den / v


def least_squares_excess(task: LinearTask) -> float:
    """Excess of least squares of least norm: σ²d/(N − d − 1) beyond N = d + 1, ωv(d − N) + σ²N/(d − N − 1) below d − 1.

    Between, d − 1 ≤ N ≤ d + 1, it is infinite with noise, and ωv max(d − N, 0) without. Isotropic Gaussian task, else
    ValueError.
    """
    v, ω = task.isotropic()
    d, N, σ2 = task.d, task.context, task.noise
    bias = ω * v * max(d - N, 0)
    if σ2 == 0:
        return bias
    gap = abs(N - d) - 1
    return bias + σ2 * min(N, d) / gap if gap > 0 else math.inf
