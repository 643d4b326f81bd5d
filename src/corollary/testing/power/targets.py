"""What the power test changes: every public function, method and property of a package that returns numbers.

Public is what a package or module names in its `__all__`; of a module without one that stands directly under the
package, the functions and classes it defines without an underscore. A class stands for its public methods, inherited
ones included, and properties. What a function returns is read from its annotation: bool, str, None and classes that
hold no numbers are no numbers; where there is no annotation, it counts as one.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_NO_NUMBER = (bool, str, bytes, type(None), type)


@dataclass(frozen=True)
class Target:
    """A name like `ntk.Training.mean`, and the plain function behind it. `owner`: only instances of it count."""

    name: str
    function: Any
    owner: type | None = None

    def concerns(self, arguments: tuple[Any, ...]) -> bool:
        """Whether a call with these positional arguments is a call of this target, not of a sibling class."""
        if self.owner is None:
            return True
        first = arguments[0] if arguments else None
        return isinstance(first, self.owner) or (isinstance(first, type) and issubclass(first, self.owner))


def walk(package: str, *, skip: collections.abc.Collection[str] = ()) -> list[Target]:
    """All targets of the package, by name; `skip` names modules directly under it that are not even imported.

    Raises ImportError for a module that cannot be imported, TypeError for a public callable without Python code.
    """
    root = importlib.import_module(package)
    modules = [root]
    for info in pkgutil.iter_modules(root.__path__, package + "."):
        if info.name.rpartition(".")[2] in skip:
            continue
        modules.append(importlib.import_module(info.name))
        if info.ispkg:
            inside = pkgutil.walk_packages(modules[-1].__path__, info.name + ".")
            modules += [importlib.import_module(i.name) for i in inside]
    found: dict[int, list[Target]] = {}  # by the public object: one exported twice counts once, under its shortest name
    for module in sorted(modules, key=lambda m: m.__name__.count(".")):
        for name in _public(module, package):
            thing = getattr(module, name)
            if id(thing) not in found:
                path = f"{module.__name__}.{name}".removeprefix(package + ".")
                found[id(thing)] = list(_targets(thing, path, package))
    return sorted((t for targets in found.values() for t in targets), key=lambda t: t.name)


def plain_function(thing: Any) -> types.FunctionType | None:
    """The Python function inside a method, property or decorated function; None where there is none."""
    if isinstance(thing, staticmethod | classmethod | types.MethodType):
        thing = thing.__func__
    elif isinstance(thing, property):
        thing = thing.fget
    elif isinstance(thing, functools.cached_property):
        thing = thing.func
    thing = inspect.unwrap(thing) if callable(thing) else thing
    return thing if isinstance(thing, types.FunctionType) else None


def _public(module: types.ModuleType, package: str) -> list[str]:
    declared = getattr(module, "__all__", None)
    if declared is not None:
        return list(declared)
    if module.__name__.rpartition(".")[0] != package or hasattr(module, "__path__"):
        return []
    return [n for n, v in vars(module).items() if n[0] != "_" and getattr(v, "__module__", "") == module.__name__]


def _targets(thing: Any, path: str, package: str) -> Iterator[Target]:
    if isinstance(thing, type):
        if issubclass(thing, BaseException):
            return
        for name in dir(thing):
            function = plain_function(inspect.getattr_static(thing, name, None))
            ours = function is not None and f"{function.__module__}.".startswith(package + ".")
            if function is not None and ours and (name[0] != "_" or name == "__call__") and _returns_numbers(function):
                yield Target(f"{path}.{name}", function, thing)
    elif callable(thing):
        function = plain_function(thing)
        if function is None:
            raise TypeError(f"{path} is {thing!r}, which has no Python code to patch; wrap it in a function")
        if _returns_numbers(function):
            yield Target(path, function)


def _returns_numbers(function: types.FunctionType) -> bool:
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # names that exist for type checkers alone
        return True
    return _has_numbers(hints.get("return", Any), depth=0)


def _has_numbers(hint: Any, depth: int) -> bool:
    if depth > 6:  # a class that holds itself
        return False
    if hint is Any:
        return True
    if hint in (typing.Self, typing.NoReturn, typing.Never, Ellipsis, None):
        return False
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return False
    if typing.get_origin(hint) is collections.abc.Callable:
        arguments = arguments[1:]
    if arguments:
        return any(_has_numbers(a, depth + 1) for a in arguments if not isinstance(a, list))
    if not isinstance(hint, type):
        return True  # a TypeVar and the like
    if hint in _NO_NUMBER:
        return False
    if dataclasses.is_dataclass(hint) or hasattr(hint, "_fields"):
        try:
            return any(_has_numbers(h, depth + 1) for h in typing.get_type_hints(hint).values())
        except Exception:
            return True
    return not _is_plain_class(hint)


def _is_plain_class(hint: type) -> bool:
    """A class that holds no numbers of its own accord: an estimator, a problem; its methods are targets themselves."""
    root = hint.__module__.partition(".")[0]
    return root not in (
        "builtins",
        "numpy",
        "array_api_strict",
        "cupy",
        "fractions",
        "mpmath",
        "numbers",
        "collections",
    )
