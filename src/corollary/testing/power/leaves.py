"""The numbers inside a result, and the same result with one of them changed."""

from __future__ import annotations

import copy
import dataclasses
import math
import types
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

FACTOR = 1.02
ANGLE = 0.02
_MANY = 4  # longer sequences of numbers are one leaf
_DEPTH = 6

Visit = Callable[[str, Any], Any]


def mapped(value: Any, visit: Visit, path: str = "", depth: int = 0) -> Any:
    """`value` rebuilt with `visit(path, leaf)` for each leaf: floating numbers and arrays, and whole numbers where
    they are the result itself. Fields are entered without calling constructors: these check what is being broken."""
    if is_leaf(value, whole=depth == 0):
        return visit(path, value)
    if depth >= _DEPTH:
        return value

    def inner(x: Any, name: str) -> Any:
        return mapped(x, visit, path + name, depth + 1)

    names = getattr(value, "_fields", None)
    if isinstance(value, tuple) and names is not None:
        return type(value)(*(inner(x, f".{n}") for n, x in zip(names, value, strict=True)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: inner(getattr(value, f.name), f".{f.name}") for f in dataclasses.fields(value)}
        twin = copy.copy(value)
        for name, x in changed.items():
            object.__setattr__(twin, name, x)
        return twin
    if isinstance(value, tuple | list):
        together = len(value) > _MANY or not any(is_leaf(x, whole=False) for x in value)  # many, or objects: layers
        return type(value)(inner(x, "[*]" if together else f"[{i}]") for i, x in enumerate(value))
    if isinstance(value, dict):
        return {key: inner(x, f"[{key!r}]") for key, x in value.items()}
    if isinstance(value, types.GeneratorType):
        return (inner(x, "[*]") for x in value)
    if isinstance(value, types.FunctionType | types.MethodType):
        return lambda *a, **k: inner(value(*a, **k), "()")
    return value


def is_leaf(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, float | complex | Fraction) or type(value).__name__ in ("mpf", "mpc"):
        return True
    if isinstance(value, int):
        return whole
    kind = str(getattr(value, "dtype", ""))
    return "float" in kind or "complex" in kind or (whole and "int" in kind)


def is_nonzero(leaf: Any) -> bool:
    """Whether a factor would change it."""
    return bool(_any(leaf != 0))


def unchanged(path: str, leaf: Any) -> Any:
    """A new object with the same bits: the control, which goes the way of the change."""
    return leaf * 1


def off_by_2_percent(chosen: str) -> Visit:
    """Multiplies the leaf at the path `chosen` by 1.02; whole numbers move by 2 %, at least by one."""

    def visit(path: str, leaf: Any) -> Any:
        if path != chosen:
            return leaf
        if isinstance(leaf, Fraction):
            return leaf * Fraction(51, 50)
        if isinstance(leaf, int):
            return leaf + max(1, round(abs(leaf) * (FACTOR - 1)))
        if "int" in str(getattr(leaf, "dtype", "")):
            return leaf + 1
        return leaf * FACTOR

    return visit


def turned_by_2_percent(chosen: str) -> Visit:
    """Turns the vectors along the last axis of the leaf at `chosen` by 0.02 radians, in the coordinate planes (0, 1),
    (2, 3), …: for results whose length means nothing."""

    def visit(path: str, leaf: Any) -> Any:
        return _turned(leaf) if path == chosen else leaf

    return visit


def _turned(x: Any) -> Any:
    from corollary.arrays import array_namespace

    xp = array_namespace(x)
    even = x.shape[-1] // 2 * 2
    if not even:
        raise ValueError(f"a direction needs two coordinates to be turned in; it has shape {tuple(x.shape)}")
    a, b = x[..., 0:even:2], x[..., 1:even:2]
    c, s = math.cos(ANGLE), math.sin(ANGLE)
    pairs = xp.stack([c * a - s * b, s * a + c * b], axis=-1)
    return xp.concat([xp.reshape(pairs, (*x.shape[:-1], even)), x[..., even:]], axis=-1)


def _any(x: Any) -> bool:
    from corollary.arrays import array_namespace

    return bool(array_namespace(x).any(x)) if hasattr(x, "shape") and x.shape != () else bool(x)


def paths(value: Any) -> Iterator[tuple[str, bool]]:
    """(path, whether it is not zero throughout) of the leaves, generators and functions left alone."""
    seen: list[tuple[str, bool]] = []
    if not isinstance(value, types.GeneratorType | types.FunctionType | types.MethodType):
        mapped(value, lambda path, leaf: (seen.append((path, is_nonzero(leaf))), leaf)[1])
    yield from seen
