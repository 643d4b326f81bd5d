"""Grokking in closed form: descent of a quadratic committee closes in two moments of its weights, at any width.

    f(x) = (α/N) Σ_i φ(w_i·x),  φ(h) = h + (ε/2) h²,  so  f(x) = α w̄·x + (αε/2) x·M x,
    w̄ = (1/N) Σ w_i,  M = (1/N) Σ w_i w_iᵀ.

Source: Kumar, Bordelon, Gershman, Pehlevan 2023, whose loss of a test point is `population_loss`; that descent closes
exactly at finite N is ours. Inputs x ~ N(0, I/D), target y(x) = (1/2) x·B x (theirs: B = ββᵀ). Loss (1/2P) Σ r²,
r = f − y over P points; learning rate η N/α² on the weights, so that the kernel per unit of η does not depend on α, N.
A centred network (f less its start) has the moments' changes for moments, and y plus the starting outputs for targets.
"""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype

__all__ = [
    "Eigenvalues", "Loss", "Moments", "descent_step", "kernel_eigenvalues", "lazy_fit",
    "lazy_threshold", "outputs", "population_loss", "tangent_kernel", "target_alignment",
]  # fmt: skip


class Moments(NamedTuple):
    """mean w̄ (…, D) and second moment M (…, D, D) of the neurons' weights; leading axes are independent networks."""

    mean: Array
    second: Array


class Loss(NamedTuple):
    """The three terms of E (f − y)²: of traces, of misaligned matrices, and of linear power; the loss is their sum."""

    trace: Array
    misalignment: Array
    linear: Array


class Eigenvalues(NamedTuple):
    """Of linear functions (D of them), traceless quadratic forms, and |x|²."""

    linear: float
    quadratic: float
    radial: float


def outputs(moments: Moments, x: Array, alpha: float, epsilon: float) -> Array:
    """f at the rows of x (…, P, D): (…, P). Raises TypeError or ValueError for arrays that do not fit."""
    xp = _fit(moments, x)
    linear = xp.matmul(x, moments.mean[..., None])[..., 0]
    return alpha * linear + alpha * epsilon / 2 * xp.sum(xp.matmul(x, moments.second) * x, axis=-1)


def tangent_kernel(moments: Moments, x1: Array, x2: Array, alpha: float, epsilon: float, width: int) -> Array:
    """The empirical NTK (α²/N) (x·x′) [1 + ε w̄·(x + x′) + ε² x·M x′], exact at width N: (…, P1, P2) (their Eq. 5).

    Raises TypeError or ValueError for arrays that do not fit.
    """
    xp = _fit(moments, x1)
    _fit(moments, x2)
    other = xp.matrix_transpose(x2)
    own = xp.matmul(x1, moments.mean[..., None])
    sums = own + xp.matrix_transpose(xp.matmul(x2, moments.mean[..., None]))
    form = xp.matmul(xp.matmul(x1, moments.second), other)
    return alpha**2 / width * xp.matmul(x1, other) * (1 + epsilon * sums + epsilon**2 * form)


def descent_step(moments: Moments, x: Array, y: Array, alpha: float, epsilon: float, rate: float) -> Moments:
    """The moments after one step of full-batch gradient descent, exact at every width.

    Every neuron moves by the same affine map w ← A w − g with A = I − (ηε/α) (1/P) Σ r x xᵀ, g = (η/α) (1/P) Σ r x, so
    w̄ ← A w̄ − g and M ← A M Aᵀ − (A w̄) gᵀ − g (A w̄)ᵀ + g gᵀ. x (…, P, D), y (…, P).
    Raises TypeError or ValueError for arrays that do not fit, rate or alpha that is not positive.
    """
    xp = _fit(moments, x)
    if not (rate > 0 and alpha > 0):
        raise ValueError(f"rate = {rate!r}, alpha = {alpha!r}; expected both > 0")
    require_floating("y", y)
    require_same_dtype(x=x, y=y)
    if y.shape[-1] != x.shape[-2]:
        raise ValueError(f"y has {y.shape[-1]} targets; expected one for each of the {x.shape[-2]} rows of x")
    D, P = x.shape[-1], x.shape[-2]
    r = (outputs(moments, x, alpha, epsilon) - y) * (rate / (alpha * P))
    weighted = r[..., None] * x
    g = xp.sum(weighted, axis=-2)[..., None]
    A = xp.eye(D, dtype=x.dtype, device=device(x)) - epsilon * xp.matmul(xp.matrix_transpose(weighted), x)
    moved = xp.matmul(A, moments.mean[..., None])
    cross = xp.matmul(moved, xp.matrix_transpose(g))
    second = xp.matmul(xp.matmul(A, moments.second), A) - cross - xp.matrix_transpose(cross)
    return Moments((moved - g)[..., 0], second + xp.matmul(g, xp.matrix_transpose(g)))


