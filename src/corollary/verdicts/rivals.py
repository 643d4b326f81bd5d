"""What may stand as a rival: a statement with a value, so that the data can contradict it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from corollary.verdicts.bound import scaled
from corollary.verdicts.settings import ClaimError


def checked_rivals(rivals: Any) -> dict[str, Any]:
    """name → value, as a dict. Raises ClaimError for anything else, or a value that is no number, array or function."""
    if rivals is None:
        return {}
    if not isinstance(rivals, Mapping):
        raise ClaimError(f'rivals={rivals!r}: expected a dict from names to values, such as {{"twice as much": 2.0}}')
    for name, value in rivals.items():
        if not isinstance(name, str):
            raise ClaimError(f"rivals: the name {name!r} is no text; say in words what the rival states")
        parts = value if isinstance(value, tuple) and value else (value,)  # (exponent, log power), (cdf, left limit)
        if not all(map(_has_a_value, parts)):
            raise ClaimError(
                f"rival {name!r} is {value!r}: expected a number, an array, scaled(…) or a function of the coordinates"
            )
    return dict(rivals)


def _has_a_value(part: Any) -> bool:
    if callable(part) or isinstance(part, scaled):
        return True
    if part is None or isinstance(part, str | bytes | Mapping):
        return False
    if hasattr(part, "dtype"):
        return str(part.dtype).startswith(("float", "complex", "int", "uint", "bool"))
    try:
        np.asarray(part, dtype=complex)  # lists, Fraction, mpf
    except (TypeError, ValueError):
        return False
    return True
