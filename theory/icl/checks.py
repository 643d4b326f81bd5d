"""What the functions of this family accept: numbers, counts, covariances and prompts, each with one clear error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from corollary.arrays import Array, Namespace, array_namespace, device, require_floating, require_same_dtype


def real_number(name: str, value: object, *, positive: bool = False, nonnegative: bool = False) -> float:
    """`value` as a finite float. Raises TypeError for anything but a real number, ValueError out of the domain."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; expected a real number")
    number = float(value)
    domain = "finite and positive" if positive else "finite and >= 0" if nonnegative else "finite"
    if not math.isfinite(number) or (positive and number <= 0) or (nonnegative and number < 0):
        raise ValueError(f"{name} is {value!r}; expected it {domain}")
    return number


def whole_number(name: str, value: object, least: int, why: str = "") -> int:
    """`value` as an int >= `least`. Raises TypeError or ValueError, with `why` behind it."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {value!r} of type {type(value).__name__}; expected a whole number")
    if value < least:
        raise ValueError(f"{name} is {value}; expected at least {least}{': ' + why if why else ''}")
    return int(value)


def covariance(name: str, matrix: Array, d: int) -> Array:
    """A symmetric, positive definite (d, d) matrix; else TypeError or ValueError."""
    xp = require_floating(name, matrix, ndim=2)
    if tuple(matrix.shape) != (d, d):
        raise ValueError(f"{name} has shape {tuple(matrix.shape)}; expected {(d, d)}, like d = {d}")
    ε = float(xp.finfo(matrix.dtype).eps)
    size, skew = float(xp.max(xp.abs(matrix))), float(xp.max(xp.abs(matrix - xp.matrix_transpose(matrix))))
    if skew > 64 * ε * size:  # products such as U diag Uᵀ are symmetric up to roundings of their largest entry
        raise ValueError(f"{name} is not symmetric: entries differ from the transpose by up to {skew:.2g}")
    matrix = (matrix + xp.matrix_transpose(matrix)) / 2
    info = xp.finfo(matrix.dtype)
    room = (float(info.smallest_normal) ** 0.2, float(info.max) ** 0.2)  # losses hold products of up to four of them
    if not room[0] <= size <= room[1]:
        raise ValueError(
            f"{name} has largest entry {size:.2g}; products of covariances leave {matrix.dtype} outside "
            f"{room[0]:.1g} to {room[1]:.1g}: rescale the inputs or the weights"
        )
    values = xp.linalg.eigvalsh(matrix)
    low, high = float(xp.min(values)), float(xp.max(values))
    if low <= d * ε * high:
        raise ValueError(
            f"{name} is singular or indefinite to rounding: eigenvalues from {low:.2g} to {high:.2g}; expected it "
            "positive definite: drop the directions it does not cover"
        )
    return matrix


def prompt(X: Array, y: Array) -> Namespace:
    """Namespace of examples X (..., N, d) with targets y (..., N); TypeError or ValueError unless they fit."""
    xp = require_floating("X", X)
    require_floating("y", y)
    array_namespace(X, y)
    require_same_dtype(X=X, y=y)
    if device(X) != device(y):
        raise TypeError(f"X is on {device(X)}, y on {device(y)}; move both to one device")
    if X.ndim < 2:
        raise ValueError(f"X has shape {tuple(X.shape)}; expected (..., N, d)")
    if tuple(y.shape) != tuple(X.shape[:-1]):
        raise ValueError(f"y has shape {tuple(y.shape)}; expected {tuple(X.shape[:-1])}, one target an example of X")
    return xp


def require_digits(xp: Namespace, singular: Array) -> None:
    """ValueError unless S = XᵀX has condition number below 1/ε on its row space; `singular` (..., r): those of X."""
    ε, top = float(xp.finfo(singular.dtype).eps), xp.max(singular, axis=-1)
    if float(xp.min(top)) == 0:
        raise ValueError("X is zero in a prompt: there is no direction to fit; expected examples other than 0")
    low = float(xp.min(singular[..., -1] / top))
    if low * low <= ε:
        κ = 1 / low**2 if low * low > 0 else float("inf")
        raise ValueError(
            f"S = XᵀX has condition number {κ:.2g} on its row space; in {singular.dtype} Newton has no digits left "
            f"beyond {1 / ε:.1g}: drop duplicate examples or dependent features, rescale them, or use higher precision"
        )


def numbers(name: str, values: float | Sequence[float], count: int) -> list[float]:
    """`count` finite floats: one number for all, or a sequence of that length."""
    if isinstance(values, Real):
        return [real_number(name, values)] * count
    listed: list[Any] = list(values)  # pyright: ignore[reportArgumentType]
    if len(listed) != count:
        raise ValueError(f"{name} has {len(listed)} entries; expected one number, or {count}: one a layer")
    return [real_number(name, value) for value in listed]
