"""The files behind a function: every module its defining module imports, directly or not.

The closure of a module of this package comes from the static import graph (grimp), so an import inside a function
counts; that of a user's own file from its text, through the files it imports. The `__init__` of a parent package counts
only where it is imported itself; TYPE_CHECKING imports of this package do not. Installed packages count by version
where one of their functions is passed in; all versions stand in the record of a result.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from corollary.sources.description import Description

PACKAGE = "corollary"
_INSTALLED = {"site-packages", "dist-packages"}


@functools.cache
def _graph() -> Any:
    import grimp

    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


@functools.cache
def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _find(module: str) -> str | None:
    """The Python file of a module, without running it; None where there is no such module or no such file."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
    else:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, AttributeError, ValueError):  # `from a import f` where f is no module
            return None
        file = spec.origin if spec else None
    return file if file and file.endswith(".py") and Path(file).is_file() else None


def _file_of(module: str) -> str:
    file = _find(module)
    if file is None:
        raise LookupError(
            f"module {module} has no source file, so its results cannot be kept apart from those of another version; "
            "put the measurement into a file"
        )
    return file


def _is_installed(module: str) -> bool:
    """The standard library's, a compiled one, or in site-packages."""
    top = module.split(".")[0]
    if top in sys.stdlib_module_names and top != "__main__":
        return True
    spec = getattr(sys.modules.get(top), "__spec__", None) if top in sys.modules else importlib.util.find_spec(top)
    places = [spec.origin or "", *(spec.submodule_search_locations or [])] if spec else [_find(top) or ""]
    return any(_INSTALLED & set(Path(place).parts) for place in places)


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == PACKAGE


@functools.cache
def closure(module: str) -> tuple[str, ...]:
    """The module and all it imports, directly or not, of this package and of the user's own files; sorted."""
    found: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        if _is_ours(name):
            found |= _graph().find_upstream_modules(name)
        else:
            todo += _imports_of(name)
    return tuple(sorted(found))


def _imports_of(module: str) -> set[str]:
    """Modules of this package, and files of the user's, that a user's file imports anywhere in its text."""
    package = getattr(sys.modules.get(module), "__package__", None) or ""
    names: set[str] = set()
    for node in ast.walk(ast.parse(Path(_file_of(module)).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    ours = {name for name in names if _is_ours(name) and name != PACKAGE and name in _graph().modules}
    return ours | {name for name in names if not _is_ours(name) and not _is_installed(name) and _find(name)}


def source_files(module: str) -> list[str]:
    """The files the module's results depend on, its own first."""
    return [_file_of(module), *(_file_of(m) for m in closure(module) if m != module)]


@functools.cache
def _module_digest(module: str) -> str:
    if not _is_ours(module) and _is_installed(module):
        return _version(module.split(".")[0])
    parts = [f"{name}:{_file_digest(_file_of(name))}" for name in closure(module)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def _version(package: str) -> str:
    from importlib.metadata import packages_distributions, version

    found = [f"{name}=={version(name)}" for name in sorted(set(packages_distributions().get(package, [])))]
    return ",".join(found) or f"python=={sys.version_info.major}.{sys.version_info.minor}"


def source_digest(function: Callable[..., Any], also: Callable[..., Any] | None = None) -> str:
    """SHA-256 over the function's name, its module's closure, and everything bound to it: by `functools.partial`, as a
    default, or held in a closure or an object. also: a function of which only the modules of this package count, its
    own and those of what is bound to it. Raises TypeError for a bound value that has no text, LookupError for a
    function without a file."""
    text = Description(_module_digest).of(function)
    text += "".join(f";{m}:{_module_digest(m)}" for m in _bound(also))
    return hashlib.sha256(text.encode()).hexdigest()


def _bound(also: Callable[..., Any] | None) -> list[str]:
    """Modules of this package that define `also` and what is bound to it; sorted."""
    if also is None:
        return []
    description = Description(_module_digest)
    description.of(also)
    # an experiment's plain function is held by a class of `claims`, which says nothing about what it computes
    return sorted(m for m in description.modules if _is_ours(m) and not m.startswith(f"{PACKAGE}.claims."))


def modules_of(function: Callable[..., Any], also: Callable[..., Any] | None = None) -> list[str]:
    """All modules whose text `source_digest` covers; sorted."""
    description = Description(_module_digest)
    description.of(function)
    defining = {m for m in description.modules if _is_ours(m) or not _is_installed(m)}
    return sorted({m for name in [*defining, *_bound(also)] for m in closure(name)})


def own_modules(function: Callable[..., Any]) -> list[str]:
    """Those of the user's own files: a worker process may be unable to import them."""
    return [m for m in modules_of(function) if not _is_ours(m) and m != "__main__"]


def package_digests(function: Callable[..., Any], also: Callable[..., Any] | None = None) -> dict[str, str]:
    """Module of this package → digest of its file, for a worker to compare with its own."""
    return {m: _file_digest(_file_of(m)) for m in modules_of(function, also) if _is_ours(m)}


def differing(digests: Mapping[str, str]) -> list[str]:
    """Modules whose file here is another than the digest says, or is not here."""

    def here(module: str) -> str | None:
        file = _find(module)
        return file and _file_digest(file)

    return [module for module, digest in digests.items() if here(module) != digest]
