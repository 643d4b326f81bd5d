"""What a result depends on: the sources of every module the experiment's defining module imports, directly or not.

The closure comes from the static import graph (grimp), so an import inside a function counts. The `__init__` of a
parent package counts only where it is imported itself; TYPE_CHECKING imports do not.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from corollary.seeds import canonical_json

PACKAGE = "corollary"


@functools.cache
def _graph() -> Any:
    import grimp

    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


@functools.cache
def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _module_path(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"no source for module {module}")
    return spec.origin


@functools.cache
def closure(module: str) -> tuple[str, ...]:
    """Modules of this package that `module` imports, directly or not, with itself if it is one; sorted."""
    if module.split(".")[0] == PACKAGE:
        return tuple(sorted({module, *_graph().find_upstream_modules(module)}))
    return tuple(sorted({m for name in _imports_of(module) for m in closure(name)}))


def _imports_of(module: str) -> set[str]:
    """Modules of this package that a user's own file imports anywhere in its text."""
    known = _graph().modules
    found = set()
    for node in ast.walk(ast.parse(Path(_user_file(module)).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {name for name in names if name in known and name != PACKAGE}
    return found


def _user_file(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not Path(file).is_file():
        raise LookupError(
            f"module {module} has no source file, so its results cannot be kept apart from those of another version; "
            "put the measurement into a file"
        )
    return file


def source_files(module: str) -> list[str]:
    """The files the module's results depend on."""
    own = [] if module.split(".")[0] == PACKAGE else [_user_file(module)]
    return own + [_module_path(m) for m in closure(module)]


@functools.cache
def _module_digest(module: str) -> str:
    parts = [f"{name}:{_file_digest(_module_path(name))}" for name in closure(module)]
    if module.split(".")[0] != PACKAGE:
        parts.append(_file_digest(_user_file(module)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def source_digest(function: Callable[..., Any]) -> str:
    """SHA-256 over the function's name, its module's closure, and everything bound to it by `functools.partial`."""
    return hashlib.sha256(_describe(function).encode()).hexdigest()


def _describe(value: Any) -> str:
    if isinstance(value, functools.partial):
        bound = [_describe(a) for a in value.args] + [f"{k}={_describe(v)}" for k, v in sorted(value.keywords.items())]
        return f"partial({_describe(value.func)},{','.join(bound)})"
    if isinstance(value, np.ndarray):
        return f"array({value.dtype},{value.shape},{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()})"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{_describe(v)}" for k, v in sorted(value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_describe(v) for v in value) + "]"
    if callable(value):
        named = value if inspect.isroutine(value) or inspect.isclass(value) else type(value)
        held = "" if named is value else _describe(vars(value))
        return f"{named.__module__}:{named.__qualname__}:{_module_digest(named.__module__)}{held}"
    return canonical_json(value)
