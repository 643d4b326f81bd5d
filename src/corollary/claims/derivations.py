"""A derivation: why a formula is right, step by step, ending in a comparison with the code in `theory/`.

    @derivation(of=ntk.Relu, method="symbolic")
    def relu_expectation():
        '''E[relu(u) relu(v)] for a bivariate normal pair, in polar coordinates.'''
        yield step("inner integral over the radius", radial)
        yield step("differentiating the result gives the integrand back", difference, holds=difference == 0)
        yield agree(derived, code, points, digits=13)

The body yields its steps in order; the last item is an `agree(...)` over at least 20 random points.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Literal

Method = Literal["symbolic", "rational", "digits", "certificate"]
LEAST_POINTS = 20


@dataclass(frozen=True)
class Step:
    """One line of a derivation. `holds` is the machine's check of it (True where the step only states)."""

    text: str
    expression: str
    holds: bool = True


@dataclass(frozen=True)
class Agreement:
    """The derived expression against the code: `error` is the largest relative error over `points` inputs."""

    text: str
    error: float
    digits: float
    points: int

    @property
    def holds(self) -> bool:
        return self.points >= LEAST_POINTS and self.error <= 10.0**-self.digits


def step(text: str, expression: object, *, holds: bool = True) -> Step:
    """A step: what was done, in words, and the expression it gave."""
    return Step(text, str(expression), bool(holds))


def agree(
    derived: Callable[..., Any], code: Callable[..., Any], points: Iterable[tuple], *, digits: float, scale: float = 0.0
) -> Agreement:
    """Compare `derived(*p)` with `code(*p)` for each p in `points`; both return a number (or mpmath number).

    Relative error |derived − code| / max(|derived|, scale). `digits` is what the code promises: argue it beside the
    call.
    """
    worst, count = 0.0, 0
    for point in points:
        want, got = derived(*point), code(*point)
        gap, size = float(abs(want - got)), max(float(abs(want)), scale)
        error = gap / size if size else (0.0 if gap == 0 else float("inf"))
        worst = max(worst, error) if error == error else float("inf")
        count += 1
    return Agreement("derived expression against the code", worst, digits, count)


@dataclass(frozen=True)
class Derived:
    """The result of running a derivation."""

    id: str
    method: str
    of: tuple[str, ...]
    steps: tuple[Step, ...]
    agreement: Agreement | None
    problem: str = ""

    @property
    def holds(self) -> bool:
        return not self.problem

    @property
    def outcome(self) -> str:
        return "DERIVED" if self.holds else "NOT DERIVED"


@dataclass(frozen=True)
class Derivation:
    """A function of `proofs_check` with the theory functions it derives. `run()` carries it out."""

    function: Callable[[], Generator[Step | Agreement, None, None]]
    of: tuple[Callable[..., Any], ...]
    method: Method

    @property
    def id(self) -> str:
        """`FAMILY.function_name`: the folder under `proofs_check/` and the function."""
        parts = self.function.__module__.split(".")
        at = parts.index("proofs_check") + 1 if "proofs_check" in parts else len(parts) - 1
        return f"{parts[at]}.{self.function.__name__}"

    @property
    def statement(self) -> str:
        return inspect.getdoc(self.function) or self.function.__name__

    def run(self) -> Derived:
        steps: list[Step] = []
        agreement: Agreement | None = None
        problem = ""
        try:
            for item in self.function():
                if isinstance(item, Agreement):
                    agreement = item
                    if not item.holds:
                        problem = problem or _disagreement(item)
                else:
                    steps.append(item)
                    if not item.holds:
                        problem = problem or f"step {len(steps)} fails: {item.text}"
        except Exception as error:  # a derivation that crashes is not derived; the run of the others goes on
            problem = f"{type(error).__name__}: {error}"
        if agreement is None:
            problem = problem or "it never compares its result with the code: end with agree(...)"
        names = tuple(f"{f.__module__}.{f.__qualname__}" for f in self.of)
        return Derived(self.id, self.method, names, tuple(steps), agreement, problem)


def _disagreement(item: Agreement) -> str:
    if item.points < LEAST_POINTS:
        return f"compared at {item.points} points; at least {LEAST_POINTS} are asked for"
    return f"the code differs from the derived expression: relative error {item.error:.1e}, promised 1e-{item.digits:g}"


def derivation(
    *, of: Callable[..., Any] | tuple[Callable[..., Any], ...], method: Method
) -> Callable[[Callable[[], Generator[Step | Agreement, None, None]]], Derivation]:
    """Declare a derivation of the theory function(s) `of` by `method`."""
    functions = of if isinstance(of, tuple) else (of,)

    def declare(function: Callable[[], Generator[Step | Agreement, None, None]]) -> Derivation:
        return Derivation(function, functions, method)

    return declare