def population_loss(moments: Moments, target: Array, alpha: float, epsilon: float) -> Loss:
    """E (f(x) − y(x))² over x ~ N(0, I/D) for y = (1/2) x·B x, target = B (…, D, D) symmetric: terms of shape (…).

    With E = αεM − B: (tr E)²/(4D²) + tr E²/(2D²) + α²|w̄|²/D (their Eq. 6).
    Raises TypeError or ValueError for arrays that do not fit.
    """
    xp = _fit(moments, target)
    D = moments.mean.shape[-1]
    E = alpha * epsilon * moments.second - target
    trace = xp.linalg.trace(E)
    return Loss(
        trace * trace / (4 * D**2),
        xp.sum(E * xp.matrix_transpose(E), axis=(-2, -1)) / (2 * D**2),
        alpha**2 * xp.sum(moments.mean * moments.mean, axis=-1) / D,
    )


def lazy_fit(x: Array, y: Array, epsilon: float) -> Moments:
    """The limit α → ∞ of centred training at M_0 = I, w̄_0 = 0: regression with the kernel G∘(1 + ε²G), G = X Xᵀ.

    The function is f(x) = mean·x + (1/2) x·second x (`population_loss` with α = ε = 1): the interpolant of least norm
    in the features x, ε x xᵀ; beyond D(D + 3)/2 points the least-squares fit. Singular values below P·D²·u of the
    largest count as zero. x (P, D), y (P,). Raises TypeError or ValueError for arrays that do not fit, epsilon = 0.
    """
    xp = require_floating("x", x, ndim=2)
    require_floating("y", y, ndim=1)
    require_same_dtype(x=x, y=y)
    if y.shape[0] != x.shape[0] or epsilon == 0:
        raise ValueError(f"y has shape {tuple(y.shape)}, epsilon = {epsilon}; expected ({x.shape[0]},) and not zero")
    P, D = x.shape
    squares = xp.reshape(x[:, :, None] * x[:, None, :], (P, D * D))
    features = xp.concat([x, epsilon * squares], axis=1)
    cut = P * D**2 * float(xp.finfo(x.dtype).eps)
    θ = xp.matmul(xp.linalg.pinv(features, rtol=cut), y)
    return Moments(θ[:D], 2 * epsilon * xp.reshape(θ[D:], (D, D)))


def lazy_threshold(D: int) -> int:
    """D(D + 3)/2, the dimension of linear plus quadratic forms: from here on the lazy limit learns y exactly."""
    if D < 1:
        raise ValueError(f"D = {D}; expected a dimension >= 1")
    return D * (D + 3) // 2


def kernel_eigenvalues(D: int, epsilon: float) -> Eigenvalues:
    """Of the initial kernel (x·x′)(1 + ε² x·x′) (N = ∞, in units of α²/N) under x ~ N(0, I/D).

    1/D, 2ε²/D² and (ε²/D)(1 + 2/D). The paper prints 2ε/D² (Section 5) and leaves ε² out of the last (Eq. 16).
    """
    if D < 1:
        raise ValueError(f"D = {D}; expected a dimension >= 1")
    return Eigenvalues(1 / D, 2 * epsilon**2 / D**2, epsilon**2 / D * (1 + 2 / D))


def target_alignment(moments: Moments, beta: Array, epsilon: float) -> Array:
    """E y(x) K(x, x′) y(x′) for y = (1/2)(β·x)², K in units of α²/N, x and x′ independent N(0, I/D): shape (…).

    (ε²/4D⁴) (|β|⁴ tr M + 8 |β|² β·Mβ); the paper's Eq. 20 is four times that. beta (D,).
    Raises TypeError or ValueError for arrays that do not fit.
    """
    xp = _fit(moments, beta[None, :])
    D = beta.shape[0]
    size = xp.sum(beta * beta)
    along = xp.matmul(xp.matmul(moments.second, beta), beta)
    return epsilon**2 / (4 * D**4) * (size**2 * xp.linalg.trace(moments.second) + 8 * size * along)


def _fit(moments: Moments, x: Array):
    xp = array_namespace(moments.mean, moments.second, x)
    require_same_dtype(mean=moments.mean, second=moments.second, x=x)
    D = moments.mean.shape[-1]
    if tuple(moments.second.shape[-2:]) != (D, D) or x.ndim < 2 or x.shape[-1] != D:
        raise ValueError(
            f"shapes {tuple(moments.mean.shape)}, {tuple(moments.second.shape)} and {tuple(x.shape)} do not fit; "
            "expected (…, D), (…, D, D) and (…, P, D)"
        )
    return xp
