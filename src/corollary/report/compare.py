"""Two result folders side by side: two commits, two seeds, or CPU and GPU. What changed beyond what chance allows.

A number moved when the two intervals do not meet: each covers its true value but for its error rate, so if nothing
changed that happens with probability at most the sum of the two. A theory's value is no measurement: any change counts,
and so does a rival that was rejected and now stands, a functional, claim, derivation or figure that is no longer there.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corollary.report.load import Record, Results, finite

THEORY_RTOL = 1e-9  # theory's values are computed in double precision; another BLAS or device moves the last digits
TABLE_RTOL = 1e-6  # of a column's largest number: tables hold results of long iterations, which move further
NOTED = ("kind", "scale", "device", "seed_root", "expected")


@dataclass
class Comparison:
    """Lines for people. `same` is the number of claims in both folders with nothing to say about."""

    verdicts: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    theory: list[str] = field(default_factory=list)
    rivals: list[str] = field(default_factory=list)
    functionals: list[str] = field(default_factory=list)
    derivations: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    only_new: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    same: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything changed or is gone; what is only new, and notes, are no change."""
        return any((self.verdicts, self.moved, self.theory, self.rivals, self.functionals, self.derivations,
                    self.tables, self.gone))  # fmt: skip

    def _lines(self) -> int:
        return sum(map(len, (self.verdicts, self.moved, self.theory, self.rivals, self.functionals)))


def compare(old: Results, new: Results) -> Comparison:
    """What differs between the claims, derivations and figures of two folders."""
    found = Comparison()
    figures = [
        {f"{f['folder']}/{f['picture'].stem}": f for kept in r.figures.values() for f in kept} for r in (old, new)
    ]
    if figures[0] and not figures[1]:
        found.notes.append("the new folder has no figures: none were compared")
        figures[0] = {}
    for what, before, after in (
        ("claim", old.claims, new.claims),
        ("derivation", old.derivations, new.derivations),
        ("figure", *figures),
    ):
        found.gone += [f"{what} {name}" for name in sorted(set(before) - set(after))]
        found.only_new += [f"{what} {name}" for name in sorted(set(after) - set(before))]
    about: dict[str, list[str]] = {}
    for name in sorted(set(old.claims) & set(new.claims)):
        before, after, lines = old.claims[name], new.claims[name], found._lines()
        if before["outcome"] != after["outcome"]:
            found.verdicts.append(f"{name}: {before['outcome']} → {after['outcome']}")
        _numbers(name, before, after, found)
        _rivals(name, before, after, found)
        found.same += lines == found._lines()
        if before.get("fingerprint") and after.get("fingerprint") and before["fingerprint"] != after["fingerprint"]:
            about.setdefault("declared differently in the two folders", []).append(name)
        for what in NOTED:
            if before[what] != after[what]:
                text = f"{what.replace('_', ' ')} {_or_none(before[what])} → {_or_none(after[what])}"
                about.setdefault(text, []).append(name)
    found.notes += [f"{text}: {_few(names)}" for text, names in about.items()]
    for name in sorted(set(old.derivations) & set(new.derivations)):
        was, now = old.derivations[name]["outcome"], new.derivations[name]["outcome"]
        if was != now:
            found.derivations.append(f"{name}: {was} → {now}")
    for name in sorted(set(figures[0]) & set(figures[1])):
        _figure(name, figures[0][name], figures[1][name], found)
    return found


def _numbers(name: str, before: Record, after: Record, found: Comparison) -> None:
    row = {f: i for i, f in enumerate(after["functionals"])}
    lost = [f for f in before["functionals"] if f not in row]
    come = [f for f in after["functionals"] if f not in before["functionals"]]
    if lost or come:
        found.functionals.append(f"{name}: {_few(lost)} → {_few(come)}")
    for i, functional in enumerate(before["functionals"]):
        j = row.get(functional)
        if j is None:
            continue
        T0, T1 = finite(before["theory"][i]), finite(after["theory"][j])
        if not _close(T0, T1, THEORY_RTOL):
            found.theory.append(f"{name}, {functional}: theory {_told(T0)} → {_told(T1)}")
        (a0, b0), (a1, b1) = (_ends(pair) for pair in (before["interval"][i], after["interval"][j]))
        if b0 < a1 or b1 < a0:
            found.moved.append(f"{name}, {functional}: [{a0:.5g}, {b0:.5g}] → [{a1:.5g}, {b1:.5g}]")


