"""`@guards(function, …)`: this test turns red when one of these functions is off by 2 %."""

from __future__ import annotations

import functools
from typing import Any

import pytest


def guards(*functions: Any) -> pytest.MarkDecorator:
    """Marks a test with the public functions, methods or properties it guards; a class stands for all of its own.

    The power test (`corollary.testing.power`) plants the error and requires that the test notices it. Raises TypeError
    for anything else.
    """
    for f in functions:
        if not (callable(f) or isinstance(f, property | functools.cached_property)):
            raise TypeError(f"guards() takes functions, methods, properties and classes, got {f!r}")
    return pytest.mark.guards.with_args(*functions)  # called with one function, a mark would decorate that function
