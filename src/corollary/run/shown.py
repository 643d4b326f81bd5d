"""Where a function stands and what it says: the sources shown beside a claim, without a path of this machine."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

LONGEST = 120  # lines of one function that are shown
THEORY = "corollary.theory."

Source = dict[str, Any]  # name, file, line, text


def place(file: str) -> str:
    """The path below the folder that holds the rooms or the package; of a user's file its name."""
    path = Path(file).resolve()
    engine = Path(__file__).resolve().parents[1]
    for top in (engine.parents[1], engine.parent):  # a checkout, an installed package
        if path.is_relative_to(top) and (top / "corollary").is_dir() | (top / "theory").is_dir():
            return path.relative_to(top).as_posix()
    return path.name


def source(value: Any) -> Source | None:
    """The text of a function or class, or None where it has none (typed at a prompt, compiled)."""
    try:
        lines, first = inspect.getsourcelines(value)
        file = inspect.getsourcefile(value)
    except (OSError, TypeError):
        return None
    if file is None:
        return None
    more = [f"# … {len(lines) - LONGEST} lines more\n"] if len(lines) > LONGEST else []
    text = inspect.cleandoc("\n" + "".join([*lines[:LONGEST], *more]))
    return {"name": getattr(value, "__qualname__", ""), "file": place(file), "line": max(first, 1), "text": text}


def functions(value: Any) -> Iterator[Any]:
    """The functions in a value: a partial's own and those passed to it, a method's, those in lists and dicts."""
    if isinstance(value, functools.partial):
        yield from functions(value.func)
        yield from functions([*value.args, *value.keywords.values()])
    elif isinstance(value, Mapping):
        yield from functions(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from functions(part)
    elif inspect.ismethod(value):
        yield value.__func__
    elif isinstance(value, FunctionType):
        yield value
    elif hasattr(value, "function") and callable(value):  # EachSeed: a plain measurement
        yield from functions(value.function)


def theory_of(function: Any, depth: int = 3) -> Iterator[Any]:
    """Functions of `theory/` that a function of a paper calls by a name of its module, directly or through its own."""
    code, names = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    if code is None or not depth:
        return
    if function.__module__.startswith(THEORY):
        yield function
        return
    for name in code.co_names:
        value = names.get(name)
        if isinstance(value, ModuleType) and value.__name__.startswith(THEORY):
            yield from (
                v for n in code.co_names if inspect.isroutine(v := getattr(value, n, None)) or inspect.isclass(v)
            )
        elif inspect.isclass(value) and value.__module__.startswith(THEORY):
            yield value
        elif isinstance(value, FunctionType) and value is not function:
            ours = (
                value.__module__.startswith((THEORY, "corollary.paper_repro."))
                or value.__module__ == function.__module__
            )
            yield from theory_of(value, depth - 1) if ours else ()


def sources(values: Any) -> list[Source]:
    """Each function once, in order."""
    found = [source(v) for v in values]
    return list({(s["file"], s["line"]): s for s in found if s}.values())


def declared_at(module: str, variable: str) -> tuple[str, int]:
    """File and line of `variable = …` in a module; ("", 0) where there is no such line."""
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if not file or not variable:
        return "", 0
    for number, line in enumerate(_lines(file), 1):
        if re.match(rf"{re.escape(variable)}\b[^=]*=", line):
            return place(file), number
    return place(file), 0


@functools.cache
def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
