"""What the strategies are made of: vectors from small integers, reflections, rows with a known margin, checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

EPS = float(np.finfo(float).eps)
Size = int | SearchStrategy[int]
Number = float | SearchStrategy[float]


def composed(build: Callable[[Any], Any]) -> SearchStrategy[Any]:
    return st.composite(lambda draw: build(draw))()


# Checks, when the strategy is made: a wrong argument is a mistake of the test's author, not an example.


def size(name: str, value: Size, *, least: int = 1, why: str = "") -> SearchStrategy[int]:
    if isinstance(value, SearchStrategy):
        return value.filter(lambda n: n >= least)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number >= {least}{why}, or a strategy of such")
    return st.just(int(value))


def positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}; expected a finite number > 0")


def conditioned(n: int, condition: float) -> None:
    largest = 1 / (128 * n * EPS)
    if isinstance(condition, bool) or not isinstance(condition, int | float) or not 1 <= condition <= largest:
        raise ValueError(
            f"condition is {condition!r}; expected 1 <= condition <= 1/(128 n ε) = {largest:.2g} at n = {n}"
        )
    if n == 1 and condition != 1:
        raise ValueError(f"a 1 × 1 matrix has condition 1, not {condition:g}")


# Draws.


def integers(draw: Any, count: int, low: int, high: int) -> np.ndarray:
    return np.array(draw(st.lists(st.integers(low, high), min_size=count, max_size=count)), dtype=float)


def vector(draw: Any, d: int) -> np.ndarray:
    """Entries in quarters, from −4 to 4."""
    return integers(draw, d, -16, 16) / 4


def unit(draw: Any, d: int) -> np.ndarray:
    v = integers(draw, d, -4, 4)
    return v / np.linalg.norm(v) if np.any(v) else np.eye(d)[0]


def orthogonal(draw: Any, n: int) -> np.ndarray:
    """The identity after two reflections: symmetric about nothing, orthogonal to some n ε."""
    Q = np.eye(n)
    for _ in range(2):
        v = integers(draw, n, -3, 3)
        if np.any(v):
            Q = Q - np.outer(v, 2 * (v @ Q) / (v @ v))
    return Q


def beside(v: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The part of v orthogonal to the unit `direction`; twice, since once leaves ε ‖v‖."""
    for _ in range(2):
        v = v - (v @ direction) * direction
    return v


def with_margin(draw: Any, m: int, direction: np.ndarray, margin: float) -> np.ndarray:
    """m rows r with max over unit u of min r·u = margin, at u = direction."""
    z = np.stack([beside(vector(draw, len(direction)), direction) for _ in range(m)])
    ahead = margin * (1 + integers(draw, m, 0, 12) / 4)
    ahead[:2] = margin
    z[0] = 0 if m == 1 else z[0]
    if m > 1:
        z[1] = -z[0]
    return ahead[:, None] * direction + z


def placed(draw: Any, base: np.ndarray, kind: str, huge: float, tiny: float) -> tuple[np.ndarray, float]:
    """A vector of this kind relative to `base`, and its angle to it."""
    length = float(np.linalg.norm(base))
    direction = base / length
    if kind == "zero":
        return np.zeros_like(base), math.nan
    if kind in ("huge", "tiny"):
        return base * (huge if kind == "huge" else tiny), 0.0
    if kind in ("parallel", "antiparallel"):
        factor = draw(st.sampled_from([2.0, 0.5, 3.0]))
        return (base * factor, 0.0) if kind == "parallel" else (base * -factor, math.pi)
    across = beside(vector(draw, len(base)), direction)
    if np.linalg.norm(across) < 0.1:
        across = beside(np.eye(len(base))[np.argmin(np.abs(direction))], direction)
    across = across / np.linalg.norm(across)
    if kind == "orthogonal":
        return length * across, math.pi / 2
    δ = 2.0 ** -draw(st.integers(10, 45))
    near = length * (math.cos(δ) * direction + math.sin(δ) * across)
    return (near, δ) if kind == "near parallel" else (-near, math.pi - δ)


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Between two vectors that are not zero, to a few ε at every angle and length."""
    a, b = (v / np.max(np.abs(v)) for v in (a, b))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return 2 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))