def _rivals(name: str, before: Record, after: Record, found: Comparison) -> None:
    """Who was rejected and now stands, or is asked about no more; and the other way round."""
    states = [
        {**dict.fromkeys(c["rivals_alive"], "still stands"), **dict.fromkeys(c["rivals_rejected"], "rejected")}
        for c in (before, after)
    ]
    for rival in dict.fromkeys([*states[0], *states[1]]):
        was, now = (s.get(rival, "not there") for s in states)
        if was != now:
            found.rivals.append(f"{name}, “{rival}”: {was} → {now}")


def _figure(name: str, before: Record, after: Record, found: Comparison) -> None:
    """The tables behind a figure: rows and columns that came or went, numbers that moved."""
    for what in ("scale", "seed_root"):
        was, now = (f["result"].get(what) for f in (before, after))
        if was != now:
            found.notes.append(f"{name}: {what} {was} → {now}; its tables are not compared")
            return
    for table in dict.fromkeys([*before["tables"], *after["tables"]]):
        old, new = (_read(f["picture"].parent / table) if table in f["tables"] else None for f in (before, after))
        if old is None or new is None:
            found.tables.append(f"{table} of {name}: {_there(old)} → {_there(new)}")
        elif list(old) != list(new):
            found.tables.append(f"{table} of {name}: columns {', '.join(old)} → {', '.join(new)}")
        else:
            for column in old:
                text = _column(old[column], new[column])
                if text:
                    found.tables.append(f"{table} of {name}, {column}: {text}")


def _read(file: Path) -> dict[str, list[str]] | None:
    """A table's columns, or None where it cannot be read."""
    try:
        lines = [x for x in file.read_text(encoding="utf-8", errors="replace").splitlines() if not x.startswith("#")]
        head, *rows = csv.reader(lines)
    except (OSError, ValueError, csv.Error):
        return None
    return {name: [row[i] if i < len(row) else "" for row in rows] for i, name in enumerate(head)}


def _column(old: list[str], new: list[str]) -> str:
    if len(old) != len(new):
        return f"{len(old)} rows → {len(new)}"
    pairs = [(_value(a), _value(b)) for a, b in zip(old, new, strict=True)]
    size = max((abs(x) for pair in pairs for x in pair if isinstance(x, float)), default=0.0)
    moved = [
        (a, b) for a, b in pairs
        if a != b and not (isinstance(a, float) and isinstance(b, float) and abs(a - b) <= TABLE_RTOL * size)
    ]  # fmt: skip
    if not moved:
        return ""
    (a, b), *_ = sorted(moved, key=lambda p: -abs(p[0] - p[1]) if isinstance(p[0], float) and isinstance(p[1], float)
                        else -float("inf"))  # fmt: skip
    return f"{len(moved)} of {len(old)} moved, the furthest {_told(a)} → {_told(b)}"


def _value(text: str) -> float | str:
    """A finite number, or the text as it stands."""
    try:
        number = finite(float(text))
    except ValueError:
        return text
    return text if number is None else number


def _there(table: Any) -> str:
    return "no table" if table is None else "a table"


def _or_none(value: Any) -> str:
    return "none" if value in ("", None) else str(value)


def _few(names: list[str]) -> str:
    return (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or "none"


def _close(a: float | None, b: float | None, rtol: float) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) <= rtol * max(abs(a), abs(b))


def _told(x: Any) -> str:
    return "no number" if x is None else f"{x:.10g}" if isinstance(x, float) else str(x)


def _ends(pair: list) -> tuple[float, float]:
    low, high = (finite(x) for x in pair)
    return (-float("inf") if low is None else low), (float("inf") if high is None else high)
