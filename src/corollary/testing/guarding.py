"""`@guards(function, …)`: this test turns red when one of these functions of `theory/` is off by 2 %."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def guards(*functions: Callable[..., Any]) -> pytest.MarkDecorator:
    """Marks a test with the public functions (or classes, or methods) it guards; the power test plants the error."""
    for f in functions:
        if not callable(f):
            raise TypeError(f"guards() takes functions and classes, got {f!r}")
    return pytest.mark.guards.with_args(*functions)  # called with one function, a mark would decorate that function
