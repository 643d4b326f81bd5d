"""What records must look like: a shape takes a value as it was read and gives it back whole, or says where it is not.

PAPER(record, "paper", said)      # said collects what was mended: a damaged field that may be missing
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Said = list[str]
Shape = Callable[[Any, str, Said], Any]


class Misfit(ValueError):
    """A value that is not of its shape; the message names the field."""


def text(value: Any, at: str, said: Said) -> str:
    if not isinstance(value, str):
        raise Misfit(f"{at} is {_told(value)}, not a text")
    return value


def number(value: Any, at: str, said: Said) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Misfit(f"{at} is {_told(value)}, not a number")
    try:
        return float(value)
    except OverflowError:
        raise Misfit(f"{at} is {_told(value)}, not a number") from None


def label(value: Any, at: str, said: Said) -> str:
    """A text, or a number written as one: a figure's number, a year."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Misfit(f"{at} is {_told(value)}, not a text or number")
    return str(value)


def flag(value: Any, at: str, said: Said) -> bool:
    if not isinstance(value, bool):
        raise Misfit(f"{at} is {_told(value)}, not true or false")
    return value


def maybe(shape: Shape) -> Shape:
    return lambda value, at, said: None if value is None else shape(value, at, said)


def one_of(*values: str) -> Shape:
    def check(value: Any, at: str, said: Said) -> str:
        if value not in values:
            raise Misfit(f"{at} is {_told(value)}, not one of {', '.join(values)}")
        return value

    return check


def many(shape: Shape, *, each: bool = False) -> Shape:
    """A list; with `each`, items that are damaged are left out and said, the others stay."""

    def check(value: Any, at: str, said: Said) -> list[Any]:
        if not isinstance(value, list):
            raise Misfit(f"{at} is {_told(value)}, not a list")
        kept = []
        for i, item in enumerate(value):
            try:
                kept.append(shape(item, f"{at}[{i}]", said))
            except Misfit as misfit:
                if not each:
                    raise
                said.append(f"{misfit}: left out")
        return kept

    return check


def table(shape: Shape) -> Shape:
    def check(value: Any, at: str, said: Said) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misfit(f"{at} is {_told(value)}, not a table")
        return {str(k): shape(v, f"{at}.{k}", said) for k, v in value.items()}

    return check


@dataclass(frozen=True)
class Fields:
    """A record. Without what it `needs` it is none; what it `may` have stands with what is put in where it is missing
    or damaged. Other fields are kept as they are."""

    needs: dict[str, Shape]
    may: dict[str, tuple[Shape, Any]]

    def __call__(self, value: Any, at: str, said: Said) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Misfit(f"{at} is {_told(value)}, not a record")
        whole = dict(value)
        for name, shape in self.needs.items():
            if name not in value:
                raise Misfit(f"{at} lacks {name!r}")
            whole[name] = shape(value[name], f"{at}.{name}", said)
        for name, (shape, default) in self.may.items():
            try:
                whole[name] = shape(value[name], f"{at}.{name}", said) if value.get(name) is not None else default
            except Misfit as misfit:
                said.append(f"{misfit}: shown without")
                whole[name] = default
        return whole


def _told(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    shown = repr(value) if not isinstance(value, int) or isinstance(value, bool) or abs(value) < 10**20 else "too large"
    return shown if len(shown) <= 40 else f"{shown[:39]}…"


_ERRATUM = Fields(
    {"where": text, "printed": text, "corrected": text},
    {"evidence": (many(text, each=True), ()), "version": (text, ""), "wrong": (text, "")},
)
_NUMBER = Fields(
    {"what": text, "value": number, "claim": text},
    {"where": (text, ""), "functional": (text, "")},
)
SOURCE = Fields({"name": text, "file": text, "text": text}, {"line": (label, "")})
_SOURCES = (many(SOURCE, each=True), ())
PAPER = Fields(
    {"key": text},
    {
        "title": (text, ""), "authors": (text, ""), "year": (label, ""), "arxiv": (text, ""), "summary": (text, ""),
        "conventions": (text, ""), "family": (text, ""), "errata": (many(_ERRATUM, each=True), ()),
        "numbers": (many(_NUMBER, each=True), ()),
    },
)  # fmt: skip
RUN = Fields(
    {"run": text},
    {
        "date": (text, None), "scale": (text, None), "device": (text, None), "commit": (text, None),
        "machine": (text, None), "dirty": (flag, None), "versions": (table(label), {}), "seconds": (number, None),
    },
)  # fmt: skip
# A derivation without its steps or its outcome would look like one that holds: it is left out.
DERIVATION = Fields(
    {
        "id": text, "outcome": one_of("DERIVED", "NOT DERIVED"), "problem": text, "statement": text,
        "steps": many(Fields({"text": text, "expression": text, "holds": flag}, {})),
        "agreement": maybe(Fields({"error": number, "digits": number, "points": label}, {})),
    },
    {"method": (text, ""), "of": (many(text), ()), "code": _SOURCES, "source": (SOURCE, None)},
)  # fmt: skip
FIGURE = Fields(
    {"figure": label, "paper": text},
    {
        "command": (text, ""), "commit": (text, ""), "dirty": (flag, None), "claims": (many(text, each=True), ()),
        "scale": (text, ""),
    },
)  # fmt: skip
