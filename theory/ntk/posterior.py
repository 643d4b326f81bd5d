"""Gaussian-process regression with the NNGP kernel: the Bayesian posterior of the infinitely wide network."""

from __future__ import annotations

from typing import NamedTuple

from corollary.arrays import Array, array_namespace, device, require_floating, require_same_dtype
from corollary.theory.ntk.modes import gram_modes, is_singular, require_symmetric
from corollary.theory.ntk.moments import real_number


class Posterior(NamedTuple):
    """mean (M,) or (M, outputs); covariance (M, M), the same for every output."""

    mean: Array
    covariance: Array


def posterior(k_train: Array, y: Array, k_test_train: Array, k_test: Array, noise: float = 0.0) -> Posterior:
    """Posterior at M test points given y = f(X) + N(0, `noise`); noise is a variance.

    Source: Rasmussen & Williams 2006, eq. 2.23–2.24.

    k_train (N, N), y (N,) or (N, outputs), k_test_train (M, N), k_test (M, M): `Kernel.nngp`, or any kernel.
    Raises TypeError or ValueError for shapes or dtypes that do not fit, NaN, noise < 0, a k_train that is not symmetric
    and positive semi-definite, a k_test that is not symmetric or too small to belong to it (a negative variance beyond
    rounding), and a singular system; RuntimeError if the eigen-solver fails its certificate.
    """
    xp = require_floating("k_train", k_train, ndim=2)
    for name, array, ndim in (("y", y, None), ("k_test_train", k_test_train, 2), ("k_test", k_test, 2)):
        require_floating(name, array, ndim=ndim)
    array_namespace(k_train, y, k_test_train, k_test)
    require_same_dtype(k_train=k_train, y=y, k_test_train=k_test_train, k_test=k_test)
    for name, array in (("y", y), ("k_test_train", k_test_train), ("k_test", k_test)):
        if device(array) != device(k_train):
            raise TypeError(f"{name} is on {device(array)}, k_train on {device(k_train)}; move all to one device")
    N, M = k_train.shape[0], k_test.shape[0]
    wanted = {"k_train": (N, N), "k_test_train": (M, N), "k_test": (M, M)}
    given = {"k_train": k_train, "k_test_train": k_test_train, "k_test": k_test}
    for name, shape in wanted.items():
        if tuple(given[name].shape) != shape:
            raise ValueError(f"{name} has shape {tuple(given[name].shape)}; expected {shape}")
    if y.ndim not in (1, 2) or y.shape[0] != N:
        raise ValueError(f"y has shape {tuple(y.shape)}; expected ({N},) or ({N}, outputs)")
    variance = real_number("noise, a variance,", noise, nonnegative=True)
    size = require_symmetric("k_test", k_test)
    values, vectors, _ = gram_modes("k_train", k_train)
    values = values + variance
    if is_singular(values):
        raise ValueError(
            f"k_train + noise is singular to rounding (smallest eigenvalue {float(values[0]):.2g}); "
            "drop duplicate points, or pass noise > 0"
        )
    half = xp.matmul(k_test_train, vectors) / xp.sqrt(values)
    targets = xp.matmul(xp.matrix_transpose(vectors), xp.reshape(y, (N, -1))) / xp.sqrt(values)[:, None]
    mean = xp.matmul(half, targets)
    covariance = k_test - xp.matmul(half, xp.matrix_transpose(half))
    # solving loses at most the condition number times some N roundings of the prior's variance
    rounding = 10 * N * float(xp.finfo(k_test.dtype).eps) * float(values[-1] / values[0]) * size
    least = float(xp.min(xp.linalg.diagonal(covariance)))
    if least < -rounding:
        raise ValueError(
            f"the posterior variance is {least:.2g} at a test point; k_train, k_test_train and k_test are not blocks "
            "of one positive semi-definite kernel"
        )
    return Posterior(mean[:, 0] if y.ndim == 1 else mean, (covariance + xp.matrix_transpose(covariance)) / 2)
