"""Captions with the results filled in: each claim that a figure shows, in a line, with its verdict and interval."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from corollary.report.load import Record, ReportError, Results, finite

MARK = "\nClaims shown:\n"


def line(claim: Record) -> str:
    """Verdict, id, and of the functional whose interval lies furthest from the theory's value, in resolutions, where
    it ended; the others are counted."""
    said = f"{claim['outcome']} {claim['id']}"
    known = [j for j, pair in enumerate(claim["interval"]) if any(finite(x) is not None for x in pair)]
    if not known:
        return f"{said} ({claim['n']} replicates)"
    j = max(known, key=lambda j: _off(claim, j))
    low, high = (finite(x) for x in claim["interval"][j])
    span = f"[{'−∞' if low is None else f'{low:.4g}'}, {'∞' if high is None else f'{high:.4g}'}]"
    name = claim["axis"] or claim["functionals"][j]
    if claim["axis"] and len(claim["functionals"]) > 1:
        name += f", {claim['functionals'][j]}"
    side = "" if claim["side"] == "two" else f"{claim['side']} "
    T = finite(claim["theory"][j])
    theory = "" if T is None else f", theory {side}{T:.4g}"
    more = f", the furthest of {len(claim['functionals'])}" if len(claim["functionals"]) > 1 else ""
    return f"{said}: {name} in {span}{theory}{more} ({claim['n']} replicates)"


def _off(claim: Record, j: int) -> float:
    low, high, T = (finite(x) for x in (*claim["interval"][j], claim["theory"][j]))
    if low is None or high is None or T is None:
        return -1.0
    return abs((low + high) / 2 - T) / (finite(claim["resolution"][j]) or 1.0)


def filled(caption: str, names: Iterable[str], claims: Mapping[str, Record]) -> str:
    """The caption with one line for each claim of those results, in place of the lines it had."""
    lines = [line(claims[name]) for name in names if name in claims]
    plain = caption.split(MARK)[0]
    return plain + (MARK + "\n".join(lines) + "\n" if lines else "")


def fill(results: Results) -> list[Path]:
    """Fill the caption files beside the figures. Raises ReportError where the disk does not take one."""
    written = []
    for figure in (f for figures in results.figures.values() for f in figures):
        file: Path = figure["picture"].with_suffix(".txt")
        text = filled(figure["caption"], figure["result"]["claims"], results.claims)
        if not figure["caption"] or text == figure["caption"]:
            continue
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, file)
        except OSError as error:
            raise ReportError(f"cannot write the caption {file}: {error.strerror}") from error
        figure["caption"] = text
        written.append(file)
    return written
