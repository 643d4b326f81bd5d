"""Adversarial search: Hypothesis looks for the input that brings lhs/rhs highest. Samples alone never look for trouble.

Bound(1.0, search=Search(lambda x: operator_norm(x), x=arrays(float, 4, elements=floats(-1, 1))))
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from corollary.verdicts.settings import ClaimError, Point, at_point


@dataclass(frozen=True, init=False)
class Search:
    """`sides(…inputs, …coordinates)` → (lhs, rhs) on inputs drawn from the Hypothesis strategies; `examples` of them.

    Where the bound has a theory value, `sides` may return lhs alone. Derandomised: the same search every time.
    """

    sides: Callable[..., Any]
    strategies: Mapping[str, Any]
    examples: int

    def __init__(self, sides: Callable[..., Any], *, examples: int = 500, **strategies: Any):
        if not strategies:
            raise ClaimError("Search needs strategies: Search(sides, x=hypothesis.strategies.floats(0, 1))")
        object.__setattr__(self, "sides", sides)
        object.__setattr__(self, "strategies", dict(strategies))
        object.__setattr__(self, "examples", examples)

    def run(self, rhs: float | None, point: Point | None = None) -> tuple[float, float, float, dict[str, Any]]:
        """(lhs/rhs, lhs, rhs, input) where the ratio was largest. Raises ClaimError for NaN or rhs ≤ 0."""
        from hypothesis import HealthCheck, Phase, given, settings, target

        best: list[tuple[float, float, float, dict[str, Any]]] = [(-np.inf, np.nan, np.nan, {})]

        @settings(
            max_examples=self.examples, derandomize=True, database=None, deadline=None,
            phases=(Phase.generate, Phase.target), suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
        @given(**self.strategies)
        def look(**inputs: Any) -> None:
            out = np.asarray(at_point(self.sides, {**(point or {}), **inputs}), dtype=float)
            left, right = (float(out), rhs) if out.ndim == 0 else (float(out[0]), float(out[1]))
            if right is None:
                raise ClaimError("Search: the bound has no theory=, so `sides` must return (lhs, rhs)")
            if np.isnan(left) or not right > 0:
                raise ClaimError(f"Search: lhs = {left}, rhs = {right} at {inputs}; lhs must be a number, rhs positive")
            ratio = left / right
            if ratio > best[0][0]:
                best[0] = (ratio, left, right, inputs)
            target(float(np.clip(ratio, -1e300, 1e300)))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Hypothesis about strategies: the search is no test of theirs
            look()
        return best[0]
