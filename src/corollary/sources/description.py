"""One text per function and what is bound to it, so that two that could give different results never share a key."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import secrets
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from corollary.seeds import canonical_json

_ONCE = secrets.token_hex(8)
_kept: list[Any] = []  # objects described by their id, which must stay their own


class Description:
    """Describes values; `modules` gathers the modules that define the functions and classes met."""

    def __init__(self, digest_of: Callable[[str], str]):
        self.digest_of = digest_of
        self.modules: set[str] = set()
        self.open: list[int] = []  # functions being described: one that refers to itself is not described again

    def of(self, value: Any) -> str:
        """Raises TypeError for a value that is no function, array, dataclass or plain data."""
        if isinstance(value, functools.partial):
            bound = [self.of(v) for v in value.args] + [f"{k}={self.of(v)}" for k, v in sorted(value.keywords.items())]
            return f"partial({self.of(value.func)},{','.join(bound)})"
        if isinstance(value, np.ndarray):
            content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
            return f"array({value.dtype},{value.shape},{content})"
        if isinstance(value, np.ufunc):
            return f"ufunc({value.__name__},{np.__version__})"
        if isinstance(value, Mapping):
            return "{" + ",".join(f"{k}:{self.of(v)}" for k, v in sorted(value.items())) + "}"
        if isinstance(value, list | tuple):
            return "[" + ",".join(self.of(v) for v in value) + "]"
        if inspect.ismethod(value):
            return f"{self.of(value.__self__)}.{self.of(value.__func__)}"
        if inspect.isclass(value) or inspect.isroutine(value):
            return self._named(value) + (self._held(value) if isinstance(value, FunctionType) else "")
        if dataclasses.is_dataclass(value):
            return self._named(type(value)) + self.of(
                {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            )
        if callable(value) and hasattr(value, "__dict__"):
            return self._named(type(value)) + self.of(vars(value))
        return canonical_json(value)

    def _named(self, value: Any) -> str:
        module = value.__module__ or "builtins"
        self.modules.add(module)
        return f"{module}:{value.__qualname__}:{self.digest_of(module)}"

    def _held(self, function: FunctionType) -> str:
        """What the module's text does not say of a function made anew at each run: its cells, defaults and place."""
        if "<" not in function.__qualname__:  # defined at the top of a module or class
            return ""
        if id(function) in self.open:
            return "(itself)"
        self.open.append(id(function))
        values = [c.cell_contents for c in function.__closure__ or ()]
        values += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        held = ",".join(self._of_held(v) for v in values)
        self.open.pop()
        return f"({_code(function.__code__)};{held})"

    def _of_held(self, value: Any) -> str:
        try:
            return self.of(value)
        except (TypeError, ValueError, LookupError):  # results are then not found again by another process: never stale
            _kept.append(value)
            return f"once({_ONCE},{id(value)})"


def _code(code: CodeType) -> str:
    """Tells two lambdas of one line apart. No file name: the same text elsewhere is the same function."""
    text = repr((code.co_code, code.co_names, code.co_firstlineno, [_constant(c) for c in code.co_consts]))
    return hashlib.sha256(text.encode()).hexdigest()


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return _code(value)
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)  # a set's order is salted
