"""What makes two declarations the same claim: another margin, rival or formula after the data is another claim."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np


def fingerprint(*parts: Any) -> str:
    """16 hex digits over the values, and over the source text of the functions among them."""
    return hashlib.sha256("\n".join(_told(p) for p in parts).encode()).hexdigest()[:16]


def _told(value: Any) -> str:
    if isinstance(value, functools.partial):
        return f"partial({_told(value.func)},{_told(value.args)},{_told(value.keywords)})"
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array({value.dtype},{value.shape},{content})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return f"{type(value).__qualname__}{_told(fields)}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k!s}:{_told(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_told(v) for v in value) + "]"
    if inspect.isfunction(value):
        try:
            source = inspect.getsource(value)
        except OSError:  # typed at a prompt
            source = value.__code__.co_code.hex()
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        bound = [v for v in (*value.__code__.co_consts, *held) if isinstance(v, int | float | complex | np.ndarray)]
        return f"{value.__qualname__}:{source}:{_told(bound)}:{_told(value.__defaults__ or ())}"
    if callable(value):
        return f"{type(value).__qualname__}:{getattr(value, '__qualname__', '')}"
    return repr(value)
